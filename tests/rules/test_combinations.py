"""Several rules together: one cause with its consequences, and nothing on healthy traffic that looks sick.

The conversations are written down (see `tests/unit/decode/talk_sessions.py`), so that each trap of the catalogue that
no recording has is here too.
"""

import pytest

from eiosniff.model.finding import Certainty, Severity
from tests.unit.decode.talk_sessions import Talk, played, repeated

OPEN = "w#> WS EIO=4&transport=websocket\nw#< 101\nw#< open:S#\n"
JOIN = 'w#> 40\nw#< 40{"sid":"x"}\n'
BEAT = "+ 25\nw#< 2\nw#> 3\n"
HUNG_UP = "w#< close\nw#< FIN\nw#> FIN\n"
POLL_OPEN = "a#> GET EIO=4&transport=polling\na#< 200 open:S#\n"
POLL = "a#> GET EIO=4&transport=polling&sid=S#\n"
POST = "b#> POST EIO=4&transport=polling&sid=S# {}\nb#< 200 ok\n"
UNSUPPORTED = '400 {"code":5,"message":"Unsupported protocol version"}'
UNKNOWN = '400 {"code":1,"message":"Session ID unknown"}'
LOST = "+ 1\n"


def once(*parts: str) -> list[str]:
    return played(repeated("\n".join(parts), [1])).names()


def times(count: int, *parts: str) -> list[str]:
    """What is found, whether sessions are kept to the end or let go as soon as they are over."""
    script = repeated("\n".join(parts), range(count))
    names = played(script).names()
    assert played(script, most=1).names() == names
    return names


LOOPS = [
    pytest.param(
        ["a#> GET EIO=3&transport=polling", f"a#< {UNSUPPORTED}", "+ 2"],
        ["eio-unsupported-polling + connect-loop"],
        id="old client, polling",
    ),
    pytest.param(
        ["w#> WS EIO=3&transport=websocket\nw#< 101\nw#< HTTP 400 Unsupported protocol version\nw#< FIN\nw#> FIN\n+ 2"],
        ["eio-unsupported-ws + connect-loop"],
        id="old client, WebSocket",
    ),
    pytest.param(
        ["w#> WS EIO=3&transport=websocket\nw#< 101\n+ 20\nw#> close\nw#> FIN\nw#< FIN\n+ 2"],
        ["eio-unsupported-ws + connect-loop"],
        id="old client, silence",
    ),
    pytest.param(
        [
            "a#> GET EIO=3&transport=polling",
            f"a#< {UNSUPPORTED}",
            "w#> WS EIO=3&transport=websocket",
            "w#< 101",
            "w#< HTTP 400 Unsupported protocol version\nw#< FIN\nw#> FIN\n+ 2",
        ],
        ["eio-unsupported-polling + connect-loop + eio-unsupported-ws"],
        id="old client, both transports",
    ),
    pytest.param(
        ["a#> GET transport=polling", f"a#< {UNSUPPORTED}", "+ 0.5"],
        ["eio-unsupported-polling + connect-loop + eio-missing + no-backoff"],
        id="no EIO, no back-off",
    ),
    pytest.param(
        ["a#> GET EIO=4&transport=polling", "a#< 200 open3:S#", "+ 1"],
        ["eio4-client-on-v2-server + connect-loop"],
        id="new client at an old server",
    ),
    pytest.param(
        ["a#> GET EIO=3&transport=polling", "a#< 200 open:S#", "+ 2"],
        ["eio3-client-on-3.0-server + connect-loop"],
        id="old client at socket.io 3.0",
    ),
    pytest.param(
        [OPEN, JOIN, "+ 20", "w#> 2", HUNG_UP, "+ 0.5"],
        ["client-ping-in-eio4 + connect-loop + no-backoff"],
        id="client pings",
    ),
    pytest.param(
        [OPEN, "+ 20", "w#> 2", HUNG_UP, "+ 0.5"],
        ["client-ping-in-eio4 + connect-loop + no-connect-packet + no-backoff"],
        id="client pings and never joins",
    ),
    pytest.param(
        ["a#> GET transport=polling\na#< 200 open:S#", POST.format("40"), POLL, POST.format("2"), "a#< 200 1", "+ 2"],
        ["client-ping-in-eio4 + connect-loop + eio-missing"],
        id="client pings, without EIO",
    ),
    pytest.param(
        [OPEN, 'w#> 40\nw#> 42["a"]', HUNG_UP, "+ 2"],
        ["event-before-connect + connect-loop"],
        id="early event",
    ),
    pytest.param(
        [OPEN, "w#> Connected", HUNG_UP, "+ 2"],
        ["plain-websocket-client + connect-loop"],
        id="plain client",
    ),
    pytest.param(
        [OPEN, JOIN, "w#> 9odd", HUNG_UP, "+ 2"],
        ["engineio-syntax + connect-loop"],
        id="odd packet",
    ),
    pytest.param(
        ["w#> WS EIO=4&transport=websocket", "w#< 101", 'w#< {"hello":1}', "w#> FIN\nw#< FIN\n+ 2"],
        ["plain-websocket-server + connect-loop"],
        id="plain server",
    ),
    pytest.param(
        ["w#> WS transport=websocket", "w#< 101", "w#< hello", "w#> FIN\nw#< FIN\n+ 2"],
        ["plain-websocket-server + connect-loop + eio-missing"],
        id="plain server, no EIO",
    ),
    pytest.param(
        [POLL_OPEN, POLL + f"a#< {UNKNOWN}\n+ 2"],
        ["sid-unknown-sticky + connect-loop"],
        id="sticky sessions missing",
    ),
    pytest.param(
        [OPEN, 'w#> 40\nw#< 44{"message":"jwt expired"}\nw#> close\nw#> FIN\nw#< FIN\n+ 2'],
        ["connect-error-auth + connect-loop"],
        id="refused by the application",
    ),
    pytest.param(
        ["a#> GET EIO=4&transport=flashsocket", 'a#< 400 {"code":0,"message":"Transport unknown"}', "+ 2"],
        ["transport-unknown + connect-loop"],
        id="unknown transport",
    ),
    pytest.param([OPEN, JOIN, HUNG_UP, "+ 2"], ["connect-loop"], id="no cause to be seen"),
]


