# SPDX-License-Identifier: GPL-2.0-or-later
"""Socket.IO packets with attachments that are missing, too many, or not where they belong."""

from __future__ import annotations

from faulty_peers.peers import CLIENT_2, CLIENT_4, PYTHON_5, RAW_WS, SERVER_2, SERVER_4, Peer
from faulty_peers.plans import HELLO, OPEN_AND_CONNECT, PONGS, QUICK, URL, WEBSOCKET_ONLY, WS_URL, WS_URL_3, Step
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import FROM_CLIENT, FROM_SERVER, client_says, closes, server_says

BINARY_INCOMPLETE = Rule("binary-incomplete", "SIO060")
BINARY_ORPHAN = Rule("binary-orphan", "SIO061")
BINARY_EXTRA = Rule("binary-extra-0x04", "EIO062")
TOO_MANY = Rule("too-many-attachments", "SIO063")

_HEADER = '451-["files",{"_placeholder":true,"num":0}]'
_CLIENT_BINARY = f"{FROM_CLIENT} && websocket.opcode == 2"
_GREETS = server_says("greeting")
_CLOSED = "the server closes at once, without a code"


def _by_hand(*steps: Step, **more: object) -> dict[str, object]:
    return {"url": WS_URL, "answers": PONGS, "steps": [*OPEN_AND_CONNECT, *steps], "patienceMs": 1000, **more}


def _of_revision_3(*steps: Step) -> dict[str, object]:
    return {"url": WS_URL_3, "steps": [["expect", "40"], *steps], "patienceMs": 1000}


def _and_leaves(*steps: Step) -> dict[str, object]:
    """These steps, an event that is answered, and a goodbye."""
    return _by_hand(*steps, ["send", HELLO], ["wait", 200], ["send", "41"], patienceMs=100)


_IMAGE = "ffd8ffe000104a464946"

_INCOMPLETE = [
    Recording(
        BINARY_INCOMPLETE,
        f"text-instead-{name}",
        server,
        RAW_WS,
        f"A client sends the header of an event with one attachment, and the next event in its place; {outcome}.",
        [client_says("^451-"), client_says("^42"), end],
        lacks=[_CLIENT_BINARY],
        visit=visit,
    )
    for name, server, visit, outcome, end in (
        ("v4-server", SERVER_4, _by_hand(["send", _HEADER], ["send", HELLO]), _CLOSED, closes(FROM_SERVER)),
        (
            "v2-server",
            SERVER_2,
            _by_hand(
                ["send", _HEADER],
                ["send", HELLO],
                url=WS_URL_3,
                steps=[["expect", "40"], ["send", _HEADER], ["send", HELLO]],
            ),
            _CLOSED,
            closes(FROM_SERVER),
        ),
        (
            "python5-server",
            PYTHON_5,
            _by_hand(["send", _HEADER], ["send", HELLO], ["wait", 300], ["send", HELLO]),
            "python-socketio drops that, and answers the one behind it",
            client_says("^42"),
        ),
    )
] + [
    Recording(
        BINARY_INCOMPLETE,
        "never-comes-v4-server",
        SERVER_4,
        RAW_WS,
        "A client announces two attachments and sends one; heartbeats go on for 6 s, and the event never"
        " happens at the server.",
        [client_says("^452-"), _CLIENT_BINARY, client_says("^3$"), closes(FROM_CLIENT)],
        lacks=[client_says("^42")],
        serve={"options": {"pingInterval": 2000, "pingTimeout": 1000}},
        visit=_by_hand(["send", _HEADER.replace("451", "452")], ["binary", "0102"], patienceMs=6000),
    ),
    Recording(
        BINARY_INCOMPLETE,
        "heartbeat-between",
        SERVER_4,
        RAW_WS,
        "A pong between the header of an event and its attachment: packets of Engine.IO may stand there.",
        [client_says("^451-"), client_says("^3$"), _CLIENT_BINARY, client_says("^42"), _GREETS],
        lacks=[f"{FROM_SERVER} && websocket.opcode == 8 && frame.number < 20"],
        near_miss=True,
        serve={"options": QUICK},
        visit=_by_hand(
            ["send", _HEADER],
            ["wait", 1300],
            ["binary", "0102"],
            ["send", HELLO],
            ["wait", 200],
            ["send", "41"],
            patienceMs=100,
        ),
    ),
]

