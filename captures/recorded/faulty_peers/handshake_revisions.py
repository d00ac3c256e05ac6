# SPDX-License-Identifier: GPL-2.0-or-later
"""Handshakes that fail because the revisions of Engine.IO do not fit."""

from __future__ import annotations

from faulty_peers.peers import (
    CLIENT_2,
    CLIENT_4,
    PYTHON_4,
    PYTHON_5,
    RAW_POLLING,
    RAW_WS,
    SERVER_2,
    SERVER_3_0,
    SERVER_3_1,
    SERVER_4,
)
from faulty_peers.plans import (
    ALLOWS_EIO3,
    QUICK,
    RETRIES,
    RETRIES_POLLING,
    RETRIES_WEBSOCKET,
    TALKS,
    TALKS_POLLING,
    TALKS_WEBSOCKET,
    URL,
    WEBSOCKET_ONLY,
    WS_URL,
    asks_by_hand,
)
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import (
    ASKS_POLLING,
    ASKS_WEBSOCKET,
    FROM_CLIENT,
    FROM_SERVER,
    answers,
    asks,
    client_says,
    closes,
    ends,
    server_says,
    server_tells,
)

UNSUPPORTED_POLLING = Rule("eio-unsupported-polling", "EIO001")
UNSUPPORTED_WS = Rule("eio-unsupported-ws", "EIO002")
V4_CLIENT_ON_V2 = Rule("eio4-client-on-v2-server", "EIO003")
V3_CLIENT_ON_3_0 = Rule("eio3-client-on-3.0-server", "EIO004")
EIO_MISSING = Rule("eio-missing", "EIO005")
_UNSUPPORTED = "Unsupported protocol version"
_PYTHON_UNSUPPORTED = "unsupported version of the Socket.IO"

# Raw HTTP within the upgraded stream: tshark reads "HT" as a close frame with RSV1.
_HTTP_WITHIN_WEBSOCKET = f'{FROM_SERVER} && websocket && tcp.payload contains "HTTP/1.1 400"'

_UNSUPPORTED_POLLING = [
    Recording(
        UNSUPPORTED_POLLING,
        f"v2-client-{name}",
        server,
        CLIENT_2,
        f"A 2.x client polls a server that speaks Engine.IO 4 only; {outcome}, four times.",
        [asks("EIO=3&transport=polling"), answers(400, text)],
        times=4,
        visit=RETRIES_POLLING,
    )
    for name, server, text, outcome in (
        ("v3.1-server", SERVER_3_1, _UNSUPPORTED, "400 code 5"),
        ("v4-server", SERVER_4, _UNSUPPORTED, "400 code 5"),
        ("python5-server", PYTHON_5, _PYTHON_UNSUPPORTED, "400 with a JSON string"),
    )
]

_UNSUPPORTED_WS = [
    Recording(
        UNSUPPORTED_WS,
        "v2-client-v3.1-server-silent",
        SERVER_3_1,
        CLIENT_2,
        "A 101, then not a word from the server; the client gives up after its default of 20 s.",
        [asks("EIO=3&transport=websocket"), answers(101), closes(FROM_CLIENT), ends(FROM_CLIENT)],
        lacks=[f"{FROM_SERVER} && websocket.opcode == 1"],
        visit={"url": URL, "options": WEBSOCKET_ONLY, "attempts": 1},
    ),
    Recording(
        UNSUPPORTED_WS,
        "v2-client-v3.1-server-silent-retries",
        SERVER_3_1,
        CLIENT_2,
        "With the client's timeout set to 5 s: the server's 101, silence, the client leaves and"
        " tries again, three times.",
        [asks("EIO=3&transport=websocket"), answers(101), closes(FROM_CLIENT), ends(FROM_CLIENT)],
        times=3,
        lacks=[f"{FROM_SERVER} && websocket.opcode == 1"],
        visit={"url": URL, "options": {**WEBSOCKET_ONLY, "timeout": 5000}, "attempts": 3},
    ),
    Recording(
        UNSUPPORTED_WS,
        "v2-client-v4-server",
        SERVER_4,
        CLIENT_2,
        "A 101, then a raw HTTP 400 in the upgraded stream and FIN, four times.",
        [asks("EIO=3&transport=websocket"), answers(101), _HTTP_WITHIN_WEBSOCKET],
        times=4,
        visit=RETRIES_WEBSOCKET,
    ),
    Recording(
        UNSUPPORTED_WS,
        "v2-client-python5-server",
        PYTHON_5,
        CLIENT_2,
        "python-socketio refuses the upgrade with a plain 400, never 101, four times.",
        [asks("EIO=3&transport=websocket"), answers(400, _PYTHON_UNSUPPORTED)],
        times=4,
        lacks=[answers(101)],
        visit=RETRIES_WEBSOCKET,
    ),
]

