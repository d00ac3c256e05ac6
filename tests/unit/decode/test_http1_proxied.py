"""HTTP as proxies and servers behind them write it: what arrives in the ledgers, whatever way the messages are cut."""

import pytest

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.stack import Stack
from eiosniff.model.http import Fields, HttpRequest, HttpResponse
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Session
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.trouble import Anomaly, Desync
from tests.streams import CLIENT, packets
from tests.unit.decode.http1_talk import C, End, S, client, crlf, read, server
from tests.unit.decode.test_conversation import Talk
from tests.unit.decode.test_stack import OPEN, Link, frame

ENDS = (End(Side.SERVER), End(Side.CLIENT))
TARGET = "/socket.io/?EIO=4&transport=polling"
SWITCHED = crlf("HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: websocket\n\n")


def session_of(*links: list[tuple[Side, bytes]], fin: bool = True) -> Session:
    """The one session of connections on which this is said, one after the other; read in batches of 1 and of 100."""
    sent = []
    for number, said in enumerate(links):
        link = Link(CLIENT + number)
        for side, data in said:
            link.send(side, data)
        if fin:
            link.send(Side.SERVER, flags="FA")
            link.send(Side.CLIENT, flags="FA")
        sent += link.sent
    found = []
    for batch in (1, 100):
        stack = Stack(CaptureSummary("a"))
        for at in range(0, len(sent), batch):
            stack.feed(packets(sent[at : at + batch], at + 1))
        stack.close()
        assert not stack.crashes
        [session] = stack.sessions.sessions
        found.append(session)
    assert found[0].engineio_counts == found[1].engineio_counts
    return found[0]


def test_http_1_0_without_keep_alive_is_a_connection_a_request() -> None:
    def answer(body: bytes) -> bytes:  # as Apache and old servers do it: no length, the end of the connection tells
        return crlf("HTTP/1.0 200 OK\nContent-Type: text/plain\nConnection: close\n\n") + body

    def ask(line: str, body: bytes = b"") -> tuple[Side, bytes]:
        length = f"Content-Length: {len(body)}\n" if body else ""
        return Side.CLIENT, crlf(f"{line} HTTP/1.0\nHost: a\n{length}\n") + body

    session = session_of(
        [ask(f"GET {TARGET}"), (Side.SERVER, answer(OPEN))],
        [ask(f"POST {TARGET}&sid=abc", b"40"), (Side.SERVER, answer(b"ok"))],
        [ask(f"GET {TARGET}&sid=abc"), (Side.SERVER, answer(b'40{"sid":"x"}')), (Side.SERVER, b'\x1e42["a"]')],
    )
    assert session.connection_count == 3
    assert session.socketio_counts == [{"CONNECT": 1}, {"CONNECT": 1, "EVENT": 1}]


