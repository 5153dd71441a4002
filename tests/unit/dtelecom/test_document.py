"""A month's document: what is refused, and with which words."""

import json
from pathlib import Path
from typing import Any

import pytest

from ledger.program.dtelecom.document import MonthError, load_month, parse_month
from tests.support.dtelecom import measures_part, month, month_document, node

VIOLATION = {"kind": "slow", "detected": "2026-01-10T00:00:00Z"}


def refusal(document: Any) -> str:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(MonthError) as caught:
        parse_month(raw, "month.json")
    assert str(caught.value).startswith("month.json: ")
    return str(caught.value)


def test_a_month_is_read_as_it_is_written() -> None:
    found = month(genesis_since="2025-11", network={"africa": 3})
    assert (found.days, found.months_since_genesis) == (31, 2)
    assert found.end == 1769904000
    assert found.nodes[0].measures.measures.uptime == 100


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000,
     b'{"format": "dtelecom-month", "format": "dtelecom-month"}'],
)  # fmt: skip
def test_what_is_no_document_is_refused(raw: bytes) -> None:
    refusal(raw)


def test_a_field_given_twice_is_named() -> None:
    assert "'version' is given twice" in refusal(b'{"version": 1, "version": 2}')


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"format": "ibp-statement"}, "format"), ({"version": 2}, "version"),
        ({"version": True}, "version"), ({"operator": "Acme Inc"}, "operator"),
        ({"operator": "\x1b[2J"}, "operator"), ({"month": "2026-13"}, "month"),
        ({"month": "2026-1"}, "month"), ({"programme_month": 0}, "programme_month"),
        ({"programme_month": "13"}, "programme_month"), ({"nodes": []}, "nodes"),
        ({"genesis_since": "2026-02"}, "genesis_since"), ({"surprise": 1}, "surprise"),
        ({"network": {"atlantis": 1}}, "network"), ({"network": {"africa": -1}}, "network"),
        ({"network": {"africa": 1.0}}, "network"), ({"sla_signed": "yes"}, "sla_signed"),
    ],
)  # fmt: skip
def test_a_malformed_field_is_named(changes: dict[str, Any], field: str) -> None:
    assert field in refusal(month_document(**changes))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"base_usd": 500}, "base_usd"), ({"base_usd": 500.0}, "base_usd"),
        ({"base_usd": "-1"}, "base_usd"), ({"base_usd": "1e3"}, "base_usd"),
        ({"base_usd": "NaN"}, "base_usd"), ({"base_usd": "1000000000001"}, "base_usd"),
        ({"region": "atlantis"}, "region"), ({"type": "toaster"}, "type"),
        ({"reduced_days": 32}, "reduced_days"), ({"lock_days": -1}, "lock_days"),
        ({"measures": measures_part() | {"uptime": "100.01"}}, "uptime"),
        ({"measures": measures_part() | {"version_current": "true"}}, "version_current"),
        ({"measures": measures_part() | {"jitter": "1"}}, "jitter"),
        ({"bonuses": {"christmas": "1"}}, "christmas"),
        ({"violations": [VIOLATION | {"detected": "2026-02-30T00:00:00Z"}]}, "detected"),
        ({"violations": [VIOLATION | {"detected": "2026-01-10"}]}, "detected"),
        ({"violations": [VIOLATION | {"kind": "malicious"}]}, "kind"),
        ({"violations": [VIOLATION | {"remedied": "2026-01-09T00:00:00Z"}]}, "before it was"),
        ({"violations": [VIOLATION | {"detected": "2026-02-01T00:00:00Z"}]}, "after the month"),
    ],
)  # fmt: skip
def test_a_malformed_field_of_a_node_is_named(changes: dict[str, Any], field: str) -> None:
    assert field in refusal(month_document(node(**changes)))


def test_every_measure_is_needed() -> None:
    lacking = measures_part()
    del lacking["loss"]
    assert "loss" in refusal(month_document(node(measures=lacking)))


def test_two_nodes_have_two_names() -> None:
    assert "same id" in refusal(month_document(node(), node()))


def test_no_more_days_are_reduced_than_the_month_has() -> None:
    assert "2026-02 has 28 days" in refusal(month_document(node(reduced_days=29), month="2026-02"))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MonthError, match=r"absent\.json"):
        load_month(tmp_path / "absent.json")
