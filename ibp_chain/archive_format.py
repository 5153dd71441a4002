"""What an archive looks like on disk: manifest, block files, metadata. See docs/archive.md.

Every block is a row group of its own, so that a damaged byte spoils one block, whose number still
stands in the file's footer.
"""

import json
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ibp_chain.archive_folder import Location, chunks, folder_at, said
from ibp_chain.errors import ArchiveCorrupt, ArchiveError, CheckFailed
from ibp_chain.files import replacing
from ibp_chain.packed import PackedError, pack, unpack
from ibp_chain.types import BlockNumber, SpecVersion
from ibp_chain.validation import first_problem

FORMAT = "ibp-block-archive"
VERSION = 1
PARQUET_MAGIC = b"PAR1"
MANIFEST = "manifest.json"
BLOCK_FILES = "blocks"
METADATA_FILES = "metadata"
START = "start.excerpt"
"""State to begin with, of an archive that does not begin with block 1; it proves itself."""
MAX_MANIFEST = 1 << 32
"""Bytes: a hundred million blocks have a quarter of that."""
MAX_METADATA = 64 * 2**20
"""No runtime's metadata is anywhere near; a bomb would be."""

SCHEMA = pa.schema(
    [
        pa.field("number", pa.uint32(), nullable=False),
        pa.field("hash", pa.binary(32), nullable=False),
        pa.field("header", pa.binary(), nullable=False),
        pa.field("extrinsics", pa.list_(pa.field("item", pa.binary(), nullable=False)), False),
        pa.field("events", pa.binary(), nullable=False),
        pa.field("spec_version", pa.uint32(), nullable=False),
        pa.field("proof", pa.list_(pa.field("item", pa.binary(), nullable=False))),
    ]
)
"""`proof`: trie nodes that bind `events` and `spec_version` to the header's state root; null where
the recording has none."""

_Hex32 = Annotated[str, Field(pattern=r"^0x[0-9a-f]{64}$")]
_Height = Annotated[int, Field(ge=0, lt=2**32)]


def block_file_name(first: int, last: int) -> str:
    return f"{BLOCK_FILES}/{first}-{last}.parquet"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ChainPart(_Part):
    name: str
    genesis_hash: _Hex32
    ss58_prefix: Annotated[int, Field(ge=0, le=16_383)]
    token_symbol: str
    token_decimals: Annotated[int, Field(ge=0, le=38)]


class Span(_Part):
    """The bytes of one block in a block file, behind those of the block before."""

    number: _Height
    size: Annotated[int, Field(gt=0)]
    blake2b: Annotated[str, Field(pattern=r"^0x[0-9a-f]{32}$")]
    """128 bits: they tell which block an accident hit, the file's own digest whether one did."""


class BlockFile(_Part):
    first: _Height
    last: _Height
    proven: Annotated[int, Field(ge=0)]
    """How many of the blocks have a proof."""
    size: Annotated[int, Field(gt=0)]
    """In bytes."""
    blake2b: _Hex32
    spans: Annotated[tuple[Span, ...], Field(strict=False, min_length=1)]

    @property
    def name(self) -> str:
        return block_file_name(self.first, self.last)

    @property
    def blocks(self) -> int:
        return len(self.spans)


class MetadataFile(_Part):
    spec_version: Annotated[int, Field(ge=0, lt=2**32)]
    version: Annotated[int, Field(ge=14, le=255)]
    """Of the metadata format. 14 is kept beside a newer one: some decoders read no other."""
    blake2b: _Hex32
    """Of the metadata itself, not of its compressed form."""

    @property
    def name(self) -> str:
        return f"{METADATA_FILES}/{self.spec_version}-v{self.version}.scale.zst"


class Manifest(_Part):
    """What is in an archive. `checksum` covers everything else in it."""

    format: Literal["ibp-block-archive"]
    version: Literal[1]
    chain: ChainPart
    head_hash: _Hex32
    files: Annotated[tuple[BlockFile, ...], Field(strict=False, min_length=1)]
    """Ascending and linked."""
    metadata: Annotated[tuple[MetadataFile, ...], Field(strict=False, min_length=1)]
    checksum: _Hex32

    @property
    def first(self) -> BlockNumber:
        return BlockNumber(self.files[0].first)

    @property
    def last(self) -> BlockNumber:
        return BlockNumber(self.files[-1].last)

    @property
    def blocks(self) -> int:
        return sum(file.blocks for file in self.files)


