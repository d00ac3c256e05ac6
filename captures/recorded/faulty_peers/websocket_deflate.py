# SPDX-License-Identifier: GPL-2.0-or-later
"""Compression of WebSocket messages that costs more than it saves."""

from __future__ import annotations

from faulty_peers.peers import CLIENT_4, SERVER_4, Peer
from faulty_peers.plans import URL, WEBSOCKET_ONLY
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import FROM_CLIENT, FROM_SERVER, asks

DEFLATE = Rule("deflate-overhead", "WS111")
_COMPRESSED = f"{FROM_SERVER} && websocket.rsv == 4"


def _recording(
    variant: str, server: Peer, what: str, serve: dict[str, object], *, near_miss: bool = False
) -> Recording:
    return Recording(
        DEFLATE,
        variant,
        server,
        CLIENT_4,
        what,
        [asks("websocket"), *([_COMPRESSED] * 5)],
        lacks=[f"{FROM_CLIENT} && websocket.rsv == 4"],
        near_miss=near_miss,
        serve=serve,
        visit={"url": URL, "options": WEBSOCKET_ONLY, "lifeMs": 1500, "hello": {"times": 12, "everyMs": 50}},
    )


_ALONE = {"threshold": 0, "serverNoContextTakeover": True}

RECORDINGS = [
    _recording(
        "short-messages-v4-server",
        SERVER_4,
        "A server compresses messages however short, each by itself (serverNoContextTakeover, threshold 0).",
        {"options": {"perMessageDeflate": _ALONE}},
    ),
    _recording(
        "context-kept",
        SERVER_4,
        "The same server with a window that is kept: what is repeated shrinks.",
        {"options": {"perMessageDeflate": {"threshold": 0}}},
        near_miss=True,
    ),
]
