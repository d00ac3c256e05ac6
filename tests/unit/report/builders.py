"""Fabricated reports: what the application would hand to a renderer."""

from eiosniff.model.engineio import OpenPacket, Transport
from eiosniff.model.finding import Certainty, Diagnosis, Evidence, Finding, Report, Severity
from eiosniff.model.peers import Client, Identity, Server
from eiosniff.model.provenance import Endpoint, PacketRef, Side
from eiosniff.model.session import CloseHow, Closing, ConnectionUse, Namespace, NamespaceState, Session
from eiosniff.model.summary import CaptureSummary

START = 1_611_425_296_123_456_789  # 2021-01-23T18:08:16.123456789Z
MS = 1_000_000
FILE = "captures/recorded/s3-arduino-old-eio4-to-v484.pcap"

ARDUINO = Identity("arduinoWebSockets", "arduinoWebSockets", "older than 2.3.3")
SOCKETIO = Identity("socket.io", "socket.io", "4.5 or later")


def capture(file: str = FILE, **changes: object) -> CaptureSummary:
    summary = CaptureSummary(
        file, format="pcap", link_types=["ETHERNET"], packets=156, bytes=15_000, first_ns=START,
        last_ns=START + 69_512 * MS, connections=4,
    )  # fmt: skip
    for name, value in changes.items():
        setattr(summary, name, value)
    return summary


def session(index: int = 1, **changes: object) -> Session:
    endpoint = Endpoint("127.0.0.1", 28954)
    handshake = OpenPacket("lv_VI97HAXpY6yYWAAAC", ("websocket",), 25_000, 20_000, 1_000_000, ("sid", "upgrades"))
    opened = PacketRef(10 * index, START + (index - 1) * 20_500 * MS)
    ended = PacketRef(10 * index + 9, opened.ts_ns + 20_001 * MS)
    ledger = Session(
        index, handshake.sid, "/socket.io/", Client("127.0.0.1", "arduino", endpoint, identity=ARDUINO),
        Server(endpoint, identity=SOCKETIO), Endpoint("127.0.0.1", 40_000 + index), opened,
    )  # fmt: skip
    ledger.handshake, ledger.claimed_eio, ledger.revisions = handshake, "4", [4, 4]
    ledger.transports = [Transport.WEBSOCKET]
    ledger.last, ledger.closing = ended, Closing(Side.SERVER, CloseHow.WS_CLOSE, ended)
    ledger.engineio_counts = [{"message": 2, "ping": 1}, {"message": 1, "open": 1}]
    ledger.socketio_counts = [{"EVENT": 1, "CONNECT": 1}, {"CONNECT": 1}]
    ledger.namespaces = {"/": Namespace("/", NamespaceState.CONNECTED, "Zq0")}
    ledger.connections = [ConnectionUse(index - 1, Transport.WEBSOCKET, opened, ended)]
    ledger.connection_count = 1
    for delay in (8 * MS, 12 * MS):
        ledger.heartbeats.delays.add(delay)
    for name, value in changes.items():
        setattr(ledger, name, value)
    return ledger


def evidence(count: int = 6) -> list[Evidence]:
    """Pairs of a ping of the client and the close of the server that answers it."""
    items = []
    for pair in range(count // 2):
        sent = START + (19_501 + 20_503 * pair) * MS
        items.append(Evidence(32 + 43 * pair, sent, "client", 'PING "2"'))
        items.append(Evidence(33 + 43 * pair, sent + 800_000, "server", "closes, no status code"))
    return items


def finding(**changes: object) -> Finding:
    fault = Finding(
        rule="EIO038",
        name="client-ping-in-eio4",
        severity=Severity.ERROR,
        certainty=Certainty.CERTAIN,
        title="The client sends PING, which only the server may do in Engine.IO 4",
        summary='127.0.0.1, an arduinoWebSockets older than 2.3.3, sends PING ("2") 20 s after it connects. The '
        "server at :28954 (socket.io 4.5 or later) closes the connection within a millisecond, and the client starts "
        "again.",
        why="Engine.IO 4 turned the heartbeat round: the server sends PING and the client answers PONG. This client "
        "opens with EIO=4 and keeps the heartbeat of EIO=3.",
        fix=[
            'arduinoWebSockets: upgrade to 2.3.3 or later and keep "/socket.io/?EIO=4" in begin(); it then only '
            "answers pings.",
            "Cannot upgrade? Remove the sendTXT(eIOtype_PING) in SocketIOclient::loop().",
        ],
        occurrences=3,
        period_ns=20_503 * MS,
        evidence=evidence(),
        sessions=[],
        clients=["127.0.0.1"],
        servers=["127.0.0.1:28954"],
        subjects=frozenset(),
        capture=FILE,
        first_packet=32,
    )
    for name, value in changes.items():
        setattr(fault, name, value)
    return fault


def loop(**changes: object) -> Finding:
    """A consequence of `finding()`."""
    merged: dict[str, object] = {
        "rule": "EIO089", "name": "connect-loop", "title": "The client connects again and again",
        "hence": "3 sessions of 20 s lost and opened again after 0.5 s", "evidence": evidence(2), "fix": [],
    }  # fmt: skip
    return finding(**(merged | changes))


def report(**changes: object) -> Report:
    """The fault that the project began with."""
    sessions = [session(index) for index in range(1, 5)]
    sessions[3].closing = None
    made = Report(
        version="0.1.0",
        captures=[capture()],
        sessions=sessions,
        diagnoses=[Diagnosis(finding(sessions=sessions[:3]), [loop()])],
        sessions_total=4,
        connections=4,
    )
    for name, value in changes.items():
        setattr(made, name, value)
    for each in made.sessions:
        made.totals.add(each)
    return made


def healthy() -> Report:
    return report(diagnoses=[])


def nothing(**changes: object) -> Report:
    """A capture without any Engine.IO."""
    summary = capture("other.pcapng", other={"TLS connections": 12, "UDP packets": 1_500}, packets=1_520)
    for name, value in changes.items():
        setattr(summary, name, value)
    return report(captures=[summary], sessions=[], diagnoses=[], sessions_total=0, connections=0)
