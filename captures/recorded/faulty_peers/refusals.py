# SPDX-License-Identifier: GPL-2.0-or-later
"""Handshakes that are refused, sent elsewhere, answered by somebody else, or late."""

from __future__ import annotations

import time
from collections.abc import Callable

from lab import Lab

from faulty_peers.handshakes import POLLING_ONLY, TALKS, WEBSOCKET_ONLY
from faulty_peers.peers import (
    CLIENT_2,
    CLIENT_4,
    CURL,
    PLAIN_SERVER,
    PYTHON_5,
    RAW_POLLING,
    RAW_WS,
    SERVER_2,
    SERVER_4,
    Peer,
    Plan,
)
from faulty_peers.stage import URL, WS_URL, Recording, Rule, Stage
from faulty_peers.wire import FROM_CLIENT, FROM_SERVER, answers, asks, ends, posts, server_says, server_tells

DUPLICATED = Rule("transport-duplicated", "EIO007")
DISABLED = Rule("transport-disabled", "EIO008")
METHOD = Rule("handshake-method", "EIO009")
WRONG_PATH = Rule("wrong-path", "HTTP010")
FOREIGN = Rule("not-an-engineio-answer", "HTTP011")
FORBIDDEN = Rule("handshake-forbidden", "EIO014")
LATE = Rule("open-late", "EIO015")
REDIRECT = Rule("handshake-redirect", "HTTP036")

_EXPRESS = "express@4.21.2"


def _refusing(version: str) -> Peer:
    packages = (f"socket.io@{version}", _EXPRESS)
    return Peer("socket.io", version, "refusing_server.js", packages)


_AIOHTTP = ("python-socketio==5.18.1", "python-engineio==4.15.1", "aiohttp==3.14.5")
_UVICORN = (*_AIOHTTP[:2], "fastapi==0.128.0", "uvicorn==0.40.0", "websockets==15.0.1")
_CLIENT = (*_AIOHTTP[:2], "requests==2.32.5", "websocket-client==1.9.0")

SERVER_4_7 = Peer("socket.io", "4.7.5", "sio_server.js", ("socket.io@4.7.5",))
REFUSING_4 = _refusing("4.8.4")
REFUSING_2 = _refusing("2.5.1")
REFUSING_PYTHON = Peer("python-socketio", "5.18.1", "refusing_server.py", _AIOHTTP)
REFUSING_ENGINE = Peer("python-engineio", "4.15.1", "refusing_server.py", _AIOHTTP)
REFUSING_ASGI = Peer("python-socketio", "5.18.1", "refusing_server.py", _UVICORN)
PYTHON_CLIENT = Peer("python-socketio", "5.18.1", "refused_client.py", _CLIENT)
PAGES = Peer("node:http", "20", "page_server.js", ("ws@8.23.0",))
VITE = Peer("vite", "5.4.21", "vite_server.js", ("vite@5.4.21",))
NGINX = Peer("nginx", "1.22.1")

_RETRIES_POLLING: Plan = {"url": URL, "options": POLLING_ONLY, "attempts": 4}
_RETRIES_WEBSOCKET: Plan = {"url": URL, "options": WEBSOCKET_ONLY, "attempts": 4}
_ASKS_POLLING = asks("EIO=4&transport=polling")
_ASKS_WEBSOCKET = asks("EIO=4&transport=websocket")


def _raw(*steps: list[object]) -> Plan:
    return {"host": Lab.server_ip, "steps": list(steps)}


def _with_path(path: str, **more: object) -> Plan:
    options = {"path": path, "transports": ["polling"], **more}
    return {"url": URL, "options": options, "attempts": 3}


_TWO_TRANSPORTS = "EIO=4&transport=polling&transport=websocket"

