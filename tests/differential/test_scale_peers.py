"""Our decoding of real and recorded blocks, held against scalecodec's and our own encoding."""

from collections.abc import Sequence
from typing import Any

import pytest

from ibp_chain.blocks import Block, EventRecord
from ibp_chain.peer_codec import peer_codec
from ibp_chain.runtime import Runtime
from ibp_chain.scale.values import Call
from tests.support import polkadot, recording
from tests.support.leaves import leaves, their_leaves

_PHASES = {"ApplyExtrinsic": 0, "Finalization": 1, "Initialization": 2}


def assert_same_events(ours: Sequence[EventRecord], theirs: Sequence[Any]) -> None:
    assert len(ours) == len(theirs) > 0
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine.pallet, mine.name) == (other["module_id"], other["event_id"])
        place = _PHASES[other["phase"]], other["extrinsic_idx"]
        assert (mine.phase, mine.extrinsic_index) == place
        assert leaves(mine.args) == their_leaves(other["attributes"])
        assert list(mine.topics) == [bytes.fromhex(topic[2:]) for topic in other["topics"]]


@pytest.mark.real_data
def test_every_event_of_real_polkadot_blocks_reads_as_scalecodec_reads_it() -> None:
    for block in polkadot.blocks():
        peer = peer_codec(polkadot.metadata(block.spec_version, 14))
        ours = polkadot.runtime(block.spec_version, 14).decode_events(block.events)
        assert_same_events(ours, peer.decode_events(block.events))


@pytest.mark.real_data
def test_every_metadata_version_reads_real_blocks_alike() -> None:
    compared = set()
    for block in polkadot.blocks():
        first, *others = (
            polkadot.runtime(block.spec_version, version).decode_events(block.events)
            for version in polkadot.versions(block.spec_version)
        )
        assert all(other == first for other in others)
        compared |= set(polkadot.versions(block.spec_version))
    assert compared == {14, 15, 16}


@pytest.mark.parametrize("version", [14, 15])
def test_every_event_reads_as_scalecodec_reads_it(version: int) -> None:
    source = recording.source()
    raw = {14: source.metadata_v14, 15: source.metadata}[version](recording.SPEC_VERSION)
    runtime = Runtime.from_metadata(raw)
    assert runtime.metadata.version == version
    for block in recording.blocks():
        theirs = recording.peer().decode_events(block.events)
        assert_same_events(runtime.decode_events(block.events), theirs)


def test_every_call_reads_as_scalecodec_reads_it() -> None:
    compared = 0
    for block in recording.blocks():
        for call in _calls(recording.runtime(), block):
            theirs = recording.peer().decode_call(call.data)
            assert (call.pallet, call.name) == (theirs["call_module"], theirs["call_function"])
            assert list(call.args) == [argument["name"] for argument in theirs["call_args"]]
            values = [argument["value"] for argument in theirs["call_args"]]
            assert leaves(list(call.args.values())) == their_leaves(values)
            compared += 1
    assert compared > 100


def test_every_call_is_encoded_again_to_the_same_bytes() -> None:
    runtime = recording.runtime()
    for block in recording.blocks():
        for call in _calls(runtime, block):
            assert runtime.encode_call(call.pallet, call.name, call.args) == call.data


def _calls(runtime: Runtime, block: Block) -> list[Call]:
    return [runtime.decode_extrinsic(raw).call for raw in block.extrinsics]
