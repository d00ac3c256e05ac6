"""What may be Socket.IO is encrypted, and the capture has no keys.

## What it reports
A capture that holds no Engine.IO in clear, but TLS connections that could carry it: to which servers, by the names that
the clients asked for.

## Why it matters
Nothing can be said of what is inside: neither that there is a fault, nor that all is well. Where sizes and times point
at a possible fault all the same (TLS231 to TLS234), that comes first, and this is only an info.

## On the wire
`https://` and `wss://` are HTTP and WebSocket inside TLS. In clear are only the ClientHello, with the server name (SNI)
and the protocols that the client offers (ALPN: browsers offer `h2, http/1.1` for requests, and `http/1.1` alone for
WebSocket; socket.io-client in Node offers none), and the ServerHello. With Encrypted Client Hello the name is that of a
front; Chrome sends something that looks like one to all servers. Alerts before the keys are in use are in clear, such
as, up to TLS 1.2, `unknown_ca` of a client that does not trust the certificate.

## How to fix
Capture where the traffic is plain: behind what ends TLS (nginx, a load balancer, an ingress), on the way to the
Socket.IO server. Or keep the keys while capturing, and give them to eiosniff with `--keylog FILE`. The report says how
for the client that it is likely to be, by its ClientHello; and for all of these where it is not recognised:

- Node: `--tls-keylog=FILE`, for a server as well (or `server.on('keylog', ...)`).
- Chrome, Edge, Firefox, curl and Python: the environment variable `SSLKEYLOGFILE`; a Python server with
  `SSLContext.keylog_filename`.
- Electron: `--ssl-key-log-file=FILE`. Go: `tls.Config.KeyLogWriter`. Rust: `rustls::KeyLogFile`. .NET 9 on Linux:
  `SSLKEYLOGFILE`, with the switch `System.Net.EnableSslKeyLogging`.
- Java, Qt, Android and iOS: through mitmproxy or an agent.
- A device with Mbed TLS or BearSSL: mostly not at all.

## When it is silent
When any Engine.IO can be read: other TLS connections are then other traffic. When all connections fail in the handshake
(TLS107), or the server speaks no TLS (TLS108): then nothing was said in them. When there are keys: CAP229 says of which
connections they are not. And for TLS that is not HTTP, by its ALPN
or its port (mail, LDAP, DNS, MQTT and the like). With `--port` only connections of those ports count.

## References
- RFC 8446, sections 4.1.2, 4.1.3 and 6; RFC 6066, section 3; RFC 7301; RFC 9849
- Node.js, command-line option `--tls-keylog`; NSS key log format (`SSLKEYLOGFILE`)
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.unread import Encrypted
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.encrypted import hides_socketio, listed, may_hide_socketio, shown
from eiosniff.rules.keys import keys_of
from eiosniff.rules.outside import told

_SHOWN = 5


@rule(
    code="CAP227",
    name="encrypted-without-keys",
    subject=CaptureSummary,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The traffic to {where} is encrypted (TLS): nothing of it can be read here",
    message="No Engine.IO is in clear, and {count} TLS connection(s) could carry it, to {names}.{detail}",
    why="https:// and wss:// are HTTP and WebSocket inside TLS. Without keys a capture shows who talked to whom and "
    "how much, but no Engine.IO packet: there may be a fault, or none.",
    fix=(
        "Capture where it is plain: behind what ends TLS (nginx, load balancer, ingress), on the port of the Socket.IO "
        "server, such as: tcpdump -i any -w plain.pcap tcp port 3000",
        "Where the server ends TLS by itself, let it listen without TLS too for a test, and connect the client to "
        "http:// or ws://.",
        "{keys}",
    ),
    tolerates_gaps=True,
)
def encrypted_without_keys(summary: CaptureSummary) -> Iterator[Hit]:
    """See the module."""
    if not hides_socketio(summary) or any(entry.decrypted or entry.undecrypted for entry in summary.encrypted):
        return
    entries = sorted(filter(may_hide_socketio, summary.encrypted), key=lambda entry: -entry.connections)
    names = [(shown(entry), entry.connections) for entry in entries]
    others = len(dict(names)) - 1
    count = sum(entry.connections for entry in entries)
    yield Hit(
        *(evidence(entry.first, Side.CLIENT if entry.greeted else None, _hello(entry)) for entry in entries[:_SHOWN]),
        occurrences=count,
        count=count,
        names=listed(names),
        where=f"{names[0][0]} and {others} more" if others else names[0][0],
        keys=keys_of(entries),
        severity=Severity.INFO if told(summary) else None,
        detail=_alerts(entries) + _like_websocket(entries) + _fronts(entries),
    )


def _hello(entry: Encrypted) -> str:
    if not entry.greeted:
        return "TLS, without its beginning"
    offers = f", offers {', '.join(entry.alpn)}" if entry.alpn else ""
    answers = [*entry.versions, *entry.chosen]
    answered = f"; answered with {', '.join(answers)}" if answers else ""
    return f"ClientHello for {entry.name or 'a server without a name'}{offers}{answered}"


def _alerts(entries: list[Encrypted]) -> str:
    alerts = [(alert, count) for entry in entries for alert, count in entry.alerts.items()]
    return f" Handshakes that failed, by who ended them with which alert: {listed(alerts)}." if alerts else ""


def _like_websocket(entries: list[Encrypted]) -> str:
    alike = sum(entry.connections for entry in entries if entry.alpn == ("http/1.1",))
    return f" Those that offer http/1.1 alone, as browsers do for WebSocket: {alike}." if alike else ""


def _fronts(entries: list[Encrypted]) -> str:
    if not any(entry.outer for entry in entries):
        return ""
    return " Some names may be those of a front: there is an Encrypted Client Hello, or what looks like one."
