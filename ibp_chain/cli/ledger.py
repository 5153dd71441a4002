"""`ibp ledger`: replay or follow a chain, ask what it means, audit it against a node."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.archive import ArchiveSource
from ibp_chain.cli import views
from ibp_chain.cli.opened import (
    DEFAULT_DB,
    ArchiveOption,
    AtOption,
    CuratorsOption,
    DbOption,
    NodeUrl,
    Opened,
    RulesOption,
    curators_account,
    locks_and_promise,
    network_of,
    open_ledger,
)
from ibp_chain.cli.output import JsonOption, console, hex_, print_json, progress, row, say, table
from ibp_chain.errors import CheckFailed, InputError
from ibp_chain.networks import network_of_spec
from ibp_chain.runtimes import runtimes
from ibp_chain.source import NodeSource
from ibp_chain.types import AccountId, BlockNumber
from ledger.audit import audit as compare
from ledger.indexer import follow as follow_node
from ledger.indexer import replay_into
from ledger.locks import AccountLocks, Promise
from ledger.pallets.scores import day_date
from ledger.program.rules import LockRules, load_rules
from ledger.promise_history import PromiseHistory, Span
from ledger.snapshot import account_snapshot
from ledger.store import Identity, Store

app = typer.Typer(help="What the chain means: members, locks, scores, payouts.")


@app.command()
def replay(
    archive: Annotated[Path, typer.Argument(help="A block archive.", show_default=False)],
    db: DbOption = DEFAULT_DB,
    curators: CuratorsOption = None,
    last: Annotated[int | None, typer.Option(help="Stop behind this block.", min=1)] = None,
) -> None:
    """Fold an archive's blocks into a database; run it again to go on where it stopped."""
    source = ArchiveSource(archive)
    runtime_of = runtimes(source)
    network = network_of(source, runtime_of)
    identity = Identity(network.name, source.genesis_hash, curators_account(curators, network))
    with Store(db, identity) as store, progress("replaying", source.manifest.blocks) as tick:
        end = None if last is None else BlockNumber(last)
        counted = iter(range(1, source.manifest.blocks + 1))
        state = replay_into(
            store, source, runtime_of, last=end, heard=lambda _: tick(next(counted))
        )
        head = store.head()
    if head is None:
        raise InputError(f"{archive} has no blocks up to {last}")
    console.print(f"block {head.number}: state root {hex_(state.root())}")


@app.command()
def follow(node: NodeUrl, db: DbOption = DEFAULT_DB, curators: CuratorsOption = None) -> None:
    """Replay a node's finalised blocks and go on with each new one, until Ctrl-C."""
    with NodeSource(node) as source:
        runtime_of = runtimes(source)
        network = network_of(source, runtime_of)
        identity = Identity(network.name, source.genesis_hash, curators_account(curators, network))
        with Store(db, identity) as store:
            follow_node(
                store,
                source,
                runtime_of,
                heard=lambda report: console.print(f"block {report.ref.number}"),
            )


