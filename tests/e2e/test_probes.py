"""Probes of well-behaved and of failing members, each against a real server on loopback."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from oracles.probes import web_socket
from oracles.probes.outcomes import Failed, Ok, Outcome, Reason, Result, Slow
from oracles.probes.prober import probe
from oracles.probes.targets import Kind, Scheme
from oracles.probes.wire import Limits
from tests.support.probed import (
    HOST,
    NEVER_LATE,
    NEVER_SLOW,
    POINT,
    POLKADOT,
    SLOW_AT,
    Authority,
    Node,
    Refused,
    http_node,
    poll,
    target,
    tools,
    until,
    ws_node,
)
from tests.support.probed import web_socket as serve_web_socket

SECURE = (Scheme.WSS, Scheme.HTTPS)
PLAIN = (Scheme.WS, Scheme.HTTP)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def serve_node(scheme: Scheme, node: Node, **options: Any) -> Any:
    return (ws_node if scheme.web_socket else http_node)(node, **options)


def outcome_of_node(node: Node, scheme: Scheme, **options: Any) -> Outcome:
    async def run() -> Outcome:
        async with serve_node(scheme, node) as port:
            return (await poll(target(port, scheme, **options), slow_at=NEVER_SLOW)).outcome

    return asyncio.run(run())


@pytest.mark.parametrize("scheme", SECURE)
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_node_is_reached_at_its_address_under_the_services_name(
    authority: Authority, scheme: Scheme, address: str
) -> None:
    node = Node()

    async def run() -> None:
        async with serve_node(scheme, node, address=address, tls=authority.server()) as port:
            one = target(port, scheme, address=address, path="/polkadot", archive=True)
            result = await until(
                lambda result: isinstance(result.outcome, Ok),
                lambda: poll(one, authority.client()),
            )
        assert isinstance(result.outcome, Ok), result
        assert result.outcome.response_time < SLOW_AT
        facts = result.facts
        assert (facts.head, facts.peers, facts.syncing) == (1_000, 40, False)
        assert (facts.spec_name, facts.spec_version) == ("polkadot", 1_006_001)
        assert facts.version == "1.19.0-abcdef"
        assert facts.certificate_expires is not None
        assert facts.connected
        assert facts.round_trip_us is not None
        assert set(node.hosts) == {f"{HOST}:{port}"}

    asyncio.run(run())


@pytest.mark.parametrize("scheme", PLAIN)
def test_a_node_without_tls_is_reached_in_tests(scheme: Scheme) -> None:
    assert isinstance(outcome_of_node(Node(), scheme), Ok)


@pytest.mark.parametrize("scheme", PLAIN)
def test_the_ethereum_rpc_of_a_node_is_asked(scheme: Scheme) -> None:
    node = Node()
    assert isinstance(outcome_of_node(node, scheme, kind=Kind.ETH), Ok)
    assert set(node.asked) == {"eth_chainId", "eth_blockNumber", "eth_syncing"}


def test_the_environments_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for scheme in PLAIN:
        assert isinstance(outcome_of_node(Node(), scheme), Ok)


def test_a_node_that_takes_its_time_is_slow() -> None:
    def right(result: Result) -> bool:
        outcome = result.outcome
        return isinstance(outcome, Slow) and 120_000 < outcome.response_time < 200_000

    async def run() -> Result:
        async with ws_node(Node(delay=0.13)) as port:
            return await until(right, lambda: poll(target(port)))

    result = asyncio.run(run())
    assert right(result), result


PRUNED = Refused(4_003, "Client error: UnknownBlock: State already discarded for 0x1111")


@pytest.mark.parametrize(
    ("reason", "answers"),
    [
        (Reason.WRONG_CHAIN, {"chain_getBlockHash": "0x" + "b0" * 32}),
        (Reason.WRONG_CHAIN, {"chain_getBlockHash": None}),
        (Reason.RPC_ERROR, {"chain_getBlockHash": Refused(-32_000, "no")}),
        (Reason.SYNCING, {"system_health": {"isSyncing": True, "peers": 9}}),
        (
            Reason.NO_PEERS,
            {"system_health": {"isSyncing": False, "peers": 0, "shouldHavePeers": True}},
        ),
        (Reason.PRUNED, {"state_getStorage": PRUNED}),
        (Reason.WRONG_STATE, {"state_getStorage": None}),
        (Reason.WRONG_STATE, {"state_getStorage": "0x0103"}),
        (Reason.RPC_ERROR, {"state_getStorage": Refused(-32_601, "Method not found")}),
        (Reason.MALFORMED, {"chain_getHeader": {"number": "0x" + "f" * 4_000}}),
        (Reason.MALFORMED, {"chain_getHeader": {"number": 10**4_000}}),
        (Reason.MALFORMED, {"chain_getHeader": {"number": True}}),
        (Reason.MALFORMED, {"chain_getHeader": []}),
        (Reason.MALFORMED, {"system_health": {"isSyncing": 0, "peers": 9}}),
        (Reason.MALFORMED, {"system_health": {"isSyncing": False, "peers": -1}}),
        (Reason.MALFORMED, {"system_version": {}}),
        (Reason.MALFORMED, {"state_getRuntimeVersion": {"specName": 1, "specVersion": "2"}}),
        (Reason.MALFORMED, {"state_getRuntimeVersion": {"specName": "x", "specVersion": 1 << 64}}),
    ],
)
def test_a_node_that_answers_wrongly_fails(reason: Reason, answers: dict[str, Any]) -> None:
    outcome = outcome_of_node(Node(answers=answers), Scheme.WS, archive=True)
    assert isinstance(outcome, Failed)
    assert outcome.reason is reason, outcome.text


def test_a_node_that_should_have_no_peers_needs_none() -> None:
    health = {"isSyncing": False, "peers": 0, "shouldHavePeers": False}
    assert isinstance(outcome_of_node(Node(answers={"system_health": health}), Scheme.WS), Ok)


def test_a_node_that_promises_no_archive_is_not_asked_for_old_state() -> None:
    node = Node(answers={"state_getStorage": PRUNED})
    assert isinstance(outcome_of_node(node, Scheme.WS), Ok)
    assert "state_getStorage" not in node.asked


def test_another_piece_of_old_state_is_asked_for_each_turn() -> None:
    """A node that keeps the pieces of one turn only is found out in another."""
    chain = replace(POLKADOT, archive=(POINT, replace(POINT, block=b"\x22" * 32)))

    async def run(turn: int) -> Outcome:
        async with ws_node(Node()) as port:
            one = target(port, archive=True, chain=chain)
            return (await poll(one, slow_at=NEVER_SLOW, turn=turn)).outcome

    assert [type(asyncio.run(run(turn))) for turn in (0, 1, 2)] == [Ok, Failed, Ok]


def test_a_node_that_falls_silent_leaves_nothing_to_trip_over() -> None:
    """Its socket's number is free again, for the next poll in the same process."""

    async def silence(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async def run() -> list[Outcome]:
        async with serve_web_socket(silence) as silent, ws_node(Node()) as port, tools() as given:
            brief = replace(given, limits=Limits(seconds=0.5), watch=NEVER_LATE)
            return [
                (await probe(target(one), brief if one == silent else given)).outcome
                for one in (silent, port, silent, port)
            ]

    first, second, third, fourth = asyncio.run(run())
    assert isinstance(first, Failed)
    assert isinstance(third, Failed)
    assert isinstance(second, Ok | Slow), second
    assert isinstance(fourth, Ok | Slow), fourth


def test_what_was_found_stands_when_only_the_good_bye_takes_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web_socket, "_CLOSE_SECONDS", 30.0)

    async def run(seconds: float) -> Outcome:
        node, polled = Node(), asyncio.Event()

        async def talk(connection: ServerConnection) -> None:
            while node.asked[-1:] != ["state_getRuntimeVersion"]:
                await connection.send(await node.reply(await connection.recv()))
            connection.transport.pause_reading()
            await polled.wait()
            connection.transport.resume_reading()

        async with serve_web_socket(talk) as port:
            limits = Limits(seconds=seconds)
            outcome = (await poll(target(port), limits=limits, slow_at=NEVER_SLOW)).outcome
            polled.set()
            return outcome

    for seconds in (1.0, 5.0, 25.0):  # enough of them to ask everything in
        if isinstance(outcome := asyncio.run(run(seconds)), Ok):
            break
    assert isinstance(outcome, Ok), outcome


@pytest.mark.parametrize(
    ("reason", "answers"),
    [
        (Reason.WRONG_CHAIN, {"eth_chainId": "0x1"}),
        (Reason.MALFORMED, {"eth_chainId": 420_420_419}),
        (Reason.MALFORMED, {"eth_blockNumber": "0x" + "1" * 17}),
        (Reason.SYNCING, {"eth_syncing": {"currentBlock": "0x1", "highestBlock": "0x2"}}),
        (Reason.MALFORMED, {"eth_syncing": True}),
        (Reason.RPC_ERROR, {"eth_syncing": Refused(-32_601, "Method not found")}),
    ],
)
def test_an_ethereum_rpc_that_answers_wrongly_fails(
    reason: Reason, answers: dict[str, Any]
) -> None:
    outcome = outcome_of_node(Node(answers=answers), Scheme.HTTP, kind=Kind.ETH)
    assert isinstance(outcome, Failed)
    assert outcome.reason is reason, outcome.text
