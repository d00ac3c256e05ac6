"""A view in words: what there is to be shown at an instant, filtered. Each row is made once, when it is asked for."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from eiosniff.model.finding import Finding, RuleInfo
from eiosniff.model.live import LiveEvent, LiveFinding, LiveSession, LiveView
from eiosniff.report.redact import Redactor
from eiosniff.report.screen.look import Look
from eiosniff.report.screen.session_words import SessionRow, searched, session_row

T = TypeVar("T")

# Of the sessions that a finding names, so many are looked at by the filter.
_SEARCHED = 500


class Picture:
    """What is shown of a view. Ledgers in it change while the capture runs; `freeze` makes it stand still.

    `before` is the picture before this one, of which is kept what did not change.
    """

    def __init__(
        self,
        view: LiveView,
        rules: Sequence[RuleInfo],
        redactor: Redactor,
        look: Look,
        before: "Picture | None" = None,
    ) -> None:
        self.view = view
        self.look = look
        self.redactor = redactor
        self.rules = rules
        self._rows: dict[int, SessionRow] = {}
        self._pages: dict[object, list[str]] = {}
        self._filtered: dict[tuple[str, str], list[Any]] = {}
        self._by_index = {live.session.index: live for live in view.sessions}
        # Judgements come once a second or so, and name up to ten thousand sessions.
        self._judged: list[tuple[LiveFinding, Finding]] = [(found, found.finding) for found in view.findings]
        if before is not None and before._judged == self._judged:
            self._concerning: dict[int, list[LiveFinding]] = before._concerning
        else:
            self._concerning = _concerning(view.findings)

    def freeze(self) -> None:
        """Make all rows now, so that they stay, and keep the findings as they are."""
        for live in self.view.sessions:
            self.row(live)
        self.view.findings = [replace(found) for found in self.view.findings]

    def row(self, live: LiveSession) -> SessionRow:
        """The cells of a session."""
        row = self._rows.get(live.session.index)
        if row is None:
            row = session_row(live, self.concerning(live), self.view.now_ns, self.redactor)
            self._rows[live.session.index] = row
        return row

    def page(self, key: object, made: Callable[[], list[str]]) -> list[str]:
        """The lines of a page, made once."""
        lines = self._pages.get(key)
        if lines is None:
            lines = self._pages[key] = made()
        return lines

    def concerning(self, live: LiveSession) -> list[LiveFinding]:
        """The findings that name a session, in the order of the report."""
        return self._concerning.get(live.session.index, [])

    def sessions(self, wanted: str) -> list[LiveSession]:
        """Those that a filter lets through, in the order of the view."""
        return self._select("sessions", wanted, self.view.sessions, self._searched_session)

    def findings(self, wanted: str) -> list[LiveFinding]:
        """Those that a filter lets through; what explains one of them stays with it."""
        found: list[LiveFinding] = self._select("findings", wanted, self.view.findings, self._searched_finding)
        if not wanted:
            return found
        kept = {each.id for each in found} | {each.explained_by for each in found}
        return [each for each in self.view.findings if each.id in kept]

    def events(self, wanted: str) -> list[LiveEvent]:
        """Those that a filter lets through, the newest last."""
        return self._select("events", wanted, self.view.events, self._searched_event)

    def session(self, index: int) -> LiveSession | None:
        """The session of that number, if it is among those that are shown."""
        return self._by_index.get(index)

    def finding(self, name: str) -> LiveFinding | None:
        """The finding with that id, if it holds."""
        return next((found for found in self.view.findings if found.id == name), None)

    def rule(self, code: str) -> RuleInfo | None:
        """What is to be said of a rule."""
        return next((rule for rule in self.rules if rule.code == code), None)

    def _select(self, what: str, wanted: str, items: list[T], text: Callable[[T], str]) -> list[T]:
        wanted = wanted.strip().lower()
        if not wanted:
            return items
        known = self._filtered.get((what, wanted))
        if known is None:
            known = self._filtered[what, wanted] = [item for item in items if wanted in text(item)]
        return known

    def _searched_session(self, live: LiveSession) -> str:
        return searched(live, self.concerning(live))

    def _searched_finding(self, found: LiveFinding) -> str:
        finding = found.finding
        sids = [f"s{session.index}\n{session.sid or ''}" for session in finding.sessions[:_SEARCHED]]
        parts = [finding.rule, finding.name, finding.title, *finding.clients, *finding.servers, *sids]
        return "\n".join(parts).lower()

    def _searched_event(self, event: LiveEvent) -> str:
        parts = [event.text.lower()]
        if event.session is not None:
            live = self.session(event.session.index) or LiveSession(event.session)
            parts.append(self._searched_session(live))
        if event.finding is not None:
            parts.append(self._searched_finding(event.finding))
        return "\n".join(parts)


def _concerning(findings: Sequence[LiveFinding]) -> dict[int, list[LiveFinding]]:
    """By the number of a session: the findings that name it."""
    concerning: dict[int, list[LiveFinding]] = {}
    for found in findings:
        for session in found.finding.sessions:
            concerning.setdefault(session.index, []).append(found)
    return concerning
