"""Signatures as they come back: which forms are read, and whose they are."""

import pytest
from nacl.signing import SigningKey

from ibp_chain.errors import CheckFailed, InputError
from ibp_chain.keys import signer_from_uri
from ibp_chain.signatures import MultiSignature, Scheme, read_hex, read_signatures
from ibp_chain.types import AccountId

ALICE = signer_from_uri("//Alice")
LEDGER = SigningKey(b"\x07" * 32)
"""Ledger devices hold ed25519 keys."""
LEDGER_ACCOUNT = AccountId(bytes(LEDGER.verify_key))
MESSAGE = b"message"


@pytest.mark.parametrize(
    "text", ["0x01ab", "01ab", "01AB", " 0x01ab\n", "01\n ab", "0X01ab", "0x01\tab"]
)
def test_hex_is_read_as_people_and_codes_bring_it(text: str) -> None:
    assert read_hex(text, "here") == b"\x01\xab"


@pytest.mark.parametrize("text", ["", "0x", "0x1", "0xzz", "0x0x01", "01ab!", "\u0661\u0661"])
def test_what_is_no_hex_is_refused_with_where_it_stood(text: str) -> None:
    with pytest.raises(InputError, match="here: hex digits"):
        read_hex(text, "here")


def test_both_schemes_verify_their_own_signatures_and_nobody_elses() -> None:
    sr25519 = MultiSignature(Scheme.SR25519, ALICE.sign(MESSAGE))
    ed25519 = MultiSignature(Scheme.ED25519, bytes(LEDGER.sign(MESSAGE).signature))
    assert sr25519.verifies(ALICE.account, MESSAGE)
    assert ed25519.verifies(LEDGER_ACCOUNT, MESSAGE)
    for account, signature, message in (
        (ALICE.account, sr25519, b"messagf"),
        (LEDGER_ACCOUNT, ed25519, b"messagf"),
        (LEDGER_ACCOUNT, sr25519, MESSAGE),
        (ALICE.account, ed25519, MESSAGE),
        (ALICE.account, MultiSignature(Scheme.ED25519, sr25519.signature), MESSAGE),
        (LEDGER_ACCOUNT, MultiSignature(Scheme.SR25519, ed25519.signature), MESSAGE),
        (AccountId(b"\xff" * 32), ed25519, MESSAGE),
        (AccountId(b"\xff" * 32), sr25519, MESSAGE),
    ):
        assert not signature.verifies(account, message)


def test_a_signature_without_its_scheme_may_be_of_either() -> None:
    assert [one.scheme for one in read_signatures(bytes(64))] == [Scheme.SR25519, Scheme.ED25519]
    (only,) = read_signatures(b"\0" + bytes(64))
    assert (only.scheme, only.encoded) == (Scheme.ED25519, bytes(65))


def test_ecdsa_and_unknown_schemes_are_refused_by_number() -> None:
    for raw in (b"\2" + bytes(65), b"\2" + bytes(64)):
        with pytest.raises(CheckFailed, match="scheme 2"):
            read_signatures(raw)
