"""Statements, bundles and what became of them, as tables and as JSON."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from ibp_chain.accounts import ss58_encode
from ibp_chain.cli.output import hex_, row, table
from ibp_chain.cli.views import short
from ibp_chain.networks import Network
from ibp_chain.types import AccountId
from multisig.bundle import Bundle
from multisig.decode import Reading
from multisig.reconcile import Attempt, LineResult, Reconciliation
from multisig.statement import Statement


def statement_table(statement: Statement, network: Network) -> Table:
    """What each member is owed, and why a member is owed nothing."""
    view = table(
        f"Statement of {statement.period}, {hex_(statement.hash)}",
        "member", "item", "days served", "USD", "amount", "payee", "why not",
        right=("days served", "USD", "amount"),
    )  # fmt: skip
    for line in statement.lines:
        amount, payee = network.format(line.planck), f"{line.payee[:6]}…{line.payee[-6:]}"
        row(view, line.member, line.item, len(line.days), line.usd, amount, payee, "")
    for held in statement.withheld:
        why = f"{held.reason}: {held.detail}" if held.detail else held.reason
        row(view, held.member, held.item, "", "", "", "", why)
    row(view, "all", "", "", "", network.format(statement.total), "", "")
    return view


def statement_source(statement: Statement, network: Network) -> str:
    """Where the statement's numbers come from, in a sentence."""
    ledger = statement.ledger
    return (
        f"From block {ledger.block:,} at state root {hex_(ledger.state_root)}; "
        f"1 {network.symbol} = {statement.price.usd} USD ({statement.price.source})."
    )


def reading_table(reading: Reading, network: Network) -> Table:
    """What a call does, transfer by transfer, in its own order."""
    view = table(
        f"Pays {reading.period}, by statement {hex_(reading.statement)}",
        "", "for", "to", "amount",
        right=("amount",),
    )  # fmt: skip
    lines = zip(reading.lines, reading.transfers, strict=True)
    for index, ((member, item), (payee, amount)) in enumerate(lines, 1):
        row(view, index, f"{member}/{item}", payee, network.format(amount))
    row(view, "", "", "all", network.format(reading.total))
    return view


def reading_json(reading: Reading) -> dict[str, Any]:
    return {
        "remark": reading.remark,
        "period": reading.period,
        "statement": reading.statement,
        "transfers": [
            {"member": member, "item": item, "payee": payee, "amount": str(amount)}
            for (member, item), (payee, amount) in zip(
                reading.lines, reading.transfers, strict=True
            )
        ],
    }


def curator_names(bundle: Bundle) -> Mapping[AccountId, str]:
    """Signatories by their place in the bundle, with the address."""
    network = bundle.network
    return {
        account: f"curator {place} ({short(account, network)})"
        for place, account in enumerate(bundle.multisig.account_ids(network), 1)
    }


def attempts_table(bundle: Bundle, attempts: tuple[Attempt, ...]) -> Table:
    """Every operation of the bundle's call: who signed it, and how it ended."""
    view = table(
        f"Operations of call {hex_(bundle.call_hash)}",
        "opened", "signed by", "closed", "outcome", "deposit held",
        right=("deposit held",),
    )  # fmt: skip
    names = curator_names(bundle)
    for attempt in attempts:
        block, index = attempt.opened
        row(
            view,
            f"{block}-{index}",
            ", ".join(names.get(who, "another") for who in attempt.signed),
            "-" if attempt.closed is None else attempt.closed,
            attempt.outcome if attempt.error is None else f"{attempt.outcome} ({attempt.error})",
            bundle.network.format(attempt.deposit_held),
        )
    return view


def lines_table(bundle: Bundle, result: Reconciliation) -> Table:
    """Each line of the bundle's call, and what the ledger says was paid."""
    network = bundle.network
    view = table("Lines", "for", "stated", "paid", "block", "", right=("stated", "paid", "block"))
    for each in result.lines:
        line, paid = each.line, each.paid or each.elsewhere
        row(
            view,
            f"{line.member}/{line.item}",
            network.format(line.planck),
            "-" if paid is None else network.format(paid.amount),
            "-" if paid is None else paid.batch[0],
            "by another call" if each.elsewhere else "as stated" if each.as_stated else "not paid",
        )
    return view


def reconciliation_json(bundle: Bundle, result: Reconciliation) -> dict[str, Any]:
    prefix = bundle.network.ss58_prefix
    return {
        "outcome": result.outcome.name.lower(),
        "settled": result.settled,
        "signed": [ss58_encode(who, prefix) for who in result.signed],
        "missing": [ss58_encode(who, prefix) for who in result.missing],
        "lacking": result.lacking,
        "attempts": [
            {
                "outcome": attempt.outcome.name.lower(),
                "opened": list(attempt.opened),
                "signed": [ss58_encode(who, prefix) for who in attempt.signed],
                "closed": attempt.closed,
                "error": attempt.error,
                "deposit_held": str(attempt.deposit_held),
            }
            for attempt in result.attempts
        ],
        "lines": [_line_json(each) for each in result.lines],
        "violations": len(result.violations),
    }


def _line_json(result: LineResult) -> dict[str, Any]:
    by_this, elsewhere = result.paid, result.elsewhere
    return {
        "member": result.line.member,
        "item": result.line.item,
        "stated": str(result.line.planck),
        "paid": None if by_this is None else str(by_this.amount),
        "paid_elsewhere": None if elsewhere is None else str(elsewhere.amount),
    }
