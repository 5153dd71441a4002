// Makes one block: the runtime initialises it, applies inherents and extrinsics, and finalises it.
import { inherentProviders, newHeader } from '@acala-network/chopsticks-core'
import { hexToU8a } from '@polkadot/util'
import { extrinsicsRoot } from './header.mjs'
import { invalidParams, RpcError } from './rpc/errors.mjs'
import { changesForHeight, changesForSlots } from './time.mjs'

const NO_MESSAGES = { transactions: [], downwardMessages: [], upwardMessages: {}, horizontalMessages: {} }
const PLACEHOLDER_HASH = '0x' + '11'.repeat(32)

// Builds on the head; `refused` are the extrinsics that the runtime would not apply, with its reason.
// `height` skips heights, and as much time passes as their blocks would have taken; `skipSlots` lets
// slots pass without skipping heights.
export async function buildBlock(chain, extrinsics, { height, skipSlots = 0 } = {}) {
  const parent = chain.headEntry
  const jump = await changesForJump(parent, height, skipSlots)
  const draft = await Draft.on(chain, parent, jump, height)
  let applied = extrinsics
  let refused = []
  let result = await draft.execute(applied)
  if (!result) {
    ;[applied, refused] = await draft.sort(extrinsics)
    result = await draft.execute(applied)
    if (!result) throw new RpcError(-32000, 'the runtime refuses a block of extrinsics that it took one by one')
  }
  const body = [...draft.inherents, ...applied]
  const fields = { number: draft.number, digest: result.digest }
  const entry = await chain.append(parent, fields, body, { ...Object.fromEntries(jump), ...result.diff })
  return { entry, applied, refused }
}

async function changesForJump(parent, height, skipSlots) {
  const next = parent.number + 1
  if (height !== undefined && (!Number.isSafeInteger(height) || height < next || height >= 2 ** 32)) {
    throw invalidParams(`the next block can have a height of ${next} or more, not ${height}`)
  }
  const skipped = (height ?? next) - next
  const changes = skipped > 0 ? await changesForHeight(parent.block, height) : []
  const slots = skipped + skipSlots
  if (slots > 0) changes.push(...(await changesForSlots(parent.block, slots)))
  return changes
}

// A block that is being tried out; nothing of it is kept until `chain.append`.
class Draft {
  static async on(chain, parent, jump, height) {
    const draft = new Draft()
    draft.chain = chain
    draft.registry = await parent.block.registry
    // The parent as this block's runtime sees it. Chopsticks' blocks hold their parents weakly.
    draft.parent = chain.makeBlock(parent.number, parent.hash, parent.block, {
      header: parent.header,
      extrinsics: parent.extrinsics,
      storage: parent.storageWith(jump),
    })
    draft.header = await newHeader(draft.parent, height)
    draft.number = draft.header.number.toNumber()
    const block = draft.fresh()
    draft.inherents = []
    for (const provider of inherentProviders) {
      draft.inherents.push(...(await provider.createInherents(block, NO_MESSAGES)))
    }
    return draft
  }

  fresh() {
    return this.chain.makeBlock(this.number, PLACEHOLDER_HASH, this.parent, {
      header: this.header,
      extrinsics: [],
      storage: this.parent.storage,
    })
  }

  // The whole block at once, in one instance of the runtime; null when some extrinsic is refused,
  // which shows in the extrinsics root.
  async execute(extrinsics) {
    const body = [...this.inherents, ...extrinsics]
    const response = await this.chain.executor.run(this.fresh(), [
      ['Core_initialize_block', [this.header.toHex()]],
      ...body.map((raw) => ['BlockBuilder_apply_extrinsic', [raw]]),
      ['BlockBuilder_finalize_block', []],
    ])
    if (!response.Call) {
      if (extrinsics.length > 0) return null
      throw new RpcError(-32000, `the runtime cannot build block ${this.number}: ${response.Error}`)
    }
    const header = this.registry.createType('Header', response.Call.result)
    if (header.extrinsicsRoot.toHex() !== extrinsicsRoot(body)) {
      if (extrinsics.length > 0) return null
      throw new RpcError(-32000, `the runtime refuses the inherents of block ${this.number}`)
    }
    return { digest: header.digest.toJSON(), diff: asChanges(response.Call.storageDiff) }
  }

  // One extrinsic after the other: those that apply, and [raw, error] of those that do not.
  async sort(extrinsics) {
    const block = this.fresh()
    const step = async (...calls) => {
      const response = await this.chain.executor.run(block, calls)
      return response.Call ?? { failure: response.Error }
    }
    const opened = await step(
      ['Core_initialize_block', [this.header.toHex()]],
      ...this.inherents.map((raw) => ['BlockBuilder_apply_extrinsic', [raw]]),
    )
    if (opened.failure) throw new RpcError(-32000, `block ${this.number}: ${opened.failure}`)
    block.pushStorageLayer().setAll(opened.storageDiff)
    const applied = []
    const refused = []
    for (const raw of extrinsics) {
      const { result, storageDiff, failure } = await step(['BlockBuilder_apply_extrinsic', [raw]])
      const outcome = failure ? null : this.registry.createType('ApplyExtrinsicResult', hexToU8a(result))
      if (outcome?.isOk) {
        block.pushStorageLayer().setAll(storageDiff)
        applied.push(raw)
      } else {
        refused.push([raw, outcome?.asErr ?? failure])
      }
    }
    return [applied, refused]
  }
}

const asChanges = (diff) => Object.fromEntries(diff.map(([key, value]) => [key, value ?? null]))
