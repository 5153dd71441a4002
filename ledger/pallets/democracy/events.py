"""The pallet's events on votes, and whether a block's events are the ones that were predicted.

Fields have names since about runtime 9130, votes leave an event since about 9140 (substrate
#10352; spec/pallets.md B). What a runtime does not declare is not expected.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeAlias

from ibp_chain.blocks import EventRecord
from ibp_chain.types import AccountId, PollIndex
from ledger.dispatch_values import field_values
from ledger.pallets.democracy.types import AccountVote, account_vote


@dataclass(frozen=True, slots=True)
class Delegated:
    who: AccountId
    target: AccountId


@dataclass(frozen=True, slots=True)
class Undelegated:
    account: AccountId


@dataclass(frozen=True, slots=True)
class Voted:
    voter: AccountId
    ref_index: PollIndex
    vote: AccountVote


Event: TypeAlias = Delegated | Undelegated | Voted

VOTING_EVENTS = frozenset({"Delegated", "Undelegated", "Voted"})
"""The others are on proposals and referenda: `deposit_event` takes those over."""


def confirmed(
    predicted: Sequence[Event], observed: Sequence[EventRecord], declared: frozenset[str]
) -> bool:
    """Whether the `VOTING_EVENTS` among `observed` are the `predicted` ones, in a runtime that has
    the `declared` ones.
    """
    expected = [event for event in predicted if type(event).__name__ in declared]
    said = [record for record in observed if record.name in VOTING_EVENTS]
    return len(expected) == len(said) and all(map(_agree, expected, said))


def _agree(event: Event, record: EventRecord) -> bool:
    if type(event).__name__ != record.name:
        return False
    expected = {f.name: getattr(event, f.name) for f in fields(event)}
    said = record.args
    if not isinstance(said, dict):
        values = field_values(record)
        if len(values) != len(expected):
            return False
        said = dict(zip(expected, values, strict=True))
    return said.keys() == expected.keys() and all(
        expected[name] == (account_vote(value) if name == "vote" else value)
        for name, value in said.items()
    )
