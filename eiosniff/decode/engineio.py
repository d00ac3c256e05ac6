"""Engine.IO packets: what a WebSocket message, the body of a polling request or answer, a refusal holds.

Revisions 1 to 4 of the Engine.IO protocol (https://github.com/socketio/engine.io-protocol). The type digits are the
same in all of them; what differs is how binary data and several packets in one body are written:

    revision    polling body                                   WebSocket message
    1 to 3      <length>:<packet><length>:<packet>             text: <packet>; binary: type byte, data
                or 00|01 <length digits as bytes> ff <packet>
    4           <packet> 1e <packet>, binary as b<base64>      text: <packet>; binary: data

What the URL says (`EIO=4`) is the client's claim; the shape of a body tells what its sender speaks.
"""

import binascii
import json
import re
from collections.abc import Callable
from typing import Final, final
from urllib.parse import unquote_to_bytes

import msgspec
import numpy as np

from eiosniff.model.engineio import EioPacket, EioType, OpenPacket, ServerError, Transport
from eiosniff.model.provenance import PacketRef, Side

# What a body of two-byte packets at the usual `maxHttpBufferSize` of 1 MB holds is below this; a body made of nothing
# but separators must not cost a record for each of its bytes.
MAX_PACKETS_IN_PAYLOAD: Final = 1 << 19
# A handshake has some 150 bytes and five keys, a refusal 50 bytes: more is something else.
MAX_JSON_LENGTH: Final = 1 << 16
MAX_KEYS: Final = 32
MAX_UPGRADES: Final = 16
MAX_ERROR_TEXT: Final = 512
# JavaScript's largest exact integer: what a peer can mean by a duration or a size.
MAX_NUMBER: Final = 2**53 - 1

_SEPARATOR: Final = b"\x1e"
_BASE64: Final = ord("b") - ord("0")
_PACKET_STARTS: Final = b"0123456b"


def decode_message(
    payload: bytes,
    binary: bool,
    revision: int,
    side: Side,
    transport: Transport,
    place: PacketRef,
    packets: tuple[int, ...],
) -> EioPacket:
    """The packet in a WebSocket message, or in one entry of a polling payload.

    A binary message is `type byte, data` up to revision 3 (the byte is 4, not the digit) and bare data from revision 4.
    In text, `b` marks binary data in base64: `b4<base64>` up to revision 3, `b<base64>` from revision 4.
    """
    if binary and revision >= 4:
        return EioPacket(EioType.MESSAGE, payload, True, side, transport, place, packets)
    kind = (payload[0] if binary else payload[0] - 48) if payload else -1
    if kind == _BASE64 and not binary:
        typed = _undo_base64(payload, revision)
        if typed is not None:
            return EioPacket(*typed, True, side, transport, place, packets)
    if 0 <= kind <= 6:
        return EioPacket(kind, payload[1:], binary, side, transport, place, packets)
    return EioPacket(-1, payload, binary, side, transport, place, packets)


def _undo_base64(packet: bytes, revision: int) -> tuple[int, bytes] | None:
    """Type and data of `b[<type>]<base64>`, None when it is not base64."""
    bare = (EioType.MESSAGE, packet[1:])
    typed = (packet[1] - 48, packet[2:]) if packet[1:2] and packet[1:2] in b"0123456" else bare
    # netty-socketio writes `b4` in revision 4 too: then the length with the digit is not a multiple of four.
    readings = (typed,) if revision <= 3 else (bare, typed)
    for kind, text in readings:
        try:
            return kind, binascii.a2b_base64(text, strict_mode=True)
        except binascii.Error:
            continue
    kind, text = readings[0]
    # Node forgives missing padding, the URL-safe alphabet and line breaks, and encoders rely on it.
    text = text.translate(_URL_SAFE, b"\r\n").rstrip(b"=")
    try:
        return kind, binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
    except binascii.Error:
        return None


_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")


@final
class Payload:
    """What the body of a polling request or answer holds.

    `revision_shape` is 3 for length-prefixed packets (revisions 1 to 3), 4 for separated ones, None for neither.
    `trouble` says what is wrong with the framing. `consumed` counts the bytes of the body that were framed
    (all or nothing for JSONP). `double_encoded` tells the UTF-8 of 1.x peers, which was undone.
    """

    __slots__ = ("consumed", "double_encoded", "packets", "revision_shape", "trouble")

    def __init__(
        self,
        packets: list[EioPacket],
        revision_shape: int | None,
        trouble: str | None,
        consumed: int = 0,
        double_encoded: bool = False,
    ) -> None:
        self.packets = packets
        self.revision_shape = revision_shape
        self.trouble = trouble
        self.consumed = consumed
        self.double_encoded = double_encoded


