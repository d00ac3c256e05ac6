"""What is to be said of a running capture up to now: what `analyze` would say of it if it ended here.

An analysis can be judged once, when it is closed. So a copy is judged: the process forks (2 to 6 ms), the child closes
its decoders, runs the rules, and sends what they found, while the parent goes on decoding.
See docs/decisions/0010-judged-in-a-copy.md.
"""

import os
import pickle
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

from eiosniff import knowledge
from eiosniff.app import Analysis, Options, ReportWriter
from eiosniff.live.copies import Copy
from eiosniff.model.finding import Diagnosis, Finding, Report
from eiosniff.model.peers import Identity
from eiosniff.model.session import Session
from eiosniff.rules.api import Rule

_FIELDS = [field.name for field in fields(Finding) if field.name != "sessions"]
# Of the newest sessions it is said which libraries their peers are.
_IDENTIFIED = 500

_Packed = tuple[list[Any], list[int]]
_Library = tuple[str, str, str] | None


@dataclass(slots=True, frozen=True)
class Judgement:
    """What was found up to an instant. `diagnoses` name sessions of the analysis that was judged, as far as they are
    still in memory there. `crashed`: a rule or a decoder raised."""

    at_ns: int
    diagnoses: list[Diagnosis]
    crashed: bool


@dataclass(slots=True, frozen=True)
class _Message:
    """What the copy sends."""

    diagnoses: list[tuple[_Packed, list[_Packed]]]
    libraries: list[tuple[int, _Library, _Library]]
    crashed: bool


class Judging:
    """Judges an analysis now and then, one copy at a time. `possible` is false where processes cannot fork (Windows):
    then there is only the judgement at the end."""

    possible = hasattr(os, "fork")

    def __init__(self, options: Options, rules: Sequence[Rule]) -> None:
        knowledge.load_all()
        self._options = options
        self._rules = rules
        self._copy: Copy | None = None
        self._at_ns = 0
        self.worked_ns = 0  # processor time that the last one took

    @property
    def busy(self) -> bool:
        """Whether a judgement is under way."""
        return self._copy is not None

    def fileno(self) -> int:
        """A descriptor that is readable when there is something to `take`; -1 where no judgement is under way."""
        return -1 if self._copy is None else self._copy.fileno()

    def start(self, analysis: Analysis, now_ns: int) -> None:
        """Judge what was captured up to an instant."""
        self._at_ns = now_ns
        self._copy = Copy(partial(_judge, self._options, self._rules, analysis, now_ns))

    def take(self, analysis: Analysis) -> Judgement | None:
        """Read on; the judgement when it is complete. Raises `CopyFailedError`."""
        copy, self._copy = self._copy, None
        assert copy is not None
        try:
            received = copy.take()
        finally:
            self.worked_ns = copy.worked_ns
        if received is None:
            self._copy = copy
            return None
        message: _Message = pickle.loads(received)  # our own copy sent it
        return _unpacked(message, analysis, self._at_ns)

    def close(self) -> None:
        """Judge no more."""
        if self._copy is not None:
            self._copy.close()
            self._copy = None


def report_up_to(analysis: Analysis, options: Options, rules: Sequence[Rule], now_ns: int | None) -> Report:
    """The report of all that was captured up to an instant. The analysis is closed by it: it is the last, or a copy."""
    if now_ns is not None:
        analysis.summary.last_ns = max(now_ns, analysis.summary.last_ns or now_ns)
    with redirect_stdout(sys.stderr):  # what a rule of others prints is no event
        analysis.close()
        writer = ReportWriter(options, rules)
        writer.add(analysis)
        return writer.report()


def _judge(options: Options, rules: Sequence[Rule], analysis: Analysis, now_ns: int) -> bytes:
    """What the copy does."""
    report = report_up_to(analysis, options, rules, now_ns)
    message = _Message(
        [
            (_packed(diagnosis.finding), [_packed(finding) for finding in diagnosis.consequences])
            for diagnosis in report.diagnoses
        ],
        [_libraries(session) for session in analysis.stack.sessions.sessions[-_IDENTIFIED:]],
        report.crashed,
    )
    return pickle.dumps(message, pickle.HIGHEST_PROTOCOL)


def _packed(finding: Finding) -> _Packed:
    """A finding without its sessions, of which the numbers do. (Compiled classes cannot be pickled.)"""
    return [getattr(finding, name) for name in _FIELDS], [session.index for session in finding.sessions]


def _libraries(session: Session) -> tuple[int, _Library, _Library]:
    return session.index, _library(session.client.identity), _library(session.server.identity)


def _library(identity: Identity | None) -> _Library:
    return None if identity is None else (identity.library, identity.name, identity.version)


def _unpacked(message: _Message, analysis: Analysis, at_ns: int) -> Judgement:
    known = {session.index: session for session in analysis.stack.sessions.sessions}

    def finding(packed: _Packed) -> Finding:
        values, indices = packed
        sessions = [known[index] for index in indices if index in known]
        return Finding(**dict(zip(_FIELDS, values, strict=True)), sessions=sessions)

    for index, client, server in message.libraries:
        session = known.get(index)
        if session is not None:
            session.client.identity = None if client is None else Identity(*client)
            session.server.identity = None if server is None else Identity(*server)
    diagnoses = [
        Diagnosis(finding(cause), [finding(consequence) for consequence in consequences])
        for cause, consequences in message.diagnoses
    ]
    return Judgement(at_ns, diagnoses, message.crashed)
