"""Pages from templates: always escaped, and a name that is not there is an error, not a blank."""

import base64
from collections.abc import Mapping
from functools import cache
from hashlib import sha384
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from ibp_chain.web.filters import FILTERS
from ibp_chain.web.queries import chain
from ibp_chain.web.site import Site
from ibp_chain.web.snapshot import Snapshot

_HERE = Path(__file__).parent
SECTIONS = (
    ("members", "/members", "Members"),
    ("oracles", "/oracles", "Oracles"),
    ("payouts", "/payouts", "Payouts"),
    ("audit", "/audit", "Audit"),
    ("chain", "/chain", "Chain"),
)


@cache
def environment() -> Environment:
    found = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(FILTERS)
    found.globals.update(
        static_url=static_url, module_url=module_url, integrity=integrity, sections=SECTIONS
    )
    return found


def compile_all() -> None:
    """So that no request waits for it."""
    for name in environment().list_templates():
        environment().get_template(name)


@cache
def _digest(name: str) -> bytes:
    return sha384((_HERE / "static" / name).read_bytes()).digest()


def static_url(name: str) -> str:
    """With the file's own hash, so that it can be kept for ever."""
    return f"/static/{name}?v={_digest(name).hex()[:12]}"


def module_url(name: str) -> str:
    """Of a module that another imports: by its bare address, which the import names."""
    return f"/static/{name}"


def integrity(name: str) -> str:
    """For `integrity=`: a browser refuses the file where a proxy changed it."""
    return "sha384-" + base64.b64encode(_digest(name)).decode()


def page(
    request: Request, template: str, context: Mapping[str, Any], status: int = 200
) -> HTMLResponse:
    """`template` with `context`, and what every page shows of the ledger."""
    site: Site = request.app.state.site
    snapshot: Snapshot = request.state.snapshot
    text = (
        environment()
        .get_template(template)
        .render(
            head=chain.head(snapshot),
            now=chain.head(snapshot).time,
            trouble=site.loader.problem,
            waiting=snapshot.scores.waiting,
            path=request.url.path,
            **context,
        )
    )
    return HTMLResponse(text, status)


def query(values: Mapping[str, Any]) -> str:
    """`?a=1&b=2` of those that say something."""
    said = {name: value for name, value in values.items() if value not in (None, "")}
    return "?" + urlencode(said) if said else ""
