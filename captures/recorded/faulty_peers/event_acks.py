# SPDX-License-Identifier: GPL-2.0-or-later
"""Acknowledgements that never come, that belong to nothing, and that come late."""

from __future__ import annotations

from dataclasses import replace

from faulty_peers.peers import CLIENT_2, CLIENT_4, PYTHON_5, RAW_WS, SERVER_2, SERVER_4
from faulty_peers.plans import ONCE_WEBSOCKET, OPEN_AND_CONNECT, PONGS, URL, WEBSOCKET_ONLY, WS_URL
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import client_says, server_says

MISSING = Rule("ack-missing", "SIO057")
UNKNOWN = Rule("ack-unknown", "SIO058")
SLOW = Rule("ack-slow", "SIO059")

EVENTS_4 = replace(SERVER_4, script="events_server.js")
EVENTS_2 = replace(SERVER_2, script="events_server.js")
EVENTS_PYTHON_5 = replace(PYTHON_5, script="events_server.py")
SENDS_4 = replace(CLIENT_4, script="events_client.js")
SENDS_2 = replace(CLIENT_2, script="events_client.js")

# So that a peer shows that it is alive, more than ten seconds after the event.
_BEATS = {"pingInterval": 3500, "pingTimeout": 3000}
_BEATS_PYTHON = {"ping_interval": 3, "ping_timeout": 3}
_SAVE = {"event": "save", "args": [{"name": "pump", "on": True}], "asks": True, "everyMs": 200}
_LONG_ENOUGH_MS = 11_500

_MISSING = [
    Recording(
        MISSING,
        "no-callback-v4-server",
        EVENTS_4,
        SENDS_4,
        "The handler of the server never calls the callback that it is given; another event is acknowledged.",
        [client_says('^42\\d\\["save"'), server_says("^2$"), server_says("^2$"), server_says("^2$")],
        lacks=[server_says('^43\\d\\["done"')],
        serve={"options": _BEATS, "handlers": {"save": {"forgets": True}}},
        visit={
            **ONCE_WEBSOCKET,
            "emits": [{**_SAVE, "times": 2}, {"event": "hello", "args": ["word"], "asks": True, "afterMs": 600}],
            "lifeMs": _LONG_ENOUGH_MS,
        },
    ),
    Recording(
        MISSING,
        "wrong-name-v2-server",
        EVENTS_2,
        SENDS_2,
        "The event is called Save and the handler save: nobody takes it, and nobody acknowledges it.",
        [client_says('^42\\d\\["Save"'), server_says("^3$"), server_says("^3$"), server_says("^3$")],
        lacks=[server_says("^43")],
        serve={"options": _BEATS, "handlers": {"save": {}}},
        visit={**ONCE_WEBSOCKET, "emits": [{**_SAVE, "event": "Save"}], "lifeMs": _LONG_ENOUGH_MS},
    ),
    Recording(
        MISSING,
        "handler-raises-python5-server",
        EVENTS_PYTHON_5,
        SENDS_4,
        "The handler of a python-socketio server raises, which is only worth a line in its log.",
        [client_says('^42\\d\\["save"'), server_says("^2$"), server_says("^2$"), server_says("^2$")],
        lacks=[server_says("^43")],
        serve={"options": _BEATS_PYTHON, "handlers": {"save": {"raises": True}}},
        visit={**ONCE_WEBSOCKET, "emits": [{**_SAVE, "times": 2}], "lifeMs": 12_500},
    ),
    Recording(
        MISSING,
        "client-by-hand",
        EVENTS_4,
        RAW_WS,
        "The server asks a client that was written by hand and does not know of acknowledgements.",
        [server_says('^42\\d\\["state"'), client_says("^3$"), client_says("^3$"), client_says("^3$")],
        lacks=[client_says("^43")],
        serve={"options": _BEATS, "emits": [{"event": "state", "asks": True, "afterMs": 300}]},
        visit={"url": WS_URL, "answers": PONGS, "steps": OPEN_AND_CONNECT, "patienceMs": _LONG_ENOUGH_MS},
    ),
    Recording(
        MISSING,
        "always-an-id",
        EVENTS_4,
        RAW_WS,
        "A client that gives each of its events an ack id; the server has no use for any of them.",
        [client_says('^420\\["move"'), client_says('^421\\["look"'), client_says("^3$"), client_says("^3$")],
        lacks=[server_says("^43")],
        serve={"options": _BEATS},
        visit={
            "url": WS_URL,
            "answers": PONGS,
            "steps": [*OPEN_AND_CONNECT, ["send", '420["move",1]'], ["send", '421["look",2]']],
            "patienceMs": _LONG_ENOUGH_MS,
        },
    ),
    Recording(
        MISSING,
        "client-leaves",
        EVENTS_4,
        SENDS_4,
        "The handler never calls its callback, but the client leaves after 4 s: it might still have.",
        [client_says('^42\\d\\["save"'), client_says("^41")],
        lacks=[server_says("^43")],
        near_miss=True,
        serve={"options": _BEATS, "handlers": {"save": {"forgets": True}}},
        visit={**ONCE_WEBSOCKET, "emits": [_SAVE], "lifeMs": 4000},
    ),
]

