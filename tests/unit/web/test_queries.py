"""What the answers say of the bundled recording, against what the ledger's own functions say."""

from datetime import date

import pytest

from ibp_chain.types import AccountId, BlockNumber, Planck, RelayBlockNumber
from ibp_chain.web import charts
from ibp_chain.web.errors import NotFound
from ibp_chain.web.loading import Places
from ibp_chain.web.lock_record import Version, lock_record, spans_of
from ibp_chain.web.models import ScoreDay
from ibp_chain.web.queries import chain, listing, members, oracles, payouts, score_days
from ibp_chain.web.queries.locks import asked_of, history
from ibp_chain.web.reads import Ledger
from ibp_chain.web.scores import Scores, grown
from ibp_chain.web.shown import hex_
from ledger.mirrors import Constants
from ledger.program.standing import Standing
from ledger.promise_history import PromiseHistory, Span
from ledger.replay import apply_block
from ledger.state import State
from tests.support import recording, web
from tests.support.command_line import DEMO


def test_amounts_are_planck_in_text_and_what_people_read() -> None:
    paid = members.paid_lines(web.snapshot(), "amforc")
    assert [each.amount.planck for each in paid] == ["1500372093023"]
    assert paid[0].amount.display == "150.0372093023 PAS"
    assert paid[0].at.time == "2026-02-01T02:10:42Z"


def test_the_table_has_every_member_with_its_standing_locks_and_months() -> None:
    found = {each.member: each for each in members.summaries(web.snapshot())}
    assert {name: each.standing for name, each in found.items()} == {
        "amforc": "member", "dwellir": "member", "gatotech": "member",
        "radiumblock": "suspended", "rotko-networks": "suspended", "stake-plus": "member",
        "turboflakes": "member",
    }  # fmt: skip
    assert found["amforc"].locks[0].kept
    assert found["turboflakes"].locks[0].by_delegation_only
    short = found["dwellir"].locks[0]
    assert (short.kept, short.covered.display, short.required.display) == (
        False, "1,200 PAS", "5,000 PAS",
    )  # fmt: skip
    assert found["amforc"].owed == ()
    assert found["dwellir"].owed[0].withheld is not None
    assert found["dwellir"].owed[0].withheld.startswith("lock falls short")
    assert found["gatotech"].uptime_ppm is not None
    assert found["gatotech"].uptime_ppm < 1_000_000


def test_members_are_found_by_name_id_or_region_whatever_the_case() -> None:
    def names(text: str) -> list[str]:
        return [each.member for each in members.members(web.snapshot(), text=text)]

    assert names("STAKE") == ["stake-plus"]
    assert names("Europe") == ["amforc", "turboflakes"]
    assert names("") == [each.member for each in members.summaries(web.snapshot())]
    suspended = members.members(web.snapshot(), standing=Standing.SUSPENDED)
    assert [each.member for each in suspended] == ["radiumblock", "rotko-networks"]


def test_lists_are_cut_into_pages_without_a_loss() -> None:
    whole = tuple(range(10))
    pages = [listing.listed(whole, offset, 4) for offset in (0, 4, 8, 12)]
    assert sum((page.items for page in pages), ()) == whole
    assert {page.total for page in pages} == {10}


def test_an_unknown_member_is_said_to_be_unknown() -> None:
    for ask in (members.member, score_days.score_days, asked_of):
        with pytest.raises(NotFound, match="'nobody'"):
            ask(web.snapshot(), "nobody")


# --- Locks ------------------------------------------------------------------------------


@pytest.mark.parametrize("member", ["amforc", "dwellir", "gatotech", "turboflakes"])
def test_the_database_tells_the_promise_that_the_blocks_tell(member: str) -> None:
    """`state_history` and a replay of every block come to the same stretches."""
    account, required, since = asked_of(web.snapshot(), member)
    assert account is not None
    with Ledger(web.database()).opened() as store:
        record = lock_record(store, web.snapshot().chain, account, required, since)
    told = _told_by_blocks(account, required)
    blocks = [block.header.number for block in recording.blocks()]
    assert [
        (_next(blocks, span.first), span.promise.covered, span.promise.kept)
        for span in record.spans
    ] == [
        (max(span.first.block, since), span.promise.covered, span.promise.kept)
        for span in told
        if span.last.block >= since
    ]
    assert record.spans[-1].last == blocks[-1]


