"""Metadata of a real runtime, whole and broken."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ibp_chain.errors import DecodeError
from ibp_chain.scale import metadata as md
from ibp_chain.scale.metadata import Metadata, Variants, read_metadata
from ibp_chain.scale.primitives import encode_compact
from tests.support import recording
from tests.support.metadata_writer import write
from tests.support.odd_registry import odd_registry


def v14() -> bytes:
    return recording.source().metadata_v14(recording.SPEC_VERSION)


def v15() -> bytes:
    return recording.source().metadata(recording.SPEC_VERSION)


def _shape(metadata: Metadata) -> dict[str, object]:
    """Everything about pallets that does not depend on the registry's numbering."""

    def variants(type_id: int | None) -> list[tuple[str, int, int]]:
        if type_id is None:
            return []
        definition = metadata.types[type_id].definition
        assert isinstance(definition, Variants)
        return [(v.name, v.index, len(v.fields)) for v in definition.variants]

    return {
        pallet.name: (
            pallet.index,
            pallet.storage_prefix,
            [(entry.name, entry.hashers) for entry in pallet.storage.values()],
            [(name, constant.value) for name, constant in pallet.constants.items()],
            variants(pallet.calls),
            variants(pallet.events),
            variants(pallet.errors),
        )
        for pallet in metadata.pallets.values()
    }


def test_versions_14_and_15_say_the_same_of_one_runtime() -> None:
    older, newer = read_metadata(v14()), read_metadata(v15())
    assert (older.version, newer.version) == (14, 15)
    assert _shape(older) == _shape(newer)
    names = [extension.identifier for extension in older.extrinsic.extensions]
    assert names == [extension.identifier for extension in newer.extrinsic.extensions]
    assert "CheckMortality" in names
    assert older.extrinsic.by_version == newer.extrinsic.by_version == {0: tuple(range(len(names)))}


def test_what_is_no_metadata_is_refused() -> None:
    for raw in (b"", b"met", b"atem\x0e", b"\x00" * 64):
        with pytest.raises(DecodeError):
            read_metadata(raw)


@pytest.mark.parametrize("version", [0, 13, 17, 255])
def test_another_version_is_named(version: int) -> None:
    with pytest.raises(DecodeError, match=f"metadata V{version} cannot be read"):
        read_metadata(b"meta" + bytes((version,)) + v14()[5:])


@pytest.mark.parametrize("raw", [v14(), v15()], ids=["V14", "V15"])
def test_truncation_anywhere_is_refused(raw: bytes) -> None:
    # V15 ends with runtime APIs and custom values, which nothing here reads
    for size in range(5, len(raw) // 2, len(raw) // 97):
        with pytest.raises(DecodeError):
            read_metadata(raw[:size])


def test_a_type_that_is_not_there_is_refused() -> None:
    # the first type, AccountId32, names the type of its one field, which has no name itself
    raw = v14()
    at = raw.index(b"[u8; 32]") - 3
    assert raw[at - 1] == 0
    with pytest.raises(DecodeError, match="names type 16383 and does not have it"):
        read_metadata(raw[:at] + encode_compact(16_383) + raw[at + 1 :])


def test_an_absurd_length_is_refused_without_being_believed() -> None:
    with pytest.raises(DecodeError, match="elements announced"):
        read_metadata(b"meta\x0e" + bytes((0b10, 0xFF, 0xFF, 0xFF)))


# --- Written metadata: sound ones in every version, and such as no runtime has ------------------


@pytest.mark.parametrize("version", [14, 15, 16])
def test_what_is_written_is_read(version: int) -> None:
    metadata = odd_registry().metadata(version)
    read = read_metadata(write(metadata))
    assert read.pallets == metadata.pallets
    assert read.extrinsic == metadata.extrinsic
    assert {type_id: read.types[type_id] for type_id in metadata.types} == metadata.types
    assert len(read.types) == len(metadata.types) + (version == 14)


@pytest.mark.parametrize("version", [14, 15, 16])
def test_a_cut_anywhere_is_refused(version: int) -> None:
    raw = write(odd_registry().metadata(version))
    for size in (*range(200), *range(200, len(raw), 61), len(raw) - 1):
        with pytest.raises(DecodeError):
            read_metadata(raw[:size])


def _changed(name: str, change: Callable[[md.Metadata, int], md.Metadata]) -> bytes:
    registry = odd_registry()
    metadata = registry.metadata(15)
    return write(change(metadata, registry.id(name)))


def _as(definition: md.Definition) -> Callable[[md.Metadata, int], md.Metadata]:
    def change(metadata: md.Metadata, type_id: int) -> md.Metadata:
        return replace(metadata, types={**metadata.types, type_id: md.Type((), {}, definition)})

    return change


def _pallet(changed: str, **values: Any) -> Callable[[md.Metadata, int], md.Metadata]:
    def change(metadata: md.Metadata, _type_id: int) -> md.Metadata:
        pallet = replace(metadata.pallets[changed], **values)
        return replace(metadata, pallets={**metadata.pallets, changed: pallet})

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_as(md.Composite((md.Field("a", 0), md.Field(None, 0)))), "fields lack names"),
        (_as(md.Composite((md.Field("a", 0), md.Field("a", 0)))), "fields lack names"),
        (
            _as(md.Variants((md.Variant("A", 0, ()), md.Variant("B", 0, ())))),
            "variants have the same",
        ),
        (
            _as(md.Variants((md.Variant("A", 0, ()), md.Variant("A", 1, ())))),
            "variants have the same",
        ),
        (_pallet("Odd", index=3), "pallets have the same"),
        (_pallet("Odd", name="Utility"), "pallets have the same"),
        (_pallet("Odd", events=0), "type 0 is no enum"),
        (_pallet("Odd", errors=0), "type 0 is no enum"),
        (_pallet("Odd", events=9999), "names type 9999 and does not have it"),
        (_pallet("Utility", calls=0), "type 0 is no enum"),
        (_pallet("Utility", index=4), "not the enum of its pallets' calls"),
        (_pallet("Utility", calls=None), "not the enum of its pallets' calls"),
    ],
)
def test_what_no_runtime_has_is_refused(
    change: Callable[[md.Metadata, int], md.Metadata], reason: str
) -> None:
    with pytest.raises(DecodeError, match=reason):
        read_metadata(_changed("Fixed", change))


def test_two_types_of_one_number_are_refused() -> None:
    raw = write(odd_registry().metadata(15))
    count = len(read_metadata(raw).types)
    assert raw[5:7] == encode_compact(count)
    with pytest.raises(DecodeError, match="two types have the same number"):
        read_metadata(raw[:5] + encode_compact(count + 1) + b"\0" * 2 + b"\0\4\0\0" + raw[7:])


@pytest.mark.parametrize("filling", [b"\0", b"\1", b"\4", b"\x0c", b"\xff"])
def test_a_megabyte_of_hostile_metadata_ends_within_seconds(filling: bytes) -> None:
    head = b"meta\x0e" + encode_compact(2**20 // 6)
    began = time.process_time()
    with pytest.raises(DecodeError):
        read_metadata(head + filling * (2**20 - len(head)))
    assert time.process_time() - began < 10
