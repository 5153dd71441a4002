import pytest

from ibp_chain.web.caching import FOREVER, REVALIDATE, matches
from ibp_chain.web.loading import Places
from ibp_chain.web.rendering import static_url
from ledger.state import State
from tests.support import web


@pytest.fixture(scope="module")
def client() -> web.Browser:
    return web.browser()


@pytest.mark.parametrize("path", ["/api/v1/members", "/members", "/members/amforc", "/audit"])
def test_what_has_not_changed_is_not_sent_again(client: web.Browser, path: str) -> None:
    first = client.get(path)
    assert first.headers["cache-control"] == "no-cache"
    again = client.get(path, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert "content-length" not in again.headers


def test_a_tag_is_of_the_state_and_of_what_was_published(client: web.Browser) -> None:
    before = client.get("/api/v1/members").headers["etag"]

    def suspend(state: State) -> None:
        record = state.membership.members.get("amforc")
        state.membership.members.insert("amforc", record._replace(name="Another"))

    tags = {before}
    tags.add(web.browser(web.changed(suspend)).get("/api/v1/members").headers["etag"])
    bare = Places(web.database())
    tags.add(web.browser(places=bare).get("/api/v1/members").headers["etag"])
    assert len(tags) == 3
    answer = client.get("/api/v1/members", headers={"if-none-match": '"another"'})
    assert answer.status_code == 200


def test_errors_are_not_kept_and_are_not_unchanged(client: web.Browser) -> None:
    answer = client.get("/api/v1/members/nobody", headers={"if-none-match": "*"})
    assert answer.status_code == 404
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers


@pytest.mark.parametrize("name", ["site.css", "htmx-2.0.11.min.js", "verify.js"])
def test_files_with_their_hash_in_the_address_are_kept(client: web.Browser, name: str) -> None:
    assert client.get(static_url(name)).headers["cache-control"] == FOREVER


def test_a_module_that_another_imports_is_asked_for_again(client: web.Browser) -> None:
    assert client.get("/static/proof.js").headers["cache-control"] == REVALIDATE


@pytest.mark.parametrize(
    ("asked", "same"),
    [('"a"', True), ('W/"a"', True), ('"b", "a"', True), ("*", True), ('"b"', False), ("a", False)],
)
def test_tags_are_compared_as_the_standard_says(asked: str, same: bool) -> None:
    assert matches(asked, '"a"') is same
