"""What a terminal sends when somebody types (ECMA-48, and the control sequences of xterm): bytes in, keys out.

Whatever comes is taken: sequences in pieces, of keys that mean nothing here, reports of a mouse, answers to questions
that another program asked, broken UTF-8. None of it is ever taken for letters that were typed.
"""

import codecs
import re
from enum import Enum
from typing import NamedTuple

# A control sequence that is longer than this is none.
_MAX_SEQUENCE = 4096
# Characters of a paste that are of use: it can only go into the filter.
_MAX_PASTE = 200

_PASTE_END = b"\x1b[201~"

# CSI, with the odd form of the Linux console for F1 to F5 and that of old mouse reports, whose three bytes are no
# parameters; SS3; strings that end in BEL or ST; anything else with one byte behind it (Alt and a key).
_SEQUENCE = re.compile(
    rb"\x1b(?:\[\[.|\[M...|\[(?![\[M])[0-?]*[ -/]*[@-~]|O[0-?]*[ -~]"
    rb"|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[^\[O\]PX^_\x1b])",
    re.DOTALL,
)
_INCOMPLETE = re.compile(rb"\x1b(?:\[\[?|\[M.{0,2}|\[[0-?]*[ -/]*|O[0-?]*|[\]PX^_][^\x07\x1b]*\x1b?)?\Z", re.DOTALL)


class Key(Enum):
    """Keys that mean something. `TEXT` are characters that were typed, `PASTE` such that were pasted."""

    TEXT = "text"
    PASTE = "paste"
    UP = "up"
    DOWN = "down"
    LEFT = "left"
    RIGHT = "right"
    HOME = "home"
    END = "end"
    PAGE_UP = "page up"
    PAGE_DOWN = "page down"
    TAB = "tab"
    BACK_TAB = "back tab"
    ENTER = "enter"
    ESCAPE = "escape"
    BACKSPACE = "backspace"
    CLEAR = "clear"  # Ctrl-U
    REDRAW = "redraw"  # Ctrl-L
    SUSPEND = "suspend"  # Ctrl-Z


class Typed(NamedTuple):
    """A key, with the characters if it is of those."""

    key: Key
    text: str = ""


_SEQUENCES = {
    b"\x1b[A": Key.UP, b"\x1bOA": Key.UP, b"\x1b[B": Key.DOWN, b"\x1bOB": Key.DOWN,
    b"\x1b[C": Key.RIGHT, b"\x1bOC": Key.RIGHT, b"\x1b[D": Key.LEFT, b"\x1bOD": Key.LEFT,
    b"\x1b[H": Key.HOME, b"\x1bOH": Key.HOME, b"\x1b[1~": Key.HOME, b"\x1b[7~": Key.HOME,
    b"\x1b[F": Key.END, b"\x1bOF": Key.END, b"\x1b[4~": Key.END, b"\x1b[8~": Key.END,
    b"\x1b[5~": Key.PAGE_UP, b"\x1b[6~": Key.PAGE_DOWN, b"\x1b[Z": Key.BACK_TAB, b"\x1bOM": Key.ENTER,
}  # fmt: skip
_CONTROLS = {
    "\t": Key.TAB, "\r": Key.ENTER, "\n": Key.ENTER, "\x7f": Key.BACKSPACE, "\x08": Key.BACKSPACE,
    "\x15": Key.CLEAR, "\x0c": Key.REDRAW, "\x1a": Key.SUSPEND,
    "\x02": Key.PAGE_UP, "\x06": Key.PAGE_DOWN, "\x10": Key.UP, "\x0e": Key.DOWN,  # as in less
}  # fmt: skip


class KeyReader:
    """Takes bytes as they come, and yields keys."""

    def __init__(self) -> None:
        self._rest = b""  # a sequence that is not complete
        self._text = codecs.getincrementaldecoder("utf-8")("ignore")
        self._pasted: str | None = None  # so far, while a paste is under way
        self._pasting = codecs.getincrementaldecoder("utf-8")("ignore")

    @property
    def waits(self) -> bool:
        """Whether something began that only more bytes, or their absence, will tell: see `settle`."""
        return bool(self._rest) or self._pasted is not None

    def feed(self, data: bytes) -> list[Typed]:
        """The keys that are complete with these bytes."""
        typed: list[Typed] = []
        data, self._rest = self._rest + data, b""
        at = 0
        while at < len(data):
            if self._pasted is not None:
                at = self._paste(data, at, typed)
                continue
            escape = data.find(b"\x1b", at)
            if escape != at:
                end = len(data) if escape < 0 else escape
                self._plain(data[at:end], typed)
                at = end
                continue
            at = self._escape(data, at, typed)
        return typed

    def settle(self) -> list[Typed]:
        """Nothing more came for a while: an escape byte by itself is the key; what else is incomplete is dropped."""
        rest, self._rest = self._rest, b""
        typed = [Typed(Key.ESCAPE)] if rest == b"\x1b" and self._pasted is None else []
        if self._pasted is not None:
            typed.append(Typed(Key.PASTE, self._pasted))
            self._pasted = None
        return typed

    def _escape(self, data: bytes, at: int, typed: list[Typed]) -> int:
        """What begins with an escape byte; returns where it ends."""
        found = _SEQUENCE.match(data, at)
        if found:
            key = _SEQUENCES.get(found[0])
            if key is not None:
                typed.append(Typed(key))
            elif found[0] == b"\x1b[200~":
                self._pasted = ""
                self._pasting.reset()
            return found.end()
        if data[at + 1 : at + 2] == b"\x1b":  # the key, and then something else
            typed.append(Typed(Key.ESCAPE))
            return at + 1
        if len(data) - at <= _MAX_SEQUENCE and _INCOMPLETE.match(data, at):
            self._rest = data[at:]
            return len(data)
        junk = data.find(b"\x1b", at + 1)
        return len(data) if junk < 0 else junk

    def _paste(self, data: bytes, at: int, typed: list[Typed]) -> int:
        end = data.find(_PASTE_END, at)
        upto = end if end >= 0 else len(data)
        if end < 0:  # the end may have come in part
            for length in range(min(len(_PASTE_END) - 1, len(data) - at), 0, -1):
                if data.endswith(_PASTE_END[:length]):
                    upto = len(data) - length
                    self._rest = data[upto:]
                    break
        pasted = (self._pasted or "") + self._pasting.decode(data[at:upto])
        self._pasted = pasted[:_MAX_PASTE]
        if end < 0:
            return len(data)
        typed.append(Typed(Key.PASTE, self._pasted))
        self._pasted = None
        return end + len(_PASTE_END)

    def _plain(self, data: bytes, typed: list[Typed]) -> None:
        for char in self._text.decode(data):
            key = _CONTROLS.get(char)
            if key is not None:
                typed.append(Typed(key))
            elif char.isprintable():
                typed.append(Typed(Key.TEXT, char))
