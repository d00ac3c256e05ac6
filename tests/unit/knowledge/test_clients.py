"""Clients by what they send: as documented by their sources, where there is no recording of them."""

import pytest

from eiosniff.knowledge import identify_client
from eiosniff.model.attempt import RequestFacts
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Beat, Namespace, Session
from eiosniff.model.tally import NS_PER_S
from tests.unit.knowledge.peers import client, request, server, session

NODE_WS = ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: x", "Connection: Upgrade", "Upgrade: websocket")
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
NODE = (*NODE_WS, DEFLATE, "Host: h:3000")
FIREFOX = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
BROWSER_WS = (FIREFOX, "Sec-WebSocket-Version: 13", "Origin: http://h", DEFLATE, "Upgrade: websocket")
OKHTTP = ("Host: h", "Connection: Keep-Alive", "Accept-Encoding: gzip", "User-Agent: okhttp/4.12.0")
WEBSOCKET_CLIENT = (
    "Upgrade: websocket", "Host: h", "Origin: http://h", "Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 13",
    "Connection: Upgrade",
)  # fmt: skip
AIOHTTP = "User-Agent: Python/3.12 aiohttp/3.14.5"
DART = "user-agent: Dart/3.5 (dart:io)"
SWIFT = "User-Agent: App/1 CFNetwork/1490.0.4 Darwin/23.2.0"
URL = "/socket.io/?EIO=4&transport=websocket"


@pytest.mark.parametrize(
    ("handshake", "expected"),
    [
        # the JavaScript client in a browser
        (request("/socket.io/?EIO=3&transport=polling&t=Q88cWEr", FIREFOX), "socket.io-client (browser) 2.x or older"),
        (request("/socket.io/?EIO=2&transport=polling&t=Q88cWEr", FIREFOX), "socket.io-client (browser) 1.x or older"),
        (request("/socket.io/?EIO=4&transport=polling&t=Q88cWEr", FIREFOX), "socket.io-client (browser) 3.0 to 4.7"),
        (request("/socket.io/?EIO=4&transport=polling&t=Q88cWEr.0", FIREFOX), "socket.io-client (browser) 3.0 to 4.7"),
        (request("/socket.io/?EIO=4&transport=polling&t=b05mm1i1", FIREFOX), "socket.io-client (browser) 4.8 or later"),
        (request("/?user=1&EIO=4&transport=polling&t=b05mm1i1", FIREFOX), "socket.io-client (browser) 4.8 or later"),
        (request(URL, *BROWSER_WS), "socket.io-client (browser) 3.0 or later"),
        # and in Node
        (request(URL, *NODE), "socket.io-client (Node) 3.0 or later"),
        (request("/?EIO=3&transport=websocket", *NODE), "socket.io-client (Node) 2.x or older"),
        (request("/?token=1&EIO=4&transport=websocket", *NODE), "socket.io-client (Node) 3.0 or later"),
        # what the JavaScript client would not send
        (request(URL, *NODE_WS, "Host: h"), "a client on Node's ws package"),
        (request("/?transport=websocket&EIO=4", *NODE), "a client on Node's ws package"),
        (request("/?EIO=4&transport=polling", FIREFOX), None),
        # Python
        (
            request("/?transport=websocket&EIO=4&t=1795441113.81", *WEBSOCKET_CLIENT),
            "python-socketio (client) 5 or later",
        ),
        (request(URL, *WEBSOCKET_CLIENT), "a client on Python's websocket-client package"),
        (request("/?transport=polling&EIO=4&t=1795441113.8", AIOHTTP), "python-socketio (asyncio client) 5 or later"),
        (
            request("/?transport=websocket&EIO=3", AIOHTTP, "Upgrade: websocket"),
            "python-socketio (asyncio client) 4 or older",
        ),
        (request(URL, AIOHTTP, "Upgrade: websocket"), "a client on Python's aiohttp package"),
        (
            request(URL, "Upgrade: websocket", "User-Agent: Python/3.12 websockets/13.1"),
            "a client on Python's websockets package",
        ),
        # others
        (request("/?t=Q88cWEr&EIO=4&transport=polling", *OKHTTP), "socket.io-client-java 2.0 or later"),
        (request("/?t=Q88cWEr&EIO=3&transport=polling", *OKHTTP), "socket.io-client-java 1.x or older"),
        (request("/?EIO=4&transport=polling&t=b05mm1i1", *OKHTTP), None),  # the JavaScript client in React Native
        (request(URL, *OKHTTP, "Upgrade: websocket"), "a client on okhttp"),
        (request("/socket.io/?transport=polling&b64=1&EIO=4", SWIFT), "socket.io-client-swift 16.0 or later"),
        (request("/socket.io/?transport=polling&b64=1", SWIFT), "socket.io-client-swift older than 16.0"),
        (
            request(f"{URL}&t=1795441113", "User-Agent: WebSocket++/0.8.2", "Upgrade: websocket"),
            "socket.io-client-cpp 3.0 or later",
        ),
        (request(URL, "User-Agent: WebSocket++/0.8.2", "Upgrade: websocket"), None),
        (request(URL, DART, "upgrade: websocket"), "socket_io_client (Dart) 2.0 or later"),
        (request("/?EIO=3&transport=polling", DART), "socket_io_client (Dart) 1.x or older"),
        (request("/?EIO=4&transport=polling&t=1795441113", "accept: */*", "host: h"), "rust_socketio"),
        (
            request("/?EIO=3&transport=polling", "Host: h:80", "User-Agent: arduino-WebSocket-Client"),
            "arduinoWebSockets",
        ),
        (
            request(URL, "Host: h", "Upgrade: websocket", "User-Agent: TinyWebsockets Client"),
            "gilmaimon/ArduinoWebsockets",
        ),
        (request(URL, *NODE_WS, "User-Agent: PostmanRuntime/7.43", "Host: h"), "Postman"),
        (request("/socket.io/?EIO=4&transport=polling", "Host: h", "User-Agent: curl/8.5.0", "Accept: */*"), None),
    ],
    ids=lambda value: value.target if isinstance(value, RequestFacts) else value or "nobody",
)
def test_named_by_its_handshake(handshake: RequestFacts, expected: str | None) -> None:
    identity = identify_client(client(handshake), [])
    assert (str(identity) if identity else None) == expected


