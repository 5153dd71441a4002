// A block as chopsticks has it, whose state is a trie and whose runtime the chain's executor runs.
import { Block } from '@acala-network/chopsticks-core'
import { TrieLayer } from './storage.mjs'

export class TrieBlock extends Block {
  #storage
  #runtimeVersion

  // `storage` is a TrieLayer.
  constructor(chain, number, hash, parent, { storage, ...rest }) {
    super(chain, number, hash, parent, { storage, ...rest })
    this.#storage = storage
    this.#runtimeVersion = parent?.runtimeVersion // none is given where the code is another
  }

  get storage() {
    return this.#storage
  }

  pushStorageLayer() {
    const setAll = (changes) => {
      const view = this.#storage.view.with(changes)
      this.#storage = new TrieLayer(() => view)
    }
    return { setAll }
  }

  get runtimeVersion() {
    return (this.#runtimeVersion ??= this.wasm.then((code) => this.chain.executor.runtimeVersion(code)))
  }

  async call(method, args) {
    const response = await this.chain.executor.run(this, [[method, args]])
    if (!response.Call) throw new Error(response.Error)
    return response.Call
  }
}
