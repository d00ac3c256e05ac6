"""From the JSON of one entry to a `HarEntry`.

Facts about the writers, as seen in exports of Chromium 156 (DevTools' own writer), Firefox 153 ESR and mitmproxy 11,
and in the sources of the writers (devtools-frontend `models/har/Log.ts`, gecko `netmonitor/src/har`, WebKit
`HARBuilder.js`, mitmproxy `addons/savehar.py`):

- Chrome: `startedDateTime` in ms, durations exact; waiting in the browser's own queue counts as `blocked`. A WebSocket
  has `_webSocketMessages` with seconds since 1970; its `time` runs up to its end, or to the last message while it is
  open, and only in the first case `receive` is more than 0. A request under way has status 0 and a `blocked` far below
  0. A failure has `_error` (`net::ERR_...`); that of a WebSocket is a message of type `error`, and if it never
  connected its instant is 1969 and that of the message is on a clock of the machine. An answer that CORS keeps from the
  page has its real status and headers, `_error` net::ERR_FAILED and no body.
- Firefox: whole ms; no WebSocket messages; a failure has status 0 and no reason; a request under way has no timings.
- Safari (WebKit): no WebSocket messages; requests under way are left out.
- mitmproxy: `startedDateTime` in microseconds; `wait` includes the connect and TLS times that it tells besides;
  messages as Chrome's; the end of a WebSocket is not told.
- Playwright (1.65, `recordHar`; `server/har/harTracer.ts`): a request under way has status -1 and `time` -1 (HTTP
  Toolkit: 0 and -1); a failure has `_failureText`. Bodies may be left out, or lie in files of their own (`_file`): then
  the size may be -1, and `postData.text` is empty.
"""

import base64
import binascii
import json
import math
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from eiosniff.capture.har_shapes import EntryShape, MessageShape, RequestShape, ResponseShape
from eiosniff.capture.har_times import applies, duration, instant, moment, since_start
from eiosniff.model.har import HarAnswer, HarEntry, HarMessage, HeaderList
from eiosniff.model.provenance import CLIENT, SERVER

_Shape = TypeVar("_Shape", EntryShape, RequestShape, ResponseShape)

_MITMPROXY = "mitmproxy"
_CREATOR = re.compile(rb'"creator"\s*:\s*(\{[^{}]*\})')
_URL = re.compile(r"(https?|wss?)://([^/?#]*)([^#]*)", re.IGNORECASE | re.DOTALL)
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_PORT = re.compile(r":(\d{1,5})$")
_NOT_IN_TARGET = re.compile(rb"[\x00-\x20\x7f]")
_NOT_IN_LINE = re.compile(rb"[\r\n\x00]+")
_TOKEN = re.compile(r"[A-Za-z]{1,20}")
_VERSION = re.compile(r"(?:http/|h)?(\d(?:\.\d)?)\+?", re.IGNORECASE)
_NET_ERROR = re.compile(r"net::ERR_\w+")
# What tools that clean a HAR put in place of what was there, such as `[text redacted]`.
_REPLACED = re.compile(r"\[[^\]]{0,80}redacted\]", re.IGNORECASE)
_OCTETS = b"application/octet-stream"
_POST = b"POST"
_MAX_HEADERS = 1000
_MAX_TARGET = 1 << 16
_MAX_ERROR = 300
_SWITCHING = 101
_SIDES = {"send": CLIENT, "request": CLIENT, "receive": SERVER, "response": SERVER}
_ERROR = "error"
_BINARY = 2
_OPCODES = 16
_NULL = 4  # bytes


def creator_of(head: bytes) -> str:
    """The name of the program that wrote a HAR, by its beginning; empty if there is none."""
    found = _CREATOR.search(head)
    creator = _loads(found.group(1)) if found is not None else None
    name = creator.get("name") if isinstance(creator, dict) else None
    return name[:_MAX_ERROR] if isinstance(name, str) else ""


