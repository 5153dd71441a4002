"""The recorded payout as a watch hears it: its blocks, its multisig, its payout in words."""

from functools import cache

from ibp_chain.blocks import Block
from ibp_chain.types import Hash, SpecVersion
from multisig.decode import Reading, decode_payout
from multisig.errors import CallRefused
from multisig.operations import Party
from multisig.reports import Hearing, Report, Tally, Watched
from tests.support import payouts, recording

FIRST = 60_100
"""Nothing of the payout happened before."""


@cache
def party() -> Party:
    named, chain = payouts.bundle().multisig, payouts.PASEO
    signatories = tuple(sorted(named.account_ids(chain)))
    return Party(named.account_id(chain), named.threshold, signatories, in_office=True)


def watched(calls: frozenset[Hash] | None = None) -> Watched:
    return Watched(payouts.genesis_hash(), payouts.PASEO, party(), calls)


def read(_: SpecVersion, call: bytes) -> Reading | None:
    try:
        return decode_payout(recording.runtime(), recording.peer(), call, payouts.PASEO)
    except CallRefused:
        return None


def hearing(calls: frozenset[Hash] | None = None, tally: Tally | None = None) -> Hearing:
    return Hearing(watched(calls), read, {} if tally is None else tally)


@cache
def blocks() -> tuple[Block, ...]:
    return tuple(block for block in recording.blocks() if block.header.number >= FIRST)


def heard(of: Hearing, some: tuple[Block, ...] | None = None) -> list[Report]:
    runtime = recording.runtime()
    return [
        report
        for block in (blocks() if some is None else some)
        for report in of.block(block, runtime)
    ]
