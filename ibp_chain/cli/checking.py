"""What `ibp multisig build` and `verify` hold a payout against, and what a node adds to it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from ibp_chain.accounts import ss58_decode
from ibp_chain.cli.opened import Opened
from ibp_chain.cli.output import say
from ibp_chain.errors import InputError
from ibp_chain.extrinsics import Submitter, Weight
from ibp_chain.files import read_bounded
from ibp_chain.runtimes import runtimes
from ibp_chain.source import NodeSource
from ibp_chain.types import AccountId, Hash, Planck, Ppm
from ledger.pallets.programme import curators_account
from ledger.program.rules import Rules
from multisig import funds
from multisig.approve import WEIGHT_MARGIN_PERCENT
from multisig.batch import Batch, build_batches, extrinsic_length, findings
from multisig.bundle import Bundle
from multisig.checks import (
    OVERRIDABLE,
    USUAL_CHANGE,
    Caps,
    Check,
    Finding,
    Policy,
    balance,
    block_weight,
    fewer_lines,
    limits_of,
    refusing,
)
from multisig.deny_list import parse_deny_list
from multisig.effects import lines_of
from multisig.errors import BatchRefused, DocumentError
from multisig.history import history_of, read_history
from multisig.plan import Kind, PlanPart
from multisig.statement import Statement

_MAX_DENY_BYTES = 2**20

KindOption = Annotated[Kind, typer.Option("--kind", help="How the lines are paid.")]
BountyOption = Annotated[
    int | None, typer.Option("--bounty", min=0, help="The bounty that child bounties are of.")
]
CuratorOption = Annotated[
    str | None,
    typer.Option("--curator", help="Curator of the child bounties; only the multisig itself."),
]
LinesOption = Annotated[
    int | None, typer.Option("--lines-per-part", min=1, help="The most lines in one call.")
]
AllowOption = Annotated[
    list[Check] | None,
    typer.Option("--allow", help="Override a check; the bundle says so to every curator."),
]
DenyOption = Annotated[
    Path | None, typer.Option("--deny", help="TOML file of accounts that are never paid.")
]
CapLineOption = Annotated[
    str | None, typer.Option("--cap-line", help="Most USD for a line; default the rules' amount.")
]
CapMonthOption = Annotated[str | None, typer.Option("--cap-month", help="Most USD for the month.")]
ChangeOption = Annotated[
    int,
    typer.Option("--change", min=0, help="Percent that a line may differ from the last month's."),
]
HistoryOption = Annotated[
    Path | None,
    typer.Option(
        "--history", help="Folder with the bundles of earlier months: caps count what they paid."
    ),
]
USUAL_CHANGE_PERCENT = USUAL_CHANGE // 10_000


def plan_of(
    opened: Opened,
    kind: Kind,
    bounty: int | None,
    curator: str | None,
    lines: int | None,
    allow: Sequence[Check] | None,
) -> PlanPart:
    """Raises `InputError` for a check that nobody can override, `BatchRefused` for a curator whose
    awards the ledger would not see.
    """
    for check in allow or ():
        if check not in OVERRIDABLE:
            raise InputError(
                f"{check} cannot be overridden; only {', '.join(sorted(OVERRIDABLE))} can"
            )
    program = opened.state.programme.program.value
    if curator is not None and (
        program is None
        or ss58_decode(curator, opened.network.ss58_prefix) != curators_account(program)
    ):
        raise BatchRefused(
            [f"{curator} could award child bounties to anybody: not recognised by the ledger yet"]
        )
    return PlanPart(
        kind=kind,
        parent=bounty,
        lines_per_part=lines,
        allowed=tuple(sorted(set(allow))) if allow else None,
    )


def policy_of(
    rules: Rules,
    stated: Hash,
    deny: Path | None = None,
    cap_line: str | None = None,
    cap_month: str | None = None,
    change: int = USUAL_CHANGE_PERCENT,
) -> Policy:
    """Raises `InputError` for other rules than those of the statement, and what is no amount."""
    if rules.hash != stated:
        raise InputError(
            f"the statement follows rules 0x{stated.hex()}, these are 0x{rules.hash.hex()}: "
            "give them with --rules"
        )
    caps = Caps(
        line=rules.payout.usd_per_month if cap_line is None else _usd(cap_line),
        line_item=rules.payout.item if cap_line is None else None,
        month=None if cap_month is None else _usd(cap_month),
        budget=rules.budget,
    )
    return Policy(caps, {} if deny is None else _denied(deny), Ppm(change * 10_000))


def with_history(policy: Policy, folder: Path | None, opened: Opened) -> Policy:
    """`policy` with what the ledger has paid by the statements in `folder`. Raises as reading it
    does.
    """
    if folder is None:
        return policy
    history = history_of(read_history(folder), opened.state)
    caps = replace(policy.caps, earlier=history.payments, gaps=history.gaps)
    return replace(policy, caps=caps)


class Priced(NamedTuple):
    """Batches, and what a node said of each of them."""

    batches: tuple[Batch, ...]
    weights: tuple[Weight, ...]


def fitting(
    stated: Statement,
    opened: Opened,
    plan: PlanPart,
    policy: Policy,
    node: str | None,
    *,
    although_short: bool,
) -> Priced:
    """The calls that pay `stated`, in as many parts as fit a block, checked with what `node` has.

    Raises `BatchRefused`.
    """
    build = (stated, opened.state, opened.runtime)
    batches = build_batches(*build, plan=plan, policy=policy)
    if node is None:
        return Priced(batches, ())
    limits, curators = limits_of(opened.runtime), _curators(opened)
    with NodeSource(node, expected_genesis=opened.genesis_hash) as source:
        submitter = Submitter(source, runtimes(source))
        while True:
            weights = [submitter.call_info(batch.call).weight for batch in batches]
            fewer = fewer_lines(
                max(len(batch.lines) for batch in batches),
                [weight.with_margin(WEIGHT_MARGIN_PERCENT) for weight in weights],
                [extrinsic_length(batch.call, curators) for batch in batches],
                limits,
            )
            if fewer is None:
                break
            plan = plan.model_copy(update={"lines_per_part": fewer})
            batches = build_batches(*build, plan=plan, policy=policy)
        found = [*_known_to(submitter, opened, batches, weights, although_short=although_short)]
    if found:
        raise BatchRefused([str(finding) for finding in found])
    return Priced(batches, tuple(weights))


def ensure_on_chain(bundle: Bundle, opened: Opened, node: str) -> None:
    """The checks that need a node, of one bundle. Raises `BatchRefused`."""
    batch = Batch(tuple(lines_of(bundle)), bundle.call, bundle.paid_by)
    with NodeSource(node, expected_genesis=opened.genesis_hash) as source:
        submitter = Submitter(source, runtimes(source))
        weight = submitter.call_info(batch.call).weight
        found = _known_to(submitter, opened, [batch], [weight], although_short=False)
    if found:
        raise BatchRefused([str(finding) for finding in found])


def overridden(bundle: Bundle, opened: Opened, policy: Policy) -> tuple[Finding, ...]:
    """What whoever built the bundle has overridden."""
    plan = bundle.paid_by
    own = frozenset({bundle.call_hash})
    found = findings(bundle.statement, (), opened.state, opened.runtime, plan, policy, own)
    refused = refusing(found, plan.allowed or ())
    return tuple(finding for finding in found if finding not in refused)


def tell_overridden(bundle: Bundle, found: Sequence[Finding]) -> None:
    """What `verify` says of overrides, whether they were needed or not."""
    for line in overridden_lines(bundle, found):
        say(line)


def overridden_lines(bundle: Bundle, found: Sequence[Finding]) -> Iterator[str]:
    for check in bundle.paid_by.allowed or ():
        of_it = [finding for finding in found if finding.check is check]
        yield f"OVERRIDDEN by who built it: {check}" + ("" if of_it else ", which saw nothing")
        for finding in of_it:
            yield f"  {finding.about}: {finding.saw}; {finding.do}"


def finding_json(finding: Finding) -> dict[str, str]:
    return {
        "check": finding.check,
        "about": finding.about,
        "saw": finding.saw,
        "do": finding.do,
    }


# --- Parts ----------------------------------------------------------------------------


def _known_to(
    submitter: Submitter,
    opened: Opened,
    batches: Sequence[Batch],
    weights: Sequence[Weight],
    *,
    although_short: bool,
) -> list[Finding]:
    limits, network = limits_of(opened.runtime), opened.network
    found = [
        finding
        for weight in weights
        for finding in block_weight(weight.with_margin(WEIGHT_MARGIN_PERCENT), limits)
    ]
    plan, program = batches[0].plan, opened.state.programme.program.value
    if although_short or program is None:
        return found
    paying = funds.paying(plan, curators_account(program))
    if paying is None:
        return found
    payer, name = paying
    total = Planck(sum(line.planck for batch in batches for line in batch.lines))
    runtime = submitter.runtime()
    minimum = funds.minimum_of(runtime)
    key = runtime.storage_key("System", "Account", payer)
    (raw,) = submitter.node.storage([key], submitter.best().hash)
    held = None if raw is None else runtime.decode_storage("System", "Account", raw)["data"]
    free, keep = Planck(0 if held is None else held["free"]), funds.untouchable(held, minimum)
    return [*found, *balance(total, free, keep, name, network)]


def _curators(opened: Opened) -> int:
    program = opened.state.programme.program.value
    return 0 if program is None else len(program.curators)


def _denied(path: Path) -> dict[AccountId, str]:
    data = read_bounded(path, _MAX_DENY_BYTES, DocumentError)
    try:
        return dict(parse_deny_list(data.decode()))
    except (UnicodeDecodeError, DocumentError) as error:
        raise DocumentError(f"{path}: {error}") from error


def _usd(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise InputError(f"{text!r} is no amount of USD, such as 2500.00") from error
    if not value.is_finite() or value < 0:
        raise InputError(f"{text!r} is no amount of USD, such as 2500.00")
    return value
