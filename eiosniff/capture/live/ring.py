"""Packets of an interface through a socket of this process (Linux): a ring that the kernel fills, see packet(7).

The kernel runs the filter and puts packets into blocks of memory that this process sees as well, so that many come with
one system call. A block is handed over when it is full, or after `RETIRE_MS`.

scapy has such a socket as well, but one system call and some Python for each packet, and room for a fraction of a
second of busy traffic; it also gets what arrives at all interfaces before its filter is set. What is taken of scapy is
its access to libpcap, which compiles the filter (`filters`).
"""

import ctypes
import errno
import mmap
import os
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from eiosniff.capture.live import blocks, devices, filters
from eiosniff.capture.live.blocks import ARPHRD_LOOPBACK, Block
from eiosniff.capture.live.opener import Opener
from eiosniff.capture.live.source import LiveSource, State
from eiosniff.errors import CaptureError
from eiosniff.model.batch import LinkType, PacketBatch

# The name of the interface that stands for all.
ANY: Final = "any"
# How much the ring holds, where the system lets it (bytes): half a second of a full gigabit line.
RING_BYTES: Final = 64 << 20
_LEAST_RING_BYTES: Final = 1 << 20
# A block that is handed over early counts in full: with many small ones, a ring of little traffic holds 12 s of it.
BLOCK_BYTES: Final = 256 << 10
# How long a packet waits for others that fill its block (ms).
RETIRE_MS: Final = 50
_LATE_NS: Final = 2 * RETIRE_MS * 1_000_000
# One `take` ends with the block that reaches either (packets, bytes).
_MOST_PACKETS: Final = 35_000
_MOST_BYTES: Final = 8 << 20
_RETRY_S: Final = 1.0

# Of linux/if_packet.h, linux/if_ether.h, linux/sockios.h and asm/socket.h.
_SOL_PACKET: Final = 263
_PACKET_ADD_MEMBERSHIP: Final = 1
_PACKET_RX_RING: Final = 5
_PACKET_STATISTICS: Final = 6
_PACKET_VERSION: Final = 10
_PACKET_RESERVE: Final = 12
_PACKET_IGNORE_OUTGOING: Final = 23
_TPACKET_V3: Final = 2
_PACKET_MR_PROMISC: Final = 1
_ETH_P_ALL: Final = 3
_SO_ATTACH_FILTER: Final = 26
_FRAME_BYTES: Final = 2048  # says nothing in this version, but is checked

_STATISTICS: Final = struct.Struct("=3I")  # packets, dropped, how often the ring was full; since they were last read
_REQUEST: Final = struct.Struct("=7I")

# ARPHRD_ of linux/if_arp.h. Packets of others (PPP, InfiniBand, GRE) come without their link layer, in LINUX_SLL2.
_LINK_TYPES: Final[dict[int | None, int]] = {
    1: LinkType.ETHERNET, ARPHRD_LOOPBACK: LinkType.ETHERNET, 519: LinkType.RAW, 768: LinkType.RAW, 769: LinkType.RAW,
    776: LinkType.RAW, 0xFFFE: LinkType.RAW, 801: 105, 802: 119, 803: 127,
}  # fmt: skip


def open_packet_socket(interface: str, expression: str) -> socket.socket:
    """See `Opener.packet_socket`: what another interface has is not among its packets, nor what came before its filter.

    Its type is SOCK_DGRAM where packets come without their link layer: of `any`, and of PPP and the like. Of `any`,
    what is queued by now may be anything; a ring begins without it.
    """
    hardware = None if interface == ANY else devices.hardware_type(interface)
    link_type = _LINK_TYPES.get(hardware, LinkType.LINUX_SLL2)
    cooked = link_type == LinkType.LINUX_SLL2
    # Protocol 0: nothing comes before the socket is bound. (It cannot be bound to all interfaces, but is so at first.)
    protocol = socket.htons(_ETH_P_ALL) if hardware is None else 0
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM if cooked else socket.SOCK_RAW, protocol)
    try:
        if expression:
            _attach(opened, filters.cooked(expression) if cooked else filters.compiled(expression, link_type))
        if hardware == ARPHRD_LOOPBACK:
            with suppress(OSError):  # since Linux 4.20; they would be left out later, but take room in the ring
                opened.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        if hardware is not None:
            opened.bind((interface, _ETH_P_ALL))
            membership = struct.pack("=iHH8x", socket.if_nametoindex(interface), _PACKET_MR_PROMISC, 0)
            opened.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, membership)
        opened.setblocking(False)
    except BaseException:
        opened.close()
        raise
    return opened


def _attach(opened: socket.socket, program: bytes) -> None:
    """Have the kernel run a filter. Raises `CaptureError` where it does not take it."""
    kept = ctypes.create_string_buffer(program, len(program))
    request = struct.pack("@HP", len(program) // filters.INSTRUCTION, ctypes.addressof(kept))
    try:
        opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, request)
    except OSError as error:
        raise CaptureError(f"the kernel does not take the filter: {error}", "name fewer hosts and ports") from None


class _Ring:
    """A packet socket, and its ring in memory. `link_type` is that of its packets.

    `dropped` and `full` grow with each `measure`: packets for which there was no room, and how often there was none.
    """

    def __init__(self, opened: socket.socket, size: int) -> None:
        """Takes the socket over. Raises `CaptureError` where the system has no ring for it, and `OSError` where its
        interface is gone already."""
        self._socket = opened
        self._next = 0
        try:
            self.link_type = _link_type_of(opened)
            self._count = _make_ring(opened, size)
            self._map = mmap.mmap(opened.fileno(), self._count * BLOCK_BYTES)
        except BaseException:
            opened.close()
            raise
        self.dropped = self.full = 0
        self.measure()
        self.dropped = self.full = 0  # what was before there was a ring does not count

    def fileno(self) -> int:
        return self._socket.fileno()

    def take(self) -> tuple[bytes, list[Block]]:
        """The blocks that are full, of which there may be more, in bytes of our own: the kernel has them back."""
        pieces: list[memoryview] = []
        found: list[Block] = []
        packets = size = 0
        with memoryview(self._map) as ring:
            while packets < _MOST_PACKETS and size < _MOST_BYTES and len(found) < self._count:
                at = self._place(len(found))
                status, count, first, length = blocks.BLOCK.unpack_from(ring, at + blocks.BLOCK_STATUS_AT)
                if not status & blocks.STATUS_USER:
                    break
                piece = ring[at : at + (length + 3 & -4)]
                pieces.append(piece)
                found.append(Block(size, count, first))
                packets += count
                size += len(piece)
            data = b"".join(pieces)
            for piece in pieces:
                piece.release()
            for index in range(len(found)):
                struct.pack_into("=I", ring, self._place(index) + blocks.BLOCK_STATUS_AT, blocks.STATUS_KERNEL)
        self._next = (self._next + len(found)) % self._count
        return data, found

    def _place(self, index: int) -> int:
        """Where the block begins that comes so many after the next one."""
        return (self._next + index) % self._count * BLOCK_BYTES

    def failed(self) -> bool:
        """Whether the interface went down since this was asked last. Until then the socket counts as readable."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0

    def is_up(self) -> bool | None:
        """Whether the interface is up; None when it was deleted. (One of the same name is another one.)"""
        name = self._socket.getsockname()[0]
        if not name:
            return None
        try:
            return devices.is_up(name)
        except OSError:  # deleted, or given another name, since then
            return None if not self._socket.getsockname()[0] else True

    def measure(self) -> None:
        """Read the kernel's counters, which begin again with that."""
        counters = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, _STATISTICS.size)
        _, dropped, full = _STATISTICS.unpack(counters)
        self.dropped += dropped
        self.full += full

    def close(self) -> None:
        self._map.close()
        self._socket.close()


def _link_type_of(opened: socket.socket) -> int:
    if opened.type == socket.SOCK_DGRAM:
        return LinkType.LINUX_SLL2
    link_type = _LINK_TYPES.get(opened.getsockname()[3])
    if link_type is None:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
    return link_type


