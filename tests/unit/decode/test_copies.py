"""Packets that were captured twice are told from packets that were sent twice, wherever batches are cut."""

from collections.abc import Sequence

import numpy as np
import pytest

from eiosniff.decode.tcp.copies import WINDOW
from eiosniff.decode.tcp.flow import Flow
from eiosniff.model.provenance import Side
from tests.streams import Follower, Sent, segments

pytestmark = pytest.mark.interpreted

C, S = Side.CLIENT, Side.SERVER
HELLO = [Sent(C, "S", 999), Sent(S, "SA", 4999, ack=1000), Sent(C, "A", 1000, ack=5000)]
REQUEST = b"GET / HTTP/1.1\r\n\r\n"
ASKED = Sent(C, "PA", 1000, REQUEST, ack=5000)


def one(sent: Sequence[Sent], times_ms: Sequence[float], ids: Sequence[int] = (), ttls: Sequence[int] = ()) -> Flow:
    """The one connection that segments of these times (and identifications) are, the same for any size of batches."""
    timed = [
        Sent(each.side, each.flags, each.seq, each.data, each.ack, at) for each, at in zip(sent, times_ms, strict=True)
    ]
    flows = []
    for size in (1, 2, 3, 50_000):
        follower = Follower()
        for at in range(0, len(timed), size):
            part = segments(timed[at : at + size], at + 1, identification=ids[at : at + size] if ids else None)
            if ttls:
                part.ttl = np.array(ttls[at : at + size], np.int64)
            follower.table.feed(part)
        follower.table.close()
        (followed,) = follower.connections
        flows.append(followed.flow)
        assert followed.data(C) == REQUEST
    assert len({(flow.copied, flow.copy, flow.syn_repeats, _counts(flow)) for flow in flows}) == 1
    return flows[0]


def _counts(flow: Flow) -> tuple[int, int]:
    """Retransmissions and copies, of the client."""
    direction = flow.direction(C)
    return direction.retransmissions, direction.duplicates


def test_every_packet_twice() -> None:
    sent = [each for each in [*HELLO, ASKED] for _ in range(2)]
    flow = one(sent, [0, 0.02, 1, 1.02, 2, 2.02, 3, 3.02], [7, 7, 0, 0, 8, 8, 9, 9])
    assert _counts(flow) == (0, 1)
    assert (flow.syn_repeats, flow.copied) == (0, len(REQUEST))
    assert flow.copy is not None
    assert flow.copy.number == 8


def test_three_times_and_behind_a_router() -> None:
    flow = one([*HELLO, ASKED, ASKED, ASKED], [0, 1, 2, 3, 3.1, 3.2], [1, 0, 2, 3, 3, 3], [64, 64, 64, 64, 63, 62])
    assert _counts(flow) == (0, 2)


@pytest.mark.parametrize(
    ("later_ms", "identification", "expected"),
    [
        (0.5, (5, 5), (0, 1)),
        (150, (5, 5), (0, 1)),  # a mirror that is slow
        (250, (5, 5), (1, 0)),  # a sender that does not count packets sends it again
        (0.5, (5, 6), (1, 0)),  # sent again at once, as for three duplicate acknowledgements
        (0.5, (0, 0), (0, 1)),  # no identification
        (1.5, (0, 0), (1, 0)),
        (210, (0, 0), (1, 0)),
    ],
)
def test_what_tells_them_apart(later_ms: float, identification: tuple[int, int], expected: tuple[int, int]) -> None:
    flow = one([*HELLO, ASKED, ASKED], [0, 1, 2, 3, 3 + later_ms], [1, 0, 2, *identification])
    assert _counts(flow) == expected


def test_another_acknowledgement_is_another_packet() -> None:
    again = Sent(C, "PA", 1000, REQUEST, ack=5001)
    assert _counts(one([*HELLO, ASKED, again], [0, 1, 2, 3, 3.1], [1, 0, 2, 5, 5])) == (1, 0)


def test_a_copy_that_comes_too_many_packets_later() -> None:
    between = [Sent(S, "A", 5000, ack=1000 + len(REQUEST))] * WINDOW
    ids = [1, 0, 2, 5, *[0] * WINDOW, 5]
    times = [0, 1, 2, 3, *[3.01] * WINDOW, 3.02]
    assert _counts(one([*HELLO, ASKED, *between, ASKED], times, ids)) == (1, 0)
    assert _counts(one([*HELLO, ASKED, *between[1:], ASKED], times[1:], ids[:-2] + ids[-1:])) == (0, 1)


def test_a_syn_that_is_sent_again_is_no_copy() -> None:
    flow = one([HELLO[0], HELLO[0], *HELLO[1:], ASKED], [0, 1000, 1001, 1002, 1003], [5, 6, 0, 7, 8])
    assert flow.syn_repeats == 1


def test_the_copy_of_a_refused_syn_is_no_second_try() -> None:
    """On the way back the packets may be seen in another order."""
    refused = [HELLO[0], Sent(S, "RA", 0, ack=1000), HELLO[0], Sent(S, "RA", 0, ack=1000)]
    for size in (1, 2, 4):
        follower = Follower()
        for at in range(0, 4, size):
            times = [0, 0.1, 0.2, 0.3]
            part = [
                Sent(each.side, each.flags, each.seq, ack=each.ack, at_ms=time)
                for each, time in zip(refused[at : at + size], times[at : at + size], strict=True)
            ]
            follower.table.feed(segments(part, at + 1, identification=[5, 0, 5, 0][at : at + size]))
        follower.table.close()
        assert len(follower.connections) == 1
