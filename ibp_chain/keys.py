"""Who signs: a small interface, and sr25519 keys from a secret URI or a polkadot-js keystore file.

Contract: a signer never shows its secret; neither do the errors raised here.
"""

import json
import re
from pathlib import Path
from typing import Any, Protocol

import substrateinterface

from ibp_chain.errors import ConfigError
from ibp_chain.files import read_bounded
from ibp_chain.keystore import KeyPair, make_keystore, read_keystore
from ibp_chain.types import AccountId

_MAX_KEYSTORE_BYTES = 64 * 1024
_GENERIC_PREFIX = 42
_RAW_SEED = re.compile(r"0x[0-9a-fA-F]{64}")


class Signer(Protocol):
    """Something that signs for one sr25519 account: a key, a keystore, later a device."""

    @property
    def account(self) -> AccountId: ...

    def sign(self, message: bytes) -> bytes:
        """64 bytes of sr25519 signature over exactly `message`, context `substrate`."""


class KeypairSigner:
    """An sr25519 key in memory."""

    __slots__ = ("_keypair", "account")

    def __init__(self, keypair: Any) -> None:
        self._keypair = keypair
        self.account = AccountId(bytes(keypair.public_key))

    def sign(self, message: bytes) -> bytes:
        return bytes(self._keypair.sign(bytes(message)))

    def keystore(
        self, passphrase: str, *, name: str, ss58_prefix: int, salt: bytes, nonce: bytes
    ) -> dict[str, Any]:
        """This key as a polkadot-js keystore, for a wallet. Raises as `make_keystore`."""
        pair = KeyPair(self.account, bytes(self._keypair.private_key))
        return make_keystore(
            pair, passphrase, name=name, ss58_prefix=ss58_prefix, salt=salt, nonce=nonce
        )

    def __repr__(self) -> str:
        return f"KeypairSigner(account=0x{self.account.hex()})"

    def __reduce__(self) -> Any:
        raise TypeError("a signer is not pickled: its secret would be written in the clear")


def signer_from_uri(uri: str) -> KeypairSigner:
    """The key behind a secret URI: `<phrase>[/soft][//hard]`, `//Alice`, or a `0x` seed.

    A URI without a phrase derives from the public development phrase. Raises `ConfigError`.
    """
    try:
        if _RAW_SEED.fullmatch(uri):
            return KeypairSigner(substrateinterface.Keypair.create_from_seed(uri))
        return KeypairSigner(substrateinterface.Keypair.create_from_uri(uri))
    except NotImplementedError:
        reason = "a password after '///' is not supported"
    except Exception:  # noqa: BLE001  # the library raises whatever its regular expression trips on
        reason = "expected '//Name', a mnemonic phrase with derivations, or a 0x seed of 32 bytes"
    # outside the handler: the library's error may quote the secret
    raise ConfigError(f"malformed secret URI: {reason}")


def signer_from_keystore(path: Path, passphrase: str) -> KeypairSigner:
    """The key in a polkadot-js JSON export (scrypt, xsalsa20-poly1305, sr25519).

    Raises `ConfigError`: no such file, no keystore, another kind of key, a wrong passphrase, or an
    `address` that is not the key's own.
    """
    text = read_bounded(path, _MAX_KEYSTORE_BYTES, ConfigError)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not JSON, so no polkadot-js keystore") from error
    try:
        pair = read_keystore(content, passphrase)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    keypair = substrateinterface.Keypair.create_from_private_key(
        pair.secret, public_key=pair.public, ss58_format=_GENERIC_PREFIX
    )
    return KeypairSigner(keypair)
