"""Compiled decoders on a registry of odd shapes, and on registries made to harm."""

import time
import tracemalloc
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from ibp_chain.errors import DecodeError
from ibp_chain.scale import metadata as md
from ibp_chain.scale.compiler import FAILURES
from ibp_chain.scale.input import MAX_DEPTH
from ibp_chain.scale.primitives import encode_compact
from ibp_chain.scale.values import Call
from tests.support import recording
from tests.support.odd_registry import Registry, odd_registry
from tests.support.readings import REFUSED, Readings

ODD = odd_registry()
READINGS = Readings(ODD.metadata(16))


def read(name: str, raw: bytes) -> Any:
    """By both decoders; fails where they disagree."""
    return READINGS.value(ODD.id(name), raw)


def read_compiled(name: str, raw: bytes) -> Any:
    """By the compiled decoder alone, so that it is known not to leave the work to the other."""
    value, end = READINGS.compiler.type(ODD.id(name))(raw, 0, 0)
    assert end == len(raw)
    return value


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("()", "", ()),
        ("char", "00f60100", "😀"),
        ("char", "ff d7 00 00", "\ud7ff"),
        ("i256", "ff" * 32, -1),
        ("i8", "80", -128),
        ("i128", "00" * 15 + "80", -(2**127)),
        ("u256", "ff" * 32, 2**256 - 1),
        ("Compact<u256>", "73" + "ff" * 32, 2**256 - 1),
        ("Compact<Named>", "feff0300", 65535),
        ("Compact<()>", "", ()),
        ("Bits<u8>", "24ff01", (9, b"\xff\x01")),
        ("Bits<u64>", "24ff01" + "00" * 6, (9, b"\xff\x01" + bytes(6))),
        ("[[u16; 2]; 3]", "010002000300040005000600", [[1, 2], [3, 4], [5, 6]]),
        ("[str; 2]", "0461 00", ["a", ""]),
        ("[char; 0]", "", []),
        ("[u8; 0]", "", b""),
        ("Vec<[u8; 0]>", "00", []),
        ("Vec<()>", "00", []),
        ("Option<()>", "01", ()),
        ("Option<()>[2]", "0100", [(), None]),
        ("Option<Option<Option<u32>>>", "010100", ("Some", ("Some", None))),
        ("Option<Perhaps>", "0100", ("Some", None)),
        ("Option<Perhaps>", "00", None),
        ("Option<(Perhaps)>", "010105", ("Some", 5)),
        ("Quotes", "01020304", {"it's": 1, 'a "name"': 2, "\\n{}\n": 3, "p": 4}),
        ("Rich", "00", ("Unit", ())),
        ("Plain", "ff", "V255"),
        ("Even", "0107000000", ("B", 7)),
        ("(u8, (u64), bool)", "01 0200000000000000 01", (1, 2, True)),
        ("Empty", "", ()),
        ("Chain", "01010200", {"value": 1, "next": {"value": 2, "next": None}}),
    ],
)  # fmt: skip
def test_bytes_and_their_values(name: str, raw: str, value: Any) -> None:
    data = bytes.fromhex(raw)
    assert read(name, data) == read_compiled(name, data) == value
    assert READINGS.skip(ODD.id(name), data) == len(data)
    assert read(name, data + b"\0") == REFUSED


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("bool", "02"), ("bool", "ff"), ("Option<u8>", "0205"), ("Option<()>", "02"),
        ("char", "00d80000"), ("char", "ffdf0000"), ("char", "00001100"), ("char", "ffffffff"),
        ("char", "00000080"), ("[u8; 64]", "00" * 63),
        ("str", "04ff"), ("str", "08c3"), ("str", "0ceda080"), ("str", "08"),
        ("Compact<u8>", "0104"), ("Compact<u16>", "02000400"), ("Compact<u32>", "0700000000 01"),
        ("Compact<u64>", "17" + "00" * 8 + "01"), ("Compact<u128>", "37" + "00" * 16 + "01"),
        ("Compact<u256>", "77" + "00" * 32 + "01"),
        ("Compact<u32>", "0100"), ("Compact<u32>", "fd00"), ("Compact<u32>", "02000000"),
        ("Compact<u32>", "feff0000"), ("Compact<u32>", "03ffffff3f"),
        ("Compact<u64>", "0700ffffff00"), ("Compact<Wrapped>", "02000400"),
        ("Compact<u256>", "ff" + "00" * 67), ("Compact<u8>", "fd00"),
        ("Vec<u8>", "0100" + "00" * 64), ("Vec<str>", "fe"), ("Vec<u32>", "0b" + "ff" * 6),
        ("Plain", "02"), ("Rich", "03"), ("Result", "02"), ("Expression", "03"),
        ("Bits<u32>", "24ff01"), ("Bits<u8>", "03ffffffff"), ("Bits<u8>", "ff" + "ff" * 67),
        ("Vec<()>", "04"), ("Vec<()>", "fcffffff"), ("Vec<[u8; 0]>", "04"),
        ("Call", "0300"), ("Call", "0301"), ("Call", "0400"), ("Call", "03"), ("Call", ""),
    ],
)  # fmt: skip
def test_what_is_no_value_of_the_type_is_refused(name: str, raw: str) -> None:
    data = bytes.fromhex(raw)
    assert read(name, data) == REFUSED


