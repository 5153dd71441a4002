"""What a long-running command says of itself on stderr: lines for people, or JSON, one an event.

Whatever says it, our code or a library, goes through here, and is freed of secrets on the way:
passwords in URLs, tokens in queries and headers, and whatever has a secret's name.
"""

import json
import logging
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from enum import StrEnum
from typing import Annotated, Any, TextIO

import structlog
import typer
from structlog.typing import EventDict, WrappedLogger

from ledger.progress import (
    AtWork,
    BestSeen,
    BlockApplied,
    BlocksRecorded,
    Committed,
    Disagreement,
    Event,
    HeadSeen,
    NodeBack,
    NodeFailed,
    Observer,
    Opened,
    Stopped,
)


class LogForm(StrEnum):
    TEXT = "text"
    JSON = "json"


LogOption = Annotated[
    LogForm, typer.Option("--log", help="Lines for people, or one JSON document a line.")
]

HIDDEN = "***"
_LIBRARIES = ("httpx", "httpcore", "websockets", "uvicorn", "asyncio", "distributed")
_NAMES = r"(?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key|authorization)"
_SECRETS = (
    # user:password@ of any URL, the password with slashes and signs in it too
    (
        re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s]*@(?=[^\s@]*)", re.IGNORECASE),
        r"\1:***@",
    ),
    # a name alone is a token there, and a node's path is mostly its key
    (re.compile(r"(\b(?:wss?|https?)://)[^\s/@:]+@", re.IGNORECASE), r"\1***@"),
    (re.compile(r"(\bwss?://[^\s/?#\"']+/)[^\s?#\"',;:]+", re.IGNORECASE), r"\1***"),
    (re.compile(r"\b(bearer|basic)\s+[^\s\"',;]+", re.IGNORECASE), r"\1 ***"),
    (
        re.compile(
            rf"([\"']?[\w-]*{_NAMES}[\w-]*[\"']?\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^\s&,;\"']+)",
            re.IGNORECASE,
        ),
        r"\1***",
    ),
    # a webhook's address is its secret: keep whose it is, not what it is
    (
        re.compile(r"(https?://[^\s/?#]+/)(?:[^\s?#]*(?:hook|services)[^\s]*)", re.IGNORECASE),
        r"\1***",
    ),
    # Matrix, Slack and GitHub mark their tokens
    (re.compile(r"\b(?:syt_|mct_|xox[a-z]-|gh[pousr]_)[\w-]+"), HIDDEN),
)
_WORD = re.compile(r"[\x21\x23-\x3c\x3e-\x7e]+")
"""Printable, without quotes, spaces and equals signs."""
_NAMED = re.compile(_NAMES, re.IGNORECASE)
_MESSAGES: Mapping[type, tuple[str, str]] = {
    Opened: ("debug", "ledger opened"),
    AtWork: ("debug", "at work"),
    HeadSeen: ("debug", "finalised head"),
    BlockApplied: ("debug", "block applied"),
    Committed: ("info", "committed"),
    BlocksRecorded: ("debug", "recorded"),
    BestSeen: ("debug", "best block"),
    NodeFailed: ("warning", "node set aside"),
    NodeBack: ("info", "node answers"),
    Disagreement: ("error", "nodes disagree"),
    Stopped: ("info", "stopped"),
}


def without_secrets(text: str) -> str:
    """`text` with every secret that can be told by its place or its look as `***`."""
    for pattern, shown in _SECRETS:
        text = pattern.sub(shown, text)
    return text


def set_up_logs(form: LogForm, to: TextIO = sys.stderr, level: int = logging.INFO) -> None:
    """Everything that is logged from now on goes to `to`, a line each, in UTC."""
    shared: list[Callable[..., Any]] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    render: list[Callable[..., Any]] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        _hide,
        structlog.processors.JSONRenderer(ensure_ascii=True) if form is LogForm.JSON else _as_text,
    ]
    handler = logging.StreamHandler(to)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=render)
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def log_events(chain: str) -> Observer:
    """An observer that logs each event of a follower, with its fields."""
    log = structlog.stdlib.get_logger("ledger").bind(chain=chain)

    def observe(event: Event) -> None:
        level, message = _MESSAGES[type(event)]
        if isinstance(event, Stopped) and event.error is not None:
            level = "error"
        getattr(log, level)(message, **fields_of(event))

    return observe


def fields_of(event: Event) -> dict[str, Any]:
    """An event's fields as JSON has them; a block is its height and its hash."""
    found: dict[str, Any] = {}
    for field in fields(event):
        _add(found, field.name, getattr(event, field.name))
    return found


def _add(into: dict[str, Any], name: str, value: Any) -> None:
    number, block_hash = getattr(value, "number", None), getattr(value, "hash", None)
    if number is not None and isinstance(block_hash, bytes):
        into["block"], into["hash"] = number, "0x" + block_hash.hex()
    else:
        into[name] = _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value


def _hide(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {name: _hidden(name, value) for name, value in event.items()}


def _hidden(name: str, value: Any) -> Any:
    if _NAMED.search(name) and value is not None:
        return HIDDEN
    if isinstance(value, dict):
        return {str(key): _hidden(str(key), each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden("", each) for each in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return without_secrets(str(value))


def _as_text(_: WrappedLogger, __: str, event: EventDict) -> str:
    """`TIME LEVEL message key=value …`, on one line whatever is in it."""
    found = dict(event)
    time, level, message = (str(found.pop(name, "")) for name in ("time", "level", "event"))
    who = found.pop("chain", None) or found["logger"]
    found.pop("logger")
    rest = (f"{key}={_told(value)}" for key, value in found.items() if value is not None)
    return " ".join((f"{time} {level.upper():<7} {who}: {_printable(message)}", *rest))


def _told(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if _WORD.fullmatch(text) else json.dumps(text)


def _printable(text: str) -> str:
    """Nodes and remarks are hostile: no line of its own, nothing that a terminal obeys."""
    return "".join(each if each.isprintable() else " " for each in text)
