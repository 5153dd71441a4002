"""Generated values of every type of a real runtime, read by scalecodec: the same leaves in the same
order.

`make test` makes a few values for each shape of type. The campaign makes as many as it is told:

    SCALE_EXAMPLES=10000 .venv/bin/python -m pytest tests/differential/test_scale_shapes_peers.py

Normalised away, beyond what `tests.support.leaves` does: `{"Name": None}`, which is the name alone
to it, be it of a variant without fields or of the one field, or the one variant's, that is None.
Left out are the types that
scalecodec reads by a rule of its own instead of the registry's, and all types that hold one:

* an era, shown as (period, phase), and refused where the phase is beyond the period;
* a vote, refused where its conviction is none of the seven, which the registry does not know;
* the runtime's event and its record, shown with the pallet's and the event's name
  (`test_scale_peers` compares those);
* a bit sequence, shown as text of all bits without their number (compared below);
* `[u8; 0]`, shown as a list;
* `Compact<()>`, of which scalecodec reads a byte that parity-scale-codec does not write: the type
  of an address by index, so that such addresses are left out, too;
* the runtime's call: calls are compared one by one.
"""

import os
import random
from collections import defaultdict
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ibp_chain.runtime import Runtime
from ibp_chain.scale import metadata as md
from tests.support import recording
from tests.support.leaves import their_leaves
from tests.support.readings import Readings
from tests.support.scale_values import SeededDice, Values, shape_of

EXAMPLES = int(os.environ.get("SCALE_EXAMPLES", "20"))
"""Values for each shape."""
_BATCH = 20
_OWN_RULES = {"Era", "Vote", "RuntimeEvent", "EventRecord"}


@cache
def values() -> Values:
    raw = recording.source().metadata_v14(recording.SPEC_VERSION)  # which is what scalecodec reads
    return Values(Runtime.from_metadata(raw).metadata)


@cache
def readings() -> Readings:
    return Readings(values().metadata)


@cache
def omitted() -> set[md.TypeId]:
    """The types that are left out."""
    types = values().types
    found = {
        type_id
        for type_id, each in types.items()
        if (each.path and each.path[-1] in _OWN_RULES)
        or isinstance(each.definition, md.BitSequence)
        or (isinstance(each.definition, md.Array) and each.definition.length == 0)
    } | {values().metadata.extrinsic.call}
    while True:
        more = {
            type_id
            for type_id, each in types.items()
            if type_id not in found and not found.isdisjoint(md.types_in(each))
        }
        if not more:
            return found | empty_compacts()
        found |= more


@cache
def empty_compacts() -> set[md.TypeId]:
    """`Compact<()>`, which is `()` to us."""
    return {
        field.type
        for each in values().types.values()
        if each.path[-1:] == ("MultiAddress",) and isinstance(each.definition, md.Variants)
        for variant in each.definition.variants
        if variant.name == "Index"
        for field in variant.fields
    }


def _is_misread(value: Any) -> bool:
    """Whether an address by index is in it."""
    return "('Index', ())" in repr(value)


@cache
def shapes() -> dict[str, list[md.TypeId]]:
    """Shape to the types that are compared."""
    found: dict[str, list[md.TypeId]] = defaultdict(list)
    for type_id in values().types:
        if values().is_finite(type_id) and type_id not in omitted():
            found[shape_of(values().layout, type_id)].append(type_id)
    return found


def test_few_types_are_left_out() -> None:
    compared = sum(map(len, shapes().values()))
    assert compared > 0.9 * len(values().types)
    assert {"XCM", "enum", "struct", "compact in a struct"} <= shapes().keys()


