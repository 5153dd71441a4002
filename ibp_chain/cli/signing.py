"""`ibp multisig payload`, `qr`, `submit` and `keystore`: signing with what curators have.

The key stays in a wallet or on a device. What leaves here, and what comes back, is checked.
"""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ibp_chain.accounts import ss58_decode
from ibp_chain.cli import payout_views
from ibp_chain.cli.approving import WithoutHashOption
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
from ibp_chain.cli.output import console, say
from ibp_chain.cli.own_runtimes import own_runtimes
from ibp_chain.cli.policies import PolicyOptions, with_policy
from ibp_chain.cli.served import BillOption, RowsOption
from ibp_chain.cli.signers import PASSPHRASE, signer_of
from ibp_chain.errors import ConfigError, InputError
from ibp_chain.files import read_bounded, write_whole
from ibp_chain.keystore import NONCE_BYTES, SALT_BYTES
from ibp_chain.networks import network
from ibp_chain.runtime import Runtime
from ibp_chain.signatures import Scheme, read_hex
from ibp_chain.types import Planck
from multisig import eras
from multisig import payload as asking
from multisig.approve import Approver
from multisig.bundle import Bundle, read_bundle
from multisig.decode import decode_payout
from multisig.documents import MAX_PLANCK, write_file
from multisig.onchain import Witness
from multisig.qr import code, moving_svg
from multisig.signer_payload import read_payload
from multisig.uos import FRAME_BYTES, fountain_frames, static_frames, uos_payload

_MAX_SIGNED_BYTES = 8 * 2**20
_SHORT_ERA = 64

PayloadOption = Annotated[
    Path, typer.Option("--payload", help="The payload file that was signed.", show_default=False)
]


@with_policy
def payload(
    bundle: BundleArgument,
    curator: Annotated[
        str, typer.Option("--as", help="Address of the curator who signs.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Payload file to write.", show_default=False)],
    node: NodeUrl,
    rows: RowsOption,
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    rules: RulesOption = None,
    bill: BillOption = None,
    period: Annotated[
        int | None,
        typer.Option(min=4, help="Blocks for which it stays valid; default the most there are."),
    ] = None,
    tip: Annotated[int, typer.Option(min=0, max=MAX_PLANCK, help="In planck.")] = 0,
    *,
    policy: PolicyOptions,
    without_metadata_hash: WithoutHashOption = False,
    although_short: Annotated[
        bool, typer.Option("--although-short", help="Even if the multisig cannot pay it yet.")
    ] = False,
) -> None:
    """Check a bundle, then write what one curator's wallet or device is to sign."""
    theirs = read_bundle(bundle)
    who = ss58_decode(curator, theirs.network.ss58_prefix)
    own = Own(db, archive, rows, rules, bill, policy)
    commands = Commands(bundle, node, *own.given())
    with commands.pointing(), approver_of(theirs, node, _SHORT_ERA, own.runtimes()) as approver:
        checking = Checking(theirs, own, approver)
        runtime = approver.submitter.runtime()
        approver.submitter.period = eras.period_of(period, runtime)
        asked = asking.ask(
            approver,
            who,
            tip=Planck(tip),
            with_metadata_hash=not without_metadata_hash,
            although_short=although_short,
            seen=checking.seen(),
        )
        warning = _era_warning(approver)
    write_file(out, asked.payload.encoded)
    console.print(payout_views.reading_table(checking.reading, theirs.network))
    for line in payout_views.asked_lines(asked):
        say(line)
    if warning is not None:
        say(f"Warning: {warning}.")
    say(f"Written to {out}.")


def qr(
    bundle: BundleArgument,
    payload: PayloadOption,
    node: NodeUrl,
    db: LedgerOption = None,
    archive: ArchiveOption = None,
    png: Annotated[
        Path | None, typer.Option("--png", help="Directory for one PNG file for each frame.")
    ] = None,
    svg: Annotated[
        Path | None,
        typer.Option("--svg", help="Directory for SVG files, and all frames in one that moves."),
    ] = None,
    frame_bytes: Annotated[
        int, typer.Option(min=16, max=2_048, help="Of the payload in each static frame.")
    ] = FRAME_BYTES,
    *,
    fountain: Annotated[
        bool, typer.Option("--fountain", help="RaptorQ frames: a lost one does no harm.")
    ] = False,
    ed25519: Annotated[
        bool, typer.Option("--ed25519", help="The device's key is ed25519, not sr25519.")
    ] = False,
) -> None:
    """Show a payload to Polkadot Vault: on this terminal, or as PNG or SVG files.

    With --db or --archive it is read by the ledger's metadata, else by the node's.
    """
    theirs = read_bundle(bundle)
    own = None if db is None and archive is None else own_runtimes(db or DEFAULT_DB, archive)
    with approver_of(theirs, node, _SHORT_ERA, own) as approver:
        asked = _asked(payload, theirs, approver)
        submitter = approver.submitter
        reading = decode_payout(submitter.runtime(), submitter.codec(), theirs.call, theirs.network)
    whole = uos_payload(asked, Scheme.ED25519 if ed25519 else Scheme.SR25519)
    frames = fountain_frames(whole) if fountain else static_frames(whole, frame_bytes)
    codes = [code(frame) for frame in frames]
    for number, one in enumerate(codes, 1):
        if png is not None:
            _write(png / f"frame-{number:02d}.png", one.png())
        if svg is not None:
            _write(svg / f"frame-{number:02d}.svg", one.svg())
        if png is None and svg is None:
            sys.stdout.write(one.terminal(coloured=sys.stdout.isatty()))
        say(
            f"Frame {number} of {len(codes)}: {len(one.frame):,} bytes, QR version {one.version}, "
            f"{one.modules} x {one.modules} modules"
        )
    if svg is not None:
        _write(svg / "frames.svg", moving_svg(codes))
        say(f"All of them, moving: {svg / 'frames.svg'}")
    console.print(payout_views.reading_table(reading, theirs.network))
    for line in payout_views.asked_lines(asked):
        say(line)


