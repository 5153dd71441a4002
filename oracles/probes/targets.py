"""What is probed: one way in to one service of one member, at that member's own address.

Contract: nothing here or behind it asks DNS. The host name is for TLS, SNI and `Host` only, so that
a target is the member itself and not whoever the shared name points to today.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address


class Kind(StrEnum):
    """What a target speaks."""

    RPC = "rpc"
    """JSON-RPC of a Substrate node."""
    ETH = "eth"
    """Ethereum JSON-RPC."""
    BOOT = "boot"
    """libp2p, up to the offer of noise."""
    SNAPSHOT = "snapshot"
    """A database snapshot for download."""


class Scheme(StrEnum):
    """How a target is reached; the two without TLS are for tests and for boot nodes."""

    WS = "ws"
    WSS = "wss"
    HTTP = "http"
    HTTPS = "https"
    TCP = "tcp"

    @property
    def secure(self) -> bool:
        return self in (Scheme.WSS, Scheme.HTTPS)

    @property
    def web_socket(self) -> bool:
        return self in (Scheme.WS, Scheme.WSS)


SCHEMES = {
    Kind.RPC: frozenset({Scheme.WS, Scheme.WSS, Scheme.HTTP, Scheme.HTTPS}),
    Kind.ETH: frozenset({Scheme.WS, Scheme.WSS, Scheme.HTTP, Scheme.HTTPS}),
    Kind.BOOT: frozenset({Scheme.TCP, Scheme.WS, Scheme.WSS}),
    Kind.SNAPSHOT: frozenset({Scheme.HTTP, Scheme.HTTPS}),
}
"""The schemes that each kind can be reached by."""

_HOST = re.compile(r"[0-9A-Za-z._-]{1,253}|[0-9A-Fa-f:.]{2,45}")
_PATH = re.compile(r"/[!-~]{0,2000}")

DEFAULT_PORTS = {Scheme.WS: 80, Scheme.WSS: 443, Scheme.HTTP: 80, Scheme.HTTPS: 443}


@dataclass(frozen=True, slots=True)
class StatePoint:
    """A value of old state that only an archive node still has."""

    block: bytes
    """Hash of the block."""
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Chain:
    """What is known of a chain before anybody is asked."""

    id: str
    genesis: bytes | None = None
    """Hash of block 0; needed by `Kind.RPC`. It is not the genesis state root."""
    eth_chain_id: int | None = None
    """Needed by `Kind.ETH`."""
    block_millis: int = 6_000
    """The least time between two blocks."""
    archive: tuple[StatePoint, ...] = ()
    """Several, so that a node cannot know which will be read."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a target listens."""

    scheme: Scheme
    host: str
    """The service's name: in the certificate, in SNI and in `Host`."""
    address: Address
    """The member's own."""
    port: int
    path: str = "/"
    """With its query, from the slash on."""

    def __post_init__(self) -> None:
        # what the libraries would refuse only when it is sent must not look like the member's fault
        if not _HOST.fullmatch(self.host):
            raise ValueError(f"{self.host!r} is no host name")
        if not _PATH.fullmatch(self.path):
            raise ValueError(f"{self.path!r} is no path of a URL")
        if not 1 <= self.port <= 65_535:
            raise ValueError(f"{self.port} is no port")

    @property
    def authority(self) -> str:
        """`host:port`, without the port where the scheme implies it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if DEFAULT_PORTS.get(self.scheme) == self.port else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """As the service is called."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def pinned_url(self) -> str:
        """As the member is dialled."""
        literal = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"{self.scheme}://{literal}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True)
class Target:
    """One way in to a service of a member. IPv4 and IPv6, WSS and HTTPS: each its own target."""

    member: str
    service: str
    kind: Kind
    chain: Chain
    endpoint: Endpoint
    archive: bool = False
    """Whether old state is promised."""

    def __post_init__(self) -> None:
        if self.endpoint.scheme not in SCHEMES[self.kind]:
            raise ValueError(f"{self.kind} is not reached by {self.endpoint.scheme}")
        if self.kind is Kind.RPC and self.chain.genesis is None:
            raise ValueError(f"chain {self.chain.id} has no genesis hash")
        if self.kind is Kind.ETH and self.chain.eth_chain_id is None:
            raise ValueError(f"chain {self.chain.id} has no eth_chain_id")
        if self.archive and not self.chain.archive:
            raise ValueError(f"chain {self.chain.id} has no old state to ask an archive node for")

    @property
    def name(self) -> str:
        where = f"IPv{self.endpoint.address.version}"
        return f"{self.member}/{self.service} {self.endpoint.scheme} {where}"
