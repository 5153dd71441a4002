"""A change of rules is a new version from a block on, never another past."""

import pytest

from ibp_chain.types import BlockNumber, Hash
from ledger.program.rules import parse_rules
from ledger.program.rules_book import NoSuchRules, RulesBook
from tests.support.law import LAW
from tests.unit.ledger.test_rules import with_

LATER = parse_rules(with_("failed_charge = 7", "failed_charge = 5"), "later.toml")
SINCE = [(BlockNumber(90), LATER.hash), (BlockNumber(10), LAW.hash)]


@pytest.mark.parametrize(("block", "charge"), [(10, 7), (89, 7), (90, 5), (1_000_000, 5)])
def test_a_block_is_under_the_rules_that_were_in_force_then(block: int, charge: int) -> None:
    book = RulesBook(SINCE, [LAW, LATER])
    assert book.at(BlockNumber(block)).sla.failed_charge == charge


def test_rules_that_come_back_are_in_force_again() -> None:
    book = RulesBook([*SINCE, (BlockNumber(100), LAW.hash)], [LAW, LATER])
    assert [version.since for version in book.versions] == [10, 90, 100]
    assert book.at(BlockNumber(100)) is LAW


def test_before_the_founding_there_are_no_rules() -> None:
    with pytest.raises(NoSuchRules, match="no rules at block 9: it was not founded yet"):
        RulesBook(SINCE, [LAW, LATER]).at(BlockNumber(9))


def test_a_version_whose_file_is_missing_is_named_and_no_other_stands_in() -> None:
    book = RulesBook(SINCE, [LAW])
    assert book.at(BlockNumber(10)) is LAW
    assert book.version_at(BlockNumber(90)).hash == LATER.hash
    with pytest.raises(NoSuchRules, match=f"0x{LATER.hash.hex()}"):
        book.at(BlockNumber(90))


def test_a_file_is_found_by_its_hash() -> None:
    assert RulesBook([], [LAW]).by_hash(LAW.hash) is LAW
    with pytest.raises(NoSuchRules):
        RulesBook([], [LAW]).by_hash(Hash(bytes(32)))
