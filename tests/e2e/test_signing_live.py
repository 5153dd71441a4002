"""Signed elsewhere, taken by the real runtime of 2026: mode 1, three wallets, and what it refuses.

The keys are `@polkadot/keyring`'s; here nothing is signed. The chain runs once for all tests, with
the metadata hash that its published build left out: `tests.support.hashed_runtime`.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ibp_chain.accounts import multisig_account, ss58_decode
from ibp_chain.blocks import EventRecord
from ibp_chain.errors import CallFailed
from ibp_chain.extrinsics import Inclusion, Submitter, Weight
from ibp_chain.keys import KeypairSigner, signer_from_uri
from ibp_chain.metadata_hash import has_metadata_hash, runtime_metadata_hash
from ibp_chain.networks import network
from ibp_chain.runtimes import runtimes
from ibp_chain.signing import sign_extrinsic
from ibp_chain.source import NodeSource
from ibp_chain.types import Hash, Planck
from multisig.approve import Approval, Approver, as_multi
from multisig.bundle import Bundle
from multisig.eras import block_milliseconds, longest_period
from multisig.errors import ApprovalRefused, PayloadRefused, Refusal
from multisig.onchain import Witness
from multisig.payload import Asked, accept_signature, accept_signed, ask, check_asked, check_now
from multisig.signer_payload import make_payload
from scripts.devnet_process import Devnet, start_devnet
from scripts.scenario.cast import genesis_storage
from tests.support import payouts
from tests.support.hashed_runtime import CODE_KEY, code_with_hash
from tests.support.peers import octets, peers

pytestmark = pytest.mark.live

PASEO = network("paseo")
URIS = [f"//IBP//Curator//{at}" for at in range(5)]
CURATORS = {uri: signer_from_uri(uri) for uri in URIS}
MULTISIG = multisig_account([key.account for key in CURATORS.values()], 3)
STATEMENT = payouts.bundle().statement


@dataclass(frozen=True)
class Chain:
    devnet: Devnet
    submitter: Submitter
    metadata: Path

    def bundle(self, months: str = STATEMENT.period) -> Bundle:
        """The recorded payout, for this runtime and curators; one for each text."""
        runtime = self.submitter.runtime()
        statement = STATEMENT.model_copy(update={"period": months})
        accounts = [key.account for key in CURATORS.values()]
        return payouts.on_chain(statement, runtime, self.devnet.genesis_hash, accounts)

    def approver(self, bundle: Bundle) -> Approver:
        self.submitter.period = longest_period(self.submitter.runtime())
        return Approver(self.submitter, bundle)

    def wallet(self, asked: Asked, uri: str) -> Mapping[str, Any]:
        """What a wallet makes of the payload file: a signature and a signed transaction."""
        answer: Mapping[str, Any] = peers().ask(
            "sign",
            metadata=self.metadata,
            prefix=PASEO.ss58_prefix,
            payload=json.loads(asked.payload.encoded),
            uri=uri,
        )
        return answer

    def approve(self, approver: Approver, uri: str, *, whole: bool) -> Approval:
        """One curator's way: asked, signed elsewhere, checked, sent."""
        asked = ask(approver, CURATORS[uri].account)
        assert asked.context.metadata_hash is not None
        back = self.wallet(asked, uri)
        check_now(asked, approver)
        if whole:
            raw = accept_signed(asked, octets(back["extrinsic"]), self.submitter.runtime())
        else:
            raw = accept_signature(asked, octets(back["signature"]))
        sent = self.submitter.send(raw, "Multisig.as_multi", asked.context.death)
        return approver.approval(self.submitter.wait(sent))


@contextmanager
def started(folder: Path, code: Mapping[str, str]) -> Iterator[Chain]:
    """A chain on which curators and multisig have tokens; `code` may be another `:code`."""
    balances = {key.account: PASEO.planck(1_000) for key in CURATORS.values()}
    balances[MULTISIG] = PASEO.planck(100_000)
    storage = {**genesis_storage(balances, Planck(1_150_000_010_000_000_000)), **code}
    with (
        start_devnet("paseo-2026", genesis_storage=storage) as devnet,
        NodeSource(devnet.url) as node,
    ):
        devnet.new_block(count=3)
        path = folder / "metadata.scale"
        path.write_bytes(octets(devnet.rpc("state_getMetadata")))
        submitter = Submitter(node, runtimes(node), poll_seconds=0.0, advance=devnet.new_block)
        yield Chain(devnet, submitter, path)


