"""Engine.IO packets: what a WebSocket message, an entry of a polling payload (see `payload`) or a refusal holds.

Revisions 1 to 4 of the Engine.IO protocol (https://github.com/socketio/engine.io-protocol). The type digits are the
same in all of them; what differs is how binary data is written:

    revision    WebSocket message
    1 to 3      text: <packet>; binary: type byte, data
    4           text: <packet>; binary: data

What the URL says (`EIO=4`) is the client's claim; what is said tells what its sender speaks.
"""

import binascii
import re
from typing import Final

import msgspec

from eiosniff.model.engineio import EioPacket, EioType, OpenPacket, ServerError, Transport
from eiosniff.model.provenance import PacketRef, Side

# A handshake has some 150 bytes and five keys, a refusal 50 bytes: more is something else.
MAX_JSON_LENGTH: Final = 1 << 16
MAX_KEYS: Final = 32
MAX_UPGRADES: Final = 16
MAX_ERROR_TEXT: Final = 512
# JavaScript's largest exact integer: what a peer can mean by a duration or a size.
MAX_NUMBER: Final = 2**53 - 1

_BASE64: Final = ord("b") - ord("0")


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
    """A number as JavaScript knows it: 25000.0 is 25000. A negative one means nothing, where these are told."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if 0 <= value <= MAX_NUMBER else None
    if isinstance(value, float) and 0 <= value <= MAX_NUMBER and value.is_integer():
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
