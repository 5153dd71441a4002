"""Names, reasons and searches that are markup, in a real browser: they do nothing."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support import web
from tests.support.pages_served import served
from tests.unit.web.test_security import HOSTILE, named

_SIGN = "document.querySelectorAll('main script, main img:not(.icon)').length"


@pytest.fixture(scope="module")
def hostile() -> Iterator[str]:
    with served(web.site(named(HOSTILE))) as url:
        yield url


@pytest.mark.parametrize(
    "path", ["/members", "/members/amforc", "/oracles", "/payouts", "/audit", "/chain"]
)
def test_hostile_words_are_words(page: Page, hostile: str, path: str) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog opened: {dialog.message}"))
    page.goto(hostile + path)
    assert page.evaluate(_SIGN) == 0
    if path.startswith("/members"):
        expect(page.locator("main")).to_contain_text(HOSTILE[:20])


def test_a_hostile_search_is_a_search(page: Page, hostile: str) -> None:
    page.goto(f"{hostile}/members")
    page.get_by_role("searchbox").fill("<img src=x onerror=alert(1)>")
    expect(page.get_by_role("searchbox")).to_have_value("<img src=x onerror=alert(1)>")
    expect(page.locator("#list")).to_contain_text("No member fits")  # the answer is there
    assert page.evaluate(_SIGN) == 0
