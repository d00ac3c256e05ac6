"""HTTP/2: requests, answers and WebSockets of its streams, what is lost, what is wrong, and what is bounded."""

import zlib
from collections.abc import Callable

import pytest

from eiosniff.decode.http1.connection import Upgrade
from eiosniff.decode.http2.connection import MAX_STREAMS
from eiosniff.decode.http2.frames import PREFACE, Data, FrameReader, begins_frame
from eiosniff.decode.http2.header_list import UNKNOWN
from eiosniff.decode.http2.headers import LIST_LIMIT, HeaderDecoder
from eiosniff.model.http import HttpRequest, HttpResponse
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Anomaly, AnomalyKind, Desync, Gap
from eiosniff.model.websocket import WsControl, WsMessage
from tests.unit.decode.http2_talk import OPENING, POLL, SETTINGS, SOCKET, C, Peer, S, Talk, begun, frame

PING, PONG = b"\x81\x012", b"\x81\x81\0\0\0\x003"
CLOSE = b"\x88\x02\x03\xe8"


def kinds(talk: Talk) -> list[AnomalyKind]:
    return [anomaly.kind for anomaly in talk.of(Anomaly)]


def test_a_request_and_its_answer() -> None:
    talk, client, server = begun()
    talk.say(C, client.ask(1, fields=[("cookie", "a=1"), ("cookie", "b=2")]))
    talk.say(S, server.answer(1, OPENING, fields=[("content-type", "text/plain")]))
    request, response = talk.of(HttpRequest, HttpResponse)
    assert (request.method, request.target, request.version) == (b"GET", POLL.encode(), b"2")
    assert (request.header(b"host"), request.header(b"cookie")) == (b"a.example", b"a=1; b=2")
    assert (response.status, response.body, response.request) == (200, OPENING, request)
    assert (request.complete, response.complete, request.packets, response.packets) == (True, True, (3,), (4,))
    assert talk.streams == [1, 1]


def test_answers_come_in_any_order() -> None:
    talk, client, server = begun()
    talk.say(C, client.ask(1) + client.ask(3, method="POST", body=b"40"))
    talk.say(S, server.answer(3, b"ok"))
    talk.say(S, server.answer(1, b"40"))
    assert [request.body for request in talk.of(HttpRequest)] == [b"", b"40"]
    assert [(each.body, each.request.method) for each in talk.of(HttpResponse)] == [(b"ok", b"POST"), (b"40", b"GET")]


@pytest.mark.parametrize("size", [1, 2, 7, 10])
def test_packets_end_anywhere(size: int) -> None:
    said, client, server = Talk(), Peer(), Peer()
    said.say_in_pieces(C, PREFACE + SETTINGS + client.ask(1, method="POST", body=b"x" * 30), [size] * 200)
    said.say_in_pieces(S, SETTINGS + server.answer(1, b"y" * 30), [size] * 200)
    request, response = said.of(HttpRequest, HttpResponse)
    assert (request.body, response.body) == (b"x" * 30, b"y" * 30)
    assert response.request is request
    assert not said.of(Anomaly, Desync)


def test_what_is_no_engineio_costs_its_headers_only() -> None:
    talk, client, server = begun()
    talk.say(C, client.ask(1, "/page") + client.ask(3))
    talk.say(S, server.answer(1, b"a page", fields=[("x-first", "value")]))
    talk.say(S, server.answer(3, OPENING, fields=[("x-first", "value")]))
    (response,) = talk.of(HttpResponse)
    assert response.header(b"x-first") == b"value"


def test_padding_priority_continuation_and_unknown_frames() -> None:
    talk, client, server = begun()
    block = client.encoder.encode([(":method", "POST"), (":path", POLL), (":scheme", "http"), (":authority", "a")])
    padded = b"\x03" + b"\0\0\0\0\x10" + block[:5] + bytes(3)
    talk.say(C, frame(1, 1, padded, 0x28) + frame(9, 1, block[5:8]) + frame(9, 1, block[8:], 4))
    talk.say(C, frame(0x21, 0, b"greased") + frame(2, 1, bytes(5)) + frame(8, 0, bytes(4)))
    talk.say(C, frame(0, 1, b"\x02" + b"4" + bytes(2), 8) + frame(0, 1, b"\x00" + b"0", 9))
    talk.say(S, server.head(1, [(":status", "200")], last=False, more=2) + frame(0, 1, b"o") + frame(0, 1, b"k"))
    talk.say(S, frame(0, 1, b"", 1))
    request, response = talk.of(HttpRequest, HttpResponse)
    assert (request.body, response.body, response.complete) == (b"40", b"ok", True)
    assert not talk.of(Anomaly, Desync)


