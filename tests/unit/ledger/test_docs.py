"""docs/remarks.md, docs/state.md and docs/rules.md say what the code does."""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from hashlib import blake2b
from importlib import import_module, resources
from typing import Any, NamedTuple

import pytest
import xxhash

from ibp_chain.accounts import ss58_encode, verify_signature
from ibp_chain.networks import NETWORKS
from ibp_chain.remark_bodies import Link, Observe, Payout, Program, Report
from ibp_chain.remarks import BODIES, encode, link_message, parse, signing_digest
from ibp_chain.scale.primitives import decode_compact
from ibp_chain.types import (
    AccountId,
    BlockNumber,
    Hash,
    Planck,
    PollIndex,
    RelayBlockNumber,
    TrackId,
)
from ledger.pallets import conviction_voting as cv
from ledger.pallets import democracy, multisig, scheduler
from ledger.pallets.migration import Window
from ledger.pallets.payouts import Claim, Violation, ViolationCode
from ledger.pallets.referenda import Poll, Status
from ledger.pallets.rejections import RejectionCode
from ledger.pallets.scores import Before
from ledger.program.rules import load_rules
from ledger.remark_routing import Accepted, Refused, remark_of
from ledger.state import State
from tests.support.programme import MULTISIG, PASEO, account
from tests.unit.ledger.doc_examples import DOCS, examples, fenced, payout_call, play, table, text
from tests.unit.program.test_milestones import IDS as SHOWN_IDS

PREFIX = PASEO.ss58_prefix


# --- docs/remarks.md ----------------------------------------------------------------------


def test_every_kind_has_its_section_and_an_example() -> None:
    headings = re.findall(r"^## `(\w+)`", text("remarks.md"), re.MULTILINE)
    assert sorted(headings) == sorted(BODIES)
    shown = {example.raw.split(b" ")[1].decode() for example in examples()}
    assert shown == set(BODIES)


def test_every_field_is_named_in_its_section() -> None:
    sections = re.split(r"^## ", text("remarks.md"), flags=re.MULTILINE)
    for kind, body in BODIES.items():
        (section,) = (part for part in sections if part.startswith(f"`{kind}`"))
        named = set(re.findall(r"`(\w+)`", section))
        assert set(body.model_fields) <= named, kind


def test_the_story_goes_as_it_is_told() -> None:
    _, outcomes = play()
    assert len(outcomes) == 15
    for example, outcome in zip(examples(), outcomes, strict=True):
        if example.code is None:
            assert isinstance(outcome, Accepted), example
        else:
            assert isinstance(outcome, Refused)
            assert outcome.code.name == example.code


def test_the_day_closes_before_the_first_report_without_the_contradicted(told: State) -> None:
    first = [example.raw.startswith(b"IBP/1 report ") for example in examples()].index(True)
    ((day, closing),) = told.scores.closings.items()
    assert (day, closing.at) == (told.scores.last_closed.value, first + 1)
    committed = [commitment.oracle for commitment in closing.commitments]
    assert committed == sorted([account("Oracle0"), account("Oracle1")])
    assert closing.members == ("amforc",)


def test_every_example_is_the_one_spelling_of_what_it_says() -> None:
    for example in examples():
        if example.code is None:
            assert encode(parse(example.raw, PREFIX), PREFIX) == example.raw  # type: ignore[arg-type]  # known kinds


def test_every_signature_is_by_whom_the_page_says_and_over_what_it_says() -> None:
    bodies = [parse(example.raw, PREFIX) for example in examples() if example.code is None]
    for body in bodies:
        if isinstance(body, Observe | Report):
            assert verify_signature(body.oracle, body.sig, signing_digest(body, PREFIX))
    (link,) = (body for body in bodies if isinstance(body, Link))
    message = link_message("amforc", ss58_encode(account("amforc"), PREFIX))
    assert message.decode() in text("remarks.md")
    assert verify_signature(link.account_id, link.sig, message)


def test_the_curators_address_is_their_multisigs() -> None:
    assert f"`{ss58_encode(MULTISIG, PREFIX)}`" in text("remarks.md")
    assert isinstance(parse(examples()[0].raw, PREFIX), Program)


