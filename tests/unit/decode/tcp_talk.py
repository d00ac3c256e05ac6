"""Segments of connections, followed in all ways of cutting them; all must say the same."""

from collections.abc import Callable, Sequence

from eiosniff.model.provenance import Side
from eiosniff.model.tcp import EndKind
from tests.records import flat
from tests.streams import Followed, Follower, Sent, follow

C, S = Side.CLIENT, Side.SERVER
HELLO = [Sent(C, "S", 999), Sent(S, "SA", 4999, ack=1000), Sent(C, "A", 1000, ack=5000)]
REQUEST, ANSWER = b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"
ASKED, ANSWERED = 1000 + len(REQUEST), 5000 + len(ANSWER)
TALK = [Sent(C, "PA", 1000, REQUEST, ack=5000), Sent(S, "PA", 5000, ANSWER, ack=ASKED)]
GOODBYE = [Sent(C, "FA", ASKED, ack=ANSWERED), Sent(S, "FA", ANSWERED, ack=ASKED + 1)]


def followed(sent: Sequence[Sent], choose: Callable[[bytes], bool] = lambda _: True) -> Follower:
    """What becomes of segments, which does not depend on batches, nor on whether the sides are read apart."""
    whole = follow(sent, choose=choose)
    for size in (1, 2, 3, 50_000):
        for apart in (True, False):
            parts = follow(sent, size, choose=choose, apart=apart)
            assert _said(parts) == _said(whole)
    return whole


def _said(follower: Follower) -> object:
    return follower.set_aside_packets, follower.set_aside_bytes, [_all(each) for each in follower.connections]


def _all(each: Followed) -> object:
    sides = [(each.packets(side), each.data(side), each.gaps[side], each.ends[side]) for side in Side]
    flow = each.flow
    ledger = flow.stream, flow.first, flow.last, flow.midstream, flow.syn_repeats, flow.reset, flow.client
    return flat((sides, each.closed, each.retransmissions, each.resets, ledger))


def one(sent: Sequence[Sent]) -> Followed:
    (each,) = followed(sent).connections
    return each


def kinds(each: Followed) -> list[EndKind | None]:
    return [end.kind if end else None for end in each.ends]


def shifted(sent: Sequence[Sent], by: int) -> list[Sent]:
    return [Sent(each.side, each.flags, each.seq + by, each.data, each.ack + by if each.ack else 0) for each in sent]


NEW = {
    "other numbers": shifted([*HELLO, *TALK, *GOODBYE], 500_000),
    "the same numbers": [*HELLO, *TALK, *GOODBYE],
    "the numbers that come next": shifted([*HELLO, *TALK, *GOODBYE], len(REQUEST) + 2),
}
