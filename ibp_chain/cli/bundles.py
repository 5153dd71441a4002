"""What commands do with a bundle first and last: check it, ask, tell what happened."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from ibp_chain.cli.checking import overridden, overridden_lines
from ibp_chain.cli.opened import DEFAULT_DB, Opened, open_ledger
from ibp_chain.cli.output import say
from ibp_chain.cli.own_runtimes import OwnRuntimes, own_runtimes
from ibp_chain.cli.policies import PolicyOptions
from ibp_chain.cli.served import payable, service_records
from ibp_chain.errors import CheckFailed
from ibp_chain.extrinsics import Submitter
from ibp_chain.peer_codec import PeerCodec, peer_codec
from ibp_chain.runtimes import runtimes
from ibp_chain.source import NodeSource
from ibp_chain.types import SpecVersion
from ledger.program.rules import load_rules
from ledger.state import State
from multisig.approve import Approval, Approver
from multisig.batch import DEFAULT_POLICY
from multisig.bundle import Bundle, Latest, check_bundle, verify_bundle, verify_statement
from multisig.catch_up import catch_up, ensure_not_executed_since, ensure_right, executed_in
from multisig.checks import Policy
from multisig.decode import Reading, decode_payout
from multisig.errors import BundleRefused
from multisig.onchain import Witness, witness
from multisig.statement import Ledger

BundleArgument = Annotated[Path, typer.Argument(help="A bundle file.", show_default=False)]
DEFAULT_OPTIONS = PolicyOptions()
LedgerOption = Annotated[str | None, typer.Option("--db", help="Database URL of a ledger.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Go on without asking.")]


def codec_of(opened: Opened) -> PeerCodec:
    return peer_codec(opened.metadata_v14)


def verify_whole(
    theirs: Bundle,
    opened: Opened,
    rows: Path,
    rules: Path | None,
    policy: Policy = DEFAULT_POLICY,
    bill: Path | None = None,
    now: Opened | None = None,
) -> None:
    """`opened` is at the statement's block; `now` checks a call that was built after an upgrade."""
    verify_bundle(
        theirs,
        Ledger(opened.state, opened.constants),
        load_rules(rules),
        service_records(opened.state, rows, theirs.statement.period),
        opened.genesis_hash,
        opened.runtime,
        codec_of(opened),
        policy=policy,
        bill=payable(bill),
        now=None if now is None else Latest(now.state, now.runtime, codec_of(now)),
    )


@dataclass(frozen=True, slots=True)
class Own:
    """What a curator holds a bundle against, as the options of a command name it."""

    db: str
    archive: Path | None
    rows: Path
    rules: Path | None = None
    bill: Path | None = None
    policy: PolicyOptions = DEFAULT_OPTIONS

    def runtimes(self) -> OwnRuntimes:
        return own_runtimes(self.db, self.archive)

    def given(self) -> tuple[tuple[str, object | None], ...]:
        """As options of a command line."""
        return (
            ("--rows", self.rows),
            ("--archive", self.archive),
            ("--db", self.db if self.archive is None and self.db != DEFAULT_DB else None),
            ("--rules", self.rules),
            ("--bill", self.bill),
            *self.policy.given(),
        )


