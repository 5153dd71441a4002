"""The test chain keeps a node's promises: its hashes, roots, proofs, finality and forks hold."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from ibp_chain.accounts import ss58_encode
from ibp_chain.blocks import Header, blake2_256
from ibp_chain.errors import CallFailed, ConfigError
from ibp_chain.extrinsics import Submitter
from ibp_chain.headers import decode_header
from ibp_chain.keys import signer_from_uri
from ibp_chain.rpc import RpcRefusal
from ibp_chain.runtime import Runtime
from ibp_chain.source import EVENTS_KEY, NodeSource
from ibp_chain.trie import extrinsics_root, trie_root, verify_read_proof
from ibp_chain.types import BlockNumber, Hash, SpecVersion
from scripts.devnet_process import Devnet
from tests.conftest import StartDevnet

pytestmark = pytest.mark.live

LAG = 2
SPEC_VERSIONS = {"paseo-2024": 1_001_002, "paseo-2026": 2_003_001}
PASEO_GENESIS = "77afd6190f1554ad45fd0d31aee62aacc33c6db0ea801129acb813f913e0764f"
NOW_KEY = bytes.fromhex("f0c365c3cf59d671eb72da0e7a4113c49f1f0515f462cdcf84e0f1d6045dfcbb")
CODE_KEY = b":code"
UNUSED_KEY = b"nothing is stored here"
SLOT_MS = 6_000
HOUR_MS = 3_600_000


@pytest.fixture(scope="module", params=SPEC_VERSIONS)
def chain(request: pytest.FixtureRequest, start_devnet: StartDevnet) -> Iterator[Devnet]:
    """One chain per specification for all tests here: each goes on from where it finds it."""
    with start_devnet(request.param, finality_lag=LAG) as running:
        assert running.spec_version == SPEC_VERSIONS[request.param]
        yield running


@pytest.fixture
def node(chain: Devnet) -> Iterator[NodeSource]:
    with NodeSource(chain.url) as source:
        yield source


def header_of(chain: Devnet, block: Hash) -> Header:
    with NodeSource(chain.url) as source:
        return source.header(block)


def now_ms(chain: Devnet, block: Hash) -> int:
    raw = chain.rpc("state_getStorage", hex_(NOW_KEY), hex_(block))
    return int.from_bytes(bytes.fromhex(raw[2:]), "little")


def hex_(raw: bytes) -> str:
    return "0x" + raw.hex()


def fund(chain: Devnet, uri: str) -> str:
    """Give the account of `uri` enough to pay fees; its address."""
    address = ss58_encode(signer_from_uri(uri).account, 42)
    account = {"providers": 1, "data": {"free": str(10**15)}}
    chain.set_items({"System": {"Account": [[[address], account]]}})
    return address


def remark(node: NodeSource, signer: str, text: bytes) -> bytes:
    """Submit a remark; the extrinsic's bytes."""

    def runtime(version: SpecVersion) -> Runtime:
        return Runtime.from_metadata(node.metadata(version))

    submitter = Submitter(node, runtime)
    call = submitter.runtime().encode_call("System", "remark_with_event", {"remark": text})
    return submitter.submit(call, signer_from_uri(signer)).raw


def test_genesis_is_what_the_specification_says(devnet: Devnet) -> None:
    assert devnet.genesis_hash.hex() == PASEO_GENESIS
    assert header_of(devnet, devnet.genesis_hash).number == 0


def test_every_header_hashes_to_its_block_hash(chain: Devnet) -> None:
    block = chain.new_block(count=2)
    header = header_of(chain, block)
    assert blake2_256(header.encode()) == block
    assert decode_header(header.encode()) == header
    assert header_of(chain, header.parent_hash).number == header.number - 1


def test_the_extrinsics_root_is_that_of_the_body(chain: Devnet, node: NodeSource) -> None:
    fund(chain, "//Body")
    sent = [remark(node, "//Body", text) for text in (b"one", b"two", b"three")]
    block = node.block(chain.new_block())
    assert list(block.extrinsics[-3:]) == sent
    assert extrinsics_root(block.extrinsics) == block.header.extrinsics_root


def test_read_proofs_bind_storage_to_the_state_root(chain: Devnet, node: NodeSource) -> None:
    block = chain.new_block()
    root = node.header(block).state_root
    for key in (EVENTS_KEY, NOW_KEY, CODE_KEY, UNUSED_KEY):
        (value,) = node.storage([key], block)
        assert (value is None) == (key == UNUSED_KEY)
        assert verify_read_proof(root, key, node.read_proof([key], block)) == value


