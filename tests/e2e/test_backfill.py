"""Many processes fill a ledger: it is the one that a replay makes, whatever happens to them."""

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ibp_chain.archive import ArchiveSource
from ibp_chain.archive_blocks import Recorded
from ibp_chain.blocks import BlockRef
from ibp_chain.cli.app import app
from ibp_chain.errors import ArchiveError, InputError, SourceError
from ibp_chain.nodes import Nodes
from ibp_chain.source import NodeSource
from ibp_chain.types import BlockNumber
from ledger import backfill_dask, backfill_ranges
from ledger.backfill import Crew, alone, backfill
from ledger.backfill_dask import ClusterError, DaskCrew, _Run, ensure_alike, local_cluster
from ledger.backfill_order import Patience
from ledger.backfill_ranges import (
    ArchiveQuarry,
    ArchiveRange,
    BadRange,
    Gathered,
    NodeQuarry,
    NodeRange,
    Refusal,
    code_digest,
    gather_range,
    versions,
)
from ledger.following import Ears, Followed, follow_chain
from ledger.indexer import replay_into
from ledger.progress import Event, HeadSeen, Opened, Stopped
from ledger.replay import BlockReport
from ledger.store import Store
from tests.support.archives import change_a_byte, demo_writer, in_small_files
from tests.support.chain import ScriptedNode, hex_
from tests.support.command_line import ROOT, assert_done, ibp
from tests.support.ledgers import File, Ledgers, Place, dump
from tests.support.patience import until
from tests.support.rpc_server import http_node
from tests.unit.store.demo import PASEO, demo, roots

