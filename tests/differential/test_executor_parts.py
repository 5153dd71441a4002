"""The host functions' parts beside a few lines of Python: storage, appending, recovered keys.

What the real runtime does on the test chain, `test_executor_peers` compares; here are the cases
that it does not come to.
"""

import json
import random
import subprocess
from itertools import count
from typing import Any

import pytest
from eth_keys import datatypes as secp256k1

from ibp_chain.blocks import blake2_256
from ibp_chain.scale.primitives import encode_compact
from ibp_chain.trie import trie_root
from scripts.devnet_node import SERVER, find_node, install_packages
from scripts.public_data import chain_spec
from tests.support.peers import octets

MODULES = SERVER / "executor"
CURVE_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
_OVERLAY = """
import { Overlay } from %(folder)s + '/overlay.mjs'
import { Trie } from %(folder)s + '/../trie.mjs'
const courses = JSON.parse(await new Response(process.stdin).text())
const hex = (bytes) => bytes === undefined ? null : '0x' + Buffer.from(bytes).toString('hex')
const play = ([state, steps]) => {
  const overlay = new Overlay(new Trie(1).with(state))
  const acts = {
    get: (key) => hex(overlay.get(key)),
    set: (key, value) => void overlay.set(key, value && Buffer.from(value.slice(2), 'hex')),
    next: (key) => overlay.nextKey(key) ?? null,
    clear: (prefix, limit) => Object.values(overlay.clearPrefix(prefix, limit ?? undefined)),
    start: () => void overlay.start(),
    commit: () => void overlay.commit(),
    rollback: () => void overlay.rollback(),
    root: () => overlay.root,
  }
  const said = steps.map(([name, ...args]) => acts[name](...args) ?? null)
  return [said, overlay.changes()]
}
console.log(JSON.stringify(courses.map(play)))
"""
_APPEND = """
import { appended } from %(folder)s + '/append.mjs'
const cases = JSON.parse(await new Response(process.stdin).text())
const bytes = (hex) => hex === null ? undefined : new Uint8Array(Buffer.from(hex, 'hex'))
console.log(JSON.stringify(cases.map(([vector, item]) =>
  Buffer.from(appended(bytes(vector), bytes(item))).toString('hex'))))
"""
_RECOVER = """
import { cryptoFunctions } from %(folder)s + '/host/crypto.mjs'
const cases = JSON.parse(await new Response(process.stdin).text())
const bytes = (hex) => new Uint8Array(Buffer.from(hex, 'hex'))
console.log(JSON.stringify(cases.map(([version, signature, hash]) => {
  const given = [bytes(signature), bytes(hash)]
  const putSpan = (answer) => Buffer.from(answer).toString('hex')
  const functions = cryptoFunctions({ guest: { read: (at) => given[at], putSpan } })
  return functions[`ext_crypto_secp256k1_ecdsa_recover_compressed_version_${version}`](0, 1)
})))
"""


_VERIFY = """
import { cryptoFunctions } from %(folder)s + '/host/crypto.mjs'
const cases = JSON.parse(await new Response(process.stdin).text())
const bytes = (hex) => new Uint8Array(Buffer.from(hex, 'hex'))
console.log(JSON.stringify(cases.map(([name, ...given]) => {
  const read = (at) => bytes(given[at])
  return cryptoFunctions({ guest: { read, readSpan: read } })[`ext_crypto_${name}`](0, 1, 2)
})))
"""
_LOGS = """
import { runCalls } from %(folder)s + '/index.mjs'
import { Trie } from %(folder)s + '/../trie.mjs'
const { genesis, levels } = JSON.parse(await new Response(process.stdin).text())
const state = new Trie(0).with(Object.entries(genesis))
console.log(JSON.stringify(levels.map((logLevel) => {
  const lines = []
  const log = (...line) => lines.push(line)
  const calls = [['Core_initialize_block', ['0x00']]]
  const { Error } = runCalls({ code: genesis['0x3a636f6465'], state, calls, logLevel, log })
  return [Error, lines]
})))
"""


@pytest.fixture(scope="module", autouse=True)
def packages() -> None:
    install_packages(find_node())