@final
class _Framing:
    """Entries of a body: their bytes and whether each is binary, how far they reach, what stopped them."""

    __slots__ = ("consumed", "entries", "trouble")

    def __init__(self, entries: list[tuple[bytes, bool]], consumed: int, trouble: str | None) -> None:
        self.entries = entries
        self.consumed = consumed
        self.trouble = trouble

    @property
    def sound(self) -> bool:
        """Whether the entries fill the body and all of them begin like packets."""
        return self.trouble is None and all(not entry or entry[0] in _PACKET_STARTS for entry, _ in self.entries)


def decode_payload(
    body: bytes,
    content_type: bytes | None,
    revision_hint: int | None,
    side: Side,
    place: PacketRef,
    packets: tuple[int, ...],
) -> Payload:
    """The packets of a polling body, by its own shape; `revision_hint` decides only what could be either.

    Separators are accepted under `EIO=3` too: netty-socketio sends them. A JSONP wrapper is taken off.
    """
    jsonp = _undo_jsonp(body, content_type)
    if jsonp is None:
        return _decode_framed(body, revision_hint, side, place, packets)
    payload = _decode_framed(jsonp, revision_hint, side, place, packets)
    payload.consumed = len(body) if payload.consumed == len(jsonp) else 0
    return payload


def _decode_framed(
    body: bytes, revision_hint: int | None, side: Side, place: PacketRef, packets: tuple[int, ...]
) -> Payload:
    double_encoded = False
    if body[:1] in (b"\x00", b"\x01"):
        shape, framing = 3, _split_framed(body, _BINARY_LENGTH, "bytes", len)
    elif _LENGTH.match(body):
        shape, (framing, double_encoded) = 3, _split_lengths(body)
        if not framing.sound and _is_message_of_revision_4(body, revision_hint):
            shape, framing = 4, _split_separators(body)
    elif body and body[0] in _PACKET_STARTS:
        shape, framing = 4, _split_separators(body)
    else:
        return Payload([], None, "neither a length nor a packet type at its start" if body else "no packet")
    # An entry marked as binary has its type byte, as on a WebSocket of revision 3.
    decoded = [
        decode_message(entry, binary, shape, side, Transport.POLLING, place, packets)
        for entry, binary in framing.entries
    ]
    return Payload(decoded, shape, framing.trouble, framing.consumed, double_encoded)


def _is_message_of_revision_4(body: bytes, revision_hint: int | None) -> bool:
    """Whether a body that no length fits is rather a message whose text begins like `:` or `2:`.

    Only a message can be: the other types carry nothing, JSON or `probe`.
    """
    if body[:1] != b"4":
        return False
    if revision_hint is not None:
        return revision_hint >= 4
    after_length = body[body.index(b":") + 1 :][:1]
    return after_length not in _PACKET_STARTS


def _split_separators(body: bytes) -> _Framing:
    """Revision 4, "HTTP long-polling": packets joined by the record separator."""
    entries = body.split(_SEPARATOR, MAX_PACKETS_IN_PAYLOAD)
    trouble, consumed = None, len(body)
    if len(entries) > MAX_PACKETS_IN_PAYLOAD:
        trouble, consumed = _TOO_MANY, consumed - len(entries.pop())
    return _Framing([(entry, False) for entry in entries], consumed, trouble)


_TOO_MANY: Final = f"more than {MAX_PACKETS_IN_PAYLOAD} packets"
# Before an entry: whether it is binary, and its length. Ten digits are more than any body has.
_LENGTH: Final = re.compile(rb"()(\d{1,10}):")
# With XHR2, revisions 2 and 3: `00` (text) or `01` (binary), the digits as byte values, `ff`. The length counts bytes,
# and text is plain UTF-8: utf8.js makes it a string of bytes, which are written as they are (engine.io-parser 1.3.1
# and 2.2.1, python-engineio 3.14.2).
_BINARY_LENGTH: Final = re.compile(rb"([\x00\x01])([\x00-\x09]{0,10})\xff")
_DIGITS: Final = bytes.maketrans(bytes(range(10)), b"0123456789")
_CONTINUATION: Final = bytes(range(0x80, 0xC0))  # UTF-8 bytes that begin no character
_FOUR_BYTES: Final = bytes(range(0xF0, 0xF8))  # UTF-8 bytes that begin a character beyond U+FFFF
_FIRST_SIGNED: Final = -0x40  # the lowest byte that is no continuation, as a signed number: 0xC0
# From this size on, numpy counts faster than `translate` does (measured: at about 1000 bytes).
NUMPY_PAYS: Final = 1000


