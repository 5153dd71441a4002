// ext_storage_append: one more item at the end of a SCALE vector, whose items nobody decodes.
import { compactFromU8a, compactToU8a, u8aConcat } from '@polkadot/util'

const ONE = compactToU8a(1)
const MAX_COUNT = 2 ** 32 - 1

// `vector` with `item`; `item` alone where there is no vector, or one that does not start with a
// length.
export function appended(vector, item) {
  const head = vector && readLength(vector)
  if (!head || head.count >= MAX_COUNT) return u8aConcat(ONE, item)
  const [length, count] = [head.length, compactToU8a(head.count + 1)]
  return u8aConcat(count, vector.subarray(length), item)
}

// A compact u32 as SCALE decodes it, which refuses a longer encoding than is needed.
function readLength(vector) {
  if (vector.length === 0) return null
  const needed = [1, 2, 4, 5][vector[0] & 3]
  if (vector.length < needed || (needed === 5 && vector[0] !== 3)) return null
  const [length, value] = compactFromU8a(vector)
  const count = Number(value.toString())
  return compactToU8a(count).length === needed ? { length, count } : null
}
