"""Every page by axe-core, in light and dark, wide and narrow; and by the keyboard alone."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from scripts.devnet_node import find_node, install_packages
from tests.browser.pictures import shoot
from tests.support import web

_HERE = Path(__file__).parent
_PAGES = {
    "members": "/members",
    "member": "/members/amforc",
    "suspended-member": "/members/rotko-networks",
    "proof": "/verify?member=amforc&day=2026-01-30&service=polkadot",
    "no-proof": "/verify",
    "oracles": "/oracles",
    "payouts": "/payouts",
    "bundle": f"/payouts/bundles/{web.CALL_HASH}",
    "batch": "/payouts/batches/60107-0",
    "audit": "/audit?block=60108",
    "chain": "/chain",
    "about": "/about",
    "receipt": f"/members/amforc/receipts/{web.CALL_HASH}",
    "error": "/members/amforc?month=2026",
}
_OF_COLOURS = ["color-contrast", "link-in-text-block"]
"""All that a colour scheme changes; the other rules are about what is there."""


@pytest.fixture(scope="module")
def axe() -> str:
    """The script of axe-core, as the lock file has it."""
    install_packages(find_node(), _HERE)
    return (_HERE / "node_modules" / "axe-core" / "axe.min.js").read_text()


def _findings(page: Page, rules: list[str] | None = None) -> list[str]:
    """The serious and the critical, each with the first element that it is about."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules is not None:
        options["runOnly"] = {"type": "rule", "values": rules}
    found = page.evaluate("(options) => axe.run(options)", options)["violations"]
    return [
        f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]} "
        f"{each['nodes'][0].get('failureSummary', '')}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("name", _PAGES)
def test_a_page_has_no_serious_finding(
    context: BrowserContext, site: str, axe: str, name: str
) -> None:
    page = context.new_page()  # not the fixture: the browser complains of an error page
    page.goto(site + _PAGES[name])
    if name == "proof":
        expect(page.locator("#result .verdict")).to_be_visible()
    page.evaluate(axe)
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 900})
        expect(page.locator("html")).to_have_js_property("clientWidth", width)
        page.emulate_media(color_scheme="light")
        assert _findings(page) == [], (name, width)
        if width == 1280:
            shoot(page, f"{name}-wide-light")
        page.emulate_media(color_scheme="dark")
        assert _findings(page, _OF_COLOURS) == [], (name, width)
        if width == 360:
            shoot(page, f"{name}-narrow-dark")
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, f"{name} is {overflow} pixels wider than a screen of {width}"


def test_the_keyboard_comes_to_everything_in_order_and_is_seen(page: Page, site: str) -> None:
    page.goto(f"{site}/members/amforc")
    page.keyboard.press("Tab")
    skip = page.locator(".skip")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    seen = []
    for _ in range(25):
        page.keyboard.press("Tab")
        place, outline = page.evaluate(
            """() => { const all = [...document.querySelectorAll('a, button, summary, [tabindex]')]
              const at = document.activeElement, style = getComputedStyle(at)
              return [all.indexOf(at), style.outlineStyle === 'none' ? 0
                : Number.parseFloat(style.outlineWidth)] }"""
        )
        seen.append(place)
        assert outline >= 2, page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
    assert seen == sorted(set(seen))


def test_the_skip_link_leads_past_the_navigation(page: Page, site: str) -> None:
    page.goto(f"{site}/payouts")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('#main').contains(document.activeElement)")


def test_a_proof_file_is_chosen_and_read_by_the_keyboard(page: Page, site: str) -> None:
    page.on("filechooser", lambda _: None)  # what begins to listen at the key can be too late
    page.goto(f"{site}/verify")
    page.locator("#main").focus()
    while not page.evaluate("document.activeElement.id === 'file'"):
        page.keyboard.press("Tab")
    with page.expect_file_chooser() as choosing:
        page.keyboard.press("Enter")
    proof = web.proof_of_service("2026-01-30", "amforc", "polkadot")
    choosing.value.set_files({"name": "a.json", "mimeType": "application/json", "buffer": proof})
    expect(page.locator("#result h2").first).to_be_focused()
