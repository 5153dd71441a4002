"""Followers at work, as a `Progress` tells of them."""

from dataclasses import replace

from ibp_chain.blocks import BlockRef
from ibp_chain.node_events import Trouble
from ibp_chain.types import BlockNumber, Hash, SpecVersion
from ledger.progress import NodeHealth, Progress

BEGUN_MS = 1_700_000_000_000
NOW_MS = BEGUN_MS + 3_600_000


def block(number: int) -> BlockRef:
    return BlockRef(BlockNumber(number), Hash(number.to_bytes(32, "big")))


UP = NodeHealth("wss://one.example/", healthy=True)
DOWN = NodeHealth(
    "wss://two.example/",
    healthy=False,
    trouble=Trouble.UNREACHABLE,
    message="no connection",
    failures=3,
)

WELL = Progress(
    chain="polkadot",
    finalised=block(1_000),
    applied=block(999),
    block_time_ms=NOW_MS - 12_000,
    spec_version=SpecVersion(2_000_001),
    blocks_per_second=0.17,
    blocks_applied=600,
    errors={"unreachable": 3},
    nodes=(UP, DOWN),
    last_commit_ms=NOW_MS - 6_000,
    commit_took_ms=12,
)
NEW = Progress(chain="polkadot", nodes=(replace(UP, healthy=False),))
