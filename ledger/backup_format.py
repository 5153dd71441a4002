"""A backup file: the rows of a ledger that no rule can bring back, in a container others can read.

An uncompressed tar (POSIX ustar) of Parquet files, so that `tar` lists it, any Parquet reader opens
what is in it, and nobody needs this program to get at the rows:

    ledger.json             which ledger, as of which block, and how many rows of each table
    block/000000.parquet    pieces of a few MiB, zstd inside, in the order of the primary key
    …
    seal.json               blake2b-256 of every piece, and of every byte before the seal

Not a copy of the database's own files: those cannot go from one kind of database to the other, and
half of such a copy is indexes and projections, which follow from the state. Not one Parquet file a
table: a tar member's size stands before it, so a table would have to be written twice, and a
damaged byte could be placed no closer than its table. A piece is held in memory, nothing else is.

The same ledger gives the same bytes, whichever database it is in: no time, no name and no owner is
written, and a reader takes nothing but those bytes, headers and padding included.
"""

import io
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from os import fstat
from pathlib import Path
from typing import IO, Annotated, Any, Literal, TypeAlias, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, ValidationError
from sqlalchemy import Table

from ibp_chain.errors import CheckFailed, InputError
from ibp_chain.node import to_hex
from ibp_chain.validation import Strict, first_problem
from ledger.store_types import BytesColumn, CountColumn, NameColumn, TextColumn

FORMAT = "ibp-ledger-backup"
VERSION = 1
LEDGER, SEAL = "ledger.json", "seal.json"
PIECE_BYTES = 4 * 2**20
"""About so much in values before a piece is closed."""
PIECE_ROWS = 50_000
_ROW_BYTES = 16
"""What a row counts beside its bytes and texts."""
_LARGEST = 512 * 2**20
"""Of one piece, packed or not: far above any value that a block can hold; a bomb would be more."""
_BLOCK = tarfile.BLOCKSIZE
_END = bytes(2 * _BLOCK)
_TYPES = {pa.int64(): int, pa.binary(): bytes, pa.string(): str}
Bytes: TypeAlias = Callable[[int, int], object]
"""Told how many bytes of how many were read."""
D = TypeVar("D", bound=Strict)

_Hex32 = Annotated[str, Field(pattern=r"^0x[0-9a-f]{64}$")]
_Count = Annotated[int, Field(ge=0, lt=2**63)]


class BackupError(InputError):
    """No backup, one of another version, or one that is not what was asked for."""


class BackupDamaged(CheckFailed):
    """A backup is cut short or altered: use another copy."""

    def __init__(self, path: Path, where: str, detail: str) -> None:
        self.where = where
        super().__init__(f"{path} is damaged: {where}: {detail}: use another copy of the backup")


class HeadPart(Strict):
    """The last block of the ledger."""

    number: _Count
    hash: _Hex32
    timestamp_ms: _Count


class Contents(Strict):
    """`ledger.json`: what the backup is of."""

    format: Literal["ibp-ledger-backup"]
    version: Literal[1]
    program: str
    """Name and version of what wrote it."""
    schema_version: _Count
    network: str
    genesis_hash: _Hex32
    expected_origin: _Hex32 | None
    head: HeadPart
    state_root: _Hex32
    tables: dict[str, _Count]
    """How many rows each has, in the order in which they come."""

    @property
    def rows(self) -> int:
        return sum(self.tables.values())


class Piece(Strict):
    """Rows of one table."""

    name: str
    size: _Count
    rows: _Count
    blake2b: _Hex32


class Seal(Strict):
    """`seal.json`: what stands before it."""

    pieces: list[Piece]
    blake2b: _Hex32
    """Of every byte from the first up to this member's header."""


# --- Write --------------------------------------------------------------------------------


class Writer:
    """Writes a backup from its first byte to its last into `file`."""

    def __init__(self, file: IO[bytes], contents: Contents) -> None:
        self._file, self._digest = file, blake2b(digest_size=32)
        self._pieces: list[Piece] = []
        self._member(LEDGER, _json(contents))

    def table(self, table: Table, rows: Iterable[tuple[Any, ...]]) -> Iterator[int]:
        """Every row, in the order of the primary key; yields how many have been written since.

        Raises `ValueError` for a value that its column does not take.
        """
        for number, piece in enumerate(_pieces(rows)):
            raw = _packed(table, piece)
            name = f"{table.name}/{number:06d}.parquet"
            self._member(name, raw)
            digest = to_hex(blake2b(raw, digest_size=32).digest())
            self._pieces.append(Piece(name=name, size=len(raw), rows=len(piece), blake2b=digest))
            yield len(piece)

    def seal(self) -> None:
        before = to_hex(self._digest.digest())
        self._member(SEAL, _json(Seal(pieces=self._pieces, blake2b=before)))
        self._file.write(_END)

    def _member(self, name: str, data: bytes) -> None:
        for part in (_header(name, len(data)), data, _padding(len(data))):
            self._digest.update(part)
            self._file.write(part)