def _next(blocks: list[BlockNumber], number: BlockNumber) -> BlockNumber:
    return next(block for block in blocks if block >= number)


def _told_by_blocks(account: AccountId, required: Planck) -> list[Span]:
    told = PromiseHistory(account, required)
    state, constants = State(web.snapshot().network), Constants.of(recording.runtime())
    for block in recording.blocks():
        told.observe(state, constants, apply_block(state, block, recording.runtime()))
    return list(told.spans)


def test_a_promise_ends_in_the_block_in_which_its_lock_runs_out() -> None:
    """By the clock alone: no entry changes."""
    snapshot = web.snapshot()
    chain_ = snapshot.chain
    account, required, since = asked_of(snapshot, "amforc")
    assert account is not None
    own = chain_.state.mirrors.conviction_voting
    versions = [
        Version(key, since, None, value)
        for item in (own.voting_for, own.class_locks_for, chain_.state.mirrors.referenda.polls)
        for key, value in item.raw_items()
    ]
    until = members.member(snapshot, "amforc").covers[0].until
    assert until is not None
    early = until.clock - chain_.head.number + 10
    spans = list(
        spans_of(
            versions, chain_, account, required, since,
            clock_at=lambda block: RelayBlockNumber(block + early),
            first_after=lambda _, clock: BlockNumber(clock - early),
        )
    )  # fmt: skip
    before, after = spans[:2]
    assert (before.first, after.first) == (since, until.clock - early)
    assert before.last == after.first - 1
    assert until.clock in {cover.until for cover in before.promise.covers}
    assert until.clock not in {cover.until for cover in after.promise.covers}


def test_gaps_that_adjoin_are_one() -> None:
    snapshot = web.snapshot()
    account, required, since = asked_of(snapshot, "dwellir")
    assert account is not None
    with Ledger(web.database()).opened() as store:
        record = lock_record(store, snapshot.chain, account, required, since)
    found = history(snapshot, required, record)
    assert len(found.stretches) > 1
    (gap,) = found.gaps
    assert (gap.since.block, gap.until.block) == (since, snapshot.chain.head.number)
    assert gap.covered.display == "1,200 PAS"


# --- Oracles, payouts, chain ------------------------------------------------------------


def test_the_oracle_that_lied_stands_out() -> None:
    found = oracles.oracles(web.snapshot())
    liar = found.equivocations[0].oracle
    assert [each.oracle for each in found.oracles if each.equivocations] == [liar]
    days = {each.day: each for each in oracles.days(web.snapshot())}
    place = [each.oracle for each in found.oracles].index(liar)
    assert days["2026-01-30"].words[place] == "twice"
    assert days["2026-01-29"].words[place] == "other"
    assert days["2026-01-31"].words == ("agreed",) * 3
    assert {(pair.same, pair.both) for pair in found.pairs} == {(4, 4), (3, 4)}


def test_a_bundle_is_read_twice_and_held_against_the_ledger() -> None:
    found = payouts.bundle(web.snapshot(), next(iter(web.snapshot().bundles.files)))
    assert found.call_hash == web.CALL_HASH
    assert (found.outcome, found.settled) == ("paid", True)
    assert [attempt.error for attempt in found.attempts] == ["Token.FundsUnavailable", None]
    assert {line.state for line in found.payees} == {"paid as stated"}
    assert [line.amount for line in found.decoded] == [line.amount for line in found.payees]
    days, usd, planck = found.payees[0].derivation
    assert " ".join(days.split()) == "1 days of 31 with uptime of 999000 ppm or more = 4"
    assert " ".join(usd.split()) == "2 2500.00 USD x 4 / 31, down to cents = 322.58"
    assert planck.split()[-1] == found.payees[0].amount.planck
    assert any("ibp multisig verify bundle.json" in command for command in found.verify)


