"""WebSocket frames: reading a header, unmasking a payload, telling a header from other bytes (RFC 6455, section 5)."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.websocket import Opcode

# Among the three reserved bits; set on the first frame of a compressed message (RFC 7692, section 6).
RSV1: Final = 0b100
KNOWN_OPCODES: Final = frozenset(Opcode)
DATA_OPCODES: Final = frozenset({Opcode.TEXT, Opcode.BINARY})
CONTROL_PAYLOAD_LIMIT: Final = 125  # RFC 6455, section 5.5

# No peer of a Socket.IO connection can hold a message of 4 GiB: V8's strings end at 512 MiB, ws at 100 MiB by default.
# A header that claims more is not a header.
ABSURD_LENGTH: Final = 1 << 32

# From this size on, numpy unmasks faster than one integer of the whole payload does (measured: at about 600 bytes).
NUMPY_PAYS: Final = 600


class Header(NamedTuple):
    """A frame header (section 5.2). `extended` counts the bytes of the extended payload length: 0, 2, 8."""

    fin: bool
    rsv: int
    opcode: int
    masked: bool
    extended: int
    length: int
    mask_key: bytes
    size: int

    @property
    def control(self) -> bool:
        """Whether it is, or would be if the opcode were known, a control frame (section 5.5)."""
        return self.opcode >= 8

    @property
    def minimal(self) -> bool:
        """Whether the length is encoded in as few bytes as it takes, as it must be."""
        return self.extended == 0 or self.length > (125 if self.extended == 2 else 0xFFFF)


@dataclass(slots=True)
class Frame:
    """A frame with its payload unmasked; `kept` is False when the payload went by without being buffered."""

    header: Header
    start: int
    end: int
    payload: bytes
    kept: bool
    missing: int
    packets: tuple[int, ...]
    first: PacketRef
    last: PacketRef
    order: int


def read_header(data: bytes, at: int) -> Header | None:
    """The frame header at `data[at]`, None while it is not complete."""
    if len(data) < at + 2:
        return None
    head, length = data[at], data[at + 1]
    masked = length >= 0x80
    length &= 0x7F
    extended = 0 if length < 126 else 2 if length == 126 else 8
    size = 2 + extended + 4 * masked
    if len(data) < at + size:
        return None
    if extended:
        length = int.from_bytes(data[at + 2 : at + 2 + extended])
    mask_key = data[at + size - 4 : at + size] if masked else b""
    return Header(head >= 0x80, head >> 4 & 7, head & 0x0F, masked, extended, length, mask_key, size)


def unmask(payload: bytes, mask_key: bytes) -> bytes:
    """Undo the masking of a payload (section 5.3)."""
    size = len(payload)
    if size < NUMPY_PAYS:
        mask = int.from_bytes((mask_key * (size // 4 + 1))[:size], "little")
        return (int.from_bytes(payload, "little") ^ mask).to_bytes(size, "little")
    words = np.frombuffer(payload + bytes(-size % 4), np.uint32)
    return (words ^ np.frombuffer(mask_key, np.uint32)).tobytes()[:size]


def begins_engineio(packet: bytes, side: Side, whole: bool) -> bool | None:
    """Whether a captured packet begins with a whole, uncompressed text frame of this side that carries Engine.IO.

    For where nothing else tells: the handshake was lost. None if more bytes are needed; `whole` says that none come.
    """
    if packet[:1] != b"\x81":  # FIN, text
        return False
    header = read_header(packet, 0)
    if header is None:
        return False if whole else None
    if not plausible(header, side, False) or not 0 < header.length <= _LONGEST_BEGINNING:
        return False
    if header.length > len(packet) - header.size:
        return False if whole else None
    first = packet[header.size]
    return (first ^ header.mask_key[0] if header.masked else first) in _ENGINEIO_STARTS


_ENGINEIO_STARTS: Final = b"0123456b"
_LONGEST_BEGINNING: Final = 1 << 14  # a frame that is longer is not in one packet


def plausible(header: Header, side: Side, compression: bool) -> bool:
    """Whether bytes that could be a frame header of this side look like one.

    Stricter than the protocol in one point: an empty fragment that is not the last is allowed, but nobody sends it,
    and two zeros, which are one, are frequent in binary data.
    """
    allowed = RSV1 if compression and header.opcode in DATA_OPCODES else 0
    if header.control:
        possible = header.fin and header.length <= CONTROL_PAYLOAD_LIMIT
    else:
        possible = header.fin or header.length > 0
    return (
        possible
        and header.opcode in KNOWN_OPCODES
        and header.masked == (side is Side.CLIENT)
        and not header.rsv & ~allowed
        and header.minimal
        and header.length <= ABSURD_LENGTH
    )
