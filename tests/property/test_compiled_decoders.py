"""Compiled decoders give what the careful ones give, for whole, changed and hostile bytes alike."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibp_chain.errors import DecodeError
from ibp_chain.scale.careful import Careful
from ibp_chain.scale.compiler import FAILURES, Compiler
from ibp_chain.scale.decoder import Decoders
from ibp_chain.scale.events import EventDecoder
from ibp_chain.scale.extrinsics import ExtrinsicDecoder
from ibp_chain.scale.layout import Layout
from ibp_chain.scale.metadata import variants_of
from ibp_chain.scale.primitives import encode_compact
from ibp_chain.scale.values import NOT_READ
from tests.support import recording

METADATA = recording.runtime().metadata
LAYOUT = Layout(METADATA)
COMPILER = Compiler(METADATA, LAYOUT)
CAREFUL = Careful(METADATA, Decoders(METADATA, LAYOUT))
SELECTED = frozenset({"System", "Multisig", "ConvictionVoting"})
EVERY, SOME = EventDecoder(METADATA, COMPILER, None), EventDecoder(METADATA, COMPILER, SELECTED)
EXTRINSICS = ExtrinsicDecoder(METADATA, COMPILER, None)
FEW = ExtrinsicDecoder(METADATA, COMPILER, frozenset({"System"}))


def agree(compiled: Callable[[bytes], Any], careful: Callable[[bytes], Any], raw: bytes) -> None:
    try:
        value = compiled(raw)
    except FAILURES:
        with pytest.raises(DecodeError):
            careful(raw)
    else:
        assert careful(raw) == value


def agree_on_events(raw: bytes) -> None:
    agree(EVERY.decode, lambda data: CAREFUL.events(data, None), raw)


def agree_on_extrinsics(raw: bytes) -> None:
    agree(EXTRINSICS.decode, CAREFUL.extrinsic, raw)


def test_every_recorded_block() -> None:
    for block in recording.blocks():
        assert EVERY.decode(block.events) == CAREFUL.events(block.events, None)
        assert SOME.decode(block.events) == CAREFUL.events(block.events, SELECTED)
        for raw in block.extrinsics:
            assert EXTRINSICS.decode(raw) == CAREFUL.extrinsic(raw)


def test_calls_that_nobody_asked_for_are_passed_over_unless_they_may_hold_one() -> None:
    seen = set()
    for block in recording.blocks():
        for raw in block.extrinsics:
            whole, few = CAREFUL.extrinsic(raw), FEW.decode(raw)
            assert few.call[:2] == whole.call[:2]
            assert few.call.data == whole.call.data
            assert few.signer == whole.signer
            read = few.call.args is not NOT_READ
            seen.add((whole.call.pallet, read))
            if read:
                assert few.call == whole.call
    assert {("System", True), ("Utility", True), ("Multisig", True)} <= seen
    assert {("Timestamp", False), ("ConvictionVoting", False)} <= seen
    with pytest.raises(LookupError, match="now was passed over"):
        NOT_READ["now"]


def test_events_whose_name_is_enough_keep_their_place_and_topics() -> None:
    success = frozenset({"System.ExtrinsicSuccess"})
    decoder = EventDecoder(METADATA, COMPILER, None, success)
    for block in recording.blocks():
        every = CAREFUL.events(block.events, None)
        for event, named in zip(every, decoder.decode(block.events), strict=True):
            unread = event.name == "ExtrinsicSuccess"
            assert named == (event._replace(args=NOT_READ) if unread else event)
            assert (named.args is NOT_READ) == unread


@pytest.mark.parametrize("topics", [0, 1, 70])
@pytest.mark.parametrize("phase", [b"\0" + (300).to_bytes(4, "little"), b"\1", b"\2", b"\3"])
def test_the_shortest_events_in_every_phase_read_or_passed_over(phase: bytes, topics: int) -> None:
    utility = METADATA.pallets["Utility"]
    (item,) = [v for v in variants_of(METADATA, utility.events) if v.name == "ItemCompleted"]
    event = bytes((utility.index, item.index)) + encode_compact(topics) + bytes(32 * topics)
    raw = b"\x0c" + 3 * (phase + event)
    agree_on_events(raw)
    none = EventDecoder(METADATA, COMPILER, frozenset())
    if phase == b"\3":
        for decoder in (EVERY, none):
            with pytest.raises(FAILURES):
                decoder.decode(raw)
        return
    assert [record.name for record in EVERY.decode(raw)] == ["ItemCompleted"] * 3
    assert none.decode(raw) == ()


def test_every_cut_of_a_block() -> None:
    block = max(recording.blocks(), key=lambda block: len(block.extrinsics))
    for size in range(len(block.events)):
        agree_on_events(block.events[:size])
    for raw in block.extrinsics:
        for size in range(len(raw)):
            agree_on_extrinsics(raw[:size])


@given(seed=st.integers(0, 2**32), flips=st.integers(1, 6))
def test_changed_bytes(seed: int, flips: int) -> None:
    dice = random.Random(seed)
    block = dice.choice(recording.blocks())
    agree_on_events(_changed(block.events, flips, dice))
    agree_on_extrinsics(_changed(dice.choice(block.extrinsics), flips, dice))


@given(st.binary(max_size=120))
def test_any_bytes(raw: bytes) -> None:
    agree_on_events(raw)
    agree_on_extrinsics(raw)
    agree_on_extrinsics(bytes((len(raw) + 1 << 2 & 0xFF, 4)) + raw)


def test_counts_that_promise_more_than_there_is() -> None:
    for count in (1, 63, 64, 2**14, 2**30 - 1, 2**40, 2**535):
        raw = encode_compact(count)
        agree_on_events(raw)
        agree_on_events(raw + b"\x00" * 20)


def _changed(raw: bytes, flips: int, dice: random.Random) -> bytes:
    changed = bytearray(raw)
    for _ in range(flips):
        changed[dice.randrange(len(changed))] = dice.choice((0, 1, 2, 3, 0xFF, dice.randrange(256)))
    return bytes(changed)
