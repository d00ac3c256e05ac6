# SPDX-License-Identifier: GPL-2.0-or-later
"""Sessions of several servers whose requests do not come to the one that knows them."""

from __future__ import annotations

import time
from collections.abc import Callable

from lab import DEVICE, Lab

from faulty_peers import boxes
from faulty_peers.peers import ASGI, CLIENT_4, CLUSTER, PAGE_2, PAGE_4, SERVER_2, SERVER_4
from faulty_peers.plans import POLLING_ONLY, TALKS, URL
from faulty_peers.stage import Recording, Rule, Stage
from faulty_peers.wire import ASKS_POLLING, SESSION_UNKNOWN, answers, asks, posts

STICKY = Rule("sid-unknown-sticky", "EIO016")
COOKIE_LOST = Rule("affinity-cookie-lost", "HTTP018")
PREFLIGHT = Rule("preflight-not-sticky", "PROXY019")


def _behind_haproxy(*lines: str, device: str = DEVICE) -> Callable[[Stage], None]:
    """Two servers behind haproxy, request by request in turn unless a line says otherwise."""
    return boxes.behind(boxes.haproxy(*lines, servers=boxes.PAIR), boxes.PAIR, device)


_BY_COOKIE = _behind_haproxy(boxes.HAPROXY_COOKIE)


def _page_beside_the_servers(stage: Stage) -> None:
    """The same, and the page comes from the host of the servers: another origin, but cookies are sent."""
    boxes.serve_behind(stage, boxes.haproxy(boxes.HAPROXY_COOKIE, servers=boxes.PAIR), boxes.PAIR)
    pages = stage.start_client("LISTENING", on="server", host=Lab.server_ip, role="page")
    with stage.capture(filter="tcp port 3000"):
        browser = stage.start_client(None, host=Lab.server_ip, role="browser")
        pages.wait(timeout=60)
        browser.stop()


def _workers(stage: Stage) -> None:
    """A server in several processes."""
    server = stage.start_server()
    while server.output.count("LISTENING") < stage.recording.serve["workers"]:
        time.sleep(0.1)
    stage.visit()


_POLLS_FOR_5S = {"url": URL, "options": POLLING_ONLY, "lifeMs": 5000}
_POLLS_FOR_6S = {**_POLLS_FOR_5S, "lifeMs": 6000}
_TALKS_BY_POLLING = {
    **TALKS,
    "options": {**POLLING_ONLY, "withCredentials": True},  # keeps cookies, since 4.7
}

_STICKY = [
    Recording(
        STICKY,
        "haproxy-roundrobin",
        SERVER_4,
        CLIENT_4,
        "Two servers behind haproxy, request by request in turn: the handshake meets one, the POST"
        " of CONNECT the other, which does not know the sid; captured in front of the proxy.",
        [ASKS_POLLING, answers(200, "^0{"), posts("^40$"), SESSION_UNKNOWN],
        times=3,
        visit=_POLLS_FOR_5S,
        play=_behind_haproxy(),
    ),
    Recording(
        STICKY,
        "haproxy-roundrobin-both-sides",
        SERVER_4,
        CLIENT_4,
        "Two servers behind haproxy without affinity, captured on all interfaces of the proxy's"
        " host: each request twice, from the client to :3000 and from the proxy to :3001 or :3002.",
        [
            ASKS_POLLING,
            answers(200, "^0{"),
            f"tcp.port == 3002 && {posts('^40$')}",
            "tcp.srcport == 3002 && http.response.code == 400",
            SESSION_UNKNOWN,
        ],
        visit=_POLLS_FOR_5S,
        play=_behind_haproxy(device="any"),
    ),
    Recording(
        STICKY,
        "haproxy-cookie",
        SERVER_4,
        CLIENT_4,
        "Two servers behind haproxy with a cookie for affinity, which the client sends back.",
        [
            answers(200, "^0{"),
            'http.request.method == "POST" && http.cookie contains "lb="',
            answers(200, "greeting"),
        ],
        lacks=[SESSION_UNKNOWN],
        near_miss=True,
        visit=_TALKS_BY_POLLING,
        play=_BY_COOKIE,
    ),
    Recording(
        STICKY,
        "haproxy-source",
        SERVER_4,
        CLIENT_4,
        "Two servers behind haproxy, which chooses by the client's address.",
        [answers(200, "^0{"), posts("^40$"), answers(200, "greeting")],
        lacks=[SESSION_UNKNOWN],
        near_miss=True,
        visit=_TALKS_BY_POLLING,
        play=_behind_haproxy("balance source"),
    ),
    Recording(
        STICKY,
        "cluster-three-workers",
        CLUSTER,
        CLIENT_4,
        "A server in three processes of Node's cluster module, which hands out connections in turn,"
        " without @socket.io/sticky: the ids of three processes are mixed.",
        [ASKS_POLLING, answers(200, "^0{"), SESSION_UNKNOWN],
        times=3,
        serve={"workers": 3},
        visit=_POLLS_FOR_6S,
        play=_workers,
    ),
    Recording(
        STICKY,
        "uvicorn-two-workers",
        ASGI,
        CLIENT_4,
        "python-socketio in two worker processes of uvicorn: each accepts what connections it gets.",
        [ASKS_POLLING, answers(200, "^0{"), answers(400, "Invalid session")],
        times=2,
        serve={"workers": 2},
        visit=_POLLS_FOR_6S,
        play=_workers,
    ),
    Recording(
        STICKY,
        "haproxy-upgrade-elsewhere",
        SERVER_4,
        CLIENT_4,
        "Two servers behind haproxy with a cookie for affinity, which the client sends back; but a rule"
        " for WebSocket sends all of it to one of the two, and that is not the one with the session.",
        [
            answers(200, "^0{"),
            asks("transport=websocket"),
            SESSION_UNKNOWN,
            answers(200, "greeting"),
        ],
        lacks=[answers(101)],
        visit={**TALKS, "options": {"withCredentials": True}},
        play=_behind_haproxy(
            boxes.HAPROXY_COOKIE,
            "acl upgrade hdr(Upgrade) -i websocket",
            "ignore-persist if upgrade",
            "use-server at3002 if upgrade",
        ),
    ),
]

