"""TLS does not come about.

## What it reports
TLS connections to a server (of Socket.IO, or, in a capture without any in clear, to any that could be one) that fail in
the handshake: which side ends them, with which alert, after which message, and what that means.

## Why it matters
Without TLS no request is sent. The client library only says "xhr poll error", "websocket error" or "SSL handshake
failed", and tries again for ever.

## On the wire
An alert (`15 03`) instead of the next message of the handshake. `unknown_ca` or `bad_certificate` of the client after
the certificate: it does not trust it. `protocol_version` of the server after a ClientHello that offers TLS 1.0 at the
most; `unrecognized_name` or `handshake_failure` after one without a server name. In TLS 1.3 an alert of the client may
be encrypted: its record has 19 bytes. Node completes the handshake before it looks at the certificate, and then closes
the connection without a word.

## How to fix
A certificate of a public authority with its whole chain; for one of your own its authority at the client. The right
time at the client, the name of the server instead of its address, a client that speaks TLS 1.2 at least.

## When it is silent
For TLS of other protocols (mail, MQTT), and in a capture that holds Socket.IO in clear for TLS to other addresses. In a
capture that holds none, a failure is only a possible case if TLS with other servers works, and a warning until it has
come three times. That a client leaves without
a word is only possible, too (health checks do), and counts only if all connections to that server end so, and there are
two: browsers open some in advance. `no_application_protocol` is UPGRADE-AFTER-TLS-H2.

## References
- RFC 8446, sections 4.1.2 and 6.2; RFC 6066, section 3; RFC 8996 (TLS 1.0 and 1.1 are history)
- arduinoWebSockets issues #602, #455 and #764
"""

from collections.abc import Iterator

from eiosniff.model.finding import Certainty, Evidence, Severity
from eiosniff.model.provenance import NO_PACKET, Side
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.tally import Tally
from eiosniff.model.unread import Encrypted, FailedHandshake, FailedHow
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.encrypted import BY_ALPN, is_meant, may_hide_socketio, shown
from eiosniff.rules.tls_alerts import meaning

_UNKNOWN = "no connection shows that this is meant to be Socket.IO"
_OTHERS = f"{_UNKNOWN}, and TLS with other servers works, which may as well be"
# Whoever wants a session tries again and again.
_INSISTS = 3


@rule(
    code="TLS107",
    name="tls-failure",
    subject=CaptureSummary,
    severity=Severity.ERROR,
    since="0.1.0",
    title="TLS does not come about: {verdict}",
    message="{count} of {connections} TLS connection(s) to {where} fail: {what}. {because}",
    why="https:// and wss:// need TLS first. When its handshake fails, no request is sent, and the library says no "
    "more than xhr poll error or websocket error.",
    fix=("{advice}",),
    tolerates_gaps=True,
    explains=("server-silent",),
)
def tls_failure(summary: CaptureSummary) -> Iterator[Hit]:
    """See the module."""
    for entry in summary.encrypted:
        if not entry.failures or not entry.greeted or not is_meant(summary, entry):
            continue
        for (how, who, alert), tally in entry.failures.items():
            left = how is FailedHow.GAVE_UP
            if alert == BY_ALPN or (left and not _leaves_each_time(entry, tally)):
                continue
            means = meaning(entry, how, who, alert)
            certainty, doubt = Certainty.CERTAIN, ""
            if left:
                certainty, doubt = Certainty.POSSIBLE, "health checks, and whoever tries a port, end it so, too"
            elif not entry.speaks_engineio:
                certainty, doubt = Certainty.LIKELY, _UNKNOWN
                if _others_succeed(summary, entry):
                    certainty, doubt = Certainty.POSSIBLE, _OTHERS
            yield Hit(
                *_proof(tally, how, who, alert),
                certainty=certainty,
                doubt=doubt,
                severity=Severity.WARNING if left or (doubt == _OTHERS and tally.count < _INSISTS) else None,
                occurrences=tally.count,
                period_ns=tally.period_ns,
                kind=means.verdict,
                server=entry.server,
                verdict=means.verdict,
                count=tally.count,
                connections=entry.connections,
                where=shown(entry),
                what=_what(entry, how, who, alert, tally),
                because=means.because,
                advice=means.advice,
            )


def _leaves_each_time(entry: Encrypted, tally: Tally[FailedHandshake]) -> bool:
    """Whether the client does nothing else at that server, and tries again, as who cannot connect does."""
    return tally.count == entry.settled and (tally.count > 1 or entry.speaks_engineio)


def _others_succeed(summary: CaptureSummary, entry: Encrypted) -> bool:
    return any(other.server != entry.server and may_hide_socketio(other) for other in summary.encrypted)


def _what(entry: Encrypted, how: FailedHow, who: str, alert: str, tally: Tally[FailedHandshake]) -> str:
    after = tally.first[0].after
    offered = f" (the newest version that the client offers: {', '.join(entry.offered)})" if entry.offered else ""
    nameless = "" if entry.name else " without a server name"
    if how is FailedHow.GAVE_UP:
        return f"{how.value}{offered}"
    if how is FailedHow.ALERT_INSIDE:
        return f"the client answers the server's first messages with an alert, which is encrypted{offered}"
    if after == "ClientHello":
        return f"the {who} answers a ClientHello{nameless} with the fatal alert {alert}{offered}"
    return f"the {who} ends the handshake after the {after} of the server with the fatal alert {alert}{offered}"


def _proof(tally: Tally[FailedHandshake], how: FailedHow, who: str, alert: str) -> Iterator[Evidence]:
    side = Side.SERVER if who == "server" else Side.CLIENT
    for failed in tally:
        yield evidence(failed.hello, Side.CLIENT, "ClientHello")
        if failed.answered not in (NO_PACKET, failed.last):
            yield evidence(failed.answered, Side.SERVER, "answers")
        text = (
            "ends the connection" if how is FailedHow.GAVE_UP else f"alert {alert}" if alert else "an encrypted alert"
        )
        yield evidence(failed.last, side, text)
