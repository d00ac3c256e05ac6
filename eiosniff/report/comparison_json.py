"""`eiosniff compare --format json`: a comparison for programs, as `schema/compare-1.json` describes it."""

from typing import Any

import msgspec

from eiosniff.model.comparison import (
    FAILING,
    WORKING,
    Comparison,
    Conversation,
    Difference,
    Fact,
    FactPair,
    Step,
    StepPair,
)
from eiosniff.model.provenance import PacketRef
from eiosniff.report.as_json import Writer
from eiosniff.report.comparison import headline
from eiosniff.report.comparison_words import shown_fact
from eiosniff.report.figures import iso_time
from eiosniff.report.places import Places
from eiosniff.report.redact import Redactor
from eiosniff.report.sanitise import json_safe

SCHEMA = "eiosniff.compare/1"

_MAX_TEXT = 2_000

_Object = dict[str, Any]


def render(comparison: Comparison, redactor: Redactor) -> str:
    """The comparison as one JSON document with a newline at its end."""
    document = _Document(redactor).of(comparison)
    return json_safe(msgspec.json.format(msgspec.json.encode(_clean(document)), indent=2).decode() + "\n")


def _clean(value: Any) -> Any:
    """Lone surrogates, which msgspec does not take, as text."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list) else value


class _Document:
    def __init__(self, redactor: Redactor) -> None:
        self.redactor = redactor
        self.writer = Writer(redactor)
        self.files = ["", ""]

    def of(self, comparison: Comparison) -> _Object:
        difference, root = comparison.difference, comparison.diagnosis
        captures = [comparison.working.capture, comparison.failing.capture]
        self.files = [capture.file for capture in captures]
        self.writer.places = Places(captures)
        return {
            "schema": SCHEMA,
            "eiosniff": comparison.version,
            "verdict": comparison.verdict.value,
            "text": headline(comparison, self.redactor),
            "first_difference": None if difference is None else self.difference(difference),
            "diagnosis": None if root is None else self.writer.diagnosis(root),
            "shared": [each.finding.rule for each in comparison.shared],
            "working": self.conversation(comparison.working),
            "failing": self.conversation(comparison.failing),
            "steps": [self.step(pair) for pair in comparison.pairs],
        }

    def difference(self, difference: Difference) -> _Object:
        step = difference.step
        return {
            "step": step.kind,
            "label": self.redactor.shown(step.label, _MAX_TEXT),
            **self.fact(difference.fact),
            "working_place": self.side(step.working, WORKING),
            "failing_place": self.side(step.failing, FAILING),
            "cause": difference.words,
        }

    def conversation(self, conversation: Conversation) -> _Object:
        address, endpoint = conversation.peers
        client, server = conversation.client, conversation.server
        session, attempt = conversation.session, conversation.attempt
        return {
            "capture": self.writer.capture(conversation.capture),
            "chosen": conversation.why,
            "client": {"address": address or None, **self.library(client)},
            "server": {
                "address": endpoint and endpoint.address,
                "port": endpoint and endpoint.port,
                **self.library(server),
            },
            "session": None if session is None else self.writer.session(session, capture=conversation.capture),
            "handshake": None if attempt is None else self.place(attempt.request.place, conversation.capture.file),
        }

    def library(self, peer: Any) -> _Object:
        identity = peer.identity if peer is not None else None
        if identity is None:
            return {"library": None, "version": None}
        return {"library": self.writer.text(identity.name), "version": self.writer.text(identity.version) or None}

    def step(self, pair: StepPair) -> _Object:
        return {
            "step": pair.kind,
            "title": pair.title,
            "label": self.redactor.shown(pair.label, _MAX_TEXT),
            "working": self.side(pair.working, WORKING),
            "failing": self.side(pair.failing, FAILING),
            "facts": [self.fact(fact) for fact in pair.facts],
        }

    def side(self, step: Step | None, which: int) -> _Object | None:
        return None if step is None else self.place(step.place, self.files[which])

    def place(self, place: PacketRef | None, capture: str) -> _Object:
        if place is None or not place.number:
            return {"packet": None, "time": None}
        shown = self.writer.place(capture, place.number)
        return {"packet": shown.pop("packet"), "time": iso_time(place.ts_ns), **shown}

    def fact(self, pair: FactPair) -> _Object:
        return {
            "fact": self.redactor.shown(pair.name, _MAX_TEXT),
            "working": self.value(pair.working),
            "failing": self.value(pair.failing),
            "importance": pair.importance.value,
        }

    def value(self, fact: Fact | None) -> str | None:
        return None if fact is None or fact.value is None else shown_fact(fact, self.redactor, _MAX_TEXT)