def test_codings_trailers_and_interim_answers() -> None:
    talk, client, server = begun()
    talk.say(C, client.ask(1))
    squeezed = zlib.compress(b"40", wbits=31)
    talk.say(S, server.head(1, [(":status", "103")], last=False))
    talk.say(S, server.head(1, [(":status", "200"), ("content-encoding", "gzip")], last=False))
    talk.say(S, frame(0, 1, squeezed) + server.head(1, [("server-timing", "1")], last=True))
    interim, response = talk.of(HttpResponse)
    assert (interim.status, response.status, response.body, response.complete) == (103, 200, b"40", True)


def test_header_blocks_without_fields() -> None:
    talk, client, server = begun()
    talk.say(C, frame(1, 3, b"", 5) + client.ask(1))
    talk.say(S, server.head(1, [(":status", "200")], last=False) + frame(0, 1, b"6") + frame(1, 1, b"", 5))
    (response,) = talk.of(HttpResponse)
    assert (response.body, response.complete) == (b"6", True)
    assert kinds(talk) == [AnomalyKind.HTTP2_BAD_HEADERS]


def websocket() -> tuple[Talk, Peer, Peer]:
    talk, client, server = begun()
    talk.say(C, client.connect(1))
    talk.say(S, server.head(1, [(":status", "200")], last=False))
    return talk, client, server


def test_a_websocket() -> None:
    talk, _, _ = websocket()
    (upgrade,) = talk.of(Upgrade)
    assert (upgrade.request.target, upgrade.response.status) == (SOCKET.encode(), 200)
    assert upgrade.response.accepts_websocket
    talk.say(S, frame(0, 1, PING[:1]))
    talk.say(S, frame(0, 1, PING[1:]))
    talk.say(C, frame(0, 1, PONG + PONG))
    talk.say(S, frame(0, 1, CLOSE, 1))
    assert [(message.side, message.payload) for message in talk.of(WsMessage)] == [(S, b"2"), (C, b"3"), (C, b"3")]
    assert [control.close_code for control in talk.of(WsControl)] == [1000]
    assert [(end.side, end.kind) for end in talk.of(StreamEnd)] == [(S, EndKind.FIN)]
    child = talk.conversation.events.conversations[-1]
    message = talk.of(WsMessage)[-1]
    assert child.outer(C, message.end) == talk.offsets[C]
    talk.say(C, frame(3, 1, (8).to_bytes(4, "big")))
    assert [(end.side, end.kind, end.code) for end in talk.of(StreamEnd)[1:]] == [(C, EndKind.RST, 8)]


def test_frames_of_a_client_that_does_not_wait() -> None:
    talk, client, server = begun()
    talk.say(C, client.connect(1) + frame(0, 1, PONG))
    assert not talk.of(WsMessage)
    talk.say(S, server.head(1, [(":status", "200")], last=False))
    assert [message.payload for message in talk.of(WsMessage)] == [b"3"]


def test_a_tunnel_of_a_proxy_is_no_mistake() -> None:
    talk, client, server = begun()
    talk.say(C, client.head(1, [(":method", "CONNECT"), (":authority", "b.example:443")], last=False))
    talk.say(S, server.head(1, [(":status", "200")], last=False))
    talk.say(C, frame(0, 1, b"\x16\x03\x01", 1))
    talk.say(S, frame(0, 1, b"\x16\x03\x03", 1))
    assert talk.records == []
    assert talk.conversation.inside._ignored == {}


def test_a_websocket_that_is_refused() -> None:
    talk, client, server = begun()
    talk.say(C, client.connect(1))
    talk.say(S, server.answer(1, b"no", 403))
    (response,) = talk.of(HttpResponse)
    assert (response.status, response.body, response.accepts_websocket) == (403, b"no", False)
    assert not talk.of(Upgrade)


def test_a_poll_that_is_cancelled() -> None:
    talk, client, server = begun()
    talk.say(C, client.ask(1))
    talk.say(C, frame(3, 1, (8).to_bytes(4, "big")))
    talk.say(S, server.answer(1, b"too late"))
    assert [(end.side, end.kind, end.code) for end in talk.of(StreamEnd)] == [(C, EndKind.RST, 8), (S, EndKind.RST, 8)]
    assert not talk.of(HttpResponse)


