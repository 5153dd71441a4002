"""A Substrate node by its JSON-RPC: its chain, its health, its head, its old state."""

from typing import Any

from oracles.probes import timing
from oracles.probes.jsonrpc import Refusal, Reply, Session, natural, number, refused, wanted
from oracles.probes.outcomes import Fault, Outcome, Reason, shown
from oracles.probes.targets import Chain, StatePoint, Target
from oracles.probes.wire import Limits, Poll

_PRUNED = ("discarded", "pruned", "unknownblock", "unknown block", "header was not found")
"""In the errors of nodes that no longer have a block's state, lower case."""


async def probe(session: Session, target: Target, poll: Poll) -> Outcome:
    """Asks everything, then judges. Raises `Fault` and what a session raises.

    The measured request is `chain_getHeader`: light, and of the node's own knowledge.
    """
    tools = poll.tools
    check_genesis((await session.call("chain_getBlockHash", 0)).value, target.chain)

    async def header() -> Reply:
        return await session.call("chain_getHeader")

    told, measured = await timing.measure(tools.watch, session.round_trip, header)
    poll.saw(**measured.facts())
    poll.saw(head=head_number(told.value), head_ns=tools.clock())
    health = (await session.call("system_health")).value
    version = (await session.call("system_version")).value
    runtime = (await session.call("state_getRuntimeVersion")).value
    poll.saw(**health_facts(health), **version_facts(version, runtime))
    if target.archive:
        point = target.chain.archive[tools.turn % len(target.chain.archive)]
        keys = ("0x" + point.key.hex(), "0x" + point.block.hex())
        check_old_state((await session.call("state_getStorage", *keys)).value, point)
    check_health(health, tools.limits)
    return timing.judge(measured, tools.slow_at)


def check_genesis(value: Any, chain: Chain) -> None:
    """Raises `Fault` for another chain."""
    assert chain.genesis is not None
    ours = "0x" + chain.genesis.hex()
    if isinstance(value, Refusal):
        refused(value, "chain_getBlockHash")
    if not isinstance(value, str) or value.lower() != ours:
        raise Fault(Reason.WRONG_CHAIN, f"genesis {value!r}; {chain.id} has {ours}")


def head_number(value: Any) -> int:
    """Of the best block's header. Raises `Fault`."""
    header = wanted(value, "chain_getHeader", lambda found: isinstance(found, dict), "header")
    return number(header.get("number"), "chain_getHeader", bits=32)


def health_facts(value: Any) -> dict[str, Any]:
    """What `system_health` says, in the names of `Facts`. Raises `Fault`."""
    match wanted(value, "system_health", lambda found: isinstance(found, dict), "health"):
        case {"isSyncing": bool(syncing), "peers": int(peers)} if natural(peers, bits=32):
            return {"syncing": syncing, "peers": peers}
        case _:
            raise Fault(Reason.MALFORMED, "system_health lacks isSyncing or peers")


def check_health(value: Any, limits: Limits) -> None:
    """`value` passed `health_facts`. Raises `Fault` for a node that nobody should be sent to."""
    if value["isSyncing"]:
        raise Fault(Reason.SYNCING, "is syncing")
    if value.get("shouldHavePeers", True) is not False and value["peers"] < limits.least_peers:
        raise Fault(Reason.NO_PEERS, f"has {value['peers']} peers; {limits.least_peers} are needed")


def version_facts(version: Any, runtime: Any) -> dict[str, Any]:
    """What the node and its runtime are called, in the names of `Facts`. Raises `Fault`."""
    name = wanted(version, "system_version", lambda found: isinstance(found, str), "version")
    method = "state_getRuntimeVersion"
    match wanted(runtime, method, lambda found: isinstance(found, dict), "runtime version"):
        case {"specName": str(spec), "specVersion": int(spec_version)} if natural(
            spec_version, bits=32
        ):
            return {
                "version": shown(name),
                "spec_name": shown(spec),
                "spec_version": spec_version,
            }
        case _:
            raise Fault(Reason.MALFORMED, f"{method} lacks specName or specVersion")


def check_old_state(value: Any, point: StatePoint) -> None:
    """Raises `Fault` unless `value` is what the chain had there."""
    if isinstance(value, Refusal):
        if any(word in value.message.lower() for word in _PRUNED):
            raise Fault(Reason.PRUNED, f"no state of 0x{point.block.hex()}: {value.message}")
        refused(value, "state_getStorage")
    if value != "0x" + point.value.hex():
        raise Fault(
            Reason.WRONG_STATE,
            f"0x{point.key.hex()} at 0x{point.block.hex()} is {value!r} instead of "
            f"0x{point.value.hex()}",
        )
