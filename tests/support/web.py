"""The pages over the bundled recording: a database of it, and the application in this process."""

import asyncio
import atexit
import shutil
from collections.abc import Callable
from copy import copy, deepcopy
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import httpx
from fastapi import FastAPI
from schemathesis import Case

from ibp_chain.networks import network
from ibp_chain.web import checking_pages, serving
from ibp_chain.web.api import router
from ibp_chain.web.app import create_app
from ibp_chain.web.limits import Buckets, Rate
from ibp_chain.web.loading import Loader, Places
from ibp_chain.web.site import Site
from ibp_chain.web.snapshot import Snapshot
from ledger.pallets.scores import Observation, Standing, day_number
from ledger.replay import apply_block
from ledger.state import State
from ledger.store import Identity, Store
from oracles.proof import prove, prove_all, write_proof
from oracles.report import REPORT
from oracles.rowfiles import read_rows
from oracles.rows import Layout
from oracles.samples import OBSERVATION
from tests.support import recording
from tests.support.command_line import DEMO
from tests.support.ledgers import File, tamper

CALL_HASH = "0x88f9717010f763db1cf7a631cbb6a3c2620cdceb6d79edcabc98a6fca24b0f20"
"""Of the recording's bundle."""
ENDLESS = Rate(burst=1_000_000, seconds_each=0.001)


@cache
def folder() -> Path:
    """Of this process: `ledger.db` with the whole recording, and `bundles`."""
    found = Path(mkdtemp(prefix="ibp-web-"))
    atexit.register(shutil.rmtree, found, ignore_errors=True)
    (found / "bundles").mkdir()
    shutil.copy(DEMO / "bundle.json", found / "bundles")
    source, state = recording.source(), State(network("paseo"))
    with Store(f"sqlite:///{found}/ledger.db", Identity("paseo", source.genesis_hash)) as store:
        metadata = source.metadata(recording.SPEC_VERSION)
        v14 = source.metadata_v14(recording.SPEC_VERSION)
        store.collect_runtime(recording.SPEC_VERSION, (metadata, v14))
        for block in recording.blocks():
            store.collect(state, apply_block(state, block, recording.runtime()))
        store.commit()
    return found


def database() -> str:
    return f"sqlite:///{folder()}/ledger.db"


@cache
def full() -> Places:
    """Everything that the server can be given of the recording."""
    return Places(
        database(), rows=DEMO / "rows", bundles=folder() / "bundles", archive=DEMO / "archive"
    )


@cache
def loader(places: Places) -> Loader:
    """That has read everything; shared, so not to be changed."""
    found = Loader(places)
    found.complete()
    return found


def snapshot() -> Snapshot:
    return loader(full()).current


def changed(change: Callable[[State], object]) -> Snapshot:
    """The recording's snapshot with something else in its state."""
    before = snapshot()
    state = deepcopy(before.state)
    change(state)
    return replace(before, chain=replace(before.chain, state=state), state_root=state.root())


def site(of: Snapshot | None = None, places: Places | None = None, rate: Rate = ENDLESS) -> Site:
    """`of` stands for what the loader would have found at `places`."""
    places = places or full()
    own = copy(loader(places))
    own.current = of or own.current
    return Site(places, own, ("localhost",), buckets=Buckets(rate), steady=lambda: 0.0)


def tampered(statement: str, *values: object) -> "Browser":
    """Over a copy of the database in which somebody has changed rows behind the store's back."""
    copied = Path(mkdtemp(dir=folder())) / "ledger.db"
    shutil.copy(folder() / "ledger.db", copied)
    assert tamper(File(copied), statement, *values) > 0
    return browser(places=replace(full(), db=f"sqlite:///{copied}", bundles=None))


class Browser:
    """Without a script, in this process. A mistake in the server is raised here."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost"
            ) as client:
                return await client.request(method, path, **options)

        return asyncio.run(asked())


def browser(
    of: Snapshot | None = None, places: Places | None = None, rate: Rate = ENDLESS
) -> Browser:
    return Browser(create_app(site(of, places, rate)))


def schema() -> dict[str, Any]:
    """The OpenAPI document, without a ledger."""
    app = FastAPI(generate_unique_id_function=lambda route: route.name)
    app.include_router(router)
    app.include_router(checking_pages.api)
    return app.openapi()


async def asked(app: FastAPI, case: Case[Any]) -> httpx.Response:
    """What `app` answers to a generated request."""
    request = case.as_transport_kwargs(base_url="http://localhost")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://localhost"
    ) as client:
        return await client.request(
            request["method"], request["url"], params=request.get("params"),
            headers=dict(request.get("headers") or {}),
        )  # fmt: skip


def proofs_of_day(day: str) -> dict[str, bytes]:
    """One proof for each kind of row of `day`: of its report, and of every observation."""
    scores, number = snapshot().state.scores, day_number(date.fromisoformat(day))
    observed = [said for (_, of), said in scores.observations.items() if of == number]
    rows: list[tuple[Layout[Any], Standing | Observation]] = [
        (REPORT, scores.standing.get(number)),
        *((OBSERVATION, said) for said in observed),
    ]
    found = {}
    for layout, said in rows:
        read = read_rows(DEMO / "rows", layout, root=said.root, size=said.rows)
        for row, proof in zip(read, prove_all(layout, read), strict=True):
            found[f"{type(row).__name__}-{said.root.hex()[:6]}"] = write_proof(proof)
    return found


def proof_of_another_tree(day: str) -> bytes:
    """Sound in itself: of the first row of `day`, in a tree of its own."""
    standing = snapshot().state.scores.standing.get(day_number(date.fromisoformat(day)))
    rows = read_rows(DEMO / "rows", REPORT, root=standing.root, size=standing.rows)
    return write_proof(prove(REPORT, rows[:1], 0))


def proof_of_service(day: str, member: str, service: str) -> bytes:
    """As `ibp oracle prove` prints it."""
    of = date.fromisoformat(day)
    return serving.proof(site(), snapshot(), member, of, service=service, milestone=None)
