# SPDX-License-Identifier: GPL-2.0-or-later
"""The QUIC and HTTP/3 end of a server: `relay.py PORT CERT KEY NODE_PORT [STATUS|none]`, by aioquic.

Each WebTransport session gets a connection to the Socket.IO server in Node (`server.js`), and what its first
bidirectional stream carries passes in both directions as it is. Other requests are answered 404. With a STATUS every
WebTransport session is refused with it; `none` is an HTTP/3 server that has no WebTransport.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.buffer import encode_uint_var
from aioquic.h3.connection import H3_ALPN, FrameType, H3Connection, encode_frame
from aioquic.h3.events import DataReceived, HeadersReceived, WebTransportStreamDataReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, ProtocolNegotiated, QuicEvent, StreamReset

NODE_PORT = int(sys.argv[4])
REFUSAL = sys.argv[5] if len(sys.argv) > 5 else ""
CLOSE_SESSION = 0x2843  # capsule CLOSE_WEBTRANSPORT_SESSION
_MAX_SESSIONS = (0x2B603742, 0xC671706A, 0x14E9CD29)  # of drafts 02, 07, 13


class Http3(H3Connection):  # type: ignore[misc]
    """Announces WebTransport as later drafts do, too."""

    def _get_local_settings(self) -> dict[int, int]:
        settings: dict[int, int] = super()._get_local_settings()
        return settings | dict.fromkeys(_MAX_SESSIONS, 1)


class Session:
    """One WebTransport session, and its connection to Node."""

    def __init__(self, peer: Peer, connect_stream: int) -> None:
        self.peer = peer
        self.connect_stream = connect_stream
        self.stream: int | None = None
        self.writer: asyncio.StreamWriter | None = None
        self.early = b""
        self.over = False

    async def run(self) -> None:
        reader, self.writer = await asyncio.open_connection("127.0.0.1", NODE_PORT)
        self.writer.write(self.early)
        while data := await reader.read(65536):
            self.peer._quic.send_stream_data(self.stream, data)
            self.peer.transmit()
        self.close()

    def data(self, data: bytes) -> None:
        if self.writer is None:
            self.early += data
        else:
            self.writer.write(data)

    def close(self) -> None:
        """Node is done with it."""
        if self.over:
            return
        self.over = True
        capsule = encode_uint_var(CLOSE_SESSION) + encode_uint_var(4) + bytes(4)
        quic = self.peer._quic
        if self.stream is not None:
            quic.send_stream_data(self.stream, b"", end_stream=True)
        quic.send_stream_data(self.connect_stream, encode_frame(FrameType.DATA, capsule), end_stream=True)
        self.peer.transmit()

    def gone(self) -> None:
        """The client is."""
        self.over = True
        if self.writer is not None:
            self.writer.close()


class Peer(QuicConnectionProtocol):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.http: H3Connection | None = None
        self.sessions: dict[int, Session] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ProtocolNegotiated):
            self.http = H3Connection(self._quic) if REFUSAL == "none" else Http3(self._quic, enable_webtransport=True)
        if isinstance(event, ConnectionTerminated):
            print(f"LOG connection over: {event.error_code:#x} {event.reason_phrase}", flush=True)
            for session in self.sessions.values():
                session.gone()
        if isinstance(event, StreamReset):
            for session in self.sessions.values():
                if event.stream_id in (session.stream, session.connect_stream):
                    session.gone()
        for told in self.http.handle_event(event) if self.http is not None else ():
            if isinstance(told, HeadersReceived):
                self._headers(told)
            elif isinstance(told, WebTransportStreamDataReceived):
                self._data(told)
            elif isinstance(told, DataReceived) and told.stream_ended and told.stream_id in self.sessions:
                self.sessions[told.stream_id].gone()
        self.transmit()

    def _headers(self, told: HeadersReceived) -> None:
        assert self.http is not None
        if (b":protocol", b"webtransport") not in told.headers:
            self.http.send_headers(told.stream_id, [(b":status", b"404")], end_stream=True)
            return
        if REFUSAL:
            self.http.send_headers(told.stream_id, [(b":status", REFUSAL.encode())], end_stream=True)
            return
        self.http.send_headers(told.stream_id, [(b":status", b"200"), (b"sec-webtransport-http3-draft", b"draft02")])
        self.sessions[told.stream_id] = Session(self, told.stream_id)

    def _data(self, told: WebTransportStreamDataReceived) -> None:
        session = self.sessions.get(told.session_id)
        if session is None:
            return
        if session.stream is None:
            session.stream = told.stream_id
            task = asyncio.ensure_future(session.run())
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        session.data(told.data)
        if told.stream_ended:
            session.gone()


async def main() -> None:
    port, certificate, key = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN, max_datagram_frame_size=65536)
    configuration.load_cert_chain(certificate, key)
    await serve("0.0.0.0", port, configuration=configuration, create_protocol=Peer)
    print("LISTENING", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
