"""The call that a curator signs: `Multisig.as_multi` around a bundle's call. Pure.

Made by one decoder's encoder, and read again by both before it is signed: what a wrong pallet index
would make of the same bytes, no later check could tell.
"""

from collections.abc import Mapping

from ibp_chain.accounts import other_signatories
from ibp_chain.blocks import blake2_256
from ibp_chain.errors import DecodeError
from ibp_chain.extrinsics import Weight
from ibp_chain.peer_codec import PeerCodec
from ibp_chain.runtime import Runtime
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId
from multisig.bundle import Bundle
from multisig.checks import block_weight, limits_of
from multisig.errors import ApprovalRefused

AS_MULTI = "Multisig.as_multi"


def as_multi(
    runtime: Runtime,
    bundle: Bundle,
    who: AccountId,
    timepoint: Mapping[str, int] | None,
    max_weight: Weight,
) -> bytes:
    """The bytes of `Multisig.as_multi` with which `who` approves the bundle's call."""
    return runtime.encode_call(
        "Multisig",
        "as_multi",
        {
            "threshold": bundle.multisig.threshold,
            "other_signatories": other_signatories(
                bundle.multisig.account_ids(bundle.network), who
            ),
            "maybe_timepoint": timepoint,
            "call": runtime.decode_call(bundle.call),
            "max_weight": max_weight._asdict(),
        },
    )


def ensure_approval(
    call: bytes,
    bundle: Bundle,
    who: AccountId,
    timepoint: Mapping[str, int] | None,
    max_weight: Weight,
    runtime: Runtime,
    codec: PeerCodec,
) -> None:
    """That `call` is what `as_multi` makes of the rest, by a runtime and a codec that one trusts.

    Raises `ApprovalRefused`, and `CheckFailed` where the codec reads other bytes.
    """
    try:
        read = runtime.decode_call(call)
    except DecodeError as error:
        raise ApprovalRefused(
            f"what was to be signed is no call of {runtime} by the ledger's metadata: the node's "
            f"metadata is another ({error})"
        ) from error
    if str(read) != AS_MULTI or call != as_multi(runtime, bundle, who, timepoint, max_weight):
        raise ApprovalRefused(
            f"what was to be signed is {read} by the ledger's metadata, not this bundle's "
            f"{AS_MULTI}: the node's metadata is another"
        )
    inner: Call = read.args["call"]
    if blake2_256(inner.data) != bundle.call_hash:
        raise ApprovalRefused(
            f"what was to be signed is around the call 0x{blake2_256(inner.data).hex()}, the "
            f"bundle's is 0x{bundle.call_hash.hex()}"
        )
    name = codec.check_call(call)
    if name != AS_MULTI:
        raise ApprovalRefused(f"substrate-interface reads what was to be signed as {name}")


def ensure_weight(allowed: Weight, runtime: Runtime) -> None:
    """That an extrinsic may have the weight that is to be allowed. Raises `ApprovalRefused`."""
    if heavy := [*block_weight(allowed, limits_of(runtime))]:
        saw = "; ".join(finding.saw for finding in heavy)
        raise ApprovalRefused(
            f"the weight to be allowed is more than an extrinsic may have: {saw}; ask another "
            "node, or give a smaller --weight-margin"
        )
