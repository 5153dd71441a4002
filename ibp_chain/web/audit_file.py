"""The result of `ibp ledger audit --json`, kept in a file for people to look at."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from ibp_chain.errors import ConfigError
from ibp_chain.files import read_bounded
from ibp_chain.validation import Strict, first_problem

_MAX_BYTES = 1 << 22


class AuditResult(Strict):
    """What was compared with a node's storage, and what differed."""

    block: Annotated[int, Field(ge=0)]
    compared: dict[str, int]
    """Entries by storage item."""
    differences: Annotated[tuple[str, ...], Field(strict=False)]


def read_audit(path: Path) -> AuditResult:
    """Raises `ConfigError` for a file that is no such result."""
    try:
        return AuditResult.model_validate_json(read_bounded(path, _MAX_BYTES, ConfigError))
    except ValidationError as error:
        raise ConfigError(f"{path}: no audit result: {first_problem(error)}") from error
