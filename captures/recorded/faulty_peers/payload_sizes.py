# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages that are larger than somebody on their way takes."""

from __future__ import annotations

from dataclasses import replace

from faulty_peers import boxes
from faulty_peers.peers import (
    CLIENT_2,
    CLIENT_4,
    PYTHON_5,
    PYTHON_CLIENT_AIOHTTP,
    PYTHON_CLIENT_POLLS,
    RAW_POLLING,
    RAW_WS,
    SERVER_2,
    SERVER_4,
    Peer,
    Plan,
)
from faulty_peers.plans import (
    HELLO,
    ONCE_POLLING,
    OPEN_AND_CONNECT,
    POLLING_ONLY,
    PONGS,
    URL,
    WEBSOCKET_ONLY,
    WS_URL,
    asks_by_hand,
)
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import (
    FROM_CLIENT,
    FROM_SERVER,
    PROBES,
    SESSION_UNKNOWN,
    answers,
    client_says,
    closes,
    ends,
    posts,
    resets,
    server_says,
)

TOO_LARGE = Rule("payload-too-large", "EIO077")
PROXY_BODY_LIMIT = Rule("proxy-body-limit", "PROXY078")
MCU_FRAME = Rule("mcu-frame-too-large", "WS079")
MAX_PAYLOAD_IGNORED = Rule("maxpayload-ignored", "EIO080")

CLIENT_4_4 = replace(CLIENT_4, version="4.4.1", packages=("socket.io-client@4.4.1",))  # before maxPayload

_NODE_LIMIT: Plan = {"options": {"maxHttpBufferSize": 2000}}
_PYTHON_LIMIT: Plan = {"options": {"max_http_buffer_size": 2000}}
_UPLOAD = {"afterMs": 200, "bytes": 3000}
_UPLOADS: Plan = {"url": URL, "upload": _UPLOAD, "lifeMs": 1500}
_AGAIN: Plan = {"url": URL, "upload": {**_UPLOAD, "again": True}, "lifeMs": 5500}
_UPLOAD_POSTED = posts('^42\\["upload"')
_UPLOAD_SAID = client_says('^42\\["upload"')

