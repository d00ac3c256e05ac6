"""Memory does not grow with the capture: what is over, and what was said, leaves only figures in the ledgers.

Live objects are counted, not the memory of the process: that has its own ups and downs.
"""

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from eiosniff.capture.source import open_source
from eiosniff.decode import stack
from eiosniff.decode.sessions import register, roster
from eiosniff.decode.stack import Stack
from eiosniff.decode.tcp import connects, gone, idle, opaque_ledger
from eiosniff.model.session import MAX_SESSIONS
from eiosniff.model.summary import CaptureSummary
from tests.bench import traffic
from tests.bench.hours import unended
from tests.bench.stream_source import SID, Copies, Messages, Source, handshake
from tests.bench.template import Bytes, Template, Truth, records, stamps
from tests.bench.traffic import CLIENT, SERVER, FlowWriter

pytestmark = pytest.mark.interpreted

Growth = Callable[..., tuple[int, int]]

BLOCKS = 10  # until the first measurement; then three times as many until the second
EXCHANGES, CONNECTIONS = 20, 10  # in a block
KEPT = 20  # sessions, clients and servers
MOST_OBJECTS, MOST_BYTES = 60, 20_000  # by which the second measurement may exceed the first
# The same of connections whose end nobody sees: they are let go so many at a time.
MOST_WAITING_OBJECTS, MOST_WAITING_BYTES = 500, 60_000


class Polls(Source):
    """Messages of one session by polling: over one connection, or each request over its own."""

    def __init__(self, *, many_connections: bool) -> None:
        super().__init__()
        self._many_connections = many_connections
        self._port = 30_000
        self._flow = FlowWriter(self._port, 3000)
        self._packets: list[bytes] = []
        self._times_ns: list[int] = []
        opening = b'0{"sid":"%s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}' % SID
        self._poll(b"", opening + b'\x1e40{"sid":"abcdefghijklmnopqrst"}')

    def block(self) -> Bytes:
        for _ in range(EXCHANGES):
            if self._many_connections:
                self._flow.close()
                self._take()
                self._port += 1
                self._flow = FlowWriter(self._port, 3000, self._flow.now_ns)
            self._poll(b"&sid=" + SID, b'42["tick",{"at":1}]')
        self._take()
        known, starts, _ = records(self._packets)
        data = known.copy()
        data[starts[:, None] + np.arange(8)] = stamps(self.now_ns + np.array(self._times_ns)).reshape(-1, 8)
        self.truth.add(Truth(len(starts)), 1)
        self._packets.clear()
        self._times_ns.clear()
        return data

    def _take(self) -> None:
        """What was written of the connection at hand."""
        self._packets += self._flow.packets
        self._times_ns += self._flow.times_ns
        self._flow.packets.clear()
        self._flow.times_ns.clear()

    def _poll(self, query: bytes, body: bytes) -> None:
        self._flow.say(
            CLIENT, b"GET /socket.io/?EIO=4&transport=polling%s HTTP/1.1\r\nHost: ticks.example:3000\r\n\r\n" % query
        )
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body)
        self._flow.say(SERVER, head + body)


def _tls() -> Template:
    return traffic.tls(14, np.random.default_rng(1))


def _rest() -> Template:
    return traffic.rest(8, np.random.default_rng(1))


def _copies(template: Callable[[], Template], *, one_client: bool) -> Callable[[], Source]:
    return lambda: Copies(template(), one_client=one_client, at_once=CONNECTIONS)


def _without_end(template: Callable[[], Template]) -> Callable[[], Template]:
    return lambda: unended(template())


def _syn() -> Template:
    flow = FlowWriter(40_000, 3000)
    return Template(flow.packets[:1], flow.times_ns[:1], Truth(1, 1), [])


