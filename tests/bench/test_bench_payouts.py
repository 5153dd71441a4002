"""`make bench-payouts` on paper, small; and its place in the document that others write too."""

from ledger.program.rules import load_rules
from multisig.statement import Reason
from scripts.bench_payouts import Maker, on_paper, programme, sheet_of
from tests.support import payouts, recording


def test_as_many_members_as_asked_for_are_stated_built_verified_and_read() -> None:
    made = programme(90)
    maker = Maker(made, load_rules(), recording.runtime(), recording.peer(), payouts.genesis_hash())
    figures, bundles = on_paper(maker, 1)
    lines = bundles[0].statement.lines
    assert len(lines) == len({line.payee for line in lines}) == 90
    assert len(bundles) == 2
    assert {figure.payees for figure in figures} == {90}
    assert all(figure.taken.cpu > 0 for figure in figures)
    # who gets nothing in the recording gets nothing here
    assert Reason.SUSPENDED in {held.reason for held in bundles[0].statement.withheld}
    told = sheet_of(figures, len(bundles), "scalecodec 1")
    assert told.title == "Payouts: a month of 90 payees"
    assert [row[3] != "" for row in told.rows] == [False, False, True, False, False]