@pytest.mark.parametrize("shape", sorted(shapes()))
def test_values_read_as_scalecodec_reads_them(shape: str) -> None:
    types = shapes()[shape]

    @settings(
        max_examples=max(1, EXAMPLES // _BATCH),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 2**64))
    def check(seed: int) -> None:
        source = random.Random(seed)
        for _ in range(_BATCH):
            _check_value(source.choice(types), source)

    check()


def test_every_type_reads_as_scalecodec_reads_it() -> None:
    for types in shapes().values():
        for type_id in types:
            _check_value(type_id, random.Random(type_id))


def test_every_call_reads_as_scalecodec_reads_it() -> None:
    source, compared = random.Random(11), 0
    for pallet in values().metadata.pallets.values():
        for variant in md.variants_of(values().metadata, pallet.calls):
            if omitted().isdisjoint(field.type for field in variant.fields):
                args = values().fields(variant.fields, SeededDice(source), 4)
                while _is_misread(args):
                    args = values().fields(variant.fields, SeededDice(source), 4)
                raw = bytes((pallet.index, variant.index))
                raw += readings().encoders.fields(variant.fields)(args)
                call = readings().value(values().metadata.extrinsic.call, raw)
                theirs = recording.peer().decode_call(raw)
                assert str(call) == f"{theirs['call_module']}.{theirs['call_function']}"
                ours = [
                    leaf
                    for field in variant.fields
                    for leaf in _leaves(field.type, call.args[field.name])
                ]
                assert ours == their_leaves(theirs)
                compared += 1
    assert compared > 250


def test_bits_are_those_that_scalecodec_reads() -> None:
    source = random.Random(7)
    for type_id, found in values().types.items():
        if isinstance(found.definition, md.BitSequence):
            for _ in range(50):
                count, octets = values().of(type_id, SeededDice(source))
                theirs = _theirs(type_id, readings().encoders.of(type_id)((count, octets)))
                assert int(theirs[2:] or "0", 2) == int.from_bytes(octets, "little")


def _check_value(type_id: md.TypeId, source: random.Random) -> None:
    value = values().of(type_id, SeededDice(source), room=4)
    raw = readings().encoders.of(type_id)(value)
    if _is_misread(value):
        return
    if b"0x" in raw:  # text to scalecodec, and then not to be told from its hex
        return
    ours = readings().value(type_id, raw)
    found = values().types[type_id]
    assert _leaves(type_id, ours) == their_leaves(_theirs(type_id, raw)), (type_id, found.path)


def _theirs(type_id: md.TypeId, raw: bytes) -> Any:
    scale = recording.peer()._new(f"scale_info::{type_id}", raw)
    value = scale.decode()
    assert scale.data.get_remaining_length() == 0
    return value


def _leaves(type_id: md.TypeId, value: Any) -> list[int | bytes]:
    """As `tests.support.leaves.leaves`, by type: (name, value) may be a variant or a tuple."""
    layout = values().layout
    match layout.types[type_id].definition:
        case md.Composite(fields):
            return _leaves_of_fields(fields, value)
        case md.Tuple(items):
            return _leaves_of_fields([md.Field(None, item) for item in items], value)
        case md.Sequence(item) | md.Array(_, item) if not isinstance(value, bytes):
            return [leaf for each in value for leaf in _leaves(item, each)]
        case md.Variants(variants):
            some = layout.some_type(type_id)
            if some is not None:
                inner = value[1] if value and layout.may_be_none(some) else value
                return [] if value is None else _leaves(some, inner)
            name, payload = (value, ()) if isinstance(value, str) else value
            (variant,) = (variant for variant in variants if variant.name == name)
            inner = [layout.types[field.type].definition for field in variant.fields]
            if inner in ([], [md.Tuple(())]) or (payload is None and len(inner) == 1):
                return [name.encode()]
            return _leaves_of_fields(variant.fields, payload)
    return [value.encode() if isinstance(value, str) else value]


def _leaves_of_fields(fields: Any, value: Any) -> list[int | bytes]:
    if not fields:
        return []
    if len(fields) == 1 and value == {fields[0].name: None}:
        return [fields[0].name.encode()]
    if fields[0].name is not None:
        parts = [value[field.name] for field in fields]
    else:
        parts = [value] if len(fields) == 1 else list(value)
    return [
        leaf
        for field, part in zip(fields, parts, strict=True)
        for leaf in _leaves(field.type, part)
    ]
