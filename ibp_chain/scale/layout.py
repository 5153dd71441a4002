"""What is known of a type before any bytes are there: its size, and whether it may hold itself."""

from collections.abc import Iterable, Mapping

from ibp_chain.scale import metadata as md

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
        self.counted = _counted(self.types)
        """Types whose every visit counts towards the depth: each way from a type back to itself
        leads through one of them."""

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

    def compact_bits(self, type_id: md.TypeId) -> int:
        """How wide the integer in a compact type is: `Compact<Perbill>` has a struct around it."""
        match self.types[type_id].definition:
            case md.Primitive(name) if name in INTEGERS:
                return INTEGERS[name][0] * 8
            case md.Composite((field,)):
                return self.compact_bits(field.type)
            case md.Tuple((item,)):
                return self.compact_bits(item)
        return 0  # Compact<()>, whose only value is zero

    def is_u8(self, type_id: md.TypeId) -> bool:
        return self.types[type_id].definition == md.Primitive("u8")

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


def _counted(types: Mapping[md.TypeId, md.Type]) -> frozenset[md.TypeId]:
    """In every cycle its enums; where there is none but `Option`, its structs."""
    found: set[md.TypeId] = set()
    for cycle in _cycles(types):
        enums = {
            type_id
            for type_id in cycle
            if isinstance(types[type_id].definition, md.Variants)
            and types[type_id].path != ("Option",)
        }
        found |= enums or cycle
    return frozenset(found)


def _cycles(types: Mapping[md.TypeId, md.Type]) -> list[set[md.TypeId]]:
    """Sets of types that all lead to one another (Tarjan's components, without lone types)."""
    order: dict[md.TypeId, int] = {}
    lowest: dict[md.TypeId, int] = {}
    open_: list[md.TypeId] = []
    is_open: set[md.TypeId] = set()
    cycles: list[set[md.TypeId]] = []
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
                    at = open_.index(type_id)
                    component = set(open_[at:])
                    del open_[at:]
                    is_open -= component
                    if len(component) > 1 or type_id in md.types_in(types[type_id]):
                        cycles.append(component)
    return cycles
