"""Our executor beside chopsticks': on two chains the same calls make the same blocks and answers.

A block's hash commits to its body, to its digest and to all storage after it. What one executor
does differently therefore shows in the first block that it concerns.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from eth_keys import datatypes as secp256k1
from substrateinterface import Keypair, KeypairType

from ibp_chain.accounts import multisig_account, other_signatories, ss58_encode
from ibp_chain.blocks import blake2_256
from ibp_chain.extrinsics import Submitter
from ibp_chain.keys import Signer, signer_from_uri
from ibp_chain.rpc import RpcRefusal
from ibp_chain.runtime import Runtime
from ibp_chain.runtimes import runtimes
from ibp_chain.scale.values import Call
from ibp_chain.signing import assemble, sign_extrinsic, signed_payload
from ibp_chain.source import NodeSource
from ibp_chain.types import AccountId, BlockNumber
from scripts.devnet_process import Devnet
from scripts.public_data import chain_spec
from tests.conftest import StartDevnet

pytestmark = pytest.mark.live

SPECS = ("paseo-2024", "paseo-2026")
UNIT = 10**10
CURATORS = tuple(signer_from_uri(f"//Executor//Curator{n}") for n in range(4))
THRESHOLD = 3
PAYEE = signer_from_uri("//Executor//Payee").account
POOR = signer_from_uri("//Executor//Poor")
ED25519 = Keypair.create_from_seed(
    blake2_256(b"//Executor//Edwards").hex(), crypto_type=KeypairType.ED25519
)
ECDSA = secp256k1.PrivateKey(blake2_256(b"//Executor//Koblitz"))
ECDSA_ACCOUNT = AccountId(blake2_256(ECDSA.public_key.to_compressed_bytes()))
WEIGHT = {"ref_time": 5_000_000_000, "proof_size": 200_000}
NO_WEIGHT = {"ref_time": 0, "proof_size": 0}
FAR_HEIGHT = BlockNumber(1_300)
"""Sessions and an epoch lie before it."""
NEW_CODE = "paseo-2026"
INVALID_TRANSACTION = 1010
PANIC = ("unreachable", "Bad input data provided to validate_transaction")
PREFIX = b"executor"
CODE_KEY = "0x" + b":code".hex()


@dataclass
class Pair:
    """Two chains that are told the same; extrinsics are signed once, for both."""

    ours: Devnet
    theirs: Devnet
    submitter: Submitter
    _nonces: dict[AccountId, int] = field(default_factory=dict)

    @property
    def runtime(self) -> Runtime:
        return self.submitter.runtime()

    def rpc(self, method: str, *params: Any) -> Any:
        """What both answer, or the code and the words with which both refuse."""
        answers = [_answer(chain, method, params) for chain in (self.ours, self.theirs)]
        assert answers[0] == answers[1]
        return answers[0]

    def call(self, pallet: str, name: str, **args: Any) -> Call:
        return self.runtime.call(pallet, name, args)

    def signed(self, call: Call, signer: Signer) -> bytes:
        context = self.submitter.context(signer.account)
        return sign_extrinsic(
            call.data, signer, replace(context, nonce=self._nonce(signer.account))
        )

    def signed_otherwise(self, call: Call, account: AccountId, scheme: int) -> bytes:
        """By one of the other two schemes of a `MultiSignature`: 0 is ed25519, 2 is ecdsa."""
        context = replace(self.submitter.context(account), nonce=self._nonce(account))
        payload = signed_payload(call.data, context)
        if scheme == 0:
            signature = ED25519.sign(payload)
        else:
            signature = ECDSA.sign_msg_hash(blake2_256(payload)).to_bytes()
        return assemble(call.data, account, bytes([scheme]) + signature, context)

    def block(self, *extrinsics: bytes, height: int | None = None) -> Any:
        """One with `extrinsics`, as both have it: hash, header, body and events."""
        options: dict[str, Any] = {"transactions": ["0x" + raw.hex() for raw in extrinsics]}
        if height is not None:
            options["unsafeBlockHeight"] = height
        return self.rpc("chain_getBlock", self.rpc("dev_newBlock", options))["block"]

    def events(self) -> list[str]:
        """`Pallet.Event` of the head's block."""
        key = "0x" + self.runtime.storage_key("System", "Events").hex()
        raw = bytes.fromhex(self.rpc("state_getStorage", key)[2:])
        return [f"{event.pallet}.{event.name}" for event in self.runtime.decode_events(raw)]

    def fund(self, *accounts: AccountId) -> None:
        account = {"providers": 1, "data": {"free": str(10_000 * UNIT)}}
        entries = [[[ss58_encode(who, 42)], account] for who in accounts]
        self.rpc("dev_setStorage", {"System": {"Account": entries}})

    def _nonce(self, account: AccountId) -> int:
        nonce = self._nonces.get(account, 0)
        self._nonces[account] = nonce + 1
        return nonce


