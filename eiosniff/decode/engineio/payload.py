"""The framing of polling: how the body of a request or an answer holds several Engine.IO packets.

    revision    body (https://github.com/socketio/engine.io-protocol)
    1 to 3      <length>:<packet><length>:<packet>
                or, with XHR2, 00|01 <length digits as bytes> ff <packet>
    4           <packet> 1e <packet>, binary as b<base64>

All of them may be wrapped for JSONP. The shape of a body tells what its sender speaks. netty-socketio (to 2.0.x) mixes
them: binary data of revision 4 stands behind its packet, framed as with XHR2, and 1e also joins entries of XHR2
(PacketEncoder.java).
"""

import json
import re
from collections.abc import Callable
from typing import Final, final
from urllib.parse import unquote_to_bytes

import numpy as np

from eiosniff.decode.engineio.packets import decode_message
from eiosniff.model.engineio import EioPacket, Transport
from eiosniff.model.provenance import PacketRef, Side

# What a body of two-byte packets at the usual `maxHttpBufferSize` of 1 MB holds is below this; a body made of nothing
# but separators must not cost a record for each of its bytes.
MAX_PACKETS_IN_PAYLOAD: Final = 1 << 19

_SEPARATOR: Final = b"\x1e"
_PACKET_STARTS: Final = b"0123456b"


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
class Framing:
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
        decode_message(entry, binary, 3 if binary else shape, side, Transport.POLLING, place, packets)
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


def _split_separators(body: bytes) -> Framing:
    """Revision 4, "HTTP long-polling": packets joined by the record separator."""
    if _FRAME_END in body:  # never in UTF-8
        return _split_mixed(body)
    entries = body.split(_SEPARATOR, MAX_PACKETS_IN_PAYLOAD)
    trouble, consumed = None, len(body)
    if len(entries) > MAX_PACKETS_IN_PAYLOAD:
        trouble, consumed = _TOO_MANY, consumed - len(entries.pop())
    return Framing([(entry, False) for entry in entries], consumed, trouble)


def _split_mixed(body: bytes) -> Framing:
    """netty-socketio, revision 4: `<packet>[01 <length digits as bytes> ff 04 <data>]...` joined by 1e."""
    entries: list[tuple[bytes, bool]] = []
    at = 0
    while at <= len(body):
        if len(entries) >= MAX_PACKETS_IN_PAYLOAD:
            return Framing(entries, at, _TOO_MANY)
        end = body.find(_SEPARATOR, at)
        end = len(body) if end < 0 else end
        binary = _BINARY_FRAME.search(body, at, end)
        if binary is None:
            entries.append((body[at:end], False))
            at = end + 1
            continue
        if binary.start() > at:
            entries.append((body[at : binary.start()], False))
        start, length = binary.end(), int(binary[1].translate(_DIGITS))
        if start + length > len(body):
            found = f"{len(body) - start} bytes follow"
            return Framing(entries, binary.start(), f"length {length} at byte {binary.start()} does not fit: {found}")
        entries.append((body[start : start + length], True))
        at = start + length
        if body.startswith(_SEPARATOR, at):
            at += 1
        elif at == len(body):
            break
    return Framing(entries, min(at, len(body)), None)


_TOO_MANY: Final = f"more than {MAX_PACKETS_IN_PAYLOAD} packets"
# Before an entry: whether it is binary, and its length. Ten digits are more than any body has.
_LENGTH: Final = re.compile(rb"()(\d{1,10}):")
# With XHR2, revisions 2 and 3: `00` (text) or `01` (binary), the digits as byte values, `ff`. The length counts bytes,
# and text is plain UTF-8: utf8.js makes it a string of bytes, which are written as they are (engine.io-parser 1.3.1
# and 2.2.1, python-engineio 3.14.2).
_BINARY_LENGTH: Final = re.compile(rb"\x1e?([\x00\x01])([\x00-\x09]{0,10})\xff")
_FRAME_END: Final = b"\xff"
_BINARY_FRAME: Final = re.compile(rb"\x01([\x00-\x09]{1,10})\xff(?=\x04)")
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


def _split_lengths(body: bytes) -> tuple[Framing, bool]:
    """Revisions 1 to 3, "Payload": `<length>:<packet>` repeated; and whether UTF-8 was encoded twice.

    engine.io-parser 1.3.1 (socket.io 1.x) encodes each packet, counts its bytes, then takes them for characters and
    encodes once more; 2.x does not. Text of 2.x that looks like it would have to be mojibake of its own.
    """
    if body.isascii():
        return _split_framed(body, _LENGTH, "characters", len), False
    undone = undo_double_encoding(body)
    if undone is not None:
        framing = _split_framed(undone, _LENGTH, "bytes", len)
        if framing.sound:
            framing.consumed = len(body)
            return framing, True
    return split_counted(body, _LENGTH), False


def split_counted(body: bytes, header: re.Pattern[bytes]) -> Framing:
    """Entries behind headers (group 2 holds the digits) whose lengths count UTF-16 code units, or should."""
    protocol = _split_framed(body, header, "UTF-16 code units", _utf16_units)
    if protocol.sound:
        return protocol
    for unit, count in _OTHER_COUNTINGS:
        framing = _split_framed(body, header, unit, count)
        if framing.sound:
            framing.trouble = f"lengths count {unit}, not UTF-16 code units"
            return framing
    return protocol


def _split_framed(body: bytes, framing: re.Pattern[bytes], unit: str, count: Callable[[bytes], int]) -> Framing:
    entries: list[tuple[bytes, bool]] = []
    at = 0
    while at < len(body):
        header = framing.match(body, at)
        if header is None:
            return Framing(entries, at, f"no length at byte {at}")
        if len(entries) == MAX_PACKETS_IN_PAYLOAD:
            return Framing(entries, at, _TOO_MANY)
        start, length = header.end(), int(header[2].translate(_DIGITS) or b"0")
        end = _end_of_text(body, start, length, count)
        if end is None:
            found = f"{count(body[start:])} {unit} follow"
            return Framing(entries, at, f"length {length} at byte {at} does not fit: {found}")
        if end > start:  # `0:` is how engine.io-parser writes a payload without packets
            entries.append((body[start:end], header[1] == b"\x01"))
        at = end
    return Framing(entries, at, None)


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


def undo_double_encoding(body: bytes) -> bytes | None:
    """Text whose UTF-8 was encoded twice, with the second encoding undone; None for text that this cannot be."""
    if np.frombuffer(body, np.uint8).max() > _LAST_OF_LATIN_1:
        return None  # the characters that are taken for bytes are below U+0100
    try:
        once = body.decode().encode("latin-1")
        once.decode(errors="surrogatepass")  # utf8.js and wtf-8 encode lone surrogates too
    except UnicodeError:
        return None
    return once


_LAST_OF_LATIN_1: Final = 0xC3  # the highest byte in the UTF-8 of a character below U+0100
# In single quotes from netty-socketio, which escapes these and backslashes, and nothing else.
_JSONP_ANSWER: Final = re.compile(rb"""\s*___eio\[\d*\]\((?:(".*")|'(.*)')\);?\s*""", re.DOTALL)
_ESCAPED: Final = re.compile(rb"\\([\\'])")


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
    return unquote_literal(answer[1]) if answer[1] is not None else _ESCAPED.sub(rb"\1", answer[2])


def unquote_literal(literal: bytes) -> bytes | None:
    """The text of a string literal of JavaScript, as JSON writes them; None when it is none."""
    try:
        text = json.loads(literal.decode(errors="replace"), strict=False)
    except (ValueError, RecursionError):
        return None
    if not isinstance(text, str):
        return None
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


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