def _code_points(text: bytes) -> int:
    if len(text) < NUMPY_PAYS:
        return len(text.translate(None, _CONTINUATION))
    return int(np.count_nonzero(np.frombuffer(text, np.int8) >= _FIRST_SIGNED))


def _utf16_units(text: bytes) -> int:
    if len(text) < NUMPY_PAYS:
        return _code_points(text) + len(text) - len(text.translate(None, _FOUR_BYTES))
    return _code_points(text) + int(np.count_nonzero(np.frombuffer(text, np.uint8) >> 3 == _FOUR_BYTES[0] >> 3))


# The protocol counts UTF-16 code units, JavaScript's `.length`; python-engineio 3 bytes, socketioxide code points.
_OTHER_COUNTINGS: Final[tuple[tuple[str, Callable[[bytes], int]], ...]] = (
    ("bytes", len),
    ("code points", _code_points),
)


def _split_lengths(body: bytes) -> tuple[_Framing, bool]:
    """Revisions 1 to 3, "Payload": `<length>:<packet>` repeated; and whether UTF-8 was encoded twice.

    engine.io-parser 1.3.1 (socket.io 1.x) encodes each packet, counts its bytes, then takes them for characters and
    encodes once more; 2.x does not. Text of 2.x that looks like it would have to be mojibake of its own.
    """
    if body.isascii():
        return _split_framed(body, _LENGTH, "characters", len), False
    undone = _undo_double_encoding(body)
    if undone is not None:
        framing = _split_framed(undone, _LENGTH, "bytes", len)
        if framing.sound:
            framing.consumed = len(body)
            return framing, True
    protocol = _split_framed(body, _LENGTH, "UTF-16 code units", _utf16_units)
    if protocol.sound:
        return protocol, False
    for unit, count in _OTHER_COUNTINGS:
        framing = _split_framed(body, _LENGTH, unit, count)
        if framing.sound:
            framing.trouble = f"lengths count {unit}, not UTF-16 code units"
            return framing, False
    return protocol, False


def _split_framed(body: bytes, framing: re.Pattern[bytes], unit: str, count: Callable[[bytes], int]) -> _Framing:
    entries: list[tuple[bytes, bool]] = []
    at = 0
    while at < len(body):
        header = framing.match(body, at)
        if header is None:
            return _Framing(entries, at, f"no length at byte {at}")
        if len(entries) == MAX_PACKETS_IN_PAYLOAD:
            return _Framing(entries, at, _TOO_MANY)
        start, length = header.end(), int(header[2].translate(_DIGITS) or b"0")
        end = _end_of_text(body, start, length, count)
        if end is None:
            found = f"{count(body[start:])} {unit} follow"
            return _Framing(entries, at, f"length {length} at byte {at} does not fit: {found}")
        if end > start:  # `0:` is how engine.io-parser writes a payload without packets
            entries.append((body[start:end], header[1] == b"\x01"))
        at = end
    return _Framing(entries, at, None)


def _end_of_text(body: bytes, start: int, length: int, count: Callable[[bytes], int]) -> int | None:
    """Where `length` units from `start` on end; None when the body or a surrogate pair is in the way.

    No byte counts for more than one unit but the first of a surrogate pair, so that as many bytes as units are still
    missing can be taken at once.
    """
    end = start
    while length > 0:
        piece = body[end : end + length]
        if not piece:
            return None
        length -= count(piece)
        end += len(piece)
    if count is not len:
        while end < len(body) and body[end] & 0xC0 == 0x80:
            end += 1
    return end if length == 0 else None


def _undo_double_encoding(body: bytes) -> bytes | None:
    if np.frombuffer(body, np.uint8).max() > _LAST_OF_LATIN_1:
        return None  # the characters that are taken for bytes are below U+0100
    try:
        once = body.decode().encode("latin-1")
        once.decode(errors="surrogatepass")  # utf8.js and wtf-8 encode lone surrogates too
    except UnicodeError:
        return None
    return once


_LAST_OF_LATIN_1: Final = 0xC3  # the highest byte in the UTF-8 of a character below U+0100
_JSONP_ANSWER: Final = re.compile(rb'\s*___eio\[\d*\]\((".*")\);?\s*', re.DOTALL)


