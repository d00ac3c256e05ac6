"""What TCP shows of the network, wherever batches are cut."""

from collections.abc import Sequence

import numpy as np
import pytest

from eiosniff.decode.tcp.flow import Flow
from eiosniff.decode.tcp.network_facts import FlowFacts, add_to
from eiosniff.model.network import NetworkFacts, SideFacts, Spell
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap
from tests.streams import Follower, Sent, segments

pytestmark = pytest.mark.interpreted

C, S = Side.CLIENT, Side.SERVER
HELLO = [Sent(C, "S", 999, at_ms=0), Sent(S, "SA", 4999, ack=1000, at_ms=1), Sent(C, "A", 1000, ack=5000, at_ms=2)]
ASK = Sent(C, "PA", 1000, b"GET ", ack=5000, at_ms=3)
SETTLED = 6000  # ms: later than the first second, and in a slot of its own
SIZES = (1, 2, 3, 7, 50_000)


class Observer(Follower):
    """Follows, as the stack does, from the packet on that tells what a connection is."""

    def begin(self, flow: Flow, way: int, record: StreamChunk | Gap | StreamEnd) -> None:
        super().begin(flow, way, record)
        if isinstance(record, StreamChunk):
            flow.network = FlowFacts(record.numbers[0], flow.first.ts_ns, flow.handshake_ns)


def observed(sent: Sequence[Sent], closed: Sequence[int] = (), ttls: Sequence[int] = ()) -> tuple[SideFacts, SideFacts]:
    """The facts of both sides of one connection. `closed`: the packets (from 1) with a window of 0."""
    seen = []
    whole = [*HELLO, ASK, *sent]
    for size in SIZES:
        follower = Observer()
        for at in range(0, len(whole), size):
            part = segments(whole[at : at + size], at + 1)
            part.window = np.where(np.isin(part.number, closed), 0, 500)
            if ttls:
                part.ttl = np.array(ttls[at : at + size], np.int64)
            follower.table.feed(part)
        follower.table.close()
        facts = NetworkFacts()
        for each in follower.connections:
            flow = each.flow
            assert flow.network is not None
            add_to(facts, flow.network, flow.client or 0, flow.reset or flow.last)
        assert facts.sides is not None
        seen.append(facts.sides)
    assert len({repr([_plain(side) for side in sides]) for sides in seen}) == 1
    return seen[0]


def _plain(side: SideFacts) -> object:
    times, closed, stalls = side.round_trips, side.closed, side.stalls
    return (
        side.segments,
        side.repeats,
        side.unheld,
        times and (times.count, times.total, times.maximum),
        closed and (closed.count, closed.total_ns, _spell(closed.first), _spell(closed.longest)),
        stalls and (stalls.count, stalls.total_ns, _spell(stalls.first), _spell(stalls.longest)),
        _spell(side.unheard),
        side.reset and (side.reset.place, side.reset.ttl, side.reset.usual_ttl),
    )


def _spell(spell: Spell | None) -> object:
    return spell and (spell.first, spell.last, spell.probes, spell.open)


def ms(duration_ns: int) -> float:
    return duration_ns / 1_000_000


# ---------------------------------------------------------------- segments and round trips


def test_segments_and_the_handshake() -> None:
    client, server = observed([Sent(S, "PA", 5000, b"HTTP", ack=1004, at_ms=4)])
    assert (client.segments, server.segments) == (1, 1)
    assert client.round_trips is not None
    assert (client.round_trips.count, ms(client.round_trips.maximum)) == (1, 1)
    assert server.round_trips is None


def test_a_round_trip_ends_with_the_first_acknowledgement_that_covers_it() -> None:
    _, server = observed(
        [
            Sent(S, "PA", 5000, b"HTTP", ack=1004, at_ms=SETTLED),
            Sent(C, "A", 1004, ack=5002, at_ms=SETTLED + 10),
            Sent(C, "A", 1004, ack=5004, at_ms=SETTLED + 30),
            Sent(C, "A", 1004, ack=5004, at_ms=SETTLED + 50),
        ]
    )
    assert server.round_trips is not None
    assert (server.round_trips.count, ms(server.round_trips.maximum)) == (1, 30)


