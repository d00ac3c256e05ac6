# SPDX-License-Identifier: GPL-2.0-or-later
"""Heartbeats that go the wrong way, come too late, or not at all."""

from __future__ import annotations

import time

from lab import Lab, RelayPlan

from faulty_peers.handshakes import COMPATIBLE, WEBSOCKET_ONLY
from faulty_peers.messages import OPEN_AND_CONNECT, PONGS
from faulty_peers.peers import (
    CLIENT_4,
    PYTHON_5,
    RAW_POLLING,
    RAW_WS,
    SERVER_2,
    SERVER_3_0,
    SERVER_4,
)
from faulty_peers.stage import (
    QUICK,
    QUICK_TOTAL_S,
    URL,
    WS_URL,
    WS_URL_3,
    Recording,
    Rule,
    Stage,
)
from faulty_peers.wire import (
    FROM_CLIENT,
    FROM_SERVER,
    acknowledges_only,
    answers,
    asks,
    client_says,
    closes,
    ends,
    posts,
    server_says,
)

CLIENT_PING = Rule("client-ping-in-eio4", "EIO038")
PONG_MISSING = Rule("pong-missing", "EIO039")
PING_MISSING = Rule("ping-missing", "EIO040")
NO_CLIENT_PING = Rule("eio3-no-client-ping", "EIO041")

_POLLING = "EIO=4&transport=polling"
_SESSION = f"{_POLLING}&sid={{sid}}"
_CONNECT_BY_POLLING = [["get", _POLLING], ["post", _SESSION, "40"], ["get", _SESSION]]
_PYTHON_QUICK = {"ping_interval": 1, "ping_timeout": 0.8}

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
            answers(400, "Session ID unknown"),
        ],
        visit={
            "host": Lab.server_ip,
            "steps": [
                *_CONNECT_BY_POLLING,
                ["poll", _SESSION],
                ["wait", 1000],
                ["post", _SESSION, "2"],
                ["wait", 300],
                ["get", _SESSION],
            ],
        },
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

_QUICK_VISIT = {"url": URL, "options": {**WEBSOCKET_ONLY, "reconnection": False}, "lifeMs": 6000}


_RETRANSMITS = f"{FROM_SERVER} && tcp.analysis.retransmission"


def _client_freezes(stage: Stage) -> None:
    stage.start_server()
    with stage.capture():
        client = stage.start_client()
        time.sleep(1.5)  # one ping is answered
        client.freeze()
        time.sleep(2 * QUICK_TOTAL_S)


def _wire_is_cut(stage: Stage) -> None:
    stage.start_server()
    with stage.capture():
        stage.start_client()
        time.sleep(1.5)
        stage.lab.relay.cut()
        time.sleep(2 * QUICK_TOTAL_S)


def _client_naps(stage: Stage) -> None:
    stage.start_server()
    with stage.capture():
        client = stage.start_client()
        time.sleep(1.8)  # the second ping is due in 200 ms
        client.freeze()
        time.sleep(0.4)
        client.thaw()
        client.wait(timeout=20)


_PONG_MISSING = [
    Recording(
        PONG_MISSING,
        "v4-server",
        SERVER_4,
        RAW_WS,
        "The client never pongs; the server closes without a code when pingTimeout is over.",
        [server_says("^40{"), server_says("^2$"), closes(FROM_SERVER)],
        lacks=[client_says("^3$")],
        serve={"options": QUICK},
        visit={"url": WS_URL, "steps": OPEN_AND_CONNECT, "patienceMs": 5000},
    ),
    Recording(
        PONG_MISSING,
        "python5-server",
        PYTHON_5,
        RAW_WS,
        "The client never pongs; python-socketio closes with 1000.",
        [server_says("^40{"), server_says("^2$"), closes(FROM_SERVER, 1000)],
        lacks=[client_says("^3$")],
        serve={"options": _PYTHON_QUICK},
        visit={"url": WS_URL, "steps": OPEN_AND_CONNECT, "patienceMs": 8000},
    ),
    Recording(
        PONG_MISSING,
        "polling-v4-server",
        SERVER_4,
        RAW_POLLING,
        "The ping comes in the answer of a poll, no pong is posted, the next poll gets '1'.",
        [answers(200, "^40{"), answers(200, "^2$"), answers(200, "^1$")],
        lacks=[posts("^3$")],
        serve={"options": QUICK},
        visit={
            "host": Lab.server_ip,
            "steps": [*_CONNECT_BY_POLLING, ["get", _SESSION], ["get", _SESSION]],
        },
    ),
    Recording(
        PONG_MISSING,
        "client-frozen",
        SERVER_4,
        CLIENT_4,
        "A real client is stopped (SIGSTOP): its kernel acknowledges the ping within a"
        " millisecond or so, its pong does not come.",
        [
            client_says("^3$"),
            server_says("^2$"),
            acknowledges_only(FROM_CLIENT),
            closes(FROM_SERVER),
        ],
        lacks=[f"{FROM_CLIENT} && tcp.flags.fin == 1", "tcp.analysis.retransmission"],
        serve={"options": QUICK},
        visit=_QUICK_VISIT,
        play=_client_freezes,
    ),
    Recording(
        PONG_MISSING,
        "network-gone",
        SERVER_4,
        CLIENT_4,
        "The wire to a real client is cut: the ping is sent again and again and never"
        " acknowledged. The server's close frame waits in the kernel behind it and is not seen.",
        [client_says("^3$"), server_says("^2$"), *[_RETRANSMITS] * 3],
        lacks=[ends(FROM_CLIENT), closes(FROM_SERVER)],
        serve={"options": QUICK},
        visit=_QUICK_VISIT,
        play=_wire_is_cut,
        relay=RelayPlan(),
    ),
    Recording(
        PONG_MISSING,
        "late-but-in-time",
        SERVER_4,
        CLIENT_4,
        "A real client is stopped for 400 ms around a ping; its pong comes just in time.",
        [*[server_says("^2$"), client_says("^3$")] * 3, client_says("^41$"), closes(FROM_CLIENT)],
        near_miss=True,
        serve={"options": QUICK},
        visit={**_QUICK_VISIT, "lifeMs": 4500},
        play=_client_naps,
    ),
]


def _server_freezes(stage: Stage) -> None:
    server = stage.start_server()
    with stage.capture():
        client = stage.start_client()
        time.sleep(1.5)
        server.freeze()
        client.wait(timeout=20)
        time.sleep(0.3)


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
        play=_server_freezes,
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
        serve={"options": {**QUICK, **COMPATIBLE["options"]}},
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
]

RECORDINGS = [*_CLIENT_PING, *_PONG_MISSING, *_PING_MISSING, *_NO_CLIENT_PING]
