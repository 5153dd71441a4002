"""What oracles agree on, for any votes: order, minorities, medians, charges, and quorums."""

from itertools import combinations
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ibp_chain.remark_bodies import Program
from ibp_chain.types import AccountId, Hash, Micros
from oracles.consensus import Observation, majority, median
from oracles.report import REPORT, Counts, Verdict
from oracles.rules import ChargeWindow
from oracles.samples import Status
from oracles.scoring import Runs, charge, is_clean, percentile, report_rows, total
from tests.support.programme import CURATORS, Stage, account
from tests.support.scores import (
    ROSTER,
    RULES,
    admitted,
    agreed,
    observed,
    row_of,
    series,
)

statuses = st.sampled_from(Status)
votes = st.lists(statuses, min_size=0, max_size=9).map(tuple)
quorums = st.integers(1, 6)
heads = st.text(alphabet=".FS?", max_size=12)
verdict_series = st.lists(st.sampled_from(Verdict), max_size=60)


@st.composite
def observation_sets(draw: st.DrawFn) -> list[Observation]:
    return [
        admitted(
            oracle,
            *(
                observed(oracle, series(draw(heads)), member, fast=draw(st.integers(0, 99_999)))
                for member in draw(st.sets(st.sampled_from(("alpha", "beta", "stranger"))))
            ),
        )
        for oracle in draw(st.sets(st.integers(0, 2)))
    ]


# --- Votes ----------------------------------------------------------------------------


@given(votes, quorums, st.randoms())
def test_a_vote_has_no_order(cast: tuple[Status, ...], quorum: int, random: Random) -> None:
    shuffled = list(cast)
    random.shuffle(shuffled)
    assert majority(tuple(shuffled), quorum) is majority(cast, quorum)


@given(votes, quorums)
def test_one_more_vote_for_the_verdict_leaves_it(cast: tuple[Status, ...], quorum: int) -> None:
    verdict = majority(cast, quorum)
    if verdict is not Verdict.UNKNOWN:
        assert majority((*cast, Status(verdict)), quorum) is verdict


@given(votes, quorums, st.data())
def test_a_vote_that_joins_the_verdict_leaves_it(
    cast: tuple[Status, ...], quorum: int, data: st.DataObject
) -> None:
    verdict = majority(cast, quorum)
    if verdict is not Verdict.UNKNOWN:
        at = data.draw(st.integers(0, len(cast) - 1))
        assert majority((*cast[:at], Status(verdict), *cast[at + 1 :]), quorum) is verdict


@given(votes, quorums)
def test_a_higher_quorum_only_forgets(cast: tuple[Status, ...], quorum: int) -> None:
    strict, loose = majority(cast, quorum + 1), majority(cast, quorum)
    assert strict in (loose, Verdict.UNKNOWN)


@given(votes, quorums)
def test_who_knows_nothing_has_no_vote(cast: tuple[Status, ...], quorum: int) -> None:
    assert majority((*cast, Status.UNKNOWN), quorum) is majority(cast, quorum)


@given(st.integers(1, 5), statuses, st.data())
def test_a_quorum_that_agrees_outvotes_any_others(
    quorum: int, said: Status, data: st.DataObject
) -> None:
    """Of n oracles a quorum is more than half, so that fewer than a quorum are left."""
    liars = data.draw(st.lists(statuses, max_size=quorum - 1))
    if said is not Status.UNKNOWN:
        assert majority((*[said] * quorum, *liars), quorum) is Verdict(said)


# --- Days -----------------------------------------------------------------------------


@given(observation_sets(), st.randoms())
def test_the_order_of_oracles_changes_no_byte_of_a_report(
    observations: list[Observation], random: Random
) -> None:
    shuffled = list(observations)
    random.shuffle(shuffled)
    once, again = (agreed(*oracles) for oracles in (observations, shuffled))
    assert once == again
    packed = [
        REPORT.pack(report_rows(result, roster=ROSTER, rules=RULES, carried={}))
        for result in (once, again)
    ]
    assert packed[0] == packed[1]


@given(st.lists(heads, min_size=2, max_size=2), heads, st.integers(0, 99_999))
def test_one_liar_of_three_changes_no_verdict(honest: list[str], lie: str, fast: int) -> None:
    alpha, beta = honest
    both = [
        admitted(i, observed(i, series(alpha)), observed(i, series(beta), "beta")) for i in range(2)
    ]
    liar = admitted(2, observed(2, series(lie), fast=fast), observed(2, series(lie, "F"), "beta"))
    for before, after in zip(agreed(*both).rows, agreed(*both, liar).rows, strict=True):
        assert before.verdicts == after.verdicts


@given(observation_sets())
def test_agreed_times_are_measured_and_on_their_side_of_the_threshold(
    observations: list[Observation],
) -> None:
    result = agreed(*observations)
    measured = {time for o in observations for row in o.rows for time in row.times}
    for row in result.rows:
        answered = [verdict for verdict in row.verdicts if verdict in (Verdict.OK, Verdict.SLOW)]
        for verdict, time in zip(answered, row.times, strict=True):
            assert time in measured
            assert (time >= RULES.slow_at) == (verdict == Verdict.SLOW)


@given(st.lists(st.integers(0, 9).map(Micros), min_size=1))
def test_at_least_half_are_on_either_side_of_the_median(times: list[Micros]) -> None:
    middle = median(times)
    assert middle in times
    assert 2 * sum(time <= middle for time in times) >= len(times)
    assert 2 * sum(time >= middle for time in times) > len(times)


