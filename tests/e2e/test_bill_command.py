"""`ibp payout bill` and `ibp payout prices`: processes of their own, real files, exit codes."""

import http.server
import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ledger.program.prices import recorded
from tests.support.billing import (
    JANUARY_BILLED,
    files,
    january_files,
    member,
    prices,
    service,
    write_files,
)
from tests.support.command_line import DEMO, assert_done, assert_one_clear_line, ibp

JANUARY_HASH = "0x1d0c86e529adb8df3b22b305989c5bc651dbf10c29519c63938e268ba7c608a6"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_files(tmp_path_factory.mktemp("config") / "2026-01", january_files())


def bill(config: Path, *options: object, month: str = "2026-01") -> Any:
    done = ibp("payout", "bill", "--config", config, "--month", month, *options, "--json")
    return json.loads(assert_done(done))


# --- The real month -------------------------------------------------------------------


def test_january_2026_comes_to_what_the_programme_published(config: Path) -> None:
    value = bill(config)
    assert value["inputs"]["configuration"] == JANUARY_HASH
    found = {one["member"]: (one["base"], one["billed"]) for one in value["members"]}
    assert found == {name: (str(row.usd), str(row.usd)) for name, row in JANUARY_BILLED.items()}
    assert value["totals"]["billed"] == "279510.61"


def test_the_table_shows_every_member_and_what_is_not_billed(config: Path) -> None:
    shown = assert_done(ibp("payout", "bill", "--config", config, "--month", "2026-01"))
    for name, row in JANUARY_BILLED.items():
        assert any(line.startswith(name) and str(row.usd) in line for line in shown.splitlines())
    assert "Not billed: Kilt, Mythos, Polimec of Amforc, Dwellir" in shown
    assert "uptime: not given: every service is billed in full" in shown
    assert JANUARY_HASH in shown


def test_every_number_is_explained_on_request(config: Path) -> None:
    plain = ("payout", "bill", "--config", config, "--month", "2026-01", "--explain")
    shown = assert_done(ibp(*plain, "--available", "200000"))
    assert "B1  Kusama: 2 nodes x (4 cores x 14.172 + 16 GB memory x 1.2562398" in shown
    assert "B7  haircut: floor(22480.65 x 200000.00 / 279510.61) less 22480.65" in shown
    value = json.loads(assert_done(ibp(*plain, "--json")))
    assert value["bill"]["totals"]["billed"] == "279510.61"
    assert value["explanation"]["Amforc"][-1].startswith("B8  carried forward")


