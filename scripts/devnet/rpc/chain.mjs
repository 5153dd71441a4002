// chain_*: blocks, the finalised head, and news of both.
import { headerJson } from '../header.mjs'

export function chainMethods({ chain }) {
  const header = async ([hash]) => {
    const entry = chain.entry(hash)
    return entry ? headerJson(entry.header) : null
  }
  const hashAt = (number) =>
    number == null ? chain.head.hash : (chain.entryAt(Number(number))?.hash ?? null)
  const getBlockHash = async ([numbers]) => (Array.isArray(numbers) ? numbers.map(hashAt) : hashAt(numbers))

  const subscribeNewHeads = async (_params, { subscribe }) => {
    const id = chain.headState.subscribeHead((head) => send(headerJson(chain.entry(head.hash).header)))
    const send = subscribe('chain_newHead', id, () => chain.headState.unsubscribeHead(id))
    send.soon(() => headerJson(chain.headEntry.header))
    return id
  }
  const subscribeFinalizedHeads = async (_params, { subscribe, newId }) => {
    const id = newId()
    const stop = chain.finality.subscribe((entry) => send(headerJson(entry.header)))
    const send = subscribe('chain_finalizedHead', id, stop)
    send.soon(() => headerJson(chain.finality.finalised.header))
    return id
  }
  const unsubscribe = async ([id], subscriptions) => subscriptions.unsubscribe(id)

  return {
    chain_getHeader: header,
    chain_getBlock: async ([hash]) => {
      const entry = chain.entry(hash)
      if (!entry) return null
      return {
        block: { header: headerJson(entry.header), extrinsics: entry.extrinsics },
        justifications: null,
      }
    },
    chain_getBlockHash: getBlockHash,
    chain_getHead: getBlockHash,
    chain_getFinalizedHead: async () => chain.finality.finalised.hash,
    chain_subscribeNewHead: subscribeNewHeads,
    chain_subscribeNewHeads: subscribeNewHeads,
    chain_subscribeAllHeads: subscribeNewHeads,
    chain_subscribeFinalizedHeads: subscribeFinalizedHeads,
    chain_unsubscribeNewHead: unsubscribe,
    chain_unsubscribeNewHeads: unsubscribe,
    chain_unsubscribeAllHeads: unsubscribe,
    chain_unsubscribeFinalizedHeads: unsubscribe,
  }
}
