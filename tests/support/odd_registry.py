"""A small registry with the shapes that real metadata lacks, and with those that it has."""

from collections.abc import Sequence

from ibp_chain.scale import metadata as md

_TEXTUAL: tuple[md.PrimitiveName, ...] = ("bool", "char", "str")
_INTEGERS: tuple[md.PrimitiveName, ...] = (
    "u8", "u16", "u32", "u64", "u128", "u256", "i8", "i16", "i32", "i64", "i128", "i256",
)  # fmt: skip


class Registry:
    """Grows type by type; each has a name here, so that tests can speak of it."""

    def __init__(self) -> None:
        self.types: dict[md.TypeId, md.Type] = {}
        self.ids: dict[str, md.TypeId] = {}

    def id(self, name: str) -> md.TypeId:
        """Of a type that is there, or will be."""
        return self.ids.setdefault(name, len(self.ids))

    def add(self, name: str, definition: md.Definition, path: Sequence[str] = ()) -> md.TypeId:
        self.types[self.id(name)] = md.Type(tuple(path), {}, definition)
        return self.id(name)

    def struct(self, type_name: str, **fields: str) -> md.TypeId:
        named = tuple(md.Field(name, self.id(of)) for name, of in fields.items())
        return self.add(type_name, md.Composite(named), ("odd", type_name))

    def wrapper(self, type_name: str, *of: str) -> md.TypeId:
        """A struct with unnamed fields."""
        fields = tuple(md.Field(None, self.id(each)) for each in of)
        return self.add(type_name, md.Composite(fields), ("odd", type_name))

    def enum(self, type_name: str, *variants: md.Variant) -> md.TypeId:
        return self.add(type_name, md.Variants(variants), ("odd", type_name))

    def option(self, of: str) -> str:
        """Its name: `Option<of>`."""
        variants = md.Variant("None", 0, ()), self.variant("Some", 1, of)
        self.add(f"Option<{of}>", md.Variants(variants), ("Option",))
        return f"Option<{of}>"

    def sequence(self, of: str) -> str:
        """Its name: `Vec<of>`."""
        self.add(f"Vec<{of}>", md.Sequence(self.id(of)))
        return f"Vec<{of}>"

    def variant(self, name: str, index: int, *of: str) -> md.Variant:
        return md.Variant(name, index, tuple(md.Field(None, self.id(each)) for each in of))

    def metadata(self, version: int = 14) -> md.Metadata:
        """With two pallets: one with calls that hold calls, one with an event for each type."""
        call, calls = self._calls()
        unit = self.id("()")
        names = [name for name, type_id in self.ids.items() if name not in {"Calls", "Call"}]
        events = self.enum("Events", *self._events(names[:250]))
        storage = {
            name: md.StorageEntry(name, (), None, self.id(name)) for name in (*names, "Call")
        }
        extensions = (
            md.Extension("Era", self.id("u16"), unit),
            md.Extension("Tip", self.id("Compact<u128>"), unit),
            md.Extension("Mode", self.id("Option<Vec<u32>>"), unit),
        )
        versions = {0: (0, 1, 2), 1: (), 7: (2, 0)} if version == 16 else {0: (0, 1, 2)}
        account, signature = self.id("Address"), self.id("[u8; 64]")
        return md.Metadata(
            version,
            md.without_empty_compacts(self.types),
            {
                "Utility": md.Pallet("Utility", 3, "Utility", {}, calls, None, None, {}),
                "Odd": md.Pallet("Odd", 9, "Odd", storage, None, events, None, {}),
            },
            md.ExtrinsicFormat(account, call, signature, extensions, versions),
        )

    def _calls(self) -> tuple[md.TypeId, md.TypeId]:
        call = self.id("Call")
        calls = self.enum(
            "Calls",
            md.Variant("remark", 0, (md.Field("remark", self.id("Vec<u8>")),)),
            md.Variant("batch", 2, (md.Field("calls", self.id("Vec<Call>")),)),
            md.Variant("either", 3, tuple(md.Field(n, call) for n in ("main", "fallback"))),
            md.Variant("nothing", 4, ()),
            md.Variant("maybe", 250, (md.Field("call", self.id("Option<Call>")),)),
        )
        self.enum("Call", self.variant("Utility", 3, "Calls"))
        return call, calls

    def _events(self, names: Sequence[str]) -> list[md.Variant]:
        return [
            md.Variant(f"E{at}", at, (md.Field("value", self.id(name)),))
            for at, name in enumerate(names)
        ]


