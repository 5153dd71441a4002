"""A file of accounts that are never paid: contracts, exchanges' pots, whatever curators know.

TOML, one table `[accounts]`: address = "what it is". An address is SS58 of any network, or the
`0x` of 20 bytes that a contract has. The own multisig, the treasury and the bounty need no entry.
"""

import re
import tomllib
from collections.abc import Mapping

from ibp_chain.accounts import ss58_decode
from ibp_chain.errors import AddressError
from ibp_chain.types import AccountId
from multisig.errors import DocumentError

_CONTRACT = re.compile(r"0x([0-9a-fA-F]{40})")
_MAPPED = b"\xee" * 12
"""`pallet_revive`'s account of a 20-byte address."""


def parse_deny_list(text: str) -> Mapping[AccountId, str]:
    """Account to what it is. Raises `DocumentError`."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DocumentError(f"no deny list: {error}") from error
    match table:
        case {"accounts": dict(accounts), **rest} if not rest:
            return {_account(address): _what(address, what) for address, what in accounts.items()}
    raise DocumentError('no deny list: one table [accounts] is expected, of address = "what it is"')


def _account(address: str) -> AccountId:
    contract = _CONTRACT.fullmatch(address)
    if contract is not None:
        return AccountId(bytes.fromhex(contract[1]) + _MAPPED)
    try:
        return ss58_decode(address)
    except AddressError as error:
        raise DocumentError(f"no deny list: {error}") from error


def _what(address: str, what: object) -> str:
    if isinstance(what, str) and what.strip() and what.isprintable():
        return what
    raise DocumentError(f"no deny list: {address} wants a text that says what it is")
