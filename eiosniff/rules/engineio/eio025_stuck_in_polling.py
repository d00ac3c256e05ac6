"""A session stays on polling although the server offers WebSocket.

## What it reports
A session whose handshake offers `websocket` and that does not get there: the client never tries, or each try is
refused, or the WebSocket is opened and never confirmed. What polling costs it is said in figures.

## Why it matters
Over polling each message takes an HTTP request with all its headers, and messages wait for the next one. On a phone
that is battery, on a server it is most of the work.

## On the wire
`"upgrades":["websocket"]` in the open packet, and GETs with `transport=polling` for as long as the session lives.

## How to fix
If the client never tries: let it (JavaScript: `transports` without a list of its own, `upgrade` not false;
python-socketio: install `websocket-client`, or `aiohttp` for its asynchronous client). Otherwise mend what keeps the
upgrade from working; this rule then stands under the one that names it.

## When it is silent
For sessions of less than half a minute (`lifetime_ms`) and of 20 polls at most (`polls`). A client that never tries may
be meant to poll: that is an information, and a warning only where the capture shows that it is dear: more polls than
that, 60 a minute or more (`minute_polls`), and 8 or more bytes of headers for each byte of payload (`header_bytes`).

## References
- Engine.IO protocol, "Upgrade"; socket.io documentation, "Troubleshooting connection issues"
- socket.io issue #3427, Next.js issue #55299
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.attempt import UpgradeTry
from eiosniff.model.engineio import WEBSOCKET
from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.polling_cost import LIMITS, cost_of


@rule(
    code="EIO025",
    name="stuck-in-polling",
    subject=Session,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The session stays on polling: {short}",
    message="{server} offers WebSocket to {client}; {how}. So it stays on polling: {cost}{spins}.",
    why="Over polling each message takes an HTTP request with all its headers. A WebSocket carries it in a few bytes, "
    "and at once.",
    fix=(
        "If polling is not meant: let the client upgrade (JavaScript: do not set transports or upgrade; "
        "python-socketio: pip install websocket-client), and see what refuses it where it tries.",
    ),
    explains=("polling-no-keepalive", "header-weight", "poll-latency"),
    limits=LIMITS,
    hence="the session stays on polling: {cost}{spins}",
)
def stuck_in_polling(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    handshake = session.handshake
    if session.on_websocket or session.midstream or handshake is None or WEBSOCKET.value not in handshake.upgrades:
        return
    cost = cost_of(session)
    severity, spins = Severity.WARNING, ""
    if session.upgrade_count:
        if not (cost.is_long(limits) or cost.has_many(limits)):
            return
        last = session.upgrades[-1]
        short, how = _why_not(last)
        if cost.spins(limits):
            severity, spins = Severity.ERROR, "; the server answers each of them at once, with nothing in it"
    else:
        last = None
        short = how = "the client never tries to upgrade"
        if not cost.hurts(limits):
            if not cost.is_long(limits):
                return
            severity = Severity.INFO
    proof = [evidence(session.opened, Side.SERVER, f'opens session {session.sid}, offers "websocket"')]
    if last is not None:
        proof.append(evidence(last.request.place, Side.CLIENT, f"GET {last.request.target}"))
        if last.answered is not None:
            proof.append(evidence(last.answered.place, Side.SERVER, str(last.answered.status)))
    proof.append(evidence(cost.last, None, "still polling"))
    yield Hit(*proof, severity=severity, kind=short, lasting=True, short=short, how=how, cost=cost, spins=spins)


def _why_not(last: UpgradeTry) -> tuple[str, str]:
    """What became of the last try, in few words and in more."""
    if last.answered is None:
        return "the upgrade is not answered", "the client's request for it gets no answer"
    if not last.answered.accepts:
        return "the upgrade is refused", f"the client's request for it is answered {last.answered.status}"
    if last.inside is not None:
        return "the upgrade is refused", "the server accepts it and then refuses it inside the WebSocket"
    if last.probe is None:
        return "the upgrade is given up", "the client opens it and does not use it"
    if last.probe_answered is None:
        return "the upgrade is not answered", "the client's probe in it gets no answer"
    return "the upgrade is never confirmed", "the client opens it and never confirms it"
