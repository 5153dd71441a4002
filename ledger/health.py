"""Whether a follower does its work: a verdict on a `Progress`, by named limits and a clock."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from ibp_chain.http_server import Fact, Health
from ledger.progress import Progress


class Verdict(IntEnum):
    """From well to bad."""

    OK = 0
    LAGGING = 1
    """Behind the chain, and at work: a backfill, a busy hour, a node that is set aside."""
    STALLED = 2
    """Nothing was read, recorded, applied or committed for too long."""
    FAILED = 3
    """Following has ended, by an error or because it was asked to."""


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on it is no longer well; a relay chain finalises a block every 6 seconds."""

    lag_blocks: int = 20
    """Heights behind the finalised head that are no lag yet."""
    lag_seconds: float = 180.0
    """Age of the last block, by its own time, that is no lag yet."""
    stalled_seconds: float = 600.0
    """Without a commit, and without a block or an entry of storage on the way to one."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """A verdict with its reasons, and the numbers that it is from."""

    verdict: Verdict
    reasons: tuple[str, ...]
    """In words for people; none where it is well."""
    lag_blocks: int | None
    lag_seconds: float | None
    """Since the last applied block's own time."""
    idle_seconds: float
    """Since anything was read, recorded, applied or committed, or since the start."""
    stuck: bool
    """There are blocks to be had, and nothing was done for too long: a restart may help."""


def assess(
    progress: Progress, now_ms: int, begun_ms: int, limits: Limits | None = None
) -> Assessment:
    """`now_ms` is the time by the clock of the `Meter`, `begun_ms` when the process began."""
    limits = limits or Limits()
    idle = (now_ms - _worked_ms(progress, begun_ms)) / 1_000
    age = None if progress.block_time_ms is None else (now_ms - progress.block_time_ms) / 1_000
    found = [
        *_ended(progress),
        *_idle(progress, idle, limits),
        *_behind(progress, age, limits),
    ]
    return Assessment(
        max((verdict for verdict, _ in found), default=Verdict.OK),
        tuple(reason for _, reason in found),
        progress.lag,
        age,
        idle,
        stuck=_may_go_on(progress) and idle > limits.stalled_seconds,
    )


def _worked_ms(progress: Progress, begun_ms: int) -> int:
    known = (progress.worked_ms, progress.last_commit_ms)
    return max((at for at in known if at is not None), default=begun_ms)


def _may_go_on(progress: Progress) -> bool:
    """Whether there are blocks to be had: nobody has ended it, and a node that is well has some."""
    if progress.stopped is not None or progress.finalised is None or _without_nodes(progress):
        return False
    return progress.lag is None or progress.lag > 0


def _without_nodes(progress: Progress) -> bool:
    return bool(progress.nodes) and all(node.trouble is not None for node in progress.nodes)


Finding = tuple[Verdict, str]


def _ended(progress: Progress) -> list[Finding]:
    if progress.stopped is None:
        return []
    why = progress.stopped or "it was asked to"
    return [(Verdict.FAILED, f"following has ended: {why}")]


def _idle(progress: Progress, idle: float, limits: Limits) -> list[Finding]:
    if progress.stopped is not None or idle <= limits.stalled_seconds:
        return []
    nodes = [node for node in progress.nodes if not node.healthy and node.trouble is not None]
    down = "".join(f"; {node.node}: {node.trouble}: {node.message}" for node in nodes)
    return [(Verdict.STALLED, f"no block was committed for {idle:.0f} s{down}")]


def _behind(progress: Progress, age: float | None, limits: Limits) -> list[Finding]:
    found = []
    if progress.lag is None:
        waiting = "a finalised head" if progress.finalised is None else "the first block"
        found.append((Verdict.LAGGING, f"waiting for {waiting}"))
    elif progress.lag > limits.lag_blocks:
        found.append((Verdict.LAGGING, f"{progress.lag} blocks behind the finalised head"))
    if age is not None and age > limits.lag_seconds:
        found.append((Verdict.LAGGING, f"the last block is of {age:.0f} s ago"))
    if _without_nodes(progress):
        found.append((Verdict.LAGGING, "no node answers as it should"))
    return found


def health_of(followers: Iterable[tuple[Progress, Assessment]]) -> Health:
    """Of one process, for `/healthz`: 503 only where somebody has to do something.

    A ledger that is behind and at work is not restarted for it; `verdict` and `notes` say so.
    """
    found = list(followers)
    return Health(
        tuple(
            f"{progress.chain}: {reason}"
            for progress, one in found
            if not _is_well(one)
            for reason in one.reasons
        ),
        {progress.chain: _facts(progress, one) for progress, one in found},
    )


def _is_well(found: Assessment) -> bool:
    return found.verdict < Verdict.STALLED


def _facts(progress: Progress, found: Assessment) -> Mapping[str, Fact]:
    return {
        "verdict": found.verdict.name.lower(),
        "notes": "; ".join(found.reasons) if _is_well(found) else "",
        "applied": progress.applied and progress.applied.number,
        "finalised": progress.finalised and progress.finalised.number,
        "lag_blocks": found.lag_blocks,
        "lag_seconds": None if found.lag_seconds is None else int(found.lag_seconds),
        "idle_seconds": int(found.idle_seconds),
        "spec_version": progress.spec_version,
    }
