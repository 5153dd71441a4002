"""Payouts: the batches that the chain executed, and the bundles that the server was given."""

from collections.abc import Iterator

from ibp_chain.blocks import BlockRef
from ibp_chain.errors import IbpError
from ibp_chain.explorers import links
from ibp_chain.types import BlockNumber, Hash, Planck
from ibp_chain.web.bundle_files import BundleFile
from ibp_chain.web.errors import NotFound
from ibp_chain.web.models import (
    AttemptShown,
    BatchDetail,
    BatchShown,
    BundleDetail,
    BundleShown,
    DecodedLine,
    LinkShown,
    PayoutsShown,
    RefusedFile,
    SimulatedChange,
    SimulationShown,
    SimulationsShown,
    StatementLine,
    ViolationShown,
    WithheldShown,
)
from ibp_chain.web.queries import traced
from ibp_chain.web.shown import address, amount, hex_, moment, place, signed
from ibp_chain.web.simulation_files import SimulationRecord
from ibp_chain.web.snapshot import Snapshot
from ledger.pallets.payouts import Batch, BatchKey, Violation
from ledger.program import derivation, usd
from ledger.program.rules import Rules
from multisig.decode import Reading
from multisig.links import bundle_links
from multisig.receipts import line_steps
from multisig.reconcile import Attempt, LineResult, Outcome, Reconciliation, reconcile
from multisig.statement import Line
from multisig.steps import Point

OTHER_PART = "in another part"
"""Of a statement's line that another call than the bundle's pays."""


def payouts(snapshot: Snapshot) -> PayoutsShown:
    """Every batch and bundle, the latest first."""
    return PayoutsShown(
        batches=batches(snapshot),
        bundles=tuple(
            _bundle(snapshot, each)
            for each in sorted(
                snapshot.bundles.files.values(),
                key=lambda each: (each.bundle.statement.period, each.bundle.part, each.file),
                reverse=True,
            )
        ),
        refused=tuple(
            RefusedFile(file=file, reason=reason) for file, reason in snapshot.bundles.refused
        ),
        bundles_given=snapshot.bundles.given,
    )


def batches(snapshot: Snapshot) -> tuple[BatchShown, ...]:
    found = sorted(snapshot.state.payouts.batches.items(), reverse=True)
    return tuple(_batch(snapshot, key, each) for key, each in found)


def batch(snapshot: Snapshot, key: BatchKey) -> BatchDetail:
    """Raises `NotFound`."""
    found = snapshot.state.payouts.batches.find(key)
    if found is None:
        raise NotFound(f"block {key[0]} has no payout batch {key[1]} in this ledger")
    facts = snapshot.blocks.get(key[0])
    pages: tuple[str, ...] = ()
    if facts is not None:
        ref = BlockRef(BlockNumber(key[0]), facts.hash)
        pages = links(snapshot.chain.genesis_hash, ref, found.extrinsic)
    return BatchDetail(
        **dict(_batch(snapshot, key, found)),
        violations=tuple(
            _violation(snapshot, line, each)
            for (block, place, line), each in sorted(snapshot.state.payouts.violations.items())
            if (block, place) == key
        ),
        explorers=pages,
    )


