"""The bytes of a capture: a mapped file, or a stream that is read in blocks and, if it is compressed, unpacked.

A reader looks at `Window.buffer` from `Window.pos` on, moves `pos` forward, and asks for `more`. A file that is mapped
is one window; of a stream there is never more in memory than one block, or one record if that is longer.
"""

import mmap
import zlib
from abc import ABC, abstractmethod
from bisect import bisect_left
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from eiosniff.model.batch import Buffer, Int64s
from eiosniff.model.trouble import AnomalyKind

# How much of a stream is read at once, in bytes (after unpacking).
BLOCK = 4 << 20
# How much gzip data is read, and how much is unpacked, at once.
GZIP_STEP = 1 << 16
# Pages of a mapped file are given back in pieces of this size, to keep the system calls rare.
RELEASE_STEP = 16 << 20

GZIP_MAGIC = b"\x1f\x8b"


class Trouble(NamedTuple):
    """Why the bytes ended before the input said that they would: CAPTURE_TRUNCATED or CAPTURE_DAMAGED, and a text."""

    kind: AnomalyKind
    text: str


@dataclass(slots=True, frozen=True)
class CaptureProblem:
    """What ended the reading of a source too early: CAPTURE_TRUNCATED or CAPTURE_DAMAGED.

    `packet` is the number of the last captured packet before it, 0 if there is none; `text` is for a person.
    """

    kind: AnomalyKind
    packet: int
    text: str


class Window(ABC):
    """The bytes at hand: `buffer[:pos]` is done with. `trouble` is set when the input did not end in good order.

    `pending` says that the input goes on, and only does not now: after `more` said no, it may say yes another time. A
    reader then leaves off where it is, and goes on from there when its `batches` are asked for again. A file is never
    pending.
    """

    buffer: Buffer = b""
    pos: int = 0
    trouble: Trouble | None = None
    pending: bool = False

    @abstractmethod
    def more(self, need: int) -> bool:
        """Have at least `need` bytes after `pos`. False when the input ends before that; what there is can be read.

        May replace `buffer` and `pos`; the old buffer stays as it is for whoever holds it.
        """

    @property
    @abstractmethod
    def position(self) -> int:
        """Bytes of the input, as it is stored, that were read."""

    @abstractmethod
    def close(self) -> None:
        """Give back what the window holds. Batches that were handed out stay readable."""


class MappedWindow(Window):
    """A whole file, mapped. Pages that are done with are given back, so that a large file does not fill memory.

    As with every mapping, a file that somebody shortens while it is read ends the process with SIGBUS.
    """

    def __init__(self, file: BinaryIO) -> None:
        """`file` may be closed afterwards. Raises `OSError` or `ValueError` where it cannot be mapped."""
        self._map: mmap.mmap | None = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if hasattr(mmap, "MADV_SEQUENTIAL"):
            self._map.madvise(mmap.MADV_SEQUENTIAL)
        self._released = 0
        self.buffer = self._map

    def more(self, need: int) -> bool:
        """See `Window`; the buffer is the whole file from the start."""
        if self.pos - self._released >= RELEASE_STEP:
            self._release()
        return len(self.buffer) - self.pos >= need

    def _release(self) -> None:
        """Take the pages before `pos` out of this process. Who still looks at them gets them again from the file."""
        end = self.pos - self.pos % mmap.PAGESIZE
        if self._map is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED, self._released, end - self._released)
        self._released = end

    @property
    def position(self) -> int:
        """See `Window`."""
        return self.pos

    def close(self) -> None:
        """See `Window`: the mapping goes with the last batch that looks at it."""
        self.buffer = b""
        self._map = None


class ByteStream(Protocol):
    """Bytes in order. `trouble` is set when they did not end in good order."""

    trouble: Trouble | None

    @property
    def consumed(self) -> int:
        """Bytes taken from the input, as it is stored."""

    def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer only at the end."""

    def close(self) -> None:
        """Read no more."""


class StreamWindow(Window):
    """A part of a stream: what was not done with of the block before, and one block more."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._ended = False

    def more(self, need: int) -> bool:
        """See `Window`; waits until there is a whole block, or the stream ends."""
        missing = need - (len(self.buffer) - self.pos)
        if missing > 0 and not self._ended:
            size = max(missing, BLOCK)
            block = self._stream.read(size)
            self._ended = len(block) < size
            self.buffer, self.pos = b"".join((memoryview(self.buffer)[self.pos :], block)), 0
            self.trouble = self._stream.trouble
            missing = need - len(self.buffer)
        return missing <= 0

    @property
    def position(self) -> int:
        """See `Window`."""
        return self._stream.consumed

    def close(self) -> None:
        """See `Window`."""
        self.buffer = b""
        self._ended = True
        self._stream.close()


