"""How long the server takes for each page, and how long the pages are, at 500 members and a year.

    make bench-web
    python -m scripts.bench_web [--members 500] [--days 365]

The state is built by the pallets' own functions: members registered, milestones granted, every day
observed, closed and reported by three oracles that sign; votes and paid lines are written as they
are stored. The rows have no agreed slots, which the pages do not read. One core, no network.
"""

import argparse
import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import TypeVar

import httpx
from fastapi import FastAPI

from ibp_chain.archive import ArchiveSource
from ibp_chain.blocks import BlockRef
from ibp_chain.cli.output import console, row, table
from ibp_chain.keys import signer_from_uri
from ibp_chain.networks import network
from ibp_chain.remark_bodies import (
    Body,
    Member,
    MemberAction,
    Milestone,
    MilestoneAction,
    Observe,
    Program,
    Report,
)
from ibp_chain.remarks import signing_digest
from ibp_chain.types import (
    AccountId,
    BlockNumber,
    Hash,
    Micros,
    Planck,
    PollIndex,
    RelayBlockNumber,
    SpecVersion,
    TrackId,
)
from ibp_chain.web.app import create_app
from ibp_chain.web.loading import Loader, Places
from ibp_chain.web.rendering import compile_all
from ibp_chain.web.site import Site
from ledger.pallets import balances, membership, programme, scores
from ledger.pallets import conviction_voting as cv
from ledger.pallets.payouts import Batch, BatchStatus, PaidLine
from ledger.pallets.programme import Said
from ledger.pallets.referenda import Poll, Status
from ledger.program.polls import uptime
from ledger.program.rules import load_rules
from ledger.replay import BlockReport
from ledger.state import Head, State
from ledger.store import Identity, Store
from oracles.report import REPORT, MilestoneDay, ReportRow, ServiceDay
from oracles.rowfiles import write_rows
from scripts.bench.timing import stay_on_one_core

_DEMO = Path(__file__).parents[1] / "ibp_chain" / "data" / "demo"
_PASEO, _SPEC = network("paseo"), SpecVersion(1_001_002)
_REGIONS = ("europe", "asia", "africa", "north-america", "south-america", "oceania")
_ORACLES = [signer_from_uri(f"//Bench//Oracle//{number}") for number in range(3)]
_FIRST = date(2026, 1, 1)
_PER_DAY = 14_400
B = TypeVar("B", bound=Body)
TARGET_MS, TARGET_BYTES = 200, 150_000


def _account(text: str) -> AccountId:
    return AccountId(blake2b(text.encode(), digest_size=32).digest())


def _said(origin: AccountId, block: int, place: int = 0) -> Said:
    since_1970 = (_FIRST - date(1970, 1, 1)).days * 86_400_000
    time_ms = since_1970 + block * 6_000
    return Said(origin, (BlockNumber(block), place), 1, time_ms, Hash(bytes(32)))


def build(state: State, members: int, days: int, rows: Path, dice: Random) -> None:
    """Everything that a year brings."""
    curators = tuple(_account(f"curator {number}") for number in range(5))
    rules = load_rules()
    said = Program(
        name="A programme of many", rules=rules.hash, curators=curators, threshold=3,
        oracles=tuple(oracle.account for oracle in _ORACLES), quorum=2,
    )  # fmt: skip
    office = programme.curators_account(said)
    programme.program(state.programme, _said(office, 1), said)
    _members(state, office, members)
    _votes(state, members, rules.lock.required_planck(_PASEO))
    for number in range(days):
        _day(state, said, number, members, rows, dice)
    _payouts(state, members, days)


def _members(state: State, office: AccountId, members: int) -> None:
    for number in range(members):
        name, account = f"member-{number:03d}", _account(f"member {number}")
        accounts = {"paseo": account, "kusama": account}
        body = Member(
            action=MemberAction.REGISTER, member=name, name=f"Member Number {number}",
            region=_REGIONS[number % 6], accounts=accounts, payee={"paseo": account},
        )  # fmt: skip
        membership.member(state.membership, _said(office, 2, number), body)
        for milestone in range(1, 2 + number % 8):
            granted = Milestone(
                action=MilestoneAction.GRANT, member=name, milestone=milestone,
                evidence=Hash(bytes(32)),
            )  # fmt: skip
            membership.milestone(state.membership, _said(office, 3 + milestone, number), granted)


