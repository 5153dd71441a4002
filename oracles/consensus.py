"""One truth out of several oracles' observations of one day.

Contract: pure, and the same for any order of the observations. Where a quorum of honest oracles
agree, nobody outside that quorum changes a verdict or, where they also agree on the time, a
response time. Whatever honest oracles say, fewer than a quorum reach no verdict without one of
them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from ibp_chain.remark_bodies import Observe
from ibp_chain.types import AccountId, Hash, Micros
from oracles.errors import ObservationRefused, RowsError
from oracles.layout import SLOTS, spread
from oracles.report import ConsensusRow, Verdict
from oracles.rules import Roster, SlaRules
from oracles.samples import OBSERVATION, ObservationRow, Status

Endpoint = tuple[str, str]
"""(member, service)."""


class Commitment(NamedTuple):
    """What the ledger holds of one oracle's `observe` for one day."""

    oracle: AccountId
    day: date
    root: Hash
    rows: int

    @classmethod
    def of(cls, body: Observe) -> "Commitment":
        """What a checked `observe` commits its oracle to."""
        return cls(body.oracle, date.fromisoformat(body.day), body.root, body.rows)


@dataclass(frozen=True, slots=True)
class Observation:
    """Rows that count: `admit` makes them."""

    commitment: Commitment
    rows: tuple[ObservationRow, ...]


@dataclass(frozen=True, slots=True)
class Consensus:
    """What the oracles agree on for one day."""

    day: date
    rows: tuple[ConsensusRow, ...]
    """One per (member, service) of the roster, ascending."""
    observes: tuple[Hash, ...]
    """Roots of the observations that it was computed from, ascending, as a `report` lists them."""


def admit(commitment: Commitment, rows: Sequence[ObservationRow], slow_at: Micros) -> Observation:
    """`rows` as what `commitment` committed to. Raises `ObservationRefused`, naming the oracle.

    Refused as a whole, so that every oracle refuses the same: rows of another root or count, rows
    that name another oracle or day (a copied root), and a status that contradicts its own response
    time under `slow_at`.
    """
    who = f"observation of {commitment.day} by 0x{commitment.oracle.hex()}"
    if len(rows) != commitment.rows:
        raise ObservationRefused(f"{who}: {len(rows)} rows, committed to {commitment.rows}")
    try:
        root = OBSERVATION.root(rows)
    except RowsError as error:
        raise ObservationRefused(f"{who}: {error}") from error
    if root != commitment.root:
        raise ObservationRefused(
            f"{who}: the rows hash to 0x{root.hex()}, committed to 0x{commitment.root.hex()}"
        )
    for row in rows:
        if (row.oracle, row.day) != (commitment.oracle, commitment.day):
            raise ObservationRefused(
                f"{who}: a row names oracle 0x{row.oracle.hex()} and day {row.day}"
            )
        if not _statuses_fit(row, slow_at):
            raise ObservationRefused(
                f"{who}: {row.member}/{row.service} has a status that contradicts its time"
            )
    return Observation(commitment, tuple(rows))


def consensus(
    observations: Iterable[Observation],
    *,
    day: date,
    roster: Roster,
    rules: SlaRules,
    quorum: int,
) -> Consensus:
    """What `observations` agree on for every endpoint of `roster`.

    Rows about endpoints that are not on the roster do not count. Raises `ValueError` for
    observations of another day, two by one oracle, or a quorum below 1: all of them defects of the
    caller, who gets observations from the ledger.
    """
    admitted = tuple(observations)
    _check_inputs(admitted, day, quorum)
    seen: dict[Endpoint, list[ObservationRow]] = {endpoint: [] for endpoint in roster.endpoints}
    for observation in admitted:
        for row in observation.rows:
            if (row.member, row.service) in seen:
                seen[row.member, row.service].append(row)
    verdicts = {endpoint: _verdicts(rows, quorum) for endpoint, rows in seen.items()}
    for endpoints in roster.by_chain.values():
        _exclude_chain_faults({e: verdicts[e] for e in endpoints}, rules.chain_fault_members)
    return Consensus(
        day,
        tuple(
            ConsensusRow(day, *endpoint, bytes(agreed), _medians(agreed, seen[endpoint]))
            for endpoint, agreed in verdicts.items()
        ),
        tuple(sorted({observation.commitment.root for observation in admitted})),
    )


@lru_cache(maxsize=1 << 16)
def majority(statuses: tuple[int, ...], quorum: int) -> Verdict:
    """What at least `quorum` say, and more than half of those who know; else UNKNOWN.

    That a quorum knows is not enough: where honest oracles cannot tell, those outside a quorum
    could be most of those who say they can, and charge for what nobody honest saw.
    """
    known = [status for status in statuses if status != Status.UNKNOWN]
    for status in (Status.OK, Status.FAILED, Status.SLOW):
        votes = known.count(status)
        if votes >= quorum and 2 * votes > len(known):
            return Verdict(status)
    return Verdict.UNKNOWN


def median(times: Sequence[Micros]) -> Micros:
    """The middle value; of an even count the lower of the two middle ones.

    Always a time that somebody measured, never an average; and on the side of the threshold where
    the majority of the statuses is, so an OK slot is below it and a SLOW one is not.
    """
    return sorted(times)[(len(times) - 1) // 2]


def _check_inputs(observations: Sequence[Observation], day: date, quorum: int) -> None:
    if quorum < 1:
        raise ValueError(f"quorum {quorum}")
    if any(observation.commitment.day != day for observation in observations):
        raise ValueError(f"an observation is not of {day}")
    if len({o.commitment.oracle for o in observations}) != len(observations):
        raise ValueError(f"two observations of {day} by one oracle")


def _statuses_fit(row: ObservationRow, slow_at: Micros) -> bool:
    answered = row.statuses.translate(None, bytes((Status.FAILED, Status.UNKNOWN)))
    return all(
        (time >= slow_at) == (status == Status.SLOW)
        for status, time in zip(answered, row.times, strict=True)
    )


def _verdicts(rows: Sequence[ObservationRow], quorum: int) -> bytearray:
    if len(rows) < quorum:
        return bytearray((Verdict.UNKNOWN,)) * SLOTS
    columns = zip(*(row.statuses for row in rows), strict=True)
    return bytearray(majority(column, quorum) for column in columns)


def _medians(verdicts: Iterable[int], rows: Sequence[ObservationRow]) -> tuple[Micros, ...]:
    """Over everybody who got an answer, whatever each called it."""
    columns = zip(*(spread(row.statuses, row.times) for row in rows), strict=True)
    return tuple(
        median([time for time in column if time is not None])
        for verdict, column in zip(verdicts, columns, strict=False)  # no rows, no columns
        if verdict in (Verdict.OK, Verdict.SLOW)
    )


def _exclude_chain_faults(verdicts: Mapping[Endpoint, bytearray], members_needed: int) -> None:
    """Marks the slots in which every member that is known at all fails this chain.

    A member fails a chain in a slot when at least one of its endpoints there is known, and every
    known one has failed.
    """
    if not any(Verdict.FAILED in series for series in verdicts.values()):
        return
    for slot in range(SLOTS):
        known: dict[str, bool] = {}
        for (member, _), series in verdicts.items():
            if series[slot] != Verdict.UNKNOWN:
                failed = series[slot] == Verdict.FAILED
                known[member] = known.get(member, True) and failed
        if len(known) >= members_needed and all(known.values()):
            for series in verdicts.values():
                series[slot] = Verdict.EXCLUDED
