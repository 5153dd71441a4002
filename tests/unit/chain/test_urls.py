"""What is shown of a URL holds no secret, however malformed it is."""

import pytest

from ibp_chain.errors import ConfigError, SourceError
from ibp_chain.rpc import RpcClient
from ibp_chain.urls import public_place, public_url
from ledger.following import Followed
from ledger.store_database import parse_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("wss://node.example:443/path?key=SECRET", "wss://node.example:443"),
        ("wss://node.example/0123-SECRET", "wss://node.example"),
        ("wss://SECRET@node.example", "wss://node.example"),
        ("wss://user:SECRET@node.example", "wss://node.example"),
        ("wss://user:SE@CRET@node.example", "wss://node.example"),
        ("http://a:SECRET@[::1]:80/x?y#z", "http://[::1]:80"),
        ("wss://user:SE/CRET@node.example", "wss://***"),
        ("wss://user:1/SECRET@node.example", "wss://***"),
        ("wss://SECRET?@node.example", "wss://***"),
        ("wss://host:SECRET/", "wss://***"),
        ("wss://ho st:SECRET", "wss://***"),
        ("SECRET", "***"),
        ("postgresql:/user:SECRET@host/db", "***"),
        ("", "***"),
    ],
)
def test_scheme_host_and_port_are_all_that_is_shown(url: str, shown: str) -> None:
    assert public_url(url) == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://key:SECRET@bucket/archive?versionId=SECRET#SECRET", "s3://bucket/archive"),
        ("s3://bucket/name@home", "s3://bucket/name@home"),
        ("s3://AKIA:SE/CRET@bucket/archive", "s3://***"),
        ("https://u:SE@CRET@host/SECRET/archive", "https://host"),
        ("memory://user:SECRET@nowhere/archive", "memory://nowhere/archive"),
    ],
)
def test_a_place_keeps_its_name_in_a_bucket(url: str, shown: str) -> None:
    assert public_place(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "ws://SECRET@127.0.0.1:1/",
        "ws://127.0.0.1:1/?apikey=SECRET#x",
        "wss://user:SE/CRET@host",
        "wss://h:x1/?apikey=SECRET",
        "http://h:x1/?apikey=SECRET",
        "http://127.0.0.1:1/SECRET",
        "http://[/SECRET",
        "ftp://user:SECRET@host",
    ],
)
def test_no_error_of_a_node_shows_them(url: str) -> None:
    with pytest.raises(SourceError) as caught:
        RpcClient(url, attempts=1, timeout=1.0).call("system_chain")
    assert "CRET" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql//u:SECRET@h/db",
        "postgresql:/u:SECRET@h/db",
        "postgresql://u:SECRET@h:54x2/db",
        "postgres ql://u:SECRET@h/db",
    ],
)
def test_no_refusal_of_a_database_shows_them(url: str) -> None:
    with pytest.raises(ConfigError, match="no database URL") as caught:
        parse_url(url)
    assert "SECRET" not in str(caught.value)


def test_no_plan_shows_them() -> None:
    plan = Followed(nodes=("wss://host/SECRET",), db="postgresql://u:SECRET@h/db")
    assert "SECRET" not in repr(plan)
