"""The bundle: one file with everything that a curator needs to rebuild a payout alone.

It carries the statement whole, the call, and what they are for. Nothing in it is believed:
`check_bundle` rebuilds the call from the statement and reads it with a second decoder;
`compare_statements` holds the statement against the curator's own.
"""

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError

from ibp_chain.accounts import multisig_account, ss58_decode, ss58_encode
from ibp_chain.blocks import blake2_256
from ibp_chain.errors import AddressError, CheckFailed, ConfigError, IbpError, RemarkError
from ibp_chain.networks import Network, network
from ibp_chain.peer_codec import PeerCodec
from ibp_chain.remark_bodies import HashText
from ibp_chain.remarks import canonical_json
from ibp_chain.runtime import Runtime
from ibp_chain.types import AccountId, Hash
from ledger.pallets.programme import curators_account
from ledger.state import State
from multisig.batch import Batch, build_batches
from multisig.decode import read_payout
from multisig.errors import BundleError, BundleRefused
from multisig.statement import Statement

MAX_BYTES = 4 * 2**20
D = TypeVar("D", "Bundle", Statement)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _octets(value: Any) -> Any:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str) or not value.startswith("0x") or value != value.lower():
        raise ValueError("0x and lower-case hex digits are expected")
    return bytes.fromhex(value[2:])


Octets = Annotated[
    bytes, BeforeValidator(_octets), PlainSerializer(lambda value: "0x" + value.hex())
]


class ChainPart(_Part):
    network: str
    genesis_hash: HashText
    spec_version: Annotated[int, Field(ge=0, lt=2**32)]
    """The call's bytes are those of this runtime."""


class MultisigPart(_Part):
    """Addresses in the network's prefix; signatories ascend by raw public key."""

    account: str
    threshold: Annotated[int, Field(ge=2, lt=2**16)]
    signatories: Annotated[tuple[str, ...], Field(strict=False, min_length=2)]

    def account_ids(self, chain: Network) -> tuple[AccountId, ...]:
        """Raises `AddressError`."""
        return tuple(ss58_decode(text, chain.ss58_prefix) for text in self.signatories)


class Bundle(_Part):
    """One payout call and what it follows from."""

    format: Literal["ibp-payout-bundle"] = "ibp-payout-bundle"
    version: Literal[1] = 1
    chain: ChainPart
    multisig: MultisigPart
    statement: Statement
    statement_hash: HashText
    part: Annotated[int, Field(ge=1)]
    parts: Annotated[int, Field(ge=1)]
    """A statement too long for one remark is paid in several."""
    call: Octets
    call_hash: HashText

    @property
    def network(self) -> Network:
        return network(self.chain.network)

    @property
    def encoded(self) -> bytes:
        return canonical_json(self.model_dump(mode="json"))


def make_bundles(
    statement: Statement,
    batches: Sequence[Batch],
    state: State,
    genesis_hash: Hash,
    runtime: Runtime,
) -> tuple[Bundle, ...]:
    """One bundle for each batch of `statement`, for the curators in office."""
    program = state.programme.program.value
    assert program is not None, "a statement was made from this state"
    prefix = state.network.ss58_prefix
    return tuple(
        Bundle(
            chain=ChainPart(
                network=state.network.name,
                genesis_hash=genesis_hash,
                spec_version=runtime.spec_version,
            ),
            multisig=MultisigPart(
                account=ss58_encode(curators_account(program), prefix),
                threshold=program.threshold,
                signatories=tuple(ss58_encode(a, prefix) for a in sorted(program.curators)),
            ),
            statement=statement,
            statement_hash=statement.hash,
            part=index,
            parts=len(batches),
            call=batch.call,
            call_hash=batch.call_hash,
        )
        for index, batch in enumerate(batches, 1)
    )


def check_bundle(
    bundle: Bundle, state: State, genesis_hash: Hash, runtime: Runtime, codec: PeerCodec
) -> None:
    """Rebuild the call from the statement and the ledger, and read it with the second decoder.

    `state` may be of a later block than the statement's. Raises `BundleRefused` with everything
    that does not hold.
    """
    wrong = [*_wrong_chain(bundle, state, genesis_hash, runtime), *_wrong_multisig(bundle, state)]
    if not wrong:
        wrong = [*_wrong_call(bundle, state, runtime), *_wrong_reading(bundle, codec)]
    if wrong:
        raise BundleRefused(wrong)


def compare_statements(mine: Statement, theirs: Statement) -> None:
    """Hold a bundle's statement against one's own. Raises `BundleRefused` naming what differs."""
    if mine.encoded == theirs.encoded:
        return
    own, other = mine.model_dump(mode="json"), theirs.model_dump(mode="json")
    raise BundleRefused(list(_differences("statement", own, other)))


# --- Files ----------------------------------------------------------------------------


