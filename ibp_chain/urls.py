"""URLs as they may be shown: providers put keys in names, passwords, paths and queries alike.

A message never quotes a URL that was given, nor what a library says of one.
"""

import re
from typing import NamedTuple

HIDDEN = "***"
_URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_SERVER = re.compile(r"(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.IGNORECASE)
_IN_TEXT = re.compile(r"[a-z][a-z0-9+.-]*://[^\s\"'<>]+", re.IGNORECASE)
_WEB = frozenset({"http", "https", "ws", "wss"})


class _Parts(NamedTuple):
    scheme: str
    server: str
    """Host and port."""
    path: str


def public_url(url: str) -> str:
    """Scheme, host and port of `url`; `***` for what does not parse, or not in one way only.

    A password with a slash or a question mark in it makes no valid URL: then nothing but the scheme
    is told, since what stands before it looks like a host.
    """
    parts = _parted(url)
    if parts is None:
        return HIDDEN
    return f"{parts.scheme}://{HIDDEN if '@' in parts.path else parts.server}"


def public_place(url: str) -> str:
    """As `public_url`, with the path where it names something in a bucket: not over the web."""
    parts = _parted(url)
    if parts is None or parts.scheme.lower() in _WEB:
        return public_url(url)
    if "@" in parts.path and ":" in parts.server:
        return f"{parts.scheme}://{HIDDEN}"
    return f"{parts.scheme}://{parts.server}{parts.path}"


def without_urls(text: str) -> str:
    """What a library says, with each URL in it as `public_place` has it."""
    return _IN_TEXT.sub(lambda found: public_place(found[0]), text)


def _parted(url: str) -> _Parts | None:
    found = _URL.fullmatch(url)
    if found is None:
        return None
    server = found["authority"].rpartition("@")[2]
    if "@" in found["rest"] and "@" not in found["authority"]:
        return _Parts(found["scheme"], HIDDEN, "")
    if server and _SERVER.fullmatch(server) is None:
        return _Parts(found["scheme"], HIDDEN, "")
    return _Parts(found["scheme"], server, found["path"])
