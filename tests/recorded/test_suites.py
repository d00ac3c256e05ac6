"""The protocol test suites of Socket.IO, recorded at real servers (captures/recorded/suites).

Each test of a suite had a client address of its own, so that a recording falls apart into one capture a test. The log
beside it says what that client sent and received; a small reader here makes packets of it, by the protocol documents
and not by eiosniff's decoders.
"""

import base64
import json
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from eiosniff import app
from eiosniff.capture.source import open_source
from eiosniff.decode.stack import Stack
from eiosniff.model.decoded import DecodedPacket
from eiosniff.model.finding import Finding, Report, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.trouble import AnomalyKind
from tests.cases import recordings, report_of

# What the client of a test does against the protocol, on purpose; all other tests are legal from end to end.
# The keys are titles without the name of the protocol; the suites word the same test in two ways.
_ILLEGAL = {
    "handshake / HTTP long-polling / {fail} with an invalid 'EIO' query parameter": "it gives no EIO, then EIO=abc",
    "handshake / HTTP long-polling / {fail} with an invalid 'transport' query parameter": "no transport, then abc",
    "handshake / HTTP long-polling / {fail} with an invalid request method": "it opens with POST, then with PUT",
    "handshake / WebSocket / {fail} with an invalid 'EIO' query parameter": "it gives no EIO, then EIO=abc",
    "handshake / WebSocket / {fail} with an invalid 'transport' query parameter": "no transport, then abc",
    "message / HTTP long-polling / {close} the session upon invalid packet format": "it posts abc",
    "message / HTTP long-polling / {close} the session upon duplicate poll requests": "it polls twice at a time",
    "message / HTTP long-polling / {close} the session upon cancelled polling request": "it hangs up on its poll",
    "message / WebSocket / {close} the session upon invalid packet format": "it sends abc",
    "heartbeat / HTTP long-polling / {close} the session upon ping timeout": "it neither pings nor polls in time",
    "heartbeat / WebSocket / {close} the session upon ping timeout": "it sends neither pings nor pongs",
    "close / HTTP long-polling / {forcefully close} the session": "it polls after its own close packet",
    "upgrade / {ignore} HTTP requests with same sid after upgrade": "it polls after the upgrade",
    "upgrade / {ignore} WebSocket connection with same sid after upgrade": "it opens a second WebSocket",
    "connect / should disallow connection to an unknown namespace": "the server has no namespace of that name",
    "connect / should disallow connection with an invalid handshake": "4abc is no Socket.IO packet",
    "connect / should close the connection if no handshake is received": "it sends no CONNECT, and no pongs",
    "message / should close the connection upon invalid format (unknown packet type)": "there is no type a",
    "message / should close the connection upon invalid format (invalid payload format)": "an event is an array",
    "message / should close the connection upon invalid format (invalid ack id)": "an ack id is a number",
}


def _wordings(key: str) -> tuple[str, str]:
    """`{fail} with ...` as the suites of Engine.IO and of Socket.IO put it."""
    engineio = re.sub(r"\{(.*?)\}", lambda verb: verb[1] + "s", key)
    return engineio, re.sub(r"\{(.*?)\}", r"should \1", key)


ILLEGAL = {wording: reason for key, reason in _ILLEGAL.items() for wording in _wordings(key)}

ILLEGAL_BODY = b"abc"  # that a test posts: no payload, which is told as one thing of no type
Packet = tuple[int, bytes, bool]  # type (-1: none), data, binary


@dataclass(frozen=True)
class Run:
    """One test of a suite at one server: what its client logged."""

    capture: Path
    engineio: int
    title: str
    client: str
    events: tuple[dict[str, Any], ...]

    def __str__(self) -> str:
        return f"{self.capture.stem}: {self.title}"

    @property
    def legal(self) -> bool:
        return self.title.split(" / ", 1)[1] not in ILLEGAL


def _runs() -> list[Run]:
    found: list[Run] = []
    for entry in recordings("suites"):
        path = entry["path"]
        for line in (path.parent.parent / entry["tests"]).read_text(encoding="utf-8").splitlines():
            test = json.loads(line)
            if test["state"] != "skipped":
                run = Run(path, entry["engineio"], test["title"], test["client"], tuple(test["events"]))
                found.append(run)
    return found


RUNS = _runs()
LEGAL = [run for run in RUNS if run.legal]
every_test = pytest.mark.parametrize("run", RUNS, ids=str)
every_legal_test = pytest.mark.parametrize("run", LEGAL, ids=str)


# ------------------------------------------------------------------ the log as packets


def _bytes(value: str | dict[str, str] | None) -> bytes:
    if isinstance(value, dict):
        return base64.b64decode(value["base64"])
    return (value or "").encode()


