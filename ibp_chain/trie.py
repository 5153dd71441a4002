"""Substrate's Merkle-Patricia tries: extrinsics roots, and read proofs against a state root.

Mirrors: `sp_trie` (`LayoutV0`, `LayoutV1`, node codec), over blake2b-256. In layout V1 a value of
33 bytes or more stands in its node as a hash, and is a node of its own in a proof.

Contract: pure; nothing recurses, so neither long keys nor hostile nodes exhaust the stack.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from ibp_chain.blocks import blake2_256
from ibp_chain.errors import CheckFailed, DecodeError
from ibp_chain.scale.primitives import decode_compact, encode_compact
from ibp_chain.types import Hash

EMPTY_ROOT = blake2_256(b"\0")
"""Of a trie without entries, in both layouts."""

_HASHED_VALUE_FROM = 33
_MAX_NIBBLES = 0xFFFF
_SHORT_BODY = 64
"""Extrinsics whose index is one byte in compact form: nearly every block has fewer."""


class _Kind(NamedTuple):
    """What a node header says, by `trie_constants`."""

    prefix: int
    mask_bits: int
    is_branch: bool
    has_value: bool
    is_hashed: bool


_LEAF = _Kind(0b0100_0000, 2, is_branch=False, has_value=True, is_hashed=False)
_BRANCH = _Kind(0b1000_0000, 2, is_branch=True, has_value=False, is_hashed=False)
_BRANCH_WITH_VALUE = _Kind(0b1100_0000, 2, is_branch=True, has_value=True, is_hashed=False)
_HASHED_LEAF = _Kind(0b0010_0000, 3, is_branch=False, has_value=True, is_hashed=True)
_HASHED_BRANCH = _Kind(0b0001_0000, 4, is_branch=True, has_value=True, is_hashed=True)
_KINDS = (_LEAF, _BRANCH, _BRANCH_WITH_VALUE, _HASHED_LEAF, _HASHED_BRANCH)


def extrinsics_root(extrinsics: Sequence[bytes], state_version: int = 0) -> Hash:
    """The ordered trie root of a block's body: compact indices to encoded extrinsics.

    `extrinsics` carry their length prefix, as in a block. Mirrors
    `frame_system::extrinsics_data_root`; its layout is V1 only from `system_version` 2 on.
    """
    if 0 < len(extrinsics) <= _SHORT_BODY and state_version in (0, 1):
        return _short_body_root(extrinsics, state_version)
    return trie_root(
        ((encode_compact(index), raw) for index, raw in enumerate(extrinsics)), state_version
    )


def _short_body_root(extrinsics: Sequence[bytes], state_version: int) -> Hash:
    """As `trie_root`, for a body whose every key is one byte, `index << 2`: four of them share the
    upper nibble, and the lower one is 0, 4, 8 or 12.
    """
    if len(extrinsics) == 1:
        return blake2_256(_encode_leaf("00", extrinsics[0], state_version))
    leaves = [_reference(_bare_leaf(value, state_version)) for value in extrinsics]
    if len(leaves) <= 4:
        return blake2_256(b"".join((_FOUR_AND_NO_MORE, _BITMAPS[len(leaves)], *leaves)))
    fours = [leaves[at : at + 4] for at in range(0, len(leaves), 4)]
    children = [_reference(b"".join((_FOUR, _BITMAPS[len(four)], *four))) for four in fours]
    if len(fours[-1]) == 1:  # without siblings, a leaf one level up
        children[-1] = _reference(_encode_leaf("0", extrinsics[-1], state_version))
    bitmap = (1 << len(fours)) - 1
    return blake2_256(b"".join((_FOUR, bitmap.to_bytes(2, "little"), *children)))


def _bare_leaf(value: bytes, state_version: int) -> bytes:
    """`_encode_leaf` whose whole key stands in the nodes above."""
    if state_version and len(value) >= _HASHED_VALUE_FROM:
        return _BARE_HASHED_LEAF + blake2b(value, digest_size=32).digest()
    return _BARE_LEAF + encode_compact(len(value)) + value


def _reference(node: bytes) -> bytes:
    """How a branch names a child: by its hash, or as it is where that is shorter."""
    if len(node) < 32:
        return bytes((len(node) << 2,)) + node
    return _HASH_LENGTH + blake2b(node, digest_size=32).digest()


def trie_root(entries: Iterable[tuple[bytes, bytes]], state_version: int) -> Hash:
    """The root over `entries`, (key, value) in any order, in layout V0 or V1.

    Raises `ValueError` for a key that occurs twice, a key of more than 32,767 bytes and another
    layout.
    """
    if state_version not in (0, 1):
        raise ValueError(f"state version {state_version} is neither 0 nor 1")
    items = sorted((key.hex(), value) for key, value in entries)
    if not items:
        return EMPTY_ROOT
    open_branches: list[_Branch] = []
    last = len(items) - 1
    for position, (key, value) in enumerate(items):
        if len(key) > _MAX_NIBBLES:
            raise ValueError(f"a trie key has at most {_MAX_NIBBLES // 2} bytes")
        shared = _shared_length(key, items[position + 1][0]) if position < last else -1
        if position < last and shared == len(key) == len(items[position + 1][0]):
            raise ValueError(f"key 0x{key} occurs twice")
        if shared == len(key):  # the next key goes on behind this one
            open_branches.append(_Branch(shared, value))
            continue
        if shared > (open_branches[-1].depth if open_branches else -1):
            open_branches.append(_Branch(shared, None))
        depth = open_branches[-1].depth if open_branches else -1
        node = _encode_leaf(key[depth + 1 :], value, state_version)
        if not open_branches:
            return blake2_256(node)
        open_branches[-1].attach(key, node)
        while open_branches[-1].depth > shared:
            branch = open_branches.pop()
            if shared > (open_branches[-1].depth if open_branches else -1):
                open_branches.append(_Branch(shared, None))
            depth = open_branches[-1].depth if open_branches else -1
            node = branch.encode(key[depth + 1 : branch.depth], state_version)
            if not open_branches:
                return blake2_256(node)
            open_branches[-1].attach(key, node)
    raise AssertionError("the last key closes every branch")


class _Branch:
    """A branch whose children are still being found; `depth` nibbles lead to it.

    `children` are as `_reference` writes them.
    """

    __slots__ = ("children", "depth", "value")

    def __init__(self, depth: int, value: bytes | None) -> None:
        self.depth, self.value = depth, value
        self.children: list[bytes | None] = [None] * 16

    def attach(self, key: str, node: bytes) -> None:
        self.children[int(key[self.depth], 16)] = _reference(node)

    def encode(self, partial: str, state_version: int) -> bytes:
        if self.value is None:
            kind, value = _BRANCH, b""
        elif state_version and len(self.value) >= _HASHED_VALUE_FROM:
            kind, value = _HASHED_BRANCH, blake2_256(self.value)
        else:
            kind, value = _BRANCH_WITH_VALUE, encode_compact(len(self.value)) + self.value
        present = [child for child in self.children if child is not None]
        bitmap = sum(1 << index for index, child in enumerate(self.children) if child is not None)
        return b"".join(
            (
                _encode_partial(kind, partial),
                bitmap.to_bytes(2, "little"),
                value,
                *present,
            )
        )


def _encode_leaf(partial: str, value: bytes, state_version: int) -> bytes:
    if state_version and len(value) >= _HASHED_VALUE_FROM:
        return _encode_partial(_HASHED_LEAF, partial) + blake2_256(value)
    return _encode_partial(_LEAF, partial) + encode_compact(len(value)) + value


def _encode_partial(kind: _Kind, partial: str) -> bytes:
    """Node header and partial key; mirrors `size_and_prefix_iterator`."""
    size, full = len(partial), 0xFF >> kind.mask_bits
    nibbles = bytes.fromhex(partial if size % 2 == 0 else "0" + partial)
    if size < full:
        return bytes((kind.prefix | size,)) + nibbles
    times, rest = divmod(size - full, 255)
    return bytes((kind.prefix | full, *(255,) * times, rest)) + nibbles


_BARE_LEAF, _BARE_HASHED_LEAF = _encode_partial(_LEAF, ""), _encode_partial(_HASHED_LEAF, "")
_FOUR, _FOUR_AND_NO_MORE = _encode_partial(_BRANCH, ""), _encode_partial(_BRANCH, "0")
_BITMAPS = tuple(bytes((mask & 0xFF, mask >> 8)) for mask in (0, 0x1, 0x11, 0x111, 0x1111))
"""Of a branch with none to four leaves, at nibbles 0, 4, 8 and 12."""
_HASH_LENGTH = encode_compact(32)


def _shared_length(left: str, right: str) -> int:
    for position, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return position
    return min(len(left), len(right))


class Node(NamedTuple):
    """A decoded node of a read proof."""

    partial: str
    """Nibbles, as hexadecimal digits."""
    children: dict[str, bytes]
    """Nibble to the child's hash (32 bytes) or its whole encoding (fewer)."""
    value: bytes | None
    value_is_hash: bool


