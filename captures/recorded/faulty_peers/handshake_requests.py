# SPDX-License-Identifier: GPL-2.0-or-later
"""Handshakes whose request a server does not take: for its transport, or for its method."""

from __future__ import annotations

from faulty_peers.peers import CLIENT_2, CLIENT_4, CURL, PYTHON_5, RAW_POLLING, RAW_WS, SERVER_2, SERVER_4, SERVER_4_7
from faulty_peers.plans import (
    POLLING_ONLY,
    RETRIES,
    RETRIES_WEBSOCKET,
    TALKS,
    URL,
    WEBSOCKET_ONLY,
    WS_URL,
    asks_by_hand,
)
from faulty_peers.plays import curl
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import ASKS_POLLING, ASKS_WEBSOCKET, answers, asks, posts, server_says

TRANSPORT_UNKNOWN = Rule("transport-unknown", "EIO203")
DUPLICATED = Rule("transport-duplicated", "EIO007")
DISABLED = Rule("transport-disabled", "EIO008")
METHOD = Rule("handshake-method", "EIO009")
_FLASH = "EIO=4&transport=flashsocket"
_NO_TRANSPORT = "without transport="
_OLD_TRANSPORT = "for a transport of Socket.IO 0.9"

_TRANSPORT_UNKNOWN = [
    *[
        Recording(
            TRANSPORT_UNKNOWN,
            name,
            server,
            RAW_POLLING,
            f"A hand-written handshake {how}: refused with 400.",
            [asks(f"/socket.io/?{query}"), answers(400, text)],
            visit=asks_by_hand(["get", query]),
        )
        for name, query, how, server, text in (
            ("missing-v4-server", "EIO=4", _NO_TRANSPORT, SERVER_4, "Transport unknown"),
            ("flashsocket-v4-server", _FLASH, _OLD_TRANSPORT, SERVER_4, "Transport unknown"),
            ("flashsocket-python5-server", _FLASH, _OLD_TRANSPORT, PYTHON_5, "Invalid transport"),
        )
    ],
    Recording(
        TRANSPORT_UNKNOWN,
        "missing-python5-server",
        PYTHON_5,
        RAW_POLLING,
        "python-socketio takes a handshake without transport= for polling and serves it.",
        [asks("/socket.io/?EIO=4"), answers(200, "^0{")],
        lacks=[asks("transport=")],
        near_miss=True,
        visit=asks_by_hand(["get", "EIO=4"]),
    ),
    Recording(
        TRANSPORT_UNKNOWN,
        "known-but-disabled",
        SERVER_4,
        CLIENT_4,
        "transport=websocket is a known name; this server only has it switched off: code 0 as for"
        " an unknown one (that is transport-disabled).",
        [ASKS_WEBSOCKET, answers(400, "Transport unknown")],
        near_miss=True,
        serve={"options": POLLING_ONLY},
        visit={"url": URL, "options": WEBSOCKET_ONLY, "attempts": 2},
    ),
]

_TWO_TRANSPORTS = "EIO=4&transport=polling&transport=websocket"

_DUPLICATED = [
    Recording(
        DUPLICATED,
        "polling-v4.7-server",
        SERVER_4_7,
        RAW_POLLING,
        "A hand-written handshake with transport= twice; the server sees a list, which is no name"
        " of a transport: 400 code 0.",
        [asks(_TWO_TRANSPORTS), answers(400, "Transport unknown")],
        visit=asks_by_hand(["get", _TWO_TRANSPORTS]),
    ),
    Recording(
        DUPLICATED,
        "websocket-v4.7-server",
        SERVER_4_7,
        RAW_WS,
        "A URL that has transport= already, and a library that puts its own behind it: the upgrade"
        " is refused with a bare 400, and the client comes back every 500 ms.",
        [asks("transport=websocket&EIO=4&transport=websocket"), answers(400, "Transport unknown")],
        times=5,
        visit={
            "url": WS_URL.replace("EIO=4", "transport=websocket&EIO=4"),
            "rounds": 5,
            "everyMs": 500,
        },
    ),
    Recording(
        DUPLICATED,
        "polling-v2-server",
        SERVER_2,
        RAW_POLLING,
        "The same transport twice, at a 2.x server: 400 code 0.",
        [asks("EIO=3&transport=polling&transport=polling"), answers(400, "Transport unknown")],
        visit=asks_by_hand(["get", "EIO=3&transport=polling&transport=polling"]),
    ),
    Recording(
        DUPLICATED,
        "v4.8-server",
        SERVER_4,
        RAW_POLLING,
        "engine.io 6.6.5 and later takes the last of several transports: served.",
        [asks("transport=websocket&transport=polling"), answers(200, "^0{")],
        near_miss=True,
        visit=asks_by_hand(["get", "EIO=4&transport=websocket&transport=polling"]),
    ),
    Recording(
        DUPLICATED,
        "python5-server",
        PYTHON_5,
        RAW_POLLING,
        "python-socketio takes the first of several transports: served.",
        [asks(_TWO_TRANSPORTS), answers(200, "^0{")],
        near_miss=True,
        visit=asks_by_hand(["get", _TWO_TRANSPORTS]),
    ),
]

