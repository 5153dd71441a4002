"""HTTP/1.1 to a pinned address: the address in the URL, the service's name in SNI and `Host`."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from oracles.probes.faults import status_fault
from oracles.probes.jsonrpc import Reply, answer, question
from oracles.probes.outcomes import Fault, Reason
from oracles.probes.targets import Endpoint
from oracles.probes.wire import Poll, connect_round_trip, tls_round_trip


@dataclass(frozen=True, slots=True)
class HttpReply:
    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes
    latency_ns: int
    """From the request's last byte, sent on an open connection, to the answer's last."""


class _Stream(Protocol):
    """An open connection, below httpx."""

    async def aclose(self) -> None: ...


class PinnedHttp:
    """Requests to one endpoint, one after the other on one connection; nothing is followed."""

    def __init__(self, client: httpx.AsyncClient, endpoint: Endpoint, poll: Poll) -> None:
        self._client, self.endpoint, self.poll = client, endpoint, poll
        self._clock = poll.tools.clock
        self._dialled_ns = self._sent_ns = self._told_ns = 0
        self._streams: list[_Stream] = []

    async def send(
        self,
        method: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        expect: int = 200,
    ) -> HttpReply:
        """One exchange; the body of a status other than `expect` is left unread.

        Raises `Fault` for an answer that is too long, and `httpx.HTTPError`.
        """
        request = self._client.build_request(
            method,
            self.endpoint.pinned_url,
            headers={"Host": self.endpoint.authority, "Accept-Encoding": "identity"}
            | dict(headers or {}),
            content=body,
            extensions={"sni_hostname": self.endpoint.host, "trace": self._trace},
        )
        response = await self._client.send(request, stream=True, follow_redirects=False)
        try:
            if self.endpoint.scheme.secure and self.poll.facts.certificate_expires is None:
                stream = response.extensions["network_stream"]
                self.poll.saw_certificate(stream.get_extra_info("ssl_object"))
            raw = await self._body(response) if response.status_code == expect else b""
        finally:
            await response.aclose()
        latency = max(0, self._told_ns - self._sent_ns)
        return HttpReply(response.status_code, response.headers, raw, latency)

    async def round_trip(self) -> int:
        if self.endpoint.scheme.secure:
            return await tls_round_trip(self.endpoint, self.poll)
        return await connect_round_trip(self.endpoint, self.poll)

    async def close(self) -> None:
        """Closes what is open below httpx: it forgets a connection cancelled in its handshake."""
        while self._streams:
            await self._streams.pop().aclose()

    async def _body(self, response: httpx.Response) -> bytes:
        limit, raw = self.poll.tools.limits.reply_bytes, bytearray()
        async for chunk in response.aiter_raw():
            raw += chunk
            if len(raw) > limit:
                raise Fault(Reason.TOO_LONG, f"its answer is longer than {limit} bytes")
        return bytes(raw)

    async def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """What httpx does below; a server that closes after each answer is dialled anew."""
        match event:
            case "connection.connect_tcp.started":
                self._dialled_ns = self._clock()
            case "connection.connect_tcp.complete":
                took = (self._clock() - self._dialled_ns) // 1_000
                known = self.poll.facts.connect_us
                self.poll.saw(connected=True, connect_us=min(took, known or took))
                self._streams.append(info["return_value"])
            case "http11.send_request_body.complete":
                self._sent_ns = self._clock()
            case (
                "http11.receive_response_headers.complete" | "http11.receive_response_body.complete"
            ):
                self._told_ns = self._clock()


@asynccontextmanager
async def opened(endpoint: Endpoint, poll: Poll) -> AsyncIterator[PinnedHttp]:
    """A client of one connection; no proxy and no setting of the environment."""
    async with httpx.AsyncClient(
        verify=poll.tools.tls,
        trust_env=False,
        timeout=None,  # noqa: S113 - the poll as a whole has a time limit
        limits=httpx.Limits(max_connections=1),
        headers={"User-Agent": "ibp-oracle"},
    ) as client:
        http = PinnedHttp(client, endpoint, poll)
        try:
            yield http
        finally:
            await http.close()


class HttpSession:
    """JSON-RPC over HTTP, one POST per question."""

    def __init__(self, http: PinnedHttp) -> None:
        self._http, self._last_id = http, 0

    async def call(self, method: str, *params: Any) -> Reply:
        self._last_id += 1
        reply = await self._http.send(
            "POST",
            headers={"Content-Type": "application/json"},
            body=question(self._last_id, method, params),
        )
        if reply.status != 200:
            raise status_fault(reply.status)
        return Reply(answer(reply.body, self._last_id), reply.latency_ns)

    async def round_trip(self) -> int:
        return await self._http.round_trip()
