"""What a ClientHello looks like, which tells the library that made it (and not what it asks for).

The cipher suites in the order of the client, and its extensions, groups and signature algorithms: what a library and
its version have always alike. Not in it: values that stand for nothing (RFC 8701), the order of the extensions (Chrome
shuffles them), and what depends on the server or on an earlier connection, such as its name, ALPN, tickets and padding.
"""

import hashlib
from typing import Final

_MOST: Final = 256  # values of a list
_GROUPS: Final = 10  # supported_groups
_SIGNATURES: Final = 13  # signature_algorithms
# server_name, ALPN, padding, pre_shared_key, early_data, cookie, and the ECH of RFC 9849.
_NOT_ITS_OWN: Final = frozenset((0, 16, 21, 41, 42, 44, 0xFE0D))


def hello_shape(body: bytes) -> str:
    """Twelve hexadecimal digits for the body of a ClientHello (RFC 8446, section 4.1.2); it may be cut anywhere."""
    at = _behind(body, 2 + 32, 1)  # legacy_version, random; legacy_session_id
    end = _behind(body, at, 2)
    suites = _numbers(body, at + 2, end)
    at = _behind(body, end, 1) + 2  # legacy_compression_methods; the length of the extensions
    kinds: list[int] = []
    groups: list[int] = []
    signatures: list[int] = []
    while at + 4 <= len(body) and len(kinds) < _MOST:
        kind, length = int.from_bytes(body[at : at + 2], "big"), int.from_bytes(body[at + 2 : at + 4], "big")
        at += 4
        if kind == _GROUPS:
            groups = _numbers(body, at + 2, at + length)
        elif kind == _SIGNATURES:
            signatures = _numbers(body, at + 2, at + length)
        if kind not in _NOT_ITS_OWN and not _stands_for_nothing(kind):
            kinds.append(kind)
        at += length
    text = repr((body[:2], suites, sorted(kinds), groups, signatures))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _behind(body: bytes, at: int, size: int) -> int:
    return min(at + size + int.from_bytes(body[at : at + size], "big"), len(body))


def _numbers(body: bytes, at: int, end: int) -> list[int]:
    end = min(end, len(body) - 1, at + 2 * _MOST)
    found: list[int] = []
    while at < end:
        number = int.from_bytes(body[at : at + 2], "big")
        if not _stands_for_nothing(number):
            found.append(number)
        at += 2
    return found


def _stands_for_nothing(number: int) -> bool:
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF
