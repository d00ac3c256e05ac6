"""pcapng files: draft-ietf-opsawg-pcapng.

A file is a row of blocks, each with its type and length. As in `pcap`, the blocks are walked one by one and everything
else is done by column. A run of blocks ends where a new section begins, since a section may change the byte order.
"""

import struct
from collections.abc import Iterator
from itertools import repeat

import numpy as np

from eiosniff.capture.interfaces import Clocks, Interface, parse_dropped, parse_interface
from eiosniff.capture.window import CaptureProblem, Window, first_true, gather
from eiosniff.errors import CaptureError
from eiosniff.model.batch import Buffer, Int64s, PacketBatch
from eiosniff.model.trouble import AnomalyKind

# Block types ("Block Types"). The one of a section header reads the same in both byte orders.
SECTION_HEADER = 0x0A0D0D0A
INTERFACE_DESCRIPTION = 1
OBSOLETE_PACKET = 2
SIMPLE_PACKET = 3
INTERFACE_STATISTICS = 5
ENHANCED_PACKET = 6
DECRYPTION_SECRETS = 10
WITHOUT_PACKETS = (INTERFACE_DESCRIPTION, DECRYPTION_SECRETS, INTERFACE_STATISTICS)
PACKETS = (ENHANCED_PACKET, OBSOLETE_PACKET, SIMPLE_PACKET)
# Blocks without a captured packet that Wireshark numbers as if they had one: systemd journal entries, custom blocks,
# and Sysdig events of four kinds (wiretap/pcapng.c; seen with tshark 4.0).
OTHER_NUMBERED = (9, 0x00000BAD, 0x40000BAD, 0x204, 0x208, 0x216, 0x221)

SECTION_START = struct.pack("<I", SECTION_HEADER)
BYTE_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}

# The least total length of a block, its type and both its lengths included (bytes).
SHORTEST_BLOCK = 12
SHORTEST = {
    SECTION_HEADER: 28,
    INTERFACE_DESCRIPTION: 20,
    OBSOLETE_PACKET: 32,
    SIMPLE_PACKET: 16,
    ENHANCED_PACKET: 32,
    DECRYPTION_SECRETS: 20,
    INTERFACE_STATISTICS: 24,
}
# What precedes the packet's bytes in a block; the length at the block's end is TRAILER bytes.
PACKET_HEADER = 28
SIMPLE_PACKET_HEADER = 12
TRAILER = 4

# Limits, against files that are not what they seem.
BLOCK_LIMIT = 256 << 20
INTERFACE_LIMIT = 1 << 16
SECRETS_LIMIT = 64
SECRETS_BYTES_LIMIT = 1 << 20


class _Layouts:
    """The fixed parts of blocks, in the byte order of a section."""

    def __init__(self, order: str) -> None:
        word = order + "u4"
        self.word = np.dtype([("value", word)])
        self.block = np.dtype([("type", word), ("length", word)])
        # The Obsolete Packet Block differs in that `interface` is 16 bits, with a drop count after it.
        self.packet = np.dtype(
            [("block", "V8")] + [(name, word) for name in ("interface", "high", "low", "captured", "wire")]
        )
        self.simple_packet = np.dtype([("block", "V8"), ("wire", word)])


LAYOUTS = {order: _Layouts(order) for order in "<>"}


def section_header_length(start: bytes) -> int:
    """How long the section header is that begins with `start` (bytes), or how much of it tells that, if that is more.

    Of one that is damaged, it is as much as shows the damage.
    """
    order = BYTE_ORDERS.get(start[8:12])
    if order is None:
        return SHORTEST_BLOCK
    (length,) = struct.unpack_from(order + "I", start, 4)
    return (length + 3) & -4 if SHORTEST_BLOCK <= length <= BLOCK_LIMIT else SHORTEST_BLOCK


