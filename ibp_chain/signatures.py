"""`MultiSignature` as wallets and devices hand it back, read and verified.

Source: `sp_runtime::MultiSignature`. Ledger devices hold ed25519 keys, Polkadot Vault and the
browser wallets sr25519 ones. An ecdsa key is no account id but its hash, and none of ours.
"""

import re
from enum import IntEnum
from typing import NamedTuple

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from ibp_chain.accounts import verify_signature
from ibp_chain.errors import CheckFailed, InputError
from ibp_chain.types import AccountId

_HEX = re.compile(r"(?:0[xX])?((?:[0-9a-fA-F]{2})+)")
_SIGNATURE_BYTES = 64
_ECDSA_BYTES = 65


class Scheme(IntEnum):
    """The variants of `MultiSignature` whose keys are account ids."""

    ED25519 = 0
    SR25519 = 1


class MultiSignature(NamedTuple):
    scheme: Scheme
    signature: bytes
    """64 bytes."""

    @property
    def encoded(self) -> bytes:
        return bytes((self.scheme,)) + self.signature

    def verifies(self, account: AccountId, message: bytes) -> bool:
        """Whether it is `account`'s over exactly `message`."""
        if self.scheme is Scheme.SR25519:
            return verify_signature(account, self.signature, message)
        try:
            VerifyKey(account).verify(message, self.signature)
        except (BadSignatureError, ValueError, TypeError):  # a key that is no point is a ValueError
            return False
        return True


def read_hex(text: str, what: str) -> bytes:
    """Hex as people and QR codes bring it: with `0x` or without, in either case, with white space
    around it or broken over lines. Raises `InputError`.
    """
    found = _HEX.fullmatch("".join(text.split()))
    if found is None:
        raise InputError(f"{what}: hex digits are expected, in pairs, with 0x or without")
    return bytes.fromhex(found[1])


def read_signatures(raw: bytes) -> tuple[MultiSignature, ...]:
    """What `raw` may be: one with its scheme in front, or 64 bytes of either scheme.

    Raises `InputError` for another length, `CheckFailed` for a scheme that is none of ours.
    """
    if len(raw) == _SIGNATURE_BYTES:
        return MultiSignature(Scheme.SR25519, raw), MultiSignature(Scheme.ED25519, raw)
    if len(raw) == _SIGNATURE_BYTES + 1 and raw[0] in tuple(Scheme):
        return (MultiSignature(Scheme(raw[0]), raw[1:]),)
    if len(raw) in {_ECDSA_BYTES, _ECDSA_BYTES + 1}:
        raise CheckFailed(
            f"a signature of scheme {raw[0]}: curators sign with sr25519 (1) or ed25519 (0)"
        )
    raise InputError(
        f"a signature has {_SIGNATURE_BYTES} bytes, or one more for its scheme: this has {len(raw)}"
    )
