"""Stored results of simulations on a bundle's page: as the command prints them, and no other."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from ibp_chain.blocks import BlockRef
from ibp_chain.cli import simulate
from ibp_chain.cli.output import print_json
from ibp_chain.types import BlockNumber, SpecVersion
from ibp_chain.web.loading import Loader
from ibp_chain.web.reads import block_facts
from ibp_chain.web.simulation_files import FOLDER, read_simulations
from ibp_chain.web.snapshot import BlockFacts, Snapshot
from ledger.store import Store
from multisig.simulate import Change, Simulation, Way
from tests.support import payouts, web

BUNDLE = payouts.bundle()
PATH = f"/payouts/bundles/{web.CALL_HASH}"
HEAD = web.snapshot().chain.head
Page = Callable[[str], tuple[str, dict[str, Any]]]


def simulated(block: int, simulated_planck: int | None = None) -> Simulation:
    line = BUNDLE.statement.lines[0]
    payee = BUNDLE.multisig.account_ids(BUNDLE.network)[0]
    got = line.planck if simulated_planck is None else simulated_planck
    wrong = () if got == line.planck else ("amforc: a difference",)
    with Store(web.database()) as store:
        facts = block_facts(store, [BlockNumber(block)])
    digest = facts[BlockNumber(block)].hash if facts else HEAD.hash
    at = BlockRef(BlockNumber(block), digest)
    changes = (Change(payee, line.member, line.planck, got),)
    return Simulation(Way.DRY_RUN, at, SpecVersion(BUNDLE.chain.spec_version), changes, None, wrong)


def printed(monkeypatch: pytest.MonkeyPatch, *found: Simulation, misread: str = "") -> str:
    """What `ibp multisig simulate --json` writes."""
    out = StringIO()
    monkeypatch.setattr("sys.stdout", out)
    said = [misread] if misread else []
    print_json(simulate._json(BUNDLE, list(found), {Way.FORK: "--dry-run-only"}, said))
    monkeypatch.undo()
    return out.getvalue()


@pytest.fixture
def page(tmp_path: Path) -> Page:
    """The bundle's page, and the API's answer, with `text` stored beside the bundle."""
    (tmp_path / FOLDER).mkdir()

    def stored_as(text: str) -> tuple[str, dict[str, Any]]:
        (tmp_path / FOLDER / f"{web.CALL_HASH}.json").write_text(text)
        before = web.snapshot()
        bundles = replace(
            before.bundles, simulations=read_simulations(tmp_path, before.bundles.files)
        )
        browser = web.browser(replace(before, bundles=bundles, blocks=with_simulated(before)))
        return browser.get(PATH).text, browser.get(f"/api/v1/bundles/{web.CALL_HASH}").json()

    def with_simulated(before: Snapshot) -> dict[BlockNumber, BlockFacts]:
        with Store(web.database()) as store:
            return {**before.blocks, **block_facts(store, [BlockNumber(60_100)])}

    return stored_as


def test_a_stored_result_is_shown_with_its_block_and_age(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, answer = page(printed(monkeypatch, simulated(60_100)))
    (found,) = answer["simulation"]["simulations"]
    assert (found["at"]["block"], found["behind"]) == (60_100, HEAD.number - 60_100)
    assert not found["other_fork"]
    assert answer["simulation"]["agrees"]
    assert "by dry run at block 60,100, 8 blocks before this page" in text
    assert "No fork: --dry-run-only." in text


def test_a_result_that_differs_is_an_alarm(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    text, answer = page(printed(monkeypatch, simulated(60_100, 1), misread="it says otherwise"))
    assert not answer["simulation"]["agrees"]
    assert "does not agree" in text
    assert "amforc: a difference" in text
    assert "it says otherwise" in text


def test_a_result_of_another_fork_or_a_later_block_is_said_to_be_so(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = json.loads(printed(monkeypatch, simulated(60_100)))
    value["simulations"][0]["block_hash"] = "0x" + "ab" * 32
    assert "another fork or chain" in page(json.dumps(value))[0]
    later = printed(monkeypatch, simulated(HEAD.number + 5))
    assert "which this ledger does not have yet" in page(later)[0]


def test_hostile_words_in_a_result_are_text(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    value = json.loads(printed(monkeypatch, simulated(60_100, 1)))
    value["simulations"][0]["differences"] = ["<script>alert(1)</script>"]
    value["simulations"][0]["changes"][0]["account"] = '"><img src=x>'
    text, _ = page(json.dumps(value))
    assert "<script>alert" not in text
    assert "<img src=x" not in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda value: value.update(call_hash="0x" + "00" * 32), "another call"),
        (lambda value: value.update(agrees=False), "contradicts itself"),
        (lambda value: value["simulations"][0].update(differences=["x"]), "names differences"),
        (lambda value: value["simulations"][0].update(fees="-1"), "fees"),
        (lambda value: value["simulations"][0].update(more=1), "more"),
        (lambda value: value.pop("simulations"), "simulations"),
    ],
    ids=["other-call", "contradiction", "hidden", "fees", "unknown", "missing"],
)
def test_what_is_no_result_of_this_call_is_not_shown_and_said_why(
    page: Page, monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], object],
    said: str,
) -> None:  # fmt: skip
    value = json.loads(printed(monkeypatch, simulated(60_100)))
    change(value)
    text, answer = page(json.dumps(value))
    assert answer["simulation"] is None
    assert said in answer["simulation_refused"]
    assert "The stored simulation is not shown" in text


def test_a_page_without_a_stored_result_says_how_to_make_one() -> None:
    text = web.browser().get(PATH).text
    assert "ibp multisig simulate bundle.json --node URL --json" in text
    assert f"simulations/{web.CALL_HASH}.json" in text


def test_the_server_reads_it_beside_the_bundles_with_the_time_of_its_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(web.folder() / "bundles", tmp_path / "bundles")
    places = replace(web.full(), bundles=folder, rows=None, archive=None)
    loader = Loader(places)
    before = loader.current.version
    (folder / FOLDER).mkdir()
    text = printed(monkeypatch, simulated(60_101))
    (folder / FOLDER / f"{web.CALL_HASH}.json").write_text(text)
    loader.refresh()
    assert loader.current.version != before
    assert loader.current.time_of(BlockNumber(60_101)) is not None
    found = web.browser(loader.current).get(f"/api/v1/bundles/{web.CALL_HASH}").json()
    assert found["simulation"]["simulations"][0]["at"]["time"] is not None
