"""Who may make a call, as far as an effective origin says it.

Mirrors: `frame_system::ensure_signed`, the `EnsureOrigin`s of a treasury, and `StaticLookup`.
An origin is the account that signed, or None for every other one: root, and the origins of
governance tracks. Which of those a runtime lets approve or reject, and up to which amount, is no
part of its metadata: that one of them was right shows in the call's success.
"""

from typing import Any

from ibp_chain.errors import DecodeError, PalletError
from ibp_chain.types import AccountId
from ledger.dispatch_values import lookup


class BadOrigin(PalletError):
    """`DispatchError::BadOrigin`: of no pallet, and without a number."""


def ensure_signed(origin: AccountId | None) -> AccountId:
    if origin is None:
        raise BadOrigin
    return origin


def ensure_not_signed(origin: AccountId | None) -> None:
    """`SpendOrigin`, `RejectOrigin`, `ApproveOrigin`: no account is any of them."""
    if origin is not None:
        raise BadOrigin


def resolved(address: Any) -> AccountId:
    """`T::Lookup::lookup`. Raises `DecodeError` for an address that resolves to no account."""
    account = lookup(address)
    if account is None:
        raise DecodeError(f"{address!r} resolves to no account")
    return account
