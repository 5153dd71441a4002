"""Payouts: which member was paid what for which period and item, and every batch that tried.

One of the ledger's own pallets, fed by the batches that the curators' multisig dispatches: a
`Utility.batch_all` whose first call is a `payout` remark; line k is paid by the k-th call behind,
or by the k-th run of calls about a child bounty. A line is paid when it is transferred or awarded:
whoever claims a child bounty later moves what the register has seen. What a claim then paid to whom
is kept beside it: between award and claim the parent's curator can take the award back.
A batch that failed inside moved nothing and is kept as an attempt. A batch that moved money in
another way than its remark says is kept too, with what is wrong about it: the ledger does not
judge what the chain has already done, it tells.
Storage: `Batches`, `Paid`, `Awards`, `Claims`, `Violations`. Rule: `docs/payouts.md`. Amounts are
planck.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple, TypeAlias

from ibp_chain.remark_bodies import Payout
from ibp_chain.scale import schema
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck
from ledger.pallets.membership import MemberId, MemberRecord
from ledger.pallets.payout_lines import (
    ChildKey,
    Deposited,
    Payment,
    Transfer,
    groups,
    payment_of,
)
from ledger.storage import Hasher, KeyPart, StorageMap

BatchKey: TypeAlias = tuple[BlockNumber, int]
"""Block, and the batch's place among the block's payout batches."""
PaidKey: TypeAlias = tuple[str, MemberId, str]
"""(period, member, item)."""


class BatchStatus(IntEnum):
    PAID = 0
    FAILED = 1
    """It failed inside: nothing was moved."""
    IRREGULAR = 2
    """It was executed, and at least one line of it is a violation."""


class Batch(NamedTuple):
    """A payout batch that the multisig dispatched."""

    status: BatchStatus
    period: str
    statement: Hash
    call_hash: Hash
    extrinsic: int | None
    lines: int
    total: Planck
    """Of all that was transferred or set aside in child bounties, regular or not; what an earlier
    batch awarded and this one claims is not counted again."""
    error: str | None
    """`Pallet.Error` as the runtime names it, for a failed batch."""


class PaidLine(NamedTuple):
    """What a member was paid for an item of a period, or awarded by a child bounty."""

    payee: AccountId
    amount: Planck
    batch: BatchKey
    line: int


class Claim(NamedTuple):
    """What the claim of a child bounty paid that a batch had awarded for a line."""

    beneficiary: AccountId
    amount: Planck
    """What was in the child's account, less the fee: more than awarded, where others paid in."""
    block: BlockNumber


class ViolationCode(IntEnum):
    CALLS_DO_NOT_MATCH = 0
    """Another number of calls than of lines."""
    NO_TRANSFER = 1
    UNKNOWN_MEMBER = 2
    WRONG_PAYEE = 3
    PAID_BEFORE = 4


class Violation(NamedTuple):
    """What is wrong about a line that was paid all the same."""

    code: ViolationCode
    payee: AccountId | None
    amount: Planck


# --- Storage ----------------------------------------------------------------------


class Storage:
    def __init__(self) -> None:
        number = KeyPart(Hasher.IDENTITY, schema.u32)
        name = KeyPart(Hasher.TWOX_64_CONCAT, schema.text)
        self.batches: StorageMap[BatchKey, Batch] = StorageMap(
            "Payouts",
            "Batches",
            (number, number),
            schema.struct(
                Batch,
                status=schema.enum(BatchStatus),
                period=schema.text,
                statement=schema.hash256,
                call_hash=schema.hash256,
                extrinsic=schema.option(schema.u32),
                lines=schema.u32,
                total=schema.u128,
                error=schema.option(schema.text),
            ),
        )
        self.paid: StorageMap[PaidKey, PaidLine] = StorageMap(
            "Payouts",
            "Paid",
            (name, name, name),
            schema.struct(
                PaidLine,
                payee=schema.account,
                amount=schema.u128,
                batch=schema.sequence(schema.u32, schema.u32),
                line=schema.u32,
            ),
        )
        self.awards: StorageMap[ChildKey, PaidKey] = StorageMap(
            "Payouts",
            "Awards",
            (number, number),
            schema.sequence(schema.text, schema.text, schema.text),
        )
        self.claims: StorageMap[ChildKey, Claim] = StorageMap(
            "Payouts",
            "Claims",
            (number, number),
            schema.struct(Claim, beneficiary=schema.account, amount=schema.u128, block=schema.u32),
        )
        self.violations: StorageMap[tuple[BlockNumber, int, int], Violation] = StorageMap(
            "Payouts",
            "Violations",
            (number, number, number),
            schema.struct(
                Violation,
                code=schema.enum(ViolationCode),
                payee=schema.option(schema.account),
                amount=schema.u128,
            ),
        )


