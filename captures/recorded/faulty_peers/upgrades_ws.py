# SPDX-License-Identifier: GPL-2.0-or-later
"""Upgrades that fail on the WebSocket: probes without an answer, polls in the way, handlers that write into it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from lab import DEVICE, Lab, RelayPlan, node_env, npm_install

from faulty_peers.peers import CLIENT_2, CLIENT_4, HERE, PYTHON_5, SERVER_2, SERVER_4, Peer
from faulty_peers.stage import URL, Recording, Rule, Stage
from faulty_peers.wire import (
    FROM_CLIENT,
    FROM_SERVER,
    answers,
    asks,
    client_says,
    closes,
    ends,
    posts,
    server_says,
)

PROBE_UNANSWERED = Rule("probe-unanswered", "EIO027")
STALLED_POLL = Rule("upgrade-stalled-poll", "EIO028")
WITHOUT_PROBE = Rule("upgrade-without-probe", "EIO029")
INCOMPLETE = Rule("upgrade-incomplete", "EIO208")
DUPLICATE = Rule("upgrade-duplicate", "EIO209")

WS = "ws@8.23.0"
RAW_UPGRADE = Peer(WS, "raw", "raw_upgrade.js", (WS,))
# The last whose server ends one poll for an upgrade, and no more.
PYTHON_4_OLD = Peer(
    "python-socketio",
    "4.5.1",
    "sio_server.py",
    ("python-socketio==4.5.1", "python-engineio==3.11.2", "aiohttp==3.14.5"),
)

UPGRADES = asks("transport=websocket&sid=")
PROBES = client_says("^2probe$")
PROBE_ANSWERED = server_says("^3probe$")
CONFIRMS = client_says("^5$")
BEHIND_IT = 'tcp.srcport == 3001 && tcp.payload contains "3probe"'
SOON = {"options": {"upgradeTimeout": 1500}}
TALKS = {"url": URL, "lifeMs": 4000, "hello": {"times": 2, "everyMs": 1000}}


def _behind_proxy(device: str = DEVICE, **plan: object) -> Callable[[Stage], None]:
    """The server on port 3001, and in front of it, on the same host, a proxy that does what the plan says."""

    def play(stage: Stage) -> None:
        stage.start_server(port=3001)
        argv = ["node", str(HERE / "upgrade_proxy.js"), json.dumps({"to": 3001, **plan})]
        stage.lab.start("server", argv, env=node_env(npm_install(WS)))
        with stage.capture(device=device):
            stage.run_client()
            time.sleep(0.3)

    return play


_PROBE_UNANSWERED = [
    Recording(
        PROBE_UNANSWERED,
        "proxy-holds-frames-v4-server",
        SERVER_4,
        CLIENT_4,
        "A proxy passes the 101 and then not a single frame, not even the server's close when its"
        " upgradeTimeout (here 1.5 s) is over; the session stays on polling.",
        [UPGRADES, answers(101), PROBES, posts("hello"), posts("hello")],
        lacks=[PROBE_ANSWERED, CONFIRMS],
        serve=SOON,
        visit={**TALKS, "lifeMs": 7000},
        play=_behind_proxy(hold="both"),
    ),
    Recording(
        PROBE_UNANSWERED,
        "proxy-cuts-v2-server",
        SERVER_2,
        CLIENT_2,
        "A proxy holds all frames, and ends the connection 2 s after the 101; the session stays on"
        " polling (revision 3).",
        [UPGRADES, answers(101), PROBES, posts("hello"), ends(FROM_SERVER)],
        lacks=[PROBE_ANSWERED, CONFIRMS],
        visit=TALKS,
        play=_behind_proxy(hold="both", cutMs=2000),
    ),
    Recording(
        PROBE_UNANSWERED,
        "proxy-holds-answers-both-sides",
        SERVER_4,
        CLIENT_4,
        "A proxy passes what the client sends over the WebSocket, and nothing of what the server"
        " sends; captured on all interfaces of its host, so that the probe is seen to be answered"
        " behind it and not before.",
        [UPGRADES, PROBES, BEHIND_IT],
        lacks=[PROBE_ANSWERED, CONFIRMS, "tcp.analysis.ack_lost_segment", "tcp.analysis.lost_segment"],
        serve=SOON,
        visit={**TALKS, "lifeMs": 7000, "hello": {"times": 1, "everyMs": 100}},
        play=_behind_proxy(hold="server", device="any"),
        relay=RelayPlan(delay_ms=40),  # in a hurry, a capture on all interfaces loses packets
    ),
    Recording(
        PROBE_UNANSWERED,
        "proxy-holds-frames-python5-server",
        PYTHON_5,
        CLIENT_4,
        "The same proxy in front of python-socketio, which has no time-out for an upgrade: the probe"
        " waits until the client leaves after 7 s, and until then every poll is answered at once, and"
        " with nothing. The wire delays frames by 100 ms each way, so that there are not too many.",
        [UPGRADES, answers(101), PROBES, *[answers(200, "^6$")] * 5, ends(FROM_CLIENT)],
        lacks=[PROBE_ANSWERED, CONFIRMS, posts("hello")],
        visit={**TALKS, "lifeMs": 7000},
        play=_behind_proxy(hold="both"),
        relay=RelayPlan(delay_ms=100),
    ),
    Recording(
        PROBE_UNANSWERED,
        "client-leaves-at-once",
        SERVER_4,
        RAW_UPGRADE,
        "A client leaves within moments of its probe, before the answer is through a slow proxy.",
        [UPGRADES, answers(101), PROBES, ends(FROM_CLIENT)],
        near_miss=True,
        visit={
            "host": Lab.server_ip,
            "steps": [["open"], ["post", "40"], ["upgrade"], ["send", "2probe"], ["wait", 200], ["post", "1"]],
        },
        play=_behind_proxy(slowFramesMs=1000),
    ),
    Recording(
        PROBE_UNANSWERED,
        "slow-answer",
        SERVER_4,
        CLIENT_4,
        "A proxy passes frames of the server 1.5 s late: the probe is answered late, and the upgrade goes through.",
        [UPGRADES, answers(101), PROBES, PROBE_ANSWERED, CONFIRMS],
        near_miss=True,
        visit=TALKS,
        play=_behind_proxy(slowFramesMs=1500),
    ),
]

_STALLED_POLL = [
    Recording(
        STALLED_POLL,
        "python-engineio-3.11",
        PYTHON_4_OLD,
        CLIENT_2,
        "The way of the WebSocket is 300 ms slower than that of HTTP. The server ends one poll for"
        " the upgrade; the client, which does not know of the probe's answer yet, polls once more,"
        " and has to wait for that poll to end.",
        [UPGRADES, PROBES, answers(200, "^1:6"), asks("transport=polling"), PROBE_ANSWERED],
        serve={"options": {"ping_interval": 4, "ping_timeout": 3}},
        visit={**TALKS, "lifeMs": 12000},
        play=_behind_proxy(slowFramesMs=300),
    ),
    Recording(
        STALLED_POLL,
        "proxy-delays-polls",
        SERVER_4,
        CLIENT_4,
        "A proxy passes the answers to polls 2.5 s late: the probe is answered at once, and the"
        " client cannot confirm before its poll has ended.",
        [UPGRADES, PROBES, PROBE_ANSWERED, CONFIRMS],
        visit={**TALKS, "lifeMs": 6000},
        play=_behind_proxy(slowPollsMs=2500),
    ),
    Recording(
        STALLED_POLL,
        "proxy-delays-polls-too-long",
        SERVER_4,
        CLIENT_4,
        "The answers to polls come later than the server's upgradeTimeout (here 1.5 s): it closes"
        " the WebSocket before the client can confirm.",
        [UPGRADES, PROBES, PROBE_ANSWERED, closes(FROM_SERVER)],
        serve=SOON,
        visit={**TALKS, "lifeMs": 7000},
        play=_behind_proxy(slowPollsMs=2500),
    ),
    Recording(
        STALLED_POLL,
        "slow-frames-v4-server",
        SERVER_4,
        CLIENT_4,
        "The way of the WebSocket is 300 ms slower than that of HTTP, and the server ends each poll"
        " while it is asked to upgrade: nothing stalls.",
        [UPGRADES, PROBES, answers(200, "^6"), PROBE_ANSWERED, CONFIRMS],
        near_miss=True,
        visit=TALKS,
        play=_behind_proxy(slowFramesMs=300),
    ),
    Recording(
        STALLED_POLL,
        "python-engineio-4",
        PYTHON_5,
        CLIENT_4,
        "The same slow way of the WebSocket in front of python-engineio 4, which answers each poll"
        " at once while it upgrades.",
        [UPGRADES, PROBES, answers(200, "^6"), PROBE_ANSWERED, CONFIRMS],
        near_miss=True,
        visit=TALKS,
        play=_behind_proxy(slowFramesMs=300),
    ),
]


Step = list[Any]  # of raw_upgrade.js


def by_hand(*steps: Step, **more: object) -> dict[str, object]:
    return {"host": Lab.server_ip, "steps": [["open"], *steps], **more}


_TALK_OVER_WS: list[Step] = [["send", '42["hello","over WebSocket"]'], ["wait", 300]]
_JOIN: list[Step] = [["post", "40"], ["get"]]
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
        [UPGRADES, answers(101), CONFIRMS, server_says("greeting")],
        lacks=[PROBES],
        visit=by_hand(*_JOIN, ["upgrade"], ["send", "5"], *_TALK_OVER_WS, ["leave"]),
    ),
    Recording(
        WITHOUT_PROBE,
        "v2-server",
        SERVER_2,
        RAW_UPGRADE,
        "The same in revision 3.",
        [UPGRADES, answers(101), CONFIRMS, server_says("greeting")],
        lacks=[PROBES],
        visit=by_hand(["upgrade"], ["send", "5"], *_TALK_OVER_WS, ["leave"], eio=3),
    ),
    Recording(
        WITHOUT_PROBE,
        "python5-server",
        PYTHON_5,
        RAW_UPGRADE,
        "python-socketio closes the WebSocket, and the session stays on polling.",
        [UPGRADES, answers(101), CONFIRMS, closes(FROM_SERVER, 1000), posts("still polling")],
        lacks=[PROBES],
        visit=by_hand(*_JOIN, ["upgrade"], ["send", "5"], *_CLOSED),
    ),
    Recording(
        WITHOUT_PROBE,
        "probe-and-confirmation-at-once",
        SERVER_4,
        RAW_UPGRADE,
        "Probe and confirmation back to back, without waiting for the answer, as arduinoWebSockets"
        " sends them: allowed.",
        [UPGRADES, answers(101), PROBES, CONFIRMS, PROBE_ANSWERED, server_says("greeting")],
        near_miss=True,
        visit=by_hand(*_JOIN, ["upgrade"], ["send", "2probe"], ["send", "5"], *_TALK_OVER_WS, ["leave"]),
    ),
]

_INCOMPLETE = [
    Recording(
        INCOMPLETE,
        "message-first-v4-server",
        SERVER_4,
        RAW_UPGRADE,
        "A hand-written client sends an event as the first frame of its upgrade: closed at once.",
        [UPGRADES, answers(101), client_says("^42"), closes(FROM_SERVER), posts("still polling")],
        lacks=[PROBES],
        visit=by_hand(*_JOIN, ["upgrade"], ["send", '42["hello","too early"]'], *_CLOSED),
    ),
    Recording(
        INCOMPLETE,
        "message-first-python5-server",
        PYTHON_5,
        RAW_UPGRADE,
        "The same: python-socketio closes with code 1000.",
        [UPGRADES, answers(101), client_says("^42"), closes(FROM_SERVER, 1000), posts("still polling")],
        lacks=[PROBES],
        visit=by_hand(*_JOIN, ["upgrade"], ["send", '42["hello","too early"]'], *_CLOSED),
    ),
    Recording(
        INCOMPLETE,
        "never-confirmed-v4-server",
        SERVER_4,
        RAW_UPGRADE,
        "The probe is answered, and the client sends no confirmation: closed when upgradeTimeout (here 1.5 s) is over.",
        [UPGRADES, answers(101), PROBES, PROBE_ANSWERED, closes(FROM_SERVER), posts("still polling")],
        lacks=[CONFIRMS],
        serve=SOON,
        visit=by_hand(*_JOIN, ["upgrade"], *_CHECK, *_CLOSED),
    ),
    Recording(
        INCOMPLETE,
        "message-instead-of-confirmation-v4-server",
        SERVER_4,
        RAW_UPGRADE,
        "The probe is answered, and the client goes on with an event instead of the confirmation: closed at once.",
        [UPGRADES, answers(101), PROBES, PROBE_ANSWERED, client_says("^42"), closes(FROM_SERVER)],
        lacks=[CONFIRMS],
        visit=by_hand(*_JOIN, ["upgrade"], *_CHECK, ["send", '42["hello","too early"]'], *_CLOSED),
    ),
    Recording(
        INCOMPLETE,
        "never-confirmed-python5-server",
        PYTHON_5,
        RAW_UPGRADE,
        "python-socketio has no time-out for an upgrade: it waits for the confirmation, and answers"
        " polls with nothing else until then.",
        [UPGRADES, answers(101), PROBES, PROBE_ANSWERED, answers(200, "^6$")],
        lacks=[CONFIRMS],
        visit=by_hand(*_JOIN, ["upgrade"], *_CHECK, *_POLLS, ["leave"]),
    ),
    Recording(
        INCOMPLETE,
        "client-goes-away",
        SERVER_4,
        RAW_UPGRADE,
        "A client that leaves for good right after the probe was answered, as a page does that is closed then.",
        [UPGRADES, answers(101), PROBES, PROBE_ANSWERED, posts("^1$")],
        lacks=[CONFIRMS],
        near_miss=True,
        visit=by_hand(*_JOIN, ["upgrade"], *_CHECK, ["leave"], ["post", "1"]),
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
        [CONFIRMS, UPGRADES, answers(101), closes(FROM_SERVER)],
        visit=by_hand(*_JOIN, *_UPGRADED, ["upgrade"], ["send", "2probe"], ["closed"], ["wait", 500]),
    ),
    Recording(
        DUPLICATE,
        "python5-server",
        PYTHON_5,
        RAW_UPGRADE,
        "The same at python-socketio.",
        [CONFIRMS, UPGRADES],
        visit=by_hand(*_JOIN, *_UPGRADED, ["upgrade"], ["send", "2probe"], ["wait", 1000]),
    ),
    Recording(
        DUPLICATE,
        "two-probes-v4-server",
        SERVER_4,
        RAW_UPGRADE,
        "A second WebSocket while the first one still waits for its confirmation: the server closes the second.",
        [UPGRADES, PROBE_ANSWERED, UPGRADES, answers(101), closes(FROM_SERVER)],
        serve=SOON,
        visit=by_hand(*_JOIN, ["upgrade"], *_CHECK, ["upgrade"], ["send", "2probe"], ["closed"], ["wait", 2000]),
    ),
    Recording(
        DUPLICATE,
        "second-try",
        SERVER_4,
        RAW_UPGRADE,
        "A second try after the first one was given up: it goes through.",
        [UPGRADES, PROBES, closes(FROM_CLIENT), UPGRADES, PROBES, CONFIRMS, server_says("greeting")],
        near_miss=True,
        visit=by_hand(*_JOIN, ["upgrade"], ["send", "2probe"], ["leave"], ["closed"], *_UPGRADED, ["leave"]),
    ),
]

RECORDINGS = [
    *_PROBE_UNANSWERED,
    *_STALLED_POLL,
    *_WITHOUT_PROBE,
    *_INCOMPLETE,
    *_DUPLICATE,
]