_DUPLICATED = [
    Recording(
        DUPLICATED,
        "polling-v4.7-server",
        SERVER_4_7,
        RAW_POLLING,
        "A hand-written handshake with transport= twice; the server sees a list, which is no name"
        " of a transport: 400 code 0.",
        [asks(_TWO_TRANSPORTS), answers(400, "Transport unknown")],
        visit=_raw(["get", _TWO_TRANSPORTS]),
    ),
    Recording(
        DUPLICATED,
        "websocket-v4.7-server",
        SERVER_4_7,
        RAW_WS,
        "A URL that has transport= already, and a library that puts its own behind it: the upgrade"
        " is refused with a bare 400, and the client comes back every 500 ms.",
        [asks("transport=websocket&EIO=4&transport=websocket"), answers(400, "Transport unknown")],
        times=5,
        visit={
            "url": WS_URL.replace("EIO=4", "transport=websocket&EIO=4"),
            "rounds": 5,
            "everyMs": 500,
        },
    ),
    Recording(
        DUPLICATED,
        "polling-v2-server",
        SERVER_2,
        RAW_POLLING,
        "The same transport twice, at a 2.x server: 400 code 0.",
        [asks("EIO=3&transport=polling&transport=polling"), answers(400, "Transport unknown")],
        visit=_raw(["get", "EIO=3&transport=polling&transport=polling"]),
    ),
    Recording(
        DUPLICATED,
        "v4.8-server",
        SERVER_4,
        RAW_POLLING,
        "engine.io 6.6.5 and later takes the last of several transports: served.",
        [asks("transport=websocket&transport=polling"), answers(200, "^0{")],
        near_miss=True,
        visit=_raw(["get", "EIO=4&transport=websocket&transport=polling"]),
    ),
    Recording(
        DUPLICATED,
        "python5-server",
        PYTHON_5,
        RAW_POLLING,
        "python-socketio takes the first of several transports: served.",
        [asks(_TWO_TRANSPORTS), answers(200, "^0{")],
        near_miss=True,
        visit=_raw(["get", _TWO_TRANSPORTS]),
    ),
]

_TRIES_ALL = {"tryAllTransports": True, "extraHeaders": {"User-Agent": "node-XMLHttpRequest"}}
_ONLY_WEBSOCKET = {"options": WEBSOCKET_ONLY}
_ONLY_POLLING = {"options": POLLING_ONLY}

_DISABLED = [
    Recording(
        DISABLED,
        "polling-v4-server",
        SERVER_4,
        CLIENT_4,
        "The server takes only WebSocket, the client begins with polling as it does by default:"
        " 400 code 0, four times.",
        [_ASKS_POLLING, answers(400, "Transport unknown")],
        times=4,
        serve=_ONLY_WEBSOCKET,
        visit={"url": URL, "attempts": 4},
    ),
    Recording(
        DISABLED,
        "polling-v2-server",
        SERVER_2,
        CLIENT_2,
        "The same pair of 2.x.",
        [asks("EIO=3&transport=polling"), answers(400, "Transport unknown")],
        times=4,
        serve=_ONLY_WEBSOCKET,
        visit={"url": URL, "attempts": 4},
    ),
    Recording(
        DISABLED,
        "polling-python5-server",
        PYTHON_5,
        CLIENT_4,
        "A python-socketio server that takes only WebSocket says Invalid transport.",
        [_ASKS_POLLING, answers(400, "Invalid transport")],
        times=4,
        serve=_ONLY_WEBSOCKET,
        visit={"url": URL, "attempts": 4},
    ),
    Recording(
        DISABLED,
        "websocket-python5-server",
        PYTHON_5,
        CLIENT_4,
        "A python-socketio server that takes only polling, and a client that takes only WebSocket.",
        [_ASKS_WEBSOCKET, answers(400, "Invalid transport")],
        times=4,
        serve=_ONLY_POLLING,
        visit=_RETRIES_WEBSOCKET,
    ),
    Recording(
        DISABLED,
        "other-tried",
        SERVER_4,
        CLIENT_4,
        "With tryAllTransports the client goes on with WebSocket when polling is refused; it works."
        " Both transports carry one User-Agent, as in a browser.",
        [_ASKS_POLLING, answers(400, "Transport unknown"), _ASKS_WEBSOCKET, server_says("^40{")],
        serve=_ONLY_WEBSOCKET,
        visit={"url": URL, "options": _TRIES_ALL, **TALKS},
    ),
    Recording(
        DISABLED,
        "websocket-on-both-sides",
        SERVER_4,
        CLIENT_4,
        "Server and client both take WebSocket only.",
        [_ASKS_WEBSOCKET, server_says("^0{"), server_says("^40{")],
        lacks=[answers(400)],
        near_miss=True,
        serve=_ONLY_WEBSOCKET,
        visit={"url": URL, "options": WEBSOCKET_ONLY, **TALKS},
    ),
]


