"""Rows as bytes: one canonical order, one encoding, one root, and nothing else is read."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from ibp_chain.blocks import blake2_256
from ibp_chain.errors import DecodeError
from ibp_chain.merkle import inclusion_proof, tree_root
from ibp_chain.types import Hash, Micros, Ppm
from oracles import layout
from oracles.errors import RowsAltered, RowsError
from oracles.report import REPORT, ConsensusRow, MilestoneDay, ReportRow, ServiceDay
from oracles.rows import Tree
from oracles.samples import OBSERVATION, ObservationRow
from tests.support.scores import DAY, ORACLES, observed, series

DAY_BYTES = "02500000"  # 20,482 days from 1970-01-01, little-endian
ALPHA = "14" + b"alpha".hex()  # compact 5
POLKADOT = "20" + b"polkadot".hex()

CONSENSUS = ConsensusRow(
    DAY, "alpha", "polkadot", bytes([0, 1, 2, 3, 4]) + bytes([3]) * 283,
    (Micros(1), Micros(2**32 - 1)),
)  # fmt: skip
SERVICE = ServiceDay(
    DAY, "alpha", "polkadot", 281, 7, 0, 0, 0, Ppm(975_694), Micros(51_737), Micros(75_853),
    Micros(83_018),
)  # fmt: skip
SILENT = ServiceDay(DAY, "alpha", "polkadot", 0, 0, 0, 288, 0, None, None, None, None)
MILESTONE = MilestoneDay(DAY, "alpha", 3, -14, False, 2, 0, 1, 0)


# --- Bytes, one by one --------------------------------------------------------------------


def test_an_observation_is_oracle_day_names_slots_and_times() -> None:
    row = observed(0, series(".FS", "?"))
    assert OBSERVATION.schema.encode(row).hex() == (
        ORACLES[0].hex() + DAY_BYTES + ALPHA + POLKADOT
        + "000102" + "03" * 285
        + "08" + "204e0000" + "e0220200"  # two times: 20,000 and 140,000
    )  # fmt: skip


def test_agreed_slots_are_variant_0() -> None:
    assert REPORT.schema.encode(CONSENSUS).hex() == (
        "00" + DAY_BYTES + ALPHA + POLKADOT
        + "0001020304" + "03" * 283
        + "08" + "01000000" + "ffffffff"
    )  # fmt: skip


def test_a_service_day_is_variant_1() -> None:
    assert REPORT.schema.encode(SERVICE).hex() == (
        "01" + DAY_BYTES + ALPHA + POLKADOT
        + "1901" + "0700" + "0000" + "0000" + "0000"
        + "01" + "4ee30e00" + "01" + "19ca0000" + "01" + "4d280100" + "01" + "4a440100"
    )  # fmt: skip
    assert REPORT.schema.encode(SILENT).hex().endswith("2001" + "0000" + "00" * 4)


def test_a_milestone_day_is_variant_2() -> None:
    assert REPORT.schema.encode(MILESTONE).hex() == (
        "02" + DAY_BYTES + ALPHA + "03" + "f2ffffff" + "00"
        + "02000000" + "00000000" + "01000000" + "00000000"
    )  # fmt: skip


def test_288_times_are_counted_in_two_bytes() -> None:
    row = observed(0, series(""))
    raw = OBSERVATION.schema.encode(row)
    assert raw[-288 * 4 - 2 :][:2].hex() == "8104"
    assert OBSERVATION.schema.decode(raw) == row


@pytest.mark.parametrize("row", [CONSENSUS, SERVICE, SILENT, MILESTONE])
def test_rows_come_back_from_their_bytes(row: ReportRow) -> None:
    assert REPORT.schema.decode(REPORT.schema.encode(row)) == row


def test_days_are_counted_from_1970() -> None:
    assert layout.day.encode(date(1970, 1, 1)) == bytes(4)
    assert layout.day.decode(layout.day.encode(date.max)) == date.max
    with pytest.raises(DecodeError, match="are no date"):
        layout.day.decode(b"\xff" * 4)
    with pytest.raises(ValueError, match="does not fit"):
        layout.day.encode(date(1969, 12, 31))


# --- Bytes that are no row -----------------------------------------------------------------


def _at(raw: bytes, offset: int, value: int) -> bytes:
    return raw[:offset] + bytes([value]) + raw[offset + 1 :]


_RAW = REPORT.schema.encode(SERVICE)
_SLOTS = REPORT.schema.encode(CONSENSUS)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "expected"),
        (_at(_RAW, 0, 3), "3"),  # no such variant
        (_at(_RAW, 6, ord("A")), "no member id"),
        (_at(_RAW, 6, 0xFF), "UTF-8"),
        (_at(_RAW, 20, 0), "slots of a day are 288"),
        (_at(_RAW, 30, 2), "no bool"),
        (_at(_RAW, 31, 0x4F), "does not follow from the counts"),
        (_at(_RAW, 38, 0xFF), "percentiles fall"),
        (_RAW[:-5] + b"\0", "exactly where a slot was answered"),
        (_at(_SLOTS, 20, 5), "5 is no code"),
        (_at(_SLOTS, 21, 0), "2 response times for 3 answered slots"),
        (_at(_SLOTS, 308, 4), "1 response times for 2|bytes too many"),
        (_SLOTS[:308] + b"\xfe\xff\xff\xff", "1073741823 response times"),
        (_at(REPORT.schema.encode(MILESTONE), 11, 9), "milestone 9"),
        (_at(REPORT.schema.encode(MILESTONE), 16, 2), "no bool"),
        (_at(REPORT.schema.encode(MILESTONE), 29, 1), "failed or slow, never both"),
    ],
)
def test_bytes_that_say_something_impossible_are_refused(raw: bytes, said: str) -> None:
    with pytest.raises(DecodeError, match=said):
        REPORT.schema.decode(raw)


def test_a_longer_spelling_of_a_length_is_refused() -> None:
    name_at = 5
    assert _RAW[name_at] == 0x14  # compact 5
    longer = _RAW[:name_at] + b"\x15\x00" + _RAW[name_at + 1 :]
    with pytest.raises(DecodeError):
        REPORT.schema.decode(longer)


# --- Sets of rows ------------------------------------------------------------------------

ROWS = OBSERVATION.canonical(observed(0, series("F"), m, s) for m, s in (
    ("beta", "polkadot"), ("alpha", "polkadot"), ("alpha", "kusama"),
))  # fmt: skip
ROOT, PACKED = OBSERVATION.root(ROWS), OBSERVATION.pack(ROWS)


def test_rows_have_one_order() -> None:
    assert [(row.member, row.service) for row in ROWS] == [
        ("alpha", "kusama"), ("alpha", "polkadot"), ("beta", "polkadot"),
    ]  # fmt: skip
    rows = (MILESTONE, SERVICE, CONSENSUS, replace(MILESTONE, member="aa"))
    assert [type(row) for row in REPORT.canonical(rows)] == [
        ConsensusRow, ServiceDay, MilestoneDay, MilestoneDay,
    ]  # fmt: skip


def test_milestones_ascend_as_numbers_within_a_member() -> None:
    rows = [replace(MILESTONE, milestone=n) for n in (5, 3)]
    assert [row.milestone for row in REPORT.canonical(rows) if isinstance(row, MilestoneDay)] == [
        3,
        5,
    ]


def test_published_rows_are_their_count_and_their_bytes() -> None:
    assert b"\x0c" + b"".join(map(OBSERVATION.schema.encode, ROWS)) == PACKED
    assert OBSERVATION.unpack(PACKED, root=ROOT, size=3) == ROWS
    assert OBSERVATION.unpack(PACKED, root=ROOT) == ROWS


def test_no_rows_are_published_as_one_byte() -> None:
    assert OBSERVATION.pack(()) == b"\0"
    assert OBSERVATION.root(()) == blake2_256(b"")
    assert OBSERVATION.unpack(b"\0", root=OBSERVATION.root(()), size=0) == ()


def test_the_root_is_over_the_rows_bytes() -> None:
    leaf = [blake2_256(b"\0" + OBSERVATION.schema.encode(row)) for row in ROWS]
    left = blake2_256(b"\1" + leaf[0] + leaf[1])
    assert blake2_256(b"\1" + left + leaf[2]) == ROOT


_FORMS: list[Callable[[tuple[ObservationRow, ...]], object]] = [
    OBSERVATION.root, OBSERVATION.pack, OBSERVATION.tree,
]  # fmt: skip


@pytest.mark.parametrize("form", _FORMS)
def test_rows_out_of_order_have_no_root_bytes_or_tree(
    form: Callable[[tuple[ObservationRow, ...]], object],
) -> None:
    with pytest.raises(RowsError, match="alpha/kusama is out of order"):
        form((ROWS[1], ROWS[0]))
    with pytest.raises(RowsError, match="two rows about alpha/kusama"):
        form((ROWS[0], ROWS[0]))


def test_two_rows_about_the_same_are_refused_whatever_they_say() -> None:
    with pytest.raises(RowsError, match="two rows about alpha/polkadot"):
        OBSERVATION.canonical([ROWS[1], observed(0, series("S"))])


@pytest.mark.parametrize("cut", [0, 1, 2, 100, len(PACKED) - 1])
def test_truncated_rows_are_refused(cut: int) -> None:
    with pytest.raises(RowsError, match="rows of observe root 0x"):
        OBSERVATION.unpack(PACKED[:cut], root=ROOT)


def test_bytes_behind_the_last_row_are_refused() -> None:
    with pytest.raises(RowsError, match="1 bytes behind the last row"):
        OBSERVATION.unpack(PACKED + b"\0", root=ROOT)


def test_a_huge_count_ends_with_the_input() -> None:
    huge = b"\xff" + b"\xff" * 67  # compact of 67 bytes
    with pytest.raises(RowsError):
        OBSERVATION.unpack(huge + PACKED[1:], root=ROOT)


def test_reordered_rows_are_refused_even_under_their_own_root() -> None:
    raw = [OBSERVATION.schema.encode(row) for row in (ROWS[1], ROWS[0])]
    with pytest.raises(RowsError, match="out of order"):
        OBSERVATION.unpack(b"\x08" + b"".join(raw), root=tree_root(raw))


def test_a_replayed_row_is_refused_even_under_its_own_root() -> None:
    raw = [OBSERVATION.schema.encode(ROWS[0])] * 2
    with pytest.raises(RowsError, match="two rows about"):
        OBSERVATION.unpack(b"\x08" + b"".join(raw), root=tree_root(raw))


def test_other_rows_are_not_those_of_the_root() -> None:
    others = (*ROWS[:2], observed(0, series("FF"), "beta"))
    with pytest.raises(RowsAltered, match="they hash to 0x"):
        OBSERVATION.unpack(OBSERVATION.pack(others), root=ROOT)


def test_the_digests_row_count_must_fit() -> None:
    with pytest.raises(RowsAltered, match="3 rows, the digest says 4"):
        OBSERVATION.unpack(PACKED, root=ROOT, size=4)


def test_rows_of_one_kind_are_not_read_as_the_other() -> None:
    with pytest.raises(RowsError):
        REPORT.unpack(PACKED, root=ROOT)


# --- Trees ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", range(18))
def test_a_tree_kept_whole_is_the_tree_that_is_folded(size: int) -> None:
    leaves = [bytes([n]) for n in range(size)]
    tree = Tree(leaves)
    assert (tree.root, tree.size) == (tree_root(leaves), size)
    for index in range(size):
        assert tree.path(index) == inclusion_proof(leaves, index)


@pytest.mark.parametrize("index", [-1, 3])
def test_a_tree_has_no_other_leaf(index: int) -> None:
    with pytest.raises(IndexError, match=f"leaf {index} of 3"):
        Tree([b"a", b"b", b"c"]).path(index)


def test_a_root_of_another_kind_is_no_hash_of_these_rows() -> None:
    with pytest.raises(RowsAltered):
        OBSERVATION.unpack(PACKED, root=Hash(bytes(32)))
