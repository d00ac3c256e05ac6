# SPDX-License-Identifier: GPL-2.0-or-later
"""Sessions that stay with polling: no upgrade is offered, or none comes of it."""

from __future__ import annotations

from faulty_peers import boxes
from faulty_peers.peers import CLIENT_4, FLASK_5_1, PYTHON_5, PYTHON_CLIENT_POLLS, SERVER_4
from faulty_peers.plans import POLLING_ONLY, TALKS, URL, WEBSOCKET_ONLY
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import ASKS_WS, ASKS_WS_WITH_HEADER, answers, server_says, server_tells

STUCK = Rule("stuck-in-polling", "EIO025")
NOT_OFFERED = Rule("no-upgrade-offered", "EIO026")

# Two polls for each event: its answer, and its acknowledgement.
_BUSY = {"url": URL, "lifeMs": 1600, "hello": {"times": 12, "everyMs": 100}}

_STUCK = [
    Recording(
        STUCK,
        "python-client-35s",
        SERVER_4,
        PYTHON_CLIENT_POLLS,
        "python-socketio without the package websocket-client: never asks for a WebSocket, and is quiet.",
        [answers(200, '^0{.*"upgrades":."websocket'), server_tells("^2$")],
        lacks=[ASKS_WS],
        visit={"url": URL, "lifeMs": 35000},
    ),
    Recording(
        STUCK,
        "python-client-busy",
        SERVER_4,
        PYTHON_CLIENT_POLLS,
        "python-socketio without the package websocket-client, ten events a second: two requests for each.",
        [answers(200, '^0{.*"upgrades":."websocket'), server_tells("greeting")],
        lacks=[ASKS_WS],
        visit=_BUSY,
    ),
    Recording(
        STUCK,
        "python-client-short",
        SERVER_4,
        PYTHON_CLIENT_POLLS,
        "The same client, and gone again after a few seconds and a few polls.",
        [answers(200, '^0{.*"upgrades":."websocket'), server_tells("greeting")],
        lacks=[ASKS_WS],
        near_miss=True,
        visit=TALKS,
    ),
    Recording(
        STUCK,
        "nginx-busy",
        SERVER_4,
        CLIENT_4,
        "nginx as it comes (HTTP/1.0 and no Upgrade to the server), ten events a second: the upgrade is"
        " refused, two requests for each event.",
        [ASKS_WS_WITH_HEADER, answers(400, "Bad request"), answers(200, "greeting")],
        lacks=[answers(101)],
        visit=_BUSY,
        play=boxes.behind(boxes.nginx()),
    ),
]

_NOT_OFFERED = [
    Recording(
        NOT_OFFERED,
        f"{name}",
        server,
        CLIENT_4,
        f"{what}: the client polls, ten events a second.",
        [answers(200, '^0{.*"upgrades":..,'), server_tells("greeting")],
        lacks=[ASKS_WS],
        serve={"options": options},
        visit={**_BUSY, "lifeMs": 2600, "hello": {"times": times, "everyMs": 100}},
    )
    for name, server, options, times, what in (
        ("v4-server", SERVER_4, POLLING_ONLY, 12, 'A 4.x server with transports: ["polling"]'),
        # It sends both in one answer.
        ("python5-server", PYTHON_5, {"allow_upgrades": False}, 22, "allow_upgrades is off"),
    )
] + [
    Recording(
        NOT_OFFERED,
        "flask-werkzeug",
        FLASK_5_1,
        CLIENT_4,
        "Flask-SocketIO 5.1 in threading mode, which has no package for WebSockets and offers none;"
        " the client polls for 35 s.",
        [answers(200, '^0{.*"upgrades":..,'), server_tells("^2$")],
        lacks=[ASKS_WS],
        visit={"url": URL, "lifeMs": 35000},
    ),
    Recording(
        NOT_OFFERED,
        "websocket-handshake",
        SERVER_4,
        CLIENT_4,
        "A handshake over WebSocket, whose open packet offers no upgrade: there is none to offer.",
        [server_says('^0{.*"upgrades":..,'), server_says("greeting")],
        near_miss=True,
        visit={**TALKS, "options": WEBSOCKET_ONLY},
    ),
]

RECORDINGS = [*_STUCK, *_NOT_OFFERED]
