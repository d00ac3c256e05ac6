# SPDX-License-Identifier: GPL-2.0-or-later
"""Upgrades of which a step is left out, or done twice: clients written by hand."""

from __future__ import annotations

from faulty_peers.peers import PYTHON_5, RAW_UPGRADE, SERVER_2, SERVER_4
from faulty_peers.plans import CONNECT, SHORT_UPGRADE, Step, by_hand
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import (
    ASKS_UPGRADE,
    CONFIRMS,
    FROM_CLIENT,
    FROM_SERVER,
    PROBE_ANSWERED,
    PROBES,
    answers,
    client_says,
    closes,
    posts,
    server_says,
)

WITHOUT_PROBE = Rule("upgrade-without-probe", "EIO029")
INCOMPLETE = Rule("upgrade-incomplete", "EIO208")
DUPLICATE = Rule("upgrade-duplicate", "EIO209")

_TALK_OVER_WS: list[Step] = [["send", '42["hello","over WebSocket"]'], ["wait", 300]]

_CHECK: list[Step] = [["send", "2probe"], ["expect", "3probe"]]

_CLOSED: list[Step] = [["closed"], ["post", '42["hello","still polling"]'], ["get"], ["post", "1"]]

_POLLS: list[Step] = [["get"], ["wait", 1500]] * 4

_WITHOUT_PROBE = [
    Recording(
        WITHOUT_PROBE,
        "v4-server",
        SERVER_4,
        RAW_UPGRADE,
        "A hand-written client confirms the upgrade with its first frame; the server takes it.",
        [ASKS_UPGRADE, answers(101), CONFIRMS, server_says("greeting")],
        lacks=[PROBES],
        visit=by_hand(*CONNECT, ["upgrade"], ["send", "5"], *_TALK_OVER_WS, ["leave"]),
    ),
    Recording(
        WITHOUT_PROBE,
        "v2-server",
        SERVER_2,
        RAW_UPGRADE,
        "The same in revision 3.",
        [ASKS_UPGRADE, answers(101), CONFIRMS, server_says("greeting")],
        lacks=[PROBES],
        visit=by_hand(["upgrade"], ["send", "5"], *_TALK_OVER_WS, ["leave"], eio=3),
    ),
    Recording(
        WITHOUT_PROBE,
        "python5-server",
        PYTHON_5,
        RAW_UPGRADE,
        "python-socketio closes the WebSocket, and the session stays on polling.",
        [ASKS_UPGRADE, answers(101), CONFIRMS, closes(FROM_SERVER, 1000), posts("still polling")],
        lacks=[PROBES],
        visit=by_hand(*CONNECT, ["upgrade"], ["send", "5"], *_CLOSED),
    ),
    Recording(
        WITHOUT_PROBE,
        "probe-and-confirmation-at-once",
        SERVER_4,
        RAW_UPGRADE,
        "Probe and confirmation back to back, without waiting for the answer, as arduinoWebSockets"
        " sends them: allowed.",
        [ASKS_UPGRADE, answers(101), PROBES, CONFIRMS, PROBE_ANSWERED, server_says("greeting")],
        near_miss=True,
        visit=by_hand(*CONNECT, ["upgrade"], ["send", "2probe"], ["send", "5"], *_TALK_OVER_WS, ["leave"]),
    ),
]

