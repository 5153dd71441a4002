"""The first governance as blocks and storage have it: calls, events, bytes, constants."""

from typing import Any

import pytest

from ibp_chain.errors import DecodeError, InputError
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, Planck, PollIndex, RelayBlockNumber
from ledger.pallets import balances
from ledger.pallets import conviction_voting as cv
from ledger.pallets import democracy as gov1
from tests.unit.mirrors import eras
from tests.unit.mirrors.democracy_world import World, record, split, three_won_votes
from tests.unit.mirrors.voting_world import ALICE, BOB, CAROL, standard

DECLARED = frozenset({"Delegated", "Undelegated", "Voted"})


@pytest.fixture
def world() -> World:
    world = World()
    world.start(1, 2, 3)
    return world


# --- Calls and events, as blocks have them ----------------------------------------------


def call(name: str, era: str = eras.GOV1, **args: Any) -> Call:
    return eras.runtime(era).call("Democracy", name, args)


VOTE = ("Standard", {"vote": 0x84, "balance": 10})


@pytest.mark.parametrize("era", [eras.GOV1_UNNAMED, eras.GOV1])
def test_every_call_on_votes_is_read_from_its_bytes(world: World, era: str) -> None:
    def act(name: str, who: AccountId = ALICE, **args: Any) -> list[gov1.Event]:
        return gov1.dispatch(world.storage, world.config, who, call(name, era, **args))

    # 9110 had plain account ids where later runtimes have `MultiAddress`
    def address(who: AccountId) -> Any:
        return who if era == eras.GOV1_UNNAMED else ("Id", who)

    assert act("vote", ref_index=1, vote=VOTE) == [gov1.Voted(ALICE, PollIndex(1), standard(10, 4))]
    world.end(1, at=2)
    assert act("remove_vote", index=1) == []
    assert world.prior == (26, 10)
    delegation = {"to": address(BOB), "conviction": "Locked2x", "balance": 5}
    assert act("delegate", **delegation) == [gov1.Delegated(ALICE, BOB)]
    assert act("undelegate") == [gov1.Undelegated(ALICE)]
    world.vote(2, split(1, 2), CAROL)
    world.cancel(2)
    assert act("remove_other_vote", target=address(CAROL), index=2) == []
    assert act("unlock", target=address(CAROL)) == []
    assert world.voting(CAROL) == gov1.Direct()
    assert world.locked(CAROL) == 0
    assert world.prior == (26, 10)


def test_an_address_that_resolves_to_nobody_is_refused(world: World) -> None:
    with pytest.raises(DecodeError, match="resolves to no account"):
        gov1.dispatch(world.storage, world.config, ALICE, call("unlock", target=("Raw", ALICE)))


@pytest.mark.parametrize("era", [eras.GOV1_UNNAMED, eras.GOV1])
def test_every_call_of_the_runtime_is_known_to_touch_votes_or_not(era: str) -> None:
    names = {name for name in CALLS if eras.runtime(era).has_call("Democracy", name)}
    touching = {name for name in names if gov1.touches_votes(_named(name))}
    assert touching == {
        "vote", "delegate", "undelegate", "unlock", "remove_vote", "remove_other_vote"
    }  # fmt: skip
    with pytest.raises(DecodeError, match="no call 'reap_vote'"):
        gov1.touches_votes(_named("reap_vote"))


CALLS = (
    "propose", "second", "vote", "emergency_cancel", "external_propose", "fast_track",
    "external_propose_majority", "external_propose_default", "veto_external", "cancel_referendum",
    "cancel_queued", "delegate", "undelegate", "clear_public_proposals", "note_preimage",
    "note_preimage_operational", "note_imminent_preimage", "note_imminent_preimage_operational",
    "reap_preimage", "unlock", "remove_vote", "remove_other_vote", "enact_proposal", "blacklist",
    "cancel_proposal", "set_metadata",
)  # fmt: skip


def _named(name: str) -> Call:
    return Call("Democracy", name, {}, b"", 0, 0)


def test_a_vote_that_abstains_is_none_of_democracy() -> None:
    abstaining = ("SplitAbstain", {"aye": 1, "nay": 1, "abstain": 1})
    with pytest.raises(DecodeError, match="abstains"):
        gov1.account_vote(abstaining)


