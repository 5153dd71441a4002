"""Members: the table of them, and everything that the state says of one."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from enum import StrEnum

from ibp_chain.errors import ConfigError
from ibp_chain.networks import network as network_named
from ibp_chain.types import AccountId, Planck
from ibp_chain.web.errors import NotFound
from ibp_chain.web.models import (
    CoverShown,
    DecisionShown,
    Listed,
    LockShown,
    MemberDetail,
    MemberShown,
    MoveShown,
    Owed,
    PaidShown,
    RankShown,
)
from ibp_chain.web.queries.listing import matching
from ibp_chain.web.shown import address, amount, estimate, hex_, moment
from ibp_chain.web.snapshot import Chain, Snapshot
from ledger.locks import Cover, Promise, promise
from ledger.pallets.membership import AccountOn, MemberRecord
from ledger.pallets.payouts import BatchKey, PaidKey, PaidLine
from ledger.pallets.scores import day_date
from ledger.program.decisions import Decisions
from ledger.program.dossier import decisions_about
from ledger.program.lock_terms import terms
from ledger.program.polls import uptime_of
from ledger.program.standing import Standing, moves, standing_of


class SortBy(StrEnum):
    MEMBER = "member"
    REGION = "region"
    MILESTONES = "milestones"
    UPTIME = "uptime"


_SORTED: dict[SortBy, Callable[[MemberShown], tuple[object, ...]]] = {
    SortBy.MEMBER: lambda each: (each.member,),
    SortBy.REGION: lambda each: (each.region.casefold(), each.member),
    SortBy.MILESTONES: lambda each: (-len(each.milestones), each.member),
    SortBy.UPTIME: lambda each: (
        each.uptime_ppm is None,
        -(each.uptime_ppm or 0),
        each.member,
    ),
}


def members(
    snapshot: Snapshot,
    *,
    text: str = "",
    standing: Standing | None = None,
    sort: SortBy = SortBy.MEMBER,
) -> tuple[MemberShown, ...]:
    """Every member whose id, name or region has `text` in it, in the order of `sort`."""
    found = [
        each
        for each in summaries(snapshot)
        if matching(text, each.member, each.name, each.region)
        and (standing is None or each.standing == standing)
    ]
    return tuple(sorted(found, key=_SORTED[sort]))


def summaries(snapshot: Snapshot) -> tuple[MemberShown, ...]:
    """One row for each member, by id. Worked out once for a snapshot."""
    return snapshot.once("members", _summaries)


def member(snapshot: Snapshot, member_id: str) -> MemberDetail:
    """Raises `NotFound`."""
    record = snapshot.state.membership.members.find(member_id)
    if record is None:
        raise NotFound(f"no member {member_id!r} was ever registered in this ledger")
    summary = next(each for each in summaries(snapshot) if each.member == member_id)
    _, kept = _promise(snapshot, snapshot.chain, record, decisions_about(snapshot.state, member_id))
    return MemberDetail(
        **dict(summary),
        reason=record.reason,
        registered=moment(snapshot, record.registered_at),
        status_since=moment(snapshot, record.status_since),
        accounts=tuple(map(_on, record.accounts)),
        payees=tuple(map(_on, record.payees)),
        links=tuple(
            _on((network, account))
            for who, network, account in sorted(
                key for key, _ in snapshot.state.membership.links.items()
            )
            if who == member_id
        ),
        covers=() if kept is None else tuple(_cover(snapshot.chain, each) for each in kept.covers),
        moves=tuple(_moves(snapshot, member_id)),
        decisions=tuple(
            DecisionShown(
                at=moment(snapshot, block),
                outcome=said.outcome,
                subject=said.subject,
                reason=said.reason,
            )
            for (block, _), said in sorted(snapshot.state.programme.decisions.items())
            if said.member == member_id
        ),
        payouts=paid_lines(snapshot, member_id),
    )


def paid_lines(snapshot: Snapshot, member_id: str) -> tuple[PaidShown, ...]:
    """Everything that a member was paid, the latest first."""
    return tuple(paid_shown(snapshot, *pair) for pair in _paid(snapshot, member_id, None))


def paid_page(
    snapshot: Snapshot, member_id: str | None, batch: BatchKey | None, offset: int, limit: int
) -> Listed[PaidShown]:
    """The paid register, of one member or batch or all: the latest batch first, then by line."""
    found = _paid(snapshot, member_id, batch)
    return Listed(
        items=tuple(paid_shown(snapshot, *pair) for pair in found[offset : offset + limit]),
        total=len(found),
        offset=offset,
        limit=limit,
    )


def paid_shown(snapshot: Snapshot, key: PaidKey, line: PaidLine) -> PaidShown:
    period, who, item = key
    batch = snapshot.state.payouts.batches.find(line.batch)
    return PaidShown(
        period=period,
        member=who,
        item=item,
        payee=address(line.payee, snapshot.network),
        amount=amount(line.amount, snapshot.network),
        at=moment(snapshot, line.batch[0]),
        batch=f"{line.batch[0]}-{line.batch[1]}",
        call_hash=None if batch is None else hex_(batch.call_hash),
    )


def lock_account(chain: Chain, record: MemberRecord) -> AccountId | None:
    """The account that votes on `chain`; a relay chain's is also that of its Asset Hub."""
    own = record.account(chain.network.name)
    return own or record.account(chain.network.name.removesuffix("-asset-hub"))


# --- Parts ----------------------------------------------------------------------------


