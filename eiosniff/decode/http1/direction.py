"""One direction of an HTTP/1.x connection: messages, gaps and what is not understood, such that they tile the stream.

Strategy: a direction is either inside a body (`body` is set) or looks for a head: at the place where the last message
ended; if none is there, where captured packets begin, since senders begin messages there. What is skipped on the way is
one `Desync`. What a head means is for `HttpConnection` to say, which knows the other direction.
"""

from dataclasses import dataclass
from typing import Final

from eiosniff.decode.buffer import StreamBuffer
from eiosniff.decode.http1.body import DONE, MORE, Body, Progress, quoted
from eiosniff.decode.http1.codings import undo_codings
from eiosniff.decode.http1.events import Events
from eiosniff.decode.http1.head import Head, NoHead, departures, head_at
from eiosniff.decode.websocket.frame import begins_engineio
from eiosniff.model.http import HttpMessage
from eiosniff.model.provenance import CLIENT, NO_PACKET, PacketRef, Side
from eiosniff.model.tcp import EndKind, StreamEnd
from eiosniff.model.trouble import Anomaly, AnomalyKind, Desync, Gap


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What bounds the memory of one connection. An anomaly names the limit that was reached as it is called here."""

    head: int = 64 << 10  # Node refuses heads above 16 KiB, nginx above 32 KiB, h11 above 100 KiB
    body: int = 16 << 20  # kept of one body: Engine.IO servers refuse more than 1 MB by default, 100 MB before 4.0
    unasked_body: int = 1 << 20  # kept of a response whose request was not captured: enough for any polling answer
    inflated: int = 64 << 20  # of one body: four times `body`, as text inflates
    unanswered: int = 1024  # requests: browsers do not pipeline, and no server lets a client run that far ahead
    packets: int = 64 << 10  # numbers in the record of one message: 16 MiB take about 12,000 packets
    held: int = 64 << 10  # bytes between a request for another protocol and its response: clients send a few frames
    patience_ns: int = 8_000_000_000  # for that response: after so long a silence the server direction is not captured


class Direction:
    """One direction. The bytes before stream offset `start` are accounted for; what was found goes to `events`.

    `lossy` becomes True when captured or missing bytes were skipped in which messages may have been. `frames` does when
    the next bytes are frames of a WebSocket, and what was skipped must have been its handshake. `may_be_tunnel` is set
    where a proxy was asked for a tunnel, and it is not known whether there is one.
    """

    # fmt: off
    __slots__ = (
        "_early", "_events", "_last", "_limits", "_lost", "_message", "_noted", "_packets", "_why",
        "body", "buffer", "ended", "frames", "lossy", "may_be_tunnel", "side", "start",
    )
    # fmt: on

    def __init__(self, side: Side, limits: HttpLimits, events: Events) -> None:
        self.side = side
        self.buffer = StreamBuffer(side)
        self.start = 0
        self.body: Body | None = None
        self.ended: StreamEnd | None = None
        self.lossy = False
        self.frames = False
        self.may_be_tunnel = False
        self._early = False  # frames came where all bytes before them were understood: no handshake is missing
        self._limits = limits
        self._events = events
        # Of the message that is being read: the record, and the packets that carried it, up to an offset.
        self._message: HttpMessage | None = None
        self._packets: dict[int, None] | None = None
        self._noted = 0
        self._last = NO_PACKET, 0  # the packet of the last of these bytes, and the one that delivered it
        self._lost: PacketRef | None = None  # the packet with the first byte that was not understood
        self._why = _NO_START_LINE  # what to say of the bytes from `start` on if nobody understands them

    def pass_over(self, offset: int) -> None:
        """The bytes up to a stream offset are no message, and understood."""
        self.buffer.pos = offset - self.buffer.base
        self.start = offset

    # Messages

    def find_head(self) -> Head | None:
        """The next head, with the buffer moved to where it begins; None when more bytes are needed."""
        buffer, limit = self.buffer, self._limits.head
        for offset in self._candidates():
            if offset < buffer.offset:
                continue
            buffer.pos = offset - buffer.base
            head = head_at(buffer.data, buffer.pos, self.side, limit)
            if isinstance(head, Head):
                self._desync(offset)
                self._why = _NO_START_LINE
                return head
            if head is NoHead.YET:
                return None
            early = not self.lossy and self.side is CLIENT and not self.may_be_tunnel
            begins = self._frame_begins(offset) if (self.lossy or early) and not self._early else False
            if begins is None:
                return None
            if begins and not early:
                self._desync(offset)
                self.frames = True
                return None
            if begins:
                self.report_early_frames(offset)
            self._lose()
            if head is NoHead.WITHIN_LIMIT:
                expected = f"a head of at most {limit} bytes (limit `head`)"
                self._report(AnomalyKind.HTTP_TOO_LARGE, buffer.ref(offset), expected, "a larger one")
                buffer.pos += limit
        buffer.pos = len(buffer.data)
        return None

    def _frame_begins(self, offset: int) -> bool | None:
        """Whether the packet that begins at a stream offset begins with a frame of a WebSocket; None if more of it is
        to come before that is known."""
        buffer = self.buffer
        if buffer.data[buffer.pos] != _TEXT_WITH_FIN:
            return False
        following = buffer.boundaries(offset)
        end = following[0] if following else buffer.end
        packet = buffer.data[buffer.pos : end - buffer.base]
        return begins_engineio(packet, self.side, whole=len(following) > 0)

    def _candidates(self) -> list[int]:
        """Stream offsets at which a message may begin, in order."""
        offset = self.buffer.offset
        if offset == self.start:
            return [offset, *self.buffer.boundaries(offset)]
        return [*self.buffer.boundaries(offset - 1)]  # lost: a message begins here only if a packet does

    def begin(self, message: HttpMessage, head: Head, body: Body | None) -> None:
        """Read a message whose head was found, up to its end if it has no body."""
        if not head.regular:
            for kind, expected, found in departures(self.buffer.data, head, self.side):
                self._report(kind, message.first, expected, quoted(found))
        self.buffer.pos = head.after
        self.body = body
        self._message = message
        self._noted = message.start
        if body is None:
            self._finish(True)

    def read_body(self, body: Body) -> bool:
        """Read on in the body; True when the message is over."""
        progress = body.read(self.buffer, self._events)
        if progress is MORE:
            self._note_packets(self.buffer.offset)
            return False
        self._finish(progress is DONE)
        if progress is Progress.BROKEN:
            self._why = "chunked framing was lost"
        return True

    def _note_packets(self, end: int) -> None:
        """Remember which packets carried the message up to `end`, before the buffer forgets."""
        if end > self._noted:
            self._last = self.buffer.ref(end - 1), self.buffer.order(end - 1)
            if self._packets is None:
                self._packets = {}
            for number in self.buffer.packets(self._noted, end):
                if len(self._packets) >= self._limits.packets:
                    break
                self._packets[number] = None
            self._noted = end

    def _finish(self, complete: bool) -> None:
        """Fill in the record of the message that ends here, and hand it out."""
        message, body, buffer = self._message, self.body, self.buffer
        assert message is not None  # since `begin`
        end = buffer.offset
        if self._packets is not None:
            self._note_packets(end)
            end = self._noted
            message.packets = tuple(self._packets)
            message.last, message.order = self._last
            self._packets = None
        else:
            packets = buffer.packets(message.start, end)
            message.packets = packets[: self._limits.packets]
            message.last = message.first if len(packets) == 1 else buffer.ref(end - 1)
            message.order = buffer.order(end - 1)
        message.complete = complete
        message.end = self.start = end
        if body is not None:
            message.body_length = body.length
            message.missing = body.missing
            message.body_kept = body.kept
            if body.kept:
                self._fill_body(message, body)
        self._message = self.body = None
        self._events.append(message)

    def _fill_body(self, message: HttpMessage, body: Body) -> None:
        """Give the message its content, with the codings undone as far as that goes."""
        message.body = body.content()
        if not body.codings:
            return
        content, trouble, found = undo_codings(body.codings, message.body, self._limits.inflated)
        message.body = content or b""
        message.body_kept = content is not None
        if trouble is AnomalyKind.HTTP_BAD_CODING and (message.missing or not message.complete):
            return  # nothing else could be expected of a part
        if trouble is not None:
            self._report(trouble, message.last, f"content in {quoted(b', '.join(body.codings))}", found)

    # What is not a message

    def skip(self, gap: Gap) -> None:
        """Find out what a gap means to the message that is being read, and where reading goes on."""
        buffer, body, after = self.buffer, self.body, gap.offset + gap.length
        if body is not None:
            taken = body.skip(gap, self._events)
            if taken is None:
                buffer.pos = len(buffer.data)  # a part of a chunk-size line belongs to the message
                self._finish(False)
            else:
                self._noted = gap.offset + taken
                self._last = gap.place, gap.place.number
                if not self.read_body(body) or self.start == after:  # the gap may have had the last bytes of the body
                    return
        elif self._lost is None:
            self._why = "a gap inside a head"
        self._desync(gap.offset)
        buffer.pos = len(buffer.data)
        self.start = after
        self.lossy = True
        self._why = f"{_NO_START_LINE} after a gap"

    def close(self, end: StreamEnd) -> None:
        """Leave nothing open, since nothing follows."""
        buffer = self.buffer
        left = buffer.data[buffer.pos :].strip(b"\r\n")
        buffer.pos = len(buffer.data)
        if self.body is not None:
            lacks = self.body.lacks(end.kind)
            if lacks:
                self._report(AnomalyKind.HTTP_INCOMPLETE, end.place, lacks, end.kind.value)
            self._finish(not lacks)
        elif self._lost is None:
            self._why = "the stream ended inside a head" if left else "empty lines after the last message"
            if left:
                self._report(AnomalyKind.HTTP_INCOMPLETE, end.place, "the rest of a head", end.kind.value)
        self._desync(buffer.offset)

    def abandon(self) -> None:
        """Leave nothing open, since another protocol follows."""
        if self.body is not None:
            place = self.buffer.ref(self.buffer.offset - 1)
            lacks = self.body.lacks(EndKind.CAPTURE_ENDED)
            self._report(AnomalyKind.HTTP_INCOMPLETE, place, lacks, "a change of protocol")
            self._finish(False)
        self._desync(self.buffer.offset)

    def _lose(self) -> None:
        """Note that there is no message where one should begin."""
        if self._lost is None:
            self._lost = self.buffer.ref(self.start)
            self.lossy = True

    def _desync(self, end: int) -> None:
        """Account for the bytes up to `end`, if there are any, as not understood."""
        if end > self.start:
            self._events.append(
                Desync(self.side, self.start, end, self._why, self._lost or self.buffer.ref(self.start))
            )
            self.start = end
        self._lost = None

    def report_early_frames(self, offset: int) -> None:
        """A frame of the client begins at this stream offset, before any server has accepted a WebSocket."""
        self._early = True
        expected = "no WebSocket frame before the 101"
        self._report(AnomalyKind.WS_BEFORE_101, self.buffer.ref(offset), expected, "a masked frame")

    def _report(self, kind: AnomalyKind, place: PacketRef, expected: str, found: str) -> None:
        self._events.append(Anomaly(kind, self.side, place, expected, found))


_NO_START_LINE: Final = "no HTTP start line"
_TEXT_WITH_FIN: Final = 0x81
