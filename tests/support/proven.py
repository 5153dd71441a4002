"""Blocks of the real runtime with their read proofs, recorded from the test chain.

Both layouts of state: `paseo-2024` has version 0, `paseo-2026` version 1. Each has four blocks, the
last behind a gap, from block 1 on.
"""

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ibp_chain.archive_blocks import Recorded
from ibp_chain.blocks import Block
from ibp_chain.headers import decode_header
from ibp_chain.types import Hash, SpecVersion

PATH = Path(__file__).parents[1] / "data" / "proven_blocks.json"


class Proven(NamedTuple):
    genesis_hash: Hash
    recorded: tuple[Recorded, ...]


@cache
def proven(spec: str) -> Proven:
    """What was recorded from a chain with the specification `spec`."""
    value = json.loads(PATH.read_text())[spec]
    recorded = []
    for item in value["blocks"]:
        header = decode_header(_bytes(item["header"]))
        block = Block(
            header.hash,
            header,
            tuple(map(_bytes, item["extrinsics"])),
            _bytes(item["events"]),
            SpecVersion(item["spec_version"]),
        )
        recorded.append(Recorded(block, tuple(map(_bytes, item["proof"]))))
    return Proven(Hash(_bytes(value["genesis_hash"])), tuple(recorded))


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
