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

// The lines of a snapshot that is whole; `load` checks what they say.
export function readSnapshot(path) {
  let lines
  try {
    lines = fs.readFileSync(path, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line))
  } catch (error) {
    throw new UsageError(`${path}: no readable snapshot: ${error.message}`)
  }
  const [start, ...blocks] = lines
  if (start?.format !== FORMAT) throw new UsageError(`${path}: no snapshot of format ${FORMAT}`)
  const end = blocks.pop()
  if (end?.overrides === undefined) throw new UsageError(`${path}: is cut off: its last line is missing`)
  return { path, genesis: start.genesis, blocks, overrides: end.overrides }
}

// Every block's hash is recomputed over its roots, so a damaged or foreign snapshot is refused.
export async function load(chain, { path, genesis, blocks, overrides }) {
  if (genesis !== chain.genesis.hash) {
    throw new UsageError(`${path}: is of another chain: genesis ${genesis}, here ${chain.genesis.hash}`)
  }
  for (const { hash, header: encoded, extrinsics, inherited, diff } of blocks) {
    const header = decodeHeader(encoded)
    await override(chain, inherited)
    const fields = { number: header.number.toNumber(), digest: header.digest.toJSON() }
    const entry = await chain.append(chain.headEntry, fields, extrinsics, diff)
    if (entry.hash !== hash) {
      throw new UsageError(`${path}: block ${entry.number} comes to ${entry.hash}, not to ${hash}`)
    }
  }
  await override(chain, overrides)
}

async function override(chain, changes) {
  const pairs = Object.entries(changes)
  if (pairs.length > 0) await chain.override(pairs)
}