def _text_packet(text: bytes, revision: int) -> Packet:
    if text[:1] == b"b" and revision == 4:
        return 4, base64.b64decode(text[1:]), True
    if re.match(rb"b[0-6]", text):
        return int(text[1:2]), base64.b64decode(text[2:]), True
    return (int(text[:1]), text[1:], False) if re.match(rb"[0-6]", text) else (-1, text, False)


def _payload(body: bytes, revision: int) -> Iterator[Packet]:
    """The packets of a polling body. All texts of the suites are ASCII: a length is one of bytes as well."""
    if body == ILLEGAL_BODY:
        yield -1, body, False
        return
    if revision == 4:
        for text in body.split(b"\x1e"):
            yield _text_packet(text, revision)
    elif body[:1] in (b"\x00", b"\x01"):
        while body:
            head, body = body.split(b"\xff", 1)
            length = int("".join(map(str, head[1:])))
            packet, body = body[:length], body[length:]
            yield (packet[0], packet[1:], True) if head[0] else _text_packet(packet, revision)
    else:
        while body:
            head, body = body.split(b":", 1)
            yield _text_packet(body[: int(head)], revision)
            body = body[int(head) :]


def _message(data: str | dict[str, str], revision: int) -> Packet:
    """The packet in a WebSocket message."""
    content = _bytes(data)
    if isinstance(data, str):
        return _text_packet(content, revision)
    return (4, content, True) if revision == 4 else (content[0], content[1:], True)


Logged = dict[tuple[int, Side], list[Packet]]


def _logged(run: Run) -> Logged:
    """What each side said in each connection, by the client's port."""
    packets: Logged = {}

    def add(port: int, side: Side, *more: Packet) -> None:
        if more:
            packets.setdefault((port, side), []).extend(more)

    for event in run.events:
        port, what = event["port"], event["what"]
        if what == "exchange":
            if event["body"]:
                add(port, Side.CLIENT, *_payload(_bytes(event["body"]), run.engineio))
            if event["method"] == "GET" and event["status"] == 200:
                add(port, Side.SERVER, *_payload(_bytes(event["answer"]), run.engineio))
        elif what == "answered" and event["status"] == 200:  # a WebSocket's request taken for one of polling
            add(port, Side.SERVER, *_payload(_bytes(event["answer"]), run.engineio))
        elif what in ("sent", "received"):
            side = Side.CLIENT if what == "sent" else Side.SERVER
            add(port, side, _message(event["data"], run.engineio))
    return packets


# ------------------------------------------------------------------ the recording, test by test


@cache
def _by_client(capture: Path) -> tuple[bytes, dict[str, list[bytes]]]:
    """The header of a recording, and its records (Ethernet, IPv4, microseconds) by the address of the client."""
    raw = capture.read_bytes()
    records: dict[str, list[bytes]] = {}
    for record in _records(raw):
        records.setdefault(_client(record), []).append(record)
    return raw[:24], records


def _records(raw: bytes) -> Iterator[bytes]:
    assert raw[:4] == b"\xd4\xc3\xb2\xa1"
    at = 24
    while at < len(raw):
        (length,) = struct.unpack_from("<I", raw, at + 8)
        yield raw[at : at + 16 + length]
        at += 16 + length


def _client(record: bytes) -> str:
    """The address that is not the server's, 10.77.0.2."""
    source, destination = record[42:46], record[46:50]
    return ".".join(map(str, destination if source[3] == 2 else source))


def _ports(records: list[bytes]) -> tuple[list[int], set[int]]:
    """The client's port of each connection, by Wireshark's number of the stream, and of those with a request.

    A client may hang up before it has sent its request.
    """
    opened: list[int] = []
    used: set[int] = set()
    for record in records:
        (length,) = struct.unpack_from("!H", record, 32)
        port, server, offset, flags = struct.unpack_from("!HH8xBB", record, 50)
        if flags & 0x12 == 0x02:
            opened.append(port)
        if server == 3000 and length > 20 + (offset >> 4) * 4:
            used.add(port)
    return opened, used


