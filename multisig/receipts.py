"""Receipts: what one member was paid by one executed call, and everything that it follows from.

A receipt carries the statement whole, so that it can be held against the statement hash that the
chain has, and the proofs of the polls that the days served follow from. Whoever has a ledger makes
the same receipt again: nothing in one is believed. Pure. Rule: `docs/payouts.md`, "Receipts".
Amounts are planck unless they say USD.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.blocks import BlockRef
from ibp_chain.explorers import links
from ibp_chain.networks import Network, network
from ibp_chain.remark_bodies import Count, Day, HashText, Period, Slug
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck, Ppm
from ledger.pallets.multisig.types import Operation, OperationKey, Status
from ledger.pallets.payout_lines import ChildKey
from ledger.pallets.payouts import Batch, BatchKey, BatchStatus, PaidLine
from ledger.program import derivation, usd
from ledger.program.derivation import Step
from ledger.program.rules import Rules
from ledger.state import State
from multisig.bundle import differences
from multisig.claims import Course, awards_of
from multisig.documents import Document, Part, PlanckText, Text, UsdText, read_file
from multisig.errors import ReceiptRefused, StatementError
from multisig.paid_again import paid_again
from multisig.service import ServiceRecord, served_days
from multisig.statement import Line, Statement, days_of, of_active

ProofJson: TypeAlias = dict[str, Any]
"""What `ibp oracle prove` prints of a service's day, as a JSON value."""


class ReceiptLine(Part):
    """One line of the statement, and how its amount came about."""

    item: Slug
    usd: UsdText
    planck: PlanckText
    derivation: Annotated[tuple[Text, ...], Field(strict=False, min_length=1)]
    child_bounty: Text | None = None
    """`parent/child`, where it was paid by one."""


class PaymentPart(Part):
    """The extrinsic that paid."""

    block: Count
    block_hash: HashText
    extrinsic: Count | None = None
    """Without one where a hook dispatched it."""
    links: Annotated[tuple[Text, ...], Field(strict=False)]
    """Pages that show it, for a chain that public explorers know."""


class SignerPart(Part):
    """A curator who approved, and where; without a block where it was before the ledger's first."""

    account: Text
    block: Count | None = None
    extrinsic: Count | None = None


class DayPart(Part):
    """A day of the period with a standing report."""

    day: Day
    root: HashText
    served: bool
    proofs: Annotated[tuple[ProofJson, ...], Field(strict=False)]
    """That the member's services are under `root`, one each."""


class Receipt(Document):
    """What one member was paid by one call. `encoded` is its one form."""

    format: Literal["ibp-receipt"] = "ibp-receipt"
    version: Literal[1] = 1
    network: Text
    genesis_hash: HashText
    period: Period
    member: Slug
    payee: Text
    """SS58 of the network."""
    lines: Annotated[tuple[ReceiptLine, ...], Field(strict=False, min_length=1)]
    total: PlanckText
    payment: PaymentPart
    multisig: Text
    signers: Annotated[tuple[SignerPart, ...], Field(strict=False, min_length=1)]
    """In the order in which they approved, the executor last."""
    call_hash: HashText
    scores: Annotated[tuple[DayPart, ...], Field(strict=False)]
    statement: Statement
    statement_hash: HashText


@dataclass(frozen=True, slots=True)
class Chain:
    """A ledger, and what a receipt says of the chain besides."""

    state: State
    genesis_hash: Hash
    refs: Mapping[BlockNumber, BlockRef]
    """At least of the block that paid."""


@dataclass(frozen=True, slots=True)
class Polls:
    """What stands behind one member's days."""

    records: tuple[ServiceRecord, ...]
    """As the proofs say them, checked against the roots by the caller."""
    proofs: Mapping[str, tuple[ProofJson, ...]]
    """By day, in the order of the rows."""


def read_receipt(path: Path) -> Receipt:
    """The receipt in `path`. Raises `DocumentError` for anything but its one canonical form."""
    return read_file(path, Receipt)


def paying_batch(
    statement: Statement, call_hash: Hash, member: str, state: State
) -> tuple[BatchKey, Batch]:
    """The batch by which the call paid `member`. Raises `ReceiptRefused` where there is none."""
    found = {paid.batch for _, paid in _paid(statement, call_hash, member, state)}
    if not found:
        raise ReceiptRefused(
            f"by the ledger, call 0x{call_hash.hex()} has paid {member} nothing for "
            f"{statement.period}"
        )
    if len(found) > 1:
        raise ReceiptRefused(f"the call was executed in {len(found)} batches: no receipt says that")
    (key,) = found
    return key, state.payouts.batches.get(key)