def test_a_refusal_before_the_body_has_come() -> None:
    talk, client, server = begun()
    asked = client.head(1, [(":method", "POST"), (":path", POLL), (":scheme", "http")], last=False)
    talk.say(C, asked + frame(0, 1, b"4"))
    talk.say(S, server.answer(1, b"large", 413) + frame(3, 1, bytes(4)))
    response, request = talk.of(HttpRequest, HttpResponse)
    assert (response.status, request.body, request.complete) == (413, b"4", False)
    assert not talk.of(StreamEnd)


def test_the_connection_ends_while_a_poll_waits() -> None:
    talk, client, _ = begun()
    talk.say(C, client.ask(1))
    talk.end()
    ends = [(stream, record.side) for stream, record in zip(talk.streams, talk.records, strict=True)][1:]
    assert ends == [(1, C), (0, C), (1, S), (0, S)]


def test_a_hole_inside_data() -> None:
    talk, client, server = begun()
    talk.say(C, client.ask(1) + client.ask(3))
    answer = server.head(1, [(":status", "200")], last=False)
    talk.say(S, answer + frame(0, 1, b"x" * 100, 1)[:59])
    talk.lose(S, 20)
    talk.say(S, b"x" * 30 + server.answer(3, OPENING))
    first, second = talk.of(HttpResponse)
    assert (first.body_length, first.missing, first.body) == (100, 20, b"x" * 50 + bytes(20) + b"x" * 30)
    assert second.body == OPENING
    assert not talk.of(Desync, Anomaly)
    assert 1 in [stream for stream, record in zip(talk.streams, talk.records, strict=True) if isinstance(record, Gap)]


def test_a_lost_header_block_makes_others_doubtful_not_wrong() -> None:
    talk, client, server = begun()
    talk.say(C, client.ask(1, fields=[("x-a", "one")]))
    lost = client.ask(3, fields=[("x-b", "two")])
    talk.lose(C, len(lost))
    again = client.ask(5, fields=[("x-b", "two"), ("x-c", "three")])
    talk.say(C, again)
    talk.say(C, client.ask(7, fields=[("x-c", "three")]))
    requests = talk.of(HttpRequest)
    assert len(requests) == 1  # the path of the others is among what was lost
    talk.say(S, server.answer(7, OPENING))
    assert talk.of(HttpResponse)[-1].body == OPENING


