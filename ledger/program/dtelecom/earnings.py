"""An operator's month, worked out: one line for each node and item, with its derivation.

Pure: the same rules and document give the same earnings anywhere, whatever the order of nodes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import cached_property

from ledger.program.derivation import Derived, Step, plain
from ledger.program.dtelecom import incentives, penalties, rewards
from ledger.program.dtelecom.document import NodeMonth, OperatorMonth
from ledger.program.dtelecom.penalties import Major, Minor
from ledger.program.dtelecom.quality import Score, score
from ledger.program.dtelecom.rules import Law
from ledger.program.dtelecom.tiers import Standing, Tier, tier_factor, tier_of


class Item(StrEnum):
    """What a line is for."""

    SERVICE = "service"
    STAKING = "staking"
    GEOGRAPHIC = "geographic"
    UPTIME = "uptime"
    TRAFFIC = "traffic"
    USAGE = "usage"


@dataclass(frozen=True, slots=True)
class Line:
    node: str
    item: Item
    usd: Decimal
    """In whole units of `rewards.unit_usd`."""
    exact: Fraction
    """Before it was rounded down."""
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Earnings:
    operator: str
    month: str
    tier: Tier
    scores: dict[str, Score]
    """By node."""
    lines: tuple[Line, ...]
    """By node, then in the order of `Item`; a bonus of nothing has no line."""
    warnings: tuple[str, ...]

    @property
    def total(self) -> Decimal:
        """The sum of the lines, exactly."""
        return _decimal(sum((Fraction(line.usd) for line in self.lines), Fraction()))

    @property
    def remainder(self) -> Fraction:
        """What rounding down left unpaid."""
        return sum((line.exact for line in self.lines), Fraction()) - Fraction(self.total)

    @property
    def total_step(self) -> Step:
        return Step(
            "R6", " + ".join(plain(line.usd) for line in self.lines) or "no line", self.total
        )


def earnings(law: Law, month: OperatorMonth) -> Earnings:
    """What `month` earns under `law`. Raises `RewardError` for a bonus out of its range."""
    nodes = sorted(month.nodes, key=lambda node: node.id)
    scores = {node.id: score(law.quality, node.measures.measures) for node in nodes}
    whole = _Month(law, month, _standing(month, scores))
    lines, warnings = [], []
    for node in nodes:
        lines += list(whole.lines(node, scores[node.id]))
        warnings += list(whole.warnings(node, scores[node.id]))
    return Earnings(month.operator, month.month, whole.tier, scores, tuple(lines), tuple(warnings))


# --- Internals ----------------------------------------------------------------------


def _standing(month: OperatorMonth, scores: dict[str, Score]) -> Standing:
    return Standing(
        uptimes=tuple(node.measures.uptime for node in month.nodes),
        scores=tuple(found.total for found in scores.values()),
        regions=len({node.region for node in month.nodes}),
        stake_usd=sum((Fraction(node.stake_usd) for node in month.nodes), Fraction()),
        sla_signed=month.sla_signed,
        certifications=frozenset(month.certifications),
    )


@dataclass(frozen=True)
class _Month:
    """What all nodes of one operator share."""

    law: Law
    month: OperatorMonth
    standing: Standing

    @cached_property
    def stake_required(self) -> Derived:
        genesis = self._genesis is not None
        standard = self.law.staking.standard_usd
        return incentives.stake_required(self.law.genesis, standard, genesis=genesis)

    @cached_property
    def tier_factor(self) -> Derived:
        return tier_factor(self.law.tiers, self.tier, self.standing)

    @cached_property
    def tier(self) -> Tier:
        required, month = self.stake_required.value, self.month.programme_month
        return tier_of(self.law.tiers, required, self.standing, month)

    @property
    def _genesis(self) -> Step | None:
        since = self.month.months_since_genesis
        return None if since is None else incentives.genesis_factor(self.law.genesis, since)

    def lines(self, node: NodeMonth, scored: Score) -> Iterator[Line]:
        rules = self.law.rewards
        yield self._line(node, Item.SERVICE, self._service(node, scored))
        staked = rewards.staking_reward(self.law.staking, node.stake_usd, node.lock_days)
        yield self._line(node, Item.STAKING, staked)
        for item, bounds, amount in (
            (Item.GEOGRAPHIC, rules.geographic_bonus, node.bonuses.geographic),
            (Item.UPTIME, rules.uptime_bonus, node.bonuses.uptime),
            (Item.TRAFFIC, rules.traffic_bonus, node.bonuses.traffic),
        ):
            if amount:
                yield self._line(node, item, rewards.bonus(bounds, item, amount))
        month = self.month.programme_month
        used = incentives.usage_reward(self.law.specialised, node.type, node.used, month)
        if used is not None:
            yield self._line(node, Item.USAGE, Derived(Fraction(used.value), (used,)))

    def warnings(self, node: NodeMonth, scored: Score) -> Iterator[str]:
        """What a month's measures call for, beside the reward (D3, P1 to P6, S1)."""
        law, uptime = self.law, node.measures.uptime
        if self._scored and scored.total < law.rewards.multipliers[-1].at_least:
            yield f"{node.id}: score {plain(scored.total)}: warning, a case is due (R1, D3)"
        if penalties.uptime_violation(law.minor, uptime) is Major.UPTIME:
            yield f"{node.id}: uptime {plain(uptime)} %: a case is due that may slash (P6)"
        for kind in sorted(self._minor(node)):
            yield f"{node.id}: {kind}: minor violation ({penalties.MINOR_RULE[kind]})"
        if node.stake_usd < self.stake_required.value:
            required = plain(self.stake_required.value)
            yield f"{node.id}: stake {plain(node.stake_usd)} of {required} USD (S1)"

    @property
    def _scored(self) -> bool:
        return self.month.programme_month >= self.law.quality.from_month

    def _line(self, node: NodeMonth, item: Item, exact: Derived) -> Line:
        paid = rewards.rounded(self.law.rewards.unit_usd, exact)
        return Line(node.id, item, _decimal(paid.value), exact.value, paid.steps)

    def _service(self, node: NodeMonth, scored: Score) -> Derived:
        """Base, factors and reductions; D18: reductions touch this line only."""
        law, month = self.law, self.month.programme_month
        quality = self._quality(scored)
        tier = self.tier_factor
        found = (
            self._genesis,
            incentives.region_factor(law.regions, node.region, self.month.network, month),
            incentives.node_factor(law.specialised, node.type, month),
        )
        incentive = rewards.incentive_factor(law.rewards, [step for step in found if step])
        times = rewards.multiplier(law.rewards, quality.value, tier.value, incentive.value)
        minor = penalties.minor_factor(law.minor, self._unremedied(node))
        ladder = penalties.ladder_factor(law.ladder, node.reduced_days, self.month.days)
        value = Fraction(node.base_usd) * times.value * minor.value * ladder.value
        text = f"base {plain(node.base_usd)} * {plain(times.value)}"
        steps = (*quality.steps, *tier.steps, *incentive.steps, *times.steps)
        for reduced in (minor, ladder):
            if reduced.value != 1:
                text += f" * {plain(reduced.value)}"
                steps += reduced.steps
        return Derived.by("R0", text, value, *steps)

    def _quality(self, scored: Score) -> Derived:
        if not self._scored:
            first = self.law.quality.from_month
            return Derived.by("R1", f"not scored before month {first} of the programme", 1)
        step = rewards.quality_factor(self.law.rewards, scored.total)
        return Derived(Fraction(step.value), (*scored.steps, step))

    def _minor(self, node: NodeMonth) -> frozenset[Minor]:
        """What the measures show and what was reported."""
        if self.month.programme_month < self.law.minor.from_month:
            return frozenset()
        shown = penalties.detected(self.law.minor, node.measures.measures)
        return shown | {found.kind for found in node.violations}

    def _unremedied(self, node: NodeMonth) -> frozenset[Minor]:
        """Those that cost: not reported, or one of its reports not remedied in the grace period."""
        reported = [found.violation for found in node.violations]
        rules, end = self.law.minor, self.month.end
        late = {found.kind for found in reported if not penalties.in_grace(rules, found, end)}
        unreported = self._minor(node) - {found.kind for found in reported}
        return frozenset(self._minor(node) & late | unreported)


def _decimal(value: Fraction) -> Decimal:
    """A fraction whose digits end, as the decimal that it is."""
    return Decimal(plain(value))
