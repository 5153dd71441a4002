"""Proof that one row is in a day's root: made from the rows, checked without them.

A proof is a small canonical JSON document with the row's own bytes, the same row for people, its
place in the tree and the path to the root. Whoever checks it brings root and row count from the
ledger; nothing that the prover says about them counts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, PlainSerializer

from ibp_chain.errors import DecodeError
from ibp_chain.merkle import verify_inclusion
from ibp_chain.remark_bodies import Body, Count, Day, HashText
from ibp_chain.remarks import Kind
from ibp_chain.types import AccountId, Hash
from oracles.documents import VersionOne, read_document, same_json, write_document
from oracles.errors import ProofError, ProofRefused
from oracles.report import REPORT
from oracles.rows import Layout, R, Row, Tree
from oracles.samples import OBSERVATION

LAYOUTS: dict[Kind, Layout[Any]] = {Kind.OBSERVE: OBSERVATION, Kind.REPORT: REPORT}


@dataclass(frozen=True, slots=True)
class Proof:
    """That `row` is leaf `index` of the tree of `size` rows with `root`. Nothing is checked yet."""

    kind: Kind
    day: date
    root: Hash
    size: int
    index: int
    row: bytes
    """Its SCALE bytes: the leaf."""
    path: tuple[Hash, ...]


class StandingReport(NamedTuple):
    """What the ledger says of a day: the root that at least a quorum of oracles reported."""

    day: date
    root: Hash
    rows: int
    quorum: int
    reporters: tuple[AccountId, ...]
    """The oracles that reported this root."""


def prove(layout: Layout[R], rows: Sequence[R], index: int) -> Proof:
    """That canonical `rows` have their row `index` in them. Raises `IndexError`, `RowsError`."""
    return _prove(layout, rows, layout.tree(rows), index)


def prove_all(layout: Layout[R], rows: Sequence[R]) -> Iterator[Proof]:
    """One proof for each of canonical `rows`, in order; each row is encoded once, for both the
    tree and its proof. Raises `RowsError` before the first.
    """
    leaves = layout.encoded(rows)
    return _all(layout.kind, rows, leaves, Tree(leaves))


def prove_member(layout: Layout[R], rows: Sequence[R], member: str) -> tuple[Proof, ...]:
    """One proof for each row about `member`, in order. Raises `ProofError` when there is none."""
    tree = layout.tree(rows)
    proofs = tuple(
        _prove(layout, rows, tree, index) for index, row in enumerate(rows) if row.member == member
    )
    if not proofs:
        raise ProofError(f"no row is about member {member!r}")
    return proofs


def prove_about(layout: Layout[R], rows: Sequence[R], key: tuple[Any, ...]) -> Proof:
    """That canonical `rows` have the row about `key` (`layout.key`). Raises `ProofError`."""
    for index, row in enumerate(rows):
        if layout.key(row) == key:
            return prove(layout, rows, index)
    member, what = key[-2:]
    raise ProofError(f"no {layout.kind} row of this root is about {member} and {what}")


def verify(proof: Proof, *, root: Hash, size: int) -> Row:
    """The row that `proof` proves to be in the tree of `size` rows with `root`.

    Raises `ProofRefused`, saying what does not hold.
    """
    if proof.root != root:
        raise ProofRefused(f"the proof is for root 0x{proof.root.hex()}, not 0x{root.hex()}")
    if proof.size != size:
        raise ProofRefused(f"the proof is for a tree of {proof.size} rows, not {size}")
    row = _row(proof)
    if row.day != proof.day:
        raise ProofRefused(f"the row is of {row.day}, the proof says {proof.day}")
    if not verify_inclusion(proof.row, proof.index, size, proof.path, root):
        raise ProofRefused(f"the path does not lead from row {proof.index} to root 0x{root.hex()}")
    return row


def verify_against_ledger(proof: Proof, standing: StandingReport) -> Row:
    """The row that `proof` proves to be in a report that stands. Raises `ProofRefused`."""
    if proof.kind is not Kind.REPORT:
        raise ProofRefused(f"a proof of an {proof.kind}, where a report is asked for")
    if proof.day != standing.day:
        raise ProofRefused(f"the proof is for {proof.day}, the report for {standing.day}")
    if (reporters := len(set(standing.reporters))) < standing.quorum:
        raise ProofRefused(
            f"the report of {standing.day} does not stand: {reporters} oracles, "
            f"quorum {standing.quorum}"
        )
    return verify(proof, root=standing.root, size=standing.rows)


def _octets(value: Any) -> Any:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str) or not value.startswith("0x"):
        raise ValueError("0x and lower-case hex digits are expected")
    raw = bytes.fromhex(value[2:])
    if "0x" + raw.hex() != value:
        raise ValueError("0x and lower-case hex digits are expected")
    return raw


_Octets = Annotated[
    bytes, BeforeValidator(_octets), PlainSerializer(lambda value: "0x" + value.hex())
]


class _ProofDocument(Body):
    format: Literal["ibp-score-proof"]
    version: VersionOne
    kind: Literal["observe", "report"]
    day: Day
    root: HashText
    size: Count
    index: Count
    row: _Octets
    fields: dict[str, Any]
    path: Annotated[tuple[HashText, ...], Field(strict=False, max_length=64)]


def write_proof(proof: Proof) -> bytes:
    """The proof as canonical JSON. Raises `ProofRefused` when its row is no row of its kind."""
    return write_document(
        _ProofDocument(
            format="ibp-score-proof",
            version=1,
            kind="observe" if proof.kind is Kind.OBSERVE else "report",
            day=proof.day.isoformat(),
            root=proof.root,
            size=proof.size,
            index=proof.index,
            row=proof.row,
            fields=_row(proof).fields(),
            path=proof.path,
        )
    )


def read_proof(data: bytes) -> Proof:
    """The proof that `data` says, not yet verified.

    Raises `ProofError` for any other document, `ProofRefused` when its readable fields do not say
    what its row says.
    """
    document = read_document(data, _ProofDocument)
    proof = Proof(
        Kind(document.kind),
        date.fromisoformat(document.day),
        document.root,
        document.size,
        document.index,
        document.row,
        document.path,
    )
    if not same_json(_row(proof).fields(), document.fields):
        raise ProofRefused("the readable fields do not say what the row says")
    return proof


def _all(kind: Kind, rows: Sequence[R], leaves: Sequence[bytes], tree: Tree) -> Iterator[Proof]:
    root, size = tree.root, tree.size
    for index, (row, leaf) in enumerate(zip(rows, leaves, strict=True)):
        yield Proof(kind, row.day, root, size, index, leaf, tree.path(index))


def _prove(layout: Layout[R], rows: Sequence[R], tree: Tree, index: int) -> Proof:
    path = tree.path(index)
    row = rows[index]
    return Proof(layout.kind, row.day, tree.root, tree.size, index, layout.schema.encode(row), path)


def _row(proof: Proof) -> Row:
    try:
        row: Row = LAYOUTS[proof.kind].schema.decode(proof.row)
    except DecodeError as error:
        raise ProofRefused(f"the row is no row of a {proof.kind}: {error}") from error
    return row
