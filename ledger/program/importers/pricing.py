"""`services_rpc_iaaspricing.json`: USD a month for one unit of each resource, by region."""

from dataclasses import dataclass
from decimal import Decimal

from pydantic import TypeAdapter

from ibp_chain.errors import ConfigError
from ledger.program.importers.strictjson import Entry, Name, Number, folded, read

FILE = "services_rpc_iaaspricing.json"


class _Prices(Entry):
    cores: Number
    memory: Number
    disk: Number
    bandwidth: Number


@dataclass(frozen=True, slots=True)
class RegionalPrices:
    """USD a month for one unit, exactly as it is written."""

    region: str
    cores: Decimal
    memory: Decimal
    disk: Decimal
    bandwidth: Decimal


_FORM = TypeAdapter(dict[Name, _Prices])


def parse_pricing(raw: bytes, where: str = FILE) -> tuple[RegionalPrices, ...]:
    """Every region, by name. Raises `ConfigError` naming `where`, the region and the field."""
    regions, seen = [], set[str]()
    for name, entry in sorted(read(_FORM, raw, where).items()):
        if folded(name) in seen:
            raise ConfigError(f"{where}: region {name!r} differs from another by case alone")
        seen.add(folded(name))
        regions.append(RegionalPrices(name, entry.cores, entry.memory, entry.disk, entry.bandwidth))
    return tuple(regions)
