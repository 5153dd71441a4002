"""`ibp ledger`: replay or follow a chain, ask what it means, audit it against a node."""

from typing import Annotated, Any

import typer

from ibp_chain.accounts import ss58_encode
from ibp_chain.archive import ArchiveSource
from ibp_chain.cli import views
from ibp_chain.cli.budget import budget
from ibp_chain.cli.deferred import Deferred, add_deferred
from ibp_chain.cli.locks import locks, locks_json
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
    open_ledger,
)
from ibp_chain.cli.output import JsonOption, console, hex_, print_json, progress, row, table
from ibp_chain.cli.progress import show_progress
from ibp_chain.cli.why import (
    ActiveSetOption,
    AlsoOption,
    EvidenceOption,
    Sources,
    WhyOption,
    WhyRowsOption,
)
from ibp_chain.cli.why import why as explain_member
from ibp_chain.errors import CheckFailed, InputError
from ibp_chain.runtimes import network_of, runtimes
from ibp_chain.source import NodeSource
from ibp_chain.types import AccountId, BlockNumber
from ledger.audit import audit as compare
from ledger.indexer import replay_into
from ledger.locks import AccountLocks, Promise
from ledger.pallets.scores import day_date
from ledger.program.dossier import decisions_about
from ledger.program.lock_terms import terms
from ledger.program.rules import LockRules, load_rules
from ledger.store import Identity, Store

COMMANDS = {
    "follow": Deferred(
        "ibp_chain.cli.follow",
        "Replay finalised blocks and go on with each new one, until Ctrl-C.",
        "follow",
    ),
    "follow-all": Deferred(
        "ibp_chain.cli.follow",
        "Follow several chains side by side, as CONFIG says, until Ctrl-C or until one cannot go "
        "on.",
        "follow_all",
    ),
    "backfill": Deferred(
        "ibp_chain.cli.backfill",
        "Fold an archive's or a node's blocks into a database, decoded by many processes.",
        "backfill",
    ),
    "backup": Deferred(
        "ibp_chain.cli.backup",
        "Write the whole ledger, as of one block, into a file; whoever writes may go on meanwhile.",
        "backup",
    ),
    "restore": Deferred(
        "ibp_chain.cli.backup",
        "Write a backup into an empty database, of either kind, and compare its state root.",
        "restore",
    ),
    "check": Deferred(
        "ibp_chain.cli.backup",
        "Read everything in a ledger's database once and compare it; exit 1 if anything is wrong.",
        "check",
    ),
    "migrate": Deferred(
        "ibp_chain.cli.migrate",
        "Bring a ledger's tables to this program's version; say what that means first.",
        "migrate",
    ),
}

app = typer.Typer(
    add_completion=False, help="What the chain means: members, locks, scores, payouts."
)
add_deferred(app, COMMANDS)
app.command()(locks)
app.command()(budget)
app.command("progress")(show_progress)


@app.command()
def replay(
    archive: Annotated[
        str, typer.Argument(help="A block archive: a directory or a URL.", show_default=False)
    ],
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
            store,
            source,
            runtime_of,
            last=end,
            heard=lambda _: tick(next(counted)),
            start=source.start(),
        )
        head = store.head()
    if head is None:
        raise InputError(f"{source.folder} has no blocks up to {last}")
    console.print(f"block {head.number}: state root {hex_(state.root())}")


@app.command()
def members(
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    at: AtOption = None,
    rules: RulesOption = None,
    why: WhyOption = None,
    evidence: EvidenceOption = None,
    rows: WhyRowsOption = None,
    also: AlsoOption = None,
    active_set: ActiveSetOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Members, what they hold locked at which conviction, and whether they keep their promise."""
    sources = Sources(tuple(evidence or ()), rows, tuple(also or ()), active_set)
    if why is not None:
        explain_member(
            why, load_rules(rules), sources, db=db, archive=archive, at=at, as_json=as_json
        )
        return
    sources.ensure_unused()
    opened = open_ledger(db, archive, at)
    records, law = dict(opened.state.membership.members.items()), load_rules(rules).lock
    held = {
        member: _held(opened, law, member, record.account(opened.network.name))
        for member, record in records.items()
    }
    if as_json:
        print_json([_member_json(opened, member, records, held) for member in sorted(records)])
        return
    console.print(views.members_table(records, held, opened.network, opened.timestamp_ms))


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


def _held(
    opened: Opened, law: LockRules, member: str, account: AccountId | None
) -> tuple[AccountLocks, Promise]:
    """What a member has locked, and whether that is what it must; good intentions may cap it."""
    state, head = opened.state, opened.state.head.value
    assert head is not None, "an opened ledger has a block"
    required = terms(law, opened.network, decisions_about(state, member)).required
    who = account or AccountId(bytes(32))
    return locks_and_promise(state.mirrors, opened.constants, head, who, required)


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
        **locks_json(held, kept),
    }


def _address(opened: Opened, account: AccountId) -> str:
    return ss58_encode(account, opened.network.ss58_prefix)
