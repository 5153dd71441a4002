"""What a wallet or device gives back, where it is not what was asked, or comes too late."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from ibp_chain.extrinsics import Weight
from ibp_chain.signing import sign_extrinsic
from ibp_chain.types import Planck
from multisig.approve import as_multi
from multisig.bundle import Bundle
from multisig.documents import write_file
from multisig.signer_payload import SignerPayload, make_payload, read_payload
from tests.support.command_line import DEMO, assert_done, assert_one_clear_line
from tests.support.pay_office import (
    ACCOUNTS,
    MULTISIG,
    PASEO,
    STRANGER,
    URIS,
    PayOffice,
    address,
    curator,
    key,
)

pytestmark = pytest.mark.live


@dataclass
class Desk:
    """One curator, whose key is in a wallet, before a bundle."""

    office: PayOffice
    bundle: Bundle
    file: Path
    payload_file: Path
    at: int

    @property
    def checking(self) -> tuple[object, ...]:
        node = ("--node", self.office.devnet.url)
        return *node, "--rows", DEMO / "rows", "--db", self.office.db

    def ask(self, *options: object, who: str | None = None) -> CompletedProcess[str]:
        whole = ("--as", who or curator(self.at), "--out", self.payload_file, *self.checking)
        return self.office.ibp("payload", self.file, *whole, *options)

    @property
    def payload(self) -> SignerPayload:
        return read_payload(self.payload_file)

    def put(self, payload: SignerPayload) -> None:
        """Somebody has changed the payload file."""
        write_file(self.payload_file, payload.encoded)

    def signature(self, uri: str | None = None, payload: SignerPayload | None = None) -> str:
        message = (payload or self.payload).signing_bytes(self.office.submitter.codec())
        return "0x" + key(uri or URIS[self.at]).sign(message).hex()

    def submit(self, *what: object) -> CompletedProcess[str]:
        with self.office.at_once():
            return self.office.ibp(
                "submit", self.file, "--payload", self.payload_file, "--yes", *self.checking, *what
            )

    def other(self, call: bytes) -> SignerPayload:
        """Around another call, all else being what was asked."""
        context = self.payload.context(self.office.submitter.codec())
        return make_payload(call, ACCOUNTS[self.at], context, PASEO)

    def altered(self, weight: Weight | None = None, **fields: Any) -> bytes:
        """The `as_multi` of the payload with something else in it."""
        runtime = self.office.runtime
        args = dict(runtime.decode_call(self.payload.method).args)
        if weight is not None:
            args["max_weight"] = weight._asdict()
        return runtime.encode_call("Multisig", "as_multi", {**args, **fields})

    @property
    def approvals(self) -> Sequence[bytes]:
        found = self.office.stored("Multisig", "Multisigs", MULTISIG, self.bundle.call_hash)
        return [] if found is None else list(found["approvals"])


@pytest.fixture
def desk(office: PayOffice, tmp_path: Path) -> Desk:
    """Asked to open an operation."""
    bundle = office.bundle()
    made = Desk(office, bundle, office.file(bundle), tmp_path / "payload.json", 3)
    assert_done(made.ask())
    return made


def test_only_a_curator_is_asked_and_only_a_curators_signature_is_taken(desk: Desk) -> None:
    stranger = address(key(STRANGER).account)
    assert_one_clear_line(
        desk.ask(who=stranger), 1, f"{stranger} is not one of the multisig's signatories"
    )
    assert_one_clear_line(
        desk.submit("--signature", desk.signature(STRANGER)),
        1,
        "refused, it has a signature that does not verify: it is not",
    )
    assert_one_clear_line(
        desk.submit("--signature", desk.signature(URIS[0])),
        1,
        f"refused, it has another signer: it is {curator(0)}'s, asked was {curator(3)}",
    )
    assert not desk.approvals
    signed = desk.submit("--signature", desk.signature())
    assert "more signatures are needed" in assert_done(signed)
    assert desk.approvals == [ACCOUNTS[3]]


def test_a_signature_of_another_payload(desk: Desk) -> None:
    earlier = desk.payload
    desk.office.block(desk.office.signed(remark(desk.office), URIS[3]))
    assert_done(desk.ask())
    assert desk.payload.nonce == earlier.nonce + 1
    assert_one_clear_line(
        desk.submit("--signature", desk.signature(payload=earlier)),
        1,
        "over this payload: another payload (call, nonce, era, tip, mode), another chain",
    )
    assert not desk.approvals


def test_a_signed_transaction_with_another_call_or_another_curator(
    desk: Desk, tmp_path: Path
) -> None:
    context = desk.payload.context(desk.office.submitter.codec())
    file = tmp_path / "signed.txt"
    higher = as_multi(
        desk.office.runtime, desk.office.bundle(), ACCOUNTS[3], None, Weight(10**9, 10**5)
    )
    for call, uri, said in (
        (higher, URIS[3], "refused, it has another call: Multisig.as_multi with hash 0x"),
        (desk.payload.method, URIS[1], f"refused, it has another signer: {curator(1)}, asked was"),
    ):
        file.write_text("0x" + sign_extrinsic(call, key(uri), context).hex())
        assert_one_clear_line(desk.submit("--signed", file), 1, said)
    file.write_text(
        "0x"
        + sign_extrinsic(desk.payload.method, key(URIS[3]), replace(context, tip=Planck(7))).hex()
    )
    assert_one_clear_line(desk.submit("--signed", file), 1, "refused, it has another tip")
    assert not desk.approvals


def test_a_payload_whose_signatories_or_weight_somebody_changed(desk: Desk) -> None:
    asked, own = desk.payload, ACCOUNTS[3]
    others = desk.office.runtime.decode_call(asked.method).args["other_signatories"]
    for wrong in (sorted([*others, own]), [*reversed(others)], sorted([*others[:3], others[0]])):
        desk.put(desk.other(desk.altered(other_signatories=wrong)))
        assert_one_clear_line(
            desk.submit("--signature", desk.signature()),
            1,
            "refused, it has another multisig: its threshold or other signatories are not",
        )
    desk.put(asked)
    needed = desk.office.submitter.call_info(desk.bundle.call).weight
    desk.put(desk.other(desk.altered(weight=needed._replace(ref_time=needed.ref_time - 1))))
    assert_one_clear_line(
        desk.submit("--signature", desk.signature()),
        1,
        "refused, it has too low a weight: ",
        f"the call weighs ({needed.ref_time}, {needed.proof_size}): export it again",
    )
    assert not desk.approvals


def test_a_signature_that_comes_after_its_era(desk: Desk) -> None:
    assert_done(desk.ask("--period", 4))
    signature = desk.signature()
    desk.office.devnet.new_block(to_height=desk.office.next_height + 4)
    assert_one_clear_line(
        desk.submit("--signature", signature),
        1,
        "refused, it has an era that has ended: it was valid up to block",
        "export it again",
    )
    assert not desk.approvals


def remark(office: PayOffice) -> bytes:
    return office.runtime.encode_call("System", "remark", {"remark": b"something else"})


def test_a_nonce_that_was_used_meanwhile(desk: Desk) -> None:
    signature, nonce = desk.signature(), desk.payload.nonce
    desk.office.block(desk.office.signed(remark(desk.office), URIS[3]))
    assert_one_clear_line(
        desk.submit("--signature", signature),
        1,
        f"refused, it has a nonce that is used: {nonce}, the account's next is {nonce + 1}",
    )
    assert not desk.approvals


def test_a_signature_for_an_operation_that_was_cancelled_or_opened_meanwhile(
    desk: Desk,
) -> None:
    signature, bundle = desk.signature(), desk.bundle
    timepoint = desk.office.opened(bundle, 0)
    assert_one_clear_line(
        desk.submit("--signature", signature),
        1,
        "refused, it has another operation: an operation was opened meanwhile, at block",
    )
    desk.office.state()
    assert_done(desk.ask())
    signature = desk.signature()
    desk.office.block(desk.office.cancellation(bundle.call_hash, 0, timepoint))
    assert_one_clear_line(
        desk.submit("--signature", signature),
        1,
        "refused, it has another operation: the operation that it approves is closed",
    )
    assert not desk.approvals
