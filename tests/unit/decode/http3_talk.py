"""What peers say over HTTP/3, as pieces of QUIC streams."""

from collections.abc import Sequence

import pylsqpack

from eiosniff.decode.outside.pieces import Outside
from eiosniff.decode.stack import Stack
from eiosniff.model.decoded import DecodedPacket
from eiosniff.model.finding import Diagnosis
from eiosniff.model.outside import QuicPiece
from eiosniff.model.provenance import CLIENT, SERVER, Endpoint, Side
from eiosniff.model.summary import CaptureSummary
from eiosniff.rules.diagnosis import diagnose
from eiosniff.rules.engine import Judge, Ledgers
from eiosniff.rules.registry import all_rules
from tests.unit.decode.talk_sessions import no_advice

AGENT = Endpoint("192.0.2.1", 50000)
HOST = Endpoint("192.0.2.2", 443)
START_NS = 1_700_000_000_000_000_000
OPEN = '0{"sid":"S","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}'
GET = ((b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"chat.example"), (b"user-agent", b"x"))
SESSION, STREAM = 0, 4  # ids of the streams that a client opens first
CONNECT = (
    (b":method", b"CONNECT"), (b":scheme", b"https"), (b":authority", b"chat.example"), (b":path", b"/socket.io/"),
    (b":protocol", b"webtransport"), (b"origin", b"https://chat.example"),
)  # fmt: skip


def varint(value: int) -> bytes:
    """RFC 9000, section 16: as short as it can be."""
    for size in (1, 2, 4, 8):
        if value < 1 << (8 * size - 2):
            return (value | (size.bit_length() - 1) << (8 * size - 2)).to_bytes(size)
    raise ValueError(value)


def frame(kind: int, payload: bytes) -> bytes:
    """RFC 9114, section 7.1."""
    return varint(kind) + varint(len(payload)) + payload


def packet(text: str | bytes) -> bytes:
    """A packet as engine.io-parser 5.2.1 frames it."""
    data = text.encode() if isinstance(text, str) else text
    size = len(data)
    head = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2) if size < 1 << 16 else b"\x7f" + size.to_bytes(8)
    return bytes([head[0] | (0x80 if isinstance(text, bytes) else 0)]) + head[1:] + data


class Http3Talk:
    """Collects pieces, each in a captured packet of its own, 10 ms after the one before."""

    def __init__(self, table: int = 4096, connection: int = 0) -> None:
        self.pieces: list[QuicPiece] = []
        self.connection = connection
        self._waited_ns = 0
        self._offsets: dict[tuple[int, Side, int], int] = {}
        self._encoders = [pylsqpack.Encoder(), pylsqpack.Encoder()]
        self._began = [False, False]
        self._table = table

    def settings(self, client: bytes = b"", server: bytes = b"") -> None:
        """Both sides open their control streams, and those of QPACK; `client` and `server` are more of the settings."""
        for side, control, encoder, more in ((CLIENT, 2, 6, client), (SERVER, 3, 7, server)):
            self.say(side, control, b"\0" + frame(4, varint(1) + varint(self._table) + varint(7) + varint(16) + more))
            setup = self._encoders[side].apply_settings(self._table, 16)
            self.say(side, encoder, b"\2" + setup)

    def say(self, side: Side, stream: int, data: bytes, *, fin: bool = False) -> None:
        """Bytes of a stream."""
        number = len(self.pieces) + 1
        offset = self._offsets.get((self.connection, side, stream), 0)
        self._offsets[self.connection, side, stream] = offset + len(data)
        time = START_NS + number * 10_000_000 + self._waited_ns
        self.pieces.append(
            QuicPiece(number, time, self.connection, AGENT, HOST, side is CLIENT, stream, offset, data, fin)
        )

    def wait(self, seconds: float) -> None:
        """Nothing happens for a while."""
        self._waited_ns += round(seconds * 1e9)

    def section(
        self, side: Side, stream: int, fields: Sequence[tuple[bytes, bytes]], *, fin: bool = False, late: bool = False
    ) -> None:
        """A HEADERS frame; if `late`, what it inserts into the table comes after it."""
        inserts, block = self._encoders[side].encode(stream, list(fields))
        encoder = 6 if side is CLIENT else 7
        if inserts and not late:
            self.say(side, encoder, inserts)
        self.say(side, stream, frame(1, block), fin=fin)
        if inserts and late:
            self.say(side, encoder, inserts)

    def webtransport(self, *, status: bytes = b"200", stream: int = SESSION) -> None:
        """A client asks for a WebTransport session, and is answered."""
        self.section(CLIENT, stream, CONNECT)
        self.section(SERVER, stream, [(b":status", status), (b"server", b"x")], fin=status != b"200")
        if status == b"200":
            self.say(CLIENT, stream + 4, varint(0x41) + varint(stream))

    def close(self, side: Side, code: int = 0, reason: bytes = b"", *, stream: int = SESSION) -> None:
        """CLOSE_WEBTRANSPORT_SESSION."""
        capsule = varint(0x2843) + varint(4 + len(reason)) + code.to_bytes(4) + reason
        self.say(side, stream, frame(0, capsule), fin=True)

    def polled(self, stream: int, query: str, body: str, *, late: bool = False, path: str = "/socket.io/") -> None:
        """A poll over HTTP/3, and its answer."""
        target = f"{path}?EIO=4&transport=polling{query}".encode()
        self.section(CLIENT, stream, [*GET, (b":path", target)], fin=True, late=late)
        self.section(SERVER, stream, [(b":status", b"200"), (b"content-type", b"text/plain; charset=UTF-8")])
        self.say(SERVER, stream, frame(0, body.encode()), fin=True)


def stack_of(pieces: Sequence[QuicPiece]) -> tuple[Stack, list[DecodedPacket]]:
    """What a capture of nothing but these pieces comes to."""
    heard: list[DecodedPacket] = []
    stack = Stack(CaptureSummary("x"), heard.append, outside=Outside(pieces=iter(pieces)))
    stack.close()
    assert not stack.crashes, stack.crashes
    return stack, heard


def diagnoses_of(pieces: Sequence[QuicPiece]) -> list[Diagnosis]:
    """What the rules make of it."""
    stack, _ = stack_of(pieces)
    sessions = stack.sessions
    judge = Judge(all_rules(), no_advice, "x")
    ledgers = Ledgers(
        stack.summary, sessions.sessions, list(sessions.clients.values()), list(sessions.servers.values())
    )
    return diagnose(judge.findings(ledgers), all_rules())
