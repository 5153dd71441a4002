"""The state at the best head, in memory alone: what was seen on chain and may still be undone.

The view is the finalised state, copied, with the blocks above it applied in order. Where the best
chain changes, it is copied anew and what stands now is applied: by construction it is what a replay
of that chain gives. A copy shares its values, which are immutable, so that it costs one dictionary
for each storage item and no decoding; undoing would need the inverse of every write of every pallet
and could go wrong in each.

Nothing of it is ever written: a store takes finalised blocks only.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from ibp_chain.blocks import Block, BlockRef
from ibp_chain.errors import CheckFailed, InputError, SourceError
from ibp_chain.remarks import Kind
from ibp_chain.source import NodeSource
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck
from ledger.remark_routing import Accepted, Refused
from ledger.replay import BlockReport, Runtimes, apply_block
from ledger.state import State

MOST_BLOCKS = 1_024
"""Above the finalised head. Where finality is further behind, there is no view."""
_BLOCKS_AT_ONCE = 32

Answer = TypeVar("Answer")


class AskedNodes(Protocol):
    """`ibp_chain.nodes.Nodes`, as far as it is needed here."""

    def ask(self, question: Callable[[NodeSource], Answer]) -> Answer: ...


@dataclass(frozen=True, slots=True)
class SeenRemark:
    """A remark in a block that is not final."""

    block: BlockNumber
    kind: Kind | None
    """None for one that would be refused."""
    origin: AccountId | None
    refused: str | None
    """Why it would be."""


@dataclass(frozen=True, slots=True)
class SeenPayout:
    """A payout batch that the multisig dispatched in a block that is not final."""

    block: BlockNumber
    period: str
    status: str
    call_hash: Hash
    total: Planck


@dataclass(frozen=True, slots=True)
class SeenApproval:
    """An approval of a multisig operation that is not final, the depositor's own among them."""

    multisig: AccountId
    call_hash: Hash
    by: AccountId


@dataclass(frozen=True, slots=True)
class Unfinalised:
    """The best chain above the finalised head, and what it would bring."""

    finalised: BlockRef
    best: BlockRef
    state_root: Hash
    """Of the whole state behind `best`."""
    blocks: tuple[BlockRef, ...]
    """Behind `finalised`, up to `best`."""
    rolled_back: tuple[BlockRef, ...]
    """Of the view before: what is no longer on the best chain."""
    remarks: tuple[SeenRemark, ...]
    payouts: tuple[SeenPayout, ...]
    approvals: tuple[SeenApproval, ...]
    problem: str | None = None
    """Why the view ends below the node's best block; None where it does not."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Blocks of the best chain behind `fork`, ascending and linked."""

    fork: Hash
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class _Applied:
    block: Block
    report: BlockReport


