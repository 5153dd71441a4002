"""A webhook that is told of each step: POST of one JSON object, tried again while it is away.

Its URL is a secret, as such URLs carry tokens: no message has more of it than the host.
"""

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import httpx
import tenacity

from ibp_chain.errors import ConfigError

ATTEMPTS = 4
SECONDS = 10.0
"""For one attempt as a whole, however slowly it is answered."""
_LATER = frozenset({408, 425, 429})
_TRANSPORT = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.StreamError,
    OSError,
    UnicodeError,
    ExceptionGroup,
)
"""What a delivery may fail with below HTTP; anyio groups what its tries to connect raise."""
_LONGEST_PAUSE = 30.0


class Undelivered(Exception):
    """A webhook did not take a report, and would not take it later."""


class TryLater(Undelivered):
    """It may take it later."""

    def __init__(self, text: str, after_seconds: float = 0.0) -> None:
        self.after_seconds = after_seconds
        super().__init__(text)


_backoff = tenacity.wait_exponential(multiplier=0.5, max=8)


@dataclass(frozen=True, slots=True)
class Webhook:
    """One address. `sleep` is in seconds, between attempts.

    Raises `ConfigError` for what is no http(s) URL.
    """

    url: str = field(repr=False)
    attempts: int = ATTEMPTS
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        try:
            url, _ = httpx.URL(self.url), self.url.encode()
            host = url.host  # decodes what is punycode
        except (httpx.InvalidURL, TypeError, UnicodeError) as error:
            raise ConfigError("this is no URL of a webhook") from error
        if url.scheme not in ("http", "https") or not host:
            raise ConfigError("a webhook's URL begins with http:// or https:// and a host")
        if url.port is not None and not 0 < url.port < 2**16:
            raise ConfigError("a webhook's URL has a port from 1 to 65535, or none")

    @property
    def name(self) -> str:
        """For people; no secret."""
        return f"webhook {httpx.URL(self.url).host}"

    def post(self, key: str, body: str, *, patient: bool = True) -> None:
        """Deliver a JSON text, at once or not at all unless `patient`.

        `key` goes along as `Idempotency-Key`: the receiver may see a report twice. Raises
        `TryLater` where the last attempt failed too, `Undelivered` where it was refused.
        """
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TryLater),
            stop=tenacity.stop_after_attempt(self.attempts if patient else 1),
            wait=_pause,
            sleep=self.sleep,
            reraise=True,
        )
        retrying(self._post_once, key, body)

    def _post_once(self, key: str, body: str) -> None:
        try:
            status, after_seconds = asyncio.run(self._exchange(key, body))
        except TimeoutError as error:
            raise TryLater("no answer in time") from error
        except _TRANSPORT as error:
            # the texts of httpx may have the URL
            raise TryLater(type(error).__name__) from error
        if 200 <= status < 300:
            return
        if status in _LATER or status >= 500:
            raise TryLater(f"HTTP status {status}", after_seconds)
        raise Undelivered(f"HTTP status {status}")

    async def _exchange(self, key: str, body: str) -> tuple[int, float]:
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        async with (
            asyncio.timeout(SECONDS),
            httpx.AsyncClient(timeout=SECONDS, verify=_authorities()) as client,
            client.stream("POST", self.url, content=body.encode(), headers=headers) as answer,
        ):
            return answer.status_code, _retry_after(answer)


@cache
def _authorities() -> ssl.SSLContext:
    """Made once: reading all certificates takes longer than a delivery."""
    return ssl.create_default_context()


def _retry_after(answer: httpx.Response) -> float:
    """What `Retry-After` asks for in seconds; a date is not heeded."""
    text = answer.headers.get("retry-after", "")
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        return 0.0
    return min(float(text), _LONGEST_PAUSE)


def _pause(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    asked = error.after_seconds if isinstance(error, TryLater) else 0.0
    return max(asked, _backoff(state))
