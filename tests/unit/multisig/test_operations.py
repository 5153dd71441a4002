"""Open operations told to curators: whose, what for, who is missing, and what is wrong."""

from collections.abc import Callable

import pytest

from ibp_chain.blocks import blake2_256
from ibp_chain.errors import CheckFailed
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck
from ledger.pallets.multisig.types import Approval, Operation, Position, Status
from ledger.pallets.payouts import PaidKey
from ledger.state import State
from multisig.bundle import Bundle
from multisig.errors import BundleRefused
from multisig.operations import (
    Age,
    KnownCall,
    OpenOperation,
    Party,
    Pending,
    Source,
    known_calls,
    parties,
    read_call,
    survey,
    warnings,
)
from tests.support import heard, payouts, recording

BUNDLE = payouts.bundle()
CALL = BUNDLE.call_hash
OTHER = Hash(b"o" * 32)
LINE: PaidKey = ("2026-01", "amforc", "services")
AGE = Age(10, 60_000, exact=True)
SIGNATORIES = heard.party().signatories


def operation(approvals: int = 1, height: int = 5) -> OpenOperation:
    who = SIGNATORIES[:approvals]
    return OpenOperation({"height": height, "index": 2}, SIGNATORIES[0], Planck(7), tuple(who))


def call(*pays: PaidKey) -> KnownCall:
    return KnownCall(b"", Source.CHAIN, ("does something",), frozenset(pays))


def surveyed(
    of: OpenOperation,
    known: dict[Hash, KnownCall],
    party: Party | None = None,
    *,
    paid: bool = False,
) -> Pending:
    found = [(party or heard.party(), CALL, of, AGE)]
    return survey(found, known, {LINE} if paid else ())[0]


def known(bundle: Bundle, *shown: bytes) -> dict[Hash, KnownCall]:
    return known_calls(
        {"a.json": bundle}, shown, recording.runtime(), recording.peer(), payouts.PASEO
    )


def whose(state: State | None, *bundles: Bundle) -> list[tuple[AccountId, bool | None]]:
    found = parties(bundles, state, recording.runtime())
    return [(party.account, party.in_office) for party in found]


# --- What -------------------------------------------------------------------------------------


def test_a_payout_is_told_line_by_line_with_what_it_pays() -> None:
    found = known(BUNDLE)[CALL]
    assert (found.source, found.file) == (Source.BUNDLE, "a.json")
    assert found.words[0].startswith("says that it pays 2026-01, by statement 0x")
    lines = BUNDLE.statement.lines
    assert len(found.words) == 1 + len(lines)
    assert found.pays == {("2026-01", line.member, line.item) for line in lines}


def test_a_call_that_was_sent_whole_is_known_by_its_own_hash_and_a_bundle_wins() -> None:
    other = payouts.batch_all(payouts.remark("IBP/1 nonsense"))
    found = known(BUNDLE, other, BUNDLE.call)
    assert found[CALL].source is Source.BUNDLE
    words = found[blake2_256(other)].words
    assert words[0].startswith("is no payout batch of ours (")
    assert words[1] == "is Utility.batch_all of System.remark_with_event"


def test_a_bundle_that_names_the_hash_of_another_call_is_refused() -> None:
    forged = BUNDLE.model_copy(update={"call": payouts.batch_all(payouts.remark("x"))})
    with pytest.raises(BundleRefused, match=r"a\.json: its call hashes to"):
        known(forged)


@pytest.mark.parametrize("data", [b"", b"\xff\xff", BUNDLE.call + b"\0", BUNDLE.call[:-1]])
def test_bytes_that_are_no_call_are_told_as_that(data: bytes) -> None:
    found = read_call(data, Source.CHAIN, recording.runtime(), recording.peer(), payouts.PASEO)
    (words,) = found.words
    assert words.startswith("cannot be read by paseo 1001002, which cannot execute it either")
    assert found.pays == frozenset()


# --- Whose ------------------------------------------------------------------------------------


