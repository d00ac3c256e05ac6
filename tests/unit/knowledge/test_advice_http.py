"""What a user is told to change about gateways, caches, origins: by the box and the library at hand."""

import pytest

from eiosniff.knowledge import advice
from eiosniff.model.peers import Client, Identity, Server
from tests.unit.knowledge.peers import HERE, THERE


def told(rule: str, client: str = "", server: str = "", **values: object) -> list[str]:
    here = Client(HERE.address, "", THERE, identity=Identity(client, client) if client else None)
    there = Server(THERE, identity=Identity(server, server) if server else None)
    return advice(rule, here, there, values)


@pytest.mark.parametrize(
    ("box", "reason", "status", "expected"),
    [
        ("nginx", "away", 502, "error log of nginx"),
        ("nginx", "late", 504, "proxy_read_timeout"),
        ("HAProxy", "none", 503, "option httpchk"),
        ("HAProxy", "late", 504, "timeout server"),
        ("Apache httpd", "none", 503, "retry=0"),
        ("Apache httpd", "late", 502, "ProxyTimeout"),
        ("an AWS load balancer", "none", 503, "no healthy target"),
        ("an AWS load balancer", "late", 504, "idle timeout"),
        ("Cloudflare", "away", 521, "DNS settings"),
        ("Cloudflare", "late", 524, "100 s"),
        ("the router of Heroku", "late", 503, "H12"),
        ("the proxy of a development server", "away", 504, "devServer.proxy"),
    ],
)
def test_whose_error_it_is_decides_what_to_change(box: str, reason: str, status: int, expected: str) -> None:
    texts = told("gateway-5xx", box=box, reason=reason, status=status)
    assert len(texts) == 1
    assert expected in texts[0]


def test_a_gateway_that_shows_nothing_gets_the_advice_of_the_rule() -> None:
    assert told("gateway-5xx", box="a proxy or load balancer", reason="late", status=504) == []


@pytest.mark.parametrize(
    ("client", "server", "reason", "expected"),
    [
        ("arduinoWebSockets", "", "library", ["setExtraHeaders"]),
        ("arduinoWebSockets", "python-socketio", "library", ["setExtraHeaders", 'cors_allowed_origins=["file://"']),
        ("gilmaimon-ArduinoWebsockets", "", "library", ["addHeader"]),
        ("socket.io-client-swift", "", "websocket", [".extraHeaders"]),
        ("arduinoWebSockets", "python-socketio", "other", []),
    ],
)
def test_an_origin_that_a_library_makes_up_is_changed_there(
    client: str, server: str, reason: str, expected: list[str]
) -> None:
    texts = told("origin-rejected", client, server, reason=reason)
    assert len(texts) == len(expected)
    assert all(part in text for part, text in zip(expected, texts, strict=True))


@pytest.mark.parametrize(("server", "expected"), [("socket.io", "headersTimeout"), ("python-socketio", "gunicorn")])
def test_a_server_is_told_how_to_keep_connections(server: str, expected: str) -> None:
    (text,) = told("keepalive-race", server=server)
    assert expected in text


@pytest.mark.parametrize(
    ("box", "expected"),
    [("nginx", "proxy_cache off"), ("Apache httpd", "CacheDisable"), ("CloudFront", "CachingDisabled")],
)
def test_a_cache_is_told_what_to_pass_by(box: str, expected: str) -> None:
    (text,) = told("poll-cached", box=box)
    assert expected in text


def test_headers_that_are_too_large_for_nginx() -> None:
    assert any("large_client_header_buffers" in text for text in told("http-malformed", box="nginx", reason="large"))
    assert told("http-malformed", "arduinoWebSockets", box="", reason="malformed")[0].startswith(
        "Client: setExtraHeaders"
    )


@pytest.mark.parametrize(
    ("how", "expected"), [("closed", "io.engine.use"), ("refused", "sessionStream"), ("unsupported", "past the CDN")]
)
def test_a_server_is_told_why_clients_get_no_webtransport(how: str, expected: str) -> None:
    texts = told("webtransport-refused", "socket.io-client-js-browser", "socket.io", how=how)
    assert "to go round it" in texts[0]
    assert expected in texts[1]
    assert len(texts) == 2
    assert told("webtransport-refused", how=how) == []  # the rule has its own


@pytest.mark.parametrize(("side", "expected"), [("client", "/socket.io/socket.io.js"), ("server", "npm install")])
def test_who_frames_as_before_is_to_be_upgraded(side: str, expected: str) -> None:
    libraries = ("socket.io-client-js-browser", "socket.io")
    (text,) = told("webtransport-framing", *libraries, side=side, framing="wt-old-framing")
    assert expected in text
    assert told("webtransport-framing", *libraries, side=side, framing="wt-bad-length") == []