_SET_COOKIE = 'http.response.code == 200 && http.set_cookie contains "lb="'

_COOKIES = [
    Recording(
        COOKIE_LOST,
        "node-client-without-credentials",
        SERVER_4,
        CLIENT_4,
        "Two servers behind haproxy with a cookie for affinity; the client in Node keeps no cookies,"
        " as withCredentials is not set.",
        [answers(200, "^0{"), posts("^40$"), SESSION_UNKNOWN],
        times=2,
        lacks=["http.cookie"],
        visit=_POLLS_FOR_6S,
        play=_BY_COOKIE,
    ),
    Recording(
        COOKIE_LOST,
        "chromium-of-another-origin",
        SERVER_4,
        PAGE_4,
        "Two servers behind haproxy with a cookie for affinity; the client is a page of"
        " another origin, which sends no cookies, as withCredentials is not set.",
        [answers(200, "^0{"), SESSION_UNKNOWN],
        times=2,
        lacks=["http.cookie"],
        serve={"options": {"cors": {"origin": "*"}}},
        visit={**_POLLS_FOR_5S, "hello": "text"},
        play=_BY_COOKIE,
    ),
    Recording(
        COOKIE_LOST,
        "not-needed",
        SERVER_4,
        CLIENT_4,
        "The cookie is set and not sent back, but haproxy chooses by the client's address anyway.",
        [_SET_COOKIE, posts("^40$"), answers(200, "greeting")],
        lacks=[SESSION_UNKNOWN, "http.cookie"],
        near_miss=True,
        visit={**TALKS, "options": POLLING_ONLY},
        play=_behind_haproxy(boxes.HAPROXY_COOKIE, "balance source"),
    ),
]

_PREFLIGHT_ASKED = 'http.request.method == "OPTIONS" && http.request.uri contains "sid="'
_PAGE_PORT = 8000  # of chromium.js
_CROSS_ORIGIN = f"http://{Lab.server_ip}:{_PAGE_PORT}"

_PREFLIGHTS = [
    Recording(
        PREFLIGHT,
        "chromium-binary-post-v2-server",
        SERVER_2,
        PAGE_2,
        "Two servers behind haproxy with a cookie for affinity, which a page of another origin sends"
        " back. A POST with bytes has a preflight, which browsers send without cookies: it gets to"
        " the other server, which does not know the session; the POST is never sent.",
        [answers(200, "0{"), _PREFLIGHT_ASKED, SESSION_UNKNOWN],
        visit={
            "url": URL,
            "options": {**POLLING_ONLY, "withCredentials": True},
            "hello": "bytes",
            "lifeMs": 5000,
        },
        play=_page_beside_the_servers,
    ),
    Recording(
        PREFLIGHT,
        "chromium-answered-before-the-session",
        SERVER_4,
        PAGE_4,
        "Two servers of 4.x behind haproxy with a cookie for affinity; a page of another"
        " origin with an extra header, so that each request has a preflight: the cors option"
        " of the servers answers it before it looks for a session.",
        [answers(200, "^0{"), _PREFLIGHT_ASKED, answers(204), answers(200, "greeting")],
        lacks=[SESSION_UNKNOWN],
        near_miss=True,
        serve={"options": {"cors": {"origin": _CROSS_ORIGIN, "credentials": True}}},
        visit={
            "url": URL,
            "options": {**POLLING_ONLY, "withCredentials": True, "extraHeaders": {"X-Token": "t"}},
            "hello": "text",
            "lifeMs": 3000,
        },
        play=_page_beside_the_servers,
    ),
]

RECORDINGS = [*_STICKY, *_COOKIES, *_PREFLIGHTS]
