"""All of it without a script: reading, filtering, working out a root, printing a receipt."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support import web


@pytest.fixture
def plain(browser: Browser) -> Iterator[Page]:
    with browser.new_context(java_script_enabled=False) as context:
        context.set_default_timeout(120_000)
        yield context.new_page()


def test_a_member_is_found_and_read_and_its_receipt_printed(plain: Page, site: str) -> None:
    plain.goto(f"{site}/members")
    plain.get_by_role("searchbox").fill("amf")
    plain.get_by_role("button", name=re.compile("filter|show|find", re.IGNORECASE)).click()
    expect(plain.locator("#list tbody tr")).to_have_count(1)
    plain.get_by_role("link", name="Amforc").click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("Amforc")
    plain.get_by_text("Every stretch, and what held the lock").click()
    expect(plain.get_by_role("region", name="Stretches")).to_be_visible()
    assert plain.locator("button.copy:visible").count() == 0  # they need a script
    plain.get_by_role("link", name=re.compile("^to print")).click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("Receipt")


def test_an_auditor_works_out_a_root(plain: Page, site: str) -> None:
    plain.goto(f"{site}/audit")
    plain.get_by_label("Block").fill("60108")
    plain.get_by_role("button", name="Work out").click()
    expect(plain.locator("#root dd").first).to_contain_text("0x" + web.snapshot().state_root.hex())


def test_every_section_says_what_it_says(plain: Page, site: str) -> None:
    plain.goto(site)
    for name in ("Oracles", "Payouts", "Audit", "Chain", "Members"):
        plain.get_by_role("navigation", name="Sections").get_by_role("link", name=name).click()
        expect(plain.get_by_role("heading", level=1)).to_be_visible()
    plain.goto(f"{site}/payouts/bundles/{web.CALL_HASH}")
    expect(plain.get_by_role("region", name="Statement").locator("tbody tr").first).to_be_visible()


def test_checking_a_proof_says_that_it_needs_a_script_and_what_does_not(
    plain: Page, site: str
) -> None:
    plain.goto(f"{site}/verify?member=amforc&day=2026-01-30&service=polkadot")
    expect(plain.get_by_text("it takes JavaScript")).to_be_visible()
    expect(plain.locator(".drop")).to_be_hidden()
    link = plain.get_by_role("link", name="Download this proof")
    answer = plain.request.get(site + (link.get_attribute("href") or ""))
    assert answer.body() == web.proof_of_service("2026-01-30", "amforc", "polkadot")
