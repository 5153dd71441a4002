"""`ibp multisig pending`, `status`, `links` and `recheck`: what is open, and what comes next."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.archive import ArchiveSource
from ibp_chain.blocks import BlockRef
from ibp_chain.cli import operation_views as views
from ibp_chain.cli.bundles import BundleArgument
from ibp_chain.cli.opened import DEFAULT_DB, ArchiveOption, NodeUrl, Opened, open_ledger
from ibp_chain.cli.output import JsonOption, console, hex_, print_json, say
from ibp_chain.errors import CheckFailed, ConfigError, InputError
from ibp_chain.extrinsics import Submitter
from ibp_chain.networks import Network, network_of_spec
from ibp_chain.runtime import Runtime
from ibp_chain.runtimes import runtimes
from ibp_chain.source import NodeSource
from ibp_chain.types import Hash, SpecVersion
from ledger.store import Store
from multisig.bundle import Bundle, read_bundle
from multisig.checks import block_weight, limits_of
from multisig.effects import ensure_whole
from multisig.errors import NextStep
from multisig.links import bundle_links, version_note
from multisig.onchain import age_of, call_of, operations_of, runtime_at, witness
from multisig.operations import Party, Pending, known_calls, parties, survey
from multisig.recheck import Comparison, compare_call

LedgerOption = Annotated[
    str | None, typer.Option("--db", help="Database URL of a ledger, for what was paid before.")
]
BundlesOption = Annotated[
    list[Path] | None,
    typer.Option("--bundle", help="A bundle file that may be open; several times for several."),
]


@dataclass(frozen=True, slots=True)
class Look:
    """What a node, and a ledger where there is one, say now."""

    submitter: Submitter
    runtime: Runtime
    """That executes the next block."""
    network: Network
    best: BlockRef
    parties: tuple[Party, ...]
    pending: tuple[Pending, ...]

    def of(self, bundle: Bundle) -> Pending | None:
        """The open operation of a bundle's call, by its own multisig."""
        account = bundle.multisig.account_id(bundle.network)
        for pending in self.pending:
            if (pending.party.account, pending.call_hash) == (account, bundle.call_hash):
                return pending
        return None


