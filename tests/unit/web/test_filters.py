import pytest

from ibp_chain.web import filters

NOW = "2026-02-01T02:10:48Z"


@pytest.mark.parametrize(
    ("iso", "text"),
    [
        ("2026-02-01T02:10:48Z", "now"),
        ("2026-02-01T02:10:42Z", "6 s ago"),
        ("2026-02-01T02:09:48Z", "1 min ago"),
        ("2026-01-31T23:00:00Z", "3 h ago"),
        ("2026-01-27T22:01:00Z", "4 d ago"),
        ("2026-09-10T00:01:42Z", "in 220 d"),
        ("2036-02-01T02:10:48Z", "in 3,652 d"),
        (None, ""),
    ],
)
def test_times_are_told_from_the_ledgers_own(iso: str | None, text: str) -> None:
    assert filters.relative(iso, NOW) == text


@pytest.mark.parametrize(
    ("ppm", "text"),
    [(1_000_000, "100.00 %"), (999_999, "99.99 %"), (996_912, "99.69 %"), (0, "0.00 %")],
)
def test_an_uptime_is_never_rounded_up(ppm: int, text: str) -> None:
    assert filters.percent(ppm) == text


def test_what_is_not_known_is_a_dash_and_not_a_zero() -> None:
    assert filters.percent(None) == filters.millis(None) == "\u2013"
    assert filters.time_text(None) == "unknown"


def test_addresses_are_shortened_in_the_middle_only() -> None:
    assert filters.short("5ED5HfEdByc7qCX5oA1LvTctdhDF2hMqDkAQtB67cXYYeqH8") == "5ED5Hf…YYeqH8"
    assert filters.short("paseo") == "paseo"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (245_760, "245.8 kB"), (5e9, "5.0 GB")]
)
def test_sizes_have_the_unit_that_people_say(count: int, text: str) -> None:
    assert filters.size(count) == text


def test_usd_has_commas_and_cents() -> None:
    assert filters.money("498790.33") == "498,790.33"
    assert filters.money("300000") == "300,000.00"
