"""Through a forward proxy: what a client says after CONNECT is read as if it were a connection of its own."""

import pytest

from eiosniff.decode.http1.connection import Upgrade
from eiosniff.decode.stack import Stack
from eiosniff.decode.tcp.sniff import Protocol
from eiosniff.decode.tunnel import MAX_TUNNELS
from eiosniff.model.http import HttpRequest, HttpResponse
from eiosniff.model.provenance import Endpoint, Side
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.trouble import Desync
from tests.streams import packets
from tests.unit.decode.test_conversation import ASK, PING, PONG, SWITCH, Talk
from tests.unit.decode.test_stack import OPEN, Link, frame

C, S = Side.CLIENT, Side.SERVER
CONNECT = b"CONNECT chat.example:8080 HTTP/1.1\r\nHost: chat.example:8080\r\n\r\n"
# As squid says it.
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
POLL = b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: chat.example\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HELLO = b"\x16\x03\x01\x00\xf0\x01"


def tunnel() -> Talk:
    talk = Talk()
    talk.say(C, CONNECT)
    talk.say(S, ESTABLISHED)
    return talk


def test_http_in_a_tunnel() -> None:
    talk = tunnel()
    for _ in range(2):
        talk.say(C, POLL)
        talk.say(S, OK)
    assert [request.method for request in talk.only(HttpRequest)] == [b"CONNECT", b"GET", b"GET"]
    assert [response.body for response in talk.only(HttpResponse)] == [b"", b"ok", b"ok"]
    first = talk.only(HttpRequest)[1]
    assert (first.start, first.end) == (len(CONNECT), len(CONNECT) + len(POLL))
    assert talk.only(HttpResponse)[1].request is first
    assert not talk.only(Desync)
    assert talk.conversation.tunnel is not None
    assert talk.conversation.tunnel.holds is Protocol.HTTP_REQUEST


def test_a_websocket_in_a_tunnel() -> None:
    talk = tunnel()
    talk.say(C, ASK)
    talk.say(S, SWITCH + PING)
    talk.say(C, PONG)
    assert talk.payloads() == [b"2", b"3"]
    assert [upgrade.request.method for upgrade in talk.only(Upgrade)] == [b"CONNECT", b"GET"]


@pytest.mark.parametrize("step", [1, 3, 40, 400])
def test_in_pieces_of_any_size(step: int) -> None:
    talk = Talk()
    for side, data in ((C, CONNECT), (S, ESTABLISHED), (C, ASK), (S, SWITCH + PING), (C, PONG)):
        for at in range(0, len(data), step):
            talk.say(side, data[at : at + step])
    assert talk.payloads() == [b"2", b"3"]


def test_what_comes_together_with_the_request_and_its_answer() -> None:
    talk = Talk()
    talk.say(C, CONNECT + POLL[:10])  # the client does not wait
    talk.say(C, POLL[10:])
    talk.say(S, ESTABLISHED + OK)
    assert [request.method for request in talk.only(HttpRequest)] == [b"CONNECT", b"GET"]
    assert talk.only(HttpResponse)[1].request is talk.only(HttpRequest)[1]


@pytest.mark.parametrize("status", [403, 407, 502])
def test_a_refused_tunnel_is_an_ordinary_answer(status: int) -> None:
    talk = Talk()
    talk.say(C, CONNECT)
    talk.say(S, b"HTTP/1.1 %d No\r\nContent-Length: 2\r\n\r\nno" % status)
    talk.say(C, POLL)
    talk.say(S, OK)
    assert [response.status for response in talk.only(HttpResponse)] == [status, 200]
    assert talk.conversation.tunnel is None
    assert not talk.only(Upgrade)


@pytest.mark.parametrize(
    ("first", "holds"),
    [((C, HELLO), Protocol.TLS), ((C, b"SSH-2.0-x"), Protocol.OTHER), ((S, b"220 mail\r\n"), Protocol.OTHER)],
)
def test_what_is_not_http_is_named_and_not_read(first: tuple[Side, bytes], holds: Protocol) -> None:
    talk = tunnel()
    talk.say(*first)
    talk.say(C, POLL)
    talk.lose(S, 5)
    talk.end(C)
    assert talk.kinds == ["HttpRequest", "HttpResponse", "Upgrade", "Gap", "StreamEnd"]
    assert talk.conversation.tunnel is not None
    assert talk.conversation.tunnel.holds is holds
    assert talk.conversation.tunnel.port == 8080


