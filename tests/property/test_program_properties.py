"""What holds of the programme's rules for any history: budgets, lumps, ranks, order."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ibp_chain.types import BlockNumber, Planck
from ledger.program import usd
from ledger.program.budget import Budget, BudgetError, Payment
from ledger.program.decisions import Decisions
from ledger.program.evidence import Evidence, Item, Verdict, parse_evidence
from ledger.program.lumps import MS_PER_DAY, Lump, LumpError, Lumps, returned_on_exit
from ledger.program.milestones import Outcome, assess
from ledger.program.ranks import ranks
from ledger.program.rules_book import RulesBook
from tests.support.law import LAW, MEMBER, at, days_of, everything, facts

MEMBERS = ("amforc", "helikon", "rival")
ITEMS = tuple(LAW.budget.line_of)
cents = st.integers(0, 40_000_000).map(usd.of_cents)
payments = st.builds(
    Payment,
    period=st.sampled_from(["2026-01", "2026-02"]),
    member=st.sampled_from(MEMBERS),
    item=st.sampled_from([*ITEMS, "party"]),
    usd=cents | st.sampled_from([Decimal(-1), Decimal("NaN"), Decimal("0.001")]),
)
points = st.integers(-672, 1)
histories = st.dictionaries(
    st.tuples(st.sampled_from(MEMBERS), st.sampled_from([3, 5])), st.lists(points, max_size=40)
)
planck = st.integers(0, 2**80).map(Planck)


def rows_of(history: dict[tuple[str, int], list[int]]) -> list[Any]:
    return [
        row
        for (member, milestone), each in history.items()
        for row in days_of(*each, member=member, milestone=milestone)
    ]


# --- Budget ---------------------------------------------------------------------------


@given(st.lists(st.lists(payments, max_size=6), max_size=8))
def test_no_line_is_ever_exceeded_and_a_refused_batch_changes_nothing(
    batches: list[list[Payment]],
) -> None:
    budget, taken = Budget.fresh(LAW.budget), []
    for batch in batches:
        before = budget.lines
        try:
            budget = budget.with_(batch)
        except BudgetError:
            assert budget.lines == before
        else:
            taken += batch
        assert all(0 <= line.used <= line.cap for line in budget.lines)
    assert budget.used == usd.total(payment.usd for payment in taken)
    assert budget.used <= LAW.budget.total_usd
    assert len({payment.key for payment in taken}) == len(taken)


@given(st.lists(payments, max_size=8), st.randoms())
def test_what_is_left_does_not_depend_on_the_order_of_a_batch(
    batch: list[Payment], random: Any
) -> None:
    shuffled = list(batch)
    random.shuffle(shuffled)

    def left(payments_: list[Payment]) -> Any:
        try:
            return Budget.fresh(LAW.budget).with_(payments_).lines
        except BudgetError:
            return None

    assert left(shuffled) == left(batch)


# --- Lumps ----------------------------------------------------------------------------


class LumpSums(RuleBasedStateMachine):
    """Whatever is tried: at most one payment and one return for each member and milestone."""

    def __init__(self) -> None:
        super().__init__()
        self.lumps = Lumps()
        self.paid: dict[tuple[str, int], int] = {}
        self.back: dict[tuple[str, int], int] = {}

    @rule(member=st.sampled_from(MEMBERS), number=st.sampled_from([2, 4]), amount=planck)
    def pay(self, member: str, number: int, amount: Planck) -> None:
        key = member, number
        try:
            self.lumps = self.lumps.pay(Lump(member, number, amount, BlockNumber(1), 0))
        except LumpError:
            assert key in self.paid
        else:
            assert key not in self.paid
            self.paid[key] = amount

    @rule(member=st.sampled_from(MEMBERS), number=st.sampled_from([2, 4]), days=st.integers(0, 800))
    def leave(self, member: str, number: int, days: int) -> None:
        key, lump = (member, number), self.lumps.find(member, number)
        due = returned_on_exit(lump, days * MS_PER_DAY, LAW.lumps).amount if lump else Planck(0)
        try:
            self.lumps = self.lumps.give_back(member, number, due)
        except LumpError:
            assert key not in self.paid or key in self.back
        else:
            assert key not in self.back
            self.back[key] = due

    @invariant()
    def what_comes_back_was_paid(self) -> None:
        assert self.back.keys() <= self.paid.keys()
        for key, amount in self.back.items():
            assert 0 <= amount <= self.paid[key]

    @invariant()
    def the_books_say_so(self) -> None:
        for (member, number), amount in self.paid.items():
            lump = self.lumps.find(member, number)
            assert lump is not None
            assert (lump.amount, lump.returned) == (amount, self.back.get((member, number)))


TestLumpSums = LumpSums.TestCase


@given(planck, st.integers(0, 2_000 * MS_PER_DAY), st.integers(0, MS_PER_DAY))
def test_who_stays_longer_returns_no_more(amount: Planck, stay: int, longer: int) -> None:
    lump = Lump(MEMBER, 2, amount, BlockNumber(1), 0)
    now, later = (returned_on_exit(lump, t, LAW.lumps).amount for t in (stay, stay + longer))
    assert 0 <= later <= now <= amount


# --- Ranks ----------------------------------------------------------------------------


@given(histories, st.randoms())
def test_ranks_are_never_negative_and_the_order_of_members_and_days_does_not_matter(
    history: dict[tuple[str, int], list[int]], random: Any
) -> None:
    rows = rows_of(history)
    found = ranks(rows, LAW.rank)
    random.shuffle(rows)
    assert ranks(rows, LAW.rank) == found
    assert found.keys() == {key for key, each in history.items() if each}
    for rank in found.values():
        assert all(day.rank >= 0 for day in rank.days)
        assert rank.value == rank.steps[-1].value
        assert rank.highest >= rank.value


@given(st.lists(points, max_size=60), st.lists(points, max_size=20))
def test_a_gate_that_was_passed_is_never_closed(early: list[int], late: list[int]) -> None:
    before = ranks(days_of(*early), LAW.rank).get((MEMBER, 3))
    after = ranks(days_of(*early, *late), LAW.rank).get((MEMBER, 3))
    for least in range(1, 6):
        passed = before.reached(least) if before else None
        if passed is not None:
            assert after is not None
            assert after.reached(least) == passed


@given(st.lists(points, min_size=1, max_size=40), st.integers(0, 39))
def test_letting_charges_off_never_costs_a_member(days: list[int], which: int) -> None:
    day = days_of(*days)[which % len(days)].day
    made = Decisions.about(MEMBER, [at(1, f"M3 {day}")])
    let_off = {(MEMBER, 3): made.days_let_off(3)}
    plain, forgiven = (
        ranks(days_of(*days), LAW.rank, let_off=each)[MEMBER, 3] for each in ({}, let_off)
    )
    assert forgiven.value >= plain.value


# --- Milestones -----------------------------------------------------------------------

verdicts = st.sampled_from(Verdict)


@given(st.integers(1, 8), st.data())
def test_a_milestone_may_be_granted_exactly_when_nothing_is_missing(
    number: int, data: st.DataObject
) -> None:
    document = everything(number)
    kept = tuple(
        item.model_copy(update={"verdict": data.draw(verdicts)}) for item in document.items
    )
    shown = document.model_copy(update={"items": kept})
    ids = [f"M{number}.{each.id}" for each in LAW.milestones[number].requirements]
    subjects = data.draw(st.sets(st.sampled_from([*ids, f"M{number}.tasks"])))
    made = Decisions.about(
        MEMBER, [at(block, s) for block, s in enumerate(sorted(subjects), start=1)]
    )
    found = assess(LAW, number, facts(number, evidence={number: shown}, decisions=made))
    assert found.may_be_granted == (not found.missing)
    bad = {item.requirement for item in kept if item.verdict is not Verdict.ACCEPTED}
    tasks = {"tasks"} if bad & LAW.milestones[number].tasks.keys() else set()
    lacking = {f"M{number}.{each}" for each in (bad - LAW.milestones[number].tasks.keys()) | tasks}
    assert {each.id for each in found.missing} == lacking - subjects


@given(st.integers(1, 8), st.randoms())
def test_the_order_of_evidence_does_not_matter(number: int, random: Any) -> None:
    items = list(everything(number).items)
    random.shuffle(items)
    shuffled = everything(number).model_copy(update={"items": tuple(items)})
    found = assess(LAW, number, facts(number, evidence={number: shuffled}))
    assert all(check.outcome is Outcome.MET for check in found.checks)


texts = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
items = st.builds(
    Item,
    requirement=st.sampled_from(["boot-nodes", "tools"]),
    chain=st.none() | st.sampled_from(["kusama"]),
    value=st.none() | st.integers(0, 2**53 - 1),
    verdict=verdicts,
    link=texts,
    note=texts,
)


@given(st.lists(items, max_size=5, unique_by=lambda i: (i.requirement, i.chain, i.link)))
def test_a_document_survives_being_written(found: list[Item]) -> None:
    document = Evidence(member=MEMBER, milestone=1, items=tuple(found))
    assert parse_evidence(document.encoded, "e.json") == document


# --- Versions -------------------------------------------------------------------------


@given(st.sets(st.integers(0, 100), min_size=1), st.integers(0, 120), st.integers(101, 200))
def test_a_later_version_changes_no_earlier_block(
    blocks: set[int], looked_at: int, later: int
) -> None:
    since = [(BlockNumber(block), LAW.hash) for block in {0, *blocks}]
    book = RulesBook(since, [LAW])
    changed = RulesBook([*since, (BlockNumber(later), LAW.hash)], [LAW])
    if looked_at < later:
        at_ = BlockNumber(looked_at)
        assert changed.version_at(at_) == book.version_at(at_)
