"""The promise of one account over chains: a relay chain and its Asset Hub are one life.

Governance left the relay chains in the Asset Hub Migration. While that ran nobody could vote,
unlock or delegate, so the promise stood as it was. Each token is a life of its own; a member's
promise is all of them. Rule: spec/pallets.md D.5, F7 of spec/program-rules.md.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from ibp_chain.errors import InputError
from ibp_chain.networks import Network
from ibp_chain.types import BlockNumber
from ledger.promise_history import PromiseHistory, Span, account_entries
from ledger.state import State

MIGRATED_BY: Mapping[str, BlockNumber] = {
    "kusama-asset-hub": BlockNumber(11_151_931),
    "polkadot-asset-hub": BlockNumber(10_259_208),
}
"""The block of each Asset Hub in which the migration finished (spec/pallets.md D.1)."""


class Standing(StrEnum):
    """How it was with a promise over a stretch of time."""

    KEPT = "kept"
    BROKEN = "not kept"
    MIGRATING = "migrating"
    """Between relay chain and Asset Hub: as it stood, since nobody could act."""
    UNSEEN = "unseen"
    """No block of it was given, so nobody can say."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """What one chain's blocks say."""

    network: Network
    history: PromiseHistory

    @property
    def spans(self) -> Sequence[Span]:
        return self.history.spans


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which nothing about the promise on one token changed."""

    symbol: str
    standing: Standing
    since: datetime
    """Of its first block."""
    until: datetime
    """Of its last block."""
    chain: Network | None
    """Whose blocks tell; None where none do."""
    span: Span | None
    """Set exactly when `chain` is."""

    @property
    def is_gap(self) -> bool:
        return self.standing in (Standing.BROKEN, Standing.UNSEEN)


def life(chapters: Iterable[Chapter]) -> tuple[Stretch, ...]:
    """All stretches, token by token, each token's in order and without a hole.

    Raises `InputError` for two chains that speak of the same token and time.
    """
    return tuple(stretch for own in _by_token(chapters) for stretch in _of_one_token(own))


def gaps(stretches: Iterable[Stretch], since: datetime) -> tuple[Stretch, ...]:
    """Every stretch after `since` in which the promise was not kept, or cannot be told.

    Adjoining ones of a kind are one. Where a token's first block is later than `since` and not the
    first of its chain, or its last one earlier, what lies between is a gap too.
    """
    found: list[Stretch] = []
    before: Stretch | None = None
    goes_on = False
    for stretch in stretches:
        if before is None or before.symbol != stretch.symbol:
            goes_on = False
            found += _unseen_after(before, since)
            found += _unseen_before(stretch, since)
        counts = stretch.is_gap and stretch.until >= since
        if counts and goes_on and _same(found[-1], stretch):
            found[-1] = _extended(found[-1], stretch)
        elif counts:
            found.append(stretch)
        before, goes_on = stretch, counts
    return (*found, *_unseen_after(before, since))


def _same(gap: Stretch, stretch: Stretch) -> bool:
    return (gap.standing, gap.chain) == (stretch.standing, stretch.chain)


def _unseen_after(last: Stretch | None, since: datetime) -> Iterator[Stretch]:
    """Of a token whose blocks end before `since`: nobody can say what is asked."""
    if last is not None and last.until < since:
        yield Stretch(last.symbol, Standing.UNSEEN, last.until, since, None, None)


def _unseen_before(first: Stretch, since: datetime) -> Iterator[Stretch]:
    begins_with_chain = first.span is not None and first.span.first.block <= 1
    if first.since > since and not begins_with_chain:
        yield Stretch(first.symbol, Standing.UNSEEN, since, first.since, None, None)


def _extended(gap: Stretch, by: Stretch) -> Stretch:
    if gap.span is None or by.span is None:
        return replace(gap, until=by.until)
    return replace(gap, until=by.until, span=replace(gap.span, last=by.span.last))


def changed_on_the_way(chapters: Iterable[Chapter]) -> Iterator[tuple[Chapter, Chapter]]:
    """Chains from one to the other of which the account's votes and locks arrived changed.

    Only where the later one's first block is that in which the migration finished: storage moved
    verbatim, so that the same keys must have the same bytes.
    """
    for own in _by_token(chapters):
        for before, after in pairwise(own):
            left, arrived = before.history.last_entries, after.history.first_entries
            if _adjoins(before, after) and left != arrived:
                yield before, after


def inherit(before: PromiseHistory, network: Network, state: State) -> None:
    """Tell a ledger that begins where the migration finished which prior locks stem from Locked6x.

    Storage does not say; the relay chain's blocks did, of `before`. Nothing is told where the
    account's votes and locks did not arrive as they left.
    """
    head, mirrors = state.head.value, state.mirrors
    arrived = dict(account_entries(mirrors, before.account))
    if head is not None and _finished_in(network, head.number) and arrived == before.last_entries:
        for class_, locks in before.maximum_priors.items():
            mirrors.conviction_voting.maximum_priors.insert((before.account, class_), locks)


def _adjoins(before: Chapter, after: Chapter) -> bool:
    """Whether nothing but the migration lies between them."""
    first = after.history.heard
    return (
        before.history.moved_away
        and first is not None
        and _finished_in(after.network, first[0].block)
    )


def _by_token(chapters: Iterable[Chapter]) -> list[list[Chapter]]:
    """Those that saw a block, in order of time."""
    by_symbol: dict[str, list[Chapter]] = {}
    seen = [(chapter.history.heard, chapter) for chapter in chapters]
    for _, chapter in sorted(
        ((heard[0].time, chapter) for heard, chapter in seen if heard is not None),
        key=lambda pair: pair[0],
    ):
        by_symbol.setdefault(chapter.network.symbol, []).append(chapter)
    return list(by_symbol.values())


def _of_one_token(chapters: Sequence[Chapter]) -> Iterator[Stretch]:
    before: Chapter | None = None
    for chapter in chapters:
        if before is not None:
            yield _between(before, chapter)
        for span in chapter.spans:
            standing = Standing.KEPT if span.promise.kept else Standing.BROKEN
            since, until = span.first.time, span.last.time
            yield Stretch(chapter.network.symbol, standing, since, until, chapter.network, span)
        before = chapter
    if before is not None:
        yield from _without_word(before)


def _without_word(last: Chapter) -> Iterator[Stretch]:
    """The blocks of a chain whose governance had left it, where none of the other were given."""
    heard, spans = last.history.heard, last.spans
    assert heard is not None, "a chapter has a block"
    since = spans[-1].last if spans else heard[0]
    if last.history.moved_away and since != heard[1]:
        symbol = last.network.symbol
        yield Stretch(symbol, Standing.UNSEEN, since.time, heard[1].time, None, None)


def _between(before: Chapter, after: Chapter) -> Stretch:
    assert before.history.heard is not None, "a chapter has a block"
    assert after.history.heard is not None, "a chapter has a block"
    since = before.spans[-1].last.time if before.spans else before.history.heard[0].time
    until = after.history.heard[0].time
    if until < since:
        raise InputError(
            f"the blocks of {before.network.name} end at {since:%Y-%m-%d %H:%M} UTC, those of "
            f"{after.network.name} begin before, at {until:%Y-%m-%d %H:%M}: a vote counts on one "
            "of them only, so leave one out or give only its blocks of that time"
        )
    standing = Standing.UNSEEN
    if _adjoins(before, after) and before.spans:
        kept = before.spans[-1].promise.kept
        standing = Standing.MIGRATING if kept else Standing.BROKEN
    return Stretch(before.network.symbol, standing, since, until, None, None)


def _finished_in(network: Network, block: BlockNumber) -> bool:
    return MIGRATED_BY.get(network.name) == block