def _answer(chain: Devnet, method: str, params: Sequence[Any]) -> Any:
    try:
        return chain.rpc(method, *params)
    except RpcRefusal as refusal:
        return refusal.code, refusal.message


@pytest.fixture(scope="module", params=SPECS)
def pair(request: pytest.FixtureRequest, start_devnet: StartDevnet) -> Iterator[Pair]:
    """The tests of a specification go on from one another, in this order."""
    with ExitStack() as stack:
        ours, theirs = (
            stack.enter_context(start_devnet(request.param, executor=name))
            for name in ("v8", "chopsticks")
        )
        node = stack.enter_context(NodeSource(ours.url))
        made = Pair(ours, theirs, Submitter(node, runtimes(node)))
        others = (AccountId(ED25519.public_key), ECDSA_ACCOUNT)
        made.fund(*(curator.account for curator in CURATORS), *others)
        yield made


def test_the_runtime_says_the_same_of_itself(pair: Pair) -> None:
    assert pair.rpc("state_getRuntimeVersion")["specVersion"] == pair.ours.spec_version
    assert pair.rpc("state_getMetadata").startswith("0x6d657461")
    for function in (
        "Metadata_metadata_versions",
        "BabeApi_configuration",
        "GrandpaApi_grandpa_authorities",
    ):
        assert pair.rpc("state_call", function, "0x").startswith("0x")
    assert (
        pair.rpc("state_call", "AccountNonceApi_account_nonce", "0x" + PAYEE.hex()) == "0x00000000"
    )


def test_a_call_that_the_runtime_cannot_answer_fails_on_both(pair: Pair) -> None:
    """Each says it in its own words."""
    for function, data in (("NoSuchApi_function", "0x"), ("AccountNonceApi_account_nonce", "0x00")):
        for chain in (pair.ours, pair.theirs):
            with pytest.raises(RpcRefusal):
                chain.rpc("state_call", function, data)


def test_calls_that_succeed_and_calls_that_fail_leave_the_same_state(pair: Pair) -> None:
    remark = pair.call("System", "remark_with_event", remark=b"of the executor" * 40)
    pays, pays_too_much = (
        pair.call("Balances", "transfer_keep_alive", dest=("Id", PAYEE), value=units * UNIT)
        for units in (5, 50_000)
    )
    interrupted = pair.call("Utility", "batch", calls=[pays, pays_too_much, remark])
    undone = pair.call("Utility", "batch_all", calls=[pays, remark, pays_too_much])
    first, second, third, fourth = CURATORS
    raw = pair.signed(remark, first)
    fee = pair.rpc("payment_queryInfo", "0x" + raw.hex())
    assert int(fee["partialFee"]) > 0
    block = pair.block(
        raw,
        pair.signed(pays_too_much, second),
        pair.signed(interrupted, third),
        pair.signed(undone, fourth),
        pair.signed_otherwise(remark, AccountId(ED25519.public_key), 0),
        pair.signed_otherwise(pays, ECDSA_ACCOUNT, 2),
    )
    assert len(block["extrinsics"]) == 2 + 6
    events = pair.events()
    assert events.count("System.ExtrinsicFailed") == 2
    assert events.count("System.Remarked") == 2  # the other two were not reached, or undone
    assert "Utility.BatchInterrupted" in events


