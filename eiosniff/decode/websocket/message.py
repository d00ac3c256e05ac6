"""WebSocket frames to messages: fragments joined, compression undone, violations recorded (RFC 6455, RFC 7692)."""

from dataclasses import dataclass, field
from typing import Final

from eiosniff.decode.websocket.deflate import InflateFailure, Inflater
from eiosniff.decode.websocket.frame import (
    CONTROL_PAYLOAD_LIMIT,
    DATA_OPCODES,
    KNOWN_OPCODES,
    RSV1,
    Frame,
    Header,
)
from eiosniff.model.provenance import CLIENT, PacketRef, Side
from eiosniff.model.trouble import Anomaly, AnomalyKind, Desync
from eiosniff.model.websocket import Opcode, WsControl, WsMessage

WsEvent = WsMessage | WsControl | Anomaly | Desync

# The codes below 3000 that an endpoint may send (RFC 6455, section 7.4.1, and the IANA registry that it set up).
CLOSE_CODES: Final = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})


@dataclass(slots=True, frozen=True)
class WsLimits:
    """What is kept of one message.

    `message` bytes on the wire: Socket.IO servers take 1 MB by default (`maxHttpBufferSize`), so that sixteen times
    as much leaves room for all that were told to take more, and no connection can hold more memory than this.
    `fragments`: an endless message of empty fragments must not fill the memory either; 64 Ki of them are far beyond
    any sender that is known (netty cuts at 64 KiB).
    """

    message: int = 16 << 20
    fragments: int = 1 << 16


DEFAULT_LIMITS: Final = WsLimits()


@dataclass(slots=True)
class Message:
    """A data message whose frames are being collected; `kept` is False when a limit was passed."""

    first: Frame
    last: Frame
    compressed: bool
    kept: bool = True
    payloads: list[bytes] = field(default_factory=list)
    fragments: int = 0
    wire_length: int = 0
    missing: int = 0
    packets: dict[int, None] = field(default_factory=dict)

    def add(self, frame: Frame, limits: WsLimits) -> None:
        """Take the next frame; past a limit only count, and name only the packets of the last frame."""
        self.last = frame
        self.fragments += 1
        self.wire_length += frame.header.length
        self.missing += frame.missing
        if self.kept and not (frame.kept and self.fragments <= limits.fragments):
            self.kept = False
            self.payloads.clear()
        if self.kept:
            self.payloads.append(frame.payload)
        if self.kept or self.fragments == 1 or frame.header.fin:
            self.packets.update(dict.fromkeys(frame.packets))