class EntryReader:
    """Reads the entries of one file. `wire_bytes` is what head and body of the last one took, as far as it says."""

    def __init__(self, creator: str, wanted: Callable[[HarEntry], bool]) -> None:
        self._wanted = wanted
        self._is_mitmproxy = creator.lower().startswith(_MITMPROXY)
        self.wire_bytes = 0

    def read(self, raw: bytes, number: int) -> HarEntry | None:
        """The entry, None for what is none. One that is not wanted, or not of HTTP, has no more than its head."""
        shape = _decoded(raw, EntryShape)
        request = _decoded(shape.request, RequestShape) if shape is not None else None
        if shape is None or request is None:
            return None
        entry = HarEntry(number)
        entry.begun_ns, entry.precision_ns = moment(shape.started_date_time)
        entry.ended_ns = entry.begun_ns + duration(shape.time)
        self.wire_bytes = _size(request.headers_size) + _size(request.body_size)
        if not _take_url(entry, request.url):
            return entry
        scheme_is_ws = isinstance(request.url, str) and request.url[:2].lower() == "ws"
        entry.websocket = (
            scheme_is_ws or shape.resource_type == "websocket" or memoryview(shape.messages).nbytes > _NULL
        )
        entry.webtransport = shape.resource_type == "webtransport"
        if not self._wanted(entry):
            return entry
        response = _decoded(shape.response, ResponseShape) or ResponseShape()
        self.wire_bytes += _size(response.headers_size) + _size(response.body_size)
        self._take_request(entry, request)
        entry.connection = _name_of(shape.connection_id) or _connection(shape.connection, entry.port)
        timings = shape.timings if isinstance(shape.timings, dict) else {}
        self._take_times(entry, timings)
        self._take_messages(entry, shape.messages)
        self._take_response(entry, response, timings, shape.time)
        if entry.websocket:
            self._settle_websocket(entry, timings)
        return entry

    # ------------------------------------------------------------------ request and answer

    @staticmethod
    def _take_request(entry: HarEntry, request: RequestShape) -> None:
        method = request.method if isinstance(request.method, str) else ""
        entry.method = method.encode() if _TOKEN.fullmatch(method) else b""
        if entry.websocket and entry.method in (b"", b"CONNECT"):  # RFC 8441: an extended CONNECT stands for it
            entry.method = b"GET"
        entry.version = _version(request.http_version)
        entry.headers = _headers(request.headers)
        entry.websocket = entry.websocket or _asks_for_websocket(entry.headers)
        data = request.post_data
        if isinstance(data, dict):
            entry.body = _content(data)
            is_text = not isinstance(data.get("encoding"), str)
            if is_text and (_first(entry.headers, b"content-type") or b"").startswith(_OCTETS):
                entry.body = None  # bytes that somebody made a text of
        if not entry.body and (_size(request.body_size) or (entry.method == _POST and _is_unknown(request.body_size))):
            entry.body = None

    @staticmethod
    def _take_response(entry: HarEntry, response: ResponseShape, timings: dict[str, Any], time: Any) -> None:
        error = response.error if isinstance(response.error, str) else response.failure_text
        if isinstance(error, str) and not entry.error:
            named = _NET_ERROR.search(error)
            entry.error = named.group() if named is not None else error[:_MAX_ERROR]
        status = response.status
        if isinstance(status, float) and status.is_integer():
            status = int(status)
        if isinstance(status, bool) or not isinstance(status, int) or not 100 <= status <= 999:
            # A request that is under way has no times, or impossible ones; what failed has some.
            blocked = timings.get("blocked")
            far_off = isinstance(blocked, (int, float)) and blocked < -1
            entry.pending = not entry.error and (not timings or far_off or time == -1)
            return
        content = response.content if isinstance(response.content, dict) else {}
        body = _content(content)
        size = content.get("size", response.body_size)
        if body is None and not (_size(size) or _is_unknown(size) or entry.error):
            body = b""
        headers = _headers(response.headers)
        mime = content.get("mimeType")
        if isinstance(mime, str) and "/" in mime and _first(headers, b"content-type") is None:
            headers = (*headers, (b"content-type", _line(mime)))
        length = _size(response.body_size) or (len(body) if body else 0)
        reason = _line(response.status_text) if isinstance(response.status_text, str) else b""
        headed = min(entry.sent_ns + duration(timings.get("send")) + duration(timings.get("wait")), entry.ended_ns)
        version = _version(response.http_version)
        entry.answer = HarAnswer(status, reason, version, headers, body, length, max(headed, entry.sent_ns))

    # ------------------------------------------------------------------ times

    def _take_times(self, entry: HarEntry, timings: dict[str, Any]) -> None:
        """When the request went out, and when all of the answer had come."""
        connect = timings.get("connect")
        if self._is_mitmproxy:
            entry.sent_ns = entry.begun_ns
            took = sum(duration(timings.get(name)) for name in ("send", "wait", "receive"))
            entry.ended_ns = entry.begun_ns + took
            if applies(connect):
                entry.connected_ns = duration(connect)
            return
        before = sum(duration(timings.get(name)) for name in ("blocked", "dns", "connect"))
        after = sum(duration(timings.get(name)) for name in ("send", "wait", "receive"))
        entry.sent_ns = entry.begun_ns + (before if after else 0)
        entry.ended_ns = max(entry.ended_ns, entry.begun_ns)
        if after and not entry.ended_ns > entry.sent_ns:
            entry.ended_ns = entry.sent_ns + after
        entry.sent_ns = min(entry.sent_ns, entry.ended_ns)
        if duration(connect):  # Firefox writes 0 for a connection that was used before
            entry.connected_ns = duration(connect)

    def _settle_websocket(self, entry: HarEntry, timings: dict[str, Any]) -> None:
        """When the server accepted, which is known only by what follows, and when it ended."""
        messages, answer = entry.messages, entry.answer
        if messages is None or self._is_mitmproxy or not entry.begun_ns:
            return
        first = min((message.ts_ns for message in messages), default=entry.begun_ns)
        last = max((message.ts_ns for message in messages), default=entry.begun_ns)
        if duration(timings.get("receive")) and entry.ended_ns >= last:
            entry.closed_ns = entry.ended_ns
        entry.sent_ns = entry.begun_ns
        if answer is not None and answer.status == _SWITCHING:
            entry.ended_ns = answer.headed_ns = max(entry.sent_ns, min(entry.ended_ns, first))

    # ------------------------------------------------------------------ WebSocket

    @staticmethod
    def _take_messages(entry: HarEntry, raw: msgspec.Raw) -> None:
        shapes = _messages(raw)
        if shapes is None:
            return
        messages: list[HarMessage] = []
        lapses: list[int] = []
        for number, shape in enumerate(shapes, 1):
            if shape.type == _ERROR:
                _take_error(entry, shape)
                continue
            side = _SIDES.get(shape.type) if isinstance(shape.type, str) else None
            if side is None:
                continue
            opcode = shape.opcode
            if isinstance(opcode, bool) or not isinstance(opcode, (int, float)) or not 0 <= opcode < _OPCODES:
                opcode = 1
            data = _payload(shape.data, int(opcode))
            messages.append(HarMessage(number, side, instant(shape.time), int(opcode), data))
            lapses.append(since_start(shape.time))
        entry.messages = messages if _have_instants(messages, lapses, entry.begun_ns) else None


