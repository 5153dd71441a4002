"""A call under another runtime: the same by names and arguments, or exactly what is different."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from ibp_chain.errors import DecodeError
from ibp_chain.runtime import Runtime
from ibp_chain.scale import metadata as md
from multisig.recheck import compare_call
from tests.support import payouts, recording
from tests.support.metadata_writer import write

CALL = payouts.bundle().call


@cache
def metadata() -> md.Metadata:
    return recording.runtime().metadata


def with_variants(type_id: md.TypeId, change: Callable[[md.Variant], md.Variant]) -> Runtime:
    enum = metadata().types[type_id].definition
    assert isinstance(enum, md.Variants)
    types = dict(metadata().types)
    definition = replace(enum, variants=tuple(map(change, enum.variants)))
    types[type_id] = replace(types[type_id], definition=definition)
    return Runtime.from_metadata(write(replace(metadata(), types=types)))


def calls_of(pallet: str) -> md.TypeId:
    found = metadata().pallets[pallet].calls
    assert found is not None
    return found


def test_the_same_runtime_reads_the_same() -> None:
    again = Runtime.from_metadata(write(metadata()))
    assert compare_call(CALL, recording.runtime(), again).same


def test_a_call_that_moved_to_another_index_has_another_hash_and_is_not_the_same() -> None:
    moved = {"remark_with_event": 90, "batch_all": 90}
    after = with_variants(
        calls_of("System"), lambda each: replace(each, index=moved.get(each.name, each.index))
    )
    assert not compare_call(CALL, recording.runtime(), after).same


def test_a_call_that_has_another_name_now_is_named() -> None:
    names = {"transfer_keep_alive": "force_transfer", "force_transfer": "transfer_keep_alive"}
    after = with_variants(
        calls_of("Balances"), lambda each: replace(each, name=names.get(each.name, each.name))
    )
    compared = compare_call(CALL, recording.runtime(), after)
    assert not compared.same
    assert compared.differences[0] == (
        "Utility.batch_all.calls[2]: Balances.transfer_keep_alive is Balances.force_transfer now"
    )
    assert len(compared.differences) == len(payouts.bundle().statement.lines)


def test_an_argument_that_is_called_otherwise_is_named_with_its_value() -> None:
    def renamed(each: md.Variant) -> md.Variant:
        if each.name != "transfer_keep_alive":
            return each
        value = replace(each.fields[1], name="amount")
        return replace(each, fields=(each.fields[0], value))

    compared = compare_call(CALL, recording.runtime(), with_variants(calls_of("Balances"), renamed))
    gone, new = compared.differences[:2]
    amount = payouts.bundle().statement.lines[0].planck
    where = "Utility.batch_all.calls[2] Balances.transfer_keep_alive"
    assert gone == f"{where}.value ({amount}) is gone"
    assert new == f"{where}.amount ({amount}) is new"


def test_bytes_that_are_no_call_any_more_are_said_to_be_unreadable() -> None:
    after = with_variants(
        calls_of("Utility"),
        lambda each: replace(each, index=99) if each.name == "batch_all" else each,
    )
    (why,) = compare_call(CALL, recording.runtime(), after).differences
    assert why.startswith("it can be read no more: ")


def test_bytes_that_were_never_a_call_are_refused() -> None:
    with pytest.raises(DecodeError):
        compare_call(b"\xff" + CALL, recording.runtime(), recording.runtime())