@pytest.mark.parametrize(("parts", "expected"), LOOPS)
def test_a_fault_that_loops_is_one_diagnosis(parts: list[str], expected: list[str]) -> None:
    found = times(5, *parts)
    assert [sorted(name.split(" + ")) for name in found] == [sorted(name.split(" + ")) for name in expected]
    assert found[0].split(" + ")[0] == expected[0].split(" + ")[0]


ONE_SESSION = [
    pytest.param([OPEN, "+ 25\nw#< 2\n+ 20", HUNG_UP], ["pong-missing + no-connect-packet"], id="says nothing at all"),
    pytest.param([OPEN, JOIN, "+ 25\nw#< 2\n+ 20", HUNG_UP], ["pong-missing"], id="frozen, closed"),
    pytest.param([OPEN, JOIN, "+ 25\nw#< 2\n+ 200"], ["pong-missing"], id="frozen, not closed"),
    pytest.param([OPEN, JOIN, "+ 25\nw#< 2\n+ 25\nw#< 2\n+ 10"], ["pong-missing"], id="frozen, pinged on"),
    pytest.param([OPEN, "+ 45", HUNG_UP], ["no-connect-packet"], id="never joins, closed"),
    pytest.param([OPEN, BEAT, BEAT], ["no-connect-packet"], id="never joins, not closed"),
    pytest.param([OPEN, JOIN, "+ 20\nw#> 2\n" + BEAT], ["client-ping-in-eio4"], id="client ping is ignored"),
    pytest.param([POLL_OPEN, POST.format("40"), POLL, POST.format("2"), "a#< 200 1"], ["client-ping-in-eio4"],
                 id="client ping over polling"),
    pytest.param([OPEN, 'w#> 42["a"]', BEAT], ["event-before-connect"], id="early event is ignored"),
    pytest.param([OPEN, "w#> hello\nw#> hello", BEAT], ["plain-websocket-client"], id="plain client is ignored"),
    pytest.param([OPEN, JOIN, "w#> zzz", BEAT], ["engineio-syntax"], id="odd packet is ignored"),
    pytest.param([OPEN, JOIN, BEAT, "+ 45\nw#> close"], ["ping-missing"], id="server frozen, client gives up"),
    pytest.param([OPEN, JOIN, BEAT, "+ 31\nw#> FIN"], ["ping-missing"], id="server frozen, python client gives up"),
    pytest.param([OPEN, JOIN, BEAT, "+ 60"], ["ping-missing"], id="server frozen, not closed"),
    pytest.param(["w#> WS EIO=4&transport=websocket\nw#< 101\nw#< open:S#\nw#< 40\n+ 45", HUNG_UP],
                 ["eio4-client-on-v2-server + eio3-no-client-ping"], id="both wait for the other's ping"),
    pytest.param(["w#> WS EIO=3&transport=websocket\nw#< 101\nw#< open:S#\nw#< 40\n+ 45", HUNG_UP],
                 ["eio3-no-client-ping"], id="old client does not ping"),
    pytest.param(["w#> WS EIO=3&transport=websocket\nw#< 101\nw#< open:S#\n+ 25\nw#> 2\nw#< 2\n+ 20", HUNG_UP],
                 ["eio3-client-on-3.0-server + client-ping-in-eio4 + pong-missing"],
                 id="old client at socket.io 3.0"),
    pytest.param([POLL_OPEN, POLL, f"a#< {UNKNOWN}", POLL, 'a#< 200 40{"sid":"x"}'], ["sid-unknown-sticky"],
                 id="every second request gets there"),
    pytest.param([POLL_OPEN, POST.format("40"), POLL, "+ 25\na#< 200 2\n+ 22\n" + POLL, f"a#< {UNKNOWN}"],
                 ["pong-missing + sid-expired"], id="asleep until the ping had timed out"),
    pytest.param([POLL_OPEN, POST.format("40"), POLL, 'a#< 200 40{"sid":"x"}\n+ 60\n' + POLL, f"a#< {UNKNOWN}"],
                 ["sid-expired"], id="a sid that is asked for after sleep"),
    pytest.param([POLL_OPEN, "w#> WS EIO=4&transport=websocket&sid=S#\nw#< 400 Session ID unknown"],
                 ["sid-unknown-sticky"], id="the upgrade gets to the other server"),
    pytest.param(["w#> WS EIO=3&transport=websocket\nw#< 101\nw#< close 1000 Unsupported protocol version\nw#< FIN"],
                 ["eio-unsupported-ws"], id="the reason is in the close frame"),
    pytest.param(["w#> WS EIO=3&transport=websocket\nw#< 400 Unsupported protocol version"], ["eio-unsupported-ws"],
                 id="the upgrade is refused"),
    pytest.param(["w#> WS EIO=4&transport=websocket\nw#< 101\n+ 20\nw#> close\nw#> FIN\nw#< FIN"],
                 ["plain-websocket-server"], id="a server that says nothing"),
    pytest.param(["a#> GET EIO=4&transport=polling\na#< 400 \"The client is using an unsupported version of the "
                  "Socket.IO or Engine.IO protocols\""], ["eio-unsupported-polling"], id="python-socketio 4"),
]  # fmt: skip


