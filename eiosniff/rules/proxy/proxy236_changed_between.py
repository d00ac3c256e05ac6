"""Something between client and server changes what they say.

## What it reports
Of a session that two captures show: packets whose content is another one where they arrive, packets that arrive and
were never sent, and parts of requests and answers that are not what was sent: path, query, headers, a close code.

## Why it matters
A packet that is changed is a fault of its own. A path or header that is changed may be meant, and then is good to know:
what the client is set up for is not what the server sees.

## On the wire
The same packet in the same place of the sequence with other bytes; the handshake with another path at the server than
at the client; a header that left the client and is not there.

## How to fix
A packet: take what changes it out of the way, or use TLS (wss://). A path: `proxy_pass` of nginx with a path behind the
address replaces what the location matches; client (`path`) and server (`path`) must agree on the two ends. A header:
name it in the proxy's configuration (nginx: `proxy_set_header`).

## When it is silent
For headers that proxies are there to change: `Host`, `Connection`, `Upgrade`, `Via`, `X-Forwarded-...` and the like,
and those that only the proxy adds for the server. With one capture. With a HAR for ends of connections and cookies.

## References
- RFC 9110, section 7.6 (forwarding) and 7.7 (transformations); nginx documentation, `proxy_pass`, `proxy_set_header`
"""

from collections.abc import Iterator

from eiosniff.model.attempt import AnswerFacts, RequestFacts
from eiosniff.model.crossing import Crossing
from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import CloseHow, Closing
from eiosniff.rules.api import Hit, rule
from eiosniff.rules.crossings import between, both_ends, near_client, near_server
from eiosniff.rules.phrases import NS_PER_S

_ROUTINE = ("connection", "keep-alive", "upgrade", "te", "trailer", "transfer-encoding", "host", "via", "forwarded",
            "proxy-", "x-forwarded-", "x-real-ip", "content-length", "date", "server", "accept-encoding", "cf-",
            "cdn-loop", "sec-websocket-extensions", "vary", "etag", "cache-control")  # fmt: skip


@rule(
    code="PROXY236",
    name="changed-between",
    subject=Crossing,
    severity=Severity.ERROR,
    since="0.1.0",
    title="{title}",
    message="{what}. In between is {between}.",
    why="{reason}",
    fix=("{step}",),
    explains=("socketio-syntax", "engineio-syntax", "ws-bad-utf8", "ack-missing"),
)
def changed_between(crossing: Crossing) -> Iterator[Hit]:
    """See the module."""
    changed = crossing.passages(lambda way: way.changed)
    added = crossing.passages(lambda way: way.added)
    count = sum(way.changed.count + way.added.count for way in crossing.ways.values())
    if count:
        said = [f"{len(changed)} packet(s) arrive with another content"] if changed else []
        said += [f"{len(added)} packet(s) arrive that were never sent"] if added else []
        labels = ", ".join(dict.fromkeys(passage.label for passage in (*changed, *added)))
        yield Hit(
            *both_ends([*changed, *added]),
            occurrences=count,
            kind="packets",
            title="Packets are changed on their way between client and server",
            what=f"{' and '.join(said)}: {labels}",
            between=between(crossing),
            reason="What one side says is not what the other side gets, and neither can know.",
            step="Take what changes messages (a filter, a virus scanner, an application firewall) out of the way, or "
            "use TLS (wss://) from end to end.",
        )
    yield from _requests(crossing)
    yield from _close_code(crossing)


def _requests(crossing: Crossing) -> Iterator[Hit]:
    """The handshake and its answer, which both captures show."""
    before, behind = crossing.client.attempt, crossing.server.attempt
    if before is None or behind is None:
        return
    changes = _request_changes(before.request, behind.request)
    if before.answered is not None and behind.answered is not None:
        changes += _answer_changes(behind.answered, before.answered, of_har=crossing.is_of_har)
    if changes:
        yield Hit(
            near_client(before.request.place, Side.CLIENT, f"asks for {before.request.path}"),
            near_server(crossing, behind.request.place, Side.CLIENT, f"is asked for {behind.request.path}"),
            severity=Severity.INFO,
            kind="request",
            title="A proxy changes requests or answers on their way",
            what=f"Between client and server {'; '.join(changes)}",
            between=between(crossing),
            reason="The session was opened all the same; but the client is set up for something else than the server.",
            step="If it is meant, there is nothing to do. Else look at the proxy's configuration of this path (nginx: "
            "proxy_pass, rewrite, proxy_set_header).",
        )


def _request_changes(before: RequestFacts, behind: RequestFacts) -> list[str]:
    changes = [f"the path {before.path} becomes {behind.path}"] if before.path != behind.path else []
    lost = [f"{key}={value}" for key, value in before.query if (key, value) not in behind.query]
    new = [f"{key}={value}" for key, value in behind.query if (key, value) not in before.query]
    changes += [f"the query loses {', '.join(lost)}"] if lost else []
    changes += [f"the query gains {', '.join(new)}"] if new else []
    gone = _missing(before.header_names, behind.header_names)
    changes += [f"the request loses {', '.join(gone)}"] if gone else []
    return changes


def _answer_changes(before: AnswerFacts, behind: AnswerFacts, *, of_har: bool) -> list[str]:
    changes = [f"status {before.status} becomes {behind.status}"] if before.status != behind.status else []
    gone, new = (_missing(*pair) for pair in (
        (before.header_names, behind.header_names), (behind.header_names, before.header_names)
    ))  # fmt: skip
    if of_har:  # which may be written without them
        gone, new = ([name for name in names if name.lower() != "set-cookie"] for names in (gone, new))
    changes += [f"the answer loses {', '.join(gone)}"] if gone else []
    changes += [f"the answer gains {', '.join(new)}"] if new else []
    return changes


def _missing(names: tuple[str, ...], others: tuple[str, ...]) -> list[str]:
    """Headers that are not there at the other place, without those that are of each connection."""
    there = {name.lower() for name in others}
    return [name for name in names if name.lower() not in there and not name.lower().startswith(_ROUTINE)]


def _close_words(closing: Closing) -> str:
    if closing.how is not CloseHow.WS_CLOSE:
        return str(closing.how.value)
    return "a close frame without a code" if closing.code is None else f"code {closing.code}"


def _close_code(crossing: Crossing) -> Iterator[Hit]:
    near, far = crossing.client.closing, crossing.server.closing
    if near is None or far is None or near.side is not far.side or crossing.is_of_har:
        return
    apart_ns = crossing.near_server(far.place).ts_ns - near.place.ts_ns
    if abs(apart_ns) >= NS_PER_S:  # then they are not of the same closing: PROXY238 looks at it
        return
    hows = near.how, far.how
    if (near.how, near.code) == (far.how, far.code) or CloseHow.EIO_CLOSE in hows or CloseHow.WS_CLOSE not in hows:
        return
    codes = [_close_words(each) for each in (near, far)]
    left, came = codes if near.side is Side.CLIENT else codes[::-1]
    yield Hit(
        near_client(near.place, near.side, f"closes: {codes[0]}"),
        near_server(crossing, far.place, far.side, f"closes: {codes[1]}"),
        severity=Severity.WARNING,
        kind="close",
        title=f"A proxy changes how the {near.side.label} closes",
        what=f"The {near.side.label} closes with {left}, and the other side gets {came}",
        between=between(crossing),
        reason="Programs decide by the close code whether to connect again; this one is not what was sent.",
        step="Look at what the proxy does with WebSocket close frames.",
    )
