"""Two readings of a payout call, by decoders that share no code, and what to do when they differ.

`read_payout` reads by scalecodec alone, whoever encoded the call. `decode_payout` wants our own
decoder to read the same: a wallet may show either, and both must say what is signed.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.errors import AddressError, CheckFailed, DecodeError
from ibp_chain.networks import Network
from ibp_chain.peer_codec import PeerCodec
from ibp_chain.runtime import Runtime
from ibp_chain.types import Hash, Planck
from ledger.pallets.payout_lines import (
    CHILD_BOUNTIES,
    ChildRun,
    claim_of,
    groups,
    run_of,
    transfer_of,
)
from ledger.pallets.payouts import batch_calls
from ledger.remark_routing import payout_of, remark_of
from multisig.decode_children import (
    ChildReading,
    ClaimReading,
    read_claims,
    read_runs,
    text_of,
)
from multisig.documents import printable
from multisig.errors import CallRefused

_PREFIX = "IBP/1 payout "
_HASH = re.compile(r"0x[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a payout call does, line by line."""

    remark: str
    """The remark's whole text."""
    period: str
    statement: Hash
    lines: tuple[tuple[str, str], ...]
    """(member, item), as the remark lists them."""
    transfers: tuple[tuple[str, Planck], ...]
    """(payee's address on the network, amount), in the call's order; none in a batch of claims."""
    children: tuple[ChildReading, ...] = ()
    """The child bounties that the transfers are made by, where they are."""
    claims: tuple[ClaimReading, ...] = ()
    """The child bounties that are claimed, each of which pays whom it was awarded to."""

    @property
    def total(self) -> Planck:
        return Planck(sum(amount for _, amount in self.transfers))


def decode_payout(runtime: Runtime, codec: PeerCodec, call: bytes, network: Network) -> Reading:
    """What `call` does, where both decoders say the same. Raises `CallRefused`."""
    theirs, ours = read_payout(codec, call, network), _read_own(runtime, call, network)
    if theirs != ours:
        raise CallRefused(f"the two decoders differ: scalecodec reads {theirs}, ours {ours}")
    return theirs


def describe(reading: Reading, network: Network) -> Iterator[str]:
    """`reading` aloud: one sentence for each line of the batch."""
    yield f"says that it pays {reading.period}, by statement 0x{reading.statement.hex()}"
    if reading.claims:
        for (member, item), claim in zip(reading.lines, reading.claims, strict=True):
            yield f"claims child bounty {claim} for {member}/{item}"
        return
    children = reading.children or [None] * len(reading.lines)
    paid = zip(reading.lines, reading.transfers, children, strict=True)
    for (member, item), (payee, amount), child in paid:
        if child is None:
            yield f"transfers {network.format(amount)} to {payee} for {member}/{item}"
        else:
            yield (
                f"{'pays' if child.claimed else 'awards'} {network.format(amount)} to {payee} for "
                f'{member}/{item} by child bounty {child}, "{printable(child.description)}", '
                f"fee {network.format(child.fee)} to its curator {child.curator}"
            )


def read_payout(codec: PeerCodec, call: bytes, network: Network) -> Reading:
    """What `call` does, by scalecodec alone.

    Raises `CallRefused` for a call that is no payout batch or does more, `CheckFailed` for bytes
    that are no call of the runtime.
    """
    match codec.decode_call(call):
        case {
            "call_module": "Utility",
            "call_function": "batch_all",
            "call_args": [{"name": "calls", "value": [first, *rest]}],
        }:
            remark = _remark(first)
            period, statement, lines = _payout(remark)
            children, claims = read_runs(rest, network), read_claims(rest)
            transfers = (
                tuple((child.payee, child.amount) for child in children)
                if children or claims
                else tuple(_transfer(each, network) for each in rest)
            )
        case {"call_module": module, "call_function": function}:
            raise CallRefused(f"{module}.{function} is no payout batch")
        case _:
            raise CallRefused("the call is no payout batch")
    paid = len(claims) or len(transfers)
    if len(lines) != paid:
        follow = "claims" if claims else "child bounties" if children else "calls"
        raise CallRefused(f"the remark lists {len(lines)} lines, {paid} {follow} follow it")
    return Reading(remark, period, statement, lines, transfers, children, claims)