def test_a_multisig_is_approved_until_it_executes(pair: Pair) -> None:
    accounts = [curator.account for curator in CURATORS]
    pair.fund(multisig_account(accounts, THRESHOLD))
    pays = pair.call("Balances", "transfer_allow_death", dest=("Id", PAYEE), value=UNIT)

    def approval(signer: Signer, timepoint: Any, weight: Any = WEIGHT) -> bytes:
        call = pair.call(
            "Multisig", "as_multi", threshold=THRESHOLD, max_weight=weight, call=pays,
            other_signatories=other_signatories(accounts, signer.account),
            maybe_timepoint=timepoint,
        )  # fmt: skip
        return pair.signed(call, signer)

    opened = pair.block(approval(CURATORS[0], None))
    timepoint = {"height": int(opened["header"]["number"], 16), "index": 2}
    pair.block(approval(CURATORS[1], timepoint), approval(CURATORS[2], timepoint, NO_WEIGHT))
    assert "System.ExtrinsicFailed" in pair.events()  # its weight
    pair.block(approval(CURATORS[3], timepoint))
    assert {"Multisig.MultisigExecuted", "Balances.Transfer"} <= set(pair.events())


def test_what_is_invalid_is_refused_and_leaves_no_trace(pair: Pair) -> None:
    remark = pair.call("System", "remark_with_event", remark=b"valid")
    valid = pair.signed(remark, CURATORS[0])
    forged = bytearray(pair.signed(remark, POOR))
    forged[60] ^= 1  # within its signature
    penniless = pair.signed(remark, POOR)
    for raw in (bytes(forged), penniless):
        code, _ = pair.rpc("author_submitExtrinsic", "0x" + raw.hex())
        assert code == INVALID_TRANSACTION
    garbled = "0x" + valid[:-1].hex()
    for chain in (pair.ours, pair.theirs):  # the runtime panics; only ours says where
        with pytest.raises(RpcRefusal, match=PANIC[chain is pair.ours]):
            chain.rpc("author_submitExtrinsic", garbled)
    block = pair.block(bytes(forged), valid, penniless)
    assert block["extrinsics"][2:] == ["0x" + valid.hex()]
    assert len(pair.rpc("dev_dropped")) == 2


def test_root_removes_what_it_is_told_to(pair: Pair) -> None:
    """`kill_prefix` has a limit, which counts what was there when the block began."""
    sudo = CURATORS[0]
    pair.rpc("dev_setStorage", {"Sudo": {"Key": ss58_encode(sudo.account, 42)}})

    def by_root(*calls: Call) -> bytes:
        return pair.signed(
            pair.call("Sudo", "sudo", call=pair.call("Utility", "batch_all", calls=list(calls))),
            sudo,
        )

    items = [(PREFIX + bytes([n]), bytes([n]) * 40) for n in range(5)]
    pair.block(by_root(pair.call("System", "set_storage", items=items)))
    pair.block(by_root(pair.call("System", "kill_prefix", prefix=PREFIX, subkeys=3)))
    left = pair.rpc("state_getKeysPaged", "0x" + PREFIX.hex(), 10)
    assert left == ["0x" + key.hex() for key, _ in items[3:]]
    pair.block(by_root(pair.call("System", "kill_storage", keys=[items[4][0], b"never there"])))
    assert pair.rpc("state_getStorage", "0x" + items[4][0].hex()) is None


def test_time_passes_and_sessions_change(pair: Pair) -> None:
    pair.block(height=FAR_HEIGHT)
    pair.block()
    pair.block()
    assert pair.rpc("chain_getHeader")["number"] == hex(FAR_HEIGHT + 2)
    assert pair.rpc("state_call", "BabeApi_current_epoch", "0x")


def test_a_new_runtime_migrates_the_state_in_the_same_way(pair: Pair) -> None:
    if pair.ours.spec_version != 1_001_002:
        code = pair.rpc("state_getStorage", CODE_KEY)
    else:
        code = json.loads(chain_spec(NEW_CODE).read_text())["genesis"]["raw"]["top"][CODE_KEY]
    set_code = pair.call("System", "set_code_without_checks", code=bytes.fromhex(code[2:]))
    call = pair.call("Sudo", "sudo_unchecked_weight", call=set_code, weight=NO_WEIGHT)
    pair.block(pair.signed(call, CURATORS[0]))
    pair.block()
    pair.block()
    assert pair.rpc("state_getRuntimeVersion")["specVersion"] == 2_003_001
