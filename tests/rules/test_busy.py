"""Two hundred healthy clients for an hour: the report fits on one screen."""

import base64
import hashlib
import io
from collections.abc import Iterator

import numpy as np
import pytest
from rich.console import Console

from eiosniff import app
from eiosniff.model.finding import Report, Severity
from eiosniff.report import terminal
from eiosniff.report.redact import Redactor
from tests.bench.build import Part, write
from tests.bench.template import Template, Truth
from tests.bench.traffic import CLIENT, SERVER, FlowWriter

SECOND = 1_000_000_000
CLIENTS = {"websocket": 120, "polling": 80}
SCREEN = 30  # lines; what is only good to know may take some of them
LASTS = 3600  # seconds; the clients come within a minute before
PING_EVERY, EVENT_EVERY = 25, 60
SID, SOCKET_ID = "iHqyzJ1Yn2m1AAAAAAAA", "Pz7SrvJXAAAAAAAAAAAB"
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
MASK = b"\x37\xfa\x21\x3d"
AGENT = b"Host: chat.lan:3000\r\nAccept: */*\r\nUser-Agent: node-XMLHttpRequest\r\nConnection: keep-alive\r\n"
ACCEPT = base64.b64encode(hashlib.sha1(KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())


def opening(upgrades: str) -> bytes:
    return (
        f'0{{"sid":"{SID}","upgrades":[{upgrades}],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}}'
    ).encode()


def hour() -> Iterator[tuple[int, int, bytes]]:
    """What is said: at which second, by whom, and the packet."""
    yield 0, CLIENT, b"40"
    yield 0, SERVER, f'40{{"sid":"{SOCKET_ID}"}}'.encode()
    for second in range(1, LASTS):
        if second % PING_EVERY == 0:
            yield second, SERVER, b"2"
            yield second, CLIENT, b"3"
        if second % EVENT_EVERY == 30:
            yield second, CLIENT, b'42%d["said","it is %d past"]' % (second // EVENT_EVERY, second)
            yield second, SERVER, b'43%d[{"ok":true,"by":"room 7"}]' % (second // EVENT_EVERY)
    yield LASTS, CLIENT, b"41"


def frame(side: int, payload: bytes, opcode: int = 1) -> bytes:
    head = bytes((0x80 | opcode, len(payload) | (0x80 if side == CLIENT else 0)))
    if side == SERVER:
        return head + payload
    return head + MASK + bytes(byte ^ MASK[at % 4] for at, byte in enumerate(payload))


def websocket() -> Template:
    flow = FlowWriter(40_000, 3000)
    flow.say(
        CLIENT,
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n"
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nHost: chat.lan:3000\r\n\r\n" % KEY,
    )
    answer = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %b"
    )
    flow.say(SERVER, answer % ACCEPT + b"\r\n\r\n")
    flow.say(SERVER, frame(SERVER, opening("")))
    begun = flow.now_ns
    for second, side, packet in hour():
        flow.now_ns = max(flow.now_ns, begun + second * SECOND)
        flow.say(side, frame(side, packet))
    flow.say(CLIENT, frame(CLIENT, b"", 8))
    flow.say(SERVER, frame(SERVER, b"", 8))
    return made(flow)


def polling() -> Template:
    flow = FlowWriter(41_000, 3000)
    begun = flow.now_ns

    def exchange(method: bytes, sid: bool, body: bytes, answer: bytes, second: int) -> None:
        target = b"/socket.io/?EIO=4&transport=polling" + (f"&sid={SID}".encode() if sid else b"")
        length = b"Content-Type: text/plain;charset=UTF-8\r\nContent-Length: %d\r\n" % len(body) if body else b""
        flow.say(CLIENT, b"%b %b HTTP/1.1\r\n%b%b\r\n%b" % (method, target, AGENT, length, body))
        flow.now_ns = max(flow.now_ns, begun + second * SECOND)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\ncache-control: no-store\r\n"
        flow.say(SERVER, head + b"Content-Length: %d\r\n\r\n%b" % (len(answer), answer))

    exchange(b"GET", False, b"", opening('"websocket"'), 0)
    for second, side, packet in hour():
        if side == SERVER:
            exchange(b"GET", True, b"", packet, second)
        else:
            flow.now_ns = max(flow.now_ns, begun + second * SECOND)
            exchange(b"POST", True, packet, b"ok", second)
    exchange(b"GET", True, b"", b"6", LASTS)
    return made(flow)


def made(flow: FlowWriter) -> Template:
    flow.close()
    ids = [SID.encode(), SOCKET_ID.encode()]
    return Template(flow.packets, flow.times_ns, Truth(len(flow.packets), 1, 1), ids)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    capture = tmp_path_factory.mktemp("busy") / "hour.pcap"
    rng = np.random.default_rng(1)
    starts = (np.sort(rng.integers(60 * SECOND, size=clients)) for clients in CLIENTS.values())
    write(
        capture, [Part(template, start) for template, start in zip((websocket(), polling()), starts, strict=True)], rng
    )
    return app.analyze([str(capture)], app.Options())


def test_it_is_healthy(report: Report) -> None:
    assert report.sessions_total == sum(CLIENTS.values())
    assert report.totals.heartbeats == report.sessions_total * ((LASTS - 1) // PING_EVERY)
    loud = [diagnosis for diagnosis in report.diagnoses if diagnosis.finding.severity > Severity.INFO]
    assert not [diagnosis.finding.summary for diagnosis in loud]


def test_it_fits_on_a_screen(report: Report) -> None:
    output = io.StringIO()
    terminal.write(report, Console(file=output, width=80, color_system=None), Redactor())
    text = output.getvalue()
    lines = text.splitlines()
    assert len(lines) <= SCREEN, text
    assert max(map(len, lines)) <= 80
    assert lines[2].startswith(("No fault found: 200 Socket.IO sessions", "No error and no warning: 200"))
    for transport, clients in CLIENTS.items():
        assert any(line.split()[:3] == [str(clients), "4/5", transport] for line in lines)
