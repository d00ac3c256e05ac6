"""What the user looks at, and what a key makes of it. No function here knows a terminal."""

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TypeAlias

from eiosniff.model.live import LiveEvent, LiveFinding, LiveSession
from eiosniff.report.screen.keys import Key, Typed
from eiosniff.report.screen.picture import Picture

_MAX_FILTER = 100
_END = 1 << 30  # a line behind the last one: drawing knows how many there are


class Pane(Enum):
    """The parts of the main view, from the top."""

    FINDINGS = "findings"
    SESSIONS = "sessions"
    EVENTS = "events"


class Asked(Enum):
    """What a key asks for that is not a matter of the picture."""

    STOP = "stop"
    WRITE_REPORT = "write a report"
    REDRAW = "redraw"
    SUSPEND = "suspend"


@dataclass(frozen=True, slots=True)
class SessionPage:
    """All about a session. It stays open when the session is no more among those that are shown."""

    live: LiveSession


@dataclass(frozen=True, slots=True)
class FindingPage:
    """All about a finding, even if it holds no more."""

    found: LiveFinding


@dataclass(frozen=True, slots=True)
class RulePage:
    """The documentation of a rule, by its code."""

    code: str


@dataclass(frozen=True, slots=True)
class HelpPage:
    """What the keys do, and the columns mean."""


Page: TypeAlias = SessionPage | FindingPage | RulePage | HelpPage
_Item: TypeAlias = LiveFinding | LiveSession | LiveEvent


@dataclass(frozen=True, slots=True)
class Opened:
    """A page, and the first of its lines that is shown."""

    page: Page
    top: int = 0


@dataclass(frozen=True, slots=True)
class Selection:
    """What is selected in a pane: what identifies it, and where it stood last, in case it is gone."""

    key: object = None
    at: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """`pane` is None until the user chose one; `selected` has an entry for each pane in which something was chosen.
    `pages` are opened, the last one on top. `typing`: keys go into the filter. `room` is how many lines the last
    drawing had for the page, or for the rows of the pane."""

    pane: Pane | None = None
    selected: dict[Pane, Selection] = field(default_factory=dict)
    pages: tuple[Opened, ...] = ()
    filter: str = ""
    typing: bool = False
    paused: bool = False
    room: int = 10


def pane_of(state: State, picture: Picture) -> Pane:
    """The pane that keys go to: the diagnoses, if there are any and the user has not chosen."""
    if state.pane is not None:
        return state.pane
    return Pane.FINDINGS if picture.findings(state.filter) else Pane.SESSIONS


def selection_of(state: State, picture: Picture, pane: Pane) -> int:
    """Which row of a pane is selected; -1 where it has none. Until somebody chooses it is the first, of events the
    last."""
    return _place(_keys(state, picture, pane), state.selected.get(pane), pane)


def press(state: State, typed: Typed, picture: Picture) -> tuple[State, Asked | None]:
    """What a key makes of it."""
    if typed.key is Key.REDRAW:
        return state, Asked.REDRAW
    if typed.key is Key.SUSPEND:
        return state, Asked.SUSPEND
    if state.typing:
        return _type(state, typed, picture), None
    if typed.key is Key.TEXT:
        if typed.text in (" ", "p"):
            return replace(state, paused=not state.paused), None
        if typed.text == "w":
            return state, Asked.WRITE_REPORT
        if typed.text == "?":
            return _open(state, HelpPage()), None
    if state.pages:
        return _in_page(state, typed, picture), None
    return _in_main_view(state, typed, picture)


def _type(state: State, typed: Typed, picture: Picture) -> State:
    """A key while the filter is typed."""
    match typed.key:
        case Key.TEXT | Key.PASTE:
            text = "".join(char for char in typed.text if char.isprintable())
            return replace(state, filter=(state.filter + text)[:_MAX_FILTER])
        case Key.BACKSPACE:
            return replace(state, filter=state.filter[:-1], typing=bool(state.filter))
        case Key.CLEAR:
            return replace(state, filter="")
        case Key.ESCAPE:
            return replace(state, filter="", typing=False)
        case Key.ENTER | Key.TAB:
            return replace(state, typing=False)
        case Key.UP | Key.DOWN:
            return _move(state, picture, -1 if typed.key is Key.UP else 1)
        case _:
            return state


def _in_main_view(state: State, typed: Typed, picture: Picture) -> tuple[State, Asked | None]:
    match typed:
        case (Key.TEXT, "q"):
            return state, Asked.STOP
        case (Key.TEXT, "/"):
            return replace(state, typing=True), None
        case (Key.ESCAPE, _):
            return replace(state, filter=""), None
        case (Key.TAB, _) | (Key.BACK_TAB, _):
            panes = list(Pane)
            step = 1 if typed.key is Key.TAB else -1
            at = panes.index(pane_of(state, picture)) + step
            return replace(state, pane=panes[at % len(panes)]), None
        case (Key.ENTER, _) | (Key.RIGHT, _) | (Key.TEXT, "l"):
            return _open_selected(state, picture), None
        case (Key.TEXT, "r"):
            return _open_rule(state, _selected(state, picture)), None
        case _:
            step = _step(state, typed)
            return (_move(state, picture, step) if step else state), None


