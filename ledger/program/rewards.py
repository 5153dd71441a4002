"""What milestones and tasks bring: lump sums, monthly amounts, and claims to validator points.

Source: seed 000. Amounts are USD. Points are recorded as claims and never paid (F12): nothing of
the 1,000 Validators Programme's own software knows them.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from ibp_chain.errors import InputError
from ledger.program import usd
from ledger.program.derivation import Derived, Step
from ledger.program.milestone_rules import TASKS_OF, MilestoneRules
from ledger.program.rules import Rules


@dataclass(frozen=True, slots=True)
class LumpReward:
    """A lump sum that a milestone brings."""

    milestone: int
    item: str
    usd: Decimal


def lump_items(milestones: Mapping[int, MilestoneRules]) -> dict[str, int]:
    """What lump sums are called in payouts, with their milestones."""
    return {lump.item: lump.milestone for lump in lump_rewards(milestones)}


def lump_rewards(milestones: Mapping[int, MilestoneRules]) -> Iterator[LumpReward]:
    for number, milestone in sorted(milestones.items()):
        reward = milestone.reward
        if reward.once_usd is not None and reward.item is not None:
            yield LumpReward(number, reward.item, reward.once_usd)


def task_reward(rules: Rules, task: str, *, hours: Decimal = Decimal(0)) -> Derived:
    """What a month of one of milestone 7's tasks is worth; tools by the hour.

    Raises `InputError` for a task that the rules do not know, and for hours of another than tools.
    """
    known = rules.milestones[TASKS_OF].tasks
    if task not in known:
        raise InputError(f"no task {task!r}; the rules know {', '.join(sorted(known))}")
    rule = f"M{TASKS_OF}.{task}"
    if task == rules.tools.task:
        if not hours.is_finite() or hours < 0:
            raise InputError(f"{hours} hours cannot be worked")
        text = f"{usd.plain(hours)} hours * {usd.plain(rules.tools.usd_per_hour)}"
        return Derived.by(rule, text, usd.product(hours, rules.tools.usd_per_hour))
    if hours:
        raise InputError(f"{task} is paid by the month, not by the hour")
    reward = known[task]
    text = f"{usd.plain(reward.man_hours_usd)} man-hours + {usd.plain(reward.other_usd)} other"
    return Derived.by(rule, text, reward.monthly_usd)


def claims(rules: Rules, granted: Iterable[int], tasks: Collection[str]) -> Derived:
    """Validator points that a member may claim elsewhere (F12)."""
    steps, total = [], 0
    for number in sorted(set(granted)):
        points = rules.milestones[number].reward.validator_points
        if points:
            steps.append(Step("F12", f"M{number}: +{points} points", total := total + points))
    for task in sorted(set(tasks) & rules.milestones[TASKS_OF].tasks.keys()):
        points = rules.milestones[TASKS_OF].tasks[task].validator_points
        total += points
        steps.append(Step("F12", f"M{TASKS_OF}.{task}: +{points} points", total))
    return Derived.by("F12", "points claimed, none paid", total, *steps)
