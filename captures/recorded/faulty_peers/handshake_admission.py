# SPDX-License-Identifier: GPL-2.0-or-later
"""Handshakes that are forbidden, or answered late."""

from __future__ import annotations

from faulty_peers import boxes
from faulty_peers.peers import (
    ASGI_MOUNTED,
    CLIENT_2,
    CLIENT_4,
    PYTHON_CLIENT,
    REFUSING_2,
    REFUSING_4,
    REFUSING_ENGINE,
    SERVER_4,
)
from faulty_peers.plans import POLLING_ONLY, RETRIES, RETRIES_POLLING, RETRIES_WEBSOCKET, TALKS, URL, WEBSOCKET_ONLY
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import ASKS_POLLING, ASKS_WEBSOCKET, FROM_CLIENT, answers, asks, ends, server_says, server_tells

FORBIDDEN = Rule("handshake-forbidden", "EIO014")
LATE = Rule("open-late", "EIO015")
_COOKIE = {"cookie": "session=s3cret"}
_HAS_COOKIE = {"extraHeaders": {"Cookie": "session=s3cret"}}

_FORBIDDEN = [
    Recording(
        FORBIDDEN,
        "cookie-missing-v4-server",
        REFUSING_4,
        CLIENT_4,
        "allowRequest wants the cookie of a login, which the client does not send: 403 code 4.",
        [ASKS_POLLING, answers(403, "login first")],
        times=4,
        serve=_COOKIE,
        visit=RETRIES,
    ),
    Recording(
        FORBIDDEN,
        "websocket-v4-server",
        REFUSING_4,
        CLIENT_4,
        "The same over WebSocket: a bare 400, and the application's words as its body.",
        [ASKS_WEBSOCKET, answers(400, "login first")],
        times=4,
        serve=_COOKIE,
        visit=RETRIES_WEBSOCKET,
    ),
    Recording(
        FORBIDDEN,
        "v2-server",
        REFUSING_2,
        CLIENT_2,
        "A 2.x server says 403 code 4, too.",
        [asks("EIO=3&transport=polling"), answers(403, "login first")],
        times=4,
        serve=_COOKIE,
        visit=RETRIES,
    ),
    Recording(
        FORBIDDEN,
        "python-engineio-polling",
        REFUSING_ENGINE,
        CLIENT_4,
        "The application of a python-engineio server returns False: 401.",
        [ASKS_POLLING, answers(401, "Unauthorized")],
        times=4,
        visit={**RETRIES_POLLING, "options": {**POLLING_ONLY, "path": "/engine.io"}},
    ),
    Recording(
        FORBIDDEN,
        "python-engineio-websocket",
        REFUSING_ENGINE,
        CLIENT_4,
        "The same over WebSocket.",
        [ASKS_WEBSOCKET],
        times=4,
        visit={**RETRIES_WEBSOCKET, "options": {**WEBSOCKET_ONLY, "path": "/engine.io"}},
    ),
    Recording(
        FORBIDDEN,
        "let-in-later",
        REFUSING_4,
        CLIENT_4,
        "Two handshakes are refused, the third one is let in, as with a token that is renewed.",
        [ASKS_POLLING, answers(403, "login first"), answers(403), answers(200, "^0{")],
        serve={"refusals": 2},
        visit={"url": URL, "lifeMs": 7000},
    ),
    Recording(
        FORBIDDEN,
        "cookie-sent",
        REFUSING_4,
        CLIENT_4,
        "The cookie that allowRequest wants is there.",
        [ASKS_POLLING, answers(200, "^0{"), server_tells("greeting")],
        lacks=[answers(403)],
        near_miss=True,
        serve=_COOKIE,
        visit={**TALKS, "options": _HAS_COOKIE},
    ),
    Recording(
        FORBIDDEN,
        "asgi-websocket",
        ASGI_MOUNTED,
        CLIENT_4,
        "FastAPI under uvicorn, with Socket.IO mounted under another path: an ASGI application can"
        " only close a WebSocket of which it knows nothing, which"
        " uvicorn makes a 403 of.",
        [ASKS_WEBSOCKET, answers(403)],
        times=4,
        serve={"mount": "/live"},
        visit=RETRIES_WEBSOCKET,
    ),
    Recording(
        FORBIDDEN,
        "nginx-basic-auth",
        SERVER_4,
        CLIENT_4,
        "nginx wants a password for everything (auth_basic): 401 in HTML.",
        [ASKS_POLLING, answers(401, "nginx")],
        times=4,
        visit=RETRIES,
        play=boxes.behind(
            boxes.nginx_with(
                "auth_basic staging; auth_basic_user_file users;", f"location / {{ {boxes.NGINX_TO_SERVER} }}"
            )
        ),
    ),
    Recording(
        FORBIDDEN,
        "nginx-403-websocket",
        SERVER_4,
        CLIENT_4,
        "nginx lets nobody in from this network (deny all): 403 in HTML, to WebSocket.",
        [ASKS_WEBSOCKET, answers(403, "nginx")],
        times=4,
        visit=RETRIES_WEBSOCKET,
        play=boxes.behind(boxes.nginx_with(f"deny all; location / {{ {boxes.NGINX_TO_SERVER} }}")),
    ),
]


