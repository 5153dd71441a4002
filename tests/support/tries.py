"""Small state tries with all their nodes, layout V0: written apart from `ibp_chain.trie`."""

from collections.abc import Mapping

from ibp_chain.blocks import blake2_256
from ibp_chain.scale.primitives import encode_compact
from ibp_chain.types import Hash

_LEAF, _BRANCH, _BRANCH_WITH_VALUE = 0x40, 0x80, 0xC0


def trie_of(entries: Mapping[bytes, bytes]) -> tuple[Hash, dict[Hash, bytes]]:
    """The root, and every node that is not part of another one."""
    nodes: dict[Hash, bytes] = {}
    root = _node({key.hex(): value for key, value in entries.items()}, nodes)
    nodes[blake2_256(root)] = root
    return blake2_256(root), nodes


def _node(entries: Mapping[str, bytes], nodes: dict[Hash, bytes]) -> bytes:
    first, last = min(entries), max(entries)
    shared = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), None)
    partial = first if shared is None else first[:shared]
    if len(entries) == 1:
        return _header(_LEAF, first) + _octets(entries[first])
    value = entries.get(partial)
    children = b""
    bitmap = 0
    for nibble in "0123456789abcdef":
        start = partial + nibble
        below = {k[len(start) :]: v for k, v in entries.items() if k.startswith(start)}
        if not below:
            continue
        bitmap |= 1 << int(nibble, 16)
        child = _node(below, nodes)
        if len(child) >= 32:
            nodes[blake2_256(child)] = child
            child = blake2_256(child)
        children += _octets(child)
    kind = _BRANCH if value is None else _BRANCH_WITH_VALUE
    own = b"" if value is None else _octets(value)
    return _header(kind, partial) + bitmap.to_bytes(2, "little") + own + children


def _header(kind: int, partial: str) -> bytes:
    size, nibbles = len(partial), bytes.fromhex(partial if len(partial) % 2 == 0 else "0" + partial)
    if size < 63:
        return bytes((kind | size,)) + nibbles
    assert size - 63 < 255, "a key of a test is not that long"
    return bytes((kind | 63, size - 63)) + nibbles


def _octets(raw: bytes) -> bytes:
    return encode_compact(len(raw)) + raw
