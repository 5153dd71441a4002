"""A rules file: what is required of members, what service is worth. Read once, hashed as it is."""

import re
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ibp_chain.blocks import blake2_256
from ibp_chain.errors import ConfigError
from ibp_chain.networks import Network
from ibp_chain.remark_bodies import Slug
from ibp_chain.types import Hash, Planck
from ibp_chain.validation import first_problem

CENT = Decimal("0.01")
_AMOUNT = re.compile(r"[0-9]{1,28}(?:\.[0-9]{1,18})?")


def _decimal_from_text(value: Any) -> Any:
    # TOML floats would already have lost what they stood for, and Decimal takes many spellings
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise ValueError('an amount is written as text in plain digits, such as "2500.00"')
    return Decimal(value)


Amount = Annotated[Decimal, BeforeValidator(_decimal_from_text), Field(ge=0, allow_inf_nan=False)]
PpmValue = Annotated[int, Field(ge=0, le=1_000_000)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class LockRules(_Table):
    """What a member keeps locked, in whole tokens by network name (F7)."""

    conviction: Literal["Locked6x"]
    polkadot: Amount
    kusama: Amount
    paseo: Amount

    def required(self, network: str) -> Decimal | None:
        """Tokens required on `network`, its Asset Hub counting as the network; None: nothing."""
        amounts = {"polkadot": self.polkadot, "kusama": self.kusama, "paseo": self.paseo}
        return amounts.get(network.removesuffix("-asset-hub"))

    def required_planck(self, network: Network) -> Planck:
        """`required` in the network's smallest unit; nothing for other networks."""
        return network.planck(self.required(network.name) or 0)


class SlaTable(_Table):
    """Scoring parameters (F1 to F6); `oracles.rules.SlaRules` gives them their meaning."""

    slow_at_us: Annotated[int, Field(gt=0)]
    slots_per_charge: Annotated[int, Field(gt=0)]
    failed_charge: Annotated[int, Field(ge=0)]
    slow_charge: Annotated[int, Field(ge=0)]
    window: Literal["runs", "aligned"]
    clean_day: Annotated[int, Field(ge=0)]
    clean_day_known_ppm: PpmValue
    chain_fault_members: Annotated[int, Field(gt=0)]


class PayoutRules(_Table):
    """What service is worth: one item, a flat amount for each month, by served days."""

    item: Slug
    usd_per_month: Amount
    served_day_ppm: PpmValue


class _RulesFile(_Table):
    version: Literal[1]
    name: str
    lock: LockRules
    sla: SlaTable
    payout: PayoutRules


@dataclass(frozen=True, slots=True)
class Rules:
    """A rules file and the hash of its bytes, which the `program` remark carries."""

    hash: Hash
    name: str
    lock: LockRules
    sla: SlaTable
    payout: PayoutRules


def parse_rules(raw: bytes, where: str) -> Rules:
    """The rules in `raw`. Raises `ConfigError` naming `where` and the field."""
    try:
        table = _RulesFile.model_validate(tomllib.loads(raw.decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{where}: not TOML: {error}") from error
    except ValidationError as error:
        raise ConfigError(f"{where}: {first_problem(error)}") from error
    return Rules(blake2_256(raw), table.name, table.lock, table.sla, table.payout)


def load_rules(path: Path | None = None) -> Rules:
    """The rules at `path`, by default those of the IBP that come with this package.

    Raises `ConfigError`.
    """
    if path is None:
        bundled = resources.files("ledger.program") / "ibp.toml"
        return parse_rules(bundled.read_bytes(), "ibp.toml")
    try:
        return parse_rules(path.read_bytes(), str(path))
    except OSError as error:
        raise ConfigError(f"rules file {path}: {error.strerror}") from error
