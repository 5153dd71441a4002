"""Members, their accounts, milestones, and 'Sign & Verify'."""

from typing import Any

import pytest

from ibp_chain.accounts import ss58_encode
from ibp_chain.networks import network
from ibp_chain.remark_bodies import Member, MemberAction, Milestone, MilestoneAction
from ibp_chain.remarks import encode
from ibp_chain.types import Hash
from ledger.origins import Dispatched, Origin, OriginKind
from ledger.pallets.membership import MemberStatus, Transition, TransitionKind
from ledger.pallets.rejections import RejectionCode
from tests.support.programme import (
    MULTISIG,
    PASEO,
    Stage,
    account,
    key,
    link_body,
    member_body,
    registration,
    remark,
)

KUSAMA = network("kusama")
EVIDENCE = Hash(b"e" * 32)


@pytest.fixture
def stage() -> Stage:
    """A programme with the member `amforc`."""
    stage = Stage().found()
    stage.accept(registration(), MULTISIG)
    return stage


def milestone(action: str, number: int = 1, member: str = "amforc") -> Milestone:
    return Milestone(
        action=MilestoneAction(action), member=member, milestone=number, evidence=EVIDENCE
    )


def suspension(member: str = "amforc") -> Member:
    return member_body(MemberAction.SUSPEND, member, reason="silent")


def reinstatement(member: str = "amforc") -> Member:
    return member_body(MemberAction.REINSTATE, member, reason="back")


def removal(member: str = "amforc") -> Member:
    return member_body(MemberAction.REMOVE, member, reason="left")


def update(member: str = "amforc", **fields: Any) -> Member:
    return member_body(MemberAction.UPDATE, member, **fields)


def owner(stage: Stage, name: str, on: str = "paseo") -> str | None:
    return stage.state.membership.owners.find((on, account(name)))


# --- Members ----------------------------------------------------------------------------


def test_a_registered_member_is_as_described(stage: Stage) -> None:
    record = stage.state.membership.members.get("amforc")
    assert (record.name, record.region, record.status) == ("Amforc", "europe", MemberStatus.ACTIVE)
    assert record.account("paseo") == account("amforc")
    assert record.payee("paseo") == account("amforc-payee")
    assert record.account("kusama") is None
    assert owner(stage, "amforc") == "amforc"
    assert owner(stage, "amforc-payee") is None


def test_a_member_is_registered_once(stage: Stage) -> None:
    assert stage.refuse(registration(), MULTISIG) is RejectionCode.NOT_POSSIBLE_NOW


def test_no_two_members_share_an_account(stage: Stage) -> None:
    theirs = registration("rival", accounts={"paseo": account("amforc")})
    assert stage.refuse(theirs, MULTISIG) is RejectionCode.ACCOUNT_TAKEN
    stage.accept(registration("rival"), MULTISIG)
    grab = update("rival", accounts={"paseo": account("amforc")})
    assert stage.refuse(grab, MULTISIG) is RejectionCode.ACCOUNT_TAKEN
    assert owner(stage, "rival") == "rival"


def test_the_same_key_on_another_network_is_another_account(stage: Stage) -> None:
    stage.accept(registration("rival", accounts={"kusama": account("amforc")}), MULTISIG)
    assert owner(stage, "amforc", "kusama") == "rival"


def test_two_members_may_name_one_payee(stage: Stage) -> None:
    stage.accept(registration("rival", payee={"paseo": account("amforc-payee")}), MULTISIG)


def test_an_update_replaces_what_it_gives_and_keeps_the_rest(stage: Stage) -> None:
    before = stage.state.membership.members.get("amforc")
    stage.next_block()
    stage.accept(update(name="Amforc AG"), MULTISIG)
    assert stage.state.membership.members.get("amforc") == before._replace(name="Amforc AG")
    stage.accept(update(accounts={"kusama": account("new")}), MULTISIG)
    assert owner(stage, "amforc") is None
    assert owner(stage, "new", "kusama") == "amforc"


def test_a_freed_account_goes_to_who_registers_it_next(stage: Stage) -> None:
    stage.accept(update(accounts={"paseo": account("new")}), MULTISIG)
    stage.accept(registration("rival", accounts={"paseo": account("amforc")}), MULTISIG)
    assert owner(stage, "amforc") == "rival"


def test_suspension_and_reinstatement_take_turns(stage: Stage) -> None:
    assert stage.refuse(reinstatement(), MULTISIG) is RejectionCode.NOT_POSSIBLE_NOW
    since = stage.next_block()
    stage.accept(suspension(), MULTISIG)
    record = stage.state.membership.members.get("amforc")
    assert (record.status, record.reason, record.status_since) == (
        MemberStatus.SUSPENDED,
        "silent",
        since,
    )
    assert stage.refuse(suspension(), MULTISIG) is RejectionCode.NOT_POSSIBLE_NOW
    assert stage.refuse(registration(), MULTISIG) is RejectionCode.NOT_POSSIBLE_NOW
    stage.accept(reinstatement(), MULTISIG)
    assert stage.state.membership.members.get("amforc").status is MemberStatus.ACTIVE


