"""The rules about polling bodies, sizes and dead session ids: one cause each, and what only looks like one."""

import pytest

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.peers import Identity
from tests.unit.decode.talk_sessions import Talk, played, repeated

OPEN = "w#> WS EIO=4&transport=websocket\nw#< 101\nw#< open:S#\n"
JOIN = 'w#> 40\nw#< 40{"sid":"x"}\n'
HUNG_UP = "w#< FIN\nw#> FIN\n"
POLL_OPEN = "a#> GET EIO=4&transport=polling\na#< 200 open:S#\n"
# A server that says nothing of what it takes.
POLL_OPEN_OLD = 'a#> GET EIO=4&transport=polling\na#< 200 0{"sid":"S#","pingInterval":25000,"pingTimeout":20000}\n'
JOINED = (
    "b#> POST EIO=4&transport=polling&sid=S# 40\nb#< 200 ok\n"
    'a#> GET EIO=4&transport=polling&sid=S#\na#< 200 40{"sid":"x"}\n'
)
POLL = "a#> GET EIO=4&transport=polling&sid=S#\n"
ASKS = "b#> POST EIO=4&transport=polling&sid=S# "
UNKNOWN = '400 {"code":1,"message":"Session ID unknown"}'
NEXT = f"c#> GET EIO=4&transport=polling&sid=S#\nc#< {UNKNOWN}\n"
LARGE = '42["x","' + "x" * 2000 + '"]'
HUGE = '42["x","' + "x" * 1_100_000 + '"]'
MANY = "~".join(f'42{number}["x"]' for number in range(20))
SILENT = "~".join('42["x"]' for _ in range(20))


def once(*parts: str) -> list[str]:
    return played(repeated("\n".join(parts), [1])).names()


def talk_of(*parts: str) -> Talk:
    return played(repeated("\n".join(parts), [1]))


def named(found: list[str], *names: str) -> bool:
    """Whether these are findings, as causes or consequences."""
    all_names = {name for line in found for name in line.split(" + ")}
    return set(names) <= all_names


TOO_LARGE = [
    pytest.param([OPEN, JOIN, f"w#> {LARGE}\nw#< close 1009\n{HUNG_UP}"], id="WebSocket, 1009"),
    pytest.param([OPEN, JOIN, f'w#> part 9000 42["x\nw#< close 1009\n{HUNG_UP}'], id="WebSocket, 1009 in the middle"),
    pytest.param([OPEN, JOIN, f"w#< close 1009\n{HUNG_UP}"], id="WebSocket, 1009 and nothing of the message"),
    pytest.param([POLL_OPEN, JOINED, f"{ASKS}{LARGE}\nb#< 413"], id="polling, 413"),
    pytest.param([POLL_OPEN, JOINED, f"{ASKS}{HUGE}\nb#< 413"], id="polling, 413, larger than maxPayload"),
    pytest.param([POLL_OPEN, JOINED, f'{ASKS}{HUGE}\nb#< 400 "Bad Request"'], id="polling, python"),
    pytest.param([POLL_OPEN_OLD, JOINED, f'{ASKS}{HUGE}\nb#< 400 "Bad Request"'], id="polling, python, no maxPayload"),
    pytest.param([POLL_OPEN_OLD, JOINED, f"{ASKS}{LARGE}\nb#< FIN\nb#> FIN\n{NEXT}"], id="polling, FIN"),
    pytest.param([POLL_OPEN_OLD, JOINED, f"{ASKS}cut:9000 42[\nb#< RST\n{NEXT}"], id="polling, RST in the middle"),
]


@pytest.mark.parametrize("parts", TOO_LARGE)
def test_a_message_that_is_too_large_is_the_cause(parts: list[str]) -> None:
    (diagnosis,) = talk_of(*parts).diagnoses()
    assert diagnosis.finding.name == "payload-too-large"
    assert diagnosis.finding.severity is Severity.ERROR


