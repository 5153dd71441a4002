"""The batch: one call that pays a statement whole, or nothing.

`Utility.batch_all`: the `payout` remark first, which makes every call hash unique and says what is
paid, then one transfer for each line, in order. Pure: a statement and a runtime give the same call
bytes, and so the same call hash, on any machine.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.blocks import blake2_256
from ibp_chain.errors import AddressError, DecodeError, RemarkError
from ibp_chain.networks import network
from ibp_chain.remark_bodies import Payout
from ibp_chain.remarks import encode
from ibp_chain.runtime import Runtime
from ibp_chain.scale.values import Call
from ibp_chain.types import Hash
from ledger.pallets.membership import MemberStatus
from ledger.pallets.multisig.types import Status
from ledger.pallets.payouts import PaidKey, transfer_of
from ledger.pallets.programme import curators_account
from ledger.remark_routing import payout_of
from ledger.state import State
from multisig.errors import BatchRefused, StatementError
from multisig.statement import Line, Statement, planck_owed


@dataclass(frozen=True, slots=True)
class Batch:
    """A call that pays `lines` of a statement."""

    lines: tuple[Line, ...]
    call: bytes

    @property
    def call_hash(self) -> Hash:
        return blake2_256(self.call)


def build_batches(
    statement: Statement, state: State, runtime: Runtime, *, part: int | None = None
) -> tuple[Batch, ...]:
    """The calls that pay `statement`: one, or more where its remark would be too long.

    `state` may be of a later block than the statement's. Raises `BatchRefused` for a statement
    without lines, or with any that must not be paid as `state` stands: one wrong row refuses all.
    Open operations of these very calls are no obstacle; nor is, where only the lines of one `part`
    are asked for (from 1), that the others were paid.
    """
    wrong = [*_wrong_statement(statement, state)]
    if wrong:
        raise BatchRefused(wrong)
    batches = tuple(encode_batch(statement, lines, runtime) for lines in _parts(statement))
    pending = pending_lines(state, runtime, besides=frozenset(b.call_hash for b in batches))
    asked = batches if part is None else batches[part - 1 : part]
    wrong = [
        problem
        for batch in asked
        for line in batch.lines
        for problem in _wrong(statement, line, state, pending)
    ]
    if wrong:
        raise BatchRefused(wrong)
    return batches


def encode_batch(statement: Statement, lines: Sequence[Line], runtime: Runtime) -> Batch:
    """The call that pays `lines`, unchecked."""
    prefix = network(statement.ledger.network).ss58_prefix
    remark = _remark(statement, statement.hash, lines)
    calls = [
        runtime.call("System", "remark_with_event", {"remark": remark}),
        *(
            runtime.call(
                "Balances",
                "transfer_keep_alive",
                {"dest": ("Id", ss58_decode(line.payee, prefix)), "value": line.planck},
            )
            for line in lines
        ),
    ]
    return Batch(tuple(lines), runtime.encode_call("Utility", "batch_all", {"calls": calls}))


def moved_by(call: Call) -> int:
    """Planck that the transfers of a payout batch move in all."""
    transfers = map(transfer_of, call.args["calls"])
    return sum(transfer.amount for transfer in transfers if transfer is not None)


def pending_lines(
    state: State, runtime: Runtime, *, besides: frozenset[Hash] = frozenset()
) -> frozenset[PaidKey]:
    """What open operations of the curators' multisig would pay, as far as their calls are known.

    Those with a call hash in `besides` are left out. A call that `runtime` cannot decode cannot be
    executed by it either, and pays nothing.
    """
    program = state.programme.program.value
    if program is None:
        return frozenset()
    curators = curators_account(program)
    found: set[PaidKey] = set()
    for (account, call_hash, *_), operation in state.mirrors.multisig.operations.items():
        is_open = account == curators and operation.status is Status.OPEN
        if not is_open or operation.call is None or call_hash in besides:
            continue
        try:
            call = runtime.decode_call(operation.call)
        except DecodeError:
            continue
        for inner in _calls_in(call):
            body = payout_of(inner, state.network)
            if body is not None:
                found |= {(body.period, member, item) for member, item in body.lines}
    return frozenset(found)


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
            yield f"{where}: {line.planck} planck are not {line.usd} USD at {statement.price.usd}"
    except StatementError as error:
        yield f"{where}: {error}"
    key = statement.period, line.member, line.item
    if key in state.payouts.paid:
        yield f"{where}: {statement.period} was paid before"
    if key in pending:
        yield f"{where}: another open operation pays {statement.period} already"


def _calls_in(value: Any) -> Iterator[Call]:
    """Every call in `value`, at any depth, itself included."""
    match value:
        case Call():
            yield value
            yield from _calls_in(value.args)
        case dict():
            for item in value.values():
                yield from _calls_in(item)
        case list() | tuple():
            for item in value:
                yield from _calls_in(item)


def _remark(statement: Statement, digest: Hash, lines: Sequence[Line]) -> bytes:
    body = Payout(
        period=statement.period,
        statement=digest,
        lines=tuple((line.member, line.item) for line in lines),
    )
    return encode(body, network(statement.ledger.network).ss58_prefix)


def _parts(statement: Statement) -> list[tuple[Line, ...]]:
    """As many lines in each part as its remark has room for, in the statement's order."""
    parts: list[tuple[Line, ...]] = []
    part: tuple[Line, ...] = ()
    digest = statement.hash
    for line in statement.lines:
        try:
            _remark(statement, digest, (*part, line))
        except RemarkError:
            parts.append(part)
            part = ()
        part = (*part, line)
    return [*parts, part]
