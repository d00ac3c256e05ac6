# SPDX-License-Identifier: GPL-2.0-or-later
"""What both Python peers of the healthy recordings share: the data they send, the truth they log.

The Node peers send the same, see healthy_common.js.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import socketio  # type: ignore[import-not-found]  # of the peer's own venv

TYPES = ("CONNECT", "DISCONNECT", "EVENT", "ACK", "CONNECT_ERROR", "BINARY_EVENT", "BINARY_ACK")

config: dict[str, Any] = json.loads(sys.argv[1])


def blob(size: int) -> bytes:
    """23 is odd, so that 256 bytes in a row hold every value once."""
    return bytes((i * 23 + size) & 255 for i in range(size))


def utf16_length(text: str) -> int:
    """The length that JavaScript sees."""
    return len(text.encode("utf-16-le")) // 2


def report(size: int) -> str:
    text = ""
    line = 1
    while utf16_length(text) < size:
        text += f"{line}: 온도 21.5 °C, all is well 🙂\n"
        line += 1
    return text


def log_packets() -> None:
    """From now on log each packet that the library encodes for its Engine.IO."""
    encode = socketio.packet.Packet.encode

    def encode_and_log(packet: Any) -> Any:
        encoded = encode(packet)
        first, *binary = encoded if isinstance(encoded, list) else [encoded]
        attachments = [{"bytes": len(b), "sha256": hashlib.sha256(b).hexdigest()} for b in binary]
        kind = TYPES[int(first[0])]
        line = {
            "time": time.time(),
            "side": config["side"],
            "type": kind,
            "namespace": packet.namespace or "/",
            "id": packet.id,
            "event": packet.data[0] if kind.endswith("EVENT") else None,
            "attachments": attachments,
        }
        with Path(config["truth"]).open("a") as truth:
            truth.write(json.dumps(line, ensure_ascii=False) + "\n")
        return encoded

    socketio.packet.Packet.encode = encode_and_log
