"""Hold what a simulation came to against what a bundle says that it pays.

Pure. `multisig.dry_run` and `multisig.fork` ask the runtime; what they bring back is judged here.
Whatever is not as expected is a difference, and one difference is enough not to sign. What is
simulated and what is not: `docs/simulation.md`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ibp_chain.accounts import ss58_encode
from ibp_chain.blocks import BlockRef
from ibp_chain.networks import Network
from ibp_chain.node import to_hex
from ibp_chain.runtime import Runtime
from ibp_chain.types import AccountId, Planck, SpecVersion
from multisig.bundle import Bundle
from multisig.effects import Effects, Expected, effects_of, expected_changes, expected_remark
from multisig.plan import Kind
from multisig.runs import Balance, DryRun, Path, PathStep


class Way(StrEnum):
    """How a bundle's call was simulated."""

    DRY_RUN = "dry run"
    """The runtime's own `DryRunApi`: the call alone, as if the multisig dispatched it now."""
    FORK = "fork"
    """Every missing signature in a block of its own, on a fork of the chain."""


# --- What it comes to -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """Of one account's whole balance, free and reserved, in planck."""

    account: AccountId
    name: str
    expected: int
    simulated: int
    before: int | None = None
    """The balance at the block that was forked; a dry run does not say."""

    @property
    def difference(self) -> int:
        return self.simulated - self.expected


@dataclass(frozen=True, slots=True)
class Deposit:
    """Of the operation."""

    depositor: AccountId
    held: Planck
    returned: Planck


@dataclass(frozen=True, slots=True)
class Simulation:
    """A bundle's call, simulated in one way at one block."""

    way: Way
    at: BlockRef
    spec_version: SpecVersion
    changes: tuple[Change, ...]
    """Payees in the statement's order, then what pays them, then the signers."""
    error: str | None
    """Of the bundle's call, `Pallet.Error`."""
    differences: tuple[str, ...]
    """Each in words, with the amounts in planck."""
    steps: tuple[PathStep, ...] = ()
    deposit: Deposit | None = None

    @property
    def agrees(self) -> bool:
        """Whether everything happens that the bundle says, and nothing else."""
        return not self.differences

    @property
    def fees(self) -> Planck:
        """Of all simulated signatures together."""
        return Planck(sum(step.fee or 0 for step in self.steps))


def judge_dry_run(bundle: Bundle, runtime: Runtime, run: DryRun) -> Simulation:
    """Raises `InputError` for a bundle that is no part of its statement."""
    expected = expected_changes(bundle, runtime)
    effects = effects_of(run.events, children=_is_about_children(bundle))
    changes = _changes(expected, effects.changes)
    differences = [
        *([] if run.error is None else [f"the call fails: {run.error}"]),
        *_wrong_changes(changes, bundle.network),
        *_strangers(effects, expected, bundle.network),
        *([] if run.error is not None else _wrong_remarks(effects, bundle)),
    ]
    if run.messages:
        differences.append(f"the call sends {run.messages} messages to other chains")
    return Simulation(Way.DRY_RUN, run.at, run.spec_version, changes, run.error, tuple(differences))


def judge_fork(bundle: Bundle, runtime: Runtime, path: Path) -> Simulation:
    """Raises `InputError` as `judge_dry_run`."""
    expected = _with_fees(expected_changes(bundle, runtime), path.steps)
    moved = {who: after.total - path.before[who].total for who, after in path.after.items()}
    changes, deposit = _changes(expected, moved, path.before), _deposit(path)
    inner = effects_of(
        [event for step in path.steps for event in step.inner],
        children=_is_about_children(bundle),
    )
    differences = [
        *_wrong_steps(path, bundle.network),
        *_wrong_deposit(path, deposit, bundle.network),
        *_wrong_changes(changes, bundle.network),
        *_strangers(inner, expected, bundle.network),
    ]
    errors = [step.inner_error for step in path.steps if step.inner_error is not None]
    if not errors and any(step.executed for step in path.steps):
        differences += _wrong_remarks(inner, bundle)
    return Simulation(
        Way.FORK,
        path.at,
        path.spec_version,
        changes,
        errors[0] if errors else None,
        tuple(differences),
        path.steps,
        deposit,
    )


def watched_accounts(
    bundle: Bundle, runtime: Runtime, signers: Sequence[AccountId]
) -> tuple[AccountId, ...]:
    """Whose balances say what a simulation did. Raises `InputError` as `judge_dry_run`."""
    return tuple(dict.fromkeys((*expected_changes(bundle, runtime), *signers)))


