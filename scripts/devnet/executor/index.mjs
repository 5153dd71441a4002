// Executes the runtime on V8, which compiles it once.
//
// Semantics are those of the Polkadot host specification; see docs/devnet.md for how it is held
// against chopsticks' executor.
import { u8aConcat } from '@polkadot/util'
import { Trie } from '../trie.mjs'
import { compile } from './code.mjs'
import { bytesOf, hexOf } from './hex.mjs'
import { Instance } from './instance.mjs'
import { Overlay } from './overlay.mjs'
import { versionInSections } from './version.mjs'

// Runs `calls`, [function, [0x hex arguments]], one after the other on `state`, a Trie; each sees
// what those before it changed. `{Call: {result, storageDiff}}` has the last one's result and
// everything that changed; `{Error}` says why one of them failed. Of what the runtime logs, `log` is
// given (level, target, text): errors, which are 0, up to level `logLevel` - 1.
export function runCalls({ code, state, calls, logLevel = 0, log = () => {} }) {
  const overlay = new Overlay(state)
  let result = new Uint8Array()
  try {
    const runtime = compile(code)
    for (const [name, args] of calls) {
      const instance = runtime.idle.pop() ?? new Instance(runtime)
      result = instance.call(name, u8aConcat(...args.map(bytesOf)), { overlay, logLevel, log, versionOf })
      runtime.idle.push(instance)
    }
  } catch (error) {
    return { Error: error.message }
  }
  return { Call: { result: hexOf(result), storageDiff: overlay.changes() } }
}

// SCALE's RuntimeVersion of `code`, 0x hex; undefined where it is no runtime.
export function versionOf(code) {
  try {
    const said = versionInSections(compile(code).module)
    if (said) return said
  } catch {
    return undefined // nothing that V8 would execute
  }
  const response = runCalls({ code, state: new Trie(1), calls: [['Core_version', []]] })
  return response.Call && bytesOf(response.Call.result)
}
