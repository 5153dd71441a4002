"""What is built is what is read, for every kind of batch and any statement; every byte counts.

The reading is that of `decode_payout`, by which two decoders that share no code must agree.
"""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, Hash, Planck
from ledger.pallets.bounties import BountyIndex
from multisig.batch import Batch, encode_batch, parts_of
from multisig.bundle import Bundle, TimepointPart, WeightPart
from multisig.checks import OVERRIDABLE
from multisig.children import Parent, description
from multisig.decode import Reading, decode_payout
from multisig.decode_children import ChildReading, ClaimReading
from multisig.documents import parse
from multisig.errors import CallRefused, DocumentError
from multisig.plan import Kind, PlanPart
from multisig.statement import Line, Statement
from tests.support import payouts, recording
from tests.support.payouts import PASEO

PREFIX = PASEO.ss58_prefix
TEMPLATE = payouts.bundle().statement
RUNTIME = recording.runtime()  # reading it changes the recursion limit, which hypothesis minds
CURATOR = AccountId(b"c" * 32)

accounts = st.binary(min_size=32, max_size=32).map(AccountId)
slugs = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
amounts = st.integers(0, 2**128 - 1).map(Planck)
numbers = st.integers(0, 2**32 - 1)
months = st.builds("{:04d}-{:02d}".format, st.integers(2020, 2099), st.integers(1, 12))


@pytest.fixture(scope="module", autouse=True)
def _recording() -> None:
    """Made before any example: it takes seconds."""
    recording.peer()
    payouts.state(payouts.STATED)


@st.composite
def statements(draw: st.DrawFn) -> Statement:
    """Any members, items, payees and amounts; no line twice."""
    keys = draw(st.lists(st.tuples(slugs, slugs), min_size=1, max_size=8, unique=True))
    lines = tuple(
        TEMPLATE.lines[0].model_copy(
            update={
                "member": member,
                "item": item,
                "payee": ss58_encode(draw(accounts), PREFIX),
                "planck": draw(amounts),
            }
        )
        for member, item in keys
    )
    return TEMPLATE.model_copy(update={"period": draw(months), "lines": lines})


def reading_of(batch: Batch) -> Reading:
    return decode_payout(RUNTIME, recording.peer(), batch.call, PASEO)


def assert_names(reading: Reading, statement: Statement, lines: Sequence[Line]) -> None:
    """The remark of `reading` is that of `statement`, for these lines."""
    assert (reading.period, reading.statement) == (statement.period, statement.hash)
    assert reading.lines == tuple((line.member, line.item) for line in lines)


def paid(lines: Sequence[Line]) -> tuple[tuple[str, int], ...]:
    return tuple((line.payee, line.planck) for line in lines)


@settings(max_examples=40, deadline=None)
@given(statements(), st.none() | st.integers(1, 4))
def test_transfers_are_read_as_the_lines_they_were_built_from(
    statement: Statement, most: int | None
) -> None:
    for lines in parts_of(statement, most):
        reading = reading_of(encode_batch(statement, lines, RUNTIME))
        assert_names(reading, statement, lines)
        assert reading.transfers == paid(lines)
        assert (reading.children, reading.claims) == ((), ())


@settings(max_examples=25, deadline=None)
@given(statements(), numbers, st.integers(0, 2**32 - 9), st.booleans())
def test_child_bounties_are_read_as_the_lines_and_numbers_they_were_built_from(
    statement: Statement, parent: int, first: int, at_once: bool
) -> None:
    lines = statement.lines
    children = tuple(range(first, first + len(lines)))
    plan = PlanPart(kind=Kind.CHILD_BOUNTIES, parent=parent, children=children)
    bounty = Parent(BountyIndex(parent), CURATOR, at_once=at_once)
    reading = reading_of(encode_batch(statement, lines, RUNTIME, plan, bounty))
    assert_names(reading, statement, lines)
    assert reading.transfers == paid(lines)
    assert reading.children == tuple(
        ChildReading(
            parent=parent,
            child=child,
            value=line.planck,
            fee=Planck(0),
            curator=ss58_encode(CURATOR, PREFIX),
            description=description(statement.period, line).decode(),
            payee=line.payee,
            claimed=at_once,
        )
        for child, line in zip(children, lines, strict=True)
    )