@pytest.mark.parametrize("parts", TOO_LARGE)
def test_a_client_that_sends_it_again_each_time_is_one_diagnosis(parts: list[str]) -> None:
    found = played(repeated("\n".join([*parts, "+ 2"]), range(5))).names()
    (line,) = found
    assert line.startswith("payload-too-large + ")
    assert "connect-loop" in line


NOT_TOO_LARGE = [
    pytest.param([OPEN, JOIN, f"w#> {LARGE}\nw#> 41\nw#> close 1000\n{HUNG_UP}"], id="it was taken"),
    pytest.param([OPEN, JOIN, f"w#> {LARGE}\nw#< close 1008\n{HUNG_UP}"], id="another code"),
    pytest.param([OPEN, JOIN, f"w#< {LARGE}\nw#> close 1009\n{HUNG_UP}"], id="the client closes"),
    pytest.param([POLL_OPEN, JOINED, f'{ASKS}{LARGE}\nb#< 400 "Bad Request"'], id="python, for another reason"),
    pytest.param([POLL_OPEN_OLD, JOINED, f'{ASKS}{LARGE}\nb#< 400 "Bad Request"'], id="python, size unknown to matter"),
    pytest.param([POLL_OPEN_OLD, JOINED, f"{ASKS}{LARGE}\nb#< FIN\nb#> FIN"], id="the server has died, perhaps"),
    pytest.param([POLL_OPEN_OLD, JOINED, f"{ASKS}{LARGE}\nb#> FIN\nb#< FIN\n{NEXT}"], id="the client cut it"),
    pytest.param([POLL_OPEN, JOINED, f"{ASKS}{LARGE}\nb#< 413 <html><h1>Too Large</h1></html>"], id="of a proxy"),
]


@pytest.mark.parametrize("parts", NOT_TOO_LARGE)
def test_what_is_not_too_large_for_the_server(parts: list[str]) -> None:
    assert not named(once(*parts), "payload-too-large")


@pytest.mark.parametrize(("body", "certainty"), [(HUGE, Certainty.LIKELY), (LARGE, Certainty.POSSIBLE)])
def test_an_end_without_an_answer_is_not_certain(body: str, certainty: Certainty) -> None:
    finding = talk_of(POLL_OPEN_OLD, JOINED, f"{ASKS}{body}\nb#< FIN\nb#> FIN\n{NEXT}").found("payload-too-large")
    assert finding is not None
    assert finding.certainty is certainty
    assert "does not say how much it takes" in finding.summary


def test_a_message_that_was_taken_was_not_too_large() -> None:
    finding = talk_of(OPEN, JOIN, f'w#> {LARGE}\n+ 5\nw#> 42["x"]\nw#< close 1009\n{HUNG_UP}').found(
        "payload-too-large"
    )
    assert finding is not None
    assert "more than it takes" in finding.title


def test_a_limit_that_is_lower_than_announced_is_somebody_elses() -> None:
    finding = talk_of(OPEN, JOIN, f"w#> {LARGE}\nw#< close 1009\n{HUNG_UP}").found("payload-too-large")
    assert finding is not None
    assert "announces 1.0 MB (maxPayload), but something in it or in front of it takes less" in finding.summary


def test_a_proxy_that_refuses_a_post_is_the_cause() -> None:
    page = "413 <html><head><title>413 Request Entity Too Large</title></head><center>nginx</center></html>"
    found = played(repeated(f"{POLL_OPEN}{JOINED}{ASKS}{LARGE}\nb#< {page}\n+ 2", range(4))).names()
    assert found == ["proxy-body-limit + connect-loop"]


def test_a_client_for_which_a_message_is_too_large_is_the_cause() -> None:
    found = played(repeated(f"{OPEN}{JOIN}w#< {LARGE}\nw#> close 1009\n{HUNG_UP}+ 0.5", range(5))).names()
    assert found == ["mcu-frame-too-large + connect-loop + no-backoff"]


