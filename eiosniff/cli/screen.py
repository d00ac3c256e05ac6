"""The full-screen view on a terminal: its modes, what is typed, and frames with as few bytes as it takes.

Everything goes over a description of the terminal of our own, which does not block: whoever holds the output back (a
slow line, a window that hangs) must not keep packets waiting. What is drawn and what keys do, `eiosniff.report.screen`
knows.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import IO, Any, Final

from eiosniff.errors import EiosniffError
from eiosniff.live.face import Face, Wish
from eiosniff.model.finding import Report, RuleInfo
from eiosniff.model.live import LiveEvent, LiveView
from eiosniff.report.redact import Redactor
from eiosniff.report.screen.keys import KeyReader, Typed
from eiosniff.report.screen.layout import Frame, draw
from eiosniff.report.screen.look import Look
from eiosniff.report.screen.picture import Picture
from eiosniff.report.screen.state import Asked, State, press

# xterm's control sequences: the alternate screen, the cursor, wrapping at the margin, pastes marked as such.
_ENTER: Final = b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?2004h\x1b[H\x1b[2J"
_LEAVE: Final = b"\x1b[?2004l\x1b[?7h\x1b[0m\x1b[?25h\x1b[?1049l"

_BLOCK: Final = 65_536
# After so long without another byte an escape byte was the key (ns): even far away the rest of a sequence comes sooner.
_ESCAPE_NS: Final = 100_000_000
_MESSAGE_NS: Final = 10_000_000_000
# At the end, so long for a terminal that takes nothing.
_PATIENCE_S: Final = 1.0
_REMEDY: Final = "--format text shows it line by line"


class Screen(Face):
    """Shows a running capture on the terminal that standard output is, and takes keys from standard input, or from that
    same terminal if standard input is something else, such as the capture."""

    shows_views = True

    def __init__(
        self,
        rules: Sequence[RuleInfo],
        redactor: Redactor,
        write_report: Callable[[Report], None],
        *,
        no_color: bool = False,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Take the terminal over; `close` gives it back. `rules` are those whose pages can be opened, `write_report`
        writes the report at the end. Raises `EiosniffError` where there is no terminal that could show it."""
        self._terminal = _Terminal()
        color = not no_color and not os.environ.get("NO_COLOR")
        self._look = Look(color=color, encoding=self._terminal.encoding)
        self._rules, self._redactor, self._now_ns = rules, redactor, now_ns
        self._write_report = write_report
        self._keys = KeyReader()
        self._typed_ns = 0
        self._state = State()
        self._picture: Picture | None = None
        self._newest: LiveView | None = None
        self._message = ""
        self._said_ns = 0
        self._news = 0
        self._frame = _Shown()
        self._terminal.enter()

    def fileno(self) -> int:
        """See `Face`."""
        return self._terminal.input

    def typed(self) -> Sequence[Wish]:
        """See `Face`. What the keys change is drawn at once."""
        data = self._terminal.read()
        if not data:
            return ()
        self._settle()
        self._typed_ns = self._now_ns()
        self._message = ""  # it was read
        wishes = self._press(self._keys.feed(data))
        self._draw()
        return wishes

    def tell(self, events: Sequence[LiveEvent]) -> None:
        """See `Face`. The view has them, too."""
        if self._state.paused:
            self._news += len(events)

    def show(self, view: LiveView) -> None:
        """See `Face`."""
        self._newest = view
        self._settle()
        if not self._state.paused or self._picture is None:
            self._renew()
        self._draw()

    def say(self, text: str) -> None:
        """See `Face`. It stays for some seconds."""
        self._message, self._said_ns = text, self._now_ns()
        self._draw()

    def report(self, report: Report, now_ns: int) -> None:
        """See `Face`: what the screen was is gone, and the report stays."""
        del now_ns  # the report has its own
        self.close()
        self._write_report(report)

    def close(self) -> None:
        """See `Face`."""
        self._terminal.close()

    def _settle(self) -> None:
        """Take for the key what has been an escape byte by itself for a while."""
        if self._keys.waits and self._now_ns() - self._typed_ns > _ESCAPE_NS:
            self._press(self._keys.settle())  # none of what it may tell is a wish

    def _renew(self) -> None:
        if self._newest is not None:
            self._picture = Picture(self._newest, self._rules, self._redactor, self._look, self._picture)

    def _press(self, typed: Sequence[Typed]) -> list[Wish]:
        """Do what keys ask for."""
        wishes: list[Wish] = []
        for key in typed:
            if self._picture is None:
                self._picture = Picture(LiveView("", "", 0, 0), self._rules, self._redactor, self._look)
            before = self._state
            self._state, asked = press(before, key, self._picture)
            if self._state.paused != before.paused:
                self._pause()
            match asked:
                case Asked.STOP:
                    wishes.append(Wish.STOP)
                case Asked.WRITE_REPORT:
                    wishes.append(Wish.WRITE_REPORT)
                case Asked.REDRAW:
                    self._frame = _Shown()
                case Asked.SUSPEND:
                    self._terminal.suspend()
        return wishes

    def _pause(self) -> None:
        """The picture stands still, or goes on."""
        self._news = 0
        if self._state.paused and self._picture is not None:
            self._picture.freeze()
        else:
            self._renew()

    def _draw(self) -> None:
        if self._picture is None or self._newest is None or not self._terminal.ready():
            return
        if self._terminal.take_fresh():
            self._frame = _Shown()
        if self._message and self._now_ns() - self._said_ns > _MESSAGE_NS:
            self._message = ""
        width, height = self._terminal.size()
        frame = draw(self._picture, self._state, width, height, message=self._message, news=self._news)
        self._state = frame.state
        self._terminal.write(self._frame.update(frame, width).encode(self._look.encoding, "replace"))


