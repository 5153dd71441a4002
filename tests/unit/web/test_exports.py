"""Tables as files, against the state that they are projections of."""

import csv
import io

import pyarrow.parquet as pq
import pytest

from ibp_chain.accounts import ss58_encode
from ibp_chain.web.exports import exports
from tests.support import web


@pytest.fixture(scope="module")
def browser() -> web.Browser:
    return web.browser()


def test_both_forms_hold_what_the_state_says_was_paid(browser: web.Browser) -> None:
    answer = browser.get("/api/v1/exports/paid.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="paid.csv"'
    assert answer.headers["cache-control"] == "no-store"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    paid = web.snapshot().state.payouts.paid
    assert {(r["period"], r["member"], r["item"]): (r["payee"], r["amount"]) for r in rows} == {
        key: (ss58_encode(line.payee, 42), str(line.amount)) for key, line in paid.items()
    }
    parquet = pq.read_table(io.BytesIO(browser.get("/api/v1/exports/paid.parquet").content))
    assert [
        {name: str(value) for name, value in row.items()} for row in parquet.to_pylist()
    ] == rows


@pytest.mark.parametrize("table", [each.name for each in exports()])
def test_every_listed_table_can_be_had(browser: web.Browser, table: str) -> None:
    answer = browser.get(f"/api/v1/exports/{table}.csv")
    assert answer.status_code == 200
    columns = next(each.columns for each in exports() if each.name == table)
    assert answer.text.splitlines()[0] == ",".join(columns)


def test_accounts_have_the_prefix_of_the_network_of_their_row(browser: web.Browser) -> None:
    rows = list(csv.DictReader(io.StringIO(browser.get("/api/v1/exports/link.csv").text)))
    kusama = [row["account"] for row in rows if row["network"] == "kusama"]
    members = {
        ss58_encode(account, 2)
        for (_, network, account), _ in web.snapshot().state.membership.links.items()
        if network == "kusama"
    }
    assert set(kusama) == members
    assert kusama


def test_a_name_that_is_a_formula_is_no_formula_in_the_file() -> None:
    formula = '=HYPERLINK("http://evil.example","paid")'
    browser = web.tampered("UPDATE member SET name = ? WHERE member = 'amforc'", formula)
    rows = csv.DictReader(io.StringIO(browser.get("/api/v1/exports/member.csv").text))
    assert next(row["name"] for row in rows if row["member"] == "amforc") == "'" + formula
