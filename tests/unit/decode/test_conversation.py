"""One connection from bytes to records: from HTTP to WebSocket, gaps, ends, and decoders that raise."""

import zlib
from collections.abc import Callable
from typing import Any

import pytest

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.events import Events, Record
from eiosniff.decode.http1.connection import HttpConnection, Upgrade
from eiosniff.decode.tcp.flow import Flow
from eiosniff.decode.websocket.reader import WebSocketReader
from eiosniff.model.http import HttpRequest, HttpResponse
from eiosniff.model.provenance import Endpoint, PacketRef, Side
from eiosniff.model.session import Connection
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Anomaly, Desync, Gap, GapReason
from eiosniff.model.websocket import WsControl, WsMessage

C, S = Side.CLIENT, Side.SERVER
ASK = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
REFUSAL = b'HTTP/1.1 400 Bad Request\r\nContent-Length: 34\r\n\r\n{"code":0,"message":"unsupported"}'
PING, PONG = b"\x81\x012", b"\x81\x81\0\0\0\x003"


class Talk:
    """A conversation that is told what TCP brings; a packet for each piece."""

    def __init__(self, make: Callable[..., Conversation] = Conversation.over_http) -> None:
        place = PacketRef(1, 1)
        self.crashes: list[Exception] = []
        ledger = Connection(0, Endpoint("10.0.0.1", 40_000), Endpoint("10.0.0.2", 3000), place, place)
        flow = Flow((1, 2), place, place)
        self.conversation = make(flow, ledger, Events(), lambda _, bug: self.crashes.append(bug))
        self.offsets = [0, 0]
        self.number = 0

    def place(self) -> PacketRef:
        self.number += 1
        return PacketRef(self.number, self.number * 1000)

    def say(self, side: Side, data: bytes) -> None:
        place = self.place()
        chunk = StreamChunk(side, self.offsets[side], data, [0], [place.number], [place.ts_ns])
        self.offsets[side] += len(data)
        self.conversation.chunk(chunk)

    def lose(self, side: Side, length: int) -> None:
        gap = Gap(side, self.offsets[side], length, GapReason.NOT_CAPTURED, self.place())
        self.offsets[side] += length
        self.conversation.gap(gap)

    def end(self, side: Side, kind: EndKind = EndKind.FIN) -> None:
        self.conversation.end(StreamEnd(side, kind, self.place()))

    @property
    def records(self) -> list[Record]:
        return self.conversation.events.records

    @property
    def kinds(self) -> list[str]:
        return [type(record).__name__ for record in self.records]

    @property
    def orders(self) -> list[int]:
        return self.conversation.events.orders

    def only(self, kind: type) -> list[Any]:
        return [record for record in self.records if isinstance(record, kind)]

    def payloads(self) -> list[bytes]:
        return [message.payload for message in self.only(WsMessage)]


def upgraded() -> Talk:
    talk = Talk()
    talk.say(C, ASK)
    talk.say(S, SWITCH)
    return talk


def test_upgrade() -> None:
    talk = upgraded()
    talk.say(S, PING)
    talk.say(C, PONG)
    assert talk.kinds == ["HttpRequest", "HttpResponse", "Upgrade", "WsMessage", "WsMessage"]
    assert talk.orders == [1, 2, 2, 3, 4]
    assert talk.payloads() == [b"2", b"3"]
    assert talk.conversation.ledger.bytes == [len(ASK + PONG), len(SWITCH + PING)]


def test_frames_that_came_with_the_101() -> None:
    talk = Talk()
    talk.say(C, ASK)
    talk.say(S, SWITCH + PING + PING)
    talk.say(S, PING)
    assert talk.payloads() == [b"2"] * 3
    assert [message.start for message in talk.only(WsMessage)] == [len(SWITCH), len(SWITCH) + 3, len(SWITCH) + 6]


def test_frames_that_came_before_the_101() -> None:
    talk = Talk()
    talk.say(C, ASK + PONG)
    talk.say(C, PONG)
    talk.say(S, SWITCH)
    assert talk.payloads() == [b"3", b"3"]
    assert talk.orders == sorted(talk.orders)


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_upgrade_in_pieces(step: int) -> None:
    """However it is cut, also in the middle of the first frame."""
    talk = Talk()
    asked, answered = ASK, SWITCH + PING + b"\x81\x06"
    for at in range(0, len(asked), step):
        talk.say(C, asked[at : at + step])
    for at in range(0, len(answered), step):
        talk.say(S, answered[at : at + step])
    talk.say(S, b"4hello")
    assert talk.payloads() == [b"2", b"4hello"]