@pytest.mark.parametrize(
    ("message", "pause", "expected"),
    [(LARGE, 0.1, ["mcu-frame-too-large"]), (LARGE, 5, []), ("42[]", 0.1, [])],
    ids=["behind a large message", "long after it", "behind a small one"],
)
def test_a_client_without_memory_closes_with_1011(message: str, pause: float, expected: list[str]) -> None:
    found = once(OPEN, JOIN, f"w#< {message}\n+ {pause}\nw#> close 1011\n{HUNG_UP}")
    assert [name for name in found if name == "mcu-frame-too-large"] == expected


def test_many_packets_that_are_too_large_together() -> None:
    body = "~".join(['42["x","' + "x" * 300_000 + '"]'] * 5)
    finding = talk_of(POLL_OPEN, JOINED, f"{ASKS}{body}\nb#< 413").found("maxpayload-ignored")
    assert finding is not None
    assert "In 2 POSTs they would have been taken" in finding.summary
    assert once(POLL_OPEN, JOINED, f"{ASKS}{body}\nb#< 413") == ["maxpayload-ignored"]
    assert not once(POLL_OPEN, JOINED, f"{ASKS}{body}\nb#< 200 ok"), "a server that takes it all the same"


CROWDS = [
    pytest.param(f"{ASKS}{MANY}\nb#< 200 OK\n+ 2\n{POLL}a#< 200 6", ["python-16-packets"], id="no acknowledgement"),
    pytest.param(f"{ASKS}{SILENT}\nb#< 200 OK\n+ 2\n{POLL}a#< 200 6", ["python-16-packets"], id="nothing is asked"),
    pytest.param(f"{ASKS}{MANY}\nb#< 200 OK\n{POLL}a#< 200 430[]", [], id="some are acknowledged"),
    pytest.param(f"{ASKS}{MANY}\nb#< 200 ok\n+ 2\n{POLL}a#< 200 6", [], id="a server of Node"),
    pytest.param(
        f"{ASKS}{MANY}\nb#< 200 OK\n{POLL}a#< 200 430[]\n{ASKS}{SILENT}\nb#< 200 OK", [], id="the limit was raised"
    ),
]


@pytest.mark.parametrize(("script", "expected"), CROWDS)
def test_many_packets_for_a_server_of_python(script: str, expected: list[str]) -> None:
    assert once(POLL_OPEN, JOINED.replace("ok", "OK") if "OK" in script else JOINED, script) == expected


@pytest.mark.parametrize(("body", "certainty"), [(MANY, Certainty.CERTAIN), (SILENT, Certainty.LIKELY)])
def test_what_is_dropped_without_a_sign_is_only_likely(body: str, certainty: Certainty) -> None:
    talk = talk_of(POLL_OPEN, JOINED.replace("ok", "OK"), f"{ASKS}{body}\nb#< 200 OK\n+ 2\n{POLL}a#< 200 6")
    finding = talk.found("python-16-packets")
    assert finding is not None
    assert finding.certainty is certainty


@pytest.mark.parametrize(("then", "found"), [("+ 2", True), (f"{POLL}a#< 200 6", False)], ids=["gives up", "goes on"])
def test_many_packets_for_a_client_of_python(then: str, found: bool) -> None:
    talk = talk_of(POLL_OPEN, JOINED, f"{POLL}a#< 200 {SILENT}\nc#> FIN\n{then}\nc#< FIN")
    talk.session.client.identity = Identity("python-socketio-client", "python-socketio client")
    talk.session.observed_until_ns = talk.now
    assert (talk.found("python-16-packets") is not None) == found


BODIES = [
    pytest.param([f"{ASKS}2:40\nb#< 200 ok", NEXT], "v3-payload-to-v4", id="lengths where none belong"),
    pytest.param([JOINED, f'{ASKS}42["x","a~b"]\nb#< 200 ok', NEXT], "separator-in-data", id="a separator in a text"),
]


@pytest.mark.parametrize(("parts", "expected"), BODIES)
def test_a_body_that_ends_the_session_is_the_cause(parts: list[str], expected: str) -> None:
    assert once(POLL_OPEN, *parts) == [expected]
    looped = played(repeated("\n".join([POLL_OPEN, *parts, "+ 2"]), range(5))).names()
    assert looped == [f"{expected} + connect-loop"]


