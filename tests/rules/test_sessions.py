"""Why a server does not know a session: the same answer each time, and what came before it tells the reasons apart."""

import base64

import pytest

from eiosniff.model.finding import Certainty, Finding, Severity
from tests.unit.decode.talk_sessions import Talk, played, repeated

POLL_OPEN = "a#> GET EIO=4&transport=polling\na#< 200 open:S#\n"
JOIN = "b#> POST EIO=4&transport=polling&sid=S# 40\nb#< 200 ok\n"
POLL = "a#> GET EIO=4&transport=polling&sid=S#\n"
SERVED = POLL + "a#< 200 6\n"
POST = "b#> POST EIO=4&transport=polling&sid=S# {}\n"
UNKNOWN = '400 {"code":1,"message":"Session ID unknown"}'
REFUSED = POLL + f"a#< {UNKNOWN}\n"
SECOND_POLL = "c#> GET EIO=4&transport=polling&sid=S#\n"
NODE_CODE_1 = '"Session ID unknown"'


def once(*parts: str) -> list[str]:
    return played(repeated("\n".join(parts), [1])).names()


def the_finding(name: str, *parts: str) -> Finding:
    finding = played(repeated("\n".join(parts), [1])).found(name)
    assert finding is not None
    return finding


def sid(process: int, counter: int) -> str:
    """An id as engine.io makes it: random bytes, and the counter of the process."""
    return base64.urlsafe_b64encode(bytes([process]) * 11 + counter.to_bytes(4, "big")).decode()


def opened(name: str, process: int, counter: int) -> str:
    made = sid(process, counter)
    return f"{name}> GET EIO=4&transport=polling\n{name}< 200 open:{made}\n"


def asked(name: str, process: int, counter: int, answer: str) -> str:
    return f"{name}> GET EIO=4&transport=polling&sid={sid(process, counter)}\n{name}< {answer}\n"


CLIENTS_DOING = [
    pytest.param([POST.format("zzz") + "b#< 200 ok"], ["engineio-syntax"], id="garbage"),
    pytest.param([POST.format("2") + "b#< 200 ok"], ["client-ping-in-eio4"], id="a ping of the client"),
    pytest.param([POST.format('40~42["a"]') + "b#< 200 ok"], ["event-before-connect"], id="an early event"),
    pytest.param([JOIN, POST.format("4x") + "b#< 413"], ["payload-too-large"], id="a body that is too large"),
    pytest.param([JOIN, POLL, "+ 0.5", SECOND_POLL + "c#< 400\na#< 200 1"], ["poll-overlap"], id="a second poll"),
    pytest.param([JOIN, POLL, "+ 10\na#> FIN\na#< FIN"], ["poll-cut-by-client"], id="a poll that it cut"),
    pytest.param([JOIN, POLL, "+ 0.2\na#> RST"], ["poll-cut-by-client"], id="a poll that it cut soon"),
]


@pytest.mark.parametrize(("parts", "expected"), CLIENTS_DOING)
def test_a_client_that_ends_its_session_is_no_fault_of_the_balancer(parts: list[str], expected: list[str]) -> None:
    later = "+ 0.2\nd#> GET EIO=4&transport=polling&sid=S#\n" + f"d#< {UNKNOWN}"
    assert once(POLL_OPEN, *parts, later) == expected


def test_garbage_over_polling_is_said_to_end_the_session() -> None:
    finding = the_finding("engineio-syntax", POLL_OPEN, POST.format("zzz") + "b#< 200 ok\n", REFUSED)
    assert finding.summary.endswith(f"the server ends the session and answers the next request 400 {NODE_CODE_1}.")
    assert [item.packet for item in finding.evidence] == [3, 5, 6]
    ignored = the_finding("engineio-syntax", POLL_OPEN, POST.format("zzz") + "b#< 200 ok\n", SERVED)
    assert ignored.summary.endswith("the server ignores it.")


# ---------------------------------------------------------------------- several back ends


def test_counters_tell_how_many_processes_there_are() -> None:
    script = "".join(
        opened(f"a{turn}{process}", process, turn) + asked(f"a{turn}{process}", process, turn, UNKNOWN)
        for turn in range(3)
        for process in (1, 2)
    )
    finding = played(script).found("sid-unknown-sticky")
    assert finding is not None
    assert finding.occurrences == 6
    assert finding.certainty is Certainty.CERTAIN
    assert finding.summary.endswith("The counters in its session ids are those of 2 processes.")


def test_a_session_that_was_served_long_is_a_sure_case_where_two_processes_are_seen() -> None:
    script = opened("a", 1, 0) + opened("b", 2, 0) + opened("c", 1, 1) + opened("d", 2, 1)
    finding = played(script + asked("a", 1, 0, "200 6") * 12 + asked("a", 1, 0, UNKNOWN)).found("sid-unknown-sticky")
    assert finding is not None
    assert finding.certainty is Certainty.CERTAIN


