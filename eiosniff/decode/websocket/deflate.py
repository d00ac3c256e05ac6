"""permessage-deflate for one who only listens: what was negotiated, and the inflater of one direction (RFC 7692).

A back-reference reaches at most 32 KiB back, into the same message or, with context takeover, into the messages before
it. zlib refuses a reference beyond the bytes that it has seen. So when bytes of a direction are missing, an inflater
that starts afresh behind the gap gives either the right text or an error, never a wrong text: each message that refers
to lost bytes is unreadable, each other one is read, and once a window's worth was read all is known again.
"""

import zlib
from dataclasses import dataclass
from typing import Final, NamedTuple

from eiosniff.model.provenance import Side
from eiosniff.model.trouble import AnomalyKind

# The end of the empty stored block that the sender cuts off each message (RFC 7692, sections 7.2.1 and 7.2.2).
TAIL: Final = b"\x00\x00\xff\xff"

# An empty stored block that is the last one (RFC 1951, section 3.2.4).
_FINAL_BLOCK: Final = b"\x01\x00\x00\xff\xff"

# The largest window of deflate (RFC 1951, section 2). Whoever reads with it reads what was written with any smaller
# one; that also spares us zlib's history with 8 bits, which its deflate took for 9.
WINDOW_BITS: Final = 15
WINDOW: Final = 1 << WINDOW_BITS

# deflate shrinks at most 1032 to 1, so that the 16 MiB of a message on the wire could become 16 GiB. Four times the
# wire's limit is more than any text that a Socket.IO server takes (1 MB by default).
INFLATED_LIMIT: Final = 64 << 20

# How many times a message may end its deflate stream early (BFINAL, section 7.2.3.4). Each costs a new inflater and a
# copy of what follows; senders that do it at all do it once.
FINAL_BLOCKS_LIMIT: Final = 64


@dataclass(slots=True, frozen=True)
class DeflateParameters:
    """What the 101 says about permessage-deflate (RFC 7692, section 7.1).

    `offered` is False when the client did not ask for it: it has to fail the connection then (RFC 6455, section 4.1).
    """

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int = WINDOW_BITS
    client_max_window_bits: int = WINDOW_BITS
    offered: bool = True

    def inflater(self, side: Side, limit: int = INFLATED_LIMIT) -> "Inflater":
        """An inflater for what this side sends."""
        alone = self.client_no_context_takeover if side is Side.CLIENT else self.server_no_context_takeover
        return Inflater(context_takeover=not alone, limit=limit)


class InflateFailure(NamedTuple):
    """Why a message cannot be read; `repeated` when it only follows from a failure that was told before."""

    kind: AnomalyKind
    expected: str
    found: str
    repeated: bool


def negotiated(response_extensions: bytes | None, request_extensions: bytes | None) -> DeflateParameters | None:
    """The permessage-deflate that a 101 agreed to, None when it did not.

    Both are values of Sec-WebSocket-Extensions (RFC 6455, section 9.1). Letter case, white space, quotes and `-` for
    `_` are forgiven; a window size that is none counts as the default. The offer decides nothing: its
    `client_no_context_takeover` is a hint only (RFC 7692, section 7.1.1.2), and reading does not depend on it.
    """
    parameters = _permessage_deflate(response_extensions or b"")
    if parameters is None:
        return None
    return DeflateParameters(
        server_no_context_takeover=b"server_no_context_takeover" in parameters,
        client_no_context_takeover=b"client_no_context_takeover" in parameters,
        server_max_window_bits=_window_bits(parameters.get(b"server_max_window_bits", b"")),
        client_max_window_bits=_window_bits(parameters.get(b"client_max_window_bits", b"")),
        offered=_permessage_deflate(request_extensions or b"") is not None,
    )


def _permessage_deflate(extensions: bytes) -> dict[bytes, bytes] | None:
    """The parameters of the first extension with that name."""
    for extension in extensions.lower().replace(b"-", b"_").split(b","):
        name, *parameters = (part.partition(b"=") for part in extension.split(b";"))
        if name[0].strip() == b"permessage_deflate":
            return {key.strip(): value.strip().strip(b"\"'") for key, _, value in parameters}
    return None


def _window_bits(value: bytes) -> int:
    """A window size as its exponent (RFC 7692, section 7.1.2)."""
    return int(value) if value in {b"8", b"9", b"10", b"11", b"12", b"13", b"14"} else WINDOW_BITS


class Inflater:
    """Inflates the messages of one side, in order."""

    __slots__ = ("_context_takeover", "_limit", "_stream", "_told", "_unknown")

    def __init__(self, context_takeover: bool = True, limit: int = INFLATED_LIMIT) -> None:
        self._context_takeover = context_takeover
        self._limit = limit
        self._stream = zlib.decompressobj(-WINDOW_BITS)
        self._unknown = 0  # how many bytes of the window nobody knows
        self._told = False  # whether a failure was told since all was known

    @property
    def lost(self) -> bool:
        """Whether messages to come may refer to bytes that were not seen."""
        return self._unknown > 0

    def lose(self) -> None:
        """Forget the context: a message is missing, or was not inflated to its end."""
        if self._context_takeover:
            self._unknown = WINDOW
            self._stream = zlib.decompressobj(-WINDOW_BITS)

    def fits(self, payload: bytes) -> bool:
        """Whether a payload is a compressed message, not empty, behind those before it: it ends where a block does."""
        stream = self._stream.copy()
        try:
            inflated = stream.decompress(payload + TAIL + _FINAL_BLOCK, self._limit)
        except zlib.error:
            return False
        return len(inflated) > 0 and stream.eof and not stream.unused_data

    def inflate(self, payload: bytes) -> bytes | InflateFailure:
        """The payload of a whole message, all its frames joined, as it was before it was compressed."""
        if not payload:  # section 7.2.3.6 wants 0x00 here; without it the tail would begin a block of its own
            return b""
        if not self._context_takeover:
            self._stream = zlib.decompressobj(-WINDOW_BITS)
        try:
            inflated = self._inflate(payload + TAIL)
        except zlib.error as error:
            expected = "no reference to lost bytes" if self.lost else "a deflate stream"
            return self._fail(AnomalyKind.WS_BAD_DEFLATE, expected, str(error).rpartition(": ")[2])
        if len(inflated) > self._limit:
            return self._fail(AnomalyKind.WS_TOO_LARGE, f"at most {self._limit} bytes after inflating", "more")
        self._unknown = max(0, self._unknown - len(inflated))
        self._told = self._told and self.lost
        return inflated

    def _inflate(self, data: bytes) -> bytes:
        """Inflate up to one byte more than the limit."""
        inflated = self._stream.decompress(data, self._limit + 1)
        for _ in range(FINAL_BLOCKS_LIMIT):
            if not self._stream.eof or len(inflated) > self._limit:
                return inflated
            # A final block ends the stream, not the message: what follows it is at least an empty block (0x00 and the
            # tail), which a sender may have left out. The window goes on as far as this message goes back.
            rest = self._stream.unused_data
            self._stream = zlib.decompressobj(-WINDOW_BITS, zdict=inflated[-WINDOW:])
            if rest in {TAIL, b"\x00" + TAIL}:
                return inflated
            inflated += self._stream.decompress(rest, self._limit + 1 - len(inflated))
        raise zlib.error(f"more than {FINAL_BLOCKS_LIMIT} final blocks")

    def _fail(self, kind: AnomalyKind, expected: str, found: str) -> InflateFailure:
        repeated = self._told and self.lost
        self.lose()
        self._told = True
        return InflateFailure(kind, expected, found, repeated)