@app.command()
def members(
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    at: AtOption = None,
    rules: RulesOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Members, what they hold locked at which conviction, and whether they keep their promise."""
    opened = open_ledger(db, archive, at)
    records, law = dict(opened.state.membership.members.items()), load_rules(rules).lock
    locks = {
        member: _member_locks(opened, record.account(opened.network.name), law)
        for member, record in records.items()
    }
    if as_json:
        print_json([_member_json(opened, member, records, locks) for member in sorted(records)])
        return
    console.print(views.members_table(records, locks, opened.network, opened.timestamp_ms))


@app.command()
def locks(
    account: Annotated[str, typer.Argument(help="SS58 address.", show_default=False)],
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    at: AtOption = None,
    rules: RulesOption = None,
    since: Annotated[
        datetime | None,
        typer.Option(help="Also list every gap in the promise since then (UTC); needs --archive."),
    ] = None,
    node: Annotated[
        str | None,
        typer.Option("--node", help="Read a node's storage instead, proven against its header."),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Everything that one account has locked in votes, class by class; exit 1 for a gap."""
    if node is not None:
        _locks_at_node(node, account, rules, as_json=as_json)
        return
    history = None
    if since is not None and archive is not None:
        history = _promise_history(archive, account, rules)
    elif since is not None:
        raise InputError("--since needs --archive: a database knows its last block only")
    opened = open_ledger(db, archive, at, None if history is None else history.observe)
    who = ss58_decode(account, opened.network.ss58_prefix)
    held, kept = _member_locks(opened, who, load_rules(rules).lock)
    gaps = () if history is None or since is None else history.gaps(since.replace(tzinfo=UTC))
    if as_json:
        print_json(_locks_json(held, kept) | _history_json(history, gaps))
    else:
        console.print(views.class_locks_table(held, opened.network, opened.timestamp_ms))
        console.print(views.promise_line(kept, opened.network))
        if history is not None:
            console.print(views.promise_timeline(history.spans, opened.network))
    if gaps:
        raise CheckFailed(views.gaps_line(gaps, opened.network))


@app.command()
def scores(
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    at: AtOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """The days with a standing report, and who contradicted itself."""
    opened = open_ledger(db, archive, at)
    pallet = opened.state.scores
    if as_json:
        print_json(
            {
                "standing": [
                    {
                        "day": day_date(day).isoformat(),
                        "root": report.root,
                        "rows": report.rows,
                        "reporters": [_address(opened, oracle) for oracle in report.reporters],
                    }
                    for day, report in sorted(pallet.standing.items())
                ],
                "equivocations": [
                    {
                        "oracle": _address(opened, oracle),
                        "day": day_date(day).isoformat(),
                        "kind": kind.name.lower(),
                        "roots": [evidence.first_root, evidence.second_root],
                    }
                    for (oracle, day, kind), evidence in sorted(pallet.equivocations.items())
                ],
            }
        )
        return
    console.print(views.standing_table(dict(pallet.standing.items()), opened.network))
    if pallet.equivocations:
        console.print(views.equivocation_table(dict(pallet.equivocations.items()), opened.network))


@app.command()
def payouts(
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    at: AtOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Payout batches, what each member was paid, and what was wrong about any of it."""
    opened = open_ledger(db, archive, at)
    pallet = opened.state.payouts
    if as_json:
        print_json(
            {
                "batches": [
                    {
                        "block": block,
                        "status": batch.status.name.lower(),
                        "period": batch.period,
                        "call_hash": batch.call_hash,
                        "statement": batch.statement,
                        "total": str(batch.total),
                        "error": batch.error,
                    }
                    for (block, _), batch in sorted(pallet.batches.items())
                ],
                "paid": [
                    {
                        "period": period,
                        "member": member,
                        "item": item,
                        "payee": _address(opened, line.payee),
                        "amount": str(line.amount),
                        "block": line.batch[0],
                    }
                    for (period, member, item), line in sorted(pallet.paid.items())
                ],
                "violations": len(pallet.violations),
            }
        )
        return
    console.print(views.batches_table(dict(pallet.batches.items()), opened.network))
    console.print(views.paid_table(dict(pallet.paid.items()), opened.network))
    if pallet.violations:
        console.print(views.violations_table(dict(pallet.violations.items()), opened.network))


@app.command()
def rejections(db: DbOption = DEFAULT_DB, *, as_json: JsonOption = False) -> None:
    """Remarks that were not taken as facts, and why."""
    with Store(db) as store:
        found = store.rejections()
        prefix = open_ledger(db, None, None).network.ss58_prefix
    rows = [
        {
            "block": rejection.block,
            "by": rejection.origin and ss58_encode(AccountId(rejection.origin), prefix),
            "code": rejection.code.name.lower(),
            "reason": rejection.reason,
        }
        for rejection in found
    ]
    if as_json:
        print_json(rows)
        return
    view = table("Remarks that were not taken as facts", "block", "by", "code", "why")
    for each in rows:
        row(view, each["block"], each["by"] or "no account", each["code"], each["reason"])
    console.print(view)


@app.command("state-root")
def state_root(
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    at: AtOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """The root of the whole state: the same for the same blocks on any machine."""
    state = open_ledger(db, archive, at).state
    head = state.head.value
    assert head is not None, "an opened ledger has a block"
    if as_json:
        print_json({"block": head.number, "block_hash": head.hash, "state_root": state.root()})
        return
    console.print(f"{hex_(state.root())} after block {head.number}")


@app.command()
def audit(node: NodeUrl, db: DbOption = DEFAULT_DB, *, as_json: JsonOption = False) -> None:
    """Compare every mirrored value with the node's storage at the ledger's block; exit 1 if any differs."""  # noqa: E501 (the help's first line)
    with Store(db) as store:
        state, identity = store.load_state(), store.identity
    head = state.head.value
    if head is None:
        raise InputError(f"{db} has no blocks yet: replay or follow a chain first")
    with NodeSource(node, expected_genesis=identity.genesis_hash) as source:
        result = compare(state, source, runtimes(source), head.ref)
    if as_json:
        print_json(
            {
                "block": head.number,
                "compared": dict(result.compared),
                "differences": [str(difference) for difference in result.differences],
            }
        )
    else:
        view = table(f"Compared with the node at block {head.number}", "item", "entries")
        for item, entries in result.compared.items():
            row(view, item, entries)
        console.print(view)
    if not result.agrees:
        first = result.differences[0]
        raise CheckFailed(f"{len(result.differences)} differences, the first: {first}")
    if not as_json:
        console.print("No difference.")


# --- Parts ----------------------------------------------------------------------------


def _member_locks(
    opened: Opened, account: AccountId | None, rules: LockRules
) -> tuple[AccountLocks, Promise]:
    head, who = opened.state.head.value, account or AccountId(bytes(32))
    assert head is not None, "an opened ledger has a block"
    required = rules.required_planck(opened.network)
    return locks_and_promise(opened.state.mirrors, opened.constants, head, who, required)


def _locks_at_node(url: str, account: str, rules: Path | None, *, as_json: bool) -> None:
    with NodeSource(url) as node:
        header = node.header(node.head().hash)
        runtime = runtimes(node)(node.version_after(header.hash))
        network = network_of_spec(runtime.spec_name)
        who = ss58_decode(account, network.ss58_prefix)
        found = account_snapshot(node, runtime, network, who, header)
    required = load_rules(rules).lock.required_planck(network)
    held, kept = locks_and_promise(found.mirrors, found.constants, found.head, who, required)
    if as_json:
        print_json(
            {"block": header.number, "state_root": header.state_root} | _locks_json(held, kept)
        )
        return
    console.print(views.class_locks_table(held, network, found.timestamp_ms))
    console.print(views.promise_line(kept, network))
    say(
        f"Proven against the state root of block {header.number:,}; that the block is final is the "
        "node's word. Whether a prior lock stems from Locked6x is known to a replay only."
    )


def _promise_history(archive: Path, account: str, rules: Path | None) -> PromiseHistory:
    source = ArchiveSource(archive)
    network = network_of(source, runtimes(source))
    who = ss58_decode(account, network.ss58_prefix)
    return PromiseHistory(who, load_rules(rules).lock.required_planck(network))


def _history_json(history: PromiseHistory | None, gaps: Sequence[Span]) -> dict[str, Any]:
    if history is None:
        return {}

    def spans_json(spans: Sequence[Span]) -> list[dict[str, Any]]:
        return [
            {
                "first_block": span.first.block,
                "first_time": span.first.time.isoformat(),
                "last_block": span.last.block,
                "last_time": span.last.time.isoformat(),
                "covered": str(span.promise.covered),
                "kept": span.promise.kept,
            }
            for span in spans
        ]

    return {"history": spans_json(history.spans), "gaps": spans_json(gaps)}


def _member_json(
    opened: Opened, member: str, records: dict[str, Any], locks: dict[str, Any]
) -> dict[str, Any]:
    record, (held, kept) = records[member], locks[member]
    account = record.account(opened.network.name)
    return {
        "member": member,
        "name": record.name,
        "region": record.region,
        "status": record.status.name.lower(),
        "account": account and _address(opened, account),
        **_locks_json(held, kept),
    }


def _locks_json(held: AccountLocks, kept: Promise) -> dict[str, Any]:
    return {
        "locked": str(held.actual),
        "after_unlock": str(held.after_unlock),
        "required_now": str(held.required_now),
        "promise": {
            "required": str(kept.required),
            "covered": str(kept.covered),
            "kept": kept.kept,
            "by_delegation_only": kept.by_delegation_only,
            "covers": [
                {"kind": cover.kind.value, "amount": str(cover.amount), "until": cover.until}
                for cover in kept.covers
            ],
        },
    }


def _address(opened: Opened, account: AccountId) -> str:
    return ss58_encode(account, opened.network.ss58_prefix)
