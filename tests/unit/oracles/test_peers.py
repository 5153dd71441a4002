"""Fetching rows from real servers on loopback, most of which mean no good."""

import asyncio
import gzip
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from ibp_chain.errors import ConfigError
from ibp_chain.types import AccountId, Hash
from oracles.layout import SLOTS
from oracles.peers import (
    MAX_ROW,
    FetchRefused,
    Gathered,
    Limits,
    Peer,
    Reason,
    Refusal,
    Wanted,
    fetch,
    gather,
)
from oracles.report import REPORT, ConsensusRow
from oracles.samples import OBSERVATION
from oracles.shelf import Shelf
from oracles.web import opened
from tests.support.ports import reserved_port
from tests.support.probed import Authority, read_request, response, tcp
from tests.support.published import (
    RAW,
    ROOT,
    ROWS,
    answering,
    loopback_client,
    oracle,
    revealed,
    stranger,
)
from tests.support.scores import ORACLES, sample, sampled

OTHER_ROWS = sampled(sample(7, oracle=1), oracle=1)
OTHER_ROOT = OBSERVATION.root(OTHER_ROWS)
OTHER_RAW = OBSERVATION.pack(OTHER_ROWS)
PATIENT = Limits(seconds=60, stagger_seconds=60)
"""For who is answered, in good words or bad: how slow this machine is says nothing of a peer."""
BRIEF = Limits(seconds=2, stagger_seconds=0.1)
"""For who is not."""
WANTED = Wanted(ORACLES[0], ROOT, len(ROWS), OBSERVATION)
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


async def got(url: str, client: httpx.AsyncClient | None = None, limits: Limits = PATIENT) -> bytes:
    async with loopback_client() as fresh:
        return await fetch(client or fresh, url, ROOT, len(ROWS), OBSERVATION, limits)


async def refused(url: str, limits: Limits = PATIENT) -> FetchRefused:
    with pytest.raises(FetchRefused) as refusal:
        await got(url, limits=limits)
    return refusal.value


# --- One peer ---------------------------------------------------------------------------


def test_committed_rows_are_fetched_from_an_oracle(tmp_path: Path) -> None:
    async def run() -> None:
        async with oracle(revealed(tmp_path)) as url:
            assert await got(url) == await got(url + "/") == RAW

    asyncio.run(run())


def test_a_peer_below_a_path_is_asked_there() -> None:
    paths = []

    async def handle(reader: Reader, writer: Writer) -> None:
        paths.append((await read_request(reader)).path)
        writer.write(response("200 OK", RAW))
        await writer.drain()

    async def run() -> None:
        async with stranger(handle) as url:
            assert await got(url + "/oracle/") == RAW

    asyncio.run(run())
    assert paths == [f"/oracle/rows/{ROOT.hex()}"]


