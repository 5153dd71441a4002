from decimal import Decimal

import pytest

from ibp_chain.errors import ConfigError
from ibp_chain.networks import NETWORKS, network, network_of_spec
from ibp_chain.types import Planck


def test_amounts_are_shown_to_the_last_planck() -> None:
    assert network("polkadot").format(Planck(12_345_678_900_001)) == "1,234.5678900001 DOT"
    assert network("kusama").format(Planck(20 * 10**12)) == "20 KSM"
    assert network("kusama").format(Planck(-1)) == "-0.000000000001 KSM"


def test_tokens_become_planck_exactly_whatever_their_size() -> None:
    assert network("polkadot").planck(Decimal("5000.0000000001")) == 50_000_000_000_001
    huge = 10**38 // 10**10
    assert network("polkadot").planck(huge) == 10**38


def test_amounts_finer_than_a_planck_are_refused() -> None:
    with pytest.raises(ConfigError, match="finer than one planck"):
        network("polkadot").planck("0.00000000001")


def test_an_unknown_network_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="known: polkadot"):
        network("westend2")


def test_every_network_is_found_by_its_runtimes_name() -> None:
    assert all(network_of_spec(known.spec_name) is known for known in NETWORKS.values())