def make_receipt(
    statement: Statement, call_hash: Hash, member: str, chain: Chain, rules: Rules, polls: Polls
) -> Receipt:
    """The receipt of `member` for what the call with `call_hash` paid by `statement`.

    Raises `ReceiptRefused` where the ledger does not have it as executed, once and regularly, with
    the amounts of the statement, or where `polls` lead to other days.
    """
    state, chain_of = chain.state, network(statement.ledger.network)
    key, batch = paying_batch(statement, call_hash, member, state)
    if wrong := [*_irregular(statement, call_hash, key, batch, state, rules)]:
        raise ReceiptRefused("; ".join(wrong))
    paid = _paid(statement, call_hash, member, state)
    days = _served(statement, member, polls.records, state, rules)
    _ensure_as_stated(member, paid, days, rules, chain_of)
    ref, children = chain.refs[key[0]], _children(statement, state)
    operation_key, operation = _operation(call_hash, key, batch, state)
    return Receipt(
        network=chain_of.name,
        genesis_hash=chain.genesis_hash,
        period=statement.period,
        member=member,
        payee=paid[0][0].payee,
        lines=tuple(
            _line(line, statement, rules, chain_of, children.get((line.member, line.item)))
            for line, _ in paid
        ),
        total=Planck(sum(line.planck for line, _ in paid)),
        payment=PaymentPart(
            block=key[0],
            block_hash=ref.hash,
            extrinsic=batch.extrinsic,
            links=links(chain.genesis_hash, ref, batch.extrinsic),
        ),
        multisig=ss58_encode(operation_key[0], chain_of.ss58_prefix),
        signers=tuple(_signers(operation, chain_of)),
        call_hash=call_hash,
        scores=tuple(
            DayPart(
                day=score.day,
                root=score.root,
                served=score.day in days,
                proofs=polls.proofs.get(score.day, ()),
            )
            for score in statement.scores
        ),
        statement=statement,
        statement_hash=statement.hash,
    )


def line_steps(line: Line, statement: Statement, rules: Rules, chain: Network) -> Iterator[Step]:
    """How the amounts of `line` came about, by the numbers of "What is owed" in `docs/payouts.md`.

    Steps that follow from the rules are left out where the statement follows others than `rules`.
    """
    if statement.rules == rules.hash and line.item == rules.payout.item:
        month, served = len(days_of(statement.period)), len(line.days)
        least = rules.payout.served_day_ppm
        yield Step("1", f"days of {month} with uptime of {least} ppm or more", served)
        text = f"{rules.payout.usd_per_month} USD x {served} / {month}, down to cents"
        yield Step("2", text, line.usd)
    elif statement.bill is not None:
        yield Step("B7", f"by the bill 0x{statement.bill.hex()}", line.usd)
    price: Decimal = statement.price.usd
    text = f"{line.usd} USD / {usd.plain(price)} x 10^{chain.decimals}, down to planck"
    yield Step("3", text, line.planck)


def compare(mine: Receipt, theirs: Receipt) -> None:
    """Hold a receipt against one's own. Raises `ReceiptRefused` naming the first difference."""
    if mine.encoded != theirs.encoded:
        own, other = json.loads(mine.encoded), json.loads(theirs.encoded)
        first = next(differences("receipt", own, other), "receipt is written otherwise")
        raise ReceiptRefused(f"the receipt is refused: {first}")


# --- Internals ----------------------------------------------------------------------


def _paid(
    statement: Statement, call_hash: Hash, member: str, state: State
) -> list[tuple[Line, PaidLine]]:
    """The member's lines that this call paid, in the statement's order."""
    found = []
    for line in statement.lines:
        if line.member != member:
            continue
        paid = state.payouts.paid.find((statement.period, member, line.item))
        batch = None if paid is None else state.payouts.batches.find(paid.batch)
        if paid is not None and batch is not None and batch.call_hash == call_hash:
            found.append((line, paid))
    return found


