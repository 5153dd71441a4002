"""Mutation fuzzing of everything in `ibp_chain.scale` that reads bytes from elsewhere.

    make fuzz SECONDS=3600
    python -m scripts.fuzz_scale --seconds 60 --seed 7
    python -m scripts.fuzz_scale --seed 7 --start 120000     goes on where a run ended
    python -m scripts.fuzz_scale --reproduce fuzz-finding.json

Mutated are events, extrinsics, calls and storage values of real Polkadot runtimes, of the recorded
chain and of a registry of odd shapes, and metadata themselves, as bytes and as a model. Each case
follows from the seed and its number alone. A finding is any exception but `DecodeError`, a value
that compiled and careful decoders do not agree on, more than `LIMIT_SECONDS` for one case, or more
memory than `LIMIT_BYTES` for the process. The first finding ends the run with exit code 1 and a
file that `--reproduce` takes.
"""

import argparse
import json
import random
import resource
import secrets
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from ibp_chain.blocks import EventRecord, Phase
from ibp_chain.errors import DecodeError
from ibp_chain.scale import metadata as md
from ibp_chain.scale.primitives import encode_compact
from tests.support import metadata_writer, polkadot, recording
from tests.support.odd_registry import odd_registry
from tests.support.readings import Readings
from tests.support.scale_values import SeededDice, Values

LIMIT_SECONDS = 10.0
"""Of processor time for one case; metadata of half a megabyte take most of one second."""
LIMIT_BYTES = 3 * 2**30
REPORT_SECONDS = 30.0
SELECTED = frozenset({"System", "Balances", "Utility"})
_NUMBERS = (0, 1, 2, 3, 0x3F, 0x40, 0x7F, 0x80, 0xFC, 0xFD, 0xFE, 0xFF)


class Hang(BaseException):
    """A case took too long. No decoder catches it."""


class Case(NamedTuple):
    """What one execution reads."""

    registry: str
    target: str
    raw: bytes
    type: md.TypeId = 0
    """Of a storage value."""


# --- Corpus -----------------------------------------------------------------------------


class Corpus:
    """The seeds of one registry."""

    def __init__(self, name: str) -> None:
        self.name, self.raw = name, _metadata_of(name)
        self.readings = Readings(md.read_metadata(self.raw))
        self.metadata = self.readings.metadata
        self.values = Values(self.metadata)
        self.stored = [
            entry.value
            for pallet in self.metadata.pallets.values()
            for entry in pallet.storage.values()
            if self.values.is_finite(entry.value)
        ]
        self._events = {
            (pallet.name, variant.name): (pallet, variant)
            for pallet in self.metadata.pallets.values()
            for variant in md.variants_of(self.metadata, pallet.events)
        }

    @cached_property
    def blocks(self) -> list[bytes]:
        """Values of `System.Events`."""
        if self.name == "recorded":
            return [block.events for block in recording.blocks()]
        return [
            block.events for block in polkadot.blocks() if f"{block.spec_version}-" in self.name
        ]

    @cached_property
    def events(self) -> list[bytes]:
        """Single ones, each kind at most a dozen times."""
        seen: Counter[tuple[str, str]] = Counter()
        found = []
        for raw in self.blocks:
            for event in self.readings.careful.events(raw, None):
                seen[event.pallet, event.name] += 1
                if seen[event.pallet, event.name] <= 12:
                    found.append(self._encoded(event))
        return found

    @cached_property
    def extrinsics(self) -> list[bytes]:
        """Without their length, so that a mutation need not break it."""
        if self.name != "recorded":
            return []
        wholes = [raw for block in recording.blocks() for raw in block.extrinsics]
        return [raw[1 if raw[0] & 3 == 0 else 2 if raw[0] & 3 == 1 else 4 :] for raw in wholes]

    def made_event(self, dice: SeededDice) -> bytes:
        """Of any kind that the runtime has."""
        keys = sorted(self._events)
        pallet, variant = self._events[keys[dice.integer(0, len(keys) - 1)]]
        if not all(self.values.is_finite(field.type) for field in variant.fields):
            return self.made_event(dice)
        args = self.values.fields(variant.fields, dice, 5)
        return self._encoded(
            EventRecord(0, Phase.INITIALIZATION, None, pallet.name, variant.name, args, ())
        )

    def made_extrinsic(self, dice: SeededDice) -> bytes:
        format_, encoders = self.metadata.extrinsic, self.readings.encoders
        parts: list[md.TypeId] = []
        kind = dice.integer(0, 3)
        head = (b"\x84", b"\x04", b"\x05", b"\x45")[kind]
        version = 0
        if kind == 0:
            parts += [format_.address, format_.signature]
        if kind == 3:
            version = sorted(format_.by_version)[dice.integer(0, len(format_.by_version) - 1)]
            head += bytes((version,))
        if kind in {0, 3}:
            parts += [format_.extensions[at].type for at in format_.by_version.get(version, ())]
        parts.append(format_.call)
        return head + b"".join(encoders.of(each)(self.values.of(each, dice)) for each in parts)

    def made_value(self, type_id: md.TypeId, dice: SeededDice) -> bytes:
        return self.readings.encoders.of(type_id)(self.values.of(type_id, dice))

    def _encoded(self, event: EventRecord) -> bytes:
        pallet, variant = self._events[event.pallet, event.name]
        phase = bytes((event.phase,))
        if event.extrinsic_index is not None:
            phase += event.extrinsic_index.to_bytes(4, "little")
        args = self.readings.encoders.fields(variant.fields)(event.args)
        topics = encode_compact(len(event.topics)) + b"".join(event.topics)
        return phase + bytes((pallet.index, variant.index)) + args + topics


