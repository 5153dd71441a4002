"""What executed batches have cost in USD, month by month and by line of the budget.

The ledger keeps planck and no USD: those are in the statements, and a batch names its statement by
hash. So a history is a folder of bundles or statements, each of which counts as far as the ledger
has a batch that follows it, and never by its own word. What the ledger paid and no document
explains is named: without it, totals are a lower bound. Pure but for `read_history`.
Rule: `docs/payouts.md`, "What months add up to".
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ibp_chain.errors import InputError
from ibp_chain.networks import Network
from ibp_chain.types import Hash
from ledger.pallets.payouts import Batch, BatchKey, BatchStatus, PaidKey, PaidLine
from ledger.program.budget import Budget, BudgetError, Payment
from ledger.program.law import BudgetRules
from ledger.state import State
from multisig.bundle import Bundle
from multisig.documents import read_file
from multisig.errors import DocumentError
from multisig.statement import Line, Statement


@dataclass(frozen=True, slots=True)
class History:
    """Statements, and what the ledger has paid by them."""

    payments: tuple[Payment, ...]
    """Every line that was paid as its statement has it: by period, member and item."""
    gaps: tuple[str, ...]
    """What was paid besides, a sentence each, naming its block; empty where `payments` are all."""
    followed: frozenset[Hash]
    """Statements that the ledger has a batch of which moved something."""

    @property
    def complete(self) -> bool:
        return not self.gaps

    def spent(self, rules: BudgetRules) -> tuple[Budget, tuple[str, ...]]:
        """The budget after all of it, and what no line of the budget pays, a sentence each."""
        strange, known = [], []
        fresh = Budget.fresh(rules)
        for payment in self.payments:
            try:
                fresh.line_of(payment)
            except BudgetError as error:
                strange.append(str(error))
            else:
                known.append(payment)
        return Budget.recorded(rules, known), tuple(strange)


def read_history(folder: Path) -> tuple[Statement, ...]:
    """The statements of every `.json` file in `folder`, each a bundle or a statement.

    Raises `InputError` for no folder, `DocumentError` for any other file.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder of bundles")
    found: dict[Hash, Statement] = {}
    for path in sorted(folder.glob("*.json")):
        statement = _statement_in(path)
        found[statement.hash] = statement
    return tuple(found.values())


def history_of(statements: Iterable[Statement], state: State) -> History:
    """What `state` has paid by `statements`."""
    known = {statement.hash: statement for statement in statements}
    paid = _paid_by_batch(state)
    payments: list[Payment] = []
    gaps: list[str] = []
    followed: set[Hash] = set()
    for key, batch in sorted(state.payouts.batches.items()):
        if batch.status is BatchStatus.FAILED or not batch.total:
            continue  # nothing was moved, or claims move what an earlier batch is counted with
        statement = known.get(batch.statement)
        if statement is None:
            gaps.append(_without_statement(key, batch, state.network))
            continue
        followed.add(statement.hash)
        lines = {(line.member, line.item): line for line in statement.lines}
        for about, line in paid.get(key, {}).items():
            stated = lines.get(about[1:]) if about[0] == statement.period else None
            if stated is None or stated.planck != line.amount:
                gaps.append(_otherwise(key, about, line, stated, state.network))
            else:
                payments.append(Payment(*about, stated.usd))
        gaps += _violations(key, state)
    return History(
        tuple(sorted(payments, key=lambda each: each.key)), tuple(gaps), frozenset(followed)
    )


# --- Internals ----------------------------------------------------------------------


def _statement_in(path: Path) -> Statement:
    try:
        return read_file(path, Bundle).statement
    except DocumentError as no_bundle:
        try:
            return read_file(path, Statement)
        except DocumentError:
            raise no_bundle from None


def _paid_by_batch(state: State) -> Mapping[BatchKey, Mapping[PaidKey, PaidLine]]:
    found: dict[BatchKey, dict[PaidKey, PaidLine]] = {}
    for about, line in sorted(state.payouts.paid.items()):
        found.setdefault(line.batch, {})[about] = line
    return found


def _without_statement(key: BatchKey, batch: Batch, network: Network) -> str:
    return (
        f"block {key[0]} paid {network.format(batch.total)} for {batch.period} by the statement "
        f"0x{batch.statement.hex()}, which is not among those given"
    )


def _otherwise(
    key: BatchKey, about: PaidKey, line: PaidLine, stated: Line | None, network: Network
) -> str:
    period, member, item = about
    said = "does not have it" if stated is None else f"says {network.format(stated.planck)}"
    return (
        f"block {key[0]} paid {network.format(line.amount)} to {member}/{item} for {period}, and "
        f"its statement {said}"
    )


def _violations(key: BatchKey, state: State) -> Iterator[str]:
    for (block, place, line), violation in sorted(state.payouts.violations.items()):
        if (block, place) == key and violation.amount:
            yield (
                f"block {block} moved {state.network.format(violation.amount)} by line {line + 1} "
                f"otherwise than its remark says ({violation.code.name.lower()})"
            )
