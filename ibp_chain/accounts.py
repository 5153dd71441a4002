"""Account ids: their SS58 text, the ones that pallets derive, and sr25519 signatures.

Sources: ss58-registry for the address format; `pallet_multisig::multi_account_id`,
`pallet_utility::derivative_account_id` and `PalletId::into_sub_account_truncating` for derived ids;
schnorrkel with context `substrate` for signatures.
"""

from collections.abc import Iterable
from hashlib import blake2b

import base58
import sr25519

from ibp_chain.blocks import blake2_256
from ibp_chain.errors import AddressError
from ibp_chain.scale.primitives import encode_compact
from ibp_chain.types import AccountId

_CHECKSUM_CONTEXT = b"SS58PRE"
_CHECKSUM_SIZE = 2
_UTILITY_PALLET_PREFIX = b"modlpy/utilisuba"
MAX_SS58_PREFIX = 16_383


def ss58_encode(account: AccountId, prefix: int) -> str:
    """The address of `account` on the network with SS58 `prefix`."""
    if len(account) != 32:
        raise AddressError(f"an account id has 32 bytes, not {len(account)}")
    body = _encode_prefix(prefix) + account
    return base58.b58encode(body + _checksum(body)).decode()


def ss58_decode(address: str, prefix: int | None = None) -> AccountId:
    """The account id behind `address`; with `prefix`, only an address of that network.

    Raises `AddressError` for anything else: another alphabet, length, checksum or network.
    """
    try:
        raw = base58.b58decode(address)
    except ValueError as error:
        raise AddressError(f"{address!r} is no SS58 address: {error}") from error
    if len(raw) not in (35, 36):
        raise AddressError(f"{address!r} is no SS58 address of a 32-byte account id")
    body, checksum = raw[:-_CHECKSUM_SIZE], raw[-_CHECKSUM_SIZE:]
    found, size = _decode_prefix(body, address)
    if len(body) - size != 32:
        raise AddressError(f"{address!r} is no SS58 address of a 32-byte account id")
    if _checksum(body) != checksum:
        raise AddressError(f"{address!r} has a wrong checksum: is a character mistyped?")
    if prefix is not None and found != prefix:
        raise AddressError(f"{address!r} has SS58 prefix {found}, expected {prefix}")
    return AccountId(body[size:])


def _checksum(body: bytes) -> bytes:
    return blake2b(_CHECKSUM_CONTEXT + body).digest()[:_CHECKSUM_SIZE]


def _encode_prefix(prefix: int) -> bytes:
    if not 0 <= prefix <= MAX_SS58_PREFIX:
        raise AddressError(f"SS58 prefix {prefix} is outside 0 to {MAX_SS58_PREFIX}")
    if prefix < 64:
        return bytes((prefix,))
    return bytes((0x40 | prefix >> 2 & 0x3F, prefix >> 8 | (prefix & 3) << 6))


def _decode_prefix(body: bytes, address: str) -> tuple[int, int]:
    if body[0] < 64:
        return body[0], 1
    if body[0] < 128:
        value = (body[0] & 0x3F) << 2 | body[1] >> 6 | (body[1] & 0x3F) << 8
        # two-byte forms of one-byte prefixes would give an account two addresses
        if value >= 64:
            return value, 2
    raise AddressError(f"{address!r} has a reserved SS58 prefix")


def multisig_account(signatories: Iterable[AccountId], threshold: int) -> AccountId:
    """The account that `threshold` of `signatories` control, whatever their order.

    Mirrors `pallet_multisig::multi_account_id`, which sorts by raw public key.
    """
    members = sorted(signatories)
    entropy = (
        _UTILITY_PALLET_PREFIX
        + encode_compact(len(members))
        + b"".join(members)
        + threshold.to_bytes(2, "little")
    )
    return AccountId(blake2_256(entropy))


def other_signatories(signatories: Iterable[AccountId], signer: AccountId) -> list[AccountId]:
    """What `as_multi` wants from `signer`: everybody else, strictly ascending."""
    return sorted(account for account in signatories if account != signer)


def derivative_account(account: AccountId, index: int) -> AccountId:
    """The account behind `Utility.as_derivative(index)`."""
    return AccountId(blake2_256(_UTILITY_PALLET_PREFIX + account + index.to_bytes(2, "little")))


def pallet_account(pallet_id: bytes, sub: bytes = b"") -> AccountId:
    """The pot of a pallet (`PalletId`, 8 bytes) or of its `sub` account, SCALE encoded."""
    return AccountId((b"modl" + pallet_id + sub)[:32].ljust(32, b"\0"))


def verify_signature(account: AccountId, signature: bytes, message: bytes) -> bool:
    """Whether `signature` is `account`'s sr25519 signature over exactly `message`."""
    if len(signature) != 64:
        return False
    try:
        return bool(sr25519.verify(signature, message, account))
    except (ValueError, TypeError):  # how the binding refuses keys and signatures off the curve
        return False
