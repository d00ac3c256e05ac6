"""Whatever the network and the capture do to segments: the bytes are right, all of them are accounted for, and nothing
depends on how the input is cut into batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiosniff.capture.source import open_source
from eiosniff.decode.stack import Stack
from eiosniff.model.batch import PacketBatch
from eiosniff.model.provenance import Side
from eiosniff.model.session import MAX_SESSIONS
from eiosniff.model.summary import CaptureSummary
from tests.records import flat
from tests.streams import RECORDED, Follower, Sent, as_let_go, batches, ledgers, plain, record_events, segments

pytestmark = pytest.mark.interpreted

MODULUS = 1 << 32


@dataclass
class Talk:
    """A connection with random bytes in both directions, as captured: in pieces, repeated, out of order."""

    said: list[bytes]
    sent: list[Sent]
    lossy: bool


@st.composite
def talks(draw: st.DrawFn, lossy: bool = False) -> Talk:
    said = [draw(st.binary(min_size=1, max_size=60)) for _ in Side]
    first = [draw(st.sampled_from([0, 1000, MODULUS - 20, MODULUS // 2 - 10])) for _ in Side]
    pieces: list[Sent] = []
    for side in Side:
        cuts = sorted({0, len(said[side]), *draw(st.lists(st.integers(0, len(said[side])), max_size=8))})
        spans = list(pairwise(cuts))
        spans += draw(st.lists(st.sampled_from(spans), max_size=3))  # repeated as they were
        for start in draw(st.lists(st.integers(0, len(said[side]) - 1), max_size=3)):  # cut in another way
            spans.append((start, draw(st.integers(start + 1, len(said[side])))))
        if lossy:
            spans = [span for span in spans if draw(st.integers(0, 3))]
        for start, end in spans:
            data = said[side][start:end]
            wire = len(data)
            if lossy and not draw(st.integers(0, 5)):
                data = data[: draw(st.integers(0, len(data)))]
            pieces.append(Sent(side, "A", first[side] + 1 + start, data, wire=wire))
    pieces = draw(st.permutations(pieces))
    if lossy:
        for piece in pieces:
            piece.ack = first[1 - piece.side] + 1 + draw(st.integers(0, len(said[1 - piece.side])))
    else:  # an acknowledgement of what the receiver had got by then, so that no hole is given up
        have: list[set[int]] = [set(), set()]
        for piece in pieces:
            own, other = have[piece.side], have[1 - piece.side]
            start = piece.seq - first[piece.side] - 1
            own.update(range(start, start + len(piece.data)))
            piece.ack = first[1 - piece.side] + 1 + next(at for at in range(100) if at not in other)
    hello = [
        Sent(Side.CLIENT, "S", first[Side.CLIENT]),
        Sent(Side.SERVER, "SA", first[Side.SERVER], ack=first[Side.CLIENT] + 1),
    ]
    goodbye = [Sent(side, "FA", first[side] + 1 + len(said[side]), ack=first[1 - side] + 1) for side in Side]
    late = draw(st.integers(0, len(pieces)))
    pieces.insert(late, goodbye.pop())
    sent = [*(hello if draw(st.booleans()) or not lossy else []), *pieces, *goodbye]
    if draw(st.booleans()):
        sent = sent + sent[len(sent) // 2 :]  # all that again
    pause = draw(st.sampled_from([1, 1, 30, 3000])) if lossy else 1
    for at, each in enumerate(sent):
        each.at_ms = float(at * pause)
    return Talk(said, sent, lossy)


def _outcome(sent: list[Sent], cuts: list[int], apart: bool = True) -> tuple[Follower, object]:
    follower = Follower(apart=apart)
    for start, stop in batches(cuts, len(sent)):
        follower.table.feed(segments(sent[start:stop], start + 1))
    follower.table.close()
    outcome = [
        (
            each.flow.stream,
            [(each.packets(side), each.data(side), each.gaps[side], each.ends[side]) for side in Side],
            (each.closed, each.retransmissions, each.resets, each.flow.last, each.flow.first),
        )
        for each in follower.connections
    ]
    return follower, (flat(outcome), follower.set_aside_packets, follower.set_aside_bytes)


CUTS = st.lists(st.integers(0, 1000), max_size=8)


@given(talks(), CUTS)
def test_segments_in_any_order_are_the_same_bytes(talk: Talk, cuts: list[int]) -> None:
    follower, _ = _outcome(talk.sent, cuts)
    (each,) = follower.connections
    assert [each.data(side) for side in Side] == talk.said
    assert not any(each.gaps)


@given(talks(lossy=True), CUTS)
def test_captured_bytes_are_at_their_place_and_the_rest_is_gaps(talk: Talk, cuts: list[int]) -> None:
    """`Followed` asserts that chunks and gaps tile each stream from its beginning."""
    follower, _ = _outcome(talk.sent, cuts)
    for each in follower.connections:
        if each.flow.midstream:
            continue  # offsets count from the first captured byte, wherever that was
        for side in Side:
            for found, said in zip(each.data(side), talk.said[side], strict=False):
                assert found in (said, ord("?"))
            assert each.length(side) <= len(talk.said[side])


@given(talks(lossy=True), CUTS)
def test_connections_do_not_depend_on_batches(talk: Talk, cuts: list[int]) -> None:
    expected = _outcome(talk.sent, [])[1]
    assert _outcome(talk.sent, cuts)[1] == expected
    assert _outcome(talk.sent, cuts, apart=False)[1] == expected


# ---------------------------------------------------------------------- the whole stack, with recorded packets

CONVERSATIONS = (
    "healthy/node-4.8.4--node-4.8.4--polling.pcap.gz",
    "healthy/node-4.8.4--node-4.8.4--upgrade.pcap.gz",
    "healthy/node-2.5.1--node-2.5.0--websocket.pcap.gz",
    "faulty/eio-unsupported-ws-v2-client-v4-server.pcap",
    "faulty/connect-loop-kicked-raw-500ms.pcap",
    "faulty/no-backoff-refused-raw-500ms.pcap",
    "faulty/capture-snaplen-96.pcap",
    "proxied/haproxy-send-proxy-server-hop.pcap",
    "proxied/haproxy-send-proxy-v2-server-hop.pcap",
    "proxied/squid-python-client-hop.pcap",
    "proxied/tinyproxy-connect-client-hop.pcap",
)
Event = tuple[int, Any]  # the connection, and a record as plain values
MOST = 120  # packets of a conversation


@cache
def _packets(name: str) -> PacketBatch:
    with open_source(str(RECORDED / name)) as source:
        batch = next(iter(source.batches()))
        batch.buffer = bytes(batch.buffer)
        return batch


def _pick(batch: PacketBatch, rows: list[int], start: int, pauses: Sequence[tuple[int, int]] = ()) -> PacketBatch:
    """These packets, in this order, captured at the times of the first ones, but for pauses after some of them."""
    count = len(rows)
    numbers = np.arange(start + 1, start + count + 1, dtype=np.int64)
    times = batch.ts_ns[0] + 5_000_000 * numbers
    for number, pause_ns in pauses:
        times[numbers > number] += pause_ns
    columns = (batch.offset[rows], batch.captured[rows], batch.wire[rows], batch.link_type[rows])
    return PacketBatch(numbers, times, *columns, batch.buffer)


@st.composite
def captures(draw: st.DrawFn) -> tuple[str, list[int]]:
    """Packets of a recording: some lost, some twice, some later than they were."""
    name = draw(st.sampled_from(CONVERSATIONS))
    count = min(len(_packets(name)), MOST)
    rows = list(range(draw(st.integers(0, count // 4)), count))
    for at in draw(st.lists(st.integers(0, count), max_size=6)):
        place = at % len(rows)
        what = draw(st.sampled_from(["lose", "repeat", "delay"]))
        if what == "lose":
            del rows[place]
        else:
            row = rows[place] if what == "repeat" else rows.pop(place)
            rows.insert(place + draw(st.integers(1, 12)), row)
        if not rows:
            break
    return name, rows


def _decoded(
    name: str,
    rows: list[int],
    cuts: Sequence[int],
    most: int = MAX_SESSIONS,
    pauses: Sequence[tuple[int, int]] = (),
) -> tuple[list[Event], object, object]:
    stack = Stack(CaptureSummary(name), most=most)
    events = record_events(stack)
    retired: list[object] = []
    for start, stop in batches(cuts, len(rows)):
        stack.feed(_pick(_packets(name), rows[start:stop], start, pauses))
        retired.extend(as_let_go(entry.ledger) for entry in stack.retired())
    stack.close()
    retired.extend(as_let_go(entry.ledger) for entry in stack.retired())
    assert not stack.crashes
    return events, ledgers(stack), retired


@given(captures(), st.one_of(CUTS, st.just(range(2 * MOST))))
def test_the_result_does_not_depend_on_batches(capture: tuple[str, list[int]], cuts: Sequence[int]) -> None:
    name, rows = capture
    events, found, _ = _decoded(name, rows, cuts)
    expected_events, expected, _ = _decoded(name, rows, [])
    assert events == expected_events
    assert found == expected


@given(captures(), st.one_of(CUTS, st.just(range(2 * MOST))))
def test_what_is_let_go_does_not_depend_on_batches(capture: tuple[str, list[int]], cuts: Sequence[int]) -> None:
    name, rows = capture
    _, found, retired = _decoded(name, rows, cuts, most=1)
    _, expected, expected_retired = _decoded(name, rows, [], most=1)
    assert retired == expected_retired
    assert found == expected


MINUTE = 60_000_000_000
PAUSES = st.lists(
    st.tuples(st.integers(0, MOST), st.sampled_from([3 * MINUTE, 5 * MINUTE, 50 * MINUTE, 130 * MINUTE])), max_size=8
)
SET_BACK = st.lists(st.tuples(st.integers(0, MOST), st.just(-MINUTE)), max_size=1)


@given(captures(), st.one_of(CUTS, st.just(range(2 * MOST))), PAUSES, SET_BACK)
def test_what_is_over_unseen_does_not_depend_on_batches(
    capture: tuple[str, list[int]], cuts: Sequence[int], pauses: list[tuple[int, int]], back: list[tuple[int, int]]
) -> None:
    """Connections are silent for so long that they are over."""
    name, rows = capture
    pauses = pauses + back
    for most in (1, MAX_SESSIONS):
        events, found, retired = _decoded(name, rows, cuts, most, pauses)
        expected_events, expected, expected_retired = _decoded(name, rows, [], most, pauses)
        assert events == expected_events
        assert found == expected
        assert retired == expected_retired


def test_ledgers_as_values() -> None:
    """What these tests compare is all that there is: a ledger within a ledger, a repeated one, and running figures."""
    summary = CaptureSummary("a")
    kind, entries = plain(summary)
    assert kind == "CaptureSummary"
    assert dict(entries)["set_aside_packets"] == 0
    assert plain([summary, summary])[1] == "#0"
