"""A watch over a node that is killed, pruned, away, or lies; and a webhook that is not there."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from ibp_chain.errors import CheckFailed, ConfigError, InputError
from ibp_chain.node import Pruned
from ibp_chain.remarks import canonical_json
from ibp_chain.rpc import RpcClient
from ibp_chain.source import NodeSource
from ibp_chain.types import BlockNumber, Hash
from multisig.errors import DocumentError
from multisig.watch import STILL_SECONDS, Ears, Watch
from multisig.watch_state import WatchState, kept_by_one
from multisig.webhook import TryLater, Undelivered, Webhook
from tests.support import heard, payouts, recording
from tests.support.http_server import Quiet, http_server
from tests.support.replayed_node import ReplayedNode, served

OPENED, LAST = 60_101, 60_107
WHOLE = [report.key for report in heard.heard(heard.hearing())]


@pytest.fixture(autouse=True)
def time_for_a_slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook here that is slow is one that is not given time: it would hear a report twice."""
    monkeypatch.setattr("multisig.webhook.SECONDS", 300.0)


@dataclass
class Told:
    reports: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def keys(self) -> list[str]:
        return [each["id"] for each in self.reports]


@contextmanager
def watching(
    node: ReplayedNode, path: Path | None, hook: Webhook | None = None, first: int | None = None
) -> Iterator[tuple[Watch, Told]]:
    told = Told()
    with (
        served(node) as url,
        NodeSource(url, client=RpcClient(url, attempts=1, sleep=lambda _: None)) as source,
    ):
        ears = Ears(told.reports.append, told.warnings.append, hook)
        watch = Watch(
            source, lambda _: recording.runtime(), heard.hearing(), ears, path, lambda _: None
        )
        watch.begin(None if first is None else BlockNumber(first))
        yield watch, told


@dataclass
class Hook:
    """What a webhook was sent, and what it answers next."""

    answers: list[int] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        status = self.answers.pop(0) if self.answers else 204
        if status < 300:
            self.bodies.append(json.loads(body))
            self.keys.append(handler.headers["Idempotency-Key"])
        handler.send_response(status)
        handler.send_header("Content-Length", "0")
        handler.end_headers()


@contextmanager
def hooked(hook: Hook) -> Iterator[str]:
    class Handler(Quiet):
        def do_POST(self) -> None:
            hook.answer(self)

    with http_server(Handler) as url:
        yield f"{url}/hook/secret"


def webhook(url: str) -> Webhook:
    return Webhook(url, sleep=lambda _: None)


# --- Blocks -----------------------------------------------------------------------------------


def test_each_step_is_told_once_whenever_the_watch_is_stopped(tmp_path: Path) -> None:
    path, keys = tmp_path / "state", list[str]()
    for head in (OPENED - 1, OPENED, 60_103, 60_106, LAST, LAST):
        first = None if path.exists() else heard.FIRST
        with watching(ReplayedNode(head), path, first=first) as (watch, told):
            watch.catch_up()
            keys += told.keys
    assert keys == WHOLE[: len(keys)]
    assert len(keys) == 6


def test_a_kill_before_the_file_says_so_tells_the_same_again(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with watching(ReplayedNode(OPENED - 1), path, first=heard.FIRST) as (watch, _):
        watch.catch_up()
    before = path.read_bytes()
    with watching(ReplayedNode(LAST), path) as (watch, first):
        watch.catch_up()
    path.write_bytes(before)
    with watching(ReplayedNode(LAST), path) as (watch, second):
        watch.catch_up()
    assert second.reports == first.reports != []


def test_without_a_first_block_it_begins_behind_the_head_and_knows_what_is_open(
    tmp_path: Path,
) -> None:
    node = ReplayedNode(60_102)
    with watching(node, tmp_path / "state") as (watch, told):
        (standing,) = watch.hearing.tally.values()
        assert len(standing.approvals) == 2
        watch.catch_up()
        assert told.reports == []
        node.head = 60_103
        watch.catch_up()
    assert [each["event"] for each in told.reports] == ["failed"]


def test_a_first_block_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="there is no final block 99999999"):  # noqa: SIM117 - the message is of the inner one
        with watching(ReplayedNode(OPENED), None, first=99_999_999):
            pass


