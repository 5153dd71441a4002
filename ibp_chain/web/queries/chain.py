"""The chain: which block, which runtimes, what is open, what the budget has left."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from ibp_chain.errors import IbpError
from ibp_chain.types import BlockNumber
from ibp_chain.web.models import (
    BudgetLineShown,
    BudgetShown,
    Head,
    Lag,
    OperationShown,
    RuntimeShown,
)
from ibp_chain.web.shown import address, amount, hex_, iso, moment
from ibp_chain.web.snapshot import Snapshot
from ledger.pallets.multisig.types import Operation, OperationKey, Status
from ledger.pallets.payouts import BatchStatus
from ledger.pallets.programme import curators_account
from ledger.program import usd
from ledger.program.budget import Budget, Payment


@dataclass(frozen=True, slots=True)
class NodeView:
    """What a node said when it was asked last."""

    finalised: BlockNumber | None
    asked: datetime
    problem: str | None


def head(snapshot: Snapshot) -> Head:
    chain, program = snapshot.chain, snapshot.state.programme.program.value
    return Head(
        network=chain.network.name,
        genesis_hash=hex_(chain.genesis_hash),
        block=chain.head.number,
        block_hash=hex_(chain.head.hash),
        clock=chain.head.now,
        time=iso(chain.timestamp_ms),
        state_root=hex_(snapshot.state_root),
        spec_version=chain.spec_version,
        schema_version=snapshot.schema_version,
        programme=None if program is None else program.name,
        rules=hex_(snapshot.rules.hash),
        rules_agree=None if program is None else program.rules == snapshot.rules.hash,
    )


def lag(snapshot: Snapshot, node: NodeView | None) -> Lag | None:
    """How far the ledger is behind the node; None where no node was named."""
    if node is None:
        return None
    behind = None if node.finalised is None else node.finalised - snapshot.chain.head.number
    return Lag(
        node_block=node.finalised,
        behind=behind,
        asked=f"{node.asked:%Y-%m-%dT%H:%M:%SZ}",
        problem=node.problem,
    )


def runtimes(snapshot: Snapshot) -> tuple[RuntimeShown, ...]:
    """Those that executed the ledger's blocks, and are kept, the newest first."""
    return tuple(
        RuntimeShown(spec_version=version, since=moment(snapshot, first), metadata=forms)
        for version, first, forms in reversed(snapshot.runtimes)
        if first is not None
    )


def operations(snapshot: Snapshot, *, open_only: bool) -> tuple[OperationShown, ...]:
    """Of the curators' multisig in office, the latest first."""
    program = snapshot.state.programme.program.value
    if program is None:
        return ()
    office = curators_account(program)
    found = [
        (key, operation)
        for key, operation in snapshot.state.mirrors.multisig.operations.items()
        if key[0] == office and (operation.status is Status.OPEN or not open_only)
    ]
    found.sort(key=lambda pair: pair[0][2:], reverse=True)
    return tuple(_operation(snapshot, key, operation) for key, operation in found)


def budget(snapshot: Snapshot) -> BudgetShown:
    """What the paid statements used of each line; those that nobody gave are named."""
    batches = sorted(snapshot.state.payouts.batches.items())
    paid = {each.statement: each for _, each in batches if each.status is not BatchStatus.FAILED}
    known = [snapshot.statements[digest] for digest in paid if digest in snapshot.statements]
    payments = [
        Payment(statement.period, line.member, line.item, line.usd)
        for statement in known
        for line in statement.lines
        if (statement.period, line.member, line.item) in snapshot.state.payouts.paid
    ]
    law, problem = snapshot.rules.budget, None
    try:
        spent = Budget.recorded(law, payments)
    except IbpError as error:
        spent, problem = Budget.fresh(law), str(error)
    return BudgetShown(
        lines=tuple(_lines(spent)),
        total_usd=usd.plain(law.total_usd),
        used_usd=usd.plain(spent.used),
        statements=len(known),
        missing=tuple(hex_(digest) for digest in paid if digest not in snapshot.statements),
        problem=problem,
    )


# --- Parts ----------------------------------------------------------------------------


def _lines(spent: Budget) -> Iterator[BudgetLineShown]:
    for line in spent.lines:
        share = int(line.used * 1_000_000 / line.cap) if line.cap else 0
        yield BudgetLineShown(
            line=line.name,
            title=line.title,
            cap_usd=usd.plain(line.cap),
            used_usd=usd.plain(line.used),
            left_usd=usd.plain(line.left),
            used_ppm=share,
        )


def _operation(snapshot: Snapshot, key: OperationKey, operation: Operation) -> OperationShown:
    network = snapshot.network
    return OperationShown(
        call_hash=hex_(key[1]),
        timepoint=f"{key[2]}-{key[3]}",
        status=operation.status.name.lower(),
        threshold=operation.threshold,
        approvals=tuple(address(each.who, network) for each in operation.approvals),
        depositor=address(operation.depositor, network),
        deposit=amount(operation.deposit, network),
        call_known=operation.call is not None,
        bundle=key[1] in snapshot.bundles.files,
        opened=moment(snapshot, key[2]),
    )
