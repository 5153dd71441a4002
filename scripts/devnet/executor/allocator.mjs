// The heap that the host keeps in the runtime's memory: sp_allocator's freeing-bump allocator.
//
// Sizes are powers of two from 8 bytes to 32 MiB; a freed block is used again for its size. The
// 8 bytes in front of a block say its size, and that it is in use.
const MIN_SIZE = 8
const SIZES = 23
const HEADER_LENGTH = 8
const IN_USE = 1
const PAGE = 65_536
const MAX_PAGES = 65_536

export class Allocator {
  #memory
  #next // the first byte that was never handed out
  #free = Array.from({ length: SIZES }, () => [])

  constructor(memory, heapBase) {
    this.#memory = memory
    this.#next = Math.ceil(heapBase / MIN_SIZE) * MIN_SIZE
  }

  get end() {
    return this.#next
  }

  // A pointer to `length` bytes, aligned to 8.
  malloc(length) {
    const order = length <= MIN_SIZE ? 0 : 29 - Math.clz32(length - 1)
    if (order >= SIZES) throw new Error(`the runtime asks for ${length} bytes at once`)
    const header = this.#free[order].pop() ?? this.#bump(HEADER_LENGTH + MIN_SIZE * 2 ** order)
    const view = new DataView(this.#memory.buffer)
    view.setUint32(header, order, true)
    view.setUint32(header + 4, IN_USE, true)
    return header + HEADER_LENGTH
  }

  free(pointer) {
    const header = pointer - HEADER_LENGTH
    const view = new DataView(this.#memory.buffer)
    const order = view.getUint32(header, true)
    if (view.getUint32(header + 4, true) !== IN_USE || order >= SIZES) {
      throw new Error(`the runtime frees ${pointer}, where nothing is allocated`)
    }
    view.setUint32(header + 4, 0, true)
    this.#free[order].push(header)
  }

  #bump(length) {
    const start = this.#next
    this.#next += length
    const pages = this.#memory.buffer.byteLength / PAGE
    if (this.#next > pages * PAGE) {
      const needed = Math.ceil(this.#next / PAGE)
      if (needed > MAX_PAGES) throw new Error('the runtime has used up its memory')
      this.#memory.grow(Math.min(Math.max(needed, 2 * pages), MAX_PAGES) - pages)
    }
    return start
  }
}
