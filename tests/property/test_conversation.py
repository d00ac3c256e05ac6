"""Proxies in front of anything: PROXY headers, tunnels in tunnels, what is in them. Nothing raises, every byte is
accounted for, and neither the joining of packets nor the size of batches changes anything."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.events import Events
from eiosniff.decode.http1.connection import Upgrade
from eiosniff.decode.http1.proxy_protocol import ProxyHeader
from eiosniff.decode.stack import Stack
from eiosniff.decode.tcp.flow import Flow
from eiosniff.model.http import HttpRequest, HttpResponse
from eiosniff.model.provenance import Endpoint, PacketRef, Side
from eiosniff.model.session import Connection
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Desync, Gap
from tests.records import flat
from tests.streams import Sent, batches, ledgers, packets, record_events
from tests.unit.decode.http1_talk import C, End, Hole, Item, S, Told, joined, told

pytestmark = pytest.mark.interpreted

V2 = b"\r\n\r\n\0\r\nQUIT\n"
OPENING = b'0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'
HEADERS = [
    b"",
    b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n",
    b"PROXY UNKNOWN\r\n",
    b"PROXY TCP4 1.2.3\r\n",
    b"PROXY " + b"x" * 110,
    V2 + b"\x21\x11\0\x0c" + bytes(12),
    V2 + b"\x20\0\0\0",
    V2 + b"\x31\x11\0\x04abcd",
    V2 + b"\x21\x21\xff\xff",
    V2[:5],
]
ASKED = [
    b"CONNECT a:80 HTTP/1.1\r\n\r\n",
    b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /?EIO=4&sid=a HTTP/1.1\r\n\r\n",
    b"GET http://a/socket.io/?EIO=4&transport=polling HTTP/1.0\r\n\r\n",
    b"POST /?EIO=4&sid=a HTTP/1.1\r\nContent-Length: 2\r\n\r\n40",
    b"GET /?EIO=4&transport=websocket HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
    *[b"\x16\x03\x01\x00\x01\x01", b"\x81\x81\0\0\0\x002", b"SSH-2.0\r\n", b"G", b"P", b"\r\n", b"\0"],
]
ANSWERED = [
    b"HTTP/1.1 200 Connection established\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n",
    b"HTTP/1.1 101 X\r\nUpgrade: h2c\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nno colon\r\nTransfer-Encoding: chunked\r\n\r\n2\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(OPENING) + OPENING,
    *[b"\x16\x03\x03\x00\x01\x02", b"\x81\x012", b"H", b"220 mail\r\n", b"\0"],
]


@st.composite
def talks(draw: st.DrawFn) -> list[Item]:
    """Packets of both sides with such things in them, cut anywhere, with holes."""
    said: list[C] = []
    for _ in range(draw(st.integers(1, 7))):
        said.append(C(draw(st.sampled_from(ASKED))))
        if draw(st.integers(0, 5)):
            said.append(S(draw(st.sampled_from(ANSWERED))))
    said[0].data = draw(st.sampled_from(HEADERS)) + said[0].data
    items: list[Item] = []
    for packet in said:
        what = draw(st.integers(0, 11))
        cut = draw(st.integers(0, len(packet.data)))
        if what == 0:
            items.append(Hole(packet.side, len(packet.data)))
        elif what < 6:
            items += [type(packet)(piece) for piece in (packet.data[:cut], packet.data[cut:]) if piece]
        else:
            items.append(packet)
    kinds = st.sampled_from([EndKind.FIN, EndKind.CAPTURE_ENDED])
    ends = draw(st.permutations([End(side, draw(kinds)) for side in Side]))
    return [*items, *ends]


def _converse(said: Sequence[Told], proxied: bool) -> tuple[Conversation, list[object]]:
    place, crashes = PacketRef(1, 1), []
    ledger = Connection(0, Endpoint("10.0.0.1", 40_000), Endpoint("10.0.0.2", 3000), place, place)
    conversation = Conversation.over_http(
        Flow((1, 2), place, place), ledger, Events(), lambda _, bug: crashes.append(bug), proxied
    )
    for each in said:
        if isinstance(each, StreamChunk):
            conversation.chunk(each)
        elif isinstance(each, Gap):
            conversation.gap(each)
        else:
            conversation.end(each)
    assert not crashes
    events = conversation.events
    return conversation, [(order, flat(record)) for order, record in zip(events.orders, events.records, strict=True)]


@given(talks(), st.booleans())
def test_every_byte_is_accounted_for_however_packets_are_joined(items: list[Item], proxied: bool) -> None:
    packets_told = told(items)
    conversation, found = _converse(packets_told, proxied)
    assert _converse(list(joined(packets_told)), proxied)[1] == found
    records = conversation.events.records
    switches = [
        at
        for at, record in enumerate(records)
        if isinstance(record, Upgrade) and (record.request is None or record.request.method != b"CONNECT")
    ]
    over_http = records[: switches[0]] if switches else records
    tunnel = conversation.tunnel
    for side in Side:
        mine = [each for each in packets_told if each.side is side and not isinstance(each, StreamEnd)]
        size = sum(len(each.data) if isinstance(each, StreamChunk) else each.length for each in mine)
        spans = [
            (record.start, record.end)
            for record in over_http
            if isinstance(record, HttpRequest | HttpResponse | Desync | ProxyHeader) and record.side is side
        ]
        if switches or conversation.inside is not None:  # the rest is for WebSocket or HTTP/2 to account for
            spans.append((max((end for _, end in spans), default=0), size))
        elif tunnel is not None and conversation.http is None:  # so is what is in a tunnel, and is not HTTP
            spans.append((tunnel.starts[side], size))
        spans += [(each.offset, each.offset + each.length) for each in mine if isinstance(each, Gap)]
        at = 0
        for start, end in sorted(spans):
            assert start <= at, f"{side.label}: [{at}, {start}) is not accounted for"
            at = max(at, end)
        assert at == size, f"{side.label}: [{at}, {size}) is not accounted for"


def _sent(items: list[Item]) -> list[Sent]:
    """The same as segments of a connection, with its handshake."""
    next_seq = [1001, 5001]
    sent = [Sent(Side.CLIENT, "S", 1000), Sent(Side.SERVER, "SA", 5000, ack=1001)]
    for item in items:
        if isinstance(item, Hole):
            next_seq[item.side] += item.length
        elif isinstance(item, C):
            sent.append(Sent(item.side, "A", next_seq[item.side], item.data, next_seq[1 - item.side]))
            next_seq[item.side] += len(item.data)
        elif item.kind is EndKind.FIN:
            sent.append(Sent(item.side, "FA", next_seq[item.side], ack=next_seq[1 - item.side]))
            next_seq[item.side] += 1
    return sent


@given(talks(), st.lists(st.integers(0, 40), max_size=6))
def test_batches_do_not_matter(items: list[Item], cuts: list[int]) -> None:
    sent = _sent(items)
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
