"""The screen: which lines it shows of a picture, in a state, in some size. It depends on nothing else."""

from dataclasses import dataclass, replace

from rich.cells import cell_len

from eiosniff.report.figures import counted
from eiosniff.report.layout import fit
from eiosniff.report.screen.look import cell
from eiosniff.report.screen.pages import page_lines, page_title
from eiosniff.report.screen.panes import (
    events_pane,
    findings_pane,
    findings_wanted,
    heading,
    sessions_pane,
    sessions_wanted,
)
from eiosniff.report.screen.picture import Picture
from eiosniff.report.screen.state import FindingPage, HelpPage, Opened, Pane, RulePage, SessionPage, State, pane_of

MIN_WIDTH, MIN_HEIGHT = 60, 15

# Lines of a pane, its headings counted, that it has at least, if it can use them.
_LEAST = {Pane.FINDINGS: 4, Pane.SESSIONS: 5, Pane.EVENTS: 3}


@dataclass(frozen=True, slots=True)
class Frame:
    """What is on the screen: its lines (as many as it has, with styles in them), the state as it was drawn, and where
    the cursor stands (line and column, from 0), if it shows."""

    lines: list[str]
    state: State
    cursor: tuple[int, int] | None = None


def draw(picture: Picture, state: State, width: int, height: int, *, message: str = "", news: int = 0) -> Frame:
    """The screen. `message` is a word to the user; `news` is how many events there were since the picture stands."""
    look = picture.look
    if width < MIN_WIDTH or height < MIN_HEIGHT:
        words = f"eiosniff needs {MIN_WIDTH}x{MIN_HEIGHT}, this is {width}x{height}; it goes on"
        return Frame([fit(words, width), *[""] * (height - 1)][:height], state)
    head = _status(picture, state, width, news)
    footer, cursor = _footer(picture, state, width, message)
    room = height - len(head) - 1
    body, state = _page(picture, state, width, room) if state.pages else _main(picture, state, width, room)
    lines = [look.shown(line) for line in (*head, *body, footer)]
    return Frame(lines, state, None if cursor is None else (height - 1, cursor))


# ---------------------------------------------------------------------- above: what is captured


def _status(picture: Picture, state: State, width: int, news: int) -> list[str]:
    """One line on the capture; a second one if there is something out of the ordinary."""
    view, look, redactor = picture.view, picture.look, picture.redactor
    source = redactor.shown(view.source, 40)
    first = [
        f"{source} ({redactor.shown(view.backend, 20)})",
        _elapsed(view.running_ns),
        f"{counted(view.packets, 'packet')}, {view.packets_per_s:,.0f}/s",
    ]
    dropped = _dropped(view.dropped, view.packets)
    left = f" {'  '.join(first)}  "
    right = f" {look.clock(view.now_ns)} " if view.now_ns else ""  # nobody knows before the first packet
    room = width - cell_len(left) - len(right)
    line = look.paint(fit(left, width), "reverse")
    if room >= 0:
        style = "reverse bold red" if view.dropped else "reverse"
        words = cell(dropped if len(dropped) <= room else "", room)
        line = look.paint(left, "reverse") + look.paint(words, style) + look.paint(right, "reverse")
    lines = [line]
    second: list[tuple[str, str]] = []
    if room < len(dropped):
        second.append((dropped, "bold red" if view.dropped else ""))
    if state.paused:
        since = f", {counted(news, 'event')} since" if news else ""
        second.append((f"PAUSED at {look.clock(view.now_ns)}{since}; space goes on", "bold yellow"))
    if view.state != "running":
        note = f"{view.state.upper()}: {view.note}" if view.note else view.state.upper()
        second.append((redactor.shown(note, 120), "bold yellow"))
    elif view.note:
        second.append((redactor.shown(view.note, 120), ""))
    if state.filter and not state.typing:
        second.append((f"filter: {redactor.shown(state.filter, 40)}", "bold"))
    if view.writing:
        second.append((redactor.shown(view.writing, 80), ""))
    if second:
        lines.append(_joined(picture, second, width))
    return lines


def _elapsed(ns: int) -> str:
    """A running time, as clocks show it."""
    seconds = max(0, ns) // 1_000_000_000
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _joined(picture: Picture, parts: list[tuple[str, str]], width: int) -> str:
    """Parts with their styles in one line, the first ones whole as long as there is room."""
    line, used = " ", 1
    for at, (text, style) in enumerate(parts):
        lead = "  ·  " if at else ""
        room = width - used - len(lead)
        if room < 8:
            break
        text = fit(text, room)
        line += lead + picture.look.paint(text, style)
        used += len(lead) + cell_len(text)
    return line