def test_rows_that_are_not_shown_yet_are_missing(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(OBSERVATION, ROWS)

    async def run() -> None:
        async with oracle(shelf) as url:
            assert (await refused(url)).reason is Reason.MISSING

    asyncio.run(run())


@pytest.mark.parametrize(
    ("body", "status", "headers", "reason"),
    [
        (OTHER_RAW, "200 OK", {}, Reason.WRONG_ROWS),
        (RAW[:-1], "200 OK", {}, Reason.MALFORMED),
        (RAW + b"\0", "200 OK", {}, Reason.MALFORMED),
        (RAW[:-1] + b"\xff", "200 OK", {}, Reason.WRONG_ROWS),
        (b"", "200 OK", {}, Reason.MALFORMED),
        (b"\xff" * 1000, "200 OK", {}, Reason.MALFORMED),
        (b"<html>", "200 OK", {"Content_Type": "text/html"}, Reason.MALFORMED),
        (b"", "302 Found", {"Location": "http://127.0.0.1:9/"}, Reason.STATUS),
        (RAW, "301 Moved", {"Location": "/"}, Reason.STATUS),
        (RAW, "206 Partial Content", {}, Reason.STATUS),
        (RAW, "500 Internal Server Error", {}, Reason.STATUS),
        (b"x" * 100_000, "503 Busy", {}, Reason.STATUS),
        (gzip.compress(RAW, mtime=0), "200 OK", {"Content_Encoding": "gzip"}, Reason.ENCODED),
        (
            gzip.compress(bytes(1 << 24), mtime=0),
            "200 OK",
            {"Content_Encoding": "gzip"},
            Reason.ENCODED,
        ),
        (RAW, "200 OK", {"Content_Encoding": "br"}, Reason.ENCODED),
        (RAW, "200 OK", {"Content_Encoding": "identity, gzip"}, Reason.ENCODED),
        (b"\0" * 10_000, "200 OK", {}, Reason.TOO_LONG),
    ],
)
def test_a_useless_answer_is_refused_by_reason(
    body: bytes, status: str, headers: dict[str, str], reason: Reason
) -> None:
    async def run() -> None:
        async with answering(body, status, headers) as url:
            assert (await refused(url)).reason is reason

    asyncio.run(run())


def test_a_content_length_that_lies_is_refused() -> None:
    for length in ("99999", "-1", "x", "1, 2"):

        async def handle(reader: Reader, writer: Writer, length: str = length) -> None:
            await read_request(reader)
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode() + RAW)
            await writer.drain()

        async def run(handle: Callable[[Reader, Writer], Awaitable[None]] = handle) -> None:
            async with stranger(handle) as url:
                assert (await refused(url)).reason is Reason.BROKEN

        asyncio.run(run())


def test_an_endless_body_is_not_read_to_its_end() -> None:
    sent = 0

    async def handle(reader: Reader, writer: Writer) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + bytes(65_536) + b"\r\n")
            sent += 65_536
            await writer.drain()

    async def run() -> None:
        async with stranger(handle) as url:
            assert (await refused(url)).reason is Reason.TOO_LONG

    asyncio.run(run())
    assert sent < 1 << 24


