"""The programme's configuration of January 2026, what was billed by it, and small ones by hand."""

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ledger.program.bill_document import Inputs, encode_bill
from ledger.program.billing import bill_month
from ledger.program.importers.snapshot import Configuration, parse_configuration
from ledger.program.settlement import settle
from scripts.public_data import MEMBERS_PROFESSIONAL, PublicFile, fetch

MEMBERS, SERVICES, PRICING = (
    "members_professional.json",
    "services_rpc.json",
    "services_rpc_iaaspricing.json",
)
_COMMIT = "946d922aef8f8623f49a992c5bbfdcf2d887b743"
_REPOSITORY = MEMBERS_PROFESSIONAL.url.rsplit("/", 2)[0]
_JANUARY = {
    MEMBERS: "c47ffac1c1d5dcd166258a19672f61ab77cf848d7c36d936cb8b668efcc508ed",
    SERVICES: "ead4450e73f35670e062c12518cc13bf70bd9f2b532997908c0a51b4a23bdc31",
    PRICING: "0162d194d2d804c20070c3aee81846e1eb3b54836de0197f13a373e031b49d83",
}
_LATER_COMMIT = "bcf7d329ebc4b07c8f48d80b74ff9f785642ac94"
_LATER = {
    MEMBERS: "4a42752a9d1b13b0c122603dd9d15645b58022ee80f0d86a5f4d57543cd33acc",
    SERVICES: "20f8ee16e30acf1cee05175c31c64cb3b7f9fc1f756d184450ca40205ebf36d9",
    PRICING: "0162d194d2d804c20070c3aee81846e1eb3b54836de0197f13a373e031b49d83",
    "members.json": "2e910212a98642df8952184e4094e1fabf0a5f0342edcd5229d185403869e3f4",
}


class Billed(NamedTuple):
    """A row of the programme's published overview of January 2026."""

    level: int
    region: str
    services: int
    usd: Decimal
    """Base cost and billed amount alike: uptime was 100 % for all."""


# the figures of data/ibp/billing-2026-01.json, which may be copied into a test
JANUARY_BILLED = {
    "Amforc": Billed(6, "Europe", 31, Decimal("22480.65")),
    "Dwellir": Billed(6, "Africa", 31, Decimal("26935.05")),
    "Gatotech": Billed(6, "Central America", 31, Decimal("26935.05")),
    "Helikon": Billed(6, "Middle East", 31, Decimal("23760.65")),
    "Interweb": Billed(6, "Europe", 31, Decimal("22480.65")),
    "RadiumBlock": Billed(6, "Asia", 31, Decimal("26935.05")),
    "Rotko Networks": Billed(6, "Asia", 31, Decimal("26935.05")),
    "Stake Plus": Billed(6, "North America", 31, Decimal("22224.65")),
    "Turboflakes": Billed(6, "Europe", 31, Decimal("22480.65")),
    "Lucky Friday": Billed(5, "North America", 23, Decimal("16450.40")),
    "Polkadotters": Billed(5, "Oceania", 23, Decimal("20259.20")),
    "Stkd.io": Billed(5, "South America", 23, Decimal("21633.56")),
}


@cache
def january_files() -> Mapping[str, bytes]:
    """From `../shared/data`, else downloaded once, else where `IBP_CONFIG_2026_01` says."""
    return _fetched(_COMMIT, "ibp/config-2026-01", _JANUARY, "IBP_CONFIG_2026_01")


@cache
def later_files() -> Mapping[str, bytes]:
    """The same files at a later commit, and the older member list; or `IBP_CONFIG_LATER`."""
    return _fetched(_LATER_COMMIT, "ibp", _LATER, "IBP_CONFIG_LATER")


def _fetched(
    commit: str, shared: str, pinned: Mapping[str, str], variable: str
) -> Mapping[str, bytes]:
    return {
        name: fetch(
            PublicFile(name, f"{shared}/{name}", f"{_REPOSITORY}/{commit}/{name}", sha256, variable)
        ).read_bytes()
        for name, sha256 in pinned.items()
    }


def january() -> Configuration:
    return parse_configuration(january_files(), "config-2026-01")


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


# --- By hand --------------------------------------------------------------------------


def member(
    *services: str, region: str = "Europe", active: int = 1, level: int = 6, name: str = "A Member"
) -> dict[str, Any]:
    """An entry of members_professional.json."""
    return {
        "Details": {"Name": name},
        "Membership": {"MemberLevel": level, "Joined": 1672549200},
        "Service": {"Active": active},
        "ServiceAssignments": {"All": list(services)},
        "Location": {"Region": region, "Latitude": 0.5, "Longitude": 0.5},
    }


def service(
    nodes: int = 1,
    cores: int = 1,
    memory: int = 0,
    disk: int = 0,
    bandwidth: int = 0,
    active: int = 1,
) -> dict[str, Any]:
    """An entry of services_rpc.json."""
    return {
        "Configuration": {"ServiceType": "RPC", "Active": active, "LevelRequired": 3},
        "Resources": {
            "nodes": nodes,
            "cores": cores,
            "memory": memory,
            "disk": disk,
            "bandwidth": bandwidth,
        },
    }


def prices(cores: str = "10", memory: str = "1", disk: str = "0.1", bandwidth: str = "0.05") -> str:
    """A region's prices as JSON text: Python's own numbers would not keep every digit."""
    return f'{{"cores": {cores}, "memory": {memory}, "disk": {disk}, "bandwidth": {bandwidth}}}'


def files(
    members: Mapping[str, Any], services: Mapping[str, Any], regions: Mapping[str, str]
) -> dict[str, bytes]:
    listed = ", ".join(f"{json.dumps(region)}: {each}" for region, each in regions.items())
    return {
        MEMBERS: json.dumps(members).encode(),
        SERVICES: json.dumps(services).encode(),
        PRICING: f"{{{listed}}}".encode(),
    }


def configuration(
    members: Mapping[str, Any],
    services: Mapping[str, Any],
    regions: Mapping[str, str] | None = None,
) -> Configuration:
    return parse_configuration(files(members, services, regions or {"Europe": prices()}), "test")


def bill_document(*names: str, period: str = "2026-01", available: str | None = None) -> bytes:
    """A bill of 10 USD for each of `names`, and of nothing for one whose service is not active."""
    listed = {name: member("X") for name in names} | {"Nobody": member("Y")}
    made = bill_month(period, configuration(listed, {"X": service(), "Y": service(active=0)}))
    held = None if available is None else Decimal(available)
    return encode_bill(made, settle(made, available=held), Inputs())
