// Signing with what a curator has: a wallet extension of this browser, or Polkadot Vault.
// The key never comes here. What wallets and the server say is put on the page as text only.
const desk = document.getElementById('desk')
const at = (name) => desk.querySelector(`[data-part="${name}"]`)
const curators = desk.dataset.curators.split(' ')
const FIND_MS = 3000
const POLL_MS = 1500
const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

let way = null // {name, signer} of a wallet, {name, signer: null} of Polkadot Vault
let asked = null // what the server answered last
let turn = 0 // answers to what was asked before are not shown any more

class Told extends Error {}

// --- The page ----------------------------------------------------------------------------

function element (tag, text, named) {
  const found = document.createElement(tag)
  if (text !== undefined) found.textContent = text
  if (named !== undefined) found.className = named
  return found
}

// Commands stand between backticks, in the CLI's own sentences.
function written (tag, text, named) {
  const found = element(tag, undefined, named)
  text.split('`').forEach((part, place) => found.append(place % 2 ? element('code', part) : part))
  return found
}

function tell (kind, text) {
  const box = at('told')
  box.className = kind
  box.textContent = text
  box.hidden = false
}

function sentence (error) {
  return `${error instanceof Error ? error.message : error}`.replace(/[.\s]*$/, '') || 'no reason was given'
}

async function step (text, work) {
  const own = ++turn
  const buttons = [...desk.querySelectorAll('button, input, select, textarea')].filter((each) => !each.disabled)
  for (const each of buttons) each.disabled = true
  tell('note', text)
  try {
    await work(() => own === turn)
  } catch (error) {
    if (own === turn) tell('alert', error instanceof Told ? error.message : `This page failed: ${sentence(error)}.`)
  } finally {
    for (const each of buttons) each.disabled = false
  }
}

// --- The server ----------------------------------------------------------------------------

async function call (path, options = {}) {
  let answer
  try {
    answer = await fetch(path, { cache: 'no-store', credentials: 'omit', redirect: 'error', ...options })
  } catch {
    throw new Told('This server did not answer: is it still running?')
  }
  const found = await answer.json().catch(() => null)
  if (!answer.ok) throw new Told(`${sentence(found?.detail ?? `the server answered ${answer.status}`)}.`)
  return found
}

// --- Who signs -----------------------------------------------------------------------------

// The public key in an SS58 address, as hex: one key has another address on each network.
function keyOf (address) {
  let value = 0n
  for (const digit of address) {
    const place = ALPHABET.indexOf(digit)
    if (place < 0) return null
    value = value * 58n + BigInt(place)
  }
  const zeros = address.length - address.replace(/^1+/, '').length
  let hex = value === 0n ? '' : value.toString(16)
  hex = '00'.repeat(zeros) + (hex.length % 2 ? '0' : '') + hex
  const bytes = hex.length / 2
  return bytes < 35 || bytes > 36 ? null : hex.slice((bytes - 34) * 2, (bytes - 2) * 2)
}

function offer (accounts) {
  const who = at('who')
  who.replaceChildren()
  for (const { address, name } of accounts) {
    const option = element('option', name ? `${name}: ${address}` : address)
    option.value = address
    who.append(option)
  }
  at('account').hidden = accounts.length === 0
}

async function choose (button, name, connect) {
  clear()
  offer([])
  for (const other of at('ways').children) other.setAttribute('aria-pressed', String(other === button))
  await step(`Waiting for ${name}: it may ask whether this page may see your accounts.`, async (current) => {
    const chosen = await connect()
    if (!current()) return
    way = { name, signer: chosen.signer }
    if (chosen.accounts.length === 0) {
      throw new Told(`${name} shows no account of a curator of this multisig. Let it show yours to this page, or choose another.`)
    }
    offer(chosen.accounts)
    tell('note', 'Choose the account, then have the server say what there is to sign.')
  })
}

const asVault = async () => ({ signer: null, accounts: curators.map((address) => ({ address })) })

function asWallet (name, wallet) {
  return async () => {
    let injected
    let accounts
    try {
      injected = await wallet.enable('IBP ledger')
      accounts = await injected.accounts.get()
    } catch (error) {
      throw new Told(`${name} did not let this page see its accounts: ${sentence(error)}.`)
    }
    const own = new Map(curators.map((address) => [keyOf(address), address]))
    const found = accounts
      .filter((each) => own.has(keyOf(`${each.address}`)))
      .map((each) => ({ address: own.get(keyOf(`${each.address}`)), name: each.name }))
    return { signer: injected.signer, accounts: found }
  }
}

// Extensions put themselves there when they like, some after this script has run.
function find (known, until) {
  for (const [name, wallet] of Object.entries(window.injectedWeb3 ?? {})) {
    if (known.has(name) || typeof wallet?.enable !== 'function') continue
    known.add(name)
    const button = element('button', name)
    button.type = 'button'
    button.setAttribute('aria-pressed', 'false')
    button.addEventListener('click', () => choose(button, name, asWallet(name, wallet)))
    at('ways').prepend(button)
  }
  at('nothing').hidden = known.size > 0
  if (performance.now() < until) setTimeout(find, 200, known, until)
}

// --- What there is to sign -------------------------------------------------------------------

