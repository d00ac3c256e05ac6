# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of Engine.IO over HTTP/2, made of h2 and wsproto: h2_client.py HOST PORT WHAT [REVISION]

WHAT: polling, websocket, upgrade, ping (over WebSocket, which a client of revision 4 must not), large (a POST), reset.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Callable

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Message, TextMessage
from wsproto.extensions import PerMessageDeflate

HOST, PORT, WHAT = sys.argv[1], int(sys.argv[2]), sys.argv[3]
REVISION = sys.argv[4] if len(sys.argv) > 4 else "4"
PATH = f"/socket.io/?EIO={REVISION}&transport="


class Talk:
    """One connection, and what came on its streams."""

    def __init__(self) -> None:
        self.socket = socket.create_connection((HOST, PORT))
        self.socket.settimeout(5)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.h2.update_settings({h2.settings.SettingCodes.ENABLE_PUSH: 0})
        self.head: dict[int, dict[str, str]] = {}
        self.body: dict[int, bytes] = {}
        self.over: dict[int, str] = {}
        self.flush()

    def flush(self) -> None:
        """Send what is to be sent."""
        self.socket.sendall(self.h2.data_to_send())

    def until(self, done: Callable[[], bool]) -> None:
        """Read until something is so, or nothing comes any more."""
        while not done():
            data = self.socket.recv(65_536)
            if not data:
                raise SystemExit("LOG the server ends the connection")
            for event in self.h2.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    self.head[event.stream_id] = dict(event.headers)
                elif isinstance(event, h2.events.DataReceived):
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    self.body[event.stream_id] = self.body.get(event.stream_id, b"") + event.data
                elif isinstance(event, h2.events.StreamEnded):
                    self.over[event.stream_id] = "END_STREAM"
                elif isinstance(event, h2.events.StreamReset):
                    self.over[event.stream_id] = f"RST_STREAM {event.error_code}"
            self.flush()

    def begin(self, method: str, path: str, *more: tuple[str, str], end: bool = True) -> int:
        """Ask on a new stream."""
        stream = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "http"), (":authority", f"{HOST}:{PORT}"), (":path", path)]
        self.h2.send_headers(stream, [*head, ("user-agent", "h2_client"), ("accept", "*/*"), *more], end_stream=end)
        self.flush()
        return stream

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Ask, and wait for the answer."""
        stream = self.begin(method, path, end=body is None)
        at = 0
        while body is not None and at < len(body):
            self.until(lambda: self.h2.local_flow_control_window(stream) > 0 or stream in self.over)
            if stream in self.over:
                break
            size = min(self.h2.local_flow_control_window(stream), 16_384, len(body) - at)
            self.h2.send_data(stream, body[at : at + size], end_stream=at + size == len(body))
            at += size
            self.flush()
        self.until(lambda: stream in self.over)
        return int(self.head.get(stream, {}).get(":status", 0)), self.body.get(stream, b"")


class Socket:
    """A WebSocket on a stream."""

    def __init__(self, talk: Talk, path: str) -> None:
        self.talk = talk
        self.frames = Connection(ConnectionType.CLIENT, [PerMessageDeflate()])
        offer = PerMessageDeflate()
        more = (":protocol", "websocket"), ("sec-websocket-version", "13"), (
            "sec-websocket-extensions", f"permessage-deflate; {offer.offer()}")  # fmt: skip
        talk.until(lambda: talk.h2.remote_settings.enable_connect_protocol == 1)
        self.stream = talk.h2.get_next_available_stream_id()
        head = [(":method", "CONNECT"), more[0], (":scheme", "http"), (":authority", f"{HOST}:{PORT}"), (":path", path)]
        talk.h2.send_headers(self.stream, [*head, *more[1:], ("user-agent", "h2_client")])
        talk.flush()
        talk.until(lambda: self.stream in talk.head or self.stream in talk.over)
        answer = talk.head.get(self.stream, {})
        print("LOG", answer.get(":status"), talk.over.get(self.stream, ""))
        if answer.get(":status") != "200":
            sys.exit()
        chosen = answer.get("sec-websocket-extensions", "")
        if "permessage-deflate" in chosen:
            offer.finalize(chosen)
            self.frames = Connection(ConnectionType.CLIENT, [offer])
        self.said: list[str] = []

    def say(self, text: str) -> None:
        """Send a text message."""
        self.talk.h2.send_data(self.stream, self.frames.send(Message(data=text)))
        self.talk.flush()

    def hear(self, begins: str) -> str:
        """Wait for a message."""

        def come() -> bool:
            self.frames.receive_data(self.talk.body.pop(self.stream, b"") or b"")
            for event in self.frames.events():
                if isinstance(event, TextMessage):
                    self.said.append(event.data)
                elif isinstance(event, CloseConnection):
                    self.said.append(f"close {event.code}")
            return any(text.startswith(begins) for text in self.said) or self.stream in self.talk.over

        self.talk.until(come)
        return next((text for text in self.said if text.startswith(begins)), "")

    def close(self) -> None:
        """Send a close frame, and wait for the end of the stream."""
        self.talk.h2.send_data(self.stream, self.frames.send(CloseConnection(code=1000)))
        self.talk.flush()
        self.talk.until(lambda: self.stream in self.talk.over)


def events(web: Socket) -> None:
    """An event with an acknowledgement over WebSocket."""
    web.say('420["add",2,3]')
    print("LOG sum", web.hear("430"))


def main() -> None:
    """Play."""
    talk = Talk()
    if WHAT in ("websocket", "ping"):
        web = Socket(talk, f"{PATH}websocket")
        web.hear("0")
        web.say("40")
        web.hear("40")
        events(web)
        if WHAT == "ping":
            time.sleep(1)
            web.say("2")
            print("LOG", web.hear("close") or talk.over)
            return
        web.say("1")
        web.close()
        return
    status, body = talk.ask("GET", f"{PATH}polling")
    print("LOG", status, body[:60])
    if status != 200:
        return
    sid = json.loads(body[1:])["sid"]
    here = f"{PATH}polling&sid={sid}"
    talk.ask("POST", here, b"40")
    talk.ask("GET", here)
    poll = talk.begin("GET", here)  # waits while the next request is made
    talk.ask("POST", here, b'420["add",2,3]')
    talk.until(lambda: poll in talk.over)
    print("LOG sum", talk.body[poll])
    if WHAT == "upgrade":
        web = Socket(talk, f"{PATH}websocket&sid={sid}")
        poll = talk.begin("GET", here)
        web.say("2probe")
        web.hear("3probe")
        talk.until(lambda: poll in talk.over)
        web.say("5")
        events(web)
        web.close()
    elif WHAT == "large":
        print("LOG", *talk.ask("POST", here, b'42["add","' + b"x" * 15_000 + b'"]'))
    elif WHAT == "reset":
        poll = talk.begin("GET", here)
        time.sleep(0.2)
        talk.h2.reset_stream(poll, h2.errors.ErrorCodes.CANCEL)
        talk.flush()
        talk.ask("GET", here)
    else:
        talk.ask("POST", here, b"1")


main()
