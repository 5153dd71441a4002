"""Signing where no chain answers: who may send, what is taken, what is said."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case

from ibp_chain.blocks import BlockRef
from ibp_chain.cli.serve_signing import desk_at
from ibp_chain.errors import CallFailed, SourceError
from ibp_chain.extrinsics import Inclusion
from ibp_chain.types import BlockNumber, Hash
from ibp_chain.web import signing_api
from ibp_chain.web.app import create_app
from ibp_chain.web.errors import NotFound, TooOften
from ibp_chain.web.limits import Buckets, Rate
from ibp_chain.web.models import Problem, SubmissionShown, SubmissionState
from ibp_chain.web.security import MAX_BODY, SUBMISSIONS
from ibp_chain.web.snapshot import Snapshot
from ibp_chain.web.submissions import MOST_KEPT, MOST_WAITING, Submissions, told_of, told_of_error
from multisig.approve import Approval
from tests.support import payouts, web
from tests.support.patience import until

NODE = "http://127.0.0.1:9/key-of-mine"
CURATOR = payouts.bundle().multisig.signatories[0]
PAYLOAD = f"/api/v1/bundles/{web.CALL_HASH}/payload"
OWN = {"Origin": "http://localhost", "Content-Type": "application/json"}


def browser(of: Snapshot | None = None, rate: Rate = web.ENDLESS) -> web.Browser:
    """A server where curators sign, and whose node does not answer."""
    site = web.site(of)
    desk = desk_at(NODE, site.places)
    return web.Browser(create_app(replace(site, desk=desk, signing_buckets=Buckets(rate))))


@pytest.fixture(scope="module")
def client() -> web.Browser:
    return browser()


def post(client: web.Browser, body: bytes, headers: Mapping[str, str] = OWN) -> httpx.Response:
    return client.request("POST", SUBMISSIONS, content=body, headers=dict(headers))


# --- Who may send ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": None}, {"Origin": "null"}, {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:8081"}, {"Origin": "localhost"}, {"Origin": "file://localhost"},
        {"Origin": "http://localhost.evil.example"}, {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"},
    ],
)  # fmt: skip
def test_only_a_page_of_this_origin_may_send(
    client: web.Browser, headers: Mapping[str, str | None]
) -> None:
    sent = {name: value for name, value in {**OWN, **headers}.items() if value is not None}
    answer = post(client, b"{}", sent)
    assert answer.status_code == 403
    assert "only this server's own pages" in answer.json()["detail"]
    assert "access-control-allow-origin" not in answer.headers


def test_a_page_of_this_origin_may_send_behind_a_proxy_with_tls(client: web.Browser) -> None:
    headers = {**OWN, "Origin": "https://LOCALHOST", "Sec-Fetch-Site": "same-origin"}
    assert post(client, b"{}", headers).status_code == 422


@pytest.mark.parametrize(
    ("kind", "status"),
    [("text/plain", 415), ("application/x-www-form-urlencoded", 415), ("", 415),
     ("application/jsonp", 415), ("application/json; charset=utf-8", 422)],
)  # fmt: skip
def test_a_signature_comes_as_json_only(client: web.Browser, kind: str, status: int) -> None:
    assert post(client, b"{}", {**OWN, "Content-Type": kind}).status_code == status


def test_what_is_sent_has_a_length_and_a_bound(client: web.Browser) -> None:
    assert post(client, b"", {**OWN, "Content-Length": str(MAX_BODY + 1)}).status_code == 413
    assert post(client, b"", {**OWN, "Content-Length": "9" * 5_000}).status_code == 413
    assert post(client, b"", {**OWN, "Content-Length": "-1"}).status_code == 411
    chunked = {**OWN, "Transfer-Encoding": "chunked"}
    assert post(client, b"{}", chunked).status_code == 411


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_nothing_else_takes_anything_in(client: web.Browser, method: str) -> None:
    for path in (PAYLOAD, "/members", f"{SUBMISSIONS}/name", "/api/v1/bundles"):
        assert client.request(method, path, headers=OWN).status_code == 405
    if method != "POST":
        assert client.request(method, SUBMISSIONS, headers=OWN).status_code == 405


def test_without_the_option_nothing_is_taken_and_the_page_says_how_to_sign() -> None:
    plain = web.browser()
    assert post(plain, b"{}").status_code == 405
    assert plain.get(f"{PAYLOAD}?address={CURATOR}").status_code == 404
    assert SUBMISSIONS not in plain.get("/api/v1/openapi.json").json()["paths"]
    text = plain.get(f"/payouts/bundles/{web.CALL_HASH}").text
    assert "<code>--sign</code>" in text
    assert "ibp multisig approve bundle.json" in text
    assert "sign.js" not in text


def test_with_the_option_the_page_has_one_script_more_and_the_same_policy(
    client: web.Browser,
) -> None:
    path = f"/payouts/bundles/{web.CALL_HASH}"
    with_, without = client.get(path), web.browser().get(path)
    assert with_.headers["content-security-policy"] == without.headers["content-security-policy"]
    assert with_.text.count("<script") == without.text.count("<script") + 1
    assert 'type="module"' in with_.text
    assert SUBMISSIONS in client.get("/api/v1/openapi.json").json()["paths"]


# --- What is said ---------------------------------------------------------------------


def test_a_node_that_does_not_answer_is_said_to_be_so_without_its_address() -> None:
    answer = browser().get(f"{PAYLOAD}?address={CURATOR}")
    assert answer.status_code == 502
    assert "the node" in answer.json()["detail"]
    assert "key-of-mine" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("address", "status"),
    [("1" * 48, 422), (CURATOR[:-1] + "1", 422), ("0x00", 422), ("", 422), ("x" * 65, 422),
     ("5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY", 502)],
)  # fmt: skip
def test_addresses_are_read_before_the_node_is_asked(
    client: web.Browser, address: str, status: int
) -> None:
    assert client.get(PAYLOAD, params={"address": address}).status_code == status


def test_a_bundle_that_is_not_there_is_not_found(client: web.Browser) -> None:
    none = "0x" + "0" * 64
    assert client.get(f"/api/v1/bundles/{none}/payload?address={CURATOR}").status_code == 404
    body = json.dumps({"bundle": none, "payload": {}, "signature": "0x"}).encode()
    assert post(client, body).status_code == 404
    assert client.get(f"{SUBMISSIONS}/unknown").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"null", b"{", b"\xff\xfe", b'{"\\ud800": 1}', b"[" * 200_000,
        b'{"bundle": ' + b"9" * 10_000 + b"}", b'{"bundle": NaN}',
        json.dumps({"bundle": web.CALL_HASH, "payload": {}}).encode(),
        json.dumps({"bundle": web.CALL_HASH, "payload": {"address": "\ud800"}}).encode(),
        json.dumps({"bundle": web.CALL_HASH, "payload": {"\ud800": 1}}).encode(),
        json.dumps({"bundle": web.CALL_HASH, "payload": {"nonce": 2**70}}).encode(),
        json.dumps({"bundle": web.CALL_HASH, "payload": {}, "other": 1}).encode(),
    ],
    ids=["empty", "list", "null", "broken", "no-utf8", "half-a-character", "deep", "long-number",
         "nan", "no-payload", "half-an-address", "half-a-name", "large-nonce", "a-field-more"],
)  # fmt: skip
def test_a_body_that_is_no_signature_is_the_senders_fault(client: web.Browser, body: bytes) -> None:
    answer = post(client, body)
    assert answer.status_code in (400, 422)
    Problem.model_validate_json(answer.content)


def test_asking_and_sending_are_rationed_together() -> None:
    client = browser(rate=Rate(burst=2, seconds_each=60.0))
    body = json.dumps({"bundle": web.CALL_HASH, "payload": {}}).encode()
    answers = [client.get(f"{PAYLOAD}?address={CURATOR}"), post(client, body), post(client, body)]
    assert [each.status_code for each in answers] == [502, 422, 429]
    assert int(answers[-1].headers["retry-after"]) == 60


# --- The document ---------------------------------------------------------------------


def _document() -> dict[str, Any]:
    app = FastAPI(generate_unique_id_function=lambda route: route.name)
    app.include_router(signing_api.router)
    return app.openapi()


schema = schemathesis.openapi.from_dict(_document())


@schema.parametrize()
@settings(
    max_examples=5,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_no_answer_is_a_mistake_of_the_servers(case: Case[Any], client: web.Browser) -> None:
    answer = asyncio.run(_asked(client.app, case))
    assert answer.status_code < 500 or answer.status_code == 502
    known = case.operation.definition.raw["responses"]
    assert str(answer.status_code) in known or answer.status_code in (405, 411, 414)


async def _asked(app: FastAPI, case: Case[Any]) -> httpx.Response:
    given = case.as_transport_kwargs(base_url="http://localhost")
    headers = {**dict(given.pop("headers", None) or {}), "Origin": "http://localhost"}
    given["content"] = given.pop("data", None)
    given.pop("cookies", None)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.request(**given, headers=headers)


# --- What became of it ----------------------------------------------------------------

INCLUDED = Inclusion(BlockRef(BlockNumber(7), Hash(bytes(32))), 2, Hash(bytes(32)), (), None)


def shown(name: str) -> SubmissionShown:
    return SubmissionShown(
        id=name, bundle="", address="", extrinsic="", state=SubmissionState.WAITING, message="",
        block=None,
    )  # fmt: skip


def settled(kept: Submissions, name: str) -> SubmissionShown:
    """Its thread ends by itself."""
    until(lambda: kept.of(name).state is not SubmissionState.WAITING, lambda: f"{name} still waits")
    return kept.of(name)


@pytest.mark.parametrize(
    ("executed", "error", "state", "said"),
    [
        (False, None, SubmissionState.APPROVED, "more signatures are needed"),
        (True, None, SubmissionState.EXECUTED, "Approved and executed in block 7."),
        (True, "Token.FundsUnavailable", SubmissionState.FAILED_INSIDE, "nothing was paid"),
    ],
    ids=["approved", "executed", "failed-inside"],
)
def test_an_approval_is_told_as_the_command_tells_it(
    executed: bool, error: str | None, state: SubmissionState, said: str
) -> None:
    told = told_of(Approval(INCLUDED, executed, error))
    assert (told.state, told.block) == (state, 7)
    assert said in told.message


def test_what_failed_and_what_nobody_knows_are_not_the_same() -> None:
    assert told_of_error(CallFailed("its era has ended")).state is SubmissionState.FAILED
    assert told_of_error(SourceError("no answer")).state is SubmissionState.UNKNOWN


def test_only_so_many_wait_and_only_so_many_are_kept() -> None:
    kept = Submissions(lambda text: text.replace("secret", "the node"))

    def lost() -> Approval:
        raise SourceError("secret went away")

    for number in range(MOST_KEPT + 3):
        kept.reserve()
        kept.watch(shown(f"{number}"), lost)
        assert settled(kept, f"{number}").message == "the node went away."
    with pytest.raises(NotFound, match="ibp multisig status"):
        kept.of("2")
    assert kept.of("3").state is SubmissionState.UNKNOWN
    for _ in range(MOST_WAITING):
        kept.reserve()
    with pytest.raises(TooOften, match="nothing was sent"):
        kept.reserve()
    kept.release()
    kept.reserve()