def _pieces(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    piece: list[tuple[Any, ...]] = []
    size = 0
    for row in rows:
        piece.append(row)
        size += _ROW_BYTES + sum(len(value) for value in row if isinstance(value, bytes | str))
        if size >= PIECE_BYTES or len(piece) >= PIECE_ROWS:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


def _packed(table: Table, rows: list[tuple[Any, ...]]) -> bytes:
    schema = arrow_schema(table)
    arrays = [
        pa.array(_checked(table, field, values), field.type)
        for field, values in zip(schema, zip(*rows, strict=True), strict=True)
    ]
    sink = io.BytesIO()
    # without statistics and Arrow's own schema: neither is read, and both are in every piece
    pq.write_table(
        pa.Table.from_arrays(arrays, schema=schema),
        sink,
        compression="zstd",
        write_statistics=False,
        store_schema=False,
        row_group_size=PIECE_ROWS,
    )
    return sink.getvalue()


def _checked(table: Table, field: pa.Field, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arrow would take text for bytes, and a fraction that is whole for a count."""
    allowed = {_TYPES[field.type], type(None)} if field.nullable else {_TYPES[field.type]}
    if not {type(value) for value in values} <= allowed:
        raise ValueError(f"{table.name}.{field.name}")
    return values


# --- Read ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that is whole; its pieces are compared with the seal once more as they are used."""

    path: Path
    contents: Contents
    _places: tuple[tuple[Piece, int], ...]
    """Each piece, and where its bytes begin."""
    _file: IO[bytes]

    def ensure_sealed(self) -> None:
        """Each piece is what was sealed. Raises `BackupDamaged` naming the first that is not."""
        for piece, at in self._places:
            self._bytes(piece, at)

    def rows(self, table: Table) -> Iterator[list[tuple[Any, ...]]]:
        """A list for each piece, in the order of the table's columns, values as `arrow_schema`.

        Raises `BackupDamaged` for a piece that is not what was sealed, or not of this table.
        """
        for piece, at in self._places:
            if piece.name.partition("/")[0] == table.name:
                yield self._unpacked(table, piece, self._bytes(piece, at))

    def _bytes(self, piece: Piece, at: int) -> bytes:
        self._file.seek(at)
        raw = self._file.read(piece.size)
        if to_hex(blake2b(raw, digest_size=32).digest()) != piece.blake2b:
            detail = f"its bytes ({at} to {at + piece.size} of the file) were altered"
            raise BackupDamaged(self.path, piece.name, detail)
        return raw

    def _unpacked(self, table: Table, piece: Piece, raw: bytes) -> list[tuple[Any, ...]]:
        try:
            file = pq.ParquetFile(io.BytesIO(raw))
            groups = [file.metadata.row_group(at) for at in range(file.num_row_groups)]
            if sum(group.total_byte_size for group in groups) > _LARGEST:
                raise BackupDamaged(self.path, piece.name, "it would not fit into memory")
            found = file.read()
            if found.num_rows != piece.rows:
                raise BackupDamaged(self.path, piece.name, f"it has {found.num_rows} rows")
            columns = found.cast(arrow_schema(table)).to_pydict()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise BackupDamaged(
                self.path, piece.name, f"no rows of {table.name}: {error}"
            ) from error
        return list(zip(*columns.values(), strict=True))


@contextmanager
def opened(path: Path, read: Bytes = lambda *_: None) -> Iterator[Backup]:
    """A backup of which every byte has been read and compared with the seal.

    Raises `BackupError` for a file that is no backup or of another format version,
    `BackupDamaged` for one that is cut short or altered.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise BackupError(f"{path}: cannot be read: {error.strerror}") from error
    with file:
        yield _Reader(path, file, read).backup()


class _Reader:
    """Walks the members of a tar as `Writer` writes them, and takes nothing else."""

    def __init__(self, path: Path, file: IO[bytes], read: Bytes) -> None:
        self._path, self._file, self._read = path, file, read
        self._size = fstat(file.fileno()).st_size
        self._digest = blake2b(digest_size=32)

    def backup(self) -> Backup:
        contents = self._contents()
        found: list[tuple[str, int, int]] = []
        """Name, size and place of each piece."""
        while True:
            before = self._digest.hexdigest()
            name, size, header = self._next(f"member {len(found) + 2}")
            self._digest.update(header)
            at = self._file.tell()
            if name == SEAL:
                break
            self._pass_over(name, size)
            found.append((name, size, at))
        seal = self._document(Seal, SEAL, size)
        if self._file.read(len(_END) + 1) != _END:
            raise self._damaged("the end", "bytes are missing or too many")
        if [(piece.name, piece.size) for piece in seal.pieces] != [each[:2] for each in found]:
            raise self._damaged(SEAL, "it is not of the pieces that are there")
        places = tuple((piece, at) for piece, (_, _, at) in zip(seal.pieces, found, strict=True))
        self._ensure_complete(contents, seal)
        backup = Backup(self._path, contents, places, self._file)
        if "0x" + before != seal.blake2b:
            backup.ensure_sealed()
            # headers and padding were compared byte for byte: nothing else is left
            raise self._damaged(f"{LEDGER} or {SEAL}", "it was altered")
        return backup

    def _contents(self) -> Contents:
        first = self._file.read(_BLOCK)
        if not first.startswith(LEDGER.encode() + b"\0"):
            raise BackupError(f"{self._path} is no backup of a ledger")
        name, size = self._parsed(first, LEDGER)
        self._digest.update(first)
        return self._document(Contents, name, size)

    def _next(self, where: str) -> tuple[str, int, bytes]:
        header = self._file.read(_BLOCK)
        name, size = self._parsed(header, where)
        return name, size, header

    def _parsed(self, header: bytes, where: str) -> tuple[str, int]:
        if len(header) < _BLOCK:
            raise self._damaged(where, "the file ends before it")
        try:
            info = tarfile.TarInfo.frombuf(header, "ascii", "strict")
            whole = _header(info.name, info.size) == header
        except (tarfile.HeaderError, ValueError) as error:
            raise self._damaged(where, f"its header was altered ({error})") from error
        if not whole or info.size > _LARGEST:
            raise self._damaged(where, "its header was altered")
        return info.name, info.size

    def _pass_over(self, name: str, size: int) -> None:
        data = self._taken(name, size)
        self._digest.update(data)

    def _taken(self, name: str, size: int) -> bytes:
        padding = _padding(size)
        data = self._file.read(size + len(padding))
        if len(data) < size + len(padding):
            raise self._damaged(name, "the file ends in it")
        if data[size:] != padding:
            raise self._damaged(name, "the bytes behind it were altered")
        self._read(self._file.tell(), self._size)
        return data

    def _document(self, model: type[D], name: str, size: int) -> D:
        data = self._taken(name, size)
        self._digest.update(data)
        raw = data[:size]
        try:
            _ensure_known(self._path, raw)
            document = model.model_validate_json(raw)
        except ValidationError as error:
            raise self._damaged(name, first_problem(error)) from error
        if _json(document) != raw:
            raise self._damaged(name, "it is not written as it was")
        return document

    def _ensure_complete(self, contents: Contents, seal: Seal) -> None:
        counted = dict.fromkeys(contents.tables, 0)
        for piece in seal.pieces:
            table = piece.name.partition("/")[0]
            if table not in counted:
                raise self._damaged(piece.name, "it is of a table that the backup does not name")
            counted[table] += piece.rows
        for table, rows in contents.tables.items():
            if counted[table] != rows:
                raise self._damaged(table, f"it has {counted[table]} rows, not {rows}")

    def _damaged(self, where: str, detail: str) -> BackupDamaged:
        return BackupDamaged(self._path, where, detail)


def _ensure_known(path: Path, raw: bytes) -> None:
    """What another version has in it cannot be told: say which it is, nothing else."""
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return  # the model tells what is wrong
    version = document.get("version") if isinstance(document, dict) else None
    if isinstance(version, int) and version > VERSION and document.get("format") == FORMAT:
        raise BackupError(
            f"{path} is a backup of format version {version}, this program reads {VERSION}: "
            "upgrade the program"
        )


# --- Both ---------------------------------------------------------------------------------


def arrow_schema(table: Table) -> pa.Schema:
    """How each column is kept: counts as int64, bytes as they are, names and words as text."""
    return pa.schema(
        [pa.field(column.name, _arrow(column.type), column.nullable) for column in table.columns]
    )


def _arrow(kind: object) -> pa.DataType:
    match kind:
        case CountColumn():
            return pa.int64()
        case BytesColumn():
            return pa.binary()
        case TextColumn() | NameColumn():
            return pa.string()
    raise TypeError(f"{kind} has no place in a backup: amounts are in projections only")


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def _json(document: Strict) -> bytes:
    return json.dumps(document.model_dump(), indent=1, ensure_ascii=True).encode() + b"\n"
