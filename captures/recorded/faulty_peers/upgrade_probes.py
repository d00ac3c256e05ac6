# SPDX-License-Identifier: GPL-2.0-or-later
"""Upgrades whose probe is not answered, or answered and then held up by a poll."""

from __future__ import annotations

from lab import RelayPlan

from faulty_peers import boxes
from faulty_peers.peers import CLIENT_2, CLIENT_4, PYTHON_4_OLD, PYTHON_5, RAW_UPGRADE, SERVER_2, SERVER_4
from faulty_peers.plans import SHORT_UPGRADE, TALKS_SLOWLY, by_hand
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import (
    ASKS_UPGRADE,
    CONFIRMS,
    FROM_CLIENT,
    FROM_SERVER,
    PROBE_ANSWERED,
    PROBES,
    answers,
    asks,
    closes,
    ends,
    posts,
)

PROBE_UNANSWERED = Rule("probe-unanswered", "EIO027")
STALLED_POLL = Rule("upgrade-stalled-poll", "EIO028")
_BEHIND_IT = 'tcp.srcport == 3001 && tcp.payload contains "3probe"'

_PROBE_UNANSWERED = [
    Recording(
        PROBE_UNANSWERED,
        "proxy-holds-frames-v4-server",
        SERVER_4,
        CLIENT_4,
        "A proxy passes the 101 and then not a single frame, not even the server's close when its"
        " upgradeTimeout (here 1.5 s) is over; the session stays on polling.",
        [ASKS_UPGRADE, answers(101), PROBES, posts("hello"), posts("hello")],
        lacks=[PROBE_ANSWERED, CONFIRMS],
        serve=SHORT_UPGRADE,
        visit={**TALKS_SLOWLY, "lifeMs": 7000},
        play=boxes.behind(boxes.by_hand(hold="both")),
    ),
    Recording(
        PROBE_UNANSWERED,
        "proxy-cuts-v2-server",
        SERVER_2,
        CLIENT_2,
        "A proxy holds all frames, and ends the connection 2 s after the 101; the session stays on"
        " polling (revision 3).",
        [ASKS_UPGRADE, answers(101), PROBES, posts("hello"), ends(FROM_SERVER)],
        lacks=[PROBE_ANSWERED, CONFIRMS],
        visit=TALKS_SLOWLY,
        play=boxes.behind(boxes.by_hand(hold="both", cutMs=2000)),
    ),
    Recording(
        PROBE_UNANSWERED,
        "proxy-holds-answers-both-sides",
        SERVER_4,
        CLIENT_4,
        "A proxy passes what the client sends over the WebSocket, and nothing of what the server"
        " sends; captured on all interfaces of its host, so that the probe is seen to be answered"
        " behind it and not before.",
        [ASKS_UPGRADE, PROBES, _BEHIND_IT],
        lacks=[PROBE_ANSWERED, CONFIRMS, "tcp.analysis.ack_lost_segment", "tcp.analysis.lost_segment"],
        serve=SHORT_UPGRADE,
        visit={**TALKS_SLOWLY, "lifeMs": 7000, "hello": {"times": 1, "everyMs": 100}},
        play=boxes.behind(boxes.by_hand(hold="server"), device="any"),
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
        [ASKS_UPGRADE, answers(101), PROBES, *[answers(200, "^6$")] * 5, ends(FROM_CLIENT)],
        lacks=[PROBE_ANSWERED, CONFIRMS, posts("hello")],
        visit={**TALKS_SLOWLY, "lifeMs": 7000},
        play=boxes.behind(boxes.by_hand(hold="both")),
        relay=RelayPlan(delay_ms=100),
    ),
    Recording(
        PROBE_UNANSWERED,
        "client-leaves-at-once",
        SERVER_4,
        RAW_UPGRADE,
        "A client leaves within moments of its probe, before the answer is through a slow proxy.",
        [ASKS_UPGRADE, answers(101), PROBES, ends(FROM_CLIENT)],
        near_miss=True,
        visit=by_hand(["post", "40"], ["upgrade"], ["send", "2probe"], ["wait", 200], ["post", "1"]),
        play=boxes.behind(boxes.by_hand(slowFramesMs=1000)),
    ),
    Recording(
        PROBE_UNANSWERED,
        "slow-answer",
        SERVER_4,
        CLIENT_4,
        "A proxy passes frames of the server 1.5 s late: the probe is answered late, and the upgrade goes through.",
        [ASKS_UPGRADE, answers(101), PROBES, PROBE_ANSWERED, CONFIRMS],
        near_miss=True,
        visit=TALKS_SLOWLY,
        play=boxes.behind(boxes.by_hand(slowFramesMs=1500)),
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
        [ASKS_UPGRADE, PROBES, answers(200, "^1:6"), asks("transport=polling"), PROBE_ANSWERED],
        serve={"options": {"ping_interval": 4, "ping_timeout": 3}},
        visit={**TALKS_SLOWLY, "lifeMs": 12000},
        play=boxes.behind(boxes.by_hand(slowFramesMs=300)),
    ),
    Recording(
        STALLED_POLL,
        "proxy-delays-polls",
        SERVER_4,
        CLIENT_4,
        "A proxy passes the answers to polls 2.5 s late: the probe is answered at once, and the"
        " client cannot confirm before its poll has ended.",
        [ASKS_UPGRADE, PROBES, PROBE_ANSWERED, CONFIRMS],
        visit={**TALKS_SLOWLY, "lifeMs": 6000},
        play=boxes.behind(boxes.by_hand(slowPollsMs=2500)),
    ),
    Recording(
        STALLED_POLL,
        "proxy-delays-polls-too-long",
        SERVER_4,
        CLIENT_4,
        "The answers to polls come later than the server's upgradeTimeout (here 1.5 s): it closes"
        " the WebSocket before the client can confirm.",
        [ASKS_UPGRADE, PROBES, PROBE_ANSWERED, closes(FROM_SERVER)],
        serve=SHORT_UPGRADE,
        visit={**TALKS_SLOWLY, "lifeMs": 7000},
        play=boxes.behind(boxes.by_hand(slowPollsMs=2500)),
    ),
    Recording(
        STALLED_POLL,
        "slow-frames-v4-server",
        SERVER_4,
        CLIENT_4,
        "The way of the WebSocket is 300 ms slower than that of HTTP, and the server ends each poll"
        " while it is asked to upgrade: nothing stalls.",
        [ASKS_UPGRADE, PROBES, answers(200, "^6"), PROBE_ANSWERED, CONFIRMS],
        near_miss=True,
        visit=TALKS_SLOWLY,
        play=boxes.behind(boxes.by_hand(slowFramesMs=300)),
    ),
    Recording(
        STALLED_POLL,
        "python-engineio-4",
        PYTHON_5,
        CLIENT_4,
        "The same slow way of the WebSocket in front of python-engineio 4, which answers each poll"
        " at once while it upgrades.",
        [ASKS_UPGRADE, PROBES, answers(200, "^6"), PROBE_ANSWERED, CONFIRMS],
        near_miss=True,
        visit=TALKS_SLOWLY,
        play=boxes.behind(boxes.by_hand(slowFramesMs=300)),
    ),
]

RECORDINGS = [*_PROBE_UNANSWERED, *_STALLED_POLL]
