"""Chooses how a source is read, and opens it: a file, mapped or unpacked from gzip or zstd; a pipe; standard input."""

import codecs
import os
import re
import stat
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

from eiosniff.capture import links
from eiosniff.capture.figures import Figures
from eiosniff.capture.pcap import FILE_HEADER, MAGICS, PcapReader
from eiosniff.capture.pcapng import SECTION_START, PcapngReader, section_header_length
from eiosniff.capture.window import (
    GZIP_MAGIC,
    ByteStream,
    CaptureProblem,
    GzipStream,
    MappedWindow,
    RawStream,
    StreamWindow,
    Window,
)
from eiosniff.errors import CaptureError
from eiosniff.model.batch import PacketBatch
from eiosniff.model.har import HarEntry

if TYPE_CHECKING:
    from eiosniff.capture.har import HarReader

__all__ = ["CaptureProblem", "CaptureSource", "open_source"]

STDIN = "-"

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"  # RFC 8878, section 3.1.1
# pzstd begins with a skippable frame (section 3.1.2), whose first octet may be any of 0x50 to 0x5f.
SKIPPABLE_MAGIC = b"\x2a\x4d\x18"
LONGEST_MAGIC = 4

READS = "eiosniff reads pcap, pcapng and HAR"
CONVERT = f"{READS}; if Wireshark can open it, convert it: editcap -F pcap IN OUT"
DECOMPRESS = f"{READS}, plain or in gzip or zstd; decompress it first"
MAKE_UTF8 = f"{READS}; a HAR is in UTF-8: iconv -f UTF-16 -t UTF-8 IN > OUT"

# What else people have: first bytes, name, remedy.
KNOWN_MAGICS = [
    (b"\x04\x22\x4d\x18", "lz4-compressed data", f"{DECOMPRESS}: lz4 -d"),
    (b"\xfd7zXZ\x00", "xz-compressed data", f"{DECOMPRESS}: xz -d"),
    (b"BZh", "bzip2-compressed data", f"{DECOMPRESS}: bzip2 -d"),
    (GZIP_MAGIC, "gzip data within compressed data", f"{READS}; decompress the outer data first"),
    (ZSTD_MAGIC, "zstd data within compressed data", f"{READS}; decompress the outer data first"),
    (b"PK\x03\x04", "a zip archive", f"{READS}; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", f"{READS}; unpack it first"),
    (b"snoop\x00\x00\x00", "a snoop capture", CONVERT),
    (b"btsnoop\x00", "a btsnoop (Bluetooth) capture", CONVERT),
    (b"RTSS", "a Microsoft Network Monitor 1 capture", CONVERT),
    (b"GMBU", "a Microsoft Network Monitor 2 capture", CONVERT),
    (b"TRSNIFF data    \x1a", "a Network General Sniffer capture", CONVERT),
    (b"XCP\x00", "a NetXRay or Sniffer capture", CONVERT),
    (b"\xff\xfe", "text in UTF-16", MAKE_UTF8),
    (b"\xfe\xff", "text in UTF-16", MAKE_UTF8),
    (b"\x7fver", "an OmniPeek capture", CONVERT),
    (b"\x00\x00\x02\x00\x12\x05\x10\x70", "a Tektronix K12 capture", CONVERT),
    (b"iptrace ", "an AIX iptrace capture", CONVERT),
    (b"\x1c\x00\x01\xac", "an IXIA capture", CONVERT),
    (b"\xac\x01\x00\x1c", "an IXIA capture", CONVERT),
    (b"\x1c\x00\x01\xab", "an IXIA capture", CONVERT),
    (b"\xab\x01\x00\x1c", "an IXIA capture", CONVERT),
]
# A flow is a dictionary in the format of tnetstrings (mitmproxy/io/tnetstring.py): a length, and its first key.
MITMPROXY_FLOW = re.compile(rb"[0-9]{1,12}:[0-9]{1,2}:[a-z_]{1,40};")
MAKE_HAR = "make a HAR of it, and analyse that: mitmdump -nr FLOWS --set hardump=OUT.har"
# How much of a file is looked at to say what it is, and how much of that is shown (bytes).
GLIMPSE = 256
SHOWN_TEXT = 24
SHOWN_BYTES = 8


