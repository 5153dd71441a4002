"""A real runtime on the test chain, and the mirrors that follow it.

After every block the mirrored storage maps must be the chain's, byte for byte; and what a mirrored
pallet refused, the mirror must refuse with the same error.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest

from ibp_chain.accounts import ss58_encode
from ibp_chain.blocks import Block, EventRecord, Phase
from ibp_chain.errors import MirrorDivergence, PalletError
from ibp_chain.keys import Signer, signer_from_uri
from ibp_chain.networks import NETWORKS
from ibp_chain.node import to_hex
from ibp_chain.peer_codec import peer_codec
from ibp_chain.runtime import Runtime
from ibp_chain.runtimes import runtimes
from ibp_chain.scale.values import Call
from ibp_chain.signing import SigningContext, sign_extrinsic
from ibp_chain.source import NodeSource
from ibp_chain.types import AccountId, Hash, Planck, PollIndex, RelayBlockNumber, TrackId
from ledger import clock
from ledger.dispatch import WATCHED_PALLETS, attribute
from ledger.locks import AccountLocks, account_locks
from ledger.mirrors import BlockContext, Constants, Mirrors
from ledger.origins import Dispatched, Failed, Unattributed
from ledger.pallets import balances, multisig, referenda
from ledger.pallets import conviction_voting as cv
from scripts.devnet_process import Devnet
from tests.differential.random_governance import UNIT, Ballots, Dice, OpenOperation

PASEO = NETWORKS["paseo"]
ROOT, SMALL_TIPPER, BIG_TIPPER = TrackId(0), TrackId(30), TrackId(31)
TRACKS = (ROOT, SMALL_TIPPER, BIG_TIPPER)
WHALE, SUDO, CROWDED = (
    signer_from_uri(f"//Random//{name}") for name in ("Whale", "Sudo", "Crowded")
)
"""Who decides polls, who reaches root, and who has as many votes as a class holds."""
VOTERS = tuple(signer_from_uri(f"//Random//Voter{n}") for n in range(5))
FORTUNE = 3_000_000_000 * UNIT

NOT_MIRRORED = {
    "ConvictionVoting.InsufficientFunds",
    "Multisig.MaxWeightTooLow",
    "Treasury.InsufficientProposersBalance",
    "Treasury.InsufficientPermission",
    "Treasury.FailedToConvertBalance",
    "Treasury.PayoutError",
    "Treasury.Inconclusive",
    "Bounties.InsufficientProposersBalance",
    "ChildBounties.InsufficientBountyBalance",
}
"""Errors that depend on balances, weights, payments and limits, which no mirror follows."""
ERRORS_OF = {
    "ConvictionVoting": {"ConvictionVoting"},
    "Multisig": {"Multisig"},
    "Treasury": {"Treasury", "BadOrigin"},
    "Bounties": {"Bounties", "BadOrigin"},
    "ChildBounties": {"ChildBounties", "Bounties", "BadOrigin"},
}
"""Whose errors the calls of a mirrored pallet end in, as far as a mirror knows them."""
_MOST_ATTEMPTS = 5
"""Blocks that an extrinsic may wait for."""


@dataclass
class Chain:
    """A chain, and the mirrors that follow it block by block."""

    devnet: Devnet
    node: NodeSource
    context: SigningContext
    """As of the start; `send` brings it up to date."""
    dice: Dice
    mirrors: Mirrors = field(default_factory=Mirrors)
    seen: Counter[str] = field(default_factory=Counter)
    """`Pallet.call` that took effect; `Pallet.Error` that chain and mirror agreed on, or that no
    mirror predicts; `Pallet.Event` of hooks."""
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
        """Make blocks until all that waits is in: the last of them. The mirrors follow each, and
        are compared.

        Session blocks have no room for signed extrinsics, and a block may be full: what does not
        fit waits for the next one.
        """
        for _ in range(_MOST_ATTEMPTS):
            options: dict[str, Any] = {"transactions": [to_hex(raw) for raw in self._waiting]}
            if to_height is not None:
                # newer schedulers go through every skipped agenda, for many full blocks
                self.devnet.set_items({"Scheduler": {"IncompleteSince": to_height}})
                options["unsafeBlockHeight"] = to_height
            block = self.node.block(
                self.node.hash(self.devnet.rpc("dev_newBlock", options), "block")
            )
            self._follow(block)
            self._compare(block.hash)
            self._waiting = [raw for raw in self._waiting if raw not in block.extrinsics]
            to_height = None
            if not self._waiting:
                return block
        raise AssertionError(f"{len(self._waiting)} extrinsics: {self.devnet.rpc('dev_dropped')}")

    # --- follow ---

    def _follow(self, block: Block) -> None:
        now = clock.clock_of(PASEO, block.header)
        context = BlockContext(
            network=PASEO,
            number=block.header.number,
            now=now,
            init_now=clock.provider_now(PASEO, block.header, Phase.INITIALIZATION, now),
            constants=Constants.of(self.runtime),
        )
        extrinsics = [self.runtime.decode_extrinsic(raw) for raw in block.extrinsics]
        events = self.runtime.decode_events(block.events, pallets=WATCHED_PALLETS)
        for item in attribute(self.runtime, extrinsics, events, self.mirrors.tasks(self.runtime)):
            match item:
                case Unattributed(reason=reason):
                    raise AssertionError((block.header.number, reason))
                case Failed():
                    self._refuse(context, item)
                case Dispatched(call=call, extrinsic_index=index):
                    self.mirrors.apply(context, item)
                    self.seen[str(call)] += 1
                    if index is None:  # a task's
                        self.seen.update(f"{e.pallet}.{e.name}" for e in item.events)
                case EventRecord():
                    self.mirrors.apply(context, item)
                    self.seen[f"{item.pallet}.{item.name}"] += 1

    def _refuse(self, context: BlockContext, failed: Failed) -> None:
        """Let the mirror try what the chain refused. That it left its storage alone shows when the
        bytes are compared.
        """
        if failed.error in NOT_MIRRORED:
            self.seen[failed.error] += 1
            return
        if failed.error.split(".")[0] not in ERRORS_OF.get(failed.call.pallet, set()):
            return
        if failed.call.name == "as_multi_threshold_1":  # its inner call's error may be of Multisig
            return
        attempt = Dispatched(
            failed.origin, failed.call, (), failed.extrinsic_index, failed.path, None
        )
        with pytest.raises(MirrorDivergence) as refusal:
            self.mirrors.apply(context, attempt)
        error = refusal.value.__cause__
        assert isinstance(error, PalletError), (failed.error, failed, refusal.value)
        assert error_name(error) == failed.error
        self.seen[failed.error] += 1

    def _compare(self, at: Hash) -> None:
        pallets = {mirrored.prefix[:16] for mirrored in self.mirrors.mirrored_maps()}
        chain = {key: raw for prefix in pallets for key, raw in self.read(prefix, at).items()}
        for mirrored in self.mirrors.mirrored_maps():
            theirs = {key: raw for key, raw in chain.items() if key.startswith(mirrored.prefix)}
            assert dict(mirrored.raw_items()) == theirs, mirrored.item
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

    def entries(self, pallet: str, item: str, at: Hash) -> dict[tuple[Any, ...], Any]:
        """A whole storage map as the chain's own metadata reads it."""
        runtime = self.runtime
        return {
            runtime.decode_storage_key(pallet, item, key): runtime.decode_storage(pallet, item, raw)
            for key, raw in self.read(runtime.storage_prefix(pallet, item), at).items()
        }

    def referenda(self, at: Hash) -> dict[PollIndex, Any]:
        found = self.entries("Referenda", "ReferendumInfoFor", at)
        return {PollIndex(index): info for (index,), info in found.items()}

    def operations(self, at: Hash) -> list[OpenOperation]:
        found = []
        for (_, call_hash), value in self.entries("Multisig", "Multisigs", at).items():
            signatories, threshold, call = self.dice.proposed[Hash(call_hash)]
            found.append(
                OpenOperation(signatories, threshold, call, value["when"], value["depositor"])
            )
        return found

    def ballots(self, at: Hash) -> Ballots:
        votes, delegating = {}, set()
        for (who, class_), (kind, value) in self.entries(
            "ConvictionVoting", "VotingFor", at
        ).items():
            if kind == "Delegating":
                delegating.add((AccountId(who), TrackId(class_)))
            else:
                polls = [PollIndex(poll) for poll, _ in value["votes"]]
                votes[AccountId(who), TrackId(class_)] = polls
        return Ballots(votes, sorted(delegating))

    def ongoing(self) -> dict[PollIndex, Any]:
        return {
            index: value[1]
            for index, value in self.referenda(self.devnet.head_hash()).items()
            if value[0] == "Ongoing"
        }

    def locks(self, who: AccountId, now: int) -> AccountLocks:
        """What `ledger.locks` says of `who`, were it block `now`."""
        config = self.mirrors.voting_config(Constants.of(self.runtime), RelayBlockNumber(now))
        return account_locks(self.mirrors.conviction_voting, config, who)


