"""pymerkle beside our trees: the same leaves, shape and hash, and so the same root."""

import importlib
import sys
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b
from types import ModuleType
from typing import Any, NamedTuple, Protocol, TypeVar

from ibp_chain.errors import CheckFailed
from oracles.report import REPORT, ReportRow
from scripts.bench.setup import environment
from scripts.bench.timing import Seconds

T = TypeVar("T")
_HASH = "blake2b_256"


class Timed(Protocol):
    """Measures one thing, and gives what it came to."""

    def __call__(self, do: Callable[[], T]) -> tuple[Seconds, T]: ...


class Peer(NamedTuple):
    tree: Seconds
    proofs: Seconds
    checks: Seconds


def merkle_peer(rows: Sequence[ReportRow], timed: Timed) -> tuple[Peer | None, str]:
    """What pymerkle takes for `rows`, and in words what it did, or why it did nothing.

    Raises `CheckFailed` where its root is another one.
    """
    pymerkle = _module()
    if pymerkle is None:
        return None, "pymerkle could not be installed: no peer."
    treeing, tree = timed(lambda: _tree(pymerkle, rows))
    root = tree.get_state()
    if root != REPORT.root(rows):
        raise CheckFailed("pymerkle's root is another one")
    count = len(rows)
    proving, proofs = timed(lambda: [tree.prove_inclusion(i) for i in range(1, count + 1)])
    leaves = [tree.get_leaf(i) for i in range(1, count + 1)]
    check = pymerkle.verify_inclusion
    checking, _ = timed(
        lambda: [
            check(leaf, root, proof, index=i, size=count)
            for i, (leaf, proof) in enumerate(zip(leaves, proofs, strict=True), 1)
        ]
    )
    note = (
        f"Peer: pymerkle {pymerkle.__version__}, given blake2b-256 as its hash; it came to the "
        "same root. Ratio: how many times as long it takes. Both encode the rows; its "
        "checks start from the leaf's hash, ours from the row."
    )
    return Peer(treeing, proving, checking), note


def _module() -> ModuleType | None:
    """None where it was not set up. Its environment's packages come last, behind all of ours."""
    home = environment("pymerkle")
    if not (home / ".installed").is_file():
        return None
    sys.path += [str(path) for path in home.glob("lib/python*/site-packages")]
    pymerkle = importlib.import_module("pymerkle")
    hasher = importlib.import_module("pymerkle.hasher")
    hasher.HASH_FUNCTIONS[_HASH] = partial(blake2b, digest_size=32)
    hasher.ALGORITHMS.append(_HASH)
    return pymerkle


def _tree(pymerkle: ModuleType, rows: Sequence[ReportRow]) -> Any:
    """In memory, of the rows' bytes, which are made anew here as in our own tree."""
    tree = pymerkle.InmemoryTree(algorithm=_HASH)
    for leaf in REPORT.encoded(rows):
        tree.append_entry(leaf)
    tree.get_state()
    return tree
