"""A member looks itself up, checks the proof of a day in its browser, and prints its receipt."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Download, FilePayload, Page, expect

from tests.browser.pictures import FOLDER, shoot
from tests.support import web
from tests.support.command_line import DEMO, assert_done, ibp
from tests.support.proof_files import CHANGES, altered

_DAY = "2026-01-30"
_NO_PROOFS = {
    "empty": b"",
    "no-text": b"\xff\xfe",
    "list": b"[]",
    "null": b"null",
    "deep": b"{" * 5_000,
    "deep-lists": b"[" * 30_000 + b"]" * 30_000,
    "spaced": b'{"a": 1}',
    "large": b"0" * 70_000,
}
_CHECK = f"/verify?member=amforc&day={_DAY}&service=polkadot"


@pytest.fixture(scope="module")
def proof() -> bytes:
    """Of a service's day, as the server hands it out."""
    return web.proof_of_service(_DAY, "amforc", "polkadot")


def _given(page: Page, data: bytes, name: str = "given.json") -> None:
    file: FilePayload = {"name": name, "mimeType": "application/json", "buffer": data}
    page.set_input_files("#file", files=file)


def _verdict(page: Page) -> str:
    found = page.locator("#result .verdict")
    expect(found).to_be_visible()
    return found.inner_text()


def test_it_finds_itself_and_sees_its_lock_and_the_gap_in_it(page: Page, site: str) -> None:
    page.goto(site)
    search = page.get_by_role("searchbox")
    search.fill("amf")
    expect(page.locator("#list tbody tr")).to_have_count(1)  # without a page load
    page.get_by_role("link", name="Amforc").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Amforc")
    lock = page.locator(".card", has_text="Lock on paseo")
    expect(lock).to_contain_text("5,000 PAS")
    expect(lock).to_contain_text("kept")
    gaps = page.get_by_role("region", name="Gaps")
    expect(gaps.locator("tbody tr")).to_have_count(1)
    shoot(page, "member")


