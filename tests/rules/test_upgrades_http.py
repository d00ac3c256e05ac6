"""Upgrades to WebSocket that fail over HTTP: what is to blame, what follows from it, and what only looks like it."""

import dataclasses

import pytest

from eiosniff.model.finding import Certainty, Finding, Severity
from eiosniff.rules.boxes import UNNAMED
from eiosniff.rules.registry import all_rules
from tests.unit.decode.talk_sessions import Talk, played, repeated

POLL_OPEN = "a#> GET EIO=4&transport=polling\na#< 200 open:S#\n"
NO_OFFER = POLL_OPEN.replace(
    "open:S#", '0{"sid":"S#","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
)
JOIN = (
    "b#> POST EIO=4&transport=polling&sid=S# 40\nb#< 200 ok\n"
    'a#> GET EIO=4&transport=polling&sid=S#\na#< 200 40{"sid":"x"}\n'
)
POLL = (
    "a#> GET EIO=4&transport=polling&sid=S#\n+ 25\na#< 200 2\nb#> POST EIO=4&transport=polling&sid=S# 3\nb#< 200 ok\n"
)
QUICK_POLLS = 'a#> GET EIO=4&transport=polling&sid=S#\n+ 0.1\na#< 200 42["x"]\n' * 30
UPGRADE = "w#> WS EIO=4&transport=websocket&sid=S#\n"
BARE_UPGRADE = "w#> GET EIO=4&transport=websocket&sid=S#\n"
BAD_REQUEST = 'w#< 400 {"code":3,"message":"Bad request"}\n'
PAGE = "<html><head><title>No</title></head><body>No</body></html>\n"
HANDSHAKE = "w#> WS EIO=4&transport=websocket\n"
CONFIRMED = "w#< 101\nw#> 2probe\nw#< 3probe\nw#> 5\n"
FIN = "w#> FIN\nw#< FIN\n"
PROXIED = "X-Forwarded-For: 192.0.2.1\r\n"
KEYS = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"


def talk(*parts: str, count: int = 1, asks: str = "", replies: str = "", first: str = "") -> Talk:
    """A conversation, so often; `asks` and `replies` are more headers on the WebSocket's connection, `first` of the
    answers on that of the poll."""
    made = Talk()
    for number in range(count):
        made.connect(f"a{number}", replies=first)
        made.connect(f"w{number}", headers=asks, replies=replies)
        made.play(repeated("\n".join(parts), [number]))
    return made.close()


def names(*parts: str, count: int = 1, asks: str = "", replies: str = "", first: str = "") -> list[str]:
    return talk(*parts, count=count, asks=asks, replies=replies, first=first).names()


def found(made: Talk, name: str) -> Finding:
    finding = made.found(name)
    assert finding is not None
    return finding


# ---------------------------------------------------------------- headers that are taken out


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('400 {"code":3,"message":"Bad request"}', ["upgrade-headers-stripped"]),
        ("400 Bad request", []),  # the bare text of a server that saw the upgrade
        ('400 "Invalid transport"', ["upgrade-headers-stripped"]),
        ('400 "Invalid websocket upgrade"', ["upgrade-headers-stripped"]),
        ('400 {"code":"3","message":"Bad request"}', []),  # socketioxide says so of a transport that is switched off
        ('400 {"code":0,"message":"Transport unknown"}', []),
    ],
)
def test_a_refusal_tells_whether_the_upgrade_arrived(answer: str, expected: list[str]) -> None:
    assert names(POLL_OPEN, JOIN, UPGRADE, f"w#< {answer}") == expected


def test_a_transport_that_is_off_is_no_stripped_header() -> None:
    assert "upgrade-headers-stripped" not in names(HANDSHAKE, 'w#< 400 "Invalid transport"')


def test_stripped_headers_and_a_client_that_only_does_websocket_are_one_diagnosis() -> None:
    made = talk(HANDSHAKE, BAD_REQUEST, FIN, "+ 1", count=5)
    assert made.names() == ["upgrade-headers-stripped + connect-loop"]
    finding = found(made, "upgrade-headers-stripped")
    assert finding.severity is Severity.ERROR
    assert finding.occurrences == 5


