"""`SignerPayloadJSON`: what polkadot-js hands to a wallet to be signed, field by field.

Source: `GenericSignerPayload.toPayload` of `@polkadot/types`. Integers are big-endian hex of their
type's width, the era and the method SCALE bytes. Wallets show and sign what these fields say; that
they say what a curator wants is checked in `multisig.payload`.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError
from pydantic.alias_generators import to_camel

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.blocks import BlockRef
from ibp_chain.errors import InputError
from ibp_chain.files import read_bounded
from ibp_chain.networks import Network
from ibp_chain.peer_codec import PeerCodec
from ibp_chain.signing import Era, SigningContext, extension_bytes, signed_payload
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck, SpecVersion
from ibp_chain.validation import first_problem
from multisig.documents import MAX_BYTES, Octets, Part, Text
from multisig.errors import DocumentError

_HASH = Field(min_length=32, max_length=32)


def _reads(digits: int) -> Callable[[Any], Any]:
    form = re.compile(f"0x[0-9a-f]{{{digits}}}")

    def read(value: Any) -> Any:
        if type(value) is int:
            return value
        if not isinstance(value, str) or not form.fullmatch(value):
            raise ValueError(f"0x and {digits} lower-case hex digits are expected")
        return int(value, 16)

    return read


U32Text = Annotated[
    int,
    BeforeValidator(_reads(8)),
    Field(ge=0, lt=2**32),
    PlainSerializer("0x{:08x}".format),
]
U128Text = Annotated[
    int,
    BeforeValidator(_reads(32)),
    Field(ge=0, lt=2**128),
    PlainSerializer("0x{:032x}".format),
]
HashOctets = Annotated[Octets, _HASH]


class SignerPayload(Part):
    """One extrinsic to be signed. In Python's names; in files polkadot-js's own."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    address: Text
    asset_id: None = None
    """Fees are paid in the chain's own token."""
    block_hash: HashOctets
    """Of the block that the era is counted from."""
    block_number: U32Text
    era: Octets
    genesis_hash: HashOctets
    metadata_hash: HashOctets | None
    method: Octets
    """The call."""
    mode: Literal[0, 1]
    """Of `CheckMetadataHash`: 1 where `metadata_hash` is signed too."""
    nonce: U32Text
    signed_extensions: Annotated[tuple[Text, ...], Field(strict=False)]
    """The runtime's, in its order."""
    spec_version: U32Text
    tip: U128Text
    transaction_version: U32Text
    version: Literal[4] = 4
    """Of the extrinsic format."""
    with_signed_transaction: bool
    """Whether the wallet may hand back the whole transaction."""

    @property
    def encoded(self) -> bytes:
        """JSON, in polkadot-js's order and with the nulls that it writes."""
        return json.dumps(self.model_dump(mode="json", by_alias=True), indent=2).encode()

    def account(self, network: Network) -> AccountId:
        """Raises `AddressError`."""
        return ss58_decode(self.address, network.ss58_prefix)

    def context(self, codec: PeerCodec) -> SigningContext:
        """What the signature binds itself to.

        Raises `DocumentError` where the fields contradict each other.
        """
        if (self.metadata_hash is None) != (self.mode == 0):
            raise DocumentError("no payload: mode 1 and a metadata hash go together")
        names = tuple(extension.name for extension in codec.extensions)
        if self.signed_extensions != names:
            raise DocumentError("no payload of this runtime: its signedExtensions are others")
        era = _era(self.era)
        context = SigningContext(
            codec=codec,
            genesis_hash=Hash(self.genesis_hash),
            spec_version=SpecVersion(self.spec_version),
            transaction_version=self.transaction_version,
            birth=BlockRef(BlockNumber(self.block_number), Hash(self.block_hash)),
            period=era.period,
            nonce=self.nonce,
            tip=Planck(self.tip),
            metadata_hash=None if self.metadata_hash is None else Hash(self.metadata_hash),
        )
        if context.era != era:
            raise DocumentError(f"no payload: its era does not begin at block {self.block_number}")
        return context

    def signing_bytes(self, codec: PeerCodec) -> bytes:
        """What the signature is over. Raises as `context`."""
        return signed_payload(self.method, self.context(codec))


def make_payload(
    call: bytes, account: AccountId, context: SigningContext, network: Network
) -> SignerPayload:
    """What `account` signs to send `call`. The codec must read the call again: `CheckFailed`."""
    context.codec.check_call(call)
    extension_bytes(context)  # refuses what the runtime's extensions do not read as
    return SignerPayload(
        address=ss58_encode(account, network.ss58_prefix),
        block_hash=context.birth.hash,
        block_number=context.birth.number,
        era=context.era.encode(),
        genesis_hash=context.genesis_hash,
        metadata_hash=context.metadata_hash,
        method=call,
        mode=0 if context.metadata_hash is None else 1,
        nonce=context.nonce,
        signed_extensions=tuple(extension.name for extension in context.codec.extensions),
        spec_version=context.spec_version,
        tip=context.tip,
        transaction_version=context.transaction_version,
        with_signed_transaction=True,
    )


def read_payload(path: Path) -> SignerPayload:
    """The payload in `path`. Raises `DocumentError`."""
    try:
        return parse_payload(read_bounded(path, MAX_BYTES, DocumentError))
    except DocumentError as error:
        raise DocumentError(f"{path}: {error}") from error


def parse_payload(data: bytes) -> SignerPayload:
    """The payload that `data` says in JSON, whatever its spaces and order. Raises `DocumentError`.

    Every value must be in the one form that polkadot-js writes, and every name stand there once.
    """
    try:
        value = json.loads(data, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"no payload: {error}") from error
    try:
        payload = SignerPayload.model_validate(value, by_alias=True, by_name=False)
    except ValidationError as error:
        raise DocumentError(f"no payload: {first_problem(error)}") from error
    if payload.model_dump(mode="json", by_alias=True) != value:
        raise DocumentError("no payload: a value is not in its one form, or a field is missing")
    return payload


def _era(raw: bytes) -> Era:
    try:
        return Era.decode(raw)
    except InputError as error:
        raise DocumentError(f"no payload that is signed here: {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise DocumentError("no payload: a name stands there twice")
    return found
