"""What a watch says of a multisig's operations, step by step. Pure: blocks in, reports out.

A report counts approvals over all blocks that were heard, beginning with what was open before. Of
an executed payout it says of each line whether the block's events show it paid. It is for people
who wait; what was paid, the ledger tells (`multisig.reconcile`).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.blocks import Block, EventRecord
from ibp_chain.errors import AddressError, DecodeError
from ibp_chain.networks import Network
from ibp_chain.runtime import Runtime
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck, SpecVersion
from multisig.decode import Reading
from multisig.links import step_links
from multisig.nested import calls_in
from multisig.operations import OpenOperation, Party
from multisig.steps import CLOSING, Point, Step, StepKind, steps_in

_MULTISIG = frozenset({"Multisig"})
_EXECUTION = frozenset({"Multisig", "Balances", "ChildBounties"})


@dataclass(frozen=True, slots=True)
class Watched:
    """Whose operations are heard, and of which calls."""

    genesis_hash: Hash
    network: Network
    party: Party
    calls: frozenset[Hash] | None
    """Call hashes; None for all of the multisig's."""

    def name(self, account: AccountId) -> str:
        """A signatory by their place, as everywhere else, and the address."""
        address = ss58_encode(account, self.network.ss58_prefix)
        if account not in self.party.signatories:
            return address
        return f"curator {self.party.signatories.index(account) + 1} ({address})"


class LineSeen(NamedTuple):
    """A line of an executed payout, and whether an event shows it."""

    member: str
    item: str
    amount: Planck | None
    """None where the call does not say, as a claim does not."""
    done: str | None
    """`paid`, `awarded` or `claimed`; None where no event shows it."""


@dataclass(frozen=True, slots=True)
class Report:
    """A step, and what it led to."""

    step: Step
    approvals: int | None
    """How many there are after it; None where that is not known."""
    period: str | None
    """What the payout is for, where the call is known to be one."""
    lines: tuple[LineSeen, ...]
    """Of a payout that was executed."""
    spec_version: SpecVersion
    """Of the runtime that executed the block."""

    @property
    def key(self) -> str:
        return self.step.key


@dataclass(frozen=True, slots=True)
class Gap:
    """Blocks that nobody could read, and what is different behind them."""

    first: BlockNumber
    last: BlockNumber
    closed: tuple[Hash, ...]
    """Call hashes of operations that were open before and are not now: executed or cancelled."""
    open: tuple[Hash, ...]
    """Of those that are open now and were not, or have other approvals."""

    @property
    def key(self) -> str:
        return f"gap-{self.first}-{self.last}"


class Standing(NamedTuple):
    """An open operation as far as it was heard."""

    point: Point
    approvals: tuple[AccountId, ...]
    """Ascending."""


Tally = dict[Hash, Standing]
"""The open operations of the multisig, by call hash."""
Read = Callable[[SpecVersion, bytes], Reading | None]
"""The payout that a call is, by both decoders; None for any other call."""


def tally_of(found: Mapping[Hash, OpenOperation]) -> Tally:
    """Of what storage has."""
    return {
        call_hash: Standing(each.point, tuple(sorted(each.approvals)))
        for call_hash, each in found.items()
    }


def across(before: Tally, after: Tally, first: BlockNumber, last: BlockNumber) -> Gap:
    """What the blocks `first` to `last`, which were not heard, have changed."""
    return Gap(
        first,
        last,
        tuple(
            sorted(
                call_hash
                for call_hash, standing in before.items()
                if call_hash not in after or after[call_hash].point != standing.point
            )
        ),
        tuple(
            sorted(
                call_hash
                for call_hash, standing in after.items()
                if before.get(call_hash) != standing
            )
        ),
    )


