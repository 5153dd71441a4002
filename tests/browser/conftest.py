"""Chromium for the tests of the pages, driven by Playwright. Without one they fail, never skip.

`browser` belongs to this folder, not to the session: while it is there, Playwright has an event
loop running in the main thread, and `asyncio.run` of a test elsewhere would be refused. A test in
this folder that needs `asyncio.run` calls it in another thread.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from tests.support import web
from tests.support.pages_served import served

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    "--no-sandbox",  # the tests run as root, where Chromium's sandbox cannot
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",  # nothing but the test's own server is asked
    "--disable-component-update",
    "--disable-sync",
)
_PATIENCE_MS = 120_000
"""Two cores have other work beside a test: how long a page takes says nothing."""
expect.set_options(timeout=_PATIENCE_MS)


def chromium_path(playwright: Playwright) -> Path:
    """`IBP_CHROMIUM`, else one on the PATH, else Playwright's own download. Fails without."""
    given = os.environ.get("IBP_CHROMIUM")
    if given is not None:
        if not os.access(given, os.X_OK):
            pytest.fail(f"IBP_CHROMIUM={given} is no program")
        return Path(given)
    on_path = (found for name in _NAMES if (found := shutil.which(name)))
    path = Path(next(on_path, playwright.chromium.executable_path))
    if not path.is_file():
        pytest.fail(
            "the tests of the pages need Chromium: install Debian's package `chromium`, or run "
            "`.venv/bin/playwright install chromium`, or name a program in IBP_CHROMIUM"
        )
    return path


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium, headless, whose profile ends with it. Each test opens its own context."""
    home = tmp_path_factory.mktemp("chromium")
    env: dict[str, str | float | bool] = {**os.environ, "HOME": str(home), "TMPDIR": str(home)}
    with sync_playwright() as playwright:
        path = chromium_path(playwright)
        launched = playwright.chromium.launch(
            executable_path=path, headless=True, args=_OPTIONS, env=env, chromium_sandbox=False,
            timeout=_PATIENCE_MS,
        )  # fmt: skip
        with launched as running:
            yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A profile of the test's own: a desktop screen, light, times in UTC."""
    with browser.new_context(
        viewport={"width": 1280, "height": 900}, timezone_id="UTC", accept_downloads=True
    ) as found:
        found.set_default_timeout(_PATIENCE_MS)
        yield found


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A blank page in `context`. The test fails where the page reports an error that it threw, or
    something that the server's policy refused.
    """
    complaints: list[str] = []
    found = context.new_page()
    found.on("pageerror", lambda error: complaints.append(str(error)))
    found.on(
        "console",
        lambda said: complaints.append(said.text) if said.type == "error" else None,
    )
    yield found
    assert complaints == []


@pytest.fixture(scope="package")
def site() -> Iterator[str]:
    """The address of the pages over the whole recording, without limits on expensive reads."""
    with served(web.site()) as url:
        yield url
