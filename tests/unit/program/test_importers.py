"""The programme's files: read as they are, refused by name and field where they cannot be."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ibp_chain.errors import ConfigError
from ledger.program.importers.directory import parse_directory
from ledger.program.importers.pricing import parse_pricing
from ledger.program.importers.professional import parse_professional_members
from ledger.program.importers.services import parse_services
from ledger.program.importers.snapshot import (
    configuration_hash,
    parse_configuration,
    read_configuration,
)
from tests.support.billing import (
    MEMBERS,
    PRICING,
    SERVICES,
    files,
    january,
    january_files,
    later_files,
    member,
    prices,
    service,
    write_files,
)


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


# --- The real files -------------------------------------------------------------------


def test_the_real_configuration_of_january_2026_is_read_whole() -> None:
    found = january()
    assert len(found.members) == 12
    assert len(found.services) == 34
    assert len(found.pricing) == 8
    assert [one.name for one in found.services if not one.active] == ["Kilt", "Mythos", "Polimec"]
    europe = next(one for one in found.pricing if one.region == "Europe")
    assert (europe.memory, europe.bandwidth) == (Decimal("1.2562398"), Decimal("0.085"))


def test_the_real_configuration_of_a_later_month_is_read_with_its_older_member_list() -> None:
    found = parse_configuration(later_files(), "later")
    assert (len(found.members), len(found.services), len(found.accounts)) == (7, 22, 16)
    assert [one.name for one in found.members if not one.active] == [
        "RadiumBlock",
        "Rotko Networks",
    ]
    radiumblock = next(one for one in found.accounts if one.id == "radiumblock")
    assert radiumblock.region == "Asia"
    paradox = next(one for one in found.accounts if one.id == "paradox")
    assert (paradox.region, paradox.level, paradox.membership) == ("", 0, "hobbyist")
    assert all(
        each.network in {"kusama", "polkadot"} for one in found.accounts for each in one.accounts
    )


def test_prices_keep_every_digit_that_is_written() -> None:
    raw = b'{"X": {"cores": 14.172, "memory": 1.25623980000000001, "disk": 0, "bandwidth": 1e-3}}'
    (region,) = parse_pricing(raw)
    assert region.memory == Decimal("1.25623980000000001")
    assert region.bandwidth == Decimal("0.001")


def test_fields_that_a_bill_does_not_follow_from_may_come_and_go() -> None:
    entry = member("Polkadot") | {"AncillaryAssignments": {"IBPDNS": {}}, "New": 1}
    (one,) = parse_professional_members(encoded({"A": entry}))
    assert one.services == ("Polkadot",)


# --- A snapshot and its hash ----------------------------------------------------------


def test_the_hash_is_of_names_and_bytes_and_of_no_order() -> None:
    one = dict(january_files())
    assert configuration_hash(one) == configuration_hash(dict(reversed(one.items())))
    assert configuration_hash(one).hex() == (
        "1d0c86e529adb8df3b22b305989c5bc651dbf10c29519c63938e268ba7c608a6"
    )
    for name, content in one.items():
        assert configuration_hash(one | {name: content + b"\n"}) != configuration_hash(one)
    renamed = {f"x{name}": content for name, content in one.items()}
    assert configuration_hash(renamed) != configuration_hash(one)


def test_a_file_that_is_not_read_is_part_of_the_hash() -> None:
    one = dict(january_files())
    more = parse_configuration(one | {"alerts.json": b"{}"}, "here")
    assert more.hash != january().hash
    assert [name for name, _ in more.files] == ["alerts.json", *sorted(one)]


def test_a_folder_and_its_files_give_the_same_configuration(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "config", january_files())
    (folder / "README.md").write_text("not a configuration file")
    (folder / "older").mkdir()
    assert read_configuration(folder).hash == january().hash


@pytest.mark.parametrize("name", [MEMBERS, SERVICES, PRICING])
def test_a_missing_file_is_named(name: str) -> None:
    left = {each: content for each, content in january_files().items() if each != name}
    with pytest.raises(ConfigError, match=f"has no {name}"):
        parse_configuration(left, "here")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no folder with a configuration"):
        read_configuration(tmp_path / "nowhere")


def test_a_pipe_in_the_place_of_a_file_does_not_hang(tmp_path: Path) -> None:
    import os

    folder = write_files(tmp_path, january_files())
    os.mkfifo(folder / "alerts.json")
    with pytest.raises(ConfigError, match=r"alerts\.json: is no regular file"):
        read_configuration(folder)


# --- What is refused ------------------------------------------------------------------


def changed(entry: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(entry))
    at = copy
    *above, last = path.split(".")
    for key in above:
        at = at[key]
    at[last] = value
    return copy


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("Location.Region", None),
        ("Membership.MemberLevel", "6"),
        ("Membership.MemberLevel", 9),
        ("Service.Active", 2),
        ("Service.Active", True),
        ("ServiceAssignments", ["Polkadot"]),
        ("ServiceAssignments.All", "Polkadot"),
        ("ServiceAssignments.All", [7]),
        ("ServiceAssignments.All", [" "]),
        ("Details.Name", ""),
    ],
)
def test_a_malformed_member_is_refused_by_name_and_field(path: str, value: Any) -> None:
    raw = encoded({"Amforc": changed(member("Polkadot"), path, value)})
    with pytest.raises(ConfigError) as refused:
        parse_professional_members(raw, "here.json")
    assert str(refused.value).startswith(f"here.json: Amforc.{path}")


@pytest.mark.parametrize("field", ["nodes", "cores", "memory", "disk", "bandwidth"])
@pytest.mark.parametrize("value", [-1, 1.5, "4", None, True, 10**10])
def test_a_malformed_resource_is_refused_by_name_and_field(field: str, value: Any) -> None:
    raw = encoded({"Polkadot": changed(service(), f"Resources.{field}", value)})
    with pytest.raises(ConfigError, match=rf"services_rpc\.json: Polkadot\.Resources\.{field}"):
        parse_services(raw)


@pytest.mark.parametrize(
    "value", ["-1", "-0.0", '"1"', "null", "true", "1e-30", "1e40", "1.0000000000000000001"]
)
def test_a_malformed_price_is_refused_by_region_and_field(value: str) -> None:
    raw = f'{{"Europe": {prices(disk=value)}}}'.encode()
    with pytest.raises(ConfigError, match=r"services_rpc_iaaspricing\.json: Europe\.disk"):
        parse_pricing(raw)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="is no number"):
        parse_pricing(f'{{"Europe": {prices(disk=value)}}}'.encode())


def test_a_missing_price_is_refused_by_region_and_field() -> None:
    with pytest.raises(ConfigError, match=r"Europe\.bandwidth: Field required"):
        parse_pricing(b'{"Europe": {"cores": 1, "memory": 1, "disk": 1}}')


def test_a_key_that_stands_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="'Europe' stands there twice"):
        parse_pricing(f'{{"Europe": {prices()}, "Europe": {prices(cores="99")}}}'.encode())


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"\xff\xfe", b'"x"', b"[" * 100_000])
def test_what_is_no_object_of_entries_is_refused(raw: bytes) -> None:
    for parse in (parse_professional_members, parse_services, parse_pricing, parse_directory):
        with pytest.raises(ConfigError):
            parse(raw, "here.json")


def test_names_that_differ_by_case_alone_are_refused() -> None:
    # the programme's software takes one of them, by chance
    with pytest.raises(ConfigError, match="differs from another by case alone"):
        parse_services(encoded({"Kusama": service(), "kusama": service()}))
    with pytest.raises(ConfigError, match="differs from another by case alone"):
        parse_pricing(f'{{"Asia": {prices()}, "ASIA": {prices()}}}'.encode())
    with pytest.raises(ConfigError, match="member 'amforc' stands there twice"):
        parse_professional_members(encoded({"Amforc": member(), "amforc": member()}))


def test_a_service_assigned_twice_is_refused_rather_than_billed_twice() -> None:
    entry = member("Polkadot")
    entry["ServiceAssignments"]["Relay"] = ["polkadot "]
    with pytest.raises(ConfigError, match=r"Amforc: ServiceAssignments: service .* billed twice"):
        parse_professional_members(encoded({"Amforc": entry}))


def test_names_that_would_rewrite_a_terminal_are_refused() -> None:
    for name in ("A\x1b[2J", "A\u202eB", "A\u200b"):
        with pytest.raises(ConfigError, match="do not print"):
            parse_professional_members(encoded({name: member()}))


# --- members.json ---------------------------------------------------------------------


def test_the_older_member_list_comes_out_in_one_form() -> None:
    entry = {
        "name": "Gatotech",
        "membership": "professional",
        "current_level": "6",
        "active": "1",
        "region": "central_america",
        "level_timestamp": {"0": "1672549200", "5": "1680000000", "6": "", "7": ""},
        "endpoints": [],
        "payments": {
            "kusama": {"validator_address": "", "payment_address": "", "signature": ""},
            "polkadot": {"validator_address": "15x", "payment_address": "1y", "signature": "0x00"},
        },
    }
    (one,) = parse_directory(encoded({"members": {"gatotech": entry}}))
    assert (one.level, one.active, one.region) == (6, True, "Central America")
    assert one.reached == ((0, 1672549200), (5, 1680000000))
    assert one.endpoints == ()
    assert [(each.network, each.payee) for each in one.accounts] == [("polkadot", "1y")]
    with pytest.raises(ConfigError, match=r"members\.json: members\.gatotech\.current_level"):
        parse_directory(encoded({"members": {"gatotech": entry | {"current_level": 6}}}))


def test_a_configuration_may_have_the_older_list_beside_the_newer() -> None:
    entry = files({"A": member()}, {}, {"Europe": prices()})
    found = parse_configuration(entry | {"members.json": b'{"members": {}}'}, "here")
    assert found.accounts == ()
