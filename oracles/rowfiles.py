"""Published rows in a directory: one file per root, named by it."""

import re
from collections.abc import Sequence
from pathlib import Path

from ibp_chain.files import read_bounded, write_whole
from ibp_chain.types import Hash
from oracles.errors import RowsAltered, RowsError
from oracles.rows import Layout, R

SUFFIX = ".rows"
MAX_SIZE = 1 << 26
"""Bytes of one file: a day of 40,000 endpoints, each answering in all slots."""
_ROOT = re.compile(r"(?:0x)?([0-9a-f]{64})")


def path_of(directory: Path, root: Hash) -> Path:
    """Where the rows of `root` are kept: `<64 hex digits>.rows`."""
    return directory / f"{root.hex()}{SUFFIX}"


def root_of(path: Path) -> Hash:
    """The root that a row file's name promises. Raises `RowsError` for any other name."""
    if path.suffix != SUFFIX or len(path.stem) != 64:
        raise RowsError(f"{path}: a row file is called <64 hex digits>{SUFFIX}")
    return parse_root(path.stem)


def parse_root(text: str) -> Hash:
    """The root that `text` writes in hex, `0x` before it or not. Raises `RowsError`."""
    if not (match := _ROOT.fullmatch(text)):
        raise RowsError(f"{text!r} is no root: 64 lower-case hex digits are expected")
    return Hash(bytes.fromhex(match[1]))


def write_rows(directory: Path, layout: Layout[R], rows: Sequence[R]) -> Path:
    """Publishes canonical `rows` and returns their file; an existing file is replaced at once.

    Raises `RowsError` for rows that are not canonical or too many, `OSError` as the file system
    does.
    """
    data, path = layout.pack(rows), path_of(directory, layout.root(rows))
    if len(data) > MAX_SIZE:
        raise RowsError(f"{len(rows)} rows take {len(data)} bytes; {MAX_SIZE} fit in a file")
    directory.mkdir(parents=True, exist_ok=True)
    write_whole(path, data)
    return path


def read_rows(
    directory: Path, layout: Layout[R], *, root: Hash, size: int | None = None
) -> tuple[R, ...]:
    """The rows of `root`, all checked; `size` is the row count in the digest, where one is known.

    Raises `RowsError` where there is no such file or it holds no rows of this layout, `RowsAltered`
    where it holds the rows of another root.
    """
    path = path_of(directory, root)
    data = read_bounded(path, MAX_SIZE, RowsError)
    try:
        return layout.unpack(data, root=root, size=size)
    except (RowsError, RowsAltered) as error:
        raise type(error)(f"{path}: {error}") from error
