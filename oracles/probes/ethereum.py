"""A node's Ethereum JSON-RPC: its chain id, its head, whether it syncs."""

from typing import Any

from oracles.probes import timing
from oracles.probes.jsonrpc import Reply, Session, number, wanted
from oracles.probes.outcomes import Fault, Outcome, Reason
from oracles.probes.targets import Chain, Target
from oracles.probes.wire import Poll


async def probe(session: Session, target: Target, poll: Poll) -> Outcome:
    """Raises `Fault` and what a session raises. The measured request is `eth_blockNumber`."""
    tools = poll.tools
    check_chain_id((await session.call("eth_chainId")).value, target.chain)

    async def block_number() -> Reply:
        return await session.call("eth_blockNumber")

    told, measured = await timing.measure(tools.watch, session.round_trip, block_number)
    poll.saw(**measured.facts())
    poll.saw(head=number(told.value, "eth_blockNumber", bits=64), head_ns=tools.clock())
    check_syncing((await session.call("eth_syncing")).value, poll)
    return timing.judge(measured, tools.slow_at)


def check_chain_id(value: Any, chain: Chain) -> None:
    """Raises `Fault` for another chain."""
    found = number(value, "eth_chainId", bits=64)
    if found != chain.eth_chain_id:
        raise Fault(Reason.WRONG_CHAIN, f"chain id {found}; {chain.id} has {chain.eth_chain_id}")


def check_syncing(value: Any, poll: Poll) -> None:
    """`eth_syncing` answers false, or an object of its progress. Raises `Fault`."""
    wanted(value, "eth_syncing", lambda found: found is False or isinstance(found, dict), "answer")
    poll.saw(syncing=value is not False)
    if value is not False:
        raise Fault(Reason.SYNCING, "is syncing")