def test_the_batch_is_around_the_payout() -> None:
    (raw,) = (example.raw for example in examples() if b" payout " in example.raw)
    assert isinstance(parse(raw, PREFIX), Payout)
    batch = payout_call(raw)
    said, paid = (call.args for call in batch.args["calls"])
    assert remark_of(batch.args["calls"][0]) == said["remark"]
    assert batch.data.hex().count(raw.hex()) == 1
    # a compact integer of six bytes, and the mode that says so
    compact = b"\x0b" + paid["value"].to_bytes(6, "little")
    assert batch.data.endswith(b"\0" + paid["dest"][1] + compact)
    assert f"`0x{batch.hash.hex()}`" in text("remarks.md")


def test_codes_are_those_of_the_code() -> None:
    rejections, violations = (
        table("remarks.md", "code | name"),
        table("remarks.md", "code | violation"),
    )
    assert [(row[1], row[0]) for row in rejections] == [
        (code.name, str(code.value)) for code in RejectionCode
    ]
    assert [(row[1], row[0]) for row in violations] == [
        (code.name, str(code.value)) for code in ViolationCode
    ]


def test_the_networks_are_those_of_the_code() -> None:
    (row,) = (row for row in table("remarks.md", "form | is") if row[0] == "network name")
    assert re.findall(r"[a-z-]+", row[1]) == list(NETWORKS)


# --- docs/state.md ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def told() -> State:
    stage, _ = play()
    return stage.state


def documented() -> dict[str, tuple[str, list[str], list[str]]]:
    """Prefix, key parts and value fields of each item of our own."""
    found = re.findall(
        r"^### `([\w.]+)`\n\nPrefix `(\w+)`\.\nKey: (.*?)\.\nValue: (.*?)\.\n",
        text("state.md"),
        re.MULTILINE | re.DOTALL,
    )
    return {
        item: (prefix, re.findall(r"`([^`]+)`", key), re.findall(r"`([^`]+)`", value))
        for item, prefix, key, value in found
    }


def test_every_item_is_documented_with_its_prefix(told: State) -> None:
    mirrored = {row[0]: row[1] for row in table("state.md", "item | prefix")}
    items = {f"{item.pallet}.{item.item}": "0x" + item.prefix.hex() for item in told.maps()}
    assert {name: prefix for name, (prefix, *_) in documented().items()} | mirrored == items
    assert set(mirrored) == {f"{item.pallet}.{item.item}" for item in told.mirrors.mirrored_maps()}


def test_the_entries_and_the_root_are_those_of_the_story(told: State) -> None:
    ((_, shown),) = fenced("state.md", "entries")
    entries = [f"0x{key.hex()} 0x{value.hex()}" for key, value in told.entries()]
    assert shown.splitlines() == entries
    assert f"{len(entries)} entries" in re.sub(r"\s+", " ", text("state.md"))
    ((_, root),) = fenced("state.md", "root")
    assert root == "0x" + told.root().hex()


def test_the_root_follows_from_the_page_alone(told: State) -> None:
    """The recipe of the page, followed without the code that it describes."""

    def blake2(data: bytes) -> bytes:
        return blake2b(data, digest_size=32).digest()

    def tree(leaves: list[bytes]) -> bytes:
        if len(leaves) == 1:
            return blake2(b"\0" + leaves[0])
        split = 1 << (len(leaves) - 1).bit_length() - 1
        return blake2(b"\1" + tree(leaves[:split]) + tree(leaves[split:]))

    def vector(data: bytes) -> bytes:
        size = len(data)
        return (bytes([size << 2]) if size < 64 else (size << 2 | 1).to_bytes(2, "little")) + data

    ((_, shown),) = fenced("state.md", "entries")
    pairs = [[bytes.fromhex(part[2:]) for part in line.split()] for line in shown.splitlines()]
    leaves = [vector(key) + vector(value) for key, value in sorted(pairs)]
    assert tree(leaves) == told.root()


SIZES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "u128": 16, "AccountId": 32, "Hash": 32}
HASHERS: dict[str, Callable[[bytes], bytes]] = {
    "identity": lambda _: b"",
    "twox64concat": lambda raw: xxhash.xxh64_intdigest(raw, 0).to_bytes(8, "little"),
    "blake2_128concat": lambda raw: blake2b(raw, digest_size=16).digest(),
}


