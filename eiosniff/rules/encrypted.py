"""What the rules about encrypted traffic share: whether it may be Socket.IO, and what it is called."""

from collections.abc import Iterable

from eiosniff.model.summary import CaptureSummary
from eiosniff.model.unread import Encrypted

_SHOWN = 5
BY_ALPN = "no_application_protocol"  # an alert that has a rule of its own (TLS037)
_WEB = {"http/1.1", "http/1.0", "h2"}
# TLS from the first byte on, and something else than HTTP: SMTP, LDAP, DNS, FTP, IRC, IMAP, POP3, SIP, XMPP (and push
# messages of Apple and Google), AMQP, MQTT (IANA's registry of ports; 5223 and 5228 by custom).
_PORTS_OF_OTHERS = {465, 636, 853, 989, 990, 992, 993, 994, 995, 5061, 5223, 5228, 5671, 6697, 8883}


def may_be_socketio(entry: Encrypted) -> bool:
    """Whether TLS connections could carry Socket.IO, by the protocols that the client offers and by the port."""
    return entry.server.port not in _PORTS_OF_OTHERS and (not entry.alpn or not _WEB.isdisjoint(entry.alpn))


def may_hide_socketio(entry: Encrypted) -> bool:
    """Whether they could, and anything was said in them: not if all failed in the handshake (TLS107), were answered
    in clear (TLS108), or are still at it."""
    failed = entry.plain.count + sum(tally.count for (_, _, alert), tally in entry.failures.items() if alert != BY_ALPN)
    return failed < entry.settled and may_be_socketio(entry)


def is_meant(summary: CaptureSummary, entry: Encrypted) -> bool:
    """Whether TLS connections concern whoever looks for Socket.IO: those to a server that speaks it, and all that could
    carry it in a capture that holds none in clear."""
    return entry.speaks_engineio or (not summary.engineio_connections and may_be_socketio(entry))


def shown(entry: Encrypted) -> str:
    """What the server is called."""
    return f"{entry.name}:{entry.server.port}" if entry.name else str(entry.server)


def hides_socketio(summary: CaptureSummary) -> bool:
    """Whether the capture holds no Engine.IO that can be read, and TLS that could carry it."""
    return not summary.engineio_connections and any(
        may_hide_socketio(entry) and entry.decrypted < entry.connections for entry in summary.encrypted
    )


def listed(counts: Iterable[tuple[str, int]]) -> str:
    """Names with how often each occurred, the most frequent first: `chat.example:443 (12), 10.0.0.2:8443 (3)`."""
    together: dict[str, int] = {}
    for name, count in counts:
        together[name] = together.get(name, 0) + count
    ordered = sorted(together.items(), key=lambda entry: -entry[1])
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    return ", ".join(f"{name} ({count})" for name, count in ordered[:_SHOWN]) + more
