# SPDX-License-Identifier: GPL-2.0-or-later
"""Events that come several times, too often, to too many, or in a longer form than they need."""

from __future__ import annotations

import time

from faulty_peers.event_acks import EVENTS_2, EVENTS_4, SENDS_2, SENDS_4
from faulty_peers.plans import ONCE_POLLING, ONCE_WEBSOCKET, URL, WEBSOCKET_ONLY
from faulty_peers.stage import Recording, Rule, Stage
from faulty_peers.wire import answers, client_says, server_says

ENCODED = Rule("double-encoded-json", "SIO067")
DUPLICATE = Rule("duplicate-event", "SIO068")
FLOOD = Rule("tiny-message-flood", "SIO110")
BASE64 = Rule("base64-binary", "EIO112")
BROADCAST = Rule("chatty-broadcast", "SIO114")

_READING = {"sensor": "pump", "value": 21.5}

_ENCODED = [
    Recording(
        ENCODED,
        "v4-client",
        EVENTS_4,
        SENDS_4,
        "The client makes its arguments JSON itself before it emits them.",
        [client_says('^42\\["reading","{')],
        times=4,
        visit={
            **ONCE_WEBSOCKET,
            "emits": [{"event": "reading", "args": [{"$json": _READING}], "times": 4, "everyMs": 300}],
            "lifeMs": 1800,
        },
    ),
    Recording(
        ENCODED,
        "v2-server",
        EVENTS_2,
        SENDS_2,
        "The server makes its arguments JSON itself, of a list of objects.",
        [server_says('^42\\["readings","')],
        times=4,
        serve={"emits": [{"event": "readings", "args": [{"$json": [_READING, _READING]}], "times": 4, "everyMs": 300}]},
        visit={**ONCE_WEBSOCKET, "lifeMs": 1800},
    ),
    Recording(
        ENCODED,
        "chat",
        EVENTS_4,
        SENDS_4,
        "A chat in which somebody writes a piece of JSON among other lines.",
        [client_says('"say","{'), client_says('"say","like this')],
        near_miss=True,
        visit={
            **ONCE_WEBSOCKET,
            "emits": [
                {"event": "say", "args": [text], "afterMs": at}
                for at, text in (
                    (0, '{"mode":"auto"}'),
                    (200, "like this: [1]"),
                    (400, '"quoted"'),
                    (600, '{"mode":"off"}'),
                    (800, '{"mode":"on"}'),
                    (1000, "thanks"),
                )
            ],
            "lifeMs": 1800,
        },
    ),
]

_SAY = {"event": "say", "args": ["news"], "times": 4, "everyMs": 300, "afterMs": 500}
_ORDER = {"event": "order", "args": [{"part": 7}], "asks": True, "once": True}
_QUICK_BEATS = {"pingInterval": 2500, "pingTimeout": 3000}

_DUPLICATES = [
    Recording(
        DUPLICATE,
        "listeners-pile-up-on-server",
        EVENTS_4,
        SENDS_4,
        "Each join registers one more listener of the same event on the server: after three joins it"
        " answers three times.",
        [client_says('^42\\["say"'), server_says('^42\\["said"'), server_says('^42\\["said"')],
        times=3,
        serve={"handlers": {"join": {"piles": "said"}}},
        visit={
            **ONCE_WEBSOCKET,
            "emits": [{"event": "join", "args": [{"$count": True}], "times": 3, "everyMs": 100}, _SAY],
            "lifeMs": 2500,
        },
    ),
    Recording(
        DUPLICATE,
        "listeners-pile-up-on-client",
        EVENTS_4,
        SENDS_4,
        "The client registers a listener each time that it has connected: after two reconnects it answers"
        " each event three times.",
        [server_says('^42\\["ask"'), client_says('^42\\["told"'), client_says('^42\\["told"')],
        times=3,
        serve={
            "emits": [{"event": "ask", "args": [{"$count": True}], "times": 4, "everyMs": 200, "afterMs": 300}],
            "kick": {"afterMs": 200, "times": 2},
        },
        visit={
            "url": URL,
            "options": {**WEBSOCKET_ONLY, "reconnectionDelay": 300, "randomizationFactor": 0},
            "echoes": {"ask": "told"},
            "lifeMs": 3200,
        },
    ),
    Recording(
        DUPLICATE,
        "retries-slow-server",
        EVENTS_4,
        SENDS_4,
        "A client with ackTimeout 1 s and retries, at a server that takes 2.5 s: it sends the order three"
        " times, and the server takes it three times.",
        [
            client_says('^420\\["order"'),
            client_says('^421\\["order"'),
            client_says('^422\\["order"'),
            server_says("^430"),
        ],
        serve={"options": _QUICK_BEATS, "handlers": {"order": {"afterMs": 2500}}},
        visit={
            "url": URL,
            "options": {**WEBSOCKET_ONLY, "reconnection": False, "ackTimeout": 1000, "retries": 2},
            "emits": [_ORDER],
            "lifeMs": 6500,
        },
    ),
    Recording(
        DUPLICATE,
        "retries-after-reconnect",
        EVENTS_4,
        SENDS_4,
        "A client with retries whose connection ends before the acknowledgement has come: it sends the"
        " order again in its next session.",
        [client_says('^420\\["order"'), client_says('^42\\d\\["order"'), server_says("^43")],
        serve={"handlers": {"order": {"afterMs": 800}}, "kick": {"afterMs": 1500, "times": 1}},
        visit={
            "url": URL,
            "options": {**WEBSOCKET_ONLY, "ackTimeout": 5000, "retries": 2},
            "emits": [{**_ORDER, "afterMs": 1200}],
            "lifeMs": 6000,
        },
    ),
    Recording(
        DUPLICATE,
        "asked-again",
        EVENTS_4,
        SENDS_4,
        "A client that asks for the same again and again, each time after it was answered, and says the"
        " same whenever it has joined.",
        [client_says('^42\\d\\["state"'), server_says("^43")],
        times=4,
        near_miss=True,
        serve={"handlers": {"state": {}}, "kick": {"afterMs": 1300, "times": 1}},
        visit={
            "url": URL,
            "options": WEBSOCKET_ONLY,
            "emits": [{"event": "state", "args": ["pump"], "asks": True, "times": 4, "everyMs": 300}],
            "lifeMs": 4500,
        },
    ),
]

