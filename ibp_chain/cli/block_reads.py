"""Single blocks beside a ledger: their hashes, from wherever it is."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from ibp_chain.archive import ArchiveSource
from ibp_chain.blocks import BlockRef
from ibp_chain.errors import InputError
from ibp_chain.types import BlockNumber
from ledger.store import Store


def block_refs(
    db: str, archive: Path | None, numbers: Iterable[BlockNumber]
) -> Mapping[BlockNumber, BlockRef]:
    """The blocks at `numbers`. Raises `InputError` for one that the ledger does not have."""
    wanted = sorted(set(numbers))
    if archive is not None:
        source = ArchiveSource(archive)
        return {number: next(source.blocks(number, number)).ref for number in wanted}
    with Store(db) as store:
        found = {number: store.hash_at(number) for number in wanted}
    missing = [number for number, hash_ in found.items() if hash_ is None]
    if missing:
        raise InputError(f"{db} has no block {missing[0]}: replay the chain from its start")
    return {number: BlockRef(number, hash_) for number, hash_ in found.items() if hash_ is not None}
