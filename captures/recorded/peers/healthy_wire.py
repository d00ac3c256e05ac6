# SPDX-License-Identifier: GPL-2.0-or-later
"""Socket.IO packets of a recording, by the shortest way: a check of the truth, not a decoder.

Knows only what healthy recordings hold, and shares no code with eiosniff on purpose: two readers
that agree are worth more than one. tshark takes the capture file and TCP's headers apart.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

TYPES = ("CONNECT", "DISCONNECT", "EVENT", "ACK", "CONNECT_ERROR", "BINARY_EVENT", "BINARY_ACK")
SOCKETIO = re.compile(r"([0-6])(?:(\d+)-)?(?:(/[^,]*),?)?(\d+)?(.*)", re.DOTALL)
EngineMessage = str | bytes


class Flow:
    """The bytes of one direction of a connection, in order, and when each of them came."""

    def __init__(self) -> None:
        self.data = b""
        self._times: list[tuple[int, float]] = []

    def add(self, segments: list[tuple[int, float, bytes]]) -> None:
        latest = 0.0
        for sequence, time, payload in sorted(segments):
            start = sequence - 1  # the SYN has number 0
            latest = max(latest, time)  # a byte is delivered when those before it are there
            if start > len(self.data):
                raise ValueError(f"a gap at {len(self.data)}")
            if start + len(payload) > len(self.data):
                self._times.append((len(self.data), latest))
                self.data += payload[len(self.data) - start :]

    def time(self, offset: int) -> float:
        return [time for start, time in self._times if start <= offset][-1]


def flows(capture: Path, port: int) -> tuple[list[tuple[Flow, Flow]], bool]:
    """What the client and what the server said, for each TCP connection.

    And whether somebody spoke after a reset: then it is a matter of opinion what was sent.
    """
    fields = ("tcp.stream", "tcp.dstport", "tcp.seq", "frame.time_epoch", "tcp.payload")
    argv = [
        "tshark",
        "-r",
        str(capture),
        "-Y",
        "tcp.len > 0 || tcp.flags.reset == 1",
        "-T",
        "fields",
    ]
    argv += [word for field in fields for word in ("-e", field)]
    rows = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    segments: dict[tuple[str, bool], list[tuple[int, float, bytes]]] = defaultdict(list)
    reset: set[str] = set()
    after_reset = False
    for row in rows:
        stream, to, sequence, time, payload = row.split("\t")
        if not payload:
            reset.add(stream)
            continue
        after_reset |= stream in reset
        segment = (int(sequence), float(time), bytes.fromhex(payload))
        segments[stream, int(to) == port].append(segment)
    pairs = []
    for stream in sorted({stream for stream, _ in segments}, key=int):
        pair = (Flow(), Flow())
        pair[0].add(segments[stream, True])
        pair[1].add(segments[stream, False])
        pairs.append(pair)
    return pairs, after_reset


@dataclass
class HttpMessage:
    offset: int
    first: str
    headers: dict[str, str]
    body: bytes
    end: int


def http_message(data: bytes, offset: int) -> HttpMessage:
    head_end = data.index(b"\r\n\r\n", offset)
    first, *lines = data[offset:head_end].decode("latin-1").split("\r\n")
    headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines)}
    position = head_end + 4
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while True:
            line_end = data.index(b"\r\n", position)
            size = int(data[position:line_end], 16)
            body += data[line_end + 2 : line_end + 2 + size]
            position = line_end + 2 + size + 2
            if size == 0:
                break
    else:
        size = int(headers.get("content-length", 0))
        body = data[position : position + size]
        position += size
    if headers.get("content-encoding"):
        body = zlib.decompress(body, wbits=47)  # finds out by itself whether gzip or zlib
    return HttpMessage(offset, first, headers, body, position)


def websocket_messages(wire: Wire, flow: Flow, position: int, side: str) -> Iterator[Any]:
    """Times and data messages (text as str) of one direction from `position` on."""
    bits = re.search(rf"{side}_max_window_bits=(\d+)", wire.extensions)
    wbits = -int(bits[1]) if bits else -15
    takeover = f"{side}_no_context_takeover" not in wire.extensions
    closed = False
    inflater = zlib.decompressobj(wbits)
    data, message, opcode, compressed, since = flow.data, b"", 0, False, 0.0
    while position + 2 <= len(data):
        start, first, second = position, data[position], data[position + 1]
        position += 2
        length = second & 0x7F
        if length >= 126:
            width = 2 if length == 126 else 8
            length = int.from_bytes(data[position : position + width], "big")
            position += width
        mask = data[position : position + 4] if second & 0x80 else b"\0\0\0\0"
        position += 4 if second & 0x80 else 0
        payload = data[position : position + length]
        position += length
        if first & 0x0F >= 8:
            closed |= first & 0x0F == 8
            continue
        wire.after_close_frame += closed
        if first & 0x0F:
            message, opcode, compressed = b"", first & 0x0F, bool(first & 0x40)
            since = flow.time(start)
        message += bytes(b ^ mask[i & 3] for i, b in enumerate(payload))
        if first & 0x80:
            if compressed:
                message = inflater.decompress(message + b"\0\0\xff\xff")
                if not takeover:
                    inflater = zlib.decompressobj(wbits)
            yield since, message.decode() if opcode == 1 else message


def split_units(text: str) -> Iterator[str]:
    """Revision 3's `<length>:<packet>...`, where the length counts UTF-16 code units."""
    units = text.encode("utf-16-le")
    while units:
        colon = units.index(":".encode("utf-16-le"))
        end = colon + 2 + 2 * int(units[:colon].decode("utf-16-le"))
        yield units[colon + 2 : end].decode("utf-16-le")
        units = units[end:]


