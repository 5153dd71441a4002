"""The batch: one call that pays a statement whole, or nothing.

`Utility.batch_all`: the `payout` remark first, which makes every call hash unique and says what is
paid, then for each line, in order, a transfer or the calls of a child bounty. Pure: a statement, a
plan and a runtime give the same call bytes, and so the same call hash, on any machine.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ibp_chain.accounts import pallet_account, ss58_decode, ss58_encode
from ibp_chain.blocks import blake2_256
from ibp_chain.errors import AddressError, RemarkError
from ibp_chain.networks import network
from ibp_chain.remark_bodies import Payout
from ibp_chain.remarks import encode
from ibp_chain.runtime import Runtime
from ibp_chain.scale import schema
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, Hash, Planck
from ledger.pallets.membership import MemberStatus
from ledger.pallets.payout_lines import transfer_of
from ledger.pallets.payouts import PaidKey
from ledger.pallets.programme import curators_account
from ledger.program.usd import plain
from ledger.state import State
from multisig.checks import Finding, Policy, block_length, limits_of, refusing, screen
from multisig.children import (
    Parent,
    adds_elsewhere,
    claim_call,
    claimed_numbers,
    next_child,
    parent_of,
    predicted,
    run_calls,
    unclaimable,
)
from multisig.errors import BatchRefused, StatementError
from multisig.pending import obstacles, pending_lines
from multisig.plan import PLAIN, Kind, PlanPart, ensure_payable
from multisig.statement import Line, Statement, planck_owed

_TREASURY = b"py/trsry"
_ENVELOPE = 512
"""Bytes around a call and the signatories, amply: signature, extensions, timepoint, weight."""
DEFAULT_POLICY = Policy()


@dataclass(frozen=True, slots=True)
class Batch:
    """A call that pays `lines` of a statement."""

    lines: tuple[Line, ...]
    call: bytes
    plan: PlanPart = PLAIN

    @property
    def call_hash(self) -> Hash:
        return blake2_256(self.call)


def build_batches(
    statement: Statement,
    state: State,
    runtime: Runtime,
    *,
    part: int | None = None,
    plan: PlanPart = PLAIN,
    policy: Policy = DEFAULT_POLICY,
    before: bool = False,
) -> tuple[Batch, ...]:
    """The calls that pay `statement`: one, or more where its remark or a block would be too short.

    `state` may be of a later block than the statement's. Raises `BatchRefused` for a statement
    without lines, or with any that must not be paid as `state` stands: one wrong row refuses all.
    Open operations of these very calls are no obstacle; nor is, where only the lines of one `part`
    are asked for (from 1), that the others were paid.

    Numbers of children in `plan`, which are those of `part`, must be the ones that `state` makes of
    it; with `before`, for a `state` of before the batch was built, only such as can come later.
    """
    wrong = [*_wrong_statement(statement, state)]
    if wrong:
        raise BatchRefused(wrong)
    ensure_payable(plan, runtime)
    batches = _encoded(statement, state, runtime, plan, part, before=before)
    asked = batches if part is None else batches[part - 1 : part]
    wrong = [*_wrong_batches(statement, batches, asked, state, runtime, before=before)]
    if wrong:
        raise BatchRefused(wrong)
    hashes = frozenset(batch.call_hash for batch in batches)
    found = findings(statement, asked, state, runtime, plan, policy, hashes)
    if refused := refusing(found, plan.allowed or ()):
        raise BatchRefused([str(finding) for finding in refused])
    return batches


def findings(
    statement: Statement,
    batches: Sequence[Batch],
    state: State,
    runtime: Runtime,
    plan: PlanPart,
    policy: Policy,
    own: frozenset[Hash],
) -> tuple[Finding, ...]:
    """What the named checks have against paying `statement`, overridden or not.

    Open operations of the call hashes in `own`, which are the statement's, are no obstacle. Of a
    batch of claims only its size: its lines are paid already.
    """
    limits, signatories = limits_of(runtime), state.programme.program.value
    others = 0 if signatories is None else len(signatories.curators)
    found = [
        finding
        for batch in batches
        for finding in block_length(extrinsic_length(batch.call, others), limits)
    ]
    if plan.kind is Kind.CHILD_CLAIMS or signatories is None:
        return tuple(found)
    minimum = int(runtime.constant("Balances", "ExistentialDeposit"))
    if plan.kind is Kind.CHILD_BOUNTIES:
        minimum = max(minimum, int(runtime.constant("ChildBounties", "ChildBountyValueMinimum")))
    denied = own_accounts(curators_account(signatories), plan.parent)
    lines, period = statement.lines, statement.period
    keys = [(line.member, line.item) for line in lines]
    return (
        *screen(lines, period, policy, denied, Planck(minimum), state),
        *obstacles(keys, period, state, runtime, own),
        *found,
    )


def own_accounts(multisig: AccountId, parent: int | None) -> dict[AccountId, str]:
    """Accounts that money may come from, and must never go to."""
    found = {
        multisig: "the curators' own multisig",
        pallet_account(_TREASURY): "the treasury's account",
    }
    if parent is not None:
        found[bounty_account(parent)] = f"the account of bounty {parent}"
    return found


def bounty_account(index: int) -> AccountId:
    """`pallet_bounties::bounty_account_id`: what pays the children of bounty `index`."""
    return pallet_account(_TREASURY, schema.text.encode("bt") + schema.u32.encode(index))


def extrinsic_length(call: bytes, signatories: int) -> int:
    """At most how many bytes an extrinsic of one signatory has that executes `call`."""
    return len(call) + 32 * signatories + _ENVELOPE


def encode_batch(
    statement: Statement,
    lines: Sequence[Line],
    runtime: Runtime,
    plan: PlanPart = PLAIN,
    parent: Parent | None = None,
) -> Batch:
    """The call that pays `lines`, unchecked; `parent` of which `plan` numbers the children."""
    prefix = network(statement.ledger.network).ss58_prefix
    remark = payout_remark(statement, lines)
    calls = [
        runtime.call("System", "remark_with_event", {"remark": remark}),
        *_payments(statement.period, lines, runtime, plan, parent, prefix),
    ]
    batch = runtime.encode_call("Utility", "batch_all", {"calls": calls})
    return Batch(tuple(lines), batch, plan)


def moved_by(call: Call) -> int:
    """Planck that the transfers of a payout batch move in all."""
    transfers = map(transfer_of, call.args["calls"])
    return sum(transfer.amount for transfer in transfers if transfer is not None)


def payout_remark(statement: Statement, lines: Sequence[Line]) -> bytes:
    """The remark of a batch that pays `lines`. Raises `RemarkError` for more than it can hold."""
    return _remark(statement, statement.hash, lines)


# --- Internals ----------------------------------------------------------------------


def _wrong_statement(statement: Statement, state: State) -> Iterator[str]:
    """What is wrong about the statement itself as the ledger stands."""
    program, genesis = state.programme.program.value, state.programme.genesis.value
    if program is None or genesis is None:
        yield "the ledger has no programme"
        return
    if statement.ledger.network != state.network.name:
        yield f"the statement is for {statement.ledger.network}, not {state.network.name}"
    if statement.ledger.program != genesis.remark:
        yield f"the statement is of programme 0x{statement.ledger.program.hex()}"
    if statement.rules != program.rules:
        yield f"the statement follows rules 0x{statement.rules.hex()}, not those in force"
    if not statement.lines:
        yield "the statement has no lines"
    for line in statement.lines:
        try:
            ss58_decode(line.payee, state.network.ss58_prefix)
        except AddressError as error:
            yield f"{line.member}/{line.item}: {error}"
    keys = Counter((line.member, line.item) for line in statement.lines)
    yield from (f"{member}/{item}: listed twice" for (member, item), n in keys.items() if n > 1)


def _wrong(
    statement: Statement, line: Line, state: State, pending: frozenset[PaidKey]
) -> Iterator[str]:
    """What is wrong about paying `line` as the ledger stands."""
    chain, where = state.network, f"{line.member}/{line.item}"
    record = state.membership.members.find(line.member)
    if record is None:
        yield f"{where}: there is no such member"
        return
    if record.status is not MemberStatus.ACTIVE:
        yield f"{where}: the member is {record.status.name.lower()}"
    payee = record.payee(chain.name)
    if payee is None or ss58_encode(payee, chain.ss58_prefix) != line.payee:
        yield f"{where}: {line.payee} is not the registered payee"
    if not line.planck:
        yield f"{where}: the amount is zero"
    try:
        if line.planck != planck_owed(line.usd, statement.price.usd, chain):
            price = plain(statement.price.usd)
            yield f"{where}: {line.planck} planck are not {line.usd} USD at {price}"
    except StatementError as error:
        yield f"{where}: {error}"
    key = statement.period, line.member, line.item
    if key in state.payouts.paid:
        yield f"{where}: {statement.period} was paid before"
    if key in pending:
        yield f"{where}: another open operation pays {statement.period} already"


def _payments(
    period: str,
    lines: Sequence[Line],
    runtime: Runtime,
    plan: PlanPart,
    parent: Parent | None,
    prefix: int,
) -> Iterator[Call]:
    if plan.kind is Kind.TRANSFERS:
        for line in lines:
            dest = ("Id", ss58_decode(line.payee, prefix))
            args = {"dest": dest, "value": line.planck}
            yield runtime.call("Balances", "transfer_keep_alive", args)
        return
    assert plan.children is not None
    assert plan.parent is not None
    for line, child in zip(lines, plan.children, strict=True):
        if parent is None:
            yield claim_call((plan.parent, child), runtime)
        else:
            yield from run_calls(parent, child, line, period, prefix, runtime)


def _encoded(
    statement: Statement,
    state: State,
    runtime: Runtime,
    plan: PlanPart,
    part: int | None,
    *,
    before: bool,
) -> tuple[Batch, ...]:
    parts, program = parts_of(statement, plan.lines_per_part), state.programme.program.value
    assert program is not None
    if plan.kind is Kind.TRANSFERS:
        return tuple(encode_batch(statement, lines, runtime, plan) for lines in parts)
    parent, index = None, plan.parent
    if plan.kind is Kind.CHILD_BOUNTIES:
        assert index is not None
        curators = curators_account(program)
        parent = parent_of(state, runtime, index, curators, len(parts[part - 1 if part else 0]))
        first = next_child(state, runtime, parent.index)
        numbers = predicted(state, statement.period, parts, first)
    elif before:
        index, numbers = plan.parent, [()] * len(parts)  # the awards are of a later block
    else:
        index, numbers = claimed_numbers(state, statement.period, parts)
    if part is not None and part <= len(parts) and plan.children is not None:
        _ensure_numbered(plan, index, numbers[part - 1], len(parts[part - 1]), before=before)
        numbers[part - 1] = plan.children
    plans = [plan.model_copy(update={"parent": index, "children": each}) for each in numbers]
    return tuple(
        encode_batch(statement, lines, runtime, its, parent)
        if its.children
        else Batch(lines, b"", its)
        for lines, its in zip(parts, plans, strict=True)
    )


def _ensure_numbered(
    plan: PlanPart, parent: int | None, own: tuple[int, ...], lines: int, *, before: bool
) -> None:
    """Raises `BatchRefused` for children that the chain numbers otherwise.

    With `before`, and of awards that are not there yet, the numbers can only be held against what
    is certain: they only grow, and one batch's are without a gap.
    """
    found = plan.children or ()
    if before and len(found) == lines:
        in_a_row = found == tuple(range(found[0], found[0] + lines))
        fits = plan.kind is Kind.CHILD_CLAIMS or (in_a_row and found[0] >= own[0])
    else:
        fits = found == own
    if not fits or plan.parent != parent:
        said = f"its child bounties are {plan.parent}/{found[0]} and on"
        ours = f"by the ledger {parent}/{own[0]} and on" if own else f"not {lines}"
        raise BatchRefused([f"{said}, {ours}: build it again"])


def _wrong_batches(
    statement: Statement,
    batches: Sequence[Batch],
    asked: Sequence[Batch],
    state: State,
    runtime: Runtime,
    *,
    before: bool,
) -> Iterator[str]:
    """What is wrong about the lines of `asked` as the ledger stands."""
    program, hashes = state.programme.program.value, frozenset(b.call_hash for b in batches)
    kinds = {batch.plan.kind for batch in batches}
    if Kind.CHILD_CLAIMS in kinds:
        if not before:
            for batch in asked:
                yield from unclaimable(state, statement.period, batch.lines)
        return
    if Kind.CHILD_BOUNTIES in kinds and program is not None:
        yield from adds_elsewhere(state, runtime, curators_account(program), hashes)
    pending = pending_lines(state, runtime, besides=hashes)
    for batch in asked:
        for line in batch.lines:
            yield from _wrong(statement, line, state, pending)


def _remark(statement: Statement, digest: Hash, lines: Sequence[Line]) -> bytes:
    body = Payout(
        period=statement.period,
        statement=digest,
        lines=tuple((line.member, line.item) for line in lines),
    )
    return encode(body, network(statement.ledger.network).ss58_prefix)


def parts_of(statement: Statement, most: int | None) -> list[tuple[Line, ...]]:
    """As many lines in each part as its remark has room for, `most` where that is fewer, in the
    statement's order.
    """
    parts: list[tuple[Line, ...]] = []
    part: tuple[Line, ...] = ()
    digest = statement.hash
    for line in statement.lines:
        try:
            _remark(statement, digest, (*part, line))
            full = most is not None and len(part) == most
        except RemarkError:
            full = True
        if full:
            parts.append(part)
            part = ()
        part = (*part, line)
    return [*parts, part]
