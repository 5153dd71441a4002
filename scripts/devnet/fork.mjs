// A fork of somebody else's chain, in memory: blocks on top of one of its blocks, with its state
// read as the runtime asks for it. Signatures are not checked. See docs/simulation.md.
//
// Speaks lines of JSON on stdin and stdout: answers {id, method, params} with {id, result} or
// {id, error}, and asks {ask, method, params} of the node that is forked, to be answered with
// {ask, result}: who cannot, ends this program. There is no network here. Ends when stdin closes.
import { createInterface } from 'node:readline'
import { Api, Block, Blockchain, defaultLogger } from '@acala-network/chopsticks-core'
import { buildBlock } from './builder.mjs'
import { EXECUTORS } from './executors.mjs'
import { decodeHeader, extrinsicsRoot } from './header.mjs'

const NO_ROOT = '0x' + '00'.repeat(32)

const tell = (message) => process.stdout.write(JSON.stringify(message) + '\n')

// What chopsticks asks a node with; whoever started this program asks the node for us.
class Asker {
  isReady = Promise.resolve()
  hasSubscriptions = false
  #asked = new Map()
  #last = 0

  send(method, params) {
    const ask = ++this.#last
    tell({ ask, method, params })
    return new Promise((resolve) => this.#asked.set(ask, resolve))
  }

  answered({ ask, result }) {
    this.#asked.get(ask)(result)
    this.#asked.delete(ask)
  }

  async disconnect() {}
}

// Storage is asked for once: a block's state does not change, and its runtime is megabytes.
class Upstream extends Api {
  #known = new Map()

  getStorage(key, hash) {
    const name = `${hash} ${key}`
    if (!this.#known.has(name)) this.#known.set(name, super.getStorage(key, hash))
    return this.#known.get(name)
  }
}

// The block that is forked. The node says what its runtime is: to find out here, the runtime would
// have to be compiled twice more.
class Head extends Block {
  #runtimeVersion
  #metadata

  get runtimeVersion() {
    return (this.#runtimeVersion ??= this.chain.api.send('state_getRuntimeVersion', [this.hash]))
  }

  get metadata() {
    return (this.#metadata ??= this.chain.api.send('state_getMetadata', [this.hash]))
  }
}

class Entry {
  constructor(block, header, extrinsics) {
    Object.assign(this, { block, header, extrinsics, number: block.number, hash: block.hash })
  }

  storageWith(changes) {
    if (changes.length > 0) throw new Error('a fork does not skip heights or time')
    return this.block.storage
  }
}

class Fork extends Blockchain {
  executor = EXECUTORS.chopsticks
  takesAnySignature = true

  static async at(api, hash) {
    const json = await api.getHeader(hash)
    if (!json) throw new Error(`the node has no block ${hash}`)
    const header = decodeHeader(json)
    if (header.hash.toHex() !== hash) throw new Error(`the node sent another header for ${hash}`)
    const fork = new Fork({
      api,
      buildBlockMode: 'Manual',
      inherentProviders: [],
      header: { hash, number: header.number.toNumber() },
      processQueuedMessages: false,
      maxMemoryBlockCount: Infinity,
    })
    const head = new Head(fork, header.number.toNumber(), hash, undefined, { header })
    await fork.setHead(head)
    fork.headEntry = new Entry(head, header, undefined)
    return fork
  }

  makeBlock(number, hash, parent, contents) {
    return new Block(this, number, hash, parent, contents)
  }

  // The state root of a lazily read state cannot be known: zeros stand for it.
  async append(parent, fields, extrinsics, diff) {
    const roots = { parentHash: parent.hash, stateRoot: NO_ROOT, extrinsicsRoot: extrinsicsRoot(extrinsics) }
    const header = decodeHeader({ ...fields, ...roots })
    const block = new Block(this, header.number.toNumber(), header.hash.toHex(), parent.block, {
      header,
      extrinsics,
      storage: parent.block.storage,
      storageDiff: diff,
    })
    await this.setHead(block)
    this.headEntry = new Entry(block, header, extrinsics)
    return this.headEntry
  }
}

const asker = new Asker()
const api = new Upstream(asker)
let fork

const methods = {
  // Forks the chain anew at a block.
  async open([hash]) {
    fork = await Fork.at(api, hash)
    return fork.headEntry.number
  },

  // Of the fork's head.
  async storage([keys]) {
    const values = []
    for (const key of keys) values.push((await fork.head.get(key)) ?? null)
    return values
  },

  // One block with one extrinsic, or without it, where the runtime refuses it: `refused` says why,
  // and `full` whether only this block has no room for it.
  async build([raw]) {
    const { entry, refused } = await buildBlock(fork, [raw])
    const [, error] = refused[0] ?? []
    return {
      number: entry.number,
      hash: entry.hash,
      index: error === undefined ? entry.extrinsics.length - 1 : null,
      refused: error === undefined ? null : String(error),
      full: Boolean(error?.isInvalid && error.asInvalid.isExhaustsResources),
    }
  },
}

async function answer({ id, method, params }) {
  try {
    tell({ id, result: await methods[method](params) })
  } catch (error) {
    tell({ id, error: error?.message ?? String(error) })
  }
}

defaultLogger.level = 'silent'
createInterface({ input: process.stdin })
  .on('line', (line) => {
    const message = JSON.parse(line)
    if (message.ask === undefined) answer(message)
    else asker.answered(message)
  })
  .on('close', () => process.exit(0))
