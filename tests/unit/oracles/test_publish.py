"""The shelf and the oracle's own HTTP: what may be seen, and what is not even denied."""

import asyncio
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import pytest
import uvicorn
from prometheus_client import CollectorRegistry, Gauge
from starlette.applications import Starlette

from ibp_chain.errors import ConfigError
from ibp_chain.http_server import CONNECTIONS, Health, operators, serving
from ibp_chain.types import Hash
from oracles.errors import RowsAltered, RowsError
from oracles.publish import application
from oracles.report import REPORT
from oracles.samples import OBSERVATION
from oracles.shelf import Shelf
from tests.support.published import RAW, ROOT, ROWS, loopback_client, oracle, revealed

UNKNOWN = Hash(bytes(32))


# --- Shelf ------------------------------------------------------------------------------


def test_own_rows_are_sealed_until_they_are_revealed(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    assert shelf.put(OBSERVATION, ROWS) == ROOT
    assert shelf.has(ROOT)
    assert not shelf.revealed(ROOT)
    assert shelf.open(ROOT) is None
    assert shelf.get(ROOT, OBSERVATION, len(ROWS)) == ROWS
    shelf.reveal(ROOT)
    assert shelf.revealed(ROOT)
    file = shelf.open(ROOT)
    assert file is not None
    with file:
        assert file.read() == RAW
    assert shelf.get(ROOT, OBSERVATION, len(ROWS)) == ROWS


def test_what_is_sealed_or_revealed_is_so_after_a_restart(tmp_path: Path) -> None:
    Shelf(tmp_path).put(OBSERVATION, ROWS)
    again = Shelf(tmp_path)
    assert not again.revealed(ROOT)
    again.reveal(ROOT)
    assert Shelf(tmp_path).revealed(ROOT)
    assert list((tmp_path / "sealed").iterdir()) == []


def test_revealing_again_changes_nothing(tmp_path: Path) -> None:
    shelf = revealed(tmp_path)
    shelf.reveal(ROOT)
    assert shelf.revealed(ROOT)


def test_putting_revealed_rows_again_does_not_seal_them(tmp_path: Path) -> None:
    shelf = revealed(tmp_path)
    shelf.put(OBSERVATION, ROWS)
    assert shelf.revealed(ROOT)
    assert list((tmp_path / "sealed").iterdir()) == []


def test_what_is_not_there_cannot_be_revealed(tmp_path: Path) -> None:
    with pytest.raises(RowsError, match="not on this shelf"):
        Shelf(tmp_path).reveal(UNKNOWN)


def test_nobody_else_on_the_machine_looks_into_the_sealed_folder(tmp_path: Path) -> None:
    Shelf(tmp_path)
    assert stat.S_IMODE((tmp_path / "sealed").stat().st_mode) == 0o700


def test_a_reveal_that_fails_leaves_the_rows_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(OBSERVATION, ROWS)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        shelf.reveal(ROOT)
    assert not shelf.revealed(ROOT)
    assert shelf.get(ROOT, OBSERVATION) == ROWS


def test_others_rows_are_kept_revealed_once_they_are_checked(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    assert shelf.put_raw(OBSERVATION, RAW, root=ROOT, size=len(ROWS)) == ROWS
    assert shelf.revealed(ROOT)


@pytest.mark.parametrize(
    ("data", "root", "size", "error"),
    [
        (RAW, UNKNOWN, 2, RowsAltered),
        (RAW, ROOT, 3, RowsAltered),
        (RAW[:-1], ROOT, 2, RowsError),
        (RAW + b"\0", ROOT, 2, RowsError),
        (b"", ROOT, 2, RowsError),
    ],
)
def test_what_is_not_what_was_committed_to_is_not_kept(
    tmp_path: Path, data: bytes, root: Hash, size: int, error: type[Exception]
) -> None:
    shelf = Shelf(tmp_path)
    with pytest.raises(error):
        shelf.put_raw(OBSERVATION, data, root=root, size=size)
    assert not shelf.has(root)
    assert [path.name for path in tmp_path.iterdir()] == ["sealed"]


def test_whole_rows_replace_a_spoilt_file(tmp_path: Path) -> None:
    shelf = revealed(tmp_path)
    os.truncate(tmp_path / f"{ROOT.hex()}.rows", 10)
    with pytest.raises(RowsError):
        shelf.get(ROOT, OBSERVATION)
    shelf.put_raw(OBSERVATION, RAW, root=ROOT, size=2)
    assert shelf.get(ROOT, OBSERVATION) == ROWS


def test_rows_of_another_kind_are_not_got(tmp_path: Path) -> None:
    with pytest.raises(RowsError):
        revealed(tmp_path).get(ROOT, REPORT)


# --- HTTP -------------------------------------------------------------------------------

WELL = Health()
Talk = Callable[[httpx.AsyncClient, str], Awaitable[None]]


def talk(shelf: Shelf, conversation: Talk, health: Health = WELL) -> None:
    async def run() -> None:
        async with oracle(shelf, health) as url, loopback_client() as client:
            await conversation(client, url)

    asyncio.run(run())


def test_revealed_rows_are_served_as_they_are(tmp_path: Path) -> None:
    async def conversation(client: httpx.AsyncClient, url: str) -> None:
        answer = await client.get(f"{url}/rows/{ROOT.hex()}")
        assert answer.status_code == 200
        assert answer.content == RAW
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-length"] == str(len(RAW))
        assert answer.headers["etag"] == f'"{ROOT.hex()}"'
        assert "immutable" in answer.headers["cache-control"]
        assert "server" not in answer.headers

    talk(revealed(tmp_path), conversation)


def test_rows_longer_than_one_piece_arrive_whole(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    data = os.urandom(300_001)
    (tmp_path / f"{UNKNOWN.hex()}.rows").write_bytes(data)

    async def conversation(client: httpx.AsyncClient, url: str) -> None:
        assert (await client.get(f"{url}/rows/{UNKNOWN.hex()}")).content == data

    talk(shelf, conversation)


def test_head_tells_the_length_and_sends_nothing(tmp_path: Path) -> None:
    async def conversation(client: httpx.AsyncClient, url: str) -> None:
        for _ in range(2):  # the connection goes on
            answer = await client.head(f"{url}/rows/{ROOT.hex()}")
            assert answer.status_code == 200
            assert answer.content == b""
            assert answer.headers["content-length"] == str(len(RAW))

    talk(revealed(tmp_path), conversation)


def test_who_has_them_already_is_told_so(tmp_path: Path) -> None:
    async def conversation(client: httpx.AsyncClient, url: str) -> None:
        for tags in (f'"{ROOT.hex()}"', f'"x", W/"{ROOT.hex()}"', "*"):
            answer = await client.get(f"{url}/rows/{ROOT.hex()}", headers={"If-None-Match": tags})
            assert answer.status_code == 304
            assert answer.content == b""
        other = {"If-None-Match": '"x"'}
        assert (await client.get(f"{url}/rows/{ROOT.hex()}", headers=other)).content == RAW

    talk(revealed(tmp_path), conversation)


def test_a_sealed_root_is_answered_exactly_as_an_unknown_one(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(OBSERVATION, ROWS)

    async def told(client: httpx.AsyncClient, request: httpx.Request) -> tuple[object, ...]:
        answer = await client.send(request)
        assert answer.status_code in (404, 405)
        return answer.status_code, answer.content, {**answer.headers, "date": ""}

    async def conversation(client: httpx.AsyncClient, url: str) -> None:
        for method in ("GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT"):
            for tag in ("*", f'"{ROOT.hex()}"', "no"):
                sealed, unknown = (
                    client.build_request(
                        method, f"{url}/rows/{root.hex()}", headers={"If-None-Match": tag}
                    )
                    for root in (ROOT, UNKNOWN)
                )
                assert await told(client, sealed) == await told(client, unknown)

    talk(shelf, conversation)


ELSEWHERE = (
    "/", "/rows", "/rows/", f"/rows/{ROOT.hex()}/", f"/rows/0x{ROOT.hex()}",
    f"/rows/{ROOT.hex().upper()}", f"/rows/{ROOT.hex()}.rows", f"/rows/{ROOT.hex()}%0a",
    f"/rows/%20{ROOT.hex()}", f"/rows/sealed/{ROOT.hex()}", f"/rows/sealed%2f{ROOT.hex()}",
    "/rows/sealed", "/rows/..", "/rows/%2e%2e%2fjournal.sqlite", "/rows/..%2f..%2fetc%2fpasswd",
    f"//rows/{ROOT.hex()}", f"/rows//{ROOT.hex()}", f"/rows/{ROOT.hex()[1:]}",
    f"/rows/{'%D9%A3' * 64}", "/rows/%00", "/healthz/", "/metrics/", "/docs", "/openapi.json",
)  # fmt: skip


def test_there_is_nothing_else(tmp_path: Path) -> None:
    async def conversation(_: httpx.AsyncClient, url: str) -> None:
        for path in ELSEWHERE:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
            # by hand: httpx would tidy the path up
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
            assert answer.startswith(b"HTTP/1.1 404 "), path
            assert answer.endswith(b"Not Found"), path

    talk(revealed(tmp_path), conversation)


def test_nothing_can_be_changed(tmp_path: Path) -> None:
    async def conversation(client: httpx.AsyncClient, url: str) -> None:
        for path in (f"/rows/{ROOT.hex()}", "/healthz"):
            for method in ("POST", "PUT", "DELETE", "PATCH"):
                answer = await client.request(method, url + path, content=b"x")
                assert answer.status_code == 405
        assert (await client.get(f"{url}/rows/{ROOT.hex()}")).content == RAW

    talk(revealed(tmp_path), conversation)


WELL = Health(facts={"head": 7, "day": "2026-01-29", "unknown": None})
ILL = Health(problems=("its node ws://node/secret-key is unreachable",))


def told(app: Starlette, path: str) -> httpx.Response:
    async def run() -> httpx.Response:
        async with serving(app, "127.0.0.1", 0) as port, loopback_client() as client:
            return await client.get(f"http://127.0.0.1:{port}{path}")

    return asyncio.run(run())


@pytest.mark.parametrize(("health", "status"), [(WELL, 200), (ILL, 503)])
def test_strangers_hear_whether_it_is_well_and_not_why(
    tmp_path: Path, health: Health, status: int
) -> None:
    answer = told(application(Shelf(tmp_path), lambda: health), "/healthz")
    assert (answer.status_code, answer.json()) == (status, {"ok": health.ok})
    assert answer.headers["cache-control"] == "no-store"


def test_who_runs_it_hears_why() -> None:
    answer = told(operators(lambda: ILL, CollectorRegistry()), "/healthz")
    assert answer.status_code == 503
    assert answer.json() == {"ok": False, "problems": list(ILL.problems), "facts": {}}
    answer = told(operators(lambda: WELL, CollectorRegistry()), "/healthz")
    assert (answer.status_code, answer.json()["facts"]) == (200, dict(WELL.facts))


def test_strangers_read_no_metrics_and_operators_no_rows(tmp_path: Path) -> None:
    """How many polls failed, slot by slot, would tell what to commit to."""
    assert told(application(revealed(tmp_path), Health), "/metrics").status_code == 404
    inside = operators(Health, CollectorRegistry())
    assert told(inside, f"/rows/{ROOT.hex()}").status_code == 404


def test_metrics_are_those_of_the_given_registry_and_no_others() -> None:
    registry = CollectorRegistry()
    Gauge("ours", "A gauge", registry=registry).set(3)
    Gauge("not_ours", "Another", registry=CollectorRegistry()).set(4)
    answer = told(operators(Health, registry), "/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.text == "# HELP ours A gauge\n# TYPE ours gauge\nours 3.0\n"


# --- Strangers --------------------------------------------------------------------------


async def ended(reader: asyncio.StreamReader) -> None:
    """Waits until the other side is gone, in good order or not."""
    with suppress(ConnectionResetError):
        while await reader.read(1 << 16):
            pass


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /healthz HT",
        b"GET /healthz HTTP/1.1\r\nX: ",
        b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n",
    ],
)
def test_a_connection_that_stalls_is_cut(
    tmp_path: Path, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_keep_alive(*given: Any, **options: Any) -> uvicorn.Config:
        return uvicorn.config.Config(*given, **options | {"timeout_keep_alive": 3_600})

    # that would cut who was refused after five seconds, which this machine may take for anything
    monkeypatch.setattr(uvicorn, "Config", without_keep_alive)

    async def run() -> None:
        async with oracle(Shelf(tmp_path), connection_seconds=0.2) as url, asyncio.timeout(60):
            port = int(url.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            await ended(reader)
            writer.close()

    asyncio.run(run())


def test_a_reader_that_reads_nothing_is_cut_and_its_file_closed(tmp_path: Path) -> None:
    opened: list[BinaryIO] = []

    class Noting(Shelf):
        def open(self, root: Hash) -> BinaryIO | None:
            file = super().open(root)
            assert file is not None
            opened.append(file)
            return file

    path = tmp_path / f"{UNKNOWN.hex()}.rows"
    path.touch()
    os.truncate(path, 1 << 25)

    async def run() -> None:
        async with oracle(Noting(tmp_path), connection_seconds=1.0) as url, asyncio.timeout(60):
            port = int(url.rpartition(":")[2])
            _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
            writer.write(f"GET /rows/{UNKNOWN.hex()} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            while not opened or not opened[0].closed:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.01)
            writer.close()

    asyncio.run(run())
    assert len(opened) == 1


def test_who_only_holds_connections_keeps_nobody_out(tmp_path: Path) -> None:
    async def run() -> None:
        async with (
            oracle(revealed(tmp_path)) as url,
            loopback_client() as client,
            asyncio.timeout(120),
        ):
            port = int(url.rpartition(":")[2])
            idle = [
                await asyncio.open_connection("127.0.0.1", port) for _ in range(3 * CONNECTIONS)
            ]
            assert (await client.get(f"{url}/rows/{ROOT.hex()}")).content == RAW
            left = len(idle)
            while left > CONNECTIONS:
                await asyncio.sleep(0.01)
                left = sum(not (reader.at_eof() or reader.exception()) for reader, _ in idle)
            for _, writer in idle:
                writer.close()

    asyncio.run(run())


def test_nonsense_is_refused_and_it_goes_on(tmp_path: Path) -> None:
    async def conversation(client: httpx.AsyncClient, url: str) -> None:
        port = int(url.rpartition(":")[2])
        for sent in (b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET /\0 HTTP/1.1\r\n\r\n", b"\0" * 100_000):
            with socket.socket() as sock:
                sock.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_connect(sock, ("127.0.0.1", port))
                with suppress(ConnectionError):  # nobody reads it to its end
                    await loop.sock_sendall(sock, sent)
                # what has come is read before the reset that may follow it
                assert (await loop.sock_recv(sock, 1 << 16)).startswith(b"HTTP/1.1 400 ")
        assert (await client.get(f"{url}/healthz")).status_code == 200

    talk(Shelf(tmp_path), conversation)


def test_an_address_that_is_taken_is_named(tmp_path: Path) -> None:
    async def run() -> None:
        async with oracle(Shelf(tmp_path)) as url:
            port = int(url.rpartition(":")[2])
            app = application(Shelf(tmp_path), Health)
            with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1 port {port}"):
                async with serving(app, "127.0.0.1", port):
                    raise AssertionError

    asyncio.run(run())
