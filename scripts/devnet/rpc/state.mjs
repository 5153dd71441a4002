// state_* and payment_*: storage, proofs and the runtime's own answers, at any block that was made.
import { hexToU8a, u8aToHex } from '@polkadot/util'
import { invalidParams, unknownBlock } from './errors.mjs'

const MAX_PAGE = 1_000

export function stateMethods({ chain }) {
  const at = (hash) => {
    const entry = chain.entry(hash)
    if (!entry) throw unknownBlock(hash)
    return entry
  }
  const getStorage = async ([key, hash]) => at(hash).view.get(hexKey(key)) ?? null
  const getKeysPaged = async ([prefix, size, start, hash]) => {
    if (!(size > 0 && size <= MAX_PAGE)) throw invalidParams(`a page has 1 to ${MAX_PAGE} keys, not ${size}`)
    const keys = []
    for (const [key] of at(hash).view.entries(hexKey(prefix ?? '0x'), hexKey(start ?? '0x'))) {
      if (keys.push(key) >= size) break
    }
    return keys
  }
  const queryStorageAt = async ([keys, hash]) => {
    const { view, hash: block } = at(hash)
    return [{ block, changes: hexKeys(keys).map((key) => [key, view.get(key) ?? null]) }]
  }
  const runtimeCall = async (method, data, hash) => (await at(hash).block.call(method, [data])).result
  // What a runtime says of itself follows from its code alone, and takes as long as a block does.
  const ofCode = new Map()
  const saidOnce = async (hash, name, ask) => {
    const { block } = at(hash)
    const code = await block.wasm
    if (!ofCode.has(code)) ofCode.set(code, new Map())
    const said = ofCode.get(code)
    if (!said.has(name)) said.set(name, await ask(block))
    return said.get(name)
  }

  return {
    state_getStorage: getStorage,
    state_getStorageAt: getStorage,
    state_getStorageSize: async (params) => {
      const value = await getStorage(params)
      return value === null ? null : value.length / 2 - 1
    },
    state_getStorageHash: async ([key, hash]) => {
      const { blake2AsHex } = await import('@polkadot/util-crypto')
      const value = await getStorage([key, hash])
      return value === null ? null : blake2AsHex(value, 256)
    },
    state_getKeysPaged: getKeysPaged,
    state_getKeysPagedAt: getKeysPaged,
    state_queryStorageAt: queryStorageAt,
    // Against the header's state root, so without the overrides that were set on this block since.
    state_getReadProof: async ([keys, hash]) => {
      const entry = at(hash)
      return { at: entry.hash, proof: entry.state.proof(hexKeys(keys)) }
    },
    state_getRuntimeVersion: ([hash]) => saidOnce(hash, 'version', (block) => block.runtimeVersion),
    state_getMetadata: ([hash]) => saidOnce(hash, 'metadata', (block) => block.metadata),
    state_call: async ([method, data, hash]) => {
      if (typeof method !== 'string') throw invalidParams('state_call takes a method, 0x hex and a block hash')
      const ask = () => runtimeCall(method, hexKey(data), hash)
      return method.startsWith('Metadata_') ? saidOnce(hash, method + data, ask) : ask()
    },
    payment_queryInfo: async ([extrinsic, hash]) => {
      const length = hexToU8a(hexKey(extrinsic)).length
      const data = extrinsic + u8aToHex(new Uint8Array(new Uint32Array([length]).buffer), -1, false)
      const registry = await at(hash).block.registry
      const raw = await runtimeCall('TransactionPaymentApi_query_info', data, hash)
      const [refTime, proofSize, kind, fee] = registry.createType(
        '(Compact<u64>, Compact<u64>, u8, u128)',
        hexToU8a(raw),
      )
      return {
        weight: { ref_time: Number(refTime.toString()), proof_size: Number(proofSize.toString()) },
        class: ['normal', 'operational', 'mandatory'][kind.toNumber()],
        partialFee: fee.toString(),
      }
    },
  }
}

export function hexKey(text) {
  if (typeof text !== 'string' || !/^0x([0-9a-f]{2})*$/i.test(text)) {
    throw invalidParams(`${JSON.stringify(text) ?? 'nothing'} is no 0x hex`)
  }
  return text
}

function hexKeys(keys) {
  if (!Array.isArray(keys)) throw invalidParams('expected a list of storage keys')
  return keys.map(hexKey)
}
