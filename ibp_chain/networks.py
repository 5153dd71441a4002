"""The chains we know: prefixes, tokens, and which clock governance counts on.

Source: `spec_name`s and `System.SS58Prefix` of the runtimes, ss58-registry, and the fellowship's
runtime configurations for the clocks.
"""

from dataclasses import dataclass
from decimal import Decimal, localcontext
from enum import StrEnum

from ibp_chain.errors import ConfigError
from ibp_chain.types import Planck


class GovernanceClock(StrEnum):
    """Whose block numbers votes, locks and referenda are counted in."""

    LOCAL = "local"
    RELAY = "relay"


@dataclass(frozen=True, slots=True)
class Network:
    """One chain. Decimals and symbol are in no metadata, so they are written here."""

    name: str
    spec_name: str
    ss58_prefix: int
    symbol: str
    decimals: int
    governance_clock: GovernanceClock
    block_time_ms: int
    """Nominal time of one block of the governance clock."""

    def format(self, amount: Planck) -> str:
        """`amount` as people read it, exact: no digit is rounded away."""
        whole, rest = divmod(abs(amount), 10**self.decimals)
        fraction = f"{rest:0{self.decimals}d}".rstrip("0")
        sign = "-" if amount < 0 else ""
        return f"{sign}{whole:,}{'.' + fraction if fraction else ''} {self.symbol}"

    def planck(self, tokens: Decimal | int | str) -> Planck:
        """Whole tokens to planck. Raises `ConfigError` for an amount finer than one planck."""
        with localcontext(prec=60):  # scaleb rounds to the context's precision
            exact = Decimal(tokens).scaleb(self.decimals)
        if exact != exact.to_integral_value():
            raise ConfigError(f"{tokens} {self.symbol} is finer than one planck")
        return Planck(int(exact))


_LOCAL, _RELAY = GovernanceClock.LOCAL, GovernanceClock.RELAY
NETWORKS = {
    network.name: network
    for network in (
        Network("polkadot", "polkadot", 0, "DOT", 10, _LOCAL, 6_000),
        Network("polkadot-asset-hub", "statemint", 0, "DOT", 10, _RELAY, 6_000),
        Network("kusama", "kusama", 2, "KSM", 12, _LOCAL, 6_000),
        Network("kusama-asset-hub", "statemine", 2, "KSM", 12, _RELAY, 6_000),
        # Paseo's runtime constant says prefix 0; its chain specification, which wallets follow,
        # says 42.
        Network("paseo", "paseo", 42, "PAS", 10, _LOCAL, 6_000),
        Network("paseo-asset-hub", "asset-hub-paseo", 42, "PAS", 10, _RELAY, 6_000),
    )
}


def network(name: str) -> Network:
    """The network called `name`. Raises `ConfigError` naming the known ones."""
    if name not in NETWORKS:
        raise ConfigError(f"unknown network {name!r}; known: {', '.join(NETWORKS)}")
    return NETWORKS[name]


def network_of_spec(spec_name: str) -> Network:
    """The network whose runtime calls itself `spec_name`. Raises `ConfigError`."""
    for candidate in NETWORKS.values():
        if candidate.spec_name == spec_name:
            return candidate
    raise ConfigError(f"no known network runs a runtime named {spec_name!r}")
