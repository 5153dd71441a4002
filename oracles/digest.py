"""The signed word of an oracle: `observe` and `report` bodies, made and checked.

Keys stay outside: whoever makes a digest hands in a function that signs 32 bytes with sr25519.
"""

from collections.abc import Callable, Iterable
from datetime import date

from ibp_chain.accounts import verify_signature
from ibp_chain.remark_bodies import Observe, Report
from ibp_chain.remarks import KINDS, signing_digest
from ibp_chain.types import AccountId, Hash
from ledger.pallets.scores import NO_PREVIOUS
from oracles.errors import DigestRefused

Digest = Observe | Report
Sign = Callable[[bytes], bytes]
"""The oracle's sr25519 signature over exactly these bytes."""

_UNSIGNED = bytes(64)


def observe(
    *,
    program: Hash,
    oracle: AccountId,
    day: date,
    root: Hash,
    rows: int,
    previous: Hash,
    ss58_prefix: int,
    sign: Sign,
) -> Observe:
    """A commitment to `root`. `previous` is `signing_digest` of the one before, or `NO_PREVIOUS`.

    Raises `DigestRefused` when `sign` does not sign for `oracle`.
    """
    unsigned = Observe(
        program=program, oracle=oracle, day=day.isoformat(), root=root, rows=rows,
        previous=previous, sig=_UNSIGNED,
    )  # fmt: skip
    signed = unsigned.model_copy(update={"sig": sign(signing_digest(unsigned, ss58_prefix))})
    check_digest(signed, program=program, ss58_prefix=ss58_prefix)
    return signed


def report(
    *,
    program: Hash,
    oracle: AccountId,
    day: date,
    turn: int,
    root: Hash,
    rows: int,
    observes: Iterable[Hash],
    ss58_prefix: int,
    sign: Sign,
) -> Report:
    """An oracle's word that `root` is the consensus of `observes`, given in any order.

    Raises `DigestRefused` when `sign` does not sign for `oracle`, and pydantic's
    `ValidationError`, a `ValueError`, for no observations at all.
    """
    unsigned = Report(
        program=program, oracle=oracle, day=day.isoformat(), turn=turn, root=root, rows=rows,
        observes=tuple(sorted(set(observes))), sig=_UNSIGNED,
    )  # fmt: skip
    signed = unsigned.model_copy(update={"sig": sign(signing_digest(unsigned, ss58_prefix))})
    check_digest(signed, program=program, ss58_prefix=ss58_prefix)
    return signed


def check_digest(
    digest: Digest,
    *,
    program: Hash,
    ss58_prefix: int,
    oracle: AccountId | None = None,
    day: date | None = None,
) -> None:
    """Raises `DigestRefused` unless its oracle signed `digest` for the programme `program`.

    Whoever asked one `oracle` for one `day` says so: another's or an older digest, however well
    signed, is refused.
    """
    who = f"{KINDS[type(digest)]} of {digest.day} by 0x{digest.oracle.hex()}"
    if digest.program != program:
        raise DigestRefused(f"{who}: of programme 0x{digest.program.hex()}, not 0x{program.hex()}")
    if oracle not in (None, digest.oracle):
        raise DigestRefused(f"{who}: asked for was oracle 0x{(oracle or b'').hex()}")
    if day is not None and day.isoformat() != digest.day:
        raise DigestRefused(f"{who}: asked for was {day}")
    if not verify_signature(digest.oracle, digest.sig, signing_digest(digest, ss58_prefix)):
        raise DigestRefused(f"{who}: the signature is not the oracle's")


def check_chain(observations: Iterable[Observe], *, program: Hash, ss58_prefix: int) -> Hash:
    """What the next observation must name as `previous`, after all of one oracle's, oldest first.

    Raises `DigestRefused` for one that was left out, said again, put in another place, or is not
    the oracle's. An equivocating second statement is no part of the chain.
    """
    previous, last = NO_PREVIOUS, None
    for body in observations:
        who = f"observe of {body.day} by 0x{body.oracle.hex()}"
        if last is not None and body.oracle != last.oracle:
            raise DigestRefused(f"{who}: in the chain of 0x{last.oracle.hex()}")
        check_digest(body, program=program, ss58_prefix=ss58_prefix)
        if body.previous != previous:
            raise DigestRefused(
                f"{who}: follows 0x{body.previous.hex()}, the one before is 0x{previous.hex()}"
            )
        if last is not None and body.day <= last.day:
            raise DigestRefused(f"{who}: is not after {last.day}")
        previous, last = signing_digest(body, ss58_prefix), body
    return previous