FLAT: dict[str, Callable[[], Source]] = {
    "messages over WebSocket": lambda: Messages(EXCHANGES),
    "messages by polling over one connection": lambda: Polls(many_connections=False),
    "messages by polling with a connection for each request": lambda: Polls(many_connections=True),
    "connections that look like TLS, of one client": _copies(_tls, one_client=True),
    "connections that look like TLS, of many clients": _copies(_tls, one_client=False),
    "connections of other HTTP, of one client": _copies(_rest, one_client=True),
    "connections of other HTTP, of many clients": _copies(_rest, one_client=False),
    "sessions that nobody comes back to, of one client": _copies(handshake, one_client=True),
    "sessions that nobody comes back to, of many clients": _copies(handshake, one_client=False),
    "connections that look like TLS and vanish": _copies(_without_end(_tls), one_client=False),
    "connections of other HTTP that vanish": _copies(_without_end(_rest), one_client=False),
    "sessions whose clients vanish": _copies(_without_end(handshake), one_client=False),
    "SYNs without an answer": _copies(_syn, one_client=False),
}


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that bound memory, small enough to be reached here."""
    monkeypatch.setattr(idle, "ESTABLISHED_MS", 60)
    monkeypatch.setattr(idle, "TRANSITORY_MS", 40)
    monkeypatch.setattr(idle, "SLOT_MS", 20)
    monkeypatch.setattr(gone, "REMEMBERED_MS", 60)
    monkeypatch.setattr(connects, "MAX_FAILED_CONNECTS", 20)
    monkeypatch.setattr(gone, "REMEMBERED_PACKETS", 100)
    monkeypatch.setattr(stack, "MAX_ENDPOINTS", 20)
    monkeypatch.setattr(opaque_ledger, "MAX_OPAQUE", 20)
    monkeypatch.setattr(connects, "MAX_REACHED", 20)
    monkeypatch.setattr(register, "MAX_RETIRED_SIDS", 20)
    monkeypatch.setattr(roster, "_MOST_SILENT", 20)


@pytest.fixture
def growth(tmp_path: Path) -> Iterator[Growth]:
    """By how many objects and bytes the stack grows while the second, larger part of a source is fed to it."""

    def grown(source: Source, most: int = KEPT) -> tuple[int, int]:
        path = tmp_path / "source.pcap"
        with path.open("wb") as file:
            file.write(source.start().data)
            for _ in range(4 * BLOCKS):
                file.write(source.block().data)
        decoder = Stack(CaptureSummary("source.pcap"), most=most)
        tracemalloc.start()
        with open_source(str(path), batch_size=source.truth.packets // (4 * BLOCKS)) as opened:
            batches = opened.batches()
            measured = []
            for part in (islice(batches, BLOCKS), batches):
                for batch in part:
                    decoder.feed(batch)
                    decoder.retired()
                gc.collect()
                measured.append((len(gc.get_objects()), tracemalloc.get_traced_memory()[0]))
        assert not decoder.crashes
        (objects, size), (more_objects, more_size) = measured
        return more_objects - objects, more_size - size

    yield grown
    tracemalloc.stop()


@pytest.mark.parametrize("what", list(FLAT))
def test_memory_stays_flat(what: str, growth: Growth) -> None:
    objects, size = growth(FLAT[what]())
    unseen = "vanish" in what or "without" in what
    assert objects <= (MOST_WAITING_OBJECTS if unseen else MOST_OBJECTS)
    assert size <= (MOST_WAITING_BYTES if unseen else MOST_BYTES)


@pytest.mark.parametrize("what", [what for what in FLAT if "vanish" in what or "without" in what])
def test_what_waits_for_its_end_is_noticed(what: str, growth: Growth, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((idle, "ESTABLISHED_MS"), (idle, "TRANSITORY_MS"), (gone, "REMEMBERED_MS")):
        monkeypatch.setattr(module, name, 1_000_000)
    _, size = growth(FLAT[what]())
    assert size > MOST_WAITING_BYTES


@pytest.mark.parametrize("what", [what for what in FLAT if what.startswith("sessions")])
def test_what_is_not_let_go_is_noticed(what: str, growth: Growth) -> None:
    objects, size = growth(FLAT[what](), most=MAX_SESSIONS)
    assert objects > MOST_OBJECTS
    assert size > MOST_BYTES