def test_deflate_as_negotiated() -> None:
    talk = Talk()
    talk.say(C, ASK[:-2] + DEFLATE)
    talk.say(S, SWITCH[:-2] + DEFLATE)
    compressor = zlib.compressobj(wbits=-15)
    compressed = (compressor.compress(b"2") + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\0\0\xff\xff")
    talk.say(S, b"\xc1" + bytes([len(compressed)]) + compressed)
    assert talk.payloads() == [b"2"]


@pytest.mark.parametrize("with_101", [True, False], ids=["with the 101", "after the 101"])
def test_http_after_the_101(with_101: bool) -> None:
    """A server that refuses only after the 101 writes HTTP into the WebSocket."""
    talk = Talk()
    talk.say(C, ASK)
    if with_101:
        talk.say(S, SWITCH + REFUSAL)
    else:
        talk.say(S, SWITCH)
        talk.say(S, REFUSAL[:20])
        talk.say(S, REFUSAL[20:])
    (_, refusal) = talk.only(HttpResponse)
    assert refusal.inside_websocket
    assert (refusal.status, refusal.body[:9], refusal.start) == (400, b'{"code":0', len(SWITCH))
    assert not talk.only(Desync)


def test_http_after_the_101_is_due_with_the_packet_that_tells_of_it() -> None:
    """However packets are joined: the client goes on meanwhile, and events of both sides are put in order."""
    talk = upgraded()
    talk.number = 9
    begins = talk.offsets[S]
    pieces = [b"H", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"]
    talk.conversation.chunk(StreamChunk(S, begins, b"".join(pieces), [0, 1], [10, 12], [10_000, 12_000]))
    (lost,) = talk.only(Desync)
    assert (lost.start, lost.end, lost.place.number) == (begins, begins + 1, 10)
    assert talk.orders[talk.records.index(lost)] == 12


@pytest.mark.parametrize("joined", [True, False], ids=["in one piece", "packet by packet"])
@pytest.mark.parametrize(
    ("said", "due"),
    [
        ([b"nothing", PING, b"more"], [11]),  # a frame, whose handshake is not captured
        ([b"HTTP/1.1 200 OK\r\nBad header\r\n", b"\r\n", b"rest"], [11]),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"q", b"q\r\n"], [12]),
    ],
    ids=["frame", "header", "chunk"],
)
def test_what_is_odd_of_a_server_is_due_with_the_packet_that_showed_it(
    said: list[bytes], due: list[int], joined: bool
) -> None:
    talk = Talk()
    talk.number = 9
    if joined:
        starts = [sum(map(len, said[:at])) for at in range(len(said))]
        numbers = [10, 11, 12]
        talk.conversation.chunk(StreamChunk(S, 0, b"".join(said), starts, numbers, [1000 * n for n in numbers]))
    else:
        for piece in said:
            talk.say(S, piece)
    odd = [order for order, record in zip(talk.orders, talk.records, strict=True) if type(record) in (Anomaly, Upgrade)]
    assert odd == due


def test_what_is_odd_of_a_websocket_is_due_with_the_packet_that_showed_it() -> None:
    """Which is later than the one that it is about."""
    talk = Talk(Conversation.over_websocket)
    pieces = [b"ing", PING, b"\x81\x02\xff", b"\xff"]
    numbers = [10, 12, 14, 16]
    starts = [sum(map(len, pieces[:at])) for at in range(len(pieces))]
    talk.conversation.chunk(StreamChunk(S, 0, b"".join(pieces), starts, numbers, [1000 * n for n in numbers]))
    assert talk.kinds == ["Desync", "WsMessage", "Anomaly", "WsMessage"]
    assert talk.records[0].place.number == 10
    assert talk.orders == [12, 12, 16, 16]


def test_h2c_after_holes() -> None:
    """HTTP/2 begins after what was not captured, not where the last bytes that were are."""
    talk = Talk()
    talk.lose(C, 25)
    talk.lose(S, 39)
    talk.say(S, b"HTTP/1.1 101 X\r\nUpgrade: h2c\r\n\r\n")
    talk.lose(C, 25)
    talk.end(C)
    assert talk.crashes == []


def test_second_101_in_the_websocket() -> None:
    """Of another connection, whose SYN was not captured."""
    talk = upgraded()
    talk.say(S, SWITCH + PING)
    talk.say(S, PING)
    assert talk.payloads() == [b"2", b"2"]
    assert len(talk.only(Upgrade)) == 1
    assert not talk.crashes


def test_tunnel_is_not_read() -> None:
    talk = Talk()
    talk.say(C, b"CONNECT example.org:443 HTTP/1.1\r\n\r\n")
    talk.say(S, b"HTTP/1.1 200 OK\r\n\r\n")
    talk.say(C, b"\x16\x03\x01 secret")
    talk.lose(S, 5)
    talk.end(C)
    assert talk.kinds == ["HttpRequest", "HttpResponse", "Upgrade", "Gap", "StreamEnd"]
    assert talk.conversation.ledger.bytes[C] > 36


# ---------------------------------------------------------------------- gaps and ends


def test_gap_in_a_message() -> None:
    talk = upgraded()
    talk.say(S, b"\x81\x084he")
    talk.lose(S, 3)
    talk.say(S, b"lo" + PING)
    (holed, ping) = talk.only(WsMessage)
    assert (holed.missing, ping.payload) == (3, b"2")
    assert (talk.conversation.ledger.gap_bytes, talk.conversation.ledger.gaps) == (3, [4])
    assert talk.conversation.gaps == [PacketRef(4, 4000)]


