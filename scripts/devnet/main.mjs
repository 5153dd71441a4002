// The test chain: a real runtime behind a node's JSON-RPC, on loopback. See docs/devnet.md.
//
// Prints one line of JSON when it listens. Exit code 0: told to stop. 1: failed. 2: wrong usage.
import { parseArgs } from 'node:util'
import { defaultLogger } from '@acala-network/chopsticks-core'
import { Chain } from './chain.mjs'
import { EXECUTORS } from './executors.mjs'
import { MODES, Pool } from './pool.mjs'
import { rpcMethods } from './rpc/index.mjs'
import { listen, serve } from './server.mjs'
import { load, readSnapshot, save } from './snapshot.mjs'
import { readSpec, UsageError } from './spec.mjs'
import { changesForTime } from './time.mjs'

const DEFAULT_TIMESTAMP = Date.UTC(2026, 0, 1) // fixed: the same calls make the same blocks

const USAGE = `node main.mjs --spec FILE
  --spec FILE        raw chain specification
  --port N           on 127.0.0.1; 0, the default, takes a free one
  --mode MODE        Manual (default), Instant or Batch: when blocks are made of extrinsics
  --storage FILE     JSON of raw keys and values that override the genesis storage
  --timestamp MS     the clock before block 1
  --height N         the height of block 2; block 1 always has height 1
  --lag N            finality trails the head by N blocks
  --ss58 N           address prefix, in place of the specification's
  --load FILE        go on from a snapshot
  --save FILE        write a snapshot at the end
  --executor NAME    what executes the runtime: v8 (default), or chopsticks, to compare with
  --log LEVEL        chopsticks' log (stdout): silent (default), error, warn, info, debug, trace
  --lifeline         end when stdin closes`

const wrongCall = (message) => new UsageError(message, { showUsage: true })

function readOptions() {
  let values
  try {
    ;({ values } = parseArgs({
      options: {
        spec: { type: 'string' },
        port: { type: 'string', default: '0' },
        mode: { type: 'string', default: 'Manual' },
        storage: { type: 'string' },
        timestamp: { type: 'string' },
        height: { type: 'string' },
        lag: { type: 'string', default: '0' },
        ss58: { type: 'string' },
        load: { type: 'string' },
        save: { type: 'string' },
        executor: { type: 'string', default: 'v8' },
        log: { type: 'string', default: 'silent' },
        lifeline: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }))
  } catch (error) {
    throw wrongCall(error.message)
  }
  if (values.help) return values
  if (!values.spec) throw wrongCall('--spec is missing')
  if (!MODES.includes(values.mode)) throw wrongCall(`--mode ${values.mode}: known are ${MODES.join(', ')}`)
  if (!Object.hasOwn(EXECUTORS, values.executor)) {
    throw wrongCall(`--executor ${values.executor}: known are ${Object.keys(EXECUTORS).join(', ')}`)
  }
  const limits = { port: 65_535, timestamp: 2 ** 48, height: 2 ** 32 - 1, lag: 2 ** 32, ss58: 16_383 }
  for (const [name, limit] of Object.entries(limits)) {
    if (values[name] !== undefined) values[name] = wholeNumber(name, values[name], limit)
  }
  return values
}

function wholeNumber(name, text, limit) {
  const number = Number(text)
  if (!/^\d+$/.test(text) || number > limit) {
    throw wrongCall(`--${name} ${text}: expected a whole number from 0 to ${limit}`)
  }
  return number
}

// What can be wrong with the options comes out before the runtime is started, which takes seconds.
async function start(options) {
  const spec = readSpec(options.spec, options.storage)
  if (options.ss58 !== undefined) spec.properties = { ...spec.properties, ss58Format: options.ss58 }
  const snapshot = options.load === undefined ? undefined : readSnapshot(options.load)
  const server = await listen(options.port)
  const chain = await Chain.create(spec, { finalityLag: options.lag, executor: options.executor })
  const pool = new Pool(chain, options.mode)
  if (snapshot) await load(chain, snapshot)
  else await firstBlocks(chain, pool, options)
  const stop = serve(server, rpcMethods(chain, pool))
  return { chain, stop, port: server.address().port }
}

// The clock is set on top of genesis, not in it, so that genesis stays what the specification says.
async function firstBlocks(chain, pool, { timestamp = DEFAULT_TIMESTAMP, height }) {
  await chain.override(await changesForTime(chain.head, timestamp))
  await pool.build()
  if (height !== undefined) await pool.build({ height })
}

async function announce({ chain, port }) {
  const { specName, specVersion } = await chain.head.runtimeVersion
  const facts = { url: `ws://127.0.0.1:${port}`, port, genesis: chain.genesis.hash, spec: specName, specVersion }
  process.stdout.write(JSON.stringify({ ready: true, ...facts, head: chain.head.number }) + '\n')
}

function endOn({ chain, stop }, options) {
  let ending = false
  const end = () => {
    if (ending) return
    ending = true
    stop()
    if (options.save) save(chain, options.save)
    // The logger would wait for its thread, half a second in which it has nothing to write.
    if (options.log === 'silent') process.removeAllListeners('exit')
    process.exit(0)
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  if (options.lifeline) process.stdin.on('end', end).on('close', end).on('error', end).resume()
}

try {
  const options = readOptions()
  if (options.help) {
    console.log(USAGE)
    process.exit(0)
  }
  defaultLogger.level = options.log
  const running = await start(options)
  endOn(running, options)
  await announce(running)
} catch (error) {
  const isExpected = error instanceof UsageError || error.code === 'EADDRINUSE'
  console.error(isExpected ? `devnet: ${error.message}` : error)
  if (error.showUsage) console.error(`\n${USAGE}`)
  process.exit(error instanceof UsageError ? 2 : 1)
}