@pytest.mark.parametrize("suspended", [False, True])
def test_a_removed_member_leaves_its_record_and_nothing_else(
    stage: Stage, *, suspended: bool
) -> None:
    stage.accept(milestone("grant"), MULTISIG)
    stage.accept(link_body(), account("amforc"))
    if suspended:
        stage.accept(suspension(), MULTISIG)
    stage.accept(removal(), MULTISIG)
    storage = stage.state.membership
    assert storage.members.get("amforc").status is MemberStatus.REMOVED
    assert len(storage.owners) == len(storage.milestones) == len(storage.links) == 0


def test_a_removed_member_is_unknown_until_it_is_registered_again(stage: Stage) -> None:
    stage.accept(removal(), MULTISIG)
    for said in (removal(), suspension(), reinstatement(), update(name="A"), milestone("grant")):
        assert stage.refuse(said, MULTISIG) is RejectionCode.UNKNOWN_MEMBER
    assert stage.refuse(link_body(), account("amforc")) is RejectionCode.UNKNOWN_MEMBER
    again = stage.next_block()
    stage.accept(registration(), MULTISIG)
    record = stage.state.membership.members.get("amforc")
    assert (record.status, record.reason, record.registered_at) == (
        MemberStatus.ACTIVE,
        None,
        again,
    )


def test_what_happens_to_a_member_leaves_the_others_alone(stage: Stage) -> None:
    stage.accept(registration("rival"), MULTISIG)
    stage.accept(milestone("grant", member="rival"), MULTISIG)
    stage.accept(link_body("rival", linked="Rivals"), account("rival"))
    stage.accept(removal(), MULTISIG)
    assert owner(stage, "rival") == owner(stage, "Rivals") == "rival"
    assert ("rival", 1) in stage.state.membership.milestones


def test_members_whose_names_begin_alike_are_not_confused(stage: Stage) -> None:
    stage.accept(registration("amforc-2"), MULTISIG)
    stage.accept(milestone("grant", member="amforc-2"), MULTISIG)
    stage.accept(removal(), MULTISIG)
    assert ("amforc-2", 1) in stage.state.membership.milestones


# --- Milestones -------------------------------------------------------------------------


def test_a_milestone_is_granted_once_and_revoked_once(stage: Stage) -> None:
    assert stage.refuse(milestone("revoke"), MULTISIG) is RejectionCode.NOT_POSSIBLE_NOW
    at = stage.next_block()
    stage.accept(milestone("grant"), MULTISIG)
    assert stage.state.membership.milestones.get(("amforc", 1)) == (EVIDENCE, at)
    assert stage.refuse(milestone("grant"), MULTISIG) is RejectionCode.NOT_POSSIBLE_NOW
    stage.accept(milestone("revoke"), MULTISIG)
    assert len(stage.state.membership.milestones) == 0


def test_milestones_are_the_curators_to_give(stage: Stage) -> None:
    assert stage.refuse(milestone("grant"), account("amforc")) is RejectionCode.WRONG_ORIGIN
    assert stage.refuse(milestone("grant"), account("Oracle0")) is RejectionCode.WRONG_ORIGIN
    nobodys = milestone("grant", member="nobody")
    assert stage.refuse(nobodys, MULTISIG) is RejectionCode.UNKNOWN_MEMBER


# --- Transitions ------------------------------------------------------------------------


def transitions(stage: Stage, member: str = "amforc") -> list[tuple[int, int, Transition]]:
    return sorted(
        (block, place, transition)
        for (who, block, place), transition in stage.state.membership.transitions.items()
        if who == member
    )


def test_every_transition_is_kept_with_its_block_and_extrinsic(stage: Stage) -> None:
    said = [
        milestone("grant", 2), suspension(), reinstatement(), milestone("revoke", 2), removal(),
        registration(),
    ]  # fmt: skip
    for body in said:
        stage.next_block()
        stage.accept(body, MULTISIG)
    kind = TransitionKind
    assert transitions(stage) == [
        (1, 1, Transition(kind.REGISTERED, None, 2)),
        (2, 0, Transition(kind.GRANTED, 2, 2)),
        (3, 0, Transition(kind.SUSPENDED, None, 2)),
        (4, 0, Transition(kind.REINSTATED, None, 2)),
        (5, 0, Transition(kind.REVOKED, 2, 2)),
        (6, 0, Transition(kind.REMOVED, None, 2)),
        (7, 0, Transition(kind.REGISTERED, None, 2)),
    ]


def test_what_a_hook_dispatched_has_no_extrinsic(stage: Stage) -> None:
    raw = encode(suspension(), PASEO.ss58_prefix)
    origin = Origin(OriginKind.SIGNED, MULTISIG)
    stage.play(Dispatched(origin, remark(raw), (), None, ()))
    assert transitions(stage)[-1][2] == Transition(TransitionKind.SUSPENDED, None, None)


