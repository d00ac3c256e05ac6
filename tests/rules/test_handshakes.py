"""Handshakes that are refused, answered by somebody else or late: what is said of them, and of what looks alike.

The conversations are written down (see `tests/unit/decode/talk_sessions.py`); what real peers do is in the cases.
"""

import pytest

from eiosniff.model.finding import Certainty, Finding, Severity
from eiosniff.model.peers import Identity
from eiosniff.rules.engineio.eio015_open_late import open_late
from tests.unit.decode.talk_sessions import Talk, played, repeated

ASK = "a#> GET EIO=4&transport=polling\n"
ASK_WS = "w#> WS EIO=4&transport=websocket\n"
OPENED = ASK + "a#< 200 open:S#\n"
UNKNOWN_TRANSPORT = '400 {"code":0,"message":"Transport unknown"}'
FORBIDDEN = '403 {"code":4,"message":"login first"}'
PAGE = "<!doctype html><html><head><title>My shop</title></head></html>"

LOOPS = [
    pytest.param(
        f"a#> GET EIO=4&transport=websocket&transport=polling\na#< {UNKNOWN_TRANSPORT}\n+ 2",
        ["transport-duplicated", "connect-loop"],
        id="two transports",
    ),
    pytest.param(
        f"a#> GET transport=polling&transport=polling\na#< {UNKNOWN_TRANSPORT}\n+ 2",
        ["transport-duplicated", "connect-loop", "eio-missing"],
        id="two transports and no EIO",
    ),
    pytest.param(
        f"a#> GET EIO=4&transport=polling&transport=flashsocket\na#< {UNKNOWN_TRANSPORT}\n+ 2",
        ["transport-duplicated", "connect-loop"],
        id="two transports, one of which does not exist",
    ),
    pytest.param(
        ASK + f"a#< {UNKNOWN_TRANSPORT}\n+ 0.5",
        ["transport-disabled", "connect-loop", "no-backoff"],
        id="polling is off",
    ),
    pytest.param(
        ASK + 'a#< 400 "Invalid transport"\n+ 2', ["transport-disabled", "connect-loop"], id="polling is off, Python"
    ),
    pytest.param(
        ASK_WS + "w#< 400 Transport unknown\nw#< FIN\n+ 2",
        ["transport-disabled", "connect-loop"],
        id="WebSocket is off",
    ),
    pytest.param(
        ASK + 'a#< 400 {"code":"3","message":"Bad request"}\n+ 2',
        ["transport-disabled", "connect-loop"],
        id="polling is off, socketioxide",
    ),
    pytest.param(
        'a#> POST EIO=4&transport=polling 40\na#< 400 {"code":2,"message":"Bad handshake method"}\n+ 2',
        ["handshake-method", "connect-loop"],
        id="POST first",
    ),
    pytest.param(ASK + "a#< 404 Cannot GET /socket.io/\n+ 2", ["wrong-path", "connect-loop"], id="404"),
    pytest.param(ASK_WS + "+ 1\nw#< FIN\nw#> FIN\n+ 2", ["wrong-path", "connect-loop"], id="FIN after a second"),
    pytest.param(ASK + f"a#< 200 {PAGE}\n+ 2", ["not-an-engineio-answer", "connect-loop"], id="a page"),
    pytest.param(
        f"a#> GET transport=polling\na#< 200 {PAGE}\n+ 2",
        ["not-an-engineio-answer", "connect-loop", "eio-missing"],
        id="a page, and no EIO",
    ),
    pytest.param(ASK + f"a#< {FORBIDDEN}\n+ 2", ["handshake-forbidden", "connect-loop"], id="forbidden"),
    pytest.param(
        ASK + "a#< 401\na#< FIN\n+ 2", ["handshake-forbidden", "connect-loop"], id="forbidden, netty-socketio"
    ),
    pytest.param(
        ASK + "a#< 404 not found\n" + ASK_WS + "w#< 403\n+ 2",
        ["wrong-path", "connect-loop", "handshake-forbidden"],
        id="an ASGI server has no such route",
    ),
    pytest.param(ASK + "a#< 302\n+ 2", ["handshake-redirect", "connect-loop"], id="redirect without a Location"),
    pytest.param(
        ASK + "+ 5\na#> FIN\n+ 1\na#< 200 open:S#\na#< FIN\n+ 1",
        ["open-late", "connect-loop"],
        id="the client has given up when the open packet comes",
    ),
]