class PcapngReader:
    """The packets of a pcapng file. `secrets` holds its first Decryption Secrets Blocks, as (type, data)."""

    format = "pcapng"

    def __init__(self, window: Window, name: str, batch_size: int) -> None:
        """Read the first section header. Raises `CaptureError` when it is cut, damaged or of an unknown version."""
        self._window = window
        self._batch_size = batch_size
        self._order = "<"
        self._interfaces: list[Interface] = []
        self._link_type_of = np.array([], dtype=np.int64)
        self._clocks = Clocks([])
        self._link_types: dict[int, None] = {}
        self._numbered = 0
        self._last_ns = 0
        self._secrets_bytes = 0
        self._dropped_at: dict[int, int] = {}  # of the interfaces of this section
        self._dropped_before = 0  # in the sections before
        self._counts_dropped = False
        self.secrets: list[tuple[int, bytes]] = []
        self.problems: list[CaptureProblem] = []
        if not self._begin_section():
            raise CaptureError(f"{name} holds no packets: {self.problems[0].text}", "capture again, or copy it again")

    @property
    def link_types(self) -> list[int]:
        """The link types of the interfaces described so far, each once, in their order."""
        return list(self._link_types)

    def batches(self) -> Iterator[PacketBatch]:
        """All packets, in file order, as far as they have come (`Window.pending`).

        What ends them too early is in `problems` afterwards.
        """
        window = self._window
        while window.more(8):
            if bytes(window.buffer[window.pos : window.pos + 4]) == SECTION_START:
                if not self._begin_section():
                    return
                continue
            places, end = self._walk()
            if len(places):
                batch, flaw = self._read_run(places)
                window.pos = end
                if len(batch):
                    yield batch
                if flaw:
                    self._damaged(flaw)
                    return
            elif not self._whole_block_comes():
                return
        if window.trouble or window.pos < len(window.buffer):
            self._cut("the header of a block")

    def _begin_section(self) -> bool:
        """Read a section header ("Section Header Block"). False, and a problem, when that cannot be done; false, and
        none, while it is not there as a whole.

        Its section length is not looked at: the draft lets it be unknown, and nothing here needs it.
        """
        window = self._window
        if not window.more(12):
            self._cut("a section header")
            return False
        magic = bytes(window.buffer[window.pos + 8 : window.pos + 12])
        if magic not in BYTE_ORDERS:
            self._damaged(f"a section header has the byte-order magic {magic.hex()}")
            return False
        self._order = BYTE_ORDERS[magic]
        if not self._whole_block_comes():
            return False
        places = np.array([window.pos], dtype=np.int64)
        _, lengths = self._blocks(places)
        _, flaw = self._sound_blocks(places, np.array([SECTION_HEADER]), lengths)
        if not flaw:
            major, minor = struct.unpack_from(self._order + "HH", window.buffer, window.pos + 12)
            if major != 1:
                flaw = f"a section is of pcapng version {major}.{minor}, and only 1 is read"
        if flaw:
            self._damaged(flaw)
            return False
        window.pos += (int(lengths[0]) + 3) & -4
        self._interfaces = []
        self._link_type_of = self._link_type_of[:0]
        if self._dropped_at:
            self._dropped_before += sum(self._dropped_at.values())
            self._counts_dropped = True
            self._dropped_at = {}
        return True

    @property
    def dropped(self) -> int | None:
        """How many packets were dropped while capturing, by the counters of the file; None if it has none."""
        if not self._dropped_at and not self._counts_dropped:
            return None
        return self._dropped_before + sum(self._dropped_at.values())

    def _walk(self) -> tuple[Int64s, int]:
        """Where the next blocks of this section begin, at most a batch and only whole ones; where the last one ends."""
        buffer, pos = self._window.buffer, self._window.pos
        type_and_length = struct.Struct(self._order + "II").unpack_from
        places: list[int] = []
        append = places.append
        try:
            for _ in repeat(None, self._batch_size):
                kind, length = type_and_length(buffer, pos)
                if kind == SECTION_HEADER:
                    break
                append(pos)
                pos += (length + 3) & -4
        except struct.error:  # the next header is not, or not all, in the buffer
            pass
        if pos > len(buffer):
            pos = places.pop()
        return np.array(places, dtype=np.int64), pos

    def _blocks(self, places: Int64s) -> tuple[Int64s, Int64s]:
        """Types and total lengths of blocks."""
        blocks = gather(self._window.buffer, places, LAYOUTS[self._order].block)
        return blocks["type"].astype(np.int64), blocks["length"].astype(np.int64)

    def _sound_blocks(self, places: Int64s, kinds: Int64s, lengths: Int64s) -> tuple[int, str]:
        """How many blocks come before the first with impossible lengths, and what is wrong with that one."""
        shortest = np.full(len(kinds), SHORTEST_BLOCK, dtype=np.int64)
        for kind, length in SHORTEST.items():
            shortest[kinds == kind] = length
        sound = first_true((lengths < shortest) | (lengths > BLOCK_LIMIT))
        flaw = f"a block has a length of {lengths[sound]} bytes" if sound < len(lengths) else ""
        if sound:
            lengths = lengths[:sound]
            ends = places[:sound] + ((lengths + 3) & -4) - TRAILER
            again = gather(self._window.buffer, ends, LAYOUTS[self._order].word)["value"]
            same = first_true(again != lengths)
            if same < sound:
                return same, f"a block has a length of {lengths[same]} at its start and {again[same]} at its end"
        return sound, flaw

    def _read_run(self, places: Int64s) -> tuple[PacketBatch, str]:
        """The packets of a run of blocks, up to the first block that is damaged, and what is wrong with that one."""
        buffer = self._window.buffer
        kinds, lengths = self._blocks(places)
        sound, flaw = self._sound_blocks(places, kinds, lengths)

        described = len(self._interfaces) + np.cumsum(kinds[:sound] == INTERFACE_DESCRIPTION)
        within = first_true(described > INTERFACE_LIMIT)
        if within < sound:
            sound, flaw = within, f"a section describes more than {INTERFACE_LIMIT} interfaces"

        rows = np.flatnonzero(np.isin(kinds[:sound], PACKETS))
        packets = _PacketBlocks(buffer, self._order, places[rows], kinds[rows], lengths[rows])
        numbers = self._numbered + np.cumsum(np.isin(kinds, PACKETS + OTHER_NUMBERED))
        bad = first_true((packets.captured > packets.room) | (packets.interface >= described[rows]))
        if bad < len(rows):
            sound, flaw = int(rows[bad]), packets.flaw(bad, int(numbers[rows[bad]]))
            rows = rows[:bad]

        self._read_descriptions(places[:sound], kinds[:sound], lengths[:sound])
        if sound:
            self._numbered = int(numbers[sound - 1])
        return self._batch(packets, numbers[rows]), flaw

    def _batch(self, packets: "_PacketBlocks", number: Int64s) -> PacketBatch:
        """As many of the packets as there are numbers; all their interfaces are known."""
        count = len(number)
        interface, stamped = packets.interface[:count], packets.stamped[:count]
        captured = packets.captured[:count]
        if not stamped.all():  # a Simple Packet Block belongs to interface 0, and leaves out what the snap length cut
            snap_length = self._interfaces[0].snap_length or BLOCK_LIMIT
            captured = np.where(stamped, captured, np.minimum(captured, snap_length))
        # A packet without a timestamp gets the one before it.
        ts_ns = np.empty(np.count_nonzero(stamped) + 1, dtype=np.int64)
        ts_ns[0] = self._last_ns
        ts_ns[1:] = self._clocks.ns(packets.timestamp[: len(ts_ns) - 1], interface[stamped])
        self._last_ns = int(ts_ns[-1])
        return PacketBatch(
            number=number,
            ts_ns=ts_ns[np.cumsum(stamped)],
            offset=packets.offset[:count],
            captured=captured,
            wire=packets.wire[:count],
            link_type=self._link_type_of[interface],
            buffer=self._window.buffer,
        )

    # Blocks without packets

    def _read_descriptions(self, places: Int64s, kinds: Int64s, lengths: Int64s) -> None:
        """Take in the interfaces, statistics and secrets of a run of sound blocks."""
        for i in np.flatnonzero(np.isin(kinds, WITHOUT_PACKETS)):
            body = bytes(self._window.buffer[places[i] + 8 : places[i] + lengths[i] - TRAILER])
            if kinds[i] == DECRYPTION_SECRETS:
                self._keep_secrets(body)
            elif kinds[i] == INTERFACE_STATISTICS:
                interface_id, dropped = parse_dropped(body, self._order)
                if dropped >= 0 and interface_id < len(self._interfaces):
                    self._dropped_at[interface_id] = dropped  # the counters only grow
            else:
                interface = parse_interface(body, self._order)
                self._interfaces.append(interface)
                self._link_types[interface.link_type] = None
        if len(self._interfaces) > len(self._link_type_of):
            self._link_type_of = np.array([interface.link_type for interface in self._interfaces], dtype=np.int64)
            self._clocks = Clocks(self._interfaces)

    def _keep_secrets(self, body: bytes) -> None:
        """Keep what a block brings ("Decryption Secrets Block"), within limits."""
        kind, length = struct.unpack_from(self._order + "II", body)
        data = body[8 : 8 + length]
        if len(self.secrets) < SECRETS_LIMIT and self._secrets_bytes + len(data) <= SECRETS_BYTES_LIMIT:
            self.secrets.append((kind, data))
            self._secrets_bytes += len(data)

    # The end of the file, and trouble

    def _whole_block_comes(self) -> bool:
        """Get all of the next block, whose header is in the window. False if it is not there yet; false, and a problem,
        if it never is."""
        window = self._window
        kind, length = struct.unpack_from(self._order + "II", window.buffer, window.pos)
        if not SHORTEST_BLOCK <= length <= BLOCK_LIMIT:
            self._damaged(f"a block has a length of {length} bytes")
            return False
        if window.more((length + 3) & -4):
            return True
        self._cut(f"packet {self._numbered + 1}" if kind in PACKETS else "a block that is not a packet")
        return False

    def _cut(self, where: str) -> None:
        """What comes next is not there as a whole: a problem, unless the rest may come yet."""
        window = self._window
        if window.pending:
            return
        kind, text = window.trouble or (AnomalyKind.CAPTURE_TRUNCATED, "the file ends early")
        self._problem(kind, f"{text}, {len(window.buffer) - window.pos} bytes into {where}")

    def _damaged(self, flaw: str) -> None:
        self._problem(AnomalyKind.CAPTURE_DAMAGED, f"{flaw}; nothing after packet {self._numbered} can be read")

    def _problem(self, kind: AnomalyKind, text: str) -> None:
        self.problems.append(CaptureProblem(kind, self._numbered, text))


