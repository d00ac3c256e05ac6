"""Days of `eiosniff live`, compressed: `python -m tests.bench.hours [HOURS] [--kept N] [--scale F] [--what]`.

An hour of traffic is made of recordings and written again and again, each time with other instants, addresses, ports
and session ids, straight into an `Analysis`. With what ends as it should there is what never does: devices, polling
clients and TLS connections that vanish, scans, and what grows with imagination only: paths, User-Agents, session ids.
After each hour it prints the memory of the process, how many objects there are, how many sessions and clients are in
memory, and the processor time that a packet took.
"""

import argparse
import gc
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eiosniff import app
from eiosniff.capture.source import open_source
from eiosniff.model.batch import LinkType, PacketBatch
from tests.bench import traffic
from tests.bench.build import CLIENTS, RECORDED, SEED, SERVERS, START_NS
from tests.bench.template import RECORD_HEADER, Bytes, Int64s, Template, Truth, recorded
from tests.bench.traffic import CLIENT, SERVER, FlowWriter

HOUR_NS = 3_600_000_000_000
BATCH = 5_000
SID = b"0123456789abcdefghij"
AGENT, PATH = b"Agent-of-somebody-", b"some-path-of-a-scanner-"
LOOP = "faulty/connect-loop-kicked-raw-500ms.pcap"
UPGRADE = "healthy/node-4.8.4--node-4.8.4--upgrade.pcap.gz"
POLLING = "healthy/node-4.8.4--node-4.8.4--polling.pcap.gz"
WEBSOCKET = "healthy/node-4.8.4--node-4.8.4--websocket.pcap.gz"


@dataclass(frozen=True, slots=True)
class Part:
    """So many conversations an hour; of one client, or each of another. `ports`: each asks for another port."""

    name: str
    template: Template
    copies: int
    one_client: bool = False
    ports: bool = False


def vanishing(name: str, share: float) -> Template:
    """The beginning of a recording: the device is gone, and nobody ends anything."""
    with open_source(str(RECORDED / name)) as source:
        batch = next(iter(source.batches()))
        spans = zip(batch.offset.tolist(), batch.captured.tolist(), strict=True)
        packets = [bytes(batch.buffer[start : start + length]) for start, length in spans]
        times = batch.ts_ns.tolist()
    whole = recorded(RECORDED / name)
    kept = round(len(packets) * share)
    return Template(packets[:kept], times[:kept], Truth(kept), whole.ids.known)


def unended(template: Template) -> Template:
    """A connection without the packets that end it (FIN, FIN, ACK)."""
    stops = (template.starts + template.lengths).tolist()
    data = template.data.tobytes()
    packets = [data[start + RECORD_HEADER : stop] for start, stop in zip(template.starts.tolist(), stops, strict=True)]
    return Template(packets[:-3], template.times_ns[:-3].tolist(), Truth(len(packets) - 3, 1), template.ids.known)


def _syn(*, refused: bool = False) -> Template:
    flow = FlowWriter(40_000, 3000)
    packets, times = flow.packets[:1], flow.times_ns[:1]
    if refused:
        answer = bytearray(flow.packets[1])
        answer[14 + 20 + 13] = 0x14  # RST, ACK
        packets, times = [*packets, bytes(answer)], flow.times_ns[:2]
    return Template(packets, times, Truth(), [])


