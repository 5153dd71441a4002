"""Carry a bundle's call through the multisig: look, approve, cancel.

Every curator sends the whole call (`as_multi`), so that any of them can read it on chain and the
last one executes it. The timepoint is read from the chain's own storage, the weight asked of its
runtime and given a margin; neither is part of the call hash.
"""

from dataclasses import dataclass
from typing import Any

from ibp_chain.accounts import other_signatories, ss58_decode, ss58_encode
from ibp_chain.extrinsics import Inclusion, Submitter, Weight
from ibp_chain.keys import Signer
from ibp_chain.runtime import Runtime
from ibp_chain.types import AccountId, Hash, Planck
from multisig.bundle import Bundle
from multisig.errors import ApprovalRefused

WEIGHT_MARGIN_PERCENT = 20


@dataclass(frozen=True, slots=True)
class OpenOperation:
    """An operation as the chain keeps it while signatures are missing."""

    timepoint: dict[str, int]
    depositor: AccountId
    deposit: Planck
    approvals: tuple[AccountId, ...]


class Approver:
    """One bundle on one node. Reads the best block: what is pending there counts."""

    def __init__(self, submitter: Submitter, bundle: Bundle) -> None:
        self.submitter, self.bundle = submitter, bundle
        self.account = ss58_decode(bundle.multisig.account, bundle.network.ss58_prefix)
        self.signatories = bundle.multisig.account_ids(bundle.network)
        self._ensure_chain()

    def status(self) -> OpenOperation | None:
        """The open operation of this call; None where nobody has approved it, or it is closed."""
        value = self._stored("Multisig", "Multisigs", self.account, self.bundle.call_hash)
        if value is None:
            return None
        when = value["when"]
        return OpenOperation(
            {"height": when["height"], "index": when["index"]},
            AccountId(value["depositor"]),
            Planck(value["deposit"]),
            tuple(AccountId(account) for account in value["approvals"]),
        )

    def approve(self, signer: Signer, *, although_short: bool = False) -> Inclusion:
        """Approve with the whole call, and execute it if that completes the threshold.

        Raises `ApprovalRefused` before anything is sent: not a signatory, approved before, or the
        multisig cannot pay (unless `although_short`); `CallFailed` when the extrinsic fails. What
        the executed call came to is in the inclusion's `MultisigExecuted`.
        """
        operation = self._checked(signer)
        if not although_short:
            self._ensure_covered()
        return self.submitter.submit_and_wait(self.as_multi(signer.account, operation), signer)

    def cancel(self, signer: Signer) -> Inclusion:
        """Give the open operation up; its depositor only. Raises as `approve`."""
        operation = self.status()
        if operation is None:
            raise ApprovalRefused("there is no open operation of this call")
        if operation.depositor != signer.account:
            opened = self._address(operation.depositor)
            raise ApprovalRefused(f"only {opened}, who opened it, can cancel the operation")
        call = self._runtime.encode_call(
            "Multisig",
            "cancel_as_multi",
            {
                "threshold": self.bundle.multisig.threshold,
                "other_signatories": other_signatories(self.signatories, signer.account),
                "timepoint": operation.timepoint,
                "call_hash": self.bundle.call_hash,
            },
        )
        return self.submitter.submit_and_wait(call, signer)

    def as_multi(self, who: AccountId, operation: OpenOperation | None) -> bytes:
        """The call that `who` signs."""
        weight = self.max_weight()
        return self._runtime.encode_call(
            "Multisig",
            "as_multi",
            {
                "threshold": self.bundle.multisig.threshold,
                "other_signatories": other_signatories(self.signatories, who),
                "maybe_timepoint": None if operation is None else operation.timepoint,
                "call": self._runtime.decode_call(self.bundle.call),
                "max_weight": {"ref_time": weight.ref_time, "proof_size": weight.proof_size},
            },
        )

    def max_weight(self) -> Weight:
        """What the runtime says that the call weighs, and a margin."""
        return self.submitter.call_info(self.bundle.call).weight.with_margin(WEIGHT_MARGIN_PERCENT)

    # --- checks ---

    def _ensure_chain(self) -> None:
        node = self.submitter.node
        if node.genesis_hash != self.bundle.chain.genesis_hash:
            raise ApprovalRefused(
                f"the bundle is for a chain with genesis 0x{self.bundle.chain.genesis_hash.hex()}, "
                f"the node's is 0x{node.genesis_hash.hex()}"
            )
        spec_version = self.submitter.spec_version()
        if spec_version != self.bundle.chain.spec_version:
            raise ApprovalRefused(
                f"the bundle's call is of spec version {self.bundle.chain.spec_version}, "
                f"the node runs {spec_version}: build it again"
            )

    def _checked(self, signer: Signer) -> OpenOperation | None:
        who = self._address(signer.account)
        if signer.account not in self.signatories:
            raise ApprovalRefused(f"{who} is not one of the multisig's signatories")
        operation = self.status()
        if operation is not None and signer.account in operation.approvals:
            raise ApprovalRefused(f"{who} has approved this call already")
        return operation

    def _ensure_covered(self) -> None:
        needed = sum(line.planck for line in self.bundle.statement.lines)
        stored = self._stored("System", "Account", self.account)
        minimum = self._runtime.constant("Balances", "ExistentialDeposit")
        free = Planck(0 if stored is None else stored["data"]["free"] - stored["data"]["frozen"])
        if free < needed + minimum:
            show = self.bundle.network.format
            raise ApprovalRefused(
                f"the multisig has {show(free)} free; {show(Planck(needed))} and the existential "
                f"deposit of {show(Planck(minimum))} are needed"
            )

    # --- parts ---

    @property
    def _runtime(self) -> Runtime:
        return self.submitter.runtime()

    def _stored(self, pallet: str, entry: str, *keys: Any) -> Any:
        runtime, node = self._runtime, self.submitter.node
        best: Hash = self.submitter.best().hash
        (raw,) = node.storage([runtime.storage_key(pallet, entry, *keys)], best)
        return None if raw is None else runtime.decode_storage(pallet, entry, raw)

    def _address(self, account: AccountId) -> str:
        return ss58_encode(account, self.bundle.network.ss58_prefix)
