# SPDX-License-Identifier: GPL-2.0-or-later
"""Handshakes that ask for a path at which there is nothing."""

from __future__ import annotations

from proxied_peers.proxies import NGINX_UPGRADE

from faulty_peers import boxes
from faulty_peers.peers import ASGI_MOUNTED, CLIENT_4, CURL, NGINX, PYTHON_5, RAW_WS, REFUSING_4, SERVER_4, Plan
from faulty_peers.plans import POLLING_ONLY, RETRIES, RETRIES_POLLING, TALKS, URL, WS_URL
from faulty_peers.plays import curl
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import ASKS_POLLING, FROM_CLIENT, FROM_SERVER, answers, asks, ends, server_tells

WRONG_PATH = Rule("wrong-path", "HTTP010")


def _with_path(path: str, **more: object) -> Plan:
    options = {"path": path, "transports": ["polling"], **more}
    return {"url": URL, "options": options, "attempts": 3}


_NOT_FOUND = answers(404, "Cannot GET")
_GONE_AFTER_1S = f"{ends(FROM_SERVER)} && tcp.time_delta > 0.9"

_WRONG_PATH = [
    Recording(
        WRONG_PATH,
        "express-404",
        REFUSING_4,
        CLIENT_4,
        "The server has Socket.IO under /ws/, the client asks under the default path: the 404 of Express, four times.",
        [ASKS_POLLING, _NOT_FOUND],
        times=4,
        serve={"express": True, "options": {"path": "/ws"}},
        visit=RETRIES,
    ),
    Recording(
        WRONG_PATH,
        "namespace-as-path",
        REFUSING_4,
        CLIENT_4,
        "The name of a namespace, given as the path: 404.",
        [asks("/admin/?EIO=4"), _NOT_FOUND],
        times=3,
        serve={"express": True},
        visit=_with_path("/admin"),
    ),
    Recording(
        WRONG_PATH,
        "websocket-fin-after-1s",
        SERVER_4,
        CLIENT_4,
        "Over WebSocket a server on Node does not answer at a path of which it knows nothing, and"
        " ends the connection after a second.",
        [asks("/chat/?EIO=4&transport=websocket"), _GONE_AFTER_1S],
        times=3,
        lacks=["http.response"],
        visit=_with_path("/chat", transports=["websocket"]),
    ),
    Recording(
        WRONG_PATH,
        "no-slash-websocket",
        SERVER_4,
        RAW_WS,
        "A hand-written URL without the slash before the question mark: no answer, FIN after a second.",
        [asks("/socket.io?EIO=4&transport=websocket"), _GONE_AFTER_1S],
        times=3,
        lacks=["http.response"],
        visit={"url": WS_URL.replace("/?", "?"), "rounds": 3, "everyMs": 500},
    ),
    Recording(
        WRONG_PATH,
        "no-slash-polling",
        SERVER_4,
        CLIENT_4,
        "With addTrailingSlash off on one side only: a server without any other application never"
        " answers; the client gives up after its time-out, here 5 s.",
        [asks("/socket.io?EIO=4&transport=polling"), ends(FROM_CLIENT)],
        lacks=["http.response"],
        visit={
            "url": URL,
            "options": {**POLLING_ONLY, "addTrailingSlash": False, "timeout": 5000},
            "attempts": 1,
        },
    ),
    Recording(
        WRONG_PATH,
        "python5-server",
        PYTHON_5,
        CLIENT_4,
        "A python-socketio server on aiohttp under another path: 404 in plain text.",
        [ASKS_POLLING, answers(404, "Not Found")],
        times=4,
        serve={"path": "live"},
        visit=RETRIES_POLLING,
    ),
    Recording(
        WRONG_PATH,
        "asgi-polling",
        ASGI_MOUNTED,
        CLIENT_4,
        "FastAPI under uvicorn, with Socket.IO mounted elsewhere: 404 in JSON.",
        [ASKS_POLLING, answers(404, "Not Found")],
        times=4,
        serve={"mount": "/live"},
        visit=RETRIES_POLLING,
    ),
    Recording(
        WRONG_PATH,
        "custom-path",
        SERVER_4,
        CLIENT_4,
        "A path of their own, without a slash at its end, on both sides.",
        [asks("/live?EIO=4&transport=polling"), answers(200, "^0{"), server_tells("greeting")],
        near_miss=True,
        serve={"options": {"path": "/live", "addTrailingSlash": False}},
        visit={**TALKS, "options": {"path": "/live", "addTrailingSlash": False}},
    ),
    Recording(
        WRONG_PATH,
        "no-handshake",
        REFUSING_4,
        CURL,
        "A scanner looks for Socket.IO where there is none, without any parameter of a handshake.",
        [asks("/socket.io/"), _NOT_FOUND],
        near_miss=True,
        serve={"express": True, "options": {"path": "/ws"}},
        play=curl(f"{URL}/socket.io/"),
    ),
]

_BEHIND_NGINX = [
    Recording(
        WRONG_PATH,
        "nginx-404",
        NGINX,
        CLIENT_4,
        "nginx passes /api/ on to the application, and has nothing for /socket.io/: its 404.",
        [ASKS_POLLING, answers(404, "nginx")],
        times=4,
        visit=RETRIES,
        play=boxes.behind(boxes.nginx_with(f"location /api/ {{ {boxes.NGINX_TO_SERVER} }}"), ports=()),
    ),
    Recording(
        WRONG_PATH,
        "nginx-rewrites",
        REFUSING_4,
        CLIENT_4,
        "proxy_pass with a slash at its end takes the location off the path: the application sees"
        " /?EIO=4 and says 404.",
        [ASKS_POLLING, _NOT_FOUND],
        times=4,
        serve={"express": True},
        visit=RETRIES_POLLING,
        play=boxes.behind(
            boxes.nginx_with(f"location /socket.io/ {{ proxy_pass http://127.0.0.1:3001/; {NGINX_UPGRADE} }}")
        ),
    ),
]

RECORDINGS = [*_WRONG_PATH, *_BEHIND_NGINX]
