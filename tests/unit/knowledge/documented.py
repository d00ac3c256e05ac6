"""What clients send and servers answer by their documentation or source: the least that an entry of the data asks for.

Each case is what a peer shows, and who it should be called (None: nobody).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from eiosniff.model.attempt import AnswerFacts, Attempt, Outcome, RefusedRequest, RequestFacts, UpgradeTry
from eiosniff.model.engineio import POLLING, ServerError
from eiosniff.model.peers import Client, Server
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Beat, CloseHow, Closing, Namespace, Session
from eiosniff.model.tally import NS_PER_S, Tally
from tests.unit.knowledge.peers import client, open_packet, request, server, session

# ---------------------------------------------------------------- requests of clients

NODE_WS = ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: x", "Connection: Upgrade", "Upgrade: websocket")
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
NODE = (*NODE_WS, DEFLATE, "Host: h:3000")
OLD_NODE_WS = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Host: h",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: x",
)
NODE_XHR = ("User-Agent: node-XMLHttpRequest", "Accept: */*", "Host: h", "Connection: close")
FIREFOX = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
BROWSER_WS = (FIREFOX, "Sec-WebSocket-Version: 13", "Origin: http://h", DEFLATE, "Upgrade: websocket")
OKHTTP = ("Host: h", "Connection: Keep-Alive", "Accept-Encoding: gzip", "User-Agent: okhttp/4.12.0")
WEBSOCKET_CLIENT = (
    "Upgrade: websocket", "Host: h", "Origin: http://h", "Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 13",
    "Connection: Upgrade",
)  # fmt: skip
AIOHTTP = "User-Agent: Python/3.12 aiohttp/3.14.5"
REQUESTS = "User-Agent: python-requests/2.34.2"
WEBSOCKETPP = ("User-Agent: WebSocket++/0.8.2", "Upgrade: websocket")
DART = "user-agent: Dart/3.5 (dart:io)"
SWIFT = "User-Agent: App/1 CFNetwork/1490.0.4 Darwin/23.2.0"
ARDUINO = ("Host: h:80", "Origin: file://", "User-Agent: arduino-WebSocket-Client")
GO = ("Host: h", "User-Agent: Go-http-client/1.1", "Accept-Encoding: gzip")
URL = "/socket.io/?EIO=4&transport=websocket"
_BROWSER, _NODE, _PYTHON = "socket.io-client (browser)", "socket.io-client (Node)", "python-socketio (client)"
_ASYNCIO, _JAVA, _BOARD = "python-socketio (asyncio client)", "socket.io-client-java", "arduinoWebSockets"

HANDSHAKES: list[tuple[RequestFacts, str | None]] = [
    # the JavaScript client in a browser
    (request("/socket.io/1/?t=1795441113812", FIREFOX), f"{_BROWSER} 0.9 or older"),
    (request("/socket.io/?EIO=3&transport=polling&t=Q88cWEr", FIREFOX), f"{_BROWSER} 2.x or older"),
    (request("/socket.io/?EIO=2&transport=polling&t=1795441113812-0", FIREFOX), f"{_BROWSER} 1.x or older"),
    (request("/socket.io/?EIO=4&transport=polling&t=Q88cWEr", FIREFOX), f"{_BROWSER} 3.0 to 4.7"),
    (request("/socket.io/?EIO=4&transport=polling&t=Q88cWEr.0", FIREFOX), f"{_BROWSER} 3.0 to 4.7"),
    (request("/socket.io/?EIO=4&transport=polling&t=b05mm1i1", FIREFOX), f"{_BROWSER} 4.8 or later"),
    (request("/?user=1&EIO=4&transport=polling&t=b05mm1i1", FIREFOX), f"{_BROWSER} 4.8 or later"),
    (request("/?EIO=4&transport=polling&t=another", FIREFOX, "Origin: x"), f"{_BROWSER} 3.0 to 4.7"),
    (request("/?EIO=4&transport=polling&t=by-hand-12", FIREFOX), f"{_BROWSER} 3.0 or later"),
    (request(URL, *BROWSER_WS), f"{_BROWSER} 3.0 or later"),
    (request("/?EIO=3&transport=websocket", *BROWSER_WS), f"{_BROWSER} 2.x or older"),
    # and in Node
    (request("/?EIO=2&transport=polling&t=1795441113812-0", *NODE_XHR), f"{_NODE} 1.x or older"),
    (request("/?EIO=4&transport=polling&t=by-hand-12", *NODE_XHR), f"{_NODE} 3.0 or later"),
    (request(URL, *NODE), f"{_NODE} 3.0 or later"),
    (request("/?EIO=3&transport=websocket", *NODE), f"{_NODE} 2.x or older"),
    (request("/?token=1&EIO=4&transport=websocket", *NODE), f"{_NODE} 3.0 or later"),
    # what the JavaScript client would not send
    (request(URL, *NODE_WS, "Host: h"), "a client on Node's ws package"),
    (request("/?EIO=3&transport=websocket", *OLD_NODE_WS), "a client on Node's ws package"),
    (request("/?transport=websocket&EIO=4", *NODE), "a client on Node's ws package"),
    (request("/?EIO=4&transport=polling", FIREFOX), None),
    # Python
    (request("/?transport=websocket&EIO=4&t=1795441113.81", *WEBSOCKET_CLIENT), f"{_PYTHON} 5 or later"),
    (request(URL, *WEBSOCKET_CLIENT), "a client on Python's websocket-client package"),
    (request("/?transport=polling&EIO=4&t=1795441113.8", AIOHTTP), f"{_ASYNCIO} 5 or later"),
    (request("/?transport=websocket&EIO=3", AIOHTTP, "Upgrade: websocket"), f"{_ASYNCIO} 4 or older"),
    (request(URL, AIOHTTP, "Upgrade: websocket"), "a client on Python's aiohttp package"),
    (
        request(URL, "Upgrade: websocket", "User-Agent: Python/3.12 websockets/13.1"),
        "a client on Python's websockets package",
    ),
    # Java; what follows it is the JavaScript client in React Native, on the same package
    (request("/?EIO=4&transport=polling", *OKHTTP), f"{_JAVA} 2.0 or later"),
    (request("/?b64=1&t=Q88cWEr&EIO=3&transport=polling", *OKHTTP), f"{_JAVA} 1.x or older"),
    (request(URL, *OKHTTP, "Upgrade: websocket"), f"{_JAVA} 2.0 or later"),
    (request("/?EIO=3&transport=websocket", *OKHTTP, "Upgrade: websocket"), f"{_JAVA} 1.x or older"),
    (request("/?EIO=4&transport=polling&t=b05mm1i1", *OKHTTP), None),
    (request(URL, *OKHTTP, "Upgrade: websocket", "Origin: http://h"), "a client on okhttp"),
    # others
    (request("/?EIO=3&t=yVj93C6ShZ1&transport=polling", *GO), "googollee/go-socket.io (client)"),
    (request("/?EIO=4&transport=polling", *GO), None),
    (request("/socket.io/?EIO=4&transport=polling&t=1795441113", "Host: h"), "SocketIOClient (.NET) 2.2 or later"),
    (request("/?EIO=3&transport=polling&user=1&t=1795441113", "Host: h"), "SocketIOClient (.NET)"),
    (request("/?EIO=4&transport=polling&t=1795441113", "Host: h", "Accept: */*"), None),
    (request("/socket.io/?transport=polling&b64=1&EIO=4", SWIFT), "socket.io-client-swift 16.0 or later"),
    (request("/socket.io/?transport=polling&b64=1", SWIFT), "socket.io-client-swift older than 16.0"),
    (request(f"{URL}&t=1795441113", *WEBSOCKETPP), "socket.io-client-cpp 3.0 or later"),
    (request("/?EIO=3&transport=websocket&t=1795441113", *WEBSOCKETPP), "socket.io-client-cpp 2.x or older"),
    (request(URL, *WEBSOCKETPP), None),
    (request(URL, DART, "upgrade: websocket"), "socket_io_client (Dart) 2.0 or later"),
    (request("/?EIO=3&transport=websocket", DART, "upgrade: websocket"), "socket_io_client (Dart) 1.x or older"),
    (request("/?EIO=3&transport=polling", DART), "socket_io_client (Dart) 1.x or older"),
    (request("/?EIO=4&transport=polling", DART), "socket_io_client (Dart) 2.0 or later"),
    (request("/?EIO=4&transport=polling&t=1795441113", "accept: */*", "host: h"), "rust_socketio"),
    (request("/?EIO=3&transport=polling", *ARDUINO), _BOARD),
    (
        request("/socket.io/?transport=websocket", *ARDUINO, "Upgrade: websocket"),
        "a client without EIO on arduinoWebSockets, such as timum-viw/socket.io-client",
    ),
    (request(URL, "Host: h", "Upgrade: websocket", "User-Agent: TinyWebsockets Client"), "gilmaimon/ArduinoWebsockets"),
    (request(URL, *NODE_WS, "User-Agent: PostmanRuntime/7.43.0", "Host: h"), "Postman 7.43.0"),
    (request(URL, *NODE_WS, "User-Agent: Postman", "Host: h"), "Postman"),
    (request(URL, "User-Agent: Grafana k6/1.2.3", "Upgrade: websocket"), "k6 1.2.3"),
    (request("/socket.io/?EIO=4&transport=polling", "Host: h", "User-Agent: curl/8.5.0", "Accept: */*"), None),
]


def talks(handshake: RequestFacts, asked: str = "4", spoken: int = 4) -> Session:
    """A session of a client that joins as it should."""
    ledger = session(client(handshake), server(), asked=asked, spoken=spoken)
    ledger.upgraded = PacketRef(7, 0)
    ledger.namespaces["/"] = Namespace("/", connect=PacketRef(8, 0), connected=PacketRef(9, 0))
    return ledger


def pings(ledger: Session) -> Session:
    """The same with a ping of the client."""
    ledger.heartbeats.reversed.add(Beat(PacketRef(20, NS_PER_S), Side.CLIENT), NS_PER_S)
    return ledger


def _recovers(ledger: Session) -> Session:
    ledger.namespaces["/"].auth_keys = ("pid", "offset")
    return ledger


def _confirms_at_once(ledger: Session) -> Session:
    handshake = ledger.client.websocket_request or ledger.client.polling_request
    assert handshake is not None
    ledger.upgrades.append(UpgradeTry(handshake, first=PacketRef(7, 0), first_text=b"5"))
    return ledger


BOARD_WS = request(URL, *ARDUINO, "Upgrade: websocket")
# What sessions add to the requests.
SESSIONS: dict[str, tuple[Session, str]] = {
    "pings in revision 4 until 2.3.3": (pings(talks(BOARD_WS)), f"{_BOARD} older than 2.3.3"),
    "30 s without a ping in revision 4": (talks(BOARD_WS), f"{_BOARD} 2.3.3 or later"),
    "confirms what it did not probe": (_confirms_at_once(pings(talks(BOARD_WS))), f"{_BOARD} 2.3.0 or older"),
    "no library of Node pings in revision 4": (pings(talks(request(URL, *NODE))), "a client on Node's ws package"),
    "nor does one in a page": (pings(talks(request(URL, *BROWSER_WS))), "a page on the browser's own WebSocket"),
    "nor in Java": (pings(talks(request(URL, *OKHTTP, "Upgrade: websocket"))), "a client on okhttp"),
    "it may where the server answers in revision 4 unasked": (
        pings(talks(request("/?EIO=3&transport=websocket", *NODE), asked="3")),
        f"{_NODE} 2.x or older",
    ),
    "recovery came with 4.6": (_recovers(talks(request(URL, *NODE))), f"{_NODE} 4.6 or later"),
    "recovery came with 4.6, in a page": (_recovers(talks(request(URL, *BROWSER_WS))), f"{_BROWSER} 4.6 or later"),
    "recovery, with the time of 4.7": (
        _recovers(talks(request("/?EIO=4&transport=polling&t=Q88cWEr", *NODE_XHR))),
        f"{_NODE} 4.6 to 4.7",
    ),
    "recovery, with the time of 4.7, in a page": (
        _recovers(talks(request("/?EIO=4&transport=polling&t=Q88cWEr", FIREFOX))),
        f"{_BROWSER} 4.6 to 4.7",
    ),
}

# ---------------------------------------------------------------- answers of servers

NODE_KEYS = "sid,upgrades,pingInterval,pingTimeout"
NODE_PAYLOAD = f"{NODE_KEYS},maxPayload"
PYTHON_KEYS = "sid,upgrades,pingTimeout,pingInterval"
SID = "R5o4c1JbKfGu73ukAAAA"
UUID = "0d5c1d2e-0a4b-4d43-9a7e-6b1f0c6a2f11"
COOKIE = f"io={SID}; Path=/; HttpOnly"
BROWSER = client(request("/socket.io/?EIO=4&transport=polling", "Host: h"))
OLD = open_packet(NODE_KEYS, SID)
WITH_PAYLOAD = open_packet(NODE_PAYLOAD, SID, payload=1_000_000)
# How Node sends an answer whose length was not given.
NODE_JSON = "Content-Type,Date,Connection,Keep-Alive,Transfer-Encoding"


@dataclass(frozen=True)
class Answers:
    """What a server shows: its open packet and marks, and one session that it opened."""

    peer: Server
    expected: str | None
    asked: str | None = "4"
    spoken: int | None = 4
    why: str = ""
    change: Callable[[Session], None] = field(default=lambda ledger: None)

    def session(self) -> Session:
        """The session, in which the client asked for one revision and the server speaks another."""
        ledger = session(BROWSER, self.peer, asked=self.asked, spoken=self.spoken)
        ledger.handshake = self.peer.handshake
        self.change(ledger)
        return ledger


def _refuses(method: str, status: int, overlaps: bool) -> Callable[[Session], None]:
    def change(ledger: Session) -> None:
        asked = request("/socket.io/?EIO=4&transport=polling&sid=x", "Host: h")
        asked.method = method
        place = PacketRef(12, 0)
        answered = AnswerFacts(
            place, status, "1.1", ("Date",), server=None, via=None, location=None, content_type=None, connection=None,
            upgrade=None, subprotocol=None, cookies=(), last=True,
        )  # fmt: skip
        earlier = PacketRef(10, 0) if overlaps else None
        refused = RefusedRequest(asked, answered, place, place, status, None, POLLING, False, 0, earlier)
        ledger.refusals.add(refused, 0)

    return change


def _without_pongs(ledger: Session) -> None:
    """A ping at 1 s, no pong, and the server still talks at 28 s."""
    ledger.heartbeats.pending = Beat(PacketRef(20, NS_PER_S), Side.SERVER)
    ledger.last_from[Side.SERVER] = PacketRef(90, 28 * NS_PER_S)


def _asks_back(ledger: Session) -> None:
    ledger.namespaces["/"] = Namespace("/", auth_keys=("pid", "offset"))


def _asks_back_without_pongs(ledger: Session) -> None:
    _without_pongs(ledger)
    _asks_back(ledger)


def _event_too_early(ledger: Session) -> None:
    """An event at 2 s on a namespace that was not joined, and the server closes in the same millisecond."""
    place = PacketRef(30, 2 * NS_PER_S)
    ledger.namespaces["/chat"] = Namespace("/chat")
    ledger.namespaces["/chat"].early_events.add(place, place.ts_ns)
    ledger.closing = Closing(Side.SERVER, CloseHow.WS_CLOSE, PacketRef(31, place.ts_ns))


def _sid_is_socket_id(ledger: Session) -> None:
    ledger.sid = UUID
    ledger.namespaces["/"] = Namespace("/", socket_id=UUID)


_NO_STORE = "no-store"
_UNKNOWN_NODE = {"error_style": "node", "refusal_headers": NODE_JSON}
_DEFAULT, _THREE, _OLDEST = (25000, 20000), (25000, 5000), (25000, 60000)
_QUICK = (1000, 4000)


def _node(*timings: int, **marks: str) -> Server:
    return server(open_packet(NODE_KEYS, SID, *timings), **marks)


ANSWERS: list[Answers] = [
    # Node: maxPayload from 4.5 on, no-store from 4.7 on, whatever the revision
    Answers(server(WITH_PAYLOAD, cache_control=_NO_STORE, post_ok="ok"), "socket.io 4.7 or later"),
    Answers(server(WITH_PAYLOAD, post_ok="ok"), "socket.io 4.5 to 4.7", why="answers over HTTP, without no-store"),
    Answers(server(WITH_PAYLOAD), "socket.io 4.5 or later"),
    Answers(server(WITH_PAYLOAD), "socket.io 4.5 or later", "3", 3),
    # without it: the default timings, if they are the defaults
    Answers(_node(*_THREE), "socket.io 3.0 to 3.1"),
    Answers(_node(*_DEFAULT), "socket.io 4.0 to 4.4"),
    Answers(_node(10000, 5000), "socket.io 3.0 to 4.4"),
    Answers(_node(*_OLDEST), "socket.io 3.0 to 4.4"),
    # what it does with a client of revision 3, or of none
    Answers(server(OLD), "socket.io 3.0", "3", 4),
    Answers(server(OLD), "socket.io 3.0 to 3.1", None, 4),
    Answers(server(OLD), "socket.io 4.4 or older", "3", 3),
    # it ignores what the client asks for: no server of 3.1 or later does
    Answers(_node(*_QUICK), "socket.io 2.x or older", "4", 3),
    Answers(_node(*_OLDEST), "socket.io 2.x or older", "4", 3),
    Answers(_node(*_THREE), "socket.io 2.1 to 2.4", "4", 3),
    Answers(_node(*_DEFAULT), "socket.io 2.5", "4", 3),
    # the cookie of old versions
    Answers(_node(*_THREE, set_cookie=COOKIE), "socket.io 2.1 to 2.4", "3", 3),
    Answers(_node(*_DEFAULT, set_cookie=COOKIE), "socket.io 2.5", "3", 3),
    Answers(_node(*_QUICK, set_cookie=COOKIE), "socket.io 2.3 or older", "3", 3),
    Answers(_node(*_OLDEST, set_cookie=COOKIE), "socket.io 2.3 or older", "3", 3),
    Answers(_node(*_QUICK, set_cookie=f"{COOKIE}; SameSite=Strict"), "socket.io 2.3 to 2.5", "3", 3),
    Answers(server(OLD, set_cookie=f"{COOKIE}; SameSite=Lax"), "socket.io 4.4 or older", "3", 3),  # 4.x told to
    # what it does in a session
    Answers(server(WITH_PAYLOAD), "socket.io 4.6 or later", why="recovers", change=_asks_back),
    Answers(server(WITH_PAYLOAD, post_ok="ok"), "socket.io 4.6 to 4.7", why="recovers over HTTP", change=_asks_back),
    Answers(
        server(WITH_PAYLOAD), "socket.io 4.6 to 4.7", why="recovers, outlives a pong", change=_asks_back_without_pongs
    ),
    Answers(server(WITH_PAYLOAD), "socket.io 4.5 to 4.7", why="outlives a pong", change=_without_pongs),
    Answers(
        server(WITH_PAYLOAD, cache_control=_NO_STORE), "socket.io 4.7", why="outlives a pong", change=_without_pongs
    ),
    Answers(server(WITH_PAYLOAD), "socket.io 4.5 to 4.6", why="overlap 500", change=_refuses("GET", 500, True)),
    Answers(server(WITH_PAYLOAD), "socket.io 4.6 or later", why="overlap 400", change=_refuses("GET", 400, True)),
    Answers(
        server(WITH_PAYLOAD, post_ok="ok"),
        "socket.io 4.6 to 4.7",
        why="overlap 400, without no-store",
        change=_refuses("GET", 400, True),
    ),
    Answers(
        server(None, **_UNKNOWN_NODE), "socket.io 4.5 or later", "4", None, "413", _refuses("POST", 413, False)
    ),
    Answers(
        server(None, **_UNKNOWN_NODE), "socket.io 4.5 or later", "4", None, "closes at unjoined", _event_too_early
    ),
    # Node, on another HTTP server
    Answers(server(WITH_PAYLOAD, uwebsockets="20"), "socket.io (uWebSockets.js) 4.5 or later"),
    Answers(server(OLD, uwebsockets="20"), "socket.io (uWebSockets.js) 4.4 or later"),
    Answers(server(WITH_PAYLOAD, uwebsockets="20"), "socket.io (uWebSockets.js) 4.6 or later", change=_asks_back),
    # before Engine.IO
    Answers(server(None, sid_09=SID), "socket.io 0.9 or older", None, None),
    # Python: the order of the keys, and which revision it takes
    Answers(server(open_packet(f"{PYTHON_KEYS},maxPayload", SID, payload=1_000_000)), "python-socketio 5 or later"),
    Answers(server(open_packet(PYTHON_KEYS, SID, *_THREE)), "python-socketio 5.0 to 5.1"),
    Answers(server(open_packet(PYTHON_KEYS, SID)), "python-socketio 5.0 to 5.11", "4", None),
    Answers(server(open_packet(PYTHON_KEYS, "0d5c1d2e0a4b4d439a7e6b1f0c6a2f11")), "python-socketio 4 or older", "3", 3),
    Answers(server(None, error_style="python"), "python-socketio 5 or later", "4", 4),
    # ports that copy the keys of Node, but not its sid
    Answers(server(open_packet(NODE_KEYS, UUID, *_OLDEST), server="netty-socketio/2.0.9"), "netty-socketio 2.0.9"),
    Answers(server(open_packet(NODE_KEYS, UUID, *_OLDEST), server="netty-socketio"), "netty-socketio"),
    Answers(
        server(open_packet(NODE_KEYS, UUID, *_OLDEST)), "netty-socketio 2.0 or later", change=_sid_is_socket_id
    ),
    Answers(server(open_packet(NODE_PAYLOAD, "AA9AAA0AAzAAAAHs", payload=100_000)), "socketioxide"),
    Answers(server(open_packet(NODE_KEYS, "1x", 20000, 60000)), "googollee/go-socket.io", "3", 3),
    # nobody that is known
    Answers(server(open_packet(NODE_KEYS, UUID, *_OLDEST)), None),
    Answers(server(open_packet("sid,pingInterval,pingTimeout,upgrades", SID)), None),
    Answers(server(open_packet(f"{NODE_KEYS},region", SID)), None, why="an unknown field"),
    Answers(server(None, server="nginx/1.24.0"), None),
]  # fmt: skip

PYTHON_TEXT = "The client is using an unsupported version of the Socket.IO or Engine.IO protocols"
BARE = "Connection,Content-type,Content-Length"


@dataclass(frozen=True)
class Refusal:
    """What a server answers to a handshake that it refuses."""

    eio: str
    outcome: Outcome
    error: ServerError | None
    headers: str
    expected: str | None
    body: bytes = b""

    def peers(self) -> tuple[Server, Client]:
        """The server, and the client that it refused."""
        handshake = request(f"/socket.io/?EIO={self.eio}&transport=polling", "Host: h")
        peer = client(handshake)
        attempt = Attempt(handshake, self.outcome, 400, self.error, self.body, answer=PacketRef(5, 0))
        group: Tally[Attempt] = Tally()
        group.add(attempt, 0)
        peer.attempts[attempt.signature()] = group
        marks = {"refusal-headers": self.headers}
        if self.error is not None:
            marks["error-style"] = self.error.style
        return Server(peer.server, marks=marks), peer


def _by(style: str, code: int | None, text: str) -> ServerError:
    return ServerError(code, text, style)


_REFUSED, _AFTER_101 = Outcome.REFUSED, Outcome.REFUSED_AFTER_101
REFUSALS: list[Refusal] = [
    Refusal("3", _REFUSED, _by("node", 5, "Unsupported protocol version"), NODE_JSON, "socket.io 3.1 or later"),
    Refusal("4", _REFUSED, _by("node", 4, "Forbidden"), NODE_JSON, "socket.io 2.0 or later"),
    Refusal("4", _REFUSED, _by("node", 0, "Transport unknown"), NODE_JSON, "socket.io"),
    Refusal("4", _REFUSED, _by("node", 0, "Transport unknown"), "content-type,content-length", None),
    Refusal("3", _AFTER_101, _by("text", None, "Unsupported protocol version"), BARE, "socket.io 4.0 or later"),
    Refusal("3", _AFTER_101, _by("text", None, "Unsupported protocol version"), "", "socket.io 4.0 or later"),
    Refusal("4", _REFUSED, _by("text", None, "no"), BARE, "socket.io"),
    Refusal("3", _REFUSED, _by("python", None, PYTHON_TEXT), "Content-Type", "python-socketio 5 or later"),
    Refusal("3", _REFUSED, _by("text", None, PYTHON_TEXT), "Content-Type", "python-socketio 5 or later"),
    Refusal("4", _REFUSED, _by("python", None, PYTHON_TEXT), "Content-Type", "python-socketio 4 or older"),
    Refusal("4", _REFUSED, _by("python", None, "Invalid transport"), "Content-Type", "python-socketio"),
    Refusal("4", _REFUSED, _by("socketioxide", 1, "Session ID unknown"), "content-length", "socketioxide"),
    Refusal("3", _REFUSED, _by("text", None, "invalid sid value: 1"), "Content-Type", "googollee/go-socket.io"),
    Refusal("3", _REFUSED, _by("text", None, "invalid transport: flash"), "Content-Type", "googollee/go-socket.io"),
    Refusal("4", _REFUSED, _by("text", None, "Bad Gateway"), "Server,Date,Content-Type", None),
    Refusal("4", Outcome.FOREIGN, None, "", "socket.io 0.9 or older", b"Welcome to socket.io."),
]  # fmt: skip