@pytest.fixture(scope="module")
def without_hash(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """The runtime as it was published."""
    with started(tmp_path_factory.mktemp("without"), {}) as running:
        yield running


@pytest.fixture(scope="module")
def chain(without_hash: Chain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    code = code_with_hash(metadata_hash(without_hash))
    with started(tmp_path_factory.mktemp("with"), {CODE_KEY: code}) as running:
        yield running


def metadata_hash(chain: Chain) -> Hash:
    return runtime_metadata_hash(chain.submitter.runtime(), PASEO)


def remark(chain: Chain, signer: KeypairSigner, **options: Any) -> Inclusion:
    runtime = chain.submitter.runtime()
    call = runtime.encode_call("System", "remark_with_event", {"remark": b"bound to metadata"})
    return chain.submitter.wait(chain.submitter.submit(call, signer, **options))


def test_the_runtime_takes_the_metadata_hash_that_we_compute(chain: Chain) -> None:
    assert has_metadata_hash(chain.submitter.runtime())
    done = remark(chain, CURATORS[URIS[4]], metadata_hash=metadata_hash(chain))
    assert done.ok
    (block,) = chain.submitter.node.blocks(done.block.number, done.block.number)
    raw = block.extrinsics[done.extrinsic_index]
    extensions = chain.submitter.runtime().decode_extrinsic(raw).extensions
    assert extensions["CheckMetadataHash"] == {"mode": "Enabled"}


def test_the_runtime_refuses_any_other_metadata_hash(chain: Chain) -> None:
    good = metadata_hash(chain)
    for wrong in (Hash(bytes(32)), Hash(bytes((good[0] ^ 1,)) + good[1:])):
        with pytest.raises(CallFailed, match="badProof"):
            remark(chain, CURATORS[URIS[4]], metadata_hash=wrong)


def test_a_runtime_that_was_built_without_is_asked_in_mode_0_only_where_a_person_says_so(
    without_hash: Chain,
) -> None:
    with pytest.raises(CallFailed, match="cannotLookup"):
        remark(without_hash, CURATORS[URIS[4]], metadata_hash=metadata_hash(without_hash))
    approver, who = without_hash.approver(without_hash.bundle()), CURATORS[URIS[0]]
    # a node that wants a device to sign what it cannot decode says so too
    with pytest.raises(ApprovalRefused, match=r"by what the node says, .* built without"):
        ask(approver, who.account)
    with pytest.raises(ApprovalRefused, match="give --without-metadata-hash"):
        approver.approve(who, with_metadata_hash=True)
    asked = ask(approver, who.account, with_metadata_hash=False)
    assert (asked.payload.mode, asked.payload.metadata_hash) == (0, None)
    raw = accept_signature(asked, octets(without_hash.wallet(asked, URIS[0])["signature"]))
    sent = without_hash.submitter.send(raw, "Multisig.as_multi", asked.context.death)
    assert without_hash.submitter.wait(sent).ok


def test_a_wallet_that_knows_no_metadata_hash_may_be_asked_without(chain: Chain) -> None:
    approver = chain.approver(chain.bundle("2030-05"))
    asked = ask(approver, CURATORS[URIS[0]].account, with_metadata_hash=False)
    assert (asked.payload.mode, asked.context.metadata_hash) == (0, None)


def test_polkadot_api_signs_the_same_transaction(chain: Chain) -> None:
    approver = chain.approver(chain.bundle("2030-01"))
    asked = ask(approver, CURATORS[URIS[1]].account)
    theirs = peers().ask(
        "sign_live", url=chain.devnet.url, payload=json.loads(asked.payload.encoded), uri=URIS[1]
    )
    assert theirs["called"] == "multisig.asMulti"
    raw = accept_signed(asked, octets(theirs["extrinsic"]), chain.submitter.runtime())
    ours = sign_extrinsic(asked.call, CURATORS[URIS[1]], asked.context)
    assert len(raw) == len(ours)
    at = raw.index(CURATORS[URIS[1]].account) + 33
    assert (raw[:at], raw[at + 64 :]) == (ours[:at], ours[at + 64 :])


def test_polkadot_js_makes_the_same_payload_in_mode_1(chain: Chain) -> None:
    asked = ask(chain.approver(chain.bundle("2030-06")), CURATORS[URIS[1]].account)
    ours = json.loads(asked.payload.encoded)
    theirs = peers().ask(
        "payload",
        metadata=chain.metadata,
        prefix=PASEO.ss58_prefix,
        runtimeVersion={
            "specVersion": asked.context.spec_version,
            "transactionVersion": asked.context.transaction_version,
        },
        **{name: value for name, value in ours.items() if not name.endswith("Version")},
    )
    assert ours == theirs
    assert (ours["mode"], ours["metadataHash"]) == (1, "0x" + metadata_hash(chain).hex())


def test_three_wallets_pay_and_the_runtime_executes_what_the_bundle_says(chain: Chain) -> None:
    bundle = chain.bundle()
    approver = chain.approver(bundle)
    early = ask(approver, CURATORS[URIS[3]].account)
    first = chain.approve(approver, URIS[0], whole=False)
    assert not first.executed
    with pytest.raises(PayloadRefused, match="an operation was opened meanwhile") as refused:
        check_now(early, approver)
    assert refused.value.refusal is Refusal.OTHER_OPERATION

    second = ask(approver, CURATORS[URIS[2]].account)
    assert second.timepoint == approver.status().timepoint  # type: ignore[union-attr]  # open
    assert not chain.approve(approver, URIS[2], whole=True).executed
    with pytest.raises(ApprovalRefused, match="has approved this call already"):
        check_now(second, approver)

    stale = ask(approver, CURATORS[URIS[1]].account)
    before = chain.submitter.node.head()
    last = chain.approve(approver, URIS[4], whole=True)
    assert (last.executed, last.error) == (True, None)
    assert paid(last.inclusion.events) == [
        (ss58_decode(line.payee, PASEO.ss58_prefix), line.planck) for line in STATEMENT.lines
    ]
    with pytest.raises(PayloadRefused, match="executed or cancelled") as closed:
        check_now(stale, approver)
    assert closed.value.refusal is Refusal.OTHER_OPERATION
    # whose ledger is of before the execution is not asked to open it again either
    with pytest.raises(ApprovalRefused, match="which your ledger does not have yet"):
        ask(approver, CURATORS[URIS[1]].account, seen=Witness(before, ()))


def test_a_keystore_signs_in_mode_1(chain: Chain) -> None:
    approver = chain.approver(chain.bundle("2030-07"))
    done = approver.approve(CURATORS[URIS[4]], with_metadata_hash=True)
    (block,) = chain.submitter.node.blocks(done.inclusion.block.number, done.inclusion.block.number)
    raw = block.extrinsics[done.inclusion.extrinsic_index]
    extensions = chain.submitter.runtime().decode_extrinsic(raw).extensions
    assert extensions["CheckMetadataHash"] == {"mode": "Enabled"}


def test_what_the_chain_would_refuse_is_refused_before(chain: Chain) -> None:
    bundle = chain.bundle("2030-02")
    approver, who = chain.approver(bundle), CURATORS[URIS[0]]
    runtime, codec = chain.submitter.runtime(), chain.submitter.codec()
    asked = ask(approver, who.account)

    def refused(changes: Mapping[str, Any], weight: Weight | None = None) -> PayloadRefused:
        call = as_multi(runtime, bundle, who.account, None, weight or asked.max_weight)
        context = replace(asked.context, **changes)
        again = check_asked(make_payload(call, who.account, context, PASEO), bundle, runtime, codec)
        with pytest.raises(PayloadRefused) as caught:
            check_now(again, approver)
        return caught.value

    birth, nonce = asked.context.birth, asked.context.nonce
    assert refused({"nonce": nonce + 1}).refusal is Refusal.OTHER_NONCE
    assert refused({"nonce": nonce - 1}).refusal is Refusal.USED_NONCE
    assert refused({"birth": birth._replace(hash=Hash(bytes(32)))}).refusal is Refusal.OTHER_ERA
    needed = approver.weight()
    for short in (
        Weight(needed.ref_time - 1, needed.proof_size),
        Weight(needed.ref_time, needed.proof_size - 1),
    ):
        assert refused({}, short).refusal is Refusal.WEIGHT_TOO_LOW
    forged = replace(asked.context, metadata_hash=Hash(bytes(32)))
    payload = make_payload(asked.call, who.account, forged, PASEO)
    with pytest.raises(PayloadRefused) as other:
        check_asked(payload, bundle, runtime, codec)
    assert other.value.refusal is Refusal.OTHER_METADATA


def test_a_signature_without_the_metadata_hash_is_named_as_that(chain: Chain) -> None:
    asked = ask(chain.approver(chain.bundle("2030-03")), CURATORS[URIS[0]].account)
    plain = replace(asked.context, metadata_hash=None)
    raw = sign_extrinsic(asked.call, CURATORS[URIS[0]], plain)
    runtime = chain.submitter.runtime()
    with pytest.raises(PayloadRefused) as whole:
        accept_signed(asked, raw, runtime)
    assert whole.value.refusal is Refusal.OTHER_MODE
    at = raw.index(CURATORS[URIS[0]].account) + 32
    with pytest.raises(PayloadRefused) as bare:
        accept_signature(asked, raw[at : at + 65])
    assert bare.value.refusal is Refusal.OTHER_MODE


def test_a_payload_whose_era_has_ended_is_refused(chain: Chain) -> None:
    approver = chain.approver(chain.bundle("2030-04"))
    chain.submitter.period = 4
    asked = ask(approver, CURATORS[URIS[0]].account)
    check_now(asked, approver)
    chain.devnet.new_block(count=3)
    with pytest.raises(PayloadRefused, match="export it again") as refused:
        check_now(asked, approver)
    assert refused.value.refusal is Refusal.EXPIRED


def test_a_block_takes_what_the_chain_says(chain: Chain) -> None:
    node = chain.submitter.node
    measured = block_milliseconds(node, chain.submitter.runtime(), node.head().hash, 1)
    assert measured == PASEO.block_time_ms


def paid(events: tuple[EventRecord, ...]) -> list[tuple[bytes, int]]:
    return [
        (event.args["to"], event.args["amount"])
        for event in events
        if (event.pallet, event.name) == ("Balances", "Transfer") and event.args["from"] == MULTISIG
    ]