def _in_page(state: State, typed: Typed, picture: Picture) -> State:
    opened = state.pages[-1]
    match typed:
        case (Key.ESCAPE | Key.LEFT | Key.BACKSPACE, _) | (Key.TEXT, "q" | "h"):
            return replace(state, pages=state.pages[:-1])
        case (Key.TEXT, "r") if isinstance(opened.page, FindingPage):
            return _open_rule(state, opened.page.found)
        case (Key.TEXT, digit) if digit.isdecimal() and isinstance(opened.page, SessionPage):
            concerning = picture.concerning(opened.page.live)
            at = int(digit) - 1
            return _open(state, FindingPage(concerning[at])) if 0 <= at < len(concerning) else state
        case _:
            top = max(0, min(opened.top + _step(state, typed), _END))
            return replace(state, pages=(*state.pages[:-1], Opened(opened.page, top)))


def _step(state: State, typed: Typed) -> int:
    """How many lines or rows a key goes down."""
    page = max(1, state.room - 1)
    match typed:
        case (Key.UP, _) | (Key.TEXT, "k"):
            return -1
        case (Key.DOWN, _) | (Key.TEXT, "j"):
            return 1
        case (Key.PAGE_UP, _):
            return -page
        case (Key.PAGE_DOWN, _):
            return page
        case (Key.HOME, _) | (Key.TEXT, "g"):
            return -_END
        case (Key.END, _) | (Key.TEXT, "G"):
            return _END
        case _:
            return 0


def _items(state: State, picture: Picture, pane: Pane) -> list[LiveFinding] | list[LiveSession] | list[LiveEvent]:
    match pane:
        case Pane.FINDINGS:
            return picture.findings(state.filter)
        case Pane.SESSIONS:
            return picture.sessions(state.filter)
        case Pane.EVENTS:
            return picture.events(state.filter)


def _keys(state: State, picture: Picture, pane: Pane) -> list[object]:
    return [_key(item) for item in _items(state, picture, pane)]


def _key(item: _Item) -> object:
    """What a row is known by from one picture to the next."""
    if isinstance(item, LiveFinding):
        return item.id
    return item.session.index if isinstance(item, LiveSession) else item


def _place(keys: list[object], selection: Selection | None, pane: Pane) -> int:
    if not keys:
        return -1
    if selection is None:
        return len(keys) - 1 if pane is Pane.EVENTS else 0
    try:
        return keys.index(selection.key)
    except ValueError:
        return min(selection.at, len(keys) - 1)


def _move(state: State, picture: Picture, step: int) -> State:
    """Select another row of the pane. At the end where new ones come in, the selection is let go, to follow them."""
    pane = pane_of(state, picture)
    keys = _keys(state, picture, pane)
    if not keys:
        return state
    at = max(0, min(_place(keys, state.selected.get(pane), pane) + step, len(keys) - 1))
    selected = {each: chosen for each, chosen in state.selected.items() if each is not pane}
    if at != (len(keys) - 1 if pane is Pane.EVENTS else 0):
        selected[pane] = Selection(keys[at], at)
    return replace(state, pane=pane, selected=selected)


def _selected(state: State, picture: Picture) -> _Item | None:
    pane = pane_of(state, picture)
    items = _items(state, picture, pane)
    at = selection_of(state, picture, pane)
    return items[at] if at >= 0 else None


def _open_selected(state: State, picture: Picture) -> State:
    """Open what is selected; of an event, what it is about."""
    match _selected(state, picture):
        case LiveFinding() as found:
            return _open(state, FindingPage(found))
        case LiveSession() as live:
            return _open(state, SessionPage(live))
        case LiveEvent(finding=LiveFinding() as found):
            return _open(state, FindingPage(found))
        case LiveEvent(session=session) if session is not None:
            return _open(state, SessionPage(picture.session(session.index) or LiveSession(session)))
        case _:
            return state


def _open_rule(state: State, item: _Item | None) -> State:
    found = item.finding if isinstance(item, LiveEvent) else item
    return _open(state, RulePage(found.finding.rule)) if isinstance(found, LiveFinding) else state


def _open(state: State, page: Page) -> State:
    if state.pages and isinstance(page, HelpPage) and isinstance(state.pages[-1].page, HelpPage):
        return state
    return replace(state, pages=(*state.pages, Opened(page)), pane=state.pane)