def verify_read_proof(root: Hash, key: bytes, proof_nodes: Iterable[bytes]) -> bytes | None:
    """The value that `key` has under the state root `root`, or None if proven absent.

    `proof_nodes` in any order, as `state_getReadProof` returns them; nodes that the path does not
    need are ignored, since they prove nothing. Raises `CheckFailed` when a needed node is missing
    and `DecodeError` when a node on the path is malformed.
    """
    return _follow(root, key, proof_nodes)[0]


def prune_read_proof(root: Hash, key: bytes, proof_nodes: Iterable[bytes]) -> tuple[bytes, ...]:
    """The nodes of a proof that `verify_read_proof` needs, from the root downwards."""
    return _follow(root, key, proof_nodes)[1]


def _follow(
    root: Hash, key: bytes, proof_nodes: Iterable[bytes]
) -> tuple[bytes | None, tuple[bytes, ...]]:
    if root == EMPTY_ROOT:
        return None, ()
    by_hash = {blake2_256(node): node for node in proof_nodes}
    used: list[bytes] = []

    def take(digest: bytes, what: str) -> bytes:
        node = by_hash.get(Hash(digest))
        if node is None:
            raise CheckFailed(
                f"read proof of key 0x{key.hex()} under state root 0x{root.hex()}: "
                f"{what} 0x{digest.hex()} is missing"
            )
        used.append(node)
        return node

    rest, reference = key.hex(), bytes(root)
    while True:
        node = decode_node(take(reference, "node") if len(reference) == 32 else reference)
        if not rest.startswith(node.partial):
            return None, tuple(used)
        rest = rest[len(node.partial) :]
        if not rest:
            if node.value is not None and node.value_is_hash:
                return take(node.value, "the value with hash"), tuple(used)
            return node.value, tuple(used)
        if rest[0] not in node.children:
            return None, tuple(used)
        reference, rest = node.children[rest[0]], rest[1:]


