// Storage as one task of runtime calls sees it: a state, and what the calls changed on top of it.
//
// Keys are 0x hex, values bytes; `null` stands for a value that was removed. Semantics are those of
// sp_state_machine's overlay, transactions nest.
import { appended } from './append.mjs'
import { bytesOf, hexOf } from './hex.mjs'

const CHILD_STORAGE = '0x3a6368696c645f73746f726167653a' // ":child_storage:"

export class Overlay {
  #state
  #read = new Map() // what the state holds, as far as it was asked for
  #layers = [new Map()] // the last one is the innermost open transaction's
  #touched = [] // every key that was ever set, ascending, also where that was rolled back

  // `state` is a Trie.
  constructor(state) {
    this.#state = state
  }

  get(key) {
    const value = this.#changed(key)
    if (value !== undefined) return value ?? undefined
    if (!this.#read.has(key)) this.#read.set(key, this.#inState(key))
    return this.#read.get(key)
  }

  // What the task made of `key`: undefined where it left it alone.
  #changed(key) {
    for (let at = this.#layers.length - 1; at >= 0; at--) {
      const value = this.#layers[at].get(key)
      if (value !== undefined) return value
    }
    return undefined
  }

  #inState(key) {
    const value = this.#state.get(key)
    return value === undefined ? undefined : bytesOf(value)
  }

  // Where the roots of child tries would be kept, nothing can be written directly.
  set(key, value) {
    if (!key.startsWith(CHILD_STORAGE)) this.#put(key, value)
  }

  #put(key, value) {
    const at = placeOf(key, this.#touched)
    if (this.#touched[at] !== key) this.#touched.splice(at, 0, key)
    this.#top.set(key, value)
  }

  append(key, item) {
    this.set(key, appended(this.get(key), item))
  }

  // The first key behind `key`.
  nextKey(key) {
    let next
    for (const [candidate] of this.#state.entries('0x', key)) {
      if (this.#changed(candidate) === null) continue
      next = candidate
      break
    }
    for (let at = placeOf(key, this.#touched); at < this.#touched.length; at++) {
      const candidate = this.#touched[at]
      if (next !== undefined && candidate >= next) break
      if (candidate !== key && this.get(candidate) !== undefined) return candidate
    }
    return next
  }

  // Removes what the task set, and of the state's own keys the first `limit`: those that are
  // removed already count. Returns how many of those there were, and whether some are left.
  clearPrefix(prefix, limit = Infinity) {
    if (CHILD_STORAGE.startsWith(prefix) || prefix.startsWith(CHILD_STORAGE)) return { count: 0, isRest: false }
    for (let at = placeOf(prefix, this.#touched); this.#touched[at]?.startsWith(prefix); at++) {
      const key = this.#touched[at]
      if (this.#changed(key)) this.#put(key, null)
    }
    let count = 0
    for (const [key] of this.#state.entries(prefix)) {
      if (count === limit) return { count, isRest: true }
      this.#put(key, null)
      count++
    }
    return { count, isRest: false }
  }

  get root() {
    return this.#state.with(this.changes()).root
  }

  start() {
    this.#layers.push(new Map())
  }

  rollback() {
    this.#needTransaction()
    this.#layers.pop()
  }

  commit() {
    this.#needTransaction()
    const layer = this.#layers.pop()
    for (const [key, value] of layer) this.#top.set(key, value)
  }

  get isInTransaction() {
    return this.#layers.length > 1
  }

  // [key, 0x hex or null] pairs, in order.
  changes() {
    const pairs = this.#touched.map((key) => [key, this.#changed(key)])
    return pairs.filter(([, value]) => value !== undefined).map(([key, value]) => [key, value && hexOf(value)])
  }

  get #top() {
    return this.#layers[this.#layers.length - 1]
  }

  #needTransaction() {
    if (!this.isInTransaction) throw new Error('the runtime ends a storage transaction that it did not start')
  }
}

// Where `key` is among `keys`, which ascend, or belongs.
function placeOf(key, keys) {
  let [first, end] = [0, keys.length]
  while (first < end) {
    const middle = (first + end) >> 1
    if (keys[middle] < key) first = middle + 1
    else end = middle
  }
  return first
}