_UPLOADS_REFUSED = [
    Recording(
        TOO_LARGE,
        f"{way}-{name}",
        server,
        client,
        f"An event of 3 KB for a server that takes 2000 bytes: {outcome}.",
        shows,
        serve=serve,
        visit={**_UPLOADS, "options": options},
    )
    for way, options, name, server, client, serve, shows, outcome in (
        (
            "polling",
            {**POLLING_ONLY, "reconnection": False},
            "v4-server",
            SERVER_4,
            CLIENT_4,
            _NODE_LIMIT,
            [_UPLOAD_POSTED, answers(413)],
            "the POST gets 413 with an empty body, and the client gives the session up",
        ),
        (
            "polling",
            {**POLLING_ONLY, "reconnection": False},
            "v2-server",
            SERVER_2,
            CLIENT_2,
            _NODE_LIMIT,
            [posts('^\\d+:42\\["upload"'), f"({ends(FROM_SERVER)}) || ({resets(FROM_SERVER)})"],
            "the server ends the connection of the POST without an answer",
        ),
        (
            "polling",
            {**POLLING_ONLY, "reconnection": False},
            "python5-server",
            PYTHON_5,
            CLIENT_4,
            _PYTHON_LIMIT,
            [_UPLOAD_POSTED, answers(400, "Bad Request")],
            "the POST gets 400 Bad Request, and the session is over",
        ),
        (
            "websocket",
            {**WEBSOCKET_ONLY, "reconnection": False},
            "python5-server",
            PYTHON_5,
            CLIENT_4,
            _PYTHON_LIMIT,
            [server_says("^40"), closes(FROM_SERVER, 1009)],
            "it closes with code 1009",
        ),
        (
            "websocket-compressed",
            {**WEBSOCKET_ONLY, "reconnection": False},
            "v4-server",
            SERVER_4,
            CLIENT_4,
            {"options": {"maxHttpBufferSize": 2000, "perMessageDeflate": {"threshold": 0}}},
            [answers(101), closes(FROM_SERVER, 1009)],
            "compressed it is a few bytes, but what counts is the text; code 1009",
        ),
    )
] + [
    Recording(
        TOO_LARGE,
        "polling-half-v2-server",
        SERVER_2,
        RAW_POLLING,
        "A POST of 6 KB that comes slowly, for a server that takes 2000 bytes: it ends the connection"
        " when half of it has come.",
        [answers(200, "0{"), f"({ends(FROM_SERVER)}) || ({resets(FROM_SERVER)})", SESSION_UNKNOWN],
        serve=_NODE_LIMIT,
        visit={
            **asks_by_hand(
                ["open"], ["slow", f"6000:{HELLO.replace('word', 'x' * 5984)}", 800], ["wait", 1200], ["get"]
            ),
            "eio": 3,
        },
    ),
    Recording(
        TOO_LARGE,
        "websocket-loop-v4-server",
        SERVER_4,
        CLIENT_4,
        "An event of 3 KB for a server that takes 2000 bytes: the server closes with code 1009, the"
        " client connects again and the application sends it again.",
        [server_says("^40"), closes(FROM_SERVER, 1009)],
        times=3,
        serve=_NODE_LIMIT,
        visit={**_AGAIN, "options": WEBSOCKET_ONLY},
    ),
    Recording(
        TOO_LARGE,
        "websocket-fits",
        SERVER_4,
        CLIENT_4,
        "An event of 3 KB for a server that takes 4000 bytes.",
        [_UPLOAD_SAID, client_says("^41")],
        lacks=[closes(FROM_SERVER, 1009)],
        near_miss=True,
        serve={"options": {"maxHttpBufferSize": 4000}},
        visit={**_UPLOADS, "options": WEBSOCKET_ONLY},
    ),
    Recording(
        TOO_LARGE,
        "polling-fits",
        PYTHON_5,
        CLIENT_4,
        "An event of 3 KB for a python-socketio server that takes 4000 bytes.",
        [_UPLOAD_POSTED, answers(200, "^OK$")],
        lacks=[answers(400), answers(413)],
        near_miss=True,
        serve={"options": {"max_http_buffer_size": 4000}},
        visit={**_UPLOADS, "options": POLLING_ONLY},
    ),
]


_PROXIES = [
    Recording(
        PROXY_BODY_LIMIT,
        "nginx",
        SERVER_4,
        CLIENT_4,
        "nginx with client_max_body_size 2k: it answers 413 with a page of its own, and the server"
        " never hears of the POST.",
        [answers(200, "^0{"), answers(413, "nginx")],
        visit={**_UPLOADS, "options": {**POLLING_ONLY, "reconnection": False}},
        play=boxes.behind(boxes.nginx("client_max_body_size 2k;")),
    ),
    Recording(
        PROXY_BODY_LIMIT,
        "squid",
        SERVER_4,
        CLIENT_4,
        "Squid in front of the server, with request_body_max_size 2 KB: it answers 413 with a page of its own.",
        [answers(200, "^0{"), answers(413, "squid")],
        visit={**_UPLOADS, "options": {**POLLING_ONLY, "reconnection": False}},
        play=boxes.behind(boxes.squid("request_body_max_size 2 KB")),
    ),
    Recording(
        PROXY_BODY_LIMIT,
        "nginx-larger",
        SERVER_4,
        CLIENT_4,
        "nginx with its default of 1 MB, and an event of 3 KB.",
        [_UPLOAD_POSTED, answers(200, "^ok$")],
        lacks=[answers(413)],
        near_miss=True,
        visit={**_UPLOADS, "options": POLLING_ONLY},
        play=boxes.behind(boxes.nginx()),
    ),
    Recording(
        PROXY_BODY_LIMIT,
        "nginx-server-limit",
        SERVER_4,
        CLIENT_4,
        "The 413 comes from the server behind nginx, whose maxHttpBufferSize is 2000: it has no page.",
        [_UPLOAD_POSTED, answers(413)],
        lacks=[answers(413, "nginx")],
        near_miss=True,
        serve=_NODE_LIMIT,
        visit={**_UPLOADS, "options": {**POLLING_ONLY, "reconnection": False}},
        play=boxes.behind(boxes.nginx()),
    ),
]


