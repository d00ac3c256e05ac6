"""`--format json`: the report for programs, as `schema/report-1.json` describes it.

The order of the keys is part of the contract, and the same report gives the same bytes.
"""

import json
from contextlib import suppress
from typing import Any

import msgspec

from eiosniff.model.crossing import Sides
from eiosniff.model.finding import Answers, Diagnosis, Evidence, Finding, Report, Severity, Totals
from eiosniff.model.outside import quic_connection, shown_stream
from eiosniff.model.peers import Identity
from eiosniff.model.provenance import Endpoint, Side
from eiosniff.model.session import ConnectionUse, Session
from eiosniff.model.summary import CaptureSummary
from eiosniff.report.figures import iso_time, milliseconds
from eiosniff.report.places import Places, Source
from eiosniff.report.redact import Redactor
from eiosniff.report.sanitise import clip, json_safe
from eiosniff.report.wording import close_reason, in_protocol_order, versions

SCHEMA = "eiosniff.report/1"

# A peer may call a namespace by a megabyte. Nobody needs more than this to know it again.
_MAX_TEXT = 2_000
_TEXTS_KEPT = 256

_Object = dict[str, Any]


def render(report: Report, redactor: Redactor) -> str:
    """The report as one JSON document with a newline at its end."""
    return json_safe((_indented(report, redactor) + b"\n").decode())


def _indented(report: Report, redactor: Redactor) -> bytes:
    """What it is made of is gone when this returns: each step takes as much memory as the text itself."""
    return msgspec.json.format(msgspec.json.encode(Writer(redactor).document(report)), indent=2)


def line(value: dict[str, object]) -> str:
    """An object, of which parts may be `encoded`, as JSON on one line, without its end."""
    return json_safe(msgspec.json.encode({key: encoded(part) for key, part in value.items()}).decode())


def encoded(value: object) -> msgspec.Raw:
    """A value as JSON; a lone surrogate becomes the escape that JSON has for it."""
    if isinstance(value, msgspec.Raw):
        return value
    with suppress(UnicodeEncodeError):  # msgspec takes no surrogates
        return msgspec.Raw(msgspec.json.encode(value))
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return msgspec.Raw(text.encode("utf-8", "backslashreplace"))