REGISTRIES = (
    "recorded", "recorded-v14", "9430-v14", "1003000-v14", "1007001-v15", "2000001-v14",
    "2000001-v16", "odd-v14", "odd-v16",
)  # fmt: skip


def _metadata_of(name: str) -> bytes:
    match name.split("-v"):
        case ["recorded"]:
            return recording.source().metadata(recording.SPEC_VERSION)
        case ["recorded", _]:
            return recording.source().metadata_v14(recording.SPEC_VERSION)
        case ["odd", version]:
            return metadata_writer.write(odd_registry().metadata(int(version)))
        case [spec, version]:
            return polkadot.metadata(int(spec), int(version))
    raise ValueError(name)


@cache
def corpus(name: str) -> Corpus:
    return Corpus(name)


# --- Cases ------------------------------------------------------------------------------


def make_case(seed: int, number: int) -> Case:
    """The case of that number: the same on every machine."""
    source = random.Random(f"{seed}:{number}")  # noqa: S311  # mutations, no secrets
    dice = SeededDice(source)
    name = source.choice(REGISTRIES)
    if source.random() < 1 / 400:
        small = source.random() < 0.9
        return Case("metadata", "metadata", _mutated_metadata("odd-v" if small else name, source))
    known = corpus(name)
    target = source.choice(("events", "extrinsic", "call", "storage", "block"))
    if target == "block" and (not known.blocks or source.random() > 0.02):
        target = "events"
    match target:
        case "block":
            return Case(name, "events", mutated(source.choice(known.blocks), source))
        case "events":
            return Case(name, "events", _events(known, source))
        case "extrinsic":
            return Case(name, "extrinsic", _extrinsic(known, source))
        case "call":
            call = known.metadata.extrinsic.call
            return Case(name, "value", mutated(known.made_value(call, dice), source), call)
    type_id = source.choice(known.stored)
    return Case(name, "value", mutated(known.made_value(type_id, dice), source), type_id)


def _events(known: Corpus, source: random.Random) -> bytes:
    dice = SeededDice(source)
    chosen = [
        source.choice(known.events)
        if known.events and source.random() < 0.5
        else known.made_event(dice)
        for _ in range(source.randrange(1, 5))
    ]
    count = len(chosen) if source.random() < 0.95 else source.randrange(10)
    body = b"".join(chosen)
    return encode_compact(count) + (mutated(body, source) if source.random() < 0.95 else body)


