"""What is opened from the main view: a session, a finding, a rule, the help. Each is a list of lines of any number."""

import io
from collections.abc import Callable
from functools import lru_cache

from rich.console import Console

from eiosniff.model.finding import Diagnosis, RuleInfo
from eiosniff.model.live import LiveFinding
from eiosniff.report import rule_text, terminal
from eiosniff.report.layout import Page
from eiosniff.report.screen.look import Look
from eiosniff.report.screen.picture import Picture
from eiosniff.report.screen.session_page import write_session
from eiosniff.report.screen.state import FindingPage, HelpPage, RulePage, SessionPage
from eiosniff.report.screen.state import Page as Opened

_HELP = (
    ("", "In the main view"),
    ("Tab", "go to the next part: diagnosis, sessions, events"),
    ("arrows, j k", "select a line; g and G go to the first and to the last"),
    ("Enter", "open what is selected: all about a session, or what is wrong, why, and what to do"),
    ("r", "open the page of the rule that found what is selected"),
    ("/", "show only what matches: an address, a library, a session id, a namespace, a rule"),
    ("Esc", "show all again"),
    ("", "Everywhere"),
    ("space, p", "pause: the picture stands still while the analysis goes on; once more goes on"),
    ("w", "write a report of all so far, now"),
    ("Ctrl-L", "draw the screen anew"),
    ("Ctrl-Z", "leave the screen for a while; `fg` comes back"),
    ("q", "in the main view, as Ctrl-C: stop, and print the report"),
    ("", "On a page that was opened"),
    ("Esc, q", "go back"),
    ("arrows, PgUp PgDn", "scroll"),
    ("1 to 9", "on a session's page: open what was found in it"),
    ("r", "on a diagnosis: open the page of its rule"),
    ("", "What the table of sessions says"),
    ("!!  !  i", "an error, a warning or a remark concerns this session"),
    ("EIO/SIO", "(rev) the revisions of Engine.IO and Socket.IO that are spoken, such as 4/5; ? is not known yet"),
    ("via", "what carries it now: poll (HTTP requests) or ws (WebSocket)"),
    ("heartbeat", "how long the last pong took, and when the last ping was; `ping waits`: it has no pong yet"),
    ("ack", "how long acknowledgements of events take, usually"),
    ("state", "open, upgrading (from HTTP requests to WebSocket), or who closed it and how"),
)


def page_title(page: Opened) -> str:
    """What stands above a page."""
    match page:
        case SessionPage(live):
            return f"Session s{live.session.index}"
        case FindingPage(found):
            return f"Diagnosis: {found.finding.name}"
        case RulePage(code):
            return f"Rule {code}"
        case HelpPage():
            return "Help"


def page_lines(picture: Picture, page: Opened, width: int) -> list[str]:
    """All lines of a page, none wider than `width`."""
    look = picture.look
    match page:
        case SessionPage(live):
            now = picture.session(live.session.index) or live
            return picture.page(
                ("session", live.session.index, width),
                lambda: _written(width, look, lambda console: write_session(picture, now, console)),
            )
        case FindingPage(found):
            seen = picture.finding(found.id) or found
            return picture.page(("finding", found.id, width), lambda: _finding(picture, seen, width))
        case RulePage(code):
            rule = picture.rule(code)
            return _rule(rule, width, look) if rule else [f"There is nothing to read about {code}."]
        case HelpPage():
            return _written(width, look, _help)


def _written(width: int, look: Look, write: Callable[[Console], None]) -> list[str]:
    """What is written to a console, as lines."""
    written = io.StringIO()
    console = Console(
        file=written, width=width, color_system="standard" if look.color else None, force_terminal=look.color,
        legacy_windows=False, highlight=False, markup=False, emoji=False, _environ={},
    )  # fmt: skip
    write(console)
    return written.getvalue().rstrip("\n").split("\n")


def _finding(picture: Picture, found: LiveFinding, width: int) -> list[str]:
    view, redactor, look = picture.view, picture.redactor, picture.look
    finding = found.finding

    def write(console: Console) -> None:
        page = Page(console)
        if found.resolved:
            why = "is the same fault as another one" if found.merged_into else "does not hold: what came since shows it"
            page.paragraph(f"This {why}; see the diagnoses.", lead="Resolved  ")
            page.line()
        cause = picture.finding(found.explained_by) if found.explained_by else None
        if cause is not None:
            page.paragraph(
                f"{redactor.shown(' '.join(cause.finding.title.split()))} ({cause.finding.name}): that is to be mended "
                "first.",
                lead="Follows from  ",
            )
            page.line()
        diagnosis = Diagnosis(finding) if found.explained_by else found.diagnosis
        terminal.write_diagnosis(diagnosis, console, redactor, view.started_ns)
        page.line()
        sessions = ", ".join(f"s{session.index}" for session in finding.sessions[:20])
        more = f" and {len(finding.sessions) - 20:,} more" if len(finding.sessions) > 20 else ""
        facts = [
            f"Found at {look.clock(found.first_ns)}, last proved at {look.clock(found.packet_ns)}.",
            f"Concerns {sessions}{more}." if sessions else "",
            f"The times of the proof count in seconds from {look.clock(view.started_ns)}.",
        ]
        page.paragraph(" ".join(fact for fact in facts if fact), lead="  ")

    return _written(width, look, write)


@lru_cache(8)
def _rule(rule: RuleInfo, width: int, look: Look) -> list[str]:
    return _written(width, look, lambda console: rule_text.write(rule, console))


def _help(console: Console) -> None:
    page = Page(console)
    for at, (keys, text) in enumerate(_HELP):
        if keys:
            page.paragraph(text, lead=f"  {keys:19}")
            continue
        if at:
            page.line()
        page.line((text, "bold"))
