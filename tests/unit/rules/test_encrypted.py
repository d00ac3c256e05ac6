"""What the rules about encrypted traffic make of ledgers: when they speak, how loud, and what they name."""

import pytest

from eiosniff.model.finding import Finding, Severity
from eiosniff.model.provenance import Endpoint, PacketRef
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.unread import Encrypted, Unread, UnreadKind
from eiosniff.rules.engine import Ledgers, judge
from eiosniff.rules.registry import all_rules

RULES = [rule for rule in all_rules() if rule.code in ("CAP227", "CAP228")]
PLACE = PacketRef(7, 7)


def tls(name: str | None = "chat.example", port: int = 443, alpn: tuple[str, ...] = (), **more: object) -> Encrypted:
    made = Encrypted(Endpoint("10.0.0.2", port), name, alpn, True, PLACE, connections=1)
    for key, value in more.items():
        setattr(made, key, value)
    return made


def unread(kind: UnreadKind, **more: object) -> Unread:
    made = Unread(kind, Endpoint("10.0.0.2", 443), PLACE, 5, "version 1")
    for key, value in more.items():
        setattr(made, key, value)
    return made


def findings(*entries: Encrypted | Unread, engineio: int = 0) -> list[Finding]:
    summary = CaptureSummary("x", engineio_connections=engineio)
    summary.encrypted = [entry for entry in entries if isinstance(entry, Encrypted)]
    summary.unread = [entry for entry in entries if isinstance(entry, Unread)]
    return judge(RULES, Ledgers(summary, [], [], []), lambda *_: [])


def test_names_most_connections_first() -> None:
    entries = [tls(f"{at}.example", connections=at) for at in range(1, 9)]
    (found,) = findings(*entries, tls("8.example", 8443), tls(None, 3443, connections=20))
    assert found.severity is Severity.WARNING
    assert found.title.startswith("The traffic to 10.0.0.2:3443 and 9 more is encrypted")
    assert (
        "to 10.0.0.2:3443 (20), 8.example:443 (8), 7.example:443 (7), 6.example:443 (6), 5.example:443 (5) and 5 more"
        in (found.summary)
    )
    assert found.occurrences == 57


@pytest.mark.parametrize(
    ("entry", "speaks"),
    [
        (tls(), True),
        (tls(alpn=("http/1.1",)), True),
        (tls(alpn=("h2", "http/1.1")), True),
        (tls(greeted=False, name=None), True),
        (tls(alpn=("imap",)), False),
        (tls(alpn=("xmpp-client",), port=5222), False),
        (tls(port=993), False),
        (tls(port=8883), False),
    ],
)
def test_what_could_be_socketio(entry: Encrypted, speaks: bool) -> None:
    assert bool(findings(entry)) is speaks
    assert not findings(entry, engineio=1)


def test_what_is_told_besides() -> None:
    (found,) = findings(
        tls(alpn=("http/1.1",), connections=3),
        tls(alerts={"client: unknown_ca": 2}, outer=1),
        tls(alerts={"client: unknown_ca": 1}),
    )
    assert "client: unknown_ca (3)" in found.summary
    assert "offer http/1.1 alone, as browsers do for WebSocket: 3" in found.summary
    assert "Encrypted Client Hello" in found.summary


def test_other_traffic_beside_engineio_is_not_reported() -> None:
    assert not findings(unread(UnreadKind.QUIC), engineio=3)
    (found,) = findings(unread(UnreadKind.QUIC, speaks_engineio=True), engineio=3)
    assert found.severity is Severity.INFO


def test_loud_only_where_nothing_else_is_there() -> None:
    (found,) = findings(unread(UnreadKind.QUIC))
    assert found.severity is Severity.WARNING
    loud, quiet = findings(unread(UnreadKind.QUIC), tls())
    assert (loud.rule, loud.severity) == ("CAP227", Severity.WARNING)
    assert (quiet.rule, quiet.severity) == ("CAP228", Severity.INFO)


def test_a_finding_for_each_kind() -> None:
    found = findings(
        Unread(UnreadKind.LINK, None, count=40, detail="USER0"),
        unread(UnreadKind.QUIC, webtransport=True, speaks_engineio=True),
    )
    assert [finding.occurrences for finding in found] == [1, 1]
    assert "The Engine.IO server at 10.0.0.2 offers WebTransport" in found[0].summary


def test_unknown_link_types_are_always_told() -> None:
    links = Unread(UnreadKind.LINK, None, count=40, detail="USER0")
    (found,) = findings(links, engineio=3)
    assert (found.severity, found.evidence) == (Severity.INFO, [])
    assert "USER0 (40)" in found.summary
