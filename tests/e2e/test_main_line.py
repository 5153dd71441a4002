"""The whole way on the real runtime: played, paid by command line, followed, recorded, audited.

The programme is played once for all tests here; every payout command is a process of its own.
"""

import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ibp_chain.accounts import ss58_encode
from ibp_chain.archive import ArchiveSource, verify
from ibp_chain.archive_format import START
from ibp_chain.archive_record import record
from ibp_chain.blocks import BlockRef
from ibp_chain.errors import CheckFailed
from ibp_chain.keys import signer_from_uri
from ibp_chain.peer_codec import peer_codec
from ibp_chain.runtimes import runtimes
from ibp_chain.source import NodeSource
from ibp_chain.state_excerpt import fetch_excerpt
from ibp_chain.types import Hash
from ledger.audit import audit
from ledger.indexer import follow, replay_into
from ledger.locks import account_locks
from ledger.mirrors import Constants
from ledger.replay import apply_block
from ledger.snapshot import account_snapshot
from ledger.start import prefixes
from ledger.state import State
from ledger.store import Identity, Store
from multisig.bundle import read_bundle
from multisig.signer_payload import read_payload
from scripts.devnet_process import Devnet, start_devnet
from scripts.scenario import payday
from scripts.scenario.cast import Cast
from scripts.scenario.play import (
    NETWORK,
    devnet_options,
    load_cast,
    play_until_payday,
    set_stage,
)
from tests.support.command_line import assert_done, assert_one_clear_line, ibp
from tests.support.peers import octets

pytestmark = pytest.mark.live

Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Curators:
    """People at their terminals: what they type, and what they are told."""

    devnet: Devnet
    folder: Path
    told: dict[str, Done] = field(default_factory=dict)

    @property
    def bundle(self) -> Path:
        return self.folder / "bundle.json"

    @property
    def archive(self) -> tuple[object, ...]:
        return "--archive", self.folder / "archive"

    @property
    def rows(self) -> tuple[object, ...]:
        return "--rows", self.folder / "rows"

    @property
    def node(self) -> tuple[object, ...]:
        return "--node", self.devnet.url

    def record(self) -> None:
        """Bring the archive up to the chain's head."""
        assert_done(ibp("archive", "record", self.folder / "archive", *self.node))

    def prepare(self) -> None:
        """Statement and bundle from the blocks so far."""
        self.record()
        price = ("--price", "2.15", "--price-source", "a flat price", "--price-at", "2026-02-01")
        statement = self.folder / "statement.json"
        stating = ("payout", "statement", "2026-01", "--out", statement, *price)
        assert_done(ibp(*stating, *self.archive, *self.rows))
        building = ("multisig", "build", statement, "--out", self.bundle, "--although-short")
        assert_done(ibp(*building, *self.archive, *self.node))

    def say(self, name: str, *arguments: object) -> None:
        self.told[name] = ibp("multisig", *arguments)

    def approve(self, name: str, secret_uri: str, *arguments: str) -> None:
        """Against the blocks recorded last, as each curator has them."""
        approving = ("multisig", "approve", self.bundle, "--yes", *arguments)
        secret = {"IBP_SECRET_URI": secret_uri}
        self.told[name] = ibp(*approving, *self.node, *self.archive, *self.rows, env=secret)

    def sign_elsewhere(self, place: int) -> None:
        """Curator number `place`, whose key is in a wallet: asked, signed there, submitted."""
        signer = signer_from_uri(f"//IBP//Curator//{place}")
        address = ss58_encode(signer.account, NETWORK.ss58_prefix)
        path, of = self.folder / "payload.json", f"curator {place}"
        checking = (*self.node, *self.archive, *self.rows)
        self.say(f"{of} asked", "payload", self.bundle, "--as", address, "--out", path, *checking)
        shown = ("qr", self.bundle, "--payload", path, *self.node)
        self.say(f"{of} on a terminal", *shown, "--frame-bytes", "300")
        self.say(f"{of} as files", *shown, "--svg", self.folder / "qr", "--png", self.folder / "qr")
        self.say(f"{of} as a fountain", *shown, "--fountain")
        peer = peer_codec(octets(self.devnet.rpc("state_getMetadata")))
        message = read_payload(path).signing_bytes(peer)
        submitting = ("submit", self.bundle, "--payload", path, "--yes", *checking)
        stranger = signer_from_uri("//IBP//Curator//1").sign(message)
        self.say(f"{of} by another", *submitting, "--signature", "0x" + stranger.hex())
        self.say(f"{of} by nobody", *submitting, "--signature", "0x1234")
        signed = self.folder / "signed.json"
        signed.write_text(json.dumps({"id": 1, "signature": "0x01" + signer.sign(message).hex()}))
        self.say(of, *submitting, "--signed", signed)
        self.say(f"{of} again", *submitting, "--signed", signed)

    def reconcile(self, name: str) -> None:
        self.record()
        self.say(name, "reconcile", self.bundle, *self.archive, "--json")


