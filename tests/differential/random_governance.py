"""Random governance on a real runtime: votes, delegations, multisigs, wrapped in each other.

`Dice` draws calls from small domains, so that they meet each other: the same polls, the same few
accounts, right and wrong arguments. It knows the runtime's call names and what the chain says of
open multisig operations, and nothing of the mirrors.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from ibp_chain.accounts import derivative_account, multisig_account, other_signatories
from ibp_chain.keys import Signer
from ibp_chain.runtime import Runtime
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, Hash, PollIndex, TrackId

T = TypeVar("T")

CONVICTIONS = ("None", *(f"Locked{n}x" for n in range(1, 7)))
PLENTY = {"ref_time": 20_000_000_000, "proof_size": 1_000_000}
TOO_LITTLE = {"ref_time": 1_000, "proof_size": 0}
UNIT = 10**10
DERIVATIVES = (0, 7)


@dataclass(frozen=True)
class OpenOperation:
    """A multisig operation as the chain has it, and the call behind its hash."""

    signatories: tuple[Signer, ...]
    threshold: int
    call: Call
    timepoint: dict[str, int]
    depositor: AccountId


@dataclass(frozen=True)
class Ballots:
    """What the chain has in `VotingFor`, by account and class."""

    votes: Mapping[tuple[AccountId, TrackId], Sequence[PollIndex]]
    delegating: Collection[tuple[AccountId, TrackId]]


@dataclass
class Dice:
    """Draws calls for `voters` and for the accounts that they control.

    Sensible calls most of the time: otherwise hardly any would succeed.
    """

    random: Random
    runtime: Runtime
    voters: Sequence[Signer]
    tracks: Sequence[TrackId]
    polls: Sequence[PollIndex] = ()
    ballots: Ballots = Ballots({}, ())
    operations: Sequence[OpenOperation] = ()
    sudo: AccountId | None = None
    """Who holds the sudo key; None where nobody here does."""
    proposed: dict[Hash, tuple[tuple[Signer, ...], int, Call]] = field(default_factory=dict)
    """Signatories, threshold and call of every multisig operation ever drawn."""

    # --- who ---

    @property
    def accounts(self) -> list[AccountId]:
        """Everybody who may come to vote."""
        keys = [signer.account for signer in self.voters]
        derived = [derivative_account(keys[0], index) for index in DERIVATIVES]
        return [*keys, *derived, *(self.multisig(*group) for group in self.groups)]

    def somebody(self) -> AccountId:
        """For whom root dispatches."""
        return self.random.choice(self.accounts)

    @property
    def proxies(self) -> dict[AccountId, set[AccountId]]:
        """Who is to be a proxy of whom."""
        keys = [signer.account for signer in self.voters]
        return {
            real: {keys[n % len(keys)], keys[(n + 2) % len(keys)]} - {real}
            for n, real in enumerate(self.accounts)
        }

    @property
    def groups(self) -> list[tuple[tuple[Signer, ...], int]]:
        return [
            (tuple(self.voters[:3]), 2),
            (tuple(self.voters[1:5]), 3),
            (tuple(self.voters[:2]), 1),
        ]

    @staticmethod
    def multisig(signatories: Sequence[Signer], threshold: int) -> AccountId:
        return multisig_account([signer.account for signer in signatories], threshold)

    # --- values ---

    def call(self, pallet: str, name: str, **args: Any) -> Call:
        return self.runtime.call(pallet, name, args)

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def amount(self) -> int:
        if self.chance(6):
            return 2**120  # more than there is
        return self.random.choice((0, 1, 19, *(UNIT * n + 7 for n in range(1, 40))))

    def address(self) -> tuple[str, bytes]:
        if self.chance(4):
            return ("Address32", self.random.choice(self.accounts))  # resolves to nobody
        return ("Id", self.random.choice(self.accounts))

    def poll(self) -> PollIndex:
        return PollIndex(4_000) if self.chance(4) else self.random.choice(self.polls)

    def track(self) -> TrackId:
        return TrackId(999) if self.chance(8) else self.random.choice(self.tracks)

    def account_vote(self) -> Any:
        match self.random.randrange(5):
            case 0:
                return ("Split", {"aye": self.amount(), "nay": self.amount()})
            case 1:
                parts = {part: self.amount() for part in ("aye", "nay", "abstain")}
                return ("SplitAbstain", parts)
            case _:
                byte = self.random.choice((0x80, 0)) | self.random.randrange(7)
                return ("Standard", {"vote": byte, "balance": self.amount()})

    # --- conviction voting ---

    def voting(self, who: AccountId) -> Call:
        """Any call of the pallet, by `who`."""
        name = self.random.choices(
            ("vote", "delegate", "undelegate", "unlock", "remove_vote", "remove_other_vote"),
            (10, 4, 3, 4, 6, 5),
        )[0]
        args: dict[str, Any]
        match name:
            case "vote":
                args = {"poll_index": self.poll(), "vote": self.account_vote()}
            case "delegate":
                free = [track for track in self.tracks if self._has_nothing(who, track)]
                args = {
                    "class": self._sensible(free, self.track),
                    "to": self.address(),
                    "conviction": self.random.choice(CONVICTIONS),
                    "balance": self.amount(),
                }
            case "undelegate":
                own = [track for account, track in self.ballots.delegating if account == who]
                args = {"class": self._sensible(own, self.track)}
            case "unlock":
                args = {"class": self.track(), "target": self.address()}
            case "remove_vote":
                class_, index = self._vote_of(who)
                args = {"class": None if self.chance(30) else class_, "index": index}
            case _:
                target = self.address()
                class_, index = self._vote_of(AccountId(target[1]))
                args = {"target": target, "class": class_, "index": index}
        return self.call("ConvictionVoting", name, **args)

    def _sensible(self, good: Sequence[T], otherwise: Callable[[], T]) -> T:
        return self.random.choice(good) if good and self.chance(75) else otherwise()

    def _has_nothing(self, who: AccountId, track: TrackId) -> bool:
        key = who, track
        return not self.ballots.votes.get(key) and key not in self.ballots.delegating

    def _vote_of(self, who: AccountId) -> tuple[TrackId, PollIndex]:
        cast = [
            (track, poll)
            for (account, track), polls in self.ballots.votes.items()
            for poll in polls
            if account == who
        ]
        return self._sensible(cast, lambda: (self.track(), self.poll()))

    # --- signed wrappers ---

    def leaf(self, who: AccountId) -> Call:
        """What is inside the wrappers, by `who`."""
        return self.voting(who)

    def extrinsic(self, rooted_percent: int) -> tuple[Signer, Call]:
        """A random extrinsic: as often as told one that gets to root in the end."""
        if self.operations and self.chance(20):
            operation = self.random.choice(self.operations)
            signer = self.random.choice(operation.signatories)
            return signer, self._go_on(signer.account, operation)
        if self.sudo is not None and self.chance(rooted_percent):
            return self._reaching(self.sudo, self.call("Sudo", "sudo", call=self.rooted()))
        signer = self.random.choice(self.voters)
        return signer, self.signed(signer.account)

    def _reaching(self, who: AccountId, call: Call) -> tuple[Signer, Call]:
        """Who has to sign what for `who` to dispatch `call`."""
        first = self.voters[0]
        for signer in self.voters:
            if signer.account == who:
                return signer, call
        for index in DERIVATIVES:
            if derivative_account(first.account, index) == who:
                return first, self.call("Utility", "as_derivative", index=index, call=call)
        group = next(group for group in self.groups if self.multisig(*group) == who)
        signatories, threshold = group
        if threshold == 1:
            others = self._others(signatories, first.account)
            args: dict[str, Any] = {"other_signatories": others, "call": call}
            return first, self.call("Multisig", "as_multi_threshold_1", **args)
        signer = self.random.choice(signatories)
        return signer, self._propose(signer.account, signatories, threshold, call)

    def signed(self, who: AccountId, depth: int = 0) -> Call:
        """A call for `who` to sign: a vote, or wrappers around votes."""
        if who == self.sudo and self.chance(30):
            return self.call("Sudo", "sudo", call=self.rooted())
        if depth == 3 or self.chance(45):
            return self.leaf(who)
        wrappers: list[Callable[[AccountId, int], Call]] = [
            self._batch, self._batch, self._proxy, self._derivative, self._threshold_1,
            self._multi, self._multi,
        ]  # fmt: skip
        if self.runtime.has_call("Utility", "if_else"):
            wrappers.append(self._if_else)
        return self.random.choice(wrappers)(who, depth + 1)

    def _batch(self, who: AccountId, depth: int) -> Call:
        calls = [self.signed(who, depth) for _ in range(self.random.randrange(5))]
        return self.call("Utility", self._batch_name(), calls=calls)

    def _batch_name(self) -> str:
        return self.random.choice(("batch", "batch_all", "force_batch"))

    def _proxy(self, who: AccountId, depth: int) -> Call:
        reals = [real for real, proxies in self.proxies.items() if who in proxies]
        real = self._sensible(reals, lambda: self.random.choice(self.accounts))
        inner = self.signed(real, depth)
        return self.call("Proxy", "proxy", real=("Id", real), force_proxy_type=None, call=inner)

    def _derivative(self, who: AccountId, depth: int) -> Call:
        index = self.random.choice(DERIVATIVES)
        inner = self.signed(derivative_account(who, index), depth)
        return self.call("Utility", "as_derivative", index=index, call=inner)

    def _threshold_1(self, who: AccountId, depth: int) -> Call:
        others = other_signatories([signer.account for signer in self.voters[:2]], who)
        inner = self.signed(multisig_account([who, *others], 1), depth)
        return self.call("Multisig", "as_multi_threshold_1", other_signatories=others, call=inner)

    def _if_else(self, who: AccountId, depth: int) -> Call:
        main, fallback = self.signed(who, depth), self.signed(who, depth)
        return self.call("Utility", "if_else", main=main, fallback=fallback)

    # --- multisig ---

    def _multi(self, who: AccountId, depth: int) -> Call:
        """An operation opened, approved, executed, cancelled or poked; sometimes wrongly."""
        known = [o for o in self.operations if who in {s.account for s in o.signatories}]
        if known and self.chance(75):
            operation = self.random.choice(known)
            return self._go_on(who, operation)
        signatories, threshold = self.random.choice(self.groups[:2])
        inner = self.signed(self.multisig(signatories, threshold), depth)
        return self._propose(who, signatories, threshold, inner)

    def _propose(
        self, who: AccountId, signatories: tuple[Signer, ...], threshold: int, call: Call
    ) -> Call:
        self.proposed[call.hash] = (signatories, threshold, call)
        return self._approval(who, signatories, threshold, None, call)

    def _go_on(self, who: AccountId, operation: OpenOperation) -> Call:
        args: dict[str, Any] = {
            "threshold": operation.threshold,
            "other_signatories": self._others(operation.signatories, who),
            "call_hash": operation.call.hash,
        }
        weights = (2, 3, 3) if who == operation.depositor else (8, 1, 1)
        name = self.random.choices(("approval", "cancel_as_multi", "poke_deposit"), weights)[0]
        if name == "cancel_as_multi":
            return self.call("Multisig", name, **args, timepoint=operation.timepoint)
        if name == "poke_deposit" and self.runtime.has_call("Multisig", name):
            return self.call("Multisig", name, **args)
        timepoint = operation.timepoint
        if self.chance(15):
            timepoint = {**timepoint, "index": timepoint["index"] + 1}
        return self._approval(
            who, operation.signatories, operation.threshold, timepoint, operation.call
        )

    def _approval(
        self,
        who: AccountId,
        signatories: Sequence[Signer],
        threshold: int,
        timepoint: dict[str, int] | None,
        call: Call,
    ) -> Call:
        args: dict[str, Any] = {
            "threshold": threshold,
            "other_signatories": self._others(signatories, who),
            "maybe_timepoint": timepoint,
            "max_weight": TOO_LITTLE if self.chance(8) else PLENTY,
        }
        if self.chance(35):
            return self.call("Multisig", "approve_as_multi", **args, call_hash=call.hash)
        return self.call("Multisig", "as_multi", **args, call=call)

    def _others(self, signatories: Sequence[Signer], who: AccountId) -> list[AccountId]:
        others = other_signatories([signer.account for signer in signatories], who)
        return others[::-1] if self.chance(5) else others

    # --- root wrappers ---

    def rooted(self, depth: int = 0) -> Call:
        """A call for root: votes by `dispatch_as`, in batches too."""
        if depth < 2 and self.chance(45):
            match self.random.randrange(4):
                case 0 if self.runtime.has_call("Utility", "if_else"):
                    main, fallback = self.rooted(depth + 1), self.rooted(depth + 1)
                    return self.call("Utility", "if_else", main=main, fallback=fallback)
                case 1:
                    inner = self.rooted(depth + 1)
                    return self.call("Utility", "with_weight", call=inner, weight=PLENTY)
                case _:
                    calls = [self.rooted(depth + 1) for _ in range(self.random.randrange(1, 5))]
                    return self.call("Utility", self._batch_name(), calls=calls)
        name = "dispatch_as"
        if self.chance(30) and self.runtime.has_call("Utility", "dispatch_as_fallible"):
            name = "dispatch_as_fallible"
        who = self.somebody()
        return self.call(
            "Utility", name, as_origin=("system", ("Signed", who)), call=self.leaf(who)
        )
