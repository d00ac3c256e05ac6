"""Captures without an end, made as they are read: `python -m tests.bench.stream_source KIND SIZE | eiosniff analyze -`.

A block of records is built once. It is written again and again, each time with the addresses, ports, session ids,
sequence numbers and instants changed by column, so that nothing in it was there before.
"""

import argparse
import json
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from tests.bench import traffic
from tests.bench.build import CLIENTS, PCAP_HEADER, SEED, SERVERS, START_NS, Mixture, Part, busy_parts, live_parts
from tests.bench.template import Bytes, Int64s, Template, Truth, records, stamps
from tests.bench.traffic import CLIENT, SERVER, FlowWriter

BUSY_PACKETS, BULK_PACKETS = 20_000, 8_000  # of a block: about as many bytes of each
BULK_FLOWS = 8
PAUSE_NS = 2_000_000_000  # between two blocks: what is closed is settled
HOUR_NS = 3600 * 10**9
LONGEST_NS = 10 * 10**9  # longer than any conversation of the live capture takes
HANDSHAKES = 5_000  # in a block
APART_NS = 1_000_000  # from the end of a connection to the next
EXCHANGES = 5_000  # in a block: an event of the server, and the client's acknowledgement
HEARTBEAT_NS = 25_000_000_000
FIRST_ID = 10_000_000  # of eight digits, as all that follow
HEADERS = 14 + 20 + 32  # of a packet of `FlowWriter`
SEQUENCE_AT, ACKNOWLEDGED_AT = 14 + 20 + 4, 14 + 20 + 8
SID = b"0123456789abcdefghij"
MASK = b"\x37\xfa\x21\x3d"


class Source(ABC):
    """A capture of any length; `truth` is of what was written until now."""

    def __init__(self) -> None:
        self.truth = Truth()
        self.now_ns = START_NS
        self.rng = np.random.default_rng(SEED)

    def start(self) -> Bytes:
        """What comes once, before the blocks."""
        return np.frombuffer(PCAP_HEADER, np.uint8)

    @abstractmethod
    def block(self) -> Bytes:
        """The next records. They are overwritten when the next block is asked for."""


class Mixed(Source):
    """A mixture of conversations: each block has its own clients, connections and sessions."""

    def __init__(self) -> None:
        super().__init__()
        self._mixture = Mixture(self.parts())
        self._clients = CLIENTS
        times = self._mixture.fill(self.now_ns, self._clients, self.rng)
        self.span_ns = int(times.max()) - self.now_ns + PAUSE_NS
        # Where each byte of a block comes from: the order of the records is the same in all blocks.
        order = np.argsort(times, kind="stable")
        lengths = self._mixture.lengths[order]
        self._from = np.repeat(self._mixture.starts[order] - (np.cumsum(lengths) - lengths), lengths)
        self._from += np.arange(len(self._from))
        self._block = np.empty(len(self._from), np.uint8)

    @abstractmethod
    def parts(self) -> list[Part]:
        """What is in a block."""

    def block(self) -> Bytes:
        self._mixture.fill(self.now_ns, self._clients, self.rng)
        self.now_ns += self.span_ns
        self._clients += self._mixture.copies
        self.truth.add(self._mixture.truth, 1)
        return self._mixture.records.take(self._from, out=self._block, mode="clip")  # "raise" would copy once more


