"""The test chain keeps a node's promises: its hashes, roots, proofs, finality and forks hold."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from ibp_chain.accounts import ss58_encode
from ibp_chain.blocks import Header, blake2_256
from ibp_chain.cli.devnet import devnet as command
from ibp_chain.errors import CallFailed, ConfigError, InputError
from ibp_chain.extrinsics import Submitter
from ibp_chain.headers import decode_header
from ibp_chain.keys import signer_from_uri
from ibp_chain.rpc import RpcRefusal
from ibp_chain.runtime import Runtime
from ibp_chain.source import EVENTS_KEY, NodeSource
from ibp_chain.trie import extrinsics_root, trie_root, verify_read_proof
from ibp_chain.types import BlockNumber, Hash
from scripts.devnet_process import Devnet
from tests.conftest import StartDevnet
from tests.support.patience import PATIENCE_SECONDS, until

pytestmark = pytest.mark.live

LAG = 2
SPEC_VERSIONS = {"paseo-2024": 1_001_002, "paseo-2026": 2_003_001}
PASEO_GENESIS = "77afd6190f1554ad45fd0d31aee62aacc33c6db0ea801129acb813f913e0764f"
NOW_KEY = bytes.fromhex("f0c365c3cf59d671eb72da0e7a4113c49f1f0515f462cdcf84e0f1d6045dfcbb")
CODE_KEY = b":code"
UNUSED_KEY = b"nothing is stored here"
SLOT_MS = 6_000
HOUR_MS = 3_600_000

Remark = Callable[[Devnet, str, bytes], bytes]


@pytest.fixture(scope="module")
def chains(start_devnet: StartDevnet) -> Iterator[Callable[[str], Devnet]]:
    """One chain per specification for all tests here: each goes on from where it finds it."""
    with ExitStack() as stack:
        yield cache(lambda spec: stack.enter_context(start_devnet(spec, finality_lag=LAG)))


@pytest.fixture
def chain(chains: Callable[[str], Devnet]) -> Devnet:
    """For what no runtime has a part in."""
    return chains("paseo-2024")


@pytest.fixture(params=SPEC_VERSIONS)
def each(request: pytest.FixtureRequest, chains: Callable[[str], Devnet]) -> Devnet:
    """A chain of each specification in turn."""
    return chains(request.param)


@pytest.fixture(scope="module")
def submitter() -> Iterator[Callable[[Devnet], Submitter]]:
    """One submitter per chain: decoding metadata takes seconds."""
    with ExitStack() as stack:

        def submitter(url: str) -> Submitter:
            node = stack.enter_context(NodeSource(url))
            runtime = cache(lambda version: Runtime.from_metadata(node.metadata(version)))
            return Submitter(node, runtime)

        kept = cache(submitter)
        yield lambda chain: kept(chain.url)


@pytest.fixture
def node(chain: Devnet, submitter: Callable[[Devnet], Submitter]) -> NodeSource:
    return submitter(chain).node


@pytest.fixture
def each_node(each: Devnet, submitter: Callable[[Devnet], Submitter]) -> NodeSource:
    return submitter(each).node


@pytest.fixture
def remark(submitter: Callable[[Devnet], Submitter]) -> Remark:
    """Submits a remark of an account; the extrinsic's bytes."""

    def submit(chain: Devnet, uri: str, text: bytes) -> bytes:
        client = submitter(chain)
        call = client.runtime().encode_call("System", "remark_with_event", {"remark": text})
        return client.submit(call, signer_from_uri(uri)).raw

    return submit


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


def test_genesis_is_what_the_specification_says(chain: Devnet) -> None:
    assert chain.genesis_hash.hex() == PASEO_GENESIS  # as on the public Paseo network
    assert header_of(chain, chain.genesis_hash).number == 0


def test_each_specification_starts_its_runtime(each: Devnet) -> None:
    version = each.rpc("state_getRuntimeVersion")
    assert (version["specName"], version["specVersion"]) == ("paseo", each.spec_version)
    assert each.spec_version in SPEC_VERSIONS.values()


def test_every_header_hashes_to_its_block_hash(each: Devnet) -> None:
    block = each.new_block(count=2)
    header = header_of(each, block)
    assert blake2_256(header.encoded) == block
    assert decode_header(header.encoded) == header
    assert header_of(each, header.parent_hash).number == header.number - 1


