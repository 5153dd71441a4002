"""Generated values of every shape of type, encoded and read back by every way there is.

`make test` makes a few values for each shape. The campaign makes as many as it is told:

    SCALE_EXAMPLES=10000 .venv/bin/python -m pytest tests/property/test_scale_shapes.py
"""

import os
import random
from collections import defaultdict
from functools import cache
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ibp_chain.errors import DecodeError
from ibp_chain.scale import metadata as md
from ibp_chain.scale.hashers import PREFIX_SIZE
from tests.support import recording
from tests.support.odd_registry import odd_registry
from tests.support.readings import REFUSED, Readings
from tests.support.scale_values import HypothesisDice, SeededDice, Values, plain, shape_of

EXAMPLES = int(os.environ.get("SCALE_EXAMPLES", "50"))
"""Values for each shape."""
_BATCH = 50
_SETTINGS = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
_CHANGES = (0x00, 0x01, 0x02, 0x03, 0x7F, 0x80, 0xFC, 0xFE, 0xFF)


class Registry(NamedTuple):
    values: Values
    readings: Readings


def registry(metadata: md.Metadata) -> Registry:
    return Registry(Values(metadata), Readings(metadata))


REGISTRIES = {
    "recorded": registry(recording.runtime().metadata),
    "odd": registry(odd_registry().metadata()),
}


@cache
def shapes() -> dict[str, list[tuple[str, md.TypeId]]]:
    """Shape to the types of all registries that have it."""
    found: dict[str, list[tuple[str, md.TypeId]]] = defaultdict(list)
    for name, (values, _) in REGISTRIES.items():
        for type_id in values.types:
            if values.is_finite(type_id):
                found[shape_of(values.layout, type_id)].append((name, type_id))
    return found


def test_there_is_every_shape() -> None:
    integers = {f"{sign}{bits}" for sign in "ui" for bits in (8, 16, 32, 64, 128, 256)}
    compacts = {f"compact {bits}" for bits in (8, 16, 32, 64, 128, 256)}
    lists = {f"{kind} of {what}" for kind in ("array", "sequence")
             for what in ("u8", "fixed size", "variable size")}  # fmt: skip
    assert integers | compacts | lists | {
        "bool", "char", "str", "compact in a struct", "bits", "sequence of nothing", "option",
        "option of what may be None", "result", "enum without fields", "enum of fixed size", "enum",
        "tuple of fixed size", "tuple", "struct of fixed size", "struct", "struct of nothing",
        "recursive", "call", "XCM",
    } <= shapes().keys()  # fmt: skip


@pytest.mark.parametrize("shape", sorted(shapes()))
def test_a_value_is_what_its_bytes_say(shape: str) -> None:
    types = shapes()[shape]

    @settings(_SETTINGS, max_examples=10)
    @given(st.data(), st.integers(0, 2**32))
    def check(data: st.DataObject, seed: int) -> None:
        dice = HypothesisDice(data.draw)
        name, type_id = types[dice.integer(0, len(types) - 1)]
        value = REGISTRIES[name].values.of(type_id, dice, room=5)
        check_value(REGISTRIES[name], type_id, value, random.Random(seed))

    check()


@pytest.mark.parametrize("shape", sorted(shapes()))
def test_many_values_are_what_their_bytes_say(shape: str) -> None:
    """Less to see when one fails than above, and many times as many."""
    types = shapes()[shape]

    @settings(_SETTINGS, max_examples=max(1, EXAMPLES // _BATCH))
    @given(st.integers(0, 2**64))
    def check(seed: int) -> None:
        source = random.Random(seed)
        for _ in range(_BATCH):
            name, type_id = source.choice(types)
            value = REGISTRIES[name].values.of(type_id, SeededDice(source), room=5)
            check_value(REGISTRIES[name], type_id, value, source)

    check()


@pytest.mark.parametrize("name", sorted(REGISTRIES))
def test_every_type_of_a_registry(name: str) -> None:
    values, _ = REGISTRIES[name]
    for type_id in values.types:
        if values.is_finite(type_id):
            source = random.Random(type_id)
            value = values.of(type_id, SeededDice(source), room=4)
            check_value(REGISTRIES[name], type_id, value, source)


def check_value(known: Registry, type_id: md.TypeId, value: object, source: random.Random) -> None:
    readings = known.readings
    raw = readings.encoders.of(type_id)(value)
    _check_whole(readings, type_id, raw, value)
    _check_between(readings, type_id, raw, value)
    for cut in source.sample(range(len(raw)), min(4, len(raw))):
        assert readings.value(type_id, raw[:cut]) == REFUSED
    for at in source.sample(range(len(raw)), min(4, len(raw))):
        new = source.choice((*_CHANGES, source.randrange(256)))
        readings.value(type_id, raw[:at] + bytes((new,)) + raw[at + 1 :])
    assert readings.value(type_id, raw + b"\0") == REFUSED


def _check_whole(readings: Readings, type_id: md.TypeId, raw: bytes, value: object) -> None:
    compiled, end = readings.compiler.type(type_id)(raw, 0, 0)
    assert end == len(raw)
    assert plain(compiled) == plain(value)
    assert plain(readings.careful_value(type_id, raw)) == plain(value)
    assert readings.encoders.of(type_id)(compiled) == raw
    assert readings.layout.size(type_id) in {None, len(raw)}


def _check_between(readings: Readings, type_id: md.TypeId, raw: bytes, value: object) -> None:
    """Not at the beginning, and not alone: among neighbours, code for it is laid out otherwise."""
    among = md.Field(None, type_id)
    data = b"\xee" + raw + raw + b"\xee" * 9
    read = readings.compiled_fields((among, among))
    both, end = read(data, 1, 0)
    assert (plain(both), end) == ((plain(value),) * 2, 1 + 2 * len(raw))
    assert readings.skip(type_id, data, 1) == 1 + len(raw)


def test_the_keys_of_every_map_are_read_back() -> None:
    runtime, values = recording.runtime(), REGISTRIES["recorded"].values
    source, read = random.Random(3), 0
    for pallet in runtime.metadata.pallets.values():
        for entry in pallet.storage.values():
            if not entry.hashers or not all(hasher in PREFIX_SIZE for hasher in entry.hashers):
                continue
            types = runtime._key_types(entry)
            keys = tuple(values.of(type_id, SeededDice(source), 3) for type_id in types)
            raw = runtime.storage_key(pallet.name, entry.name, *keys)
            assert plain(runtime.decode_storage_key(pallet.name, entry.name, raw)) == plain(keys)
            for broken in (raw + b"\0", raw[:-1], raw[: source.randrange(len(raw))]):
                with pytest.raises(DecodeError):
                    runtime.decode_storage_key(pallet.name, entry.name, broken)
            read += 1
    assert read > 100
