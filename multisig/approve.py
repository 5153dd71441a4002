"""Carry a bundle's call through the multisig: look, approve, cancel.

Every curator sends the whole call (`as_multi`), so that any of them can read it on chain and the
last one executes it. The timepoint is read from the chain's own storage, the weight asked of its
runtime and given a margin; neither is part of the call hash. What the bundle says is not checked
here but by `multisig.bundle`, with a ledger at hand.

An `as_multi` without a timepoint opens an operation, also of a call that was executed a moment ago,
and would then pay again. So before one is sent, blocks and ledger are searched for an execution;
after it, the blocks in between. With a timepoint the pallet itself refuses: `UnexpectedTimepoint`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ibp_chain.accounts import other_signatories, ss58_encode
from ibp_chain.blocks import BlockRef, EventRecord
from ibp_chain.errors import CheckFailed
from ibp_chain.extrinsics import Inclusion, Submitted, Submitter, Weight
from ibp_chain.keys import Signer
from ibp_chain.metadata_hash import has_metadata_hash, runtime_metadata_hash
from ibp_chain.runtime import Runtime
from ibp_chain.signing import NO_TIP, SigningContext, sign_extrinsic
from ibp_chain.types import AccountId, BlockNumber, Planck, SpecVersion
from multisig import funds, troubles
from multisig.approval import AS_MULTI, as_multi, ensure_approval, ensure_weight
from multisig.bundle import Bundle
from multisig.effects import ensure_whole
from multisig.errors import ApprovalRefused, NextStep, WeightTooLow
from multisig.onchain import Witness, ensure_unpaid, last_closing, operation_of
from multisig.operations import OpenOperation
from multisig.outcomes import Approval, Cancellation, approval_of, returned
from multisig.steps import Point, Step

__all__ = [
    "WEIGHT_MARGIN_PERCENT",
    "Approval",
    "Approver",
    "Cancellation",
    "OpenOperation",
    "as_multi",
]

WEIGHT_MARGIN_PERCENT = 20
_ATTEMPTS = 3


def _nobody(_: str) -> None:
    """Hears nothing."""


class Approver:
    """One bundle on one node. Reads the best block: what is pending there counts.

    Raises `ApprovalRefused` for a node of another chain, `BundleRefused` for a bundle whose parts
    do not fit together. Whatever depends on the call's bytes is refused on a node of another
    runtime; `status` and `cancel` are not.
    """

    def __init__(self, submitter: Submitter, bundle: Bundle) -> None:
        self.submitter, self.bundle = submitter, bundle
        self.margin_percent = WEIGHT_MARGIN_PERCENT
        self.account = bundle.multisig.account_id(bundle.network)
        self.signatories = bundle.multisig.account_ids(bundle.network)
        ensure_whole(bundle)
        self._ensure_chain()

    def status(self) -> OpenOperation | None:
        """The open operation of this call; None where nobody has approved it, or it is closed."""
        return operation_of(
            self.submitter.node,
            self._runtime,
            self.account,
            self.bundle.call_hash,
            self.submitter.best().hash,
        )

    def approve(
        self,
        signer: Signer,
        *,
        although_short: bool = False,
        seen: Witness | None = None,
        max_weight: Weight | None = None,
        with_metadata_hash: bool = False,
        told: Callable[[str], None] = _nobody,
    ) -> Approval:
        """Approve with the whole call, and execute it if that completes the threshold.

        Where another curator was faster it looks again and approves what is open then; `told` hears
        of it. `seen` is what the curator's ledger knows of the call; `max_weight` by default that
        of the runtime, and a margin; `with_metadata_hash` as in `prepared`.

        Raises `ApprovalRefused` before anything is sent: not a signatory, approved before, executed
        before, the multisig cannot pay (unless `although_short`) or `signer` not the deposit of an
        operation that it would open; and after a failure, with what
        happened. `WeightTooLow` where the last approval allowed too little, `OpenedAnew` where this
        one opened a second operation. `CallFailed` when the pool refuses it or it fails otherwise.
        That the dispatched call failed inside is no error here, but in the result.
        """
        overtaken, mark = False, self.submitter.node.head()
        for _ in range(_ATTEMPTS):
            operation = self.check(signer.account, although_short=although_short, seen=seen)
            if overtaken and operation is None:
                # never opened by a second attempt: that is for a person to decide
                until = self.submitter.node.head()
                closing = self._last_closing(mark, until)
                raise troubles.closed(closing, until.number, self.bundle.network)
            allowed = self.max_weight() if max_weight is None else max_weight
            call, context = self.prepared(
                signer.account, operation, allowed, with_metadata_hash=with_metadata_hash
            )
            raw = sign_extrinsic(call, signer, context)
            submitted = self.submitter.send(raw, AS_MULTI, context.death)
            inclusion = self.submitter.wait(submitted, raise_on_failure=False)
            if inclusion.ok:
                self._ensure_meant(inclusion, None if operation is None else operation.point, mark)
                return self.approval(inclusion)
            if inclusion.error not in troubles.OVERTAKEN:
                raise self._explained(inclusion, signer.account, mark, allowed)
            closing = self._last_closing(mark, inclusion.block)
            troubles.ensure_not_executed(closing, self.bundle.network)
            told(troubles.overtaken(inclusion))
            overtaken = True
        raise ApprovalRefused(
            f"other curators opened or closed the operation {_ATTEMPTS} times while this approval "
            "was on its way: talk to them, then look again",
            NextStep.STATUS,
        )

    def finish(
        self,
        submitted: Submitted,
        who: AccountId,
        timepoint: Mapping[str, int] | None,
        allowed: Weight,
    ) -> Approval:
        """Wait for an approval by `who` that was signed elsewhere, for the operation of `timepoint`
        and with `allowed` weight. Raises as `approve` after sending; never sends again.
        """
        inclusion = self.submitter.wait(submitted, raise_on_failure=False)
        if not inclusion.ok:
            raise self._explained(inclusion, who, submitted.after, allowed)
        point = None if timepoint is None else Point(timepoint["height"], timepoint["index"])
        self._ensure_meant(inclusion, point, submitted.after)
        return self.approval(inclusion)

    def check(
        self,
        who: AccountId,
        *,
        although_short: bool = False,
        seen: Witness | None = None,
    ) -> OpenOperation | None:
        """The operation that `who` would approve next; None where that opens it. Raises as
        `approve` before anything is sent.
        """
        self.ensure_runtime()
        operation = self._checked(who)
        # what was open already when the ledger's head was made was not executed since
        if seen is not None and (
            operation is None or seen.executed or operation.point.height > seen.head.number
        ):
            submitter = self.submitter
            ensure_unpaid(
                submitter.node,
                submitter.runtimes,
                seen,
                submitter.best(),
                self.account,
                self.bundle.call_hash,
            )
        if operation is None:
            self._ensure_deposit(who)
        if not although_short:
            self._ensure_covered()
        return operation

    def cancel(self, signer: Signer) -> Cancellation:
        """Give the open operation up; its depositor only. Raises as `approve`."""
        mark = self.submitter.node.head()
        operation = self.ensure_cancellable(signer.account)
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
        submitted = self.submitter.submit(call, signer)
        inclusion = self.submitter.wait(submitted, raise_on_failure=False)
        if not inclusion.ok:
            raise self._explained(inclusion, signer.account, mark, None)
        return Cancellation(inclusion, returned(inclusion.events, operation.depositor))

    def ensure_cancellable(self, who: AccountId) -> OpenOperation:
        """The open operation that `who` can cancel. Raises `ApprovalRefused`."""
        operation = self.status()
        if operation is None:
            raise ApprovalRefused(
                "there is no open operation of this call: it was never opened, or was executed or "
                "cancelled",
                NextStep.RECONCILE,
            )
        if operation.depositor != who:
            opened, show = self._address(operation.depositor), self.bundle.network.format
            raise ApprovalRefused(
                f"{self._address(who)} cannot cancel it: only {opened}, who opened it in "
                f"{operation.point} and has {show(operation.deposit)} deposited, can"
            )
        return operation

    def prepared(
        self,
        who: AccountId,
        operation: OpenOperation | None,
        allowed: Weight,
        *,
        tip: Planck = NO_TIP,
        with_metadata_hash: bool = True,
    ) -> tuple[bytes, SigningContext]:
        """The call that `who` signs, and what the signature binds itself to, of one runtime.

        With `with_metadata_hash`, mode 1 where the runtime has `CheckMetadataHash`. Raises
        `ApprovalRefused` for another runtime than the bundle's, for more weight than an extrinsic
        may have, where the call is not what it is to be, and where the node says that the runtime
        was built without the hash: a node that wants a device to sign blindly says so too.
        """
        submitter, bundle = self.submitter, self.bundle
        context = submitter.context(who, tip=tip)
        self._ensure_version(context.spec_version)
        runtime = submitter.runtimes(context.spec_version)
        ensure_weight(allowed, runtime)
        timepoint = None if operation is None else operation.timepoint
        call = as_multi(runtime, bundle, who, timepoint, allowed)
        ensure_approval(call, bundle, who, timepoint, allowed, runtime, context.codec)
        if with_metadata_hash and has_metadata_hash(runtime):
            expected = runtime_metadata_hash(runtime, bundle.network)
            context = replace(context, metadata_hash=expected)
            if not submitter.knows_metadata_hash(call, context, who):
                raise ApprovalRefused(
                    f"by what the node says, {runtime} was built without the hash of its metadata, "
                    "so that no signature can be bound to it: ask another node, and where it says "
                    "the same give --without-metadata-hash"
                )
        return call, context

    def weight(self) -> Weight:
        """What the runtime says that the bundle's call weighs."""
        return self.submitter.call_info(self.bundle.call).weight

    def max_weight(self) -> Weight:
        """`weight`, and `margin_percent` more."""
        return self.weight().with_margin(self.margin_percent)

    # --- checks ---

    def _ensure_chain(self) -> None:
        node, chain = self.submitter.node, self.bundle.chain
        if node.genesis_hash != chain.genesis_hash:
            raise ApprovalRefused(
                f"the bundle is for a chain with genesis 0x{chain.genesis_hash.hex()}, "
                f"the node's is 0x{node.genesis_hash.hex()}"
            )

    def ensure_runtime(self) -> None:
        """That the bundle is of the runtime that executes the next block. Raises
        `ApprovalRefused`.
        """
        self._ensure_version(self.submitter.spec_version())

    def _ensure_version(self, spec_version: SpecVersion) -> None:
        own = self.bundle.chain.spec_version
        if spec_version != own:
            raise ApprovalRefused(
                f"the bundle's call is of spec version {own}, the node runs {spec_version}: "
                "recheck tells whether its bytes still mean the same and approvals so far count",
                NextStep.RECHECK,
            )

    def _checked(self, account: AccountId) -> OpenOperation | None:
        who = self._address(account)
        if account not in self.signatories:
            raise ApprovalRefused(f"{who} is not one of the multisig's signatories")
        operation = self.status()
        if operation is not None and account in operation.approvals:
            # where all approvals came by hash alone, anybody's whole call executes
            if len(operation.approvals) >= self.bundle.multisig.threshold:
                return operation
            raise ApprovalRefused(f"{who} has approved this call already", NextStep.STATUS)
        return operation

    def _ensure_covered(self) -> None:
        runtime = self._runtime
        payer = funds.payer_of(self.bundle, runtime)
        if payer is not None:
            held = self._held(payer.account)
            funds.ensure_covered(held, payer, runtime, self.bundle.network)

    def _ensure_deposit(self, who: AccountId) -> None:
        threshold, network = self.bundle.multisig.threshold, self.bundle.network
        address = self._address(who)
        funds.ensure_deposit(self._held(who), threshold, self._runtime, address, network)

    def _held(self, who: AccountId) -> funds.Held:
        stored = self._stored("System", "Account", who)
        return None if stored is None else stored["data"]

    # --- what came of it ---

    def approval(self, inclusion: Inclusion) -> Approval:
        """What a finalised `as_multi` led to."""
        event = self._own_event(inclusion, "MultisigExecuted")
        return approval_of(inclusion, event, self._runtime)

    def _ensure_meant(self, inclusion: Inclusion, point: Point | None, mark: BlockRef) -> None:
        if self._own_event(inclusion, "NewMultisig") is not None:
            closing = self._last_closing(mark, inclusion.block)
            troubles.ensure_meant(inclusion, point, closing)

    def _explained(
        self,
        inclusion: Inclusion,
        who: AccountId,
        mark: BlockRef,
        allowed: Weight | None,
    ) -> CheckFailed:
        network = self.bundle.network
        if inclusion.error in troubles.CLOSED:
            closing = self._last_closing(mark, inclusion.block)
            return troubles.closed(closing, inclusion.block.number, network)
        if inclusion.error == troubles.TOO_LITTLE_WEIGHT and allowed is not None:
            return WeightTooLow(allowed, self.weight())
        return troubles.failed(inclusion, who, network)

    def _last_closing(self, mark: BlockRef, until: BlockRef) -> Step | None:
        return last_closing(
            self.submitter.node,
            self.submitter.runtimes,
            self.account,
            self.bundle.call_hash,
            BlockNumber(mark.number + 1),
            until.number,
        )

    # --- parts ---

    @property
    def _runtime(self) -> Runtime:
        return self.submitter.runtime()

    def _own_event(self, inclusion: Inclusion, name: str) -> EventRecord | None:
        """The extrinsic's event `name` of this operation; an executed call may have others."""
        own = self.account, self.bundle.call_hash
        for event in inclusion.events[::-1]:
            if event.pallet != "Multisig" or event.name != name:
                continue
            if (event.args["multisig"], event.args["call_hash"]) == own:
                return event
        return None

    def _stored(self, pallet: str, entry: str, *keys: Any) -> Any:
        runtime, node = self._runtime, self.submitter.node
        key = runtime.storage_key(pallet, entry, *keys)
        (raw,) = node.storage([key], self.submitter.best().hash)
        return None if raw is None else runtime.decode_storage(pallet, entry, raw)

    def _address(self, account: AccountId) -> str:
        return ss58_encode(account, self.bundle.network.ss58_prefix)
