# SPDX-License-Identifier: GPL-2.0-or-later
"""Pongs that do not come."""

from __future__ import annotations

import time

from lab import RelayPlan

from faulty_peers.peers import CLIENT_2, CLIENT_4, PYTHON_5, RAW_POLLING, RAW_WS, SERVER_2, SERVER_4, SERVER_4_7
from faulty_peers.plans import CONNECT, ONCE_WEBSOCKET, OPEN_AND_CONNECT, PONGS, QUICK, QUICK_PYTHON, WS_URL, by_hand
from faulty_peers.plays import client_freezes, server_freezes, wire_is_cut
from faulty_peers.stage import Recording, Rule, Stage
from faulty_peers.wire import (
    FROM_CLIENT,
    FROM_SERVER,
    acknowledges_only,
    answers,
    client_says,
    closes,
    ends,
    posts,
    retransmits,
    server_says,
)

PONG_MISSING = Rule("pong-missing", "EIO039")
CHATTY = Rule("chatty-but-no-pong", "EIO044")
_QUICK_VISIT = {**ONCE_WEBSOCKET, "lifeMs": 7000}


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
        serve={"options": QUICK_PYTHON},
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
        visit=by_hand(*CONNECT, ["get"], ["get"]),
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
        lacks=[ends(FROM_CLIENT), "tcp.analysis.retransmission"],
        serve={"options": QUICK},
        visit=_QUICK_VISIT,
        play=client_freezes,
    ),
    Recording(
        PONG_MISSING,
        "network-gone",
        SERVER_4,
        CLIENT_4,
        "The wire to a real client is cut: the ping is sent again and again and never"
        " acknowledged. The server's close frame waits in the kernel behind it and is not seen.",
        [client_says("^3$"), server_says("^2$"), *[retransmits(FROM_SERVER)] * 3],
        lacks=[ends(FROM_CLIENT), closes(FROM_SERVER)],
        serve={"options": QUICK},
        visit=_QUICK_VISIT,
        play=wire_is_cut("server"),
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
    Recording(
        PONG_MISSING,
        "v2-server-frozen",
        SERVER_2,
        CLIENT_2,
        "Revision 3, where the client pings: the server is stopped (SIGSTOP), its kernel"
        " acknowledges the ping, no pong comes, the client closes.",
        [client_says("^2$"), server_says("^3$"), client_says("^2$"), acknowledges_only(FROM_SERVER)],
        lacks=[closes(FROM_SERVER), retransmits(FROM_CLIENT)],
        serve={"options": QUICK},
        visit=_QUICK_VISIT,
        play=server_freezes,
    ),
    Recording(
        PONG_MISSING,
        "v2-network-gone",
        SERVER_2,
        CLIENT_2,
        "Revision 3: the wire is cut, and captured at the client: its ping is sent again and again.",
        [client_says("^2$"), server_says("^3$"), client_says("^2$"), *[retransmits(FROM_CLIENT)] * 3],
        lacks=[closes(FROM_SERVER)],
        serve={"options": QUICK},
        visit=_QUICK_VISIT,
        play=wire_is_cut("client"),
        relay=RelayPlan(),
    ),
]

_TALKS_ON = [*OPEN_AND_CONNECT, *[["send", '42["hello","word"]'], ["wait", 350]] * 12]
_CHATTY_VISIT = {"url": WS_URL, "steps": _TALKS_ON, "patienceMs": 300}
_HELLO = client_says("^42")

_CHATTY = [
    Recording(
        CHATTY,
        "v4.8-server",
        SERVER_4,
        RAW_WS,
        "The client sends an event every 0.35 s and never a pong: the server closes when"
        " pingTimeout is over, in the middle of the talk.",
        [server_says("^40{"), _HELLO, server_says("^2$"), _HELLO, closes(FROM_SERVER)],
        lacks=[client_says("^3$")],
        serve={"options": QUICK},
        visit=_CHATTY_VISIT,
    ),
    Recording(
        CHATTY,
        "v4.7-server",
        SERVER_4_7,
        RAW_WS,
        "The same client with socket.io 4.7, which takes any packet for a sign of life: the session lives.",
        [server_says("^40{"), server_says("^2$"), *[_HELLO] * 6, closes(FROM_CLIENT)],
        lacks=[client_says("^3$")],
        serve={"options": {"pingInterval": 5000, "pingTimeout": 2000}},
        visit={
            **_CHATTY_VISIT,
            "steps": [*OPEN_AND_CONNECT, *[["send", '42["hello","word"]'], ["wait", 900]] * 12],
        },
    ),
    Recording(
        CHATTY,
        "python5-server",
        PYTHON_5,
        RAW_WS,
        "The same client with python-socketio, which wants the pong.",
        [server_says("^40{"), server_says("^2$"), _HELLO, closes(FROM_SERVER, 1000)],
        lacks=[client_says("^3$")],
        serve={"options": QUICK_PYTHON},
        visit=_CHATTY_VISIT,
    ),
    Recording(
        CHATTY,
        "with-pongs",
        SERVER_4,
        RAW_WS,
        "The same talk of a client that answers pings.",
        [server_says("^2$"), client_says("^3$"), *[_HELLO] * 2],
        times=3,
        near_miss=True,
        serve={"options": QUICK},
        visit={**_CHATTY_VISIT, "answers": PONGS},
    ),
]

RECORDINGS = [*_PONG_MISSING, *_CHATTY]
