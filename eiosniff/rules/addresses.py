"""Which addresses others can reach: shared by the rules about who can read or use something."""

import ipaddress
from functools import lru_cache

_PRIVATE = tuple(
    ipaddress.ip_network(network)
    # RFC 1918, 3927, 6598 and 4193, 4291: nobody else can be reached at these. RFC 7335: a phone's own, where its
    # network speaks IPv6 alone. RFC 2544: for measurements, and what local proxies make up.
    for network in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "192.0.0.0/24",
        "198.18.0.0/15", "fc00::/7", "fe80::/10", "fec0::/10",
    )
)  # fmt: skip


def is_loopback(address: str) -> bool:
    """Whether an address is of this machine."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=4096)
def is_private(address: str) -> bool:
    """Whether an address is of a network that nobody outside reaches, or of this machine; also what is no address.

    Not `is_private` of the standard library: that counts the addresses of examples in, too.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return True
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    return parsed.is_loopback or any(parsed in network for network in _PRIVATE if network.version == parsed.version)
