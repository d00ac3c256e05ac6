# SPDX-License-Identifier: GPL-2.0-or-later
"""Heartbeats that are more than enough."""

from __future__ import annotations

from faulty_peers.peers import CLIENT_4, PYTHON_CLIENT_AIOHTTP, SERVER_4
from faulty_peers.plans import ONCE_WEBSOCKET, URL
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import FROM_CLIENT, FROM_SERVER, client_says, server_says

TOO_FAST = Rule("heartbeat-too-fast", "EIO046")
DOUBLE = Rule("double-heartbeat", "EIO047")

_TOO_FAST = [
    Recording(
        TOO_FAST,
        "v4-server",
        SERVER_4,
        CLIENT_4,
        "A pingInterval of 1 s and a pingTimeout of 1.5 s.",
        [server_says('"pingInterval":1000'), server_says("^2$"), client_says("^3$")],
        serve={"options": {"pingInterval": 1000, "pingTimeout": 1500}},
        visit={**ONCE_WEBSOCKET, "lifeMs": 4000},
    ),
    Recording(
        TOO_FAST,
        "at-the-limit",
        SERVER_4,
        CLIENT_4,
        "A pingInterval of 5 s and a pingTimeout of 2 s.",
        [server_says('"pingInterval":5000'), server_says("^2$"), client_says("^3$")],
        near_miss=True,
        serve={"options": {"pingInterval": 5000, "pingTimeout": 2000}},
        visit={**ONCE_WEBSOCKET, "lifeMs": 6000},
    ),
]

_WS_PING, _WS_PONG = f"{FROM_CLIENT} && websocket.opcode == 9", f"{FROM_SERVER} && websocket.opcode == 10"

_DOUBLE = [
    Recording(
        DOUBLE,
        "aiohttp-client",
        SERVER_4,
        PYTHON_CLIENT_AIOHTTP,
        "python-socketio on aiohttp with its option `heartbeat`: PING frames of WebSocket beside"
        " the pings of Engine.IO, both answered.",
        [_WS_PING, _WS_PONG],
        times=2,
        serve={"options": {"pingInterval": 5000, "pingTimeout": 4000}},
        visit={"url": URL, "heartbeat_s": 2, "life_s": 11.5},
    ),
    Recording(
        DOUBLE,
        "no-pong-frames",
        SERVER_4,
        PYTHON_CLIENT_AIOHTTP,
        "The same client, and a server that does not answer PING frames: aiohttp gives the"
        " connection up although the pings of Engine.IO are answered.",
        [_WS_PING],
        lacks=[_WS_PONG],
        serve={"options": {"pingInterval": 5000, "pingTimeout": 4000}, "noPongs": True},
        visit={"url": URL, "heartbeat_s": 2, "life_s": 8},
    ),
]

RECORDINGS = [*_TOO_FAST, *_DOUBLE]
