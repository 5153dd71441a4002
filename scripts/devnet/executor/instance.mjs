// A started runtime, used for one call after the other.
//
// A node starts the runtime anew for each call. Here its memory is put back to what it was at the
// start, which takes a tenth of the time; one that failed is not used again.
import { Allocator } from './allocator.mjs'
import { Guest, pointerAndLength } from './guest.mjs'
import { hostFunctions } from './host/index.mjs'

const PAGES_TO_START_WITH = 64

export class Instance {
  #context
  #exports
  #heapBase
  #image // of the memory below the heap: the stack and the static data
  #memory

  constructor({ module, functions, memory: wanted }) {
    this.#memory = new WebAssembly.Memory({ ...wanted, initial: pagesFor(wanted) })
    this.#context = { guest: new Guest(this.#memory) }
    const env = { memory: this.#memory, ...hostFunctions(functions, this.#context) }
    this.#exports = new WebAssembly.Instance(module, { env }).exports
    this.#heapBase = this.#exports.__heap_base.value
    this.#image = new Uint8Array(this.#memory.buffer, 0, this.#heapBase).slice()
  }

  // The bytes that a function of the runtime answers with; what it changes is in the overlay.
  call(name, argument, { overlay, logLevel, log, versionOf }) {
    const call = this.#exports[name]
    if (typeof call !== 'function') throw new Error(`the runtime has no function ${name}`)
    const heap = new Allocator(this.#memory, this.#heapBase)
    const complaints = []
    this.#context.guest.heap = heap
    Object.assign(this.#context, { overlay, logLevel, log, versionOf, complaints })
    let span
    try {
      span = call(this.#context.guest.put(argument), argument.length)
    } catch (error) {
      throw new Error([`${name} failed: ${error.message}`, ...complaints].join('; '), { cause: error })
    }
    if (overlay.isInTransaction) throw new Error(`${name} left a storage transaction open`)
    const answer = this.#context.guest.read(...pointerAndLength(span))
    this.#reset(heap.end)
    return answer
  }

  #reset(end) {
    const bytes = new Uint8Array(this.#memory.buffer)
    bytes.set(this.#image)
    bytes.fill(0, this.#heapBase, end)
  }
}

const pagesFor = ({ initial, maximum = Infinity }) => Math.min(Math.max(initial, PAGES_TO_START_WITH), maximum)
