# SPDX-License-Identifier: GPL-2.0-or-later
"""Heartbeats that are slow, too rare for a proxy, held up by a transfer, or whose end has several
possible causes; and who is to blame."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from lab import DEVICE, Lab, RelayPlan, Side
from proxied_peers import proxies
from proxied_peers.proxies import Proxy

from faulty_peers.handshakes import POLLING_ONLY, WEBSOCKET_ONLY
from faulty_peers.heartbeats import NO_CLIENT_PING, PING_MISSING, PONG_MISSING
from faulty_peers.messages import OPEN_AND_CONNECT, PONGS
from faulty_peers.peers import (
    CLIENT_2,
    CLIENT_4,
    PYTHON_5,
    RAW_POLLING,
    RAW_WS,
    SERVER_2,
    SERVER_4,
    Peer,
    Plan,
)
from faulty_peers.stage import (
    QUICK,
    QUICK_TOTAL_S,
    URL,
    WS_URL,
    WS_URL_3,
    Recording,
    Rule,
    Stage,
)
from faulty_peers.wire import (
    FROM_CLIENT,
    FROM_SERVER,
    acknowledges_only,
    answers,
    client_says,
    closes,
    ends,
    posts,
    server_says,
)

SLOW = Rule("heartbeat-slow", "EIO042")
TRANSFER = Rule("ping-timeout-during-transfer", "EIO043")
CHATTY = Rule("chatty-but-no-pong", "EIO044")
PROXY = Rule("heartbeat-vs-proxy", "PROXY045")
TOO_FAST = Rule("heartbeat-too-fast", "EIO046")
DOUBLE = Rule("double-heartbeat", "EIO047")
THROTTLED = Rule("throttled-timers", "EIO048")

SERVER_4_7 = Peer("socket.io", "4.7.5", "sio_server.js", ("socket.io@4.7.5",))
TAB = replace(RAW_WS, library="WebSocket in Chromium", script="tab.js")
_LIBRARY = "socket.io-client in Chromium"
TAB_2 = replace(CLIENT_2, library=_LIBRARY, script="tab.js")
TAB_4_1 = Peer(_LIBRARY, "4.1.2", "tab.js", ("socket.io-client@4.1.2",))
TAB_4 = replace(CLIENT_4, library=_LIBRARY, script="tab.js")
AIOHTTP_CLIENT = replace(PYTHON_5, script="aiohttp_client.py")


def _beats(peer: Peer) -> Peer:
    """The same library, with a plan for troubled heartbeats."""
    return replace(peer, script=peer.script.replace("sio_", "beats_"))


_REAL = {"url": URL, "options": {**WEBSOCKET_ONLY, "reconnection": False}}
_BY_POLLING = {"url": URL, "options": {**POLLING_ONLY, "reconnection": False}}
_HELD = {"everyMs": 2300, "forMs": 2000}  # a ping that comes a second after a pong waits 1.3 s
_LONG = {"pingInterval": 1000, "pingTimeout": 4000}

_SLOW = [
    Recording(
        SLOW,
        "client-busy",
        SERVER_4,
        _beats(CLIENT_4),
        "A busy loop holds the client's event loop for 2 s again and again: its kernel acknowledges"
        " each ping at once, the pong comes more than a second later.",
        [server_says("^2$"), acknowledges_only(FROM_CLIENT), client_says("^3$")],
        times=3,
        serve={"options": _LONG},
        visit={**_REAL, "busy": _HELD, "lifeMs": 12000},
    ),
    Recording(
        SLOW,
        "path",
        SERVER_4,
        _beats(CLIENT_4),
        "A wire that takes 0.6 s each way: the acknowledgement takes as long as the pong.",
        [server_says("^2$"), client_says("^3$")],
        times=4,
        serve={"options": {"pingInterval": 1500, "pingTimeout": 4000}},
        visit={**_REAL, "lifeMs": 15000},
        relay=RelayPlan(delay_ms=600),
    ),
    Recording(
        SLOW,
        "v2-server-busy",
        _beats(SERVER_2),
        _beats(CLIENT_2),
        "Revision 3, where the client pings: a busy loop holds the server's event loop for 2 s"
        " again and again, its pongs come late.",
        [client_says("^2$"), acknowledges_only(FROM_SERVER), server_says("^3$")],
        times=3,
        serve={"options": _LONG, "busy": _HELD},
        visit={**_REAL, "lifeMs": 12000},
    ),
    Recording(
        SLOW,
        "far-away",
        SERVER_4,
        _beats(CLIENT_4),
        "A wire that takes 0.15 s each way: pongs after 0.3 s.",
        [server_says("^2$"), client_says("^3$")],
        times=5,
        near_miss=True,
        serve={"options": {"pingInterval": 1500, "pingTimeout": 4000}},
        visit={**_REAL, "lifeMs": 12000},
        relay=RelayPlan(delay_ms=150),
    ),
]

_FAR = RelayPlan(delay_ms=300)  # with TCP's slow start 200 KB take more than 2 s
_TIGHT = {"pingInterval": 1500, "pingTimeout": 1000}
_UPLOAD = {"afterMs": 300, "bytes": 220_000}


def _visits_far(after_s: float, at: Side = "server") -> Callable[[Stage], None]:
    """The client comes and goes, and what is on its way then is let arrive."""

    def play(stage: Stage) -> None:
        stage.start_server()
        with stage.capture(side=at):
            stage.run_client()
            time.sleep(after_s)

    return play


_TRANSFER = [
    Recording(
        TRANSFER,
        "websocket",
        _beats(SERVER_4),
        _beats(CLIENT_4),
        "The client sends 220 KB over a wire with 0.6 s of round trip; the pong waits behind it,"
        " and the server closes when pingTimeout (1 s) is over.",
        [server_says("^40{"), server_says("^2$"), closes(FROM_SERVER), client_says("^3$")],
        serve={"options": _TIGHT},
        visit={**_REAL, "upload": _UPLOAD, "lifeMs": 5000},
        play=_visits_far(1.5),
        relay=_FAR,
    ),
    Recording(
        TRANSFER,
        "polling",
        _beats(SERVER_4),
        _beats(CLIENT_4),
        "The same over polling: the pong has to wait until the POST of 220 KB is through.",
        [answers(200, "^40{"), answers(200, "^2$"), answers(200, "^1$")],
        lacks=[posts("^3$")],
        serve={"options": {"pingInterval": 2500, "pingTimeout": 1500}},
        visit={**_BY_POLLING, "upload": _UPLOAD, "lifeMs": 6500},
        play=_visits_far(1.5),
        relay=_FAR,
    ),
    Recording(
        TRANSFER,
        "download",
        _beats(SERVER_4),
        _beats(CLIENT_4),
        "The server sends 220 KB over that wire just before it pings: its own ping waits behind"
        " them in its kernel, and pingTimeout is over before the ping has left.",
        [server_says("^40{"), closes(FROM_SERVER)],
        serve={"options": _TIGHT, "download": {"afterMs": 300, "bytes": 220_000}},
        visit={**_REAL, "lifeMs": 6000},
        play=_visits_far(1.5),
        relay=_FAR,
    ),
    Recording(
        TRANSFER,
        "v2-server",
        _beats(SERVER_2),
        _beats(CLIENT_2),
        "Revision 3: the client's own ping waits behind what it sends (250 KB), no pong comes in"
        " time, and it closes itself.",
        [server_says("^40$")],
        serve={"options": QUICK},
        visit={**_REAL, "upload": {"afterMs": 600, "bytes": 250_000}, "lifeMs": 6000},
        play=_visits_far(1.5),
        relay=_FAR,
    ),
    Recording(
        TRANSFER,
        "in-time",
        _beats(SERVER_4),
        _beats(CLIENT_4),
        "The same upload with a pingTimeout of 20 s: the pong comes when it is through.",
        [server_says("^2$"), client_says("^3$")],
        times=2,
        near_miss=True,
        serve={"options": {"pingInterval": 1500, "pingTimeout": 20000}},
        visit={**_REAL, "upload": _UPLOAD, "lifeMs": 9000},
        play=_visits_far(1.5),
        relay=_FAR,
    ),
]

_TALKS_ON = [*OPEN_AND_CONNECT, *[["send", '42["hello","word"]'], ["wait", 350]] * 12]
_CHATTY_VISIT = {"url": WS_URL, "steps": _TALKS_ON, "patienceMs": 300}
_HELLO = client_says("^42")

_CHATTY = [
    Recording(
        CHATTY,
        "v4.8-server",
        SERVER_4,
        RAW_WS,
        "The client sends an event every 0.35 s and never a pong: the server closes when"
        " pingTimeout is over, in the middle of the talk.",
        [server_says("^40{"), _HELLO, server_says("^2$"), _HELLO, closes(FROM_SERVER)],
        lacks=[client_says("^3$")],
        serve={"options": QUICK},
        visit=_CHATTY_VISIT,
    ),
    Recording(
        CHATTY,
        "v4.7-server",
        SERVER_4_7,
        RAW_WS,
        "The same client with socket.io 4.7, which takes any packet for a sign of life: the session lives.",
        [server_says("^40{"), server_says("^2$"), *[_HELLO] * 6, closes(FROM_CLIENT)],
        lacks=[client_says("^3$")],
        serve={"options": {"pingInterval": 5000, "pingTimeout": 2000}},
        visit={
            **_CHATTY_VISIT,
            "steps": [*OPEN_AND_CONNECT, *[["send", '42["hello","word"]'], ["wait", 900]] * 12],
        },
    ),
    Recording(
        CHATTY,
        "python5-server",
        PYTHON_5,
        RAW_WS,
        "The same client with python-socketio, which wants the pong.",
        [server_says("^40{"), server_says("^2$"), _HELLO, closes(FROM_SERVER, 1000)],
        lacks=[client_says("^3$")],
        serve={"options": {"ping_interval": 1, "ping_timeout": 0.8}},
        visit=_CHATTY_VISIT,
    ),
    Recording(
        CHATTY,
        "with-pongs",
        SERVER_4,
        RAW_WS,
        "The same talk of a client that answers pings.",
        [server_says("^2$"), client_says("^3$"), *[_HELLO] * 2],
        times=3,
        near_miss=True,
        serve={"options": QUICK},
        visit={**_CHATTY_VISIT, "answers": PONGS},
    ),
]

# nginx on port 80 of the server's host; the server is asked over the loopback device.
_PROXY_URL = URL.replace("3000", str(proxies.REVERSE_PORT))
_FROM_CLIENT_80, _FROM_PROXY_80 = "tcp.dstport == 80", "tcp.srcport == 80"


def _nginx(timeout_s: int) -> Proxy:
    wait = f"proxy_read_timeout {timeout_s}s;"
    return proxies.nginx("nginx", f"{proxies.NGINX_UPGRADE}\n            {wait}")


_HAPROXY_CONFIG = """\
global
    maxconn 50

defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 5s

listen socketio
    bind :80
    server one 127.0.0.1:3000
"""
_HAPROXY = Proxy("haproxy", ("haproxy", "-db", "-f"), lambda _folder, _server: _HAPROXY_CONFIG)


def _start_proxy(stage: Stage, proxy: Proxy) -> None:
    command = proxy.command(stage.folder / proxy.name, "127.0.0.1")
    stage.lab.start("server", command, ready=None)
    wait = f"until ss -Hltn | grep -q ':{proxy.port} '; do sleep 0.05; done"
    stage.lab.run("server", ["sh", "-c", wait], timeout=10)


def _behind(proxy: Proxy, device: str = DEVICE) -> Callable[[Stage], None]:
    def play(stage: Stage) -> None:
        stage.start_server()
        _start_proxy(stage, proxy)
        with stage.capture(device=device):
            stage.run_client()
            time.sleep(0.3)

    return play


_COMES_AGAIN = {"url": _PROXY_URL, "options": WEBSOCKET_ONLY, "lifeMs": 15000}
_RARE = {"options": {"pingInterval": 25000, "pingTimeout": 20000}}

_PROXY = [
    Recording(
        PROXY,
        "nginx-client-hop",
        SERVER_4,
        CLIENT_4,
        "nginx with a proxy_read_timeout of 5 s, pings every 25 s: nginx ends the connection after"
        " 5 s in which the server says nothing; the client comes back. The hop of the client.",
        [f"{_FROM_PROXY_80} && tcp.flags.fin == 1"],
        times=2,
        serve=_RARE,
        visit=_COMES_AGAIN,
        play=_behind(_nginx(5)),
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
        play=_behind(_nginx(5), "lo"),
    ),
    Recording(
        PROXY,
        "nginx-both-hops",
        SERVER_4,
        CLIENT_4,
        "The same, both hops.",
        [f"{_FROM_PROXY_80} && tcp.flags.fin == 1"],
        serve=_RARE,
        visit={**_COMES_AGAIN, "lifeMs": 8000},
        play=_behind(_nginx(5), "any"),
    ),
    Recording(
        PROXY,
        "haproxy-client-hop",
        SERVER_4,
        CLIENT_4,
        "haproxy with a `timeout tunnel` of 5 s, pings every 25 s; the hop of the client.",
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
        "The same nginx and polling: each GET that waits for 5 s is answered by 504.",
        ["tcp.srcport == 80 && http.response.code == 504"],
        times=2,
        serve=_RARE,
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
        visit={**_REAL, "lifeMs": 2000},
    ),
    Recording(
        PROXY,
        "nginx-pings-in-time",
        SERVER_4,
        CLIENT_4,
        "The same nginx, and pings every 4 s.",
        [f'{_FROM_PROXY_80} && websocket.payload.text == "2"'],
        times=2,
        near_miss=True,
        serve={"options": {"pingInterval": 4000, "pingTimeout": 3000}},
        visit={**_COMES_AGAIN, "lifeMs": 12000},
        play=_behind(_nginx(5)),
    ),
]

_TOO_FAST = [
    Recording(
        TOO_FAST,
        "v4-server",
        SERVER_4,
        CLIENT_4,
        "A pingInterval of 1 s and a pingTimeout of 1.5 s.",
        [server_says('"pingInterval":1000'), server_says("^2$"), client_says("^3$")],
        serve={"options": {"pingInterval": 1000, "pingTimeout": 1500}},
        visit={**_REAL, "lifeMs": 4000},
    ),
    Recording(
        TOO_FAST,
        "at-the-limit",
        SERVER_4,
        CLIENT_4,
        "A pingInterval of 5 s and a pingTimeout of 2 s.",
        [server_says('"pingInterval":5000'), server_says("^2$"), client_says("^3$")],
        near_miss=True,
        serve={"options": {"pingInterval": 5000, "pingTimeout": 2000}},
        visit={**_REAL, "lifeMs": 6000},
    ),
]

_WS_PING, _WS_PONG = f"{FROM_CLIENT} && websocket.opcode == 9", f"{FROM_SERVER} && websocket.opcode == 10"

_DOUBLE = [
    Recording(
        DOUBLE,
        "aiohttp-client",
        SERVER_4,
        AIOHTTP_CLIENT,
        "python-socketio on aiohttp with its option `heartbeat`: PING frames of WebSocket beside"
        " the pings of Engine.IO, both answered.",
        [_WS_PING, _WS_PONG],
        times=2,
        serve={"options": {"pingInterval": 5000, "pingTimeout": 4000}},
        visit={"url": URL, "heartbeat_s": 2, "life_s": 11.5},
    ),
    Recording(
        DOUBLE,
        "no-pong-frames",
        _beats(SERVER_4),
        AIOHTTP_CLIENT,
        "The same client, and a server that does not answer PING frames: aiohttp gives the"
        " connection up although the pings of Engine.IO are answered.",
        [_WS_PING],
        lacks=[_WS_PONG],
        serve={"options": {"pingInterval": 5000, "pingTimeout": 4000}, "noPongs": True},
        visit={"url": URL, "heartbeat_s": 2, "life_s": 8},
    ),
]


def _hides(seconds: float, until: str = "") -> Callable[[Stage], None]:
    """A page in a tab that is soon hidden, for so long, or until the server says something."""

    def play(stage: Stage) -> None:
        server = stage.start_server()
        with stage.capture(filter="tcp port 3000"):
            tab = stage.start_client(ready="LOG hidden")
            if until:
                server.wait_for(until, timeout=seconds)
            else:
                time.sleep(seconds)
            time.sleep(0.5)
        tab.stop()

    return play


_TAB_3 = {"url": WS_URL_3, "lifeMs": 200_000}
_TAB_4 = {"url": URL, "library": True, "everyMs": 2000, "lifeMs": 200_000}
_IN_A_TAB = "in a tab of Chromium that is hidden, with the long throttling after 10 s instead of 5 min"

_THROTTLED = [
    Recording(
        THROTTLED,
        "v2-server-closes",
        SERVER_2,
        TAB,
        f"A page that pings by hand from an interval timer, {_IN_A_TAB}: its pings stop, and the"
        " server closes when interval + timeout are over.",
        [*[client_says("^2$"), server_says("^3$")] * 4, closes(FROM_SERVER)],
        serve={"options": {"pingInterval": 2000, "pingTimeout": 3000}},
        visit={**_TAB_3, "everyMs": 2000},
        play=_hides(120, until="LOG disconnect"),
    ),
    Recording(
        THROTTLED,
        "v2-server-patient",
        SERVER_2,
        TAB,
        f"The same page, {_IN_A_TAB}, on a server that waits for two minutes: pings every 60 s instead of every 5 s.",
        [client_says("^2$"), server_says("^3$")],
        times=4,
        serve={"options": {"pingInterval": 5000, "pingTimeout": 120_000}},
        visit={**_TAB_3, "everyMs": 5000},
        play=_hides(150),
    ),
    Recording(
        THROTTLED,
        "v4.1-client",
        SERVER_4,
        TAB_4_1,
        f"socket.io-client 4.1.2 in a page that sends an event from an interval timer, {_IN_A_TAB}:"
        " after an event the library waits for a timer before it sends the next packet, so its pong"
        " does not come.",
        [server_says("^2$"), client_says("^3$"), server_says("^2$"), closes(FROM_SERVER)],
        serve={"options": {"pingInterval": 3000, "pingTimeout": 4000}},
        visit=_TAB_4,
        play=_hides(120, until="LOG disconnect"),
    ),
    Recording(
        THROTTLED,
        "v2-client",
        SERVER_2,
        TAB_2,
        f"socket.io-client 2.5 {_IN_A_TAB}: its timers are set anew by each pong and so not chained;"
        " the pings come on whole seconds, which is in time.",
        [client_says("^2$"), server_says("^3$")],
        times=8,
        near_miss=True,
        serve={"options": {"pingInterval": 2500, "pingTimeout": 3000}},
        visit={**_TAB_4, "everyMs": 100_000},
        play=_hides(30),
    ),
    Recording(
        THROTTLED,
        "v4-client",
        SERVER_4,
        TAB_4,
        f"socket.io-client 4.8 in a page that sends an event from an interval timer, {_IN_A_TAB}:"
        " its events come once a minute, its pongs at once.",
        [server_says("^2$"), client_says("^3$")],
        times=8,
        near_miss=True,
        serve={"options": {"pingInterval": 3000, "pingTimeout": 4000}},
        visit=_TAB_4,
        play=_hides(40),
    ),
]

_RETRANSMITS_CLIENT = f"{FROM_CLIENT} && tcp.analysis.retransmission"
_RETRANSMITS_SERVER = f"{FROM_SERVER} && tcp.analysis.retransmission"
_QUICK_2 = {"url": URL, "options": {**WEBSOCKET_ONLY, "reconnection": False}, "lifeMs": 7000}


def _server_freezes(stage: Stage) -> None:
    server = stage.start_server()
    with stage.capture():
        client = stage.start_client()
        time.sleep(1.5)
        server.freeze()
        client.wait(timeout=20)
        time.sleep(1.5)


def _client_freezes(stage: Stage) -> None:
    stage.start_server()
    with stage.capture():
        client = stage.start_client()
        time.sleep(1.5)  # one ping is answered
        client.freeze()
        time.sleep(2 * QUICK_TOTAL_S)


def _cut(at: Side, seconds: float = 2.5 * QUICK_TOTAL_S) -> Callable[[Stage], None]:
    def play(stage: Stage) -> None:
        stage.start_server()
        with stage.capture(side=at):
            stage.start_client()
            time.sleep(1.5)
            stage.lab.relay.cut()
            time.sleep(seconds)

    return play


def _frozen_behind_proxy(device: str, *, cut: bool = False, server_freezes: bool = False) -> Callable[[Stage], None]:
    def play(stage: Stage) -> None:
        server = stage.start_server()
        _start_proxy(stage, _nginx(60))
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


_QUICK_PROXY: Plan = {**_REAL, "url": _PROXY_URL, "lifeMs": 7000}

_BLAME = [
    Recording(
        PONG_MISSING,
        "v2-server-frozen",
        SERVER_2,
        CLIENT_2,
        "Revision 3, where the client pings: the server is stopped (SIGSTOP), its kernel"
        " acknowledges the ping, no pong comes, the client closes.",
        [client_says("^2$"), server_says("^3$"), client_says("^2$"), acknowledges_only(FROM_SERVER)],
        lacks=[closes(FROM_SERVER), _RETRANSMITS_CLIENT],
        serve={"options": QUICK},
        visit=_QUICK_2,
        play=_server_freezes,
    ),
    Recording(
        PONG_MISSING,
        "v2-network-gone",
        SERVER_2,
        CLIENT_2,
        "Revision 3: the wire is cut, and captured at the client: its ping is sent again and again.",
        [client_says("^2$"), server_says("^3$"), client_says("^2$"), *[_RETRANSMITS_CLIENT] * 3],
        lacks=[closes(FROM_SERVER)],
        serve={"options": QUICK},
        visit=_QUICK_2,
        play=_cut("client"),
        relay=RelayPlan(),
    ),
    Recording(
        PING_MISSING,
        "network-gone",
        SERVER_4,
        CLIENT_4,
        "The wire is cut, and captured at the client: no ping arrives, and what the client sends"
        " when it gives up is never acknowledged.",
        [server_says("^2$"), client_says("^3$"), *[_RETRANSMITS_CLIENT] * 3],
        lacks=[closes(FROM_SERVER)],
        serve={"options": QUICK},
        visit={**_QUICK_2, "lifeMs": 20000},
        play=_cut("client"),
        relay=RelayPlan(),
    ),
    Recording(
        NO_CLIENT_PING,
        "client-frozen",
        SERVER_2,
        CLIENT_2,
        "Revision 3: the client is stopped (SIGSTOP) after its first ping; the server closes, and"
        " the client's kernel acknowledges that.",
        [client_says("^2$"), server_says("^3$"), closes(FROM_SERVER), acknowledges_only(FROM_CLIENT)],
        lacks=[_RETRANSMITS_SERVER],
        serve={"options": QUICK},
        visit=_QUICK_2,
        play=_client_freezes,
    ),
    Recording(
        NO_CLIENT_PING,
        "network-gone",
        SERVER_2,
        CLIENT_2,
        "Revision 3: the wire is cut, and captured at the server: no ping arrives, and the"
        " server's close is sent again and again.",
        [client_says("^2$"), server_says("^3$"), closes(FROM_SERVER), *[_RETRANSMITS_SERVER] * 2],
        serve={"options": QUICK},
        visit=_QUICK_2,
        play=_cut("server"),
        relay=RelayPlan(),
    ),
    Recording(
        NO_CLIENT_PING,
        "raw-polling-v2-server",
        SERVER_2,
        RAW_POLLING,
        "A hand-written client of revision 3 that polls and never pings: the poll in flight gets"
        " '1' when interval + timeout are over.",
        [answers(200, "^[0-9]+:0{"), answers(200, "^1:1$")],
        lacks=[posts("2")],
        serve={"options": QUICK},
        visit={
            "host": Lab.server_ip,
            "steps": [["get", "EIO=3&transport=polling"], ["get", "EIO=3&transport=polling&sid={sid}"]],
        },
    ),
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
                    *[f"{_FROM_PROXY_80} && tcp.analysis.retransmission"] * 2,
                ],
            ),
        )
    ],
]

RECORDINGS = [
    *_SLOW,
    *_TRANSFER,
    *_CHATTY,
    *_PROXY,
    *_TOO_FAST,
    *_DOUBLE,
    *_THROTTLED,
    *_BLAME,
]
