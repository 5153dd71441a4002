"""However operations are opened, executed, cancelled and hidden: no call is built that pays again.

The register is the ledger's own: batches are executed through `ledger.pallets.payouts`.
"""

from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from ibp_chain.accounts import multisig_account
from ibp_chain.remark_bodies import Payout
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck
from ledger.pallets import payouts as pallet
from ledger.pallets.multisig.types import Approval, Closing, Operation, Position, Status
from ledger.pallets.payouts import PaidKey, Payees
from ledger.pallets.programme import curators_account
from ledger.program.rules import load_rules
from multisig.batch import Batch, build_batches, encode_batch
from multisig.checks import Check
from multisig.errors import BatchRefused
from multisig.pending import pending_lines
from multisig.plan import PlanPart
from multisig.statement import Statement, build_statement
from tests.support import payouts, recording
from tests.support.payouts import PASEO, PERIOD, STATED

RUNTIME = recording.runtime()
WHOLE = payouts.bundle().statement
LEDGER = payouts.ledger(STATED)
SERVICE = payouts.service()
RULES = load_rules(None)


class Act(NamedTuple):
    """What is done with a call that pays some of the lines."""

    what: str
    lines: tuple[int, ...]


kinds = st.sampled_from(
    ["open", "nested", "by hash", "elsewhere", "execute", "fail", "cancel", "opened and executed"]
)
some = st.sets(st.integers(0, 2), min_size=1).map(lambda of: tuple(sorted(of)))
acts = st.lists(st.builds(Act, kinds, some), max_size=6)


def stating(lines: Sequence[int]) -> Statement:
    return WHOLE.model_copy(update={"lines": tuple(WHOLE.lines[place] for place in lines)})


class Chain:
    """A ledger to which acts happen, and what a person would say was paid or may still be."""

    def __init__(self) -> None:
        self.state = payouts.state(STATED)
        program = self.state.programme.program.value
        assert program is not None
        self.office, self.curators = curators_account(program), program.curators
        self.block = 58_900
        self.paid: set[PaidKey] = set()
        self.open: dict[Hash, set[PaidKey]] = {}
        self.elsewhere: set[PaidKey] = set()
        self.hidden: set[Hash] = set()

    def act(self, act: Act) -> None:
        self.block += 1
        batch = encode_batch(stating(act.lines), stating(act.lines).lines, RUNTIME)
        keys = {(PERIOD, line.member, line.item) for line in batch.lines}
        match act.what:
            case "open":
                self._operation(batch.call_hash, batch.call, Status.OPEN)
                self.open[batch.call_hash] = keys
            case "nested":
                inner = RUNTIME.decode_call(batch.call)
                call = RUNTIME.encode_call("Utility", "force_batch", {"calls": [inner]})
                self._operation(Batch((), call).call_hash, call, Status.OPEN)
                self.open[Batch((), call).call_hash] = keys
            case "by hash":
                self._operation(batch.call_hash, None, Status.OPEN)
                self.open.pop(batch.call_hash, None)
                self.hidden.add(batch.call_hash)
            case "elsewhere":
                other = multisig_account([*self.curators[:2], AccountId(bytes(32))], 2)
                self._operation(batch.call_hash, batch.call, Status.OPEN, other)
                self.elsewhere |= keys
            case "execute" | "opened and executed" if not keys & self.paid:
                self._execute(batch)
                self.paid |= keys
                self._close(batch.call_hash, Status.EXECUTED)
            case "fail":
                self._close(batch.call_hash, Status.EXECUTED)
            case "cancel":
                self._close(batch.call_hash, Status.CANCELLED)

    def _operation(
        self, call_hash: Hash, call: bytes | None, status: Status, account: AccountId | None = None
    ) -> None:
        key = (account or self.office, call_hash, BlockNumber(1), 2, 0)
        who = self.curators[0]
        at = Position(BlockNumber(self.block), 2)
        closing = None if status is Status.OPEN else Closing(who, at, None)
        self.state.mirrors.multisig.operations.insert(
            key,
            Operation(
                status, 3, self.curators, who, Planck(1), (Approval(who, at),), call, closing
            ),
        )

    def _close(self, call_hash: Hash, status: Status) -> None:
        self._operation(call_hash, None, status)
        self.open.pop(call_hash, None)
        self.hidden.discard(call_hash)

    def _execute(self, batch: Batch) -> None:
        call = RUNTIME.decode_call(batch.call)
        body = Payout(
            period=PERIOD,
            statement=stating(()).hash,
            lines=tuple((line.member, line.item) for line in batch.lines),
        )
        payees = Payees(self.state.membership.members, PASEO.name)
        key = BlockNumber(self.block), 0
        done = pallet.executed(self.state.payouts, key, 2, call, body, payees, {})
        assert done.status is pallet.BatchStatus.PAID

    @property
    def taken(self) -> set[PaidKey]:
        return self.paid.union(*self.open.values())


@settings(max_examples=60, deadline=None)
@given(acts, some)
def test_no_call_is_built_that_pays_what_is_paid_or_pending(
    did: list[Act], want: tuple[int, ...]
) -> None:
    chain = Chain()
    for act in did:
        chain.act(act)
    statement = stating(want)
    own = encode_batch(statement, statement.lines, RUNTIME).call_hash
    keys = {(PERIOD, line.member, line.item) for line in statement.lines}
    others = chain.paid.union(*(lines for hash_, lines in chain.open.items() if hash_ != own))
    unknown = chain.hidden - {own}
    try:
        build_batches(statement, chain.state, RUNTIME)
    except BatchRefused:
        assert keys & (others | chain.elsewhere) or unknown
    else:
        assert not keys & (others | chain.elsewhere)
        assert not unknown
    knowing = PlanPart(allowed=(Check.OTHER_MULTISIG, Check.UNKNOWN_CALL))
    try:
        build_batches(statement, chain.state, RUNTIME, plan=knowing)
    except BatchRefused:
        assert keys & others
    else:
        assert not keys & others


@settings(max_examples=20, deadline=None)
@given(acts)
def test_no_statement_has_a_line_that_is_paid_or_pending(did: list[Act]) -> None:
    chain = Chain()
    for act in did:
        chain.act(act)
    assert pending_lines(chain.state, RUNTIME) == set().union(*chain.open.values())
    ledger = LEDGER.__class__(chain.state, LEDGER.constants)
    pending = pending_lines(chain.state, RUNTIME)
    statement = build_statement(ledger, RULES, PERIOD, WHOLE.price, SERVICE, pending)
    lines = {(PERIOD, line.member, line.item) for line in statement.lines}
    assert not lines & chain.taken
    assert lines | chain.taken >= {(PERIOD, line.member, line.item) for line in WHOLE.lines}
