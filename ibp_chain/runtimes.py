"""The runtimes of a source's blocks, each read once."""

from collections.abc import Callable
from functools import cache

from ibp_chain.runtime import Runtime
from ibp_chain.source import BlockSource
from ibp_chain.types import SpecVersion


def runtimes(source: BlockSource) -> Callable[[SpecVersion], Runtime]:
    """The runtime of a spec version, by the source's metadata.

    The result raises what the source raises for a spec version that it does not know.
    """

    @cache
    def runtime(spec_version: SpecVersion) -> Runtime:
        return Runtime.from_metadata(source.metadata(spec_version))

    return runtime
