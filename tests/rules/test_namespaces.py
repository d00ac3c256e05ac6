"""Who joins which namespace, with what, and how they part: one fault, one finding, and the traps beside it."""

from base64 import urlsafe_b64encode

import pytest

from eiosniff.model.finding import Certainty, Finding, Severity
from eiosniff.model.provenance import Endpoint
from tests.unit.decode.talk_sessions import Talk, played, repeated

OPEN = "w> WS EIO=4&transport=websocket\nw< 101\nw< open:S"
OPEN_3 = "w> WS EIO=3&transport=websocket\nw< 101\nw< open:S\nw< 40"
JOIN = 'w> 40\nw< 40{"sid":"x"}'
JOIN_CHAT = 'w> 40/chat,\nw< 40/chat,{"sid":"y"}'
NODE_CLOSES = "w< close\nw< FIN\nw> FIN"
GOES_ON = "+ 25\nw< 2\nw> 3"
PUBLIC = Endpoint("198.51.100.7", 3000)


def names(*parts: str) -> list[str]:
    return played("\n".join(parts)).names()


def only(*parts: str) -> Finding:
    """What is found, but for remarks on how secrets travel."""
    (found,) = (
        diagnosis.finding
        for diagnosis in played("\n".join(parts)).diagnoses()
        if diagnosis.finding.name != "token-in-url"
    )
    return found


def at(server: Endpoint, *parts: str) -> list[str]:
    talk = Talk()
    talk.connect("w", server=server)
    return talk.play("\n".join(parts)).names()


# ---------------------------------------------------------------- events before, outside, elsewhere

BORDERS = {
    "no CONNECT at all": ([OPEN, 'w> 42["a"]'], ["event-before-connect"]),
    "no CONNECT at all, in a namespace": ([OPEN, 'w> 42/chat,["a"]'], ["event-before-connect"]),
    "before the answer": ([OPEN, 'w> 40/chat,\nw> 42/chat,["a"]'], ["event-before-connect"]),
    "before it asks": ([OPEN, JOIN, 'w> 42/chat,["a"]', JOIN_CHAT], ["event-before-connect"]),
    "joined another": ([OPEN, JOIN, 'w> 42/chat,["a"]'], ["namespace-not-joined"]),
    "joined another than the main one": ([OPEN, JOIN_CHAT, 'w> 42["a"]'], ["namespace-not-joined"]),
    "asked for another": ([OPEN, 'w> 40\nw> 42/chat,["a"]'], ["namespace-not-joined"]),
    "left": ([OPEN, JOIN, JOIN_CHAT, 'w> 41/chat,\nw> 42/chat,["a"]'], ["namespace-not-joined"]),
    "2.x, not asked for": ([OPEN_3, 'w> 42/chat,["a"]'], ["namespace-not-joined"]),
    "2.x, the main one": (["w> WS EIO=3&transport=websocket\nw< 101\nw< open:S", 'w> 42["a"]\nw< 40'], []),
    "refused": (
        [OPEN, JOIN, 'w> 40/chat,\nw< 44/chat,{"message":"jwt expired"}\nw> 42/chat,["a"]'],
        ["connect-error-auth + namespace-not-joined"],
    ),
    "no such namespace": (
        [OPEN, JOIN, 'w> 40/chat,\nw< 44/chat,{"message":"Invalid namespace"}\nw> 42/chat,["a"]'],
        ["namespace-invalid + namespace-not-joined"],
    ),
    "on its way when it was thrown out": (
        [OPEN, JOIN, JOIN_CHAT, '+ 9\nw< 41/chat,\nw> 42/chat,["a"]', 'w> 40/chat,\nw< 40/chat,{"sid":"z"}'],
        [],
    ),
    "long after it was thrown out": (
        [OPEN, JOIN, JOIN_CHAT, "w< 41/chat,\n+ 3", 'w> 42/chat,["a"]'],
        ["server-kick-no-reconnect + namespace-not-joined"],
    ),
    "joined anew": ([OPEN, JOIN, JOIN_CHAT, "w> 41/chat,\n+ 1", JOIN_CHAT, 'w> 42/chat,["a"]'], []),
}


