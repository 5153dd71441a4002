"""Files: read within a bound, written whole or not at all."""

import os
from pathlib import Path
from stat import S_ISREG
from tempfile import NamedTemporaryFile

from ibp_chain.errors import InputError


def write_whole(path: Path, data: bytes) -> None:
    """Puts `data` at `path` at once, readable by all. Raises `OSError` as the file system does."""
    with NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
        temporary = Path(part.name)
        try:
            part.write(data)
            part.flush()
            os.fsync(part.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


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
