// The blocks there are, which of them are canonical, and what each one's state holds.
//
// Stock chopsticks invents genesis' hash, roots and unknown blocks; here every block that is
// answered with was made here, and its header commits to its body and its state.
import { Blockchain } from '@acala-network/chopsticks-core'
import { TrieBlock } from './block.mjs'
import { EXECUTORS } from './executors.mjs'
import { Finality } from './finality.mjs'
import { decodeHeader, extrinsicsRoot, genesisHeader } from './header.mjs'
import { TrieLayer } from './storage.mjs'
import { RpcError } from './rpc/errors.mjs'
import { Trie } from './trie.mjs'

const CODE = '0x3a636f6465'
const CHILD_STORAGE = '0x3a6368696c645f73746f726167653a' // ":child_storage:"

// One block. `state` is what its header commits to; `view` is what reads show, `state` with the
// overrides that were set since. `inherited` are the parent's overrides when it was built.
class Entry {
  overrides = {}

  constructor(parent, header, extrinsics, state, { diff = {}, inherited = {} } = {}) {
    Object.assign(this, { parent, header, extrinsics, state, view: state, diff, inherited })
    this.number = header.number.toNumber()
    this.hash = header.hash.toHex()
  }

  // What a block on top of this one reads, with `changes` made before it.
  storageWith(changes) {
    const view = this.view.with(changes)
    return new TrieLayer(() => view)
  }

  override(pairs) {
    this.overrides = { ...this.overrides, ...Object.fromEntries(pairs) }
    this.view = this.view.with(pairs)
  }
}

export class Chain extends Blockchain {
  takesAnySignature = false
  #entries = new Map() // by hash, forks too
  #canonical = new Map() // by height
  #queue = Promise.resolve()

  // `executor` is a name of EXECUTORS.
  static async create(spec, { finalityLag, executor = 'v8' }) {
    const { stateVersion } = await EXECUTORS[executor].runtimeVersion(spec.code)
    const state = new Trie(stateVersion ?? 0).with(spec.storage)
    const genesis = new Entry(null, genesisHeader(state.root), [], state)
    const chain = new Chain(spec, genesis)
    chain.executor = EXECUTORS[executor]
    chain.finality = new Finality(genesis, finalityLag)
    await chain.#add(genesis)
    return chain
  }

  constructor(spec, genesis) {
    super({
      api: staticApi(spec, genesis.hash),
      buildBlockMode: 'Manual',
      inherentProviders: [],
      header: { hash: genesis.hash, number: 0 },
      processQueuedMessages: false,
      maxMemoryBlockCount: Infinity,
    })
    this.genesis = genesis
  }

  get headEntry() {
    return this.#entries.get(this.head.hash)
  }

  // Whatever changes the chain runs alone, in the order in which it was asked for.
  exclusively(change) {
    const run = this.#queue.then(change)
    this.#queue = run.catch(() => undefined)
    return run
  }

  entry(hash) {
    return hash == null ? this.headEntry : this.#entries.get(hash)
  }

  entryAt(number) {
    return this.#canonical.get(number)
  }

  async getBlock(hash) {
    return this.entry(hash)?.block
  }

  async getBlockAt(number) {
    return number == null ? this.head : this.entryAt(number)?.block
  }

  // Seals a block on top of `parent` and makes it the head. `diff` is relative to the parent's view.
  async append(parent, fields, extrinsics, diff) {
    const child = Object.keys(diff).find((key) => key.startsWith(CHILD_STORAGE))
    if (child) throw new RpcError(-32000, `the block writes a child trie (${child}): not supported`)
    const state = parent.view.with(diff)
    const header = decodeHeader({
      ...fields,
      parentHash: parent.hash,
      stateRoot: state.root,
      extrinsicsRoot: extrinsicsRoot(extrinsics),
    })
    const entry = new Entry(parent, header, extrinsics, state, {
      diff,
      inherited: parent.overrides,
    })
    await this.#add(entry)
    return entry
  }

  // Changes what the head's storage shows; the next block's state root commits to it.
  async override(pairs) {
    const entry = this.headEntry
    entry.override(pairs)
    if (pairs.some(([key]) => key === CODE)) {
      entry.block = this.#block(entry) // the old one remembers the old runtime
      await super.setHead(entry.block)
    }
  }

  // Makes another block the head. What was finalised stays.
  async moveHead(entry) {
    this.finality.check(entry)
    this.#canonical.clear()
    for (let at = entry; at; at = at.parent) this.#canonical.set(at.number, at)
    this.finality.follow(entry)
    await super.setHead(entry.block)
  }

  async #add(entry) {
    entry.block = this.#block(entry)
    this.#entries.set(entry.hash, entry)
    this.#canonical.set(entry.number, entry)
    this.finality.follow(entry)
    await super.setHead(entry.block)
  }

  makeBlock(number, hash, parent, contents) {
    return new TrieBlock(this, number, hash, parent, contents)
  }

  #block(entry) {
    const code = entry.view.get(CODE)
    const sameRuntime = entry.parent?.view.get(CODE) === code
    return this.makeBlock(entry.number, entry.hash, sameRuntime ? entry.parent.block : undefined, {
      header: entry.header,
      extrinsics: entry.extrinsics,
      storage: new TrieLayer(() => entry.view),
    })
  }
}

// What chopsticks asks its upstream node for. There is none: everything is in the specification.
function staticApi(spec, genesisHash) {
  return {
    isReady: Promise.resolve(),
    chain: Promise.resolve(spec.name),
    chainProperties: Promise.resolve(spec.properties),
    signedExtensions: {},
    getSystemChain: async () => spec.name,
    getSystemName: async () => 'ibp-devnet',
    getSystemProperties: async () => spec.properties,
    getBlockHash: async (number) => (number === 0 ? genesisHash : null),
    getHeader: async () => null,
    getBlock: async () => null,
    disconnect: async () => undefined,
  }
}
