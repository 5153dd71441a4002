// The runtime's memory as host functions see it: arguments, and results that are put there.
//
// A span is an i64: the pointer in its low half, the length in its high half.
import { compactAddLength, u8aConcat } from '@polkadot/util'

const SOME = new Uint8Array([1])

export const some = (bytes) => u8aConcat(SOME, bytes)
export const none = new Uint8Array([0])

export class Guest {
  heap // the Allocator of the call that is executed
  #memory

  constructor(memory) {
    this.#memory = memory
  }

  // A copy, since the runtime goes on to use that memory.
  read(pointer, length) {
    const start = pointer >>> 0
    if (start + length > this.#memory.buffer.byteLength) {
      throw new Error(`the runtime points at ${length} bytes from ${start}, outside of its memory`)
    }
    return new Uint8Array(this.#memory.buffer, start, length).slice()
  }

  readSpan(span) {
    return this.read(...pointerAndLength(span))
  }

  // Into memory that the runtime made ready for it; at most as many bytes as fit there.
  writeInto(span, bytes) {
    const [start, length] = pointerAndLength(span)
    new Uint8Array(this.#memory.buffer, start, length).set(bytes.subarray(0, length))
  }

  // Into new memory, which is the runtime's to free; the pointer.
  put(bytes) {
    const pointer = this.heap.malloc(bytes.length)
    new Uint8Array(this.#memory.buffer).set(bytes, pointer)
    return pointer
  }

  // As `put`; the span.
  putSpan(bytes) {
    return BigInt.asIntN(64, (BigInt(bytes.length) << 32n) | BigInt(this.put(bytes)))
  }

  // As `putSpan`, an Option<Vec<u8>>.
  putOption(bytes) {
    return this.putSpan(bytes === undefined ? none : some(compactAddLength(bytes)))
  }
}

export function pointerAndLength(span) {
  return [Number(BigInt.asUintN(32, span)), Number(BigInt.asUintN(32, span >> 32n))]
}