def _summaries(snapshot: Snapshot) -> tuple[MemberShown, ...]:
    state = snapshot.state
    granted: defaultdict[str, set[int]] = defaultdict(set)
    for who, number in (key for key, _ in state.membership.milestones.items()):
        granted[who].add(number)
    period = _last_period(snapshot)
    uptimes = {} if period is None else _uptimes(snapshot, period)
    rank_of: defaultdict[str, list[RankShown]] = defaultdict(list)
    for (who, number), rank in sorted(snapshot.ranks.items()):
        rank_of[who].append(RankShown(milestone=number, value=rank.value))
    paid: dict[str, list[tuple[PaidKey, PaidLine]]] = snapshot.once("paid", _paid_by_member)
    return tuple(
        MemberShown(
            member=who,
            name=record.name,
            region=record.region,
            standing=standing_of(record.status, granted[who], snapshot.rules.membership),
            milestones=tuple(sorted(granted[who])),
            ranks=tuple(rank_of[who]),
            locks=tuple(_locks(snapshot, who, record)),
            uptime_period=period,
            uptime_ppm=uptimes.get(who),
            owed=tuple(_owed(snapshot, who)),
            paid=amount(
                Planck(sum(line.amount for _, line in paid.get(who, ()))), snapshot.network
            ),
            paid_period=max((key[0] for key, _ in paid.get(who, ())), default=None),
        )
        for who, record in sorted(state.membership.members.items())
    )


def _paid(
    snapshot: Snapshot, member_id: str | None, batch: BatchKey | None
) -> list[tuple[PaidKey, PaidLine]]:
    by_member: dict[str, list[tuple[PaidKey, PaidLine]]] = snapshot.once("paid", _paid_by_member)
    if member_id is None:
        found = [pair for own in by_member.values() for pair in own]
    else:
        found = by_member.get(member_id, [])
    if batch is not None:
        found = [pair for pair in found if pair[1].batch == batch]
    return sorted(found, key=lambda pair: (-pair[1].batch[0], -pair[1].batch[1], pair[1].line))


def _paid_by_member(snapshot: Snapshot) -> dict[str, list[tuple[PaidKey, PaidLine]]]:
    found: dict[str, list[tuple[PaidKey, PaidLine]]] = {}
    for key, line in snapshot.state.payouts.paid.items():
        found.setdefault(key[1], []).append((key, line))
    return found


def _last_period(snapshot: Snapshot) -> str | None:
    """The month of the last day whose rows are at hand."""
    last = max(snapshot.scores.days, default=None)
    return None if last is None else f"{day_date(last):%Y-%m}"


def _uptimes(snapshot: Snapshot, period: str) -> dict[str, int | None]:
    """Over all services and days of `period` that are at hand."""
    parts: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for day in snapshot.scores.days.values():
        if f"{day.day:%Y-%m}" == period:
            for who, services in day.services.items():
                parts[who] += [(row.counts.known, row.failed) for row in services]
    return {who: uptime_of(own) for who, own in parts.items()}


def _owed(snapshot: Snapshot, who: str) -> Iterator[Owed]:
    """The months that are not paid."""
    for line in snapshot.owed.lines.get(who, ()):
        paid_before = line.withheld is not None and line.withheld.startswith("paid before")
        if not paid_before:
            text = None if line.usd is None else f"{line.usd:,f}"
            yield Owed(period=line.period, usd=text, days=line.days, withheld=line.withheld)


def _locks(snapshot: Snapshot, who: str, record: MemberRecord) -> Iterator[LockShown]:
    decisions = decisions_about(snapshot.state, who)
    for chain in snapshot.chains:
        account, kept = _promise(snapshot, chain, record, decisions)
        if kept is None:
            continue
        best = kept.covers[0] if kept.covers else None
        until = None if best is None or best.until is None else estimate(chain, best.until)
        yield LockShown(
            network=chain.network.name,
            account=None if account is None else address(account, chain.network),
            covered=amount(kept.covered, chain.network),
            required=amount(kept.required, chain.network),
            kept=kept.kept,
            by_delegation_only=kept.by_delegation_only,
            until=until,
        )


def _promise(
    snapshot: Snapshot, chain: Chain, record: MemberRecord, decisions: Decisions
) -> tuple[AccountId | None, Promise | None]:
    """A member's promise on `chain`; none where the rules ask for nothing there."""
    required = terms(snapshot.rules.lock, chain.network, decisions).required
    if not required:
        return None, None
    account = lock_account(chain, record)
    if account is None:
        return None, Promise(required, ())
    config = chain.state.mirrors.voting_config(chain.constants, chain.head.now)
    return account, promise(chain.state.mirrors.conviction_voting, config, account, required)


def _cover(chain: Chain, cover: Cover) -> CoverShown:
    return CoverShown(
        track=cover.class_,
        kind=cover.kind,
        amount=amount(cover.amount, chain.network),
        poll=cover.poll,
        until=None if cover.until is None else estimate(chain, cover.until),
    )


def _moves(snapshot: Snapshot, member_id: str) -> Iterator[MoveShown]:
    own = (
        ((block, place), transition)
        for (who, block, place), transition in snapshot.state.membership.transitions.items()
        if who == member_id
    )
    for move in moves(own, snapshot.rules.membership):
        yield MoveShown(
            at=moment(snapshot, move.block),
            what=move.transition.kind.name.lower(),
            milestone=move.transition.milestone,
            standing=move.standing,
        )


def _on(pair: AccountOn) -> tuple[str, str]:
    name, account = pair
    try:
        return name, address(account, network_named(name))
    except ConfigError:
        return name, hex_(account)  # a remark may name a network that we know no prefix of
