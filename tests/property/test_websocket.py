"""What holds for any bytes in a WebSocket direction, however they are cut into batches, and whatever is missing."""

import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiosniff.decode.websocket.deflate import Inflater
from eiosniff.decode.websocket.reader import WebSocketReader, WsEvent, WsLimits
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Desync, Gap, GapReason
from eiosniff.model.websocket import WsControl, WsMessage
from tests.records import names

LIMITS = WsLimits(message=300, fragments=3)
OPCODES = [0, 1, 2, 8, 9, 10]


class AllAtOnce(WebSocketReader):
    """Without the loop for plain frames, which must not make a difference."""

    def _read_plain(self, events: list[WsEvent]) -> None:
        pass


def frame(payload: bytes, opcode: int, fin: bool, rsv: int, key: bytes | None, extended: int) -> bytes:
    """A frame by RFC 6455, section 5.2; `extended` is how many bytes more than needed the length may take."""
    size = len(payload)
    extended = max(extended, 0 if size < 126 else 2 if size < 1 << 16 else 8)
    short = {0: size, 2: 126, 8: 127}[extended]
    head = bytes([fin << 7 | rsv << 4 | opcode, (key is not None) << 7 | short]) + size.to_bytes(8)[8 - extended :]
    if key is None:
        return head + payload
    return head + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))


def deflate(text: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


short = st.binary(max_size=20)
payloads = short | st.binary(min_size=120, max_size=130) | st.just(bytes(400)) | st.just("äöü".encode())
keys = st.none() | st.binary(min_size=4, max_size=4)
frames = st.builds(
    frame,
    payloads | payloads.map(deflate),
    st.sampled_from(OPCODES) | st.integers(0, 15),
    st.booleans(),
    st.sampled_from([0, 0, 0, 4]) | st.integers(0, 7),
    keys,
    st.sampled_from([0, 0, 0, 2, 8]),
)
good_frames = [
    st.builds(frame, payloads, st.sampled_from([1, 2]), st.just(True), st.just(0), keys_of_side, st.just(0))
    | st.builds(frame, short, st.sampled_from([8, 9, 10]), st.just(True), st.just(0), keys_of_side, st.just(0))
    for keys_of_side in (st.binary(min_size=4, max_size=4), st.none())
]
holes = st.integers(1, 20) | st.just(400) | st.just(2 << 20)


@st.composite
def directions(draw: st.DrawFn) -> tuple[Side, list[bytes | int]]:
    """Packets and holes (their lengths): frames, whole or cut anywhere, and whatever else."""
    side = draw(st.sampled_from(Side))
    data = b"".join(draw(st.lists(frames | good_frames[side] | good_frames[side] | st.binary(max_size=9), max_size=12)))
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    packets: list[bytes | int] = [data[a:b] for a, b in pairwise([0, *cuts, len(data)]) if a < b]
    for at in sorted(draw(st.lists(st.integers(0, len(packets)), max_size=3)), reverse=True):
        packets.insert(at, draw(holes))
    return side, packets


def run(reader: WebSocketReader, side: Side, items: list[bytes | int], batches: list[int]) -> tuple[list[WsEvent], int]:
    """Deliver the packets, `batches[n % ...]` of them in the nth chunk; the events, and where the direction ends."""
    events: list[WsEvent] = []
    offset = at = n = 0
    while at < len(items):
        item = items[at]
        if isinstance(item, int):
            events += reader.gap(Gap(side, offset, item, GapReason.NOT_CAPTURED, PacketRef(at + 1, at)))
            offset += item
            at += 1
            continue
        data, starts, numbers = b"", [], []
        for item in items[at : at + batches[n % len(batches)]]:
            if isinstance(item, int):
                break
            starts.append(len(data))
            numbers.append(at + 1)
            data += item
            at += 1
        n += 1
        events += reader.feed(StreamChunk(side, offset, data, starts, numbers, [number - 1 for number in numbers]))
        offset += len(data)
    return events + reader.end(StreamEnd(side, EndKind.FIN, PacketRef(len(items) + 1, len(items)))), offset


def comparable(events: list[WsEvent]) -> list[tuple[object, ...]]:
    return [(type(e).__name__, *(getattr(e, name) for name in names(type(e)))) for e in events]


def make(side: Side, compressed: bool, midstream: bool, kind: type[WebSocketReader] = WebSocketReader):
    return kind(side, None, Inflater(limit=1000) if compressed else None, LIMITS, midstream)


def check_tiling(events: list[WsEvent], items: list[bytes | int], end: int) -> None:
    whole = sorted((e.start, e.end) for e in events if isinstance(e, WsMessage | Desync))
    assert all(start < stop for start, stop in whole)
    assert all(one[1] <= other[0] for one, other in pairwise(whole))
    ranges = whole + [(e.start, e.end) for e in events if isinstance(e, WsControl)]
    offset = 0
    for item in items:
        length = item if isinstance(item, int) else len(item)
        if isinstance(item, int):
            ranges.append((offset, offset + length))
        offset += length
    covered = 0
    for start, stop in sorted(ranges):
        assert start <= covered
        covered = max(covered, stop)
    assert covered == end


batchings = st.lists(st.integers(1, 5), min_size=1, max_size=4)


@given(directions(), st.booleans(), st.booleans(), batchings)
@pytest.mark.interpreted
def test_any_bytes_tile_and_batches_do_not_matter(direction, compressed, midstream, batches):
    side, items = direction
    events, end = run(make(side, compressed, midstream), side, items, batches)
    check_tiling(events, items, end)
    whole, _ = run(make(side, compressed, midstream), side, items, [100])
    assert comparable(events) == comparable(whole)
    slow, _ = run(make(side, compressed, midstream, AllAtOnce), side, items, batches)
    assert comparable(events) == comparable(slow)


@given(directions(), st.data())
def test_pieces_of_packets_do_not_matter_while_framing_holds(direction, data):
    side, items = direction
    packets = [item for item in items if isinstance(item, bytes)]
    whole, end = run(make(side, True, False), side, packets, [100])
    if any(isinstance(event, Desync) and event.end < end for event in whole):
        return  # the search for frames takes the end of a chunk for the end of a packet
    reader, events, offset = make(side, True, False), [], 0
    for number, packet in enumerate(packets, 1):
        cuts = data.draw(st.lists(st.integers(0, len(packet)), max_size=4))
        for start, stop in pairwise([0, *sorted(cuts), len(packet)]):
            if start < stop:
                chunk = StreamChunk(side, offset + start, packet[start:stop], [0], [number], [number - 1])
                events += reader.feed(chunk)
        offset += len(packet)
    events += reader.end(StreamEnd(side, EndKind.FIN, PacketRef(len(packets) + 1, len(packets))))
    assert comparable(events) == comparable(whole)


@given(st.sampled_from(Side), st.data(), batchings)
def test_frames_behind_a_hole_are_found_again(side, data, batches):
    """One frame a packet, as most senders do: after a hole of whole packets everything is understood at once."""
    packets = data.draw(st.lists(good_frames[side], min_size=2, max_size=8))
    lost = data.draw(st.integers(0, len(packets) - 2))
    items: list[bytes | int] = [*packets[:lost], len(packets[lost]), *packets[lost + 1 :]]
    events, end = run(WebSocketReader(side), side, items, batches)
    check_tiling(events, items, end)
    assert sum(isinstance(event, WsMessage | WsControl) for event in events) == len(packets) - 1
    assert not any(isinstance(event, Desync) for event in events)