class Decoded:
    """What eiosniff makes of one test: the packets, the ledgers, the findings."""

    def __init__(self, run: Run, folder: Path) -> None:
        header, records = _by_client(run.capture)
        mine = records[run.client]
        path = folder / f"{run.client}.pcap"
        path.write_bytes(header + b"".join(mine))
        self.ports, self.used = _ports(mine)
        self.packets: list[DecodedPacket] = []
        self.stack = Stack(CaptureSummary(path.name), self.packets.append)
        with open_source(str(path)) as source:
            for batch in source.batches():
                self.stack.feed(batch)
        self.stack.close()
        self.report = app.analyze([str(path)], app.Options())

    @property
    def said(self) -> Logged:
        """Engine.IO packets as in the log: attachments by themselves."""
        packets: Logged = {}
        for packet in self.packets:
            eio, sio = packet.engineio, packet.socketio
            said = packets.setdefault((self.ports[packet.stream], eio.side), [])
            said.append((eio.type, eio.data, eio.binary))
            if sio is not None:
                said.extend((4, attachment, True) for attachment in sio.attachments)
        return packets

    @property
    def loud(self) -> list[tuple[str, str]]:
        """The warnings and errors of the report."""
        found = _findings(self.report)
        return [(each.name, each.summary) for each in found if each.severity >= Severity.WARNING]

    @property
    def anomalies(self) -> list[tuple[AnomalyKind, str]]:
        return [(each.kind, each.found) for session in self.stack.sessions.sessions for each in session.anomalies]

    @property
    def refusals(self) -> int:
        """Requests that the server refused, with or without a sid."""
        refused = ("refused", "refused after 101")
        attempts = (tally for client in self.stack.sessions.clients.values() for tally in client.attempts.values())
        without = sum(tally.count for tally in attempts if tally.first[0].outcome.value in refused)
        return without + sum(session.refusals.count for session in self.stack.sessions.sessions)


def _findings(report: Report) -> Iterator[Finding]:
    for diagnosis in report.diagnoses:
        yield diagnosis.finding
        yield from diagnosis.consequences


@pytest.fixture
def decoded(run: Run, tmp_path: Path) -> Decoded:
    return Decoded(run, tmp_path)


# ------------------------------------------------------------------ the tests of the suites, one by one


def test_every_test_is_legal_or_has_a_reason() -> None:
    titles = {run.title.split(" / ", 1)[1] for run in RUNS}
    for key in _ILLEGAL:
        assert titles & set(_wordings(key)), f"no suite has {key}"
    assert len({run.title for run in LEGAL}) > 25


@every_test
def test_each_side_said_what_the_client_logged(run: Run, decoded: Decoded) -> None:
    """Type, data and order of all Engine.IO packets, legal or not, in each connection."""
    assert decoded.said == _logged(run)


@every_test
def test_sessions_are_those_that_the_server_opened(run: Run, decoded: Decoded) -> None:
    """A session a sid, and each packet belongs to that of its connection."""
    sids: dict[int, str] = {}
    for (port, _), packets in _logged(run).items():
        sids.update((port, json.loads(data)["sid"]) for kind, data, _ in packets if kind == 0)
    opened = set(sids.values())
    assert {session.sid for session in decoded.stack.sessions.sessions} == opened
    asked = ((event["port"], re.search(r"[?&]sid=([^&]+)", event.get("target", ""))) for event in run.events)
    sids.update({port: match[1] for port, match in asked if match})
    for packet in decoded.packets:
        assert packet.sid == sids[decoded.ports[packet.stream]]


@every_test
def test_refusals_are_those_that_the_client_met(run: Run, decoded: Decoded) -> None:
    """Of HTTP requests, of WebSockets, and of WebSockets after their 101."""
    answers = [event for event in run.events if event["what"] in ("exchange", "answered")]
    refused = sum((event["status"] or 0) >= 400 for event in answers)
    after_101 = sum(event.get("error", "").startswith("Invalid WebSocket frame") for event in run.events)
    assert decoded.refusals == refused + after_101


@every_test
def test_everything_is_understood_as_engineio(run: Run, decoded: Decoded) -> None:
    """No connection is set aside, no byte is missing, no decoder raised."""
    summary = decoded.stack.summary
    assert summary.connections == len(decoded.ports)
    assert summary.engineio_connections == len(decoded.used)
    assert not summary.set_aside_bytes
    assert not summary.gap_bytes
    assert not decoded.stack.crashes


@every_legal_test
def test_a_legal_test_gives_no_warning(run: Run, decoded: Decoded) -> None:
    assert not decoded.loud


@every_legal_test
def test_a_legal_test_has_no_anomaly(run: Run, decoded: Decoded) -> None:
    assert not decoded.anomalies
    said = [packet.trouble for packet in decoded.packets if packet.trouble != "not Socket.IO"]
    assert not any(said)


@every_legal_test
def test_a_legal_test_speaks_the_revision_of_its_suite(run: Run, decoded: Decoded) -> None:
    for session in decoded.stack.sessions.sessions:
        assert session.engineio == run.engineio
        assert {*session.revisions} <= {run.engineio, None}  # not all that is said tells a revision


# ------------------------------------------------------------------ Socket.IO

_SIO = re.compile(rb"([0-6])(?:(\d+)-)?(?:(/[^,]*),?)?(\d+)?(\[.*\]|\{.*\}|\".*\")?")
_Sio = tuple[int, str, int | None, bytes, tuple[bytes, ...]]  # type, namespace, ack id, JSON, attachments


