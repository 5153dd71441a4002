"""What goes wrong in this room.

* InputError
  * StatementError         a statement cannot be made from what was given
  * DocumentError          a file is no statement or bundle of this version
* CheckFailed
  * BatchRefused           at least one row is wrong, so none is paid
  * BundleRefused          a bundle does not hold what it claims
  * ReceiptRefused         a receipt does not say what the ledger knows, or there is nothing to say
  * CallRefused            a call is no payout, or two decoders read it differently
  * ApprovalRefused        this curator cannot approve or cancel this operation now
    * WeightTooLow         the last approval allowed the call less than it weighs
    * OpenedAnew           an approval opened a second operation of a call that was executed
  * PayloadRefused         what is to be signed, or what came back, is not what was asked
"""

from collections.abc import Sequence
from enum import StrEnum

from ibp_chain.errors import CheckFailed, InputError
from ibp_chain.extrinsics import Weight


class StatementError(InputError):
    """A statement cannot be made."""


class DocumentError(InputError):
    """A file that is no document of the form and version that was asked for."""


class BatchRefused(CheckFailed):
    """At least one row is wrong, so none is paid; says every wrong row."""

    def __init__(self, rows: Sequence[str]) -> None:
        self.rows = tuple(rows)
        super().__init__("the batch is refused: " + "; ".join(rows))


class BundleRefused(CheckFailed):
    """A bundle does not hold what it claims; says everything that differs."""

    def __init__(self, differences: Sequence[str]) -> None:
        self.differences = tuple(differences)
        super().__init__("the bundle is refused: " + "; ".join(differences))


class ReceiptRefused(CheckFailed):
    """A receipt does not say what the ledger knows, or there is nothing that one could say."""


class CallRefused(CheckFailed):
    """A call that is no payout, or that two decoders read differently."""


class NextStep(StrEnum):
    """The `ibp multisig` command that a person would run next."""

    APPROVE = "approve"
    CANCEL = "cancel"
    STATUS = "status"
    RECHECK = "recheck"
    RECONCILE = "reconcile"


class ApprovalRefused(CheckFailed):
    """This curator cannot approve or cancel this operation now; `following` is what to do."""

    def __init__(self, message: str, following: NextStep | None = None) -> None:
        self.following = following
        super().__init__(message)


class WeightTooLow(ApprovalRefused):
    """The last approval allowed the call less than it weighs: nothing was executed."""

    def __init__(self, given: Weight, needed: Weight) -> None:
        self.given, self.needed = given, needed
        super().__init__(
            f"Multisig.MaxWeightTooLow: the last approval allowed the call {_words(given)}, it "
            f"weighs {_words(needed)}. The call was not executed and this approval does not count, "
            "the others do; approve again, with more if it happens again (--weight-margin)",
            NextStep.APPROVE,
        )


class OpenedAnew(ApprovalRefused):
    """An approval opened a second operation of a call that was executed: it could pay again."""

    def __init__(self, message: str) -> None:
        super().__init__(message, NextStep.CANCEL)


class Refusal(StrEnum):
    """What is wrong with a payload, a signature or a signed transaction."""

    OTHER_CHAIN = "another chain"
    OTHER_RUNTIME = "another runtime"
    OTHER_CALL = "another call"
    OTHER_MULTISIG = "another multisig"
    OTHER_SIGNER = "another signer"
    OTHER_ERA = "another era"
    OTHER_NONCE = "another nonce"
    OTHER_TIP = "another tip"
    OTHER_MODE = "another mode"
    OTHER_EXTENSION = "another extension"
    OTHER_METADATA = "another metadata hash"
    OTHER_OPERATION = "another operation"
    WEIGHT_TOO_LOW = "too low a weight"
    BAD_SIGNATURE = "a signature that does not verify"
    EXPIRED = "an era that has ended"
    USED_NONCE = "a nonce that is used"


class PayloadRefused(CheckFailed):
    """What is to be signed, or what came back, is not what was asked."""

    def __init__(self, refusal: Refusal, detail: str) -> None:
        self.refusal = refusal
        super().__init__(f"refused, it has {refusal}: {detail}")


def _words(weight: Weight) -> str:
    return f"{weight.ref_time:,} ps and {weight.proof_size:,} bytes of proof"
