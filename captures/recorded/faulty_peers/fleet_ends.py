# SPDX-License-Identifier: GPL-2.0-or-later
"""Sessions that end together, or break off one by one, and how their clients come back."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from faulty_peers import boxes
from faulty_peers.peers import ASGI_MOUNTED, CLIENT_4, FLEET, FLEET_2, FLEET_SERVER, PYTHON_5, SERVER_2, SERVER_4, Plan
from faulty_peers.plans import URL, WEBSOCKET_ONLY
from faulty_peers.stage import Recording, Rule, Stage
from faulty_peers.wire import ASKS_WEBSOCKET, FROM_CLIENT, FROM_SERVER, answers, closes, ends, resets, server_says

MASS_CLOSE = Rule("mass-close", "PROXY084")
STORM = Rule("reconnect-storm", "EIO090")
DIED = Rule("server-died", "TCP207")
ABNORMAL = Rule("ws-abnormal-close", "WS098")

_NO_JITTER: Plan = {**WEBSOCKET_ONLY, "randomizationFactor": 0}
_OPENED = server_says("^0{")
_UNTIL_TALKED_S = 2.5


def _fleet(count: int, life_ms: int, options: Plan = WEBSOCKET_ONLY, **more: object) -> Plan:
    return {"url": URL, "options": options, "count": count, "lifeMs": life_ms, "talks": {"everyMs": 200}, **more}


def _proxy_is_reloaded(stage: Stage) -> None:
    """While the clients are connected; nginx ends what its old workers have 100 ms later."""
    passes = f"location / {{ {boxes.NGINX_TO_SERVER} proxy_read_timeout 60s; }}"
    boxes.serve_behind(stage, boxes.nginx_with(passes, main="worker_shutdown_timeout 100ms;"))
    with stage.capture():
        client = stage.start_client()
        time.sleep(_UNTIL_TALKED_S)
        stage.lab.run("server", ["sh", "-c", f"kill -HUP $(cat {stage.folder}/nginx/pid)"])
        client.wait(timeout=60)
        time.sleep(0.3)


def _server_ends(by: signal.Signals, away_s: float | None) -> Callable[[Stage], None]:
    """By a signal, while the clients are connected; it comes back after a while."""

    def play(stage: Stage) -> None:
        server = stage.start_server()
        with stage.capture():
            client = stage.start_client()
            time.sleep(_UNTIL_TALKED_S)
            server.stop(by)
            if away_s is not None:
                time.sleep(away_s)
                stage.start_server()
            client.wait(timeout=60)
            time.sleep(0.3)

    return play


def _server_behind_nginx_is_killed(stage: Stage) -> None:
    server = stage.start_server(port=3001)
    boxes.nginx_with(f"location / {{ {boxes.NGINX_TO_SERVER} }}")(stage)
    with stage.capture():
        client = stage.start_client()
        time.sleep(_UNTIL_TALKED_S)
        server.stop(signal.SIGKILL)
        time.sleep(1.0)
        stage.start_server(port=3001)
        client.wait(timeout=60)
        time.sleep(0.3)


def _client_is_killed(back: bool) -> Callable[[Stage], None]:
    def play(stage: Stage) -> None:
        stage.start_server()
        with stage.capture():
            for _ in range(2 if back else 1):
                client = stage.start_client()
                time.sleep(1.2)
                client.stop(signal.SIGKILL)
                time.sleep(0.8)
            if back:
                stage.start_client(lifeMs=1000).wait(timeout=20)
            time.sleep(0.3)

    return play


_MASS = [
    Recording(
        MASS_CLOSE,
        "server-closes",
        FLEET_SERVER,
        FLEET,
        "A server is told to end (SIGTERM) and closes in order, by io.close(): a close frame for each of six clients.",
        [*[_OPENED] * 6, *[closes(FROM_SERVER)] * 6, *[ASKS_WEBSOCKET] * 6],
        visit=_fleet(6, 9000),
        play=_server_ends(signal.SIGTERM, 0.5),
    ),
    Recording(
        MASS_CLOSE,
        "uvicorn-stops",
        ASGI_MOUNTED,
        FLEET,
        "uvicorn is told to end (SIGTERM): it closes each WebSocket with code 1012, service restart.",
        [*[_OPENED] * 4, *[closes(FROM_SERVER, 1012)] * 4],
        serve={"mount": "/"},
        visit=_fleet(4, 4500),
        play=_server_ends(signal.SIGTERM, None),
    ),
    Recording(
        MASS_CLOSE,
        "clients-leave",
        SERVER_4,
        FLEET,
        "Six clients leave at once, in order.",
        [*[_OPENED] * 6, *[closes(FROM_CLIENT)] * 6],
        near_miss=True,
        visit=_fleet(6, 2500),
    ),
    Recording(
        MASS_CLOSE,
        "program-ends",
        SERVER_4,
        FLEET,
        "The program in which six clients run is ended without a goodbye.",
        [*[_OPENED] * 6, *[ends(FROM_CLIENT)] * 6],
        near_miss=True,
        visit=_fleet(6, 2500, leave="exit"),
    ),
]

_STORM = [
    Recording(
        STORM,
        "no-jitter",
        SERVER_4,
        FLEET,
        "nginx with a worker_shutdown_timeout is reloaded: ten connections are ended at once. The clients, with a"
        " randomizationFactor of 0, come back in the same moment, one second later.",
        [*[ends(FROM_SERVER)] * 10, *[ASKS_WEBSOCKET] * 10],
        visit=_fleet(10, 4300, _NO_JITTER, talks=None, everyMs=50, leave="exit"),
        play=_proxy_is_reloaded,
    ),
    Recording(
        STORM,
        "jitter",
        SERVER_4,
        FLEET,
        "The same with the defaults, and sessions that have been silent for different times: the clients come back one"
        " after the other, within a second.",
        [*[ends(FROM_SERVER)] * 10, *[ASKS_WEBSOCKET] * 10],
        near_miss=True,
        visit=_fleet(10, 4800, everyMs=50, leave="exit"),
        play=_proxy_is_reloaded,
    ),
]

_DIED = [
    Recording(
        DIED,
        "killed",
        SERVER_4,
        FLEET,
        "A server with four clients is killed (SIGKILL); connections are refused until it is back.",
        [*[_OPENED] * 4, *[ends(FROM_SERVER)] * 4, resets(FROM_SERVER), *[_OPENED] * 3],
        visit=_fleet(4, 10_500),
        play=_server_ends(signal.SIGKILL, 2.0),
    ),
    Recording(
        DIED,
        "killed-behind-nginx",
        SERVER_4,
        FLEET,
        "The same behind nginx, with three clients: nginx ends their connections and answers 502 until the server is"
        " back.",
        [*[_OPENED] * 3, *[ends(FROM_SERVER)] * 3, answers(502), *[_OPENED] * 3],
        visit=_fleet(3, 9000),
        play=_server_behind_nginx_is_killed,
    ),
    Recording(
        DIED,
        "killed-python5-server",
        PYTHON_5,
        FLEET,
        "The same with python-socketio, which does not come back.",
        [*[_OPENED] * 3, *[ends(FROM_SERVER)] * 3, resets(FROM_SERVER)],
        visit=_fleet(3, 8000),
        play=_server_ends(signal.SIGKILL, None),
    ),
    Recording(
        DIED,
        "killed-v2-server",
        SERVER_2,
        FLEET_2,
        "The same with Socket.IO 2 and polls that wait, three clients.",
        [*[ends(FROM_SERVER)] * 3, resets(FROM_SERVER)],
        visit=_fleet(3, 6500, {"transports": ["polling"], "reconnectionDelay": 2000}),
        play=_server_ends(signal.SIGKILL, 1.0),
    ),
]

_ABNORMAL = [
    Recording(
        ABNORMAL,
        "server-terminates",
        FLEET_SERVER,
        CLIENT_4,
        "A server that destroys the connection of a client 1.5 s after it has come, without a close frame.",
        [_OPENED, ends(FROM_SERVER)],
        times=2,
        lacks=[closes(FROM_SERVER)],
        serve={"terminateMs": 1300},
        visit={"url": URL, "options": WEBSOCKET_ONLY, "lifeMs": 4500},
    ),
    Recording(
        ABNORMAL,
        "client-killed",
        SERVER_4,
        CLIENT_4,
        "A client is killed (SIGKILL) and started again, twice.",
        [_OPENED, ends(FROM_CLIENT), _OPENED, ends(FROM_CLIENT), _OPENED, closes(FROM_CLIENT)],
        visit={"url": URL, "options": WEBSOCKET_ONLY},
        play=_client_is_killed(back=True),
    ),
    Recording(
        ABNORMAL,
        "client-does-not-come-back",
        SERVER_4,
        CLIENT_4,
        "A client is killed, and that was the end of it.",
        [_OPENED, ends(FROM_CLIENT)],
        near_miss=True,
        visit={"url": URL, "options": WEBSOCKET_ONLY},
        play=_client_is_killed(back=False),
    ),
]

RECORDINGS = [*_MASS, *_STORM, *_DIED, *_ABNORMAL]