def test_the_state_root_is_that_of_all_storage(chain: Devnet, node: NodeSource) -> None:
    block = chain.new_block()
    keys = list(node.keys(b"", block))
    values = node.storage(keys, block)
    entries = [(key, value) for key, value in zip(keys, values, strict=True) if value is not None]
    assert len(entries) == len(keys) > 100
    version = chain.rpc("state_getRuntimeVersion")["stateVersion"]
    assert trie_root(entries, version) == node.header(block).state_root
    assert chain.rpc("dev_checkState")["matches"]  # the executor's own trie agrees


def test_overridden_storage_is_read_at_once_and_proven_by_the_next_block(chain: Devnet) -> None:
    key, value = b"overridden by hand", b"\1\2\3"
    before = chain.new_block()
    chain.set_storage({hex_(key): hex_(value)})
    after = chain.new_block()
    with NodeSource(chain.url) as node:
        assert node.storage([key], before) == node.storage([key], after) == [value]
        for block, expected in ((before, None), (after, value)):
            root = node.header(block).state_root
            assert verify_read_proof(root, key, node.read_proof([key], block)) == expected
        chain.set_storage({hex_(key): None})
        assert node.storage([key], chain.new_block()) == [None]


def test_finality_trails_the_head(chain: Devnet) -> None:
    first = chain.new_block()
    assert chain.finalized_hash() != first
    second, third = chain.new_block(), chain.new_block()
    assert chain.finalized_hash() == first
    assert chain.new_block() != third
    assert chain.finalized_hash() == second


def test_followers_hear_of_each_finalised_block_once(chain: Devnet, node: NodeSource) -> None:
    start = node.head().number
    made: list[BlockNumber] = []

    def stop() -> bool:
        if len(made) < 3:
            chain.new_block()
        return len(made) == 3

    for block in node.follow(BlockNumber(start + 1), stop):
        made.append(block.header.number)
    assert made == [start + 1, start + 2, start + 3]


def test_a_reorg_changes_what_was_not_final(chain: Devnet, node: NodeSource) -> None:
    fund(chain, "//Fork")
    chain.new_block(count=LAG)
    sent = remark(node, "//Fork", b"abandoned")
    abandoned, final = chain.new_block(), chain.finalized_hash()
    height = node.header(abandoned).number
    head = node.header(chain.reorg(1))
    (other,) = node.hashes([height])
    assert other not in (None, abandoned)
    assert (head.number, head.parent_hash) == (height + 1, other)
    assert all(sent not in node.block(block).extrinsics for block in (head.hash, head.parent_hash))
    assert sent in node.block(abandoned).extrinsics  # still known by its hash
    numbers = [block.header.number for block in node.blocks(BlockNumber(1))]
    assert node.hashes([node.header(final).number]) == [final]
    assert numbers == sorted(set(numbers))


def test_a_reorg_can_carry_the_extrinsics_over(chain: Devnet, node: NodeSource) -> None:
    fund(chain, "//Survivor")
    chain.new_block()
    sent = remark(node, "//Survivor", b"kept")
    abandoned = chain.new_block()
    head = chain.reorg(1, blocks=1, resubmit=True)
    assert head != abandoned
    assert sent in node.block(head).extrinsics


def test_what_is_final_is_never_reverted(chain: Devnet) -> None:
    chain.new_block(count=LAG + 1)
    head, final = chain.head_hash(), chain.finalized_hash()
    with pytest.raises(RpcRefusal, match="finality is never reverted"):
        chain.reorg(LAG + 1)
    assert (chain.head_hash(), chain.finalized_hash()) == (head, final)
    chain.reorg(LAG)
    assert chain.rpc("chain_getHeader", hex_(final))["number"] is not None
    with NodeSource(chain.url) as node:
        assert node.hashes([node.header(final).number]) == [final]


def test_a_block_is_one_slot_after_its_parent(chain: Devnet) -> None:
    times = [now_ms(chain, chain.new_block()) for _ in range(3)]
    assert [later - earlier for earlier, later in pairwise(times)] == [SLOT_MS, SLOT_MS]


