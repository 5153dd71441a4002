"""`ibp multisig approve` and `cancel`: one curator's signature, and what came of it."""

from typing import Annotated

import typer

from ibp_chain.cli import payout_views
from ibp_chain.cli.bundles import (
    BundleArgument,
    Checking,
    LedgerOption,
    Own,
    YesOption,
    approver_of,
    confirm,
    tell_approval,
)
from ibp_chain.cli.opened import DEFAULT_DB, ArchiveOption, DbOption, NodeUrl, RulesOption
from ibp_chain.cli.operation_views import Commands
from ibp_chain.cli.output import console, hex_, say
from ibp_chain.cli.own_runtimes import own_runtimes
from ibp_chain.cli.policies import PolicyOptions, with_policy
from ibp_chain.cli.served import BillOption, RowsOption
from ibp_chain.cli.signers import KeystoreOption, signer_of
from ibp_chain.extrinsics import Weight
from ibp_chain.keys import Signer
from multisig.approve import WEIGHT_MARGIN_PERCENT, Approval, Approver
from multisig.bundle import read_bundle
from multisig.errors import WeightTooLow

PeriodOption = Annotated[
    int, typer.Option(help="Blocks for which the signed extrinsic stays valid.", min=4)
]
WithoutHashOption = Annotated[
    bool,
    typer.Option(
        "--without-metadata-hash",
        help="Sign in mode 0: for wallets that do not know CheckMetadataHash, and runtimes that "
        "were built without the hash.",
    ),
]
_MORE_PERCENT = 100


@with_policy
def approve(
    bundle: BundleArgument,
    node: NodeUrl,
    rows: RowsOption,
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    rules: RulesOption = None,
    bill: BillOption = None,
    keystore: KeystoreOption = None,
    period: PeriodOption = 64,
    weight_margin: Annotated[
        int,
        typer.Option(
            "--weight-margin", min=0, max=900, help="Percent over what the runtime says it weighs."
        ),
    ] = WEIGHT_MARGIN_PERCENT,
    *,
    policy: PolicyOptions,
    without_metadata_hash: WithoutHashOption = False,
    although_short: Annotated[
        bool, typer.Option("--although-short", help="Even if the multisig cannot pay it yet.")
    ] = False,
    yes: YesOption = False,
) -> None:
    """Check a bundle, then sign the whole call as one curator; the last one needed executes it.

    With --archive everything is rebuilt first, as `verify` does. With a database that stands at
    another block than the statement's, the statement is taken as given, and the command says so.
    Blocks that the ledger does not have yet are replayed in memory, so that it is checked as of the
    node's best block. What is signed is encoded by the ledger's metadata.
    """
    theirs = read_bundle(bundle)
    signer, own = signer_of(keystore), Own(db, archive, rows, rules, bill, policy)
    commands = Commands(bundle, node, *own.given(), ("--keystore", keystore))
    with commands.pointing(), approver_of(theirs, node, period, own.runtimes()) as approver:
        approver.margin_percent = weight_margin
        checking = Checking(theirs, own, approver)
        console.print(payout_views.reading_table(checking.reading, theirs.network))
        confirm(f"Approve call {hex_(theirs.call_hash)}?", yes=yes)
        done = _approved(
            approver,
            signer,
            checking,
            although_short=although_short,
            with_metadata_hash=not without_metadata_hash,
            asked=not yes,
        )
    tell_approval(done)


def cancel(
    bundle: BundleArgument,
    node: NodeUrl,
    db: LedgerOption = None,
    archive: ArchiveOption = None,
    keystore: KeystoreOption = None,
    period: PeriodOption = 64,
    *,
    yes: YesOption = False,
) -> None:
    """Give up the open operation of a bundle; only the curator who opened it can.

    With --db or --archive what is signed is encoded by the ledger's metadata, else by the node's.
    """
    theirs, signer = read_bundle(bundle), signer_of(keystore)
    own = None if db is None and archive is None else own_runtimes(db or DEFAULT_DB, archive)
    show = theirs.network.format
    given = ("--db", db), ("--archive", archive), ("--keystore", keystore)
    commands = Commands(bundle, node, *given)
    with commands.pointing(), approver_of(theirs, node, period, own) as approver:
        operation = approver.ensure_cancellable(signer.account)
        say(
            f"Opened in {operation.point}, {len(operation.approvals)} of "
            f"{theirs.multisig.threshold} approved; {show(operation.deposit)} of deposit come back."
        )
        confirm(f"Cancel call {hex_(theirs.call_hash)}?", yes=yes)
        done = approver.cancel(signer)
    say(
        f"Cancelled in block {done.inclusion.block.number}; {show(done.returned)} of deposit came "
        "back."
    )


def _approved(
    approver: Approver,
    signer: Signer,
    checking: Checking,
    *,
    although_short: bool,
    with_metadata_hash: bool,
    asked: bool,
) -> Approval:
    """Sends again with more weight only where somebody is there to say so."""
    allowed: Weight | None = None
    while True:
        checking.look()
        try:
            return approver.approve(
                signer,
                although_short=although_short,
                seen=checking.seen(),
                max_weight=allowed,
                with_metadata_hash=with_metadata_hash,
                told=say,
            )
        except WeightTooLow as short:
            if not asked:
                raise
            say(f"{short}.")
            more, given = short.needed.with_margin(approver.margin_percent), short.given
            allowed = given.with_margin(_MORE_PERCENT) if given.covers(more) else more
            confirm(f"Send it again with a weight of {allowed}?", yes=False)