@pytest.mark.parametrize("name", sorted(ODD.ids))
def test_counts_and_tags_beyond_all_measure(name: str) -> None:
    for size in (1, 4, 64, 200):
        for filling in (b"\xff", b"\xfe", b"\x03", b"\xfc", b"\x80", b"\x02", b"\x01"):
            read(name, filling * size)


# --- Depth --------------------------------------------------------------------------------

REMARK = bytes((3, 0, 4, 7))
_SHELLS = {"batch": b"\x03\x02\x04", "maybe": b"\x03\xfa\x01"}


@pytest.mark.parametrize("shell", _SHELLS.values(), ids=_SHELLS)
def test_calls_nest_as_deep_as_the_runtime_lets_them(shell: bytes) -> None:
    deep = shell * 256 + REMARK
    call = read("Call", deep)
    assert isinstance(call, Call)
    assert read_compiled("Call", deep) == call
    assert call.data == deep
    assert read("Call", shell * 257 + REMARK) == REFUSED


def test_calls_nest_on_the_left_as_on_the_right() -> None:
    either = b"\x03\x03"
    assert read("Call", either * 256 + REMARK * 257) != REFUSED
    assert read("Call", either * 257 + REMARK * 258) == REFUSED
    right = (either + REMARK) * 256 + REMARK
    assert read("Call", right) != REFUSED


@pytest.mark.parametrize(
    ("name", "level", "end", "counts"),
    [
        ("Chain", b"\x05\x01", b"\x05\x00", 2),  # the struct and its Option
        ("Tree", b"\x00\x04", b"\x00\x00", 2),
        ("Expression", b"\x01", b"\x00\x04", 1),
    ],
)
def test_what_holds_itself_is_read_to_a_depth(
    name: str, level: bytes, end: bytes, counts: int
) -> None:
    most = MAX_DEPTH // counts - 1
    ends = end if name != "Expression" else end * (most + 1)
    assert read(name, level * most + ends) != REFUSED
    ends = end if name != "Expression" else end * (most + 2)
    assert read(name, level * (most + 1) + ends) == REFUSED
    assert read(name, level * 100_000) == REFUSED


def test_real_messages_nest_to_the_same_depth() -> None:
    metadata = recording.runtime().metadata
    both, seen = Readings(metadata), 0
    for type_id, found in metadata.types.items():
        if found.path[-1:] == ("Instruction",) and type_id in both.layout.counted:
            variants = md.variants_of(metadata, type_id)
            (index,) = (each.index for each in variants if each.name == "SetAppendix")
            level = bytes((index, 4))
            deep = level * (MAX_DEPTH - 1) + bytes((index, 0))
            assert both.value(type_id, deep) != REFUSED
            assert both.compiler.type(type_id)(deep, 0, 0)[1] == len(deep)
            assert both.value(type_id, level + deep) == REFUSED
            seen += 1
    assert seen >= 4


