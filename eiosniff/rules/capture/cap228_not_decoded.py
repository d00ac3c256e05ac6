"""The capture holds traffic of a kind that eiosniff does not decode.

## What it reports
QUIC (which HTTP/3 and WebTransport use), and packets of link types that nothing here decodes, where they may be
Socket.IO: how much there is, and to which servers.

## Why it matters
What goes that way is not in the report. A session that moved to WebTransport looks as if it had fallen silent.

## On the wire
QUIC is UDP, mostly to port 443; its first packets have the long header form with a version. It is always encrypted.
WebTransport is a CONNECT request within HTTP/3, so without keys nothing tells it from a download. But an Engine.IO
server that lists `webtransport` among the `upgrades` of its open packet expects it.

## How to fix
With the keys (`--keylog FILE`) tshark decrypts it, if it is installed. Or capture where it is plain: between the
proxy and Node. Turn HTTP/3 off for a test, so that the client takes WebSocket or polling: Chrome and Edge with
`--disable-quic`, Firefox with `network.http.http3.enable` set to false.

## When it is silent
For QUIC when there is Engine.IO in clear and it goes to other addresses: that is other traffic. With
`--port` only those ports count. It is a warning where the capture holds no Engine.IO in clear and no TLS that could
carry it either, so that a diagnosis depends on it.

## References
- RFC 9000, section 17; RFC 9369
- Engine.IO protocol, WebTransport; draft-ietf-webtrans-http3
"""

from collections.abc import Callable, Iterator
from typing import Any

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import NO_PACKET
from eiosniff.model.summary import CaptureSummary, LeftUnread
from eiosniff.model.unread import Unread, UnreadKind
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.encrypted import hides_socketio, listed
from eiosniff.rules.phrases import capital

_SHOWN = 5
_FIRST = {
    UnreadKind.QUIC: "the first datagram of QUIC {}",
}


@rule(
    code="CAP228",
    name="not-decoded",
    subject=CaptureSummary,
    severity=Severity.INFO,
    since="0.1.0",
    title="{title}",
    message="{found}",
    why="{reason}",
    fix=("{first_step}", "{second_step}"),
    tolerates_gaps=True,
)
def not_decoded(summary: CaptureSummary) -> Iterator[Hit]:
    """See the module."""
    readable = summary.engineio_connections > 0
    severity = Severity.INFO if readable or hides_socketio(summary) else Severity.WARNING
    relevant = [
        entry for entry in summary.unread if not readable or entry.speaks_engineio or entry.kind is UnreadKind.LINK
    ]
    for kind, words in _WORDS.items():
        entries = sorted((entry for entry in relevant if entry.kind in kind), key=lambda entry: -entry.count)
        if entries:
            yield Hit(
                *(
                    evidence(entry.first, None, _FIRST[entry.kind].format(entry.detail))
                    for entry in entries[:_SHOWN]
                    if entry.first is not NO_PACKET
                ),
                severity=severity,
                occurrences=len(entries),
                kind=entries[0].kind.value,
                **words(entries, summary.left_unread),
            )


def _quic(entries: list[Unread], left: LeftUnread | None) -> dict[str, Any]:
    offering = [entry for entry in entries if entry.webtransport]
    looks = (
        "QUIC" if any(entry.detail for entry in entries) else "What looks like QUIC (its beginning was not captured)"
    )
    found = f"{looks}, by server and number of datagrams: {_servers(entries)}."
    if offering:
        found += (
            f" The Engine.IO server at {offering[0].server.address if offering[0].server else ''} offers WebTransport "
            "in its open packet, so this may be its sessions."
        )
    if left is not None and left.quic:
        return {
            "title": f"HTTP/3 (QUIC), which WebTransport uses, can only be decrypted by tshark, and {left.why}",
            "found": found,
            "reason": "There are keys, but eiosniff does not decrypt QUIC itself.",
            "first_step": f"{capital(left.remedy)}.",
            "second_step": "",
        }
    return {
        "title": "HTTP/3 (QUIC), which WebTransport uses, is encrypted and not read",
        "found": found,
        "reason": "QUIC is always encrypted. Without keys, WebTransport cannot be told from other HTTP/3.",
        "first_step": "Turn HTTP/3 off for a test, so that the client takes WebSocket or polling: Chrome and Edge with "
        '--disable-quic, Firefox with network.http.http3.enable = false, or "webtransport" left out of the '
        "`transports` of the server.",
        "second_step": "Then capture where that is plain, such as between the proxy and Node.",
    }


def _links(entries: list[Unread], _: LeftUnread | None) -> dict[str, Any]:
    return {
        "title": "Some packets are of a link type that cannot be decoded",
        "found": f"By link type and number of packets: {listed((entry.detail, entry.count) for entry in entries)}.",
        "reason": "What is in these packets is not in this report, whatever it is.",
        "first_step": "Capture on an interface with Ethernet or IP (tcpdump -L lists what an interface offers).",
        "second_step": "Or capture on the other host of the conversation.",
    }


def _servers(entries: list[Unread]) -> str:
    return listed((str(entry.server), entry.count) for entry in entries)


_WORDS: dict[tuple[UnreadKind, ...], Callable[[list[Unread], LeftUnread | None], dict[str, Any]]] = {
    (UnreadKind.QUIC,): _quic,
    (UnreadKind.LINK,): _links,
}
