"""Rules files: what the package brings, and what is refused in another."""

from dataclasses import replace
from decimal import Decimal
from importlib import resources
from pathlib import Path

import pytest

from ibp_chain.blocks import blake2_256
from ibp_chain.errors import ConfigError
from ledger.program.rules import Rules, load_rules, parse_rules

RAW = (resources.files("ledger.program") / "ibp.toml").read_bytes()


def with_(old: str, new: str) -> bytes:
    """The IBP's file with one change."""
    assert RAW.count(old.encode()) == 1
    return RAW.replace(old.encode(), new.encode())


def reason(raw: bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_rules(raw, "mine.toml")
    assert str(caught.value).startswith("mine.toml: ")
    return str(caught.value)


def test_the_rules_of_the_ibp_come_with_the_package() -> None:
    rules = load_rules()
    assert rules.name == "Infrastructure Builders Program"
    assert rules.hash == blake2_256(RAW)
    assert rules.lock.required("polkadot") == Decimal(5_000)
    assert rules.lock.required("kusama") == Decimal(20)
    assert (rules.sla.failed_charge, rules.sla.slow_charge, rules.sla.slots_per_charge) == (7, 1, 3)
    assert rules.sla.slow_at_us == 100_000
    assert rules.payout.usd_per_month == Decimal("2500.00")


def test_an_asset_hub_counts_as_its_relay_chain() -> None:
    lock = load_rules().lock
    assert lock.required("polkadot-asset-hub") == lock.required("polkadot")


@pytest.mark.parametrize("network", ["westend", "", "conviction", "required", "model_fields"])
def test_nothing_is_required_on_other_networks(network: str) -> None:
    assert load_rules().lock.required(network) is None


def test_a_comment_changes_the_hash_and_nothing_else() -> None:
    noted = parse_rules(RAW + b"# a note\n", "mine.toml")
    assert noted.hash != load_rules().hash
    assert replace(noted, hash=load_rules().hash) == load_rules()


def test_a_file_is_read_from_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(with_('item = "services"', 'item = "rpc-m3"'))
    rules = load_rules(path)
    assert isinstance(rules, Rules)
    assert rules.payout.item == "rpc-m3"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml: No such file"):
        load_rules(tmp_path / "absent.toml")


@pytest.mark.parametrize(
    "amount",
    [
        "2500.00", "2500", '"abc"', '""', '"NaN"', '"sNaN"', '"Infinity"', '"-1"', '"1e3"',
        '" 5 "', '"1_000"', '"٣"', '"5,000"', '".5"', '"5."', '"0x10"', "true", "[]",
    ],
)  # fmt: skip
def test_an_amount_is_plain_digits_in_quotes(amount: str) -> None:
    raw = with_('usd_per_month = "2500.00"', f"usd_per_month = {amount}")
    assert "payout.usd_per_month" in reason(raw)


def test_an_exact_amount_stays_exact() -> None:
    raw = with_('kusama = "20"', 'kusama = "20.000000000001"')
    assert str(parse_rules(raw, "x").lock.kusama) == "20.000000000001"


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("version = 1", "version = 2", "version"),
        ('conviction = "Locked6x"', 'conviction = "Locked1x"', "lock.conviction"),
        ("slow_at_us = 100_000", "slow_at_us = 0", "sla.slow_at_us"),
        ("slow_at_us = 100_000", "slow_at_us = 100_000.0", "sla.slow_at_us"),
        ("slots_per_charge = 3", "slots_per_charge = 0", "sla.slots_per_charge"),
        ("failed_charge = 7", "failed_charge = -7", "sla.failed_charge"),
        ("failed_charge = 7", "failed_charge = true", "sla.failed_charge"),
        ('window = "runs"', 'window = "sliding"', "sla.window"),
        ("clean_day_known_ppm = 950_000", "clean_day_known_ppm = 1_000_001", "sla.clean_day"),
        ("chain_fault_members = 2", "chain_fault_members = 0", "sla.chain_fault_members"),
        ('item = "services"', 'item = "Services"', "payout.item"),
        ('item = "services"', 'item = "-"', "payout.item"),
        ('item = "services"', 'item = "services"\ntip = 1', "payout.tip"),
        ("slow_charge = 1", "", "sla.slow_charge"),
        ("served_day_ppm = 999_000", 'served_day_ppm = "999000"', "payout.served_day_ppm"),
    ],
)
def test_a_wrong_field_is_named(old: str, new: str, field: str) -> None:
    assert field in reason(with_(old, new))


@pytest.mark.parametrize("raw", [b"\xff", b"version = ", b"[lock]\n[lock]", b"a = " + b"[" * 5_000])
def test_what_is_no_toml_is_refused(raw: bytes) -> None:
    assert "not TOML" in reason(raw)


def test_an_empty_file_lacks_everything() -> None:
    assert "version" in reason(b"")
