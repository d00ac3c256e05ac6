"""Facts of HTTP requests and responses that the session ledgers keep: what was asked for, and who seems to speak."""

import re
from typing import Final
from urllib.parse import unquote_plus

from eiosniff.decode.socketio.packets import decode_packet
from eiosniff.model.attempt import AnswerFacts, RequestFacts
from eiosniff.model.engineio import EioPacket, EioType, Transport
from eiosniff.model.http import TEXT_LIMIT, WEBSOCKET_PROTOCOL, HttpRequest, HttpResponse, Query, text_of
from eiosniff.model.peers import Server
from eiosniff.model.socketio import SioPacket
from eiosniff.model.websocket import WsMessage

SWITCHING: Final = 101
_QUERY_LIMIT: Final = 64
_HEADERS_READ: Final = 100
_COOKIES_KEPT: Final = 16  # of one message
_COOKIES_READ: Final = 4096  # bytes
_ORIGINS_KEPT: Final = 4
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,60}")  # RFC 9110, section 5.1: that of a header
_BARE_LF: Final = re.compile(rb"(?<!\r)\n")
_CACHE_HEADERS: Final = (b"cf-cache-status", b"x-cache", b"x-cache-status")
_WEBTRANSPORT_REVISION: Final = "4"  # no other has it; the URL does not say
_ENGINE_PATHS: Final = ("/socket.io", "/engine.io")
# What a WebSocket may go on with in its middle, if its messages are Engine.IO; messages have a check of their own.
_BARE_PACKETS: Final = (b"1", b"2", b"3", b"5", b"6", b"2probe", b"3probe")


def query_of(request: HttpRequest) -> Query:
    """The request target, split; asked for when the request comes, and when its answer does."""
    query = request.query
    if query is None:
        query = request.query = parse_target(request.target)
    return query


def parse_target(target: bytes) -> Query:
    """Split a request target (origin form or, to a forward proxy, absolute form: RFC 9112, section 3.2)."""
    text = target[:8192].decode("latin-1")
    path, _, query = text.partition("?")
    if "://" in path[:8]:
        path = "/" + path.split("://", 1)[1].partition("/")[2]
    coded = "%" in query or "+" in query
    parameters: list[tuple[str, str]] = []
    for pair in query.split("&", _QUERY_LIMIT)[:_QUERY_LIMIT]:
        if pair:
            name, _, value = pair.partition("=")
            if coded:
                name, value = unquote_plus(name), unquote_plus(value)
            parameters.append((name[:TEXT_LIMIT], value[:TEXT_LIMIT]))
    return Query(path[:TEXT_LIMIT], tuple(parameters))


def is_upgrade(request: HttpRequest) -> bool:
    """Whether the request asks for a WebSocket (RFC 6455, section 4.1; over HTTP/2 RFC 8441, section 5)."""
    upgrade = request.header(b"upgrade")
    return request.protocol == WEBSOCKET_PROTOCOL or (upgrade is not None and b"websocket" in upgrade.lower())


def is_webtransport(request: HttpRequest) -> bool:
    """Whether the request asks for WebTransport: of those over HTTP/3, only that is told that says CONNECT."""
    return request.method == b"CONNECT" and request.version == b"3"


def may_be_engineio(request: HttpRequest) -> bool:
    """Whether the bodies of an exchange may hold Engine.IO: cheap, and asked for every request of every connection."""
    target = request.target
    # `/1/`: Socket.IO 0.9, see `socketio.packets09`.
    return b"EIO=" in target or b"transport=" in target or b"sid=" in target or b"/1/" in target


def is_engineio(query: Query, upgrade: bool) -> bool:
    """Whether a request is one of Engine.IO, by what it says: by its parameters, whatever port and path.

    A WebSocket request without any of them counts on the default paths: hand-written clients forget the parameters.
    """
    if query.first("EIO") is not None or query.first("transport") is not None:
        return True
    return (upgrade or query.first("sid") is not None) and query.path.startswith(_ENGINE_PATHS)


def is_engineio_text(text: bytes, message: WsMessage) -> bool:
    """Whether a text message of a WebSocket without a handshake is Engine.IO, and not just a text that begins so."""
    if not text.startswith(b"4"):
        return text in _BARE_PACKETS or text.startswith(b"0{")
    data = text[1:]
    packet = EioPacket(EioType.MESSAGE, data, False, message.side, Transport.WEBSOCKET, message.last, message.packets)
    return not data[:1].isdigit() or isinstance(decode_packet(packet), SioPacket)


def request_facts(request: HttpRequest, query: Query, upgrade: bool, channel: int) -> RequestFacts:
    """What the ledgers keep of a handshake request."""
    webtransport = is_webtransport(request)
    return RequestFacts(
        place=request.last,
        channel=channel,
        method=_text(request.method),
        target=_text(request.target),
        path=query.path,
        query=query.parameters,
        eio=_WEBTRANSPORT_REVISION if webtransport else query.first("EIO"),
        transports=(Transport.WEBTRANSPORT.value,) if webtransport else query.all("transport"),
        upgrade=upgrade,
        user_agent=_text(request.header(b"user-agent")),
        origin=_optional(request.header(b"origin")),
        host=_text(request.header(b"host")),
        subprotocol=_optional(request.header(b"sec-websocket-protocol")),
        extensions=_optional(request.header(b"sec-websocket-extensions")),
        header_names=request.fields.names(),
        version=_text(request.version),
        connection=_optional(request.header(b"connection")),
        cookies=cookie_names(request),
        head_bytes=len(request.head),
        fetches=request.header(b"sec-fetch-mode") is not None,
        asks_headers=_optional(request.header(b"access-control-request-headers")),
        forwarded_proto=_optional(request.header(b"x-forwarded-proto")),
        forwarded_host=_optional(request.header(b"x-forwarded-host")),
    )


