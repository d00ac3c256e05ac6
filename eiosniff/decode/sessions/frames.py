"""What frames and binary messages come to, and which packets are not whole, into the ledger of a session.

Of nearly all messages there is nothing to note, so each function begins with a cheap test.
"""

import re
from typing import Final

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.socketio.attachments import AttachmentJoiner
from eiosniff.decode.socketio.packets import RESERVED_EVENTS, SioSyntax
from eiosniff.model.engineio import EioPacket
from eiosniff.model.frames import (
    HEADS_KEPT,
    QUOTED,
    Announced,
    BinaryHeads,
    CutShort,
    Deflated,
    Fragmented,
    FrameFigures,
    Mistake,
    Reserved,
)
from eiosniff.model.provenance import SERVER, PacketRef
from eiosniff.model.session import Session
from eiosniff.model.socketio import SioPacket
from eiosniff.model.tally import Tally
from eiosniff.model.websocket import BINARY, WsMessage

# socket.io-parser refuses more from 4.2.6, 3.4.4 and 3.3.5 on (its option maxAttachments).
MOST_ATTACHMENTS: Final = 10
# A message in fragments that takes less is not worth a note; nor one that is only large, for its link.
SLOW_NS: Final = 1_000_000_000
_TEXT_KEPT: Final = 80
_HEAD_BYTES: Final = 12
_NO_MASK: Final = b"\0\0\0\0"
_TYPE_BYTE: Final = b"\x04"
_CONNECT: Final = "0"

# What data is by its first bytes, behind a first byte that may not belong to it.
_MAGIC: Final = re.compile(
    rb".(?:(\xff\xd8\xff)|(\x89PNG)|(GIF8)|(%PDF)|(PK\x03\x04)|(\x1f\x8b\x08)|(RIFF)|(OggS|\x1aE\xdf\xa3|ID3|....ftyp)"
    rb'|(\{"|\[[\["{])|([\x80-\x8f]\xa4type))',
    re.DOTALL,
)
_KINDS: Final = (
    "", "a JPEG image", "a PNG image", "a GIF image", "a PDF file", "a ZIP file", "gzip", "RIFF (WAV, WebP)",
    "audio or video", "JSON", "msgpack",
)  # fmt: skip


def note(figures: FrameFigures, message: WsMessage, conversation: Conversation) -> None:
    """Take a message that was read."""
    if message.opcode == BINARY:
        _note_head(figures, message)
    if message.mask_key == _NO_MASK:
        figures.zero_masks += 1
        figures.zero_mask = figures.zero_mask or message.first
    if message.compressed:
        _note_compression(figures, message, conversation)
    if message.fragments > 1 and message.last.ts_ns - message.first.ts_ns >= SLOW_NS:
        slow = figures.slow = figures.slow or Tally()
        slow.add(
            Fragmented(message.side, message.first, message.last, message.fragments, message.wire_length),
            message.last.ts_ns,
        )


def _note_head(figures: FrameFigures, message: WsMessage) -> None:
    heads = figures.heads = figures.heads or [None, None]
    head = heads[message.side]
    if head is None:
        head = heads[message.side] = BinaryHeads()
    head.count += 1
    payload = message.payload
    if payload.startswith(_TYPE_BYTE):
        head.typed += 1
    if head.count <= HEADS_KEPT:
        head.heads = (*head.heads, (message.last, payload[:_HEAD_BYTES]))
        magic = _MAGIC.match(payload)
        if magic is not None and not head.magic:
            head.magic = _KINDS[magic.lastindex or 0]


def _note_compression(figures: FrameFigures, message: WsMessage, conversation: Conversation) -> None:
    sides = figures.deflated = figures.deflated or [None, None]
    deflated = sides[message.side]
    if deflated is None:
        agreed = conversation.deflate
        alone = False
        if agreed is not None:
            alone = agreed.server_no_context_takeover if message.side is SERVER else agreed.client_no_context_takeover
        deflated = sides[message.side] = Deflated(message.first, alone)
    plain = len(message.payload)
    deflated.count += 1
    deflated.wire += message.wire_length
    deflated.plain += plain
    if message.wire_length >= plain:
        deflated.grown += 1


def note_packet(figures: FrameFigures, packet: SioPacket) -> None:
    """Take the header of a packet with attachments."""
    if packet.attachments_expected > MOST_ATTACHMENTS:
        announced = figures.announced = figures.announced or Tally()
        announced.add(Announced(packet.side, packet.place, packet.attachments_expected), packet.place.ts_ns)


def note_event(figures: FrameFigures, packet: SioPacket) -> None:
    """Take an event."""
    name = packet.event
    if name is not None and name in RESERVED_EVENTS:
        reserved = figures.reserved = figures.reserved or Tally()
        reserved.add(Reserved(packet.side, packet.place, name), packet.place.ts_ns)


def note_mistake(session: Session, packet: EioPacket, wrong: SioSyntax) -> None:
    """Take a packet that cannot be read."""
    mistakes = session.frames.mistakes = session.frames.mistakes or Tally()
    data, at = packet.data, wrong.position
    kind = chr(data[0]) if data[:1].isdigit() else ""
    before, after = b"", b""
    if kind != _CONNECT:
        before, after = data[max(0, at - QUOTED) : at], data[at : at + QUOTED]
    mistakes.add(Mistake(packet.side, packet.place, kind, at, wrong.expected, before, after), packet.place.ts_ns)


def note_cut_short(session: Session, waiting: AttachmentJoiner, shown: PacketRef, text: bytes) -> None:
    """Take a packet whose attachments will not all come, as the message in `shown` says, or an end without a text."""
    header = waiting.header
    if header is not None:
        cut_short = session.frames.cut_short = session.frames.cut_short or Tally()
        cut_short.add(
            CutShort(waiting.side, header.place, header.attachments_expected, waiting.came, shown, text[:_TEXT_KEPT]),
            shown.ts_ns,
        )
