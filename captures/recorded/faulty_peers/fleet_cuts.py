# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections that a proxy cuts, each after the same time."""

from __future__ import annotations

from collections.abc import Callable

from proxied_peers.proxies import NGINX_UPGRADE

from faulty_peers import boxes
from faulty_peers.peers import CLIENT_2, CLIENT_4, PYTHON_5, RAW_WS, SERVER_2, SERVER_4
from faulty_peers.plans import OPEN_AND_CONNECT, PONGS, URL, WEBSOCKET_ONLY, WS_URL
from faulty_peers.stage import Recording, Rule, Stage
from faulty_peers.wire import FROM_CLIENT, FROM_SERVER, closes, ends, resets, server_says

IDLE_CUT = Rule("idle-cut", "PROXY081")
LIFETIME_CUT = Rule("lifetime-cut", "PROXY082")

# The server behind the proxy.
_FROM_BACK_END, _TO_BACK_END = "tcp.srcport == 3001", "tcp.dstport == 3001"
_CUT = f"({ends(FROM_SERVER)}) || ({resets(FROM_SERVER)})"
_OPENED = server_says("^0{")
_THREE_LIVES = {"url": URL, "options": WEBSOCKET_ONLY}


_APACHE = """
Timeout 5
ProxyTimeout 5
ProxyPass "/socket.io/" "http://127.0.0.1:3001/socket.io/" upgrade=websocket
"""


def _behind_nginx(seconds: int) -> Callable[[Stage], None]:
    return boxes.behind(boxes.nginx(f"{NGINX_UPGRADE} proxy_read_timeout {seconds}s;"))


_IDLE = [
    Recording(
        IDLE_CUT,
        "nginx-5s",
        SERVER_4,
        CLIENT_4,
        "nginx with a proxy_read_timeout of 5 s in front of a server with the default pingInterval of 25 s: each"
        " connection is ended after 5 s in which the server says nothing, and the client comes back.",
        [_OPENED, ends(FROM_SERVER)],
        times=3,
        visit={**_THREE_LIVES, "lifeMs": 19_500},
        play=_behind_nginx(5),
    ),
    Recording(
        IDLE_CUT,
        "nginx-5s-v2",
        SERVER_2,
        CLIENT_2,
        "The same with Socket.IO 2, whose client pings, every 25 s.",
        [ends(FROM_SERVER)],
        times=2,
        serve={"options": {"pingInterval": 25000, "pingTimeout": 20000}},
        visit={**_THREE_LIVES, "lifeMs": 13_500},
        play=_behind_nginx(5),
    ),
    Recording(
        IDLE_CUT,
        "haproxy-tunnel-10s-python5-server",
        PYTHON_5,
        CLIENT_4,
        "haproxy with a `timeout tunnel` of 10 s in front of python-socketio. haproxy says nothing of itself.",
        [_OPENED, _CUT],
        times=2,
        visit={**_THREE_LIVES, "lifeMs": 23_500},
        play=boxes.behind(boxes.haproxy("timeout tunnel 10s")),
    ),
    Recording(
        IDLE_CUT,
        "haproxy-client-and-server-5s-server-hop",
        SERVER_4,
        CLIENT_4,
        "haproxy with `timeout client` and `timeout server` of 5 s and no `timeout tunnel`, which then go for"
        " WebSockets too; the hop of the server, where it is the client of the connection that ends it.",
        [f"({ends(_TO_BACK_END)}) || ({resets(_TO_BACK_END)})"],
        times=3,
        visit={**_THREE_LIVES, "lifeMs": 19_500},
        play=boxes.behind(boxes.haproxy("option forwardfor", "timeout client 5s", "timeout server 5s"), device="lo"),
    ),
    Recording(
        IDLE_CUT,
        "apache-5s",
        SERVER_4,
        CLIENT_4,
        "Apache httpd that passes WebSockets on, with a ProxyTimeout and a Timeout of 5 s.",
        [_OPENED, _CUT],
        times=2,
        visit={**_THREE_LIVES, "lifeMs": 13_500},
        play=boxes.behind(boxes.apache(_APACHE)),
    ),
    Recording(
        IDLE_CUT,
        "nginx-pings-in-time",
        SERVER_4,
        CLIENT_4,
        "nginx with its 5 s, and pings every 2 s: the connection lives.",
        [server_says("^2$")],
        times=4,
        near_miss=True,
        serve={"options": {"pingInterval": 2000, "pingTimeout": 2000}},
        visit={**_THREE_LIVES, "lifeMs": 9_500},
        play=_behind_nginx(5),
    ),
]

_LIFETIME = [
    Recording(
        LIFETIME_CUT,
        "platform-4s",
        SERVER_4,
        CLIENT_4,
        "A proxy (by hand, as platforms with a maximum duration do it) ends each connection when it is 4 s old,"
        " whatever passes; pings every 900 ms.",
        [server_says("^2$"), ends(FROM_SERVER)],
        times=3,
        serve={"options": {"pingInterval": 900, "pingTimeout": 2000}},
        visit={**_THREE_LIVES, "lifeMs": 17_500},
        play=boxes.behind(boxes.by_age(4000)),
    ),
    Recording(
        LIFETIME_CUT,
        "clients-leave",
        SERVER_4,
        RAW_WS,
        "A client that leaves after two seconds each time, in order.",
        [server_says("^2$"), closes(FROM_CLIENT)],
        times=3,
        near_miss=True,
        serve={"options": {"pingInterval": 900, "pingTimeout": 2000}},
        visit={
            "url": WS_URL,
            "answers": PONGS,
            "steps": [*OPEN_AND_CONNECT, ["wait", 2000], ["leave"]],
            "rounds": 3,
            "everyMs": 1000,
        },
    ),
]

RECORDINGS = [*_IDLE, *_LIFETIME]