def test_an_upgrade_that_another_back_end_refuses() -> None:
    upgrade = "w#> WS EIO=4&transport=websocket&sid=S#\nw#< 400 Session ID unknown\n"
    found = once(POLL_OPEN, JOIN, SERVED, upgrade, SERVED, SERVED)
    assert found[0].split(" + ")[0] == "sid-unknown-sticky"
    assert len(found) == 1
    finding = the_finding("sid-unknown-sticky", POLL_OPEN, JOIN, SERVED, upgrade, SERVED, SERVED)
    assert finding.severity is Severity.WARNING
    assert finding.title.startswith("The upgrade to WebSocket gets to a server that does not know the session")


def test_a_session_that_stays_on_polling_because_of_it_is_a_consequence() -> None:
    upgrade = "w#> WS EIO=4&transport=websocket&sid=S#\nw#< 400 Session ID unknown\n"
    assert once(POLL_OPEN, JOIN, upgrade, *["+ 15\n" + SERVED] * 4) == ["sid-unknown-sticky + stuck-in-polling"]


def test_a_balancer_that_names_another_server_in_its_cookie() -> None:
    talk = Talk()
    talk.connect("a1", replies="Set-Cookie: lb=one; path=/\r\n", headers="Cookie: lb=zero\r\n")
    talk.connect("b1", replies="Set-Cookie: lb=two; path=/\r\n", headers="Cookie: lb=zero\r\n")
    talk.play(repeated(POLL_OPEN + POST.format("40") + f"b#< {UNKNOWN}", [1]))
    finding = talk.found("sid-unknown-sticky")
    assert finding is not None
    assert 'its cookie "lb" has another value in the refusal' in finding.summary


# ---------------------------------------------------------------------- the cookie of a load balancer


def cookies(set_first: str, set_again: str = "", sent: str = "") -> Talk:
    """A handshake that sets a cookie, and a request that is refused."""
    talk = Talk()
    talk.connect("a1", replies=f"Set-Cookie: {set_first}\r\n")
    replies = f"Set-Cookie: {set_again}\r\n" if set_again else ""
    talk.connect("b1", headers=f"Cookie: {sent}\r\n" if sent else "", replies=replies)
    return talk.play(repeated(POLL_OPEN + POST.format("40") + f"b#< {UNKNOWN}", [1]))


@pytest.mark.parametrize(
    ("talk", "certainty"),
    [
        pytest.param(cookies("lb=one; path=/", "lb=two; path=/"), Certainty.CERTAIN, id="of a balancer, set anew"),
        pytest.param(cookies("AWSALBCORS=x; SameSite=None"), Certainty.CERTAIN, id="of a balancer"),
        pytest.param(cookies("where=one", "where=two"), Certainty.LIKELY, id="an unknown name"),
        # Of Java applications; some load balancers go by it, and it is new with each answer where none comes back.
        pytest.param(cookies("JSESSIONID=one", "JSESSIONID=two"), Certainty.LIKELY, id="of the application, or by it"),
        pytest.param(cookies("io=one~S1"), Certainty.LIKELY, id="io with the name of a server before the id"),
    ],
)
def test_a_cookie_that_does_not_come_back_is_the_cause(talk: Talk, certainty: Certainty) -> None:
    assert talk.names() == ["affinity-cookie-lost + sid-unknown-sticky"]
    finding = talk.found("affinity-cookie-lost")
    assert finding is not None
    assert finding.certainty is certainty


@pytest.mark.parametrize(
    "talk",
    [
        pytest.param(cookies("io=S1; HttpOnly"), id="that of Engine.IO"),
        pytest.param(cookies("connect.sid=s%3Aabc", "connect.sid=s%3Axyz"), id="of the application"),
        pytest.param(cookies("lb=one", sent="lb=one"), id="that is sent back"),
    ],
)
def test_other_cookies_are_not(talk: Talk) -> None:
    assert talk.names() == ["sid-unknown-sticky"]


def test_values_of_cookies_are_not_shown() -> None:
    finding = cookies("lb=secret1", "lb=secret2").found("affinity-cookie-lost")
    assert finding is not None
    assert "secret" not in finding.summary + finding.title + "".join(item.text for item in finding.evidence)


# ---------------------------------------------------------------------- preflights

PREFLIGHT = "o#> OPTIONS EIO=4&transport=polling&sid=S#\n"


