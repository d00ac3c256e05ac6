# SPDX-License-Identifier: GPL-2.0-or-later
"""Polling bodies that are not made as their receiver reads them."""

from __future__ import annotations

from faulty_peers.peers import (
    CLIENT_2,
    CLIENT_4,
    PYTHON_4,
    PYTHON_5,
    PYTHON_CLIENT_POLLS,
    RAW_POLLING,
    SERVER_2,
    SERVER_4,
    SERVER_4_7,
)
from faulty_peers.plans import ALLOWS_EIO3, CONNECT, ONCE_POLLING, POLLING_ONLY, URL, Step, asks_by_hand, by_hand
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import SESSION_UNKNOWN, answers, posts

LENGTH_MISMATCH = Rule("v3-length-mismatch", "EIO069")
SEPARATOR = Rule("separator-in-data", "EIO070")
OCTET_STREAM = Rule("octet-stream-post-eio4", "EIO071")
OLD_PAYLOAD = Rule("v3-payload-to-v4", "EIO072")
SIXTEEN = Rule("python-16-packets", "EIO073")

_FORCES_TEXT = {**POLLING_ONLY, "forceBase64": True, "reconnection": False}


def _old_session(*steps: Step) -> dict[str, object]:
    """A session of revision 3 by hand."""
    return {**asks_by_hand(["open"], *steps), "eio": 3}


def _framed(text: str, length: int) -> str:
    return f"{length}:{text}"


_UMLAUT = '42["hello","wörter überall"]'
_EMOJI = '42["hello","\U0001f600"]'
_SERVER_GOES_ON: list[Step] = [["wait", 300], ["get"], ["wait", 100]]

_LENGTHS = [
    Recording(
        LENGTH_MISMATCH,
        "python4-server",
        PYTHON_4,
        CLIENT_2,
        "A server of python-socketio 4 writes lengths in bytes (b64=1), which does no harm: its JSON is ASCII.",
        [answers(200, "0{"), answers(200, "^\\d+:43.*u00f6")],
        near_miss=True,
        serve={"echo": True},
        visit={
            "url": URL,
            "options": _FORCES_TEXT,
            "hello": {"times": 1, "everyMs": 300, "word": "wörter überall"},
            "lifeMs": 2000,
        },
    ),
    *[
        Recording(
            LENGTH_MISMATCH,
            name,
            server,
            RAW_POLLING,
            f"A client by hand that counts {counted}: {outcome}.",
            [answers(200, "0{"), posts("^\\d+:42"), *shows],
            visit=_old_session(["hang"], ["wait", 200], ["post", body], *_SERVER_GOES_ON),
        )
        for name, server, body, counted, shows, outcome in (
            (
                "bytes-v2-server",
                SERVER_2,
                _framed(_UMLAUT, len(_UMLAUT.encode())),
                "bytes",
                [answers(200, "^ok$"), SESSION_UNKNOWN],
                "the POST gets 200 ok, and the session is gone",
            ),
            (
                "code-points-v2-server",
                SERVER_2,
                _framed(_EMOJI, len(_EMOJI)),
                "code points, of which an emoji is one",
                [answers(200, "^ok$")],
                "the server takes the last character for the beginning of the next length, and drops it all",
            ),
        )
    ],
    Recording(
        LENGTH_MISMATCH,
        "utf16-v2-server",
        SERVER_2,
        RAW_POLLING,
        "A client by hand that counts UTF-16 code units, of which an emoji has two.",
        [answers(200, "0{"), posts("^\\d+:42"), answers(200, "greeting")],
        lacks=[SESSION_UNKNOWN],
        near_miss=True,
        visit=_old_session(
            ["post", _framed(_EMOJI, len(_EMOJI) + 1)],
            ["post", _framed(_UMLAUT, len(_UMLAUT))],
            ["wait", 300],
            ["get"],
            ["post", "1:1"],
        ),
    ),
]

_RECORD = '42["hello","one\x1etwo"]'

_SEPARATORS = [
    Recording(
        SEPARATOR,
        name,
        server,
        RAW_POLLING,
        f"A client by hand that writes a record separator as it is into a JSON text: {outcome}.",
        [posts("^40$"), posts("one.two"), *shows],
        visit=by_hand(*CONNECT, ["hang"], ["wait", 200], ["post", _RECORD], ["wait", 300], *then),
    )
    for name, server, shows, outcome, then in (
        (
            "v4-server",
            SERVER_4,
            [answers(200, "^ok$"), SESSION_UNKNOWN],
            "200 ok, and the session is gone",
            [["get"]],
        ),
        ("python5-server", PYTHON_5, [answers(200, "^OK$")], "200 OK, and nothing comes of it", []),
    )
] + [
    Recording(
        SEPARATOR,
        "escaped",
        SERVER_4,
        RAW_POLLING,
        "The same text as JSON writes it, with \\u001e.",
        [posts("one"), answers(200, "greeting")],
        lacks=[SESSION_UNKNOWN],
        near_miss=True,
        visit=by_hand(*CONNECT, ["post", '42["hello","one\\u001etwo"]'], ["wait", 200], ["get"], ["post", "1"]),
    ),
]

_POSTS_BYTES = {"contentType": "application/octet-stream"}

