# SPDX-License-Identifier: GPL-2.0-or-later
"""Sessions that a server does not know (any more), and requests that get in each other's way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from lab import Lab, Side, npm_install

from faulty_peers.handshakes import POLLING_ONLY, TALKS
from faulty_peers.peers import (
    CLIENT_4,
    HERE,
    PYTHON_5,
    SERVER_2,
    SERVER_4,
    Peer,
)
from faulty_peers.reconnects import SESSION_UNKNOWN, STICKY
from faulty_peers.stage import QUICK, URL, Recording, Rule, Stage
from faulty_peers.wire import FROM_CLIENT, FROM_SERVER, answers, asks, ends, posts

EXPIRED = Rule("sid-expired", "EIO017")
COOKIE_LOST = Rule("affinity-cookie-lost", "HTTP018")
PREFLIGHT = Rule("preflight-not-sticky", "PROXY019")
POLL_OVERLAP = Rule("poll-overlap", "EIO020")
POST_OVERLAP = Rule("post-overlap", "EIO021")
POLL_CUT = Rule("poll-cut-by-client", "EIO022")

RAW = Peer("node:http", "raw", "polling_client.js", ("ws@8.23.0",))
REQUESTS = Peer("requests", "2.34.2", "requests_client.py", ("requests==2.34.2",))
CLUSTER = Peer("socket.io", "4.8.4", "cluster_server.js", ("socket.io@4.8.4",))
UVICORN = Peer(
    "python-socketio",
    "5.18.1",
    "asgi_server.py",
    ("python-socketio==5.18.1", "python-engineio==4.15.1", "uvicorn==0.54.0"),
)
CHROMIUM_2 = Peer("socket.io-client", "2.5.0", "page_host.js", ("socket.io-client@2.5.0",), "Chromium")
CHROMIUM_4 = Peer("socket.io-client", "4.8.4", "page_host.js", ("socket.io-client@4.8.4",), "Chromium")

PAGE_PORT = 8000
_BUILDS = ("dist/socket.io.js", "socket.io.js")
_BROWSER = (
    "chromium",
    "--headless=new",
    "--no-sandbox",  # it refuses to run as root with one
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_WORKER_IS_UP = "Application startup complete"


def _behind_haproxy(affinity: str = "", balance: str = "roundrobin", browse: str = "") -> Callable[[Stage], None]:
    """Two servers behind haproxy; `browse`: the host of the page that a browser comes from."""

    def play(stage: Stage) -> None:
        for port in (3001, 3002):
            stage.start_server(port=port)
        stage.lab.start(
            "server",
            ["haproxy", "-W", "-db", "-f", str(HERE / "haproxy.cfg")],
            ready="Loading success",
            env={"AFFINITY": affinity, "BALANCE": balance},
        )
        if browse:
            _browse(stage, browse)
            return
        with stage.capture():
            stage.run_client()
            time.sleep(0.3)

    return play


def _browse(stage: Stage, host: str) -> None:
    """Chromium opens a page of a host in the laboratory; only what goes to port 3000 is recorded."""
    version = stage.recording.client.version
    package = npm_install(f"socket.io-client@{version}") / "node_modules" / "socket.io-client"
    library = next(package / name for name in _BUILDS if (package / name).exists())
    visit = {**stage.recording.visit, "library": str(library), "host": host, "port": PAGE_PORT}
    side: Side = "server" if host == Lab.server_ip else "client"
    pages = stage.start_pages(side, visit)
    with stage.capture(filter="tcp port 3000"):
        argv = [*_BROWSER, f"--user-data-dir={stage.folder / 'profile'}", f"http://{host}:{PAGE_PORT}/"]
        browser = stage.lab.start("client", argv, ready=None, env={"HOME": str(stage.folder)})
        try:
            pages.wait_for("DONE", 60)
        finally:
            browser.stop(grace=2)


def _page_at_one_server(stage: Stage) -> None:
    stage.start_server()
    _browse(stage, "127.0.0.1")


def _cluster(stage: Stage) -> None:
    stage.start_server(ready="ALL LISTENING")
    with stage.capture():
        stage.run_client()
        time.sleep(0.3)


def _uvicorn(stage: Stage) -> None:
    server = stage.start_server(ready=_WORKER_IS_UP)
    while server.output.count(_WORKER_IS_UP) < stage.recording.serve["workers"]:
        time.sleep(0.1)
    with stage.capture():
        stage.run_client()
        time.sleep(0.3)


_POLLS_FOR_A_WHILE = {"url": URL, "options": POLLING_ONLY, "lifeMs": 6000}

_STICKY = [
    Recording(
        STICKY,
        "cluster-three-workers",
        CLUSTER,
        CLIENT_4,
        "A server in three processes of Node's cluster module, which hands out connections in turn,"
        " without @socket.io/sticky: the ids of three processes are mixed.",
        [asks("EIO=4&transport=polling"), answers(200, "^0{"), SESSION_UNKNOWN],
        times=3,
        serve={"workers": 3},
        visit=_POLLS_FOR_A_WHILE,
        play=_cluster,
    ),
    Recording(
        STICKY,
        "uvicorn-two-workers",
        UVICORN,
        CLIENT_4,
        "python-socketio in two worker processes of uvicorn: each accepts what connections it gets.",
        [asks("EIO=4&transport=polling"), answers(200, "^0{"), answers(400, "Invalid session")],
        times=2,
        serve={"workers": 2},
        visit={**_POLLS_FOR_A_WHILE, "lifeMs": 6000},
        play=_uvicorn,
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
            answers(400, "Session ID unknown"),
            answers(200, "greeting"),
        ],
        lacks=[answers(101)],
        visit={"url": URL, "options": {"withCredentials": True}, **TALKS},
        play=_behind_haproxy(affinity="polling"),
    ),
]


def _frozen(stage: Stage) -> None:
    stage.start_server()
    with stage.capture():
        client = stage.start_client()
        time.sleep(1.2)
        client.freeze()
        time.sleep(4)
        client.thaw()
        client.wait(timeout=60)
        time.sleep(0.3)


def _restart_of_the_server(stage: Stage) -> None:
    server = stage.start_server()
    with stage.capture():
        client = stage.start_client(ready="READY")
        time.sleep(0.5)
        server.stop()
        stage.start_server()
        client.wait(timeout=60)
        time.sleep(0.3)


def _four_clients(stage: Stage) -> None:
    server = stage.start_server()
    with stage.capture():
        clients = [stage.start_client() for _ in range(4)]
        time.sleep(1)
        server.stop()
        stage.start_server()
        for client in clients:
            client.wait(timeout=60)
        time.sleep(0.3)


def _plan(*steps: Sequence[object], **more: object) -> dict[str, object]:
    return {"host": Lab.server_ip, "steps": [["open"], *steps], **more}


_JOIN: list[list[object]] = [["post", "40"], ["poll"]]

_INSISTS: list[list[object]] = [["poll"], ["wait", 300]] * 5

_EXPIRED = [
    Recording(
        EXPIRED,
        "server-restarted",
        SERVER_4,
        RAW,
        "A hand-written client polls; the server is restarted while a poll is pending, and does not"
        " know the session any more. The client opens a new one.",
        [answers(200, "^0{"), ends(FROM_SERVER), SESSION_UNKNOWN, answers(200, "^0{"), posts("^40$")],
        visit=_plan(*_JOIN, ["ready"], ["poll"], ["wait", 2500], ["poll"], ["wait", 300], retry=True),
        play=_restart_of_the_server,
    ),
    Recording(
        EXPIRED,
        "server-restarted-client-insists",
        SERVER_4,
        RAW,
        "The server is restarted while a poll is pending; this hand-written client knows"
        " nothing better than to ask again and again with the old id.",
        [answers(200, "^0{"), ends(FROM_SERVER), *[SESSION_UNKNOWN] * 5],
        visit=_plan(*_JOIN, ["ready"], ["poll"], ["wait", 2500], *_INSISTS),
        play=_restart_of_the_server,
    ),
    Recording(
        EXPIRED,
        "polls-too-seldom",
        SERVER_4,
        RAW,
        "A hand-written client that polls now and then and not all the time: between two polls the"
        " server has waited for longer than interval and timeout, and has ended the session.",
        [answers(200, "^0{"), asks("sid="), SESSION_UNKNOWN],
        serve={"options": QUICK},
        visit=_plan(*_JOIN, ["wait", 3000], ["poll"], ["wait", 200], retry=True),
    ),
    Recording(
        EXPIRED,
        "polls-too-seldom-python5-server",
        PYTHON_5,
        RAW,
        "A hand-written client polls python-socketio now and then and not all the time:"
        " between two polls the time of its session is over.",
        [answers(200, "^0{"), asks("sid="), answers(400, "Invalid session|disconnected")],
        serve={"options": {"ping_interval": 1, "ping_timeout": 1}},
        visit=_plan(*_JOIN, ["wait", 5000], ["poll"], ["wait", 200]),
    ),
    Recording(
        EXPIRED,
        "client-frozen",
        SERVER_4,
        CLIENT_4,
        "The client is stopped for 4 s, longer than interval and timeout; when it wakes up, it takes"
        " the ping that waited for it, answers it, and is told that its session is unknown.",
        [answers(200, "^2$"), posts("^3"), SESSION_UNKNOWN, answers(200, "^0{")],
        serve={"options": QUICK},
        visit={"url": URL, "options": POLLING_ONLY, "lifeMs": 7000},
        play=_frozen,
    ),
    Recording(
        EXPIRED,
        "real-clients-at-a-restart",
        SERVER_4,
        CLIENT_4,
        "Four real clients poll while the server is restarted: each takes the end of its poll for what"
        " it is, and opens a new session without asking for the old one.",
        [*[answers(200, "^0{")] * 4, *[ends(FROM_SERVER)] * 4, *[answers(200, "^0{")] * 4],
        lacks=[SESSION_UNKNOWN],
        near_miss=True,
        visit={"url": URL, "options": POLLING_ONLY, "lifeMs": 6000},
        play=_four_clients,
    ),
]

_COOKIE_BACK = 'http.request.method == "POST" && http.cookie contains "lb="'
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
        visit=_POLLS_FOR_A_WHILE,
        play=_behind_haproxy(affinity="cookie"),
    ),
    Recording(
        COOKIE_LOST,
        "chromium-of-another-origin",
        SERVER_4,
        CHROMIUM_4,
        "Two servers behind haproxy with a cookie for affinity; the client is a page of"
        " another origin, which sends no cookies, as withCredentials is not set.",
        [answers(200, "^0{"), SESSION_UNKNOWN],
        times=2,
        lacks=["http.cookie"],
        serve={"options": {"cors": {"origin": "*"}}},
        visit={"url": URL, "options": POLLING_ONLY, "lifeMs": 5000},
        play=_behind_haproxy(affinity="cookie", browse="127.0.0.1"),
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
        visit={"url": URL, "options": POLLING_ONLY, **TALKS},
        play=_behind_haproxy(affinity="cookie", balance="source"),
    ),
]

_PREFLIGHT_ASKED = 'http.request.method == "OPTIONS" && http.request.uri contains "sid="'
_CROSS_ORIGIN = f"http://{Lab.server_ip}:{PAGE_PORT}"

_PREFLIGHTS = [
    Recording(
        PREFLIGHT,
        "chromium-binary-post-v2-server",
        SERVER_2,
        CHROMIUM_2,
        "Two servers behind haproxy with a cookie for affinity, which a page of another origin sends"
        " back. A POST with bytes has a preflight, which browsers send without cookies: it gets to"
        " the other server, which does not know the session; the POST is never sent.",
        [answers(200, "0{"), _PREFLIGHT_ASKED, SESSION_UNKNOWN],
        visit={
            "url": URL,
            "options": {**POLLING_ONLY, "withCredentials": True},
            "binary": True,
            "lifeMs": 5000,
        },
        play=_behind_haproxy(affinity="cookie", browse=Lab.server_ip),
    ),
    Recording(
        PREFLIGHT,
        "chromium-answered-before-the-session",
        SERVER_4,
        CHROMIUM_4,
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
            "lifeMs": 3000,
        },
        play=_behind_haproxy(affinity="cookie", browse=Lab.server_ip),
    ),
]

_TWO_POLLS = _plan(*_JOIN, ["hang"], ["wait", 300], ["hang"], ["wait", 500], ["poll"], ["wait", 200])
_SECOND_POLL_REFUSED = [answers(200, "^0{"), asks("sid="), asks("sid="), asks("sid=")]

_POLL_OVERLAPS = [
    Recording(
        POLL_OVERLAP,
        "v4-server",
        SERVER_4,
        RAW,
        "A second poll while the first one waits: 400 with an empty body, the first one gets '1', and"
        " the session is gone.",
        [*_SECOND_POLL_REFUSED, answers(400), SESSION_UNKNOWN],
        visit=_TWO_POLLS,
    ),
    Recording(
        POLL_OVERLAP,
        "v2-server",
        SERVER_2,
        RAW,
        "A second poll while the first one waits, at a 2.x server: 500 with an empty body,"
        " the first one gets '1:1', and the session is gone.",
        [answers(200, "0{"), asks("sid="), asks("sid="), answers(500), SESSION_UNKNOWN],
        visit={
            "host": Lab.server_ip,
            "eio": 3,
            "steps": [["open"], ["hang"], ["wait", 300], ["hang"], ["wait", 500], ["poll"], ["wait", 200]],
        },
    ),
    Recording(
        POLL_OVERLAP,
        "python5-server",
        PYTHON_5,
        RAW,
        "python-socketio lets two polls wait side by side; each packet goes to one of them.",
        [*_SECOND_POLL_REFUSED, answers(200, "^2"), answers(200, "^2")],
        lacks=[answers(400), answers(500)],
        near_miss=True,
        serve={"options": {"ping_interval": 1, "ping_timeout": 5}},
        visit=_plan(*_JOIN, ["hang"], ["wait", 300], ["hang"], ["wait", 1000], ["post", "3"], ["wait", 1500]),
    ),
]

_SLOW = ["slow", '42["hello","a word that takes its time"]', 600]
_TWO_POSTS = _plan(*_JOIN, _SLOW, ["wait", 200], ["post", '42["hello","b"]'], ["wait", 600], ["poll"])

_POST_OVERLAPS = [
    Recording(
        POST_OVERLAP,
        name,
        server,
        RAW,
        f"A POST while the body of another one is still on its way: {outcome}",
        [answers(200, "0{"), posts('"b"'), refused, SESSION_UNKNOWN],
        visit=visit,
    )
    for name, server, refused, visit, outcome in (
        ("v4-server", SERVER_4, answers(400), _TWO_POSTS, "400 with an empty body; the session is gone."),
        (
            "v2-server",
            SERVER_2,
            answers(500),
            {
                **_TWO_POSTS,
                "eio": 3,
                "steps": [
                    ["open"],
                    ["slow", '45:42["hello","a word that takes its time here"]', 600],
                    ["wait", 200],
                    ["post", '15:42["hello","b"]'],
                    ["wait", 600],
                    ["poll"],
                ],
            },
            "500 with an empty body; the session is gone.",
        ),
    )
] + [
    Recording(
        POST_OVERLAP,
        "short-ones",
        SERVER_4,
        RAW,
        "Two short POSTs at the same time: each is whole when the server looks at it.",
        [answers(200, "0{"), posts('"a"'), posts('"b"'), answers(200, "^ok$"), answers(200, "^ok$")],
        lacks=[answers(400)],
        near_miss=True,
        visit=_plan(*_JOIN, ["send", '42["hello","a"]'], ["send", '42["hello","b"]'], ["wait", 300], ["poll"]),
    ),
]

_CUT_BY_CLIENT = f"{FROM_CLIENT} && (tcp.flags.fin == 1 || tcp.flags.reset == 1)"

_POLLS_CUT = [
    Recording(
        POLL_CUT,
        "raw-10s-v4-server",
        SERVER_4,
        RAW,
        "A hand-written client whose HTTP library cuts a request that is not answered within 10 s; the"
        " server answers a poll when it has something to say, after 25 s at the latest. It ends the"
        " session, and the next poll is refused.",
        [answers(200, "^0{"), asks("sid="), _CUT_BY_CLIENT, asks("sid="), SESSION_UNKNOWN],
        times=2,
        visit=_plan(
            *_JOIN,
            ["cut", 10000],
            ["cut", 10000],
            ["poll"],
            ["cut", 10000],
            ["cut", 10000],
            ["poll"],
            ["wait", 200],
            retry=True,
        ),
    ),
    Recording(
        POLL_CUT,
        "raw-2s-python5-server",
        PYTHON_5,
        RAW,
        "python-socketio does not notice that a poll was cut, and answers it all the same: an event"
        " and a ping go into polls that nobody waits for, and the session ends for want of a pong.",
        [
            answers(200, "^0{"),
            *[asks("sid="), _CUT_BY_CLIENT] * 2,
            posts("hello"),
            asks("sid="),
            answers(400, "Bad Request"),
        ],
        lacks=[answers(200, "greeting")],
        serve={"options": {"ping_interval": 6, "ping_timeout": 4}},
        visit=_plan(*_JOIN, ["cut", 2000], ["cut", 2000], ["post", '42["hello","a"]'], ["poll"]),
    ),
    Recording(
        POLL_CUT,
        "requests-4s-v4-server",
        SERVER_4,
        REQUESTS,
        "A client written over requests with timeout=4, which is shorter than the pingInterval.",
        [answers(200, "^0{"), asks("sid="), _CUT_BY_CLIENT, asks("sid="), SESSION_UNKNOWN],
        times=2,
        visit={"host": Lab.server_ip, "timeout": 4, "lifeS": 9},
    ),
    Recording(
        POLL_CUT,
        "chromium-request-timeout-5s",
        SERVER_4,
        CHROMIUM_4,
        "A page whose client has requestTimeout: 5000. It takes the cut poll for a lost connection"
        " and opens a new session each time.",
        [answers(200, "^0{"), asks("sid="), _CUT_BY_CLIENT, asks("EIO=4&transport=polling"), answers(200, "^0{")],
        serve={"options": {"cors": {"origin": "*"}}},
        visit={
            "url": URL,
            "options": {**POLLING_ONLY, "requestTimeout": 5000},
            "lifeMs": 19000,
        },
        play=_page_at_one_server,
    ),
    Recording(
        POLL_CUT,
        "long-enough",
        SERVER_4,
        REQUESTS,
        "A client written over requests with timeout=4, at a server that pings every second.",
        [answers(200, "^0{"), answers(200, "^2$"), posts("^3$"), answers(200, "^2$"), posts("^3$")],
        lacks=[SESSION_UNKNOWN],
        near_miss=True,
        serve={"options": {"pingInterval": 1000, "pingTimeout": 5000}},
        visit={"host": Lab.server_ip, "timeout": 4, "lifeS": 4},
    ),
    Recording(
        POLL_CUT,
        "client-leaves",
        SERVER_4,
        CLIENT_4,
        "A client that closes while a poll waits: it cuts that poll, too.",
        [answers(200, "^0{"), asks("sid="), _CUT_BY_CLIENT],
        lacks=[SESSION_UNKNOWN],
        near_miss=True,
        visit={"url": URL, "options": POLLING_ONLY, "lifeMs": 3000},
    ),
]


RECORDINGS = [
    *_STICKY,
    *_EXPIRED,
    *_COOKIES,
    *_PREFLIGHTS,
    *_POLL_OVERLAPS,
    *_POST_OVERLAPS,
    *_POLLS_CUT,
]
