"""Times scalecodec, or cyscale, which has the same module name, on the bytes that stdin gives.

Runs as a program of its own, in whichever environment has the codec: it imports nothing of ours.

Each line of stdin and stdout is JSON, as `scripts.bench.peers` writes and reads them.
"""

import gc
import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from scalecodec.base import RuntimeConfigurationObject, ScaleBytes
from scalecodec.type_registry import load_type_registry_preset

_GENERIC_PREFIX = 42
_WINDOW_SECONDS = 0.1  # as scripts.bench.timing
_WITHOUT_FAST_PATH = "*::vote::Vote"
"""The one type of relay chain events that cyscale 0.8.0 reads by a class of its own, which alone
keeps the whole event type off its fast path. Left out, it is what the metadata says it is."""


class Codec:
    """One runtime's types. `fast` takes cyscale's compiled value decoders, which make no objects.

    Raises `LookupError` where there is no fast path for events.
    """

    def __init__(self, metadata: bytes, *, fast: bool) -> None:
        self._config = RuntimeConfigurationObject(implements_scale_info=True)
        self._config.clear_type_registry()
        preset = load_type_registry_preset("core")
        if fast:
            preset["types"].pop(_WITHOUT_FAST_PATH, None)
        self._config.update_type_registry(preset)
        self._metadata = self._config.create_scale_object(
            "MetadataVersioned", data=ScaleBytes(bytearray(metadata))
        )
        self._metadata.decode()
        self._config.add_portable_registry(self._metadata)
        item = self._metadata.get_metadata_pallet("System").get_storage_function("Events")
        self._events = item.get_value_type_string()
        self._value_decoder = None
        if fast:
            self._value_decoder = self._config.get_value_decoder(self._events)
            if self._value_decoder is None:
                raise LookupError(f"no value decoder for {self._events}")

    def show_addresses(self, *, shown: bool) -> None:
        """Give accounts in SS58, as substrate-interface does. It costs; without, they are hex."""
        self._config.ss58_format = _GENERIC_PREFIX if shown else None

    def events(self, raw: bytes) -> Any:
        if self._value_decoder is not None:
            return self._value_decoder(raw)
        return self._decoded(self._events, raw)

    def extrinsic(self, raw: bytes) -> Any:
        return self._decoded("Extrinsic", raw)

    def _decoded(self, type_name: str, raw: bytes) -> Any:
        made = self._config.create_scale_object(
            type_name, data=ScaleBytes(bytearray(raw)), metadata=self._metadata
        )
        return made.decode()


def main() -> None:
    job = json.loads(sys.stdin.readline())
    started = time.process_time()
    codecs = {
        spec_version: Codec(bytes.fromhex(metadata), fast=job["fast"])
        for spec_version, metadata in job["metadata"].items()
    }
    loaded = time.process_time() - started
    blocks = [
        (
            codecs[str(block["spec_version"])],
            bytes.fromhex(block["events"]),
            [bytes.fromhex(raw) for raw in block["extrinsics"]],
        )
        for block in job["blocks"]
    ]

    def events() -> None:
        for codec, raw, _ in blocks:
            codec.show_addresses(shown=False)
            codec.events(raw)

    def whole() -> None:
        for codec, raw, extrinsics in blocks:
            codec.show_addresses(shown=True)
            codec.events(raw)
            for extrinsic in extrinsics:
                codec.extrinsic(extrinsic)

    seen = {
        "events": [
            [f"{event['module_id']}.{event['event_id']}" for event in codec.events(raw)]
            for codec, raw, _ in blocks
        ],
        "calls": [
            [_call_name(codec.extrinsic(raw)) for raw in extrinsics]
            for codec, _, extrinsics in blocks
        ],
    }
    gc.collect()
    gc.freeze()
    say({"version": version(job["package"]), "loaded": loaded, "seen": seen})
    tasks = {"events": events, "whole": whole}
    for line in sys.stdin:
        say(timed(tasks[json.loads(line)]))


def say(answer: Any) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _call_name(extrinsic: Any) -> str:
    call = extrinsic["call"]
    return f"{call['call_module']}.{call['call_function']}"


def timed(do: Callable[[], object]) -> list[tuple[float, float]]:
    """(CPU seconds of the process, seconds of the wall clock) of every pass of a window."""
    passes = []
    ends = time.perf_counter() + _WINDOW_SECONDS
    while True:
        wall, cpu = time.perf_counter(), time.process_time()
        do()
        passes.append((time.process_time() - cpu, time.perf_counter() - wall))
        if time.perf_counter() >= ends:
            return passes


if __name__ == "__main__":
    main()
