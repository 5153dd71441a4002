"""What the curators' `decision` remarks come to: requirements waived, promotions, charges let off.

The ledger records decisions and draws no conclusion; the rules do, from the subject's words (F13):

* `M3.anycast-pools`    a requirement: `waive` lifts it
* `M4`                  a milestone: `override` grants it whatever is missing
* `M3 2026-03-09`       a day's charges: `waive`, or `overturn` on appeal, lets them off
* `lock polkadot 3200`  the most that a member accepted on good intentions locks: `override` (F7)
* `M2.lump-return`      what is due back of a lump: `uphold`: it arrived; `waive`: it is let off
* `M2.receipts`         the receipts of a lump: `uphold`: accepted; `waive`: let off

The latest decision on a subject counts: an `uphold` takes back what lifted it before. Any other
subject is for people, and changes nothing here.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from ibp_chain.remark_bodies import Decision, DecisionOutcome
from ledger.pallets.programme import RemarkKey

_AMOUNT = re.compile(r"[0-9]{1,28}(?:\.[0-9]{1,18})?")
_CHARGES = re.compile(r"M([1-8]) ([0-9]{4}-[0-9]{2}-[0-9]{2})")
_LETS_OFF = frozenset({DecisionOutcome.WAIVE, DecisionOutcome.OVERTURN})


@dataclass(frozen=True, slots=True)
class Made:
    """A decision and where it was said."""

    key: RemarkKey
    """Block, and place among its remarks."""
    decision: Decision

    def __str__(self) -> str:
        block, place = self.key
        return f"{self.decision.outcome} in block {block}, remark {place}: {self.decision.reason}"


class Decisions:
    """What was decided about one member."""

    def __init__(self, latest: Mapping[str, Made]) -> None:
        self._latest = latest

    @classmethod
    def about(cls, member: str, made: Iterable[tuple[RemarkKey, Decision]]) -> "Decisions":
        """Those about `member`, the latest on each subject; the order of `made` is of no matter."""
        own = (Made(key, decision) for key, decision in made if decision.member == member)
        in_order = sorted(own, key=lambda each: each.key)
        return cls({each.decision.subject: each for each in in_order})

    def find(self, subject: str, *outcomes: DecisionOutcome) -> Made | None:
        """The latest decision on `subject`, where it is one of `outcomes`."""
        made = self._latest.get(subject)
        return made if made is not None and made.decision.outcome in outcomes else None

    def waiver(self, requirement: str) -> Made | None:
        return self.find(requirement, DecisionOutcome.WAIVE)

    def promotion(self, milestone: int) -> Made | None:
        return self.find(f"M{milestone}", DecisionOutcome.OVERRIDE)

    def days_let_off(self, milestone: int) -> Mapping[date, Made]:
        """The days whose charges in `milestone` do not count."""
        found = {}
        for subject, made in self._latest.items():
            said = _CHARGES.fullmatch(subject)
            if said is None or int(said[1]) != milestone:
                continue
            if made.decision.outcome in _LETS_OFF and (day := _day(said[2])) is not None:
                found[day] = made
        return found

    def lock_cap(self, network: str) -> tuple[Decimal, Made] | None:
        """The tokens that good intentions cap a lock at, by the latest decision that says so."""
        beginning = f"lock {network} "
        caps = [
            (made.key, Decimal(amount), made)
            for subject, made in self._latest.items()
            if subject.startswith(beginning)
            and _AMOUNT.fullmatch(amount := subject.removeprefix(beginning))
        ]
        if not caps:
            return None
        _, tokens, made = max(caps, key=lambda cap: cap[0])
        return (tokens, made) if made.decision.outcome is DecisionOutcome.OVERRIDE else None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None  # the 30th of February: a subject for people
