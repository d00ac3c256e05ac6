"""What is between client and server ends the connection, and neither of them does.

## What it reports
A session that two captures show, whose end comes from neither peer: the client sees the server hang up, and the server
sees the client hang up. Or one side's connection is ended, and the other one stays open for 5 s or more.

## Why it matters
Each side blames the other one in its log. And where only one connection is ended, the other peer goes on talking to
nobody until its heartbeat fails.

## On the wire
FIN, RST or a close frame from the server at the place of the client, and from the client at the place of the server.

## How to fix
Find the timer of the proxy or load balancer: nginx `proxy_read_timeout` (60 s) and `worker_shutdown_timeout`, HAProxy
`timeout tunnel`, idle timeouts of clouds. Raise it above pingInterval + pingTimeout, and reload gracefully.

## When it is silent
With one capture, and where either peer said goodbye. For one side only: where the other place was not captured for 5 s
after it. With a HAR, which does not show who ends a connection.

## References
- RFC 6455, section 7.1.5; nginx documentation, "WebSocket proxying"; HAProxy documentation, `timeout tunnel`
"""

from collections.abc import Iterator

from eiosniff.model.crossing import Crossing
from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import CloseHow, Closing
from eiosniff.rules.api import Hit, rule
from eiosniff.rules.crossings import between, near_client, near_server
from eiosniff.rules.phrases import NS_PER_S, closing_words, in_ms

_WAIT_NS = 5 * NS_PER_S
_BEFORE_NS = NS_PER_S  # so long before a peer ends a connection nothing can come of it at the other one


@rule(
    code="PROXY238",
    name="closed-between",
    subject=Crossing,
    severity=Severity.ERROR,
    since="0.1.0",
    title="Neither client nor server ends the connection: {between} does",
    message="{what}.",
    why="Neither peer wanted to end it. {blame}",
    fix=(
        "Look for a timer or a restart of what is between: nginx proxy_read_timeout (60 s by default), HAProxy timeout "
        "tunnel, the idle timeout of a load balancer; raise it above pingInterval + pingTimeout.",
    ),
    explains=(
        "ws-abnormal-close",
        "ping-missing",
        "pong-missing",
        "tcp-reset",
        "half-open",
        "connect-loop",
        "no-backoff",
        "ack-missing",
    ),
)
def closed_between(crossing: Crossing) -> Iterator[Hit]:
    """See the module."""
    near, far = crossing.client.closing, crossing.server.closing
    if crossing.is_of_har:
        return
    if near is not None and far is not None and near.side is far.side:
        early_ns = crossing.near_server(far.place).ts_ns - near.place.ts_ns
        if far.side is Side.CLIENT and early_ns <= -_BEFORE_NS and not far.after_goodbye:
            yield _half(crossing, far, Side.SERVER)
        elif near.side is Side.SERVER and early_ns >= _BEFORE_NS and not near.after_goodbye:
            yield _half(crossing, near, Side.CLIENT)
    elif near is not None and far is not None:
        if near.side is Side.SERVER and far.side is Side.CLIENT and not (near.after_goodbye or far.after_goodbye):
            yield Hit(
                near_client(near.place, near.side, closing_words(near)),
                near_server(crossing, far.place, far.side, closing_words(far)),
                kind="both",
                between=between(crossing),
                what="At the client it looks as if the server closed, and at the server as if the client did",
                blame="Each of them blames the other.",
            )
    elif near is not None and near.side is Side.SERVER and _is_left_open(crossing, near, at_client=False):
        yield _half(crossing, near, Side.CLIENT)
    elif far is not None and far.side is Side.CLIENT and _is_left_open(crossing, far, at_client=True):
        yield _half(crossing, far, Side.SERVER)


def _is_left_open(crossing: Crossing, ended: Closing, *, at_client: bool) -> bool:
    """Whether the other connection stays open for long after that, as far as is captured."""
    if ended.after_goodbye or ended.how is CloseHow.DISCONNECT:
        return False
    if at_client:
        return crossing.client_until_ns - crossing.near_server(ended.place).ts_ns >= _WAIT_NS
    return crossing.server_until_ns - ended.place.ts_ns >= _WAIT_NS


def _half(crossing: Crossing, ended: Closing, side: Side) -> Hit:
    """The connection of one side is ended, and that of the other is not."""
    if side is Side.CLIENT:
        place, last = near_client(ended.place, ended.side, closing_words(ended)), crossing.server.last
        proof = near_server(crossing, last, None, "the last packet at the server, where nothing is closed")
    else:
        place, last = near_server(crossing, ended.place, ended.side, closing_words(ended)), crossing.client.last
        proof = near_client(last, None, "the last packet at the client, where nothing is closed")
    open_ns = max(0, proof.ts_ns - place.ts_ns)
    return Hit(
        place,
        proof,
        kind=side.label,
        between=between(crossing),
        what=f"The connection of the {side.label} is ended, and that of the {side.other.label} stays open"
        + (f"; {in_ms(open_ns)} later packets still come there" if open_ns else ""),
        blame=f"The {side.other.label} goes on talking to nobody until its heartbeat fails.",
    )