@dataclass(frozen=True)
class Played:
    """The chain after the play, still running."""

    devnet: Devnet
    cast: Cast
    curators: Curators


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    cast, folder = load_cast(), tmp_path_factory.mktemp("programme")
    with start_devnet(**devnet_options(cast)) as devnet, NodeSource(devnet.url) as node:
        stage = set_stage(devnet, cast, node)
        play_until_payday(stage, cast, folder)
        curators = Curators(devnet, folder)
        devnet.rpc("dev_setBlockBuildMode", "Instant")
        curators.prepare()
        curators.say("verified", "verify", curators.bundle, *curators.archive, *curators.rows)
        curators.approve("poor", "//IBP//Curator//0")
        curators.approve("stranger", "//IBP//Stranger", "--although-short")
        curators.approve("first", "//IBP//Curator//0", "--although-short")
        curators.approve("again", "//IBP//Curator//0", "--although-short")
        curators.say("status", "status", curators.bundle, *curators.node, "--json")
        curators.reconcile("pending")
        curators.approve("second", "//IBP//Curator//1", "--although-short")
        curators.approve("third", "//IBP//Curator//2", "--although-short")
        curators.reconcile("failed")
        devnet.rpc("dev_setBlockBuildMode", "Manual")
        payday.fund(stage, cast, read_bundle(curators.bundle))
        devnet.rpc("dev_setBlockBuildMode", "Instant")
        curators.approve("curator 4", "//IBP//Curator//4")
        curators.sign_elsewhere(3)
        curators.approve("curator 2", "//IBP//Curator//2")
        curators.reconcile("paid")
        curators.approve("too late", "//IBP//Curator//0")  # the blocks that paid are recorded
        yield Played(devnet, cast, curators)


# --- The payout, as curators see it ---------------------------------------------------------


def test_a_bundle_is_verified_from_blocks_before_it_is_signed(played: Played) -> None:
    assert "two decoders read the same call" in assert_done(played.curators.told["verified"])


def test_nothing_is_signed_that_cannot_be_paid(played: Played) -> None:
    assert_one_clear_line(played.curators.told["poor"], 1, "can spend", "fund")


def test_a_stranger_and_a_second_approval_by_the_same_curator_are_refused(played: Played) -> None:
    told = played.curators.told
    assert_one_clear_line(told["stranger"], 1, "is not one of the multisig's signatories")
    assert_one_clear_line(told["again"], 1, "approved")


def test_status_and_reconciliation_tell_who_signed_while_it_is_pending(played: Played) -> None:
    told = played.curators.told
    status = json.loads(assert_done(told["status"]))
    assert status["open"]
    assert len(status["approvals"]) == 1
    pending = json.loads(told["pending"].stdout)
    assert (pending["outcome"], pending["lacking"]) == ("pending", 2)
    assert pending["signed"] == status["approvals"]
    assert int(pending["attempts"][0]["deposit_held"]) > 0
    assert told["pending"].returncode == 1


def test_a_payout_that_fails_inside_is_told_as_a_failure(played: Played) -> None:
    told = played.curators.told
    assert "more signatures are needed" in assert_done(told["second"])
    assert_one_clear_line(told["third"], 1, "failed inside: Token.FundsUnavailable")
    failed = json.loads(told["failed"].stdout)
    assert failed["outcome"] == "failed"
    assert {line["paid"] for line in failed["lines"]} == {None}


def test_the_same_bundle_is_paid_by_other_curators_after_funding(played: Played) -> None:
    told = played.curators.told
    assert "Approved and executed" in assert_done(told["curator 2"])
    paid = json.loads(assert_done(told["paid"]))
    assert paid["settled"]
    assert [len(attempt["signed"]) for attempt in paid["attempts"]] == [3, 3]
    assert all(line["paid"] == line["stated"] for line in paid["lines"])