@pytest.mark.parametrize(("parts", "expected"), BORDERS.values(), ids=BORDERS)
def test_an_event_that_nobody_takes_is_one_fault(parts: list[str], expected: list[str]) -> None:
    assert [sorted(name.split(" + ")) for name in names(*parts)] == [sorted(name.split(" + ")) for name in expected]


@pytest.mark.parametrize(
    ("end", "reaction"), [(NODE_CLOSES, "closes the connection at once"), (GOES_ON, "the event is lost")]
)
def test_both_reactions_to_an_event_outside_are_told(end: str, reaction: str) -> None:
    found = only(OPEN, JOIN, 'w> 42/chat,["a"]', end)
    assert found.name == "namespace-not-joined"
    assert reaction in found.summary


def test_a_close_long_after_the_event_has_another_cause() -> None:
    found = only(OPEN, JOIN, 'w> 42/chat,["a"]', "+ 4", NODE_CLOSES)
    assert "the event is lost" in found.summary


def test_the_beginning_may_be_missing() -> None:
    talk = Talk()
    talk.connect("w", midstream=True)
    assert talk.play('w> 42/chat,["a"]\nw< 42["b"]\nw> 42["c"]').found("namespace-not-joined") is None


def test_the_connect_may_be_what_the_capture_lacks() -> None:
    found = played(OPEN, JOIN, "w! client", 'w> 42/chat,["a"]', GOES_ON).found("namespace-not-joined")
    assert found is not None
    assert found.certainty is Certainty.POSSIBLE


# ---------------------------------------------------------------- CONNECT, once and twice

DOUBLES = {
    "Node closes": ([OPEN, JOIN, "w> 40", NODE_CLOSES], Severity.ERROR),
    "Node closes, both at once": ([OPEN, "w> 40\nw> 40", NODE_CLOSES], Severity.ERROR),
    "Node closes what left just now": (
        [OPEN, JOIN, JOIN_CHAT, "w> 41/chat,\nw> 40/chat,", NODE_CLOSES],
        Severity.ERROR,
    ),
    "python refuses": ([OPEN, JOIN, 'w> 40\nw< 44"Unable to connect"', GOES_ON], Severity.WARNING),
    "python refuses the second one first": (
        [OPEN, 'w> 40\nw> 40\nw< 44"Unable to connect"\nw< 40{"sid":"x"}', GOES_ON],
        Severity.WARNING,
    ),
    "netty lets it in twice": ([OPEN, JOIN, JOIN, GOES_ON], Severity.WARNING),
    "2.x lets it in twice": ([OPEN_3, "w> 40/chat\nw< 40/chat\nw> 40/chat\nw< 40/chat"], Severity.WARNING),
}


@pytest.mark.parametrize(("parts", "severity"), DOUBLES.values(), ids=DOUBLES)
def test_a_second_connect_is_told_by_what_it_does(parts: list[str], severity: Severity) -> None:
    found = only(*parts)
    assert (found.name, found.severity) == ("double-connect", severity)


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([OPEN, JOIN, "w> 40", GOES_ON], id="answered once: a POST that was redirected"),
        pytest.param([OPEN, JOIN, JOIN_CHAT, "w> 41/chat,", "+ 1", JOIN_CHAT], id="left in between"),
        pytest.param([OPEN, JOIN, JOIN_CHAT, "w> 41/chat,", JOIN_CHAT, GOES_ON], id="left just now, and let in"),
        pytest.param([OPEN_3, "w> 40\nw< 40"], id="the first one of a client of 2.x"),
        pytest.param([OPEN, JOIN, JOIN_CHAT], id="two namespaces"),
    ],
)
def test_a_second_connect_that_is_none(parts: list[str]) -> None:
    assert names(*parts) == []


def test_a_second_try_after_a_refusal_is_no_double() -> None:
    found = only(OPEN, 'w> 40\nw< 44{"message":"no"}\n+ 1', JOIN)
    assert (found.name, found.severity) == ("connect-error-auth", Severity.INFO)


# ---------------------------------------------------------------- refusals, each by the rule that fits

