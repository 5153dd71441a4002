"""The daemon's metrics as Prometheus reads them."""

import re
from datetime import date

from prometheus_client import REGISTRY, generate_latest

from ibp_chain.types import Hash
from oracles.metrics import Delivery, Metrics, Missed, Posted, Reported, Seen
from oracles.peers import Gathered, Peer, Reason, Refusal
from oracles.samples import Status
from tests.support.scores import ORACLES, sample

PEER = Peer(ORACLES[0], "https://a.example")
NOW = 1_800_000_000.0


def told(metrics: Metrics) -> dict[str, str]:
    """Each series and its value."""
    lines = generate_latest(metrics.registry).decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


def test_polls_are_counted_by_status() -> None:
    metrics = Metrics(lambda: NOW)
    metrics.polled([sample(0), sample(0, member="beta"), sample(0, Status.FAILED)], 3.5, 0.012)
    metrics.polled([sample(1, Status.SLOW), sample(1, Status.UNKNOWN)], 250.0, 0.002)
    series = told(metrics)
    counted = {
        s: series[f'ibp_oracle_polls_total{{status="{s}"}}']
        for s in ("ok", "failed", "slow", "unknown")
    }
    assert counted == {"ok": "2.0", "failed": "1.0", "slow": "1.0", "unknown": "1.0"}
    assert series['ibp_oracle_slot_seconds_bucket{le="5.0"}'] == "1.0"
    assert series["ibp_oracle_slot_seconds_count"] == "2.0"
    assert series["ibp_oracle_slot_seconds_sum"] == "253.5"
    assert series["ibp_oracle_loop_lag_seconds"] == "0.002"


def test_every_outcome_is_counted_in_its_own_series() -> None:
    metrics = Metrics(lambda: NOW)
    metrics.missed(Missed.LATE)
    metrics.missed(Missed.LATE, slots=11)
    metrics.observation(Seen.REFUSED)
    metrics.report(Reported.OUTVOTED)
    metrics.posting(Posted.SENT)
    metrics.alert(Delivery.LOST)
    series = told(metrics)
    assert series['ibp_oracle_slots_missed_total{reason="late"}'] == "12.0"
    assert series['ibp_oracle_observations_total{outcome="refused"}'] == "1.0"
    assert series['ibp_oracle_observations_total{outcome="admitted"}'] == "0.0"
    assert series['ibp_oracle_reports_total{outcome="outvoted"}'] == "1.0"
    assert series['ibp_oracle_postings_total{outcome="sent"}'] == "1.0"
    assert series['ibp_oracle_alerts_total{outcome="lost"}'] == "1.0"
    assert series['ibp_oracle_alerts_total{outcome="sent"}'] == "0.0"


def test_fetches_are_counted_by_what_came_of_them() -> None:
    metrics = Metrics(lambda: NOW)
    root = Hash(bytes(32))
    refusals = tuple(Refusal(PEER, root, reason, "") for reason in (Reason.MISSING,) * 2)
    metrics.gathered(Gathered({root: PEER}, (), refusals))
    series = told(metrics)
    assert series['ibp_oracle_fetches_total{outcome="kept"}'] == "1.0"
    assert series['ibp_oracle_fetches_total{outcome="missing"}'] == "2.0"
    assert series['ibp_oracle_fetches_total{outcome="timeout"}'] == "0.0"


def test_the_ledgers_head_ages_while_nothing_comes() -> None:
    now = [NOW]
    metrics = Metrics(lambda: now[0])
    assert told(metrics)["ibp_oracle_ledger_head_age_seconds"] == "NaN"
    metrics.ledger_head(58_908, NOW - 6)
    assert told(metrics)["ibp_oracle_ledger_head_number"] == "58908.0"
    assert told(metrics)["ibp_oracle_ledger_head_age_seconds"] == "6.0"
    now[0] += 600
    assert told(metrics)["ibp_oracle_ledger_head_age_seconds"] == "606.0"


def test_what_is_not_known_is_nan_and_not_zero() -> None:
    metrics = Metrics(lambda: NOW)
    assert told(metrics)["ibp_oracle_clock_offset_seconds"] == "NaN"
    assert told(metrics)["ibp_oracle_last_standing_day_seconds"] == "NaN"
    metrics.clock_offset(-0.25)
    metrics.standing(date(2026, 1, 29))
    assert told(metrics)["ibp_oracle_clock_offset_seconds"] == "-0.25"
    assert float(told(metrics)["ibp_oracle_last_standing_day_seconds"]) == 1_769_644_800
    metrics.clock_offset(None)
    assert told(metrics)["ibp_oracle_clock_offset_seconds"] == "NaN"


def test_nothing_that_is_seen_adds_a_series_or_names_a_member() -> None:
    metrics = Metrics(lambda: NOW)
    before = told(metrics).keys()
    for member in ("gatotech", "amforc", "dwellir"):
        metrics.polled([sample(0, Status.FAILED, member)], 1.0, 0.0)
    metrics.gathered(Gathered({}, (), (Refusal(PEER, Hash(bytes(32)), Reason.STATUS, "x"),)))
    assert told(metrics).keys() == before
    assert not re.search("gatotech|amforc|dwellir", " ".join(told(metrics)))


def test_two_daemons_in_one_process_share_nothing() -> None:
    one, other = Metrics(lambda: NOW), Metrics(lambda: NOW)
    one.alert(Delivery.SENT)
    assert told(other)['ibp_oracle_alerts_total{outcome="sent"}'] == "0.0"
    assert b"ibp_oracle" not in generate_latest(REGISTRY)
