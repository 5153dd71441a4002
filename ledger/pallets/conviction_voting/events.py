"""The pallet's events, and whether a block's event is the one that was predicted.

Runtimes deposited fewer events with fewer fields the older they are (spec/pallets.md A.5): votes
left none before 1.4, no poll index before 2.0.4. So what a runtime does not declare is not
expected, and what an event does not say is not compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from ibp_chain.blocks import EventRecord
from ibp_chain.types import AccountId, PollIndex, TrackId
from ledger.pallets.conviction_voting.types import AccountVote, account_vote


@dataclass(frozen=True, slots=True)
class Delegated:
    who: AccountId
    target: AccountId
    class_: TrackId


@dataclass(frozen=True, slots=True)
class Undelegated:
    who: AccountId
    class_: TrackId


@dataclass(frozen=True, slots=True)
class Voted:
    who: AccountId
    vote: AccountVote
    poll_index: PollIndex


@dataclass(frozen=True, slots=True)
class VoteRemoved:
    """Deposited for ongoing polls only; ended polls are cleared silently."""

    who: AccountId
    vote: AccountVote
    poll_index: PollIndex


@dataclass(frozen=True, slots=True)
class VoteUnlocked:
    who: AccountId
    class_: TrackId


Event: TypeAlias = Delegated | Undelegated | Voted | VoteRemoved | VoteUnlocked


def confirmed(
    predicted: Sequence[Event], observed: Sequence[EventRecord], declared: frozenset[str]
) -> bool:
    """Whether `observed` are the `predicted` events in a runtime that has `declared` ones."""
    expected = [event for event in predicted if type(event).__name__ in declared]
    return len(expected) == len(observed) and all(map(_agree, expected, observed))


def _agree(event: Event, record: EventRecord) -> bool:
    if type(event).__name__ != record.name:
        return False
    expected = {f.name.rstrip("_"): getattr(event, f.name) for f in fields(event)}
    said = record.args
    if not isinstance(said, dict):  # unnamed fields, in this order, the class last where there
        values = said if isinstance(said, tuple) else (said,)  # a single one comes bare
        said = dict(zip(expected, values, strict=False))
    return all(name in expected and expected[name] == _value(name, said[name]) for name in said)


def _value(name: str, value: Any) -> Any:
    return account_vote(value) if name == "vote" else value
