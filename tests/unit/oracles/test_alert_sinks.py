"""Delivering alerts to real servers on loopback: a webhook, a homeserver, and ones that are ill."""

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from ibp_chain.errors import ConfigError
from oracles.alert_sinks import Courier, Matrix, Persistence, Sink, Webhook
from oracles.alerts import Alert, Condition, Subject, Trouble
from oracles.metrics import Delivery
from tests.support.probed import Request, http_server, read_request, response, tcp
from tests.support.published import loopback_client

ALERT = Alert(Subject(Trouble.FAILS, "gatotech", "polkadot"), False, 0, 300, "timeout")
SECOND = Alert(Subject(Condition.BALANCE), False, 60, 60, "0.1 PAS")
TEXT = "oracle-1: gatotech/polkadot fails since 1970-01-01 00:00 UTC: timeout"
TOKEN = "syt_secret"
ROOM = "!abc/d:matrix.example"


class Receiver:
    """Answers as it is told, then 200; remembers what it was asked."""

    def __init__(self, *answers: bytes) -> None:
        self.answers, self.asked = list(answers), list[Request]()

    async def __call__(self, request: Request) -> bytes:
        self.asked.append(request)
        return self.answers.pop(0) if self.answers else response("200 OK", b'{"event_id":"$x"}')


