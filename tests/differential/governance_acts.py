"""What happens on the chain of a differential test: polls, blocks of random calls, decisions."""

from collections.abc import Collection, Sequence

from ibp_chain.types import PollIndex, TrackId
from tests.differential.live_chain import BIG_TIPPER, FORTUNE, ROOT, SMALL_TIPPER, WHALE, Chain

EXTRINSICS = 12
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


def random_blocks_until(chain: Chain, rooted_percent: int, wanted: Collection[str]) -> None:
    """Go on until all `wanted` are among `chain.seen`."""
    for _ in range(MOST_BLOCKS):
        if wanted <= chain.seen.keys():
            return
        random_blocks(chain, rooted_percent, 1)
    missing = sorted(set(wanted) - chain.seen.keys())
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