def test_what_a_batch_paid_is_listed_with_it() -> None:
    failed, paid = sorted(payouts.batches(web.snapshot()), key=lambda each: each.at.block)
    assert (failed.status, failed.error) == ("failed", "Token.FundsUnavailable")
    key = BlockNumber(60_107), 0
    assert payouts.batch(web.snapshot(), key).violations == ()
    lines = members.paid_page(web.snapshot(), None, key, 0, 200)
    assert sum(int(each.amount.planck) for each in lines.items) == int(paid.total.planck)
    assert members.paid_page(web.snapshot(), "amforc", key, 0, 200).total == 1
    assert members.paid_page(web.snapshot(), None, None, 3, 200).items == lines.items[3:]


def test_the_budget_counts_paid_statements_and_names_those_that_nobody_gave() -> None:
    full = chain.budget(web.snapshot())
    assert (full.used_usd, full.statements, full.missing) == ("1209.67", 1, ())
    bare = chain.budget(web.loader(Places(web.database())).current)
    assert (bare.used_usd, bare.statements) == ("0", 0)
    statement = payouts.payouts(web.snapshot()).bundles[0].statement
    assert bare.missing == (statement,)


def test_the_head_is_the_state_that_everything_is_of() -> None:
    found = chain.head(web.snapshot())
    assert found.state_root == hex_(web.snapshot().state.root())
    assert found.rules_agree


# --- Rows -------------------------------------------------------------------------------


def test_rows_are_read_a_few_days_at_a_time_the_latest_first() -> None:
    standing = dict(web.snapshot().state.scores.standing.items())
    once = grown(Scores(given=True), standing, DEMO / "rows", most=1)
    assert (list(once.days), once.waiting) == ([max(standing)], 3)
    twice = grown(once, standing, DEMO / "rows", most=9)
    assert (sorted(twice.days), twice.waiting, twice.missing) == (sorted(standing), 0, {})
    assert twice.days[max(standing)] is once.days[max(standing)]


def test_a_day_whose_rows_are_not_there_is_named_and_the_others_are_read(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    empty = tmp_path_factory.mktemp("rows")
    standing = dict(web.snapshot().state.scores.standing.items())
    found = grown(Scores(given=True), standing, empty, most=2)
    assert (len(found.missing), found.waiting, dict(found.days)) == (2, 2, {})
    again = grown(found, standing, DEMO / "rows", most=9)
    assert (len(again.days), again.missing) == (4, {})


# --- Charts -----------------------------------------------------------------------------


def _day(day: str, ppm: int | None) -> ScoreDay:
    return ScoreDay(
        day=day, uptime_ppm=ppm, root="0x", services=(), points=(), known=True, scored=True
    )


@pytest.mark.parametrize(
    ("ppm", "level"), [(1_000_000, "4"), (998_999, "3"), (990_000, "2"), (950_000, "1"), (0, "0")]
)
def test_a_days_colour_is_its_uptime(ppm: int, level: str) -> None:
    found = charts.calendar([_day("2026-01-30", ppm)], date(2026, 1, 31))
    cells = {cell.day: cell.level for cell in found.cells}
    assert cells["2026-01-30"] == level
    assert cells["2026-01-31"] == "none"
    assert found.cells[-1].row == 5  # a Saturday
    assert found.columns == 53


def test_a_line_is_broken_where_days_are_missing() -> None:
    days = score_days.score_days(web.snapshot(), "amforc")
    whole = charts.response_times(days, "polkadot")
    broken = charts.response_times([*days[:1], *days[2:]], "polkadot")
    assert whole is not None
    assert broken is not None
    assert [len(line.runs) for line in whole.lines] == [1, 1]
    assert [len(line.runs) for line in broken.lines] == [2, 2]
    assert charts.response_times(days, "nothing") is None
