"""What a decoded value holds, whatever a library calls the places: for comparing libraries.

Normalised away: field and variant names around a payload, SS58 or hex for bytes, scalecodec's own
shape for a vote.
"""

import re
from typing import Any

from ibp_chain.accounts import ss58_decode
from ibp_chain.scale.values import Call

_ADDRESS = re.compile(r"[1-9A-HJ-NP-Za-km-z]{47,48}")
_CONVICTIONS = ("None", *(f"Locked{n}x" for n in range(1, 7)))


def leaves(value: Any) -> list[int | bytes]:
    """The numbers, bytes and bare variant names of our value, in order: what is the same in all
    libraries, whatever they call the places.
    """
    match value:
        case None:
            return []
        case Call():
            return leaves(list(value.args.values()))
        case (str(name), ()):
            return [name.encode()]
        case (str(), payload):
            return leaves(payload)
        case dict():
            return [leaf for item in value.values() for leaf in leaves(item)]
        case list() | tuple():
            return [leaf for item in value for leaf in leaves(item)]
        case str():
            return [value.encode()]
    return [value]


def their_leaves(value: Any) -> list[int | bytes]:
    match value:
        case None:
            return []
        case {"call_module": _, "call_args": arguments}:
            return their_leaves([argument["value"] for argument in arguments])
        case {"aye": bool(aye), "conviction": str(conviction)}:  # one byte, to the registry
            return [aye << 7 | _CONVICTIONS.index(conviction)]
        case dict() if len(value) == 1 and next(iter(value.values())) in (None, ()):
            return [name.encode() for name in value]
        case dict():
            return [leaf for item in value.values() for leaf in their_leaves(item)]
        case list() | tuple():
            return [leaf for item in value for leaf in their_leaves(item)]
        case str() if value.startswith("0x"):
            return [bytes.fromhex(value[2:])]
        case str() if _ADDRESS.fullmatch(value):
            return [ss58_decode(value)]
        case str():
            return [value.encode()]
    return [value]
