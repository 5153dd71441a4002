// The page that checks a proof: files in, findings shown. The checking itself is proof.js's.
import { MAX_PROOF, checkProof, hex, octets } from './proof.js'

const page = document.querySelector('#verify')
const input = page.querySelector('input[type="file"]')
const drop = page.querySelector('.drop')
const result = page.querySelector('#result')

/** An element with attributes, and text or elements in it; nothing is ever read as markup. */
function el(name, attributes = {}, ...inside) {
  const found = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) found.setAttribute(key, value)
  found.append(...inside)
  return found
}

const hint = (text) => el('span', { class: 'hint' }, text)

function table(caption, heads, rows) {
  const head = el('tr', {}, ...heads.map((text) => el('th', { scope: 'col' }, text)))
  return el('div', { class: 'scroll', role: 'region', 'aria-label': caption, tabindex: '0' },
    el('table', {}, el('caption', {}, caption), el('thead', {}, head), el('tbody', {}, ...rows)))
}

const row = (title, ...cells) => el('tr', {}, el('th', { scope: 'row' }, title),
  ...cells.map((cell) => (cell instanceof Node && cell.nodeName === 'TD' ? cell : el('td', {}, cell))))

// --- What it says ----------------------------------------------------------------------

const UNITS = {
  uptime_ppm: (value) => `${(value / 10000).toFixed(4)} %`,
  p50_us: millis, p95_us: millis, p99_us: millis,
}

function millis(value) {
  return `${(value / 1000).toFixed(1)} ms`
}

function meaning({ name, value }) {
  if (value === undefined) return hint('none')
  if (name === 'times_us') return longer(`${value.length} response times`, value.join(' '))
  if (name === 'verdicts' || name === 'statuses') return longer(`${value.length} slots of five minutes`, value)
  const text = el('span', {}, el('b', {}, String(value)))
  if (UNITS[name]) text.append(' ', hint(UNITS[name](value)))
  return text
}

function longer(brief, whole) {
  return el('details', {}, el('summary', {}, brief), el('code', { class: 'bytes' }, whole))
}

function bytesOf(all, { start, end }) {
  const text = hex(all.subarray(start, end)).slice(2).replace(/..(?=.)/g, '$& ')
  return end - start > 40 ? longer(`${end - start} bytes`, text) : el('code', { class: 'bytes' }, text)
}

const placeOf = ({ start, end }) => (end - start > 1 ? `${start}–${end - 1}` : `${start}`)

function rowTable(proof, parts) {
  const all = octets(proof.row)
  return table('The row: its bytes (SCALE), and what they mean', ['Field', 'At', 'Bytes', 'Meaning'],
    parts.map((part) => row(part.name, placeOf(part), bytesOf(all, part), meaning(part))))
}

const code = (text) => el('code', { class: 'bytes whole' }, text)

function treeTable({ leaf, steps, root }) {
  return table('From the leaf to the root (blake2b-256)', ['Step', 'The hash beside it', 'Together'], [
    row('leaf', hint('0x00 and the row’s bytes'), code(leaf)),
    ...steps.map((step, at) => row(`${at + 1}, ${step.side}`, code(step.beside), code(step.result))),
    row('root', hint('what the steps lead to'), code(root)),
  ])
}

function stepList(steps) {
  return el('ol', { class: 'proofsteps' }, ...steps.map((step) =>
    el('li', { class: step.holds ? 'ok' : 'bad' },
      el('b', {}, step.name), ' ', el('span', { class: `badge ${step.holds ? 'ok' : 'bad'}` }, step.holds ? 'holds' : 'refused'),
      el('br'), step.said)))
}

// --- What the server's ledger says ------------------------------------------------------

/** The words on chain under which the proof's root stands, by this server; none where it has none. */
function wordsOf(day, proof, fields) {
  if (proof.kind === 'report') return day.root === proof.root && day.rows === proof.size ? day.reports.filter((word) => word.root === proof.root) : []
  return day.observations.filter((word) => word.account === fields.oracle && word.root === proof.root && word.rows === proof.size)
}

function wordTable(words) {
  return table('Where oracles said this root on chain', ['Oracle', 'Extrinsic', 'Block hash', 'Look it up'], words.map((word) => {
    const links = word.explorers.map((url) => el('a', { href: url, rel: 'noreferrer' }, new URL(url).hostname))
    const found = links.length ? el('td', { class: 'words' }, ...links.flatMap((link) => [link, ' '])) : hint('no public explorer knows this chain')
    const place = `${word.at.block}${word.extrinsic === null ? '' : `-${word.extrinsic}`}`
    return row(el('code', {}, word.oracle), place, word.block_hash ? code(word.block_hash) : hint('not known'), found)
  }))
}

