# SPDX-License-Identifier: GPL-2.0-or-later
"""What the Python peers of the variants share: what is said, as in conversation.js, and the truth."""

from __future__ import annotations

import hashlib
import importlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import socketio  # type: ignore[import-not-found]  # of the peer's own venv
from healthy_common import TYPES, config

TEXTS = (
    "안녕하세요 👋🏽 𝄞 €",
    "first\nsecond\r\nthird, \\n is two characters, \\\\n three, \\",
    "\"double\" 'single' <b>&amp;</b> 100 % + \u2028 \u2029 \u00a0 \u0007 \ufeff",
)
VALUES = [
    [0, 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296],
    [-1, -32, -33, -128, -129, -32768, -32769, -2147483648, -2147483649],
    [21.5, -0.1, 1e300, True, False, None, [], {}, ""],
    {"온도 🌡️": 21.5, "deep": {"deeper": {"list": ["a", ["b"]]}}, "long": "x" * 300},
]


def bytes_inside(value: Any) -> Iterator[bytes]:
    """The byte strings inside `value`, in the order in which msgpack writes them."""
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from bytes_inside(member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from bytes_inside(member)


def digest(data: bytes) -> dict[str, Any]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def log_packets() -> None:
    """From now on log each packet that the library encodes for its Engine.IO."""
    packet_class = socketio.packet.Packet
    if config["options"].get("serializer") == "msgpack":
        packet_class = importlib.import_module("socketio.msgpack_packet").MsgPackPacket
    encode = packet_class.encode

    def encode_and_log(packet: Any) -> Any:
        encoded = encode(packet)
        parts = encoded if isinstance(encoded, list) else [encoded]
        own_parser = isinstance(parts[0], bytes)
        kind = TYPES[packet.packet_type if own_parser else int(parts[0][0])]
        line = {
            "time": time.time(),
            "side": config["side"],
            "type": kind,
            "namespace": packet.namespace or "/",
            "id": packet.id,
            "event": packet.data[0] if kind.endswith("EVENT") else None,
            "attachments": [digest(part) for part in parts[1:]],
        }
        if own_parser and (inside := [digest(data) for data in bytes_inside(packet.data)]):
            line["binary"] = inside
        with Path(config["truth"]).open("a") as truth:
            truth.write(json.dumps(line, ensure_ascii=False) + "\n")
        return encoded

    packet_class.encode = encode_and_log
