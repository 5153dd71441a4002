"""Everything that the rules say of one member, with every step: what `--why` shows.

Pure: a state, the rules, and what neither of them holds, brought by the caller: evidence, rows of
standing reports, locks by network, times of blocks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from ibp_chain.errors import InputError
from ibp_chain.remark_bodies import DecisionOutcome
from ibp_chain.types import BlockNumber
from ledger.pallets.membership import MemberRecord, TransitionKind
from ledger.program.decisions import Decisions, Made
from ledger.program.derivation import Derived
from ledger.program.evidence import Evidence
from ledger.program.lock_terms import LockFact
from ledger.program.lumps import Lump, Receipts, Return, lumps_paid, receipts, returned_on_exit
from ledger.program.milestones import Assessment, Facts, assess, next_milestone
from ledger.program.places import Priority, RegionError, pool_room, priority
from ledger.program.ranks import DayPoints, Rank, ranks
from ledger.program.rewards import claims, lump_items
from ledger.program.rules import Rules
from ledger.program.rules_book import RulesBook, Version
from ledger.program.standing import Move, Standing, moves, standing_of
from ledger.state import State

POOLS_OF = 8


@dataclass(frozen=True, slots=True)
class Brought:
    """What the state does not hold."""

    now_ms: int
    """The time of the state's block."""
    times: Mapping[BlockNumber, int]
    """Of `blocks_asked`, at least."""
    active_set: int
    evidence: tuple[Evidence, ...] = ()
    rows: tuple[DayPoints, ...] | None = None
    """Of every standing report; None: nobody brought them."""
    locks: tuple[LockFact, ...] = ()


@dataclass(frozen=True, slots=True)
class LumpAccount:
    """One lump sum of a member, and what it still owes for it."""

    lump: Lump
    receipts: Receipts
    returned: Return
    """What is due by the exit, or would be by one now."""
    exited_at: BlockNumber | None
    settled: Made | None
    """The decision that says that the return arrived, or lets it off."""


@dataclass(frozen=True, slots=True)
class Dossier:
    """One member at one block."""

    member: str
    block: BlockNumber
    record: MemberRecord
    standing: Standing
    priority: Priority | None
    """None for a region that the rules do not know."""
    moves: tuple[Move, ...]
    granted: tuple[int, ...]
    ranks: tuple[Rank, ...] | None
    next: Assessment | None
    """None behind the last milestone, and for who is gone."""
    locks: tuple[LockFact, ...]
    lumps: tuple[LumpAccount, ...]
    lumps_again: tuple[Lump, ...]
    """Payments of a lump sum that was paid before."""
    claims: Derived
    in_force: Version
    """The rules that the programme names at the block: these may be others."""


def decisions_about(state: State, member: str) -> Decisions:
    return Decisions.about(member, state.programme.decisions.items())


def blocks_asked(state: State, rules: Rules, member: str) -> frozenset[BlockNumber]:
    """The blocks whose times `dossier` needs. Raises `InputError` for a member never registered."""
    items = lump_items(rules.milestones)
    paid = {
        line.batch[0] for (_, who, item), line in state.payouts.paid.items()
        if who == member and item in items
    }  # fmt: skip
    gone = {move.block for move in _moves(state, rules, member) if _is_exit(move)}
    return frozenset(paid | gone | {_record(state, member).registered_at})


