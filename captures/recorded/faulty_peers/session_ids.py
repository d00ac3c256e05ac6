# SPDX-License-Identifier: GPL-2.0-or-later
"""Ids of sessions that are over, or that nobody knows."""

from __future__ import annotations

from faulty_peers.peers import CLIENT_4, PYTHON_5, RAW_POLLING, SERVER_4
from faulty_peers.plans import CONNECT, ONCE_POLLING, Step, asks_by_hand, by_hand
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import SESSION_UNKNOWN, answers, asks, posts

SID_REUSED = Rule("sid-reused", "EIO205")
SID_UNKNOWN = Rule("sid-unknown", "EIO210")

_GOES_ON: list[Step] = [["wait", 1200], ["get"], ["wait", 1000], ["get"], ["wait", 1000], ["post", "3"]]
_OLD = "EIO=4&transport=polling&sid=Zr4qPd2jGkB8n1xYAAAH"
_INVALID = answers(400, "Invalid session")

_REUSED = [
    Recording(
        SID_REUSED,
        "client-left-v4-server",
        SERVER_4,
        RAW_POLLING,
        "A client by hand says goodbye and goes on polling with the same sid.",
        [posts("^1$"), asks("sid="), SESSION_UNKNOWN, asks("sid="), SESSION_UNKNOWN],
        visit=by_hand(*CONNECT, ["hang"], ["wait", 200], ["post", "1"], *_GOES_ON),
    ),
    Recording(
        SID_REUSED,
        "server-closed-v4-server",
        SERVER_4,
        RAW_POLLING,
        "A server ends the session ('1' in the answer to a poll); a client by hand goes on with its sid.",
        [answers(200, "1$"), SESSION_UNKNOWN, SESSION_UNKNOWN],
        serve={"kick": True},
        visit=by_hand(*CONNECT, ["get"], *_GOES_ON),
    ),
    Recording(
        SID_REUSED,
        "client-left-python5-server",
        PYTHON_5,
        RAW_POLLING,
        "A client by hand says goodbye to python-socketio and goes on polling with the same sid.",
        [posts("^1$"), _INVALID, _INVALID],
        visit=by_hand(*CONNECT, ["post", "1"], *_GOES_ON),
    ),
    Recording(
        SID_REUSED,
        "opens-anew",
        SERVER_4,
        RAW_POLLING,
        "A client by hand asks once more with its old sid after its goodbye, and then opens a new session.",
        [posts("^1$"), SESSION_UNKNOWN, answers(200, "^0{"), posts("^40$")],
        near_miss=True,
        visit=by_hand(*CONNECT, ["post", "1"], ["wait", 1200], ["get"], ["open"], *CONNECT, ["post", "1"]),
    ),
]

_UNKNOWN = [
    Recording(
        SID_UNKNOWN,
        f"insists-{name}",
        server,
        RAW_POLLING,
        "The capture begins when a client by hand asks with an old sid, again and again.",
        [asks("sid="), refused, asks("sid="), refused],
        lacks=[answers(200)],
        visit=asks_by_hand(*[step for _ in range(4) for step in (["get", _OLD], ["wait", 500])]),
    )
    for name, server, refused in (("v4-server", SERVER_4, SESSION_UNKNOWN), ("python5-server", PYTHON_5, _INVALID))
] + [
    Recording(
        SID_UNKNOWN,
        "opened-in-capture",
        SERVER_4,
        CLIENT_4,
        "A session whose opening is in the capture, and that is known to the end.",
        [answers(200, "^0{"), posts("^40$"), posts("^41")],
        lacks=[SESSION_UNKNOWN],
        near_miss=True,
        visit={**ONCE_POLLING, "lifeMs": 800, "hello": {"times": 1, "everyMs": 100}},
    ),
]

RECORDINGS = [*_REUSED, *_UNKNOWN]
