"""From a dispatched call to a fact or a refusal."""

import pytest

from ibp_chain.blocks import blake2_256
from ibp_chain.remarks import Kind, encode
from ibp_chain.scale.values import Call
from ibp_chain.types import BlockNumber
from ledger.origins import Dispatched, Origin, OriginKind
from ledger.pallets.rejections import Rejected, RejectionCode
from ledger.remark_routing import Accepted, Refused, payout_of, remark_of
from tests.support.programme import (
    MULTISIG,
    PASEO,
    PROGRAM,
    Stage,
    account,
    batch_all,
    payout,
    payout_batch,
    registration,
    remark,
    transfer,
)

RAW = encode(registration(), PASEO.ss58_prefix)


@pytest.fixture
def stage() -> Stage:
    return Stage().found()


# --- Which calls say something ------------------------------------------------------------


def test_a_remark_with_event_that_claims_the_protocol_is_read() -> None:
    assert remark_of(remark(RAW)) == RAW
    assert remark_of(remark(b"IBP/99 \xff")) == b"IBP/99 \xff"


@pytest.mark.parametrize("name", ["remark", "kill_storage"])
def test_a_call_that_leaves_no_event_says_nothing(name: str) -> None:
    assert remark_of(remark(RAW)._replace(name=name)) is None


@pytest.mark.parametrize("raw", [b"", b"hello", b"ibp/1 member {}", b" IBP/1 member {}", b"IBP"])
def test_other_peoples_remarks_are_left_alone(stage: Stage, raw: bytes) -> None:
    assert remark_of(remark(raw)) is None
    assert stage.say(raw, account("Stranger")) is None
    assert len(stage.state.programme.rejections) == 0


def test_calls_of_other_pallets_are_no_remarks() -> None:
    assert remark_of(transfer(account("a"), 1)) is None
    assert remark_of(Call("Remark", "remark_with_event", {"remark": RAW}, b"", 0, 0)) is None


# --- What becomes of them -----------------------------------------------------------------


def test_an_accepted_remark_says_where_it_stands(stage: Stage) -> None:
    assert stage.say(RAW, MULTISIG) == Accepted(
        (BlockNumber(1), 1), Kind.MEMBER, MULTISIG, 2, registration()
    )


def test_a_refused_remark_gives_code_and_reason(stage: Stage) -> None:
    taken = stage.say(RAW, account("Stranger"))
    assert isinstance(taken, Refused)
    assert taken.code is RejectionCode.WRONG_ORIGIN
    assert taken.reason == "only the curators' multisig may say this"
    record = stage.state.programme.rejections.get(taken.key)
    assert record == (RejectionCode.WRONG_ORIGIN, account("Stranger"), blake2_256(RAW), 2)


def test_accepted_and_refused_remarks_share_one_numbering(stage: Stage) -> None:
    keys = []
    for origin in (account("Stranger"), MULTISIG, MULTISIG):
        taken = stage.say(RAW, origin)
        assert taken is not None
        keys.append(taken.key)
    assert keys == [(1, 1), (1, 2), (1, 3)]
    stage.next_block()
    taken = stage.say(RAW, MULTISIG)
    assert taken is not None
    assert taken.key == (2, 0)


@pytest.mark.parametrize("raw", [b"IBP/2 member {}", b"IBP/1 bribe {}", b"IBP/ x y"])
def test_unknown_versions_and_kinds_are_recorded_and_ignored(stage: Stage, raw: bytes) -> None:
    assert stage.refuse(raw, MULTISIG) is RejectionCode.UNKNOWN_KIND


