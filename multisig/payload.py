"""What one curator is asked to sign away from here, and what is accepted when it comes back.

`ask` makes a payload from a bundle and a node. Nothing that comes back is believed, the payload
file included: `check_asked` rebuilds it from the bundle, `accept_signature` and `accept_signed`
take only a signature by that curator over exactly those bytes, `check_now` refuses what the chain
would refuse or what has changed since. Each refusal is named in `multisig.errors.Refusal`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ibp_chain.accounts import ss58_encode
from ibp_chain.blocks import blake2_256
from ibp_chain.errors import AddressError, DecodeError, InputError
from ibp_chain.extrinsics import Weight
from ibp_chain.metadata_hash import runtime_metadata_hash
from ibp_chain.peer_codec import PeerCodec
from ibp_chain.runtime import Runtime
from ibp_chain.scale.primitives import decode_compact
from ibp_chain.scale.values import Call
from ibp_chain.signatures import MultiSignature, read_signatures
from ibp_chain.signing import (
    NO_TIP,
    SigningContext,
    assemble,
    extension_bytes,
    signed_payload,
)
from ibp_chain.types import AccountId, Planck
from multisig.approval import as_multi
from multisig.approve import Approver
from multisig.bundle import Bundle
from multisig.effects import ensure_whole
from multisig.errors import PayloadRefused, Refusal
from multisig.onchain import Witness
from multisig.operations import OpenOperation
from multisig.signer_payload import SignerPayload, make_payload

_ADDRESSED = 34
"""Version, kind of address, account: what stands before the signature."""
_REFUSED_EXTENSIONS = {
    "CheckMortality": Refusal.OTHER_ERA,
    "CheckEra": Refusal.OTHER_ERA,
    "CheckNonce": Refusal.OTHER_NONCE,
    "ChargeTransactionPayment": Refusal.OTHER_TIP,
    "ChargeAssetTxPayment": Refusal.OTHER_TIP,
    "CheckMetadataHash": Refusal.OTHER_MODE,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A payload that was held against its bundle."""

    bundle: Bundle
    payload: SignerPayload
    curator: AccountId
    context: SigningContext
    timepoint: Mapping[str, int] | None
    """Of the operation that it approves; None where it opens one."""
    max_weight: Weight

    @property
    def call(self) -> bytes:
        """`Multisig.as_multi` around the bundle's call."""
        return self.payload.method

    @property
    def signing_bytes(self) -> bytes:
        """What the signature is over."""
        return signed_payload(self.call, self.context)


def ask(
    approver: Approver,
    curator: AccountId,
    *,
    tip: Planck = NO_TIP,
    with_metadata_hash: bool = True,
    although_short: bool = False,
    seen: Witness | None = None,
) -> Asked:
    """What `curator` is asked to sign now; the era is the submitter's `period`.

    `seen` is what the curator's ledger knows of the call. With `with_metadata_hash`, mode 1 where
    the runtime has `CheckMetadataHash`; never less because a node says so. Raises `ApprovalRefused`
    as `Approver.approve` does before anything is sent, and as `Approver.prepared`.
    """
    operation = approver.check(curator, although_short=although_short, seen=seen)
    call, context = approver.prepared(
        curator, operation, approver.max_weight(), tip=tip, with_metadata_hash=with_metadata_hash
    )
    bundle, runtime = approver.bundle, approver.submitter.runtimes(context.spec_version)
    payload = make_payload(call, curator, context, bundle.network)
    return check_asked(payload, bundle, runtime, context.codec)


def check_asked(
    payload: SignerPayload, bundle: Bundle, runtime: Runtime, codec: PeerCodec
) -> Asked:
    """Hold a payload against the bundle that it is for.

    Only nonce, era, tip, timepoint and weight are the payload's own word; what they are now, only a
    node knows: `check_now`. Raises `PayloadRefused`, `DocumentError` for a payload that contradicts
    itself, `BundleRefused` for a bundle that does, `CheckFailed` where substrate-interface reads
    the call differently.
    """
    ensure_whole(bundle)
    if payload.genesis_hash != bundle.chain.genesis_hash:
        raise PayloadRefused(
            Refusal.OTHER_CHAIN, f"genesis 0x{payload.genesis_hash.hex()} is not the bundle's"
        )
    if not payload.spec_version == bundle.chain.spec_version == runtime.spec_version:
        raise PayloadRefused(
            Refusal.OTHER_RUNTIME,
            f"spec version {payload.spec_version}; the bundle's is {bundle.chain.spec_version}, "
            f"the runtime's {runtime.spec_version}",
        )
    if payload.transaction_version != runtime.transaction_version:
        raise PayloadRefused(
            Refusal.OTHER_RUNTIME,
            f"transaction version {payload.transaction_version}, the runtime's is "
            f"{runtime.transaction_version}",
        )
    curator = _curator(payload, bundle)
    timepoint, weight = _approval(payload, bundle, curator, runtime)
    codec.check_call(payload.method)
    context = payload.context(codec)
    extension_bytes(context)  # refuses what the runtime's extensions do not read as
    if context.metadata_hash is not None:
        own = runtime_metadata_hash(runtime, bundle.network)
        if context.metadata_hash != own:
            raise PayloadRefused(
                Refusal.OTHER_METADATA,
                f"0x{context.metadata_hash.hex()}, this runtime's is 0x{own.hex()}",
            )
    return Asked(bundle, payload, curator, context, timepoint, weight)


