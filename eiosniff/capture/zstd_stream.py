"""The bytes that zstd data hold (RFC 8878), with all that comes before a damage.

The frames are taken apart here as far as their blocks, and zstandard is given one block at a time. So what it makes at
once is bounded (a block holds 128 KiB at most, and a few bytes may stand for that), and nothing is lost where the data
are cut or damaged: the library drops the output of a call that fails.
"""

import struct
from typing import Final

import zstandard

from eiosniff.capture.window import RawStream, Trouble
from eiosniff.model.trouble import AnomalyKind

_MAGIC: Final = b"\x28\xb5\x2f\xfd"  # RFC 8878, section 3.1.1
_SKIPPABLE: Final = tuple(bytes([low]) + b"\x2a\x4d\x18" for low in range(0x50, 0x60))  # section 3.1.2

# Frame header descriptor (section 3.1.1.1.1): bytes of the dictionary id and of the content size, by their flags.
_DICTIONARY_ID: Final = (0, 1, 2, 4)
_CONTENT_SIZE: Final = (0, 2, 4, 8)
_BLOCK_HEADER: Final = 3
_BLOCK_LIMIT: Final = 128 << 10  # section 3.1.1.2.4
_RLE: Final = 1  # block types (section 3.1.1.2.2)
_RESERVED: Final = 3
_CHECKSUM: Final = 4
_SKIP_STEP: Final = 1 << 16
# What a frame may ask for in memory: the window of `zstd --long` and `--ultra -22`, and the limit of the zstd program.
_WINDOW_LIMIT: Final = 128 << 20


class ZstdStream:
    """What a zstd stream holds: one frame or several."""

    def __init__(self, raw: RawStream) -> None:
        self._raw = raw
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW_LIMIT)
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._header = b""  # of the frame, until its first block is there
        self._checksum = 0
        self._left = b""
        self._ended = False
        self.trouble: Trouble | None = None

    @property
    def consumed(self) -> int:
        """See `ByteStream`."""
        return self._raw.consumed

    def read(self, size: int) -> bytes:
        """See `ByteStream`."""
        pieces = [self._left]
        missing = size - len(self._left)
        while missing > 0 and not self._ended:
            piece = self._block()
            pieces.append(piece)
            missing -= len(piece)
        data = b"".join(pieces)
        self._left = data[size:]
        return data[:size] if self._left else data

    def close(self) -> None:
        """See `ByteStream`."""
        self._ended = True
        self._raw.close()

    def _block(self) -> bytes:
        """What the next block holds; b"" where there is none, or something else comes first."""
        if self._frame is None:
            self._begin_frame()
            return b""
        header = self._take(_BLOCK_HEADER)
        if header is None:
            return b""
        last, kind, size = header[0] & 1, header[0] >> 1 & 3, int.from_bytes(header, "little") >> 3
        if kind == _RESERVED or size > _BLOCK_LIMIT:
            self._damaged("a block has an impossible header")
            return b""
        content = self._take(1 if kind == _RLE else size)
        if content is None:
            return b""
        data = self._decompressed(self._header + header + content)
        self._header = b""
        if last:
            self._end_frame()
        return data

    def _begin_frame(self) -> None:
        magic = self._raw.read(len(_MAGIC))
        if not magic:
            self._ended, self.trouble = True, self._raw.trouble
        elif magic in _SKIPPABLE:
            self._skip()
        elif magic == _MAGIC:
            self._read_header()
        elif len(magic) < len(_MAGIC):
            self._cut()
        else:
            self._damaged("something else follows them")

    def _read_header(self) -> None:
        descriptor = self._take(1)
        if descriptor is None:
            return
        flags = descriptor[0]
        single_segment = flags >> 5 & 1
        content_size = _CONTENT_SIZE[flags >> 6] or single_segment
        rest = self._take(1 - single_segment + _DICTIONARY_ID[flags & 3] + content_size)
        if rest is not None:
            self._header = _MAGIC + descriptor + rest
            self._checksum = _CHECKSUM if flags & 4 else 0
            self._frame = self._decompressor.decompressobj()

    def _end_frame(self) -> None:
        """Have the checksum looked at, by itself: what it is of was delivered."""
        if self._checksum and not self._ended:
            checksum = self._take(self._checksum)
            if checksum is not None:
                self._decompressed(checksum)
        self._frame = None

    def _skip(self) -> None:
        size = self._take(4)
        if size is None:
            return
        (left,) = struct.unpack("<I", size)
        while left:
            piece = len(self._raw.read(min(left, _SKIP_STEP)))
            if not piece:
                self._cut()
                return
            left -= piece

    def _decompressed(self, data: bytes) -> bytes:
        assert self._frame is not None
        try:
            return self._frame.decompress(data)
        except zstandard.ZstdError as error:
            text = str(error).removeprefix("zstd decompressor error: ")
            if "memory" in text:  # of the reader, which is limited
                text += "; zstd -d --long=31 unpacks them"
            self._damaged(text)
            return b""

    def _take(self, size: int) -> bytes | None:
        """So many bytes of the input; None, and the end, if there are fewer."""
        data = self._raw.read(size)
        if len(data) == size:
            return data
        self._cut()
        return None

    def _cut(self) -> None:
        self._end(AnomalyKind.CAPTURE_TRUNCATED, "the zstd data are cut off")

    def _damaged(self, flaw: str) -> None:
        self._end(AnomalyKind.CAPTURE_DAMAGED, f"the zstd data are damaged ({flaw})")

    def _end(self, kind: AnomalyKind, text: str) -> None:
        self._ended = True
        self.trouble = self._raw.trouble or Trouble(kind, text)
