"""What a session did once it was open, step by step: namespaces, events, polling, the heartbeat, its end."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from eiosniff.comparison.amounts import duration
from eiosniff.model.comparison import Fact, Said, Step
from eiosniff.model.provenance import CLIENT, SERVER, SIDES
from eiosniff.model.session import CloseHow, Namespace, Session
from eiosniff.model.tally import NS_PER_MS

_MAX_NAMESPACES: Final = 8
_ROOT: Final = "/"
# What is late by less is not missing: it may have been on its way.
_GRACE_NS: Final = 500_000_000
_CLIENTS_CODES: Final = (None, 1000, 1001, 1005)  # RFC 6455, section 7.4.1: normal closure, going away, no status


def course_of(session: Session, said: Sequence[Said]) -> Iterator[Step]:
    """The steps from the first CONNECT to the end of the session."""
    yield from _namespaces(session)
    if said:
        yield Step("events", "", said[0].place, tuple(_events(session, said)))
    if session.polls or session.refusals or session.polls_cut:
        yield Step("polling", "", None, tuple(_polling(session)))
    network = tuple(_network(session))
    if network:
        yield Step("network", "", None, network)
    yield _heartbeat(session)
    yield _close(session)


# ---------------------------------------------------------------- namespaces


def _namespaces(session: Session) -> Iterator[Step]:
    namespaces = list(session.namespaces.values())[:_MAX_NAMESPACES]
    if not namespaces and not _has_holes(session) and not _is_engineio_alone(session):
        yield Step("connect", _ROOT, None, (Fact("asks", "never", bad=True), Fact("answer", "none", bad=True)))
    for namespace in namespaces:
        place = namespace.connect or namespace.connected or namespace.refused
        yield Step("connect", namespace.name, place, tuple(_namespace(session, namespace)))


def _has_holes(session: Session) -> bool:
    """Whether the capture lacks something of it, so that what is not seen may have been all the same."""
    return session.midstream or session.one_direction or bool(session.gaps)


def _is_engineio_alone(session: Session) -> bool:
    """Whether it is one of an application that uses no Socket.IO, or of one that has no CONNECT."""
    said = any("message" in counts for counts in session.engineio_counts)
    return session.socketio09 or (said and not any(session.socketio_counts))


def _namespace(session: Session, namespace: Namespace) -> Iterator[Fact]:
    if namespace.connects:
        yield Fact("asks", "yes", key="in")
    elif session.socketio09:
        yield Fact("asks", None)
    elif namespace.unasked or (namespace.name == _ROOT and session.pinger is CLIENT):
        yield Fact("asks", "no need to, up to revision 3", key="in")
    elif _has_holes(session):
        yield Fact("asks", None)
    else:
        yield Fact("asks", "never", bad=True)
    keys = ", ".join(sorted(namespace.auth_keys)) or "none"
    yield Fact("auth", f"{keys}{' (in the query)' if namespace.auth_in_query else ''}")
    yield _let_in(session, namespace)
    if namespace.connects > 1:
        yield Fact("times", str(namespace.connects), bad=namespace.doubled is not None)
    if namespace.early_events:
        yield Fact("events before it", str(namespace.early_events.count), bad=not _has_holes(session))
    left_by = SERVER if namespace.kick is not None else namespace.disconnected_by
    if left_by is not None:
        yield Fact(
            "left",
            "thrown out" if left_by is SERVER else "says goodbye",
            bad=left_by is SERVER and not session.socketio09,
        )
    if namespace.recovery_asked is not None:
        recovered = {True: "state recovered", False: "state lost", None: None}[namespace.recovered]
        yield Fact("recovery", recovered, bad=namespace.recovered is False)


def _let_in(session: Session, namespace: Namespace) -> Fact:
    if namespace.refused is not None and namespace.let_in is None:
        return Fact("answer", f"refused: {namespace.refusal}" if namespace.refusal else "refused", bad=True)
    if namespace.let_in is not None or namespace.connected is not None:
        return Fact("answer", "let in")
    if _has_holes(session):
        return Fact("answer", None)
    return Fact("answer", "none", bad=True)


# ---------------------------------------------------------------- events


def _events(session: Session, said: Sequence[Said]) -> Iterator[Fact]:
    times: Counter[str] = Counter()
    for each in said:
        times[each.label] += 1
        again = f" ({times[each.label]})" if times[each.label] > 1 else ""
        yield Fact(f"{each.label}{again}", each.detail)
    parsers = [parser.value for parser in session.parsers if parser is not None]
    if any(name != "default" for name in parsers):
        yield Fact("parser", " and ".join(dict.fromkeys(parsers)), bad=len(set(parsers)) > 1)
    waiting = session.messages.waiting
    asked = sum(figures.asked for side in SIDES for figures in session.messages.acks_of(bool(side)).values())
    if waiting or asked:
        over = session.closing is not None and not _has_holes(session)  # else they may still come, or have come
        words = f"{len(waiting)} of {asked} missing" if waiting and over else None if waiting else "all came"
        yield Fact("acks", words, bad=bool(waiting) and over)


# ---------------------------------------------------------------- polling and the network


def _polling(session: Session) -> Iterator[Fact]:
    yield Fact("polls", str(session.polls))
    late = all(refusal.after_close for refusal in session.refusals)
    if session.refusals:
        first = session.refusals.first[0]
        error = f', "{first.error.message}"' if first.error is not None else ""
        yield Fact("refused", f"{_times(session.refusals.count)}: {first.status}{error}", bad=not late)
    if session.polls_cut:
        first_cut = session.polls_cut.first[0]
        # Nobody waits for a poll any more that is cut once the session is over, or goes on over WebSocket.
        needed = session.upgraded is None and (session.closing is None or first_cut.end < session.closing.place)
        bad = first_cut.by is SERVER and needed
        yield Fact("cut", f"{session.polls_cut.count} by the {first_cut.by.label}", bad=bad)
    if session.cookies_set:
        missing = session.cookies_missing > 0
        yield Fact("cookies sent back", "no" if missing else "yes", bad=missing and not late)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _network(session: Session) -> Iterator[Fact]:
    sides = session.network.sides
    if sides is None:
        return
    for side in SIDES:
        if sides[side].repeats:
            yield Fact(f"sent again by the {side.label}", f"{sides[side].repeats} of {sides[side].segments} segments")
        closed = sides[side].closed
        if closed is not None:
            yield Fact("window closed", f"by the {side.label}, for {duration(closed.longest.length_ns)}", bad=True)


# ---------------------------------------------------------------- heartbeat


def _heartbeat(session: Session) -> Step:
    beats = session.heartbeats
    facts: list[Fact] = []
    pinger = session.pinger
    if beats.reversed:
        both = f"{pinger.other.label}, which must not" if not beats.pings else "both sides"
        facts.append(Fact("who pings", f"the {both}" if not beats.pings else both, bad=True))
    elif beats.pings:
        facts.append(Fact("who pings", f"the {pinger.label}", key="as it must"))
    else:
        facts.append(Fact("who pings", None))
    if beats.pings:
        waits = _unanswered(session) and not _has_holes(session)
        answered = None if session.one_direction else f"{beats.pongs} of {beats.pings}"
        facts.append(Fact("answered", answered, bad=waits, key="not all" if waits else "all"))
        if beats.pauses.count:
            facts.append(Fact("every", duration(beats.pauses.median)))
        if beats.delays.count:
            facts.append(Fact("slowest", duration(beats.delays.maximum)))
    silence = _silence_ns(session)
    if silence is not None:
        facts.append(Fact("silence", f"no ping for {duration(silence)}", bad=True))
    frames = sum(pings.count for pings in session.ws_pings)
    if frames:
        facts.append(Fact("frames of WebSocket", "1 ping" if frames == 1 else f"{frames} pings"))
    first = beats.reversed.first[0] if beats.reversed else beats.last
    return Step("heartbeat", "", first.ping if first is not None else None, tuple(facts))


def _unanswered(session: Session) -> bool:
    """Whether a ping had no answer in time."""
    beats, opening = session.heartbeats, session.handshake
    if beats.unanswered:
        return True
    timeout_ms = opening.ping_timeout_ms if opening is not None else None
    if beats.pending is None or timeout_ms is None:
        return False
    return session.observed_until_ns - beats.pending.ping.ts_ns >= timeout_ms * NS_PER_MS - _GRACE_NS


def _silence_ns(session: Session) -> int | None:
    """How long no ping has come at the end, if that is longer than the other side waits for one."""
    opening, beats = session.handshake, session.heartbeats
    if opening is None or opening.ping_interval_ms is None or opening.ping_timeout_ms is None or _has_holes(session):
        return None
    since = beats.last.ping.ts_ns if beats.last is not None else session.opened.ts_ns
    passed_ns = session.observed_until_ns - since
    allowed_ns = (opening.ping_interval_ms + opening.ping_timeout_ms) * NS_PER_MS
    return passed_ns if passed_ns > allowed_ns - _GRACE_NS and beats.pending is None else None


# ---------------------------------------------------------------- the end


def _close(session: Session) -> Step:
    closing = session.closing
    if closing is None:
        shown = duration(max(0, session.observed_until_ns - session.opened.ts_ns))
        return Step("close", "", None, (Fact("ended", "still open", key="well"), Fact("after", f"more than {shown}")))
    bad = is_cut(session)
    how = "broken off" if bad else "ended"
    facts = [Fact("ended", f"{how} by the {closing.side.label}", bad=bad, key="cut" if bad else "well")]
    code = f" {closing.code}" if closing.code is not None else ""
    facts.append(Fact("how", f"{closing.how.value}{code}"))
    if closing.reason:
        facts.append(Fact("reason", closing.reason))
    facts.append(Fact("after", duration(max(0, closing.place.ts_ns - session.opened.ts_ns))))
    return Step("close", "", closing.place, tuple(facts))


def is_cut(session: Session) -> bool:
    """Whether a session ended as nobody wants it to: by the server, without a goodbye, or with a code of an error."""
    closing = session.closing
    if closing is None:
        return False
    if closing.side is CLIENT and closing.how is CloseHow.WS_CLOSE:
        return closing.code not in _CLIENTS_CODES
    if closing.how in (CloseHow.WT_CLOSE, CloseHow.UNSEEN):
        return bool(closing.code)
    return closing.how is CloseHow.RST or not closing.after_goodbye
