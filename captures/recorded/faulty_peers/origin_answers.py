# SPDX-License-Identifier: GPL-2.0-or-later
"""Origins that a server does not accept."""

from __future__ import annotations

from collections.abc import Callable

from lab import Lab

from faulty_peers import boxes
from faulty_peers.cors_answers import PAGE_ORIGIN
from faulty_peers.peers import CLIENT_2, FLASK, PAGE_4, PYTHON_4, PYTHON_5, Plan
from faulty_peers.plans import POLLING_ONLY, RETRIES_POLLING, URL, WEBSOCKET_ONLY
from faulty_peers.stage import Recording, Rule, Stage
from faulty_peers.wire import ASKS_POLLING, ASKS_WEBSOCKET, answers, posts, server_tells

REJECTED = Rule("origin-rejected", "HTTP088")

_REFUSED = answers(400, "accepted origin")
_VISITS: Plan = {"url": URL, "options": POLLING_ONLY, "lifeMs": 5500}
_TLS_IN_FRONT = {"extraHeaders": {"Origin": URL.replace("http://", "https://")}}


def _one_address(passes: str) -> boxes.Start:
    """Nginx that passes the page and Socket.IO on, so that both have one origin."""
    return boxes.nginx_with(
        f"location /socket.io/ {{ proxy_pass http://127.0.0.1:3001; {passes} }}",
        "location / { proxy_pass http://127.0.0.1:8000; }",
        # Not on the recorded port.
        f"location /library.js {{ return 302 http://{Lab.server_ip}:8000/library.js; }}",
    )


def _same_origin(start: boxes.Start) -> Callable[[Stage], None]:
    def play(stage: Stage) -> None:
        boxes.serve_behind(stage, start)
        pages = stage.start_client("LISTENING", on="server", host="0.0.0.0", role="page")
        with stage.capture(filter="tcp port 3000"):
            browser = stage.start_client(None, role="browser", open=f"{URL}/")
            pages.wait(timeout=60)
            browser.stop()

    return play


_REJECTED = [
    Recording(
        REJECTED,
        "python5-server",
        PYTHON_5,
        PAGE_4,
        "A page of another origin at python-socketio as it comes, which accepts its own alone.",
        [ASKS_POLLING, _REFUSED],
        times=3,
        visit=_VISITS,
    ),
    Recording(
        REJECTED,
        "flask-websocket",
        FLASK,
        PAGE_4,
        "The same over WebSocket, at Flask-SocketIO.",
        [ASKS_WEBSOCKET, answers(400)],
        times=3,
        visit={**_VISITS, "options": WEBSOCKET_ONLY},
    ),
    Recording(
        REJECTED,
        "python4-tls-in-front",
        PYTHON_4,
        CLIENT_2,
        "Behind a proxy that ends TLS and does not say so: the page is of https, and the server takes itself for http."
        " The client in Node stands for the browser and the proxy.",
        [ASKS_POLLING.replace("EIO=4", "EIO=3"), _REFUSED],
        times=4,
        visit={
            **RETRIES_POLLING,
            "options": {**POLLING_ONLY, **_TLS_IN_FRONT, "transportOptions": {"polling": _TLS_IN_FRONT}},
        },
    ),
    Recording(
        REJECTED,
        "nginx-host-not-passed",
        PYTHON_5,
        PAGE_4,
        "nginx serves page and Socket.IO under one address, and tells the server another host (proxy_pass alone does):"
        " the GETs of the browser have no Origin and are served, its POSTs have one and are refused.",
        [ASKS_POLLING, answers(200, "^0{"), posts("^40"), _REFUSED],
        visit={**_VISITS, "lifeMs": 3000},
        play=_same_origin(_one_address("")),
    ),
    Recording(
        REJECTED,
        "nginx-host-passed",
        PYTHON_5,
        PAGE_4,
        "The same nginx with proxy_set_header Host.",
        [ASKS_POLLING, answers(200, "^0{"), posts("^40"), server_tells("greeting")],
        lacks=[_REFUSED],
        near_miss=True,
        visit={**_VISITS, "hello": "text", "lifeMs": 1000},
        play=_same_origin(_one_address("proxy_set_header Host $http_host;")),
    ),
    Recording(
        REJECTED,
        "accepted",
        PYTHON_5,
        PAGE_4,
        "The page of another origin, which cors_allowed_origins names.",
        [ASKS_POLLING, answers(200, "^0{"), server_tells("greeting")],
        lacks=[_REFUSED],
        near_miss=True,
        serve={"options": {"cors_allowed_origins": [PAGE_ORIGIN]}},
        visit={**_VISITS, "hello": "text", "lifeMs": 1000},
    ),
]

RECORDINGS = _REJECTED
