"""The verdict on a follower, by the numbers it is from."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from ibp_chain.http_server import Fact, Health
from ledger.health import Limits, Verdict, assess, health_of
from ledger.progress import Progress
from tests.unit.operations.followed import BEGUN_MS, DOWN, NEW, NOW_MS, UP, WELL, block

CASES: dict[str, tuple[Progress, Verdict, str]] = {
    "well": (WELL, Verdict.OK, ""),
    "at the head": (replace(WELL, applied=block(1_000)), Verdict.OK, ""),
    "as far as lag may go": (replace(WELL, finalised=block(1_019)), Verdict.OK, ""),
    "one block more": (
        replace(WELL, finalised=block(1_020)),
        Verdict.LAGGING,
        "21 blocks behind the finalised head",
    ),
    "an old block": (
        replace(WELL, block_time_ms=NOW_MS - 180_001),
        Verdict.LAGGING,
        "the last block is of 180 s ago",
    ),
    "a block as old as may be": (replace(WELL, block_time_ms=NOW_MS - 180_000), Verdict.OK, ""),
    "a backfill": (
        replace(WELL, finalised=block(30_000_000), block_time_ms=1_590_000_000_000),
        Verdict.LAGGING,
        "29999001 blocks behind the finalised head; the last block is of 110003600 s ago",
    ),
    "one of two nodes down": (WELL, Verdict.OK, ""),
    "every node down": (replace(WELL, nodes=(DOWN, DOWN)), Verdict.LAGGING, "no node answers"),
    "no commit": (
        replace(WELL, last_commit_ms=NOW_MS - 600_001),
        Verdict.STALLED,
        "no block was committed for 600 s; wss://two.example/: unreachable: no connection",
    ),
    "no commit for as long as may be": (
        replace(WELL, last_commit_ms=NOW_MS - 600_000),
        Verdict.OK,
        "",
    ),
    "never a commit": (NEW, Verdict.STALLED, "no block was committed for 3600 s"),
    "ended by an error": (replace(WELL, stopped="disk full"), Verdict.FAILED, "ended: disk full"),
    "ended as asked": (replace(WELL, stopped=""), Verdict.FAILED, "ended: it was asked to"),
    "a head from before the ledger's": (replace(WELL, finalised=block(5)), Verdict.OK, ""),
}


@pytest.mark.parametrize("case", CASES)
def test_the_verdict_follows_from_the_numbers(case: str) -> None:
    progress, verdict, words = CASES[case]
    found = assess(progress, NOW_MS, BEGUN_MS)
    assert found.verdict is verdict
    assert words in "; ".join(found.reasons)
    assert bool(found.reasons) is (verdict is not Verdict.OK)


def test_a_follower_that_has_just_begun_is_waited_for() -> None:
    found = assess(NEW, BEGUN_MS + 1_000, BEGUN_MS)
    assert found.verdict is Verdict.LAGGING
    assert found.reasons == ("waiting for a finalised head",)
    found = assess(replace(NEW, finalised=block(7), nodes=(UP,)), BEGUN_MS + 1_000, BEGUN_MS)
    assert found.reasons == ("waiting for the first block",)
    assert found.lag_blocks is None


def test_the_limits_are_the_operators() -> None:
    limits = Limits(lag_blocks=0, lag_seconds=1, stalled_seconds=5)
    found = assess(WELL, NOW_MS, BEGUN_MS, limits)
    assert found.verdict is Verdict.STALLED
    assert len(found.reasons) == 3


def test_a_restart_is_for_who_has_blocks_to_commit_and_does_not() -> None:
    silent = replace(WELL, last_commit_ms=NOW_MS - 700_000)
    assert assess(silent, NOW_MS, BEGUN_MS).stuck
    assert not assess(replace(silent, finalised=silent.applied), NOW_MS, BEGUN_MS).stuck
    assert not assess(WELL, NOW_MS, BEGUN_MS).stuck
    assert not assess(NEW, NOW_MS, BEGUN_MS).stuck
    assert assess(replace(NEW, finalised=block(7), nodes=(UP,)), NOW_MS, BEGUN_MS).stuck
    assert not assess(replace(silent, nodes=(DOWN, DOWN)), NOW_MS, BEGUN_MS).stuck
    assert not assess(replace(silent, stopped="nodes disagree"), NOW_MS, BEGUN_MS).stuck


def test_who_is_at_work_without_a_commit_is_not_idle() -> None:
    recording = replace(WELL, last_commit_ms=None, worked_ms=NOW_MS - 5_000)
    found = assess(recording, NOW_MS, BEGUN_MS)
    assert (found.verdict, found.idle_seconds, found.stuck) == (Verdict.OK, 5.0, False)


def test_only_what_somebody_must_mend_is_unhealthy() -> None:
    health = {
        case: health_of([(progress, assess(progress, NOW_MS, BEGUN_MS))])
        for case, (progress, _, _) in CASES.items()
    }
    ill = {case for case, found in health.items() if not found.ok}
    assert ill == {case for case, (_, verdict, _) in CASES.items() if verdict >= Verdict.STALLED}
    assert facts(health["a backfill"])["verdict"] == "lagging"
    assert "29999001 blocks behind" in str(facts(health["a backfill"])["notes"])
    assert facts(health["well"])["lag_blocks"] == 1
    assert facts(health["well"])["lag_seconds"] == 12


def facts(health: Health) -> Mapping[str, Fact]:
    found = health.facts["polkadot"]
    assert isinstance(found, Mapping)
    return found


def test_one_chain_of_several_that_stands_still_makes_the_process_ill() -> None:
    other = replace(WELL, chain="kusama", last_commit_ms=NOW_MS - 700_000)
    health = health_of([(each, assess(each, NOW_MS, BEGUN_MS)) for each in (WELL, other)])
    assert not health.ok
    assert health.problems[0].startswith("kusama: no block was committed")
    assert list(health.facts) == ["polkadot", "kusama"]
