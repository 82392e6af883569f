"""Whether a server is one of the operator's own, as far as its address tells: whoever did not agree to outside services
is answered by no other."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

_OWN_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in (
        "127.0.0.0/8",
        "::1/128",
        "10.0.0.0/8",  # RFC 1918, with the two after it
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "fe80::/10",
        "fc00::/7",  # RFC 4193
    )
)
_OWN_NAMES = (".localhost", ".local", ".internal", ".home.arpa")
"""Names that no public name server answers for: RFC 6761, RFC 6762, ICANN's resolution of 2024, RFC 8375."""


def is_outside(url: str) -> bool:
    """True unless the address is of this machine or of a private network.

    Names are not looked up, for the answer may change: a name counts as private where it cannot be public, being of one
    word (a container's) or under a domain that is reserved.
    """
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        # An address may also be written as one number (0x08080808), but no name of one word begins with a digit.
        one_word = "." not in host and host[:1].isalpha()
        return not one_word and not host.endswith(_OWN_NAMES)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return not any(address in network for network in _OWN_NETWORKS)
