"""Statements, bundles and what became of them, as tables and as JSON."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from ibp_chain.accounts import ss58_encode
from ibp_chain.blocks import blake2_256
from ibp_chain.cli.output import hex_, row, table
from ibp_chain.cli.views import short
from ibp_chain.networks import Network
from ibp_chain.types import AccountId
from multisig.bundle import Bundle
from multisig.decode import Reading
from multisig.documents import printable
from multisig.payload import Asked
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


def asked_lines(asked: Asked) -> Iterator[str]:
    """What a device shows of a payload, to be compared with it."""
    bundle, context = asked.bundle, asked.context
    point = asked.timepoint
    opens = (
        "opens the operation"
        if point is None
        else (f"approves the operation of block {point['height']}, extrinsic {point['index']}")
    )
    yield f"Signer {asked.payload.address}; {opens}"
    yield f"Payout call hash {hex_(blake2_256(bundle.call))}"
    yield f"Signed call hash {hex_(blake2_256(asked.call))} (Multisig.as_multi around it)"
    yield (
        f"Nonce {context.nonce}, tip {bundle.network.format(context.tip)}, "
        f"spec version {context.spec_version}"
    )
    yield (
        f"Valid up to block {context.death - 1:,}, {context.period:,} blocks from block "
        f"{context.birth.number:,}, {hex_(context.birth.hash)}"
    )
    if context.metadata_hash is None:
        yield "Without a metadata hash (mode 0): the runtime has none, or it was not wanted"
    else:
        yield f"Metadata hash {hex_(context.metadata_hash)} (mode 1)"


def reading_table(reading: Reading, network: Network) -> Table:
    """What a call does, line by line, in its own order."""
    if reading.claims:
        return _claims_table(reading)
    if reading.children:
        return _children_table(reading, network)
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


def _children_table(reading: Reading, network: Network) -> Table:
    view = table(
        f"Awards {reading.period}, by statement {hex_(reading.statement)}",
        "child bounty", "for", "to", "amount", "fee", "description", "claimed",
        right=("amount", "fee"),
    )  # fmt: skip
    for (member, item), child in zip(reading.lines, reading.children, strict=True):
        row(
            view,
            child,
            f"{member}/{item}",
            child.payee,
            network.format(child.amount),
            network.format(child.fee),
            printable(child.description),
            "at once" if child.claimed else "later",
        )
    row(view, "", "", "all", network.format(reading.total), "", "", "")
    return view


def _claims_table(reading: Reading) -> Table:
    title = f"Claims what was awarded for {reading.period}, by statement "
    view = table(title + hex_(reading.statement), "child bounty", "for")
    for (member, item), claim in zip(reading.lines, reading.claims, strict=True):
        row(view, claim, f"{member}/{item}")
    return view


def reading_json(reading: Reading) -> dict[str, Any]:
    found: dict[str, Any] = {
        "remark": reading.remark,
        "period": reading.period,
        "statement": reading.statement,
        "transfers": [
            {"member": member, "item": item, "payee": payee, "amount": str(amount)}
            for (member, item), (payee, amount) in zip(
                reading.lines if reading.transfers else (), reading.transfers, strict=True
            )
        ],
    }
    if reading.children:
        found["children"] = [
            {
                "parent": child.parent,
                "child": child.child,
                "fee": str(child.fee),
                "curator": child.curator,
                "description": child.description,
                "claimed": child.claimed,
            }
            for child in reading.children
        ]
    if reading.claims:
        found["claims"] = [
            {"member": member, "item": item, "parent": claim.parent, "child": claim.child}
            for (member, item), claim in zip(reading.lines, reading.claims, strict=True)
        ]
    return found


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
        "attempts": [attempt_json(attempt, prefix) for attempt in result.attempts],
        "lines": [_line_json(each) for each in result.lines],
        "violations": len(result.violations),
        "open_claims": [list(key) for key in result.open_claims],
        "astray": [
            {
                "child_bounty": list(each.child),
                "member": each.line[1],
                "item": each.line[2],
                "why": each.why,
            }
            for each in result.astray
        ],
        "paid_again": [
            {
                "block": each.block,
                "call_hash": each.call_hash,
                "line": None if each.line is None else list(each.line),
                "amount": str(each.amount),
            }
            for each in result.paid_again
        ],
        "open_again": None if result.open_again is None else list(result.open_again.opened),
    }


def attempt_json(attempt: Attempt, prefix: int) -> dict[str, Any]:
    closing = attempt.closing
    return {
        "outcome": attempt.outcome.name.lower(),
        "opened": list(attempt.opened),
        "signed": [ss58_encode(who, prefix) for who in attempt.signed],
        "closed": attempt.closed,
        "extrinsic": None if closing is None else closing.at.extrinsic,
        "error": attempt.error,
        "depositor": ss58_encode(attempt.depositor, prefix),
        "deposit_held": str(attempt.deposit_held),
        "deposit_returned": str(attempt.deposit_returned),
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