def _dropped(dropped: int | None, packets: int) -> str:
    if dropped is None:
        return "drops unknown"
    if not dropped:
        return "none dropped"
    share = 100 * dropped / max(1, packets + dropped)
    return f"{dropped:,} DROPPED ({share:.2g} %)"


# ---------------------------------------------------------------------- below: the keys


def _footer(picture: Picture, state: State, width: int, message: str) -> tuple[str, int | None]:
    """A message, or what is typed, or the keys; and the column of the cursor."""
    look = picture.look
    if state.typing:
        shown = picture.redactor.shown(state.filter)
        lead = " Show only: "
        room = width - len(lead) - 1
        while cell_len(shown) > room:  # the end is what is typed
            shown = shown[1:]
        at = len(lead) + cell_len(shown)
        hint = "   Enter keeps it, Esc shows all"
        line = look.paint(lead, "bold") + shown
        return (line + look.paint(hint, "dim") if at + len(hint) < width else line), at
    if message:
        return look.paint(fit(f" {picture.redactor.shown(message)}", width), "bold"), None
    return _keys(picture, _hints(picture, state), width), None


def _hints(picture: Picture, state: State) -> list[tuple[str, str]]:
    pause = ("space", "go on" if state.paused else "pause")
    if not state.pages:
        clear = [("Esc", "all")] if state.filter else []
        return [
            ("q", "quit"), ("Enter", "open"), ("Tab", "next"), ("↑↓", "move"), *clear, pause, ("/", "filter"),
            ("w", "report"), ("?", "help"),
        ]  # fmt: skip
    match state.pages[-1].page:
        case FindingPage():
            own = [("r", "about this rule")]
        case SessionPage(live):
            found = len(picture.concerning(live))
            own = [("1" if found == 1 else f"1-{min(9, found)}", "what is wrong")] if found else []
        case RulePage() | HelpPage():
            own = []
    return [("Esc", "back"), ("↑↓ PgUp PgDn", "scroll"), *own, pause, ("w", "report"), ("?", "help")]


def _keys(picture: Picture, hints: list[tuple[str, str]], width: int) -> str:
    """The first ones, as many as there is room for, and the last one: the help tells of all."""
    line, used = "", 0
    last = hints[-1]
    for key, text in hints:
        more = len(key) + len(text) + 3
        if used + more + (0 if (key, text) == last else len(last[0]) + len(last[1]) + 3) > width:
            continue
        line += f" {picture.look.paint(key, 'bold cyan')} {text} "
        used += more
    return line


# ---------------------------------------------------------------------- between: panes, or a page


def _main(picture: Picture, state: State, width: int, height: int) -> tuple[list[str], State]:
    active = pane_of(state, picture)
    wanted = {
        Pane.FINDINGS: findings_wanted(picture, state, width),
        Pane.SESSIONS: sessions_wanted(picture, state),
        Pane.EVENTS: 1 + len(picture.events(state.filter)),
    }
    heights = shares(height, wanted, active)
    lines = [
        *findings_pane(picture, state, width, heights[Pane.FINDINGS]),
        *sessions_pane(picture, state, width, heights[Pane.SESSIONS]),
        *events_pane(picture, state, width, heights[Pane.EVENTS]),
    ]
    return lines, replace(state, room=heights[active] - 2)


def shares(height: int, wanted: dict[Pane, int], active: Pane) -> dict[Pane, int]:
    """How many lines each pane gets of `height`: what it can use, as far as there are any; the active one twice as
    readily. What nobody needs goes to the events, at the bottom."""
    heights = {pane: min(least, wanted[pane]) for pane, least in _LEAST.items()}
    left = height - sum(heights.values())
    while left > 0:
        hungry = [pane for pane in Pane if heights[pane] < wanted[pane]]
        if not hungry:
            heights[Pane.EVENTS] += left
            break
        pane = min(hungry, key=lambda each: heights[each] / (_WEIGHTS[each] * (1.5 if each is active else 1)))
        heights[pane] += 1
        left -= 1
    return heights


_WEIGHTS = {Pane.FINDINGS: 5, Pane.SESSIONS: 5, Pane.EVENTS: 3}


def _page(picture: Picture, state: State, width: int, height: int) -> tuple[list[str], State]:
    opened = state.pages[-1]
    lines = page_lines(picture, opened.page, width - 2)
    room = height - 1
    top = max(0, min(opened.top, len(lines) - room))
    end = min(len(lines), top + room)
    where = f"lines {top + 1}-{end} of {len(lines)}" if end - top < len(lines) else ""
    body = [heading(page_title(opened.page), where, width, picture.look, active=True)]
    body += [f" {line}" for line in lines[top:end]]
    body += [""] * (height - len(body))
    pages = (*state.pages[:-1], Opened(opened.page, top))
    return body, replace(state, pages=pages, room=room)
