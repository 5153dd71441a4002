"""What leaves to be signed is the bundle's approval, and only its signature is accepted back."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibp_chain.accounts import ss58_encode
from ibp_chain.blocks import BlockRef
from ibp_chain.cli import signing
from ibp_chain.errors import CheckFailed, InputError
from ibp_chain.extrinsics import Weight
from ibp_chain.keys import signer_from_uri
from ibp_chain.scale.primitives import encode_compact
from ibp_chain.signatures import MultiSignature, Scheme
from ibp_chain.signing import assemble, extension_bytes, signed_payload
from ibp_chain.types import BlockNumber, Hash
from multisig.errors import DocumentError, PayloadRefused, Refusal
from multisig.payload import accept_signature, accept_signed
from multisig.signer_payload import SignerPayload, parse_payload
from tests.support import payouts, recording
from tests.support.asked import (
    TIMEPOINT,
    WEIGHT,
    approval,
    asked,
    checked,
    context,
    curators,
    payload,
)

RUNTIME = recording.runtime()
HASH = Hash(b"\5" * 32)
STRANGER = signer_from_uri("//IBP//Stranger")


def refusal(of: Callable[[], object]) -> PayloadRefused:
    with pytest.raises(PayloadRefused) as refused:
        of()
    assert refused.value.refusal in str(refused.value)
    return refused.value


def changed(**fields: Any) -> SignerPayload:
    return payload().model_copy(update=fields)


def test_a_payload_reads_back_as_it_was_written() -> None:
    assert parse_payload(payload().encoded) == payload()


def test_what_is_asked_is_told_in_full() -> None:
    found = asked()
    assert found.curator == curators()[0].account
    assert (found.timepoint, found.max_weight) == (TIMEPOINT, WEIGHT)
    assert found.context == context()
    assert found.signing_bytes == signed_payload(found.call, context())


@pytest.mark.parametrize("scheme", ["with its scheme", "bare"])
def test_the_curators_signature_becomes_the_extrinsic_that_we_would_have_signed(
    scheme: str,
) -> None:
    found = asked()
    signature = curators()[0].sign(found.signing_bytes)
    raw = accept_signature(found, b"\1" + signature if scheme == "with its scheme" else signature)
    extrinsic = RUNTIME.decode_extrinsic(raw)
    assert extrinsic.signer == found.curator
    assert extrinsic.call.data == found.call
    assert raw == assemble(found.call, found.curator, b"\1" + signature, context())
    assert accept_signed(found, raw, RUNTIME) == raw


# --- Payloads that are not the bundle's ------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"genesis_hash": bytes(32)}, Refusal.OTHER_CHAIN),
        ({"spec_version": 1_001_003}, Refusal.OTHER_RUNTIME),
        ({"transaction_version": 1}, Refusal.OTHER_RUNTIME),
        ({"address": ss58_encode(STRANGER.account, 42)}, Refusal.OTHER_SIGNER),
        ({"address": ss58_encode(curators()[0].account, 0)}, Refusal.OTHER_SIGNER),
        ({"address": ss58_encode(curators()[1].account, 42)}, Refusal.OTHER_MULTISIG),
        ({"method": b"\xff\xff"}, Refusal.OTHER_CALL),
        ({"method": payouts.bundle().call}, Refusal.OTHER_CALL),
    ],
    ids=str,
)
def test_a_payload_for_something_else_is_refused_by_name(
    fields: dict[str, Any], expected: Refusal
) -> None:
    assert refusal(lambda: checked(changed(**fields))).refusal is expected


def test_a_payload_around_a_call_that_differs_by_a_planck_is_refused() -> None:
    one_more = bytearray(payouts.bundle().call)
    one_more[-3] ^= 1
    other = payouts.resealed(payouts.bundle(), bytes(one_more))
    found = refusal(lambda: checked(payload(call=approval(curators()[0].account, other))))
    assert found.refusal is Refusal.OTHER_CALL
    assert other.call_hash.hex() in str(found)
    assert payouts.bundle().call_hash.hex() in str(found)


def test_a_payload_of_another_threshold_or_other_people_is_refused() -> None:
    multisig = payouts.bundle().multisig
    stranger = ss58_encode(STRANGER.account, 42)
    for change in (
        {"threshold": 2},
        {"signatories": (*multisig.signatories[:-1], stranger)},
        {"signatories": multisig.signatories[:-1]},
    ):
        other = payouts.bundle().model_copy(update={"multisig": multisig.model_copy(update=change)})
        theirs = payload(call=approval(curators()[0].account, other))
        assert refusal(partial(checked, theirs)).refusal is Refusal.OTHER_MULTISIG


def test_a_metadata_hash_that_the_runtime_cannot_check_is_refused() -> None:
    with pytest.raises(InputError, match="cannot check a metadata hash"):
        checked(changed(mode=1, metadata_hash=bytes(32)))


@pytest.mark.parametrize(
    "fields",
    [
        {"mode": 1},
        {"metadata_hash": bytes(32)},
        {"signed_extensions": ("CheckNonce",)},
        {"signed_extensions": (*payload().signed_extensions, "CheckMetadataHash")},
        {"era": b"\0"},
        {"era": b"\0\0"},
        {"era": bytes.fromhex("8b3f")},
        {"block_number": 60_201},
    ],
    ids=str,
)
def test_a_payload_that_contradicts_itself_is_no_payload(fields: dict[str, Any]) -> None:
    with pytest.raises(DocumentError):
        checked(changed(**fields))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"nonce": "0x00000007"', b'"nonce": "0x7"'),
        (b'"nonce": "0x00000007"', b'"nonce": 7'),
        (b'"nonce": "0x00000007"', b'"nonce": "0x0000000G"'),
        (b'"version": 4', b'"version": 5'),
        (b'"version": 4', b'"version": true'),
        (b'"version": 4', b'"version": 4, "version": 4'),
        (b'"version": 4', b'"version": 4, "more": 1'),
        (b'"mode": 0', b'"mode": 2'),
        (b'"mode": 0,', b""),
        (b'"assetId": null', b'"assetId": "0x01"'),
        (b'"blockNumber"', b'"block_number"'),
        (b"{", b"["),
        (b"0x", b"0X"),
    ],
)
def test_a_file_in_any_other_form_is_no_payload(old: bytes, new: bytes) -> None:
    data = payload().encoded
    assert old in data
    with pytest.raises(DocumentError, match="no payload"):
        parse_payload(data.replace(old, new))


# --- Signatures that are not what was asked --------------------------------------------


def test_another_curators_signature_is_named_as_theirs() -> None:
    found = asked()
    other = curators()[3]
    refused = refusal(lambda: accept_signature(found, other.sign(found.signing_bytes)))
    assert refused.refusal is Refusal.OTHER_SIGNER
    assert ss58_encode(other.account, 42) in str(refused)


def test_a_signature_over_the_payout_itself_is_told_from_one_over_the_approval() -> None:
    found, call = asked(), payouts.bundle().call
    signature = curators()[0].sign(signed_payload(call, context()))
    assert refusal(lambda: accept_signature(found, signature)).refusal is Refusal.OTHER_CALL


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_payload_signed_as_a_message_is_told_as_that(wrapped: bool) -> None:
    found = asked()
    message = found.call + b"".join(extension_bytes(found.context))
    if wrapped:
        message = b"<Bytes>" + message + b"</Bytes>"
    refused = refusal(lambda: accept_signature(found, curators()[0].sign(message)))
    assert refused.refusal is Refusal.BAD_SIGNATURE
    assert "as a message" in str(refused)


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": 8},
        {"tip": 4},
        {"period": 2_048},
        {"spec_version": 1_001_003},
        {"transaction_version": 24},
        {"genesis_hash": bytes(32)},
        {"birth": context().birth._replace(hash=Hash(bytes(32)))},
    ],
    ids=str,
)
def test_a_signature_over_anything_else_does_not_verify(changes: dict[str, Any]) -> None:
    found = asked()
    signature = curators()[0].sign(signed_payload(found.call, context(**changes)))
    assert refusal(lambda: accept_signature(found, signature)).refusal is Refusal.BAD_SIGNATURE


def test_a_strangers_or_damaged_signature_does_not_verify() -> None:
    found = asked()
    good = curators()[0].sign(found.signing_bytes)
    damaged = bytes((good[0] ^ 1,)) + good[1:]
    for signature in (STRANGER.sign(found.signing_bytes), damaged, bytes(64), b"\0" + good):
        refused = refusal(partial(accept_signature, found, signature))
        assert refused.refusal is Refusal.BAD_SIGNATURE


@pytest.mark.parametrize("size", [0, 1, 63, 67, 200])
def test_bytes_of_another_length_are_no_signature(size: int) -> None:
    with pytest.raises(InputError, match=f"this has {size}"):
        accept_signature(asked(), bytes(size))


@pytest.mark.parametrize("raw", [b"\2" + bytes(65), b"\3" + bytes(65), b"\7" + bytes(64)])
def test_a_signature_of_another_scheme_is_refused(raw: bytes) -> None:
    with pytest.raises(CheckFailed, match=f"scheme {raw[0]}"):
        accept_signature(asked(), raw)


# --- Signed transactions that are not what was asked -----------------------------------


def signed(call: bytes | None = None, curator: int = 0, **changes: Any) -> bytes:
    """Signed by a curator with all its heart, but perhaps something else."""
    key, used = curators()[curator], context(**changes)
    what = asked().call if call is None else call
    signature = MultiSignature(Scheme.SR25519, key.sign(signed_payload(what, used)))
    return assemble(what, key.account, signature.encoded, used)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (signed(call=payouts.bundle().call), Refusal.OTHER_CALL),
        (signed(call=approval(curators()[0].account, timepoint=None)), Refusal.OTHER_CALL),
        (signed(call=approval(curators()[0].account, weight=Weight(1, 1))), Refusal.OTHER_CALL),
        (signed(curator=1), Refusal.OTHER_SIGNER),
        (signed(nonce=8), Refusal.OTHER_NONCE),
        (signed(tip=0), Refusal.OTHER_TIP),
        (signed(period=64), Refusal.OTHER_ERA),
        (signed(spec_version=1), Refusal.BAD_SIGNATURE),
        (signed(genesis_hash=bytes(32)), Refusal.BAD_SIGNATURE),
    ],
    ids=lambda value: value if isinstance(value, Refusal) else "",
)
def test_a_signed_transaction_that_differs_is_refused_by_the_field(
    raw: bytes, expected: Refusal
) -> None:
    assert refusal(lambda: accept_signed(asked(), raw, RUNTIME)).refusal is expected


def test_a_bare_transaction_is_signed_by_nobody() -> None:
    body = b"\4" + asked().call
    raw = encode_compact(len(body)) + body
    assert refusal(lambda: accept_signed(asked(), raw, RUNTIME)).refusal is Refusal.OTHER_SIGNER


@pytest.mark.parametrize(
    "raw", [b"", b"\0", signed()[:-1], signed() + b"\0", signed()[2:], bytes(100)], ids=len
)
def test_bytes_that_are_no_transaction_are_refused(raw: bytes) -> None:
    with pytest.raises(InputError, match="no transaction of this runtime"):
        accept_signed(asked(), raw, RUNTIME)


def test_no_single_byte_of_a_signed_transaction_can_be_changed() -> None:
    found, good = asked(), signed()
    assert accept_signed(found, good, RUNTIME) == good
    places = {*range(120), *range(120, len(good), 61)}
    for place in sorted(places):
        raw = bytearray(good)
        raw[place] ^= 1
        with pytest.raises((CheckFailed, InputError)):
            accept_signed(found, bytes(raw), RUNTIME)


# --- Files that wallets wrote ------------------------------------------------------------


def returned(folder: Path, text: str) -> bytes:
    path = folder / "returned"
    path.write_text(text)
    return signing._accept_file(asked(), path, RUNTIME)


def test_a_wallets_result_is_taken_as_hex_or_as_json(tmp_path: Path) -> None:
    good = signed()
    signature = curators()[0].sign(asked().signing_bytes)
    assert returned(tmp_path, "0x" + good.hex()) == good
    assert returned(tmp_path, good.hex().upper() + "\n") == good
    for result in (
        {"id": 1, "signature": "0x01" + signature.hex()},
        {"signature": signature.hex(), "signedTransaction": None},
    ):
        accepted = returned(tmp_path, json.dumps(result))
        assert RUNTIME.decode_extrinsic(accepted).call.data == asked().call
    both = {"signature": "0x00", "signedTransaction": "0x" + good.hex()}
    assert returned(tmp_path, json.dumps(both)) == good


@pytest.mark.parametrize(
    "text",
    ["", "{", "{}", "[]", '{"signature": 5}', '{"signature": "zz"}', "null", "0x", '{"a":' * 5_000],
)
def test_another_file_is_refused_as_input(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError):
        returned(tmp_path, text)


# --- Any payload ---------------------------------------------------------------------------


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**128 - 1),
    st.sampled_from([2**n for n in range(2, 17)]),
    st.integers(0, 2**26),
    st.integers(0, 4),
    st.one_of(st.none(), st.integers(0, 2**32 - 1)),
)
def test_every_payload_reads_back_and_is_the_bundles(
    nonce: int, tip: int, period: int, born: int, curator: int, height: int | None
) -> None:
    number = BlockNumber(born * max(period >> 12, 1))
    point = None if height is None else {"height": height, "index": 0}
    changes = {"nonce": nonce, "tip": tip, "period": period, "birth": BlockRef(number, HASH)}
    call = approval(curators()[curator].account, timepoint=point)
    of = payload(curator, call=call, **changes)
    found = checked(parse_payload(of.encoded))
    assert found.payload == of
    assert found.context == context(**changes)
    assert (found.timepoint, found.call) == (point, call)
