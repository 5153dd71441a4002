"""What a watch keeps over a restart: one small file, of one watch at a time."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ibp_chain.accounts import ss58_decode
from ibp_chain.errors import ConfigError
from ibp_chain.networks import Network
from ibp_chain.remark_bodies import Count, HashText
from multisig.documents import Document, Part, Text
from multisig.reports import Standing
from multisig.steps import Point


class OpenPart(Part):
    """An operation that is open behind the last block."""

    call_hash: HashText
    height: Count
    extrinsic: Count
    approvals: Annotated[tuple[Text, ...], Field(strict=False)]

    def standing(self, network: Network) -> Standing:
        """Raises `AddressError`."""
        return Standing(
            Point(self.height, self.extrinsic),
            tuple(sorted(ss58_decode(text, network.ss58_prefix) for text in self.approvals)),
        )


def _report(value: str) -> str:
    try:
        said = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError("a report that waits is no JSON") from error
    match said:
        case {"id": str()}:
            return value
    raise ValueError("a report that waits has no id")


class WatchState(Document):
    """How far a watch has come."""

    format: Literal["ibp-multisig-watch"] = "ibp-multisig-watch"
    version: Literal[1] = 1
    genesis_hash: HashText
    multisig: Text
    calls: Annotated[tuple[HashText, ...], Field(strict=False)] | None = None
    """The calls that are watched, ascending; without them all of the multisig's."""
    block: Count
    block_hash: HashText
    """The last block whose steps are reported."""
    open: Annotated[tuple[OpenPart, ...], Field(strict=False)]
    waiting: Annotated[
        tuple[Annotated[Text, AfterValidator(_report)], ...], Field(strict=False)
    ] = ()
    """Reports that the webhook has not taken yet, each as JSON text, oldest first."""


@contextmanager
def kept_by_one(path: Path | None) -> Iterator[None]:
    """Keep other watches away from the state file `path` meanwhile.

    The lock is a file beside it, as the state itself is replaced with each write. Raises
    `ConfigError` where another watch has it, or it cannot be written.
    """
    if path is None:
        yield
        return
    beside = path.with_name(f"{path.name}.lock")
    try:
        file = beside.open("ab")
    except OSError as error:
        raise ConfigError(f"{beside} cannot be written: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(
                f"{path} is kept by another watch: end it, or give another --state"
            ) from error
        yield
