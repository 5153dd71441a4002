"""Files: read within a bound, written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG
from tempfile import NamedTemporaryFile
from typing import IO

from ibp_chain.errors import InputError


def write_whole(path: Path, data: bytes, *, private: bool = False) -> None:
    """Puts `data` at `path` at once, readable by all, or by its owner alone with `private`.

    Raises `OSError` as the file system does.
    """
    with writing_whole(path, private=private) as part:
        part.write(data)


@contextmanager
def writing_whole(path: Path, *, private: bool = False, new: bool = False) -> Iterator[IO[bytes]]:
    """A file to write, which is at `path` once the block has ended, and nowhere if it has failed.

    With `new` it takes no other file's place, not even of one that came meanwhile. Raises `OSError`
    as the file system does, `FileExistsError` then.
    """
    with NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
        temporary = Path(part.name)
        try:
            yield part
            part.flush()
            os.fsync(part.fileno())
            temporary.chmod(0o600 if private else 0o644)
            if new:
                path.hardlink_to(temporary)
                temporary.unlink()
            else:
                temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """The names in `folder` are on the disk when this returns: a file's own sync is not enough.

    Raises `OSError` as the file system does.
    """
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def read_bounded(path: Path, limit: int, error: type[InputError]) -> bytes:
    """What is in the regular file `path`, at most `limit` bytes. Raises `error` otherwise."""
    try:
        # a named pipe would block, a device would never end
        if not S_ISREG(path.stat().st_mode):
            raise error(f"{path}: is no regular file")
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as problem:
        raise error(f"{path}: cannot be read: {problem.strerror}") from problem
    if len(data) > limit:
        raise error(f"{path}: longer than the {limit} bytes that such a file may have")
    return data


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write that becomes `path` in the end, or leaves no trace where that fails.

    Its name is always the same, so that what a killed process left is overwritten by the next.
    """
    _made(path.parent)
    part = path.with_name(path.name + ".part")
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _made(folder: Path) -> None:
    """`folder` is there, and stays there: its name is on the disk as well."""
    if folder.is_dir():
        return
    _made(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)
