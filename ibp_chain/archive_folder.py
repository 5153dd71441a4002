"""Where an archive lies: a directory, or any place that fsspec reaches, such as a bucket.

A place elsewhere is read in ranges where little is wanted, and each file once where all of it is.
Credentials come from the environment, as its library documents; what a location says of them is
never shown.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, Self, cast
from urllib.parse import unquote, urlsplit

from ibp_chain.errors import ArchiveError
from ibp_chain.files import replacing
from ibp_chain.urls import public_place, without_urls

_RANGE = 256 * 1024
"""Bytes that a ranged read asks for at least: a quiet block's row group, and some behind it."""
_CHUNK = 1 << 20


class Folder(Protocol):
    """The files of one archive, by their names in it, as `blocks/1-1024.parquet`.

    `str()` is its name for people. Reading raises `OSError`, whatever the place's own errors are.
    """

    @property
    def is_local(self) -> bool: ...

    def where(self, file: str) -> str:
        """A file's name for people."""

    def open(self, file: str) -> BinaryIO:
        """To read, from any position."""

    def read(self, file: str, limit: int) -> bytes:
        """The whole of a file of at most `limit` bytes."""

    def sizes(self, under: str) -> dict[str, int]:
        """Of the files right under a directory, by name; none where there is no such directory."""

    def writing(self, file: str) -> Any:
        """A context of a file to write, whole or not at all."""


Location = Path | str | Folder
"""A directory, or a URL of fsspec: `s3://bucket/archive`, `file:///srv/archive`."""


def folder_at(location: Location) -> Folder:
    """Raises `ArchiveError` for a URL that nothing here can read."""
    if isinstance(location, Path):
        return LocalFolder(location)
    if not isinstance(location, str):
        return location
    if "://" not in location:
        return LocalFolder(Path(location))
    if location.startswith("file://"):
        return LocalFolder(Path(unquote(urlsplit(location).path)))
    return _remote(location)


def redacted(url: str) -> str:
    """`url` as it may be shown."""
    return public_place(url)


def said(error: OSError) -> str:
    """What went wrong, without the file's name."""
    return error.strerror or str(error) or type(error).__name__


@dataclass(frozen=True, slots=True)
class LocalFolder:
    path: Path

    @property
    def is_local(self) -> bool:
        return True

    def __str__(self) -> str:
        return str(self.path)

    def where(self, file: str) -> str:
        return str(self.path / file)

    def open(self, file: str) -> BinaryIO:
        return (self.path / file).open("rb")

    def read(self, file: str, limit: int) -> bytes:
        with self.open(file) as opened:
            return _bounded(opened.read(limit + 1), limit)

    def sizes(self, under: str) -> dict[str, int]:
        try:
            entries = list(os.scandir(self.path / under))
        except FileNotFoundError:
            return {}
        return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}

    @contextmanager
    def writing(self, file: str) -> Iterator[BinaryIO]:
        with replacing(self.path / file) as part, part.open("wb") as opened:
            yield opened


@dataclass(frozen=True, slots=True)
class RemoteFolder:
    """A directory of an fsspec file system. `name` may be shown."""

    files: Any
    root: str
    name: str

    @property
    def is_local(self) -> bool:
        return False

    def __str__(self) -> str:
        return self.name

    def where(self, file: str) -> str:
        return f"{self.name}/{file}"

    def open(self, file: str) -> BinaryIO:
        with self._told(file):
            opened = self.files.open(
                self._at(file), "rb", block_size=_RANGE, cache_type="readahead"
            )
        return cast("BinaryIO", _Told(opened, self, file))

    def read(self, file: str, limit: int) -> bytes:
        with self._told(file):
            return _bounded(self.files.cat_file(self._at(file), start=0, end=limit + 1), limit)

    def sizes(self, under: str) -> dict[str, int]:
        with self._told(under):
            try:
                # another process may have written since this one listed it
                self.files.invalidate_cache(self._at(under))
                entries = self.files.ls(self._at(under), detail=True)
            except FileNotFoundError:
                return {}
        return {
            entry["name"].rstrip("/").rpartition("/")[2]: int(entry["size"])
            for entry in entries
            if entry["type"] == "file"
        }

    @contextmanager
    def writing(self, file: str) -> Iterator[BinaryIO]:
        with self._told(file):
            self.files.makedirs(self._at(file).rpartition("/")[0], exist_ok=True)
            opened = self.files.open(self._at(file), "wb")
            try:
                yield opened
            except BaseException:
                opened.discard()  # an object appears when it is closed
                raise
            opened.close()

    def _at(self, file: str) -> str:
        return f"{self.root}/{file}"

    @contextmanager
    def _told(self, file: str) -> Iterator[None]:
        try:
            yield
        except ArchiveError:
            raise
        except FileNotFoundError as error:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from error
        except Exception as error:  # each file system has errors of its own, with no common base
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise OSError(errno.EIO, without_urls(reason), self.where(file)) from error


class _Told:
    """An open file that raises `OSError` for whatever its file system raises."""

    def __init__(self, opened: Any, folder: RemoteFolder, file: str) -> None:
        self._opened, self._folder, self._file = opened, folder, file

    def read(self, size: int = -1) -> bytes:
        with self._folder._told(self._file):  # noqa: SLF001  # of this module
            return bytes(self._opened.read(size))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opened, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()


def _remote(url: str) -> RemoteFolder:
    import fsspec  # noqa: PLC0415  # slow to import, and nobody else needs it

    name = redacted(url).rstrip("/")
    try:
        files, root = fsspec.core.url_to_fs(url)
    except ImportError as error:
        protocol = url.partition("://")[0]
        extra = "ibp-chain[s3]" if protocol == "s3" else f"what fsspec asks for {protocol}"
        raise ArchiveError(f"{name}: cannot be read here: install {extra}") from error
    except ValueError as error:
        reason = without_urls(str(error))
        raise ArchiveError(f"{name}: no place that can be read: {reason}") from error
    return RemoteFolder(files, str(root).rstrip("/"), name)


def chunks(opened: BinaryIO) -> Iterator[bytes]:
    """The rest of an open file, a MiB at a time."""
    while chunk := opened.read(_CHUNK):
        yield chunk


def _bounded(data: bytes, limit: int) -> bytes:
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"longer than the {limit} bytes that it may have")
    return data
