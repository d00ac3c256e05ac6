# SPDX-License-Identifier: GPL-2.0-or-later
"""Upgrades to WebSocket that fail over HTTP: at a proxy, at the server, or at the client."""

from __future__ import annotations

from lab import Lab

from faulty_peers import boxes
from faulty_peers.handshakes import POLLING_ONLY, RETRIES_WEBSOCKET, TALKS, WEBSOCKET_ONLY
from faulty_peers.peers import (
    ASGI,
    BROWSER_4,
    CLIENT_2,
    CLIENT_4,
    FLASK,
    FLASK_5_1,
    ONE_CONNECTION,
    PYTHON_5,
    PYTHON_5_11,
    PYTHON_5_POLLS,
    SERVER_2,
    SERVER_4,
)
from faulty_peers.stage import URL, Recording, Rule
from faulty_peers.wire import FROM_SERVER, answers, asks, client_says, ends, server_says, server_tells

STRIPPED = Rule("upgrade-headers-stripped", "PROXY023")
REJECTED = Rule("upgrade-rejected", "HTTP024")
STUCK = Rule("stuck-in-polling", "EIO025")
NOT_OFFERED = Rule("no-upgrade-offered", "EIO026")
CONSUMED = Rule("upgrade-consumed-as-poll", "EIO030")
CLOSED_CONNECTION = Rule("upgrade-on-closed-connection", "HTTP033")
STRICT = Rule("strict-connection-header", "HTTP034")
SUBPROTOCOL = Rule("subprotocol-refused", "WS035")

_VISIT = {"url": URL, **TALKS}
_UPGRADE = asks("transport=websocket")
_UPGRADE_AT_CLIENT = f"{_UPGRADE} && http.upgrade"
# Behind the proxy: the server listens at 3001.
_STRIPPED_GET = f"tcp.dstport == 3001 && {_UPGRADE} && !http.upgrade"
_TAIL = "tcp.srcport == 3001 && http.response.code == 400"


def _inside(text: str) -> list[str]:
    return [_STRIPPED_GET, f'{_TAIL} && http.file_data contains "{text}"']


_AT_SERVER = f"tcp.dstport == 3001 && {_UPGRADE}"
_HTTP_1_1 = "proxy_http_version 1.1;"
_UPGRADE_LINE = "proxy_set_header Upgrade $http_upgrade;"
_CONNECTION_LINE = 'proxy_set_header Connection "upgrade";'
_BAD_REQUEST = "Bad request"
_INVALID_TRANSPORT = "Invalid transport"
_INVALID_UPGRADE = "Invalid websocket upgrade"
_NGINX = "nginx as it comes (HTTP/1.0 and no Upgrade to the server)"
_APACHE = "ProxyPass / http://127.0.0.1:3001/\nProxyPassReverse / http://127.0.0.1:3001/"