def _have_instants(messages: list[HarMessage], lapses: list[int], begun_ns: int) -> bool:
    """Whether it is known when messages were said. One without an instant gets that of the one before; where all are
    on a clock that began some time (as events of the DevTools protocol are), the first one gets that of the request.
    """
    first = next(filter(None, lapses), 0)
    on_a_clock = not any(message.ts_ns for message in messages)
    if messages and on_a_clock and not first:
        return False
    before = begun_ns
    for message, lapse in zip(messages, lapses, strict=True):
        if on_a_clock and lapse:
            message.ts_ns = begun_ns + max(0, lapse - first)
        before = message.ts_ns = message.ts_ns or before
    return True


def _take_error(entry: HarEntry, shape: MessageShape) -> None:
    """Chrome tells of a WebSocket that failed in a message."""
    text = shape.data if isinstance(shape.data, str) else ""
    named = _NET_ERROR.search(text)
    entry.error = named.group() if named is not None else text[:_MAX_ERROR]
    if not entry.begun_ns:
        entry.ended_ns = instant(shape.time) or since_start(shape.time)


def _messages(raw: msgspec.Raw) -> Iterable[MessageShape] | None:
    """The WebSocket messages; what is none among them is an empty one, so that the others keep their numbers."""
    try:
        return msgspec.json.decode(raw, type=list[MessageShape] | None)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        members = _loads(raw)
    if not isinstance(members, list):
        return None
    kept = ("type", "time", "opcode", "data")
    return [
        MessageShape(**{name: member.get(name) for name in kept}) if isinstance(member, dict) else MessageShape()
        for member in members
    ]


def _payload(data: Any, opcode: int) -> bytes | None:
    """The content of a message: base64 where it is binary (Chrome, mitmproxy)."""
    if not isinstance(data, str):
        return None
    return _from_base64(data) if opcode == _BINARY else _utf8(data)


# ---------------------------------------------------------------------- JSON