def test_a_curator_whose_key_is_elsewhere_is_told_what_to_compare(played: Played) -> None:
    told, bundle = played.curators.told, read_bundle(played.curators.bundle)
    asked = assert_done(told["curator 3 asked"])
    for said in (bundle.call_hash.hex(), "approves the operation of block", "Valid up to block"):
        assert said in asked
    assert "Warning" not in asked  # the longest era is long enough on the relay chain
    assert "mode 0" in asked


def test_a_payload_is_shown_on_terminals_and_in_files_with_the_size_of_each_frame(
    played: Played,
) -> None:
    told = played.curators.told
    shown = assert_done(told["curator 3 on a terminal"])
    assert "Frame 1 of 3: 305 bytes, QR version 13, 69 x 69 modules" in shown
    assert "█" in shown
    assert "Frame 1 of 1" in assert_done(told["curator 3 as files"])
    assert {path.name for path in (played.curators.folder / "qr").iterdir()} == {
        "frame-01.png",
        "frame-01.svg",
        "frames.svg",
    }
    assert "Frame 1 of 2: 1,080 bytes" in assert_done(told["curator 3 as a fountain"])


def test_only_the_signature_that_was_asked_for_is_submitted(played: Played) -> None:
    told = played.curators.told
    assert_one_clear_line(told["curator 3 by another"], 1, "another signer")
    assert_one_clear_line(told["curator 3 by nobody"], 2, "a signature has 64 bytes")
    assert "more signatures are needed" in assert_done(told["curator 3"])
    assert_one_clear_line(told["curator 3 again"], 1, "has approved this call already")


def test_a_paid_bundle_is_not_signed_again(played: Played) -> None:
    assert_one_clear_line(played.curators.told["too late"], 1, "2026-01 was paid before")


# --- The ledger, as auditors see it ---------------------------------------------------------


def test_following_the_chain_and_replaying_its_recording_give_the_same_root(
    played: Played, tmp_path: Path
) -> None:
    with NodeSource(played.devnet.url) as node:
        identity = _identity(played, node.genesis_hash)
        with Store(f"sqlite:///{tmp_path / 'followed.db'}", identity) as store:
            target = node.head()
            follow(store, node, runtimes(node), stop=lambda: store.head() == target)
            followed = store.load_state()
        record(node, tmp_path / "archive", proofs=True)
    verify(tmp_path / "archive")
    source = ArchiveSource(tmp_path / "archive")
    with Store(f"sqlite:///{tmp_path / 'replayed.db'}", identity) as store:
        replay_into(store, source, runtimes(source))
        replayed = store.load_state()
    assert replayed.head.value == followed.head.value
    assert replayed.root() == followed.root()


def test_the_audit_finds_no_difference(played: Played, tmp_path: Path) -> None:
    with NodeSource(played.devnet.url) as node:
        identity = _identity(played, node.genesis_hash)
        with Store(f"sqlite:///{tmp_path / 'ledger.db'}", identity) as store:
            state = replay_into(store, node, runtimes(node))
        head = state.head.value
        assert head is not None
        result = audit(state, node, runtimes(node), head.ref)
    assert result.agrees, [str(difference) for difference in result.differences]
    assert result.compared["ConvictionVoting.VotingFor"] > 0
    assert result.compared["Balances.Locks"] > 0


