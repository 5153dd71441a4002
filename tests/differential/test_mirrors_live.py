"""The mirrors beside the real runtime: after every block of random governance, the same bytes."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, TypeAlias

import pytest

from ibp_chain.accounts import ss58_encode
from ibp_chain.blocks import Block, Phase
from ibp_chain.keys import Signer, signer_from_uri
from ibp_chain.networks import NETWORKS
from ibp_chain.node import to_hex
from ibp_chain.peer_codec import PeerCodec
from ibp_chain.runtime import Runtime
from ibp_chain.runtimes import runtimes
from ibp_chain.scale.values import Call
from ibp_chain.signing import SigningContext, sign_extrinsic
from ibp_chain.source import NodeSource
from ibp_chain.types import AccountId, Hash, PollIndex, TrackId
from ledger import clock
from ledger.dispatch import WATCHED_PALLETS, attribute
from ledger.locks import AccountLocks, account_locks
from ledger.mirrors import BlockContext, Constants, Mirrors
from ledger.origins import Dispatched, Failed, Unattributed
from ledger.pallets import conviction_voting as cv
from ledger.pallets import multisig, referenda
from scripts.devnet_process import Devnet
from tests.conftest import StartDevnet
from tests.differential.random_governance import UNIT, Ballots, Dice, OpenOperation

pytestmark = pytest.mark.live

PASEO = NETWORKS["paseo"]
ROOT, SMALL_TIPPER, BIG_TIPPER = TrackId(0), TrackId(30), TrackId(31)
ORIGINS = {
    ROOT: ("system", ("Root", ())),
    SMALL_TIPPER: ("Origins", "SmallTipper"),
    BIG_TIPPER: ("Origins", "BigTipper"),
}
WHALE, SUDO = signer_from_uri("//Random//Whale"), signer_from_uri("//Random//Sudo")
VOTERS = tuple(signer_from_uri(f"//Random//Voter{n}") for n in range(5))
FORTUNE = 3_000_000_000 * UNIT
EXTRINSICS = 12
"""In a random block."""
CALLS = ("vote", "delegate", "undelegate", "unlock", "remove_vote", "remove_other_vote")
WRAPPERS = frozenset(
    {
        "Utility.batch", "Utility.batch_all", "Utility.force_batch", "Utility.as_derivative",
        "Utility.dispatch_as", "Utility.with_weight", "Proxy.proxy", "Sudo.sudo",
        "Multisig.as_multi", "Multisig.as_multi_threshold_1", "Multisig.approve_as_multi",
        "Multisig.cancel_as_multi",
    }
)  # fmt: skip
NEWER_WRAPPERS = {"Utility.if_else", "Utility.dispatch_as_fallible", "Multisig.poke_deposit"}
ERRORS = {
    f"ConvictionVoting.{name}"
    for name in (
        "NotOngoing",
        "NotVoter",
        "NoPermission",
        "NoPermissionYet",
        "AlreadyDelegating",
        "AlreadyVoting",
        "InsufficientFunds",
        "NotDelegating",
        "Nonsense",
        "ClassNeeded",
        "BadClass",
    )
} | {f"Multisig.{name}" for name in ("UnexpectedTimepoint", "WrongTimepoint", "AlreadyApproved")}
"""That must have come up, each at least once."""


@dataclass
class Chain:
    """A chain, and the mirrors that follow it block by block."""

    devnet: Devnet
    node: NodeSource
    context: SigningContext
    """As of the start; `_sign` brings it up to date."""
    dice: Dice
    mirrors: Mirrors = field(default_factory=Mirrors)
    seen: Counter[str] = field(default_factory=Counter)
    """`Pallet.call` that took effect, and `Pallet.call!Error` that did not."""
    rounds: int = 0
    """Random blocks so far: the sudo key goes round with them."""
    _nonces: Counter[AccountId] = field(default_factory=Counter)
    _waiting: list[bytes] = field(default_factory=list)

    @property
    def runtime(self) -> Runtime:
        return self.dice.runtime

    # --- drive ---

    def send(self, signer: Signer, call: Call) -> None:
        """Sign, for the next block. The pool, which would take most of the time, is passed by."""
        head = self.node.head()
        context = replace(self.context, birth=head, nonce=self._nonces[signer.account])
        self._nonces[signer.account] += 1
        self._waiting.append(sign_extrinsic(call.data, signer, context))

    def hand_sudo_to(self, who: AccountId) -> None:
        self.devnet.set_items({"Sudo": {"Key": ss58_encode(who, PASEO.ss58_prefix)}})
        self.dice.sudo = who

    def force(self, calls: Sequence[Call]) -> Block:
        """Let root dispatch `calls`, each whether the others fail or not, in a block of its own."""
        self.hand_sudo_to(SUDO.account)
        batch = self.dice.call("Utility", "force_batch", calls=list(calls))
        self.send(SUDO, self.dice.call("Sudo", "sudo", call=batch))
        return self.block()

    def as_(self, who: AccountId, pallet: str, name: str, **args: Any) -> Call:
        """A call for root that dispatches one of `who`."""
        call, origin = self.dice.call(pallet, name, **args), ("system", ("Signed", who))
        return self.dice.call("Utility", "dispatch_as", as_origin=origin, call=call)

    def block(self, to_height: int | None = None) -> Block:
        """Make a block of all that waits, let the mirrors follow it, and compare.

        Session blocks have no room for signed extrinsics: those wait for the block after.
        """
        while True:
            options: dict[str, Any] = {"transactions": [to_hex(raw) for raw in self._waiting]}
            if to_height is not None:
                options["unsafeBlockHeight"] = to_height
            block = self.node.block(
                self.node.hash(self.devnet.rpc("dev_newBlock", options), "block")
            )
            self._follow(block)
            self._compare(block.hash)
            left = [raw for raw in self._waiting if raw not in block.extrinsics]
            assert left in ([], self._waiting)
            self._waiting = left
            if not left:
                return block

    # --- follow ---

    def block_context(self, block: Block) -> BlockContext:
        return BlockContext(
            network=PASEO,
            number=block.header.number,
            now=clock.clock_of(PASEO, block.header),
            init_now=clock.provider_now(
                PASEO, block.header, Phase.INITIALIZATION, clock.clock_of(PASEO, block.header)
            ),
            constants=Constants.of(self.runtime),
        )

    def _follow(self, block: Block) -> None:
        context = self.block_context(block)
        extrinsics = [self.runtime.decode_extrinsic(raw) for raw in block.extrinsics]
        events = self.runtime.decode_events(block.events, pallets=WATCHED_PALLETS)
        for item in attribute(self.runtime, extrinsics, events):
            assert not isinstance(item, Unattributed), (block.header.number, item.reason)
            match item:
                case Failed(call=call, error=error):
                    self.seen[f"{call}!{error}"] += 1
                    continue
                case Dispatched(call=call):
                    self.seen[str(call)] += 1
            self.mirrors.apply(context, item)

    def _compare(self, at: Hash) -> None:
        for mirrored in self.mirrors.mirrored_maps():
            assert dict(mirrored.raw_items()) == self.read(mirrored.prefix, at), mirrored.item
        self._compare_polls(at)
        open_operations = {
            key[:2]
            for key, operation in self.mirrors.multisig.operations.items()
            if operation.status is multisig.Status.OPEN
        }
        assert open_operations == {key for key, _ in self.mirrors.multisig.multisigs.items()}

    def _compare_polls(self, at: Hash) -> None:
        """Status and end of every referendum; the tally of the ongoing ones."""
        chain = self.referenda(at)
        polls = dict(self.mirrors.referenda.polls.items())
        assert chain.keys() == polls.keys()
        for index, value in chain.items():
            assert referenda.info_of(value) == referenda.info(polls[index])
            if value[0] == "Ongoing":
                track, tally = TrackId(value[1]["track"]), cv.Tally(**value[1]["tally"])
                assert cv.tally(self.mirrors.conviction_voting, track, index) == tally

    # --- read ---

    def read(self, prefix: bytes, at: Hash) -> dict[bytes, bytes]:
        keys = list(self.node.keys(prefix, at))
        values = self.node.storage(keys, at)
        return {key: raw for key, raw in zip(keys, values, strict=True) if raw is not None}

    def referenda(self, at: Hash) -> dict[PollIndex, Any]:
        prefix = self.runtime.storage_prefix("Referenda", "ReferendumInfoFor")
        return {
            # the key ends in its hasher's digest and the index itself
            PollIndex(int.from_bytes(key[-4:], "little")): self.runtime.decode_storage(
                "Referenda", "ReferendumInfoFor", raw
            )
            for key, raw in self.read(prefix, at).items()
        }

    def operations(self, at: Hash) -> list[OpenOperation]:
        prefix = self.runtime.storage_prefix("Multisig", "Multisigs")
        found = []
        for key, raw in self.read(prefix, at).items():
            value = self.runtime.decode_storage("Multisig", "Multisigs", raw)
            signatories, threshold, call = self.dice.proposed[Hash(key[-32:])]
            found.append(
                OpenOperation(signatories, threshold, call, value["when"], value["depositor"])
            )
        return found

    def ballots(self, at: Hash) -> Ballots:
        prefix = self.runtime.storage_prefix("ConvictionVoting", "VotingFor")
        votes, delegating = {}, set()
        for key, raw in self.read(prefix, at).items():
            # each key part stands behind its 8-byte hash
            who, class_ = AccountId(key[40:72]), TrackId(int.from_bytes(key[-2:], "little"))
            kind, value = self.runtime.decode_storage("ConvictionVoting", "VotingFor", raw)
            if kind == "Delegating":
                delegating.add((who, class_))
            else:
                votes[who, class_] = [PollIndex(poll) for poll, _ in value["votes"]]
        return Ballots(votes, sorted(delegating))

    def ongoing(self) -> dict[PollIndex, Any]:
        return {
            index: value[1]
            for index, value in self.referenda(self.devnet.head_hash()).items()
            if value[0] == "Ongoing"
        }

    def locks(self, who: AccountId, now: int) -> AccountLocks:
        """What `ledger.locks` says of `who`, were it block `now`."""
        config = self.mirrors.voting_config(Constants.of(self.runtime), clock.RelayBlockNumber(now))
        return account_locks(self.mirrors.conviction_voting, config, who)


@dataclass(frozen=True)
class Course:
    """How random calls reach the runtime of a chain specification."""

    spec: str
    seed: int
    rooted_percent: int
    """Of extrinsics: through Sudo and `dispatch_as`, since a runtime filters governance calls."""
    wrappers: frozenset[str]


COURSES = (
    Course("paseo-2024", 20_240_517, 12, WRAPPERS),
    Course("paseo-2026", 20_260_311, 70, WRAPPERS | NEWER_WRAPPERS),
)


@pytest.fixture(scope="module", params=COURSES, ids=lambda course: course.spec)
def course(request: pytest.FixtureRequest) -> Course:
    assert isinstance(request.param, Course)
    return request.param


@pytest.fixture(scope="module")
def chain(course: Course, start_devnet: StartDevnet) -> Iterator[Chain]:
    with start_devnet(course.spec) as devnet, NodeSource(devnet.url) as node:
        context = _signing_context(node)
        runtime = runtimes(node)(context.spec_version)
        tracks = (ROOT, SMALL_TIPPER, BIG_TIPPER)
        chain = Chain(devnet, node, context, Dice(Random(course.seed), runtime, VOTERS, tracks))
        _equip(chain)
        yield chain


def _signing_context(node: NodeSource) -> SigningContext:
    version = node.client.call("state_getRuntimeVersion")
    metadata = node.bytes(node.client.call("state_getMetadata"), "metadata")
    return SigningContext(
        codec=PeerCodec(metadata),
        genesis_hash=node.genesis_hash,
        spec_version=node.spec_version(version),
        transaction_version=version["transactionVersion"],
        birth=node.head(),
        period=64,
        nonce=0,
    )


def _equip(chain: Chain) -> None:
    """Money and proxies; the mirrors take over what genesis has."""
    rich = {WHALE.account: FORTUNE, SUDO.account: 10**6 * UNIT}
    rich |= dict.fromkeys(chain.dice.accounts, 10**5 * UNIT)
    accounts = [
        [[ss58_encode(who, PASEO.ss58_prefix)], {"providers": 1, "data": {"free": str(free)}}]
        for who, free in rich.items()
    ]
    chain.devnet.set_items({"System": {"Account": accounts}})
    for mirrored in chain.mirrors.mirrored_maps():
        for key, raw in chain.read(mirrored.prefix, chain.devnet.head_hash()).items():
            mirrored.load(key, raw)
    chain.force(
        [
            chain.as_(real, "Proxy", "add_proxy", delegate=("Id", who), proxy_type="Any", delay=0)
            for real, proxies in chain.dice.proxies.items()
            for who in sorted(proxies)
        ]
    )


# --- Acts -------------------------------------------------------------------------


def _submit(chain: Chain, tracks: Sequence[TrackId]) -> list[PollIndex]:
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


def _decide(chain: Chain, ayes: Sequence[PollIndex], nays: Sequence[PollIndex]) -> None:
    """The whale decides these polls."""
    votes = [(poll, 0x81) for poll in ayes] + [(poll, 0x01) for poll in nays]
    standard = {"balance": FORTUNE // 2}
    chain.force(
        [
            chain.as_(
                WHALE.account,
                "ConvictionVoting",
                "vote",
                poll_index=poll,
                vote=("Standard", {"vote": byte, **standard}),
            )
            for poll, byte in votes
        ]
    )


def _random_blocks(chain: Chain, course: Course, count: int) -> None:
    for _ in range(count):
        holders = chain.dice.accounts
        chain.hand_sudo_to(holders[chain.rounds % len(holders)])
        chain.rounds += 1
        at = chain.devnet.head_hash()
        chain.dice.operations, chain.dice.ballots = chain.operations(at), chain.ballots(at)
        for _ in range(EXTRINSICS):
            chain.send(*chain.dice.extrinsic(course.rooted_percent))
        chain.block()


def _until_decided(chain: Chain, polls: Sequence[PollIndex]) -> None:
    """Jump from alarm to alarm: skipped heights never run their agenda.

    A block that starts a session may have no room for it either; the next one catches up.
    """
    while (ongoing := chain.ongoing()).keys() & set(polls):
        alarm = min(info["alarm"][0] for info in ongoing.values() if info["alarm"])
        chain.block(max(alarm, chain.node.head().number + 1))


def test_every_block_leaves_mirror_and_chain_with_the_same_bytes(
    chain: Chain, course: Course
) -> None:
    polls = _submit(chain, (*(SMALL_TIPPER, BIG_TIPPER) * 3, ROOT))
    approved, rejected, (cancelled, killed, timed_out) = polls[:2], polls[2:4], polls[4:]
    _decide(chain, approved, rejected)
    _random_blocks(chain, course, 6)
    chain.force(
        [
            chain.dice.call("Referenda", "cancel", index=cancelled),
            chain.dice.call("Referenda", "kill", index=killed),
        ]
    )
    _random_blocks(chain, course, 4)
    _until_decided(chain, approved)
    _random_blocks(chain, course, 4)
    _until_decided(chain, rejected)
    _submit(chain, (SMALL_TIPPER, BIG_TIPPER))
    _random_blocks(chain, course, 4)
    _until_decided(chain, [timed_out])
    _random_blocks(chain, course, 2)

    ends = {poll.status for _, poll in chain.mirrors.referenda.polls.items()}
    assert ends == set(referenda.Status)
    calls = {f"ConvictionVoting.{name}" for name in CALLS} | course.wrappers
    assert calls <= chain.seen.keys()
    assert {name.partition("!")[2] for name in chain.seen} >= ERRORS


def test_locks_are_what_unlocking_and_removing_leave(chain: Chain, course: Course) -> None:
    _decide(chain, _submit(chain, (SMALL_TIPPER, BIG_TIPPER)), ())
    _random_blocks(chain, course, 3)

    foretold, now = _all_do(chain, _unlock)
    assert any(locks.actual > locks.after_unlock for locks in foretold.values())
    for who, locks in foretold.items():
        assert chain.locks(who, now).actual == locks.after_unlock

    foretold, now = _all_do(chain, _remove_and_unlock)
    assert any(locks.releasable for locks in foretold.values())
    for who, locks in foretold.items():
        assert chain.locks(who, now).actual == locks.required_now

    free_at = {
        who: max((held.free_at or 0 for held in locks.classes), default=0)
        for who, locks in ((who, chain.locks(who, now)) for who in chain.dice.accounts)
        if not any(held.delegation for held in locks.classes)
    }
    last = max(free_at.values())
    assert last > now
    who = next(who for who, at in free_at.items() if at == last)
    chain.block(last - 2)
    foretold, now = _all_do(chain, _unlock)
    assert (now, foretold[who].after_unlock > 0) == (last - 1, True)
    assert chain.locks(who, now).actual == foretold[who].after_unlock
    foretold, now = _all_do(chain, _unlock)
    assert (now, foretold[who].after_unlock) == (last, 0)
    assert chain.locks(who, now).actual == 0


Foretold: TypeAlias = Mapping[AccountId, AccountLocks]


def _all_do(
    chain: Chain, act: Callable[[Chain, AccountId, TrackId], list[Call]]
) -> tuple[Foretold, int]:
    """Let everybody do `act` in every class; what was foretold for that block, and its number."""
    head = chain.node.head().number
    accounts = chain.dice.accounts
    foretold = {n: {who: chain.locks(who, n) for who in accounts} for n in (head + 1, head + 2)}
    block = chain.force(
        [call for who in accounts for track in chain.dice.tracks for call in act(chain, who, track)]
    )
    return foretold[block.header.number], block.header.number


def _unlock(chain: Chain, who: AccountId, track: TrackId) -> list[Call]:
    args = {"class": track, "target": ("Id", who)}
    return [chain.as_(who, "ConvictionVoting", "unlock", **args)]


def _remove_and_unlock(chain: Chain, who: AccountId, track: TrackId) -> list[Call]:
    voting = chain.mirrors.conviction_voting.voting_for.get((who, track))
    polls = [poll for poll, _ in voting.votes] if isinstance(voting, cv.Casting) else []
    removals = [
        chain.as_(who, "ConvictionVoting", "remove_vote", **{"class": track}, index=poll)
        for poll in polls
    ]
    return [*removals, *_unlock(chain, who, track)]
