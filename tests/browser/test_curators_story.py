"""Three curators sign a payout in their browsers, until it is executed and the ledger has it.

A live chain, `ibp serve` as a process, Chromium, and a wallet extension that speaks the injected
interface and signs for real. Afterwards what goes wrong among people, each in words on the page.
Pictures are left in `var/screenshots`.
"""

import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from ibp_chain.keys import signer_from_uri
from ibp_chain.metadata_hash import runtime_metadata_hash
from ibp_chain.runtimes import runtimes
from ibp_chain.source import NodeSource
from ibp_chain.types import SpecVersion
from multisig.bundle import Bundle, write_file
from scripts.devnet_process import DEFAULT_SPEC, start_devnet
from tests.e2e.test_serve import serving
from tests.support.command_line import DEMO, ROOT
from tests.support.hashed_runtime import CODE_KEY, code_with_hash
from tests.support.http_server import Quiet, http_server
from tests.support.pay_office import MEMBERS, PASEO, URIS, PayOffice, curator, key, pay_office
from tests.support.wallet import NAME, Mood, Wallet, message_of

pytestmark = pytest.mark.live

PICTURES = ROOT / "var" / "screenshots"
PATIENCE_MS = 180_000


@dataclass(frozen=True)
class Street:
    """The chain, the bundles that wait on it, and the server that shows them."""

    office: PayOffice
    client: httpx.Client
    paid: Bundle
    other: Bundle

    def address(self, bundle: Bundle) -> str:
        return f"{self.client.base_url}/payouts/bundles/0x{bundle.call_hash.hex()}"

    def approvals(self, bundle: Bundle) -> int:
        """By the chain's own storage."""
        found = self.office.stored("Multisig", "Multisigs", _multisig(bundle), bundle.call_hash)
        return 0 if found is None else len(found["approvals"])

    def caught_up(self, bundle: Bundle, outcome: str) -> dict[str, Any]:
        """What the API says of `bundle` once the ledger has the chain's last block."""
        head = self.office.state().head.value
        assert head is not None
        # after a load the server rests for four times as long as it took
        until = time.monotonic() + PATIENCE_MS / 1_000
        while (block := self.client.get("/api/v1/head").json()["block"]) != head.number:
            assert time.monotonic() < until, f"shown is block {block}, the head is {head.number}"
            threading.Event().wait(0.2)
        found: dict[str, Any] = self.client.get(
            f"/api/v1/bundles/0x{bundle.call_hash.hex()}"
        ).json()
        assert found["outcome"] == outcome, found
        return found


def _multisig(bundle: Bundle) -> bytes:
    return bundle.multisig.account_id(bundle.network)


@contextmanager
def opened(folder: Path, spec: str, changed: Mapping[str, str]) -> Iterator[Street]:
    with pay_office(folder, spec, changed) as office:
        bundles = folder / "bundles"
        bundles.mkdir()
        paid = office.bundle(office.statement(members=MEMBERS[:3]))
        other = office.bundle(office.statement())
        for name, bundle in (("bundle", paid), ("other", other)):
            write_file(bundles / f"{name}.json", bundle.encoded)
        with (
            office.at_once(),
            serving(
                "--db", office.db, "--rows", DEMO / "rows", "--bundles", bundles,
                "--node", office.devnet.url, "--sign",
            ) as client,
        ):  # fmt: skip
            yield Street(office, client, paid, other)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    with opened(tmp_path_factory.mktemp("street"), DEFAULT_SPEC, {}) as running:
        yield running


@pytest.fixture
def hashed(tmp_path: Path) -> Iterator[Street]:
    """On the runtime of 2026, with the metadata hash that its published build left out."""
    with start_devnet("paseo-2026") as devnet, NodeSource(devnet.url) as node:
        runtime = runtimes(node)(SpecVersion(devnet.spec_version))
    code = code_with_hash(runtime_metadata_hash(runtime, PASEO))
    with opened(tmp_path, "paseo-2026", {CODE_KEY: code}) as running:
        yield running


@contextmanager
def browsing(
    browser: Browser, wallet: Wallet | None = None, **options: Any
) -> Iterator[tuple[Page, list[str]]]:
    """One person's page, and what it complains about: errors of scripts, refusals of the policy.

    That the server refuses a request is no complaint: the page says it in words.
    """
    complaints: list[str] = []
    shape = {"viewport": {"width": 1280, "height": 900}, "timezone_id": "UTC", **options}
    with browser.new_context(**shape) as context:
        context.set_default_timeout(PATIENCE_MS)
        if wallet is not None:
            wallet.install(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: (
                complaints.append(said.text)
                if said.type == "error" and "the server responded with a status of" not in said.text
                else None
            ),
        )
        yield page, complaints
        assert complaints == []


def says(page: Page, text: str) -> None:
    """Where the page tells how far it is."""
    told = page.locator('[data-part="told"]')
    expect(told).to_contain_text(text, timeout=PATIENCE_MS)


def picture(page: Page, name: str, part: str | None = None) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    path = PICTURES / f"{name}.png"
    if part is None:
        page.screenshot(path=path, full_page=True)
    else:
        page.locator(part).screenshot(path=path)


