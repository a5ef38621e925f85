"""Which addresses a request made for a tenant may reach: an explicit deny list, checked on resolved addresses. Pure.

`ipaddress.is_global` is not enough: it calls NAT64 and 6to4 forms of 127.0.0.1, and multicast, global; and an address
as text (`0177.0.0.1`, `2130706433`, `127.1`) is only known after the resolver has read it.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from types import MappingProxyType
from typing import Final

DENIED: Final[Mapping[IPv4Network | IPv6Network, str]] = MappingProxyType(
    {
        ip_network(network): why
        for network, why in (
            ("0.0.0.0/8", "this host"),
            ("10.0.0.0/8", "private"),
            ("100.64.0.0/10", "shared (CGNAT)"),
            ("127.0.0.0/8", "loopback"),
            ("169.254.0.0/16", "link-local and cloud metadata"),
            ("172.16.0.0/12", "private"),
            ("192.0.0.0/24", "protocol assignments"),
            ("192.0.2.0/24", "documentation"),
            ("192.31.196.0/24", "AS112"),
            ("192.52.193.0/24", "AMT"),
            ("192.88.99.0/24", "6to4 relays"),
            ("192.168.0.0/16", "private"),
            ("192.175.48.0/24", "AS112"),
            ("198.18.0.0/15", "benchmarks"),
            ("198.51.100.0/24", "documentation"),
            ("203.0.113.0/24", "documentation"),
            ("224.0.0.0/4", "multicast"),
            ("240.0.0.0/4", "reserved and broadcast"),
            ("::/96", "unspecified, loopback and v4-compatible"),
            ("::ffff:0:0/96", "v4-mapped"),
            ("::ffff:0:0:0/96", "v4-translated"),
            ("64:ff9b::/96", "NAT64"),
            ("64:ff9b:1::/48", "local NAT64"),
            ("100::/64", "discard"),
            ("2001::/32", "Teredo"),
            ("2001::/23", "protocol assignments"),
            ("2001:db8::/32", "documentation"),
            ("2002::/16", "6to4"),
            ("2620:4f:8000::/48", "AS112"),
            ("3fff::/20", "documentation"),
            ("5f00::/16", "segment routing"),
            ("fc00::/7", "unique local"),
            ("fe80::/10", "link-local"),
            ("fec0::/10", "site-local"),
            ("ff00::/8", "multicast"),
        )
    }
)
GLOBAL_V6: Final = IPv6Network("2000::/3")
"""Everything else of IPv6 is not assigned to anybody."""


def refusal(address: str) -> str | None:
    """Why this address may not be reached; None when it may.

    :param address: as the resolver answered it, with or without a scope (`fe80::1%eth0`).
    """
    try:
        ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return "no IP address"
    for network, why in DENIED.items():
        if ip.version == network.version and ip in network:
            return why
    if isinstance(ip, IPv6Address) and ip not in GLOBAL_V6:
        return "not assigned"
    return None


def is_same(one: str, other: str) -> bool:
    """Whether two addresses, as a resolver answers them, are one: however they are spelled, v4-mapped or not."""
    return _plain(one) == _plain(other)


def _plain(address: str) -> IPv4Address | IPv6Address:
    ip = ip_address(address.partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return mapped or ip
