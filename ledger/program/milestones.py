"""May a member be granted a milestone: every requirement, what shows it, and what is missing.

Source: seed 000, with the readings F9, F10, F11 and F13. The ledger takes whatever milestone the
curators grant: they judge. This tells them and everybody else what the rules make of it.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from ibp_chain.types import BlockNumber
from ledger.pallets.membership import MilestoneRecord
from ledger.program.decisions import Decisions, Made
from ledger.program.derivation import Step
from ledger.program.evidence import Evidence, Item, Verdict
from ledger.program.lock_terms import LockFact
from ledger.program.milestone_rules import (
    TASKS_OF,
    ByCapacity,
    ByChains,
    ByEach,
    ByEvidence,
    ByLink,
    ByLock,
    ByValue,
    Gate,
    Requirement,
)
from ledger.program.ranks import Rank
from ledger.program.rules import Rules


class Outcome(StrEnum):
    MET = "met"
    WAIVED = "waived"
    MISSING = "missing"
    UNKNOWN = "not known"
    """Nobody brought what would tell."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one member at one block. What was not looked at is None, not empty."""

    member: str
    block: BlockNumber
    granted: Mapping[int, MilestoneRecord]
    decisions: Decisions
    evidence: Mapping[int, Evidence] = field(default_factory=dict)
    """By milestone. Of a granted one, the document that the grant hashed."""
    ranks: Mapping[int, Rank] | None = None
    """By milestone."""
    links: int = 0
    """How many accounts are linked to it."""
    locks: tuple[LockFact, ...] = ()
    lock_networks: tuple[str, ...] = ()
    """Every network on which the programme's members keep locks."""
    pool_room: Step | None = None

    @property
    def tasks(self) -> frozenset[str]:
        """Of milestone 7, those that evidence was accepted for."""
        document = self.document(TASKS_OF)
        if document is None:
            return frozenset()
        return frozenset(i.requirement for i in document.items if i.verdict is Verdict.ACCEPTED)

    def document(self, milestone: int) -> Evidence | None:
        """The evidence; None where there is none, or another than the grant was given for."""
        document, record = self.evidence.get(milestone), self.granted.get(milestone)
        if document is None or (record is not None and record.evidence != document.hash):
            return None
        return document


@dataclass(frozen=True, slots=True)
class Check:
    """One requirement of a milestone, and what the facts make of it."""

    id: str
    """Such as `M3.geodns-pools`: what a waiver names."""
    text: str
    outcome: Outcome
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Assessment:
    """A milestone, requirement by requirement."""

    milestone: int
    checks: tuple[Check, ...]
    promotion: Made | None
    """The decision that grants it whatever is missing (F13)."""

    @property
    def missing(self) -> tuple[Check, ...]:
        """What is neither met nor waived."""
        return tuple(c for c in self.checks if c.outcome not in {Outcome.MET, Outcome.WAIVED})

    @property
    def may_be_granted(self) -> bool:
        return self.promotion is not None or not self.missing

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(step for check in self.checks for step in check.steps)


def next_milestone(granted: Collection[int]) -> int | None:
    """The lowest that was not granted; None behind the last."""
    return next((number for number in range(1, 9) if number not in granted), None)


def assess(rules: Rules, number: int, facts: Facts) -> Assessment:
    """Every requirement of milestone `number` for the member that `facts` are about."""
    checks = tuple(_waived(check, rules, facts) for check in _checks(rules, number, facts))
    promotion = facts.decisions.promotion(number) if rules.membership.override else None
    return Assessment(number, checks, promotion)


# --- Internals ----------------------------------------------------------------------


def _waived(check: Check, rules: Rules, facts: Facts) -> Check:
    waiver = facts.decisions.waiver(check.id) if rules.membership.waivable else None
    if check.outcome is Outcome.MET or waiver is None:
        return check
    step = Step("F13", f"{check.id}: {waiver}", 1)
    return Check(check.id, check.text, Outcome.WAIVED, (*check.steps, step))


def _checks(rules: Rules, number: int, facts: Facts) -> Iterator[Check]:
    milestone = rules.milestones[number]
    if milestone.needs:
        yield _needs(number, milestone.needs, facts)
    if milestone.rank is not None:
        yield _gate(number, milestone.rank, facts)
    shown = _Shown(number, facts)
    for requirement in milestone.requirements:
        rule = f"M{number}.{requirement.id}"
        outcome, steps = shown.outcome(requirement, rule)
        if outcome is not Outcome.MET and _is_hosted(rules, rule, facts):
            task = f"M{TASKS_OF}.{rules.snapshots.task}"
            outcome, steps = Outcome.MET, (*steps, Step("F10", f"{task} counts as {rule}", 1))
        yield Check(rule, requirement.text, outcome, steps)
    if milestone.tasks_least:
        tasks = sorted(facts.tasks & milestone.tasks.keys())
        text = f"tasks done, {milestone.tasks_least} asked for: {', '.join(tasks) or 'none'}"
        step = Step(f"M{number}.tasks", text, len(tasks))
        done = _met(len(tasks) >= milestone.tasks_least)
        yield Check(f"M{number}.tasks", f"{milestone.tasks_least} tasks", done, (step,))


