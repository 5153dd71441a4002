"""Whether a promise of locked tokens has been kept without a gap, block by block.

A fold beside the ledger's own: it looks at the state after each block, but only when something may
have changed: a vote or referendum in the block, or a commitment that has run out. Rule F7 of
spec/program-rules.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ibp_chain.types import AccountId, BlockNumber, Planck, RelayBlockNumber, SpecVersion, TrackId
from ledger.locks import Promise, classes_of, promise
from ledger.mirrors import Constants, Mirrors
from ledger.pallets import balances
from ledger.pallets.conviction_voting import CONVICTION_VOTING_ID, PriorLock
from ledger.replay import BlockReport
from ledger.state import State


@dataclass(frozen=True, slots=True)
class Moment:
    """A block, with its own clock."""

    block: BlockNumber
    timestamp_ms: int
    """Milliseconds since 1970, by `Timestamp.set`."""

    @property
    def time(self) -> datetime:
        return datetime.fromtimestamp(self.timestamp_ms / 1_000, UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of blocks over which nothing about a promise changed."""

    first: Moment
    last: Moment
    """The last block seen of it; the next one seen has something else."""
    promise: Promise


class PromiseHistory:
    """Follows one account's promise of `required` planck at Locked6x."""

    def __init__(self, account: AccountId, required: Planck) -> None:
        self.account, self.required = account, required
        self._spans: list[Span] = []
        self._runs_out: RelayBlockNumber | None = None
        self._spec_version: SpecVersion | None = None
        self.moved_away = False
        """Whether governance has left this chain; what it says from then on tells nothing."""
        self.first_entries: Mapping[bytes, bytes] = {}
        self.last_entries: Mapping[bytes, bytes] = {}
        """The account's votes and locks as storage has them, at the first block and the last."""
        self.maximum_priors: Mapping[TrackId, tuple[PriorLock, ...]] = {}
        """Its prior locks that stem from Locked6x, by class, at the last block."""
        self.heard: tuple[Moment, Moment] | None = None
        """The first and the last block of all, also those that tell nothing any more."""

    @property
    def first(self) -> Moment | None:
        return self._spans[0].first if self._spans else None

    @property
    def spans(self) -> Sequence[Span]:
        """In order, without a hole between the first block seen and the last."""
        return tuple(self._spans)

    def observe(self, state: State, constants: Constants, report: BlockReport) -> None:
        """Take note of the block that `report` is of, with `state` as it left it."""
        head = state.head.value
        assert head is not None, "a block was applied"
        moment = Moment(report.ref.number, report.timestamp_ms)
        self.heard = (self.heard[0] if self.heard else moment, moment)
        self.moved_away = self.moved_away or state.mirrors.moved_away
        if self.moved_away:
            return
        last = self._spans[-1] if self._spans else None
        ran_out = self._runs_out is not None and head.now >= self._runs_out
        upgraded, self._spec_version = (
            report.spec_version != self._spec_version,
            report.spec_version,
        )
        if last is not None and not (report.touched_votes or ran_out or upgraded):
            self._spans[-1] = replace(last, last=moment)
            return
        config = state.mirrors.voting_config(constants, head.now)
        found = promise(state.mirrors.conviction_voting, config, self.account, self.required)
        self.last_entries = dict(account_entries(state.mirrors, self.account))
        self.maximum_priors = {
            class_: locks
            for class_ in classes_of(state.mirrors.conviction_voting, config, self.account)
            if (locks := state.mirrors.conviction_voting.maximum_priors.get((self.account, class_)))
        }
        if last is None:
            self.first_entries = self.last_entries
        self._runs_out = min((c.until for c in found.covers if c.until is not None), default=None)
        if last is not None and last.promise == found:
            self._spans[-1] = replace(last, last=moment)
        else:
            self._spans.append(Span(moment, moment, found))


def account_entries(mirrors: Mirrors, account: AccountId) -> Iterator[tuple[bytes, bytes]]:
    """The raw entries of `account` in `VotingFor` and `ClassLocksFor`, and its governance lock."""
    voting = mirrors.conviction_voting
    class_locks = voting.class_locks_for.raw_value(account)
    if class_locks is not None:
        yield voting.class_locks_for.raw_key(account), class_locks
    for class_ in sorted(dict(voting.class_locks_for.get(account))):
        entry = voting.voting_for.raw_value((account, class_))
        if entry is not None:
            yield voting.voting_for.raw_key((account, class_)), entry
    held = balances.find_lock(mirrors.balances, CONVICTION_VOTING_ID, account)
    if held is not None:
        locks = mirrors.balances.locks
        yield locks.raw_key(account), locks.encode_value((held,))