_STRIPPED = (
    [
        Recording(
            STRIPPED,
            f"nginx-{name}{place}",
            server,
            client,
            f"{_NGINX}: the upgrade of a session is refused, it goes on over polling; {where}.",
            shows,
            lacks=[answers(101)],
            serve={"port": 3001},
            visit=_VISIT,
            play=boxes.behind(boxes.nginx(), device=device),
        )
        for name, server, client, text in (
            ("v4-server", SERVER_4, CLIENT_4, _BAD_REQUEST),
            ("python5-server", PYTHON_5, CLIENT_4, _INVALID_TRANSPORT),
            ("v2-server", SERVER_2, CLIENT_2, _BAD_REQUEST),
        )
        for place, where, device, shows in (
            ("", "in front of nginx", "eth0", [_UPGRADE_AT_CLIENT, answers(400, text)]),
            ("-inside", "between nginx and the server", "lo", _inside(text)),
        )
    ]
    + [
        Recording(
            STRIPPED,
            f"nginx-{name}-websocket-only{place}",
            server,
            CLIENT_4,
            f"{_NGINX}, and a client that does not poll: it never gets in; {where}.",
            shows,
            times=4,
            lacks=[answers(101)],
            serve={"port": 3001},
            visit=RETRIES_WEBSOCKET,
            play=boxes.behind(boxes.nginx(), device=device),
        )
        for name, server, text in (
            ("v4-server", SERVER_4, _BAD_REQUEST),
            ("python5-server", PYTHON_5, _INVALID_UPGRADE),
        )
        for place, where, device, shows in (
            ("", "in front of nginx", "eth0", [_UPGRADE_AT_CLIENT, answers(400, text)]),
            ("-inside", "between nginx and the server", "lo", _inside(text)),
        )
    ]
    + [
        Recording(
            STRIPPED,
            "apache-v4-server",
            SERVER_4,
            CLIENT_4,
            "Apache httpd with mod_proxy_http and a plain ProxyPass; in front of it.",
            [_UPGRADE_AT_CLIENT, answers(400, _BAD_REQUEST)],
            lacks=[answers(101)],
            serve={"port": 3001},
            visit=_VISIT,
            play=boxes.behind(boxes.apache(_APACHE)),
        ),
        *(
            Recording(
                STRIPPED,
                f"nginx-no-connection{place}",
                SERVER_4,
                CLIENT_4,
                f"nginx passes the header Upgrade on, and says Connection: close; {where}.",
                shows,
                lacks=[answers(101)],
                serve={"port": 3001},
                visit=_VISIT,
                play=boxes.behind(boxes.nginx(f"{_HTTP_1_1} {_UPGRADE_LINE}"), device=device),
            )
            for place, where, device, shows in (
                ("", "in front of nginx", "eth0", [_UPGRADE_AT_CLIENT, answers(400, _BAD_REQUEST)]),
                ("-inside", "between nginx and the server", "lo", [_AT_SERVER, f"{_TAIL}"]),
            )
        ),
        Recording(
            STRIPPED,
            "nginx-v4-server-both-sides",
            SERVER_4,
            CLIENT_4,
            f"{_NGINX}, captured on all interfaces of its host: each request twice, with the header and without.",
            [_UPGRADE_AT_CLIENT, _STRIPPED_GET, answers(400, _BAD_REQUEST)],
            lacks=[answers(101)],
            serve={"port": 3001},
            visit={"url": URL, "lifeMs": 500},
            play=boxes.behind(boxes.nginx(), device="any"),
        ),
        Recording(
            STRIPPED,
            "nginx-no-http11-inside",
            SERVER_4,
            CLIENT_4,
            "nginx passes both headers on, but as HTTP/1.0 (proxy_http_version 1.1 is missing): Node"
            " does not mind; between nginx and the server.",
            [f'{_AT_SERVER} && http.request.version == "HTTP/1.0"', "tcp.srcport == 3001 && http.response.code == 101"],
            near_miss=True,
            serve={"port": 3001},
            visit=_VISIT,
            play=boxes.behind(boxes.nginx(f"{_UPGRADE_LINE} {_CONNECTION_LINE}"), device="lo"),
        ),
        Recording(
            STRIPPED,
            "nginx-two-servers",
            SERVER_4,
            CLIENT_4,
            f"{_NGINX}, and two servers in turn behind it: two faults at once.",
            [_UPGRADE_AT_CLIENT, answers(400, "Session ID unknown")],
            lacks=[answers(101)],
            serve={},
            visit={"url": URL, "lifeMs": 4000},
            play=boxes.behind(boxes.nginx(servers=(3001, 3002)), ports=(3001, 3002)),
        ),
        Recording(
            STRIPPED,
            "raw-text",
            SERVER_4,
            CLIENT_4,
            "Two servers in turn behind an nginx that does pass upgrades on: the refusal of the"
            " WebSocket is the bare text of a server that saw the upgrade, and the session is not its.",
            [_UPGRADE_AT_CLIENT, answers(400, "Session ID unknown")],
            near_miss=True,
            visit={"url": URL, "lifeMs": 4000},
            play=boxes.behind(boxes.nginx(boxes.NGINX_UPGRADES, servers=(3001, 3002)), ports=(3001, 3002)),
        ),
        Recording(
            STRIPPED,
            "apache-upgrades",
            SERVER_4,
            CLIENT_4,
            "Apache httpd with mod_proxy_http that is told to pass upgrades on (2.4.47 or later).",
            [_UPGRADE_AT_CLIENT, answers(101), client_says("^5$")],
            near_miss=True,
            serve={"port": 3001},
            visit=_VISIT,
            play=boxes.behind(
                boxes.apache("ProxyPass / http://127.0.0.1:3001/ upgrade=websocket"),
            ),
        ),
    ]
)

_NO_UPGRADES = "if ($http_upgrade) { return %s; }"
_DENY = "http-request deny deny_status 403 if { hdr(Upgrade) -m found }"

