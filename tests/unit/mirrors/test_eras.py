"""Every era's own bytes, from extrinsics and events to the storage that the chain would have."""

import hashlib
import re
from dataclasses import replace
from typing import Any

import pytest

from ibp_chain.errors import MirrorDivergence
from ibp_chain.runtime import Runtime
from ibp_chain.types import PollIndex
from ledger.mirrors import Constants
from ledger.origins import Failed
from ledger.pallets import conviction_voting as cv
from tests.unit.mirrors import eras
from tests.unit.mirrors.era_blocks import (
    AYE1,
    AYE6,
    NAY6,
    NETWORK,
    NOTHING,
    SPENDER,
    Chain,
    assert_locks,
    assert_untouched,
    assert_voting,
    casting,
    failing,
    opened,
)
from tests.unit.mirrors.recorded_runtime import ALICE, BOB, CAROL


@pytest.fixture(params=NETWORK)
def chain(request: pytest.FixtureRequest) -> Chain:
    return opened(request.param)


# --- The metadata ---------------------------------------------------------------------


DUMPS = sorted(path.name.removesuffix(".scale.gz") for path in eras.METADATA.glob("*.gz"))


@pytest.mark.parametrize("name", DUMPS)
def test_metadata_is_what_its_readme_says(name: str) -> None:
    readme = (eras.METADATA / "README.md").read_text()
    row = re.search(
        rf"^\| `{name}.scale.gz` \| (\S+ \d+) \|.*`(\w{{64}})` \|$", readme, re.MULTILINE
    )
    assert row is not None
    assert row.groups() == (str(eras.runtime(name)), hashlib.sha256(eras.raw(name)).hexdigest())


def test_every_dump_is_of_an_era_that_is_tested() -> None:
    assert set(DUMPS) == {*NETWORK, eras.GOV1_UNNAMED}


@pytest.mark.parametrize("name", DUMPS)
def test_every_constant_of_a_runtime_is_read(name: str) -> None:
    runtime = Runtime.from_metadata(eras.raw(name))
    read = [
        runtime.constant(pallet.name, constant)
        for pallet in runtime.metadata.pallets.values()
        for constant in pallet.constants
    ]
    assert len(read) > 100


EVENTS = {
    eras.GOV1_UNNAMED: "",
    eras.GOV1: "Delegated Undelegated",
    eras.E0_KUSAMA: "Delegated Undelegated",
    eras.E0: "Delegated Undelegated",
    eras.E1: "Delegated Undelegated Voted VoteRemoved",
    eras.E2: "Delegated Undelegated Voted VoteRemoved VoteUnlocked",
    eras.E2_HUB: "Delegated Undelegated Voted VoteRemoved VoteUnlocked",
}
PERIODS = {eras.GOV1_UNNAMED: 0, eras.E0: 1}
DEPOSITS = {
    "polkadot": (200_880_000_000, 320_000_000),
    "kusama": (669_599_996_400, 1_066_665_600),
    "statemint": (2_008_800_000, 3_200_000),
}


@pytest.mark.parametrize("name", DUMPS)
def test_constants_of_every_era(name: str) -> None:
    runtime = eras.runtime(name)
    known = Constants.of(runtime)
    assert known.voting_events == set(EVENTS[name].split())
    assert known.vote_locking_period == PERIODS.get(name, 100_800)
    assert known.max_votes == (0 if name == eras.GOV1_UNNAMED else 512)
    assert (SPENDER in known.tracks) == (name != eras.GOV1_UNNAMED)
    deposits = known.deposit_base, known.deposit_factor
    assert deposits == DEPOSITS[runtime.spec_name]
    assert known.max_signatories == 100


def test_keys_are_the_runtimes(chain: Chain) -> None:
    chain.block(chain.vote(1, AYE6))
    for pallet, entry, keys, storage in (
        ("ConvictionVoting", "VotingFor", (ALICE, SPENDER), "voting_for"),
        ("ConvictionVoting", "ClassLocksFor", (ALICE,), "class_locks_for"),
    ):
        (key,) = (k for k, _ in getattr(chain.mirrors.conviction_voting, storage).raw_items())
        assert key == chain.runtime.storage_key(pallet, entry, *keys)
    ((key, _),) = chain.mirrors.balances.locks.raw_items()
    assert key == chain.runtime.storage_key("Balances", "Locks", ALICE)


# --- Votes ----------------------------------------------------------------------------


