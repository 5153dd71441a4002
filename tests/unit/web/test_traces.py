"""Fees, deposits and payees' balances on a bundle's page: by an archive's blocks, or not."""

import json
import shutil
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ibp_chain.archive import ArchiveSource
from ibp_chain.archive_blocks import Recorded
from ibp_chain.blocks import blake2_256
from ibp_chain.types import BlockNumber, Hash
from ibp_chain.web import traces as web_traces
from ibp_chain.web.loading import Loader, Places
from ibp_chain.web.queries.traced import blocks_of
from ibp_chain.web.traces import Tracer, Traces
from ledger.pallets.multisig.types import Closing, Position
from ledger.state import State
from multisig.plan import Kind, PlanPart
from multisig.reconcile import Outcome
from tests.support import recording, web
from tests.support.archives import demo_writer
from tests.support.command_line import DEMO
from tests.support.in_process import ibp_here

CALL = Hash(bytes.fromhex(web.CALL_HASH[2:]))
PATH = f"/payouts/bundles/{web.CALL_HASH}"
API = f"/api/v1/bundles/{web.CALL_HASH}"


def tracer(archive: Path | None) -> Tracer:
    return Tracer(archive, Places(web.database(), archive=archive).without_paths)


def traces(of: Tracer, state: State | None = None) -> Traces:
    found = web.snapshot()
    return of.traces(found.bundles, state or found.state, found.chain.genesis_hash)


def first_blocks(folder: Path, count: int, genesis: Hash | None = None) -> Path:
    writer = demo_writer(folder, genesis)
    for block in recording.blocks()[:count]:
        writer.append(Recorded(block, None))
    writer.flush()
    return folder


def with_closings(**changed: Any) -> State:
    """The recording's state, in which every executed payout was closed otherwise."""
    state = deepcopy(web.snapshot().state)
    operations = state.mirrors.multisig.operations
    for key, operation in [*operations.items()]:
        if isinstance(operation.closing, Closing):
            closing = operation.closing._replace(**changed)
            operations.insert(key, operation._replace(closing=closing))
    return state


def test_the_page_has_the_fees_and_balances_that_reconcile_finds_in_the_blocks() -> None:
    """The recording's bundle failed inside once and was paid by others."""
    of = (DEMO / "bundle.json", "--archive", DEMO / "archive")
    said = ibp_here("multisig", "reconcile", *of, "--json")
    theirs = json.loads(said.stdout)["attempts"]
    ours = web.browser().get(API).json()["attempts"]
    assert len(ours) == len(theirs) == 2
    for own, other in zip(ours, theirs, strict=True):
        shown = own["blocks"]
        assert [
            (fee["extrinsic"], fee["payer"], fee["fee"]["planck"]) for fee in shown["fees"]
        ] == [
            (f"{fee['block']}-{fee['extrinsic']}", fee["payer"], fee["fee"])
            for fee in other["fees"]
        ]
        assert shown["fees_total"]["planck"] == str(sum(int(fee["fee"]) for fee in other["fees"]))
        assert {each["payee"]: each["planck"] for each in shown["received"]} == other["received"]
    failed, paid = (own["blocks"] for own in ours)
    assert {each["planck"] for each in failed["received"]} == {"0"}
    assert all(int(each["planck"]) > 0 for each in paid["received"])
    page = web.browser().get(PATH).text
    assert f"Fees {paid['fees_total']['display']}; deposit returned" in page
    assert f"+{paid['received'][0]['display'].lstrip('+')}" in page


def test_without_an_archive_the_page_has_none_and_says_nothing_of_it() -> None:
    places = replace(web.full(), archive=None)
    answer = web.browser(places=places).get(API).json()
    assert {attempt["blocks"] for attempt in answer["attempts"]} == {None}
    assert answer["blocks_problem"] is None
    assert "By the events of" not in web.browser(places=places).get(PATH).text


def test_an_archive_that_ends_too_early_or_is_of_another_chain_is_named(tmp_path: Path) -> None:
    short = first_blocks(tmp_path / "short", 20)
    other = first_blocks(tmp_path / "other", 20, Hash(blake2_256(b"another chain")))
    for archive, words in ((short, "has blocks"), (other, "is of another chain")):
        answer = web.browser(places=replace(web.full(), archive=archive)).get(API).json()
        assert words in answer["blocks_problem"]
        assert str(tmp_path) not in json.dumps(answer)
        assert {attempt["blocks"] for attempt in answer["attempts"]} == {None}


