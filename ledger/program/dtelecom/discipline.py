"""Progressive discipline: the ladder, and the process from detection to the end of an appeal.

Source: seed 003, section 2.3. One `Record` to a node (D25); every act returns a new one, and writes
a transition with its reason and moment into the log. Moments are seconds since 1970 and never go
back. `DisciplineError` is raised for an act that the process does not allow, with nothing changed.

    detected -> investigation (if disputed) -> review (major cases) -> executed -> appealed
       |              |                           |                                   |
    remedied       dismissed                  dismissed                      upheld | reversed
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from fractions import Fraction

from ibp_chain.errors import InputError
from ledger.program.derivation import Derived, Step, plain
from ledger.program.dtelecom import staking
from ledger.program.dtelecom.fields import ShareRange
from ledger.program.dtelecom.penalties import (
    DAY,
    HOUR,
    MAJOR_RULE,
    MINOR_RULE,
    Major,
    Minor,
    table_entry,
)
from ledger.program.dtelecom.rules import Law
from ledger.program.dtelecom.staking import Stake, Taken


class DisciplineError(InputError):
    """An act that the process does not allow; nothing changed."""


class Phase(StrEnum):
    """Where a case stands."""

    DETECTED = "detected"
    REMEDIED = "remedied"
    INVESTIGATION = "investigation"
    REVIEW = "review"
    DISMISSED = "dismissed"
    EXECUTED = "executed"
    APPEALED = "appealed"
    UPHELD = "upheld"
    REVERSED = "reversed"


OPEN = frozenset({Phase.DETECTED, Phase.INVESTIGATION, Phase.REVIEW})
COUNTING = frozenset({Phase.EXECUTED, Phase.APPEALED, Phase.UPHELD})
"""An offence counts from its execution on, unless an appeal reverses it."""


class Rung(IntEnum):
    """Seed: "Violation Escalation", L1 to L4."""

    WARNING = 1
    REDUCTION = 2
    SLASH = 3
    REMOVAL = 4


@dataclass(frozen=True, slots=True)
class Penalty:
    """What an execution did."""

    rung: Rung
    slashed: Derived
    """In the token's smallest unit, with its steps."""
    taken: Taken
    reduced_until: int | None
    """Rewards are reduced from the execution to this moment; None: they are not."""
    at: int


@dataclass(frozen=True, slots=True)
class Case:
    kind: Minor | Major
    detected: int
    base: int
    """The stake at the offence, what is unbonding included (S3, D5)."""
    phase: Phase = Phase.DETECTED
    penalty: Penalty | None = None

    @property
    def major(self) -> bool:
        return isinstance(self.kind, Major)


@dataclass(frozen=True, slots=True)
class Transition:
    """A line of the log."""

    at: int
    case: int
    phase: Phase
    reason: str


@dataclass(frozen=True, slots=True)
class Record:
    """A node: its stake, its cases in the order of detection, and what was done when and why."""

    stake: Stake = field(default_factory=Stake)
    cases: tuple[Case, ...] = ()
    log: tuple[Transition, ...] = ()

    @property
    def removed(self) -> bool:
        return any(
            case.phase in COUNTING and case.penalty and case.penalty.rung is Rung.REMOVAL
            for case in self.cases
        )


# --- Acts, in the order of the process ----------------------------------------------------


def detect(record: Record, kind: Minor | Major, now: int, reason: str) -> Record:
    """Seed: "1. Automated detection".

    A removed node has no more offences; a minor violation that goes on is one case.
    """
    if record.removed:
        raise DisciplineError("the node was removed")
    if isinstance(kind, Minor) and any(c.kind is kind and c.phase in OPEN for c in record.cases):
        raise DisciplineError(f"a case of {kind} is open already")
    case = Case(kind, now, record.stake.held)
    return _logged(record, (*record.cases, case), len(record.cases), now, reason)


def remedy(law: Law, record: Record, index: int, now: int, reason: str) -> Record:
    """Seed: "Fix within grace period (24-72 hours)": a minor violation in time is no offence."""
    case = _case(record, index, OPEN)
    if case.major:
        raise DisciplineError("a major violation has no grace period")
    if now > (until := case.detected + law.minor.grace_hours * HOUR):
        raise DisciplineError(f"the grace period ended at {until}, {now - until} s ago")
    return _moved(record, index, Phase.REMEDIED, now, reason)


def dispute(law: Law, record: Record, index: int, now: int, reason: str) -> Record:
    """Seed: "2. Investigation period (if disputed)", within `dispute_hours` (D29)."""
    case = _case(record, index, {Phase.DETECTED})
    if now > (until := case.detected + law.ladder.dispute_hours * HOUR):
        raise DisciplineError(f"it could be disputed until {until}, {now - until} s ago")
    return _moved(record, index, Phase.INVESTIGATION, now, reason)


