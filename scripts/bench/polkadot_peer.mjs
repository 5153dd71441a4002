// Times the codec of @polkadot/api on the bytes that stdin describes.
//
//   node polkadot_peer.mjs NODE_MODULES_OWNER
//
// The argument is a package.json beside whose node_modules @polkadot/types is installed. stdin and
// stdout are JSON, as scripts/bench/peers.py writes and reads them.

import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'

const require = createRequire(process.argv[2])
const { Metadata, TypeRegistry, packageInfo } = require('@polkadot/types')

const job = JSON.parse(readFileSync(0, 'utf8'))
const fromHex = (text) => Uint8Array.from(Buffer.from(text, 'hex'))
const blocks = job.blocks.map((block) => ({
  specVersion: block.spec_version,
  events: fromHex(block.events),
  extrinsics: block.extrinsics.map(fromHex),
}))

const codec = (raw) => {
  const registry = new TypeRegistry()
  registry.setMetadata(new Metadata(registry, fromHex(raw)))
  const system = registry.metadata.pallets.find((pallet) => pallet.name.toString() === 'System')
  const item = system.storage.unwrap().items.find((found) => found.name.toString() === 'Events')
  return { registry, events: registry.createLookupType(item.type.asPlain) }
}
const decodeEvents = (block) => {
  const { registry, events } = codecs[block.specVersion]
  return registry.createTypeUnsafe(events, [block.events])
}
const decodeExtrinsic = (block, raw) =>
  codecs[block.specVersion].registry.createTypeUnsafe('Extrinsic', [raw])

const cpuSeconds = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}
const timed = (run) => {
  const wall = performance.now()
  const cpu = cpuSeconds()
  run()
  return [cpuSeconds() - cpu, (performance.now() - wall) / 1e3]
}

const started = cpuSeconds()
const codecs = Object.fromEntries(
  Object.entries(job.metadata).map(([specVersion, raw]) => [specVersion, codec(raw)]),
)
const loaded = cpuSeconds() - started

// JSON names: "section.method" of the API is camelCase, the metadata's own names are in `meta`.
const eventName = ({ event }, registry) => {
  const pallet = registry.metadata.pallets.find(
    (found) => found.index.toNumber() === event.index[0],
  )
  return `${pallet.name}.${event.meta.name}`
}
const callName = ({ callIndex, meta }, registry) => {
  const pallet = registry.metadata.pallets.find((found) => found.index.toNumber() === callIndex[0])
  return `${pallet.name}.${meta.name}`
}
const seen = blocks.map((block) => {
  const { registry } = codecs[block.specVersion]
  return {
    events: decodeEvents(block).map((record) => eventName(record, registry)),
    calls: block.extrinsics.map((raw) => callName(decodeExtrinsic(block, raw), registry)),
  }
})

const events = () => blocks.forEach(decodeEvents)
const whole = () =>
  blocks.forEach((block) => {
    decodeEvents(block)
    block.extrinsics.forEach((raw) => decodeExtrinsic(block, raw))
  })
const rounds = (run) => Array.from({ length: job.rounds }, () => timed(run))

process.stdout.write(
  JSON.stringify({
    version: packageInfo.version,
    loaded,
    blocks: seen,
    events: rounds(events),
    whole: job.whole ? rounds(whole) : [],
  }),
)
