"""HTTP/2 as tests say it: frames, header blocks, and a connection that is told them packet by packet."""

from collections.abc import Iterable, Sequence
from typing import Any

from hpack import Encoder

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.events import Events, Record
from eiosniff.decode.http2.frames import PREFACE
from eiosniff.decode.tcp.flow import Flow
from eiosniff.model.provenance import Endpoint, PacketRef, Side
from eiosniff.model.session import Connection
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap, GapReason

C, S = Side.CLIENT, Side.SERVER
POLL = "/socket.io/?EIO=4&transport=polling"
SOCKET = "/socket.io/?EIO=4&transport=websocket"
OPENING = b'0{"sid":"a","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000}'
SETTINGS = b"\0\0\0\x04\0\0\0\0\0"


def frame(kind: int, stream: int, payload: bytes = b"", flags: int = 0) -> bytes:
    """One frame (RFC 9113, section 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


class Peer:
    """One side, which remembers what it put into its table."""

    def __init__(self) -> None:
        self.encoder = Encoder()

    def head(self, stream: int, fields: Sequence[tuple[str, str]], *, last: bool, more: int = 0) -> bytes:
        """HEADERS, in `more` frames of CONTINUATION besides."""
        block = self.encoder.encode(fields)
        size = len(block) // (more + 1) + 1
        pieces = [block[at : at + size] for at in range(0, len(block), size)]
        frames = [frame(1 if at == 0 else 9, stream, piece, (at == 0) * last) for at, piece in enumerate(pieces)]
        ended = bytearray(frames[-1])
        ended[4] |= 4
        return b"".join(frames[:-1]) + bytes(ended)

    def ask(self, stream: int, target: str = POLL, method: str = "GET", body: bytes = b"", **more: Any) -> bytes:
        """A request."""
        fields = [(":method", method), (":scheme", "http"), (":path", target), (":authority", "a.example")]
        asked = self.head(stream, [*fields, ("user-agent", "test"), *more.get("fields", ())], last=not body)
        return asked + (frame(0, stream, body, 1) if body else b"")

    def answer(self, stream: int, body: bytes = b"", status: int = 200, **more: Any) -> bytes:
        """A response."""
        fields = [(":status", str(status)), ("server", "test"), *more.get("fields", ())]
        return self.head(stream, fields, last=not body) + (frame(0, stream, body, 1) if body else b"")

    def connect(self, stream: int, target: str = SOCKET) -> bytes:
        """An extended CONNECT for a WebSocket (RFC 8441, section 5)."""
        fields = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", target)]
        return self.head(stream, [*fields, (":authority", "a.example")], last=False)


class Talk:
    """An HTTP/2 connection; a packet for each piece."""

    def __init__(self) -> None:
        place = PacketRef(1, 1)
        self.crashes: list[Exception] = []
        ledger = Connection(0, Endpoint("10.0.0.1", 40_000), Endpoint("10.0.0.2", 3000), place, place)
        flow = Flow((1, 2), place, place)
        self.conversation = Conversation(flow, ledger, Events(), lambda _, bug: self.crashes.append(bug))
        self.conversation.enter_http2([0, 0], None)
        self.offsets = [0, 0]
        self.number = 0

    def _place(self) -> PacketRef:
        self.number += 1
        return PacketRef(self.number, self.number * 1000)

    def say(self, side: Side, data: bytes) -> None:
        """One packet."""
        place = self._place()
        chunk = StreamChunk(side, self.offsets[side], data, [0], [place.number], [place.ts_ns])
        self.offsets[side] += len(data)
        self.conversation.chunk(chunk)

    def say_in_pieces(self, side: Side, data: bytes, sizes: Iterable[int]) -> None:
        """Packets of these sizes, and the rest in one."""
        at = 0
        for size in sizes:
            if at < len(data) and size:
                self.say(side, data[at : at + size])
                at += size
        if at < len(data):
            self.say(side, data[at:])

    def lose(self, side: Side, length: int) -> None:
        """Bytes that were not captured."""
        gap = Gap(side, self.offsets[side], length, GapReason.NOT_CAPTURED, self._place())
        self.offsets[side] += length
        self.conversation.gap(gap)

    def end(self, kind: EndKind = EndKind.FIN) -> None:
        """Both sides end."""
        for side in Side:
            self.conversation.end(StreamEnd(side, kind, self._place()))

    def of(self, *kinds: type) -> list[Any]:
        """The records of these kinds."""
        return [record for record in self.records if isinstance(record, kinds)]

    @property
    def records(self) -> list[Record]:
        """All records."""
        return self.conversation.events.records

    @property
    def streams(self) -> list[int]:
        """The stream of each record, 0 for the connection."""
        return [conversation.stream for conversation in self.conversation.events.conversations]


def begun() -> tuple[Talk, Peer, Peer]:
    """A connection behind its prefaces."""
    talk = Talk()
    talk.say(C, PREFACE + SETTINGS)
    talk.say(S, SETTINGS)
    return talk, Peer(), Peer()
