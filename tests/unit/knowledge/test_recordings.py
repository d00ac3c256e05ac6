"""Who is recognised on recordings of real peers: never somebody else, never a version that it is not."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from eiosniff.model.peers import Identity
from tests.cases import RECORDED, recordings
from tests.unit.knowledge.bounds import contains
from tests.unit.knowledge.peers import identified

# What the indices call a client, and what eiosniff should call it (None: it has nothing of its own on the wire).
CLIENTS = {
    "arduinoWebSockets": "arduinoWebSockets",
    "gilmaimon/ArduinoWebsockets": "gilmaimon-ArduinoWebsockets",
    "googollee/go-socket.io (client)": "go-socket.io-client",
    "socket.io-client-cpp": "socket.io-client-cpp",
    "socket.io-client-java": "socket.io-client-java",
    "curl": None,
    "engine.io-client": "socket.io-client-js-node",
    "node:net": "arduinoWebSockets",  # by hand over TCP, as that library does it, User-Agent and all
    "openssl s_client": None,
    "node:http": None,  # a client by hand over HTTP: two headers that anybody sends
    "TCP": None,  # one over TCP, that says no more than it must
    "python-socketio": "python-socketio-client",
    "requests": None,  # a client by hand, whose User-Agent that of python-socketio is, too
    "socket.io-client": "socket.io-client-js-node",
    "socket.io-client in Chromium": "socket.io-client-js-browser",
    "WebSocket in Chromium": "socket.io-client-js-browser",  # a page by hand: its requests are the browser's, too
    "ws": "websocket-package",  # a client by hand over WebSocket
    "ws with the header of arduinoWebSockets": "arduinoWebSockets",
}
SERVERS = {
    "Caddy": None,
    "Flask-SocketIO": "python-socketio",
    "engine.io": "socket.io",
    "googollee/go-socket.io": "go-socket.io",
    "http-proxy-middleware": None,
    "netty-socketio": "netty-socketio",
    "nginx": None,
    "node:http": None,  # no Engine.IO
    "none": None,
    "python-engineio": "python-socketio",
    "python-socketio": "python-socketio",
    "socket.io": "socket.io",
    "vite": None,
    "ws": None,  # no Engine.IO
}
# What is told of it is the version of python-socketio.
OTHER_VERSIONS = ("Flask-SocketIO",)
# socket.io takes the versions of engine.io that were released with it.
SOCKETIO_OF_ENGINEIO = {"0.4": "", "3.5": "2.4", "3.6": "2.5", "6.6": "4.8"}

# Of recordings that lack a part, perhaps what tells the peers.
PARTS = ("damaged-", "late-")
_BEHIND_NGINX = "nginx writes the headers of the upgrade anew"
_IN_TLS = "it does not come to ask, or it asks in TLS"
_BEFORE_SOCKETIO = "engine.io before socket.io 1.0 has no mark of its own"
_PREFLIGHT_ONLY = "it never sends its handshake"
UNKNOWN_CLIENTS = {
    "engine--engine-0.4.3--engine-0.4.3--polling": _BEFORE_SOCKETIO,
    "engine--engine-0.4.3--engine-0.4.3--upgrade": _BEFORE_SOCKETIO,
    "engine--engine-0.4.3--engine-0.4.3--websocket": _BEFORE_SOCKETIO,
    "capture-one-direction-server-only": "its requests were not captured",
    "capture-snaplen-96": "no request is whole",
    "capture-starts-midstream-after-handshake": "its request came before",
    "capture-starts-midstream-in-session": "its request came before",
    "cors-bad-combination-preflight-header-not-allowed": _PREFLIGHT_ONLY,
    "cors-bad-combination-preflight-nginx-401": _PREFLIGHT_ONLY,
    "cors-bad-combination-preflight-v2-server": _PREFLIGHT_ONLY,
    "cors-bad-combination-preflight-v4-server": _PREFLIGHT_ONLY,
    "heartbeat-vs-proxy-nginx-server-hop": _BEHIND_NGINX,
    "idle-cut-haproxy-client-and-server-5s-server-hop": "haproxy writes header names in small letters",
    "poll-cached-nginx-no-timestamp": "it has no time stamp, and what it posts is not looked at",
    "nginx-brotli-client-hop": "it is `fetch` of Node, whose headers others send too",
    "no-engineio-websocket-chat": "it sends no request of Engine.IO",
    "old--node-1.0.6--node-1.0.6--websocket": "its ws package of 2014 has headers of its own",
    "pong-missing-behind-nginx-network-gone-server-hop": _BEHIND_NGINX,
    "pong-missing-behind-nginx-server-hop": _BEHIND_NGINX,
    "scheme-mismatch-https-at-node-http": _IN_TLS,
    "scheme-mismatch-wss-at-aiohttp": _IN_TLS,
    "squid-client-hop-refused": "the proxy did not let it ask",
    "squid-tls-client-hop": "it asks in TLS",
    "upgrade-headers-stripped-nginx-python5-server-websocket-only-inside": "nginx changes its headers",
    "upgrade-headers-stripped-nginx-v4-server-websocket-only-inside": "nginx changes its headers",
    "token-in-url-behind-nginx": _BEHIND_NGINX,
    "tcp-refused-nobody-listens": "it sends no request at all",
    "tcp-refused-syn-unanswered": "it sends no request at all",
    "tls-failure-node-client-gives-up": _IN_TLS,
    "tls-failure-python-client-tls-1.2": _IN_TLS,
    "tls-failure-python-client-tls-1.3": _IN_TLS,
}
_ELSEWHERE = "something else answers, or nothing: it is under another path"
_ITS_PROXY = "the proxy in front of it answers"
_ITS_HTTP = "only what reads HTTP answers"
_TO_NOBODY = "an answer without a body, or to no handshake, is anybody's"
UNKNOWN_SERVERS = {
    "cors-bad-combination-preflight-header-not-allowed": _TO_NOBODY,
    "cors-bad-combination-preflight-nginx-401": _ITS_PROXY,
    "cors-bad-combination-preflight-v2-server": _TO_NOBODY,
    "cors-bad-combination-preflight-v4-server": _TO_NOBODY,
    "Caddy": None,
    "cpp-2--socket.io-3.1": "it says nothing but 101",
    "js-0.9--googollee": "it has a text for each handshake that it does not take",
    "js-0.9--netty-1.7": "it answers 400, and nothing else",
    "js-0.9--netty-2.0": "it answers 400, and nothing else",
    "capture-one-direction-client-only": "its answers were not captured",
    "capture-snaplen-96": "no answer is whole",
    "capture-starts-midstream-in-session": "its open packet came before",
    "double-upgrade-handler-ws-with-a-path-websocket-only": "the other handler speaks before it does",
    "eio-unsupported-ws-v2-client-v3.1-server-silent": "it says nothing but 101",
    "eio-unsupported-ws-v2-client-v3.1-server-silent-retries": "it says nothing but 101",
    "gateway-5xx-apache-502-timeout": _ITS_PROXY,
    "gateway-5xx-haproxy-504": _ITS_PROXY,
    "gateway-5xx-nginx-504": _ITS_PROXY,
    "handshake-forbidden-asgi-websocket": _ELSEWHERE,
    "handshake-forbidden-nginx-403-websocket": _ITS_PROXY,
    "handshake-forbidden-nginx-basic-auth": _ITS_PROXY,
    "handshake-method-head-probe": _TO_NOBODY,
    "handshake-method-health-check": _TO_NOBODY,
    "handshake-redirect-slash-websocket": _ITS_PROXY,
    "server-silent-stopped": "it says nothing",
    "server-silent-stopped-python-client": "it says nothing",
    "sid-unknown-insists-python5-server": "it says nothing but 400",
    "sid-unknown-insists-v4-server": "it says nothing but 400",
    "http-malformed-control-character-python5-server": _ITS_HTTP,
    "http-malformed-control-character-v4-server": _ITS_HTTP,
    "http-malformed-cookie-too-large-nginx": _ITS_PROXY,
    "http-malformed-header-too-large-v4-server": _ITS_HTTP,
    "http-malformed-lf-only-v4-server": _ITS_HTTP,
    "scheme-mismatch-http-at-node-https": _IN_TLS,
    "scheme-mismatch-https-at-node-http": _IN_TLS,
    "scheme-mismatch-wss-at-aiohttp": _IN_TLS,
    "squid-client-hop-refused": "it was not asked",
    "squid-tls-client-hop": "it answers in TLS",
    "tls-failure-node-client-gives-up": _IN_TLS,
    "tls-failure-python-client-tls-1.2": _IN_TLS,
    "tls-failure-python-client-tls-1.3": _IN_TLS,
    "tls-failure-tls-1.0-client": _IN_TLS,
    "upgrade-headers-stripped-nginx-v4-server-websocket-only-inside": "it says nothing but 400",
    "upgrade-rejected-nginx-426-websocket-only": _ITS_PROXY,
    "v4-client-sio09-server-websocket": "it says nothing, and hangs up",
    "wrong-path-asgi-polling": _ELSEWHERE,
    "wrong-path-express-404": _ELSEWHERE,
    "wrong-path-namespace-as-path": _ELSEWHERE,
    "wrong-path-nginx-rewrites": _ELSEWHERE,
    "wrong-path-no-handshake": _ELSEWHERE,
    "wrong-path-no-slash-polling": _ELSEWHERE,
    "wrong-path-no-slash-websocket": _ELSEWHERE,
    "wrong-path-python5-server": _ELSEWHERE,
    "wrong-path-websocket-fin-after-1s": _ELSEWHERE,
}


# What can be read of these takes keys, tshark or another reader, or is no Engine.IO; behind what makes HTTP/2 the
# headers are not those of the library. Each has tests of its own.
OTHERS = ("decrypted", "decrypted_tshark", "har", "http2", "opaque", "tls", "undecrypted", "webtransport")


def _entries() -> list[dict[str, Any]]:
    indices = [index.stem for index in sorted(RECORDED.glob("*.toml")) if index.stem not in OTHERS]
    entries = [entry for index in indices for entry in recordings(index) if entry.get("readable", True)]
    return [entry for entry in entries if "client" in entry and "server" in entry]


def _truth(peer: dict[str, str], names: dict[str, str | None]) -> tuple[str | None, str]:
    """The id that eiosniff should find, and the version, empty where there is none."""
    name, _, pinned = peer["library"].partition("@")
    name += f" in {peer['runs_in']}" if "runs_in" in peer else ""
    version = peer["version"] if re.fullmatch(r"\d+(\.\d+)*", peer["version"]) else ""
    if name.startswith("engine.io"):
        version = SOCKETIO_OF_ENGINEIO[".".join(version.split(".")[:2])]
    if name in OTHER_VERSIONS:
        version = ""
    return names[name], "" if pinned else version


def _hold(found: Iterable[Identity | None], truth: tuple[str | None, str], unknown: str | None, whole: bool) -> None:
    library, version = truth
    known = [identity for identity in found if identity is not None]
    for identity in known:
        assert identity.library == library
        if version:
            assert contains(identity.version, version), f"{identity} is not {version}"
    if whole:
        expected = library is not None and unknown is None
        assert bool(known) == expected, unknown or "not recognised"


def _of_scripts(stem: str) -> str | None:
    return "a script that is loaded and a form that is posted are the browser's" if stem.startswith("jsonp--") else None


@pytest.mark.parametrize("entry", _entries(), ids=lambda entry: Path(entry["file"]).stem)
def test_peers_are_who_they_are(entry: dict[str, Any]) -> None:
    ledgers, stem = identified(entry["path"]), entry["path"].stem
    whole = not stem.startswith(PARTS)
    clients = (client.identity for client in ledgers.clients.values())
    _hold(clients, _truth(entry["client"], CLIENTS), UNKNOWN_CLIENTS.get(stem) or _of_scripts(stem), whole)
    servers = (server.identity for server in ledgers.servers.values())
    _hold(servers, _truth(entry["server"], SERVERS), UNKNOWN_SERVERS.get(stem), whole)


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("client-ping-in-eio4-v4-server", "it pings in revision 4"),
        ("engineio-syntax-type-x-v4-server", "it sends a type that there is not"),
        ("event-before-connect-with-connect", "it sends events too early"),
        ("no-connect-packet-v4-server-3s", "it does not ask to join"),
        ("plain-websocket-client-json-v4-server", "it sends plain JSON"),
        ("eio3-no-client-ping-raw-v2-server", "it does not ping in revision 3"),
    ],
)
def test_a_client_by_hand_is_called_by_its_package(stem: str, name: str) -> None:
    [client] = identified(RECORDED / "faulty" / f"{stem}.pcap").clients.values()
    assert client.identity is not None
    assert client.identity.name == "a client on Node's ws package", name
