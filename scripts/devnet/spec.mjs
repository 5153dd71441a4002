// A raw chain specification: its name, properties and genesis storage, with overrides.
import fs from 'node:fs'

// What a person gave us is wrong; `showUsage` when it is how the command was called.
export class UsageError extends Error {
  constructor(message, { showUsage = false } = {}) {
    super(message)
    this.showUsage = showUsage
  }
}

const CODE = '0x3a636f6465'
const HEX = /^0x([0-9a-f]{2})*$/i

export function readSpec(path, overridesPath) {
  const raw = readJson(path, 'chain specification')
  const top = raw?.genesis?.raw?.top
  if (typeof top?.[CODE] !== 'string') {
    throw new UsageError(`${path}: no raw chain specification with a runtime under genesis.raw.top`)
  }
  if (Object.keys(raw.genesis.raw.childrenDefault ?? {}).length > 0) {
    throw new UsageError(`${path}: child tries in genesis are not supported`)
  }
  const overrides = overridesPath === undefined ? {} : readOverrides(overridesPath)
  return {
    name: raw.name,
    id: raw.id,
    properties: raw.properties ?? {},
    code: overrides[CODE] ?? top[CODE],
    storage: { ...top, ...overrides },
  }
}

function readOverrides(path) {
  const overrides = readJson(path, 'genesis storage')
  for (const [key, value] of Object.entries(overrides)) {
    if (!HEX.test(key) || !(value === null || HEX.test(value))) {
      throw new UsageError(`${path}: ${key}: genesis storage maps 0x hex keys to 0x hex values or null`)
    }
  }
  return overrides
}

function readJson(path, what) {
  try {
    return JSON.parse(fs.readFileSync(path, 'utf8'))
  } catch (error) {
    throw new UsageError(`${path}: no readable ${what}: ${error.message}`)
  }
}
