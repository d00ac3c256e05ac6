# SPDX-License-Identifier: GPL-2.0-or-later
"""What else comes into a WebSocket that is about to be opened: another handler's answer, and frames that are early."""

from __future__ import annotations

from lab import Lab

from faulty_peers.peers import CLIENT_2, CLIENT_4, PYTHON_5, RAW_TCP, RAW_UPGRADE, SERVER_4, WS, Peer, two_handlers
from faulty_peers.plans import RETRIES_WEBSOCKET, TALKS_SLOWLY, URL, WEBSOCKET_ONLY, by_hand
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import (
    ASKS_UPGRADE,
    CONFIRMS,
    FROM_CLIENT,
    FROM_SERVER,
    PROBE_ANSWERED,
    PROBES,
    SESSION_UNKNOWN,
    answers,
    asks,
    posts,
    server_says,
)

TWO_HANDLERS = Rule("double-upgrade-handler", "WS031")
EARLY_FRAME = Rule("ws-frame-before-101", "WS032")


def _writes(status: int) -> str:
    """An HTTP answer inside a WebSocket, which tshark takes for frames."""
    return f'{FROM_SERVER} && websocket && tcp.payload contains "HTTP/1.1 {status}"'


_WITH_A_PATH = {"also": {"ws": {"path": "/updates"}}}

_TWO_HANDLERS = [
    Recording(
        TWO_HANDLERS,
        "ws-with-a-path",
        two_handlers("4.8.4", WS),
        CLIENT_4,
        "A WebSocketServer of ws for the path /updates on the same HTTP server: it answers 400 to"
        " every upgrade that is not for it, into the WebSocket that Socket.IO has accepted.",
        [ASKS_UPGRADE, answers(101), _writes(400), posts("hello")],
        lacks=[PROBE_ANSWERED, CONFIRMS],
        serve=_WITH_A_PATH,
        visit=TALKS_SLOWLY,
    ),
    Recording(
        TWO_HANDLERS,
        "ws-with-a-path-websocket-only",
        two_handlers("4.8.4", WS),
        CLIENT_4,
        "The same, with a client that uses WebSocket only and tries again and again.",
        [asks("transport=websocket"), answers(101), _writes(400)],
        times=4,
        serve=_WITH_A_PATH,
        visit=RETRIES_WEBSOCKET,
    ),
    Recording(
        TWO_HANDLERS,
        "ws-for-all-paths",
        two_handlers("4.8.4", "ws@7.4.6"),
        CLIENT_4,
        "A WebSocketServer of another copy of ws, for all paths, accepts the WebSocket once more.",
        [ASKS_UPGRADE, answers(101), _writes(101), posts("hello")],
        lacks=[PROBE_ANSWERED, CONFIRMS],
        serve={"also": {"ws": {}}},
        visit=TALKS_SLOWLY,
    ),
    Recording(
        TWO_HANDLERS,
        "socket.io-twice-v2.2-server",
        two_handlers("2.2.0"),
        CLIENT_2,
        "Socket.IO attached twice to one HTTP server: both accept the same WebSocket, the second one"
        " behind the open packet of the first. The server does not survive it.",
        [asks("transport=websocket"), answers(101), server_says("^0{"), _writes(101)],
        serve={"also": {"again": {}}},
        visit={"url": URL, "options": WEBSOCKET_ONLY, "attempts": 2, "lifeMs": 4000},
    ),
    Recording(
        TWO_HANDLERS,
        "socket.io-twice-v4-server",
        two_handlers("4.8.4"),
        CLIENT_4,
        "Socket.IO attached twice to one HTTP server, in today's version: the second one takes all"
        " polls, and the first one refuses the WebSocket before it is accepted, as it does not know"
        " the session (sid-unknown-sticky speaks of that).",
        [ASKS_UPGRADE, SESSION_UNKNOWN, *[answers(200, "greeting")] * 3],
        lacks=[answers(101)],
        near_miss=True,
        serve={"also": {"again": {}}},
        visit={**TALKS_SLOWLY, "hello": {"times": 3, "everyMs": 800}},
    ),
    Recording(
        TWO_HANDLERS,
        "ws-with-noserver",
        two_handlers("4.8.4", WS),
        CLIENT_4,
        "A WebSocketServer that is given the upgrades for its path only: both get on.",
        [ASKS_UPGRADE, answers(101), PROBES, PROBE_ANSWERED, CONFIRMS],
        near_miss=True,
        serve={"also": {"ws": {"path": "/updates", "noServer": True}}},
        visit=TALKS_SLOWLY,
    ),
]

_EVENT = f'{FROM_CLIENT} && tcp.payload contains "early"'


def _early(transport: str, server: Peer, name: str, what: str, *shows: str) -> Recording:
    return Recording(
        EARLY_FRAME,
        f"{transport}-{name}",
        server,
        RAW_TCP,
        what,
        [asks("transport="), _EVENT, *shows],
        times=2,
        visit={"host": Lab.server_ip, "early": transport, "rounds": 2, "everyMs": 500},
    )


_PYTHON_400 = answers(400, "Invalid method encountered")

_EARLY_FRAME = [
    _early(
        "polling",
        SERVER_4,
        "v4-server",
        "A client sends an event as a WebSocket frame right behind its handshake by polling, on the"
        " same connection: the HTTP server takes it for the next request and answers 400.",
        f"{FROM_SERVER} && http.response.code == 400",
    ),
    _early(
        "polling",
        PYTHON_5,
        "python5-server",
        "The same: aiohttp answers 400, with what it read, and the handshake is lost, too.",
        _PYTHON_400,
    ),
    _early(
        "upgrade",
        SERVER_4,
        "v4-server",
        "A frame right behind the request for the upgrade: the server takes it for the first one of"
        " the WebSocket, where a probe has to be, and closes.",
    ),
    _early(
        "upgrade",
        PYTHON_5,
        "python5-server",
        "A frame right behind the request for the upgrade of a session at python-socketio.",
    ),
    _early(
        "websocket",
        SERVER_4,
        "v4-server",
        "An event right behind the request for a WebSocket without a session: the server reads it"
        " before it has said that it accepts, and closes, as the client has joined no namespace.",
    ),
    Recording(
        EARLY_FRAME,
        "frame-after-101",
        SERVER_4,
        RAW_UPGRADE,
        "A client that waits for the 101, and sends its first frame in the same moment.",
        [ASKS_UPGRADE, answers(101), PROBES, CONFIRMS],
        near_miss=True,
        visit=by_hand(
            ["upgrade"], ["send", "2probe"], ["expect", "3probe"], ["send", "5"], ["send", "40"], ["wait", 300]
        ),
    ),
]

RECORDINGS = [*_TWO_HANDLERS, *_EARLY_FRAME]
