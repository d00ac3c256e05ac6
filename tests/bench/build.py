"""Builds the captures of the benchmark from the committed recordings: `python -m tests.bench.build NAME`.

Each copy of a recording has its own client address, ports and session ids, and begins at its own time; sequence
numbers stay, and so do checksums, which are therefore wrong (tshark does not check them unless told to).
"""

import argparse
import hashlib
import json
import struct
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tests.bench import traffic
from tests.bench.template import Bytes, Int64s, Template, Truth, recorded

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "captures" / "recorded"
FOLDER = ROOT / "bench"
VERSION = 1  # of what is built: raise it when the same parameters give other bytes
SEED = 20_260_101
START_NS = 1_767_225_600_000_000_000
PCAP_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)
CLIENTS, SERVERS = 0x0A40_0001, 0x0A01_0001  # 10.64.0.1, 10.1.0.1
WRITTEN_AT_ONCE = 50_000
PACKETS = {"busy": 935_000, "haystack": 1_006_000, "live": 2_000_000}

CHAT = "near_miss/capture-truncated-whole-session.pcap"  # of the whole session: in itself the file is sound
# Which share of the packets comes from which recording: half is polling with a connection for each request.
BUSY = {
    "healthy/node-4.8.4--node-4.8.4--polling.pcap.gz": 0.25,
    "healthy/node-2.5.1--node-2.5.0--polling.pcap.gz": 0.25,
    "healthy/node-4.8.4--node-4.8.4--websocket.pcap.gz": 0.055,
    "healthy/node-2.5.1--node-2.5.0--websocket.pcap.gz": 0.055,
    CHAT: 0.39,
}
BUSY_NS_PER_PACKET = 320_000  # a hundred sessions at any time
# For a replay: conversations with their own times, as many at a time as make the rate, short flows of other traffic,
# and faults that show at once, one each.
LIVE_RATE = 100_000  # packets a second
LIVE_FLOW_PACKETS = 200
LIVE_FAULTS = {
    "faulty/transport-unknown-flashsocket-v4-server.pcap": "transport-unknown",
    "faulty/socketio-syntax-single-quotes-v4-server.pcap": "socketio-syntax",
    "faulty/handshake-method-post-v4-server.pcap": "handshake-method",
    "faulty/ws-bad-utf8-cut-v4-server.pcap": "ws-bad-utf8",
    "faulty/event-before-connect-with-connect.pcap": "event-before-connect",
    "faulty/ws-protocol-error-opcode-3-v4-server.pcap": "ws-protocol-error",
    "faulty/binary-incomplete-text-instead-v4-server.pcap": "binary-incomplete",
    "faulty/too-many-attachments-v4-server.pcap": "too-many-attachments",
    "faulty/ws-rsv-set-compressed-event-v4-server.pcap": "ws-rsv-set",
    "faulty/connect-error-auth-v4-server.pcap": "connect-error-auth",
    "faulty/payload-too-large-polling-v4-server.pcap": "payload-too-large",
    "faulty/engineio-syntax-type-9-v4-server.pcap": "engineio-syntax",
    "faulty/namespace-invalid-v4-server-slash.pcap": "namespace-invalid",
}
TLS_FLOWS, REST_FLOWS = 360, 40
TLS_SHARE = 0.895


@dataclass(frozen=True, slots=True)
class Built:
    """A capture of the benchmark, and what is in it."""

    path: Path
    truth: Truth


@dataclass(slots=True)
class Part:
    """So many copies of a template, which begin at these instants."""

    template: Template
    starts_ns: Int64s