class CaptureSource(Figures):
    """A capture that is being read. All but `name`, `format` and `size` grows with every batch.

    A HAR has entries instead of captured packets, which `packets` then counts.
    `format` is "pcap", "pcapng" or "HAR", with " (gzip)" or " (zstd)" after it where that was undone. `size` is the
    length of the input as it is stored, in bytes, None for a stream. See `Figures` for what is counted.
    A context manager; batches stay readable after `close`.
    """

    def __init__(self, name: str, window: Window, batch_size: int, *, size: int | None, packing: str) -> None:
        """Read the file header. Raises `CaptureError` when `window` does not begin as a capture does."""
        super().__init__()
        self._window = window
        self._har = _har(name, window)
        self.is_har = self._har is not None
        self._reader = self._har or choose_reader(name, window, batch_size)
        self._batches = self._read()
        self.name = name
        self.format = self._reader.format + packing
        self.size = size

    @property
    def link_types(self) -> list[int]:
        """The link types of all interfaces so far, each once, in order of appearance."""
        return self._reader.link_types

    @property
    def problems(self) -> list[CaptureProblem]:
        """What ended the reading too early: empty, or of one item once all batches were taken."""
        return self._reader.problems

    @property
    def secrets(self) -> list[tuple[int, bytes]]:
        """Decryption secrets that the capture carries, as (secrets type, data): the first 64, 1 MB at most."""
        return self._reader.secrets

    @property
    def dropped(self) -> int | None:
        """How many packets were dropped while capturing, by what was read so far; None if the file does not count."""
        return self._reader.dropped

    @property
    def position(self) -> int:
        """Bytes of the input that are read, to compare with `size`."""
        return self._window.position

    def entries(self, wanted: Callable[[HarEntry], bool]) -> Iterator[HarEntry]:
        """The entries of a HAR in file order, once: those that are not `wanted`, by their head, without what is in
        them."""
        if self._har is None:
            return
        for entry in self._har.entries(wanted):
            self.packets, self.wire_bytes = self._har.last_entry, self._har.wire_bytes
            yield entry
        self.packets = self._har.last_entry

    def batches(self) -> Iterator[PacketBatch]:
        """The captured packets in file order, once: a second call goes on where the first stopped.

        Packets of Wi-Fi, PPP and NFLOG are IP packets in it (`links`). Bad input raises nothing; see `problems`.
        """
        return self._batches

    def __iter__(self) -> Iterator[PacketBatch]:
        return self._batches

    def _read(self) -> Generator[PacketBatch, None, None]:
        for batch in self._reader.batches():
            self.count(batch)
            yield batch if links.LINK_TYPES.isdisjoint(self._reader.link_types) else links.plain(batch)

    def close(self) -> None:
        """Stop reading, and close the file. Does nothing the second time."""
        self._batches.close()
        self._window.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def open_source(path: str, *, batch_size: int = 50_000, stdin: BinaryIO | None = None) -> CaptureSource:
    """Open a capture file, a named pipe, or for "-" standard input (`stdin` instead, if given, which stays open).

    Raises `CaptureError` when it cannot be opened, is empty, or is not a capture. Of a stream, the first block is read.
    """
    if path == STDIN:
        return _open_stream("standard input", standard_input(stdin), owned=False, size=None, batch_size=batch_size)
    file = open_file(path)
    status = os.fstat(file.fileno())
    size = status.st_size if stat.S_ISREG(status.st_mode) else None
    if size:
        window = _map(file)
        if window is not None:
            file.close()
            return _open_window(path, window, batch_size, size=size, packing="")
    return _open_stream(path, file, owned=True, size=size, batch_size=batch_size)


def open_file(path: str) -> BinaryIO:
    """A file or named pipe, to be read. Of a pipe, waits until somebody writes to it. Raises `CaptureError`."""
    try:
        return Path(path).open("rb", buffering=0)
    except FileNotFoundError:
        raise CaptureError(f"{path}: there is no such file", "check the path") from None
    except IsADirectoryError:
        raise CaptureError(f"{path} is a directory", "name the captures in it, such as 'FOLDER/*.pcap'") from None
    except PermissionError:
        raise CaptureError(f"{path} may not be read by you", "change its permissions, or run as its owner") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise CaptureError(f"{path} cannot be opened: {error}", "check the path") from None


def _map(file: BinaryIO) -> MappedWindow | None:
    """The file as a window, None if it is compressed, or its file system cannot map files."""
    try:
        window = MappedWindow(file)
    except (OSError, ValueError):
        return None
    if packing_of(window.buffer[:LONGEST_MAGIC]):
        window.close()
        return None
    return window


