# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests that a server's HTTP does not read."""

from __future__ import annotations

from lab import Lab

from faulty_peers import boxes
from faulty_peers.peers import CLIENT_4, PYTHON_5, RAW_REQUEST, SERVER_4, Plan
from faulty_peers.plans import POLLING_ONLY, URL
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import ASKS_POLLING, FROM_CLIENT, answers, asks

MALFORMED = Rule("http-malformed", "HTTP204")

_SAYS = f"{FROM_CLIENT} && tcp.len > 0"


def _cookie(size: int) -> Plan:
    """A client with a cookie of that many bytes."""
    return {"options": {**POLLING_ONLY, "extraHeaders": {"Cookie": f"basket={'x' * size}"}}}


def _by_hand(text: str) -> Plan:
    return {"host": Lab.server_ip, "rounds": 3, "everyMs": 500, "text": text}


_LINE = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1"
_LF_ONLY = f"{_LINE}\nHost: {Lab.server_ip}\nUser-Agent: sensor 1.0\n\n"
_CONTROL = f"{_LINE}\r\nHost: {Lab.server_ip}\r\nUser-Agent: sensor\x01 1.0\r\n\r\n"

_MALFORMED = [
    *[
        Recording(
            MALFORMED,
            name,
            server,
            RAW_REQUEST,
            what,
            [_SAYS, answers(400)],
            times=3,
            visit=_by_hand(text),
        )
        for name, server, what, text in (
            ("lf-only-v4-server", SERVER_4, "Lines that end with LF alone: Node refuses them.", _LF_ONLY),
            ("control-character-v4-server", SERVER_4, "A control character in the value of a header.", _CONTROL),
            ("control-character-python5-server", PYTHON_5, "The same, at a server on aiohttp.", _CONTROL),
        )
    ],
    Recording(
        MALFORMED,
        "header-too-large-v4-server",
        SERVER_4,
        CLIENT_4,
        "A cookie of more than 16 KB: Node reads headers of 16 KB in all.",
        [_SAYS, answers(431)],
        visit={"url": URL, **_cookie(16_500), "attempts": 1},
    ),
    Recording(
        MALFORMED,
        "cookie-too-large-nginx",
        SERVER_4,
        CLIENT_4,
        "A cookie of 9 KB: nginx reads header lines of 8 KB.",
        [_SAYS, answers(400, "Cookie Too Large")],
        visit={"url": URL, **_cookie(9_000), "attempts": 1},
        play=boxes.behind(boxes.nginx()),
    ),
    Recording(
        MALFORMED,
        "cookie-fits",
        SERVER_4,
        CLIENT_4,
        "A cookie of 600 bytes.",
        [ASKS_POLLING, answers(200, "^0{"), asks("sid=")],
        near_miss=True,
        visit={"url": URL, **_cookie(600), "lifeMs": 300},
    ),
]

RECORDINGS = _MALFORMED