def connected(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_role("button", name=NAME).click()


def asked(page: Page, url: str) -> None:
    """Up to what the device will show; in mode 0, for the runtime was built without a hash."""
    connected(page, url)
    page.get_by_label("without a metadata hash").check()
    page.get_by_role("button", name="What is there to sign?").click()
    expect(page.get_by_role("button", name=f"Sign with {NAME}")).to_be_visible(timeout=PATIENCE_MS)


def shown(page: Page) -> dict[str, str]:
    """The comparison, by field."""
    rows = page.locator('[data-part="compare"] tr')
    return {row.locator("th").inner_text(): row.locator("code").inner_text() for row in rows.all()}


def signed(page: Page, said: str) -> None:
    page.get_by_role("button", name=f"Sign with {NAME}").click()
    says(page, said)


def test_three_curators_sign_until_it_is_paid_and_reconciled(
    street: Street, browser: Browser
) -> None:
    url, bundle = street.address(street.paid), street.paid
    steps = (
        (0, Mood.SIGNS, "nobody has approved it yet", "more signatures are needed"),
        (3, Mood.WHOLE, "1 of 3 approvals are there", "more signatures are needed"),
        (1, Mood.SIGNS, "this signature executes it", "Approved and executed in block"),
    )
    for number, (place, mood, before, after) in enumerate(steps, 1):
        wallet = Wallet(key(URIS[place]), mood)
        with browsing(browser, wallet) as (page, _):
            asked(page, url)
            assert shown(page)["Signer"] == curator(place)
            assert shown(page)["Payout call hash"] == "0x" + bundle.call_hash.hex()
            expect(page.locator('[data-part="approved"]')).to_contain_text(before)
            if number == len(steps):
                picture(page, "curator-asked")
            signed(page, after)
            assert page.title() != "1"  # what the account is called is text
        assert wallet.origins == ["IBP ledger"]
        (payload,) = wallet.seen
        assert bundle.call.hex() in payload["method"]
        assert street.approvals(bundle) == number % 3
    found = street.caught_up(bundle, "paid")
    assert found["settled"]
    assert {line["state"] for line in found["payees"]} == {"paid as stated"}
    (attempt,) = found["attempts"]
    assert attempt["signed"] == [curator(0), curator(3), curator(1)]
    with browsing(browser) as (page, _):
        page.goto(url)
        expect(page.locator(".title")).to_contain_text("every line as stated, once")
        picture(page, "curator-reconciled")


def test_a_runtime_with_its_metadata_hash_takes_what_was_signed_in_mode_1(
    hashed: Street, browser: Browser
) -> None:
    expected = runtime_metadata_hash(hashed.office.runtime, PASEO)
    for number, place in enumerate((1, 4, 2), 1):
        wallet = Wallet(key(URIS[place]), Mood.WHOLE if number == 2 else Mood.SIGNS)
        with browsing(browser, wallet) as (page, _):
            connected(page, hashed.address(hashed.other))
            page.get_by_role("button", name="What is there to sign?").click()
            sign = page.get_by_role("button", name=f"Sign with {NAME}")
            expect(sign).to_be_visible(timeout=PATIENCE_MS)
            assert shown(page)["Metadata hash"] == f"0x{expected.hex()} (mode 1)"
            last = number == 3
            signed(page, "Approved and executed in block" if last else "more signatures")
        (payload,) = wallet.seen
        assert (payload["mode"], payload["metadataHash"]) == (1, f"0x{expected.hex()}")
    assert hashed.caught_up(hashed.other, "paid")["settled"]


def test_a_paid_payout_is_not_signed_again(street: Street, browser: Browser) -> None:
    street.caught_up(street.paid, "paid")
    with browsing(browser, Wallet(key(URIS[2]))) as (page, _):
        connected(page, street.address(street.paid))
        page.get_by_role("button", name="What is there to sign?").click()
        says(page, "paid before")
        picture(page, "curator-paid-before", "#sign")


def test_what_goes_wrong_among_people_is_said_and_nothing_is_sent(
    street: Street, browser: Browser
) -> None:
    url = street.address(street.other)
    wallet = Wallet(key(URIS[4]), Mood.UNSEEN)
    with browsing(browser, wallet) as (page, _):
        connected(page, url)
        says(page, f"{NAME} did not let this page see its accounts: Rejected.")
        wallet.mood = Mood.REJECTS
        asked(page, url)
        signed(page, f"{NAME} did not sign: Cancelled. Nothing was sent.")
        picture(page, "curator-rejects", "#sign")
        wallet.mood = Mood.ANOTHER
        signed(page, "refused, it has a signature that does not verify")
        says(page, "another payload (call, nonce, era, tip, mode)")
        picture(page, "curator-signs-something-else", "#sign")
    with browsing(browser, Wallet(signer_from_uri("//IBP//Stranger"))) as (page, _):
        connected(page, url)
        says(page, "shows no account of a curator of this multisig")
    assert street.approvals(street.other) == 0


def test_a_curator_who_has_signed_already_is_told_so(street: Street, browser: Browser) -> None:
    url, wallet = street.address(street.other), Wallet(key(URIS[0]))
    with browsing(browser, wallet) as (page, _):
        asked(page, url)
        signed(page, "more signatures are needed")
        page.reload()
        connected(page, url)
        page.get_by_role("button", name="What is there to sign?").click()
        says(page, "has approved this call already")
        says(page, "ibp multisig status other.json")
        picture(page, "curator-signed-already", "#sign")
    assert street.approvals(street.other) == 1


def test_polkadot_vault_gets_the_payload_as_codes_and_its_signature_is_pasted(
    street: Street, browser: Browser
) -> None:
    url = street.address(street.other)
    with browsing(browser) as (page, _):
        page.goto(url)
        expect(page.get_by_text("No wallet extension has shown itself")).to_be_visible()
        page.get_by_role("button", name="Polkadot Vault").click()
        page.get_by_label("Who signs").select_option(curator(2))
        page.get_by_label("without a metadata hash").check()
        with page.expect_response(re.compile("/payload")) as answer:
            page.get_by_role("button", name="What is there to sign?").click()
        code = page.get_by_role("img", name=re.compile("Frame"))
        expect(code).to_be_visible(timeout=PATIENCE_MS)
        # its place is there before it is
        expect(code).to_have_js_property("complete", value=True, timeout=PATIENCE_MS)
        assert code.evaluate("image => image.naturalWidth") > 100
        picture(page, "curator-vault", "#sign")
        field = page.get_by_label("Signature that Vault shows, as hex")
        field.fill("0x1234")
        page.get_by_role("button", name="Send it").click()
        says(page, "a signature has 64 bytes")
        field.fill("not hex")
        page.get_by_role("button", name="Send it").click()
        says(page, "hex digits are expected")
        message = message_of(answer.value.json()["payload"])
        field.fill(key(URIS[3]).sign(message).hex())
        page.get_by_role("button", name="Send it").click()
        says(page, "refused, it has another signer")
        field.fill(key(URIS[2]).sign(message).hex())
        page.get_by_role("button", name="Send it").click()
        says(page, "more signatures are needed")
    assert street.approvals(street.other) == 2


def test_a_page_of_another_origin_cannot_send_a_signature(street: Street, browser: Browser) -> None:
    before = street.approvals(street.other)
    target = f"{street.client.base_url}/api/v1/submissions"
    with another_origin(target) as url, browsing(browser) as (page, complaints):
        page.goto(url)
        page.get_by_role("button", name="Send").click()
        expect(page.locator("body")).to_contain_text(
            "only this server's own pages may send a signature here"
        )
        page.goto(url)
        assert page.evaluate(_FETCHES, target) == ["TypeError"] * 3
        refused = ("CORS", "NotSameOrigin", "net::ERR_FAILED")
        assert [each for each in complaints if not any(r in each for r in refused)] == []
        complaints.clear()
    assert street.approvals(street.other) == before


_FETCHES = """async (url) => {
  const json = { 'Content-Type': 'application/json' }
  const ways = [
    { mode: 'no-cors', headers: { 'Content-Type': 'text/plain' } }, { headers: json },
    { headers: json, credentials: 'include' }
  ]
  const found = []
  for (const way of ways) {
    try {
      const answer = await fetch(url, { method: 'POST', body: '{}', ...way })
      found.push(`${answer.type} ${answer.status}`)
    } catch (error) {
      found.push(error.name)
    }
  }
  return found
}"""


@contextmanager
def another_origin(target: str) -> Iterator[str]:
    """A page of another port, with a form that needs nobody's permission to be sent."""
    body = (
        "<!doctype html><title>Another origin</title>"
        f'<form method="post" action="{target}" enctype="text/plain">'
        "<input name='{\"bundle\": \"' value='\"}'><button>Send</button></form>"
    ).encode()

    class Handler(Quiet):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with http_server(Handler) as url:
        yield f"{url}/"


def test_the_page_is_whole_in_the_dark_and_on_a_phone(street: Street, browser: Browser) -> None:
    with browsing(browser, Wallet(key(URIS[4]))) as (page, _):
        asked(page, street.address(street.other))
        page.emulate_media(color_scheme="dark")
        picture(page, "curator-dark")
        page.set_viewport_size({"width": 360, "height": 780})
        expect(page.locator("html")).to_have_js_property("clientWidth", 360)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        picture(page, "curator-phone-dark")
        page.emulate_media(color_scheme="light")
        picture(page, "curator-phone")


def test_without_javascript_the_page_says_how_to_sign_otherwise(
    street: Street, browser: Browser
) -> None:
    with browsing(browser, java_script_enabled=False) as (page, _):
        page.goto(street.address(street.other))
        expect(page.locator("noscript p")).to_be_visible()
        assert "signing in this page needs JavaScript" in page.locator("noscript p").inner_text()
        expect(page.locator("#desk")).to_be_hidden()
        page.get_by_text("By command line").click()
        expect(page.get_by_text("ibp multisig approve other.json")).to_be_visible()
        picture(page, "curator-without-script", "#sign")
