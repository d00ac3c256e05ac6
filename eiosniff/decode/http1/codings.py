"""Content and transfer codings of HTTP undone (RFC 9110, section 8.4): gzip and deflate, and `br` and `zstd` where the
library for them is installed.

What a coding inflates to is bounded by a limit, and so is what is held on the way: a few bytes can mean many megabytes.
"""

import zlib
from contextlib import suppress
from importlib import import_module
from types import ModuleType
from typing import Final

from eiosniff.model.trouble import AnomalyKind

# Nobody codes a body more than twice; a longer list is a bomb.
_CODINGS_LIMIT: Final = 3
# A decoder gets so many bytes at a time. What it makes of a step comes at once: for zstd at most 8 MiB, as a block of
# 128 KiB takes 4 bytes (RFC 8878, section 3.1.1.2).
_STEP: Final = 256
_PIECE: Final = 1 << 16  # that a Brotli decoder gives at a time
# A browser takes no larger window (RFC 9659, section 3), so that no server may use one.
_ZSTD_WINDOW: Final = 8 << 20

# Of the HTTP Content Coding Registry, those that nobody here can undo: what is in them is not a text.
_OPAQUE: Final = frozenset({b"compress", b"x-compress", b"dcb", b"dcz", b"exi", b"aes128gcm", b"pack200-gzip"})
# By coding: the modules of which one will do, and the package to recommend.
_OPTIONAL: Final = {b"br": (("brotli", "brotlicffi"), "Brotli"), b"zstd": (("zstandard",), "zstandard")}
_modules: Final[dict[bytes, ModuleType | None]] = {}  # once they were asked for


def undo_codings(codings: list[bytes], body: bytes, limit: int) -> tuple[bytes | None, AnomalyKind | None, str]:
    """Undo `codings`, in the order in which they were applied: the content, and what was wrong.

    The content is None if it is too large, or not to be had: without the library for `br` or `zstd` nobody can tell
    what is in such a body. A coding that nobody knows leaves the body as sent, which is mostly what it is (some servers
    send a character set there).
    """
    wrong: list[str] = []
    if len(codings) > _CODINGS_LIMIT:
        return body, AnomalyKind.HTTP_BAD_CODING, f"{len(codings)} codings"
    for coding in reversed(codings):
        if coding in (b"gzip", b"x-gzip"):
            body = _inflate(body, 16 + zlib.MAX_WBITS, limit, wrong)
        elif coding == b"deflate":
            # The coding is the zlib format (RFC 9110, section 8.4.1.2); some senders leave its two-byte header out.
            header = int.from_bytes(body[:2])
            zlib_format = header >> 8 & 0x0F == zlib.DEFLATED and header % 31 == 0
            body = _inflate(body, zlib.MAX_WBITS if zlib_format else -zlib.MAX_WBITS, limit, wrong)
        elif coding in _OPTIONAL:
            module = _module(coding)
            if module is None:
                text, package = coding.decode(), _OPTIONAL[coding][1]
                return None, AnomalyKind.HTTP_UNREADABLE_CODING, f"{text}; to read it: pip install --upgrade {package}"
            body = (_unbrotli if coding == b"br" else _unzstd)(module, body, limit, wrong)
        elif coding in _OPAQUE:
            return None, AnomalyKind.HTTP_UNREADABLE_CODING, coding.decode()
        elif coding not in (b"", b"identity", b"chunked"):
            break
        if len(body) > limit:
            return None, AnomalyKind.HTTP_TOO_LARGE, f"more than {limit} bytes inflated (limit `inflated`)"
    return body, AnomalyKind.HTTP_BAD_CODING if wrong else None, "; ".join(wrong)


def _module(coding: bytes) -> ModuleType | None:
    """The library for an optional coding, loaded when the first such body comes; None where it is not installed."""
    if coding not in _modules:
        found = (_loaded(name) for name in _OPTIONAL[coding][0])
        _modules[coding] = next((module for module in found if module is not None), None)
    return _modules[coding]


def _loaded(name: str) -> ModuleType | None:
    try:
        module = import_module(name)
        if name != "zstandard":
            # Before 1.2 there was no limit, and 14 bytes made 5 MB at once: a TypeError, as if it were absent.
            module.Decompressor().process(b"", output_buffer_limit=_PIECE)
    except (ImportError, TypeError):
        return None
    return module


def _inflate(data: bytes, window: int, limit: int, wrong: list[str]) -> bytes:
    """What can be inflated of `data`; at most `limit + 1` bytes, which tells that there is more."""
    inflater = zlib.decompressobj(window)
    try:
        content = inflater.decompress(data, limit + 1)
    except zlib.error as error:
        wrong.append(str(error))
        return _inflate_until_error(data, window)
    if len(content) <= limit:
        if not inflater.eof:
            wrong.append(_early(data))
        elif inflater.unused_data:
            wrong.append(_late(len(inflater.unused_data)))
    return content


def _inflate_until_error(data: bytes, window: int) -> bytes:
    """Inflate in small steps: zlib gives nothing for a step with an error in it."""
    inflater = zlib.decompressobj(window)
    step = 1 + len(data) // 4096
    content: list[bytes] = []
    with suppress(zlib.error):  # it is known to come before the limit; what was inflated before it stays in the list
        for at in range(0, len(data), step):
            content.append(inflater.decompress(data[at : at + step]))  # noqa: PERF401  # compiled, `extend` keeps nothing
    return b"".join(content)


def _unbrotli(brotli: ModuleType, data: bytes, limit: int, wrong: list[str]) -> bytes:
    """The same for Brotli (RFC 7932)."""
    decoder = brotli.Decompressor()
    content: list[bytes] = []
    size = at = 0
    try:
        while size <= limit and not decoder.is_finished():
            given = data[at : at + _STEP] if decoder.can_accept_more_data() else b""
            at += len(given)
            piece: bytes = decoder.process(given, output_buffer_limit=_PIECE)
            if not piece and not given:
                break
            content.append(piece)
            size += len(piece)
        if size <= limit and not decoder.is_finished():
            wrong.append(_early(data))
        elif size <= limit and at < len(data):
            wrong.append(_late(len(data) - at))
    except brotli.error as error:
        wrong.append(str(error))
    return b"".join(content)


def _unzstd(zstandard: ModuleType, data: bytes, limit: int, wrong: list[str]) -> bytes:
    """The same for Zstandard: one frame after another (RFC 8878, section 3)."""
    frames = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    decoder = frames.decompressobj()
    content: list[bytes] = []
    size = 0
    try:
        for at in range(0, len(data), _STEP):
            rest = data[at : at + _STEP]
            while rest and size <= limit:
                if decoder.eof:
                    decoder = frames.decompressobj()
                piece: bytes = decoder.decompress(rest)
                content.append(piece)
                size += len(piece)
                rest = decoder.unused_data
            if size > limit:
                break
        if size <= limit and not decoder.eof:
            wrong.append(_early(data))
    except zstandard.ZstdError as error:
        wrong.append(str(error))
    return b"".join(content)


def _early(data: bytes) -> str:
    return f"the coding ends early, after {len(data)} bytes"


def _late(count: int) -> str:
    return f"{count} bytes after the end of the coding"
