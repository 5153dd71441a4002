"""Pinned public files: found near by, downloaded once, never taken when they are something else."""

import hashlib
from pathlib import Path

import httpx
import pytest

from ibp_chain.errors import ConfigError, SourceError
from scripts.public_data import PublicFile, chain_spec, fetch

CONTENT = b'{"members": 1}'
FILE = PublicFile(
    "members.json",
    "ibp/members.json",
    "https://example.invalid/members.json",
    hashlib.sha256(CONTENT).hexdigest(),
    "IBP_TEST_FILE",
)


class Site:
    """Answers every request alike, and counts them."""

    def __init__(self, content: bytes, status: int = 200) -> None:
        self.requests = 0
        self._content, self._status = content, status

    def transport(self) -> httpx.MockTransport:
        def answer(_: httpx.Request) -> httpx.Response:
            self.requests += 1
            return httpx.Response(self._status, content=self._content)

        return httpx.MockTransport(answer)


def get(tmp_path: Path, site: Site) -> Path:
    return fetch(
        FILE, shared=tmp_path / "shared", cache=tmp_path / "cache", transport=site.transport()
    )


def test_a_file_is_downloaded_once(tmp_path: Path) -> None:
    site = Site(CONTENT)
    assert get(tmp_path, site).read_bytes() == CONTENT
    assert get(tmp_path, site).read_bytes() == CONTENT
    assert site.requests == 1


def test_a_damaged_cache_is_replaced(tmp_path: Path) -> None:
    site = Site(CONTENT)
    get(tmp_path, site).write_bytes(b"damaged")
    assert get(tmp_path, site).read_bytes() == CONTENT
    assert site.requests == 2


def test_other_content_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"pinned is .*: it is not used"):
        get(tmp_path, Site(CONTENT + b" "))
    assert not list(tmp_path.rglob("*.json"))


def test_a_failed_download_says_what_else_to_do(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"404.*set IBP_TEST_FILE"):
        get(tmp_path, Site(b"", status=404))


def test_the_shared_copy_is_preferred_to_the_network(tmp_path: Path) -> None:
    shared = tmp_path / "shared" / FILE.shared
    shared.parent.mkdir(parents=True)
    shared.write_bytes(CONTENT)
    site = Site(b"")
    assert get(tmp_path, site) == shared
    assert site.requests == 0


@pytest.mark.parametrize("named", ["members.json", "."])
def test_the_environment_overrides_with_a_file_or_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    mine = tmp_path / "members.json"
    mine.write_bytes(b"mine")
    monkeypatch.setenv(FILE.variable, str(tmp_path / named))
    assert get(tmp_path, Site(CONTENT)) == mine


def test_an_override_that_leads_nowhere_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FILE.variable, str(tmp_path / "absent.json"))
    with pytest.raises(ConfigError, match=r"IBP_TEST_FILE=.*absent\.json"):
        get(tmp_path, Site(CONTENT))


def test_an_unknown_specification_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'\.\./etc/passwd'; known: paseo-2024"):
        chain_spec("../etc/passwd")