def write_file(path: Path, data: bytes) -> None:
    """Write a statement or bundle, whole or not at all. Raises `ConfigError`."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
            temporary = Path(part.name)
            try:
                part.write(data + b"\n")
                part.flush()
                os.fsync(part.fileno())
                temporary.chmod(0o644)
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error


def read_bundle(path: Path) -> Bundle:
    """The bundle in `path`. Raises `BundleError` for anything but canonical JSON of its form."""
    return _read(path, Bundle)


def read_statement(path: Path) -> Statement:
    """The statement in `path`. Raises `BundleError`."""
    return _read(path, Statement)


def _read(path: Path, form: type[D]) -> D:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise BundleError(f"{path}: longer than {MAX_BYTES} bytes")
    data = data.removesuffix(b"\n")
    try:
        value = json.loads(data)
        if canonical_json(value) != data:
            raise BundleError(f"{path}: not in canonical form (RFC 8785): was it edited?")
        document = form.model_validate(value)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise BundleError(
            f"{path}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}"
        ) from error
    except (ValueError, RecursionError, RemarkError) as error:
        raise BundleError(f"{path}: no {form.__name__.lower()}: {error}") from error
    if document.encoded != data:
        raise BundleError(f"{path}: a value is not in its one form")
    return document


# --- Checks ---------------------------------------------------------------------------


def _wrong_chain(bundle: Bundle, state: State, genesis_hash: Hash, runtime: Runtime) -> list[str]:
    genesis, statement = state.programme.genesis.value, bundle.statement
    wrong = []
    if bundle.chain.network != state.network.name:
        wrong.append(f"it is for {bundle.chain.network}, the ledger is of {state.network.name}")
    if bundle.chain.genesis_hash != genesis_hash:
        wrong.append(f"it is for a chain with genesis 0x{bundle.chain.genesis_hash.hex()}")
    if bundle.chain.spec_version != runtime.spec_version:
        wrong.append(
            f"its call is of spec version {bundle.chain.spec_version}, "
            f"the runtime is {runtime.spec_version}: build it again"
        )
    if genesis is None or statement.ledger.program != genesis.remark:
        wrong.append(f"its statement is of programme 0x{statement.ledger.program.hex()}")
    if bundle.statement_hash != statement.hash:
        wrong.append(f"its statement hashes to 0x{statement.hash.hex()}")
    if bundle.call_hash != blake2_256(bundle.call):
        wrong.append(f"its call hashes to 0x{blake2_256(bundle.call).hex()}")
    return wrong


def _wrong_multisig(bundle: Bundle, state: State) -> list[str]:
    program, part, prefix = (
        state.programme.program.value,
        bundle.multisig,
        state.network.ss58_prefix,
    )
    if program is None:
        return ["the ledger has no programme"]
    try:
        signatories = part.account_ids(state.network)
        account = ss58_decode(part.account, prefix)
    except AddressError as error:
        return [str(error)]
    wrong = []
    if list(signatories) != sorted(program.curators) or part.threshold != program.threshold:
        wrong.append("its signatories and threshold are not those of the curators in office")
    if account != multisig_account(signatories, part.threshold):
        wrong.append(f"{part.account} is not the multisig of its signatories")
    return wrong


def _wrong_call(bundle: Bundle, state: State, runtime: Runtime) -> list[str]:
    try:
        batches = build_batches(bundle.statement, state, runtime)
    except CheckFailed as error:
        return [str(error)]
    if len(batches) != bundle.parts or bundle.part > bundle.parts:
        return [f"it says to be part {bundle.part} of {bundle.parts}, there are {len(batches)}"]
    rebuilt = batches[bundle.part - 1]
    if rebuilt.call != bundle.call:
        return [f"its statement makes another call, with hash 0x{rebuilt.call_hash.hex()}"]
    return []


def _wrong_reading(bundle: Bundle, codec: PeerCodec) -> list[str]:
    try:
        reading = read_payout(codec, bundle.call, bundle.network)
    except IbpError as error:
        return [str(error)]
    lines = {(line.member, line.item): line for line in bundle.statement.lines}
    expected = [lines.get(key) for key in reading.lines]
    paid = [None if line is None else (line.payee, line.planck) for line in expected]
    if paid != list(reading.transfers) or reading.statement != bundle.statement_hash:
        return ["the second decoder reads other lines in its call"]
    return []


def _differences(where: str, own: Any, other: Any) -> Sequence[str]:
    if isinstance(own, dict) and isinstance(other, dict) and own.keys() == other.keys():
        return [d for key in own for d in _differences(f"{where}.{key}", own[key], other[key])]
    if isinstance(own, list) and isinstance(other, list) and len(own) == len(other):
        pairs = enumerate(zip(own, other, strict=True))
        return [d for i, (a, b) in pairs for d in _differences(f"{where}[{i}]", a, b)]
    return [] if own == other else [f"{where} is {other!r}, mine is {own!r}"]
