"""A payload for the recorded bundle, as one of its curators would be asked to sign it, offline."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from ibp_chain.blocks import BlockRef, blake2_256
from ibp_chain.extrinsics import Weight
from ibp_chain.keys import KeypairSigner, signer_from_uri
from ibp_chain.signing import SigningContext
from ibp_chain.types import AccountId, BlockNumber, Planck
from multisig.approve import as_multi
from multisig.bundle import Bundle
from multisig.payload import Asked, check_asked
from multisig.signer_payload import SignerPayload, make_payload
from tests.support import payouts, recording

TIMEPOINT = {"height": 60_105, "index": 2}
WEIGHT = Weight(2_000_000_000, 40_000)


@cache
def curators() -> tuple[KeypairSigner, ...]:
    """The keys of the bundle's signatories, in its order."""
    keys = [signer_from_uri(f"//IBP//Curator//{at}") for at in range(5)]
    accounts = payouts.bundle().multisig.account_ids(payouts.PASEO)
    return tuple(sorted(keys, key=lambda key: accounts.index(key.account)))


def context(**changes: Any) -> SigningContext:
    usual = SigningContext(
        codec=recording.peer(),
        genesis_hash=payouts.bundle().chain.genesis_hash,
        spec_version=recording.runtime().spec_version,
        transaction_version=recording.runtime().transaction_version,
        birth=BlockRef(BlockNumber(60_200), blake2_256(b"block 60200")),
        period=4_096,
        nonce=7,
        tip=Planck(3),
    )
    return replace(usual, **changes)


def approval(
    who: AccountId,
    bundle: Bundle | None = None,
    timepoint: Mapping[str, int] | None = TIMEPOINT,
    weight: Weight = WEIGHT,
) -> bytes:
    of = payouts.bundle() if bundle is None else bundle
    return as_multi(recording.runtime(), of, who, timepoint, weight)


def payload(curator: int = 0, call: bytes | None = None, **changes: Any) -> SignerPayload:
    """What curator number `curator` would be asked, with another call or context."""
    who = curators()[curator].account
    method = approval(who) if call is None else call
    return make_payload(method, who, context(**changes), payouts.PASEO)


def checked(of: SignerPayload, bundle: Bundle | None = None) -> Asked:
    against = payouts.bundle() if bundle is None else bundle
    return check_asked(of, against, recording.runtime(), recording.peer())


def asked(curator: int = 0, **changes: Any) -> Asked:
    return checked(payload(curator, **changes))
