"""The rules on TLS that fails: what else there is in a capture, and what only looks like a failure."""

import pytest

from eiosniff.model.finding import Certainty, Finding, Severity
from eiosniff.model.provenance import Endpoint, PacketRef
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.tally import Tally
from eiosniff.model.unread import Encrypted, FailedHandshake, FailedHow
from eiosniff.rules.engine import Ledgers, judge
from eiosniff.rules.registry import all_rules
from tests.unit.decode.talk_sessions import played

RULES = [rule for rule in all_rules() if rule.code == "TLS107"]
WORKS = Encrypted(Endpoint("10.0.0.9", 443), "other.example", ("http/1.1",), True, PacketRef(1, 1), 1)


def fails(
    times: int, how: FailedHow = FailedHow.ALERT, alert: str = "unknown_ca", *, connections: int = 0
) -> Encrypted:
    """TLS of one server that fails so often; of so many connections, if not of all."""
    made = Encrypted(
        Endpoint("10.0.0.2", 443), "chat.example", ("http/1.1",), True, PacketRef(2, 2), connections or times
    )
    tally = made.failures[how, "client", alert] = Tally[FailedHandshake]()
    for number in range(times):
        hello, answered, last = (PacketRef(10 * number + step, 10 * number + step) for step in (3, 4, 5))
        tally.add(FailedHandshake(hello, answered, last, "ServerHello"), last.ts_ns)
    return made


def found(*entries: Encrypted) -> list[Finding]:
    return judge(RULES, Ledgers(CaptureSummary("x", encrypted=[*entries]), [], [], []), lambda *_: [])


@pytest.mark.parametrize(
    ("times", "others", "expected"),
    [
        (1, (), (Certainty.LIKELY, Severity.ERROR)),
        (1, (WORKS,), (Certainty.POSSIBLE, Severity.WARNING)),  # whose it is, nobody knows
        (3, (WORKS,), (Certainty.POSSIBLE, Severity.ERROR)),  # but who wants a session tries again
    ],
)
def test_where_other_tls_works_a_failure_may_be_of_anything(
    times: int, others: tuple[Encrypted, ...], expected: tuple[Certainty, Severity]
) -> None:
    (finding,) = found(fails(times), *others)
    assert (finding.certainty, finding.severity) == expected


def test_a_connection_that_is_opened_in_advance_and_left_is_no_failure() -> None:
    assert not found(fails(1, FailedHow.GAVE_UP, ""))
    assert not found(fails(2, FailedHow.GAVE_UP, "", connections=3))
    (finding,) = found(fails(2, FailedHow.GAVE_UP, ""))
    assert (finding.certainty, finding.severity) == (Certainty.POSSIBLE, Severity.WARNING)


def test_a_server_that_has_answered_on_the_connection_speaks_http() -> None:
    """Its connection ran into the time that the server keeps idle ones."""
    ask = "a> GET EIO=4&transport=polling&x=%d\n"
    assert played(ask % 1, "a< FIN\na> FIN").found("scheme-mismatch") is not None
    assert played(ask % 1, "a< 204 -\n+ 5\n", ask % 2, "a< FIN\na> FIN").found("scheme-mismatch") is None