def test_an_acknowledgement_may_come_far_behind() -> None:
    burst = [Sent(S, "A", 5000 + 4 * at, b"data", ack=1004, at_ms=SETTLED + at) for at in range(20)]
    _, server = observed([*burst, Sent(C, "A", 1004, ack=5004, at_ms=SETTLED + 300)])
    assert server.round_trips is not None
    assert (server.round_trips.count, ms(server.round_trips.maximum)) == (1, 300)


def test_of_what_was_sent_again_nobody_knows_which_was_acknowledged() -> None:
    _, server = observed(
        [
            Sent(S, "PA", 5000, b"HTTP", ack=1004, at_ms=SETTLED),
            Sent(S, "PA", 5000, b"HTTP", ack=1004, at_ms=SETTLED + 200),
            Sent(C, "A", 1004, ack=5004, at_ms=SETTLED + 210),
        ]
    )
    assert server.round_trips is None
    assert (server.segments, server.repeats) == (2, 1)


def test_sequence_numbers_wrap() -> None:
    start = 0xFFFFFFFE
    _, server = observed(
        [
            Sent(S, "PA", 5000, b"x", ack=1004, at_ms=4),
            Sent(C, "PA", 1004, b"y", ack=5001, at_ms=5),
        ]
    )
    assert server.segments == 1
    follower = Observer()
    whole = [
        Sent(C, "S", 999, at_ms=0),
        Sent(S, "SA", start - 1, ack=1000, at_ms=1),
        Sent(C, "PA", 1000, b"GET ", ack=start, at_ms=2),
        Sent(S, "PA", start, b"HTTP", ack=1004, at_ms=SETTLED),
        Sent(C, "A", 1004, ack=start + 4, at_ms=SETTLED + 20),
    ]
    follower.table.feed(segments(whole))
    follower.table.close()
    network = follower.connections[0].flow.network
    assert network is not None
    times = network.way(1).facts.round_trips
    assert times is not None
    assert ms(times.maximum) == 20


# ---------------------------------------------------------------- into the void


def _again(times_ms: Sequence[float]) -> list[Sent]:
    return [Sent(S, "PA", 5000, b"HTTP", ack=1004, at_ms=at) for at in times_ms]


def test_a_series_that_nobody_hears() -> None:
    _, server = observed(_again([10, 210, 610, 1410, 3010]))
    assert server.unheard is not None
    assert (server.unheard.probes, server.unheard.first.number, server.unheard.last.number) == (4, 6, 9)
    assert ms(server.unheard.length_ns) == 2800


def test_whatever_comes_from_the_other_side_ends_a_series() -> None:
    heard = Sent(C, "A", 1004, ack=5000, at_ms=700)
    _, server = observed([*_again([10, 210, 610]), heard, *_again([1410, 3010])])
    assert server.unheard is not None
    assert server.unheard.probes == 2
    assert server.repeats == 4


# ---------------------------------------------------------------- windows


def test_a_window_closes_and_opens() -> None:
    sent = [
        Sent(S, "PA", 5000, b"HTTP", ack=1004, at_ms=10),
        Sent(C, "A", 1004, ack=5004, at_ms=11),  # 6: closed
        Sent(S, "A", 5003, ack=1004, at_ms=500),
        Sent(C, "A", 1004, ack=5004, at_ms=501),  # 8: still
        Sent(C, "A", 1004, ack=5004, at_ms=2011),  # 9: open
        Sent(S, "PA", 5004, b"more", ack=1004, at_ms=2012),
        Sent(C, "A", 1004, ack=5008, at_ms=2013),  # 11: closed, and stays so
        Sent(S, "PA", 5008, b"x", ack=1004, at_ms=3013),
    ]
    client, server = observed(sent, closed=[6, 8, 11])
    assert server.closed is None
    closed = client.closed
    assert closed is not None
    assert (closed.count, ms(closed.total_ns)) == (2, 3000)
    assert (closed.first.first.number, closed.first.last.number, closed.first.probes, closed.first.open) == (
        6,
        9,
        2,
        False,
    )
    assert ms(closed.longest.length_ns) == 2000


