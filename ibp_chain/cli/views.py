"""What a ledger says, as tables: the same for `ibp demo` and `ibp ledger`."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from rich.table import Table

from ibp_chain.accounts import ss58_encode
from ibp_chain.cli.output import hex_, row, table
from ibp_chain.networks import Network
from ibp_chain.types import AccountId, BlockNumber, RelayBlockNumber
from ledger.life import Standing as LifeStanding
from ledger.life import Stretch
from ledger.locks import AccountLocks, ClassLock, Cover, CoverKind, Promise
from ledger.pallets.conviction_voting import Ongoing
from ledger.pallets.membership import MemberRecord
from ledger.pallets.payouts import Batch, BatchKey, PaidKey, PaidLine, Violation
from ledger.pallets.scores import DigestKind, Equivocation, Standing, day_date
from ledger.remark_routing import Refused


def short(account: AccountId, network: Network) -> str:
    """An address as people recognise it."""
    text = ss58_encode(account, network.ss58_prefix)
    return f"{text[:6]}…{text[-6:]}"


def block_time(
    network: Network, block: RelayBlockNumber, now: RelayBlockNumber, now_ms: int
) -> str:
    """When `block` is about due, by the nominal block time: an estimate, and shown as one."""
    moment = datetime.fromtimestamp((now_ms + (block - now) * network.block_time_ms) / 1_000, UTC)
    return f"#{block:,} (about {moment:%Y-%m-%d})"


def members_table(
    members: Mapping[str, MemberRecord],
    locks: Mapping[str, tuple[AccountLocks, Promise]],
    network: Network,
    now_ms: int,
) -> Table:
    """Members with what they hold locked, at which conviction, and until when."""
    view = table(
        "Members and their locks",
        "member", "region", "status", "locked", "at Locked6x", "required", "until", "promise",
        right=("locked", "at Locked6x", "required"),
    )  # fmt: skip
    for member_id, record in sorted(members.items()):
        held, promise = locks[member_id]
        best = promise.covers[0] if promise.covers else None
        row(
            view,
            member_id,
            record.region,
            record.status.name.lower(),
            network.format(held.actual),
            network.format(promise.covered),
            network.format(promise.required),
            _until(best, held, network, now_ms),
            _kept(promise),
            style=None if promise.kept else "yellow",
        )
    return view


def _until(cover: Cover | None, held: AccountLocks, network: Network, now_ms: int) -> str:
    match cover:
        case None:
            return "-"
        case Cover(kind=CoverKind.ONGOING_VOTE, poll=poll):
            return f"32 periods after referendum {poll} ends"
        case Cover(kind=CoverKind.DELEGATION):
            return "32 periods after it is undelegated"
        case Cover(until=int() as until):
            return block_time(network, until, held.now, now_ms)
    return "-"


def _kept(promise: Promise) -> str:
    if not promise.kept:
        return "short by " + ("all" if not promise.covered else "part")
    return "kept by delegation" if promise.by_delegation_only else "kept"


def class_locks_table(held: AccountLocks, network: Network, now_ms: int) -> Table:
    """What is locked in each class, what holds it, and what would remain."""
    view = table(
        f"{ss58_encode(held.account, network.ss58_prefix)} at block {held.now:,}",
        "class", "locked", "after unlock", "required now", "held by", "until",
        right=("locked", "after unlock", "required now"),
    )  # fmt: skip
    for lock in held.classes:
        amounts = (lock.amount, lock.after_unlock, lock.required_now)
        reasons = _reasons(lock, network, held.now, now_ms) or [("-", "-")]
        for index, (reason, until) in enumerate(reasons):
            shown = [network.format(amount) for amount in amounts] if index == 0 else ["", "", ""]
            row(view, lock.class_ if index == 0 else "", *shown, reason, until)
    total = (held.actual, held.after_unlock, held.required_now)
    row(view, "all", *(network.format(amount) for amount in total), "locks overlap", "")
    return view


def _reasons(
    lock: ClassLock, network: Network, now: RelayBlockNumber, now_ms: int
) -> list[tuple[str, str]]:
    """What holds a class, and until when."""
    reasons = []
    for vote in lock.votes:
        state = "ongoing" if isinstance(vote.status, Ongoing) else "ended"
        until = "-" if vote.until is None else block_time(network, vote.until, now, now_ms)
        amount = network.format(vote.vote.balance)
        reasons.append((f"vote of {amount} on {state} referendum {vote.poll}", until))
    if lock.prior.amount:
        until = block_time(network, lock.prior.until, now, now_ms)
        reasons.append((f"prior lock of {network.format(lock.prior.amount)}", until))
    if lock.delegation is not None:
        target = short(lock.delegation.target, network)
        amount = network.format(lock.delegation.balance)
        reasons.append((f"delegation of {amount} to {target}", "-"))
    return reasons


def promise_line(kept: Promise, network: Network) -> str:
    """Whether the members' promise is kept, in a sentence."""
    covered, required = network.format(kept.covered), network.format(kept.required)
    return f"At Locked6x: {covered} of {required} required: {_kept(kept)}."


