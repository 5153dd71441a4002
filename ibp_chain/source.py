"""Where blocks come from: one interface over a node and an archive, and the node.

A source delivers finalised blocks in ascending order, each linked to the one before, with hash and
extrinsics root recomputed. Their events and metadata are the node's word: `read_proofs` lets a
caller bind events to the header.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from ibp_chain.blocks import Block, BlockRef, Header
from ibp_chain.errors import SourceError
from ibp_chain.headers import first_fault
from ibp_chain.node import ChainInfo, Missing, Node, Pruned, to_hex
from ibp_chain.rpc import Request, RpcClient
from ibp_chain.types import BlockNumber, Hash, SpecVersion

EVENTS_KEY = bytes.fromhex("26aa394eea5630e07c48ae0c9558cef780d41e5e16056765bc8461851072c9d7")
"""twox128("System") + twox128("Events")."""
NO_EVENTS = b"\0"
"""What an absent `System.Events` means: the empty vector."""
_KEPT_VERSIONS = 256


class BlockSource(Protocol):
    """Finalised blocks of one chain."""

    @property
    def genesis_hash(self) -> Hash: ...

    def chain(self) -> ChainInfo: ...

    def head(self) -> BlockRef:
        """The last finalised block of a node, the last block of an archive."""

    def first(self) -> BlockNumber:
        """The lowest height that there is a block to be had for."""

    def blocks(self, first: BlockNumber, last: BlockNumber | None = None) -> Iterator[Block]:
        """Blocks with heights `first` to `last`, default the head, ascending and linked."""

    def metadata(self, spec_version: SpecVersion) -> bytes:
        """The runtime's metadata, from its magic `meta` on."""

    def metadata_v14(self, spec_version: SpecVersion) -> bytes:
        """The same in version 14, for decoders that read no newer one."""


class WrongChain(SourceError):
    """A node is on another chain than it should be."""