def test_a_click_on_what_was_found_does_not_make_the_list_anew(page: Page, site: str) -> None:
    """What is made anew between the button's going down and up is not clicked."""
    page.goto(f"{site}/members")
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url) if "?q=amf" in sent.url else None)
    page.get_by_role("searchbox").fill("amf")
    expect(page.locator("#list tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Amforc").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Amforc")
    assert len(asked) == 1, asked
    page.goto(f"{site}/members")
    page.get_by_label("Standing").select_option("suspended")
    expect(page.locator("#list tbody tr")).to_have_count(2)


def test_it_checks_the_proof_of_a_day_in_the_browser(page: Page, site: str, tmp_path: Path) -> None:
    page.goto(f"{site}/members/amforc")
    page.get_by_role("link", name=f"check the proof of polkadot on {_DAY}").click()
    assert "Holds" in _verdict(page)
    expect(page.locator("#result h2").first).to_be_focused()
    expect(page.locator(".proofsteps li.ok")).to_have_count(4)
    row = page.get_by_role("region", name="The row")
    expect(row.get_by_role("row", name=re.compile("^uptime_ppm"))).to_contain_text("100.0000 %")
    shoot(page, "proof-holds")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download this proof").click()
    file = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(file)
    said = assert_done(ibp("oracle", "verify", file, "--db", web.database()))
    root = page.get_by_role("row", name=re.compile("^root")).locator("code").inner_text()
    assert root in said
    for remark in page.get_by_role("region", name="Where oracles").locator("tbody th").all():
        assert remark.inner_text() in said


def test_proofs_of_every_kind_of_row_hold(page: Page, site: str) -> None:
    page.goto(f"{site}/verify?member=amforc&day={_DAY}&milestone=3")
    assert "Holds" in _verdict(page)
    for name, data in web.proofs_of_day(_DAY).items():
        _given(page, data, f"{name}.json")
        expect(page.locator("#result h2").first).to_have_text(f"Holds: {name}.json")


def test_a_tampered_proof_is_refused_and_what_is_wrong_is_named(
    page: Page, site: str, proof: bytes
) -> None:
    page.goto(f"{site}/verify")
    for change, (alter, said) in CHANGES.items():
        _given(page, altered(proof, alter), change)
        expect(page.locator("#result .verdict h2")).to_have_text(f"Refused: {change}")
        assert said in _verdict(page), change
        if change == "row-and-words":
            shoot(page, "proof-refused")


def test_a_proof_under_a_root_that_nobody_reported_does_not_pass(page: Page, site: str) -> None:
    page.goto(f"{site}/verify")
    _given(page, web.proof_of_another_tree(_DAY))
    assert "Another root" in _verdict(page)
    shoot(page, "proof-of-another-root")


def test_a_file_that_is_no_proof_is_refused(page: Page, site: str) -> None:
    page.goto(f"{site}/verify")
    for name, data in _NO_PROOFS.items():
        _given(page, data, name)
        expect(page.locator("#result .verdict h2")).to_have_text(f"Refused: {name}")


def test_a_hostile_file_is_shown_as_words(page: Page, site: str, proof: bytes) -> None:
    hostile = '<img src=x onerror="document.title=1"><script>document.title=1</script>'
    page.goto(f"{site}/verify")
    _given(page, altered(proof, lambda found: found["fields"].update(member=hostile)), hostile)
    assert "<img src=x" in _verdict(page)
    assert page.locator("#result img, #result script").count() == 0
    assert page.title().startswith("Check a proof")


def test_a_file_that_is_dropped_is_checked(page: Page, site: str, proof: bytes) -> None:
    page.goto(f"{site}/verify")
    dropped = page.evaluate_handle(
        """(text) => { const found = new DataTransfer()
             found.items.add(new File([text], 'dropped.json')); return found }""",
        proof.decode(),
    )
    page.dispatch_event(".drop", "drop", {"dataTransfer": dropped})
    assert "Holds: dropped.json" in _verdict(page)


def test_a_changed_module_is_not_run(context: BrowserContext, site: str) -> None:
    """The page names every module with its hash: a proxy that changes one gets no verdict."""
    page = context.new_page()
    page.route("**/proof.js", lambda route: route.fulfill(
        content_type="text/javascript",
        body="export const MAX_PROOF = 1, octets = 0, hex = 0, checkProof = () => ({holds: true})",
    ))  # fmt: skip
    with page.expect_console_message(
        lambda said: "integrity" in said.text and "proof.js" in said.text
    ):
        page.goto(f"{site}{_CHECK}")
    page.wait_for_load_state("networkidle")
    expect(page.locator("#result")).to_be_empty()
    expect(page.get_by_text("the script was refused")).to_be_visible()


def test_its_receipt_is_what_the_command_writes_and_prints(
    page: Page, site: str, tmp_path: Path
) -> None:
    page.goto(f"{site}/members/amforc")
    file = tmp_path / "receipt.json"
    with page.expect_download() as waiting:
        page.get_by_role("link", name=re.compile("^file with the receipt")).click()
    download: Download = waiting.value
    download.save_as(file)
    assert_done(ibp("payout", "receipt", "verify", file, "--archive", DEMO / "archive"))
    page.get_by_role("link", name=re.compile("^to print")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Receipt")
    assert page.locator("h1").evaluate("each => getComputedStyle(each).marginBottom") == "0px"
    shoot(page, "receipt")
    page.pdf(path=FOLDER / "receipt.pdf", format="A4")
    assert (FOLDER / "receipt.pdf").read_bytes().startswith(b"%PDF-")
    out = tmp_path / "out"
    assert_done(ibp("payout", "receipts", DEMO / "bundle.json", "--archive", DEMO / "archive",
                    "--rows", DEMO / "rows", "--out", out, "--html"))  # fmt: skip
    own = out / download.suggested_filename
    assert own.read_bytes() == file.read_bytes()
    shown = page.request.get(page.url).body()
    assert own.with_suffix(".html").read_bytes() == shown