def _extrinsic(known: Corpus, source: random.Random) -> bytes:
    if known.extrinsics and source.random() < 0.5:
        body = source.choice(known.extrinsics)
    else:
        body = known.made_extrinsic(SeededDice(source))
    body = mutated(body, source)
    length = encode_compact(len(body))
    return length + body if source.random() < 0.95 else mutated(length + body, source)


def _mutated_metadata(name: str, source: random.Random) -> bytes:
    if name == "odd-v":
        return mutated(_metadata_of(f"odd-v{source.choice((14, 15, 16))}"), source)
    return mutated(_metadata_of(name), source)


def mutated(raw: bytes, source: random.Random) -> bytes:
    """`raw` with up to four changes."""
    data = bytearray(raw)
    for _ in range(source.choice((1, 1, 1, 2, 2, 3, 4))):
        source.choice(_MUTATIONS)(data, source)
    return bytes(data)


def _flip_bit(data: bytearray, source: random.Random) -> None:
    if data:
        data[source.randrange(len(data))] ^= 1 << source.randrange(8)


def _set_byte(data: bytearray, source: random.Random) -> None:
    if data:
        data[source.randrange(len(data))] = source.choice((*_NUMBERS, source.randrange(256)))


def _step_byte(data: bytearray, source: random.Random) -> None:
    if data:
        at = source.randrange(len(data))
        data[at] = (data[at] + source.choice((-4, -1, 1, 4))) % 256


def _insert(data: bytearray, source: random.Random) -> None:
    at = source.randrange(len(data) + 1)
    data[at:at] = source.randbytes(source.randrange(1, 9))


def _delete(data: bytearray, source: random.Random) -> None:
    at = source.randrange(len(data) + 1)
    del data[at : at + source.randrange(1, 9)]


def _truncate(data: bytearray, source: random.Random) -> None:
    del data[source.randrange(len(data) + 1) :]


def _copy(data: bytearray, source: random.Random) -> None:
    start = source.randrange(len(data) + 1)
    part = data[start : start + source.randrange(1, 33)]
    at = source.randrange(len(data) + 1)
    data[at:at] = part * source.choice((1, 1, 2, 40))


def _write_compact(data: bytearray, source: random.Random) -> None:
    """Any magnitude, also in a longer form than needed."""
    value = source.getrandbits(source.choice((6, 14, 30, 32, 64, 128, 536)))
    compact = encode_compact(value)
    if source.random() < 0.3:
        compact = (value << 2 & 0xFFFFFFFF | source.choice((1, 2))).to_bytes(4, "little")
    at = source.randrange(len(data) + 1)
    data[at : at + source.choice((0, 1, 2, 4, len(compact)))] = compact


def _write_extreme(data: bytearray, source: random.Random) -> None:
    size = source.choice((1, 2, 4, 8, 16, 32))
    at = source.randrange(len(data) + 1)
    data[at : at + size] = source.choice((b"\0", b"\xff", b"\1\0")) * size


_MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip_bit, _set_byte, _set_byte, _step_byte, _insert, _delete, _truncate, _copy, _write_compact,
    _write_extreme,
)  # fmt: skip


# --- Execution --------------------------------------------------------------------------


def execute(case: Case) -> str:
    """Read it in every way. What came of it, for the statistics; raises on a finding."""
    if case.target == "metadata":
        return _execute_metadata(case.raw)
    readings = corpus(case.registry).readings
    if case.target == "events":
        every = readings.events(case.raw)
        some = readings.events(case.raw, SELECTED)
        if every != "refused":
            chosen = tuple(event for event in every if event.pallet in SELECTED)
            assert some == chosen, "selected events are not those of all"
        found = every
    elif case.target == "extrinsic":
        found = readings.extrinsic(case.raw, SELECTED)
    else:
        found = readings.value(case.type, case.raw)
        if found != "refused":
            assert readings.skip(case.type, case.raw) == len(case.raw), "skipped to elsewhere"
            again = readings.encoders.of(case.type)(found)
            assert again == case.raw, "encoded again to other bytes"
    return "refused" if found == "refused" else "read"


