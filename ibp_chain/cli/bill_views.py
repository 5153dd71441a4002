"""Bills as tables and sentences."""

from collections.abc import Iterator

from rich.table import Table

from ibp_chain.cli.output import hex_, row, table
from ibp_chain.networks import Network
from ledger.program import usd
from ledger.program.bill_document import cents, paid_planck
from ledger.program.billing import Bill, NotBilled
from ledger.program.derivation import explain
from ledger.program.prices import Average
from ledger.program.settlement import Settlement

_PARTS = ("billed", "correction", "brought forward", "haircut", "left standing")


def bill_table(bill: Bill) -> Table:
    """What each member is billed, before corrections and what there is to pay it."""
    view = table(
        f"Bill of {bill.period}",
        "member", "level", "region", "services", "not billed", "base USD", "billed USD",
        right=("level", "services", "not billed", "base USD", "billed USD"),
    )  # fmt: skip
    for one in bill.members:
        row(
            view,
            one.member, one.level, one.region, len(one.lines), len(one.unbilled) or "",
            cents(one.base_usd), cents(one.billed_usd),
        )  # fmt: skip
    row(view, "all", "", "", "", "", cents(bill.base_usd), cents(bill.billed_usd))
    return view


def settlement_table(settlement: Settlement) -> Table:
    """How each member's bill becomes what is paid; columns add up from left to paid."""
    used = [
        part
        for part in _PARTS
        if part == "billed"
        or any(line.part == part for one in settlement.members for line in one.lines)
    ]
    view = table("What is paid, USD", "member", *used, "paid", "IOU", right=(*used, "paid", "IOU"))
    for one in settlement.members:
        parts = [usd.total(line.usd for line in one.lines if line.part == part) for part in used]
        row(
            view,
            one.member,
            *(cents(part) if part else "" for part in parts),
            cents(one.paid),
            cents(one.carried) if one.carried else "",
        )
    sums = [
        usd.total(line.usd for one in settlement.members for line in one.lines if line.part == part)
        for part in used
    ]
    carried = cents(settlement.carried) if settlement.carried else ""
    row(view, "all", *map(cents, sums), cents(settlement.paid), carried)
    return view


def tokens_table(settlement: Settlement, price: Average, network: Network) -> Table:
    """What each member is paid in the network's token."""
    view = table("In tokens", "member", "USD", network.symbol, right=("USD", network.symbol))
    for member, planck in paid_planck(settlement, price, network):
        paid = next(one.paid for one in settlement.members if one.member == member)
        row(view, member, cents(paid), network.format(planck))
    return view


def summary(bill: Bill, settlement: Settlement) -> Iterator[str]:
    """What a person should know beside the numbers, in sentences."""
    yield f"By the configuration {hex_(bill.configuration.hash)}; uptime: {bill.uptimes.source}."
    for one in bill.unbilled:
        yield f"{one.name} is not billed: {one.reason}."
    yield from _unbilled_services(bill)
    if settlement.available is not None:
        yield (
            f"{cents(settlement.available)} USD are there for claims of "
            f"{cents(settlement.claims)} USD; {cents(settlement.undistributed)} USD are left "
            "because nobody is paid a fraction of a cent."
            if settlement.claims > settlement.available
            else f"{cents(settlement.available)} USD are there: every claim is paid in full."
        )


def explanation(bill: Bill, settlement: Settlement) -> dict[str, tuple[str, ...]]:
    """Every step behind every number, by member."""
    billed = {one.member: one.steps for one in bill.members}
    return {
        one.member: explain((*billed.get(one.member, ()), *one.steps)) for one in settlement.members
    }


# --- Internals ----------------------------------------------------------------------


def _unbilled_services(bill: Bill) -> Iterator[str]:
    """One sentence for all members that miss the same services for the same reason."""
    members: dict[tuple[NotBilled, tuple[str, ...]], list[str]] = {}
    for member in bill.members:
        for reason in sorted({one.reason for one in member.unbilled}):
            names = tuple(one.name for one in member.unbilled if one.reason is reason)
            members.setdefault((reason, names), []).append(member.member)
    for (reason, names), whose in sorted(members.items()):
        yield f"Not billed: {', '.join(names)} of {', '.join(whose)}: {reason}."
