"""Founding, handing over and deciding: who may speak for the programme."""

import pytest

from ibp_chain.accounts import multisig_account
from ibp_chain.errors import DecodeError
from ibp_chain.remark_bodies import Decision, DecisionOutcome, MemberAction, Program
from ibp_chain.remarks import encode
from ibp_chain.types import AccountId, BlockNumber, Hash
from ledger.pallets.programme import Genesis, Rejection, curators_account
from ledger.pallets.rejections import RejectionCode
from ledger.state import State
from tests.support.programme import (
    CURATORS,
    MULTISIG,
    PASEO,
    PROGRAM,
    Stage,
    account,
    member_body,
    registration,
)

DECISION = Decision(
    member="amforc", outcome=DecisionOutcome.OVERRIDE, subject="M4", reason="built ahead of time"
)
OTHERS = tuple(account(f"Other{i}") for i in range(3))
THEIRS = PROGRAM.model_copy(update={"curators": OTHERS, "threshold": 2, "name": "Theirs"})
THEIR_MULTISIG = multisig_account(OTHERS, 2)


# --- Versions of the rules ------------------------------------------------------------


def since(stage: Stage) -> dict[int, bytes]:
    return dict(stage.state.programme.rules_since.items())


def with_rules(letter: bytes) -> Program:
    return PROGRAM.model_copy(update={"rules": Hash(letter * 32)})


def test_the_founding_is_the_first_version_of_the_rules() -> None:
    assert since(Stage().found()) == {1: PROGRAM.rules}


def test_a_change_of_rules_is_a_new_version_from_its_block_on() -> None:
    stage = Stage().found()
    block = stage.next_block()
    stage.accept(with_rules(b"s"), MULTISIG)
    assert since(stage) == {1: PROGRAM.rules, block: b"s" * 32}


def test_a_program_remark_that_keeps_the_rules_is_no_new_version() -> None:
    stage = Stage().found()
    stage.next_block()
    stage.accept(PROGRAM.model_copy(update={"quorum": 3}), MULTISIG)
    assert since(stage) == {1: PROGRAM.rules}


def test_the_last_rules_of_a_block_are_in_force_behind_it() -> None:
    stage = Stage().found()
    block = stage.next_block()
    for letter in (b"s", b"t"):
        stage.accept(with_rules(letter), MULTISIG)
    assert since(stage)[block] == b"t" * 32


def test_a_stranger_changes_no_rules() -> None:
    stage = Stage().found()
    stage.next_block()
    assert stage.refuse(with_rules(b"s"), account("Stranger")) is RejectionCode.WRONG_ORIGIN
    assert since(stage) == {1: PROGRAM.rules}


# --- Founding -------------------------------------------------------------------------


def test_the_multisig_that_a_programme_describes_founds_it() -> None:
    stage = Stage()
    taken = stage.accept(PROGRAM, MULTISIG)
    genesis = stage.state.programme.genesis.value
    assert isinstance(genesis, Genesis)
    assert (genesis.origin, genesis.at) == (MULTISIG, 1)
    assert stage.state.programme.program.value == PROGRAM
    assert taken.key == (1, 0)


@pytest.mark.parametrize(
    "origin",
    [CURATORS[0], multisig_account(CURATORS, 2), multisig_account(CURATORS[:4], 3), None],
    ids=["one curator", "lower threshold", "fewer signatories", "root"],
)
def test_nobody_else_founds_it(origin: AccountId | None) -> None:
    stage = Stage()
    assert stage.say(PROGRAM, origin) is None  # an account id or None
    assert stage.state.entries() == []


def test_the_order_of_curators_does_not_matter() -> None:
    Stage().accept(PROGRAM.model_copy(update={"curators": CURATORS[::-1]}), MULTISIG)


def test_before_the_founding_nothing_is_recorded() -> None:
    stage = Stage()
    for said in (DECISION, registration(), b"IBP/1 program {}", b"IBP/9 program {}", b"IBP/\xff"):
        raw = said if isinstance(said, bytes) else encode(said, PASEO.ss58_prefix)
        assert stage.say(raw, MULTISIG) is None
    assert stage.state.entries() == []