def test_a_bounty_that_holds_less_leaves_ious_for_the_next_month(
    config: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "january.json", tmp_path / "february.json"
    january = bill(config, "--available", "200000", "--out", first)
    assert json.loads(first.read_bytes()) == january
    assert january["totals"] | {"base": ""} == {
        "base": "",
        "billed": "279510.61",
        "owed": "279510.61",
        "paid": "199999.93",
        "carried": "79510.68",
        "undistributed": "0.07",
    }
    february = bill(config, "--previous", first, "--out", second, month="2026-02")
    assert february["totals"]["paid"] == "359021.29"
    again = ibp("payout", "bill", "--config", config, "--month", "2026-03", "--previous", first)
    assert_one_clear_line(again, 2, "the bill of 2026-01 leaves its IOUs to 2026-02")


def test_corrections_are_paid_with_their_reason(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "corrections.json"
    one = {
        "id": "2026-01-amforc",
        "member": "Amforc",
        "period": "2026-01",
        "usd": "0.30",
        "reason": "22480.35 was paid of 22480.65",
    }
    path.write_text(json.dumps({"format": "ibp-corrections", "version": 1, "corrections": [one]}))
    value = bill(config, "--corrections", path, month="2026-02")
    amforc = next(one for one in value["settlement"] if one["member"] == "Amforc")
    assert amforc["paid"] == "22480.95"
    assert amforc["lines"][1]["text"] == (
        "correction 2026-01-amforc of 2026-01: 22480.35 was paid of 22480.65"
    )


# --- Uptime ---------------------------------------------------------------------------


def test_uptimes_come_from_a_file(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "uptime.json"
    rows = [
        {"month": "2026-01", "member": name, "uptime_pct": 50.0 if name == "Helikon" else 100}
        for name in JANUARY_BILLED
    ]
    path.write_text(json.dumps(rows))
    value = bill(config, "--uptime", path)
    billed = {one["member"]: one["billed"] for one in value["members"]}
    assert billed["Helikon"] == "11880.32"  # of 11880.324512
    assert billed["Amforc"] == "22480.65"


def test_uptimes_come_from_standing_reports(config: Path, tmp_path: Path) -> None:
    """The bundled recording has reports of few days and services: the rest is chosen."""
    ledger = ("--archive", DEMO / "archive", "--rows", DEMO / "rows")
    refused = ibp("payout", "bill", "--config", config, "--month", "2026-01", *ledger)
    assert_one_clear_line(refused, 2, "nothing is known of the uptime of", "give it, or say")
    value = bill(config, *ledger, "--unknown", "full", "--out", tmp_path / "bill.json")
    assert re.fullmatch(r"standing reports of \d+ days", value["inputs"]["uptime"]["source"])
    gatotech = next(one for one in value["members"] if one["member"] == "Gatotech")
    assert gatotech["base"] == "26935.05"
    assert Decimal(gatotech["billed"]) < Decimal(gatotech["base"])
    other = ibp("payout", "bill", "--config", config, "--month", "2026-02", *ledger)
    assert_one_clear_line(other, 2, "the ledger has no standing report of 2026-02")


# --- What is refused ------------------------------------------------------------------


def test_a_wrong_amount_month_or_folder_is_one_clear_line(config: Path, tmp_path: Path) -> None:
    for amount in ("-1", "1.001"):
        done = ibp(
            "payout", "bill", "--config", config, "--month", "2026-01", f"--available={amount}"
        )
        assert_one_clear_line(done, 2, "is no amount such as 150000")
    done = ibp("payout", "bill", "--config", config, "--month", "2026-13")
    assert_one_clear_line(done, 2, "'2026-13' is no month such as 2026-01")
    done = ibp("payout", "bill", "--config", tmp_path, "--month", "2026-01")
    assert_one_clear_line(done, 2, "has no members_professional.json")


def test_a_broken_configuration_is_named_by_file_and_field(tmp_path: Path) -> None:
    broken = write_files(
        tmp_path / "broken",
        files({"A": member("X")}, {"X": service(cores=-1)}, {"Europe": prices()}),
    )
    done = ibp("payout", "bill", "--config", broken, "--month", "2026-01")
    assert_one_clear_line(done, 2, "services_rpc.json: X.Resources.cores")
    elsewhere = write_files(
        tmp_path / "elsewhere",
        files({"A": member("X", region="Mars")}, {"X": service()}, {"Europe": prices()}),
    )
    done = ibp("payout", "bill", "--config", elsewhere, "--month", "2026-01")
    assert_one_clear_line(done, 2, "A: its region 'Mars' has no prices")


def test_two_sources_of_uptime_are_refused(config: Path, tmp_path: Path) -> None:
    done = ibp(
        "payout", "bill", "--config", config, "--month", "2026-01",
        "--uptime", tmp_path / "x", "--rows", tmp_path,
    )  # fmt: skip
    assert_one_clear_line(done, 2, "--uptime and --rows are two sources of uptime")


# --- Prices ---------------------------------------------------------------------------


@pytest.fixture
def market() -> Iterator[str]:
    """A server with daily candles of DOT in Kraken's form, of every day from 2025 to yesterday."""
    first, today = date(2025, 1, 1), datetime.now(UTC).date()
    days = [first + timedelta(days=n) for n in range((today - first).days + 1)]
    times = [int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) for day in days]
    rows = [[at, "2", "2", "2", "2.15", "2", "1", 1] for at in times]
    body = json.dumps({"error": [], "result": {"DOTUSD": rows, "last": times[-2]}}).encode()

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Not on the test's stderr."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_prices_are_recorded_averaged_and_used(config: Path, tmp_path: Path, market: str) -> None:
    path = tmp_path / "dot.json"
    asked = ("payout", "prices", "--url", market, "--until", "2026-01-31", "--out", path)
    shown = assert_done(ibp(*asked))
    assert "DOT in USD from 2025-10-04 to 2026-01-31, by kraken (DOTUSD)" in shown
    assert "EMA7 as of 2026-01-31: 2.15 USD." in shown
    assert "EMA30 as of 2026-01-31: 2.15 USD." in shown
    read = assert_done(ibp("payout", "prices", "--prices", path, "--explain"))
    assert "P2  EMA30: E + (price - E) x 2 / 31 on each of 90 days to 2026-01-31" in read
    value = bill(config, "--prices", path, "--ema", "EMA7")
    assert value["price"]["usd"] == "2.15"
    recording = json.loads(assert_done(ibp("payout", "prices", "--prices", path, "--json")))
    assert value["price"]["series"] == recording["hash"]
    amforc = next(one for one in value["price"]["paid"] if one["member"] == "Amforc")
    assert amforc["planck"] == str(int(Decimal("22480.65") / Decimal("2.15") * 10**10))


def test_a_price_of_a_day_that_is_not_recorded_is_named(config: Path, tmp_path: Path) -> None:
    first = date(2025, 12, 1)
    days = [(first + timedelta(days=n), Decimal("2.15")) for n in range(40)]
    series = recorded("DOT", "USD", "kraken", "DOTUSD", datetime(2026, 2, 1, tzinfo=UTC), days)
    path = tmp_path / "dot.json"
    path.write_bytes(series.encoded)
    done = ibp("payout", "bill", "--config", config, "--month", "2026-01", "--prices", path)
    assert_one_clear_line(done, 2, "they end on 2026-01-09, 2026-01-31 is asked for")
    done = ibp("payout", "prices", "--prices", path, "--until", "2025-12-31")
    assert_one_clear_line(done, 2, "EMA30 as of 2025-12-31 needs 120 days")
    done = ibp("payout", "prices")
    assert_one_clear_line(done, 2, "say with --out where to record the prices")


def test_a_source_that_does_not_answer_is_one_clear_line(tmp_path: Path) -> None:
    done = ibp("payout", "prices", "--url", "http://127.0.0.1:9", "--out", tmp_path / "dot.json")
    assert_one_clear_line(done, 2, "kraken at http://127.0.0.1:9 does not answer")
    assert not (tmp_path / "dot.json").exists()
