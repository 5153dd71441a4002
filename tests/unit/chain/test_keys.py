"""Keys: where they come from, and that their secrets stay inside."""

import json
import pickle
from pathlib import Path

import pytest
import substrateinterface

from ibp_chain.accounts import ss58_decode, ss58_encode, verify_signature
from ibp_chain.errors import ConfigError
from ibp_chain.keys import signer_from_keystore, signer_from_uri

ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"


def test_the_well_known_development_key() -> None:
    assert signer_from_uri("//Alice").account == ss58_decode(ALICE, 42)


def test_a_seed_is_a_key_too() -> None:
    seed = "0x" + "11" * 32
    assert signer_from_uri(seed).account == signer_from_uri(seed).account
    assert signer_from_uri(seed).account != signer_from_uri("0x" + "12" * 32).account


def test_a_signature_is_the_accounts_over_exactly_the_message() -> None:
    signer = signer_from_uri("//Alice")
    signature = signer.sign(b"message")
    assert verify_signature(signer.account, signature, b"message")
    assert not verify_signature(signer.account, signature, b"messagf")
    assert not verify_signature(signer_from_uri("//Bob").account, signature, b"message")


@pytest.mark.parametrize(
    "uri", ["", "0x12", "no such phrase", "//Alice///password", "0x" + "g" * 64]
)
def test_a_malformed_uri_is_refused_without_quoting_it(uri: str) -> None:
    with pytest.raises(ConfigError) as caught:
        signer_from_uri(uri)
    assert not uri or uri not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_signer_shows_and_pickles_no_secret() -> None:
    signer = signer_from_uri("0x" + "11" * 32)
    assert "11" * 32 not in repr(signer)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(signer)


@pytest.fixture
def keystore(tmp_path: Path) -> Path:
    keypair = substrateinterface.Keypair.create_from_uri("//Alice")
    path = tmp_path / "alice.json"
    path.write_text(json.dumps(keypair.export_to_encrypted_json("correct horse", "alice")))
    return path


def test_a_keystore_opens_with_its_passphrase(keystore: Path) -> None:
    assert ss58_encode(signer_from_keystore(keystore, "correct horse").account, 42) == ALICE


def test_a_wrong_passphrase_is_one_clear_line(keystore: Path) -> None:
    with pytest.raises(ConfigError, match="wrong passphrase") as caught:
        signer_from_keystore(keystore, "battery staple")
    assert "battery staple" not in str(caught.value)


def test_a_keystore_of_another_address_is_refused(keystore: Path) -> None:
    content = json.loads(keystore.read_text())
    content["address"] = ss58_encode(signer_from_uri("//Bob").account, 42)
    keystore.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match="another key than its address"):
        signer_from_keystore(keystore, "correct horse")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"address": 5}', "\x00"])
def test_another_file_is_no_keystore(tmp_path: Path, content: str) -> None:
    path = tmp_path / "file.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"file\.json"):
        signer_from_keystore(path, "")


def test_a_missing_keystore_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.json"):
        signer_from_keystore(tmp_path / "absent.json", "")


def test_a_key_of_another_kind_is_refused(keystore: Path) -> None:
    content = json.loads(keystore.read_text())
    content["encoding"]["content"] = ["pkcs8", "ed25519"]
    keystore.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match="only sr25519"):
        signer_from_keystore(keystore, "correct horse")
