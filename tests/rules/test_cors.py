"""Rules on pages of other origins: the traps that no recording has."""

import pytest

from eiosniff.model.finding import Certainty, Severity
from tests.rules.http_talk import (
    ASK,
    BEHIND,
    BROWSER,
    COOKIE,
    FROM_PAGE,
    LATER,
    OPENED,
    PAGE,
    POLL,
    WEBSOCKET,
    allows,
    only,
    talk,
)
from tests.unit.decode.talk_sessions import Talk

# ---------------------------------------------------------------- what a browser keeps from a page


def test_an_answer_without_cors_that_nobody_uses() -> None:
    finding = only(talk(ASK, OPENED, LATER, headers=FROM_PAGE))
    assert (finding.name, finding.severity, finding.certainty) == ("cors-missing", Severity.ERROR, Certainty.CERTAIN)
    assert f'cors: {{ origin: "{PAGE}" }}' in finding.fix[0]


@pytest.mark.parametrize(
    ("script", "headers", "agent"),
    [
        pytest.param(ASK + OPENED + POLL + LATER, FROM_PAGE, BROWSER, id="a proxy adds it, the session is used"),
        pytest.param(ASK + OPENED, FROM_PAGE, BROWSER, id="the capture ends at once"),
        pytest.param(ASK + "a> FIN\n" + OPENED + LATER, FROM_PAGE, BROWSER, id="the page had left"),
        pytest.param(ASK + OPENED + LATER, FROM_PAGE, "okhttp/4.9", id="no browser"),
        pytest.param(ASK + OPENED + LATER, "", BROWSER, id="of the page's own origin"),
        pytest.param(ASK + OPENED + LATER, "Origin: http://example\r\n", BROWSER, id="which it names"),
        pytest.param(WEBSOCKET + "w< 101\nw< open:S\n" + LATER, FROM_PAGE, BROWSER, id="over WebSocket"),
    ],
)
def test_what_no_browser_keeps_from_a_page(script: str, headers: str, agent: str) -> None:
    names = talk(script, headers=headers, agent=agent).names()
    assert not any(name.startswith("cors-") for name in names)


@pytest.mark.parametrize(
    ("cookie", "replies", "expected"),
    [
        ("", allows(PAGE) * 2, "Access-Control-Allow-Origin is there twice"),
        ("", allows(f"{PAGE}, {PAGE}"), "Access-Control-Allow-Origin is there twice"),
        ("", allows(f"{PAGE}/"), f"they allow {PAGE}/"),
        ("", allows("https://shop.example"), "they allow https://shop.example"),
        (COOKIE, allows("*", credentials=True), "* is not enough"),
        (COOKIE, allows(PAGE), "Allow-Credentials: true is missing"),
    ],
)
def test_answers_that_do_not_fit(cookie: str, replies: str, expected: str) -> None:
    finding = only(talk(ASK, OPENED, LATER, headers=FROM_PAGE + cookie, replies=replies))
    assert (finding.name, finding.certainty) == ("cors-bad-combination", Certainty.CERTAIN)
    assert expected in finding.title
    assert "s3cret" not in str((finding.summary, finding.evidence, finding.fix))


@pytest.mark.parametrize(("replies", "name"), [("", "cors-missing"), (allows(f"{PAGE}/"), "cors-bad-combination")])
def test_a_page_that_goes_on_over_websocket_is_slower_and_no_more(replies: str, name: str) -> None:
    websocket = WEBSOCKET + 'w< 101\nw< open:T\nw> 40\nw< 40{"sid":"x"}'
    finding = only(talk(ASK, OPENED, "+ 2", websocket, LATER, headers=FROM_PAGE, replies=replies))
    assert (finding.name, finding.severity) == (name, Severity.WARNING)
    assert finding.summary.endswith("It gets in over WebSocket later.")


@pytest.mark.parametrize("replies", [allows(PAGE, credentials=True), allows("*")])
def test_a_session_that_is_left_alone_once_may_have_other_reasons(replies: str) -> None:
    assert talk(ASK, OPENED, LATER, headers=FROM_PAGE, replies=replies).names() == []


def test_three_that_are_left_alone_have_not() -> None:
    rounds = "\n".join(f"{ASK}a< 200 open:S{n}\n+ 2" for n in range(3))
    finding = only(talk(rounds, LATER, headers=FROM_PAGE, replies=allows("*")))
    assert (finding.name, finding.certainty, finding.occurrences) == ("cors-bad-combination", Certainty.LIKELY, 3)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 500])
