"""What oracles commit to and report, which report stands, and what contradiction costs."""

from typing import Any

import pytest

from ibp_chain.networks import network
from ibp_chain.remark_bodies import MemberAction, Observe, Report
from ibp_chain.remarks import signing_digest
from ibp_chain.types import Hash
from ledger.pallets.rejections import RejectionCode
from ledger.pallets.scores import (
    NO_PREVIOUS,
    DigestKind,
    Standing,
    day_date,
    day_number,
)
from tests.support.programme import (
    DAY,
    MULTISIG,
    ORACLES,
    PASEO,
    PROGRAM,
    UNSIGNED,
    Stage,
    account,
    key,
    member_body,
    milliseconds,
    registration,
    root,
    signed,
)

A, B, C = "Oracle0", "Oracle1", "Oracle2"
D = milliseconds(DAY) // 86_400_000
NEXT = "2026-03-10"


@pytest.fixture
def stage() -> Stage:
    return Stage().found()


@pytest.fixture
def observed(stage: Stage) -> Stage:
    """All three oracles have committed to `DAY`."""
    return stage.observed()


@pytest.fixture
def closed(observed: Stage) -> Stage:
    """`DAY` with all three commitments takes reports."""
    return observed.close()


def standing(stage: Stage, day: int = D) -> Standing | None:
    return stage.state.scores.standing.find(day)


def reporters(stage: Stage) -> set[bytes]:
    found = standing(stage)
    return set() if found is None else set(found.reporters)


def post(stage: Stage, name: str, **changes: Any) -> None:
    stage.accept(stage.report(name, **changes), account(name))


# --- Both kinds: who, for what, when ------------------------------------------------------


def digest(stage: Stage, kind: str, name: str = A, **changes: Any) -> Observe | Report:
    make = stage.observation if kind == "observe" else stage.report
    return make(name, **changes)


both_kinds = pytest.mark.parametrize("kind", ["observe", "report"])


def test_days_are_counted_from_1970() -> None:
    assert day_number(day_date(0)) == 0
    assert day_date(0).isoformat() == "1970-01-01"
    assert day_date(D).isoformat() == DAY


@both_kinds
@pytest.mark.parametrize("origin", [MULTISIG, account("Stranger"), account("Curator0"), None])
def test_nobody_but_an_oracle_posts_a_digest(stage: Stage, kind: str, origin: Any) -> None:
    assert stage.refuse(digest(stage, kind), origin) is RejectionCode.WRONG_ORIGIN


@both_kinds
def test_no_oracle_posts_anothers_digest(observed: Stage, kind: str) -> None:
    assert observed.refuse(digest(observed, kind, A), account(B)) is RejectionCode.WRONG_ORIGIN


@both_kinds
def test_a_key_that_is_no_oracle_cannot_name_itself_one(stage: Stage, kind: str) -> None:
    said = digest(stage, kind, "Stranger")
    assert stage.refuse(said, account("Stranger")) is RejectionCode.WRONG_ORIGIN


@both_kinds
def test_the_signature_is_the_oracles_over_this_very_digest(observed: Stage, kind: str) -> None:
    said = digest(observed, kind, day=NEXT) if kind == "observe" else digest(observed, kind)
    observed.next_block("2026-03-11T00:30")
    forged = signed(said, B)
    assert forged.sig != said.sig
    changed = said.model_copy(update={"rows": said.rows + 1})
    unsigned = said.model_copy(update={"sig": UNSIGNED})
    raw = key(A).sign(b"<Bytes>" + signing_digest(said, PASEO.ss58_prefix) + b"</Bytes>")
    for wrong in (forged, changed, unsigned):
        assert observed.refuse(wrong, account(A)) is RejectionCode.WRONG_SIGNATURE
    # `sr25519.verify` takes bytes as they are: a wallet's wrapping is another message
    wrapped = said.model_copy(update={"sig": raw})
    assert observed.refuse(wrapped, account(A)) is RejectionCode.WRONG_SIGNATURE
    observed.accept(said, account(A))