class Traffic(Mixed):
    """The busy capture, and bulk that looks like TLS."""

    def __init__(self, busy_packets: int = BUSY_PACKETS, bulk_packets: int = BULK_PACKETS) -> None:
        self._packets = busy_packets, bulk_packets
        super().__init__()

    def parts(self) -> list[Part]:
        """See `Mixed`."""
        busy_packets, bulk_packets = self._packets
        parts = busy_parts(busy_packets, self.rng)
        span_ns = int(max(part.starts_ns[-1] for part in parts)) + 1
        bulk = traffic.tls(bulk_packets // BULK_FLOWS, self.rng)
        parts.append(Part(bulk, np.sort(self.rng.integers(span_ns, size=BULK_FLOWS))))
        return parts


class Hours(Mixed):
    """The mixture of the live capture, faults and all, so that so many blocks make an hour."""

    def __init__(self, packets: int, blocks: int) -> None:
        """`packets` are those of an hour, about."""
        self._packets = packets // blocks
        self._span_ns = HOUR_NS // blocks
        super().__init__()
        self.span_ns = self._span_ns

    def parts(self) -> list[Part]:
        """See `Mixed`. What begins in a block ends in it."""
        return live_parts(self._packets, self.rng, self._span_ns - LONGEST_NS)


class Copies(Source):
    """Connections that are all alike, one after the other, of one client or each of another."""

    def __init__(self, template: Template, *, one_client: bool, at_once: int) -> None:
        super().__init__()
        self._template = template
        self._one_client = one_client
        self._every_ns = int(template.times_ns[-1]) + APART_NS
        self._rows = np.empty((at_once, len(template.data)), np.uint8)

    def block(self) -> Bytes:
        before, count = self.truth.connections, len(self._rows)
        starts_ns = self.now_ns + np.arange(count) * self._every_ns
        client = CLIENTS if self._one_client else CLIENTS + before
        self._template.fill(
            self._rows, starts_ns, client, SERVERS, self.rng, one_client=self._one_client, before=before
        )
        self.now_ns += count * self._every_ns
        self.truth.add(self._template.truth, count)
        return self._rows.reshape(-1)


class Messages(Source):
    """One session over WebSocket that goes on and on: events that ask for an acknowledgement, and get it."""

    def __init__(self, exchanges: int = EXCHANGES) -> None:
        super().__init__()
        flow = FlowWriter(40_000, 3000)
        _open_websocket(flow)
        self._start, starts, _ = records(flow.packets)
        self._start = self._start.copy()
        _put(self._start, starts, stamps(self.now_ns + np.array(flow.times_ns)))
        self.truth = Truth(len(starts), 1, 1, 2)
        first, began_ns = len(flow.packets), flow.now_ns
        sequences = np.array(flow.sequences)
        for at in range(exchanges):
            flow.now_ns = began_ns + at * (HEARTBEAT_NS // exchanges)
            number = b"%d" % (FIRST_ID + at)
            flow.say(SERVER, frame(b"42" + number + b'["tick",{"at":' + number + b"}]"))
            flow.say(CLIENT, frame(b"43" + number + b'["ok"]', MASK))
        flow.now_ns = began_ns + HEARTBEAT_NS
        flow.say(SERVER, frame(b"2"))
        flow.say(CLIENT, frame(b"3", MASK))
        packets = flow.packets[first:]
        self._times_ns: Int64s = np.array(flow.times_ns[first:], np.int64)
        self._period_ns = flow.now_ns - began_ns
        self._data, self._starts, _ = records(packets)
        self._data = self._data.copy()
        # By packet: the server's, then the client's, in turn.
        known = np.array(
            [[int.from_bytes(packet[at : at + 4]) for at in (SEQUENCE_AT, ACKNOWLEDGED_AT)] for packet in packets]
        )
        self._sequences = known.astype(np.int64)
        said = np.array(flow.sequences) - sequences
        self._steps = np.tile(
            np.array([[said[SERVER], said[CLIENT]], [said[CLIENT], said[SERVER]]]), (exchanges + 1, 1)
        )
        payloads = self._starts[: 2 * exchanges] + 16 + HEADERS
        self._event_ids, self._event_data = payloads[::2] + 4, payloads[::2] + 4 + 8 + len('["tick",{"at":')
        self._ack_ids = payloads[1::2] + 8
        self._exchanges = exchanges
        self._blocks = 0

    def start(self) -> Bytes:
        return np.concatenate([super().start(), self._start])

    def block(self) -> Bytes:
        _put(self._data, self._starts, stamps(self.now_ns + self._times_ns))
        numbers = self._sequences + self._blocks * self._steps
        places = self._starts + 16
        for column, at in enumerate((SEQUENCE_AT, ACKNOWLEDGED_AT)):
            _put(self._data, places + at, (numbers[:, column] % 2**32).astype(">u4").view(np.uint8))
        ids = FIRST_ID + self._blocks * self._exchanges + np.arange(self._exchanges)
        digits = (ids[:, None] // 10 ** np.arange(7, -1, -1) % 10 + ord("0")).astype(np.uint8)
        _put(self._data, self._event_ids, digits)
        _put(self._data, self._event_data, digits)
        _put(self._data, self._ack_ids, digits ^ np.frombuffer((MASK[2:] + MASK + MASK)[:8], np.uint8))
        self.now_ns += self._period_ns
        self._blocks += 1
        self.truth.add(Truth(len(self._starts), 0, 0, 2 * self._exchanges), 1)
        return self._data


def _put(data: Bytes, places: Int64s, values: Bytes) -> None:
    """Write a row of bytes at each place."""
    rows = values.reshape(len(places), -1)
    data[places[:, None] + np.arange(rows.shape[1])] = rows


def frame(text: bytes, mask: bytes = b"") -> bytes:
    """A short text message of WebSocket; a client's has a mask."""
    assert len(text) < 126
    if not mask:
        return bytes([0x81, len(text)]) + text
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(text))
    return bytes([0x81, 0x80 | len(text)]) + mask + masked


def _open_websocket(flow: FlowWriter) -> None:
    """The handshakes of WebSocket, Engine.IO and Socket.IO."""
    flow.say(
        CLIENT,
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ticks.example:3000\r\nConnection: Upgrade\r\n"
        b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    )
    flow.say(
        SERVER,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n",
    )
    opening = b'0{"sid":"%s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
    flow.say(SERVER, frame(opening % SID))
    flow.say(CLIENT, frame(b"40", MASK))
    flow.say(SERVER, frame(b'40{"sid":"%s"}' % SID[::-1]))


def handshake() -> Template:
    """A connection with one request that opens a session; the body is that of a socket.io 4 server."""
    flow = FlowWriter(40_000, 3000)
    flow.say(
        CLIENT,
        b"GET /socket.io/?EIO=4&transport=polling&t=PGo3xyz HTTP/1.1\r\nAccept: */*\r\nHost: ticks.example:3000\r\n"
        b"Connection: close\r\n\r\n",
    )
    opening = b'0{"sid":"%s","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
    body = opening % SID
    flow.say(
        SERVER,
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Length: %d\r\n"
        b"cache-control: no-store\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nConnection: close\r\n\r\n%s"
        % (len(body), body),
    )
    flow.close()
    return Template(flow.packets, flow.times_ns, Truth(len(flow.packets), 1, 1), [SID])


SOURCES: dict[str, Callable[[], Source]] = {
    "stream": Traffic,
    # Of sessions that nobody comes back to.
    "handshakes-one": lambda: Copies(handshake(), one_client=True, at_once=HANDSHAKES),
    "handshakes-each": lambda: Copies(handshake(), one_client=False, at_once=HANDSHAKES),
    "messages": Messages,
}


def produce(kind: str, size: int) -> Iterator[tuple[Bytes, Source]]:
    """The pieces of a capture of at least so many bytes (stream), sessions (handshakes) or messages."""
    source = SOURCES[kind]()
    piece = source.start()
    written = 0
    while True:
        written += len(piece)
        yield piece, source
        truth = source.truth
        reached = {"stream": written, "messages": truth.socketio_packets}.get(kind, truth.connections)
        if reached >= size:
            return
        piece = source.block()


def main() -> int:
    """Write a capture to standard output, and what is in it to a file."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.stream_source", description=__doc__)
    parser.add_argument("kind", choices=list(SOURCES))
    parser.add_argument("size", type=int, help="bytes of a stream, sessions of handshakes, messages")
    parser.add_argument("--truth", type=Path, metavar="FILE", help="write to this file what is in the capture")
    chosen = parser.parse_args()
    written, truth = 0, Truth()
    for piece, source in produce(chosen.kind, chosen.size):
        try:
            sys.stdout.buffer.write(piece.data)
            sys.stdout.buffer.flush()
        except BrokenPipeError:  # the reader has said why, or has enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        written, truth = written + len(piece), source.truth
    if chosen.truth:
        chosen.truth.write_text(json.dumps({"bytes": written, **asdict(truth)}), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