def test_the_extrinsics_root_is_that_of_the_body(
    each: Devnet, each_node: NodeSource, remark: Remark
) -> None:
    fund(each, "//Body")
    sent = [remark(each, "//Body", text) for text in (b"one", b"two")]
    block = each_node.block(each.new_block())
    assert list(block.extrinsics[-2:]) == sent
    assert extrinsics_root(block.extrinsics) == block.header.extrinsics_root


def test_read_proofs_bind_storage_to_the_state_root(each: Devnet, each_node: NodeSource) -> None:
    block = each.new_block()
    root = each_node.header(block).state_root
    for key in (EVENTS_KEY, NOW_KEY, CODE_KEY, UNUSED_KEY):
        (value,) = each_node.storage([key], block)
        assert (value is None) == (key == UNUSED_KEY)
        assert verify_read_proof(root, key, each_node.read_proof([key], block)) == value


def test_the_state_root_is_that_of_all_storage(each: Devnet, each_node: NodeSource) -> None:
    block = each.new_block()
    keys = list(each_node.keys(b"", block))
    values = each_node.storage(keys, block)
    entries = [(key, value) for key, value in zip(keys, values, strict=True) if value is not None]
    assert len(entries) == len(keys) > 100
    version = each.rpc("state_getRuntimeVersion")["stateVersion"]
    assert trie_root(entries, version) == each_node.header(block).state_root
    assert each.rpc("dev_checkState")["matches"]  # the executor's own trie agrees


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
    heard = node.follow(BlockNumber(start + 1), lambda: chain.new_block() == b"")
    assert [next(heard).header.number for _ in range(3)] == [start + 1, start + 2, start + 3]


def test_a_reorg_changes_what_was_not_final(
    chain: Devnet, node: NodeSource, remark: Remark
) -> None:
    fund(chain, "//Fork")
    chain.new_block(count=LAG)
    sent = remark(chain, "//Fork", b"abandoned")
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


def test_a_reorg_can_carry_the_extrinsics_over(
    chain: Devnet, node: NodeSource, remark: Remark
) -> None:
    fund(chain, "//Survivor")
    chain.new_block()
    sent = remark(chain, "//Survivor", b"kept")
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


def test_a_jump_lets_the_time_of_the_skipped_blocks_pass(
    each: Devnet, each_node: NodeSource
) -> None:
    before = each.new_block()
    height = each_node.header(before).number
    after = each.new_block(to_height=height + 900)
    header = each_node.header(after)
    assert (header.number, header.parent_hash) == (height + 900, before)
    assert now_ms(each, after) - now_ms(each, before) == 900 * SLOT_MS
    assert each_node.hashes([height + 1, height + 899]) == [None, None]
    with pytest.raises(RpcRefusal, match="next block can have"):
        each.new_block(to_height=height)
    assert each_node.header(each.new_block()).number == height + 901


def test_the_next_nonce_counts_what_waits(chain: Devnet, remark: Remark) -> None:
    address = fund(chain, "//Nonce")
    assert chain.rpc("system_accountNextIndex", address) == 0
    sent = remark(chain, "//Nonce", b"waits")
    assert chain.rpc("system_accountNextIndex", address) == 1
    assert chain.rpc("author_pendingExtrinsics") == [hex_(sent)]
    with pytest.raises(RpcRefusal, match="already imported"):
        chain.rpc("author_submitExtrinsic", hex_(sent))
    chain.new_block()
    assert chain.rpc("system_accountNextIndex", address) == 1
    with pytest.raises(RpcRefusal, match=r"(?i)stale"):
        chain.rpc("author_submitExtrinsic", hex_(sent))


def test_who_cannot_pay_is_refused(chain: Devnet, remark: Remark) -> None:
    with pytest.raises(CallFailed, match=r"(?i)payment"):
        remark(chain, "//Penniless", b"no")


def test_one_bad_extrinsic_does_not_spoil_the_block(
    chain: Devnet, node: NodeSource, remark: Remark
) -> None:
    fund(chain, "//Good")
    fund(chain, "//Ruined")
    good, bad = remark(chain, "//Good", b"pays"), remark(chain, "//Ruined", b"cannot pay any more")
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
    each: Devnet, method: str, params: list[object], code: int
) -> None:
    head = each.head_hash()
    body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
    reply = httpx.post(each.http_url, json=body, timeout=PATIENCE_SECONDS).json()
    assert (reply["id"], reply["error"]["code"]) == (7, code)
    assert reply["error"]["message"]
    assert each.head_hash() == head


