"""HTTP/2: nothing raises, frames and holes tile the stream, and neither packets nor batches change what is read."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiosniff.decode.http2.frames import PREFACE, Data, Frame, FrameReader
from eiosniff.decode.stack import Stack
from eiosniff.model.provenance import PacketRef
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Desync, Gap, GapReason
from tests.streams import Sent, batches, ledgers, packets, record_events
from tests.unit.decode.http2_talk import OPENING, SETTINGS, C, Peer, S, Talk, frame

pytestmark = pytest.mark.interpreted

SAYINGS = st.one_of(
    st.builds(
        frame,
        st.integers(0, 12),
        st.sampled_from([0, 1, 1, 3, 5, 2**31 - 1]),
        st.binary(max_size=40),
        st.sampled_from([0, 1, 4, 5, 8, 9, 0x20, 0x2D, 0xFF]),
    ),
    st.binary(max_size=30),
    st.sampled_from([PREFACE, SETTINGS, b"\xff\xff\xff\0\0\0\0\0\1"]),
)


def talk_of(client: Peer, server: Peer) -> list[tuple[int, bytes]]:
    """A session by polling, and a WebSocket, as packets of both sides."""
    return [
        (0, PREFACE + SETTINGS),
        (1, SETTINGS),
        (0, client.ask(1)),
        (1, server.answer(1, OPENING)),
        (0, client.ask(3, "/socket.io/?EIO=4&transport=polling&sid=a", "POST", b"40")),
        (0, client.ask(5, "/socket.io/?EIO=4&transport=polling&sid=a")),
        (1, server.answer(3, b"ok")),
        (1, server.answer(5, b'40{"sid":"x"}')),
        (0, client.connect(7, "/socket.io/?EIO=4&transport=websocket&sid=a")),
        (1, server.head(7, [(":status", "200")], last=False)),
        (0, frame(0, 7, b"\x81\x86\0\0\0\x002probe")),
        (1, frame(0, 7, b"\x81\x063probe")),
        (0, frame(0, 7, b"\x81\x81\0\0\0\x005")),
        (1, frame(0, 7, b'\x81\x0742["a"]')),
        (0, frame(3, 7, b"\0\0\0\x08")),
    ]


@given(st.lists(st.tuples(st.sampled_from([C, S]), SAYINGS, st.integers(0, 9)), max_size=20))
def test_nothing_raises(said: list[tuple[object, bytes, int]]) -> None:
    talk = Talk()
    for side, data, lost in said:
        if data:
            talk.say(side, data)  # type: ignore[arg-type]
        if lost == 9:
            talk.lose(side, len(data) + 1)  # type: ignore[arg-type]
    talk.end()
    assert not talk.crashes


@given(st.lists(st.tuples(SAYINGS, st.integers(0, 60)), max_size=12))
def test_frames_and_holes_tile_the_stream(said: list[tuple[bytes, int]]) -> None:
    reader, at, number = FrameReader(S), 0, 0
    spans: list[tuple[int, int]] = []
    for data, lost in said:
        number += 1
        found = list(reader.feed(StreamChunk(S, at, data, [0], [number], [number]))) if data else []
        at += len(data)
        if lost > 50:
            number += 1
            found += reader.gap(Gap(S, at, lost, GapReason.NOT_CAPTURED, PacketRef(number, number)))
            at += lost
        spans += [(event.start, event.end) for event in found if isinstance(event, Desync | Frame)]
        assert all(event.chunk or event.gap or event.last for event in found if isinstance(event, Data))
    spans += [
        (event.start, event.end)
        for event in reader.end(StreamEnd(S, EndKind.FIN, PacketRef(number + 1, 1)))
        if isinstance(event, Desync)
    ]
    assert reader.start == at
    assert all(one[1] <= other[0] for one, other in zip(sorted(spans), sorted(spans)[1:], strict=False))


@given(st.lists(st.integers(1, 60), min_size=40, max_size=40))
def test_packets_do_not_matter(sizes: list[int]) -> None:
    outcomes = []
    for cuts in (sizes, []):
        talk, at = Talk(), 0
        for side, data in talk_of(Peer(), Peer()):
            talk.say_in_pieces((C, S)[side], data, cuts[at : at + 2])
            at += 2
        talk.end()
        outcomes.append([_said(record) for record in talk.records])
        assert not talk.crashes
    assert outcomes[0] == outcomes[1]


def _said(record: object) -> tuple[object, ...]:
    """What a record says, without where it was."""
    names = ("method", "target", "status", "head", "body", "payload", "kind", "code", "opcode", "complete", "side")
    return type(record).__name__, *(getattr(record, name, None) for name in names)


def _sent(said: Sequence[tuple[int, bytes]], lost: set[int]) -> list[Sent]:
    next_seq = [1001, 5001]
    sent = [Sent(C, "S", 1000), Sent(S, "SA", 5000, ack=1001)]
    for at, (side, data) in enumerate(said):
        if at not in lost:
            sent.append(Sent((C, S)[side], "A", next_seq[side], data, next_seq[1 - side]))
        next_seq[side] += len(data)
    sent += [Sent(C, "FA", next_seq[0], ack=next_seq[1]), Sent(S, "FA", next_seq[1], ack=next_seq[0] + 1)]
    return sent


@given(st.lists(st.integers(0, 20), max_size=6), st.sets(st.integers(2, 14), max_size=2))
def test_batches_do_not_matter(cuts: list[int], lost: set[int]) -> None:
    sent = _sent(talk_of(Peer(), Peer()), lost)
    outcomes = []
    for places in (cuts, [], range(len(sent))):
        stack = Stack(CaptureSummary("a"))
        events = record_events(stack)
        for start, stop in batches(places, len(sent)):
            stack.feed(packets(sent[start:stop], start + 1))
        stack.close()
        assert not stack.crashes
        outcomes.append((events, ledgers(stack)))
    assert outcomes[0] == outcomes[1] == outcomes[2]


def test_the_session_of_that_talk() -> None:
    stack = Stack(CaptureSummary("a"))
    stack.feed(packets(_sent(talk_of(Peer(), Peer()), set())))
    stack.close()
    (session,) = stack.sessions.sessions
    assert [transport.value for transport in session.transports] == ["polling", "websocket"]
    assert session.upgraded is not None
    assert session.closing is not None
    assert {use.stream for use in session.connections} == {0}
    assert stack.summary.connections == stack.summary.engineio_connections == 1
