"""Servers by what they answer: one case a rule of the fingerprints."""

import pytest

from eiosniff.knowledge import identify_server
from eiosniff.model.attempt import Attempt, Outcome
from eiosniff.model.engineio import OpenPacket, ServerError
from eiosniff.model.peers import Server
from eiosniff.model.provenance import PacketRef
from eiosniff.model.session import Namespace
from eiosniff.model.tally import Tally
from tests.unit.knowledge.peers import client, open_packet, request, server, session

NODE = "sid,upgrades,pingInterval,pingTimeout"
NODE_PAYLOAD = f"{NODE},maxPayload"
PYTHON = "sid,upgrades,pingTimeout,pingInterval"
SID = "R5o4c1JbKfGu73ukAAAA"
UUID = "0d5c1d2e-0a4b-4d43-9a7e-6b1f0c6a2f11"
COOKIE = f"io={SID}; Path=/; HttpOnly"
BROWSER = client(request("/socket.io/?EIO=4&transport=polling", "Host: h"))
OLD = open_packet(NODE, SID)
WITH_PAYLOAD = open_packet(NODE_PAYLOAD, SID, payload=1_000_000)


def _who(peer: Server, asked: str | None = "4", spoken: int | None = 4) -> str | None:
    identity = identify_server(peer, [session(BROWSER, peer, asked=asked, spoken=spoken)], [])
    return str(identity) if identity else None


@pytest.mark.parametrize(
    ("peer", "asked", "spoken", "expected"),
    [
        # Node: maxPayload from 4.5 on, no-store from 4.7 on, whatever the revision
        (server(WITH_PAYLOAD, cache_control="no-store"), "4", 4, "socket.io 4.7 or later"),
        (server(WITH_PAYLOAD), "4", 4, "socket.io 4.5 or later"),
        (server(WITH_PAYLOAD), "3", 3, "socket.io 4.5 or later"),
        # without it: the default timings, if they are the defaults
        (server(open_packet(NODE, SID, 25000, 5000)), "4", 4, "socket.io 3.0 to 3.1"),
        (server(open_packet(NODE, SID, 25000, 20000)), "4", 4, "socket.io 4.0 to 4.4"),
        (server(open_packet(NODE, SID, 10000, 5000)), "4", 4, "socket.io 3.0 to 4.4"),
        (server(open_packet(NODE, SID, 25000, 60000)), "4", 4, "socket.io 3.0 to 4.4"),
        # what it does with a client of revision 3, or of none
        (server(OLD), "3", 4, "socket.io 3.0"),
        (server(OLD), None, 4, "socket.io 3.0 to 3.1"),
        (server(OLD), "3", 3, "socket.io 4.4 or older"),
        # it ignores what the client asks for: no server of 3.1 or later does
        (server(open_packet(NODE, SID, 1000, 4000)), "4", 3, "socket.io 2.x or older"),
        (server(open_packet(NODE, SID, 25000, 60000)), "4", 3, "socket.io 2.x or older"),
        (server(open_packet(NODE, SID, 25000, 5000)), "4", 3, "socket.io 2.1 to 2.4"),
        (server(open_packet(NODE, SID, 25000, 20000)), "4", 3, "socket.io 2.5"),
        # the cookie of old versions
        (server(open_packet(NODE, SID, 25000, 5000), set_cookie=COOKIE), "3", 3, "socket.io 2.1 to 2.4"),
        (server(open_packet(NODE, SID, 25000, 20000), set_cookie=COOKIE), "3", 3, "socket.io 2.5"),
        (server(open_packet(NODE, SID, 1000, 4000), set_cookie=COOKIE), "3", 3, "socket.io 2.3 or older"),
        (
            server(open_packet(NODE, SID, 1000, 4000), set_cookie=f"{COOKIE}; SameSite=Strict"),
            "3",
            3,
            "socket.io 2.3 to 2.5",
        ),
        (server(OLD, set_cookie=f"{COOKIE}; SameSite=Lax"), "3", 3, "socket.io 4.4 or older"),  # 4.x with that cookie
        (server(WITH_PAYLOAD, uwebsockets="20"), "4", 4, "socket.io (uWebSockets.js) 4.5 or later"),
        # Python: the order of the keys, and which revision it takes
        (server(open_packet(f"{PYTHON},maxPayload", SID, payload=1_000_000)), "4", 4, "python-socketio 5 or later"),
        (server(open_packet(PYTHON, SID)), "4", None, "python-socketio 5 or later"),
        (server(open_packet(PYTHON, "0d5c1d2e0a4b4d439a7e6b1f0c6a2f11")), "3", 3, "python-socketio 4 or older"),
        # ports that copy the keys of Node, but not its sid
        (server(open_packet(NODE, UUID, 25000, 60000), server="netty-socketio/2.0.9"), "4", 4, "netty-socketio"),
        (server(open_packet(NODE_PAYLOAD, "AA9AAA0AAzAAAAHs", payload=100_000)), "4", 4, "socketioxide"),
        (server(open_packet(NODE, "1x", 20000, 60000)), "3", 3, "googollee/go-socket.io"),
        # nobody that is known
        (server(open_packet(NODE, UUID, 25000, 60000)), "4", 4, None),
        (server(open_packet("sid,pingInterval,pingTimeout,upgrades", SID)), "4", 4, None),
        (server(None, server="nginx/1.24.0"), "4", 4, None),
    ],
)
def test_named_by_its_open_packet(peer: Server, asked: str | None, spoken: int | None, expected: str | None) -> None:
    assert _who(peer, asked, spoken) == expected


