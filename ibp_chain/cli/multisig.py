"""`ibp multisig`: build the payout call, check it, sign it, and see what became of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ibp_chain.accounts import ss58_encode
from ibp_chain.blocks import blake2_256
from ibp_chain.cli import payout_views
from ibp_chain.cli.opened import (
    DEFAULT_DB,
    ArchiveOption,
    AtOption,
    DbOption,
    NodeUrl,
    Opened,
    RulesOption,
    open_ledger,
)
from ibp_chain.cli.output import JsonOption, console, hex_, print_json, row, say, table
from ibp_chain.cli.served import RowsOption, service_records
from ibp_chain.cli.signers import KeystoreOption, signer_of
from ibp_chain.errors import CheckFailed, InputError
from ibp_chain.extrinsics import Submitter
from ibp_chain.peer_codec import PeerCodec, peer_codec
from ibp_chain.runtimes import runtimes
from ibp_chain.source import NodeSource
from ledger.program.rules import load_rules
from multisig.approve import Approval, Approver, OpenOperation
from multisig.batch import build_batches
from multisig.bundle import (
    Bundle,
    check_bundle,
    make_bundles,
    read_bundle,
    read_statement,
    verify_bundle,
)
from multisig.decode import Reading, decode_payout
from multisig.documents import write_file
from multisig.reconcile import reconcile as reconcile_bundle
from multisig.statement import Ledger

app = typer.Typer(help="Build, check, sign and reconcile what the curators' multisig pays.")

BundleArgument = Annotated[Path, typer.Argument(help="A bundle file.", show_default=False)]
PeriodOption = Annotated[
    int, typer.Option(help="Blocks for which the signed extrinsic stays valid.", min=4)
]
YesOption = Annotated[bool, typer.Option("--yes", help="Sign without asking.")]


@app.command()
def build(
    statement: Annotated[Path, typer.Argument(help="A statement file.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Bundle file; -1, -2, … are added to several.")],
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    at: AtOption = None,
    node: Annotated[
        str | None, typer.Option("--node", help="Ask this node what the calls weigh.")
    ] = None,
) -> None:
    """Make the call that pays a statement, and put all that it follows from into one file."""
    opened, stated = open_ledger(db, archive, at), read_statement(statement)
    batches = build_batches(stated, opened.state, opened.runtime)
    weights = []
    if node is not None:
        with NodeSource(node, expected_genesis=opened.genesis_hash) as source:
            submitter = Submitter(source, runtimes(source))
            weights = [submitter.call_info(batch.call).weight for batch in batches]
    bundles = make_bundles(
        stated, batches, opened.state, opened.genesis_hash, opened.runtime, weights=weights
    )
    for bundle in bundles:
        check_bundle(bundle, opened.state, opened.genesis_hash, opened.runtime, _codec(opened))
        name = f"{out.stem}-{bundle.part}{out.suffix}" if len(bundles) > 1 else out.name
        write_file(out.with_name(name), bundle.encoded)
        say(f"{out.with_name(name)}: call hash {hex_(bundle.call_hash)}")


@app.command()
def verify(
    bundle: BundleArgument,
    rows: RowsOption,
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    rules: RulesOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Rebuild a bundle from your own ledger, rules and rows; exit 1 if anything differs.

    The ledger must be at the statement's block: with --archive it is replayed up to there.
    """
    theirs = read_bundle(bundle)
    opened = open_ledger(db, archive, None if archive is None else theirs.statement.ledger.block)
    _verify(theirs, opened, rows, rules)
    reading = decode_payout(opened.runtime, _codec(opened), theirs.call, theirs.network)
    if as_json:
        print_json({"call_hash": theirs.call_hash, **payout_views.reading_json(reading)})
        return
    console.print(payout_views.statement_table(theirs.statement, theirs.network))
    say(payout_views.statement_source(theirs.statement, theirs.network))
    console.print(payout_views.reading_table(reading, theirs.network))
    say(
        f"Everything was rebuilt from the ledger at block {theirs.statement.ledger.block:,} and is "
        "the same; two decoders read the same call. Only the price is the bundle's word."
    )
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
    reading = decode_payout(opened.runtime, _codec(opened), data, opened.network)
    if as_json:
        print_json({"call_hash": blake2_256(data), **payout_views.reading_json(reading)})
        return
    console.print(payout_views.reading_table(reading, opened.network))
    say(f"Call hash {hex_(blake2_256(data))}")


@app.command()
def approve(
    bundle: BundleArgument,
    node: NodeUrl,
    rows: RowsOption,
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    rules: RulesOption = None,
    keystore: KeystoreOption = None,
    period: PeriodOption = 64,
    *,
    although_short: Annotated[
        bool, typer.Option("--although-short", help="Even if the multisig cannot pay it yet.")
    ] = False,
    yes: YesOption = False,
) -> None:
    """Check a bundle, then sign the whole call as one curator; the last one needed executes it.

    With --archive everything is rebuilt first, as `verify` does. With a database that stands at
    another block than the statement's, the statement is taken as given, and the command says so.
    """
    theirs = read_bundle(bundle)
    reading = _check_before_signing(theirs, db, archive, rows, rules)
    signer = signer_of(keystore)
    with _approver(theirs, node, period) as approver:
        console.print(payout_views.reading_table(reading, theirs.network))
        _confirm(f"Approve call {hex_(theirs.call_hash)}?", yes=yes)
        done = approver.approve(signer, although_short=although_short)
    _tell_approval(done)


