"""Payouts: which member was paid what for which period and item, and every batch that tried.

One of the ledger's own pallets, fed by the batches that the curators' multisig dispatches: a
`Utility.batch_all` whose first call is a `payout` remark; line k is paid by the k-th call behind.
A batch that failed inside moved nothing and is kept as an attempt. A batch that moved money in
another way than its remark says is kept too, with what is wrong about it: the ledger does not
judge what the chain has already done, it tells.
Storage: `Batches`, `Paid`, `Violations`. Rule: `docs/payouts.md`. Amounts are planck.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple, TypeAlias

from ibp_chain.remark_bodies import Payout
from ibp_chain.scale import schema
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck
from ledger.pallets.membership import MemberId, MemberRecord
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
    """Of all transfers that were executed, regular or not."""
    error: str | None
    """`Pallet.Error` as the runtime names it, for a failed batch."""


class PaidLine(NamedTuple):
    """What a member was paid for an item of a period."""

    payee: AccountId
    amount: Planck
    batch: BatchKey
    line: int


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


class Transfer(NamedTuple):
    payee: AccountId
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


def transfer_of(call: Call) -> Transfer | None:
    """What `call` transfers, and to whom; None for anything but a plain transfer."""
    if call.pallet != "Balances" or call.name not in {
        "transfer_keep_alive",
        "transfer_allow_death",
    }:
        return None
    match call.args:
        case {"dest": ("Id", bytes() as account), "value": int() as value}:
            return Transfer(AccountId(account), Planck(value))
    return None


# --- Calls: the curators' multisig, checked by the caller -------------------------------


def executed(
    storage: Storage,
    key: BatchKey,
    extrinsic: int | None,
    batch: Call,
    body: Payout,
    payees: "Payees",
) -> Batch:
    """A batch that was dispatched whole: register its lines, and record what is wrong."""
    calls = list(batch.args["calls"])[1:]
    transfers = [transfer_of(call) for call in calls]
    irregular = _register(storage, key, body, transfers, payees)
    record = Batch(
        status=BatchStatus.IRREGULAR if irregular else BatchStatus.PAID,
        period=body.period,
        statement=body.statement,
        call_hash=batch.hash,
        extrinsic=extrinsic,
        lines=len(body.lines),
        total=Planck(sum(transfer.amount for transfer in transfers if transfer)),
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


class Payees:
    """Whom a line may pay: the members' registered payees on this chain."""

    def __init__(self, members: StorageMap[MemberId, MemberRecord], network: str) -> None:
        self._members, self._network = members, network

    def of(self, member: MemberId) -> AccountId | None:
        record = self._members.find(member)
        return None if record is None else record.payee(self._network)


# --- Internals ----------------------------------------------------------------------


def _register(
    storage: Storage,
    key: BatchKey,
    body: Payout,
    transfers: Sequence[Transfer | None],
    payees: Payees,
) -> bool:
    """Whether any line is a violation. Lines are matched in order; the rest has nobody to go to."""
    irregular = False
    for line in range(max(len(body.lines), len(transfers))):
        transfer = transfers[line] if line < len(transfers) else None
        code = _wrong(storage, body, line, transfer, len(transfers), payees)
        if code is None:
            assert transfer is not None
            member, item = body.lines[line]
            storage.paid.insert(
                (body.period, member, item), PaidLine(*transfer, batch=key, line=line)
            )
            continue
        irregular = True
        payee, amount = transfer or (None, Planck(0))
        storage.violations.insert((*key, line), Violation(code, payee, amount))
    return irregular


def _wrong(
    storage: Storage,
    body: Payout,
    line: int,
    transfer: Transfer | None,
    calls: int,
    payees: Payees,
) -> ViolationCode | None:
    if line >= len(body.lines) or line >= calls:
        return ViolationCode.CALLS_DO_NOT_MATCH
    if transfer is None:
        return ViolationCode.NO_TRANSFER
    member, item = body.lines[line]
    payee = payees.of(member)
    if payee is None:
        return ViolationCode.UNKNOWN_MEMBER
    if transfer.payee != payee:
        return ViolationCode.WRONG_PAYEE
    if (body.period, member, item) in storage.paid:
        return ViolationCode.PAID_BEFORE
    return None
