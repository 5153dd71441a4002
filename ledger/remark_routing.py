"""From a remark that took effect to the pallet that it speaks to."""

from dataclasses import dataclass

from ibp_chain.blocks import blake2_256
from ibp_chain.errors import RemarkError
from ibp_chain.networks import Network
from ibp_chain.remark_bodies import (
    Body,
    Decision,
    Link,
    Member,
    Milestone,
    Observe,
    Payout,
    Program,
    Report,
)
from ibp_chain.remarks import KINDS, Kind, Unknown, is_programme_remark, parse
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId
from ledger.origins import Dispatched, Failed, Origin
from ledger.pallets import membership, payouts, programme, scores
from ledger.pallets.payout_lines import Deposited
from ledger.pallets.payouts import Batch
from ledger.pallets.programme import RemarkKey, Said
from ledger.pallets.rejections import Rejected, RejectionCode
from ledger.state import State


@dataclass(frozen=True, slots=True)
class Accepted:
    """A remark that became a fact."""

    key: RemarkKey
    kind: Kind
    origin: AccountId
    extrinsic_index: int | None
    body: Body


@dataclass(frozen=True, slots=True)
class Refused:
    """A remark that did not, and why."""

    key: RemarkKey
    code: RejectionCode
    reason: str
    origin: AccountId | None
    extrinsic_index: int | None


def remark_of(call: Call) -> bytes | None:
    """The bytes of a programme remark; None for any other call."""
    if (call.pallet, call.name) != ("System", "remark_with_event"):
        return None
    raw: bytes = call.args["remark"]
    return raw if is_programme_remark(raw) else None


def take_remark(
    state: State, item: Dispatched, raw: bytes, key: RemarkKey, timestamp_ms: int
) -> Accepted | Refused | None:
    """Apply a remark. None where there is no ledger yet that it could speak to."""
    if state.programme.genesis.value is None and not _founds(state, item.origin, raw):
        return None
    origin = item.origin.account
    try:
        who = _account(item.origin)
        said = Said(who, key, item.extrinsic_index, timestamp_ms, blake2_256(raw))
        body = _parsed(state, raw)
        _route(state, said, body, item)
    except Rejected as rejected:
        programme.reject(
            state.programme, key, rejected.code, origin, blake2_256(raw), item.extrinsic_index
        )
        return Refused(key, rejected.code, str(rejected), origin, item.extrinsic_index)
    return Accepted(key, KINDS[type(body)], who, item.extrinsic_index, body)


def take_batch(
    state: State,
    item: Dispatched | Failed,
    key: payouts.BatchKey,
    *,
    announced: bool,
    deposited: Deposited,
) -> Batch | None:
    """Record a payout batch that the curators' multisig dispatched; None for any other call.

    `announced`: the batch's own `payout` remark was accepted. A batch that was dispatched counts by
    that, and not by who the curators are behind its last call, which may have changed them.
    `deposited` are the events that its calls about child bounties left.
    """
    body = payout_of(item.call, state.network)
    if body is None:
        return None
    if isinstance(item, Failed):
        program = state.programme.program.value
        if program is None or item.origin.account != programme.curators_account(program):
            return None
        return payouts.failed(state.payouts, key, item.extrinsic_index, item.call, body, item.error)
    if not announced:
        return None
    payees = payouts.Payees(state.membership.members, state.network.name)
    return payouts.executed(
        state.payouts, key, item.extrinsic_index, item.call, body, payees, deposited
    )


# --- Internals ----------------------------------------------------------------------


def _founds(state: State, origin: Origin, raw: bytes) -> bool:
    if origin.account is None:
        return False
    try:
        body = parse(raw, state.network.ss58_prefix)
    except RemarkError:
        return False  # a malformed remark founds nothing; there is no ledger yet to record it
    return isinstance(body, Program) and programme.founds(
        body, origin.account, state.expected_origin
    )


def _account(origin: Origin) -> AccountId:
    if origin.account is None:
        raise Rejected(RejectionCode.WRONG_ORIGIN, "the origin is no account")
    return origin.account


def _parsed(state: State, raw: bytes) -> Body:
    try:
        body = parse(raw, state.network.ss58_prefix)
    except RemarkError as error:
        raise Rejected(RejectionCode.MALFORMED, str(error)) from error
    if isinstance(body, Unknown):
        raise Rejected(
            RejectionCode.UNKNOWN_KIND, f"version {body.version!r}, kind {body.kind!r}: ignored"
        )
    return body


def _route(state: State, said: Said, body: Body, item: Dispatched) -> None:
    network, genesis = state.network, state.programme.genesis.value
    match body:
        case Program():
            programme.program(state.programme, said, body)
            return
        case Decision():
            programme.decision(state.programme, said, body)
            return
        case Member():
            programme.ensure_curators(state.programme, said.origin)
            membership.member(state.membership, said, body)
            return
        case Milestone():
            programme.ensure_curators(state.programme, said.origin)
            membership.milestone(state.membership, said, body)
            return
        case Link():
            membership.link(state.membership, said, body, network)
            return
        case Payout():
            programme.ensure_curators(state.programme, said.origin)
            _ensure_in_place(item)
            return
    program = state.programme.program.value
    assert genesis is not None
    assert program is not None
    programme.ensure_oracle(state.programme, said.origin)
    match body:
        case Observe():
            scores.observe(state.scores, genesis, said, body, network.ss58_prefix)
        case Report():
            scores.report(state.scores, genesis, program, said, body, network.ss58_prefix)


def _ensure_in_place(item: Dispatched) -> None:
    """A `payout` counts as the first call of a batch only; the batch itself is recorded whole."""
    calls = None if item.parent is None else payouts.batch_calls(item.parent)
    if calls is None or item.path[-1] != 0:
        raise Rejected(
            RejectionCode.OUT_OF_PLACE, "not the first call of a Utility.batch_all: it pays nothing"
        )


def payout_of(batch: Call, network: Network) -> Payout | None:
    """The payout that a `Utility.batch_all` claims to be, by its first call."""
    calls = payouts.batch_calls(batch)
    raw = None if calls is None else remark_of(calls[0])
    if raw is None:
        return None
    try:
        body = parse(raw, network.ss58_prefix)
    except RemarkError:
        return None  # the remark itself is recorded as rejected, where it was reached
    return body if isinstance(body, Payout) else None
