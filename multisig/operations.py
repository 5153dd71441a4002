"""Open operations of a multisig, told so that a curator knows what each is before approving it.

Pure. What is open, only the chain's storage tells; what an operation would do, only a call whose
hash it is: a bundle's, or one that somebody put on chain with `as_multi` and the ledger kept.
Durations are blocks of the chain itself, and ms of its own clock.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ibp_chain.accounts import multisig_account
from ibp_chain.blocks import blake2_256
from ibp_chain.errors import CheckFailed, DecodeError
from ibp_chain.networks import Network
from ibp_chain.peer_codec import PeerCodec
from ibp_chain.runtime import Runtime
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, Hash, Planck
from ledger.pallets.multisig.types import Operation, Status
from ledger.pallets.payouts import PaidKey
from ledger.pallets.programme import curators_account
from ledger.remark_routing import remark_of
from ledger.state import State
from multisig.bundle import Bundle
from multisig.decode import decode_payout, describe
from multisig.effects import ensure_whole
from multisig.errors import BundleRefused
from multisig.nested import calls_in
from multisig.pending import paid_by
from multisig.steps import Point

_NAMED_CALLS = 8


@dataclass(frozen=True, slots=True)
class OpenOperation:
    """An operation as the chain keeps it while signatures are missing."""

    timepoint: dict[str, int]
    depositor: AccountId
    deposit: Planck
    approvals: tuple[AccountId, ...]

    @property
    def point(self) -> Point:
        return Point(self.timepoint["height"], self.timepoint["index"])


def read_operation(value: Any) -> OpenOperation:
    """A decoded value of `Multisig.Multisigs`."""
    when = value["when"]
    return OpenOperation(
        {"height": when["height"], "index": when["index"]},
        AccountId(value["depositor"]),
        Planck(value["deposit"]),
        tuple(AccountId(account) for account in value["approvals"]),
    )


class Source(StrEnum):
    """Who showed a call."""

    BUNDLE = "a bundle"
    CHAIN = "as_multi on chain"


@dataclass(frozen=True, slots=True)
class KnownCall:
    """A call whose hash an operation carries, and what it does."""

    data: bytes
    source: Source
    words: tuple[str, ...]
    """One sentence for each thing that it does."""
    pays: frozenset[PaidKey]
    """What it says that it pays: (period, member, item)."""
    file: str | None = None
    """The bundle's, where there is one."""


@dataclass(frozen=True, slots=True)
class Party:
    """A multisig, as far as anybody said who is in it."""

    account: AccountId
    threshold: int | None
    signatories: tuple[AccountId, ...]
    """Ascending; none where nobody said."""
    in_office: bool | None
    """Whether it is that of the curators in office; None without a ledger."""


@dataclass(frozen=True, slots=True)
class Age:
    """Since when an operation is open."""

    blocks: int
    milliseconds: int
    exact: bool
    """By both blocks' own time; otherwise by the nominal time of a block."""


@dataclass(frozen=True, slots=True)
class Pending:
    """An open operation, and what there is to know of it."""

    call_hash: Hash
    party: Party
    operation: OpenOperation
    age: Age
    call: KnownCall | None
    paid: tuple[PaidKey, ...] = ()
    """What it would pay, and was paid before."""
    also: tuple[tuple[PaidKey, Hash], ...] = ()
    """What it would pay, and another open operation would pay too, with that one's call hash: the
    same where another multisig has the same call open.
    """

    @property
    def missing(self) -> tuple[AccountId, ...]:
        """Signatories who have not approved."""
        return tuple(who for who in self.party.signatories if who not in self.operation.approvals)

    @property
    def lacking(self) -> int | None:
        """How many more approvals it takes; None where nobody said the threshold. 0 where they
        are all there, and only somebody who sends the whole call is missing.
        """
        if self.party.threshold is None:
            return None
        return max(self.party.threshold - len(self.operation.approvals), 0)


# --- Who ------------------------------------------------------------------------------


def parties(bundles: Iterable[Bundle], state: State | None, runtime: Runtime) -> tuple[Party, ...]:
    """The curators' multisig in office first, then those of `bundles`, then others with an open
    operation that a curator in office has approved and whose call carries a remark of the
    programme: of before the curators or the threshold changed, say. Each once.

    Anybody can open operations of multisigs of their own: those count for nothing. Raises
    `BundleRefused` for a bundle whose multisig is not that of its own signatories.
    """
    office = None if state is None else _office(state)
    found = {} if office is None else {office.account: office}
    for bundle in bundles:
        party = _party_of(bundle, office)
        found.setdefault(party.account, party)
    if state is not None and office is not None:
        for (account, *_), operation in sorted(state.mirrors.multisig.operations.items()):
            if account not in found and _concerns(operation, office, runtime):
                found[account] = Party(
                    account, operation.threshold, operation.signatories, in_office=False
                )
    return tuple(found.values())


