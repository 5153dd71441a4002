"""A follower's state as Prometheus metrics, in a registry of its own.

Names follow Prometheus' own advice: a prefix, base units, `_total` on what only grows. What a
`Progress` says is read when it is asked for; only how long commits took is collected on the way.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ibp_chain.blocks import BlockRef
from ibp_chain.http_server import Health
from ibp_chain.node_events import Trouble
from ledger.health import Assessment, Limits, assess, health_of
from ledger.progress import Committed, Event, Observer, Progress

PREFIX = "ibp_ledger"
_COMMIT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_KINDS = (*map(str, Trouble), "disagreement")


class FollowMetrics:
    """What `/healthz` and `/metrics` tell of the followers of one process.

    Each follower's `progress` is read from the server's thread: `Meter.progress` is made for that.
    """

    def __init__(
        self,
        followers: Sequence[Callable[[], Progress]],
        clock: Callable[[], float],
        limits: Limits | None = None,
    ) -> None:
        """`clock` is Unix seconds, the one of each `Meter`."""
        self.registry = CollectorRegistry()
        self._followers, self._clock, self._limits = followers, clock, limits
        self._begun_ms = int(clock() * 1_000)
        self._commits = Histogram(
            f"{PREFIX}_commit_seconds",
            "How long a transaction took",
            ("chain",),
            buckets=_COMMIT_BUCKETS,
            registry=self.registry,
        )
        for progress in followers:
            self._commits.labels(progress().chain)  # a series that begins at 0
        self.registry.register(_Reading(lambda: families(self.assess())))

    def observer(self, chain: str) -> Observer:
        """Hears how long the commits of `chain` take."""
        commits = self._commits.labels(chain)

        def observe(event: Event) -> None:
            if isinstance(event, Committed):
                commits.observe(event.took_ms / 1_000)

        return observe

    def assess(self) -> list[tuple[Progress, Assessment]]:
        """Every follower as it is now."""
        now_ms = int(self._clock() * 1_000)
        found = [progress() for progress in self._followers]
        return [(one, assess(one, now_ms, self._begun_ms, self._limits)) for one in found]

    def health(self) -> Health:
        return health_of(self.assess())


class _Reading(Collector):
    def __init__(self, families: Callable[[], Iterator[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return self._families()

    def describe(self) -> list[Metric]:
        return []  # so that registering reads nothing


_Followers = Sequence[tuple[Progress, Assessment]]
_Values = Callable[[Progress, Assessment], float | None]
_GAUGES: Mapping[str, tuple[str, _Values]] = {
    "applied_block": ("Height of the last committed block", lambda p, _: _height(p.applied)),
    "finalised_block": ("Height of the finalised head", lambda p, _: _height(p.finalised)),
    "lag_blocks": ("Heights between finalised head and ledger", lambda _, a: a.lag_blocks),
    "lag_seconds": ("Age of the last block by its own time", lambda _, a: a.lag_seconds),
    "idle_seconds": ("Since anything was done, or the start", lambda _, a: a.idle_seconds),
    "blocks_per_second": ("Committed, over a minute", lambda p, _: p.blocks_per_second),
    "spec_version": ("Of who executed the last block", lambda p, _: p.spec_version),
    "unfinalised_blocks": ("Blocks of the unfinalised view", lambda p, _: p.unfinalised),
    "verdict": ("0 ok, 1 lagging, 2 stalled, 3 failed", lambda _, a: a.verdict),
}
_COUNTERS: Mapping[str, tuple[str, _Values]] = {
    "blocks": ("Blocks committed since the start", lambda p, _: p.blocks_applied),
    "rollbacks": ("How often the unfinalised view went back", lambda p, _: p.rollbacks),
}


def families(followers: _Followers) -> Iterator[Metric]:
    """Everything but the histogram. NaN is what is not known yet."""
    for kind, described in ((GaugeMetricFamily, _GAUGES), (CounterMetricFamily, _COUNTERS)):
        for name, (text, value_of) in described.items():
            family = kind(f"{PREFIX}_{name}", text, labels=("chain",))
            for progress, found in followers:
                value = value_of(progress, found)
                family.add_metric((progress.chain,), math.nan if value is None else float(value))
            yield family
    yield _errors(followers)
    yield from _nodes(followers)


def _errors(followers: _Followers) -> Metric:
    family = CounterMetricFamily(
        f"{PREFIX}_errors", "What went wrong with nodes, by kind", labels=("chain", "kind")
    )
    for progress, _ in followers:
        for kind in sorted({*_KINDS, *progress.errors}):
            family.add_metric((progress.chain, kind), progress.errors.get(kind, 0))
    return family


def _nodes(followers: _Followers) -> Iterator[Metric]:
    labels = "chain", "node"
    up = GaugeMetricFamily(f"{PREFIX}_node_up", "0 while a node is set aside", labels=labels)
    failures = CounterMetricFamily(
        f"{PREFIX}_node_failures", "How often a node was set aside", labels=labels
    )
    for progress, _ in followers:
        for node in progress.nodes:
            up.add_metric((progress.chain, node.node), node.healthy)
            failures.add_metric((progress.chain, node.node), node.failures)
    yield up
    yield failures


def _height(block: BlockRef | None) -> int | None:
    return None if block is None else block.number
