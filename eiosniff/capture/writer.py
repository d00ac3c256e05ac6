"""Keeps captured packets in pcapng files while they are looked at: one file, or a ring of them.

What is written goes to the operating system at once, in whole blocks. So a file can be read while it grows, there is
nothing to flush, and a process that is forked meanwhile holds nothing that it could write a second time.
"""

import errno
import os
import platform
import stat
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from io import FileIO
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from eiosniff import __version__
from eiosniff.capture.pcapng_blocks import (
    block_lengths,
    interface_description,
    interface_statistics,
    packet_blocks,
    section_header,
)
from eiosniff.errors import EiosniffError
from eiosniff.model.batch import Int64s, PacketBatch

# So much is written at once (bytes). For pieces of 2 MB the allocator asks the kernel for memory each time, and page
# faults take three times as long as all the rest; those of 64 KB have too few packets for numpy.
PIECE = 512 << 10
# How often it is looked whether the file is still there, by the clock of the capture (ns).
LOOK_EVERY_NS = 1_000_000_000
# Captured traffic holds tokens and cookies: only its owner reads it, as with dumpcap.
MODE = 0o600
KEPT = "a capture cannot be made again, so none is overwritten"


@dataclass(frozen=True, slots=True)
class Rotation:
    """When the next file begins, and how many stay.

    A file ends before the packet that would take it beyond `most_bytes` (but for some hundred bytes without packets),
    or that comes `most_ns` after its first packet, by the clock of the capture. Beyond `keep` files the oldest are
    removed. None: without limit.
    """

    most_bytes: int | None = None
    most_ns: int | None = None
    keep: int | None = None


def check_target(path: str, rotation: Rotation | None = None, source: str = "") -> None:
    """Complain about what is bound to fail before a capture starts; nothing is opened or made.

    `source` is what is read: a path, `-` for standard input, empty for an interface. Raises `EiosniffError`.
    """
    target = Path(path)
    remedy = "name a file to write, such as capture.pcapng"
    try:
        if path in ("", "-"):
            what = "standard output" if path else "a file without a name"
            raise EiosniffError(f"packets cannot be kept in {what}", remedy)
        if target.is_dir():
            raise EiosniffError(f"{path} is a directory", remedy)
        if not target.parent.is_dir():
            raise EiosniffError(f"there is no directory {target.parent}", "make it first, or write somewhere else")
        with suppress(FileNotFoundError):
            _check_existing(target, target.stat(), rotation, source)
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise EiosniffError(f"you may not write into {target.parent}", "write somewhere else")
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise EiosniffError(f"{path} cannot be written: {_reason(error)}", remedy) from None


def _check_existing(target: Path, status: os.stat_result, rotation: Rotation | None, source: str) -> None:
    if _is_source(status, source):
        raise EiosniffError(f"{target} is what is read", "write to another file")
    if not stat.S_ISREG(status.st_mode):
        raise EiosniffError(f"{target} is not a file", "packets are kept in files: name one that is not there yet")
    if rotation is None and status.st_size:
        raise EiosniffError(f"{target} exists already; {KEPT}", "remove it, or write to another file")


def _is_source(status: os.stat_result, source: str) -> bool:
    """Whether a file is the same as what is read."""
    try:
        other = os.fstat(sys.stdin.fileno()) if source == "-" else Path(source).stat()
    except (OSError, ValueError, AttributeError):  # an interface; standard input that is closed, or no file
        return False
    return os.path.samestat(status, other)


