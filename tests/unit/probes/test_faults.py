"""Whose fault an exception is."""

import errno
import ssl

import httpx
import pytest

from oracles.probes.faults import outcome_of, status_fault
from oracles.probes.outcomes import Doubt, Failed, Fault, Outcome, Reason, Unknown, shown


def told(error: Exception) -> Outcome:
    return outcome_of(error, clock_sound=True)


@pytest.mark.parametrize(
    ("number", "doubt"),
    [
        (errno.ENETUNREACH, Doubt.NO_ROUTE),
        (errno.ENETDOWN, Doubt.NO_ROUTE),
        (errno.EMFILE, Doubt.LOCAL),
        (errno.ENFILE, Doubt.LOCAL),
        (errno.ENOMEM, Doubt.LOCAL),
        (errno.EADDRNOTAVAIL, Doubt.LOCAL),
        (errno.EACCES, Doubt.LOCAL),
        (errno.EPERM, Doubt.LOCAL),
        (errno.EAFNOSUPPORT, Doubt.LOCAL),
        (errno.EINVAL, Doubt.LOCAL),
    ],
)
def test_our_own_trouble_is_unknown(number: int, doubt: Doubt) -> None:
    outcome = told(OSError(number, "trouble"))
    assert isinstance(outcome, Unknown)
    assert outcome.doubt is doubt


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ECONNREFUSED, Reason.REFUSED),
        (errno.EHOSTUNREACH, Reason.UNREACHABLE),
        (errno.ETIMEDOUT, Reason.NO_CONNECTION),
        (errno.ECONNRESET, Reason.CLOSED),
        (errno.EPIPE, Reason.CLOSED),
    ],
)
def test_what_the_member_does_is_its_fault(number: int, reason: Reason) -> None:
    outcome = told(OSError(number, "trouble"))
    assert isinstance(outcome, Failed)
    assert outcome.reason is reason


def test_a_cause_below_other_exceptions_counts() -> None:
    outer = httpx.ConnectError("All connection attempts failed")
    outer.__cause__ = OSError("All connection attempts failed")
    outer.__cause__.__cause__ = OSError(errno.EMFILE, "Too many open files")
    assert told(outer) == Unknown(Doubt.LOCAL, "Too many open files")


def test_a_loop_of_causes_ends() -> None:
    error = ValueError("round and round")
    error.__cause__ = error
    assert told(error) == Unknown(Doubt.OWN_FAULT, "ValueError: round and round")


def test_a_mistake_of_ours_is_unknown_and_named() -> None:
    assert told(KeyError("x")) == Unknown(Doubt.OWN_FAULT, "KeyError: 'x'")


def test_a_fault_is_what_it_says() -> None:
    assert told(Fault(Reason.SYNCING, "is syncing")) == Failed(Reason.SYNCING, "is syncing")


def certificate_error(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "said so"
    return error


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (9, Reason.CERTIFICATE_EXPIRED),
        (10, Reason.CERTIFICATE_EXPIRED),
        (62, Reason.CERTIFICATE_NAME),
        (64, Reason.CERTIFICATE_NAME),
        (18, Reason.CERTIFICATE_UNTRUSTED),
        (19, Reason.CERTIFICATE_UNTRUSTED),
        (20, Reason.CERTIFICATE_UNTRUSTED),
    ],
)
def test_certificates_fail_by_openssls_numbers(code: int, reason: Reason) -> None:
    assert told(certificate_error(code)) == Failed(reason, "said so")


@pytest.mark.parametrize("code", [9, 10])
def test_dates_are_unknown_to_a_clock_that_may_be_wrong(code: int) -> None:
    outcome = outcome_of(certificate_error(code), clock_sound=False)
    assert isinstance(outcome, Unknown)
    assert outcome.doubt is Doubt.OWN_CLOCK


@pytest.mark.parametrize(("status", "reason"), [(301, "redirect"), (400, "http-status")])
def test_statuses_are_named(status: int, reason: str) -> None:
    assert status_fault(status).outcome.reason == reason


def test_a_strangers_text_is_kept_short_and_printable() -> None:
    assert shown("a\x1b[31m\n\u202eb") == "a�[31m��b"
    assert len(shown("x" * 10_000)) == 201
