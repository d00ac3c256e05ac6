# SPDX-License-Identifier: GPL-2.0-or-later
"""Proxies that answer in the place of a server, hold its answers back, or meet the end of its connections."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from lab import RelayPlan, Side

from faulty_peers import boxes
from faulty_peers.peers import CLIENT_4, DEV_PROXY, NOBODY, PAGE_4, PYTHON_CLIENT_POLLS, SERVER_4, Plan
from faulty_peers.plans import ONCE_POLLING, POLLING_ONLY, RETRIES_POLLING, RETRIES_WEBSOCKET, URL
from faulty_peers.stage import Recording, Rule, Stage
from faulty_peers.wire import ASKS_POLLING, ASKS_WEBSOCKET, FROM_SERVER, answers, asks, posts, resets

GATEWAY = Rule("gateway-5xx", "PROXY083")
RACE = Rule("keepalive-race", "HTTP085")

_NGINX = boxes.nginx_with("location / { proxy_pass http://127.0.0.1:3001; }")
_KEEPS = boxes.nginx_with(
    'location / { proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://socketio; }',
    http="upstream socketio { server 127.0.0.1:3001; keepalive 4; }",
)
_PATIENT_2S = boxes.nginx("proxy_read_timeout 2s;")
# No query in the address: nothing else of that module is needed.
_APACHE = boxes.apache("ProxyPass / http://127.0.0.1:3001/ timeout=2")
_HAPROXY = boxes.haproxy("retries 0")
_HAPROXY_2S = boxes.haproxy("timeout server 2s")


def _nobody_behind(start: boxes.Start) -> Callable[[Stage], None]:
    def play(stage: Stage) -> None:
        start(stage)
        stage.visit()

    return play


def _frozen_behind(start: boxes.Start) -> Callable[[Stage], None]:
    """The server is stopped (SIGSTOP) before anybody comes; its kernel takes connections all the same."""

    def play(stage: Stage) -> None:
        server = stage.start_server(port=3001)
        start(stage)
        server.freeze()
        stage.visit()

    return play


def _freezes_behind(start: boxes.Start) -> Callable[[Stage], None]:
    """The server is stopped while a client polls."""

    def play(stage: Stage) -> None:
        server = stage.start_server(port=3001)
        start(stage)
        with stage.capture():
            client = stage.start_client()
            time.sleep(0.5)
            server.freeze()
            client.wait(timeout=30)
            time.sleep(0.3)

    return play


def _restarts(stage: Stage) -> None:
    """The server is away for a while."""
    server = stage.start_server(port=3001)
    _NGINX(stage)
    with stage.capture():
        client = stage.start_client()
        time.sleep(0.5)
        server.stop()
        time.sleep(2)
        stage.start_server(port=3001)
        client.wait(timeout=30)
        time.sleep(0.3)


def _whole_visit_at(side: Side) -> Callable[[Stage], None]:
    def play(stage: Stage) -> None:
        stage.start_server()
        stage.visit(side)

    return play


def _nginx_meets_the_end(stage: Stage) -> None:
    """Nginx is stopped for a moment, so that a POST and the end of its idle connection to the server wait for it
    together, and it sees the POST first."""
    stage.start_server(port=3001)
    _KEEPS(stage)
    group = os.getpgid(int((stage.folder / "nginx" / "pid").read_text()))
    with stage.capture(device="any"):
        client = stage.start_client()
        time.sleep(1.7)
        os.killpg(group, signal.SIGSTOP)
        time.sleep(0.7)
        os.killpg(group, signal.SIGCONT)
        client.wait(timeout=40)
        time.sleep(0.3)


_WAITS: Plan = {**ONCE_POLLING, "lifeMs": 4000}

_GATEWAYS = [
    *[
        Recording(
            GATEWAY,
            name,
            NOBODY,
            CLIENT_4,
            f"{box} in front of a server that is not running.",
            [ASKS_POLLING, answers(status)],
            times=3,
            visit={**RETRIES_POLLING, "attempts": 3},
            play=_nobody_behind(start),
        )
        for name, box, status, start in (
            ("nginx-502", "nginx", 502, _NGINX),
            ("haproxy-503", "haproxy", 503, _HAPROXY),
            ("apache-503", "Apache httpd", 503, _APACHE),
        )
    ],
    *[
        Recording(
            GATEWAY,
            name,
            SERVER_4,
            CLIENT_4,
            f"{box} with a timeout of 2 s in front of a server that takes connections and never answers.",
            [ASKS_POLLING, answers(status)],
            times=3,
            visit={**RETRIES_POLLING, "attempts": 3},
            play=_frozen_behind(start),
        )
        for name, box, status, start in (
            ("nginx-504", "nginx", 504, _PATIENT_2S),
            ("haproxy-504", "haproxy", 504, _HAPROXY_2S),
            ("apache-502-timeout", "Apache httpd", 502, _APACHE),
        )
    ],
    Recording(
        GATEWAY,
        "dev-proxy-504",
        DEV_PROXY,
        CLIENT_4,
        "The proxy of a development server (http-proxy-middleware) in front of a server that is not running.",
        [ASKS_POLLING, answers(504, "trying to proxy")],
        times=3,
        serve={"to": 3001},
        visit={**RETRIES_POLLING, "attempts": 3},
    ),
    Recording(
        GATEWAY,
        "nginx-502-websocket",
        NOBODY,
        CLIENT_4,
        "nginx in front of a server that is not running; the client tries WebSocket alone.",
        [ASKS_WEBSOCKET, answers(502)],
        times=3,
        visit={**RETRIES_WEBSOCKET, "attempts": 3},
        play=_nobody_behind(boxes.nginx_with(f"location / {{ {boxes.NGINX_TO_SERVER} }}")),
    ),
    Recording(
        GATEWAY,
        "nginx-502-page",
        NOBODY,
        PAGE_4,
        "The same for a page of another origin: the browser tells it of CORS.",
        [ASKS_POLLING, answers(502)],
        times=2,
        visit={"url": URL, "options": POLLING_ONLY, "lifeMs": 3000},
        play=_nobody_behind(_NGINX),
    ),
    Recording(
        GATEWAY,
        "haproxy-504-poll",
        SERVER_4,
        CLIENT_4,
        "The server is stopped while a client polls: haproxy answers the poll with 504 after 2 s, though pings"
        " every second were agreed on.",
        [answers(200, "^0{"), asks("sid="), answers(504)],
        serve={"options": {"pingInterval": 1000, "pingTimeout": 20000}},
        visit=_WAITS,
        play=_freezes_behind(_HAPROXY_2S),
    ),
    Recording(
        GATEWAY,
        "nginx-502-restart",
        SERVER_4,
        CLIENT_4,
        "The server restarts behind nginx: 502 in the middle of a session, 502 for two handshakes, then all is well.",
        [answers(200, "^0{"), answers(502), answers(502), answers(200, "^0{")],
        visit={"url": URL, "options": POLLING_ONLY, "lifeMs": 6500},
        play=_restarts,
    ),
    Recording(
        GATEWAY,
        "server-up",
        SERVER_4,
        CLIENT_4,
        "The same nginx in front of a server that runs.",
        [ASKS_POLLING, answers(200, "^0{"), asks("sid=")],
        lacks=[answers(502)],
        near_miss=True,
        visit={"url": URL, "options": POLLING_ONLY, "lifeMs": 300},
        play=boxes.behind(_NGINX),
    ),
]

_REUSES: Plan = {
    "url": URL,
    "options": {"transports": ["polling"]},
    "lifeMs": 4600,
    "hello": {"times": 2, "everyMs": 2200},
}
# Node ends an idle connection a second after the time that it announces; that is told of 150 ms later.
_KEEPS_1S: Plan = {"keepAliveMs": 1000}
_FAR = RelayPlan(delay_ms=150)

_RACES = [
    Recording(
        RACE,
        f"python-client-at-{side}",
        SERVER_4,
        PYTHON_CLIENT_POLLS,
        "The server ends an idle connection (keepAliveTimeout of 1 s) while a POST is on its way to it: that is reset,"
        f" and the session is lost. Captured at the {side}.",
        [answers(200, "^ok$"), posts("^42"), resets(FROM_SERVER)],
        serve=_KEEPS_1S,
        visit=_REUSES,
        play=_whole_visit_at(side),
        relay=_FAR,
    )
    for side in ("client", "server")
] + [
    Recording(
        RACE,
        "nginx-both-hops",
        SERVER_4,
        PYTHON_CLIENT_POLLS,
        "nginx keeps connections to the server (keepalive); the server ends one while nginx, which was stopped for a"
        " moment, sends a POST over it: 502 for the client.",
        [answers(200, "^ok$"), "tcp.dstport == 3001 && http.request.method == POST", answers(502)],
        serve=_KEEPS_1S,
        visit={**_REUSES, "hello": {"times": 2, "everyMs": 1900}, "lifeMs": 3000},
        play=_nginx_meets_the_end,
    ),
    Recording(
        RACE,
        "patient-server",
        SERVER_4,
        PYTHON_CLIENT_POLLS,
        "The same at a server that keeps connections for 65 s.",
        [answers(200, "^ok$"), posts("^42"), answers(200, "^ok$"), posts("^42"), answers(200, "^ok$")],
        lacks=[resets(FROM_SERVER)],
        near_miss=True,
        serve={"keepAliveMs": 65000},
        visit=_REUSES,
        play=_whole_visit_at("client"),
        relay=_FAR,
    ),
]

RECORDINGS = [*_GATEWAYS, *_RACES]
