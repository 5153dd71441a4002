"""What an archive proves about real blocks, against accidents and against forgers.

A forger here writes a flawless archive, digests and all, of blocks that are not the chain's.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ibp_chain.archive import verify
from ibp_chain.archive_blocks import LAST_UPGRADE_KEY, Recorded
from ibp_chain.archive_format import SCHEMA
from ibp_chain.archive_record import ArchiveWriter
from ibp_chain.blocks import Block
from ibp_chain.errors import ArchiveCorrupt, CheckFailed, DecodeError
from ibp_chain.node import ChainInfo
from ibp_chain.scale.primitives import decode_compact
from ibp_chain.source import EVENTS_KEY
from ibp_chain.trie import verify_read_proof
from ibp_chain.types import Hash, SpecVersion
from tests.support.proven import proven

SPECS = ("paseo-2024", "paseo-2026")
Forge = Callable[[Recorded], Recorded]


def _write(folder: Path, spec: str, forge: Forge = lambda recorded: recorded, at: int = 1) -> Path:
    """An archive of the blocks recorded from `spec`, that with index `at` forged."""
    chain = proven(spec)
    writer = ArchiveWriter(
        folder, ChainInfo("test", 42, "PAS", 10), chain.genesis_hash, lambda _: [b"meta\x0e"]
    )
    for index, recorded in enumerate(chain.recorded):
        # a forger does not ask the writer whether blocks are linked
        writer._waiting.append(forge(recorded) if index == at else recorded)
    writer.flush()
    return folder


def _with(**changes: object) -> Forge:
    return lambda recorded: replace(recorded, block=_replaced(recorded.block, **changes))


def _replaced(block: Block, **changes: object) -> Block:
    return replace(block, **changes)  # type: ignore[arg-type]  # fields by name, per case


@pytest.mark.parametrize("spec", SPECS)
def test_real_blocks_hold(tmp_path: Path, spec: str) -> None:
    result = verify(_write(tmp_path / "archive", spec))
    assert (result.blocks, result.proven) == (4, 4)


def _flip_event(recorded: Recorded) -> Recorded:
    events = bytearray(recorded.block.events)
    events[-1] ^= 1
    return _with(events=bytes(events))(recorded)


def _longer_extrinsic(recorded: Recorded) -> Recorded:
    first, *rest = recorded.block.extrinsics
    return _with(extrinsics=(first + b"\0", *rest))(recorded)


def _other_state(recorded: Recorded) -> Recorded:
    header = replace(recorded.block.header, state_root=Hash(b"r" * 32))
    return _with(header=header, hash=header.hash)(recorded)


FORGERIES: dict[str, tuple[Forge, str]] = {
    "an event changed": (_flip_event, "block 2: events: "),
    "no events": (_with(events=b"\0"), "block 2: events: "),
    "another runtime": (_with(spec_version=SpecVersion(9)), "block 2: spec_version: is 9; "),
    "an extrinsic longer": (_longer_extrinsic, "block 2: extrinsics: "),
    "an extrinsic dropped": (
        lambda r: _with(extrinsics=r.block.extrinsics[1:])(r),
        "block 2: extrinsics: ",
    ),
    "extrinsics in another order": (
        lambda r: _with(extrinsics=r.block.extrinsics[::-1])(r),
        "block 2: extrinsics: ",
    ),
    "another hash": (_with(hash=Hash(b"h" * 32)), "block 2: hash: "),
    "another state, rehashed": (_other_state, "block 2: proof: "),
    "the proof of nothing": (lambda r: replace(r, proof=()), "block 2: proof: "),
    "the proof of another block": (
        lambda r: replace(r, proof=proven("paseo-2024").recorded[2].proof),
        "block 2: proof: ",
    ),
    "the proof of the events alone": (
        lambda r: replace(r, proof=(r.proof or ())[:-1]),
        "block 2: proof: ",
    ),
}


@pytest.mark.parametrize(("forge", "said"), FORGERIES.values(), ids=FORGERIES)
def test_a_forgery_is_named_by_block_and_field(tmp_path: Path, forge: Forge, said: str) -> None:
    folder = _write(tmp_path / "archive", "paseo-2024", forge)
    with pytest.raises(ArchiveCorrupt) as caught:
        verify(folder)
    assert str(caught.value).startswith(said)


def test_a_header_without_proof_still_has_to_be_a_parent(tmp_path: Path) -> None:
    folder = _write(
        tmp_path / "archive", "paseo-2024", lambda r: replace(_other_state(r), proof=None)
    )
    with pytest.raises(ArchiveCorrupt, match="block 3: parent_hash"):
        verify(folder)


def test_a_block_whose_proof_was_taken_away_is_counted_as_unproven(tmp_path: Path) -> None:
    result = verify(_write(tmp_path / "archive", "paseo-2024", lambda r: replace(r, proof=None)))
    assert (result.blocks, result.proven) == (4, 3)


@pytest.mark.parametrize("column", SCHEMA.names)
@pytest.mark.parametrize("index", [0, 3])
def test_damage_within_a_value_is_named_by_its_field(
    tmp_path: Path, column: str, index: int
) -> None:
    folder = _write(tmp_path / "archive", "paseo-2026")
    path = next((folder / "blocks").iterdir())
    chunk = pq.read_metadata(path).row_group(index).column(SCHEMA.get_field_index(column))
    changed = bytearray(path.read_bytes())
    changed[chunk.data_page_offset + chunk.total_compressed_size - 1] ^= 0x40
    path.write_bytes(changed)
    with pytest.raises(ArchiveCorrupt) as caught:
        verify(folder)
    number = proven("paseo-2026").recorded[index].block.header.number
    assert (caught.value.block, caught.value.field) == (number, column)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_other_byte_anywhere_in_real_blocks_is_found(
    tmp_path: Path, data: st.DataObject
) -> None:
    folder = tmp_path / "archive"
    if not folder.exists():
        _write(folder, "paseo-2024")
    path = next((folder / "blocks").iterdir())
    whole = path.read_bytes()
    position = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[position]))
    path.write_bytes(whole[:position] + bytes([byte]) + whole[position + 1 :])
    try:
        with pytest.raises(ArchiveCorrupt, match=r"^block \d+: "):
            verify(folder)
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("spec", SPECS)
def test_recorded_proofs_prove_events_and_runtime(spec: str) -> None:
    for block, proof in ((one.block, one.proof or ()) for one in proven(spec).recorded):
        root = block.header.state_root
        assert verify_read_proof(root, EVENTS_KEY, proof) == block.events
        upgrade = verify_read_proof(root, LAST_UPGRADE_KEY, proof)
        assert upgrade is not None
        assert decode_compact(upgrade)[0] == block.spec_version


@pytest.mark.parametrize("spec", SPECS)
def test_no_changed_byte_of_a_recorded_proof_proves_anything_else(spec: str) -> None:
    recorded = proven(spec).recorded[0]
    block, proof = recorded.block, recorded.proof or ()
    root = block.header.state_root
    for number, node in enumerate(proof):
        for position in range(len(node)):
            altered = node[:position] + bytes([node[position] ^ 1]) + node[position + 1 :]
            nodes = [*proof[:number], altered, *proof[number + 1 :]]
            proven_values = []
            for key in (EVENTS_KEY, LAST_UPGRADE_KEY):
                try:
                    proven_values.append(verify_read_proof(root, key, nodes))
                except (CheckFailed, DecodeError):
                    continue
            assert len(proven_values) < 2  # each node is needed for one of them at least
