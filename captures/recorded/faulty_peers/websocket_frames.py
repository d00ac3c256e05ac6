# SPDX-License-Identifier: GPL-2.0-or-later
"""WebSocket frames that the protocol does not allow."""

from __future__ import annotations

from lab import Lab

from faulty_peers import boxes
from faulty_peers.peers import CLIENT_4, PYTHON_5, RAW_FRAMES, SERVER_4, Peer
from faulty_peers.plans import HELLO, URL, WEBSOCKET_ONLY, Step
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import FROM_CLIENT, FROM_SERVER, client_says, closes, server_says

UNMASKED = Rule("ws-unmasked", "WS095")
ZERO_MASK = Rule("ws-zero-mask", "WS099")
RSV_SET = Rule("ws-rsv-set", "WS096")
BAD_UTF8 = Rule("ws-bad-utf8", "WS097")
FRAGMENT_STALL = Rule("ws-fragment-stall", "WS100")
PROTOCOL_ERROR = Rule("ws-protocol-error", "WS202")

_CONNECT: list[Step] = [["expect", "0{"], ["text", "40"], ["expect", "40{"]]
_FRAME = f"{FROM_CLIENT} && websocket"
_GREETS = server_says("greeting")


def _by_hand(*steps: Step, **more: object) -> dict[str, object]:
    return {"host": Lab.server_ip, "steps": [*_CONNECT, *steps], **more}


def _recording(
    rule: Rule, variant: str, server: Peer, what: str, shows: list[str], *steps: Step, **more: object
) -> Recording:
    near_miss = bool(more.pop("near_miss", False))
    serve = more.pop("serve", {})
    assert isinstance(serve, dict)
    visit = _by_hand(*steps, ["wait", 300], ["text", HELLO], ["wait", 300], **more)
    return Recording(rule, variant, server, RAW_FRAMES, what, shows, near_miss=near_miss, serve=serve, visit=visit)


_MASKS = [
    _recording(
        UNMASKED,
        "v4-server",
        SERVER_4,
        "A client sends an event without masking it: the server closes with 1002.",
        [f"{FROM_CLIENT} && websocket.mask == 0", closes(FROM_SERVER, 1002)],
        ["frame", {"text": HELLO, "masked": False}],
    ),
    _recording(
        UNMASKED,
        "python5-server",
        PYTHON_5,
        "A client sends an event without masking it; aiohttp takes it as it is.",
        [f"{FROM_CLIENT} && websocket.mask == 0", _GREETS],
        ["frame", {"text": HELLO, "masked": False}],
    ),
    _recording(
        UNMASKED,
        "masked",
        SERVER_4,
        "The same event, masked.",
        [client_says("^42"), _GREETS],
        ["text", HELLO],
        near_miss=True,
    ),
]

_ZERO: Step = ["frame", {"text": HELLO, "key": "00000000"}]

_ZERO_MASKS = [
    _recording(
        ZERO_MASK,
        "v4-server",
        SERVER_4,
        "A client written by hand masks its events with the key 00 00 00 00: the server takes them.",
        [f"{FROM_CLIENT} && websocket.masking_key == 00:00:00:00", _GREETS],
        _ZERO,
        ["wait", 100],
        _ZERO,
    ),
]

# `42["hello","word"]`, compressed by itself (RFC 7692, section 7.2.1).
_DEFLATED = "32318a56ca48cdc9c957d2512acf2f4a518a0500"

_RESERVED = [
    Recording(
        RSV_SET,
        "proxy-removes-the-extension",
        SERVER_4,
        CLIENT_4,
        "Server and client agree on compression, and a proxy takes Sec-WebSocket-Extensions out of the 101: the client"
        ' refuses the first compressed frame ("RSV1 must be clear").',
        [
            f"{FROM_SERVER} && http.response.code == 101 && !http.sec_websocket_extensions",
            f"{FROM_SERVER} && websocket.rsv == 4",
            closes(FROM_CLIENT, 1002),
        ],
        times=2,
        serve={"options": {"perMessageDeflate": {"threshold": 0}}},
        visit={"url": URL, "options": WEBSOCKET_ONLY, "lifeMs": 4000, "attempts": 2},
        play=boxes.behind(boxes.by_hand(noExtensions=True)),
    ),
    _recording(
        RSV_SET,
        "compressed-event-v4-server",
        SERVER_4,
        "A client compresses an event although it did not ask for permessage-deflate: the server closes with 1002.",
        [f"{FROM_CLIENT} && websocket.rsv == 4", closes(FROM_SERVER, 1002)],
        ["frame", {"hex": _DEFLATED, "rsv": 4}],
    ),
    _recording(
        RSV_SET,
        "rsv2-python5-server",
        PYTHON_5,
        "A client sets RSV2, which no extension that is in use has: aiohttp closes with 1002.",
        [f"{FROM_CLIENT} && websocket.rsv == 2", closes(FROM_SERVER, 1002)],
        ["frame", {"text": HELLO, "rsv": 2}],
    ),
    Recording(
        RSV_SET,
        "compression-agreed",
        SERVER_4,
        CLIENT_4,
        "The same server and client, and a proxy that leaves the header alone.",
        [f"{FROM_SERVER} && http.sec_websocket_extensions", f"{FROM_SERVER} && websocket.rsv == 4", client_says("^40")],
        lacks=[closes(FROM_CLIENT, 1002)],
        near_miss=True,
        serve={"options": {"perMessageDeflate": {"threshold": 0}}},
        visit={"url": URL, "options": WEBSOCKET_ONLY, "lifeMs": 1500, "attempts": 2},
        play=boxes.behind(boxes.by_hand()),
    ),
]

