"""Captures that come through standard input or a named pipe, as another program writes them."""

import os
import select
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Protocol

from eiosniff.capture.live.source import LiveSource, State
from eiosniff.capture.pcap import PcapReader
from eiosniff.capture.pcapng import PcapngReader
from eiosniff.capture.source import (
    LONGEST_MAGIC,
    STDIN,
    choose_reader,
    header_length,
    may_be_har,
    open_file,
    packing_of,
    standard_input,
)
from eiosniff.capture.window import CaptureProblem, Trouble, Window
from eiosniff.errors import CaptureError
from eiosniff.model.batch import PacketBatch
from eiosniff.model.trouble import AnomalyKind

if sys.platform == "linux":
    import fcntl

BACKEND: Final = "pipe"
# How much is read at a time, and at most before packets are handed on (bytes).
READ: Final = 1 << 16
MOST_AT_ONCE: Final = 4 << 20
# What a pipe may hold: the most that Linux lets everybody have (pipe(7), /proc/sys/fs/pipe-max-size).
PIPE_SIZE: Final = 1 << 20
BATCH_SIZE: Final = 50_000

UNPACK: Final = {"gzip": "gzip -dc", "zstd": "zstd -dc"}


class PipeWindow(Window):
    """What came through a descriptor and is not done with. It never waits: `more` looks only at what is there.

    Pieces are put together only when there are enough of them for what was asked for last, so that a long record that
    comes in small pieces is copied once.
    """

    def __init__(self, descriptor: int) -> None:
        self.pending = True
        self._descriptor = descriptor
        self._pieces: list[bytes] = []
        self._waiting = 0  # bytes in `_pieces`
        self._needed = 0
        self._read = 0

    def fill(self, most: int) -> None:
        """Take what there is to read, `most` bytes at most. Whether more may come is in `pending` then.

        The descriptor is asked each time whether it can be read, because it need not be non-blocking: that is a
        property of the pipe, which standard input may share with others.
        """
        target = self._read + most
        while self.pending and self._read < target and wait_readable([self._descriptor], 0):
            try:
                piece = os.read(self._descriptor, min(READ, target - self._read))
            except BlockingIOError:  # somebody else took it
                break
            except OSError as error:
                self.trouble = Trouble(AnomalyKind.CAPTURE_TRUNCATED, f"the input could not be read on: {error}")
                piece = b""
            self._pieces.append(piece)
            self._read += len(piece)
            self._waiting += len(piece)
            self.pending = bool(piece)
        if not self.pending or len(self.buffer) - self.pos + self._waiting >= self._needed:
            self._join()

    def _join(self) -> None:
        self.buffer, self.pos = b"".join((memoryview(self.buffer)[self.pos :], *self._pieces)), 0
        self._pieces.clear()
        self._waiting = 0

    def more(self, need: int) -> bool:
        """See `Window`; false too while the bytes have not come."""
        self._needed = need
        return len(self.buffer) - self.pos >= need

    @property
    def position(self) -> int:
        """See `Window`."""
        return self._read

    def close(self) -> None:
        """See `Window`; the descriptor stays open."""
        self.buffer = b""
        self.pos = 0
        self.pending = False
        self._pieces.clear()