class Checking:
    """One bundle held against a curator's ledger, as it is now by a node that is not believed.

    The statement is made again where the ledger has its block. Then the ledger is brought up to the
    node's blocks, in memory, and everything is checked by what it is then.
    """

    def __init__(self, theirs: Bundle, own: Own, approver: Approver) -> None:
        """Says what was not checked. Raises as `look`, and `BundleRefused` for a statement that is
        not the ledger's.
        """
        self.theirs, self._own, self._approver = theirs, own, approver
        self._policy = own.policy.policy(own.rules, theirs.statement.rules)
        block = theirs.statement.ledger.block
        then = open_ledger(own.db, own.archive, None if own.archive is None else block)
        _ensure_same_chain(theirs, then)
        approver.ensure_runtime()
        policy = own.policy.with_history(self._policy, then)
        for line in rebuilt(theirs, then, own.rows, own.rules, policy, own.bill):
            say(line)
        self._now = then if own.archive is None else open_ledger(own.db, own.archive, None)
        self.reading, overrides = self.look()
        for line in overrides:
            say(line)
        if missing := own.policy.not_run():
            say(missing)

    def look(self) -> tuple[Reading, tuple[str, ...]]:
        """Bring the ledger up to the node's best block, and check by it: before anybody is asked,
        and again before it is sent. Raises `BundleRefused`, `ApprovalRefused`.
        """
        theirs, submitter = self.theirs, self._approver.submitter
        account, runtimes = self._approver.account, self._own.runtimes()
        before = executed_in(self._now.state, account, theirs.call_hash)
        caught_up = catch_up(self._now.state, submitter.node, runtimes.runtime, submitter.best())
        ensure_not_executed_since(before, caught_up, account, theirs.call_hash)
        version = SpecVersion(theirs.chain.spec_version)
        self._now = replace(
            self._now,
            runtime=runtimes.runtime(version),
            metadata_v14=runtimes.metadata_v14(version),
            timestamp_ms=caught_up.timestamp_ms or self._now.timestamp_ms,
        )
        found = []

        def check(state: State) -> None:
            now = replace(self._now, state=state)
            found.append(
                held_against(theirs, now, self._own.policy.with_history(self._policy, now))
            )

        ensure_right(caught_up, check)
        return found[0]

    def seen(self) -> Witness | None:
        """What the ledger, brought up, knows of the call."""
        return witness(self._now.state, self._approver.account, self.theirs.call_hash)


def _ensure_same_chain(theirs: Bundle, opened: Opened) -> None:
    wanted = theirs.chain.genesis_hash
    if wanted != opened.genesis_hash:
        reason = f"it is for a chain with genesis 0x{wanted.hex()}, the ledger is of another"
        raise BundleRefused([reason])


def rebuilt(
    theirs: Bundle,
    then: Opened,
    rows: Path | None,
    rules: Path | None,
    policy: Policy,
    bill: Path | None = None,
) -> tuple[str, ...]:
    """What has to be said where the statement cannot be made again: by the ledger of its own block
    only, with published rows. Raises as `verify_whole`.
    """
    block, head = theirs.statement.ledger.block, then.state.head.value
    if rows is not None and head is not None and head.number == block:
        if theirs.chain.spec_version == then.runtime.spec_version:
            verify_whole(theirs, then, rows, rules, policy, bill)
        else:  # built after an upgrade: `held_against` has the call's own runtime
            verify_statement(
                theirs.statement,
                Ledger(then.state, then.constants),
                load_rules(rules),
                service_records(then.state, rows, theirs.statement.period),
                then.runtime,
                bill=payable(bill),
            )
        return ()
    if head is not None and head.number == block:
        return ("The statement is taken as given: there are no published rows here.",)
    taken = f"The statement is taken as given: it is of block {block}, this ledger is not. "
    return (taken + "`ibp multisig verify --archive` rebuilds it.",)


def held_against(theirs: Bundle, now: Opened, policy: Policy) -> tuple[Reading, tuple[str, ...]]:
    """What the call does, and which checks were overridden. Raises as `check_bundle`."""
    codec = codec_of(now)
    check_bundle(theirs, now.state, now.genesis_hash, now.runtime, codec, policy=policy)
    overrides = tuple(overridden_lines(theirs, overridden(theirs, now, policy)))
    return decode_payout(now.runtime, codec, theirs.call, theirs.network), overrides


@contextmanager
def approver_of(
    bundle: Bundle, node: str, period: int, own: OwnRuntimes | None = None
) -> Iterator[Approver]:
    """With `own`, what is signed is encoded and read by the ledger's metadata, not the node's."""
    with NodeSource(node, expected_genesis=bundle.chain.genesis_hash) as source:
        if own is None:
            submitter = Submitter(source, runtimes(source), period=period)
        else:
            submitter = Submitter(source, own.runtime, period=period, codecs=own.codec)
        yield Approver(submitter, bundle)


def tell_approval(done: Approval) -> None:
    if done.error is not None:
        raise CheckFailed(str(done))
    say(f"{done}.")


def confirm(question: str, *, yes: bool) -> None:
    if not yes:
        typer.confirm(question, abort=True, err=True)
