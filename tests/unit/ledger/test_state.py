"""The state as a whole: its entries, its root, and coming back from its own bytes."""

import random
from collections.abc import Iterator

import pytest

from ibp_chain.blocks import blake2_256
from ibp_chain.errors import DecodeError, InputError
from ibp_chain.merkle import inclusion_proof, verify_inclusion
from ibp_chain.remark_bodies import Decision, DecisionOutcome, Milestone, MilestoneAction
from ibp_chain.types import BlockNumber, Hash, Planck, RelayBlockNumber
from ledger.pallets import payouts
from ledger.pallets.payout_lines import Transfer
from ledger.state import Head, State, entry_leaf
from ledger.storage import StorageValue
from tests.support.programme import (
    MULTISIG,
    PASEO,
    Stage,
    account,
    child_event,
    child_run,
    link_body,
    payout,
    payout_batch,
    registration,
    root,
    transfer,
)

HEAD = Head(BlockNumber(9), Hash(b"h" * 32), RelayBlockNumber(9))


def eventful() -> State:
    """A state in which every item of the programme's own pallets holds something."""
    stage = Stage().found()
    stage.accept(registration(), MULTISIG)
    stage.accept(
        Milestone(
            action=MilestoneAction.GRANT, member="amforc", milestone=2, evidence=root("lease")
        ),
        MULTISIG,
    )
    stage.accept(link_body(), account("amforc"))
    stage.accept(
        Decision(member="amforc", outcome=DecisionOutcome.WAIVE, subject="M3", reason="flood"),
        MULTISIG,
    )
    stage.observed().close()
    for name in ("Oracle0", "Oracle1"):
        stage.accept(stage.report(name), account(name))
    stage.accept(stage.observation("Oracle2", root=root("another day's dream")), account("Oracle2"))
    stage.refuse(b"IBP/1 member {}", account("Stranger"))
    body = payout(("amforc", "services"), ("amforc", "bonus"))
    payee = account("amforc-payee")
    stage.dispatch(payout_batch(body, transfer(payee, 5), transfer(account("Thief"), 6)))
    stage.deposits.append(child_event("Added", 0))
    stage.dispatch(payout_batch(payout(("amforc", "hardware")), *child_run(0, payee, 7)))
    claim = Transfer(payee, Planck(7))
    assert payouts.claimed(stage.state.payouts, BlockNumber(3), (17, 0), claim)
    stage.state.head.put(HEAD)
    return stage.state


def test_every_item_of_the_programmes_own_is_tried_here() -> None:
    own = {"Ledger", "Programme", "Membership", "Scores", "Payouts"}
    for item in eventful().maps():
        if item.pallet in own:
            assert len(item) > 0, f"{item.pallet}.{item.item}"


def test_no_two_items_share_a_prefix() -> None:
    maps = State(PASEO).maps()
    assert len({item.prefix for item in maps}) == len(maps)


def declared(part: object) -> Iterator[int]:
    """The storage items in `part` and in whatever it holds."""
    for value in vars(part).values():
        if hasattr(value, "raw_items"):
            yield id(value)
        elif hasattr(value, "__dict__"):
            yield from declared(value)


def test_every_item_that_a_storage_declares_is_part_of_the_state() -> None:
    state = State(PASEO)
    assert set(declared(state)) == {id(item) for item in state.maps()}


def test_an_empty_state_has_the_root_of_nothing() -> None:
    assert State(PASEO).root() == blake2_256(b"")


def test_entries_are_sorted_and_each_key_is_there_once() -> None:
    entries = eventful().entries()
    keys = [raw_key for raw_key, _ in entries]
    assert keys == sorted(set(keys))


def test_the_root_commits_to_every_entry() -> None:
    state = eventful()
    whole = state.root()
    entries = state.entries()
    for index in range(len(entries)):
        without = entries[:index] + entries[index + 1 :]
        assert State(PASEO).load(without).root() != whole


def test_every_entry_has_a_proof_against_the_root_and_no_other_value_has() -> None:
    state = eventful()
    leaves = [entry_leaf(raw_key, value) for raw_key, value in state.entries()]
    for index, (raw_key, value) in enumerate(state.entries()):
        path = inclusion_proof(leaves, index)
        assert verify_inclusion(leaves[index], index, len(leaves), path, state.root())
        forged = entry_leaf(raw_key, value + b"\0")
        assert not verify_inclusion(forged, index, len(leaves), path, state.root())


def test_the_head_is_part_of_the_root() -> None:
    state = eventful()
    before = state.root()
    state.head.put(HEAD._replace(hash=Hash(b"i" * 32)))
    assert state.root() != before