def _execute_metadata(raw: bytes) -> str:
    try:
        metadata = md.read_metadata(raw)
        readings = Readings(metadata)
    except DecodeError:
        return "refused"
    source = random.Random(raw[:1000])  # noqa: S311  # which bytes to try, no secret
    types = list(metadata.types)
    for _ in range(60):
        readings.value(source.choice(types), source.randbytes(source.randrange(200)))
        readings.value(source.choice(types), bytes(source.randrange(200)))
    for size in (0, 40, 400):
        readings.events(b"\4\1" + source.randbytes(size), None)
        readings.extrinsic(encode_compact(size + 1) + b"\4" + source.randbytes(size))
    return "read"


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Raises `Hang` after that much processor time, whatever runs."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise Hang(f"more than {seconds} s of processor time")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def check(case: Case) -> str:
    """`execute` within its bounds."""
    with bounded(LIMIT_SECONDS):
        return execute(case)


# --- Runs -------------------------------------------------------------------------------


class Run:
    """A campaign: cases from `start` on, until the time is over."""

    def __init__(self, seed: int, start: int, report: Path) -> None:
        self.seed, self.number, self.report = seed, start, report
        self.results: Counter[str] = Counter()
        self.slowest = 0.0
        self._began = self._told = time.monotonic()
        self._first = start

    def until(self, seconds: float) -> bool:
        """False at the first finding, which is then on disk."""
        while time.monotonic() - self._began < seconds:
            case = make_case(self.seed, self.number)
            began = time.process_time()
            try:
                result = check(case)
            except (Exception, Hang) as finding:  # noqa: BLE001  # any of them is what is sought
                self._write(case, finding)
                return False
            self.slowest = max(self.slowest, time.process_time() - began)
            self.results[f"{case.target} {result}"] += 1
            self.number += 1
            if time.monotonic() - self._told > REPORT_SECONDS:
                self.tell()
        self.tell()
        return True

    def tell(self) -> None:
        self._told = time.monotonic()
        passed, seconds = self.number - self._first, self._told - self._began
        results = ", ".join(f"{count} {name}" for name, count in sorted(self.results.items()))
        print(
            f"seed {self.seed}: {passed} executions in {seconds:.0f} s, {passed / seconds:.0f}/s, "
            f"slowest {self.slowest:.2f} s, next --start {self.number}: {results}",
            flush=True,
        )

    def _write(self, case: Case, finding: BaseException) -> None:
        trace = "".join(traceback.format_exception(finding, limit=-12))
        found: dict[str, Any] = {
            "seed": self.seed, "number": self.number, "registry": case.registry,
            "target": case.target, "type": case.type, "raw": case.raw.hex(),
            "finding": f"{type(finding).__name__}: {finding}"[:2000], "trace": trace[-6000:],
        }  # fmt: skip
        self.report.write_text(json.dumps(found, indent=1))
        self.tell()
        print(f"FINDING {found['finding'][:500]}\n{trace[-2000:]}\nreproducer: {self.report}")


def reproduce(path: Path) -> int:
    """Read a finding's case again; 0 when it is none any more."""
    found = json.loads(path.read_text())
    raw = bytes.fromhex(found["raw"])
    case = Case(found["registry"], found["target"], raw, found["type"])
    print(f"{path}: {case.registry} {case.target}, {len(raw)} bytes: {check(case)}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, help="chosen and printed when not given")
    parser.add_argument("--start", type=int, default=0, help="number of the first case")
    parser.add_argument("--report", type=Path, default=Path("fuzz-finding.json"))
    parser.add_argument("--reproduce", type=Path, help="a finding to read again")
    given = parser.parse_args(arguments)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, hard))
    if given.reproduce is not None:
        return reproduce(given.reproduce)
    seed = secrets.randbits(32) if given.seed is None else given.seed
    print(f"seed {seed}, from case {given.start}, for {given.seconds:.0f} s", flush=True)
    return 0 if Run(seed, given.start, given.report).until(given.seconds) else 1


if __name__ == "__main__":
    sys.exit(main())
