"""substrate-interface's codec as a second opinion on bytes that we encoded ourselves.

Whatever is signed passes through here: a call must re-encode to the same bytes, and every
transaction extension must read as the type that the runtime's metadata declares. The codec shares
no code with `ibp_chain.scale`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from threading import Lock
from typing import Any, NamedTuple

from scalecodec.base import RuntimeConfigurationObject, ScaleBytes
from scalecodec.type_registry import load_type_registry_preset

from ibp_chain.errors import CheckFailed, DecodeError

_GENERIC_PREFIX = 42  # only for the codec's own texts: bytes do not depend on it
_ALONE = Lock()
"""Some of the codec's classes are shared by all configurations and hold the one they work for: two
runtimes' bytes, read in two threads, would be read by each other's types.
"""


class Extension(NamedTuple):
    """One transaction extension, by the codec's names for its two types."""

    name: str
    in_extrinsic: str
    in_payload: str
    """Signed, and in no extrinsic: `additional_signed`, now `implicit`."""


class _Configuration(RuntimeConfigurationObject):  # type: ignore[misc]
    """Makes the class for a type once, where the codec makes it at every place that has the type:
    metadata is read in a quarter of the time. Nothing is remembered while types are registered.
    """

    def __init__(self) -> None:
        super().__init__(ss58_format=_GENERIC_PREFIX)
        self._classes: dict[str, Any] | None = None

    def get_decoder_class(self, type_string: str | dict[str, Any]) -> Any:
        if self._classes is None or isinstance(type_string, dict):
            return super().get_decoder_class(type_string)
        found = self._classes.get(type_string)
        if found is None:
            found = self._classes[type_string] = super().get_decoder_class(type_string)
        if found is not None:
            # some classes are every configuration's: the codec too sets it each time
            found.runtime_config = self
        return found

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Inside, no type is registered."""
        self._classes = {}
        try:
            yield
        finally:
            self._classes = None


@lru_cache(maxsize=4)
def peer_codec(metadata: bytes) -> "PeerCodec":
    """The codec for a runtime, made once: it takes seconds, and is never changed afterwards."""
    return PeerCodec(metadata)


class PeerCodec:
    """The codec for one runtime. `metadata` in version 14, as `state_getMetadata` answers."""

    def __init__(self, metadata: bytes) -> None:
        self._config = _Configuration()
        self._config.clear_type_registry()
        self._config.update_type_registry(load_type_registry_preset("core"))
        try:
            with _ALONE:
                with self._config.remembering():
                    self._metadata = self._config.create_scale_object(
                        "MetadataVersioned", data=ScaleBytes(bytearray(metadata))
                    )
                    self._metadata.decode()
                self._config.add_portable_registry(self._metadata)
        except Exception as error:
            raise DecodeError(f"substrate-interface cannot read the metadata: {error}") from error
        self.extensions = tuple(
            Extension(name, types["extrinsic"], types["additional_signed"])
            for name, types in self._metadata.get_signed_extensions().items()
        )

    def call_index(self, pallet: str, name: str) -> tuple[int, int]:
        """(pallet index, call index). Raises `DecodeError` for what the runtime does not have."""
        found = self._metadata.get_metadata_pallet(pallet)
        for call in found.calls or () if found else ():
            if call.value["name"] == name:
                return int(found.value["index"]), int(call.value["index"])
        raise DecodeError(f"the runtime has no call {pallet}.{name}")

    def decode_call(self, call: bytes) -> Any:
        """The call as the codec shows it: nested dicts with `call_module`, `call_function` and
        `call_args`. Raises `CheckFailed` where it cannot read the bytes, or not all of them.
        """
        return self._whole("Call", call, "the call")

    def decode_events(self, raw: bytes) -> list[Any]:
        """The value of `System.Events`, each a dict with `phase`, `extrinsic_idx`, `module_id`,
        `event_id` and `attributes`. Raises `CheckFailed` where it cannot read them all.
        """
        item = self._metadata.get_metadata_pallet("System").get_storage_function("Events")
        return list(self._whole(item.get_value_type_string(), raw, "the events"))

    def check_call(self, call: bytes) -> str:
        """The `Pallet.name` that the codec reads; `CheckFailed` unless it encodes `call` again."""
        value = self.decode_call(call)
        again = self.encode_call(_without_indices(value))
        if again != call:
            raise CheckFailed(
                f"substrate-interface reads the call as {value['call_module']}."
                f"{value['call_function']}, but encodes it as 0x{again.hex()} instead "
                f"of 0x{call.hex()}"
            )
        return f"{value['call_module']}.{value['call_function']}"

    def encode_call(self, value: Any) -> bytes:
        """A call's bytes as the codec makes them, of `call_module`, `call_function`, and
        `call_args` by name. Raises `CheckFailed` where it cannot.
        """
        try:
            with _ALONE:
                return bytes(self._new("Call").encode(value).data)
        except Exception as error:
            raise CheckFailed(f"substrate-interface cannot encode the call: {error}") from error

    def check_value(self, type_name: str, raw: bytes, what: str) -> None:
        """Raises `CheckFailed` unless `raw` is exactly one value of the codec's `type_name`."""
        try:
            with _ALONE:
                self._new(type_name, raw).decode()
        except Exception as error:
            raise CheckFailed(
                f"{what} does not read as 0x{raw.hex()} in this runtime: {error}"
            ) from error

    def _whole(self, type_name: str, raw: bytes, what: str) -> Any:
        try:
            with _ALONE:
                read = self._new(type_name, raw)
                value = read.decode()
        except Exception as error:
            raise CheckFailed(f"substrate-interface cannot read {what}: {error}") from error
        if read.data.get_remaining_length():
            raise CheckFailed(f"substrate-interface leaves bytes of {what} unread")
        return value

    def _new(self, type_name: str, data: bytes | None = None) -> Any:
        raw = None if data is None else ScaleBytes(bytearray(data))
        return self._config.create_scale_object(type_name, data=raw, metadata=self._metadata)


def _without_indices(value: Any) -> Any:
    """A decoded call as the codec wants it for encoding: by names alone, at every depth."""
    match value:
        case {"call_module": module, "call_function": function, "call_args": arguments}:
            return {
                "call_module": module,
                "call_function": function,
                "call_args": {item["name"]: _without_indices(item["value"]) for item in arguments},
            }
        case dict():
            return {key: _without_indices(item) for key, item in value.items()}
        case list():
            return [_without_indices(item) for item in value]
        case tuple():
            return tuple(_without_indices(item) for item in value)
        case _:
            return value
