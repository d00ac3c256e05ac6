"""The connection is half open: one side sends into the void.

## What it reports
A connection of a session on which one side sends the same bytes again and again (`repeats`, within `void_ms` or more)
and hears nothing at all any more from the other one, which was there before.

## Why it matters
For the side that sends, the connection is still there: a server counts the client among its sessions and sends events
to nobody until its heartbeat fails. The client waits as long for news, and then opens another session.

## On the wire
Retransmissions of one segment at growing intervals (0.2, 0.4, 0.8 s ... on Linux) without any packet of the other side
between them: no acknowledgement, so that not even its kernel is reached. A peer whose program is frozen would
acknowledge. The session often goes on under a new sid, from another port or address.

## How to fix
A NAT or firewall that forgets idle connections needs traffic more often than its limit: a shorter `pingInterval`. A
phone that changes from Wi-Fi to mobile, or sleeps, cannot keep the connection: `pingInterval` + `pingTimeout` decide
how soon both sides notice, connection state recovery (socket.io 4.6) saves what was sent meanwhile. On Linux servers
the socket option TCP_USER_TIMEOUT limits how long the kernel tries.

## When it is silent
When anything of the other side comes in between, or the outage is a short one; when only one direction was captured.
That the client came back is not said where several have one address: behind a proxy that passes requests on, and where
it had another session that went on.

## References
- RFC 9293, section 3.5.1 (half-open connections); RFC 6298, section 5; RFC 5482 (TCP user timeout)
- socket.io documentation, "Connection state recovery"
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.attempt import Attempt
from eiosniff.model.finding import Severity
from eiosniff.model.network import Spell
from eiosniff.model.provenance import SIDES, Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.cuts import forwarder_shown
from eiosniff.rules.heartbeats import times_ns
from eiosniff.rules.phrases import NS_PER_MS, in_ms


@rule(
    code="TCP103",
    name="half-open",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The network between the two is gone: the {side} sends into the void",
    message="{client} with {server}: the {side} sends the same bytes again {count} times within {length}, and nothing "
    "at all comes from the {peer} any more, not even an acknowledgement; it was last heard {idle} before.{back}",
    why="The {side} does not know that the {peer} cannot be reached: the connection is half open. What it sends is "
    "lost, and until the heartbeat fails it counts on a peer that is gone.",
    fix=("{advice}",),
    explains=(
        "pong-missing", "ping-missing", "eio3-no-client-ping", "chatty-but-no-pong", "heartbeat-slow",
        "ping-timeout-during-transfer", "sid-expired", "tcp-reset", "zero-window", "loss-latency", "connect-loop",
        "no-backoff", "abandoned-session", "ws-abnormal-close", "ack-missing", "ack-slow",
    ),
    limits={"repeats": 4, "void_ms": 2000},
)  # fmt: skip
def half_open(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    sides = session.network.sides
    if sides is None or (sides[0].unheard is None and sides[1].unheard is None):
        return
    for side in SIDES:
        spell, heard = sides[side].unheard, session.last_from[side.other]
        if spell is None or heard is None or heard.number > spell.last.number:
            continue
        if spell.probes < limits["repeats"] or spell.length_ns < limits["void_ms"] * NS_PER_MS:
            continue
        proof = [
            evidence(heard, side.other, "is heard for the last time"),
            evidence(spell.first, side, "sends the same again"),
            evidence(spell.last, side, f"and again, the last of {spell.probes} times"),
        ]
        back = _comes_back(session, spell)
        if back is not None:
            proof.append(evidence(back.request.place, Side.CLIENT, "comes back, over another connection"))
        yield Hit(
            *proof,
            kind=side.label,
            lasting=back is None,
            side=side.label,
            peer=side.other.label,
            count=spell.probes,
            length=in_ms(spell.length_ns),
            idle=in_ms(spell.first.ts_ns - heard.ts_ns),
            back=" The client comes back from the same address over another connection: its network works, and only "
            "the old connection is dead."
            if back is not None
            else "",
            advice=_advice(session, came_back=back is not None),
        )


def _comes_back(session: Session, spell: Spell) -> Attempt | None:
    """The last handshake of the client after that, if there is one, and if no others have its address."""
    if _has_company(session, spell):
        return None
    last = [tally.last for tally in session.client.attempts.values() if tally.last is not None]
    after = [attempt for attempt in last if attempt.request.place.number > spell.first.number]
    return max(after, key=lambda attempt: attempt.request.place.number, default=None)


def _has_company(session: Session, spell: Spell) -> bool:
    """Whether the client had another session by then that went on: several programs, of which another one may come.
    So it is behind a proxy that passes requests on."""
    attempt, company = session.attempt, session.client.company
    if attempt is not None and forwarder_shown(attempt.request):
        return True
    others = company.stays if company is not None else ()
    return any(
        other.opened != session.opened and other.opened < spell.first and spell.first < other.last for other in others
    )


def _advice(session: Session, came_back: bool) -> str:
    times = times_ns(session)
    interval = f" (it is {in_ms(times[0])})" if times is not None else ""
    if came_back:
        return (
            "A NAT, a firewall or a load balancer forgot the connection, or the client changed its network (Wi-Fi to "
            f"mobile): let pingInterval{interval} be shorter than the idle limit of the box, and switch connection "
            "state recovery on (socket.io 4.6: connectionStateRecovery) for what cannot be helped."
        )
    return (
        "Look at the path between the two (Wi-Fi, mobile network, VPN, NAT, firewall), and whether the host of the "
        f"other side is still on: its system does not answer. A shorter pingInterval{interval} keeps NAT entries alive "
        "and notices sooner."
    )
