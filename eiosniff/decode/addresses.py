"""Numbers for IP addresses, so that columns can hold them."""

from ipaddress import IPv6Address
from typing import Final

import numpy as np
import numpy.typing as npt

from eiosniff.model.batch import Int64s

_IPV6_IDS: Final = 1 << 32  # smaller ids are IPv4 addresses


class AddressTable:
    """Gives each IP address a number: an IPv4 address its own value, an IPv6 address the next one from 2**32 on."""

    def __init__(self) -> None:
        self._ids: dict[bytes, int] = {}
        self._ipv6: list[bytes] = []

    def text(self, id: int) -> str:
        """The address with this id as people write it (RFC 5952 for IPv6)."""
        if id < _IPV6_IDS:
            return f"{id >> 24}.{id >> 16 & 255}.{id >> 8 & 255}.{id & 255}"
        return str(IPv6Address(self._ipv6[id - _IPV6_IDS]))

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