def error_name(error: PalletError) -> str:
    """As `Runtime.error_name` has it."""
    pallet = getattr(error, "pallet", None)  # `BadOrigin` is of none
    return ".".join(filter(None, (pallet, type(error).__name__)))


# --- Start ------------------------------------------------------------------------


def equipped_chain(
    devnet: Devnet, node: NodeSource, seed: int, make_dice: type[Dice] = Dice
) -> Chain:
    """A fresh chain with money, proxies and an account that has a past; the mirrors take over what
    storage has.
    """
    version = node.client.call("state_getRuntimeVersion")
    context = SigningContext(
        codec=peer_codec(node.bytes(node.client.call("state_getMetadata"), "metadata")),
        genesis_hash=node.genesis_hash,
        spec_version=node.spec_version(version),
        transaction_version=version["transactionVersion"],
        birth=node.head(),
        period=64,
        nonce=0,
    )
    runtime = runtimes(node)(context.spec_version)
    chain = Chain(devnet, node, context, make_dice(Random(seed), runtime, VOTERS, TRACKS))

    rich = dict.fromkeys([*chain.dice.accounts, CROWDED.account], 10**5 * UNIT)
    rich |= {WHALE.account: FORTUNE, SUDO.account: 10**6 * UNIT}
    accounts = [
        [
            [ss58_encode(who, PASEO.ss58_prefix)],
            {"providers": 1, "consumers": 1, "data": {"free": str(free)}},
        ]
        for who, free in rich.items()
    ]
    devnet.set_items({"System": {"Account": accounts}})
    _write_past(chain, VOTERS[1].account)
    for mirrored in chain.mirrors.mirrored_maps():
        for key, raw in chain.read(mirrored.prefix, devnet.head_hash()).items():
            mirrored.load(key, raw)
    chain.force(
        [
            chain.as_(real, "Proxy", "add_proxy", delegate=("Id", who), proxy_type="Any", delay=0)
            for real, proxies in chain.dice.proxies.items()
            for who in sorted(proxies)
        ]
    )
    return chain


