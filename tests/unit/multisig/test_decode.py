"""Two readings of a payout call: what is read, and what neither or only one of them would take."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.errors import CheckFailed
from ibp_chain.networks import network
from ibp_chain.peer_codec import PeerCodec
from ibp_chain.scale.primitives import encode_compact
from ibp_chain.scale.values import Call
from multisig.decode import Reading, decode_payout, describe, read_payout
from multisig.errors import CallRefused
from tests.support import payouts, recording
from tests.support.payouts import PASEO, batch_all, call, parts, remark

BUNDLE = payouts.bundle()
LINES = BUNDLE.statement.lines
REMARK, TRANSFERS = parts()
TEXT = REMARK.args["remark"].decode()
PREFIX = "IBP/1 payout "
HASH = f"0x{BUNDLE.statement_hash.hex()}"


def both(data: bytes) -> Reading:
    return decode_payout(recording.runtime(), recording.peer(), data, PASEO)


def theirs(data: bytes) -> Reading:
    return read_payout(recording.peer(), data, PASEO)


def assert_refused(data: bytes, said: str) -> None:
    with pytest.raises(CheckFailed, match=said):
        both(data)


def one_line(text: str) -> bytes:
    """A batch of `text` and one transfer."""
    return batch_all(remark(text), TRANSFERS[0])


# --- What is read -------------------------------------------------------------------------


def test_both_decoders_read_the_recorded_call() -> None:
    reading = both(BUNDLE.call)
    assert reading == theirs(BUNDLE.call)
    assert reading.remark == TEXT
    assert (reading.period, reading.statement) == ("2026-01", BUNDLE.statement_hash)
    assert reading.lines == tuple((line.member, line.item) for line in LINES)
    assert reading.transfers == tuple((line.payee, line.planck) for line in LINES)
    assert reading.total == BUNDLE.statement.total


def test_a_reading_is_told_call_by_call() -> None:
    first, second, *rest = describe(both(BUNDLE.call), PASEO)
    assert first == f"says that it pays 2026-01, by statement 0x{BUNDLE.statement_hash.hex()}"
    assert second == f"transfers 150.0372093023 PAS to {LINES[0].payee} for amforc/services"
    assert len(rest) == 3


def test_payees_are_shown_in_the_networks_own_addresses() -> None:
    polkadot = network("polkadot")
    reading = decode_payout(recording.runtime(), recording.peer(), BUNDLE.call, polkadot)
    accounts = [ss58_decode(line.payee) for line in LINES]
    assert [payee for payee, _ in reading.transfers] == [ss58_encode(a, 0) for a in accounts]


# --- Calls that are no payout -------------------------------------------------------------


def utility(name: str) -> bytes:
    calls = [REMARK, *TRANSFERS]
    return recording.runtime().encode_call("Utility", name, {"calls": calls})


def to(kind: str, data: bytes) -> Call:
    return call("Balances", "transfer_keep_alive", dest=(kind, data), value=1)


def transfer(name: str, **args: Any) -> Call:
    dest = TRANSFERS[0].args["dest"]
    return call("Balances", name, **{"dest": dest, **args})


ALLOW_DEATH = transfer("transfer_allow_death", value=TRANSFERS[0].args["value"])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (utility("batch"), "Utility.batch is no payout batch"),
        (utility("force_batch"), "Utility.force_batch is no payout batch"),
        (batch_all(), "Utility.batch_all is no payout batch"),
        (TRANSFERS[0].data, "Balances.transfer_keep_alive is no payout batch"),
        (batch_all(*TRANSFERS), "does not begin with a payout remark"),
        (batch_all(TRANSFERS[0], REMARK, *TRANSFERS[1:]), "does not begin with a payout remark"),
        (batch_all(remark(TEXT, "remark"), *TRANSFERS), "does not begin with a payout remark"),
        (
            batch_all(remark(TEXT.replace("IBP/1", "IBP/2")), *TRANSFERS),
            "does not begin with a payout remark",
        ),
        (batch_all(remark(" " + TEXT), *TRANSFERS), "does not begin with a payout remark"),
        (batch_all(remark(b"\xff" + TEXT.encode()), *TRANSFERS), "does not begin with a payout"),
        (batch_all(REMARK, *TRANSFERS, TRANSFERS[0]), "lists 4 lines, 5 calls follow"),
        (batch_all(REMARK, *TRANSFERS[1:]), "lists 4 lines, 3 calls follow"),
        (batch_all(REMARK), "lists 4 lines, 0 calls follow"),
        (batch_all(REMARK, ALLOW_DEATH, *TRANSFERS[1:]), "holds Balances.transfer_allow_death"),
        (
            batch_all(REMARK, *TRANSFERS[:3], transfer("transfer_all", keep_alive=True)),
            "holds Balances.transfer_all",
        ),
        (batch_all(REMARK, *TRANSFERS, REMARK), "holds System.remark_with_event"),
        (
            batch_all(REMARK, *TRANSFERS, call("System", "set_code", code=b"evil")),
            "holds System.set_code",
        ),
        (
            batch_all(REMARK, *TRANSFERS[:3], call("Utility", "batch_all", calls=[TRANSFERS[3]])),
            "holds Utility.batch_all",
        ),
        (batch_all(REMARK, *TRANSFERS[:3], to("Raw", bytes(32))), "goes to no plain account"),
        (batch_all(REMARK, *TRANSFERS[:3], to("Address32", bytes(32))), "to no plain account"),
        (batch_all(REMARK, *TRANSFERS[:3], to("Address20", bytes(20))), "to no plain account"),
        (BUNDLE.call + b"\0", "cannot read the call"),
        (BUNDLE.call[:-1], "cannot read the call"),
        (b"", "cannot read the call"),
        (b"\xff\xff", "cannot read the call"),
        (b"\x1a\x02\x04" * 2_000 + b"\x1a\x02\x00", "cannot read the call"),
    ],
)
def test_a_call_that_is_or_does_something_else_is_refused(data: bytes, said: str) -> None:
    assert_refused(data, said)


# --- Calls that only one decoder would take -----------------------------------------------


def longer_compact(data: bytes) -> bytes:
    """The first transfer's amount, in a longer form of the same number."""
    value = TRANSFERS[0].args["value"]
    short = encode_compact(value)
    assert short[0] & 3 == 3
    size = (short[0] >> 2) + 4
    padded = bytes((((size + 1 - 4) << 2) | 3,)) + value.to_bytes(size + 1, "little")
    assert data.count(short) > 1
    return data.replace(short, padded, 1)


