"""Copy an archive to another place: files first, each read back, the manifest last.

An archive is there when its manifest is, so a copy that was interrupted is none; the next one takes
what is there and whole, and goes on.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ibp_chain.archive import ArchiveSource
from ibp_chain.archive_folder import Folder, Location, chunks, folder_at, said
from ibp_chain.archive_format import (
    MANIFEST,
    MAX_MANIFEST,
    START,
    Manifest,
    read_manifest,
    stream_digest,
)
from ibp_chain.errors import ArchiveError, CheckFailed


class Copied(NamedTuple):
    """What a copy did."""

    manifest: Manifest
    files: int
    """That were written; others were there."""
    size: int
    """Bytes of them."""


def copy(
    source: Location, target: Location, progress: Callable[[int], object] = lambda _: None
) -> Copied:
    """Copy the archive at `source` to `target`, or what an earlier copy lacks.

    `progress` hears how many files are done. Raises `ArchiveError` where there is no archive to
    copy, or another one at `target`; `CheckFailed` for a file whose bytes are not those that were
    recorded, here or there. `target` has no manifest that names such a file.
    """
    origin, there = ArchiveSource(source), folder_at(target)
    try:
        return _copy(origin.folder, there, origin.manifest, progress)
    except OSError as error:
        raise ArchiveError(f"{origin.folder} to {there}: {said(error)}") from error


def _copy(
    here: Folder, there: Folder, manifest: Manifest, progress: Callable[[int], object]
) -> Copied:
    text = here.read(MANIFEST, MAX_MANIFEST)  # before its files: a recording may go on meanwhile
    if read_manifest(here) != manifest:
        raise ArchiveError(f"{here} was recorded into meanwhile: copy it again")
    _ensure_same_or_none(there, manifest)
    written = size = 0
    for done, (name, digest) in enumerate(_files(here, manifest), 1):
        if _digest_at(there, name) != digest:
            size += _copied(here, there, name, digest)
            written += 1
        progress(done)
    with _failing(there, MANIFEST), there.writing(MANIFEST) as file:
        file.write(text)
    if read_manifest(there) != manifest:
        raise CheckFailed(f"{there.where(MANIFEST)}: is not what was written")
    return Copied(manifest, written, size)


def _files(here: Folder, manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Every file but the manifest, with the digest of its bytes."""
    for metadata in manifest.metadata:  # whose manifest says the digest of what is packed in it
        yield metadata.name, _read_digest(here, metadata.name)
    if START in here.sizes(""):
        yield START, _read_digest(here, START)
    for file in manifest.files:
        yield file.name, file.blake2b


def _ensure_same_or_none(there: Folder, manifest: Manifest) -> None:
    """What is at the target may become this archive: it is none yet, or the beginning of it."""
    if MANIFEST not in there.sizes(""):
        return
    found = read_manifest(there)
    if found.chain != manifest.chain or found.files != manifest.files[: len(found.files)]:
        raise ArchiveError(f"{there} has another archive: copy to an empty place")


def _copied(here: Folder, there: Folder, name: str, digest: str) -> int:
    """Copy one file and read it back; its size."""
    size = 0
    with _failing(there, name), there.writing(name) as file, here.open(name) as opened:
        for chunk in chunks(opened):
            file.write(chunk)
            size += len(chunk)
    if _digest_at(there, name) != digest:
        at_fault = here if _read_digest(here, name) != digest else there
        raise CheckFailed(f"{at_fault.where(name)}: its bytes are not those that were recorded")
    return size


def _digest_at(folder: Folder, name: str) -> str | None:
    """None where there is no such file."""
    try:
        return _read_digest(folder, name)
    except FileNotFoundError:
        return None


def _read_digest(folder: Folder, name: str) -> str:
    """Raises `OSError`."""
    with folder.open(name) as opened:
        return stream_digest(opened)


@contextmanager
def _failing(folder: Folder, name: str) -> Iterator[None]:
    """Says whose file could not be written."""
    try:
        yield
    except OSError as error:
        raise ArchiveError(f"{folder.where(name)}: {said(error)}") from error
