# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests of a session that get in each other's way, and polls that are cut."""

from __future__ import annotations

from lab import Lab

from faulty_peers.peers import CLIENT_4, PAGE_4, PYTHON_5, RAW_POLLING, REQUESTS, SERVER_2, SERVER_4
from faulty_peers.plans import CONNECT, POLLING_ONLY, URL, by_hand
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import ASKS_POLLING, FROM_CLIENT, SESSION_UNKNOWN, answers, asks, posts

POLL_OVERLAP = Rule("poll-overlap", "EIO020")
POST_OVERLAP = Rule("post-overlap", "EIO021")
POLL_CUT = Rule("poll-cut-by-client", "EIO022")
_TWO_POLLS = by_hand(*CONNECT, ["hang"], ["wait", 300], ["hang"], ["wait", 500], ["get"], ["wait", 200])
_SECOND_POLL_REFUSED = [answers(200, "^0{"), asks("sid="), asks("sid="), asks("sid=")]

_POLL_OVERLAPS = [
    Recording(
        POLL_OVERLAP,
        "v4-server",
        SERVER_4,
        RAW_POLLING,
        "A second poll while the first one waits: 400 with an empty body, the first one gets '1', and"
        " the session is gone.",
        [*_SECOND_POLL_REFUSED, answers(400), SESSION_UNKNOWN],
        visit=_TWO_POLLS,
    ),
    Recording(
        POLL_OVERLAP,
        "v2-server",
        SERVER_2,
        RAW_POLLING,
        "A second poll while the first one waits, at a 2.x server: 500 with an empty body,"
        " the first one gets '1:1', and the session is gone.",
        [answers(200, "0{"), asks("sid="), asks("sid="), answers(500), SESSION_UNKNOWN],
        visit={
            "host": Lab.server_ip,
            "eio": 3,
            "steps": [["open"], ["hang"], ["wait", 300], ["hang"], ["wait", 500], ["get"], ["wait", 200]],
        },
    ),
    Recording(
        POLL_OVERLAP,
        "python5-server",
        PYTHON_5,
        RAW_POLLING,
        "python-socketio lets two polls wait side by side; each packet goes to one of them.",
        [*_SECOND_POLL_REFUSED, answers(200, "^2"), answers(200, "^2")],
        lacks=[answers(400), answers(500)],
        near_miss=True,
        serve={"options": {"ping_interval": 1, "ping_timeout": 5}},
        visit=by_hand(*CONNECT, ["hang"], ["wait", 300], ["hang"], ["wait", 1000], ["post", "3"], ["wait", 1500]),
    ),
]

_SLOW = ["slow", '42["hello","a word that takes its time"]', 600]
_TWO_POSTS = by_hand(*CONNECT, _SLOW, ["wait", 200], ["post", '42["hello","b"]'], ["wait", 600], ["get"])

_POST_OVERLAPS = [
    Recording(
        POST_OVERLAP,
        name,
        server,
        RAW_POLLING,
        f"A POST while the body of another one is still on its way: {outcome}",
        [answers(200, "0{"), posts('"b"'), refused, SESSION_UNKNOWN],
        visit=visit,
    )
    for name, server, refused, visit, outcome in (
        ("v4-server", SERVER_4, answers(400), _TWO_POSTS, "400 with an empty body; the session is gone."),
        (
            "v2-server",
            SERVER_2,
            answers(500),
            {
                **_TWO_POSTS,
                "eio": 3,
                "steps": [
                    ["open"],
                    ["slow", '45:42["hello","a word that takes its time here"]', 600],
                    ["wait", 200],
                    ["post", '15:42["hello","b"]'],
                    ["wait", 600],
                    ["get"],
                ],
            },
            "500 with an empty body; the session is gone.",
        ),
    )
] + [
    Recording(
        POST_OVERLAP,
        "short-ones",
        SERVER_4,
        RAW_POLLING,
        "Two short POSTs at the same time: each is whole when the server looks at it.",
        [answers(200, "0{"), posts('"a"'), posts('"b"'), answers(200, "^ok$"), answers(200, "^ok$")],
        lacks=[answers(400)],
        near_miss=True,
        visit=by_hand(*CONNECT, ["fire", '42["hello","a"]'], ["fire", '42["hello","b"]'], ["wait", 300], ["get"]),
    ),
]