NAMED = {"voter": ALICE, "ref_index": 1, "vote": VOTE}


@pytest.mark.parametrize(
    ("said", "agrees"),
    [
        pytest.param([("Voted", NAMED)], True, id="the same"),
        pytest.param(
            [("Proposed", {"proposal_index": 1, "deposit": 1}), ("Voted", NAMED)],
            True,
            id="beside another",
        ),
        pytest.param([("Voted", NAMED | {"ref_index": 2})], False, id="another referendum"),
        pytest.param([("Voted", NAMED | {"voter": BOB})], False, id="another voter"),
        pytest.param([("Voted", NAMED | {"weight": 1})], False, id="an unknown field"),
        pytest.param([("Voted", {"voter": ALICE})], False, id="a field too few"),
        pytest.param([("Voted", NAMED)] * 2, False, id="twice"),
        pytest.param([("Undelegated", {"account": ALICE})], False, id="another event"),
        pytest.param([], False, id="none"),
    ],
)
def test_events_are_compared(said: list[tuple[str, Any]], *, agrees: bool) -> None:
    predicted: list[gov1.Event] = [gov1.Voted(ALICE, PollIndex(1), standard(10, 4))]
    observed = [record(name, args) for name, args in said]
    assert gov1.confirmed(predicted, observed, DECLARED) is agrees


@pytest.mark.parametrize(
    ("event", "args", "agrees"),
    [
        (gov1.Delegated(ALICE, BOB), (ALICE, BOB), True),
        (gov1.Delegated(ALICE, BOB), (BOB, ALICE), False),
        (gov1.Delegated(ALICE, BOB), ALICE, False),
        (gov1.Undelegated(ALICE), ALICE, True),
        (gov1.Undelegated(ALICE), BOB, False),
    ],
)
def test_events_without_names_are_compared_by_place(
    event: gov1.Event, args: Any, *, agrees: bool
) -> None:
    declared = frozenset({"Delegated", "Undelegated"})
    predicted: list[gov1.Event] = [gov1.Voted(ALICE, PollIndex(1), standard(1)), event]
    observed = [record(type(event).__name__, args)]
    assert gov1.confirmed(predicted, observed, declared) is agrees


def test_referenda_are_followed_by_events_without_names_too(world: World) -> None:
    era = eras.runtime(eras.GOV1_UNNAMED)
    said = [("Started", (8, "SuperMajorityApprove")), ("Started", (9, "SimpleMajority")),
            ("Passed", 8), ("Cancelled", 9), ("NotPassed", 2)]  # fmt: skip
    records = [
        {"phase": ("Initialization", ()), "event": ("Democracy", event), "topics": []}
        for event in said
    ]
    world.at(4)
    for event in era.decode_events(era.encode_storage("System", "Events", records)):
        gov1.deposit_event(world.storage, world.config.now, event)
    now = RelayBlockNumber(4)
    assert dict(world.storage.referenda.items()) == {
        1: gov1.Ongoing(),
        2: gov1.Finished(approved=False, end=now),
        3: gov1.Ongoing(),
        8: gov1.Finished(approved=True, end=now),
    }


def test_an_event_that_names_no_referendum_is_refused(world: World) -> None:
    with pytest.raises(DecodeError, match=r"Democracy\.Passed names no referendum"):
        world.deposit("Passed", {"index": 1})


def test_a_task_is_followed_by_its_events_where_they_say_enough(world: World) -> None:
    storage, config = world.storage, world.config
    assert gov1.replay(storage, config, record("Voted", NAMED)) is not None
    assert world.locked() == 10
    world.delegate(5, who=BOB, to=CAROL)
    for said in ({"account": BOB}, BOB):
        assert gov1.replay(storage, config, record("Undelegated", said)) is not None
        world.delegate(5, who=BOB, to=CAROL)
    delegated = {"who": CAROL, "target": ALICE}
    assert gov1.replay(storage, config, record("Delegated", delegated)) is None


# --- As the runtime has it ------------------------------------------------------------


@pytest.mark.parametrize("error", gov1.Error.__subclasses__())
def test_errors_are_numbered_as_in_the_runtime(error: type[gov1.Error]) -> None:
    era = eras.runtime(eras.GOV1)
    index = era.metadata.pallets["Democracy"].index
    code = bytes((error.index, 0, 0, 0))
    name = era.error_name(("Module", {"index": index, "error": code}))
    assert name == f"Democracy.{error.__name__}"