def test_stripped_headers_are_a_warning_where_polling_goes_on() -> None:
    assert found(talk(POLL_OPEN, JOIN, UPGRADE, BAD_REQUEST), "upgrade-headers-stripped").severity is Severity.WARNING


@pytest.mark.parametrize(
    ("asks", "certainty"),
    [
        (KEYS + PROXIED, Certainty.CERTAIN),
        (KEYS, Certainty.LIKELY),  # no proxy shows: a client by hand may have forgotten it
        (PROXIED, Certainty.LIKELY),
        ("", Certainty.POSSIBLE),
    ],
)
def test_behind_the_proxy_the_other_headers_of_a_websocket_tell(asks: str, certainty: Certainty) -> None:
    finding = found(talk(POLL_OPEN, JOIN, BARE_UPGRADE, BAD_REQUEST, asks=asks), "upgrade-headers-stripped")
    assert finding.certainty is certainty
    assert bool(finding.doubt) is (certainty is not Certainty.CERTAIN)


def test_varnish_is_known_behind_it_too() -> None:
    asks = f"{KEYS}X-Forwarded-For: 192.0.2.1\r\nX-Varnish: 3\r\n"
    finding = found(talk(POLL_OPEN, JOIN, BARE_UPGRADE, BAD_REQUEST, asks=asks), "upgrade-headers-stripped")
    assert "through Varnish" in finding.summary


def test_an_upgrade_that_connection_does_not_name_is_lost_too() -> None:
    made = Talk()
    made.connect("w0", headers=f"Upgrade: websocket\r\nConnection: keep-alive\r\n{KEYS}{PROXIED}")
    made.play(repeated(POLL_OPEN + JOIN + BARE_UPGRADE + BAD_REQUEST, [0])).close()
    assert "without Connection: upgrade" in found(made, "upgrade-headers-stripped").summary


def test_connection_may_name_more_than_the_upgrade() -> None:
    made = Talk()
    made.connect("w0", headers=f"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n{KEYS}{PROXIED}")
    made.play(repeated(POLL_OPEN + JOIN + BARE_UPGRADE + "w#< 400 Bad request", [0])).close()
    assert made.names() == []


def test_a_url_in_the_address_bar_of_a_browser_is_at_most_possible() -> None:
    finding = found(talk("w#> GET EIO=4&transport=websocket\n", BAD_REQUEST), "upgrade-headers-stripped")
    assert finding.certainty is Certainty.POSSIBLE
    assert finding.severity is Severity.WARNING


@pytest.mark.parametrize(
    ("replies", "box"),
    [
        ("Server: nginx/1.27.0\r\n", "nginx"),
        ("Server: openresty\r\n", "nginx"),
        ("Server: Apache/2.4.57 (Debian)\r\n", "Apache httpd"),
        ("Server: awselb/2.0\r\n", "an AWS load balancer"),
        ("Server: cloudflare\r\ncf-ray: 8a1\r\n", "Cloudflare"),
        ("Server: gunicorn\r\nCF-RAY: 8a1\r\n", "Cloudflare"),
        ("Server: Microsoft-IIS/10.0\r\n", "Microsoft IIS"),
        ("Server: Microsoft-Azure-Application-Gateway/v2\r\n", "Azure Application Gateway"),
        ("Server: envoy\r\n", "Envoy"),
        ("Via: 1.1 varnish (Varnish/7.1)\r\n", "Varnish"),
        ("Via: 1.1 vegur\r\n", "the router of Heroku"),
        ("Server: Werkzeug/3.0 Python/3.12\r\n", UNNAMED),  # the server itself
        ("", UNNAMED),
    ],
)
def test_the_box_is_named_by_what_it_says_of_itself(replies: str, box: str) -> None:
    finding = found(talk(POLL_OPEN, JOIN, UPGRADE, BAD_REQUEST, replies=replies), "upgrade-headers-stripped")
    assert f": {box} takes it out" in finding.summary


# ---------------------------------------------------------------- refusals that are not of Engine.IO