_OCTETS = [
    Recording(
        OCTET_STREAM,
        "v4-server",
        SERVER_4,
        RAW_POLLING,
        "A client by hand whose POSTs say application/octet-stream: 400 with an empty body, and the session is over.",
        [answers(200, "^0{"), posts("^40$"), answers(400), SESSION_UNKNOWN],
        visit=by_hand(["post", "40"], *_SERVER_GOES_ON, **_POSTS_BYTES),
    ),
    Recording(
        OCTET_STREAM,
        "v4.7-server",
        SERVER_4_7,
        RAW_POLLING,
        "A client by hand whose POSTs say application/octet-stream, at engine.io 6.5: the POST is never"
        " answered, and the session is over.",
        [answers(200, "^0{"), posts("^40$"), SESSION_UNKNOWN],
        lacks=[answers(200, "^ok$")],
        visit=by_hand(["fire", "40"], ["wait", 1500], *_SERVER_GOES_ON, **_POSTS_BYTES),
    ),
    Recording(
        OCTET_STREAM,
        "python5-server",
        PYTHON_5,
        RAW_POLLING,
        "The same at python-socketio, which does not look at the type.",
        [posts("^40$"), answers(200, "^OK$"), answers(200, "^40")],
        lacks=[answers(400)],
        near_miss=True,
        visit=by_hand(*CONNECT, ["post", "41"], ["post", "1"], **_POSTS_BYTES),
    ),
]

_OLD_PAYLOADS = [
    Recording(
        OLD_PAYLOAD,
        name,
        server,
        RAW_POLLING,
        f"A client by hand that asks for EIO=4 and frames its packets as up to revision 3: {outcome}.",
        [answers(200, "^0{"), posts("^2:40$"), *shows],
        visit=by_hand(["hang"], ["wait", 200], ["post", "2:40"], *_SERVER_GOES_ON),
    )
    for name, server, shows, outcome in (
        (
            "v4-server",
            SERVER_4,
            [answers(200, "^ok$"), SESSION_UNKNOWN],
            "the server takes 2:40 for a ping; 200 ok, and the session is gone",
        ),
        (
            "python5-server",
            PYTHON_5,
            [answers(400, "Bad Request")],
            "the server takes 2:40 for a ping; 400 Bad Request, and the session is gone",
        ),
    )
] + [
    Recording(
        OLD_PAYLOAD,
        "event-v4-server",
        SERVER_4,
        RAW_POLLING,
        "A client by hand that joins as it should and frames an event as up to revision 3: the server"
        " takes its 1 for a goodbye.",
        [posts("^40$"), posts("^15:42"), answers(200, "^ok$"), SESSION_UNKNOWN],
        visit=by_hand(*CONNECT, ["post", '15:42["hello","w"]'], *_SERVER_GOES_ON),
    ),
    Recording(
        OLD_PAYLOAD,
        "allowed-eio3",
        SERVER_4,
        RAW_POLLING,
        "A client by hand of revision 3, at a server with allowEIO3.",
        [answers(200, "0{"), posts("^15:42"), answers(200, "greeting")],
        lacks=[SESSION_UNKNOWN],
        near_miss=True,
        serve={"options": ALLOWS_EIO3},
        visit=_old_session(["get"], ["post", '15:42["hello","w"]'], ["wait", 200], ["get"], ["post", "1:1"]),
    ),
]

_MANY = {"times": 24, "bytes": 8}
_POLLS_ONCE = {**ONCE_POLLING, "lifeMs": 1500}
_MANY_POSTED = posts("(\\x1e?42[0-9]+..hello[^\\x1e]+){17}")

_CROWDS = [
    Recording(
        SIXTEEN,
        "v4-client",
        PYTHON_5,
        CLIENT_4,
        "24 events at once over polling, for a server of python-socketio: it answers the POST with 200"
        " OK and drops all of them; no acknowledgement ever comes.",
        [answers(200, "^0{"), _MANY_POSTED, answers(200, "^OK$")],
        visit={**_POLLS_ONCE, "burst": _MANY},
    ),
    Recording(
        SIXTEEN,
        "v2-client",
        PYTHON_4,
        CLIENT_2,
        "24 events at once over polling, for a server of python-socketio 4.",
        [answers(200), posts("hello.*hello"), answers(200, "^OK$")],
        visit={**_POLLS_ONCE, "burst": _MANY},
    ),
    Recording(
        SIXTEEN,
        "python-client",
        SERVER_4,
        PYTHON_CLIENT_POLLS,
        "A server that sends 20 events at once, for a client of python-socketio over polling: it gives"
        " the session up (Unexpected packet from server, aborting).",
        [answers(200, "^0{"), answers(200, "(\\x1e?42..greeting[^\\x1e]+){17}")],
        serve={"greetings": 20},
        visit={"url": URL, "options": POLLING_ONLY, "lifeMs": 1500},
    ),
    Recording(
        SIXTEEN,
        "fewer",
        PYTHON_5,
        CLIENT_4,
        "15 events at once over polling, for a server of python-socketio.",
        [posts("(\\x1e?42[0-9]+..hello[^\\x1e]+){14}"), answers(200, "43")],
        lacks=[_MANY_POSTED],
        near_miss=True,
        visit={**_POLLS_ONCE, "burst": {**_MANY, "times": 15}},
    ),
    Recording(
        SIXTEEN,
        "limit-raised",
        PYTHON_5,
        CLIENT_4,
        "24 events at once over polling, for a server of python-socketio that was told to take 64.",
        [_MANY_POSTED, answers(200, "43")],
        near_miss=True,
        serve={"mostPackets": 64},
        visit={**_POLLS_ONCE, "burst": _MANY},
    ),
    Recording(
        SIXTEEN,
        "v4-server",
        SERVER_4,
        CLIENT_4,
        "24 events at once over polling, for a server on Node.",
        [_MANY_POSTED, answers(200, "43")],
        near_miss=True,
        visit={**_POLLS_ONCE, "burst": _MANY},
    ),
]

RECORDINGS = [*_LENGTHS, *_SEPARATORS, *_OCTETS, *_OLD_PAYLOADS, *_CROWDS]