@pytest.mark.parametrize(
    ("before", "again"),
    [
        (b"", b""),  # accepts, and says nothing
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b"\0"),  # a byte now and then
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    ],
)
def test_a_trickle_is_cut_by_the_time_of_the_whole_exchange(before: bytes, again: bytes) -> None:
    async def handle(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        writer.write(before)
        while True:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(0.02)

    async def run() -> None:
        async with stranger(handle) as url:
            start = time.monotonic()
            brief = replace(BRIEF, seconds=0.5)
            assert (await refused(url, brief)).reason is Reason.TIMEOUT
            assert time.monotonic() - start < 60  # of a trickle without end

    asyncio.run(run())


def test_a_peer_that_never_finishes_tls_leaves_no_connection_behind() -> None:
    gone = asyncio.Event()

    async def handle(reader: Reader, _: Writer) -> None:
        while await reader.read(1 << 16):
            pass
        gone.set()

    async def run() -> None:
        async with tcp(handle) as port, opened(Authority().client()) as client:
            with pytest.raises(FetchRefused) as refusal:
                await got(f"https://127.0.0.1:{port}", client, BRIEF)
            assert refusal.value.reason is Reason.TIMEOUT
            async with asyncio.timeout(60):
                await gone.wait()

    asyncio.run(run())


def test_nobody_there_nonsense_and_a_hang_up_are_told_apart() -> None:
    async def nonsense(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n" * 100)
        await writer.drain()

    async def hang_up(reader: Reader, _: Writer) -> None:
        await read_request(reader)

    async def run() -> None:
        with reserved_port() as port:
            assert (await refused(f"http://127.0.0.1:{port}")).reason is Reason.UNREACHABLE
        async with stranger(nonsense) as url:
            assert (await refused(url)).reason is Reason.BROKEN
        async with stranger(hang_up) as url:
            assert (await refused(url)).reason is Reason.BROKEN

    asyncio.run(run())


def test_a_certificate_that_nobody_vouches_for_is_refused() -> None:
    async def run() -> None:
        server = Authority().server("localhost")
        async with (
            tcp(lambda *_: asyncio.sleep(1), tls=server) as port,
            opened(Authority().client()) as client,
        ):
            with pytest.raises(FetchRefused) as refusal:
                await got(f"https://localhost:{port}", client)
            assert refusal.value.reason is Reason.UNREACHABLE
            assert "CERTIFICATE_VERIFY_FAILED" in str(refusal.value)

    asyncio.run(run())


def test_cookies_are_not_kept() -> None:
    asked = []

    async def handle(reader: Reader, writer: Writer) -> None:
        while True:
            asked.append((await read_request(reader)).headers)
            writer.write(response("200 OK", RAW, Set_Cookie="a=b"))
            await writer.drain()

    async def run() -> None:
        async with stranger(handle) as url, loopback_client() as client:
            await got(url, client)
            await got(url, client)
            assert not list(client.cookies.jar)

    asyncio.run(run())
    assert len(asked) == 2
    assert all("cookie" not in headers for headers in asked)
    assert all(headers["accept-encoding"] == "identity" for headers in asked)


def test_what_a_stranger_says_is_shown_printable() -> None:
    async def run() -> FetchRefused:
        async with answering(RAW, "200 OK", {"Content_Encoding": "\x1b[31m" + "x" * 999}) as url:
            return await refused(url)

    text = str(asyncio.run(run()))
    assert text.isprintable()
    assert len(text) < 300


# --- Several ----------------------------------------------------------------------------


async def among(
    shelf: Shelf, wanted: list[Wanted], peers: list[Peer], limits: Limits = PATIENT
) -> Gathered:
    async with loopback_client() as client:
        return await gather(wanted, peers, shelf, client, limits)


def test_what_is_missing_is_fetched_and_kept_revealed(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "own")

    async def run() -> None:
        async with oracle(revealed(tmp_path / "other")) as url:
            peer = Peer(ORACLES[0], url)
            found = await among(shelf, [WANTED], [peer])
        assert found == Gathered({ROOT: peer}, (), ())

    asyncio.run(run())
    assert shelf.revealed(ROOT)
    assert shelf.get(ROOT, OBSERVATION) == ROWS


def test_what_is_there_is_not_asked_for(tmp_path: Path) -> None:
    nobody = Peer(ORACLES[0], "http://127.0.0.1:9")
    assert asyncio.run(among(revealed(tmp_path), [WANTED], [nobody])) == Gathered({}, (), ())


def test_a_spoilt_file_is_fetched_again(tmp_path: Path) -> None:
    shelf = revealed(tmp_path / "own")
    (tmp_path / "own" / f"{ROOT.hex()}.rows").write_bytes(RAW[:-1])

    async def run() -> Gathered:
        async with oracle(revealed(tmp_path / "other")) as url:
            return await among(shelf, [WANTED], [Peer(ORACLES[0], url)])

    assert list(asyncio.run(run()).kept) == [ROOT]
    assert shelf.get(ROOT, OBSERVATION) == ROWS


def test_its_own_oracle_is_asked_first_and_nobody_else_if_it_answers(tmp_path: Path) -> None:
    async def run() -> None:
        asked = []

        async def handle(reader: Reader, writer: Writer) -> None:
            asked.append(await read_request(reader))
            writer.write(response("200 OK", RAW))
            await writer.drain()

        async with oracle(revealed(tmp_path / "a")) as own, stranger(handle) as other:
            peers = [Peer(ORACLES[1], other), Peer(ORACLES[0], own), Peer(ORACLES[2], other)]
            found = await among(Shelf(tmp_path / "own"), [WANTED], peers)
        assert found.kept == {ROOT: peers[1]}
        assert asked == []

    asyncio.run(run())


def test_anybody_may_hand_over_what_its_own_oracle_does_not(tmp_path: Path) -> None:
    async def run() -> None:
        async with oracle(Shelf(tmp_path / "a")) as own, oracle(revealed(tmp_path / "b")) as other:
            peers = [Peer(ORACLES[0], own), Peer(ORACLES[1], other)]
            found = await among(Shelf(tmp_path / "own"), [WANTED], peers)
        assert found.kept == {ROOT: peers[1]}
        assert found.missing == ()
        (refusal,) = found.refusals
        assert (refusal.peer, refusal.root, refusal.reason) == (peers[0], ROOT, Reason.MISSING)
        assert str(refusal) == f"rows 0x{ROOT.hex()} from {own}: missing: HTTP status 404"

    asyncio.run(run())


def test_among_liars_the_one_right_answer_wins(tmp_path: Path) -> None:
    async def silent(reader: Reader, _: Writer) -> None:
        await reader.read()

    async def run() -> None:
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            urls = [
                await enter(stranger(silent)),
                await enter(answering(OTHER_RAW)),
                await enter(answering(b"\0" * 10_000)),
                await enter(answering(b"", "500 No")),
                await enter(oracle(revealed(tmp_path / "honest"))),
            ]
            peers = [Peer(AccountId(bytes([n]) * 32), url) for n, url in enumerate(urls)]
            start = time.monotonic()
            patient = Limits(seconds=300, stagger_seconds=0.1)
            found = await among(Shelf(tmp_path / "own"), [WANTED], peers, patient)
            assert time.monotonic() - start < 120  # nobody waited for the silent one
        assert found.kept == {ROOT: peers[4]}
        allowed = {Reason.WRONG_ROWS, Reason.TOO_LONG, Reason.STATUS, Reason.MALFORMED}
        assert {refusal.reason for refusal in found.refusals} <= allowed

    asyncio.run(run())


def test_what_nobody_has_is_missing_and_each_peer_is_named(tmp_path: Path) -> None:
    unknown = Wanted(ORACLES[2], Hash(bytes(32)), 1, OBSERVATION)

    async def run() -> None:
        async with oracle(revealed(tmp_path / "a")) as a, answering(RAW) as b:
            peers = [Peer(ORACLES[0], a), Peer(ORACLES[1], b)]
            found = await among(Shelf(tmp_path / "own"), [unknown, WANTED], peers)
        assert found.missing == (unknown,)
        assert list(found.kept) == [ROOT]
        reasons = {r.peer: r.reason for r in found.refusals if r.root == unknown.root}
        assert reasons == {peers[0]: Reason.MISSING, peers[1]: Reason.WRONG_ROWS}

    asyncio.run(run())


def test_a_false_row_count_is_satisfied_by_nobody(tmp_path: Path) -> None:
    false = replace(WANTED, oracle=ORACLES[1], size=3)

    async def run() -> Gathered:
        async with oracle(revealed(tmp_path / "a")) as url:
            return await among(Shelf(tmp_path / "own"), [WANTED, false], [Peer(ORACLES[0], url)])

    found = asyncio.run(run())
    assert found.missing == (false,)
    assert [refusal.reason for refusal in found.refusals] == [Reason.WRONG_ROWS]


def test_a_root_that_two_committed_to_is_fetched_once(tmp_path: Path) -> None:
    async def run() -> Gathered:
        async with oracle(revealed(tmp_path / "a")) as url:
            twice = [WANTED, replace(WANTED, oracle=ORACLES[1])]
            return await among(Shelf(tmp_path / "own"), twice, [Peer(ORACLES[0], url)])

    found = asyncio.run(run())
    assert (len(found.kept), found.missing, found.refusals) == (1, (), ())


@pytest.mark.parametrize(("concurrency", "per_peer", "peers"), [(3, 9, 4), (9, 2, 1)])
def test_no_more_exchanges_run_at_once_than_allowed(
    tmp_path: Path, concurrency: int, per_peer: int, peers: int
) -> None:
    running: dict[str, int] = {}
    most, all_there = 0, asyncio.Event()

    def slow(name: str) -> Callable[[Reader, Writer], Awaitable[None]]:
        async def handle(reader: Reader, writer: Writer) -> None:
            await read_request(reader)
            running[name] = running.get(name, 0) + 1
            nonlocal most
            most = max(most, sum(running.values()))
            if most == min(concurrency, per_peer):
                all_there.set()
            await asyncio.wait_for(all_there.wait(), 60)
            await asyncio.sleep(0.05)
            running[name] -= 1
            writer.write(response("404 Not Found", Connection="close"))
            await writer.drain()

        return handle

    wanted = [replace(WANTED, root=Hash(bytes([n]) * 32)) for n in range(1, 9)]

    async def run() -> Gathered:
        async with AsyncExitStack() as stack:
            found = []
            for n in range(peers):
                url = await stack.enter_async_context(stranger(slow(str(n))))
                found.append(Peer(AccountId(bytes([n]) * 32), url))
            limits = Limits(
                seconds=120, stagger_seconds=0.01, concurrency=concurrency, per_peer=per_peer
            )
            return await among(Shelf(tmp_path), wanted, found, limits)

    assert len(asyncio.run(run()).refusals) == len(wanted) * peers
    assert most == min(concurrency, per_peer)


def test_a_shelf_that_cannot_be_written_is_no_fault_of_peers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(tmp_path / "own")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shelf, "put_raw", full)

    async def run() -> None:
        async with oracle(revealed(tmp_path / "a")) as url:
            await among(shelf, [WANTED], [Peer(ORACLES[0], url)])

    with pytest.raises(OSError, match="No space left"):
        asyncio.run(run())


def test_what_was_kept_stays_when_the_round_is_cancelled(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "own")

    async def silent(reader: Reader, _: Writer) -> None:
        await reader.read()

    async def run() -> None:
        async with oracle(revealed(tmp_path / "a")) as good, stranger(silent) as bad:
            other = Wanted(ORACLES[1], OTHER_ROOT, len(OTHER_ROWS), OBSERVATION)
            peers = [Peer(ORACLES[0], good), Peer(ORACLES[1], bad)]
            gathering = asyncio.create_task(
                among(shelf, [WANTED, other], peers, Limits(seconds=300, stagger_seconds=0.1))
            )
            async with asyncio.timeout(60):
                while not shelf.revealed(ROOT):  # noqa: ASYNC110 - a file that another thread writes
                    await asyncio.sleep(0.01)
            gathering.cancel()
            with pytest.raises(asyncio.CancelledError):
                await gathering

    asyncio.run(run())
    assert shelf.revealed(ROOT)
    assert not shelf.has(OTHER_ROOT)


def test_without_peers_all_is_missing(tmp_path: Path) -> None:
    assert asyncio.run(among(Shelf(tmp_path), [WANTED], [])) == Gathered({}, (WANTED,), ())
    assert asyncio.run(among(Shelf(tmp_path), [], [])) == Gathered({}, (), ())


# --- Settings ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    ["", "oracle.example", "ftp://oracle.example", "http://", "https://a/?q=1", "https://a/#x",
     "http://a:b", "file:///etc/passwd", "http://[::1"],
)  # fmt: skip
def test_another_url_is_no_peers(url: str) -> None:
    with pytest.raises(ConfigError, match="no URL of a peer"):
        Peer(ORACLES[0], url)


def test_limits_are_above_zero() -> None:
    for wrong in ({"seconds": 0}, {"stagger_seconds": -1}, {"concurrency": 0}, {"per_peer": 0}):
        with pytest.raises(ConfigError, match="above zero"):
            Limits(**wrong)


def test_the_longest_row_of_either_layout_fits_within_what_is_read() -> None:
    full = sampled(*(sample(slot) for slot in range(SLOTS)))[0]
    longest = replace(full, member="a" * 32, service="b" * 32)
    assert len(OBSERVATION.schema.encode(longest)) <= MAX_ROW
    agreed = ConsensusRow(
        full.day, longest.member, longest.service, longest.statuses, longest.times
    )
    assert len(REPORT.schema.encode(agreed)) <= MAX_ROW


def test_a_refusal_is_one_line_for_the_log() -> None:
    refusal = Refusal(Peer(ORACLES[0], "https://a.example"), ROOT, Reason.STATUS, "HTTP status 500")
    assert str(refusal).splitlines() == [
        f"rows 0x{ROOT.hex()} from https://a.example: status: HTTP status 500"
    ]