@app.command()
def status(bundle: BundleArgument, node: NodeUrl, *, as_json: JsonOption = False) -> None:
    """Who has approved the bundle's call on chain, as a node has it now."""
    theirs = read_bundle(bundle)
    with _approver(theirs, node, 64) as approver:
        operation = approver.status()
    approved = () if operation is None else operation.approvals
    if as_json:
        print_json(_status_json(theirs, operation))
        return
    view = table(f"Call {hex_(theirs.call_hash)}", "curator", "approved")
    for account, name in payout_views.curator_names(theirs).items():
        row(view, name, "yes" if account in approved else "-")
    console.print(view)
    if operation is None:
        say("No operation is open: nobody has approved it, or it was executed or cancelled.")
    else:
        at = operation.timepoint
        say(
            f"Opened in block {at['height']}, extrinsic {at['index']}; {len(approved)} of "
            f"{theirs.multisig.threshold} needed."
        )


@app.command()
def cancel(
    bundle: BundleArgument,
    node: NodeUrl,
    keystore: KeystoreOption = None,
    period: PeriodOption = 64,
    *,
    yes: YesOption = False,
) -> None:
    """Give up the open operation of a bundle; only the curator who opened it can."""
    theirs, signer = read_bundle(bundle), signer_of(keystore)
    with _approver(theirs, node, period) as approver:
        _confirm(f"Cancel call {hex_(theirs.call_hash)}?", yes=yes)
        done = approver.cancel(signer)
    say(f"Cancelled in block {done.block.number}; the deposit is returned.")


@app.command()
def reconcile(
    bundle: BundleArgument,
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    at: AtOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """What became of a bundle, by the ledger alone; exit 1 unless every line was paid as stated."""
    theirs, opened = read_bundle(bundle), open_ledger(db, archive, at)
    reading = decode_payout(opened.runtime, _codec(opened), theirs.call, theirs.network)
    result = reconcile_bundle(theirs, reading, opened.state)
    if as_json:
        print_json(payout_views.reconciliation_json(theirs, result))
    else:
        console.print(payout_views.attempts_table(theirs, result.attempts))
        console.print(payout_views.lines_table(theirs, result))
    if not result.settled:
        lacking = f": {result.lacking} more signatures are needed" if result.lacking else ""
        raise CheckFailed(f"the payout is not settled: {result.outcome}{lacking}")
    if not as_json:
        say("Settled: every line was paid as stated, once.")


# --- Parts ----------------------------------------------------------------------------


def _codec(opened: Opened) -> PeerCodec:
    return peer_codec(opened.metadata_v14)


def _verify(theirs: Bundle, opened: Opened, rows: Path, rules: Path | None) -> None:
    verify_bundle(
        theirs,
        Ledger(opened.state, opened.constants),
        load_rules(rules),
        service_records(opened.state, rows, theirs.statement.period),
        opened.genesis_hash,
        opened.runtime,
        _codec(opened),
    )


def _check_before_signing(
    theirs: Bundle, db: str, archive: Path | None, rows: Path, rules: Path | None
) -> Reading:
    """Raises `BundleRefused` where the bundle does not hold what it claims."""
    block = theirs.statement.ledger.block
    then = open_ledger(db, archive, None if archive is None else block)
    head = then.state.head.value
    if head is not None and head.number == block:
        _verify(theirs, then, rows, rules)
    else:
        say(
            f"The statement is taken as given: it is of block {block}, this ledger is not. "
            "`ibp multisig verify --archive` rebuilds it."
        )
    now = then if archive is None else open_ledger(db, archive, None)
    check_bundle(theirs, now.state, now.genesis_hash, now.runtime, _codec(now))
    return decode_payout(now.runtime, _codec(now), theirs.call, theirs.network)


@contextmanager
def _approver(bundle: Bundle, node: str, period: int) -> Iterator[Approver]:
    with NodeSource(node, expected_genesis=bundle.chain.genesis_hash) as source:
        yield Approver(Submitter(source, runtimes(source), period=period), bundle)


def _tell_approval(done: Approval) -> None:
    block = done.inclusion.block.number
    if not done.executed:
        say(f"Approved in block {block}; more signatures are needed.")
    elif done.error is None:
        say(f"Approved and executed in block {block}.")
    else:
        raise CheckFailed(
            f"executed in block {block} and failed inside: {done.error}; nothing was paid"
        )


def _status_json(bundle: Bundle, operation: OpenOperation | None) -> dict[str, object]:
    prefix = bundle.network.ss58_prefix
    return {
        "call_hash": bundle.call_hash,
        "open": operation is not None,
        "timepoint": None if operation is None else operation.timepoint,
        "approvals": []
        if operation is None
        else [ss58_encode(who, prefix) for who in operation.approvals],
        "threshold": bundle.multisig.threshold,
    }


def _confirm(question: str, *, yes: bool) -> None:
    if not yes:
        typer.confirm(question, abort=True, err=True)


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text[2:])
    except ValueError as error:
        raise InputError(f"{text[:20]}… is no hex") from error