@pytest.mark.parametrize(("parts", "expected"), ONE_SESSION)
def test_one_session_with_a_fault(parts: list[str], expected: list[str]) -> None:
    found = once(*parts)
    assert [sorted(name.split(" + ")) for name in found] == [sorted(name.split(" + ")) for name in expected]
    assert found[0].split(" + ")[0] == expected[0].split(" + ")[0]


HEALTHY = {
    "a poll that hangs": [POLL_OPEN, POST.format("40"), POLL, "+ 25\na#< 200 2", POST.format("3"), POLL, "+ 20"],
    "a poll that is answered with noop": [POLL_OPEN, POST.format("40"), POLL, "a#< 200 6"],
    "the first poll is cut short at the upgrade": [
        POLL_OPEN, POST.format("40"), POLL, "w#> WS EIO=4&transport=websocket&sid=S#\nw#< 101\nw#> 2probe\nw#< 3probe",
        "a#< 200 6\nw#> 5", BEAT,
    ],
    "no WebSocket through the proxy": [
        POLL_OPEN, POST.format("40"), "w#> WS EIO=4&transport=websocket&sid=S#\nw#< 400 Bad request", POLL,
        "+ 25\na#< 200 2", POST.format("3"),
    ],
    "a pong that nobody asked for": [OPEN, JOIN, "w#> 3", BEAT, BEAT],
    "noop as the first frame after the upgrade": [
        POLL_OPEN, POST.format("40"), "w#> WS EIO=4&transport=websocket&sid=S#\nw#< 101\nw#> 2probe\nw#> 5\nw#< 3probe",
        "w#< 6", BEAT,
    ],
    "1 as the whole body, at an orderly close": [POLL_OPEN, POST.format("40"), POLL, POST.format("41~1"), "a#< 200 1"],
    "400 as the last answer, at an orderly close": [
        POLL_OPEN, POST.format("40"), POLL, POST.format("41~1"), f"a#< {UNKNOWN}",
    ],
    "a late pong": [OPEN, JOIN, "+ 25\nw#< 2\n+ 18\nw#> 3", BEAT],
    "a server that pings on at its own pace": [OPEN, JOIN, "+ 25\nw#< 2\n+ 10\nw#< 2\nw#> 3\nw#> 3", BEAT, "+ 24"],
    "a late ping, then an orderly end": [OPEN, JOIN, BEAT, "+ 32\nw#> 41\nw#> close\nw#> FIN"],
    "a late ping at the end of the capture": [OPEN, JOIN, BEAT, "+ 32"],
    "the capture ends while a ping waits": [OPEN, JOIN, "+ 25\nw#< 2\n+ 10"],
    "the client leaves while a ping waits": [OPEN, JOIN, "+ 25\nw#< 2\n+ 30\nw#> 41\nw#> close"],
    "recovery replays events before the reply": [
        OPEN, 'w#> 40{"pid":"p","offset":"o"}\nw#< 42["missed","o2"]\nw#< 40{"sid":"x","pid":"p"}\nw#> 42["a"]', BEAT,
    ],
    "CONNECT and EVENT together, and the server takes them": [OPEN, 'w#> 40\nw#> 42["a"]\nw#< 40{"sid":"x"}', BEAT],
    "the same, and the server stops an hour later": [
        OPEN, 'w#> 40\nw#> 42["a"]\nw#< 40{"sid":"x"}', BEAT, "+ 20\nw#< close\nw#< FIN",
    ],
    "an Engine.IO client": ["e#> WS EIO=4&transport=websocket\ne#< 101\ne#< open:S#\ne#> 4hello\ne#< 4hi"],
    "several namespaces, one left": [
        OPEN, JOIN, 'w#> 40/a,\nw#< 40/a,{"sid":"y"}\nw#> 41/a,', BEAT,
    ],
    "EIO=3 with allowEIO3": [
        "w#> WS EIO=3&transport=websocket\nw#< 101\nw#< open:S#\nw#< 40\n+ 25\nw#> 2\nw#< 3\n+ 25\nw#> 2\nw#< 3",
    ],
    "EIO=3 at netty-socketio": [
        "a#> GET EIO=3&transport=polling\na#< 200 open:S# ~40\nw#> WS EIO=3&transport=websocket&sid=S#\nw#< 101",
        "w#> 2probe\nw#< 3probe\nw#> 5\n+ 25\nw#> 2\nw#< 3\n+ 25\nw#> 2\nw#< 3",
    ],
    "EIO=3 at netty-socketio, before the first ping": [
        "a#> GET EIO=3&transport=polling\na#< 200 open:S# ~40\nw#> WS EIO=3&transport=websocket&sid=S#\nw#< 101",
        "w#> 2probe\nw#< 3probe\nw#> 5",
    ],
    "an old client closes before the open packet comes": [
        "w#> WS EIO=3&transport=websocket\nw#< 101\nw#> close\nw#> FIN\nw#< FIN",
    ],
    "the server stops while a client connects": [OPEN, "w#< close 1001\nw#< FIN\nw#> FIN"],
    "wrong path": ["w#> WS -\nw#< 404 Not Found"],
    "client pings that the server answers": [OPEN, JOIN, BEAT, "w#> 2\nw#< 3", BEAT, "w#> 2\nw#< 3"],
    "an overlapping preflight": [
        POLL_OPEN, "b#> OPTIONS EIO=4&transport=polling&sid=S#\nb#< 204", POST.format("40"), POLL, "a#< 200 6",
    ],
    "a restart of the server": [POLL_OPEN, POST.format("40"), (POLL + "a#< 200 6\n") * 12, "+ 30\n" + POLL, "a#< 502"],
}  # fmt: skip