def bundle(snapshot: Snapshot, call_hash: Hash) -> BundleDetail:
    """Raises `NotFound`."""
    found = bundle_file(snapshot, call_hash)
    theirs, statement, reading = found.bundle, found.bundle.statement, found.reading
    result, trouble = _reconciled(snapshot, found)
    return BundleDetail(
        **dict(_bundle(snapshot, found)),
        network=theirs.chain.network,
        genesis_hash=hex_(theirs.chain.genesis_hash),
        spec_version=theirs.chain.spec_version,
        multisig=theirs.multisig.account,
        threshold=theirs.multisig.threshold,
        signatories=theirs.multisig.signatories,
        statement_block=statement.ledger.block,
        statement_root=hex_(statement.ledger.state_root),
        price_usd=f"{statement.price.usd:f}",
        price_source=statement.price.source,
        price_at=statement.price.at,
        rules=hex_(statement.rules),
        payees=tuple(_line(found, line, result, snapshot.rules) for line in statement.lines),
        withheld=tuple(
            WithheldShown(
                member=each.member, item=each.item, reason=each.reason, detail=each.detail
            )
            for each in statement.withheld
        ),
        call=hex_(theirs.call),
        remark=None if reading is None else reading.remark,
        decoded=() if reading is None else tuple(_decoded(found, reading)),
        refusal=found.refusal or trouble,
        attempts=()
        if result is None
        else tuple(_attempt(snapshot, found, each) for each in result.attempts),
        missing=()
        if result is None
        else tuple(address(who, theirs.network) for who in result.missing),
        settled=result is not None and result.settled,
        violations=()
        if result is None
        else tuple(_violation(snapshot, line, each) for line, each in enumerate(result.violations)),
        contradictions=traced.contradictions(snapshot, found),
        blocks_problem=traced.problem(snapshot, found),
        simulation=_simulation(snapshot, found),
        simulation_refused=snapshot.bundles.simulations.refused.get(call_hash),
        links=tuple(_links(found, result)),
        verify=_commands(found),
    )


def bundle_file(snapshot: Snapshot, call_hash: Hash) -> BundleFile:
    """Raises `NotFound`."""
    found = snapshot.bundles.files.get(call_hash)
    if found is None:
        given = "the server was started without --bundles" if not snapshot.bundles.given else ""
        raise NotFound(f"no bundle of call {hex_(call_hash)} was given" + (given and f": {given}"))
    return found


# --- Batches --------------------------------------------------------------------------


def _batch(snapshot: Snapshot, key: BatchKey, found: Batch) -> BatchShown:
    return BatchShown(
        batch=f"{key[0]}-{key[1]}",
        at=moment(snapshot, key[0]),
        extrinsic=found.extrinsic,
        status=found.status.name.lower(),
        period=found.period,
        lines=found.lines,
        total=amount(found.total, snapshot.network),
        statement=hex_(found.statement),
        call_hash=hex_(found.call_hash),
        error=found.error,
        bundle=found.call_hash in snapshot.bundles.files,
    )


def _violation(snapshot: Snapshot, line: int, found: Violation) -> ViolationShown:
    return ViolationShown(
        line=line,
        code=found.code.name.lower().replace("_", " "),
        payee=None if found.payee is None else address(found.payee, snapshot.network),
        amount=amount(found.amount, snapshot.network),
    )


# --- Bundles --------------------------------------------------------------------------


def _reconciled(snapshot: Snapshot, found: BundleFile) -> tuple[Reconciliation | None, str | None]:
    """What the ledger knows of a bundle, or why it cannot be held against it."""
    theirs = found.bundle
    if theirs.chain.genesis_hash != snapshot.chain.genesis_hash:
        return None, "it is for another chain than this ledger's"
    if found.reading is None:
        return None, None
    try:
        return reconcile(theirs, found.reading, snapshot.state), None
    except IbpError as error:
        return None, str(error)


def _bundle(snapshot: Snapshot, found: BundleFile) -> BundleShown:
    theirs = found.bundle
    result, _ = _reconciled(snapshot, found)
    lines = len(theirs.statement.lines) if found.reading is None else len(found.reading.lines)
    total = theirs.statement.total if found.reading is None else found.reading.total
    return BundleShown(
        call_hash=hex_(theirs.call_hash),
        file=found.file,
        period=theirs.statement.period,
        part=theirs.part,
        parts=theirs.parts,
        kind=theirs.paid_by.kind,
        lines=lines,
        total=amount(total, theirs.network),
        statement=hex_(theirs.statement.hash),
        outcome="not to be read" if result is None else result.outcome,
        lacking=0 if result is None else result.lacking,
    )