def in_node(program: str, cases: Any) -> list[Any]:
    # an import takes no expression: the folder is written out
    source = program.replace("%(folder)s + '", "'" + MODULES.as_uri())
    done = subprocess.run(
        [find_node(), "--input-type=module", "--eval", source],
        input=json.dumps(cases), capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, list)
    return found


# --- storage ---


class Model:
    """Storage with transactions as copies: what the overlay must come to."""

    def __init__(self, state: dict[str, str]) -> None:
        self.state, self.now = state, dict(state)
        self.kept: list[dict[str, str]] = []

    def get(self, key: str) -> str | None:
        return self.now.get(key)

    def set(self, key: str, value: str | None) -> None:
        if value is None:
            self.now.pop(key, None)
        else:
            self.now[key] = value

    def next(self, key: str) -> str | None:
        return min((each for each in self.now if each > key), default=None)

    def clear(self, prefix: str, limit: int | None) -> list[object]:
        """All that is new goes, of what was there at first the first `limit` keys.

        Nothing by a prefix under which child tries' roots could be, as the empty one.
        """
        if prefix == "0x":
            return [0, False]
        before = sorted(key for key in self.state if key.startswith(prefix))
        doomed = before if limit is None else before[:limit]
        for key in [key for key in self.now if key.startswith(prefix)]:
            if key in doomed or self.now[key] != self.state.get(key):
                del self.now[key]
        return [len(doomed), len(doomed) < len(before)]

    def root(self) -> str:
        entries = ((octets(key), octets(value)) for key, value in self.now.items())
        return "0x" + trie_root(entries, 1).hex()

    def start(self) -> None:
        self.kept.append(dict(self.now))

    def commit(self) -> None:
        self.kept.pop()

    def rollback(self) -> None:
        self.now = self.kept.pop()


def course(seed: int) -> tuple[dict[str, str], list[list[Any]]]:
    """A state of few short keys, and steps on it; every value is written once only."""
    chance = random.Random(seed)
    keys = [
        "0x" + "".join(chance.choices(["00", "01", "7f", "ff"], k=chance.randint(1, 3)))
        for _ in range(12)
    ]
    values = ("0x" + f"{number:08x}" * (1 + number % 10) for number in count())
    state = {key: next(values) for key in keys[:8]}
    steps: list[list[Any]] = []
    depth = 0
    for _ in range(80):
        key = chance.choice(keys)
        step: list[Any] = chance.choice(
            [
                ["get", key], ["next", key], ["next", "0x"], ["set", key, None],
                ["set", key, next(values)],
                ["clear", key[: chance.choice([2, 4, 6])], chance.choice([None, 0, 1, 2, 9])],
                ["start"], ["commit"], ["rollback"], ["root"],
            ]
        )  # fmt: skip
        if step[0] in ("commit", "rollback"):
            if depth == 0:
                continue
            depth -= 1
        depth += step[0] == "start"
        steps.append(step)
    return state, [*steps, *[["commit"]] * depth, ["root"]]


def test_storage_is_what_transactions_and_prefixes_leave_of_it() -> None:
    courses = [course(seed) for seed in range(150)]
    for (state, steps), found in zip(courses, in_node(_OVERLAY, courses), strict=True):
        model = Model(state)
        expected = [getattr(model, name)(*args) for name, *args in steps]
        said, changes = found
        assert said == expected
        after = {**state, **dict(changes)}
        assert {key: value for key, value in after.items() if value is not None} == model.now
        assert changes == sorted(changes)


# --- appending ---

APPENDED = {
    "to nothing": (None, encode_compact(1)),
    "to no bytes": (b"", encode_compact(1)),
    "to an empty vector": (b"\x00", encode_compact(1)),
    "to one": (encode_compact(1) + b"a", encode_compact(2) + b"a"),
    "where the length grows to two bytes": (encode_compact(63) + b"a", encode_compact(64) + b"a"),
    "where it grows to four": (encode_compact(2**14 - 1) + b"a", encode_compact(2**14) + b"a"),
    "where it grows to five": (encode_compact(2**30 - 1) + b"a", encode_compact(2**30) + b"a"),
    "where the length is full": (encode_compact(2**32 - 1) + b"a", encode_compact(1)),
    "to what breaks off in its length": (b"\x01", encode_compact(1)),
    "to a length that is longer than needed": (b"\x05\x00a", encode_compact(1)),
    "to a length of more than four bytes": (b"\x07" + b"\xff" * 5 + b"a", encode_compact(1)),
}


