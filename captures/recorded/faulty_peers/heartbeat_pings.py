# SPDX-License-Identifier: GPL-2.0-or-later
"""Pings that do not come, or come from the wrong side."""

from __future__ import annotations

from lab import RelayPlan

from faulty_peers.peers import CLIENT_2, CLIENT_4, PYTHON_5, RAW_POLLING, RAW_WS, SERVER_2, SERVER_3_0, SERVER_4
from faulty_peers.plans import (
    ALLOWS_EIO3,
    CONNECT,
    ONCE_WEBSOCKET,
    OPEN_AND_CONNECT,
    PONGS,
    QUICK,
    WS_URL,
    WS_URL_3,
    by_hand,
)
from faulty_peers.plays import client_freezes, server_freezes, wire_is_cut
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import (
    FROM_CLIENT,
    FROM_SERVER,
    SESSION_UNKNOWN,
    acknowledges_only,
    answers,
    asks,
    client_says,
    closes,
    posts,
    retransmits,
    server_says,
)

CLIENT_PING = Rule("client-ping-in-eio4", "EIO038")
PING_MISSING = Rule("ping-missing", "EIO040")
NO_CLIENT_PING = Rule("eio3-no-client-ping", "EIO041")

_PINGS_AFTER_2S = {
    "url": WS_URL,
    "answers": PONGS,
    "steps": [*OPEN_AND_CONNECT, ["wait", 2000], ["send", "2"]],
    "patienceMs": 3000,
}

_CLIENT_PING = [
    Recording(
        CLIENT_PING,
        name,
        server,
        RAW_WS,
        f"2 s after CONNECT the client sends PING; {outcome}.",
        [server_says("^40{"), client_says("^2$"), end],
        lacks=[server_says("^3")],
        visit=_PINGS_AFTER_2S,
    )
    for name, server, end, outcome in (
        ("v4-server", SERVER_4, closes(FROM_SERVER), "the server closes at once, without a code"),
        (
            "v3.0-server",
            SERVER_3_0,
            closes(FROM_CLIENT),
            "the server ignores it, the client leaves",
        ),
        ("python5-server", PYTHON_5, closes(FROM_CLIENT), "ignored, the client leaves"),
    )
] + [
    Recording(
        CLIENT_PING,
        "polling-v4-server",
        SERVER_4,
        RAW_POLLING,
        "A POST of '2' gets 200 ok, but the poll in flight gets '1', the next request code 1.",
        [
            answers(200, "^40{"),
            posts("^2$"),
            answers(200, "^1$"),
            answers(200, "^ok$"),
            SESSION_UNKNOWN,
        ],
        visit=by_hand(*CONNECT, ["hang"], ["wait", 1000], ["post", "2"], ["wait", 300], ["get"]),
    ),
    Recording(
        CLIENT_PING,
        "eio3-session",
        SERVER_2,
        RAW_WS,
        "In a session of revision 3 it is the client that has to ping; the 2.x server answers.",
        [asks("EIO=3"), client_says("^2$"), server_says("^3$")],
        near_miss=True,
        visit={**_PINGS_AFTER_2S, "url": WS_URL_3, "steps": [["wait", 1000], ["send", "2"]]},
    ),
    Recording(
        CLIENT_PING,
        "websocket-ping",
        SERVER_4,
        RAW_WS,
        "A PING of WebSocket (opcode 9), not of Engine.IO; answered by opcode 10.",
        [
            server_says("^40{"),
            f"{FROM_CLIENT} && websocket.opcode == 9",
            f"{FROM_SERVER} && websocket.opcode == 10",
        ],
        lacks=[client_says("^2")],
        near_miss=True,
        visit={
            **_PINGS_AFTER_2S,
            "steps": [*OPEN_AND_CONNECT, ["wait", 1000], ["control-ping"], ["wait", 1000]],
            "patienceMs": 500,
        },
    ),
]

_QUICK_VISIT = {**ONCE_WEBSOCKET, "lifeMs": 7000}

