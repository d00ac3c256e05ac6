"""Packets are lost, or take long.

## What it reports
A session of whose segments with payload a share of `loss_share` or more (and at least `repeats`) had to be sent again,
or in which the way there and back takes `round_trip_ms` or more as a rule.

## Why it matters
Everything behind a lost segment waits until it has come after all: 0.2 s at least, and twice as long for each time that
it is lost again. A heartbeat can wait so long that the peer is taken for dead.

## On the wire
The same bytes again (which were sent twice, and not captured twice). The time from a segment to the acknowledgement
that covers it is the round trip, as far as it is the other host that answers; the time of both sides together is that
of the whole way, wherever it was captured. A system may wait 40 or 200 ms before it acknowledges.

## How to fix
Look at the link: Wi-Fi with a weak signal or many neighbours, mobile network, a full uplink, a VPN. On a long way:
fewer round trips (WebSocket from the beginning, no acknowledgements one after the other), a server that is nearer, a
`pingTimeout` that leaves room.

## When it is silent
For a few losses, which any network has; for what is sent into the void (TCP103). It is an info unless heartbeats were
late or missed at the same time: then it is what explains them. Losses between the sender and where it was captured are
seen as gaps that are filled, and not counted here. A round trip that was measured only once is none that can be relied
on.

## References
- RFC 6298 (retransmission timer); Wireshark, `tcp.analysis.retransmission` and `tcp.analysis.ack_rtt`
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Severity
from eiosniff.model.network import SideFacts
from eiosniff.model.provenance import SIDES, Side
from eiosniff.model.session import SLOW_PONG_NS, Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.heartbeats import times_ns
from eiosniff.rules.phrases import NS_PER_MS, in_ms

_LOSS = "packets are lost"
_LATENCY = "the way is long"
# So many segments of a series are an outage, and none that is lost (TCP103).
_OUTAGE = 4
_NOT_CHANCE = 2  # late pongs, round trips


@rule(
    code="TCP105",
    name="loss-latency",
    subject=Session,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The network between the two is poor: {figure}",
    message="{client} with {server}: {detail}{effect}",
    why="Packets of one connection are delivered in order: whatever is lost or late delays everything behind it, "
    "heartbeats too.",
    fix=("{advice}",),
    explains=("heartbeat-slow", "ack-slow"),
    limits={"loss_share": 0.01, "repeats": 5, "round_trip_ms": 500},
)
def loss_latency(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    sides = session.network.sides
    if sides is None:
        return
    lost = sum(_lost(side) for side in sides)
    sent = sides[0].segments + sides[1].segments
    round_trip_ns = sum(_round_trip_ns(side) for side in sides)
    loses = lost >= limits["repeats"] and lost >= limits["loss_share"] * sent
    if not loses and round_trip_ns < limits["round_trip_ms"] * NS_PER_MS:
        return
    verdict, figure = _LATENCY, f"packets take {in_ms(round_trip_ns)} there and back"
    advice = (
        "Send fewer messages that wait for each other, start with WebSocket, and take a server that is nearer; raise "
        "pingTimeout if the way cannot be made shorter."
    )
    detail = usual = f"a packet and its acknowledgement take {in_ms(round_trip_ns)} there and back, as a rule."
    if loses:
        verdict, figure = _LOSS, f"{100 * lost / sent:.1f} % of the segments are sent again"
        by = " and ".join(f"{_lost(sides[side])} by the {side.label}" for side in SIDES if _lost(sides[side]))
        detail = f"{lost} of {sent} segments ({100 * lost / sent:.1f} %) had to be sent again ({by})"
        detail += f"; {usual}" if round_trip_ns else "."
        advice = (
            "Look at the link: Wi-Fi with a weak signal, a mobile network, a full uplink, a VPN. Where it cannot be "
            "made better, raise pingTimeout on the server (Node: pingTimeout: 60000; Python: ping_timeout=60)."
        )
    slowest, hurt = session.heartbeats.slowest, _hurts(session)
    proof = [evidence(session.opened, Side.SERVER, "opens the session")]
    if slowest is not None and slowest.pong is not None:
        proof = [
            evidence(slowest.ping, session.pinger, 'PING "2"'),
            evidence(slowest.pong, session.pinger.other, 'PONG "3", the slowest'),
        ]
    yield Hit(
        *proof,
        kind=verdict,
        severity=None if hurt else Severity.INFO,
        occurrences=max(1, lost),
        figure=figure,
        detail=detail,
        effect=f" The slowest pong took {in_ms(session.heartbeats.delays.maximum)}." if hurt else "",
        advice=advice,
    )


def _round_trip_ns(side: SideFacts) -> int:
    """The usual time to the acknowledgement; 0 where it is not known. One may be missing in the capture."""
    times = side.round_trips
    return times.median if times is not None and times.count >= _NOT_CHANCE else 0


def _lost(side: SideFacts) -> int:
    """What was sent again, without what nobody could hear."""
    unheard = side.unheard
    return side.repeats - (unheard.probes if unheard is not None and unheard.probes >= _OUTAGE else 0)


def _hurts(session: Session) -> bool:
    """Whether pongs were late, and not only one."""
    times, delays = times_ns(session), session.heartbeats.delays
    if times is None or delays.count < _NOT_CHANCE:
        return False
    return delays.quantile((delays.count - 1.5) / delays.count) > min(SLOW_PONG_NS, times[1] // 2)
