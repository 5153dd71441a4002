"""A ledger that begins with storage: of every era, with real metadata, and of no wrong one."""

from collections.abc import Mapping
from typing import Any

import pytest

from ibp_chain.archive_blocks import LAST_UPGRADE_KEY
from ibp_chain.blocks import Header, blake2_256
from ibp_chain.errors import CheckFailed, DecodeError, InputError
from ibp_chain.networks import NETWORKS
from ibp_chain.scale.metadata import variants_of
from ibp_chain.scale.primitives import encode_compact
from ibp_chain.state_excerpt import Excerpt
from ibp_chain.trie import trie_root
from ibp_chain.types import BlockNumber, Hash, PollIndex, RelayBlockNumber, SpecVersion, TrackId
from ledger.origins import OriginKind
from ledger.pallets import democracy, migration, referenda, scheduler
from ledger.start import begin
from ledger.state import State
from tests.support.tries import trie_of
from tests.unit.mirrors import eras
from tests.unit.mirrors.recorded_runtime import ALICE, BOB

NETWORK = {
    eras.GOV1: "polkadot",
    eras.E0: "polkadot",
    eras.E2: "polkadot",
    eras.E2_HUB: "polkadot-asset-hub",
}
SPENDER = 34
NOTHING = {"votes": 0, "capital": 0}
VOTING = ("Casting", {"votes": [(7, ("Standard", {"vote": 0x86, "balance": 10}))],
                      "delegations": NOTHING, "prior": (900, 5)})  # fmt: skip
DIRECT = ("Direct", {"votes": [(3, ("Standard", {"vote": 0x81, "balance": 4}))],
                     "delegations": NOTHING, "prior": (0, 0)})  # fmt: skip
STAKING = {"id": b"staking ", "amount": 99, "reasons": "All"}
LOOKUP = ("Lookup", {"hash": blake2_256(b"call"), "len": 4})
ROOT = ("system", ("Root", ()))
ONGOING = {"track": SPENDER, "origin": ROOT, "proposal": LOOKUP, "enactment": ("After", 100),
           "submitted": 7, "submission_deposit": {"who": BOB, "amount": 1},
           "decision_deposit": None, "deciding": None, "in_queue": False, "alarm": None,
           "tally": {"ayes": 0, "nays": 0, "support": 0}}  # fmt: skip
TASK = {"maybe_id": None, "priority": 0, "call": ("Inline", b"short"), "maybe_periodic": None,
        "origin": ("system", ("Signed", ALICE))}  # fmt: skip
NOW_MS = 1_700_000_000_000


def lock(name: bytes, amount: int) -> dict[str, Any]:
    return {"id": name, "amount": amount, "reasons": "All"}


def storage(era: str) -> dict[bytes, bytes]:
    """What a node has, by full key: votes of Alice, and locks of Alice and of Bob."""
    runtime = eras.runtime(era)
    entries = {LAST_UPGRADE_KEY: encode_compact(runtime.spec_version) + b"\x10name"}

    def put(pallet: str, item: str, keys: tuple[Any, ...], value: Any) -> None:
        raw = runtime.encode_storage(pallet, item, value)
        entries[runtime.storage_key(pallet, item, *keys)] = raw

    put("Timestamp", "Now", (), NOW_MS)
    put("ConvictionVoting", "VotingFor", (ALICE, SPENDER), VOTING)
    put("ConvictionVoting", "ClassLocksFor", (ALICE,), [(SPENDER, 10)])
    put("Balances", "Locks", (ALICE,), [STAKING, lock(b"pyconvot", 10)])
    put("Balances", "Locks", (BOB,), [STAKING])
    put("Referenda", "ReferendumInfoFor", (7,), ("Rejected", (800, None, None)))
    put("Referenda", "ReferendumInfoFor", (8,), ("Ongoing", ONGOING))
    put("Preimage", "PreimageFor", ((blake2_256(b"call"), 4),), b"call")
    tasks = [None, TASK, TASK | {"maybe_periodic": (10, 2)}]
    put("Scheduler", "Agenda", (1_300,), tasks)
    if runtime.has_pallet("Democracy"):
        put("Democracy", "VotingOf", (ALICE,), DIRECT)
        put("Democracy", "ReferendumInfoOf", (3,), ("Finished", {"approved": True, "end": 60}))
        put("Balances", "Locks", (BOB,), [lock(b"democrac", 4), STAKING])
    return entries


def excerpt_of(entries: Mapping[bytes, bytes]) -> Excerpt:
    root, nodes = trie_of(entries)
    assert root == trie_root(entries.items(), 0)
    payload = bytes(32) + encode_compact(1_234)
    digest = (b"\x04RPSR" + encode_compact(len(payload)) + payload,)
    zero = Hash(bytes(32))
    return Excerpt(Header(zero, BlockNumber(1_000), root, zero, digest), nodes)


def begun(era: str, entries: Mapping[bytes, bytes] | None = None) -> State:
    state = State(NETWORKS[NETWORK[era]])
    excerpt = excerpt_of(storage(era) if entries is None else entries)
    report = begin(state, excerpt, lambda _: eras.runtime(era))
    assert (report.ref, report.timestamp_ms) == ((1_000, excerpt.header.hash), NOW_MS)
    return state


@pytest.fixture(params=NETWORK)
def era(request: pytest.FixtureRequest) -> str:
    assert isinstance(request.param, str)
    return request.param


