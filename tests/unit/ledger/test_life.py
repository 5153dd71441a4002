"""A promise over several chains: what counts as one life, and what as a gap."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ibp_chain.blocks import BlockRef, EventRecord, Phase
from ibp_chain.cli.locks import relays_first
from ibp_chain.errors import InputError
from ibp_chain.networks import NETWORKS
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck, RelayBlockNumber, SpecVersion
from ledger.life import (
    MIGRATED_BY,
    Chapter,
    Standing,
    Stretch,
    changed_on_the_way,
    gaps,
    inherit,
    life,
)
from ledger.mirrors import BlockContext, Constants
from ledger.pallets.balances import BalanceLock, Reasons
from ledger.pallets.conviction_voting import CONVICTION_VOTING_ID, PriorLock
from ledger.promise_history import PromiseHistory
from ledger.replay import BlockReport
from ledger.state import Head, State
from tests.support import recording

CONSTANTS = Constants.of(recording.runtime())
WHO, TRACK = AccountId(b"\x07" * 32), min(CONSTANTS.tracks)
HOUR = 600
"""Relay blocks of six seconds."""


def at(hours: float) -> datetime:
    return datetime.fromtimestamp(hours * 3_600, UTC)


class Chain:
    """One chain's ledger, of which only the promise matters."""

    def __init__(self, name: str) -> None:
        self.network, self.state = NETWORKS[name], State(NETWORKS[name])
        self.required = self.network.planck(100)
        self.history = PromiseHistory(WHO, self.required)

    @property
    def chapter(self) -> Chapter:
        return Chapter(self.network, self.history)

    def locked_until(self, hour: float) -> "Chain":
        lock = PriorLock(RelayBlockNumber(int(hour * HOUR)), self.required)
        self.state.mirrors.conviction_voting.maximum_priors.insert((WHO, TRACK), (lock,))
        return self

    def block(self, hour: float, number: int | None = None) -> "Chain":
        """A block at a time, which is also the governance clock of every chain here."""
        now = RelayBlockNumber(int(hour * HOUR))
        height, unknown = BlockNumber(now if number is None else number), Hash(bytes(32))
        self.state.head.put(Head(height, unknown, now))
        self.history.observe(
            self.state,
            CONSTANTS,
            BlockReport(
                ref=BlockRef(height, unknown),
                parent_hash=unknown,
                spec_version=SpecVersion(1),
                timestamp_ms=int(hour * 3_600_000),
                extrinsics=0,
                accepted=(),
                refused=(),
                batches=(),
                touched_votes=True,
                unattributed=(),
            ),
        )
        return self

    def migration(self, name: str, hour: float) -> "Chain":
        now = RelayBlockNumber(int(hour * HOUR))
        context = BlockContext(self.network, BlockNumber(now), now, now, CONSTANTS)
        event = EventRecord(0, Phase.INITIALIZATION, None, "RcMigrator", name, (), ())
        self.state.mirrors.apply(context, event)
        return self.block(hour)


def told(stretches: tuple[Stretch, ...]) -> list[tuple[str, str, float, float]]:
    return [
        (s.symbol, s.standing.value, s.since.timestamp() / 3_600, s.until.timestamp() / 3_600)
        for s in stretches
    ]


def polkadot(*, moved: bool = True) -> Chain:
    chain = Chain("polkadot").locked_until(20).block(1).block(2)
    return chain.migration("AssetHubMigrationStarted", 3) if moved else chain


def asset_hub(number: int = MIGRATED_BY["polkadot-asset-hub"]) -> Chain:
    return Chain("polkadot-asset-hub").locked_until(20).block(5, number).block(6, number + 1)


def test_a_promise_survives_the_migration_without_a_gap() -> None:
    stretches = life([asset_hub().chapter, polkadot().chapter])
    assert told(stretches) == [
        ("DOT", "kept", 1, 2),
        ("DOT", "migrating", 2, 5),
        ("DOT", "kept", 5, 6),
    ]
    assert gaps(stretches, at(1)) == ()


def test_what_the_relay_chain_says_after_its_votes_left_does_not_count() -> None:
    relay = polkadot().block(3.5)
    relay.migration("AssetHubMigrationFinished", 4).block(10)
    assert told(life([relay.chapter])) == [("DOT", "kept", 1, 2), ("DOT", "unseen", 2, 10)]


def test_a_promise_that_was_broken_before_the_migration_was_broken_during_it() -> None:
    relay = Chain("polkadot").block(1).migration("AssetHubMigrationStarted", 2)
    standings = [s.standing for s in life([relay.chapter, asset_hub().chapter])]
    assert standings == [Standing.BROKEN, Standing.BROKEN, Standing.KEPT]


def test_blocks_that_nobody_gave_are_a_gap() -> None:
    later = asset_hub(MIGRATED_BY["polkadot-asset-hub"] + 1)
    for first, second in ((polkadot(), later), (polkadot(moved=False), asset_hub())):
        (gap,) = gaps(life([first.chapter, second.chapter]), at(1))
        assert (gap.standing, gap.since, gap.until) == (Standing.UNSEEN, at(2), at(5))