def _socketio(packets: list[Packet]) -> list[_Sio]:
    """The Socket.IO packets in what one side said; what is none is left out."""
    found: list[_Sio] = []
    messages = [(data, binary) for kind, data, binary in packets if kind == 4]
    while messages:
        data, binary = messages.pop(0)
        match = _SIO.fullmatch(data)
        if binary or match is None:
            continue
        kind, namespace, ack_id, text = int(match[1]), match[3] or b"/", match[4], match[5] or b""
        if kind in (2, 3, 5, 6) and text[:1] != b"[":
            continue
        attachments = tuple(messages.pop(0)[0] for _ in range(int(match[2] or 0)))
        found.append((kind, namespace.decode(), int(ack_id) if ack_id else None, text, attachments))
    return found


SOCKETIO = [run for run in RUNS if run.title.startswith("Socket.IO protocol")]


@pytest.mark.parametrize("run", SOCKETIO, ids=str)
def test_socketio_packets_are_those_of_the_log(run: Run, decoded: Decoded) -> None:
    said: dict[tuple[int, Side], list[_Sio]] = {key: [] for key in _logged(run)}
    for packet in decoded.packets:
        sio = packet.socketio
        if sio is not None:
            found = said[decoded.ports[packet.stream], sio.side]
            found.append((sio.type, sio.namespace, sio.id, sio.data, sio.attachments))
    assert said == {key: _socketio(packets) for key, packets in _logged(run).items()}
    assert any(said.values()) or "no handshake" in run.title or "invalid handshake" in run.title


# ------------------------------------------------------------------ what is sent against the protocol


def _having(words: str) -> list[Run]:
    found = [run for run in RUNS if words in run.title]
    assert found
    return found


@pytest.mark.parametrize("run", _having("HTTP long-polling / closes the session upon invalid packet format"), ids=str)
def test_a_body_that_is_no_payload(run: Run, decoded: Decoded) -> None:
    assert (AnomalyKind.EIO_BAD_PAYLOAD, "abc") in decoded.anomalies


@pytest.mark.parametrize("run", _having("WebSocket / closes the session upon invalid packet format"), ids=str)
def test_a_message_that_is_no_engineio(run: Run, decoded: Decoded) -> None:
    [packet] = [packet for packet in decoded.packets if packet.engineio.type < 0]
    assert packet.engineio.data == b"abc"
    assert packet.trouble


_NO_SOCKETIO = {
    "with an invalid handshake": b"abc",
    "(unknown packet type)": b"abc",
    "(invalid payload format)": b"2{}",
    "(invalid ack id)": b'2abc["message-with-ack",1,"2",{"3":[false]}]',
}
_BAD_SOCKETIO = [(run, text) for words, text in _NO_SOCKETIO.items() for run in _having(words)]


@pytest.mark.parametrize(("run", "text"), _BAD_SOCKETIO, ids=str)
def test_a_message_that_is_no_socketio(run: Run, text: bytes, decoded: Decoded) -> None:
    [packet] = [packet for packet in decoded.packets if packet.trouble]
    assert packet.engineio.data == text
    assert packet.socketio is None


_JOINED = [(run, text) for run, text in _BAD_SOCKETIO if "handshake" not in run.title]


@pytest.mark.parametrize(("run", "text"), _JOINED, ids=str)
def test_bad_syntax_in_a_session_that_speaks_socketio(run: Run, text: bytes, decoded: Decoded) -> None:
    assert [kind for kind, _ in decoded.anomalies] == [AnomalyKind.SIO_BAD_SYNTAX]


@pytest.mark.parametrize("run", _having("the session upon ping timeout"), ids=str)
def test_a_client_that_lets_the_session_die(run: Run, decoded: Decoded) -> None:
    [session] = decoded.stack.sessions.sessions
    assert not session.heartbeats.pongs
    if " WebSocket " in run.title:
        assert session.closing is not None
        assert session.closing.side is Side.SERVER


# ------------------------------------------------------------------ a suite as a whole

CAPTURES = sorted({run.capture for run in RUNS})


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_the_warnings_of_a_suite_are_about_illegal_tests(capture: Path) -> None:
    """In a capture of all tests as well, where one test must not be held against another."""
    tests = {run.client: run for run in RUNS if run.capture == capture}
    clients = _clients(capture)
    loud = [each for each in _findings(report_of(capture)) if each.severity >= Severity.WARNING]
    assert loud
    for finding in loud:
        concerned = {clients[evidence.packet - 1] for evidence in finding.evidence}
        assert concerned
        for client in concerned:
            assert not tests[client].legal, (finding.name, tests[client].title)


def _clients(capture: Path) -> list[str]:
    """The client of each captured packet."""
    return [_client(record) for record in _records(capture.read_bytes())]