@pytest.mark.parametrize(
    "connection", ["Upgrade", "keep-alive, Upgrade", "upgrade,close", "Keep-Alive\nConnection: UPGRADE"]
)
def test_an_upgrade_among_other_connection_options(connection: str) -> None:
    ask = crlf(f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\nConnection: {connection}\nUpgrade: WebSocket\n\n")
    session = session_of([(Side.CLIENT, ask), (Side.SERVER, SWITCHED + frame(Side.SERVER, OPEN))])
    assert session.on_websocket
    assert Fields(crlf(f"Connection: {connection}\n"), True).members(b"connection")[-1] in (b"upgrade", b"close")


def test_nginx_says_upgrade_to_polls_too() -> None:
    ask = crlf(f"GET {TARGET} HTTP/1.1\nConnection: upgrade\nHost: a\n\n")
    answer = crlf(f"HTTP/1.1 200 OK\nContent-Length: {len(OPEN)}\n\n") + OPEN
    reading = read(C(ask), S(answer), C(ask), S(answer), *ENDS)
    assert [response.body for response in reading.responses] == [OPEN, OPEN]


def test_an_offer_of_http_2_that_is_declined_or_taken() -> None:
    offer = crlf(f"GET {TARGET} HTTP/1.1\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: x\n\n")
    answer = crlf(f"HTTP/1.1 200 OK\nContent-Length: {len(OPEN)}\n\n") + OPEN
    assert session_of([(Side.CLIENT, offer), (Side.SERVER, answer)]).sid == "abc"
    talk = Talk()
    talk.say(Side.CLIENT, offer)
    talk.say(
        Side.SERVER, crlf("HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: h2c\n\n") + b"\0\0\0\x04"
    )
    talk.say(Side.CLIENT, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert talk.kinds == ["HttpRequest", "HttpResponse"]
    assert talk.conversation.inside is not None


def test_chunk_extensions_and_trailers() -> None:
    body = crlf('4;a=1;b="x y"\n0{"s\n2 ; c\nid\n0;last\nServer-Timing: app;dur=5\nX-Checksum: 1\n\n')
    answer = crlf("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nTrailer: X-Checksum\n\n") + body
    reading = read(client("GET / HTTP/1.1\n\n"), S(answer + answer), client("GET / HTTP/1.1\n\n"), *ENDS)
    assert [response.body for response in reading.responses] == [b'0{"sid', b'0{"sid']
    assert not reading.of(Anomaly)
    assert not reading.of(Desync)


def test_folded_headers_count_as_a_whole() -> None:
    ask = crlf(
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\nUser-Agent: a\n  (b;\n\tc)\nUpgrade:\n websocket\n\n"
    )
    [request] = read(C(ask), S(SWITCHED)).requests
    assert request.header(b"user-agent") == b"a (b; c)"
    assert request.header(b"upgrade") == b"websocket"
    assert request.headers()[0] == (b"User-Agent", b"a (b; c)")
    answer = crlf("HTTP/1.1 200 OK\nContent-Length:\n 5\nVary: Origin,\n Accept\n\nhello")
    [response] = read(client("GET / HTTP/1.1\n\n"), S(answer), *ENDS).responses
    assert response.body == b"hello"
    assert response.fields.members(b"vary") == [b"origin", b"accept"]
    assert response.fields.names() == ("Content-Length", "Vary")


def test_a_post_that_waits_for_leave() -> None:
    ask = crlf(f"POST {TARGET}&sid=abc HTTP/1.1\nExpect: 100-continue\nContent-Length: 2\n\n")
    opening = crlf(f"HTTP/1.1 200 OK\nContent-Length: {len(OPEN)}\n\n") + OPEN
    ok = crlf("HTTP/1.1 200 OK\nContent-Length: 2\n\nok")
    said = [
        (Side.CLIENT, crlf(f"GET {TARGET} HTTP/1.1\n\n")), (Side.SERVER, opening), (Side.CLIENT, ask),
        (Side.SERVER, crlf("HTTP/1.1 100 Continue\n\n")), (Side.CLIENT, b"40"), (Side.SERVER, ok),
    ]  # fmt: skip
    session = session_of(said)
    assert session.socketio_counts[Side.CLIENT] == {"CONNECT": 1}
    assert session.requests_answered == 2


def test_absolute_targets_to_a_forward_proxy() -> None:
    def ask(method: str, query: str, body: bytes = b"") -> tuple[Side, bytes]:
        length = f"Content-Length: {len(body)}\n" if body else ""
        head = f"{method} http://chat.example:3000{TARGET}{query} HTTP/1.1\nHost: chat.example:3000\n{length}\n"
        return Side.CLIENT, crlf(head) + body

    opening = crlf(f"HTTP/1.1 200 OK\nVia: 1.1 proxy\nContent-Length: {len(OPEN)}\n\n") + OPEN
    ok = crlf("HTTP/1.1 200 OK\nContent-Length: 2\n\nok")
    session = session_of([ask("GET", ""), (Side.SERVER, opening), ask("POST", "&sid=abc", b"40"), (Side.SERVER, ok)])
    assert (session.path, session.claimed_eio, session.sid) == ("/socket.io/", "4", "abc")
    assert str(session.server.endpoint) == "10.0.0.2:3000"
    assert session.server.marks["via"] == "1.1 proxy"
    assert session.socketio_counts[Side.CLIENT] == {"CONNECT": 1}


def test_messages_begin_short() -> None:
    """What a reader fills in later has a value from the beginning."""
    request = HttpRequest(b"GET / HTTP/1.1\r\nHost: a", 5, PacketRef(3, 9), method=b"GET", target=b"/")
    assert (request.side, request.start, request.end, request.order) == (Side.CLIENT, 5, 5, 3)
    assert (request.body, request.packets, request.complete) == (b"", (), False)
    assert request.header(b"host") == b"a"
    response = HttpResponse(b"HTTP/1.1 200 OK", 0, PacketRef(4, 9), status=200, request=request)
    assert (response.side, response.request, response.last) == (Side.SERVER, request, PacketRef(4, 9))


def test_conversation_is_made_for_a_proxied_connection() -> None:
    talk = Talk(lambda *about: Conversation.over_http(*about, proxied=True))
    talk.say(Side.CLIENT, crlf("PROXY TCP6 2001:db8::1 ::1 4000 80\nGET / HTTP/1.1\n\n"))
    talk.say(Side.SERVER, server("HTTP/1.1 204 No Content\n\n").data)
    assert talk.kinds == ["ProxyHeader", "HttpRequest", "HttpResponse"]
    assert str(talk.conversation.ledger.proxied_for) == "[2001:db8::1]:4000"
