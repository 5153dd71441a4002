// What can execute the runtime: ours on V8, and chopsticks', an interpreter that ours is held
// against and that a fork needs, since its state has to be waited for.
import { defaultLogger, getRuntimeVersion, runTask, taskHandler } from '@acala-network/chopsticks-core'
import { runCalls, versionOf } from './executor/index.mjs'
import { decodeVersion } from './executor/version.mjs'
import { RpcError } from './rpc/errors.mjs'

const LEVELS = ['error', 'warn', 'info', 'debug', 'trace']
const logger = defaultLogger.child({ name: 'runtime' })
const log = (level, target, text) => logger[LEVELS[level] ?? 'trace']({ target }, text)

const v8 = {
  // Calls of the runtime one after the other on a block's state; see executor/index.mjs.
  async run(block, calls) {
    const code = await block.wasm
    return runCalls({ code, state: block.storage.view, calls, logLevel: block.chain.runtimeLogLevel, log })
  },

  // What a runtime says of itself, with its names as text.
  async runtimeVersion(code) {
    const encoded = versionOf(code)
    if (!encoded) throw new RpcError(-32000, 'the code is no runtime: it does not say its version')
    return decodeVersion(encoded).toJSON()
  },
}

const chopsticks = {
  async run(block, calls) {
    const { runtimeLogLevel, takesAnySignature } = block.chain
    const task = { wasm: await block.wasm, calls, mockSignatureHost: false, allowUnresolvedImports: false, runtimeLogLevel }
    return runTask(task, taskHandler(block), takesAnySignature)
  },

  runtimeVersion: getRuntimeVersion,
}

export const EXECUTORS = { v8, chopsticks }
