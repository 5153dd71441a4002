"""From the results of one slot to samples: what one result alone cannot tell. Pure.

Three rules, in this order: a family over which nothing at all could be reached is our own trouble;
a head is stale only against the others' heads; of several ways in to one service the worst counts.
A fault of a whole chain stays as it is seen: scoring charges it to nobody.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from statistics import median_low

from ibp_chain.errors import ConfigError
from ibp_chain.types import AccountId, Micros
from oracles.probes.outcomes import (
    Doubt,
    Failed,
    Ok,
    Outcome,
    Reason,
    Result,
    Slow,
    Unknown,
)
from oracles.samples import Sample

_SILENT = (Reason.NO_CONNECTION, Reason.UNREACHABLE, Reason.REFUSED)
"""What a broken network of our own looks like, too."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """How heads are compared. Raises `ConfigError`."""

    behind: int = 10
    """More blocks than this behind the others is failed; more than this ahead is unknown."""
    least_members: int = 3
    """With fewer members that told a head, or all there are if they are fewer, nothing is known."""

    def __post_init__(self) -> None:
        if self.behind < 0 or self.least_members < 1:
            raise ConfigError("freshness: behind is not negative, least_members at least 1")


def settle(results: Sequence[Result], freshness: Freshness) -> tuple[Result, ...]:
    """The results of one slot's poll, all of them, with what only all of them together tell."""
    return _fresh(_reached(results), freshness)


def samples(
    results: Iterable[Result], *, oracle: AccountId, day: date, slot: int
) -> tuple[Sample, ...]:
    """One sample per (member, service), ascending, from settled results.

    Failed if one of its targets failed, else slow if one was slow, else OK if one was OK, else
    unknown. The response time is the greatest of those with that status.
    """
    outcomes: dict[tuple[str, str], list[Outcome]] = {}
    for result in results:
        key = result.target.member, result.target.service
        outcomes.setdefault(key, []).append(result.outcome)
    return tuple(
        Sample(oracle, day, slot, member, service, worst.status, _time(worst))
        for (member, service), found in sorted(outcomes.items(), key=lambda item: item[0])
        for worst in (worst_of(found),)
    )


def worst_of(outcomes: Sequence[Outcome]) -> Outcome:
    """The one that counts for a service; `outcomes` is not empty."""
    order = {Failed: 3, Slow: 2, Ok: 1, Unknown: 0}
    return max(outcomes, key=lambda outcome: (order[type(outcome)], _time(outcome) or 0))


def _time(outcome: Outcome) -> Micros | None:
    return outcome.response_time if isinstance(outcome, Ok | Slow) else None


def _reached(results: Sequence[Result]) -> list[Result]:
    """Silence counts against a target only if some target of its address family was reached."""
    reached = {
        result.target.endpoint.address.version for result in results if result.facts.connected
    }
    return [
        replace(result, outcome=_own_network(version))
        if isinstance(result.outcome, Failed)
        and result.outcome.reason in _SILENT
        and (version := result.target.endpoint.address.version) not in reached
        else result
        for result in results
    ]


def _own_network(version: int) -> Unknown:
    return Unknown(Doubt.OWN_NETWORK, f"nothing at all could be reached over IPv{version}")


@dataclass(frozen=True, slots=True)
class _Head:
    """What one target told."""

    member: str
    number: int
    at_ns: int
    block_ns: int

    def at_least(self, when_ns: int) -> int:
        """What the chain had reached at `when_ns`, if this is true.

        A later head counts less what can have come since; an earlier one is not extrapolated: a
        chain may stand still.
        """
        return self.number - max(0, -(-(self.at_ns - when_ns) // self.block_ns))

    def at_most(self, when_ns: int) -> int:
        """What the chain can have reached at `when_ns`, if this is true."""
        return self.number + max(0, -(-(when_ns - self.at_ns) // self.block_ns))


def _fresh(results: Sequence[Result], rule: Freshness) -> tuple[Result, ...]:
    measured: dict[tuple[str, str], set[str]] = {}
    told: dict[tuple[str, str], list[_Head]] = {}
    for result in results:
        group = _group(result)
        measured.setdefault(group, set()).add(result.target.member)
        if (head := _head(result)) is not None and not isinstance(result.outcome, Failed):
            told.setdefault(group, []).append(head)

    def checked(result: Result) -> Result:
        head, group = _head(result), _group(result)
        if head is None or not isinstance(result.outcome, Ok | Slow):
            return result
        needed = min(rule.least_members, len(measured[group]))
        found = _compared(head, told[group], behind=rule.behind, needed=needed)
        return result if found is None else replace(result, outcome=found)

    return tuple(map(checked, results))


def _compared(
    head: _Head, heads: Sequence[_Head], *, behind: int, needed: int
) -> Failed | Unknown | None:
    """`head` against the lower median of the other members' heads, each member with one voice."""
    others: dict[str, list[_Head]] = {}
    for other in heads:
        if other.member != head.member:
            others.setdefault(other.member, []).append(other)
    if len(others) + 1 < needed:
        return Unknown(
            Doubt.TOO_FEW_HEADS, f"{len(others) + 1} members told a head; {needed} are needed"
        )
    if not others:
        return None
    least = median_low(max(h.at_least(head.at_ns) for h in voices) for voices in others.values())
    most = median_low(max(h.at_most(head.at_ns) for h in voices) for voices in others.values())
    if head.number < least - behind:
        return Failed(Reason.BEHIND, f"head {head.number}; the others had reached {least}")
    if head.number > most + behind:
        return Unknown(Doubt.AHEAD, f"head {head.number}; the others could have reached {most}")
    return None


def _group(result: Result) -> tuple[str, str]:
    """Heads of different protocols are not compared."""
    return result.target.chain.id, result.target.kind.value


def _head(result: Result) -> _Head | None:
    facts = result.facts
    if facts.head is None or facts.head_ns is None:
        return None
    block_ns = result.target.chain.block_millis * 1_000_000
    return _Head(result.target.member, facts.head, facts.head_ns, block_ns)