def test_a_preflight_that_is_refused(status: int) -> None:
    wants = "Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: x-shop\r\n"
    played = talk("a> OPTIONS EIO=4&transport=polling", f"a< {status} no", headers=FROM_PAGE + wants)
    finding = only(played)
    assert finding.name == "cors-bad-combination"
    assert f"refused with {status}" in finding.title


WANTS = "Access-Control-Request-Method: GET\r\n"
ASK_FIRST = "a> OPTIONS EIO=4&transport=polling\na< 404 no\n"


def test_many_preflights_are_counted() -> None:
    assert only(talk((ASK_FIRST + "+ 5\n") * 30, headers=FROM_PAGE + WANTS)).occurrences == 30


@pytest.mark.parametrize(
    ("script", "headers", "agent"),
    [
        pytest.param(ASK_FIRST, FROM_PAGE + WANTS, "curl/8.5", id="somebody who only asks"),
        pytest.param(ASK_FIRST, WANTS, BROWSER, id="of no page"),
        pytest.param(ASK_FIRST + "b> GET EIO=4&transport=polling\nb< 200 open:S\nb> GET EIO=4&transport=polling&sid=S",
                     FROM_PAGE + WANTS, BROWSER, id="the browser sends it all the same"),
    ],
)  # fmt: skip
def test_preflights_that_keep_nothing_from_a_page(script: str, headers: str, agent: str) -> None:
    assert talk(script, LATER, headers=headers, agent=agent).names() == []


def test_a_page_that_gets_in_later_by_websocket() -> None:
    played = talk(ASK_FIRST, "+ 1", WEBSOCKET, 'w< 101\nw< open:S\nw> 40\nw< 40{"sid":"x"}', headers=FROM_PAGE + WANTS)
    finding = only(played)
    assert (finding.name, finding.severity) == ("cors-bad-combination", Severity.WARNING)
    assert finding.summary.endswith("is not sent. The client gets a session later.")


def test_what_a_client_of_another_revision_cannot_read_is_not_for_cors() -> None:
    rounds = "\n".join(f"a> GET EIO=3&transport=polling\na< 200 open:S{n}\n+ 2" for n in range(4))
    names = talk(rounds, LATER, headers=FROM_PAGE, replies=allows("*")).names()
    assert names[0].startswith("eio3-client-on-3.0-server")
    assert not any("cors" in name for name in names)


def test_a_preflight_behind_a_proxy_is_the_same_one() -> None:
    wants = "Access-Control-Request-Method: GET\r\nX-Forwarded-For: 10.0.0.7\r\n"
    played = Talk()
    played.connect("a", headers=FROM_PAGE + wants, agent=BROWSER)
    played.connect("i", client="10.0.0.2", headers=FROM_PAGE + wants, agent=BROWSER, server=BEHIND)
    script = "a> OPTIONS EIO=4&transport=polling&t=zbm9l2u6\ni> OPTIONS EIO=4&transport=polling&t=zbm9l2u6\n"
    finding = only(played.play(f"{script}i< 400 no\na< 400 no"))
    assert finding.occurrences == 1
    assert finding.clients == ["10.0.0.7"]


# ---------------------------------------------------------------- origins that a server refuses


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [
        ("file://", "example", "its library sends this Origin"),
        ("https://github.com/gilmaimon/TinyWebsockets", "example", "its library sends this Origin"),
        ("null", "example", "browsers name no origin"),
        ("wss://example", "example", "ws:// or wss://"),
        ("https://example", "example", "ends TLS"),
        ("http://example", "example", "changes Host"),
        ("http://example:8080", "example", "belongs to the origin"),
        ("http://shop.example", "127.0.0.1:3001", "under a name of its own"),
        ("http://shop.example", "example", "from another host"),
        ("http://example:8080", "example:5000", "from another host or port"),
    ],
)
def test_why_an_origin_is_not_the_servers_own(origin: str, host: str, expected: str) -> None:
    refused = f'a< 400 "{origin} is not an accepted origin."'
    headers = f"Origin: {origin}\r\n"
    played = Talk()
    played.connect("a", headers=headers if host == "example" else headers + f"X-Forwarded-Host: {host}\r\n")
    finding = only(played.play(ASK + refused).close())
    assert finding.name == "origin-rejected"
    assert expected in finding.why


