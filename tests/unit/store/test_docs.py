"""`docs/store.md` describes the tables that there are, and its queries run."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ledger.tables import LedgerTable

DOC = (Path(__file__).parents[3] / "docs" / "store.md").read_text()
QUERIES = [
    query.strip()
    for block in re.findall(r"```sql\n(.*?)```", DOC, re.DOTALL)
    for query in block.split(";")
    if query.strip()
]


@pytest.mark.parametrize("name", LedgerTable.metadata.tables)
def test_the_columns_of_a_table_are_those_described(name: str) -> None:
    (described,) = re.findall(rf"^\| `{name}` \| (.*)$", DOC, re.MULTILINE)
    columns = re.split(r"(?<!\\)\|", described)[0]
    key, _, others = columns.partition(r"\|")
    found = [re.findall(r"`(\w+)`(\??)", part) for part in (key, others)]
    table = LedgerTable.metadata.tables[name]
    assert [name for name, _ in found[0]] == [column.name for column in table.primary_key]
    assert [(name, mark == "?") for part in found for name, mark in part] == [
        (column.name, bool(column.nullable)) for column in table.columns
    ]


@pytest.mark.parametrize("query", QUERIES)
def test_the_queries_run(replayed_file: Path, query: str) -> None:
    with closing(sqlite3.connect(replayed_file)) as connection:
        assert connection.execute(query).description
