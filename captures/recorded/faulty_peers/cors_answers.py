# SPDX-License-Identifier: GPL-2.0-or-later
"""Pages of another origin than their server: answers that the browser does not give them."""

from __future__ import annotations

from lab import Lab

from faulty_peers import boxes
from faulty_peers.peers import CLIENT_4, PAGE_2, PAGE_4, PYTHON_5, SERVER_2, SERVER_3_1, SERVER_4, Plan
from faulty_peers.plans import POLLING_ONLY, URL, WEBSOCKET_ONLY
from faulty_peers.stage import Recording, Rule, Stage
from faulty_peers.wire import ASKS_POLLING, SESSION_UNKNOWN, answers, asks, server_says, server_tells

MISSING = Rule("cors-missing", "HTTP086")
COMBINATION = Rule("cors-bad-combination", "HTTP087")
WIDE_OPEN = Rule("cors-wide-open", "HTTP119")

# The page is at http://127.0.0.1:8000, on the host of the browser.
PAGE_ORIGIN = "http://127.0.0.1:8000"
FROM_PAGE = f'http.request.line contains "Origin: {PAGE_ORIGIN}"'
_ALLOWS = 'http.response.line contains "Access-Control-Allow-Origin"'
_GOES_ON = asks("sid=")
_ASKS_BEFORE = 'http.request.method == "OPTIONS"'
_SHOP = {"X-Shop": "1"}
_VISITS: Plan = {"url": URL, "options": POLLING_ONLY, "lifeMs": 5500}
_TALKS: Plan = {**_VISITS, "hello": "text", "lifeMs": 1500}


def _with(**options: object) -> Plan:
    """A page that stays as long as it takes for three tries, with more options."""
    return {**_VISITS, "options": {**POLLING_ONLY, **options}}


def cors(**options: object) -> Plan:
    """A server with the option cors."""
    return {"options": {"cors": options}}


def beside(stage: Stage) -> None:
    """The page comes from the host of the server: another origin, but of the same site, so that cookies are sent."""
    stage.start_server()
    pages = stage.start_client("LISTENING", on="server", host=Lab.server_ip, role="page")
    with stage.capture(filter="tcp port 3000"):
        browser = stage.start_client(None, host=Lab.server_ip, role="browser")
        pages.wait(timeout=60)
        browser.stop()


_NO_CORS: Plan = {}
_NO_PYTHON_CORS: Plan = {"options": {"cors_allowed_origins": []}}

_MISSING = [
    Recording(
        MISSING,
        name,
        server,
        page,
        f"A page of another origin at {whom}: the answer has no Access-Control-Allow-Origin, and the browser keeps it"
        " from the page, which tries again.",
        [ASKS_POLLING.replace("EIO=4", f"EIO={eio}"), answers(200, "0{")],
        times=3,
        lacks=[f"{answers(200)} && {_ALLOWS}", _GOES_ON],
        serve=serve,
        visit=_VISITS,
    )
    for name, server, page, eio, whom, serve in (
        ("v4-server", SERVER_4, PAGE_4, 4, "a server of 4.x without the option cors", _NO_CORS),
        ("v3-server", SERVER_3_1, PAGE_4, 4, "a server of 3.x without the option cors", _NO_CORS),
        (
            "python5-server",
            PYTHON_5,
            PAGE_4,
            4,
            "python-socketio with cors_allowed_origins=[], which says nothing of CORS",
            _NO_PYTHON_CORS,
        ),
    )
] + [
    Recording(
        MISSING,
        "allowed",
        SERVER_4,
        PAGE_4,
        "The same page at a server whose option cors names its origin.",
        [ASKS_POLLING, f"{answers(200, '^0{')} && {_ALLOWS}", server_tells("greeting")],
        near_miss=True,
        serve=cors(origin=PAGE_ORIGIN),
        visit=_TALKS,
    ),
    Recording(
        MISSING,
        "websocket",
        SERVER_4,
        PAGE_4,
        "The same page over WebSocket, to which CORS does not apply, at a server without the option cors.",
        [asks("transport=websocket"), server_says("^0{"), server_says("greeting")],
        lacks=[_ALLOWS],
        near_miss=True,
        visit={**_TALKS, "options": WEBSOCKET_ONLY},
    ),
    Recording(
        MISSING,
        "node-client",
        SERVER_4,
        CLIENT_4,
        "A client in Node that sends the Origin of a page; it does not look for an answer to that.",
        [FROM_PAGE, answers(200, "^0{"), _GOES_ON],
        lacks=[_ALLOWS],
        near_miss=True,
        visit={"url": URL, "lifeMs": 300, "options": {**POLLING_ONLY, "extraHeaders": {"Origin": PAGE_ORIGIN}}},
    ),
]