@pytest.mark.parametrize(
    "data",
    [
        longer_compact(BUNDLE.call),
        batch_all(remark(TEXT.replace(PREFIX, PREFIX + " ")), *TRANSFERS),
        batch_all(remark(TEXT.replace(',"period"', ', "period"')), *TRANSFERS),
        batch_all(remark(TEXT.replace("}", ',"period":"2026-01"}')), *TRANSFERS),
        batch_all(remark(TEXT.replace("}", ',"tip":1}')), *TRANSFERS),
        batch_all(remark(TEXT.replace("gatotech", "amforc")), *TRANSFERS),
        batch_all(remark(TEXT.replace("gatotech", "\\u001b[2Jgatotech")), *TRANSFERS),
        batch_all(remark(TEXT.replace('"2026-01"', '"January"')), *TRANSFERS),
        batch_all(remark(TEXT + " " * 2_048), *TRANSFERS),
    ],
    ids=[
        "amount in a longer form",
        "space before the JSON",
        "space in the JSON",
        "key twice",
        "unknown key",
        "line twice",
        "escape sequence",
        "no period",
        "too long",
    ],
)
def test_what_scalecodec_takes_and_we_do_not_is_refused(data: bytes) -> None:
    assert data != BUNDLE.call
    assert theirs(data).transfers == theirs(BUNDLE.call).transfers
    assert_refused(data, "our decoder")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        "{}",
        "{",
        "[" * 1_500,
        '{"lines":["ab"],"period":"2026-01","statement":"0x' + "00" * 32 + '"}',
        '{"lines":[["a"]],"period":"2026-01","statement":"0x' + "00" * 32 + '"}',
        '{"lines":[["a",1]],"period":"2026-01","statement":"0x' + "00" * 32 + '"}',
        '{"lines":{"ab":1},"period":"2026-01","statement":"0x' + "00" * 32 + '"}',
        '{"lines":[["a","b"]],"period":1,"statement":"0x' + "00" * 32 + '"}',
        '{"lines":[["a","b"]],"period":"2026-01","statement":"0x00"}',
        '{"lines":[["a","b"]],"period":"2026-01","statement":"zz' + "00" * 32 + '"}',
        '{"lines":[["a","b"]],"period":"2026-01","statement":"0x' + "00 " * 32 + '"}',
        '{"lines":[["a","b"]],"period":"2026-01","statement":7}',
    ],
)
def test_a_remark_that_is_no_payout_is_refused_by_the_second_decoder_alone(body: str) -> None:
    with pytest.raises(CallRefused, match="the batch's remark is no payout"):
        theirs(one_line(PREFIX + body))


