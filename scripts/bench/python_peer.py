"""Times scalecodec, or cyscale, which has the same module name, on the bytes that stdin describes.

Runs as a program of its own, in whichever environment has the codec: it imports nothing of ours.

stdin and stdout are JSON, as `scripts.bench.peers` writes and reads them.
"""

import gc
import json
import sys
import time
from importlib.metadata import version
from typing import Any

from scalecodec.base import RuntimeConfigurationObject, ScaleBytes
from scalecodec.type_registry import load_type_registry_preset

_GENERIC_PREFIX = 42


class Codec:
    """One runtime's types. `fast` takes cyscale's compiled value decoders, which make no objects.

    Raises `LookupError` where there is no fast path for what is asked.
    """

    def __init__(self, metadata: bytes, *, fast: bool) -> None:
        self._config = RuntimeConfigurationObject(
            ss58_format=_GENERIC_PREFIX, implements_scale_info=True
        )
        self._config.clear_type_registry()
        self._config.update_type_registry(load_type_registry_preset("core"))
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
    job = json.load(sys.stdin)
    blocks = [
        (
            block["spec_version"],
            bytes.fromhex(block["events"]),
            [bytes.fromhex(raw) for raw in block["extrinsics"]],
        )
        for block in job["blocks"]
    ]
    started = time.process_time()
    codecs = {
        int(spec_version): Codec(bytes.fromhex(metadata), fast=job["fast"])
        for spec_version, metadata in job["metadata"].items()
    }
    loaded = time.process_time() - started

    def events() -> None:
        for spec_version, raw, _ in blocks:
            codecs[spec_version].events(raw)

    def whole() -> None:
        for spec_version, raw, extrinsics in blocks:
            codec = codecs[spec_version]
            codec.events(raw)
            for extrinsic in extrinsics:
                codec.extrinsic(extrinsic)

    seen = [
        {
            "events": [f"{e['module_id']}.{e['event_id']}" for e in codecs[version_].events(raw)],
            "calls": [_call_name(codecs[version_].extrinsic(raw)) for raw in extrinsics],
        }
        for version_, raw, extrinsics in blocks
    ]
    gc.collect()
    gc.freeze()
    answer = {
        "version": version(job["package"]),
        "loaded": loaded,
        "blocks": seen,
        "events": [timed(events) for _ in range(job["rounds"])],
        "whole": [timed(whole) for _ in range(job["rounds"])] if job["whole"] else [],
    }
    json.dump(answer, sys.stdout)


def _call_name(extrinsic: Any) -> str:
    call = extrinsic["call"]
    return f"{call['call_module']}.{call['call_function']}"


def timed(do: Any) -> tuple[float, float]:
    """(CPU seconds of the process, seconds of the wall clock)."""
    wall, cpu = time.perf_counter(), time.process_time()
    do()
    return time.process_time() - cpu, time.perf_counter() - wall


if __name__ == "__main__":
    main()
