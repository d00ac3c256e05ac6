# SPDX-License-Identifier: GPL-2.0-or-later
"""Upgrades whose request is refused, stripped of its headers, or taken for a poll."""

from __future__ import annotations

from proxied_peers.proxies import NGINX_UPGRADE

from faulty_peers import boxes
from faulty_peers.peers import ASGI, BROWSER_4, CLIENT_2, CLIENT_4, PYTHON_5, PYTHON_5_11, SERVER_2, SERVER_4
from faulty_peers.plans import RETRIES_WEBSOCKET, TALKS, URL
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import ASKS_WS, ASKS_WS_WITH_HEADER, CONFIRMS, FROM_SERVER, SESSION_UNKNOWN, answers

STRIPPED = Rule("upgrade-headers-stripped", "PROXY023")
REJECTED = Rule("upgrade-rejected", "HTTP024")
CONSUMED = Rule("upgrade-consumed-as-poll", "EIO030")

# Behind the proxy: the server listens at 3001.
_STRIPPED_GET = f"tcp.dstport == 3001 && {ASKS_WS} && !http.upgrade"
_TAIL = "tcp.srcport == 3001 && http.response.code == 400"


def _inside(text: str) -> list[str]:
    return [_STRIPPED_GET, f'{_TAIL} && http.file_data contains "{text}"']


_AT_SERVER = f"tcp.dstport == 3001 && {ASKS_WS}"
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
            visit=TALKS,
            play=boxes.behind(boxes.nginx(), device=device),
        )
        for name, server, client, text in (
            ("v4-server", SERVER_4, CLIENT_4, _BAD_REQUEST),
            ("python5-server", PYTHON_5, CLIENT_4, _INVALID_TRANSPORT),
            ("v2-server", SERVER_2, CLIENT_2, _BAD_REQUEST),
        )
        for place, where, device, shows in (
            ("", "in front of nginx", "eth0", [ASKS_WS_WITH_HEADER, answers(400, text)]),
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
            visit=RETRIES_WEBSOCKET,
            play=boxes.behind(boxes.nginx(), device=device),
        )
        for name, server, text in (
            ("v4-server", SERVER_4, _BAD_REQUEST),
            ("python5-server", PYTHON_5, _INVALID_UPGRADE),
        )
        for place, where, device, shows in (
            ("", "in front of nginx", "eth0", [ASKS_WS_WITH_HEADER, answers(400, text)]),
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
            [ASKS_WS_WITH_HEADER, answers(400, _BAD_REQUEST)],
            lacks=[answers(101)],
            visit=TALKS,
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
                visit=TALKS,
                play=boxes.behind(boxes.nginx(f"{_HTTP_1_1} {_UPGRADE_LINE}"), device=device),
            )
            for place, where, device, shows in (
                ("", "in front of nginx", "eth0", [ASKS_WS_WITH_HEADER, answers(400, _BAD_REQUEST)]),
                ("-inside", "between nginx and the server", "lo", [_AT_SERVER, f"{_TAIL}"]),
            )
        ),
        Recording(
            STRIPPED,
            "nginx-v4-server-both-sides",
            SERVER_4,
            CLIENT_4,
            f"{_NGINX}, captured on all interfaces of its host: each request twice, with the header and without.",
            [ASKS_WS_WITH_HEADER, _STRIPPED_GET, answers(400, _BAD_REQUEST)],
            lacks=[answers(101)],
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
            visit=TALKS,
            play=boxes.behind(boxes.nginx(f"{_UPGRADE_LINE} {_CONNECTION_LINE}"), device="lo"),
        ),
        Recording(
            STRIPPED,
            "nginx-two-servers",
            SERVER_4,
            CLIENT_4,
            f"{_NGINX}, and two servers in turn behind it: two faults at once.",
            [ASKS_WS_WITH_HEADER, SESSION_UNKNOWN],
            lacks=[answers(101)],
            visit={"url": URL, "lifeMs": 4000},
            play=boxes.behind(boxes.nginx(servers=boxes.PAIR), ports=boxes.PAIR),
        ),
        Recording(
            STRIPPED,
            "raw-text",
            SERVER_4,
            CLIENT_4,
            "Two servers in turn behind an nginx that does pass upgrades on: the refusal of the"
            " WebSocket is the bare text of a server that saw the upgrade, and the session is not its.",
            [ASKS_WS_WITH_HEADER, SESSION_UNKNOWN],
            near_miss=True,
            visit={"url": URL, "lifeMs": 4000},
            play=boxes.behind(boxes.nginx(NGINX_UPGRADE, servers=boxes.PAIR), ports=boxes.PAIR),
        ),
        Recording(
            STRIPPED,
            "apache-upgrades",
            SERVER_4,
            CLIENT_4,
            "Apache httpd with mod_proxy_http that is told to pass upgrades on (2.4.47 or later).",
            [ASKS_WS_WITH_HEADER, answers(101), CONFIRMS],
            near_miss=True,
            visit=TALKS,
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
        [ASKS_WS_WITH_HEADER, answers(status)],
        lacks=[answers(101)],
        visit=TALKS,
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
        [ASKS_WS_WITH_HEADER, answers(426)],
        times=4,
        lacks=[answers(101)],
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
        [ASKS_WS_WITH_HEADER, answers(502), answers(200, "^0{")],
        lacks=[answers(101)],
        serve={"options": {"cors": {"origin": "*"}}},
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
        [ASKS_WS_WITH_HEADER, f'{FROM_SERVER} && tcp.payload contains "HTTP/1.1 500"'],
        lacks=[answers(101)],
        serve={"ws": "none"},
        visit=TALKS,
    ),
    Recording(
        REJECTED,
        "by-the-application",
        SERVER_4,
        CLIENT_4,
        "A WebSocket handshake that the application forbids (allowRequest): a bare 400 of Engine.IO itself.",
        [ASKS_WS_WITH_HEADER, answers(400, "not for you")],
        near_miss=True,
        serve={"forbid": True},
        visit={**RETRIES_WEBSOCKET, "attempts": 2},
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
        visit=TALKS,
        play=boxes.behind(boxes.nginx(), device=device),
    )
    for place, where, device, ask, answer in (
        ("", "in front of nginx", "eth0", ASKS_WS_WITH_HEADER, answers(200)),
        (
            "-inside",
            "between nginx and the server",
            "lo",
            _STRIPPED_GET,
            "tcp.srcport == 3001 && http.response.code == 200",
        ),
    )
]

RECORDINGS = [*_STRIPPED, *_REJECTED, *_CONSUMED]
