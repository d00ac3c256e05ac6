"""How connections begin and end, and endpoints that are used again."""

import pytest

from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import EndKind
from tests.streams import CLIENT, Sent
from tests.unit.decode.tcp_talk import (
    ANSWER,
    ANSWERED,
    ASKED,
    GOODBYE,
    HELLO,
    NEW,
    REQUEST,
    TALK,
    C,
    S,
    followed,
    kinds,
    one,
)

pytestmark = pytest.mark.interpreted


# ---------------------------------------------------------------------- ends
def test_fin_before_the_bytes_that_it_follows() -> None:
    each = one([*HELLO, Sent(C, "FA", 1004), Sent(C, "A", 1002, b"cd"), Sent(C, "A", 1000, b"ab"), Sent(S, "FA", 5000)])
    assert each.data(C) == b"abcd"
    end = each.ends[C]
    assert end is not None
    assert (end.kind, end.place.number) == (EndKind.FIN, 6)
    assert each.closed == 7


def test_fin_behind_a_hole_of_the_capture() -> None:
    fin = [Sent(C, "FA", 1004, at_ms=10), Sent(S, "FA", 5000, ack=1005, at_ms=11), Sent(C, "A", 1005, at_ms=200)]
    each = one([*HELLO, *fin])
    assert each.data(C) == b"????"
    assert kinds(each) == [EndKind.FIN, EndKind.FIN]


def test_repeated_fin() -> None:
    each = one([*HELLO, *TALK, GOODBYE[0], GOODBYE[0], GOODBYE[1], GOODBYE[1], GOODBYE[0]])
    assert (kinds(each), each.closed, each.retransmissions) == ([EndKind.FIN, EndKind.FIN], 8, [0, 0])


def test_reset() -> None:
    each = one([*HELLO, *TALK, Sent(S, "RA", ANSWERED, ack=ASKED)])
    assert kinds(each) == [EndKind.RST, EndKind.RST]
    assert [reset.side for reset in each.resets] == [C]


def test_bytes_in_flight_after_a_reset_still_count() -> None:
    """The client has not heard of the reset yet when it sends them."""
    flight = [
        Sent(C, "PA", ASKED, b"one", at_ms=20),
        Sent(S, "R", ANSWERED, at_ms=21),
        Sent(C, "FA", ASKED + 3, b"two"),
    ]
    each = one([*HELLO, *TALK, Sent(S, "R", ANSWERED, at_ms=10), *flight])
    assert each.data(C) == REQUEST + b"onetwo"
    assert each.closed == 9


def test_late_answer_to_the_syn_of_a_connection_that_is_not_followed() -> None:
    """It was captured after the bytes that told that nobody follows it."""
    late = [HELLO[0], TALK[0], HELLO[1], TALK[1]]
    follower = followed([*late, *GOODBYE], choose=lambda data: not data.startswith(b"GET"))
    assert follower.set_aside_packets == len([*late, *GOODBYE])
    assert follower.table.connections == 1


def test_what_comes_again_after_a_reset_is_no_repeat() -> None:
    """Its session was told how often bytes were sent again when it was reset, and in a later batch it is too late."""
    again = [Sent(C, "PA", 1000, REQUEST, at_ms=20), Sent(C, "PA", 1000, REQUEST, at_ms=21)]
    assert one([*HELLO, *TALK, *again[:1]]).flow.direction(C).most_repeats == 1
    reset = Sent(S, "R", ANSWERED, at_ms=10)
    assert one([*HELLO, *TALK, reset, *again]).flow.direction(C).most_repeats == 0


def test_reset_connection_does_not_wait_for_ever() -> None:
    """The next packet, of whatever connection, shows that a second has passed."""
    other = Sent(C, "S", 1, at_ms=1011, client=CLIENT + 1)
    late = Sent(C, "PA", ASKED, b"late", at_ms=1012)
    follower = followed([*HELLO, *TALK, Sent(S, "R", ANSWERED, at_ms=10), other, late])
    assert follower.connections[0].data(C) == REQUEST
    assert follower.connections[0].closed == 7
    assert (follower.set_aside_packets, follower.set_aside_bytes) == (1, 4)


def test_text_in_a_reset_is_not_part_of_the_stream() -> None:
    """RFC 9293, section 3.5.3: it says why."""
    follower = followed([*HELLO, *TALK, Sent(S, "RA", ANSWERED, b"go away")])
    assert follower.connections[0].data(S) == ANSWER
    assert (follower.set_aside_packets, follower.set_aside_bytes) == (1, 7)


def test_half_open_connection_ends_with_the_capture() -> None:
    each = one([*HELLO, *TALK])
    assert kinds(each) == [EndKind.CAPTURE_ENDED] * 2
    assert [end and end.place.number for end in each.ends] == [5, 5]


