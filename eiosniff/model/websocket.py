"""WebSocket frames and messages (RFC 6455, RFC 7692)."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, final

from mypy_extensions import mypyc_attr

from eiosniff.model.provenance import PacketRef, Side


class Opcode(IntEnum):
    """RFC 6455, section 5.2."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


FRAGMENT_MISSING: Final = "a fragment with FIN"  # what an anomaly says of a message that was begun and not finished

TEXT: Final = 1  # as plain numbers, in what runs for each frame
BINARY: Final = 2


@final
@mypyc_attr(acyclic=True)
class WsMessage:
    """A data message, after defragmenting and inflating.

    `masked`, `mask_key` and `rsv` (three bits) are those of its first frame; `fragments` counts its frames;
    `wire_length` is the sum of the frames' payload lengths as sent (compressed, if `compressed`); `missing` counts
    payload bytes that lie in a gap (they are zeros in `payload`). `readable` is False where `payload` is empty, for
    want of the deflate context, or because the message is over a limit or has a large hole. `opcode` is as sent; it may
    be one that no data message should have. Places are as in `HttpMessage`.
    """

    __slots__ = (
        "compressed",
        "end",
        "first",
        "fragments",
        "last",
        "mask_key",
        "masked",
        "missing",
        "opcode",
        "order",
        "packets",
        "payload",
        "readable",
        "rsv",
        "side",
        "start",
        "wire_length",
    )  # fmt: skip

    def __init__(
        self,
        side: Side,
        opcode: int,
        payload: bytes,
        masked: bool,
        mask_key: bytes,
        rsv: int,
        fragments: int,
        wire_length: int,
        compressed: bool,
        missing: int,
        readable: bool,
        start: int,
        end: int,
        packets: tuple[int, ...],
        first: PacketRef,
        last: PacketRef,
        order: int,
    ) -> None:
        self.side = side
        self.opcode = opcode
        self.payload = payload
        self.masked = masked
        self.mask_key = mask_key
        self.rsv = rsv
        self.fragments = fragments
        self.wire_length = wire_length
        self.compressed = compressed
        self.missing = missing
        self.readable = readable
        self.start = start
        self.end = end
        self.packets = packets
        self.first = first
        self.last = last
        self.order = order


@dataclass(slots=True, eq=False)
class WsControl:
    """A control frame: close, ping or pong, payload unmasked.

    For a close frame, `close_code` is None when it carries none, and `close_reason` is the rest as sent.
    """

    side: Side
    opcode: int
    payload: bytes
    masked: bool
    mask_key: bytes
    rsv: int
    start: int
    end: int
    packets: tuple[int, ...]
    first: PacketRef
    last: PacketRef
    order: int
    close_code: int | None = None
    close_reason: bytes = b""
