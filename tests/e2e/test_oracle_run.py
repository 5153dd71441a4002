"""`ibp oracle run` as an operator runs it: checked, started, asked how it is, stopped."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx
import pytest

from oracles.daemon.journal import Journal, PollState
from tests.support.command_line import assert_done, assert_one_clear_line, ibp
from tests.support.probed import GENESIS, Node, Request, http_server, response, ws_node

ROSTER = """
version = 1
[[services]]
id = "polkadot"
chain = "polkadot"
milestone = 3
[assigned]
gatotech = ["polkadot"]
"""


def own_address() -> str:
    """On loopback, and nobody's but this process's: nobody else takes a port of it."""
    number = os.getpid()
    return f"127.{1 + (number >> 16 & 0x7F)}.{number >> 8 & 0xFF}.{number & 0xFF}"


ROWS, OPERATOR, NODE = 8800, 8801, 8802


def write(folder: Path, *, rpc: int = 1, webhook: int | None = None, lapse: float = 1.0) -> str:
    """Settings of an oracle whose node is not there; where it tells how it is."""
    host, now = own_address(), time.time()
    (folder / "roster.toml").write_text(ROSTER)
    targets = {
        "version": 1,
        "members": {"gatotech": ["127.0.0.1"]},
        "chains": [{"id": "polkadot", "genesis": "0x" + GENESIS.hex()}],
        "services": [
            {
                "id": "polkadot",
                "kind": "rpc",
                "chain": "polkadot",
                "own": {"gatotech": [f"ws://127.0.0.1:{rpc}"]},
            }
        ],
    }
    (folder / "targets.json").write_text(json.dumps(targets))
    told = "" if webhook is None else f'webhook = "http://127.0.0.1:{webhook}/"'
    (folder / "oracle.toml").write_text(
        f"""version = 1
folder = "data"
targets = "targets.json"
roster = "roster.toml"
listen = "{host}:{ROWS}"
operator = "{host}:{OPERATOR}"
[chain]
nodes = ["ws://{host}:{NODE}"]
[poll]
seconds = 1.0
spread_seconds = 0
deadline_seconds = 1.5
begin_within = 0
[alerts]
{told}
[time_lapse]
knots = [[{now}, {now}], [{now + 600}, {now + 600 * lapse}]]
"""
    )
    return f"http://{host}:{OPERATOR}"


def start(folder: Path) -> Popen[bytes]:
    """What it says goes to `folder`/said."""
    with (folder / "said").open("wb") as said:
        return Popen(
            [sys.executable, "-m", "ibp_chain.cli.app", "oracle", "run", folder / "oracle.toml"],
            env=os.environ | {"IBP_SECRET_URI": "//Test//Oracle//0"},
            stderr=said,
        )


async def until(done: Callable[[], Awaitable[bool]], folder: Path, process: Popen[bytes]) -> None:
    ends = time.monotonic() + 180
    while not await done():
        said = (folder / "said").read_text()
        assert process.poll() is None, said
        assert time.monotonic() < ends, said
        await asyncio.sleep(0.1)


def counted(metrics: str, series: str) -> float:
    """The value of a series, which is there from the beginning."""
    (value,) = (
        line.removeprefix(series) for line in metrics.splitlines() if line.startswith(f"{series} ")
    )
    return float(value)


def test_settings_are_checked_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    monkeypatch.setenv("IBP_SECRET_URI", "//Test//Oracle//0")
    done = ibp("oracle", "run", tmp_path / "oracle.toml", "--check")
    assert_done(done)
    assert "1 targets" in done.stdout
    assert not (tmp_path / "data").exists()


def test_wrong_settings_and_a_missing_key_are_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    monkeypatch.delenv("IBP_SECRET_URI", raising=False)
    assert_one_clear_line(ibp("oracle", "run", tmp_path / "oracle.toml"), 2, "no key to sign with")
    monkeypatch.setenv("IBP_SECRET_URI", "//Test//Oracle//0")
    text = (tmp_path / "oracle.toml").read_text()
    (tmp_path / "oracle.toml").write_text(text.replace("seconds = 1.0", "seconds = 0"))
    assert_one_clear_line(ibp("oracle", "run", tmp_path / "oracle.toml"), 2, "poll.seconds")


def test_a_second_process_on_the_same_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    monkeypatch.setenv("IBP_SECRET_URI", "//Test//Oracle//0")
    journal = Journal(tmp_path / "data")
    try:
        done = ibp("oracle", "run", tmp_path / "oracle.toml")
        assert_one_clear_line(done, 2, "belongs to another oracle process")
    finally:
        journal.close()


def test_an_oracle_without_a_node_measures_on_says_so_and_stops_when_told(tmp_path: Path) -> None:
    alerts: list[dict[str, Any]] = []

    async def taken(request: Request) -> bytes:
        alerts.append(json.loads(request.body))
        return response("200 OK")

    async def scene() -> None:
        async with (
            ws_node(Node()) as rpc,
            http_server(taken) as hook,
            httpx.AsyncClient(timeout=60) as client,
        ):
            url = write(tmp_path, rpc=rpc, webhook=hook, lapse=100)
            process = start(tmp_path)

            async def told() -> bool:
                return any("does not reach its node" in alert["text"] for alert in alerts)

            async def sent_and_polled() -> bool:
                metrics = (await client.get(f"{url}/metrics")).text
                return (
                    counted(metrics, 'ibp_oracle_alerts_total{outcome="sent"}') > 0
                    and counted(metrics, "ibp_oracle_slot_seconds_count") > 0
                )

            try:
                await until(told, tmp_path, process)
                health = await client.get(f"{url}/healthz")
                assert health.status_code == 503
                assert f"ws://{own_address()}" in health.json()["problems"][0]
                await until(sent_and_polled, tmp_path, process)
                process.send_signal(signal.SIGTERM)
                code = await asyncio.to_thread(process.wait, 120)
            finally:
                process.kill()
                process.wait()
            assert code == 0, (tmp_path / "said").read_text()

    asyncio.run(scene())
    journal = Journal(tmp_path / "data")
    last = journal.last_slot()
    assert last is not None
    polled = [poll for poll in journal.polls(last[0]) if poll.state is PollState.DONE]
    before = journal.polls(last[0] - timedelta(days=1))
    assert polled or any(poll.state is PollState.DONE for poll in before)
    journal.close()
