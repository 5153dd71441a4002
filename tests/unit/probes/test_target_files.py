"""Target files: what people write, and what is refused by the name of its field."""

import json
from pathlib import Path
from typing import Any

import pytest

from ibp_chain.errors import ConfigError
from oracles.probes.files import load_targets, parse_targets
from oracles.probes.targets import Chain, Endpoint, Kind, Scheme, StatePoint, Target

GENESIS = "0x91b171bb158e2d3848fa23a9f1c25182fb8e20313b2c1eb49219da7a70ce90c3"

FILE = f"""
version = 1

[members]
gatotech = ["192.0.2.72", "2001:db8::72"]
turboflakes = ["192.0.2.54"]

[[chains]]
id = "polkadot"
genesis = "{GENESIS}"
eth_chain_id = 420420419

[[chains.archive]]
block = "0x{"11" * 32}"
key = "0x26aa"
value = "0x0102"

[[services]]
id = "polkadot"
kind = "rpc"
chain = "polkadot"
archive = true
urls = ["wss://rpc.ibp.example/polkadot", "https://rpc.ibp.example:8443/polkadot?a=b"]
members = ["gatotech", "turboflakes"]

[[services]]
id = "eth-polkadot"
kind = "eth"
chain = "polkadot"
urls = ["https://eth.ibp.example"]
members = ["turboflakes"]

[[services]]
id = "polkadot-boot"
kind = "boot"
chain = "polkadot"
[services.own]
gatotech = ["/dns/boot.example/tcp/30333", "/dns6/boot.example/tcp/443/wss"]

[[services]]
id = "polkadot-snapshot"
kind = "snapshot"
chain = "polkadot"
[services.own]
turboflakes = ["https://snapshots.example/polkadot.tar.lz4"]
"""


def document(**changed: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "version": 1,
        "members": {"gatotech": ["192.0.2.72"]},
        "chains": [{"id": "polkadot", "genesis": GENESIS}],
        "services": [
            {
                "id": "polkadot",
                "kind": "rpc",
                "chain": "polkadot",
                "urls": ["wss://rpc.ibp.example"],
                "members": ["gatotech"],
            }
        ],
    }
    return base | changed


def service(**changed: Any) -> dict[str, Any]:
    built = document()["services"][0] | changed
    return document(services=[{k: v for k, v in built.items() if v is not None}])


def test_every_way_in_at_every_address_is_a_target() -> None:
    found = parse_targets(FILE.encode(), "targets.toml")
    assert [f"{target.name} {target.endpoint.url}" for target in found] == [
        "gatotech/polkadot https IPv4 https://rpc.ibp.example:8443/polkadot?a=b",
        "gatotech/polkadot wss IPv4 wss://rpc.ibp.example/polkadot",
        "gatotech/polkadot https IPv6 https://rpc.ibp.example:8443/polkadot?a=b",
        "gatotech/polkadot wss IPv6 wss://rpc.ibp.example/polkadot",
        "gatotech/polkadot-boot tcp IPv4 tcp://boot.example:30333/",
        "gatotech/polkadot-boot tcp IPv6 tcp://boot.example:30333/",
        "gatotech/polkadot-boot wss IPv6 wss://boot.example/",
        "turboflakes/eth-polkadot https IPv4 https://eth.ibp.example/",
        "turboflakes/polkadot https IPv4 https://rpc.ibp.example:8443/polkadot?a=b",
        "turboflakes/polkadot wss IPv4 wss://rpc.ibp.example/polkadot",
        "turboflakes/polkadot-snapshot https IPv4 https://snapshots.example/polkadot.tar.lz4",
    ]
    chain = Chain(
        "polkadot",
        bytes.fromhex(GENESIS[2:]),
        420_420_419,
        6_000,
        (StatePoint(b"\x11" * 32, b"\x26\xaa", b"\x01\x02"),),
    )
    assert {target.chain for target in found} == {chain}
    assert [target.archive for target in found if target.service == "polkadot"] == [True] * 6


def test_an_address_is_dialled_and_a_name_is_asked_for() -> None:
    found = parse_targets(FILE.encode(), "targets.toml")
    pinned = {target.endpoint.pinned_url for target in found if target.kind is Kind.RPC}
    assert "wss://[2001:db8::72]:443/polkadot" in pinned
    assert "https://192.0.2.54:8443/polkadot?a=b" in pinned


