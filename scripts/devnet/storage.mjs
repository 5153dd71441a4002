// What chopsticks reads a block's storage through: a layer over the block's trie.

export class TrieLayer {
  // `view` is a function, since what a head shows can be overridden after it was built.
  #view

  constructor(view) {
    this.#view = view
  }

  get view() {
    return this.#view()
  }

  deleted() {
    return false
  }

  async get(key) {
    return this.#view().get(key)
  }

  async getMany(keys) {
    return keys.map((key) => this.#view().get(key))
  }

  async findNextKey(prefix, startKey) {
    for (const [key] of this.#view().entries(prefix, startKey)) return key
    return undefined
  }

  async getKeysPaged(prefix, pageSize, startKey) {
    const keys = []
    const after = startKey && startKey !== '0x' ? startKey : prefix
    for (const [key] of this.#view().entries(prefix, after)) {
      if (keys.push(key) >= pageSize) break
    }
    return keys
  }

  async mergeInto() {} // nothing here was changed by this block's own layers
}