# --- Extrinsics -----------------------------------------------------------------------------


def extrinsic(*parts: bytes) -> bytes:
    body = b"".join(parts)
    return encode_compact(len(body)) + body


ERA, TIP, MODE = b"\x02\x01", b"\x04", b"\x00"


@pytest.mark.parametrize(
    ("parts", "extensions"),
    [
        ((b"\x04",), {}),
        ((b"\x05",), {}),
        ((b"\x84", b"\x01", bytes(64), ERA, TIP, MODE), {"Era": 258, "Tip": 1, "Mode": None}),
        ((b"\x45\x00", ERA, TIP, MODE), {"Era": 258, "Tip": 1, "Mode": None}),
        ((b"\x45\x01",), {}),
        ((b"\x45\x07", MODE, ERA), {"Mode": None, "Era": 258}),
    ],
)
def test_extrinsics_of_every_kind(parts: tuple[bytes, ...], extensions: dict[str, Any]) -> None:
    raw = extrinsic(*parts, REMARK)
    found = READINGS.extrinsic(raw)
    assert found.extensions == extensions
    assert found.call.data == REMARK
    assert READINGS.compiled_extrinsic(raw) == found


@pytest.mark.parametrize(
    "parts",
    [
        (b"\x00",), (b"\x03",), (b"\x06",), (b"\x44",), (b"\x85", bytes(80)), (b"\xc4",),
        (b"\xff",),
        (b"\x45\x02",), (b"\x45\xff",), (b"\x45\x07", ERA, MODE), (b"\x84", b"\x02", bytes(67)),
        (b"\x45",), (b"\x05\x00",),
    ],
)  # fmt: skip
def test_extrinsics_of_no_kind_are_refused(parts: tuple[bytes, ...]) -> None:
    assert READINGS.extrinsic(extrinsic(*parts, REMARK)) == REFUSED


def test_an_extrinsic_is_as_long_as_it_says() -> None:
    raw = extrinsic(b"\x04", REMARK)
    for broken in (raw + b"\0", raw[:-1], bytes((raw[0] + 4,)) + raw[1:], b"", b"\0",
                   extrinsic(b"\x04", REMARK, b"\0"), raw[:1]):  # fmt: skip
        assert READINGS.extrinsic(broken) == REFUSED


# --- Registries made to harm ------------------------------------------------------------------


def readings(registry: Registry) -> Readings:
    call = registry.add("Call!", md.Variants(()))
    registry.add("()!", md.Tuple(()))
    unit = registry.id("()!")
    return Readings(
        md.Metadata(14, registry.types, {}, md.ExtrinsicFormat(unit, call, unit, (), {0: ()}))
    )


@pytest.mark.parametrize("leaf", ["u8", "str"])
def test_types_that_double_at_every_step_are_read_without_end(leaf: str) -> None:
    registry = Registry()
    registry.add("0", md.Primitive("u8" if leaf == "u8" else "str"))
    for at in range(1, 60):
        registry.struct(str(at), left=str(at - 1), right=str(at - 1))
    began, both = time.process_time(), readings(registry)
    assert both.value(registry.id("59"), bytes(1000)) == REFUSED
    assert both.skip(registry.id("59"), bytes(1000)) != 1000
    ten = both.value(registry.id("10"), bytes(1024))
    assert ten["right"]["left"]["right"]["left"] != ten["right"]["left"]["right"]
    assert time.process_time() - began < 5


def test_types_that_widen_at_every_step_are_read_without_end() -> None:
    registry = Registry()
    registry.add("0", md.Primitive("str"))
    for at in range(1, 20):
        registry.add(str(at), md.Tuple((registry.id(str(at - 1)),) * 40))
    began, both = time.process_time(), readings(registry)
    assert both.value(registry.id("19"), bytes(1000)) == REFUSED
    assert both.value(registry.id("2"), bytes(1600)) != REFUSED
    assert time.process_time() - began < 5


def test_structs_in_structs_are_read_however_deep() -> None:
    registry = Registry()
    registry.add("0", md.Primitive("u8"))
    for at in range(1, 90):
        registry.struct(str(at), of=str(at - 1))
    both = readings(registry)
    value = both.value(registry.id("89"), b"\7")
    for _ in range(89):
        value = value["of"]
    assert value == 7


