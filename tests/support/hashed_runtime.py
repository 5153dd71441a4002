"""The 2026 test runtime, with the metadata hash that its build left out.

`CheckMetadataHash::implicit` answers with what the build was given as `RUNTIME_METADATA_HASH`. The
published test runtime was built without (`CannotLookup` in mode 1), as every build is that does not
ask for it. Here that one function is replaced by what compiles with the hash; all the rest, the
check of the signature over it first of all, is the runtime's own. It finds the function by name:
the blob has its names.
"""

import json
from collections.abc import Iterator
from typing import NamedTuple

import zstandard

from ibp_chain.types import Hash
from scripts.public_data import chain_spec

CODE_KEY = "0x" + b":code".hex()
_COMPRESSED = bytes.fromhex("52bc537646db8e05")
_MAX_BYTES = 64 * 2**20
_CUSTOM, _IMPORT, _CODE = 0, 2, 10
_FUNCTION = "CheckMetadataHash$LT$T$GT$"
_METHOD = "8implicit17h"


def code_with_hash(expected: Hash) -> str:
    """The runtime's code as 0x hex, for the `:code` of a genesis."""
    specification = json.loads(chain_spec("paseo-2026").read_text())
    code = bytes.fromhex(specification["genesis"]["raw"]["top"][CODE_KEY][2:])
    if code.startswith(_COMPRESSED):
        plain = zstandard.ZstdDecompressor().decompress(
            code[len(_COMPRESSED) :], max_output_size=_MAX_BYTES
        )
    else:
        plain = code
    changed = _with_body(plain, _index_of_implicit(plain), _answers(expected))
    return "0x" + (_COMPRESSED + zstandard.ZstdCompressor(level=3).compress(changed)).hex()


def _answers(expected: Hash) -> bytes:
    """(result, self): `Ok(None)` in mode 0, else `Ok(Some(expected))`, as a function's body."""
    disabled = bytes.fromhex(
        "2001 2d0000 4101 47"  # the mode, at byte 0 of self, is not Enabled
        "0440 2000 4100 3a0000 0f 0b"  # Ok(None)
    )
    some = bytes.fromhex("2000 4101 3a0000")
    parts = b"".join(
        b"\x20\x00\x42"
        + _signed_leb(int.from_bytes(expected[at : at + 8], "little", signed=True))
        + b"\x37\x00"
        + bytes((1 + at,))
        for at in range(0, 32, 8)
    )
    return b"\0" + disabled + some + parts + b"\x0b"


def _with_body(wasm: bytes, index: int, body: bytes) -> bytes:
    imported = _imported_functions(wasm)
    for section in _sections(wasm):
        if section.kind == _CODE:
            count, at = _leb(wasm, section.start)
            for function in range(count):
                size, start = _leb(wasm, at)
                if function + imported == index:
                    inside = wasm[section.start : at] + _unsigned_leb(len(body)) + body
                    inside += wasm[start + size : section.end]
                    head = bytes((_CODE,)) + _unsigned_leb(len(inside))
                    return wasm[: section.head] + head + inside + wasm[section.end :]
                at = start + size
    raise AssertionError("the runtime has no such function")


def _index_of_implicit(wasm: bytes) -> int:
    (found,) = (index for index, name in _names(wasm) if _FUNCTION in name and _METHOD in name)
    return found


# --- WebAssembly ------------------------------------------------------------------------


class _Section(NamedTuple):
    kind: int
    head: int
    start: int
    end: int


def _sections(wasm: bytes) -> Iterator[_Section]:
    at = 8
    while at < len(wasm):
        size, start = _leb(wasm, at + 1)
        yield _Section(wasm[at], at, start, start + size)
        at = start + size


def _names(wasm: bytes) -> Iterator[tuple[int, str]]:
    for section in _sections(wasm):
        if section.kind != _CUSTOM:
            continue
        size, at = _leb(wasm, section.start)
        if wasm[at : at + size] != b"name":
            continue
        at += size
        while wasm[at] != 1:  # the names of functions
            length, at = _leb(wasm, at + 1)
            at += length
        _, at = _leb(wasm, at + 1)
        count, at = _leb(wasm, at)
        for _ in range(count):
            index, at = _leb(wasm, at)
            size, at = _leb(wasm, at)
            yield index, wasm[at : at + size].decode()
            at += size


def _imported_functions(wasm: bytes) -> int:
    """All imports but the memory are functions."""
    (section,) = (one for one in _sections(wasm) if one.kind == _IMPORT)
    count, at = _leb(wasm, section.start)
    functions = 0
    for _ in range(count):
        for _ in ("module", "name"):
            size, at = _leb(wasm, at)
            at += size
        kind, at = wasm[at], at + 1
        if kind == 0:
            functions += 1
            _, at = _leb(wasm, at)
        else:
            assert kind == 2, "a runtime imports functions and its memory"
            has_maximum, at = wasm[at], at + 1
            for _ in range(1 + (has_maximum & 1)):
                _, at = _leb(wasm, at)
    return functions


def _leb(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte, at = data[at], at + 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _unsigned_leb(value: int) -> bytes:
    out = bytearray()
    while True:
        value, byte = value >> 7, value & 0x7F
        out.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(out)


def _signed_leb(value: int) -> bytes:
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        done = value == -(byte >> 6)
        out.append(byte | (0 if done else 0x80))
        if done:
            return bytes(out)