async function ledgerPart(proof, fields) {
  const answer = await fetch(`/api/v1/days/${proof.day}`)
  if (!answer.ok) {
    const { detail } = await answer.json()
    return { stands: null, part: el('p', { class: 'note' }, `This server does not tell what stands for ${proof.day}: ${detail}`) }
  }
  const day = await answer.json()
  const words = wordsOf(day, proof, fields)
  if (!words.length) {
    const other = proof.kind === 'report' && day.root ? ` By it, ${day.root} over ${day.rows} rows stands.` : ''
    return { stands: false, part: el('p', { class: 'alert' }, `By this server’s ledger, no ${proof.kind} of ${proof.day} with this root counts.${other}`) }
  }
  const said = proof.kind === 'report' ? `${words.length} oracles reported it, ${day.quorum} had to` : 'its oracle committed to it'
  return { stands: true, part: el('div', {}, el('p', {}, `By this server’s ledger this root stands for ${proof.day}: ${said}.`), wordTable(words)) }
}

// --- Checking --------------------------------------------------------------------------

let turn = 0

/** Checks `bytes` and shows what was found. `asked` are fields that the row must have. */
async function show(bytes, name, asked = {}) {
  const own = ++turn
  const found = checkProof(bytes)
  const { proof, row: decoded } = found
  if (found.holds) {
    const other = Object.entries(asked).find(([field, value]) => String(decoded.fields[field]) !== value)
    if (other) {
      found.holds = false
      found.steps.push({ name: 'It is the proof that was asked for', holds: false, said: `${other[0]} is ${decoded.fields[other[0]]}, asked for was ${other[1]}` })
    }
  }
  let ledger = null
  if (found.holds) {
    try {
      ledger = await ledgerPart(proof, decoded.fields)
    } catch (error) {
      ledger = { stands: null, part: el('p', { class: 'note' }, `The server does not answer: ${error.message}`) }
    }
  }
  if (own !== turn) return // another file was given meanwhile
  const verdict = !found.holds ? ['bad', 'Refused', found.steps.at(-1).said]
    : ledger.stands === false ? ['bad', 'Another root', 'The row is under the root that the file names, but by this server’s ledger that root does not count.']
    : ledger.stands ? ['ok', 'Holds', 'The row is under the root that the file names, and by this server’s ledger that root counts.']
    : ['warn', 'Holds in itself', 'The row is under the root that the file names. Whether oracles reported that root is not known here.']
  const heading = el('h2', { tabindex: '-1' }, `${verdict[1]}: ${name}`)
  result.replaceChildren(
    el('div', { class: `verdict ${verdict[0]}`, role: 'status' }, heading, el('p', {}, verdict[2])),
    stepList(found.steps),
    ...(decoded ? [rowTable(proof, decoded.parts)] : []),
    ...(found.tree ? [treeTable(found.tree)] : []),
    ...(ledger ? [el('h2', {}, 'What this server’s ledger says of the root'), ledger.part] : []),
  )
  heading.focus()
}

function fail(name, error) {
  turn++
  const heading = el('h2', { tabindex: '-1' }, `Not checked: ${name}`)
  result.replaceChildren(el('div', { class: 'verdict bad', role: 'status' }, heading, el('p', {}, error.message)))
  heading.focus()
}

async function given(file) {
  try {
    // one byte more than it may have: no file is too large to refuse
    await show(new Uint8Array(await file.slice(0, MAX_PROOF + 1).arrayBuffer()), file.name)
  } catch (error) {
    fail(file.name, error)
  }
}

async function fetched({ proof: url, ...asked }) {
  try {
    const answer = await fetch(url)
    if (!answer.ok) throw new Error((await answer.json()).detail)
    await show(new Uint8Array(await answer.arrayBuffer()), page.dataset.name, asked)
  } catch (error) {
    fail(page.dataset.name, error)
  }
}

input.addEventListener('change', () => {
  if (input.files.length) given(input.files[0])
  input.value = '' // the same file may be given again
})
for (const kind of ['dragenter', 'dragover']) {
  drop.addEventListener(kind, (event) => {
    event.preventDefault()
    drop.classList.add('over')
  })
}
drop.addEventListener('dragleave', () => drop.classList.remove('over'))
drop.addEventListener('drop', (event) => {
  event.preventDefault()
  drop.classList.remove('over')
  if (event.dataTransfer.files.length) given(event.dataTransfer.files[0])
})
drop.hidden = false
document.querySelector('#unscripted').remove()
if (page.dataset.proof) {
  const { proof, member, day, service, milestone } = page.dataset
  const asked = { proof, member, day, ...(service ? { service } : { milestone }) }
  fetched(asked)
}