def life_table(stretches: Sequence[Stretch], *, several: bool) -> Table:
    """When an account's promise was kept, by what, and when it was not."""
    view = table(
        "The promise over time",
        *(("token", "chain") if several else ()),
        "from", "to (UTC)", "from block", "to block", "at Locked6x", "promise", "by",
        right=("from block", "to block", "at Locked6x"),
    )  # fmt: skip
    for stretch in stretches:
        where = "-" if stretch.chain is None else stretch.chain.name
        row(
            view,
            *((stretch.symbol, where) if several else ()),
            f"{stretch.since:%Y-%m-%d %H:%M}",
            f"{stretch.until:%Y-%m-%d %H:%M}",
            *_told_by(stretch),
            style="yellow" if stretch.is_gap else None,
        )
    return view


def _told_by(stretch: Stretch) -> tuple[str, ...]:
    """The blocks, what was at Locked6x, how the promise stood, and by what."""
    span, chain = stretch.span, stretch.chain
    if span is None or chain is None:
        return "-", "-", "-", stretch.standing.value, "-"
    kept = span.promise
    return (
        f"{span.first.block:,}",
        f"{span.last.block:,}",
        chain.format(kept.covered),
        _kept(kept),
        _covered_by(kept.covers[0]) if kept.covers else "-",
    )


def _covered_by(cover: Cover) -> str:
    poll = "" if cover.poll is None else f" on referendum {cover.poll}"
    return f"{cover.kind}{poll}, class {cover.class_}"


def gaps_line(gaps: Sequence[Stretch]) -> str:
    """The gaps in a promise, in a sentence."""
    shown = "; ".join(
        f"{gap.symbol} from {gap.since:%Y-%m-%d %H:%M} to {gap.until:%Y-%m-%d %H:%M} UTC "
        f"({_gap_text(gap)})"
        for gap in gaps
    )
    return f"the promise was not kept: {shown}"


def _gap_text(gap: Stretch) -> str:
    if gap.span is None or gap.chain is None:
        return "no block of it was given" if gap.standing is LifeStanding.UNSEEN else "migrating"
    span, covered = gap.span, gap.chain.format(gap.span.promise.covered)
    required = gap.chain.format(span.promise.required)
    return f"blocks {span.first.block:,} to {span.last.block:,}, {covered} of {required}"


def violations_table(
    found: Mapping[tuple[BlockNumber, int, int], Violation], network: Network
) -> Table:
    view = table("Lines paid in another way than said", "block", "line", "what", "payee", "amount")
    for (block, _, line), violation in sorted(found.items()):
        payee = "-" if violation.payee is None else short(violation.payee, network)
        code = violation.code.name.lower()
        row(view, block, line, code, payee, network.format(violation.amount))
    return view


def standing_table(standing: Mapping[int, Standing], network: Network) -> Table:
    view = table(
        "Days with a standing report", "day", "root", "rows", "reported by", right=("rows",)
    )
    for day, report in sorted(standing.items()):
        row(
            view,
            day_date(day),
            hex_(report.root),
            report.rows,
            ", ".join(short(oracle, network) for oracle in report.reporters),
        )
    return view


def equivocation_table(
    found: Mapping[tuple[AccountId, int, DigestKind], Equivocation], network: Network
) -> Table:
    view = table("Equivocations: neither root counts", "oracle", "day", "kind", "roots", "block")
    for (oracle, day, kind), evidence in sorted(found.items()):
        roots = f"{hex_(evidence.first_root)} {hex_(evidence.second_root)}"
        row(view, short(oracle, network), day_date(day), kind.name.lower(), roots, evidence.at)
    return view


def batches_table(batches: Mapping[BatchKey, Batch], network: Network) -> Table:
    view = table(
        "Payout batches of the curators' multisig",
        "block", "period", "lines", "moved", "call hash", "outcome",
        right=("block", "lines", "moved"),
    )  # fmt: skip
    for (block, _), batch in sorted(batches.items()):
        outcome = batch.status.name.lower()
        row(
            view,
            block,
            batch.period,
            batch.lines,
            network.format(batch.total),
            hex_(batch.call_hash),
            outcome if batch.error is None else f"{outcome} inside: {batch.error}",
        )
    return view


def paid_table(paid: Mapping[PaidKey, PaidLine], network: Network) -> Table:
    view = table("Paid", "period", "member", "item", "payee", "amount", right=("amount",))
    for (period, member, item), line in sorted(paid.items()):
        row(view, period, member, item, short(line.payee, network), network.format(line.amount))
    return view


def refusals_table(refused: Iterable[Refused], network: Network) -> Table:
    view = table(
        "Remarks that were not taken as facts", "block", "by", "code", "why", right=("block",)
    )
    for refusal in refused:
        by = "no account" if refusal.origin is None else short(refusal.origin, network)
        row(view, refusal.key[0], by, refusal.code.name.lower(), refusal.reason)
    return view


def uptime(ppm: int | None) -> str:
    """Parts per million as a percentage, exact."""
    return "-" if ppm is None else f"{ppm // 10_000}.{ppm % 10_000:04d} %"