def _line(
    found: BundleFile, line: Line, result: Reconciliation | None, rules: Rules
) -> StatementLine:
    results = () if result is None else result.lines
    own = next(
        (r for r in results if (r.line.member, r.line.item) == (line.member, line.item)), None
    )
    return StatementLine(
        member=line.member,
        item=line.item,
        payee=line.payee,
        days=len(line.days),
        days_served=line.days,
        usd=usd.plain(line.usd),
        amount=amount(line.planck, found.bundle.network),
        derivation=derivation.explain(
            line_steps(line, found.bundle.statement, rules, found.bundle.network)
        ),
        state=_state_of(own, result),
    )


def _state_of(own: LineResult | None, result: Reconciliation | None) -> str:
    if result is None:
        return "unknown"
    if own is None:
        return OTHER_PART
    if own.elsewhere is not None:
        return "paid by another call"
    return (
        "paid as stated" if own.as_stated else "not paid" if own.paid is None else "paid otherwise"
    )


def _decoded(found: BundleFile, reading: Reading) -> Iterator[DecodedLine]:
    network = found.bundle.network
    for nth, (member, item) in enumerate(reading.lines):
        payee, planck = reading.transfers[nth] if reading.transfers else (None, None)
        children = reading.children or reading.claims
        yield DecodedLine(
            member=member,
            item=item,
            payee=payee,
            amount=None if planck is None else amount(planck, network),
            child=str(children[nth]) if children else None,
        )


def _attempt(snapshot: Snapshot, found: BundleFile, attempt: Attempt) -> AttemptShown:
    network = found.bundle.network
    return AttemptShown(
        outcome=attempt.outcome,
        opened=moment(snapshot, attempt.opened[0]),
        extrinsic=attempt.opened[1],
        signed=tuple(address(who, network) for who in attempt.signed),
        approved=tuple(place(at.block, at.extrinsic) for at in attempt.positions),
        closed=None if attempt.closed is None else moment(snapshot, attempt.closed),
        error=attempt.error,
        deposit_held=amount(attempt.deposit_held, network),
        blocks=traced.blocks_of(snapshot, found, attempt),
    )


def _simulation(snapshot: Snapshot, found: BundleFile) -> SimulationsShown | None:
    """The stored result, with the age of each simulation by this ledger's blocks."""
    stored = snapshot.bundles.simulations.files.get(found.bundle.call_hash)
    if stored is None:
        return None
    return SimulationsShown(
        agrees=stored.agrees,
        misread=stored.misread,
        simulations=tuple(_simulated(snapshot, found, each) for each in stored.simulations),
        not_run=stored.not_run,
    )


def _simulated(snapshot: Snapshot, found: BundleFile, record: SimulationRecord) -> SimulationShown:
    block, last = BlockNumber(record.block), snapshot.chain.head.number
    facts = snapshot.blocks.get(block)
    return SimulationShown(
        way=record.way,
        agrees=record.agrees,
        at=moment(snapshot, block),
        behind=last - block if block <= last else None,
        other_fork=facts is not None and hex_(facts.hash) != record.block_hash,
        spec_version=record.spec_version,
        error=record.error,
        differences=record.differences,
        changes=tuple(
            SimulatedChange(
                account=each.account,
                name=each.name,
                expected=signed(int(each.expected), found.bundle.network),
                simulated=signed(int(each.simulated), found.bundle.network),
                agrees=each.expected == each.simulated,
            )
            for each in record.changes
        ),
        signed_by=tuple(step.signer for step in record.steps),
        fees=amount(Planck(int(record.fees)), found.bundle.network),
    )


def _links(found: BundleFile, result: Reconciliation | None) -> Iterator[LinkShown]:
    """Pages of others that show the call and its operation; none on a chain that they lack."""
    opened = None
    if result is not None and result.outcome is Outcome.PENDING:
        opened = Point(*result.attempts[-1].opened)
    for link in bundle_links(found.bundle, None, opened):
        yield LinkShown(name=link.name, url=link.url)


def _commands(found: BundleFile) -> tuple[str, ...]:
    return (
        f"ibp multisig verify {found.file} --archive ARCHIVE --rows ROWS",
        f"ibp multisig decode {found.file} --archive ARCHIVE",
        f"ibp multisig reconcile {found.file} --archive ARCHIVE",
    )
