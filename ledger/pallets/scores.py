"""Scores: what oracles committed to and reported, which report stands, who contradicted itself.

One of the ledger's own pallets, fed by `observe` and `report` remarks. The scores themselves are
rows under the roots; the ledger holds the roots and who stands behind them.
Storage: `Observations`, `LastObservations`, `Reports`, `Standing`, `Equivocations`.
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
from ledger.pallets.programme import Genesis, Said
from ledger.pallets.rejections import Rejected, RejectionCode
from ledger.storage import Hasher, KeyPart, StorageMap

Day: TypeAlias = int
_MS_PER_DAY = 86_400_000
_EPOCH = date(1970, 1, 1).toordinal()
NO_PREVIOUS = Hash(bytes(32))


def day_number(day: date) -> Day:
    return day.toordinal() - _EPOCH


def day_date(day: Day) -> date:
    return date.fromordinal(day + _EPOCH)


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


class ReportRecord(NamedTuple):
    root: Hash
    rows: int
    observes: tuple[Hash, ...]
    digest: Hash
    at: BlockNumber


class Standing(NamedTuple):
    """The day's score: what at least a quorum of oracles reported alike."""

    root: Hash
    rows: int
    reporters: tuple[AccountId, ...]
    """Ascending."""
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
        self.reports: StorageMap[DigestKey, ReportRecord] = StorageMap(
            "Scores",
            "Reports",
            (oracle, day),
            schema.struct(
                ReportRecord,
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


# --- Calls: an oracle, which is checked by the caller -----------------------------------


def observe(
    storage: Storage, genesis: Genesis, said: Said, body: Observe, ss58_prefix: int
) -> None:
    """Commit to the samples of a day. Raises `Rejected`.

    A second root for the same day is evidence, wherever it stands in the oracle's chain.
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
    last = storage.last_observations.find(body.oracle)
    if body.previous != (NO_PREVIOUS if last is None else last.digest):
        raise Rejected(
            RejectionCode.BROKEN_CHAIN, "`previous` is not the oracle's last observation"
        )
    if last is not None and day <= last.day:
        raise Rejected(RejectionCode.BROKEN_CHAIN, f"{body.day} is not after {day_date(last.day)}")
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

    Raises `Rejected`.
    """
    day, digest = _checked(genesis, said, body, ss58_prefix)
    key = body.oracle, day
    _ensure_untainted(storage, body.oracle, day, DigestKind.REPORT)
    record = ReportRecord(body.root, body.rows, body.observes, digest, said.block)
    known = storage.reports.find(key)
    if known is not None:
        _ensure_differs(known.root, body.root, body)
        _convict(storage, said, key, DigestKind.REPORT, known, record)
        storage.reports.remove(key)
    else:
        committed = _observed_roots(storage, program, day)
        if missing := set(body.observes) - committed:
            raise Rejected(
                RejectionCode.UNKNOWN_OBSERVATION,
                f"no observation of {body.day} counts with root 0x{min(missing).hex()}",
            )
        if len(body.observes) < program.quorum:
            raise Rejected(
                RejectionCode.UNKNOWN_OBSERVATION,
                f"computed from {len(body.observes)} observations, the quorum is {program.quorum}",
            )
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
    if day < 0 or said.timestamp_ms < (day + 1) * _MS_PER_DAY:
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


def _observed_roots(storage: Storage, program: Program, day: Day) -> set[Hash]:
    return {
        observation.root
        for oracle in program.oracles
        if (observation := storage.observations.find((oracle, day))) is not None
    }


def _settle(storage: Storage, program: Program, said: Said, day: Day) -> None:
    """Which report of `day` stands now. A quorum is a majority: two roots never both have one."""
    behind: dict[tuple[Hash, int], list[AccountId]] = defaultdict(list)
    for oracle in sorted(program.oracles):
        record = storage.reports.find((oracle, day))
        if record is not None:
            behind[record.root, record.rows].append(oracle)
    known = storage.standing.find(day)
    for (root, rows), oracles in behind.items():
        if len(oracles) >= program.quorum:
            same = known is not None and (known.root, known.rows) == (root, rows)
            since = known.since if known is not None and same else said.block
            storage.standing.insert(day, Standing(root, rows, tuple(oracles), since))
            return
    storage.standing.remove(day)
