"""Socket.IO 0.9 (0.7 to 0.9, before Engine.IO): its addresses, its handshake, its packets, and how polling frames them.

    handshake   GET <resource>/1/?t=<ms>, answered <sid>:<heartbeat timeout>:<close timeout>:<transports>
    session     <resource>/1/<transport>/<sid>
    packet      <type>:[<id>[+]]:[<endpoint>][:<data>]
    payload     one packet as it is; of more, each as U+FFFD <length> U+FFFD <packet>

Source: https://github.com/LearnBoost/socket.io-spec, and where it is silent lib/parser.js, lib/manager.js and
lib/transports of socket.io 0.9.19.
"""

import json
import re
from typing import Final, final
from urllib.parse import unquote_to_bytes

import msgspec

from eiosniff.decode.engineio.payload import split_counted, unquote_literal
from eiosniff.decode.socketio.json_shapes import Event09Shape
from eiosniff.model.engineio import OpenPacket
from eiosniff.model.http import Query
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.socketio import SioPacket, SioType

MARK: Final = b"/1/"  # in every request target: the number of the protocol
TRANSPORTS: Final = frozenset({"websocket", "flashsocket", "htmlfile", "xhr-polling", "jsonp-polling"})
MAX_HANDSHAKE: Final = 512  # bytes; sid, two numbers and the names of all transports have 100
MAX_TRANSPORTS: Final = 16
MS_PER_S: Final = 1000


@final
class Target:
    """What a request is about. `transport` and `sid` are empty for a handshake, `transport` alone for a farewell."""

    __slots__ = ("resource", "sid", "transport")

    def __init__(self, resource: str, transport: str, sid: str) -> None:
        self.resource = resource
        self.transport = transport
        self.sid = sid


_PATH: Final = re.compile(
    r"(.*)/1/(?:(websocket|flashsocket|htmlfile|xhr-polling|jsonp-polling|)/([^/]+)/?)?", re.DOTALL
)


def parse_target(query: Query) -> Target | None:
    """What a request is about if it may be one of Socket.IO 0.9; None for any other, and for one of Engine.IO."""
    found = _PATH.fullmatch(query.path)
    if found is None or query.first("EIO") is not None or query.first("transport") is not None:
        return None
    return Target(found[1], found[2] or "", found[3] or "")


_HANDSHAKE: Final = re.compile(rb"\s*([^:\s]{1,128}):(\d{0,9}):(\d{0,9}):([a-z,-]+)\s*")
_JSONP: Final = re.compile(rb'\s*io\.j\[\d*\]\((".*")\);?\s*', re.DOTALL)


def parse_handshake(body: bytes) -> OpenPacket | None:
    """The answer to a handshake, also as JSONP; None when it is anything else.

    `upgrades` are the transports that the server offers, `ping_timeout_ms` is the heartbeat timeout (None where the
    server has no heartbeat).
    """
    if len(body) > MAX_HANDSHAKE:
        return None
    answer = _JSONP.fullmatch(body)
    text = body if answer is None else unquote_literal(answer[1]) or b""
    found = _HANDSHAKE.fullmatch(text)
    if found is None:
        return None
    transports = found[4].decode().split(",")[:MAX_TRANSPORTS]
    if TRANSPORTS.isdisjoint(transports):
        return None
    heartbeat_ms = int(found[2]) * MS_PER_S if found[2] else None
    return OpenPacket(found[1].decode(errors="replace"), tuple(transports), None, heartbeat_ms, None, ())


# ---------------------------------------------------------------------- packets

# By type digit.
_TYPES: Final = tuple(
    [
        int(kind)
        for kind in (
            SioType.DISCONNECT, SioType.CONNECT, SioType.HEARTBEAT, SioType.MESSAGE, SioType.JSON, SioType.EVENT,
            SioType.ACK, SioType.ERROR, SioType.NOOP,
        )
    ]
)  # fmt: skip
_PACKET: Final = re.compile(rb"([0-8]):(\d{0,15})(\+?):([^:]*)(?::(.*))?", re.DOTALL)
_ACK_DATA: Final = re.compile(rb"(\d{1,15})(?:\+(.*))?", re.DOTALL)
# Endpoints are namespaces, which begin with a slash: enough to tell a packet from a text with colons.
_CLEAR: Final = re.compile(rb"[0-8]:\d{0,15}\+?:(?:/[^:]*)?(?::|\Z)")
_CONNECT: Final = int(SioType.CONNECT)
_EVENT: Final = int(SioType.EVENT)
_ACK: Final = int(SioType.ACK)
# Python's objects take many times the space of the JSON that they are read from.
MAX_JSON_READ: Final = 4 << 20