def test_late_packets() -> None:
    late = [Sent(C, "A", ASKED + 1, ack=ANSWERED + 1), Sent(C, "A", 1000, REQUEST), Sent(S, "R", ANSWERED)]
    follower = followed([*HELLO, *TALK, *GOODBYE, *late])
    (each,) = follower.connections
    assert each.data(C) == REQUEST
    assert each.flow.last.number == each.closed == 7
    assert (follower.set_aside_packets, follower.set_aside_bytes) == (1, len(REQUEST))


def test_bytes_after_a_fin() -> None:
    follower = followed([*HELLO, Sent(C, "FA", 1000, b"ab"), Sent(C, "A", 1003, b"no"), Sent(C, "A", 1000, b"ab")])
    assert follower.connections[0].data(C) == b"ab"
    assert follower.connections[0].retransmissions == [1, 0]
    assert (follower.set_aside_packets, follower.set_aside_bytes) == (1, 2)


# ---------------------------------------------------------------------- beginnings
def test_midstream() -> None:
    each = one([Sent(S, "A", 70_000, b"cd", ack=9), Sent(C, "A", 9, b"x", ack=70_002), Sent(S, "A", 70_002, b"ef")])
    assert each.flow.midstream
    data = {each.data(side) for side in Side}
    assert data == {b"cdef", b"x"}


def test_fin_is_all_that_was_captured_of_a_direction() -> None:
    each = one([Sent(C, "FA", 50), Sent(S, "A", 70, b"bye"), Sent(S, "FA", 73)])
    assert each.closed == 3


def test_one_direction() -> None:
    sent = [each for each in [*HELLO, *TALK, *GOODBYE] if each.side is S]
    each = one(sent)
    assert each.flow.side(0 if each.flow.client == 0 else 1) is C  # the SYN-ACK tells who is who
    assert (each.data(S), each.data(C)) == (ANSWER, b"")
    assert kinds(each) == [EndKind.CAPTURE_ENDED, EndKind.FIN]


def test_syn_captured_after_its_answer() -> None:
    follower = followed([HELLO[1], HELLO[0], HELLO[2], *TALK, *GOODBYE])
    (each,) = follower.connections
    assert [each.data(side) for side in Side] == [REQUEST, ANSWER]


def test_syn_captured_after_the_bytes() -> None:
    each = one([TALK[0], HELLO[0], HELLO[1], TALK[1]])
    assert [each.data(side) for side in Side] == [REQUEST, ANSWER]
    assert not each.flow.midstream


def test_repeated_syn() -> None:
    each = one([HELLO[0], HELLO[0], HELLO[0], *HELLO[1:], *TALK])
    assert (each.flow.syn_repeats, each.flow.syn_last.number) == (2, 4)
    assert each.data(C) == REQUEST


def test_repeated_syn_with_another_answer() -> None:
    """SYN cookies change every minute; what follows tells which answer counts."""
    each = one([HELLO[0], Sent(S, "SA", 77, ack=1000), HELLO[0], *HELLO[1:], *TALK])
    assert [each.data(side) for side in Side] == [REQUEST, ANSWER]


def test_refused() -> None:
    each = one([HELLO[0], Sent(S, "RA", 0, ack=1000)])
    assert each.flow.reset == PacketRef(2, 2_000_000)
    assert each.flow.reset_by == 1 - (each.flow.client or 0)
    assert each.closed == 2


OLD = {
    "closed": [*HELLO, *TALK, *GOODBYE],
    "reset": [*HELLO, *TALK, Sent(C, "R", ASKED)],
    "closed on one side": [*HELLO, *TALK, GOODBYE[0]],
}


@pytest.mark.parametrize("new", NEW.values(), ids=NEW)
@pytest.mark.parametrize("old", OLD.values(), ids=OLD)
def test_endpoints_are_used_again(old: list[Sent], new: list[Sent]) -> None:
    follower = followed([*old, *new])
    first, second = follower.connections
    assert [each.flow.stream for each in (first, second)] == [0, 1]
    for each in (first, second):
        assert [each.data(side) for side in Side] == [REQUEST, ANSWER]
    assert second.flow.first.number == len(old) + 1
    assert first.flow.last.number <= len(old)


def test_open_connection_is_replaced_by_a_new_one() -> None:
    follower = followed([*HELLO, *TALK, *NEW["other numbers"]])
    first, second = follower.connections
    assert kinds(first) == [EndKind.CAPTURE_ENDED] * 2
    assert (first.closed, first.flow.last.number, second.flow.first.number) == (6, 5, 6)


def test_syn_after_nothing_but_acknowledgements_begins_a_connection() -> None:
    follower = followed([Sent(C, "A", 7, ack=8), *HELLO, *TALK])
    assert [each.flow.first.number for each in follower.connections] == [1, 2]


def test_connections_are_numbered_by_their_first_packet() -> None:
    """Also the second of the same endpoints, of which all packets are looked at together."""
    between = Sent(C, "S", 1, client=CLIENT + 5)
    new = NEW["other numbers"]
    follower = followed([*OLD["closed"], between, *new])
    assert [each.flow.first.number for each in follower.connections] == [1, 8, 9]
