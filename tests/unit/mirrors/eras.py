"""Runtimes of the past, from the metadata in `tests/data/metadata`."""

import gzip
from functools import cache
from pathlib import Path

from ibp_chain.runtime import Runtime

METADATA = Path(__file__).parents[2] / "data" / "metadata"

GOV1_UNNAMED = "polkadot-9110-v14"
GOV1 = "polkadot-9390-v14"
E0_KUSAMA = "kusama-9430-v14"
E0 = "polkadot-1002005-v14"
E1 = "kusama-1005000-v15"
E2 = "polkadot-2000000-v15"
E2_HUB = "asset-hub-polkadot-2000000-v15"


@cache
def raw(name: str) -> bytes:
    return gzip.decompress((METADATA / f"{name}.scale.gz").read_bytes())


@cache
def runtime(name: str) -> Runtime:
    return Runtime.from_metadata(raw(name))