def _make_ring(opened: socket.socket, size: int) -> int:
    """Of how many blocks the ring is that the system lets a socket have, at most `size` bytes."""
    try:
        opened.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V3)
        opened.setsockopt(_SOL_PACKET, _PACKET_RESERVE, blocks.RESERVE)
        while True:
            frames = size // BLOCK_BYTES * BLOCK_BYTES // _FRAME_BYTES
            request = _REQUEST.pack(BLOCK_BYTES, size // BLOCK_BYTES, _FRAME_BYTES, frames, RETIRE_MS, 0, 0)
            try:
                opened.setsockopt(_SOL_PACKET, _PACKET_RX_RING, request)
            except OSError:
                size //= 2
                if size < _LEAST_RING_BYTES:
                    raise
            else:
                return size // BLOCK_BYTES
    except OSError as error:
        raise CaptureError(
            f"this system gives no memory for captured packets to a socket: {error}",
            "use --backend dumpcap or --backend tcpdump",
        ) from None


class RingSource(LiveSource):
    """Packets of an interface (`any`: of all), as the kernel hands them over.

    Numbers and counters go on when the interface goes down, or is deleted and made again. `full` is how often the ring
    had no room, each time for one packet or many.
    """

    gather_ns = RETIRE_MS * 1_000_000

    def __init__(
        self,
        interface: str,
        expression: str,
        opener: Opener,
        *,
        ring_bytes: int = RING_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` gives seconds. Raises `OSError` where the opener may not, and `CaptureError` for an interface or
        filter that is none."""
        super().__init__(interface, "scapy", "packet socket", _LATE_NS)
        self._expression = expression
        self._opener = opener
        self._ring_bytes = ring_bytes
        self._clock = clock
        self._gone = False
        self._tried_s = clock()
        self._left: list[PacketBatch] = []  # of an interface that was deleted
        self._dropped = self._full = 0  # by rings before this one
        self._ring: _Ring | None = None
        try:
            self._ring = self._opened()
        except OSError as error:
            if error.errno not in (errno.ENODEV, errno.ENXIO):
                raise
            raise devices.unknown_interface(interface) from None
        self._link_types = [int(self._ring.link_type)]
        self._look(self._ring)

    def _opened(self) -> _Ring:
        return _Ring(self._opener.packet_socket(self.name, self._expression), self._ring_bytes)

    @property
    def link_types(self) -> list[int]:
        """See `LiveSource`."""
        return self._link_types

    @property
    def dropped(self) -> int:
        """See `LiveSource`: what the ring had no room for, as of the last `take`, `poll` or `close`."""
        return self._dropped + (self._ring.dropped if self._ring else 0)

    @property
    def full(self) -> int:
        """How often the ring had no room."""
        return self._full + (self._ring.full if self._ring else 0)

    def fileno(self) -> int:
        """See `LiveSource`."""
        return self._ring.fileno() if self._ring else -1

    def take(self) -> list[PacketBatch]:
        """See `LiveSource`. There may be more at once, and `fileno` is readable then."""
        ring = self._ring
        if ring is None:
            return []
        batches, self._left = self._left, []
        batches += self._take(ring)
        ring.measure()
        if ring.failed() or (batches and self.state is not State.RUNNING):
            self._look(ring)
        return batches

    def _take(self, ring: _Ring) -> list[PacketBatch]:
        data, found = ring.take()
        if not found:
            return []
        batch = blocks.packet_batch(data, found, ring.link_type, self.packets + 1)
        if not len(batch):
            return []
        self.count(batch)
        return [batch]

    def poll(self) -> None:
        """See `LiveSource`."""
        if self._ring is None:
            return
        self._ring.measure()
        if self._look(self._ring):
            return
        now_s = self._clock()
        if now_s - self._tried_s >= _RETRY_S:
            self._tried_s = now_s
            self._open_again(self._ring)

    def _look(self, ring: _Ring) -> bool:
        """See how the interface is; False if it was deleted."""
        up = self.name == ANY or ring.is_up()
        if up:
            self.state, self.note = State.RUNNING, ""
        elif up is not None:
            self.state, self.note = State.WAITING, f"{self.name} is down"
        elif not self._gone:
            self.state, self.note = State.WAITING, f"{self.name} is gone"
            self._tried_s = self._clock()
        self._gone = up is None
        return not self._gone

    def _open_again(self, old: _Ring) -> None:
        try:
            ring = self._opened()
        except (OSError, CaptureError) as error:
            if isinstance(error, CaptureError) or error.errno not in (errno.ENODEV, errno.ENXIO):
                self.note = f"{self.name} is back, but cannot be opened again: {error}"
            return
        while batches := self._take(old):
            self._left += batches
        self._end(old)
        self._ring = ring
        if ring.link_type not in self._link_types:
            self._link_types.append(int(ring.link_type))
        self._look(ring)

    def close(self) -> None:
        """See `LiveSource`."""
        if self._ring is None:
            return
        self._end(self._ring)
        self._ring = None
        self.state, self.note = State.ENDED, ""

    def _end(self, ring: _Ring) -> None:
        ring.measure()
        self._dropped += ring.dropped
        self._full += ring.full
        ring.close()
