"""Whatever is measured and done: scores in bounds, rewards under the cap, stake conserved."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ledger.program.derivation import plain
from ledger.program.dtelecom import discipline, staking
from ledger.program.dtelecom.discipline import COUNTING, OPEN, Case, Phase, Record, Rung
from ledger.program.dtelecom.earnings import Item, earnings
from ledger.program.dtelecom.penalties import DAY, HOUR, Major, Minor
from ledger.program.dtelecom.quality import Measures, score
from ledger.program.dtelecom.rewards import quality_factor
from ledger.program.dtelecom.staking import StakeError
from tests.support.dtelecom import LAW, month, node

# --- Scores -------------------------------------------------------------------------------

percents = st.decimals(0, 100, places=4)
amounts = st.decimals(0, 5000, places=2)
near_bands = st.sampled_from(
    [Decimal(text) for text in ("94.9999", "95", "98.9999", "99", "99.4999", "99.5", "99.9")]
)
measures = st.builds(
    Measures,
    uptime=near_bands | percents,
    latency_ms=amounts,
    bandwidth_mbps=amounts,
    loss=percents,
    connection_success=percents,
    error_rate=percents,
    recovery_s=amounts,
    connections=amounts,
    resources=percents,
    version_current=st.booleans(),
    patches_current=st.booleans(),
    policy_kept=st.booleans(),
)
MORE_IS_BETTER = {
    "uptime": True, "latency_ms": False, "bandwidth_mbps": True, "loss": False,
    "connection_success": True, "error_rate": False, "recovery_s": False, "connections": True,
    "resources": True, "version_current": True, "patches_current": True, "policy_kept": True,
}  # fmt: skip


@given(measures)
def test_a_score_is_within_0_and_100_and_the_sum_of_its_parts(measured: Measures) -> None:
    found = score(LAW.quality, measured)
    assert 0 <= found.total <= 100
    assert found.total == sum(Fraction(part.value) for part in found.parts)
    assert all(Fraction(part.value) >= 0 for part in found.parts)


@given(measures, measures, st.sampled_from(sorted(MORE_IS_BETTER)))
def test_no_measure_that_gets_better_lowers_the_score(
    measured: Measures, other: Measures, name: str
) -> None:
    values: list[Any] = sorted((getattr(measured, name), getattr(other, name)))
    if not MORE_IS_BETTER[name]:
        values.reverse()
    worse, better = (score(LAW.quality, replace(measured, **{name: value})) for value in values)
    assert worse.total <= better.total
    assert (
        quality_factor(LAW.rewards, worse.total).value
        <= quality_factor(LAW.rewards, better.total).value
    )


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**6))
def test_a_number_is_printed_without_loss(numerator: int, denominator: int) -> None:
    value = Fraction(numerator, denominator)
    assert Fraction(plain(value)) == value


# --- Rewards ------------------------------------------------------------------------------

REGIONS = ("north-america", "south-america", "oceania", "africa", "elsewhere")
usd = st.decimals(0, 10_000, places=6).map(lambda value: f"{value:f}")


@st.composite
def nodes(draw: st.DrawFn, name: str) -> dict[str, Any]:
    found = draw(measures)
    return node(
        name,
        region=draw(st.sampled_from(REGIONS)),
        type=draw(st.sampled_from(["standard", "hub", "edge", "recording"])),
        base_usd=draw(usd),
        stake_usd=draw(usd),
        reduced_days=draw(st.integers(0, 31)),
        measures={
            key: value if isinstance(value := getattr(found, key), bool) else f"{value:f}"
            for key in MORE_IS_BETTER
        },
        violations=[
            {"kind": kind, "detected": "2026-01-05T00:00:00Z"}
            for kind in draw(st.lists(st.sampled_from([*Minor]), max_size=2))
        ],
    )


@settings(deadline=None, max_examples=40)
@given(st.data(), st.sampled_from([1, 2, 3, 10]), st.integers(1, 40), st.booleans(), st.booleans())
def test_rewards_never_exceed_the_cap_and_rounding_creates_no_money(
    data: st.DataObject, count: int, programme_month: int, signed: bool, genesis: bool
) -> None:
    operator = [data.draw(nodes(f"node-{k}")) for k in range(count)]
    changes: dict[str, Any] = {"genesis_since": "2025-12"} if genesis else {}
    found = earnings(
        LAW, month(*operator, programme_month=programme_month, sla_signed=signed, **changes)
    )
    bases = {each["id"]: Fraction(each["base_usd"]) for each in operator}
    for line in found.lines:
        assert 0 <= Fraction(line.usd) <= line.exact < line.usd + LAW.rewards.unit_usd
        assert line.steps[-1].value == line.usd
        if line.item is Item.SERVICE:
            assert line.exact <= bases[line.node] * Fraction(LAW.rewards.multiplier_cap)
    assert found.total == sum(line.usd for line in found.lines)
    assert 0 <= found.remainder < len(found.lines) * LAW.rewards.unit_usd
    reordered = month(
        *reversed(operator), programme_month=programme_month, sla_signed=signed, **changes
    )
    assert earnings(LAW, reordered) == found


# --- Discipline and stake -----------------------------------------------------------------

kinds = st.sampled_from([*Minor, *Major])
pauses = st.sampled_from([0, 1, HOUR, 73 * HOUR, 8 * DAY, 31 * DAY, 200 * DAY])
which = st.integers(0, 30)


class Node(RuleBasedStateMachine):
    """One node's stake and cases; whatever the process refuses must leave no trace."""

    def __init__(self) -> None:
        super().__init__()
        self.record = Record()
        self.now = 0
        self.paid = 0
        self.deposited = 0
        self.executed: list[int] = []
        """Cases by execution, since the last reversal."""

    def attempt(self, done: Record | None) -> None:
        if done is not None:
            assert done.log[: len(self.record.log)] == self.record.log
            assert len(done.log) == len(self.record.log) + 1
            assert done.log[-1].at == self.now
            self.record = done

    def case_in(self, phases: frozenset[Phase], place: int) -> int | None:
        found = [k for k, case in enumerate(self.record.cases) if case.phase in phases]
        return found[place % len(found)] if found else None

    @initialize(amount=st.integers(1, 10**24))
    def stake(self, amount: int) -> None:
        self.deposit(amount)

    @rule(amount=st.integers(1, 10**24))
    def deposit(self, amount: int) -> None:
        stake = staking.deposit(self.record.stake, amount, Decimal(10_000))
        self.record = replace(self.record, stake=stake)
        self.deposited += amount

    @rule(pause=pauses)
    def wait(self, pause: int) -> None:
        self.now += pause

    @rule(part=st.integers(1, 4))
    def unbond(self, part: int) -> None:
        stake = self.record.stake
        if amount := stake.bonded // part:
            stake = staking.unbond(LAW.staking, stake, amount, self.now)
            self.record = replace(self.record, stake=stake)
        else:
            try:
                staking.unbond(LAW.staking, stake, stake.bonded + 1, self.now)
            except StakeError:
                return
            raise AssertionError

    @rule()
    def withdraw(self) -> None:
        if discipline.may_slash(LAW, self.record):
            return
        ready = [c.amount for c in self.record.stake.unbonding if c.ready <= self.now]
        self.record, paid = discipline.withdraw(LAW, self.record, self.now)
        assert paid == sum(ready)
        self.paid += paid
        assert discipline.withdraw(LAW, self.record, self.now)[1] == 0

    @rule(kind=kinds)
    def detect(self, kind: Minor | Major) -> None:
        going_on = any(c.kind is kind and c.phase in OPEN for c in self.record.cases)
        try:
            done = discipline.detect(self.record, kind, self.now, "seen")
        except discipline.DisciplineError:
            assert self.record.removed or going_on
            return
        assert not self.record.removed
        self.attempt(done)

    @rule(kind=kinds, raised=st.booleans(), half=st.booleans())
    def offend(self, kind: Minor | Major, *, raised: bool, half: bool) -> None:
        """The whole way to an execution, with part of the stake on its way out."""
        if half:
            self.unbond(2)
        known = len(self.record.cases)
        self.detect(kind)
        if len(self.record.cases) == known:
            return
        self.attempt(discipline.review(self.record, known, self.now, "voted"))
        self.wait(HOUR if isinstance(kind, Major) else 73 * HOUR)
        self.carry_out(known, raised=raised)
        assert self.record.cases[known].phase is Phase.EXECUTED

    @rule(place=which)
    def leave(self, place: int) -> None:
        """What is open is dropped, and everything that is ready goes."""
        while (index := self.case_in(OPEN, place)) is not None:
            if self.record.cases[index].phase is not Phase.REVIEW:
                self.attempt(discipline.review(self.record, index, self.now, "voted"))
            self.attempt(discipline.dismiss(self.record, index, self.now, "nothing found"))
        self.unbond(1)
        self.wait(LAW.staking.unbonding_days * DAY)
        self.withdraw()
        assert self.record.stake.held == 0

    @rule(place=which, act=st.sampled_from(["remedy", "dispute", "review", "dismiss"]))
    def proceed(self, place: int, act: str) -> None:
        index = self.case_in(OPEN, place)
        if index is None:
            return
        law = (LAW,) if act in {"remedy", "dispute"} else ()
        before = self.record.stake
        try:
            self.attempt(getattr(discipline, act)(*law, self.record, index, self.now, "because"))
        except discipline.DisciplineError:
            return
        assert self.record.stake == before

    @rule(place=which, raised=st.booleans())
    def execute(self, place: int, *, raised: bool) -> None:
        index = self.case_in(OPEN, place)
        if index is not None:
            self.carry_out(index, raised=raised)

    def carry_out(self, index: int, *, raised: bool) -> None:
        case, rung = self.record.cases[index], discipline.rung_of(LAW, self.record, index)
        low, high = discipline.slash_range(LAW, case.kind, rung)
        share = high if raised else None
        try:
            done = discipline.execute(LAW, self.record, index, self.now, "due", share)
        except discipline.DisciplineError:
            return
        penalty = done.cases[index].penalty
        assert penalty is not None
        assert penalty.taken.amount == self.record.stake.held - done.stake.held
        assert penalty.taken.amount <= min(case.base, self.record.stake.held)
        assert penalty.taken.amount <= (high if raised else low) * case.base
        assert penalty.rung == rung
        self.attempt(done)
        self.executed.append(index)
        self.no_rung_goes_back()

    def no_rung_goes_back(self) -> None:
        """Offences of one look-back stand each a rung above the one before, up to the top."""
        cases = [self.record.cases[index] for index in self.executed]
        moments = [case.detected for case in cases]
        if max(moments) - min(moments) >= LAW.ladder.lookback_days * DAY:
            return
        rungs = [case.penalty.rung for case in cases if case.penalty]
        assert len(rungs) == len(cases)
        for before, after in pairwise(rungs):
            assert after > before or before is Rung.REMOVAL

    @rule(place=which)
    def appeal(self, place: int) -> None:
        index = self.case_in(frozenset({Phase.EXECUTED}), place)
        if index is None:
            return
        try:
            self.attempt(discipline.appeal(LAW, self.record, index, self.now, "unjust"))
        except discipline.DisciplineError:
            penalty = self.record.cases[index].penalty
            assert penalty is not None
            assert self.now > penalty.at + LAW.ladder.appeal_days * DAY

    @rule(place=which)
    def uphold(self, place: int) -> None:
        index = self.case_in(frozenset({Phase.APPEALED}), place)
        if index is not None:
            self.attempt(discipline.uphold(self.record, index, self.now, "just"))

    @precondition(lambda self: any(c.phase is Phase.APPEALED for c in self.record.cases))
    @rule(place=which)
    def reverse(self, place: int) -> None:
        index = self.case_in(frozenset({Phase.APPEALED}), place)
        assert index is not None
        before, penalty = self.record.stake, self.record.cases[index].penalty
        assert penalty is not None
        self.attempt(discipline.reverse(self.record, index, self.now, "unjust indeed"))
        after = self.record.stake
        assert after.bonded == before.bonded + penalty.taken.bonded
        assert after.held == before.held + penalty.taken.amount
        ready = {c.ready: c.amount for c in before.unbonding}
        for chunk in penalty.taken.unbonding:
            ready[chunk.ready] = ready.get(chunk.ready, 0) + chunk.amount
        assert {c.ready: c.amount for c in after.unbonding} == ready
        self.executed.clear()

    # --- What holds always ----------------------------------------------------------------

    @invariant()
    def stake_is_conserved(self) -> None:
        stake = self.record.stake
        assert stake.deposited == self.deposited
        assert stake.withdrawn == self.paid
        assert stake.deposited + stake.restored == stake.held + stake.slashed + stake.withdrawn
        assert min(stake.bonded, stake.held, stake.withdrawn, stake.slashed - stake.restored) >= 0
        assert all(chunk.amount > 0 for chunk in stake.unbonding)

    @invariant()
    def slashes_are_those_of_the_cases(self) -> None:
        taken = [
            (case.phase, case.penalty.taken.amount) for case in self.record.cases if case.penalty
        ]
        stake = self.record.stake
        assert stake.slashed == sum(amount for _, amount in taken)
        assert stake.restored == sum(a for phase, a in taken if phase is Phase.REVERSED)
        assert stake.slashed - stake.restored <= stake.deposited

    @invariant()
    def a_penalty_belongs_to_what_was_executed(self) -> None:
        for case in self.record.cases:
            assert (case.penalty is not None) == (case.phase in COUNTING | {Phase.REVERSED})
            assert removal_is_reviewed(self.record, case)

    @invariant()
    def a_case_goes_through_the_process_in_order(self) -> None:
        for index, case in enumerate(self.record.cases):
            phases = [line.phase for line in self.record.log if line.case == index]
            assert phases[0] is Phase.DETECTED
            assert phases[-1] is case.phase
            assert len({*phases}) == len(phases)


def removal_is_reviewed(record: Record, case: Case) -> bool:
    if case.penalty is None or case.penalty.rung is not Rung.REMOVAL:
        return True
    index = record.cases.index(case)
    return any(line.phase is Phase.REVIEW and line.case == index for line in record.log)


TestNode = Node.TestCase
TestNode.settings = settings(max_examples=50, stateful_step_count=50, deadline=None)
