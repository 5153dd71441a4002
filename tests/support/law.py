"""The IBP's rules and a made-up member's facts, for the tests of `ledger.program`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from ibp_chain.networks import network
from ibp_chain.remark_bodies import Decision, DecisionOutcome
from ibp_chain.types import BlockNumber, Hash, Planck, TrackId
from ledger.locks import Cover, CoverKind, Promise
from ledger.pallets.membership import MilestoneRecord
from ledger.pallets.programme import RemarkKey
from ledger.program.decisions import Decisions
from ledger.program.evidence import Evidence, Item
from ledger.program.lock_terms import LockFact, terms
from ledger.program.milestone_rules import ByChains, ByEach, ByEvidence, ByValue, Requirement
from ledger.program.milestones import Assessment, Check, Facts, assess
from ledger.program.places import pool_room
from ledger.program.ranks import ranks
from ledger.program.rules import load_rules

LAW = load_rules()
MEMBER = "amforc"
BLOCK = BlockNumber(1_000)
FIRST_DAY = date(2026, 1, 1)
ACTIVE_SET = LAW.pools.active_set


@dataclass(frozen=True)
class Points:
    """A report's row about one (member, milestone) and day."""

    day: date
    member: str
    milestone: int
    points: int


def days_of(
    *points: int, milestone: int = 3, member: str = MEMBER, first: date = FIRST_DAY
) -> list[Points]:
    """One row for each day, from `first` on."""
    return [
        Points(first + timedelta(days=place), member, milestone, each)
        for place, each in enumerate(points)
    ]


def decision(subject: str, outcome: str = "waive", member: str = MEMBER) -> Decision:
    return Decision(member=member, outcome=DecisionOutcome(outcome), subject=subject, reason="seen")


def decided(*made: tuple[str, str]) -> Decisions:
    """(subject, outcome) of each, one to a block."""
    return Decisions.about(MEMBER, [at(block, *each) for block, each in enumerate(made, start=1)])


def at(block: int, subject: str, outcome: str = "waive") -> tuple[RemarkKey, Decision]:
    return (BlockNumber(block), 0), decision(subject, outcome)


def granted(*milestones: int) -> dict[int, MilestoneRecord]:
    """Each granted in the block of ten times its number, on evidence that nobody has."""
    return {
        number: MilestoneRecord(Hash(bytes([number]) * 32), BlockNumber(number * 10))
        for number in milestones
    }


def everything(number: int) -> Evidence:
    """A document that shows all that milestone `number` asks for, and no more than that."""
    rules = LAW.milestones[number]
    items = [item for each in rules.requirements for item in _items(each)]
    tasks = sorted(rules.tasks)[: rules.tasks_least]
    items += [Item(requirement=task, link=f"file://{task}") for task in tasks]
    return Evidence(member=MEMBER, milestone=number, items=tuple(items))


def _items(requirement: Requirement) -> Iterable[Item]:
    link = f"file://{requirement.id}"
    match requirement:
        case ByEvidence():
            yield Item(requirement=requirement.id, link=link)
        case ByValue() | ByEach():
            yield Item(requirement=requirement.id, link=link, value=requirement.least)
        case ByChains():
            for chain, least in requirement.chains.items():
                yield Item(requirement=requirement.id, chain=chain, value=least, link=link)


def without(document: Evidence, requirement: str, chain: str | None = None) -> Evidence:
    """`document` without what it shows for a requirement, on one chain where one is given."""
    left = [
        item for item in document.items
        if item.requirement != requirement or chain not in {None, item.chain}
    ]  # fmt: skip
    assert len(left) < len(document.items)
    return document.model_copy(update={"items": tuple(left)})


def with_items(number: int, requirement: str, *items: Mapping[str, Any]) -> Evidence:
    """All that milestone `number` asks for, with other items for one requirement."""
    document = without(everything(number), requirement)
    new = [Item(**({"requirement": requirement, "link": "file://x"} | dict(i))) for i in items]
    return document.model_copy(update={"items": (*document.items, *new)})


def lock(name: str, tokens: int | str, decisions: Decisions | None = None) -> LockFact:
    """A ledger that shows `tokens` committed at Locked6x."""
    on = network(name)
    law = terms(LAW.lock, on, decisions or decided())
    cover = Cover(TrackId(0), CoverKind.ONGOING_VOTE, on.planck(tokens), None, None)
    return LockFact(on, law, Promise(law.required, (cover,)), BLOCK)


def facts(number: int, **changes: Any) -> Facts:
    """Of a member that lacks nothing for milestone `number`; `changes` replace fields."""
    rows = [*days_of(*[1] * 180), *days_of(*[1] * 180, milestone=5)]
    found = {milestone: rank for (_, milestone), rank in ranks(rows, LAW.rank).items()}
    complete = Facts(
        member=MEMBER,
        block=BLOCK,
        granted=granted(*range(1, number)),
        decisions=decided(),
        evidence={number: everything(number)},
        ranks=found,
        links=1,
        locks=(lock("polkadot", 5_000), lock("kusama", 20)),
        lock_networks=LAW.lock.networks_with("polkadot"),
        pool_room=pool_room(0, ACTIVE_SET, LAW.pools),
    )
    return replace(complete, **changes)


def assessed(number: int, **changes: Any) -> Assessment:
    return assess(LAW, number, facts(number, **changes))


def missing(number: int, **changes: Any) -> list[str]:
    """The requirements that are neither met nor waived."""
    return [check.id for check in assessed(number, **changes).missing]


def check(number: int, requirement: str, **changes: Any) -> Check:
    (found,) = (each for each in assessed(number, **changes).checks if each.id == requirement)
    return found


def dot(tokens: int | str) -> Planck:
    return network("polkadot").planck(tokens)
