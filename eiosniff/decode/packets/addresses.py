"""Numbers for IP addresses, so that columns can hold them."""

from collections.abc import Iterable
from hashlib import blake2b
from ipaddress import IPv6Address
from typing import Final

import numpy as np
import numpy.typing as npt

from eiosniff.model.batch import Int64s

_IPV6_IDS: Final = 1 << 32  # smaller ids are IPv4 addresses
_OTHER_IDS: Final = 1 << 46  # of IPv6 addresses whose own id another one has
# What is not in use is thrown away when there are so many, and whenever they have doubled since.
CROWDED_AT_LEAST: Final = 50_000


class AddressTable:
    """Gives each IP address a number of less than 47 bits: to IPv4 its own value, to IPv6 one that it always has.

    (But for those few that would have the number of another one: they get the next free one.)
    """

    def __init__(self) -> None:
        self._ids: dict[bytes, int] = {}
        self._ipv6: dict[int, bytes] = {}
        self._others = 0
        self._crowded_at = CROWDED_AT_LEAST

    def __len__(self) -> int:
        return len(self._ids)

    def text(self, id: int) -> str:
        """The address with this id as people write it (RFC 5952 for IPv6)."""
        if id < _IPV6_IDS:
            return f"{id >> 24}.{id >> 16 & 255}.{id >> 8 & 255}.{id & 255}"
        return str(IPv6Address(self._ipv6[id]))

    def intern(self, addresses: npt.NDArray[np.bytes_]) -> Int64s:
        """The ids of IPv6 addresses."""
        distinct, first, which = np.unique(addresses, return_index=True, return_inverse=True)
        octets = distinct.tobytes()
        ids = np.empty(len(distinct), np.int64)
        for index in np.argsort(first).tolist():
            address = octets[16 * index : 16 * index + 16]
            id = self._ids.get(address)
            if id is None:
                id = self._ids[address] = self._free_id(address)
                self._ipv6[id] = address
            ids[index] = id
        return ids[which]

    def _free_id(self, address: bytes) -> int:
        id = _IPV6_IDS + (int.from_bytes(blake2b(address, digest_size=6).digest()) >> 3)
        if id not in self._ipv6:
            return id
        self._others += 1
        return _OTHER_IDS + self._others

    @property
    def is_crowded(self) -> bool:
        """Whether it is worth while to `keep` only what is in use."""
        return len(self._ids) > self._crowded_at

    def keep(self, used: Iterable[int]) -> None:
        """Forget all ids but these."""
        self._ipv6 = {id: self._ipv6[id] for id in used if id in self._ipv6}
        self._ids = {address: id for id, address in self._ipv6.items()}
        self._crowded_at = max(CROWDED_AT_LEAST, 2 * len(self._ids))
