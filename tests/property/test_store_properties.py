"""Whatever a ledger is told, its database holds the state, its projections, and nothing else."""

import math
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import date
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

from ibp_chain.blocks import BlockRef
from ibp_chain.remark_bodies import Decision, DecisionOutcome
from ibp_chain.types import AccountId, BlockNumber, Hash, RelayBlockNumber, SpecVersion
from ledger.pallets.balances import BalanceLock, Reasons
from ledger.pallets.conviction_voting.types import (
    Casting,
    Conviction,
    Delegating,
    Delegations,
    PriorLock,
    Split,
    SplitAbstain,
    Standard,
)
from ledger.pallets.membership import MemberRecord, MemberStatus, MilestoneRecord
from ledger.pallets.multisig.types import Approval, Closing, Operation, Position
from ledger.pallets.multisig.types import Status as OperationStatus
from ledger.pallets.payouts import Batch, BatchStatus, PaidLine, Violation, ViolationCode
from ledger.pallets.referenda import Poll, Status
from ledger.pallets.scores import (
    DigestKind,
    Equivocation,
    Observation,
    ReportRecord,
    Standing,
    day_number,
)
from ledger.replay import BlockReport
from ledger.state import Head, State
from ledger.storage import StorageMap
from ledger.store import Identity, Store
from ledger.store_types import BytesColumn, CountColumn, NameColumn, PlanckColumn
from tests.support.ledgers import Ledgers, Place
from tests.unit.store.demo import PASEO
from tests.unit.store.expected import expected_rows

# --- Values of every item that is projected -----------------------------------------------

GENESIS = Hash(b"\1" * 32)
IDENTITY = Identity(PASEO.name, GENESIS)
ACCOUNTS = st.sampled_from([AccountId(bytes((fill,)) * 32) for fill in (1, 2, 3)])
HASHES = st.sampled_from([Hash(bytes((fill,)) * 32) for fill in (4, 5, 0xFF)])
PLANCK = st.integers(0, 2**128 - 1) | st.sampled_from([0, 2**63 - 1, 2**63, 2**128 - 1])
U32 = st.integers(0, 2**32 - 1) | st.sampled_from([0, 2**32 - 1])
SMALL = st.integers(0, 2)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.sampled_from(["amforc", "ibp-two"])
NETWORKS = st.sampled_from(["paseo", "polkadot"])
DAYS = st.sampled_from([day_number(date(2026, 3, 7)), day_number(date(2026, 12, 31)), 0])
PERIODS = st.sampled_from(["2026-02", "2026-03"])
CONVICTIONS = st.sampled_from(Conviction)
VOTES = st.one_of(
    st.builds(Standard, st.booleans(), CONVICTIONS, PLANCK),
    st.builds(Split, PLANCK, PLANCK),
    st.builds(SplitAbstain, PLANCK, PLANCK, PLANCK),
)
DELEGATIONS = st.builds(Delegations, PLANCK, PLANCK)
PRIORS = st.builds(PriorLock, U32, PLANCK) | st.sampled_from([PriorLock(0, 5), PriorLock(5, 0)])  # type: ignore[arg-type]  # clock and planck
POSITIONS = st.builds(Position, U32, st.none() | U32)


