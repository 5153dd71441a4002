"""What open operations would pay, and what nobody can know of them.

A line that an open operation pays is as good as paid: any curator may complete it tomorrow. The
ledger knows the calls that were sent whole; of an operation opened by its hash alone
(`approve_as_multi`) it knows nothing but that it is there. Pure. Rule: `docs/payouts.md`, "Checks".
"""

from collections.abc import Iterator, Sequence

from ibp_chain.accounts import ss58_encode
from ibp_chain.errors import DecodeError
from ibp_chain.networks import Network
from ibp_chain.runtime import Runtime
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, Hash
from ledger.pallets.multisig.types import Operation, OperationKey, Status
from ledger.pallets.payouts import PaidKey
from ledger.pallets.programme import curators_account
from ledger.remark_routing import payout_of
from ledger.state import State
from multisig.checks import Check, Finding, LineKey
from multisig.nested import calls_in

_SHOWN = 3


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
    return frozenset(
        line
        for key, operation in _open(state, besides)
        if key[0] == curators
        for line in _paid_by(operation, state, runtime)
    )


def obstacles(
    lines: Sequence[LineKey],
    period: str,
    state: State,
    runtime: Runtime,
    besides: frozenset[Hash] = frozenset(),
) -> Iterator[Finding]:
    """Open operations that could pay `lines` without the register showing it.

    Of the multisig in office: those whose call nobody has sent. Of any other multisig, such as the
    one of before the curators changed: those that a curator in office has approved, and that say to
    pay one of `lines`. Who is no curator can open operations as they like: they count for nothing.
    In the multisig in office those with a call hash in `besides` are no obstacle.
    """
    program = state.programme.program.value
    if program is None:
        return
    office, curators = curators_account(program), frozenset(program.curators)
    if unknown := [
        key for key, each in _open(state, besides) if key[0] == office and each.call is None
    ]:
        yield _unknown(unknown)
    # the very call that is built pays again, where another multisig executes it too
    for key, operation in _open(state, frozenset()):
        approved = curators.intersection(approval.who for approval in operation.approvals)
        if key[0] == office or not approved:
            continue
        theirs = set(_paid_by(operation, state, runtime))
        if both := [line for line in lines if (period, *line) in theirs]:
            yield _elsewhere(key, both, state)


def paid_by(call: Call, network: Network) -> frozenset[PaidKey]:
    """What the `payout` remarks in `call`, at any depth, say that it pays."""
    bodies = (payout_of(inner, network) for inner in calls_in(call))
    return frozenset(
        (body.period, member, item)
        for body in bodies
        if body is not None
        for member, item in body.lines
    )


# --- Internals ----------------------------------------------------------------------


def _open(state: State, besides: frozenset[Hash]) -> Iterator[tuple[OperationKey, Operation]]:
    for key, operation in sorted(state.mirrors.multisig.operations.items()):
        if operation.status is Status.OPEN and key[1] not in besides:
            yield key, operation


def _paid_by(operation: Operation, state: State, runtime: Runtime) -> Iterator[PaidKey]:
    """What the `payout` remarks in the operation's call list, at any depth."""
    if operation.call is None:
        return
    try:
        call = runtime.decode_call(operation.call)
    except DecodeError:
        return
    yield from paid_by(call, state.network)


def _unknown(keys: Sequence[OperationKey]) -> Finding:
    where = _listed([f"0x{key[1].hex()} of {key[2]}-{key[3]}" for key in keys])
    count = "1 open operation" if len(keys) == 1 else f"{len(keys)} open operations"
    call, it = ("an unknown call", "it pays") if len(keys) == 1 else ("unknown calls", "they pay")
    return Finding(
        Check.UNKNOWN_CALL,
        "the batch",
        f"{count} with {call}: nobody can know what {it} ({where})",
        "let whoever opened it cancel it or approve it with the whole call",
    )


def _elsewhere(key: OperationKey, both: Sequence[LineKey], state: State) -> Finding:
    account: AccountId = key[0]
    lines = _listed(["/".join(line) for line in both])
    return Finding(
        Check.OTHER_MULTISIG,
        "the batch",
        f"the open operation of {key[2]}-{key[3]} of another multisig, "
        f"{ss58_encode(account, state.network.ss58_prefix)}, says to pay {lines} too",
        "let whoever opened it cancel it",
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
