"""What a conversation did, step by step: from the TCP connection to the session."""

from collections.abc import Iterator
from typing import Final

from eiosniff.comparison import course, requests
from eiosniff.comparison.amounts import duration
from eiosniff.model.attempt import Attempt, UpgradeTry
from eiosniff.model.comparison import Conversation, Fact, Step
from eiosniff.model.engineio import POLLING, WEBSOCKET, Transport
from eiosniff.model.provenance import CLIENT
from eiosniff.model.session import Session

OVER_WEBSOCKET: Final = "WebSocket"
OVER_WEBTRANSPORT: Final = "WebTransport"
OVER_POLLING: Final = "polling"


def steps_of(conversation: Conversation) -> list[Step]:
    """All steps, in the order of `knowledge/compare.toml`."""
    return list(_steps(conversation))


def _steps(conversation: Conversation) -> Iterator[Step]:
    session, attempt = conversation.session, conversation.attempt
    yield _connection(conversation)
    preflight = _preflight(conversation)
    if preflight is not None:
        yield preflight
    if attempt is not None:
        asked = tuple(requests.request(attempt.request))
        if asked:
            yield Step("request", "", attempt.request.place, asked)
        yield Step("answer", "", attempt.answer, (*requests.answer(attempt), *_waited(attempt)))
    if session is None:
        return
    if session.handshake is not None:
        yield Step("open", "", session.opened, tuple(_open(session)))
    yield _upgrade(session)
    yield from course.course_of(session, conversation.said)


def _connection(conversation: Conversation) -> Step:
    failed = conversation.failed
    if failed is not None:
        first = failed.tally.first[0]
        return Step("connection", "", first.syn, (Fact("connects", failed.failure.value, bad=True),))
    session = conversation.session
    client = conversation.client
    reached = session is not None or conversation.attempt is not None or (client is not None and client.preflights)
    facts = [Fact("connects", "yes" if reached else None)]
    sides = session.network.sides if session is not None else None
    trips = sides[CLIENT].round_trips if sides is not None else None
    if trips is not None:
        facts.append(Fact("round trip", duration(trips.minimum)))
    return Step("connection", "", None, tuple(facts))


def _preflight(conversation: Conversation) -> Step | None:
    """A preflight after which the browser asks no more: those that are answered as they should be are not recorded."""
    client = conversation.client
    if client is None or not client.preflights or conversation.session is not None:
        return None
    first = client.preflights.first[0]
    facts = (Fact("answer", "does not let the page in", bad=True), *requests.answer_facts(first.answered))
    return Step("preflight", "", first.answered.place, facts)


def _waited(attempt: Attempt) -> Iterator[Fact]:
    if attempt.answer is not None:
        waited_ns = attempt.answer.ts_ns - attempt.request.place.ts_ns
        yield Fact("waited", duration(waited_ns))


def _open(session: Session) -> Iterator[Fact]:
    opening = session.handshake
    assert opening is not None
    yield Fact("upgrades", ", ".join(opening.upgrades) or "none", key=_offered(session))
    for name, value, unit in (
        ("pingInterval", opening.ping_interval_ms, " ms"),
        ("pingTimeout", opening.ping_timeout_ms, " ms"),
        ("maxPayload", opening.max_payload, " bytes"),
    ):
        yield Fact(name, "not given" if value is None else f"{value:,}{unit}")
    yield Fact("sid", opening.sid)


def _offered(session: Session) -> str:
    """A session that began over WebSocket is offered no upgrade: that is no difference to one that is."""
    opening = session.handshake
    assert opening is not None
    began = session.transports[:1] not in ([], [POLLING])
    return "websocket" if began or WEBSOCKET.value in opening.upgrades else "none"


def _upgrade(session: Session) -> Step:
    over = session.on_websocket
    tries = session.upgrades
    # Whom nothing keeps from WebSocket, and who stays on polling, may want it so.
    bad = not over and bool(tries) and not _is_shut_out(session)
    unseen = bad and _is_unseen(tries[-1])
    value = None if unseen else f"{OVER_POLLING}: the upgrade fails" if bad else _carrier(session)
    facts = [Fact("goes on over", value, bad=bad and not unseen, key=OVER_POLLING if not over else OVER_WEBSOCKET)]
    place = session.upgraded
    if tries:
        last = next((each for each in reversed(tries) if each.confirmed is not None), tries[-1])
        place = last.request.place
        facts += _try(session, last)
        facts += [fact for fact in requests.request(last.request) if fact.name.startswith(("header", "cookies"))]
        if session.upgrade_count > 1:
            facts.append(Fact("tries", str(session.upgrade_count)))
    return Step("upgrade", "", place, tuple(facts))


def _carrier(session: Session) -> str:
    """What the session goes on over; WebSocket and WebTransport are as good."""
    if not session.on_websocket:
        return OVER_POLLING
    return OVER_WEBTRANSPORT if session.transports[-1:] == [Transport.WEBTRANSPORT] else OVER_WEBSOCKET


def _is_unseen(each: UpgradeTry) -> bool:
    """Whether it was let through, and what was said then is not known: a HAR of some browsers has none of it."""
    answered = each.inside or each.answered
    return answered is not None and answered.status == 101 and each.first is None and each.ended is None


def _is_shut_out(session: Session) -> bool:
    """Whether the server let the client into no namespace: then it leaves, in the middle of an upgrade if need be."""
    namespaces = session.namespaces.values()
    return any(each.refused is not None for each in namespaces) and all(each.let_in is None for each in namespaces)


def _try(session: Session, each: UpgradeTry) -> Iterator[Fact]:
    answered = each.inside or each.answered
    if answered is None:
        unanswered = each.first is None and session.upgraded is None
        yield Fact("answer", "none" if each.first is None else None, bad=unanswered)
    else:
        error = f', "{each.error.message}"' if each.error is not None else ""
        # Over HTTP/2 a WebSocket is let through by a 2xx (RFC 8441, section 5).
        bad = each.refused or (answered.status != 101 and session.upgraded is None)
        yield Fact("answer", f"{answered.status}{error}", bad=bad)
    if each.first is None:
        return
    waits = session.upgraded is None and not _is_shut_out(session)
    yield Fact("probe", _probe(each), bad=waits and each.probe_answered is None)
    if each.probe_answered is not None:
        yield Fact("confirmed", "yes" if each.confirmed is not None else "no", bad=waits and each.confirmed is None)
        end = each.accepted or each.confirmed
        if end is not None:
            yield Fact("took", duration(end.ts_ns - each.request.place.ts_ns))


def _probe(each: UpgradeTry) -> str:
    if each.probe is None:
        return "not sent"
    return "answered" if each.probe_answered is not None else "not answered"
