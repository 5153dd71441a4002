// Finality trails the head by `lag` blocks, and what was finalised is never reverted.
import { RpcError } from './rpc/errors.mjs'

export class Finality {
  #listeners = new Set()

  constructor(genesis, lag) {
    this.lag = lag
    this.finalised = genesis
  }

  // Counts blocks, not heights: a chain that jumped has fewer of them.
  follow(head) {
    let candidate = head
    for (let i = 0; i < this.lag && candidate.parent; i++) candidate = candidate.parent
    if (candidate.number <= this.finalised.number) return
    this.finalised = candidate
    for (const listener of this.#listeners) listener(candidate)
  }

  // Throws when `head` does not descend from the finalised block.
  check(head) {
    let at = head
    while (at && at.number > this.finalised.number) at = at.parent
    if (at !== this.finalised) {
      throw new RpcError(
        -32000,
        `block ${head.number} (${head.hash}) does not descend from the finalised block ` +
          `${this.finalised.number}: finality is never reverted; start with a greater finality lag`,
      )
    }
  }

  subscribe(listener) {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