@both_kinds
def test_a_digest_for_another_programme_does_not_count(observed: Stage, kind: str) -> None:
    elsewhere = Stage().found(PROGRAM.model_copy(update={"name": "Another"}))
    assert elsewhere.genesis != observed.genesis
    said = digest(elsewhere, kind)
    assert observed.refuse(said, account(A)) is RejectionCode.OTHER_PROGRAMME


def test_a_digest_of_the_same_programme_on_another_chain_is_malformed(stage: Stage) -> None:
    kusama = Stage(network("kusama")).found()
    body = kusama.observation(A)
    from ibp_chain.remarks import encode

    raw = encode(body, kusama.prefix)
    assert stage.refuse(raw, account(A)) is RejectionCode.MALFORMED


@both_kinds
@pytest.mark.parametrize("moment", ["2026-03-09T23:59:59.999", "2026-03-09", "2026-03-08"])
def test_a_day_counts_when_it_is_over_on_chain(stage: Stage, kind: str, moment: str) -> None:
    said = digest(stage, kind, C)
    stage.next_block(moment)
    assert stage.refuse(said, account(C)) is RejectionCode.DAY_NOT_OVER


@both_kinds
@pytest.mark.parametrize("day", ["1969-12-31", "0001-01-01", "9999-12-31"])
def test_days_before_1970_and_days_to_come_are_refused(stage: Stage, kind: str, day: str) -> None:
    said = digest(stage, kind, day=day)
    assert stage.refuse(said, account(A)) is RejectionCode.DAY_NOT_OVER


def test_the_first_day_of_all_counts(stage: Stage) -> None:
    stage.state.scores.last_closed.remove(())
    stage.next_block("1970-01-02T00:00")
    stage.accept(stage.observation(A, "1970-01-01"), account(A))


# --- Observations -------------------------------------------------------------------------


def test_observations_are_a_chain(stage: Stage) -> None:
    first = stage.observation(A)
    stage.accept(first, account(A))
    stage.next_block("2026-03-11T00:00")
    second = stage.observation(A, NEXT)
    assert second.previous == signing_digest(first, PASEO.ss58_prefix)
    stage.accept(second, account(A))
    last = stage.state.scores.last_observations.get(account(A))
    assert last == (D + 1, signing_digest(second, PASEO.ss58_prefix))


def test_a_first_observation_names_none_before(stage: Stage) -> None:
    said = stage.observation(A, previous=root("nothing"))
    assert stage.refuse(said, account(A)) is RejectionCode.BROKEN_CHAIN


@pytest.mark.parametrize("previous", [NO_PREVIOUS, root("another"), None])
def test_an_observation_names_the_oracles_own_last_one(stage: Stage, previous: Hash | None) -> None:
    stage.observed(names=(A, B))
    stage.next_block("2026-03-11T00:00")
    others = stage.state.scores.last_observations.get(account(B)).digest
    said = stage.observation(A, NEXT, previous=others if previous is None else previous)
    assert stage.refuse(said, account(A)) is RejectionCode.BROKEN_CHAIN


def test_an_earlier_day_is_not_filled_in_later(stage: Stage) -> None:
    stage.accept(stage.observation(A), account(A))
    said = stage.observation(A, "2026-03-08")
    assert stage.refuse(said, account(A)) is RejectionCode.DAY_CLOSED


def test_days_may_be_left_out(stage: Stage) -> None:
    stage.accept(stage.observation(A), account(A))
    stage.next_block("2026-03-13T00:00")
    stage.accept(stage.observation(A, "2026-03-12"), account(A))