class _Shown:
    """What is on the screen already."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._width = 0

    def update(self, frame: Frame, width: int) -> str:
        """What to send so that the screen shows this frame."""
        parts: list[str] = []
        if len(frame.lines) != len(self._lines) or width != self._width:
            parts.append("\x1b[0m\x1b[2J")
            self._lines = [""] * len(frame.lines)
            self._width = width
        for at, (before, line) in enumerate(zip(self._lines, frame.lines, strict=True), 1):
            if line != before:
                # Erased before and not after: behind the last column the cursor still stands on it.
                parts.append(f"\x1b[{at};1H\x1b[K{line}")
        self._lines = frame.lines
        if frame.cursor is not None:
            row, column = frame.cursor
            parts.append(f"\x1b[{row + 1};{column + 1}H\x1b[?25h")
        elif parts:
            parts.append("\x1b[?25l")
        return "".join(parts)


class _Terminal:
    """The terminal: its modes, and bytes to and from it."""

    def __init__(self) -> None:
        try:
            import termios
        except ImportError:  # Windows
            raise EiosniffError("the full-screen view does not work on this system", _REMEDY) from None
        self._termios = termios
        if not sys.stdout.isatty():
            raise EiosniffError("standard output is no terminal, which the full-screen view needs", _REMEDY)
        if os.environ.get("TERM", "") in ("", "dumb", "unknown"):
            raise EiosniffError("this terminal (TERM) cannot show the full-screen view", _REMEDY)
        self.encoding = _encoding()
        self._output = _own(sys.stdout.fileno())
        self.input = -1
        try:
            self.input = _keyboard()
            self._modes = termios.tcgetattr(self.input)
            if not self._in_foreground():
                raise EiosniffError("the full-screen view cannot be shown from the background", _REMEDY)
        except (OSError, termios.error) as error:
            self._give_up()
            reason = error.strerror if isinstance(error, OSError) else error
            raise EiosniffError(f"there is no keyboard for the full-screen view ({reason})", _REMEDY) from None
        except EiosniffError:
            self._give_up()
            raise
        self._entered = False
        self._fresh = False
        self._closed = False
        self._unsent = b""
        self._before: Any = None

    def enter(self) -> None:
        """Show the alternate screen, and get keys as they are typed."""
        termios = self._termios
        if self._before is None:
            self._before = signal.signal(signal.SIGCONT, self._continued)
        off = (os.fpathconf(self.input, "PC_VDISABLE") % 256).to_bytes(1, "little")
        try:
            modes = termios.tcgetattr(self.input)
            modes[0] &= ~termios.IXON  # Ctrl-S would hold the output back
            modes[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN)
            # Ctrl-Z and Ctrl-\ would leave the screen as it is; the former is a key, Ctrl-C stays a signal.
            for control in (termios.VSUSP, termios.VQUIT):
                modes[6][control] = off
            modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
            termios.tcsetattr(self.input, termios.TCSADRAIN, modes)
        except termios.error as error:
            raise BrokenPipeError(*error.args) from None
        self._entered = self._fresh = True
        self._unsent = _ENTER
        self._send()

    def suspend(self) -> None:
        """Stop the process, with the terminal as it was, until somebody lets it go on."""
        self.leave()
        os.kill(0, signal.SIGTSTP)  # as the terminal does: all of the pipeline

    def leave(self) -> None:
        """Give the terminal back as it was."""
        if not self._entered:
            return
        self._entered = False
        if not self._in_foreground():  # somebody else uses it by now
            return
        # Half a frame may be under way: the rest of a sequence is not to swallow what restores the screen.
        self._unsent = (b"\x18" if self._unsent else b"") + _LEAVE
        end = time.monotonic() + _PATIENCE_S
        with suppress(OSError):
            while not self._send() and time.monotonic() < end:
                select.select([], [self._output], [], _PATIENCE_S)
        with suppress(OSError, self._termios.error):
            self._termios.tcsetattr(self.input, self._termios.TCSANOW, self._modes)

    def close(self) -> None:
        """Give it back for good. Does nothing the second time."""
        if self._closed:
            return
        self._closed = True
        self.leave()
        if self._before is not None:
            with suppress(ValueError):  # not in the main thread: then it was not set either
                signal.signal(signal.SIGCONT, self._before)
        self._give_up()
        self.input = -1

    def ready(self) -> bool:
        """Whether a frame can be drawn: it is our turn, and the one before has gone out."""
        if self._closed or not self._in_foreground():
            return False
        if not self._entered:
            self.enter()
        return self._send()

    def take_fresh(self) -> bool:
        """Whether nothing is on the screen, since this was asked last."""
        fresh, self._fresh = self._fresh, False
        return fresh

    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        with suppress(OSError):
            size = os.get_terminal_size(self._output)
            if size.columns and size.lines:
                return size.columns, size.lines
        return 80, 24  # a serial line does not know

    def write(self, data: bytes) -> None:
        """Send a frame, as far as the terminal takes it now."""
        self._unsent += data
        self._send()

    def read(self) -> bytes:
        """What was typed. Raises `BrokenPipeError` when the terminal is gone."""
        if self._closed or not self._in_foreground():
            return b""
        try:
            if not select.select([self.input], [], [], 0)[0]:
                return b""
            data = os.read(self.input, _BLOCK)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise BrokenPipeError(error.errno, "the terminal is gone") from None
        if not data:
            raise BrokenPipeError("the terminal is gone")
        return data

    def _send(self) -> bool:
        """Go on sending; whether all has gone out."""
        while self._unsent:
            try:
                sent = os.write(self._output, self._unsent)
            except BlockingIOError:
                return False
            except OSError as error:
                self._unsent = b""
                raise BrokenPipeError(error.errno, "the terminal is gone") from None
            self._unsent = self._unsent[sent:]
        return True

    def _continued(self, number: int, frame: FrameType | None) -> None:
        """The process goes on after it was stopped: others have used the terminal since."""
        self._entered = False

    def _in_foreground(self) -> bool:
        """Whether the terminal is ours to use; whoever does so in the background is stopped."""
        try:
            return os.tcgetpgrp(self.input) == os.getpgrp()
        except OSError:  # it does not control this process: nobody shares it
            return True

    def _give_up(self) -> None:
        for descriptor in {self.input, self._output} - {-1}:
            with suppress(OSError):
                os.close(descriptor)


def _keyboard() -> int:
    """A descriptor of where keys come from. Raises `OSError` if there is none."""
    stdin: IO[str] | None = sys.stdin
    # Not /dev/tty: macOS cannot wait for that one with kqueue.
    return _own(stdin.fileno() if stdin is not None and stdin.isatty() else sys.stdout.fileno())


def _own(descriptor: int) -> int:
    """A description of the same terminal that is ours alone, and does not block; a mere copy where it must not be
    opened (as after `su`)."""
    try:
        return os.open(os.ttyname(descriptor), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return os.dup(descriptor)


def _encoding() -> str:
    encoding = (sys.stdout.encoding or "ascii").lower().replace("_", "-")
    return "utf-8" if encoding in ("utf-8", "utf8") else encoding
