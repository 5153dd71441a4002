"""Whatever is said to a programme, its ledger stays consistent and is its entries and no more.

Two ledgers hear the same things. The second one is put down and taken up from its raw entries in
between; nothing may ever tell the two apart.
"""

import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ibp_chain.remark_bodies import (
    Body,
    Decision,
    DecisionOutcome,
    Link,
    MemberAction,
    Milestone,
    MilestoneAction,
    Observe,
    Program,
    Report,
)
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, Hash
from ledger.pallets.membership import MemberStatus
from ledger.pallets.payout_lines import transfer_of
from ledger.pallets.payouts import Batch, BatchStatus, PaidKey, PaidLine
from ledger.pallets.programme import curators_account
from ledger.pallets.rejections import RejectionCode
from ledger.pallets.scores import (
    Closing,
    Commitment,
    Day,
    DigestKind,
    Standing,
    closes_at,
    day_number,
)
from ledger.remark_routing import Accepted, Refused
from ledger.state import State
from tests.support.programme import (
    CURATORS,
    MULTISIG,
    PASEO,
    PROGRAM,
    Stage,
    account,
    batch_all,
    link_body,
    member_body,
    payout,
    payout_batch,
    registration,
    remark,
    root,
    transfer,
)

NAMES = "amforc", "rival", "amforc-2"
ORACLE_NAMES = "Oracle0", "Oracle1", "Oracle2"
STEPS = 0, 29, 30, 60, 23 * 60
"""Minutes between two blocks. The curtain rises half an hour behind a midnight."""
ITEMS = "services", "bonus"
ACCOUNTS = [account(name) for name in (*NAMES, "Cold", "Warm")]
PAYEES = [account(f"{name}-payee") for name in NAMES] + [account("Thief")]
ORIGINS = [CURATORS[0], account("Stranger"), MULTISIG, *ACCOUNTS, *map(account, ORACLE_NAMES)]

members = st.sampled_from(NAMES)
oracles = st.sampled_from(ORACLE_NAMES)
ages = st.sampled_from([1, 1, 1, 2, 2, 3, 0])
"""How many days ago: yesterday is open for an hour, today is not over."""
few = st.integers(0, 3)
elsewhere = st.sampled_from([None] * len(ORIGINS) * 4 + ORIGINS)
"""Who says something instead of the right one; None is the right one."""
lines = st.lists(st.tuples(members, st.sampled_from(ITEMS)), min_size=1, max_size=3, unique=True)
transfers = st.lists(
    st.builds(transfer, st.sampled_from(PAYEES), st.integers(0, 9)) | st.just(remark(b"hello")),
    max_size=4,
)