def test_wrong_lengths_end_a_session_of_revision_3() -> None:
    opened = "a#> GET EIO=3&transport=polling\na#< 200 open3:S#\n"
    post = 'b#> POST EIO=3&transport=polling&sid=S# 18:42["hello","\U0001f600"]\nb#< 200 ok\n'
    refused = NEXT.replace("EIO=4", "EIO=3")
    assert once(opened, post, refused) == ["v3-length-mismatch"]
    harmless = talk_of(opened, post, "c#> GET EIO=3&transport=polling&sid=S#\nc#< 200 1:3").found("v3-length-mismatch")
    assert harmless is not None
    assert harmless.severity is Severity.INFO


@pytest.mark.parametrize(
    ("eio", "answer", "expected"),
    [
        ("4", "b< 400\n+ 2", True),
        ("4", f"+ 2\nc> GET EIO=4&transport=polling&sid=S\nc< {UNKNOWN}", True),
        ("4", "b< 200 OK", False),
        ("4", 'b< 400 "Bad Request"', False),
        ("3", "b< 400\n+ 2", False),
    ],
    ids=["refused", "never answered", "taken", "refused for something else", "revision 3"],
)
def test_a_post_of_bytes(eio: str, answer: str, expected: bool) -> None:
    talk = Talk()
    talk.play(f"a> GET EIO={eio}&transport=polling\na< 200 open{'3' if eio == '3' else ''}:S")
    talk.connect("b", headers="Content-Type: application/octet-stream\r\n")
    talk.play(f"b> POST EIO={eio}&transport=polling&sid=S {'2:40' if eio == '3' else '40'}\n{answer}")
    assert (talk.close().found("octet-stream-post-eio4") is not None) == expected


OCTETS = "Content-Type: application/octet-stream\r\n"
ASKS_BYTES = "POST EIO=4&transport=polling&sid=S"


def posts_bytes(script: str) -> Talk:
    talk = Talk()
    talk.connect("b", headers=OCTETS)
    talk.connect("c", headers=OCTETS)
    return talk.play(f"a> GET EIO=4&transport=polling\na< 200 open:S\n{script}").close()


@pytest.mark.parametrize(
    ("end", "certainty"),
    [
        ("+ 1.2", Certainty.POSSIBLE),
        (f"+ 1.2\na> GET EIO=4&transport=polling&sid=S\na< {UNKNOWN}", Certainty.CERTAIN),
    ],
    ids=["slow, or not", "over"],
)
def test_a_post_of_bytes_without_an_answer(end: str, certainty: Certainty) -> None:
    finding = posts_bytes(f"b> {ASKS_BYTES} 40\n{end}").found("octet-stream-post-eio4")
    assert finding is not None
    assert finding.certainty is certainty


def test_a_server_that_dies_over_a_post_of_bytes() -> None:
    died = f"b> {ASKS_BYTES} 40\n+ 0.2\nb< RST\n+ 1.2\na> GET EIO=4&transport=polling&sid=S\na< {UNKNOWN}"
    assert posts_bytes(died).names() == ["sid-expired"]


def test_a_server_that_takes_bytes_refuses_a_second_post_for_another_reason() -> None:
    overlap = f'b> {ASKS_BYTES} cut:5000 42["x\nc> {ASKS_BYTES} 42["y"]\nc< 400'
    found = posts_bytes(f"b> {ASKS_BYTES} 40\nb< 200 ok\n{overlap}\n+ 2").names()
    assert named(found, "post-overlap")
    assert not named(found, "octet-stream-post-eio4")


def test_jsonp_is_no_fault() -> None:
    finding = talk_of("a#> GET EIO=3&transport=polling&j=0\na#< 200 open3:S#").found("jsonp-in-use")
    assert finding is not None
    assert finding.severity is Severity.INFO


LEFT = f"{POLL_OPEN}{JOINED}{ASKS}1\nb#< 200 ok\n"
CLOSED = f"{POLL_OPEN}{JOINED}{POLL}a#< 200 1\n"
LATER = f"+ 2\n{NEXT}"