def _write_past(chain: Chain, who: AccountId) -> None:
    """Give `who` what years of governance leave: a governance lock written before spec 9420 beside
    another pallet's, a prior lock, an empty entry, and a class that is no track any more. And fill
    the vote list of `CROWDED`.
    """
    past = Mirrors()
    amount, until = Planck(5 * UNIT), RelayBlockNumber(60)
    past.balances.locks.insert(
        who,
        (
            balances.BalanceLock(cv.CONVICTION_VOTING_ID, amount, balances.Reasons.MISC),
            balances.BalanceLock(b"vesting ", Planck(3 * UNIT), balances.Reasons.MISC),
        ),
    )
    votes = past.conviction_voting
    votes.class_locks_for.insert(who, ((TrackId(777), Planck(UNIT)), (SMALL_TIPPER, amount)))
    votes.voting_for.insert((who, SMALL_TIPPER), cv.Casting(prior=cv.PriorLock(until, amount)))
    votes.voting_for.insert((who, BIG_TIPPER), cv.Casting())
    polls = range(5_000, 5_000 + Constants.of(chain.runtime).max_votes)
    nothing = cv.Split(Planck(0), Planck(0))
    votes.voting_for.insert(
        (CROWDED.account, SMALL_TIPPER),
        cv.Casting(tuple((PollIndex(poll), nothing) for poll in polls)),
    )
    chain.devnet.set_storage(
        {
            to_hex(key): to_hex(raw)
            for mirrored in past.mirrored_maps()
            for key, raw in mirrored.raw_items()
        }
    )