class PipeInput:
    """A capture that comes through a descriptor, and how far it has come. Who made it closes the descriptor.

    `ended` says that nothing comes any more: the input ended, or what came is damaged.
    """

    def __init__(self, name: str, descriptor: int) -> None:
        self._name = name
        self._window = PipeWindow(descriptor)
        self._reader: PcapReader | PcapngReader | None = None
        self.ended = False
        enlarge(descriptor)

    @property
    def format(self) -> str:
        """The format of the capture, empty before it began."""
        return "" if self._reader is None else self._reader.format

    @property
    def link_types(self) -> list[int]:
        """See `LiveSource`."""
        return [] if self._reader is None else self._reader.link_types

    @property
    def dropped(self) -> int | None:
        """How many packets were dropped, by what the capture itself says so far."""
        return None if self._reader is None else self._reader.dropped

    @property
    def problems(self) -> list[CaptureProblem]:
        """See `LiveSource`."""
        return [] if self._reader is None else self._reader.problems

    @property
    def damaged(self) -> bool:
        """Whether what came is damaged, so that nothing after it can be read, though it may go on."""
        return any(problem.kind is AnomalyKind.CAPTURE_DAMAGED for problem in self.problems)

    def begin(self) -> bool:
        """Read the header of the capture as far as it has come, and nothing behind it. Whether that is all of it.

        Raises `CaptureError` where it is none.
        """
        if self._reader is None and not self.ended and self._header_is_there():
            self.ended = True  # unless it is a capture
            self._reader = self._choose_reader()
            self.ended = False
        return self._reader is not None

    def _header_is_there(self) -> bool:
        """Whether it is there, or never will be."""
        window = self._window
        need, further = 0, LONGEST_MAGIC
        while need < further:
            need = further
            window.fill(need - len(window.buffer))
            if not window.more(need):
                return not window.pending
            further = header_length(window.buffer[:need])
        return True

    def _choose_reader(self) -> PcapReader | PcapngReader:
        packing = packing_of(self._window.buffer[:LONGEST_MAGIC])
        if packing:
            raise CaptureError(
                f"{self._name} is {packing} data, which cannot be read bit by bit",
                f"unpack them on the way: {UNPACK[packing]} FILE | eiosniff live -",
            )
        if len(self._window.buffer) == LONGEST_MAGIC:  # no capture: what there is of it tells better what it is
            self._window.fill(READ)
        if may_be_har(self._window):
            raise CaptureError(
                f"{self._name} is JSON, as a HAR is, which is not written bit by bit", "eiosniff analyze -"
            )
        return choose_reader(self._name, self._window, BATCH_SIZE)

    def take(self) -> list[PacketBatch]:
        """What has come, without waiting; numbers begin at 1. Raises `CaptureError` where it is no capture."""
        if self.ended or not self.begin() or self._reader is None:
            return []
        self._window.fill(MOST_AT_ONCE)
        batches = list(self._reader.batches())
        self.ended = not self._window.pending or bool(self._reader.problems)
        return batches

    def close(self) -> None:
        """Read no more."""
        self._window.close()
        self.ended = True


class PipeSource(LiveSource):
    """Packets that another program writes to a descriptor, until it writes no more.

    Their numbers are those of the input, as Wireshark would count them.
    """

    def __init__(self, name: str, descriptor: int, *, owned: bool) -> None:
        """`owned`: close the descriptor when this is closed."""
        super().__init__(name, BACKEND, "")
        self.counts_at_end = True
        self._descriptor = descriptor
        self._owned = owned
        self._input = PipeInput(name, descriptor)

    def wait(self) -> None:
        """Wait until the header is there. Raises `CaptureError` where none comes. A signal handler may raise out of
        it."""
        while not self._input.begin():
            wait_readable([self._descriptor], None)
        self.format = self._input.format

    @property
    def link_types(self) -> list[int]:
        """See `LiveSource`."""
        return self._input.link_types

    @property
    def dropped(self) -> int | None:
        """See `LiveSource`: what the capture itself says, which a pcapng may."""
        return self._input.dropped

    def fileno(self) -> int:
        """See `LiveSource`."""
        return -1 if self.state is State.ENDED else self._descriptor

    def take(self) -> list[PacketBatch]:
        """See `LiveSource`."""
        batches = self._input.take()
        for batch in batches:
            self.count(batch)
        if self._input.ended and self.state is not State.ENDED:
            self.state = State.ENDED
            self.problems = self._input.problems
            self.note = self.problems[0].text if self.problems else f"{self.name} ended"
        return batches

    def poll(self) -> None:
        """See `LiveSource`: there is nothing to do."""

    def close(self) -> None:
        """See `LiveSource`."""
        if self._descriptor < 0:
            return
        self._input.close()
        self.state = State.ENDED
        if self._owned:
            os.close(self._descriptor)
        self._descriptor = -1


def open_pipe(path: str) -> PipeSource:
    """Open standard input ("-") or a named pipe, and wait until a capture begins there, however long that takes.

    A signal handler may raise out of the waiting. Raises `CaptureError` where it cannot be opened, or is no capture.
    """
    if path == STDIN:
        source = PipeSource("standard input", standard_input().fileno(), owned=False)
    else:
        with open_file(path) as file:
            source = PipeSource(path, os.dup(file.fileno()), owned=True)
    begin(source)
    return source


class _Beginning(Protocol):
    def wait(self) -> None: ...

    def close(self) -> None: ...


def begin(source: _Beginning) -> None:
    """Wait until a source captures; whatever comes between, it is closed then."""
    try:
        source.wait()
    except BaseException:  # Ctrl-C too
        source.close()
        raise


def wait_readable(descriptors: Sequence[int], timeout_s: float | None) -> bool:
    """Wait until one of them can be read, or its other end is closed; None waits for ever. False when time is up."""
    waiting = select.poll()
    for descriptor in descriptors:
        waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(None if timeout_s is None else max(timeout_s, 0) * 1000))


def enlarge(descriptor: int) -> None:
    """Let a pipe hold more, so that who writes to it waits less often. What is no pipe stays as it is."""
    if sys.platform == "linux":
        with suppress(OSError):
            if fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ) < PIPE_SIZE:
                fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