@pytest.mark.parametrize("status", [301, 307, 401, 403, 404, 426, 500, 502, 503, 504])
def test_a_refusal_by_something_else_is_told_by_its_status(status: int) -> None:
    made = talk(POLL_OPEN, JOIN, UPGRADE, f"w#< {status} {PAGE}")
    assert made.names() == ["upgrade-rejected"]
    assert str(status) in found(made, "upgrade-rejected").title


@pytest.mark.parametrize(
    "answer",
    [
        '401 "Unauthorized"',  # python-engineio, of the application
        '403 {"code":4,"message":"no"}',
        '413 {"message":"too large","code":7}',
        "400 Session ID unknown",
        "400",  # as Node's parser of HTTP answers
    ],
)
def test_engineio_and_its_server_refuse_in_their_own_words(answer: str) -> None:
    assert "upgrade-rejected" not in " ".join(names(POLL_OPEN, JOIN, UPGRADE, f"w#< {answer}"))


def test_a_second_upgrade_of_a_session_is_another_matter() -> None:
    second = UPGRADE.replace("w#", "v#") + f"v#< 500 {PAGE}"
    assert "upgrade-rejected" not in " ".join(names(POLL_OPEN, JOIN, UPGRADE, CONFIRMED, second))


@pytest.mark.parametrize(("status", "told"), [(426, True), (405, True), (503, False), (502, False)])
def test_a_handshake_that_polling_might_meet_too_is_not_blamed_on_websockets(status: int, told: bool) -> None:
    script = f"{HANDSHAKE}w#< {status} {PAGE}{FIN}+ 1"
    assert any("upgrade-rejected" in name for name in names(script, count=2)) is told
    polls = "p#> GET EIO=4&transport=polling\np#< 200 open:P#\n"
    assert any("upgrade-rejected" in name for name in names(polls, script))
    assert found(talk(polls, script), "upgrade-rejected").summary.endswith("Over polling it gets in.")


@pytest.mark.parametrize("status", [301, 401, 403, 404])
def test_logins_wrong_paths_and_redirects_have_rules_of_their_own(status: int) -> None:
    polls = "p#> GET EIO=4&transport=polling\np#< 200 open:P#\n"
    assert not any("upgrade-rejected" in name for name in names(polls, f"{HANDSHAKE}w#< {status} {PAGE}{FIN}"))


def test_a_redirect_says_whereto() -> None:
    made = talk(POLL_OPEN, JOIN, UPGRADE, f"w#< 301 {PAGE}", replies="Location: https://chat.example/\r\n")
    assert "301 to https://chat.example/: WebSockets do not follow redirects" in found(made, "upgrade-rejected").summary


def test_clients_do_not_wait_for_the_page() -> None:
    assert names(POLL_OPEN, JOIN, UPGRADE, "w#< 403 cut:500 <html>", "w#> FIN\nw#< FIN") == ["upgrade-rejected"]
    assert names(POLL_OPEN, JOIN, UPGRADE, 'w#< 400 cut:500 {"code":3', "w#> FIN\nw#< FIN") == []


def test_a_firewall_and_a_client_that_only_does_websocket_are_one_diagnosis() -> None:
    assert names(f"{HANDSHAKE}w#< 426 {PAGE}{FIN}+ 0.5", count=5) == ["upgrade-rejected + connect-loop + no-backoff"]


# ---------------------------------------------------------------- sessions that stay on polling


def test_a_client_that_never_tries_is_an_information() -> None:
    made = talk(POLL_OPEN, JOIN, POLL * 2)
    assert made.names() == ["stuck-in-polling"]
    finding = found(made, "stuck-in-polling")
    assert finding.severity is Severity.INFO
    assert "never tries to upgrade" in finding.title
    assert "4 polls in 50.0 s (5 a minute)" in finding.summary


def test_a_client_that_never_tries_and_polls_much_is_a_warning() -> None:
    assert found(talk(POLL_OPEN, JOIN, QUICK_POLLS), "stuck-in-polling").severity is Severity.WARNING


def test_polls_that_carry_much_are_worth_their_headers() -> None:
    assert names(POLL_OPEN, JOIN, QUICK_POLLS.replace("x", "x" * 500)) == []


