"""Play the scenario on a fresh test chain and record what `ibp demo` runs on.

    python -m scripts.record_demo

Writes `ibp_chain/data/demo/`: the archive with a proof of every block's events, the published rows,
statement and bundle, and `demo.json` with what an independent replay must come to.
"""

import json
import shutil
import tempfile
from pathlib import Path

from ibp_chain.accounts import ss58_encode
from ibp_chain.archive import ArchiveSource
from ibp_chain.archive_record import record
from ibp_chain.cli.output import hex_, progress
from ibp_chain.runtimes import runtimes
from ibp_chain.source import NodeSource
from ledger.replay import apply_block
from ledger.state import State
from scripts.devnet_process import start_devnet
from scripts.scenario.cast import Cast
from scripts.scenario.play import NETWORK, devnet_options, load_cast, play

TARGET = Path(__file__).parents[1] / "ibp_chain" / "data" / "demo"


def main() -> None:
    cast = load_cast()
    TARGET.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TARGET.parent) as temporary:
        folder = Path(temporary) / "demo"
        folder.mkdir()
        with start_devnet(**devnet_options(cast)) as devnet:
            play(devnet, cast, folder, print)
            with NodeSource(devnet.url) as node, progress("recording", None) as tick:
                record(node, folder / "archive", proofs=True, progress=tick)
        (folder / "demo.json").write_text(json.dumps(_facts(cast, folder), indent=2) + "\n")
        shutil.rmtree(TARGET, ignore_errors=True)
        folder.rename(TARGET)


def _facts(cast: Cast, folder: Path) -> dict[str, str]:
    """What the recording's maker says; the demo finds it out for itself and compares."""
    source = ArchiveSource(folder / "archive")
    runtime_of, state = runtimes(source), State(NETWORK, cast.multisig)
    for block in source.blocks(source.first()):
        apply_block(state, block, runtime_of(block.spec_version))
    return {
        "network": NETWORK.name,
        "curators": ss58_encode(cast.multisig, NETWORK.ss58_prefix),
        "state_root": hex_(state.root()),
    }


if __name__ == "__main__":
    main()
