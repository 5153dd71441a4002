// What remains: memory, logs, off-chain data, and what other code says of itself.
import { u8aToString } from '@polkadot/util'
import { hexOf } from '../hex.mjs'

const LOG_ERROR = 0

export function otherFunctions(context) {
  const { guest } = context
  return {
    ext_allocator_malloc_version_1: (length) => guest.heap.malloc(length >>> 0),
    ext_allocator_free_version_1: (pointer) => guest.heap.free(pointer >>> 0),

    ext_logging_max_level_version_1: () => context.logLevel,
    ext_logging_log_version_1: (level, target, message) => {
      const line = [text(guest, target), text(guest, message)]
      if (level === LOG_ERROR) context.complaints.push(line.join(': '))
      if (level < context.logLevel) context.log(level, ...line)
    },
    ext_panic_handler_abort_on_panic_version_1: (message) => {
      throw new Error(text(guest, message))
    },
    ext_misc_print_num_version_1: () => {},
    ext_misc_print_utf8_version_1: () => {},
    ext_misc_print_hex_version_1: () => {},

    ext_misc_runtime_version_version_1: (code) => guest.putOption(context.versionOf(hexOf(guest.readSpan(code)))),

    // A node keeps these for whoever asks it over RPC; no block depends on them.
    ext_offchain_index_set_version_1: () => {},
    ext_offchain_index_clear_version_1: () => {},
    ext_transaction_index_index_version_1: () => {},
    ext_transaction_index_renew_version_1: () => {},
  }
}

const text = (guest, span) => u8aToString(guest.readSpan(span))