def test_netty_uses_the_sid_as_the_id_of_the_socket() -> None:
    peer = server(open_packet(NODE, UUID, 25000, 60000))
    ledger = session(BROWSER, peer)
    ledger.sid = UUID
    ledger.namespaces["/"] = Namespace("/", socket_id=UUID)
    assert str(identify_server(peer, [ledger], [])) == "netty-socketio 2.0 or later"


def test_recovery_came_with_4_6() -> None:
    peer = server(WITH_PAYLOAD)
    ledger = session(BROWSER, peer)
    ledger.namespaces["/"] = Namespace("/", auth_keys=("pid", "offset"))
    assert str(identify_server(peer, [ledger], [])) == "socket.io 4.6 or later"


NODE_JSON = "Content-Type,Date,Connection,Keep-Alive,Transfer-Encoding"
PYTHON_TEXT = "The client is using an unsupported version of the Socket.IO or Engine.IO protocols"


@pytest.mark.parametrize(
    ("eio", "outcome", "error", "headers", "expected"),
    [
        (
            "3",
            Outcome.REFUSED,
            ServerError(5, "Unsupported protocol version", "node"),
            NODE_JSON,
            "socket.io 3.1 or later",
        ),
        ("4", Outcome.REFUSED, ServerError(4, "Forbidden", "node"), NODE_JSON, "socket.io 2.0 or later"),
        ("4", Outcome.REFUSED, ServerError(0, "Transport unknown", "node"), NODE_JSON, "socket.io"),
        ("4", Outcome.REFUSED, ServerError(0, "Transport unknown", "node"), "content-type,content-length", None),
        (
            "3",
            Outcome.REFUSED_AFTER_101,
            ServerError(None, "Unsupported protocol version", "text"),
            "Connection,Content-type,Content-Length",
            "socket.io 4.0 or later",
        ),
        ("4", Outcome.REFUSED, ServerError(None, "no", "text"), "Connection,Content-type,Content-Length", "socket.io"),
        ("3", Outcome.REFUSED, ServerError(None, PYTHON_TEXT, "python"), "Content-Type", "python-socketio 5 or later"),
        ("4", Outcome.REFUSED, ServerError(None, PYTHON_TEXT, "python"), "Content-Type", "python-socketio 4 or older"),
        ("4", Outcome.REFUSED, ServerError(None, "Invalid transport", "python"), "Content-Type", "python-socketio"),
        ("4", Outcome.REFUSED, ServerError(1, "Session ID unknown", "socketioxide"), "content-length", "socketioxide"),
        (
            "3",
            Outcome.REFUSED,
            ServerError(None, "invalid sid value: 1", "text"),
            "Content-Type",
            "googollee/go-socket.io",
        ),
        ("4", Outcome.REFUSED, ServerError(None, "Bad Gateway", "text"), "Server,Date,Content-Type", None),
    ],
)
def test_named_by_its_refusal(
    eio: str, outcome: Outcome, error: ServerError, headers: str, expected: str | None
) -> None:
    handshake = request(f"/socket.io/?EIO={eio}&transport=polling", "Host: h")
    peer = client(handshake)
    attempt = Attempt(handshake, outcome, 400, error, answer=PacketRef(5, 0))
    group: Tally[Attempt] = Tally()
    group.add(attempt, 0)
    peer.attempts[attempt.signature()] = group
    marks = {"error-style": error.style, "refusal-headers": headers}
    identity = identify_server(Server(peer.server, marks=marks), [], [peer])
    assert (str(identity) if identity else None) == expected


def test_an_unknown_field_in_the_open_packet_is_no_server_of_node() -> None:
    opening = OpenPacket(SID, (), 25000, 20000, None, ("sid", "upgrades", "pingInterval", "pingTimeout", "region"))
    assert _who(server(opening)) is None
