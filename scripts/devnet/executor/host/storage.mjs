// ext_storage_* and ext_default_child_storage_*: the state, with what this task changed in it.
//
// This chain has no child tries: what asks for one finds it empty, what writes one fails.
import { bytesOf, hexOf } from '../hex.mjs'
import { none, some } from '../guest.mjs'

const ALL_REMOVED = 0
const SOME_REMAINING = 1

export function storageFunctions(context) {
  const { guest } = context
  const key = (span) => hexOf(guest.readSpan(span))
  // Of the state version that the chain began with, whichever the runtime asks for.
  const root = () => guest.putSpan(bytesOf(context.overlay.root))
  const removed = ({ count, isRest }) => {
    const result = new Uint8Array(5)
    result[0] = isRest ? SOME_REMAINING : ALL_REMOVED
    new DataView(result.buffer).setUint32(1, count, true)
    return guest.putSpan(result)
  }
  const noChildTries = () => {
    throw new Error('the runtime writes a child trie: not supported')
  }

  return {
    ext_storage_get_version_1: (name) => guest.putOption(context.overlay.get(key(name))),
    ext_storage_read_version_1: (name, out, offset) => {
      const value = context.overlay.get(key(name))
      if (value === undefined) return guest.putSpan(none)
      const rest = value.subarray(Math.min(offset >>> 0, value.length))
      guest.writeInto(out, rest)
      return guest.putSpan(some(u32(rest.length)))
    },
    ext_storage_set_version_1: (name, value) => context.overlay.set(key(name), guest.readSpan(value)),
    ext_storage_clear_version_1: (name) => context.overlay.set(key(name), null),
    ext_storage_exists_version_1: (name) => Number(context.overlay.get(key(name)) !== undefined),
    ext_storage_append_version_1: (name, item) => context.overlay.append(key(name), guest.readSpan(item)),
    ext_storage_next_key_version_1: (name) => {
      const next = context.overlay.nextKey(key(name))
      return guest.putOption(next === undefined ? undefined : bytesOf(next))
    },
    ext_storage_clear_prefix_version_1: (prefix) => void context.overlay.clearPrefix(key(prefix)),
    ext_storage_clear_prefix_version_2: (prefix, limit) =>
      removed(context.overlay.clearPrefix(key(prefix), optionalU32(guest.readSpan(limit)))),
    ext_storage_root_version_1: root,
    ext_storage_root_version_2: root,
    ext_storage_start_transaction_version_1: () => context.overlay.start(),
    ext_storage_rollback_transaction_version_1: () => context.overlay.rollback(),
    ext_storage_commit_transaction_version_1: () => context.overlay.commit(),

    ext_default_child_storage_get_version_1: () => guest.putOption(undefined),
    ext_default_child_storage_read_version_1: () => guest.putSpan(none),
    ext_default_child_storage_exists_version_1: () => 0,
    ext_default_child_storage_next_key_version_1: () => guest.putOption(undefined),
    ext_default_child_storage_set_version_1: noChildTries,
    ext_default_child_storage_clear_version_1: () => {},
    ext_default_child_storage_clear_prefix_version_1: () => {},
    ext_default_child_storage_clear_prefix_version_2: () => removed({ count: 0, isRest: false }),
    ext_default_child_storage_storage_kill_version_1: () => {},
    ext_default_child_storage_storage_kill_version_2: () => 1,
    ext_default_child_storage_storage_kill_version_3: () => removed({ count: 0, isRest: false }),
  }
}

const u32 = (value) => new Uint8Array(new Uint32Array([value]).buffer)

function optionalU32(bytes) {
  if (bytes[0] === 0) return Infinity
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(1, true)
}
