// Checks the proof of a score: what `ibp oracle verify` does, written again from docs/scores.md.
// Pure: bytes in, findings out. Nothing here knows of a page or of a server.
import { blake2b } from './noble-hashes-2.4.0/blake2.js'

export const MAX_PROOF = 65536 // bytes
const SLOTS = 288
const SLUG = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/
const HASH = /^0x[0-9a-f]{64}$/
const OCTETS = /^0x(?:[0-9a-f]{2})*$/

/** What the file, or a part of it, is refused for. `offset` counts the row's bytes, from 0. */
export class Refused extends Error {
  constructor(message, offset = null) {
    super(offset === null ? message : `byte ${offset} of the row: ${message}`)
    this.offset = offset
  }
}

// --- Bytes -----------------------------------------------------------------------------

export const hex = (bytes) => '0x' + Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

export function octets(text) {
  return Uint8Array.from(text.slice(2).match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

const hashed = (...parts) => blake2b(Uint8Array.from(parts.flatMap((part) => [...part])), { dkLen: 32 })
export const leafHash = (row) => hashed([0], row)
export const nodeHash = (left, right) => hashed([1], left, right)

// --- The row ---------------------------------------------------------------------------

/** Reads SCALE from the start, and keeps which bytes each field was. */
class Reader {
  constructor(bytes) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.at = 0
    this.parts = []
  }

  take(count, what) {
    const start = this.at
    const left = this.bytes.length - start
    if (count > left) throw new Refused(`${what} takes ${count} bytes, ${left} are left`, start)
    this.at += count
    return this.bytes.subarray(start, this.at)
  }

  number(size, what, signed = false) {
    const start = this.at
    this.take(size, what)
    if (size === 1) return this.view.getUint8(start)
    if (size === 2) return this.view.getUint16(start, true)
    return signed ? this.view.getInt32(start, true) : this.view.getUint32(start, true)
  }

  boolean(what) {
    const start = this.at
    const value = this.number(1, what)
    if (value > 1) throw new Refused(`${value} is no truth value`, start)
    return value === 1
  }

  compact(what) {
    const start = this.at
    const mode = this.number(1, what) & 3
    if (mode === 3) throw new Refused(`${what}: more than a row can hold`, start)
    this.at = start
    const size = [1, 2, 4][mode]
    const value = this.number(size, what) >>> 2
    if (value < [0, 1 << 6, 1 << 14][mode]) throw new Refused(`${what}: not in its shortest form`, start)
    return value
  }

  slug(what) {
    const raw = this.take(this.compact(what), what)
    const start = this.at - raw.length
    const text = Array.from(raw, (byte) => String.fromCharCode(byte)).join('')
    if (!SLUG.test(text)) throw new Refused(`no ${what} id: lower-case letters, digits, dashes, up to 32`, start)
    return text
  }

  day(what) {
    const start = this.at
    const time = new Date(this.number(4, what) * 86400000)
    // as in Python, whose calendar ends with the year 9999
    if (Number.isNaN(time.getTime()) || time.getUTCFullYear() > 9999) throw new Refused('no date', start)
    return time.toISOString().slice(0, 10)
  }

  /** Reads one field by `read`, and notes its bytes. A missing value (`undefined`) has no meaning. */
  field(name, read) {
    const start = this.at
    const value = read(name)
    this.parts.push({ name, start, end: this.at, value })
    return value
  }
}

function series(reader, name, letters) {
  const codes = reader.field(name, () => {
    const start = reader.at
    const raw = reader.take(SLOTS, name)
    const stray = raw.findIndex((code) => code >= letters.length)
    if (stray >= 0) throw new Refused(`${raw[stray]} is no code of a slot`, start + stray)
    return Array.from(raw, (code) => letters[code]).join('')
  })
  const answered = [...codes].filter((letter) => letter === '.' || letter === 'S').length
  const times = reader.field('times_us', () => {
    const start = reader.at
    const count = reader.compact('times_us')
    if (count !== answered) throw new Refused(`${count} response times for ${answered} answered slots`, start)
    return Array.from({ length: count }, () => reader.number(4, 'a response time'))
  })
  return { [name]: codes, times_us: times }
}

function observation(reader) {
  const oracle = reader.field('oracle', () => hex(reader.take(32, 'oracle')))
  return { row: 'observation', oracle, ...about(reader, 'service'), ...series(reader, 'statuses', '.FS?') }
}

function about(reader, ...also) {
  const found = { day: reader.field('day', (name) => reader.day(name)) }
  for (const what of ['member', ...also]) found[what] = reader.field(what, (name) => reader.slug(name))
  return found
}

const consensus = (reader) => ({
  row: 'consensus', ...about(reader, 'service'), ...series(reader, 'verdicts', '.FS?x'),
})

function serviceDay(reader) {
  const found = { row: 'service-day', ...about(reader, 'service') }
  const start = reader.at
  for (const what of ['ok', 'failed', 'slow', 'unknown', 'excluded']) {
    found[what] = reader.field(what, (name) => reader.number(2, name))
  }
  const slots = found.ok + found.failed + found.slow + found.unknown + found.excluded
  if (slots !== SLOTS) throw new Refused(`the slots of a day are ${SLOTS}, not ${slots}`, start)
  for (const what of ['uptime_ppm', 'p50_us', 'p95_us', 'p99_us']) {
    const value = reader.field(what, (name) => (reader.boolean(name) ? reader.number(4, name) : undefined))
    if (value !== undefined) found[what] = value
  }
  const known = found.ok + found.failed + found.slow
  const uptime = known ? Math.floor(((known - found.failed) * 1000000) / known) : undefined
  if (found.uptime_ppm !== uptime) throw new Refused('the uptime does not follow from the counts', start)
  const times = [found.p50_us, found.p95_us, found.p99_us].filter((time) => time !== undefined)
  if (times.length !== (found.ok + found.slow ? 3 : 0)) {
    throw new Refused('percentiles are given exactly where a slot was answered', start)
  }
  if (times.length && !(times[0] <= times[1] && times[1] <= times[2])) throw new Refused('percentiles fall', start)
  return found
}

function milestoneDay(reader) {
  const found = { row: 'milestone-day', ...about(reader) }
  const start = reader.at
  found.milestone = reader.field('milestone', (name) => reader.number(1, name))
  if (!(found.milestone >= 1 && found.milestone <= 8)) throw new Refused(`milestone ${found.milestone} is outside 1 to 8`, start)
  found.points = reader.field('points', (name) => reader.number(4, name, true))
  found.clean = reader.field('clean', (name) => reader.boolean(name))
  for (const what of ['failed_charges', 'slow_charges', 'failed_run', 'slow_run']) {
    found[what] = reader.field(what, (name) => reader.number(4, name))
  }
  if (found.failed_run && found.slow_run) throw new Refused('a slot is failed or slow, never both', start)
  return found
}

const REPORTED = [consensus, serviceDay, milestoneDay]

/** `fields` is the row for people, `parts` which bytes say which of them. */
export function decodeRow(kind, bytes) {
  const reader = new Reader(bytes)
  let read = observation
  if (kind === 'report') {
    read = REPORTED[reader.field('row', (name) => {
      const variant = reader.number(1, name)
      if (variant >= REPORTED.length) throw new Refused(`a report has no row of kind ${variant}`, 0)
      return variant
    })]
  }
  const fields = read(reader)
  if (reader.at !== bytes.length) throw new Refused(`${bytes.length - reader.at} bytes behind the row`, reader.at)
  if (kind === 'report') reader.parts[0].value = fields.row
  return { fields, parts: reader.parts }
}

// --- The document ----------------------------------------------------------------------

/** RFC 8785, for what a proof may hold: no fractions. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  const pairs = Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`)
  return `{${pairs.join(',')}}`
}

const count = (value) => Number.isSafeInteger(value) && value >= 0
const isDay = (text) => {
  if (typeof text !== 'string' || !/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(text) || text < '0001') return false
  const time = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(text)
}
const textOf = (form) => (value) => typeof value === 'string' && form.test(value)
const FORM = {
  day: isDay,
  fields: (value) => value !== null && typeof value === 'object' && !Array.isArray(value),
  format: (value) => value === 'ibp-score-proof',
  index: count,
  kind: (value) => value === 'observe' || value === 'report',
  path: (value) => Array.isArray(value) && value.length <= 64 && value.every(textOf(HASH)),
  root: textOf(HASH),
  row: textOf(OCTETS),
  size: count,
  version: (value) => value === 1,
}

/** The document in a file's bytes. Throws `Refused` for any other. */
export function readProof(bytes) {
  if (bytes.length > MAX_PROOF) throw new Refused(`${bytes.length} bytes; a proof has ${MAX_PROOF} at most`)
  let text, value
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes).replace(/\n$/, '')
    value = JSON.parse(text)
    if (canonical(value) !== text) throw new Refused('not in canonical form (RFC 8785): was it edited?')
  } catch (error) {
    if (error instanceof Refused) throw error
    throw new Refused(`no JSON document: ${error.message}`)
  }
  if (!FORM.fields(value)) throw new Refused('no proof: an object is expected')
  for (const name of Object.keys(value)) if (!Object.hasOwn(FORM, name)) throw new Refused(`${name}: a proof has no such field`)
  for (const [name, fits] of Object.entries(FORM)) {
    if (!Object.hasOwn(value, name)) throw new Refused(`${name}: it is missing`)
    if (!fits(value[name])) throw new Refused(`${name}: not of the form of a proof`)
  }
  return value
}

