"""A follower of several nodes, some of which fail, lie, forget or belong to another chain.

Whatever they do, the ledger ends where a clean replay of the honest node ends, or stands still and
says why.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ibp_chain.archive import ArchiveSource, verify
from ibp_chain.blocks import BlockRef, Header
from ibp_chain.errors import ConfigError
from ibp_chain.node_agreement import NodesDisagree
from ibp_chain.node_windows import Fetching, NoNodeKeeps
from ibp_chain.source import EVENTS_KEY, NodeSource, WrongChain
from ibp_chain.types import Hash
from ledger.following import Ears, Followed, follow_chain
from ledger.progress import (
    BlockApplied,
    BlocksRecorded,
    Disagreement,
    Event,
    NodeBack,
    Opened,
    Trouble,
)
from ledger.store import DatabaseError, Store
from scripts.devnet_process import Devnet, start_devnet
from scripts.scenario.play import devnet_options, load_cast
from tests.support.chain import GENESIS, ScriptedNode, chain, header_json
from tests.support.command_line import Started, assert_done, assert_one_clear_line, ibp, started
from tests.support.delegators import Delegators
from tests.support.followed import (
    Follower,
    clean_root,
    following,
    stored_root,
)
from tests.support.ledgers import Ledgers, dump
from tests.support.patience import until
from tests.support.postgres import Postgres
from tests.support.rpc_proxy import Known, Proxy, rpc_proxy
from tests.support.rpc_server import http_node

pytestmark = pytest.mark.live

GAP = 300
FAST = Fetching(proofs=True, window=4, poll_seconds=0.1, timeout=30.0, patience=30.0)
SURE = 2
"""Bodies that a node is asked for, and one more, whichever windows it gets: that is for threads to
find, but behind the gap there are two, of four blocks and of three, and either node gets one."""


@dataclass(frozen=True)
class Played:
    """A chain with votes and a gap in it, and what a clean replay of it gives."""

    devnet: Devnet
    head: BlockRef
    root: Hash
    hashes: tuple[str, ...]
    """Of its blocks, in order."""
    honest: str
    """URL of a proxy that tells the truth."""
    known: Known

    def follow(self, folder: Path, *urls: str, **options: Any) -> Followed:
        return Followed(urls, f"sqlite:///{folder / 'ledger.db'}", fetching=FAST, **options)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    cast = load_cast()
    with start_devnet(**devnet_options(cast)) as devnet:
        with NodeSource(devnet.url) as node:
            busy = Delegators(devnet, node, tuple(member.signer for member in cast.members))
            for _ in range(3):
                busy.block()
            devnet.new_block(count=5)
            devnet.new_block(to_height=GAP)
            devnet.new_block(count=4)
            for _ in range(2):
                busy.block()
            hashes = tuple("0x" + block.hash.hex() for block in node.blocks(node.first()))
        head, root = clean_root(devnet.url, tmp_path_factory.mktemp("clean"))
        known: Known = {}
        with rpc_proxy(devnet.http_url, known) as honest:
            yield Played(devnet, head, root, hashes, honest.http_url, known)


@pytest.fixture
def proxy(played: Played) -> Iterator[Proxy]:
    with rpc_proxy(played.devnet.http_url, played.known) as running:
        yield running


# --- Failing nodes ------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_when_a_node_goes_down_midway_the_others_deliver_the_rest(
    played: Played, proxy: Proxy, tmp_path: Path, scheme: str
) -> None:
    url = proxy.http_url if scheme == "http" else proxy.ws_url
    faults, blocks = proxy.faults, iter(range(SURE))

    def fails(method: str) -> None:
        if method == "chain_getBlock" and next(blocks, None) is None:
            faults.down = True

    faults.heard = fails
    plan = played.follow(tmp_path, url, played.devnet.url, archive=tmp_path / "archive")
    with following(plan) as follower:
        follower.wait_for(lambda: follower.committed == played.head)
        assert {event.trouble for event in follower.failed} == {Trouble.UNREACHABLE}
        assert {event.node for event in follower.failed} == {url}
        faults.heard, faults.down = lambda _: None, False
        follower.wait_for(lambda: follower.events.count(NodeBack(url)) >= 2)
    assert stored_root(plan.db) == played.root
    verified = verify(tmp_path / "archive")
    assert verified.proven == verified.blocks == len(played.hashes)
    applied = [e.block.number for e in follower.events if isinstance(e, BlockApplied)]
    assert len(applied) == len(played.hashes)


def test_when_the_only_node_is_away_the_follower_waits_and_goes_on(
    played: Played, proxy: Proxy, tmp_path: Path
) -> None:
    faults, blocks = proxy.faults, iter(range(6))

    def fails(method: str) -> None:
        if method == "chain_getBlock" and next(blocks, None) is None:
            faults.down = True

    faults.heard = fails
    plan = played.follow(tmp_path, proxy.http_url)
    with following(plan) as follower:
        follower.wait_for(lambda: len(follower.failed) >= 2)
        faults.heard, faults.down = lambda _: None, False
        follower.wait_for(lambda: follower.committed == played.head)
    assert stored_root(plan.db) == played.root


# --- Lying nodes --------------------------------------------------------------------------


def _later(lie: Callable[[Any, list[Any]], Any]) -> Any:
    """Tells the truth at first."""
    told = iter(range(SURE))
    return lambda truth, params: truth if next(told, None) is not None else lie(truth, params)


def _without_last_extrinsic(truth: Any, _params: list[Any]) -> Any:
    truth["block"]["extrinsics"].pop()
    return truth


def _other_state_root(truth: Any, _params: list[Any]) -> Any:
    truth["block"]["header"]["stateRoot"] = "0x" + "11" * 32
    return truth


def _no_events(truth: Any, params: list[Any]) -> Any:
    return "0x00" if params[0] == "0x" + EVENTS_KEY.hex() else truth


LIES: dict[str, tuple[str, Callable[[Any, list[Any]], Any], Trouble]] = {
    "a body without its last extrinsic": (
        "chain_getBlock", _without_last_extrinsic, Trouble.UNTRUE),
    "another state root": ("chain_getBlock", _other_state_root, Trouble.UNTRUE),
    "no events": ("state_getStorage", _no_events, Trouble.UNTRUE),
    "a runtime that is not there yet": (
        "state_getRuntimeVersion", lambda truth, _: {**truth, "specVersion": 9_999_999},
        Trouble.UNTRUE),
    "no header at all": ("chain_getBlock", lambda _truth, _: {"block": {}}, Trouble.MALFORMED),
}  # fmt: skip


@pytest.mark.parametrize("what", LIES)
def test_a_node_that_lies_is_left_alone_and_nothing_of_it_is_taken(
    played: Played, proxy: Proxy, tmp_path: Path, what: str
) -> None:
    method, lie, trouble = LIES[what]
    proxy.faults.lies[method] = _later(lie)
    plan = played.follow(tmp_path, proxy.http_url, played.honest)
    with following(plan) as follower:
        follower.wait_for(lambda: follower.committed == played.head)
    assert stored_root(plan.db) == played.root
    assert {event.node for event in follower.failed} == {proxy.http_url}
    assert trouble in {event.trouble for event in follower.failed}


@pytest.mark.parametrize("what", ["cut short", "twice", "one answer too few"])
def test_an_answer_that_is_none_is_asked_of_another_node(
    played: Played, proxy: Proxy, tmp_path: Path, what: str
) -> None:
    mangled = {
        "cut short": lambda raw: raw[: len(raw) // 2],
        "twice": lambda raw: raw[:-1] + b"," + raw[1:] if raw[:1] == b"[" else raw,
        "one answer too few": lambda raw: raw if raw[:1] != b"[" else b"[]",
    }[what]
    proxy.faults.heard = lambda method: (
        setattr(proxy.faults, "mangle", mangled) if method == "chain_getBlock" else None
    )
    plan = played.follow(tmp_path, proxy.http_url, played.honest)
    with following(plan) as follower:
        follower.wait_for(lambda: follower.committed == played.head)
    assert stored_root(plan.db) == played.root
    assert {event.trouble for event in follower.failed} == {Trouble.MALFORMED}


def test_blocks_that_one_node_has_forgotten_come_from_another(
    played: Played, proxy: Proxy, tmp_path: Path
) -> None:
    proxy.faults.pruned = frozenset(played.hashes[:8])
    # one window after the other: of the first two, either node gets one
    plan = replace(
        played.follow(tmp_path, proxy.http_url, played.honest),
        fetching=replace(FAST, workers=1),
    )
    with following(plan) as follower:
        follower.wait_for(lambda: follower.committed == played.head)
    assert stored_root(plan.db) == played.root
    assert {event.trouble for event in follower.failed} == {Trouble.PRUNED}


def test_blocks_that_every_node_has_forgotten_end_it(
    played: Played, proxy: Proxy, tmp_path: Path
) -> None:
    proxy.faults.pruned = frozenset(played.hashes[:8])
    with following(played.follow(tmp_path, proxy.http_url)) as follower:
        error = follower.wait_for_end()
    assert isinstance(error, NoNodeKeeps)
    assert "add an archive node" in str(error)


# --- Disagreement -------------------------------------------------------------------------


def _fork_of_the_head(played: Played) -> tuple[Hash, dict[str, Any]]:
    """Another block at the head's height, with a true hash and parent; lies that stand for it."""
    with NodeSource(played.devnet.url) as node:
        header = node.header(played.head.hash)
    other = Header(
        header.parent_hash,
        header.number,
        header.state_root,
        header.extrinsics_root,
        (*header.digest, b"\x08"),
    )
    text, height = "0x" + other.hash.hex(), header.number
    lies = {
        "chain_getFinalizedHead": lambda _truth, _params: text,
        "chain_getHeader": lambda truth, params: (
            header_json(other) if params and params[0] == text else truth
        ),
        "chain_getBlockHash": lambda truth, params: text if params == [height] else truth,
    }
    return other.hash, lies