_REJECTED = [
    Recording(
        REJECTED,
        f"{name}-{status}",
        SERVER_4,
        CLIENT_4,
        f"{what}; the session goes on over polling.",
        [_UPGRADE_AT_CLIENT, answers(status)],
        lacks=[answers(101)],
        serve={"port": 3001},
        visit=_VISIT,
        play=boxes.behind(start),
    )
    for name, status, what, start in (
        ("nginx", 403, "nginx refuses upgrades", boxes.nginx(_NO_UPGRADES % 403)),
        (
            "nginx",
            301,
            "nginx redirects upgrades, and only those, to https",
            boxes.nginx(_NO_UPGRADES % "301 https://chat.example$request_uri"),
        ),
        (
            "nginx",
            502,
            "nginx sends upgrades to a second server, which is down",
            boxes.nginx("if ($http_upgrade) { proxy_pass http://127.0.0.1:3009; }"),
        ),
        ("haproxy", 403, "haproxy denies upgrades", boxes.haproxy(_DENY)),
    )
] + [
    Recording(
        REJECTED,
        "nginx-426-websocket-only",
        SERVER_4,
        CLIENT_4,
        "nginx refuses upgrades, and the client does not poll: it never gets in.",
        [_UPGRADE_AT_CLIENT, answers(426)],
        times=4,
        lacks=[answers(101)],
        serve={"port": 3001},
        visit=RETRIES_WEBSOCKET,
        play=boxes.behind(boxes.nginx(_NO_UPGRADES % 426)),
    ),
    Recording(
        REJECTED,
        "nginx-502-browser",
        SERVER_4,
        BROWSER_4,
        "nginx sends requests for a WebSocket to a second server, which is down; the page begins with"
        " WebSocket and then tries polling (tryAllTransports), which works.",
        [_UPGRADE_AT_CLIENT, answers(502), answers(200, "^0{")],
        lacks=[answers(101)],
        serve={"port": 3001, "options": {"cors": {"origin": "*"}}},
        visit={
            "url": URL,
            "options": {"transports": ["websocket", "polling"], "tryAllTransports": True},
            "lifeMs": 1500,
        },
        play=boxes.behind(boxes.nginx("if ($http_upgrade) { proxy_pass http://127.0.0.1:3009; }")),
    ),
    Recording(
        REJECTED,
        "uvicorn-500",
        ASGI,
        CLIENT_4,
        "python-socketio on uvicorn without a package for WebSockets, which the server offers all"
        " the same: the upgrade ends in an error 500; the session goes on over polling.",
        # The client may end before the body has come: then there is no whole answer.
        [_UPGRADE_AT_CLIENT, f'{FROM_SERVER} && tcp.payload contains "HTTP/1.1 500"'],
        lacks=[answers(101)],
        visit=_VISIT,
    ),
    Recording(
        REJECTED,
        "by-the-application",
        SERVER_4,
        CLIENT_4,
        "A WebSocket handshake that the application forbids (allowRequest): a bare 400 of Engine.IO itself.",
        [_UPGRADE_AT_CLIENT, answers(400, "not for you")],
        near_miss=True,
        serve={"forbid": True},
        visit={**RETRIES_WEBSOCKET, "attempts": 2},
    ),
]

# Two polls for each event: its answer, and its acknowledgement.
_BUSY = {"url": URL, "lifeMs": 1600, "hello": {"times": 12, "everyMs": 100}}

_STUCK = [
    Recording(
        STUCK,
        "python-client-35s",
        SERVER_4,
        PYTHON_5_POLLS,
        "python-socketio without the package websocket-client: never asks for a WebSocket, and is quiet.",
        [answers(200, '^0{.*"upgrades":."websocket'), server_tells("^2$")],
        lacks=[_UPGRADE],
        visit={"url": URL, "lifeMs": 35000},
    ),
    Recording(
        STUCK,
        "python-client-busy",
        SERVER_4,
        PYTHON_5_POLLS,
        "python-socketio without the package websocket-client, ten events a second: two requests for each.",
        [answers(200, '^0{.*"upgrades":."websocket'), server_tells("greeting")],
        lacks=[_UPGRADE],
        visit=_BUSY,
    ),
    Recording(
        STUCK,
        "python-client-short",
        SERVER_4,
        PYTHON_5_POLLS,
        "The same client, and gone again after a few seconds and a few polls.",
        [answers(200, '^0{.*"upgrades":."websocket'), server_tells("greeting")],
        lacks=[_UPGRADE],
        near_miss=True,
        visit={"url": URL, **TALKS},
    ),
    Recording(
        STUCK,
        "nginx-busy",
        SERVER_4,
        CLIENT_4,
        f"{_NGINX}, ten events a second: the upgrade is refused, two requests for each event.",
        [_UPGRADE_AT_CLIENT, answers(400, _BAD_REQUEST), answers(200, "greeting")],
        lacks=[answers(101)],
        serve={"port": 3001},
        visit=_BUSY,
        play=boxes.behind(boxes.nginx()),
    ),
]