@pytest.mark.parametrize("parts", HEALTHY.values(), ids=HEALTHY)
def test_what_looks_sick_and_is_not(parts: list[str]) -> None:
    assert once(*parts) == []


def test_people_who_reload_a_page_do_not_loop() -> None:
    assert times(8, OPEN, JOIN, "+ 4\nw#> close 1001\nw#> FIN\nw#< FIN\n+ 0.4") == []


def test_scripts_that_come_and_go_do_not_loop() -> None:
    assert times(8, OPEN, JOIN, "w#> close 1000\nw#> 41\nw#> 1\nw#> FIN\nw#< FIN\n+ 1") == []


def test_a_restart_of_the_server_is_at_most_possible_as_missing_stickiness() -> None:
    script = POLL_OPEN + POST.format("40") + (POLL + "a#< 200 6\n") * 12 + POLL + f"a#< {UNKNOWN}"
    finding = played(repeated(script, [1])).found("sid-unknown-sticky")
    assert finding is not None
    assert finding.certainty is Certainty.POSSIBLE
    assert "restarted" in finding.doubt


def test_a_refusal_that_a_new_token_mends_is_an_info() -> None:
    script = 'w#> 40\nw#< 44{"message":"jwt expired"}\nw#> 40{"token":"t"}\nw#< 40{"sid":"x"}\n'
    finding = played(repeated(OPEN + script + BEAT, [1])).found("connect-error-auth")
    assert finding is not None
    assert finding.severity is Severity.INFO
    assert finding.summary.endswith('CONNECT_ERROR: "jwt expired". A later attempt is let in.')


