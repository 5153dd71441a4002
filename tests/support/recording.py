"""The bundled recording of the programme, for tests that want real blocks and metadata."""

from functools import cache

from ibp_chain.archive import ArchiveSource
from ibp_chain.blocks import Block
from ibp_chain.peer_codec import PeerCodec
from ibp_chain.runtime import Runtime
from ibp_chain.types import SpecVersion
from tests.support.command_line import DEMO

SPEC_VERSION = SpecVersion(1_001_002)


@cache
def source() -> ArchiveSource:
    return ArchiveSource(DEMO / "archive")


@cache
def blocks() -> tuple[Block, ...]:
    return tuple(source().blocks(source().first()))


@cache
def runtime() -> Runtime:
    return Runtime.from_metadata(source().metadata(SPEC_VERSION))


@cache
def peer() -> PeerCodec:
    return PeerCodec(source().metadata_v14(SPEC_VERSION))