def test_a_ledger_may_begin_with_proven_storage_in_the_middle(
    played: Played, tmp_path: Path
) -> None:
    with NodeSource(played.devnet.url) as node:
        whole, known = State(NETWORK, played.cast.multisig), runtimes(node)
        for block in node.blocks(node.first()):
            apply_block(whole, block, known(block.spec_version))
        heights = [block.header.number for block in node.blocks(node.first())]
    first, later, db = heights[len(heights) // 2], tmp_path / "later", f"sqlite:///{tmp_path}/db"
    at_node = ("--node", played.devnet.url)
    assert_done(ibp("archive", "record", later, *at_node, "--first", first))
    replaying = ("ledger", "replay", later, "--db", db)
    assert_one_clear_line(ibp(*replaying), 2, "starts with the first block", "ibp archive start")

    assert "proven" in assert_done(ibp("archive", "start", later, *at_node))
    assert "none is missing" in assert_done(ibp("archive", "verify", later))
    assert_done(ibp(*replaying))
    assert "No difference." in assert_done(ibp("ledger", "audit", "--db", db, *at_node))
    with Store(db) as store:
        begun = store.load_state()
    for ours, theirs in zip(
        begun.mirrors.mirrored_maps(), whole.mirrors.mirrored_maps(), strict=True
    ):
        assert dict(ours.raw_items()) == dict(theirs.raw_items())
    # what only blocks told, before: a ledger that began later cannot know it
    assert len(whole.membership.members) > len(begun.membership.members) == 0

    other = tmp_path / "other"
    assert_done(ibp("archive", "record", other, *at_node, "--first", heights[-3]))
    (other / START).write_bytes((later / START).read_bytes())
    assert_one_clear_line(ibp("archive", "verify", other), 1, "parent_hash", START)
    (later / START).write_bytes((later / START).read_bytes()[:-1])
    assert_one_clear_line(ibp(*replaying), 2, START, "damaged")


def test_following_may_begin_with_proven_storage(played: Played, tmp_path: Path) -> None:
    with NodeSource(played.devnet.url) as node:
        last = list(node.blocks(node.first()))[-20:]
        known, header = runtimes(node), node.header(last[0].header.parent_hash)
        identity = Identity(NETWORK.name, node.genesis_hash)
        with Store(f"sqlite:///{tmp_path / 'ledger.db'}", identity) as store:
            start = fetch_excerpt(node, header, prefixes())
            at_head = BlockRef(last[-1].header.number, last[-1].hash)
            follow(store, node, known, stop=lambda: store.head() == at_head, start=start)
            state = store.load_state()
        assert audit(state, node, known, at_head).agrees
        assert state.mirrors.conviction_voting.voting_for


def test_the_story_is_in_the_ledger(played: Played) -> None:
    with NodeSource(played.devnet.url) as node:
        state, known = State(NETWORK, played.cast.multisig), runtimes(node)
        for block in node.blocks(node.first()):
            apply_block(state, block, known(block.spec_version))
    assert {member for member, _ in state.membership.members.items()} == {
        member.id for member in played.cast.members
    }
    assert len(state.scores.standing) == 4
    assert len(state.scores.equivocations) == 1
    assert len(state.programme.rejections) == 4
    batches = [batch.status.name for _, batch in sorted(state.payouts.batches.items())]
    assert batches == ["FAILED", "PAID"]
    assert len(state.payouts.paid) == 4
    assert len(state.payouts.violations) == 0


def test_what_a_node_proves_of_a_member_is_what_the_ledger_knows(played: Played) -> None:
    with NodeSource(played.devnet.url) as node:
        state, known = State(NETWORK, played.cast.multisig), runtimes(node)
        for block in node.blocks(node.first()):
            apply_block(state, block, known(block.spec_version))
        head = state.head.value
        assert head is not None
        header, runtime = node.header(head.hash), known(node.version_after(head.hash))
        config = state.mirrors.voting_config(Constants.of(runtime), head.now)
        for member in played.cast.members:
            who = member.signer.account
            found = account_snapshot(node, runtime, NETWORK, who, header)
            theirs = found.mirrors.voting_config(found.constants, found.head.now)
            assert found.head == head
            assert account_locks(found.mirrors.conviction_voting, theirs, who) == account_locks(
                state.mirrors.conviction_voting, config, who
            )


def test_a_node_that_leaves_out_part_of_its_proof_is_caught(played: Played) -> None:
    class Forgetful:
        def __init__(self, node: NodeSource, kept: slice) -> None:
            self.node, self.kept = node, kept

        def read_proof(self, keys: Sequence[bytes], at: Hash) -> tuple[bytes, ...]:
            return self.node.read_proof(keys, at)[self.kept]

    who = played.cast.member("amforc").signer.account
    with NodeSource(played.devnet.url) as node:
        header = node.header(node.head().hash)
        runtime = runtimes(node)(node.version_after(header.hash))
        for kept in (slice(1, None), slice(None, -1), slice(0)):
            with pytest.raises(CheckFailed):
                account_snapshot(Forgetful(node, kept), runtime, NETWORK, who, header)


def test_a_member_reads_its_locks_from_a_node_alone(played: Played) -> None:
    member = played.cast.member("amforc").signer.account
    address = ss58_encode(member, NETWORK.ss58_prefix)
    command = ("ledger", "locks", address, "--node", played.devnet.url)
    assert "Proven against the state root" in assert_done(ibp(*command))
    assert json.loads(assert_done(ibp(*command, "--json")))["locked"] == str(5_000 * 10**10)


def _identity(played: Played, genesis_hash: Hash) -> Identity:
    return Identity(NETWORK.name, genesis_hash, played.cast.multisig)