class Writer:
    """Makes JSON objects of what a report holds, in the order of the schema."""

    def __init__(self, redactor: Redactor) -> None:
        self.redactor = redactor
        self.several_captures = False
        self.places = Places([])
        self.same: dict[Session, Session] = {}
        self._texts: dict[str, str] = {}  # as they are shown: thousands of sessions have the same path and libraries

    def text(self, raw: str) -> str:
        """The text without secrets, and not longer than anybody needs."""
        known = self._texts.get(raw)
        if known is None:
            known = clip(self.redactor.text(raw), _MAX_TEXT)
            if len(self._texts) < _TEXTS_KEPT:
                self._texts[raw] = known
        return known

    def shown(self, raw: str | None) -> str | None:
        """The text, null where the capture does not show it."""
        return None if raw is None else self.text(raw)

    def texts(self, raws: list[str]) -> list[str]:
        """The same of each."""
        return [self.text(raw) for raw in raws]

    def document(self, report: Report) -> _Object:
        """The whole, its larger parts encoded one by one: thousands of sessions as Python objects would take more
        memory than all that was decoded."""
        self.several_captures = len(report.captures) > 1
        self.places = Places(report.captures)
        self.same = report.same
        return {
            "schema": SCHEMA,
            "eiosniff": report.version,
            "captures": [encoded(self.capture(capture)) for capture in report.captures],
            "summary": {
                "connections": report.connections,
                "sessions": report.sessions_total,
                "sessions_folded": report.sessions_folded,
                "errors": report.count(Severity.ERROR),
                "warnings": report.count(Severity.WARNING),
                "infos": report.count(Severity.INFO),
                "set_aside": {
                    "packets": sum(capture.set_aside_packets for capture in report.captures),
                    "bytes": sum(capture.set_aside_bytes for capture in report.captures),
                },
            },
            "sessions": [encoded(self.session(each, capture=report.capture_of.get(each))) for each in report.sessions],
            "diagnoses": [encoded(self.diagnosis(diagnosis)) for diagnosis in report.diagnoses],
            "figures": self.figures(report.totals),
            **({"sides": [self.sides(each, report.captures) for each in report.sides]} if report.sides else {}),
        }

    @staticmethod
    def sides(sides: Sides, captures: list[CaptureSummary]) -> _Object:
        """Two captures of the same sessions."""
        clocks = sides.clocks
        return {
            "client": captures[sides.client].file,
            "server": captures[sides.server].file,
            "sessions": len(sides.crossings),
            "clock_ahead_ms": clocks.ahead_ns / 1_000_000,
            "clock_unsure_ms": None if clocks.unsure_ns is None else clocks.unsure_ns / 1_000_000,
            "clock_drift_ppm": clocks.drift_ppb / 1_000,
            "packets": clocks.packets,
        }

    def figures(self, totals: Totals) -> _Object:
        """How long answers take, over all sessions."""
        return {
            "acks": [
                {"event": self.text(event), "asked_by": side.label, **_answers(figures)}
                for (side, event), figures in totals.acks.items()
            ],
            "heartbeats": [
                {"asked_by": side.label, **_answers(totals.beats[side])} for side in Side if side in totals.beats
            ],
        }

    def capture(self, capture: CaptureSummary) -> _Object:
        """What is told of a capture."""
        return {
            "file": capture.file,
            "format": capture.format,
            "link_types": capture.link_types,
            "packets": capture.packets,
            "bytes": capture.bytes,
            "first_time": None if capture.first_ns is None else iso_time(capture.first_ns),
            "last_time": None if capture.last_ns is None else iso_time(capture.last_ns),
            "problems": [
                {
                    "code": problem.code,
                    "text": self.text(problem.text),
                    **self.place(capture.file, problem.packet),
                }
                for problem in capture.problems
            ],
            **self._files(capture),
        }

    def _files(self, capture: CaptureSummary) -> _Object:
        """Its files, if it has several."""
        numbering = self.places.of(capture.file)
        return {"files": numbering.files} if numbering is not None and len(numbering.files) > 1 else {}

    def place(self, capture: Source, number: int) -> _Object:
        """Which packet it is, of which file where that is not said yet; or which entry, and which message in it."""
        place = self.places.place(capture, number)
        shown: _Object = {"packet": place.number}
        if place.message:
            shown["message"] = place.message
        if self.several_captures or self.places.has_parts(capture):
            shown["capture"] = place.file
        return shown

    def session(
        self,
        session: Session,
        client: Identity | None = None,
        server: Identity | None = None,
        capture: CaptureSummary | None = None,
    ) -> _Object:
        """A session, as far as it is known by now. `client` and `server` tell who its peers are, where they are not
        identified yet; `capture` is the one that it is in, where there may be several."""
        closing = session.closing
        engineio, socketio = versions(session)
        return {
            "id": f"s{session.index}",
            "sid": self.shown(session.sid),
            "client": self.peer(session.client_endpoint, session.client.identity or client),
            "server": self.peer(session.server.endpoint, session.server.identity or server),
            "path": self.shown(session.path),
            "engineio": engineio,
            "socketio": socketio,
            "transports": [transport.value for transport in session.transports],
            "upgraded": session.upgraded is not None,
            # Where the capture began too late, `opened` is only the first packet that it holds.
            "opened_time": None if session.midstream else iso_time(session.opened.ts_ns),
            "closed_time": None if closing is None else iso_time(closing.place.ts_ns),
            "closed_by": None if closing is None else closing.side.label,
            "close_reason": None if closing is None else self.text(close_reason(closing)),
            "packets": {side.label: _counts(session, side) for side in Side},
            "namespaces": [
                {
                    "name": self.text(namespace.name),
                    "state": namespace.state.value,
                    "socket_id": self.shown(namespace.socket_id),
                }
                for namespace in session.namespaces.values()
            ],
            "heartbeat": _heartbeat(session),
            "connections": [self.connection(use, capture.file if capture else "") for use in session.connections],
            **({"capture": capture.file} if self.several_captures and capture else {}),
            **({"same_as": f"s{same.index}"} if (same := self.same.get(session)) is not None else {}),
        }

    def connection(self, use: ConnectionUse, capture: str) -> _Object:
        """The part that a connection has in a session."""
        first, last = self.places.place(capture, use.first.number), self.places.place(capture, use.last.number)
        stream = shown_stream(use.stream)
        shown: _Object = {"stream": stream, "first_packet": first.number, "last_packet": last.number}
        if self.places.has_parts(capture):
            shown |= {"first_capture": first.file, "last_capture": last.file}
        if quic_connection(use.stream) is not None:
            shown["quic"] = True
        return shown

    def peer(self, endpoint: Endpoint, identity: Identity | None) -> _Object:
        """A client or a server."""
        return {
            "address": endpoint.address,
            "port": endpoint.port,
            "library": None if identity is None else self.text(identity.name),
            "version": None if identity is None else self.text(identity.version) or None,
        }

    def diagnosis(self, diagnosis: Diagnosis) -> _Object:
        """A root cause with what follows from it."""
        finding = diagnosis.finding
        file = self.places.main_file(finding)
        return {
            "rule": finding.rule,
            "name": finding.name,
            "severity": finding.severity.label,
            "certainty": finding.certainty.value,
            "title": self.text(finding.title),
            "cause": self.text(" ".join(part for part in (finding.summary, finding.why) if part)),
            "fix": self.texts(finding.fix),
            "occurrences": finding.occurrences,
            "period_ms": None if finding.period_ns is None else milliseconds(finding.period_ns),
            "sessions": [f"s{session.index}" for session in finding.sessions],
            "clients": self.texts(finding.clients),
            "servers": self.texts(finding.servers),
            "capture": file,
            "evidence": self.evidence(finding),
            "display_filter": self.places.filters(finding).get(file, ""),
            "consequences": [self.consequence(consequence) for consequence in diagnosis.consequences],
            "docs": f"docs/rules/{finding.rule}.md",
        }

    def consequence(self, finding: Finding) -> _Object:
        """What follows from another finding, in short."""
        return {
            "rule": finding.rule,
            "name": finding.name,
            "severity": finding.severity.label,
            "occurrences": finding.occurrences,
            "evidence": self.evidence(finding),
        }

    def evidence(self, finding: Finding) -> list[_Object]:
        """The packets that prove a finding."""
        return [self.proof(item, finding) for item in finding.evidence]

    def proof(self, item: Evidence, finding: Finding) -> _Object:
        """One of them."""
        text = f"{item.who}: {item.text}" if item.who else item.text
        place = self.place(finding, item.packet)
        return {"packet": place.pop("packet"), "time": iso_time(item.ts_ns), "text": self.text(text), **place}


def _counts(session: Session, side: Side) -> _Object:
    return {
        "engineio": in_protocol_order(session.engineio_counts[side]),
        "socketio": in_protocol_order(session.socketio_counts[side]),
    }


def _answers(answers: Answers) -> _Object:
    delays = answers.delays
    return {
        "asked": answers.asked,
        "answered": delays.count,
        "median_ms": milliseconds(delays.median) if delays.count else None,
        "p95_ms": milliseconds(delays.quantile(0.95)) if delays.count else None,
        "max_ms": milliseconds(delays.maximum) if delays.count else None,
    }


def _heartbeat(session: Session) -> _Object:
    """What the handshake promises, and how long the answered pings waited for their pongs."""
    handshake, delays = session.handshake, session.heartbeats.delays
    return {
        "interval_ms": handshake and handshake.ping_interval_ms,
        "timeout_ms": handshake and handshake.ping_timeout_ms,
        "count": delays.count,
        "median_ms": milliseconds(delays.median) if delays.count else None,
        "max_ms": milliseconds(delays.maximum) if delays.count else None,
    }
