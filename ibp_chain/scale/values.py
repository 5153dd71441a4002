"""How decoded SCALE values look in Python: one shape per kind of type, in both directions.

| registry type                    | Python value |
|----------------------------------|---------------------------------------------------------------|
| u8 … u256, i8 … i256, Compact<T> | `int` |
| bool                             | `bool` |
| char, str                        | `str` |
| [u8; N], Vec<u8>                 | `bytes` |
| [T; N], Vec<T>                   | `list` |
| tuple                            | `tuple`; a 1-tuple is its element, the unit is `()` |
| struct with named fields         | `dict` by field name, in order |
| struct with one unnamed field    | its field: AccountId32, H256 are `bytes`, Perbill `int` |
| struct with unnamed fields       | `tuple` |
| enum without any fields          | the variant's name, `str` |
| any other enum                   | `(name, payload)`: payload as a struct's, `()` without fields |
| Option<T>                        | `None` or value; `("Some", value)` if T's own may be `None` |
| Result<T, E>                     | `("Ok", value)` or `("Err", value)` |
| BitSequence                      | `(bit count, bytes)` |
| RuntimeCall                      | `Call` |
"""

from hashlib import blake2b
from typing import Any, NamedTuple

from ibp_chain.types import Hash


class _NotRead(dict[str, Any]):
    """Stands for the arguments of a call that were passed over."""

    def __missing__(self, name: str) -> Any:
        raise LookupError(f"argument {name} was passed over: its pallet was not asked for")

    def __reduce__(self) -> str:
        return "NOT_READ"


NOT_READ: dict[str, Any] = _NotRead()
"""The `args` of a call whose pallet was not asked for: reading one is a defect of the caller."""


class Call(NamedTuple):
    """A decoded call and the exact bytes that it was decoded from."""

    pallet: str
    name: str
    args: dict[str, Any]
    """By argument name, shapes as in this table; `NOT_READ` where they were passed over."""
    buffer: bytes
    start: int
    end: int

    @property
    def data(self) -> bytes:
        """The call's own SCALE bytes: pallet index, call index, arguments."""
        return self.buffer[self.start : self.end]

    @property
    def hash(self) -> Hash:
        """The call hash: blake2b-256 of `data`, no length prefix."""
        return Hash(blake2b(self.data, digest_size=32).digest())

    def __str__(self) -> str:
        return f"{self.pallet}.{self.name}"
