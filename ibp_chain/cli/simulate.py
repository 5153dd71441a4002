"""`ibp multisig simulate`: what a bundle's call would do, before anybody signs it."""

from typing import Annotated, Any

import typer
from rich.table import Table

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.blocks import BlockRef
from ibp_chain.cli.bundles import BundleArgument, approver_of
from ibp_chain.cli.checkout import script
from ibp_chain.cli.opened import NodeUrl
from ibp_chain.cli.output import JsonOption, console, hex_, print_json, row, say, table
from ibp_chain.errors import CheckFailed, InputError
from ibp_chain.networks import Network
from ibp_chain.types import AccountId, Planck
from multisig.approve import Approver
from multisig.bundle import Bundle, read_bundle, wrong_reading
from multisig.dry_run import dry_run, missing_dry_run
from multisig.effects import ensure_whole, lines_of
from multisig.errors import BundleRefused
from multisig.fork import run_signatures
from multisig.simulate import Simulation, Way, judge_dry_run, judge_fork, simulation_json

_PERIOD = 64


def simulate(
    bundle: BundleArgument,
    node: NodeUrl,
    signers: Annotated[
        str | None,
        typer.Option(
            help="Addresses of who signs on the fork, in order, with commas; default the first "
            "signatories who have not approved yet."
        ),
    ] = None,
    *,
    dry_run_only: Annotated[
        bool, typer.Option("--dry-run-only", help="Ask the runtime alone; needs no Node.")
    ] = False,
    fork_only: Annotated[
        bool, typer.Option("--fork-only", help="Do not ask the runtime for a dry run.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Simulate a payout before it is signed; exit 1 if anything but it would happen.

    By the runtime's own dry run where it has one, and with every missing signature on a fork of
    the node's chain, which needs Node and a source checkout. Nothing is sent to the chain.
    """
    if dry_run_only and fork_only:
        raise InputError("--dry-run-only and --fork-only leave nothing to do: give one of them")
    theirs = read_bundle(bundle)
    ensure_whole(theirs)
    wanted = None if signers is None else _accounts(signers, theirs.network)
    with approver_of(theirs, node, _PERIOD) as approver:
        _ensure_runtime(approver)
        at = approver.submitter.best()
        missing = missing_dry_run(approver.submitter.runtime())
        if missing is not None and dry_run_only:
            raise InputError(f"no dry run: {missing}")
        misread = _misread(approver)
        found = []
        if missing is None and not fork_only:
            found.append(_dry_run(approver, at))
        if not dry_run_only:
            found.append(_on_fork(approver, at, wanted))
    not_run = _not_run(missing, dry_run_only=dry_run_only, fork_only=fork_only)
    if as_json:
        print_json(_json(theirs, found, not_run, misread))
    else:
        for difference in misread:
            say(f"DIFFERENT: {difference}")
        for simulation in found:
            _tell(simulation, theirs.network)
        for way, why in not_run.items():
            say(f"No {way}: {why}.")
    wrong = [f"by {each.way} {text}" for each in found for text in each.differences[:1]]
    wrong = [*misread[:1], *wrong]
    if wrong:
        count = len(misread) + sum(len(each.differences) for each in found)
        raise CheckFailed(f"the simulation does not agree, {count} differences: {'; '.join(wrong)}")


# --- Parts ----------------------------------------------------------------------------


def _dry_run(approver: Approver, at: BlockRef) -> Simulation:
    submitter, bundle = approver.submitter, approver.bundle
    runtime = submitter.runtime()
    return judge_dry_run(bundle, runtime, dry_run(bundle, submitter.node, runtime, at))


def _on_fork(approver: Approver, at: BlockRef, wanted: tuple[AccountId, ...] | None) -> Simulation:
    submitter, bundle = approver.submitter, approver.bundle
    runtime = submitter.runtime()
    advice = "run this in a source checkout of the project, or with --dry-run-only"
    process = script("scripts.fork_process", "the fork", advice)
    with process.start_fork(submitter.node.client) as fork:
        fork.open(at.hash)
        path = run_signatures(
            bundle, fork, at, runtime, approver.max_weight(), submitter.context, wanted
        )
    return judge_fork(bundle, runtime, path)


def _misread(approver: Approver) -> list[str]:
    """Where the call says otherwise than the bundle's lines: calls without events show so only."""
    submitter, bundle = approver.submitter, approver.bundle
    found = wrong_reading(bundle, lines_of(bundle), submitter.runtime(), submitter.codec())
    return list(found)


def _ensure_runtime(approver: Approver) -> None:
    own, theirs = approver.submitter.spec_version(), approver.bundle.chain.spec_version
    if own != theirs:
        raise BundleRefused(
            [f"its call is of spec version {theirs}, the node runs {own}: build it again"]
        )


def _accounts(text: str, network: Network) -> tuple[AccountId, ...]:
    return tuple(ss58_decode(part.strip(), network.ss58_prefix) for part in text.split(","))


def _not_run(missing: str | None, *, dry_run_only: bool, fork_only: bool) -> dict[Way, str]:
    if dry_run_only:
        return {Way.FORK: "--dry-run-only"}
    if fork_only:
        return {Way.DRY_RUN: "--fork-only"}
    return {} if missing is None else {Way.DRY_RUN: missing}


# --- Told -----------------------------------------------------------------------------


def _json(
    bundle: Bundle, found: list[Simulation], not_run: dict[Way, str], misread: list[str]
) -> dict[str, Any]:
    return {
        "call_hash": bundle.call_hash,
        "agrees": not misread and all(simulation.agrees for simulation in found),
        "misread": misread,
        "simulations": [simulation_json(simulation, bundle.network) for simulation in found],
        "not_run": not_run,
    }


def _tell(simulation: Simulation, network: Network) -> None:
    console.print(_changes_table(simulation, network))
    if simulation.steps:
        console.print(_steps_table(simulation, network))
        say(f"Fees {network.format(simulation.fees)} in all.")
    deposit = simulation.deposit
    if deposit is not None:
        say(
            f"Deposit {network.format(deposit.held)} of {_short(deposit.depositor, network)}, "
            f"{network.format(deposit.returned)} returned."
        )
    if simulation.agrees:
        say("It agrees: what the bundle says happens, and nothing else.")
    for difference in simulation.differences:
        say(f"DIFFERENT: {difference}")


def _changes_table(simulation: Simulation, network: Network) -> Table:
    view = table(
        f"By {simulation.way} at block {simulation.at.number:,}, {hex_(simulation.at.hash)}, "
        f"spec version {simulation.spec_version}",
        "account", "of", "expected", "simulated", "difference",
        right=("expected", "simulated", "difference"),
    )  # fmt: skip
    for change in simulation.changes:
        amounts = (change.expected, change.simulated, change.difference)
        shown = (network.format(Planck(amount)) for amount in amounts)
        row(view, _short(change.account, network), change.name, *shown)
    return view


def _steps_table(simulation: Simulation, network: Network) -> Table:
    view = table(
        "Signatures", "block", "signer", "extrinsic", "multisig", "call", "fee", right=("fee",)
    )
    for step in simulation.steps:
        inside = "" if not step.executed else step.inner_error or "succeeds"
        row(
            view,
            f"{step.block:,}",
            _short(step.signer, network),
            step.error or "succeeds",
            step.outcome or "",
            inside,
            "unknown" if step.fee is None else network.format(step.fee),
        )
    return view


def _short(account: AccountId, network: Network) -> str:
    address = ss58_encode(account, network.ss58_prefix)
    return f"{address[:6]}…{address[-6:]}"
