"""What became of the tries of a session to upgrade whose WebSocket was accepted: how long they went on, what held them
up, and how they ended."""

from eiosniff.model.attempt import UpgradeTry
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Session
from eiosniff.rules.phrases import in_ms


def is_accepted(attempted: UpgradeTry) -> bool:
    """Whether the WebSocket was accepted, by the one handler that there should be."""
    answered = attempted.answered
    return answered is not None and answered.accepts and attempted.inside is None


def over_ns(session: Session, attempted: UpgradeTry) -> int:
    """When a try was over: with its connection, with its session, or with what was observed of that."""
    closing = session.closing
    ends = [end.ts_ns for end in (attempted.ended, closing.place if closing is not None else None) if end is not None]
    return min([*ends, session.observed_until_ns])


def ended_by_server(session: Session, attempted: UpgradeTry) -> bool:
    """Whether the server ended the WebSocket of a try, while its session went on."""
    ended, closing = attempted.ended, session.closing
    if ended is None or attempted.ended_by is not Side.SERVER:
        return False
    return closing is None or closing.place.ts_ns > ended.ts_ns


def is_heard_after(session: Session, side: Side, place: PacketRef) -> bool:
    """Whether a side says anything after a packet; if not, it may be out of reach."""
    last = session.last_from[side]
    return last is not None and last.ts_ns > place.ts_ns


def stalled_ns(session: Session, attempted: UpgradeTry) -> int:
    """How long a poll stood in the way after the probe had been answered: until it was answered, or the try over."""
    probe_answered, poll = attempted.probe_answered, attempted.poll
    if probe_answered is None or poll is None:
        return 0
    since = max(probe_answered.ts_ns, poll.ts_ns)
    until = attempted.poll_answered or attempted.confirmed
    return (until.ts_ns if until is not None else over_ns(session, attempted)) - since


def duplicate_of(session: Session, attempted: UpgradeTry) -> PacketRef | None:
    """What shows that a session had a WebSocket already, or was upgrading to one, when a try was begun."""
    asked = attempted.request.place
    opening = session.attempt
    if opening is not None and opening.request.upgrade and opening.answer is not None:
        return opening.answer
    for earlier in session.upgrades:
        if earlier is attempted:
            return None
        over = earlier.ended is not None and earlier.ended.ts_ns <= asked.ts_ns
        shown = earlier.confirmed or earlier.probe
        if shown is not None and shown.ts_ns <= asked.ts_ns and not over and is_accepted(earlier):
            return shown
    return None


def end_words(attempted: UpgradeTry) -> str:
    """How the WebSocket of a try ended: `closes it, code 1000`, `resets it (RST)`."""
    if attempted.ended_how is not None:
        return "resets it (RST)" if attempted.ended_how.name == "RST" else "ends it (FIN)"
    return f"closes it, code {attempted.code}" if attempted.code is not None else "closes it, no status code"


def ending(session: Session, attempted: UpgradeTry, since: PacketRef) -> str:
    """What became of a try, for a message: `the server closes it, no status code, 10.0 s later`."""
    if attempted.ended is None or attempted.ended_by is None:
        return f"nothing follows for {in_ms(over_ns(session, attempted) - since.ts_ns)}"
    return f"the {attempted.ended_by.label} {end_words(attempted)}, {in_ms(attempted.ended.ts_ns - since.ts_ns)} later"
