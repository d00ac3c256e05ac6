"""Rules on what answers show of caches, gateways and parsers: the traps that no recording has."""

import pytest

from eiosniff.model.finding import Certainty, Finding, Severity
from eiosniff.model.provenance import Side
from tests.rules.http_talk import ASK, FROM_PAGE, NGINX, OPENED, POLL, POST, WEBSOCKET, only, talk
from tests.unit.decode.talk_sessions import Talk

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