def _concerns(operation: Operation, office: Party, runtime: Runtime) -> bool:
    if operation.status is not Status.OPEN or operation.call is None:
        return False
    if not any(approval.who in office.signatories for approval in operation.approvals):
        return False
    try:
        call = runtime.decode_call(operation.call)
    except DecodeError:
        return False
    return any(remark_of(inner) is not None for inner in calls_in(call))


def _office(state: State) -> Party | None:
    program = state.programme.program.value
    if program is None:
        return None
    signatories = tuple(sorted(program.curators))
    return Party(curators_account(program), program.threshold, signatories, in_office=True)


def _party_of(bundle: Bundle, office: Party | None) -> Party:
    named, chain = bundle.multisig, bundle.network
    account, signatories = named.account_id(chain), named.account_ids(chain)
    if multisig_account(signatories, named.threshold) != account:
        raise BundleRefused([f"{named.account} is not the multisig of its signatories"])
    in_office = None if office is None else account == office.account
    return Party(account, named.threshold, tuple(sorted(signatories)), in_office)


# --- What -----------------------------------------------------------------------------


def known_calls(
    bundles: Mapping[str, Bundle],
    shown: Iterable[bytes],
    runtime: Runtime,
    codec: PeerCodec,
    network: Network,
) -> dict[Hash, KnownCall]:
    """By their own hash, never by the one that a file claims; `bundles` by file name, `shown` are
    calls that were sent whole.

    Raises `BundleRefused` for a bundle whose parts do not fit together.
    """
    found: dict[Hash, KnownCall] = {}
    for data in shown:
        found[blake2_256(data)] = read_call(data, Source.CHAIN, runtime, codec, network)
    for file, bundle in bundles.items():
        try:
            ensure_whole(bundle)
        except BundleRefused as refused:
            raise BundleRefused([f"{file}: {each}" for each in refused.differences]) from refused
        found[bundle.call_hash] = read_call(
            bundle.call, Source.BUNDLE, runtime, codec, network, file
        )
    return found


def read_call(
    data: bytes,
    source: Source,
    runtime: Runtime,
    codec: PeerCodec,
    network: Network,
    file: str | None = None,
) -> KnownCall:
    """What `data` does under `runtime`, in words; never raises for what the bytes are."""
    try:
        call = runtime.decode_call(data)
    except DecodeError as error:
        words = (f"cannot be read by {runtime}, which cannot execute it either: {error}",)
        return KnownCall(data, source, words, frozenset(), file)
    return KnownCall(
        data, source, _words(data, call, runtime, codec, network), paid_by(call, network), file
    )


def _words(
    data: bytes, call: Call, runtime: Runtime, codec: PeerCodec, network: Network
) -> tuple[str, ...]:
    try:
        return tuple(describe(decode_payout(runtime, codec, data, network), network))
    except CheckFailed as refused:
        inner = [str(each) for each in calls_in(call)][1:]
        holds = ", ".join(inner[:_NAMED_CALLS])
        more = f" and {len(inner) - _NAMED_CALLS} more" if len(inner) > _NAMED_CALLS else ""
        return (
            f"is no payout batch of ours ({refused})",
            f"is {call}" + (f" of {holds}{more}" if inner else ""),
        )


# --- All of it ------------------------------------------------------------------------


def survey(
    found: Sequence[tuple[Party, Hash, OpenOperation, Age]],
    calls: Mapping[Hash, KnownCall],
    paid: Collection[PaidKey],
) -> tuple[Pending, ...]:
    """Every open operation in the order in which they were opened; `paid` is the paid register."""
    payers = [
        (key, party.account, call_hash)
        for party, call_hash, _, _ in found
        if call_hash in calls
        for key in sorted(calls[call_hash].pays)
    ]
    ordered = sorted(found, key=lambda each: (each[2].point, each[1]))
    return tuple(
        Pending(
            call_hash,
            party,
            operation,
            age,
            call,
            tuple(sorted(key for key in pays if key in paid)),
            tuple(
                (key, other)
                for key, account, other in payers
                if key in pays and (account, other) != (party.account, call_hash)
            ),
        )
        for party, call_hash, operation, age in ordered
        for call in (calls.get(call_hash),)
        for pays in (frozenset[PaidKey]() if call is None else call.pays,)
    )


def warnings(pending: Pending) -> Iterator[str]:
    """What a curator should hear before approving, worst first."""
    if pending.call is None:
        yield "unknown: hash only, nobody should approve what nobody has shown"
    for period, member, item in pending.paid:
        yield f"{period} {member}/{item} was paid before: executing this pays it again"
    for (period, member, item), other in pending.also:
        yield (
            f"{period} {member}/{item} is also paid by the open operation of call "
            f"0x{other.hex()}: only one of them may be executed, cancel the other"
        )
    if pending.party.in_office is False:
        yield (
            "its multisig is not that of the curators in office: do not execute it; its depositor "
            "can still cancel it, and its own signatories could still execute it"
        )
    if pending.lacking == 0:
        yield (
            "every approval is there and it was not executed: any signatory executes it by "
            "approving with the whole call"
        )
