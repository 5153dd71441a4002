"""The polkadot-js keystore, version 3: an sr25519 key under a passphrase, in JSON.

Source: `@polkadot/util-crypto` (json, scrypt), `@polkadot/keyring` (pair/encode, pair/decode). The
scrypt parameters stand in the file, so only those that polkadot-js itself writes are taken: others
could fill the memory, or make guessing cheap.
"""

import base64
import binascii
import hashlib
from typing import Any, NamedTuple

import sr25519
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.errors import AddressError, ConfigError
from ibp_chain.types import AccountId

SALT_BYTES = 32
NONCE_BYTES = SecretBox.NONCE_SIZE
_PKCS8_HEADER = bytes.fromhex("3053020101300506032b657004220420")
_DIVIDER = bytes.fromhex("a123032100")
_SECRET_BYTES, _PUBLIC_BYTES = 64, 32
_CONTENT, _CIPHERS, _VERSION = ["pkcs8", "sr25519"], ["scrypt", "xsalsa20-poly1305"], "3"


class Scrypt(NamedTuple):
    """Parameters in the order in which they stand in the file."""

    n: int
    p: int
    r: int

    def key(self, passphrase: str, salt: bytes) -> bytes:
        needed = 128 * self.r * (self.n + self.p + 2)
        return hashlib.scrypt(
            passphrase.encode(), salt=salt, n=self.n, r=self.r, p=self.p, maxmem=needed, dklen=32
        )

    def encode(self) -> bytes:
        return b"".join(part.to_bytes(4, "little") for part in self)


CURRENT = Scrypt(1 << 17, 1, 8)
"""What polkadot-js writes since 2025; before it was `Scrypt(1 << 15, 1, 8)`."""
ALLOWED = frozenset(
    (
        Scrypt(1 << 13, 10, 8),
        Scrypt(1 << 14, 5, 8),
        Scrypt(1 << 15, 3, 8),
        Scrypt(1 << 15, 1, 8),
        Scrypt(1 << 16, 2, 8),
        CURRENT,
    )
)


class KeyPair(NamedTuple):
    """`secret` is schnorrkel's own form: 32 bytes of scalar, 32 of nonce."""

    public: AccountId
    secret: bytes

    def __repr__(self) -> str:
        return f"KeyPair(public=0x{self.public.hex()})"


def read_keystore(content: Any, passphrase: str) -> KeyPair:
    """The key in a keystore's JSON value.

    Raises `ConfigError`: no keystore of this version, another kind of key, a wrong passphrase, or
    an address that is not the key's own.
    """
    address, encoded = _parts(content)
    encrypted = _octets(encoded)
    salt, rest = encrypted[:SALT_BYTES], encrypted[SALT_BYTES:]
    parameters = Scrypt(*(int.from_bytes(rest[at : at + 4], "little") for at in (0, 4, 8)))
    if parameters not in ALLOWED:
        raise ConfigError(f"scrypt parameters {tuple(parameters)}, which polkadot-js never writes")
    key = parameters.key(passphrase, salt)
    sealed = rest[12:]
    try:
        opened = SecretBox(key).decrypt(sealed[NONCE_BYTES:], sealed[:NONCE_BYTES])
    except (CryptoError, ValueError):
        opened = b""
    if not opened:
        # outside the handler: what was tried is nobody's business
        raise ConfigError("wrong passphrase, or the file is damaged")
    pair = _pair(opened)
    if pair is None:
        raise ConfigError("holds no sr25519 key pair")
    if _account(address) != pair.public:
        raise ConfigError(f"holds another key than its address {address} says")
    return pair


def make_keystore(
    pair: KeyPair,
    passphrase: str,
    *,
    name: str,
    ss58_prefix: int,
    salt: bytes,
    nonce: bytes,
) -> dict[str, Any]:
    """The keystore's JSON value, as `@polkadot/keyring` makes it. `salt` and `nonce` are random.

    Raises `ConfigError` for an empty passphrase, which polkadot-js takes for none at all.
    """
    if not passphrase:
        raise ConfigError("a keystore needs a passphrase")
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes")
    expanded = sr25519.convert_secret_key_to_ed25519(pair.secret)
    plain = _PKCS8_HEADER + expanded + _DIVIDER + pair.public
    sealed = SecretBox(CURRENT.key(passphrase, salt)).encrypt(plain, nonce)
    whole = salt + CURRENT.encode() + bytes(sealed)
    return {
        "address": ss58_encode(pair.public, ss58_prefix),
        "encoded": base64.b64encode(whole).decode(),
        "encoding": {"content": [*_CONTENT], "type": [*_CIPHERS], "version": _VERSION},
        "meta": {"name": name},
    }


# --- Internals ------------------------------------------------------------------------


def _parts(content: Any) -> tuple[str, str]:
    match content:
        case {"encoding": {"content": ["batch-pkcs8", *_]}}:
            raise ConfigError("a backup of several accounts: export the one that signs alone")
        case {"encoding": {"type": ["none"] | "none"}}:
            raise ConfigError("not encrypted: export it again with a passphrase")
        case {
            "address": str(address),
            "encoded": str(encoded),
            "encoding": {"content": list(kinds), "type": list(ciphers), "version": "3"},
        } if ciphers == _CIPHERS:
            pass
        case _:
            raise ConfigError("not a polkadot-js keystore of version 3")
    if "sr25519" not in kinds:
        raise ConfigError(f"holds a key of kind {kinds}; only sr25519 is supported")
    _account(address)
    return address, encoded


def _account(address: str) -> AccountId:
    try:
        return ss58_decode(address)
    except AddressError as error:
        raise ConfigError(f"{address!r} is no SS58 address") from error


def _octets(encoded: str) -> bytes:
    """polkadot-js writes base64, and reads hex too, which it wrote once."""
    try:
        if encoded.startswith("0x"):
            return bytes.fromhex(encoded[2:])
        return base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as error:
        raise ConfigError("its `encoded` is neither base64 nor hex") from error


def _pair(plain: bytes) -> KeyPair | None:
    expanded = plain[len(_PKCS8_HEADER) :][:_SECRET_BYTES]
    public = plain[-_PUBLIC_BYTES:]
    if plain != _PKCS8_HEADER + expanded + _DIVIDER + public:
        return None
    try:
        derived, secret = sr25519.pair_from_ed25519_secret_key(expanded)
    except (ValueError, TypeError):  # how the binding refuses what is no secret
        return None
    return KeyPair(AccountId(bytes(public)), bytes(secret)) if derived == public else None
