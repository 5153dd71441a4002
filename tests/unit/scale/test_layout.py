"""What a registry's types are, before any bytes are there."""

import time
from dataclasses import replace

import pytest

from ibp_chain.errors import DecodeError
from ibp_chain.scale import metadata as md
from ibp_chain.scale.layout import MAX_HEIGHT, Layout
from tests.support.odd_registry import Registry, odd_registry


@pytest.fixture(scope="module")
def odd() -> Registry:
    return odd_registry()


@pytest.fixture(scope="module")
def layout(odd: Registry) -> Layout:
    return Layout(odd.metadata())


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("()", 0), ("bool", 1), ("char", 4), ("i256", 32), ("str", None), ("[u8; 0]", 0),
        ("[u8; 64]", 64), ("[[u16; 2]; 3]", 12), ("[str; 2]", None), ("[char; 0]", 0),
        ("(u8, (u64), bool)", 10), ("Compact<u8>", None), ("Compact<()>", 0),
        ("Bits<u8>", None), ("Vec<()>", None), ("Option<()>", 1), ("Fixed", 123), ("Empty", 0),
        ("Mixed", None), ("Plain", 1), ("Even", 5), ("Rich", None), ("Chain", None),
        ("Tree", None), ("Expression", None), ("Call", None), ("Calls", None),
    ],
)  # fmt: skip
def test_a_size_is_known_where_every_value_has_it(
    odd: Registry, layout: Layout, name: str, size: int | None
) -> None:
    assert layout.size(odd.id(name)) == size


def test_every_cycle_is_counted_once_a_round(odd: Registry, layout: Layout) -> None:
    counted = {name for name, type_id in odd.ids.items() if type_id in layout.counted}
    assert counted == {"Call", "Calls", "Expression", "Chain", "Option<Chain>", "Tree", "Vec<Tree>"}


@pytest.mark.parametrize(
    ("name", "bits"),
    [("u8", 8), ("u256", 256), ("Wrapped", 16), ("Named", 16), ("(u64)", 64)],
)
def test_a_compact_is_as_wide_as_the_integer_inside(
    odd: Registry, layout: Layout, name: str, bits: int
) -> None:
    assert layout.compact_bits(odd.id(name)) == bits


@pytest.mark.parametrize(
    ("name", "may"),
    [
        ("Option<u8>", True), ("Perhaps", True), ("(Perhaps)", True), ("Option<Perhaps>", True),
        ("u8", False), ("()", False), ("Chain", False), ("Empty", False), ("Mixed", False),
    ],
)  # fmt: skip
def test_a_value_that_may_look_like_none_is_known(
    odd: Registry, layout: Layout, name: str, may: bool
) -> None:
    assert layout.may_be_none(odd.id(name)) is may


@pytest.mark.parametrize(
    ("store", "count", "size"),
    [("u8", 0, 0), ("u8", 1, 1), ("u8", 8, 1), ("u8", 9, 2), ("u16", 1, 2), ("u16", 17, 4),
     ("u32", 0, 0), ("u32", 33, 8), ("u64", 1, 8), ("u64", 65, 16)],
)  # fmt: skip
def test_bits_fill_whole_words_of_their_store(
    odd: Registry, layout: Layout, store: str, count: int, size: int
) -> None:
    assert layout.bits_size(odd.id(f"Bits<{store}>"), count) == size


def test_an_option_is_only_what_has_its_variants(odd: Registry, layout: Layout) -> None:
    assert layout.some_type(odd.id("Option<u8>")) == odd.id("u8")
    assert layout.some_type(odd.id("Result")) is None
    registry = Registry()
    registry.add("u8", md.Primitive("u8"))
    swapped = registry.variant("Some", 0, "u8"), registry.variant("None", 1)
    option = registry.add("Option", md.Variants(swapped), ("Option",))
    registry.add("Address", md.Tuple(()))
    assert _layout(registry).some_type(option) is None


# --- Hostile registries -----------------------------------------------------------------


def test_types_inside_types_have_an_end() -> None:
    registry = Registry()
    registry.add("0", md.Primitive("u8"))
    for at in range(1, MAX_HEIGHT):
        registry.struct(str(at), of=str(at - 1))
    assert _layout(registry).size(registry.id(str(MAX_HEIGHT - 1))) == 1
    for at in range(MAX_HEIGHT, 20_000):
        registry.struct(str(at), of=str(at - 1))
    with pytest.raises(DecodeError, match="types inside types"):
        _layout(registry)


def test_values_without_bytes_do_not_multiply() -> None:
    registry = Registry()
    registry.add("0", md.Tuple(()))
    for at in range(1, 40):
        registry.wrapper(str(at), str(at - 1), str(at - 1))
    with pytest.raises(DecodeError, match="take no bytes"):
        _layout(registry)


def test_a_way_back_beside_the_enum_is_counted_too() -> None:
    registry = Registry()
    registry.sequence("Tree")
    registry.struct("Tree", branches="Vec<Tree>", other="Enum")
    registry.enum("Enum", registry.variant("A", 0), registry.variant("B", 1, "Tree"))
    counted = _layout(registry).counted
    assert counted == {registry.id("Enum"), registry.id("Tree"), registry.id("Vec<Tree>")}


def test_a_type_that_only_holds_itself_is_refused() -> None:
    registry = Registry()
    registry.wrapper("A", "B")
    registry.add("B", md.Tuple((registry.id("A"),)))
    registry.add("Compact<A>", md.Compact(registry.id("A")))
    with pytest.raises(DecodeError, match="holds itself without end"):
        _layout(registry)


@pytest.mark.parametrize("inner", ["bool", "str", "i32", "Vec<u8>", "Plain", "(u8, str, u32)"])
def test_a_compact_of_what_is_no_unsigned_integer_is_refused(inner: str) -> None:
    registry = odd_registry()
    registry.add("Bad", md.Compact(registry.id(inner)))
    with pytest.raises(DecodeError, match="compact and no unsigned integer"):
        Layout(registry.metadata())


@pytest.mark.parametrize("store", ["bool", "str", "i32", "u128", "Plain", "missing"])
def test_a_bit_sequence_of_what_is_no_word_is_refused(store: str) -> None:
    registry = odd_registry()
    metadata = registry.metadata()
    bits = md.BitSequence(registry.ids.get(store, 998), 0)
    types = {**metadata.types, 999: md.Type((), {}, bits)}
    with pytest.raises(DecodeError, match="a bit sequence is stored in u8 to u64"):
        Layout(replace(metadata, types=types))


def test_a_great_many_types_take_no_great_time() -> None:
    cycle = {at: md.Type((), {}, md.Sequence((at + 1) % 60_000)) for at in range(60_000)}
    chain = {**cycle, 59_999: md.Type((), {}, md.Primitive("u8"))}
    began = time.process_time()
    for endless in (cycle, chain):
        with pytest.raises(DecodeError, match="types inside types"):
            Layout(_with_call(endless))
    flat = {at: md.Type((), {}, md.Primitive("u8")) for at in range(60_000)}
    Layout(_with_call(flat))
    assert time.process_time() - began < 5


def _layout(registry: Registry) -> Layout:
    return Layout(_with_call(registry.types))


def _with_call(types: dict[md.TypeId, md.Type]) -> md.Metadata:
    call = max(types) + 1
    types = {**types, call: md.Type((), {}, md.Variants(()))}
    return md.Metadata(14, types, {}, md.ExtrinsicFormat(0, call, 0, (), {0: ()}))
