"""What one runtime fixes for the pallet: periods, limits, events, and whether it is there."""

from dataclasses import dataclass
from typing import Any, Protocol

from ibp_chain.errors import InputError
from ibp_chain.types import RelayBlockNumber, SpecVersion
from ledger.pallets import balances
from ledger.pallets.democracy.events import VOTING_EVENTS
from ledger.pallets.democracy.pallet import END_OF_LIFE, Config, max_votes_in, winds_down_in

_PALLET = "Democracy"


class Runtime(Protocol):
    """What is asked of `ibp_chain.runtime.Runtime`."""

    @property
    def spec_version(self) -> SpecVersion: ...

    def constant(self, pallet: str, name: str) -> Any: ...

    def has_pallet(self, pallet: str) -> bool: ...

    def has_event(self, pallet: str, name: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Constants:
    """Without the pallet there are no periods, no votes and no events."""

    spec_version: SpecVersion
    vote_locking_period: int
    max_votes: int
    """How many votes an account may really have."""
    events: frozenset[str]
    """The `VOTING_EVENTS` that the runtime declares."""
    ended: bool
    """Whether the upgrade to this runtime, or to one before it, was the pallet's `end_of_life`.

    Kusama ran without the pallet from 9420 on, with all locks still in place.
    """

    @classmethod
    def of(cls, runtime: Runtime) -> "Constants":
        """Those of `runtime`. Raises `InputError` where a constant is missing."""
        spec_version = runtime.spec_version
        if not runtime.has_pallet(_PALLET):
            ended = spec_version >= END_OF_LIFE
            return cls(spec_version, 0, 0, frozenset(), ended)
        return cls(
            spec_version=spec_version,
            vote_locking_period=_vote_locking_period(runtime),
            max_votes=max_votes_in(spec_version, runtime.constant(_PALLET, "MaxVotes")),
            events=frozenset(name for name in VOTING_EVENTS if runtime.has_event(_PALLET, name)),
            ended=False,
        )

    def config(self, now: RelayBlockNumber, currency: balances.Storage) -> Config:
        """What votes and locks are reckoned with, at `now`."""
        return Config(
            now=now,
            vote_locking_period=self.vote_locking_period,
            max_votes=self.max_votes,
            currency=currency,
            lock_reasons=balances.governance_reasons(self.spec_version),
            winds_down=winds_down_in(self.events),
        )


def _vote_locking_period(runtime: Runtime) -> int:
    """The period had no constant of its own before substrate #9641."""
    try:
        period: int = runtime.constant(_PALLET, "VoteLockingPeriod")
    except InputError:
        period = runtime.constant(_PALLET, "EnactmentPeriod")
    return period
