"""Carry a bundle's call through the multisig: look, approve, cancel.

Every curator sends the whole call (`as_multi`), so that any of them can read it on chain and the
last one executes it. The timepoint is read from the chain's own storage, the weight asked of its
runtime and given a margin; neither is part of the call hash. What the bundle says is not checked
here but by `multisig.bundle`, with a ledger at hand.
"""

from dataclasses import dataclass
from typing import Any

from ibp_chain.accounts import other_signatories, ss58_encode
from ibp_chain.errors import CallFailed
from ibp_chain.extrinsics import Inclusion, Submitter, Weight
from ibp_chain.keys import Signer
from ibp_chain.runtime import Runtime
from ibp_chain.types import AccountId, Planck
from multisig.batch import moved_by
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


@dataclass(frozen=True, slots=True)
class Approval:
    """A finalised approval, and what it led to."""

    inclusion: Inclusion
    executed: bool
    """Whether it completed the threshold, so that the call was dispatched."""
    error: str | None
    """Of the dispatched call, `Pallet.Error`: nothing was moved. None for success."""


class Approver:
    """One bundle on one node. Reads the best block: what is pending there counts.

    Raises `ApprovalRefused` for a node of another chain or runtime.
    """

    def __init__(self, submitter: Submitter, bundle: Bundle) -> None:
        self.submitter, self.bundle = submitter, bundle
        self.account = bundle.multisig.account_id(bundle.network)
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

    def approve(self, signer: Signer, *, although_short: bool = False) -> Approval:
        """Approve with the whole call, and execute it if that completes the threshold.

        Raises `ApprovalRefused` before anything is sent: not a signatory, approved before, or the
        multisig cannot pay (unless `although_short`); `CallFailed` when the extrinsic fails. That
        the dispatched call failed inside is no error here, but in the result.
        """
        operation = self._checked(signer)
        if not although_short:
            self._ensure_covered()
        call = self.as_multi(signer.account, operation)
        inclusion = self.submitter.submit_and_wait(call, signer)
        return self._approval(inclusion)

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
        weight, runtime = self.max_weight(), self._runtime
        call: bytes = runtime.encode_call(
            "Multisig",
            "as_multi",
            {
                "threshold": self.bundle.multisig.threshold,
                "other_signatories": other_signatories(self.signatories, who),
                "maybe_timepoint": None if operation is None else operation.timepoint,
                "call": runtime.decode_call(self.bundle.call),
                "max_weight": weight._asdict(),
            },
        )
        return call

    def weight(self) -> Weight:
        """What the runtime says that the bundle's call weighs."""
        return self.submitter.call_info(self.bundle.call).weight

    def max_weight(self) -> Weight:
        """`weight`, and a margin."""
        return self.weight().with_margin(WEIGHT_MARGIN_PERCENT)

    # --- checks ---

    def _ensure_chain(self) -> None:
        node, chain = self.submitter.node, self.bundle.chain
        if node.genesis_hash != chain.genesis_hash:
            raise ApprovalRefused(
                f"the bundle is for a chain with genesis 0x{chain.genesis_hash.hex()}, "
                f"the node's is 0x{node.genesis_hash.hex()}"
            )
        spec_version = self.submitter.spec_version()
        if spec_version != chain.spec_version:
            raise ApprovalRefused(
                f"the bundle's call is of spec version {chain.spec_version}, "
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
        runtime = self._runtime
        needed = Planck(moved_by(runtime.decode_call(self.bundle.call)))
        stored = self._stored("System", "Account", self.account)
        minimum = runtime.constant("Balances", "ExistentialDeposit")
        held = {"free": 0, "frozen": 0, "reserved": 0} if stored is None else stored["data"]
        # `reducible_balance` of pallet_balances, keeping the account alive
        untouchable = max(held["frozen"] - held["reserved"], minimum)
        usable = Planck(max(held["free"] - untouchable, 0))
        if usable < needed:
            show = self.bundle.network.format
            raise ApprovalRefused(
                f"the multisig can spend {show(usable)}, the call pays {show(needed)}: "
                f"fund {self.bundle.multisig.account} first"
            )

    def _approval(self, inclusion: Inclusion) -> Approval:
        for event in inclusion.events:
            if (event.pallet, event.name) == ("Multisig", "MultisigExecuted"):
                match event.args["result"]:
                    case ("Ok", _):
                        return Approval(inclusion, executed=True, error=None)
                    case ("Err", error):
                        name = str(self._runtime.error_name(error))
                        return Approval(inclusion, executed=True, error=name)
                raise CallFailed("a MultisigExecuted event has neither a result nor an error")
        return Approval(inclusion, executed=False, error=None)

    # --- parts ---

    @property
    def _runtime(self) -> Runtime:
        return self.submitter.runtime()

    def _stored(self, pallet: str, entry: str, *keys: Any) -> Any:
        runtime, node = self._runtime, self.submitter.node
        key = runtime.storage_key(pallet, entry, *keys)
        (raw,) = node.storage([key], self.submitter.best().hash)
        return None if raw is None else runtime.decode_storage(pallet, entry, raw)

    def _address(self, account: AccountId) -> str:
        return ss58_encode(account, self.bundle.network.ss58_prefix)
