"""WebSocket connections break off without a close frame.

## What it reports
WebSockets that carried a session and ended by FIN or RST, without a close frame, an Engine.IO packet `1` or a
DISCONNECT before: who ended them, and how long after the last packet.

## Why it matters
In a browser that is close code 1006, in Socket.IO the reason "transport close" or "transport error": the connection was
not closed by the program that speaks WebSocket, but by what is below or between: a proxy, a process that was killed, a
device that was reset. Whatever was on its way is lost.

## On the wire
FIN or RST, and no close frame (opcode 8) before it. After a long silence it is mostly a timer, in the middle of traffic
a crash, a kill or a reset.

## How to fix
Look at who ended it. The server's side: the log of the server and of each proxy at that moment. The client's side: a
process that was killed, an app that the system stopped, a board that was reset or lost its network.

## When it is silent
After a goodbye. Where the heartbeat was overdue, as that is told by rules of its own. For clients that end their
connection and do not come back within a minute: they were closed. Where the capture lacks bytes of the session. Where
an address has several sessions at a time, who comes back may be another client: then it is only possible, and an info.

## References
- RFC 6455, sections 7.1.5 and 7.4.1 (1006); socket.io documentation, "disconnect" event, reasons
"""

from collections.abc import Iterator

from eiosniff.model.finding import Certainty, Evidence, Severity
from eiosniff.model.fleet import Loss
from eiosniff.model.peers import Client
from eiosniff.model.provenance import SIDES, Side
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import in_ms

_SIDES = {
    Side.CLIENT: ("the client's side", "a process that was killed, an app that the system stopped, a board that was "
                  "reset, a network that was left: each client came back"),
    Side.SERVER: ("the server's side", "the server process, or a proxy in front of it"),
}  # fmt: skip


@rule(
    code="WS098",
    name="ws-abnormal-close",
    subject=Client,
    severity=Severity.WARNING,
    since="0.1.0",
    title="WebSocket connections break off without a close frame, from {whose}",
    message="{lost} between {client} and {server}: ended by {how} from {whose}, without a close frame "
    "(code 1006 in a browser), {silence} after the last packet and {age} after the opening.",
    why="No program that speaks WebSocket ends it like that: it was cut by what is below or between ({what}). What was "
    "on its way then is lost.",
    fix=(
        "Look into the logs of that side at the moment of each end: was a process killed or restarted, did a proxy "
        "give up, did the device lose its network?",
    ),
    hence="{lost} without a close frame ({how})",
)
def ws_abnormal_close(client: Client) -> Iterator[Hit]:
    """See the module."""
    losses = client.losses
    if losses is None:
        return
    for side in SIDES:
        lost = losses.by[side]
        if not lost:
            continue
        silences = sorted(loss.place.ts_ns - loss.since.ts_ns for loss in lost)
        ages = sorted(loss.place.ts_ns - loss.opened.ts_ns for loss in lost)
        whose, what = _SIDES[side]
        shared = side is Side.CLIENT and client.company is not None
        yield Hit(
            *(item for loss in lost for item in _proof(loss)),
            certainty=Certainty.POSSIBLE if shared else Certainty.CERTAIN,
            doubt="the address has several sessions at a time: who comes back may be another client" if shared else "",
            severity=Severity.INFO if shared else None,
            occurrences=lost.count,
            period_ns=lost.period_ns,
            kind=side.label,
            lost="A WebSocket broke off" if lost.count == 1 else f"{lost.count} WebSockets broke off",
            how=" or ".join(dict.fromkeys(loss.how.name for loss in lost)),
            whose=whose,
            what=what,
            silence=_range(silences),
            age=_range(ages),
        )


def _proof(loss: Loss) -> Iterator[Evidence]:
    yield evidence(loss.place, loss.side, f"{loss.how.name}, without a close frame")
    if loss.back is not None:
        yield evidence(loss.back, Side.CLIENT, "comes back")


def _range(times: list[int]) -> str:
    first, last = in_ms(times[0]), in_ms(times[-1])
    return first if first == last else f"{first} to {last}"
