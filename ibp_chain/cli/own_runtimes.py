"""The runtimes that a curator's own ledger keeps: what is signed is encoded and read by these.

A node's word for its metadata decides which bytes a call has. The ledger's came with the blocks
that it followed, and nobody changes it for one signature.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ibp_chain.archive import ArchiveSource
from ibp_chain.errors import ConfigError, InputError
from ibp_chain.peer_codec import PeerCodec, peer_codec
from ibp_chain.runtime import Runtime
from ibp_chain.runtimes import read_runtime
from ibp_chain.types import SpecVersion
from ledger.store import Store
from multisig.errors import ApprovalRefused


class OwnRuntimes(NamedTuple):
    """Both raise `ApprovalRefused` for a spec version that the ledger does not have."""

    runtime: Callable[[SpecVersion], Runtime]
    codec: Callable[[SpecVersion], PeerCodec]
    metadata_v14: Callable[[SpecVersion], bytes]


def own_runtimes(db: str, archive: Path | None) -> OwnRuntimes:
    """Of the archive where there is one, else of the database."""

    @cache
    def metadata(version: SpecVersion) -> tuple[bytes, bytes]:
        try:
            if archive is not None:
                source = ArchiveSource(archive)
                return source.metadata(version), source.metadata_v14(version)
            with Store(db) as store:
                return store.metadata(version), store.metadata_v14(version)
        except (ConfigError, InputError) as error:
            raise ApprovalRefused(
                f"the runtime is of spec version {version}, and your ledger does not have its "
                f"metadata to check by what is signed ({error}): follow or replay the chain up to "
                "the upgrade first"
            ) from error

    return OwnRuntimes(
        lambda version: read_runtime(metadata(version)[0]),
        lambda version: peer_codec(metadata(version)[1]),
        lambda version: metadata(version)[1],
    )
