"""Rules on what answers show of browsers, caches and gateways: the traps that no recording has."""

import pytest

from eiosniff.model.finding import Certainty, Finding, Severity
from eiosniff.model.provenance import Endpoint, Side
from tests.unit.decode.talk_sessions import Talk

ASK = "a> GET EIO=4&transport=polling\n"
OPENED = "a< 200 open:S\n"
POLL = "a> GET EIO=4&transport=polling&sid=S\n"
POST = "b> POST EIO=4&transport=polling&sid=S 40\n"
WEBSOCKET = "w> WS EIO=4&transport=websocket\n"
LATER = "+ 5\nz> GET -\nz< 404 -\n"  # somebody else, so that the capture goes on
PAGE = "http://shop.example"
FROM_PAGE = f"Origin: {PAGE}\r\n"
COOKIE = "Cookie: login=s3cret\r\n"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64)"
BEHIND = Endpoint("10.0.0.3", 3001)
NGINX = "Server: nginx/1.22.1\r\n"


def allows(origin: str, *, credentials: bool = False) -> str:
    lines = f"Access-Control-Allow-Origin: {origin}\r\n"
    return lines + ("Access-Control-Allow-Credentials: true\r\n" if credentials else "")


def talk(
    *parts: str, headers: str = "", replies: str = "", agent: str = BROWSER, wires: str = "abw", late: bool = False
) -> Talk:
    """The capture of these parts; all its connections have these headers, and their answers these replies."""
    played = Talk(late=late)
    for wire in wires:
        played.connect(wire, agent=agent, headers=headers, replies=replies)
    return played.play("\n".join(parts)).close()


def only(played: Talk) -> Finding:
    (diagnosis,) = played.diagnoses()
    return diagnosis.finding


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


# ---------------------------------------------------------------- gateways


@pytest.mark.parametrize("said", ["request checker err: no", "transport accept err: no"])
def test_go_socketio_says_502_itself(said: str) -> None:
    assert talk(ASK, f"a< 502 {said}", agent="").names() == []


def test_an_error_of_engineio_is_no_gateways() -> None:
    assert talk(ASK, 'a< 503 {"code":3,"message":"Bad request"}', agent="").names() == []


@pytest.mark.parametrize(
    ("replies", "expected"),
    [("", Certainty.LIKELY), (NGINX, Certainty.CERTAIN), ("X-Powered-By: Express\r\n", Certainty.POSSIBLE)],
)
def test_who_does_not_name_himself_may_be_the_application(replies: str, expected: Certainty) -> None:
    finding = only(talk(ASK, 'a< 503 {"message":"Service Unavailable"}', replies=replies, agent=""))
    assert (finding.name, finding.certainty) == ("gateway-5xx", expected)


@pytest.mark.parametrize(
    ("status", "replies", "wait", "expected"),
    [
        (521, "Server: cloudflare\r\ncf-ray: 1-FRA\r\n", 0, "Cloudflare answers 521"),
        (524, "Server: cloudflare\r\ncf-ray: 1-FRA\r\n", 100, "no answer from it within 100.0 s"),
        (526, "Server: cloudflare\r\ncf-ray: 1-FRA\r\n", 0, "do not agree on TLS"),
        (503, "Via: 1.1 vegur\r\n", 30, "no answer from it within 30.0 s"),
        (503, "Via: 1.1 vegur\r\n", 0, "knows of none that is alive"),
        (502, "Server: Apache\r\n", 60, "no answer from it within 60.0 s"),
        (502, NGINX, 3, "cannot get through"),
        (504, "", 30, "A proxy or load balancer answers 504"),
        (504, "", 0, "cannot get through"),
    ],
)
def test_what_a_status_says_depends_on_the_box_and_the_time(
    status: int, replies: str, wait: int, expected: str
) -> None:
    finding = only(talk(ASK, f"+ {wait}", f"a< {status} <html>", replies=replies, agent=""))
    assert finding.name == "gateway-5xx"
    assert expected in finding.title


def test_a_page_is_told_of_cors_where_a_gateway_fails() -> None:
    told = only(talk(ASK, "a< 502 <html>", headers=FROM_PAGE, replies=NGINX)).summary
    assert "tells the page of a CORS error" in told
    assert "CORS" not in only(talk(ASK, "a< 502 <html>", replies=NGINX)).summary


def test_websockets_that_fail_where_polling_works_are_another_matter() -> None:
    assert talk(ASK, OPENED, POLL, WEBSOCKET, "w< 502 <html>", replies=NGINX, agent="").names() == ["upgrade-rejected"]


