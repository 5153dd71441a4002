"""The pallet's errors. Calls on child bounties raise most of them too."""

from typing import ClassVar

from ibp_chain.errors import PalletError


class Error(PalletError):
    """Base of this pallet's errors, numbered in pallet order."""

    pallet: ClassVar[str] = "Bounties"


class InsufficientProposersBalance(Error):
    """Depends on a balance: never raised here."""

    index = 0


class InvalidIndex(Error):
    index = 1


class ReasonTooBig(Error):
    index = 2


class UnexpectedStatus(Error):
    index = 3


class RequireCurator(Error):
    index = 4


class InvalidValue(Error):
    index = 5


class InvalidFee(Error):
    index = 6


class PendingPayout(Error):
    index = 7


class Premature(Error):
    index = 8


class HasActiveChildBounty(Error):
    index = 9


class TooManyQueued(Error):
    index = 10


class NotProposer(Error):
    """Since `poke_deposit`; no runtime raises it."""

    index = 11
