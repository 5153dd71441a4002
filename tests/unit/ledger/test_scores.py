"""What oracles commit to and report, which report stands, and what contradiction costs."""

from typing import Any

import pytest

from ibp_chain.networks import network
from ibp_chain.remark_bodies import Observe, Report
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
    milliseconds,
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
    observed.next_block("2026-03-12T00:00")
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
    stage.next_block("2026-03-10T00:00")
    stage.observed(names=(A, B))
    said = digest(stage, kind, C) if kind == "observe" else stage.report(
        C, observes=tuple(sorted(root(f"{name} saw {DAY}") for name in (A, B)))
    )  # fmt: skip
    stage.next_block(moment)
    assert stage.refuse(said, account(C)) is RejectionCode.DAY_NOT_OVER
    stage.next_block("2026-03-10T00:00")
    stage.accept(said, account(C))


@both_kinds
@pytest.mark.parametrize("day", ["1969-12-31", "0001-01-01", "9999-12-31"])
def test_days_before_1970_and_days_to_come_are_refused(stage: Stage, kind: str, day: str) -> None:
    said = digest(stage, kind, day=day)
    assert stage.refuse(said, account(A)) is RejectionCode.DAY_NOT_OVER


def test_the_first_day_of_all_counts(stage: Stage) -> None:
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
    assert stage.refuse(said, account(A)) is RejectionCode.BROKEN_CHAIN


def test_days_may_be_left_out(stage: Stage) -> None:
    stage.accept(stage.observation(A, "2026-01-01"), account(A))
    stage.accept(stage.observation(A), account(A))


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


def test_a_report_stands_when_a_quorum_posted_it(observed: Stage) -> None:
    post(observed, A)
    assert standing(observed) is None
    since = observed.next_block()
    post(observed, C)
    expected = tuple(sorted((account(A), account(C))))
    assert standing(observed) == (root(f"consensus of {DAY}"), 10, expected, since)


def test_a_later_report_joins_and_since_stays(observed: Stage) -> None:
    post(observed, A)
    post(observed, B)
    before = standing(observed)
    assert before is not None
    observed.next_block()
    post(observed, C)
    assert standing(observed) == before._replace(reporters=tuple(sorted(ORACLES)))


def test_different_roots_or_row_counts_make_no_quorum(observed: Stage) -> None:
    post(observed, A)
    post(observed, B, root=root("another consensus"))
    assert standing(observed) is None
    post(observed, C, rows=11)
    assert standing(observed) is None


def test_a_minority_report_does_not_disturb_what_stands(observed: Stage) -> None:
    post(observed, A, root=root("a lonely view"))
    post(observed, B)
    post(observed, C)
    assert reporters(observed) == {account(B), account(C)}


def test_a_report_cites_observations_that_are_there(observed: Stage) -> None:
    known = sorted(root(f"{name} saw {DAY}") for name in (A, B, C))
    for observes in (
        [*known, root("invented")],
        [known[0], root("invented")],
        [root("one"), root("two")],
    ):
        said = observed.report(A, observes=tuple(sorted(observes)))
        assert observed.refuse(said, account(A)) is RejectionCode.UNKNOWN_OBSERVATION
    post(observed, A, observes=tuple(known[:2]))


def test_a_report_cites_at_least_a_quorum(observed: Stage) -> None:
    said = observed.report(A, observes=(root(f"{A} saw {DAY}"),))
    assert observed.refuse(said, account(A)) is RejectionCode.UNKNOWN_OBSERVATION


def test_observations_of_another_day_do_not_serve(observed: Stage) -> None:
    observed.next_block("2026-03-11T00:00")
    of_day_before = tuple(sorted(root(f"{name} saw {DAY}") for name in (A, B)))
    said = observed.report(A, NEXT, observes=of_day_before)
    assert observed.refuse(said, account(A)) is RejectionCode.UNKNOWN_OBSERVATION


def test_one_root_posted_by_two_oracles_is_one_observation(stage: Stage) -> None:
    shared = root("copied")
    for name in (A, B):
        stage.accept(stage.observation(name, root=shared), account(name))
    said = stage.report(C, observes=(shared,))
    assert stage.refuse(said, account(C)) is RejectionCode.UNKNOWN_OBSERVATION


