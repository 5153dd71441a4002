"""Why a remark was not taken as a fact.

The code is part of the ledger's state and never changes its meaning; the words beside it are for
people, are kept outside the state, and may.
"""

from enum import IntEnum

from ibp_chain.errors import IbpError


class RejectionCode(IntEnum):
    """Encoded as one byte. Rule: `docs/remarks.md`."""

    UNKNOWN_KIND = 0
    """Of a version or kind that this ledger does not know: recorded, ignored."""
    MALFORMED = 1
    WRONG_ORIGIN = 2
    UNKNOWN_MEMBER = 3
    NOT_POSSIBLE_NOW = 4
    """The member's or milestone's present status does not allow it."""
    ACCOUNT_TAKEN = 5
    WRONG_SIGNATURE = 6
    OTHER_PROGRAMME = 7
    DAY_NOT_OVER = 8
    BROKEN_CHAIN = 9
    """`previous` is not the oracle's last observation."""
    REPEATED = 10
    EQUIVOCATED = 11
    """The oracle contradicted itself on this day before: nothing it adds counts."""
    UNKNOWN_OBSERVATION = 12
    OUT_OF_PLACE = 13
    """A `payout` that is not the first call of a `Utility.batch_all`."""
    DAY_CLOSED = 14
    """A commitment that came after the day's window for them."""
    DAY_OPEN = 15
    """A report while commitments to the day are still taken."""


class Rejected(IbpError):
    """A remark that changes nothing; `str()` is the reason for people."""

    def __init__(self, code: RejectionCode, reason: str) -> None:
        self.code = code
        super().__init__(reason)