def test_a_date_before_the_first_block_is_a_gap_unless_the_chain_begins_with_it() -> None:
    (gap,) = gaps(life([asset_hub().chapter]), at(4))
    assert (gap.standing, gap.since, gap.until) == (Standing.UNSEEN, at(4), at(5))
    first_of_all = Chain("paseo").locked_until(20).block(5, number=1)
    assert gaps(life([first_of_all.chapter]), at(4)) == ()


def test_each_token_is_a_promise_of_its_own() -> None:
    kusama = Chain("kusama").locked_until(1.5).block(1).block(2)
    stretches = life([kusama.chapter, polkadot(moved=False).chapter])
    assert [(gap.symbol, gap.since) for gap in gaps(stretches, at(1))] == [("KSM", at(2))]


def test_gaps_of_two_chains_are_two_gaps() -> None:
    relay = Chain("polkadot").block(1).block(2)
    hub = Chain("polkadot-asset-hub").block(5, 9).block(6, 10)
    found = gaps(life([relay.chapter, hub.chapter]), at(1))
    assert [gap.standing for gap in found] == [Standing.BROKEN, Standing.UNSEEN, Standing.BROKEN]


def test_gaps_of_two_tokens_are_told_apart() -> None:
    polkadot = Chain("polkadot").block(1).block(10)
    kusama = Chain("kusama").block(1).block(2).locked_until(5).block(3).block(4).block(6).block(9)
    found = gaps(life([polkadot.chapter, kusama.chapter]), at(4))
    assert [(gap.symbol, gap.since, gap.until) for gap in found] == [
        ("DOT", at(1), at(10)),
        ("KSM", at(6), at(9)),
    ]


def test_time_after_the_last_block_is_a_gap() -> None:
    (gap,) = gaps(life([polkadot(moved=False).chapter]), at(7))
    assert (gap.standing, gap.since, gap.until) == (Standing.UNSEEN, at(2), at(7))


def test_a_relay_chain_alone_does_not_tell_of_the_time_after_the_migration() -> None:
    relay = polkadot().block(8)
    (gap,) = gaps(life([relay.chapter]), at(1))
    assert (gap.standing, gap.since, gap.until) == (Standing.UNSEEN, at(2), at(8))
    later = Chain("polkadot").migration("AssetHubMigrationStarted", 3).block(8)
    assert [gap.standing for gap in gaps(life([later.chapter]), at(4))] == [Standing.UNSEEN]


def test_asset_hub_learns_from_the_relay_chain_which_prior_locks_count() -> None:
    relay, hub = polkadot(), Chain("polkadot-asset-hub")
    head = Head(MIGRATED_BY["polkadot-asset-hub"], Hash(bytes(32)), RelayBlockNumber(5 * HOUR))
    hub.state.head.put(head)
    inherit(relay.history, hub.network, hub.state)
    hub.block(5, head.number)
    assert [s.standing for s in life([relay.chapter, hub.chapter])] == [
        Standing.KEPT,
        Standing.MIGRATING,
        Standing.KEPT,
    ]


def test_relay_chains_are_read_before_what_learns_from_them() -> None:
    given = ["kusama-asset-hub", "polkadot-asset-hub", "polkadot", "kusama"]
    chapters = [(Chain(name).chapter, Path(name)) for name in given]
    read = [chapter.network.name for chapter, _ in relays_first(chapters)]
    assert read == ["polkadot", "kusama", "kusama-asset-hub", "polkadot-asset-hub"]


def test_asset_hub_learns_nothing_where_other_locks_arrived() -> None:
    relay, hub = polkadot(), Chain("polkadot-asset-hub")
    locks = hub.state.mirrors.conviction_voting.class_locks_for
    locks.insert(WHO, ((TRACK, Planck(1)),))
    head = Head(MIGRATED_BY["polkadot-asset-hub"], Hash(bytes(32)), RelayBlockNumber(5 * HOUR))
    hub.state.head.put(head)
    inherit(relay.history, hub.network, hub.state)
    assert len(hub.state.mirrors.conviction_voting.maximum_priors) == 0


def test_two_chains_cannot_both_hold_the_votes() -> None:
    hub = Chain("polkadot-asset-hub").locked_until(20).block(1.5, 9)
    with pytest.raises(InputError, match="begin before"):
        life([polkadot(moved=False).chapter, hub.chapter])


@pytest.mark.parametrize("amount", [100, 99])
def test_votes_and_locks_must_arrive_as_they_left(amount: int) -> None:
    relay, hub = Chain("polkadot"), Chain("polkadot-asset-hub")
    for chain, planck in ((relay, 100), (hub, amount)):
        lock = BalanceLock(CONVICTION_VOTING_ID, Planck(planck), Reasons.ALL)
        chain.state.mirrors.balances.locks.insert(WHO, (lock,))
        chain.state.mirrors.conviction_voting.class_locks_for.insert(
            WHO, ((TRACK, Planck(planck)),)
        )
    relay.block(1).migration("AssetHubMigrationStarted", 2)
    hub.block(3, MIGRATED_BY["polkadot-asset-hub"])
    changed: list[Any] = list(changed_on_the_way([hub.chapter, relay.chapter]))
    assert bool(changed) == (amount != 100)