def _decoded(raw: bytes | msgspec.Raw, shape: type[_Shape]) -> _Shape | None:
    """An object; None for what is none."""
    try:
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        value = _loads(raw)
    try:
        return msgspec.json.decode(_dumps(value), type=shape) if isinstance(value, dict) else None
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None


def _loads(raw: bytes | msgspec.Raw) -> Any:
    """JSON as the standard library reads it: NaN, lone surrogates and bytes that are no UTF-8 are nothing to it."""
    try:
        return json.loads(bytes(raw).decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _dumps(value: Any) -> bytes:
    """What msgspec can read of it."""
    try:
        return json.dumps(_sane(value), allow_nan=False).encode()
    except (ValueError, RecursionError):
        return b""


def _sane(value: Any) -> Any:
    """Without numbers that are none, and without half characters."""
    if isinstance(value, dict):
        return {_sane(name): _sane(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_sane(member) for member in value]
    if isinstance(value, str):
        return _utf8(value).decode()
    return None if isinstance(value, float) and not math.isfinite(value) else value


# ---------------------------------------------------------------------- parts


def _take_url(entry: HarEntry, url: Any) -> bool:
    """Whether the URL is one of HTTP or WebSocket."""
    found = _URL.match(url[:_MAX_TARGET]) if isinstance(url, str) else None
    if found is None:
        return False
    scheme, authority, rest = found.group(1).lower(), found.group(2).rpartition("@")[2], found.group(3)
    entry.encrypted = scheme in ("https", "wss")
    port = _PORT.search(authority)
    host = authority[: port.start()] if port is not None else authority
    number = int(port.group(1)) if port is not None else _PORTS[scheme]
    if not host or number > 0xFFFF:
        return False
    entry.host = host.strip("[]")
    entry.port = number
    target = _NOT_IN_TARGET.sub(b"%20", _utf8(rest if rest.startswith("/") else f"/{rest}"))
    entry.target = target
    return True


def _connection(value: Any, port: int) -> str:
    """What names the connection: not where it is only the port of the server, as Chrome 156 and Firefox write it."""
    name = _name_of(value)
    return "" if name == str(port) else name


def _name_of(value: Any) -> str:
    return str(value)[:40] if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "0" else ""


def _version(value: Any) -> bytes:
    """`1.1`, `2`, `3`: from `HTTP/1.1`, `http/2.0`, `h2`, `h3`."""
    found = _VERSION.fullmatch(value.strip()) if isinstance(value, str) else None
    number = found.group(1) if found is not None else ""
    return number.encode() if number == "1.0" else number.removesuffix(".0").encode()


def _headers(value: Any) -> HeaderList:
    """Names and values, each on one line. Of HTTP/2 and 3 the pseudo-header that stands for Host is it."""
    if not isinstance(value, list):
        return ()
    found: list[tuple[bytes, bytes]] = []
    for header in value[:_MAX_HEADERS]:
        name, content = (header.get("name"), header.get("value")) if isinstance(header, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(content, str) or not name:
            continue
        if name.startswith(":"):
            if name != ":authority":
                continue
            name = "host"
        if ":" in name:
            continue
        # One of several values is a line of its own (DevTools joins them with a line feed, but for cookies).
        found.extend((_line(name), _line(part)) for part in content.split("\n")[:_MAX_HEADERS])
    return tuple(found)


def _first(headers: HeaderList, name: bytes) -> bytes | None:
    return next((value.lower() for known, value in headers if known.lower() == name), None)


def _asks_for_websocket(headers: HeaderList) -> bool:
    return b"websocket" in (_first(headers, b"upgrade") or b"")


def _content(content: dict[str, Any]) -> bytes | None:
    """A body; None where the file does not have it."""
    text = content.get("text")
    if not isinstance(text, str) or _REPLACED.fullmatch(text):
        return None
    encoding = content.get("encoding")
    if isinstance(encoding, str) and encoding.lower() == "base64":
        return _from_base64(text)
    return _utf8(text)


def _from_base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        return None


def _line(text: str) -> bytes:
    return _NOT_IN_LINE.sub(b" ", _utf8(text)).strip()


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _is_unknown(value: Any) -> bool:
    """Whether a number of bytes is -1, as HAR 1.2 writes what is not known, or not there."""
    return value is None or (isinstance(value, (int, float)) and value < 0)


def _size(value: Any) -> int:
    """A number of bytes; 0 for -1 (not known) and for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0
    return int(value) if 0 < value < 1 << 53 else 0
