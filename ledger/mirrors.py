"""The chain's own pallets, kept in step with its blocks.

Calls predict, events confirm: a mirrored call returns the events that its pallet deposits, and
they are compared with those of the block. Whatever does not agree is a `MirrorDivergence`.

`mirrored_maps` have the chain's keys and bytes; `recorded_maps` are our own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ibp_chain.blocks import EventRecord, Phase
from ibp_chain.errors import DecodeError, MirrorDivergence, PalletError
from ibp_chain.networks import Network
from ibp_chain.types import AccountId, BlockNumber, Planck, RelayBlockNumber, SpecVersion, TrackId
from ledger.dispatch_values import dispatch_error
from ledger.origins import Dispatched, OriginKind
from ledger.pallets import balances, multisig, referenda
from ledger.pallets import conviction_voting as cv
from ledger.storage import StorageMap


class Runtime(Protocol):
    """What the mirrors ask of `ibp_chain.runtime.Runtime`."""

    @property
    def spec_version(self) -> SpecVersion: ...

    def constant(self, pallet: str, name: str) -> Any: ...

    def has_pallet(self, pallet: str) -> bool: ...

    def has_event(self, pallet: str, name: str) -> bool: ...

    def error_name(self, dispatch_error: Any) -> str: ...


@dataclass(frozen=True, slots=True)
class Constants:
    """What one runtime fixes for the mirrored pallets."""

    spec_version: SpecVersion
    vote_locking_period: int
    max_votes: int
    tracks: frozenset[TrackId]
    voting_events: frozenset[str]
    """The events that ConvictionVoting declares."""
    deposit_base: Planck
    deposit_factor: Planck
    max_signatories: int
    error_name: Callable[[Any], str]

    @classmethod
    def of(cls, runtime: Runtime) -> "Constants":
        """Those of `runtime`; without governance pallets there are no tracks and no periods."""
        governs = runtime.has_pallet("ConvictionVoting")
        signs = runtime.has_pallet("Multisig")
        constant = runtime.constant
        return cls(
            spec_version=runtime.spec_version,
            vote_locking_period=constant("ConvictionVoting", "VoteLockingPeriod") if governs else 0,
            max_votes=constant("ConvictionVoting", "MaxVotes") if governs else 0,
            tracks=_tracks(constant("Referenda", "Tracks")) if governs else frozenset(),
            voting_events=frozenset(
                event.__name__
                for event in (
                    cv.Delegated, cv.Undelegated, cv.Voted, cv.VoteRemoved, cv.VoteUnlocked
                )
                if governs and runtime.has_event("ConvictionVoting", event.__name__)
            ),
            deposit_base=Planck(constant("Multisig", "DepositBase") if signs else 0),
            deposit_factor=Planck(constant("Multisig", "DepositFactor") if signs else 0),
            max_signatories=constant("Multisig", "MaxSignatories") if signs else 0,
            error_name=runtime.error_name,
        )  # fmt: skip


def _tracks(tracks: Any) -> frozenset[TrackId]:
    """`Referenda.Tracks`: a list of (id, info), in newer runtimes of structs with an `id`."""
    return frozenset(
        TrackId(track["id"] if isinstance(track, dict) else track[0]) for track in tracks
    )


@dataclass(frozen=True, slots=True)
class BlockContext:
    """As of when the mirrors apply what happened."""

    network: Network
    number: BlockNumber
    now: RelayBlockNumber
    """The governance clock from the inherents on: `clock.clock_of` this block."""
    init_now: RelayBlockNumber
    """The governance clock in Initialization: `clock.provider_now`."""
    constants: Constants

    def now_in(self, phase: Phase) -> RelayBlockNumber:
        return self.init_now if phase is Phase.INITIALIZATION else self.now


class Mirrors:
    """The storages of the mirrored pallets."""

    def __init__(self) -> None:
        self.conviction_voting = cv.Storage()
        self.referenda = referenda.Storage()
        self.balances = balances.Storage()
        self.multisig = multisig.Storage()

    def mirrored_maps(self) -> tuple[StorageMap[Any, Any], ...]:
        """Items with the chain's keys and bytes."""
        return (
            self.conviction_voting.voting_for,
            self.conviction_voting.class_locks_for,
            self.balances.locks,
            self.multisig.multisigs,
        )

    def recorded_maps(self) -> tuple[StorageMap[Any, Any], ...]:
        """Items of our own: poll results, the history of multisig operations, Locked6x priors."""
        return (
            self.referenda.polls,
            self.multisig.operations,
            self.conviction_voting.maximum_priors,
        )

    def voting_config(self, constants: Constants, now: RelayBlockNumber) -> cv.Config:
        """What votes and locks are reckoned with, at `now`, under one runtime."""
        return cv.Config(
            now=now,
            vote_locking_period=constants.vote_locking_period,
            max_votes=constants.max_votes,
            tracks=constants.tracks,
            polls=self.referenda,
            currency=self.balances,
            lock_reasons=balances.governance_reasons(constants.spec_version),
        )

    def apply(self, context: BlockContext, item: Dispatched | EventRecord) -> None:
        """Take over one thing that happened. Raises `MirrorDivergence`."""
        if isinstance(item, EventRecord):
            self._observe(context, item)
            return
        try:
            match item.call.pallet:
                case "ConvictionVoting":
                    self._vote(context, item)
                case "Multisig":
                    self._operate(context, item)
        except (PalletError, DecodeError) as error:
            refusal = type(error).__name__ if isinstance(error, PalletError) else str(error)
            what = f"{item.call} at {_where(item)}"
            raise MirrorDivergence(context.number, what, refusal, "success") from error
        for event in item.events:
            if event.pallet == "Referenda":
                now = context.now_in(event.phase)
                referenda.deposit_event(self.referenda, now, event)

    def _vote(self, context: BlockContext, item: Dispatched) -> None:
        now = context.now if item.extrinsic_index is not None else context.init_now
        predicted = cv.dispatch(
            self.conviction_voting,
            self.voting_config(context.constants, now),
            _signer(item),
            item.call,
        )
        observed = [event for event in item.events if event.pallet == "ConvictionVoting"]
        if not cv.confirmed(predicted, observed, context.constants.voting_events):
            raise _mismatch(context, item, predicted, observed)

    def _operate(self, context: BlockContext, item: Dispatched) -> None:
        constants = context.constants
        config = multisig.Config(
            block=context.number,
            extrinsic_index=item.extrinsic_index,
            deposit_base=constants.deposit_base,
            deposit_factor=constants.deposit_factor,
            max_signatories=constants.max_signatories,
        )
        observed = [event for event in item.events if event.pallet == "Multisig"]
        result = _execution_error(constants, observed)
        predicted = multisig.dispatch(self.multisig, config, _signer(item), item.call, result)
        if not multisig.confirmed(item.call, predicted, observed):
            raise _mismatch(context, item, predicted, observed)

    def _observe(self, context: BlockContext, event: EventRecord) -> None:
        """An event without a call that the block shows: deposited by a task or message."""
        now = context.now_in(event.phase)
        if event.pallet == "Referenda":
            referenda.deposit_event(self.referenda, now, event)
        elif event.pallet == "ConvictionVoting":
            config = self.voting_config(context.constants, now)
            try:
                predicted = cv.replay(self.conviction_voting, config, event)
            except (PalletError, DecodeError) as error:
                what = f"{event.pallet}.{event.name}, event {event.position}"
                refusal = type(error).__name__
                raise MirrorDivergence(context.number, what, refusal, "success") from error
            if predicted is None:
                raise _unexplained(context, event)
        elif event.pallet == "Multisig":
            raise _unexplained(context, event)