def test_commitments_are_taken_until_an_hour_after_midnight(stage: Stage) -> None:
    stage.next_block("2026-03-10T00:00")
    stage.accept(stage.observation(A), account(A))
    stage.next_block("2026-03-10T00:59:59.999")
    stage.accept(stage.observation(B), account(B))
    stage.next_block("2026-03-10T01:00")
    assert stage.refuse(stage.observation(C), account(C)) is RejectionCode.DAY_CLOSED
    closing = stage.state.scores.closings.get(D)
    assert closing.at == stage.fold.number
    assert [found.oracle for found in closing.commitments] == sorted([account(A), account(B)])


def test_a_replayed_observation_changes_nothing(stage: Stage) -> None:
    said = stage.observation(A)
    stage.accept(said, account(A))
    assert stage.refuse(said, account(A)) is RejectionCode.REPEATED
    stage.next_block("2026-03-11T00:00")
    stage.accept(stage.observation(A, NEXT), account(A))
    assert stage.refuse(said, account(A)) is RejectionCode.REPEATED


@pytest.mark.parametrize("previous", [None, NO_PREVIOUS, root("anything")])
def test_a_second_root_is_evidence_wherever_it_stands_in_the_chain(
    stage: Stage, previous: Hash | None
) -> None:
    first = stage.observation(A)
    stage.accept(first, account(A))
    changes: dict[str, Any] = {} if previous is None else {"previous": previous}
    second = stage.observation(A, root=root("a nicer day"), **changes)
    at = stage.next_block()
    stage.accept(second, account(A))
    evidence = stage.state.scores.equivocations.get((account(A), D, DigestKind.OBSERVE))
    assert evidence == (
        first.root,
        second.root,
        signing_digest(first, PASEO.ss58_prefix),
        signing_digest(second, PASEO.ss58_prefix),
        at,
    )
    assert stage.state.scores.observations.find((account(A), D)) is None


def test_after_a_contradiction_neither_root_nor_a_third_counts(stage: Stage) -> None:
    first, second = stage.observation(A), stage.observation(A, root=root("a nicer day"))
    stage.accept(first, account(A))
    stage.accept(second, account(A))
    third = stage.observation(A, root=root("a third"))
    for said in (first, second, third):
        assert stage.refuse(said, account(A)) is RejectionCode.EQUIVOCATED


def test_the_chain_goes_on_behind_a_contradiction(stage: Stage) -> None:
    first = stage.observation(A)
    stage.accept(first, account(A))
    stage.accept(stage.observation(A, root=root("a nicer day")), account(A))
    stage.next_block("2026-03-11T00:00")
    following = stage.observation(A, NEXT)
    assert following.previous == signing_digest(first, PASEO.ss58_prefix)
    stage.accept(following, account(A))


def test_one_oracles_contradiction_leaves_the_others_alone(observed: Stage) -> None:
    observed.accept(observed.observation(A, root=root("a nicer day")), account(A))
    observations = observed.state.scores.observations
    assert {oracle for (oracle, _), _ in observations.items()} == {account(B), account(C)}


# --- Reports ------------------------------------------------------------------------------


def test_a_report_stands_when_a_quorum_posted_it(closed: Stage) -> None:
    post(closed, A)
    assert standing(closed) is None
    since = closed.next_block()
    post(closed, C)
    expected = tuple(sorted((account(A), account(C))))
    assert standing(closed) == (root(f"consensus of {DAY}"), 10, expected, since)


def test_a_later_report_joins_and_since_stays(closed: Stage) -> None:
    post(closed, A)
    post(closed, B)
    before = standing(closed)
    assert before is not None
    closed.next_block()
    post(closed, C)
    assert standing(closed) == before._replace(reporters=tuple(sorted(ORACLES)))


def test_different_roots_or_row_counts_make_no_quorum(closed: Stage) -> None:
    post(closed, A)
    post(closed, B, root=root("another consensus"))
    assert standing(closed) is None
    post(closed, C, rows=11)
    assert standing(closed) is None