_TRIES_ALL = {"tryAllTransports": True, "extraHeaders": {"User-Agent": "node-XMLHttpRequest"}}
_ONLY_WEBSOCKET = {"options": WEBSOCKET_ONLY}
_ONLY_POLLING = {"options": POLLING_ONLY}

_DISABLED = [
    Recording(
        DISABLED,
        "polling-v4-server",
        SERVER_4,
        CLIENT_4,
        "The server takes only WebSocket, the client begins with polling as it does by default:"
        " 400 code 0, four times.",
        [ASKS_POLLING, answers(400, "Transport unknown")],
        times=4,
        serve=_ONLY_WEBSOCKET,
        visit=RETRIES,
    ),
    Recording(
        DISABLED,
        "polling-v2-server",
        SERVER_2,
        CLIENT_2,
        "The same pair of 2.x.",
        [asks("EIO=3&transport=polling"), answers(400, "Transport unknown")],
        times=4,
        serve=_ONLY_WEBSOCKET,
        visit=RETRIES,
    ),
    Recording(
        DISABLED,
        "polling-python5-server",
        PYTHON_5,
        CLIENT_4,
        "A python-socketio server that takes only WebSocket says Invalid transport.",
        [ASKS_POLLING, answers(400, "Invalid transport")],
        times=4,
        serve=_ONLY_WEBSOCKET,
        visit=RETRIES,
    ),
    Recording(
        DISABLED,
        "websocket-python5-server",
        PYTHON_5,
        CLIENT_4,
        "A python-socketio server that takes only polling, and a client that takes only WebSocket.",
        [ASKS_WEBSOCKET, answers(400, "Invalid transport")],
        times=4,
        serve=_ONLY_POLLING,
        visit=RETRIES_WEBSOCKET,
    ),
    Recording(
        DISABLED,
        "other-tried",
        SERVER_4,
        CLIENT_4,
        "With tryAllTransports the client goes on with WebSocket when polling is refused; it works."
        " Both transports carry one User-Agent, as in a browser.",
        [ASKS_POLLING, answers(400, "Transport unknown"), ASKS_WEBSOCKET, server_says("^40{")],
        serve=_ONLY_WEBSOCKET,
        visit={**TALKS, "options": _TRIES_ALL},
    ),
    Recording(
        DISABLED,
        "websocket-on-both-sides",
        SERVER_4,
        CLIENT_4,
        "Server and client both take WebSocket only.",
        [ASKS_WEBSOCKET, server_says("^0{"), server_says("^40{")],
        lacks=[answers(400)],
        near_miss=True,
        serve=_ONLY_WEBSOCKET,
        visit={**TALKS, "options": WEBSOCKET_ONLY},
    ),
]

_HANDSHAKE = "EIO=4&transport=polling"

_METHOD = [
    Recording(
        METHOD,
        name,
        server,
        RAW_POLLING,
        f"The first request is a POST: {outcome}.",
        [posts("^40$"), answers(400, text)],
        visit=asks_by_hand(["post", "40", query]),
    )
    for name, server, query, text, outcome in (
        ("post-v4-server", SERVER_4, _HANDSHAKE, "Bad handshake method", "400 code 2"),
        ("post-v2-server", SERVER_2, "EIO=3&transport=polling", "Bad handshake method", "400 code 2"),
        ("post-python5-server", PYTHON_5, _HANDSHAKE, "Invalid session None", "an unknown session None"),
    )
] + [
    Recording(
        METHOD,
        "sid-forgotten",
        SERVER_4,
        RAW_POLLING,
        "A hand-written client opens a session and forgets its sid in the POST that follows.",
        [ASKS_POLLING, answers(200, "^0{"), posts("^40$"), answers(400, "Bad handshake method")],
        visit=asks_by_hand(["get", _HANDSHAKE], ["post", "40", _HANDSHAKE]),
    ),
    Recording(
        METHOD,
        "head-probe",
        SERVER_4,
        CURL,
        "A monitor asks with HEAD whether the server is alive, and takes the 400 for a yes.",
        ['http.request.method == "HEAD"', answers(400)],
        near_miss=True,
        play=curl("-I", f"{URL}/socket.io/?{_HANDSHAKE}"),
    ),
    Recording(
        METHOD,
        "health-check",
        SERVER_4,
        CURL,
        "A health check asks for the path of Socket.IO without any parameter.",
        [asks("/socket.io/"), answers(400, "Transport unknown")],
        near_miss=True,
        play=curl(f"{URL}/socket.io/"),
    ),
]

RECORDINGS = [*_TRANSPORT_UNKNOWN, *_DUPLICATED, *_DISABLED, *_METHOD]