def test_time_travels_forwards_only(chain: Devnet) -> None:
    target = now_ms(chain, chain.new_block()) + 30 * 24 * HOUR_MS
    chain.time_travel(target)
    assert now_ms(chain, chain.new_block()) == target + SLOT_MS
    with pytest.raises(RpcRefusal, match="cannot go back"):
        chain.time_travel(target)


def test_a_jump_lets_the_time_of_the_skipped_blocks_pass(chain: Devnet, node: NodeSource) -> None:
    before = chain.new_block()
    height = node.header(before).number
    after = chain.new_block(to_height=height + 20_000)
    header = node.header(after)
    assert (header.number, header.parent_hash) == (height + 20_000, before)
    assert now_ms(chain, after) - now_ms(chain, before) == 20_000 * SLOT_MS
    assert node.hashes([height + 1, height + 19_999]) == [None, None]
    with pytest.raises(RpcRefusal, match="next block can have"):
        chain.new_block(to_height=height)
    assert node.header(chain.new_block()).number == height + 20_001


def test_the_next_nonce_counts_what_waits(chain: Devnet, node: NodeSource) -> None:
    address = fund(chain, "//Nonce")
    assert chain.rpc("system_accountNextIndex", address) == 0
    sent = remark(node, "//Nonce", b"waits")
    assert chain.rpc("system_accountNextIndex", address) == 1
    assert chain.rpc("author_pendingExtrinsics") == [hex_(sent)]
    with pytest.raises(RpcRefusal, match="already imported"):
        chain.rpc("author_submitExtrinsic", hex_(sent))
    chain.new_block()
    assert chain.rpc("system_accountNextIndex", address) == 1
    with pytest.raises(RpcRefusal, match=r"(?i)stale"):
        chain.rpc("author_submitExtrinsic", hex_(sent))


def test_who_cannot_pay_is_refused(node: NodeSource) -> None:
    with pytest.raises(CallFailed, match="(?i)payment"):
        remark(node, "//Penniless", b"no")


def test_one_bad_extrinsic_does_not_spoil_the_block(chain: Devnet, node: NodeSource) -> None:
    fund(chain, "//Good")
    fund(chain, "//Ruined")
    good, bad = remark(node, "//Good", b"pays"), remark(node, "//Ruined", b"cannot pay any more")
    chain.set_items(
        {"System": {"Account": [[[ss58_encode(signer_from_uri("//Ruined").account, 42)], None]]}}
    )
    block = node.block(chain.new_block())
    assert good in block.extrinsics
    assert bad not in block.extrinsics
    assert [raw for raw, _ in chain.rpc("dev_dropped")] == [hex_(bad)]
    assert chain.rpc("author_pendingExtrinsics") == []


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("no_such_method", [], -32601),
        ("toString", [], -32601),
        ("state_getStorage", ["not hex"], -32602),
        ("state_getStorage", ["0x00", "0x" + "ab" * 32], 4003),
        ("state_getReadProof", ["0x00"], -32602),
        ("state_getKeysPaged", ["0x", 10**9], -32602),
        ("dev_newBlock", [{"count": 10**9}], -32602),
        ("dev_timeTravel", ["no date"], -32602),
        ("dev_setStorage", [[["0x1", "0x00"]]], -32602),
        ("dev_setStorage", [{"NoPallet": {}}], -32602),
        ("dev_setHead", ["0x" + "ab" * 32], -32000),
        ("dev_reorg", [{"depth": 0}], -32602),
        ("author_submitExtrinsic", ["0xzz"], -32602),
        ("chain_subscribeNewHeads", [], -32000),
    ],
)
def test_nonsense_is_refused_with_a_reason(
    chain: Devnet, method: str, params: list[object], code: int
) -> None:
    head = chain.head_hash()
    body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
    reply = httpx.post(chain.http_url, json=body).json()
    assert (reply["id"], reply["error"]["code"]) == (7, code)
    assert reply["error"]["message"]
    assert chain.head_hash() == head


def test_unknown_blocks_are_null_not_invented(chain: Devnet) -> None:
    unknown = "0x" + "ab" * 32
    assert chain.rpc("chain_getHeader", unknown) is None
    assert chain.rpc("chain_getBlock", unknown) is None
    assert chain.rpc("chain_getBlockHash", 2**31) is None


