// Storage as Substrate's Merkle-Patricia trie (sp_trie's LayoutV0 and LayoutV1), persistent: a
// change makes new nodes along one path and shares the rest, so every block keeps its own state,
// its root and its read proofs, and forks cost nothing.
//
// Keys and values are 0x hex strings, as chopsticks has them. ibp_chain/trie.py is an independent
// implementation, tests/e2e/test_devnet.py compares them.
import { compactToU8a, hexToU8a, u8aConcat, u8aToHex } from '@polkadot/util'
import { blake2AsU8a } from '@polkadot/util-crypto'

const HASHED_VALUE_FROM = 33
const NO_CHILDREN = Object.freeze(new Array(16).fill(null))
const KINDS = {
  leaf: { prefix: 0b0100_0000, maskBits: 2 },
  branch: { prefix: 0b1000_0000, maskBits: 2 },
  branchWithValue: { prefix: 0b1100_0000, maskBits: 2 },
  hashedLeaf: { prefix: 0b0010_0000, maskBits: 3 },
  hashedBranch: { prefix: 0b0001_0000, maskBits: 4 },
}
const hash = (bytes) => blake2AsU8a(bytes, 256)
const EMPTY_ROOT = u8aToHex(hash(new Uint8Array([0])))

class Node {
  #encoded
  #reference
  #valueBytes

  constructor(partial, value, children, version) {
    Object.assign(this, { partial, value, children, version })
  }

  get isLeaf() {
    return this.children === NO_CHILDREN
  }