def test_a_preflight_that_gets_elsewhere_than_the_session() -> None:
    talk = played(repeated(POLL_OPEN + JOIN + PREFLIGHT + f"o#< {UNKNOWN}\n" + SERVED, [1]))
    assert talk.names() == ["preflight-not-sticky"]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([POLL_OPEN, PREFLIGHT + f"o#< {UNKNOWN}", REFUSED], ["sid-unknown-sticky"]),
        ([POLL_OPEN, JOIN, PREFLIGHT + "o#< 500", SERVED], []),
        ([POLL_OPEN, JOIN, PREFLIGHT + "o#< 204", SERVED], []),
        ([POLL_OPEN, JOIN, POST.format("41~1") + "b#< 200 ok", PREFLIGHT + f"o#< {UNKNOWN}"], []),
    ],
    ids=["nothing is sticky", "refused for another reason", "answered", "after the goodbye"],
)
def test_other_preflights(parts: list[str], expected: list[str]) -> None:
    assert once(*parts) == expected


# ---------------------------------------------------------------------- restarts, sleep


def test_a_restart_under_ten_clients_is_no_fault_of_a_balancer() -> None:
    before = "".join(opened(f"a{n}", 1, n) for n in range(10))
    waiting = "".join(f"a{n}> GET EIO=4&transport=polling&sid={sid(1, n)}\n" for n in range(10))
    restart = "+ 3\n" + "".join(f"a{n}< FIN\na{n}> FIN\n" for n in range(10)) + "+ 2\n"
    after = "".join(asked(f"b{n}", 1, n, UNKNOWN) + opened(f"b{n}", 2, n) for n in range(10))
    talk = Talk()
    for client in range(10):
        for connection in ("a", "b"):
            talk.connect(f"{connection}{client}", f"10.0.0.{20 + client}")
    talk.play(before + waiting + restart + after)
    (diagnosis,) = talk.diagnoses()
    assert diagnosis.finding.name == "server-died"
    # One a client, as nothing tells their library.
    findings = [finding for finding in diagnosis.consequences if finding.name == "sid-expired"]
    assert {finding.name for finding in diagnosis.consequences} == {"mass-close", "reconnect-storm", "sid-expired"}
    assert sum(finding.occurrences for finding in findings) == 10
    for finding in findings:
        assert (finding.severity, finding.certainty) == (Severity.INFO, Certainty.CERTAIN)
        assert finding.title.endswith("the server was restarted")


@pytest.mark.parametrize("gone", [POLL + "a#< 502\n", POLL + "+ 1\na#< RST\n", POST.format("3") + "b#< FIN\n"])
def test_a_request_that_the_server_did_not_live_to_answer(gone: str) -> None:
    finding = the_finding("sid-expired", POLL_OPEN, JOIN, SERVED, gone, SECOND_POLL + f"c#< {UNKNOWN}")
    assert finding.certainty is Certainty.LIKELY
    assert finding.title.endswith("the server was restarted")
    assert once(POLL_OPEN, JOIN, SERVED, gone, SECOND_POLL + f"c#< {UNKNOWN}") == ["sid-expired"]


def test_ids_that_begin_again_show_a_restart_that_no_request_met() -> None:
    script = (
        opened("a", 1, 4) + asked("a", 1, 4, "200 6") * 12 + asked("a", 1, 4, UNKNOWN) + "+ 2\n" + opened("a", 2, 0)
    )
    talk = played(script)
    assert talk.names() == ["sid-expired"]


def test_a_client_that_wakes_up_is_an_info_and_one_that_insists_a_warning() -> None:
    wakes = [POLL_OPEN, JOIN, 'a#> GET EIO=4&transport=polling&sid=S#\na#< 200 40{"sid":"x"}\n+ 60\n', REFUSED]
    goodbye = POST.format("1") + f"b#< {UNKNOWN}"
    assert the_finding("sid-expired", *wakes, goodbye).severity is Severity.INFO
    insists = the_finding("sid-expired", *wakes, REFUSED, REFUSED, REFUSED)
    assert insists.severity is Severity.WARNING
    assert "asks 3 times more with the old id" in insists.summary
    # What is to be mended then is the client.
    assert insists.title == "The client goes on with a session that is over: the client was silent for too long"
    assert "open a new session" in insists.fix[0]


def test_a_goodbye_that_is_refused_after_sleep() -> None:
    assert once(POLL_OPEN, JOIN, SERVED, "+ 60\n" + POST.format("1") + f"b#< {UNKNOWN}") == ["sid-expired"]


@pytest.mark.parametrize(
    "parts",
    [
        [POLL_OPEN, JOIN, SERVED, POST.format("41~1") + "b#< 200 ok", "+ 60\n" + REFUSED],
        [POLL_OPEN, JOIN, POLL, "+ 20\na#< 200 1\n+ 60\n" + REFUSED],
    ],
    ids=["the client's goodbye", "the server's"],
)
def test_nothing_is_said_of_a_session_that_was_closed(parts: list[str]) -> None:
    assert once(*parts) == []