@with_policy
def submit(
    bundle: BundleArgument,
    payload: PayloadOption,
    node: NodeUrl,
    rows: RowsOption,
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    rules: RulesOption = None,
    bill: BillOption = None,
    signature: Annotated[
        str | None,
        typer.Option("--signature", help="What came back: hex, as text of a QR code or a wallet."),
    ] = None,
    signed: Annotated[
        Path | None,
        typer.Option("--signed", help="Or a file with the signed transaction, as hex or JSON."),
    ] = None,
    *,
    policy: PolicyOptions,
    yes: YesOption = False,
) -> None:
    """Check what a wallet or device sent back against what was asked, then submit it."""
    if (signature is None) == (signed is None):
        raise InputError("give either --signature or --signed")
    theirs = read_bundle(bundle)
    own = Own(db, archive, rows, rules, bill, policy)
    commands = Commands(bundle, node, *own.given())
    with commands.pointing(), approver_of(theirs, node, _SHORT_ERA, own.runtimes()) as approver:
        checking = Checking(theirs, own, approver)
        asked = _asked(payload, theirs, approver, checking.seen())
        runtime = approver.submitter.runtime()
        if signature is not None:
            raw = asking.accept_signature(asked, read_hex(signature, "--signature"))
        else:
            raw = _accept_file(asked, Path(str(signed)), runtime)
        console.print(payout_views.reading_table(checking.reading, theirs.network))
        confirm(f"Submit {asked.payload.address}'s approval?", yes=yes)
        checking.look()
        asking.check_now(asked, approver, seen=checking.seen())
        sent = approver.submitter.send(raw, "Multisig.as_multi", asked.context.death)
        done = approver.finish(sent, asked.curator, asked.timepoint, asked.max_weight)
    tell_approval(done)


def keystore(
    out: Annotated[Path, typer.Argument(help="File to write.", show_default=False)],
    chain: Annotated[
        str, typer.Option("--network", help="Network of the address in it.")
    ] = "polkadot",
    name: Annotated[str, typer.Option(help="What wallets call the account.")] = "IBP curator",
) -> None:
    """Write the key in IBP_SECRET_URI as a polkadot-js keystore, for a wallet to import."""
    signer = signer_of(None)
    passphrase = os.environ.get(PASSPHRASE)
    if passphrase is None:
        passphrase = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True)
    content = signer.keystore(
        passphrase,
        name=name,
        ss58_prefix=network(chain).ss58_prefix,
        salt=os.urandom(SALT_BYTES),
        nonce=os.urandom(NONCE_BYTES),
    )
    _write(out, json.dumps(content).encode(), private=True)
    say(f"{out}: the key of {content['address']}, under the passphrase.")


# --- Parts ----------------------------------------------------------------------------


def _asked(
    path: Path, theirs: Bundle, approver: Approver, seen: Witness | None = None
) -> asking.Asked:
    """The payload in a file, held against the bundle and the chain as it is now."""
    submitter = approver.submitter
    asked = asking.check_asked(read_payload(path), theirs, submitter.runtime(), submitter.codec())
    asking.check_now(asked, approver, seen=seen)
    return asked


def _accept_file(asked: asking.Asked, path: Path, runtime: Runtime) -> bytes:
    """The extrinsic from a file: hex of a signed transaction, or a wallet's `SignerResult`."""
    text = read_bounded(path, _MAX_SIGNED_BYTES, InputError).decode("ascii", "replace")
    if not text.lstrip().startswith("{"):
        return asking.accept_signed(asked, read_hex(text, str(path)), runtime)
    try:
        result = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: neither hex nor JSON: {error}") from error
    match result:
        case {"signedTransaction": str(transaction)}:
            return asking.accept_signed(asked, read_hex(transaction, str(path)), runtime)
        case {"signature": str(signature)}:
            return asking.accept_signature(asked, read_hex(signature, str(path)))
    raise InputError(f"{path}: has neither a signedTransaction nor a signature")


def _era_warning(approver: Approver) -> str | None:
    submitter = approver.submitter
    block_ms = eras.block_milliseconds(
        submitter.node,
        submitter.runtime(),
        submitter.best().hash,
        approver.bundle.network.block_time_ms,
    )
    return eras.era_warning(submitter.period, block_ms)


def _write(path: Path, data: bytes, *, private: bool = False) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data, private=private)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