# --- What a batch says ------------------------------------------------------------------


def batch_calls(call: Call) -> Sequence[Call] | None:
    """The calls of a batch that could carry a payout; None for any other call."""
    if (call.pallet, call.name) != ("Utility", "batch_all"):
        return None
    calls: Sequence[Call] = call.args["calls"]
    return calls or None


# --- Calls: the curators' multisig, checked by the caller -------------------------------


def executed(
    storage: Storage,
    key: BatchKey,
    extrinsic: int | None,
    batch: Call,
    body: Payout,
    payees: "Payees",
    deposited: Deposited,
) -> Batch:
    """A batch that was dispatched whole: register its lines, and record what is wrong."""
    calls: Sequence[Call] = batch.args["calls"]
    payments = [payment_of(each, 1 + place, deposited) for place, each in groups(calls[1:])]
    irregular = _register(storage, key, body, payments, payees)
    record = Batch(
        status=BatchStatus.IRREGULAR if irregular else BatchStatus.PAID,
        period=body.period,
        statement=body.statement,
        call_hash=batch.hash,
        extrinsic=extrinsic,
        lines=len(body.lines),
        total=Planck(sum(map(_spent, payments))),
        error=None,
    )
    storage.batches.insert(key, record)
    return record


def failed(
    storage: Storage, key: BatchKey, extrinsic: int | None, batch: Call, body: Payout, error: str
) -> Batch:
    """A batch that failed inside: an attempt that moved nothing."""
    record = Batch(
        status=BatchStatus.FAILED,
        period=body.period,
        statement=body.statement,
        call_hash=batch.hash,
        extrinsic=extrinsic,
        lines=len(body.lines),
        total=Planck(0),
        error=error,
    )
    storage.batches.insert(key, record)
    return record


def claimed(storage: Storage, block: BlockNumber, child: ChildKey, transfer: Transfer) -> bool:
    """Keep what the claim of `child` paid, whoever made it; False for a child of no line here."""
    if child not in storage.awards:
        return False
    storage.claims.insert(child, Claim(transfer.payee, transfer.amount, block))
    return True


class Payees:
    """Whom a line may pay: the members' registered payees on this chain."""

    def __init__(self, members: StorageMap[MemberId, MemberRecord], network: str) -> None:
        self._members, self._network = members, network

    def of(self, member: MemberId) -> AccountId | None:
        record = self._members.find(member)
        return None if record is None else record.payee(self._network)


# --- Internals ----------------------------------------------------------------------


def _spent(payment: Payment) -> int:
    """What it takes out of the multisig or the bounty."""
    paid = payment.transfer is not None and payment.claim is None
    return payment.loose + (payment.transfer.amount if paid and payment.transfer else 0)


def _register(
    storage: Storage,
    key: BatchKey,
    body: Payout,
    payments: Sequence[Payment],
    payees: Payees,
) -> bool:
    """Whether any line is a violation. Lines are matched in order; the rest has nobody to go to."""
    irregular = False
    for line in range(max(len(body.lines), len(payments))):
        payment = payments[line] if line < len(payments) else _NONE
        code = _wrong(storage, body, line, payment, len(payments), payees)
        if code is None:
            assert payment.transfer is not None
            paid_key: PaidKey = (body.period, *body.lines[line])
            if payment.claim is None:
                storage.paid.insert(paid_key, PaidLine(*payment.transfer, batch=key, line=line))
            if payment.award is not None:
                storage.awards.insert(payment.award, paid_key)
            continue
        irregular = True
        payee, amount = payment.transfer or (None, payment.loose)
        storage.violations.insert((*key, line), Violation(code, payee, amount))
    return irregular


_NONE = Payment(None, None, None, Planck(0))


def _wrong(
    storage: Storage,
    body: Payout,
    line: int,
    payment: Payment,
    payments: int,
    payees: Payees,
) -> ViolationCode | None:
    if line >= len(body.lines) or line >= payments:
        return ViolationCode.CALLS_DO_NOT_MATCH
    if payment.transfer is None:
        return ViolationCode.NO_TRANSFER
    member, item = body.lines[line]
    key = body.period, member, item
    if payment.claim is not None:
        # whom it pays was settled when it was awarded, and the member's payee may be another now
        mine = storage.awards.find(payment.claim) == key
        return None if mine else ViolationCode.NO_TRANSFER
    payee = payees.of(member)
    if payee is None:
        return ViolationCode.UNKNOWN_MEMBER
    if payment.transfer.payee != payee:
        return ViolationCode.WRONG_PAYEE
    if key in storage.paid:
        return ViolationCode.PAID_BEFORE
    return None
