"""Small JSON files that travel: canonical (RFC 8785), versioned, refused in any other form."""

from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError

from ibp_chain.errors import RemarkError
from ibp_chain.remark_bodies import Body
from ibp_chain.remarks import canonical_json, read_canonical
from ibp_chain.validation import first_problem
from oracles.errors import ProofError

D = TypeVar("D", bound=Body)
VersionOne = Annotated[int, Field(ge=1, le=1, strict=True)]
"""Not `Literal[1]`: that takes `true` for 1."""


def write_document(document: Body) -> bytes:
    """The one byte string that says `document`."""
    return canonical_json(document.model_dump(mode="json"))


def same_json(one: Any, other: Any) -> bool:
    """Whether two JSON values are written alike. In Python `True` equals 1; here it does not."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same_json(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return bool(one == other)


def read_document(data: bytes, form: type[D]) -> D:
    """The `form` that `data` says. A line break at the end is allowed. Raises `ProofError`."""
    data = data.removesuffix(b"\n")
    try:
        return form.model_validate(read_canonical(data, "JSON document of this form"))
    except RemarkError as error:
        raise ProofError(str(error)) from error
    except ValidationError as error:
        raise ProofError(first_problem(error)) from error