REFUSALS = {
    "Node": ([OPEN, 'w> 40/a,\nw< 44/a,{"message":"Invalid namespace"}'], ["namespace-invalid"]),
    "python": ([OPEN, 'w> 40/a,\nw< 44/a,"Unable to connect"'], ["namespace-invalid"]),
    "python, the main one": ([OPEN, 'w> 40\nw< 44"Unable to connect"'], ["namespace-invalid"]),
    "netty, 2.x": ([OPEN_3, 'w> 40/a\nw< 44/a,"Invalid namespace"'], ["namespace-invalid"]),
    "netty, 4": ([OPEN, 'w> 40/a,\nw< 44/a,"Invalid namespace"'], ["namespace-invalid"]),
    "python, by the application": ([OPEN, 'w> 40\nw< 44{"message":"no"}'], ["connect-error-auth"]),
    "2.x, by the application": ([OPEN_3, 'w> 40/a\nw< 44/a,"not authorized"'], ["connect-error-auth"]),
    "2.x, with data": ([OPEN_3, 'w> 40/a\nw< 44/a,{"code":7}'], ["connect-error-auth"]),
    "two of them": (
        [OPEN, 'w> 40/a,\nw< 44/a,{"message":"Invalid namespace"}\nw> 40/b,\nw< 44/b,{"message":"no"}'],
        ["connect-error-auth", "namespace-invalid"],
    ),
    "a query as in 2.x": (
        [OPEN, 'w> 40/a?token=x,\nw< 44/a?token=x,{"message":"Invalid namespace"}'],
        ["auth-misplaced"],
    ),
    "a query that python drops": (
        [OPEN, 'w> 40/a?token=x,\nw< 44/a,{"message":"no"}'],
        ["auth-misplaced + connect-error-auth"],
    ),
    "an object at a server of 2.x": (
        ["w> WS EIO=3&transport=websocket\nw< 101\nw< open:S", 'w> 40{"token":"x"}\nw< 44"no"'],
        ["auth-misplaced + connect-error-auth"],
    ),
    "a packet of a middleware of 2.x": ([OPEN_3, 'w> 42["a"]\nw< 44"rate limit"'], []),
}


@pytest.mark.parametrize(("parts", "expected"), REFUSALS.values(), ids=REFUSALS)
def test_each_refusal_is_told_by_one_rule(parts: list[str], expected: list[str]) -> None:
    assert sorted(names(*parts)) == expected


def test_a_namespace_that_exists_later_is_only_worth_an_info() -> None:
    found = only(OPEN, JOIN, 'w> 40/a,\nw< 44/a,{"message":"Invalid namespace"}\n+ 1\nw> 40/a,\nw< 40/a,{"sid":"y"}')
    assert (found.name, found.severity) == ("namespace-invalid", Severity.INFO)


@pytest.mark.parametrize(
    ("answer", "name"), [("jwt expired", "connect-error-auth"), ("Invalid namespace", "namespace-invalid")]
)
@pytest.mark.parametrize(("overlaps", "severity"), [(False, Severity.INFO), (True, Severity.ERROR)])
def test_a_refusal_that_the_next_session_makes_good_is_only_worth_an_info(
    answer: str, name: str, overlaps: bool, severity: Severity
) -> None:
    """The JavaScript client hangs up when it is refused, and comes back with other credentials in a new session."""
    refused = f'w> 40/chat,{{"token":"a"}}\nw< 44/chat,{{"message":"{answer}"}}'
    opens = "v> WS EIO=4&transport=websocket\nv< 101\nv< open:T"
    joins = 'v> 40/chat,{"token":"b"}\nv< 40/chat,{"sid":"z"}'
    parts = [OPEN, refused, opens, HANGS_UP, joins] if overlaps else [OPEN, refused, HANGS_UP, opens, joins]
    found = played("\n".join(parts)).found(name)
    assert found is not None
    assert found.severity is severity


def test_a_slash_at_the_end_is_pointed_out() -> None:
    found = only(OPEN, 'w> 40/chat/,\nw< 44/chat/,{"message":"Invalid namespace"}')
    assert "slash at its end" in found.summary


