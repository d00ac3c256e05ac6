"""HTTP/1.x as a bystander sees it. `read` reads each conversation in all ways of cutting it, and checks the tiling."""

import gzip
import time
import zlib

import pytest

from eiosniff.decode.http1 import HttpConnection, HttpLimits, Upgrade
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Anomaly, AnomalyKind, Desync, Gap, GapReason
from tests.unit.decode.http1_talk import C, End, Hole, S, client, crlf, read, server

GET = client("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\nHost: a\n\n")
UPGRADE = client("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\nConnection: Upgrade\nUpgrade: websocket\n\n")
CONNECT = client("CONNECT a:80 HTTP/1.1\nHost: a:80\n\n")
OK = server("HTTP/1.1 200 OK\nContent-Length: 2\n\nok")
SWITCHING = server("HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nConnection: Upgrade\n\n")
FRAME = b"\x81\x86\x00\x00\x00\x002probe"
ENDS = (End(Side.CLIENT), End(Side.SERVER))


def anomalies(reading) -> list[AnomalyKind]:
    return [anomaly.kind for anomaly in reading.of(Anomaly)]


def reasons(reading) -> list[str]:
    return [desync.reason for desync in reading.of(Desync)]


def body_of(answer: bytes, **more) -> tuple[bytes, list[AnomalyKind]]:
    """The body of one response to a GET, and what was odd."""
    reading = read(GET, S(answer), *ENDS, **more)
    assert reading.responses[0].request is reading.requests[0]
    return reading.responses[0].body, anomalies(reading)


# What real servers send


def test_a_polling_exchange():
    answer = server("HTTP/1.1 200 OK\nContent-Type: text/plain; charset=UTF-8\nContent-Length: 6\n\n3probe")
    reading = read(GET, answer, GET, OK, *ENDS)
    request, response, _, _ = reading.events
    assert (request.method, request.target, request.version) == (b"GET", b"/socket.io/?EIO=4&transport=polling", b"1.1")
    assert (request.body_kept, request.body_length, request.packets, request.order) == (True, 0, (1,), 1)
    assert (response.status, response.reason, response.version) == (200, b"OK", b"1.1")
    assert (response.body, response.body_kept, response.body_length, response.complete) == (b"3probe", True, 6, True)
    assert response.header(b"content-type") == b"text/plain; charset=UTF-8"
    assert (response.start, response.end, response.packets) == (0, len(answer.data), (2,))
    assert response.request is request
    assert response.first == response.last == PacketRef(2, 1_700_000_000_002_000_000)


def test_an_engineio_error_in_chunks():
    answer = crlf(
        "HTTP/1.1 400 Bad Request\nContent-Type: application/json\nDate: Mon, 01 Jan 2024 00:00:00 GMT\n"
        "Connection: keep-alive\nKeep-Alive: timeout=5\nTransfer-Encoding: chunked\n\n"
        '22\n{"code":0,"message":"Unknown sid"}\n0\n\n'
    )
    assert body_of(answer) == (b'{"code":0,"message":"Unknown sid"}', [])


def test_a_websocket_refusal_of_node():
    refusal = crlf("HTTP/1.1 400 Bad Request\nConnection: close\nContent-type: text/html\n\nBad request")
    reading = read(UPGRADE, S(refusal), End(Side.SERVER), End(Side.CLIENT))
    assert reading.responses[0].body == b"Bad request"
    assert reading.responses[0].complete
    assert reading.rest is None
    assert not anomalies(reading)


def test_a_json_string_of_python_engineio():
    text = '"The client is using an unsupported version of the Socket.IO or Engine.IO protocols"'
    answer = crlf(f"HTTP/1.1 400 BAD REQUEST\nContent-Type: text/plain\nContent-Length: {len(text)}\n\n{text}")
    assert body_of(answer) == (text.encode(), [])


def test_a_compressed_polling_answer():
    body = gzip.compress(b'42["news","' + b"x" * 500 + b'"]', mtime=0)
    head = crlf("HTTP/1.1 200 OK\nContent-Encoding: gzip\nTransfer-Encoding: chunked\n\n")
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:])) + b"0\r\n\r\n"
    reading = read(GET, S(head + chunks), *ENDS)
    assert reading.responses[0].body == gzip.decompress(body)
    assert reading.responses[0].body_length == len(body)


