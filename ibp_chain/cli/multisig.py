"""`ibp multisig`: build the payout call, check it, sign it, and see what became of it."""

from pathlib import Path
from typing import Annotated

import typer

from ibp_chain.blocks import blake2_256
from ibp_chain.cli import approving, operations, payout_views, reconcile, signing, simulate, watch
from ibp_chain.cli.bundles import (
    BundleArgument,
    codec_of,
    verify_whole,
)
from ibp_chain.cli.checking import (
    AllowOption,
    BountyOption,
    CuratorOption,
    KindOption,
    LinesOption,
    ensure_on_chain,
    finding_json,
    fitting,
    overridden,
    plan_of,
    tell_overridden,
)
from ibp_chain.cli.opened import (
    DEFAULT_DB,
    ArchiveOption,
    AtOption,
    DbOption,
    RulesOption,
    open_ledger,
)
from ibp_chain.cli.output import JsonOption, console, hex_, print_json, say
from ibp_chain.cli.policies import PolicyOptions, with_policy
from ibp_chain.cli.served import BillOption, RowsOption
from ibp_chain.errors import InputError
from multisig.bundle import check_bundle, make_bundles, read_bundle, read_statement
from multisig.decode import decode_payout
from multisig.documents import write_file
from multisig.plan import Kind

app = typer.Typer(
    add_completion=False, help="Build, check, sign and reconcile what the curators' multisig pays."
)


@app.command()
@with_policy
def build(
    statement: Annotated[Path, typer.Argument(help="A statement file.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Bundle file; -1, -2, … are added to several.")],
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    at: AtOption = None,
    rules: RulesOption = None,
    node: Annotated[
        str | None, typer.Option("--node", help="Ask this node for weights and balances.")
    ] = None,
    kind: KindOption = Kind.TRANSFERS,
    bounty: BountyOption = None,
    curator: CuratorOption = None,
    lines_per_part: LinesOption = None,
    allow: AllowOption = None,
    *,
    policy: PolicyOptions,
    although_short: Annotated[
        bool, typer.Option("--although-short", help="Even if it cannot be paid yet.")
    ] = False,
) -> None:
    """Make the call that pays a statement, and put all that it follows from into one file."""
    opened, stated = open_ledger(db, archive, at), read_statement(statement)
    plan = plan_of(opened, kind, bounty, curator, lines_per_part, allow)
    held = policy.with_history(policy.policy(rules, stated.rules), opened)
    priced = fitting(stated, opened, plan, held, node, although_short=although_short)
    bundles = make_bundles(
        stated,
        priced.batches,
        opened.state,
        opened.genesis_hash,
        opened.runtime,
        weights=priced.weights,
    )
    for bundle in bundles:
        check_bundle(
            bundle,
            opened.state,
            opened.genesis_hash,
            opened.runtime,
            codec_of(opened),
            policy=held,
        )
        name = f"{out.stem}-{bundle.part}{out.suffix}" if len(bundles) > 1 else out.name
        write_file(out.with_name(name), bundle.encoded)
        say(f"{out.with_name(name)}: call hash {hex_(bundle.call_hash)}")
    tell_overridden(bundles[0], overridden(bundles[0], opened, held))


@app.command()
@with_policy
def verify(
    bundle: BundleArgument,
    rows: RowsOption,
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    rules: RulesOption = None,
    node: Annotated[
        str | None, typer.Option("--node", help="Ask this node for weight and balance.")
    ] = None,
    bill: BillOption = None,
    *,
    policy: PolicyOptions,
    as_json: JsonOption = False,
) -> None:
    """Rebuild a bundle from your own ledger, rules and rows; exit 1 if anything differs.

    The ledger must be at the statement's block: with --archive it is replayed up to there. Numbers
    of child bounties, and a call built after a runtime upgrade, are held against the ledger as it
    is now.
    """
    theirs = read_bundle(bundle)
    held = policy.policy(rules, theirs.statement.rules)
    opened = open_ledger(db, archive, None if archive is None else theirs.statement.ledger.block)
    held = policy.with_history(held, opened)
    upgraded = theirs.chain.spec_version != opened.runtime.spec_version
    later = archive is not None and (theirs.numbered or upgraded)
    now = open_ledger(db, archive, None) if later else opened
    verify_whole(theirs, opened, rows, rules, held, bill, now)
    if theirs.numbered and archive is not None:
        own = now.state, now.genesis_hash, now.runtime, codec_of(now)
        check_bundle(theirs, *own, policy=held)
    opened = now if upgraded else opened
    if node is not None:
        ensure_on_chain(theirs, opened, node)
    found = overridden(theirs, opened, held)
    reading = decode_payout(opened.runtime, codec_of(opened), theirs.call, theirs.network)
    if as_json:
        print_json(
            {
                "call_hash": theirs.call_hash,
                "overridden": [finding_json(finding) for finding in found],
                **payout_views.reading_json(reading),
            }
        )
        return
    console.print(payout_views.statement_table(theirs.statement, theirs.network))
    say(payout_views.statement_source(theirs.statement, theirs.network))
    console.print(payout_views.reading_table(reading, theirs.network))
    say(
        f"Everything was rebuilt from the ledger at block {theirs.statement.ledger.block:,} and is "
        "the same; two decoders read the same call. Only the price is the bundle's word."
    )
    tell_overridden(theirs, found)
    if missing := policy.not_run():
        say(missing)
    say(f"Call hash {hex_(theirs.call_hash)}")


@app.command()
def decode(
    call: Annotated[
        str, typer.Argument(help="A bundle file, or a call as 0x hex.", show_default=False)
    ],
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Say in words what a payout call does, as two decoders that share no code read it."""
    opened = open_ledger(db, archive, None)
    data = _hex(call) if call.startswith("0x") else read_bundle(Path(call)).call
    reading = decode_payout(opened.runtime, codec_of(opened), data, opened.network)
    if as_json:
        print_json({"call_hash": blake2_256(data), **payout_views.reading_json(reading)})
        return
    console.print(payout_views.reading_table(reading, opened.network))
    say(f"Call hash {hex_(blake2_256(data))}")


app.command()(approving.approve)
app.command()(approving.cancel)
app.command()(operations.pending)
app.command()(operations.status)
app.command()(operations.links)
app.command()(operations.recheck)
app.command()(watch.watch)
app.command()(simulate.simulate)
app.command()(reconcile.reconcile)
app.command()(signing.payload)
app.command()(signing.qr)
app.command()(signing.submit)
app.command()(signing.keystore)


# --- Parts ----------------------------------------------------------------------------


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text[2:])
    except ValueError as error:
        raise InputError(f"{text[:20]}… is no hex") from error
