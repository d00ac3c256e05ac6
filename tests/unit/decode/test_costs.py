"""What requests cost: new connections, large heads, and the time until the client polls again."""

import pytest

from eiosniff.model.costs import LARGE_HEAD
from tests.unit.decode.talk_sessions import (
    MILLISECOND,
    POLL,
    POLLING,
    POST,
    SECOND,
    UPGRADED,
    WEBSOCKET,
    Talk,
    played,
    repeated,
)

NEW_POLL = "b#> GET EIO=4&transport=polling&sid=S\nb#< 200 6\n"
EVENT = '200 42["word"]'
LATE_EVENT = f"+ 0.8\n{POLL}\na< {EVENT}\n"


def test_each_connection_that_a_request_is_the_first_on_counts() -> None:
    costs = played(POLLING, repeated(NEW_POLL, range(5)), POLL + "\na< 200 6").session.costs
    assert (costs.requests, costs.connections) == (7, 6)


def test_a_connection_that_began_before_the_capture_is_not_new() -> None:
    talk = Talk().play(POLLING)
    talk.connect("b1")
    talk.wires["b1"].conversation.ledger.midstream = True
    talk.play(repeated(NEW_POLL, [1]))
    assert talk.close().session.costs.connections == 1


def test_setting_up_takes_from_the_first_packet_to_the_request() -> None:
    talk = Talk()
    for name, wait in (("a", 0.1), ("b1", 0.3), ("b2", 0.05)):
        talk.connect(name)
        talk.play(f"+ {wait}\n" + (POLLING if name == "a" else repeated(NEW_POLL, [name[1:]])))  # type: ignore[list-item]
    costs = talk.close().session.costs
    assert costs.set_up_ns == 450 * MILLISECOND + 3 * MILLISECOND
    assert costs.set_up_least_ns == 51 * MILLISECOND


def test_upgrades_and_websockets_are_no_requests() -> None:
    assert played(UPGRADED).session.costs.requests == 1
    assert played(WEBSOCKET, "w> 40").session.costs.requests == 0


@pytest.mark.parametrize(
    ("headers", "replies", "expected"),
    [
        ("Connection: close\r\n", "Connection: close\r\n", (2, 0)),
        ("", "Connection: close\r\n", (0, 2)),
        ("Connection: keep-alive\r\n", "Connection: keep-alive\r\n", (0, 0)),
        ("", "", (0, 0)),
    ],
)
def test_who_says_that_connections_end(headers: str, replies: str, expected: tuple[int, int]) -> None:
    talk = Talk()
    for name in ("a", "b1"):
        talk.connect(name, headers=headers, replies=replies)
    costs = talk.play(POLLING + "\n" + repeated(NEW_POLL, [1])).close().session.costs
    assert (costs.closed_by_client, costs.closed_by_server) == expected


def test_of_a_large_head_the_largest_header_is_named_and_not_kept() -> None:
    talk = Talk()
    talk.connect("a", headers=f"Cookie: {'c' * 3000}\r\nX-Other: {'o' * 100}\r\n", replies=f"Policy: {'p' * 2500}\r\n")
    costs = talk.play(f"{POLLING}\n{POLL}\na< 200 6").close().session.costs
    asked, answered = costs.large_request, costs.large_answer
    assert asked is not None
    assert answered is not None
    assert (asked.field, asked.field_size) == ("Cookie", 3006)
    assert (answered.field, answered.field_size) == ("Policy", 2506)
    assert asked.size == costs.largest_request > 3100
    assert answered.place.number in (2, 4)
    assert answered.size == costs.largest_answer


def test_of_a_long_url_no_header_is_named() -> None:
    talk = played(f"a> GET EIO=4&transport=polling&state={'s' * LARGE_HEAD}\na< 200 open:S")
    asked = talk.session.costs.large_request
    assert asked is not None
    assert asked.field == ""
    assert asked.field_size > LARGE_HEAD


def test_a_poll_is_late_if_it_comes_long_after_the_answer_to_the_one_before() -> None:
    late = played(POLLING, LATE_EVENT * 3).session.costs.late
    assert late is not None
    assert late.polls.count == late.delays.count == 3
    assert late.delays.median == 800 * MILLISECOND + MILLISECOND
    first = late.polls.first[0]
    assert (first.answered.number, first.asked.number) == (2, 3)
    assert late.events == 3


def test_what_comes_later_had_not_been_waiting() -> None:
    script = f"+ 0.8\n{POLL}\n+ 0.2\na< {EVENT}\n"
    late = played(POLLING, script * 3).session.costs.late
    assert late is not None
    assert (late.polls.count, late.events) == (3, 0)


def test_a_heartbeat_is_no_event_that_waits() -> None:
    late = played(POLLING, f"+ 0.8\n{POLL}\na< 200 2\n").session.costs.late
    assert late is not None
    assert late.events == 0


def test_a_post_does_not_end_the_wait_for_a_poll() -> None:
    post = f'+ 0.5\nb> POST {POST} 42["x"]\nb< 200 ok\n+ 0.5\n'
    late = played(POLLING, post, f"{POLL}\na< {EVENT}").session.costs.late
    assert late is not None
    assert late.delays.maximum >= SECOND


def test_polls_at_once_leave_nothing_behind() -> None:
    assert played(POLLING, f"{POLL}\na< 200 6\n" * 5).session.costs.late is None


def test_a_large_batch_changes_nothing() -> None:
    def facts(late: bool) -> list[object]:
        costs = played(POLLING, repeated(NEW_POLL, range(3)), LATE_EVENT * 2, late=late).session.costs
        waited = costs.late
        assert waited is not None
        return [costs.requests, costs.connections, costs.set_up_ns, waited.polls.count, waited.events]

    assert facts(late=True) == facts(late=False)