function clear () {
  asked = null
  way = null
  at('asked').hidden = true
  at('told').hidden = true
}

function show () {
  const rows = asked.compare.map(({ field, said, device }) => {
    const row = element('tr')
    const head = element('th', field)
    head.scope = 'row'
    const value = element('td')
    value.append(element('code', said))
    value.dataset.label = 'Said here'
    const other = element('td', device)
    other.dataset.label = 'On the device'
    row.append(head, value, other)
    return row
  })
  at('compare').replaceChildren(...rows)
  at('notes').replaceChildren(...asked.notes.map((each) => written('p', each, 'missing')))
  const count = asked.approved.length
  at('approved').textContent = count === 0
    ? 'By the node nobody has approved it yet: this signature opens the operation, and its deposit is reserved from who signs.'
    : `By the node ${count} of ${asked.threshold} approvals are there, of ${asked.approved.join(', ')}${count + 1 >= asked.threshold ? ': this signature executes it.' : '.'}`
  at('wallet').hidden = way.signer === null
  at('vault').hidden = way.signer !== null
  at('sign').textContent = `Sign with ${way.name}`
  at('signature').value = ''
  if (asked.vault !== null) frame(-1)
  at('asked').hidden = false
}

let shown = -1 // of the static frames; -1 for all of them, moving

function frame (number) {
  const { frames, moving } = asked.vault
  const single = frames.length === 1
  shown = single ? 0 : (number + frames.length + 1) % (frames.length + 1)
  if (!single && shown === frames.length) shown = -1
  const moves = shown === -1
  at('code').src = `data:image/svg+xml,${encodeURIComponent(moves ? moving : frames[shown])}`
  at('code').alt = moves ? 'All frames of the payload, moving' : `Frame ${shown + 1} of ${frames.length}`
  at('frame').textContent = single ? 'One code holds all of it' : moves ? `${frames.length} frames, moving` : `frame ${shown + 1} of ${frames.length}`
  at('turning').hidden = single
}

async function prepare () {
  const address = at('who').value
  at('asked').hidden = true
  await step('Asking what there is to sign: the bundle, the ledger and the node are looked at.', async (current) => {
    const vault = way.signer === null
    const found = await call(`${desk.dataset.payload}?address=${encodeURIComponent(address)}&vault=${vault}&without_metadata_hash=${at('plain').checked}`)
    if (!current()) return
    asked = found
    show()
    tell('note', vault
      ? 'Scan with Polkadot Vault, compare there, then paste what it shows when it has signed.'
      : `Nothing is signed yet. ${way.name} opens its own window: compare there, not here.`)
  })
}

// --- Signing and sending ---------------------------------------------------------------------

async function signHere () {
  const { payload } = asked
  await step(`Waiting for ${way.name}: compare what it shows, then sign or reject there.`, async (current) => {
    let result
    try {
      result = await way.signer.signPayload(structuredClone(payload))
    } catch (error) {
      throw new Told(`${way.name} did not sign: ${sentence(error)}. Nothing was sent.`)
    }
    if (!current()) return
    const { signature, signedTransaction } = result ?? {}
    await send(payload, {
      signature: signature === undefined ? null : `${signature}`,
      signedTransaction: textOf(signedTransaction)
    }, current)
  })
}

// Some wallets hand a Uint8Array over where others hand hex.
function textOf (transaction) {
  if (transaction === undefined || transaction === null) return null
  if (!(transaction instanceof Uint8Array)) return `${transaction}`
  return '0x' + Array.from(transaction, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

async function sendPasted () {
  const { payload } = asked
  const signature = at('signature').value
  await step('Checking the signature.', (current) => send(payload, { signature, signedTransaction: null }, current))
}

async function send (payload, signed, current) {
  tell('note', 'Signed. The server checks it, then hands it to the node.')
  let sent = await call(desk.dataset.submissions, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ bundle: desk.dataset.bundle, payload, ...signed })
  })
  at('asked').hidden = true
  const path = `${desk.dataset.submissions}/${encodeURIComponent(sent.id)}`
  while (sent.state === 'waiting') {
    if (!current()) return
    tell('note', `${sent.message} Extrinsic ${sent.extrinsic}.`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    sent = await call(path)
  }
  if (!current()) return
  const well = sent.state === 'approved' || sent.state === 'executed'
  tell(well ? 'done' : 'alert', `${sent.message} ${well ? 'This page shows it once the ledger has that block: load it again. ' : ''}Extrinsic ${sent.extrinsic}.`)
}

const vault = element('button', 'Polkadot Vault')
vault.type = 'button'
vault.setAttribute('aria-pressed', 'false')
vault.addEventListener('click', () => choose(vault, 'Polkadot Vault', asVault))
at('ways').append(vault)
at('prepare').addEventListener('click', prepare)
at('sign').addEventListener('click', signHere)
at('send').addEventListener('click', sendPasted)
at('before').addEventListener('click', () => frame(shown === -1 ? asked.vault.frames.length - 1 : shown - 1))
at('after').addEventListener('click', () => frame(shown + 1))
for (const name of ['who', 'plain']) at(name).addEventListener('change', () => { at('asked').hidden = true })
desk.hidden = false
find(new Set(), performance.now() + FIND_MS)
