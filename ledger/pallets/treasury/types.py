"""Proposals and spends as the chain keeps them, and their storage.

Mirrors: `Proposal`, `SpendStatus`, `PaymentState` and the storage items of
`substrate/frame/treasury/src/lib.rs`. Units: heights are those of the treasury's clock.

Left out, because blocks do not tell them: `Deactivated`, which is the pot's balance, and
`LastSpendPeriod`, which the runtime sets on its own when an upgrade brought it.
"""

from functools import partial
from typing import NamedTuple, NewType, TypeAlias

from ibp_chain.errors import DecodeError
from ibp_chain.scale import schema
from ibp_chain.scale.schema import Schema, Variant
from ibp_chain.types import AccountId, Planck, RelayBlockNumber
from ledger.storage import Hasher, KeyPart, StorageMap, StorageValue

ProposalIndex = NewType("ProposalIndex", int)
SpendIndex = NewType("SpendIndex", int)
_INDEX: Schema[ProposalIndex] = schema.u32  # type: ignore[assignment]  # a NewType of int


class Proposal(NamedTuple):
    """Of the treasury's own token, paid at the end of a spend period."""

    proposer: AccountId
    value: Planck
    beneficiary: AccountId
    bond: Planck
    """The proposer's deposit."""


# --- Spends -----------------------------------------------------------------------


class Pending(NamedTuple):
    """Not claimed yet."""


class Attempted(NamedTuple):
    """Claimed; how that went is known to the paymaster."""

    id: int
    """Its payment: an XCM query, or u64::MAX of a paymaster that pays at once."""


class Failed(NamedTuple):
    """The payment failed: it may be claimed again."""


PaymentState: TypeAlias = Pending | Attempted | Failed


class Spend(NamedTuple):
    """Of any asset, paid when it is claimed."""

    order: bytes
    """SCALE of asset kind, amount (u128) and beneficiary, one behind the other. Asset kind and
    beneficiary are types of the runtime and are kept as they are."""
    valid_from: RelayBlockNumber
    expire_at: RelayBlockNumber
    status: PaymentState


_STATUS = schema.union(
    Variant(0, Pending, schema.struct(Pending)),
    Variant(1, Attempted, schema.struct(Attempted, id=schema.u64)),
    Variant(2, Failed, schema.struct(Failed)),
)
_TAIL: Schema[Spend] = schema.struct(
    partial(Spend, b""),
    valid_from=schema.u32,
    expire_at=schema.u32,
    status=_STATUS,
)
PENDING_TAIL, _ATTEMPTED_TAIL = 9, 17
"""Bytes of valid_from, expire_at and status; long where a payment was attempted."""
_U64_MAX = 2**64 - 1
QUERIES = 2**24
"""XCM queries are counted from 0, and no chain will ever make that many."""


def _is_payment(id_: int) -> bool:
    return id_ < QUERIES or id_ == _U64_MAX


def _encode_spend(spend: Spend) -> bytes:
    if isinstance(spend.status, Attempted) and not _is_payment(spend.status.id):
        raise ValueError(f"{spend.status.id} is no payment that its bytes could be read back from")
    return spend.order + _TAIL.encode(spend)


def _decode_spend(data: bytes, offset: int) -> tuple[Spend, int]:
    """From its end, since nothing says where the order ends: what reads as an attempted payment
    is one.

    No other spend does. Its expiry, which is above 0, and its status would be the number of a
    payment, of 2**24 or above and with a highest byte of 0 or 2.
    """
    for size in (_ATTEMPTED_TAIL, PENDING_TAIL):
        start = len(data) - size
        if start >= offset:
            try:
                spend = _TAIL.decode(data[start:])
            except DecodeError:
                continue
            status = spend.status
            if not isinstance(status, Attempted) or _is_payment(status.id):
                return spend._replace(order=data[offset:start]), len(data)
    raise DecodeError("neither a pending, attempted nor failed spend", offset)


SPEND = Schema(_encode_spend, _decode_spend)


# --- Storage ----------------------------------------------------------------------


class Storage:
    def __init__(self) -> None:
        index = KeyPart(Hasher.TWOX_64_CONCAT, schema.u32)
        self.proposal_count: StorageValue[int] = StorageValue(
            "Treasury", "ProposalCount", schema.u32, default=int
        )
        self.proposals: StorageMap[ProposalIndex, Proposal] = StorageMap(
            "Treasury",
            "Proposals",
            (index,),
            schema.struct(
                Proposal,
                proposer=schema.account,
                value=schema.u128,
                beneficiary=schema.account,
                bond=schema.u128,
            ),
        )
        self.approvals: StorageValue[tuple[ProposalIndex, ...]] = StorageValue(
            "Treasury", "Approvals", schema.vec(_INDEX), default=tuple
        )
        self.spend_count: StorageValue[int] = StorageValue(
            "Treasury", "SpendCount", schema.u32, default=int
        )
        self.spends: StorageMap[SpendIndex, Spend] = StorageMap(
            "Treasury", "Spends", (index,), SPEND
        )
