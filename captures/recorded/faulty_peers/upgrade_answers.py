# SPDX-License-Identifier: GPL-2.0-or-later
"""Upgrades that fail at what the client makes of an answer."""

from __future__ import annotations

from lab import Lab
from proxied_peers.proxies import NGINX_UPGRADE

from faulty_peers import boxes
from faulty_peers.peers import BROWSER_4, CLIENT_4, FLASK, ONE_CONNECTION, PYTHON_5, SERVER_4
from faulty_peers.plans import TALKS, URL, WEBSOCKET_ONLY
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import ASKS_WS_WITH_HEADER, CONFIRMS, answers, client_says, ends

CLOSED_CONNECTION = Rule("upgrade-on-closed-connection", "HTTP033")
STRICT = Rule("strict-connection-header", "HTTP034")
SUBPROTOCOL = Rule("subprotocol-refused", "WS035")
_ONE = {"host": Lab.server_ip, "rounds": 4, "everyMs": 500}
_KEEPS_NO_CONNECTION = f"{NGINX_UPGRADE} keepalive_timeout 0;"

_CLOSED_CONNECTION = [
    Recording(
        CLOSED_CONNECTION,
        "nginx-keepalive-0",
        SERVER_4,
        ONE_CONNECTION,
        "nginx with keepalive_timeout 0 answers the poll with Connection: close and ends; the"
        " client asks for the upgrade on that connection, four times.",
        [answers(200), ends("tcp.srcport == 3000"), ASKS_WS_WITH_HEADER],
        times=4,
        lacks=[answers(101)],
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
        [answers(200), ends("tcp.srcport == 3000"), ASKS_WS_WITH_HEADER],
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
        [answers(200), ASKS_WS_WITH_HEADER, answers(101), CONFIRMS],
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
        [ASKS_WS_WITH_HEADER, answers(101)],
        times=4,
        lacks=[client_says("^2probe$")],
        visit=_STRICT_CLIENT,
        play=boxes.behind(boxes.by_hand(connection="upgrade, keep-alive")),
    ),
    Recording(
        STRICT,
        "absent",
        SERVER_4,
        ONE_CONNECTION,
        "A proxy written by hand leaves the header Connection out of the 101.",
        [ASKS_WS_WITH_HEADER, answers(101)],
        times=4,
        lacks=[client_says("^2probe$")],
        visit=_STRICT_CLIENT,
        play=boxes.behind(boxes.by_hand(connection="")),
    ),
    Recording(
        STRICT,
        "list-taken",
        SERVER_4,
        CLIENT_4,
        "The same list before a client that reads it as one, as it should.",
        [ASKS_WS_WITH_HEADER, answers(101), CONFIRMS],
        near_miss=True,
        visit=TALKS,
        play=boxes.behind(boxes.by_hand(connection="upgrade, keep-alive")),
    ),
    Recording(
        STRICT,
        "one-word",
        SERVER_4,
        ONE_CONNECTION,
        "The same client at a server that writes Connection: Upgrade.",
        [ASKS_WS_WITH_HEADER, answers(101), CONFIRMS],
        near_miss=True,
        visit={**_STRICT_CLIENT, "rounds": 1},
    ),
]

_OFFERS = f"{ASKS_WS_WITH_HEADER} && http.sec_websocket_protocol"

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
        [_OFFERS, f"{answers(101)} && http.sec_websocket_protocol", CONFIRMS],
        near_miss=True,
        visit={**TALKS, "options": {"protocols": ["chat"]}},
    ),
]

RECORDINGS = [*_CLOSED_CONNECTION, *_STRICT, *_SUBPROTOCOL]
