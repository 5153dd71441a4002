"""Blocks of past runtimes as bytes: made with their metadata, read and mirrored."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ibp_chain.accounts import multisig_account
from ibp_chain.blocks import EventRecord, Header, Phase
from ibp_chain.errors import PalletError
from ibp_chain.networks import NETWORKS, GovernanceClock
from ibp_chain.runtime import Runtime
from ibp_chain.scale.primitives import encode_compact
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, BlockNumber, Hash, RelayBlockNumber, TrackId
from ledger import clock
from ledger.dispatch import Item, attribute
from ledger.mirrors import BlockContext, Constants, Mirrors
from ledger.origins import Dispatched
from tests.unit.mirrors import eras
from tests.unit.mirrors.recorded_runtime import ALICE, BOB, DONE, ITEM, OK, WEIGHT, Said

NETWORK = {
    eras.GOV1: "polkadot",
    eras.E0_KUSAMA: "kusama",
    eras.E0: "polkadot",
    eras.E1: "kusama",
    eras.E2: "polkadot",
    eras.E2_HUB: "polkadot-asset-hub",
}
SPENDER = 34
AYE6 = ("Standard", {"vote": 0x86, "balance": 10})
AYE1 = ("Standard", {"vote": 0x81, "balance": 4})
NAY6 = ("Standard", {"vote": 0x06, "balance": 10})
NOTHING = {"votes": 0, "capital": 0}
ZERO = Hash(bytes(32))
_INFO = {"weight": WEIGHT, "class": "Normal", "pays_fee": "Yes"}
_EXTENSIONS: dict[str, Any] = {
    "CheckMortality": ("Immortal", ()),
    "CheckNonce": 7,
    "ChargeTransactionPayment": 0,
    "ChargeAssetTxPayment": {"tip": 0, "asset_id": None},
    "CheckMetadataHash": {"mode": "Disabled"},
}


class Sent(NamedTuple):
    """An extrinsic with what it deposited before its outcome."""

    signer: AccountId
    call: Call
    said: Sequence[Said] = ()
    error: Any = None
    """A `DispatchError`: it failed, and deposited nothing."""


class Chain:
    """One runtime's chain, mirrored block by block."""

    def __init__(self, era: str, first: int = 1_000) -> None:
        self.runtime: Runtime = eras.runtime(era)
        self.network = NETWORKS[NETWORK[era]]
        self.constants = Constants.of(self.runtime)
        self.mirrors = Mirrors()
        self.number, self.relay = first - 1, first - 1
        self._previous = RelayBlockNumber(self.relay)

    @property
    def period(self) -> int:
        return self.constants.vote_locking_period

    def skip_to(self, height: int) -> None:
        """Of the governance clock: the next block is the one at `height`."""
        self.relay = height - 1
        if self.network.governance_clock is GovernanceClock.LOCAL:
            self.number = height - 1
        self._previous = RelayBlockNumber(self.relay)

    def block(
        self, *sent: Sent, before: Sequence[Said] = (), relay: int | None = None
    ) -> list[Item]:
        """Make, read and mirror a block; `relay` is its relay parent, else one on from the last.

        `before` are the events of hooks. The ledger's own order: all is read before any is applied.
        """
        self.number += 1
        self.relay = self.relay + 1 if relay is None else relay
        header = self._header()
        extrinsics = [self.runtime.decode_extrinsic(self.extrinsic(s)) for s in sent]
        records = self.runtime.decode_events(self._events(sent, before))
        now = clock.clock_of(self.network, header)
        context = BlockContext(
            network=self.network,
            number=header.number,
            now=now,
            init_now=clock.provider_now(self.network, header, Phase.INITIALIZATION, self._previous),
            constants=self.constants,
        )
        self._previous = now
        items = []
        known = self.mirrors.tasks(self.runtime)
        for item in attribute(self.runtime, extrinsics, records, known):
            items.append(item)
            if isinstance(item, Dispatched | EventRecord):
                self.mirrors.apply(context, item)
        return items

    # --- bytes ---

    def extrinsic(self, sent: Sent) -> bytes:
        """Signed, version 4, with its length prefix; the signature is none that anybody checks."""
        encoders = self.runtime._encoders
        extra = b"".join(
            encoders.of(extension.type)(_EXTENSIONS.get(extension.identifier, ()))
            for extension in self.runtime.metadata.extrinsic.extensions
        )
        body = b"\x84\x00" + sent.signer + b"\x01" + bytes(64) + extra + sent.call.data
        return encode_compact(len(body)) + body

    def _events(self, sent: Sequence[Sent], before: Sequence[Said]) -> bytes:
        records = [_record(("Initialization", ()), said) for said in before]
        for index, extrinsic in enumerate(sent):
            outcome: Said = ("System", ("ExtrinsicSuccess", {"dispatch_info": _INFO}))
            if extrinsic.error is not None:
                failed = {"dispatch_error": extrinsic.error, "dispatch_info": _INFO}
                outcome = ("System", ("ExtrinsicFailed", failed))
            phase = ("ApplyExtrinsic", index)
            records += [_record(phase, said) for said in (*extrinsic.said, outcome)]
        return self.runtime.encode_storage("System", "Events", records)

    def _header(self) -> Header:
        digest: tuple[bytes, ...] = (b"\x06aura" + b"\x20" + bytes(8),)
        if self.network.governance_clock is GovernanceClock.RELAY:
            payload = bytes(32) + encode_compact(self.relay)
            digest += (b"\x04RPSR" + encode_compact(len(payload)) + payload,)
        return Header(ZERO, BlockNumber(self.number), ZERO, ZERO, digest)

    # --- calls with their events, as this runtime has them ---

    def call(self, pallet: str, name: str, **args: Any) -> Call:
        return self.runtime.call(pallet, name, args)

    def says(self, pallet: str, name: str, args: Any) -> list[Said]:
        """The event, where the runtime has it."""
        return [(pallet, (name, args))] if self.runtime.has_event(pallet, name) else []

    def vote(self, poll: int, vote: Any, who: AccountId = ALICE) -> Sent:
        call = self.call("ConvictionVoting", "vote", poll_index=poll, vote=vote)
        said = {"who": who, "vote": vote}
        return Sent(who, call, self.says("ConvictionVoting", "Voted", said))

    def remove(
        self, poll: int, *, ongoing: Any = None, who: AccountId = ALICE, class_: Any = SPENDER
    ) -> Sent:
        """`ongoing` is the vote that is removed, where the poll is ongoing."""
        call = self.call("ConvictionVoting", "remove_vote", **{"class": class_}, index=poll)
        said = {"who": who, "vote": ongoing}
        told = self.says("ConvictionVoting", "VoteRemoved", said) if ongoing else ()
        return Sent(who, call, told)

    def remove_other(self, poll: int, of: AccountId, by: AccountId = BOB) -> Sent:
        args: dict[str, Any] = {"target": ("Id", of), "class": SPENDER, "index": poll}
        return Sent(by, self.call("ConvictionVoting", "remove_other_vote", **args))

    def delegate(
        self,
        to: AccountId,
        conviction: str,
        balance: int,
        who: AccountId = ALICE,
        class_: int = SPENDER,
    ) -> Sent:
        lent = {"class": class_, "to": ("Id", to), "conviction": conviction, "balance": balance}
        said = self.says("ConvictionVoting", "Delegated", (who, to))
        return Sent(who, self.call("ConvictionVoting", "delegate", **lent), said)

    def undelegate(self, who: AccountId = ALICE) -> Sent:
        call = self.call("ConvictionVoting", "undelegate", **{"class": SPENDER})
        return Sent(who, call, self.says("ConvictionVoting", "Undelegated", who))

    def unlock(self, target: AccountId = ALICE, by: AccountId = ALICE) -> Sent:
        args = {"class": SPENDER, "target": ("Id", target)}
        said = self.says("ConvictionVoting", "VoteUnlocked", {"who": target, "class": SPENDER})
        return Sent(by, self.call("ConvictionVoting", "unlock", **args), said)

    # --- wrappers ---

    def batch(self, *inner: Sent, kind: str = "batch") -> Sent:
        """Where every item succeeds."""
        said = [event for item in inner for event in (*item.said, ITEM)]
        call = self.call("Utility", kind, calls=[item.call for item in inner])
        return Sent(inner[0].signer, call, (*said, DONE))

    def proxy(self, inner: Sent, by: AccountId, *, error: Any = None) -> Sent:
        """For the inner signer; with `error` the inner call fails."""
        args = {"real": ("Id", inner.signer), "force_proxy_type": None, "call": inner.call}
        return Sent(by, self.call("Proxy", "proxy", **args), self.proxied(inner, error))

    def proxied(self, inner: Sent, error: Any = None) -> tuple[Said, ...]:
        result = OK if error is None else ("Err", error)
        said = () if error is not None else inner.said
        return (*said, ("Proxy", ("ProxyExecuted", {"result": result})))

    def as_multi(
        self, inner: Sent, by: AccountId, others: Sequence[AccountId], when: Any, error: Any = None
    ) -> Sent:
        """Opens with two of three where `when` is None, else executes."""
        signatories = sorted(others)
        args = {"threshold": 2, "other_signatories": signatories, "maybe_timepoint": when,
                "call": inner.call, "max_weight": WEIGHT}  # fmt: skip
        multisig = multisig_account([by, *others], 2)
        said: dict[str, Any] = {
            "approving": by, "multisig": multisig, "call_hash": inner.call.hash
        }  # fmt: skip
        call = self.call("Multisig", "as_multi", **args)
        if when is None:
            return Sent(by, call, [("Multisig", ("NewMultisig", said))])
        said |= {"timepoint": when, "result": OK if error is None else ("Err", error)}
        done: Said = ("Multisig", ("MultisigExecuted", said))
        return Sent(by, call, (*(() if error is not None else inner.said), done))

    # --- referenda ---

    def submitted(self, poll: int, track: int = SPENDER) -> Sent:
        """Somebody opens the poll; the runtime chose its index."""
        call = self.call(
            "Referenda", "submit",
            proposal_origin=("system", ("Root", ())),
            proposal=("Inline", b"\0"),
            enactment_moment=("After", 1),
        )  # fmt: skip
        said = {"index": poll, "track": track, "proposal": ("Inline", b"\0")}
        return Sent(BOB, call, [("Referenda", ("Submitted", said))])

    def serviced(self, poll: int, end: str) -> list[Said]:
        """The alarm of a poll: `Confirmed`, `Rejected`, ... in front of the task's own event."""
        tally = {"ayes": 0, "nays": 0, "support": 0}
        return [("Referenda", (end, {"index": poll, "tally": tally})), self.task_done()]

    def task_done(self) -> Said:
        task = {"task": (self.number + 1, 0), "id": None, "result": OK}
        return ("Scheduler", ("Dispatched", task))

    def error(self, error: type[PalletError], pallet: str = "ConvictionVoting") -> Any:
        index = self.runtime.metadata.pallets[pallet].index
        return ("Module", {"index": index, "error": bytes((error.index, 0, 0, 0))})

    # --- storage ---

    def voting(self, who: AccountId = ALICE) -> bytes | None:
        return self.mirrors.conviction_voting.voting_for.raw_value((who, TrackId(SPENDER)))

    def class_locks(self, who: AccountId = ALICE) -> bytes | None:
        return self.mirrors.conviction_voting.class_locks_for.raw_value(who)

    def locks(self, who: AccountId = ALICE) -> bytes | None:
        return self.mirrors.balances.locks.raw_value(who)


