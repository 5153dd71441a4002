"""Who signs: a small interface, and sr25519 keys from a secret URI or a polkadot-js keystore file.

Contract: a signer never shows its secret; neither do the errors raised here.
"""

import json
import re
from pathlib import Path
from typing import Any, Protocol

import substrateinterface

from ibp_chain.errors import ConfigError
from ibp_chain.types import AccountId

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
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot read this keystore: {error}") from error
    content = _keystore(path, text)
    try:
        keypair = substrateinterface.Keypair.create_from_encrypted_json(content, passphrase)
    except Exception:  # noqa: BLE001  # nacl, assert, struct: every one means the same to a person
        keypair = None
    if keypair is None:
        raise ConfigError(f"{path}: wrong passphrase, or the file is damaged")
    named = substrateinterface.Keypair(ss58_address=content["address"]).public_key
    if named != keypair.public_key:
        raise ConfigError(f"{path}: holds another key than its address {content['address']} says")
    return KeypairSigner(keypair)


def _keystore(path: Path, text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{path}: not JSON, so no polkadot-js keystore") from error
    match content:
        case {
            "address": str(address),
            "encoded": str(),
            "encoding": {"content": list(kinds), "type": list(ciphers), "version": "3"},
        } if {"scrypt", "xsalsa20-poly1305"} <= {str(cipher) for cipher in ciphers}:
            pass
        case _:
            raise ConfigError(f"{path}: not a polkadot-js keystore of version 3")
    if "sr25519" not in kinds:
        raise ConfigError(f"{path}: holds a key of kind {kinds}; only sr25519 is supported")
    try:
        substrateinterface.Keypair(ss58_address=address)
    except ValueError as error:
        raise ConfigError(f"{path}: {address!r} is no SS58 address") from error
    return dict(content)