def test_http_inside_a_websocket():
    request = read(UPGRADE, SWITCHING).requests[0]
    refusal = crlf("HTTP/1.1 400 Bad Request\nContent-Length: 28\n\nUnsupported protocol version")
    inside = HttpConnection.inside_websocket(request)
    events = inside.feed(StreamChunk(Side.SERVER, 500, refusal, [0], [7], [0]))
    response = events[-1]
    assert response.inside_websocket
    assert response.request is request
    assert response.body == b"Unsupported protocol version"
    again = HttpConnection.inside_websocket(None).feed(StreamChunk(Side.SERVER, 0, SWITCHING.data, [0], [7], [0]))
    assert [type(event).__name__ for event in again] == ["HttpResponse", "Upgrade"]


# Which response answers which request


def test_pipelining():
    both = C(GET.data + client("POST /x HTTP/1.1\nContent-Length: 3\n\nabc").data)
    reading = read(both, S(OK.data + crlf("HTTP/1.1 204 No Content\n\n")), *ENDS)
    assert [response.request for response in reading.responses] == reading.requests
    assert reading.requests[1].body == b"abc"


def test_interim_responses_leave_the_request_waiting():
    reading = read(
        client("POST / HTTP/1.1\nExpect: 100-continue\nContent-Length: 2\n\n"),
        server("HTTP/1.1 100 Continue\n\n"), C(b"ok"), server("HTTP/1.1 103 Early Hints\nLink: x\n\n"), OK, *ENDS,
    )  # fmt: skip
    assert [response.status for response in reading.responses] == [100, 103, 200]
    assert {response.request for response in reading.responses} == set(reading.requests)
    assert reading.events[0].status == 100  # the request was not complete


@pytest.mark.parametrize(
    ("request_", "status"),
    [("HEAD / HTTP/1.1\n\n", 200), ("GET / HTTP/1.1\n\n", 304), ("GET / HTTP/1.1\n\n", 204)],
)
def test_responses_without_a_body(request_, status):
    reading = read(client(request_), server(f"HTTP/1.1 {status} X\nContent-Length: 10\n\n"), GET, OK, *ENDS)
    assert [response.body for response in reading.responses] == [b"", b"ok"]
    assert not anomalies(reading)


def test_a_response_without_a_request():
    reading = read(S(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 2\r\n\r\nno"), *ENDS)
    assert reading.responses[0].request is None
    assert reading.responses[0].body == b"no"


def test_bodies_that_nobody_asked_for():
    reading = read(client("POST / HTTP/1.1\nContent-Length: 2\n\nhi"), OK, *ENDS, keep=lambda _: False)
    for message in reading.events:
        assert (message.body, message.body_kept, message.body_length) == (b"", False, 2)
    unasked = S(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 30)
    reading = read(unasked, *ENDS, limits=HttpLimits(unasked_body=20))
    assert (reading.responses[0].body_kept, reading.responses[0].body_length) == (False, 30)
    assert not anomalies(reading)


def test_responses_that_were_lost_do_not_shift_the_others():
    reading = read(GET, Hole(Side.SERVER, 40), GET, OK, *ENDS)
    assert reading.responses[0].request is reading.requests[1]


def test_more_requests_than_anybody_pipelines():
    limits = HttpLimits(unanswered=2)
    assert AnomalyKind.HTTP_TOO_LARGE in anomalies(read(OK, GET, GET, GET, *ENDS, limits=limits))
    assert not anomalies(read(GET, GET, GET, *ENDS, limits=limits))  # the server was not captured


# Framing


@pytest.mark.parametrize(
    ("fields", "body", "content", "odd"),
    [
        ("Content-Length: 2\nContent-Length: 2\n", "ok", b"ok", False),
        ("Content-Length: 2, 2\n", "ok", b"ok", False),
        ("Content-Length: 2\nContent-Length: 3\n", "ok", b"ok", True),
        ("Content-Length: x\n", "until close", b"until close", True),
        (f"Content-Length: {'9' * 5000}\n", "until close", b"until close", True),
        ("Content-Length: 9\nTransfer-Encoding: chunked\n", "2\nok\n0\n\n", b"ok", True),
        ("Transfer-Encoding: identity\nContent-Length: 2\n", "ok", b"ok", False),
        ("Transfer-Encoding: chunked, gzip\n", "close", b"close", True),
        ("Transfer-Encoding: x, Chunked\n", "2;a=b\nok\n0\nTrailer: x\n\n", b"ok", False),
        ("transfer-encoding:chunked\n", "2  \nok\n000\n\n", b"ok", False),
        ("", "until close", b"until close", False),
        ("Content-Length: 0\n", "", b"", False),
    ],
)
def test_where_a_response_body_ends(fields, body, content, odd):
    expected = [AnomalyKind.HTTP_BAD_LENGTH] if odd else []
    if "chunked, gzip" in fields:
        expected.append(AnomalyKind.HTTP_BAD_CODING)
    found, kinds = body_of(crlf(f"HTTP/1.1 200 OK\n{fields}\n{body}"))
    assert kinds == expected
    assert found == (content if AnomalyKind.HTTP_BAD_CODING not in kinds else b"")


def test_a_request_with_an_unknown_length_has_no_body():
    reading = read(client("POST / HTTP/1.1\nTransfer-Encoding: gzip\n\n"), GET, *ENDS)
    assert len(reading.requests) == 2
    assert anomalies(reading) == [AnomalyKind.HTTP_BAD_LENGTH]


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("body", "content"),
    [(b"2\nok\n2\nay\n0\n\n", b"okay"), (b"2\r\nok2\r\nay\r\n0\r\n\r\n", b"okay")],
)
def test_chunks_that_depart_and_can_be_read(body, content):
    assert body_of(CHUNKED + body) == (content, [AnomalyKind.HTTP_BAD_CHUNK])


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"2\r\nokay\r\n", AnomalyKind.HTTP_BAD_CHUNK),
        (b"2\r\nok\rx\r\n", AnomalyKind.HTTP_BAD_CHUNK),
        (b"2\r\nok\r\n" + b"1" * 5000, AnomalyKind.HTTP_TOO_LARGE),
    ],
)
def test_chunks_that_cannot_be_read(body, kind):
    reading = read(GET, S(CHUNKED + body), GET, OK, *ENDS)
    broken, good = reading.responses
    assert (broken.body, broken.complete, good.body) == (b"ok", False, b"ok")
    assert good.request is reading.requests[1]
    assert anomalies(reading) == [kind]
    assert reasons(reading) == ["chunked framing was lost"]