def odd_registry() -> Registry:
    registry = Registry()
    registry.add("()", md.Tuple(()))
    for name in _TEXTUAL:
        registry.add(name, md.Primitive(name))
    for integer in _INTEGERS:
        registry.add(integer, md.Primitive(integer))
    _compacts(registry)
    _lists(registry)
    _options(registry)
    _structs(registry)
    _recursive(registry)
    return registry


def _compacts(registry: Registry) -> None:
    registry.wrapper("Wrapped", "u16")
    registry.struct("Named", inner="Wrapped")
    registry.add("(u64)", md.Tuple((registry.id("u64"),)))
    unsigned = [name for name in _INTEGERS if name.startswith("u")]
    for inner in (*unsigned, "Wrapped", "Named", "(u64)", "()"):
        registry.add(f"Compact<{inner}>", md.Compact(registry.id(inner)))
    for store in ("u8", "u16", "u32", "u64"):
        registry.add(f"Bits<{store}>", md.BitSequence(registry.id(store), registry.id("()")))


def _lists(registry: Registry) -> None:
    for length in (0, 1, 64):
        registry.add(f"[u8; {length}]", md.Array(length, registry.id("u8")))
    for item, length in (("u32", 3), ("str", 2), ("bool", 5), ("Compact<u32>", 4), ("char", 0)):
        registry.add(f"[{item}; {length}]", md.Array(length, registry.id(item)))
    registry.add("[[u16; 2]; 3]", md.Array(3, registry.add("[u16; 2]", md.Array(2, 5))))
    assert registry.id("u16") == 5
    for item in ("u8", "i8", "u32", "u128", "i256", "bool", "char", "str", "Compact<u64>",
                 "[u8; 64]", "[u8; 0]", "[u16; 2]", "[str; 2]", "()", "Bits<u32>"):  # fmt: skip
        registry.sequence(item)
    registry.sequence(registry.sequence(registry.sequence("u16")))
    registry.add("(u8, str, u32)", md.Tuple(tuple(map(registry.id, ("u8", "str", "u32")))))
    registry.add("(u8, (u64), bool)", md.Tuple(tuple(map(registry.id, ("u8", "(u64)", "bool")))))
    registry.sequence("(u8, (u64), bool)")


def _options(registry: Registry) -> None:
    for name in ("bool", "u8", "()", "str", "Vec<u32>"):
        registry.option(name)
    registry.option(registry.option(registry.option("u32")))
    registry.wrapper("Perhaps", "Option<u8>")
    registry.option("Perhaps")  # its payload may look as if it were None
    registry.add("(Perhaps)", md.Tuple((registry.id("Perhaps"),)))
    registry.option("(Perhaps)")
    registry.sequence("Option<Perhaps>")
    registry.add("Option<()>[2]", md.Array(2, registry.id("Option<()>")))


def _structs(registry: Registry) -> None:
    registry.struct("Empty")
    registry.struct("Fixed", a="u8", b="i128", c="[u8; 64]", d="u256", e="(u8, (u64), bool)")
    registry.struct("Mixed", flag="bool", text="str", point="Fixed", list="Vec<Vec<Vec<u16>>>")
    registry.struct("Quotes", **{"it's": "u8", 'a "name"': "u8", "\\n{}\n": "u8", "p": "u8"})
    registry.sequence("Fixed")
    registry.enum("Plain", *(registry.variant(f"V{at}", at) for at in (0, 1, 5, 255)))
    registry.sequence("Plain")
    registry.enum(
        "Even", *(registry.variant(name, at, "u32") for at, name in enumerate(("A", "B")))
    )
    registry.sequence("Even")
    registry.enum(
        "Rich",
        registry.variant("Unit", 0),
        registry.variant("One", 1, "Mixed"),
        registry.variant("Two", 2, "u8", "str"),
        md.Variant("Struct", 9, (md.Field("x", registry.id("i16")), md.Field("y", 0))),
        registry.variant("List", 10, "Vec<u32>"),
    )
    registry.enum("Result", registry.variant("Ok", 0, "()"), registry.variant("Err", 1, "Rich"))
    registry.enum(
        "Address", registry.variant("Id", 0, "[u8; 64]"), registry.variant("Index", 1, "()")
    )


def _recursive(registry: Registry) -> None:
    registry.option("Chain")
    registry.struct("Chain", value="u8", next="Option<Chain>")
    registry.sequence("Tree")
    registry.struct("Tree", leaves="Vec<u8>", branches="Vec<Tree>")
    registry.enum(
        "Expression",
        registry.variant("Number", 0, "Compact<u64>"),
        registry.variant("Sum", 1, "Expression", "Expression"),
        registry.variant("Call", 2, "Call"),
    )
    registry.sequence("Call")
    registry.option("Call")
