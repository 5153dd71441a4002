"""Lines that were paid once more, by whatever call: the first payment's own records do not show it.

The ledger keeps a second payment as a violation of the batch that made it, by its place in that
batch. Which line it was, the batch's remark says, and the call is known where it was sent whole
through the multisig. Where it is not, the period and the payee have to do. Pure.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ibp_chain.errors import DecodeError, RemarkError
from ibp_chain.networks import Network
from ibp_chain.remark_bodies import Payout
from ibp_chain.remarks import is_programme_remark, parse
from ibp_chain.scale.primitives import decode_compact
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck
from ledger.pallets.payouts import Batch, BatchKey, ViolationCode
from ledger.state import State

_INDICES = 2
"""Bytes of a call's pallet and name, in every runtime."""


class PaidAgain(NamedTuple):
    """A second payment."""

    batch: BatchKey
    call_hash: Hash
    line: tuple[str, str] | None
    """(member, item); None where only the payee tells."""
    payee: AccountId
    amount: Planck

    @property
    def block(self) -> BlockNumber:
        return self.batch[0]

    def __str__(self) -> str:
        what = "a payee of its lines" if self.line is None else "/".join(self.line)
        return f"block {self.block} paid {what} again, by call 0x{self.call_hash.hex()}"


def paid_again(
    state: State, period: str, lines: Mapping[tuple[str, str], AccountId]
) -> Iterator[PaidAgain]:
    """Second payments of `lines` of `period`, whose payees are given, by block."""
    for (block, place, line), violation in sorted(state.payouts.violations.items()):
        batch = state.payouts.batches.find((block, place))
        payee = violation.payee
        if violation.code is not ViolationCode.PAID_BEFORE or batch is None or payee is None:
            continue
        if batch.period != period:
            continue
        named = _lines_of(state, batch)
        if named is None and payee in lines.values():
            found = None
        elif named is not None and line < len(named) and named[line] in lines:
            found = named[line]
        else:
            continue
        yield PaidAgain((block, place), batch.call_hash, found, payee, violation.amount)


# --- Internals ----------------------------------------------------------------------


def _lines_of(state: State, batch: Batch) -> tuple[tuple[str, str], ...] | None:
    """The lines of the batch's remark; None where the ledger does not have the call."""
    for (_, call_hash, *_), operation in state.mirrors.multisig.operations.items():
        if call_hash == batch.call_hash and operation.call is not None:
            return _named_in(operation.call, state.network)
    return None


def _named_in(call: bytes, network: Network) -> tuple[tuple[str, str], ...] | None:
    """Read without metadata, because the runtime that executed it may be gone: a batch is its
    indices, a count, and the first call, which is its indices and the remark.
    """
    try:
        _, at = decode_compact(call, _INDICES)
        size, at = decode_compact(call, at + _INDICES)
        raw = call[at : at + size]
        body = parse(raw, network.ss58_prefix) if is_programme_remark(raw) else None
    except (DecodeError, RemarkError):
        return None
    return body.lines if isinstance(body, Payout) else None
