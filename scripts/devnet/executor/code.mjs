// A runtime's code, compiled once: what is under `:code`, by default compressed, as a module of V8's.
import { ZSTDDecoder } from 'zstddec'
import { bytesOf } from './hex.mjs'

// sp_maybe_compressed_blob: the marker in front of compressed code, and how long it may get.
const COMPRESSED = new Uint8Array([82, 188, 83, 118, 70, 219, 142, 5])
const MAX_CODE_LENGTH = 50 * 1024 * 1024
const IMPORT_SECTION = 2
const MEMORY_IMPORT = 2
const WASM_HEADER_LENGTH = 8
const KEPT = 4

const decoder = new ZSTDDecoder()
await decoder.init()

const compiled = new Map() // by the code as 0x hex, in the order of use

// The module of `code`, 0x hex, what it imports, and the instances of it that are not in use.
export function compile(code) {
  const known = compiled.get(code)
  compiled.delete(code)
  const runtime = known ?? compileBytes(bytesOf(code))
  compiled.set(code, runtime)
  if (compiled.size > KEPT) compiled.delete(compiled.keys().next().value)
  return runtime
}

function compileBytes(code) {
  const wasm = decompress(code)
  const module = new WebAssembly.Module(wasm)
  const imports = WebAssembly.Module.imports(module)
  return { module, functions: functionNames(imports), memory: importedMemory(wasm), idle: [] }
}

function decompress(code) {
  if (!COMPRESSED.every((byte, index) => code[index] === byte)) return code
  const wasm = decoder.decode(code.subarray(COMPRESSED.length), MAX_CODE_LENGTH)
  if (wasm.length === 0) throw new Error('the runtime code is no zstd frame')
  return wasm
}

function functionNames(imports) {
  const strange = imports.find(({ module, kind }) => module !== 'env' || !['function', 'memory'].includes(kind))
  if (strange) throw new Error(`the runtime imports ${strange.module}.${strange.name}, which is no host function`)
  return imports.filter(({ kind }) => kind === 'function').map(({ name }) => name)
}

// Node tells what a module imports, not how large a memory it wants: that is in its import section.
function importedMemory(wasm) {
  const reader = new Reader(wasm, WASM_HEADER_LENGTH)
  while (!reader.atEnd) {
    const section = reader.number()
    const length = reader.number()
    if (section === IMPORT_SECTION) return memoryAmong(reader)
    reader.skip(length)
  }
  throw new Error('the runtime imports nothing, not even its memory')
}

function memoryAmong(reader) {
  for (let left = reader.number(); left > 0; left--) {
    reader.skip(reader.number()) // module
    reader.skip(reader.number()) // name
    if (reader.number() === MEMORY_IMPORT) {
      const hasMaximum = (reader.number() & 1) === 1
      const initial = reader.number()
      return hasMaximum ? { initial, maximum: reader.number() } : { initial }
    }
    reader.number() // a function's type: `functionNames` has refused the other kinds
  }
  throw new Error('the runtime imports no memory')
}

class Reader {
  constructor(bytes, at) {
    Object.assign(this, { bytes, at })
  }

  get atEnd() {
    return this.at >= this.bytes.length
  }

  skip(length) {
    this.at += length
  }

  // LEB128.
  number() {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes[this.at++]
      value += (byte & 0x7f) * 2 ** shift
      if (!(byte & 0x80)) return value
    }
  }
}
