"""The daemon's own state as Prometheus metrics, in a registry of its own.

No metric is labelled by member or service: who watched them could tell what this oracle saw before
it commits, and copy it. Every label here is one of a fixed few words.
"""

import math
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from oracles import peers
from oracles.samples import Sample, Status

_SLOT_BUCKETS = (1, 2.5, 5, 10, 20, 30, 60, 120, 180, 240, 300)


class Missed(StrEnum):
    """Why a slot was not polled."""

    LATE = "late"
    """Its time had passed before it could begin: a restart, a machine that slept."""
    OVERLAP = "overlap"
    """The slot before was not done."""
    CLOCK = "clock"
    """Nobody could tell which slot it is."""
    FAULT = "fault"
    """A mistake in this program."""


class Seen(StrEnum):
    """What became of an observation whose rows are here, others' and own."""

    ADMITTED = "admitted"
    REFUSED = "refused"
    """It does not count, for no oracle."""


class Reported(StrEnum):
    """What became of a day's report."""

    REPORTED = "reported"
    """Decided on, and to be posted; in a later turn once more."""
    STANDS = "stands"
    """The day stands on the root that this oracle reported."""
    OUTVOTED = "outvoted"
    """The day stands on another root."""


class Posted(StrEnum):
    """What became of a remark."""

    SENT = "sent"
    REFUSED = "refused"
    """The node's pool did not take it."""
    REJECTED = "rejected"
    """It is on chain, and the ledger did not take it."""


class Delivery(StrEnum):
    """What became of an alert at one sink."""

    SENT = "sent"
    LOST = "lost"


class Metrics:
    """What `/metrics` tells; the daemon sets it, on its event loop."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` is Unix seconds, for the age of the ledger's head."""
        self.registry = CollectorRegistry()
        self._clock = clock
        self._head_at = math.nan
        self._polls = self._counter("polls", "Polls of services, by outcome", "status", Status)
        self._slot = Histogram(
            "ibp_oracle_slot_seconds",
            "How long all polls of a slot took",
            buckets=_SLOT_BUCKETS,
            registry=self.registry,
        )
        self._missed = self._counter(
            "slots_missed", "Slots that were not polled, by reason", "reason", Missed
        )
        self._lag = self._gauge(
            "loop_lag_seconds", "Worst delay of the event loop in the last slot"
        )
        self._offset = self._gauge(
            "clock_offset_seconds", "This machine's clock less the chain's; NaN is unknown"
        )
        self._head = self._gauge("ledger_head_number", "Last block in the ledger")
        self._gauge(
            "ledger_head_age_seconds", "Since that block's own timestamp; NaN is unknown"
        ).set_function(lambda: self._clock() - self._head_at)
        self._observations = self._counter(
            "observations", "Observations whose rows are here, by outcome", "outcome", Seen
        )
        self._fetches = self._counter(
            "fetches", "Fetches of rows from peers, by outcome", "outcome", ("kept", *peers.Reason)
        )
        self._reports = self._counter("reports", "Reports, by outcome", "outcome", Reported)
        self._postings = self._counter("postings", "Remarks, by outcome", "outcome", Posted)
        self._alerts = self._counter("alerts", "Alerts at their sinks", "outcome", Delivery)
        self._standing = self._gauge(
            "last_standing_day_seconds",
            "Midnight UTC, in Unix seconds, at which the last day that stands began; NaN is none",
        )
        self._offset.set(math.nan)
        self._standing.set(math.nan)

    def polled(self, samples: Iterable[Sample], seconds: float, loop_lag_seconds: float) -> None:
        """A slot that was polled."""
        for sample in samples:
            self._polls.labels(_word(sample.status)).inc()
        self._slot.observe(seconds)
        self._lag.set(loop_lag_seconds)

    def missed(self, reason: Missed, slots: int = 1) -> None:
        self._missed.labels(reason).inc(slots)

    def clock_offset(self, seconds: float | None) -> None:
        self._offset.set(math.nan if seconds is None else seconds)

    def ledger_head(self, number: int, unix_seconds: float) -> None:
        """`unix_seconds` is the block's own timestamp."""
        self._head.set(number)
        self._head_at = unix_seconds

    def observation(self, outcome: Seen) -> None:
        self._observations.labels(outcome).inc()

    def gathered(self, found: peers.Gathered) -> None:
        self._fetches.labels("kept").inc(len(found.kept))
        for refusal in found.refusals:
            self._fetches.labels(refusal.reason).inc()

    def report(self, outcome: Reported) -> None:
        self._reports.labels(outcome).inc()

    def posting(self, outcome: Posted) -> None:
        self._postings.labels(outcome).inc()

    def alert(self, outcome: Delivery) -> None:
        self._alerts.labels(outcome).inc()

    def standing(self, day: date) -> None:
        """The last day that stands."""
        self._standing.set(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())

    def _counter(
        self, name: str, text: str, label: str, values: Iterable[StrEnum | Status | str]
    ) -> Counter:
        counter = Counter(f"ibp_oracle_{name}", text, (label,), registry=self.registry)
        for value in values:
            counter.labels(_word(value))  # a series that begins at 0 shows its first increase
        return counter

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"ibp_oracle_{name}", text, registry=self.registry)


def _word(value: StrEnum | Status | str) -> str:
    return value.name.lower() if isinstance(value, Status) else str(value)