def test_a_vote_from_casting_to_unlocking(chain: Chain) -> None:
    chain.block(chain.vote(1, AYE1))
    assert_voting(chain, ALICE, casting((1, AYE1)))
    assert_locks(chain, ALICE, [(SPENDER, 4)])

    chain.block(chain.vote(2, NAY6), chain.vote(1, AYE6))
    assert_voting(chain, ALICE, casting((1, AYE6), (2, NAY6)))
    assert_locks(chain, ALICE, [(SPENDER, 10)])

    chain.block(chain.vote(2, AYE1), before=chain.serviced(1, "Confirmed"))
    end = chain.relay - (chain.network.name == "polkadot-asset-hub")
    until = end + 32 * chain.period
    chain.block(chain.remove(1), chain.remove(2, ongoing=AYE1))
    assert_voting(chain, ALICE, casting(prior=(until, 10)))
    assert_locks(chain, ALICE, [(SPENDER, 10)])

    chain.skip_to(until - 1)
    chain.block(chain.unlock(by=BOB))
    assert_locks(chain, ALICE, [(SPENDER, 10)])
    chain.block(chain.unlock(by=BOB))
    assert_voting(chain, ALICE, casting())
    assert_locks(chain, ALICE, [])
    assert_untouched(chain, BOB)


@pytest.mark.parametrize("end", ["Cancelled", "Killed", "TimedOut"])
def test_a_poll_without_a_result_frees_the_vote_silently(chain: Chain, end: str) -> None:
    chain.block(chain.vote(1, AYE6))
    chain.block(before=chain.serviced(1, end))
    chain.block(chain.remove(1), chain.unlock())
    assert_voting(chain, ALICE, casting())
    assert_locks(chain, ALICE, [])


def test_a_vote_on_an_ongoing_poll_is_removed_without_its_class(chain: Chain) -> None:
    chain.block(chain.vote(1, AYE6))
    chain.block(chain.remove(1, ongoing=AYE6, class_=None))
    assert_voting(chain, ALICE, casting())
    assert_locks(chain, ALICE, [(SPENDER, 10)])


@pytest.mark.parametrize(
    ("end", "vote"), [("Rejected", AYE6), ("Confirmed", NAY6), ("Cancelled", AYE6)]
)
def test_a_third_party_clears_a_vote_that_won_nothing(chain: Chain, end: str, vote: Any) -> None:
    chain.block(chain.vote(1, vote))
    chain.block(before=chain.serviced(1, end))
    chain.block(chain.remove_other(1, of=ALICE), chain.unlock(ALICE, by=BOB))
    assert_voting(chain, ALICE, casting())
    assert_locks(chain, ALICE, [])
    assert_untouched(chain, BOB)


def test_a_third_party_may_not_clear_a_vote_that_is_locked(chain: Chain) -> None:
    """The chain would have said so: an extrinsic like this one cannot have succeeded."""
    chain.block(chain.vote(1, AYE6))
    refused = failing(chain.remove_other(1, of=ALICE), chain.error(cv.NoPermission))
    items = chain.block(refused)
    assert [item.error for item in items if isinstance(item, Failed)] == [
        "ConvictionVoting.NoPermission"
    ]
    assert_voting(chain, ALICE, casting((1, AYE6)))
    with pytest.raises(MirrorDivergence, match="NoPermission"):
        chain.block(chain.remove_other(1, of=ALICE))


# --- Delegations ----------------------------------------------------------------------


def test_a_delegation_from_lending_to_unlocking(chain: Chain) -> None:
    chain.block(chain.delegate(BOB, "Locked2x", 5))
    delegating = {
        "balance": 5, "target": BOB, "conviction": "Locked2x", "delegations": NOTHING,
        "prior": (0, 0),
    }  # fmt: skip
    assert_voting(chain, ALICE, ("Delegating", delegating))
    assert_voting(chain, BOB, casting(delegations={"votes": 10, "capital": 5}))
    assert_locks(chain, ALICE, [(SPENDER, 5)])
    assert (chain.class_locks(BOB), chain.locks(BOB)) == (None, None)

    chain.block(chain.undelegate())
    until = chain.relay + 2 * chain.period
    assert_voting(chain, ALICE, casting(prior=(until, 5)))
    assert_voting(chain, BOB, casting())
    chain.skip_to(until - 1)
    chain.block(chain.unlock())
    assert_locks(chain, ALICE, [(SPENDER, 5)])
    chain.block(chain.unlock())
    assert_locks(chain, ALICE, [])


