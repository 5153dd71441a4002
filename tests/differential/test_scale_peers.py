"""Our decoding of a recorded chain, held against scalecodec's and against our own encoding."""

import re
from typing import Any

import pytest

from ibp_chain.accounts import ss58_decode
from ibp_chain.blocks import Block
from ibp_chain.runtime import Runtime
from ibp_chain.scale.values import Call
from tests.support import recording

_ADDRESS = re.compile(r"[1-9A-HJ-NP-Za-km-z]{47,48}")
_CONVICTIONS = ("None", *(f"Locked{n}x" for n in range(1, 7)))
_PHASES = {"ApplyExtrinsic": 0, "Finalization": 1, "Initialization": 2}


@pytest.mark.parametrize("version", [14, 15])
def test_every_event_reads_as_scalecodec_reads_it(version: int) -> None:
    source = recording.source()
    raw = {14: source.metadata_v14, 15: source.metadata}[version](recording.SPEC_VERSION)
    runtime = Runtime.from_metadata(raw)
    assert runtime.metadata.version == version
    for block in recording.blocks():
        ours, theirs = (
            runtime.decode_events(block.events),
            recording.peer().decode_events(block.events),
        )
        assert len(ours) == len(theirs) > 0
        for mine, other in zip(ours, theirs, strict=True):
            assert (mine.pallet, mine.name) == (other["module_id"], other["event_id"])
            assert (mine.phase, mine.extrinsic_index) == (
                _PHASES[other["phase"]],
                other["extrinsic_idx"],
            )
            assert _leaves(mine.args) == _their_leaves(other["attributes"])


def test_every_call_reads_as_scalecodec_reads_it() -> None:
    compared = 0
    for block in recording.blocks():
        for call in _calls(recording.runtime(), block):
            theirs = recording.peer().decode_call(call.data)
            assert (call.pallet, call.name) == (theirs["call_module"], theirs["call_function"])
            assert list(call.args) == [argument["name"] for argument in theirs["call_args"]]
            values = [argument["value"] for argument in theirs["call_args"]]
            assert _leaves(list(call.args.values())) == _their_leaves(values)
            compared += 1
    assert compared > 100


def test_every_call_is_encoded_again_to_the_same_bytes() -> None:
    runtime = recording.runtime()
    for block in recording.blocks():
        for call in _calls(runtime, block):
            assert runtime.encode_call(call.pallet, call.name, call.args) == call.data


def _calls(runtime: Runtime, block: Block) -> list[Call]:
    return [runtime.decode_extrinsic(raw).call for raw in block.extrinsics]


def _leaves(value: Any) -> list[int | bytes]:
    """The numbers, bytes and bare variant names of our value, in order: what is the same in all
    libraries, whatever they call the places.
    """
    match value:
        case None:
            return []
        case Call():
            return _leaves(list(value.args.values()))
        case (str(name), ()):
            return [name.encode()]
        case (str(), payload):
            return _leaves(payload)
        case dict():
            return [leaf for item in value.values() for leaf in _leaves(item)]
        case list() | tuple():
            return [leaf for item in value for leaf in _leaves(item)]
        case str():
            return [value.encode()]
    return [value]


def _their_leaves(value: Any) -> list[int | bytes]:
    match value:
        case None:
            return []
        case {"call_module": _, "call_args": arguments}:
            return _their_leaves([argument["value"] for argument in arguments])
        case {"aye": bool(aye), "conviction": str(conviction)}:  # one byte, to the registry
            return [aye << 7 | _CONVICTIONS.index(conviction)]
        case dict() if len(value) == 1 and next(iter(value.values())) in (None, ()):
            return [name.encode() for name in value]
        case dict():
            return [leaf for item in value.values() for leaf in _their_leaves(item)]
        case list() | tuple():
            return [leaf for item in value for leaf in _their_leaves(item)]
        case str() if value.startswith("0x"):
            return [bytes.fromhex(value[2:])]
        case str() if _ADDRESS.fullmatch(value):
            return [ss58_decode(value)]
        case str():
            return [value.encode()]
    return [value]
