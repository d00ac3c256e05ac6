"""One direction by itself: what is delivered, held, counted as repeated, or given up."""

from dataclasses import dataclass, field

import pytest

from eiosniff.decode.tcp import reassembly
from eiosniff.decode.tcp.reassembly import ACKNOWLEDGED_HOLE_NS, MISSING_HOLE_NS, UNHEARD_HOLE_NS, Direction
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import StreamChunk
from eiosniff.model.trouble import Gap, GapReason


@dataclass
class Sink:
    """Writes down what comes: bytes, or the length of a gap."""

    side: Side = Side.CLIENT
    said: list[bytes | int] = field(default_factory=list)
    chunks: list[StreamChunk] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    def chunk(self, chunk: StreamChunk) -> None:
        self.said.append(chunk.data)
        self.chunks.append(chunk)

    def gap(self, gap: Gap) -> None:
        self.said.append(gap.length)
        self.gaps.append(gap)


class Peer:
    """A direction that begins at sequence number 100, and its sink; packets are numbered from 1, one a nanosecond."""

    def __init__(self, seq: int = 100) -> None:
        self.direction, self.sink, self.number = Direction(), Sink(), 0
        self.direction.next_seq = seq

    def send(self, seq: int, data: bytes, wire: int | None = None) -> None:
        self.number += 1
        place = PacketRef(self.number, self.number)
        self.direction.receive(seq, data, len(data) if wire is None else wire, place, self.sink)


CASES: dict[str, tuple[list[tuple[int, bytes]], list[bytes | int], int]] = {
    "in order": ([(100, b"ab"), (102, b"cd")], [b"ab", b"cd"], 0),
    "swapped": ([(102, b"cd"), (100, b"ab")], [b"ab", b"cd"], 0),
    "backwards": ([(104, b"ef"), (102, b"cd"), (100, b"ab")], [b"ab", b"cd", b"ef"], 0),
    "twice": ([(100, b"ab"), (100, b"ab")], [b"ab"], 1),
    "twice while held": ([(102, b"cd"), (102, b"cd"), (100, b"ab")], [b"ab", b"cd"], 1),
    "a part again, and more": ([(100, b"ab"), (101, b"bcd")], [b"ab", b"cd"], 1),
    "held: the beginning again, and more": ([(102, b"c"), (102, b"cd"), (100, b"ab")], [b"ab", b"c", b"d"], 1),
    "held: the end again, and more": ([(103, b"d"), (102, b"cd"), (100, b"ab")], [b"ab", b"c", b"d"], 1),
    "held: in the middle of another": ([(102, b"cdef"), (103, b"de"), (100, b"ab")], [b"ab", b"cdef"], 1),
    "held: around two others": (
        [(103, b"d"), (105, b"f"), (102, b"cdefg"), (100, b"ab")],
        [b"ab", b"c", b"d", b"e", b"f", b"g"],
        1,
    ),
    "fills the hole and overlaps what is held": ([(102, b"cd"), (100, b"abc")], [b"abc", b"d"], 1),
    "fills the hole and covers what is held": ([(102, b"cd"), (100, b"abcde")], [b"abcde"], 1),
    "two holes": ([(102, b"c"), (104, b"e"), (100, b"ab")], [b"ab", b"c"], 0),
    "older than the beginning": ([(90, b"xy"), (100, b"ab")], [b"ab"], 1),
    "keep-alive with a byte": ([(100, b"ab"), (101, b"\0"), (101, b"\0"), (102, b"c")], [b"ab", b"c"], 0),
}


