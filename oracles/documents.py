"""Small JSON files that travel: canonical (RFC 8785), versioned, refused in any other form."""

import json
from typing import Annotated, TypeVar

from pydantic import Field, ValidationError

from ibp_chain.errors import RemarkError
from ibp_chain.remark_bodies import Body
from ibp_chain.remarks import canonical_json
from ibp_chain.validation import first_problem
from oracles.errors import ProofError

D = TypeVar("D", bound=Body)
VersionOne = Annotated[int, Field(ge=1, le=1, strict=True)]
"""Not `Literal[1]`: that takes `true` for 1."""


def write_document(document: Body) -> bytes:
    """The one byte string that says `document`."""
    return canonical_json(document.model_dump(mode="json"))


def read_document(data: bytes, form: type[D]) -> D:
    """The `form` that `data` says. A line break at the end is allowed. Raises `ProofError`."""
    data = data.removesuffix(b"\n")
    try:
        value = json.loads(data)
        if canonical_json(value) != data:
            raise ProofError("the JSON is not in canonical form (RFC 8785): was the file edited?")
        return form.model_validate(value)
    except ValidationError as error:
        raise ProofError(first_problem(error)) from error
    except (ValueError, RecursionError, RemarkError) as error:
        raise ProofError(f"no JSON document of this form: {error}") from error
