"""HTTP/1.x that goes on as another protocol, and of which only one direction was captured."""

import pytest

from eiosniff.decode.http1.connection import HttpConnection, Upgrade
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import AnomalyKind, Desync, Gap, GapReason
from tests.unit.decode.http1_talk import (
    CONNECT,
    ENDS,
    FRAME,
    GET,
    OK,
    SWITCHING,
    UPGRADE,
    C,
    End,
    Hole,
    S,
    anomalies,
    client,
    read,
    reasons,
    server,
)


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
    events = []
    for side in Side:
        inside.begin_at(side, connection.accounted(side))
        for chunk in connection.take(side).rest():
            events += inside.feed(chunk)
    assert isinstance(events[-1], Upgrade)
    assert events[0].start == len(CONNECT.data)
    assert inside.take(Side.CLIENT).rest() == []
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
