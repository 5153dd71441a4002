"""Whatever a stranger answers, a reader finds a value or a `Fault`, and nothing else is raised."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracles.probes import ethereum, substrate
from oracles.probes.http import HttpReply
from oracles.probes.jsonrpc import Refusal, answer, number, question
from oracles.probes.outcomes import Fault, Reason
from oracles.probes.snapshot import check_range, modified_of, size_of
from oracles.probes.targets import Chain, StatePoint

QUICKLY = settings(max_examples=60, deadline=None)
CHAIN = Chain("polkadot", genesis=b"\x91" * 32, eth_chain_id=1)
POINT = StatePoint(b"\x01" * 32, b"\x02", b"\x03")

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.from_regex(r"0x[0-9a-f]{0,70}", fullmatch=True)
    | st.builds(Refusal, st.integers(), st.text(max_size=30)),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["number", "isSyncing", "peers", "specName", "specVersion", "x"]),
        inner,
        max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip

READERS: list[Callable[[Any], object]] = [
    lambda value: substrate.check_genesis(value, CHAIN),
    substrate.head_number,
    substrate.health_facts,
    lambda value: substrate.version_facts("node", value),
    lambda value: substrate.version_facts(value, {}),
    lambda value: substrate.check_old_state(value, POINT),
    lambda value: ethereum.check_chain_id(value, CHAIN),
    lambda value: number(value, "method", bits=64),
]


def only_faults(read: Callable[[], object]) -> None:
    try:
        read()
    except Fault as fault:
        text = fault.outcome.text
    else:
        return
    assert text.isprintable()
    assert len(text) <= 201


@QUICKLY
@given(value=values)
def test_any_value_is_read_or_refused(value: Any) -> None:
    for read in READERS:
        only_faults(partial(read, value))


@QUICKLY
@given(raw=st.binary(max_size=200) | values.map(lambda v: json.dumps(v, default=str).encode()))
def test_any_bytes_are_an_answer_or_refused(raw: bytes) -> None:
    only_faults(lambda: answer(raw, 1))


@QUICKLY
@given(
    identity=st.integers(1, 99),
    body=st.dictionaries(st.sampled_from(["jsonrpc", "id", "result", "error"]), values),
)
def test_only_the_answer_to_this_question_is_taken(identity: int, body: dict[str, Any]) -> None:
    raw = json.dumps(body, default=str).encode()
    try:
        found = answer(raw, identity)
    except Fault:
        return
    assert isinstance(found, Refusal) or body["id"] == identity
    assert isinstance(found, Refusal) or "result" in body


def test_a_question_is_json_rpc_2() -> None:
    asked = json.loads(question(7, "chain_getBlockHash", (0,)))
    assert asked == {"jsonrpc": "2.0", "id": 7, "method": "chain_getBlockHash", "params": [0]}


@pytest.mark.parametrize(
    ("text", "value"), [("0x0", 0), ("0x1b", 27), ("0xffffffffffffffff", 2**64 - 1)]
)
def test_numbers_are_hexadecimal(text: str, value: int) -> None:
    assert number(text, "method", bits=64) == value


@pytest.mark.parametrize("text", ["0x", "1b", "0x-1", "0x1_0", "0x 1", "0x" + "1" * 17, "0x\uff11"])
def test_other_spellings_of_numbers_are_refused(text: str) -> None:
    with pytest.raises(Fault) as refused:
        number(text, "method", bits=64)
    assert refused.value.outcome.reason is Reason.MALFORMED


@QUICKLY
@given(
    headers=st.dictionaries(
        st.sampled_from(["content-length", "accept-ranges", "last-modified", "content-range"]),
        st.text(max_size=30) | st.sampled_from(["bytes", "1", "bytes 0-0/1"]),
    ),
    status=st.integers(100, 599),
    body=st.binary(max_size=2),
)
def test_any_headers_are_read_or_refused(headers: dict[str, str], status: int, body: bytes) -> None:
    only_faults(lambda: size_of(headers))
    only_faults(lambda: modified_of(headers))
    only_faults(lambda: check_range(HttpReply(status, headers, body, 0), 1))