@pytest.mark.parametrize("end", [LEFT, CLOSED], ids=["the client leaves", "the server closes"])
@pytest.mark.parametrize(
    ("after", "expected"),
    [(LATER * 2, True), (LATER, False), (NEXT * 3, False)],
    ids=["goes on", "asks once", "was on its way"],
)
def test_a_session_that_is_over(end: str, after: str, expected: bool) -> None:
    found = once(end, after)
    assert named(found, "sid-reused") == expected
    assert not named(found, "sid-unknown-sticky")


@pytest.mark.parametrize(
    ("parts", "cause"),
    [
        ([JOINED, POLL, f"{ASKS}2\nb#< 200 ok\na#< 200 1"], "client-ping-in-eio4"),
        ([JOINED, POLL, f"{ASKS}zzz\nb#< 200 ok\na#< 200 1"], "engineio-syntax"),
        ([JOINED, POLL, "+ 0.5\nd#> GET EIO=4&transport=polling&sid=S#\nd#< 400\na#< 200 1"], "poll-overlap"),
        ([POLL, f"{ASKS}2:40\nb#< 200 ok\na#< 200 1"], "v3-payload-to-v4"),
    ],
)
def test_what_ended_the_session_comes_before_that_the_client_goes_on_with_it(parts: list[str], cause: str) -> None:
    assert once(POLL_OPEN, *parts, LATER * 3) == [f"{cause} + sid-reused"]


def test_requests_of_a_session_that_nobody_saw() -> None:
    insists = talk_of(LATER * 4).found("sid-unknown")
    assert insists is not None
    assert (insists.severity, insists.occurrences) == (Severity.ERROR, 4)
    once_only = talk_of(LATER, POLL_OPEN, JOINED).found("sid-unknown")
    assert once_only is not None
    assert once_only.severity is Severity.INFO


def test_a_session_that_began_before_the_capture_and_is_forgotten() -> None:
    finding = talk_of(f"{POLL}a#< 200 2\n", LATER).found("sid-unknown")
    assert finding is not None
    assert finding.severity is Severity.INFO


@pytest.mark.parametrize("answer", ["404", "502", '400 {"code":3,"message":"Bad request"}'])
def test_other_refusals_of_unknown_sessions_are_none(answer: str) -> None:
    assert not named(once(f"c#> GET EIO=4&transport=polling&sid=S#\nc#< {answer}"), "sid-unknown")


UNUSED = "a#> GET EIO=4&transport=polling\na#< 200 open:S#\n"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (f"{UNUSED}+ 0.5", ["session-unused + connect-loop + no-backoff"]),
        (f"{UNUSED}+ 30", []),
        (f"{UNUSED}{JOINED}+ 0.5", None),
        ("a#> GET EIO=4&transport=polling\na#< 200 open3:S#\n+ 2", ["eio4-client-on-v2-server + connect-loop"]),
    ],
    ids=["comes back at once", "a monitor", "uses it", "another revision"],
)
def test_sessions_that_nobody_uses(script: str, expected: list[str] | None) -> None:
    found = played(repeated(script, range(6))).names()
    if expected is None:
        assert not named(found, "session-unused")
    else:
        assert found == expected


def test_a_monitor_that_says_so() -> None:
    talk = Talk()
    for number in range(6):
        talk.connect(f"a{number}", agent="kube-probe/1.27")
        talk.play(repeated(f"{UNUSED}+ 5", [number]))
    (diagnosis,) = talk.close().diagnoses()
    assert (diagnosis.finding.name, diagnosis.finding.severity) == ("session-unused", Severity.WARNING)
    assert "only checks whether the server is there" in diagnosis.finding.summary


def test_a_page_of_another_origin_may_not_read_the_answer() -> None:
    talk = Talk()
    for number in range(6):
        talk.connect(f"a{number}", headers="Origin: http://elsewhere.example\r\n")
        talk.play(repeated(f"{UNUSED}+ 0.5", [number]))
    assert not named(talk.close().names(), "session-unused")
