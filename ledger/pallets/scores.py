"""Scores: what oracles committed to and reported, which report stands, who contradicted itself.

One of the ledger's own pallets, fed by `observe` and `report` remarks. The scores themselves are
rows under the roots; the ledger holds the roots and who stands behind them.
A day is over at midnight, its commitments are open for `COMMIT_WINDOW_MS` more; the first block
behind that closes it. What is closed stays: every oracle reports on the same commitments, members
and report of the day before, whenever it looks.
Storage: `Observations`, `LastObservations`, `LastClosed`, `Closings`, `Reports`, `Standing`,
`Equivocations`.
Rule: `docs/remarks.md`, `docs/scores.md`. Days are UTC days counted from 1970-01-01.
"""

from collections import defaultdict
from datetime import date
from enum import IntEnum
from typing import NamedTuple, TypeAlias

from ibp_chain.accounts import verify_signature
from ibp_chain.remark_bodies import Observe, Program, Report
from ibp_chain.remarks import signing_digest
from ibp_chain.scale import schema
from ibp_chain.types import AccountId, BlockNumber, Hash
from ledger.pallets import membership
from ledger.pallets.membership import MemberId
from ledger.pallets.programme import Genesis, Said
from ledger.pallets.rejections import Rejected, RejectionCode
from ledger.storage import Hasher, KeyPart, StorageMap, StorageValue

Day: TypeAlias = int
_MS_PER_DAY = 86_400_000
COMMIT_WINDOW_MS = 3_600_000
"""How long after a day its commitments are taken, by the blocks' own time."""
_EPOCH = date(1970, 1, 1).toordinal()
NO_PREVIOUS = Hash(bytes(32))


def day_number(day: date) -> Day:
    return day.toordinal() - _EPOCH


def day_date(day: Day) -> date:
    return date.fromordinal(day + _EPOCH)


def day_at(time_ms: int) -> Day:
    """The UTC day of a time in milliseconds since 1970."""
    return time_ms // _MS_PER_DAY


def starts_at(day: Day) -> int:
    """Its midnight, milliseconds since 1970."""
    return day * _MS_PER_DAY


def closes_at(day: Day) -> int:
    """The time from which on `day` is closed, milliseconds since 1970."""
    return starts_at(day + 1) + COMMIT_WINDOW_MS


class DigestKind(IntEnum):
    OBSERVE = 0
    REPORT = 1


class Observation(NamedTuple):
    root: Hash
    rows: int
    digest: Hash
    """`ibp_chain.remarks.signing_digest` of its body."""
    at: BlockNumber


class LastObservation(NamedTuple):
    """What the next observation of an oracle must name as its `previous`."""

    day: Day
    digest: Hash


class Commitment(NamedTuple):
    """An observation that was there when its day closed."""

    oracle: AccountId
    root: Hash
    rows: int


class Before(NamedTuple):
    """The report of the day before that stood when a day closed: runs go on from it."""

    root: Hash
    rows: int


class Closing(NamedTuple):
    """What a day's report is about; never changed again."""

    commitments: tuple[Commitment, ...]
    """Of the oracles then in office, ascending by oracle; at least one."""
    members: tuple[MemberId, ...]
    """Who was active then, ascending: nobody else is scored."""
    quorum: int
    rules: Hash
    """As the programme had them then; a later change of either is none of this day's."""
    before: Before | None
    at: BlockNumber


class ReportRecord(NamedTuple):
    """The last word of an oracle on a day."""

    turn: int
    root: Hash
    rows: int
    observes: tuple[Hash, ...]
    digest: Hash
    at: BlockNumber


class Standing(NamedTuple):
    """The day's score: the first that a quorum of oracles reported alike. It stands for ever."""

    root: Hash
    rows: int
    reporters: tuple[AccountId, ...]
    """Who ever reported it, ascending."""
    since: BlockNumber


class Equivocation(NamedTuple):
    """Two digests of one oracle, day and kind with different roots: evidence, neither counts."""

    first_root: Hash
    second_root: Hash
    first_digest: Hash
    second_digest: Hash
    at: BlockNumber


DigestKey: TypeAlias = tuple[AccountId, Day]

# --- Storage ----------------------------------------------------------------------


