"""What requests and answers tell: targets, what is Engine.IO, fingerprints."""

import pytest

from eiosniff.decode.facts import is_engineio, is_upgrade, may_be_engineio, note_server, parse_target
from eiosniff.model.http import HttpRequest, HttpResponse, Query
from eiosniff.model.peers import Server
from eiosniff.model.provenance import Endpoint, PacketRef
from tests.records import flat
from tests.unit.decode.talk_sessions import Talk

PLACE = PacketRef(1, 1)


def _request(target: bytes, head: bytes = b"") -> HttpRequest:
    return HttpRequest(head, 0, PLACE, method=b"GET", target=target)


def _response(head: bytes, status: int = 200) -> HttpResponse:
    return HttpResponse(head, 0, PLACE, status=status)


@pytest.mark.parametrize(
    ("target", "query"),
    [
        (b"/socket.io/?EIO=4&transport=polling", Query("/socket.io/", (("EIO", "4"), ("transport", "polling")))),
        (b"/", Query("/", ())),
        (b"", Query("", ())),
        (b"http://a:3000/x?y=1", Query("/x", (("y", "1"),))),
        (b"ws://a", Query("/", ())),
        (b"HTTP://user@[::1]:80/socket.io/?EIO=4", Query("/socket.io/", (("EIO", "4"),))),
        (b"http://a?EIO=4&u=http://b/c", Query("/", (("EIO", "4"), ("u", "http://b/c")))),
        (b"a.example:443", Query("a.example:443", ())),
        (b"/x?&&a&b=&=c", Query("/x", (("a", ""), ("b", ""), ("", "c")))),
        (b"/x?a=%2F%C3%A9+b&%74=1", Query("/x", (("a", "/\u00e9 b"), ("t", "1")))),
        (b"/x?a=%", Query("/x", (("a", "%"),))),
        (b"/\xff?a=\xff", Query("/\u00ff", (("a", "\u00ff"),))),
        (b"/x?a=1?b=2", Query("/x", (("a", "1?b=2"),))),
        (b"*", Query("*", ())),
    ],
)
def test_targets(target: bytes, query: Query) -> None:
    assert flat(parse_target(target)) == flat(query)


def test_targets_of_any_size_are_kept_in_part() -> None:
    query = parse_target(b"/" + b"p" * 5000 + b"?" + b"&".join(b"k%d=%s" % (n, b"v" * 500) for n in range(5000)))
    assert len(query.path) == 300
    assert all(len(value) <= 300 for _, value in query.parameters)
    assert len(query.parameters) <= 64


def test_parameters_may_come_twice() -> None:
    query = parse_target(b"/?transport=websocket&transport=polling")
    assert (query.first("transport"), query.all("transport")) == ("websocket", ("websocket", "polling"))
    assert (query.first("sid"), query.all("sid")) == (None, ())


@pytest.mark.parametrize(
    ("target", "upgrade", "expected"),
    [
        (b"/socket.io/?EIO=4&transport=polling", False, True),
        (b"/anything?transport=polling", False, True),
        (b"/anything?EIO=3", False, True),
        (b"/socket.io/", True, True),
        (b"/engine.io/", True, True),
        (b"/socket.io/?sid=x", False, True),
        (b"/socket.io/socket.io.js", False, False),
        (b"/socket.io/", False, False),
        (b"/chat?sid=x", True, False),
        (b"/chat", True, False),
    ],
)
def test_what_is_engineio(target: bytes, upgrade: bool, expected: bool) -> None:
    assert is_engineio(parse_target(target), upgrade) is expected
    if expected and not upgrade:
        assert may_be_engineio(_request(target))


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"GET / HTTP/1.1\r\nUpgrade: websocket", True),
        (b"GET / HTTP/1.1\r\nupgrade:WebSocket", True),
        (b"GET / HTTP/1.1\r\nUpgrade: h2c", False),
        (b"GET / HTTP/1.1\r\nHost: a", False),
    ],
)
def test_upgrades(head: bytes, expected: bool) -> None:
    assert is_upgrade(_request(b"/", head)) is expected


def test_what_the_ledger_keeps_of_a_handshake() -> None:
    talk = Talk()
    talk.connect("w", agent="agent/1", headers="Origin: https://a\r\nX-Odd: \xff\r\n")
    talk.play("w> WS EIO=4&transport=flashsocket&transport=websocket").close()
    (client,) = talk.sessions.clients.values()
    facts = client.websocket_request
    assert facts is not None
    assert (facts.eio, facts.transports, facts.upgrade, facts.method) == (
        "4",
        ("flashsocket", "websocket"),
        True,
        "GET",
    )
    assert (facts.user_agent, facts.origin, facts.host, facts.subprotocol) == ("agent/1", "https://a", "example", None)
    assert facts.header_names[:4] == ("Host", "Origin", "X-Odd", "User-Agent")
    assert facts.transport is not None
    assert client.polling_request is None


@pytest.mark.parametrize(
    ("head", "marks"),
    [
        (b"HTTP/1.1 200 OK\r\nServer: Werkzeug/3\r\nSet-Cookie: io=x", {"server": "Werkzeug/3", "set-cookie": "io=x"}),
        (b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Credentials: true", {"allows-credentials-only": "yes"}),
        (
            b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Credentials: true\r\nAccess-Control-Allow-Origin: *",
            {"allows-credentials-only": "no"},
        ),
        (b"HTTP/1.1 200 OK\r\nVia: 1.1 vegur", {"via": "1.1 vegur"}),
        (b"HTTP/1.1 200 OK", {}),
    ],
)
def test_marks_of_a_server(head: bytes, marks: dict[str, str]) -> None:
    server = Server(Endpoint("10.0.0.2", 3000))
    note_server(server, _response(head))
    assert server.marks == marks
    note_server(server, _response(head.replace(b"Werkzeug/3", b"later")))
    assert server.marks == marks
