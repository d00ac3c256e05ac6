"""`eiosniff live --format jsonl`: one JSON object an event, as `schema/live-1.json` describes it.

The order of the keys is part of the contract. What sessions and findings are is written as in a report.
"""

from collections.abc import Callable
from functools import partial

from eiosniff import __version__
from eiosniff.knowledge import identify_client, identify_server
from eiosniff.model.finding import Diagnosis, Report
from eiosniff.model.live import EventKind, LiveEvent, LiveFinding
from eiosniff.model.peers import Identity
from eiosniff.model.session import Session
from eiosniff.report.as_json import Writer, encoded, line
from eiosniff.report.figures import iso_time, milliseconds
from eiosniff.report.redact import Redactor
from eiosniff.report.wording import lasted_ns, packets_of

SCHEMA = "eiosniff.live/1"

_Object = dict[str, object]


def render(event: LiveEvent, redactor: Redactor) -> str:
    """An event as one line, without its end."""
    writer = Writer(redactor)
    begun: _Object = {"event": event.kind.value, "time": iso_time(event.ts_ns)}
    return line(begun | _PARTS[event.kind](event, writer))


def render_report(report: Report, ts_ns: int, redactor: Redactor) -> str:
    """The whole report, as the last line: `report` is the object that `analyze --format json` writes."""
    document = encoded(Writer(redactor).document(report))
    return line({"event": "report", "time": iso_time(ts_ns), "report": document})


def _started(event: LiveEvent, writer: Writer) -> _Object:
    return {
        "schema": SCHEMA,
        "eiosniff": __version__,
        "source": _fact(event, writer, "source"),
        "backend": _fact(event, writer, "backend"),
        "text": writer.text(event.text),
    }


def _session(event: LiveEvent, writer: Writer) -> _Object:
    session = event.session
    assert session is not None, "an event of a session has it"
    shown: _Object = {"packet": event.packet or None, "text": writer.text(event.text)}
    if event.kind is EventKind.SESSION_CLOSED:
        shown |= _life(session)
    return shown | {"session": writer.session(session, *_peers(session))}


def _peers(session: Session) -> tuple[Identity | None, Identity | None]:
    """Who they are, by what this session shows. The ledgers are told at the end of the capture, when all is known."""
    client, server = session.client, session.server
    return identify_client(client, (session,)), identify_server(server, (session,), (client,))


def _life(session: Session) -> _Object:
    return {"lasted_ms": milliseconds(lasted_ns(session)), "packets": packets_of(session)}


def _finding(event: LiveEvent, writer: Writer) -> _Object:
    live = event.finding
    assert live is not None, "an event of a finding has it"
    shown: _Object = {"id": live.id, "explained_by": live.explained_by}
    if event.kind is EventKind.FINDING_CHANGED:
        shown["changes"] = list(event.changes)
    elif event.kind is EventKind.FINDING_RESOLVED:
        shown["merged_into"] = live.merged_into
    delay_ns = max(0, event.ts_ns - live.packet_ns) if event.packet else None
    return shown | {
        "packet": event.packet or None,
        "delay_ms": None if delay_ns is None else milliseconds(delay_ns),
        "text": writer.text(event.text),
        "diagnosis": writer.diagnosis(_diagnosis(live)),
    }


def _diagnosis(live: LiveFinding) -> Diagnosis:
    """That of the finding itself, also where another one explains it."""
    return live.diagnosis if live.diagnosis.finding is live.finding else Diagnosis(live.finding)


def _told(event: LiveEvent, writer: Writer, names: tuple[str, ...]) -> _Object:
    return {name: _fact(event, writer, name) for name in names} | {"text": writer.text(event.text)}


def _fact(event: LiveEvent, writer: Writer, name: str) -> object:
    value = event.facts.get(name)
    return writer.text(value) if isinstance(value, str) else value


_PARTS: dict[EventKind, Callable[[LiveEvent, Writer], _Object]] = {
    EventKind.STARTED: _started,
    EventKind.SESSION_OPENED: _session,
    EventKind.SESSION_UPGRADED: _session,
    EventKind.SESSION_CLOSED: _session,
    EventKind.FINDING_NEW: _finding,
    EventKind.FINDING_CHANGED: _finding,
    EventKind.FINDING_RESOLVED: _finding,
    EventKind.CAPTURE: partial(_told, names=("what", "dropped")),
    EventKind.ENDED: partial(_told, names=("reason", "packets", "bytes", "dropped", "sessions")),
}