def test_the_mirrors_have_the_chains_bytes(era: str) -> None:
    state, entries, runtime = begun(era), storage(era), eras.runtime(era)
    mirrored = {
        key: value for item in state.mirrors.mirrored_maps() for key, value in item.raw_items()
    }
    locks = runtime.storage_key("Balances", "Locks", ALICE)
    expected = {key: value for key, value in entries.items() if key in mirrored}
    expected[locks] = runtime.encode_storage("Balances", "Locks", [lock(b"pyconvot", 10)])
    if runtime.has_pallet("Democracy"):
        of_bob = runtime.storage_key("Balances", "Locks", BOB)
        expected[of_bob] = runtime.encode_storage("Balances", "Locks", [lock(b"democrac", 4)])
    assert mirrored == expected
    assert runtime.storage_key("ConvictionVoting", "VotingFor", ALICE, SPENDER) in mirrored


def test_polls_are_read_from_the_chains_own(era: str) -> None:
    mirrors = begun(era).mirrors
    rejected = referenda.Poll(None, referenda.Status.REJECTED, RelayBlockNumber(800))
    ongoing = referenda.Poll(TrackId(SPENDER), referenda.Status.ONGOING, None)
    assert dict(mirrors.referenda.polls.items()) == {7: rejected, 8: ongoing}
    passed = democracy.Finished(approved=True, end=RelayBlockNumber(60))
    first = {PollIndex(3): passed} if eras.runtime(era).has_pallet("Democracy") else {}
    assert dict(mirrors.democracy.referenda.items()) == first


def test_tasks_are_known_that_were_scheduled_before(era: str) -> None:
    tasks = begun(era).mirrors.scheduler
    root, signed = (list(OriginKind).index(k) for k in (OriginKind.ROOT, OriginKind.SIGNED))
    enactment = scheduler.Task(root, None, None, blake2_256(b"call"))
    assert dict(tasks.named.items()) == {scheduler.enactment_name(8): enactment}
    assert dict(tasks.agenda.items()) == {(1_300, 1): scheduler.Task(signed, ALICE, b"short", None)}
    assert dict(tasks.preimages.items()) == {blake2_256(b"call"): b"call"}


def test_everything_that_it_begins_with_is_a_change_for_the_database(era: str) -> None:
    state = begun(era)
    changed = {item.raw_key(key) for item in state.maps() for key in item.take_changes()}
    assert changed == {key for key, _ in state.entries()}


def test_asset_hub_begins_with_the_relay_chains_clock(era: str) -> None:
    head = begun(era).head.value
    assert head is not None
    assert head.now == (1_234 if era == eras.E2_HUB else 1_000)


def test_an_excerpt_of_less_is_refused() -> None:
    excerpt = excerpt_of(storage(eras.E2))
    for digest in excerpt.nodes:
        rest = {other: node for other, node in excerpt.nodes.items() if other != digest}
        with pytest.raises(CheckFailed, match="is missing"):
            begin(
                State(NETWORKS["polkadot"]),
                Excerpt(excerpt.header, rest),
                lambda _: eras.runtime(eras.E2),
            )


def test_storage_that_names_no_runtime_is_refused() -> None:
    entries = storage(eras.E2)
    del entries[LAST_UPGRADE_KEY]
    with pytest.raises(DecodeError, match="names no runtime"):
        begun(eras.E2, entries)


def test_the_runtime_is_asked_for_that_left_the_storage() -> None:
    asked: list[SpecVersion] = []

    def runtimes(version: SpecVersion) -> Any:
        asked.append(version)
        return eras.runtime(eras.E2)

    begin(State(NETWORKS["polkadot"]), excerpt_of(storage(eras.E2)), runtimes)
    assert asked == [2_000_000]


def test_a_ledger_that_has_blocks_cannot_begin_again() -> None:
    state = begun(eras.E2)
    with pytest.raises(InputError, match="cannot begin anew"):
        begin(state, excerpt_of(storage(eras.E2)), lambda _: eras.runtime(eras.E2))


def test_a_malformed_entry_is_refused() -> None:
    entries, runtime = storage(eras.E2), eras.runtime(eras.E2)
    key = runtime.storage_key("ConvictionVoting", "ClassLocksFor", ALICE)
    with pytest.raises(DecodeError):
        begun(eras.E2, entries | {key: entries[key][:-1]})


@pytest.mark.parametrize(
    ("era", "stage", "moved_away"),
    [
        (eras.E2, "Scheduled", False),
        (eras.E2, "MigrationDone", True),
        (eras.E2_HUB, "Pending", False),
        (eras.E2_HUB, "MigrationDone", False),
    ],
)
def test_whether_governance_has_left_is_read_too(era: str, stage: str, *, moved_away: bool) -> None:
    assert begun(era, storage(era) | at_stage(era, stage)).mirrors.moved_away == moved_away


@pytest.mark.parametrize(
    ("era", "stage"), [(eras.E2, "CoolOff"), (eras.E2_HUB, "DataMigrationOngoing")]
)
def test_no_ledger_begins_while_the_migration_runs(era: str, stage: str) -> None:
    with pytest.raises(InputError, match="Asset Hub Migration runs at block 1000"):
        begun(era, storage(era) | at_stage(era, stage))


def at_stage(era: str, stage: str) -> dict[bytes, bytes]:
    runtime = eras.runtime(era)
    side = next(side for side in migration.Side if runtime.has_pallet(side))
    found = next(
        v
        for v in variants_of(
            runtime.metadata, runtime.metadata.pallets[side].storage[migration.STAGES[side]].value
        )
        if v.name == stage
    )
    # those with a field here have a block number
    return {
        runtime.storage_key(side, migration.STAGES[side]): bytes((found.index,))
        + b"\0" * (4 if found.fields else 0)
    }
