# SPDX-License-Identifier: GPL-2.0-or-later
"""Socket.IO packets that cannot be read, or not by the other side."""

from __future__ import annotations

from faulty_peers.peers import PYTHON_5, RAW_POLLING, RAW_WS, SERVER_2, SERVER_4
from faulty_peers.plans import CONNECT, HELLO, OPEN_AND_CONNECT, PONGS, WS_URL, WS_URL_3, by_hand
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import (
    FROM_SERVER,
    SESSION_UNKNOWN,
    answers,
    client_says,
    closes,
    posts,
    server_says,
)

SYNTAX = Rule("socketio-syntax", "SIO064")
_CLOSED = "the server closes at once, without a code"
_CLOSES = closes(FROM_SERVER)
_ONCE_MORE = client_says("^42.*word")

_BY_HAND = [
    (SERVER_4, "v4-server", _CLOSED, _CLOSES, name, what, text)
    for name, what, text in (
        ("single-quotes", "text in single quotes", "42['hello','word']"),
        ("bare-quotes", "quotes inside a text, as they are", '42["hello","the "best" word"]'),
        ("truncated", "an event that was cut by a buffer", '42["hello",{"text":"a long te'),
        ("no-comma", "a namespace without a comma behind it", '42/chat["hello"]'),
        ("object", "an object in the place of the array", '42{"hello":"word"}'),
        ("reserved-name", "an event with a name of the library's own", '42["disconnect"]'),
        ("nan", "NaN, which JSON does not have", '42["hello",{"temperature":NaN}]'),
    )
] + [
    (
        PYTHON_5,
        "python5-server",
        "python-socketio ignores it and answers the next event",
        client_says("^42.*word"),
        "trailing-comma",
        "a comma behind the last element",
        '42["hello","word",]',
    )
]

RECORDINGS = [
    Recording(
        SYNTAX,
        f"{name}-{server_name}",
        server,
        RAW_WS,
        f"After CONNECT a client sends {what}: {text} - {outcome}.",
        [client_says("^4[25]"), end],
        visit={
            "url": WS_URL,
            "answers": PONGS,
            "steps": [*OPEN_AND_CONNECT, ["send", text], ["wait", 300], ["send", HELLO]],
            "patienceMs": 700,
        },
    )
    for server, server_name, outcome, end, name, what, text in _BY_HAND
] + [
    Recording(
        SYNTAX,
        "single-quotes-v2-server",
        SERVER_2,
        RAW_WS,
        f"A client of revision 3 sends text in single quotes - {_CLOSED}.",
        [client_says("^42"), _CLOSES],
        visit={"url": WS_URL_3, "steps": [["expect", "40"], ["send", "42['hello','word']"]], "patienceMs": 1000},
    ),
    Recording(
        SYNTAX,
        "polling-v4-server",
        SERVER_4,
        RAW_POLLING,
        "The same over polling: 200 ok, but the poll in flight gets '1' and the session is gone.",
        [posts("^40$"), posts("^42"), answers(200, "^1$"), SESSION_UNKNOWN],
        visit=by_hand(
            *CONNECT, ["hang"], ["wait", 300], ["post", "42['hello','word']"], ["wait", 300], ["get"], ["wait", 200]
        ),
    ),
    Recording(
        SYNTAX,
        "escaped-quotes",
        SERVER_4,
        RAW_WS,
        "The same texts, written as JSON.",
        [client_says("^42"), server_says("greeting")],
        lacks=[client_says("'")],
        near_miss=True,
        visit={
            "url": WS_URL,
            "answers": PONGS,
            "steps": [
                *OPEN_AND_CONNECT,
                ["send", '42["hello","the \\"best\\" \\u0077ord"]'],
                ["wait", 200],
                ["send", "41"],
            ],
            "patienceMs": 100,
        },
    ),
]
