# SPDX-License-Identifier: GPL-2.0-or-later
"""Peers that open a connection but do not speak the protocol that runs on it."""

from __future__ import annotations

from faulty_peers.peers import CLIENT_4, PLAIN_SERVER, PYTHON_5, RAW_POLLING, RAW_WS, SERVER_4
from faulty_peers.plans import (
    CONNECT,
    HELLO,
    OPEN_AND_CONNECT,
    POLLING_ONLY,
    PONGS,
    QUICK,
    URL,
    WEBSOCKET_ONLY,
    WS_URL,
    by_hand,
)
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import (
    ASKS_WEBSOCKET,
    FROM_CLIENT,
    FROM_SERVER,
    SESSION_UNKNOWN,
    answers,
    client_says,
    closes,
    ends,
    posts,
    server_says,
)

PLAIN_WEBSOCKET_SERVER = Rule("plain-websocket-server", "WS012")
PLAIN_WEBSOCKET_CLIENT = Rule("plain-websocket-client", "WS013")
ENGINEIO_SYNTAX = Rule("engineio-syntax", "EIO201")
_NODE_CLOSES = "the server closes at once, without a code"
# python-engineio makes a number of the first character. A letter raises where nobody catches it,
# and aiohttp drops the connection; a digit that is no type is only worth a line in its log.
_PYTHON_DROPS = "the server drops the TCP connection, without a close frame"
_PYTHON_IGNORES = "the server ignores it and answers the next event"

_PLAIN_SERVER = [
    Recording(
        PLAIN_WEBSOCKET_SERVER,
        "echo",
        PLAIN_SERVER,
        CLIENT_4,
        "A Socket.IO client on a WebSocket echo server: 101 and no open packet; the client's"
        " timeout of 5 s ends it, twice.",
        [ASKS_WEBSOCKET, answers(101), closes(FROM_CLIENT)],
        times=2,
        lacks=[server_says(".")],
        visit={"url": URL, "options": {**WEBSOCKET_ONLY, "timeout": 5000}, "attempts": 2},
    ),
    Recording(
        PLAIN_WEBSOCKET_SERVER,
        "greets-with-json",
        PLAIN_SERVER,
        CLIENT_4,
        "A WebSocket server that greets with JSON, which is no Engine.IO packet: the client gives"
        " up at once, three times.",
        [ASKS_WEBSOCKET, answers(101), server_says('^{"type"')],
        times=3,
        lacks=[server_says("^0{")],
        serve={"greeting": '{"type":"welcome"}'},
        visit={"url": URL, "options": WEBSOCKET_ONLY, "attempts": 3},
    ),
    Recording(
        PLAIN_WEBSOCKET_SERVER,
        "open-late",
        SERVER_4,
        CLIENT_4,
        "A real server whose open packet comes 3 s after the 101: its session id is slow.",
        [ASKS_WEBSOCKET, answers(101), server_says("^0{"), server_says("^40{")],
        near_miss=True,
        serve={"slowSidMs": 3000},
        visit={
            "url": URL,
            "options": WEBSOCKET_ONLY,
            "lifeMs": 5000,
            "hello": {"times": 1, "everyMs": 500},
        },
    ),
]

_PLAIN_CLIENT = [
    Recording(
        PLAIN_WEBSOCKET_CLIENT,
        f"{name}-{server_name}",
        server,
        RAW_WS,
        f"A plain WebSocket client sends {told} as its first message; {outcome}.",
        [answers(101), client_says(pattern), end],
        visit={"url": WS_URL, "steps": [["send", text]], "patienceMs": 4000},
    )
    for name, told, text, pattern in (
        ("connected", "the word Connected", "Connected", "^Connected$"),
        ("json", "JSON", '{"type":"hello"}', '^{"type":"hello"}$'),
    )
    for server_name, server, end, outcome in (
        ("v4-server", SERVER_4, closes(FROM_SERVER), _NODE_CLOSES),
        ("python5-server", PYTHON_5, ends(FROM_SERVER), _PYTHON_DROPS),
    )
] + [
    Recording(
        PLAIN_WEBSOCKET_CLIENT,
        "speaks-by-hand",
        SERVER_4,
        RAW_WS,
        "A plain WebSocket client that says the right words by hand: 40, an event, and pongs.",
        [client_says("^40$"), server_says("^40{"), client_says("^42"), client_says("^3$")],
        near_miss=True,
        serve={"options": QUICK},
        visit={
            "url": WS_URL,
            "answers": PONGS,
            "steps": [*OPEN_AND_CONNECT, ["send", HELLO], ["wait", 2500], ["send", "41"]],
            "patienceMs": 300,
        },
    ),
]

_GREETS = server_says("greeting")


def _say(text: str) -> list[list[object]]:
    return [["send", text], ["wait", 500]]


_SYNTAX = [
    *[
        Recording(
            ENGINEIO_SYNTAX,
            f"{name}-{server_name}",
            server,
            RAW_WS,
            f"After CONNECT and an event the client sends {text!r}, no type at all; {outcome}.",
            [client_says("^42"), client_says(f"^{text}$"), end],
            visit={
                "url": WS_URL,
                "answers": PONGS,
                "steps": [*OPEN_AND_CONNECT, *_say(HELLO), *_say(text), *_say(HELLO)],
            },
        )
        for name, text, server_name, server, end, outcome in (
            ("type-9", "9hello", "v4-server", SERVER_4, closes(FROM_SERVER), _NODE_CLOSES),
            ("type-9", "9hello", "python5-server", PYTHON_5, _GREETS, _PYTHON_IGNORES),
            ("type-x", "x", "v4-server", SERVER_4, closes(FROM_SERVER), _NODE_CLOSES),
            ("type-x", "x", "python5-server", PYTHON_5, ends(FROM_SERVER), _PYTHON_DROPS),
        )
    ],
    *[
        Recording(
            ENGINEIO_SYNTAX,
            f"garbage-post-{server_name}",
            server,
            RAW_POLLING,
            f"A session over polling posts 'zzz': {outcome}.",
            [posts("^40$"), answers(200, "^40{"), posts("^zzz$"), *reply],
            visit=by_hand(*CONNECT, ["hang"], ["wait", 500], ["post", "zzz"], ["wait", 500], ["hang"], ["wait", 1000]),
        )
        for server_name, server, reply, outcome in (
            (
                "v4-server",
                SERVER_4,
                [answers(200, "^1$"), answers(200, "^ok$"), SESSION_UNKNOWN],
                "200 ok, but the poll in flight gets '1' and the session is gone",
            ),
            (
                "python5-server",
                PYTHON_5,
                [answers(200, "^OK$")],
                "200 OK, nothing else happens and the session goes on",
            ),
        )
    ],
    Recording(
        ENGINEIO_SYNTAX,
        "legal-types",
        SERVER_4,
        CLIENT_4,
        "A session over polling with an event, a heartbeat and a goodbye: types 0 to 4 and 6.",
        [
            answers(200, "^0{"),
            posts("^40$"),
            posts("^42"),
            answers(200, "^2$"),
            posts("^3$"),
            posts("^1$"),
            answers(200, "^6$"),
        ],
        lacks=[posts("^[^0-6b]"), answers(200, "^[^0-6bo]"), answers(400)],
        near_miss=True,
        serve={"options": QUICK},
        visit={
            "url": URL,
            "options": POLLING_ONLY,
            "lifeMs": 2500,
            "hello": {"times": 1, "everyMs": 500},
        },
    ),
]

RECORDINGS = [
    *_PLAIN_SERVER,
    *_PLAIN_CLIENT,
    *_SYNTAX,
]