class NodeSource(Node):
    """Finalised blocks of a node, over JSON-RPC.

    `window` blocks are asked for at once. Every failure is a `SourceError` that names the node.
    """

    def __init__(
        self,
        url: str,
        *,
        expected_genesis: Hash | None = None,
        window: int = 32,
        poll_seconds: float = 6.0,
        client: RpcClient | None = None,
    ) -> None:
        super().__init__(RpcClient(url) if client is None else client)
        self.at_once, self.poll_seconds = window, poll_seconds
        self._states: dict[SpecVersion, Hash] = {}
        """A block in whose post-state each known runtime is."""
        self._versions: dict[Hash, SpecVersion] = {}
        """Answers of late, by block."""
        try:
            self.genesis_hash = self._checked_genesis(expected_genesis)
        except BaseException:
            if client is None:  # nobody else could close it
                self.close()
            raise

    def _checked_genesis(self, expected: Hash | None) -> Hash:
        genesis = self.hashes([0])[0]
        if genesis is None:
            raise self.wrong("has no block 0")
        if expected is not None and genesis != expected:
            raise WrongChain(
                f"{self.client.url} is on another chain: its genesis is {to_hex(genesis)}, "
                f"expected {to_hex(expected)}"
            )
        return genesis

    def head(self) -> BlockRef:
        digest = self.finalised_hash()
        if digest == self.genesis_hash:  # whose header a test chain may not be able to serve
            return BlockRef(BlockNumber(0), digest)
        return BlockRef(self.header(digest).number, digest)

    def first(self) -> BlockNumber:
        """1: genesis has neither extrinsics nor events."""
        return BlockNumber(1)

    def blocks(self, first: BlockNumber, last: BlockNumber | None = None) -> Iterator[Block]:
        if first < self.first():
            raise SourceError(f"block {first}: the first block that can be read is {self.first()}")
        return self._blocks(first, last, self._before(first))

    def block(self, digest: Hash) -> Block:
        """One block by its hash, final or not."""
        return self.window([BlockRef(self.header(digest).number, digest)], None)[0]

    def heads(self, stop: Callable[[], bool] = lambda: False) -> Iterator[BlockRef]:
        """The finalised head, whenever there may be another, until `stop` says so.

        `stop` is asked before each and at least every `poll_seconds`.
        """
        for _ in self.client.finalised_heads(self.poll_seconds):
            if stop():
                return
            yield self.head()

    def follow(
        self, first: BlockNumber, stop: Callable[[], bool] = lambda: False
    ) -> Iterator[Block]:
        """Blocks from `first` on: those that are there, then each as it is finalised.

        Ends when `stop` says so; it is asked between blocks and at least every `poll_seconds`.
        """
        number, previous = first, None
        for head in self.heads(stop):
            if head.number < number:
                continue
            if previous is None:
                previous = self._before(number)
            for block in self._blocks(number, None, previous):
                yield block
                number, previous = BlockNumber(block.header.number + 1), block.ref
                if stop():
                    return

    def metadata(self, spec_version: SpecVersion) -> bytes:
        """In the newest version up to 16 that the runtime offers.

        Only for runtimes of blocks that this source has delivered, of genesis and of the head.
        """
        return self.metadata_at(self._state_with(spec_version))

    def metadata_v14(self, spec_version: SpecVersion) -> bytes:
        """As `metadata`, in the version that `state_getMetadata` answers with."""
        return self.metadata_v14_at(self._state_with(spec_version))

    def _state_with(self, spec_version: SpecVersion) -> Hash:
        if spec_version not in self._states:
            for state in (self.genesis_hash, self.finalised_hash()):
                self._version_at(state)
        if spec_version not in self._states:
            raise self.wrong(f"has shown no block with spec version {spec_version} yet")
        return self._states[spec_version]

    def _before(self, first: BlockNumber) -> BlockRef | None:
        below = BlockNumber(first - 1)
        digest = self.hashes([below])[0]
        return None if digest is None else BlockRef(below, digest)

    def _blocks(
        self, first: BlockNumber, last: BlockNumber | None, previous: BlockRef | None
    ) -> Iterator[Block]:
        head = self.head()
        if last is not None and last > head.number:
            raise self.wrong(f"has finalised block {head.number}, but not yet block {last}")
        number, last = first, head.number if last is None else last
        while number <= last:
            refs = self.refs(number, BlockNumber(min(number + self.at_once - 1, last)))
            if not refs:
                number = self.behind_gap(previous, number, head)
                continue
            if refs[-1].number == head.number and refs[-1] != head:
                raise self.untrue(f"names two different finalised blocks {head.number}")
            yield from self.window(refs, previous)
            previous = refs[-1]
            number = BlockNumber(refs[-1].number + 1)

    def window(self, refs: Sequence[BlockRef], previous: BlockRef | None) -> list[Block]:
        """The blocks `refs`, each linked to the one before, the first to `previous` if given.

        Raises `Untrue` where a hash, a link or an extrinsics root does not hold.
        """
        blocks = []
        for block in self._fetch(refs):
            fault = first_fault(block, previous)
            if fault is not None:
                raise self.untrue(
                    f"sent a block {block.header.number} that does not hold up: "
                    f"{fault.field}: {fault.detail}"
                )
            blocks.append(block)
            previous = block.ref
        return blocks

    def refs(self, first: BlockNumber, last: BlockNumber) -> list[BlockRef]:
        """Blocks from `first` on, up to `last` or the first height without a block."""
        refs = []
        for height, digest in enumerate(self.hashes(range(first, last + 1)), first):
            if digest is None:
                break
            refs.append(BlockRef(BlockNumber(height), digest))
        return refs

    def behind_gap(
        self, previous: BlockRef | None, missing: BlockNumber, head: BlockRef
    ) -> BlockNumber:
        """The height of the block whose parent is `previous`, where `missing` has none.

        Test chains skip heights when they jump in time. There may be several gaps up to the head:
        each round finds the upper edge of one, and goes on below until the parent is the right one.
        """
        if previous is None:
            raise self.wrong(f"has neither block {missing} nor the one below")
        high = head.number
        while True:
            low = missing
            while high - low > 1:
                middle = BlockNumber((low + high) // 2)
                if self.hashes([middle])[0] is None:
                    low = middle
                else:
                    high = middle
            digest = self.hashes([high])[0]
            if digest is None:
                raise Missing(f"{self.client.url} lost block {high} while it was read")
            parent_hash = self.header(digest).parent_hash
            if parent_hash == previous.hash:
                return high
            high = self.header(parent_hash).number
            if high <= missing:
                raise self.untrue(
                    f"skips block {missing} without a link to block {previous.number}: "
                    "has its finalised chain changed?"
                )

    def _fetch(self, refs: Sequence[BlockRef]) -> Iterator[Block]:
        requests = [Request("state_getRuntimeVersion", (to_hex(refs[-1].hash),))]
        for ref in refs:
            requests.append(Request("chain_getBlock", (to_hex(ref.hash),)))
            requests.append(Request("state_getStorage", (to_hex(EVENTS_KEY), to_hex(ref.hash))))
        version, *replies = self.ask_state(requests)
        self._note_version(refs[-1].hash, version)
        bodies = [self._body(ref, reply) for ref, reply in zip(refs, replies[::2], strict=True)]
        states = [bodies[0][0].parent_hash, *(ref.hash for ref in refs)]
        executed_by = self._versions_of(states)[:-1]
        for ref, (header, extrinsics), events, spec_version in zip(
            refs, bodies, replies[1::2], executed_by, strict=True
        ):
            raw = NO_EVENTS if events is None else self.bytes(events, f"events of {ref.number}")
            yield Block(ref.hash, header, extrinsics, raw, spec_version)

    def _body(self, ref: BlockRef, reply: Any) -> tuple[Header, tuple[bytes, ...]]:
        match reply:
            case {"block": {"header": header_json, "extrinsics": list(extrinsics)}}:
                header = self.read_header(header_json)
            case None:
                raise Pruned(
                    f"{self.client.url} has no body of block {ref.number}: it is pruned; "
                    "use an archive node (--blocks-pruning archive)"
                )
            case _:
                raise self.wrong(f"sent a malformed block {ref.number}")
        if header.number != ref.number:
            raise self.untrue(f"sent block {header.number} for block {ref.number}")
        return header, tuple(self.bytes(raw, "extrinsic") for raw in extrinsics)

    def _versions_of(self, states: Sequence[Hash]) -> list[SpecVersion]:
        """The spec version in each of consecutive post-states.

        Asks at both ends and bisects where they differ: spec versions only rise, so equal ends
        mean that there was no upgrade between them.
        """
        found = [self._version_at(states[0])] * len(states)
        spans = [(0, found[0], len(states) - 1, self._version_at(states[-1]))]
        while spans:
            low, at_low, high, at_high = spans.pop()
            found[low : high + 1] = [at_low] * (high - low) + [at_high]
            if at_low != at_high and high - low > 1:
                middle = (low + high) // 2
                at_middle = self._version_at(states[middle])
                spans += [(middle, at_middle, high, at_high), (low, at_low, middle, at_middle)]
        return found

    def version_after(self, state: Hash) -> SpecVersion:
        """Of the runtime in the post-state of a block: the one that executes the next."""
        return self._version_at(state)

    def _version_at(self, state: Hash) -> SpecVersion:
        if state not in self._versions:
            (reply,) = self.ask_state([Request("state_getRuntimeVersion", (to_hex(state),))])
            self._note_version(state, reply)
        return self._versions[state]

    def _note_version(self, state: Hash, reply: Any) -> None:
        if len(self._versions) > _KEPT_VERSIONS:
            self._versions.clear()
        self._versions[state] = spec_version = self.spec_version(reply)
        self._states.setdefault(spec_version, state)