def _irregular(
    statement: Statement, call_hash: Hash, key: BatchKey, batch: Batch, state: State, rules: Rules
) -> Iterator[str]:
    """What speaks against the batch as a regular payment by the statement, once."""
    if rules.hash != statement.rules:
        yield (
            f"the statement follows rules 0x{statement.rules.hex()}, these are "
            f"0x{rules.hash.hex()}: give them with --rules"
        )
    if batch.statement != statement.hash:
        yield (
            f"block {key[0]} paid by statement 0x{batch.statement.hex()}, this one hashes to "
            f"0x{statement.hash.hex()}"
        )
    for other, each in sorted(state.payouts.batches.items()):
        if each.call_hash == call_hash and each.status is BatchStatus.IRREGULAR:
            again = "" if other == key else " again"
            yield f"the call was executed{again} in block {other[0]} otherwise than its remark says"
    prefix = state.network.ss58_prefix
    paid_here = {
        (line.member, line.item): ss58_decode(line.payee, prefix)
        for line in statement.lines
        if _batch_of(state, statement.period, line) == key
    }
    for second in paid_again(state, statement.period, paid_here):
        yield f"lines of it were paid twice: {second}"
    for award in awards_of(state, {(statement.period, *line) for line in paid_here}):
        if award.course is not Course.CLAIMED:
            yield str(award)


def _batch_of(state: State, period: str, line: Line) -> BatchKey | None:
    paid = state.payouts.paid.find((period, line.member, line.item))
    return None if paid is None else paid.batch


def _ensure_as_stated(
    member: str,
    paid: Sequence[tuple[Line, PaidLine]],
    days: tuple[str, ...],
    rules: Rules,
    chain: Network,
) -> None:
    """Raises `ReceiptRefused` for another amount, payee or day than the statement has."""
    for line, each in paid:
        if (each.amount, _address(each.payee, chain)) != (line.planck, line.payee):
            raise ReceiptRefused(f"{member}/{line.item} was not paid as the statement says")
        if line.item == rules.payout.item and line.days != days:
            raise ReceiptRefused(
                f"by the proofs {member} served {', '.join(days) or 'no day'}, by the statement "
                f"{', '.join(line.days)}"
            )


def _served(
    statement: Statement,
    member: str,
    records: Sequence[ServiceRecord],
    state: State,
    rules: Rules,
) -> tuple[str, ...]:
    counted = [record for record in of_active(state, records) if record.member == member]
    try:
        days = served_days(counted, Ppm(rules.payout.served_day_ppm)).get(member, ())
    except StatementError as error:
        raise ReceiptRefused(f"its proofs hold {error}") from error
    roots = {score.day for score in statement.scores}
    return tuple(day.isoformat() for day in days if day.isoformat() in roots)


def _children(statement: Statement, state: State) -> Mapping[tuple[str, str], ChildKey]:
    return {
        (member, item): child
        for child, (period, member, item) in state.payouts.awards.items()
        if period == statement.period
    }


def _operation(
    call_hash: Hash, key: BatchKey, batch: Batch, state: State
) -> tuple[OperationKey, Operation]:
    for about, operation in sorted(state.mirrors.multisig.operations.items()):
        closing = operation.closing
        here = closing is not None and closing.at == (key[0], batch.extrinsic)
        if here and about[1] == call_hash and operation.status is Status.EXECUTED:
            return about, operation
    raise ReceiptRefused(f"no operation of call 0x{call_hash.hex()} ended in block {key[0]}")


def _signers(operation: Operation, chain: Network) -> Iterator[SignerPart]:
    closing = operation.closing
    approvals = [(each.who, each.at) for each in operation.approvals]
    if closing is not None and closing.by not in [who for who, _ in approvals]:
        approvals.append((closing.by, closing.at))
    for who, at in approvals:
        yield SignerPart(
            account=_address(who, chain),
            block=None if at is None else at.block,
            extrinsic=None if at is None else at.extrinsic,
        )


def _line(
    line: Line, statement: Statement, rules: Rules, chain: Network, child: ChildKey | None
) -> ReceiptLine:
    return ReceiptLine(
        item=line.item,
        usd=line.usd,
        planck=line.planck,
        derivation=derivation.explain(line_steps(line, statement, rules, chain)),
        child_bounty=None if child is None else f"{child[0]}/{child[1]}",
    )


def _address(who: AccountId, chain: Network) -> str:
    return ss58_encode(who, chain.ss58_prefix)
