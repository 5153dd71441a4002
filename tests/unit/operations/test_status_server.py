"""`/healthz` and `/metrics` beside a follower, and what systemd hears of it."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest
from typer.testing import CliRunner

from ibp_chain.cli.app import app
from ibp_chain.cli.follow import _tell
from ibp_chain.cli.status_server import _Thread, serving_status
from ibp_chain.errors import CheckFailed, ConfigError
from ibp_chain.http_server import host_and_port
from ibp_chain.supervisor import Supervisor
from ledger.follow_many import staying
from ledger.metrics import FollowMetrics
from ledger.progress import Progress
from tests.support.patience import PATIENCE_SECONDS
from tests.support.systemd import Heard, listening
from tests.unit.operations.followed import NOW_MS, WELL

SILENT = replace(WELL, last_commit_ms=NOW_MS - 700_000)


def metrics_of(progress: Progress) -> FollowMetrics:
    return FollowMetrics([lambda: progress], lambda: NOW_MS / 1_000)


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Heard]:
    with listening(tmp_path / "notify") as (_, heard):
        yield heard


def asked(url: str) -> httpx.Response:
    return httpx.get(url, trust_env=False, timeout=PATIENCE_SECONDS)


def test_health_and_metrics_are_served_while_the_follower_works() -> None:
    with serving_status("127.0.0.1:0", metrics_of(WELL), Supervisor()) as where:
        assert where is not None
        assert where.startswith("127.0.0.1:")
        well = asked(f"http://{where}/healthz")
        metrics = asked(f"http://{where}/metrics")
        missing = asked(f"http://{where}/")
    assert (well.status_code, well.json()["ok"]) == (200, True)
    assert well.json()["facts"]["polkadot"]["applied"] == 999
    assert 'ibp_ledger_lag_blocks{chain="polkadot"} 1.0' in metrics.text
    assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert missing.status_code == 404
    with pytest.raises(httpx.ConnectError):
        asked(f"http://{where}/healthz")


def test_a_follower_that_stands_still_is_answered_with_503_and_the_reason() -> None:
    with serving_status("127.0.0.1:0", metrics_of(SILENT), Supervisor()) as where:
        answer = asked(f"http://{where}/healthz")
    assert answer.status_code == 503
    assert answer.json()["problems"][0].startswith("polkadot: no block was committed for 700 s")


def test_an_address_that_is_taken_is_said_so() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1 port {port}"),
            serving_status(f"127.0.0.1:{port}", metrics_of(WELL), Supervisor()),
        ):
            raise AssertionError("it listens")


def test_a_server_that_has_ended_by_itself_just_now_is_ended_without_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        thread = _Thread(taken.getsockname()[:2], metrics_of(WELL), Supervisor())
        thread.start()
        with pytest.raises(ConfigError, match="cannot listen"):
            thread.wait_ready()
        thread._thread.join()
        monkeypatch.setattr(thread._loop, "is_closed", lambda: False)  # a moment before
        thread.end()


def test_an_address_may_be_of_ipv6() -> None:
    assert host_and_port("[::1]:9615") == ("::1", 9615)


@pytest.mark.parametrize("text", ["", "9615", ":9615", "localhost", "a:b", "a:70000", "a:-1"])
def test_what_is_no_address_is_said_so(text: str) -> None:
    with pytest.raises(ConfigError, match="is no address to listen on"):
        host_and_port(text)


def test_the_server_ends_with_the_follower_whatever_ended_it() -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        serving_status("127.0.0.1:0", metrics_of(WELL), Supervisor()) as where,
    ):
        raise KeyboardInterrupt
    with pytest.raises(httpx.ConnectError):
        asked(f"http://{where}/healthz")


def test_systemd_hears_that_we_are_ready_alive_and_ending(systemd: Heard, tmp_path: Path) -> None:
    told = Supervisor(str(tmp_path / "notify"), watchdog_seconds=0.1)
    with serving_status(None, metrics_of(WELL), told) as where:
        assert where is None
        assert [systemd.next() for _ in range(3)] == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]
    assert systemd.last() == "STOPPING=1"


def test_systemd_does_not_hear_from_a_follower_that_is_stuck(
    systemd: Heard, tmp_path: Path
) -> None:
    told = Supervisor(str(tmp_path / "notify"), watchdog_seconds=0.02)
    with serving_status(None, metrics_of(SILENT), told):
        assert systemd.next() == "READY=1"
        time.sleep(0.1)
    assert systemd.next() == "STOPPING=1"


def test_a_supervisor_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    with serving_status(None, metrics_of(WELL), Supervisor(str(tmp_path / "gone"), 0.02)):
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Supervisor()),
        ({"NOTIFY_SOCKET": "", "WATCHDOG_USEC": ""}, Supervisor()),
        (
            {"NOTIFY_SOCKET": "@a", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"},
            Supervisor("@a", 30.0),
        ),
        (
            {"NOTIFY_SOCKET": "/a", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"},
            Supervisor("/a", None),
        ),
        ({"NOTIFY_SOCKET": "/a", "WATCHDOG_USEC": "soon"}, Supervisor("/a", None)),
    ],
    ids=["nobody", "empty", "ours", "another process's", "nonsense"],
)
def test_the_environment_says_who_listens(
    environment: dict[str, str], expected: Supervisor
) -> None:
    assert Supervisor.of(environment, 7) == expected


def test_an_abstract_socket_is_reached() -> None:
    with listening("") as (name, heard):  # Linux picks a free abstract name
        assert name.startswith("@")
        Supervisor(name).tell("READY=1", "STATUS=well")
        assert heard.next() == "READY=1\nSTATUS=well"


def test_a_failed_check_is_told_until_somebody_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    leaving, told, ended = Event(), Event(), Event()

    def tell(error: CheckFailed) -> None:
        _tell(error)
        told.set()

    def work() -> None:
        with suppress(CheckFailed), staying(leaving, tell):
            raise CheckFailed("nodes disagree on block 7")
        ended.set()

    thread = Thread(target=work)
    thread.start()
    assert told.wait(PATIENCE_SECONDS)
    assert not ended.wait(0.3)
    leaving.set()
    assert ended.wait(PATIENCE_SECONDS)
    thread.join()
    assert "nodes disagree on block 7" in capsys.readouterr().err


def test_only_a_failed_check_is_stayed_with() -> None:
    for stay, error in ((False, CheckFailed("no")), (True, ConfigError("no"))):
        with pytest.raises(type(error)), staying(Event(), _tell if stay else None):
            raise error


def test_staying_without_a_status_is_refused() -> None:
    ended = CliRunner().invoke(app, ["ledger", "follow", "--node", "ws://127.0.0.1:1", "--stay"])
    assert isinstance(ended.exception, ConfigError)
