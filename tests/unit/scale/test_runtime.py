"""Calls, events, storage and constants of the recorded runtime, well formed and not."""

import random
import sys
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibp_chain.errors import DecodeError, InputError
from ibp_chain.runtime import Runtime
from ibp_chain.scale.primitives import encode_compact
from ibp_chain.types import AccountId
from tests.support import recording

ALICE, BOB = AccountId(b"\x01" * 32), AccountId(b"\x02" * 32)
TRANSFER = {"dest": ("Id", ALICE), "value": 10**10}


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    return recording.runtime()


def batch(runtime: Runtime, *calls: bytes) -> bytes:
    inner = [runtime.decode_call(call) for call in calls]
    return runtime.encode_call("Utility", "batch_all", {"calls": inner})


# --- Calls ----------------------------------------------------------------------------


def test_a_call_is_its_indices_and_its_arguments(runtime: Runtime) -> None:
    call = runtime.encode_call("Balances", "transfer_keep_alive", TRANSFER)
    pallet = runtime.metadata.pallets["Balances"].index
    assert call == bytes((pallet, 3, 0)) + ALICE + encode_compact(10**10)
    decoded = runtime.decode_call(call)
    assert (str(decoded), decoded.args) == ("Balances.transfer_keep_alive", TRANSFER)


def test_a_nested_call_has_the_hash_of_its_own_bytes(runtime: Runtime) -> None:
    inner = runtime.encode_call("Balances", "transfer_keep_alive", TRANSFER)
    remark = runtime.encode_call("System", "remark", {"remark": b"first"})
    outer = runtime.decode_call(batch(runtime, remark, inner))
    assert outer.args["calls"][1].data == inner
    assert outer.args["calls"][1].hash == runtime.decode_call(inner).hash


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"dest": ("Id", ALICE)},
        {**TRANSFER, "memo": b""},
        {**TRANSFER, "value": -1},
        {**TRANSFER, "value": 2**128},
        {**TRANSFER, "value": True},
        {**TRANSFER, "value": 1.0},
        {**TRANSFER, "dest": ("Id", ALICE[:31])},
        {**TRANSFER, "dest": ("Name", ALICE)},
        {**TRANSFER, "dest": ALICE},
        {**TRANSFER, "dest": None},
    ],
)
def test_arguments_that_are_not_the_calls_own_are_refused(
    runtime: Runtime, arguments: dict[str, Any]
) -> None:
    with pytest.raises(InputError):
        runtime.encode_call("Balances", "transfer_keep_alive", arguments)


def test_a_variant_without_fields_may_be_given_by_name(runtime: Runtime) -> None:
    as_name = {
        "as_origin": ("system", "Root"),
        "call": runtime.call("System", "remark", {"remark": b""}),
    }
    as_pair = {**as_name, "as_origin": ("system", ("Root", ()))}
    short = runtime.encode_call("Utility", "dispatch_as", as_name)
    assert short == runtime.encode_call("Utility", "dispatch_as", as_pair)


def test_what_the_runtime_does_not_have_is_named(runtime: Runtime) -> None:
    with pytest.raises(InputError, match=r"has no call Balances\.teleport"):
        runtime.encode_call("Balances", "teleport", {})
    with pytest.raises(InputError, match="has no pallet Assets"):
        runtime.encode_call("Assets", "mint", {})
    with pytest.raises(InputError, match=r"has no storage item Balances\.Vault"):
        runtime.storage_key("Balances", "Vault")
    with pytest.raises(InputError, match=r"has no constant Balances\.Answer"):
        runtime.constant("Balances", "Answer")
    assert runtime.has_call("Balances", "transfer_keep_alive")
    assert not runtime.has_call("Balances", "teleport")
    assert not runtime.has_event("Nobody", "Happened")


def test_a_call_that_nests_as_deep_as_the_chain_allows_is_read(runtime: Runtime) -> None:
    call = runtime.encode_call("System", "remark", {"remark": b""})
    shell = batch(runtime, call)[:3]
    deep = shell * 256 + call
    assert runtime.decode_call(deep).data == deep


def test_a_call_that_nests_without_end_is_refused(runtime: Runtime) -> None:
    shell = batch(runtime, runtime.encode_call("System", "remark", {"remark": b""}))[:3]
    with pytest.raises(DecodeError, match="nested deeper"):
        runtime.decode_call(shell * 100_000)
    assert sys.getrecursionlimit() < 100_000


# --- Extrinsics -----------------------------------------------------------------------


def extrinsics() -> list[bytes]:
    return [raw for block in recording.blocks() for raw in block.extrinsics]


def test_signed_and_bare_extrinsics_are_told_apart(runtime: Runtime) -> None:
    decoded = [runtime.decode_extrinsic(raw) for raw in extrinsics()]
    signed = [extrinsic for extrinsic in decoded if extrinsic.signer is not None]
    assert 0 < len(signed) < len(decoded)
    assert all(extrinsic.extensions["CheckMortality"][0] != "Immortal" for extrinsic in signed)
    bare = next(extrinsic for extrinsic in decoded if extrinsic.signer is None)
    assert str(bare.call) == "Timestamp.set"
    assert bare.extensions == {}


def test_bytes_too_few_or_too_many_are_refused(runtime: Runtime) -> None:
    for raw in extrinsics()[:40]:
        for broken in (raw[:-1], raw + b"\x00", raw[1:], b""):
            with pytest.raises(DecodeError):
                runtime.decode_extrinsic(broken)