_NOT_OFFERED = [
    Recording(
        NOT_OFFERED,
        f"{name}",
        server,
        CLIENT_4,
        f"{what}: the client polls, ten events a second.",
        [answers(200, '^0{.*"upgrades":..,'), server_tells("greeting")],
        lacks=[_UPGRADE],
        serve={"options": options},
        visit={**_BUSY, "lifeMs": 2600, "hello": {"times": times, "everyMs": 100}},
    )
    for name, server, options, times, what in (
        ("v4-server", SERVER_4, POLLING_ONLY, 12, 'A 4.x server with transports: ["polling"]'),
        # It sends both in one answer.
        ("python5-server", PYTHON_5, {"allow_upgrades": False}, 22, "allow_upgrades is off"),
    )
] + [
    Recording(
        NOT_OFFERED,
        "flask-werkzeug",
        FLASK_5_1,
        CLIENT_4,
        "Flask-SocketIO 5.1 in threading mode, which has no package for WebSockets and offers none;"
        " the client polls for 35 s.",
        [answers(200, '^0{.*"upgrades":..,'), server_tells("^2$")],
        lacks=[_UPGRADE],
        visit={"url": URL, "lifeMs": 35000},
    ),
    Recording(
        NOT_OFFERED,
        "websocket-handshake",
        SERVER_4,
        CLIENT_4,
        "A handshake over WebSocket, whose open packet offers no upgrade: there is none to offer.",
        [server_says('^0{.*"upgrades":..,'), server_says("greeting")],
        near_miss=True,
        visit={"url": URL, "options": WEBSOCKET_ONLY, **TALKS},
    ),
]

_CONSUMED = [
    Recording(
        CONSUMED,
        f"nginx-python-engineio-4.9{place}",
        PYTHON_5_11,
        CLIENT_4,
        f"{_NGINX}, and behind it python-engineio 4.9: it answers the request for an upgrade as if"
        f" it were a poll, and what it has to say in that answer is lost; {where}.",
        [ask, answer],
        lacks=[answers(101)],
        serve={"port": 3001},
        visit=_VISIT,
        play=boxes.behind(boxes.nginx(), device=device),
    )
    for place, where, device, ask, answer in (
        ("", "in front of nginx", "eth0", _UPGRADE_AT_CLIENT, answers(200)),
        (
            "-inside",
            "between nginx and the server",
            "lo",
            _STRIPPED_GET,
            "tcp.srcport == 3001 && http.response.code == 200",
        ),
    )
]

_ONE = {"host": Lab.server_ip, "rounds": 4, "everyMs": 500}
_KEEPS_NO_CONNECTION = f"{boxes.NGINX_UPGRADES} keepalive_timeout 0;"

_CLOSED_CONNECTION = [
    Recording(
        CLOSED_CONNECTION,
        "nginx-keepalive-0",
        SERVER_4,
        ONE_CONNECTION,
        "nginx with keepalive_timeout 0 answers the poll with Connection: close and ends; the"
        " client asks for the upgrade on that connection, four times.",
        [answers(200), ends("tcp.srcport == 3000"), _UPGRADE_AT_CLIENT],
        times=4,
        lacks=[answers(101)],
        serve={"port": 3001},
        visit=_ONE,
        play=boxes.behind(boxes.nginx(_KEEPS_NO_CONNECTION)),
    ),
    Recording(
        CLOSED_CONNECTION,
        "werkzeug",
        FLASK,
        ONE_CONNECTION,
        "Flask-SocketIO on Werkzeug answers the poll as HTTP/1.0 and ends the connection; the"
        " client asks for the upgrade on it, four times.",
        [answers(200), ends("tcp.srcport == 3000"), _UPGRADE_AT_CLIENT],
        times=4,
        lacks=[answers(101)],
        serve={"options": {"cors_allowed_origins": "*"}},
        visit={**_ONE, "thinkMs": 20},
    ),
    Recording(
        CLOSED_CONNECTION,
        "kept",
        SERVER_4,
        ONE_CONNECTION,
        "The same client at a server that keeps the connection.",
        [answers(200), _UPGRADE_AT_CLIENT, answers(101), client_says("^5$")],
        near_miss=True,
        visit={**_ONE, "rounds": 1},
    ),
]