def test_a_final_block_that_is_another_one_now_ends_the_watch(tmp_path: Path) -> None:
    path, node = tmp_path / "state", ReplayedNode(60_103)
    with watching(node, path, first=heard.FIRST) as (watch, _):
        watch.catch_up()
        kept = json.loads(path.read_bytes())
        kept["block_hash"] = "0x" + "00" * 32
        path.write_text(json.dumps(kept, separators=(",", ":"), sort_keys=True) + "\n")
    for head in (60_103, LAST):  # also where it is the node's last
        node.head = head
        with (
            watching(node, path) as (watch, told),
            pytest.raises(CheckFailed, match="lies about finality"),
        ):
            watch.catch_up()
        assert told.reports == []


def test_a_node_that_stands_still_is_named_once_and_again_when_it_moves() -> None:
    node, now = ReplayedNode(OPENED), [1_000.0]
    with watching(node, None) as (watch, told):
        watch.clock = lambda: now[0]
        for seconds in (0, STILL_SECONDS - 1, 1, STILL_SECONDS):
            now[0] += seconds
            watch.catch_up()
        (warning,) = told.warnings
        assert warning == (
            f"the node's finalised head has been block {OPENED} for 5 minutes: whatever came since "
            "is not seen"
        )
        node.head = OPENED + 1
        watch.catch_up()
        assert told.warnings[1:] == [f"the node's finalised head moves again: block {OPENED + 1}"]


def test_a_first_block_beside_a_state_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with watching(ReplayedNode(OPENED), path):
        pass
    with (
        pytest.raises(InputError, match="leave --first out, or give another --state"),
        watching(ReplayedNode(OPENED), path, first=heard.FIRST),
    ):
        pass


def test_a_state_file_is_kept_by_one_watch_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with (
        kept_by_one(path),
        pytest.raises(ConfigError, match="is kept by another watch"),
        kept_by_one(path),
    ):
        pass
    with kept_by_one(path), kept_by_one(tmp_path / "another"), kept_by_one(None):
        pass


def test_a_state_file_of_other_calls_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with watching(ReplayedNode(OPENED), path):
        pass
    state = WatchState.model_validate(json.loads(path.read_bytes()))
    for calls in (None, (), (Hash(bytes(32)),)):
        other = state.model_copy(update={"calls": calls})
        if other == state:
            continue
        path.write_bytes(other.encoded)
        with (
            pytest.raises(DocumentError, match="it was kept for other calls"),
            watching(ReplayedNode(OPENED), path),
        ):
            pass


@pytest.mark.parametrize("report", ["{", "[]", "{}", '{"id":1}'])
def test_a_state_file_with_a_report_that_is_none_is_refused(tmp_path: Path, report: str) -> None:
    path = tmp_path / "state"
    with watching(ReplayedNode(OPENED), path):
        pass
    kept = json.loads(path.read_bytes())
    path.write_bytes(canonical_json(kept | {"waiting": [report]}))
    with (
        pytest.raises(DocumentError, match="a report that waits"),
        watching(ReplayedNode(OPENED), path),
    ):
        pass


def test_a_state_file_of_another_multisig_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with watching(ReplayedNode(OPENED), path):
        pass
    state = WatchState.model_validate(json.loads(path.read_bytes()))
    path.write_bytes(state.model_copy(update={"multisig": "another"}).encoded)
    with (
        pytest.raises(DocumentError, match="give another --state"),
        watching(ReplayedNode(OPENED), path),
    ):
        pass


@pytest.mark.parametrize("cut", [0, 1, 40, -2])
def test_a_state_file_that_is_cut_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "state"
    with watching(ReplayedNode(OPENED), path):
        pass
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DocumentError), watching(ReplayedNode(OPENED), path):
        pass


# --- Nodes ------------------------------------------------------------------------------------


def test_a_node_that_is_away_is_asked_again_and_nothing_is_missed(tmp_path: Path) -> None:
    node = ReplayedNode(OPENED - 1)
    with watching(node, tmp_path / "state", first=heard.FIRST) as (watch, told):
        watch.catch_up()
        node.away, node.head = 3, LAST
        watch.run(lambda: watch.at.number == LAST)
    assert told.keys == WHOLE[: len(told.keys)]
    assert len(told.keys) == 6
    assert len(told.warnings) == 3
    assert "trying again in 4 s, nothing is missed meanwhile" in told.warnings[2]