def test_where_an_origin_is_expected_no_other_programme_comes_first() -> None:
    stage = Stage(expected=MULTISIG)
    assert stage.say(THEIRS, THEIR_MULTISIG) is None
    stage.accept(PROGRAM, MULTISIG)


def test_without_expectation_the_first_programme_founds_and_the_next_is_refused() -> None:
    stage = Stage()
    stage.accept(THEIRS, THEIR_MULTISIG)
    assert stage.refuse(PROGRAM, MULTISIG) is RejectionCode.WRONG_ORIGIN


# --- In office ------------------------------------------------------------------------


def test_the_curators_hand_over_and_genesis_stays() -> None:
    stage = Stage().found()
    genesis = stage.state.programme.genesis.value
    stage.next_block()
    stage.accept(THEIRS, MULTISIG)
    assert stage.state.programme.genesis.value == genesis
    assert stage.refuse(DECISION, MULTISIG) is RejectionCode.WRONG_ORIGIN
    stage.accept(DECISION, THEIR_MULTISIG)


@pytest.mark.parametrize("origin", [*CURATORS[:1], THEIR_MULTISIG, account("Oracle0")])
def test_nobody_takes_over_a_programme_with_a_description_of_their_own(
    origin: AccountId | None,
) -> None:
    stage = Stage().found()
    assert stage.refuse(THEIRS, origin) is RejectionCode.WRONG_ORIGIN


def test_decisions_are_kept_by_position() -> None:
    stage = Stage().found()
    stage.accept(DECISION, MULTISIG)
    stage.next_block()
    stage.accept(DECISION, MULTISIG)
    assert dict(stage.state.programme.decisions.items()) == {(1, 1): DECISION, (2, 0): DECISION}


@pytest.mark.parametrize("origin", [CURATORS[0], multisig_account(CURATORS, 4), None])
def test_a_forged_decision_is_refused(origin: AccountId | None) -> None:
    stage = Stage().found()
    assert stage.refuse(DECISION, origin) is RejectionCode.WRONG_ORIGIN


def test_a_rejection_says_who_said_what_where() -> None:
    stage = Stage().found()
    code = stage.refuse(b"IBP/1 decision {}", CURATORS[0])
    assert code is RejectionCode.MALFORMED
    ((position, record),) = stage.state.programme.rejections.items()
    assert position == (1, 1)
    assert isinstance(record, Rejection)
    assert (record.origin, record.extrinsic) == (CURATORS[0], 2)


def test_the_curators_account_is_their_multisig() -> None:
    assert curators_account(PROGRAM) == MULTISIG


def test_a_stored_programme_that_no_remark_could_bring_is_refused() -> None:
    stage = Stage().found()
    item = stage.state.programme.program
    item.put(PROGRAM.model_construct(**(dict(PROGRAM) | {"threshold": 6})))
    raw = item.raw_value(())
    assert raw is not None
    with pytest.raises(DecodeError, match=r"stored Program: .*above the number of curators"):
        State(PASEO).load([(item.prefix, raw)])


def test_a_stored_decision_that_no_remark_could_bring_is_refused() -> None:
    stage = Stage().found()
    stage.accept(DECISION, MULTISIG)
    item, place = stage.state.programme.decisions, (BlockNumber(9), 9)
    item.insert(place, DECISION.model_construct(**(dict(DECISION) | {"outcome": "bribe"})))
    raw = item.raw_value(place)
    assert raw is not None
    with pytest.raises(DecodeError, match="stored Decision"):
        State(PASEO).load([(item.raw_key(place), raw)])


def test_a_member_remark_needs_the_curators() -> None:
    stage = Stage().found()
    assert stage.refuse(registration(), account("amforc")) is RejectionCode.WRONG_ORIGIN
    stage.accept(registration(), MULTISIG)
    removal = member_body(MemberAction.REMOVE, reason="rival")
    assert stage.refuse(removal, account("amforc")) is RejectionCode.WRONG_ORIGIN
