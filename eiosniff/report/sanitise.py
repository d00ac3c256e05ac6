r"""What came from the wire, made fit to be shown: nothing that leaves here can steer a terminal or hide text.

Whoever sends the bytes may be hostile. Escape sequences could rewrite the report, bidirectional overrides reverse it,
zero-width characters hide in it and a pile of combining marks spill over the lines around it. All of them are shown
as visible escapes (`\x1b`, `\u202e`). A backslash itself stays as it is: JSON is full of them, and no reader would
thank us for doubling each.
"""

import unicodedata

ELLIPSIS = "…"

# Characters that Unicode calls letters or marks and that nevertheless show nothing (Default_Ignorable_Code_Point in
# DerivedCoreProperties.txt, as far as `str.isprintable` lets them pass), and the blank of the Braille patterns.
_INVISIBLE = frozenset(
    chr(code)
    for first, last in (
        (0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2800, 0x2800), (0x3164, 0x3164),
        (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0x1D173, 0x1D17A), (0xE0100, 0xE01EF),
    )
    for code in range(first, last + 1)
)  # fmt: skip

# No living script stacks more marks than this on one letter.
_MAX_MARKS = 4

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(raw: str | bytes, limit: int | None = None) -> str:
    """`raw` as one line of printable text, at most `limit` characters long; what was cut shows as an ellipsis."""
    if limit is not None:
        raw = raw[: 4 * limit + 4]  # no character takes more than four bytes: the rest cannot be shown anyway
    text = raw.decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else raw
    if not (text.isascii() and text.isprintable()):
        hidden = {ord(char): _escape(char) for char in set(text) if not _shows(char)}
        text = _thin_out_marks(text.translate(hidden) if hidden else text)
    return clip(text, limit)


def clip(text: str, limit: int | None) -> str:
    """`text` cut to at most `limit` characters, the last of them an ellipsis when something was cut."""
    if limit is None or len(text) <= limit:
        return text
    return text[: max(0, limit - 1)] + ELLIPSIS


def json_safe(document: str) -> str:
    r"""A JSON document with every character that does not show written as `\uXXXX`: the same data, safe to see."""
    if document.isascii() and document.replace("\n", "").isprintable():
        return document
    hidden = {ord(char): _json_escape(char) for char in set(document) if char != "\n" and not _shows(char)}
    return document.translate(hidden) if hidden else document


def _shows(char: str) -> bool:
    return char.isprintable() and char not in _INVISIBLE


def _escape(char: str) -> str:
    code = ord(char)
    if char in _SHORT:
        return _SHORT[char]
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _thin_out_marks(text: str) -> str:
    """Escape combining marks that have no letter of their own text to stand on, or that are too many for it."""
    if text.isascii() or not any(_is_mark(char) for char in set(text)):
        return text
    shown: list[str] = []
    marks = _MAX_MARKS  # at the beginning a mark would land on our own text
    for char in text:
        marks = marks + 1 if _is_mark(char) else 0
        shown.append(_escape(char) if marks > _MAX_MARKS else char)
    return "".join(shown)


def _is_mark(char: str) -> bool:
    return unicodedata.category(char) in ("Mn", "Me")
