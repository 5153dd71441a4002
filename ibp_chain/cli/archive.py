"""`ibp archive`: record, verify, describe and show blocks."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ibp_chain.accounts import ss58_encode
from ibp_chain.archive import ArchiveSource, verify
from ibp_chain.archive_copy import copy
from ibp_chain.archive_folder import folder_at
from ibp_chain.archive_follow import FollowedArchive
from ibp_chain.archive_format import START
from ibp_chain.archive_record import record
from ibp_chain.blocks import Block
from ibp_chain.cli.opened import NodeUrl
from ibp_chain.cli.output import JsonOption, console, hex_, print_json, progress, row, say, table
from ibp_chain.errors import ArchiveError, InputError
from ibp_chain.runtime import Runtime
from ibp_chain.runtimes import runtimes
from ibp_chain.scale.values import Call
from ibp_chain.source import NodeSource
from ibp_chain.state_excerpt import Excerpt, fetch_excerpt
from ibp_chain.types import AccountId, BlockNumber
from ledger.start import executed_by, prefixes

app = typer.Typer(
    add_completion=False, help="Blocks in files: portable, verifiable, readable by common tools."
)

Folder = Annotated[Path, typer.Argument(help="The archive's directory.", show_default=False)]

Place = Annotated[
    str, typer.Argument(help="The archive: a directory or a URL.", show_default=False)
]


@app.command("record")
def record_(
    folder: Folder,
    node: NodeUrl,
    first: Annotated[int | None, typer.Option(help="First block; default 1.", min=1)] = None,
    last: Annotated[int | None, typer.Option(help="Last block; default the head.", min=1)] = None,
    *,
    proofs: Annotated[
        bool, typer.Option(help="Record a proof of each block's events and spec version.")
    ] = False,
) -> None:
    """Record finalised blocks of a node; run it again to go on where it stopped."""
    with NodeSource(node) as source, progress("recording", None) as tick:
        manifest = record(
            source, folder, _number(first), _number(last), proofs=proofs, progress=tick
        )
    console.print(f"{folder}: blocks {manifest.first} to {manifest.last} of {manifest.chain.name}")


@app.command()
def start(folder: Folder, node: NodeUrl) -> None:
    """Add the storage that a ledger begins with, where an archive does not begin with block 1.

    It is that after the block before the archive's first, proven against that block's header.
    """
    archive = ArchiveSource(folder)
    if archive.first() == 1:
        raise InputError(f"{folder} begins with block 1: a ledger needs nothing before it")
    first = next(archive.blocks(archive.first(), archive.first()))
    with (
        NodeSource(node, expected_genesis=archive.genesis_hash) as source,
        progress("entries", None) as tick,
    ):
        header = source.header(first.header.parent_hash)
        excerpt = fetch_excerpt(source, header, prefixes(), tick)
    version = executed_by(excerpt)
    if version not in {file.spec_version for file in archive.manifest.metadata}:
        raise InputError(
            f"block {header.number} was executed by spec version {version}, of which {folder} has "
            "no metadata: record from a later block on"
        )
    excerpt.write(folder / START)
    say(
        f"{folder / START}: {_entries(excerpt):,} entries of storage after block "
        f"{header.number:,}, proven."
    )


@app.command()
def seal(folder: Folder) -> None:
    """Put what a follower that was killed left in its journal into a block file, for any reader."""
    source = ArchiveSource(folder)
    with FollowedArchive(
        folder, source.chain(), source.genesis_hash, lambda version: [source.metadata(version)]
    ) as archive:
        head = archive.head
    assert head is not None, "an archive has a block"
    say(f"{folder}: blocks up to {head.number}")


@app.command("verify")
def verify_(archive: Place, *, as_json: JsonOption = False) -> None:
    """Check every byte; exit 1 and name block and field where one does not hold."""
    source = ArchiveSource(archive)
    with progress("verifying", source.manifest.blocks) as tick:
        result = verify(archive, tick)
    manifest, start_ = result.manifest, source.start()
    entries = None if start_ is None else _entries(start_)
    if as_json:
        print_json(
            {
                "chain": manifest.chain.name,
                "first": manifest.first,
                "last": manifest.last,
                "head_hash": manifest.head_hash,
                "blocks": result.blocks,
                "proven": result.proven,
                "start_entries": entries,
            }
        )
        return
    console.print(
        f"{result.blocks} blocks, {manifest.first} to {manifest.last}, hold: "
        "hashes, parent links, extrinsics roots."
    )
    console.print(
        f"{result.proven} of them prove their events and spec version against the state root"
        + ("." if result.proven == result.blocks else "; the recorder vouches for the others.")
    )
    if entries is not None:
        say(f"{entries:,} entries of storage before them are proven, and none is missing.")


@app.command("copy")
def copy_(
    source: Place,
    target: Annotated[
        str, typer.Argument(help="A directory or a URL, empty or begun.", show_default=False)
    ],
    *,
    as_json: JsonOption = False,
) -> None:
    """Copy an archive, reading every file back; run it again to go on where it stopped."""
    total = ArchiveSource(source).manifest
    with progress("copying", len(total.files) + len(total.metadata)) as tick:
        copied = copy(source, target, tick)
    if as_json:
        print_json(
            {
                "first": copied.manifest.first,
                "last": copied.manifest.last,
                "files_written": copied.files,
                "bytes_written": copied.size,
            }
        )
        return
    say(
        f"{folder_at(target)}: blocks {copied.manifest.first} to {copied.manifest.last}; "
        f"{copied.files} files, {copied.size:,} bytes written and read back"
    )


@app.command()
def info(archive: Place, *, as_json: JsonOption = False) -> None:
    """What the manifest says; nothing is verified but the manifest itself."""
    source = ArchiveSource(archive)
    manifest = source.manifest
    if as_json:
        print_json(manifest.model_dump(mode="json"))
        return
    view = table(str(source.folder), "", "")
    for name, value in (
        ("chain", f"{manifest.chain.name}, genesis {manifest.chain.genesis_hash}"),
        ("blocks", f"{manifest.first} to {manifest.last}, {manifest.blocks} of them"),
        ("head", manifest.head_hash),
        ("with proof", sum(file.proven for file in manifest.files)),
        ("files", len(manifest.files)),
        ("bytes", sum(file.size for file in manifest.files)),
        ("spec versions", ", ".join(str(file.spec_version) for file in manifest.metadata)),
    ):
        row(view, name, value)
    console.print(view)


@app.command()
def show(
    archive: Place,
    block: Annotated[int, typer.Argument(help="Block number.", min=0)],
    *,
    as_json: JsonOption = False,
) -> None:
    """One block, decoded: its header, extrinsics and events."""
    source = ArchiveSource(archive)
    number = BlockNumber(block)
    found = next(source.blocks(number, number), None)
    if found is None:
        raise ArchiveError(
            f"{source.folder}: block {block} was skipped: there is none at this height"
        )
    runtime = runtimes(source)(found.spec_version)
    content = _content(found, runtime, source.chain().ss58_prefix)
    if as_json:
        print_json(content)
        return
    header = table(f"Block {block}", "", "")
    for name, value in content["header"].items():
        row(header, name, value)
    console.print(header)
    extrinsics = table("Extrinsics", "#", "signer", "call", "hash")
    for index, item in enumerate(content["extrinsics"]):
        row(extrinsics, index, item["signer"] or "-", item["call"], item["hash"])
    console.print(extrinsics)
    events = table("Events", "#", "extrinsic", "event", "values")
    for index, item in enumerate(content["events"]):
        where = "-" if item["extrinsic"] is None else item["extrinsic"]
        row(events, index, where, item["event"], item["values"])
    console.print(events)


def _entries(excerpt: Excerpt) -> int:
    """How many entries a ledger begins with. Raises `CheckFailed` where one is not proven."""
    return sum(1 for prefix in prefixes() for _ in excerpt.entries(prefix))


def _content(block: Block, runtime: Runtime, prefix: int) -> dict[str, Any]:
    header = block.header
    extrinsics = [runtime.decode_extrinsic(raw) for raw in block.extrinsics]
    return {
        "header": {
            "hash": hex_(block.hash),
            "parent_hash": hex_(header.parent_hash),
            "state_root": hex_(header.state_root),
            "extrinsics_root": hex_(header.extrinsics_root),
            "spec_version": block.spec_version,
        },
        "extrinsics": [
            {
                "hash": hex_(extrinsic.hash),
                "signer": extrinsic.signer and ss58_encode(AccountId(extrinsic.signer), prefix),
                "call": str(extrinsic.call),
                "arguments": readable(extrinsic.call.args),
            }
            for extrinsic in extrinsics
        ],
        "events": [
            {
                "extrinsic": event.extrinsic_index,
                "event": f"{event.pallet}.{event.name}",
                "values": readable(event.args),
            }
            for event in runtime.decode_events(block.events)
        ],
    }


def readable(value: Any) -> Any:
    """A decoded value as JSON has it: bytes as hex, calls by name."""
    match value:
        case Call():
            return {"call": str(value), "arguments": readable(value.args)}
        case bytes():
            return hex_(value)
        case dict():
            return {str(name): readable(item) for name, item in value.items()}
        case list() | tuple():
            return [readable(item) for item in value]
        case _:
            return value


def _number(number: int | None) -> BlockNumber | None:
    return None if number is None else BlockNumber(number)
