"""What is known of a type before any bytes are there: its size, and whether it may hold itself."""

from collections.abc import Iterable, Mapping

from ibp_chain.errors import DecodeError
from ibp_chain.scale import metadata as md

MAX_HEIGHT = 100
"""How many types may stand one inside the other, each type of a cycle counted; a third of it is
what real runtimes need. Whatever walks through types by recursion relies on it."""
MAX_BETWEEN = 8
"""Types from one that counts towards the depth to the next: bounds the stack, as the depth does."""
MAX_WEIGHTLESS = 64
"""Values in one that takes no bytes. More of them would be memory that no input pays for."""

INTEGERS: Mapping[str, tuple[int, bool]] = {
    f"{sign}{bits}": (bits // 8, sign == "i") for sign in "ui" for bits in (8, 16, 32, 64, 128, 256)
}
"""Primitive name to (size in bytes, signed)."""

_SIZES = {"bool": 1, "char": 4} | {name: size for name, (size, _) in INTEGERS.items()}


class Layout:
    """Facts about the types of one registry."""

    def __init__(self, metadata: md.Metadata) -> None:
        self.types, self.call_type = metadata.types, metadata.extrinsic.call
        self._sizes: dict[md.TypeId, int | None] = {}
        components = _components(self.types)
        _ensure_bounded_height(self.types, components)
        for component in components:  # inner types first
            _ensure_finite(self.types, component)
            for type_id in component:
                self._ensure_sound(type_id)
        self.counted = _counted(self.types, components)
        """Types whose every visit counts towards the depth: each way from a type back to itself
        leads through one of them."""
        self.carriers = _leading_to(self.call_type, self.types)
        """Types whose values may hold a call."""

    def size(self, type_id: md.TypeId) -> int | None:
        """Bytes that every value of a type takes; None where it depends on the value."""
        if type_id not in self._sizes:
            self._sizes[type_id] = None  # of a type that holds itself
            self._sizes[type_id] = self._size(type_id)
        return self._sizes[type_id]

    def sum(self, types: Iterable[md.TypeId]) -> int | None:
        """Of values one after the other."""
        total = 0
        for type_id in types:
            size = self.size(type_id)
            if size is None:
                return None
            total += size
        return total

    def some_type(self, type_id: md.TypeId) -> md.TypeId | None:
        """What an `Option` holds; None for every other type."""
        found = self.types[type_id]
        if found.path != ("Option",):
            return None
        match found.definition:
            case md.Variants((md.Variant("None", 0, ()), md.Variant("Some", 1, (field,)))):
                return field.type
        return None

    def may_be_none(self, type_id: md.TypeId) -> bool:
        """Whether a value of a type may be `None`: of an `Option`, and of what is shown as the one
        thing it holds.
        """
        match self.types[type_id].definition:
            case md.Composite((md.Field(None, inner),)) | md.Tuple((inner,)):
                return self.may_be_none(inner)
        return self.some_type(type_id) is not None

    def bits_size(self, type_id: md.TypeId, count: int) -> int:
        """How many bytes that many bits of a bit sequence take: whole words of its store."""
        word = self.bits_word(type_id)
        return (count + 8 * word - 1) // (8 * word) * word

    def bits_word(self, type_id: md.TypeId) -> int:
        """Bytes in a word of a bit sequence's store."""
        match self.types[type_id].definition:
            case md.BitSequence(store) if store in self.types:
                match self.types[store].definition:
                    case md.Primitive("u8" | "u16" | "u32" | "u64" as name):
                        return INTEGERS[name][0]
        raise DecodeError(f"type {type_id}: a bit sequence is stored in u8 to u64")

    def compact_bits(self, type_id: md.TypeId) -> int:
        """How wide the integer in a compact type is: `Compact<Perbill>` has a struct around it.

        Raises `DecodeError` for what is no integer.
        """
        match self.types[type_id].definition:
            case md.Primitive("u8" | "u16" | "u32" | "u64" | "u128" | "u256" as name):
                return INTEGERS[name][0] * 8
            case md.Composite((field,)):
                return self.compact_bits(field.type)
            case md.Tuple((item,)):
                return self.compact_bits(item)
        raise DecodeError(f"type {type_id} is compact and no unsigned integer")

    def is_u8(self, type_id: md.TypeId) -> bool:
        return self.types[type_id].definition == md.Primitive("u8")

    def _ensure_sound(self, type_id: md.TypeId) -> None:
        """Raises `DecodeError` for a type that no bytes can be read as, or without end."""
        match self.types[type_id].definition:
            case md.Compact(inner):
                self.compact_bits(inner)
            case md.BitSequence():
                self.bits_word(type_id)
        if self.size(type_id) == 0 and self._weightless(type_id) > MAX_WEIGHTLESS:
            raise DecodeError(f"type {type_id}: too many values that take no bytes")

    def _weightless(self, type_id: md.TypeId) -> int:
        """How many values there are in one of a type of no size."""
        match self.types[type_id].definition:
            case md.Array(0, _):
                return 1
            case md.Array(length, item):
                return 1 + length * self._weightless(item)
        return 1 + sum(map(self._weightless, md.types_in(self.types[type_id])))

    def _size(self, type_id: md.TypeId) -> int | None:
        match self.types[type_id].definition:
            case md.Primitive(name):
                return _SIZES.get(name)
            case md.Composite(fields):
                return self.sum(field.type for field in fields)
            case md.Tuple(items):
                return self.sum(items)
            case md.Array(length, item):
                size = self.size(item)
                return None if size is None else size * length
            case md.Variants(variants):
                sizes = {self.sum(field.type for field in v.fields) for v in variants}
                (only,) = sizes if len(sizes) == 1 else (None,)
                return None if only is None else only + 1
        return None


# --- Cycles ---------------------------------------------------------------------------


def _counted(
    types: Mapping[md.TypeId, md.Type], components: Iterable[set[md.TypeId]]
) -> frozenset[md.TypeId]:
    """In every cycle its enums; where there is none but `Option`, or where the ways from one to the
    next may be long, all of it.
    """
    found: set[md.TypeId] = set()
    for component in components:
        if not _is_cycle(types, component):
            continue
        enums = {
            type_id
            for type_id in component
            if isinstance(types[type_id].definition, md.Variants)
            and types[type_id].path != ("Option",)
        }
        if not enums or len(component - enums) > MAX_BETWEEN:
            found |= component
        else:
            found |= enums
            # what is left may still lead back to itself without them
            rest = {type_id: types[type_id] for type_id in component - enums}
            found |= _counted(rest, _components(rest))
    return frozenset(found)


def _is_cycle(types: Mapping[md.TypeId, md.Type], component: set[md.TypeId]) -> bool:
    (some, *others) = component
    return bool(others) or some in md.types_in(types[some])


def _ensure_finite(types: Mapping[md.TypeId, md.Type], component: set[md.TypeId]) -> None:
    definitions = (types[type_id].definition for type_id in component)
    if _is_cycle(types, component) and all(
        isinstance(definition, md.Composite | md.Tuple) for definition in definitions
    ):
        raise DecodeError(f"type {min(component)} holds itself without end")


def _ensure_bounded_height(
    types: Mapping[md.TypeId, md.Type], components: Iterable[set[md.TypeId]]
) -> None:
    heights: dict[md.TypeId, int] = {}
    for component in components:
        inner = {each for type_id in component for each in md.types_in(types[type_id])}
        below = max((heights[each] for each in inner - component), default=0)
        height = below + len(component)
        if height > MAX_HEIGHT:
            raise DecodeError(f"more than {MAX_HEIGHT} types inside types")
        heights.update(dict.fromkeys(component, height))


def _leading_to(target: md.TypeId, types: Mapping[md.TypeId, md.Type]) -> frozenset[md.TypeId]:
    users: dict[md.TypeId, list[md.TypeId]] = {}
    for type_id, found in types.items():
        for inner in md.types_in(found):
            users.setdefault(inner, []).append(type_id)
    reached, waiting = {target}, [target]
    while waiting:
        above = set(users.get(waiting.pop(), ())) - reached
        reached |= above
        waiting += above
    return frozenset(reached)


def _components(types: Mapping[md.TypeId, md.Type]) -> list[set[md.TypeId]]:
    """Sets of types that all lead to one another, mostly of one type; what a type is made of comes
    before it (Tarjan). Types that are not there are left out.
    """
    order: dict[md.TypeId, int] = {}
    lowest: dict[md.TypeId, int] = {}
    open_: list[md.TypeId] = []
    is_open: set[md.TypeId] = set()
    components: list[set[md.TypeId]] = []
    for root in types:
        if root in order:
            continue
        path = [(root, iter(md.types_in(types[root])))]
        order[root] = lowest[root] = len(order)
        open_.append(root)
        is_open.add(root)
        while path:
            type_id, rest = path[-1]
            for inner in rest:
                if inner not in types:
                    continue
                if inner not in order:
                    order[inner] = lowest[inner] = len(order)
                    open_.append(inner)
                    is_open.add(inner)
                    path.append((inner, iter(md.types_in(types[inner]))))
                    break
                if inner in is_open:
                    lowest[type_id] = min(lowest[type_id], order[inner])
            else:
                path.pop()
                if path:
                    above = path[-1][0]
                    lowest[above] = min(lowest[above], lowest[type_id])
                if lowest[type_id] == order[type_id]:
                    component = {open_.pop()}
                    while type_id not in component:
                        component.add(open_.pop())
                    is_open -= component
                    components.append(component)
    return components
