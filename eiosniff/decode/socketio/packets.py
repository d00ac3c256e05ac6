"""Socket.IO packets of the default parser, revisions 4 and 5 (https://github.com/socketio/socket.io-protocol).

    <type>[<attachments>-][<namespace>[?<query>],][<ack id>][<JSON>]

The text of an Engine.IO message is one packet; the attachments of a BINARY_EVENT or BINARY_ACK follow as that many
binary messages. Where the documents are silent, socket.io-parser 4.2.7 is followed: it is what most servers run.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from eiosniff.decode.socketio.json_shapes import ArrayShape, EventShape, ObjectShape
from eiosniff.model.engineio import EioPacket
from eiosniff.model.socketio import SioPacket, SioType

# Event names that the libraries use for themselves; socket.io-parser from 4.2.4 refuses an EVENT named so.
RESERVED_EVENTS: Final = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)
# python-socketio's limit. JavaScript reads more digits too, but no longer as an exact number.
MAX_ID_DIGITS: Final = 100
# Python's objects take many times the space of the JSON that they are read from.
MAX_JSON_READ: Final = 4 << 20
MAX_KEYS: Final = 32
MAX_QUOTED: Final = 40


@dataclass(slots=True, frozen=True)
class SioSyntax:
    """Why the data of an Engine.IO message is no Socket.IO packet.

    `position` counts bytes from the packet's type digit. `looks_like_socketio` is False for what is rather a message of
    a plain Engine.IO application, or of another parser (socket.io 2.x with the msgpack parser sends control packets as
    JSON text).
    """

    position: int
    expected: str
    found: str
    looks_like_socketio: bool


# By type digit: what the JSON has to be, and what checks it. A DISCONNECT has none.
EXPECTED_JSON: Final = (
    "an object",
    "nothing",
    "an array that begins with a string or a number",
    "an array",
    "a string or an object",
    "an array that begins with a string or a number",
    "an array",
)
_CHECKS: Final[tuple[Callable[[bytes], Any] | None, ...]] = tuple(
    shape and msgspec.json.Decoder(shape).decode
    for shape in (ObjectShape, None, EventShape, ArrayShape, str | ObjectShape, EventShape, ArrayShape)
)
_EVENTS: Final = frozenset({SioType.EVENT, SioType.BINARY_EVENT})
# The documents want a payload for these; socket.io-parser lets it be absent, and its users then fail.
NEEDS_JSON: Final = _EVENTS | {SioType.ACK, SioType.BINARY_ACK}
_EVENT: Final = 2  # members of an enumeration are slow to compare
_ACK: Final = 3
_BINARY_EVENT: Final = 5
# A blank is a digit to JavaScript, where Number(" ") == " " holds: `42/chat, ["a"]` has the ack id 0.
_ID_CHARACTERS: Final = b"0123456789 \t\r\n"
_SLASH: Final = ord("/")
_PLAUSIBLE: Final = re.compile(rb'[0-6](?:\d+-)?(?:/[^,]*(?:,|\Z))?[\d\s]*(?:[\[{"]|\Z)')
_PLACEHOLDER: Final = re.compile(rb'"_placeholder"\s*:\s*true')


def decode_packet(packet: EioPacket) -> SioPacket | SioSyntax:
    """The Socket.IO packet in the text of a MESSAGE, without its attachments (see `attachments`).

    The steps are those of `decodeString` in socket.io-parser, in its order.
    """
    data = packet.data
    kind = data[0] - 48 if data else -1
    if packet.binary or not 0 <= kind <= 6:
        return _syntax(data, 0, "a packet type, 0 to 6")
    namespace, query, ack_id, attachments = "/", "", None, 0
    event: str | None = None
    at = 1
    if kind >= _BINARY_EVENT:
        dash = data.find(b"-", 1, 12)  # ten digits: more than anyone can send
        if dash < 0 or not data[1:dash].isdigit():
            return _syntax(data, 1, "the number of attachments and '-'")
        attachments = int(data[1:dash])
        at = dash + 1
    if at < len(data) and data[at] == _SLASH:
        comma = data.find(b",", at)
        end = comma if comma >= 0 else len(data)
        namespace, _, query = data[at:end].decode(errors="replace").partition("?")
        at = end + 1
    after = at
    while after < len(data) and data[after] in _ID_CHARACTERS:
        after += 1
    if after > at:
        digits = data[at:after].strip() or b"0"
        if not digits.isdigit() or len(digits) > MAX_ID_DIGITS:
            return _syntax(data, at, "an ack id")
        ack_id = int(digits)
        at = after
    text = data[at:]
    if text:
        checked = check_data(kind, text, data, at)
        if isinstance(checked, SioSyntax):
            return checked if kind != _ACK else _decode_ack_of_revision_3(packet) or checked
        event = checked
    elif kind in NEEDS_JSON:
        # Past the end: no comma closed the namespace, so that `/chat["a"]` is all of it.
        expected = EXPECTED_JSON[kind] if at <= len(data) else f"',' after the namespace and {EXPECTED_JSON[kind]}"
        return _syntax(data, len(data), expected)
    return SioPacket(
        kind, namespace or "/", query, ack_id, text, event, attachments, (), packet.side, packet.place, packet.packets
    )


def check_data(kind: int, text: bytes, data: bytes, at: int) -> str | SioSyntax | None:
    """Check the JSON of a packet of some type, `text`, which is not empty; returns the event name, if it has one.

    `data` and `at` say where it stands, for a complaint.
    """
    check = _CHECKS[kind]
    if check is None:
        return _syntax(data, at, "nothing after a DISCONNECT")
    try:
        value = check(text)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return _read_json_slowly(kind, data, at)
    if kind in (_EVENT, _BINARY_EVENT):
        first: object = value.name
        return first if isinstance(first, str) else None
    return None


def _decode_ack_of_revision_3(packet: EioPacket) -> SioPacket | None:
    """An ACK with the number of its attachments: `3<attachments>-<id>[...]`.

    Revision 3 has no BINARY_ACK, and each ACK is written so (socket.io-parser 2.1, that of socket.io 1.0.0 to 1.0.2).
    """
    if not ACK_OF_REVISION_3.match(packet.data):
        return None
    as_binary = EioPacket(
        packet.type, b"6" + packet.data[1:], False, packet.side, packet.transport, packet.place, packet.packets
    )
    decoded = decode_packet(as_binary)
    if not isinstance(decoded, SioPacket):
        return None
    decoded.type = _ACK
    return decoded


ACK_OF_REVISION_3: Final = re.compile(rb"3\d{1,10}-")


def _syntax(data: bytes, position: int, expected: str) -> SioSyntax:
    rest = data[position : position + MAX_QUOTED].decode(errors="replace")
    found = f"`{rest}` at byte {position}" if rest else f"the end at byte {position}"
    return SioSyntax(position, expected, found, _PLAUSIBLE.match(data) is not None)


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


# float: Python refuses to read integers of more than 4300 digits, JavaScript does not.
_JAVASCRIPT_JSON: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=float)
_CONSTANT: Final = re.compile(r'"(?:[^"\\]|\\.)*"|(NaN|-?Infinity)')
_ARRAY_START: Final = re.compile(r"\[[ \t\r\n]*")


def _read_json_slowly(kind: int, data: bytes, at: int) -> str | SioSyntax | None:
    """The event name in JSON that msgspec refused: JSON.parse takes lone surrogates, any number and any nesting.

    Says where the error is, too: for msgspec, all that follows a lone surrogate is "truncated".
    """
    too_long = len(data) - at > MAX_JSON_READ
    text = data[at : at + 1024 if too_long else None].decode(errors="surrogateescape")
    try:
        value = _read_beginning(text) if too_long else _JAVASCRIPT_JSON.decode(text)
    except json.JSONDecodeError as error:
        return _syntax(data, at + _byte_length(text[: error.pos]), f"JSON ({error.msg})")
    except ValueError:
        constant = next(match for match in _CONSTANT.finditer(text) if match[1])
        return _syntax(data, at + _byte_length(text[: constant.start()]), "JSON (it has no such number)")
    except RecursionError:
        value = _read_beginning(text)
    head = value[0] if isinstance(value, list) and value else None
    if kind in _EVENTS:
        valid = isinstance(head, str | float)
    elif kind == SioType.CONNECT:
        valid = isinstance(value, dict)
    elif kind == SioType.CONNECT_ERROR:
        valid = isinstance(value, str | dict)
    else:
        valid = isinstance(value, list)
    if not valid:
        return _syntax(data, at, EXPECTED_JSON[kind])
    if kind in _EVENTS and isinstance(head, str):
        # Pairs of surrogates become the character that they are, and what stands alone is not fit for printing.
        return head.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return None


def _byte_length(text: str) -> int:
    return len(text.encode(errors="surrogateescape"))


def _read_beginning(text: str) -> object:
    """An array with its first element, or an object: what is too long or too deep to be read is taken for valid."""
    start = _ARRAY_START.match(text)
    if start is None:
        return {}
    try:
        return [_JAVASCRIPT_JSON.raw_decode(text, start.end())[0]]
    except (ValueError, RecursionError):
        return [None]


def placeholders(data: bytes) -> int:
    """How many attachments the JSON of a packet has a place for."""
    return len(_PLACEHOLDER.findall(data))


@dataclass(slots=True)
class ConnectDetails:
    """What the JSON of a CONNECT holds: a client's auth object, or a server's answer to it.

    `keys` are those of the object, in the order as sent. `sid` is the socket id; `pid` and `offset` belong to
    connection state recovery (socket.io 4.6). A field is None where it is absent, or no string.
    """

    keys: tuple[str, ...] = ()
    sid: str | None = None
    pid: str | None = None
    offset: str | None = None


def connect_details(data: bytes) -> ConnectDetails:
    """What `SioPacket.data` of a CONNECT holds; in revision 4 it is empty."""
    fields = _parse_json(data)
    if not isinstance(fields, dict):
        return ConnectDetails()
    sid, pid, offset = (
        value if isinstance(value, str) else None for value in map(fields.get, ("sid", "pid", "offset"))
    )
    return ConnectDetails(tuple(fields)[:MAX_KEYS], sid, pid, offset)


def error_message(data: bytes) -> str:
    """The message in `SioPacket.data` of a CONNECT_ERROR: a string up to revision 4, `{"message": ...}` in 5."""
    value = _parse_json(data)
    if isinstance(value, dict):
        value = value.get("message")
    return value if isinstance(value, str) else ""


def _parse_json(data: bytes) -> object:
    try:
        return None if len(data) > MAX_JSON_READ else msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return None
