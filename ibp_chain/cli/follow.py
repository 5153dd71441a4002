"""`ibp ledger follow`: one chain or several, from one node or several, until told to stop."""

import logging
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from ibp_chain.cli.logs import LogForm, LogOption, log_events, set_up_logs
from ibp_chain.cli.opened import DEFAULT_DB, CuratorsOption, DbOption
from ibp_chain.cli.output import hex_, printable, progress, say
from ibp_chain.cli.status_server import StatusOption, attended, both
from ibp_chain.errors import CheckFailed, ConfigError, IbpError
from ibp_chain.node_pool import public_names
from ibp_chain.node_windows import Fetching
from ibp_chain.types import BlockNumber
from ledger.follow_config import load_follow_config
from ledger.follow_many import follow_all as follow_every_chain
from ledger.follow_many import staying
from ledger.following import Ears, Followed, follow_chain
from ledger.progress import Disagreement, NodeBack, NodeFailed, Observer
from ledger.progress import Event as ProgressEvent
from ledger.replay import BlockReport
from ledger.unfinalised import Unfinalised

StayOption = Annotated[
    bool, typer.Option("--stay", help="After a failed check go on serving --status, until told.")
]

_warnings = Console(stderr=True, highlight=False, soft_wrap=True)


def follow(
    node: Annotated[
        list[str],
        typer.Option(
            "--node",
            help="ws:// or http:// URL of a node; again for each further one.",
            envvar="IBP_NODES",
            show_default=False,
        ),
    ],
    db: DbOption = DEFAULT_DB,
    curators: CuratorsOption = None,
    first: Annotated[
        int | None,
        typer.Option(
            help="Begin a new ledger with this block, and the storage before it, proven.", min=2
        ),
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option(help="Record every block into this archive, too, before it is applied."),
    ] = None,
    trust: Annotated[
        int | None,
        typer.Option(help="Take a block when this many nodes name it: a majority.", min=1),
    ] = None,
    name: Annotated[str, typer.Option(help="What logs and metrics call the chain.")] = "chain",
    status: StatusOption = None,
    log: LogOption = LogForm.TEXT,
    *,
    unfinalised: Annotated[
        bool, typer.Option("--unfinalised", help="Show what the best head has above the final one.")
    ] = False,
    proofs: Annotated[
        bool,
        typer.Option(help="Have each block's events and spec version proven; needs their states."),
    ] = True,
    stay: StayOption = False,
) -> None:
    """Replay finalised blocks and go on with each new one, until Ctrl-C."""
    _ensure_served(status, stay=stay)
    plan = Followed(
        nodes=tuple(node),
        db=db,
        curators=curators,
        first=None if first is None else BlockNumber(first),
        archive=archive,
        unfinalised=unfinalised,
        fetching=Fetching(trust=trust, proofs=proofs),
    )
    with ExitStack() as stack:
        leaving = stack.enter_context(stopped_by_signals())
        set_up_logs(log)
        stack.enter_context(_ending_in(log))
        observers = stack.enter_context(attended({name: public_names(node)}, status))
        ears = _ears(name, log, observers[name])
        if first is not None:
            ears = replace(ears, entries=stack.enter_context(progress("entries", None)))
        with staying(leaving, _tell if stay else None):
            head = follow_chain(plan, leaving, ears)
    if head is not None and log is LogForm.TEXT:
        say(f"stopped at block {head.number}")


def follow_all(
    config: Annotated[Path, typer.Argument(help="Which chains, from where, into what (TOML).")],
    status: StatusOption = None,
    log: LogOption = LogForm.TEXT,
    *,
    stay: StayOption = False,
) -> None:
    """Follow several chains side by side, as CONFIG says, until Ctrl-C or until one cannot go on."""  # noqa: E501 (the help's first line)
    _ensure_served(status, stay=stay)
    set_up_logs(log)
    with ExitStack() as stack:
        stack.enter_context(_ending_in(log))
        plans = load_follow_config(config)
        nodes = {name: public_names(plan.nodes) for name, plan in plans.items()}
        leaving = stack.enter_context(stopped_by_signals())
        observers = stack.enter_context(attended(nodes, status))
        ears = {name: _ears(name, log, observers[name], f"{name}: ") for name in plans}
        follow_every_chain(plans, leaving, ears, _tell if stay else None)


