// author_* and the pool's part of system_*: submit, watch, next nonce.
import { compactHex } from '@acala-network/chopsticks-core'
import { hexToU8a } from '@polkadot/util'
import { invalidParams } from './errors.mjs'

const NONCE_BYTES = 4 // `AccountInfo` begins with its nonce

export function authorMethods({ chain, pool }) {
  const submitAndWatch = async ([raw], { subscribe, unsubscribe, newId }) => {
    if (typeof raw !== 'string') throw invalidParams('an extrinsic is 0x hex')
    const extrinsic = raw.toLowerCase()
    const id = newId()
    const stops = []
    const send = subscribe('author_extrinsicUpdate', id, () => stops.forEach((stop) => stop()))
    const finish = (status) => {
      send(status)
      unsubscribe(id)
    }
    stops.push(
      pool.watch(extrinsic, (status) => {
        if (!status.inBlock) return finish(status)
        send(status)
        const included = chain.entry(status.inBlock)
        const finalise = (entry) => {
          if (isAncestor(included, entry)) finish({ finalized: included.hash })
        }
        stops.push(chain.finality.subscribe(finalise))
        finalise(chain.finality.finalised)
      }),
    )
    try {
      await pool.submit(extrinsic)
      send.soon(() => 'ready')
    } catch (error) {
      unsubscribe(id)
      throw error
    }
    return id
  }

  return {
    author_submitExtrinsic: async ([raw]) => pool.submit(raw),
    author_submitAndWatchExtrinsic: submitAndWatch,
    author_unwatchExtrinsic: async ([id], subscriptions) => subscriptions.unsubscribe(id),
    author_pendingExtrinsics: async () => pool.pending,
    // Counts what waits in the pool too.
    system_accountNextIndex: async ([address]) => {
      const [registry, meta] = await Promise.all([chain.head.registry, chain.head.meta])
      const account = accountOf(registry, address)
      const info = await chain.head.get(compactHex(meta.query.system.account(account)))
      const used = info ? registry.createType('u32', hexToU8a(info).subarray(0, NONCE_BYTES)).toNumber() : 0
      return used + pool.count((raw) => signerOf(registry, raw) === account)
    },
  }
}

function isAncestor(entry, descendant) {
  let at = descendant
  while (at && at.number > entry.number) at = at.parent
  return at === entry
}

function accountOf(registry, address) {
  try {
    return registry.createType('AccountId', address).toHex()
  } catch (error) {
    throw invalidParams(`no account: ${error.message}`)
  }
}

function signerOf(registry, raw) {
  const extrinsic = registry.createType('GenericExtrinsic', raw)
  return extrinsic.isSigned ? registry.createType('AccountId', extrinsic.signer.toString()).toHex() : null
}
