"""What happens on the chain of a differential test: polls, blocks of random calls, decisions."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from itertools import groupby
from typing import Any

from ibp_chain.accounts import other_signatories
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, PollIndex, TrackId
from ledger.pallets.conviction_voting import Casting
from tests.differential.live_chain import (
    BIG_TIPPER,
    CROWDED,
    FORTUNE,
    ROOT,
    SMALL_TIPPER,
    WHALE,
    Chain,
)
from tests.differential.random_governance import PLENTY, TOO_LITTLE

EXTRINSICS = 30
"""In a random block."""
MOST_BLOCKS = 40
"""Within which something must have happened."""
ORIGINS = {
    ROOT: ("system", ("Root", ())),
    SMALL_TIPPER: ("Origins", "SmallTipper"),
    BIG_TIPPER: ("Origins", "BigTipper"),
}


def submit(chain: Chain, tracks: Sequence[TrackId]) -> list[PollIndex]:
    """One referendum on each of `tracks`, every one but the last with its decision deposit."""
    first = len(chain.referenda(chain.devnet.head_hash()))
    polls = [PollIndex(first + n) for n in range(len(tracks))]
    chain.force(
        [
            chain.as_(
                WHALE.account,
                "Referenda",
                "submit",
                proposal_origin=ORIGINS[track],
                proposal=("Inline", chain.dice.call("System", "remark", remark=b"random").data),
                enactment_moment=("After", 10),
            )
            for track in tracks
        ]
        + [
            chain.as_(WHALE.account, "Referenda", "place_decision_deposit", index=poll)
            for poll in polls[:-1]
        ]
    )
    assert set(polls) <= chain.ongoing().keys()
    chain.dice.polls = [*chain.dice.polls, *polls]
    return polls


def decide(chain: Chain, ayes: Sequence[PollIndex], nays: Sequence[PollIndex] = ()) -> None:
    """The whale decides these polls, with conviction Locked1x."""
    votes = [(poll, 0x81) for poll in ayes] + [(poll, 0x01) for poll in nays]
    chain.force(
        [
            chain.as_(
                WHALE.account,
                "ConvictionVoting",
                "vote",
                poll_index=poll,
                vote=("Standard", {"vote": byte, "balance": FORTUNE // 2}),
            )
            for poll, byte in votes
        ]
    )


def random_blocks(chain: Chain, rooted_percent: int, count: int) -> None:
    for _ in range(count):
        holders = chain.dice.accounts
        chain.hand_sudo_to(holders[chain.rounds % len(holders)])
        chain.rounds += 1
        at = chain.devnet.head_hash()
        chain.dice.operations, chain.dice.ballots = chain.operations(at), chain.ballots(at)
        for _ in range(EXTRINSICS):
            chain.send(*chain.dice.extrinsic(rooted_percent))
        chain.block()


def random_blocks_until(chain: Chain, rooted_percent: int, wanted: AbstractSet[str]) -> None:
    """Go on until all `wanted` are among `chain.seen`."""
    for _ in range(MOST_BLOCKS):
        if wanted <= chain.seen.keys():
            return
        random_blocks(chain, rooted_percent, 1)
    missing = sorted(wanted - chain.seen.keys())
    raise AssertionError(f"{chain.rounds} random blocks had no {', '.join(missing)}")


def until_decided(chain: Chain, polls: Sequence[PollIndex]) -> None:
    """Jump from alarm to alarm: skipped heights never run their agenda.

    A block that starts a session may have no room for it either; the next one catches up.
    """
    for _ in range(MOST_BLOCKS):
        ongoing = chain.ongoing()
        if not ongoing.keys() & set(polls):
            return
        alarm = min(info["alarm"][0] for info in ongoing.values() if info["alarm"])
        chain.block(max(alarm, chain.node.head().number + 1))
    raise AssertionError(f"polls {polls} are not decided at block {chain.node.head().number}")


def let_tasks_vote(chain: Chain, poll: PollIndex) -> None:
    """Votes that no block shows: scheduled tasks cast, remove and unlock them in hooks."""
    height = chain.node.head().number

    def task(delay: int, name: str, **args: Any) -> Call:
        when = {"when": height + delay, "maybe_periodic": None, "priority": 0}
        call = chain.as_(CROWDED.account, "ConvictionVoting", name, **args)
        return chain.dice.call("Scheduler", "schedule", **when, call=call)

    standard = ("Standard", {"vote": 0x86, "balance": 5})
    chain.force(
        [
            chain.as_(
                CROWDED.account,
                "ConvictionVoting",
                "remove_vote",
                **{"class": SMALL_TIPPER},
                index=5_000,  # makes room for one more
            ),
            task(3, "vote", poll_index=poll, vote=standard),
            task(4, "remove_vote", **{"class": SMALL_TIPPER}, index=poll),
            task(5, "unlock", **{"class": SMALL_TIPPER}, target=("Id", CROWDED.account)),
        ]
    )
    count, lock = _votes_and_lock(chain)
    expected = [(count, lock), (count + 1, 5), (count, 5), (count, lock)]
    states = [(count, lock)]
    while len(changes := [state for state, _ in groupby(states)]) < len(expected):
        assert chain.block().header.number < height + MOST_BLOCKS
        states.append(_votes_and_lock(chain))
    assert changes == expected


def _votes_and_lock(chain: Chain) -> tuple[int, int]:
    """Of the crowded account, as the mirror has them."""
    who = CROWDED.account
    voting = chain.mirrors.conviction_voting.voting_for.get((who, SMALL_TIPPER))
    assert isinstance(voting, Casting)
    return len(voting.votes), chain.locks(who, 0).actual


# --- Refusals -----------------------------------------------------------------------


def provoke_voting_errors(chain: Chain, ongoing: PollIndex, approved: PollIndex) -> None:
    """Every error of the pallet, with a poll on SMALL_TIPPER and a freshly approved one on
    BIG_TIPPER that the whale voted for.
    """
    other = chain.dice.voters[0].account

    def by(who: AccountId, name: str, **args: Any) -> Call:
        return chain.as_(who, "ConvictionVoting", name, **args)

    def vote(who: AccountId, poll: int, balance: int = 1) -> Call:
        standard = {"vote": 0x80, "balance": balance}
        return by(who, "vote", poll_index=poll, vote=("Standard", standard))

    def delegate(who: AccountId, class_: int, to: AccountId) -> Call:
        lent = {"conviction": "None", "balance": 1}
        return by(who, "delegate", **{"class": class_}, to=("Id", to), **lent)

    def remove_other(class_: int, poll: int) -> Call:
        of = {"target": ("Id", WHALE.account), "class": class_}
        return by(other, "remove_other_vote", **of, index=poll)

    chain.force(
        [
            vote(WHALE.account, ongoing),
            vote(WHALE.account, 4_000),  # NotOngoing
            vote(WHALE.account, ongoing, 2**120),  # InsufficientFunds
            vote(CROWDED.account, ongoing),  # MaxVotesReached
            by(WHALE.account, "remove_vote", **{"class": ROOT}, index=4_000),  # NotVoter
            by(WHALE.account, "remove_vote", **{"class": None}, index=4_000),  # ClassNeeded
            remove_other(SMALL_TIPPER, ongoing),  # NoPermission
            remove_other(BIG_TIPPER, approved),  # NoPermissionYet
            delegate(WHALE.account, SMALL_TIPPER, other),  # AlreadyVoting
            delegate(WHALE.account, ROOT, WHALE.account),  # Nonsense
            delegate(WHALE.account, 999, other),  # BadClass
            by(CROWDED.account, "undelegate", **{"class": ROOT}),  # NotDelegating
            delegate(CROWDED.account, ROOT, WHALE.account),
            delegate(CROWDED.account, ROOT, WHALE.account),  # AlreadyDelegating
            by(CROWDED.account, "undelegate", **{"class": ROOT}),
        ]
    )


def provoke_multisig_errors(chain: Chain) -> None:
    """Every error that the pallet raises, on an operation of the first three voters."""
    first, second, third = (signer.account for signer in chain.dice.voters[:3])
    everybody = [first, second, third]
    call = chain.dice.call("System", "remark", remark=b"refused")
    unknown = bytes(32)

    def args(who: AccountId) -> dict[str, Any]:
        return {"threshold": 2, "other_signatories": other_signatories(everybody, who)}

    def approve(who: AccountId, when: Any, call_hash: bytes = call.hash, **other: Any) -> Call:
        given = {**args(who), "call_hash": call_hash, "maybe_timepoint": when, **other}
        return chain.as_(who, "Multisig", "approve_as_multi", max_weight=PLENTY, **given)

    def cancel(who: AccountId, when: Any, call_hash: bytes = call.hash) -> Call:
        given = {**args(who), "call_hash": call_hash, "timepoint": when}
        return chain.as_(who, "Multisig", "cancel_as_multi", **given)

    opening = chain.force([approve(first, None)])
    known = chain.entries("Multisig", "Multisigs", opening.hash)
    when = next(value["when"] for (_, call_hash), value in known.items() if call_hash == call.hash)
    wrong = {**when, "height": when["height"] + 1}
    execute = {**args(second), "maybe_timepoint": when, "call": call, "max_weight": TOO_LITTLE}
    crowd = [AccountId(bytes([n]) * 32) for n in range(1, 101)]
    others = other_signatories(everybody, first)
    chain.force(
        [
            approve(first, None, threshold=1),  # MinimumThreshold
            approve(first, None, other_signatories=[]),  # TooFewSignatories
            approve(first, None, other_signatories=crowd),  # TooManySignatories
            approve(first, None, other_signatories=others[::-1]),  # SignatoriesOutOfOrder
            approve(first, None, other_signatories=sorted(everybody)),  # SenderInSignatories
            approve(first, None),  # NoTimepoint
            approve(first, when),  # AlreadyApproved
            approve(second, wrong),  # WrongTimepoint
            approve(second, when, unknown),  # UnexpectedTimepoint
            chain.as_(second, "Multisig", "as_multi", **execute),  # MaxWeightTooLow
            cancel(second, when),  # NotOwner
            cancel(first, when, unknown),  # NotFound
            cancel(first, when),
        ]
    )