@pytest.mark.parametrize(
    ("answer", "lacks"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "3 more bytes of the body"),
        (CHUNKED + b"5\r\nab", "the last chunk"),
        (CHUNKED + b"2\r\nab\r\n1", "the last chunk"),
    ],
)
def test_an_end_inside_a_body(answer, lacks):
    reading = read(GET, S(answer), *ENDS)
    assert reading.responses[0].body == b"ab"
    assert not reading.responses[0].complete
    assert [(a.kind, a.expected, a.found) for a in reading.of(Anomaly)] == [(AnomalyKind.HTTP_INCOMPLETE, lacks, "FIN")]


@pytest.mark.parametrize(("kind", "complete"), [(EndKind.FIN, True), (EndKind.RST, False)])
def test_only_fin_ends_a_body_without_length(kind, complete):
    reading = read(GET, S(b"HTTP/1.0 200 OK\r\n\r\nab"), End(Side.CLIENT), End(Side.SERVER, kind))
    assert reading.responses[0].complete is complete
    assert anomalies(reading) == ([] if complete else [AnomalyKind.HTTP_INCOMPLETE])


# Codings


def coded(coding: str, body: bytes) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding.encode(), len(body)) + body
    )


RAW = zlib.compressobj(wbits=-15)
RAW_DEFLATE = RAW.compress(b"content") + RAW.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"content", mtime=0)), ("X-GZIP", gzip.compress(b"content", mtime=0)),
        ("deflate", zlib.compress(b"content")), ("deflate", RAW_DEFLATE), ("identity", b"content"),
        ("deflate, gzip", gzip.compress(zlib.compress(b"content"), mtime=0)),
        ("utf-8", b"content"), ("gzip, none", b"content"),
    ],
)  # fmt: skip
def test_codings(coding, body):
    assert body_of(coded(coding, body)) == (b"content", [])


LONG = bytes(range(256)) * 4
GZIP = gzip.compress(LONG, mtime=0)