def _talks(handshake: RequestFacts, asked: str = "4", spoken: int = 4) -> Session:
    """A session of a client that joins as it should."""
    ledger = session(client(handshake), server(), asked=asked, spoken=spoken)
    ledger.upgraded = PacketRef(7, 0)
    ledger.namespaces["/"] = Namespace("/", connect=PacketRef(8, 0), connected=PacketRef(9, 0))
    return ledger


def _ping(ledger: Session) -> Session:
    ledger.heartbeats.reversed.add(Beat(PacketRef(20, NS_PER_S), Side.CLIENT), NS_PER_S)
    return ledger


def test_arduino_that_pings_in_revision_4_is_older_than_the_mended_version() -> None:
    handshake = request(URL, "User-Agent: arduino-WebSocket-Client", "Upgrade: websocket")
    ledger = _ping(_talks(handshake))
    assert str(identify_client(ledger.client, [ledger])) == "arduinoWebSockets older than 2.3.3"


def test_what_looks_like_the_library_and_pings_in_revision_4_is_not_it() -> None:
    good, bad = _talks(request(URL, *NODE)), _ping(_talks(request(URL, *NODE)))
    assert str(identify_client(good.client, [good])) == "socket.io-client (Node) 3.0 or later"
    assert str(identify_client(bad.client, [bad])) == "a client on Node's ws package"
    page = _ping(_talks(request(URL, *BROWSER_WS)))
    assert str(identify_client(page.client, [page])) == "a page on the browser's own WebSocket"


def test_an_old_client_may_ping_a_server_that_answers_in_revision_4_unasked() -> None:
    ledger = _ping(_talks(request("/?EIO=3&transport=websocket", *NODE), asked="3"))
    assert str(identify_client(ledger.client, [ledger])) == "socket.io-client (Node) 2.x or older"


@pytest.mark.parametrize("lack", ["gap", "beginning"])
def test_nobody_is_accused_where_the_capture_lacks_something(lack: str) -> None:
    ledger = _talks(request(URL, *NODE))
    ledger.namespaces.clear()
    if lack == "gap":
        ledger.gaps.append(7)
    else:
        ledger.midstream = True
    assert str(identify_client(ledger.client, [ledger])) == "socket.io-client (Node) 3.0 or later"


def test_a_client_of_engineio_alone_need_not_join() -> None:
    ledger = _talks(request("/engine.io/?EIO=4&transport=websocket", *NODE))
    ledger.path = "/engine.io/"
    ledger.namespaces.clear()
    assert str(identify_client(ledger.client, [ledger])) == "socket.io-client (Node) 3.0 or later"


def test_recovery_came_with_4_6() -> None:
    ledger = _talks(request(URL, *NODE))
    ledger.namespaces["/"].auth_keys = ("pid", "offset")
    assert str(identify_client(ledger.client, [ledger])) == "socket.io-client (Node) 4.6 or later"
