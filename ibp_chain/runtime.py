"""One runtime's view of bytes: what its metadata says of extrinsics, events, calls and storage.

Pure. Values have the shapes of `ibp_chain.scale.values`; names are the metadata's own. Extrinsics
and events are read by compiled decoders; where those fail, the careful ones say what is wrong.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NoReturn

from ibp_chain.blocks import EventRecord, Extrinsic, blake2_256
from ibp_chain.errors import DecodeError, InputError
from ibp_chain.runtime_apis import ApiMethod, RuntimeApis, read_runtime_apis
from ibp_chain.scale import metadata as md
from ibp_chain.scale.careful import Careful
from ibp_chain.scale.compiler import FAILURES, Compiler, Table
from ibp_chain.scale.decoder import Decoders
from ibp_chain.scale.encoder import Encoders
from ibp_chain.scale.events import EventDecoder
from ibp_chain.scale.extrinsics import ExtrinsicDecoder
from ibp_chain.scale.hashers import HASH, PREFIX_SIZE, twox_128
from ibp_chain.scale.input import Input
from ibp_chain.scale.layout import Layout
from ibp_chain.scale.values import Call
from ibp_chain.types import Hash, SpecVersion


class Runtime:
    """Decodes and encodes for one spec version. Raises `DecodeError` for metadata it cannot use."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self.metadata_hash: Hash = blake2_256(raw)
        self.metadata = md.read_metadata(raw)
        layout = Layout(self.metadata)
        self._compiler = Compiler(self.metadata, layout)
        self._extrinsic_decoders = Table(self._extrinsic_decoder)
        self._event_decoders = Table(self._event_decoder)
        self._decoders = Decoders(self.metadata, layout)
        self._encoders = Encoders(self.metadata, layout)
        self.spec_name, self.spec_version, self.transaction_version = self._version()

    @cached_property
    def _apis(self) -> RuntimeApis:
        """Read when first asked for: most runtimes are only decoded with."""
        return read_runtime_apis(self._raw)

    @cached_property
    def _careful(self) -> Careful:
        """Made when first needed: most runtimes never meet bytes that are wrong."""
        return Careful(self.metadata, self._decoders)

    @classmethod
    def from_metadata(cls, raw: bytes) -> "Runtime":
        """From SCALE metadata V14, V15 or V16, magic first."""
        return cls(raw)

    # --- extrinsics and calls ---

    def decode_extrinsic(self, raw: bytes, *, pallets: frozenset[str] | None = None) -> Extrinsic:
        """One extrinsic of a block's body, with its length prefix. Raises `DecodeError`.

        With `pallets`, arguments of other pallets' calls are `NOT_READ`, unless they may hold a
        call.
        """
        decode: Callable[[bytes], Extrinsic] = self._extrinsic_decoders[pallets]
        try:
            return decode(raw)
        except FAILURES:
            return self._careful.extrinsic(raw)

    def decode_call(self, raw: bytes, *, whole: bool = True) -> Call:
        """A call; with `whole` false, bytes behind it are passed over. Raises `DecodeError`."""
        call: Call
        if whole:
            call = self._whole(self.metadata.extrinsic.call, raw)
        else:
            call = self._decoders.of(self.metadata.extrinsic.call)(Input(raw))
        return call

    def encode_call(self, pallet: str, name: str, args: Mapping[str, Any]) -> bytes:
        """Raises `InputError` for an unknown call, and for arguments that are not its own."""
        found = self._pallet(pallet)
        for variant in md.variants_of(self.metadata, found.calls):
            if variant.name == name:
                arguments = self._encoders.fields(variant.fields)
                return bytes((found.index, variant.index)) + arguments(args or ())
        raise InputError(f"{self} has no call {pallet}.{name}")

    def call(self, pallet: str, name: str, args: Mapping[str, Any]) -> Call:
        """`encode_call`, decoded: to be an argument of another call."""
        return self.decode_call(self.encode_call(pallet, name, args))

    # --- events ---

    def decode_events(
        self,
        raw: bytes,
        *,
        pallets: frozenset[str] | None = None,
        unread: frozenset[str] = frozenset(),
    ) -> tuple[EventRecord, ...]:
        """The value of `System.Events`; of `pallets` only, where given. Raises `DecodeError`.

        The values of events that `unread` names as `Pallet.Event` are `NOT_READ`.
        """
        decode: Callable[[bytes], tuple[EventRecord, ...]] = self._event_decoders[pallets, unread]
        try:
            return decode(raw)
        except FAILURES:
            return self._careful.events(raw, pallets)

    # --- storage ---

    def storage_prefix(self, pallet: str, entry: str) -> bytes:
        """The 32 bytes that every key of a storage item begins with."""
        found = self._pallet(pallet)
        name = self._entry(pallet, entry).name
        return twox_128(found.storage_prefix.encode()) + twox_128(name.encode())

    def storage_key(self, pallet: str, entry: str, *keys: Any) -> bytes:
        """The key of an item; of the prefix over the first keys where not all are given."""
        found = self._entry(pallet, entry)
        types = self._key_types(found)
        if len(keys) > len(types):
            raise InputError(f"{pallet}.{entry} has {len(types)} keys, {len(keys)} are given")
        return self.storage_prefix(pallet, entry) + b"".join(
            HASH[hasher](self._encoders.of(type_id)(key))
            for hasher, type_id, key in zip(found.hashers, types, keys, strict=False)
        )

    def decode_storage_key(self, pallet: str, entry: str, raw: bytes) -> tuple[Any, ...]:
        """The keys in a full storage key. Raises `InputError` where only their hash is in it."""
        found, source = (
            self._entry(pallet, entry),
            Input(raw, at=len(self.storage_prefix(pallet, entry))),
        )
        keys = []
        for hasher, type_id in zip(found.hashers, self._key_types(found), strict=True):
            if hasher not in PREFIX_SIZE:
                raise InputError(f"{pallet}.{entry}: {hasher} does not keep the key")
            source.take(PREFIX_SIZE[hasher])
            keys.append(self._decoders.of(type_id)(source))
        source.end()
        return tuple(keys)

    def decode_storage(self, pallet: str, entry: str, raw: bytes) -> Any:
        """The value of an item. Raises `DecodeError`."""
        return self._whole(self._entry(pallet, entry).value, raw)

    def encode_storage(self, pallet: str, entry: str, value: Any) -> bytes:
        """The bytes of an item's value. Raises `InputError`."""
        return self._encoders.of(self._entry(pallet, entry).value)(value)

    # --- runtime APIs ---

    def has_api(self, api: str, method: str) -> bool:
        """Whether the metadata describes it; V14 describes none."""
        return method in self._apis.get(api, {})

    def api_inputs(self, api: str, method: str) -> tuple[str, ...]:
        """The names of a method's arguments, in order. Raises `InputError` for an unknown one."""
        return tuple(name for name, _ in self._api(api, method).inputs)

    def encode_api_call(self, api: str, method: str, args: Mapping[str, Any]) -> bytes:
        """The data that `state_call` takes. Raises `InputError` for arguments not its own."""
        inputs = self._api(api, method).inputs
        if {name for name, _ in inputs} != args.keys():
            raise InputError(f"{self}: {api}_{method} takes {[name for name, _ in inputs]}")
        return b"".join(self._encoders.of(type_id)(args[name]) for name, type_id in inputs)

    def decode_api_result(self, api: str, method: str, raw: bytes) -> Any:
        """What `state_call` answered. Raises `DecodeError`."""
        return self._whole(self._api(api, method).output, raw)

    # --- what there is ---

    def constant(self, pallet: str, name: str) -> Any:
        """A pallet's constant, decoded. Raises `InputError` for one that is not there."""
        found = self._pallet(pallet).constants.get(name)
        if found is None:
            raise InputError(f"{self} has no constant {pallet}.{name}")
        return self._whole(found.type, found.value)

    def has_pallet(self, pallet: str) -> bool:
        return pallet in self.metadata.pallets

    def has_call(self, pallet: str, name: str) -> bool:
        found = self.metadata.pallets.get(pallet)
        return found is not None and self._has(found.calls, name)

    def has_event(self, pallet: str, name: str) -> bool:
        found = self.metadata.pallets.get(pallet)
        return found is not None and self._has(found.events, name)

    def error_name(self, error: Any) -> str:
        """A decoded `DispatchError` as `Pallet.Error`, or the name of its kind."""
        match error:
            case str(kind):
                return kind
            case ("Module", {"index": int(index), "error": bytes(code)}):
                return self._module_error(index, code[0])
            case ("Module", {"index": int(index), "error": int(code)}):  # before `[u8; 4]`
                return self._module_error(index, code)
            case (str(kind), str(detail)):
                return f"{kind}.{detail}"
            case (str(kind), _):
                return kind
        raise DecodeError(f"{error!r} is no DispatchError")

    def __str__(self) -> str:
        return f"{self.spec_name} {self.spec_version}" if hasattr(self, "spec_name") else "metadata"

    # --- parts ---

    def _version(self) -> tuple[str, SpecVersion, int]:
        try:
            value = self.constant("System", "Version")
        except InputError as error:
            raise DecodeError(f"the metadata names no runtime version: {error}") from error
        match value:
            case {
                "spec_name": str(name),
                "spec_version": int(version),
                "transaction_version": int(transaction_version),
            }:
                return name, SpecVersion(version), transaction_version
        raise DecodeError("System.Version is no runtime version")

    def _extrinsic_decoder(self, pallets: frozenset[str] | None) -> Callable[[bytes], Extrinsic]:
        return ExtrinsicDecoder(self.metadata, self._compiler, pallets).decode

    def _event_decoder(
        self, wanted: tuple[frozenset[str] | None, frozenset[str]]
    ) -> Callable[[bytes], tuple[EventRecord, ...]]:
        return EventDecoder(self.metadata, self._compiler, *wanted).decode

    def _module_error(self, index: int, code: int) -> str:
        for pallet in self.metadata.pallets.values():
            if pallet.index == index:
                for variant in md.variants_of(self.metadata, pallet.errors):
                    if variant.index == code:
                        return f"{pallet.name}.{variant.name}"
                return f"{pallet.name}.{code}"
        return f"Module.{index}.{code}"

    def _whole(self, type_id: md.TypeId, raw: bytes) -> Any:
        try:
            value, end = self._compiler.type(type_id)(raw, 0, 0)
        except FAILURES:
            end = -1
        if end == len(raw):
            return value
        source = Input(raw)
        value = self._decoders.of(type_id)(source)
        source.end()
        return value

    def _has(self, enum: md.TypeId | None, name: str) -> bool:
        return any(variant.name == name for variant in md.variants_of(self.metadata, enum))

    def _pallet(self, name: str) -> md.Pallet:
        found = self.metadata.pallets.get(name)
        return found if found is not None else self._absent(f"pallet {name}")

    def _api(self, api: str, method: str) -> ApiMethod:
        found = self._apis.get(api, {}).get(method)
        return found if found is not None else self._absent(f"runtime API {api}_{method}")

    def _entry(self, pallet: str, entry: str) -> md.StorageEntry:
        found = self._pallet(pallet).storage.get(entry)
        return found if found is not None else self._absent(f"storage item {pallet}.{entry}")

    def _absent(self, what: str) -> NoReturn:
        raise InputError(f"{self} has no {what}")

    def _key_types(self, entry: md.StorageEntry) -> tuple[md.TypeId, ...]:
        if entry.key is None:
            return ()
        definition = self.metadata.types[entry.key].definition
        if len(entry.hashers) > 1 and isinstance(definition, md.Tuple):
            return definition.items
        return (entry.key,)
