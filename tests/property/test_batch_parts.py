"""Whatever a statement's lines: parts lose none and double none, and no check minds their order."""

from collections.abc import Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from ibp_chain.accounts import ss58_encode
from ibp_chain.remarks import MAX_SIZE
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, BlockNumber, Planck, Ppm
from ledger.pallets.payout_lines import groups
from ledger.pallets.payouts import PaidLine
from multisig import checks
from multisig.batch import encode_batch, parts_of
from multisig.checks import Finding, LineKey
from multisig.statement import Line, Statement
from tests.support import payouts, recording
from tests.support.payouts import PASEO
from tests.support.programme import account, child_call, child_run, transfer

TEMPLATE = payouts.bundle().statement
RUNTIME = recording.runtime()  # reading it changes the recursion limit, which hypothesis minds
ACCOUNTS = [AccountId(bytes([n]) * 32) for n in range(4)]

names = st.text("abcdefghij-", min_size=1, max_size=30).map(lambda text: f"m{text.strip('-')}")
amounts = st.integers(0, 10**16).map(Planck)


@st.composite
def statements(draw: st.DrawFn) -> Statement:
    """Lines about different members, in no order, with few payees."""
    members = draw(st.lists(names, min_size=1, max_size=120, unique=True))
    payees = st.sampled_from(ACCOUNTS)
    lines = tuple(
        TEMPLATE.lines[0].model_copy(
            update={
                "member": member,
                "planck": draw(amounts),
                "payee": ss58_encode(draw(payees), PASEO.ss58_prefix),
            }
        )
        for member in members
    )
    return TEMPLATE.model_copy(update={"lines": lines})


most = st.none() | st.integers(1, 50)


@settings(max_examples=40, deadline=None)
@given(statements(), most)
def test_parts_lose_no_line_and_double_none(statement: Statement, limit: int | None) -> None:
    parts = parts_of(statement, limit)
    assert [line for part in parts for line in part] == list(statement.lines)
    assert all(parts)
    assert limit is None or max(map(len, parts)) <= limit


@settings(max_examples=15, deadline=None)
@given(statements())
def test_every_part_has_a_remark_that_the_chain_takes_and_the_next_line_has_no_room(
    statement: Statement,
) -> None:
    parts = parts_of(statement, None)
    for part, after in zip(parts, [*parts[1:], ()], strict=True):
        call = RUNTIME.decode_call(encode_batch(statement, part, RUNTIME).call)
        size = len(call.args["calls"][0].args["remark"])
        assert size <= MAX_SIZE
        if after:
            room = len(f',["{after[0].member}","{after[0].item}"]')
            assert size + room > MAX_SIZE


def paid_before(lines: Sequence[Line]) -> Mapping[LineKey, tuple[str, PaidLine]]:
    """Every other line was paid otherwise the month before."""
    paid = PaidLine(ACCOUNTS[0], Planck(10**15), (BlockNumber(1), 0), 0)
    return {(line.member, line.item): ("2025-12", paid) for line in lines[::2]}


@settings(max_examples=40, deadline=None)
@given(statements(), st.data())
def test_no_check_minds_the_order_of_lines(statement: Statement, data: st.DataObject) -> None:
    lines, last = statement.lines, paid_before(statement.lines)
    shuffled = tuple(data.draw(st.permutations(lines)))

    def found(of: Sequence[Line]) -> set[Finding]:
        return {
            *checks.existential_deposit(of, Planck(10**15), PASEO),
            *checks.duplicate_payee(of, PASEO),
            *checks.deny_list(of, {ACCOUNTS[1]: "a pot"}, PASEO),
            *checks.changed_payee(of, last, PASEO),
            *checks.large_change(of, last, Ppm(500_000), PASEO),
            *checks.line_cap(of, of[0].usd),
            *checks.month_cap(of, "2026-01", checks.Caps(month=of[0].usd)),
        }

    assert found(lines) == found(shuffled)


calls = st.sampled_from(
    [
        transfer(account("One"), 1),
        child_call("claim_child_bounty", 1),
        child_call("claim_child_bounty", 2),
        *child_run(1, account("One"), 5),
        *child_run(2, account("Two"), 6),
    ]
)


@given(st.lists(calls, max_size=12))
def test_grouping_loses_no_call_and_doubles_none(batch: list[Call]) -> None:
    found = [*groups(batch)]
    assert [call for _, each in found for call in each] == batch
    assert [place for place, _ in found] == [
        sum(len(each) for _, each in found[:n]) for n in range(len(found))
    ]
