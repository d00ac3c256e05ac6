"""Connections of crafted segments: what the bytes are, where they came from, how each connection begins and ends.

Every case is fed at once and segment by segment, each with and without regard to how the sides took turns; all must say
the same.
"""

from collections.abc import Sequence
from functools import partial

import pytest

from eiosniff.decode.tcp import gone as gone_module
from eiosniff.decode.tcp.watches import MAX_WAITING, Watch
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import EndKind
from eiosniff.model.trouble import GapReason
from tests.streams import CLIENT, Follower, Sent, follow, segments
from tests.unit.decode.tcp_talk import ANSWER, GOODBYE, HELLO, NEW, REQUEST, TALK, C, S, followed, kinds, one

pytestmark = pytest.mark.interpreted


# ---------------------------------------------------------------------- in order
def test_whole_connection() -> None:
    each = one([*HELLO, *TALK, *GOODBYE])
    assert [each.data(side) for side in Side] == [REQUEST, ANSWER]
    assert each.packets(C) == [(4, 0, len(REQUEST), 4)]
    assert each.packets(S) == [(5, 0, len(ANSWER), 5)]
    assert kinds(each) == [EndKind.FIN, EndKind.FIN]
    assert [end and end.place.number for end in each.ends] == [6, 7]
    assert (each.closed, each.flow.midstream, each.retransmissions) == (7, False, [0, 0])


def test_run_of_segments_is_one_chunk_that_knows_its_packets() -> None:
    follower = follow([*HELLO, Sent(C, "A", 1000, b"ab"), Sent(C, "A", 1002, b"cde"), Sent(C, "PA", 1005, b"f")])
    (chunk,) = follower.connections[0].chunks[C]
    assert (chunk.data, chunk.starts, chunk.numbers) == (b"abcdef", [0, 2, 5], [4, 5, 6])
    assert chunk.times == [4_000_000, 5_000_000, 6_000_000]


@pytest.mark.parametrize(("apart", "chunks"), [(True, [b"acd"]), (False, [b"a", b"cd"])])
def test_runs_of_a_side_are_joined_over_those_of_the_other_where_nobody_asks_for_turns(
    apart: bool, chunks: list[bytes]
) -> None:
    turns = [Sent(C, "A", 1000, b"a"), Sent(S, "A", 5000, b"b"), Sent(C, "A", 1001, b"c"), Sent(C, "A", 1002, b"d")]
    # Those of the batch with which a connection begins are told in turns: what reads them is not known before.
    opening = [*HELLO, *TALK]
    for each in turns:
        each.seq += len(REQUEST if each.side is C else ANSWER)
    follower = Follower(apart=apart)
    follower.table.feed(segments(opening))
    follower.table.feed(segments(turns, len(opening) + 1))
    assert [chunk.data for chunk in follower.connections[0].chunks[C][1:]] == chunks
    assert follower.connections[0].packets(C)[1:] == [(6, 18, 1, 6), (8, 19, 1, 8), (9, 20, 1, 9)]


def test_bytes_with_fin() -> None:
    each = one([*HELLO, Sent(C, "FA", 1000, b"last"), Sent(S, "FA", 5000, b"words", ack=1005)])
    assert [each.data(side) for side in Side] == [b"last", b"words"]
    assert (kinds(each), each.closed) == ([EndKind.FIN, EndKind.FIN], 5)


def test_bytes_with_fin_in_both_directions_at_once() -> None:
    each = one([*HELLO, Sent(C, "FA", 1000, b"a", ack=5000), Sent(S, "FA", 5000, b"b", ack=1000)])
    assert [each.data(side) for side in Side] == [b"a", b"b"]
    assert each.closed == 5


def test_half_closed_connection_goes_on_in_the_other_direction() -> None:
    each = one([*HELLO, Sent(C, "FA", 1000, b"ask"), Sent(S, "A", 5000, b"answer"), Sent(S, "FA", 5006)])
    assert each.data(S) == b"answer"
    assert kinds(each) == [EndKind.FIN, EndKind.FIN]


