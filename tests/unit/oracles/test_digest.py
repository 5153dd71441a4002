"""The signed word of an oracle: signed by it, for this programme and day, in its own order."""

from datetime import date, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from ibp_chain.accounts import verify_signature
from ibp_chain.remark_bodies import Observe, Report
from ibp_chain.remarks import encode, parse, signing_digest
from ibp_chain.types import Hash
from ledger.pallets.scores import NO_PREVIOUS
from oracles.digest import Digest, check_chain, check_digest, observe, report
from oracles.errors import DigestRefused
from tests.support.scores import DAY, ORACLES, PREFIX, PROGRAM, SIGNERS

ROOT = Hash(b"\x11" * 32)
OTHER = Hash(b"\x22" * 32)


def observed(oracle: int = 0, **changes: Any) -> Observe:
    fields: dict[str, Any] = {
        "program": PROGRAM, "oracle": ORACLES[oracle], "day": DAY, "root": ROOT, "rows": 10,
        "previous": NO_PREVIOUS, "ss58_prefix": PREFIX, "sign": SIGNERS[oracle].sign,
    }  # fmt: skip
    return observe(**(fields | changes))


def reported(oracle: int = 0, **changes: Any) -> Report:
    fields: dict[str, Any] = {
        "program": PROGRAM, "oracle": ORACLES[oracle], "day": DAY, "turn": 0, "root": ROOT,
        "rows": 30, "observes": [OTHER, ROOT], "ss58_prefix": PREFIX, "sign": SIGNERS[oracle].sign,
    }  # fmt: skip
    return report(**(fields | changes))


def check(digest: Digest, **changes: Any) -> None:
    expected: dict[str, Any] = {"program": PROGRAM, "ss58_prefix": PREFIX}
    check_digest(digest, **(expected | changes))


both = pytest.mark.parametrize("digest", [observed(), reported()], ids=["observe", "report"])


@both
def test_what_an_oracle_signed_holds(digest: Digest) -> None:
    check(digest, oracle=ORACLES[0], day=DAY)
    assert verify_signature(ORACLES[0], digest.sig, signing_digest(digest, PREFIX))


@both
def test_a_digest_travels_as_a_remark(digest: Digest) -> None:
    assert parse(encode(digest, PREFIX), PREFIX) == digest


@both
@pytest.mark.parametrize(
    "change",
    [
        {"root": OTHER},
        {"rows": 9},
        {"day": "2026-01-30"},
        {"oracle": ORACLES[1]},
        {"sig": bytes(64)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_one_changed_field_is_not_what_was_signed(digest: Digest, change: dict[str, Any]) -> None:
    with pytest.raises(DigestRefused, match="the signature is not the oracle's"):
        check(digest.model_copy(update=change))


def test_the_chain_and_the_sources_are_signed_too() -> None:
    with pytest.raises(DigestRefused):
        check(observed().model_copy(update={"previous": OTHER}))
    with pytest.raises(DigestRefused):
        check(reported().model_copy(update={"observes": (ROOT,)}))


@both
def test_a_digest_counts_for_one_programme(digest: Digest) -> None:
    with pytest.raises(DigestRefused, match="of programme 0x0001"):
        check(digest, program=Hash(bytes(32)))
    rebound = digest.model_copy(update={"program": OTHER})
    with pytest.raises(DigestRefused, match="signature"):
        check(rebound, program=OTHER)


@both
def test_a_digest_counts_on_one_kind_of_network(digest: Digest) -> None:
    with pytest.raises(DigestRefused, match="signature"):
        check(digest, ss58_prefix=42)


@both
def test_another_oracles_or_an_older_digest_is_not_what_was_asked_for(digest: Digest) -> None:
    with pytest.raises(DigestRefused, match="asked for was oracle"):
        check(digest, oracle=ORACLES[1])
    with pytest.raises(DigestRefused, match="asked for was 2026-01-30"):
        check(digest, day=DAY + timedelta(days=1))


def test_a_signer_of_another_account_is_found_out_before_posting() -> None:
    with pytest.raises(DigestRefused, match="not the oracle's"):
        observed(sign=SIGNERS[1].sign)
    with pytest.raises(DigestRefused, match="not the oracle's"):
        reported(sign=SIGNERS[1].sign)


def test_a_report_lists_its_sources_ascending_and_once() -> None:
    assert reported(observes=[OTHER, ROOT, OTHER]).observes == (ROOT, OTHER)


def test_a_report_of_nothing_cannot_be_made() -> None:
    with pytest.raises(ValidationError, match="observes"):
        reported(observes=[])


# --- The chain of an oracle's observations -------------------------------------------------


def chain(days: int, oracle: int = 0) -> list[Observe]:
    made: list[Observe] = []
    for n in range(days):
        previous = signing_digest(made[-1], PREFIX) if made else NO_PREVIOUS
        made.append(observed(oracle, day=DAY + timedelta(days=n), previous=previous))
    return made


def follow(observations: list[Observe]) -> Hash:
    return check_chain(observations, program=PROGRAM, ss58_prefix=PREFIX)


def test_a_chain_leads_to_what_the_next_one_names() -> None:
    made = chain(3)
    assert follow([]) == NO_PREVIOUS
    assert follow(made) == signing_digest(made[-1], PREFIX)


def test_days_may_be_left_out_by_the_oracle_itself() -> None:
    first = observed()
    later = observed(day=date(2026, 3, 1), previous=signing_digest(first, PREFIX))
    assert follow([first, later]) == signing_digest(later, PREFIX)


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ((0, 2), "follows 0x"),  # left out
        ((1, 2), "the one before is 0x0000"),  # its beginning left out
        ((0, 0), "follows 0x0000"),  # said again
        ((1, 0), "follows 0x"),  # turned round
    ],
)
def test_a_chain_with_one_left_out_repeated_or_moved_is_refused(
    order: tuple[int, ...], said: str
) -> None:
    made = chain(3)
    with pytest.raises(DigestRefused, match=said):
        follow([made[n] for n in order])


@pytest.mark.parametrize("days", [0, -1])
def test_time_goes_forward_in_a_chain(days: int) -> None:
    first = observed()
    second = observed(day=DAY + timedelta(days=days), previous=signing_digest(first, PREFIX))
    with pytest.raises(DigestRefused, match="is not after 2026-01-29"):
        follow([first, second])


def test_a_chain_is_of_one_oracle() -> None:
    first = observed(0)
    second = observed(1, day=DAY + timedelta(days=1), previous=signing_digest(first, PREFIX))
    with pytest.raises(DigestRefused, match="in the chain of 0x"):
        follow([first, second])


def test_a_forged_link_is_refused() -> None:
    with pytest.raises(DigestRefused, match="signature"):
        follow([observed().model_copy(update={"rows": 11})])