def test_a_gap_is_said_with_what_is_different_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with watching(ReplayedNode(OPENED), path, first=heard.FIRST) as (watch, _):
        watch.catch_up()
    with watching(ReplayedNode(LAST, pruned=60_105), path) as (watch, told):
        watch.catch_up()
        gap, *rest = told.reports
        assert (gap["event"], gap["first"], gap["last"]) == ("gap", OPENED + 1, 60_105)
        assert gap["closed"] == gap["open"] == ["0x" + payouts.bundle().call_hash.hex()]
        watch.catch_up()
    assert "are pruned; use an archive node" in told.warnings[0]
    told_later = [each["event"] for each in (*rest, *told.reports[1:])]
    assert told_later == ["approved", "executed"]


def test_to_begin_where_everything_is_pruned_is_refused() -> None:
    with (
        pytest.raises(Pruned, match="use an archive node"),
        watching(ReplayedNode(LAST, pruned=60_105), None, first=heard.FIRST),
    ):
        pass


# --- Webhooks ---------------------------------------------------------------------------------


def test_a_webhook_that_fails_twice_gets_everything_once_in_order(tmp_path: Path) -> None:
    hook = Hook(answers=[503, 429])
    with (
        hooked(hook) as url,
        watching(ReplayedNode(LAST), tmp_path / "state", webhook(url), heard.FIRST) as (
            watch,
            told,
        ),
    ):
        watch.catch_up()
        watch.deliver()
    assert hook.keys == told.keys == [each["id"] for each in hook.bodies]
    assert hook.bodies == told.reports
    assert told.warnings == []


def test_a_dead_webhook_stops_nothing_and_gets_everything_after_a_restart(tmp_path: Path) -> None:
    path, hook = tmp_path / "state", Hook(answers=[500] * 99)
    with (
        hooked(hook) as url,
        watching(ReplayedNode(LAST), path, webhook(url), heard.FIRST) as (watch, told),
    ):
        watch.catch_up()
        watch.deliver()
        assert len(told.reports) == 6
        assert hook.keys == []
        (warning,) = told.warnings
        assert "took nothing: HTTP status 500; 1 reports wait for it, the watch goes on" in warning
        assert len(watch.waiting) == 6
        assert "secret" not in "".join(told.warnings)
    hook.answers.clear()
    with hooked(hook) as url, watching(ReplayedNode(LAST), path, webhook(url)) as (watch, again):
        watch.catch_up()
        watch.deliver()
    assert again.reports == []
    assert hook.keys == told.keys


def test_a_report_that_is_refused_is_given_up_and_said(tmp_path: Path) -> None:
    hook = Hook(answers=[400])
    with (
        hooked(hook) as url,
        watching(ReplayedNode(LAST), tmp_path / "state", webhook(url), heard.FIRST) as (
            watch,
            told,
        ),
    ):
        watch.catch_up()
        watch.deliver()
    assert hook.keys == told.keys[1:]
    assert told.warnings == [
        "webhook 127.0.0.1 refused a report, which is given up: HTTP status 400"
    ]


def test_a_webhook_away_for_too_long_loses_the_oldest_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multisig.watch.MOST_WAITING", 4)
    with (
        hooked(Hook(answers=[500] * 99)) as url,
        watching(ReplayedNode(LAST), tmp_path / "state", webhook(url), heard.FIRST) as (
            watch,
            told,
        ),
    ):
        watch.catch_up()
        assert [json.loads(each)["id"] for each in watch.waiting] == told.keys[-4:]
    assert "1 reports are given up: the webhook was away for too long" in told.warnings


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/token",
        "token",
        "http:///token",
        "http://[::1/token",
        "http://host:99999/token",
        "http://host:0/token",
        "http://us\udce9er:token@host/",
        "http://host/token\udce9",
        "http://xn--a.example/token",
    ],
    ids=["scheme", "no scheme", "no host", "bracket", "port", "port 0", "user", "path", "punycode"],
)
def test_what_is_no_url_of_a_webhook_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigError, match="a webhook") as refused:
        Webhook(url)
    assert "token" not in str(refused.value)


def test_a_host_that_cannot_be_looked_up_is_away_whatever_the_transport_raises() -> None:
    for host in ("a" * 70, f"{'a.' * 140}example"):
        with pytest.raises(TryLater) as away:
            webhook(f"http://{host}.invalid/secret").post("key", "{}", patient=False)
        assert "secret" not in str(away.value)


def test_nobody_there_is_away_and_a_redirection_is_a_refusal() -> None:
    with pytest.raises(TryLater, match="ConnectError") as away:
        webhook("http://127.0.0.1:9/hook/secret").post("key", "{}")
    assert "secret" not in str(away.value)
    with hooked(Hook(answers=[302])) as url, pytest.raises(Undelivered, match="HTTP status 302"):
        webhook(url).post("key", "{}")
