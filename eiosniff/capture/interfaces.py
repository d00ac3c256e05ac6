"""The interfaces of a pcapng section: what is said about each, and its clock (draft-ietf-opsawg-pcapng)."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from eiosniff.model.batch import Int64s

# Options ("Interface Description Block").
IF_TSRESOL = 9
IF_TSOFFSET = 14
# Options ("Interface Statistics Block").
ISB_IFDROP = 5
ISB_OSDROP = 7

NS = 1_000_000_000
INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1


class Interface(NamedTuple):
    """What an Interface Description Block says. `snap_length` is in bytes, 0 for no limit.

    A timestamp t is the instant t / `units` seconds (`if_tsresol`) plus `offset_s` seconds (`if_tsoffset`) after 1970.
    """

    link_type: int
    snap_length: int
    units: int = 1_000_000
    offset_s: int = 0


class Clocks:
    """Turns timestamps of the interfaces of a section to nanoseconds, exactly (rounded down, clamped to 64 bits)."""

    def __init__(self, interfaces: list[Interface]) -> None:
        self._interfaces = interfaces
        multiply, divide, by_column = [], [], []
        for interface in interfaces:
            finer, coarser = divmod(interface.units, NS), divmod(NS, interface.units)
            multiply.append(coarser[0] if coarser[1] == 0 else 1)
            divide.append(finer[0] if finer[1] == 0 and finer[0] <= INT64_MAX else 1)
            by_column.append(coarser[1] == 0 or divide[-1] > 1)
        self._multiply = np.array(multiply, dtype=np.uint64)
        self._divide = np.array(divide, dtype=np.uint64)
        self._by_column = np.array(by_column, dtype=np.bool_)
        self._offset_ns = np.array(
            [min(max(interface.offset_s * NS, INT64_MIN), INT64_MAX) for interface in interfaces], dtype=np.int64
        )

    def ns(self, timestamps: npt.NDArray[np.uint64], interface: Int64s) -> Int64s:
        """The instants, in ns since 1970, of timestamps of these interfaces."""
        # Columns of one item do for all packets: most files have one interface.
        which = interface if len(self._interfaces) > 1 else slice(None)
        multiply = self._multiply[which]
        coarse = timestamps if (self._divide == 1).all() else timestamps // self._divide[which]
        fits = coarse <= np.uint64(INT64_MAX) // multiply
        ns: Int64s = np.where(fits, coarse * multiply, np.uint64(INT64_MAX)).astype(np.int64)
        if not self._by_column.all():
            for i in np.flatnonzero(~self._by_column[interface]):
                exact = int(timestamps[i]) * NS // self._interfaces[interface[i]].units
                ns[i] = min(exact, INT64_MAX)
        if self._offset_ns.any():
            offset = self._offset_ns[which]
            ns = np.minimum(ns, INT64_MAX - np.maximum(offset, 0)) + offset
        return ns


def parse_interface(body: bytes, order: str) -> Interface:
    """The body of a block ("Interface Description Block"). Options that make no sense are as if not there."""
    link_type, _, snap_length = struct.unpack_from(order + "HHI", body)
    interface = Interface(link_type, snap_length)
    for code, value in _options(body[8:], order):
        if code == IF_TSRESOL and len(value) == 1:
            exponent = value[0] & 0x7F
            interface = interface._replace(units=2**exponent if value[0] & 0x80 else 10**exponent)
        elif code == IF_TSOFFSET and len(value) == 8:
            (offset_s,) = struct.unpack(order + "q", value)
            interface = interface._replace(offset_s=offset_s)
    return interface


def parse_dropped(body: bytes, order: str) -> tuple[int, int]:
    """Which interface the body of a block is about ("Interface Statistics Block"), and how many packets were dropped
    since the capture began, by the interface or by the operating system; -1 if it does not say so."""
    (interface,) = struct.unpack_from(order + "I", body)
    dropped = -1
    for code, value in _options(body[12:], order):
        if code in (ISB_IFDROP, ISB_OSDROP) and len(value) == 8:
            (count,) = struct.unpack(order + "Q", value)
            dropped = max(dropped, 0) + count
    return interface, dropped


def _options(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Codes and values ("Options"), up to the one that ends them or does not fit."""
    pos = 0
    while pos + 4 <= len(data):
        code, length = struct.unpack_from(order + "HH", data, pos)
        pos += 4
        if code == 0 or pos + length > len(data):
            return
        yield code, data[pos : pos + length]
        pos += (length + 3) & -4