def test_sequence_numbers_wrap() -> None:
    first = (1 << 32) - 3
    pieces = [Sent(C, "A", first + at, b"abcdefgh"[at : at + 2]) for at in range(0, 8, 2)]
    each = one([Sent(C, "S", first - 1), *pieces])
    assert each.data(C) == b"abcdefgh"
    assert one([Sent(C, "S", first - 1), *reversed(pieces)]).data(C) == b"abcdefgh"


def test_bytes_with_the_syn() -> None:
    each = one([Sent(C, "S", 999, b"GET "), Sent(S, "SA", 4999, ack=1004), Sent(C, "A", 1004, b"/")])
    assert each.data(C) == b"GET /"


# ---------------------------------------------------------------------- out of order, again, cut
def test_out_of_order() -> None:
    each = one([*HELLO, Sent(C, "A", 1002, b"cd"), Sent(C, "A", 1004, b"ef"), Sent(C, "A", 1000, b"ab")])
    assert each.packets(C) == [(6, 0, 2, 6), (4, 2, 2, 6), (5, 4, 2, 6)]
    assert each.data(C) == b"abcdef"
    assert each.retransmissions == [0, 0]  # the late one was captured once


@pytest.mark.parametrize(
    ("again", "count"),
    [
        (Sent(C, "A", 1000, b"abcd"), 1),
        (Sent(C, "A", 1002, b"cd"), 1),
        (Sent(C, "A", 1003, b"d"), 0),  # one byte before the expected one may be a keep-alive probe
        (Sent(C, "A", 1003, b""), 0),  # as may an empty segment
        (Sent(C, "A", 1002, b"cdef"), 1),  # some of it is new
    ],
)
def test_retransmissions(again: Sent, count: int) -> None:
    each = one([*HELLO, Sent(C, "A", 1000, b"abcd"), again, Sent(C, "A", again.seq + len(again.data), b"")])
    assert each.data(C) == (b"abcdef" if len(again.data) == 4 and again.seq == 1002 else b"abcd")
    assert each.retransmissions == [count, 0]


def test_retransmission_of_what_waits() -> None:
    each = one([*HELLO, Sent(C, "A", 1002, b"cd"), Sent(C, "A", 1002, b"cd"), Sent(C, "A", 1000, b"abcd")])
    assert each.data(C) == b"abcd"
    assert each.retransmissions == [2, 0]


def test_segments_that_overlap_while_they_wait() -> None:
    waiting = [Sent(C, "A", 1004, b"ef"), Sent(C, "A", 1003, b"defg"), Sent(C, "A", 1002, b"cdefgh")]
    each = one([*HELLO, *waiting, Sent(C, "A", 1000, b"ab")])
    assert each.data(C) == b"abcdefgh"
    assert [(number, offset, length) for number, offset, length, _ in each.packets(C)] == [
        (7, 0, 2), (6, 2, 1), (5, 3, 1), (4, 4, 2), (5, 6, 1), (6, 7, 1),
    ]  # fmt: skip


def test_snap_length() -> None:
    each = one([*HELLO, Sent(C, "A", 1000, b"abc", wire=10), Sent(C, "A", 1010, b"xyz")])
    assert each.data(C) == b"abc???????xyz"
    (gap,) = each.gaps[C]
    assert (gap.offset, gap.length, gap.reason, gap.place.number) == (3, 7, GapReason.SNAP_LENGTH, 4)


def test_snap_length_before_all_payload() -> None:
    each = one([*HELLO, Sent(C, "A", 1000, b"", wire=10), Sent(S, "A", 5000, b"answer")])
    assert (each.data(C), each.data(S)) == (b"??????????", b"answer")


# ---------------------------------------------------------------------- gaps
def test_hole_that_the_receiver_acknowledged_is_one_of_the_capture() -> None:
    behind = [
        Sent(C, "A", 1004, b"ef", at_ms=10),
        Sent(S, "A", 5000, ack=1006, at_ms=11),
        Sent(S, "A", 5000, b"early", ack=1006, at_ms=100),
        Sent(S, "A", 5005, b"late", ack=1006, at_ms=111),
    ]
    each = one([*HELLO, *behind])
    (gap,) = each.gaps[C]
    assert (gap.offset, gap.length, gap.reason, gap.place.number) == (0, 4, GapReason.NOT_CAPTURED, 7)
    assert each.packets(C) == [(4, 4, 2, 7)]