class Programme(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stage, self.twin = Stage(), Stage()
        self.refused = 0
        self.paid: dict[PaidKey, PaidLine] = {}
        self.standing: dict[int, Standing] = {}
        """Every payment, from when it was first registered."""
        self.closings: dict[Day, Closing] = {}
        """Every closing, as it was when it was first seen."""
        self.posted: list[tuple[Body, AccountId]] = []
        """Digests and links that were posted before, to be posted again."""

    # --- Acts -----------------------------------------------------------------------------

    def say(self, said: Body | bytes, origin: AccountId | None) -> Accepted | Refused | None:
        facts, rejections = self.stage.facts(), len(self.stage.state.programme.rejections)
        taken = self.stage.say(said, origin)
        assert self.twin.say(said, origin) == taken
        if isinstance(taken, Refused):
            self.refused += 1
            assert self.stage.facts() == facts
        grown = len(self.stage.state.programme.rejections) - rejections
        assert grown == isinstance(taken, Refused)
        return taken

    def from_curators(self, said: Body, other: AccountId | None) -> None:
        self.say(said, other or self.curators)

    @property
    def program(self) -> Program:
        program = self.stage.state.programme.program.value
        assert program is not None
        return program

    @property
    def curators(self) -> AccountId:
        return curators_account(self.program)

    @initialize()
    def found(self) -> None:
        assert isinstance(self.say(PROGRAM, MULTISIG), Accepted)
        for name in NAMES[:2]:
            assert isinstance(self.say(registration(name), MULTISIG), Accepted)

    @rule(threshold=st.integers(2, 5), quorum=st.integers(2, 3), other=elsewhere)
    def hand_over(self, threshold: int, quorum: int, other: AccountId | None) -> None:
        changed = PROGRAM.model_copy(update={"threshold": threshold, "quorum": quorum})
        self.from_curators(changed, other)

    @rule(member=members, owned=few, payee=few, other=elsewhere)
    def register(self, member: str, owned: int, payee: int, other: AccountId | None) -> None:
        said = registration(
            member, accounts={"paseo": ACCOUNTS[owned]}, payee={"paseo": PAYEES[payee]}
        )
        self.from_curators(said, other)

    @rule(member=members, owned=few, other=elsewhere)
    def update(self, member: str, owned: int, other: AccountId | None) -> None:
        accounts = {"paseo": ACCOUNTS[owned], "kusama": ACCOUNTS[owned]}
        self.from_curators(member_body(MemberAction.UPDATE, member, accounts=accounts), other)

    @rule(
        member=members,
        action=st.sampled_from([MemberAction.SUSPEND, MemberAction.REINSTATE, MemberAction.REMOVE]),
        other=elsewhere,
    )
    def move(self, member: str, action: MemberAction, other: AccountId | None) -> None:
        self.from_curators(member_body(action, member, reason="seen"), other)

    @rule(
        member=members,
        action=st.sampled_from(MilestoneAction),
        number=st.integers(1, 2),
        other=elsewhere,
    )
    def milestone(
        self, member: str, action: MilestoneAction, number: int, other: AccountId | None
    ) -> None:
        said = Milestone(action=action, member=member, milestone=number, evidence=root("lease"))
        self.from_curators(said, other)

    @rule(member=members, outcome=st.sampled_from(DecisionOutcome), other=elsewhere)
    def decide(self, member: str, outcome: DecisionOutcome, other: AccountId | None) -> None:
        said = Decision(member=member, outcome=outcome, subject="M3", reason="flood")
        self.from_curators(said, other)

    @rule(
        member=members,
        origin=st.sampled_from(NAMES),
        linked=st.sampled_from(["Cold", "Warm", "rival"]),
        signer=st.none() | st.just("Stranger"),
    )
    def link(self, member: str, origin: str, linked: str, signer: str | None) -> None:
        said: Link = link_body(member, linked=linked, origin=origin, signer=signer)
        self.post(said, account(origin))

    @rule(oracle=oracles, age=ages, lie=st.booleans(), other=elsewhere)
    def observe(self, oracle: str, age: int, other: AccountId | None, *, lie: bool) -> None:
        changes: dict[str, Any] = {"root": root("a nicer day")} if lie else {}
        said: Observe = self.stage.observation(oracle, str(self.ago(age)), **changes)
        self.post(said, other or account(oracle))

    @rule(oracle=oracles, age=ages, lie=st.booleans(), early=st.booleans(), other=elsewhere)
    def report(
        self, oracle: str, age: int, other: AccountId | None, *, lie: bool, early: bool
    ) -> None:
        """Over what the day closed with; a hasty one, over what counts as yet."""
        day = self.ago(age)
        observes = self.counting(day) if early else self.committed(day)
        changes: dict[str, Any] = {"root": root("a nicer consensus")} if lie else {}
        said: Report = self.stage.report(oracle, str(day), observes=observes, **changes)
        self.post(said, other or account(oracle))

    @rule(hasty=oracles, liar=st.none() | oracles, in_time=st.booleans())
    def measure(self, hasty: str, liar: str | None, *, in_time: bool) -> None:
        """A day as it should be, but for one who reports too early and one who takes words back."""
        day = self.ago(0)
        self.jump_to(datetime(day.year, day.month, day.day, 0, 5, tzinfo=UTC) + timedelta(days=1))
        for oracle in ORACLE_NAMES:
            said: Body = self.stage.observation(oracle, str(day))
            assert isinstance(self.post(said, account(oracle)), Accepted)
        early = self.stage.report(hasty, str(day), observes=self.counting(day))
        refused = self.post(early, account(hasty))
        assert isinstance(refused, Refused)
        assert refused.code is RejectionCode.DAY_OPEN
        if liar is not None and in_time:
            self.contradict(liar, day)
        self.jump_to(datetime.fromtimestamp(closes_at(day_number(day)) / 1_000, tz=UTC))
        if liar is not None and not in_time:
            self.contradict(liar, day)
        committed = self.committed(day)
        assert len(committed) == (2 if liar is not None and in_time else 3)
        for oracle in ORACLE_NAMES:
            said = self.stage.report(oracle, str(day), observes=committed)
            is_enough = len(committed) >= self.program.quorum
            assert isinstance(self.post(said, account(oracle)), Accepted) == is_enough

    def contradict(self, oracle: str, day: date) -> None:
        said = self.stage.observation(oracle, str(day), root=root("on second thoughts"))
        assert isinstance(self.post(said, account(oracle)), Accepted)

    def counting(self, day: date) -> tuple[Hash, ...]:
        """The roots of `day` that are not contradicted; some root where there is none."""
        observations = self.stage.state.scores.observations
        found = [observations.find((account(name), day_number(day))) for name in ORACLE_NAMES]
        return tuple(sorted({seen.root for seen in found if seen})) or (root("nothing"),)

    def committed(self, day: date) -> tuple[Hash, ...]:
        """The roots that `day` closed with; some root where it did not."""
        closing = self.stage.state.scores.closings.find(day_number(day))
        found = closing.commitments if closing else ()
        return tuple(sorted({commitment.root for commitment in found})) or (root("nothing"),)

    def post(self, said: Body, origin: AccountId) -> Accepted | Refused | None:
        self.posted.append((said, origin))
        return self.say(said, origin)

    @rule(which=st.integers(0))
    def replay(self, which: int) -> None:
        if self.posted:
            self.say(*self.posted[which % len(self.posted)])

    @rule(tail=st.binary(max_size=40), version=st.sampled_from([b"1 member ", b"1 ", b"2 x ", b""]))
    def babble(self, tail: bytes, version: bytes) -> None:
        taken = self.say(b"IBP/" + version + tail, MULTISIG)
        assert isinstance(taken, Refused)

    @rule(lines=lines, calls=transfers, period=st.sampled_from(["2026-01", "2026-02"]),
          other=elsewhere, nested=st.booleans())  # fmt: skip
    def pay(
        self,
        lines: list[tuple[str, str]],
        calls: list[Call],
        period: str,
        other: AccountId | None,
        *,
        nested: bool,
    ) -> None:
        batch = payout_batch(payout(*lines, period=period), *calls)
        whole = batch_all(remark(b"hello"), batch) if nested else batch
        origin = other or self.curators
        refused = len(self.stage.fold.refused)
        brought = self.both(lambda stage: stage.dispatch(whole, origin))
        self.refused += len(self.stage.fold.refused) - refused
        assert len(brought) == (origin == self.curators)
        for record in brought:
            moved = [found.amount for call in calls if (found := transfer_of(call))]
            assert record.total == sum(moved)

    @rule(lines=lines, amounts=st.lists(st.integers(0, 9), min_size=3, max_size=3))
    def pay_as_owed(self, lines: list[tuple[str, str]], amounts: list[int]) -> None:
        """Every line to its member's payee, where it has one: a violation is a second payment."""
        members = self.stage.state.membership.members
        known = [members.find(member) for member, _ in lines]
        calls = [
            transfer(record.payees[0][1] if record else PAYEES[-1], amount)
            for record, amount in zip(known, amounts, strict=False)
        ]
        before = dict(self.paid)
        (batch,) = self.both(
            lambda stage: stage.dispatch(payout_batch(payout(*lines), *calls), self.curators)
        )
        again = [line for line in lines if ("2026-02", *line) in before]
        regular = all(known) and not again
        assert batch.status is (BatchStatus.PAID if regular else BatchStatus.IRREGULAR)

    @rule(lines=lines, calls=transfers, other=elsewhere)
    def try_to_pay(
        self, lines: list[tuple[str, str]], calls: list[Call], other: AccountId | None
    ) -> None:
        batch, origin = payout_batch(payout(*lines), *calls), other or self.curators
        attempts = self.both(lambda stage: stage.fail(batch, "Token.FundsUnavailable", origin))
        assert [record.status for record in attempts] == [BatchStatus.FAILED] * (
            origin == self.curators
        )

    def both(self, act: Callable[[Stage], list[Batch]]) -> list[Batch]:
        brought = act(self.stage)
        assert act(self.twin) == brought
        return brought

    @rule(minutes=st.sampled_from(STEPS))
    def next_block(self, minutes: int) -> None:
        self.jump_to(self.now + timedelta(minutes=minutes))

    def jump_to(self, moment: datetime) -> None:
        for stage in (self.stage, self.twin):
            stage.next_block(f"{moment:%Y-%m-%dT%H:%M}")

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.stage.fold.timestamp_ms / 1_000, tz=UTC)

    def ago(self, days: int) -> date:
        return self.now.date() - timedelta(days=days)

    @rule(seed=st.integers(0, 9))
    def put_down_and_take_up(self, seed: int) -> None:
        entries = self.twin.state.entries()
        random.Random(seed).shuffle(entries)
        self.twin.state = self.twin.fold.state = State(PASEO).load(entries)
        assert self.twin.state.root() == self.stage.state.root()

    def teardown(self) -> None:
        entries = self.stage.state.entries()
        assert State(PASEO).load(entries).root() == self.stage.state.root()

    # --- What holds always ----------------------------------------------------------------

    @invariant()
    def both_ledgers_hold_the_same_entries(self) -> None:
        assert self.twin.state.entries() == self.stage.state.entries()

    @invariant()
    def every_refusal_is_recorded_once(self) -> None:
        assert len(self.stage.state.programme.rejections) == self.refused

    @invariant()
    def nothing_is_paid_twice_or_taken_back(self) -> None:
        """And every planck of a batch is told once, as a line's payment or as a violation."""
        payouts = self.stage.state.payouts
        present = dict(payouts.paid.items())
        assert self.paid.items() <= present.items()
        self.paid = present
        accounted: Counter[tuple[int, int]] = Counter()
        irregular = set()
        for line in present.values():
            accounted[line.batch] += line.amount
        for (block, place, _), violation in payouts.violations.items():
            accounted[block, place] += violation.amount
            irregular.add((block, place))
        for key, record in payouts.batches.items():
            assert accounted.pop(key, 0) == record.total
            assert (record.status is BatchStatus.IRREGULAR) == (key in irregular)
        assert not accounted

    @invariant()
    def an_account_has_one_owner_who_is_present(self) -> None:
        storage = self.stage.state.membership
        members = dict(storage.members.items())
        present = {name for name, known in members.items() if known.status < MemberStatus.REMOVED}
        owned = {(*key, name) for name in present for key in members[name].accounts} | {
            (network, who, name) for (name, network, who), _ in storage.links.items()
        }
        assert owned == {(*key, name) for key, name in storage.owners.items()}
        assert {name for (name, _), _ in storage.milestones.items()} <= present

    @invariant()
    def contradictions_count_nowhere(self) -> None:
        scores = self.stage.state.scores
        for (oracle, day, kind), evidence in scores.equivocations.items():
            digests = scores.observations if kind is DigestKind.OBSERVE else scores.reports
            assert (oracle, day) not in digests
            assert evidence.first_root != evidence.second_root

    @invariant()
    def a_closing_never_changes(self) -> None:
        present = dict(self.stage.state.scores.closings.items())
        assert self.closings.items() <= present.items()
        self.closings = present

    @invariant()
    def a_day_is_closed_from_one_oclock_on_with_everything_that_was_committed(self) -> None:
        scores, now = self.stage.state.scores, self.stage.fold.timestamp_ms
        assert all(closes_at(day) <= now for day in self.closings)
        last = scores.last_closed.value
        assert last is None or closes_at(last) <= now < closes_at(last + 1)
        for (oracle, day), seen in scores.observations.items():
            if closes_at(day) <= now:
                assert Commitment(oracle, seen.root, seen.rows) in self.closings[day].commitments

    @invariant()
    def a_report_is_of_what_its_day_closed_with(self) -> None:
        for (_, day), reported in self.stage.state.scores.reports.items():
            closing = self.closings[day]
            assert closing.at <= reported.at
            assert {*reported.observes} <= {found.root for found in closing.commitments}

    @invariant()
    def a_standing_score_has_a_majority_behind_it(self) -> None:
        scores = self.stage.state.scores
        for day, standing in scores.standing.items():
            assert len({*standing.reporters}) * 2 > len(PROGRAM.oracles)
            known = self.standing.setdefault(day, standing)
            assert standing[:2] == known[:2]
            assert {*known.reporters} <= {*standing.reporters}
            self.standing[day] = standing


TestProgramme = Programme.TestCase
TestProgramme.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
