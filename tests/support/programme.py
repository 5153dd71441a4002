"""A programme with real keys, and a stage on which accounts say things to its ledger.

Everything goes through `ledger.replay`'s own fold; only blocks and events are spared.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

from ibp_chain.accounts import multisig_account, ss58_encode
from ibp_chain.blocks import EventRecord, Phase, blake2_256
from ibp_chain.keys import KeypairSigner, signer_from_uri
from ibp_chain.networks import Network, network
from ibp_chain.remark_bodies import (
    Body,
    Link,
    Member,
    MemberAction,
    Observe,
    Payout,
    Program,
    Report,
)
from ibp_chain.remarks import KINDS, Kind, as_json, encode, link_message, signing_digest
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, BlockNumber, Hash
from ledger.origins import Dispatched, Failed, Origin, OriginKind
from ledger.pallets.payouts import Batch
from ledger.pallets.rejections import RejectionCode
from ledger.pallets.scores import NO_PREVIOUS
from ledger.remark_routing import Accepted, Refused
from ledger.replay import _Fold
from ledger.state import State

PASEO = network("paseo")
UNSIGNED = bytes(64)
DAY = "2026-03-09"
JUST_AFTER = "2026-03-10T00:30"

B = TypeVar("B", bound=Body)


@lru_cache
def key(name: str) -> KeypairSigner:
    """The development key of `name`."""
    return signer_from_uri(f"//{name}")


def account(name: str) -> AccountId:
    return key(name).account


CURATORS = tuple(account(f"Curator{i}") for i in range(5))
ORACLES = tuple(account(f"Oracle{i}") for i in range(3))
PROGRAM = Program(
    name="IBP",
    rules=Hash(b"r" * 32),
    curators=CURATORS,
    threshold=3,
    oracles=ORACLES,
    quorum=2,
)
MULTISIG = multisig_account(CURATORS, 3)


def root(text: str) -> Hash:
    """A root that stands for any tree: only oracles know what is under it."""
    return blake2_256(text.encode())


def milliseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1000)


def remark(raw: bytes) -> Call:
    return _call("System", "remark_with_event", {"remark": raw})


def transfer(payee: AccountId, amount: int, name: str = "transfer_keep_alive") -> Call:
    return _call("Balances", name, {"dest": ("Id", payee), "value": amount})


def child_call(name: str, child: int | None, parent: int = 17, **args: Any) -> Call:
    number = {} if child is None else {"child_bounty_id": child}
    return _call("ChildBounties", name, {"parent_bounty_id": parent, **number, **args})


def child_run(
    child: int, payee: AccountId, value: int, *, fee: int = 0, claimed: bool = False
) -> tuple[Call, ...]:
    """The calls of one line that is paid by a child bounty of bounty 17."""
    run = (
        child_call("add_child_bounty", None, value=value, description=b""),
        child_call("propose_curator", child, curator=("Id", MULTISIG), fee=fee),
        child_call("accept_curator", child),
        child_call("award_child_bounty", child, beneficiary=("Id", payee)),
    )
    return (*run, child_call("claim_child_bounty", child)) if claimed else run


def child_event(name: str, child: int, parent: int = 17, **args: Any) -> EventRecord:
    said = {"index": parent, "child_index": child, **args}
    return EventRecord(0, Phase.APPLY_EXTRINSIC, 2, "ChildBounties", name, said, ())


def batch_all(*calls: Call) -> Call:
    return _call("Utility", "batch_all", {"calls": list(calls)})


def _call(pallet: str, name: str, args: dict[str, Any]) -> Call:
    data = repr((pallet, name, args)).encode()  # stands for the call's bytes: unique to it
    return Call(pallet, name, args, data, 0, len(data))


def signed(body: B, name: str) -> B:
    """`body` with the signature of `name`'s key."""
    return body.model_copy(update={"sig": key(name).sign(signing_digest(body, PASEO.ss58_prefix))})


def registration(member: str = "amforc", **changes: Any) -> Member:
    fields: dict[str, Any] = {
        "action": MemberAction.REGISTER,
        "member": member,
        "name": member.title(),
        "region": "europe",
        "accounts": {"paseo": account(member)},
        "payee": {"paseo": account(f"{member}-payee")},
    }
    return Member(**(fields | changes))


def member_body(action: MemberAction, member: str = "amforc", **fields: Any) -> Member:
    return Member(action=action, member=member, **fields)


def link_body(
    member: str = "amforc",
    *,
    linked: str = "Cold",
    origin: str | None = None,
    on: Network = PASEO,
    signer: str | None = None,
) -> Link:
    """`linked` on `on` speaks for `member`, as `origin` (by default the member) says on Paseo."""
    message = link_message(member, ss58_encode(account(origin or member), PASEO.ss58_prefix))
    return Link(
        member=member,
        network=on.name,
        account=ss58_encode(account(linked), on.ss58_prefix),
        sig=key(signer or linked).sign(message),
    )


