"""Clients begin QUIC with a server that offers WebTransport, and no handshake is ever completed.

## What it reports
QUIC to a server that offers `webtransport` in its open packet, which is answered, and after which no client ever sends
a packet of the kind that follows a handshake.

## Why it matters
WebTransport never works, and nobody is told why: the client goes on over WebSocket or polling, or, set up for
WebTransport alone, fails with "webtransport error" or "Opening handshake failed.". Mostly it is the certificate: a page
that gives `serverCertificateHashes` may do so only for an ECDSA certificate that is valid for at most 14 days, and
without them it has to be one that browsers trust.

## On the wire
QUIC packets of the long header form both ways (Initial, Handshake), and then none of the short header form from the
client. Why it gives up is encrypted: with keys, Wireshark shows a CONNECTION_CLOSE with a crypto error (0x12e is
certificate_unknown). Needs no keys.

## How to fix
Look at the certificate that the server has for QUIC: who signed it, for which names, and for `serverCertificateHashes`
the curve (P-256) and the dates (14 days at most). Make a new one every few days, and tell pages its hash.

## When it is silent
As soon as one client completes its handshake with that server; where nothing is answered at all (see
webtransport-udp-blocked); where the capture ends within a second of the last datagram.

## References
- RFC 9001, section 4.8; RFC 9000, sections 17.2 and 20.1
- W3C WebTransport, "Custom certificate requirements" (14 days)
"""

from collections.abc import Iterator

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.unread import UnreadKind
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_S

_FEWEST = 2  # datagrams of clients


@rule(
    code="EIO246",
    name="webtransport-handshake-fails",
    subject=CaptureSummary,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The server offers WebTransport, but no QUIC handshake with it is completed",
    message="{address} offers WebTransport in its open packet and answers QUIC ({answers} datagrams), but after that "
    "no client goes on: none sends anything that follows a handshake.",
    why="A client that does not take the certificate ends the handshake. Browsers take one by its hash "
    "(serverCertificateHashes) only if it is valid for at most 14 days.",
    fix=(
        "Look at the certificate for QUIC: signed by someone browsers trust, or, with serverCertificateHashes, ECDSA "
        "P-256 and valid for at most 14 days, and its hash as the page has it.",
        "A key log of the browser (SSLKEYLOGFILE) shows the alert, in Wireshark.",
    ),
)
def webtransport_handshake_fails(summary: CaptureSummary) -> Iterator[Hit]:
    """See the module."""
    for entry in summary.unread:
        if entry.kind is not UnreadKind.QUIC or not entry.webtransport or not entry.answers or entry.short:
            continue
        if entry.count - entry.answers < _FEWEST or (summary.last_ns or 0) - entry.last.ts_ns < NS_PER_S:
            continue
        if not entry.detail:
            continue  # its beginning was not captured
        yield Hit(
            evidence(entry.first, Side.CLIENT, "begins QUIC"),
            evidence(entry.last, None, "the last datagram"),
            certainty=Certainty.LIKELY,
            doubt="why a client gives up is encrypted",
            kind=str(entry.server),
            answers=entry.answers,
            address=str(entry.server),
        )
