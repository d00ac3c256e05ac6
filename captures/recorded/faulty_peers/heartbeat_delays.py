# SPDX-License-Identifier: GPL-2.0-or-later
"""Heartbeats that are late: a busy peer, a long way, a transfer in front of them, a hidden tab."""

from __future__ import annotations

import time
from collections.abc import Callable

from lab import RelayPlan

from faulty_peers.peers import CLIENT_2, CLIENT_4, RAW_TAB, SERVER_2, SERVER_4, TAB_2, TAB_4, TAB_4_1
from faulty_peers.plans import ONCE_POLLING, ONCE_WEBSOCKET, QUICK, URL, WS_URL_3
from faulty_peers.stage import Recording, Rule, Stage
from faulty_peers.wire import (
    FROM_CLIENT,
    FROM_SERVER,
    acknowledges_only,
    answers,
    client_says,
    closes,
    posts,
    server_says,
)

SLOW = Rule("heartbeat-slow", "EIO042")
TRANSFER = Rule("ping-timeout-during-transfer", "EIO043")
THROTTLED = Rule("throttled-timers", "EIO048")
_HELD = {"everyMs": 2300, "forMs": 2000}  # a ping that comes a second after a pong waits 1.3 s
_LONG = {"pingInterval": 1000, "pingTimeout": 4000}

_SLOW = [
    Recording(
        SLOW,
        "client-busy",
        SERVER_4,
        CLIENT_4,
        "A busy loop holds the client's event loop for 2 s again and again: its kernel acknowledges"
        " each ping at once, the pong comes more than a second later.",
        [server_says("^2$"), acknowledges_only(FROM_CLIENT), client_says("^3$")],
        times=3,
        serve={"options": _LONG},
        visit={**ONCE_WEBSOCKET, "busy": _HELD, "lifeMs": 12000},
    ),
    Recording(
        SLOW,
        "path",
        SERVER_4,
        CLIENT_4,
        "A wire that takes 0.6 s each way: the acknowledgement takes as long as the pong.",
        [server_says("^2$"), client_says("^3$")],
        times=4,
        serve={"options": {"pingInterval": 1500, "pingTimeout": 4000}},
        visit={**ONCE_WEBSOCKET, "lifeMs": 15000},
        relay=RelayPlan(delay_ms=600),
    ),
    Recording(
        SLOW,
        "v2-server-busy",
        SERVER_2,
        CLIENT_2,
        "Revision 3, where the client pings: a busy loop holds the server's event loop for 2 s"
        " again and again, its pongs come late.",
        [client_says("^2$"), acknowledges_only(FROM_SERVER), server_says("^3$")],
        times=3,
        serve={"options": _LONG, "busy": _HELD},
        visit={**ONCE_WEBSOCKET, "lifeMs": 12000},
    ),
    Recording(
        SLOW,
        "far-away",
        SERVER_4,
        CLIENT_4,
        "A wire that takes 0.15 s each way: pongs after 0.3 s.",
        [server_says("^2$"), client_says("^3$")],
        times=5,
        near_miss=True,
        serve={"options": {"pingInterval": 1500, "pingTimeout": 4000}},
        visit={**ONCE_WEBSOCKET, "lifeMs": 12000},
        relay=RelayPlan(delay_ms=150),
    ),
]

_FAR = RelayPlan(delay_ms=300)  # with TCP's slow start 200 KB take more than 2 s
_TIGHT = {"pingInterval": 1500, "pingTimeout": 1000}
_UPLOAD = {"afterMs": 300, "bytes": 220_000}


def _visits_far(stage: Stage) -> None:
    """The client comes and goes, and what is on its way then is let arrive."""
    stage.start_server()
    with stage.capture():
        stage.run_client()
        time.sleep(1.5)


_TRANSFER = [
    Recording(
        TRANSFER,
        "websocket",
        SERVER_4,
        CLIENT_4,
        "The client sends 220 KB over a wire with 0.6 s of round trip; the pong waits behind it,"
        " and the server closes when pingTimeout (1 s) is over.",
        [server_says("^40{"), server_says("^2$"), closes(FROM_SERVER), client_says("^3$")],
        serve={"options": _TIGHT},
        visit={**ONCE_WEBSOCKET, "upload": _UPLOAD, "lifeMs": 5000},
        play=_visits_far,
        relay=_FAR,
    ),
    Recording(
        TRANSFER,
        "polling",
        SERVER_4,
        CLIENT_4,
        "The same over polling: the pong has to wait until the POST of 220 KB is through.",
        [answers(200, "^40{"), answers(200, "^2$"), answers(200, "^1$")],
        lacks=[posts("^3$")],
        serve={"options": {"pingInterval": 2500, "pingTimeout": 1500}},
        visit={**ONCE_POLLING, "upload": _UPLOAD, "lifeMs": 6500},
        play=_visits_far,
        relay=_FAR,
    ),
    Recording(
        TRANSFER,
        "download",
        SERVER_4,
        CLIENT_4,
        "The server sends 220 KB over that wire just before it pings: its own ping waits behind"
        " them in its kernel, and pingTimeout is over before the ping has left.",
        [server_says("^40{"), closes(FROM_SERVER)],
        serve={"options": _TIGHT, "download": {"afterMs": 300, "bytes": 220_000}},
        visit={**ONCE_WEBSOCKET, "lifeMs": 6000},
        play=_visits_far,
        relay=_FAR,
    ),
    Recording(
        TRANSFER,
        "v2-server",
        SERVER_2,
        CLIENT_2,
        "Revision 3: the client's own ping waits behind what it sends (250 KB), no pong comes in"
        " time, and it closes itself.",
        [server_says("^40$")],
        serve={"options": QUICK},
        visit={**ONCE_WEBSOCKET, "upload": {"afterMs": 600, "bytes": 250_000}, "lifeMs": 6000},
        play=_visits_far,
        relay=_FAR,
    ),
    Recording(
        TRANSFER,
        "in-time",
        SERVER_4,
        CLIENT_4,
        "The same upload with a pingTimeout of 20 s: the pong comes when it is through.",
        [server_says("^2$"), client_says("^3$")],
        times=2,
        near_miss=True,
        serve={"options": {"pingInterval": 1500, "pingTimeout": 20000}},
        visit={**ONCE_WEBSOCKET, "upload": _UPLOAD, "lifeMs": 9000},
        play=_visits_far,
        relay=_FAR,
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
        RAW_TAB,
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
        RAW_TAB,
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

RECORDINGS = [*_SLOW, *_TRANSFER, *_THROTTLED]
