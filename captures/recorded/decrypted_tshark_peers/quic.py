# SPDX-License-Identifier: GPL-2.0-or-later
"""QUIC by aioquic, streams of which both ends say what they sent:

quic.py server PORT CERT KEY
quic.py client ADDRESS PORT NAME CA KEYLOG talk|bulk

Each end prints `LOG SIDE STREAM LENGTH SHA256` of what it sent on each stream, when all of it is sent.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from pathlib import Path
from typing import Any

from aioquic.asyncio import QuicConnectionProtocol, connect, serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent, StreamDataReceived

ALPN = ["eiosniff-test"]
# As much as many datagrams hold, so that a stream is in several of them.
BULK = bytes(range(256)) * 80


def say(side: str, stream: int, data: bytes) -> None:
    print("LOG", side, stream, len(data), hashlib.sha256(data).hexdigest(), flush=True)


class Server(QuicConnectionProtocol):  # type: ignore[misc]
    """Sends back what it got on each stream, once that ends."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.got: dict[int, bytes] = {}

    def quic_event_received(self, event: QuicEvent) -> None:
        if not isinstance(event, StreamDataReceived):
            return
        data = self.got[event.stream_id] = self.got.get(event.stream_id, b"") + event.data
        if event.end_stream:
            answer = b"back: " + data
            say("server", event.stream_id, answer)
            self._quic.send_stream_data(event.stream_id, answer, end_stream=True)
            self.transmit()


class Client(QuicConnectionProtocol):  # type: ignore[misc]
    """Waits until all streams were answered."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.open: set[int] = set()
        self.done = asyncio.Event()

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, StreamDataReceived) and event.end_stream:
            self.open.discard(event.stream_id)
            if not self.open:
                self.done.set()

    async def talk(self, streams: list[list[bytes]]) -> None:
        """Send these pieces on a stream each; what is sent at once goes in one datagram."""
        for pieces in streams:
            stream = self._quic.get_next_available_stream_id()
            self.open.add(stream)
            say("client", stream, b"".join(pieces))
            for at, piece in enumerate(pieces, 1):
                self._quic.send_stream_data(stream, piece, end_stream=at == len(pieces))
        self.transmit()
        await asyncio.wait_for(self.done.wait(), 10)
        self.done.clear()


async def server(port: int, certificate: str, key: str) -> None:
    configuration = QuicConfiguration(is_client=False, alpn_protocols=ALPN)
    configuration.load_cert_chain(certificate, key)
    await serve("::", port, configuration=configuration, create_protocol=Server)
    print("LISTENING", flush=True)
    await asyncio.Event().wait()


async def client(address: str, port: int, name: str, ca: str, keylog: str, what: str) -> None:
    with Path(keylog).open("w") as secrets:
        configuration = QuicConfiguration(
            is_client=True, alpn_protocols=ALPN, server_name=name, idle_timeout=5, secrets_log_file=secrets
        )
        configuration.load_verify_locations(ca)
        async with connect(address, port, configuration=configuration, create_protocol=Client) as peer:
            await peer.wait_connected()
            if what == "talk":
                await peer.talk([[b"one"], [b"two, ", b"in pieces"], [b""], [b"three\r\n\0\xff"]])
                peer._quic.request_key_update()
                await peer.talk([[b"after the key update"]])
            else:
                await peer.talk([[BULK], [BULK[1:]]])


if __name__ == "__main__":
    role, *rest = sys.argv[1:]
    if role == "server":
        asyncio.run(server(int(rest[0]), rest[1], rest[2]))
    else:
        asyncio.run(client(rest[0], int(rest[1]), rest[2], rest[3], rest[4], rest[5]))
