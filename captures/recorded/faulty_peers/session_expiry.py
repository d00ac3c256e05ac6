# SPDX-License-Identifier: GPL-2.0-or-later
"""Sessions that the server has ended, and the client has not."""

from __future__ import annotations

import time

from faulty_peers.peers import CLIENT_4, PYTHON_5, RAW_POLLING, SERVER_4
from faulty_peers.plans import CONNECT, POLLING_ONLY, QUICK, URL, by_hand
from faulty_peers.stage import Recording, Rule, Stage
from faulty_peers.wire import FROM_SERVER, SESSION_UNKNOWN, answers, asks, ends, posts

EXPIRED = Rule("sid-expired", "EIO017")


def _frozen(stage: Stage) -> None:
    stage.start_server()
    with stage.capture():
        client = stage.start_client()
        time.sleep(1.2)
        client.freeze()
        time.sleep(4)
        client.thaw()
        client.wait(timeout=60)
        time.sleep(0.3)


def _restart_of_the_server(stage: Stage) -> None:
    server = stage.start_server()
    with stage.capture():
        client = stage.start_client(ready="READY")
        time.sleep(0.5)
        server.stop()
        stage.start_server()
        client.wait(timeout=60)
        time.sleep(0.3)


def _four_clients(stage: Stage) -> None:
    server = stage.start_server()
    with stage.capture():
        clients = [stage.start_client() for _ in range(4)]
        time.sleep(1)
        server.stop()
        stage.start_server()
        for client in clients:
            client.wait(timeout=60)
        time.sleep(0.3)


_INSISTS: list[list[object]] = [["get"], ["wait", 300]] * 5

_EXPIRED = [
    Recording(
        EXPIRED,
        "server-restarted",
        SERVER_4,
        RAW_POLLING,
        "A hand-written client polls; the server is restarted while a poll is pending, and does not"
        " know the session any more. The client opens a new one.",
        [answers(200, "^0{"), ends(FROM_SERVER), SESSION_UNKNOWN, answers(200, "^0{"), posts("^40$")],
        visit=by_hand(*CONNECT, ["ready"], ["get"], ["wait", 2500], ["get"], ["wait", 300], retry=True),
        play=_restart_of_the_server,
    ),
    Recording(
        EXPIRED,
        "server-restarted-client-insists",
        SERVER_4,
        RAW_POLLING,
        "The server is restarted while a poll is pending; this hand-written client knows"
        " nothing better than to ask again and again with the old id.",
        [answers(200, "^0{"), ends(FROM_SERVER), *[SESSION_UNKNOWN] * 5],
        visit=by_hand(*CONNECT, ["ready"], ["get"], ["wait", 2500], *_INSISTS),
        play=_restart_of_the_server,
    ),
    Recording(
        EXPIRED,
        "polls-too-seldom",
        SERVER_4,
        RAW_POLLING,
        "A hand-written client that polls now and then and not all the time: between two polls the"
        " server has waited for longer than interval and timeout, and has ended the session.",
        [answers(200, "^0{"), asks("sid="), SESSION_UNKNOWN],
        serve={"options": QUICK},
        visit=by_hand(*CONNECT, ["wait", 3000], ["get"], ["wait", 200], retry=True),
    ),
    Recording(
        EXPIRED,
        "polls-too-seldom-python5-server",
        PYTHON_5,
        RAW_POLLING,
        "A hand-written client polls python-socketio now and then and not all the time:"
        " between two polls the time of its session is over.",
        [answers(200, "^0{"), asks("sid="), answers(400, "Invalid session|disconnected")],
        serve={"options": {"ping_interval": 1, "ping_timeout": 1}},
        visit=by_hand(*CONNECT, ["wait", 5000], ["get"], ["wait", 200]),
    ),
    Recording(
        EXPIRED,
        "client-frozen",
        SERVER_4,
        CLIENT_4,
        "The client is stopped for 4 s, longer than interval and timeout; when it wakes up, it takes"
        " the ping that waited for it, answers it, and is told that its session is unknown.",
        [answers(200, "^2$"), posts("^3"), SESSION_UNKNOWN, answers(200, "^0{")],
        serve={"options": QUICK},
        visit={"url": URL, "options": POLLING_ONLY, "lifeMs": 7000},
        play=_frozen,
    ),
    Recording(
        EXPIRED,
        "real-clients-at-a-restart",
        SERVER_4,
        CLIENT_4,
        "Four real clients poll while the server is restarted: each takes the end of its poll for what"
        " it is, and opens a new session without asking for the old one.",
        [*[answers(200, "^0{")] * 4, *[ends(FROM_SERVER)] * 4, *[answers(200, "^0{")] * 4],
        lacks=[SESSION_UNKNOWN],
        near_miss=True,
        visit={"url": URL, "options": POLLING_ONLY, "lifeMs": 6000},
        play=_four_clients,
    ),
]

RECORDINGS = [*_EXPIRED]