_ORPHANS = [
    Recording(
        BINARY_ORPHAN,
        name,
        server,
        RAW_WS,
        f"A client sends bytes as they are, without the header of an event before them; {outcome}.",
        [client_says("^42"), _CLIENT_BINARY, end],
        lacks=[client_says("^45")],
        visit=_by_hand(
            ["send", HELLO], ["wait", 200], ["binary", "ffd8ffe000104a464946"], ["wait", 300], ["send", HELLO]
        ),
    )
    for name, server, outcome, end in (
        ("v4-server", SERVER_4, _CLOSED, closes(FROM_SERVER)),
        ("python5-server", PYTHON_5, "python-socketio ignores them and answers the next event", FROM_SERVER),
    )
] + [
    Recording(
        BINARY_ORPHAN,
        "with-header",
        SERVER_4,
        RAW_WS,
        "The same bytes, as the attachment of an event.",
        [client_says("^451-"), _CLIENT_BINARY, client_says("^42"), _GREETS],
        near_miss=True,
        visit=_by_hand(
            ["send", _HEADER],
            ["binary", "ffd8ffe000104a464946"],
            ["send", HELLO],
            ["wait", 200],
            ["send", "41"],
            patienceMs=100,
        ),
    ),
]


def _attached(*payloads: str) -> list[Step]:
    return [step for payload in payloads for step in (["send", _HEADER], ["binary", payload])]


_EXTRA = [
    Recording(
        BINARY_EXTRA,
        "client-v4-server",
        SERVER_4,
        RAW_WS,
        "A client asks for EIO=4 and writes its attachments as in revision 3, with the byte 04 before the data: the"
        " server hands over images that are one byte too long and open nowhere.",
        [client_says("^451-"), f"{_CLIENT_BINARY}", _GREETS],
        visit=_and_leaves(*_attached(f"04{_IMAGE}", "0489504e470d0a1a0a", "04474946383961")),
    ),
    Recording(
        BINARY_EXTRA,
        "data-begins-so",
        SERVER_4,
        RAW_WS,
        "Attachments of a protocol whose messages begin with 04 by themselves.",
        [client_says("^451-"), f"{_CLIENT_BINARY}", _GREETS],
        near_miss=True,
        visit=_and_leaves(*_attached("0401000a", "0402000b", "0403000c", "0404000d")),
    ),
    Recording(
        BINARY_EXTRA,
        "left-out-v2-server",
        SERVER_2,
        RAW_WS,
        "The reverse: a client of revision 3 leaves the byte 04 out, and the server takes the first byte of the data"
        " for the type of a packet.",
        [client_says("^451-"), f"{_CLIENT_BINARY}"],
        visit=_of_revision_3(*_attached(_IMAGE), ["wait", 300], ["send", HELLO], ["wait", 500]),
    ),
]


def _many(
    variant: str, server: Peer, client: Peer, what: str, end: str, buffers: int = 11, near_miss: bool = False
) -> Recording:
    return Recording(
        TOO_MANY,
        variant,
        server,
        client,
        what,
        [client_says(f"^45{buffers}-"), end],
        visit={"url": URL, "options": {**WEBSOCKET_ONLY, "reconnection": False}, "buffers": buffers, "lifeMs": 1200},
        near_miss=near_miss,
    )


_ELEVEN = f"A client emits an event with 11 Buffers; {_CLOSED} "
_STAYS = client_says("^41")

_MANY = [
    _many("v4-server", SERVER_4, CLIENT_4, f"{_ELEVEN}(socket.io-parser 4.2.7).", closes(FROM_SERVER)),
    _many("v2-server", SERVER_2, CLIENT_2, f"{_ELEVEN}(socket.io-parser 3.4.5).", closes(FROM_SERVER)),
    _many("ten", SERVER_4, CLIENT_4, "An event with 10 Buffers, as many as are taken.", _STAYS, 10, near_miss=True),
    _many("python5-server", PYTHON_5, CLIENT_4, "python-socketio takes 11 Buffers.", _STAYS, near_miss=True),
]

RECORDINGS = [*_INCOMPLETE, *_ORPHANS, *_EXTRA, *_MANY]
