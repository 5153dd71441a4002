// JSON-RPC as a node speaks it, where chopsticks has no answer or a wrong one; the rest is stock.
import { blake2AsHex } from '@polkadot/util-crypto'
import { hexToU8a, isHex } from '@polkadot/util'
import { ResponseError, allHandlers as stock, createProof } from '@acala-network/chopsticks-core'
import { timePresets } from './time.mjs'

const MAX_BLOCKS_AT_ONCE = 10_000

export function methods(chain) {
  const context = { chain: chain.inner }
  const chosen = { ...chainMethods(chain), ...authorMethods(chain), ...stateMethods(chain), ...devMethods(chain) }
  const table = {}
  for (const [name, handler] of Object.entries(stock)) {
    if (!name.startsWith('dev_')) table[name] = (params, subscriptions) => handler(context, params, subscriptions)
  }
  Object.assign(table, chosen)
  table.rpc_methods = async () => ({ methods: Object.keys(table).sort() })
  return table
}

const json = async (block) => {
  const header = await block.header
  return {
    parentHash: header.parentHash.toHex(),
    number: header.number.toHex(),
    stateRoot: header.stateRoot.toHex(),
    extrinsicsRoot: header.extrinsicsRoot.toHex(),
    digest: { logs: header.digest.logs.map((log) => log.toHex()) },
  }
}

function chainMethods(chain) {
  const found = async (hash) => (hash ? chain.block(hash) : chain.head)
  const subscribe = (name, current) => async (_params, { subscribe }) => {
    let told
    const tell = async () => {
      const block = current()
      if (block.hash === told) return
      told = block.hash
      callback(await json(block))
    }
    const id = chain.inner.headState.subscribeHead(() => tell())
    const callback = subscribe(name, id, () => chain.inner.headState.unsubscribeHead(id))
    setImmediate(tell)
    return id
  }
  const hashAt = (number) => {
    if (number === undefined || number === null) return chain.head.hash
    return chain.at(isHex(number, undefined, true) ? Number(number) : number)?.hash ?? null
  }
  const newHeads = subscribe('chain_newHead', () => chain.head)
  return {
    chain_getBlockHash: async ([number]) => (Array.isArray(number) ? number.map(hashAt) : hashAt(number)),
    chain_getFinalizedHead: async () => chain.finalised.hash,
    chain_getHeader: async ([hash]) => {
      const block = await found(hash)
      return block ? json(block) : null
    },
    chain_getBlock: async ([hash]) => {
      const block = await found(hash)
      if (!block) return null
      return { block: { header: await json(block), extrinsics: await block.extrinsics }, justifications: null }
    },
    chain_subscribeNewHead: newHeads,
    chain_subscribeNewHeads: newHeads,
    chain_subscribeFinalizedHeads: subscribe('chain_finalizedHead', () => chain.finalised),
  }
}

function authorMethods(chain) {
  const submit = async ([extrinsic]) => {
    const validity = await chain.inner.validateExtrinsic(extrinsic)
    if (!validity.isOk) throw new ResponseError(1010, 'Invalid Transaction', validity.asErr.toString())
    chain.pool.push(extrinsic)
    return blake2AsHex(extrinsic, 256)
  }
  return {
    author_submitExtrinsic: submit,
    author_pendingExtrinsics: async () => [...chain.pool],
    // counts what waits in the pool, as a node's pool does
    system_accountNextIndex: async ([address]) => {
      const registry = await chain.head.registry
      const account = registry.createType('AccountId', address).toHex()
      const waiting = chain.pool.filter((raw) => {
        const { isSigned, signer } = registry.createType('GenericExtrinsic', raw)
        return isSigned && registry.createType('AccountId', signer.toString()).toHex() === account
      })
      const stored = await stock.system_accountNextIndex({ chain: chain.inner }, [address])
      return stored + waiting.length
    },
  }
}

function stateMethods(chain) {
  const known = async (hash) => {
    const block = hash ? await chain.block(hash) : chain.head
    if (!block) throw new ResponseError(4003, `UnknownBlock: ${hash}`)
    return block
  }
  return {
    // every node of the trie: a proof of any key, and of its absence
    state_getReadProof: async ([keys, hash]) => {
      const block = await known(hash)
      const entries = [...(await chain.stateOf(block))]
      if (chain.genesis.stateVersion !== 0) throw new ResponseError(-32000, 'proofs are made in state version 0 only')
      const { nodes } = await createProof([], entries)
      const code = keys.includes('0x3a636f6465')
      return { at: block.hash, proof: code ? nodes : nodes.filter((node) => node.length < 200_000) }
    },
    payment_queryInfo: async ([extrinsic, hash]) => {
      const block = await known(hash)
      const length = new Uint8Array(new Uint32Array([hexToU8a(extrinsic).length]).buffer)
      const { result } = await block.call('TransactionPaymentApi_query_info', [extrinsic, '0x' + Buffer.from(length).toString('hex')])
      const [refTime, proofSize, kind, fee] = (await block.registry).createType('(Compact<u64>, Compact<u64>, u8, u128)', hexToU8a(result))
      return {
        weight: { ref_time: Number(refTime.toString()), proof_size: Number(proofSize.toString()) },
        class: ['normal', 'operational', 'mandatory'][kind.toNumber()],
        partialFee: fee.toString(),
      }
    },
  }
}

function devMethods(chain) {
  return {
    // {count, to}: `count` blocks, or one whose height is `to`, the ones between being skipped
    dev_newBlock: ([{ count = 1, to } = {}]) =>
      chain.inTurn(async () => {
        if (!Number.isInteger(count) || count < 1 || count > MAX_BLOCKS_AT_ONCE) throw new ResponseError(-32602, `count is ${count}`)
        for (let built = 0; built < count; built += 1) await chain.build(built ? undefined : to)
        return chain.head.hash
      }),
    // the next block's own time, ms since 1970
    dev_timeTravel: ([timestamp]) => chain.inTurn(async () => chain.preset(await timePresets(chain, timestamp)) ?? timestamp),
    // [[raw key, raw value or null]]: the next block brings them
    dev_setStorage: ([pairs]) =>
      chain.inTurn(async () => {
        const raw = (value) => isHex(value)
        if (!Array.isArray(pairs) || !pairs.every(([key, value]) => raw(key) && (value === null || raw(value)))) {
          throw new ResponseError(-32602, 'a list of [raw key, raw value or null] in hex is expected')
        }
        chain.preset(Object.fromEntries(pairs))
        return null
      }),
    // takes the newest blocks back; finalised ones never
    dev_reorg: ([depth]) =>
      chain.inTurn(async () => {
        await chain.reorganise(depth)
        return chain.head.hash
      }),
    dev_dropped: async () => chain.dropped,
  }
}
