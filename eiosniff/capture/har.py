"""Takes a HAR apart (HAR 1.2, softwareishard.com/blog/har-12-spec): one entry after the other, never the whole.

Nothing but the entry at hand is in memory, whatever the size of the file; and what comes before a cut, or around an
entry that is damaged, is read. The JSON of an entry is for `har_entry`.
"""

import re
from collections.abc import Callable, Iterator

from eiosniff.capture.har_entry import EntryReader, creator_of
from eiosniff.capture.window import CaptureProblem, Window
from eiosniff.errors import CaptureError
from eiosniff.model.batch import PacketBatch
from eiosniff.model.har import HarEntry
from eiosniff.model.trouble import AnomalyKind

# An entry may hold a WebSocket with a million messages, or a body of hundreds of MB (bytes of JSON).
MAX_ENTRY = 512 << 20
# Where nothing but JSON without entries comes, no more is read than this (bytes).
MAX_PREAMBLE = 64 << 20
_BLANK = b" \t\r\n"
_GLIMPSE = 256
_CREATOR_WITHIN = 1 << 16
# A whole string, a bracket, or the beginning of a string whose end is not at hand. Possessive: a long string must not
# be tried again at each of its characters.
_TOKEN = re.compile(rb'([{\[])|([}\]])|("[^"\\]*+(?:\\.[^"\\]*+)*+")|(")', re.DOTALL)
_OPENS, _CLOSES, _STRING, _CUT_STRING = range(1, 5)  # its groups
# The next bracket, behind whole strings and what else is between, in one step: it takes half the time.
_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+(?:([{\[])|([}\]])|(\Z)|("))', re.DOTALL)
_END = 3  # of what is at hand; the other groups have the same numbers
_BARE = re.compile(rb'(?:[^{\["]{1,1000}?|"[^"\\]*+(?:\\.[^"\\]*+)*+"\s*)(?=[,\]])', re.DOTALL)
_LIST = re.compile(rb"\s*:\s*\[")
_MOST_BETWEEN = 64  # bytes of white space around a colon
_LOG_DEPTHS = (1, 2)  # of the key, in an export without `log` and in one with it
_COMMA = b","
_NAME = b'"entries"'

REMEDY = "export it again (in the Network panel of the browser), or name a pcap or pcapng file"


def _is_entries(token: re.Match[bytes]) -> bool:
    start, end = token.span()
    return end - start == len(_NAME) and token.group() == _NAME


class HarReader:
    """A HAR that is being read. What it counts grows with each entry; see `CaptureSource` for what is not said here.

    `last_entry` is the number of the last entry that was read, `unreadable` counts those that are no entries.
    """

    format = "HAR"

    def __init__(self, window: Window, name: str) -> None:
        """Read up to the first entry. Raises `CaptureError` where none can come."""
        self._window = window
        self._name = name
        self.problems: list[CaptureProblem] = []
        self.link_types: list[int] = []
        self.secrets: list[tuple[int, bytes]] = []
        self.dropped: int | None = None
        self.last_entry = 0
        self.unreadable = 0
        self._first_unreadable = 0
        self.wire_bytes = 0
        self._at = 0  # behind what was looked at, from `window.pos` on
        self._creator = self._find_entries()

    @property
    def creator(self) -> str:
        """The program that wrote it, by its own name; empty if it has none."""
        return self._creator

    def batches(self) -> Iterator[PacketBatch]:
        """There are no captured packets in it."""
        return iter(())

    def entries(self, wanted: Callable[[HarEntry], bool]) -> Iterator[HarEntry]:
        """The entries in the order of the file, once. Of those that are not `wanted`, by their head (URL, method and
        times), bodies and messages are left out. Bad input raises nothing; see `problems`."""
        reader = EntryReader(self._creator, wanted)
        for raw in self._objects():
            self.last_entry += 1
            entry = reader.read(raw, self.last_entry)
            if entry is None:
                self.unreadable += 1
                self._first_unreadable = self._first_unreadable or self.last_entry
                continue
            self.wire_bytes += reader.wire_bytes
            yield entry
        if self.unreadable:
            which = f"entry {self._first_unreadable}" + (" and others" if self.unreadable > 1 else "")
            text = f"{self.unreadable} of {self.last_entry} entries cannot be read ({which})"
            self.problems.append(CaptureProblem(AnomalyKind.CAPTURE_DAMAGED, 0, text))

    # ------------------------------------------------------------------ JSON, as far as its brackets

    def _find_entries(self) -> str:
        """Go behind the bracket that opens the list of entries; returns who wrote the file."""
        depth, creator, gone = 0, "", 0
        while gone + self._at <= MAX_PREAMBLE:
            window = self._window
            for token in _TOKEN.finditer(window.buffer, window.pos + self._at):
                kind, at = token.lastindex, self._at
                self._at = token.end() - window.pos
                if kind == _STRING:
                    if depth in _LOG_DEPTHS and _is_entries(token) and (opening := self._opens_list(token.end())):
                        creator = creator or creator_of(self._head())
                        self._at = opening
                        self._forget()
                        return creator
                    continue
                if kind == _CUT_STRING:
                    self._at = token.start() - window.pos
                    break
                depth += 1 if kind == _OPENS else -1
                if depth == 0 or at > MAX_PREAMBLE:
                    raise self._no_har()
            if not creator:
                creator = creator_of(self._head())
            before = self._at
            self._forget()
            gone += before - self._at
            if not self._more():
                break
        raise self._no_har()

    def _no_har(self) -> CaptureError:
        cut = f", and {self._window.trouble.text}" if self._window.trouble else ""
        return CaptureError(f"{self._name} is JSON, but not a HAR: there is no list of entries in it{cut}", REMEDY)

    def _head(self) -> bytes:
        window = self._window
        return bytes(window.buffer[window.pos : window.pos + min(self._at, _CREATOR_WITHIN)])

    def _opens_list(self, place: int) -> int:
        """Where the list begins whose name ends at a place of the buffer, counted from `pos`; 0 if it is none."""
        window = self._window
        place -= window.pos
        window.more(place + _MOST_BETWEEN)
        found = _LIST.match(window.buffer, window.pos + place)
        return found.end() - window.pos if found is not None else 0

    def _objects(self) -> Iterator[bytes]:
        """The members of the list, each as it stands in the file."""
        while True:
            self._skip_blank()
            window = self._window
            first = bytes(window.buffer[window.pos : window.pos + 1])
            if first in (b"", b"]"):
                if not first:
                    self._cut("ends")
                return
            end = self._end_of_member()
            if end <= 0:
                return
            window = self._window
            yield bytes(memoryview(window.buffer)[window.pos : window.pos + end])
            self._at = end
            self._forget()

    def _skip_blank(self) -> None:
        """Go to the next member, or to the end of the list."""
        while True:
            window = self._window
            start = bytes(window.buffer[window.pos : window.pos + _GLIMPSE])
            rest = start.lstrip(_BLANK + _COMMA)
            self._at = len(start) - len(rest)
            self._forget()
            if rest or not self._more():
                return

    def _end_of_member(self) -> int:
        """Where the member that begins here ends, counted from `pos`; 0 if the file does before."""
        window = self._window
        bare = _BARE.match(window.buffer, window.pos)
        if bare is not None:  # no object, and so no entry
            return bare.end() - window.pos
        depth, at = 0, 0
        while True:
            depth, at, whole = self._scan(depth, at)
            if at > MAX_ENTRY:
                break
            if whole:
                return at
            self._at = at
            if not self._more():
                self._cut("is cut off")
                return 0
        text = f"entry {self.last_entry + 1} has more than {MAX_ENTRY >> 20} MB; it and what follows was not read"
        self.problems.append(CaptureProblem(AnomalyKind.CAPTURE_DAMAGED, 0, text))
        return 0

    def _scan(self, depth: int, at: int) -> tuple[int, int, bool]:
        """Go on within a member, so many brackets deep; returns where, and whether it ends there."""
        window = self._window
        for token in _BRACKET.finditer(window.buffer, window.pos + at):
            kind = token.lastindex
            at = token.end() - window.pos
            if kind == _OPENS:
                depth += 1
            elif kind == _CLOSES:
                depth -= 1
            else:
                return depth, at if kind == _END else at - 1, False
            if depth <= 0 or at > MAX_ENTRY:
                return depth, at, True
        return depth, at, False

    def _cut(self, how: str) -> None:
        trouble = self._window.trouble
        place = f"in entry {self.last_entry + 1}" if how != "ends" else f"after entry {self.last_entry}"
        why = f" ({trouble.text})" if trouble else ""
        text = f"the HAR is cut off {place}{why}"
        kind = trouble.kind if trouble else AnomalyKind.CAPTURE_TRUNCATED
        self.problems.append(CaptureProblem(kind, 0, text))

    def _forget(self) -> None:
        """What was looked at is done with."""
        self._window.pos += self._at
        self._at = 0
        self._window.more(1)  # which gives back what was read of a mapped file

    def _more(self) -> bool:
        """Have more of the input behind what is at hand. Twice as much each time: it is copied together."""
        window = self._window
        have = len(window.buffer) - window.pos
        window.more(max(2 * have, 1))
        return len(window.buffer) - window.pos > have
