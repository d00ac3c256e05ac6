"""What a session shows of sizes, and of how polling bodies are made, into its ledger (`model/payloads.py`)."""

from typing import Final

from eiosniff.decode.sessions.session_packets import SessionState
from eiosniff.decode.socketio.packets import decode_packet
from eiosniff.model.engineio import MESSAGE, EioPacket
from eiosniff.model.http import HttpMessage, HttpRequest, HttpResponse
from eiosniff.model.payloads import SMALLEST_LIMIT, BinaryPost, Crowded, PayloadFacts, Sent
from eiosniff.model.provenance import CLIENT, SERVER, PacketRef, Side
from eiosniff.model.session import Session
from eiosniff.model.socketio import SioPacket
from eiosniff.model.tally import Tally
from eiosniff.model.trouble import Anomaly, AnomalyKind, Desync
from eiosniff.model.websocket import WsMessage

_OCTET_STREAM: Final = b"application/octet-stream"
_POST: Final = b"POST"
_SEPARATOR: Final = b"\x1e"
_QUOTED: Final = 40
_MOST_MEASURED: Final = 4096  # packets of one body: nobody sends as many, and one of nothing but separators is cheap
_MOST_PIECES: Final = 8  # that a torn packet is put together of again
_MOST_DIGITS: Final = 18
_ARRAYS: Final = (b"2", b"3")  # Socket.IO EVENT and ACK


# ---------------------------------------------------------------- sizes


def note_message(facts: PayloadFacts, message: WsMessage) -> None:
    """A WebSocket message came; called only for those that are longer than `largest` says."""
    note_sent(facts, Sent(message.side, message.first, message.last, len(message.payload), True, message.compressed))


def note_sent(facts: PayloadFacts, sent: Sent) -> None:
    """The same for any message."""
    if sent.side is SERVER:
        facts.from_server = sent
    else:
        facts.from_client = sent


def largest(facts: PayloadFacts, side: Side) -> int:
    """The size of the largest WebSocket message of a side, or what is too small to be kept."""
    sent = facts.from_server if side is SERVER else facts.from_client
    return SMALLEST_LIMIT if sent is None else sent.bytes


def note_cut(session: Session, cut: Desync) -> None:
    """A WebSocket message came only in part, and then its connection ended."""
    facts = session.payloads
    if cut.announced <= largest(facts, cut.side):
        return
    sent = Sent(cut.side, cut.place, session.last, cut.announced, False, cut.compressed)
    if cut.side is SERVER:
        facts.from_server = sent
    else:
        facts.from_client = sent


def note_post(session: Session, request: HttpRequest) -> None:
    """A POST of the session, as far as it came."""
    facts = session.payloads
    size = announced(request)
    if size > SMALLEST_LIMIT and (facts.post is None or size > facts.post.bytes):
        facts.post = Sent(CLIENT, request.first, request.last, size, request.complete)
        if request.body_kept:
            facts.post.packets = request.body.count(_SEPARATOR) + 1
            if facts.post.packets <= _MOST_MEASURED:
                facts.post.longest = max([len(entry) for entry in request.body.split(_SEPARATOR)])
    content_type = request.header(b"content-type")
    if content_type is not None and content_type.lower().startswith(_OCTET_STREAM):
        facts.binary_posts = facts.binary_posts or Tally()
        facts.binary_posts.add(BinaryPost(request.last), request.last.ts_ns)


def announced(request: HttpRequest) -> int:
    """The length of a body, by its header if it is not complete."""
    length = request.header(b"content-length")
    if request.complete or length is None or not length.isdigit() or len(length) > _MOST_DIGITS:
        return max(request.body_length, len(request.body))  # without its coding, if it has one
    return int(length)


def note_answer(session: Session, request: HttpRequest, response: HttpResponse) -> None:
    """A request of the session was answered, in whatever way."""
    posts = session.payloads.binary_posts
    if posts is None or request.method != _POST:
        return
    for post in posts:
        if post.place == request.last and post.answer is None:
            post.answer = response.last
            post.status = response.status


def note_hang_up(session: Session, place: PacketRef) -> None:
    """The server ended a connection of the session."""
    if session.requests_answered == 1 and session.connection_count == 1 and not session.engineio_counts[CLIENT]:
        session.payloads.hung_up = session.payloads.hung_up or place


# ---------------------------------------------------------------- how bodies are made


def speaks_old_framing(session: Session, side: Side, shape: int | None) -> bool:
    """Whether a client of revision 4 frames a body as up to revision 3, at a server that has shown that it does not."""
    return side is CLIENT and shape == 3 and session.claimed_eio == "4" and session.revisions[SERVER] == 4


def old_framing(message: HttpMessage) -> Anomaly:
    """What is wrong with such a body."""
    found = message.body[:_QUOTED].decode("latin-1")
    return Anomaly(AnomalyKind.EIO_OLD_FRAMING, message.side, message.last, "packets without lengths", found)


def note_crowd(state: SessionState, side: Side, message: HttpMessage, packets: list[EioPacket]) -> None:
    """A body with many packets, whose packets were taken."""
    crowded = Crowded(side, message.last, len(packets))
    crowded.asked = crowded.unanswered = _still_asked(state, side, message.last)
    facts = state.session.payloads
    facts.crowded = facts.crowded or Tally()
    facts.crowded.add(crowded, message.last.ts_ns)


def finish(state: SessionState) -> None:
    """Nothing more is known of the session: what was asked for in crowded bodies, and is still waited for."""
    crowds = state.session.payloads.crowded
    if crowds is None:
        return
    for crowded in crowds:
        crowded.unanswered = _still_asked(state, crowded.side, crowded.place)


def _still_asked(state: SessionState, side: Side, place: PacketRef) -> int:
    """How many acknowledgements a side asked for at this place and still waits for."""
    waiting, of_server = state.session.messages.waiting, side is SERVER
    if waiting is None:
        return 0
    return sum([key[0] == of_server and ask.place.ts_ns == place.ts_ns for key, ask in waiting.items()])


def torn(packets: list[EioPacket], at: int) -> int:
    """How many packets of a body of revision 4, from this one on, are pieces of one whose text has the separator in it:
    0 if this one is whole, or no text that they could be joined to makes sense.

    Cheap for what is whole: the text of an event or ACK ends with its array, and a packet follows it.
    """
    first = packets[at]
    data = first.data
    if first.type != MESSAGE or first.binary or data[:1] not in _ARRAYS or at + 1 == len(packets):
        return 0
    if data.endswith(b"]") and packets[at + 1].type >= 0:
        return 0
    if isinstance(decode_packet(first), SioPacket):
        return 0
    text = data
    for count in range(2, _MOST_PIECES + 1):
        if at + count > len(packets):
            return 0
        text += b" " + _as_sent(packets[at + count - 1])
        joined = EioPacket(MESSAGE, text, False, first.side, first.transport, first.place, first.packets)
        if text.endswith(b"]") and isinstance(decode_packet(joined), SioPacket):
            return count
    return 0


def _as_sent(packet: EioPacket) -> bytes:
    return packet.data if packet.type < 0 else b"%d%s" % (packet.type, packet.data)


def torn_packet(pieces: list[EioPacket]) -> Anomaly:
    """What is wrong with these packets: their beginning, and where it breaks off."""
    first = pieces[0]
    found = b"4%s" % first.data
    text = found if len(found) <= _QUOTED else b"...%s" % found[len(found) - _QUOTED :]
    expected = "no record separator inside of a packet"
    return Anomaly(AnomalyKind.EIO_TORN_PACKET, first.side, first.place, expected, text.decode("latin-1"))
