"""What only a source checkout has: the test chain and the fork, which are Node programs."""

import importlib
from types import ModuleType

from ibp_chain.errors import InputError


def script(name: str, what: str, advice: str) -> ModuleType:
    """The module `name` of `scripts`. Without a checkout: `InputError`, with `advice`."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "scripts":
            raise
        raise InputError(f"{what} is not part of the installed package: {advice}") from error
