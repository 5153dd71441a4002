"""Of a bundle's operations, what the archive's blocks show: fees, the deposit, what payees got."""

from collections.abc import Iterator

from ibp_chain.types import Planck
from ibp_chain.web.bundle_files import BundleFile
from ibp_chain.web.models import BlocksShown, FeeShown, ReceivedShown
from ibp_chain.web.shown import address, amount, place, signed
from ibp_chain.web.snapshot import Snapshot
from multisig.block_trace import Trace, received_by_payee
from multisig.bundle import Bundle
from multisig.reconcile import Attempt, Outcome

_EXECUTED = frozenset({Outcome.FAILED, Outcome.PAID, Outcome.IRREGULAR})


def blocks_of(snapshot: Snapshot, found: BundleFile, attempt: Attempt) -> BlocksShown | None:
    """None where no archive has all its blocks."""
    traced = snapshot.traces.get(found.bundle.call_hash)
    if traced is None or traced.found is None:
        return None
    own = next((each for each in traced.found.attempts if each.attempt == attempt), None)
    return None if own is None else _blocks(found.bundle, own)


def contradictions(snapshot: Snapshot, found: BundleFile) -> tuple[str, ...]:
    """Sentences."""
    traced = snapshot.traces.get(found.bundle.call_hash)
    return () if traced is None or traced.found is None else traced.found.contradictions


def problem(snapshot: Snapshot, found: BundleFile) -> str | None:
    """Why the archive's blocks were not read."""
    traced = snapshot.traces.get(found.bundle.call_hash)
    return None if traced is None else traced.problem


def _blocks(bundle: Bundle, own: Trace) -> BlocksShown:
    network, executed = bundle.network, own.attempt.outcome in _EXECUTED
    return BlocksShown(
        fees=tuple(
            FeeShown(
                extrinsic=place(fee.at.block, fee.at.extrinsic),
                payer=address(fee.payer, network),
                fee=amount(fee.fee, network),
                tip=amount(fee.tip, network),
            )
            for fee in own.fees
        ),
        fees_total=amount(Planck(sum(fee.fee for fee in own.fees)), network),
        outer=own.outer,
        deposit_returned=amount(own.deposit_returned, network),
        received=tuple(_received(bundle, own)) if executed else (),
    )


def _received(bundle: Bundle, own: Trace) -> Iterator[ReceivedShown]:
    """Each payee once, in the order of the lines."""
    members = {line.payee: line.member for line in reversed(bundle.statement.lines)}
    for payee, planck in received_by_payee(bundle, own).items():
        yield ReceivedShown(
            payee=payee,
            member=members[payee],
            planck=str(planck),
            display=signed(planck, bundle.network),
        )