@pytest.mark.parametrize(
    ("body", "start"),
    [
        (GZIP[:-20], 250),
        (GZIP[:-8] + b"\0" * 8, 1024),
        (GZIP[:40] + b"\xff" * 40, 16),
        (b"plain", 0),
        (GZIP + b"x", 1024),
    ],
)
def test_bad_gzip_gives_what_can_be_had(body, start):
    content, kinds = body_of(coded("gzip", body))
    assert kinds == [AnomalyKind.HTTP_BAD_CODING]
    assert len(content) >= start
    assert LONG.startswith(content[:start])


def test_a_cut_gzip_body_is_only_incomplete():
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(GZIP) + GZIP[:-20]
    content, kinds = body_of(answer)
    assert kinds == [AnomalyKind.HTTP_INCOMPLETE]
    assert content
    assert LONG.startswith(content)


def test_a_bomb():
    assert body_of(coded("gzip", GZIP), limits=HttpLimits(inflated=1000)) == (b"", [AnomalyKind.HTTP_TOO_LARGE])
    bad = GZIP[:-8] + b"\0" * 8
    assert body_of(coded("gzip", bad), limits=HttpLimits(inflated=1000)) == (b"", [AnomalyKind.HTTP_TOO_LARGE])
    assert body_of(coded("gzip, gzip, gzip, gzip", b"x")) == (b"x", [AnomalyKind.HTTP_BAD_CODING])


