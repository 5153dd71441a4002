"""A line an event, for people or for programs, and never a secret in it."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime

import pytest
import structlog

from ibp_chain.cli.follow import spoken
from ibp_chain.cli.logs import LogForm, fields_of, log_events, set_up_logs, without_secrets
from ibp_chain.node_events import Disagreement, NodeBack, NodeFailed, Trouble
from ibp_chain.types import BlockNumber, Hash, SpecVersion
from ledger.progress import (
    AtWork,
    BestSeen,
    BlockApplied,
    BlocksRecorded,
    Committed,
    Event,
    HeadSeen,
    Opened,
    Stopped,
)
from tests.support.command_line import ibp
from tests.unit.operations.followed import block

EVENTS: tuple[Event, ...] = (
    HeadSeen(block(9)),
    BlockApplied(block(8), 1_700_000_000_000, SpecVersion(7), 3, 1, 0),
    Committed(block(8), 5, 12),
    BlocksRecorded(block(8), 5),
    BestSeen(block(11), 2, 1),
    NodeFailed("ws://a", Trouble.UNTRUE, "a hash is wrong", 2.5),
    NodeBack("ws://a"),
    Disagreement(BlockNumber(9), (("ws://a", Hash(b"\1" * 32)),), None),
    Stopped("the disk is full"),
    Stopped(None),
    Opened(block(7)),
    AtWork("entries", 4),
)
SECRET = "hunter2-S3cr3t"
LEAKS = (
    f"postgresql://office:{SECRET}@db.example/ledger",
    f"postgresql://office:p@ss/{SECRET}@db.example:5432/ledger?schema=a",
    f"connection to postgresql+psycopg://office:{SECRET}@[::1]/ledger failed",
    f"wss://user:{SECRET}@node.example:443/",
    f"wss://node.example/?api_key={SECRET}&x=1",
    f"wss://node.example/?apikey={SECRET}",
    f"wss://{SECRET}@node.example/",
    f"wss://node.example/{SECRET}",
    f"password={SECRET} host=db",
    f"password = '{SECRET} and more {SECRET}'",
    f"PGPASSWORD={SECRET}",
    f'{{"access_token": "{SECRET}"}}',
    f"Authorization: Bearer {SECRET}",
    f"authorization: basic {SECRET}",
    f"https://chat.example/hooks/{SECRET}",
    f"https://chat.example/services/T0/B0/{SECRET}",
    f"https://chat.example/api/webhooks/1/{SECRET}?wait=true",
    f"IBP_MATRIX_TOKEN={SECRET}",
    f"syt_{SECRET}_more",
)
PLAIN = (
    "block 12 of polkadot: 3 extrinsics",
    "wss://node.example:443/",
    "postgresql://office@db.example/ledger?schema=polkadot",
    "0x" + "ab" * 32,
    "2026-11-21T10:00:00Z",
    "no such file: /var/lib/ibp/ledger.db",
)


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(form: LogForm, *events: Event, level: int = logging.DEBUG) -> list[str]:
    said = io.StringIO()
    set_up_logs(form, said, level)
    observe = log_events("polkadot")
    for event in events:
        observe(event)
    return said.getvalue().splitlines()


def test_every_event_is_one_line_of_json_with_its_fields() -> None:
    told = [json.loads(line) for line in lines(LogForm.JSON, *EVENTS)]
    assert len(told) == len(EVENTS)
    for line in told:
        assert {"event", "level", "time", "chain", "logger"} <= line.keys()
        assert datetime.fromisoformat(line["time"]).utcoffset() is not None
        assert line["chain"] == "polkadot"
    assert told[2] | {"time": ""} == {
        "event": "committed",
        "level": "info",
        "logger": "ledger",
        "time": "",
        "chain": "polkadot",
        "block": 8,
        "hash": "0x" + block(8).hash.hex(),
        "blocks": 5,
        "took_ms": 12,
    }
    assert told[5]["trouble"] == "untrue"
    assert told[7]["named"] == [["ws://a", "0x" + "01" * 32]]
    levels = [line["level"] for line in told]
    assert levels[5:] == ["warning", "info", "error", "error", "info", "debug", "debug"]


def test_people_get_a_line_an_event_too() -> None:
    told = lines(LogForm.TEXT, *EVENTS, level=logging.INFO)
    assert len(told) == 6
    assert told[0].split(" ", 1)[1] == (
        f"INFO    polkadot: committed block=8 hash=0x{block(8).hash.hex()} blocks=5 took_ms=12"
    )
    assert told[1].endswith(
        'polkadot: node set aside node=ws://a trouble=untrue message="a hash is wrong" '
        "retry_seconds=2.5"
    )


@pytest.mark.parametrize("form", LogForm)
def test_what_a_hostile_node_says_stays_on_its_line(form: LogForm) -> None:
    message = 'x"\n{"event": "forged"}\r\n\x1b[2J\u2028done=yes'
    (line,) = lines(form, NodeFailed("ws://a", Trouble.MALFORMED, message, None))
    assert line.isascii()
    assert line.isprintable()


@pytest.mark.parametrize("form", LogForm)
def test_libraries_and_exceptions_keep_to_the_form(form: LogForm) -> None:
    said = io.StringIO()
    set_up_logs(form, said)
    logging.getLogger("alembic").info("running %s\nnow", "a step")
    logging.getLogger("websockets").info("not for operators")
    try:
        int(f"postgresql://me:{SECRET}@db/x")
    except ValueError:
        logging.getLogger("ours").exception("it broke")
    told = said.getvalue().splitlines()
    assert len(told) == 2
    assert "running a step" in told[0]
    assert "Traceback" in told[1]
    assert SECRET not in told[1]


@pytest.mark.parametrize("place", range(len(LEAKS)))
@pytest.mark.parametrize("form", LogForm)
def test_no_secret_is_ever_in_a_line(form: LogForm, place: int) -> None:
    leak = LEAKS[place]
    said = io.StringIO()
    set_up_logs(form, said)
    log_events(leak)(NodeFailed(leak, Trouble.UNREACHABLE, leak, 1.0))
    logging.getLogger("any").error(leak)
    logging.getLogger("any").error("why: %s", leak)
    structlog.get_logger("own").error("own", url=leak, parts=[leak], deep={"a": {"b": leak}})
    assert len(said.getvalue().splitlines()) == 4
    assert SECRET not in said.getvalue()
    assert "***" in said.getvalue()


@pytest.mark.parametrize("form", LogForm)
def test_what_has_a_secrets_name_is_not_told(form: LogForm) -> None:
    said = io.StringIO()
    set_up_logs(form, said)
    structlog.get_logger("own").error("own", password=SECRET, matrix_token=[SECRET], api_key=SECRET)
    assert SECRET not in said.getvalue()


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_no_secret_is_told_as_it_is(text: str) -> None:
    assert without_secrets(text) == text


def test_the_fields_of_every_event_are_plain() -> None:
    for event in EVENTS:
        json.dumps(fields_of(event))


HOSTILE = "a node says \x1b]0;owned\x07\x1b[2J\u2028 and [red]more[/]\nibp: forged"


def test_a_terminal_obeys_nothing_that_a_node_says(capsys: pytest.CaptureFixture[str]) -> None:
    spoken().observer(NodeFailed("ws://a", Trouble.MALFORMED, HOSTILE, 4.0))
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told[:-1].isprintable()
    assert "[red]more[/]" in told


@pytest.mark.parametrize("form", LogForm)
def test_the_error_that_ends_a_command_is_one_line_without_secrets(form: LogForm) -> None:
    config = f"/nowhere/\x1b]0;owned\x07\x1b[2J\nibp: forged password={SECRET}"
    ended = ibp("ledger", "follow-all", config, "--log", str(form))
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.isprintable()
    assert "ibp: forged password=***" in line
    if form is LogForm.JSON:
        assert json.loads(line)["level"] == "error"
    else:
        assert line.startswith("ibp: ")