class Stage:
    """A state, and the block in which things are said now."""

    def __init__(self, network_: Network = PASEO, expected: AccountId | None = None) -> None:
        self.state = State(network_, expected)
        self.prefix = network_.ss58_prefix
        self.deposits: list[EventRecord] = []
        """What the next calls about child bounties deposit, one each, of those that do."""
        self.next_block()

    def next_block(self, moment: str | None = None) -> BlockNumber:
        """Begin another block; its time is `moment`, by default as late as the one before."""
        previous = getattr(self, "fold", None)
        number = BlockNumber(1 if previous is None else previous.number + 1)
        if moment is None and previous is not None:
            at = previous.timestamp_ms
        else:
            at = milliseconds(moment or JUST_AFTER)
        self.fold = _Fold(self.state, number, at)
        self.fold.on_initialize()
        self.extrinsic = 2
        return number

    def found(self, program: Program = PROGRAM) -> "Stage":
        taken = self.say(program, multisig_account(program.curators, program.threshold))
        assert isinstance(taken, Accepted)
        return self

    # --- Remarks ------------------------------------------------------------------

    def say(self, said: Body | bytes, origin: AccountId | None) -> Accepted | Refused | None:
        """What becomes of a remark of its own in the present block; `None` is Root's origin."""
        raw = said if isinstance(said, bytes) else encode(said, self.prefix)
        return self.play(Dispatched(_origin(origin), remark(raw), (), 2, ()))

    def accept(self, said: Body | bytes, origin: AccountId | None) -> Accepted:
        taken = self.say(said, origin)
        assert isinstance(taken, Accepted), taken
        return taken

    def refuse(self, said: Body | bytes, origin: AccountId | None) -> RejectionCode:
        """The code of a refusal that changed nothing but the record of it."""
        before = self.facts()
        taken = self.say(said, origin)
        assert isinstance(taken, Refused), taken
        assert self.facts() == before
        assert self.state.programme.rejections.get(taken.key).code is taken.code
        return taken.code

    def facts(self) -> list[tuple[bytes, bytes]]:
        """Every entry that is no rejection."""
        skip = self.state.programme.rejections.prefix
        return [entry for entry in self.state.entries() if not entry[0].startswith(skip)]

    def play(self, item: Dispatched | Failed) -> Accepted | Refused | None:
        """Hand the fold something that happened; what it made of the remark in it, if any."""
        seen = len(self.fold.accepted), len(self.fold.refused)
        if isinstance(item, Dispatched):
            self.fold.remark(item)
            self.fold.child(item)
            self.fold.claims(item.events)
        self.fold.batch(item)
        new: tuple[Accepted | Refused, ...] = (
            *self.fold.accepted[seen[0] :],
            *self.fold.refused[seen[1] :],
        )
        assert len(new) <= 1
        return new[0] if new else None

    # --- Batches ------------------------------------------------------------------

    def dispatch(
        self, call: Call, origin: AccountId = MULTISIG, path: tuple[int, ...] = ()
    ) -> list[Batch]:
        """Everything in `call` succeeds, inner calls first: the payout batches it brought."""
        before = len(self.fold.batches)
        self._dispatch(call, origin, path, None)
        self.extrinsic += 1  # no two calls of a block stand in the same place
        return [batch for _, batch in self.fold.batches[before:]]

    def fail(self, call: Call, error: str, origin: AccountId = MULTISIG) -> list[Batch]:
        before = len(self.fold.batches)
        self.play(Failed(_origin(origin), call, error, 2, ()))
        return [batch for _, batch in self.fold.batches[before:]]

    def _dispatch(
        self, call: Call, origin: AccountId, path: tuple[int, ...], parent: Call | None
    ) -> None:
        for place, inner in enumerate(call.args.get("calls", ())):
            self._dispatch(inner, origin, (*path, place), call)
        leaves = call.name in {"add_child_bounty", "claim_child_bounty"} and self.deposits
        events = (self.deposits.pop(0),) if leaves else ()
        self.play(Dispatched(_origin(origin), call, events, self.extrinsic, path, parent))

    # --- Digests ------------------------------------------------------------------

    @property
    def genesis(self) -> Hash:
        genesis = self.state.programme.genesis.value
        assert genesis is not None
        return genesis.remark

    def observation(self, name: str, day: str = DAY, **changes: Any) -> Observe:
        """`name`'s next observation, signed; `changes` are part of what is signed."""
        last = self.state.scores.last_observations.find(account(name))
        fields: dict[str, Any] = {
            "program": self.genesis,
            "oracle": account(name),
            "day": day,
            "root": root(f"{name} saw {day}"),
            "rows": 288,
            "previous": NO_PREVIOUS if last is None else last.digest,
        }
        return signed(Observe(**(fields | changes), sig=UNSIGNED), name)

    def report(self, name: str, day: str = DAY, **changes: Any) -> Report:
        """`name`'s report over all observations of `day` by the oracles 0 to 2, signed."""
        fields: dict[str, Any] = {
            "program": self.genesis,
            "oracle": account(name),
            "day": day,
            "turn": 0,
            "root": root(f"consensus of {day}"),
            "rows": 10,
            "observes": tuple(sorted(root(f"Oracle{i} saw {day}") for i in range(3))),
        }
        return signed(Report(**(fields | changes), sig=UNSIGNED), name)

    def observed(
        self, day: str = DAY, names: Sequence[str] = ("Oracle0", "Oracle1", "Oracle2")
    ) -> "Stage":
        for name in names:
            self.accept(self.observation(name, day), account(name))
        return self

    def close(self, day: str = DAY) -> "Stage":
        """The first block that takes reports of `day`, and no more commitments to it."""
        after = date.fromisoformat(day) + timedelta(days=1)
        self.next_block(f"{after}T01:00")
        return self


def _origin(who: AccountId | None) -> Origin:
    return Origin(OriginKind.ROOT) if who is None else Origin(OriginKind.SIGNED, who)


def payout(*lines: tuple[str, str], period: str = "2026-02") -> Payout:
    return Payout(period=period, statement=root("statement"), lines=lines)


def payout_batch(body: Payout, *calls: Call) -> Call:
    return batch_all(remark(encode(body, PASEO.ss58_prefix)), *calls)


def kind_of(body: Body) -> Kind:
    return KINDS[type(body)]


def json_of(body: Body) -> dict[str, Any]:
    return as_json(body, PASEO.ss58_prefix)