class _PacketBlocks:
    """Blocks that hold captured packets, as columns.

    `room` is what a block can hold (bytes); `stamped` is false for Simple Packet Blocks, which have no timestamp, and
    `timestamp` has an entry for each of the others.
    """

    def __init__(self, buffer: Buffer, order: str, places: Int64s, kinds: Int64s, lengths: Int64s) -> None:
        self.stamped = kinds != SIMPLE_PACKET
        simple = ~self.stamped
        fields = gather(buffer, places[self.stamped], LAYOUTS[order].packet)
        self.timestamp = fields["high"].astype(np.uint64) << np.uint64(32) | fields["low"]
        self.offset = places + np.where(simple, SIMPLE_PACKET_HEADER, PACKET_HEADER)
        self.room = places + lengths - TRAILER - self.offset
        self.wire = np.empty(len(places), dtype=np.int64)
        self.wire[self.stamped] = fields["wire"]
        self.wire[simple] = gather(buffer, places[simple], LAYOUTS[order].simple_packet)["wire"]
        self.captured = np.minimum(self.wire, self.room)  # how much a Simple Packet Block has is not written in it
        self.captured[self.stamped] = fields["captured"]
        self.interface = np.zeros(len(places), dtype=np.int64)
        self.interface[self.stamped] = fields["interface"]
        obsolete = kinds == OBSOLETE_PACKET
        if obsolete.any():
            high, low = np.divmod(self.interface[obsolete], 1 << 16)
            self.interface[obsolete] = low if order == "<" else high

    def flaw(self, i: int, number: int) -> str:
        """What is wrong with packet `i`, which has this number."""
        if self.captured[i] > self.room[i]:
            return f"packet {number} claims {self.captured[i]} captured bytes, and its block has {self.room[i]}"
        return f"packet {number} is of interface {self.interface[i]}, which is not described before it"
