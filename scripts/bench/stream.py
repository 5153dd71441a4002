"""Reads, verifies and decodes a range of an archive, and prints how much memory that took at most.

    python -m scripts.bench.stream ARCHIVE FIRST LAST

Prints bytes as JSON: the resident peak of this process, null where there is no /proc.
"""

import json
import re
import sys
from pathlib import Path

from ibp_chain.archive import ArchiveSource
from ibp_chain.runtimes import runtimes
from ibp_chain.types import BlockNumber

_STATUS = Path("/proc/self/status")


def main() -> None:
    folder, first, last = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    source = ArchiveSource(folder)
    runtime_of = runtimes(source)
    for block in source.blocks(BlockNumber(first), BlockNumber(last)):
        runtime = runtime_of(block.spec_version)
        runtime.decode_events(block.events)
        for raw in block.extrinsics:
            runtime.decode_extrinsic(raw)
    sys.stdout.write(json.dumps(_peak()))


def _peak() -> int | None:
    # not getrusage: its peak begins with that of the process that started this one
    if not _STATUS.exists():
        return None
    found = re.search(r"^VmHWM:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    return None if found is None else int(found[1]) * 1024


if __name__ == "__main__":
    main()