_STRICT_CLIENT = {**_ONE, "strict": True}

_STRICT = [
    Recording(
        STRICT,
        "list",
        SERVER_4,
        ONE_CONNECTION,
        "A proxy written by hand puts a list into the header Connection of the 101, as some load"
        " balancers do; the client wants the one word and leaves, four times.",
        [_UPGRADE_AT_CLIENT, answers(101)],
        times=4,
        lacks=[client_says("^2probe$")],
        serve={"port": 3001},
        visit=_STRICT_CLIENT,
        play=boxes.behind(boxes.rewriting("Connection: upgrade, keep-alive")),
    ),
    Recording(
        STRICT,
        "absent",
        SERVER_4,
        ONE_CONNECTION,
        "A proxy written by hand leaves the header Connection out of the 101.",
        [_UPGRADE_AT_CLIENT, answers(101)],
        times=4,
        lacks=[client_says("^2probe$")],
        serve={"port": 3001},
        visit=_STRICT_CLIENT,
        play=boxes.behind(boxes.rewriting("X-Forwarded: yes")),
    ),
    Recording(
        STRICT,
        "list-taken",
        SERVER_4,
        CLIENT_4,
        "The same list before a client that reads it as one, as it should.",
        [_UPGRADE_AT_CLIENT, answers(101), client_says("^5$")],
        near_miss=True,
        serve={"port": 3001},
        visit=_VISIT,
        play=boxes.behind(boxes.rewriting("Connection: upgrade, keep-alive")),
    ),
    Recording(
        STRICT,
        "one-word",
        SERVER_4,
        ONE_CONNECTION,
        "The same client at a server that writes Connection: Upgrade.",
        [_UPGRADE_AT_CLIENT, answers(101), client_says("^5$")],
        near_miss=True,
        visit={**_STRICT_CLIENT, "rounds": 1},
    ),
]

_OFFERS = f"{_UPGRADE_AT_CLIENT} && http.sec_websocket_protocol"

_SUBPROTOCOL = [
    Recording(
        SUBPROTOCOL,
        "python5-server-websocket-only",
        PYTHON_5,
        CLIENT_4,
        "A client with the option protocols, over WebSocket alone: the server answers with none of"
        " them, and the client leaves; four times.",
        [_OFFERS, answers(101)],
        times=4,
        visit={"url": URL, "options": {**WEBSOCKET_ONLY, "protocols": ["chat"]}, "attempts": 4},
    ),
    Recording(
        SUBPROTOCOL,
        "python5-server-browser",
        PYTHON_5,
        BROWSER_4,
        "A page with the option protocols, over WebSocket alone: the browser does not take the 101, three times.",
        [_OFFERS, answers(101)],
        times=3,
        serve={"options": {"cors_allowed_origins": "*"}},
        visit={
            "url": URL,
            "options": {**WEBSOCKET_ONLY, "protocols": ["chat"], "reconnectionDelay": 500},
            "lifeMs": 4000,
        },
    ),
    Recording(
        SUBPROTOCOL,
        "python5-server-upgrade",
        PYTHON_5,
        CLIENT_4,
        "A client with the option protocols: the upgrade fails in the client, polling goes on.",
        [_OFFERS, answers(101)],
        lacks=[client_says("^2probe$")],
        visit={"url": URL, "options": {"protocols": ["chat"]}, "lifeMs": 350},
    ),
    Recording(
        SUBPROTOCOL,
        "v4-server",
        SERVER_4,
        CLIENT_4,
        "The same option at a server on Node, which takes the first subprotocol offered, whatever it is.",
        [_OFFERS, f"{answers(101)} && http.sec_websocket_protocol", client_says("^5$")],
        near_miss=True,
        visit={**_VISIT, "options": {"protocols": ["chat"]}},
    ),
]

RECORDINGS = [
    *_STRIPPED,
    *_REJECTED,
    *_STUCK,
    *_NOT_OFFERED,
    *_CONSUMED,
    *_CLOSED_CONNECTION,
    *_STRICT,
    *_SUBPROTOCOL,
]