class Storage:
    def __init__(self) -> None:
        oracle = KeyPart(Hasher.IDENTITY, schema.account)
        day = KeyPart(Hasher.IDENTITY, schema.u32)
        self.observations: StorageMap[DigestKey, Observation] = StorageMap(
            "Scores",
            "Observations",
            (oracle, day),
            schema.struct(
                Observation,
                root=schema.hash256,
                rows=schema.u64,
                digest=schema.hash256,
                at=schema.u32,
            ),
        )
        self.last_observations: StorageMap[AccountId, LastObservation] = StorageMap(
            "Scores",
            "LastObservations",
            (oracle,),
            schema.struct(LastObservation, day=schema.u32, digest=schema.hash256),
        )
        self.last_closed: StorageValue[Day] = StorageValue("Scores", "LastClosed", schema.u32)
        self.closings: StorageMap[Day, Closing] = StorageMap(
            "Scores",
            "Closings",
            (day,),
            schema.struct(
                Closing,
                commitments=schema.vec(
                    schema.struct(
                        Commitment, oracle=schema.account, root=schema.hash256, rows=schema.u64
                    )
                ),
                members=schema.vec(schema.text),
                quorum=schema.u16,
                rules=schema.hash256,
                before=schema.option(schema.struct(Before, root=schema.hash256, rows=schema.u64)),
                at=schema.u32,
            ),
        )
        self.reports: StorageMap[DigestKey, ReportRecord] = StorageMap(
            "Scores",
            "Reports",
            (oracle, day),
            schema.struct(
                ReportRecord,
                turn=schema.u16,
                root=schema.hash256,
                rows=schema.u64,
                observes=schema.vec(schema.hash256),
                digest=schema.hash256,
                at=schema.u32,
            ),
        )
        self.standing: StorageMap[Day, Standing] = StorageMap(
            "Scores",
            "Standing",
            (day,),
            schema.struct(
                Standing,
                root=schema.hash256,
                rows=schema.u64,
                reporters=schema.vec(schema.account),
                since=schema.u32,
            ),
        )
        self.equivocations: StorageMap[tuple[AccountId, Day, DigestKind], Equivocation] = (
            StorageMap(
                "Scores",
                "Equivocations",
                (oracle, day, KeyPart(Hasher.IDENTITY, schema.enum(DigestKind))),
                schema.struct(
                    Equivocation,
                    first_root=schema.hash256,
                    second_root=schema.hash256,
                    first_digest=schema.hash256,
                    second_digest=schema.hash256,
                    at=schema.u32,
                ),
            )
        )


# --- Hooks --------------------------------------------------------------------------


def on_initialize(
    storage: Storage, program: Program, members: membership.Storage, at: BlockNumber, time_ms: int
) -> None:
    """Close the days whose time is up in a block that is stamped `time_ms`, before its remarks."""
    due = day_at(time_ms - COMMIT_WINDOW_MS) - 1
    last = storage.last_closed.value
    if due < 0 or (last is not None and due <= last):
        return
    for day in sorted({day for (_, day), _ in storage.observations.items()}):
        if (last is None or last < day) and day <= due:
            _close(storage, program, members, day, at)
    storage.last_closed.put(due)


# --- Calls: an oracle, which is checked by the caller -----------------------------------


def observe(
    storage: Storage, genesis: Genesis, said: Said, body: Observe, ss58_prefix: int
) -> None:
    """Commit to the samples of a day before it closes. Raises `Rejected`.

    A second root for the same day is evidence, whenever it comes and wherever it stands in the
    oracle's chain. Once the day is closed it takes the first one back no more: others may have
    reported on it.
    """
    day, digest = _checked(genesis, said, body, ss58_prefix)
    key = body.oracle, day
    _ensure_untainted(storage, body.oracle, day, DigestKind.OBSERVE)
    known = storage.observations.find(key)
    if known is not None:
        _ensure_differs(known.root, body.root, body)
        _convict(storage, said, key, DigestKind.OBSERVE, known, Observation(
            body.root, body.rows, digest, said.block))  # fmt: skip
        storage.observations.remove(key)
        return
    if _is_closed(said, day):
        raise Rejected(RejectionCode.DAY_CLOSED, f"{body.day} took no more commitments")
    last = storage.last_observations.find(body.oracle)
    if body.previous != (NO_PREVIOUS if last is None else last.digest):
        raise Rejected(
            RejectionCode.BROKEN_CHAIN, "`previous` is not the oracle's last observation"
        )
    assert last is None or day > last.day  # an earlier day is closed before a later one is over
    storage.observations.insert(key, Observation(body.root, body.rows, digest, said.block))
    storage.last_observations.insert(body.oracle, LastObservation(day, digest))


def report(
    storage: Storage,
    genesis: Genesis,
    program: Program,
    said: Said,
    body: Report,
    ss58_prefix: int,
) -> None:
    """Report the consensus of a day, computed from at least a quorum of its observations.

    A report of a later turn takes the place of the oracle's earlier one; a second root in the same
    turn is evidence. Raises `Rejected`.
    """
    day, digest = _checked(genesis, said, body, ss58_prefix)
    key = body.oracle, day
    _ensure_untainted(storage, body.oracle, day, DigestKind.REPORT)
    record = ReportRecord(body.turn, body.root, body.rows, body.observes, digest, said.block)
    known = storage.reports.find(key)
    if known is not None and body.turn < known.turn:
        raise Rejected(
            RejectionCode.REPEATED, f"turn {body.turn} is past: turn {known.turn} was posted before"
        )
    if known is not None and body.turn == known.turn:
        _ensure_differs(known.root, body.root, body)
        _convict(storage, said, key, DigestKind.REPORT, known, record)
        storage.reports.remove(key)
        return
    _ensure_committed(storage, said, day, body)
    storage.reports.insert(key, record)
    _settle(storage, program, said, day)


