"""The Asset Hub Migration, on the metadata of the two runtimes that it ran on."""

import pytest

from ibp_chain.blocks import BlockRef
from ibp_chain.errors import InputError
from ibp_chain.types import BlockNumber, Hash, RelayBlockNumber
from ledger.audit import audit
from ledger.pallets import multisig
from ledger.pallets.migration import Window
from ledger.state import Head, State
from tests.unit.mirrors import eras
from tests.unit.mirrors.era_blocks import AYE6, Chain, opened
from tests.unit.mirrors.recorded_runtime import ALICE, BOB, CAROL, Said

STARTED: Said = ("RcMigrator", ("AssetHubMigrationStarted", ()))
FINISHED: Said = ("RcMigrator", ("AssetHubMigrationFinished", ()))


@pytest.fixture
def relay() -> Chain:
    """Alice voted, and an operation of three accounts is open."""
    chain = opened(eras.E2)
    opening = chain.as_multi(chain.vote(2, AYE6, BOB), BOB, (ALICE, CAROL), None)
    chain.block(chain.vote(1, AYE6), opening)
    return chain


def test_governance_leaves_the_relay_chain_when_the_migration_finishes(relay: Chain) -> None:
    mirrors, started = relay.mirrors, relay.number + 1
    before = dict(mirrors.conviction_voting.voting_for.raw_items())
    relay.block(before=[STARTED])
    assert (mirrors.moved_away, mirrors.migration.runs) == (True, True)
    assert dict(mirrors.conviction_voting.voting_for.raw_items()) == before
    relay.block()
    relay.block(before=[FINISHED])
    assert mirrors.migration.window.value == Window(BlockNumber(started), BlockNumber(started + 2))
    assert (mirrors.moved_away, mirrors.migration.runs) == (True, False)
    assert [len(item) for item in mirrors.mirrored_maps()] == [0] * len(mirrors.mirrored_maps())
    assert len(mirrors.referenda.polls) == 0


def test_open_operations_are_recorded_as_migrated(relay: Chain) -> None:
    relay.block(before=[STARTED])
    relay.block(before=[FINISHED])
    ((key, operation),) = relay.mirrors.multisig.operations.items()
    assert operation.status is multisig.Status.MIGRATED
    assert [approval.who for approval in operation.approvals] == [BOB]
    assert operation.closing is None
    # the relay chain's own pallet begins anew, and may see the same call again
    relay.block(relay.as_multi(relay.vote(2, AYE6, BOB), BOB, (ALICE, CAROL), None))
    operations = dict(relay.mirrors.multisig.operations.items())
    assert [o.status for o in operations.values()].count(multisig.Status.OPEN) == 1
    assert operations[key].status is multisig.Status.MIGRATED


def test_what_arrives_on_asset_hub_stands_in_no_block() -> None:
    hub = opened(eras.E2_HUB)
    hub.block(before=[("AhMigrator", ("AssetHubMigrationStarted", ()))])
    assert hub.mirrors.migration.runs
    with pytest.raises(InputError, match="begin a ledger with the storage after it"):
        hub.block(before=[("AhMigrator", ("AssetHubMigrationFinished", ()))])


def test_nothing_is_compared_while_it_runs(relay: Chain) -> None:
    relay.block(before=[STARTED])
    state = State(relay.network)
    state.mirrors = relay.mirrors
    ref = BlockRef(BlockNumber(relay.number), Hash(bytes(32)))
    state.head.put(Head(*ref, RelayBlockNumber(relay.number)))

    class NobodyAsks:
        def __getattr__(self, name: str) -> object:
            raise AssertionError(name)

    with pytest.raises(InputError, match="Migration runs"):
        audit(state, NobodyAsks(), NobodyAsks(), ref)  # type: ignore[arg-type]  # never asked
