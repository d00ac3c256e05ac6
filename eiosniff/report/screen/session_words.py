"""A session in words, as it stands at an instant: for a row of the table, and to search in."""

from collections.abc import Sequence
from dataclasses import dataclass

from eiosniff.model.engineio import Transport
from eiosniff.model.live import LiveFinding, LiveSession
from eiosniff.model.provenance import SIDES
from eiosniff.model.session import Session
from eiosniff.report.figures import duration
from eiosniff.report.redact import Redactor
from eiosniff.report.screen.look import SIGNS
from eiosniff.report.wording import end_words, lasted_ns, packets_of, revisions, transports

_MAX_TEXT = 60
_MS = 1_000_000
_SHORT = {Transport.POLLING: "poll", Transport.WEBSOCKET: "ws", Transport.WEBTRANSPORT: "wt"}


@dataclass(slots=True)
class SessionRow:
    """The cells of a session, and whether it is `over`. `via` and `beat` are short forms of `transports` and `beats`;
    `rules` are the names of the rules that found something in it."""

    id: str
    sign: str
    client: str
    client_library: str
    server: str
    server_library: str
    revisions: str
    via: str
    transports: str
    beat: str
    beats: str
    ack: str
    packets: str
    age: str
    state: str
    sid: str
    rules: str
    over: bool


def session_row(live: LiveSession, concerning: Sequence[LiveFinding], now_ns: int, redactor: Redactor) -> SessionRow:
    """The cells of a session at an instant; `concerning` are the findings that name it."""
    session = live.session
    worst = live.worst or max((found.finding.severity for found in concerning), default=None)
    ack = usual_ack_ns(session)
    return SessionRow(
        id=f"s{session.index}",
        sign=SIGNS[worst] if worst else "",
        client=str(session.client_endpoint),
        client_library=redactor.shown(live.client_library, _MAX_TEXT),
        server=str(session.server.endpoint),
        server_library=redactor.shown(live.server_library, _MAX_TEXT),
        revisions=revisions(session),
        via=_via(session),
        transports=transports(session),
        beat=_beat(session, now_ns),
        beats=beats(session, now_ns),
        ack="-" if ack is None else duration(ack),
        packets=f"{packets_of(session):,}",
        age=duration(lasted_ns(session)) if session.closing is not None else _whole(now_ns - session.opened.ts_ns),
        state=state(session, now_ns),
        sid=redactor.shown(session.sid, 24) if session.sid else "?",
        rules=", ".join(dict.fromkeys(found.finding.name for found in concerning)),
        over=session.closing is not None,
    )


def searched(live: LiveSession, concerning: Sequence[LiveFinding]) -> str:
    """All that the filter looks at, in lower case."""
    session = live.session
    parts = [
        f"s{session.index}", str(session.client_endpoint), live.client_library, str(session.server.endpoint),
        live.server_library, session.sid or "", *session.namespaces,
    ]  # fmt: skip
    if session.proxied_for is not None:
        parts.append(str(session.proxied_for))
    for found in concerning:
        parts += [found.finding.name, found.finding.rule]
    return "\n".join(parts).lower()


def upgrading(session: Session) -> bool:
    """Whether the client is trying to go on over WebSocket right now."""
    if session.closing is not None or session.upgraded is not None or not session.upgrades:
        return False
    last = session.upgrades[-1]
    return last.ended is None and not last.refused


def state(session: Session, now_ns: int) -> str:
    """Whether it is open, and if not, who closed it and how."""
    if session.closing is not None:
        return f"closed by {end_words(session)}"
    word = "upgrading" if upgrading(session) else "open"
    silent = now_ns - session.last.ts_ns
    patience = _patience_ns(session)
    return f"{word}, silent {_whole(silent)}" if patience and silent > patience else word


def beats(session: Session, now_ns: int) -> str:
    """The last heartbeat, the usual one, and how long ago that was."""
    figures = session.heartbeats
    words = _beat(session, now_ns)
    if figures.delays.count < 2:
        return words
    first, comma, rest = words.partition(", ")
    return f"{first}, usually {duration(figures.delays.median)}{comma}{rest}"


def usual_ack_ns(session: Session) -> int | None:
    """How long acknowledgements take: the median over events of their medians, each as often as it was answered. None
    where there was none."""
    medians = sorted(
        (figures.delays.median, figures.delays.count)
        for side in SIDES
        for figures in session.messages.acks_of(bool(side)).values()
        if figures.delays.count
    )
    half = sum(count for _, count in medians) / 2
    for median, count in medians:
        half -= count
        if half <= 0:
            return median
    return None


def _beat(session: Session, now_ns: int) -> str:
    figures = session.heartbeats
    is_open = session.closing is None
    if figures.pending is not None:
        waited = _until_ns(session, now_ns) - figures.pending.ping.ts_ns
        return f"ping waits {duration(max(0, waited))}" if is_open else "ping unanswered"
    last = figures.last
    if last is None:
        return "none yet" if is_open else "none"
    delay = last.delay_ns
    words = "no pong" if delay is None else duration(delay)
    return f"{words}, {_whole(now_ns - last.ping.ts_ns)} ago" if is_open else words


def _whole(ns: int) -> str:
    """A time that goes on, to the second: a table should not flicker for tenths."""
    seconds = max(0, ns) // 1_000_000_000
    return f"{seconds} s" if seconds < 120 else duration(seconds * 1_000_000_000)


def _via(session: Session) -> str:
    """What carries it now."""
    if not session.transports:
        return "?"
    now = session.transports[-1]
    if upgrading(session):
        now = session.transports[0]
    return _SHORT[now]


def _patience_ns(session: Session) -> int | None:
    """After how much silence something is wrong: with a heartbeat, the sides allow so much."""
    handshake = session.handshake
    if handshake is None or handshake.ping_interval_ms is None or handshake.ping_timeout_ms is None:
        return None
    return (handshake.ping_interval_ms + handshake.ping_timeout_ms) * _MS


def _until_ns(session: Session, now_ns: int) -> int:
    return session.closing.place.ts_ns if session.closing is not None else max(now_ns, session.last.ts_ns)