_PING_MISSING = [
    Recording(
        PING_MISSING,
        "event-loop-held",
        SERVER_4,
        CLIENT_4,
        "A busy loop holds the server's event loop for 4 s; the client closes at interval +"
        " timeout, and the server answers when it is back.",
        [server_says("^2$"), client_says("^3$"), closes(FROM_CLIENT), closes(FROM_SERVER)],
        serve={"options": QUICK, "busy": {"afterMs": 1500, "forMs": 4000}},
        visit=_QUICK_VISIT,
    ),
    Recording(
        PING_MISSING,
        "server-frozen",
        SERVER_4,
        CLIENT_4,
        "The server is stopped (SIGSTOP): its kernel acknowledges, no ping, the client closes.",
        [
            server_says("^2$"),
            client_says("^3$"),
            closes(FROM_CLIENT),
            acknowledges_only(FROM_SERVER),
        ],
        lacks=[closes(FROM_SERVER)],
        serve={"options": QUICK},
        visit={**_QUICK_VISIT, "lifeMs": 5000},
        play=server_freezes,
    ),
    Recording(
        PING_MISSING,
        "server-mute",
        SERVER_4,
        CLIENT_4,
        "The server answers events but never pings; the client closes at interval + timeout.",
        [server_says("^40{"), client_says("^42"), server_says("greeting"), closes(FROM_CLIENT)],
        lacks=[server_says("^2$")],
        serve={"options": QUICK, "mute": True},
        visit={**_QUICK_VISIT, "hello": {"times": 6, "everyMs": 400}, "lifeMs": 4000},
    ),
    Recording(
        PING_MISSING,
        "late-but-in-time",
        SERVER_4,
        CLIENT_4,
        "The server's event loop is held for 600 ms when a ping is due; the ping is late, but"
        " within interval + timeout.",
        [*[server_says("^2$"), client_says("^3$")] * 3, client_says("^41$"), closes(FROM_CLIENT)],
        near_miss=True,
        serve={"options": QUICK, "busy": {"afterMs": 1900, "forMs": 600}},
        visit={**_QUICK_VISIT, "lifeMs": 4500},
    ),
    Recording(
        PING_MISSING,
        "network-gone",
        SERVER_4,
        CLIENT_4,
        "The wire is cut, and captured at the client: no ping arrives, and what the client sends"
        " when it gives up is never acknowledged.",
        [server_says("^2$"), client_says("^3$"), *[retransmits(FROM_CLIENT)] * 3],
        lacks=[closes(FROM_SERVER)],
        serve={"options": QUICK},
        visit={**_QUICK_VISIT, "lifeMs": 20000},
        play=wire_is_cut("client"),
        relay=RelayPlan(),
    ),
]

_NO_CLIENT_PING = [
    Recording(
        NO_CLIENT_PING,
        "v4-client-v2-server",
        SERVER_2,
        CLIENT_4,
        "A 4.x client on a 2.x server over WebSocket: each waits for the other's ping.",
        [server_says("^0{"), server_says("^40$"), f"{FROM_SERVER} && websocket.opcode == 8"],
        lacks=[client_says("^2$"), server_says("^2$")],
        serve={"options": QUICK},
        visit=_QUICK_VISIT,
    ),
    Recording(
        NO_CLIENT_PING,
        "raw-v2-server",
        SERVER_2,
        RAW_WS,
        "A hand-written client of revision 3 that never pings, on a 2.x server.",
        [asks("EIO=3"), server_says("^40$"), closes(FROM_SERVER)],
        lacks=[client_says("^2$")],
        serve={"options": QUICK},
        visit={"url": WS_URL_3, "patienceMs": 5000},
    ),
    Recording(
        NO_CLIENT_PING,
        "raw-v4-server-allowed",
        SERVER_4,
        RAW_WS,
        "A hand-written client of revision 3 that never pings, on a 4.x server with allowEIO3.",
        [asks("EIO=3"), server_says("^40$"), closes(FROM_SERVER)],
        lacks=[client_says("^2$")],
        serve={"options": {**QUICK, **ALLOWS_EIO3}},
        visit={"url": WS_URL_3, "patienceMs": 5000},
    ),
    Recording(
        NO_CLIENT_PING,
        "pings-by-hand",
        SERVER_2,
        RAW_WS,
        "A hand-written client of revision 3 that pings every second and is answered.",
        [client_says("^2$"), server_says("^3$")],
        times=4,
        lacks=[server_says("^1")],
        near_miss=True,
        serve={"options": QUICK},
        visit={
            "url": WS_URL_3,
            "steps": [["expect", "40"], *[["send", "2"], ["wait", 1000]] * 4],
            "patienceMs": 300,
        },
    ),
    Recording(
        NO_CLIENT_PING,
        "client-frozen",
        SERVER_2,
        CLIENT_2,
        "Revision 3: the client is stopped (SIGSTOP) after its first ping; the server closes, and"
        " the client's kernel acknowledges that.",
        [client_says("^2$"), server_says("^3$"), closes(FROM_SERVER), acknowledges_only(FROM_CLIENT)],
        lacks=[retransmits(FROM_SERVER)],
        serve={"options": QUICK},
        visit=_QUICK_VISIT,
        play=client_freezes,
    ),
    Recording(
        NO_CLIENT_PING,
        "network-gone",
        SERVER_2,
        CLIENT_2,
        "Revision 3: the wire is cut, and captured at the server: no ping arrives, and the"
        " server's close is sent again and again.",
        [client_says("^2$"), server_says("^3$"), closes(FROM_SERVER), *[retransmits(FROM_SERVER)] * 2],
        serve={"options": QUICK},
        visit=_QUICK_VISIT,
        play=wire_is_cut("server"),
        relay=RelayPlan(),
    ),
    Recording(
        NO_CLIENT_PING,
        "raw-polling-v2-server",
        SERVER_2,
        RAW_POLLING,
        "A hand-written client of revision 3 that polls and never pings: the poll in flight gets"
        " '1' when interval + timeout are over.",
        [answers(200, "^[0-9]+:0{"), answers(200, "^1:1$")],
        lacks=[posts("2")],
        serve={"options": QUICK},
        visit=by_hand(["get"], eio=3),
    ),
]

RECORDINGS = [*_CLIENT_PING, *_PING_MISSING, *_NO_CLIENT_PING]