@pytest.mark.parametrize(("script", "expected"), LOOPS)
def test_a_handshake_that_fails_again_and_again_is_one_diagnosis(script: str, expected: list[str]) -> None:
    for most in (1, 10_000):
        (found,) = played(repeated(script, range(5)), most=most).names()
        names = found.split(" + ")
        assert names[0] == expected[0]
        assert sorted(names) == sorted(expected)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_texts_are_whole_whatever_the_numbers(count: int) -> None:
    for param in LOOPS:
        for finding in played(repeated(str(param.values[0]), range(count))).findings():
            for text in (finding.title, finding.summary, finding.why, finding.hence, *finding.fix):
                assert text
                for sign in ("None", "{}", "(s)", "  ", " . ", '""'):
                    assert sign not in text, (finding.name, text)


SILENT = {
    "a monitor asks with HEAD": ["a#> HEAD EIO=4&transport=polling\na#< 400"],
    "a browser asks before it asks": [
        'a#> OPTIONS EIO=4&transport=polling\na#< 400 {"code":2,"message":"Bad handshake method"}',
    ],
    "a health check without a parameter": ["a#> GET -\na#< 404 not found", "b#> WS -\nb#< 404 not found"],
    "a scanner is sent to https": ["a#> GET -\na#< 301"],
    "a scanner is not let in": ["a#> GET -\na#< 403"],
    "the server takes the first transport": ["a#> GET EIO=4&transport=polling&transport=websocket\na#< 200 open:S#"],
    "the server stops while a client asks": [ASK_WS + "w#< FIN\nw#> FIN"],
    "the server takes longer to hang up": [ASK_WS + "+ 3\nw#< FIN\nw#> FIN"],
    "the client hangs up after a second": [ASK_WS + "+ 1\nw#> FIN\nw#< FIN"],
    "the server is reset after a second": [ASK_WS + "+ 1\nw#< RST"],
    "a server that hangs, under the usual path": [ASK + "+ 20\na#> FIN\na#< FIN"],
    "the answer is cut": [ASK + f"a#< 200 cut:500 {PAGE}\na#< FIN\na#> FIN"],
    "a part of the answer was not captured": [ASK + f"a#< 200 cut:500 {PAGE}\na#! server"],
    "an older revision answers": [ASK + "a#< 200 open3:S#", ASK + "a#< 200 open3:T#"],
    "a proxy cannot reach the server": [ASK + "a#< 502 <html><title>502 Bad Gateway</title></html>"],
    "the server is too busy": [ASK + "a#< 503"],
    "a session that opens in time": [ASK + "+ 4.9\na#< 200 open:S#"],
    "a WebSocket session that opens in time": [ASK_WS + "+ 4\nw#< 101\n+ 0.9\nw#< open:S#"],
    "the open packet was not captured": [ASK_WS + "w#< 101\nw#! server\n+ 30\nw#< 2\nw#> 3"],
    "the preflight takes its time": ["a#> OPTIONS EIO=4&transport=polling\n+ 8\na#< 204\n" + OPENED],
}
THEIRS = {
    "transport-duplicated", "transport-disabled", "handshake-method", "wrong-path", "not-an-engineio-answer",
    "handshake-forbidden", "open-late", "handshake-redirect",
}  # fmt: skip


@pytest.mark.parametrize("parts", SILENT.values(), ids=SILENT)
def test_what_looks_alike_and_is_not(parts: list[str]) -> None:
    findings = played(repeated("\n".join(parts), [1])).findings()
    assert not THEIRS & {finding.name for finding in findings}


def found(name: str, *parts: str, path: str = "/socket.io/") -> Finding:
    talk = Talk()
    for wire in ("a1", "w1"):
        talk.connect(wire, path=path)
    talk.play(repeated("\n".join(parts), [1]))
    finding = talk.close().found(name)
    assert finding is not None
    return finding


@pytest.mark.parametrize(
    ("name", "parts", "severity"),
    [
        ("handshake-forbidden", [ASK, f"a#< {FORBIDDEN}\n+ 1", OPENED], Severity.INFO),
        ("handshake-forbidden", [OPENED, "+ 1", ASK, f"a#< {FORBIDDEN}"], Severity.ERROR),
        (
            "transport-disabled",
            [ASK, f"a#< {UNKNOWN_TRANSPORT}", ASK_WS, "w#< 101\nw#< open:S#"],
            Severity.INFO,
        ),
        ("wrong-path", [OPENED, "+ 1", ASK, "a#< 404 page not found"], Severity.WARNING),
        ("not-an-engineio-answer", [OPENED, "+ 1", ASK, f"a#< 200 {PAGE}"], Severity.WARNING),
        ("handshake-redirect", [ASK, "a#< 308", OPENED], Severity.INFO),
        ("handshake-redirect", [ASK, "a#< 301", OPENED], Severity.ERROR),
        ("handshake-redirect", [ASK, "a#< 308"], Severity.ERROR),
        ("handshake-redirect", [OPENED, ASK_WS, "w#< 301"], Severity.WARNING),
        ("open-late", [ASK, "+ 6\na#< 200 open:S#"], Severity.WARNING),
        ("open-late", [ASK, "+ 5\na#> FIN\n+ 1\na#< 200 open:S#"], Severity.ERROR),
    ],
)
def test_how_bad_it_is_depends_on_what_came_of_it(name: str, parts: list[str], severity: Severity) -> None:
    assert found(name, *parts).severity is severity