def test_a_gap_where_the_tunnel_begins() -> None:
    talk = tunnel()
    talk.lose(C, 50)
    talk.say(C, POLL)
    talk.say(S, OK)
    assert talk.only(HttpRequest)[1].start == len(CONNECT) + 50
    talk = tunnel()
    talk.lose(C, len(ASK))
    talk.lose(S, len(SWITCH))
    talk.say(S, PING)
    talk.say(C, PONG)
    assert talk.payloads() == [b"2", b"3"]


def test_only_the_client_was_captured() -> None:
    talk = Talk()
    talk.say(C, CONNECT)
    talk.number += 1_000_000_000  # a second each: long enough
    talk.say(C, POLL)
    talk.end(C)
    assert [request.method for request in talk.only(HttpRequest)] == [b"CONNECT", b"GET"]


def test_a_side_that_ends_before_it_is_clear_what_the_tunnel_holds() -> None:
    talk = tunnel()
    talk.say(C, POLL[:2])
    talk.end(C)
    talk.say(S, OK)
    talk.end(S)
    assert [type(record).__name__ for record in talk.records[3:]] == [
        "StreamEnd", "Anomaly", "Desync", "HttpResponse", "StreamEnd",
    ]  # fmt: skip


def test_tunnels_in_tunnels_come_to_an_end() -> None:
    talk = Talk()
    for _ in range(MAX_TUNNELS + 3):
        talk.say(C, CONNECT)
        talk.say(S, ESTABLISHED)
    assert len(talk.only(HttpRequest)) == MAX_TUNNELS + 1
    assert talk.conversation.uninteresting
    talk = Talk()
    for _ in range(MAX_TUNNELS):
        talk.say(C, CONNECT)
        talk.say(S, ESTABLISHED)
    talk.say(C, ASK)
    talk.say(S, SWITCH + PING)
    assert talk.payloads() == [b"2"]


def stack_of(link: Link, batch: int) -> Stack:
    stack = Stack(CaptureSummary("a"))
    for at in range(0, len(link.sent), batch):
        stack.feed(packets(link.sent[at : at + batch], at + 1))
    stack.close()
    assert not stack.crashes
    return stack


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_a_session_through_a_tunnel_is_one_of_the_proxy(batch: int) -> None:
    link = Link()
    for side, data in (
        (C, CONNECT), (S, ESTABLISHED), (C, ASK), (S, SWITCH + frame(S, OPEN)), (C, frame(C, b"40")),
        (S, frame(S, b'40{"sid":"x"}')),
    ):  # fmt: skip
        link.send(side, data)
    stack = stack_of(link, batch)
    [session] = stack.sessions.sessions
    assert session.sid == "abc"
    assert session.server.endpoint == Endpoint("10.0.0.2", 3000)
    assert session.namespaces["/"].socket_id == "x"
    assert stack.summary.other == {"HTTP": 1}


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_tls_in_a_tunnel_is_counted(batch: int) -> None:
    link = Link()
    for side, data in ((C, CONNECT), (S, ESTABLISHED), (C, HELLO), (S, b"\x16\x03\x03\x00\x7a\x02")):
        link.send(side, data)
    assert stack_of(link, batch).summary.other == {"HTTP": 1, "TLS (port 8080)": 1}


def test_the_target_of_a_tunnel() -> None:
    for target, port in ((b"a:443", 443), (b"[::1]:80", 80), (b"a", 0), (b"a:999999999", 0), (b"a:x", 0)):
        talk = Talk()
        talk.say(C, b"CONNECT %b HTTP/1.1\r\n\r\n" % target)
        talk.say(S, ESTABLISHED)
        assert talk.conversation.tunnel is not None
        assert talk.conversation.tunnel.port == port
