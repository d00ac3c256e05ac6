"""The three parts of the main view: diagnoses, sessions, newest events. Each is drawn into a number of lines."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.live import EventKind, LiveEvent, LiveFinding, LiveView
from eiosniff.report.figures import counted
from eiosniff.report.layout import fit
from eiosniff.report.redact import Redactor
from eiosniff.report.screen.columns import table
from eiosniff.report.screen.look import SIGNS, STYLES, Look, cell
from eiosniff.report.screen.picture import Picture
from eiosniff.report.screen.session_words import SessionRow
from eiosniff.report.screen.state import Pane, State, pane_of, selection_of

_MAX_TITLE = 400
_MARK = "> "  # before what is selected; beside it a row is shown in reverse
_LABEL = 9  # the severity in a line, and the space behind it
_WRAPPED, _WHOLE = 2, 12
# What is said of a finding beyond its title, the more the more room there is: how many remedies, and how many lines at
# the most the title and each remedy take.
_DETAILS = ((1, 1), (1, _WRAPPED), (1, _WHOLE), (_WHOLE, _WHOLE))
_CONSOLE = Console(width=80, color_system=None)  # to wrap with
_PATIENCE_NS = 10_000_000_000


def heading(title: str, aside: str, width: int, look: Look, *, active: bool) -> str:
    """The line above a pane."""
    words = f"{'▸' if active else '─'} {title}{'  ' if aside else ''}{aside} "
    words = fit(words, width)
    line = words + "─" * (width - cell_len(words))
    return look.paint(line, "bold cyan" if active else "dim")


def window(count: int, selected: int, room: int) -> tuple[int, int]:
    """Which of so many lines are shown: the selected one in the middle, but nothing beyond the ends."""
    start = max(0, min(selected - room // 2, count - room))
    return start, min(count, start + room)


def _extent(start: int, end: int, count: int) -> str:
    return f"{start + 1}-{end} of {count:,}" if end - start < count else ""


def _aside(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def wrapped(text: str, width: int, most: int) -> list[str]:
    """`text` in at most so many lines of a width; what does not fit ends in an ellipsis."""
    lines = [line.plain.rstrip() for line in Text(text).wrap(_CONSOLE, max(1, width))]
    if len(lines) > most:
        lines = [*lines[: most - 1], fit(f"{lines[most - 1]} {' '.join(lines[most:])}", width)]
    return lines or [""]


# ---------------------------------------------------------------------- diagnoses


def findings_pane(picture: Picture, state: State, width: int, height: int) -> list[str]:
    """What is wrong, the most important first, each with what follows from it. Fills all of `height`."""
    look, view = picture.look, picture.view
    active = pane_of(state, picture) is Pane.FINDINGS
    findings = picture.findings(state.filter)
    if not findings:
        title = "Diagnosis" if not view.findings else f"Diagnosis: none of {len(view.findings)} matches the filter"
        text = _going_on(view) if not view.findings else "Esc shows all again."
        lines = [f"  {line}" for line in wrapped(text, width - 2, max(1, height - 1))]
        return _filled([heading(title, "", width, look, active=active), *lines], height)
    selected = selection_of(state, picture, Pane.FINDINGS)
    blocks = _blocks(picture, findings, width, height - 1)
    lines, first_of = [], []
    for at, block in enumerate(blocks):
        first_of.append(len(lines))
        chosen = active and at == selected
        for number, (plain, painted) in enumerate(block):
            mark = _MARK if chosen and not number else "  "
            lines.append(look.paint(cell(mark + plain, width), "reverse") if chosen else f"  {painted}")
    start, end = window(len(lines), first_of[selected] if selected > 0 else 0, height - 1)
    shown = [at for at, line in enumerate(first_of) if start <= line < end]
    extent = _extent(shown[0], shown[-1] + 1, len(findings)) if shown else ""
    title = heading("Diagnosis", _aside(_counts(findings), extent), width, look, active=active)
    return _filled([title, *lines[start:end]], height)


def findings_wanted(picture: Picture, state: State, width: int) -> int:
    """How many lines the pane could use."""
    findings = picture.findings(state.filter)
    if not findings:
        return 1 + len(wrapped(_going_on(picture.view), width - 2, 4))
    return 1 + sum(len(block) for block in _blocks(picture, findings, width, 1_000))


_Block = list[tuple[str, str]]  # lines, plain and painted


def _blocks(picture: Picture, findings: Sequence[LiveFinding], width: int, room: int) -> list[_Block]:
    """The lines of each finding. What is left when each has one goes to the very first, then to all from the first on:
    what to do, all facts, everything whole."""
    made: list[_Block] = [_brief(picture, found, width) for found in findings]
    room -= sum(map(len, made))
    rounds = [(findings[:1], _DETAILS[1]), *((findings, detail) for detail in _DETAILS)]
    for some, (remedies, most) in rounds:
        for at, found in enumerate(some):
            if found.explained_by is None:
                block = _explained(picture, found, width, remedies, most)
            else:
                block = _consequence(picture, found, width, min(most, _WRAPPED))
            more = len(block) - len(made[at])
            if more > room:
                break
            if more > 0:
                room -= more
                made[at] = block
    return made


def _brief(picture: Picture, found: LiveFinding, width: int) -> _Block:
    """A finding in one line."""
    finding = found.finding
    look, redactor = picture.look, picture.redactor
    if found.explained_by is not None:
        return _consequence(picture, found, width, 1)
    label = f"{finding.severity.label.upper():{_LABEL}}"
    title = fit(redactor.shown(" ".join(finding.title.split()), _MAX_TITLE), width - 2 - _LABEL)
    return [(label + title, look.paint(label, STYLES[finding.severity]) + look.paint(title, "bold"))]


def _consequence(picture: Picture, found: LiveFinding, width: int, most: int) -> _Block:
    """What follows from another finding, in at most so many lines."""
    finding = found.finding
    words = picture.redactor.shown(" ".join((finding.hence or finding.title).split()), _MAX_TITLE)
    lead = f"{' ' * _LABEL}└ so: "
    lines = wrapped(f"{words} ({finding.name})", width - 2 - len(lead), most)
    block = [lead + lines[0], *(" " * len(lead) + line for line in lines[1:])]
    return [(line, line) for line in block]


def _explained(picture: Picture, found: LiveFinding, width: int, remedies: int, most: int) -> _Block:
    """A finding with its facts, and with so many remedies, each in at most so many lines; the facts in fewer."""
    finding = found.finding
    look, redactor = picture.look, picture.redactor
    room = width - 2 - _LABEL
    title, *more = wrapped(redactor.shown(" ".join(finding.title.split()), _MAX_TITLE), room, most)
    label = f"{finding.severity.label.upper():{_LABEL}}"
    margin = " " * _LABEL
    block = [(label + title, look.paint(label, STYLES[finding.severity]) + look.paint(title, "bold"))]
    block += [(margin + line, margin + look.paint(line, "bold")) for line in more]
    if most > 1:
        facts = wrapped(_facts(picture, found), room, min(most - 1, _WRAPPED))
        block += [(margin + line, margin + look.paint(line, "dim")) for line in facts]
    for number, fix in enumerate(finding.fix[:remedies], 1):
        remedy = redactor.shown(" ".join(fix.split()), _MAX_TITLE)
        for at, line in enumerate(wrapped(remedy, room - 5, most)):
            lead = "     " if at else f"{number}.".ljust(5) if number > 1 else "Fix: "
            block.append((margin + lead + line, margin + look.paint(lead, "bold") + line))
    return block


def _facts(picture: Picture, found: LiveFinding) -> str:
    """How sure, how often, when last, who: in a line."""
    finding = found.finding
    look, redactor = picture.look, picture.redactor
    sure = finding.certainty.value if finding.certainty is Certainty.CERTAIN else f"only {finding.certainty.value}"
    last = look.clock(found.packet_ns or found.changed_ns)
    often = f"at {last}" if finding.occurrences == 1 else f"{counted(finding.occurrences, 'time')}, last at {last}"
    who = (_some(finding.clients, redactor), _some(finding.servers, redactor))
    between = " → ".join(side for side in who if side)
    return _aside(sure, often, between, f"{finding.name} ({finding.rule})")


def _some(names: Sequence[str], redactor: Redactor) -> str:
    first = ", ".join(redactor.shown(name, 60) for name in names[:2])
    return f"{first} and {len(names) - 2} more" if len(names) > 2 else first


def _counts(findings: Sequence[LiveFinding]) -> str:
    counts = []
    for severity in sorted(Severity, reverse=True):
        number = sum(found.finding.severity is severity and found.explained_by is None for found in findings)
        counts += [counted(number, severity.label)] if number else []
    return ", ".join(counts)


def _going_on(view: LiveView) -> str:
    """What there is where nothing was found."""
    if view.sessions_total:
        still = {0: "none open now", view.sessions_total: "open"}.get(
            view.sessions_open, f"{view.sessions_open:,} open"
        )
        return f"Nothing wrong so far: {counted(view.sessions_total, 'session')}, {still}."
    if not view.packets:
        if view.running_ns < _PATIENCE_NS:
            return "Waiting for the first packet."
        return (
            "No packet yet. Is it the right interface? What one machine says to itself goes over the loopback "
            "interface (lo); `eiosniff live` without an interface lists those that carry traffic."
        )
    kinds = sorted(view.connections.items(), key=lambda entry: -entry[1])
    seen = [counted(view.packets, "packet"), *(f"{count:,} {name}" for name, count in kinds[:4])]
    words = f"No Socket.IO yet: {', '.join(seen)}."
    if any(name.startswith("TLS") for name in view.connections):
        words += " What is in TLS cannot be read: capture behind what ends it."
    return words


# ---------------------------------------------------------------------- sessions


def sessions_pane(picture: Picture, state: State, width: int, height: int) -> list[str]:
    """A line a session, open and new ones first. Fills all of `height`."""
    look, view = picture.look, picture.view
    active = pane_of(state, picture) is Pane.SESSIONS
    sessions = picture.sessions(state.filter)
    counts = f"{view.sessions_open:,} open, {view.sessions_total:,} in all" if view.sessions_total else ""
    if not sessions:
        words = f"none of {len(view.sessions)} matches the filter" if view.sessions else "none yet"
        return _filled([heading(f"Sessions: {words}", counts, width, look, active=active)], height)
    selected = selection_of(state, picture, Pane.SESSIONS)
    room = height - 2
    with_more = active and room > min(2, len(sessions))
    start, end = window(len(sessions), selected, room - with_more)
    rows = [picture.row(live) for live in sessions[start:end]]
    columns = table(rows, width - 5)
    matching = f"{len(sessions):,} match" if state.filter else ""
    extent = _extent(start, end, len(sessions))
    lines = [
        heading("Sessions", _aside(counts, matching, extent), width, look, active=active),
        look.paint(f"     {columns.headings()}", "dim"),
    ]
    for at, row in enumerate(rows, start):
        words = columns.line(row)
        if active and at == selected:
            lines.append(look.paint(cell(f"{_MARK}{row.sign:2} {words}", width), "reverse"))
            more = columns.left_out(row) if with_more else ""
            if more:
                lines.append(look.paint(fit(f"     {more}", width), "dim"))
        else:
            lines.append(_session_line(look, row, words))
    return _filled(lines, height)


def sessions_wanted(picture: Picture, state: State) -> int:
    """How many lines the pane could use: one of them on the selected session, if it is the active pane."""
    count = len(picture.sessions(state.filter))
    return 2 + count + (pane_of(state, picture) is Pane.SESSIONS) if count else 1


def _session_line(look: Look, row: SessionRow, words: str) -> str:
    words = look.paint(words.rstrip(), "dim" if row.over else "")
    style = next((STYLES[severity] for severity, sign in SIGNS.items() if sign == row.sign), "")
    return f"  {look.paint(f'{row.sign:2}', style)} {words}"


# ---------------------------------------------------------------------- events


def events_pane(picture: Picture, state: State, width: int, height: int) -> list[str]:
    """What happened, the newest last. Fills all of `height`."""
    look = picture.look
    active = pane_of(state, picture) is Pane.EVENTS
    events = picture.events(state.filter)
    selected = selection_of(state, picture, Pane.EVENTS)
    start, end = window(len(events), selected, height - 1)
    title = "Newest events" if events else "Newest events: none" + (" matches the filter" if state.filter else " yet")
    extent = _extent(start, end, len(events)) if active else ""
    lines = [heading(title, extent, width, look, active=active)]
    for at in range(start, end):
        event = events[at]
        clock = look.clock(event.ts_ns)
        label, style = _event_label(event)
        label += "  " if label else ""
        text = fit(event_words(event, picture.redactor), width - len(clock) - len(label) - 4)
        if active and at == selected:
            lines.append(look.paint(cell(f"{_MARK}{clock}  {label}{text}", width), "reverse"))
        else:
            lines.append(f"  {look.paint(clock, 'dim')}  {look.paint(label, style)}{text}")
    return _filled(lines, height)


def event_words(event: LiveEvent, redactor: Redactor) -> str:
    """What happened to whom, in a line."""
    text = redactor.shown(" ".join(event.text.split()), _MAX_TITLE)
    if event.finding is not None:
        finding = event.finding.finding
        if event.kind is not EventKind.FINDING_NEW:
            return f"{finding.name}: {text}"
        title = redactor.shown(" ".join(finding.title.split()), _MAX_TITLE)
        return f"{title} ({finding.name})"
    if event.session is not None:
        return f"s{event.session.index} {event.session.client_endpoint} {text}"
    return text


def _event_label(event: LiveEvent) -> tuple[str, str]:
    """A word before the text of an event, if it does not say all, and the style of the word."""
    if event.kind is EventKind.FINDING_RESOLVED:
        return "resolved", "bold green"
    if event.kind is EventKind.CAPTURE:
        return "capture", "bold"
    severity = event.severity or (event.finding.finding.severity if event.finding is not None else None)
    return ("", "") if severity is None else (severity.label.upper(), STYLES[severity])


def _filled(lines: list[str], height: int) -> list[str]:
    return [*lines[:height], *[""] * (height - len(lines))]