def _votes(state: State, members: int, required: Planck) -> None:
    mirrors = state.mirrors
    for poll in range(12):
        ended = Poll(TrackId(0), Status.APPROVED, RelayBlockNumber(1_000 + poll))
        mirrors.referenda.polls.insert(PollIndex(poll), ended)
    for number in range(members):
        account, locked = _account(f"member {number}"), Planck(required if number % 9 else 1)
        vote = cv.Standard(aye=True, conviction=cv.Conviction.LOCKED_6X, balance=locked)
        votes = tuple((PollIndex(poll), vote) for poll in range(12))
        mirrors.conviction_voting.voting_for.insert((account, TrackId(0)), cv.Casting(votes))
        mirrors.conviction_voting.class_locks_for.insert(account, ((TrackId(0), locked),))
        balances.set_lock(
            mirrors.balances, cv.CONVICTION_VOTING_ID, account, locked, balances.Reasons.ALL
        )


def _day(
    state: State, program: Program, number: int, members: int, folder: Path, dice: Random
) -> None:
    day, block = _FIRST + timedelta(days=number), (number + 1) * _PER_DAY
    root = REPORT.root(rows := tuple(_rows(day, members, dice)))
    write_rows(folder, REPORT, rows)
    genesis = state.programme.genesis.value
    assert genesis is not None, "the programme was founded"
    observed = []
    for place, oracle in enumerate(_ORACLES):
        last = state.scores.last_observations.find(oracle.account)
        own = Hash(bytes([place]) + root[1:])
        observed.append(own)
        body = _signed(
            Observe(
                program=genesis.remark, oracle=oracle.account, day=day.isoformat(), root=own,
                rows=len(rows), previous=Hash(bytes(32)) if last is None else last.digest,
                sig=bytes(64),
            ),
            place,
        )  # fmt: skip
        spoken = _said(oracle.account, block + 1, place)
        scores.observe(state.scores, genesis, spoken, body, _PASEO.ss58_prefix)
    closing = _said(_ORACLES[0].account, block + 700)
    scores.on_initialize(
        state.scores, program, state.membership, closing.block, closing.timestamp_ms
    )
    for place, oracle in enumerate(_ORACLES):
        report = _signed(
            Report(
                program=genesis.remark, oracle=oracle.account, day=day.isoformat(), turn=0,
                root=root, rows=len(rows), observes=tuple(sorted(observed)), sig=bytes(64),
            ),
            place,
        )  # fmt: skip
        spoken = _said(oracle.account, block + 701, place)
        scores.report(state.scores, genesis, program, spoken, report, _PASEO.ss58_prefix)


def _signed(body: B, oracle: int) -> B:
    digest = signing_digest(body, _PASEO.ss58_prefix)
    return body.model_copy(update={"sig": _ORACLES[oracle].sign(digest)})


def _rows(day: date, members: int, dice: Random) -> Iterator[ReportRow]:
    for number in range(members):
        failed = dice.randrange(30) if dice.random() < 0.04 else 0
        p50 = 30_000 + dice.randrange(30_000)
        yield ServiceDay(
            day, f"member-{number:03d}", "polkadot", ok=288 - failed, failed=failed, slow=0,
            unknown=0, excluded=0, uptime=uptime(288, failed), p50=Micros(p50),
            p95=Micros(p50 + 25_000), p99=Micros(p50 + 40_000),
        )  # fmt: skip
    for number in range(members):
        for milestone in (3, 5):
            yield MilestoneDay(
                day, f"member-{number:03d}", milestone, points=1, clean=True, failed_charges=0,
                slow_charges=0, failed_run=0, slow_run=0,
            )  # fmt: skip