@pytest.mark.parametrize("version", [0x00, 0x03, 0x06, 0x44, 0x85, 0xC4])
def test_an_unknown_extrinsic_version_is_refused(runtime: Runtime, version: int) -> None:
    raw = next(raw for raw in extrinsics() if runtime.decode_extrinsic(raw).signer)
    start = len(encode_compact(len(raw) - 4)) if len(raw) < 1 << 14 else 4
    assert raw[start] == 0x84
    broken = raw[:start] + bytes((version,)) + raw[start + 1 :]
    with pytest.raises(DecodeError):
        runtime.decode_extrinsic(broken)


# --- Events ---------------------------------------------------------------------------


def test_only_the_pallets_asked_for_are_returned_with_their_places(runtime: Runtime) -> None:
    raw = max((block.events for block in recording.blocks()), key=len)
    every, chosen = runtime.decode_events(raw), frozenset({"Multisig", "System"})
    some = runtime.decode_events(raw, pallets=chosen)
    assert some == tuple(event for event in every if event.pallet in chosen)
    assert [event.position for event in every] == list(range(len(every)))


def test_events_cut_off_anywhere_are_refused(runtime: Runtime) -> None:
    raw = recording.blocks()[3].events
    for size in range(len(raw)):
        with pytest.raises(DecodeError):
            runtime.decode_events(raw[:size])
    with pytest.raises(DecodeError, match="1 bytes too many"):
        runtime.decode_events(raw + b"\x00")


@given(seed=st.integers(0, 2**32), flips=st.integers(1, 8))
def test_changed_events_and_extrinsics_give_a_value_or_a_decode_error(
    seed: int, flips: int
) -> None:
    dice, runtime = random.Random(seed), recording.runtime()
    block = dice.choice(recording.blocks())
    for raw, decode in (
        (block.events, runtime.decode_events),
        (dice.choice(block.extrinsics), runtime.decode_extrinsic),
    ):
        changed = bytearray(raw)
        for _ in range(flips):
            changed[dice.randrange(len(changed))] = dice.randrange(256)
        with suppress(DecodeError):
            decode(bytes(changed))


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_a_decode_error(raw: bytes) -> None:
    runtime = recording.runtime()
    for decode in (runtime.decode_call, runtime.decode_events, runtime.decode_extrinsic):
        with suppress(DecodeError):
            decode(raw)


# --- Storage and constants --------------------------------------------------------------


def test_a_storage_key_is_made_and_read_back(runtime: Runtime) -> None:
    key = runtime.storage_key("Multisig", "Multisigs", ALICE, BOB)
    assert key[:32] == runtime.storage_prefix("Multisig", "Multisigs")
    assert runtime.decode_storage_key("Multisig", "Multisigs", key) == (ALICE, BOB)
    assert key.startswith(runtime.storage_key("Multisig", "Multisigs", ALICE))
    with pytest.raises(DecodeError):
        runtime.decode_storage_key("Multisig", "Multisigs", key + b"\x00")
    with pytest.raises(InputError, match="has 2 keys, 3 are given"):
        runtime.storage_key("Multisig", "Multisigs", ALICE, BOB, ALICE)


def test_known_keys_of_every_substrate_chain(runtime: Runtime) -> None:
    account = "26aa394eea5630e07c48ae0c9558cef7b99d880ec681799c0cf30e8886371da9"
    assert runtime.storage_prefix("System", "Account").hex() == account
    number = "26aa394eea5630e07c48ae0c9558cef702a5c1b19ab7a04f536c519aca4983ac"
    assert runtime.storage_key("System", "Number").hex() == number


def test_a_storage_value_is_encoded_as_it_was_read(runtime: Runtime) -> None:
    value = {
        "nonce": 7, "consumers": 0, "providers": 1, "sufficients": 0,
        "data": {"free": 5 * 10**10, "reserved": 0, "frozen": 0, "flags": 1 << 127},
    }  # fmt: skip
    raw = runtime.encode_storage("System", "Account", value)
    assert len(raw) == 80
    assert runtime.decode_storage("System", "Account", raw) == value
    with pytest.raises(DecodeError):
        runtime.decode_storage("System", "Account", raw[:-1])


def test_constants_and_versions(runtime: Runtime) -> None:
    assert (runtime.spec_name, runtime.spec_version) == ("paseo", 1_001_002)
    assert runtime.constant("Balances", "ExistentialDeposit") == 10**10
    assert str(runtime) == "paseo 1001002"


def test_errors_have_their_pallets_names(runtime: Runtime) -> None:
    multisig = runtime.metadata.pallets["Multisig"].index
    module = ("Module", {"index": multisig, "error": b"\x01\x00\x00\x00"})
    assert runtime.error_name(module) == "Multisig.AlreadyApproved"
    old = ("Module", {"index": multisig, "error": 1})
    assert runtime.error_name(old) == "Multisig.AlreadyApproved"
    assert runtime.error_name(("Token", "FundsUnavailable")) == "Token.FundsUnavailable"
    assert runtime.error_name("BadOrigin") == "BadOrigin"
    unknown = ("Module", {"index": 251, "error": b"\x09\x00\x00\x00"})
    assert runtime.error_name(unknown) == "Module.251.9"
    with pytest.raises(DecodeError):
        runtime.error_name(17)


def test_metadata_without_a_runtime_version_is_refused() -> None:
    raw = recording.source().metadata_v14(recording.SPEC_VERSION)
    name = b"\x1cVersion"
    with pytest.raises(DecodeError, match="no runtime version"):
        Runtime.from_metadata(raw.replace(name, b"\x1cVersoon"))