def check_now(asked: Asked, approver: Approver, *, seen: Witness | None = None) -> None:
    """Whether the chain would still take it, and it still does what it did when it was asked.

    `seen` as in `ask`. Raises `PayloadRefused`, and `ApprovalRefused` for a curator who approved
    meanwhile.
    """
    submitter, context = approver.submitter, asked.context
    _ensure_operation(asked, approver.check(asked.curator, although_short=True, seen=seen))
    best = submitter.best()
    if best.number + 1 >= context.death:
        raise PayloadRefused(
            Refusal.EXPIRED,
            f"it was valid up to block {context.death - 1}, the node is at {best.number}: "
            "export it again",
        )
    (known,) = submitter.node.hashes((context.birth.number,))
    if known != context.birth.hash:
        raise PayloadRefused(
            Refusal.OTHER_ERA,
            f"block {context.birth.number} of this chain is not 0x{context.birth.hash.hex()}: "
            "export it again",
        )
    nonce = submitter.nonce(asked.curator)
    if nonce != context.nonce:
        refusal = Refusal.USED_NONCE if nonce > context.nonce else Refusal.OTHER_NONCE
        raise PayloadRefused(
            refusal, f"{context.nonce}, the account's next is {nonce}: export it again"
        )
    needed = approver.weight()
    if not asked.max_weight.covers(needed):
        raise PayloadRefused(
            Refusal.WEIGHT_TOO_LOW,
            f"{tuple(asked.max_weight)}, the call weighs {tuple(needed)}: export it again",
        )


def accept_signature(asked: Asked, raw: bytes) -> bytes:
    """The extrinsic around a signature that came back: 64 bytes, or 65 with the scheme in front.

    Raises `PayloadRefused` saying whose or over what it is, where that can be told; `InputError`
    for what is no signature.
    """
    candidates = read_signatures(raw)
    for candidate in candidates:
        if candidate.verifies(asked.curator, asked.signing_bytes):
            return assemble(asked.call, asked.curator, candidate.encoded, asked.context)
    raise next(_explanations(asked, candidates))


def accept_signed(asked: Asked, raw: bytes, runtime: Runtime) -> bytes:
    """A signed transaction that came back, where it is the one that was asked for.

    Raises `PayloadRefused` naming the first field that differs, `InputError` for what is no
    extrinsic with its length in front.
    """
    try:
        extrinsic = runtime.decode_extrinsic(raw)
    except DecodeError as error:
        raise InputError(f"what came back is no transaction of this runtime: {error}") from error
    if extrinsic.signer is None:
        raise PayloadRefused(Refusal.OTHER_SIGNER, "it is not signed by a plain account")
    if extrinsic.signer != asked.curator:
        raise PayloadRefused(
            Refusal.OTHER_SIGNER,
            f"{_address(asked, extrinsic.signer)}, asked was {_address(asked, asked.curator)}",
        )
    if extrinsic.call.data != asked.call:
        raise PayloadRefused(
            Refusal.OTHER_CALL,
            f"{extrinsic.call} with hash 0x{extrinsic.call.hash.hex()}, asked was "
            f"Multisig.as_multi with hash 0x{blake2_256(asked.call).hex()}",
        )
    _ensure_extensions(asked, extrinsic.extensions, runtime)
    _, at = decode_compact(raw)
    extensions, _ = extension_bytes(asked.context)
    found = raw[at + _ADDRESSED : len(raw) - len(asked.call) - len(extensions)]
    accepted = accept_signature(asked, found)
    if accepted != raw:
        raise PayloadRefused(Refusal.OTHER_EXTENSION, "its bytes are not those that were asked for")
    return accepted


# --- Internals ------------------------------------------------------------------------


