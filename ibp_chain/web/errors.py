"""What a request asked for and cannot have; each becomes a 4xx answer that says why."""

from typing import ClassVar

from ibp_chain.errors import InputError


class RequestError(InputError):
    """A request that cannot be answered as it stands."""

    status: ClassVar[int] = 422


class NotFound(RequestError):
    """Nothing of that name is in this ledger, or in what the server was given."""

    status: ClassVar[int] = 404


class NotGiven(RequestError):
    """The server was started without what the answer would come from."""

    status: ClassVar[int] = 404


class TooOften(RequestError):
    """More expensive reads than one client may ask for."""

    status: ClassVar[int] = 429

    def __init__(self, message: str, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class BadForm(RequestError):
    """What came back from a wallet or device has no form that could be checked."""

    status: ClassVar[int] = 422


class Refused(RequestError):
    """Well formed, and not to be signed or sent: by the ledger, the bundle or the chain."""

    status: ClassVar[int] = 409


class NodeTrouble(RequestError):
    """The node did not answer, or not as a node of this chain would."""

    status: ClassVar[int] = 502
