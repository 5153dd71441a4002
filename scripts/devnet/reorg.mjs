// Forks: abandon the last blocks for others, or move the head to any unfinalised block.
import { invalidParams, RpcError } from './rpc/errors.mjs'

// Replaces the last `depth` blocks with `blocks` others; the fork's first block is authored a slot
// later, which makes every hash differ. The abandoned blocks' signed extrinsics are gone, or wait
// again with `resubmit`. Returns the new head.
export async function reorg(chain, pool, { depth, blocks = depth + 1, resubmit = false }) {
  if (!Number.isSafeInteger(depth) || depth < 1) throw invalidParams(`a reorg's depth is 1 or more, not ${depth}`)
  if (!Number.isSafeInteger(blocks) || blocks < 1) throw invalidParams(`a fork has 1 block or more, not ${blocks}`)
  const abandoned = []
  let fork = chain.headEntry
  for (let i = 0; i < depth; i++) {
    if (!fork.parent) throw new RpcError(-32000, `the chain has fewer than ${depth} blocks`)
    abandoned.unshift(fork)
    fork = fork.parent
  }
  await chain.moveHead(fork)
  if (resubmit) pool.requeue(await signedExtrinsics(abandoned))
  let head
  for (let i = 0; i < blocks; i++) {
    const transactions = resubmit ? undefined : []
    head = await pool.build({ transactions, skipSlots: i === 0 ? 1 : 0 })
  }
  return head
}

async function signedExtrinsics(entries) {
  const signed = []
  for (const { block, extrinsics } of entries) {
    const registry = await block.registry
    signed.push(...extrinsics.filter((raw) => registry.createType('GenericExtrinsic', raw).isSigned))
  }
  return signed
}

// Makes the block with a hash, or at a height (negative: that far back), the head.
export async function setHead(chain, target) {
  const number = target < 0 ? chain.head.number + target : target
  const entry = typeof target === 'number' ? chain.entryAt(number) : target && chain.entry(target)
  if (!entry) throw new RpcError(-32000, `there is no block ${target} to be the head`)
  await chain.moveHead(entry)
  return entry
}
