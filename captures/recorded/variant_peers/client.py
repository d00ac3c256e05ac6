# SPDX-License-Identifier: GPL-2.0-or-later
"""The Python client of the variants, synchronous: says what conversation.js says.

Ends with 0 if all that it expected has happened, and prints what it knows about the session as one
line of JSON.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))

import socketio  # type: ignore[import-not-found]  # of the peer's own venv
from common import TEXTS, VALUES, log_packets
from healthy_client import count_heartbeats, expect
from healthy_common import blob, config


def listen(sio: Any, namespace: str) -> threading.Event:
    """Answer what the server asks; the event says that the namespace is connected."""
    connected = threading.Event()

    def question(text: str) -> str:
        return f"답: {text}"

    def frames(first: list[bytes], more: dict[str, bytes]) -> bytes:
        expect(b"".join(first) + more["last"], blob(256) + blob(1) + blob(400))
        return blob(657)

    sio.on("connect", connected.set, namespace=namespace)
    sio.on("question", question, namespace=namespace)
    sio.on("frames", frames, namespace=namespace)
    return connected


def converse(sio: Any, namespace: str, texts: Sequence[str]) -> None:
    def call(event: str, data: Any = None) -> Any:
        return sio.call(event, data, namespace=namespace)

    for text in texts:
        expect(call("hello", text), text)
    expect(call("ask back"), "답: 이름이 뭐예요? 🙋")
    sio.emit("values", VALUES, namespace=namespace)
    if config["binary"]:
        picture = {"pixels": blob(400), "palette": [blob(256), blob(3)], "name": "그림.png"}
        expect(call("picture", picture), {"bytes": 400, "thumb": blob(100)})
        expect(call("send frames"), 657)


def main() -> None:
    log_packets()
    heartbeats = count_heartbeats()
    options = dict(config["options"])
    transports = options.pop("transports")
    sio = socketio.Client(reconnection=False, **options)
    namespaces = ["/", config["namespace"]]
    waits = [listen(sio, namespace) for namespace in namespaces]
    sio.connect(
        config["url"],
        transports=transports,
        socketio_path=config["path"],
        namespaces=namespaces,
    )
    # All of them first: the CONNECT of a namespace is sent by another thread than the events, and
    # the truth could not tell in which order they left.
    for connected in waits:
        expect(connected.wait(10), True)
    converse(sio, "/", TEXTS)
    converse(sio, config["namespace"], TEXTS[:1])
    time.sleep(config["silence_ms"] / 1000)
    expect(sio.call("hello", "still there"), "still there")
    print(json.dumps({"heartbeats": len(heartbeats), "transport": sio.transport()}))
    sio.disconnect()
    sio.eio.wait()


if __name__ == "__main__":
    main()