def test_python_says_it_in_its_own_words() -> None:
    for said in ('"Invalid session S1"', '"Session is disconnected S1"'):
        assert once(POLL_OPEN, JOIN, SERVED, "+ 60\n" + POLL + f"a#< 400 {said}") == ["sid-expired"]


# ---------------------------------------------------------------------- requests that overlap, or are cut


@pytest.mark.parametrize("status", [400, 500])
def test_overlapping_polls_that_loop_are_one_diagnosis(status: int) -> None:
    script = POLL_OPEN + JOIN + POLL + "+ 0.3\n" + SECOND_POLL + f"c#< {status}\na#< 200 1\n+ 2\n"
    assert played(repeated(script, range(5))).names() == ["poll-overlap + connect-loop"]


@pytest.mark.parametrize(
    "parts",
    [
        [POLL, "+ 0.3\n" + SECOND_POLL + "+ 1\na#< 200 6\nc#< 200 6"],
        [POLL, "w#> WS EIO=4&transport=websocket&sid=S#\nw#< 101\nw#> 2probe\nw#< 3probe\na#< 200 6\nw#> 5"],
        [POLL, POST.format('42["a"]') + "b#< 200 ok\na#< 200 6"],
    ],
    ids=["the server takes both", "an upgrade", "a POST beside a poll"],
)
def test_what_may_overlap_a_poll(parts: list[str]) -> None:
    assert once(POLL_OPEN, JOIN + 'a#> GET EIO=4&transport=polling&sid=S#\na#< 200 40{"sid":"x"}', *parts) == []


def test_a_poll_is_cut_after_the_same_time_and_the_client_opens_again() -> None:
    """As the Java client did with OkHttp, and the JavaScript one does with requestTimeout."""
    script = POLL_OPEN + JOIN + POLL + "+ 10\na#> FIN\na#< FIN\n" + POST.format("1") + "b#< 200 ok\n+ 1\n"
    talk = played(repeated(script, range(4)))
    assert talk.names()[0].startswith("poll-cut-by-client")
    finding = talk.found("poll-cut-by-client")
    assert finding is not None
    assert finding.occurrences == 4
    assert "after 10.0 s" in finding.title


def test_polls_that_are_cut_in_turn_without_more_are_a_likely_case() -> None:
    cut = "+ 5\na#> FIN\n", "c#> GET EIO=4&transport=polling&sid=S#\n+ 5\nc#> FIN\n"
    finding = the_finding(
        "poll-cut-by-client", POLL_OPEN, JOIN, POLL, *cut, "b#> POST EIO=4&transport=polling&sid=S# 3"
    )
    assert finding.certainty is Certainty.LIKELY


@pytest.mark.parametrize(
    "parts",
    [
        [POLL, "+ 10\na#> FIN"],
        [POLL, "+ 10\na#> FIN\n" + POST.format("41~1") + f"b#< {UNKNOWN}"],
        [POLL, "+ 0.1\na#> FIN\n" + POST.format("1") + f"b#< {UNKNOWN}"],
        [POLL, "+ 10\n" + POST.format("41~1") + "b#< 200 ok\na#> FIN"],
        [POLL, "+ 5\na#< 200 6\na#> FIN"],
    ],
    ids=["the program ends", "its cut overtakes its goodbye", "an engine that leaves", "goodbye first", "answered"],
)
def test_a_client_that_leaves_may_cut_its_poll(parts: list[str]) -> None:
    assert once(POLL_OPEN, JOIN + 'a#> GET EIO=4&transport=polling&sid=S#\na#< 200 40{"sid":"x"}', *parts) == []


def test_a_server_that_is_late_itself_is_to_blame() -> None:
    parts = [POLL_OPEN, JOIN, 'a#> GET EIO=4&transport=polling&sid=S#\na#< 200 40{"sid":"x"}', POLL, "+ 45\na#> FIN"]
    assert not any("poll-cut-by-client" in name for name in once(*parts))


def test_a_post_that_overlaps_a_slow_one() -> None:
    talk = played(repeated(POLL_OPEN + JOIN, [1]))
    assert talk.names() == []
    talk = Talk()
    talk.connect("s1", headers="Content-Length: 20\r\n")
    slow = "s#> POST EIO=4&transport=polling&sid=S#\n"  # ten bytes of its body are still to come
    script = POLL_OPEN + JOIN + slow + "+ 0.2\n" + POST.format("3") + "b#< 400\ns#< FIN\ns#> FIN\n" + REFUSED
    talk.play(repeated(script, [1]))
    assert talk.names() == ["post-overlap"]
    finding = talk.found("post-overlap")
    assert finding is not None
    assert [item.packet for item in finding.evidence] == [5, 6, 7, 11]