_ORDER = '425["order",{"part":7}]'

_UNKNOWN = [
    Recording(
        UNKNOWN,
        "after-reconnect",
        EVENTS_4,
        SENDS_4,
        "The server asks, and the connection ends before the client has worked the answer out: it sends"
        " it in its next session, in which nobody has asked.",
        [server_says('^420\\["question"'), client_says("^40"), client_says("^430"), client_says("^431")],
        serve={
            "emits": [{"event": "question", "asks": True, "afterMs": 200}],
            "kick": {"afterMs": 600, "times": 1},
        },
        visit={"url": URL, "options": WEBSOCKET_ONLY, "answers": {"question": 2600}, "lifeMs": 6500},
    ),
    Recording(
        UNKNOWN,
        "twice",
        EVENTS_4,
        RAW_WS,
        "A client by hand acknowledges an event two times.",
        [server_says('^420\\["question"'), client_says("^430"), client_says("^430")],
        serve={"emits": [{"event": "question", "asks": True, "afterMs": 200}]},
        visit={
            "url": WS_URL,
            "answers": PONGS,
            "steps": [
                *OPEN_AND_CONNECT,
                ["expect", "420"],
                ["send", '430["yes"]'],
                ["wait", 200],
                ["send", '430["no"]'],
            ],
            "patienceMs": 500,
        },
    ),
    Recording(
        UNKNOWN,
        "one-id-for-all",
        EVENTS_4,
        RAW_WS,
        "A client by hand writes the same ack id into each event, while the ones before it wait.",
        [client_says("^425"), client_says("^425"), server_says("^435"), server_says("^435")],
        serve={"handlers": {"order": {"afterMs": 500}}},
        visit={
            "url": WS_URL,
            "answers": PONGS,
            "steps": [
                *OPEN_AND_CONNECT,
                ["send", _ORDER],
                ["wait", 100],
                ["send", _ORDER.replace("7", "8")],
                ["wait", 1000],
            ],
            "patienceMs": 300,
        },
    ),
    Recording(
        UNKNOWN,
        "id-used-again",
        EVENTS_4,
        RAW_WS,
        "A client by hand that writes the same ack id into each event, and waits for its acknowledgement first.",
        [client_says("^425"), server_says("^435"), client_says("^425"), server_says("^435")],
        near_miss=True,
        serve={"handlers": {"order": {"afterMs": 100}}},
        visit={
            "url": WS_URL,
            "answers": PONGS,
            "steps": [*OPEN_AND_CONNECT, ["send", _ORDER], ["expect", "435"], ["send", _ORDER], ["expect", "435"]],
            "patienceMs": 300,
        },
    ),
]

_LOAD = {"event": "load", "args": [{"$count": True}], "times": 4, "everyMs": 1700, "asks": True}
_HELLO = {"event": "hello", "args": ["word"], "times": 3, "everyMs": 400, "asks": True}
_QUICK_BEATS = {"pingInterval": 2000, "pingTimeout": 3000}

_NO_OTHERS: dict[str, dict[str, int]] = {}

_SLOW = [
    *[
        Recording(
            SLOW,
            f"{name}-server",
            server,
            client,
            "The handler takes 1.5 s before it acknowledges; heartbeats come back at once, and other events"
            " are acknowledged at once.",
            [client_says('^42\\d\\["load"'), server_says('^43\\d\\["done"')],
            times=4,
            serve={"options": options, "handlers": {"load": {"afterMs": 1500}} | others},
            visit={**ONCE_WEBSOCKET, "emits": [_LOAD, _HELLO], "lifeMs": 7500},
        )
        for name, server, client, options, others in (
            ("v4", EVENTS_4, SENDS_4, _QUICK_BEATS, _NO_OTHERS),
            ("v2", EVENTS_2, SENDS_2, _QUICK_BEATS, _NO_OTHERS),
            ("python5", EVENTS_PYTHON_5, SENDS_4, {"ping_interval": 2, "ping_timeout": 3}, {"hello": {}}),
        )
    ],
    Recording(
        SLOW,
        "one-of-many",
        EVENTS_4,
        SENDS_4,
        "The handler takes 1.5 s once, and answers at once else.",
        [client_says('^42\\d\\["load"'), server_says('^43\\d\\["done"')],
        times=4,
        near_miss=True,
        serve={"options": _QUICK_BEATS, "handlers": {"load": {"afterMs": 1500, "every": 4}}},
        visit={**ONCE_WEBSOCKET, "emits": [_LOAD, _HELLO], "lifeMs": 7500},
    ),
]

RECORDINGS = [*_MISSING, *_UNKNOWN, *_SLOW]