# --- Scalecodec's reading -----------------------------------------------------------


def _remark(call: Any) -> str:
    match call:
        case {
            "call_module": "System",
            "call_function": "remark_with_event",
            "call_args": [{"name": "remark", "value": str(text)}],
        } if text.startswith(_PREFIX):
            # the codec shows bytes as text where they are some
            return text
    raise CallRefused("the batch does not begin with a payout remark")


def _payout(remark: str) -> tuple[str, Hash, tuple[tuple[str, str], ...]]:
    try:
        value = json.loads(remark.removeprefix(_PREFIX))
    except (ValueError, RecursionError) as error:
        raise CallRefused(f"the batch's remark is no payout: {error}") from error
    match value:
        case {"period": str(period), "statement": str(digest), "lines": [*lines]} if (
            _HASH.fullmatch(digest)
        ):
            return period, Hash(bytes.fromhex(digest[2:])), tuple(map(_line, lines))
    raise CallRefused("the batch's remark is no payout: it wants period, statement and lines")


def _line(value: Any) -> tuple[str, str]:
    match value:
        case [str(member), str(item)]:
            return member, item
    raise CallRefused("the batch's remark is no payout: a line is a member and an item")


def _transfer(call: Any, network: Network) -> tuple[str, Planck]:
    match call:
        case {
            "call_module": "Balances",
            "call_function": "transfer_keep_alive",
            "call_args": [
                {"name": "dest", "value": str(dest)},
                {"name": "value", "value": int(value)},
            ],
        }:
            try:
                account = ss58_decode(dest)
            except AddressError as error:
                raise CallRefused(f"a transfer goes to {dest}, no plain account") from error
            return ss58_encode(account, network.ss58_prefix), Planck(value)
        case {"call_module": "Balances", "call_function": "transfer_keep_alive"}:
            raise CallRefused("a transfer goes to no plain account")
        case {"call_module": module, "call_function": function}:
            raise CallRefused(f"the batch holds {module}.{function}, not only transfers")
    raise CallRefused("the batch holds something else than transfers")


# --- Our own reading ----------------------------------------------------------------


def _read_own(runtime: Runtime, call: bytes, network: Network) -> Reading:
    try:
        batch = runtime.decode_call(call)
    except DecodeError as error:
        raise CheckFailed(f"our decoder cannot read the call: {error}") from error
    body, calls = payout_of(batch, network), batch_calls(batch)
    raw = remark_of(calls[0]) if calls else None
    if body is None or calls is None or raw is None:
        raise CallRefused("our decoder reads no payout batch")
    prefix, rest = network.ss58_prefix, calls[1:]
    claims = [claim_of(each) for each in rest]
    if rest and all(claims):
        found = tuple(ClaimReading(*key) for key in claims if key is not None)
        return Reading(raw.decode(), body.period, body.statement, body.lines, (), (), found)
    if rest and rest[0].pallet == CHILD_BOUNTIES:
        runs = [run_of(each) for _, each in groups(rest)]
        children = tuple(_own_child(run, prefix) for run in runs if run is not None)
        if len(children) != len(runs):
            raise CallRefused("our decoder reads something else than whole child bounties")
        paid = tuple((child.payee, child.amount) for child in children)
        return Reading(raw.decode(), body.period, body.statement, body.lines, paid, children)
    # `transfer_of` also knows `transfer_allow_death`, which the ledger must, and no batch may hold
    transfers = [transfer_of(each) if each.name == "transfer_keep_alive" else None for each in rest]
    paid = tuple(
        (ss58_encode(transfer.payee, prefix), transfer.amount)
        for transfer in transfers
        if transfer is not None
    )
    if len(paid) != len(transfers):
        raise CallRefused("our decoder reads something else than transfers")
    return Reading(raw.decode(), body.period, body.statement, body.lines, paid)


def _own_child(run: ChildRun, prefix: int) -> ChildReading:
    return ChildReading(
        parent=run.key[0],
        child=run.key[1],
        value=run.value,
        fee=run.fee,
        curator=ss58_encode(run.curator, prefix),
        description=text_of(run.description),
        payee=ss58_encode(run.payee, prefix),
        claimed=run.claimed,
    )