@pytest.mark.parametrize("seconds", [1, 4, 70])
def test_hole_that_the_receiver_complains_of_may_still_be_filled(seconds: int) -> None:
    behind = [Sent(C, "A", 1004, b"ef", at_ms=10), Sent(S, "A", 5000, ack=1000, at_ms=11)]
    filling = Sent(C, "A", 1000, b"abcd", at_ms=seconds * 1000)
    each = one([*HELLO, *behind, filling])
    assert each.data(C) == b"abcdef"


def test_hole_without_acknowledgements_is_given_up_after_a_while() -> None:
    behind = [Sent(C, "A", 1004, b"ef", at_ms=10), Sent(C, "A", 1006, b"gh", at_ms=5011)]
    each = one([Sent(C, "S", 999), *behind])
    assert each.data(C) == b"????efgh"
    assert each.gaps[C][0].place.number == 3


def test_hole_that_nothing_fills_is_a_gap_at_the_end() -> None:
    each = one([*HELLO, Sent(C, "A", 1002, b"cd"), Sent(C, "A", 1006, b"gh")])
    assert each.data(C) == b"??cd??gh"
    assert kinds(each) == [EndKind.CAPTURE_ENDED] * 2


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ([], GapReason.UNACKNOWLEDGED),  # it may have been lost, and would have been sent again
        ([Sent(S, "A", 5000, ack=1002, at_ms=11)], GapReason.UNACKNOWLEDGED),
        ([Sent(S, "RA", 5000, ack=1002, at_ms=11)], GapReason.UNACKNOWLEDGED),
        ([Sent(S, "A", 5000, ack=1008, at_ms=11)], GapReason.NOT_CAPTURED),
        ([Sent(S, "RA", 5000, ack=1008, at_ms=11)], GapReason.NOT_CAPTURED),
    ],
)
def test_what_is_lacking_at_the_end_is_only_lacking_in_the_capture_if_it_arrived(
    more: list[Sent], reason: GapReason
) -> None:
    each = one([*HELLO, Sent(C, "A", 1000, b"ab", at_ms=5), Sent(C, "A", 1006, b"ef", at_ms=10), *more])
    assert [gap.reason for gap in each.gaps[C]] == [reason]
    assert each.data(C) == b"ab????ef"


def test_hole_in_which_the_receiver_has_nothing_is_given_up_when_too_much_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("eiosniff.decode.tcp.reassembly.MAX_HELD_SEGMENTS", 2)
    each = one([*HELLO, *(Sent(C, "A", 1002 + at, b"x") for at in range(3))])
    assert [gap.reason for gap in each.gaps[C]] == [GapReason.LIMIT]
    assert each.data(C) == b"??xxx"


# ---------------------------------------------------------------------- what is not followed
def test_packets_of_a_dropped_connection_are_counted() -> None:
    sent = [*HELLO, Sent(C, "A", 1000, b"\x16\x03secret"), *(Sent(S, "A", 5000 + at, b"x") for at in range(5))]
    follower = followed([*sent, Sent(S, "FA", 5005)], choose=lambda data: data.startswith(b"GET"))
    assert (follower.set_aside_packets, follower.set_aside_bytes) == (10, 8 + 5)


def test_endpoints_of_a_dropped_connection_are_used_again() -> None:
    tls = [*HELLO, Sent(C, "A", 1000, b"\x16\x03")]
    follower = followed([*tls, Sent(C, "FA", 1002), *NEW["other numbers"]], choose=lambda data: data[:1] in b"GH")
    assert [each.data(C) for each in follower.connections] == [REQUEST]
    assert (follower.set_aside_packets, follower.set_aside_bytes) == (5, 2)


def test_connections_without_bytes_are_looked_into() -> None:
    follower = followed([*HELLO, Sent(C, "FA", 1000), Sent(S, "FA", 5000)], choose=lambda _: False)
    assert (follower.set_aside_packets, follower.set_aside_bytes) == (0, 0)


