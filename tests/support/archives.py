"""The recording in many small files, and places on the network that archives can be in."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from moto.server import ThreadedMotoServer

from ibp_chain.archive_blocks import Recorded
from ibp_chain.archive_record import ArchiveWriter
from ibp_chain.types import Hash
from tests.unit.store.demo import demo

BUCKET = "archives"


def demo_writer(folder: Path, genesis: Hash | None = None) -> ArchiveWriter:
    """Of an archive of the demo's chain; of another that is like it, where `genesis` is another."""
    source = demo().source
    return ArchiveWriter(
        folder,
        source.chain(),
        genesis or source.genesis_hash,
        lambda version: sorted({source.metadata_v14(version), source.metadata(version)}),
    )


def in_small_files(folder: Path, blocks: int) -> Path:
    """The demo's archive again, `blocks` to a file."""
    writer = demo_writer(folder)
    for number, block in enumerate(demo().blocks, 1):
        writer.append(Recorded(block, None))
        if number % blocks == 0:
            writer.flush()
    writer.flush()
    return folder


def change_a_byte(path: Path, at: int | None = None) -> None:
    """One bit of a file, in its middle unless told."""
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 if at is None else at] ^= 1
    path.write_bytes(bytes(raw))


@contextmanager
def s3_server() -> Iterator[str]:
    """An S3 server of this test's own on loopback, with an empty bucket; its URL.

    Who asks it needs credentials, any, as a real one does.
    """
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()