def test_two_transitions_of_one_block_are_told_apart_by_their_place(stage: Stage) -> None:
    stage.accept(suspension(), MULTISIG)
    stage.accept(reinstatement(), MULTISIG)
    assert [place for _, place, _ in transitions(stage)] == [1, 2, 3]


def test_an_update_a_link_and_a_refusal_are_no_transitions(stage: Stage) -> None:
    stage.accept(update(name="Amforc AG"), MULTISIG)
    stage.accept(link_body(), account("amforc"))
    stage.refuse(removal(), account("Stranger"))
    stage.refuse(registration(), MULTISIG)
    stage.refuse(milestone("revoke"), MULTISIG)
    assert len(transitions(stage)) == 1


# --- Links ------------------------------------------------------------------------------


def test_a_link_ties_an_account_of_any_network_to_the_member(stage: Stage) -> None:
    at = stage.next_block()
    stage.accept(link_body(on=KUSAMA), account("amforc"))
    links = dict(stage.state.membership.links.items())
    assert links == {("amforc", "kusama", account("Cold")): at}
    assert owner(stage, "Cold", "kusama") == "amforc"
    assert owner(stage, "Cold") is None


def test_a_linked_account_may_link_another(stage: Stage) -> None:
    stage.accept(link_body(), account("amforc"))
    stage.accept(link_body(linked="Third", origin="Cold"), account("Cold"))
    assert owner(stage, "Third") == "amforc"


def test_only_the_members_own_accounts_link(stage: Stage) -> None:
    for origin in (account("Stranger"), account("amforc-payee"), MULTISIG):
        said = link_body(origin="Stranger")
        assert stage.refuse(said, origin) is RejectionCode.WRONG_ORIGIN
    stage.accept(registration("rival"), MULTISIG)
    assert stage.refuse(link_body(), account("rival")) is RejectionCode.WRONG_ORIGIN


def test_an_account_that_is_the_members_elsewhere_only_does_not_link(stage: Stage) -> None:
    stage.accept(link_body(on=KUSAMA), account("amforc"))
    said = link_body(linked="Third", origin="Cold")
    assert stage.refuse(said, account("Cold")) is RejectionCode.WRONG_ORIGIN


@pytest.mark.parametrize(
    "forged",
    [
        {"signer": "amforc"},
        {"origin": "Stranger"},
    ],
    ids=["signed by another key", "signed for another origin"],
)
def test_a_link_that_its_account_did_not_sign_is_refused(
    stage: Stage, forged: dict[str, Any]
) -> None:
    assert stage.refuse(link_body(**forged), account("amforc")) is RejectionCode.WRONG_SIGNATURE


def test_a_link_signed_for_one_member_does_not_serve_another(stage: Stage) -> None:
    stage.accept(registration("rival"), MULTISIG)
    stolen = link_body("amforc").model_copy(update={"member": "rival"})
    assert stage.refuse(stolen, account("rival")) is RejectionCode.WRONG_SIGNATURE


def test_a_signature_without_the_wallets_wrapping_is_refused(stage: Stage) -> None:
    address = ss58_encode(account("amforc"), PASEO.ss58_prefix)
    bare = key("Cold").sign(f"IBP/1 link amforc {address}".encode())
    said = link_body().model_copy(update={"sig": bare})
    # sr25519 verifies what wallets sign, which is the wrapped text
    assert stage.refuse(said, account("amforc")) is RejectionCode.WRONG_SIGNATURE


@pytest.mark.parametrize("linked", ["amforc", "rival", "Cold"])
def test_an_account_that_has_an_owner_is_not_linked(stage: Stage, linked: str) -> None:
    stage.accept(registration("rival"), MULTISIG)
    stage.accept(link_body(), account("amforc"))
    said = link_body(linked=linked)
    assert stage.refuse(said, account("amforc")) is RejectionCode.ACCOUNT_TAKEN


def test_a_linked_account_is_not_registered_for_another(stage: Stage) -> None:
    stage.accept(link_body(), account("amforc"))
    theirs = registration("rival", accounts={"paseo": account("Cold")})
    assert stage.refuse(theirs, MULTISIG) is RejectionCode.ACCOUNT_TAKEN


def test_a_link_survives_the_accounts_registration_and_its_end(stage: Stage) -> None:
    stage.accept(link_body(), account("amforc"))
    stage.accept(update(accounts={"paseo": account("Cold")}), MULTISIG)
    assert owner(stage, "amforc") is None
    stage.accept(update(accounts={"paseo": account("new")}), MULTISIG)
    assert owner(stage, "Cold") == "amforc"


def test_a_suspended_member_may_link(stage: Stage) -> None:
    stage.accept(suspension(), MULTISIG)
    stage.accept(link_body(), account("amforc"))
