"""Uptimes: ratios from polls and from files, of one month, about each service once."""

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from ibp_chain.errors import ConfigError
from ibp_chain.types import Hash
from ledger.program.uptime import Uptime, read_uptimes, slug, uptimes_of_polls
from multisig.service import ServiceRecord

DAY, NEXT = date(2026, 1, 3), date(2026, 1, 4)
STANDING = {DAY: Hash(bytes(32)), NEXT: Hash(bytes([1]) * 32)}


def polls(day: date, known: int, failed: int, service: str = "polkadot") -> ServiceRecord:
    return ServiceRecord(day, "stake-plus", service, known, failed)


# --- Standing reports -----------------------------------------------------------------


def test_an_uptime_is_of_all_standing_days_together() -> None:
    found = uptimes_of_polls([polls(DAY, 288, 3), polls(NEXT, 100, 0)], STANDING, "2026-01")
    uptime = found.find(["Stake Plus"], "Polkadot")
    assert uptime == Uptime(385, 388, "385 of 388 known polls did not fail, on 2 days")
    assert found.source == "standing reports of 2 days"


def test_nothing_known_is_unknown_never_a_failure() -> None:
    found = uptimes_of_polls([polls(DAY, 0, 0)], STANDING, "2026-01")
    assert found.find(["stake-plus"], "polkadot") is None


def test_the_hash_is_of_the_reports_roots() -> None:
    one = uptimes_of_polls([], STANDING, "2026-01").hash
    assert one == uptimes_of_polls([], dict(reversed(STANDING.items())), "2026-01").hash
    assert one != uptimes_of_polls([], STANDING | {NEXT: Hash(bytes(32))}, "2026-01").hash


def test_rows_that_are_not_of_standing_reports_of_the_month_are_refused() -> None:
    with pytest.raises(ConfigError, match="of which no report stands"):
        uptimes_of_polls([polls(date(2026, 1, 5), 1, 0)], STANDING, "2026-01")
    with pytest.raises(ConfigError, match="two score rows about 2026-01-03 stake-plus polkadot"):
        uptimes_of_polls([polls(DAY, 1, 0), polls(DAY, 1, 0)], STANDING, "2026-01")
    with pytest.raises(ConfigError, match="says nothing of 2026-02"):
        uptimes_of_polls([], STANDING, "2026-02")


@dataclass(frozen=True)
class Odd:
    day: date = DAY
    member: str = "a"
    service: str = "x"
    known: int = 1
    failed: int = 2


def test_more_failures_than_polls_are_refused() -> None:
    with pytest.raises(ValueError, match="an uptime of -1 of 1"):
        uptimes_of_polls([Odd()], STANDING, "2026-01")


# --- Files ----------------------------------------------------------------------------


def file(*stated: dict[str, Any], **changed: Any) -> bytes:
    whole = {"format": "ibp-uptime", "version": 1, "period": "2026-01", "uptime": list(stated)}
    return json.dumps(whole | changed).encode()


def test_a_percentage_is_kept_exactly() -> None:
    stated = file({"member": "A", "service": "X", "percent": "99.9861111"})
    uptime = read_uptimes(stated, "2026-01", "file").find(["a"], "x")
    assert uptime is not None
    assert (uptime.up, uptime.known) == (999861111, 1000000000)


def test_a_services_own_uptime_goes_before_the_members() -> None:
    stated = file(
        {"member": "A", "percent": "90"}, {"member": "A", "service": "X", "percent": "80"}
    )
    found = read_uptimes(stated, "2026-01", "file")
    own, common = found.find(["A"], "X"), found.find(["A"], "Y")
    assert own is not None
    assert common is not None
    assert (own.said, common.said) == ("80 %, as given", "90 %, as given")
    assert found.find(["B"], "X") is None


@pytest.mark.parametrize(
    "percent", ["100.01", "-1", "1e2", "99,9", "", "NaN", " 5", "05", 99.9, 100, None, True, "²"]
)
def test_what_is_no_percentage_is_refused(percent: Any) -> None:
    with pytest.raises(ConfigError, match=r"file: uptime\.0\.percent"):
        read_uptimes(file({"member": "A", "percent": percent}), "2026-01", "file")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (file(), "says nothing of 2026-01"),
        (file({"member": "A", "percent": "1"}, period="2025-12"), "is about 2025-12, the bill is"),
        (file({"member": "A", "percent": "1"}, version=2), "version"),
        (file({"member": "A", "percent": "1"}, note="x"), "note: Extra inputs"),
        (file(*[{"member": "A", "percent": "1"}] * 2), "'A' stands there twice"),
        (
            file(*[{"member": "A", "service": "X", "percent": "1"}] * 2),
            "'A' 'X' stands there twice",
        ),
        (b"[]", "says nothing of 2026-01"),
        (b'[{"month": "2026-01", "member": "A", "uptime_pct": 100.5}]', "0.uptime_pct"),
        (b'[{"month": "2026-02", "member": "A", "uptime_pct": 99}]', "says nothing of 2026-01"),
        (b"no json", "no JSON"),
    ],
)
def test_a_file_that_does_not_say_a_months_uptimes_is_refused(raw: bytes, said: str) -> None:
    with pytest.raises(ConfigError, match=r"^file: ") as refused:
        read_uptimes(raw, "2026-01", "file")
    assert said in str(refused.value)


def test_the_programmes_own_overview_is_read_for_its_month() -> None:
    rows = b"""[{"month": "2026-01", "member": "Amforc", "uptime_pct": 99.97, "level": 6},
                {"month": "2026-02", "member": "Amforc", "uptime_pct": 50.0}]"""
    uptime = read_uptimes(rows, "2026-01", "overview").find(["Amforc"], "Polkadot")
    assert uptime is not None
    assert (uptime.up, uptime.known) == (9997, 10000)


def test_names_become_the_ledgers_ids() -> None:
    assert [slug(name) for name in ("Stake Plus", "Stkd.io", "Asset-Hub-Kusama")] == [
        "stake-plus",
        "stkd-io",
        "asset-hub-kusama",
    ]
