# SPDX-License-Identifier: GPL-2.0-or-later
"""Heartbeats that are too rare for a proxy, or that fail on one of its two hops."""

from __future__ import annotations

import time
from collections.abc import Callable

from lab import DEVICE, RelayPlan
from proxied_peers.proxies import NGINX_UPGRADE, REVERSE_PORT, SERVER_PORT

from faulty_peers import boxes
from faulty_peers.heartbeat_pings import PING_MISSING
from faulty_peers.heartbeat_pongs import PONG_MISSING
from faulty_peers.peers import CLIENT_4, SERVER_4, Plan
from faulty_peers.plans import ONCE_WEBSOCKET, POLLING_ONLY, QUICK, QUICK_TOTAL_S, URL, WEBSOCKET_ONLY
from faulty_peers.stage import Recording, Rule, Stage
from faulty_peers.wire import (
    FROM_CLIENT,
    FROM_SERVER,
    acknowledges_only,
    client_says,
    closes,
    ends,
    retransmits,
    server_says,
)

PROXY = Rule("heartbeat-vs-proxy", "PROXY045")

# nginx on port 80 of the server's host; the server is asked over the loopback device.
_PROXY_URL = URL.replace("3000", str(REVERSE_PORT))

_FROM_CLIENT_80, _FROM_PROXY_80 = "tcp.dstport == 80", "tcp.srcport == 80"


def _nginx(timeout_s: int) -> boxes.Start:
    wait = f"proxy_read_timeout {timeout_s}s;"
    return boxes.nginx(f"{NGINX_UPGRADE} {wait}", servers=[SERVER_PORT], port=REVERSE_PORT)


_HAPROXY = boxes.haproxy("timeout tunnel 60s", servers=[SERVER_PORT], port=REVERSE_PORT)


def _behind(start: boxes.Start, device: str = DEVICE) -> Callable[[Stage], None]:
    return boxes.behind(start, [SERVER_PORT], device)


_COMES_AGAIN = {"url": _PROXY_URL, "options": WEBSOCKET_ONLY, "lifeMs": 130_000}
_USUAL = {"options": {"pingInterval": 25000, "pingTimeout": 20000}}
_RARE = {"options": {"pingInterval": 90000, "pingTimeout": 20000}}

_PROXY = [
    Recording(
        PROXY,
        "nginx-client-hop",
        SERVER_4,
        CLIENT_4,
        "nginx with its default proxy_read_timeout of 60 s, pings every 90 s: nginx ends the connection"
        " after 60 s in which the server says nothing; the client comes back. The hop of the client.",
        [f"{_FROM_PROXY_80} && tcp.flags.fin == 1"],
        times=2,
        serve=_RARE,
        visit=_COMES_AGAIN,
        play=_behind(_nginx(60)),
    ),
    Recording(
        PROXY,
        "nginx-server-hop",
        SERVER_4,
        CLIENT_4,
        "The same on the hop of the server: here it is the client of the connection that ends it.",
        [server_says("^40{"), ends(FROM_CLIENT)],
        times=2,
        serve=_RARE,
        visit=_COMES_AGAIN,
        play=_behind(_nginx(60), "lo"),
    ),
    Recording(
        PROXY,
        "nginx-both-hops",
        SERVER_4,
        CLIENT_4,
        "The same, both hops.",
        [f"{_FROM_PROXY_80} && tcp.flags.fin == 1"],
        serve=_RARE,
        visit={**_COMES_AGAIN, "lifeMs": 64_000},
        play=_behind(_nginx(60), "any"),
    ),
    Recording(
        PROXY,
        "haproxy-client-hop",
        SERVER_4,
        CLIENT_4,
        "haproxy with a `timeout tunnel` of 60 s, pings every 90 s; the hop of the client.",
        [f"{_FROM_PROXY_80} && tcp.flags.fin == 1"],
        times=2,
        serve=_RARE,
        visit=_COMES_AGAIN,
        play=_behind(_HAPROXY),
    ),
    Recording(
        PROXY,
        "nginx-polling",
        SERVER_4,
        CLIENT_4,
        "nginx with a proxy_read_timeout of 5 s and polling: each GET that waits for 5 s is answered by 504.",
        ["tcp.srcport == 80 && http.response.code == 504"],
        times=2,
        serve=_USUAL,
        visit={"url": _PROXY_URL, "options": POLLING_ONLY, "lifeMs": 15000},
        play=_behind(_nginx(5)),
    ),
    Recording(
        PROXY,
        "announced",
        SERVER_4,
        CLIENT_4,
        "A pingInterval of 120 s, longer than most proxies wait; nothing cuts it here.",
        [server_says('"pingInterval":120000'), client_says("^41$")],
        serve={"options": {"pingInterval": 120000}},
        visit={**ONCE_WEBSOCKET, "lifeMs": 2000},
    ),
    Recording(
        PROXY,
        "nginx-pings-in-time",
        SERVER_4,
        CLIENT_4,
        "The same nginx, and pings every 25 s.",
        [f'{_FROM_PROXY_80} && websocket.payload.text == "2"'],
        times=2,
        near_miss=True,
        serve=_USUAL,
        visit={**_COMES_AGAIN, "lifeMs": 70_000},
        play=_behind(_nginx(60)),
    ),
]


