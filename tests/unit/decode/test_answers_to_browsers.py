"""What the ledgers keep of CORS, preflights, caches, and of answers that are seen on both sides of a proxy."""

import pytest

from eiosniff.decode.facts import odd_head
from eiosniff.model.cors import Blocked, preflight_check
from eiosniff.model.provenance import Endpoint
from tests.unit.decode.talk_sessions import Talk

ASK = "a> GET EIO=4&transport=polling"
ASK_IT = f"{ASK}\na< 200 open:S"
POLL = "a> GET EIO=4&transport=polling&sid=S"
BEHIND = Endpoint("10.0.0.3", 3001)
PREFLIGHT = "Origin: http://shop.example\r\nAccess-Control-Request-Method: GET\r\n"
ORIGIN = "Access-Control-Allow-Origin: http://shop.example\r\n"


@pytest.fixture(params=[False, True], ids=["packet by packet", "in one batch"])
def late(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_what_an_answer_allows(late: bool) -> None:
    talk = Talk(late=late)
    replies = f"{ORIGIN}access-control-allow-origin: *\r\nAccess-Control-Allow-Credentials: true\r\nAge: 0\r\n"
    talk.connect("a", headers="Origin: http://shop.example\r\nSec-Fetch-Mode: cors\r\n", replies=replies)
    attempt = talk.play(ASK_IT).close().session.attempt
    assert attempt is not None
    assert attempt.answered is not None
    assert attempt.request.fetches
    assert attempt.answered.allow_origin == ("http://shop.example", "*")
    assert (attempt.answered.allow_credentials, attempt.answered.cached) == ("true", "")


def test_many_origins_are_not_all_kept() -> None:
    talk = Talk()
    talk.connect("a", replies="Access-Control-Allow-Origin: *\r\n" * 50)
    attempt = talk.play(ASK_IT).close().session.attempt
    assert attempt is not None
    assert attempt.answered is not None
    assert len(attempt.answered.allow_origin) == 4


@pytest.mark.parametrize(
    ("asks", "status", "replies", "expected"),
    [
        ("", 204, ORIGIN, None),
        ("", 200, "", Blocked.MISSING),
        ("", 404, ORIGIN, Blocked.STATUS),
        ("x-shop", 204, ORIGIN, Blocked.HEADERS),
        ("x-shop", 204, ORIGIN + "Access-Control-Allow-Headers: Content-Type, X-Shop\r\n", None),
        ("x-shop,x-other", 204, ORIGIN + "Access-Control-Allow-Headers: X-Shop\r\n", Blocked.HEADERS),
        ("x-shop", 204, ORIGIN + "Access-Control-Allow-Headers: *\r\n", None),
        ("authorization", 204, ORIGIN + "Access-Control-Allow-Headers: *\r\n", Blocked.HEADERS),
    ],
)
def test_preflights_that_no_handshake_follows(
    asks: str, status: int, replies: str, expected: Blocked | None, late: bool
) -> None:
    talk = Talk(late=late)
    headers = PREFLIGHT + (f"Access-Control-Request-Headers: {asks}\r\n" if asks else "")
    talk.connect("a", headers=headers, replies=replies)
    talk.play(f"a> OPTIONS EIO=4&transport=polling\na< {status} -").close()
    kept = [preflight for client in talk.sessions.clients.values() for preflight in client.preflights]
    assert [preflight_check(preflight.asked, preflight.answered) for preflight in kept] == (
        [expected] if expected else []
    )


def test_an_answer_that_came_too_late(late: bool) -> None:
    talk = Talk(late=late)
    attempt = talk.play(f"{ASK}\na> FIN\na< 200 open:S").close().session.attempt
    assert attempt is not None
    assert attempt.abandoned


def test_a_sid_that_was_given_out_before(late: bool) -> None:
    talk = Talk(late=late)
    talk.play(f"{ASK_IT}\nb> GET EIO=4&transport=polling\nb< 200 open:S").close()
    given = [session.attempt.given_before for session in talk.sessions.sessions if session.attempt]
    assert [place and place.number for place in given] == [None, 2]


def test_answers_that_come_twice(late: bool) -> None:
    joined = f'{POLL}\na< 200 40{{"sid":"x"}}'
    polling = Talk(late=late).play(f"{ASK_IT}\n{joined}\n{joined}\n{POLL}\na< 200 open:S").close().session.polling
    assert polling.cached is not None
    assert [answer.answer.number for answer in polling.cached] == [6, 8]


@pytest.mark.parametrize("body", ["2", "6", '42["tick"]', '40/admin,{"sid":"x"}'])
def test_answers_that_may_come_twice(body: str, late: bool) -> None:
    polling = Talk(late=late).play(f"{ASK_IT}\n" + f"{POLL}\na< 200 {body}\n" * 3).close().session.polling
    assert polling.cached is None


def test_how_long_a_proxy_holds_answers_back(late: bool) -> None:
    talk = Talk(late=late)
    forwarded = "X-Forwarded-For: 10.0.0.7\r\n"
    talk.connect("i", client="10.0.0.2", server=BEHIND, headers=forwarded)
    ask = ASK + "&t=zbm9l2u6"
    talk.play(f"{ask}\n{ask.replace('a>', 'i>', 1)}\ni< 200 open:S\na< 200 open:S")
    for wait, body in ((2, '42["a"]'), (3, "2"), (1, "2")):
        talk.play(f"{POLL}\n{POLL.replace('a>', 'i>', 1)}\ni< 200 {body}\n+ {wait}\na< 200 {body}")
    polling = talk.close().session.polling
    assert polling.held is not None
    assert polling.slowest is not None
    assert polling.held.count == 3
    assert [round(polling.held.quantile(share) / 1e9) for share in (0, 0.5, 1)] == [1, 2, 3]
    assert polling.slowest.left.number == 11


def test_a_request_on_a_connection_that_the_server_had_ended(late: bool) -> None:
    post = "b> POST EIO=4&transport=polling&sid=S 42[1]"
    (cut,) = Talk(late=late).play(f"{ASK_IT}\n{post}\nb< 200 ok\nb< FIN\n{post}\nb< RST").close().session.polls_cut
    assert (cut.request.number, cut.after and cut.after.number, cut.too_late, cut.by.label) == (6, 4, True, "server")


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: a\tb", ""),
        (b"GET / HTTP/1.1\nHost: h\nX: a", "lines that end with LF instead of CR LF"),
        (b"GET / HTTP/1.1\r\nHost: h\r\nCookie: secret\x01", "a control character (0x01) in the header Cookie"),
        (b"GET / HTTP/1.1\r\nHost : h", "white space around the name of the header Host"),
        (b"GET / HTTP/1.1\r\n: h", "a header without a name"),
        # What is no name may be a piece of a value.
        (b"GET / HTTP/1.1\r\nCookie: a=1;\r\n secret:b", "a header that goes on in the next line"),
        (b"GET / HTTP/1.1\r\nBearer secret : b", "white space around the name of a header"),
        (b"GET / HTTP/1.1\r\nX: a\nsecret : b\x01", "lines that end with LF instead of CR LF"),
        (b"", ""),
    ],
)
def test_how_a_header_departs_from_http(head: bytes, expected: str) -> None:
    assert odd_head(head) == expected


def test_a_cookie_without_a_name_is_not_taken_for_one() -> None:
    talk = Talk()
    talk.connect("a", headers="Cookie: s3cret; theme=dark\r\n", replies="Set-Cookie: s3cret; Path=/a=b\r\n")
    attempt = talk.play(ASK_IT).close().session.attempt
    assert attempt is not None
    assert attempt.answered is not None
    assert attempt.request.cookies == ("", "theme")
    assert [name for name, _ in attempt.answered.cookies] == [""]


def test_origins_that_a_server_lets_in_are_bounded() -> None:
    talk = Talk()
    for n in range(30):
        origin = f"http://shop{n}.example"
        replies = f"Access-Control-Allow-Origin: {origin}\r\nAccess-Control-Allow-Credentials: true\r\n"
        talk.connect(f"a{n}", agent="Mozilla/5.0", headers=f"Origin: {origin}\r\n", replies=replies)
        talk.play(f"a{n}> GET EIO=4&transport=polling\na{n}< 200 open:S{n}")
    (server,) = talk.close().sessions.servers.values()
    assert len(server.origins) == 8
