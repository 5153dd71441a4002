"""`ibp multisig watch`: follow the multisig over finalised blocks, tell each step."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from ibp_chain.accounts import ss58_encode
from ibp_chain.cli.opened import ArchiveOption, NodeUrl
from ibp_chain.cli.operations import BundlesOption, LedgerOption, ledger_of
from ibp_chain.cli.output import say
from ibp_chain.errors import CheckFailed, ConfigError, InputError
from ibp_chain.networks import Network
from ibp_chain.peer_codec import PeerCodec, peer_codec
from ibp_chain.runtimes import runtimes
from ibp_chain.source import NodeSource
from ibp_chain.types import BlockNumber, SpecVersion
from multisig.bundle import Bundle, read_bundle
from multisig.decode import Reading, decode_payout
from multisig.onchain import Runtimes
from multisig.operations import Party, parties
from multisig.reports import Hearing, Watched
from multisig.watch import Ears, Watch
from multisig.watch_state import kept_by_one
from multisig.webhook import Webhook

_problems = Console(stderr=True, soft_wrap=True, highlight=False)


def watch(
    node: NodeUrl,
    bundle: BundlesOption = None,
    db: LedgerOption = None,
    archive: ArchiveOption = None,
    webhook: Annotated[
        str | None,
        typer.Option(
            "--webhook",
            envvar="IBP_WEBHOOK",
            show_envvar=True,
            help="POST each report there; better in the environment than on the command line.",
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option("--state", help="File with what was reported; without it a restart forgets."),
    ] = None,
    first: Annotated[
        int | None,
        typer.Option(
            "--first",
            min=1,
            help="Begin with this block, not behind the head; not where --state goes on.",
        ),
    ] = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="All operations of the multisig, not the bundles' alone.")
    ] = False,
    once: Annotated[
        bool, typer.Option("--once", help="Report up to the finalised head, then end.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object in each line.")] = False,
) -> None:
    """Report each step of the multisig's operations from finalised blocks, until Ctrl-C.

    With bundles, of their calls; otherwise, or with --all, of every operation of the curators'
    multisig, which the ledger names. What was reported is kept in --state, and reported once: only
    after a kill may the last reports come twice, with the same `id`.
    """
    bundles = [read_bundle(path) for path in bundle or ()]
    opened = ledger_of(db, archive, needed=not bundles)
    hook = None if webhook is None else Webhook(webhook)
    if state is not None and not state.parent.is_dir():
        raise ConfigError(f"{state.parent} is no folder for a state file")
    genesis = bundles[0].chain.genesis_hash if opened is None else opened.genesis_hash
    with kept_by_one(state), NodeSource(node, expected_genesis=genesis) as source:
        known = runtimes(source)
        runtime = known(source.version_after(source.head().hash))
        network = bundles[0].network if opened is None else opened.network
        party = _party(parties(bundles, None if opened is None else opened.state, runtime), bundles)
        calls = None if everything or not bundles else frozenset(b.call_hash for b in bundles)
        watched = Watched(genesis, network, party, calls)
        reader = _Reader(source, known, network)
        readings = {b.call_hash: reader(runtime.spec_version, b.call) for b in bundles}
        hearing = Hearing(watched, reader, readings=readings)
        ears = Ears(_printer(as_json=as_json), _warn, hook)
        watching = Watch(source, known, hearing, ears, state, time.sleep)
        resumed = watching.begin(None if first is None else BlockNumber(first))
        _introduce(watching, resumed=resumed, as_json=as_json)
        if not once:
            watching.run(lambda: False)
        watching.catch_up()
        watching.deliver()
    if watching.waiting:
        raise CheckFailed(f"{len(watching.waiting)} reports still wait for the webhook")


class _Reader:
    """Reads payouts with both decoders, for any runtime of the node."""

    def __init__(self, node: NodeSource, known: Runtimes, network: Network) -> None:
        self._node, self._known, self._network = node, known, network
        self._codecs: dict[SpecVersion, PeerCodec] = {}

    def __call__(self, spec_version: SpecVersion, call: bytes) -> Reading | None:
        if spec_version not in self._codecs:
            self._codecs[spec_version] = peer_codec(self._node.metadata_v14(spec_version))
        try:
            return decode_payout(
                self._known(spec_version), self._codecs[spec_version], call, self._network
            )
        except CheckFailed:
            return None


def _party(found: tuple[Party, ...], bundles: list[Bundle]) -> Party:
    """The one multisig that is watched."""
    if not found:
        raise InputError("the ledger has no programme yet: give a bundle")
    if not bundles:
        return found[0]
    accounts = {bundle.multisig.account_id(bundle.network) for bundle in bundles}
    if len(accounts) > 1:
        raise InputError("the bundles are of several multisigs: watch each on its own")
    return next(party for party in found if party.account in accounts)


def _printer(*, as_json: bool) -> Callable[[dict[str, Any]], None]:
    def line(said: dict[str, Any]) -> None:
        if as_json:
            sys.stdout.write(json.dumps(said) + "\n")
        else:
            say(said["text"])
            for link in said.get("links", ()):
                say(f"  {link}")
        sys.stdout.flush()

    return line


def _introduce(watching: Watch, *, resumed: bool, as_json: bool) -> None:
    if as_json:
        return
    watched, at = watching.hearing.watched, watching.at
    count = len(watching.hearing.tally)
    say(
        f"Watching {ss58_encode(watched.party.account, watched.network.ss58_prefix)} "
        f"{'again ' if resumed else ''}from block {at.number + 1:,}; {count} open before."
    )


def _warn(text: str) -> None:
    _problems.print(f"[yellow]ibp:[/] {escape(text)}")
