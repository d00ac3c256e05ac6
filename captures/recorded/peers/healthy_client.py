# SPDX-License-Identifier: GPL-2.0-or-later
"""The client of the healthy recordings, for python-socketio 4 and 5, synchronous.

Ends with 0 if all that it expected has happened, and prints what it knows about the session as one
line of JSON.
"""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import engineio  # type: ignore[import-not-found]  # of the peer's own venv, as socketio
import socketio  # type: ignore[import-not-found]
from healthy_common import blob, config, log_packets, report, utf16_length


def listen(sio: Any, namespace: str) -> threading.Event:
    """Answer what the server asks; the event says that the namespace is connected."""
    connected = threading.Event()

    def question(text: str) -> str:
        return f"답: {text}"

    def frames(first: list[bytes], more: dict[str, bytes]) -> bytes:
        return b"".join(first) + more["last"]

    def take_report(text: str) -> int:
        return utf16_length(text)

    sio.on("connect", connected.set, namespace=namespace)
    sio.on("question", question, namespace=namespace)
    sio.on("frames", frames, namespace=namespace)
    sio.on("report", take_report, namespace=namespace)
    return connected


def expect(got: Any, wanted: Any) -> None:
    if got != wanted:
        raise SystemExit(f"expected {wanted!r}, got {got!r}")


def converse(sio: Any, namespace: str) -> None:
    def call(event: str, data: Any = None) -> Any:
        return sio.call(event, data, namespace=namespace)

    expect(call("hello", "안녕하세요 👋🏽 𝄞 €"), "안녕하세요 👋🏽 𝄞 €")
    expect(call("ask back"), "답: 이름이 뭐예요? 🙋")
    sio.emit("note", {"temperature": 21.5, "tags": ["방", "🌡️"], "none": None}, namespace=namespace)
    picture = {"pixels": blob(1500), "palette": [blob(256), blob(3)], "name": "그림.png"}
    expect(call("picture", picture), {"bytes": 1500, "thumb": blob(300)})
    expect(call("send frames"), 256 + 1 + 1500)


def count_heartbeats() -> list[str]:
    """The list grows by one at each heartbeat: the server's ping or, in revision 3, its pong."""
    seen: list[str] = []
    receive = engineio.Client._receive_packet

    def receive_and_count(client: Any, packet: Any) -> Any:
        if packet.packet_type in (engineio.packet.PING, engineio.packet.PONG):
            seen.append(packet.packet_type)
        return receive(client, packet)

    engineio.Client._receive_packet = receive_and_count
    return seen


def main() -> None:
    log_packets()
    heartbeats = count_heartbeats()
    sio = socketio.Client(reconnection=False)
    waits = {namespace: listen(sio, namespace) for namespace in ("/", "/admin")}
    sio.connect(
        config["url"],
        transports=config["options"]["transports"],
        socketio_path=config["path"],
        namespaces=["/", "/admin"],
    )
    # All of them first: the CONNECT of a namespace is sent by another thread than the events, and
    # the truth could not tell in which order they left.
    for connected in waits.values():
        expect(connected.wait(10), True)
    for namespace in waits:
        converse(sio, namespace)
    if config["report"]:
        text = report(config["report"])
        for _ in range(config["rounds"]):
            expect(sio.call("report", text), utf16_length(text))
            expect(sio.call("send report"), utf16_length(text))
    time.sleep(config["silence_ms"] / 1000)
    expect(sio.call("hello", "still there"), "still there")
    print(json.dumps({"heartbeats": len(heartbeats), "transport": sio.transport()}))
    sio.disconnect()
    sio.eio.wait()


if __name__ == "__main__":
    main()