# --- A decoder that reads wrongly ---------------------------------------------------------


class Misreading(PeerCodec):
    """The real codec with a fault: `fault` changes what it read."""

    def __init__(self, fault: Callable[[Any], object]) -> None:
        self._fault = fault

    def decode_call(self, call: bytes) -> Any:
        value = deepcopy(recording.peer().decode_call(call))
        self._fault(value["call_args"][0]["value"])
        return value


def set_transfer(name: str, to: object) -> Callable[[Any], object]:
    def fault(calls: Any) -> None:
        (argument,) = [each for each in calls[1]["call_args"] if each["name"] == name]
        argument["value"] = to

    return fault


def set_remark(old: str, new: str) -> Callable[[Any], object]:
    def fault(calls: Any) -> None:
        argument = calls[0]["call_args"][0]
        argument["value"] = argument["value"].replace(old, new)

    return fault


FAULTS = {
    "amount": set_transfer("value", 1),
    "payee": set_transfer("dest", LINES[1].payee),
    "period": set_remark("2026-01", "2026-02"),
    "member": set_remark("gatotech", "gatotek"),
    "statement": set_remark(HASH, HASH[:-1] + "01"[HASH.endswith("0")]),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_two_readings_that_differ_are_refused_with_both(fault: Callable[[Any], object]) -> None:
    assert TEXT.count(HASH) == 1
    with pytest.raises(CallRefused, match=r"the two decoders differ: scalecodec reads .* ours "):
        decode_payout(recording.runtime(), Misreading(fault), BUNDLE.call, PASEO)


def read_as_keep_alive(calls: Any) -> None:
    transfer = calls[1]
    transfer["call_function"] = "transfer_keep_alive"
    transfer["call_args"] = [each for each in transfer["call_args"] if each["name"] != "source"]


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        (ALLOW_DEATH, read_as_keep_alive),
        (transfer("force_transfer", source=("Id", bytes(32)), value=1), read_as_keep_alive),
        (to("Address32", bytes(32)), set_transfer("dest", LINES[0].payee)),
        (to("Raw", bytes(32)), set_transfer("dest", LINES[0].payee)),
    ],
    ids=["allow death", "force transfer", "Address32", "Raw"],
)
def test_our_own_decoder_refuses_what_the_other_takes_for_a_transfer(
    call: Call, fault: Callable[[Any], object]
) -> None:
    data = batch_all(REMARK, call, *TRANSFERS[1:])
    with pytest.raises(CallRefused, match="our decoder reads something else"):
        decode_payout(recording.runtime(), Misreading(fault), data, PASEO)
