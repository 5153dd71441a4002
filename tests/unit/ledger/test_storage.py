import pytest

from ibp_chain.errors import DecodeError
from ibp_chain.scale import schema
from ibp_chain.types import AccountId
from ledger.storage import Hasher, KeyPart, StorageMap, StorageValue, twox_128

ALICE, BOB = AccountId(b"\1" * 32), AccountId(b"\2" * 32)


def double_map() -> StorageMap[tuple[AccountId, int], int]:
    return StorageMap(
        "Pallet",
        "Item",
        (
            KeyPart(Hasher.TWOX_64_CONCAT, schema.account),
            KeyPart(Hasher.BLAKE2_128_CONCAT, schema.u16),
        ),
        schema.u128,
        default=lambda: 0,
    )


def test_prefixes_are_the_chains() -> None:
    # the best-known keys of any Substrate chain
    assert twox_128("System").hex() == "26aa394eea5630e07c48ae0c9558cef7"
    assert twox_128("Account").hex() == "b99d880ec681799c0cf30e8886371da9"


def test_keys_come_back_from_their_raw_form() -> None:
    entries = double_map()
    raw = entries.raw_key((ALICE, 7))
    assert entries.key_of(raw) == (ALICE, 7)
    assert len(raw) == 32 + 8 + 32 + 16 + 2


@pytest.mark.parametrize("position", [0, 20, 33, 50, -1])
def test_a_raw_key_with_a_flipped_byte_is_refused(position: int) -> None:
    entries = double_map()
    raw = bytearray(entries.raw_key((ALICE, 7)))
    raw[position] ^= 1
    with pytest.raises(DecodeError):
        entries.key_of(bytes(raw))


def test_entries_are_loaded_from_bytes_without_counting_as_changes() -> None:
    entries, copy = double_map(), double_map()
    entries.insert((ALICE, 1), 5)
    entries.insert((BOB, 2), 6)
    for raw_key, raw_value in entries.raw_items():
        copy.load(raw_key, raw_value)
    assert dict(copy.items()) == dict(entries.items())
    assert copy.take_changes() == {}


def test_changes_are_taken_once_and_deletions_are_marked() -> None:
    entries = double_map()
    entries.insert((ALICE, 1), 5)
    entries.insert((BOB, 2), 6)
    entries.remove((BOB, 2))
    entries.remove((BOB, 3))
    assert entries.take_changes() == {(ALICE, 1): 5, (BOB, 2): None}
    assert entries.take_changes() == {}


def test_a_value_query_item_has_its_default() -> None:
    assert double_map().get((ALICE, 1)) == 0
    assert double_map().find((ALICE, 1)) is None


def test_a_single_value_is_stored_under_its_prefix() -> None:
    value = StorageValue("Pallet", "Number", schema.u32)
    value.put(9)
    assert list(value.raw_items()) == [(value.prefix, b"\x09\0\0\0")]
