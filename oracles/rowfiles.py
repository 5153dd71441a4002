"""Published rows in a directory: one file per root, named by it, written whole or not at all."""

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

from ibp_chain.types import Hash
from oracles.errors import RowsAltered, RowsError
from oracles.rows import Layout, R

SUFFIX = ".rows"


def path_of(directory: Path, root: Hash) -> Path:
    """Where the rows of `root` are kept: `<64 hex digits>.rows`."""
    return directory / f"{root.hex()}{SUFFIX}"


def write_rows(directory: Path, layout: Layout[R], rows: Sequence[R]) -> Path:
    """Publishes canonical `rows` and returns their file; an existing file is replaced at once.

    Raises `RowsError` for rows that are not canonical, `OSError` as the file system does.
    """
    data, path = layout.pack(rows), path_of(directory, layout.root(rows))
    directory.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=directory, suffix=".part", delete=False) as part:
        try:
            part.write(data)
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).replace(path)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise
    return path


def read_rows(directory: Path, layout: Layout[R], *, root: Hash, size: int) -> tuple[R, ...]:
    """The rows of `root`, all checked.

    Raises `RowsError` where there is no such file, `RowsAltered` where it holds anything else.
    """
    path = path_of(directory, root)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RowsError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return layout.unpack(data, root=root, size=size)
    except RowsAltered as error:
        raise RowsAltered(f"{path}: {error}") from error