@pytest.mark.parametrize(("segments", "said", "retransmissions"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("origin", [100, (1 << 32) - 1, (1 << 32) - 3, (1 << 31) - 2])
def test_segments(
    segments: list[tuple[int, bytes]], said: list[bytes | int], retransmissions: int, origin: int
) -> None:
    peer = Peer(origin)
    for seq, data in segments:
        peer.send((seq - 100 + origin) % (1 << 32), data)
    assert peer.sink.said == said
    assert peer.direction.retransmissions == retransmissions
    assert peer.direction.held_bytes == sum(len(segment.data) for segment in peer.direction.held)


def test_first_segment_says_where_the_stream_begins() -> None:
    peer = Peer(-1)
    peer.send(7777, b"ab")
    assert peer.sink.chunks[0].offset == 0
    assert peer.direction.seq_of(2) == 7779


def test_what_was_held_says_which_packet_delivered_it() -> None:
    peer = Peer()
    peer.send(102, b"cd")
    peer.send(100, b"ab")
    first, second = peer.sink.chunks
    assert (first.numbers, first.delivered) == ([2], 0)
    assert (second.numbers, second.times, second.delivered, second.offset) == ([1], [1], 2, 2)


def test_cut_segments() -> None:
    peer = Peer()
    peer.send(100, b"ab", 4)
    peer.send(106, b"g", 3)
    peer.send(104, b"", 2)
    assert peer.sink.said == [b"ab", 2, 2, b"g", 2]
    assert {gap.reason for gap in peer.sink.gaps} == {GapReason.SNAP_LENGTH}
    assert [gap.offset for gap in peer.sink.gaps] == [2, 4, 7]


def test_repeated_segment_fills_in_what_was_cut_from_the_first_while_it_waits() -> None:
    """But bytes that were given up as cut are not taken back."""
    peer = Peer()
    peer.send(100, b"a", 4)
    peer.send(100, b"abcd")
    assert peer.sink.said == [b"a", 3]


@pytest.mark.parametrize(
    ("acks", "waits_ns"),
    [
        ([], UNHEARD_HOLE_NS),
        ([100], MISSING_HOLE_NS),
        ([101], MISSING_HOLE_NS),
        ([100, 102], ACKNOWLEDGED_HOLE_NS),
        ([103, 100], ACKNOWLEDGED_HOLE_NS),
    ],
)
def test_how_long_a_hole_is_waited_for(acks: list[int], waits_ns: int) -> None:
    peer = Peer()
    peer.send(102, b"c")
    for ack in acks:
        peer.direction.acknowledge(ack)
    assert not peer.direction.hole_is_lost(1 + waits_ns)
    assert peer.direction.hole_is_lost(2 + waits_ns)


def test_acknowledgements_of_an_earlier_hole_say_nothing_of_a_later_one() -> None:
    peer = Peer()
    peer.send(102, b"c")
    peer.direction.acknowledge(103)
    peer.send(100, b"ab")
    peer.send(105, b"f")
    assert not peer.direction.hole_is_lost(3 + UNHEARD_HOLE_NS)
    assert peer.direction.hole_is_lost(4 + UNHEARD_HOLE_NS)


def test_nothing_is_lost_without_a_hole() -> None:
    assert not Direction().hole_is_lost(1 << 62)


def test_skip_and_flush() -> None:
    peer = Peer()
    for seq in (102, 105, 107):
        peer.send(seq, b"x")
    place = PacketRef(9, 9)
    peer.direction.skip_hole(GapReason.NOT_CAPTURED, place, peer.sink)
    assert peer.sink.said == [2, b"x"]
    peer.direction.flush(place, peer.sink)
    assert peer.sink.said == [2, b"x", 2, b"x", 1, b"x"]
    assert [gap.place for gap in peer.sink.gaps] == [place] * 3
    assert all(chunk.delivered == 9 for chunk in peer.sink.chunks)


@pytest.mark.parametrize("limit", ["MAX_HELD_BYTES", "MAX_HELD_SEGMENTS"])
@pytest.mark.interpreted
def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(reassembly, limit, 3)
    peer = Peer()
    for at in range(4):
        peer.send(110 + 2 * at, b"x")
    assert peer.sink.gaps[0].reason is GapReason.LIMIT
    assert peer.sink.said == [10, b"x"]
    assert len(peer.direction.held) == 3


def test_fin_in_order() -> None:
    peer = Peer()
    peer.send(100, b"ab")
    peer.direction.receive_fin(102, PacketRef(2, 2))
    assert peer.direction.complete


def test_fin_waits_behind_a_hole_as_bytes_do() -> None:
    peer = Peer()
    peer.direction.receive_fin(104, PacketRef(1, 1))
    peer.direction.receive_fin(104, PacketRef(2, 2))
    peer.send(102, b"cd")
    assert not peer.direction.complete
    peer.direction.acknowledge(104)
    assert peer.direction.hole_is_lost(2 + ACKNOWLEDGED_HOLE_NS)
    peer.send(100, b"ab")
    assert peer.sink.said == [b"ab", b"cd"]
    assert peer.direction.complete
    assert not peer.direction.held


def test_fin_behind_a_hole_that_is_not_filled() -> None:
    peer = Peer()
    peer.direction.receive_fin(104, PacketRef(1, 1))
    peer.direction.flush(PacketRef(5, 5), peer.sink)
    assert peer.sink.said == [4]
    assert peer.direction.complete


def test_fin_alone() -> None:
    direction = Direction()
    direction.receive_fin(500, PacketRef(1, 1))
    assert direction.complete
    assert direction.next_seq == 500


def test_untouched() -> None:
    peer = Peer()
    assert peer.direction.untouched
    peer.send(102, b"c")
    assert not peer.direction.untouched