@contextmanager
def stopped_by_signals() -> Iterator[Event]:
    """An event that SIGTERM and Ctrl-C set; a second Ctrl-C does not wait for anything."""
    leaving = Event()

    def leave(number: int, _frame: Any) -> None:
        if leaving.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        leaving.set()

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield leaving
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ears(chain: str, log: LogForm, observer: Observer, prefix: str = "") -> Ears:
    if log is LogForm.JSON:
        return Ears(observer=both(observer, log_events(chain)))
    words = spoken(prefix)
    return replace(words, observer=both(observer, words.observer))


def spoken(prefix: str = "") -> Ears:
    """A follower's progress in words: blocks on stdout, what is wrong with nodes on stderr."""

    def heard(report: BlockReport) -> None:
        say(f"{prefix}block {report.ref.number}")

    failing: set[str] = set()

    def observed(event: ProgressEvent) -> None:
        match event:
            case NodeFailed(node, _, message, seconds):
                failing.add(node)
                ever = "is not asked for that again"
                until = ever if seconds is None else f"is left alone for {seconds:g} s"
                _warn(f"{prefix}{message}; the node {until}")
            case NodeBack(node) if node in failing:
                failing.discard(node)
                _warn(f"{prefix}{node} answers again")
            case Disagreement(height, named, resolved):
                who = ", ".join(f"{node} names {hex_(digest)}" for node, digest in named)
                taken = "" if resolved is None else f"; the majority's {hex_(resolved)} is taken"
                _warn(f"{prefix}nodes disagree on {height}: {who}{taken}")

    def seen(view: Unfinalised) -> None:
        for line in view_lines(view):
            say(prefix + line)

    return Ears(observer=observed, heard=heard, seen=seen)


def view_lines(view: Unfinalised) -> Iterator[str]:
    """The unfinalised view, one thing a line."""
    if view.rolled_back:
        gone = ", ".join(f"{ref.number} ({hex_(ref.hash)})" for ref in view.rolled_back)
        yield f"not final: rolled back {gone}"
    yield (
        f"not final: block {view.best.number}, {len(view.blocks)} above {view.finalised.number}, "
        f"state root {hex_(view.state_root)}"
    )
    for remark in view.remarks:
        by = "no account" if remark.origin is None else hex_(remark.origin)
        what = "a remark" if remark.kind is None else f"remark {remark.kind}"
        told = "" if remark.refused is None else f", would be refused: {remark.refused}"
        yield f"not final: block {remark.block}: {what} by {by}{told}"
    for payout in view.payouts:
        yield (
            f"not final: block {payout.block}: payout of {payout.period}, {payout.status}, "
            f"call {hex_(payout.call_hash)}, {payout.total} planck"
        )
    for approval in view.approvals:
        yield (
            f"not final: {hex_(approval.by)} approves call {hex_(approval.call_hash)} of "
            f"{hex_(approval.multisig)}"
        )
    if view.problem is not None:
        yield f"not final: {view.problem}"


@contextmanager
def _ending_in(log: LogForm) -> Iterator[None]:
    """Where logs are JSON, the error that ends the command is one of their lines."""
    try:
        yield
    except IbpError as error:
        if log is not LogForm.JSON:
            raise
        logging.getLogger("ibp").error("%s", error)  # noqa: TRY400  # for people, not of a bug
        raise typer.Exit(error.exit_code) from error


def _ensure_served(status: str | None, *, stay: bool) -> None:
    if stay and status is None:
        raise ConfigError("--stay is for --status: say where to serve it")


def _tell(error: CheckFailed) -> None:
    _warn(f"{error}; this is what the status says until SIGTERM or Ctrl-C")


def _warn(text: str) -> None:
    _warnings.print(escape(printable(text)))