def _curl(*arguments: str) -> Callable[[Stage], None]:
    def play(stage: Stage) -> None:
        stage.start_server()
        with stage.capture():
            stage.lab.run("client", ["curl", "-s", "-m", "10", *arguments])
            time.sleep(0.3)

    return play


_HANDSHAKE = "EIO=4&transport=polling"

_METHOD = [
    Recording(
        METHOD,
        name,
        server,
        RAW_POLLING,
        f"The first request is a POST: {outcome}.",
        [posts("^40$"), answers(400, text)],
        visit=_raw(["post", query, "40"]),
    )
    for name, server, query, text, outcome in (
        ("post-v4-server", SERVER_4, _HANDSHAKE, "Bad handshake method", "400 code 2"),
        ("post-v2-server", SERVER_2, "EIO=3&transport=polling", "Bad handshake method", "400 code 2"),
        ("post-python5-server", PYTHON_5, _HANDSHAKE, "Invalid session None", "an unknown session None"),
    )
] + [
    Recording(
        METHOD,
        "sid-forgotten",
        SERVER_4,
        RAW_POLLING,
        "A hand-written client opens a session and forgets its sid in the POST that follows.",
        [_ASKS_POLLING, answers(200, "^0{"), posts("^40$"), answers(400, "Bad handshake method")],
        visit=_raw(["get", _HANDSHAKE], ["post", _HANDSHAKE, "40"]),
    ),
    Recording(
        METHOD,
        "head-probe",
        SERVER_4,
        CURL,
        "A monitor asks with HEAD whether the server is alive, and takes the 400 for a yes.",
        ['http.request.method == "HEAD"', answers(400)],
        near_miss=True,
        play=_curl("-I", f"{URL}/socket.io/?{_HANDSHAKE}"),
    ),
    Recording(
        METHOD,
        "health-check",
        SERVER_4,
        CURL,
        "A health check asks for the path of Socket.IO without any parameter.",
        [asks("/socket.io/"), answers(400, "Transport unknown")],
        near_miss=True,
        play=_curl(f"{URL}/socket.io/"),
    ),
]

_NOT_FOUND = answers(404, "Cannot GET")
_GONE_AFTER_1S = f"{ends(FROM_SERVER)} && tcp.time_delta > 0.9"

