"""All that is known of one session, on a page of its own."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from eiosniff.model.attempt import UpgradeTry
from eiosniff.model.live import LiveFinding, LiveSession
from eiosniff.model.outside import quic_connection, shown_stream
from eiosniff.model.provenance import SIDES, PacketRef, Side
from eiosniff.model.session import Namespace
from eiosniff.report.figures import counted, duration
from eiosniff.report.layout import Column, Page, Row
from eiosniff.report.screen.look import STYLES
from eiosniff.report.screen.picture import Picture
from eiosniff.report.screen.session_words import beats, state, upgrading
from eiosniff.report.wording import close_reason, in_protocol_order, lasted_ns, transports, versions

_MAX_TEXT = 120
_MAX_EVENTS = 30
_MAX_NAMESPACES = 12
_MAX_CONNECTIONS = 12
_MS = 1_000_000
_LABEL = 12

_ACKS = (
    Column("answer to", least=16),
    Column("by"),
    Column("times", right=True),
    Column("median", right=True, least=7),
    Column("worst", right=True, least=7),
    Column("missing"),
)
_NAMESPACES = (
    Column("namespace", least=10),
    Column("events", right=True),
    Column("socket id", least=20),
    Column("state"),
)
_CONNECTIONS = (Column("stream", right=True), Column("packets", right=True), Column("over"))


def write_session(picture: Picture, live: LiveSession, console: Console) -> None:
    """Write all about a session as it stands."""
    _SessionText(picture, live, Page(console)).write()


class _SessionText:
    def __init__(self, picture: Picture, live: LiveSession, page: Page) -> None:
        self.picture = picture
        self.live = live
        self.session = live.session
        self.page = page
        self.now_ns = picture.view.now_ns
        self.shown = picture.redactor.shown

    def write(self) -> None:
        session, page = self.session, self.page
        self.found(self.picture.concerning(self.live))
        self.labelled("State", self.state())
        self.labelled("Session id", self.shown(session.sid, _MAX_TEXT) if session.sid else "not seen in the capture")
        self.labelled("Client", self.peer(str(session.client_endpoint), self.live.client_library, self.client_more()))
        self.labelled("Server", self.peer(str(session.server.endpoint), self.live.server_library, self.server_more()))
        self.labelled("Path", self.shown(session.path, _MAX_TEXT) if session.path else "")
        self.labelled("Revision", self.revision())
        self.labelled("Opened", self.opened())
        self.labelled("Transport", self.transport())
        self.labelled("Heartbeat", self.heartbeat())
        page.line()
        self.acks()
        self.namespaces()
        self.packets()
        self.connections()

    def labelled(self, label: str, text: str) -> None:
        if text:
            self.page.paragraph(text, lead=Text(f"{label:{_LABEL}}", style="bold"))

    def at(self, place: PacketRef) -> str:
        """When a packet was, and its number."""
        clock = self.picture.look.clock(place.ts_ns, fine=True)
        return f"{clock} (packet {place.number})" if place.number else clock

    def found(self, concerning: Sequence[LiveFinding]) -> None:
        """What is wrong with it: each with the key that opens it."""
        for at, found in enumerate(concerning[:9], 1):
            finding = found.finding
            title = self.shown(" ".join(finding.title.split()), 300)
            lead = Text.assemble(
                (f"{at}  ", "bold"), (f"{finding.severity.label.upper():7}  ", STYLES[finding.severity])
            )
            self.page.paragraph(f"{title} ({finding.name})", lead=lead)
        if concerning:
            keys = "1 opens it" if len(concerning) == 1 else f"1 to {min(9, len(concerning))} open them"
            self.page.line((f"   {keys}: why, what to do, the proof", "dim"))
            self.page.line()

    def state(self) -> str:
        session = self.session
        closing = session.closing
        if closing is None:
            words = f"{state(session, self.now_ns)}, since {duration(max(0, self.now_ns - session.opened.ts_ns))}"
            return f"{words}; last packet {duration(max(0, self.now_ns - session.last.ts_ns))} ago"
        reason = self.shown(close_reason(closing), _MAX_TEXT)
        return (
            f"closed by the {closing.side.label}: {reason}, at {self.at(closing.place)}, "
            f"after {duration(lasted_ns(session))}"
        )

    def peer(self, endpoint: str, library: str, more: str) -> str:
        known = self.shown(library, _MAX_TEXT) or "library not recognised"
        return ", ".join(part for part in (endpoint, known, more) if part)

    def client_more(self) -> str:
        session = self.session
        parts = []
        if session.proxied_for is not None:
            parts.append(f"a proxy, for {session.proxied_for}")
        if session.client.user_agent:
            parts.append(f"User-Agent {self.shown(session.client.user_agent, _MAX_TEXT)}")
        return ", ".join(parts)

    def server_more(self) -> str:
        hops = " → ".join(str(hop.server.endpoint) for hop in self.session.hops)
        return f"seen again on its way to {hops}" if hops else ""

    def revision(self) -> str:
        session = self.session
        engineio, socketio = versions(session)
        if session.socketio09:
            return "Socket.IO 0.9"
        words = [f"Engine.IO {engineio or 'not known yet'}", f"Socket.IO {socketio or 'not seen yet'}"]
        if session.claimed_eio is not None:
            words.append(f"the client asks for EIO={self.shown(session.claimed_eio, 20)}")
        client, server = session.revisions
        if client and server and client != server:
            words.append(f"but the client speaks {client} and the server {server}")
        return ", ".join(words)

    def opened(self) -> str:
        session = self.session
        return "before the capture began" if session.midstream else self.at(session.opened)

    def transport(self) -> str:
        session = self.session
        words = [transports(session)]
        if session.upgraded is not None:
            after = duration(max(0, session.upgraded.ts_ns - session.opened.ts_ns))
            words.append(f"upgraded {after} after it was opened, at {self.at(session.upgraded)}")
        elif upgrading(session):
            words.append("upgrading")
        elif session.upgrades:
            words.append(_upgrade(session.upgrades[-1]))
        if session.upgrade_count > 1:
            words.append(f"{session.upgrade_count} tries to upgrade")
        return ", ".join(words)

    def heartbeat(self) -> str:
        session = self.session
        figures, handshake = session.heartbeats, session.handshake
        pinger = session.pinger
        parts = []
        if handshake is not None and handshake.ping_interval_ms is not None:
            parts.append(f"the {pinger.label} pings every {duration(handshake.ping_interval_ms * _MS)}")
            if handshake.ping_timeout_ms is not None:
                parts.append(f"a pong may take {duration(handshake.ping_timeout_ms * _MS)}")
        parts.append(f"{counted(figures.pings, 'ping')} and {counted(figures.pongs, 'pong')} so far")
        if figures.delays.count:
            parts.append(
                f"pongs took {duration(figures.delays.median)} (median) and {duration(figures.delays.maximum)} at worst"
            )
        if figures.last is not None or figures.pending is not None:
            parts.append(f"the last: {beats(session, self.now_ns)}")
        if figures.reversed:
            parts.append(f"{counted(figures.reversed.count, 'ping')} of the {pinger.other.label}, which must not")
        return "; ".join(parts)

    def acks(self) -> None:
        session = self.session
        rows: list[Row] = []
        for side in SIDES:
            for event, figures in session.messages.acks_of(bool(side)).items():
                if len(rows) >= _MAX_EVENTS:
                    break
                delays = figures.delays
                missing = figures.asked - delays.count
                times = [duration(time) if delays.count else "-" for time in (delays.median, delays.maximum)]
                name = self.shown(event, 30) or '""'
                rows.append(
                    [name, Side(side).other.label, f"{delays.count:,}", *times, f"{missing:,}" if missing else ""]
                )
        if not rows:
            self.labelled("Answers", "no event asked for an acknowledgement")
            return
        self.page.line((f"{'Answers':{_LABEL}}", "bold"), "to events that ask for an acknowledgement")
        self.page.table(_ACKS, rows, lead="    ")
        waiting = session.messages.waiting
        if waiting and session.closing is None:
            oldest = next(iter(waiting.values())).place
            waits = duration(max(0, self.now_ns - oldest.ts_ns))
            self.page.paragraph(f"{counted(len(waiting), 'event')} waiting, the oldest for {waits}", lead="    ")

    def namespaces(self) -> None:
        namespaces = list(self.session.namespaces.values())
        if not namespaces:
            self.labelled("Namespaces", "none joined")
            return
        self.page.line(("Namespaces", "bold"))
        rows: list[Row] = [
            [
                self.shown(namespace.name, 40),
                f"{namespace.events:,}",
                self.shown(namespace.socket_id, 24) if namespace.socket_id else "-",
                self.namespace_state(namespace),
            ]
            for namespace in namespaces[:_MAX_NAMESPACES]
        ]
        if len(namespaces) > _MAX_NAMESPACES:
            rows.append(Text(f"... and {len(namespaces) - _MAX_NAMESPACES} more"))
        self.page.table(_NAMESPACES, rows, lead="    ")

    def namespace_state(self, namespace: Namespace) -> str:
        words = namespace.state.value
        if namespace.refusal:
            words += f": {self.shown(namespace.refusal, 60)}"
        if namespace.disconnected_by is not None:
            words += f" by the {namespace.disconnected_by.label}"
        return words

    def packets(self) -> None:
        session = self.session
        self.page.line(("Packets", "bold"))
        for side in SIDES:
            counts = {**session.engineio_counts[side], **session.socketio_counts[side]}
            kinds = [f"{self.shown(name, 20)} {count:,}" for name, count in in_protocol_order(counts).items()]
            last = session.last_from[side]
            ending = f"; the last at {self.at(last)}" if last is not None else ""
            self.page.paragraph(f"{', '.join(kinds) or 'none'}{ending}", lead=f"    {Side(side).label:8}")

    def connections(self) -> None:
        session = self.session
        uses = session.connections
        self.page.line((f"{'Connections':{_LABEL}}", "bold"), f"{session.connection_count:,} (tcp.stream in Wireshark)")
        rows: list[Row] = [
            [_stream(use.stream), f"{use.first.number}-{use.last.number}", use.transport.value]
            for use in uses[-_MAX_CONNECTIONS:]
        ]
        if session.connection_count > len(rows):
            rows.insert(0, Text(f"... {session.connection_count - len(rows):,} others"))
        if rows:
            self.page.table(_CONNECTIONS, rows, lead="    ")


def _upgrade(tried: UpgradeTry) -> str:
    """What became of a try to go on over WebSocket."""
    if tried.refused:
        status = tried.inside or tried.answered
        return f"upgrade refused ({status.status})" if status is not None else "upgrade refused"
    if tried.ended is not None:
        by = f" by the {tried.ended_by.label}" if tried.ended_by is not None else ""
        return f"upgrade broken off{by}"
    return "not upgraded"


def _stream(stream: int) -> str:
    """The number of a connection; `q` stands before those of QUIC."""
    return f"{'' if quic_connection(stream) is None else 'q'}{shown_stream(stream)}"
