"""Numbers for IP addresses, so that columns can hold them."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Final

import numpy as np
import numpy.typing as npt

from eiosniff.model.batch import Int64s

_IPV6_IDS: Final = 1 << 32  # smaller ids are IPv4 addresses


@lru_cache(4096)  # asked for twice for each connection, of few hosts
def _ipv4(value: int) -> str:
    return str(IPv4Address(value))


class AddressTable:
    """Gives each IP address a number: an IPv4 address its own value, an IPv6 address the next one from 2**32 on."""

    def __init__(self) -> None:
        self._ids: dict[bytes, int] = {}
        self._ipv6: list[bytes] = []

    def text(self, id: int) -> str:
        """The address with this id as people write it (RFC 5952 for IPv6)."""
        return _ipv4(id) if id < _IPV6_IDS else str(IPv6Address(self._ipv6[id - _IPV6_IDS]))

    def intern(self, addresses: npt.NDArray[np.bytes_]) -> Int64s:
        """The ids of IPv6 addresses; new ones are numbered in order of appearance."""
        distinct, first, which = np.unique(addresses, return_index=True, return_inverse=True)
        octets = distinct.tobytes()
        ids = np.empty(len(distinct), np.int64)
        for index in np.argsort(first).tolist():
            address = octets[16 * index : 16 * index + 16]
            if address not in self._ids:
                self._ids[address] = _IPV6_IDS + len(self._ipv6)
                self._ipv6.append(address)
            ids[index] = self._ids[address]
        return ids[which]