def test_a_contradicted_observation_no_longer_serves(observed: Stage) -> None:
    observed.accept(observed.observation(A, root=root("a nicer day")), account(A))
    assert observed.refuse(observed.report(B), account(B)) is RejectionCode.UNKNOWN_OBSERVATION
    rest = tuple(sorted(root(f"{name} saw {DAY}") for name in (B, C)))
    for name in (B, C):
        post(observed, name, observes=rest)
    assert standing(observed) is not None


def test_a_report_posted_before_the_contradiction_keeps_standing(observed: Stage) -> None:
    """A report is judged by the observations that counted when it was posted."""
    post(observed, B)
    post(observed, C)
    before = standing(observed)
    observed.accept(observed.observation(A, root=root("a nicer day")), account(A))
    assert standing(observed) == before is not None


def test_a_replayed_report_changes_nothing(observed: Stage) -> None:
    post(observed, A)
    post(observed, B)
    assert observed.refuse(observed.report(A), account(A)) is RejectionCode.REPEATED
    assert observed.refuse(observed.report(A, rows=9), account(A)) is RejectionCode.REPEATED


def test_a_contradiction_before_the_quorum_keeps_a_report_from_standing(observed: Stage) -> None:
    post(observed, A)
    post(observed, A, root=root("another consensus"))
    post(observed, B)
    assert standing(observed) is None
    evidence = observed.state.scores.equivocations.get((account(A), D, DigestKind.REPORT))
    assert evidence.first_root == root(f"consensus of {DAY}")
    assert evidence.second_root == root("another consensus")
    for said in (observed.report(A), observed.report(A, root=root("third"))):
        assert observed.refuse(said, account(A)) is RejectionCode.EQUIVOCATED


def test_a_contradiction_takes_away_the_quorum_and_a_third_oracle_gives_it_back(
    observed: Stage,
) -> None:
    post(observed, A)
    post(observed, B)
    post(observed, B, root=root("another consensus"))
    assert standing(observed) is None
    since = observed.next_block()
    post(observed, C)
    found = standing(observed)
    assert found is not None
    assert (set(found.reporters), found.since) == ({account(A), account(C)}, since)


def test_a_contradiction_among_three_leaves_a_quorum_of_two(observed: Stage) -> None:
    for name in (A, B, C):
        post(observed, name)
    before = standing(observed)
    assert before is not None
    observed.next_block()
    post(observed, B, root=root("another consensus"))
    expected = tuple(sorted((account(A), account(C))))
    assert standing(observed) == before._replace(reporters=expected)


def test_the_second_root_is_evidence_even_if_its_observations_are_unknown(
    observed: Stage,
) -> None:
    post(observed, A)
    invented = (root("invented"), root("made up"))
    post(observed, A, root=root("another"), observes=tuple(sorted(invented)))
    assert (account(A), D, DigestKind.REPORT) in observed.state.scores.equivocations


def test_contradicting_ones_observation_does_not_taint_ones_report(observed: Stage) -> None:
    observed.accept(observed.observation(A, root=root("a nicer day")), account(A))
    rest = tuple(sorted(root(f"{name} saw {DAY}") for name in (B, C)))
    post(observed, A, observes=rest)


# --- Other oracles in office -----------------------------------------------------------------


def _replace_oracles(stage: Stage, *names: str) -> None:
    oracles = tuple(account(name) for name in names)
    stage.accept(PROGRAM.model_copy(update={"oracles": oracles}), MULTISIG)


def test_who_left_office_reports_no_more_and_what_stands_stays(observed: Stage) -> None:
    post(observed, A)
    post(observed, B)
    before = standing(observed)
    _replace_oracles(observed, C, "Oracle3", "Oracle4")
    assert standing(observed) == before
    assert observed.refuse(observed.report(A), account(A)) is RejectionCode.WRONG_ORIGIN


def test_observations_of_those_who_left_do_not_count(observed: Stage) -> None:
    _replace_oracles(observed, C, "Oracle3", "Oracle4")
    assert observed.refuse(observed.report(C), account(C)) is RejectionCode.UNKNOWN_OBSERVATION


def test_the_quorum_in_office_decides_what_stands(observed: Stage) -> None:
    post(observed, A)
    post(observed, B)
    observed.accept(PROGRAM.model_copy(update={"quorum": 3}), MULTISIG)
    assert standing(observed) is not None
    observed.accept(PROGRAM.model_copy(update={"quorum": 2}), MULTISIG)
    post(observed, C)
    assert len(reporters(observed)) == 3