def _asks(request: bytes, answer: bytes, known: list[bytes]) -> Template:
    """One request and its answer."""
    flow = FlowWriter(40_000, 3000)
    flow.say(CLIENT, request)
    flow.say(SERVER, b"HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % answer)
    flow.close()
    return Template(flow.packets, flow.times_ns, Truth(), known)


def parts(scale: float = 1.0) -> list[Part]:
    """An hour with some 200 clients, and with what else there is."""
    rng = np.random.default_rng(SEED)

    def many(number: int) -> int:
        return max(1, round(number * scale))

    asks = b"GET /socket.io/?EIO=4&transport=polling%s HTTP/1.1\r\nHost: a.example\r\nUser-Agent: %s\r\n\r\n"
    other = b"GET /%s/?EIO=4&transport=polling HTTP/1.1\r\nHost: a.example\r\nUser-Agent: curl/8\r\n\r\n"
    tls, rest = traffic.tls(30, rng), traffic.rest(30, rng)
    return [
        Part("sessions that are upgraded", recorded(RECORDED / UPGRADE), many(40)),
        Part("sessions over polling", recorded(RECORDED / POLLING), many(20)),
        Part("sessions over WebSocket", recorded(RECORDED / WEBSOCKET), many(40)),
        Part("reconnect loops", recorded(RECORDED / LOOP), many(10)),
        Part("devices that vanish", vanishing(UPGRADE, 0.8), many(60)),
        Part("devices that vanish while they open", vanishing(UPGRADE, 0.2), many(20)),
        Part("polling clients that vanish", vanishing(POLLING, 0.7), many(30)),
        Part("WebSockets that vanish", vanishing(WEBSOCKET, 0.7), many(30)),
        Part("TLS", tls, many(50)),
        Part("TLS that vanishes", unended(tls), many(100)),
        Part("other HTTP", rest, many(20)),
        Part("other HTTP that vanishes", unended(rest), many(50)),
        Part("SYNs without an answer", _syn(), many(300)),
        Part("refused connections", _syn(refused=True), many(100)),
        Part("a port scan", _syn(), many(600), one_client=True, ports=True),
        Part("a port scan that is refused", _syn(refused=True), many(300), one_client=True, ports=True),
        Part("User-Agents", _asks(asks % (b"", AGENT), b"400 Bad Request", [AGENT]), many(300), one_client=True),
        Part("paths", _asks(other % PATH, b"404 Not Found", [PATH]), many(300), one_client=True),
        Part("session ids", _asks(asks % (b"&sid=" + SID, b"x"), b"400 Bad Request", [SID]), many(300)),
        Part("servers", _asks(asks % (b"", b"x"), b"404 Not Found", []), many(300), one_client=True, ports=True),
    ]


class Hours:
    """The hours of some parts, one after the other, as batches of captured packets."""

    def __init__(self, chosen: list[Part], batch: int = BATCH) -> None:
        self.packets = 0
        self.now_ns = START_NS
        self._parts = chosen
        self._batch = batch
        self._clients = CLIENTS
        self._before = 0
        self._rng = np.random.default_rng(SEED)

    def next(self) -> Iterator[PacketBatch]:
        """The packets of the next hour."""
        rows = [self._fill(part, SERVERS + at) for at, part in enumerate(self._parts)]
        data = b"".join(filled.tobytes() for filled, _ in rows)
        times = np.concatenate([times.ravel() for _, times in rows])
        starts, lengths, begin = [], [], 0
        for part, (filled, _) in zip(self._parts, rows, strict=True):
            template = part.template
            firsts = begin + np.arange(len(filled)) * len(template.data)
            starts.append((firsts[:, None] + template.starts).ravel() + RECORD_HEADER)
            lengths.append(np.tile(template.lengths, len(filled)) - RECORD_HEADER)
            begin += filled.size
        order = np.argsort(times, kind="stable")
        offset, length, times = np.concatenate(starts)[order], np.concatenate(lengths)[order], times[order]
        for at in range(0, len(order), self._batch):
            piece = slice(at, at + self._batch)
            count = len(order[piece])
            number = np.arange(self.packets + 1, self.packets + count + 1, dtype=np.int64)
            link = np.full(count, LinkType.ETHERNET, np.int64)
            yield PacketBatch(number, times[piece], offset[piece], length[piece], length[piece], link, data)
            self.packets += count
        self.now_ns += HOUR_NS
        self._before += max(part.copies for part in self._parts)

    def _fill(self, part: Part, server: int) -> tuple[Bytes, Int64s]:
        template, copies = part.template, part.copies
        rows = np.empty((copies, len(template.data)), np.uint8)
        starts_ns = self.now_ns + np.sort(self._rng.integers(HOUR_NS, size=copies))
        times = template.fill(
            rows, starts_ns, self._clients, server, self._rng, one_client=part.one_client, before=self._before
        )
        if part.ports:
            _ask_elsewhere(rows, template, self._before)
        self._clients += 1 if part.one_client else copies
        return rows, times


def _ask_elsewhere(rows: Bytes, template: Template, before: int) -> None:
    """Give each copy a server port of its own."""
    ports = (1 + (np.arange(before, before + len(rows)) * 7) % 65_000).astype(">u2")[:, None].view(np.uint8)
    client = None
    for start in template.starts.tolist():
        at = start + RECORD_HEADER + 14
        source = template.data[at + 12 : at + 16].tobytes()
        client = client or source  # the first packet is a SYN
        port = at + 20 + (2 if source == client else 0)
        rows[:, port : port + 2] = ports


def resident_mb() -> float:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


def main() -> None:
    """Print a line an hour."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.hours", description=__doc__)
    parser.add_argument("hours", type=int, nargs="?", default=24)
    parser.add_argument("--kept", type=int, default=500)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--what", action="store_true", help="say of what there are more objects after each hour")
    parser.add_argument("--only", help="only the parts with this in their name")
    chosen = parser.parse_args()
    options = app.Options(max_sessions=chosen.kept, kept_sessions=chosen.kept)
    analysis = app.Analysis("live", options, app.chosen_rules(options))
    hours = Hours([part for part in parts(chosen.scale) if (chosen.only or "") in part.name])
    counts: Counter[str] = Counter()
    gc.collect()
    gc.set_threshold(10_000_000, 20, 100)  # as the command has it: what is in cycles stays
    print(f"{'hour':>4}{'packets':>10}{'memory':>10}{'objects':>10}{'sessions':>10}{'clients':>9}{'us/packet':>11}")
    for hour in range(1, chosen.hours + 1):
        before, seconds = hours.packets, 0.0
        for batch in hours.next():
            begun = time.process_time()
            analysis.stack.feed(batch)
            analysis.fold()
            seconds += time.process_time() - begun
        sessions = analysis.stack.sessions
        print(
            f"{hour:4}{hours.packets:10,}{resident_mb():7.0f} MB{len(gc.get_objects()):10,}"
            f"{len(sessions.sessions):10,}{len(sessions.clients):9,}"
            f"{seconds / (hours.packets - before) * 1e6:11.1f}",
            flush=True,
        )
        if chosen.what:
            counts = _more(counts)
    print(f"objects that only the collector finds to be garbage: {gc.collect():,}")
    assert not analysis.stack.crashes, analysis.stack.crashes


def _more(before: Counter[str]) -> Counter[str]:
    now = Counter(type(each).__qualname__ for each in gc.get_objects())
    if before:
        print("     ", ", ".join(f"{count:+} {name}" for name, count in (now - before).most_common(12)))
    return now


if __name__ == "__main__":
    main()