def review(record: Record, index: int, now: int, reason: str) -> Record:
    """Seed: "3. Community/governance review (major cases)"."""
    _case(record, index, {Phase.DETECTED, Phase.INVESTIGATION})
    return _moved(record, index, Phase.REVIEW, now, reason)


def dismiss(record: Record, index: int, now: int, reason: str) -> Record:
    """An investigation or a review found nothing: no offence."""
    _case(record, index, {Phase.INVESTIGATION, Phase.REVIEW})
    return _moved(record, index, Phase.DISMISSED, now, reason)


def execute(
    law: Law, record: Record, index: int, now: int, reason: str, share: Fraction | None = None
) -> Record:
    """Seed: "4. Execution of penalty": the rung that the offence has come to, once.

    `share` of the stake is the lower bound, or what a review decided within the range (D6). A minor
    violation waits for the end of its grace period, a detection that nobody took up for the end of
    the time to dispute it, what D26 names for a review.
    """
    case = _case(record, index, OPEN)
    rung = rung_of(law, record, index)
    _ensure_due(law, case, rung, now)
    bounds = slash_range(law, case.kind, rung)
    part = _share(case, bounds, share)
    recent = _slashed_within(law, record, now)
    amount = staking.slash_amount(
        part, case.base, record.stake.held,
        staking.slash_room(law.staking, record.stake.held, recent),
    )  # fmt: skip
    stake, taken = staking.slash(record.stake, int(amount.value))
    until = now + law.ladder.reduction_days * DAY if rung is Rung.REDUCTION else None
    steps = (Step(f"L{rung}", f"{case.kind}: offence {rung} within the look-back", int(rung)),)
    derived = replace(amount, steps=(*steps, *amount.steps))
    done = replace(case, penalty=Penalty(rung, derived, taken, until, now))
    changed = replace(record, stake=stake, cases=_with(record.cases, index, done))
    return _moved(changed, index, Phase.EXECUTED, now, reason)


def appeal(law: Law, record: Record, index: int, now: int, reason: str) -> Record:
    """Seed: "5. Appeal process available", once for each case, within `appeal_days` (D29)."""
    case = _case(record, index, {Phase.EXECUTED})
    if now > (until := _penalty(case).at + law.ladder.appeal_days * DAY):
        raise DisciplineError(f"it could be appealed until {until}, {now - until} s ago")
    return _moved(record, index, Phase.APPEALED, now, reason)


def uphold(record: Record, index: int, now: int, reason: str) -> Record:
    """The appeal failed; nothing changes."""
    _case(record, index, {Phase.APPEALED})
    return _moved(record, index, Phase.UPHELD, now, reason)


def reverse(record: Record, index: int, now: int, reason: str) -> Record:
    """The appeal succeeded: what was taken goes back where it was, and the offence counts no more.

    Later offences keep the rungs that they had; each has its own appeal (D27).
    """
    case = _case(record, index, {Phase.APPEALED})
    stake = staking.restore(record.stake, _penalty(case).taken)
    return _moved(replace(record, stake=stake), index, Phase.REVERSED, now, reason)


def withdraw(law: Law, record: Record, now: int) -> tuple[Record, int]:
    """What is ready, unless an open case holds the stake (S5, D21): the record, the amount paid."""
    _ensure_forward(record, now)
    if law.staking.hold_open_cases and may_slash(law, record):
        raise DisciplineError("an open case may slash the stake: it is held until then")
    stake, paid = staking.withdraw(record.stake, now)
    return replace(record, stake=stake), paid


# --- What follows from a record -----------------------------------------------------------


def rung_of(law: Law, record: Record, index: int) -> Rung:
    """L1 to L4: one more than the offences that count, of those within the look-back (L5)."""
    after = record.cases[index].detected - law.ladder.lookback_days * DAY
    before = sum(
        case.phase in COUNTING and case.detected > after
        for place, case in enumerate(record.cases)
        if place != index
    )
    return Rung(min(before + 1, Rung.REMOVAL))


def slash_range(law: Law, kind: Minor | Major, rung: Rung) -> tuple[Fraction, Fraction]:
    """The share of the stake, lowest and highest: table or ladder, whichever is more (D5).

    The two are never added.
    """
    ladder: ShareRange | None = {
        Rung.SLASH: law.ladder.slash, Rung.REMOVAL: law.ladder.removal_slash,
    }.get(rung)  # fmt: skip
    rows: list[ShareRange] = [ladder] if ladder else []
    if isinstance(kind, Major):
        rows.append(table_entry(law.major, kind))
    low = max((Fraction(row.low) for row in rows), default=Fraction())
    return low, max((Fraction(row.high) for row in rows), default=Fraction())


