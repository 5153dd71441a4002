"""Encoding refuses, with `InputError`, whatever would not be read back as the same value."""

from typing import Any

import pytest

from ibp_chain.errors import InputError
from ibp_chain.scale.encoder import Encoders
from ibp_chain.scale.layout import Layout
from tests.support.odd_registry import odd_registry

ODD = odd_registry()
METADATA = ODD.metadata()
ENCODERS = Encoders(METADATA, Layout(METADATA))


def encode(name: str, value: Any) -> bytes:
    return ENCODERS.of(ODD.id(name))(value)


@pytest.mark.parametrize(
    ("name", "value", "raw"),
    [
        ("char", "😀", "00f60100"),
        ("str", "é", "08c3a9"),
        ("i256", -1, "ff" * 32),
        ("Compact<u256>", 2**256 - 1, "73" + "ff" * 32),
        ("Compact<Named>", 65535, "feff0300"),
        ("Compact<()>", (), ""),
        ("Bits<u8>", (9, b"\xff\x01"), "24ff01"),
        ("Bits<u32>", (9, b"\xff\x01\0\0"), "24ff010000"),
        ("Option<()>", (), "01"),
        ("Option<Option<Option<u32>>>", None, "00"),
        ("Option<Option<Option<u32>>>", ("Some", None), "0100"),
        ("Option<Option<Option<u32>>>", ("Some", ("Some", None)), "010100"),
        ("Option<Option<Option<u32>>>", ("Some", ("Some", 7)), "01010107000000"),
        ("Option<Perhaps>", None, "00"),
        ("Option<Perhaps>", ("Some", None), "0100"),
        ("Option<Perhaps>", ("Some", 5), "010105"),
        ("Option<(Perhaps)>", ("Some", None), "0100"),
        ("Rich", "Unit", "00"),
        ("Rich", ("Unit", ()), "00"),
        ("Rich", ("List", []), "0a00"),
        ("Chain", {"value": 1, "next": {"value": 2, "next": None}}, "01010200"),
    ],
)
def test_values_and_their_bytes(name: str, value: Any, raw: str) -> None:
    assert encode(name, value).hex() == raw


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bool", 1), ("bool", "True"), ("u8", 256), ("u8", True), ("u8", 1.0), ("u8", None),
        ("i8", 128), ("i8", -129), ("i256", 2**255), ("u256", -1), ("char", ""), ("char", "ab"),
        ("char", "\ud800"), ("str", "\ud800"), ("str", b"text"), ("str", 7),
        ("Compact<u8>", 256), ("Compact<u256>", 2**256), ("Compact<()>", 1), ("Compact<()>", 0),
        ("Compact<Wrapped>", 65536), ("Compact<u32>", -1),
        ("Vec<u8>", "00"), ("Vec<u8>", [0]), ("Vec<u32>", b"\0\0\0\0"), ("Vec<u32>", {0: 0}),
        ("[u8; 64]", b"\0" * 63), ("[u32; 3]", [1, 2]), ("[u32; 3]", [1, 2, 3, 4]),
        ("Bits<u8>", (9, b"\0")), ("Bits<u8>", (-1, b"")), ("Bits<u8>", ("8", b"\0")),
        ("Bits<u8>", (True, b"\0")), ("Bits<u8>", (8, [0])), ("Bits<u32>", (9, b"\xff\x01")),
        ("Option<Option<u32>>", 7), ("Option<Option<u32>>", ("None", 7)),
        ("Option<Option<u32>>", ("Other", 7)), ("Option<Perhaps>", 5), ("Option<u8>", ("Some", 5)),
        ("Rich", "One"), ("Rich", "List"), ("Rich", ("Unit", None)), ("Rich", ("Unit", 0)),
        ("Rich", "Nothing"), ("Rich", None), ("Rich", ("List", [], [])), ("Rich", ([], "List")),
        ("Plain", "V2"), ("Plain", 0), ("Fixed", {}), ("Chain", {"value": 1}),
        ("Chain", {"value": 1, "next": None, "more": 1}), ("(u8, str, u32)", (1, "a")),
        ("()", None), ("()", (1,)), ("Call", b"\x03\x04"), ("Call", {"pallet": "Utility"}),
    ],
)  # fmt: skip
def test_what_is_no_value_of_the_type_is_refused(name: str, value: Any) -> None:
    with pytest.raises(InputError):
        encode(name, value)