def _curator(payload: SignerPayload, bundle: Bundle) -> AccountId:
    try:
        curator = payload.account(bundle.network)
    except AddressError as error:
        raise PayloadRefused(Refusal.OTHER_SIGNER, str(error)) from error
    if curator not in bundle.multisig.account_ids(bundle.network):
        raise PayloadRefused(
            Refusal.OTHER_SIGNER, f"{payload.address} is not one of the multisig's signatories"
        )
    return curator


def _approval(
    payload: SignerPayload, bundle: Bundle, curator: AccountId, runtime: Runtime
) -> tuple[Mapping[str, int] | None, Weight]:
    """Timepoint and weight of the payload's `as_multi`, all else of which is the bundle's."""
    try:
        call = runtime.decode_call(payload.method)
    except DecodeError as error:
        raise PayloadRefused(Refusal.OTHER_CALL, f"it cannot be read: {error}") from error
    if (call.pallet, call.name) != ("Multisig", "as_multi"):
        raise PayloadRefused(Refusal.OTHER_CALL, f"{call}, not Multisig.as_multi")
    inner: Call = call.args["call"]
    if inner.data != bundle.call:
        raise PayloadRefused(
            Refusal.OTHER_CALL,
            f"inside is {inner} with hash 0x{inner.hash.hex()}, the bundle's is "
            f"0x{bundle.call_hash.hex()}",
        )
    timepoint, weight = call.args["maybe_timepoint"], Weight(**call.args["max_weight"])
    if as_multi(runtime, bundle, curator, timepoint, weight) != payload.method:
        raise PayloadRefused(
            Refusal.OTHER_MULTISIG, "its threshold or other signatories are not the bundle's"
        )
    return timepoint, weight


def _ensure_operation(asked: Asked, operation: OpenOperation | None) -> None:
    now = None if operation is None else operation.timepoint
    if now == asked.timepoint:
        return
    if now is None:
        detail = "the operation that it approves is closed: it was executed or cancelled"
    elif asked.timepoint is None:
        detail = f"an operation was opened meanwhile, at {_point(now)}: export it again"
    else:
        detail = f"{_point(asked.timepoint)}, open is {_point(now)}: export it again"
    raise PayloadRefused(Refusal.OTHER_OPERATION, detail)


def _ensure_extensions(asked: Asked, found: Mapping[str, Any], runtime: Runtime) -> None:
    blank = assemble(asked.call, asked.curator, b"\1" + bytes(64), asked.context)
    for name, wanted in runtime.decode_extrinsic(blank).extensions.items():
        if found.get(name) != wanted:
            refusal = _REFUSED_EXTENSIONS.get(name, Refusal.OTHER_EXTENSION)
            raise PayloadRefused(refusal, f"{name} is {found.get(name)!r}, asked was {wanted!r}")


def _explanations(asked: Asked, candidates: tuple[MultiSignature, ...]) -> Iterator[PayloadRefused]:
    """What a signature that does not verify is, by trying what goes wrong among people."""

    def signed(account: AccountId, message: bytes) -> bool:
        return any(candidate.verifies(account, message) for candidate in candidates)

    def over(call: bytes, context: SigningContext) -> bool:
        return signed(asked.curator, signed_payload(call, context))

    for other in asked.bundle.multisig.account_ids(asked.bundle.network):
        if other != asked.curator and signed(other, asked.signing_bytes):
            yield PayloadRefused(
                Refusal.OTHER_SIGNER,
                f"it is {_address(asked, other)}'s, asked was {_address(asked, asked.curator)}",
            )
    if over(asked.bundle.call, asked.context):
        yield PayloadRefused(
            Refusal.OTHER_CALL, "it is over the payout itself, not over the approval around it"
        )
    if asked.context.metadata_hash is not None and over(
        asked.call, replace(asked.context, metadata_hash=None)
    ):
        yield PayloadRefused(Refusal.OTHER_MODE, "it was signed without the metadata hash")
    whole = asked.call + b"".join(extension_bytes(asked.context))
    for message in (whole, b"<Bytes>" + whole + b"</Bytes>"):
        if message != asked.signing_bytes and signed(asked.curator, message):
            yield PayloadRefused(
                Refusal.BAD_SIGNATURE, "the payload was signed as a message, not as a transaction"
            )
    yield PayloadRefused(
        Refusal.BAD_SIGNATURE,
        f"it is not {_address(asked, asked.curator)}'s over this payload: another payload (call, "
        "nonce, era, tip, mode), another chain or runtime, another key, or damaged on the way",
    )


def _address(asked: Asked, account: AccountId) -> str:
    return ss58_encode(account, asked.bundle.network.ss58_prefix)


def _point(timepoint: Mapping[str, int]) -> str:
    return f"block {timepoint['height']}, extrinsic {timepoint['index']}"
