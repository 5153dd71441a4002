"""The multiaddresses that boot nodes are written as: `/dns/HOST/tcp/PORT/wss/p2p/PEER`.

Only what a member of the programme runs: TCP, plain or under a WebSocket. Source: the multiaddr
specification of libp2p; `/tls/ws` and `/wss` are the same.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

import base58

from ibp_chain.errors import ConfigError
from oracles.probes.targets import Address, Scheme

_HOSTS = {"ip4": IPv4Address, "ip6": IPv6Address, "dns": None, "dns4": None, "dns6": None}
_TRANSPORTS = {
    (): Scheme.TCP,
    ("ws",): Scheme.WS,
    ("wss",): Scheme.WSS,
    ("tls", "ws"): Scheme.WSS,
}


@dataclass(frozen=True, slots=True)
class Multiaddr:
    """A boot node's address."""

    host: str
    """A name, or an address as text."""
    version: int | None
    """4 or 6 where only that one is meant."""
    port: int
    scheme: Scheme
    peer: str | None
    """The peer id that follows `/p2p`; nothing before noise could prove it."""

    @property
    def literal(self) -> Address | None:
        """The address that is written out; None for a name."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None


def parse_multiaddr(text: str) -> Multiaddr:
    """Raises `ConfigError`, which says what is wrong."""
    start, *parts = text.split("/")
    if start or len(parts) < 4 or parts[0] not in _HOSTS or parts[2] != "tcp":
        raise ConfigError(
            f"{text!r}: a boot node is written /ip4|ip6|dns|dns4|dns6/HOST/tcp/PORT[/ws|/wss]"
            "[/p2p/PEER]"
        )
    kind, host, _, port, *rest = parts
    peer = None
    if len(rest) >= 2 and rest[-2] == "p2p":
        *rest, _, peer = rest
        _check_peer(text, peer)
    scheme = _TRANSPORTS.get(tuple(rest))
    if scheme is None:
        raise ConfigError(f"{text!r}: /{'/'.join(rest)} is not ws, wss, tls/ws or p2p/PEER")
    return Multiaddr(host, _version(text, kind, host), _port(text, port), scheme, peer)


def _version(text: str, kind: str, host: str) -> int | None:
    literal = _HOSTS[kind]
    if literal is None:
        if not host or len(host) > 253 or not host.isascii() or any(c.isspace() for c in host):
            raise ConfigError(f"{text!r}: {host!r} is no host name")
        return {"dns4": 4, "dns6": 6}.get(kind)
    try:
        return literal(host).version
    except ValueError as error:
        raise ConfigError(f"{text!r}: {error}") from error


def _port(text: str, port: str) -> int:
    # str.isdigit also takes digits of other scripts
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65_535):
        raise ConfigError(f"{text!r}: {port!r} is no port")
    return int(port)


def _check_peer(text: str, peer: str) -> None:
    """A multihash: identity of an ed25519 key, or sha2-256."""
    try:
        raw = base58.b58decode(peer.encode()) if len(peer) <= 64 else b""
    except ValueError as error:
        raise ConfigError(f"{text!r}: {peer!r} is no peer id: {error}") from error
    sha256 = raw[:2] == b"\x12\x20" and len(raw) == 34
    identity = len(raw) >= 2 and raw[0] == 0 and raw[1] == len(raw) - 2 > 0
    if not (sha256 or identity):
        raise ConfigError(f"{text!r}: {peer!r} is no peer id")
