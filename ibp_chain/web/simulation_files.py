"""Stored results of `ibp multisig simulate --json`, beside the bundles: `simulations/HASH.json`.

A simulation takes a node and long, so that no page view runs one. A stored result is the word of
whoever put it there; what it says of is held against the bundle, what it found is not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from ibp_chain.errors import ConfigError, IbpError
from ibp_chain.files import read_bounded
from ibp_chain.types import Hash
from ibp_chain.validation import Strict, first_problem

FOLDER = "simulations"
_MAX_BYTES = 1 << 22
_HashText = Annotated[str, Field(pattern=r"^0x[0-9a-f]{64}$")]
_Number = Annotated[str, Field(pattern=r"^-?[0-9]{1,40}$")]
_Planck = Annotated[str, Field(pattern=r"^[0-9]{1,39}$")]
_Block = Annotated[int, Field(ge=0, lt=2**32)]


class ChangeRecord(Strict):
    account: str
    name: str
    expected: _Number
    simulated: _Number
    difference: _Number
    before: _Number | None


class StepRecord(Strict):
    signer: str
    block: _Block
    error: str | None
    outcome: str | None
    fee: _Number | None
    inner_error: str | None


class DepositRecord(Strict):
    depositor: str
    held: _Number
    returned: _Number


class SimulationRecord(Strict):
    """As `multisig.simulate.simulation_json` has it."""

    way: Literal["dry run", "fork"]
    agrees: bool
    block: _Block
    block_hash: _HashText
    spec_version: _Block
    error: str | None
    differences: Annotated[tuple[str, ...], Field(strict=False)]
    changes: Annotated[tuple[ChangeRecord, ...], Field(strict=False)]
    steps: Annotated[tuple[StepRecord, ...], Field(strict=False)]
    fees: _Planck
    deposit: DepositRecord | None


class SimulationFile(Strict):
    """One result, of both ways or of one."""

    call_hash: _HashText
    agrees: bool
    misread: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Where the call says otherwise than the bundle's lines."""
    simulations: Annotated[tuple[SimulationRecord, ...], Field(strict=False)]
    not_run: dict[str, str]


@dataclass(frozen=True, slots=True)
class Simulations:
    """By the bundle's call hash."""

    files: Mapping[Hash, SimulationFile]
    refused: Mapping[Hash, str]

    @classmethod
    def none(cls) -> "Simulations":
        return cls({}, {})


def read_simulations(folder: Path | None, calls: Iterable[Hash]) -> Simulations:
    """The results for `calls` that are below `folder`; what cannot be read, with the reason."""
    if folder is None:
        return Simulations.none()
    files, refused = dict[Hash, SimulationFile](), dict[Hash, str]()
    for call in calls:
        path = folder / FOLDER / f"0x{call.hex()}.json"
        if not path.exists():
            continue
        try:
            files[call] = read_simulation(path, call)
        except IbpError as error:
            refused[call] = str(error).removeprefix(f"{path}: ")
    return Simulations(files, refused)


def read_simulation(path: Path, call: Hash) -> SimulationFile:
    """Raises `ConfigError` for a file that is no result, or of another call."""
    try:
        found = SimulationFile.model_validate_json(read_bounded(path, _MAX_BYTES, ConfigError))
    except ValidationError as error:
        raise ConfigError(f"{path}: no result of a simulation: {first_problem(error)}") from error
    if found.call_hash != f"0x{call.hex()}":
        raise ConfigError(f"{path}: it is of another call, {found.call_hash}")
    whole = not found.misread and all(each.agrees for each in found.simulations)
    if found.agrees != whole:
        raise ConfigError(f"{path}: it contradicts itself about whether everything agrees")
    for each in found.simulations:
        differs = any(change.expected != change.simulated for change in each.changes)
        if each.agrees and (differs or each.differences or each.error is not None):
            raise ConfigError(f"{path}: it says that the {each.way} agrees, and names differences")
    return found