@dataclass(slots=True)
class Hearing:
    """Hears blocks in order; `tally` is what is open after the last."""

    watched: Watched
    read: Read
    tally: Tally = field(default_factory=dict)
    readings: dict[Hash, Reading | None] = field(default_factory=dict)
    """Of calls that are known, by call hash."""

    def block(self, block: Block, runtime: Runtime) -> tuple[Report, ...]:
        """What `block` did, in order. Raises `DecodeError`."""
        accounts = (self.watched.party.account,)
        events = runtime.decode_events(block.events, pallets=_MULTISIG)
        steps = list(steps_in(block.ref, events, accounts, runtime.error_name))
        if not steps:
            return ()
        self._read_calls(block, runtime, steps)
        events = runtime.decode_events(block.events, pallets=_EXECUTION)
        reports = []
        for step in steps:
            self._count(step)
            if self.watched.calls is None or step.call_hash in self.watched.calls:
                reports.append(self._report(step, events, block.spec_version))
        return tuple(reports)

    def _count(self, step: Step) -> None:
        standing = self.tally.get(step.call_hash)
        if step.kind is StepKind.OPENED:
            self.tally[step.call_hash] = Standing(step.point, (step.who,))
        elif step.kind in CLOSING:
            self.tally.pop(step.call_hash, None)
        elif standing is not None and standing.point == step.point:
            approvals = tuple(sorted({*standing.approvals, step.who}))
            self.tally[step.call_hash] = standing._replace(approvals=approvals)

    def _report(
        self, step: Step, events: Sequence[EventRecord], spec_version: SpecVersion
    ) -> Report:
        standing = self.tally.get(step.call_hash)
        reading = self.readings.get(step.call_hash)
        lines: tuple[LineSeen, ...] = ()
        if reading is not None and step.kind in (StepKind.EXECUTED, StepKind.FAILED):
            inside = _inside(step, events) if step.kind is StepKind.EXECUTED else ()
            lines = tuple(_lines(reading, inside, self.watched))
        return Report(
            step,
            None if standing is None else len(standing.approvals),
            None if reading is None else reading.period,
            lines,
            spec_version,
        )

    def _read_calls(self, block: Block, runtime: Runtime, steps: Sequence[Step]) -> None:
        """Calls that somebody has sent whole in `block`, by their own hash."""
        wanted = {step.call_hash for step in steps} - self.readings.keys()
        indices = {step.extrinsic for step in steps if step.call_hash in wanted}
        for index in sorted(index for index in indices if index is not None):
            try:
                call = runtime.decode_extrinsic(block.extrinsics[index]).call
            except DecodeError:
                continue
            for inner in calls_in(call):
                if inner.hash in wanted:
                    self.readings[inner.hash] = self.read(block.spec_version, inner.data)


def _inside(step: Step, events: Sequence[EventRecord]) -> tuple[EventRecord, ...]:
    """What the executed call did: between the extrinsic's execution before and this one."""
    found: list[EventRecord] = []
    for event in events:
        if event.extrinsic_index != step.extrinsic or event.position > step.event:
            continue
        if event.position == step.event:
            break
        if event.pallet == "Multisig" and event.name == "MultisigExecuted":
            found = []
        found.append(event)
    return tuple(found)


def _lines(reading: Reading, events: Sequence[EventRecord], watched: Watched) -> Iterator[LineSeen]:
    if reading.claims:
        for (member, item), claim in zip(reading.lines, reading.claims, strict=True):
            claimed = _child(events, "Claimed", claim.parent, claim.child)
            yield LineSeen(member, item, None, None if claimed is None else "claimed")
        return
    if reading.children:
        for (member, item), child in zip(reading.lines, reading.children, strict=True):
            done = None
            for name, word in (("Awarded", "awarded"), ("Claimed", "claimed")):
                if _child(events, name, child.parent, child.child) is not None:
                    done = word
            yield LineSeen(member, item, child.amount, done)
        return
    left = [
        (event.args["to"], event.args["amount"])
        for event in events
        if (event.pallet, event.name) == ("Balances", "Transfer")
        and event.args["from"] == watched.party.account
    ]
    for (member, item), (payee, amount) in zip(reading.lines, reading.transfers, strict=True):
        wanted = _account(payee, watched.network), amount
        if wanted in left:
            left.remove(wanted)  # an event shows one line, not two alike
            yield LineSeen(member, item, amount, "paid")
        else:
            yield LineSeen(member, item, amount, None)