def test_a_connection_that_is_over_is_forgotten_some_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gone_module, "REMEMBERED_PACKETS", 10)
    follower = Follower()
    follower.table.feed(segments([*HELLO, *TALK, *GOODBYE]))
    follower.table.feed(segments([TALK[0]], first=17))
    assert follower.table.connections == 1
    follower.table.feed(segments([TALK[0]], first=28))
    assert follower.table.connections == 2


def test_what_is_forgotten_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gone_module, "REMEMBERED_PACKETS", 100)
    follower = Follower()
    for at in range(100):
        sent = [Sent(C, "S", 1, client=CLIENT + at), Sent(S, "R", 0, client=CLIENT + at)]
        follower.table.feed(segments(sent, first=1 + 2 * at))
    assert follower.table.connections == 100
    assert len(follower.table._gone) < 70


def test_nothing() -> None:
    follower = follow([])
    follower.table.feed(segments([]))
    assert follower.table.connections == 0


# ---------------------------------------------------------------------- acknowledgements
def _acknowledged(sent: list[Sent], sizes: Sequence[int], watched: list[tuple[int, int]], side: Side = C) -> list[int]:
    """The packets that acknowledge each of `watched` (packet that is handled when it is watched, stream offset)."""
    outcomes = {_acknowledged_in_batches(sent, size, watched, side) for size in sizes}
    assert len(outcomes) == 1, "depends on batches"
    return list(outcomes.pop())


def _acknowledged_in_batches(
    sent: list[Sent], size: int, watched: list[tuple[int, int]], side: Side
) -> tuple[int, ...]:
    follower = Follower()
    found = [0] * len(watched)

    def acknowledged(which: int, place: PacketRef) -> None:
        assert not found[which]
        found[which] = place.number

    for at in range(0, len(sent), size):
        follower.table.feed(segments(sent[at : at + size], at + 1))
        for which, (after, offset) in enumerate(watched):
            if at < after <= at + size:
                flow = follower.connections[0].flow
                follower.table.watch(flow, Watch(side, offset, after, partial(acknowledged, which)))
        follower.table.resolve_watches()
    return tuple(found)


SIZES = (1, 2, 3, 50)


def test_acknowledgement() -> None:
    sent = [*HELLO, Sent(C, "A", 1000, b"abcd"), Sent(S, "A", 5000, ack=1002), Sent(S, "A", 5000, ack=1004)]
    assert _acknowledged(sent, SIZES, [(4, 2), (4, 4), (4, 5)]) == [5, 6, 0]


def test_acknowledgement_by_a_segment_with_bytes_or_fin() -> None:
    sent = [*HELLO, Sent(C, "A", 1000, b"abcd"), Sent(S, "A", 5000, b"x", ack=1002), Sent(S, "FA", 5001, ack=1004)]
    assert _acknowledged(sent, SIZES, [(4, 2), (4, 4)]) == [5, 6]


def test_acknowledgement_in_the_sequence_space_that_wraps() -> None:
    sent = [Sent(C, "S", (1 << 32) - 3), Sent(C, "A", (1 << 32) - 2, b"abcd"), Sent(S, "A", 1, ack=2)]
    assert _acknowledged(sent, SIZES, [(2, 4)]) == [3]


def test_acknowledgements_of_the_next_connection_do_not_count() -> None:
    sent = [*HELLO, Sent(C, "A", 1000, b"abcd"), *NEW["other numbers"]]
    assert _acknowledged(sent, SIZES, [(4, 4)]) == [0]


def test_only_so_many_acknowledgements_are_waited_for() -> None:
    many = MAX_WAITING + 2
    data = [Sent(C, "A", 1000 + at, b"x") for at in range(many)]
    sent = [*HELLO, *data, Sent(S, "A", 5000, ack=1000 + many)]
    found = _acknowledged(sent, (1, 5, 500), [(4 + at, at + 1) for at in range(many)])
    assert found == [0, 0] + [4 + many] * MAX_WAITING