def end_of(kind: str, data: bytes, at: int) -> int:
    """Where a value of the documented type ends."""
    if kind in SIZES:
        assert at + SIZES[kind] <= len(data)
        return at + SIZES[kind]
    if kind in {"Text", "Bytes"}:
        size, at = decode_compact(data, at)
        assert kind == "Bytes" or data[at : at + size].decode() is not None
        return at + size
    if kind.startswith("Option<"):
        assert data[at] in {0, 1}
        return end_of(kind[7:-1], data, at + 1) if data[at] else at + 1
    if kind.startswith("Vec<"):
        count, at = decode_compact(data, at)
        for _ in range(count):
            at = end_of(kind[4:-1], data, at)
        return at
    assert kind[0] + kind[-1] == "()", kind
    for part in parts_of(kind[1:-1]):
        at = end_of(part, data, at)
    return at


def parts_of(kinds: str) -> Iterator[str]:
    """Split at the commas that stand in no bracket."""
    depth, start = 0, 0
    for place, letter in enumerate(kinds):
        depth += (letter in "<(") - (letter in ">)")
        if letter == "," and not depth:
            yield kinds[start:place].strip()
            start = place + 1
    yield kinds[start:].strip()


def with_what_the_story_lacks(state: State) -> State:
    """The items that a story of remarks leaves empty, filled to the brim."""
    block, extrinsic = BlockNumber(3), 2
    ((day, closing),) = state.scores.closings.items()
    assert closing.before is None
    before = Before(Hash(b"b" * 32), 7)
    state.scores.closings.insert(day + 1, closing._replace(before=before, members=("a", "b")))
    state.payouts.violations.insert(
        (block, 0, 1), Violation(ViolationCode.WRONG_PAYEE, MULTISIG, Planck(7))
    )
    state.payouts.awards.insert((1, 2), ("2026-02", "amforc", "services"))
    state.payouts.claims.insert((1, 2), Claim(MULTISIG, Planck(7), block))
    ended = Poll(TrackId(33), Status.APPROVED, RelayBlockNumber(9))
    state.mirrors.referenda.polls.insert(PollIndex(5), ended)
    finished = democracy.Finished(approved=True, end=RelayBlockNumber(9))
    state.mirrors.democracy.referenda.insert(PollIndex(5), finished)
    lock = cv.PriorLock(RelayBlockNumber(97), Planck(10))
    state.mirrors.conviction_voting.maximum_priors.insert((MULTISIG, TrackId(33)), (lock, lock))
    task = scheduler.Task(0, MULTISIG, b"call", Hash(b"c" * 32))
    state.mirrors.scheduler.named.insert(Hash(b"n" * 32), task)
    state.mirrors.scheduler.agenda.insert((RelayBlockNumber(9), 1), task)
    state.mirrors.scheduler.preimages.insert(Hash(b"c" * 32), b"call")
    state.mirrors.migration.window.put(Window(block, BlockNumber(4)))
    at = multisig.Position(block, extrinsic)
    state.mirrors.multisig.operations.insert(
        (MULTISIG, Hash(b"c" * 32), block, extrinsic, 0),
        multisig.Operation(
            status=multisig.Status.EXECUTED,
            threshold=3,
            signatories=(AccountId(b"a" * 32), AccountId(b"b" * 32)),
            depositor=AccountId(b"a" * 32),
            deposit=Planck(9),
            approvals=(multisig.Approval(AccountId(b"a" * 32), None),),
            call=b"call",
            closing=multisig.Closing(AccountId(b"b" * 32), at, "Token.FundsUnavailable"),
        ),
    )
    return state


def test_every_item_is_laid_out_as_the_page_says(told: State) -> None:
    state = with_what_the_story_lacks(State(PASEO).load(told.entries()))
    pages = documented()
    for item in state.maps():
        if item in state.mirrors.mirrored_maps():
            continue
        _, key_parts, fields = pages[f"{item.pallet}.{item.item}"]
        assert len(item) > 0
        for raw_key, value in item.raw_items():
            at = 32
            for part in key_parts:
                hasher, _, kind = part.split(" ")
                digest = HASHERS[hasher]
                start = at + len(digest(b""))
                end = end_of(kind, raw_key, start)
                assert raw_key[at:start] == digest(raw_key[start:end])
                at = end
            assert at == len(raw_key)
            at = 0
            for field in fields:
                at = end_of(field.split(" ", 1)[1], value, at)
            assert at == len(value)