_WRONG_PATH = [
    Recording(
        WRONG_PATH,
        "express-404",
        REFUSING_4,
        CLIENT_4,
        "The server has Socket.IO under /ws/, the client asks under the default path: the 404 of Express, four times.",
        [_ASKS_POLLING, _NOT_FOUND],
        times=4,
        serve={"express": True, "options": {"path": "/ws"}},
        visit={"url": URL, "attempts": 4},
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
        REFUSING_PYTHON,
        CLIENT_4,
        "A python-socketio server on aiohttp under another path: 404 in plain text.",
        [_ASKS_POLLING, answers(404, "Not Found")],
        times=4,
        serve={"kind": "aiohttp", "path": "live"},
        visit=_RETRIES_POLLING,
    ),
    Recording(
        WRONG_PATH,
        "asgi-polling",
        REFUSING_ASGI,
        CLIENT_4,
        "FastAPI under uvicorn, with Socket.IO mounted elsewhere: 404 in JSON.",
        [_ASKS_POLLING, answers(404, "Not Found")],
        times=4,
        serve={"kind": "asgi", "path": "/live"},
        visit=_RETRIES_POLLING,
    ),
    Recording(
        FORBIDDEN,
        "asgi-websocket",
        REFUSING_ASGI,
        CLIENT_4,
        "FastAPI under uvicorn, with Socket.IO mounted under another path: an ASGI application can"
        " only close a WebSocket of which it knows nothing, which"
        " uvicorn makes a 403 of.",
        [_ASKS_WEBSOCKET, answers(403)],
        times=4,
        serve={"kind": "asgi", "path": "/live"},
        visit=_RETRIES_WEBSOCKET,
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
        visit={"url": URL, "options": {"path": "/live", "addTrailingSlash": False}, **TALKS},
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
        play=_curl(f"{URL}/socket.io/"),
    ),
]

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
        [_ASKS_POLLING, answers(200, "<!doctype html")],
        times=4,
        serve={"page": _SPA},
        visit=_RETRIES_POLLING,
    ),
    Recording(
        FOREIGN,
        "captive-portal",
        PAGES,
        CLIENT_4,
        "A captive portal answers every request with its login page.",
        [_ASKS_POLLING, answers(200, "please log in")],
        times=4,
        serve={"headers": _HTML, "body": _PORTAL},
        visit=_RETRIES_POLLING,
    ),
    Recording(
        FOREIGN,
        "spa-websocket",
        PAGES,
        CLIENT_4,
        "A server of a single-page application answers a WebSocket upgrade with its page.",
        [_ASKS_WEBSOCKET, answers(200, "My shop")],
        times=4,
        lacks=[answers(101)],
        serve={"headers": _HTML, "body": _SPA},
        visit=_RETRIES_WEBSOCKET,
    ),
    Recording(
        FOREIGN,
        "rest-service",
        PLAIN_SERVER,
        CLIENT_4,
        "A REST service that answers every path with JSON.",
        [_ASKS_POLLING, answers(200, "lamp")],
        times=4,
        visit=_RETRIES_POLLING,
    ),
    Recording(
        FOREIGN,
        "empty",
        PAGES,
        CLIENT_4,
        "A server that says 204 to everything.",
        [_ASKS_POLLING, answers(204)],
        times=4,
        serve={"status": 204},
        visit=_RETRIES_POLLING,
    ),
    Recording(
        FOREIGN,
        "page-elsewhere",
        REFUSING_4,
        CLIENT_4,
        "The application has a page for every other path, and Socket.IO is served.",
        [_ASKS_POLLING, answers(200, "^0{"), server_tells("greeting")],
        near_miss=True,
        serve={"page": _SPA},
        visit={"url": URL, **TALKS},
    ),
]

_COOKIE = {"cookie": "session=s3cret"}
_HAS_COOKIE = {"extraHeaders": {"Cookie": "session=s3cret"}}

