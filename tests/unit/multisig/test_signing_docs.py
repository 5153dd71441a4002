"""`docs/signing.md` names every refusal, field and number, and its examples are true."""

import re

import pytest

from ibp_chain.cli import signing
from multisig.eras import MINUTES_PER_PERSON, PEOPLE, longest_period
from multisig.errors import Refusal
from multisig.qr import code
from multisig.signer_payload import SignerPayload
from multisig.uos import FOUNTAIN_BYTES, FRAME_BYTES, fountain_frames, static_frames, uos_payload
from tests.support import recording
from tests.support.asked import asked
from tests.support.command_line import ROOT, assert_done, ibp

TEXT = (ROOT / "docs" / "signing.md").read_text()
PAYLOAD = uos_payload(asked())


@pytest.mark.parametrize("refusal", list(Refusal))
def test_every_refusal_is_explained(refusal: Refusal) -> None:
    assert f"\n| {refusal} | " in TEXT


def test_every_field_of_the_payload_file_is_named() -> None:
    for field in SignerPayload.model_fields.values():
        assert f"`{field.alias}`" in TEXT


def test_every_option_that_is_named_exists() -> None:
    helps = "".join(
        assert_done(ibp("multisig", name, "--help", env={"COLUMNS": "200"}))
        for name in ("payload", "qr", "submit", "keystore", "approve")
    )
    named = set(re.findall(r"--[a-z][a-z0-9-]+", TEXT))
    assert len(named) > 12
    assert not {option for option in named if option not in helps}


@pytest.mark.parametrize("size", [256, 300, 512, FRAME_BYTES])
def test_the_sizes_of_static_frames_are_true(size: int) -> None:
    codes = [code(frame) for frame in static_frames(PAYLOAD, size)]
    first = codes[0]
    name = f"{size} (default)" if size == FRAME_BYTES else str(size)
    row = f"| {name} | {len(codes)} | {len(first.frame)} bytes | {first.version} |"
    assert f"{row} {first.modules} x {first.modules} |" in TEXT
    assert f"is {len(PAYLOAD)} bytes" in TEXT


def test_the_size_of_fountain_frames_is_true() -> None:
    codes = [code(frame) for frame in fountain_frames(PAYLOAD)]
    first = codes[0]
    row = f"| `--fountain` | {len(codes)} | {len(first.frame):,} bytes | {first.version} |"
    assert f"{row} {first.modules} x {first.modules} |" in TEXT
    assert f"RaptorQ packet of {FOUNTAIN_BYTES:,} bytes" in TEXT
    columns = len(first.terminal(coloured=False).split("\n")[0])
    assert columns == first.modules + 8


def test_what_is_assumed_of_people_is_what_is_warned_by() -> None:
    assert f"**{MINUTES_PER_PERSON} minutes** for each" in TEXT
    assert f"**{PEOPLE} people**" in TEXT
    assert f"{PEOPLE * MINUTES_PER_PERSON} minutes" in TEXT
    assert f"{longest_period(recording.runtime()):,} on all our chains" in TEXT


def test_the_commands_are_those_of_the_page() -> None:
    for command in (signing.payload, signing.qr, signing.submit, signing.keystore):
        assert f"ibp multisig {command.__name__} " in TEXT