def build(name: str, packets: int | None = None, folder: Path = FOLDER, rate: int = LIVE_RATE) -> Built:
    """The capture `name` of about so many packets; one that is there already is used again. `rate` is for live."""
    wanted = packets or PACKETS[name]
    stem = name if packets in (None, PACKETS[name]) else f"{name}-{packets}"
    if rate != LIVE_RATE:
        stem += f"-at-{rate}"
    path, note = folder / f"{stem}.pcap", folder / f"{stem}.json"
    sources = {"busy": [*BUSY], "haystack": [CHAT], "live": [*BUSY, *LIVE_FAULTS]}[name]
    parameters = {
        "version": VERSION,
        "packets": wanted,
        "recordings": {each: hashlib.sha256((RECORDED / each).read_bytes()).hexdigest() for each in sources},
    }
    if path.exists() and note.exists():
        known = json.loads(note.read_text(encoding="utf-8"))
        if known["parameters"] == parameters and known["size"] == path.stat().st_size:
            return Built(path, Truth(**known["truth"]))
    rng = np.random.default_rng(SEED)
    if name == "live":
        parts = live_parts(wanted, rng, wanted * 1_000_000_000 // rate)
    else:
        parts = busy_parts(wanted, rng) if name == "busy" else _haystack(wanted, rng)
    folder.mkdir(parents=True, exist_ok=True)
    note.unlink(missing_ok=True)
    truth = write(path, parts, rng)
    known = {"parameters": parameters, "size": path.stat().st_size, "truth": asdict(truth)}
    note.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
    return Built(path, truth)


def busy_parts(packets: int, rng: np.random.Generator, span_ns: int = 0) -> list[Part]:
    """The conversations of the busy capture, of about so many packets, which begin within this time."""
    parts = []
    span_ns = span_ns or packets * BUSY_NS_PER_PACKET
    for name, share in BUSY.items():
        template = recorded(RECORDED / name)
        copies = max(1, round(packets * share / len(template.lengths)))
        parts.append(Part(template, np.sort(rng.integers(span_ns, size=copies))))
    return parts


def live_parts(packets: int, rng: np.random.Generator, span_ns: int) -> list[Part]:
    """Half Socket.IO, half other traffic as in the haystack, and the faults at equal distances."""
    parts = busy_parts(packets // 2, rng, span_ns)
    tls_packets = round(packets // 2 * TLS_SHARE)
    for template, count in (
        (traffic.tls(LIVE_FLOW_PACKETS, rng), tls_packets),
        (traffic.rest(LIVE_FLOW_PACKETS, rng), packets // 2 - tls_packets),
    ):
        flows = max(1, round(count / len(template.lengths)))
        parts.append(Part(template, np.sort(rng.integers(span_ns, size=flows))))
    for at, name in enumerate(LIVE_FAULTS, 1):
        parts.append(Part(recorded(RECORDED / name), np.array([at * span_ns // (len(LIVE_FAULTS) + 1)])))
    return parts


def _haystack(packets: int, rng: np.random.Generator) -> list[Part]:
    """One conversation, in the middle of all the rest."""
    needle = recorded(RECORDED / CHAT)
    rest_packets = packets - len(needle.lengths) - round(packets * TLS_SHARE)
    bulk = traffic.tls(round(packets * TLS_SHARE / TLS_FLOWS), rng)
    rest = traffic.rest(round(rest_packets / REST_FLOWS), rng)
    parts = [
        Part(template, np.sort(rng.integers(5_000_000_000, size=flows)))
        for template, flows in ((bulk, TLS_FLOWS), (rest, REST_FLOWS))
    ]
    return [*parts, Part(needle, bulk.times_ns[-1:] // 2)]


class Mixture:
    """Copies of several templates in one piece of memory, each template by itself.

    `starts` and `lengths` say where the record of each captured packet is.
    """

    def __init__(self, parts: list[Part]) -> None:
        self.truth = Truth()
        self.copies = sum(len(part.starts_ns) for part in parts)
        self._parts = parts
        self._rows: list[Bytes] = []
        sizes = [len(part.starts_ns) * len(part.template.data) for part in parts]
        self.records = np.empty(sum(sizes), np.uint8)
        starts, lengths, begin = [], [], 0
        for part, size in zip(parts, sizes, strict=True):
            template, copies = part.template, len(part.starts_ns)
            self._rows.append(self.records[begin : begin + size].reshape(copies, -1))
            firsts = begin + np.arange(copies) * len(template.data)
            starts.append((firsts[:, None] + template.starts).ravel())
            lengths.append(np.tile(template.lengths, copies))
            self.truth.add(template.truth, copies)
            begin += size
        self.starts, self.lengths = np.concatenate(starts), np.concatenate(lengths)

    def fill(self, start_ns: int, first_client: int, rng: np.random.Generator) -> Int64s:
        """Write all copies, and give the instants of the packets; clients have addresses from `first_client` on."""
        times = []
        for index, (part, rows) in enumerate(zip(self._parts, self._rows, strict=True)):
            template, starts_ns = part.template, start_ns + part.starts_ns
            times.append(template.fill(rows, starts_ns, first_client, SERVERS + index, rng).ravel())
            first_client += len(rows)
        return np.concatenate(times)


def write(path: Path, parts: list[Part], rng: np.random.Generator) -> Truth:
    """Write all copies into one capture, in order of time."""
    mixture = Mixture(parts)
    order = np.argsort(mixture.fill(START_NS, CLIENTS, rng), kind="stable")
    first = mixture.starts[order]
    last = first + mixture.lengths[order]
    view = mixture.records.data
    with path.open("wb") as file:
        file.write(PCAP_HEADER)
        for at in range(0, len(order), WRITTEN_AT_ONCE):
            piece = slice(at, at + WRITTEN_AT_ONCE)
            file.write(b"".join([view[a:b] for a, b in zip(first[piece].tolist(), last[piece].tolist(), strict=True)]))
    return mixture.truth


def main() -> None:
    """Build one capture, and say what is in it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.build")
    parser.add_argument("name", choices=list(PACKETS))
    parser.add_argument("--packets", type=int)
    parser.add_argument("--rate", type=int, default=LIVE_RATE, help="live: packets a second")
    chosen = parser.parse_args()
    begun = time.perf_counter()
    built = build(chosen.name, chosen.packets, rate=chosen.rate)
    seconds = time.perf_counter() - begun
    print(json.dumps({"path": str(built.path), "truth": asdict(built.truth), "seconds": seconds}))


if __name__ == "__main__":
    main()
