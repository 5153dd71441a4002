"""`ibp serve` as a person runs it."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from tests.support import web
from tests.support.command_line import DEMO, ROOT, assert_one_clear_line, ibp

_SECONDS = 180
"""Two cores have other work beside a test: how long an answer takes says nothing."""
_UNKEPT = httpx.Limits(max_keepalive_connections=0)
"""The server ends a connection that was idle for 15 s, also just when it is asked again."""


@contextmanager
def serving(*options: object) -> Iterator[httpx.Client]:
    """The command, until the block ends: by the signal, and without a complaint."""
    command = [sys.executable, "-m", "ibp_chain.cli.app", "serve", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(
        [*command, *map(str, options)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://[0-9.]+:[0-9]+", line)
        assert found is not None, line + (process.stderr.read() if process.stderr else "")
        try:
            with httpx.Client(
                base_url=found[0], trust_env=False, timeout=_SECONDS, limits=_UNKEPT
            ) as client:
                yield client
        finally:
            process.send_signal(signal.SIGINT)
            try:
                _, complaints = process.communicate(timeout=_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()  # else nobody would come past the end of the block
                raise
    assert complaints == ""
    assert process.returncode == 130  # as of Ctrl-C


@pytest.fixture(scope="module")
def site() -> Iterator[httpx.Client]:
    with serving(
        "--db", web.database(), "--rows", DEMO / "rows", "--bundles", web.folder() / "bundles",
        "--archive", DEMO / "archive",
    ) as client:  # fmt: skip
        yield client


def patiently(site: httpx.Client, path: str) -> httpx.Response:
    """The answer, asked for again when the server says that it may be."""
    while (answer := site.get(path)).status_code == HTTPStatus.TOO_MANY_REQUESTS:
        time.sleep(int(answer.headers["Retry-After"]))
    return answer


def test_a_proof_that_the_page_hands_out_holds_against_the_ledger(
    site: httpx.Client, tmp_path: Path
) -> None:
    answer = patiently(site, "/api/v1/members/amforc/scores/2026-01-30/proof?service=polkadot")
    assert answer.headers["content-disposition"] == (
        'attachment; filename="amforc-2026-01-30-polkadot.proof.json"'
    )
    file = tmp_path / "proof.json"
    file.write_bytes(answer.content)
    done = ibp("oracle", "verify", file, "--db", web.database())
    assert done.returncode == 0, done.stderr
    assert "amforc" in done.stdout


def test_the_root_of_an_earlier_block_is_what_the_command_says(site: httpx.Client) -> None:
    told = patiently(site, "/api/v1/roots/60100").json()
    done = ibp("ledger", "state-root", "--db", web.database(), "--at", 60_100)
    assert done.stdout.split()[0] == told["state_root"]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--db", "sqlite:////nowhere/ledger.db"), 2, "no directory"),
        (("--listen", "0.0.0.0:0"), 2, "--public"),
        (("--listen", "127.0.0.1"), 2, "is no address to listen on"),
        (("--listen", "example.org:80"), 2, "--listen"),
        (("--rows", "/nowhere"), 2, "/nowhere is no folder"),
    ],
    ids=["no-database", "public-unsaid", "no-port", "a-name", "no-rows"],
)
def test_what_cannot_be_served_is_said_before_anything_is(
    options: tuple[str, ...], code: int, said: str
) -> None:
    given = options if "--db" in options else (*options, "--db", web.database())
    assert_one_clear_line(ibp("serve", *given), code, said)


def test_a_port_that_is_taken_is_said_in_one_line(site: httpx.Client) -> None:
    taken = f"127.0.0.1:{site.base_url.port}"
    done = ibp("serve", "--db", web.database(), "--listen", taken)
    assert_one_clear_line(done, 2, f"cannot listen on {taken}")