def may_slash(law: Law, record: Record) -> bool:
    """Whether a case is open that can still cost stake (S5, D21)."""
    return any(
        case.phase in OPEN and slash_range(law, case.kind, rung_of(law, record, index))[1] > 0
        for index, case in enumerate(record.cases)
    )


def needs_review(law: Law, kind: Minor | Major, rung: Rung) -> bool:
    """Seed: "review (major cases)": those that D26 names, and removals."""
    if rung is Rung.REMOVAL and law.ladder.removal_review:
        return True
    return isinstance(kind, Major) and table_entry(law.major, kind).review


def reduced_seconds(record: Record, first: int, end: int) -> int:
    """Seed: "Reward reduction (30 days)": seconds of [first, end) in which rewards are reduced.

    Days that two reductions share count once.
    """
    reached, total = first, 0
    for start, until in sorted(_reductions(record)):
        total += max(min(until, end) - max(start, reached), 0)
        reached = max(reached, min(until, end))
    return total


def explain_case(case: Case) -> tuple[Step, ...]:
    """Why a case cost what it cost; nothing before its execution."""
    rule = MAJOR_RULE[case.kind] if isinstance(case.kind, Major) else MINOR_RULE[case.kind]
    opened = Step(rule, f"{case.kind} detected at {case.detected}, stake then", case.base)
    return (opened, *(case.penalty.slashed.steps if case.penalty else ()))


# --- Internals ----------------------------------------------------------------------------


def _case(record: Record, index: int, phases: frozenset[Phase] | set[Phase]) -> Case:
    if not 0 <= index < len(record.cases):
        raise DisciplineError(f"there is no case {index}")
    case = record.cases[index]
    if case.phase not in phases:
        allowed = ", ".join(sorted(phases))
        raise DisciplineError(f"case {index} is {case.phase}; this needs: {allowed}")
    return case


def _penalty(case: Case) -> Penalty:
    assert case.penalty is not None  # cases come here after their execution
    return case.penalty


def _ensure_forward(record: Record, now: int) -> None:
    if record.log and now < record.log[-1].at:
        raise DisciplineError(f"{now} is before {record.log[-1].at}, the last entry of the log")


def _ensure_due(law: Law, case: Case, rung: Rung, now: int) -> None:
    reviewed = case.phase is Phase.REVIEW
    if not reviewed and needs_review(law, case.kind, rung):
        raise DisciplineError(f"{case.kind} at rung {rung.name.lower()} needs a review first")
    hours = law.ladder.dispute_hours if case.phase is Phase.DETECTED else 0
    if not case.major:
        hours = max(hours, law.minor.grace_hours)
    until = case.detected + hours * HOUR
    if hours and now <= until:
        raise DisciplineError(f"it can be disputed or remedied until {until}")


def _share(case: Case, bounds: tuple[Fraction, Fraction], share: Fraction | None) -> Fraction:
    low, high = bounds
    if share is None or share == low:
        return low
    if not low <= share <= high:
        raise DisciplineError(f"{plain(share)} is not from {plain(low)} to {plain(high)}")
    if case.phase is not Phase.REVIEW:
        raise DisciplineError(f"more than {plain(low)} needs a review first")
    return share


def _slashed_within(law: Law, record: Record, now: int) -> int:
    after = now - law.ladder.lookback_days * DAY
    return sum(
        case.penalty.taken.amount
        for case in record.cases
        if case.penalty and case.phase in COUNTING and case.penalty.at > after
    )


def _reductions(record: Record) -> Iterator[tuple[int, int]]:
    for case in record.cases:
        if case.phase in COUNTING and case.penalty and case.penalty.reduced_until is not None:
            yield case.penalty.at, case.penalty.reduced_until


def _with(cases: tuple[Case, ...], index: int, case: Case) -> tuple[Case, ...]:
    return (*cases[:index], case, *cases[index + 1 :])


def _moved(record: Record, index: int, phase: Phase, now: int, reason: str) -> Record:
    case = replace(record.cases[index], phase=phase)
    return _logged(record, _with(record.cases, index, case), index, now, reason)


def _logged(record: Record, cases: tuple[Case, ...], index: int, now: int, reason: str) -> Record:
    _ensure_forward(record, now)
    if not reason.strip():
        raise DisciplineError("every step needs its reason")
    line = Transition(now, index, cases[index].phase, reason)
    return replace(record, cases=cases, log=(*record.log, line))