def read_manifest(location: Location) -> Manifest:
    """The manifest of the archive at `location`.

    Raises `ArchiveError` where there is none or it has another form, `ArchiveCorrupt` where its
    checksum does not hold.
    """
    folder = folder_at(location)
    path = folder.where(MANIFEST)
    try:
        raw = folder.read(MANIFEST, MAX_MANIFEST)
        value = json.loads(raw)
    except OSError as error:
        raise ArchiveError(f"{folder} is no archive: {MANIFEST}: {said(error)}") from error
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"{path}: not JSON: {error}") from error
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise ArchiveError(f"{path}: not the manifest of a block archive")
    if value.get("version") != VERSION:
        raise ArchiveError(
            f"{path}: archive version {value.get('version')!r}; this reads {VERSION}"
        )
    try:
        manifest = Manifest.model_validate(value)
    except ValidationError as error:
        raise ArchiveError(f"{path}: {first_problem(error)}") from error
    if checksum(value) != manifest.checksum:
        raise ArchiveCorrupt(manifest.first, MANIFEST, "its checksum does not hold")
    if raw != _text(manifest):
        raise ArchiveCorrupt(manifest.first, MANIFEST, "its white space or order was changed")
    return manifest


def write_manifest(folder: Path, parts: dict[str, Any]) -> Manifest:
    """Write the manifest that says `parts`, whole or not at all, with its checksum."""
    value = {**parts, "format": FORMAT, "version": VERSION}
    value["checksum"] = checksum(value)
    manifest = Manifest.model_validate(value)
    write_atomically(folder / MANIFEST, _text(manifest))
    return manifest


def _text(manifest: Manifest) -> bytes:
    """The one form in which a manifest is written: `json.dumps` with sorted keys and `indent=1`.

    `json` indents in Python, value by value, and nearly all values are those of spans. They are all
    alike, so `json` writes the rest, and each file's spans take the place of an empty list.
    """
    value = manifest.model_dump(mode="json", exclude={"files": {"__all__": {"spans"}}})
    value["files"] = [{**file, "spans": []} for file in value["files"]]
    # inside a string, a quote would have a backslash in front
    first, *others = json.dumps(value, indent=1, sort_keys=True).split('"spans": []')
    lists = (",\n".join(map(_span_text, file.spans)) for file in manifest.files)
    behind = zip(lists, others, strict=True)
    text = first + "".join(f'"spans": [\n{spans}\n   ]{rest}' for spans, rest in behind)
    return (text + "\n").encode()


def _span_text(span: Span) -> str:
    return (
        f'    {{\n     "blake2b": "{span.blake2b}",\n     "number": {span.number},\n'
        f'     "size": {span.size}\n    }}'
    )


def checksum(value: dict[str, Any]) -> str:
    """blake2b-256 of a manifest's JSON: no `checksum`, sorted keys, no white space."""
    rest = {key: item for key, item in value.items() if key != "checksum"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hex_digest(text.encode())


def hex_digest(data: bytes, size: int = 32) -> str:
    return "0x" + blake2b(data, digest_size=size).hexdigest()


def span_digest(data: bytes) -> str:
    return hex_digest(data, 16)


def file_digest(path: Path) -> str:
    """`hex_digest` of a file of any size."""
    with path.open("rb") as file:
        return stream_digest(file)


def stream_digest(file: BinaryIO) -> str:
    """`hex_digest` of what is left to read of an open file."""
    digest = blake2b(digest_size=32)
    for chunk in chunks(file):
        digest.update(chunk)
    return "0x" + digest.hexdigest()


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with replacing(path) as part:
        part.write_bytes(data)


def write_metadata(folder: Path, spec_version: SpecVersion, raw: bytes) -> MetadataFile:
    """`raw` begins with the magic `meta` and its format's version."""
    file = MetadataFile(spec_version=spec_version, version=raw[4], blake2b=hex_digest(raw))
    write_atomically(folder / file.name, pack(raw))
    return file


def read_metadata(location: Location, file: MetadataFile) -> bytes:
    """Raises `ArchiveError` for a missing file, `CheckFailed` naming a damaged one."""
    folder = folder_at(location)
    path = folder.where(file.name)
    try:
        raw = unpack(folder.read(file.name, MAX_METADATA), MAX_METADATA)
    except OSError as error:
        raise ArchiveError(f"{path}: {said(error)}: copy it again") from error
    except PackedError as error:
        raise CheckFailed(f"{path}: damaged: {error}") from error
    if hex_digest(raw) != file.blake2b:
        raise CheckFailed(f"{path}: its bytes are not those that were recorded")
    return raw