def _child(events: Sequence[EventRecord], name: str, parent: int, child: int) -> EventRecord | None:
    for event in events:
        if (event.pallet, event.name) == ("ChildBounties", name) and (
            event.args["index"],
            event.args["child_index"],
        ) == (parent, child):
            return event
    return None


def _account(address: str, network: Network) -> AccountId | None:
    try:
        return ss58_decode(address, network.ss58_prefix)
    except AddressError:
        return None


# --- For people and machines ------------------------------------------------------------


def text(report: Report | Gap, watched: Watched) -> str:
    """One line for people."""
    if isinstance(report, Gap):
        return _gap_text(report)
    step, party = report.step, watched.party
    at = f"block {step.block.number}" + ("" if step.extrinsic is None else f"-{step.extrinsic}")
    subject = f"call 0x{step.call_hash.hex()}"
    if report.period is not None:
        subject = f"payout {report.period}, {subject}"
    who = watched.name(step.who)
    counted = ""
    if report.approvals is not None:
        needed = "" if party.threshold is None else f" of {party.threshold}"
        counted = f", {report.approvals}{needed}"
    match step.kind:
        case StepKind.OPENED:
            did = f"opened by {who}{counted}"
        case StepKind.APPROVED:
            did = f"approved by {who}{counted}"
        case StepKind.EXECUTED:
            did = f"executed by {who}{_lines_text(report.lines)}"
        case StepKind.FAILED:
            did = f"executed by {who} and failed inside: {step.error}; nothing was paid"
        case StepKind.CANCELLED:
            did = f"cancelled by {who}, the deposit is returned"
    return f"{at}: {subject}: {did}"


def _lines_text(lines: Sequence[LineSeen]) -> str:
    if not lines:
        return ""
    unseen = [f"{line.member}/{line.item}" for line in lines if line.done is None]
    if not unseen:
        counts = Counter(line.done for line in lines)
        if len(counts) == 1:
            return f"; all {len(lines)} lines {lines[0].done}"
        return "; " + ", ".join(f"{count} of {len(lines)} {how}" for how, count in counts.items())
    return (
        f"; {len(lines) - len(unseen)} of {len(lines)} lines done, no event shows "
        f"{', '.join(unseen)}: reconcile it"
    )


def _gap_text(gap: Gap) -> str:
    def named(hashes: Sequence[Hash]) -> str:
        return ", ".join(f"0x{each.hex()}" for each in hashes) or "none"

    return (
        f"blocks {gap.first} to {gap.last} could not be read, the node has pruned them: what "
        f"happened in them was not seen. Closed since, executed or cancelled: {named(gap.closed)}; "
        f"opened or approved since: {named(gap.open)}. A ledger or an archive node tells"
    )


def fields(report: Report | Gap, watched: Watched) -> dict[str, Any]:
    """JSON for machines; `text` for people is in it. `id` is the same whenever it is made."""
    prefix = watched.network.ss58_prefix
    common = {
        "id": report.key,
        "network": watched.network.name,
        "genesis_hash": _hex(watched.genesis_hash),
        "multisig": ss58_encode(watched.party.account, prefix),
        "text": text(report, watched),
    }
    if isinstance(report, Gap):
        return common | {
            "event": "gap",
            "first": report.first,
            "last": report.last,
            "closed": [_hex(each) for each in report.closed],
            "open": [_hex(each) for each in report.open],
        }
    step = report.step
    return common | {
        "event": step.kind.name.lower(),
        "block": step.block.number,
        "block_hash": _hex(step.block.hash),
        "extrinsic": step.extrinsic,
        "event_index": step.event,
        "spec_version": report.spec_version,
        "call_hash": _hex(step.call_hash),
        "timepoint": step.point._asdict(),
        "who": ss58_encode(step.who, prefix),
        "approvals": report.approvals,
        "threshold": watched.party.threshold,
        "error": step.error,
        "period": report.period,
        "lines": [
            {
                "member": line.member,
                "item": line.item,
                "amount": None if line.amount is None else str(line.amount),
                "done": line.done,
            }
            for line in report.lines
        ],
        "links": list(step_links(watched.genesis_hash, step)),
    }


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
