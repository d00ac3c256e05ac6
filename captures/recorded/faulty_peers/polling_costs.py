# SPDX-License-Identifier: GPL-2.0-or-later
"""What polling costs: connections, headers, and the time until the next poll."""

from __future__ import annotations

from lab import RelayPlan

from faulty_peers.peers import CLIENT_4, FLASK_5_1, PYTHON_CLIENT_POLLS, RAW_POLLING, SERVER_2, SERVER_4
from faulty_peers.plans import CONNECT, HELLO, POLLING_ONLY, URL, Step, by_hand
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import ASKS_WS, FROM_CLIENT, answers, asks, posts, server_tells

NO_KEEPALIVE = Rule("polling-no-keepalive", "HTTP109")
HEADER_WEIGHT = Rule("header-weight", "HTTP113")
POLL_LATENCY = Rule("poll-latency", "EIO116")

# A round trip of 100 ms, as over a mobile network.
_FAR = RelayPlan(delay_ms=50)
_TALKS = {"url": URL, "lifeMs": 4000, "hello": {"times": 8, "everyMs": 250}}
_SAYS_CLOSE = 'http.request.line contains "Connection: close"'
_NEW_CONNECTION = f"{FROM_CLIENT} && tcp.flags.syn == 1"

_CONNECTIONS = [
    Recording(
        NO_KEEPALIVE,
        "node-client-far",
        SERVER_4,
        CLIENT_4,
        "socket.io-client in Node, without an agent, over a round trip of 100 ms: it says Connection: close in each"
        " request, and the next one begins with a handshake of TCP.",
        [answers(200, "^0{"), _NEW_CONNECTION, _SAYS_CLOSE, answers(200), _NEW_CONNECTION, _SAYS_CLOSE],
        lacks=[ASKS_WS],
        visit={**_TALKS, "options": POLLING_ONLY},
        relay=_FAR,
    ),
    Recording(
        NO_KEEPALIVE,
        "werkzeug-far",
        FLASK_5_1,
        PYTHON_CLIENT_POLLS,
        "Flask-SocketIO on the development server of Werkzeug, which answers in HTTP/1.0, over a round trip of 100 ms:"
        " the client would keep its connection, and the server ends it after each answer.",
        [answers(200, "^0{"), 'http.response.version == "HTTP/1.0"', _NEW_CONNECTION, _NEW_CONNECTION],
        lacks=[_SAYS_CLOSE],
        visit=_TALKS,
        relay=_FAR,
    ),
    Recording(
        NO_KEEPALIVE,
        "python-client-far",
        SERVER_4,
        PYTHON_CLIENT_POLLS,
        "A client that keeps its connections (python-socketio), over the same round trip.",
        [answers(200, "^0{"), posts("hello"), server_tells("greeting")],
        lacks=[_SAYS_CLOSE, ASKS_WS],
        near_miss=True,
        visit=_TALKS,
        relay=_FAR,
    ),
]

_SAYS_LITTLE = {"url": URL, "lifeMs": 900, "hello": {"times": 1, "everyMs": 100}}
_COOKIE = "consent=" + "abcdefgh" * 358
_CARRIES_COOKIE = 'http.cookie contains "consent"'


_HEADERS = [
    Recording(
        HEADER_WEIGHT,
        "cookie",
        SERVER_4,
        CLIENT_4,
        "A cookie of 3 KB, as of a page that keeps its state in one, goes with each request of a session.",
        [_CARRIES_COOKIE, answers(200, "^0{"), _CARRIES_COOKIE, server_tells("greeting")],
        lacks=[ASKS_WS],
        visit={**_SAYS_LITTLE, "options": {**POLLING_ONLY, "extraHeaders": {"Cookie": _COOKIE}}},
    ),
]


def _asks_and_waits(pause_ms: int, hello: str = HELLO) -> list[Step]:
    """The client says something, and polls for what comes of it after a pause."""
    return [["post", hello], ["wait", pause_ms], ["get"]]


_HELLO_3 = f"{len(HELLO)}:{HELLO}"
_ASKS_TWICE = [asks("sid="), server_tells("greeting"), asks("sid="), server_tells("greeting")]

_PAUSES = [
    Recording(
        POLL_LATENCY,
        "v4-server",
        SERVER_4,
        RAW_POLLING,
        "A hand-written client that polls once in 800 ms, as if there was no long polling: each event waits so long.",
        _ASKS_TWICE,
        visit=by_hand(*CONNECT, *_asks_and_waits(800) * 6),
    ),
    Recording(
        POLL_LATENCY,
        "v2-server",
        SERVER_2,
        RAW_POLLING,
        "The same at a server of 2.x.",
        _ASKS_TWICE,
        visit=by_hand(*_asks_and_waits(800, _HELLO_3) * 6, eio=3),
    ),
    Recording(
        POLL_LATENCY,
        "one-pause",
        SERVER_4,
        RAW_POLLING,
        "A client that polls at once, but for one pause of two seconds.",
        _ASKS_TWICE,
        near_miss=True,
        visit=by_hand(*CONNECT, *_asks_and_waits(20) * 3, *_asks_and_waits(2000), *_asks_and_waits(20) * 3),
    ),
]

RECORDINGS = [*_CONNECTIONS, *_HEADERS, *_PAUSES]