def _is_hosted(rules: Rules, rule: str, facts: Facts) -> bool:
    return rule == rules.snapshots.hosting_meets and rules.snapshots.task in facts.tasks


def _met(is_met: bool) -> Outcome:  # noqa: FBT001  # the condition is all that there is to say
    return Outcome.MET if is_met else Outcome.MISSING


def _needs(number: int, needs: Collection[int], facts: Facts) -> Check:
    rule, named = f"M{number}.milestones", ", ".join(f"M{each}" for each in needs)
    granted = [each for each in needs if each in facts.granted]
    at = "".join(f", M{each} in block {facts.granted[each].granted_at}" for each in granted)
    step = Step(rule, f"granted of {named}{at}", len(granted))
    return Check(rule, f"{named} complete", _met(len(granted) == len(needs)), (step,))


def _gate(number: int, gate: Gate, facts: Facts) -> Check:
    rule, text = f"M{number}.rank", f"rank {gate.least} in milestone {gate.of}"
    if facts.ranks is None:
        step = Step("F4", f"no rows of standing reports were given; {gate.least} is asked for", 0)
        return Check(rule, text, Outcome.UNKNOWN, (step,))
    rank = facts.ranks.get(gate.of)
    if rank is None:
        step = Step("F5", f"no report tells of {facts.member} in milestone {gate.of}", 0)
        return Check(rule, text, Outcome.MISSING, (step,))
    day = rank.reached(gate.least)
    told = f"never {gate.least}" if day is None else f"{gate.least} on {day}, passed for good"
    steps = (*rank.steps, Step("F4", f"highest rank in M{gate.of}, {told}", rank.highest))
    return Check(rule, text, _met(day is not None), steps)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the evidence for one milestone comes to."""

    number: int
    facts: Facts

    def outcome(self, requirement: Requirement, rule: str) -> tuple[Outcome, tuple[Step, ...]]:
        match requirement:
            case ByEvidence():
                items = self._items(requirement.id)
                return self._least(rule, len(items), 1, "accepted items")
            case ByValue():
                sum_ = _sum(self._items(requirement.id))
                return self._least(rule, sum_, requirement.least, "accepted, together")
            case ByEach():
                values = [item.value or 0 for item in self._items(requirement.id)]
                return self._least(rule, min(values, default=0), requirement.least, "each accepted")
            case ByChains():
                return self._by_chains(requirement, rule)
            case ByLink():
                step = Step(
                    rule, "accounts linked by `link` remarks, 1 asked for", self.facts.links
                )
                return _met(self.facts.links >= 1), (step,)
            case ByLock():
                return self._by_lock(rule)
            case ByCapacity():
                room = self.facts.pool_room
                if room is None:
                    return Outcome.UNKNOWN, (Step(rule, "nobody said how many pools there are", 0),)
                has = TASKS_OF + 1 in self.facts.granted  # who runs a pool takes no other room
                return _met(room.value >= (0 if has else 1)), (room,)
        assert_never(requirement)

    def _least(
        self, rule: str, found: int, least: int, what: str
    ) -> tuple[Outcome, tuple[Step, ...]]:
        step = Step(rule, f"{what}, {least} asked for, {self._source()}", found)
        return self._shown(is_met=found >= least), (step,)

    def _by_chains(self, requirement: ByChains, rule: str) -> tuple[Outcome, tuple[Step, ...]]:
        enough, steps = True, []
        for chain, least in requirement.chains.items():
            found = _sum(self._items(requirement.id, chain))
            enough = enough and found >= least
            text = f"{chain}: accepted, {least} asked for, {self._source()}"
            steps.append(Step(rule, text, found))
        return self._shown(is_met=enough), tuple(steps)

    def _by_lock(self, rule: str) -> tuple[Outcome, tuple[Step, ...]]:
        seen = {fact.network.name.removesuffix("-asset-hub") for fact in self.facts.locks}
        steps = [step for fact in self.facts.locks for step in fact.steps]
        unseen = [name for name in self.facts.lock_networks if name not in seen]
        steps += [Step(rule, f"{name}: no ledger of it was read", 0) for name in unseen]
        if not all(fact.kept for fact in self.facts.locks):
            return Outcome.MISSING, tuple(steps)
        return (Outcome.UNKNOWN if unseen else Outcome.MET), tuple(steps)

    def _shown(self, *, is_met: bool) -> Outcome:
        """What was granted on evidence that nobody brought is not known, rather than missing."""
        if self.number in self.facts.granted and self.facts.document(self.number) is None:
            return Outcome.UNKNOWN
        return _met(is_met)

    def _items(self, requirement: str, chain: str | None = None) -> tuple[Item, ...]:
        document = self.facts.document(self.number)
        return () if document is None else document.accepted(requirement, chain)

    def _source(self) -> str:
        document = self.facts.document(self.number)
        if document is not None:
            return f"evidence 0x{document.hash.hex()}"
        record = self.facts.granted.get(self.number)
        if record is not None:
            return f"the grant's evidence 0x{record.evidence.hex()} was not given"
        return "no evidence was given"


def _sum(items: Collection[Item]) -> int:
    return sum(1 if item.value is None else item.value for item in items)