BLOCKS_TO_A_FILE = 4
QUICK = Patience(times=3.0, floor_seconds=5.0, attempts=8)
Heard = Callable[[BlockReport], object]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return in_small_files(tmp_path_factory.mktemp("archives") / "small", BLOCKS_TO_A_FILE)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two worker processes, which live."""
    with local_cluster(2) as client:
        yield client


@pytest.fixture
def mortal() -> Iterator[Any]:
    """As `cluster`, for who kills: not always does Dask start another worker for a dead one."""
    with local_cluster(2) as client:
        yield client


@pytest.fixture
def fresh(ledgers: Ledgers) -> Iterator[Place]:
    place = ledgers.new()
    yield place
    ledgers.drop(place)


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path / "ledger.db")


def filled(
    place: Place, archive: Path, crew: Crew, heard: Heard = lambda _: None, batch: int = 7
) -> bytes:
    """The state root that a backfill ends with."""
    quarry = ArchiveQuarry(str(archive), ArchiveSource(archive))
    with Store(place.url, demo().identity) as store:
        return backfill(store, quarry, crew, heard=heard, batch=batch).root()


def head_of(place: Place) -> int:
    with Store(place.url) as store:
        head = store.head()
    return 0 if head is None else head.number


def at_block(nth: int, act: Callable[[], object]) -> Heard:
    """Calls `act` once, when the nth block has been applied."""
    number = demo().blocks[nth].header.number
    return lambda report: act() if report.ref.number == number else None


def processes(client: Any) -> dict[str, int]:
    pids: dict[str, int] = client.run(os.getpid)
    return pids


def test_two_workers_make_the_ledger_that_a_replay_makes(
    cluster: Any, archive: Path, fresh: Place, ledgers: Ledgers
) -> None:
    crew = DaskCrew(cluster, PASEO.name)
    assert filled(fresh, archive, crew) == roots()[-1]
    assert crew.again == 0
    plain = ledgers.new()
    with Store(plain.url, demo().identity) as store:
        assert replay_into(store, demo().source, demo().runtime_of).root() == roots()[-1]
    assert dump(fresh) == dump(plain)
    ledgers.drop(plain)


def test_a_worker_that_is_killed_midway_costs_time_only(
    mortal: Any, archive: Path, file: File
) -> None:
    pid = next(iter(processes(mortal).values()))
    kill = at_block(9, lambda: os.kill(pid, signal.SIGKILL))
    crew = DaskCrew(mortal, PASEO.name, QUICK)
    assert filled(file, archive, crew, kill) == roots()[-1]
    assert head_of(file) == demo().source.head().number


def statuses(client: Any) -> set[str]:
    """Of every future that the client has."""
    # as a list at once: the client's own thread lets go of some meanwhile
    return {state.status for state in list(client.futures.values())}


def test_results_that_die_unheard_with_their_workers_are_made_again(
    mortal: Any, archive: Path, file: File
) -> None:
    def lose_all() -> None:
        # the range that the first one's merge made room for cannot have been heard yet
        until(lambda: statuses(mortal) == {"finished"}, lambda: statuses(mortal))
        workers = processes(mortal)
        for pid in workers.values():
            os.kill(pid, signal.SIGKILL)

        def are_gone() -> bool:
            """Others may be there and have made everything again since the last look."""
            there = mortal.scheduler_info(n_workers=-1)["workers"]
            return "lost" in statuses(mortal) or not set(workers) & set(there)

        until(are_gone, lambda: (statuses(mortal), workers))

    crew = DaskCrew(mortal, PASEO.name)
    assert filled(file, archive, crew, at_block(0, lose_all)) == roots()[-1]


def test_a_worker_that_stands_still_does_not_stop_the_merge(
    cluster: Any, archive: Path, file: File
) -> None:
    """It holds results whose turn has not come."""
    stopped: list[int] = []

    def stop_a_holder() -> None:
        until(lambda: statuses(cluster) == {"finished"}, lambda: statuses(cluster))
        held = Counter(address for found in cluster.who_has().values() for address in found)
        ((holder, _),) = held.most_common(1)
        stopped.append(processes(cluster)[holder])
        os.kill(stopped[0], signal.SIGSTOP)

    crew = DaskCrew(cluster, PASEO.name, QUICK)
    try:
        assert filled(file, archive, crew, at_block(9, stop_a_holder)) == roots()[-1]
        assert crew.again > 0
    finally:
        for pid in stopped:
            with suppress(ProcessLookupError):  # who is silent for a minute is started anew
                os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("with_workers", [True, False], ids=["cluster", "alone"])
def test_a_changed_byte_is_named_and_nothing_behind_it_is_applied(
    cluster: Any, file: File, tmp_path: Path, *, with_workers: bool
) -> None:
    bad = in_small_files(tmp_path / "bad", BLOCKS_TO_A_FILE)
    named = ArchiveSource(bad).manifest.files[5]
    change_a_byte(bad / named.name)
    crew = DaskCrew(cluster, PASEO.name) if with_workers else alone(PASEO.name)
    with pytest.raises(BadRange) as error:
        filled(file, bad, crew)
    assert error.value.exit_code == 1
    assert f"{bad}/{named.name}: block " in str(error.value)
    assert any(f"block {span.number}: " in str(error.value) for span in named.spans)
    assert head_of(file) == demo().blocks[5 * BLOCKS_TO_A_FILE - 1].header.number
    with Store(file.url) as store:
        assert store.load_state().root() == roots()[5 * BLOCKS_TO_A_FILE]


def test_bytes_that_do_not_decode_are_named_too(tmp_path: Path) -> None:
    """As an archive would say whose recorder lied about events that carry no proof."""
    writer = demo_writer(tmp_path / "liar")
    for number, block in enumerate(demo().blocks[:8]):
        lies = replace(block, events=b"\x04\xff") if number == 6 else block
        writer.append(Recorded(lies, None))
    writer.flush()
    quarry = ArchiveQuarry(str(tmp_path / "liar"), ArchiveSource(tmp_path / "liar"))
    (part,) = quarry.ranges(BlockNumber(1), quarry.source.head().number)
    result = gather_range(part, PASEO.name, versions())
    assert isinstance(result, Refusal)
    assert f"block {demo().blocks[6].header.number}: extrinsics or events: " in result.message
    assert (result.exit_code, result.again) == (1, False)


def test_a_backfill_that_is_interrupted_goes_on_at_the_head_of_the_store(
    cluster: Any, archive: Path, file: File
) -> None:
    class Interrupted(Exception):
        pass

    def interrupt() -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        filled(file, archive, DaskCrew(cluster, PASEO.name), at_block(30, interrupt))
    assert head_of(file) == demo().blocks[27].header.number  # the last whole batch of seven
    seen: list[int] = []
    root = filled(
        file,
        archive,
        DaskCrew(cluster, PASEO.name),
        lambda report: seen.append(report.ref.number),
    )
    assert root == roots()[-1]
    assert seen == [block.header.number for block in demo().blocks[28:]]


KILLED = """
import os, signal, sys
from pathlib import Path
from ledger.backfill_dask import DaskCrew, Tls, running_cluster
from tests.e2e.test_backfill import PASEO, at_block, filled
from tests.support.ledgers import File

