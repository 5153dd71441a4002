"""Times substrate-interface itself reading blocks, on the bytes that stdin gives.

Each block is read as its users read one: `get_block`, then `get_events`. Its transport is replaced
by one that answers from memory, without JSON; all else is as it comes, accounts in SS58 included.

Each line of stdin and stdout is JSON, as `scripts.bench.peers` writes and reads them.
"""

import gc
import json
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from substrateinterface import SubstrateInterface

from scripts.bench.python_peer import say, timed

_NOWHERE = "http://127.0.0.1"  # asked for by the constructor, and never used


class InMemory:
    """A transport of substrate-interface: a node that has the blocks of `job` at hand."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        blocks = job["blocks"]
        self._headers = {block["hash"]: block["header"] for block in blocks}
        self._extrinsics = {
            block["hash"]: ["0x" + raw for raw in block["extrinsics"]] for block in blocks
        }
        self._events = {block["hash"]: "0x" + block["events"] for block in blocks}
        self._metadata = {int(key): "0x" + raw for key, raw in job["metadata"].items()}
        self._versions = {block["header"]["parentHash"]: block["spec_version"] for block in blocks}
        """Of the runtime in a block's state, which executes the next."""
        self._answers: Mapping[str, Callable[[list[str]], Any]] = {
            "chain_getBlock": lambda given: {"block": self._block(given[0])},
            "chain_getHeader": lambda given: self._headers[given[0]],
            "state_getStorageAt": lambda given: self._events[given[1]],
            "state_getRuntimeVersion": lambda given: {
                "specVersion": self._versions[given[0]],
                "transactionVersion": 0,
            },
            "state_getMetadata": lambda given: self._metadata[self._versions[given[0]]],
            "rpc_methods": lambda _: {"methods": list(self._answers)},
        }

    def rpc_request(self, payload: Mapping[str, Any], result_handler: object = None) -> Any:
        del result_handler  # for subscriptions
        return {"result": self._answers[payload["method"]](payload["params"])}

    def _block(self, digest: str) -> Any:
        """Made anew for each request: substrate-interface puts what it decodes into it."""
        header = self._headers[digest]
        return {
            "header": {**header, "digest": {"logs": [*header["digest"]["logs"]]}},
            "extrinsics": [*self._extrinsics[digest]],
        }


def main() -> None:
    job = json.loads(sys.stdin.readline())
    hashes = [block["hash"] for block in job["blocks"]]
    first_of_spec = {block["spec_version"]: block["hash"] for block in reversed(job["blocks"])}
    started = time.process_time()
    node = SubstrateInterface(_NOWHERE, use_remote_preset=False, auto_discover=False)
    node.transport = InMemory(job)
    for digest in first_of_spec.values():
        node.init_runtime(digest)
    loaded = time.process_time() - started

    def whole() -> None:
        for digest in hashes:
            node.get_block(digest)
            node.get_events(digest)

    seen = {
        "events": [
            [_name(event.value, "module_id", "event_id") for event in node.get_events(digest)]
            for digest in hashes
        ],
        "calls": [
            [
                _name(extrinsic.value["call"], "call_module", "call_function")
                for extrinsic in node.get_block(digest)["extrinsics"]
            ]
            for digest in hashes
        ],
    }
    gc.collect()
    gc.freeze()
    say({"version": version("substrate-interface"), "loaded": loaded, "seen": seen})
    for _ in sys.stdin:
        say(timed(whole))


def _name(value: Mapping[str, str], pallet: str, name: str) -> str:
    return f"{value[pallet]}.{value[name]}"


if __name__ == "__main__":
    main()
