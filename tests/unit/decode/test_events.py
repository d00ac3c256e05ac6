"""In which order the session layer gets what the connections of a batch told."""

import pytest

from eiosniff.decode.stack import Stack
from eiosniff.model.provenance import Side
from eiosniff.model.summary import CaptureSummary
from tests.streams import CLIENT, Sent, packets, record_events
from tests.unit.decode.tcp_talk import ANSWERED, ASKED, HELLO, REQUEST, TALK

pytestmark = pytest.mark.interpreted

C, S = Side.CLIENT, Side.SERVER


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_what_a_packet_shows_of_another_connection_comes_after_what_it_brought(size: int) -> None:
    """A second after a reset nothing of that connection is waited for any more: the request of another shows it."""
    reset = [Sent(C, "A", ASKED + 4, b"held", at_ms=10), Sent(S, "R", ANSWERED, at_ms=11)]
    other = [
        Sent(C, "S", 99, client=CLIENT + 1, at_ms=12),
        Sent(S, "SA", 199, ack=100, client=CLIENT + 1, at_ms=13),
        Sent(C, "A", 100, REQUEST, ack=200, client=CLIENT + 1, at_ms=2000),
    ]
    sent = [*HELLO, *TALK, *reset, *other, Sent(C, "A", ASKED, b"late", at_ms=2001)]
    stack = Stack(CaptureSummary("a"))
    events = record_events(stack)
    for at in range(0, len(sent), size):
        stack.feed(packets(sent[at : at + size], at + 1))
    stack.close()
    told = [(stream, record[0]) for stream, record in events]
    request = told.index((1, "HttpRequest"))
    assert told[request + 1] == (0, "Gap")