_INCOMPLETE = [
    Recording(
        INCOMPLETE,
        "message-first-v4-server",
        SERVER_4,
        RAW_UPGRADE,
        "A hand-written client sends an event as the first frame of its upgrade: closed at once.",
        [ASKS_UPGRADE, answers(101), client_says("^42"), closes(FROM_SERVER), posts("still polling")],
        lacks=[PROBES],
        visit=by_hand(*CONNECT, ["upgrade"], ["send", '42["hello","too early"]'], *_CLOSED),
    ),
    Recording(
        INCOMPLETE,
        "message-first-python5-server",
        PYTHON_5,
        RAW_UPGRADE,
        "The same: python-socketio closes with code 1000.",
        [ASKS_UPGRADE, answers(101), client_says("^42"), closes(FROM_SERVER, 1000), posts("still polling")],
        lacks=[PROBES],
        visit=by_hand(*CONNECT, ["upgrade"], ["send", '42["hello","too early"]'], *_CLOSED),
    ),
    Recording(
        INCOMPLETE,
        "never-confirmed-v4-server",
        SERVER_4,
        RAW_UPGRADE,
        "The probe is answered, and the client sends no confirmation: closed when upgradeTimeout (here 1.5 s) is over.",
        [ASKS_UPGRADE, answers(101), PROBES, PROBE_ANSWERED, closes(FROM_SERVER), posts("still polling")],
        lacks=[CONFIRMS],
        serve=SHORT_UPGRADE,
        visit=by_hand(*CONNECT, ["upgrade"], *_CHECK, *_CLOSED),
    ),
    Recording(
        INCOMPLETE,
        "message-instead-of-confirmation-v4-server",
        SERVER_4,
        RAW_UPGRADE,
        "The probe is answered, and the client goes on with an event instead of the confirmation: closed at once.",
        [ASKS_UPGRADE, answers(101), PROBES, PROBE_ANSWERED, client_says("^42"), closes(FROM_SERVER)],
        lacks=[CONFIRMS],
        visit=by_hand(*CONNECT, ["upgrade"], *_CHECK, ["send", '42["hello","too early"]'], *_CLOSED),
    ),
    Recording(
        INCOMPLETE,
        "never-confirmed-python5-server",
        PYTHON_5,
        RAW_UPGRADE,
        "python-socketio has no time-out for an upgrade: it waits for the confirmation, and answers"
        " polls with nothing else until then.",
        [ASKS_UPGRADE, answers(101), PROBES, PROBE_ANSWERED, answers(200, "^6$")],
        lacks=[CONFIRMS],
        visit=by_hand(*CONNECT, ["upgrade"], *_CHECK, *_POLLS, ["leave"]),
    ),
    Recording(
        INCOMPLETE,
        "client-goes-away",
        SERVER_4,
        RAW_UPGRADE,
        "A client that leaves for good right after the probe was answered, as a page does that is closed then.",
        [ASKS_UPGRADE, answers(101), PROBES, PROBE_ANSWERED, posts("^1$")],
        lacks=[CONFIRMS],
        near_miss=True,
        visit=by_hand(*CONNECT, ["upgrade"], *_CHECK, ["leave"], ["post", "1"]),
    ),
]

_UPGRADED: list[Step] = [["upgrade"], *_CHECK, ["send", "5"], *_TALK_OVER_WS]

_DUPLICATE = [
    Recording(
        DUPLICATE,
        "v4-server",
        SERVER_4,
        RAW_UPGRADE,
        "A hand-written client opens a second WebSocket for a session that is on one already: the"
        " server closes the second.",
        [CONFIRMS, ASKS_UPGRADE, answers(101), closes(FROM_SERVER)],
        visit=by_hand(*CONNECT, *_UPGRADED, ["upgrade"], ["send", "2probe"], ["closed"], ["wait", 500]),
    ),
    Recording(
        DUPLICATE,
        "python5-server",
        PYTHON_5,
        RAW_UPGRADE,
        "The same at python-socketio.",
        [CONFIRMS, ASKS_UPGRADE],
        visit=by_hand(*CONNECT, *_UPGRADED, ["upgrade"], ["send", "2probe"], ["wait", 1000]),
    ),
    Recording(
        DUPLICATE,
        "two-probes-v4-server",
        SERVER_4,
        RAW_UPGRADE,
        "A second WebSocket while the first one still waits for its confirmation: the server closes the second.",
        [ASKS_UPGRADE, PROBE_ANSWERED, ASKS_UPGRADE, answers(101), closes(FROM_SERVER)],
        serve=SHORT_UPGRADE,
        visit=by_hand(*CONNECT, ["upgrade"], *_CHECK, ["upgrade"], ["send", "2probe"], ["closed"], ["wait", 2000]),
    ),
    Recording(
        DUPLICATE,
        "second-try",
        SERVER_4,
        RAW_UPGRADE,
        "A second try after the first one was given up: it goes through.",
        [ASKS_UPGRADE, PROBES, closes(FROM_CLIENT), ASKS_UPGRADE, PROBES, CONFIRMS, server_says("greeting")],
        near_miss=True,
        visit=by_hand(*CONNECT, ["upgrade"], ["send", "2probe"], ["leave"], ["closed"], *_UPGRADED, ["leave"]),
    ),
]

RECORDINGS = [*_WITHOUT_PROBE, *_INCOMPLETE, *_DUPLICATE]