_V4_CLIENT_ON_V2 = [
    Recording(
        V4_CLIENT_ON_V2,
        "polling",
        SERVER_2,
        CLIENT_4,
        "The 2.x server answers EIO=4 with a length-prefixed open packet and '2:40'; the client"
        " cannot read it, makes no further request with that sid and starts again.",
        [ASKS_POLLING, answers(200, "^[0-9]+:0{.*2:40$")],
        times=4,
        lacks=[asks("sid=")],
        visit=RETRIES,
    ),
    Recording(
        V4_CLIENT_ON_V2,
        "websocket",
        SERVER_2,
        CLIENT_4,
        "Over WebSocket the open packet is read; the server pushes '40' unasked, the client never"
        " pings, as only a server does in Engine.IO 4. Both count interval + timeout, so that now"
        " the server and now the client closes first. The client's own '40' makes the server"
        " report a second connection of the same session.",
        [
            ASKS_WEBSOCKET,
            server_says("^0{"),
            server_says("^40$"),
            f"{FROM_SERVER} && websocket.opcode == 8",
        ],
        times=2,
        lacks=[client_says("^2$"), server_says("^2$")],
        serve={"options": QUICK},
        visit={"url": URL, "options": WEBSOCKET_ONLY, "lifeMs": 7000},
    ),
    Recording(
        V4_CLIENT_ON_V2,
        "python4-server",
        PYTHON_4,
        CLIENT_4,
        "python-socketio 4 does look at EIO: it refuses 4 with 400 and a JSON string, as its"
        " successor refuses 3. Nothing but the EIO of the request tells the two apart.",
        [ASKS_POLLING, answers(400, _PYTHON_UNSUPPORTED)],
        times=4,
        visit=RETRIES,
    ),
]

_V3_CLIENT_ON_3_0 = [
    Recording(
        V3_CLIENT_ON_3_0,
        "polling",
        SERVER_3_0,
        CLIENT_2,
        "The 3.0 server looks at no EIO and answers EIO=3 with an open packet without a length;"
        " the 2.x client cannot read it and starts again.",
        [asks("EIO=3&transport=polling"), answers(200, "^0{")],
        times=4,
        lacks=[asks("sid=")],
        visit=RETRIES_POLLING,
    ),
    Recording(
        V3_CLIENT_ON_3_0,
        "websocket",
        SERVER_3_0,
        CLIENT_2,
        "Over WebSocket the open packet is read, but the 2.x client waits for '40' unasked and the"
        " server for CONNECT; both send pings and neither answers the other's, until either of them"
        " closes. The client's pings look like client-ping-in-eio4, and are not the cause.",
        [
            asks("EIO=3&transport=websocket"),
            server_says("^0{"),
            f"{server_says('^2$')} || {client_says('^2$')}",
            "websocket.opcode == 8",
        ],
        times=2,
        lacks=[server_says("^40"), client_says("^40"), server_says("^3"), client_says("^3")],
        serve={"options": QUICK},
        visit={"url": URL, "options": WEBSOCKET_ONLY, "lifeMs": 7000},
    ),
]