def test_web_pages_cannot_steer_the_chain(chain: Devnet) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "dev_newBlock", "params": []}
    head = chain.head_hash()
    for origin in ("https://example.org", "null", "http://127.0.0.1.example.org"):
        reply = httpx.post(chain.http_url, json=body, headers={"Origin": origin})
        assert reply.status_code == httpx.codes.FORBIDDEN
    assert chain.head_hash() == head


def test_a_saved_chain_goes_on_where_it_stood(
    chain: Devnet, start_devnet: StartDevnet, tmp_path: Path
) -> None:
    fund(chain, "//Saved")
    chain.new_block(count=2)
    address = fund(chain, "//Saved late")  # an override that no block commits to yet
    path = tmp_path / "chain.jsonl"
    chain.save(path)
    spec = next(name for name, version in SPEC_VERSIONS.items() if version == chain.spec_version)
    with start_devnet(spec, load=path, finality_lag=LAG) as again:
        assert again.head_hash() == chain.head_hash()
        assert again.finalized_hash() == chain.finalized_hash()
        key = chain.rpc("state_getKeysPaged", "0x", 1_000)[-1]
        assert again.rpc("state_getStorage", key) == chain.rpc("state_getStorage", key)
        assert again.rpc("system_accountNextIndex", address) == 0
        assert again.new_block() == chain.new_block()  # the same state makes the same block


def test_a_damaged_snapshot_is_refused(
    devnet: Devnet, start_devnet: StartDevnet, tmp_path: Path
) -> None:
    path = tmp_path / "chain.jsonl"
    devnet.save(path)
    lines = path.read_text().splitlines()
    block = json.loads(lines[1])
    key = next(iter(block["diff"]))
    block["diff"][key] = "0x00"
    path.write_text("\n".join([lines[0], json.dumps(block), *lines[2:]]))
    with pytest.raises(ConfigError, match="block 1 comes to"), start_devnet(load=path):
        pass
    path.write_text("\n".join(lines[:-1]))
    with pytest.raises(ConfigError, match="is cut off"), start_devnet(load=path):
        pass


def test_genesis_storage_can_be_overridden(start_devnet: StartDevnet) -> None:
    key = hex_(b"in genesis")
    with start_devnet(genesis_storage={key: "0x2a"}, timestamp_ms=HOUR_MS, height=50) as running:
        assert running.genesis_hash.hex() != PASEO_GENESIS
        assert running.rpc("state_getStorage", key, hex_(running.genesis_hash)) == "0x2a"
        first = running.rpc("chain_getBlockHash", 1)
        assert now_ms(running, Hash(bytes.fromhex(first[2:]))) == HOUR_MS + SLOT_MS
        assert header_of(running, running.head_hash()).number == 50


def test_an_unknown_specification_is_named(start_devnet: StartDevnet) -> None:
    with (
        pytest.raises(ConfigError, match="'westend'; known: paseo-2024, paseo-2026"),
        start_devnet("westend"),
    ):
        pass


def test_what_the_server_says_on_failure_is_reported(
    start_devnet: StartDevnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tmp_path / "bad.json"
    spec.write_text('{"genesis": {}}')
    monkeypatch.setenv("IBP_CHAIN_SPEC", str(spec))
    with (
        pytest.raises(ConfigError, match=r"ended with code 2: .*bad\.json: no raw chain spec"),
        start_devnet(),
    ):
        pass


def test_a_taken_port_is_an_error(devnet: Devnet, start_devnet: StartDevnet) -> None:
    with (
        pytest.raises(ConfigError, match="ended with code 1: .*EADDRINUSE"),
        start_devnet(port=devnet.port),
    ):
        pass


def test_nothing_is_left_when_the_parent_is_killed() -> None:
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from scripts.devnet_process import start_devnet\n"
            "with start_devnet() as devnet:\n"
            "    print(devnet.process_id, flush=True)\n"
            "    input()\n",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    with parent:
        assert parent.stdout is not None
        server = int(parent.stdout.readline())
        assert is_running(server)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 10
    while is_running(server):
        assert time.monotonic() < deadline, "the server outlives its parent"
        time.sleep(0.05)


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{process}/stat")  # a zombie that nobody has waited for does not run
    return not (stat.is_file() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def test_nothing_is_left_when_the_context_ends(start_devnet: StartDevnet) -> None:
    with start_devnet() as running:
        assert is_running(running.process_id)
    assert not is_running(running.process_id)
