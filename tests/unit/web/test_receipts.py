"""Receipts on the pages: who gets one, and what stands in the way."""

from dataclasses import replace

import pytest

from ibp_chain.web.limits import Rate
from tests.support import web

_CALL = web.CALL_HASH
_PAGE = f"/members/amforc/receipts/{_CALL}"


@pytest.fixture(scope="module")
def client() -> web.Browser:
    return web.browser()


def test_only_members_that_the_call_has_paid_have_one(client: web.Browser) -> None:
    assert client.get(_PAGE).status_code == 200
    answer = client.get(f"/api/v1/members/dwellir/receipts/{_CALL}")
    assert answer.status_code == 404
    assert "has paid dwellir nothing" in answer.json()["detail"]


def test_a_page_offers_receipts_only_where_they_can_be_made(client: web.Browser) -> None:
    assert _PAGE in client.get("/members/amforc").text
    for lacking in (replace(web.full(), bundles=None), replace(web.full(), rows=None)):
        without = web.browser(places=lacking)
        assert _PAGE not in without.get("/members/amforc").text
        assert without.get(_PAGE).status_code == 404


def test_a_call_that_no_bundle_is_of_has_none(client: web.Browser) -> None:
    answer = client.get(f"/api/v1/members/amforc/receipts/0x{'00' * 32}")
    assert answer.status_code == 404
    assert "no bundle of call" in answer.json()["detail"]


def test_a_receipt_allows_its_own_style_and_nothing_else(client: web.Browser) -> None:
    policy = client.get(_PAGE).headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "self" not in policy


def test_receipts_and_their_pages_are_rationed() -> None:
    client = web.browser(rate=Rate(burst=3, seconds_each=60.0))
    assert [client.get(_PAGE).status_code for _ in range(2)] == [200, 429]


def test_the_words_of_a_day_name_their_places(client: web.Browser) -> None:
    found = client.get("/api/v1/days/2026-01-30").json()
    standing = [word for word in found["reports"] if word["root"] == found["root"]]
    assert len(standing) >= found["quorum"]
    assert all(word["extrinsic"] is not None and word["block_hash"] for word in standing)
    assert client.get("/api/v1/days/1999-01-01").status_code == 404


@pytest.mark.parametrize(
    "query",
    ["member=amforc", "day=2026-01-30", "member=amforc&day=2026-01-30",
     "member=amforc&day=2026-01-30&service=a&milestone=3", "member=%3Cb%3E", "milestone=9"],
)  # fmt: skip
def test_half_a_question_for_a_proof_is_refused(client: web.Browser, query: str) -> None:
    assert client.get(f"/verify?{query}").status_code in (400, 422)