@pytest.mark.parametrize(
    ("tried", "expected", "why"),
    [
        (UPGRADE + BAD_REQUEST, "upgrade-headers-stripped + stuck-in-polling", "the upgrade is refused"),
        (UPGRADE + f"w#< 403 {PAGE}", "upgrade-rejected + stuck-in-polling", "the upgrade is refused"),
        (UPGRADE + "w#< 400 Bad request", "stuck-in-polling", "the upgrade is refused"),
        (UPGRADE + "w#< 101\n+ 5\nw#> FIN\nw#< FIN", "stuck-in-polling", "the upgrade is given up"),
        (UPGRADE, "stuck-in-polling", "the upgrade is not answered"),
    ],
)
def test_what_keeps_a_session_on_polling_comes_first(tried: str, expected: str, why: str) -> None:
    made = talk(POLL_OPEN, JOIN, tried, POLL * 2)
    assert made.names() == [expected]
    finding = found(made, "stuck-in-polling")
    assert finding.severity is Severity.WARNING
    assert finding.title.endswith(why)


@pytest.mark.parametrize(
    "parts",
    [
        (POLL_OPEN, JOIN, POLL),  # too short to tell
        (POLL_OPEN, JOIN, UPGRADE, "w#< 400 Bad request", POLL),
        (POLL_OPEN, JOIN, UPGRADE, CONFIRMED, "+ 25\nw#< 2\nw#> 3\n" * 3),
        (NO_OFFER, JOIN, POLL),
        (POLL_OPEN, JOIN, "+ 60\nb#> POST EIO=4&transport=polling&sid=S# 1\nb#< 200 ok"),  # it was asleep
    ],
)
def test_sessions_that_are_short_or_get_there_are_not_stuck(parts: tuple[str, ...]) -> None:
    assert names(*parts) == []


def test_a_server_that_answers_each_poll_at_once_is_an_error() -> None:
    spin = "a#> GET EIO=4&transport=polling&sid=S#\na#< 200 6\n" * 30
    finding = found(talk(POLL_OPEN, JOIN, UPGRADE, "w#< 101\nw#> FIN\nw#< FIN", spin), "stuck-in-polling")
    assert finding.severity is Severity.ERROR
    assert "answers each of them at once" in finding.summary


def test_a_user_may_set_how_long_is_long() -> None:
    made = talk(POLL_OPEN, JOIN, POLL)
    (rule,) = (rule for rule in all_rules() if rule.name == "stuck-in-polling")
    assert not [*rule.hits(made.session)]
    stricter = dataclasses.replace(rule, limits={**rule.limits, "lifetime_ms": 10_000})
    assert len([*stricter.hits(made.session)]) == 1


def test_an_offer_of_nothing_is_an_information_unless_polling_is_dear() -> None:
    quiet, dear = talk(NO_OFFER, JOIN, POLL * 2), talk(NO_OFFER, JOIN, QUICK_POLLS)
    assert quiet.names() == dear.names() == ["no-upgrade-offered"]
    assert found(quiet, "no-upgrade-offered").severity is Severity.INFO
    assert found(dear, "no-upgrade-offered").severity is Severity.WARNING


def test_a_handshake_over_websocket_has_nothing_to_offer() -> None:
    opening = '0{"sid":"S#","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'
    assert names(HANDSHAKE, f'w#< 101\nw#< {opening}\nw#> 40\nw#< 40{{"sid":"x"}}\n', "+ 25\nw#< 2\nw#> 3\n" * 2) == []


# ---------------------------------------------------------------- upgrades that are taken for polls


def test_packets_in_the_answer_to_an_upgrade_are_lost() -> None:
    made = talk(POLL_OPEN, "b#> POST EIO=4&transport=polling&sid=S# 40\nb#< 200 OK", UPGRADE, 'w#< 200 40{"sid":"x"}')
    assert made.names() == ["upgrade-consumed-as-poll"]
    assert '"40{"sid":"x"}"' in found(made, "upgrade-consumed-as-poll").summary


def test_the_missing_header_explains_why_they_are_lost() -> None:
    made = talk(POLL_OPEN, JOIN, BARE_UPGRADE, "w#< 200 6", asks=KEYS)
    assert made.names() == ["upgrade-headers-stripped + upgrade-consumed-as-poll"]
    assert found(made, "upgrade-headers-stripped").severity is Severity.ERROR