def test_json_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "targets.json"
    path.write_text(json.dumps(document()))
    (target,) = load_targets(path)
    assert (target.member, target.endpoint.scheme) == ("gatotech", Scheme.WSS)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (document(version=2), "version"),
        (document(version=True), "version"),
        (document(extra=1), "extra"),
        (document(members={}), "member 'gatotech' is not in the file"),
        (document(members={"gatotech": []}), "members.gatotech"),
        (document(members={"gatotech": ["rpc.example"]}), "members.gatotech.0"),
        (document(members={"gatotech": ["fe80::1%eth0"]}), "members.gatotech.0"),
        (document(members={"Gato Tech": ["192.0.2.1"]}), "members.Gato Tech"),
        (document(chains=[]), "chains"),
        (document(chains=2 * document()["chains"]), "chains: one is listed twice"),
        (document(chains=[{"id": "polkadot", "genesis": "0x91"}]), "chains.0.genesis"),
        (document(chains=[{"id": "polkadot", "genesis": GENESIS[2:]}]), "chains.0.genesis"),
        (document(chains=[{"id": "polkadot"}]), "no genesis hash"),
        (
            document(chains=[{"id": "polkadot", "genesis": GENESIS, "block_millis": 0}]),
            "chains.0.block_millis",
        ),
        (
            document(
                chains=[
                    {
                        "id": "polkadot",
                        "archive": [{"block": "0x" + "1" * 63, "key": "0x", "value": "0x"}],
                    }
                ]
            ),
            "chains.0.archive.0.block",
        ),
        (service(kind="grpc"), "kind 'grpc' is none of rpc, eth, boot, snapshot"),
        (service(chain="kusama"), "chain 'kusama' is not in the file"),
        (service(members=["dwellir"]), "member 'dwellir' is not in the file"),
        (service(members=None), "urls and members belong together"),
        (service(urls=None, members=None), "nobody runs it"),
        (service(urls=["rpc.example"]), "no URL such as"),
        (service(urls=["wss://"]), "no URL such as"),
        (service(urls=["wss://user:word@rpc.example"]), "no URL such as"),
        (service(urls=["wss://rpc.example:99999"]), "no URL"),
        (service(urls=["wss://[::1"]), "no URL"),
        (service(urls=["ftp://rpc.example"]), "no URL such as"),
        (service(urls=["wss://rpc example"]), "no host name"),
        (service(urls=["wss://r\u00fcpc.example"]), "no host name"),
        (service(urls=["wss://rpc.example/a b"]), "no path"),
        (service(urls=["tcp://rpc.example"]), "for boot nodes"),
        (service(urls=2 * ["wss://rpc.example"]), "listed twice"),
        (service(kind="snapshot"), "snapshot is not reached by wss"),
        (service(kind="eth"), "no eth_chain_id"),
        (service(archive=True), "no old state to ask"),
        (service(archive="yes"), "services.0.archive"),
        (service(kind="boot"), "a boot node is written"),
        (service(kind="boot", urls=["/ip4/192.0.2.9/tcp/1"]), "not at the member's own 192.0.2.72"),
        (service(kind="boot", urls=["/dns6/b.example/tcp/1"]), "no member runs any service"),
    ],
)
def test_what_is_wrong_is_named(file: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_targets(json.dumps(file).encode(), "targets.json")
    assert str(refused.value).startswith("targets.json: ")
    assert said in str(refused.value)


@pytest.mark.parametrize("raw", [b"", b"\xff", b"version = ", b"{", b"[" * 100_000, b"{}"])
def test_what_is_no_such_file_is_refused(raw: bytes) -> None:
    with pytest.raises(ConfigError):
        parse_targets(raw, "targets")


def test_a_target_that_cannot_be_is_refused() -> None:
    from ipaddress import ip_address

    endpoint = Endpoint(Scheme.TCP, "b.example", ip_address("192.0.2.1"), 1)
    with pytest.raises(ValueError, match="rpc is not reached by tcp"):
        Target("a", "b", Kind.RPC, Chain("c", genesis=b"\0" * 32), endpoint)
