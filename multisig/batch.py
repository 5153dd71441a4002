"""The batch: one call that pays a statement whole, or nothing.

`Utility.batch_all`: the `payout` remark first, which makes every call hash unique and says what is
paid, then one transfer for each line, in order. Pure: a statement and a runtime give the same call
bytes, and so the same call hash, on any machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ibp_chain.accounts import ss58_decode
from ibp_chain.blocks import blake2_256
from ibp_chain.errors import RemarkError
from ibp_chain.networks import network
from ibp_chain.remark_bodies import Payout
from ibp_chain.remarks import encode
from ibp_chain.runtime import Runtime
from ibp_chain.types import Hash
from ledger.pallets.multisig.types import Status
from ledger.pallets.payouts import PaidKey, batch_calls
from ledger.pallets.programme import curators_account
from ledger.remark_routing import payout_of
from ledger.state import State
from multisig.errors import BatchRefused
from multisig.statement import Line, Statement


@dataclass(frozen=True, slots=True)
class Batch:
    """A call that pays `lines` of a statement."""

    lines: tuple[Line, ...]
    call: bytes

    @property
    def call_hash(self) -> Hash:
        return blake2_256(self.call)


def build_batches(statement: Statement, state: State, runtime: Runtime) -> tuple[Batch, ...]:
    """The calls that pay `statement`: one, or more where its remark would be too long.

    Raises `BatchRefused` for a statement without lines, or with a line that must not be paid as
    `state` stands: one wrong row refuses all.
    """
    wrong = [problem for line in statement.lines for problem in _problems(statement, line, state)]
    if not statement.lines:
        wrong.append("the statement has no lines")
    if wrong:
        raise BatchRefused(wrong)
    return tuple(encode_batch(statement, lines, runtime) for lines in _parts(statement))


def encode_batch(statement: Statement, lines: Sequence[Line], runtime: Runtime) -> Batch:
    """The call that pays `lines`, unchecked."""
    prefix = network(statement.ledger.network).ss58_prefix
    calls = [
        runtime.call("System", "remark_with_event", {"remark": _remark(statement, lines)}),
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


def pending_lines(state: State, runtime: Runtime) -> frozenset[PaidKey]:
    """What open operations of the curators' multisig would pay, as far as their calls are known."""
    program = state.programme.program.value
    if program is None:
        return frozenset()
    curators = curators_account(program)
    found: set[PaidKey] = set()
    for (account, *_), operation in state.mirrors.multisig.operations.items():
        if account != curators or operation.status is not Status.OPEN or operation.call is None:
            continue
        call = runtime.decode_call(operation.call)
        body = payout_of(call, state.network) if batch_calls(call) else None
        if body is not None:
            found |= {(body.period, member, item) for member, item in body.lines}
    return frozenset(found)


# --- Internals ----------------------------------------------------------------------


def _problems(statement: Statement, line: Line, state: State) -> list[str]:
    """What is wrong about paying `line` as the ledger stands."""
    chain, where = state.network, f"{line.member}/{line.item}"
    record = state.membership.members.find(line.member)
    if record is None:
        return [f"{where}: there is no such member"]
    problems = []
    payee = record.payee(chain.name)
    if payee is None or ss58_decode(line.payee, chain.ss58_prefix) != payee:
        problems.append(f"{where}: {line.payee} is not the registered payee")
    if not line.planck:
        problems.append(f"{where}: the amount is zero")
    if (statement.period, line.member, line.item) in state.payouts.paid:
        problems.append(f"{where}: {statement.period} was paid before")
    return problems


def _remark(statement: Statement, lines: Sequence[Line]) -> bytes:
    body = Payout(
        period=statement.period,
        statement=statement.hash,
        lines=tuple((line.member, line.item) for line in lines),
    )
    return encode(body, network(statement.ledger.network).ss58_prefix)


def _parts(statement: Statement) -> list[tuple[Line, ...]]:
    """As many lines in each part as its remark has room for, in the statement's order."""
    parts: list[tuple[Line, ...]] = []
    part: tuple[Line, ...] = ()
    for line in statement.lines:
        try:
            _remark(statement, (*part, line))
        except RemarkError:
            parts.append(part)
            part = ()
        part = (*part, line)
    return [*parts, part]