def _signer(item: Dispatched) -> AccountId:
    if item.origin.kind is not OriginKind.SIGNED or item.origin.account is None:
        raise DecodeError(f"succeeded with origin {item.origin.kind}, and takes a signed one only")
    return item.origin.account


def _execution_error(constants: Constants, observed: list[EventRecord]) -> str | None:
    """The error of the call that a multisig executed; None for Ok, or where it executed none."""
    for event in observed:
        if event.name == "MultisigExecuted":
            error = dispatch_error(event)
            return None if error is None else constants.error_name(error)
    return None


def _where(item: Dispatched) -> str:
    place = "a hook" if item.extrinsic_index is None else f"extrinsic {item.extrinsic_index}"
    return place + "".join(f".{step}" for step in item.path)


def _mismatch(
    context: BlockContext, item: Dispatched, predicted: object, observed: list[EventRecord]
) -> MirrorDivergence:
    what = f"events of {item.call} at {_where(item)}"
    said = [(event.name, event.args) for event in observed]
    return MirrorDivergence(context.number, what, str(predicted), str(said))


def _unexplained(context: BlockContext, event: EventRecord) -> MirrorDivergence:
    what = f"{event.pallet}.{event.name} of a call that the block does not show"
    return MirrorDivergence(context.number, what, "no such call", str(event.args))