_DEVICE = replace(RAW_WS, library="ws with the header of arduinoWebSockets")


def _device(most: int, *, rounds: int = 1) -> Plan:
    """A WebSocket client that takes messages of so many bytes, with the header by which arduinoWebSockets is known."""
    return {
        "url": WS_URL,
        "options": {"maxPayload": most, "headers": {"User-Agent": "arduino-WebSocket-Client"}},
        "answers": PONGS,
        "steps": [*OPEN_AND_CONNECT, ["send", HELLO], ["wait", 1200], ["send", "41"]],
        "rounds": rounds,
        "everyMs": 500,
        "patienceMs": 300,
    }


def _download(bytes_: int) -> Plan:
    return {"download": {"afterMs": 300, "bytes": bytes_}}


_FRAMES = [
    Recording(
        MCU_FRAME,
        "device-1k-loop",
        SERVER_4,
        _DEVICE,
        "An event of 1.5 KB for a client that takes 1024 bytes, as arduinoWebSockets on an AVR: it"
        " closes with code 1009 and connects again, four times. (ws with maxPayload in its place.)",
        [answers(101), closes(FROM_CLIENT, 1009)],
        times=4,
        serve=_download(1500),
        visit=_device(1024, rounds=4),
    ),
    Recording(
        MCU_FRAME,
        "device-15k",
        SERVER_4,
        _DEVICE,
        "An event of 16 KB for a client that takes 15360 bytes, as arduinoWebSockets on an ESP: it"
        " closes with code 1009. (ws with maxPayload in its place.)",
        [answers(101), closes(FROM_CLIENT, 1009)],
        serve=_download(16000),
        visit=_device(15360),
    ),
    Recording(
        MCU_FRAME,
        "aiohttp-client",
        SERVER_4,
        PYTHON_CLIENT_AIOHTTP,
        "An event of 3 KB for a client of python-socketio on aiohttp whose max_msg_size is 2000:"
        " it closes with code 1009.",
        [answers(101), closes(FROM_CLIENT, 1009)],
        serve=_download(3000),
        visit={"url": URL, "most_bytes": 2000, "life_s": 1.5},
    ),
    Recording(
        MCU_FRAME,
        "device-fits",
        SERVER_4,
        _DEVICE,
        "An event of 900 bytes for a client that takes 1024; it leaves after it.",
        [server_says('^42\\["download"'), client_says("^41$")],
        lacks=[closes(FROM_CLIENT, 1009)],
        near_miss=True,
        serve=_download(900),
        visit=_device(1024),
    ),
]


def _burst(client: Peer, name: str, what: str, *, near_miss: bool = False) -> Recording:
    """Many small events at once over polling, for a server that announces maxPayload 3000."""
    return Recording(
        MAX_PAYLOAD_IGNORED,
        name,
        SERVER_4,
        client,
        what,
        [answers(200, "^0{"), posts('^42[0-9]*\\["hello".*\\x1e42'), answers(200 if near_miss else 413)],
        lacks=[PROBES, *([answers(413)] if near_miss else [])],
        near_miss=near_miss,
        serve={"options": {"maxHttpBufferSize": 3000}},
        visit={
            "url": URL,
            "options": {"transports": ["polling"]} if client is PYTHON_CLIENT_POLLS else ONCE_POLLING["options"],
            "burst": {"times": 12, "bytes": 400},
            "lifeMs": 1500,
        },
    )


_BURSTS = [
    _burst(
        CLIENT_4_4,
        "client-4.4",
        "Twelve events of 400 bytes at once, of a client that does not know maxPayload (3000): it puts"
        " them into one POST, which gets 413.",
    ),
    _burst(
        PYTHON_CLIENT_POLLS,
        "python-client",
        "Twelve events of 400 bytes at once, of a client of python-socketio: it does not look at"
        " maxPayload (3000), and its POST gets 413.",
    ),
    _burst(
        CLIENT_4,
        "client-splits",
        "Twelve events of 400 bytes at once, of a client that knows maxPayload (3000): it takes two POSTs for them.",
        near_miss=True,
    ),
]

RECORDINGS = [*_UPLOADS_REFUSED, *_PROXIES, *_FRAMES, *_BURSTS]
