"""The chain's own pallets, kept in step with its blocks.

Calls predict, events confirm: a mirrored call returns the events that its pallet deposits, and
they are compared with those of the block. Whatever does not agree is a `MirrorDivergence`.

`mirrored_maps` have the chain's keys and bytes; `recorded_maps` are our own.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from ibp_chain.blocks import EventRecord, Phase
from ibp_chain.errors import DecodeError, InputError, MirrorDivergence, PalletError
from ibp_chain.networks import Network
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, BlockNumber, Planck, RelayBlockNumber, SpecVersion, TrackId
from ledger import mirrors_spending as spending
from ledger.dispatch_values import dispatch_error
from ledger.origins import Dispatched, Origin, OriginKind
from ledger.pallets import balances, democracy, migration, multisig, referenda, scheduler
from ledger.pallets import conviction_voting as cv
from ledger.pallets.deposited import confirmed
from ledger.storage import StorageMap


class Runtime(Protocol):
    """What the mirrors ask of `ibp_chain.runtime.Runtime`."""

    @property
    def spec_version(self) -> SpecVersion: ...

    def constant(self, pallet: str, name: str) -> Any: ...

    def has_pallet(self, pallet: str) -> bool: ...

    def has_event(self, pallet: str, name: str) -> bool: ...

    def storage_prefix(self, pallet: str, entry: str) -> bytes: ...

    def encode_storage(self, pallet: str, entry: str, value: Any) -> bytes: ...

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
    democracy: democracy.Constants
    spending: spending.Constants
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
            democracy=democracy.Constants.of(runtime),
            spending=spending.Constants.of(runtime),
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
        self.democracy = democracy.Storage()
        self.referenda = referenda.Storage()
        self.balances = balances.Storage()
        self.multisig = multisig.Storage()
        self.spending = spending.SpendingMirrors()
        self.migration = migration.Storage()
        self.scheduler = scheduler.Storage()

    def mirrored_maps(self) -> tuple[StorageMap[Any, Any], ...]:
        """Items with the chain's keys and bytes."""
        return (
            self.conviction_voting.voting_for,
            self.conviction_voting.class_locks_for,
            self.democracy.voting_of,
            self.balances.locks,
            self.multisig.multisigs,
            *self.spending.mirrored_maps(),
        )

    def recorded_maps(self) -> tuple[StorageMap[Any, Any], ...]:
        """Items of our own: poll results, the history of operations, what tasks call, ..."""
        return (
            self.referenda.polls,
            self.democracy.referenda,
            self.multisig.operations,
            self.conviction_voting.maximum_priors,
            self.migration.window,
            self.scheduler.named,
            self.scheduler.agenda,
            self.scheduler.preimages,
        )

    @property
    def moved_away(self) -> bool:
        """Whether governance has left this chain, or is about to, for Asset Hub."""
        return self.migration.window.value is not None

    def tasks(
        self, runtime: scheduler.Runtime
    ) -> Callable[[EventRecord], tuple[Origin, Call] | None]:
        """`ledger.dispatch.Tasks`, from what was scheduled so far."""
        return partial(scheduler.task_of, self.scheduler, self.referenda, runtime)

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

    def on_runtime_upgrade(self, context: BlockContext) -> None:
        """What the first block of a new runtime does before all else; nothing in other blocks."""
        if context.constants.democracy.ended and not self.democracy.is_empty:
            democracy.end_of_life(self.democracy, self.balances)

    def apply(self, context: BlockContext, item: Dispatched | EventRecord) -> None:
        """Take over one thing that happened. Raises `MirrorDivergence`."""
        self.on_runtime_upgrade(context)
        if isinstance(item, EventRecord):
            self._observe(context, item)
            return
        try:
            match item.call.pallet:
                case "ConvictionVoting":
                    self._vote(context, item)
                case "Democracy":
                    self._vote_in_democracy(context, item)
                case "Multisig":
                    self._operate(context, item)
                case pallet if pallet in spending.PALLETS:
                    self._spend(context, item)
        except (PalletError, DecodeError) as error:
            refusal = type(error).__name__ if isinstance(error, PalletError) else str(error)
            what = f"{item.call} at {_where(item)}"
            raise MirrorDivergence(context.number, what, refusal, "success") from error
        self._follow(context, item)

    def _follow(self, context: BlockContext, item: Dispatched) -> None:
        """What a call and its events tell beyond what its own pallet predicts."""
        if item.call.pallet in scheduler.PALLETS:
            scheduler.note(self.scheduler, item)
        for event in item.events:
            if event.pallet in scheduler.PALLETS:
                self._follow_referenda(context, event)
            elif event.pallet == "Democracy":
                self._follow_democracy(context, event, item.call.pallet)
            elif event.pallet in migration.SIDES:
                self._migrate(context, event)

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

    def _follow_referenda(self, context: BlockContext, event: EventRecord) -> None:
        """An event of Referenda, or of the pallets that enact what one decides."""
        scheduler.observe(self.scheduler, event)
        if event.pallet == "Referenda":
            now = context.now_in(event.phase)
            referenda.deposit_event(self.referenda, now, event)

    def _vote_in_democracy(self, context: BlockContext, item: Dispatched) -> None:
        constants = context.constants.democracy
        predicted: list[democracy.Event] = []
        if democracy.touches_votes(item.call):
            now = context.now if item.extrinsic_index is not None else context.init_now
            config = constants.config(now, self.balances)
            predicted = democracy.dispatch(self.democracy, config, _signer(item), item.call)
        observed = [event for event in item.events if event.pallet == "Democracy"]
        if not democracy.confirmed(predicted, observed, constants.events):
            raise _mismatch(context, item, predicted, observed)

    def _follow_democracy(
        self, context: BlockContext, event: EventRecord, within: str | None
    ) -> None:
        """An event of the pallet, deposited by a call of the pallet `within`, or by a hook."""
        now = context.now_in(event.phase)
        with _confirming(context, event):
            if event.name not in democracy.VOTING_EVENTS:
                democracy.deposit_event(self.democracy, now, event)
            elif within != "Democracy":  # those of its own calls are confirmed already
                config = context.constants.democracy.config(now, self.balances)
                if democracy.replay(self.democracy, config, event) is None:
                    raise _unexplained(context, event)

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

    def _spend(self, context: BlockContext, item: Dispatched) -> None:
        """A call of the treasury, of bounties or child bounties."""
        constants, pallet = context.constants.spending, item.call.pallet
        now = context.now if item.extrinsic_index is not None else context.init_now
        origin = item.origin.account if item.origin.kind is OriginKind.SIGNED else None
        observed = [
            event
            for event in item.events
            if event.pallet == pallet and not spending.is_passed_over(event)
        ]
        predicted = self.spending.dispatch(constants, now, origin, item.call, observed)
        if not confirmed(predicted, observed, constants.declared(pallet)):
            raise _mismatch(context, item, predicted, observed)

    def _observe(self, context: BlockContext, event: EventRecord) -> None:
        """An event without a call that the block shows: deposited by a task or message."""
        now = context.now_in(event.phase)
        if event.pallet in scheduler.PALLETS:
            self._follow_referenda(context, event)
        elif event.pallet == "ConvictionVoting":
            with _confirming(context, event):
                config = self.voting_config(context.constants, now)
                if cv.replay(self.conviction_voting, config, event) is None:
                    raise _unexplained(context, event)
        elif event.pallet == "Democracy":
            self._follow_democracy(context, event, None)
        elif event.pallet in spending.PALLETS and not spending.is_passed_over(event):
            with _confirming(context, event):
                if not self.spending.replay(context.constants.spending, now, event):
                    raise _unexplained(context, event)
        elif event.pallet == "Multisig":
            raise _unexplained(context, event)
        elif event.pallet in migration.SIDES:
            self._migrate(context, event)

    def _migrate(self, context: BlockContext, event: EventRecord) -> None:
        """What the Asset Hub Migration does to either chain's storage, by its events alone."""
        happened = migration.deposit_event(self.migration, context.number, event)
        if happened is not migration.Happened.FINISHED:
            return
        if migration.SIDES[event.pallet] is migration.Side.ASSET_HUB:
            raise InputError(
                f"in block {context.number} the Asset Hub Migration brought votes and locks that "
                "blocks do not show: begin a ledger with the storage after it"
            )
        multisig.close_all(self.multisig)
        tasks = self.scheduler.named, self.scheduler.agenda, self.scheduler.preimages
        for storage_map in (*self.mirrored_maps(), self.referenda.polls, *tasks):
            storage_map.clear()


