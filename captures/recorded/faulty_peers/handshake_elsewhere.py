# SPDX-License-Identifier: GPL-2.0-or-later
"""Handshakes that are answered by somebody else, or sent elsewhere."""

from __future__ import annotations

from faulty_peers import boxes
from faulty_peers.peers import (
    CLIENT_4,
    NGINX,
    PLAIN_SERVER,
    PYTHON_CLIENT,
    RAW_WS,
    REFUSING_4,
    SERVER_4,
    VITE,
    WEB_PAGE,
)
from faulty_peers.plans import RETRIES_POLLING, RETRIES_WEBSOCKET, TALKS, URL, WS_URL
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import ASKS_POLLING, ASKS_WEBSOCKET, answers, asks, server_tells

FOREIGN = Rule("not-an-engineio-answer", "HTTP011")
REDIRECT = Rule("handshake-redirect", "HTTP036")

_SPA = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>My shop</title></head>'
    '<body><div id="root"></div><script type="module" src="/main.js"></script></body></html>'
)

_PORTAL = (
    "<html><head><title>Guest Wi-Fi: please log in</title></head><body>"
    '<form method="post" action="/login"><input name="room"></form></body></html>'
)

_HTML = {"Content-Type": "text/html"}

_FOREIGN = [
    Recording(
        FOREIGN,
        "vite",
        VITE,
        CLIENT_4,
        "The development server of Vite, without a proxy rule, answers every path with index.html.",
        [ASKS_POLLING, answers(200, "<!doctype html")],
        times=4,
        serve={"page": _SPA},
        visit=RETRIES_POLLING,
    ),
    Recording(
        FOREIGN,
        "captive-portal",
        WEB_PAGE,
        CLIENT_4,
        "A captive portal answers every request with its login page.",
        [ASKS_POLLING, answers(200, "please log in")],
        times=4,
        serve={"headers": _HTML, "body": _PORTAL},
        visit=RETRIES_POLLING,
    ),
    Recording(
        FOREIGN,
        "spa-websocket",
        WEB_PAGE,
        CLIENT_4,
        "A server of a single-page application answers a WebSocket upgrade with its page.",
        [ASKS_WEBSOCKET, answers(200, "My shop")],
        times=4,
        lacks=[answers(101)],
        serve={"headers": _HTML, "body": _SPA},
        visit=RETRIES_WEBSOCKET,
    ),
    Recording(
        FOREIGN,
        "rest-service",
        PLAIN_SERVER,
        CLIENT_4,
        "A REST service that answers every path with JSON.",
        [ASKS_POLLING, answers(200, "lamp")],
        times=4,
        visit=RETRIES_POLLING,
    ),
    Recording(
        FOREIGN,
        "empty",
        WEB_PAGE,
        CLIENT_4,
        "A server that says 204 to everything.",
        [ASKS_POLLING, answers(204)],
        times=4,
        serve={"status": 204},
        visit=RETRIES_POLLING,
    ),
    Recording(
        FOREIGN,
        "page-elsewhere",
        REFUSING_4,
        CLIENT_4,
        "The application has a page for every other path, and Socket.IO is served.",
        [ASKS_POLLING, answers(200, "^0{"), server_tells("greeting")],
        near_miss=True,
        serve={"page": _SPA},
        visit=TALKS,
    ),
]

_REDIRECT = [
    Recording(
        REDIRECT,
        "to-https-websocket",
        NGINX,
        CLIENT_4,
        "nginx sends everybody from http to https; a WebSocket client does not follow.",
        [ASKS_WEBSOCKET, answers(301)],
        times=4,
        visit=RETRIES_WEBSOCKET,
        play=boxes.behind(boxes.nginx_with("return 301 https://chat.example$request_uri;"), ports=()),
    ),
    Recording(
        REDIRECT,
        "to-https-polling",
        NGINX,
        CLIENT_4,
        "The same over polling: the client follows to a name that it cannot resolve here.",
        [ASKS_POLLING, answers(301)],
        times=4,
        visit=RETRIES_POLLING,
        play=boxes.behind(boxes.nginx_with("return 301 https://chat.example$request_uri;"), ports=()),
    ),
    *[
        Recording(
            REDIRECT,
            f"followed-{status}",
            SERVER_4,
            PYTHON_CLIENT,
            f"nginx sends an old path to the new one; a client over polling follows. {outcome}",
            [
                asks("/old/?transport=polling&EIO=4"),
                answers(status),
                asks("/socket.io/?transport=polling&EIO=4"),
                answers(200, "^0{"),
                'http.request.method == "POST" && http.request.uri contains "/old/"',
                f'http.request.method == "{method}" && http.request.uri contains "/socket.io/"',
            ],
            visit={
                "url": URL,
                "options": {"transports": ["polling"], "socketio_path": "old"},
                "lifeMs": 1000,
            },
            play=boxes.behind(
                boxes.nginx_with(
                    f"location /old/ {{ return {status} /socket.io/$is_args$args; }}"
                    f" location /socket.io/ {{ {boxes.NGINX_TO_SERVER} }}"
                )
            ),
        )
        for status, method, outcome in (
            (301, "GET", "Each POST becomes a GET, and the CONNECT in it is lost."),
            (308, "POST", "Each request is sent twice, and all arrives."),
        )
    ],
    Recording(
        REDIRECT,
        "slash-websocket",
        SERVER_4,
        RAW_WS,
        "nginx has the location /socket.io/ and sends who asks for /socket.io there: 301, which a"
        " WebSocket client takes for a failure.",
        [asks("/socket.io?EIO=4&transport=websocket"), answers(301)],
        times=3,
        visit={"url": WS_URL.replace("/?", "?"), "rounds": 3, "everyMs": 500},
        play=boxes.behind(boxes.nginx_with(f"location /socket.io/ {{ {boxes.NGINX_TO_SERVER} }}")),
    ),
    Recording(
        REDIRECT,
        "page-elsewhere",
        SERVER_4,
        CLIENT_4,
        "nginx sends everything but Socket.IO to https.",
        [ASKS_POLLING, answers(200, "^0{"), server_tells("greeting")],
        lacks=[answers(301)],
        near_miss=True,
        visit=TALKS,
        play=boxes.behind(
            boxes.nginx_with(
                "location / { return 301 https://$host$request_uri; }",
                f"location /socket.io/ {{ {boxes.NGINX_TO_SERVER} }}",
            )
        ),
    ),
    Recording(
        REDIRECT,
        "308-slash-removed",
        WEB_PAGE,
        CLIENT_4,
        "A web framework takes the slash off every path, as Next.js does: 308.",
        [ASKS_POLLING, answers(308)],
        times=3,
        serve={"status": 308, "headers": {"Location": "/socket.io?EIO=4&transport=polling"}},
        visit={**RETRIES_POLLING, "attempts": 3},
    ),
]

RECORDINGS = [*_FOREIGN, *_REDIRECT]