def test_a_post_that_is_lost_while_the_poll_goes_on() -> None:
    finding = only(talk(ASK, OPENED, POLL, POST, "b< 502 <html>", "a< 200 2", replies=NGINX, agent=""))
    assert (finding.name, finding.severity) == ("gateway-5xx", Severity.WARNING)
    assert finding.summary.endswith("The session goes on.")


def test_a_server_that_restarts_is_away_for_a_moment() -> None:
    again = "+ 2\nc> GET EIO=4&transport=polling\nc< 200 open:T\nc> GET EIO=4&transport=polling&sid=T"
    assert talk(ASK, OPENED, POLL, "a< 502 <html>", again, replies=NGINX, agent="").names() == []


# ---------------------------------------------------------------- idle connections

IDLE = POST + "b< 200 ok\n"


def ended(after: str, *more: str) -> list[Finding]:
    played = talk(ASK, OPENED, IDLE, f"+ {after}\nb> POST EIO=4&transport=polling&sid=S 42[1]", *more, agent="")
    return [finding for finding in played.findings() if finding.name == "keepalive-race"]


def test_a_request_that_meets_the_end_of_its_connection() -> None:
    (finding,) = ended("4.99", "b< FIN")
    assert (finding.certainty, finding.severity) == (Certainty.LIKELY, Severity.ERROR)


@pytest.mark.parametrize(
    ("idle", "answer"),
    [
        pytest.param("5.4", "b< FIN", id="not after a round time"),
        pytest.param("0.3", "b< FIN", id="hardly idle"),
        pytest.param("4.99", "+ 3\nb< FIN", id="the server had it"),
        pytest.param("4.99", "b> FIN", id="the client ends it"),
        pytest.param("4.99", "b< 200 ok\nb< FIN", id="answered"),
    ],
)
def test_ends_that_meet_no_request(idle: str, answer: str) -> None:
    assert ended(idle, answer) == []


def test_a_request_after_the_end_of_the_server_needs_no_round_time() -> None:
    end_first = "+ 5.4\nb< FIN\nb> POST EIO=4&transport=polling&sid=S 42[1]\nb< RST"
    played = talk(ASK, OPENED, IDLE, end_first, agent="")
    (finding,) = (finding for finding in played.findings() if finding.name == "keepalive-race")
    assert finding.certainty is Certainty.CERTAIN


@pytest.mark.parametrize(
    "end",
    [
        pytest.param("b< FIN\na< 200 1\na< FIN", id="it says goodbye"),
        pytest.param("b< FIN\na< FIN", id="it is killed"),
    ],
)
def test_a_server_that_is_stopped_meets_requests_too(end: str) -> None:
    poll_and_post = f"{POLL}+ 4.99\nb> POST EIO=4&transport=polling&sid=S 42[1]"
    played = talk(ASK, OPENED, IDLE, poll_and_post, end, agent="")
    assert played.found("keepalive-race") is None


def test_such_a_request_shows_no_restart() -> None:
    end_first = "+ 5.4\nb< FIN\nb> POST EIO=4&transport=polling&sid=S 42[1]\nb< RST\n+ 1"
    unknown = 'c> GET EIO=4&transport=polling&sid=S\nc< 400 {"code":1,"message":"Session ID unknown"}'
    found = talk(ASK, OPENED, IDLE, end_first, unknown, agent="").findings()
    assert not any("restarted" in finding.title for finding in found)


# ---------------------------------------------------------------- caches


@pytest.mark.parametrize("replies", ["Age: 12\r\n", "Age: 0\r\nX-Cache: HIT\r\n", "Age: 3\r\ncf-cache-status: HIT\r\n"])
def test_a_poll_out_of_a_cache(replies: str) -> None:
    played = Talk()
    played.connect("a", replies=replies)
    assert only(played.play("b> GET EIO=4&transport=polling\nb< 200 open:S\n" + POLL + "a< 200 6").close()).name == (
        "poll-cached"
    )


@pytest.mark.parametrize("replies", ["Age: 0\r\n", "X-Cache: MISS\r\n", "cf-cache-status: DYNAMIC\r\n", "Age: x\r\n"])
def test_a_poll_that_passed_a_cache(replies: str) -> None:
    assert talk(ASK, OPENED, POLL, "a< 200 6", replies=replies, agent="").names() == []


def test_the_same_events_again_are_no_cache() -> None:
    assert talk(ASK, OPENED, POST, "b< 200 ok", (POLL + 'a< 200 42["tick"]\n') * 5, agent="").names() == []