_FORBIDDEN = [
    Recording(
        FORBIDDEN,
        "cookie-missing-v4-server",
        REFUSING_4,
        CLIENT_4,
        "allowRequest wants the cookie of a login, which the client does not send: 403 code 4.",
        [_ASKS_POLLING, answers(403, "login first")],
        times=4,
        serve=_COOKIE,
        visit={"url": URL, "attempts": 4},
    ),
    Recording(
        FORBIDDEN,
        "websocket-v4-server",
        REFUSING_4,
        CLIENT_4,
        "The same over WebSocket: a bare 400, and the application's words as its body.",
        [_ASKS_WEBSOCKET, answers(400, "login first")],
        times=4,
        serve=_COOKIE,
        visit=_RETRIES_WEBSOCKET,
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
        visit={"url": URL, "attempts": 4},
    ),
    Recording(
        FORBIDDEN,
        "python-engineio-polling",
        REFUSING_ENGINE,
        CLIENT_4,
        "The application of a python-engineio server returns False: 401.",
        [_ASKS_POLLING, answers(401, "Unauthorized")],
        times=4,
        serve={"kind": "engineio"},
        visit={**_RETRIES_POLLING, "options": {**POLLING_ONLY, "path": "/engine.io"}},
    ),
    Recording(
        FORBIDDEN,
        "python-engineio-websocket",
        REFUSING_ENGINE,
        CLIENT_4,
        "The same over WebSocket.",
        [_ASKS_WEBSOCKET],
        times=4,
        serve={"kind": "engineio"},
        visit={**_RETRIES_WEBSOCKET, "options": {**WEBSOCKET_ONLY, "path": "/engine.io"}},
    ),
    Recording(
        FORBIDDEN,
        "let-in-later",
        REFUSING_4,
        CLIENT_4,
        "Two handshakes are refused, the third one is let in, as with a token that is renewed.",
        [_ASKS_POLLING, answers(403, "login first"), answers(403), answers(200, "^0{")],
        serve={"refusals": 2},
        visit={"url": URL, "lifeMs": 7000},
    ),
    Recording(
        FORBIDDEN,
        "cookie-sent",
        REFUSING_4,
        CLIENT_4,
        "The cookie that allowRequest wants is there.",
        [_ASKS_POLLING, answers(200, "^0{"), server_tells("greeting")],
        lacks=[answers(403)],
        near_miss=True,
        serve=_COOKIE,
        visit={"url": URL, "options": _HAS_COOKIE, **TALKS},
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
        [_ASKS_POLLING, _later(answers(200, "^0{"), 5.9), server_tells("greeting")],
        serve={"middlewareMs": 6000},
        visit={"url": URL, "options": POLLING_ONLY, "lifeMs": 8000, "hello": TALKS["hello"]},
    ),
    Recording(
        LATE,
        "event-loop-held",
        REFUSING_4,
        CLIENT_4,
        "The event loop of the server is held for 6 s by each handshake; its kernel acknowledges.",
        [_ASKS_POLLING, _later(answers(200, "^0{"), 5.9), server_tells("greeting")],
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
        visit={"url": URL, "options": {"transports": ["polling"]}, "attempts": 3},
    ),
    Recording(
        LATE,
        "in-time",
        REFUSING_4,
        CLIENT_4,
        "A middleware that takes a second and a half.",
        [_ASKS_POLLING, _later(answers(200, "^0{"), 1.4), server_tells("greeting")],
        near_miss=True,
        serve={"middlewareMs": 1500},
        visit={"url": URL, "options": POLLING_ONLY, **TALKS},
    ),
]

_UPGRADE = """
                proxy_http_version 1.1;
                proxy_set_header Upgrade $http_upgrade;
                proxy_set_header Connection "upgrade";
                proxy_set_header Host $http_host;"""
_TO_SERVER = f"proxy_pass http://127.0.0.1:3001;{_UPGRADE}"


def _behind_nginx(server: str, *, backend: bool = True) -> Callable[[Stage], None]:
    """Put nginx on port 3000, with this in its server block, and Socket.IO on port 3001."""

    def play(stage: Stage) -> None:
        state = stage.folder / "nginx"
        state.mkdir()
        state.chmod(0o777)  # it gives up being root
        stage.folder.chmod(0o755)
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        places = "\n".join(f"    {kind}_temp_path {state}/{kind};" for kind in kinds)
        config = stage.folder / "nginx.conf"
        config.write_text(
            f"daemon off;\npid {state}/pid;\nerror_log {state}/error.log;\n"
            "events { worker_connections 64; }\n"
            f"http {{\n    access_log off;\n{places}\n"
            f"    server {{\n        listen 3000;\n        {server}\n    }}\n}}\n"
        )
        (state / "users").write_text("somebody:{PLAIN}secret\n")
        if backend:
            stage.start_server(port=3001)
        stage.lab.start("server", ["nginx", "-p", str(state), "-c", str(config)], ready=None)
        time.sleep(1)
        with stage.capture():
            stage.run_client()
            time.sleep(0.3)

    return play