@pytest.mark.parametrize("era", [eras.GOV1_UNNAMED, eras.GOV1])
def test_storage_is_what_the_runtime_would_store(world: World, era: str) -> None:
    runtime = eras.runtime(era)
    world.vote(1, standard(10, 6))
    world.vote(2, split(1, 2))
    world.vote(3, standard(7, 3, aye=False))
    world.delegate(4, 2, who=BOB, to=ALICE)
    world.end(1, at=5).remove(1)
    expected = {
        ALICE: (
            "Direct",
            {
                "votes": [
                    (2, ("Split", {"aye": 1, "nay": 2})),
                    (3, ("Standard", {"vote": 0x03, "balance": 7})),
                ],
                "delegations": {"votes": 8, "capital": 4},
                "prior": (101, 10),
            },
        ),
        BOB: (
            "Delegating",
            {
                "balance": 4,
                "target": ALICE,
                "conviction": "Locked2x",
                "delegations": {"votes": 0, "capital": 0},
                "prior": (0, 0),
            },
        ),
    }
    assert dict(world.storage.voting_of.raw_items()) == {
        runtime.storage_key("Democracy", "VotingOf", who): runtime.encode_storage(
            "Democracy", "VotingOf", value
        )
        for who, value in expected.items()
    }
    locks = [{"id": b"democrac", "amount": 10, "reasons": "All"}]
    assert world.currency.locks.raw_value(ALICE) == runtime.encode_storage(
        "Balances", "Locks", locks
    )


def test_storage_is_read_back_from_its_bytes(world: World) -> None:
    three_won_votes(world).delegate(4, 2, who=BOB, to=ALICE)
    world.cancel(3)
    read = gov1.Storage()
    for written, into in (
        (world.storage.voting_of, read.voting_of),
        (world.storage.referenda, read.referenda),
    ):
        for key, value in written.raw_items():
            into.load(key, value)
        assert dict(into.items()) == dict(written.items())


def test_a_stored_vote_that_abstains_is_refused() -> None:
    abstaining = cv.Casting(((PollIndex(1), cv.SplitAbstain(Planck(1), Planck(1), Planck(1))),))
    with pytest.raises(DecodeError, match="abstains"):
        gov1.VOTING.decode(cv.VOTING.encode(abstaining))


class WithoutConstant:
    """A runtime of before substrate #9641, in what its metadata lacked."""

    def __init__(self, era: str) -> None:
        self._runtime = eras.runtime(era)
        self.spec_version = self._runtime.spec_version
        self.has_pallet, self.has_event = self._runtime.has_pallet, self._runtime.has_event

    def constant(self, pallet: str, name: str) -> Any:
        if name == "VoteLockingPeriod":
            raise InputError("no such constant")
        return self._runtime.constant(pallet, name)


@pytest.mark.parametrize(
    ("era", "limit", "events", "winds_down"),
    [(eras.GOV1_UNNAMED, 101, DECLARED - {"Voted"}, False), (eras.GOV1, 100, DECLARED, True)],
)
def test_constants_are_the_runtimes(
    era: str, limit: int, events: frozenset[str], *, winds_down: bool
) -> None:
    known = gov1.Constants.of(eras.runtime(era))
    assert (known.vote_locking_period, known.max_votes) == (403_200, limit)
    assert (known.events, known.ended) == (events, False)
    assert known == gov1.Constants.of(WithoutConstant(era))
    config = known.config(RelayBlockNumber(7), balances.Storage())
    assert config.lock_reasons is balances.Reasons.MISC
    assert (config.now, config.winds_down, config.free_balance) == (7, winds_down, None)


@pytest.mark.parametrize(
    ("era", "ended"), [(eras.E0_KUSAMA, False), (eras.E0, True), (eras.E2_HUB, True)]
)
def test_a_runtime_without_the_pallet_ended_it_only_if_it_is_the_fellowships(
    era: str, *, ended: bool
) -> None:
    known = gov1.Constants.of(eras.runtime(era))
    assert (known.max_votes, known.events, known.ended) == (0, frozenset(), ended)
