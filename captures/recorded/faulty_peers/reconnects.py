# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that come again and again, and servers that are not there."""

from __future__ import annotations

import time
from collections.abc import Callable

from lab import Lab, Side

from faulty_peers.peers import CLIENT_4, NOBODY, RAW_WS, SERVER_4
from faulty_peers.plans import OPEN_AND_CONNECT, PONGS, URL, WEBSOCKET_ONLY, WS_URL
from faulty_peers.stage import Recording, Rule, Stage
from faulty_peers.wire import (
    ASKS_POLLING,
    ASKS_WEBSOCKET,
    CONFIRMS,
    FROM_CLIENT,
    FROM_SERVER,
    answers,
    asks,
    closes,
    resets,
    retransmits,
    server_says,
)

CONNECT_LOOP = Rule("connect-loop", "EIO089")
NO_BACKOFF = Rule("no-backoff", "EIO091")
TCP_REFUSED = Rule("tcp-refused", "TCP101")
_SYN = f"{FROM_CLIENT} && tcp.flags.syn == 1"


def _restarts(times: int, up_s: float, down_s: float) -> Callable[[Stage], None]:
    """The server is killed after `up_s` and comes back after `down_s`, so often."""

    def play(stage: Stage) -> None:
        server = stage.start_server()
        with stage.capture():
            client = stage.start_client()
            for _ in range(times):
                time.sleep(up_s)
                server.stop()
                time.sleep(down_s)
                server = stage.start_server()
            client.wait(timeout=120)
            time.sleep(0.3)

    return play


_OPENED_AND_CLOSED = [
    ASKS_WEBSOCKET,
    server_says("^0{"),
    server_says("^40{"),
    closes(FROM_SERVER),
]

_LOOPS = [
    Recording(
        CONNECT_LOOP,
        "kicked-raw-500ms",
        SERVER_4,
        RAW_WS,
        "The server closes every session at once; a hand-written client comes back every 500 ms,"
        " eight times (which is no-backoff, too).",
        _OPENED_AND_CLOSED,
        times=8,
        serve={"kick": True},
        visit={
            "url": WS_URL,
            "answers": PONGS,
            "steps": OPEN_AND_CONNECT,
            "rounds": 8,
            "everyMs": 500,
        },
    ),
    Recording(
        CONNECT_LOOP,
        "kicked-real-client",
        SERVER_4,
        CLIENT_4,
        "The server closes every session at once; as each connection of the real client succeeds,"
        " its back-off starts anew, and it comes back after 0.5 s to 1.5 s for ever.",
        _OPENED_AND_CLOSED,
        times=5,
        serve={"kick": True},
        visit={"url": URL, "options": WEBSOCKET_ONLY, "lifeMs": 9000},
    ),
    Recording(
        CONNECT_LOOP,
        "two-restarts",
        SERVER_4,
        CLIENT_4,
        "Two restarts of the server; the client comes back, all but its last session live 11 s.",
        [asks("transport=websocket"), server_says("^40{"), server_says("greeting")],
        times=3,
        near_miss=True,
        visit={
            "url": URL,
            "options": WEBSOCKET_ONLY,
            "lifeMs": 32000,
            "hello": {"times": 1, "everyMs": 500},
        },
        play=_restarts(times=2, up_s=11, down_s=1),
    ),
    Recording(
        NO_BACKOFF,
        "refused-real-client-100ms",
        SERVER_4,
        CLIENT_4,
        "Every handshake is refused with 403; reconnectionDelay 100 ms without growth or"
        " randomness: ten attempts in a second.",
        [ASKS_POLLING, answers(403, "not for you")],
        times=10,
        serve={"forbid": True},
        visit={
            "url": URL,
            "options": {
                "reconnectionDelay": 100,
                "reconnectionDelayMax": 100,
                "randomizationFactor": 0,
            },
            "attempts": 10,
        },
    ),
    Recording(
        NO_BACKOFF,
        "refused-raw-500ms",
        SERVER_4,
        RAW_WS,
        "A hand-written client tries again every 500 ms, as the Arduino library does; the upgrade"
        " is refused with a bare 400.",
        [ASKS_WEBSOCKET, answers(400)],
        times=8,
        serve={"forbid": True},
        visit={"url": WS_URL, "rounds": 8, "everyMs": 500},
    ),
    Recording(
        NO_BACKOFF,
        "growing-delays",
        SERVER_4,
        CLIENT_4,
        "The server is away for 12 s; the client's delays are random and grow until it is back.",
        [server_says("^40{"), resets(FROM_SERVER), resets(FROM_SERVER), server_says("^40{")],
        near_miss=True,
        visit={"url": URL, "options": WEBSOCKET_ONLY, "lifeMs": 21000},
        play=_restarts(times=1, up_s=2, down_s=12),
    ),
]


def _nobody_there(side: Side = "client") -> Callable[[Stage], None]:
    def play(stage: Stage) -> None:
        stage.visit(side)

    return play


def _no_way_back(stage: Stage) -> None:
    # The SYN arrives, and the host has no route for an answer: from the client's side this cannot
    # be told from a firewall that drops.
    stage.lab.run_ip("server", ["route", "add", "blackhole", f"{Lab.client_ip}/32"])
    _nobody_there()(stage)


def _server_comes_late(stage: Stage) -> None:
    with stage.capture():
        client = stage.start_client(ready="LOG connect_error")
        stage.start_server()
        client.wait(timeout=60)
        time.sleep(0.3)


_TCP_REFUSED = [
    Recording(
        TCP_REFUSED,
        "nobody-listens",
        NOBODY,
        CLIENT_4,
        "Nothing listens on the port: each SYN is answered by RST, five attempts.",
        [_SYN, resets(FROM_SERVER)],
        times=5,
        visit={"url": URL, "attempts": 5},
        play=_nobody_there(),
    ),
    Recording(
        TCP_REFUSED,
        "syn-unanswered",
        NOBODY,
        CLIENT_4,
        "No answer to the SYN. Linux 6.5 and later sends it again every second at first, then with"
        " growing delays; the client's time-out of 20 s ends it.",
        [_SYN, *[retransmits(_SYN)] * 4],
        lacks=[FROM_SERVER],
        visit={"url": URL, "attempts": 1},
        play=_no_way_back,
    ),
    Recording(
        TCP_REFUSED,
        "server-comes-late",
        SERVER_4,
        CLIENT_4,
        "The first attempt is refused, then the server comes up and the client connects.",
        [_SYN, resets(FROM_SERVER), answers(200, "^0{"), CONFIRMS],
        near_miss=True,
        visit={"url": URL, "lifeMs": 5000},
        play=_server_comes_late,
    ),
]

RECORDINGS = [*_LOOPS, *_TCP_REFUSED]
