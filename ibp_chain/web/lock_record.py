"""What the database keeps of one account's votes, and the promise that follows from it over time.

`ledger.promise_history` follows a promise while blocks are replayed; here the same is worked out
from `state_history`, in which each entry of the account has every value that it had. Between two
changes a promise can only end by the clock, which `block_state` has for each block.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select

from ibp_chain.types import AccountId, BlockNumber, Hash, Planck, PollIndex, RelayBlockNumber
from ibp_chain.web.snapshot import BlockFacts, Chain
from ledger.locks import Promise, promise
from ledger.pallets import conviction_voting as cv
from ledger.state import State
from ledger.store import Store
from ledger.tables import BlockRow, BlockState, StateEntry, StateHistory, table_of


@dataclass(frozen=True, slots=True)
class Version:
    """A value of one entry: it stood behind the blocks from `since` up to before `until`."""

    key: bytes
    since: BlockNumber
    until: BlockNumber | None
    value: bytes


@dataclass(frozen=True, slots=True)
class Span:
    """Blocks over which nothing about the promise changed; `last` is the last of them."""

    first: BlockNumber
    last: BlockNumber
    promise: Promise


@dataclass(frozen=True, slots=True)
class LockRecord:
    """Spans in order, without a hole, and the blocks that they name."""

    spans: tuple[Span, ...]
    blocks: dict[BlockNumber, BlockFacts]


def lock_record(
    store: Store, chain: Chain, account: AccountId, required: Planck, since: BlockNumber
) -> LockRecord:
    """The promise of `account` from block `since` to the chain's head.

    Reckoned with the constants of the head's runtime. Blocks from before history was kept are left
    out. Raises as the store does.
    """
    with store.session() as session:
        connection = session.connection()
        versions = _versions(connection, chain, account)
        first = _first_with_state(connection, since)
        if first is None:
            return LockRecord((), {})
        clock_at = _clock(connection)
        first_after = _first_at_clock(connection, chain.head.number)
        spans = tuple(
            spans_of(
                versions, chain, account, required, first,
                clock_at=clock_at, first_after=first_after,
            )
        )  # fmt: skip
        numbers = {block for span in spans for block in (span.first, span.last)}
        facts = _facts(connection, numbers)
    return LockRecord(spans, facts)


def spans_of(
    versions: Iterable[Version],
    chain: Chain,
    account: AccountId,
    required: Planck,
    first: BlockNumber,
    *,
    clock_at: Callable[[BlockNumber], RelayBlockNumber],
    first_after: Callable[[BlockNumber, RelayBlockNumber], BlockNumber | None],
) -> Iterator[Span]:
    """Pure: `clock_at` tells the governance clock in a block, `first_after` the first block from a
    given one on in which the clock has come to a given one.
    """
    found, head = list(versions), chain.head.number
    changes = {each.since for each in found} | {each.until for each in found if each.until}
    starts = sorted({first, *(block for block in changes if first < block <= head)})
    open_span: Span | None = None
    while starts:
        block = starts.pop(0)
        now = clock_at(block)
        kept = _promise_at(found, chain, account, required, block, now)
        ends = min((each.until for each in kept.covers if each.until is not None), default=None)
        ran_out = None if ends is None else first_after(block, ends)
        if ran_out is not None and (not starts or ran_out < starts[0]):
            starts.insert(0, ran_out)
        if open_span is not None and open_span.promise != kept:
            yield Span(open_span.first, BlockNumber(block - 1), open_span.promise)
            open_span = None
        if open_span is None:
            open_span = Span(block, head, kept)
    if open_span is not None:
        yield open_span


def _promise_at(
    versions: Iterable[Version],
    chain: Chain,
    account: AccountId,
    required: Planck,
    block: BlockNumber,
    now: RelayBlockNumber,
) -> Promise:
    then = State(chain.network)
    then.load(
        (each.key, each.value)
        for each in versions
        if each.since <= block and (each.until is None or block < each.until)
    )
    config = then.mirrors.voting_config(chain.constants, now)
    return promise(then.mirrors.conviction_voting, config, account, required)


# --- Reading --------------------------------------------------------------------------


def _versions(connection: Connection, chain: Chain, account: AccountId) -> list[Version]:
    """Of everything that a promise of `account` follows from."""
    mirrors = chain.state.mirrors
    voting = mirrors.conviction_voting
    locked = _of_keys(connection, [voting.class_locks_for.raw_key(account)])
    own = State(chain.network).mirrors.conviction_voting.class_locks_for
    classes = set(chain.constants.tracks)
    for version in locked:
        own.load(version.key, version.value)
        classes |= dict(own.get(account)).keys()
        own.clear()
    keys = [
        item.raw_key((account, class_))
        for class_ in sorted(classes)
        for item in (voting.voting_for, voting.maximum_priors)
    ]
    found = [*locked, *_of_keys(connection, keys)]
    polls = sorted(_polls(found, chain))
    return found + _of_keys(connection, [mirrors.referenda.polls.raw_key(poll) for poll in polls])


def _polls(versions: Iterable[Version], chain: Chain) -> set[PollIndex]:
    """Every poll that was ever voted on, as far as `versions` tell."""
    found: set[PollIndex] = set()
    votes = State(chain.network).mirrors.conviction_voting.voting_for
    for version in versions:
        if not version.key.startswith(votes.prefix):
            continue
        votes.load(version.key, version.value)
        voting = votes.get(votes.key_of(version.key))
        if isinstance(voting, cv.Casting):
            found |= {poll for poll, _ in voting.votes}
        votes.clear()
    return found


def _of_keys(connection: Connection, keys: list[bytes]) -> list[Version]:
    """Every value that `keys` have and had."""
    now, was = table_of(StateEntry), table_of(StateHistory)
    current = select(now.c.key, now.c.changed_at, now.c.value).where(now.c.key.in_(keys))
    past = select(was.c.key, was.c.since, was.c.until, was.c.value).where(was.c.key.in_(keys))
    found = [Version(key, since, None, value) for key, since, value in connection.execute(current)]
    return found + [Version(*row) for row in connection.execute(past)]


def _first_with_state(connection: Connection, since: BlockNumber) -> BlockNumber | None:
    states = table_of(BlockState)
    query = select(states.c.number).where(states.c.number >= since).order_by(states.c.number)
    return connection.execute(query.limit(1)).scalar()


def _clock(connection: Connection) -> Callable[[BlockNumber], RelayBlockNumber]:
    states = table_of(BlockState)

    def at(block: BlockNumber) -> RelayBlockNumber:
        before = select(states.c.clock).where(states.c.number <= block)
        return RelayBlockNumber(
            connection.execute(before.order_by(states.c.number.desc()).limit(1)).scalar_one()
        )

    return at


def _first_at_clock(
    connection: Connection, head: BlockNumber
) -> Callable[[BlockNumber, RelayBlockNumber], BlockNumber | None]:
    """By bisection: the clock never goes back, and each look is one into an index."""
    states = table_of(BlockState)

    def row_from(number: int) -> tuple[int, int] | None:
        query = select(states.c.number, states.c.clock).where(states.c.number >= number)
        found = connection.execute(query.order_by(states.c.number).limit(1)).first()
        return None if found is None else (found[0], found[1])

    def first(block: BlockNumber, clock: RelayBlockNumber) -> BlockNumber | None:
        low, high, found = int(block), int(head), None
        while low <= high:
            middle = (low + high) // 2
            row = row_from(middle)
            if row is None or row[0] > head:
                high = middle - 1
            elif row[1] >= clock:
                found, high = row[0], middle - 1
            else:
                low = row[0] + 1
        return None if found is None else BlockNumber(found)

    return first


def _facts(connection: Connection, asked: set[BlockNumber]) -> dict[BlockNumber, BlockFacts]:
    """Of each of `asked`, the last block up to it: test chains' heights have gaps."""
    blocks = table_of(BlockRow)
    found = {}
    for number in asked:
        query = select(blocks.c.hash, blocks.c.timestamp_ms).where(blocks.c.number <= number)
        row = connection.execute(query.order_by(blocks.c.number.desc()).limit(1)).first()
        if row is not None:
            found[number] = BlockFacts(Hash(row[0]), row[1])
    return found
