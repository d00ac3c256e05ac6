"""Classic pcap files: pcap-savefile(5), draft-ietf-opsawg-pcap.

A file is a header of 24 bytes and records, each with a header of 16 bytes and the captured bytes. Where a record
begins is known only from the one before, so the records are walked one by one, reading a single length of each; every
column is then taken from all of them at once.
"""

import struct
from collections.abc import Iterator

import numpy as np

from eiosniff.capture.records import record_places
from eiosniff.capture.window import CaptureProblem, Window, first_true, gather
from eiosniff.errors import CaptureError
from eiosniff.model.batch import Buffer, Int64s, PacketBatch
from eiosniff.model.trouble import AnomalyKind

FILE_HEADER = 24
CAPTURED_LENGTH_AT = 8  # in the record header
# No link layer has packets of this size: a length above it is not a length (bytes).
RECORD_LIMIT = 256 << 20
# libpcap's MAXIMUM_SNAPLEN: with what most tools write, no packet is longer (bytes).
USUAL_SNAP_LENGTH = 262_144
# Modified pcap (A. Kuznetsov's patch) adds interface index, protocol, packet type and padding to the record header.
MODIFIED_EXTRA = 8

# magic number: nanoseconds in a unit of the fraction, bytes that the record header has more
VARIANTS = {
    0xA1B2C3D4: (1000, 0),
    0xA1B23C4D: (1, 0),
    0xA1B2CD34: (1000, MODIFIED_EXTRA),
}
MAGICS = {struct.pack(order + "I", magic): (order, *variant) for magic, variant in VARIANTS.items() for order in "<>"}


class PcapReader:
    """The packets of a pcap file. `link_types` has one entry, the low 16 bits of the header's field."""

    format = "pcap"

    def __init__(self, window: Window, name: str, batch_size: int) -> None:
        """Read the file header. Raises `CaptureError` when it is cut, or of a version that is not pcap 2.4."""
        if not window.more(FILE_HEADER):
            have = len(window.buffer) - window.pos
            raise CaptureError(
                f"{name} holds no packets: it ends inside its pcap header, after {have} of {FILE_HEADER} bytes",
                "capture again, or copy the file again",
            )
        self._window = window
        self._batch_size = batch_size
        self._order, self._fraction_ns, extra = MAGICS[bytes(window.buffer[window.pos : window.pos + 4])]
        self._header = 16 + extra
        self._layout = np.dtype(
            [(field, self._order + "u4") for field in ("seconds", "fraction", "captured", "wire")]
            + [("extra", f"V{extra}")]
        )
        major, minor, _, _, snap_length, link_type = struct.unpack_from(
            self._order + "HHIIII", window.buffer, window.pos + 4
        )
        if (major, minor) != (2, 4):
            raise CaptureError(
                f"{name} is a pcap file of version {major}.{minor}, and only 2.4 is read",
                "if it is a capture, convert it: editcap -F pcap IN OUT",
            )
        window.pos += FILE_HEADER
        self._usual_length = max(USUAL_SNAP_LENGTH, snap_length if snap_length <= RECORD_LIMIT else 0)
        # The upper bits tell about a frame check sequence at the end of each packet, which nothing here looks at.
        self._link_type = link_type & 0xFFFF
        self.link_types = [self._link_type]
        self.secrets: list[tuple[int, bytes]] = []
        self.dropped: int | None = None  # the format has no place for it
        self.problems: list[CaptureProblem] = []
        self._packets = 0

    def batches(self) -> Iterator[PacketBatch]:
        """All packets, in file order, as far as they have come (`Window.pending`).

        What ends them too early is in `problems` afterwards.
        """
        window = self._window
        while window.more(self._header):
            places, end = self._walk()
            if len(places):
                records = gather(window.buffer, places, self._layout)
                sound = first_true(records["captured"] > RECORD_LIMIT)
                if sound:
                    window.pos = end
                    yield self._batch(places[:sound], records[:sound], window.buffer)
                if sound < len(places):
                    self._length_is_damaged(int(records["captured"][sound]))
                    return
            elif not self._next_is_coming():
                return
        if window.pending:
            return
        left = len(window.buffer) - window.pos
        if window.trouble:
            self._problem(*window.trouble)
        elif left:
            self._problem(
                AnomalyKind.CAPTURE_TRUNCATED,
                f"the file ends inside the header of packet {self._packets + 1}, after {left} of {self._header} bytes",
            )

    def _walk(self) -> tuple[Int64s, int]:
        """Where the next records begin, at most a batch of them and only whole ones, and where the last one ends."""
        buffer = self._window.buffer
        places, end = record_places(
            buffer, self._window.pos, self._header, CAPTURED_LENGTH_AT, self._order == ">", self._batch_size
        )
        if end > len(buffer):
            end = places.pop()
        return np.array(places, dtype=np.int64), end

    def _batch(self, places: Int64s, records: np.ndarray, buffer: Buffer) -> PacketBatch:
        count = len(places)
        number = np.arange(self._packets + 1, self._packets + count + 1, dtype=np.int64)
        self._packets += count
        ts_ns = records["seconds"].astype(np.int64)
        ts_ns *= 1_000_000_000
        ts_ns += records["fraction"].astype(np.int64) * self._fraction_ns
        return PacketBatch(
            number=number,
            ts_ns=ts_ns,
            offset=places + self._header,
            captured=records["captured"].astype(np.int64),
            wire=records["wire"].astype(np.int64),
            link_type=np.full(count, self._link_type, dtype=np.int64),
            buffer=buffer,
        )

    def _next_is_coming(self) -> bool:
        """Get all of the next record, which is not in the window as a whole. False if it is not there yet; false, and a
        problem, if it never is."""
        window = self._window
        (captured,) = struct.unpack_from(self._order + "I", window.buffer, window.pos + 8)
        if captured <= RECORD_LIMIT and window.more(self._header + captured):
            return True
        if captured > RECORD_LIMIT:
            self._length_is_damaged(captured)
        elif window.pending:
            pass
        elif window.trouble:
            self._problem(*window.trouble)
        elif captured > self._usual_length:
            self._length_is_damaged(captured)
        else:
            have = len(window.buffer) - window.pos - self._header
            self._problem(
                AnomalyKind.CAPTURE_TRUNCATED,
                f"the file ends inside packet {self._packets + 1}, after {have} of {captured} bytes",
            )
        return False

    def _length_is_damaged(self, captured: int) -> None:
        self._problem(
            AnomalyKind.CAPTURE_DAMAGED,
            f"packet {self._packets + 1} claims a captured length of {captured} bytes; nothing after it can be read",
        )

    def _problem(self, kind: AnomalyKind, text: str) -> None:
        self.problems.append(CaptureProblem(kind, self._packets, text))
