"""The hint on TLS connections for WebSocket that are refused: when it is given, and when not."""

import pytest

from eiosniff.model.finding import Certainty, Finding, Severity
from eiosniff.model.provenance import Endpoint, PacketRef
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.unread import Encrypted
from eiosniff.rules.engine import Ledgers, judge
from eiosniff.rules.registry import all_rules

RULES = [rule for rule in all_rules() if rule.code == "TLS037"]
H2 = ("h2", "http/1.1")
WEBSOCKET = ("http/1.1",)
ANSWERED = {"TLS 1.3": 1}


def tls(
    alpn: tuple[str, ...],
    answered: dict[str, int] | None = None,
    refused: int = 0,
    name: str | None = "chat.example",
    port: int = 443,
) -> Encrypted:
    made = Encrypted(Endpoint("10.0.0.2", port), name, alpn, True, PacketRef(1, 1), max(1, refused))
    made.versions.update(answered or {})
    for number in range(refused):
        made.refused.add(PacketRef(10 + number, 10 + number), 10 + number)
    return made


def found(*entries: Encrypted) -> list[Finding]:
    summary = CaptureSummary("x", encrypted=[*entries])
    return judge(RULES, Ledgers(summary, [], [], []), lambda *_: [])


def test_it_is_a_hint_and_no_more() -> None:
    (finding,) = found(tls(H2, ANSWERED), tls(WEBSOCKET, refused=3))
    assert (finding.severity, finding.certainty, finding.occurrences) == (Severity.INFO, Certainty.POSSIBLE, 3)
    assert finding.servers == ["10.0.0.2:443"]


@pytest.mark.parametrize(
    "entries",
    [
        (tls(H2, ANSWERED), tls(WEBSOCKET, ANSWERED)),
        (tls(H2, ANSWERED), tls(WEBSOCKET, ANSWERED, refused=1)),  # it was too busy for one of them
        (tls(H2, ANSWERED), tls(WEBSOCKET)),  # the capture ended before the answer
        (tls(H2), tls(WEBSOCKET, refused=1)),  # nothing to compare with
        (tls(H2, refused=2), tls(WEBSOCKET, refused=1)),
        (tls(H2, ANSWERED), tls((), refused=1)),  # no offer at all: not a browser
        (tls(H2, ANSWERED), tls(H2, refused=1, name="other.example")),
        (tls(H2, ANSWERED), tls(WEBSOCKET, refused=1, name="other.example")),
        (tls(H2, ANSWERED), tls(WEBSOCKET, refused=1, port=8443)),
        (tls(H2, ANSWERED, port=5223), tls(WEBSOCKET, refused=1, port=5223)),  # of another protocol
        (tls(WEBSOCKET, refused=1),),
    ],
)
def test_when_it_is_not_given(entries: tuple[Encrypted, ...]) -> None:
    assert not found(*entries)
