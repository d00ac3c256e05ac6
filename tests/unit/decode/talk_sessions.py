"""Conversations written down as text, played into the session layer.

A script is a list of lines; each is one captured packet, numbered from 1, one millisecond after the one before:

    a> GET EIO=4&transport=polling          the client of connection `a` asks /socket.io/?...
    a< 200 0{"sid":"S",...}                 the server answers; `open:S` stands for an open packet with sid S
    a> POST EIO=4&transport=polling&sid=S 40    (`cut:5000 42["x`: the beginning of a body of 5000 bytes)
    w> WS EIO=4&transport=websocket         asks for a WebSocket; `w< 101` accepts it
    w< open:S                               from then on: text messages
    w> hex:04ff                             a binary message
    w> part 5000 42["x                      the beginning of a message of 5000 bytes
    w> raw:8a00                             bytes as they are, of no frame that is as it should be
    w> close 1001 bye                       a close frame, with code and reason if given
    w> PING   w< PONG                       control frames of WebSocket
    w> early 42["x"]                        the same, on a connection that (still) speaks HTTP
    w< HTTP 400 text                        HTTP inside the WebSocket; `HTTP 101` too
    w> FIN   w< RST                         ends
    w! client                               bytes of that side are missing from the capture
    + 25                                    25 seconds pass (`- 1`: the clock was set back)

`~` in a text message is the record separator of polling payloads. Bytes go through the real HTTP and WebSocket
decoders; only TCP is left out. A connection is of client 10.0.0.7 with server 10.0.0.2:3000, and its messages have no
other headers than they must, unless `connect` said otherwise (before the script, or between two of them).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.events import Events
from eiosniff.decode.sessions.sessions import Sessions
from eiosniff.decode.tcp.flow import BOTH_WAYS, Flow
from eiosniff.model.decoded import DecodedPacket
from eiosniff.model.finding import Diagnosis, Finding
from eiosniff.model.peers import Retired
from eiosniff.model.provenance import Endpoint, PacketRef, Side
from eiosniff.model.session import MAX_SESSIONS, Beat, Closing, Connection, Session
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap, GapReason
from eiosniff.rules.diagnosis import diagnose
from eiosniff.rules.engine import Judge, Ledgers
from eiosniff.rules.registry import all_rules

CLIENT = "10.0.0.7"
SERVER = Endpoint("10.0.0.2", 3000)
OPEN = '0{"sid":"%s","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
MILLISECOND = 1_000_000
SECOND = 1_000_000_000

# Beginnings and parts of scripts.
POLLING = "a> GET EIO=4&transport=polling\na< 200 open:S"
WEBSOCKET = "w> WS EIO=4&transport=websocket\nw< 101\nw< open:S"
JOINED = 'w> 40\nw< 40{"sid":"x"}'
UPGRADED = f"{POLLING}\nw> WS EIO=4&transport=websocket&sid=S\nw< 101\nw> 2probe\nw< 3probe\nw> 5"
POLL = "a> GET EIO=4&transport=polling&sid=S"
POST = "EIO=4&transport=polling&sid=S"

_JSON_OR_TEXT = {"{": "application/json", '"': "application/json"}


@dataclass
class Wire:
    """One connection."""

    conversation: Conversation
    headers: str = ""
    replies: str = ""
    upgraded: bool = False
    target: str = "/socket.io/"
    host: str = "example"
    sent: list[int] = field(default_factory=lambda: [0, 0])  # bytes, a side
    ended: set[Side] = field(default_factory=set)


@dataclass
class Talk:
    """Plays scripts; afterwards the ledgers are in `sessions`, and what the rules make of them in `diagnoses()`.

    With `late`, all is decoded before the session layer sees anything, as in one large batch. Ledgers beyond `most` are
    let go when they are over: into `retired`.
    """

    late: bool = False
    path: str | None = None
    most: int = MAX_SESSIONS
    number: int = 0
    now: int = 1_700_000_000 * SECOND
    wires: dict[str, Wire] = field(default_factory=dict)
    heard: list[DecodedPacket] = field(default_factory=list)
    watched: list[Beat | Closing] = field(default_factory=list)
    retired: list[Retired] = field(default_factory=list)
    changed: set[Session] | None = None

    def __post_init__(self) -> None:
        self._events = Events()
        self._closed = False
        self.sessions = Sessions(
            self._watch, self.heard.append, self.path, self.most, self.retired.append, self.changed
        )

    # ------------------------------------------------------------------ what a test says

    def connect(
        self,
        name: str,
        client: str = CLIENT,
        server: Endpoint = SERVER,
        *,
        agent: str = "",
        headers: str = "",
        replies: str = "",
        midstream: bool = False,
        path: str = "/socket.io/",
    ) -> None:
        """Begin a connection; scripts begin those that they mention by themselves. `midstream`: after its handshake.

        `headers` are added to all requests, `replies` to all answers (whole lines; `Connection: close` takes the place
        of what a 101 would say).
        """
        place = PacketRef(self.number + 1, self.now)
        stream = len(self.wires)
        flow = Flow(ends=(0, 1), first=place, last=place)
        flow.heard = BOTH_WAYS
        flow.stream = stream
        ledger = Connection(stream, Endpoint(client, 50000 + stream), server, place, place, midstream=midstream)
        make = Conversation.over_websocket if midstream else Conversation.over_http
        headers += f"User-Agent: {agent}\r\n" if agent else ""
        self.wires[name] = Wire(make(flow, ledger, self._events, self._crashed), headers, replies, midstream, path)

    def play(self, script: str) -> "Talk":
        """Play a script."""
        for line in script.strip().splitlines():
            words = line.strip()
            if not words or words.startswith("#"):
                continue
            head, _, rest = words.partition(" ")
            if head in ("+", "-"):
                self.now += round(float(head + rest) * SECOND)
                continue
            self._packet(head[:-1], head[-1], rest)
        return self

    def acknowledge(self) -> None:
        """TCP acknowledges all pings that have no answer yet or took long, and what ended sessions."""
        for watched in self.watched:
            if isinstance(watched, Closing):
                watched.acked = self._next()
            elif watched.is_slow:
                watched.ping_acked = self._next()
        self.watched.clear()

    def close(self) -> "Talk":
        """The capture is over."""
        self._closed = True
        for wire in self.wires.values():
            for side in Side:
                self._end(wire, side, EndKind.CAPTURE_ENDED)
        self._hand_on()
        self.sessions.close()
        for session in self.sessions.sessions:
            session.observed_until_ns = session.closing.place.ts_ns if session.closing else self.now
        return self

    # ------------------------------------------------------------------ what a test asks

    @property
    def session(self) -> Session:
        """The only session."""
        (session,) = self.sessions.sessions
        return session

    def findings(self) -> list[Finding]:
        """What all rules find."""
        if not self._closed:
            self.close()
        summary = CaptureSummary("talk.pcap", engineio_connections=len(self.wires))
        clients, servers = list(self.sessions.clients.values()), list(self.sessions.servers.values())
        judge = Judge(all_rules(), no_advice, summary.file)
        for retired in self.retired:
            judge.take(retired)
        return judge.findings(Ledgers(summary, self.sessions.sessions, clients, servers))

    def diagnoses(self) -> list[Diagnosis]:
        """The report."""
        return diagnose(self.findings(), all_rules())

    def names(self) -> list[str]:
        """Names of the root causes, and of their consequences behind `+`."""
        return [
            " + ".join([diagnosis.finding.name, *(finding.name for finding in diagnosis.consequences)])
            for diagnosis in self.diagnoses()
        ]

    def found(self, name: str) -> Finding | None:
        """The finding with this name."""
        return next((finding for finding in self.findings() if finding.name == name), None)

    # ------------------------------------------------------------------ one packet

    def _next(self) -> PacketRef:
        self.number += 1
        self.now += MILLISECOND
        return PacketRef(self.number, self.now)

    def _packet(self, name: str, direction: str, rest: str) -> None:
        if name not in self.wires:
            self.connect(name)
        wire = self.wires[name]
        side = Side.CLIENT if direction == ">" else Side.SERVER
        if direction == "!":
            self._gap(wire, Side.CLIENT if rest == "client" else Side.SERVER)
        elif rest in ("FIN", "RST"):
            self._next()
            for ended in (side, side.other) if rest == "RST" else (side,):
                self._end(wire, ended, EndKind[rest])
        else:
            self._send(wire, side, self._bytes(wire, side, rest.replace("~", "\x1e")))
        self._hand_on()

    def _bytes(self, wire: Wire, side: Side, text: str) -> bytes:
        first, _, rest = text.partition(" ")
        if first == "early":
            return _frame(1, rest.encode(), side)
        if not wire.upgraded:
            return self._request(wire, first, rest) if side is Side.CLIENT else self._answer(wire, first, rest)
        if side is Side.SERVER and text.startswith("HTTP "):
            first, _, rest = rest.partition(" ")
            return self._answer(wire, first, rest)
        if text in ("PING", "PONG"):
            return _frame(9 if text == "PING" else 10, b"", side)
        if first == "close":
            code, _, reason = rest.partition(" ")
            return _frame(8, (int(code).to_bytes(2, "big") + reason.encode()) if code else b"", side)
        if first == "part":
            size, _, rest = rest.partition(" ")
            return _frame(1, rest.encode().ljust(int(size)), side)[: len(rest.encode()) - int(size)]
        if text.startswith("raw:"):
            return bytes.fromhex(text[4:])
        if text.startswith("hex:"):
            return _frame(2, bytes.fromhex(text[4:]), side)
        return _frame(1, _expanded(text), side)

    @staticmethod
    def _request(wire: Wire, method: str, rest: str) -> bytes:
        query, _, body = rest.partition(" ")
        target = f"{wire.target}?{query}" if query not in ("", "-") else wire.target
        if method == "WS":
            extra, method = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", "GET"
        else:
            length = str(len(body.encode()))
            if body.startswith("cut:"):
                length, _, body = body[4:].partition(" ")
            extra = f"Content-Length: {length}\r\n" if body else ""
        return f"{method} {target} HTTP/1.1\r\nHost: {wire.host}\r\n{wire.headers}{extra}\r\n{body}".encode()

    @staticmethod
    def _answer(wire: Wire, status: str, body: str) -> bytes:
        if status == "101":
            wire.upgraded = True
            connection = "" if "Connection:" in wire.replies else "Connection: Upgrade\r\n"
            head = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n{connection}{wire.replies}\r\n"
            return head.encode()
        length = ""
        if body.startswith("cut:"):
            length, _, body = body[4:].partition(" ")
        content = _expanded(body)
        kind = _JSON_OR_TEXT.get(body[:1], "text/html" if int(status) >= 400 else "text/plain; charset=UTF-8")
        length = length or str(len(content))
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{wire.replies}\r\n"
        return head.encode() + content

    def _send(self, wire: Wire, side: Side, data: bytes) -> None:
        place = self._next()
        chunk = StreamChunk(side, wire.sent[side], data, [0], [place.number], [place.ts_ns])
        wire.sent[side] += len(data)
        wire.conversation.chunk(chunk)

    def _gap(self, wire: Wire, side: Side) -> None:
        gap = Gap(side, wire.sent[side], 100, GapReason.NOT_CAPTURED, self._next())
        wire.sent[side] += 100
        wire.conversation.gap(gap)

    def _end(self, wire: Wire, side: Side, kind: EndKind) -> None:
        if side not in wire.ended:
            wire.ended.add(side)
            wire.conversation.end(StreamEnd(side, kind, PacketRef(self.number, self.now)))

    def _hand_on(self) -> None:
        if self.late and not self._closed:
            return
        events = self._events
        for at in events.in_order():
            conversation, record = events.conversations[at], events.records[at]
            if isinstance(record, StreamEnd):
                conversation.ended[record.side] = True
            elif conversation.forgotten:
                continue
            self.sessions.handle(conversation, record)
        events.clear()

    def _watch(self, conversation: Conversation, end: int, watched: Beat | Closing) -> None:
        sent = next(wire.sent for wire in self.wires.values() if wire.conversation is conversation)
        assert end <= sent[watched.side]
        self.watched.append(watched)

    @staticmethod
    def _crashed(conversation: Conversation, bug: Exception) -> None:
        raise bug


def no_advice(*_: object) -> list[str]:
    """Knowledge of libraries, without any."""
    return []


def played(*scripts: str, late: bool = False, most: int = MAX_SESSIONS) -> Talk:
    """The capture of a script."""
    talk = Talk(late=late, most=most)
    for script in scripts:
        talk.play(script)
    return talk.close()


def repeated(script: str, times: Iterable[int]) -> str:
    """The script once for each number, which stands where it has `#`."""
    return "\n".join(script.replace("#", str(time)) for time in times)


def _expanded(text: str) -> bytes:
    if text.startswith("open:"):
        sid, _, rest = text[5:].partition(" ")
        text = OPEN % sid + rest
    elif text.startswith("open3:"):
        packet = OPEN.replace(',"maxPayload":1000000', "") % text[6:]
        text = f"{len(packet)}:{packet}2:40"
    return text.encode()


def _frame(opcode: int, payload: bytes, side: Side) -> bytes:
    mask = 0x80 if side is Side.CLIENT else 0
    size = len(payload)
    length = bytes([mask | size]) if size < 126 else bytes([mask | 126]) + size.to_bytes(2, "big")
    if not mask:
        return bytes([0x80 | opcode]) + length + payload
    key = b"\x11\x22\x33\x44"
    return bytes([0x80 | opcode]) + length + key + bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))
