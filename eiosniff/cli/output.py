"""Where reports go: standard output, or a file that appears when it is complete."""

import errno
import os
import shutil
import stat
import sys
import tempfile
from io import StringIO
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, TextIO

from eiosniff.errors import EiosniffError

if TYPE_CHECKING:
    from rich.console import Console

_PIPED_WIDTH = 80


class Output:
    """A place to write text to, as a context manager.

    A file is written beside its final name and renamed when all went well, so that nobody ever reads half a report.
    When the reader of standard output goes away (`| head`), writing just ends.
    """

    def __init__(self, path: str | None, *, no_color: bool = False, encoding: str | None = None) -> None:
        self._path = Path(os.path.realpath(path)) if path not in (None, "-") else None
        self._name = path
        self._file: IO[bytes] | None = None
        self._temporary: str | None = None
        self.is_terminal = self._path is None and sys.stdout.isatty()
        self.color = self.is_terminal and not no_color and not os.environ.get("NO_COLOR") and not _is_dumb()
        # Not every old encoding has the arrows of a report: what it has not is written as an escape.
        self._encoding = encoding or (sys.stdout.encoding if self._path is None else "utf-8")

    def __enter__(self) -> "Output":
        if self._path is None:
            return self
        try:
            if self._is_special():
                self._file = self._path.open("wb")
            else:
                descriptor, self._temporary = tempfile.mkstemp(prefix=".eiosniff-", dir=self._path.parent)
                self._file = os.fdopen(descriptor, "wb")
        except OSError as error:
            raise self._unwritable(error) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if self._file is not None:
            self._close(complete=kind is None)
            return False
        if kind is None:
            try:
                sys.stdout.flush()
            except OSError as problem:
                silence(sys.stdout)
                if not self._is_gone(problem):
                    raise self._unwritable(problem) from None
        if isinstance(error, BrokenPipeError):
            silence(sys.stdout)
            return True
        return False

    @property
    def width(self) -> int:
        """The columns of the terminal; those of the environment, or 80, where there is none."""
        if self.is_terminal:
            return shutil.get_terminal_size((_PIPED_WIDTH, 24)).columns
        columns = os.environ.get("COLUMNS", "")
        return int(columns) if columns.isascii() and columns.isdigit() and int(columns) else _PIPED_WIDTH

    def write(self, text: str) -> None:
        """Write some of it."""
        data = text.encode(self._encoding, "backslashreplace")
        try:
            if self._file is not None:
                self._file.write(data)
            else:
                sys.stdout.buffer.write(data)
        except OSError as error:
            if self._is_gone(error):
                raise BrokenPipeError(*error.args) from None
            raise self._unwritable(error) from None

    def flush(self) -> None:
        """Show what was written: whoever watches a terminal should not wait for a full buffer."""
        if self._file is None:
            sys.stdout.flush()

    def console(self) -> "Console":
        """A rich console as wide and colourful as this place is; `text_of` has what was written to it."""
        from rich.console import Console

        return Console(
            file=StringIO(), width=self.width, color_system="standard" if self.color else None,
            force_terminal=self.color, legacy_windows=False, highlight=False, markup=False, emoji=False,
        )  # fmt: skip

    def _is_special(self) -> bool:
        """Whether the path is a device or a pipe, which must not be replaced by a file."""
        assert self._path is not None
        return self._path.exists() and not self._path.is_file()

    def _close(self, *, complete: bool) -> None:
        assert self._file is not None
        assert self._path is not None
        try:
            self._file.close()
            if self._temporary is not None and complete:
                Path(self._temporary).chmod(_mode(self._path))
                Path(self._temporary).replace(self._path)
                self._temporary = None
        except OSError as error:
            raise self._unwritable(error) from None
        finally:
            if self._temporary is not None:
                Path(self._temporary).unlink(missing_ok=True)

    def _is_gone(self, error: OSError) -> bool:
        """Whether the reader went away, or the terminal was closed."""
        if isinstance(error, BrokenPipeError):
            return True
        # Of one that is gone, isatty(3) says that it is none.
        return error.errno == errno.EIO and self._path is None and stat.S_ISCHR(os.fstat(sys.stdout.fileno()).st_mode)

    def _unwritable(self, error: OSError) -> EiosniffError:
        where = "standard output" if self._path is None else self._name
        lacking = self._path is not None and isinstance(error, FileNotFoundError)
        remedy = f"make the directory {self._path.parent} first" if self._path and lacking else ""
        return EiosniffError(f"cannot write to {where}: {error.strerror or error}", remedy)


def text_of(console: "Console") -> str:
    """What was written to a console of `Output.console`."""
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def silence(stream: TextIO) -> None:
    """Let everything that is still to be written to a stream vanish, at exit too."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # a stream without a descriptor has no reader that could go away
        pass


def _mode(path: Path) -> int:
    """The permissions that the file has, or that a new one would get."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _is_dumb() -> bool:
    return os.environ.get("TERM", "") in ("dumb", "unknown")
