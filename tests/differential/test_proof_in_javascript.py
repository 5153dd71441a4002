"""The browser's check of a proof beside ours: the same verdict on any bytes, in Node.

The pages' module is run as it is served; the vendored hash is held against its own package.
"""

import json
import random
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from ibp_chain.web.app import STATIC
from oracles.errors import ProofError, ProofRefused
from oracles.proof import read_proof, verify
from scripts.devnet_node import find_node, install_packages
from tests.support import web
from tests.support.command_line import ROOT
from tests.support.proof_files import CHANGES, Document, altered

_PEERS = ROOT / "tests" / "peers"
_CHECK = """
import { checkProof } from %s
const files = JSON.parse(await new Response(process.stdin).text())
const found = files.map((each) => checkProof(Uint8Array.from(Buffer.from(each, 'hex'))))
console.log(JSON.stringify(found.map(({ holds, row }) => [holds, row?.fields ?? null])))
"""


def _by_node(files: list[bytes]) -> list[tuple[bool, object]]:
    """For each file whether it holds, and the row's fields as far as they were read."""
    module = json.dumps((STATIC / "proof.js").as_uri())
    done = subprocess.run(
        [find_node(), "--input-type=module", "--eval", _CHECK % module],
        input=json.dumps([each.hex() for each in files]),
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return [tuple(each) for each in json.loads(done.stdout)]


def _by_us(file: bytes) -> bool:
    """Whether it is a proof that holds under its own root."""
    try:
        proof = read_proof(file)
        verify(proof, root=proof.root, size=proof.size)
    except (ProofError, ProofRefused):
        return False
    return True


def _with_row(row: str, document: Document) -> None:
    document["row"] = row


def _bent(proofs: list[bytes], seed: int) -> Iterator[bytes]:
    """Each with a hex digit of its row, a digit elsewhere, or a whole byte of the file changed."""
    chance = random.Random(seed)
    for proof in proofs:
        document = json.loads(proof)
        row = bytearray.fromhex(document["row"][2:])
        for _ in range(12):
            changed = bytearray(row)
            place = chance.randrange(min(len(row), 60))
            changed[place] = chance.choice([0, 1, 2, 3, 4, 0x80, 0xFF, changed[place] ^ 1])
            yield altered(proof, partial(_with_row, "0x" + changed.hex()))
        for _ in range(6):
            raw = bytearray(proof)
            raw[chance.randrange(len(raw))] = chance.randrange(256)
            yield bytes(raw)


@pytest.fixture(scope="module")
def proofs() -> list[bytes]:
    """One for every kind of row, of several days."""
    return [
        *web.proofs_of_day("2026-01-29").values(),
        *web.proofs_of_day("2026-01-31").values(),
        web.proof_of_another_tree("2026-01-30"),
    ]


def test_every_kind_of_row_is_read_alike(proofs: list[bytes]) -> None:
    found = _by_node(proofs)
    assert [holds for holds, _ in found] == [True] * len(proofs)
    assert [fields for _, fields in found] == [json.loads(each)["fields"] for each in proofs]


def test_bent_proofs_get_the_same_verdict(proofs: list[bytes]) -> None:
    service = web.proof_of_service("2026-01-30", "amforc", "polkadot")
    files = [*_bent(proofs, 2026), *(altered(service, change) for change, _ in CHANGES.values())]
    verdicts = [holds for holds, _ in _by_node(files)]
    assert verdicts == [_by_us(each) for each in files]
    assert verdicts.count(False) > len(files) // 2


@pytest.mark.parametrize("name", ["blake2", "_blake", "_md", "_u64", "utils"])
def test_the_vendored_hash_is_its_package_byte_for_byte(name: str) -> None:
    """Whose integrity is in the lock file that npm installs from."""
    install_packages(find_node(), _PEERS)
    package = _PEERS / "node_modules" / "@noble" / "hashes"
    assert json.loads((package / "package.json").read_text())["version"] == "2.4.0"
    own: Path = STATIC / "noble-hashes-2.4.0" / f"{name}.js"
    assert own.read_bytes() == (package / f"{name}.js").read_bytes()
