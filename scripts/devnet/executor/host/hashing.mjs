// ext_hashing_* and ext_trie_*: hashes, and roots of lists that are in no storage.
import { compactFromU8aLim, compactToU8a } from '@polkadot/util'
import { blake2b, keccak256, keccak512, sha256, twox, waitReady } from '@polkadot/wasm-crypto'
import { Trie } from '../../trie.mjs'
import { bytesOf, hexOf } from '../hex.mjs'

await waitReady()

const NO_KEY = new Uint8Array()

export function hashingFunctions({ guest }) {
  const hashed = (hash) => (data) => guest.put(hash(guest.readSpan(data)))
  const blake2 = (length) => hashed((bytes) => blake2b(bytes, NO_KEY, length))
  const twoxOf = (rounds) => hashed((bytes) => twox(bytes, rounds))
  const rootOf = (entriesOf) => (data, version) =>
    guest.put(bytesOf(new Trie(version).with(entriesOf(vectorOfBytes(guest.readSpan(data)))).root))

  return {
    ext_hashing_blake2_128_version_1: blake2(16),
    ext_hashing_blake2_256_version_1: blake2(32),
    ext_hashing_keccak_256_version_1: hashed(keccak256),
    ext_hashing_keccak_512_version_1: hashed(keccak512),
    ext_hashing_sha2_256_version_1: hashed(sha256),
    ext_hashing_twox_64_version_1: twoxOf(1),
    ext_hashing_twox_128_version_1: twoxOf(2),
    ext_hashing_twox_256_version_1: twoxOf(4),
    ext_trie_blake2_256_ordered_root_version_1: (data) => rootOf(numbered)(data, 0),
    ext_trie_blake2_256_ordered_root_version_2: rootOf(numbered),
  }
}

const numbered = (values) => values.map((value, index) => [hexOf(compactToU8a(index)), hexOf(value)])

// SCALE's Vec<Vec<u8>>.
function vectorOfBytes(bytes) {
  let [at, left] = compactFromU8aLim(bytes)
  const values = []
  for (; left > 0; left--) {
    const [prefix, length] = compactFromU8aLim(bytes.subarray(at))
    values.push(bytes.subarray(at + prefix, at + prefix + length))
    at += prefix + length
  }
  return values
}
