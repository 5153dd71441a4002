"""Scalecodec's reading of child bounties in a payout batch: apart from the encoder and the ledger.

Strict: each child is added, proposed, accepted and awarded in a row, and perhaps claimed, by calls
that name the same two numbers; anything else is refused with what it holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.errors import AddressError
from ibp_chain.networks import Network
from ibp_chain.types import Planck
from multisig.errors import CallRefused

_STEPS = (
    ("add_child_bounty", ("parent_bounty_id", "value", "description")),
    ("propose_curator", ("parent_bounty_id", "child_bounty_id", "curator", "fee")),
    ("accept_curator", ("parent_bounty_id", "child_bounty_id")),
    ("award_child_bounty", ("parent_bounty_id", "child_bounty_id", "beneficiary")),
)
_CLAIM = ("claim_child_bounty", ("parent_bounty_id", "child_bounty_id"))


@dataclass(frozen=True, slots=True)
class ChildReading:
    """A child bounty that a line is paid by. Addresses are the network's."""

    parent: int
    child: int
    value: Planck
    fee: Planck
    curator: str
    description: str
    payee: str
    claimed: bool
    """In the same batch: the payee has the money when it is executed."""

    @property
    def amount(self) -> Planck:
        """What the payee gets."""
        return Planck(self.value - self.fee)

    def __str__(self) -> str:
        return f"{self.parent}/{self.child}"


@dataclass(frozen=True, slots=True)
class ClaimReading:
    """A child bounty that is claimed for whom it was awarded to."""

    parent: int
    child: int

    def __str__(self) -> str:
        return f"{self.parent}/{self.child}"


def read_runs(calls: Sequence[Any], network: Network) -> tuple[ChildReading, ...]:
    """The child bounties that `calls` are; none where the first call adds none.

    Raises `CallRefused` where one adds a child, and all of them are not whole child bounties.
    """
    if not calls or _name(calls[0]) != _STEPS[0][0]:
        return ()
    found: list[ChildReading] = []
    place = 0
    while place < len(calls):
        steps = [
            _args(call, name, fields)
            for call, (name, fields) in zip(calls[place:], _STEPS, strict=False)
        ]
        if len(steps) < len(_STEPS):
            raise CallRefused("the last child bounty of the batch is not awarded")
        place += len(_STEPS)
        claimed = place < len(calls) and _name(calls[place]) == _CLAIM[0]
        if claimed:
            steps.append(_args(calls[place], *_CLAIM))
            place += 1
        found.append(_child(steps, network, claimed=claimed))
    return tuple(found)


def read_claims(calls: Sequence[Any]) -> tuple[ClaimReading, ...]:
    """The claims that `calls` are; none where the first is none. Raises `CallRefused` for others
    among them.
    """
    if not calls or _name(calls[0]) != _CLAIM[0]:
        return ()
    claims = [_args(call, *_CLAIM) for call in calls]
    return tuple(ClaimReading(*_numbers(args)) for args in claims)


def text_of(data: bytes) -> str:
    """As scalecodec shows bytes: as text where they are some."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "0x" + data.hex()


# --- Internals ----------------------------------------------------------------------


def _name(call: Any) -> str | None:
    """Of a call of ChildBounties; None for any other."""
    match call:
        case {"call_module": "ChildBounties", "call_function": str(name)}:
            return name
    return None


def _args(call: Any, name: str, fields: Sequence[str]) -> dict[str, Any]:
    match call:
        case {
            "call_module": "ChildBounties",
            "call_function": str(found),
            "call_args": [*args],
        } if found == name:
            values = {arg["name"]: arg["value"] for arg in args}
            if tuple(values) == tuple(fields):
                return values
        case {"call_module": str(module), "call_function": str(function)}:
            raise CallRefused(f"the batch holds {module}.{function} where {name} has to be")
    raise CallRefused(f"the batch holds another {name} than we know")


def _numbers(args: Mapping[str, Any]) -> tuple[int, int]:
    match args["parent_bounty_id"], args["child_bounty_id"]:
        case int(parent), int(child):
            return parent, child
    raise CallRefused("a child bounty's number is none")


def _child(steps: Sequence[dict[str, Any]], network: Network, *, claimed: bool) -> ChildReading:
    added, proposed, _, awarded = steps[:4]
    (numbers, *others) = {_numbers(args) for args in steps[1:]}
    if others or added["parent_bounty_id"] != numbers[0]:
        raise CallRefused("the calls in a row are about different child bounties")
    match added["value"], proposed["fee"], added["description"]:
        case int(value), int(fee), str(description):
            return ChildReading(
                parent=numbers[0],
                child=numbers[1],
                value=Planck(value),
                fee=Planck(fee),
                curator=_address(proposed["curator"], "curator", network),
                description=description,
                payee=_address(awarded["beneficiary"], "beneficiary", network),
                claimed=claimed,
            )
    raise CallRefused("a child bounty has no value, fee or description that we can read")


def _address(value: Any, what: str, network: Network) -> str:
    if not isinstance(value, str):
        raise CallRefused(f"a {what} is no plain account")
    try:
        return ss58_encode(ss58_decode(value), network.ss58_prefix)
    except AddressError as error:
        raise CallRefused(f"a {what} is {value}, no plain account") from error
