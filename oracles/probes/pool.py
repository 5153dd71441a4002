"""Many polls in one process within one slot: so many at once, few at one host, none beyond the end.

Starts are spread over part of the slot: a process that starts everything at once measures itself.
The members of one service start together: their heads are compared.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ibp_chain.errors import ConfigError
from oracles.probes.outcomes import Doubt, Result, Unknown
from oracles.probes.prober import probe
from oracles.probes.targets import Target
from oracles.probes.wire import Tools


@dataclass(frozen=True, slots=True)
class Pace:
    """How hard a poll may push. Raises `ConfigError` for what cannot be kept."""

    at_once: int = 64
    per_host: int = 4
    """At once to one address."""
    spread_seconds: float = 0.0
    """The starts are this far apart in all; 0 starts as fast as `at_once` allows."""
    deadline_seconds: float = 280.0
    """Everything ends within it; what did not is unknown."""

    def __post_init__(self) -> None:
        if self.at_once < 1 or self.per_host < 1:
            raise ConfigError("pace: at least one probe at once, in all and to one host")
        if not 0 <= self.spread_seconds <= self.deadline_seconds or self.deadline_seconds <= 0:
            raise ConfigError("pace: the starts must be spread within the deadline")


async def probe_all(
    targets: Sequence[Target],
    tools: Tools,
    pace: Pace,
    *,
    done: Callable[[int], None] = lambda _: None,
) -> tuple[Result, ...]:
    """One result per target, in their order, when all are done or the deadline is there.

    `done` is told how many are. Cancelled, it cancels every probe and closes every socket.
    """
    hosts = {target.endpoint.address: asyncio.Semaphore(pace.per_host) for target in targets}
    everywhere = asyncio.Semaphore(pace.at_once)
    results: list[Result | None] = [None] * len(targets)
    started = [False] * len(targets)
    finished = 0

    async def one(turn: int, position: int) -> None:
        nonlocal finished
        await asyncio.sleep(pace.spread_seconds * turn / len(targets))
        async with hosts[targets[position].endpoint.address], everywhere:
            started[position] = True
            results[position] = await probe(targets[position], tools)
        finished += 1
        done(finished)

    try:
        async with asyncio.timeout(pace.deadline_seconds) as deadline, asyncio.TaskGroup() as group:
            for turn, position in enumerate(_together(targets)):
                group.create_task(one(turn, position))
    except TimeoutError:
        if not deadline.expired():
            raise
    return tuple(
        result if result is not None else _unfinished(target, begun=begun)
        for target, result, begun in zip(targets, results, started, strict=True)
    )


def _together(targets: Sequence[Target]) -> list[int]:
    """Positions in the order of starting: by service, then by member."""

    def key(position: int) -> tuple[str, str, str]:
        target = targets[position]
        return target.chain.id, target.service, target.member

    return sorted(range(len(targets)), key=key)


def _unfinished(target: Target, *, begun: bool) -> Result:
    if begun:
        return Result(target, Unknown(Doubt.CUT_SHORT, "the slot's time ended during its probe"))
    return Result(target, Unknown(Doubt.NOT_POLLED, "the slot's time ended before its probe"))