_DOUBLE = "add_header Access-Control-Allow-Origin *; proxy_set_header Host $http_host; proxy_http_version 1.1;"

_COMBINATIONS = [
    Recording(
        COMBINATION,
        "wildcard-with-credentials",
        SERVER_4,
        PAGE_4,
        "A page with withCredentials at a server that says Access-Control-Allow-Origin: *; its cookie comes with"
        " each try after the first.",
        [ASKS_POLLING, answers(200, "^0{"), f"{ASKS_POLLING} && http.cookie", answers(200, "^0{")],
        lacks=[_GOES_ON],
        serve={"options": {"cors": {"origin": "*"}, "cookie": True}},
        visit=_with(withCredentials=True),
        play=beside,
    ),
    Recording(
        COMBINATION,
        "wildcard-no-cookie",
        SERVER_4,
        PAGE_4,
        "The same, and there is no cookie: it does not show why the browser keeps the answer.",
        [ASKS_POLLING, answers(200, "^0{")],
        times=3,
        lacks=[_GOES_ON, "http.cookie"],
        serve=cors(origin="*"),
        visit=_with(withCredentials=True),
    ),
    Recording(
        COMBINATION,
        "credentials-not-allowed",
        SERVER_4,
        PAGE_4,
        "A page with withCredentials and a cookie at a server that names its origin and lacks credentials: true.",
        [ASKS_POLLING, answers(200, "^0{"), f"{ASKS_POLLING} && http.cookie", answers(200, "^0{")],
        lacks=[_GOES_ON, 'http.response.line contains "Allow-Credentials"'],
        serve={"options": {"cors": {"origin": f"http://{Lab.server_ip}:8000"}, "cookie": True}},
        visit=_with(withCredentials=True),
        play=beside,
    ),
    Recording(
        COMBINATION,
        "twice",
        SERVER_4,
        PAGE_4,
        "nginx adds Access-Control-Allow-Origin: * to that of the server: twice is never right.",
        [ASKS_POLLING, answers(200, "^0{")],
        times=3,
        lacks=[_GOES_ON],
        serve=cors(origin="*"),
        visit=_VISITS,
        play=boxes.behind(boxes.nginx(_DOUBLE)),
    ),
    Recording(
        COMBINATION,
        "another-origin",
        SERVER_4,
        PAGE_4,
        "The server allows http://localhost:8000, and the page was opened as http://127.0.0.1:8000.",
        [ASKS_POLLING, f'{answers(200, "^0{")} && http.response.line contains "localhost:8000"'],
        times=3,
        lacks=[_GOES_ON],
        serve=cors(origin="http://localhost:8000"),
        visit=_VISITS,
    ),
    *[
        Recording(
            COMBINATION,
            name,
            server,
            page,
            what,
            [_ASKS_BEFORE, answers(status)],
            times=3,
            lacks=[asks("transport=polling")],
            serve=serve,
            visit=_with(extraHeaders=_SHOP, transportOptions={"polling": {"extraHeaders": _SHOP}}),  # as 2.x wants it
        )
        for name, server, page, what, status, serve in (
            (
                "preflight-v4-server",
                SERVER_4,
                PAGE_4,
                "A page with extraHeaders at a server of 4.x without the option cors: the browser asks by OPTIONS"
                " first, which is answered 400 code 2, and never sends the handshake.",
                400,
                _NO_CORS,
            ),
            (
                "preflight-v2-server",
                SERVER_2,
                PAGE_2,
                "The same at a server of 2.x, which allows all origins and answers no OPTIONS.",
                400,
                _NO_CORS,
            ),
            (
                "preflight-header-not-allowed",
                SERVER_4,
                PAGE_4,
                "A server whose option cors allows other headers than the page wants to send.",
                204,
                cors(origin=PAGE_ORIGIN, allowedHeaders=["X-Other"]),
            ),
        )
    ],
    Recording(
        COMBINATION,
        "preflight-nginx-401",
        SERVER_4,
        PAGE_4,
        "nginx wants a password for each request; a preflight has none.",
        [_ASKS_BEFORE, answers(401)],
        times=3,
        lacks=[asks("transport=polling")],
        serve=cors(origin=PAGE_ORIGIN, credentials=True),
        visit=_with(extraHeaders={"Authorization": "Basic c2hvcDpzaG9w"}),
        play=boxes.behind(boxes.nginx("auth_basic staging; auth_basic_user_file users;")),
    ),
    Recording(
        COMBINATION,
        "credentials",
        SERVER_4,
        PAGE_4,
        "The same page with withCredentials at a server that names its origin and allows credentials.",
        [ASKS_POLLING, answers(200, "^0{"), _GOES_ON, server_tells("greeting")],
        lacks=[SESSION_UNKNOWN],
        near_miss=True,
        serve={"options": {"cors": {"origin": f"http://{Lab.server_ip}:8000", "credentials": True}, "cookie": True}},
        visit={**_with(withCredentials=True), "hello": "text", "lifeMs": 1500},
        play=beside,
    ),
    Recording(
        COMBINATION,
        "preflight",
        SERVER_4,
        PAGE_4,
        "A page with extraHeaders that the option cors of the server lets pass.",
        [_ASKS_BEFORE, answers(204), ASKS_POLLING, _GOES_ON],
        near_miss=True,
        serve=cors(origin=PAGE_ORIGIN),
        visit={**_with(extraHeaders=_SHOP), "lifeMs": 500},
    ),
    Recording(
        COMBINATION,
        "page-leaves",
        SERVER_4,
        PAGE_4,
        "A page that leaves at once: it may have the answer, and does not use it.",
        [ASKS_POLLING, f"{answers(200, '^0{')} && {_ALLOWS}"],
        lacks=[_GOES_ON],
        near_miss=True,
        serve={"options": {"cors": {"origin": "*"}}, "slowSidMs": 300},
        visit={**_VISITS, "lifeMs": 100},
    ),
]

