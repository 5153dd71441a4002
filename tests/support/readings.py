"""One registry's bytes read twice, by compiled decoders and by careful ones, and held together."""

from collections.abc import Callable
from typing import Any

from ibp_chain.errors import DecodeError
from ibp_chain.scale import metadata as md
from ibp_chain.scale.careful import Careful
from ibp_chain.scale.compiler import FAILURES, Compiled, Compiler, Malformed, Skipper
from ibp_chain.scale.decoder import Decoders
from ibp_chain.scale.encoder import Encoders
from ibp_chain.scale.events import EventDecoder
from ibp_chain.scale.extrinsics import ExtrinsicDecoder
from ibp_chain.scale.input import Input
from ibp_chain.scale.layout import Layout
from ibp_chain.scale.values import NOT_READ

REFUSED = "refused"
"""What a reading gives for bytes that it cannot read."""


class Disagreement(AssertionError):
    """The compiled decoders gave a value that the careful ones did not give."""


class Readings:
    """Both ways to read one registry. A reading gives a value or `REFUSED`; any other exception
    than those of the contract passes through.
    """

    def __init__(self, metadata: md.Metadata) -> None:
        self.metadata, self.layout = metadata, Layout(metadata)
        self.compiler = Compiler(metadata, self.layout)
        self.decoders = Decoders(metadata, self.layout)
        self.encoders = Encoders(metadata, self.layout)
        self.careful = Careful(metadata, self.decoders)
        self._extrinsics: dict[frozenset[str] | None, ExtrinsicDecoder] = {}
        self._events: dict[frozenset[str] | None, EventDecoder] = {}
        self._fields: dict[tuple[md.Field, ...], Compiled] = {}
        self._skippers: dict[md.TypeId, int | Skipper] = {}

    def value(self, type_id: md.TypeId, raw: bytes) -> Any:
        """Of any type, all of `raw`."""

        def compiled() -> Any:
            value, end = self.compiler.type(type_id)(raw, 0, 0)
            if end != len(raw):
                raise Malformed
            return value

        return _both(compiled, lambda: self.careful_value(type_id, raw))

    def extrinsic(self, raw: bytes, pallets: frozenset[str] | None = None) -> Any:
        """With `pallets`, arguments of other pallets' calls are passed over unread: they may be
        malformed, as in `events`.
        """
        expected = _both(lambda: self.compiled_extrinsic(raw), lambda: self.careful.extrinsic(raw))
        if pallets is None:
            return expected
        try:
            found = self.compiled_extrinsic(raw, pallets)
        except FAILURES:
            return expected
        if expected == REFUSED:
            if found.call.args is not NOT_READ:
                raise Disagreement(f"compiled gives {found!r:.2000}, careful refuses it")
            return REFUSED
        args = expected.call.args if found.call.args is NOT_READ else found.call.args
        if found._replace(call=found.call._replace(args=args)) != expected:
            raise Disagreement(f"compiled gives {found!r:.2000}, careful gives {expected!r:.2000}")
        return expected

    def compiled_extrinsic(self, raw: bytes, pallets: frozenset[str] | None = None) -> Any:
        """By the compiled decoder alone. Raises one of `FAILURES`."""
        return self._extrinsic_decoder(pallets).decode(raw)

    def events(self, raw: bytes, pallets: frozenset[str] | None = None) -> Any:
        """Selected events pass over the others unread: those may be malformed, and only the careful
        reading refuses them. That difference, and no other, is allowed.
        """
        if pallets not in self._events:
            self._events[pallets] = EventDecoder(self.metadata, self.compiler, pallets)
        decoder = self._events[pallets]
        return _both(
            lambda: decoder.decode(raw),
            lambda: self.careful.events(raw, pallets),
            unread=pallets is not None,
        )

    def careful_value(self, type_id: md.TypeId, raw: bytes) -> Any:
        """Raises `DecodeError`."""
        source = Input(raw)
        value = self.decoders.of(type_id)(source)
        source.end()
        return value

    def _extrinsic_decoder(self, pallets: frozenset[str] | None) -> ExtrinsicDecoder:
        if pallets not in self._extrinsics:
            decoder = ExtrinsicDecoder(self.metadata, self.compiler, pallets)
            self._extrinsics[pallets] = decoder
        return self._extrinsics[pallets]

    def compiled_fields(self, fields: tuple[md.Field, ...]) -> Compiled:
        """The compiled decoder of a struct with these fields."""
        if fields not in self._fields:
            self._fields[fields] = self.compiler.fields(fields)
        return self._fields[fields]

    def skip(self, type_id: md.TypeId, raw: bytes, at: int = 0) -> int:
        """Where the compiled skipper of a type ends; -1 where it fails."""
        if type_id not in self._skippers:
            self._skippers[type_id] = self.compiler.skip_fields((md.Field(None, type_id),))
        skipper = self._skippers[type_id]
        if isinstance(skipper, int):
            return at + skipper
        try:
            return skipper(raw, at)
        except FAILURES:
            return -1


def _both(compiled: Callable[[], Any], careful: Callable[[], Any], *, unread: bool = False) -> Any:
    try:
        expected = careful()
    except DecodeError:
        expected = REFUSED
    try:
        value = compiled()
    except FAILURES:
        return expected
    if value != expected and not (unread and expected is REFUSED):
        raise Disagreement(f"compiled gives {value!r:.2000}, careful gives {expected!r:.2000}")
    return expected
