"""The files of the archive that the server offers: those that its manifest lists, and no other."""

from dataclasses import dataclass
from pathlib import Path

from ibp_chain.archive_format import read_manifest
from ibp_chain.web.errors import NotFound, NotGiven
from ibp_chain.web.models import ArchiveFile

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive in a folder. Its manifest is read anew: a recorder may be adding blocks."""

    folder: Path | None

    def files(self) -> tuple[ArchiveFile, ...]:
        """Every file, the manifest first. Raises `ArchiveError`, `ArchiveCorrupt`."""
        if self.folder is None:
            return ()
        manifest = read_manifest(self.folder)
        found = [_file(self.folder, MANIFEST, None, None, None)]
        for block_file in manifest.files:
            digest, first, last = block_file.blake2b, block_file.first, block_file.last
            found.append(_file(self.folder, block_file.name, digest, first, last))
        found += [_file(self.folder, each.name, None, None, None) for each in manifest.metadata]
        return tuple(found)

    def path_of(self, name: str) -> Path:
        """Raises `NotGiven` without an archive, `NotFound` for what its manifest does not list."""
        if self.folder is None:
            raise NotGiven("the server was started without --archive")
        if name not in {each.name for each in self.files()}:
            raise NotFound(f"the archive's manifest lists no file {name!r}")
        return self.folder / name


def _file(
    folder: Path, name: str, blake2b: str | None, first: int | None, last: int | None
) -> ArchiveFile:
    path = folder / name
    size = path.stat().st_size if path.is_file() else 0
    return ArchiveFile(name=name, bytes=size, blake2b=blake2b, first=first, last=last)
