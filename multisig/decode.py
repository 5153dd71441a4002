"""A second reading of a payout call: by scalecodec, which shares no code with what encoded it."""

import json
from dataclasses import dataclass
from typing import Any

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.errors import AddressError, CheckFailed
from ibp_chain.networks import Network
from ibp_chain.peer_codec import PeerCodec
from ibp_chain.types import Hash, Planck


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
    """(payee's address on the network, amount), in the call's order."""


def read_payout(codec: PeerCodec, call: bytes, network: Network) -> Reading:
    """What `call` does. Raises `CheckFailed` for a call that is no payout batch, or does more."""
    match codec.decode_call(call):
        case {
            "call_module": "Utility",
            "call_function": "batch_all",
            "call_args": [{"name": "calls", "value": [first, *rest]}],
        }:
            remark = _remark(first)
            period, statement, lines = _payout(remark)
            transfers = tuple(_transfer(each, network) for each in rest)
        case {"call_module": module, "call_function": function}:
            raise CheckFailed(f"{module}.{function} is no payout batch")
        case _:
            raise CheckFailed("the call is no payout batch")
    if len(lines) != len(transfers):
        raise CheckFailed(f"the remark lists {len(lines)} lines, {len(transfers)} calls follow it")
    return Reading(remark, period, statement, lines, transfers)


def _remark(call: Any) -> str:
    match call:
        case {
            "call_module": "System",
            "call_function": "remark_with_event",
            "call_args": [{"name": "remark", "value": str(text)}],
        }:
            # the codec shows bytes as text where they are some
            return bytes.fromhex(text[2:]).decode() if text.startswith("0x") else text
    raise CheckFailed("the batch does not begin with a remark")


def _payout(remark: str) -> tuple[str, Hash, tuple[tuple[str, str], ...]]:
    prefix, _, body = remark.partition("{")
    if prefix != "IBP/1 payout ":
        raise CheckFailed("the batch's remark is no payout")
    try:
        value = json.loads("{" + body)
        lines = tuple((str(member), str(item)) for member, item in value["lines"])
        return str(value["period"]), Hash(bytes.fromhex(value["statement"][2:])), lines
    except (ValueError, KeyError, TypeError) as error:
        raise CheckFailed(f"the batch's remark is no payout: {error}") from error


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
                raise CheckFailed(f"a transfer goes to {dest}, no plain account") from error
            return ss58_encode(account, network.ss58_prefix), Planck(value)
        case {"call_module": module, "call_function": function}:
            raise CheckFailed(f"the batch holds {module}.{function}, not only transfers")
    raise CheckFailed("the batch holds something else than transfers")
