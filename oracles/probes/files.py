"""Target files: what to probe, as TOML or JSON that people write and compare.

`docs/probes.md` has the format. Every service of the file is reached at every address of every
member that runs it.
"""

import json
import tomllib
from collections.abc import Iterator
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError

from ibp_chain.errors import ConfigError
from ibp_chain.files import read_bounded
from ibp_chain.validation import Strict, first_problem
from oracles.documents import VersionOne
from oracles.probes.multiaddr import parse_multiaddr
from oracles.probes.targets import (
    DEFAULT_PORTS,
    Address,
    Chain,
    Endpoint,
    Kind,
    Scheme,
    StatePoint,
    Target,
)
from oracles.rules import check_slug

_MAX_SIZE = 1 << 22


def _slug(value: str) -> str:
    check_slug(value, "member, service or chain")
    return value


def _hex(size: int | None) -> AfterValidator:
    def check(value: str) -> str:
        digits = value.removeprefix("0x")
        if digits == value or len(bytes.fromhex(digits)) * 2 != len(digits):
            raise ValueError("0x and hexadecimal digits, two for each byte")
        if size is not None and len(digits) != 2 * size:
            raise ValueError(f"0x and {2 * size} hexadecimal digits")
        return value

    return AfterValidator(check)


def _an_address(value: str) -> str:
    found = ip_address(value)
    if found.version == 6 and found.scope_id is not None:
        raise ValueError("an address with a scope is of one machine only")
    return value


Slug = Annotated[str, AfterValidator(_slug)]
Hash = Annotated[str, _hex(32)]
Hex = Annotated[str, _hex(None)]


class _StateTable(Strict):
    block: Hash
    key: Hex
    value: Hex


class _ChainTable(Strict):
    id: Slug
    genesis: Hash | None = None
    eth_chain_id: Annotated[int, Field(ge=0)] | None = None
    block_millis: Annotated[int, Field(ge=100)] = 6_000
    archive: list[_StateTable] = Field(default_factory=list)


class _ServiceTable(Strict):
    id: Slug
    kind: str
    chain: str
    archive: bool = False
    urls: list[str] = Field(default_factory=list)
    members: list[str] = Field(default_factory=list)
    own: dict[str, list[str]] = Field(default_factory=dict)


class _TargetsFile(Strict):
    version: VersionOne
    members: dict[
        Slug,
        Annotated[
            list[Annotated[str, AfterValidator(_an_address)]], Field(min_length=1, max_length=16)
        ],
    ]
    chains: Annotated[list[_ChainTable], Field(min_length=1)]
    services: Annotated[list[_ServiceTable], Field(min_length=1)]


def parse_targets(raw: bytes, where: str) -> tuple[Target, ...]:
    """The targets in `raw`: JSON where it begins with a brace, else TOML.

    Ascending by member, service and address, none twice. Raises `ConfigError` naming `where`, the
    field and what is wrong.
    """
    try:
        file = _TargetsFile.model_validate(_document(raw, where))
    except ValidationError as error:
        raise ConfigError(f"{where}: {first_problem(error)}") from error
    chains = {chain.id: _chain(chain) for chain in file.chains}
    if len(chains) != len(file.chains):
        raise ConfigError(f"{where}: chains: one is listed twice")
    found: list[Target] = []
    for position, service in enumerate(file.services):
        try:
            found += _targets(service, file, chains)
        except (ConfigError, ValueError) as error:
            raise ConfigError(f"{where}: services.{position} ({service.id}): {error}") from error
    if not found:
        raise ConfigError(f"{where}: no member runs any service")
    found.sort(key=_order)
    for target, following in pairwise(found):
        if _order(target) == _order(following):
            raise ConfigError(f"{where}: {target.name}: {target.endpoint.url} is listed twice")
    return tuple(found)


def load_targets(path: Path) -> tuple[Target, ...]:
    """The target file at `path`. Raises `ConfigError`."""
    return parse_targets(read_bounded(path, _MAX_SIZE, ConfigError), str(path))


def _document(raw: bytes, where: str) -> Any:
    try:
        text = raw.decode()
        return json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # decoding and both parsers raise ValueErrors
        raise ConfigError(f"{where}: neither TOML nor JSON: {error}") from error


def _chain(table: _ChainTable) -> Chain:
    return Chain(
        table.id,
        None if table.genesis is None else _bytes(table.genesis),
        table.eth_chain_id,
        table.block_millis,
        tuple(
            StatePoint(_bytes(point.block), _bytes(point.key), _bytes(point.value))
            for point in table.archive
        ),
    )


def _order(target: Target) -> tuple[Any, ...]:
    end = target.endpoint
    address = end.address.version, end.address.packed
    return target.member, target.service, address, end.scheme, end.host, end.port, end.path


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _targets(
    service: _ServiceTable, file: _TargetsFile, chains: dict[str, Chain]
) -> Iterator[Target]:
    """Raises `ConfigError` and `ValueError`."""
    if service.kind not in set(Kind):
        raise ConfigError(f"kind {service.kind!r} is none of {', '.join(Kind)}")
    if service.chain not in chains:
        raise ConfigError(f"chain {service.chain!r} is not in the file")
    if bool(service.urls) != bool(service.members):
        raise ConfigError("urls and members belong together; `own` is for one member's addresses")
    if not service.urls and not service.own:
        raise ConfigError("nobody runs it: it has neither urls nor own")
    ways = [(member, url) for member in service.members for url in service.urls]
    ways += [(member, url) for member, urls in service.own.items() for url in urls]
    for member, text in ways:
        if member not in file.members:
            raise ConfigError(f"member {member!r} is not in the file")
        for address in map(ip_address, file.members[member]):
            endpoint = _endpoint(Kind(service.kind), text, address)
            if endpoint is not None:
                yield Target(
                    member,
                    service.id,
                    Kind(service.kind),
                    chains[service.chain],
                    endpoint,
                    service.archive,
                )


def _endpoint(kind: Kind, text: str, address: Address) -> Endpoint | None:
    """Where `text` is at `address`; None where it is of the other family. Raises `ConfigError`."""
    if kind is Kind.BOOT:
        boot = parse_multiaddr(text)
        if boot.version not in (None, address.version):
            return None
        if boot.literal not in (None, address):
            raise ConfigError(f"{text!r} is not at the member's own {address}")
        return Endpoint(boot.scheme, boot.host, address, boot.port)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"{text!r} is no URL: {error}") from error
    if parts.scheme not in set(Scheme) or not host or parts.username or parts.fragment:
        raise ConfigError(f"{text!r} is no URL such as wss://rpc.example/polkadot")
    scheme = Scheme(parts.scheme)
    if scheme is Scheme.TCP:
        raise ConfigError(f"{text!r}: tcp is for boot nodes, as multiaddresses")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Endpoint(scheme, host, address, port or DEFAULT_PORTS[scheme], path)
