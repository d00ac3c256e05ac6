"""Key logs: files into which programs write the secrets of their TLS connections (`model/secrets.py`).

Wherever secrets come from, there is one place for those of a capture: the key logs that were named (or the one that the
environment names), and what the capture itself carries.
"""

import codecs
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from eiosniff.errors import EiosniffError
from eiosniff.model.secrets import Secrets

VARIABLE = "SSLKEYLOGFILE"
# Of a pcapng's block of decryption secrets: a TLS key log (draft-ietf-opsawg-pcapng, section 4.7).
TLS_KEY_LOG = 0x544C534B
MOST_BYTES = 256 << 20  # of one key log: a million lines
MOST_LINE = 1_024  # bytes, of a line that is not complete
MAKE_ONE = (
    "a key log is what node --tls-keylog=FILE writes, or Chrome, Firefox and curl with SSLKEYLOGFILE=FILE in their "
    "environment"
)
NOT_YET = "make it first, empty (touch), and then start the program that writes it, which adds to it"
START_ANEW = (
    "start the program anew, and capture again: node --tls-keylog=FILE; Chrome, Firefox and curl with "
    "SSLKEYLOGFILE=FILE in their environment, browsers with all windows closed before"
)
_BLOCK = 1 << 20
_UTF_8 = codecs.BOM_UTF8
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Carrier(Protocol):
    """What may carry secrets itself: a capture that is read."""

    @property
    def secrets(self) -> list[tuple[int, bytes]]:
        """Secrets so far, by type."""


class KeyLog:
    """One file, of which new lines are read as they come. A context manager."""

    def __init__(self, path: str, secrets: Secrets, *, grows: bool = False) -> None:
        """Open it. Raises `EiosniffError` for what cannot be."""
        self.path = path
        self._secrets = secrets
        self._file = _open(path, NOT_YET if grows else MAKE_ONE)
        self._rest = b""  # of a line that is not complete
        self._read = 0
        self._decoder: codecs.IncrementalDecoder | None = None  # if it is not ASCII

    def read(self, *, last: bool = False) -> None:
        """Take the whole lines that there are by now, and if it is the `last` time, what is behind them."""
        while self._read < MOST_BYTES:
            try:
                block = self._file.read(_BLOCK)
            except OSError as error:
                raise EiosniffError(f"{self.path} cannot be read: {error.strerror}", "name another key log") from None
            if not block:
                break
            if not self._read and block.startswith(_UTF_16):  # as PowerShell's > writes it
                self._decoder = codecs.getincrementaldecoder("utf-16")("replace")
            first = not self._read
            self._read += len(block)
            if self._decoder is not None:
                block = self._decoder.decode(block).encode("ascii", "replace")
            elif first:
                block = block.removeprefix(_UTF_8)
            whole, found, rest = (self._rest + block).rpartition(b"\n")
            self._rest = rest[:MOST_LINE]
            if found:
                self._secrets.add(whole)
        if last and self._rest:
            self._secrets.add(self._rest)
            self._rest = b""

    def renew(self) -> None:
        """Begin anew if the file was emptied, or another one has taken its place, as far as that can be opened."""
        try:
            now, known = Path(self.path).stat(), os.fstat(self._file.fileno())
            if (now.st_dev, now.st_ino) == (known.st_dev, known.st_ino) and now.st_size >= self._file.tell():
                return
            file = _open(self.path, NOT_YET)
        except (OSError, EiosniffError):
            return
        self._file.close()
        self._file, self._rest, self._read, self._decoder = file, b"", 0, None

    def close(self) -> None:
        """Read no more."""
        self._file.close()


class KeySource:
    """The secrets for a capture, from `paths` and from what the capture carries.

    Without any path, the file that SSLKEYLOGFILE names in the `environment` is used, if there is one. If it `grows`,
    lines that are added are taken by `update`. A context manager.
    """

    def __init__(
        self, paths: Sequence[str] = (), *, grows: bool = False, environment: Mapping[str, str] | None = None
    ) -> None:
        """Read what there is. Raises `EiosniffError` for a named key log that is missing, or is none."""
        self._logs: list[KeyLog] = []
        self._grows = grows
        self._carried = 0
        self.secrets = Secrets()
        named = list(dict.fromkeys(paths))
        try:
            for path in named or _of_environment(os.environ if environment is None else environment):
                self._add(path, named=bool(named))
        except BaseException:
            self.close()
            raise
        self.secrets.grows = grows and bool(self._logs)

    def _add(self, path: str, *, named: bool) -> None:
        before, odd = self.secrets.lines, self.secrets.odd
        try:
            log = KeyLog(path, self.secrets, grows=self._grows)
        except EiosniffError:
            if named:
                raise
            return
        self._logs.append(log)
        log.read(last=not self._grows)
        if not named or self.secrets.lines > before:
            return
        if self.secrets.odd > odd:
            raise EiosniffError(f"{path} is not a key log: no line of it is one of a key log", MAKE_ONE)
        if not self._grows:
            raise EiosniffError(f"{path} has no keys in it: no program wrote any", START_ANEW)

    def update(self, carrier: Carrier | None = None) -> None:
        """Take what was added to key logs, and what a capture carries by now."""
        if self._grows:
            for log in self._logs:
                log.renew()
                log.read()
        if carrier is not None:
            carried = carrier.secrets
            for kind, data in carried[self._carried :]:
                if kind == TLS_KEY_LOG:
                    self.secrets.add(data)
            self._carried = len(carried)

    def close(self) -> None:
        """Close all files."""
        for log in self._logs:
            log.close()

    def __enter__(self) -> "KeySource":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _of_environment(environment: Mapping[str, str]) -> list[str]:
    path = environment.get(VARIABLE, "")
    return [path] if path and Path(path).is_file() else []


def _open(path: str, if_missing: str) -> BinaryIO:
    if not path:
        raise EiosniffError("the name of the key log is empty", "name a file: --keylog keys.log")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise EiosniffError(f"{path}: there is no such key log", if_missing) from None
    except PermissionError:
        raise EiosniffError(f"{path} may not be read by you", "change its permissions, or run as its owner") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise EiosniffError(f"{path} cannot be opened: {error}", "check the path") from None
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise EiosniffError(f"{path} is a directory, not a key log", MAKE_ONE)
        raise EiosniffError(
            f"{path} is a pipe or a device, and a key log has to be a file", "copy what it gives into one"
        )
    return os.fdopen(descriptor, "rb", buffering=0)
