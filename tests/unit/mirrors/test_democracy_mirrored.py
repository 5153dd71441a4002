"""The first governance in a ledger: beside OpenGov, without it, and after its end."""

from typing import Any

import pytest

from ibp_chain.blocks import EventRecord
from ibp_chain.errors import MirrorDivergence
from ibp_chain.types import AccountId
from ledger.dispatch import WATCHED_PALLETS
from ledger.origins import Failed
from ledger.pallets import democracy as gov1
from tests.unit.mirrors import eras
from tests.unit.mirrors.era_blocks import AYE1, AYE6, NOTHING, Chain, Sent
from tests.unit.mirrors.recorded_runtime import ALICE, BOB, CAROL, Said

PERIOD = 403_200


def act(chain: Chain, name: str, who: AccountId = ALICE, *said: Said, **args: Any) -> Sent:
    return Sent(who, chain.call("Democracy", name, **args), said)


def vote(chain: Chain, index: int, cast: Any, who: AccountId = ALICE) -> Sent:
    said = {"voter": who, "ref_index": index, "vote": cast}
    voted: Said = ("Democracy", ("Voted", said))
    return act(chain, "vote", who, voted, ref_index=index, vote=cast)


def referendum(name: str, index: int) -> Said:
    said: dict[str, Any] = {"ref_index": index}
    return (
        "Democracy",
        (name, said | ({"threshold": "SimpleMajority"} if name == "Started" else {})),
    )


@pytest.fixture
def chain() -> Chain:
    chain = Chain(eras.GOV1)
    chain.block(chain.submitted(1), before=[referendum("Started", 1), referendum("Started", 2)])
    return chain


def stored(chain: Chain, who: AccountId = ALICE) -> bytes | None:
    return chain.mirrors.democracy.voting_of.raw_value(who)


def direct(chain: Chain, *votes: Any, prior: Any = (0, 0), delegations: Any = NOTHING) -> bytes:
    value = ("Direct", {"votes": list(votes), "delegations": delegations, "prior": prior})
    return chain.runtime.encode_storage("Democracy", "VotingOf", value)


def locks(chain: Chain, **held: int) -> bytes:
    return chain.runtime.encode_storage(
        "Balances",
        "Locks",
        [{"id": name.encode(), "amount": n, "reasons": "Misc"} for name, n in held.items()],
    )


def test_both_governances_lock_side_by_side(chain: Chain) -> None:
    assert "Democracy" in WATCHED_PALLETS
    chain.block(chain.batch(vote(chain, 1, AYE6), chain.vote(1, AYE1), vote(chain, 2, AYE1)))
    assert stored(chain) == direct(chain, (1, AYE6), (2, AYE1))
    assert chain.locks() == locks(chain, democrac=10, pyconvot=4)

    chain.block(before=[referendum("Passed", 1), referendum("Cancelled", 2)])
    until = chain.number + 32 * PERIOD
    remove = (act(chain, "remove_vote", index=index) for index in (1, 2))
    chain.block(chain.proxy(chain.batch(*remove, kind="batch_all"), by=CAROL))
    assert stored(chain) == direct(chain, prior=(until, 10))

    unlock = act(chain, "unlock", BOB, target=("Id", ALICE))
    chain.skip_to(until - 1)
    chain.block(unlock)
    assert chain.locks() == locks(chain, democrac=10, pyconvot=4)
    chain.block(unlock)
    assert stored(chain) == direct(chain)
    assert chain.locks() == locks(chain, pyconvot=4)


def test_a_delegation_is_replaced(chain: Chain) -> None:
    for to, conviction in ((BOB, "Locked2x"), (CAROL, "None")):
        delegated: Said = ("Democracy", ("Delegated", {"who": ALICE, "target": to}))
        lent = {"to": ("Id", to), "conviction": conviction, "balance": 5}
        chain.block(act(chain, "delegate", ALICE, delegated, **lent))
    prior = (chain.number + 2 * PERIOD, 5)
    delegating = {
        "balance": 5, "target": CAROL, "conviction": "None", "delegations": NOTHING, "prior": prior
    }  # fmt: skip
    assert stored(chain) == chain.runtime.encode_storage(
        "Democracy", "VotingOf", ("Delegating", delegating)
    )
    assert stored(chain, BOB) == direct(chain)
    assert stored(chain, CAROL) == direct(chain, delegations={"votes": 0, "capital": 5})


def test_a_referendum_may_start_inside_a_call(chain: Chain) -> None:
    fast = {"proposal_hash": bytes(32), "voting_period": 9, "delay": 9}
    started = act(chain, "fast_track", ALICE, referendum("Started", 3), **fast)
    chain.block(started, vote(chain, 3, AYE6))
    assert stored(chain) == direct(chain, (3, AYE6))


@pytest.mark.parametrize("said", ["nothing", "another vote", "a delegation"])
def test_events_that_do_not_fit_are_a_divergence(chain: Chain, said: str) -> None:
    made = vote(chain, 1, AYE6)
    delegated: Said = ("Democracy", ("Delegated", {"who": ALICE, "target": BOB}))
    forged = {
        "nothing": (),
        "another vote": vote(chain, 1, AYE1).said,
        "a delegation": (delegated,),
    }
    with pytest.raises(MirrorDivergence, match=r"events of Democracy\.vote"):
        chain.block(made._replace(said=forged[said]))


def test_a_call_that_the_mirror_would_refuse_is_a_divergence(chain: Chain) -> None:
    with pytest.raises(MirrorDivergence, match="ReferendumInvalid"):
        chain.block(vote(chain, 9, AYE6))
    failed = vote(chain, 9, AYE6)._replace(
        said=(), error=chain.error(gov1.ReferendumInvalid, "Democracy")
    )
    assert [item.error for item in chain.block(failed) if isinstance(item, Failed)] == [
        "Democracy.ReferendumInvalid"
    ]


def test_a_task_is_followed_by_its_events_where_they_say_enough(chain: Chain) -> None:
    items = chain.block(before=[*vote(chain, 1, AYE6).said, chain.task_done()])
    assert all(isinstance(item, EventRecord) for item in items)
    assert stored(chain) == direct(chain, (1, AYE6))
    delegated: Said = ("Democracy", ("Delegated", {"who": BOB, "target": ALICE}))
    with pytest.raises(MirrorDivergence, match=r"Delegated of a call that the block does not show"):
        chain.block(before=[delegated, chain.task_done()])


@pytest.mark.parametrize(("era", "gone"), [(eras.E0_KUSAMA, False), (eras.E0, True)])
def test_locks_outlive_the_pallet_until_the_fellowships_first_runtime(
    chain: Chain, era: str, *, gone: bool
) -> None:
    chain.block(vote(chain, 1, AYE6), chain.vote(1, AYE1))
    later = Chain(era)
    later.mirrors = chain.mirrors
    later.skip_to(chain.number + 1)
    later.block(before=[later.task_done()])
    assert later.mirrors.democracy.is_empty == gone
    expected = {"pyconvot": 4} if gone else {"democrac": 10, "pyconvot": 4}
    assert later.locks() == locks(later, **expected)