class Waits:
    """Instead of sleeping."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


ENDLESS = Persistence(attempts=1, seconds=3_600)


async def delivered(
    make: Callable[[str], Sink], receiver: Receiver, *alerts: Alert, waits: Waits | None = None
) -> list[Delivery]:
    """What became of `alerts`."""
    counted: list[Delivery] = []
    async with http_server(receiver) as port, loopback_client() as client:
        sink = make(f"http://127.0.0.1:{port}")
        persistence = Persistence(attempts=4, seconds=60, sleep=waits or Waits())
        courier = Courier([sink], client, "oracle-1", counted.append, persistence=persistence)
        await finished(courier, *alerts)
    return counted


async def finished(courier: Courier, *alerts: Alert, seconds: float = 120) -> None:
    running = asyncio.create_task(courier.run())
    for alert in alerts:
        courier.post(alert)
    await courier.drain(seconds)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def webhook(url: str) -> Webhook:
    return Webhook(f"{url}/hook?key=secret")


def matrix(url: str) -> Matrix:
    return Matrix(url, ROOM, TOKEN)


def body(request: Request) -> dict[str, Any]:
    found = json.loads(request.body)
    assert isinstance(found, dict)
    return found


# --- What is sent -----------------------------------------------------------------------


def test_a_webhook_gets_the_alert_as_json() -> None:
    receiver = Receiver()
    assert asyncio.run(delivered(webhook, receiver, ALERT)) == [Delivery.SENT]
    (asked,) = receiver.asked
    assert (asked.method, asked.path) == ("POST", "/hook?key=secret")
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["idempotency-key"] == ALERT.id
    assert body(asked) == ALERT.fields() | {"oracle": "oracle-1", "text": TEXT}


def test_a_matrix_room_gets_a_plain_message_that_mentions_nobody() -> None:
    receiver = Receiver()
    assert asyncio.run(delivered(matrix, receiver, ALERT)) == [Delivery.SENT]
    (asked,) = receiver.asked
    assert asked.method == "PUT"
    assert asked.path == (
        "/_matrix/client/v3/rooms/%21abc%2Fd%3Amatrix.example/send/m.room.message/" + ALERT.id
    )
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert body(asked) == {"msgtype": "m.text", "body": TEXT, "m.mentions": {}}


def test_alerts_arrive_in_order() -> None:
    receiver = Receiver(response("503 Busy"))
    assert asyncio.run(delivered(webhook, receiver, ALERT, SECOND)) == [Delivery.SENT] * 2
    assert [body(asked)["id"] for asked in receiver.asked] == [ALERT.id, ALERT.id, SECOND.id]


# --- What goes wrong --------------------------------------------------------------------


@pytest.mark.parametrize("make", [webhook, matrix])
def test_what_may_pass_is_tried_again_with_the_same_id(make: Callable[[str], Sink]) -> None:
    receiver, waits = (
        Receiver(response("502 Bad"), response("500 No"), response("429 Slow")),
        Waits(),
    )
    assert asyncio.run(delivered(make, receiver, ALERT, waits=waits)) == [Delivery.SENT]
    assert len({(asked.path, asked.body) for asked in receiver.asked}) == 1
    assert waits.seconds == [2, 4, 8]


def test_a_server_that_says_when_is_heeded_within_reason() -> None:
    def later(value: str) -> bytes:
        return response("429 Too Many Requests", Retry_After=value)

    receiver, waits = Receiver(later("30"), later("999999999999"), later("soon")), Waits()
    assert asyncio.run(delivered(matrix, receiver, ALERT, waits=waits)) == [Delivery.SENT]
    assert waits.seconds == [30, 4, 8]
    receiver, waits = Receiver(later("99999")), Waits()
    asyncio.run(delivered(matrix, receiver, ALERT, waits=waits))
    assert waits.seconds == [300]


@pytest.mark.parametrize(
    "answer",
    [
        response("403 Forbidden", b'{"errcode":"M_FORBIDDEN"}'),
        response("401 Unauthorized"),
        response("404 Not Found"),
        response("307 Temporary Redirect", Location="http://127.0.0.1:9/"),
        response("301 Moved", Location="/elsewhere"),
    ],
)
def test_what_will_not_pass_is_lost_at_once_and_the_next_is_sent(
    answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = Receiver(answer)
    counted = asyncio.run(delivered(matrix, receiver, ALERT, SECOND))
    assert counted == [Delivery.LOST, Delivery.SENT]
    assert len(receiver.asked) == 2
    assert "alert lost at matrix 127.0.0.1: gatotech/polkadot fails" in caplog.text


@pytest.mark.parametrize("make", [webhook, matrix])
def test_secrets_are_in_no_log_and_no_repr(
    make: Callable[[str], Sink], caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("httpx").setLevel(logging.WARNING)  # as the daemon does
    with caplog.at_level(logging.DEBUG, "oracles"):
        asyncio.run(delivered(make, Receiver(*[response("500 No")] * 9), ALERT))
        asyncio.run(gone(make("http://127.0.0.1:9")))
    assert caplog.text.count("alert lost at ") == 2
    assert "secret" not in caplog.text
    assert "secret" not in repr(make("http://127.0.0.1:9"))


async def gone(sink: Sink) -> list[Delivery]:
    counted: list[Delivery] = []
    async with loopback_client() as client:
        persistence = Persistence(attempts=3, sleep=Waits())
        await finished(
            Courier([sink], client, "oracle-1", counted.append, persistence=persistence), ALERT
        )
    return counted


def test_a_sink_that_is_not_there_loses_its_alerts_and_ends_nothing() -> None:
    assert asyncio.run(gone(webhook("http://127.0.0.1:9"))) == [Delivery.LOST]


def test_a_sink_that_never_answers_or_never_ends_holds_up_no_other() -> None:
    counted: list[Delivery] = []

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def trickles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        while True:
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async def run() -> None:
        receiver = Receiver()
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(loopback_client())
            ports = [
                await stack.enter_async_context(server)
                for server in (tcp(silent), tcp(trickles), http_server(receiver))
            ]
            *ill, well = [webhook(f"http://127.0.0.1:{port}") for port in ports]
            # both that are ill are still waited for when the other has it
            patient = Courier([*ill, well], client, "o", counted.append, persistence=ENDLESS)
            running = asyncio.create_task(patient.run())
            patient.post(ALERT)
            async with asyncio.timeout(60):
                while not counted:  # noqa: ASYNC110 - what is counted tells nobody
                    await asyncio.sleep(0.01)
            assert counted == [Delivery.SENT]
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            assert counted == [Delivery.SENT, Delivery.LOST, Delivery.LOST]
            assert len(receiver.asked) == 1
            counted.clear()
            brief = Persistence(attempts=2, seconds=0.2, sleep=Waits())
            await finished(Courier(ill, client, "o", counted.append, persistence=brief), ALERT)

    asyncio.run(run())
    assert counted == [Delivery.LOST, Delivery.LOST]


def test_an_endless_answer_is_not_read() -> None:
    async def floods(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + bytes(65_536) + b"\r\n")
            await writer.drain()

    async def run() -> list[Delivery]:
        counted: list[Delivery] = []
        async with tcp(floods) as port, loopback_client() as client:
            sink = webhook(f"http://127.0.0.1:{port}")
            await finished(Courier([sink], client, "o", counted.append), ALERT)
        return counted

    assert asyncio.run(run()) == [Delivery.SENT]


def test_a_full_queue_loses_the_newest_and_post_does_not_wait(
    caplog: pytest.LogCaptureFixture,
) -> None:
    counted: list[Delivery] = []

    async def run() -> None:
        async with loopback_client() as client:
            sink = webhook("http://127.0.0.1:9")
            courier = Courier([sink], client, "o", counted.append, capacity=2)
            for _ in range(5):
                courier.post(ALERT)

    asyncio.run(run())
    assert counted == [Delivery.LOST] * 3
    assert "2 alerts are waiting already" in caplog.text


def test_at_shutdown_what_was_not_delivered_in_time_is_counted_as_lost() -> None:
    counted: list[Delivery] = []

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def run() -> None:
        async with tcp(silent) as port, loopback_client() as client:
            courier = Courier([webhook(f"http://127.0.0.1:{port}")], client, "o", counted.append)
            await finished(courier, ALERT, SECOND, ALERT, seconds=0.2)

    asyncio.run(run())
    assert counted == [Delivery.LOST] * 3


def test_a_mistake_of_ours_in_one_alert_does_not_end_the_others() -> None:
    class Broken:
        name = "broken"

        async def send(self, *_: object) -> None:
            raise RuntimeError("a mistake")

    counted: list[Delivery] = []

    async def run() -> None:
        async with loopback_client() as client:
            await finished(Courier([Broken()], client, "o", counted.append), ALERT, SECOND)

    asyncio.run(run())
    assert counted == [Delivery.LOST] * 2


# --- Settings ---------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["", "hooks.example/x", "ftp://a", "http://", "http://[::1"])
def test_another_url_is_no_sink_and_is_not_repeated(url: str) -> None:
    for make in (lambda: Webhook(url), lambda: Matrix(url, ROOM, TOKEN)):
        with pytest.raises(ConfigError, match="URL of a"):
            make()


def test_an_alias_is_no_room_and_a_line_break_no_token() -> None:
    with pytest.raises(ConfigError, match="no room id"):
        Matrix("https://matrix.example", "#room:matrix.example", TOKEN)
    for token in ("", " ", "a\r\nX: y", "ü"):
        with pytest.raises(ConfigError, match="access token"):
            Matrix("https://matrix.example", ROOM, token)