def decode_node(data: bytes) -> Node:
    """Mirrors `sp_trie::NodeCodec::decode_plan`, bounds checked and without leftover bytes."""
    kind, size, offset = _decode_header(data)
    end = offset + (size + 1) // 2
    partial = _slice(data, offset, end).hex()
    if size % 2:
        if partial[0] != "0":
            raise DecodeError("trie node: the odd partial key is not padded with zero", offset)
        partial = partial[1:]
    offset, bitmap = end, 0
    if kind.is_branch:
        bitmap = int.from_bytes(_slice(data, offset, offset + 2), "little")
        offset += 2
        if not bitmap:
            raise DecodeError("trie node: a branch without children", offset)
    value = None
    if kind.has_value:
        length, offset = (32, offset) if kind.is_hashed else decode_compact(data, offset)
        value, offset = _slice(data, offset, offset + length), offset + length
    children = {}
    for nibble in "0123456789abcdef":
        if bitmap >> int(nibble, 16) & 1:
            length, offset = decode_compact(data, offset)
            if not 0 < length <= 32:
                raise DecodeError(f"trie node: a child reference of {length} bytes", offset)
            children[nibble], offset = _slice(data, offset, offset + length), offset + length
    if offset != len(data):
        raise DecodeError(f"trie node: {len(data) - offset} bytes too many", offset)
    return Node(partial, children, value, kind.is_hashed)


def _decode_header(data: bytes) -> tuple[_Kind, int, int]:
    """Kind, number of partial-key nibbles and the offset behind; mirrors `decode_size`."""
    first = _slice(data, 0, 1)[0]
    for kind in _KINDS:
        full = 0xFF >> kind.mask_bits
        if first & ~full & 0xFF == kind.prefix:
            break
    else:
        raise DecodeError(f"trie node: unknown header 0x{first:02x}", 0)
    size, offset = first & full, 1
    if size == full:
        while True:
            more = _slice(data, offset, offset + 1)[0]
            size, offset = size + more, offset + 1
            if more < 255:
                break
            if size > _MAX_NIBBLES:
                raise DecodeError("trie node: the partial key is too long", offset)
    return kind, size, offset


def _slice(data: bytes, start: int, end: int) -> bytes:
    if end > len(data):
        raise DecodeError(f"trie node: {end - start} bytes expected, input ends", start)
    return data[start:end]
