"""The runtimes of a source's blocks, each read once."""

from collections.abc import Callable
from functools import lru_cache

from ibp_chain.errors import SourceError
from ibp_chain.networks import Network, network_of_spec
from ibp_chain.runtime import Runtime
from ibp_chain.source import BlockSource
from ibp_chain.types import SpecVersion

_KEPT = 8
"""Runtimes in memory for one source: blocks come in order, and upgrades are rare."""


def runtimes(source: BlockSource) -> Callable[[SpecVersion], Runtime]:
    """The runtime of a spec version, by the source's metadata.

    The result raises what the source raises for a spec version that it does not know, and
    `SourceError` for metadata of another one.
    """

    @lru_cache(maxsize=_KEPT)
    def runtime(spec_version: SpecVersion) -> Runtime:
        return check_version(source.metadata(spec_version), spec_version, "the source's metadata")

    return runtime


def check_version(metadata: bytes, spec_version: SpecVersion, whose: str) -> Runtime:
    """The runtime of `metadata`, which says itself which spec version it is of.

    Raises `SourceError` for another one: whoever said that it is of `spec_version` was wrong.
    """
    runtime = read_runtime(metadata)
    if runtime.spec_version != spec_version:
        raise SourceError(
            f"{whose} for spec version {spec_version} is of {runtime.spec_version}: a node was "
            "wrong about a block's; let blocks be proven (--proofs), of more nodes (--trust)"
        )
    return runtime


@lru_cache(maxsize=4)
def read_runtime(metadata: bytes) -> Runtime:
    """The runtime of `metadata`, read once: a ledger and a node mostly have the same."""
    return Runtime.from_metadata(metadata)


def network_of(source: BlockSource, runtime_of: Callable[[SpecVersion], Runtime]) -> Network:
    """The network whose runtime the source's newest blocks have.

    Raises `ConfigError`; `SourceError` where no block comes, as of a source that is to end.
    """
    head = source.head().number
    last = next(iter(source.blocks(head, head)), None) if head else None
    if last is None:
        raise SourceError("there is no finalised block to read yet: wait for one")
    return network_of_spec(runtime_of(last.spec_version).spec_name)