def test_a_delegator_removes_a_vote_and_nothing_happens(chain: Chain) -> None:
    chain.block(chain.delegate(BOB, "None", 5))
    before = chain.voting()
    chain.block(chain.remove(77), chain.remove_other(1, of=ALICE, by=CAROL))
    assert chain.voting() == before


# --- The relay clock ------------------------------------------------------------------


@pytest.fixture
def hub() -> Chain:
    return opened(eras.E2_HUB)


def test_blocks_of_one_relay_parent_share_a_time(hub: Chain) -> None:
    hub.block(hub.delegate(BOB, "Locked1x", 5))
    hub.block(hub.undelegate(), relay=2_000)
    until = 2_000 + hub.period
    assert_voting(hub, ALICE, casting(prior=(until, 5)))
    for relay in (until - 1, until - 1, until - 1):
        hub.block(hub.unlock(), relay=relay)
        assert_locks(hub, ALICE, [(SPENDER, 5)])
    hub.block(hub.unlock(), relay=until)
    assert_locks(hub, ALICE, [])
    assert hub.number < 1_010


def test_a_poll_ends_on_the_relay_parent_of_the_block_before(hub: Chain) -> None:
    hub.block(hub.vote(1, AYE1), hub.vote(2, NAY6), relay=5_000)
    hub.block(before=hub.serviced(1, "Confirmed"), relay=5_003)
    hub.block(before=hub.serviced(2, "Rejected"), relay=5_003)
    polls = hub.mirrors.referenda
    ends = [polls.polls.get(PollIndex(poll)).end for poll in (1, 2)]
    assert ends == [5_000, 5_003]
    hub.block(hub.remove(1), relay=5_004)
    assert_voting(hub, ALICE, casting((2, NAY6), prior=(5_000 + hub.period, 4)))
    hub.block(hub.remove(2), relay=5_004)
    assert_voting(hub, ALICE, casting(prior=(5_003 + 32 * hub.period, 10)))


def test_a_third_party_clears_a_vote_from_the_relay_block_on_in_which_its_lock_ends(
    hub: Chain,
) -> None:
    hub.block(hub.vote(1, AYE1), relay=5_000)
    hub.block(before=hub.serviced(1, "Confirmed"), relay=5_002)
    until = 5_000 + hub.period
    early = hub.remove_other(1, of=ALICE)
    hub.block(failing(early, hub.error(cv.NoPermissionYet)), relay=until - 1)
    hub.block(early, relay=until)
    assert_voting(hub, ALICE, casting())


def test_the_period_is_that_of_the_runtime_that_removes(hub: Chain) -> None:
    hub.block(hub.vote(1, AYE1), relay=5_000)
    hub.block(before=hub.serviced(1, "Confirmed"), relay=5_002)
    hub.constants = replace(hub.constants, vote_locking_period=403_200)
    hub.block(hub.remove(1), relay=5_003)
    assert_voting(hub, ALICE, casting(prior=(5_000 + 403_200, 4)))


# --- Over an upgrade ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"), [(eras.E0_KUSAMA, eras.E1), (eras.GOV1, eras.E0), (eras.E0, eras.E2)]
)
def test_storage_goes_on_from_one_era_to_the_next(before: str, after: str) -> None:
    old, new = opened(before), Chain(after)
    old.block(old.vote(1, AYE6), old.delegate(BOB, "Locked2x", 5, who=CAROL))
    new.mirrors = old.mirrors
    new.skip_to(old.relay + 1)
    new.block(before=new.serviced(1, "Confirmed"))
    until = new.relay + 32 * new.period
    new.block(new.remove(1), new.unlock(), new.undelegate(CAROL))
    assert_voting(new, ALICE, casting(prior=(until, 10)))
    assert_voting(new, CAROL, casting(prior=(new.relay + 2 * new.period, 5)))
    assert_voting(new, BOB, casting())
    assert_locks(new, ALICE, [(SPENDER, 10)])


def test_an_address_by_index_takes_no_bytes_where_indices_are_empty() -> None:
    """`MultiAddress::Index(Compact<()>)`: it never resolves, but anybody can put it in a block."""
    runtime = eras.runtime(eras.E2_HUB)
    transfer = runtime.decode_call(bytes.fromhex("0a000114"))
    assert (transfer.name, transfer.args) == (
        "transfer_allow_death",
        {"dest": ("Index", ()), "value": 5},
    )
    assert runtime.encode_call("Balances", transfer.name, transfer.args).hex() == "0a000114"