def _frozen_behind_proxy(device: str, *, cut: bool = False, server_freezes: bool = False) -> Callable[[Stage], None]:
    def play(stage: Stage) -> None:
        server = stage.start_server()
        _nginx(60)(stage)
        with stage.capture(device=device):
            client = stage.start_client()
            time.sleep(1.5)
            if cut:
                stage.lab.relay.cut()
            elif server_freezes:
                server.freeze()
            else:
                client.freeze()
            time.sleep(2 * QUICK_TOTAL_S)

    return play


_QUICK_PROXY: Plan = {**ONCE_WEBSOCKET, "url": _PROXY_URL, "lifeMs": 7000}

_FROZEN = [
    *[
        Recording(
            PING_MISSING,
            f"behind-nginx-{hop}",
            SERVER_4,
            CLIENT_4,
            f"A server behind nginx is stopped (SIGSTOP), the client gives up; {what}",
            [
                f'{_FROM_PROXY_80} && websocket.payload.text == "2"',
                f"{_FROM_CLIENT_80} && websocket.opcode == 8",
                shows,
            ],
            serve={"options": QUICK},
            visit=_QUICK_PROXY,
            play=_frozen_behind_proxy(device, server_freezes=True),
        )
        for hop, device, what, shows in (
            (
                "client-hop",
                DEVICE,
                "on the hop of the client it is nginx that acknowledges.",
                acknowledges_only(_FROM_PROXY_80),
            ),
            ("both-hops", "any", "both hops.", acknowledges_only(FROM_SERVER)),
        )
    ],
    *[
        Recording(
            PONG_MISSING,
            f"behind-nginx-{hop}",
            SERVER_4,
            CLIENT_4,
            f"A client behind nginx is stopped (SIGSTOP); {what}",
            shows,
            serve={"options": QUICK},
            visit=_QUICK_PROXY,
            play=_frozen_behind_proxy(device),
        )
        for hop, device, what, shows in (
            (
                "client-hop",
                DEVICE,
                "its kernel acknowledges.",
                [f'{_FROM_PROXY_80} && websocket.payload.text == "2"', acknowledges_only(_FROM_CLIENT_80)],
            ),
            (
                "server-hop",
                "lo",
                "on the hop of the server it is nginx that acknowledges.",
                [server_says("^2$"), acknowledges_only(FROM_CLIENT), closes(FROM_SERVER)],
            ),
            (
                "both-hops",
                "any",
                "both hops.",
                [
                    server_says("^2$"),
                    f'{_FROM_PROXY_80} && websocket.payload.text == "2"',
                    acknowledges_only(_FROM_CLIENT_80),
                    closes(FROM_SERVER),
                ],
            ),
        )
    ],
    *[
        Recording(
            PONG_MISSING,
            f"behind-nginx-network-gone-{hop}",
            SERVER_4,
            CLIENT_4,
            f"The wire between a client and nginx is cut; {what}",
            shows,
            serve={"options": QUICK},
            visit=_QUICK_PROXY,
            play=_frozen_behind_proxy(device, cut=True),
            relay=RelayPlan(),
        )
        for hop, device, what, shows in (
            (
                "server-hop",
                "lo",
                "on the hop of the server nginx acknowledges as if nothing were.",
                [server_says("^2$"), acknowledges_only(FROM_CLIENT), closes(FROM_SERVER)],
            ),
            (
                "both-hops",
                "any",
                "both hops: on that of the client nobody acknowledges.",
                [
                    server_says("^2$"),
                    *[retransmits(_FROM_PROXY_80)] * 2,
                ],
            ),
        )
    ],
]

RECORDINGS = [*_PROXY, *_FROZEN]