db, archive, address, *tls = sys.argv[1:]
with running_cluster(address, Tls(*map(Path, tls))) as client:
    die = at_block(30, lambda: os.kill(os.getpid(), signal.SIGKILL))
    filled(File(Path(db)), Path(archive), DaskCrew(client, PASEO.name), die)
"""


def test_a_client_that_is_killed_goes_on_through_the_command_line(
    cluster: Any, archive: Path, file: File, tmp_path: Path
) -> None:
    tls = certificates(cluster, tmp_path)
    address = cluster.scheduler.address
    child = subprocess.run(
        [sys.executable, "-c", KILLED, file.path, archive, address, *tls],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert head_of(file) == demo().blocks[27].header.number
    ca, cert, key = map(str, tls)
    options = ("--db", file.url, "--scheduler", address, "--json")
    curators = ("--curators", "5HNVyCu5Rg62HrFeWjrFiLvr9sWQuYirz484E2PTVtXVRYH2")
    trust = ("--tls-ca", ca, "--tls-cert", cert, "--tls-key", key)
    told = json.loads(
        assert_done(ibp("ledger", "backfill", str(archive), *options, *curators, *trust))
    )
    assert told["blocks"] == len(demo().blocks) - 28
    assert told["resubmissions"] == 0
    assert told["state_root"] == "0x" + roots()[-1].hex()
    without = refused("ledger", "backfill", str(archive), *options, *curators)
    assert "no Dask scheduler answers at tls://127.0.0.1:" in without


def certificates(client: Any, folder: Path) -> tuple[Path, Path, Path]:
    """The cluster's own, as files."""
    made = client.security.get_tls_config_for_role("client")
    files = folder / "ca.pem", folder / "cert.pem", folder / "key.pem"
    for path, name in zip(files, ("ca_file", "cert", "key"), strict=True):
        path.write_text(made[name])
    return files


def test_workers_of_another_version_are_refused(cluster: Any, archive: Path) -> None:
    other = versions()._replace(facts=versions().facts + 1)
    with pytest.raises(ClusterError, match=r"has ibp-chain .* with facts format .*, this is ibp-"):
        ensure_alike(cluster, other)
    quarry = ArchiveQuarry(str(archive), ArchiveSource(archive))
    part = next(iter(quarry.ranges(BlockNumber(1), BlockNumber(10**6))))
    late = gather_range(part, PASEO.name, other)  # what a worker that came later says
    assert isinstance(late, Refusal)
    assert late.exit_code == 2
    assert f"a worker has {versions()}, this is {other}" in late.message


