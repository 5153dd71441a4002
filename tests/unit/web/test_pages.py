"""Pages that a browser of this process asks for."""

import re
from datetime import UTC, datetime

import typer
from typer.main import get_command

from ibp_chain.cli.serve import serve
from ibp_chain.types import BlockNumber
from ibp_chain.web.loading import Places
from ibp_chain.web.node_watch import NodeWatch
from ibp_chain.web.queries.chain import NodeView, lag
from ibp_chain.web.security import MAX_PATH, MAX_QUERY
from tests.support import web
from tests.support.command_line import ROOT


def test_without_rows_and_bundles_the_pages_say_what_is_missing() -> None:
    browser = web.browser(places=Places(web.database()))
    said = {
        path: browser.get(path).raise_for_status().text
        for path in ("/members", "/members/amforc", "/oracles", "/payouts", "/audit", "/chain")
    }
    assert "<code>--rows</code>" in said["/members"]
    assert "<code>--rows</code>" in said["/members/amforc"]
    assert "<code>--bundles</code>" in said["/payouts"]
    assert "<code>--archive</code>" in said["/audit"]
    assert "--audit audit.json" in said["/audit"]
    assert "--node URL" in said["/chain"]
    proof = browser.get("/api/v1/members/amforc/scores/2026-01-30/proof?service=polkadot")
    assert proof.status_code == 404
    assert "--rows" in proof.json()["detail"]


def test_the_lag_is_what_the_node_is_ahead() -> None:
    asked = datetime(2026, 2, 1, 3, tzinfo=UTC)
    head = web.snapshot().chain.head.number
    found = lag(web.snapshot(), NodeView(BlockNumber(head + 7), asked, None))
    assert found is not None
    assert (found.behind, found.asked) == (7, "2026-02-01T03:00:00Z")
    lost = lag(web.snapshot(), NodeView(None, asked, "no answer"))
    assert lost is not None
    assert (lost.behind, lost.problem) == (None, "no answer")
    assert lag(web.snapshot(), None) is None


def test_a_filter_shows_what_it_leaves_and_keeps_what_was_asked() -> None:
    text = web.browser().get("/members?q=stake&standing=member&sort=uptime").text
    assert text.count("<tr>") == 2
    assert 'value="stake"' in text
    assert '<option value="member" selected>' in text
    assert "No member fits" in web.browser().get("/members?q=nobody").text


def test_what_could_not_be_read_again_is_said_on_every_page() -> None:
    browser = web.browser()
    browser.app.state.site.loader.problem = "the file is gone"
    for path in ("/members", "/chain", "/nowhere"):
        assert "the file is gone" in browser.get(path).text


def test_a_node_that_does_not_answer_is_said_to_be_so_and_its_last_word_is_kept() -> None:
    asked = datetime(2026, 2, 1, 3, tzinfo=UTC)
    url = "http://127.0.0.1:9/key-of-mine"
    watch = NodeWatch(url, web.snapshot().chain.genesis_hash, lambda: asked)
    watch.view = NodeView(BlockNumber(7), asked, None)
    watch.ask()
    assert watch.view.finalised == 7
    assert watch.view.problem is not None
    assert "the node" in watch.view.problem
    assert "key-of-mine" not in watch.view.problem


def test_the_documentation_has_every_option_and_the_limits_as_they_are() -> None:
    text = (ROOT / "docs" / "web.md").read_text()
    told = set(re.findall(r"^\| `(--[a-z]+)`", text, re.MULTILINE))
    application = typer.Typer()
    application.command()(serve)
    options = {name for each in get_command(application).params for name in each.opts}
    assert told == {name for name in options if name.startswith("--")} - {
        "--install-completion", "--show-completion",
    }  # fmt: skip
    assert f"{MAX_QUERY:,} bytes of query, {MAX_PATH:,} of path" in text
