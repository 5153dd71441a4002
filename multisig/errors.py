"""What a curator must know before signing goes wrong."""

from collections.abc import Sequence

from ibp_chain.errors import CheckFailed, InputError


class StatementError(InputError):
    """A statement cannot be made, or a file is none."""


class BundleError(InputError):
    """A file that is no bundle of this version."""


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


class ApprovalRefused(CheckFailed):
    """This curator cannot approve this operation now."""
