"""Whether a ledger that went through all this is the one that a clean replay makes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ibp_chain.archive import ArchiveSource, verify
from ibp_chain.blocks import Block, BlockRef
from ibp_chain.errors import IbpError
from ibp_chain.runtimes import runtimes
from ibp_chain.source import NodeSource
from ibp_chain.types import Hash
from ledger.indexer import replay_into
from ledger.replay import BlockReport
from ledger.store import Identity, Store
from scripts.faults.processes import start
from scripts.scenario.play import NETWORK
from tests.support.ledgers import Ledgers, Place, Row, dump

_DERIVED = frozenset({"sqlite_sequence", "sqlite_stat1"})


@dataclass(frozen=True, slots=True)
class Clean:
    """What a replay that nothing happened to comes to, from first block to last."""

    head: BlockRef
    root: Hash
    rows: dict[str, list[Row]]
    """Of every table, sorted."""
    hashes: tuple[str, ...]
    """Of the blocks, in order, 0x hex."""

    @property
    def counted(self) -> int:
        return sum(map(len, self.rows.values()))


def clean_replay(node_url: str, ledgers: Ledgers) -> Clean:
    """Of the final blocks that the node at `node_url` has, into a new database."""
    place = ledgers.new()
    hashes: list[str] = []

    def heard(report: BlockReport) -> None:
        hashes.append(_hex(report.ref.hash))

    with (
        NodeSource(node_url) as node,
        Store(place.url, Identity(NETWORK.name, node.genesis_hash)) as store,
    ):
        state = replay_into(store, node, runtimes(node), heard=heard)
        head = store.head()
    assert head is not None, "the chain has blocks"
    clean = Clean(head, state.root(), dump(place), tuple(hashes))
    ledgers.drop(place)
    return clean


def differences(place: Place, archives: tuple[Path, ...], clean: Clean, folder: Path) -> list[str]:
    """What is not as in `clean`, in words; nothing where all is well."""
    return [
        *_of_the_state(place, clean),
        *_of_the_rows(place, clean),
        *_of_check(place, clean, folder),
        *(found for archive in archives for found in _of_the_archive(archive, clean)),
    ]


def _of_the_state(place: Place, clean: Clean) -> Iterator[str]:
    try:
        with Store(place.url) as store:
            head, root = store.head(), store.load_state().root()
    except IbpError as error:
        yield f"the ledger cannot be read: {error}"
        return
    if head != clean.head:
        yield f"the ledger ends with {head}, a clean replay with {clean.head}"
    if root != clean.root:
        yield f"its state root is {_hex(root)}, a clean replay's {_hex(clean.root)}"


def _of_the_rows(place: Place, clean: Clean) -> Iterator[str]:
    rows = dump(place)
    for table in sorted({*rows, *clean.rows} - _DERIVED):
        ours, theirs = rows.get(table, []), clean.rows.get(table, [])
        if len(ours) != len(theirs):
            yield f"{table} has {len(ours)} rows, a clean replay's {len(theirs)}"
        elif ours != theirs:
            changed = sum(a != b for a, b in zip(ours, theirs, strict=True))
            yield f"{table} has {changed} rows that a clean replay's has not"


def _of_check(place: Place, clean: Clean, folder: Path) -> Iterator[str]:
    checked = start(folder, "ledger", "check", "--db", place.url, "--json")
    code = checked.wait()
    if code:
        yield f"`ibp ledger check` ends with {code}: {checked.said()}"
        return
    told = json.loads(checked.stdout.read_text())
    if told["state_root"] != _hex(clean.root):
        yield f"`ibp ledger check` comes to state root {told['state_root']}"


def _of_the_archive(archive: Path, clean: Clean) -> Iterator[str]:
    try:
        verified = verify(archive)
        source = ArchiveSource(archive)
        hashes = tuple(_block_hash(block) for block in source.blocks(source.first()))
    except IbpError as error:
        yield f"{archive.name} does not verify: {error}"
        return
    if hashes != clean.hashes:
        lost, more = set(clean.hashes) - set(hashes), len(hashes) - len(set(hashes))
        yield f"{archive.name} has {len(hashes)} blocks, {len(lost)} lost, {more} doubled"
    if verified.proven != verified.blocks:
        yield f"{archive.name} has {verified.blocks - verified.proven} blocks without a proof"


def _block_hash(block: Block) -> str:
    return _hex(block.hash)


def _hex(raw: bytes) -> str:
    return "0x" + raw.hex()
