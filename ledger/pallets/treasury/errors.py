"""The pallet's errors, numbered as before release 1.3, when there was a first one more."""

from typing import ClassVar

from ibp_chain.errors import PalletError


class Error(PalletError):
    """Base of this pallet's errors."""

    pallet: ClassVar[str] = "Treasury"


class InsufficientProposersBalance(Error):
    """Depends on a balance: never raised here."""

    index = 0


class InvalidIndex(Error):
    index = 1


class TooManyApprovals(Error):
    index = 2


class InsufficientPermission(Error):
    """Depends on how much an origin may spend, which no metadata tells: never raised here."""

    index = 3


class ProposalNotApproved(Error):
    index = 4


class FailedToConvertBalance(Error):
    """Depends on `AssetRate`: never raised here."""

    index = 5


class SpendExpired(Error):
    index = 6


class EarlyPayout(Error):
    index = 7


class AlreadyAttempted(Error):
    index = 8


class PayoutError(Error):
    """Depends on the paymaster: never raised here."""

    index = 9


class NotAttempted(Error):
    index = 10


class Inconclusive(Error):
    """Depends on the paymaster: never raised here."""

    index = 11