@settings(max_examples=25, deadline=None)
@given(statements(), numbers, st.data())
def test_claims_are_read_as_the_numbers_they_were_built_from(
    statement: Statement, parent: int, data: st.DataObject
) -> None:
    count = len(statement.lines)
    children = tuple(data.draw(st.lists(numbers, min_size=count, max_size=count, unique=True)))
    plan = PlanPart(kind=Kind.CHILD_CLAIMS, parent=parent, children=children)
    reading = reading_of(encode_batch(statement, statement.lines, RUNTIME, plan))
    assert_names(reading, statement, statement.lines)
    assert reading.claims == tuple(ClaimReading(parent, child) for child in children)
    assert (reading.transfers, reading.children) == ((), ())


@settings(max_examples=25, deadline=None)
@given(statements(), st.data())
def test_a_call_with_a_line_more_or_less_or_changed_is_never_read_as_the_same(
    statement: Statement, data: st.DataObject
) -> None:
    batch = encode_batch(statement, statement.lines, RUNTIME)
    truth = reading_of(batch)
    remark, *transfers = RUNTIME.decode_call(batch.call).args["calls"]
    place = data.draw(st.integers(0, len(transfers) - 1))
    line = statement.lines[place]
    other = payouts.call(
        "Balances", "transfer_keep_alive",
        dest=("Id", ss58_decode(line.payee, PREFIX)), value=line.planck ^ 1,
    )  # fmt: skip

    def read(calls: Sequence[Call]) -> Reading | None:
        try:
            return decode_payout(
                RUNTIME, recording.peer(), payouts.batch_all(remark, *calls), PASEO
            )
        except CallRefused:
            return None

    assert read(transfers) == truth
    assert read([*transfers[:place], *transfers[place + 1 :]]) != truth
    assert read([*transfers, transfers[place]]) != truth
    assert read([*transfers[:place], other, *transfers[place + 1 :]]) != truth


def full() -> Bundle:
    """The bundle with every optional field, which the ledger and the call hash do not cover."""
    stated = TEMPLATE.model_copy(update={"bill": Hash(b"b" * 32)})
    plan = PlanPart(
        kind=Kind.CHILD_BOUNTIES,
        parent=17,
        children=(40, 41, 42, 43),
        lines_per_part=4,
        allowed=tuple(sorted(OVERRIDABLE)),
    )
    return payouts.bundle().model_copy(
        update={
            "statement": stated,
            "statement_hash": stated.hash,
            "plan": plan,
            "timepoint": TimepointPart(height=60_100, index=2),
            "weight": WeightPart(ref_time=1_234_567, proof_size=8_901),
        }
    )


@pytest.mark.parametrize("bundle", [payouts.bundle(), full()], ids=["recorded", "every field"])
def test_every_byte_of_the_bundle_counts(bundle: Bundle) -> None:
    """Each one changed once, to its neighbour: a digit mostly stays one."""
    encoded, taken = bundle.encoded, list[int]()
    assert parse(encoded, Bundle) == bundle
    for place, byte in enumerate(encoded):
        changed = encoded[:place] + bytes((byte ^ 1,)) + encoded[place + 1 :]
        try:
            parse(changed, Bundle)
        except DocumentError:
            continue
        taken.append(place)
    assert taken == []


def test_the_full_bundle_has_every_field_that_there_is() -> None:
    assert {*Bundle.model_fields, "checksum"} == set(json.loads(full().encoded))
    assert set(PlanPart.model_fields) == set(json.loads(full().encoded)["plan"])
    assert set(Statement.model_fields) == set(json.loads(full().encoded)["statement"])