def _later(what: str, seconds: float) -> str:
    """What must come so long after the beginning of its connection."""
    return f"{what} && tcp.time_relative > {seconds}"


_LATE = [
    Recording(
        LATE,
        "slow-middleware",
        REFUSING_4,
        CLIENT_4,
        "A middleware of Engine.IO takes 6 s for each handshake.",
        [ASKS_POLLING, _later(answers(200, "^0{"), 5.9), server_tells("greeting")],
        serve={"middlewareMs": 6000},
        visit={"url": URL, "options": POLLING_ONLY, "lifeMs": 8000, "hello": TALKS["hello"]},
    ),
    Recording(
        LATE,
        "event-loop-held",
        REFUSING_4,
        CLIENT_4,
        "The event loop of the server is held for 6 s by each handshake; its kernel acknowledges.",
        [ASKS_POLLING, _later(answers(200, "^0{"), 5.9), server_tells("greeting")],
        serve={"holdMs": 6000},
        visit={"url": URL, "options": POLLING_ONLY, "lifeMs": 8000, "hello": TALKS["hello"]},
    ),
    Recording(
        LATE,
        "websocket-open",
        SERVER_4,
        CLIENT_4,
        "The session id takes 2.5 s to make: 101 at once, and then nothing for so long.",
        [answers(101), _later(server_says("^0{"), 2.4), server_says("greeting")],
        serve={"slowSidMs": 2500},
        visit={"url": URL, "options": WEBSOCKET_ONLY, "lifeMs": 4500, "hello": TALKS["hello"]},
    ),
    Recording(
        LATE,
        "python-client-gives-up",
        REFUSING_4,
        PYTHON_CLIENT,
        "Each handshake holds the event loop of the server for 5.5 s, and the client of"
        " python-socketio gives up after 5 s: the open packet comes when nobody wants it any more.",
        [asks("transport=polling&EIO=4"), ends(FROM_CLIENT), answers(200, "^0{")],
        times=3,
        serve={"holdMs": 5500},
        visit={"url": URL, "options": {"transports": ["polling"]}, "attempts": 3, "lifeMs": 1000},
    ),
    Recording(
        LATE,
        "in-time",
        REFUSING_4,
        CLIENT_4,
        "A middleware that takes a second and a half.",
        [ASKS_POLLING, _later(answers(200, "^0{"), 1.4), server_tells("greeting")],
        near_miss=True,
        serve={"middlewareMs": 1500},
        visit={**TALKS, "options": POLLING_ONLY},
    ),
]

RECORDINGS = [*_FORBIDDEN, *_LATE]