def _undo_jsonp(body: bytes, content_type: bytes | None) -> bytes | None:
    """The payload of a JSONP answer, `___eio[n]("...");`, or form post, `d=...`; None when it is neither.

    A form mangles line ends, so engine.io-client writes them as a backslash and `n`, and doubles a backslash that
    stands before an `n` already (undone as by engine.io 6.6, transports/polling-jsonp).
    """
    if body.startswith(b"d=") and (content_type is None or b"form" in content_type.lower()):
        text = unquote_to_bytes(body[2:].partition(b"&")[0].replace(b"+", b" "))
        text = re.sub(rb"(\\)?\\n", lambda newline: newline[0] if newline[1] else b"\n", text)
        return text.replace(rb"\\n", rb"\n")
    answer = _JSONP_ANSWER.fullmatch(body)
    if answer is None:
        return None
    try:
        literal = json.loads(answer[1].decode(errors="replace"), strict=False)
    except ValueError:
        return None
    return str(literal).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


_PAYLOAD_START: Final = re.compile(
    rb"""
    \d{1,10}:(?:[0-6b]|\Z)                          # revisions 1 to 3
    | [\x00\x01][\x00-\x09]{0,10}\xff               # the same, XHR2
    | 0\{ | [1-356](?:\x1e|\Z) | [23]probe(?:\x1e|\Z) | 4(?!\d\d\s) | b[A-Za-z0-9+/]*=*(?:\x1e|\Z)
    | ___eio\[
    """,
    re.VERBOSE,
)


def looks_like_payload(body: bytes) -> bool:
    """Whether a body can be an Engine.IO payload, by its first bytes.

    Texts of other servers that begin with a digit are not: `404 page not found` (Go), `502 Bad Gateway`.
    """
    return _PAYLOAD_START.match(body) is not None


def parse_open(data: bytes) -> OpenPacket | None:
    """The handshake in the data of an OPEN packet (revision 4, "Handshake"), None when it is no object with a sid."""
    fields = _parse_json(data)
    sid = fields.get("sid") if isinstance(fields, dict) else None
    if not isinstance(fields, dict) or not isinstance(sid, str):
        return None
    upgrades = fields.get("upgrades")
    names = upgrades[:MAX_UPGRADES] if isinstance(upgrades, list) else []
    return OpenPacket(
        sid=sid,
        upgrades=tuple(name for name in names if isinstance(name, str)),
        ping_interval_ms=_whole_number(fields.get("pingInterval")),
        ping_timeout_ms=_whole_number(fields.get("pingTimeout")),
        max_payload=_whole_number(fields.get("maxPayload")),
        keys=tuple(fields)[:MAX_KEYS],
    )


def _parse_json(data: bytes) -> object:
    """A JSON value; None for what is none, or too long."""
    if len(data) > MAX_JSON_LENGTH:
        return None
    try:
        return msgspec.json.decode(data)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None


def _whole_number(value: object) -> int | None:
    """A number as JavaScript knows it: 25000.0 is 25000."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) <= MAX_NUMBER else None
    if isinstance(value, float) and abs(value) <= MAX_NUMBER and value.is_integer():
        return int(value)
    return None


# Node's engine.io (lib/server.ts), and how the texts of googollee/go-socket.io begin.
_ERROR_TEXT: Final = re.compile(
    "Transport unknown|Session ID unknown|Bad handshake method|Bad request|Forbidden|Unsupported protocol version"
    "|invalid transport|invalid sid value|request checker err|transport accept err"
)


def parse_error_body(body: bytes, content_type: bytes | None) -> ServerError | None:
    """The refusal of an Engine.IO server in the body of an answer that is no success; None for any other.

    A line of any wording is one if it claims to be HTML, or nothing: so Node refuses a WebSocket upgrade, with a
    message of the application if that refused. As plain text it may as well come from a proxy (Envoy) or a web server.
    """
    body = body.strip()
    value = _parse_json(body)
    if isinstance(value, str):
        return ServerError(None, value, "python")
    if isinstance(value, dict):
        code, message = value.get("code"), value.get("message")
        if not isinstance(message, str):
            return None
        if isinstance(code, str) and code.isdecimal() and len(code) < 10:
            return ServerError(int(code), message, "socketioxide")
        return ServerError(code, message, "node") if isinstance(code, int) and not isinstance(code, bool) else None
    text = body.decode(errors="replace")
    if not text[:1].isalpha() or len(body) > MAX_ERROR_TEXT:  # a page, a number, other JSON
        return None
    claims_html = content_type is None or b"html" in content_type.lower()
    return ServerError(None, text, "text") if _ERROR_TEXT.match(text) or (claims_html and text.isprintable()) else None
