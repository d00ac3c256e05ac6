# SPDX-License-Identifier: GPL-2.0-or-later
"""Sessions that one client has at the same time, sessions that are left behind, and servers that do not answer."""

from __future__ import annotations

import time
from collections.abc import Callable

from faulty_peers.peers import CLIENT_4, FLEET, FLEET_SERVER, LEAKY_PAGE, PYTHON_CLIENT, SERVER_4, Plan
from faulty_peers.plans import POLLING_ONLY, QUICK, URL, WEBSOCKET_ONLY
from faulty_peers.stage import Recording, Rule, Stage
from faulty_peers.wire import (
    ASKS_POLLING,
    ASKS_WEBSOCKET,
    FROM_CLIENT,
    FROM_SERVER,
    acknowledges_only,
    asks,
    client_says,
    closes,
    ends,
    server_says,
)

DUPLICATES = Rule("duplicate-connections", "EIO092")
NO_MULTIPLEXING = Rule("no-multiplexing", "SIO093")
ABANDONED = Rule("abandoned-session", "EIO094")
SILENT = Rule("server-silent", "TCP206")

_NAMES = ["/news", "/chat", "/admin"]


def _fleet(count: int, life_ms: int, options: Plan = WEBSOCKET_ONLY, **more: object) -> Plan:
    return {"url": URL, "options": options, "count": count, "lifeMs": life_ms, **more}


def _clients_freeze(stage: Stage) -> None:
    stage.start_server()
    with stage.capture():
        client = stage.start_client()
        time.sleep(1.5)
        client.freeze()
        time.sleep(3)


def _server_is_stopped(before: bool) -> Callable[[Stage], None]:
    """A server that listens is stopped (SIGSTOP) before anybody comes, for good or for a while."""

    def play(stage: Stage) -> None:
        server = stage.start_server()
        server.freeze()
        with stage.capture():
            client = stage.start_client(ready=None)
            if not before:
                time.sleep(0.9)
                server.thaw()
            client.wait(timeout=60)
            time.sleep(0.3)

    return play


_COMPANY = [
    Recording(
        DUPLICATES,
        "one-a-second",
        SERVER_4,
        FLEET,
        "A program that calls io() again each second, as a component does that is drawn again, and closes nothing.",
        [*[ASKS_WEBSOCKET] * 5, *[closes(FROM_CLIENT)] * 5],
        visit=_fleet(5, 5000, everyMs=800),
    ),
    Recording(
        DUPLICATES,
        "polling-program-ends",
        SERVER_4,
        FLEET,
        "The same over polling; the program ends without a goodbye.",
        [ASKS_POLLING] * 4,
        visit=_fleet(4, 2600, POLLING_ONLY, everyMs=500, leave="exit"),
    ),
    Recording(
        DUPLICATES,
        "chromium-page",
        SERVER_4,
        LEAKY_PAGE,
        "A page in Chromium that calls io() again whenever it draws itself, four times; then it is left.",
        [*[ASKS_WEBSOCKET] * 4, *[closes(FROM_CLIENT, 1001)] * 4],
        serve={"options": {"cors": {"origin": "*"}}},
        visit=_fleet(4, 3500, everyMs=700),
    ),
    Recording(
        DUPLICATES,
        "all-at-once",
        SERVER_4,
        FLEET,
        "Five clients in one program that come all at once, as in a load test.",
        [*[ASKS_WEBSOCKET] * 5, *[closes(FROM_CLIENT)] * 5],
        near_miss=True,
        visit=_fleet(5, 1500),
    ),
    Recording(
        NO_MULTIPLEXING,
        "three-namespaces",
        FLEET_SERVER,
        FLEET,
        "Three namespaces, each over a connection of its own (forceNew).",
        [client_says("^40/news,"), client_says("^40/chat,"), client_says("^40/admin,")],
        serve={"namespaces": _NAMES},
        visit=_fleet(3, 1500, everyMs=100, namespaces=_NAMES),
    ),
    Recording(
        NO_MULTIPLEXING,
        "one-connection",
        FLEET_SERVER,
        FLEET,
        "The same three namespaces over one connection, as by default.",
        [client_says("^40/news,"), client_says("^40/chat,"), client_says("^40/admin,")],
        near_miss=True,
        serve={"namespaces": _NAMES},
        visit=_fleet(3, 1500, everyMs=100, namespaces=_NAMES, shared=True),
    ),
    Recording(
        ABANDONED,
        "clients-frozen",
        SERVER_4,
        FLEET,
        "Three clients are put to sleep (SIGSTOP), as a phone does with apps; the server gives their sessions up.",
        [*[server_says("^2$")] * 3, *[closes(FROM_SERVER)] * 3],
        serve={"options": QUICK},
        visit=_fleet(3, 20_000),
        play=_clients_freeze,
    ),
]

_SILENT = [
    Recording(
        SILENT,
        "stopped",
        SERVER_4,
        CLIENT_4,
        "A server whose process is stopped (SIGSTOP): the kernel accepts and acknowledges, nobody answers; the client"
        " gives up after its timeout of 2 s, three times.",
        [ASKS_WEBSOCKET, acknowledges_only(FROM_SERVER), ends(FROM_CLIENT)],
        times=3,
        lacks=[f"{FROM_SERVER} && tcp.len > 0"],
        visit={"url": URL, "options": {**WEBSOCKET_ONLY, "timeout": 2000}, "attempts": 3},
        play=_server_is_stopped(before=True),
    ),
    Recording(
        SILENT,
        "stopped-python-client",
        SERVER_4,
        PYTHON_CLIENT,
        "The same with python-socketio, which polls first and waits for 5 s.",
        [asks("transport=polling"), acknowledges_only(FROM_SERVER), ends(FROM_CLIENT)],
        lacks=[f"{FROM_SERVER} && tcp.len > 0"],
        visit={"url": URL, "attempts": 1},
        play=_server_is_stopped(before=True),
    ),
    Recording(
        SILENT,
        "answers-late",
        SERVER_4,
        CLIENT_4,
        "A server that is stopped for a moment and then answers.",
        [ASKS_WEBSOCKET, acknowledges_only(FROM_SERVER), server_says("^0{")],
        near_miss=True,
        visit={"url": URL, "options": WEBSOCKET_ONLY, "lifeMs": 2500},
        play=_server_is_stopped(before=False),
    ),
]

RECORDINGS = [*_COMPANY, *_SILENT]
