"""TLS connections for WebSocket are refused, and those for HTTP/2 to the same server are not.

## What it reports
A server that answers TLS connections which offer `h2` (HTTP/2), and ends each one that offers `http/1.1` alone, as
browsers do for a WebSocket.

## Why it matters
Pages load and polling works, over HTTP/2; the WebSocket never opens, and clients stay on polling. Nothing can be read
here, so that this is only a hint: what else is refused may have another cause.

## On the wire
To one server name: ClientHellos with the ALPN offer `h2, http/1.1` that are answered, and others with `http/1.1` alone
that are answered by a fatal alert (`no_application_protocol`), RST or FIN.

## How to fix
Let the server or the edge in front of it take HTTP/1.1 as well, on the same name and port: Node
`http2.createSecureServer({ allowHTTP1: true })`, nginx and haproxy with `http/1.1` in `alpn`, a CDN with WebSocket
switched on. WebSocket over HTTP/2 (RFC 8441) needs a server that announces it.

## When it is silent
When one connection of the second kind was answered, when it is the client that gives up (it does not trust the
certificate), and when no connection with `h2` was answered, so that there is nothing to compare with.

## References
- RFC 7301, section 3.2; RFC 8441; Node documentation, `http2.createSecureServer`
"""

from collections.abc import Iterator

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import Endpoint, Side
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.unread import Encrypted
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.encrypted import may_be_socketio

_HTTP2 = "h2"
_WEBSOCKET = ("http/1.1",)
_SHOWN = 3


@rule(
    code="TLS037",
    name="upgrade-after-tls-h2",
    subject=CaptureSummary,
    severity=Severity.INFO,
    since="0.1.0",
    title="TLS connections as browsers open them for WebSocket are refused, those for HTTP/2 are not",
    message="{name} answers TLS connections that offer HTTP/2 ({answered}), and ends those that offer http/1.1 alone "
    "({refused}){how}.",
    why="A browser opens a WebSocket over a connection of its own that offers http/1.1 alone. Where only HTTP/2 is "
    "taken, pages load and the WebSocket never opens.",
    fix=(
        "Let the server, and whatever ends TLS in front of it, take HTTP/1.1 as well: allowHTTP1: true for Node's "
        "http2.createSecureServer, http/1.1 in the alpn list of haproxy, WebSocket switched on at the CDN.",
    ),
    tolerates_gaps=True,
)
def upgrade_after_tls_h2(summary: CaptureSummary) -> Iterator[Hit]:
    """See the module."""
    groups: dict[tuple[str | None, Endpoint], list[Encrypted]] = {}
    for entry in summary.encrypted:
        if entry.greeted and may_be_socketio(entry):
            groups.setdefault((entry.name, entry.server), []).append(entry)
    for (name, server), entries in groups.items():
        answered = [entry for entry in entries if _HTTP2 in entry.alpn and entry.versions]
        refused = [entry for entry in entries if entry.alpn == _WEBSOCKET and entry.refused and not entry.versions]
        if not answered or not refused or any(entry.versions for entry in entries if entry.alpn == _WEBSOCKET):
            continue
        proof = [evidence(entry.first, Side.CLIENT, f"offers {', '.join(entry.alpn)}: answered") for entry in answered]
        for entry in refused:
            proof.append(evidence(entry.first, Side.CLIENT, f"offers {', '.join(entry.alpn)}"))
            proof.extend(evidence(place, Side.SERVER, "ends the connection") for place in [*entry.refused][:_SHOWN])
        alerts = ", ".join(alert for entry in refused for alert in entry.alerts)
        yield Hit(
            *proof,
            certainty=Certainty.POSSIBLE,
            doubt="what those connections were for is encrypted",
            occurrences=sum(entry.refused.count for entry in refused),
            server=server,
            name=f"{name}:{server.port}" if name else str(server),
            answered=sum(entry.connections for entry in answered),
            refused=sum(entry.connections for entry in refused),
            how=f", with a fatal alert ({alerts})" if alerts else "",
        )