def test_an_item_is_appended_or_stands_alone() -> None:
    vectors = [vector for vector, _ in APPENDED.values()]
    cases = [(None if vector is None else vector.hex(), b"item".hex()) for vector in vectors]
    found = in_node(_APPEND, cases)
    expected = [(head + b"item").hex() for _, head in APPENDED.values()]
    assert dict(zip(APPENDED, found, strict=True)) == dict(zip(APPENDED, expected, strict=True))


# --- keys ---

BAD_RS, BAD_V, BAD_SIGNATURE = "0100", "0101", "0102"


def test_a_key_is_recovered_or_the_error_is_that_of_sp_io() -> None:
    key = secp256k1.PrivateKey(b"\x07" * 32)
    digest = b"\x2a" * 32
    signature = key.sign_msg_hash(digest).to_bytes()
    r_and_s, v = signature[:64], signature[64]
    order = CURVE_ORDER.to_bytes(32, "big")
    wrapped = (int.from_bytes(b"\x05" * 16, "big") + CURVE_ORDER).to_bytes(32, "big")
    good = "00" + key.public_key.to_compressed_bytes().hex()
    cases = [
        (2, signature, good),
        (1, signature, good),
        (2, r_and_s + bytes([v + 27]), good),
        (2, r_and_s + b"\x04", BAD_V),
        (2, r_and_s + b"\xff", BAD_V),
        (2, order + r_and_s[32:] + b"\x00", BAD_RS),
        (2, r_and_s[:32] + order + b"\x00", BAD_RS),
        (2, wrapped + r_and_s[32:] + b"\x00", BAD_RS),
        (2, bytes(64) + b"\x00", BAD_SIGNATURE),
        (1, order + r_and_s[32:] + b"\x00", BAD_SIGNATURE),
    ]
    found = in_node(_RECOVER, [(version, raw.hex(), digest.hex()) for version, raw, _ in cases])
    assert found == [expected for *_, expected in cases]


def test_ecdsa_is_verified_with_a_bare_recovery_id() -> None:
    """`recover` takes 27 and 28 for 0 and 1, `verify` does not (sp_core::ecdsa)."""
    key = secp256k1.PrivateKey(b"\x07" * 32)
    other = secp256k1.PrivateKey(b"\x08" * 32).public_key.to_compressed_bytes()
    message, own = b"signed", key.public_key.to_compressed_bytes()
    digest = blake2_256(message)
    signature = key.sign_msg_hash(digest).to_bytes()
    ethereum = signature[:64] + bytes([signature[64] + 27])
    signed = {
        "ecdsa_verify_version_1": message,
        "ecdsa_verify_version_2": message,
        "ecdsa_verify_prehashed_version_1": digest,
    }
    cases, expected = [], []
    for name, what in signed.items():
        for made, by, valid in (
            (signature, own, 1), (ethereum, own, 0), (signature, other, 0),
            (signature[:64] + b"\x04", own, 0), (bytes(65), own, 0),
        ):  # fmt: skip
            cases.append((name, made.hex(), what.hex(), by.hex()))
            expected.append(valid)
    assert in_node(_VERIFY, cases) == expected


# --- logs ---


def test_what_the_runtime_logs_is_handed_on_up_to_the_level_and_errors_are_in_the_reason() -> None:
    genesis = json.loads(chain_spec("paseo-2024").read_text())["genesis"]["raw"]["top"]
    silent, talkative = in_node(_LOGS, {"genesis": genesis, "levels": [0, 1]})
    for reason, _ in (silent, talkative):
        assert "Bad input data provided to initialize_block" in reason
    assert silent[1] == []
    ((level, target, text),) = talkative[1]
    assert (level, target) == (0, "runtime")
    assert "Bad input data provided to initialize_block" in text