def _record(phase: Any, said: Said) -> dict[str, Any]:
    return {"phase": phase, "event": said, "topics": []}


def opened(era: str) -> Chain:
    """A chain on which polls 1 and 2 were opened on big_spender in block 1,000."""
    chain = Chain(era)
    chain.block(*(chain.submitted(poll) for poll in (1, 2)))
    return chain


def failing(sent: Sent, error: Any) -> Sent:
    return sent._replace(said=(), error=error)


# --- Storage as the era's metadata has it ---------------------------------------------


def casting(*votes: Any, delegations: Any = NOTHING, prior: Any = (0, 0)) -> Any:
    return ("Casting", {"votes": list(votes), "delegations": delegations, "prior": prior})


def assert_voting(chain: Chain, who: AccountId, expected: Any) -> None:
    assert chain.voting(who) == chain.runtime.encode_storage(
        "ConvictionVoting", "VotingFor", expected
    )


def assert_locks(chain: Chain, who: AccountId, classes: list[tuple[int, int]]) -> None:
    """`ClassLocksFor` is `classes`, and `Balances.Locks` the largest of them."""
    runtime = chain.runtime
    assert chain.class_locks(who) == runtime.encode_storage(
        "ConvictionVoting", "ClassLocksFor", classes
    )
    amount = max((held for _, held in classes), default=0)
    reasons = "All" if runtime.spec_version >= 9420 else "Misc"
    lock = {"id": b"pyconvot", "amount": amount, "reasons": reasons}
    locks = runtime.encode_storage("Balances", "Locks", [lock]) if amount else None
    assert chain.locks(who) == locks


def assert_untouched(chain: Chain, who: AccountId) -> None:
    assert (chain.voting(who), chain.class_locks(who), chain.locks(who)) == (None, None, None)
