"""dTelecom's rules file: what the package brings, and what is refused in another."""

from decimal import Decimal
from pathlib import Path

import pytest

from ibp_chain.blocks import blake2_256
from ibp_chain.errors import ConfigError
from ledger.program.dtelecom.rules import load_rules, parse_rules
from tests.support.dtelecom import LAW, RAW, with_


def reason(raw: bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_rules(raw, "mine.toml")
    assert str(caught.value).startswith("mine.toml: ")
    return str(caught.value)


def test_the_rules_come_with_the_package_and_are_known_by_the_hash_of_their_bytes() -> None:
    rules = load_rules()
    assert rules.law.name == "dTelecom Node Operator Program"
    assert rules.hash == blake2_256(RAW)


def test_a_comment_changes_the_hash_and_nothing_else() -> None:
    noted = parse_rules(RAW + b"# a note\n", "mine.toml")
    assert noted.hash != load_rules().hash
    assert noted.law == LAW


def test_a_file_is_read_from_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(with_('unit_usd = "1"', 'unit_usd = "0.01"'))
    assert load_rules(path).law.rewards.unit_usd == Decimal("0.01")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml: No such file"):
        load_rules(tmp_path / "absent.toml")


@pytest.mark.parametrize("raw", [b"\xff", b"= 1", b"x = " + b"[" * 5000])
def test_what_is_no_toml_is_refused(raw: bytes) -> None:
    assert "not TOML" in reason(raw)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('policy_points = "2"', 'policy_points = "3"', "101 points"),
        ('policy_points = "2"', "policy_points = 2.0", "policy_points"),
        ('policy_points = "2"', 'policy_points = "NaN"', "policy_points"),
        ('policy_points = "2"', 'policy_points = "-2"', "policy_points"),
        ('{ at_least = "99.5", points', '{ at_least = "99.95", points', "uptime_bands"),
        ('"99.0", points = "20"', '"99.0", points = "26"', "uptime_bands"),
        ('points = "15", full', 'points = "21", full', "below its bands"),
        ('full = "99", zero = "95"', 'full = "95", zero = "95"', "must differ"),
        ('full = "99", zero = "95"', 'full = "95", zero = "99"', "more is better"),
        ('at_least = "60", times = "0.5"', 'at_least = "60", times = "1.5"', "multipliers"),
        ('below_bands = "0.0"', 'below_bands = "0.6"', "below the bands"),
        ('multiplier_cap = "4"', 'multiplier_cap = "0"', "multiplier_cap"),
        ('incentives = "best"', 'incentives = "sum"', "incentives"),
        ('unit_usd = "1"', 'unit_usd = "0"', "unit_usd"),
        ("grace_hours = 72", "grace_hours = 23", "grace_hours"),
        ("grace_hours = 72", "grace_hours = 73", "grace_hours"),
        ('uptime_low = "95"', 'uptime_low = "99"', "uptime_low"),
        ('uptime_reduction = "0.10"', 'uptime_reduction = "1.01"', "uptime_reduction"),
        ('low = "0.01", high = "0.05"', 'low = "0.06", high = "0.05"', "low is above high"),
        ('low = "0.25", high = "1.00"', 'low = "0.25", high = "1.01"', "breach"),
        ("unbonding_days = 7", "unbonding_days = 0", "unbonding_days"),
        ("unbonding_days = 7", "unbonding_days = true", "unbonding_days"),
        ("{ lock_days = 0,", "{ lock_days = 1,", "without a lock"),
        ('north-america = "0.25"', 'north-america = "0.26"', "targets make 1.01"),
        ('north-america = "0.25"', 'atlantis = "0.25"', "north-america"),
        ("volume_nodes = 250", "volume_nodes = 50", "volume bonus"),
        ('ubuntu = "20.04"', 'ubuntu = "focal"', "ubuntu"),
        ("version = 1", "version = 2", "version"),
        ("version = 1", "version = 1\nsurprise = 1", "surprise"),
        ("lookback_days = 365", "", "lookback_days"),
    ],
)  # fmt: skip
def test_a_file_that_makes_no_sense_is_refused_with_the_parameter(
    old: str, new: str, field: str
) -> None:
    assert field in reason(with_(old, new))


def test_longer_locks_must_not_earn_less() -> None:
    """Seed, "Staking": "higher rewards for longer locks"."""
    rates = 'rates = [ { lock_days = 0, apy = "0.10" } ]'
    longer = rates.replace(" ]", ', { lock_days = 90, apy = "0.09" } ]')
    assert "longer locks" in reason(with_(rates, longer))


def test_what_a_share_costs_is_exact_however_long_it_is_written() -> None:
    """A Decimal of 29 digits and more would be rounded by addition."""
    odd = 'policy_points = "2.000000000000000001"'
    assert "100.000000000000000001 points" in reason(with_('policy_points = "2"', odd))