_NGINX = [
    Recording(
        WRONG_PATH,
        "nginx-404",
        NGINX,
        CLIENT_4,
        "nginx passes /api/ on to the application, and has nothing for /socket.io/: its 404.",
        [_ASKS_POLLING, answers(404, "nginx")],
        times=4,
        visit={"url": URL, "attempts": 4},
        play=_behind_nginx(f"location /api/ {{ {_TO_SERVER} }}", backend=False),
    ),
    Recording(
        WRONG_PATH,
        "nginx-rewrites",
        REFUSING_4,
        CLIENT_4,
        "proxy_pass with a slash at its end takes the location off the path: the application sees"
        " /?EIO=4 and says 404.",
        [_ASKS_POLLING, _NOT_FOUND],
        times=4,
        serve={"express": True},
        visit=_RETRIES_POLLING,
        play=_behind_nginx(f"location /socket.io/ {{ proxy_pass http://127.0.0.1:3001/;{_UPGRADE} }}"),
    ),
    Recording(
        FORBIDDEN,
        "nginx-basic-auth",
        SERVER_4,
        CLIENT_4,
        "nginx wants a password for everything (auth_basic): 401 in HTML.",
        [_ASKS_POLLING, answers(401, "nginx")],
        times=4,
        visit={"url": URL, "attempts": 4},
        play=_behind_nginx(f"auth_basic staging; auth_basic_user_file users; location / {{ {_TO_SERVER} }}"),
    ),
    Recording(
        FORBIDDEN,
        "nginx-403-websocket",
        SERVER_4,
        CLIENT_4,
        "nginx lets nobody in from this network (deny all): 403 in HTML, to WebSocket.",
        [_ASKS_WEBSOCKET, answers(403, "nginx")],
        times=4,
        visit=_RETRIES_WEBSOCKET,
        play=_behind_nginx(f"deny all; location / {{ {_TO_SERVER} }}"),
    ),
    Recording(
        REDIRECT,
        "to-https-websocket",
        NGINX,
        CLIENT_4,
        "nginx sends everybody from http to https; a WebSocket client does not follow.",
        [_ASKS_WEBSOCKET, answers(301)],
        times=4,
        visit=_RETRIES_WEBSOCKET,
        play=_behind_nginx("return 301 https://chat.example$request_uri;", backend=False),
    ),
    Recording(
        REDIRECT,
        "to-https-polling",
        NGINX,
        CLIENT_4,
        "The same over polling: the client follows to a name that it cannot resolve here.",
        [_ASKS_POLLING, answers(301)],
        times=4,
        visit=_RETRIES_POLLING,
        play=_behind_nginx("return 301 https://chat.example$request_uri;", backend=False),
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
                "attempts": 1,
            },
            play=_behind_nginx(
                f"location /old/ {{ return {status} /socket.io/$is_args$args; }}"
                f" location /socket.io/ {{ {_TO_SERVER} }}"
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
        play=_behind_nginx(f"location /socket.io/ {{ {_TO_SERVER} }}"),
    ),
    Recording(
        REDIRECT,
        "page-elsewhere",
        SERVER_4,
        CLIENT_4,
        "nginx sends everything but Socket.IO to https.",
        [_ASKS_POLLING, answers(200, "^0{"), server_tells("greeting")],
        lacks=[answers(301)],
        near_miss=True,
        visit={"url": URL, **TALKS},
        play=_behind_nginx(
            f"location / {{ return 301 https://$host$request_uri; }} location /socket.io/ {{ {_TO_SERVER} }}"
        ),
    ),
]

_REDIRECT = [
    Recording(
        REDIRECT,
        "308-slash-removed",
        PAGES,
        CLIENT_4,
        "A web framework takes the slash off every path, as Next.js does: 308.",
        [_ASKS_POLLING, answers(308)],
        times=3,
        serve={"status": 308, "headers": {"Location": "/socket.io?EIO=4&transport=polling"}},
        visit={**_RETRIES_POLLING, "attempts": 3},
    ),
]

RECORDINGS = [
    *_DUPLICATED,
    *_DISABLED,
    *_METHOD,
    *_WRONG_PATH,
    *_FOREIGN,
    *_FORBIDDEN,
    *_LATE,
    *_NGINX,
    *_REDIRECT,
]
