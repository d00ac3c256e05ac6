"""The streams of QUIC put in order: pieces in, bytes in order out (RFC 9000, section 2.2).

A piece may come before those that belong in front of it, again, or overlap others; packets that the capture lacks leave
a hole. What comes early is held until the hole is filled, or the limit is reached, or nothing follows.
"""

from bisect import insort
from typing import Final, final

from eiosniff.model.outside import QuicPiece
from eiosniff.model.provenance import Endpoint, PacketRef, Side
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap, GapReason

# Held of all streams of a capture, and of one: browsers let a server send some 6 MB ahead on a stream.
MAX_HELD: Final = 64 << 20
MAX_HELD_OF_STREAM: Final = 8 << 20
# A piece takes memory beside its bytes: one of nothing must not be free.
_PIECE_COST: Final = 256
_NOBODY: Final = Endpoint("", 0)

Ordered = StreamChunk | Gap | StreamEnd


def _place(held: tuple[int, int, QuicPiece]) -> tuple[int, int]:
    return held[0], held[1]


@final
class Held:
    """How many bytes are held for want of others, of all streams."""

    __slots__ = ("bytes",)

    def __init__(self) -> None:
        self.bytes = 0


@final
class QuicStream:
    """One direction of one stream. Offsets count its bytes; a chunk is one piece."""

    __slots__ = ("_early", "_early_bytes", "_held", "_next", "_size", "ended", "side")

    def __init__(self, side: Side, held: Held) -> None:
        self.side = side
        self.ended = False  # all of it was delivered
        self._held = held
        self._next = 0
        self._size = -1  # known with the end
        self._early: list[tuple[int, int, QuicPiece]] = []  # (offset, number, piece), sorted
        self._early_bytes = 0

    def take(self, piece: QuicPiece) -> list[Ordered]:
        """What can be delivered with this piece."""
        out: list[Ordered] = []
        if self.ended:
            return out
        if piece.fin and self._size < 0:
            self._size = max(self._next, piece.offset + len(piece.data))
        if piece.offset > self._next:
            if piece.data:
                self._hold(piece)
                if self._early_bytes > MAX_HELD_OF_STREAM or self._held.bytes > MAX_HELD:
                    self._jump(GapReason.LIMIT, piece, out)
            return out
        self._deliver(piece, piece, out)
        self._deliver_held(piece, out)
        return out

    def close(self, last: PacketRef) -> list[Ordered]:
        """The capture is over: what is missing was not captured. `last` is its last packet."""
        out: list[Ordered] = []
        if self.ended:
            return out
        shown = QuicPiece(last.number, last.ts_ns, 0, _NOBODY, _NOBODY, False, 0, 0, b"", False)
        while self._early:
            self._jump(GapReason.NOT_CAPTURED, shown, out)
        if not self.ended:
            if self._size > self._next:
                out.append(Gap(self.side, self._next, self._size - self._next, GapReason.NOT_CAPTURED, last))
            kind = EndKind.FIN if self._size >= 0 else EndKind.CAPTURE_ENDED
            self.ended = True
            out.append(StreamEnd(self.side, kind, last))
        return out

    def _hold(self, piece: QuicPiece) -> None:
        insort(self._early, (piece.offset, piece.number, piece), key=_place)
        cost = len(piece.data) + _PIECE_COST
        self._early_bytes += cost
        self._held.bytes += cost

    def _deliver(self, piece: QuicPiece, shown: QuicPiece, out: list[Ordered]) -> None:
        """Hand out what is new in a piece, which `shown` made deliverable."""
        known = self._next - piece.offset
        data = piece.data[known:] if known else piece.data
        if self._size >= 0:
            data = data[: max(0, self._size - self._next)]  # nothing comes after the end
        if data:
            delivered = shown.number if shown.number != piece.number else 0
            out.append(StreamChunk(self.side, self._next, data, [0], [piece.number], [piece.ts_ns], delivered))
            self._next += len(data)
        if 0 <= self._size <= self._next and not self.ended:
            self.ended = True
            self._drop_held()
            out.append(StreamEnd(self.side, EndKind.FIN, PacketRef(shown.number, shown.ts_ns)))

    def _deliver_held(self, shown: QuicPiece, out: list[Ordered]) -> None:
        """Hand out what was held and is in order now."""
        count = 0
        for offset, _, piece in self._early:
            if offset > self._next:
                break
            count += 1
            cost = len(piece.data) + _PIECE_COST
            self._early_bytes -= cost
            self._held.bytes -= cost
            if offset + len(piece.data) > self._next:
                self._deliver(piece, shown, out)
                if self.ended:  # then nothing is held any more
                    return
        if count:
            self._early = self._early[count:]

    def _jump(self, reason: GapReason, shown: QuicPiece, out: list[Ordered]) -> None:
        """Give up the first hole."""
        offset = self._early[0][0]
        place = PacketRef(shown.number, shown.ts_ns)
        out.append(Gap(self.side, self._next, offset - self._next, reason, place))
        self._next = offset
        self._deliver_held(shown, out)

    def drop(self) -> None:
        """Nobody asks for more of it."""
        self.ended = True
        self._drop_held()

    def _drop_held(self) -> None:
        self._held.bytes -= self._early_bytes
        self._early_bytes = 0
        self._early = []
