"""Rules and rosters: what an SLA costs, who is measured on what, and files that say neither."""

from dataclasses import replace
from pathlib import Path

import pytest

from ibp_chain.errors import ConfigError
from ledger.program.rules import load_rules
from oracles.rosters import load_roster, parse_roster
from oracles.rules import ChargeWindow, Roster, Service, SlaRules, check_slug, sla_rules
from tests.support.scores import ROSTER, RULES, SERVICES

FILE = b"""
version = 1

[[services]]
id = "polkadot"
chain = "polkadot"
milestone = 3

[[services]]
id = "eth-rpc"
chain = "asset-hub"
milestone = 5

[assigned]
beta = ["polkadot"]
alpha = ["polkadot", "eth-rpc"]
"""


def test_the_programmes_own_rules_are_f1_to_f6() -> None:
    assert sla_rules(load_rules(None).sla) == RULES
    assert RULES.window is ChargeWindow.RUNS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("slow_at", 0),
        ("slots_per_charge", 0),
        ("failed_charge", -1),
        ("slow_charge", -1),
        ("clean_day", -1),
        ("clean_day_known", -1),
        ("clean_day_known", 1_000_001),
        ("chain_fault_members", 0),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=name):
        replace(RULES, **{name: value})  # type: ignore[arg-type]  # wrong on purpose


def test_free_faults_are_allowed() -> None:
    free: SlaRules = replace(RULES, failed_charge=0, slow_charge=0, clean_day=0)
    assert free.failed_charge == 0


@pytest.mark.parametrize("slug", ["a", "0", "a-b", "a" * 32, "stake-plus"])
def test_ids_are_lower_case_words(slug: str) -> None:
    check_slug(slug, "member")


@pytest.mark.parametrize("slug", ["", "-a", "a-", "A", "a b", "a\n", "a" * 33, "ä", "a_b", "a/b"])
def test_other_ids_are_refused(slug: str) -> None:
    with pytest.raises(ValueError, match="is no member id"):
        check_slug(slug, "member")


# --- Rosters ------------------------------------------------------------------------


def test_endpoints_ascend_whatever_the_order_of_the_roster() -> None:
    roster = parse_roster(FILE, "roster")
    assert roster.endpoints == (("alpha", "eth-rpc"), ("alpha", "polkadot"), ("beta", "polkadot"))
    assert roster.by_chain == {
        "asset-hub": (("alpha", "eth-rpc"),),
        "polkadot": (("alpha", "polkadot"), ("beta", "polkadot")),
    }
    assert list(roster.by_milestone.items()) == [
        (("alpha", 3), (("alpha", "polkadot"),)),
        (("alpha", 5), (("alpha", "eth-rpc"),)),
        (("beta", 3), (("beta", "polkadot"),)),
    ]


def test_a_member_without_services_is_measured_on_nothing() -> None:
    assert Roster(SERVICES, {"alpha": frozenset()}).endpoints == ()
    assert Roster((), {}).endpoints == ()


@pytest.mark.parametrize(
    ("services", "assigned", "why"),
    [
        ((SERVICES[0], SERVICES[0]), {}, "listed twice"),
        ((Service("Polkadot", "polkadot", 3),), {}, "no service id"),
        ((Service("polkadot", "polkadot", 0),), {}, "milestone"),
        ((Service("polkadot", "polkadot", 9),), {}, "milestone"),
        (SERVICES, {"Alpha": frozenset()}, "no member id"),
        (SERVICES, {"alpha": frozenset({"westend"})}, r"alpha is assigned unknown \['westend'\]"),
    ],
)
def test_a_roster_that_contradicts_itself_is_refused(
    services: tuple[Service, ...], assigned: dict[str, frozenset[str]], why: str
) -> None:
    with pytest.raises(ConfigError, match=why):
        Roster(services, assigned)


def test_a_roster_file_says_what_a_roster_is(tmp_path: Path) -> None:
    path = tmp_path / "roster.toml"
    path.write_bytes(FILE)
    services = (Service("polkadot", "polkadot", 3), Service("eth-rpc", "asset-hub", 5))
    assigned = {"beta": frozenset({"polkadot"}), "alpha": frozenset({"polkadot", "eth-rpc"})}
    assert load_roster(path) == Roster(services, assigned)
    assert load_roster(path) != ROSTER


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "version"),
        (b"version = [", "not TOML"),
        (b"\xff", "not TOML"),
        (b"a = " + b"[" * 100_000, "not TOML"),
        (FILE.replace(b"version = 1", b"version = 2"), "version"),
        (FILE.replace(b"version = 1", b"version = true"), "version"),
        (FILE.replace(b"milestone = 3", b'milestone = "3"'), "services.0.milestone"),
        (FILE.replace(b"milestone = 3", b"milestone = 3.0"), "services.0.milestone"),
        (FILE.replace(b"milestone = 3", b"milestone = 9"), "milestone"),
        (FILE.replace(b'chain = "polkadot"\n', b""), "services.0.chain"),
        (FILE + b"gamma = [1]\n", "assigned.gamma.0"),
        (FILE + b'gamma = ["westend"]\n', "gamma is assigned unknown"),
        (FILE + b'gamma = ["polkadot", "polkadot"]\n', "gamma is assigned a service twice"),
        (FILE + b'alpha = ["polkadot"]\n', "not TOML"),
        (FILE + b"[more]\n", "more"),
        (b"version = 1\nservices = []\n[assigned]\n", "services"),
    ],
)
def test_a_file_that_is_no_roster_is_refused_by_name(raw: bytes, why: str) -> None:
    with pytest.raises(ConfigError, match=rf"here\.toml: .*{why}"):
        parse_roster(raw, "here.toml")


def test_a_missing_or_oversized_roster_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_roster(tmp_path / "none.toml")
    path = tmp_path / "big.toml"
    path.write_bytes(FILE + b"#" * (1 << 20))
    with pytest.raises(ConfigError, match="longer than the 1048576 bytes"):
        load_roster(path)