def looks_like_packet(text: bytes) -> bool:
    """Whether a text of unknown origin is most likely a packet."""
    return _CLEAR.match(text) is not None


def decode_packet(text: bytes, side: Side, place: PacketRef, packets: tuple[int, ...]) -> SioPacket | str:
    """The packet that a text is, or what it should be and is not.

    An EVENT has the data that it would have in later revisions, `[name, ...arguments]`; an ACK has the id of what it
    acknowledges. A MESSAGE and a JSON may have an id, too.
    """
    found = _PACKET.fullmatch(text)
    if found is None:
        return "type:id:endpoint:data"
    kind = _TYPES[int(found[1])]
    ack_id = int(found[2]) if found[2] else None
    namespace, _, query = found[4].decode(errors="replace").partition("?")
    data: bytes = found[5] or b""
    event: str | None = None
    if kind == _EVENT:
        named = _event(data)
        if named is None:
            return 'an event, {"name":...,"args":[...]}'
        event, data = named
    elif kind == _ACK:
        acknowledged = _ACK_DATA.fullmatch(data)
        if acknowledged is None:
            return "the id of what is acknowledged"
        ack_id, data = int(acknowledged[1]), acknowledged[2] or b""
    elif kind == _CONNECT and data.startswith(b"?"):
        query, data = query or data[1:].decode(errors="replace"), b""
    return SioPacket(kind, namespace or "/", query, ack_id, data, event, 0, (), side, place, packets)


_EVENT_DECODER: Final = msgspec.json.Decoder(Event09Shape)


def _event(data: bytes) -> tuple[str, bytes] | None:
    """The name of an event, and it with its arguments as one array; None where it has no name, or no list of them."""
    if len(data) > MAX_JSON_READ:
        return None
    try:
        event = _EVENT_DECODER.decode(data)
        name: str = event.name
        arguments = bytes(event.args).strip()
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return _event_slowly(data)
    if arguments == b"null":
        arguments = b"[]"
    if not arguments.startswith(b"["):
        return None
    rest = arguments[1:].lstrip()
    head = b"[" + msgspec.json.encode(name)
    return name, head + rest if rest == b"]" else head + b"," + rest


def _event_slowly(data: bytes) -> tuple[str, bytes] | None:
    """The same for JSON that msgspec refuses and JavaScript takes: lone surrogates, numbers of any length."""
    try:
        value = json.loads(data.decode(errors="replace"), parse_int=float)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    name, arguments = value.get("name"), value.get("args") or []
    if not isinstance(name, str) or not isinstance(arguments, list):
        return None
    # Pairs of surrogates become the character that they are, and what stands alone is not fit for printing.
    shown = name.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return shown, json.dumps([name, *arguments]).encode()


# ---------------------------------------------------------------------- polling

_REPLACEMENT: Final = b"\xef\xbf\xbd"
_LENGTH: Final = re.compile(rb"(\xef\xbf\xbd)(\d{1,10})\xef\xbf\xbd")
_HTMLFILE: Final = re.compile(rb'<script>_\(("(?:[^"\\]|\\.)*+")\);</script>', re.DOTALL)


@final
class Payload09:
    """The packets in a body, and what is wrong with their framing."""

    __slots__ = ("texts", "trouble")

    def __init__(self, texts: list[bytes], trouble: str | None = None) -> None:
        self.texts = texts
        self.trouble = trouble


def split_payload(body: bytes, transport: str, side: Side) -> Payload09:
    """The packets in the body of an answer to a poll, or of a POST.

    `jsonp-polling` wraps them as `io.j[n]("...");` and, in a form, as `d=` and a string in quotes. An `htmlfile` answer
    is a page that never ends, with a script for each payload.
    """
    if side is Side.SERVER and transport == "htmlfile":
        whole = Payload09([])
        for script in _HTMLFILE.finditer(body):
            part = _split(unquote_literal(script[1]) or b"")
            whole.texts += part.texts
            whole.trouble = whole.trouble or part.trouble
        return whole
    if transport == "jsonp-polling":
        literal = body
        if side is Side.SERVER:
            answer = _JSONP.fullmatch(body)
            literal = answer[1] if answer is not None else b""
        elif body.startswith(b"d="):
            literal = unquote_to_bytes(body[2:].partition(b"&")[0].replace(b"+", b" "))
        text = unquote_literal(literal)
        if text is None:
            return Payload09([], 'a text in quotes (io.j[n]("...") or d="...")')
        return _split(text)
    return _split(body)


def _split(body: bytes) -> Payload09:
    if not body.startswith(_REPLACEMENT):
        return Payload09([body] if body else [])
    framing = split_counted(body, _LENGTH)
    return Payload09([text for text, _ in framing.entries], framing.trouble)