# --- Internals ----------------------------------------------------------------------


def _checked(
    genesis: Genesis, said: Said, body: Observe | Report, ss58_prefix: int
) -> tuple[Day, Hash]:
    """Day and digest of a body that its oracle signed for this programme, after the day."""
    if said.origin != body.oracle:
        raise Rejected(RejectionCode.WRONG_ORIGIN, "the digest names another oracle")
    if body.program != genesis.remark:
        raise Rejected(
            RejectionCode.OTHER_PROGRAMME, f"signed for programme 0x{body.program.hex()}"
        )
    digest = signing_digest(body, ss58_prefix)
    if not verify_signature(body.oracle, body.sig, digest):
        raise Rejected(RejectionCode.WRONG_SIGNATURE, "the oracle did not sign this digest")
    day = day_number(date.fromisoformat(body.day))
    if day < 0 or said.timestamp_ms < starts_at(day + 1):
        raise Rejected(RejectionCode.DAY_NOT_OVER, f"{body.day} was not over on chain")
    return day, digest


def _ensure_untainted(storage: Storage, oracle: AccountId, day: Day, kind: DigestKind) -> None:
    if (oracle, day, kind) in storage.equivocations:
        raise Rejected(
            RejectionCode.EQUIVOCATED, f"the oracle contradicted itself on {day_date(day)} before"
        )


def _ensure_differs(known: Hash, root: Hash, body: Observe | Report) -> None:
    if known == root:
        raise Rejected(RejectionCode.REPEATED, f"this root for {body.day} was posted before")


def _convict(
    storage: Storage,
    said: Said,
    key: DigestKey,
    kind: DigestKind,
    first: Observation | ReportRecord,
    second: Observation | ReportRecord,
) -> None:
    storage.equivocations.insert(
        (*key, kind),
        Equivocation(first.root, second.root, first.digest, second.digest, said.block),
    )


def _is_closed(said: Said, day: Day) -> bool:
    return said.timestamp_ms >= closes_at(day)


def _close(
    storage: Storage, program: Program, members: membership.Storage, day: Day, at: BlockNumber
) -> None:
    observed = {
        oracle: storage.observations.find((oracle, day)) for oracle in sorted(program.oracles)
    }
    commitments = tuple(
        Commitment(oracle, observation.root, observation.rows)
        for oracle, observation in observed.items()
        if observation is not None
    )
    if not commitments:
        return  # of oracles that have left office since
    standing = storage.standing.find(day - 1) if day > 0 else None
    before = None if standing is None else Before(standing.root, standing.rows)
    storage.closings.insert(
        day,
        Closing(
            commitments,
            tuple(sorted(membership.active(members))),
            program.quorum,
            program.rules,
            before,
            at,
        ),
    )


def _ensure_committed(storage: Storage, said: Said, day: Day, body: Report) -> None:
    """The observations of a report are those that the day closed with, and a quorum."""
    if not _is_closed(said, day):
        raise Rejected(RejectionCode.DAY_OPEN, f"{body.day} still took commitments")
    closing = storage.closings.find(day)
    committed = set() if closing is None else {found.root for found in closing.commitments}
    if missing := set(body.observes) - committed:
        raise Rejected(
            RejectionCode.UNKNOWN_OBSERVATION,
            f"no observation of {body.day} counts with root 0x{min(missing).hex()}",
        )
    assert closing is not None  # a report cites one observation at least
    if len(body.observes) < closing.quorum:
        raise Rejected(
            RejectionCode.UNKNOWN_OBSERVATION,
            f"computed from {len(body.observes)} observations, the quorum was {closing.quorum}",
        )


def _settle(storage: Storage, program: Program, said: Said, day: Day) -> None:
    """Let the day stand on the first root that a quorum reports, or count who joins it later."""
    behind: dict[tuple[Hash, int], list[AccountId]] = defaultdict(list)
    for oracle in sorted(program.oracles):
        record = storage.reports.find((oracle, day))
        if record is not None:
            behind[record.root, record.rows].append(oracle)
    known = storage.standing.find(day)
    if known is not None:
        joined = sorted({*known.reporters, *behind[known.root, known.rows]})
        storage.standing.insert(day, known._replace(reporters=tuple(joined)))
        return
    for (root, rows), oracles in behind.items():
        if len(oracles) >= program.quorum:  # more than half, so no other root has one
            storage.standing.insert(day, Standing(root, rows, tuple(oracles), said.block))