def test_a_server_that_knows_of_tls_leaves_itself_out() -> None:
    headers = "Origin: https://example\r\nX-Forwarded-Proto: https\r\n"
    finding = only(talk(ASK, 'a< 400 "https://example is not an accepted origin."', headers=headers))
    assert "its setting cors_allowed_origins leaves out" in finding.why
    assert finding.fix == ['Server: cors_allowed_origins=["https://example"], exactly so.']


def test_a_client_that_is_accepted_later_is_a_warning() -> None:
    played = talk(ASK, 'a< 400 "Not an accepted origin."', "+ 2\n" + ASK + OPENED + POLL, headers=FROM_PAGE)
    assert only(played).severity is Severity.WARNING


# ---------------------------------------------------------------- servers that are open to all


def many(count: int, replies: bool = True) -> Talk:
    played = Talk()
    for n in range(count):
        origin = f"http://www.shop{n}"
        allowed = allows(origin, credentials=replies)
        played.connect(f"a{n}", agent=BROWSER, headers=f"Origin: {origin}\r\n", replies=allowed)
        played.play(
            f"a{n}> GET EIO=4&transport=polling\na{n}< 200 open:S{n}\na{n}> GET EIO=4&transport=polling&sid=S{n}"
        )
    return played.close()


def test_a_server_that_lets_every_origin_in() -> None:
    finding = only(many(3))
    assert (finding.name, finding.certainty) == ("cors-wide-open", Certainty.LIKELY)
    assert many(2).names() == []
    assert many(3, replies=False).names() == []


def test_a_host_that_a_proxy_changed_is_no_foreign_one() -> None:
    played = Talk()
    for n in range(4):
        headers = f"Origin: http://shop{n}.example\r\nX-Forwarded-For: 192.0.2.1\r\n{COOKIE}"
        played.connect(f"w{n}", agent=BROWSER, headers=headers)
        played.play(f'w{n}> WS EIO=4&transport=websocket\nw{n}< 101\nw{n}< open:S{n}\nw{n}> 40\nw{n}< 40{{"sid":"x"}}')
    assert played.close().names() == []


@pytest.mark.parametrize(
    "origins",
    [
        ["https://www.shop.example", "https://m.shop.example", "https://shop.example:8443", "http://shop.example"],
        ["http://localhost:3000", "http://127.0.0.1:5173", "http://localhost:8080", "https://shop.example"],
    ],
)
def test_origins_of_one_owner_are_what_the_server_is_for(origins: list[str]) -> None:
    played = Talk()
    for n, origin in enumerate(origins):
        played.connect(
            f"a{n}", agent=BROWSER, headers=f"Origin: {origin}\r\n", replies=allows(origin, credentials=True)
        )
        poll = f"a{n}> GET EIO=4&transport=polling&sid=S{n}"
        played.play(f"a{n}> GET EIO=4&transport=polling\na{n}< 200 open:S{n}\n{poll}")
    assert played.close().names() == []


@pytest.mark.parametrize("host", ["backend", "app:3000", "127.0.0.1:3000", "10.0.0.3:3000"])
def test_a_host_that_is_of_a_proxys_setting_is_no_foreign_one(host: str) -> None:
    played = Talk()
    for n in range(4):
        headers = f"Origin: https://www.shop{n}.example\r\n{COOKIE}"
        played.connect(f"w{n}", agent=BROWSER, headers=headers)
        played.wires[f"w{n}"].host = host
        played.play(f'w{n}> WS EIO=4&transport=websocket\nw{n}< 101\nw{n}< open:S{n}\nw{n}> 40\nw{n}< 40{{"sid":"x"}}')
    assert played.close().names() == []


def test_websockets_of_many_foreign_pages_are_let_in() -> None:
    played = Talk()
    for n in range(4):
        played.connect(f"w{n}", agent=BROWSER, headers=f"Origin: https://www.shop{n}.example\r\n{COOKIE}")
        played.wires[f"w{n}"].host = "chat.example"
        played.play(f'w{n}> WS EIO=4&transport=websocket\nw{n}< 101\nw{n}< open:S{n}\nw{n}> 40\nw{n}< 40{{"sid":"x"}}')
    assert only(played).name == "cors-wide-open"