def test_fields_have_the_names_of_the_code(told: State) -> None:
    pages = documented()
    for item in with_what_the_story_lacks(State(PASEO).load(told.entries())).maps():
        page = pages.get(f"{item.pallet}.{item.item}")
        value = next((value for _, value in item.items()), None)
        names = getattr(value, "_fields", None) or getattr(type(value), "model_fields", None)
        if page is not None and names:
            assert [field.split(" ")[0] for field in page[2]] == list(names)


# --- docs/rules.md ------------------------------------------------------------------------

LAW = tomllib.loads((resources.files("ledger.program") / "ibp.toml").read_text())


def parameters(values: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """All but the requirements, which have a table of their own."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from parameters(value, f"{path}{name}.")
        elif name != "requirements":
            yield path + name, value


def test_every_parameter_is_documented_with_its_value() -> None:
    rows = table("rules.md", "parameter | value") + table("rules.md", "milestone parameter | value")
    shown = {row[0]: tomllib.loads(f"value = {row[1]}")["value"] for row in rows}
    assert len(shown) == len(rows)
    assert shown == dict(parameters(LAW))


def test_every_requirement_is_documented_as_it_is() -> None:
    told = [
        [
            f"M{number}.{each['id']}",
            each["by"],
            str(each.get("least", ""))
            or ", ".join(f"{chain} {least}" for chain, least in each.get("chains", {}).items())
            or "1",
            each["text"],
            each["evidence"],
        ]
        for number, milestone in LAW["milestones"].items()
        for each in milestone["requirements"]
    ]
    rows = table("rules.md", "requirement | shown by")
    assert [[cell.strip("`") for cell in row] for row in rows] == told


class Clause(NamedTuple):
    seed: str
    says: str
    rule: str
    code: str
    test: str


def clauses() -> list[Clause]:
    return [Clause(*row) for row in table("rules.md", "seed | says")]


def test_every_clause_names_code_that_exists() -> None:
    for clause in clauses():
        module, _, name = clause.code.rpartition(".")
        assert hasattr(import_module(module), name), clause


def test_every_clause_names_a_test_that_exists() -> None:
    tests = DOCS.parent / "tests"
    for clause in clauses():
        path, _, name = clause.test.partition("::")
        function, _, case = name.partition("[")
        tree = ast.parse((tests / path).read_text())
        defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert function in defined, clause
        if case:
            assert case.removesuffix("]") in SHOWN_IDS, clause


def test_every_requirement_task_reading_and_line_of_the_budget_is_in_a_clause() -> None:
    named = set(re.findall(r"[A-Z]\d+(?:\.[a-z0-9-]+)?", " ".join(c.rule for c in clauses())))
    milestones = LAW["milestones"].items()
    ids = {f"M{n}.{each['id']}" for n, m in milestones for each in m["requirements"]}
    ids |= {f"M{n}.{task}" for n, m in milestones for task in m.get("tasks", ())}
    ids |= {f"U1.{line}" for line in LAW["budget"]["lines"]}
    ids |= {row[0] for row in table("rules.md", "| the document says") if row[0].startswith("F")}
    assert ids <= named
    readings = {f"F{number}" for number in range(1, 18)}
    assert {each for each in named if each.startswith("F")} == readings <= ids


def test_the_seeds_are_there_milestone_by_milestone() -> None:
    seeds = {clause.seed for clause in clauses()}
    assert {f"000 M{number}" for number in range(1, 9)} | {"000 end", "001"} <= seeds
    assert {f"002 P{number}" for number in range(1, 5)} <= seeds


def test_the_hash_of_the_rules_is_the_files() -> None:
    assert f"`0x{load_rules().hash.hex()}`" in text("rules.md")


# --- All of them --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["remarks.md", "state.md", "rules.md", "glossary.md"])
def test_no_link_of_a_page_is_dead(name: str) -> None:
    for target, anchor in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", text(name)):
        page = target or name
        assert (DOCS / page).exists(), page
        if anchor:
            headings = re.findall(r"^#+ (.*)$", text(page), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}