def concerns(item: Dispatched | EventRecord) -> bool:
    """Whether `Mirrors.apply` may change anything for `item`; what it passes over is not kept."""
    if isinstance(item, EventRecord):
        return item.pallet in _EVENTS_APPLIED
    if item.call.pallet in _CALLS_APPLIED:
        return True
    return not _EVENTS_FOLLOWED.isdisjoint([event.pallet for event in item.events])


_EVENTS_FOLLOWED = scheduler.PALLETS | {"Democracy"} | migration.SIDES.keys()
_CALLS_APPLIED = (
    scheduler.PALLETS | {"ConvictionVoting", "Democracy", "Multisig"} | spending.PALLETS
)
_EVENTS_APPLIED = _EVENTS_FOLLOWED | _CALLS_APPLIED


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


@contextmanager
def _confirming(context: BlockContext, event: EventRecord) -> Iterator[None]:
    """What a pallet would have refused to do, though its event says that it was done."""
    try:
        yield
    except (PalletError, DecodeError) as error:
        what = f"{event.pallet}.{event.name}, event {event.position}"
        refusal = type(error).__name__
        raise MirrorDivergence(context.number, what, refusal, "success") from error


def _unexplained(context: BlockContext, event: EventRecord) -> MirrorDivergence:
    what = f"{event.pallet}.{event.name} of a call that the block does not show"
    return MirrorDivergence(context.number, what, "no such call", str(event.args))