def test_a_new_client_at_an_old_server_has_no_misplaced_credentials() -> None:
    found = names(
        "a> GET EIO=4&transport=polling\na< 200 open3:S", 'a> POST EIO=4&transport=polling&sid=S 40{"token":"x"}'
    )
    assert not any("auth-misplaced" in name for name in found)


def test_credentials_in_the_url_are_named_where_the_connect_has_none() -> None:
    opened = "w> WS EIO=4&transport=websocket&token=hunter2\nw< 101\nw< open:S"
    found = only(opened, 'w> 40\nw< 44{"message":"unauthorized"}')
    assert "without auth data, but with token in the URL" in found.summary
    assert "hunter2" not in found.summary


def test_what_a_server_does_is_not_told_before_it_can_do_it() -> None:
    assert "done nothing about it yet" in only(OPEN, 'w> 40\nw> 42["a"]').summary
    assert "done nothing about it yet" in only(OPEN, JOIN, 'w> 42/chat,["a"]').summary
    assert "the event is lost" in only(OPEN, 'w> 40\nw> 42["a"]\n+ 3', "w< 2\nw> 3").summary


# ---------------------------------------------------------------- thrown out

HANGS_UP = "w> close\nw> FIN\nw< FIN"
KICKED = f"{OPEN}\n{JOIN}\nw< 41\n{HANGS_UP}"
KICKS = KICKED.replace("w>", "w#>").replace("w<", "w#<").replace("open:S", "open:S#") + "\n+ 1"


def test_a_client_that_is_thrown_out_at_once_is_a_warning() -> None:
    found = only(KICKED)
    assert (found.name, found.severity) == ("server-kick-no-reconnect", Severity.WARNING)
    assert found.certainty is Certainty.LIKELY


def test_a_logout_is_only_worth_an_info() -> None:
    found = only(OPEN, JOIN, GOES_ON, "w< 41", HANGS_UP)
    assert (found.name, found.severity) == ("server-kick-no-reconnect", Severity.INFO)


def test_one_session_that_makes_room_for_the_next_is_not_told() -> None:
    """A server that lets each user in once throws the older one out."""
    next_one = 'v> WS EIO=4&transport=websocket\nv< 101\nv< open:T\nv> 40\nv< 40{"sid":"z"}\n+ 1'
    beat = GOES_ON.replace("w", "v")
    assert names(OPEN, JOIN, GOES_ON, next_one, "w< 41", HANGS_UP, beat) == []
    assert names(OPEN, JOIN, GOES_ON, next_one, "v< 41", HANGS_UP.replace("w", "v"), "w< 2\nw> 3") != []


def test_several_that_are_each_thrown_out_are_not_one_that_comes_back() -> None:
    joined = 'w#> WS EIO=4&transport=websocket\nw#< 101\nw#< open:S#\nw#> 40\nw#< 40{"sid":"x"}'
    gone = "w#< 41\nw#> close\nw#> FIN\nw#< FIN"
    other = 'v> WS EIO=4&transport=websocket\nv< 101\nv< open:T\nv> 40\nv< 40{"sid":"z"}'
    crowd = f"{repeated(joined, range(4))}\n{repeated(gone, range(4))}"
    assert "server-kick-no-reconnect" not in " ".join(names(crowd, other))


def test_one_that_comes_back_and_stays_is_not_told() -> None:
    later = "+ 1\nv> WS EIO=4&transport=websocket\nv< 101\nv< open:T"
    assert names(KICKED, later, 'v> 40\nv< 40{"sid":"z"}') == []
    assert names(OPEN, JOIN, "w< 41\n+ 1", JOIN) == []


@pytest.mark.parametrize("most", [10_000, 1])
def test_one_that_is_thrown_out_again_and_again_is_the_cause_of_its_loop(most: int) -> None:
    found = played(repeated(KICKS, range(5)), most=most).names()
    assert [sorted(name.split(" + ")) for name in found] == [["connect-loop", "server-kick-no-reconnect"]]


def test_one_that_is_thrown_out_again_and_again_may_keep_its_session() -> None:
    again = 'w> 40/chat,\nw< 40/chat,{"sid":"y"}\n+ 0.2\nw< 41/chat,\n+ 3\n'
    found = only(OPEN, JOIN, again * 4)
    assert (found.name, found.occurrences) == ("server-kick-no-reconnect", 4)
    assert "201 ms after it has let it in. This happens 4 times in a row" in found.summary


