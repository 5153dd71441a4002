// Save a chain to a file and load it again: what each block changed, without executing it anew.
//
// One JSON document per line: what chain it is, its blocks from 1 to the head, the head's overrides.
import fs from 'node:fs'
import { decodeHeader } from './header.mjs'
import { UsageError } from './spec.mjs'

const FORMAT = 'ibp-devnet/1'

export function save(chain, path) {
  const blocks = []
  for (let at = chain.headEntry; at.parent; at = at.parent) blocks.unshift(at)
  const lines = [
    { format: FORMAT, genesis: chain.genesis.hash },
    ...blocks.map(({ hash, header, extrinsics, inherited, diff }) => ({
      hash, header: header.toHex(), extrinsics, inherited, diff,
    })),
    { overrides: chain.headEntry.overrides },
  ]
  const temporary = `${path}.${process.pid}.partial`
  try {
    fs.writeFileSync(temporary, lines.map((line) => JSON.stringify(line) + '\n').join(''))
    fs.renameSync(temporary, path)
  } catch (error) {
    fs.rmSync(temporary, { force: true })
    throw error
  }
  return { blocks: blocks.length, head: chain.head.hash }
}

// Every block's hash is recomputed over its roots, so a damaged or foreign file is refused.
export async function load(chain, path) {
  const [start, ...records] = readLines(path)
  if (start?.format !== FORMAT) throw new UsageError(`${path}: no snapshot of format ${FORMAT}`)
  if (start.genesis !== chain.genesis.hash) {
    throw new UsageError(`${path}: is of another chain: genesis ${start.genesis}, here ${chain.genesis.hash}`)
  }
  const end = records.pop()
  if (end?.overrides === undefined) throw new UsageError(`${path}: is cut off: its last line is missing`)
  for (const record of records) {
    const parent = chain.headEntry
    const header = decodeHeader(record.header)
    if (Object.keys(record.inherited).length > 0) await chain.override(Object.entries(record.inherited))
    const fields = { number: header.number.toNumber(), digest: header.digest.toJSON() }
    const entry = await chain.append(parent, fields, record.extrinsics, record.diff)
    if (entry.hash !== record.hash) {
      throw new UsageError(`${path}: block ${entry.number} comes to ${entry.hash}, not to ${record.hash}`)
    }
  }
  const overrides = Object.entries(end.overrides)
  if (overrides.length > 0) await chain.override(overrides)
}

function readLines(path) {
  try {
    return fs.readFileSync(path, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line))
  } catch (error) {
    throw new UsageError(`${path}: no readable snapshot: ${error.message}`)
  }
}