def by_key(keys: st.SearchStrategy[Any], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Sorted pairs, each key once."""
    return st.dictionaries(keys, values, max_size=3).map(lambda found: tuple(sorted(found.items())))


OPEN = st.just((OperationStatus.OPEN, None))
EXECUTED = st.tuples(
    st.just(OperationStatus.EXECUTED), st.builds(Closing, ACCOUNTS, POSITIONS, st.none() | TEXT)
)
CANCELLED = st.tuples(
    st.just(OperationStatus.CANCELLED), st.builds(Closing, ACCOUNTS, POSITIONS, st.none())
)
OPERATIONS = st.builds(
    lambda ends, threshold, signatories, deposit, approvals, call: Operation(
        ends[0], threshold, signatories, signatories[0], deposit, approvals, call, ends[1]
    ),
    OPEN | EXECUTED | CANCELLED,
    st.integers(2, 3),
    st.just(tuple(AccountId(bytes((fill,)) * 32) for fill in (1, 2, 3))),
    PLANCK,
    st.lists(
        st.builds(Approval, ACCOUNTS, st.none() | POSITIONS),
        max_size=3,
        unique_by=lambda approval: approval.who,
    ).map(tuple),
    st.none() | st.binary(max_size=8),
)
MEMBERS = st.builds(
    MemberRecord,
    TEXT,
    TEXT,
    st.sampled_from(MemberStatus),
    st.none() | TEXT,
    by_key(NETWORKS, ACCOUNTS),
    by_key(NETWORKS, ACCOUNTS),
    U32,
    U32,
)
BATCHES = st.builds(
    lambda status, period, statement, call_hash, extrinsic, lines, total, error: Batch(
        status,
        period,
        statement,
        call_hash,
        extrinsic,
        lines,
        total,
        error if status is BatchStatus.FAILED else None,
    ),
    st.sampled_from(BatchStatus),
    PERIODS,
    HASHES,
    HASHES,
    st.none() | U32,
    U32,
    PLANCK,
    TEXT,
)
POLLS = st.builds(
    Poll, st.none() | SMALL, st.sampled_from([*Status][1:]), U32
) | st.builds(Poll, SMALL, st.just(Status.ONGOING), st.none())  # fmt: skip
ROWS = st.integers(0, 2**53 - 1)


class Item(NamedTuple):
    of: Callable[[State], StorageMap[Any, Any]]
    keys: st.SearchStrategy[Any]
    values: st.SearchStrategy[Any]


def delegating(of: AccountId) -> st.SearchStrategy[Delegating]:
    others = ACCOUNTS.filter(lambda target: target != of)
    return st.builds(Delegating, PLANCK, others, CONVICTIONS, DELEGATIONS, PRIORS)


ITEMS = (
    Item(lambda s: s.mirrors.referenda.polls, SMALL, POLLS),
    Item(
        lambda s: s.mirrors.conviction_voting.voting_for,
        st.tuples(ACCOUNTS, SMALL),
        st.builds(Casting, by_key(SMALL, VOTES), DELEGATIONS, PRIORS),
    ),
    Item(
        lambda s: s.mirrors.conviction_voting.voting_for,
        st.tuples(st.just(AccountId(b"\1" * 32)), SMALL),
        delegating(AccountId(b"\1" * 32)),
    ),
    Item(lambda s: s.mirrors.conviction_voting.class_locks_for, ACCOUNTS, by_key(SMALL, PLANCK)),
    Item(
        lambda s: s.mirrors.balances.locks,
        ACCOUNTS,
        st.lists(
            st.builds(
                BalanceLock,
                st.sampled_from([b"pyconvot", b"staking "]),
                PLANCK,
                st.sampled_from(Reasons),
            ),
            max_size=2,
            unique_by=lambda lock: lock.id,
        ).map(tuple),
    ),
    Item(
        lambda s: s.mirrors.multisig.operations,
        st.tuples(ACCOUNTS, HASHES, SMALL, SMALL, SMALL),
        OPERATIONS,
    ),
    Item(
        lambda s: s.programme.decisions,
        st.tuples(SMALL, SMALL),
        st.builds(
            Decision,
            member=NAMES,
            outcome=st.sampled_from(DecisionOutcome),
            subject=NAMES,
            reason=NAMES,
        ),
    ),
    Item(lambda s: s.membership.members, NAMES, MEMBERS),
    Item(
        lambda s: s.membership.milestones,
        st.tuples(NAMES, SMALL),
        st.builds(MilestoneRecord, HASHES, U32),
    ),
    Item(lambda s: s.membership.links, st.tuples(NAMES, NETWORKS, ACCOUNTS), U32),
    Item(
        lambda s: s.scores.observations,
        st.tuples(ACCOUNTS, DAYS),
        st.builds(Observation, HASHES, ROWS, HASHES, U32),
    ),
    Item(
        lambda s: s.scores.reports,
        st.tuples(ACCOUNTS, DAYS),
        st.builds(
            ReportRecord,
            st.integers(0, 9),
            HASHES,
            ROWS, st.lists(HASHES, max_size=2).map(tuple), HASHES, U32
        ),
    ),
    Item(
        lambda s: s.scores.standing,
        DAYS,
        st.builds(Standing, HASHES, ROWS, st.lists(ACCOUNTS, unique=True).map(tuple), U32),
    ),
    Item(
        lambda s: s.scores.equivocations,
        st.tuples(ACCOUNTS, DAYS, st.sampled_from(DigestKind)),
        st.builds(
            Equivocation, st.just(b"\4" * 32), st.just(b"\5" * 32), HASHES, HASHES, U32
        ),
    ),
    Item(lambda s: s.payouts.batches, st.tuples(SMALL, SMALL), BATCHES),
    Item(
        lambda s: s.payouts.paid,
        st.tuples(PERIODS, NAMES, NAMES),
        st.builds(PaidLine, ACCOUNTS, PLANCK, st.tuples(SMALL, SMALL), U32),
    ),
    Item(
        lambda s: s.payouts.violations,
        st.tuples(SMALL, SMALL, SMALL),
        st.builds(Violation, st.sampled_from(ViolationCode), st.none() | ACCOUNTS, PLANCK),
    ),
)  # fmt: skip

CHANGES = st.integers(0, len(ITEMS) - 1).flatmap(
    lambda at: st.tuples(st.just(at), ITEMS[at].keys, st.none() | ITEMS[at].values)
)
BLOCKS = st.lists(CHANGES, max_size=6)
STEPS = st.lists(st.sampled_from(["commit", "reopen"]) | BLOCKS, min_size=1, max_size=14)


# --- The ledger and what it is compared with ----------------------------------------------


class Chain:
    """A ledger under test, and the same facts in a plain list of states."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.store = Store(place.url, IDENTITY)
        self.state = self.store.load_state()
        self.facts: dict[tuple[int, Any], Any] = {}
        self.committed: tuple[Head | None, dict[tuple[int, Any], Any]] = None, {}

    def block(self, changes: list[tuple[int, Any, Any]]) -> None:
        head = self.state.head.value
        parent, number = (head.hash, head.number + 1) if head else (GENESIS, 1)
        digest = Hash(bytes((number,)) * 32)
        for at, key, value in changes:
            if value is None:
                ITEMS[at].of(self.state).remove(key)
            else:
                ITEMS[at].of(self.state).insert(key, value)
            self.facts[at - (at == 2), key] = value  # two kinds of values share one item
        self.state.head.put(Head(BlockNumber(number), digest, RelayBlockNumber(number)))
        ref = BlockRef(BlockNumber(number), digest)
        empty: tuple[Any, ...] = ()
        self.store.collect(
            self.state,
            BlockReport(ref, parent, SpecVersion(1), 5, 2, empty, empty, empty, False, empty),
        )

    def commit(self) -> None:
        self.store.commit()
        self.committed = self.state.head.value, dict(self.facts)

    def reopen(self) -> None:
        """As another process after this one died."""
        self.store.close()
        self.store = Store(self.place.url, IDENTITY)
        self.state = self.store.load_state()
        self.facts = dict(self.committed[1])
        assert self.state.head.value == self.committed[0]

    def expected(self) -> State:
        state = State(PASEO)
        head, facts = self.committed
        if head is not None:
            state.head.put(head)
        for (at, key), value in facts.items():
            if value is not None:
                ITEMS[at].of(state).insert(key, value)
        return state


@pytest.fixture(scope="module")
def empty(ledgers: Ledgers) -> Place:
    """A ledger without blocks, to copy."""
    place = ledgers.new()
    Store(place.url, IDENTITY).close()
    return place


@contextmanager
def chain_in(ledgers: Ledgers, empty: Place) -> Iterator[Chain]:
    place = ledgers.copy(empty)
    chain = Chain(place)
    try:
        yield chain
    finally:
        chain.store.close()
        ledgers.drop(place)


@settings(max_examples=20, deadline=None)
@given(steps=STEPS)
def test_tables_and_root_follow_any_changes_commits_and_restarts(
    ledgers: Ledgers, empty: Place, steps: list[Any]
) -> None:
    with chain_in(ledgers, empty) as chain:
        for step in steps:
            match step:
                case "commit":
                    chain.commit()
                case "reopen":
                    chain.reopen()
                case changes:
                    chain.block(changes)
        chain.reopen()
        expected = chain.expected()
        assert chain.state.root() == expected.root()
        tables = expected_rows(expected)
        everything = chain.place.read(tables)
        for table, wanted in tables.items():
            found = everything[table]
            if table == "state_entry":
                found = [row[:2] for row in found]
            assert len(found) == len(wanted), table
            assert set(found) == wanted, table


@settings(max_examples=15, deadline=None)
@given(steps=st.lists(st.just("commit") | BLOCKS, min_size=1, max_size=10))
def test_the_state_behind_every_block_comes_back(
    ledgers: Ledgers, empty: Place, steps: list[Any]
) -> None:
    with chain_in(ledgers, empty) as chain:
        roots: list[Hash] = []
        for step in steps:
            if step == "commit":
                chain.commit()
            else:
                chain.block(step)
                roots.append(chain.state.root())
        chain.commit()
        for number, root in enumerate(roots, 1):
            assert chain.store.load_state(BlockNumber(number)).root() == root


# --- Column types -------------------------------------------------------------------------

LITE, POSTGRES = sqlite.dialect(), postgresql.dialect()  # type: ignore[no-untyped-call]


@given(st.lists(PLANCK, min_size=1))
def test_planck_comes_back_exactly_and_sorts_as_the_number(amounts: list[int]) -> None:
    column = PlanckColumn()
    for dialect in (LITE, POSTGRES):
        stored = [column.process_bind_param(amount, dialect) for amount in amounts]
        assert [column.process_result_value(raw, dialect) for raw in stored] == amounts
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (amount TEXT)")
        texts = [(column.process_bind_param(amount, LITE),) for amount in amounts]
        connection.executemany("INSERT INTO t VALUES (?)", texts)
        in_order = connection.execute("SELECT amount FROM t ORDER BY amount").fetchall()
    assert [int(text) for (text,) in in_order] == sorted(amounts)


@given(
    st.one_of(
        st.integers(max_value=-1),
        st.integers(min_value=2**128),
        st.floats(),
        st.booleans(),
        st.text(),
        st.binary(),
        st.decimals(),
    )
)
def test_planck_takes_nothing_but_a_u128(value: Any) -> None:
    with pytest.raises(ValueError, match=r"is no integer|is not between"):
        PlanckColumn().process_bind_param(value, LITE)


@given(st.integers() | st.floats() | st.booleans())
def test_counts_take_what_sqlite_keeps_exactly(value: Any) -> None:
    column = CountColumn()
    if type(value) is int and 0 <= value < 2**63:
        assert column.process_bind_param(value, LITE) == value
    else:
        with pytest.raises(ValueError, match=r"is no integer|is not between"):
            column.process_bind_param(value, LITE)


@given(st.binary(max_size=40))
def test_bytes_of_a_size_take_no_other_size(value: bytes) -> None:
    assert BytesColumn().process_bind_param(value, LITE) == value
    if len(value) == 32:
        assert BytesColumn(32).process_bind_param(value, LITE) == value
    else:
        with pytest.raises(ValueError, match="32 bytes are expected"):
            BytesColumn(32).process_bind_param(value, LITE)


def test_columns_take_none_for_null_and_bytes_take_no_text() -> None:
    for column in (PlanckColumn(), CountColumn(), BytesColumn(32), NameColumn(Conviction)):
        assert column.process_bind_param(None, LITE) is None
    with pytest.raises(ValueError, match="is no bytes"):
        BytesColumn().process_bind_param("text", LITE)  # type: ignore[arg-type]  # what is tested
    with pytest.raises(ValueError, match="is no integer"):
        CountColumn().process_bind_param(math.inf, LITE)  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize("member", Conviction)
def test_names_of_an_enum_come_back_as_its_members(member: Conviction) -> None:
    column = NameColumn(Conviction)
    stored = column.process_bind_param(member, LITE)
    assert stored == member.name.lower()
    assert column.process_result_value(stored, LITE) is member