def test_how_sure_a_wrong_path_is() -> None:
    hangs = ASK + "+ 20\na#> FIN\na#< FIN"
    assert found("wrong-path", ASK, "a#< 404 not found").certainty is Certainty.CERTAIN
    assert found("wrong-path", ASK_WS, "+ 1\nw#< FIN").certainty is Certainty.LIKELY
    assert found("wrong-path", hangs, path="/socket.io").certainty is Certainty.LIKELY
    odd = found("wrong-path", hangs, path="/admin/")
    assert odd.certainty is Certainty.POSSIBLE
    assert "a server that hangs looks alike" in odd.doubt
    assert found("wrong-path", OPENED, ASK, "a#< 404 not found").certainty is Certainty.LIKELY


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/socket.io/", "Cannot GET /socket.io/", "It is the usual path"),
        ("/socket.io", "Cannot GET /socket.io", "lacks the slash at its end"),
        ("/admin/", "Cannot GET /admin/", "A namespace is no part of the path"),
        ("/socket.io/", "Cannot GET /", "The application saw the path /: a proxy changes it"),
        ("/socket.io/", "<html><pre>Cannot GET /live/?EIO=4</pre></html>", "The application saw the path /live/:"),
    ],
)
def test_a_wrong_path_says_what_is_wrong_with_it(path: str, body: str, words: str) -> None:
    assert words in found("wrong-path", ASK, f"a#< 404 {body}", path=path).why


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (PAGE, 'a web page: "My shop"'),
        ("<html><head><title>Please log in</title></head></html>", 'a login page: "Please log in"'),
        ('<html><form><input name="p" type="password"></form></html>', "a login page."),
        ("<!DOCTYPE html><script type=module src=/@vite/client></script>", "the page of a Vite development server."),
        ('{"ok":true}', 'JSON that is not Engine.IO: "{"ok":true}"'),
        ("it works", 'a text that is not Engine.IO: "it works"'),
        ("", "an empty answer."),
    ],
)
def test_a_foreign_answer_is_called_what_it_looks_like(body: str, words: str) -> None:
    assert words in found("not-an-engineio-answer", ASK, f"a#< 200 {body}").summary


def test_a_welcome_of_socketio_09_is_for_another_rule() -> None:
    talk = played(repeated(ASK + "a#< 200 Welcome to socket.io.", [1]))
    assert talk.names() == ["legacy-09-client"]


def test_who_has_forgotten_the_sid_is_told_so() -> None:
    post = 'a#> POST EIO=4&transport=polling 40\na#< 400 {"code":2,"message":"Bad handshake method"}'
    assert found("handshake-method", post).title == "The first request is a POST, but a session is opened by GET"
    assert found("handshake-method", OPENED, post).title == "The client forgets its sid: a POST without one"


def test_what_is_late_can_be_set() -> None:
    session = played(repeated(ASK + "+ 2\na#< 200 open:S#", [1])).session
    assert not list(open_late.check(session, {"answer_ms": 5000, "open_ms": 1000}))
    (hit,) = open_late.check(session, {"answer_ms": 1500, "open_ms": 1000})
    assert hit.values["waited"] == "2.0 s"


def test_what_is_so_at_times_only_is_not_said_of_all_times() -> None:
    assert found("wrong-path", ASK, "a#< 404 no").title.startswith("There is no Socket.IO at /socket.io/")
    assert found("wrong-path", OPENED, ASK, "a#< 404 no").title.startswith("At times there is no Socket.IO")
    assert "not let in: " in found("handshake-forbidden", ASK, f"a#< {FORBIDDEN}").title
    assert "not let in at first: " in found("handshake-forbidden", ASK, f"a#< {FORBIDDEN}\n+ 1", OPENED).title


@pytest.mark.parametrize(
    ("library", "severity"), [("socket.io-client-js-node", Severity.WARNING), ("websocket-package", Severity.ERROR)]
)
def test_in_node_one_program_has_two_names(library: str, severity: Severity) -> None:
    talk = Talk()
    talk.connect("w1")
    talk.connect("a1", agent="node-XMLHttpRequest")
    talk.play(repeated(ASK_WS + "w#< 426\n" + OPENED, [1])).close()
    for client in talk.sessions.clients.values():
        node = client.user_agent == "node-XMLHttpRequest"
        client.identity = Identity("socket.io-client-js-node" if node else library, "")
    refused = talk.found("upgrade-rejected")
    assert refused is not None
    assert refused.severity is severity
    assert ("Over polling it gets in." in refused.summary) == (severity is Severity.WARNING)