def test_a_minority_report_does_not_disturb_what_stands(closed: Stage) -> None:
    post(closed, A, root=root("a lonely view"))
    post(closed, B)
    post(closed, C)
    assert reporters(closed) == {account(B), account(C)}


def test_a_report_cites_observations_that_are_there(closed: Stage) -> None:
    known = sorted(root(f"{name} saw {DAY}") for name in (A, B, C))
    for observes in (
        [*known, root("invented")],
        [known[0], root("invented")],
        [root("one"), root("two")],
    ):
        said = closed.report(A, observes=tuple(sorted(observes)))
        assert closed.refuse(said, account(A)) is RejectionCode.UNKNOWN_OBSERVATION
    post(closed, A, observes=tuple(known[:2]))


def test_a_report_cites_at_least_a_quorum(closed: Stage) -> None:
    said = closed.report(A, observes=(root(f"{A} saw {DAY}"),))
    assert closed.refuse(said, account(A)) is RejectionCode.UNKNOWN_OBSERVATION


def test_observations_of_another_day_do_not_serve(closed: Stage) -> None:
    closed.next_block("2026-03-11T00:00")
    closed.observed(NEXT).close(NEXT)
    of_day_before = tuple(sorted(root(f"{name} saw {DAY}") for name in (A, B)))
    said = closed.report(A, NEXT, observes=of_day_before)
    assert closed.refuse(said, account(A)) is RejectionCode.UNKNOWN_OBSERVATION


def test_nobody_reports_while_commitments_are_taken(observed: Stage) -> None:
    assert observed.refuse(observed.report(A), account(A)) is RejectionCode.DAY_OPEN
    observed.close()
    post(observed, A)


def test_a_day_that_nobody_committed_to_has_no_report(stage: Stage) -> None:
    stage.close()
    assert stage.refuse(stage.report(A), account(A)) is RejectionCode.UNKNOWN_OBSERVATION
    assert D not in stage.state.scores.closings


def test_one_root_posted_by_two_oracles_is_one_observation(stage: Stage) -> None:
    shared = root("copied")
    for name in (A, B):
        stage.accept(stage.observation(name, root=shared), account(name))
    said = stage.close().report(C, observes=(shared,))
    assert stage.refuse(said, account(C)) is RejectionCode.UNKNOWN_OBSERVATION


def test_an_observation_that_was_contradicted_in_time_does_not_serve(observed: Stage) -> None:
    observed.accept(observed.observation(A, root=root("a nicer day")), account(A))
    observed.close()
    assert observed.refuse(observed.report(B), account(B)) is RejectionCode.UNKNOWN_OBSERVATION
    rest = tuple(sorted(root(f"{name} saw {DAY}") for name in (B, C)))
    for name in (B, C):
        post(observed, name, observes=rest)
    assert standing(observed) is not None


def test_a_contradiction_after_the_closing_is_evidence_and_upsets_nobodys_report(
    closed: Stage,
) -> None:
    """Else one traitor could part those who reported before from those who report after."""
    post(closed, B)
    closed.accept(closed.observation(A, root=root("a nicer day")), account(A))
    assert (account(A), D, DigestKind.OBSERVE) in closed.state.scores.equivocations
    assert (account(A), D) not in closed.state.scores.observations
    post(closed, C)
    assert standing(closed) is not None


def test_what_a_day_closes_with_stays(closed: Stage) -> None:
    closing = closed.state.scores.closings.get(D)
    assert [(found.oracle, found.root) for found in closing.commitments] == sorted(
        (account(name), root(f"{name} saw {DAY}")) for name in (A, B, C)
    )
    closed.accept(closed.observation(A, root=root("a nicer day")), account(A))
    closed.accept(registration("late"), MULTISIG)
    closed.next_block("2026-03-11T01:00")
    assert closed.state.scores.closings.get(D) == closing


