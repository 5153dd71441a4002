"""What an exception says of a target: its fault, or our own trouble."""

import errno
import ssl
from collections.abc import Iterator

import httpx
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    InvalidURI,
    WebSocketException,
)
from websockets.frames import Close, CloseCode

from oracles.probes.outcomes import Doubt, Failed, Fault, Outcome, Reason, Unknown, shown

_OURS = {
    errno.ENETUNREACH: Doubt.NO_ROUTE,
    errno.ENETDOWN: Doubt.NO_ROUTE,
    errno.EADDRNOTAVAIL: Doubt.LOCAL,
    errno.EAFNOSUPPORT: Doubt.LOCAL,
    errno.EMFILE: Doubt.LOCAL,
    errno.ENFILE: Doubt.LOCAL,
    errno.ENOBUFS: Doubt.LOCAL,
    errno.ENOMEM: Doubt.LOCAL,
    errno.EACCES: Doubt.LOCAL,
    errno.EPERM: Doubt.LOCAL,
}
_THEIRS = {
    errno.ECONNREFUSED: Reason.REFUSED,
    errno.EHOSTUNREACH: Reason.UNREACHABLE,
    errno.EHOSTDOWN: Reason.UNREACHABLE,
    errno.ETIMEDOUT: Reason.NO_CONNECTION,
    errno.ECONNRESET: Reason.CLOSED,
    errno.ECONNABORTED: Reason.CLOSED,
    errno.EPIPE: Reason.CLOSED,
}

_BROKEN: dict[int, Reason] = {
    CloseCode.PROTOCOL_ERROR: Reason.MALFORMED,
    CloseCode.INVALID_DATA: Reason.MALFORMED,
    CloseCode.MESSAGE_TOO_BIG: Reason.TOO_LONG,
}
# OpenSSL's X509_V_ERR_ numbers: not yet valid, expired; another host, another address
_DATES, _NAMES = (9, 10), (62, 64)


def outcome_of(error: Exception, *, clock_sound: bool) -> Outcome:
    """What `error`, raised while a target was probed, says of it.

    `clock_sound` is whether this machine's clock is known to be right: without it nothing can be
    said of a certificate's dates. What is not recognised is a mistake of ours.
    """
    for cause in _causes(error):
        match cause:
            case Fault():
                return cause.outcome
            case ssl.SSLCertVerificationError():
                return _certificate(cause, clock_sound=clock_sound)
            case ssl.SSLZeroReturnError() | ssl.SSLEOFError():
                return Failed(Reason.CLOSED, "closed the connection during TLS")
            case ssl.SSLError():
                return Failed(Reason.TLS, shown(cause.reason or str(cause)))
            case InvalidStatus():
                return status_fault(cause.response.status_code).outcome
            case OSError(errno=int(number)) if number in _OURS:
                return Unknown(_OURS[number], shown(cause.strerror or str(cause)))
            case OSError(errno=int(number)) if number in _THEIRS:
                return Failed(_THEIRS[number], shown(cause.strerror or str(cause)))
    return _unnumbered(error)


def status_fault(status: int) -> Fault:
    """The fault of an HTTP status other than the one that was wanted."""
    if 300 <= status < 400:
        return Fault(Reason.REDIRECT, f"HTTP status {status}: redirects are not followed")
    return Fault(Reason.HTTP_STATUS, f"HTTP status {status}")


def _unnumbered(error: Exception) -> Outcome:
    """For what carries no number, the outermost exception says most."""
    match error:
        case ConnectionClosed(sent=Close(code=code, reason=text)) if code in _BROKEN:
            # the library refused what it read
            return Failed(_BROKEN[code], shown(text or f"WebSocket close code {code}"))
        case ConnectionClosed() | EOFError() | ConnectionError():
            return Failed(Reason.CLOSED, shown(str(error) or "closed the connection"))
        case InvalidMessage(__cause__=EOFError()):
            return Failed(Reason.CLOSED, shown(str(error)))
        case InvalidURI():
            return Unknown(Doubt.OWN_FAULT, shown(str(error)))
        case InvalidHandshake():
            return Failed(Reason.MALFORMED, shown(f"no WebSocket: {error}"))
        case httpx.ReadError() | httpx.WriteError() | httpx.ConnectError() | httpx.CloseError():
            return Failed(Reason.CLOSED, shown(str(error) or "closed the connection"))
        case httpx.RemoteProtocolError() if "disconnected" in str(error):
            return Failed(Reason.CLOSED, shown(str(error)))
        case httpx.RemoteProtocolError() | httpx.DecodingError() | WebSocketException():
            return Failed(Reason.MALFORMED, shown(str(error) or type(error).__name__))
        case OSError():
            return Unknown(Doubt.LOCAL, shown(str(error) or type(error).__name__))
        case _:
            return Unknown(Doubt.OWN_FAULT, shown(f"{type(error).__name__}: {error}"))


def _certificate(error: ssl.SSLCertVerificationError, *, clock_sound: bool) -> Outcome:
    text = shown(error.verify_message)
    if error.verify_code in _DATES and not clock_sound:
        return Unknown(Doubt.OWN_CLOCK, f"{text}, or this machine's clock is wrong")
    if error.verify_code in _DATES:
        return Failed(Reason.CERTIFICATE_EXPIRED, text)
    if error.verify_code in _NAMES:
        return Failed(Reason.CERTIFICATE_NAME, text)
    return Failed(Reason.CERTIFICATE_UNTRUSTED, text)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """`error` and what it was raised from, outermost first."""
    for _ in range(16):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__
