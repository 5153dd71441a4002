"""Keystores of polkadot-js: what is written opens again, and hostile files are refused by name.

That polkadot-js itself opens them, and we its, is in tests/differential.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from ibp_chain.errors import ConfigError
from ibp_chain.keys import signer_from_keystore, signer_from_uri
from ibp_chain.keystore import ALLOWED, CURRENT, KeyPair, Scrypt, read_keystore

SIGNER = signer_from_uri("//Alice")
PASSPHRASE = "correct horse"
CONTENT = SIGNER.keystore(PASSPHRASE, name="alice", ss58_prefix=42, salt=b"s" * 32, nonce=b"n" * 24)


def with_parts(salt: bytes | None = None, scrypt: Scrypt | None = None) -> dict[str, Any]:
    raw = base64.b64decode(CONTENT["encoded"])
    head = (salt or raw[:32]) + (scrypt or CURRENT).encode()
    return {**CONTENT, "encoded": base64.b64encode(head + raw[44:]).decode()}


def test_what_is_written_opens_again_and_signs(tmp_path: Path) -> None:
    path = tmp_path / "alice.json"
    path.write_text(json.dumps(CONTENT))
    signer = signer_from_keystore(path, PASSPHRASE)
    assert signer.account == SIGNER.account
    assert (
        signer.keystore(PASSPHRASE, name="alice", ss58_prefix=42, salt=b"s" * 32, nonce=b"n" * 24)
        == CONTENT
    )


def test_hex_as_older_versions_wrote_it_opens_too() -> None:
    raw = base64.b64decode(CONTENT["encoded"])
    assert read_keystore({**CONTENT, "encoded": "0x" + raw.hex()}, PASSPHRASE).public


def test_a_keystore_does_not_show_its_secret() -> None:
    pair = read_keystore(CONTENT, PASSPHRASE)
    assert pair.secret.hex() not in repr(pair)
    assert isinstance(pair, KeyPair)


def test_an_empty_passphrase_protects_nothing() -> None:
    with pytest.raises(ConfigError, match="needs a passphrase"):
        SIGNER.keystore("", name="", ss58_prefix=42, salt=b"s" * 32, nonce=b"n" * 24)


@pytest.mark.parametrize(
    "scrypt", [Scrypt(1 << 20, 1, 8), Scrypt(2, 1, 1), Scrypt(0, 0, 0), Scrypt(1 << 17, 2, 8)]
)
def test_scrypt_parameters_that_polkadot_js_never_writes_are_refused(scrypt: Scrypt) -> None:
    assert scrypt not in ALLOWED
    with pytest.raises(ConfigError, match="scrypt parameters"):
        read_keystore(with_parts(scrypt=scrypt), PASSPHRASE)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"encoding": {**CONTENT["encoding"], "content": ["batch-pkcs8"]}}, "several accounts"),
        ({"encoding": {**CONTENT["encoding"], "type": ["none"]}}, "not encrypted"),
        ({"encoding": {**CONTENT["encoding"], "type": "none"}}, "not encrypted"),
        ({"encoding": {**CONTENT["encoding"], "version": "4"}}, "version 3"),
        ({"encoding": {**CONTENT["encoding"], "content": ["pkcs8", "ecdsa"]}}, "only sr25519"),
        ({"encoded": "not base64"}, "neither base64 nor hex"),
        ({"encoded": "0xzz"}, "neither base64 nor hex"),
        ({"encoded": ""}, "scrypt parameters"),
        ({"address": "5Grw"}, "no SS58 address"),
        ({"address": None}, "version 3"),
    ],
)
def test_other_files_are_refused_by_what_they_are(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_keystore({**CONTENT, **change}, PASSPHRASE)


def test_a_damaged_keystore_reads_as_a_wrong_passphrase() -> None:
    with pytest.raises(ConfigError, match="wrong passphrase") as caught:
        read_keystore(with_parts(salt=b"t" * 32), PASSPHRASE)
    assert caught.value.__cause__ is None
