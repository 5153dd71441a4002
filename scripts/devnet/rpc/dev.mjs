// dev_*: make blocks, let time pass, override storage, fork, save.
import { calculateStateRoot, setStorage } from '@acala-network/chopsticks-core'
import { reorg, setHead } from '../reorg.mjs'
import { save } from '../snapshot.mjs'
import { changesForTime } from '../time.mjs'
import { invalidParams } from './errors.mjs'
import { hexKey } from './state.mjs'

const MAX_BLOCKS = 100_000
const MODES_BY_STOCK_NUMBER = { 1: 'Batch', 2: 'Instant', 3: 'Manual' }

export function devMethods({ chain, pool }) {
  const exclusively = (change) => (params) => chain.exclusively(() => change(params))

  const newBlock = async ([options = {}]) => {
    const { to, transactions, unsafeBlockHeight } = options ?? {}
    const count = Math.max(to ? to - chain.head.number : (options?.count ?? 1), 1)
    if (!(count <= MAX_BLOCKS)) throw invalidParams(`${count} blocks at once are too many`)
    let entry
    for (let i = 0; i < count; i++) {
      entry = await pool.build({ transactions, height: i === 0 ? unsafeBlockHeight : undefined })
    }
    return entry.hash
  }

  // One block per list of extrinsics; what waits in the pool goes into the first.
  const fastBlocks = async ([blocks, options = {}]) => {
    if (!Array.isArray(blocks) || !blocks.every(Array.isArray)) throw invalidParams('expected lists of extrinsics')
    const hashes = []
    for (const [i, transactions] of blocks.entries()) {
      const taken = [...(i === 0 ? pool.takeAll() : []), ...transactions]
      const height = i === 0 ? options?.unsafeBlockHeight : undefined
      hashes.push((await pool.build({ transactions: taken, height })).hash)
    }
    return hashes
  }

  return {
    dev_newBlock: exclusively(newBlock),
    dev_fastBlocks: exclusively(fastBlocks),
    dev_setBlockBuildMode: async ([mode]) => {
      pool.mode = MODES_BY_STOCK_NUMBER[mode] ?? mode
      return null
    },
    dev_setStorage: exclusively(async ([values, hash]) => {
      if (hash != null && hash !== chain.head.hash) throw invalidParams("only the head's storage can be set")
      await chain.override(await storageChanges(chain, values))
      return chain.head.hash
    }),
    dev_timeTravel: exclusively(async ([date]) => {
      const timestamp = typeof date === 'string' ? Date.parse(date) : date
      await chain.override(await changesForTime(chain.head, timestamp))
      return timestamp
    }),
    dev_setHead: exclusively(async ([target]) => (await setHead(chain, target)).hash),
    dev_reorg: exclusively(async ([options]) => {
      const head = await reorg(chain, pool, typeof options === 'number' ? { depth: options } : { ...options })
      return head.hash
    }),
    dev_save: exclusively(async ([path]) => {
      if (typeof path !== 'string' || path === '') throw invalidParams('dev_save takes the path of a file')
      return save(chain, path)
    }),
    dev_dropped: async () => pool.dropped,
    // The head's state root once more, by the executor's own trie.
    dev_checkState: exclusively(async () => {
      const { state, header, overrides } = chain.headEntry
      const entries = [...state.entries()]
      const root = await calculateStateRoot(entries, state.version)
      return {
        entries: entries.length,
        overrides: Object.keys(overrides).length,
        stateRoot: root,
        matches: root === header.stateRoot.toHex(),
      }
    }),
  }
}

// [key, value] pairs, or chopsticks' `{Pallet: {Item: ...}}` form, which it encodes for us.
async function storageChanges(chain, values) {
  if (Array.isArray(values)) {
    return values.map(([key, value]) => [hexKey(key), value === null ? null : hexKey(value)])
  }
  if (values === null || typeof values !== 'object') throw invalidParams('expected pairs or an object of pallets')
  const changes = []
  const collector = { hash: chain.head.hash, meta: chain.head.meta, pushStorageLayer: () => ({ setAll }) }
  const setAll = (items) => changes.push(...items)
  await setStorage({ getBlock: async () => collector }, values).catch((error) => {
    throw invalidParams(error.message)
  })
  return changes.flatMap(([key, value]) =>
    value === 'DeletedPrefix' ? [...chain.headEntry.view.entries(key)].map(([k]) => [k, null]) : [[key, value]],
  )
}