class Assembler:
    """Takes the frames of one side, in order, and appends to `events` what they amount to.

    `message` is the fragmented message whose last frame did not come yet, `order` the packet that completed the frame
    at hand.
    """

    __slots__ = ("_inflater", "_limits", "_midstream", "_orphans", "_side", "_undeclared", "message", "order")

    def __init__(self, side: Side, inflater: Inflater | None, limits: WsLimits, midstream: bool) -> None:
        self._side = side
        self._inflater = inflater
        self._limits = limits
        self._midstream = midstream
        self._undeclared: Inflater | None = None  # of compression that nobody agreed to
        self._orphans = False  # continuation frames may belong to a message whose beginning was lost
        self.message: Message | None = None
        self.order = 0

    @property
    def busy(self) -> bool:
        """Whether the next data frame may be anything but the beginning of a message."""
        return self.message is not None or self._orphans

    @property
    def compression(self) -> bool:
        """Whether compressed messages are to be expected."""
        return self._inflater is not None or self._midstream

    def room(self, header: Header) -> int:
        """How long the payload of this frame may be and still be kept."""
        message = self.message
        if message is None or header.opcode != Opcode.CONTINUATION:
            return self._limits.message
        return self._limits.message - message.wire_length if message.kept else 0

    def lose(self) -> None:
        """Frames are missing: give up the message that was begun, and the deflate context."""
        self.message = None
        self._orphans = True
        inflater = self._inflater or self._undeclared
        if inflater is not None:
            inflater.lose()

    def anomaly(self, kind: AnomalyKind, place: PacketRef, expected: str, found: str) -> Anomaly:
        """An anomaly of this side; its place is the packet that completed the frame, as with Wireshark."""
        return Anomaly(kind, self._side, place, expected, found, self.order)

    def take(self, frame: Frame, events: list[WsEvent]) -> None:
        """Record what is wrong with a frame, and make a control record or a part of a message of it."""
        header = frame.header
        self.order = frame.order
        compressed = self._is_compressed(header)
        negotiated = compressed and self._undeclared is None
        flaws: list[tuple[AnomalyKind, str, str]] = []
        if header.masked != (self._side is CLIENT):
            mask = ("not masked", "masked")
            flaws.append((AnomalyKind.WS_WRONG_MASK, mask[not header.masked], mask[header.masked]))
        if header.rsv & ~(RSV1 if negotiated else 0):
            found = f"{header.rsv:03b} with opcode {header.opcode}"
            flaws.append((AnomalyKind.WS_RESERVED_BITS, "reserved bits 000", found))
        if header.opcode not in KNOWN_OPCODES:
            flaws.append((AnomalyKind.WS_RESERVED_OPCODE, "an opcode that is defined", str(header.opcode)))
        if not header.minimal:
            found = f"{header.length} in {header.extended} more bytes"
            flaws.append((AnomalyKind.WS_BAD_LENGTH, "the shortest encoding", found))
        events.extend(self.anomaly(kind, frame.last, expected, found) for kind, expected, found in flaws)
        if header.control:
            self._take_control(frame, events)
        else:
            self._take_data(frame, compressed, events)

    def _is_compressed(self, header: Header) -> bool:
        """Whether this is the first frame of a compressed message (RFC 7692, section 6), agreed on or not."""
        if not header.rsv & RSV1 or header.opcode not in DATA_OPCODES:
            return False
        if self._inflater is None and self._midstream:  # it must have been negotiated; its context was not captured
            self._inflater = Inflater()
            self._inflater.lose()
        if self._inflater is None and self._undeclared is None:
            self._undeclared = Inflater()
        return True

    def _take_control(self, frame: Frame, events: list[WsEvent]) -> None:
        header, payload = frame.header, frame.payload
        if not header.fin or header.length > CONTROL_PAYLOAD_LIMIT:
            expected = f"a whole frame of at most {CONTROL_PAYLOAD_LIMIT} bytes"
            found = f"{header.length} bytes" if header.fin else "a fragment"
            events.append(self.anomaly(AnomalyKind.WS_BAD_CONTROL, frame.last, expected, found))
        control = WsControl(
            self._side, header.opcode, payload, header.masked, header.mask_key, header.rsv,
            frame.start, frame.end, frame.packets, frame.first, frame.last, frame.order,
        )  # fmt: skip
        if header.length > self._limits.message:
            events.append(self._too_large(frame.last, f"a control frame of {header.length} bytes"))
        elif header.opcode == Opcode.CLOSE and payload and not frame.missing:
            self._read_close(control, events)
        events.append(control)

    def _read_close(self, control: WsControl, events: list[WsEvent]) -> None:
        """Read code and reason of a close frame (RFC 6455, section 5.5.1)."""
        if len(control.payload) < 2:
            control.close_reason = control.payload
            events.append(self.anomaly(AnomalyKind.WS_BAD_CLOSE, control.last, "a code of two bytes", "one byte"))
            return
        code = control.close_code = int.from_bytes(control.payload[:2])
        control.close_reason = control.payload[2:]
        if code not in CLOSE_CODES and not 3000 <= code <= 4999:
            events.append(self.anomaly(AnomalyKind.WS_BAD_CLOSE, control.last, "a code that may be sent", str(code)))
        self.check_utf8(control.close_reason, control.last, events)

    def _take_data(self, frame: Frame, compressed: bool, events: list[WsEvent]) -> None:
        """Begin a message or continue it (RFC 6455, section 5.4)."""
        message, continues = self.message, frame.header.opcode == Opcode.CONTINUATION
        if self._orphans:
            self._orphans = continues and not frame.header.fin
            if continues:
                reason = "the beginning of the message was lost"
                events.append(Desync(self._side, frame.start, frame.end, reason, frame.first, order=frame.order))
                return
        if continues == (message is None):
            found = ("a new message", "a continuation")
            events.append(
                self.anomaly(AnomalyKind.WS_BAD_CONTINUATION, frame.last, found[not continues], found[continues])
            )
            if message is not None:  # it was never finished, which is known only now; what came of it is evidence
                self._finish(message, events)
                message = None
        if message is None:
            message = Message(frame, frame, compressed)
        message.add(frame, self._limits)
        if frame.header.fin:
            self._finish(message, events)
            message = None
        self.message = message

    def _finish(self, message: Message, events: list[WsEvent]) -> None:
        """Join, inflate and check a message."""
        first, last, header = message.first, message.last, message.first.header
        payload, readable = b"".join(message.payloads), message.kept
        if message.wire_length > self._limits.message or message.fragments > self._limits.fragments:
            found = f"{message.wire_length} bytes in {message.fragments} fragments"
            events.append(self._too_large(last.last, found))
        inflater = self._inflater or self._undeclared
        compressed = message.compressed
        if compressed and inflater is not None:
            if message.missing or not message.kept:
                inflater.lose()
                payload, readable = b"", False
            elif self._undeclared is not None and not inflater.fits(payload):
                compressed = False  # the bit means something else: what came is all that there is
            else:
                inflated = inflater.inflate(payload)
                if isinstance(inflated, InflateFailure):
                    payload, readable = b"", False
                    if not inflated.repeated:
                        events.append(self.anomaly(inflated.kind, last.last, inflated.expected, inflated.found))
                else:
                    payload = inflated
        if header.opcode == Opcode.TEXT and not message.missing and not payload.isascii():
            self.check_utf8(payload, last.last, events)
        record = WsMessage(
            self._side, header.opcode, payload, header.masked, header.mask_key, header.rsv, message.fragments,
            message.wire_length, compressed, message.missing, readable,
            first.start, last.end, tuple(message.packets), first.first, last.last, self.order,
        )  # fmt: skip
        events.append(record)

    def check_utf8(self, text: bytes, place: PacketRef, events: list[WsEvent]) -> None:
        """Record text that is not UTF-8 (RFC 6455, section 8.1)."""
        try:
            text.decode()
        except UnicodeDecodeError as error:
            found = f"{error.reason} at byte {error.start} of {len(text)}"
            events.append(self.anomaly(AnomalyKind.WS_BAD_UTF8, place, "UTF-8", found))

    def _too_large(self, place: PacketRef, found: str) -> Anomaly:
        limits = self._limits
        expected = f"at most {limits.message} bytes in {limits.fragments} fragments (the limits of a message)"
        return self.anomaly(AnomalyKind.WS_TOO_LARGE, place, expected, found)
