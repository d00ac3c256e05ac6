"""Each sign of a proxy, and each name of a cookie, is held against a recording or what is documented of it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest

from eiosniff.knowledge import advice, boxes
from eiosniff.knowledge.boxes import Box, Cookie, Page
from eiosniff.knowledge.library import load_advice
from eiosniff.model.attempt import AnswerFacts, RequestFacts
from eiosniff.model.provenance import PacketRef
from eiosniff.model.session import Session
from eiosniff.rules.boxes import UNNAMED
from tests.cases import RECORDED
from tests.unit.knowledge import documented_boxes
from tests.unit.knowledge.peers import identified, request

BOXES = boxes.load().boxes
BY_NAME = {box.name: box for box in BOXES}
COLLECTIONS = ("proxied", "faulty")
Sign = tuple[str, str]  # the name of a box, and the kind of a sign
SIGNS = {f"{box.name}, {kind}": (box.name, kind) for box in BOXES for kind in [kind for kind, _ in box.answer]}
SIGNS |= {f"{box.name}, request": (box.name, boxes.REQUEST) for box in BOXES if box.request}


def answer(lines: tuple[str, ...], body: str = "") -> AnswerFacts:
    """An answer with these header lines, and the beginning of its body."""
    fields = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    values = {name.lower(): value for name, value in fields}
    return AnswerFacts(
        place=PacketRef(5, 0),
        status=400,
        version="1.1",
        header_names=tuple(name for name, _ in fields),
        server=values.get("server"),
        via=values.get("via"),
        location=None,
        content_type=None,
        connection=None,
        upgrade=None,
        subprotocol=None,
        cookies=(),
        last=False,
        body=body.encode(),
    )


def shows(answered: AnswerFacts, box: Box) -> Iterator[Sign]:
    """The signs of this box that an answer shows, be it the first that names it or not."""
    for kind, _ in box.answer:
        alone = replace(
            answered,
            header_names=answered.header_names if kind == "headers" else (),
            server=answered.server if kind == "server" else None,
            via=answered.via if kind == "via" else None,
            body=answered.body if kind == "page" else b"",
        )
        found = boxes.answered_by(alone)
        if found is not None and found[0] is box:
            yield box.name, kind


def facts(session: Session) -> Iterator[AnswerFacts | RequestFacts]:
    """The requests and answers of a session that rules look at."""
    if session.attempt is not None:
        yield session.attempt.request
        if session.attempt.answered is not None:
            yield session.attempt.answered
    for tried in session.upgrades:
        yield tried.request
        if tried.answered is not None:
            yield tried.answered
    for refused in session.refusals:
        yield refused.answered


@cache
def recorded() -> frozenset[Sign]:
    """The signs that recordings show; of `request` only those in requests for a WebSocket."""
    found: set[Sign] = set()
    for capture in (path for name in COLLECTIONS for path in sorted((RECORDED / name).glob("*.pcap"))):
        ledgers = identified(capture)
        seen = [item for session in ledgers.sessions for item in facts(session)]
        for client in ledgers.clients.values():
            for attempt in (attempt for group in client.attempts.values() for attempt in group):
                seen += [attempt.request, *([attempt.answered] if attempt.answered is not None else [])]
        for item in seen:
            if isinstance(item, AnswerFacts):
                found.update(sign for box in BOXES for sign in shows(item, box))
            elif (box := boxes.forwarded_by(item)) is not None and "websocket" in item.transports:
                found.add((box.name, boxes.REQUEST))
    return frozenset(found)


@cache
def documented() -> frozenset[Sign]:
    found = {
        sign for lines, body, name in documented_boxes.ANSWERS for sign in shows(answer(lines, body), BY_NAME[name])
    }
    return frozenset(found | {(name, boxes.REQUEST) for _, name in documented_boxes.REQUESTS if name is not None})


@pytest.mark.parametrize("sign", SIGNS.values(), ids=SIGNS)
def test_each_sign_has_a_case(sign: Sign) -> None:
    assert sign in recorded() | documented()


@pytest.mark.parametrize("box", BOXES, ids=BY_NAME)
def test_sources_say_what_was_recorded(box: Box) -> None:
    assert box.source.startswith("recorded") == any(name == box.name for name, _ in recorded()), box.source


@pytest.mark.parametrize(("lines", "body", "name"), documented_boxes.ANSWERS)
def test_an_answer_names_its_box(lines: tuple[str, ...], body: str, name: str) -> None:
    found = boxes.answered_by(answer(lines, body))
    assert found is not None
    assert found[0].name == name


@pytest.mark.parametrize(("lines", "body"), documented_boxes.NO_BOX)
def test_servers_and_their_pages_are_no_box(lines: tuple[str, ...], body: str) -> None:
    assert boxes.answered_by(answer(lines, body)) is None


@pytest.mark.parametrize(("lines", "name"), documented_boxes.REQUESTS)
def test_a_request_names_the_box_that_passed_it_on(lines: tuple[str, ...], name: str | None) -> None:
    box = boxes.forwarded_by(request("/socket.io/?EIO=4&transport=websocket", *lines))
    assert (box.name if box is not None else None) == name


@pytest.mark.parametrize(("body", "name"), documented_boxes.PAGES)
def test_a_page_names_whose_it_is(body: str, name: str | None) -> None:
    page = boxes.page_of(body.encode())
    assert (page.id if page is not None else None) == name


@pytest.mark.parametrize("page", boxes.load().pages, ids=lambda page: page.id)
def test_each_page_has_a_case(page: Page) -> None:
    assert page.id in {name for _, name in documented_boxes.PAGES}


def test_server_tells_more_than_via_and_both_more_than_the_page() -> None:
    page = f"{documented_boxes.NGINX_404}<hr><center>nginx</center>"
    for lines, name in (
        (("Server: Apache", "Via: 1.1 varnish (Varnish/7.1)"), "Apache httpd"),
        (("Server: Cowboy", "Via: 1.1 vegur"), "the router of Heroku"),
        (("Via: 1.1 google",), "a Google load balancer"),
    ):
        found = boxes.answered_by(answer(lines, page))
        assert found is not None
        assert found[0].name == name


@pytest.mark.parametrize("header", boxes.load().forwarded)
def test_headers_that_proxies_add_are_known_in_any_spelling(header: str) -> None:
    assert boxes.forwarded_headers(request("/", "Host: h", f"{header.upper()}: x")) == {header}


@pytest.mark.parametrize("cookie", boxes.load().affinity, ids=lambda entry: entry.name.pattern)
def test_each_cookie_of_a_balancer_has_a_case(cookie: Cookie) -> None:
    assert any(cookie.name.search(name) for name in documented_boxes.AFFINITY)


@pytest.mark.parametrize("cookie", boxes.load().application, ids=lambda entry: entry.name.pattern)
def test_each_cookie_of_an_application_has_a_case(cookie: Cookie) -> None:
    assert any(cookie.name.search(name) for name in documented_boxes.APPLICATION)


@pytest.mark.parametrize("name", documented_boxes.AFFINITY)
def test_cookies_of_balancers(name: str) -> None:
    assert boxes.is_affinity(name)
    assert boxes.is_affinity(name.upper())
    assert not boxes.is_application(name)


@pytest.mark.parametrize("name", documented_boxes.APPLICATION)
def test_cookies_of_applications(name: str) -> None:
    assert boxes.is_application(name)
    assert not boxes.is_affinity(name)


@pytest.mark.parametrize("name", documented_boxes.NOBODYS)
def test_cookies_whose_owner_a_name_does_not_tell(name: str) -> None:
    assert not boxes.is_affinity(name)
    assert not boxes.is_application(name)


def test_everything_has_a_source() -> None:
    known = boxes.load()
    sources = [box.source for box in known.boxes]
    sources += [page.source for page in known.pages]
    sources += [cookie.source for cookie in (*known.affinity, *known.application)]
    assert all(sources)
    assert all(known.forwarded.values())


@pytest.mark.parametrize(
    ("box", "status", "expected"),
    [
        ("Envoy", 403, "upgrade_configs"),
        ("an AWS load balancer", 403, "actions_executed"),
        ("an AWS load balancer", 503, "healthy targets"),
        ("Cloudflare", 403, "WAF"),
        ("Cloudflare", 502, "WebSockets are on"),
        ("Microsoft IIS", 400, "WebSocket Protocol"),
    ],
)
def test_who_refuses_an_upgrade_gets_advice_of_its_own(box: str, status: int, expected: str) -> None:
    told = advice("upgrade-rejected", None, None, {"box": box, "status": status})
    assert any(expected in text for text in told)


@pytest.mark.parametrize("box", ["Azure Application Gateway", "an AWS load balancer", "Envoy"])
def test_a_box_that_passes_upgrades_on_unasked_is_not_told_to(box: str) -> None:
    assert not advice("upgrade-headers-stripped", None, None, {"box": box})


def test_advice_for_a_box_is_for_one_that_is_known() -> None:
    """A name that is misspelt in `when` would never be met."""
    names = [*BY_NAME, UNNAMED]
    for entry in load_advice():
        for name, expression in entry.when:
            if name == "box" and '"' not in expression.pattern:
                assert any(re.search(expression, box) for box in names), expression.pattern