def test_a_reset_and_a_syn_say_nothing_of_the_window() -> None:
    client, _ = observed([Sent(C, "R", 1004, at_ms=10)], closed=[1, 5])
    assert client.closed is None


# ---------------------------------------------------------------- stalls


def _stall(at_ms: float, seq: int, delay: float, released: float = 0.1) -> list[Sent]:
    return [
        Sent(C, "PA", seq, b"head", ack=5000, at_ms=at_ms),
        Sent(S, "A", 5000, ack=seq + 4, at_ms=at_ms + delay),
        Sent(C, "PA", seq + 4, b"rest", ack=5000, at_ms=at_ms + delay + released),
        Sent(S, "A", 5000, ack=seq + 8, at_ms=at_ms + delay + released + 0.1),
    ]


def test_small_writes_wait_for_delayed_acknowledgements() -> None:
    client, server = observed([*_stall(100, 1004, 40), *_stall(300, 1012, 200)])
    assert server.stalls is None
    stalls = client.stalls
    assert stalls is not None
    assert stalls.count == 2
    assert (stalls.first.first.number, stalls.first.last.number) == (5, 7)
    assert ms(stalls.total_ns) == pytest.approx(240.2)


@pytest.mark.parametrize(
    ("delay", "released"), [(20, 0.1), (100, 0.1), (40, 30)], ids=["soon", "no delay of a system", "not at once"]
)
def test_other_pauses_are_no_stalls(delay: float, released: float) -> None:
    client, _ = observed(_stall(100, 1004, delay, released))
    assert client.stalls is None


def test_small_segments_one_behind_the_other_show_that_nothing_is_held_back() -> None:
    pair = [Sent(C, "PA", 1004, b"abcd", ack=5000, at_ms=100), Sent(C, "PA", 1008, b"abcd", ack=5000, at_ms=141)]
    client, server = observed([*pair, Sent(S, "A", 5000, ack=1012, at_ms=142)])
    assert (client.unheld, server.unheld) == (2, 0)  # the first of them right behind the request
    between = Sent(S, "A", 5000, ack=1008, at_ms=120)
    client, _ = observed([Sent(S, "A", 5000, ack=1004, at_ms=50), pair[0], between, pair[1]])
    assert client.unheld == 0
    client, _ = observed([pair[0], Sent(C, "PA", 1004, b"abcd", ack=5000, at_ms=130)])  # sent again
    assert client.unheld == 1


# ---------------------------------------------------------------- resets


def test_a_reset_has_the_hop_limit_of_its_sender_or_another() -> None:
    _, server = observed(
        [Sent(S, "PA", 5000, b"HTTP", ack=1004, at_ms=10), Sent(S, "R", 5004, at_ms=20)], ttls=[64, 63, 64, 64, 63, 57]
    )
    assert server.reset is not None
    assert server.reset.place == PacketRef(6, 20_000_000)
    assert (server.reset.ttl, server.reset.usual_ttl) == (57, 63)


def test_what_was_in_flight_after_a_reset_does_not_count() -> None:
    late = [Sent(C, "PA", 1004, b"more", ack=5000, at_ms=30), Sent(C, "PA", 1004, b"more", ack=5000, at_ms=40)]
    client, _ = observed([Sent(S, "R", 5000, at_ms=20), *late])
    assert (client.segments, client.repeats) == (1, 0)