def test_a_body_above_the_limit():
    reading = read(
        GET, S(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n" + b"x" * 50), GET, OK, limits=HttpLimits(body=20)
    )
    big, small = reading.responses
    assert (big.body, big.body_kept, big.body_length, big.complete) == (b"", False, 50, True)
    assert small.body == b"ok"
    assert anomalies(reading) == [AnomalyKind.HTTP_TOO_LARGE]


# Heads that depart


@pytest.mark.parametrize(
    ("head", "target", "kinds"),
    [
        (b"\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n", b"/a", []),
        (b"GET /a b HTTP/1.1\r\n\r\n", b"/a b", [AnomalyKind.HTTP_BAD_START_LINE]),
        (b"GET  /a HTTP/1.0 \r\n\r\n", b"/a", [AnomalyKind.HTTP_BAD_START_LINE]),
        (b"GET /a HTTP/1.1\nHost: a\n\n", b"/a", [AnomalyKind.HTTP_BAD_START_LINE, AnomalyKind.HTTP_BAD_HEADER]),
        (b"GET /a HTTP/1.1\r\nHost: a\n\r\n", b"/a", [AnomalyKind.HTTP_BAD_HEADER]),
        (b"GET /a HTTP/1.1\r\nno colon\r\n\r\n", b"/a", [AnomalyKind.HTTP_BAD_HEADER]),
        (b"GET /a HTTP/1.1\r\nHost : a\r\nA: b\r\n\r\n", b"/a", [AnomalyKind.HTTP_BAD_HEADER]),
        (b"GET /a HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", b"/a", [AnomalyKind.HTTP_BAD_HEADER]),
        (b"GET /a HTTP/1.1\r\nA: b\0c\r\n\r\n", b"/a", [AnomalyKind.HTTP_BAD_HEADER]),
        (b"GET /a HTTP/1.1\r\n\r\n", b"/a", []),
    ],
)
def test_request_heads(head, target, kinds):
    reading = read(C(head), GET, *ENDS)
    assert [request.target for request in reading.requests] == [target, GET.data.split()[1]]
    assert anomalies(reading) == kinds
    assert not reasons(reading)


@pytest.mark.parametrize(
    ("line", "status", "reason", "odd"),
    [
        (b"HTTP/1.1 200 OK", 200, b"OK", False), (b"HTTP/1.0 404 Not Found At All", 404, b"Not Found At All", False),
        (b"HTTP/1.1 200 ", 200, b"", False), (b"HTTP/1.1 200", 200, b"", True), (b"HTTP/1.1  200 OK", 200, b"OK", True),
        (b"HTTP/1.1 999 Odd", 999, b"Odd", True),
    ],
)  # fmt: skip
def test_status_lines(line, status, reason, odd):
    reading = read(GET, S(line + b"\r\nContent-Length: 0\r\n\r\n"), *ENDS)
    assert (reading.responses[0].status, reading.responses[0].reason) == (status, reason)
    assert anomalies(reading) == [AnomalyKind.HTTP_BAD_START_LINE] * odd


def test_a_head_above_the_limit():
    big = [C(b"GET / HTTP/1.1\r\n"), *[C(b"A: b\r\n") for _ in range(40)], C(b"\r\n")]
    reading = read(*big, GET, *ENDS, limits=HttpLimits(head=100))
    assert len(reading.requests) == 1
    assert anomalies(reading) == [AnomalyKind.HTTP_TOO_LARGE]
    assert [(d.start, d.end) for d in reading.of(Desync)] == [(0, reading.requests[0].start)]


@pytest.mark.parametrize(
    "garbage", [b"\r\n" * 60, b"GET " + b"x" * 200, b"GET / HTTP/2.0\r\n\r\n", b"\x16\x03\x01", b"x" * 30]
)
def test_what_is_no_head(garbage):
    reading = read(C(garbage), GET, *ENDS, limits=HttpLimits(head=100))
    assert len(reading.requests) == 1
    assert reasons(reading) == ["no HTTP start line"]


# Lost places


def test_a_capture_that_begins_inside_a_response():
    reading = read(S(b'..."}]'), S(b"more"), OK, GET, OK, *ENDS)
    assert [(d.side, d.start, d.end) for d in reading.of(Desync)] == [(Side.SERVER, 0, 10)]
    assert [response.request for response in reading.responses] == [None, reading.requests[0]]


def test_a_gap_inside_a_body_is_counted():
    answer = server("HTTP/1.1 200 OK\nContent-Length: 10\n\nab")
    reading = read(GET, answer, Hole(Side.SERVER, 6), S(b"yz"), GET, OK, *ENDS)
    damaged, good = reading.responses
    assert (damaged.body, damaged.missing, damaged.body_length, damaged.complete) == (b"ab\0\0\0\0\0\0yz", 6, 10, True)
    assert damaged.packets == (2, 4)
    assert good.request is reading.requests[1]
    assert not reasons(reading)


def test_a_gap_with_the_end_of_a_body():
    answer = server("HTTP/1.1 200 OK\nContent-Length: 10\n\nab")
    exact = read(GET, answer, Hole(Side.SERVER, 8), GET, OK, *ENDS)
    beyond = read(GET, answer, Hole(Side.SERVER, 100), GET, OK, *ENDS)
    for reading in (exact, beyond):
        assert reading.responses[0].end == len(answer.data) + 8
        assert reading.responses[0].last.number == reading.responses[0].order == 3
        assert reading.responses[1].request is reading.requests[1]
        assert not reasons(reading)


def test_a_gap_in_a_body_without_length_and_in_a_large_one():
    reading = read(GET, S(b"HTTP/1.1 200 OK\r\n\r\nab"), Hole(Side.SERVER, 3), *ENDS)
    assert (reading.responses[0].body, reading.responses[0].missing) == (b"ab\0\0\0", 3)
    limits = HttpLimits(body=20)
    large = read(GET, S(b"HTTP/1.1 200 OK\r\n\r\nab"), Hole(Side.SERVER, 30), *ENDS, limits=limits)
    assert anomalies(large) == [AnomalyKind.HTTP_TOO_LARGE]
    assert large.responses[0].missing == 30
    unkept = read(GET, S(b"HTTP/1.1 200 OK\r\n\r\nab"), Hole(Side.SERVER, 3), *ENDS, keep=lambda _: False)
    assert (unkept.responses[0].body, unkept.responses[0].missing) == (b"", 3)


def test_gaps_in_a_chunked_body():
    inside = read(GET, S(CHUNKED + b"5\r\na"), Hole(Side.SERVER, 3), S(b"z\r\n0\r\n\r\n"), *ENDS)
    assert (inside.responses[0].body, inside.responses[0].complete) == (b"a\0\0\0z", True)
    for before in (b"5\r\na", b"1\r\na\r\n", b"1\r\na\r\n5"):
        reading = read(GET, S(CHUNKED + before), Hole(Side.SERVER, 9), S(b"z\r\n0\r\n\r\n"), GET, OK, *ENDS)
        broken, good = reading.responses
        assert (broken.body, broken.complete, broken.end) == (b"a", False, len(CHUNKED + before))
        assert good.request is reading.requests[1]
        assert reasons(reading) == ["no HTTP start line after a gap"]
        assert not anomalies(reading)


def test_a_gap_inside_a_head():
    reading = read(C(GET.data[:20]), Hole(Side.CLIENT, 10), C(b"st: a\r\n\r\n"), GET, OK, *ENDS)
    assert reasons(reading) == ["a gap inside a head", "no HTTP start line after a gap"]
    assert reading.responses[0].request is reading.requests[0]


def test_a_gap_inside_what_is_not_understood():
    reading = read(S(b"\0garbage"), Hole(Side.SERVER, 5), OK, *ENDS)
    assert [(d.start, d.end, d.reason) for d in reading.of(Desync)] == [(0, 8, "no HTTP start line")]


def test_ends_inside_a_head():
    reading = read(C(GET.data[:20]), S(b"\r\n"), *ENDS)
    assert anomalies(reading) == [AnomalyKind.HTTP_INCOMPLETE]
    assert reasons(reading) == ["the stream ended inside a head", "empty lines after the last message"]


# Another protocol


def test_an_upgrade():
    reading = read(UPGRADE, SWITCHING, C(FRAME), S(b"\x81\x00"), *ENDS)
    request, response, upgrade = reading.events
    assert isinstance(upgrade, Upgrade)
    assert upgrade.request is response.request is request
    assert upgrade.response is response
    assert reading.rest == [(len(UPGRADE.data), FRAME), (len(SWITCHING.data), b"\x81\x00")]


def test_frames_in_one_packet_with_the_heads():
    reading = read(C(UPGRADE.data + FRAME), S(SWITCHING.data + b"\x81\x00"))
    assert anomalies(reading) == [AnomalyKind.WS_BEFORE_101]
    assert reading.rest == [(len(UPGRADE.data), FRAME), (len(SWITCHING.data), b"\x81\x00")]


def test_frames_before_a_refusal():
    reading = read(UPGRADE, C(FRAME), OK, *ENDS)
    assert anomalies(reading) == [AnomalyKind.WS_BEFORE_101]
    assert [(d.start, d.end) for d in reading.of(Desync)] == [(len(UPGRADE.data), len(UPGRADE.data + FRAME))]


@pytest.mark.parametrize("order", [1, -1])
def test_frames_before_a_close_without_an_answer(order):
    reading = read(GET, OK, UPGRADE, C(FRAME), *ENDS[::order])
    assert anomalies(reading) == [AnomalyKind.WS_BEFORE_101]
    assert reading.rest is None
    assert len(read(UPGRADE, End(Side.SERVER), GET, UPGRADE, GET, End(Side.CLIENT)).requests) == 4


def test_a_refused_upgrade_lets_the_client_go_on():
    reading = read(C(UPGRADE.data + GET.data), OK, OK, *ENDS)
    assert [response.request for response in reading.responses] == reading.requests
    late = read(UPGRADE, GET, End(Side.CLIENT), OK, OK, End(Side.SERVER))
    assert len(late.requests) == len(late.responses) == 2


def test_a_101_answers_the_request_that_asked():
    reading = read(GET, UPGRADE, SWITCHING)
    assert reading.responses[0].request is reading.requests[1]


def test_a_101_to_a_request_that_did_not_ask_changes_nothing():
    reading = read(GET, SWITCHING, GET, OK, *ENDS)
    assert not reading.of(Upgrade)
    assert len(reading.responses) == 2


def test_a_101_without_its_request():
    reading = read(C(b"\0\0"), SWITCHING, C(FRAME))
    upgrade = reading.events[-1]
    assert (upgrade.request, upgrade.response) == (None, reading.responses[0])
    assert reading.rest[0] == (2, FRAME)
    assert reasons(reading) == ["no HTTP start line"]


def test_a_101_before_the_request_is_complete():
    request = client("POST / HTTP/1.1\nUpgrade: h2c\nContent-Length: 5\n\nab")
    reading = read(request, SWITCHING, C(b"xyz"))
    assert not reading.requests[0].complete
    assert anomalies(reading) == [AnomalyKind.HTTP_INCOMPLETE]
    assert reading.rest[0][1] == b"xyz"


def test_a_tunnel():
    reading = read(CONNECT, server("HTTP/1.1 200 Connection Established\nContent-Length: 3\n\n"), UPGRADE, SWITCHING)
    assert reading.events[-1].response.status == 200
    inside = HttpConnection(lambda _: True)
    connection = HttpConnection(lambda _: True)
    connection.feed(StreamChunk(Side.CLIENT, 0, CONNECT.data + UPGRADE.data, [0], [1], [0]))
    connection.feed(StreamChunk(Side.SERVER, 0, b"HTTP/1.1 200 X\r\n\r\n" + SWITCHING.data, [0], [2], [0]))
    events = [*inside.adopt(connection.take(Side.CLIENT)), *inside.adopt(connection.take(Side.SERVER))]
    assert isinstance(events[-1], Upgrade)
    assert events[0].start == len(CONNECT.data)
    assert list(inside.adopt(inside.take(Side.CLIENT))) == []
    refused = read(C(CONNECT.data + GET.data), server("HTTP/1.1 407 No\nContent-Length: 0\n\n"), OK, *ENDS)
    assert [response.request for response in refused.responses] == refused.requests


# One direction only


@pytest.mark.parametrize("frame", [FRAME, b"\xc1\x86" + FRAME[2:]])
def test_only_the_client_was_captured(frame):
    ends = [End(side, EndKind.CAPTURE_ENDED) for side in Side]
    for items in ([UPGRADE, C(frame), *ends], [UPGRADE, C(frame), *ends[::-1]], [UPGRADE, C(frame, 9000)]):
        reading = read(*items)
        assert reading.events[-1].response is None
        assert reading.rest[0] == (len(UPGRADE.data), frame)
    assert read(UPGRADE, C(frame * 9000)).of(Upgrade)
    assert read(UPGRADE, C(frame), Hole(Side.CLIENT, 5), C(frame)).of(Upgrade)
    assert not read(UPGRADE, C(frame, 7000)).of(Upgrade)


def test_only_the_client_was_captured_and_it_was_refused():
    reading = read(UPGRADE, GET, UPGRADE, C(b"\0not a frame"), End(Side.CLIENT))
    assert len(reading.requests) == 3
    assert reasons(reading) == ["no HTTP start line"]
    assert not read(UPGRADE, End(Side.CLIENT)).of(Desync)


def test_only_the_client_of_a_tunnel_was_captured():
    assert read(CONNECT, GET, End(Side.CLIENT)).rest[0][1] == GET.data
    assert not anomalies(read(OK, CONNECT, C(FRAME), *ENDS))


def test_the_101_was_lost():
    assert read(UPGRADE, Hole(Side.SERVER, 100), S(b"\x81\x00"), C(FRAME), End(Side.CLIENT)).of(Upgrade)
    interrupted = read(OK, UPGRADE, C(FRAME), Hole(Side.CLIENT, 5), C(FRAME), SWITCHING)
    assert anomalies(interrupted) == [AnomalyKind.WS_BEFORE_101]
    assert interrupted.of(Upgrade)


def test_a_gap_before_the_101():
    reading = read(UPGRADE, Hole(Side.CLIENT, 5), SWITCHING, C(FRAME))
    assert reading.rest[0] == (len(UPGRADE.data) + 5, FRAME)
    early = read(UPGRADE, SWITCHING, End(Side.CLIENT), Hole(Side.CLIENT, 5))
    assert early.of(Upgrade)


def test_after_an_upgrade_nothing_is_read():
    connection = HttpConnection(lambda _: True)
    connection.feed(StreamChunk(Side.CLIENT, 0, UPGRADE.data, [0], [1], [0]))
    connection.feed(StreamChunk(Side.SERVER, 0, SWITCHING.data, [0], [2], [0]))
    assert list(connection.feed(StreamChunk(Side.CLIENT, len(UPGRADE.data), GET.data, [0], [3], [0]))) == []
    assert list(connection.end(StreamEnd(Side.CLIENT, EndKind.FIN, PacketRef(4, 0)))) == []
    assert list(connection.gap(Gap(Side.SERVER, 500, 5, GapReason.NOT_CAPTURED, PacketRef(5, 0)))) == []


# Cost


def test_garbage_takes_linear_time():
    def seconds(packets: int) -> float:
        data = b"GET / HTTP/1.1 " * packets
        numbers = list(range(1, packets + 1))
        chunk = StreamChunk(Side.CLIENT, 0, data, [15 * at for at in range(packets)], numbers, numbers)
        begin = time.process_time()
        HttpConnection(lambda _: True).feed(chunk)
        return time.process_time() - begin

    seconds(1000)
    assert seconds(80_000) < 60 * seconds(8_000) + 0.1


def test_a_message_of_very_many_packets():
    answer = [S(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"), *[S(b"xx") for _ in range(10)]]
    reading = read(GET, *answer, *ENDS, limits=HttpLimits(packets=4))
    assert reading.responses[0].packets == (2, 3, 4, 5)
    assert reading.responses[0].last.number == 12
