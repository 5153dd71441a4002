"""Files that people write, checked by pydantic, and what is wrong with them in words for people."""

import tomllib
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ibp_chain.errors import ConfigError

M = TypeVar("M", bound=BaseModel)


class Strict(BaseModel):
    """One table of a document: no field too many, none too few, none converted or changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def parse_toml(model: type[M], raw: bytes, where: str) -> M:
    """`raw` as `model` has it. Raises `ConfigError` naming `where` and what is wrong."""
    try:
        return model.model_validate(tomllib.loads(raw.decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{where}: not TOML: {error}") from error
    except ValidationError as error:
        raise ConfigError(f"{where}: {first_problem(error)}") from error


def first_problem(error: ValidationError) -> str:
    """The first thing that is wrong, with the field that it is about."""
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(map(str, problem["loc"]))
    return f"{where}: {problem['msg']}" if where else problem["msg"]