def pending(
    node: NodeUrl,
    bundle: BundlesOption = None,
    db: LedgerOption = None,
    archive: ArchiveOption = None,
    multisig: Annotated[
        str | None, typer.Option("--multisig", help="Also of this multisig, such as a former one.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Every open operation of the curators' multisig, as the chain has it now."""
    bundles = {str(path): read_bundle(path) for path in bundle or ()}
    given = bool(bundles) or multisig is not None
    opened = ledger_of(db, archive, needed=not given)
    with looking(node, bundles, opened, multisig) as look:
        if as_json:
            print_json(
                {
                    "block": look.best.number,
                    "spec_version": look.runtime.spec_version,
                    "ledger": opened is not None,
                    "operations": [views.pending_json(each, look.network) for each in look.pending],
                }
            )
            return
        for each in look.pending:
            console.print(views.approvals_table(each, look.network))
            for line in views.sentences(each, look.network):
                say(line)
        whose = ", ".join(
            ss58_encode(party.account, look.network.ss58_prefix) for party in look.parties
        )
        count = len(look.pending) or "No"
        plural = "operation is" if len(look.pending) == 1 else "operations are"
        say(f"{count} {plural} open in block {look.best.number:,}, of {whose}.")
        if opened is None:
            say(
                "No ledger was read: what was paid before, and who is in office, is not known "
                "(--db or --archive)."
            )


def status(
    bundle: BundleArgument,
    node: NodeUrl,
    db: LedgerOption = None,
    archive: ArchiveOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Who has approved the bundle's call on chain as a node has it now, and what comes next."""
    theirs, opened = read_bundle(bundle), ledger_of(db, archive, needed=False)
    commands = views.Commands(bundle, node, ("--db", db), ("--archive", archive))
    with looking(node, {str(bundle): theirs}, opened, None) as look:
        found, running = look.of(theirs), look.runtime.spec_version
        why, step = _next(theirs, found, running, opened)
        note = version_note(theirs.chain.spec_version, running)
        point = None if found is None else found.operation.point
        links = bundle_links(theirs, look.submitter.node.client.url, point)
        if as_json:
            print_json(
                {
                    "call_hash": theirs.call_hash,
                    "open": found is not None,
                    "timepoint": None,
                    "approvals": [],
                    "threshold": theirs.multisig.threshold,
                    **({} if found is None else views.pending_json(found, look.network)),
                    "spec_version": theirs.chain.spec_version,
                    "running_spec_version": running,
                    "next": {"why": why, "command": commands.line(step)},
                    "links": [link._asdict() for link in links],
                }
            )
            return
    if found is not None:
        console.print(views.approvals_table(found, look.network))
        for line in views.sentences(found, look.network):
            say(line)
        if (
            theirs.timepoint is not None
            and theirs.timepoint.model_dump() != found.operation.timepoint
        ):
            say(
                f"The bundle notes another timepoint, {theirs.timepoint.height}-"
                f"{theirs.timepoint.index}: it is stale, and no command relies on it."
            )
    else:
        say(f"No operation of call {hex_(theirs.call_hash)} is open.")
    say(note)
    for line in views.link_lines(links, whole=False):
        say(line)
    say(f"{why} Next: {commands.line(step)}")


def links(bundle: BundleArgument, node: NodeUrl, *, as_json: JsonOption = False) -> None:
    """Pages that show the bundle's call, its multisig and its open operation."""
    theirs = read_bundle(bundle)
    with looking(node, {str(bundle): theirs}, None, None) as look:
        found = look.of(theirs)
        point = None if found is None else found.operation.point
        pages = bundle_links(theirs, look.submitter.node.client.url, point)
        running = look.runtime.spec_version
    if as_json:
        print_json(
            {
                "spec_version": theirs.chain.spec_version,
                "running_spec_version": running,
                "links": [page._asdict() for page in pages],
            }
        )
        return
    for line in views.link_lines(pages, whole=True):
        say(line)
    if not pages:
        say("No page shows this chain: a page can only ask a node at ws:// or wss://.")
    say(version_note(theirs.chain.spec_version, running))


def recheck(
    bundle: BundleArgument,
    node: NodeUrl,
    db: LedgerOption = None,
    archive: ArchiveOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """After a runtime upgrade: whether the call still means the same; exit 1 where it does not."""
    theirs = read_bundle(bundle)
    ensure_whole(theirs)
    made_for = SpecVersion(theirs.chain.spec_version)
    with NodeSource(node, expected_genesis=theirs.chain.genesis_hash) as source:
        submitter = Submitter(source, runtimes(source))
        now = submitter.runtime()
        before = now
        if now.spec_version != made_for:
            before = _former(source, made_for, theirs, db, archive)
        compared = compare_call(theirs.call, before, now)
        weight, heavy = _weighed(submitter, theirs) if compared.same else (None, ())
    if as_json:
        print_json(
            {
                "before": compared.before,
                "after": compared.after,
                "same": compared.same,
                "differences": list(compared.differences),
                "weight": None if weight is None else weight,
                "too_heavy": list(heavy),
                "call_hash": theirs.call_hash,
            }
        )
    else:
        for line in _recheck_lines(compared, theirs):
            say(line)
        if weight is not None:
            say(weight)
    if heavy:
        raise CheckFailed("; ".join(heavy))
    if not compared.same:
        raise CheckFailed(
            f"the call means something else under {compared.after}: whoever opened its operation "
            "cancels it, then the payout is built again from its statement, and signed anew"
        )


# --- Looking ----------------------------------------------------------------------------


def ledger_of(db: str | None, archive: Path | None, *, needed: bool) -> Opened | None:
    """The ledger that was asked for; where it is `needed`, the default one."""
    if db is None and archive is None and not needed:
        return None
    try:
        return open_ledger(DEFAULT_DB if db is None else db, archive, None)
    except ConfigError as error:
        if db is None and archive is None:
            raise ConfigError(f"{error}, or name the multisig with --bundle") from error
        raise


@contextmanager
def looking(
    node: str, bundles: Mapping[str, Bundle], opened: Opened | None, multisig: str | None
) -> Iterator[Look]:
    """All that is open of the multisigs of `bundles`, of the ledger's, and of `multisig`.

    Raises `BundleRefused` for bundles that contradict themselves, `InputError` for bundles of
    several chains.
    """
    genesis = {bundle.chain.genesis_hash for bundle in bundles.values()}
    if opened is not None:
        genesis.add(opened.genesis_hash)
    if len(genesis) > 1:
        raise InputError("the bundles and the ledger are of several chains")
    with NodeSource(node, expected_genesis=next(iter(genesis), None)) as source:
        submitter = Submitter(source, runtimes(source))
        runtime, best = submitter.runtime(), submitter.best()
        network = _network(bundles, opened, runtime)
        whose = parties(bundles.values(), None if opened is None else opened.state, runtime)
        if multisig is not None:
            account = ss58_decode(multisig, network.ss58_prefix)
            if all(party.account != account for party in whose):
                in_office = None if opened is None else False
                whose = (*whose, Party(account, None, (), in_office))
        found = [
            (party, call_hash, operation, age_of(source, runtime, operation, best, network))
            for party in whose
            for call_hash, operation in operations_of(
                source, runtime, party.account, best.hash
            ).items()
        ]
        shown = _shown(opened)
        for _, call_hash, operation, _ in found:
            if call_hash not in shown:
                data = call_of(source, submitter.runtimes, operation.point, call_hash)
                shown |= {} if data is None else {call_hash: data}
        wanted = [
            data for call_hash, data in shown.items() if any(call_hash == f[1] for f in found)
        ]
        calls = known_calls(bundles, wanted, runtime, submitter.codec(), network)
        paid = () if opened is None else dict(opened.state.payouts.paid.items())
        pendings = survey(found, calls, paid)
        yield Look(submitter, runtime, network, best, whose, pendings)


def _shown(opened: Opened | None) -> dict[Hash, bytes]:
    """What the ledger has of calls that were sent whole."""
    if opened is None:
        return {}
    return {
        key[1]: operation.call
        for key, operation in opened.state.mirrors.multisig.operations.items()
        if operation.call is not None
    }


def _network(bundles: Mapping[str, Bundle], opened: Opened | None, runtime: Runtime) -> Network:
    if opened is not None:
        return opened.network
    for bundle in bundles.values():
        return bundle.network
    return network_of_spec(runtime.spec_name)


def _next(
    bundle: Bundle, found: Pending | None, running: int, opened: Opened | None
) -> tuple[str, NextStep]:
    """Why, and which command."""
    if running != bundle.chain.spec_version:
        return "The runtime was upgraded since the bundle was built.", NextStep.RECHECK
    if found is None:
        return _unopened(bundle, opened)
    if found.paid or found.also or found.party.in_office is False:
        return "See the warning: its depositor should cancel it.", NextStep.CANCEL
    if found.lacking == 0:
        return "Any signatory executes it with the whole call.", NextStep.APPROVE
    return f"{found.lacking} more curators have to approve.", NextStep.APPROVE


def _unopened(bundle: Bundle, opened: Opened | None) -> tuple[str, NextStep]:
    account = bundle.multisig.account_id(bundle.network)
    seen = None if opened is None else witness(opened.state, account, bundle.call_hash)
    if seen is None:
        return "Nobody has opened it, or it is closed: a ledger tells which.", NextStep.RECONCILE
    if seen.executed:
        return f"It was executed in block {seen.executed[-1]:,}.", NextStep.RECONCILE
    return "It was not executed up to the ledger's block: any curator opens it.", NextStep.APPROVE


# --- Upgrades ---------------------------------------------------------------------------


def _former(
    source: NodeSource,
    made_for: SpecVersion,
    bundle: Bundle,
    db: str | None,
    archive: Path | None,
) -> Runtime:
    """The runtime that the bundle was made for: of an archive or ledger, or of the node's past."""
    if archive is not None:
        return Runtime.from_metadata(ArchiveSource(archive).metadata(made_for))
    if db is not None:
        with Store(db) as store:
            return Runtime.from_metadata(store.metadata(made_for))
    found = runtime_at(source, made_for, bundle.statement.ledger.block)
    if found is None:
        raise InputError(
            f"the node no longer has the runtime of spec version {made_for}: give your ledger with "
            "--db or --archive, which keeps it"
        )
    return found


def _weighed(submitter: Submitter, bundle: Bundle) -> tuple[str, tuple[str, ...]]:
    """What the call weighs now, and what is against it."""
    weight = submitter.call_info(bundle.call).weight
    text = f"It weighs {weight.ref_time:,} ps and {weight.proof_size:,} bytes of proof now"
    if bundle.weight is not None:
        text += (
            f"; the bundle notes {bundle.weight.ref_time:,} ps and {bundle.weight.proof_size:,} "
            "bytes, which signers away from a node must not rely on"
        )
    too_heavy = block_weight(weight, limits_of(submitter.runtime()))
    return f"{text}.", tuple(str(finding) for finding in too_heavy)


def _recheck_lines(compared: Comparison, bundle: Bundle) -> Iterator[str]:
    if compared.before == compared.after:
        yield f"No upgrade: the bundle and the node are of {compared.after}."
        return
    yield f"Made for {compared.before}, the node runs {compared.after}."
    if compared.same:
        yield (
            "Every byte of the call means the same, by names and arguments. Build the bundle again "
            f"from its statement: it has the same call hash {hex_(bundle.call_hash)}, and the "
            "approvals so far count. What the upgrade changed behind the names, only its release "
            "notes tell."
        )
        return
    yield "What changed:"
    yield from (f"  {difference}" for difference in compared.differences)
