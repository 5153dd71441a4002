// Extrinsics that wait for a block, and when blocks are made of them.
import { blake2AsHex } from '@polkadot/util-crypto'
import { buildBlock } from './builder.mjs'
import { invalidParams, RpcError } from './rpc/errors.mjs'

export const MODES = ['Manual', 'Instant', 'Batch']
const BATCH_MS = 100

export class Pool {
  dropped = [] // [raw, the runtime's reason], oldest first
  #waiting = []
  #watchers = new Map() // raw to a Set of listeners
  #timer

  constructor(chain, mode) {
    this.chain = chain
    this.mode = mode
  }

  get pending() {
    return [...this.#waiting]
  }

  set mode(mode) {
    if (!MODES.includes(mode)) throw invalidParams(`unknown build mode ${mode}; known: ${MODES.join(', ')}`)
    this.buildMode = mode
  }

  // The extrinsic's hash. Throws the runtime's reason when it is not valid.
  async submit(raw) {
    if (typeof raw !== 'string' || !/^0x([0-9a-f]{2})+$/i.test(raw)) throw invalidParams('an extrinsic is 0x hex')
    const extrinsic = raw.toLowerCase()
    if (this.#waiting.includes(extrinsic)) throw new RpcError(1013, 'Transaction is already imported')
    const validity = await this.chain.validateExtrinsic(extrinsic)
    if (!validity.isOk) throw refusal(validity.asErr)
    this.#waiting.push(extrinsic)
    this.#schedule()
    return blake2AsHex(extrinsic, 256)
  }

  // How many wait that `isOurs` says are signed by an account, for its next nonce.
  count(isOurs) {
    return this.#waiting.filter(isOurs).length
  }

  takeAll() {
    return this.#waiting.splice(0)
  }

  requeue(extrinsics) {
    this.#waiting.unshift(...extrinsics.filter((raw) => !this.#waiting.includes(raw)))
  }

  // One block of `transactions`, or of all that wait. Runs inside `chain.exclusively`.
  async build({ transactions, ...options } = {}) {
    const taken = transactions ? [...new Set(transactions)] : this.takeAll()
    let built
    try {
      built = await buildBlock(this.chain, taken, options)
    } catch (error) {
      if (!transactions) this.#waiting.unshift(...taken)
      throw error
    }
    for (const [raw, error] of built.refused) this.#refuse(raw, error)
    for (const raw of built.applied) this.#tell(raw, { inBlock: built.entry.hash })
    return built.entry
  }

  // Tells `listener` what becomes of `raw`; returns how to stop it.
  watch(raw, listener) {
    const listeners = this.#watchers.get(raw) ?? new Set()
    this.#watchers.set(raw, listeners.add(listener))
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0) this.#watchers.delete(raw)
    }
  }

  // A full block and a nonce that is too high only postpone; anything else drops.
  #refuse(raw, error) {
    if (error.isInvalid && (error.asInvalid.isExhaustsResources || error.asInvalid.isFuture)) {
      this.#waiting.push(raw)
      return
    }
    this.dropped.push([raw, String(error)])
    this.#tell(raw, 'invalid')
  }

  #tell(raw, status) {
    for (const listener of this.#watchers.get(raw) ?? []) listener(status)
  }

  #schedule() {
    const build = () =>
      this.chain.exclusively(async () => {
        if (this.#waiting.length > 0) await this.build()
      })
    const report = (error) => console.error(`block building failed: ${error.message}`)
    if (this.buildMode === 'Instant') build().catch(report)
    if (this.buildMode === 'Batch') {
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => build().catch(report), BATCH_MS)
    }
  }
}

// As a node words it: 1010 for what can never be valid, 1011 for what it cannot judge.
function refusal(error) {
  const kind = error.isInvalid ? 'Invalid Transaction' : 'Unknown Transaction Validity'
  return new RpcError(error.isInvalid ? 1010 : 1011, `${kind}: ${error.toString()}`)
}