_PAGES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


def _several(stage: Stage) -> None:
    """The same page at several origins, one after the other."""
    stage.start_server()
    with stage.capture():
        for host in _PAGES:
            stage.start_client(None, host=host).wait(timeout=60)


_WIDE_OPEN = [
    Recording(
        WIDE_OPEN,
        "python5-server",
        PYTHON_5,
        PAGE_4,
        "python-socketio with cors_allowed_origins='*' allows each of three origins to send cookies.",
        [f'{answers(200, "^0{")} && http.response.line contains "Allow-Origin: http://{host}"' for host in _PAGES],
        serve={"options": {"cors_allowed_origins": "*"}},
        visit={**_VISITS, "lifeMs": 700},
        play=_several,
    ),
    Recording(
        WIDE_OPEN,
        "null-origin-v4-server",
        SERVER_4,
        PAGE_4,
        "cors: { origin: true, credentials: true }, and a page in a sandbox, whose origin is null.",
        [f'{answers(200, "^0{")} && http.response.line contains "Allow-Origin: null"', server_tells("greeting")],
        serve=cors(origin=True, credentials=True),
        visit={**_TALKS, "sandbox": True},
    ),
    Recording(
        WIDE_OPEN,
        "v2-server",
        SERVER_2,
        PAGE_2,
        "A server of 2.x as it comes allows whatever origin asks.",
        [f'{answers(200, "0{")} && http.response.line contains "Allow-Origin: http://127.0.0.1"'],
        serve={},
        visit=_TALKS,
    ),
]

RECORDINGS = [*_MISSING, *_COMBINATIONS, *_WIDE_OPEN]