def test_whatever_is_let_go_whether_it_comes_back_is_known_at_the_end() -> None:
    script = repeated(KICKS, range(2)) + '\nv> WS EIO=4&transport=websocket\nv< 101\nv< open:T\nv> 40\nv< 40{"sid":"z"}'
    assert played(script).names() == played(script, most=1).names() == []


def test_netty_says_goodbye_to_a_client_that_is_gone() -> None:
    assert "server-kick-no-reconnect" not in " ".join(names(OPEN, JOIN, "+ 25\nw< 2\n+ 20\nw< 41\nw< FIN"))
    gone_3 = names(OPEN_3, "+ 25\nw> 2\nw< 3\n+ 70\nw< 41\nw< FIN")
    assert "server-kick-no-reconnect" not in " ".join(gone_3)


def test_a_server_that_repeats_the_goodbye_of_the_client_throws_nobody_out() -> None:
    assert names(OPEN, JOIN, "w> 41\nw< 41\nw> close\nw> FIN\nw< FIN") == []


# ---------------------------------------------------------------- recovery


def sid(counter: int, salt: int = 0) -> str:
    return urlsafe_b64encode(bytes([salt] * 11) + counter.to_bytes(4, "big")).decode()


def life(name: str, counter: int, asks: str, gets: str, then: str = "", salt: int = 0) -> str:
    """A session: what the client asks with, which pid it gets, an event of the server, and then."""
    opened = f"{name}> WS EIO=4&transport=websocket\n{name}< 101\n{name}< open:{sid(counter, salt)}"
    joined = f'{name}> 40{asks}\n{name}< 40{{"sid":"{gets}s","pid":"{gets}"}}\n{name}< 42["news","{gets}-1"]'
    return f"{opened}\n{joined}\n{then}"


def cut(name: str) -> str:
    return f"{name}< close\n{name}< FIN\n{name}> FIN\n+ 1\n"


ASKS = '{"pid":"SECRET","offset":"SECRET-1"}'
FIRST = life("a", 5, "", "SECRET", cut("a"))
WHY = {
    "no offset": (FIRST + life("b", 6, '{"pid":"SECRET"}', "B"), "no event"),
    "another process": (FIRST + life("b", 0, ASKS, "B", salt=1), "restarted in between, or"),
    "another process, at the same time": (
        life("x", 4, "", "X") + FIRST + life("b", 0, ASKS, "B", salt=1) + life("y", 6, "", "Y"),
        "came to another process",
    ),
    "away for too long": (FIRST + "+ 121\n" + life("b", 6, ASKS, "B"), "too late for the two minutes"),
    "no event for too long": (
        life("a", 5, "", "SECRET", "+ 100\na< 2\na> 3\n+ 30\n" + cut("a")) + life("b", 6, ASKS, "B"),
        "too late for the two minutes",
    ),
    "the server has not noticed": (life("a", 5, "", "SECRET") + life("b", 6, ASKS, "B"), "had not noticed"),
    "before the capture": (life("b", 6, ASKS, "B"), "is not in the capture"),
    "nothing to be seen": (FIRST + life("b", 6, ASKS, "B"), "not even for so long"),
}


@pytest.mark.parametrize("most", [10_000, 1])
@pytest.mark.parametrize(("script", "words"), WHY.values(), ids=WHY)
def test_why_a_state_was_not_recovered(script: str, words: str, most: int) -> None:
    found = played(script, most=most).found("recovery-failed")
    assert found is not None
    assert found.severity is Severity.INFO
    assert words in found.summary
    said = [found.summary, found.title, found.why, *found.fix, *(item.text for item in found.evidence)]
    assert not any("SECRET" in text for text in said)


def test_what_is_recovered_is_not_told() -> None:
    script = FIRST + life("b", 6, ASKS, "SECRET", cut("b")) + life("c", 7, ASKS, "SECRET")
    assert played(script).found("recovery-failed") is None