def simulation_json(simulation: Simulation, network: Network) -> dict[str, Any]:
    """For programs and pages: addresses of the network, planck as decimal strings."""

    def address(account: AccountId) -> str:
        return ss58_encode(account, network.ss58_prefix)

    deposit = simulation.deposit
    return {
        "way": simulation.way,
        "agrees": simulation.agrees,
        "block": simulation.at.number,
        "block_hash": to_hex(simulation.at.hash),
        "spec_version": simulation.spec_version,
        "error": simulation.error,
        "differences": simulation.differences,
        "changes": [
            {
                "account": address(change.account),
                "name": change.name,
                "expected": str(change.expected),
                "simulated": str(change.simulated),
                "difference": str(change.difference),
                "before": None if change.before is None else str(change.before),
            }
            for change in simulation.changes
        ],
        "steps": [
            {
                "signer": address(step.signer),
                "block": step.block,
                "error": step.error,
                "outcome": step.outcome,
                "fee": None if step.fee is None else str(step.fee),
                "inner_error": step.inner_error,
            }
            for step in simulation.steps
        ],
        "fees": str(simulation.fees),
        "deposit": deposit
        and {
            "depositor": address(deposit.depositor),
            "held": str(deposit.held),
            "returned": str(deposit.returned),
        },
    }


# --- Differences ----------------------------------------------------------------------


def _wrong_changes(changes: Sequence[Change], network: Network) -> Iterator[str]:
    for change in changes:
        if change.difference:
            yield (
                f"{change.name} ({_address(change.account, network)}): expected "
                f"{change.expected:+} planck, simulated {change.simulated:+}, "
                f"a difference of {change.difference:+}"
            )


def _strangers(
    effects: Effects, expected: Mapping[AccountId, Expected], network: Network
) -> Iterator[str]:
    """Whose balance the call changes, and what else it does, without any line saying so."""
    for account, change in effects.changes.items():
        if account not in expected:
            yield (
                f"{_address(account, network)}, whom no line names: {change:+} planck by the call"
            )
    yield from (f"the call also causes {name}" for name in effects.others)


def _wrong_remarks(effects: Effects, bundle: Bundle) -> Iterator[str]:
    """A remark beside the payout's own could change the programme: members, curators, rules."""
    due = expected_remark(bundle)
    if due not in effects.remarks:
        yield "the call does not make the remark of its statement's lines"
    for place, remark in enumerate(effects.remarks):
        if remark != due or due in effects.remarks[:place]:
            yield (
                f"the call also makes a remark with hash 0x{remark.hash.hex()}, "
                f"by {_address(remark.sender, bundle.network)}"
            )


def _wrong_steps(path: Path, network: Network) -> Iterator[str]:
    for step in path.steps:
        who = f"the signature of {_address(step.signer, network)} in block {step.block}"
        if step.error is not None:
            yield f"{who} fails: {step.error}"
            continue
        if step.fee is None:
            yield f"{who}: no event says what it costs"
        if step.outcome is None:
            yield f"{who}: the multisig says nothing of it"
        if step.inner_error is not None:
            yield f"{who} executes the call, which fails inside: {step.inner_error}"
        if step.executed and step is not path.steps[-1]:
            yield f"{who} executes the call before everybody has signed"
    if path.steps and not path.steps[-1].executed:
        yield "the call is not executed"
    if not path.steps:
        yield "nobody signed"


def _wrong_deposit(path: Path, deposit: Deposit | None, network: Network) -> Iterator[str]:
    if deposit is None or not path.steps or not path.steps[-1].executed:
        return
    if path.still_open is not None:
        yield "the operation is still open after it was executed"
    if deposit.returned != deposit.held:
        yield (
            f"of the deposit of {deposit.held} planck {deposit.returned} go back to "
            f"{_address(deposit.depositor, network)}"
        )


# --- Parts ----------------------------------------------------------------------------


def _is_about_children(bundle: Bundle) -> bool:
    return bundle.paid_by.kind in {Kind.CHILD_BOUNTIES, Kind.CHILD_CLAIMS}


def _changes(
    expected: Mapping[AccountId, Expected],
    simulated: Mapping[AccountId, int],
    before: Mapping[AccountId, Balance] | None = None,
) -> tuple[Change, ...]:
    return tuple(
        Change(
            account,
            what.name,
            what.change,
            simulated.get(account, 0),
            None if before is None else before[account].total,
        )
        for account, what in expected.items()
    )


def _with_fees(
    expected: Mapping[AccountId, Expected], steps: Sequence[PathStep]
) -> dict[AccountId, Expected]:
    """A signer pays the fee that the events name, and nothing else."""
    found = dict(expected)
    for step in steps:
        known = found.get(step.signer)
        name = "fee" if known is None else f"{known.name}, fee"
        change = 0 if known is None else known.change
        found[step.signer] = Expected(name, change - (step.fee or 0))
    return found


def _deposit(path: Path) -> Deposit | None:
    if path.operation is not None:
        depositor, held = path.operation.depositor, path.operation.deposit
    elif path.steps and path.steps[0].error is None:
        depositor, held = path.steps[0].signer, path.steps[0].reserved or Planck(0)
    else:
        return None
    returned = sum(
        step.returned[1]
        for step in path.steps
        if step.returned is not None and step.returned[0] == depositor
    )
    return Deposit(depositor, held, Planck(returned))


def _address(account: AccountId, network: Network) -> str:
    return ss58_encode(account, network.ss58_prefix)
