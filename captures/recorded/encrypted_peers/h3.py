# SPDX-License-Identifier: GPL-2.0-or-later
"""HTTP/3 by aioquic: `h3.py server PORT CERT KEY`, `h3.py client ADDRESS PORT NAME CA get|webtransport`."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from aioquic.asyncio import QuicConnectionProtocol, connect, serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived, WebTransportStreamDataReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated, QuicEvent, StreamDataReceived

PATH = b"/socket.io/?EIO=4&transport=webtransport"


class Peer(QuicConnectionProtocol):  # type: ignore[misc]
    """Either end. A server answers each request with 200, and what comes on a WebTransport stream with `0{}`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.http: Any = None
        self.inner: int | None = None  # the stream of the WebTransport session, which a client reads by itself
        self.answered = asyncio.Event()
        self.echoed = asyncio.Event()

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ProtocolNegotiated):
            self.http = H3Connection(self._quic, enable_webtransport=True)
        if isinstance(event, StreamDataReceived) and event.stream_id == self.inner:
            self.echoed.set()
            return
        for told in self.http.handle_event(event) if self.http is not None else ():
            if isinstance(told, HeadersReceived):
                self._headers(told)
            elif isinstance(told, WebTransportStreamDataReceived):
                self._data(told)
        self.transmit()

    def _headers(self, told: HeadersReceived) -> None:
        if self._quic.configuration.is_client:
            self.answered.set()
            return
        session = (b":method", b"CONNECT") in told.headers
        extra = [(b"sec-webtransport-http3-draft", b"draft02")] if session else []
        self.http.send_headers(told.stream_id, [(b":status", b"200"), *extra], end_stream=not session)

    def _data(self, told: WebTransportStreamDataReceived) -> None:
        self._quic.send_stream_data(told.stream_id, b"\x0f" + b'0{"sid":"quic"}')


async def server(port: int, certificate: str, key: str) -> None:
    configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN, max_datagram_frame_size=65536)
    configuration.load_cert_chain(certificate, key)
    await serve("::", port, configuration=configuration, create_protocol=Peer)
    print("LISTENING", flush=True)
    await asyncio.Event().wait()


async def client(address: str, port: int, name: str, ca: str, what: str) -> None:
    configuration = QuicConfiguration(
        is_client=True, alpn_protocols=H3_ALPN, server_name=name, max_datagram_frame_size=65536, idle_timeout=5
    )
    configuration.load_verify_locations(ca)
    async with connect(address, port, configuration=configuration, create_protocol=Peer) as peer:
        await peer.wait_connected()
        stream = peer._quic.get_next_available_stream_id()
        method = [(b":method", b"GET")]
        if what == "webtransport":
            method = [(b":method", b"CONNECT"), (b":protocol", b"webtransport")]
        headers = [*method, (b":scheme", b"https"), (b":authority", name.encode()), (b":path", PATH)]
        peer.http.send_headers(stream, headers, end_stream=what != "webtransport")
        peer.transmit()
        await asyncio.wait_for(peer.answered.wait(), 5)
        print("LOG answered", flush=True)
        if what == "webtransport":
            peer.inner = peer.http.create_webtransport_stream(stream)
            peer._quic.send_stream_data(peer.inner, b"\x010")
            peer.transmit()
            await asyncio.wait_for(peer.echoed.wait(), 5)
            print("LOG session opened", flush=True)


if __name__ == "__main__":
    role, *rest = sys.argv[1:]
    if role == "server":
        asyncio.run(server(int(rest[0]), rest[1], rest[2]))
    else:
        asyncio.run(client(rest[0], int(rest[1]), rest[2], rest[3], rest[4]))