class View:
    """Keeps the state at the best head beside a follower, in its thread.

    The follower tells of each finalised block by `hear` and calls `look` with the finalised state,
    which is left as it is.
    """

    def __init__(self, runtimes: Runtimes) -> None:
        self._runtimes = runtimes
        self._base: BlockRef | None = None
        """The finalised block that the blocks of the view stand on."""
        self._applied: list[_Applied] = []
        self._state: State | None = None
        self._final: set[Hash] = set()
        """Blocks that became final since the last look."""
        self._shown: tuple[object, ...] = ()

    @property
    def state(self) -> State | None:
        """At the view's best block, to be read until the next `look`."""
        return self._state

    def hear(self, report: BlockReport) -> None:
        """A block has become final."""
        self._final.add(report.ref.hash)

    def look(self, nodes: AskedNodes, finalised: State) -> Unfinalised | None:
        """The view as the best chain is now; None where nothing has changed since the last one.

        A node that does not answer, and a block that cannot be applied, are the view's `problem`.
        """
        head = finalised.head.value
        if head is None:
            return None
        base, before, problem = head.ref, self._refs(), None
        self._finalise(finalised, base)
        known = {base.hash, *(ref.hash for ref in self._refs())}
        try:
            found = nodes.ask(lambda node: branch(node, base, known))
            if isinstance(found, Branch):
                self._move(finalised, base, found)
            else:
                problem = found
        except SourceError as error:
            problem = str(error)
        except (CheckFailed, InputError) as error:
            problem = f"a block that is not final cannot be applied: {error}"
            self._restart(finalised, base)
        refs, final, self._final = self._refs(), self._final, set()
        shown = base, refs, problem
        if shown == self._shown:
            return None
        self._shown = shown
        gone = {ref for ref in before if ref not in refs and ref.hash not in final}
        return self._value(finalised, base, tuple(ref for ref in before if ref in gone), problem)

    def _refs(self) -> tuple[BlockRef, ...]:
        return tuple(applied.block.ref for applied in self._applied)

    def _finalise(self, finalised: State, base: BlockRef) -> None:
        """Blocks up to the finalised head are no longer the view's."""
        if self._base == base:
            return
        refs = self._refs()
        if base in refs:
            self._applied, self._base = self._applied[refs.index(base) + 1 :], base
        else:
            self._restart(finalised, base)

    def _restart(self, finalised: State, base: BlockRef) -> None:
        self._state = copied(finalised)
        self._applied, self._base = [], base

    def _move(self, finalised: State, base: BlockRef, found: Branch) -> None:
        """To the chain of `found`, which leaves the view's own at one of its blocks or its base."""
        hashes = [ref.hash for ref in self._refs()]
        kept = hashes.index(found.fork) + 1 if found.fork in hashes else 0
        blocks = found.blocks
        if kept < len(hashes):
            blocks = (*(applied.block for applied in self._applied[:kept]), *blocks)
            self._restart(finalised, base)
        for block in blocks:
            self._apply(block)

    def _apply(self, block: Block) -> None:
        state = self._standing()
        report = apply_block(state, block, self._runtimes(block.spec_version))
        for storage_map in state.maps():
            storage_map.take_changes()  # nobody writes them, so nobody needs to know
        self._applied.append(_Applied(block, report))

    def _standing(self) -> State:
        assert self._state is not None, "a view with a base has a state"
        return self._state

    def _value(
        self,
        finalised: State,
        base: BlockRef,
        rolled_back: tuple[BlockRef, ...],
        problem: str | None,
    ) -> Unfinalised:
        refs, state = self._refs(), self._standing()
        reports = [applied.report for applied in self._applied]
        return Unfinalised(
            finalised=base,
            best=refs[-1] if refs else base,
            state_root=state.root(),
            blocks=refs,
            rolled_back=rolled_back,
            remarks=tuple(remark for report in reports for remark in _remarks(report)),
            payouts=tuple(payout for report in reports for payout in _payouts(report)),
            approvals=tuple(_approvals(finalised, state)),
            problem=problem,
        )


def branch(node: NodeSource, base: BlockRef, known: Collection[Hash]) -> Branch | str:
    """The node's best chain from the last block in `known` on, or why there is none to be had.

    `base`, the finalised head, is in `known`. Raises `SourceError`.
    """
    refs: list[BlockRef] = []
    digest = node.best_hash()
    while digest not in known:
        header = node.header(digest)
        if header.number <= base.number:
            return f"{node.client.url}: its best chain is not above finalised block {base.number}"
        if len(refs) == MOST_BLOCKS:
            return f"finality is more than {MOST_BLOCKS} blocks behind: there is no view of them"
        refs.append(BlockRef(header.number, digest))
        digest = header.parent_hash
    refs.reverse()
    blocks: list[Block] = []
    for start in range(0, len(refs), _BLOCKS_AT_ONCE):
        window = refs[start : start + _BLOCKS_AT_ONCE]
        blocks += node.window(window, blocks[-1].ref if blocks else None)
    return Branch(digest, tuple(blocks))


def copied(state: State) -> State:
    """One of its own that says the same."""
    copy = State(state.network, state.expected_origin)
    for ours, theirs in zip(copy.maps(), state.maps(), strict=True):
        ours.copy_from(theirs)
    return copy


def _remarks(report: BlockReport) -> Iterator[SeenRemark]:
    remarks: list[Accepted | Refused] = [*report.accepted, *report.refused]
    for remark in sorted(remarks, key=lambda each: each.key):
        if isinstance(remark, Accepted):
            yield SeenRemark(report.ref.number, remark.kind, remark.origin, None)
        else:
            yield SeenRemark(report.ref.number, None, remark.origin, remark.reason)


def _payouts(report: BlockReport) -> Iterator[SeenPayout]:
    for _, batch in report.batches:
        yield SeenPayout(
            report.ref.number,
            batch.period,
            batch.status.name.lower(),
            batch.call_hash,
            batch.total,
        )


def _approvals(finalised: State, state: State) -> Iterator[SeenApproval]:
    """In the view's state and not in the finalised one."""
    before = finalised.mirrors.multisig.operations
    for key, operation in sorted(state.mirrors.multisig.operations.items()):
        known = before.find(key)
        if known is operation:  # copies share what did not change
            continue
        heard = set() if known is None else {approval.who for approval in known.approvals}
        for approval in operation.approvals:
            if approval.who not in heard:
                yield SeenApproval(key[0], key[1], approval.who)