def test_two_reasons_for_missing_pongs_are_two_findings() -> None:
    talk = Talk()
    for name, client, answered in (("w1", "10.0.0.7", True), ("w2", "10.0.0.8", False)):
        talk.connect(name, client)
        number = name[1:]
        talk.play(repeated(OPEN + JOIN + (BEAT if answered else "") + "+ 25\nw#< 2", [int(number)]))
        if answered:
            talk.acknowledge()
        talk.play(repeated("+ 20\n" + HUNG_UP, [int(number)]))
    titles = sorted(diagnosis.finding.title for diagnosis in talk.diagnoses())
    assert [title.partition(": ")[2] for title in titles] == ["it was frozen", "the network is gone"]


def test_a_gap_makes_what_is_missing_only_possible() -> None:
    for script in (OPEN + "w#! client\n" + BEAT, OPEN + JOIN + "+ 25\nw#< 2\nw#! client\n+ 60"):
        (finding,) = played(repeated(script, [1])).findings()
        assert finding.certainty is Certainty.POSSIBLE
        assert "missing from the capture" in finding.doubt


@pytest.mark.parametrize(
    ("parts", "name", "packets"),
    [
        ([OPEN, JOIN, "+ 20\nw#> 2", HUNG_UP], "client-ping-in-eio4", [6, 7]),
        ([OPEN, 'w#> 40\nw#> 42["a"]', HUNG_UP], "event-before-connect", [4, 5, 6]),
        ([OPEN, JOIN, "+ 25\nw#< 2\n+ 20", HUNG_UP], "pong-missing", [6, 7]),
        ([OPEN, "+ 45", HUNG_UP], "no-connect-packet", [3, 4]),
        ([POLL_OPEN, POLL, f"a#< {UNKNOWN}"], "sid-unknown-sticky", [2, 3, 4]),
        ([OPEN, "w#> hello", HUNG_UP], "plain-websocket-client", [4, 5]),
        (["a#> GET EIO=3&transport=polling", f"a#< {UNSUPPORTED}"], "eio-unsupported-polling", [1, 2]),
    ],
)
def test_evidence_is_what_a_person_would_open(parts: list[str], name: str, packets: list[int]) -> None:
    finding = played(repeated("\n".join(parts), [1])).found(name)
    assert finding is not None
    assert [item.packet for item in finding.evidence] == packets


EVERYTHING = [param.values[0] for param in [*LOOPS, *ONE_SESSION]]


@pytest.mark.parametrize("count", [1, 2, 7])
def test_texts_are_whole_whatever_the_numbers(count: int) -> None:
    for parts in EVERYTHING:
        assert isinstance(parts, list)
        for finding in played(repeated("\n".join(parts), range(count))).findings():
            for text in (finding.title, finding.summary, finding.why, finding.hence, *finding.fix):
                assert text
                for sign in ("None", "{", "(s)", "  ", " . ", '""'):
                    assert sign not in text.replace("0{", "").replace('{"hello":1}', "x"), (finding.name, text)


def test_no_back_off_needs_pauses_that_are_alike() -> None:
    steady = times(6, OPEN, JOIN, HUNG_UP, "+ 0.5")
    growing = played(*(repeated(OPEN + JOIN + HUNG_UP + f"+ {0.2 * (number + 1)}", [number]) for number in range(5)))
    assert steady == ["connect-loop + no-backoff"]
    assert growing.names() == ["connect-loop"]
