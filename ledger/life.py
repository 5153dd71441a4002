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
from ledger.promise_history import PromiseHistory, Span

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
    first of its chain, what lies between is a gap too.
    """
    found: list[Stretch] = []
    before: Stretch | None = None
    for stretch in stretches:
        if before is None or before.symbol != stretch.symbol:
            before = None
            found += _unseen_before(stretch, since)
        if stretch.is_gap and stretch.until >= since:
            goes_on = (
                before is not None
                and before.is_gap
                and (before.standing, before.chain) == (stretch.standing, stretch.chain)
                and bool(found)
            )
            found.append(_extended(found.pop(), stretch) if goes_on else stretch)
        before = stretch
    return tuple(found)


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
            if _finished_in(after.network, after.spans[0].first.block) and left != arrived:
                yield before, after


def _by_token(chapters: Iterable[Chapter]) -> list[list[Chapter]]:
    """Those that saw a block, in order of time."""
    by_symbol: dict[str, list[Chapter]] = {}
    for chapter in sorted(
        (chapter for chapter in chapters if chapter.spans),
        key=lambda chapter: chapter.spans[0].first.time,
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


def _between(before: Chapter, after: Chapter) -> Stretch:
    since, until = before.spans[-1].last.time, after.spans[0].first.time
    if until < since:
        raise InputError(
            f"the blocks of {before.network.name} end at {since:%Y-%m-%d %H:%M} UTC, those of "
            f"{after.network.name} begin before, at {until:%Y-%m-%d %H:%M}: a vote counts on one "
            "of them only, so leave one out or give only its blocks of that time"
        )
    seamless = before.history.moved_away and _finished_in(after.network, after.spans[0].first.block)
    standing = Standing.MIGRATING if seamless else Standing.UNSEEN
    if seamless and not before.spans[-1].promise.kept:
        standing = Standing.BROKEN
    return Stretch(before.network.symbol, standing, since, until, None, None)


def _finished_in(network: Network, block: BlockNumber) -> bool:
    return MIGRATED_BY.get(network.name) == block
