# SPDX-License-Identifier: GPL-2.0-or-later
"""A proxy in front of a Socket.IO server that meddles with what it passes on: `meddler.py HOST PORT HOW`.

HOW is one of
    nothing     pass all on
    drop        the second long text frame of a client over WebSocket goes no further
    alter       the first long text frame of the server over WebSocket has its letters in upper case
    hold        what the server says is held back for 1.3 s each time, but for a handshake over polling and a 101
    hang-up     close both sides of a WebSocket 2 s after its 101
    half        close only the side of the server 2 s after its 101, and go on reading from the client
    rename      /chat/ in front of the path is taken off, and the header `X-Device` too
"""

from __future__ import annotations

import asyncio
import sys

LONG = 300
HELD_S = 1.3
LIFE_S = 2.0


class Frames:
    """WebSocket frames (RFC 6455, section 5.2), cut out of a stream; each comes with where its payload begins."""

    def __init__(self) -> None:
        self.buffer = b""

    def feed(self, data: bytes) -> list[tuple[bytes, int]]:
        self.buffer += data
        found = []
        while (size := self._size()) is not None and len(self.buffer) >= sum(size):
            head, length = size
            found.append((self.buffer[: head + length], head))
            self.buffer = self.buffer[head + length :]
        return found

    def _size(self) -> tuple[int, int] | None:
        if len(self.buffer) < 2:
            return None
        length, masked = self.buffer[1] & 0x7F, self.buffer[1] >> 7
        extra = {126: 2, 127: 8}.get(length, 0)
        if len(self.buffer) < 2 + extra:
            return None
        if extra:
            length = int.from_bytes(self.buffer[2 : 2 + extra])
        return 2 + extra + 4 * masked, length


class Meddler:
    def __init__(self, how: str) -> None:
        self.how = how
        self.dropped = 0
        self.altered = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, server = await asyncio.open_connection(sys.argv[1], int(sys.argv[2]))
        switched = asyncio.Event()
        up = asyncio.create_task(self.up(reader, server, switched))
        down = asyncio.create_task(self.down(upstream, writer, switched))
        end = asyncio.create_task(self.end(switched, writer, server))
        await asyncio.wait([up, down], return_when=asyncio.ALL_COMPLETED)
        end.cancel()
        for each in (writer, server):
            each.close()

    async def end(self, switched: asyncio.Event, *writers: asyncio.StreamWriter) -> None:
        await switched.wait()
        await asyncio.sleep(LIFE_S)
        if self.how == "hang-up":
            for writer in writers:
                writer.close()
        elif self.how == "half":
            writers[1].close()

    async def up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, switched: asyncio.Event) -> None:
        frames = Frames()
        try:
            while data := await reader.read(65536):
                if switched.is_set() and self.how == "drop":
                    data = b"".join(frame for frame, head in frames.feed(data) if not self.drops(frame, head))
                elif self.how == "rename":
                    data = rename(data)
                if not writer.is_closing():
                    writer.write(data)
            if not writer.is_closing() and writer.can_write_eof():
                writer.write_eof()
        except OSError:
            writer.close()

    def drops(self, frame: bytes, head: int) -> bool:
        if frame[0] & 0x0F != 1 or len(frame) - head < LONG:
            return False
        self.dropped += 1
        return self.dropped == 2

    async def down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, switched: asyncio.Event) -> None:
        frames = Frames()
        try:
            while data := await reader.read(65536):
                if b"HTTP/1.1 101" in data[:20]:
                    end = data.index(b"\r\n\r\n") + 4
                    writer.write(data[:end])
                    data = data[end:]
                    switched.set()
                if switched.is_set() and self.how == "alter":
                    data = b"".join(self.shout(frame, head) for frame, head in frames.feed(data))
                elif self.how == "hold" and b'0{"sid"' not in data:
                    await asyncio.sleep(HELD_S)
                writer.write(data)
            if self.how != "half" and writer.can_write_eof():
                writer.write_eof()
        except OSError:
            writer.close()

    def shout(self, frame: bytes, head: int) -> bytes:
        if self.altered or frame[0] & 0x0F != 1 or len(frame) - head < LONG:
            return frame
        self.altered = True
        at = frame.index(b",", head) if b"," in frame[head:] else head + 40
        return frame[:at] + frame[at:].upper()


def rename(data: bytes) -> bytes:
    """Requests of polling come one in a read."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end or b"HTTP/1.1" not in head.split(b"\r\n")[0]:
        return data
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"x-device:")]
    lines[0] = lines[0].replace(b" /chat/", b" /", 1)
    return b"\r\n".join(lines) + end + body


async def main() -> None:
    meddler = Meddler(sys.argv[3])
    server = await asyncio.start_server(meddler.serve, "0.0.0.0", 80)
    print("LISTENING", flush=True)
    async with server:
        await server.serve_forever()


asyncio.run(main())
