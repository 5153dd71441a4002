"""Metadata of a real runtime, whole and broken."""

import pytest

from ibp_chain.errors import DecodeError
from ibp_chain.scale.metadata import Metadata, Variants, read_metadata
from ibp_chain.scale.primitives import encode_compact
from tests.support import recording


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