class RawStream:
    """A file, pipe or standard input, whose reads may return less than was asked for."""

    def __init__(self, file: BinaryIO, *, owned: bool) -> None:
        """`owned`: close `file` when this is closed."""
        self._file = file
        self._owned = owned
        self._ahead = b""
        self.consumed = 0
        self.trouble: Trouble | None = None

    def peek(self, size: int) -> bytes:
        """The bytes that the next `read`, which must not be for fewer, begins with."""
        self._ahead = self.read(size)
        self.consumed -= len(self._ahead)
        return self._ahead

    def read(self, size: int) -> bytes:
        """See `ByteStream`."""
        pieces = [self._ahead]
        missing = size - len(self._ahead)
        self._ahead = b""
        while missing > 0:
            try:
                piece = self._file.read(missing)
                if piece is None:
                    raise BlockingIOError("it is non-blocking, and has no data now")
            except (OSError, ValueError) as error:  # ValueError: closed by somebody else
                self.trouble = Trouble(AnomalyKind.CAPTURE_TRUNCATED, f"the input could not be read on: {error}")
                break
            if not piece:
                break
            pieces.append(piece)
            missing -= len(piece)
        data = b"".join(pieces)
        self.consumed += len(data)
        return data

    def close(self) -> None:
        """See `ByteStream`."""
        if self._owned:
            self._file.close()


class GzipStream:
    """What a gzip stream (RFC 1952) holds: one member or several. All that comes before a damage is delivered.

    The `gzip` module is not used: it loses up to a whole read where the data are cut or damaged, and it reads
    in steps of 8 KiB.
    """

    def __init__(self, raw: RawStream) -> None:
        self._raw = raw
        self._inflater = zlib.decompressobj(wbits=31)  # 31: with gzip header and checksum
        self._input = b""
        self._ended = False
        self.trouble: Trouble | None = None

    @property
    def consumed(self) -> int:
        """See `ByteStream`."""
        return self._raw.consumed

    def read(self, size: int) -> bytes:
        """See `ByteStream`."""
        pieces: list[bytes] = []
        while size > 0 and not self._ended:
            piece = self._inflate(min(size, GZIP_STEP))
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def _inflate(self, limit: int) -> bytes:
        """Up to `limit` bytes; b"" at the end, and where the next piece of input has to come first."""
        if not self._input:
            self._input = self._raw.read(GZIP_STEP)
        input_ended = not self._input
        if self._inflater.eof:
            self._input = self._input.lstrip(b"\0")  # a tape's padding, which gzip(1) allows
            if not self._input:
                self._ended, self.trouble = input_ended, self._raw.trouble
                return b""
            self._inflater = zlib.decompressobj(wbits=31)
        before = self._inflater.copy()
        try:
            data = self._inflater.decompress(self._input, limit)
        except zlib.error as error:
            self._end(AnomalyKind.CAPTURE_DAMAGED, f"the gzip data are damaged ({error})")
            return _salvage(before, self._input, limit)
        self._input = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
        if input_ended and not data and not self._inflater.eof:
            self._end(AnomalyKind.CAPTURE_TRUNCATED, "the gzip data are cut off")
        return data

    def _end(self, kind: AnomalyKind, text: str) -> None:
        self._ended = True
        self.trouble = self._raw.trouble or Trouble(kind, text)

    def close(self) -> None:
        """See `ByteStream`."""
        self._ended = True
        self._raw.close()


def _salvage(inflater: "zlib._Decompress", data: bytes, limit: int) -> bytes:
    """What `data` holds before its error: zlib drops the output of a call that fails."""

    def fails(size: int) -> bool:
        try:
            inflater.copy().decompress(data[:size], limit)
        except zlib.error:
            return True
        return False

    sound = bisect_left(range(len(data)), True, key=fails) - 1
    # The error may be in what the inflater has taken already.
    return inflater.decompress(data[:sound], limit) if sound >= 0 else b""


def gather(buffer: Buffer, places: Int64s, layout: np.dtype[np.void]) -> npt.NDArray[np.void]:
    """The records of one `layout` (a packed structure) that begin at `places`; each must lie within `buffer`.

    Numpy moves a structure field by field, but an opaque item of the same size in one piece: hence the two steps.
    """
    size = layout.itemsize
    if not len(places):  # the buffer may be too short for even one
        return np.empty(0, layout)
    overlapping = np.ndarray((len(buffer) - size + 1,), f"V{size}", buffer, strides=(1,))
    return overlapping[places].view(layout)


def first_true(mask: npt.NDArray[np.bool_]) -> int:
    """The index of the first true item, the length of `mask` when there is none."""
    return int(mask.argmax()) if mask.any() else len(mask)