@pytest.mark.parametrize(
    "raw",
    [
        b"IBP/",
        b"IBP/\xff\xfe",
        b"IBP/1 member {}",
        b'IBP/1 observe {"day":5}',
        b'IBP/1 member {"accounts":{"paseo":5},"action":"update","member":"amforc"}',
        b'IBP/1 member {"\\ud800":1,"a":2}',
        b"IBP/1 member " + b"[" * 2_000,
        b"IBP/1 member " + b" " * 3_000,
    ],
)
def test_no_bytes_stop_the_ledger(stage: Stage, raw: bytes) -> None:
    for origin in (MULTISIG, account("Oracle0"), account("Stranger")):
        assert stage.refuse(raw, origin) is RejectionCode.MALFORMED


@pytest.mark.parametrize("kind", [OriginKind.ROOT, OriginKind.NONE, OriginKind.OTHER])
def test_an_origin_that_is_no_account_says_nothing(stage: Stage, kind: OriginKind) -> None:
    taken = stage.play(Dispatched(Origin(kind), remark(RAW), (), None, ()))
    assert isinstance(taken, Refused)
    assert (taken.code, taken.origin, taken.extrinsic_index) == (
        RejectionCode.WRONG_ORIGIN,
        None,
        None,
    )
    assert stage.state.programme.rejections.get(taken.key).origin is None


def test_what_a_malformed_remark_says_in_words_is_outside_the_root(stage: Stage) -> None:
    other = Stage().found()
    assert isinstance(stage.say(b"IBP/1 member {}", MULTISIG), Refused)
    assert isinstance(other.say(b"IBP/1 member {}", MULTISIG), Refused)
    assert stage.state.root() == other.state.root()
    (record,) = (value for _, value in stage.state.programme.rejections.items())
    assert not any(isinstance(part, str) for part in record)


def test_an_outsider_can_fill_the_rejections_and_nothing_else(stage: Stage) -> None:
    facts = stage.facts()
    for number in range(50):
        stage.refuse(f"IBP/1 member {number}".encode(), account("Stranger"))
    assert stage.facts() == facts
    assert len(stage.state.programme.rejections) == 50


def test_a_founding_and_what_follows_it_in_one_batch_count() -> None:
    fresh = Stage()
    calls = [remark(encode(body, PASEO.ss58_prefix)) for body in (PROGRAM, registration())]
    fresh.dispatch(batch_all(*calls))
    assert "amforc" in fresh.state.membership.members
    assert [accepted.kind for accepted in fresh.fold.accepted] == [Kind.PROGRAM, Kind.MEMBER]


def test_rejection_codes_keep_their_numbers() -> None:
    """They are part of the state: a changed number is another root for the same chain."""
    assert {code.name: code.value for code in RejectionCode} == {
        "UNKNOWN_KIND": 0,
        "MALFORMED": 1,
        "WRONG_ORIGIN": 2,
        "UNKNOWN_MEMBER": 3,
        "NOT_POSSIBLE_NOW": 4,
        "ACCOUNT_TAKEN": 5,
        "WRONG_SIGNATURE": 6,
        "OTHER_PROGRAMME": 7,
        "DAY_NOT_OVER": 8,
        "BROKEN_CHAIN": 9,
        "REPEATED": 10,
        "EQUIVOCATED": 11,
        "UNKNOWN_OBSERVATION": 12,
        "OUT_OF_PLACE": 13,
        "DAY_CLOSED": 14,
        "DAY_OPEN": 15,
    }
    assert str(Rejected(RejectionCode.REPEATED, "twice")) == "twice"


# --- Payouts ------------------------------------------------------------------------------


def test_a_payout_is_known_by_the_first_call_of_its_batch() -> None:
    body = payout(("amforc", "services"))
    pay = transfer(account("amforc-payee"), 5)
    assert payout_of(payout_batch(body, pay), PASEO) == body
    assert payout_of(batch_all(pay), PASEO) is None
    assert payout_of(batch_all(), PASEO) is None
    assert payout_of(pay, PASEO) is None
    assert payout_of(batch_all(remark(b"IBP/1 payout {}")), PASEO) is None
    assert payout_of(batch_all(remark(RAW)), PASEO) is None
    assert payout_of(batch_all(remark(b"IBP/2 payout {}")), PASEO) is None
