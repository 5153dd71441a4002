"""docs/rules-dtelecom.md says what the rules, the code and the tests are."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

import ledger.program.dtelecom as package
from ibp_chain.cli import app as cli
from ledger.program.dtelecom.document import (
    Bonuses,
    MeasuresPart,
    NodeMonth,
    OperatorMonth,
    ViolationPart,
    parse_month,
)
from ledger.program.dtelecom.earnings import earnings
from ledger.program.dtelecom.law_table import RULES, entries, rule_of
from ledger.program.dtelecom.rules import load_rules
from tests.support.dtelecom import LAW, LOW, example
from tests.unit.ledger.doc_examples import DOCS, fenced, table, text

PAGE = "rules-dtelecom.md"
CLAUSES = table(PAGE, "clause | rule")
READINGS = table(PAGE, "| the seed says")
SOURCES = {path.stem: path.read_text() for path in Path(package.__path__[0]).glob("*.py")}


def rule_ids(words: str) -> set[str]:
    return set(re.findall(r"\b[QRPLSTINM][0-9]+\b", words))


def readings(words: str) -> set[str]:
    return set(re.findall(r"\bD[0-9]+\b", words))


def rules_of_the_code() -> set[str]:
    """Ids that steps carry, and those of the ladder, which are made from its rungs."""
    quoted = set(re.findall(r'"([QRPLSTINM][0-9]+)"', "".join(SOURCES.values())))
    return quoted | {f"L{rung}" for rung in range(1, 5)}


def test_the_hash_is_the_files() -> None:
    assert f"`0x{load_rules().hash.hex()}`" in text(PAGE)


@pytest.mark.parametrize("row", CLAUSES, ids=[row[0][:40] for row in CLAUSES])
def test_every_clause_has_its_rule_its_code_and_its_tests(row: list[str]) -> None:
    clause, rule, reading, code, tests = row
    assert re.fullmatch(r'("[^"]+"(, )?)+', clause)
    assert rule_ids(rule)
    assert readings(reading) <= {found[0] for found in READINGS}
    functions = re.findall(r"(\w+)\.(\w+)", code)
    assert functions
    for module, name in functions:
        assert callable(getattr(import_module(f"{package.__name__}.{module}"), name))
    named = re.findall(r"(\w+)\.(test_\w+)", tests)
    assert named
    for module, name in named:
        assert callable(getattr(import_module(f"{__package__}.{module}"), name))


def test_no_rule_is_missing_and_none_is_made_up() -> None:
    documented = {rule for row in CLAUSES for rule in rule_ids(row[1])}
    used = rules_of_the_code() | {rule for words in RULES.values() for rule in rule_ids(words)}
    assert used - documented == set()
    assert documented - rule_ids("".join(SOURCES.values())) == set()


def test_every_parameter_has_a_rule_and_every_rule_a_parameter() -> None:
    listed = entries(LAW)
    assert all(entry.rule == "-" or rule_ids(entry.rule) for entry in listed)
    used = {prefix for prefix in RULES if any(e.parameter.startswith(prefix) for e in listed)}
    assert used == set(RULES)
    with pytest.raises(KeyError):
        rule_of("quality.surprise")


def test_readings_are_numbered_and_each_names_a_parameter() -> None:
    assert [row[0] for row in READINGS] == [f"D{n + 1}" for n in range(len(READINGS))]
    parameters = [entry.parameter for entry in entries(LAW)]
    for row in READINGS:
        named = re.findall(r"\w+(?:\.\w+)*", row[3])
        assert named, row
        for name in named:
            assert any(p == name or p.startswith(f"{name}.") for p in parameters), name


def test_every_reading_that_anything_refers_to_is_there() -> None:
    raw = (Path(package.__path__[0]).parent / "dtelecom.toml").read_text()
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    said = "".join([*SOURCES.values(), *RULES.values(), raw, tests])
    assert readings(said) <= {row[0] for row in READINGS}


def test_every_reading_is_told_in_the_code_or_the_file() -> None:
    raw = (Path(package.__path__[0]).parent / "dtelecom.toml").read_text()
    said = "".join([*SOURCES.values(), raw])
    assert {row[0] for row in READINGS} - readings(said) == set()


def test_the_example_is_the_seeds_and_prints_what_the_page_shows(tmp_path: Path) -> None:
    ((_, document),) = fenced(PAGE, "json")
    assert parse_month(document.encode(), PAGE).nodes[0].bonuses == example(*LOW).nodes[0].bonuses
    assert earnings(LAW, parse_month(document.encode(), PAGE)).total == 1083
    path = tmp_path / "month.json"
    path.write_text(document)
    done = CliRunner().invoke(cli.app, ["program", "earnings", str(path), "--explain"])
    printed = [line.rstrip() for line in done.stdout.splitlines()]
    shown = text(PAGE).split(f"{document}\n```\n\n```\n")[1].split("\n```")[0]
    assert printed[:-1] == shown.splitlines()


def fields(*models: type[BaseModel]) -> Iterator[str]:
    for model in models:
        yield from model.model_fields


def test_every_field_of_a_month_is_in_the_table() -> None:
    shown = set(re.findall(r"`(\w+)`", "".join("|".join(row) for row in field_rows())))
    models = (OperatorMonth, NodeMonth, MeasuresPart, Bonuses, ViolationPart)
    assert set(fields(*models)) <= shown


def field_rows() -> list[list[str]]:
    """The page's rows of fields, with the backticks that `table` strips."""
    return [[f"`{row[0]}`", f"`{row[1]}`"] for row in table(PAGE, "field | is")]


def test_no_link_is_dead() -> None:
    for target, anchor in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", text(PAGE)):
        page = target or PAGE
        assert (DOCS / page).exists(), page
        if anchor:
            headings = re.findall(r"^#+ (.*)$", text(page), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}