def test_two_clients_with_one_session() -> None:
    played = Talk()
    for name, client in (("a", "10.0.0.7"), ("c", "10.0.0.8")):
        played.connect(name, client)
    script = ASK + OPENED + POLL + "+ 1\nc> GET EIO=4&transport=polling\nc< 200 open:S\n"
    finding = next(one for one in played.play(script).close().findings() if one.name == "poll-cached")
    assert "another handshake gets the same session" in finding.summary


def test_a_server_that_knows_its_client_by_a_cookie_is_no_cache() -> None:
    again = "a> GET EIO=4&transport=polling\na< 200 open:S\n"
    assert talk(ASK, OPENED, "+ 1", again, headers="Cookie: io=S\r\n", agent="").names() == []


def joined(wire: str) -> str:
    session = "EIO=4&transport=polling&sid=S"
    return f"""{wire}> GET EIO=4&transport=polling
{wire}< 200 open:S
{wire}> POST {session} 40
{wire}< 200 ok
{wire}> GET {session}
{wire}< 200 40{{"sid":"of-{wire}"}}
{wire}> POST {session} 1
{wire}< 200 ok
+ 60
"""


def test_a_server_that_makes_its_own_ids_is_no_cache() -> None:
    assert talk(joined("a"), joined("b"), agent="").names() == []


def test_an_id_that_comes_again_may_be_of_such_a_server() -> None:
    again = talk(ASK, OPENED, POLL, "+ 1\nb> GET EIO=4&transport=polling\nb< 200 open:S\n", agent="")
    finding = again.found("poll-cached")
    assert finding is not None
    assert finding.certainty is Certainty.LIKELY


def test_an_open_packet_of_revision_3_in_the_place_of_a_polls_answer() -> None:
    poll = "a> GET EIO=3&transport=polling&sid=S\na< 200 open3:S\n"
    finding = talk("a> GET EIO=3&transport=polling", "a< 200 open3:S", poll, poll, agent="").found("poll-cached")
    assert finding is not None
    assert (finding.certainty, finding.occurrences) == (Certainty.CERTAIN, 2)


def test_a_text_that_looks_like_an_open_packet_is_none() -> None:
    answer = 'a< 200 42["20{"sid":1}"]'
    assert talk(ASK, OPENED, POLL, answer, POLL, answer, agent="").found("poll-cached") is None


# ---------------------------------------------------------------- requests that no parser reads


def test_what_a_parser_quotes_is_not_told() -> None:
    quoted = "Invalid header value char:~  b'Cookie: login=s3cret'"
    finding = only(talk(ASK, f"a< 400 {quoted}", agent=""))
    assert finding.name == "http-malformed"
    assert "s3cret" not in str((finding.summary, finding.evidence, finding.fix))


def answered(response: str, headers: str = "") -> Finding:
    played = Talk()
    played.connect("a", headers=headers)
    played.play(ASK)
    wire = played.wires["a"]
    played._send(wire, Side.SERVER, response.replace("\n", "\r\n").encode())
    return only(played)


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        ("400 Bad Request", "", "it does not keep to HTTP"),
        ("400 Header Line Too Long", f"Cookie: {'x' * 9000}\r\n", "its header is too large"),
        ("414 Request URI Too Long", "", "its URL is too long"),
    ],
)
def test_gevent_and_eventlet_say_no_more_than_a_status(status: str, headers: str, expected: str) -> None:
    finding = answered(f"HTTP/1.1 {status}\nConnection: close\nContent-length: 0\n\n", headers)
    assert finding.name == "http-malformed"
    assert expected in finding.title


@pytest.mark.parametrize("said", ["Invalid HTTP Header: 's3cret'", "Obsolete line folding is unacceptable: 's3cret'"])
def test_gunicorn_says_on_a_page_what_it_does_not_read(said: str) -> None:
    page = f"<html>\n<head>\n<title>Bad Request</title></head><body><h1><p>Bad Request</p></h1>\n{said}\n</body></html>"
    head = "HTTP/1.1 400 Bad Request\nConnection: close\nContent-Type: text/html\n"
    finding = answered(f"{head}Content-Length: {len(page) + page.count(chr(10))}\n\n{page}")
    assert finding.name == "http-malformed"
    assert "s3cret" not in str((finding.title, finding.summary, finding.evidence, finding.fix))


@pytest.mark.parametrize("body", ["Bad Request", "no such room", '{"code":3,"message":"Bad request"}'])
def test_a_refusal_of_the_application_is_not_the_parsers(body: str) -> None:
    assert not any(name.startswith("http-malformed") for name in talk(ASK, f"a< 400 {body}", agent="").names())


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
