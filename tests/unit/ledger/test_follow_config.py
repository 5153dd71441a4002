"""The file that says which chains are followed, and what is wrong with one."""

from pathlib import Path

import pytest

from ibp_chain.errors import ConfigError
from ledger.follow_config import load_follow_config

GOOD = """
[chains.polkadot]
nodes = ["wss://one", "wss://two", "wss://three"]
db = "postgresql://office@/ledger?schema=polkadot"
archive = "archives/polkadot"
trust = 2
genesis = "0x{genesis}"

[chains.kusama]
nodes = ["wss://ksm"]
db = "postgresql://office@/ledger?schema=kusama"
proofs = false
poll_seconds = 1
""".format(genesis="ab" * 32)


def _loaded(folder: Path, text: str) -> object:
    path = folder / "chains.toml"
    path.write_text(text)
    return load_follow_config(path)


def test_each_chain_has_its_own_plan(tmp_path: Path) -> None:
    path = tmp_path / "chains.toml"
    path.write_text(GOOD)
    plans = load_follow_config(path)
    assert list(plans) == ["polkadot", "kusama"]
    polkadot, kusama = plans.values()
    assert polkadot.nodes == ("wss://one", "wss://two", "wss://three")
    assert polkadot.archive == tmp_path / "archives/polkadot"
    assert polkadot.genesis == b"\xab" * 32
    assert (polkadot.fetching.trust, polkadot.fetching.proofs) == (2, True)
    assert (kusama.fetching.trust, kusama.fetching.proofs) == (None, False)
    assert kusama.fetching.poll_seconds == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('nodes = ["wss://ksm"]', "nodes = []", "chains.kusama.nodes"),
        ('nodes = ["wss://ksm"]', 'node = "wss://ksm"', "chains.kusama.nodes"),
        ("schema=kusama", "schema=polkadot", "polkadot has it already"),
        ("trust = 2", "trust = 1", "must be a majority"),
        ("trust = 2", "trust = 4", "not more than there are"),
        ("proofs = false", "proofs = 0", "chains.kusama.proofs"),
        ("poll_seconds = 1", "poll_seconds = 0", "chains.kusama.poll_seconds"),
        ('genesis = "0x', 'genesis = "', "chains.polkadot.genesis"),
        ("[chains.kusama]", "[chains.'KSM ']", "chains"),
        ("[chains.kusama]", "[chains.kusama", "not TOML"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError, match=said):
        _loaded(tmp_path, GOOD.replace(old, new, 1))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("sqlite:///a.db", "sqlite:///./x/../a.db"),
        ("sqlite:///a.db", "sqlite:///{cwd}/a.db"),
        ("postgresql://a@db.example/l", "postgresql+psycopg://b@DB.example:5432/l?schema=public"),
    ],
)
def test_one_database_under_two_names_is_found(tmp_path: Path, one: str, two: str) -> None:
    text = GOOD.replace("postgresql://office@/ledger?schema=polkadot", one)
    text = text.replace("postgresql://office@/ledger?schema=kusama", two.format(cwd=Path.cwd()))
    with pytest.raises(ConfigError, match=r"chains\.kusama\.db: polkadot has it already"):
        _loaded(tmp_path, text)


def test_one_archive_under_two_names_is_found(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"chains\.kusama\.archive: polkadot has it already"):
        _loaded(tmp_path, GOOD + 'archive = "./archives/../archives/polkadot"\n')


def test_no_chain_is_nothing_to_follow(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="chains"):
        _loaded(tmp_path, "[chains]\n")
    with pytest.raises(ConfigError):
        load_follow_config(tmp_path / "absent.toml")
