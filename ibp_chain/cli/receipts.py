"""`ibp payout receipts` and `receipt verify`: what each member was paid, as a file and a page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ibp_chain.blocks import blake2_256
from ibp_chain.cli.block_reads import block_refs
from ibp_chain.cli.bundles import BundleArgument, codec_of
from ibp_chain.cli.opened import (
    DEFAULT_DB,
    ArchiveOption,
    AtOption,
    DbOption,
    Opened,
    RulesOption,
    open_ledger,
)
from ibp_chain.cli.output import JsonOption, console, hex_, print_json, row, say, table
from ibp_chain.cli.reconcile import ensure_settled
from ibp_chain.cli.served import RowsOption
from ibp_chain.errors import ConfigError
from ibp_chain.files import write_whole
from ibp_chain.receipt_making import made_receipt, proofs_in, proofs_of
from ibp_chain.types import Hash
from ledger.program.rules import load_rules
from multisig.bundle import Bundle, read_bundle
from multisig.decode import decode_payout
from multisig.documents import write_file
from multisig.errors import ReceiptRefused
from multisig.plan import Kind
from multisig.receipt_page import receipt_page
from multisig.receipts import Chain, Receipt, compare, paying_batch, read_receipt
from multisig.reconcile import reconcile
from multisig.statement import Statement

receipt = typer.Typer(help="Receipts of members.")


def receipts(
    bundle: BundleArgument,
    rows: RowsOption,
    out: Annotated[Path, typer.Option(help="Folder for the receipts; made where it is missing.")],
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    at: AtOption = None,
    rules: RulesOption = None,
    *,
    html: Annotated[bool, typer.Option("--html", help="Also a page to print beside each.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a receipt for each member that an executed and settled bundle has paid."""
    theirs, opened = read_bundle(bundle), open_ledger(db, archive, at)
    members = _members(theirs, opened, bundle)
    proofs = proofs_of(opened.state, theirs.statement, rows, members)
    chain = _chain(theirs.statement, theirs.call_hash, members, opened, (db, archive))
    law, stated, call = load_rules(rules), theirs.statement, theirs.call_hash
    found = [made_receipt(stated, call, who, chain, law, proofs.get(who, {})) for who in members]
    written = [(_write(made, out, theirs, opened, html=html), made) for made in found]
    if as_json:
        print_json([_written_json(path, made) for path, made in written])
        return
    view = table(f"Receipts of {theirs.statement.period}", "member", "amount", "file", "hash",
                 right=("amount",))  # fmt: skip
    for path, made in written:
        amount = theirs.network.format(made.total)
        row(view, made.member, amount, path, hex_(blake2_256(made.encoded)))
    console.print(view)


@receipt.callback()
def _of_members() -> None:
    """Keeps `verify` a command of its own."""


@receipt.command("verify")
def verify_(
    file: Annotated[Path, typer.Argument(help="A receipt.", show_default=False)],
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    at: AtOption = None,
    rules: RulesOption = None,
    rows: Annotated[
        Path | None,
        typer.Option("--rows", help="Published rows: also check that no proof was left out."),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Make a receipt again from your own ledger; exit 1 naming the first thing that differs."""
    theirs, opened = read_receipt(file), open_ledger(db, archive, at)
    given = proofs_in(theirs)
    if rows is not None:
        found = proofs_of(opened.state, theirs.statement, rows, [theirs.member])
        given = found.get(theirs.member, {})
    stated, call = theirs.statement, theirs.call_hash
    chain = _chain(stated, call, [theirs.member], opened, (db, archive))
    mine = made_receipt(stated, call, theirs.member, chain, load_rules(rules), given)
    compare(mine, theirs)
    if as_json:
        print_json({"holds": True, **_written_json(file, theirs)})
        return
    network, payment = opened.network, theirs.payment
    say(
        f"Holds: {theirs.member} was paid {network.format(theirs.total)} for {theirs.period} in "
        f"block {payment.block:,} of {network.name}, {hex_(payment.block_hash)}."
    )
    say(f"By {sum(len(day.proofs) for day in theirs.scores)} proofs under standing reports, and "
        f"the statement {hex_(theirs.statement_hash)} that the call names.")  # fmt: skip
    for link in payment.links:
        console.print(link, markup=False)


# --- Making ---------------------------------------------------------------------------


def _members(theirs: Bundle, opened: Opened, file: Path) -> list[str]:
    """Whom the bundle's call has paid. Raises `CheckFailed` unless it is settled."""
    if theirs.paid_by.kind is Kind.CHILD_CLAIMS:
        raise ReceiptRefused(
            "this bundle claims what another one awarded: receipts are of the one that awarded"
        )
    reading = decode_payout(opened.runtime, codec_of(opened), theirs.call, theirs.network)
    ensure_settled(reconcile(theirs, reading, opened.state), file)
    return list(dict.fromkeys(member for member, _ in reading.lines))


def _chain(
    statement: Statement,
    call_hash: Hash,
    members: Sequence[str],
    opened: Opened,
    source: tuple[str, Path | None],
) -> Chain:
    """With the blocks that paid `members`. Raises `ReceiptRefused` where one was paid nothing."""
    paid = [paying_batch(statement, call_hash, member, opened.state) for member in members]
    refs = block_refs(*source, [block for (block, _), _ in paid])
    return Chain(opened.state, opened.genesis_hash, refs)


# --- Writing --------------------------------------------------------------------------


def _write(made: Receipt, out: Path, theirs: Bundle, opened: Opened, *, html: bool) -> Path:
    part = f"-{theirs.part}" if theirs.parts > 1 else ""
    path = out / f"{made.period}-{made.member}{part}.json"
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_file(path, made.encoded)
        if html:
            record = opened.state.membership.members.get(made.member)
            page = receipt_page(made, record.name, path.name)
            write_whole(path.with_suffix(".html"), page.encode())
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error.strerror}") from error
    return path


def _written_json(path: Path, made: Receipt) -> dict[str, object]:
    return {
        "member": made.member,
        "period": made.period,
        "planck": str(made.total),
        "file": str(path),
        "hash": blake2_256(made.encoded),
        "block": made.payment.block,
        "block_hash": made.payment.block_hash,
        "extrinsic": made.payment.extrinsic,
        "links": list(made.payment.links),
    }
