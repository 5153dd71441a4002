"""The signed word of an oracle: `observe` and `report` bodies, made and checked.

Keys stay outside: whoever makes a digest hands in a function that signs 32 bytes with sr25519.
"""

from collections.abc import Callable, Iterable
from datetime import date

from ibp_chain.accounts import verify_signature
from ibp_chain.remark_bodies import Observe, Report
from ibp_chain.remarks import KINDS, signing_digest
from ibp_chain.types import AccountId, Hash
from oracles.errors import DigestRefused

Digest = Observe | Report
Sign = Callable[[bytes], bytes]
"""The oracle's sr25519 signature over exactly these bytes."""

NO_PREVIOUS = Hash(bytes(32))
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
        program=program, oracle=oracle, day=day.isoformat(), root=root, rows=rows,
        observes=tuple(sorted(set(observes))), sig=_UNSIGNED,
    )  # fmt: skip
    signed = unsigned.model_copy(update={"sig": sign(signing_digest(unsigned, ss58_prefix))})
    check_digest(signed, program=program, ss58_prefix=ss58_prefix)
    return signed


def check_digest(digest: Digest, *, program: Hash, ss58_prefix: int) -> None:
    """Raises `DigestRefused` unless its oracle signed `digest` for the programme `program`."""
    who = f"{KINDS[type(digest)]} of {digest.day} by 0x{digest.oracle.hex()}"
    if digest.program != program:
        raise DigestRefused(f"{who}: of programme 0x{digest.program.hex()}, not 0x{program.hex()}")
    if not verify_signature(digest.oracle, digest.sig, signing_digest(digest, ss58_prefix)):
        raise DigestRefused(f"{who}: the signature is not the oracle's")
