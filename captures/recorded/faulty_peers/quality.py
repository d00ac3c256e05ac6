# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures that tell less than they should, and traffic that is none of our business."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from lab import Lab

from faulty_peers import derive
from faulty_peers.peers import CLIENT_4, CURL, PLAIN_SERVER, RAW_WS, SERVER_4
from faulty_peers.plans import QUICK, URL, WEBSOCKET_ONLY
from faulty_peers.stage import Recording, Rule, Stage
from faulty_peers.wire import FROM_CLIENT, FROM_SERVER, answers, client_says, closes, server_says

TRUNCATED = Rule("capture-truncated", "CAP220")
GAP = Rule("capture-gap", "CAP221")
MIDSTREAM = Rule("capture-starts-midstream", "CAP222")
SNAPLEN = Rule("capture-snaplen", "CAP223")
DROPPED = Rule("capture-dropped", "CAP226")
ONE_DIRECTION = Rule("capture-one-direction", "CAP224")
NO_ENGINEIO = Rule("no-engineio", "")  # near every rule
SYN = "tcp.flags.syn == 1"
_HEARTBEAT = [server_says("^2$"), client_says("^3$")]

# What tshark calls a segment that comes late depends on how late.
_FOUND_AGAIN = "tcp.analysis.out_of_order || tcp.analysis.retransmission"

WHOLE_SESSION = Recording(
    TRUNCATED,
    "whole-session",
    SERVER_4,
    CLIENT_4,
    "A healthy session over WebSocket from SYN to FIN, with events, acknowledgements and three"
    " heartbeats; the recordings of poor quality are made from it.",
    [
        SYN,
        answers(101),
        server_says("^40{"),
        *_HEARTBEAT * 3,
        client_says("^41"),
        closes(FROM_CLIENT),
    ],
    near_miss=True,
    serve={"options": QUICK},
    visit={
        "url": URL,
        "options": WEBSOCKET_ONLY,
        "lifeMs": 3700,
        "hello": {"times": 6, "everyMs": 500},
    },
)


def _derived(
    rule: Rule,
    variant: str,
    make: Callable[[bytes], bytes],
    what: str,
    shows: Sequence[str],
    lacks: Sequence[str] = (),
    near_miss: bool = False,
) -> Recording:
    return Recording(
        rule,
        variant,
        SERVER_4,
        CLIENT_4,
        f"{what}; made from {WHOLE_SESSION.file}.",
        shows,
        lacks=lacks,
        near_miss=near_miss,
        derive=make,
    )


