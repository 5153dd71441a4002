"""What the nodes of a pool agree on: the finalised head, the block at a height, metadata.

Only nodes that are well are heard, and only of heights that they have finalised.
"""

from collections import Counter
from threading import Event

from ibp_chain.blocks import BlockRef, blake2_256
from ibp_chain.errors import SourceError
from ibp_chain.node import Pruned, Untrue, to_hex
from ibp_chain.node_agreement import NodesDisagree, Verdict, heights_to_compare, target, weigh
from ibp_chain.node_events import NodeObserver, Trouble
from ibp_chain.node_pool import Member, NodePool, Question
from ibp_chain.source import NodeSource
from ibp_chain.types import BlockNumber, Hash, SpecVersion


class TooFew(SourceError):
    """Not as many nodes answer now as must."""


class Votes:
    """Asks the nodes of `pool`; `trust` as in `ibp_chain.node_agreement`.

    `lag` is by how many blocks a node may be behind before it is set aside.
    """

    def __init__(
        self, pool: NodePool, *, trust: int | None, lag: int, observer: NodeObserver
    ) -> None:
        self._pool, self._trust, self._lag, self._observer = pool, trust, lag, observer

    def head(self) -> BlockRef:
        """The last finalised block that enough nodes have.

        Raises `NodesDisagree`, `TooFew`.
        """
        told = self._pool.survey(self._pool.ready(), lambda _, source: source.head())
        for member, head in told.items():
            member.head = head
        height = target(told.values(), self._trust)
        taken = None if height is None else self._compared(told, height)
        if height is None or taken is None:
            raise self.too_few(len(told))
        self._judge_lag(told, height)
        return BlockRef(height, taken)

    def at(self, height: BlockNumber, abandoned: Event) -> Hash | None:
        """What the nodes that have finalised `height` name there; None where none has a block.

        Raises `NodesDisagree`, `TooFew`.
        """
        members = [m for m in self._pool.ready() if m.head and m.head.number >= height]
        named = self._pool.survey(members, lambda _, source: source.hashes([height])[0], abandoned)
        if not named:
            raise self.too_few(0)
        taken = self._weighed(height, named).taken
        someone_names = any(digest is not None for digest in named.values())
        if taken is None and (someone_names or len(named) < (self._trust or 1)):
            raise self.too_few(len(named))
        return taken

    def version(self, state: Hash) -> SpecVersion:
        """Of the runtime in the post-state of a block, as most of the nodes say that keep it.

        A hint of where a runtime's metadata is: that says itself which version it is of. Raises
        `TooFew`, `Pruned` where none keeps the state.
        """

        def told(_: Member, source: NodeSource) -> SpecVersion | None:
            try:
                return source.version_after(state)
            except Pruned:
                return None

        found = self._pool.survey(self._pool.ready(), told)
        votes = Counter(version for version in found.values() if version is not None)
        if found and not votes:
            raise Pruned(f"no node has the state behind block {to_hex(state)}")
        favourite, count = votes.most_common(1)[0] if votes else (SpecVersion(0), 0)
        if count < (self._trust or 1):
            raise self.too_few(count)
        for member, version in found.items():
            if self._trust is not None and version not in (None, favourite):
                message = f"{member.name} names spec version {version}, the majority {favourite}"
                self._pool.set_aside(member, Untrue(message), Trouble.OUTVOTED)
        return favourite

    def metadata(self, spec_version: SpecVersion, question: Question[bytes]) -> bytes:
        """Nothing in a block commits to metadata, so every node is asked, and they must agree.

        Raises `NodesDisagree`, `TooFew`.
        """
        found = self._pool.survey(self._pool.ready(), lambda _, source: question(source))
        digests: dict[Member, Hash | None] = {m: blake2_256(raw) for m, raw in found.items()}
        what = "the metadata of spec version"
        taken = self._weighed(BlockNumber(spec_version), digests, what).taken
        for member, raw in found.items():
            if digests[member] == taken:
                return raw
        raise self.too_few(len(found))

    def too_few(self, told: int) -> TooFew:
        """That `told` nodes are not enough."""
        names = [member.name for member in self._pool.members]
        if self._trust is None or told == 0:
            return TooFew(f"no node answers now: {', '.join(names)}")
        return TooFew(
            f"{told} of {len(names)} nodes answer and agree, {self._trust} must (--trust)"
        )

    def _compared(self, told: dict[Member, BlockRef], height: BlockNumber) -> Hash | None:
        """The hash at `height`, where all nodes agree there and at every lower node's head."""
        heights = heights_to_compare(list(told.values()), height)
        asked = [m for m, head in told.items() if heights[0] < head.number]

        def below(member: Member, source: NodeSource) -> dict[BlockNumber, Hash | None]:
            lower = [each for each in heights if each < told[member].number]
            return dict(zip(lower, source.hashes(lower), strict=True))

        answers = self._pool.survey(asked, below) if asked else {}
        taken: Hash | None = None
        for each in heights:
            named = {
                member: head.hash if head.number == each else answers.get(member, {}).get(each)
                for member, head in told.items()
                if head.number >= each
            }
            taken = self._weighed(each, named).taken
        return taken

    def _weighed(
        self, height: BlockNumber, named: dict[Member, Hash | None], what: str = "block"
    ) -> Verdict:
        by_name = {member.name: digest for member, digest in named.items()}
        try:
            verdict = weigh(height, by_name, self._trust, what=what)
        except NodesDisagree as error:
            self._observer(error.disagreement)
            raise
        if verdict.disagreement is not None:
            self._observer(verdict.disagreement)
        for member in named:
            if member.name in verdict.outvoted:
                message = f"{member.name} names another {what} {height} than the majority"
                self._pool.set_aside(member, Untrue(message), Trouble.OUTVOTED)
        return verdict

    def _judge_lag(self, told: dict[Member, BlockRef], height: BlockNumber) -> None:
        for member, head in told.items():
            if head.number + self._lag < height:
                behind = f"{member.name}: its finalised head is {height - head.number} blocks back"
                self._pool.set_aside(member, SourceError(behind), Trouble.LAGGING)
            elif member.trouble is Trouble.LAGGING:
                self._pool.absolve(member)
