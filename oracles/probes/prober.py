"""One poll of one target, from the dial to a `Result`. It never raises for what a target does."""

import asyncio

from oracles.probes import boot, ethereum, http, snapshot, substrate, web_socket
from oracles.probes.faults import outcome_of
from oracles.probes.jsonrpc import Session
from oracles.probes.outcomes import Doubt, Failed, Outcome, Reason, Result, Unknown
from oracles.probes.targets import Kind, Target
from oracles.probes.wire import Poll, Tools

_STANDSTILL_SECONDS = 0.25
"""A loop that was late by less did not cost anybody the time that a target has."""


async def probe(target: Target, tools: Tools) -> Result:
    """Polls `target` within the time of `tools.limits`. Only cancellation is raised."""
    poll = Poll(tools)
    start = tools.clock()
    try:
        async with asyncio.timeout(tools.limits.seconds) as deadline:
            outcome = await _talk(target, poll)
    except Exception as error:  # noqa: BLE001 - one target never takes the others along
        if poll.outcome is not None:
            outcome = poll.outcome  # it was only the good-bye that failed
        elif isinstance(error, TimeoutError) and deadline.expired():
            outcome = _late(poll, tools.watch.worst_since(start))
        else:
            outcome = outcome_of(error, clock_sound=tools.clock_sound)
    return Result(target, outcome, poll.facts)


async def _talk(target: Target, poll: Poll) -> Outcome:
    """What is found is noted in `poll` before the connection is closed."""
    web = target.endpoint.scheme.web_socket
    match target.kind:
        case Kind.BOOT:
            poll.outcome = await boot.probe(target, poll)
        case Kind.SNAPSHOT:
            async with http.opened(target.endpoint, poll) as client:
                poll.outcome = await snapshot.probe(client, poll)
        case Kind.RPC | Kind.ETH if web:
            async with web_socket.opened(target.endpoint, poll) as connection:
                session = web_socket.WebSocketSession(connection, poll)
                poll.outcome = await _ask(session, target, poll)
        case Kind.RPC | Kind.ETH:
            async with http.opened(target.endpoint, poll) as client:
                poll.outcome = await _ask(http.HttpSession(client), target, poll)
    assert poll.outcome is not None
    return poll.outcome


async def _ask(session: Session, target: Target, poll: Poll) -> Outcome:
    ask = substrate.probe if target.kind is Kind.RPC else ethereum.probe
    return await ask(session, target, poll)


def _late(poll: Poll, own_lag_ns: int) -> Outcome:
    """The time is up; ours to answer for when our own loop stood still for a good part of it."""
    seconds = poll.tools.limits.seconds
    if own_lag_ns > max(seconds / 10, _STANDSTILL_SECONDS) * 1e9:
        return Unknown(
            Doubt.OWN_LOOP, f"no answer in {seconds:g} s, of which this oracle was busy in between"
        )
    if poll.facts.connected:
        return Failed(Reason.TIMEOUT, f"no complete answer in {seconds:g} s")
    return Failed(Reason.NO_CONNECTION, f"no connection in {seconds:g} s")