def test_a_client_may_poll_under_the_name_of_websocket() -> None:
    assert names(POLL_OPEN, JOIN, BARE_UPGRADE, "w#< 200 6") == []


def test_a_page_in_the_answer_to_an_upgrade_is_no_poll() -> None:
    assert "upgrade-consumed-as-poll" not in " ".join(names(POLL_OPEN, JOIN, UPGRADE, f"w#< 200 {PAGE}"))


# ---------------------------------------------------------------- one connection for all


ON_THE_SAME = "a#> WS EIO=4&transport=websocket&sid=S#\n"
CLOSE = "Connection: close\r\n"


@pytest.mark.parametrize("end", ["a#< RST", "a#> FIN", "+ 3"])
def test_an_upgrade_on_a_connection_that_was_the_last_answers(end: str) -> None:
    expected = ["upgrade-on-closed-connection"]
    assert names(POLL_OPEN, ON_THE_SAME, end, first=CLOSE) == expected
    assert names(POLL_OPEN, "a#< FIN", ON_THE_SAME, end) == expected


def test_an_upgrade_on_a_closed_connection_that_loops_is_one_diagnosis() -> None:
    parts = (POLL_OPEN, "a#< FIN", ON_THE_SAME, "a#< RST", "+ 0.5")
    assert names(*parts, count=5, first=CLOSE) == ["upgrade-on-closed-connection + connect-loop + no-backoff"]


def test_a_server_that_answers_all_the_same_is_not_blamed() -> None:
    assert names(POLL_OPEN, ON_THE_SAME, "a#< 101\na#> 2probe\na#< 3probe\na#> 5\na#> 40\na#< 40{}", first=CLOSE) == []


def test_one_connection_that_is_kept_is_no_fault() -> None:
    assert names(POLL_OPEN, ON_THE_SAME, "a#< 101\na#> 2probe\na#> 5\na#< 3probe\na#> 40\na#< 40{}") == []


# ---------------------------------------------------------------- clients that do not take the 101


LIST = "Connection: Upgrade, Keep-Alive\r\n"
OFFERS = "Sec-WebSocket-Protocol: chat\r\n"
LEAVES = "w#< 101\n+ 0.01\nw#> FIN\nw#< FIN\n"
SILENT_LEAVING = HANDSHAKE + LEAVES


def test_a_client_that_leaves_at_a_list_is_likely_strict() -> None:
    made = talk(POLL_OPEN, UPGRADE, LEAVES, replies=LIST)
    assert made.names() == ["strict-connection-header"]
    assert found(made, "strict-connection-header").certainty is Certainty.LIKELY


@pytest.mark.parametrize("opened", ["", "w#< open:S#\n"])
def test_a_handshake_over_websocket_may_meet_a_strict_client_too(opened: str) -> None:
    script = SILENT_LEAVING.replace("+ 0.01", opened + "+ 0.01") + "+ 2"
    assert names(script, count=4, replies=LIST)[0].split(" + ")[0] == "strict-connection-header"
    assert len(names(script, count=4, replies=LIST)) == 1


@pytest.mark.parametrize(
    "leaves",
    [
        "w#< 101\nw#> 2probe\nw#< 3probe\nw#> FIN\nw#< FIN",  # it spoke: it had taken the 101
        "w#< 101\n+ 4\nw#> FIN\nw#< FIN",  # not at once
        "w#< 101\n+ 0.01\nw#< FIN\nw#> FIN",  # the server left
    ],
)
def test_clients_that_leave_for_another_reason_are_not_called_strict(leaves: str) -> None:
    assert "strict-connection-header" not in " ".join(names(POLL_OPEN, UPGRADE, leaves, replies=LIST))


def test_a_browser_reads_lists_and_leaves_for_another_reason() -> None:
    made = Talk()
    made.connect("w1", replies=LIST, agent="Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36")
    made.play(repeated(POLL_OPEN + UPGRADE + LEAVES, [1]))
    assert made.names() == []


@pytest.mark.parametrize("connection", ["Connection: Upgrade\r\n", "Connection: upgrade\r\n"])
def test_the_one_word_is_in_order(connection: str) -> None:
    assert "strict-connection-header" not in " ".join(names(POLL_OPEN, UPGRADE, LEAVES, replies=connection))


