"""The payout bundles that the server was given: read strictly, their calls decoded twice."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ibp_chain.errors import IbpError
from ibp_chain.types import Hash
from ibp_chain.web.simulation_files import Simulations, read_simulations
from multisig.bundle import Bundle, read_bundle
from multisig.decode import Reading

MAX_FILES = 2_000

Decode = Callable[[Bundle], Reading]
"""Reads a bundle's call with both decoders. Raises `IbpError`."""


@dataclass(frozen=True, slots=True)
class BundleFile:
    """One bundle. It claims what it claims: only the reading of its call is checked here."""

    file: str
    bundle: Bundle
    reading: Reading | None
    refusal: str | None
    """Set exactly when `reading` is not."""


@dataclass(frozen=True, slots=True)
class Bundles:
    given: bool
    files: Mapping[Hash, BundleFile]
    """By call hash; of several files with one call the first by name."""
    refused: tuple[tuple[str, str], ...] = ()
    """(file, why)."""
    simulations: Simulations = field(default_factory=Simulations.none)
    """Stored beside the bundles."""

    @classmethod
    def none(cls) -> "Bundles":
        return cls(given=False, files={})


def read_bundles(folder: Path | None, known: Bundles, decode: Decode) -> Bundles:
    """Every bundle in `folder` (`*.json`), those of `known` not decoded again.

    A file that is none is listed with the reason: the folder may hold statements too.
    """
    if folder is None:
        return Bundles.none()
    found: dict[Hash, BundleFile] = {}
    refused = []
    paths = sorted(folder.glob("*.json"))
    for path in paths[:MAX_FILES]:
        try:
            bundle = read_bundle(path)
            _ = bundle.network  # a network that we do not know has no amounts to show
        except IbpError as error:
            refused.append((path.name, str(error).removeprefix(f"{path}: ")))
            continue
        if bundle.call_hash in found:
            refused.append((path.name, f"the same call as {found[bundle.call_hash].file}"))
            continue
        before = known.files.get(bundle.call_hash)
        if before is not None and (before.file, before.bundle) == (path.name, bundle):
            found[bundle.call_hash] = before
        else:
            found[bundle.call_hash] = _decoded(path.name, bundle, decode)
    if len(paths) > MAX_FILES:
        refused.append((str(folder), f"more than {MAX_FILES} files: the others are not read"))
    simulations = read_simulations(folder, found)
    return Bundles(given=True, files=found, refused=tuple(refused), simulations=simulations)


def _decoded(name: str, bundle: Bundle, decode: Decode) -> BundleFile:
    try:
        return BundleFile(name, bundle, decode(bundle), None)
    except IbpError as error:
        return BundleFile(name, bundle, None, str(error))
