"""A part of one block's state, proven whole against the state root in its header.

An excerpt holds the trie nodes under chosen key prefixes. That each value is right follows from the
hashes; that none is missing follows from walking the trie: whoever leaves out an entry leaves out a
node that another one names. So nobody who hands an excerpt on needs to be trusted, once the header
is known to be of the chain, as by the parent hash of the next block.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from ibp_chain.blocks import Header, blake2_256
from ibp_chain.errors import CheckFailed, DecodeError, InputError
from ibp_chain.files import read_bounded, write_whole
from ibp_chain.headers import decode_header
from ibp_chain.packed import PackedError, pack, unpack
from ibp_chain.scale import schema
from ibp_chain.scale.primitives import decode_compact
from ibp_chain.trie import EMPTY_ROOT, decode_node
from ibp_chain.types import Hash

MAX_BYTES = 1 << 30
"""Of a file and of what it holds: all votes, locks and multisigs of Polkadot are a tenth."""
_MAGIC = b"IBP state excerpt 1\n"
_CONTENT = schema.sequence(schema.octets, schema.vec(schema.octets))
"""The encoded header; the trie nodes, sorted."""
_SHORTEST_NODE = 2
_MAX_NIBBLES = 1_024
"""Of a key: none that a runtime writes is half as long."""
_KEYS_AT_ONCE = 64
_VISITS_PER_NODE = 4


class ProvingNode(Protocol):
    """What reading an excerpt asks of `ibp_chain.source.NodeSource`."""

    def keys(self, prefix: bytes, at: Hash) -> Iterator[bytes]: ...

    def read_proof(self, keys: Sequence[bytes], at: Hash) -> tuple[bytes, ...]: ...


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Trie nodes of the post-state of the block that `header` is of."""

    header: Header
    nodes: Mapping[Hash, bytes]
    """By hash. Values that stand in their node as a hash are among them."""

    def entries(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Every (key, value) of the state whose key starts with `prefix`, ascending.

        Raises `CheckFailed` where a node is missing, `DecodeError` for a malformed one.
        """
        return _walk(self.header.state_root, prefix, self.nodes, set())

    def value(self, key: bytes) -> bytes | None:
        """What `key` has; None where it is proven to have nothing. Raises as `entries`."""
        return next((value for found, value in self.entries(key) if found == key), None)

    def encode(self) -> bytes:
        """As a file holds it."""
        return _MAGIC + pack(_CONTENT.encode((self.header.encoded, sorted(self.nodes.values()))))

    def write(self, path: Path) -> None:
        """Whole or not at all."""
        write_whole(path, self.encode())


def decode_excerpt(data: bytes, name: str) -> Excerpt:
    """What `encode` made; nothing is proven yet. Raises `InputError` that says `name`."""
    if not data.startswith(_MAGIC):
        raise InputError(f"{name}: not a state excerpt")
    try:
        header, nodes = _content(unpack(data[len(_MAGIC) :], MAX_BYTES))
        return Excerpt(header, {blake2_256(node): node for node in nodes})
    except (PackedError, DecodeError) as error:
        raise InputError(f"{name}: damaged: {error}") from error


def _content(raw: bytes) -> tuple[Header, list[bytes]]:
    """`_CONTENT`, refused at the first node that is too short: a bomb would be made of such."""
    header, offset = schema.octets.decode_at(raw, 0)
    count, offset = decode_compact(raw, offset)
    nodes = []
    for _ in range(count):
        node, end = schema.octets.decode_at(raw, offset)
        if len(node) < _SHORTEST_NODE:
            raise DecodeError(f"a trie node of {len(node)} bytes", offset)
        nodes.append(node)
        offset = end
    if offset != len(raw):
        raise DecodeError(f"{len(raw) - offset} bytes too many", offset)
    return decode_header(header), nodes


def read_excerpt_file(path: Path) -> Excerpt:
    """Raises `InputError` for a file that cannot be read or is no excerpt."""
    return decode_excerpt(read_bounded(path, MAX_BYTES, InputError), str(path))


def fetch_excerpt(
    node: ProvingNode,
    header: Header,
    prefixes: Iterable[bytes],
    progress: Callable[[int], object] = lambda _: None,
) -> Excerpt:
    """Everything under `prefixes` after the block of `header`.

    `progress` hears how many entries there are so far. Raises `CheckFailed` where the node's proofs
    do not hold or leave something out, `SourceError` as the node does.
    """
    kept, done = dict[Hash, bytes](), 0
    for prefix in prefixes:
        nodes, used = dict[Hash, bytes](), set[Hash]()
        for page in _pages(node.keys(prefix, header.hash)):
            # of no key, what proves that there is none
            proof = node.read_proof(page or [prefix], header.hash)
            nodes.update((blake2_256(raw), raw) for raw in proof)
        for _ in _walk(header.state_root, prefix, nodes, used):
            done += 1
        progress(done)
        kept.update((digest, nodes[digest]) for digest in used)
    return Excerpt(header, kept)


def _pages(keys: Iterator[bytes]) -> Iterator[list[bytes]]:
    """At least one page, which may be empty."""
    page = list(islice(keys, _KEYS_AT_ONCE))
    yield page
    while page := list(islice(keys, _KEYS_AT_ONCE)):
        yield page


def _walk(
    root: Hash, prefix: bytes, nodes: Mapping[Hash, bytes], used: set[Hash]
) -> Iterator[tuple[bytes, bytes]]:
    """Entries under `prefix` of the trie with `root`; `used` collects the nodes that it took."""
    wanted, visits = prefix.hex(), _VISITS_PER_NODE * len(nodes)

    def take(digest: bytes) -> bytes:
        # equal nodes are legitimately met twice; a forged trie could be a maze of them
        nonlocal visits
        visits -= 1
        node = nodes.get(Hash(digest))
        if node is None or visits < 0:
            wrong = "is missing" if node is None else "is named too often"
            raise CheckFailed(
                f"state excerpt under key prefix 0x{prefix.hex()} of state root 0x{root.hex()}: "
                f"trie node 0x{digest.hex()} {wrong}"
            )
        used.add(Hash(digest))
        return node

    waiting = [] if root == EMPTY_ROOT else [(bytes(root), "")]
    while waiting:
        reference, path = waiting.pop()
        node = decode_node(take(reference) if len(reference) == 32 else reference)
        path += node.partial
        if len(path) > _MAX_NIBBLES:
            raise DecodeError(f"trie node: a key of more than {_MAX_NIBBLES} nibbles")
        if not (path.startswith(wanted) or wanted.startswith(path)):
            continue
        if node.value is not None and path.startswith(wanted):
            if len(path) % 2:
                raise DecodeError(f"trie node: a value under the odd key {path}")
            yield bytes.fromhex(path), take(node.value) if node.value_is_hash else node.value
        for nibble in sorted(node.children, reverse=True):  # the last one in is the first out
            below = path + nibble
            if below.startswith(wanted) or wanted.startswith(below):
                waiting.append((node.children[nibble], below))
