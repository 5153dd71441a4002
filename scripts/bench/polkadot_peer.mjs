// Times the codec of @polkadot/api on the bytes that stdin gives.
//
//   node polkadot_peer.mjs PACKAGE_JSON
//
// PACKAGE_JSON is one beside whose node_modules @polkadot/types is installed. Each
// line of stdin and stdout is JSON, as scripts/bench/peers.py writes and reads them.

import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const WINDOW_MILLISECONDS = 100 // as scripts/bench/timing.py

const require = createRequire(process.argv[2])
const { Metadata, TypeRegistry, packageInfo } = require('@polkadot/types')

const lines = createInterface({ input: process.stdin, crlfDelay: Infinity })[Symbol.asyncIterator]()
const job = JSON.parse((await lines.next()).value)
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
// [CPU seconds of the process, seconds of the wall clock] of every pass of a window
const timed = (run) => {
  const passes = []
  const ends = performance.now() + WINDOW_MILLISECONDS
  do {
    const wall = performance.now()
    const cpu = cpuSeconds()
    run()
    passes.push([cpuSeconds() - cpu, (performance.now() - wall) / 1e3])
  } while (performance.now() < ends)
  return passes
}
const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`)

const started = cpuSeconds()
const codecs = Object.fromEntries(
  Object.entries(job.metadata).map(([specVersion, raw]) => [specVersion, codec(raw)]),
)
const loaded = cpuSeconds() - started

// the API's own `section` is camelCase; the metadata's name is found by index
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
const seen = {
  events: blocks.map((block) =>
    decodeEvents(block).map((record) => eventName(record, codecs[block.specVersion].registry)),
  ),
  calls: blocks.map((block) =>
    block.extrinsics.map((raw) =>
      callName(decodeExtrinsic(block, raw), codecs[block.specVersion].registry),
    ),
  ),
}

const events = () => blocks.forEach(decodeEvents)
const whole = () =>
  blocks.forEach((block) => {
    decodeEvents(block)
    block.extrinsics.forEach((raw) => decodeExtrinsic(block, raw))
  })

say({ version: packageInfo.version, loaded, seen })
const tasks = { events, whole }
for await (const line of lines) say(timed(tasks[JSON.parse(line)]))