def cookie_names(request: HttpRequest) -> tuple[str, ...]:
    """The names of the cookies that a request carries (RFC 6265, section 4.2); empty for one that is a value alone."""
    value = request.header(b"cookie")
    if not value:
        return ()
    pairs = value[:_COOKIES_READ].split(b";")[:_COOKIES_KEPT]
    return tuple([_cookie_name(pair) for pair in pairs])


def _cookie_name(pair: bytes) -> str:
    """What stands before the `=`; what has none is a value, and no name."""
    name, equals, _ = pair.partition(b"=")
    return _text(name.strip()) if equals else ""


def answer_facts(response: HttpResponse) -> AnswerFacts:
    """What the ledgers keep of an answer to a handshake request, or of one that is out of the ordinary."""
    set_cookies: list[tuple[str, str]] = []
    origins: list[str] = []
    for name, value in response.headers()[:_HEADERS_READ]:
        name = name.lower()
        if name == b"set-cookie" and len(set_cookies) < _COOKIES_KEPT:
            set_cookies.append((_cookie_name(value.partition(b";")[0]), _text(value)))
        elif name == b"access-control-allow-origin" and len(origins) < _ORIGINS_KEPT:
            origins.append(_text(value))
    allowed = response.fields.members(b"access-control-allow-headers")
    return AnswerFacts(
        place=response.last,
        status=response.status,
        version=_text(response.version),
        header_names=response.fields.names(),
        server=_optional(response.header(b"server")),
        via=_optional(response.header(b"via")),
        location=_optional(response.header(b"location")),
        content_type=_optional(response.header(b"content-type")),
        connection=_optional(response.header(b"connection")),
        upgrade=_optional(response.header(b"upgrade")),
        subprotocol=_optional(response.header(b"sec-websocket-protocol")),
        cookies=tuple(set_cookies),
        last=is_last(response),
        allow_origin=tuple(origins),
        allow_credentials=_optional(response.header(b"access-control-allow-credentials")),
        allow_headers=_text(b",".join(allowed)) if allowed else None,
        cached=cached_words(response),
        accepts=response.status == SWITCHING or response.accepts_websocket,
    )


def cached_words(response: HttpResponse) -> str:
    """The header by which a cache says that it answered by itself, else nothing (RFC 9111, section 5.1; the others are
    those of CDNs)."""
    for header in _CACHE_HEADERS:
        value = response.header(header)
        if value is not None and value[:8].lower().find(b"hit") >= 0:
            return f"{header.decode()}: {_text(value)}"
    age = response.header(b"age")
    return f"age: {_text(age)}" if age is not None and age.isdigit() and int(age[:9]) > 0 else ""


def odd_head(head: bytes) -> str:
    """How the header of a request departs from HTTP, in words that hold no values (RFC 9112, sections 2.2 and 5; RFC
    9110, section 5.5); empty if it does not."""
    if _BARE_LF.search(head) is not None:  # then what stands before a colon may be a piece of a value
        return "lines that end with LF instead of CR LF"
    for line in head.split(b"\n")[1:_HEADERS_READ]:
        if line[:1] in (b" ", b"\t"):
            return "a header that goes on in the next line"  # of which anything may be a value
        name, colon, value = line.partition(b":")
        bare = name.strip()
        shown = f"the header {text_of(bare)}" if _NAME.fullmatch(bare) is not None else "a header"
        control = _CONTROL.search(value[:-1] if value.endswith(b"\r") else value)
        if control is not None:
            return f"a control character (0x{value[control.start()]:02x}) in {shown}"
        if colon and (not bare or bare != name):
            return f"white space around the name of {shown}" if bare else "a header without a name"
    return ""


def is_last(response: HttpResponse) -> bool:
    """Whether a response says that its connection ends after it (RFC 9112, section 9.3)."""
    options = response.fields.members(b"connection")
    if b"close" in options:
        return True
    return response.version == b"1.0" and b"keep-alive" not in options


def note_server(server: Server, response: HttpResponse) -> None:
    """Keep what tells a server's library, from its first answers (marks are named in `knowledge/servers.toml`)."""
    marks = server.marks
    for mark, header in _SERVER_HEADERS:
        if mark not in marks:
            value = response.header(header)
            if value is not None:
                marks[mark] = _text(value)
    if "allows-credentials-only" not in marks and response.header(b"access-control-allow-credentials") is not None:
        bare = response.header(b"access-control-allow-origin") is None
        marks["allows-credentials-only"] = "yes" if bare else "no"
    if response.status >= 300 and "refusal-headers" not in marks:
        marks["refusal-headers"] = _text(b",".join(name for name, _ in response.headers()))


_SERVER_HEADERS: Final = (
    ("server", b"server"),
    ("via", b"via"),
    ("cache-control", b"cache-control"),
    ("set-cookie", b"set-cookie"),
    ("uwebsockets", b"uwebsockets"),
)


def _text(value: bytes | None) -> str:
    return text_of(value) if value else ""


def _optional(value: bytes | None) -> str | None:
    return None if value is None else _text(value)
