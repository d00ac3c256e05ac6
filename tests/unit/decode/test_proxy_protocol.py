"""PROXY protocol: the header before the first byte of the client (specification of haproxy, versions 1 and 2)."""

import struct
from ipaddress import ip_address

import pytest

from eiosniff.decode.http1.connection import HttpConnection
from eiosniff.decode.http1.proxy_protocol import NoProxyHeader, ProxyHeader, proxy_header
from eiosniff.decode.stack import Stack
from eiosniff.model.http import HttpRequest
from eiosniff.model.provenance import Endpoint, Side
from eiosniff.model.session import Session
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.tcp import StreamChunk
from eiosniff.model.trouble import Anomaly, AnomalyKind
from tests.streams import packets
from tests.unit.decode.test_stack import OPEN, Link

C, S = Side.CLIENT, Side.SERVER
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
GET = b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n"
OPENED = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(OPEN) + OPEN
V1 = b"PROXY TCP4 203.0.113.7 10.0.0.2 51234 3000\r\n"
# Two extensions: the authority (2) and a checksum (3).
TLVS = b"\x02\x00\x01a" + b"\x03\x00\x04\x00\x00\x00\x00"


def v2(command: int, family: int, addresses: bytes = b"", version: int = 2) -> bytes:
    return SIGNATURE + struct.pack(">BBH", version << 4 | command, family, len(addresses)) + addresses


def pair(source: str, destination: str, port: int) -> bytes:
    return ip_address(source).packed + ip_address(destination).packed + struct.pack(">HH", port, 3000)


V2 = v2(1, 0x11, pair("203.0.113.7", "10.0.0.2", 51234) + TLVS)