def create(path: Path) -> FileIO:
    """A new file, or an empty one that is there. Raises `OSError`: whatever else is there stays as it is."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, MODE)

    try:
        return FileIO(path, "xb", opener=opener)
    except FileExistsError:
        if path.is_file() and not path.stat().st_size:
            return FileIO(path, "r+b")
        raise


class PcapngWriter:
    """Writes packets as they were captured, of any link types, to a pcapng file or to a ring of them.

    `files` counts what was begun, and `path` is the last of them, None before the first. `dropped` is for the owner to
    set, whenever it learns of it: how many packets were dropped since the capture began. `problem` says why writing
    ended too early, in one line for a person; empty while all is well. Nothing is written after that, nor is anything
    raised.
    """

    def __init__(
        self,
        path: str,
        interface: str,
        *,
        expression: str = "",
        snap_length: int = 0,
        rotation: Rotation | None = None,
        create: Callable[[Path], FileIO] = create,
    ) -> None:
        """Without a rotation, `path` is made now. With one, names are as those of dumpcap, with the number of the file
        and the instant of its first packet (local time), and each is made when that packet comes.

        `expression` is the filter of the capture, `snap_length` its limit in bytes (0: none). Raises `EiosniffError`
        where nothing can be written. To be called once rights are dropped: files belong to whom the process is then.
        """
        check_target(path, rotation)
        self.files = 0
        self.path: Path | None = None
        self.dropped: int | None = None
        self.problem = ""
        self._base = Path(path)
        self._describe = partial(interface_description, name=interface, snap_length=snap_length, expression=expression)
        self._create = create
        self._rotation = rotation or Rotation()
        self._numbers = count(1)
        self._kept: deque[Path] = deque()
        self._file: _File | None = None
        self._closed = False
        # Of the files before the present one.
        self._packets, self._size, self._dropped = 0, 0, 0
        self._looked_ns = 0
        if rotation is None:
            try:
                self._begin(self._base)
            except OSError as error:
                remedy = "write to another file" if isinstance(error, FileExistsError) else "write somewhere else"
                raise EiosniffError(f"{path} cannot be written: {_reason(error)}", remedy) from None

    @property
    def packets(self) -> int:
        """How many were written, to files that were removed since too."""
        return self._packets + (self._file.packets if self._file else 0)

    @property
    def size(self) -> int:
        """How many bytes were written, to files that were removed since too."""
        return self._size + (self._file.size if self._file else 0)

    @property
    def status(self) -> str:
        """Where packets are kept, or why that ended, in one line for a person."""
        return self.problem or f"{self._amount()} written to {self.path or self._base}"

    def write(self, batch: PacketBatch) -> None:
        """Keep all packets of a batch, which is as it was captured (not `decodable`)."""
        if self.problem or self._closed or not len(batch):
            return
        try:
            self._write(batch)
        except OSError as error:
            self._stop(error)

    def close(self) -> None:
        """End the file. Nothing is written any more."""
        self._closed = True
        try:
            self._finish()
        except OSError as error:
            self._stop(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, batch: PacketBatch) -> None:
        ends = np.cumsum(block_lengths(batch.captured))
        start = 0
        while start < len(batch):
            file = self._file or self._next(int(batch.ts_ns[start]))
            stop = self._fitting(file, batch, ends, start)
            if stop > start:
                file.put(batch, slice(start, stop))
            else:
                self._finish()
            start = stop
        last_ns = int(batch.ts_ns[-1])
        if self._file and abs(last_ns - self._looked_ns) >= LOOK_EVERY_NS:
            self._looked_ns = last_ns
            self._file.look()

    def _fitting(self, file: "_File", batch: PacketBatch, ends: Int64s, start: int) -> int:
        """Up to which row packets are of the present file, and one piece; `start` where it is full."""
        before = int(ends[start - 1]) if start else 0
        room = sys.maxsize if self._rotation.most_bytes is None else self._rotation.most_bytes - file.size
        if int(ends[start]) - before > room and file.packets:
            return start
        stop = int(np.searchsorted(ends, before + min(room, PIECE), "right"))
        stop = max(stop, start + 1)  # a packet that is larger than all of it
        if self._rotation.most_ns is not None:
            began_ns = int(batch.ts_ns[start]) if file.began_ns is None else file.began_ns
            late = batch.ts_ns[start:stop] >= began_ns + self._rotation.most_ns
            if late.any():
                stop = start + int(late.argmax())
        return stop

    # Files

    def _begin(self, path: Path) -> "_File":
        file = _File(self._create(path), self._describe)
        try:
            file.start()
        except OSError:
            file.close()
            raise
        self._file, self.path = file, path
        self.files += 1
        return file

    def _next(self, first_ns: int) -> "_File":
        """Begin the next file of the ring; the oldest makes room for it first."""
        while self._rotation.keep and len(self._kept) >= self._rotation.keep:
            with suppress(FileNotFoundError):
                self._kept.popleft().unlink()
        at = time.strftime("%Y%m%d%H%M%S", time.localtime(first_ns // 1_000_000_000))
        while True:
            path = self._base.with_stem(f"{self._base.stem}_{next(self._numbers):05d}_{at}")
            try:
                file = self._begin(path)
            except FileExistsError:  # of another run
                continue
            except OSError:
                with suppress(OSError):
                    path.unlink()  # it has no packet
                raise
            if self._rotation.keep:
                self._kept.append(path)
            return file

    def _finish(self) -> None:
        """End the present file in good order."""
        file = self._file
        if file is None:
            return
        dropped = None
        if self.dropped is not None:
            dropped = max(self.dropped - self._dropped, 0)
            self._dropped = self.dropped
        file.finish(dropped)
        self._leave(file)

    def _leave(self, file: "_File") -> None:
        self._file = None
        self._packets += file.packets
        self._size += file.size
        file.close()

    def _stop(self, error: OSError) -> None:
        if self._file is not None:
            self._leave(self._file)
        kept = "no packet was written"
        if self.packets:
            last = "" if self.files == 1 else "the last "
            kept = f"{self._amount()} were written until then, {last}to {self.path}"
        self.problem = f"writing stopped, {_reason(error)}; {kept}"

    def _amount(self) -> str:
        return f"{self.packets:,} packet{'' if self.packets == 1 else 's'} ({self.size / 1e6:,.1f} MB)"


class _File:
    """One file. `size` is that of its whole blocks (bytes); `packets` are in those. `began_ns` is the instant of its
    first packet."""

    def __init__(self, raw: FileIO, describe: Callable[[int], bytes]) -> None:
        self.size = 0
        self.packets = 0
        self.began_ns: int | None = None
        self._last_ns = 0
        self._raw = raw
        self._describe = describe
        self._interfaces: dict[int, int] = {}  # by link type
        self._received: list[int] = []

    def start(self) -> None:
        """Write the section header."""
        self._append(section_header(f"{platform.system()} {platform.release()}", f"eiosniff {__version__}"))

    def put(self, batch: PacketBatch, rows: slice) -> None:
        """Write these rows of a batch. Raises `OSError`; what there was room for stays."""
        kinds, firsts, which = np.unique(batch.link_type[rows], return_index=True, return_inverse=True)
        numbers = np.empty(len(kinds), np.int64)
        for at in np.argsort(firsts).tolist():
            numbers[at] = self._interface(int(kinds[at]))
        interface = numbers[which]
        if self.began_ns is None:
            self.began_ns = int(batch.ts_ns[rows.start])
        self._last_ns = int(batch.ts_ns[rows.stop - 1])
        before, ends = self.size, np.cumsum(block_lengths(batch.captured[rows]))
        try:
            self._append(packet_blocks(batch, rows, interface).data, ends)
        finally:
            whole = int(np.searchsorted(ends, self.size - before, "right"))
            self.packets += whole
            for number, received in enumerate(np.bincount(interface[:whole], minlength=len(self._received)).tolist()):
                self._received[number] += received

    def finish(self, dropped: int | None) -> None:
        """Write the counters: what was received by interface, and what was dropped."""
        for number, received in enumerate(self._received):
            self._append(interface_statistics(number, self._last_ns, received + (dropped or 0), dropped))
            dropped = None  # nothing says which interface it was, and there is but one for each link type

    def look(self) -> None:
        """Raise `OSError` where the file was removed: what is written would be lost, and fill the disk unseen."""
        if not os.fstat(self._raw.fileno()).st_nlink:
            raise FileNotFoundError(errno.ENOENT, "the file was removed")

    def close(self) -> None:
        """Close it, whatever state it is in."""
        with suppress(OSError):
            self._raw.close()

    def _interface(self, link_type: int) -> int:
        """The number of the interface with this link type, which is described if it is new."""
        number = self._interfaces.get(link_type)
        if number is None:
            self._append(self._describe(link_type))
            number = self._interfaces[link_type] = len(self._interfaces)
            self._received.append(0)
        return number

    def _append(self, data: bytes | memoryview, ends: Int64s | None = None) -> None:
        """Write blocks; `ends` says where each ends if there are several. Those that are not whole are cut off."""
        view = memoryview(data)
        done = 0
        try:
            while done < len(view):
                written = self._raw.write(view[done:])
                if not written:
                    raise OSError(errno.EIO, "nothing can be written")
                done += written
        finally:
            if done < len(view):
                whole = 0 if ends is None else int(np.searchsorted(ends, done, "right"))
                done = int(ends[whole - 1]) if ends is not None and whole else 0
                with suppress(OSError):
                    self._raw.seek(self.size + done)
                    self._raw.truncate()
            self.size += done


_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file may not become larger (see ulimit -f)",
    errno.EROFS: "the disk is read-only",
}


def _reason(error: OSError | ValueError) -> str:
    """What happened, as the part of a sentence."""
    if not isinstance(error, OSError):
        return str(error)
    return _REASONS.get(error.errno or 0) or (error.strerror or str(error)).lower()