@given(observation_sets())
def test_an_endpoint_gains_nothing_from_being_charged_for_the_chain(
    observations: list[Observation],
) -> None:
    """A slot is excluded for everybody or for nobody on that chain."""
    result = agreed(*observations)
    alpha, beta = (row_of(result, member).verdicts for member in ("alpha", "beta"))
    excluded = [
        [slot for slot, verdict in enumerate(row) if verdict == Verdict.EXCLUDED]
        for row in (alpha, beta)
    ]
    assert excluded[0] == excluded[1]


# --- Scores ---------------------------------------------------------------------------


@given(verdict_series, verdict_series, st.sampled_from(ChargeWindow))
def test_midnight_may_cut_a_run_anywhere(
    before: list[Verdict], after: list[Verdict], window: ChargeWindow
) -> None:
    if window is ChargeWindow.ALIGNED:
        before = before[: len(before) // 3 * 3]  # a day has whole windows
    rules = type(RULES)(
        **{name: getattr(RULES, name) for name in RULES.__slots__} | {"window": window}
    )
    whole = charge(before + after, rules, Runs())
    first = charge(before, rules, Runs())
    second = charge(after, rules, first.runs)
    assert (first.failed + second.failed, first.slow + second.slow) == (whole.failed, whole.slow)
    assert second.runs == (whole.runs if after else first.runs)


@given(verdict_series, st.data())
def test_one_more_failed_slot_never_lowers_the_charge_for_failing(
    slots: list[Verdict], data: st.DataObject
) -> None:
    if slots:
        at = data.draw(st.integers(0, len(slots) - 1))
        worse = [*slots[:at], Verdict.FAILED, *slots[at + 1 :]]
        assert charge(worse, RULES, Runs()).failed >= charge(slots, RULES, Runs()).failed


@given(verdict_series)
def test_charges_are_at_most_a_third_of_the_bad_slots(slots: list[Verdict]) -> None:
    charges = charge(slots, RULES, Runs())
    assert 3 * charges.failed <= slots.count(Verdict.FAILED)
    assert 3 * charges.slow <= slots.count(Verdict.SLOW)


@given(st.lists(st.integers(0, 99).map(Micros)), st.integers(1, 99))
def test_percentiles_rise_and_cover_their_share(times: list[Micros], percent: int) -> None:
    ordered = sorted(times)
    low, high = percentile(ordered, percent), percentile(ordered, percent + 1)
    if low is None or high is None:
        assert not times
        return
    assert low <= high
    assert 100 * sum(time <= low for time in ordered) >= percent * len(ordered)
    assert 100 * sum(time < low for time in ordered) < percent * len(ordered)


_count = st.integers(0, 288)


@given(st.builds(Counts, _count, _count, _count, _count, _count))
def test_a_clean_day_has_full_uptime(counts: Counts) -> None:
    if is_clean(counts, RULES.clean_day_known):
        assert counts.uptime == 1_000_000
        assert 100 * counts.known >= 95 * (counts.known + counts.unknown)
    assert total([counts, counts]) == Counts(*(2 * count for count in counts))


# --- Quorums --------------------------------------------------------------------------


@given(st.integers(1, 9), st.integers(1, 10))
def test_a_programme_takes_majorities_only_so_any_two_quorums_share_an_oracle(
    oracles: int, quorum: int
) -> None:
    accounts = tuple(AccountId(bytes([n]) * 32) for n in range(oracles))
    fields = {"name": "P", "rules": Hash(bytes(32)), "curators": CURATORS, "threshold": 3}
    is_majority = oracles < 2 * quorum <= 2 * oracles
    try:
        Program(**fields, oracles=accounts, quorum=quorum)  # type: ignore[arg-type]
    except ValidationError:
        assert not is_majority
        return
    assert is_majority
    groups = [set(group) for group in combinations(range(oracles), quorum)]
    assert all(one & other for one, other in combinations(groups, 2))


NAMES = ("Oracle0", "Oracle1", "Oracle2")


WORDS = st.tuples(st.sampled_from(NAMES), st.sampled_from("abc"), st.integers(0, 2))


@given(st.lists(WORDS, max_size=9))
def test_the_first_root_that_a_quorum_says_at_the_same_time_stands_for_ever(
    posted: list[tuple[str, str, int]],
) -> None:
    """Reports in any order and turn, with oracles that contradict themselves, on the ledger."""
    stage = Stage().found().observed().close()
    last: dict[str, tuple[int, str]] = {}
    liars: set[str] = set()
    stands, reporters = None, set[str]()
    for name, word, turn in posted:
        body = stage.report(name, root=Hash(word.encode() * 32), turn=turn)
        stage.say(body, account(name))
        known = last.get(name)
        if name in liars or (known is not None and turn < known[0]):
            continue
        if known is not None and turn == known[0]:
            if known[1] != word:
                liars.add(name)
                del last[name]
            continue
        last[name] = turn, word
        for root in "abc":
            behind = {oracle for oracle, (_, said) in last.items() if said == root}
            if stands is None and len(behind) >= 2:
                stands = root
            if stands == root:
                reporters |= behind
    found = [report for _, report in stage.state.scores.standing.items()]
    expected = [] if stands is None else [Hash(stands.encode() * 32)]
    assert [report.root for report in found] == expected
    for report in found:
        assert set(report.reporters) == {account(name) for name in reporters}