def test_other_code_is_another_version(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    code = tmp_path / "a" / "facts.py"
    code.write_text("votes = 1\n")
    digests = [code_digest(tmp_path)]
    for change in (
        lambda: code.write_text("votes = 2\n"),
        lambda: code.rename(code.with_name("other.py")),
        (tmp_path / "b.py").touch,
    ):
        change()
        digests.append(code_digest(tmp_path))
    assert len(set(digests)) == len(digests)
    (tmp_path / "cli").mkdir()
    (tmp_path / "cli" / "words.py").write_text("what no fact depends on")
    assert code_digest(tmp_path) == digests[-1]
    other = versions()._replace(code=digests[0])
    part = ArchiveRange("nowhere", "0x", "a", BlockNumber(1), BlockNumber(2))
    refusal = gather_range(part, PASEO.name, other)
    assert isinstance(refusal, Refusal)
    assert f"code {versions().code}" in refusal.message


def test_a_result_that_no_worker_hands_out_is_not_asked_for_for_ever() -> None:
    class Nowhere:
        """A future that is done and cannot be fetched, and the client of such."""

        id = key = "here"
        status = "finished"

        def submit(self, *_: Any, **__: Any) -> Any:
            return self

        def who_has(self, _: Any) -> dict[str, list[str]]:
            return {}

        def add_done_callback(self, told: Callable[[Any], object]) -> None:
            told(self)

        def scheduler_info(self, n_workers: int) -> Any:
            assert n_workers
            return {"workers": {"tcp://one": {"nthreads": 1}}}

        def wait_for_workers(self, *_: Any, **__: Any) -> None:
            """One is there."""

        def processing(self) -> dict[str, list[str]]:
            return {}

        def cancel(self, _: Any) -> None:
            """Nothing goes on."""

        def result(self, **_: Any) -> Any:
            raise TimeoutError

    crew = DaskCrew(Nowhere(), PASEO.name)
    part = ArchiveRange("nowhere", "0x", "a", BlockNumber(1), BlockNumber(2))
    run = _Run(crew, iter([part]), versions(), 1)
    with pytest.raises(ClusterError, match="no worker hands the result out"):
        next(run.results())
    assert crew.again == crew.patience.attempts - 1


def test_a_worker_that_dies_before_it_says_its_version_is_not_waited_for(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill_dask, "_BEGIN_SECONDS", 3_600.0)

    class Stale:
        """A client that has not heard yet of a worker's death."""

        def __init__(self) -> None:
            self.told: Iterator[dict[str, Any]] = iter([{"tls://127.0.0.1:1": {}}])

        def scheduler_info(self, n_workers: int) -> Any:
            there = cluster.scheduler_info(n_workers=n_workers)["workers"]
            return {"workers": {**there, **next(self.told, {})}}

        def __getattr__(self, name: str) -> Any:
            return getattr(cluster, name)

    began = time.monotonic()
    ensure_alike(Stale(), versions())
    assert time.monotonic() - began < 300


def test_without_workers_dask_is_not_imported(archive: Path, file: File) -> None:
    script = (
        "import sys\n"
        "from ibp_chain.cli.app import main\n"
        f"sys.argv = ['ibp', 'ledger', 'backfill', {str(archive)!r}, '--db', {file.url!r}, "
        "'--workers', '0', '--curators', '5HNVyCu5Rg62HrFeWjrFiLvr9sWQuYirz484E2PTVtXVRYH2']\n"
        "try:\n    main()\n"
        "finally:\n    assert not {'dask', 'distributed'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert roots()[-1].hex() in done.stdout


# --- From a node --------------------------------------------------------------------------


class DemoNode(ScriptedNode):
    """A node of the recorded chain. It skips heights, as the recorded one did."""

    def chain_getBlockHash(self, height: int | None = None) -> str | None:  # noqa: N802 (JSON-RPC's name)
        if height == 0:
            return hex_(demo().source.genesis_hash)
        return super().chain_getBlockHash(height)

    def state_getRuntimeVersion(self, digest: str) -> dict[str, Any]:  # noqa: N802 (JSON-RPC's name)
        version = demo().blocks[0].spec_version
        return {**super().state_getRuntimeVersion(digest), "specVersion": version, "apis": []}

    def state_getReadProof(self, _keys: list[str], digest: str) -> dict[str, Any]:  # noqa: N802 (JSON-RPC's name)
        return {"at": digest, "proof": [hex_(node) for node in _proofs()[digest]]}

    def state_getMetadata(self, digest: str) -> str:  # noqa: N802 (JSON-RPC's name)
        assert digest
        return hex_(demo().source.metadata_v14(demo().blocks[0].spec_version))


@cache
def _proofs() -> dict[str, tuple[bytes, ...]]:
    """What the recording has of each block's state."""
    source = demo().source
    recorded = source.recorded(source.first(), source.head().number)
    return {hex_(each.block.hash): each.proof or () for each in recorded}


def from_node(url: str, place: Place, crew: Crew) -> bytes:
    with NodeSource(url) as node, Store(place.url, demo().identity) as store:
        return backfill(store, NodeQuarry(url, node, size=8), crew).root()


def test_ranges_of_a_node_make_the_same_ledger(cluster: Any, file: File) -> None:
    with http_node(DemoNode(list(demo().blocks))) as url:
        assert from_node(url, file, DaskCrew(cluster, PASEO.name)) == roots()[-1]


def test_ranges_of_a_node_cover_its_heights_once_and_end_at_blocks() -> None:
    last = demo().blocks[-1].header.number
    with http_node(DemoNode(list(demo().blocks))) as url, NodeSource(url) as node:
        ranges = list(NodeQuarry(url, node, size=8).ranges(BlockNumber(1), last))
    assert len(ranges) == 3  # the last one reaches over the heights that were skipped
    ends = [0, *(part.last for part in ranges)]
    assert [part.first for part in ranges] == [end + 1 for end in ends[:-1]]
    assert ends[-1] == last
    assert set(ends[1:]) <= {block.header.number for block in demo().blocks}


def test_a_node_that_lies_to_a_worker_is_found(file: File) -> None:
    """The client's own look at the node is true; every other one gets another body."""

    def other_body(truth: Any, *_: object) -> Any:
        truth["block"]["extrinsics"] = truth["block"]["extrinsics"][:-1]
        return truth

    node = DemoNode(list(demo().blocks))
    with http_node(node) as url, NodeSource(url) as source:
        quarry = NodeQuarry(url, source, size=8)
        part = next(iter(quarry.ranges(BlockNumber(1), BlockNumber(20))))
        node.lies["chain_getBlock"] = other_body
        result = gather_range(part, PASEO.name, versions())
        assert isinstance(result, Refusal)
        assert result.again
        assert "does not hold up: extrinsics" in result.message
        with pytest.raises(SourceError, match="does not hold up: extrinsics"):
            from_node(url, file, alone(PASEO.name))


def test_events_that_a_node_changes_are_found_by_its_own_proofs(file: File) -> None:
    other = demo().blocks[6].hash

    def other_events(truth: str, _key: str, digest: str) -> str:
        return hex_(demo().blocks[9].events) if digest == hex_(other) else truth

    node = DemoNode(list(demo().blocks), lies={"state_getStorage": other_events})
    with http_node(node) as url, NodeSource(url) as source:
        quarry = NodeQuarry(url, source, size=8)
        part = next(iter(quarry.ranges(BlockNumber(1), BlockNumber(20))))
        result = gather_range(part, PASEO.name, versions())
        assert isinstance(result, Refusal)
        assert (result.exit_code, result.again) == (1, False)
        number = demo().blocks[6].header.number
        assert f"block {number}: " in result.message
        with pytest.raises(BadRange, match=f"block {number}: "):
            from_node(url, file, alone(PASEO.name))
        assert isinstance(part, NodeRange)
        believed = gather_range(replace(part, proofs=False), PASEO.name, versions())
        assert isinstance(believed, Gathered)


def test_metadata_of_another_runtime_is_not_decoded_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of another spec version than the block, whose own is proven."""
    monkeypatch.setattr(backfill_ranges, "_METADATA_OF_NODES", {})  # of a port that was used before
    node = DemoNode(list(demo().blocks))
    with http_node(node) as url, NodeSource(url) as source:
        part = next(iter(NodeQuarry(url, source, size=8).ranges(BlockNumber(1), BlockNumber(9))))
        packed = ROOT / "tests" / "data" / "metadata" / "polkadot-1002005-v14.scale.gz"
        other = gzip.decompress(packed.read_bytes())
        node.lies["state_getMetadata"] = lambda *_: hex_(other)
        result = gather_range(part, PASEO.name, versions())
    assert isinstance(result, Refusal)
    assert f"for spec version {demo().blocks[0].spec_version} is of " in result.message


def test_what_a_range_is_read_with_is_in_no_repr() -> None:
    part = NodeRange(
        "wss://me:s3cret@node.example/k3y",
        demo().source.genesis_hash,
        BlockNumber(1),
        BlockNumber(2),
    )
    assert "s3cret" not in f"{part!r}{part}"
    assert "k3y" not in repr(part)
    assert "s3cret" not in repr(
        ArchiveRange("s3://me:s3cret@x/y", "0x", "z", BlockNumber(1), BlockNumber(2))
    )


def test_no_process_of_the_local_cluster_profiles_itself(cluster: Any) -> None:
    """Dask's profiler freezes a worker of CPython 3.11, now and then."""
    setting = "distributed.worker.profile.enabled"
    found = cluster.run(lambda: __import__("dask").config.get(setting))
    assert set(found.values()) == {False}
    scheduled = cluster.run_on_scheduler(lambda: __import__("dask").config.get(setting))
    assert scheduled is False


@pytest.mark.parametrize(
    "error",
    [OSError("disk full"), KeyError(), ArchiveError("torn")],
    ids=lambda error: type(error).__name__,
)
def test_whatever_ends_a_follower_is_told_as_its_end(file: File, error: Exception) -> None:
    events: list[Event] = []

    def heard(_: BlockReport) -> None:
        raise error

    with http_node(DemoNode(list(demo().blocks))) as url:
        plan = Followed((url,), file.url)
        with pytest.raises(type(error)):
            follow_chain(plan, threading.Event(), Ears(events.append, heard))
    assert events[-1] == Stopped(str(error) or type(error).__name__)
    # although the error's traceback keeps what was being read
    assert not [t for t in threading.enumerate() if t.name.startswith("ahead")]
    assert [Opened(None), HeadSeen(demo().source.head())] == [
        event for event in events if isinstance(event, Opened | HeadSeen)
    ][:2]


def test_who_leaves_before_the_first_block_is_not_told_that_there_is_none(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaving, events, head = threading.Event(), list[Event](), Nodes.head

    def leaves(nodes: Nodes) -> BlockRef:
        found = head(nodes)
        leaving.set()
        return found

    monkeypatch.setattr(Nodes, "head", leaves)
    with http_node(DemoNode(list(demo().blocks))) as url:
        plan = Followed((url,), file.url)
        assert follow_chain(plan, leaving, Ears(events.append)) is None
    assert events[-1] == Stopped(None)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "say where the blocks are"),
        (("ARCHIVE", "--node", "ws://127.0.0.1:1"), "say where the blocks are"),
        (("ARCHIVE", "--workers", "2", "--scheduler", "tcp://127.0.0.1:1"), "--workers is for"),
        (("ARCHIVE", "--tls-ca", "ca.pem"), "go together"),
        (("ARCHIVE", "--scheduler", "nonsense://here"), "no Dask scheduler answers"),
    ],
    ids=["nothing", "both", "two clusters", "half of tls", "no scheduler"],
)
def test_options_that_do_not_fit_are_refused(
    archive: Path, file: File, options: tuple[str, ...], said: str
) -> None:
    given = [str(archive) if option == "ARCHIVE" else option for option in options]
    assert said in refused("ledger", "backfill", *given, "--db", file.url)


def refused(*arguments: str) -> str:
    """What a command says that ends with 2, in this process."""
    ended = CliRunner().invoke(app, arguments)
    assert isinstance(ended.exception, InputError), ended.output
    return str(ended.exception)