def test_gap_right_after_the_101() -> None:
    """The first frame is not where the bytes go on: that must not be read as a frame."""
    talk = upgraded()
    talk.lose(S, 10)
    talk.say(S, b"\x0142")
    talk.say(S, b"\x81\x0242")
    talk.say(S, PING)
    talk.end(S)
    assert b"2" in talk.payloads()
    assert b"42" in talk.payloads()
    assert talk.only(Desync)


def test_gap_that_is_itself_the_end_of_http() -> None:
    """One direction captured: frames of the client follow, then a hole; the reader of frames must hear of it."""
    talk = Talk()
    talk.say(C, ASK + PONG + b"\x81\x84\0\0\0\x0042")
    talk.lose(C, 2)
    talk.say(C, PONG)
    talk.end(C, EndKind.CAPTURE_ENDED)
    assert [(message.payload[:2], message.missing) for message in talk.only(WsMessage)] == [
        (b"3", 0),
        (b"42", 2),
        (b"3", 0),
    ]


def test_end_in_a_message() -> None:
    talk = upgraded()
    talk.say(S, b"\x81\x084he")
    talk.end(S)
    assert talk.kinds[-1] == "StreamEnd"
    assert talk.only(Anomaly)
    assert talk.conversation.ledger.ends == [None, EndKind.FIN]


def test_reset_is_told_once_and_bytes_in_flight_are_read() -> None:
    talk = upgraded()
    talk.end(S, EndKind.RST)
    talk.conversation.reset(StreamEnd(C, EndKind.RST, talk.place()))
    talk.say(C, PONG)
    talk.end(C, EndKind.FIN)
    assert talk.payloads() == [b"3"]
    assert [end.kind for end in talk.only(StreamEnd)] == [EndKind.RST, EndKind.RST]


def test_websocket_without_its_handshake() -> None:
    talk = Talk(Conversation.over_websocket)
    talk.say(S, b"rest of a message")
    talk.say(S, PING)
    talk.say(C, PONG)
    talk.end(S)
    talk.end(C)
    assert sorted(talk.payloads()) == [b"2", b"3"]


def test_records_keep_their_order() -> None:
    """An anomaly may be about a packet long ago: what came before it was known before it nevertheless."""
    talk = Talk()
    talk.say(C, ASK + PONG)
    talk.say(S, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    talk.end(C)
    talk.end(S)
    assert talk.orders == sorted(talk.orders)


# ---------------------------------------------------------------------- what the session layer may ask and tell


def test_what_was_heard_by_when() -> None:
    talk = upgraded()
    assert talk.conversation.heard(C, PacketRef(1, 1000))
    assert not talk.conversation.heard(S, PacketRef(1, 1000))
    assert talk.conversation.heard(S, PacketRef(2, 2000))


def test_over_is_what_was_handled() -> None:
    talk = upgraded()
    talk.end(C)
    talk.end(S)
    assert not talk.conversation.over
    talk.conversation.ended = [True, True]
    assert talk.conversation.over


def test_forgotten() -> None:
    talk = upgraded()
    talk.conversation.forget()
    talk.say(S, PING)
    talk.lose(S, 3)
    talk.end(S)
    assert talk.kinds[3:] == ["Gap", "StreamEnd"]
    assert talk.conversation.ledger.bytes[S] == len(SWITCH + PING)


def _raises(*_: object) -> list[Record]:
    raise RuntimeError("a mistake of ours")


@pytest.mark.parametrize("method", ["feed", "gap", "end"])
@pytest.mark.parametrize("reader", [HttpConnection, WebSocketReader])
@pytest.mark.interpreted
def test_decoder_that_raises(monkeypatch: pytest.MonkeyPatch, reader: type, method: str) -> None:
    """The connection is given up; what it said before stays, and its ledger goes on."""
    talk = Talk()
    talk.say(C, ASK)
    if reader is WebSocketReader:
        talk.say(S, SWITCH)
        talk.say(S, PING)
    before = len(talk.records)
    monkeypatch.setattr(reader, method, _raises)
    if method == "feed":
        talk.say(S, PING)
    elif method == "gap":
        talk.lose(S, 3)
    else:
        talk.end(S)
    assert [str(bug) for bug in talk.crashes] == ["a mistake of ours"]
    talk.say(S, PING)
    talk.lose(C, 2)
    talk.end(C)
    assert talk.only(HttpRequest)
    assert {"WsMessage", "WsControl"}.isdisjoint(talk.kinds[before:])
    assert len(talk.crashes) == 1
    assert talk.conversation.ledger.ends[C] is EndKind.FIN
    assert not talk.conversation.forgotten


def test_control_frames() -> None:
    talk = upgraded()
    talk.say(S, b"\x88\x02\x03\xe8")
    (close,) = talk.only(WsControl)
    assert close.close_code == 1000