@pytest.mark.parametrize("leaves", ["a> 41\n", "a< 41\n"], ids=["by the client", "by the server"])
def test_what_was_left_is_not_meant_to_be_recovered(leaves: str) -> None:
    script = life("a", 5, "", "SECRET", leaves + cut("a")) + life("b", 6, ASKS, "B")
    assert played(script).found("recovery-failed") is None


def _rounds(count: int, recovered: int) -> str:
    script, pid = life("w0", 5, "", "P0", cut("w0")), "P0"
    for number in range(1, count + 1):
        asks = f'{{"pid":"{pid}","offset":"{pid}-1"}}'
        pid = pid if number <= recovered else f"P{number}"
        script += life(f"w{number}", 5 + number, asks, pid, cut(f"w{number}"))
    return script


@pytest.mark.parametrize(
    ("count", "recovered", "severity"),
    [(2, 0, Severity.INFO), (3, 0, Severity.WARNING), (7, 3, Severity.WARNING), (8, 5, Severity.INFO)],
)
def test_how_often_it_fails_decides(count: int, recovered: int, severity: Severity) -> None:
    found = played(_rounds(count, recovered)).found("recovery-failed")
    assert found is not None
    assert (found.severity, found.occurrences) == (severity, count - recovered)
    assert f"{count - recovered} of {count} times" in found.summary


# ---------------------------------------------------------------- what others can read

LOGIN = '{"username":"boss","password":"hunter2"}'
ADMIN = 'w> 40/admin,#\nw< 40/admin,{"sid":"y"}\nw< 42/admin,["config",{"supportedFeatures":[]}]'


@pytest.mark.parametrize(
    ("address", "auth", "severity"),
    [
        ("10.0.0.2", "", Severity.WARNING),
        ("198.51.100.7", "", Severity.WARNING),
        ("127.0.0.1", "", Severity.INFO),
        ("198.51.100.7", LOGIN, Severity.WARNING),
        ("198.51.100.7", '{"sessionId":"hunter2"}', Severity.WARNING),
        ("10.0.0.2", LOGIN, None),
        ("127.0.0.1", LOGIN, None),
    ],
)
def test_who_can_get_at_the_admin_ui(address: str, auth: str, severity: Severity | None) -> None:
    talk = Talk()
    talk.connect("w", server=Endpoint(address, 3000))
    found = talk.play(f"{OPEN}\n{ADMIN.replace('#', auth)}").found("admin-ui-exposed")
    assert (found.severity if found else None) is severity
    if found is not None:
        assert not any("hunter2" in text for text in (found.summary, *(item.text for item in found.evidence)))


def test_a_namespace_called_admin_is_no_admin_ui() -> None:
    assert names(OPEN, 'w> 40/admin,\nw< 40/admin,{"sid":"y"}\nw< 42/admin,["news",1]') == []


def test_a_login_that_is_refused_is_for_another_rule() -> None:
    refused = f'w> 40/admin,{LOGIN}\nw< 44/admin,{{"message":"invalid credentials"}}'
    assert at(PUBLIC, OPEN, refused) == ["connect-error-auth", "cleartext"]


OFFER = 'w> 40\nw< 40{"sid":"x","pid":"SECRET"}'


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("198.51.100.7", True),
        ("2001:db8::7", True),
        ("127.0.0.1", False),
        ("10.0.0.2", False),
        ("172.31.0.2", False),
        ("192.168.1.2", False),
        ("100.64.0.2", False),
        ("fd00::2", False),
        ("fe80::2", False),
        ("::1", False),
        ("::ffff:10.0.0.2", False),
    ],
)
def test_a_key_that_crosses_a_public_network_is_told(address: str, told: bool) -> None:
    assert at(Endpoint(address, 3000), OPEN, OFFER) == (["cleartext + private-pid-leak"] if told else [])


def test_the_key_itself_is_not_told() -> None:
    talk = Talk()
    talk.connect("w", server=PUBLIC)
    found = talk.play(f"{OPEN}\n{OFFER}").found("private-pid-leak")
    assert found is not None
    assert found.severity is Severity.INFO
    assert not any("SECRET" in text for text in (found.summary, found.why, *(item.text for item in found.evidence)))