_MOVE = {"event": "move", "args": [{"$count": True}, 7]}

_FLOODS = [
    Recording(
        FLOOD,
        "v4-client",
        EVENTS_4,
        SENDS_4,
        "The client sends some sixty events of 12 bytes a second.",
        [client_says('^42\\["move"')],
        times=10,
        visit={**ONCE_WEBSOCKET, "emits": [{**_MOVE, "times": 215, "everyMs": 15}], "lifeMs": 3800},
    ),
    Recording(
        FLOOD,
        "one-burst",
        EVENTS_4,
        SENDS_4,
        "The client sends as many events a second, for a second.",
        [client_says('^42\\["move"')],
        times=10,
        near_miss=True,
        visit={**ONCE_WEBSOCKET, "emits": [{**_MOVE, "times": 65, "everyMs": 15}], "lifeMs": 1600},
    ),
]

_IMAGE = {"event": "image", "times": 4, "everyMs": 200}

_BASE64 = [
    Recording(
        BASE64,
        "string-v4-client",
        EVENTS_4,
        SENDS_4,
        "The client sends pictures as base64 strings.",
        [client_says('^42\\["image","[A-Za-z0-9+/]{200}')],
        times=4,
        visit={**ONCE_WEBSOCKET, "emits": [{**_IMAGE, "args": [{"$base64": 1600}]}], "lifeMs": 1500},
    ),
    Recording(
        BASE64,
        "polling-v4-server",
        EVENTS_4,
        SENDS_4,
        "The server sends pictures as binary data, over polling.",
        [answers(200, "451-")],
        times=4,
        serve={"emits": [{**_IMAGE, "args": [{"$bytes": 1600}]}]},
        visit={**ONCE_POLLING, "lifeMs": 1500},
    ),
    Recording(
        BASE64,
        "as-they-are",
        EVENTS_4,
        SENDS_4,
        "The client sends pictures as binary data over WebSocket.",
        [client_says("^451-")],
        times=4,
        near_miss=True,
        visit={**ONCE_WEBSOCKET, "emits": [{**_IMAGE, "args": [{"$bytes": 1600}]}], "lifeMs": 1500},
    ),
]


def _without_the_end(stage: Stage) -> None:
    """The goodbyes of so many clients would be the larger part."""
    stage.start_server()
    with stage.capture():
        stage.start_client()
        time.sleep(2.5)


_TICK = {"event": "tick", "args": [{"$count": True}], "all": True, "afterMs": 600}

_BROADCASTS = [
    Recording(
        BROADCAST,
        "ten-clients",
        EVENTS_4,
        SENDS_4,
        "The server sends an event to ten clients, eight times a second.",
        [server_says('^42\\["tick"')],
        times=10,
        serve={"emits": [{**_TICK, "times": 9, "everyMs": 120}]},
        visit={**ONCE_WEBSOCKET, "clients": 10, "lifeMs": 6000},
        play=_without_the_end,
    ),
    Recording(
        BROADCAST,
        "four-clients",
        EVENTS_4,
        SENDS_4,
        "The server sends an event to four clients, eight times a second.",
        [server_says('^42\\["tick"')],
        times=10,
        near_miss=True,
        serve={"emits": [{**_TICK, "times": 9, "everyMs": 120}]},
        visit={**ONCE_WEBSOCKET, "clients": 4, "lifeMs": 6000},
        play=_without_the_end,
    ),
]

RECORDINGS = [*_ENCODED, *_DUPLICATES, *_FLOODS, *_BASE64, *_BROADCASTS]