_DERIVED = [
    _derived(
        TRUNCATED,
        "in-a-record",
        derive.cut_short,
        "The file ends in the middle of a packet's record",
        [server_says("^40{"), *_HEARTBEAT],
        [closes(FROM_CLIENT)],
    ),
    _derived(
        GAP,
        "two-segments",
        derive.with_gap,
        "Two segments with data of the server are missing",
        ["tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment"],
    ),
    _derived(
        GAP,
        "reordered",
        derive.reordered,
        "Two segments of the server come in the wrong order; nothing is missing",
        ["tcp.analysis.lost_segment", _FOUND_AGAIN, *_HEARTBEAT, closes(FROM_CLIENT)],
        ["tcp.analysis.ack_lost_segment"],
        near_miss=True,
    ),
    _derived(
        DROPPED,
        "by-the-system",
        derive.dropped,
        "Two segments with data of the server are missing, and the file (pcapng) counts two packets that were dropped",
        ["tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment"],
    ),
    _derived(
        DROPPED,
        "of-others",
        derive.others_dropped,
        "The file (pcapng) counts two packets that were dropped, but nothing of the session is missing",
        [server_says("^40{"), *_HEARTBEAT, closes(FROM_CLIENT)],
        ["tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment"],
        near_miss=True,
    ),
    _derived(
        MIDSTREAM,
        "after-handshake",
        derive.after_handshake,
        "The capture begins after the 101: the open packet is there, the request is not",
        [f'{FROM_SERVER} && tcp.payload contains "0{{"', f"{FROM_CLIENT} && tcp.flags.fin == 1"],
        [SYN, "http.request"],
    ),
    _derived(
        MIDSTREAM,
        "in-session",
        derive.second_half,
        "The capture begins in the middle of the session: neither open packet nor CONNECT",
        [f'{FROM_SERVER} && tcp.payload contains "42["', f"{FROM_CLIENT} && tcp.flags.fin == 1"],
        [SYN, "http.request", 'tcp.payload contains "0{"'],
    ),
    _derived(
        SNAPLEN,
        "96",
        partial(derive.snapped, length=96),
        "Of each packet only 96 bytes were kept",
        ["frame.cap_len == 96 && frame.len > 96"],
        ["frame.cap_len > 96"],
    ),
    _derived(
        SNAPLEN,
        "400-long-enough",
        partial(derive.snapped, length=400),
        "The file says that packets are cut at 400 bytes, but none is as long as that",
        [server_says("^40{"), *_HEARTBEAT, closes(FROM_CLIENT)],
        ["frame.cap_len < frame.len"],
        near_miss=True,
    ),
    _derived(
        ONE_DIRECTION,
        "server-only",
        derive.server_only,
        "Only what the server sent",
        [answers(101), f"{FROM_SERVER} && tcp.flags.fin == 1"],
        [FROM_CLIENT],
    ),
    _derived(
        ONE_DIRECTION,
        "client-only",
        derive.client_only,
        "Only what the client sent",
        ["http.request", f"{FROM_CLIENT} && tcp.flags.fin == 1"],
        [FROM_SERVER],
    ),
]


def _rest_and_tls(stage: Stage) -> None:
    key, cert = (str(stage.folder / name) for name in ("key.pem", "cert.pem"))
    ask = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    stage.lab.run("server", [*ask, "-subj", "/CN=lab", "-keyout", key, "-out", cert])
    stage.start_server(tls={"key": key, "cert": cert})
    things = f"{URL}/things"
    with stage.capture():
        stage.lab.run("client", ["curl", "-s", things, things])
        stage.lab.run("client", ["curl", "-s", "--json", '{"name":"bell"}', things])
        stage.lab.run("client", ["curl", "-s", "-k", f"https://{Lab.server_ip}:3443/things"])
        time.sleep(0.3)


def _chat(stage: Stage) -> None:
    stage.start_server()
    with stage.capture():
        first = stage.start_client(ready=None)
        time.sleep(0.7)
        stage.run_client()
        first.wait(timeout=20)
        time.sleep(0.3)


_NO_ENGINEIO = [
    Recording(
        NO_ENGINEIO,
        "",
        PLAIN_SERVER,
        CURL,
        "A REST service over HTTP/1.1, and one connection of TLS: no Engine.IO anywhere.",
        ['http.request.uri == "/things"', answers(200, "lamp"), "tls.handshake.type == 1"],
        lacks=["websocket", 'http.request.uri contains "EIO"'],
        near_miss=True,
        play=_rest_and_tls,
    ),
    Recording(
        NO_ENGINEIO,
        "websocket-chat",
        PLAIN_SERVER,
        RAW_WS,
        "Two people chat over plain WebSocket; some words begin with a digit, or are one.",
        [answers(101), client_says("^hello"), server_says("^42 people"), client_says("^2$")],
        lacks=['http.request.uri contains "EIO"'],
        near_miss=True,
        visit={
            "url": f"ws://{Lab.server_ip}:3000/chat",
            "steps": [
                ["send", "hello everyone"],
                ["wait", 1000],
                ["send", "42 people online"],
                ["wait", 500],
                ["send", "2"],
                ["wait", 500],
                ["leave"],
            ],
        },
        play=_chat,
    ),
]

RECORDINGS = [WHOLE_SESSION, *_DERIVED, *_NO_ENGINEIO]
