"""Whether a promise of locked tokens has been kept without a gap, block by block.

A fold beside the ledger's own: it looks at the state after each block, but only when something may
have changed: a vote or referendum in the block, or a commitment that has run out. Rule F7 of
spec/program-rules.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ibp_chain.types import AccountId, BlockNumber, Planck, RelayBlockNumber, SpecVersion
from ledger.locks import Promise, promise
from ledger.mirrors import Constants
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

    @property
    def spans(self) -> Sequence[Span]:
        """In order, without a hole between the first block seen and the last."""
        return tuple(self._spans)

    def observe(self, state: State, constants: Constants, report: BlockReport) -> None:
        """Take note of the block that `report` is of, with `state` as it left it."""
        head = state.head.value
        assert head is not None, "a block was applied"
        moment = Moment(report.ref.number, report.timestamp_ms)
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
        self._runs_out = min((c.until for c in found.covers if c.until is not None), default=None)
        if last is not None and last.promise == found:
            self._spans[-1] = replace(last, last=moment)
        else:
            self._spans.append(Span(moment, moment, found))

    def gaps(self, since: datetime) -> tuple[Span, ...]:
        """Every stretch after `since` in which the promise was not kept; adjoining ones as one.

        The `first` of a gap that began before `since` says when it began.
        """
        gaps: list[Span] = []
        before: Span | None = None
        for span in self._spans:
            if not span.promise.kept and span.last.time >= since:
                if gaps and before is not None and gaps[-1].last == before.last:
                    gaps[-1] = replace(gaps[-1], last=span.last)
                else:
                    gaps.append(span)
            before = span
        return tuple(gaps)
