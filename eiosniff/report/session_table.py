"""The sessions in the text report: under each pair of a client and a server, a line a session, if they are few."""

from collections.abc import Iterable
from itertools import chain, islice
from operator import attrgetter

from rich.text import Text

from eiosniff.model.finding import Report, Severity
from eiosniff.model.session import Session
from eiosniff.report.figures import counted, duration
from eiosniff.report.layout import Column, Page, Row
from eiosniff.report.redact import Redactor
from eiosniff.report.session_groups import write_groups
from eiosniff.report.wording import end_words, lasted_ns, library, packets_of, revisions, transports

_MAX_SESSIONS = 12  # that are listed one by one; of more, so many that a fault concerns
_MAX_FAULTY = 5
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


def write_sessions(report: Report, page: Page, redactor: Redactor) -> None:
    """The sessions: a line for each, or, if there are many, for those with a fault and for each kind of all."""
    if report.sessions_total <= _MAX_SESSIONS:
        page.line(("Sessions", "bold"))
        _write_each(report.sessions, report.same, page, redactor)
        return
    faulty = {
        session.index
        for diagnosis in report.diagnoses
        for finding in diagnosis.findings
        if finding.severity > Severity.INFO
        for session in finding.sessions
    }
    first = list(islice((session for session in report.sessions if session.index in faulty), _MAX_FAULTY))
    if first:
        page.line(("Sessions", "bold"))
        _write_each(first, report.same, page, redactor)
        more = len(faulty) - len(first)
        page.line(f"    ... and {more:,} more that a fault concerns; all, by kind:" if more else "    All, by kind:")
    write_groups(report.sessions, page, redactor)
    if report.sessions_folded:
        folded = counted(report.sessions_folded, "session")
        page.line(f"    ({folded} only counted; --max-sessions lists more of them in JSON)")


def _write_each(sessions: Iterable[Session], same: dict[Session, Session], page: Page, redactor: Redactor) -> None:
    """A line for each; those that another capture has as well say which they are there."""
    with_sid = page.width >= _ROOM_FOR_SID
    by_peers: dict[str, list[Row]] = {}
    # The report ranks sessions to say which ones to show; shown, they read best in the order in which they began.
    for session in sorted(sessions, key=attrgetter("index")):
        peers = _peers(session, redactor)
        by_peers.setdefault(peers, [Text(peers)]).append(_row(session, redactor, same.get(session), with_sid=with_sid))
    rows = list(chain.from_iterable(by_peers.values()))
    page.table((*_COLUMNS, _SID, _END) if with_sid else (*_COLUMNS, _END), rows, lead="    ")


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


def _row(session: Session, redactor: Redactor, same: Session | None, *, with_sid: bool) -> list[str]:
    lasted = duration(lasted_ns(session))
    cells = [
        f"s{session.index}" + (f"=s{same.index}" if same else ""),
        str(session.client_endpoint.port or "-"),  # a HAR does not tell it
        revisions(session),
        transports(session),
        f">{lasted}" if session.midstream else lasted,
        f"{packets_of(session):,}",
    ]
    if with_sid:
        cells.append(redactor.shown(session.sid, 24) if session.sid else "?")
    return [*cells, end_words(session)]