def test_a_day_closes_with_the_members_who_are_active_then(stage: Stage) -> None:
    for member in ("amforc", "dwellir", "gatotech"):
        stage.accept(registration(member), MULTISIG)
    suspended = member_body(MemberAction.SUSPEND, "dwellir", reason="asked for it")
    stage.accept(suspended, MULTISIG)
    stage.observed().close()
    assert stage.state.scores.closings.get(D).members == ("amforc", "gatotech")


def test_a_day_closes_with_the_report_of_the_day_before_that_stands(closed: Stage) -> None:
    assert closed.state.scores.closings.get(D).before is None
    post(closed, A)
    post(closed, B)
    closed.next_block("2026-03-11T00:00")
    closed.observed(NEXT).close(NEXT)
    expected = (root(f"consensus of {DAY}"), 10)
    assert closed.state.scores.closings.get(D + 1).before == expected


def test_a_report_that_stands_only_after_the_next_closing_is_not_gone_on_from(
    closed: Stage,
) -> None:
    post(closed, A)
    closed.next_block("2026-03-11T00:00")
    closed.observed(NEXT).close(NEXT)
    post(closed, B)
    assert standing(closed) is not None
    assert closed.state.scores.closings.get(D + 1).before is None


def test_a_day_that_closed_without_commitments_is_not_closed_again_later(stage: Stage) -> None:
    """An oracle that was out of office when its day closed is none of that day's for ever."""
    stage.accept(stage.observation(A), account(A))
    _replace_oracles(stage, B, C, "Oracle3")
    stage.close()
    assert D not in stage.state.scores.closings
    _replace_oracles(stage, A, B, C)
    stage.close(NEXT)
    assert D not in stage.state.scores.closings


def test_a_day_is_reported_on_by_the_quorum_and_rules_that_it_closed_with(closed: Stage) -> None:
    closing = closed.state.scores.closings.get(D)
    assert (closing.quorum, closing.rules) == (PROGRAM.quorum, PROGRAM.rules)
    closed.accept(PROGRAM.model_copy(update={"quorum": 3}), MULTISIG)
    two = tuple(sorted(root(f"{name} saw {DAY}") for name in (A, B)))
    post(closed, A, observes=two)
    assert closed.state.scores.closings.get(D) == closing


def test_days_that_end_between_two_blocks_close_each(stage: Stage) -> None:
    stage.observed()
    stage.next_block("2026-03-14T12:00")
    assert D in stage.state.scores.closings
    assert stage.state.scores.last_closed.value == D + 4


def test_a_report_posted_before_the_contradiction_keeps_standing(closed: Stage) -> None:
    """A report is judged by the observations that counted when it was posted."""
    post(closed, B)
    post(closed, C)
    before = standing(closed)
    closed.accept(closed.observation(A, root=root("a nicer day")), account(A))
    assert standing(closed) == before is not None


def test_a_replayed_report_changes_nothing(closed: Stage) -> None:
    post(closed, A)
    post(closed, B)
    assert closed.refuse(closed.report(A), account(A)) is RejectionCode.REPEATED
    assert closed.refuse(closed.report(A, rows=9), account(A)) is RejectionCode.REPEATED


def test_a_contradiction_before_the_quorum_keeps_a_report_from_standing(closed: Stage) -> None:
    post(closed, A)
    post(closed, A, root=root("another consensus"))
    post(closed, B)
    assert standing(closed) is None
    evidence = closed.state.scores.equivocations.get((account(A), D, DigestKind.REPORT))
    assert evidence.first_root == root(f"consensus of {DAY}")
    assert evidence.second_root == root("another consensus")
    for said in (closed.report(A), closed.report(A, root=root("third"))):
        assert closed.refuse(said, account(A)) is RejectionCode.EQUIVOCATED


def test_what_stands_stays_whoever_of_its_reporters_contradicts_itself(closed: Stage) -> None:
    """A day that was scored and paid is not undone by one liar afterwards."""
    post(closed, A)
    post(closed, B)
    before = standing(closed)
    post(closed, B, root=root("another consensus"))
    assert standing(closed) == before is not None
    closed.next_block()
    post(closed, C)
    assert standing(closed) == before._replace(reporters=tuple(sorted(ORACLES)))


