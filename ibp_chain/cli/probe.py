"""`ibp oracle probe`: what members' endpoints answer right now."""

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ibp_chain.cli.output import JsonOption, console, print_json, progress, row, table
from ibp_chain.types import Micros
from ledger.program.rules import load_rules
from oracles.probes.files import load_targets
from oracles.probes.outcomes import Failed, Ok, Outcome, Result, Slow
from oracles.probes.pool import Pace, probe_all
from oracles.probes.slots import Freshness, settle
from oracles.probes.targets import Target
from oracles.probes.timing import LoopWatch
from oracles.probes.wire import Limits, Tools, trusting
from oracles.rules import sla_rules

_DAY = 86_400
_STYLES = {"failed": "red", "slow": "yellow", "unknown": "dim"}


def probe(
    targets: Annotated[Path, typer.Argument(help="What to probe (TOML or JSON).")],
    seconds: Annotated[float, typer.Option(help="For each target.", min=0.1, max=300)] = 10.0,
    at_once: Annotated[int, typer.Option(help="Targets at once.", min=1, max=4096)] = 16,
    per_host: Annotated[int, typer.Option(help="At once to one address.", min=1)] = 4,
    behind: Annotated[
        int, typer.Option(help="Blocks behind the other members that are no fault yet.", min=0)
    ] = 10,
    least_members: Annotated[
        int, typer.Option(help="Members that must tell a head, else it is unknown.", min=1)
    ] = 3,
    rules: Annotated[
        Path | None, typer.Option(help="Rules file; default the IBP's own.", show_default=False)
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(help="Trust these certificate authorities too (PEM).", show_default=False),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Probe every target once, at the member's own address; exit 1 if one failed or is slow.

    Unknown is no fault: this machine or too few members could not tell.
    """
    wanted = load_targets(targets)
    slow_at = sla_rules(load_rules(rules).sla).slow_at
    now = int(time.time())
    polled = asyncio.run(
        _polled(
            wanted,
            Pace(at_once=at_once, per_host=per_host, deadline_seconds=_longest(wanted, seconds)),
            tls=trusting(ca),
            slow_at=slow_at,
            limits=Limits(seconds=seconds),
            now=now,
        )
    )
    results = settle(polled, Freshness(behind, least_members))
    if as_json:
        print_json({"unix_seconds": now, "results": [_fields(result, now) for result in results]})
    else:
        _show(results, now)
    if any(isinstance(result.outcome, Failed | Slow) for result in results):
        raise typer.Exit(1)


async def _polled(
    targets: Sequence[Target],
    pace: Pace,
    *,
    tls: ssl.SSLContext,
    slow_at: Micros,
    limits: Limits,
    now: int,
) -> tuple[Result, ...]:
    clock = time.perf_counter_ns
    with progress("Probing", len(targets)) as tick:
        async with LoopWatch(clock) as watch:
            tools = Tools(clock, watch, tls, slow_at, now, limits, turn=now // 300)
            return await probe_all(targets, tools, pace, done=tick)


def _longest(targets: Sequence[Target], seconds: float) -> float:
    """One after the other at worst: whoever asks by hand waits for all."""
    return seconds * (len(targets) + 1)


def _fields(result: Result, now: int) -> dict[str, Any]:
    target, outcome = result.target, result.outcome
    facts = result.facts.seen()
    facts.pop("head_ns", None)  # of this process's clock, which means nothing outside
    if result.facts.certificate_expires is not None:
        facts["certificate_days"] = (result.facts.certificate_expires - now) // _DAY
    return {
        "member": target.member,
        "service": target.service,
        "kind": target.kind.value,
        "url": target.endpoint.url,
        "address": str(target.endpoint.address),
        "status": outcome.status.name.lower(),
        "response_us": outcome.response_time if isinstance(outcome, Ok | Slow) else None,
        "reason": _why(outcome)[0],
        "text": _why(outcome)[1],
        "facts": facts,
    }


def _why(outcome: Outcome) -> tuple[str | None, str | None]:
    match outcome:
        case Ok() | Slow():
            return None, None
        case Failed(reason=reason, text=text):
            return reason.value, text
        case _:
            return outcome.doubt.value, outcome.text


def _show(results: Sequence[Result], now: int) -> None:
    numbers = ("response ms", "head", "peers", "cert days")
    columns = ("member", "service", "way", "status", *numbers, "version", "why")
    view = table("Endpoints", *columns, right=numbers)
    for result in results:
        fields = _fields(result, now)
        facts, micros = fields["facts"], fields["response_us"]
        way = f"{result.target.endpoint.scheme} v{result.target.endpoint.address.version}"
        row(
            view,
            *(fields["member"], fields["service"], way, fields["status"]),
            "-" if micros is None else f"{micros // 1_000}.{micros % 1_000 // 100}",
            *(facts.get(name, "-") for name in ("head", "peers", "certificate_days", "version")),
            "" if fields["reason"] is None else f"{fields['reason']}: {fields['text']}",
            style=_STYLES.get(fields["status"]),
        )
    console.print(view)
    counts = Counter(result.outcome.status.name.lower() for result in results)
    console.print(
        ", ".join(f"{counts[name]} {name}" for name in ("ok", "slow", "failed", "unknown"))
    )