def polling_packets(body: bytes, revision: int) -> Iterator[EngineMessage]:
    if revision >= 4:
        for text in body.decode().split("\x1e"):
            yield base64.b64decode(text[1:]) if text[:1] == "b" else text
    elif body[:1] in (b"\x00", b"\x01"):
        while body:
            marker = body.index(b"\xff")
            end = marker + 1 + int("".join(str(digit) for digit in body[1:marker]))
            packet = body[marker + 1 : end]
            yield packet[1:] if body[0] else packet.decode()
            body = body[end:]
    else:
        for text in split_units(body.decode()):
            yield base64.b64decode(text[2:]) if text[:1] == "b" else text


@dataclass
class Wire:
    """What `read` found."""

    packets: dict[str, list[dict[str, Any]]]  # by side, in the form of the truth
    heartbeats: int
    sessions: int
    revision: int
    upgraded: bool
    extensions: str  # of WebSocket, as the server granted them
    compressed_answers: int  # of polling
    statuses: set[int]  # of HTTP
    after_close_frame: int  # data frames which a peer sent although it had said goodbye
    after_reset: bool  # whether anything was sent on a connection that had been reset


def read(capture: Path, port: int) -> Wire:
    engine: dict[str, list[tuple[float, EngineMessage]]] = {"client": [], "server": []}
    wire = Wire({}, 0, 0, 0, False, "", 0, set(), 0, False)
    connections, wire.after_reset = flows(capture, port)
    for client, server in connections:
        asked = answered = 0
        while asked < len(client.data) and answered < len(server.data):
            request = http_message(client.data, asked)
            answer = http_message(server.data, answered)
            asked, answered = request.end, answer.end
            query = parse_qs(urlsplit(request.first.split(" ")[1]).query)
            wire.revision = int(query["EIO"][0])
            status = int(answer.first.split(" ")[1])
            wire.statuses.add(status)
            if status == 101:
                wire.extensions = answer.headers.get("sec-websocket-extensions", "")
                for side, flow, start in (("client", client, asked), ("server", server, answered)):
                    for time, data in websocket_messages(wire, flow, start, side):
                        if isinstance(data, bytes) and wire.revision == 3:
                            data = data[1:]
                        engine[side].append((time, data))
                break
            wire.compressed_answers += "content-encoding" in answer.headers
            if request.first.startswith("POST"):
                packets = polling_packets(request.body, wire.revision)
                time = client.time(request.offset)
                engine["client"] += [(time, packet) for packet in packets]
            elif status == 200:
                packets = polling_packets(answer.body, wire.revision)
                time = server.time(answer.offset)
                engine["server"] += [(time, packet) for packet in packets]
    for side, messages in engine.items():
        messages.sort(key=lambda message: message[0])
        wire.packets[side] = list(socketio_packets(side, [data for _, data in messages]))
    pinging = engine["client" if wire.revision == 3 else "server"]
    wire.heartbeats = sum(data == "2" for _, data in pinging)
    opens = [data for _, data in engine["server"] if isinstance(data, str) and data[:1] == "0"]
    wire.sessions = len(opens)
    wire.upgraded = any(data == "5" for _, data in engine["client"])
    return wire


def socketio_packets(side: str, messages: list[EngineMessage]) -> Iterator[dict[str, Any]]:
    waiting = iter(messages)
    for message in waiting:
        if isinstance(message, bytes):
            raise ValueError(f"nobody announced these {len(message)} bytes")
        if message[:1] != "4":
            continue
        match = SOCKETIO.fullmatch(message[1:])
        if match is None:
            raise ValueError(f"not Socket.IO: {message[:80]!r}")
        digit, count, namespace, number, data = match.groups()
        attachments: list[dict[str, Any]] = []
        while len(attachments) < int(count or 0):
            attachment = next(waiting)
            if isinstance(attachment, bytes):  # else an engine packet came in between
                digest = hashlib.sha256(attachment).hexdigest()
                attachments.append({"bytes": len(attachment), "sha256": digest})
        kind = TYPES[int(digit)]
        yield {
            "side": side,
            "type": kind,
            "namespace": namespace or "/",
            "id": None if number is None else int(number),
            "event": json.loads(data)[0] if kind.endswith("EVENT") else None,
            "attachments": attachments,
        }