_CUT_BY_CLIENT = f"{FROM_CLIENT} && (tcp.flags.fin == 1 || tcp.flags.reset == 1)"

_POLLS_CUT = [
    Recording(
        POLL_CUT,
        "raw-10s-v4-server",
        SERVER_4,
        RAW_POLLING,
        "A hand-written client whose HTTP library cuts a request that is not answered within 10 s; the"
        " server answers a poll when it has something to say, after 25 s at the latest. It ends the"
        " session, and the next poll is refused.",
        [answers(200, "^0{"), asks("sid="), _CUT_BY_CLIENT, asks("sid="), SESSION_UNKNOWN],
        times=2,
        visit=by_hand(
            *CONNECT,
            ["cut", 10000],
            ["cut", 10000],
            ["get"],
            ["cut", 10000],
            ["cut", 10000],
            ["get"],
            ["wait", 200],
            retry=True,
        ),
    ),
    Recording(
        POLL_CUT,
        "raw-2s-python5-server",
        PYTHON_5,
        RAW_POLLING,
        "python-socketio does not notice that a poll was cut, and answers it all the same: an event"
        " and a ping go into polls that nobody waits for, and the session ends for want of a pong.",
        [
            answers(200, "^0{"),
            *[asks("sid="), _CUT_BY_CLIENT] * 2,
            posts("hello"),
            asks("sid="),
            answers(400, "Bad Request"),
        ],
        lacks=[answers(200, "greeting")],
        serve={"options": {"ping_interval": 6, "ping_timeout": 4}},
        visit=by_hand(*CONNECT, ["cut", 2000], ["cut", 2000], ["post", '42["hello","a"]'], ["get"]),
    ),
    Recording(
        POLL_CUT,
        "requests-4s-v4-server",
        SERVER_4,
        REQUESTS,
        "A client written over requests with timeout=4, which is shorter than the pingInterval.",
        [answers(200, "^0{"), asks("sid="), _CUT_BY_CLIENT, asks("sid="), SESSION_UNKNOWN],
        times=2,
        visit={"host": Lab.server_ip, "timeout": 4, "lifeS": 9},
    ),
    Recording(
        POLL_CUT,
        "chromium-request-timeout-5s",
        SERVER_4,
        PAGE_4,
        "A page whose client has requestTimeout: 5000. It takes the cut poll for a lost connection"
        " and opens a new session each time.",
        [answers(200, "^0{"), asks("sid="), _CUT_BY_CLIENT, ASKS_POLLING, answers(200, "^0{")],
        serve={"options": {"cors": {"origin": "*"}}},
        visit={
            "url": URL,
            "options": {**POLLING_ONLY, "requestTimeout": 5000},
            "hello": "text",
            "lifeMs": 19000,
        },
    ),
    Recording(
        POLL_CUT,
        "long-enough",
        SERVER_4,
        REQUESTS,
        "A client written over requests with timeout=4, at a server that pings every second.",
        [answers(200, "^0{"), answers(200, "^2$"), posts("^3$"), answers(200, "^2$"), posts("^3$")],
        lacks=[SESSION_UNKNOWN],
        near_miss=True,
        serve={"options": {"pingInterval": 1000, "pingTimeout": 5000}},
        visit={"host": Lab.server_ip, "timeout": 4, "lifeS": 4},
    ),
    Recording(
        POLL_CUT,
        "client-leaves",
        SERVER_4,
        CLIENT_4,
        "A client that closes while a poll waits: it cuts that poll, too.",
        [answers(200, "^0{"), asks("sid="), _CUT_BY_CLIENT],
        lacks=[SESSION_UNKNOWN],
        near_miss=True,
        visit={"url": URL, "options": POLLING_ONLY, "lifeMs": 3000},
    ),
]

RECORDINGS = [*_POLL_OVERLAPS, *_POST_OVERLAPS, *_POLLS_CUT]