def test_unknown_blocks_are_null_not_invented(chain: Devnet) -> None:
    unknown = "0x" + "ab" * 32
    assert chain.rpc("chain_getHeader", unknown) is None
    assert chain.rpc("chain_getBlock", unknown) is None
    assert chain.rpc("chain_getBlockHash", 2**31) is None


def test_web_pages_cannot_steer_the_chain(chain: Devnet) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "dev_newBlock", "params": []}
    head = chain.head_hash()
    for origin in ("https://example.org", "null", "http://127.0.0.1.example.org"):
        headers = {"Origin": origin}
        reply = httpx.post(chain.http_url, json=body, headers=headers, timeout=PATIENCE_SECONDS)
        assert reply.status_code == httpx.codes.FORBIDDEN
    assert chain.head_hash() == head


def test_an_idle_connection_is_the_clients_to_close(chain: Devnet) -> None:
    """One that the server closes meanwhile takes the client's next question with it."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "chain_getBlockHash", "params": []}
    with httpx.Client(timeout=PATIENCE_SECONDS) as client:  # which leaves it after five seconds
        told = client.post(chain.http_url, json=body).headers["Keep-Alive"]
    assert int(told.removeprefix("timeout=")) >= 60


def test_a_saved_chain_goes_on_where_it_stood(
    chain: Devnet, start_devnet: StartDevnet, tmp_path: Path
) -> None:
    fund(chain, "//Saved")
    chain.new_block(count=2)
    address = fund(chain, "//Saved late")  # an override that no block commits to yet
    path = tmp_path / "chain.jsonl"
    chain.save(path)
    with start_devnet(load=path, finality_lag=LAG) as again:
        assert again.head_hash() == chain.head_hash()
        assert again.finalized_hash() == chain.finalized_hash()
        key = chain.rpc("state_getKeysPaged", "0x", 1_000)[-1]
        assert again.rpc("state_getStorage", key) == chain.rpc("state_getStorage", key)
        assert again.rpc("system_accountNextIndex", address) == 0
        assert again.new_block() == chain.new_block()  # the same state makes the same block


def test_a_damaged_snapshot_is_refused(
    chain: Devnet, start_devnet: StartDevnet, tmp_path: Path
) -> None:
    path = tmp_path / "chain.jsonl"
    chain.save(path)
    lines = path.read_text().splitlines()
    block = json.loads(lines[1])
    block["diff"][hex_(NOW_KEY)] = "0x00"
    path.write_text("\n".join([lines[0], json.dumps(block), *lines[2:]]))
    with pytest.raises(ConfigError, match="block 1 comes to"), start_devnet(load=path):
        pass
    path.write_text("\n".join(lines[:-1]))
    with pytest.raises(ConfigError, match="is cut off"), start_devnet(load=path):
        pass


def test_genesis_storage_can_be_overridden(start_devnet: StartDevnet) -> None:
    key = hex_(b"in genesis")
    with start_devnet(genesis_storage={key: "0x2a"}, timestamp_ms=HOUR_MS, height=50) as running:
        assert is_running(running.process_id)
        assert running.genesis_hash.hex() != PASEO_GENESIS
        assert running.rpc("state_getStorage", key, hex_(running.genesis_hash)) == "0x2a"
        first = running.rpc("chain_getBlockHash", 1)
        assert now_ms(running, Hash(bytes.fromhex(first[2:]))) == HOUR_MS + SLOT_MS
        assert header_of(running, running.head_hash()).number == 50
    assert not is_running(running.process_id)


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


def test_a_taken_port_is_an_error(chain: Devnet, start_devnet: StartDevnet) -> None:
    with (
        pytest.raises(ConfigError, match=r"ended with code 1: .*EADDRINUSE"),
        start_devnet(port=chain.port),
    ):
        pass


PARENT = """
from scripts.devnet_process import start_devnet
with start_devnet() as devnet:
    print(devnet.process_id, flush=True)
    input()
"""


def test_nothing_is_left_when_the_parent_is_killed() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT],
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
    until(lambda: not is_running(server), lambda: "the server outlives its parent")


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
        if not Path("/proc/self/stat").is_file():
            return True
        stat = Path(f"/proc/{process}/stat").read_text()
    except (ProcessLookupError, FileNotFoundError):  # it may end between the two looks
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"  # a zombie that nobody has waited for


def test_outside_a_source_checkout_the_command_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scripts.devnet_process", None)
    with pytest.raises(InputError, match="source checkout"):
        command()
