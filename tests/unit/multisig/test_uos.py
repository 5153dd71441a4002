"""UOS payloads and frames, by the layout in parity-signer's documentation.

That other implementations read them is in tests/differential.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raptorq import Decoder

from ibp_chain.errors import InputError
from ibp_chain.scale.primitives import encode_compact
from ibp_chain.signatures import Scheme
from ibp_chain.signing import extension_bytes
from multisig.qr import code, moving_svg
from multisig.uos import (
    FOUNTAIN_BYTES,
    FRAME_BYTES,
    fountain_frames,
    static_frames,
    uos_payload,
)
from tests.support.asked import asked


def test_the_payload_is_laid_out_as_documented() -> None:
    found, whole = asked(), uos_payload(asked())
    assert whole[:3] == b"\x53\x01\x02"
    assert whole[3:35] == found.curator
    assert whole[-32:] == found.context.genesis_hash
    length = encode_compact(len(found.call))
    extensions = b"".join(extension_bytes(found.context))
    assert whole[35:-32] == length + found.call + extensions
    assert uos_payload(found, Scheme.ED25519)[:3] == b"\x53\x00\x02"


@given(st.binary(min_size=1, max_size=3_000), st.integers(16, 1_500))
def test_static_frames_are_the_payload_in_pieces(payload: bytes, size: int) -> None:
    frames = static_frames(payload, size)
    assert all(frame[:3] == b"\0" + len(frames).to_bytes(2, "big") for frame in frames)
    assert [int.from_bytes(frame[3:5], "big") for frame in frames] == [*range(len(frames))]
    assert b"".join(frame[5:] for frame in frames) == payload
    assert all(len(frame) <= size + 5 for frame in frames)


@given(st.binary(min_size=1, max_size=6_000), st.data())
def test_any_of_the_fountain_frames_are_enough_if_they_are_enough(
    payload: bytes, data: st.DataObject
) -> None:
    frames = fountain_frames(payload)
    pieces = -(-len(payload) // FOUNTAIN_BYTES)
    assert len(frames) == 2 * pieces
    assert {frame[:4] for frame in frames} == {(0x80000000 | len(payload)).to_bytes(4, "big")}
    assert {len(frame) for frame in frames} == {8 + FOUNTAIN_BYTES}
    lost = data.draw(st.integers(0, len(frames) - 1))
    seen = data.draw(st.permutations([f for at, f in enumerate(frames) if at != lost]))
    decoder = Decoder.with_defaults(len(payload), FOUNTAIN_BYTES)
    whole = next(filter(None, (decoder.decode(frame[4:]) for frame in seen)), b"")
    assert bytes(whole) == payload


def test_what_makes_no_frames_is_refused() -> None:
    for payload, size in ((b"", 100), (bytes(70_000), 1), (b"x", 0)):
        with pytest.raises(InputError):
            static_frames(payload, size)
    with pytest.raises(InputError):
        fountain_frames(b"")


def test_a_frame_of_the_usual_size_is_a_code_that_a_screen_shows() -> None:
    shown = code(static_frames(bytes(FRAME_BYTES))[0])
    assert (shown.version, shown.modules) == (26, 121)
    lines = shown.terminal(coloured=False).splitlines()
    assert len(lines) == 65
    assert {len(line) for line in lines} == {129}
    assert all(
        line.startswith("\x1b[97;40m") for line in shown.terminal(coloured=True).split("\n")[:-1]
    )


def test_a_frame_that_fits_into_no_code_is_refused() -> None:
    with pytest.raises(InputError, match="choose smaller frames"):
        code(bytes(2_400))


def test_all_frames_move_in_one_picture() -> None:
    codes = [code(frame) for frame in static_frames(bytes(500), 200)]
    text = moving_svg(codes, milliseconds=300).decode()
    assert text.count("<g ") == text.count("<animate ") == len(codes) == 3
    assert 'dur="0.9s"' in text
    assert 'values="none;inline;none"' in text
