// What a runtime says of itself, as a node finds it out: from two sections of its code, which does
// not have to be executed for that; from `Core_version` where the code has no such sections.
import { TypeRegistry } from '@polkadot/types'

const registry = new TypeRegistry()
const API_LENGTH = 12 // 8 bytes of name, u32

export const decodeVersion = (encoded) => registry.createType('RuntimeVersion', encoded)

// SCALE's RuntimeVersion, undefined where there are no sections.
export function versionInSections(module) {
  const section = (name) => WebAssembly.Module.customSections(module, name)[0]
  const [version, apis] = [section('runtime_version'), section('runtime_apis')]
  if (!version || !apis || apis.byteLength % API_LENGTH) return undefined
  const said = decodeVersion(new Uint8Array(version)).toJSON()
  return decodeVersion({ ...said, apis: [...readApis(new DataView(apis))] }).toU8a()
}

function* readApis(view) {
  for (let at = 0; at < view.byteLength; at += API_LENGTH) {
    yield [new Uint8Array(view.buffer, at, 8).slice(), view.getUint32(at + 8, true)]
  }
}
