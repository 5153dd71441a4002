"""48 real Polkadot blocks' events, and the metadata of their runtimes in every format version."""

import gzip
import json
from functools import cache
from typing import NamedTuple

from ibp_chain.runtime import Runtime
from scripts.public_data import scale_data


class RealBlock(NamedTuple):
    number: int
    spec_version: int
    events: bytes


@cache
def blocks() -> tuple[RealBlock, ...]:
    with gzip.open(scale_data() / "polkadot-events.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    return tuple(
        RealBlock(int(row["block"]), int(row["spec"]), bytes.fromhex(row["hex"][2:]))
        for row in rows
    )


@cache
def metadata(spec_version: int, version: int) -> bytes:
    name = f"polkadot-{spec_version}-v{version}.scale.gz"
    return gzip.decompress((scale_data() / "metadata" / name).read_bytes())


@cache
def runtime(spec_version: int, version: int) -> Runtime:
    return Runtime.from_metadata(metadata(spec_version, version))


def versions(spec_version: int) -> list[int]:
    """The metadata format versions that are there for a runtime."""
    folder = scale_data() / "metadata"
    return [v for v in (14, 15, 16) if (folder / f"polkadot-{spec_version}-v{v}.scale.gz").exists()]