def _payouts(state: State, members: int, days: int) -> None:
    for month in range(1, days // 31):
        key, period = (BlockNumber(month * 31 * _PER_DAY), 0), f"2026-{month:02d}"
        batch = Batch(
            status=BatchStatus.PAID, period=period, statement=Hash(_account(period)),
            call_hash=Hash(_account(f"call {period}")), extrinsic=2, lines=members,
            total=Planck(members * 10**13), error=None,
        )  # fmt: skip
        state.payouts.batches.insert(key, batch)
        for number in range(members):
            paid = PaidLine(_account(f"member {number}"), Planck(10**13 + number), key, number)
            state.payouts.paid.insert((period, f"member-{number:03d}", "services"), paid)


def written(state: State, folder: Path, days: int) -> str:
    """The database with `state` in it."""
    source = ArchiveSource(_DEMO / "archive")
    last = _said(_account("nobody"), (days + 1) * _PER_DAY)
    head = BlockRef(last.block, Hash(_account("head")))
    state.head.put(Head(head.number, head.hash, RelayBlockNumber(head.number)))
    report = BlockReport(
        ref=head, parent_hash=Hash(bytes(32)), spec_version=_SPEC, timestamp_ms=last.timestamp_ms,
        extrinsics=2, accepted=(), refused=(), batches=(), touched_votes=True, unattributed=(),
    )  # fmt: skip
    url = f"sqlite:///{folder / 'ledger.db'}"
    with Store(url, Identity("paseo", source.genesis_hash)) as store:
        store.collect_runtime(_SPEC, (source.metadata(_SPEC), source.metadata_v14(_SPEC)))
        store.begin(state, report)
        store.commit()
    return url


PAGES = (
    "/members", "/members?q=42", "/members?sort=uptime&offset=450", "/members/member-042",
    "/oracles", "/oracles?offset=310", "/payouts", "/payouts/batches/446400-0", "/audit",
    "/chain", "/about", "/api/v1/members?limit=200", "/api/v1/members/member-042/scores?limit=200",
    "/api/v1/days?limit=200", "/api/v1/paid?limit=200",
)  # fmt: skip


async def measure(app: FastAPI, rounds: int) -> list[tuple[str, int, float, float, int]]:
    """Of each page: status, median and worst milliseconds, bytes."""
    transport = httpx.ASGITransport(app)
    found = []
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for path in PAGES:
            times = []
            for _ in range(rounds):
                began = time.perf_counter()
                answer = await client.get(path)
                times.append((time.perf_counter() - began) * 1_000)
            size = len(answer.content)
            found.append((path, answer.status_code, median(times), max(times), size))
    return found


def main() -> None:
    asked = argparse.ArgumentParser(description="Server time and size of every page.")
    asked.add_argument("--members", type=int, default=500)
    asked.add_argument("--days", type=int, default=365)
    asked.add_argument("--rounds", type=int, default=7)
    options = asked.parse_args()
    stay_on_one_core()
    with TemporaryDirectory(prefix="ibp-bench-web-") as made:
        folder = Path(made)
        dice = Random(2026)  # noqa: S311 - made-up measurements
        state, began = State(_PASEO), time.perf_counter()
        build(state, options.members, options.days, folder / "rows", dice)
        url = written(state, folder, options.days)
        console.print(f"built in {time.perf_counter() - began:.0f} s")
        began = time.perf_counter()
        loader = Loader(Places(url, rows=folder / "rows"))
        first = time.perf_counter() - began
        loader.complete()
        console.print(
            f"first pages after {first:.1f} s, all rows read after "
            f"{time.perf_counter() - began:.1f} s"
        )
        site = Site(loader.places, loader, ("localhost",), clock=lambda: datetime.now(UTC))
        app = create_app(site)
        app.openapi()
        compile_all()
        found = asyncio.run(measure(app, options.rounds))
        view = table(
            f"{options.members} members, {options.days} days, "
            f"targets {TARGET_MS} ms and {TARGET_BYTES:,} bytes",
            "path", "status", "median ms", "worst ms", "bytes", "",
            right=("status", "median ms", "worst ms", "bytes"),
        )  # fmt: skip
        for path, status, middle, worst, size in found:
            page = not path.startswith("/api/")
            missed = middle > TARGET_MS or (page and size > TARGET_BYTES)
            row(view, path, status, f"{middle:.0f}", f"{worst:.0f}", f"{size:,}",
                "missed" if missed else "")  # fmt: skip
        console.print(view)


if __name__ == "__main__":
    main()
