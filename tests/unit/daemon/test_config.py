"""The settings file: the page shows a whole one, and what is wrong is said by name."""

import re
import shutil
import time
from pathlib import Path

import pytest

from ibp_chain.errors import ConfigError
from oracles.daemon.clocks import MachineClock, TimeLapse
from oracles.daemon.config import Config, load_config

PAGE = (Path(__file__).parents[3] / "docs" / "oracle.md").read_text()
ROSTER = """
version = 1
[[services]]
id = "polkadot"
chain = "polkadot"
milestone = 3
[assigned]
gatotech = ["polkadot"]
"""
TARGETS = """
version = 1
[members]
gatotech = ["127.0.0.1"]
[[chains]]
id = "polkadot"
genesis = "0x91b171bb158e2d3848fa23a9f1c25182fb8e20313b2c1eb49219da7a70ce90c3"
[[services]]
id = "polkadot"
kind = "rpc"
chain = "polkadot"
urls = ["wss://rpc.example/polkadot"]
members = ["gatotech"]
"""


def example() -> str:
    found = re.search(r"`oracle\.toml`:\n\n```toml\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "roster.toml").write_text(ROSTER)
    (tmp_path / "targets.toml").write_text(TARGETS)
    return tmp_path


def load(folder: Path, text: str) -> Config:
    (folder / "oracle.toml").write_text(text)
    return load_config(folder / "oracle.toml", time.time)


def test_the_pages_example_is_one_and_says_the_defaults(folder: Path) -> None:
    shown = load(folder, example())
    least = """
version = 1
folder = "data"
targets = "targets.toml"
roster = "roster.toml"
[chain]
nodes = ["ws://127.0.0.1:9944"]
"""
    small = load(folder, least)
    for name in (
        "listen",
        "chain",
        "poll",
        "alerts",
        "turns",
        "folder",
        "operator",
        "pace",
        "limits",
    ):
        assert getattr(shown, name) == getattr(small, name), name
    assert isinstance(small.clock, MachineClock)
    assert [peer.url for peer in shown.peers] == ["https://oracle-2.example"]


def test_a_test_network_has_its_own_time(folder: Path) -> None:
    config = load(folder, example() + "\n[time_lapse]\nknots = [[100, 1000], [200.5, 9000]]\n")
    assert isinstance(config.clock, TimeLapse)
    assert config.clock.at(100) == 1_000


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('listen = "127.0.0.1:8800"', 'listen = "8800"', "is no address to listen on"),
        ('nodes = ["ws://127.0.0.1:9944"]', "nodes = []", "chain.nodes"),
        ("era = 64", "era = 2", "chain.era"),
        ("at_once = 64", "at_once = 0", "poll.at_once"),
        ("seconds = 900", "seconds = 300", "all of a turn would be quiet"),
        ("version = 1", "version = 2", "version"),
        ('"https://oracle-2.example"', '"ftp://oracle-2.example"', "http"),
        ('"https://oracle-2.example"', '"https://oracle-2.example/?x"', "no URL of a peer"),
        ('"https://oracle-2.example"', '"https://"', "no URL of a peer"),
        ('"5', '"6', "peers: '6"),
        ("after_slots = 2", "after_slots = 2\nsms = 1", "alerts.sms"),
    ],
)
def test_what_is_wrong_is_named(folder: Path, old: str, new: str, says: str) -> None:
    assert old in example()
    with pytest.raises(ConfigError, match=re.escape(says)):
        load(folder, example().replace(old, new, 1))


def test_whoever_is_on_the_roster_must_be_probed(folder: Path) -> None:
    (folder / "roster.toml").write_text(ROSTER + 'amforc = ["polkadot"]\n')
    with pytest.raises(ConfigError, match="amforc/polkadot"):
        load(folder, example())


def test_a_missing_file_is_named(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with pytest.raises(ConfigError, match=r"oracle\.toml"):
        load_config(folder / "oracle.toml", time.time)
