"""What polling costs: said where it hurts, and not where it is as it always is."""

import pytest

from eiosniff.model.finding import Certainty, Finding, Severity
from tests.unit.decode.talk_sessions import POLL, POLLING, POST, UPGRADED, Talk, played, repeated

NEW_POLL = "+ {0}\nb#> GET EIO=4&transport=polling&sid=S\nb#< 200 6\n"
KEPT = f"+ 0.1\n{POLL}\na< 200 6\n"
LATE = f'+ {{0}}\n{POLL}\na< 200 42["word"]\n'


def polls_on_new_connections(
    times: int, every_s: float, far_s: float = 0.0, headers: str = "", reply: str = ""
) -> Talk:
    """A session each poll of which is on a connection of its own that took `far_s` to set up."""
    talk = Talk()
    talk.connect("a", headers=headers, replies=reply)
    talk.play(f"+ {far_s}\n{POLLING}")
    for turn in range(times):
        talk.play(f"+ {every_s}")
        talk.connect(f"b{turn}", headers=headers, replies=reply)
        talk.play(f"+ {far_s}\n" + repeated(NEW_POLL.format(0), [turn]))
    return talk


def the_finding(talk: Talk, name: str) -> Finding:
    finding = talk.found(name)
    assert finding is not None
    return finding


# ---------------------------------------------------------------------- polling-no-keepalive


def test_many_connections_near_by_are_worth_a_remark() -> None:
    close = "Connection: close\r\n"
    finding = the_finding(polls_on_new_connections(120, 0.5, headers=close, reply=close), "polling-no-keepalive")
    assert finding.severity is Severity.INFO
    assert "opens 121 connections to 10.0.0.2:3000 for 121 requests" in finding.summary
    assert "as it asks for with Connection: close" in finding.summary


def test_few_connections_that_take_long_are_worth_a_warning() -> None:
    finding = the_finding(polls_on_new_connections(25, 0.5, far_s=0.2), "polling-no-keepalive")
    assert finding.severity is Severity.WARNING
    assert "though nobody says that it must end" in finding.summary


def test_the_server_ends_them() -> None:
    talk = polls_on_new_connections(120, 0.5, reply="Connection: close\r\n")
    assert "as the server ends each with Connection: close" in the_finding(talk, "polling-no-keepalive").summary


@pytest.mark.parametrize(
    "talk",
    [
        pytest.param(polls_on_new_connections(60, 0.1), id="a short burst near by, as of healthy sessions in Node"),
        pytest.param(polls_on_new_connections(120, 12.0, far_s=0.1), id="heartbeats only"),
        pytest.param(played(POLLING, KEPT * 200), id="one connection that is kept"),
        pytest.param(played(UPGRADED, repeated("w> 2\nw< 3", range(200))), id="a WebSocket"),
    ],
)
def test_connections_that_cost_nothing_are_nothing(talk: Talk) -> None:
    assert talk.found("polling-no-keepalive") is None


def test_a_client_that_reconnects_now_and_then_keeps_its_connections() -> None:
    talk = polls_on_new_connections(40, 0.5, far_s=0.2)
    talk.play(KEPT * 100)
    assert talk.found("polling-no-keepalive") is None


def test_it_belongs_to_the_session_that_cannot_upgrade() -> None:
    refused = 'w#> WS EIO=4&transport=websocket&sid=S\nw#< 400 {"code":3,"message":"Bad request"}\n'
    talk = Talk().play(POLLING + "\n" + repeated(refused, [1]))
    for turn in range(120):
        talk.play("+ 0.5\n" + repeated(NEW_POLL.format(0), [turn]))
    roots = [names for names in talk.names() if "polling-no-keepalive" in names]
    assert len(roots) == 1
    assert not roots[0].startswith("polling-no-keepalive")


# ---------------------------------------------------------------------- header-weight


def with_headers(headers: str, replies: str = "", polls: int = 12) -> Talk:
    talk = Talk()
    talk.connect("a", headers=headers, replies=replies)
    return talk.play(POLLING + "\n" + KEPT * polls)


def test_the_largest_header_is_named_and_its_value_is_not_said() -> None:
    finding = the_finding(with_headers(f"Cookie: state={'v' * 4000}\r\n"), "header-weight")
    assert 'of which the header "Cookie" takes 4.0 kB' in finding.summary
    assert "vvv" not in str(finding)


def test_headers_of_answers_count_as_well() -> None:
    finding = the_finding(with_headers("", f"Content-Security-Policy: {'v' * 4000}\r\n"), "header-weight")
    assert finding.title.startswith("Each answer")
    assert 'the header "Content-Security-Policy"' in finding.summary


def test_a_large_header_in_one_request_is_no_weight() -> None:
    talk = Talk()
    talk.connect("a", headers=f"Cookie: state={'v' * 4000}\r\n")
    talk.play(POLLING)
    talk.connect("b")
    talk.play(KEPT.replace("a>", "b>").replace("a<", "b<") * 12)
    assert talk.found("header-weight") is None


def test_a_session_that_goes_on_over_websocket_has_paid() -> None:
    talk = with_headers(f"Cookie: state={'v' * 4000}\r\n")
    talk.play("w> WS EIO=4&transport=websocket&sid=S\nw< 101\nw> 2probe\nw< 3probe\nw> 5\nw< 2\nw> 3")
    assert talk.found("header-weight") is None


def test_a_few_requests_weigh_nothing() -> None:
    assert with_headers(f"Cookie: state={'v' * 4000}\r\n", polls=3).found("header-weight") is None


# ---------------------------------------------------------------------- poll-latency


def test_a_timer_between_polls_delays_events() -> None:
    finding = the_finding(played(POLLING, LATE.format(1.0) * 8), "poll-latency")
    assert finding.severity is Severity.INFO
    assert finding.certainty is Certainty.CERTAIN
    assert "8 of 9 times: 1.0 s in the middle" in finding.summary
    assert "8 messages had been waiting, and came at once" in finding.summary


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(LATE.format(1.0) * 4, id="a few times"),
        pytest.param(LATE.format(1.0) * 8 + KEPT * 40, id="a small part"),
        pytest.param(LATE.format(0.3) * 12, id="less than half a second"),
        pytest.param(f"{POLL}\n+ 2\na< 200 2\nb> POST {POST} 3\nb< 200 ok\n" * 12, id="the server takes its time"),
    ],
)
def test_polls_that_wait_for_the_server_are_on_time(script: str) -> None:
    assert played(POLLING, script).found("poll-latency") is None


def test_the_way_there_and_back_is_not_the_clients() -> None:
    talk = Talk()
    talk.connect("a")
    talk.play(f"+ 0.6\n{POLLING}\n" + LATE.format(1.5) * 8)  # captured at the server: 600 ms there and back
    assert talk.found("poll-latency") is None


def test_without_the_beginning_of_a_connection_the_network_may_be_slow() -> None:
    talk = Talk()
    talk.connect("a")
    talk.wires["a"].conversation.ledger.midstream = True
    finding = the_finding(talk.play(POLLING + "\n" + LATE.format(1.0) * 8), "poll-latency")
    assert finding.certainty is Certainty.LIKELY


def test_a_session_that_goes_on_over_websocket_does_not_poll() -> None:
    upgrade = "w> WS EIO=4&transport=websocket&sid=S\nw< 101\nw> 2probe\nw< 3probe\nw> 5"
    assert played(POLLING, LATE.format(1.0) * 8, upgrade).found("poll-latency") is None