@pytest.mark.parametrize("named", ["", "Sec-WebSocket-Protocol: other\r\n", "Sec-WebSocket-Protocol: Chat\r\n"])
def test_a_subprotocol_that_the_server_does_not_take(named: str) -> None:
    made = talk(POLL_OPEN, UPGRADE, LEAVES, asks=OFFERS, replies=named + "Connection: Upgrade\r\n")
    assert made.names() == ["subprotocol-refused"]
    assert ("names another one" in found(made, "subprotocol-refused").summary) is bool(named)


def test_a_subprotocol_is_the_cause_where_the_connection_is_a_list_too() -> None:
    made = talk(SILENT_LEAVING, "+ 2", count=4, asks=OFFERS, replies=LIST)
    assert len(made.names()) == 1
    assert made.names()[0].startswith("subprotocol-refused + ")


@pytest.mark.parametrize(
    ("asks", "named", "then"),
    [
        (OFFERS, "Sec-WebSocket-Protocol: chat\r\n", LEAVES),  # taken: it left for another reason
        ("Sec-WebSocket-Protocol: a, chat\r\n", "Sec-WebSocket-Protocol: chat\r\n", LEAVES),
        ("Sec-WebSocket-Protocol: arduino\r\n", "", "w#< 101\nw#> 2probe\nw#> 5\nw#< 3probe\nw#> 40\nw#< 40{}"),
        ("", "", LEAVES),
    ],
)
def test_subprotocols_that_nobody_minds(asks: str, named: str, then: str) -> None:
    assert names(POLL_OPEN, UPGRADE, then, asks=asks, replies=named) == []


def test_a_server_may_refuse_for_the_subprotocol() -> None:
    made = talk(HANDSHAKE, "w#< 400 Unsupported subprotocol", asks=OFFERS)
    assert found(made, "subprotocol-refused").certainty is Certainty.LIKELY


# ---------------------------------------------------------------- together


def test_two_back_ends_behind_a_proxy_that_strips_are_two_faults() -> None:
    unknown = 'b#> POST EIO=4&transport=polling&sid=S# 40\nb#< 400 {"code":1,"message":"Session ID unknown"}\n'
    made = played(repeated(POLL_OPEN + unknown + UPGRADE + BAD_REQUEST + "+ 2", range(4)))
    assert made.names() == ["sid-unknown-sticky + connect-loop", "upgrade-headers-stripped"]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (HANDSHAKE + BAD_REQUEST + FIN + "+ 1", "upgrade-headers-stripped + connect-loop"),
        (f"{HANDSHAKE}w#< 426 {PAGE}{FIN}+ 1", "upgrade-rejected + connect-loop"),
        (POLL_OPEN + "a#< FIN\n" + ON_THE_SAME + "a#< RST\n+ 1", "upgrade-on-closed-connection + connect-loop"),
    ],
)
def test_sessions_that_are_let_go_are_judged_alike(script: str, expected: str) -> None:
    assert played(repeated(script, range(5)), most=1).names() == [expected]
    assert played(repeated(script, range(5)), late=True).names() == [expected]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_texts_are_whole(count: int) -> None:
    scripts = {
        POLL_OPEN + JOIN + UPGRADE + BAD_REQUEST + POLL * 2: "",
        HANDSHAKE + BAD_REQUEST + FIN: "",
        POLL_OPEN + UPGRADE + f"w#< 404 {PAGE}": "",
        NO_OFFER + JOIN + POLL * 2: "",
        POLL_OPEN + UPGRADE + "w#< 200 6": "",
        POLL_OPEN + "a#< FIN\n" + ON_THE_SAME + "+ 1": "",
        SILENT_LEAVING: LIST,
    }
    for script, replies in scripts.items():
        for finding in talk(script, "+ 1", count=count, asks=OFFERS, replies=replies).findings():
            for text in (finding.title, finding.summary, finding.why, finding.hence, *finding.fix):
                assert text
                for sign in ("None", "{", "(s)", "  ", " . ", '""'):
                    assert sign not in text, (finding.name, text)