_LATIN = '42["hello","caf\u00e9"]'
_CUT = '42["hello","caf\u00e9'.encode()[:-1].hex()

_UTF8 = [
    _recording(
        BAD_UTF8,
        f"{name}-{server_name}",
        server,
        f"A client sends an event with {what}: the server closes with 1007.",
        [_FRAME, closes(FROM_SERVER, 1007)],
        ["frame", frame],
    )
    for name, what, frame, server_name, server in (
        ("latin1", "a letter in Latin-1", {"latin1": _LATIN}, "v4-server", SERVER_4),
        ("latin1", "a letter in Latin-1", {"latin1": _LATIN}, "python5-server", PYTHON_5),
        ("cut", "a text that ends in the middle of a letter", {"hex": _CUT}, "v4-server", SERVER_4),
    )
] + [
    _recording(
        BAD_UTF8,
        "utf8",
        SERVER_4,
        "The same letter in UTF-8, and a character of four bytes.",
        [_FRAME, _GREETS],
        ["text", '42["hello","caf\u00e9 \U0001f600"]'],
        near_miss=True,
    ),
]

_BEGIN: Step = ["frame", {"text": HELLO[:9], "fin": False}]
_REST: Step = ["frame", {"text": HELLO[9:], "opcode": 0}]

_STALLS = [
    _recording(
        FRAGMENT_STALL,
        "rest-after-6s-v4-server",
        SERVER_4,
        "A client sends the first half of an event, and the rest 6 s later.",
        [f"{FROM_CLIENT} && websocket.fin == 0", f"{FROM_CLIENT} && websocket.opcode == 0", _GREETS],
        _BEGIN,
        ["wait", 6000],
        _REST,
    ),
    Recording(
        FRAGMENT_STALL,
        "no-rest-v4-server",
        SERVER_4,
        RAW_FRAMES,
        "A client sends the first half of an event and no more: its pongs cannot overtake it, and the server gives the"
        " session up.",
        [f"{FROM_CLIENT} && websocket.fin == 0", server_says("^2$"), closes(FROM_SERVER)],
        serve={"options": {"pingInterval": 3000, "pingTimeout": 3000}},
        visit=_by_hand(_BEGIN, mutes=True, patienceMs=9000),
    ),
    _recording(
        FRAGMENT_STALL,
        "in-one-go",
        SERVER_4,
        "A client sends an event in two fragments, one right after the other, with a ping frame between them.",
        [f"{FROM_CLIENT} && websocket.fin == 0", f"{FROM_CLIENT} && websocket.opcode == 0", _GREETS],
        _BEGIN,
        ["frame", {"opcode": 9}],
        _REST,
        near_miss=True,
    ),
]

_ERRORS = [
    _recording(
        PROTOCOL_ERROR,
        f"{name}-{server_name}",
        server,
        f"A client sends {what}: the server closes with 1002.",
        [_FRAME, closes(FROM_SERVER, 1002)],
        ["frame", frame],
    )
    for name, what, frame, server_name, server in (
        ("opcode-3", "a frame with opcode 3, which nothing has", {"opcode": 3, "text": HELLO}, "v4-server", SERVER_4),
        (
            "opcode-3",
            "a frame with opcode 3, which nothing has",
            {"opcode": 3, "text": HELLO},
            "python5-server",
            PYTHON_5,
        ),
        ("long-ping", "a ping frame of 130 bytes", {"opcode": 9, "text": "x" * 130}, "v4-server", SERVER_4),
        ("continuation", "a continuation of nothing", {"opcode": 0, "text": HELLO}, "v4-server", SERVER_4),
    )
] + [
    _recording(
        PROTOCOL_ERROR,
        "two-messages-in-one-v4-server",
        SERVER_4,
        "A client begins another message before the one that it has begun is complete: the server closes with 1002.",
        [f"{FROM_CLIENT} && websocket.fin == 0", closes(FROM_SERVER, 1002)],
        _BEGIN,
        ["text", HELLO],
    ),
    _recording(
        PROTOCOL_ERROR,
        "close-code-1005-v4-server",
        SERVER_4,
        "A client leaves with the close code 1005, which may not be sent.",
        [closes(FROM_CLIENT, 1005)],
        ["frame", {"opcode": 8, "hex": "03ed"}],
    ),
    _recording(
        PROTOCOL_ERROR,
        "pings-and-pongs",
        SERVER_4,
        "Ping frames with 125 bytes and with none, and a pong that nobody asked for: all of it is allowed.",
        [f"{FROM_CLIENT} && websocket.opcode == 9", f"{FROM_CLIENT} && websocket.opcode == 10", _GREETS],
        ["frame", {"opcode": 9, "text": "x" * 125}],
        ["frame", {"opcode": 9}],
        ["frame", {"opcode": 10}],
        near_miss=True,
    ),
]

RECORDINGS = [*_MASKS, *_ZERO_MASKS, *_RESERVED, *_UTF8, *_STALLS, *_ERRORS]
