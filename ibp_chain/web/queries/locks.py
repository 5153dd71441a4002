"""A member's promise over time, as models."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from ibp_chain.types import AccountId, BlockNumber, Planck
from ibp_chain.web.errors import NotFound
from ibp_chain.web.lock_record import LockRecord, Span
from ibp_chain.web.models import LockHistory, Moment, Stretch
from ibp_chain.web.queries.members import lock_account
from ibp_chain.web.shown import amount, estimate, iso
from ibp_chain.web.snapshot import Snapshot
from ledger.program.dossier import decisions_about
from ledger.program.lock_terms import terms


def asked_of(snapshot: Snapshot, member_id: str) -> tuple[AccountId | None, Planck, BlockNumber]:
    """Account, what it must keep locked, and since which block. Raises `NotFound`."""
    record = snapshot.state.membership.members.find(member_id)
    if record is None:
        raise NotFound(f"no member {member_id!r} was ever registered in this ledger")
    decisions = decisions_about(snapshot.state, member_id)
    required = terms(snapshot.rules.lock, snapshot.network, decisions).required
    return lock_account(snapshot.chain, record), required, record.registered_at


def history(snapshot: Snapshot, required: Planck, record: LockRecord | None) -> LockHistory:
    """`record` is None where the member has no account to look at."""
    network = snapshot.network
    if record is None or not record.spans:
        reason = "no account is registered" if record is None else "no block has its state kept"
        return LockHistory(
            network=network.name, required=amount(required, network), stretches=(), gaps=(),
            expected_until=None, problem=f"{reason} on {network.name}",
        )  # fmt: skip
    stretches = tuple(_stretch(snapshot, record, span) for span in record.spans)
    last = record.spans[-1].promise
    until = last.covers[0].until if last.covers and last.kept else None
    return LockHistory(
        network=network.name,
        required=amount(required, network),
        stretches=stretches,
        gaps=tuple(_gaps(stretches)),
        expected_until=None if until is None else estimate(snapshot.chain, until),
        problem=None,
    )


def _gaps(stretches: Iterable[Stretch]) -> Iterator[Stretch]:
    """Adjoining stretches in which it was not kept are one gap, with the most that was there."""
    for kept, group in groupby(stretches, lambda each: each.kept):
        if not kept:
            own = list(group)
            most = max(own, key=lambda each: int(each.covered.planck))
            yield most.model_copy(update={"since": own[0].since, "until": own[-1].until})


def _stretch(snapshot: Snapshot, record: LockRecord, span: Span) -> Stretch:
    kept = span.promise
    best = kept.covers[0] if kept.covers else None
    poll = "" if best is None or best.poll is None else f" on referendum {best.poll}"
    return Stretch(
        since=_moment(record, span.first),
        until=_moment(record, span.last),
        kept=kept.kept,
        covered=amount(kept.covered, snapshot.network),
        by=None if best is None else f"{best.kind}{poll}, track {best.class_}",
    )


def _moment(record: LockRecord, block: BlockNumber) -> Moment:
    facts = record.blocks.get(block)
    return Moment(block=block, time=None if facts is None else iso(facts.timestamp_ms))