def test_a_report_of_a_later_turn_takes_the_place_of_the_earlier_one(closed: Stage) -> None:
    post(closed, A, root=root("the first turn's"))
    post(closed, A, turn=1, root=root("the second turn's"))
    assert closed.state.scores.equivocations.find((account(A), D, DigestKind.REPORT)) is None
    post(closed, B, root=root("the first turn's"))
    assert standing(closed) is None
    post(closed, C, turn=1, root=root("the second turn's"))
    assert standing(closed)[0] == root("the second turn's")  # type: ignore[index]  # it stands


def test_two_roots_in_one_later_turn_are_evidence(closed: Stage) -> None:
    post(closed, A)
    post(closed, A, turn=3, root=root("one"))
    post(closed, A, turn=3, root=root("another"))
    evidence = closed.state.scores.equivocations.get((account(A), D, DigestKind.REPORT))
    assert (evidence.first_root, evidence.second_root) == (root("one"), root("another"))
    assert (account(A), D) not in closed.state.scores.reports


def test_an_earlier_turn_is_not_gone_back_to(closed: Stage) -> None:
    post(closed, A, turn=2)
    for said in (closed.report(A), closed.report(A, turn=1, root=root("another"))):
        assert closed.refuse(said, account(A)) is RejectionCode.REPEATED


def test_the_first_root_with_a_quorum_stands_whatever_is_reported_later(closed: Stage) -> None:
    post(closed, A)
    post(closed, B)
    before = standing(closed)
    for name in (A, B, C):
        post(closed, name, turn=1, root=root("on second thoughts"))
    assert standing(closed) == before is not None


def test_the_second_root_is_evidence_even_if_its_observations_are_unknown(
    closed: Stage,
) -> None:
    post(closed, A)
    invented = (root("invented"), root("made up"))
    post(closed, A, root=root("another"), observes=tuple(sorted(invented)))
    assert (account(A), D, DigestKind.REPORT) in closed.state.scores.equivocations


def test_contradicting_ones_observation_does_not_taint_ones_report(closed: Stage) -> None:
    closed.accept(closed.observation(A, root=root("a nicer day")), account(A))
    rest = tuple(sorted(root(f"{name} saw {DAY}") for name in (B, C)))
    post(closed, A, observes=rest)


# --- Other oracles in office -----------------------------------------------------------------


def _replace_oracles(stage: Stage, *names: str) -> None:
    oracles = tuple(account(name) for name in names)
    stage.accept(PROGRAM.model_copy(update={"oracles": oracles}), MULTISIG)


def test_who_left_office_reports_no_more_and_what_stands_stays(closed: Stage) -> None:
    post(closed, A)
    post(closed, B)
    before = standing(closed)
    _replace_oracles(closed, C, "Oracle3", "Oracle4")
    assert standing(closed) == before
    assert closed.refuse(closed.report(A), account(A)) is RejectionCode.WRONG_ORIGIN


def test_observations_of_those_who_left_in_time_do_not_count(observed: Stage) -> None:
    _replace_oracles(observed, C, "Oracle3", "Oracle4")
    observed.close()
    assert observed.refuse(observed.report(C), account(C)) is RejectionCode.UNKNOWN_OBSERVATION
    closing = observed.state.scores.closings.get(D)
    assert [found.oracle for found in closing.commitments] == [account(C)]


def test_the_quorum_in_office_decides_what_stands(closed: Stage) -> None:
    post(closed, A)
    post(closed, B)
    closed.accept(PROGRAM.model_copy(update={"quorum": 3}), MULTISIG)
    assert standing(closed) is not None
    closed.accept(PROGRAM.model_copy(update={"quorum": 2}), MULTISIG)
    post(closed, C)
    assert len(reporters(closed)) == 3