// --- The tree --------------------------------------------------------------------------

/** From the leaf up: at each step the hash beside it, on which side, and what they make. */
export function climb(row, index, size, path) {
  let digest = leafHash(row)
  const steps = []
  let place = BigInt(index) // shifts of a Number end at 32 bits
  let last = BigInt(size) - 1n
  while (last > 0n) {
    const right = (place & 1n) === 1n
    if (right || place < last) {
      if (steps.length === path.length) throw new Refused(`the path ends after ${path.length} hashes, too early for row ${index} of ${size}`)
      const beside = octets(path[steps.length])
      digest = right ? nodeHash(beside, digest) : nodeHash(digest, beside)
      steps.push({ side: right ? 'left' : 'right', beside: hex(beside), result: hex(digest) })
    }
    place >>= 1n
    last >>= 1n
  }
  if (steps.length !== path.length) throw new Refused(`the path has ${path.length} hashes, row ${index} of ${size} takes ${steps.length}`)
  return { leaf: hex(leafHash(row)), steps, root: hex(digest) }
}

// --- All of it -------------------------------------------------------------------------

/**
 * Every step in order, until one fails: `steps` have `name`, `holds` and `said`. `proof`, `row` and
 * `tree` are there as far as it came. `holds` says whether all did; it never says whether the root
 * is the one that oracles reported.
 */
