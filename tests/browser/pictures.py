"""What the run leaves to look at."""

from playwright.sync_api import Page

from tests.support.command_line import ROOT

FOLDER = ROOT / "var" / "screenshots"


def shoot(page: Page, name: str) -> None:
    """The whole page as it is, in `var/screenshots`."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=FOLDER / f"{name}.png", full_page=True)
