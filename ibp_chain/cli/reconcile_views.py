"""`ibp multisig reconcile` beyond the ledger's state: deposits, fees, blocks, balance changes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from ibp_chain.accounts import ss58_encode
from ibp_chain.blocks import BlockRef
from ibp_chain.cli.output import hex_, row, table
from ibp_chain.cli.payout_views import attempt_json, curator_names, reconciliation_json
from ibp_chain.cli.views import short
from ibp_chain.explorers import links
from ibp_chain.types import BlockNumber, Hash, Planck
from multisig.block_trace import Trace, received_by_payee
from multisig.bundle import Bundle
from multisig.reconcile import Attempt, Outcome, Reconciliation


def closings_table(
    bundle: Bundle,
    attempts: Sequence[Attempt],
    refs: Mapping[BlockNumber, BlockRef],
    traces: Sequence[Trace] | None,
) -> Table:
    """Where each attempt ended, and whose deposit went back; how the extrinsic around the call
    ended, only blocks say: `traces` has one for each attempt.
    """
    outer = () if traces is None else ("outer",)
    view = table(
        "How they ended",
        "extrinsic", "block hash", *outer, "inner", "deposit returned", "to",
        right=("deposit returned",),
    )  # fmt: skip
    for place, attempt in enumerate(attempts):
        closing = attempt.closing
        if closing is None:
            continue
        row(
            view,
            _place(closing.at.block, closing.at.extrinsic),
            hex_(refs[closing.at.block].hash),
            *(() if traces is None else (traces[place].outer or "ok",)),
            "-" if attempt.outcome is Outcome.CANCELLED else attempt.error or "ok",
            bundle.network.format(attempt.deposit_returned),
            short(attempt.depositor, bundle.network),
        )
    return view


def fees_table(bundle: Bundle, traces: Sequence[Trace]) -> Table:
    """What each approval cost whoever signed it."""
    view = table("Fees", "extrinsic", "paid by", "fee", "tip in it", right=("fee", "tip in it"))
    names, network, total = curator_names(bundle), bundle.network, 0
    for each in traces:
        for fee in each.fees:
            total += fee.fee
            row(
                view,
                _place(*fee.at),
                names.get(fee.payer, short(fee.payer, network)),
                network.format(fee.fee),
                network.format(fee.tip),
            )
    row(view, "", "all", network.format(Planck(total)), "")
    return view


def pages(
    result: Reconciliation, refs: Mapping[BlockNumber, BlockRef], genesis_hash: Hash
) -> Iterator[str]:
    """Where anybody can look at the extrinsics that closed the operations."""
    for attempt in result.attempts:
        yield from _links(attempt, refs, genesis_hash)


def whole_json(
    bundle: Bundle,
    result: Reconciliation,
    refs: Mapping[BlockNumber, BlockRef],
    traces: Sequence[Trace] | None,
    genesis_hash: Hash,
) -> dict[str, Any]:
    """`traces` one for each attempt; None where the blocks were not at hand."""
    found = reconciliation_json(bundle, result)
    prefix = bundle.network.ss58_prefix
    found["attempts"] = [
        {
            **attempt_json(attempt, prefix),
            "block_hash": None if attempt.closed is None else refs[attempt.closed].hash,
            "links": [*_links(attempt, refs, genesis_hash)],
            "fees": None if traces is None else _fees_json(traces[place], prefix),
            "received": None if traces is None else _received_json(bundle, traces[place]),
        }
        for place, attempt in enumerate(result.attempts)
    ]
    return found


# --- Parts ----------------------------------------------------------------------------


def _place(block: BlockNumber, extrinsic: int | None) -> str:
    return f"{block}, by a hook" if extrinsic is None else f"{block}-{extrinsic}"


def _links(
    attempt: Attempt, refs: Mapping[BlockNumber, BlockRef], genesis_hash: Hash
) -> tuple[str, ...]:
    if attempt.closing is None:
        return ()
    at = attempt.closing.at
    return links(genesis_hash, refs[at.block], at.extrinsic)


def _fees_json(found: Trace, prefix: int) -> list[dict[str, Any]]:
    return [
        {
            "block": fee.at.block,
            "extrinsic": fee.at.extrinsic,
            "payer": ss58_encode(fee.payer, prefix),
            "fee": str(fee.fee),
            "tip": str(fee.tip),
        }
        for fee in found.fees
    ]


def _received_json(bundle: Bundle, found: Trace) -> dict[str, str]:
    """Of the payees, by address."""
    return {payee: str(amount) for payee, amount in received_by_payee(bundle, found).items()}
