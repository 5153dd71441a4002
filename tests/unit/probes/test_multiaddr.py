"""Multiaddresses of boot nodes."""

from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibp_chain.errors import ConfigError
from oracles.probes.multiaddr import Multiaddr, parse_multiaddr
from oracles.probes.targets import Scheme

PEER = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"
OLD_PEER = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"/dns/polkadot-bootnode.example/tcp/30333/p2p/{PEER}",
            Multiaddr("polkadot-bootnode.example", None, 30_333, Scheme.TCP, PEER),
        ),
        (
            f"/dns/boot.example/tcp/443/wss/p2p/{OLD_PEER}",
            Multiaddr("boot.example", None, 443, Scheme.WSS, OLD_PEER),
        ),
        ("/dns4/b.example/tcp/1/tls/ws", Multiaddr("b.example", 4, 1, Scheme.WSS, None)),
        ("/dns6/b.example/tcp/65535/ws", Multiaddr("b.example", 6, 65_535, Scheme.WS, None)),
        ("/ip4/192.0.2.7/tcp/30333", Multiaddr("192.0.2.7", 4, 30_333, Scheme.TCP, None)),
        ("/ip6/2001:db8::7/tcp/30333", Multiaddr("2001:db8::7", 6, 30_333, Scheme.TCP, None)),
    ],
)
def test_what_boot_nodes_are_written_as_is_read(text: str, expected: Multiaddr) -> None:
    assert parse_multiaddr(text) == expected


def test_an_address_that_is_written_out_is_known() -> None:
    assert parse_multiaddr("/ip6/2001:db8::7/tcp/1").literal == ip_address("2001:db8::7")
    assert parse_multiaddr("/dns/b.example/tcp/1").literal is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "dns/b.example/tcp/1",
        "/dns/b.example",
        "/dns/b.example/udp/1/quic-v1",
        "/dns//tcp/1",
        "/dns/b .example/tcp/1",
        "/dns/b\n.example/tcp/1",
        "/dnsaddr/b.example/tcp/1",
        "/ip4/2001:db8::7/tcp/1",
        "/ip4/192.0.2.256/tcp/1",
        "/ip4/192.0.2.07/tcp/1",
        "/ip6/192.0.2.7/tcp/1",
        "/dns/b.example/tcp/0",
        "/dns/b.example/tcp/65536",
        "/dns/b.example/tcp/-1",
        "/dns/b.example/tcp/٣",
        "/dns/b.example/tcp/30333/",
        "/dns/b.example/tcp/30333/quic",
        "/dns/b.example/tcp/30333/ws/wss",
        "/dns/b.example/tcp/30333/p2p",
        "/dns/b.example/tcp/30333/p2p/",
        "/dns/b.example/tcp/30333/p2p/0OIl",
        "/dns/b.example/tcp/30333/p2p/" + "1" * 10_000,
        f"/dns/b.example/tcp/30333/p2p/{PEER[:-1]}",
        f"/dns/b.example/tcp/30333/p2p/{PEER}/ws",
    ],
)
def test_anything_else_is_refused_by_its_text(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_multiaddr(text)
    assert repr(text) in str(refused.value)


@settings(deadline=None)
@given(st.text("/abcdns46ip tcpws0123.:٣é", max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        parse_multiaddr(text)
    except ConfigError:
        return