def dossier(state: State, rules: Rules, member: str, brought: Brought) -> Dossier:
    """Raises `InputError` for a member that was never registered, `RankError` for rows that no
    standing reports could have together, `KeyError` where a time is missing.
    """
    record, head = _record(state, member), state.head.value
    assert head is not None, "a member was registered in some block"
    made = decisions_about(state, member)
    facts = _facts(state, rules, member, made, brought)
    granted, found = facts.granted, facts.ranks
    standing = standing_of(record.status, granted, rules.membership)
    number = None if standing is Standing.EXITED else next_milestone(granted)
    life = _moves(state, rules, member)
    lumps, again = lumps_paid(
        (paid for paid in state.payouts.paid.items() if paid[0][1] == member),
        lump_items(rules.milestones),
        brought.times,
    )
    return Dossier(
        member=member,
        block=head.number,
        record=record,
        standing=standing,
        priority=_priority(record.region, rules),
        moves=life,
        granted=tuple(sorted(granted)),
        ranks=None if found is None else tuple(found.values()),
        next=None if number is None else assess(rules, number, facts),
        locks=brought.locks,
        lumps=tuple(_lump(lump, rules, life, made, brought) for lump in lumps.of(member)),
        lumps_again=again,
        claims=claims(rules, granted, facts.tasks),
        in_force=RulesBook(state.programme.rules_since.items(), [rules]).version_at(head.number),
    )


# --- Internals ----------------------------------------------------------------------


def _record(state: State, member: str) -> MemberRecord:
    record = state.membership.members.find(member)
    if record is None:
        raise InputError(f"no member {member!r} was ever registered in this ledger")
    return record


def _facts(state: State, rules: Rules, member: str, made: Decisions, brought: Brought) -> Facts:
    record, head = _record(state, member), state.head.value
    assert head is not None, "a member was registered in some block"
    documents = [each for each in brought.evidence if each.member == member]
    return Facts(
        member=member,
        block=head.number,
        granted={
            number: grant
            for (who, number), grant in state.membership.milestones.items()
            if who == member
        },
        decisions=made,
        evidence={document.milestone: document for document in documents},
        ranks=_ranks(rules, member, record, made, brought),
        links=sum(who == member for (who, *_), _ in state.membership.links.items()),
        locks=brought.locks,
        lock_networks=rules.lock.networks_with(state.network.name),
        pool_room=pool_room(_pools(state), brought.active_set, rules.pools),
    )


def _moves(state: State, rules: Rules, member: str) -> tuple[Move, ...]:
    own = (
        ((block, place), transition)
        for (who, block, place), transition in state.membership.transitions.items()
        if who == member
    )
    return tuple(moves(own, rules.membership))


def _is_exit(move: Move) -> bool:
    return move.transition.kind is TransitionKind.REMOVED


def _pools(state: State) -> int:
    """Members that run a nomination pool: those with milestone 8."""
    return sum(number == POOLS_OF for (_, number), _ in state.membership.milestones.items())


def _priority(region: str, rules: Rules) -> Priority | None:
    try:
        return priority(region, rules.regions)
    except RegionError:
        return None  # a remark may name any region; the view says that it is unknown


def _ranks(
    rules: Rules, member: str, record: MemberRecord, made: Decisions, brought: Brought
) -> dict[int, Rank] | None:
    if brought.rows is None:
        return None
    found = ranks(
        (row for row in brought.rows if row.member == member),
        rules.rank,
        let_off={(member, number): made.days_let_off(number) for number in rules.rank.milestones},
        since={member: _day(brought.times[record.registered_at])},
    )
    return {number: rank for (_, number), rank in found.items()}


def _lump(
    lump: Lump, rules: Rules, life: Iterable[Move], made: Decisions, brought: Brought
) -> LumpAccount:
    exits = (move.block for move in life if _is_exit(move) and move.block >= lump.block)
    exited_at = next(exits, None)
    left_ms = brought.now_ms if exited_at is None else brought.times[exited_at]
    settling = DecisionOutcome.UPHOLD, DecisionOutcome.WAIVE
    accepted = made.find(f"M{lump.milestone}.receipts", *settling) is not None
    return LumpAccount(
        lump=lump,
        receipts=receipts(lump, brought.now_ms, rules.lumps, accepted=accepted),
        returned=returned_on_exit(lump, left_ms, rules.lumps),
        exited_at=exited_at,
        settled=made.find(f"M{lump.milestone}.lump-return", *settling),
    )


def _day(timestamp_ms: int) -> date:
    return datetime.fromtimestamp(timestamp_ms / 1_000, UTC).date()
