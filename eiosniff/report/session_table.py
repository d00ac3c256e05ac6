"""The sessions in the text report: under each pair of a client and a server, a line a session."""

from itertools import chain, islice
from operator import attrgetter

from rich.text import Text

from eiosniff.model.finding import Report
from eiosniff.model.session import CloseHow, Session
from eiosniff.report.figures import counted, duration
from eiosniff.report.layout import Column, Page, Row
from eiosniff.report.redact import Redactor
from eiosniff.report.wording import library, packets, versions

_MAX_SESSIONS = 20
_MAX_TEXT = 60

# Session ids have 20 characters, and with them a line needs more than 80 columns.
_ROOM_FOR_SID = 108

_COLUMNS = (
    Column("id"),
    Column("port", right=True, least=5),
    Column("EIO/SIO"),
    Column("transports"),
    Column("lasted", right=True, least=7),
    Column("packets", right=True),
)
_SID = Column("sid", least=20)
_END = Column("ended by")

_SHORT = {
    CloseHow.EIO_CLOSE: "EIO close",
    CloseHow.WS_CLOSE: "WS close",
    CloseHow.FIN: "FIN",
    CloseHow.RST: "RST",
    CloseHow.DISCONNECT: "disconnect",
}


def write_sessions(report: Report, page: Page, redactor: Redactor) -> None:
    """The first sessions of the report, and how many more there are."""
    with_sid = page.width >= _ROOM_FOR_SID
    by_peers: dict[str, list[Row]] = {}
    # The report ranks sessions to say which ones to show; shown, they read best in the order in which they began.
    for session in sorted(islice(report.sessions, _MAX_SESSIONS), key=attrgetter("index")):
        peers = _peers(session, redactor)
        by_peers.setdefault(peers, [Text(peers)]).append(_row(session, redactor, with_sid=with_sid))
    rows = list(chain.from_iterable(by_peers.values()))
    page.line(("Sessions", "bold"))
    page.table((*_COLUMNS, _SID, _END) if with_sid else (*_COLUMNS, _END), rows, lead="    ")
    more = report.sessions_total - min(len(report.sessions), _MAX_SESSIONS)
    if more > 0:
        page.line(f"    ... and {more:,} more")
    if report.sessions_folded:
        folded = counted(report.sessions_folded, "session")
        page.line(f"    ({folded} only counted; --max-sessions lists more of them in JSON)")


def _peers(session: Session, redactor: Redactor) -> str:
    client = library(session.client.identity)
    server = library(session.server.identity)
    behind = "".join(f" → {hop.server.endpoint}" for hop in session.hops)  # seen again behind a proxy or a NAT
    proxied = session.proxied_for  # the client is a proxy, and said for whom it connects
    return (
        f"{session.client_endpoint.address}{f' for {proxied.address}' if proxied else ''}"
        f"{f' ({redactor.shown(client, _MAX_TEXT)})' if client else ''} → "
        f"{session.server.endpoint}{f' ({redactor.shown(server, _MAX_TEXT)})' if server else ''}{behind}"
    )


def _row(session: Session, redactor: Redactor, *, with_sid: bool) -> list[str]:
    end = session.closing.place if session.closing else session.last
    lasted = duration(max(0, end.ts_ns - session.opened.ts_ns))
    engineio, socketio = versions(session)
    # Of 0.9 what was said are Socket.IO packets; of the others those are part of Engine.IO packets.
    counts = session.socketio_counts if session.socketio09 else session.engineio_counts
    cells = [
        f"s{session.index}",
        str(session.client_endpoint.port),
        f"{engineio or ('-' if session.socketio09 else '?')}/{socketio or '-'}",
        "→".join(transport.value for transport in session.transports) or "?",
        f">{lasted}" if session.midstream else lasted,
        f"{packets(counts):,}",
    ]
    if with_sid:
        cells.append(redactor.shown(session.sid, 24) if session.sid else "?")
    return [*cells, _end(session)]


def _end(session: Session) -> str:
    closing = session.closing
    if closing is None:
        return "- (still open)"
    code = f" {closing.code}" if closing.code is not None else ""
    return f"{closing.side.label}, {_SHORT[closing.how]}{code}"
