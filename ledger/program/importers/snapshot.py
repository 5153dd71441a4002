"""A month's configuration: the programme's files as they stood then, under one hash.

A bill names the hash of the configuration that it was made from, so that the same month is billed
from the same files for ever, whatever the programme's repository says today.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ibp_chain.blocks import blake2_256
from ibp_chain.errors import ConfigError
from ibp_chain.files import read_bounded
from ibp_chain.remarks import canonical_json
from ibp_chain.types import Hash
from ledger.program.importers import directory, professional
from ledger.program.importers import pricing as price_list
from ledger.program.importers import services as service_list
from ledger.program.importers.strictjson import MAX_FILE_BYTES

REQUIRED = (professional.FILE, service_list.FILE, price_list.FILE)
_MAX_FILES = 64


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the programme's files of one moment say."""

    hash: Hash
    files: tuple[tuple[str, Hash], ...]
    """Every file of the snapshot with the blake2b-256 of its bytes, by name."""
    members: tuple[professional.ProfessionalMember, ...]
    services: tuple[service_list.Service, ...]
    pricing: tuple[price_list.RegionalPrices, ...]
    accounts: tuple[directory.DirectoryMember, ...]
    """From `members.json`; empty where the snapshot has none."""


def configuration_hash(files: Mapping[str, bytes]) -> Hash:
    """blake2b-256 of the canonical JSON of `[[name, 0x hash of the bytes], ...]`, by name."""
    return blake2_256(
        canonical_json([[name, "0x" + blake2_256(files[name]).hex()] for name in sorted(files)])
    )


def parse_configuration(files: Mapping[str, bytes], where: str) -> Configuration:
    """The configuration in `files`, by name; others than those we read are hashed, not read.

    Raises `ConfigError` naming `where`, the file, and the entry and field in it.
    """
    if missing := [name for name in REQUIRED if name not in files]:
        raise ConfigError(f"{where}: has no {', '.join(missing)}: a bill needs {_listed()}")
    listed = files.get(directory.FILE)
    return Configuration(
        hash=configuration_hash(files),
        files=tuple((name, blake2_256(files[name])) for name in sorted(files)),
        members=professional.parse_professional_members(
            files[professional.FILE], f"{where}/{professional.FILE}"
        ),
        services=service_list.parse_services(
            files[service_list.FILE], f"{where}/{service_list.FILE}"
        ),
        pricing=price_list.parse_pricing(files[price_list.FILE], f"{where}/{price_list.FILE}"),
        accounts=()
        if listed is None
        else directory.parse_directory(listed, f"{where}/{directory.FILE}"),
    )


def read_configuration(folder: Path) -> Configuration:
    """The configuration in the `*.json` files of `folder`, its subfolders aside.

    Raises `ConfigError`.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: is no folder with a configuration ({_listed()})")
    try:
        paths = sorted(path for path in folder.iterdir() if re.search(r"\.json$", path.name))
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be read: {error.strerror}") from error
    if len(paths) > _MAX_FILES:
        raise ConfigError(f"{folder}: more than {_MAX_FILES} files: is it a configuration?")
    files = {path.name: read_bounded(path, MAX_FILE_BYTES, ConfigError) for path in paths}
    return parse_configuration(files, str(folder))


def _listed() -> str:
    return ", ".join(REQUIRED)
