"""Servers that let clients of the old protocol in, and old servers."""

import pytest

from eiosniff import knowledge
from eiosniff.model.finding import Certainty, Finding, Severity
from tests.unit.decode.talk_sessions import Talk

SID = "AbCdEfGhIjKlMnOpAAA"  # with another character, as engine.io makes them
OLD = "{0}> WS EIO=3&transport=websocket\n{0}< 101\n{0}< open:{1}\n{0}< 40\n"
NEW = '{0}> WS EIO=4&transport=websocket\n{0}< 101\n{0}< open:{1}\n{0}> 40\n{0}< 40{{"sid":"x"}}\n'
OPEN_2_3 = '{{"sid":"{1}","upgrades":[],"pingInterval":25000,"pingTimeout":5000}}'
OF_2_X = "{0}> WS EIO=3&transport=websocket\n{0}< 101\n{0}< 0" + OPEN_2_3 + "\n{0}< 40\n"
NEW_AT_2_X = "{0}> WS EIO=4&transport=websocket\n{0}< 101\n{0}< 0" + OPEN_2_3 + "\n{0}< 40\n"


def findings(*scripts: str, most: int = 1000) -> dict[str, Finding]:
    """By name, once the libraries are known, as in a report."""
    talk = Talk(most=most)
    for number, script in enumerate(scripts):
        talk.play(script.format(f"w{number}", SID + str(number)))
    talk.close()
    for retired in talk.retired:
        knowledge.fold(retired)
    sessions = talk.sessions
    knowledge.identify(list(sessions.clients.values()), list(sessions.servers.values()), sessions.sessions)
    return {finding.name: finding for finding in talk.findings()}


def test_old_and_new_clients_at_one_server() -> None:
    finding = findings(OLD, NEW)["eio3-allowed"]
    assert finding.severity is Severity.INFO
    assert [item.packet for item in finding.evidence] == [3, 7]


def test_it_is_found_as_well_if_the_sessions_were_let_go() -> None:
    closed = "{0}> close 1000\n{0}< close 1000\n{0}> FIN\n{0}< FIN\n+ 300\n"
    scripts = [kind + closed for kind in (OLD, NEW, NEW, NEW)]
    assert "eio3-allowed" in findings(*scripts, most=1)


@pytest.mark.parametrize(
    "scripts",
    [
        pytest.param([NEW, NEW], id="new clients only"),
        pytest.param([OLD, OLD], id="old clients only"),
        pytest.param([OF_2_X, NEW_AT_2_X], id="a server of 2.x, which answers all in revision 3"),
    ],
)
def test_one_revision_is_no_mixture(scripts: list[str]) -> None:
    assert "eio3-allowed" not in findings(*scripts)


def test_the_version_of_an_old_server_is_possibly_vulnerable() -> None:
    finding = findings(NEW_AT_2_X)["known-vulnerable"]
    assert (finding.severity, finding.certainty) == (Severity.INFO, Certainty.POSSIBLE)
    assert finding.title == "The server may have known vulnerabilities: socket.io 2.1 to 2.4, 3 advisories"
    assert "CVE-2024-38355" in finding.summary
    assert "fixed in socket.io 2.5.1, 4.6.2" in finding.summary
    assert len(finding.evidence) == 1


def test_of_a_server_that_may_be_mended_nothing_is_said() -> None:
    assert "known-vulnerable" not in findings(NEW)
    assert "known-vulnerable" not in findings()
