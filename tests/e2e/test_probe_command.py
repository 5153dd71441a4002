"""`ibp oracle probe` as a person runs it, against real servers with certificates."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import AsyncExitStack
from importlib import resources
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from ibp_chain.errors import ConfigError
from oracles.probes.wire import trusting
from tests.support.boot_node import boot_node
from tests.support.command_line import assert_done, assert_one_clear_line, ibp
from tests.support.probed import GENESIS, HOST, Authority, Node, http_node, ws_node


async def run(*arguments: object) -> CompletedProcess[str]:
    return await asyncio.to_thread(ibp, "oracle", "probe", *arguments)


def lenient(folder: Path) -> Path:
    """Rules under which only seconds are slow: this machine may be, too."""
    rules = resources.files("ledger.program").joinpath("ibp.toml").read_text()
    assert rules.count("= 100_000") == 3
    path = folder / "rules.toml"
    path.write_text(rules.replace("= 100_000", "= 5_000_000"))
    return path


def write_targets(
    path: Path, members: Mapping[str, tuple[str, ...]], boot: int | None = None
) -> Path:
    """Each member has an address of its own in 127.0.0.0/8, and URLs of its own."""
    services: list[dict[str, Any]] = [
        {
            "id": "polkadot",
            "kind": "rpc",
            "chain": "polkadot",
            "own": {member: list(urls) for member, urls in members.items()},
        }
    ]
    if boot is not None:
        own = {next(iter(members)): [f"/dns/{HOST}/tcp/{boot}"]}
        services.append({"id": "boot", "kind": "boot", "chain": "polkadot", "own": own})
    document = {
        "version": 1,
        "members": {member: [f"127.0.0.{i}"] for i, member in enumerate(members, 1)},
        "chains": [{"id": "polkadot", "genesis": "0x" + GENESIS.hex()}],
        "services": services,
    }
    path.write_text(json.dumps(document))
    return path


def test_a_network_of_members_is_probed_and_each_gets_what_it_did(tmp_path: Path) -> None:
    authority = Authority()
    authority.ca.cert_pem.write_to_path(tmp_path / "ca.pem")

    async def scene() -> CompletedProcess[str]:
        async with AsyncExitStack() as stack:
            tls = authority.server()

            async def ws(i: int, node: Node) -> tuple[str, ...]:
                port = await stack.enter_async_context(
                    ws_node(node, address=f"127.0.0.{i}", tls=tls)
                )
                return (f"wss://{HOST}:{port}/polkadot",)

            both = await ws(1, Node())
            over_http = await stack.enter_async_context(
                http_node(Node(), address="127.0.0.1", tls=tls)
            )
            targets = write_targets(
                tmp_path / "targets.json",
                {
                    "amforc": (*both, f"https://{HOST}:{over_http}/"),
                    "dwellir": await ws(2, Node()),
                    "gatotech": await ws(3, Node(head=900)),
                    "stake-plus": await ws(
                        4, Node(delay=6.0, delayed=frozenset({"chain_getHeader"}))
                    ),
                    "turboflakes": await ws(
                        5, Node(answers={"chain_getBlockHash": "0x" + "b0" * 32})
                    ),
                },
                boot=await stack.enter_async_context(boot_node()),
            )
            rules = lenient(tmp_path)
            return await run(
                targets,
                *("--ca", tmp_path / "ca.pem", "--rules", rules, "--seconds", 120, "--json"),
            )

    done = asyncio.run(scene())
    assert done.returncode == 1, done.stderr
    results = json.loads(done.stdout)["results"]
    found = {
        (one["member"], one["service"], one["url"].split(":")[0]): (one["status"], one["reason"])
        for one in results
    }
    assert found == {
        ("amforc", "boot", "tcp"): ("ok", None),
        ("amforc", "polkadot", "https"): ("ok", None),
        ("amforc", "polkadot", "wss"): ("ok", None),
        ("dwellir", "polkadot", "wss"): ("ok", None),
        ("gatotech", "polkadot", "wss"): ("failed", "behind"),
        ("stake-plus", "polkadot", "wss"): ("slow", None),
        ("turboflakes", "polkadot", "wss"): ("failed", "wrong-chain"),
    }
    amforc = next(one for one in results if one["url"].startswith("wss"))
    assert amforc["address"] == "127.0.0.1"
    assert amforc["facts"]["head"] == 1_000
    assert amforc["facts"]["certificate_days"] > 0
    assert amforc["facts"]["spec_name"] == "polkadot"


def test_with_nothing_failed_it_ends_with_0_and_unknown_is_no_fault(tmp_path: Path) -> None:
    async def scene() -> CompletedProcess[str]:
        async with ws_node(Node()) as port:
            own = {"amforc": (f"ws://{HOST}:{port}/",)}
            path = write_targets(tmp_path / "targets.json", own)
            document = json.loads(path.read_text())
            document["members"]["amforc"].append("::1")
            path.write_text(json.dumps(document))
            return await run(path, "--rules", lenient(tmp_path), "--seconds", 60)

    title, header, four, six, summary = assert_done(asyncio.run(scene())).splitlines()
    assert title.strip() == "Endpoints"
    assert header.split()[:4] == ["member", "service", "way", "status"]
    assert four.split()[:5] == ["amforc", "polkadot", "ws", "v4", "ok"]
    assert six.split()[:5] == ["amforc", "polkadot", "ws", "v6", "unknown"]
    assert "own-network: nothing at all could be reached over IPv6" in six
    assert summary == "1 ok, 0 slow, 0 failed, 1 unknown"


def test_a_file_that_is_wrong_is_one_line_and_2(tmp_path: Path) -> None:
    path = tmp_path / "targets.toml"
    path.write_text("version = 1\n[members]\nx = ['nowhere']")
    assert_one_clear_line(ibp("oracle", "probe", path), 2, str(path), "members.x.0")


def test_certificates_that_are_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("no certificate")
    for wrong in (path, tmp_path / "missing.pem"):
        with pytest.raises(ConfigError, match="no certificates"):
            trusting(wrong)
