# SPDX-License-Identifier: GPL-2.0-or-later
"""The peers of the variants, by what they are and which versions."""

from __future__ import annotations

from variant_peers.stage import Peer

WAYS = ("polling", "websocket", "upgrade")
MSGPACK_2, MSGPACK_3 = "socket.io-msgpack-parser@2.2.1", "socket.io-msgpack-parser@3.0.2"
JSON_2, JSON_3 = "socket.io-json-parser@2.1.1", "socket.io-json-parser@3.0.0"
SOCKETIO_1_0 = {"old_buffers": True, "closes": True}
PYTHON_MSGPACK = "msgpack==1.1.2"


def node(version: str, parser: str = "", play: str = "") -> Peer:
    return Peer("node", version, parser, play)


def python(version: str, parser: str = "") -> Peer:
    return Peer("python", version, parser)


def chromium(version: str) -> Peer:
    return Peer("chromium", version)


def engine(version: str) -> Peer:
    return Peer("engine", version)