def test_nodes_that_disagree_are_named_and_nothing_is_written(
    played: Played, proxy: Proxy, tmp_path: Path
) -> None:
    fork, lies = _fork_of_the_head(played)
    proxy.faults.lies.update(lies)
    nodes = "--node", played.honest, "--node", proxy.http_url
    done = ibp("ledger", "follow", *nodes, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    for said in (played.honest, proxy.http_url, fork.hex(), played.head.hash.hex()):
        assert said in done.stderr
    assert not list(tmp_path.iterdir())


def test_nodes_that_begin_to_disagree_stop_a_ledger_that_follows(
    played: Played, proxy: Proxy, tmp_path: Path
) -> None:
    plan = played.follow(tmp_path, played.honest, proxy.http_url)
    with following(plan) as follower:
        follower.wait_for(lambda: follower.committed == played.head)
        proxy.faults.lies.update(_fork_of_the_head(played)[1])
        error = follower.wait_for_end()
    assert isinstance(error, NodesDisagree)
    (told,) = {event for event in follower.events if isinstance(event, Disagreement)}
    assert dict(told.named)[played.honest] == played.head.hash
    assert told.resolved is None
    assert stored_root(plan.db) == played.root


def test_a_trusted_majority_outvotes_a_node_and_goes_on(
    played: Played, proxy: Proxy, tmp_path: Path
) -> None:
    proxy.faults.lies.update(_fork_of_the_head(played)[1])
    plan = replace(
        played.follow(tmp_path, proxy.http_url, played.devnet.url, played.honest),
        fetching=replace(FAST, trust=2),
    )
    with following(plan) as follower:
        follower.wait_for(lambda: follower.committed == played.head)
    assert stored_root(plan.db) == played.root
    assert Trouble.OUTVOTED in {event.trouble for event in follower.failed}
    assert {event.node for event in follower.failed} == {proxy.http_url}
    resolved = {e.resolved for e in follower.events if isinstance(e, Disagreement)}
    assert resolved == {played.head.hash}


def test_with_too_few_nodes_for_a_majority_nothing_is_taken(
    played: Played, proxy: Proxy, tmp_path: Path
) -> None:
    plan = replace(
        played.follow(tmp_path, proxy.http_url, played.honest),
        fetching=replace(FAST, trust=2),
    )
    blocks = iter(range(SURE))

    def fails(method: str) -> None:
        if method == "chain_getBlock" and next(blocks, None) is None:
            proxy.faults.down = True

    proxy.faults.heard = fails
    with following(plan) as follower:
        follower.wait_for(lambda: len(follower.failed) >= 2)
        assert follower.committed is None
        proxy.faults.heard = lambda _: None
        proxy.faults.down = False
        follower.wait_for(lambda: follower.committed == played.head)
    assert stored_root(plan.db) == played.root


def test_a_node_of_another_chain_is_refused_with_both_genesis_hashes(
    played: Played, tmp_path: Path
) -> None:
    with http_node(ScriptedNode(chain(range(1, 4)))) as other:
        nodes = "--node", played.honest, "--node", other
        done = ibp("ledger", "follow", *nodes, cwd=tmp_path)
        ours = played.devnet.genesis_hash
        assert_one_clear_line(done, 2, other, GENESIS.hash.hex(), ours.hex())
        assert not list(tmp_path.iterdir())
        plan = played.follow(tmp_path, other, genesis=ours)
        with following(plan) as follower:
            assert isinstance(follower.wait_for_end(), WrongChain)


# --- Processes ----------------------------------------------------------------------------


def _command(plan: Followed) -> list[str]:
    options = [part for url in plan.nodes for part in ("--node", url)]
    archive = [] if plan.archive is None else ["--archive", str(plan.archive)]
    return ["ledger", "follow", *options, "--db", plan.db, *archive]


def test_killed_anywhere_it_resumes_with_nothing_lost_or_doubled(
    played: Played, proxy: Proxy, tmp_path: Path, ledgers: Ledgers
) -> None:
    place, dice = ledgers.new(), Random(8)
    plan = Followed((proxy.http_url,), place.url, archive=tmp_path / "archive", fetching=FAST)
    for _ in range(3):
        left, running = iter(range(dice.randrange(1, 50))), list[Started]()

        def kills(_method: str, left: Any = left, running: Any = running) -> None:
            if next(left, None) is None and running:
                os.kill(running[0].pid, signal.SIGKILL)

        proxy.faults.heard = kills
        with started(*_command(plan)) as process:
            running.append(process)
            assert process.wait() == -signal.SIGKILL, process.stderr
        place.wait_until_left()  # a server ends a session, and its lock, a moment later
    proxy.faults.heard = lambda _: None
    with following(plan) as follower:
        follower.wait_for(lambda: _stands(place.url) == played.head)
    assert stored_root(place.url) == played.root
    undisturbed = ledgers.new()
    with following(replace(plan, db=undisturbed.url, archive=None)) as follower:
        follower.wait_for(lambda: follower.committed == played.head)
    assert dump(place) == dump(undisturbed)
    source = ArchiveSource(tmp_path / "archive")
    assert ["0x" + b.hash.hex() for b in source.blocks(source.first())] == list(played.hashes)
    ledgers.drop(place)
    ledgers.drop(undisturbed)


def _until_said(process: Started, *lines: str) -> None:
    _until(process, lambda: set(lines) <= set(process.stdout.splitlines()))


def _until(process: Started, holds: Callable[[], bool]) -> None:
    until(holds, lambda: process.stdout + process.stderr)


def _stands(url: str) -> BlockRef | None:
    try:
        with Store(url) as store:
            return store.head()
    except ConfigError:  # nobody has written into it yet
        return None


def test_a_second_writer_is_refused_whichever_process_it_is(played: Played, tmp_path: Path) -> None:
    plan = played.follow(tmp_path, played.honest, archive=tmp_path / "archive")
    with following(plan) as follower:
        follower.wait_for(lambda: follower.committed == played.head)
        assert_one_clear_line(ibp(*_command(plan)), 2, "one writer only")
        other = replace(plan, db=f"sqlite:///{tmp_path / 'other.db'}")
        with following(other) as second:
            assert "another process is adding" in str(second.wait_for_end())
        with Store(plan.db) as reader, pytest.raises(DatabaseError, match="one writer only"):
            Store(plan.db, reader.identity)


def test_sigterm_ends_it_whole_and_the_archive_is_sealed(played: Played, tmp_path: Path) -> None:
    plan = played.follow(tmp_path, played.devnet.url, archive=tmp_path / "archive")
    with started(*_command(plan)) as process:
        _until_said(process, f"block {played.head.number}")
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait() == 0, process.stderr
        assert f"stopped at block {played.head.number}" in process.stdout
    assert stored_root(plan.db) == played.root
    assert verify(tmp_path / "archive").blocks == len(played.hashes)
    replayed = f"sqlite:///{tmp_path / 'replayed.db'}"
    assert_done(ibp("ledger", "replay", tmp_path / "archive", "--db", replayed))
    assert stored_root(replayed) == played.root


def test_several_chains_share_a_database_and_end_together(
    played: Played, proxy: Proxy, tmp_path: Path, postgres_server: Postgres
) -> None:
    place = postgres_server.url(postgres_server.create()) + "&schema="
    honest, config = played.honest, tmp_path / "chains.toml"
    config.write_text(
        f"""
        [chains.one]
        nodes = ["{honest}"]
        db = "{place}one"
        archive = "one"
        [chains.two]
        nodes = ["{honest}", "{proxy.http_url}"]
        db = "{place}two"
        poll_seconds = 0.2
        """
    )
    with started("ledger", "follow-all", config) as process:
        _until_said(process, *(f"{name}: block {played.head.number}" for name in ("one", "two")))
        with following(Followed((honest,), f"{place}three", fetching=FAST)) as beside:
            beside.wait_for(lambda: beside.committed == played.head)
        proxy.faults.lies.update(_fork_of_the_head(played)[1])
        assert process.wait() == 1, process.stderr
        assert "ibp: two: nodes disagree on block" in process.stderr
    for name in ("one", "two", "three"):
        assert stored_root(place + name) == played.root
    assert verify(tmp_path / "one").blocks == len(played.hashes)


def test_with_stay_a_chain_whose_check_failed_does_not_stop_the_others(
    played: Played, proxy: Proxy, tmp_path: Path
) -> None:
    config = tmp_path / "chains.toml"
    with rpc_proxy(played.devnet.http_url, played.known) as away:
        # not from the start: who has never had an answer does not wait for one
        away.faults.heard = lambda method: (
            setattr(away.faults, "down", True) if method == "chain_getFinalizedHead" else None
        )
        config.write_text(
            f"""
            [chains.one]
            nodes = ["{away.http_url}"]
            db = "sqlite:///{tmp_path}/one.db"
            poll_seconds = 0.2
            [chains.two]
            nodes = ["{played.honest}", "{proxy.http_url}"]
            db = "sqlite:///{tmp_path}/two.db"
            poll_seconds = 0.2
            """
        )
        assert_one_clear_line(ibp("ledger", "follow-all", config, "--stay"), 2, "--status")
        proxy.faults.lies.update(_fork_of_the_head(played)[1])
        serving = ("--stay", "--status", "127.0.0.1:0")
        with started("ledger", "follow-all", config, *serving) as process:
            _until(process, lambda: "until SIGTERM" in process.stderr)
            away.faults.heard, away.faults.down = lambda _: None, False
            _until_said(process, f"one: block {played.head.number}")
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait() == 1, process.stderr
            assert process.stderr.splitlines()[-1].startswith("ibp: two: nodes disagree on block")
    assert stored_root(f"sqlite:///{tmp_path}/one.db") == played.root


# --- Archive and store --------------------------------------------------------------------


def _recorded(follower: Follower) -> BlockRef | None:
    found = [event.head for event in follower.events if isinstance(event, BlocksRecorded)]
    return found[-1] if found else None


def test_archive_and_store_are_brought_together_whichever_is_behind(
    played: Played, tmp_path: Path
) -> None:
    folder = tmp_path / "archive"
    plain = played.follow(tmp_path, played.honest)
    with following(plain) as follower:
        follower.wait_for(lambda: follower.committed == played.head)
    late = replace(plain, archive=folder)
    with following(late) as follower:
        follower.wait_for(lambda: _recorded(follower) == played.head)
    assert Opened(played.head) in follower.events
    assert verify(folder).blocks == len(played.hashes)
    fresh = replace(late, db=f"sqlite:///{tmp_path / 'fresh.db'}")
    with following(fresh) as follower:
        follower.wait_for(lambda: follower.committed == played.head)
    assert stored_root(fresh.db) == played.root


def test_who_leaves_while_the_nodes_are_asked_leaves_a_sealed_archive(
    played: Played, tmp_path: Path
) -> None:
    plan = played.follow(tmp_path, played.honest)
    with following(plan) as follower:
        follower.wait_for(lambda: follower.committed == played.head)
    leaving, folder = threading.Event(), tmp_path / "archive"

    def leaves(event: Event) -> None:
        if isinstance(event, BlocksRecorded):
            leaving.set()  # before the follower's next question

    assert follow_chain(replace(plan, archive=folder), leaving, Ears(leaves)) == played.head
    assert verify(folder).blocks == len(played.hashes)
