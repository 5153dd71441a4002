"""The second codec, where threads use it for different runtimes, as a server's do."""

import gzip
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ibp_chain.errors import CheckFailed
from ibp_chain.peer_codec import PeerCodec

METADATA = Path(__file__).parents[2] / "data" / "metadata"
ROUNDS = 60


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def codec(spec: str) -> PeerCodec:
    return PeerCodec(gzip.decompress((METADATA / f"{spec}-v14.scale.gz").read_bytes()))


def batch(remarks: int) -> dict[str, Any]:
    remark = {"call_module": "System", "call_function": "remark"}
    calls = [remark | {"call_args": {"remark": "0x" + "ab" * each}} for each in range(remarks)]
    return {"call_module": "Utility", "call_function": "batch_all", "call_args": {"calls": calls}}


@pytest.mark.usefixtures("switching")
def test_runtimes_read_in_two_threads_are_not_read_by_each_others_types() -> None:
    codecs = codec("polkadot-1002005"), codec("polkadot-9110")
    calls = [each.encode_call(batch(20)) for each in codecs]
    assert calls[0] != calls[1], "their remarks have different indices"
    wrong: list[CheckFailed] = []

    def check(mine: PeerCodec, call: bytes) -> None:
        for _ in range(ROUNDS):
            try:
                assert mine.check_call(call) == "Utility.batch_all"
            except CheckFailed as error:
                wrong.append(error)

    threads = [
        threading.Thread(target=check, args=each) for each in zip(codecs, calls, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
