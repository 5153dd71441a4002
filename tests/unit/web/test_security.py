"""What may be asked at all, what every answer carries, and that strangers' words stay words."""

import pytest

from ibp_chain.types import BlockNumber
from ibp_chain.web.exports import defused
from ibp_chain.web.limits import Rate
from ibp_chain.web.security import HEADERS, host_name
from ibp_chain.web.snapshot import Snapshot
from ledger.pallets.membership import MemberStatus
from ledger.state import State
from tests.support import web

PAGES = (
    "/members", "/members/amforc", "/oracles", "/payouts", "/payouts/batches/60107-0",
    f"/payouts/bundles/{web.CALL_HASH}", "/audit", "/chain", "/about",
)  # fmt: skip
HOSTILE = """<script>alert(1)</script>"'><img src=x onerror=alert(2)>{{ 7*7 }}"""


@pytest.fixture(scope="module")
def client() -> web.Browser:
    return web.browser()


@pytest.mark.parametrize("path", [*PAGES, "/nowhere", "/static/site.css", "/api/v1/head"])
def test_every_answer_carries_every_header(client: web.Browser, path: str) -> None:
    answer = client.get(path)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS


@pytest.mark.parametrize("path", PAGES)
def test_pages_hold_nothing_that_the_policy_would_refuse(client: web.Browser, path: str) -> None:
    text = client.get(path).text
    assert " style=" not in text
    assert "<style" not in text
    assert " onclick" not in text
    assert text.count("<script") == text.count('<script src="/static/') == 2
    assert text.count("integrity=") == 3


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1", "", "[::1]", "evil@localhost"]
)
def test_a_name_that_the_server_is_not_known_by_is_refused(client: web.Browser, host: str) -> None:
    answer = client.get("/api/v1/head", headers={"host": host})
    assert answer.status_code == 421
    assert "0x" not in answer.text


def test_a_port_belongs_to_no_name() -> None:
    assert host_name("LOCALHOST:8080") == "localhost"
    assert host_name("[::1]:8080") == "[::1]"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_but_reading_is_answered(client: web.Browser, method: str) -> None:
    answer = client.request(method, "/members")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_head_is_get_without_its_body(client: web.Browser) -> None:
    whole, head = client.get("/members"), client.request("HEAD", "/members")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == whole.headers["content-length"]
    assert head.headers["etag"] == whole.headers["etag"]


def test_long_queries_and_bodies_are_refused(client: web.Browser) -> None:
    assert client.get("/members?q=" + "a" * 3_000).status_code == 414
    assert client.get("/" + "a" * 2_000).status_code == 414
    assert client.request("GET", "/members", content=b"body").status_code == 413


# --- Strangers' words -------------------------------------------------------------------


def named(text: str) -> Snapshot:
    def change(state: State) -> None:
        record = state.membership.members.get("amforc")
        state.membership.members.insert(
            "amforc",
            record._replace(
                name=text, region=text, reason=text, status=MemberStatus.SUSPENDED,
                accounts=((text, record.accounts[0][1]), *record.accounts),
            ),
        )  # fmt: skip

    return web.changed(change)


@pytest.fixture(scope="module")
def hostile() -> web.Browser:
    return web.browser(named(HOSTILE))


@pytest.mark.parametrize("path", PAGES)
def test_hostile_names_are_shown_as_they_are_and_do_nothing(
    hostile: web.Browser, path: str
) -> None:
    text = hostile.get(path).text
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    if path.startswith("/members"):
        assert "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&gt;&lt;img" in text
        assert "{{ 7*7 }}" in text


def test_hostile_remarks_are_shown_as_they_are() -> None:
    """What a remark's origin wrote ends up in the reason that the ledger keeps."""
    browser = web.tampered("UPDATE rejection SET reason = ?", HOSTILE)
    text = browser.get("/audit").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert browser.get("/api/v1/rejections").json()["items"][0]["reason"] == HOSTILE


@pytest.mark.parametrize(
    "query",
    [
        "q=%3Cscript%3Ealert(1)%3C/script%3E", "q=%27%22%3E%3Csvg/onload=1%3E",
        "q=%00", "q=%FF%FE", "q=%E2%80%AE",
    ],
)  # fmt: skip
def test_hostile_searches_are_echoed_as_text(client: web.Browser, query: str) -> None:
    answer = client.get(f"/members?{query}")
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "<svg/onload" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/members/..%2f..%2fetc%2fpasswd", "/members/AMFORC", "/members/a%00b",
        "/payouts/bundles/0x12", "/payouts/batches/1-", "/payouts/batches/99999999999-1",
        "/identicon/..svg", "/identicon/%3Cscript%3E.svg", "/static/../app.py",
        "/static/%2e%2e/app.py", "/api/v1/archive/..%2f..%2fpyproject.toml",
        "/api/v1/archive/../demo.json", "/api/v1/archive//etc/passwd",
        "/api/v1/exports/state_entry.csv", "/api/v1/exports/ledger_meta.csv",
        "/api/v1/exports/member.xml", "/api/v1/roots/0", "/api/v1/roots/4294967296",
        "/api/v1/members?limit=201", "/api/v1/members?limit=0", "/api/v1/members?offset=-1",
        "/api/v1/members/amforc/scores/1969-12-31/proof?service=polkadot",
        "/api/v1/members/amforc/scores/2026-01-30/proof",
        "/api/v1/members/amforc/scores/2026-01-30/proof?service=polkadot&milestone=3",
        "/audit?block=0", "/audit?block=99999999999", "/members?standing=king",
        "/members/amforc?month=2026-13",
    ],
)  # fmt: skip
def test_bad_requests_are_the_askers_fault(client: web.Browser, path: str) -> None:
    answer = client.get(path)
    assert 400 <= answer.status_code < 500
    assert "Traceback" not in answer.text
    assert "/work" not in answer.text
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r=1", "|x", "%x"]
)
def test_a_cell_that_a_spreadsheet_would_run_is_defused(text: str) -> None:
    assert defused(text) == "'" + text


@pytest.mark.parametrize("text", ["amforc", "0x12", "100", "a=b", "2026-01-30", ""])
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert defused(text) == text


# --- Limits -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/roots/100", "/audit?block=100", "/api/v1/exports/member.csv",
        "/api/v1/members/amforc/scores/2026-01-30/proof?service=polkadot",
    ],
)  # fmt: skip
def test_expensive_reads_are_rationed(path: str) -> None:
    client = web.browser(rate=Rate(burst=2, seconds_each=60.0))
    answers = [client.get(path) for _ in range(3)]
    assert answers[0].status_code == 200
    assert answers[-1].status_code == 429
    assert 60 <= int(answers[-1].headers["retry-after"]) <= 120
    assert client.get("/api/v1/head").status_code == 200


def test_a_block_that_is_not_there_is_said_to_be_so(client: web.Browser) -> None:
    answer = client.get("/api/v1/roots/999999")
    assert (answer.status_code, answer.json()["status"]) == (404, 404)
    assert answer.json()["detail"].startswith("ledger.db ends with block 60108")
    page = client.get("/audit?block=999999").text
    assert "ends with block 60108" in page
    assert str(web.folder()) not in page
    assert BlockNumber(60_108) == web.snapshot().chain.head.number
