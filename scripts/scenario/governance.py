"""Act two: referenda, and every kind of vote, delegation, removal and unlock that locks come from.

Who promises what on this stage: 5,000 PAS at Locked6x, without a gap.

| member        | does                                                                       |
|---------------|----------------------------------------------------------------------------|
| stake-plus    | votes 5,000 at Locked6x; when the referendum has passed, moves on to the next |
| amforc        | two Locked6x votes in one batch                                            |
| gatotech      | its proxy votes for it, Locked6x                                           |
| dwellir       | votes 1,200 only: its lock falls short                                     |
| turboflakes   | delegates 5,000 at Locked6x to stake-plus                                  |
| rotko-networks| Locked1x nay, then split-abstain, then removes the vote and unlocks         |
| radiumblock   | a split vote                                                               |
"""

from collections.abc import Sequence
from typing import Any

from ibp_chain.types import Planck, PollIndex
from scripts.scenario.cast import Cast
from scripts.scenario.stage import Stage

ROOT_TRACK = 0
AYE, LOCKED_1X, LOCKED_6X = 0x80, 1, 6
PASSING, OPEN = PollIndex(0), PollIndex(1)


def submit_referenda(stage: Stage, cast: Cast) -> None:
    """Two referenda on the root track: one that passes and one that stays open."""
    proposal = stage.encode("System", "remark", remark=b"IBP scenario")
    for _ in (PASSING, OPEN):
        stage.send(
            cast.whale,
            stage.encode(
                "Referenda",
                "submit",
                proposal_origin=("system", "Root"),
                proposal=("Inline", proposal),
                enactment_moment=("After", 10),
            ),
        )
        # one block apart: the track decides one referendum at a time, whichever is prepared first
        stage.block()
    for index in (PASSING, OPEN):
        stage.send(cast.whale, stage.encode("Referenda", "place_decision_deposit", index=index))
    stage.block()


def vote(stage: Stage, cast: Cast) -> None:
    """The votes of the table above, each by the way that it names."""
    promise = stage.network.planck(5_000)
    member = {entry.id: entry.signer for entry in cast.members}

    stage.send(
        cast.whale,
        standard(stage, PASSING, AYE | LOCKED_1X, stage.network.planck(3_000_000_000)),
    )
    stage.send(member["stake-plus"], standard(stage, PASSING, AYE | LOCKED_6X, promise))
    stage.send(
        member["amforc"],
        stage.batch_all(
            [standard(stage, poll, AYE | LOCKED_6X, promise) for poll in (PASSING, OPEN)]
        ),
    )
    stage.send(
        member["gatotech"],
        stage.encode(
            "Proxy",
            "add_proxy",
            delegate=("Id", cast.proxy.account),
            proxy_type="Governance",
            delay=0,
        ),
    )
    stage.send(
        member["dwellir"],
        standard(stage, PASSING, AYE | LOCKED_6X, stage.network.planck(1_200)),
    )
    stage.send(
        member["turboflakes"],
        stage.encode(
            "ConvictionVoting",
            "delegate",
            **{"class": ROOT_TRACK},
            to=("Id", member["stake-plus"].account),
            conviction="Locked6x",
            balance=promise,
        ),
    )
    stage.send(
        member["rotko-networks"], standard(stage, PASSING, LOCKED_1X, stage.network.planck(300))
    )
    stage.send(
        member["radiumblock"],
        poll_vote(
            stage,
            PASSING,
            ("Split", {"aye": stage.network.planck(40), "nay": stage.network.planck(60)}),
        ),
    )
    stage.block()

    stage.send(
        cast.proxy,
        stage.encode(
            "Proxy",
            "proxy",
            real=("Id", member["gatotech"].account),
            force_proxy_type=None,
            call=stage.call(standard(stage, OPEN, AYE | LOCKED_6X, promise)),
        ),
    )
    tenth = {part: stage.network.planck(amount) for part, amount in _ABSTAINING.items()}
    stage.send(member["rotko-networks"], poll_vote(stage, PASSING, ("SplitAbstain", tenth)))
    stage.block()
    stage.send(
        member["rotko-networks"],
        stage.encode("ConvictionVoting", "remove_vote", **{"class": ROOT_TRACK}, index=PASSING),
    )
    stage.block()
    stage.send(member["rotko-networks"], unlock(stage, member["rotko-networks"].account))
    # a vote on a referendum that is not there: the extrinsic fails and must leave no trace
    stage.send(
        cast.stranger,
        standard(stage, PollIndex(77), AYE, stage.network.planck(1)),
        expect="ConvictionVoting.NotOngoing",
    )
    stage.block()


def pass_the_first(stage: Stage) -> None:
    """Let time run, from one alarm of the referendum to the next, until it is approved.

    Skipped heights never run their agenda, so every jump lands exactly on an alarm.
    """
    while (alarm := stage.next_alarm(PASSING)) is not None:
        stage.jump_to(alarm)


def after_the_first(stage: Stage, cast: Cast) -> None:
    """Winners take their votes back: 6x stays locked as a prior lock, the promise moves on."""
    promise = stage.network.planck(5_000)
    stake_plus = cast.member("stake-plus").signer
    stage.send(stake_plus, standard(stage, OPEN, AYE | LOCKED_6X, promise))
    stage.block()
    stage.send(stake_plus, removal(stage, PASSING))
    radiumblock = cast.member("radiumblock").signer
    stage.send(
        radiumblock, stage.batch([removal(stage, PASSING), unlock(stage, radiumblock.account)])
    )
    # anybody may clear what nothing holds any more, but not dwellir's winning vote
    stage.send(
        cast.stranger,
        stage.encode(
            "ConvictionVoting",
            "remove_other_vote",
            target=("Id", cast.member("dwellir").signer.account),
            **{"class": ROOT_TRACK},
            index=PASSING,
        ),
        expect="ConvictionVoting.NoPermissionYet",
    )
    stage.block()
    stage.send(cast.stranger, unlock(stage, stake_plus.account))
    stage.block()


_ABSTAINING = {"aye": 10, "nay": 20, "abstain": 30}


def standard(stage: Stage, poll: PollIndex, vote_byte: int, balance: Planck) -> bytes:
    return poll_vote(stage, poll, ("Standard", {"vote": vote_byte, "balance": balance}))


def poll_vote(stage: Stage, poll: PollIndex, account_vote: tuple[str, Any]) -> bytes:
    return stage.encode("ConvictionVoting", "vote", poll_index=poll, vote=account_vote)


def removal(stage: Stage, poll: PollIndex) -> bytes:
    return stage.encode("ConvictionVoting", "remove_vote", **{"class": ROOT_TRACK}, index=poll)


def unlock(stage: Stage, target: bytes) -> bytes:
    return stage.encode(
        "ConvictionVoting", "unlock", **{"class": ROOT_TRACK}, target=("Id", target)
    )


__all__: Sequence[str] = ("after_the_first", "pass_the_first", "submit_referenda", "vote")
