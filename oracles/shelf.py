"""The row files of one oracle, and which of them may be seen: sealed until revealed.

An oracle commits to the root of its rows before it shows them. So its own rows are written into
`sealed/` and moved out of it by `reveal`: one rename, which a crash leaves done or undone.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from ibp_chain.files import write_whole
from ibp_chain.types import Hash
from oracles.errors import RowsError
from oracles.rowfiles import MAX_SIZE, path_of, read_rows, write_rows
from oracles.rows import Layout, R

SEALED = "sealed"


class Shelf:
    """Row files in `directory`, the sealed ones below it. One process writes.

    Every method raises `OSError` as the file system does.
    """

    def __init__(self, directory: Path) -> None:
        self._open, self._sealed = directory, directory / SEALED
        directory.mkdir(parents=True, exist_ok=True)
        self._sealed.mkdir(mode=0o700, exist_ok=True)

    def put(self, layout: Layout[R], rows: Sequence[R]) -> Hash:
        """Keeps canonical `rows`, sealed unless their root is revealed already, and says the root.

        Raises `RowsError` for rows that are not canonical or too many.
        """
        root = layout.root(rows)
        directory = self._open if self.revealed(root) else self._sealed
        write_rows(directory, layout, rows)
        _sync(directory)
        return root

    def put_raw(self, layout: Layout[R], data: bytes, *, root: Hash, size: int) -> tuple[R, ...]:
        """Keeps what somebody else published, revealed, and says its rows.

        Raises `RowsError` or `RowsAltered`, and keeps nothing, where `data` is not what the digest
        of `root` and `size` rows commits to.
        """
        if len(data) > MAX_SIZE:
            raise RowsError(f"rows of {len(data)} bytes; {MAX_SIZE} fit in a file")
        rows = layout.unpack(data, root=root, size=size)
        write_whole(path_of(self._open, root), data)
        _sync(self._open)
        path_of(self._sealed, root).unlink(missing_ok=True)
        return rows

    def reveal(self, root: Hash) -> None:
        """From now on anybody may see the rows of `root`. Again is no change.

        Raises `RowsError` where there are no such rows.
        """
        try:
            path_of(self._sealed, root).replace(path_of(self._open, root))
        except FileNotFoundError:
            if not self.revealed(root):
                raise RowsError(f"rows of root 0x{root.hex()}: not on this shelf") from None
            return
        _sync(self._open)
        _sync(self._sealed)

    def has(self, root: Hash) -> bool:
        """Whether there is a file, sealed or revealed; `get` says whether it is whole."""
        return self.revealed(root) or path_of(self._sealed, root).is_file()

    def revealed(self, root: Hash) -> bool:
        return path_of(self._open, root).is_file()

    def get(self, root: Hash, layout: Layout[R], size: int | None = None) -> tuple[R, ...]:
        """The rows of `root`, sealed or revealed, all checked.

        Raises `RowsError` where there are none of this layout, `RowsAltered` where the file holds
        others.
        """
        directory = self._open if self.revealed(root) else self._sealed
        return read_rows(directory, layout, root=root, size=size)

    def open(self, root: Hash) -> BinaryIO | None:
        """The file of a revealed root, as it is; None for any other, whether sealed or unknown."""
        try:
            return path_of(self._open, root).open("rb")
        except FileNotFoundError:
            return None


def _sync(directory: Path) -> None:
    """A rename outlasts a loss of power only once its directory is written."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