def test_what_was_lost_is_never_guessed() -> None:
    sender, whole, late = Peer().encoder, HeaderDecoder(), HeaderDecoder()
    blocks = [sender.encode([(f"x-{at // 3}", str(at // 2)), (":status", "200")]) for at in range(40)]
    for block in blocks[:7]:
        assert not isinstance(whole.decode(block), str)
    late.lose()
    read = 0
    for block in blocks[7:]:
        truth, found = whole.decode(block), late.decode(block)
        assert not isinstance(truth, str)
        assert not isinstance(found, str)
        for (name, value), (true_name, true_value) in zip(found, truth, strict=True):
            assert name in (UNKNOWN, true_name)
            assert name == UNKNOWN or value == true_value
            read += name == true_name
    assert read > len(blocks[7:]) + 10  # more than the status of each


def test_framing_is_found_again() -> None:
    talk, client, server = begun()
    talk.say(C, client.ask(1) + client.ask(3))
    talk.lose(S, 50)
    talk.say(S, b"the end of something")
    talk.say(S, server.answer(3, OPENING))
    (response,) = talk.of(HttpResponse)
    assert (response.body, response.request.target) == (OPENING, POLL.encode())
    (desync,) = talk.of(Desync)
    assert (desync.start, desync.end) == (9 + 50, 9 + 50 + 20)


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (frame(8, 0, bytes(3)), AnomalyKind.HTTP2_BAD_FRAME),
        (frame(0x55, 0, bytes(20_000)), AnomalyKind.HTTP2_BAD_FRAME),
        (frame(4, 3, bytes(6)), AnomalyKind.HTTP2_BAD_FRAME),
        (frame(1, 1, b"\x80", 4), AnomalyKind.HTTP2_BAD_HEADERS),
        (frame(1, 1, b"\xff" * 9, 4), AnomalyKind.HTTP2_BAD_HEADERS),
        (frame(1, 1, b"\x09", 0x0C), AnomalyKind.HTTP2_BAD_HEADERS),
        (frame(9, 1, b"\x82", 4), AnomalyKind.HTTP2_BAD_HEADERS),
        (frame(1, 1, b"\x82") + frame(8, 0, bytes(4)), AnomalyKind.HTTP2_BAD_HEADERS),
        (frame(1, 1, b"\x82", 5), AnomalyKind.HTTP2_BAD_HEADERS),
        (frame(1, 1, bytes(9))[:12], AnomalyKind.HTTP2_INCOMPLETE),
    ],
)
def test_what_the_protocol_does_not_allow(wrong: bytes, kind: AnomalyKind) -> None:
    talk, _, _ = begun()
    talk.say(C, wrong)
    talk.end()
    assert not talk.crashes
    assert kind in kinds(talk)


def test_header_values_cannot_make_lines() -> None:
    talk, client, _ = begun()
    talk.say(C, client.ask(1, fields=[("x-a", "b\r\nhost: evil"), ("x-b", "c\0d")]))
    (request,) = talk.of(HttpRequest)
    assert request.headers()[0] == (b"host", b"a.example")
    assert request.header(b"x-a") == b"b  host: evil"
    assert kinds(talk) == [AnomalyKind.HTTP_BAD_HEADER]


def flood_of_continuations(client: Peer) -> bytes:
    return frame(1, 1, b"\x82") + frame(9, 1) * 5_000


def bomb(client: Peer) -> bytes:
    first = client.head(1, [(":method", "GET"), ("x", "y" * 3_900)], last=True)
    return first + frame(1, 3, b"\xbe" * 16_000, 5)


def rapid_resets(client: Peer) -> bytes:
    return b"".join(client.ask(at) + frame(3, at, bytes(4)) for at in range(1, 6_001, 2))


def many_streams(client: Peer) -> bytes:
    return b"".join(client.ask(at) for at in range(1, 4 * MAX_STREAMS, 2))


@pytest.mark.parametrize("attack", [flood_of_continuations, bomb, rapid_resets, many_streams])
def test_memory_is_bounded(attack: Callable[[Peer], bytes]) -> None:
    talk, client, _ = begun()
    talk.say(C, attack(client))
    assert not talk.crashes
    inside = talk.conversation.inside
    assert len(inside._streams) <= MAX_STREAMS
    assert sum(len(each) for each in inside._blocks) < 200
    talk.say(C, Peer().ask(20_001))
    assert talk.of(HttpRequest)[-1].target == POLL.encode()


def test_streams_that_nobody_reads_any_more_end_as_others() -> None:
    talk, client, server = begun()
    talk.say(C, client.connect(1))
    talk.say(S, server.head(1, [(":status", "200")], last=False))
    stream = talk.conversation.events.conversations[-1]
    stream.forget()  # as it is no Engine.IO
    talk.say(C, frame(0, 1, CLOSE, 1))
    talk.say(S, frame(0, 1, CLOSE, 1))
    assert talk.conversation.inside._streams == {}
    assert not talk.crashes


def test_a_header_list_is_bounded() -> None:
    decoder, sender = HeaderDecoder(), Peer().encoder
    decoder.decode(sender.encode([("x", "y" * 3_900)]))
    assert isinstance(decoder.decode(b"\xbe" * (LIST_LIMIT // 3_000)), str)


def test_frames_and_holes_tile_the_stream() -> None:
    data = PREFACE + SETTINGS + frame(0, 1, b"x" * 40, 1) + frame(6, 0, bytes(8)) + frame(0, 3, b"\x05yy" + bytes(5), 9)
    reader = FrameReader(C)
    found = []
    for at, byte in enumerate(data):
        found += reader.feed(StreamChunk(C, at, bytes([byte]), [0], [at + 1], [at]))
    assert reader.start == len(data)
    said = {1: b"", 3: b""}
    for event in found:
        if isinstance(event, Data) and event.chunk is not None:
            said[event.stream] += event.chunk.data
    assert said == {1: b"x" * 40, 3: b"yy"}
    assert [event.stream for event in found if isinstance(event, Data) and event.last] == [1, 3]


@pytest.mark.parametrize(
    "wrong", [b"HTTP/1.1 ", bytes(9), b"\0\0\x05\x03\0\0\0\0\x01", b"\0\0\x04\x08\0\x80\0\0\0", b"\0"]
)
def test_what_is_no_frame(wrong: bytes) -> None:
    assert not begins_frame(wrong)
