"""How a screen looks: styles, and what a terminal can show of the characters that we use."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from rich.cells import cell_len

from eiosniff.model.finding import Severity
from eiosniff.report.layout import fit, paint

STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold cyan"}
# Signs that say in one or two characters how bad it is, beside a session.
SIGNS = {Severity.ERROR: "!!", Severity.WARNING: "!", Severity.INFO: "i"}

_NO_COLORS = frozenset({"bold", "dim", "reverse", "underline"})
# What stands for our own characters on a terminal that lacks them; each takes as much room.
_PLAIN = str.maketrans("…→←↑↓─│└·•▸–—≤≥×“”‘’µ", "~><^v-|`.*>--<>x\"\"''u")


@dataclass(frozen=True, slots=True)
class Look:
    """`color`: whether there are colours. `encoding` is that of the terminal (a name that Python knows). `zone` is the
    time zone of the clock on the wall; None is that of the system."""

    color: bool = True
    encoding: str = "utf-8"
    zone: tzinfo | None = None

    def paint(self, text: str, style: str) -> str:
        """`text` in a style of rich's, as far as the terminal has it."""
        if not text or not style:
            return text
        style = style if self.color else _without_colors(style)
        return paint(text, style) if style else text

    def shown(self, line: str) -> str:
        """A line as the terminal can show it, of the same width."""
        if self.encoding == "utf-8" or line.isascii():
            return line
        return "".join(char if char < "\x80" or self._has(char) else _stand_in(char) for char in line)

    def clock(self, ts_ns: int, *, fine: bool = False) -> str:
        """The time of day of an instant; if `fine`, to the millisecond."""
        seconds, rest = divmod(ts_ns, 1_000_000_000)
        try:
            moment = datetime.fromtimestamp(seconds, self.zone)
        except (ValueError, OSError, OverflowError):  # a capture may name any year
            moment = datetime.fromtimestamp(seconds % 86_400, UTC)
        return f"{moment:%H:%M:%S}{f'.{rest // 1_000_000:03d}' if fine else ''}"

    def _has(self, char: str) -> bool:
        return _encodes(char, self.encoding)


@lru_cache(64)
def _without_colors(style: str) -> str:
    return " ".join(word for word in style.split() if word in _NO_COLORS)


@lru_cache(4096)
def _encodes(char: str, encoding: str) -> bool:
    try:
        char.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _stand_in(char: str) -> str:
    plain = char.translate(_PLAIN)
    return plain if plain.isascii() else "?" * cell_len(char)


def cell(text: str, width: int, *, right: bool = False) -> str:
    """`text` cut or filled to a number of terminal cells."""
    text = fit(text, width)
    padding = " " * (width - (len(text) if text.isascii() else cell_len(text)))
    return padding + text if right else text + padding
