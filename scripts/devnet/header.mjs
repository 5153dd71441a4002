// Headers as a node makes them: true hashes, roots over the real body and the real state.
import { TypeRegistry } from '@polkadot/types'
import { compactToU8a, u8aToHex } from '@polkadot/util'
import { Trie } from './trie.mjs'

const registry = new TypeRegistry() // a header's encoding depends on no runtime

export const decodeHeader = (encodedOrFields) => registry.createType('Header', encodedOrFields)

export const extrinsicsRoot = (extrinsics) =>
  new Trie(0).with(extrinsics.map((raw, index) => [u8aToHex(compactToU8a(index)), raw])).root

export const headerJson = (header) => ({
  parentHash: header.parentHash.toHex(),
  number: '0x' + header.number.toNumber().toString(16), // as a node writes it, without padding
  stateRoot: header.stateRoot.toHex(),
  extrinsicsRoot: header.extrinsicsRoot.toHex(),
  digest: { logs: header.digest.logs.map((log) => log.toHex()) },
})

export const genesisHeader = (stateRoot) =>
  decodeHeader({
    parentHash: '0x' + '00'.repeat(32),
    number: 0,
    stateRoot,
    extrinsicsRoot: extrinsicsRoot([]),
    digest: { logs: [] },
  })