@pytest.mark.parametrize(
    ("header", "source"),
    [
        (V1, Endpoint("203.0.113.7", 51234)),
        (b"PROXY TCP6 2001:db8:0::7 ::1 1 65535\r\n", Endpoint("2001:db8::7", 1)),
        (b"PROXY UNKNOWN\r\n", None),
        (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", None),
        (V2, Endpoint("203.0.113.7", 51234)),
        (v2(1, 0x21, pair("2001:db8::7", "::1", 99)), Endpoint("2001:db8::7", 99)),
        (v2(1, 0x31, bytes(216)), None),
        (v2(1, 0x00), None),
        (v2(0, 0x00), None),
        (v2(0, 0x11, pair("10.0.0.1", "10.0.0.2", 1)), None),  # for itself: the addresses are to be ignored
    ],
)
def test_headers(header: bytes, source: Endpoint | None) -> None:
    found = proxy_header(header + GET)
    assert isinstance(found, ProxyHeader)
    assert (found.start, found.end, found.source, found.wrong) == (0, len(header), source, "")
    for length in range(1, len(header)):
        assert proxy_header(header[:length]) is NoProxyHeader.YET


@pytest.mark.parametrize(
    "header",
    [
        b"PROXY TCP4 203.0.113.7 10.0.0.2 51234\r\n",
        b"PROXY TCP4 203.0.113.7 10.0.0.2 51234 3000\n",
        b"PROXY TCP4 203.0.113.777 10.0.0.2 51234 3000\r\n",
        b"PROXY TCP4 2001:db8::7 ::1 1 2\r\n",
        b"PROXY TCP6 203.0.113.7 10.0.0.2 1 2\r\n",
        b"PROXY TCP4 203.0.113.7 10.0.0.2 65536 3000\r\n",
        b"PROXY UDP4 203.0.113.7 10.0.0.2 1 2\r\n",
        v2(1, 0x11, pair("10.0.0.1", "10.0.0.2", 1), version=3),
        v2(2, 0x11, pair("10.0.0.1", "10.0.0.2", 1)),
        v2(1, 0x21, pair("10.0.0.1", "10.0.0.2", 1)),
        v2(1, 0x71, bytes(12)),
    ],
)
def test_malformed_headers_say_so_and_end_where_they_end(header: bytes) -> None:
    found = proxy_header(header + GET)
    assert isinstance(found, ProxyHeader)
    assert (found.end, found.source) == (len(header), None)
    assert found.wrong


@pytest.mark.parametrize("data", [b"PROXIES", b"POST / HTTP/1.1", b"\r\nGET", b"\x16\x03\x01", V1[:6] + b"x" * 101])
def test_what_is_no_header(data: bytes) -> None:
    assert proxy_header(data) is NoProxyHeader.HERE


@pytest.mark.parametrize("header", [V1, V2])
@pytest.mark.parametrize("step", [1, 7, 500])
def test_the_request_behind_it_is_read(header: bytes, step: int) -> None:
    connection = HttpConnection(lambda _: True, proxied=True)
    data, events = header + GET + GET, []
    for number, at in enumerate(range(0, len(data), step), 1):
        events += connection.feed(StreamChunk(C, at, data[at : at + step], [0], [number], [number]))
    proxied, first, second = events
    assert isinstance(proxied, ProxyHeader)
    assert (proxied.start, proxied.end, proxied.place.number) == (0, len(header), 1)
    assert isinstance(first, HttpRequest)
    assert (first.start, second.start) == (len(header), len(header) + len(GET))


def test_a_malformed_one_is_an_anomaly() -> None:
    connection = HttpConnection(lambda _: True, proxied=True)
    bad = b"PROXY TCP4 1.2.3.4\r\n"
    _, anomaly, request = connection.feed(StreamChunk(C, 0, bad + GET, [0], [1], [1]))
    assert isinstance(anomaly, Anomaly)
    assert (anomaly.kind, anomaly.found) == (AnomalyKind.PROXY_BAD_HEADER, bad.decode())
    assert isinstance(request, HttpRequest)


def sessions_of(*sent: tuple[Side, bytes]) -> tuple[list[Session], CaptureSummary]:
    """What becomes of a connection on which this is said, a packet each; the same with any batches."""
    link = Link()
    for side, data in sent:
        link.send(side, data)
    link.send(C, flags="FA")
    link.send(S, flags="FA")
    stack = Stack(CaptureSummary("a"))
    for at, each in enumerate(link.sent):
        stack.feed(packets([each], at + 1))
    stack.close()
    assert not stack.crashes
    return stack.sessions.sessions, stack.summary


@pytest.mark.parametrize("header", [V1, V2])
@pytest.mark.parametrize("cut", [0, 1, 9, 20])
def test_a_session_behind_a_proxy_that_says_for_whom(header: bytes, cut: int) -> None:
    pieces = [piece for piece in (header[:cut], header[cut:]) if piece]
    [session], summary = sessions_of(*[(C, piece) for piece in pieces], (C, GET), (S, OPENED))
    assert session.proxied_for == Endpoint("203.0.113.7", 51234)
    assert session.client_endpoint.address == "10.0.0.1"
    assert session.sid == "abc"
    assert summary.other == {"HTTP": 1}
    [session], _ = sessions_of((C, header + GET), (S, OPENED))
    assert session.proxied_for == Endpoint("203.0.113.7", 51234)


def test_a_health_check_and_a_malformed_header() -> None:
    [session], _ = sessions_of((C, v2(0, 0) + GET), (S, OPENED))
    assert session.proxied_for is None
    [session], _ = sessions_of((C, b"PROXY nonsense\r\n" + GET), (S, OPENED))
    assert session.proxied_for is None


def test_what_stands_behind_the_header_counts_as_what_it_is() -> None:
    assert sessions_of((C, V1 + b"\x16\x03\x01\x00\x05hello"), (S, b"\x16\x03\x03"))[1].other == {"TLS (port 3000)": 1}
    assert sessions_of((C, V2), (C, b"EHLO a\r\n"))[1].other == {"other TCP (port 3000)": 1}
    assert sessions_of((C, V2))[1].other == {"other TCP (port 3000)": 1}
