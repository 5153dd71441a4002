"""A follower as a service: what it serves, logs and tells systemd, and a backup taken beside it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ledger.backup import back_up, restore
from ledger.following import Followed
from ledger.store import Store
from scripts.devnet_process import Devnet
from tests.support.command_line import ROOT
from tests.support.followed import following
from tests.support.patience import PATIENCE_SECONDS
from tests.support.ports import reserved_port
from tests.support.systemd import listening

pytestmark = pytest.mark.live


@contextmanager
def service(folder: Path, db: str, port: int, *nodes: str) -> Iterator[tuple[str, Path]]:
    """As systemd would start it; yields where it serves, and its log. Ends as on SIGTERM."""
    log = folder / "log"
    command = [sys.executable, "-m", "ibp_chain.cli.app", "ledger", "follow", "--name", "devnet"]
    command += ["--db", db, "--status", f"127.0.0.1:{port}", "--log", "json"]
    environment = {
        **os.environ,
        "NOTIFY_SOCKET": str(folder / "notify"),
        "IBP_NODES": " ".join(nodes),  # not in the arguments, which everybody on a machine sees
    }
    with log.open("w") as said:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=said, stderr=subprocess.STDOUT
        )
        try:
            yield f"http://127.0.0.1:{port}", log
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(PATIENCE_SECONDS)
    assert code == 0, log.read_text()


def height(devnet: Devnet) -> int:
    return int(devnet.rpc("chain_getHeader", "0x" + devnet.finalized_hash().hex())["number"], 16)


def asked(url: str) -> httpx.Response:
    return httpx.get(url, trust_env=False, timeout=PATIENCE_SECONDS)


def until_applied(where: str, height: int) -> dict[str, Any]:
    """What `/healthz` says of the chain once it is there."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            facts = asked(f"{where}/healthz").json()["facts"]["devnet"]
        except httpx.TransportError:
            facts = {"applied": None}
        if facts["applied"] == height:
            return dict(facts)
        time.sleep(0.1)
    raise AssertionError(f"block {height} was not applied: {facts}")


def scraped(where: str) -> dict[tuple[str, str], float]:
    """By name, and by the node or kind where it is of one."""
    text = asked(f"{where}/metrics").text
    return {
        (sample.name, sample.labels.get("node") or sample.labels.get("kind") or ""): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_follower_serves_its_health_and_metrics_and_logs_and_can_be_backed_up(
    devnet: Devnet, tmp_path: Path
) -> None:
    secret = "hunter2-S3cr3t"
    db = f"sqlite:///{tmp_path / 'ledger.db'}"
    devnet.new_block(count=3)
    with (
        reserved_port() as port,
        reserved_port() as dead,
        listening(tmp_path / "notify") as (_, systemd),
    ):
        away = f"ws://user:{secret}@127.0.0.1:{dead}/?api_key={secret}"
        with service(tmp_path, db, port, devnet.url, away) as (where, log):
            assert systemd.next() == "READY=1"
            until_applied(where, height(devnet))
            back_up(db, tmp_path / "a.backup")
            devnet.new_block(count=2)
            facts = until_applied(where, height(devnet))
            metrics = scraped(where)
        assert systemd.last() == "STOPPING=1"
    assert facts["lag_blocks"] == 0
    assert metrics["ibp_ledger_applied_block", ""] == facts["applied"]
    assert metrics["ibp_ledger_blocks_total", ""] == facts["applied"]
    assert metrics["ibp_ledger_errors_total", "unreachable"] >= 1
    assert metrics["ibp_ledger_node_up", f"ws://127.0.0.1:{dead}"] == 0
    assert secret not in log.read_text()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {line["chain"] for line in lines} == {"devnet"}
    assert [line["block"] for line in lines if line["event"] == "committed"][-1] == facts["applied"]
    assert any(line["event"] == "node set aside" for line in lines)
    assert lines[-1]["event"] == "stopped"
    _ensure_restored_goes_on(devnet, tmp_path, db)


def _ensure_restored_goes_on(devnet: Devnet, folder: Path, db: str) -> None:
    """What was backed up beside the follower is followed on from, to the same root."""
    restored = f"sqlite:///{folder / 'restored.db'}"
    behind = restore(folder / "a.backup", restored)
    with Store(db) as ours:
        head, root = ours.head(), ours.load_state().root()
    assert head is not None
    assert behind.head.number < head.number
    with following(Followed((devnet.url,), restored)) as follower:
        follower.wait_for(lambda: follower.committed == head)
    with Store(restored) as store:
        assert (store.head(), store.load_state().root()) == (head, root)