_EIO_MISSING = [
    Recording(
        EIO_MISSING,
        f"polling-{name}",
        server,
        RAW_POLLING,
        f"A hand-written handshake without EIO over polling: {outcome}.",
        [asks("/socket.io/?transport=polling"), answers(status, text)],
        lacks=[asks("EIO=")],
        visit=asks_by_hand(["get", "transport=polling"]),
    )
    for name, server, status, text, outcome in (
        ("v4-server", SERVER_4, 400, _UNSUPPORTED, "treated as EIO=3 and refused with code 5"),
        ("python5-server", PYTHON_5, 400, _PYTHON_UNSUPPORTED, "refused with a JSON string"),
        ("v3.1-server", SERVER_3_1, 200, "^0{", "treated as EIO=4 and served"),
    )
] + [
    Recording(
        EIO_MISSING,
        "websocket-v4-server",
        SERVER_4,
        RAW_WS,
        "A hand-written WebSocket URL without EIO: 101, then a raw HTTP 400 in the stream.",
        [asks("/socket.io/?transport=websocket"), answers(101), _HTTP_WITHIN_WEBSOCKET],
        lacks=[asks("EIO=")],
        visit={"url": WS_URL.replace("EIO=4&", "")},
    )
]

_NEAR_MISSES = [
    Recording(
        UNSUPPORTED_POLLING,
        "v2-client-allowed",
        SERVER_4,
        CLIENT_2,
        "A 2.x client polls a 4.x server with allowEIO3: served in revision 3.",
        [asks("EIO=3&transport=polling"), answers(200, "^[0-9]+:0{"), answers(200, "greeting")],
        lacks=[answers(400)],
        near_miss=True,
        serve={"options": ALLOWS_EIO3},
        visit=TALKS_POLLING,
    ),
    Recording(
        UNSUPPORTED_WS,
        "v2-client-allowed",
        SERVER_4,
        CLIENT_2,
        "A 2.x client over WebSocket on a 4.x server with allowEIO3: served in revision 3.",
        [asks("EIO=3&transport=websocket"), answers(101), server_says("^0{"), server_says("^40$")],
        lacks=[_HTTP_WITHIN_WEBSOCKET],
        near_miss=True,
        serve={"options": ALLOWS_EIO3},
        visit=TALKS_WEBSOCKET,
    ),
    Recording(
        V4_CLIENT_ON_V2,
        "v3.0-server",
        SERVER_3_0,
        CLIENT_4,
        "A 4.x client on the oldest server that it gets on with: the same revision, and an open"
        " packet without maxPayload as 2.x sends it.",
        [ASKS_POLLING, answers(200, "^0{"), server_tells("greeting")],
        lacks=[answers(200, "^[0-9]+:0{"), 'http.file_data contains "maxPayload"'],
        near_miss=True,
        visit=TALKS,
    ),
    Recording(
        V3_CLIENT_ON_3_0,
        "v2-server",
        SERVER_2,
        CLIENT_2,
        "A 2.x client polls a 2.x server: an open packet with its length, and a talk.",
        [asks("EIO=3&transport=polling"), answers(200, "^[0-9]+:0{"), answers(200, "greeting")],
        near_miss=True,
        visit=TALKS_POLLING,
    ),
    Recording(
        EIO_MISSING,
        "eio-given",
        SERVER_4,
        RAW_POLLING,
        "A hand-written handshake over polling with EIO=4: served.",
        [asks("/socket.io/?EIO=4&transport=polling"), answers(200, "^0{")],
        near_miss=True,
        visit=asks_by_hand(["get", "EIO=4&transport=polling"]),
    ),
]

RECORDINGS = [
    *_UNSUPPORTED_POLLING,
    *_UNSUPPORTED_WS,
    *_V4_CLIENT_ON_V2,
    *_V3_CLIENT_ON_3_0,
    *_EIO_MISSING,
    *_NEAR_MISSES,
]