def test_a_leaf_tells_where_the_key_ends() -> None:
    assert entry_leaf(b"ab", b"c") != entry_leaf(b"a", b"bc")


def test_a_state_comes_back_from_its_entries_in_any_order() -> None:
    state = eventful()
    entries = state.entries()
    random.Random(7).shuffle(entries)  # an order, not a secret
    again = State(PASEO).load(entries)
    assert again.root() == state.root()
    assert again.entries() == state.entries()
    for item, loaded in zip(state.maps(), again.maps(), strict=True):
        assert dict(loaded.items()) == dict(item.items())
        assert not loaded.take_changes()


def test_a_loaded_state_goes_on_like_the_first() -> None:
    original, again = Stage(), Stage()
    original.state = original.fold.state = eventful()
    again.state = again.fold.state = State(PASEO).load(original.state.entries())
    for stage in (original, again):
        stage.next_block("2026-03-10T12:00")
        stage.accept(registration("rival"), MULTISIG)
        stage.accept(stage.report("Oracle2"), account("Oracle2"))
        stage.next_block("2026-03-11T00:30")
        stage.observed("2026-03-10").close("2026-03-10")
        stage.accept(stage.report("Oracle0", "2026-03-10"), account("Oracle0"))
        assert len(stage.state.scores.closings) == 2
    assert original.state.root() == again.state.root()


def test_insertion_order_does_not_matter() -> None:
    entries = eventful().entries()
    one, other = (State(PASEO).load(each) for each in (entries, entries[::-1]))
    assert list(one.membership.owners.items()) != list(other.membership.owners.items())
    assert one.root() == other.root()


def test_a_removed_entry_leaves_no_trace() -> None:
    stage = Stage().found()
    before = stage.state.root()
    stage.state.scores.standing.remove(3)
    grant = Milestone(
        action=MilestoneAction.GRANT, member="amforc", milestone=1, evidence=root("x")
    )
    stage.accept(registration(), MULTISIG)
    assert stage.state.root() != before
    stage.accept(grant, MULTISIG)
    granted = stage.state.root()
    milestones = stage.state.membership.milestones
    record = milestones.get(("amforc", 1))
    milestones.remove(("amforc", 1))
    assert stage.state.root() != granted
    milestones.insert(("amforc", 1), record)
    assert stage.state.root() == granted


def test_a_granted_and_revoked_milestone_leaves_its_transitions_and_nothing_else() -> None:
    stage = Stage().found()
    stage.accept(registration(), MULTISIG)
    before = dict(stage.state.entries())
    grant = Milestone(
        action=MilestoneAction.GRANT, member="amforc", milestone=1, evidence=root("x")
    )
    stage.accept(grant, MULTISIG)
    stage.accept(grant.model_copy(update={"action": MilestoneAction.REVOKE}), MULTISIG)
    after = dict(stage.state.entries())
    prefix = stage.state.membership.transitions.prefix
    assert before.items() <= after.items()
    new = after.keys() - before.keys()
    assert [key[:32] for key in new] == [prefix, prefix]


# --- What does not load -----------------------------------------------------------------


@pytest.mark.parametrize("raw_key", [b"", b"x", b"x" * 32, b"x" * 64])
def test_a_key_of_no_item_is_refused(raw_key: bytes) -> None:
    with pytest.raises(InputError, match="belongs to no item"):
        State(PASEO).load([(raw_key, b"")])


def test_an_item_that_another_ledger_knows_is_refused() -> None:
    other: StorageValue[bytes] = StorageValue("Scores", "Bribes", State(PASEO).head._value)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="belongs to no item"):
        State(PASEO).load([(other.prefix, b"")])


def test_damaged_keys_and_values_are_refused() -> None:
    for raw_key, value in eventful().entries():
        with pytest.raises(DecodeError):
            State(PASEO).load([(raw_key, value + b"\0")])
        with pytest.raises(DecodeError):
            State(PASEO).load([(raw_key + b"\0", value)])
        with pytest.raises(DecodeError):
            State(PASEO).load([(raw_key, value[:-1])])


def test_a_key_whose_hash_is_not_its_own_is_refused() -> None:
    item = eventful().membership.members
    ((raw_key, value),) = item.raw_items()
    broken = raw_key[:32] + bytes((raw_key[32] ^ 1,)) + raw_key[33:]
    with pytest.raises(DecodeError, match="wrong hash"):
        State(PASEO).load([(broken, value)])


def test_an_entry_given_twice_is_refused() -> None:
    entries = eventful().entries()
    with pytest.raises(InputError, match="twice"):
        State(PASEO).load([*entries, entries[0]])
