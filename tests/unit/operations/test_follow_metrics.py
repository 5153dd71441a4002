"""What Prometheus reads of a follower, parsed as Prometheus would."""

import math
from dataclasses import replace
from functools import partial

from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ibp_chain.node_events import NodeBack, NodeFailed, Trouble
from ibp_chain.types import SpecVersion
from ledger.health import Limits, Verdict
from ledger.metrics import FollowMetrics
from ledger.progress import BlockApplied, Committed, HeadSeen, Meter, Progress, Stopped
from tests.unit.operations.followed import NEW, NOW_MS, WELL, block

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scraped(metrics: FollowMetrics) -> tuple[Samples, dict[str, str]]:
    """Every sample by name and labels, and the type of each family."""
    families = list(text_string_to_metric_families(generate_latest(metrics.registry).decode()))
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_created")
    }
    return samples, {family.name: family.type for family in families}


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[f"ibp_ledger_{name}", tuple(sorted({"chain": "polkadot", **labels}.items()))]


def metrics_of(*followers: Progress) -> FollowMetrics:
    return FollowMetrics(
        [partial(lambda one: one, each) for each in followers], lambda: NOW_MS / 1_000
    )


def test_every_number_of_a_progress_is_told() -> None:
    samples, types = scraped(metrics_of(WELL))
    told = {
        "applied_block": 999,
        "finalised_block": 1_000,
        "lag_blocks": 1,
        "lag_seconds": 12,
        "idle_seconds": 6,
        "blocks_total": 600,
        "blocks_per_second": 0.17,
        "spec_version": 2_000_001,
        "unfinalised_blocks": 0,
        "rollbacks_total": 0,
        "verdict": 0,
    }
    for name, number in told.items():
        assert value(samples, name) == number
    assert value(samples, "node_up", node="wss://one.example/") == 1
    assert value(samples, "node_up", node="wss://two.example/") == 0
    assert value(samples, "node_failures_total", node="wss://two.example/") == 3
    assert value(samples, "errors_total", kind="unreachable") == 3
    assert types["ibp_ledger_blocks"] == "counter"
    assert types["ibp_ledger_lag_seconds"] == "gauge"
    assert types["ibp_ledger_commit_seconds"] == "histogram"


def test_every_kind_of_error_begins_at_0() -> None:
    samples, _ = scraped(metrics_of(NEW))
    for kind in (*map(str, Trouble), "disagreement"):
        assert value(samples, "errors_total", kind=kind) == 0


def test_what_is_not_known_yet_is_nan() -> None:
    samples, _ = scraped(metrics_of(NEW))
    for name in ("applied_block", "finalised_block", "lag_blocks", "lag_seconds", "spec_version"):
        assert math.isnan(value(samples, name))
    assert value(samples, "verdict") == 1


def test_commits_are_counted_by_how_long_they_took() -> None:
    metrics = metrics_of(WELL)
    observe = metrics.observer("polkadot")
    for milliseconds in (4, 40, 400, 4_000, 40_000):
        observe(Committed(block(1), 1, milliseconds))
    samples, _ = scraped(metrics)
    assert value(samples, "commit_seconds_count") == 5
    assert value(samples, "commit_seconds_sum") == 44.444
    assert value(samples, "commit_seconds_bucket", le="0.005") == 1
    assert value(samples, "commit_seconds_bucket", le="1.0") == 3
    assert value(samples, "commit_seconds_bucket", le="+Inf") == 5


def test_labels_survive_what_a_url_may_hold() -> None:
    odd = replace(WELL, chain='a"b\\c\nd', nodes=())
    samples, _ = scraped(metrics_of(odd))
    assert samples["ibp_ledger_lag_blocks", (("chain", 'a"b\\c\nd'),)] == 1


def test_the_metrics_follow_the_events_of_a_follower() -> None:
    now = [NOW_MS / 1_000]
    meter = Meter("polkadot", ("ws://a", "ws://b"), lambda: now[0])
    metrics = FollowMetrics([lambda: meter.progress], lambda: now[0], Limits(stalled_seconds=60))
    assert metrics.assess()[0][1].verdict is Verdict.LAGGING
    for event in (
        NodeBack("ws://a"),
        NodeFailed("ws://b", Trouble.WRONG_CHAIN, "another genesis", None),
        HeadSeen(block(100)),
        BlockApplied(block(99), NOW_MS - 6_000, SpecVersion(7), 2, 0, 0),
        Committed(block(99), 1, 20),
    ):
        meter(event)
    samples, _ = scraped(metrics)
    assert value(samples, "lag_blocks") == 1
    assert value(samples, "node_up", node="ws://b") == 0
    assert value(samples, "errors_total", kind="wrong_chain") == 1
    assert metrics.health().ok
    now[0] += 61
    assert metrics.assess()[0][1].stuck
    assert not metrics.health().ok
    meter(Stopped("the disk is full"))
    assert metrics.health().problems[0] == "polkadot: following has ended: the disk is full"
    assert value(scraped(metrics)[0], "verdict") == 3


def test_several_chains_are_told_apart() -> None:
    samples, _ = scraped(metrics_of(WELL, replace(WELL, chain="kusama", applied=block(990))))
    assert value(samples, "lag_blocks") == 1
    assert value(samples, "lag_blocks", chain="kusama") == 10
    assert value(samples, "commit_seconds_count", chain="kusama") == 0