def standard_input(stdin: BinaryIO | None = None) -> BinaryIO:
    """Standard input (`stdin` instead, if given). Raises `CaptureError` when it is closed, or a terminal."""
    if stdin is None:
        if sys.stdin is None:
            raise CaptureError("standard input is closed", "name a capture file")
        stdin = sys.stdin.buffer
    if stdin.isatty():
        raise CaptureError("standard input is a terminal", "name a capture file, or pipe one in: eiosniff ... - < FILE")
    return stdin


def _open_stream(name: str, file: BinaryIO, *, owned: bool, size: int | None, batch_size: int) -> CaptureSource:
    raw = RawStream(file, owned=owned)
    packing = packing_of(raw.peek(LONGEST_MAGIC))
    stream: ByteStream = raw
    if packing == "gzip":
        stream = GzipStream(raw)
    elif packing == "zstd":
        from eiosniff.capture.zstd_stream import ZstdStream  # noqa: PLC0415  (its library takes a while to load)

        stream = ZstdStream(raw)
    suffix = f" ({packing})" if packing else ""
    return _open_window(name, StreamWindow(stream), batch_size, size=size, packing=suffix)


def packing_of(start: bytes) -> str:
    """How data that begin so are compressed: "gzip" or "zstd"; "" if neither."""
    if start.startswith(GZIP_MAGIC):
        return "gzip"
    skippable = start[:1] >= b"\x50" and start[:1] <= b"\x5f" and start[1:] == SKIPPABLE_MAGIC
    return "zstd" if start == ZSTD_MAGIC or skippable else ""


def _open_window(name: str, window: Window, batch_size: int, *, size: int | None, packing: str) -> CaptureSource:
    try:
        return CaptureSource(name, window, batch_size, size=size, packing=packing)
    except BaseException:  # Ctrl-C too: whatever goes wrong, the file is closed before it goes on
        window.close()
        raise


def may_be_har(window: Window) -> bool:
    """Whether an input begins as a JSON object does."""
    window.more(GLIMPSE)
    start = bytes(window.buffer[window.pos : window.pos + GLIMPSE])
    return start.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{")


def _har(name: str, window: Window) -> "HarReader | None":
    """The reader of a HAR; None for what is none. Raises `CaptureError`."""
    if not may_be_har(window):
        return None
    from eiosniff.capture.har import HarReader  # noqa: PLC0415  (most have none)

    return HarReader(window, name)


def header_length(start: bytes) -> int:
    """How many bytes tell what an input is that begins with `start`, and are the header if it is a capture. While
    `start` is too short to know, it is as many as are needed next."""
    if start[:LONGEST_MAGIC] in MAGICS:
        return FILE_HEADER
    return section_header_length(start) if start[:LONGEST_MAGIC] == SECTION_START else LONGEST_MAGIC


def choose_reader(name: str, window: Window, batch_size: int) -> PcapReader | PcapngReader:
    """By the first four bytes. Raises `CaptureError` when they are not a capture's, and names what they are."""
    window.more(GLIMPSE)
    start = bytes(window.buffer[:GLIMPSE])
    if start[:4] in MAGICS:
        return PcapReader(window, name, batch_size)
    if start[:4] == SECTION_START:
        return PcapngReader(window, name, batch_size)
    if window.trouble:
        raise CaptureError(f"{name} cannot be read: {window.trouble.text}", "capture again, or copy it again")
    if not start:
        raise CaptureError(f"{name} is empty", "check that the capture ran, and that the disk was not full")
    for magic, what, remedy in KNOWN_MAGICS:
        if start.startswith(magic):
            raise CaptureError(f"{name} is {what}", remedy)
    if MITMPROXY_FLOW.match(start):
        raise CaptureError(f"{name} is a file of mitmproxy flows", MAKE_HAR)
    raise CaptureError(f"{name} is not a capture: it begins with {_describe(start)}", READS)


def _describe(start: bytes) -> str:
    """The first bytes of a file as a person knows them."""
    text = start.removeprefix(codecs.BOM_UTF8).decode("ascii", "replace").strip()
    shown = " ".join(text[:SHOWN_TEXT].split())
    if not shown.isprintable() or not shown.isascii() or not shown:
        return f"the bytes {start[:SHOWN_BYTES].hex(' ')}"
    if text.lower().startswith(("<!doctype html", "<html")):
        return f"{shown!r}, as an HTML page does"
    if text.startswith(("{", "[")):
        return f"{shown!r}, as JSON does"
    return f"the text {shown!r}"
