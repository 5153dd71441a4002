"""One form each: what a document may look like, and what is refused."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ibp_chain.errors import ConfigError
from ibp_chain.remarks import canonical_json
from multisig.bundle import Bundle
from multisig.documents import MAX_BYTES, MAX_PLANCK, parse, read_file, write_file
from multisig.errors import DocumentError
from multisig.statement import Price, Statement
from tests.support import payouts
from tests.support.command_line import DEMO
from tests.support.payouts import as_json, bundle, sealed, with_value

USD = ("statement", "price", "usd")
PLANCK = ("statement", "lines", 0, "planck")
TIME = "2026-02-01T00:00:00Z"


def changed(path: payouts.Path, value: Any) -> bytes:
    return sealed(with_value(as_json(bundle()), path, value))


def price(usd: Any, source: str = "by hand", at: str = TIME) -> Price:
    return Price(usd=usd, source=source, at=at)


# --- Files --------------------------------------------------------------------------------


def test_a_document_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    write_file(path, bundle().encoded)
    assert read_file(path, Bundle) == bundle()
    assert path.read_bytes() == bundle().encoded + b"\n"
    assert [file.name for file in tmp_path.iterdir()] == ["bundle.json"]


def test_a_document_may_lack_the_last_newline(tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    path.write_bytes(bundle().encoded)
    assert read_file(path, Bundle) == bundle()


def test_the_statement_in_the_bundle_is_the_statement_beside_it() -> None:
    assert read_file(DEMO / "statement.json", Statement) == bundle().statement


def test_a_document_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "bundle.json"
    target.mkdir()  # nothing can be renamed over a folder
    with pytest.raises(ConfigError, match=r"bundle\.json cannot be written"):
        write_file(target, b"{}")
    assert target.is_dir()
    assert [file.name for file in tmp_path.iterdir()] == ["bundle.json"]
    with pytest.raises(ConfigError, match="cannot be written: No such file"):
        write_file(tmp_path / "nowhere" / "bundle.json", b"{}")


def test_an_oversize_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(DocumentError, match=rf"bundle\.json: longer than {MAX_BYTES} bytes"):
        read_file(path, Bundle)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"bundle\.json: No such file"):
        read_file(tmp_path / "bundle.json", Bundle)
    with pytest.raises(DocumentError, match="Is a directory"):
        read_file(tmp_path, Bundle)


def test_an_error_names_the_file_and_the_field(tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    path.write_bytes(changed(("multisig", "threshold"), 1))
    with pytest.raises(DocumentError, match=r"bundle\.json: no bundle: multisig\.threshold: "):
        read_file(path, Bundle)


# --- Form ---------------------------------------------------------------------------------

_ENCODED = bundle().encoded


@pytest.mark.parametrize(
    "data",
    [
        b" " + _ENCODED,
        _ENCODED + b"\n",
        json.dumps(json.loads(_ENCODED), indent=1, sort_keys=True).encode(),
        json.dumps(dict([*json.loads(_ENCODED).items()][::-1]), separators=(",", ":")).encode(),
        _ENCODED.decode().encode("utf-16"),
        _ENCODED.replace(b'"part":1,', b'"part":1,"part":1,'),
        _ENCODED.replace(b"scenario", b"\\u0073cenario"),
    ],
    ids=["space before", "newline", "indented", "unsorted", "utf-16", "key twice", "escape"],
)
def test_another_spelling_of_the_same_is_refused(data: bytes) -> None:
    assert json.loads(data) == json.loads(_ENCODED)
    with pytest.raises(DocumentError, match=r"not in canonical form"):
        parse(data, Bundle)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b'"bundle"',
        b"[" * 100_000,
        b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
        b"1" * 5_000,
        b'"\\ud800"',
        b"NaN",
    ],
    ids=lambda data: data[:12].decode("latin-1"),
)
def test_what_is_no_document_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(DocumentError, match="no bundle: "):
        parse(data, Bundle)


@pytest.mark.parametrize(
    ("path", "number"),
    [
        (("part",), b"1.0"),
        (("chain", "spec_version"), b"1001002.0"),
        (("part",), b"1e0"),
        (("part",), b"-0.0"),
        (("part",), b"Infinity"),
    ],
)
def test_floats_are_refused_even_where_they_are_whole(path: payouts.Path, number: bytes) -> None:
    value = with_value(as_json(bundle()), path, 987_654_321)
    data = canonical_json(value).replace(b"987654321", number)
    with pytest.raises(DocumentError):
        parse(data, Bundle)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (USD, "1e1", "statement.price.usd"),
        (USD, "2E-1", "statement.price.usd"),
        (USD, 2, "statement.price.usd"),
        (USD, "0", "statement.price.usd"),
        (USD, "0.00", "statement.price.usd"),
        (USD, "-2.15", "statement.price.usd"),
        (USD, "+2.15", "statement.price.usd"),
        (USD, "02.15", "statement.price.usd"),
        (USD, ".5", "statement.price.usd"),
        (USD, "2.", "statement.price.usd"),
        (USD, " 2.15", "statement.price.usd"),
        (USD, "2,15", "statement.price.usd"),
        (USD, "1_000", "statement.price.usd"),
        (USD, "\u0662.\u0661\u0665", "statement.price.usd"),
        (USD, "NaN", "statement.price.usd"),
        (USD, "Infinity", "statement.price.usd"),
        (USD, "0." + "0" * 18 + "1", "statement.price.usd"),
        (PLANCK, "-1", "statement.lines.0.planck"),
        (PLANCK, "01", "statement.lines.0.planck"),
        (PLANCK, "1e3", "statement.lines.0.planck"),
        (PLANCK, str(MAX_PLANCK + 1), "statement.lines.0.planck"),
        (("statement", "lines", 0, "days"), [], "statement.lines.0.days"),
        (("statement", "lines", 0, "days", 0), "2026-01-32", "statement.lines.0.days.0"),
        (("statement", "lines", 0, "member"), "../amforc", "statement.lines.0.member"),
        (("statement", "period"), "2026-13", "statement.period"),
        (("statement", "price", "at"), "2026-02-30T00:00:00Z", "statement.price.at"),
        (("statement", "price", "at"), "2026-02-01T00:00:00+01:00", "statement.price.at"),
        (("statement", "withheld", 0, "reason"), "dislike", "statement.withheld.0.reason"),
        (("multisig", "signatories"), [], "multisig.signatories"),
        (("multisig", "threshold"), True, "multisig.threshold"),
        (("call",), "0X1A", "call"),
        (("call",), "0x1", "call"),
        (("call",), "1a02", "call"),
        (("call_hash",), "0x00", "call_hash"),
        (("part",), 0, "part"),
        (("version",), 2, "version"),
        (("format",), "ibp-statement", "format"),
        (("note",), "trust me", "note"),
        (("statement", "note"), "trust me", "statement.note"),
        (("statement", "lines", 0, "tip"), "1", "statement.lines.0.tip"),
    ],
)
def test_a_wrong_value_is_refused_by_its_field(path: payouts.Path, value: Any, field: str) -> None:
    with pytest.raises(DocumentError) as refused:
        parse(changed(path, value), Bundle)
    assert str(refused.value).startswith(f"no bundle: {field}: ")


def test_a_bundle_without_a_checksum_or_with_another_is_refused() -> None:
    with pytest.raises(DocumentError, match="it has no checksum: build it again"):
        parse(canonical_json(as_json(bundle())), Bundle)
    hinted = as_json(bundle()) | {"weight": {"ref_time": 1_000, "proof_size": 5}}
    assert parse(sealed(hinted), Bundle).weight is not None
    with pytest.raises(DocumentError, match=r"its checksum is 0x.*, its content has 0x"):
        parse(sealed(hinted).replace(b'"ref_time":1000', b'"ref_time":2000'), Bundle)


def test_an_amount_is_no_number() -> None:
    """Readers that know doubles only would read another one behind 2**53."""
    with pytest.raises(DocumentError, match="a value is not in its one form"):
        parse(changed(PLANCK, 1_500_372_093_023), Bundle)


def test_an_optional_field_is_left_out_and_never_null() -> None:
    data = bundle().encoded.replace(b'"version":1}', b'"version":1,"weight":null}')
    with pytest.raises(DocumentError, match="no bundle: "):
        parse(data, Bundle)


@pytest.mark.parametrize("path", [("call",), ("statement", "lines"), ("multisig", "account")])
def test_a_missing_field_is_refused_by_name(path: tuple[str, ...]) -> None:
    value = as_json(bundle())
    inner = value
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    with pytest.raises(DocumentError) as refused:
        parse(sealed(value), Bundle)
    assert str(refused.value) == f"no bundle: {'.'.join(path)}: Field required"


# --- Text that people read ----------------------------------------------------------------

_HOSTILE = [
    "\x1b[2J\x1b[1;1HAll is well",
    "line\nbreak",
    "a\u202eb",
    "zero\u200bwidth",
    "\x7f",
]


@pytest.mark.parametrize("text", _HOSTILE)
@pytest.mark.parametrize(
    ("path", "field"),
    [
        (("statement", "price", "source"), "statement.price.source"),
        (("statement", "withheld", 0, "detail"), "statement.withheld.0.detail"),
        (("statement", "lines", 0, "payee"), "statement.lines.0.payee"),
        (("statement", "ledger", "network"), "statement.ledger.network"),
        (("chain", "network"), "chain.network"),
        (("multisig", "account"), "multisig.account"),
        (("multisig", "signatories", 0), "multisig.signatories.0"),
    ],
)
def test_text_that_would_move_the_cursor_or_hide_is_refused(
    text: str, path: payouts.Path, field: str
) -> None:
    """A curator reads these on a terminal before signing."""
    with pytest.raises(DocumentError) as refused:
        parse(changed(path, text), Bundle)
    assert str(refused.value).startswith(f"no bundle: {field}: ")
    assert "\x1b" not in str(refused.value)


def test_text_of_other_scripts_is_taken() -> None:
    assert price("2.15", "Börse Zürich, 价格").source == "Börse Zürich, 价格"


# --- Numbers built in Python --------------------------------------------------------------


@pytest.mark.parametrize(
    ("usd", "written"),
    [
        ("2.15", "2.15"),
        ("2.50", "2.50"),
        ("1000", "1000"),
        ("0.0000001", "0.0000001"),
        ("0.000000000000000001", "0.000000000000000001"),
    ],
)
def test_a_price_is_written_in_plain_digits(usd: str, written: str) -> None:
    for given in (usd, Decimal(usd)):
        made = price(given)
        assert made.model_dump(mode="json")["usd"] == written
        assert Price.model_validate(made.model_dump(mode="json")) == made


@pytest.mark.parametrize("usd", ["1E+3", "NaN", "sNaN", "Infinity", "-Infinity", "-1", "0"])
def test_a_decimal_without_plain_digits_is_refused(usd: str) -> None:
    with pytest.raises(ValidationError, match="usd"):
        price(Decimal(usd))


@pytest.mark.parametrize("usd", [2.15, 2, True, None, b"2.15"])
def test_a_price_is_never_a_binary_number(usd: object) -> None:
    with pytest.raises(ValidationError, match="written as text"):
        price(usd)