def test_without_a_ledger_nobody_says_who_is_in_office() -> None:
    assert whose(None, BUNDLE) == [(heard.party().account, None)]


def test_the_ledger_names_the_curators_in_office_once() -> None:
    assert whose(payouts.state(payouts.STATED), BUNDLE) == [(heard.party().account, True)]


def test_a_bundle_whose_account_is_not_of_its_signatories_is_refused() -> None:
    changed = BUNDLE.multisig.model_copy(update={"threshold": 2})
    with pytest.raises(CheckFailed, match="is not the multisig of its signatories"):
        whose(None, BUNDLE.model_copy(update={"multisig": changed}))


def opened(by: AccountId, data: bytes | None) -> Operation:
    return Operation(
        Status.OPEN,
        2,
        SIGNATORIES[:3],
        by,
        Planck(1),
        (Approval(by, Position(BlockNumber(1), 1)),),
        data,
        None,
    )


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: opened(SIGNATORIES[0], BUNDLE.call), True),
        (lambda: opened(AccountId(b"stranger" * 4), BUNDLE.call), False),
        (lambda: opened(SIGNATORIES[0], None), False),
        (lambda: opened(SIGNATORIES[0], b"\xff"), False),
        (lambda: opened(SIGNATORIES[0], payouts.batch_all(payouts.remark("hello"))), False),
        (lambda: opened(SIGNATORIES[0], BUNDLE.call)._replace(status=Status.EXECUTED), False),
    ],
    ids=["a curator's", "a stranger's", "by hash", "no call", "another's", "closed"],
)
def test_another_multisig_counts_where_a_curator_in_office_approved_a_payout(
    make: Callable[[], Operation], named: bool
) -> None:
    state, account = payouts.state(payouts.STATED), AccountId(b"f" * 32)
    state.mirrors.multisig.operations.insert((account, CALL, BlockNumber(1), 1, 0), make())
    assert whose(state)[1:] == ([(account, False)] if named else [])


# --- How it stands ----------------------------------------------------------------------------


def test_missing_and_lacking_are_of_the_signatories() -> None:
    pending = surveyed(operation(2), {})
    assert pending.missing == SIGNATORIES[2:]
    assert pending.lacking == 1
    nobody = Party(heard.party().account, None, (), None)
    assert surveyed(operation(2), {}, nobody).lacking is None


def test_what_nobody_has_shown_nobody_should_approve() -> None:
    assert list(warnings(surveyed(operation(), {}))) == [
        "unknown: hash only, nobody should approve what nobody has shown"
    ]


def test_a_line_that_was_paid_before_and_a_former_multisig_are_warned_of() -> None:
    former = Party(AccountId(b"f" * 32), 3, SIGNATORIES, in_office=False)
    told = list(warnings(surveyed(operation(3), {CALL: call(LINE)}, former, paid=True)))
    assert told[0] == "2026-01 amforc/services was paid before: executing this pays it again"
    assert told[1].startswith("its multisig is not that of the curators in office")
    assert told[2].startswith("every approval is there and it was not executed")


def test_two_operations_that_pay_the_same_line_name_each_other() -> None:
    party = heard.party()
    found = [
        (party, CALL, operation(height=9), AGE),
        (party, OTHER, operation(height=8), AGE),
        (party, Hash(b"p" * 32), operation(height=8), AGE),
    ]
    calls = {CALL: call(LINE), OTHER: call(LINE, ("2026-02", "dwellir", "services"))}
    first, hidden, second = survey(found, calls, ())
    assert (first.call_hash, second.call_hash) == (OTHER, CALL)
    assert first.also == ((LINE, CALL),)
    assert second.also == ((LINE, OTHER),)
    assert hidden.also == ()
    (warning,) = warnings(second)
    assert f"the open operation of call 0x{OTHER.hex()}" in warning


def test_nothing_is_wrong_about_a_payout_that_waits() -> None:
    assert list(warnings(surveyed(operation(2), {CALL: call(LINE)}))) == []
