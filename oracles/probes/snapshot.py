"""A snapshot for download: HEAD, then its first byte, which proves that downloads can resume."""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from oracles.probes import timing
from oracles.probes.faults import status_fault
from oracles.probes.http import HttpReply, PinnedHttp
from oracles.probes.outcomes import Doubt, Fault, Outcome, Reason, Unknown
from oracles.probes.wire import Poll, Tools

_SIZE = re.compile(r"[0-9]{1,18}")
_FIRST_BYTE = re.compile(r"bytes 0-0/([0-9]{1,18})")


async def probe(http: PinnedHttp, poll: Poll) -> Outcome:
    """Raises `Fault`, `OSError` and `httpx.HTTPError`. The measured request is the HEAD."""
    tools = poll.tools
    # the first opens the connection, so that the measured one finds it open
    await http.send("HEAD")

    async def head() -> HttpReply:
        return await http.send("HEAD")

    reply, measured = await timing.measure(tools.watch, http.round_trip, head)
    poll.saw(**measured.facts())
    if reply.status != 200:
        raise status_fault(reply.status)
    poll.saw(size=size_of(reply.headers), modified=modified_of(reply.headers))
    first = await http.send("GET", headers={"Range": "bytes=0-0"}, expect=206)
    check_range(first, poll.facts.size)
    return check_age(poll.facts.modified, tools) or timing.judge(measured, tools.slow_at)


def size_of(headers: Mapping[str, str]) -> int:
    """Raises `Fault` where no size, or nothing, or no range is offered."""
    text = headers.get("content-length", "")
    if not _SIZE.fullmatch(text) or int(text) == 0:
        raise Fault(Reason.MALFORMED, f"a snapshot of Content-Length {text!r}")
    if headers.get("accept-ranges", "").lower() != "bytes":
        raise Fault(Reason.NO_RANGE, "does not offer ranges (Accept-Ranges: bytes)")
    return int(text)


def modified_of(headers: Mapping[str, str]) -> int | None:
    """Unix seconds of Last-Modified; None where it is not told. Raises `Fault`."""
    if (text := headers.get("last-modified")) is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(moment.timestamp())
    except (ValueError, OverflowError) as error:
        raise Fault(Reason.MALFORMED, f"Last-Modified: {text!r} is no date") from error


def check_range(reply: HttpReply, size: int | None) -> None:
    """`reply` is to the range of the first byte. Raises `Fault`."""
    if reply.status == 200:
        raise Fault(Reason.NO_RANGE, "answered a range request with the whole")
    if reply.status != 206:
        raise status_fault(reply.status)
    told = _FIRST_BYTE.fullmatch(reply.headers.get("content-range", ""))
    if told is None or int(told[1]) != size or len(reply.body) != 1:
        raise Fault(
            Reason.NO_RANGE,
            f"asked for the first of {size} bytes, got {len(reply.body)} as "
            f"{reply.headers.get('content-range')!r}",
        )


def check_age(modified: int | None, tools: Tools) -> Outcome | None:
    """Raises `Fault` for a snapshot that is too old; unknown where our clock may be wrong."""
    limit = tools.limits.snapshot_seconds
    if modified is None:
        raise Fault(Reason.STALE, "does not say how old it is (Last-Modified)")
    if tools.unix_seconds - modified <= limit:
        return None
    if not tools.clock_sound:
        return Unknown(Doubt.OWN_CLOCK, "too old, or this machine's clock is wrong")
    raise Fault(Reason.STALE, f"is {(tools.unix_seconds - modified) // 86_400} days old")