export function checkProof(bytes) {
  const found = { steps: [], holds: false, proof: null, row: null, tree: null }
  const step = (name, work) => {
    try {
      found.steps.push({ name, holds: true, said: work() })
      return true
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      found.steps.push({ name, holds: false, said: error.message })
      return false
    }
  }
  found.holds =
    step('The file is a proof', () => {
      found.proof = readProof(bytes)
      return `a ${found.proof.kind} of ${found.proof.day}, in its one written form`
    }) &&
    step('The row’s bytes are a row', () => {
      found.row = decodeRow(found.proof.kind, octets(found.proof.row))
      return `${octets(found.proof.row).length} bytes, each of them read`
    }) &&
    step('The file’s words are the row’s', () => sameWords(found.row, found.proof)) &&
    step('Leaf and path lead to the root', () => {
      const { index, size, path, root } = found.proof
      if (index >= size) throw new Refused(`row ${index} of ${size}: there is no such row`)
      found.tree = climb(octets(found.proof.row), index, size, path)
      if (found.tree.root !== root) {
        throw new Refused(`they lead to ${found.tree.root}, the file says ${root}: the row, its place, or a hash of the path is another than in the tree`)
      }
      return `row ${index} of ${size}, ${path.length} hashes up to ${root}`
    })
  return found
}

function sameWords({ fields, parts }, proof) {
  if (fields.day !== proof.day) throw new Refused(`the row is of ${fields.day}, the file says ${proof.day}`)
  const own = { ...proof.fields }
  for (const [name, value] of Object.entries(fields)) {
    if (!Object.hasOwn(own, name)) throw new Refused(`${name} is ${canonical(value)} by the row, the file does not say it`)
    if (canonical(own[name]) !== canonical(value)) {
      const part = parts.find((each) => each.name === name)
      const where = part ? ` (bytes ${part.start} to ${part.end - 1})` : ''
      throw new Refused(`${name} is ${brief(value)} by the row${where}, the file’s words are ${brief(own[name])}`)
    }
    delete own[name]
  }
  for (const name of Object.keys(own)) throw new Refused(`the file’s words have ${name}, the row does not`)
  return `${Object.keys(fields).length} fields say the same`
}

function brief(value) {
  const text = canonical(value)
  return text.length > 80 ? `${text.slice(0, 77)}…` : text
}