def test_a_block_that_the_archive_skips_is_named() -> None:
    """An archive of the same genesis need not be of the same blocks: heights have gaps."""
    skipped = with_closings(at=Position(BlockNumber(500), 2))
    found = traces(tracer(DEMO / "archive"), skipped)[CALL]
    assert found.problem is not None
    assert "block 500" in found.problem


def test_what_was_read_is_kept_and_what_could_not_be_read_is_tried_again(tmp_path: Path) -> None:
    archive = first_blocks(tmp_path / "archive", 20)
    of = tracer(archive)
    before = traces(of)[CALL]
    assert before.problem
    assert traces(of, deepcopy(web.snapshot().state))[CALL] is before
    shutil.rmtree(archive)
    shutil.copytree(DEMO / "archive", archive)
    after = traces(of)[CALL]
    assert after.problem is None
    shutil.rmtree(archive)
    assert traces(of)[CALL] is after


def test_what_was_read_of_another_file_with_the_same_call_is_not_kept() -> None:
    """What it claims besides its call may be another: how it pays, which chain it is for."""
    of, whole = tracer(DEMO / "archive"), web.snapshot()
    before = traces(of)[CALL]
    file = whole.bundles.files[CALL]
    claims = file.bundle.model_copy(update={"plan": PlanPart(kind=Kind.CHILD_CLAIMS)})
    other = replace(whole.bundles, files={CALL: replace(file, bundle=claims)})
    genesis = whole.chain.genesis_hash
    assert of.traces(other, whole.state, genesis)[CALL] is not before
    assert of.traces(other, deepcopy(whole.state), genesis)[CALL].attempts == before.attempts


def test_an_archive_that_cannot_be_opened_is_opened_once_for_all_bundles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    class Opened(ArchiveSource):
        def __init__(self, location: Path) -> None:
            opened.append(location)
            super().__init__(location)

    monkeypatch.setattr(web_traces, "ArchiveSource", Opened)
    whole, of = web.snapshot(), tracer(tmp_path / "none")
    file = whole.bundles.files[CALL]
    two = replace(whole.bundles, files={CALL: file, Hash(bytes(32)): replace(file, file="two")})
    found = of.traces(two, whole.state, whole.chain.genesis_hash)
    assert len(found) == 2
    assert all(each.problem for each in found.values())
    assert len(opened) == 1


def test_where_nothing_has_changed_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    of = tracer(DEMO / "archive")
    before = traces(of)
    monkeypatch.setattr(web_traces, "reconcile", None)
    assert traces(of) is before


def test_of_a_cancelled_operation_no_balances_are_shown() -> None:
    (attempt, _) = traces(tracer(DEMO / "archive"))[CALL].attempts
    cancelled = replace(attempt, outcome=Outcome.CANCELLED)
    before = web.snapshot()
    known = before.traces[CALL]
    assert known.found is not None
    own = replace(known.found.attempts[0], attempt=cancelled)
    changed = replace(known, found=replace(known.found, attempts=(own,)))
    shown = blocks_of(
        replace(before, traces={CALL: changed}), before.bundles.files[CALL], cancelled
    )
    assert shown is not None
    assert shown.fees
    assert shown.received == ()


def test_a_ledger_that_says_otherwise_than_the_blocks_is_an_alarm() -> None:
    state = with_closings(error="Balances.Frozen")
    before = web.snapshot()
    lying = replace(
        before,
        chain=replace(before.chain, state=state),
        traces=traces(tracer(DEMO / "archive"), state),
    )
    answer: dict[str, Any] = web.browser(lying).get(API).json()
    assert any("Balances.Frozen" in each for each in answer["contradictions"])
    assert "blocks and the ledger differ" in web.browser(lying).get(PATH).text


def test_the_loader_reads_them_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loader = Loader(web.full())
    loader.complete()
    before = loader.current.traces[CALL]
    monkeypatch.setattr(ArchiveSource, "blocks", None)
    loader.refresh()
    assert loader.current.traces[CALL] is before
