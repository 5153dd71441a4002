// The chain's clock: `Timestamp.Now` and, in step with it, `Babe.CurrentSlot`.
//
// A block's time is its parent's and one slot; these are storage changes that move the parent's.
// Differs from chopsticks, which also rewrites `Babe.EpochIndex`: the runtime itself counts skipped
// epochs, and changes sessions when one is over.
import { compactHex, getSlotDuration } from '@acala-network/chopsticks-core'
import { u8aToHex } from '@polkadot/util'
import { invalidParams } from './rpc/errors.mjs'

export async function clock(block) {
  const meta = await block.meta
  const now = await block.read('u64', meta.query.timestamp.now)
  return {
    now: now?.toNumber() ?? 0, // genesis knows no time
    slotDuration: await getSlotDuration(block),
  }
}

// Storage changes after which the next block is stamped `timestamp` and one slot.
export async function changesForTime(block, timestamp) {
  const { now, slotDuration } = await clock(block)
  if (!Number.isSafeInteger(timestamp) || timestamp < 0) {
    throw invalidParams(`${timestamp} is no time in milliseconds since 1970, nor a date`)
  }
  if (timestamp < now) {
    throw invalidParams(`the chain's clock is at ${now} ms; it cannot go back to ${timestamp} ms`)
  }
  const meta = await block.meta
  const encode = (type, value) => u8aToHex(meta.registry.createType(type, value).toU8a())
  const changes = [[storageKey(meta.query.timestamp.now), encode('u64', timestamp)]]
  const slot = Math.floor(timestamp / slotDuration)
  for (const pallet of ['babe', 'aura']) {
    const entry = meta.query[pallet]?.currentSlot
    if (entry) changes.push([storageKey(entry), encode('u64', slot)])
  }
  return changes
}

// Storage changes that let `slots` slots pass without a block.
export async function changesForSlots(block, slots) {
  const { now, slotDuration } = await clock(block)
  return changesForTime(block, now + slots * slotDuration)
}

// Storage changes after which the runtime expects block `number`.
export async function changesForHeight(block, number) {
  const meta = await block.meta
  const value = meta.registry.createType('u32', number - 1).toU8a()
  return [[storageKey(meta.query.system.number), u8aToHex(value)]]
}

const storageKey = (entry) => compactHex(entry())
