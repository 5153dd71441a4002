"""An auditor holds the pages against a replay of its own, and takes the tables home."""

import re
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Page, expect

from ibp_chain.types import Planck
from tests.browser.pictures import shoot
from tests.support import web
from tests.support.command_line import DEMO, assert_done, ibp


@pytest.mark.parametrize("block", [60_100, 60_108])
def test_the_root_of_a_block_is_that_of_its_own_replay(page: Page, site: str, block: int) -> None:
    page.goto(f"{site}/audit")
    page.get_by_label("Block").fill(str(block))
    page.get_by_role("button", name="Work out").click()
    answer = page.locator("#root dl")
    expect(answer).to_contain_text(f"{block:,}")
    said = assert_done(ibp("ledger", "state-root", "--archive", DEMO / "archive", "--at", block))
    expect(answer.locator("dd").first).to_contain_text(said.split()[0])
    expect(page).to_have_url(f"{site}/audit?block={block}")
    shoot(page, f"audit-{block}")


def test_it_reads_why_remarks_were_rejected(page: Page, site: str) -> None:
    page.goto(f"{site}/audit")
    shown = page.get_by_role("region", name="Rejected remarks").locator("tbody tr")
    told = page.request.get(f"{site}/api/v1/rejections").json()
    assert told["total"] > 0
    expect(shown).to_have_count(told["total"])
    for line, each in zip(shown.all(), told["items"], strict=True):
        expect(line).to_contain_text(each["code"])
        expect(line.locator(".words")).to_have_text(each["reason"])


def test_it_downloads_a_table_and_adds_it_up_itself(page: Page, site: str, tmp_path: Path) -> None:
    page.goto(f"{site}/audit")
    with page.expect_download() as waiting:
        page.get_by_role("link", name=re.compile("^Parquet of .*paid", re.IGNORECASE)).click()
    file = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(file)
    read = pq.read_table(file).to_pylist()
    paid: dict[str, int] = {}
    for line in read:
        paid[line["member"]] = paid.get(line["member"], 0) + int(Decimal(line["amount"]))
    for member, planck in paid.items():
        page.goto(f"{site}/members/{member}")
        expect(page.get_by_role("region", name="Payouts").locator("tfoot td")).to_have_text(
            web.snapshot().network.format(Planck(planck))
        )
    assert sum(paid.values()) > 0
