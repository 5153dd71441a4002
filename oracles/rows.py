"""Sets of rows in their one canonical order, their Merkle root, and their published bytes.

Published rows are the SCALE `Vec` of the rows and are addressed by root: whoever has the root needs
to trust nobody who hands them over. `oracles.rowfiles` keeps them in files.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any, Generic, Protocol, TypeVar

from ibp_chain.errors import DecodeError
from ibp_chain.merkle import leaf_hash, node_hash, tree_root
from ibp_chain.remarks import Kind
from ibp_chain.scale.primitives import decode_compact, encode_compact
from ibp_chain.scale.schema import Schema
from ibp_chain.types import Hash
from oracles.errors import RowsAltered, RowsError


class Row(Protocol):
    """What all rows have."""

    @property
    def day(self) -> date: ...

    @property
    def member(self) -> str: ...

    def fields(self) -> dict[str, Any]:
        """The row for people: JSON without floats and nulls; what is not known is left out."""
        ...


R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class Layout(Generic[R]):
    """How the rows of one kind of digest are written and ordered."""

    kind: Kind
    """The remark that commits to them: `observe` or `report`."""
    schema: Schema[R]
    key: Callable[[R], tuple[Any, ...]]
    """What a row is about; rows ascend by it and no two share it."""

    def canonical(self, rows: Iterable[R]) -> tuple[R, ...]:
        """`rows` in order. Raises `RowsError` when two are about the same thing."""
        ordered = tuple(sorted(rows, key=self.key))
        self._check_order(ordered)
        return ordered

    def encoded(self, rows: Sequence[R]) -> list[bytes]:
        """The leaves of canonical `rows`. Raises `RowsError`."""
        self._check_order(rows)
        return list(map(self.schema.encode, rows))

    def tree(self, rows: Sequence[R]) -> "Tree":
        """The tree over canonical `rows`, for many proofs. Raises `RowsError`."""
        return Tree(self.encoded(rows))

    def root(self, rows: Sequence[R]) -> Hash:
        """The root over canonical `rows`. Raises `RowsError`."""
        self._check_order(rows)
        return tree_root(map(self.schema.encode, rows))

    def pack(self, rows: Sequence[R]) -> bytes:
        """The published form of canonical `rows`. Raises `RowsError`."""
        self._check_order(rows)
        return encode_compact(len(rows)) + b"".join(map(self.schema.encode, rows))

    def unpack(self, data: bytes, *, root: Hash, size: int | None = None) -> tuple[R, ...]:
        """The rows that `data` publishes, checked against the digest's `root` and row count.

        Raises `RowsError` for bytes that are no canonical rows of this layout, `RowsAltered` for
        rows that are others than the digest's.
        """
        try:
            rows, encoded = self._decode(data)
            self._check_order(rows)
        except (DecodeError, RowsError) as error:
            raise RowsError(f"rows of {self.kind} root 0x{root.hex()}: {error}") from error
        if (found := tree_root(encoded)) != root:
            raise RowsAltered(
                f"rows of {self.kind} root 0x{root.hex()}: they hash to 0x{found.hex()}"
            )
        if size not in (None, len(rows)):
            raise RowsAltered(
                f"rows of {self.kind} root 0x{root.hex()}: {len(rows)} rows, the digest says {size}"
            )
        return rows

    def _decode(self, data: bytes) -> tuple[tuple[R, ...], list[bytes]]:
        count, offset = decode_compact(data)
        rows, encoded = [], []
        for _ in range(count):  # ends with the input: every row takes some of it
            row, end = self.schema.decode_at(data, offset)
            rows.append(row)
            encoded.append(data[offset:end])
            offset = end
        if offset != len(data):
            raise DecodeError(f"{len(data) - offset} bytes behind the last row", offset)
        return tuple(rows), encoded

    def _check_order(self, rows: Sequence[R]) -> None:
        for before, after in pairwise(map(self.key, rows)):
            if before == after:
                raise RowsError(f"two rows about {_words(after)}")
            if before > after:
                raise RowsError(f"the row about {_words(after)} is out of order")


class Tree:
    """All levels of one Merkle tree (`ibp_chain.merkle`), so that each proof is a lookup."""

    def __init__(self, leaves: Iterable[bytes]) -> None:
        level = [leaf_hash(leaf) for leaf in leaves]
        self._levels = [level]
        while len(level) > 1:
            pairs = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
            level = pairs + level[len(level) & ~1 :]  # an odd last node rises unchanged
            self._levels.append(level)

    @property
    def size(self) -> int:
        return len(self._levels[0])

    @property
    def root(self) -> Hash:
        top = self._levels[-1]
        return top[0] if top else tree_root(())

    def path(self, index: int) -> tuple[Hash, ...]:
        """The inclusion proof of leaf `index`, lowest hash first. Raises `IndexError`."""
        if not 0 <= index < self.size:
            raise IndexError(f"leaf {index} of {self.size}")
        path = []
        for level in self._levels[:-1]:
            if index ^ 1 < len(level):
                path.append(level[index ^ 1])
            index >>= 1
        return tuple(path)


def _words(key: tuple[Any, ...]) -> str:
    return "/".join(map(str, key))
