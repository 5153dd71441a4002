"""Public files that are not part of this repository: chain specifications and the member list.

Each is taken from where an environment variable says, else from `../shared/data` beside the
checkout, else from the user's cache, where it is downloaded once from the commit that it is pinned
to. What is downloaded must have the pinned SHA-256; what a person names is taken as it is.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import httpx
import platformdirs

from ibp_chain.errors import ConfigError, SourceError
from ibp_chain.files import write_whole

_SHARED = Path(__file__).parents[2] / "shared" / "data"
_TIMEOUT_SECONDS = 60.0
_MAX_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class PublicFile:
    """A file of a public repository, pinned to a commit and its content."""

    name: str
    """What it is called here."""
    shared: str
    """Its path below `../shared/data`."""
    url: str
    sha256: str
    variable: str
    """The environment variable that overrides it, with a file or with a directory that has it."""


_RAW = "https://raw.githubusercontent.com"
CHAIN_SPECS = {
    "paseo-2024": PublicFile(
        "paseo-2024.json",
        "chain-spec/paseo-2024.json",
        f"{_RAW}/ibp-network/config/36528c523b9797e0ee4b665745306bbe1f7bc9be/chain-spec/paseo.json",
        "824a52c7378647e9530b26ed504ca5892bd5201720ddc32ba621a001c8c94cea",
        "IBP_CHAIN_SPEC",
    ),
    "paseo-2026": PublicFile(
        "paseo-2026.json",
        "chain-spec/paseo-2026.json",
        f"{_RAW}/paseo-network/runtimes/36a4b9da228df82e79c4b157b8fa58aa2c202711"
        "/chain-specs/paseo-substitute.json",
        "57d86b7184650fbdd82f41fadabca86d298db25e443d361a9659a5a190fb5a70",
        "IBP_CHAIN_SPEC",
    ),
}
MEMBERS_PROFESSIONAL = PublicFile(
    "members_professional.json",
    "ibp/members_professional.json",
    f"{_RAW}/ibp-network/config/bcf7d329ebc4b07c8f48d80b74ff9f785642ac94/members_professional.json",
    "4a42752a9d1b13b0c122603dd9d15645b58022ee80f0d86a5f4d57543cd33acc",
    "IBP_MEMBERS",
)


def chain_spec(name: str) -> Path:
    """The raw chain specification called `name`.

    `IBP_CHAIN_SPEC` may name another file, or a directory that holds it as `<name>.json`. Raises
    `ConfigError` for an unknown name and as `fetch` does.
    """
    if name not in CHAIN_SPECS:
        raise ConfigError(f"unknown chain specification {name!r}; known: {', '.join(CHAIN_SPECS)}")
    return fetch(CHAIN_SPECS[name])


def members_professional() -> Path:
    """The programme's real member list; `IBP_MEMBERS` overrides it. Raises as `fetch` does."""
    return fetch(MEMBERS_PROFESSIONAL)


def scale_data() -> Path:
    """The folder with real Polkadot events and metadata, for tests and benchmarks of the codec.

    `IBP_SCALE_DATA` overrides `../shared/data/scale`. It is an excerpt of `justkawal/polkadart` at
    25c5b3ab, `chain/polkadot`, and is not downloaded. Raises `ConfigError` when it is nowhere.
    """
    given = os.environ.get("IBP_SCALE_DATA")
    folder = Path(given) if given else _SHARED / "scale"
    if not (folder / "polkadot-events.jsonl.gz").is_file():
        raise ConfigError(
            f"{folder} has no polkadot-events.jsonl.gz: set IBP_SCALE_DATA to a folder with it"
        )
    return folder


def fetch(
    file: PublicFile,
    *,
    shared: Path = _SHARED,
    cache: Path | None = None,
    transport: httpx.BaseTransport | None = None,
) -> Path:
    """Where `file` is on this machine, downloading it when it is nowhere yet.

    Raises `ConfigError` when the environment variable leads nowhere, `SourceError` when it cannot
    be downloaded or is not what it is pinned to.
    """
    given = os.environ.get(file.variable)
    if given:
        return _given(file, Path(given))
    if (shared / file.shared).is_file():
        return shared / file.shared
    folder = platformdirs.user_cache_path("ibp-chain") if cache is None else cache
    # Named by content, so that a new pin never meets an old file.
    target = folder / file.sha256[:16] / file.name
    if not (target.is_file() and _digest(target.read_bytes()) == file.sha256):
        _write(target, _download(file, transport))
    return target


def _given(file: PublicFile, path: Path) -> Path:
    found = path / file.name if path.is_dir() else path
    if not found.is_file():
        raise ConfigError(f"{file.variable}={path}: there is no file {found}")
    return found


def _download(file: PublicFile, transport: httpx.BaseTransport | None) -> bytes:
    advice = f"or set {file.variable} to a copy of {file.name}"
    content = bytearray()
    try:
        with (
            httpx.Client(timeout=_TIMEOUT_SECONDS, transport=transport) as client,
            client.stream("GET", file.url) as response,
        ):
            response.raise_for_status()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > _MAX_BYTES:
                    raise SourceError(f"{file.url} sends more than {_MAX_BYTES} bytes; {advice}")
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise SourceError(
            f"{file.url} cannot be downloaded: {reason}; try again, {advice}"
        ) from error
    found = _digest(content)
    if found != file.sha256:
        raise SourceError(
            f"{file.url} has SHA-256 {found}, pinned is {file.sha256}: it is not used; {advice}"
        )
    return bytes(content)


def _write(target: Path, content: bytes) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, content)
    except OSError as error:
        raise ConfigError(f"{target} cannot be written: {error.strerror}") from error


def _digest(content: bytes | bytearray) -> str:
    return hashlib.sha256(content).hexdigest()
