"""What goes wrong in this room.

* InputError
  * StatementError         a statement cannot be made from what was given
  * DocumentError          a file is no statement or bundle of this version
* CheckFailed
  * BatchRefused           at least one row is wrong, so none is paid
  * BundleRefused          a bundle does not hold what it claims
  * CallRefused            a call is no payout, or two decoders read it differently
  * ApprovalRefused        this curator cannot approve or cancel this operation now
"""

from collections.abc import Sequence

from ibp_chain.errors import CheckFailed, InputError


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


class CallRefused(CheckFailed):
    """A call that is no payout, or that two decoders read differently."""


class ApprovalRefused(CheckFailed):
    """This curator cannot approve or cancel this operation now."""
