"""The call that is signed is the bundle's approval by metadata that the node did not send."""

from functools import cache

import pytest

from ibp_chain.accounts import ss58_encode
from ibp_chain.blocks import BlockRef
from ibp_chain.extrinsics import Weight
from ibp_chain.peer_codec import PeerCodec
from ibp_chain.runtime import Runtime
from ibp_chain.scale.primitives import decode_compact
from ibp_chain.types import AccountId, BlockNumber, Hash
from multisig.approval import as_multi, ensure_approval, ensure_weight
from multisig.checks import limits_of
from multisig.errors import ApprovalRefused, BundleRefused
from multisig.funds import Payer, ensure_covered, payer_of
from multisig.onchain import decisive
from multisig.operations import KnownCall, Party, Source, survey, warnings
from multisig.payload import check_asked
from multisig.plan import Kind, PlanPart
from multisig.signer_payload import make_payload
from multisig.steps import Point, Step, StepKind
from tests.support import payouts, recording
from tests.support.asked import TIMEPOINT, WEIGHT, approval, context, curators
from tests.unit.multisig.test_operations import AGE, operation

BUNDLE, RUNTIME = payouts.bundle(), recording.runtime()
WHO = curators()[0].account


@cache
def lying_metadata() -> bytes:
    """Of the same spec version, in which `Multisig.as_multi` has another index."""
    raw = bytearray(recording.source().metadata_v14(RUNTIME.spec_version))
    at = raw.find(b"\x20as_multi") + 9
    fields, at = decode_compact(bytes(raw), at)

    def text(at: int) -> int:
        length, at = decode_compact(bytes(raw), at)
        return at + length

    def optional(at: int) -> int:
        return text(at + 1) if raw[at] else at + 1

    for _ in range(fields):
        at = optional(at)
        _, at = decode_compact(bytes(raw), at)
        at = optional(at)
        lines, at = decode_compact(bytes(raw), at)
        for _ in range(lines):
            at = text(at)
    raw[at] = 77
    return bytes(raw)


def ensure(call: bytes) -> None:
    ensure_approval(call, BUNDLE, WHO, TIMEPOINT, WEIGHT, RUNTIME, recording.peer())


def test_what_lying_metadata_makes_of_an_approval_is_not_signed() -> None:
    lying = Runtime.from_metadata(lying_metadata())
    assert lying.spec_version == RUNTIME.spec_version
    call = as_multi(lying, BUNDLE, WHO, TIMEPOINT, WEIGHT)
    # by its own metadata nothing shows, with either decoder
    assert PeerCodec(lying_metadata()).check_call(call) == "Multisig.as_multi"
    with pytest.raises(ApprovalRefused, match="the node's metadata is another"):
        ensure(call)
    ensure(approval(WHO))


@pytest.mark.parametrize(
    "other",
    [
        approval(WHO, timepoint=None),
        approval(WHO, weight=Weight(1, 1)),
        approval(curators()[1].account),
        BUNDLE.call,
    ],
    ids=["timepoint", "weight", "signatories", "payout"],
)
def test_any_other_call_is_not_signed(other: bytes) -> None:
    with pytest.raises(ApprovalRefused, match="not this bundle's Multisig"):
        ensure(other)


def test_no_more_weight_is_allowed_than_an_extrinsic_may_have() -> None:
    most = limits_of(RUNTIME).weight
    ensure_weight(most, RUNTIME)
    with pytest.raises(ApprovalRefused, match="more than an extrinsic may have: its ref time"):
        ensure_weight(most._replace(ref_time=most.ref_time + 1), RUNTIME)


def test_a_bundle_around_another_call_than_its_hash_says_is_asked_of_nobody() -> None:
    args = {"dest": ("Id", b"\x66" * 32), "value": 10**15}
    evil = RUNTIME.encode_call("Balances", "transfer_keep_alive", args)
    forged = BUNDLE.model_copy(update={"call": evil})
    payload = make_payload(approval(WHO, forged), WHO, context(), payouts.PASEO)
    with pytest.raises(BundleRefused, match="its call hashes to 0x"):
        check_asked(payload, forged, RUNTIME, recording.peer())


# --- What ends an operation -------------------------------------------------------------------


def step(kind: StepKind, block: int) -> Step:
    where = BlockRef(BlockNumber(block), Hash(bytes(32)))
    call = BUNDLE.call_hash
    return Step(kind, where, 2, 0, AccountId(WHO), call, Point(1, 2), AccountId(WHO))


@pytest.mark.parametrize(
    ("kinds", "block"),
    [
        ((), None),
        ((StepKind.OPENED, StepKind.APPROVED), None),
        ((StepKind.CANCELLED, StepKind.EXECUTED), 1),
        # opened again by a late curator, who then cancelled it: it was paid all the same
        ((StepKind.EXECUTED, StepKind.OPENED, StepKind.CANCELLED), 0),
        ((StepKind.EXECUTED, StepKind.FAILED), 0),
        ((StepKind.FAILED, StepKind.CANCELLED), 1),
        ((StepKind.EXECUTED, StepKind.OPENED, StepKind.EXECUTED), 2),
    ],
)
def test_an_execution_counts_whatever_came_after_it(
    kinds: tuple[StepKind, ...], block: int | None
) -> None:
    found = decisive(step(kind, at) for at, kind in enumerate(kinds))
    assert (None if found is None else found.block.number) == block


# --- Who pays ---------------------------------------------------------------------------------


def test_the_bounty_pays_its_children_the_multisig_its_transfers_and_nobody_a_claim() -> None:
    multisig = payer_of(BUNDLE, RUNTIME)
    assert multisig is not None
    assert (multisig.name, multisig.total) == ("the multisig", BUNDLE.statement.total)
    children = tuple(range(len(BUNDLE.statement.lines)))

    def planned(kind: Kind) -> Payer | None:
        plan = PlanPart(kind=kind, parent=17, children=children)
        return payer_of(BUNDLE.model_copy(update={"plan": plan}), RUNTIME)

    bounty = planned(Kind.CHILD_BOUNTIES)
    assert bounty is not None
    assert (bounty.name, bounty.total) == ("bounty 17", multisig.total)
    assert planned(Kind.CHILD_CLAIMS) is None
    held = {"free": multisig.total, "reserved": 0, "frozen": 0}
    address = ss58_encode(multisig.account, payouts.PASEO.ss58_prefix)
    with pytest.raises(ApprovalRefused, match=f"the multisig can spend .* fund {address} first"):
        ensure_covered(held, multisig, RUNTIME, payouts.PASEO)


# --- The same call twice ----------------------------------------------------------------------


def test_the_same_call_open_in_two_multisigs_is_told_of_both() -> None:
    line = (payouts.PERIOD, "amforc", "services")
    known = {BUNDLE.call_hash: KnownCall(b"", Source.CHAIN, ("pays",), frozenset({line}))}
    parties = [Party(AccountId(bytes([at]) * 32), 3, (), in_office=None) for at in (1, 2)]
    found = survey([(party, BUNDLE.call_hash, operation(), AGE) for party in parties], known, ())
    for pending in found:
        assert pending.also == ((line, BUNDLE.call_hash),)
        assert any("is also paid by the open operation" in text for text in warnings(pending))