def test_long_ways_around_a_cycle_end_in_a_refusal() -> None:
    registry = Registry()
    for at in range(90):
        registry.struct(str(at), of=str(at + 1))
    registry.enum("90", registry.variant("End", 0), registry.variant("On", 1, "0"))
    both = readings(registry)
    assert both.value(registry.id("0"), b"\1\0") != REFUSED
    for size in (*range(2, 10), 254, 255, 256, 257, 5000):
        assert both.value(registry.id("0"), b"\1" * size + b"\0") == REFUSED


def test_an_array_larger_than_memory_is_refused() -> None:
    registry = Registry()
    registry.add("u8", md.Primitive("u8"))
    registry.add("u16", md.Primitive("u16"))
    for name in ("u8", "u16"):
        registry.add(f"[{name}]", md.Array(2**32 - 1, registry.id(name)))
        registry.add(f"[[{name}]]", md.Array(2**32 - 1, registry.id(f"[{name}]")))
        registry.add(f"[[[{name}]]]", md.Array(2**32 - 1, registry.id(f"[[{name}]]")))
        registry.struct(f"S{name}", a=f"[[[{name}]]]", b=f"[{name}]", c=name)
        registry.sequence(f"S{name}")
        registry.sequence(f"[[{name}]]")
    both = readings(registry)
    for type_id in registry.ids.values():
        if type_id in both.layout.types:
            assert both.value(type_id, b"\4" * 1000) == REFUSED
            both.skip(type_id, b"\4" * 1000)


def test_the_runtimes_call_is_a_call_whatever_its_type_looks_like() -> None:
    metadata = ODD.metadata()
    plain = replace(metadata, extrinsic=replace(metadata.extrinsic, call=ODD.id("Plain")))
    both = Readings(plain)
    for type_id in (ODD.id("Plain"), ODD.id("Vec<Plain>")):
        for raw in (b"\x04\x03\x04", b"\x03\x04", b"\x01"):
            both.value(type_id, raw)


# --- Time and memory ------------------------------------------------------------------------

_SMALL, _LARGE = 2**12, 2**20
_VECTORS = [name for name in ODD.ids if name.startswith("Vec<")]
_HOSTILE = [*_VECTORS, "Call", "Tree", "Expression", "Chain", "str"]


def hostile(size: int) -> list[bytes]:
    """Inputs of that size whose counts promise what may be there, or more."""
    body = size - 5
    return [
        encode_compact(body) + bytes(body),
        encode_compact(body) + b"\1" * body,
        encode_compact(body // 2) + bytes(body),
        encode_compact(body // 2) + b"\4" * body,
        encode_compact(2**32 - 1) + bytes(body),
        b"\3\2" * (body // 2),
    ]


def test_hostile_bytes_take_a_multiple_of_their_size_in_memory() -> None:
    # an element of a byte may be a dict in Python: that is the multiple, and there is no more
    for name in _HOSTILE:
        read(name, b"")  # compiled before anything is measured
        for raw in hostile(_SMALL):
            tracemalloc.start()
            try:
                read(name, raw)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            assert peak < 500 * _SMALL, (name, raw[:8])


@pytest.mark.parametrize("name", ["Vec<str>", "Vec<Fixed>", "Call", "Tree"])
def test_a_hostile_megabyte_ends_within_seconds(name: str) -> None:
    for raw in hostile(_LARGE)[::2]:
        began = time.process_time()
        read(name, raw)
        assert time.process_time() - began < 10


def test_reading_raises_nothing_but_what_the_contract_names() -> None:
    for name, type_id in ODD.ids.items():
        for raw in (b"", b"\xff" * 40, bytes(5)):
            with suppress(*FAILURES):
                READINGS.compiler.type(type_id)(raw, 0, 0)
            if read(name, raw) == REFUSED:
                with pytest.raises(DecodeError, match=r"\(at byte \d+\)"):
                    READINGS.careful_value(type_id, raw)