  get valueBytes() {
    return (this.#valueBytes ??= hexToU8a(this.value))
  }

  get isHashed() {
    return (
      this.version === 1 && this.value !== undefined && this.value.length >= 2 + 2 * HASHED_VALUE_FROM
    )
  }

  get encoded() {
    return (this.#encoded ??= this.#encode())
  }

  // What the parent holds: the whole encoding when it is short, its hash otherwise.
  get reference() {
    return (this.#reference ??= this.encoded.length < 32 ? this.encoded : hash(this.encoded))
  }

  #encode() {
    const kind = this.isLeaf
      ? this.isHashed ? KINDS.hashedLeaf : KINDS.leaf
      : this.isHashed
        ? KINDS.hashedBranch
        : this.value === undefined ? KINDS.branch : KINDS.branchWithValue
    const parts = [encodePartial(kind, this.partial)]
    if (!this.isLeaf) {
      const bitmap = this.children.reduce((bits, child, i) => (child ? bits | (1 << i) : bits), 0)
      parts.push(new Uint8Array([bitmap & 0xff, bitmap >> 8]))
    }
    if (this.isHashed) parts.push(hash(this.valueBytes))
    else if (this.value !== undefined) parts.push(withLength(this.valueBytes))
    for (const child of this.children) if (child) parts.push(withLength(child.reference))
    return u8aConcat(...parts)
  }
}

const withLength = (bytes) => u8aConcat(compactToU8a(bytes.length), bytes)

function encodePartial({ prefix, maskBits }, partial) {
  const size = partial.length
  const full = 0xff >> maskBits
  const header = [prefix | Math.min(size, full)]
  if (size >= full) {
    let rest = size - full
    for (; rest >= 255; rest -= 255) header.push(255)
    header.push(rest)
  }
  return u8aConcat(new Uint8Array(header), hexToU8a('0x' + (size % 2 ? '0' + partial : partial)))
}

function sharedLength(a, b) {
  let i = 0
  while (i < a.length && i < b.length && a[i] === b[i]) i++
  return i
}

const withChild = (children, nibble, child) => {
  const copy = children.slice()
  copy[parseInt(nibble, 16)] = child
  return copy.some(Boolean) ? copy : NO_CHILDREN
}
const childOf = (node, nibble) => node.children[parseInt(nibble, 16)]

function insert(node, key, value, version) {
  if (!node) return new Node(key, value, NO_CHILDREN, version)
  const { partial } = node
  const shared = sharedLength(partial, key)
  if (shared < partial.length) {
    const lower = new Node(partial.slice(shared + 1), node.value, node.children, version)
    const split = withChild(NO_CHILDREN, partial[shared], lower)
    return insert(new Node(partial.slice(0, shared), undefined, split, version), key, value, version)
  }
  if (shared === key.length) {
    return node.value === value ? node : new Node(partial, value, node.children, version)
  }
  const child = insert(childOf(node, key[shared]), key.slice(shared + 1), value, version)
  return new Node(partial, node.value, withChild(node.children, key[shared], child), version)
}

function remove(node, key, version) {
  if (!node || !key.startsWith(node.partial)) return node
  const rest = key.slice(node.partial.length)
  if (rest === '') return collapse(node.partial, undefined, node.children, version)
  const child = childOf(node, rest[0])
  const changed = remove(child, rest.slice(1), version)
  if (changed === child) return node
  return collapse(node.partial, node.value, withChild(node.children, rest[0], changed), version)
}

// A node without value and with fewer than two children does not exist: it merges with its child.
function collapse(partial, value, children, version) {
  if (value !== undefined) return new Node(partial, value, children, version)
  const at = children.flatMap((child, i) => (child ? [i] : []))
  if (at.length === 0) return null
  if (at.length > 1) return new Node(partial, value, children, version)
  const child = children[at[0]]
  return new Node(partial + at[0].toString(16) + child.partial, child.value, child.children, version)
}

function* walk(node, above, prefix, after) {
  if (!node) return
  const path = above + node.partial
  const common = Math.min(path.length, prefix.length)
  if (path.slice(0, common) !== prefix.slice(0, common)) return
  if (path < after.slice(0, path.length)) return // everything below sorts before `after`
  if (node.value !== undefined && path.length >= prefix.length && path > after) {
    yield ['0x' + path, node.value]
  }
  for (const [i, child] of node.children.entries()) {
    yield* walk(child, path + i.toString(16), prefix, after)
  }
}

export class Trie {
  #root

  constructor(version, root = null) {
    if (version !== 0 && version !== 1) throw new Error(`unknown state version ${version}`)
    this.version = version
    this.#root = root
  }

  // The state after `changes`, [key, value] pairs or an object; a value of null removes its key.
  with(changes) {
    let root = this.#root
    for (const [key, value] of Array.isArray(changes) ? changes : Object.entries(changes)) {
      const nibbles = key.slice(2).toLowerCase()
      root =
        value === null || value === undefined
          ? remove(root, nibbles, this.version)
          : insert(root, nibbles, value.toLowerCase(), this.version)
    }
    return root === this.#root ? this : new Trie(this.version, root)
  }

  get(key) {
    let rest = key.slice(2).toLowerCase()
    for (let node = this.#root; node; ) {
      if (!rest.startsWith(node.partial)) return undefined
      rest = rest.slice(node.partial.length)
      if (rest === '') return node.value
      node = childOf(node, rest[0])
      rest = rest.slice(1)
    }
    return undefined
  }

  // [key, value] pairs in order, of the keys that start with `prefix` and sort behind `after`.
  entries(prefix = '0x', after = '0x') {
    return walk(this.#root, '', prefix.slice(2).toLowerCase(), after.slice(2).toLowerCase())
  }

  get root() {
    return this.#root ? u8aToHex(hash(this.#root.encoded)) : EMPTY_ROOT
  }

  // The nodes that show what each of `keys` holds, or that it holds nothing.
  proof(keys) {
    const nodes = new Set()
    const add = (bytes) => nodes.add(u8aToHex(bytes))
    for (const key of keys) {
      let rest = key.slice(2).toLowerCase()
      for (let node = this.#root; node; ) {
        if (node === this.#root || node.encoded.length >= 32) add(node.encoded)
        if (!rest.startsWith(node.partial)) break
        rest = rest.slice(node.partial.length)
        if (rest === '') {
          if (node.isHashed) add(node.valueBytes)
          break
        }
        node = childOf(node, rest[0])
        rest = rest.slice(1)
      }
    }
    return [...nodes]
  }
}
