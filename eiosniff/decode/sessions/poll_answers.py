"""Answers to polls: which of them a cache gave, and how long a proxy held them back."""

from typing import Final

from eiosniff.decode.facts import cached_words
from eiosniff.model.http import BODY_KEPT, HttpResponse
from eiosniff.model.polling import CachedAnswer, HeldAnswer, SentAnswer
from eiosniff.model.provenance import NO_PACKET, PacketRef
from eiosniff.model.session import Session
from eiosniff.model.tally import Sketch, Tally

_SENT_KEPT: Final = 4
# Beginnings of what a server says once in a session: its open packet and the CONNECT that joins a client, up to
# revision 3 with a length before each.
_OPENS: Final = b'0{"sid":'
_JOINS: Final = b'40{"sid":'
_COLON: Final = 0x3A
_MAX_LENGTH: Final = 5  # digits and colon before an open packet


def note_answer(session: Session, asked: PacketRef, response: HttpResponse) -> None:
    """A poll of the session was answered 200."""
    polling, body = session.polling, response.body
    if response.header(b"age") is not None:
        _cached(session, asked, response, cached_words(response))
    elif body == polling.once:
        if body:
            _cached(session, asked, response, "")
    elif len(body) <= BODY_KEPT:
        if body.startswith(_JOINS):
            polling.once = body
        elif _is_opening(body):
            _cached(session, asked, response, "")
    if session.forwarded:
        sent = SentAnswer(response.last, len(body), hash(body))
        polling.sent = (*polling.sent[-_SENT_KEPT + 1 :], sent)
    elif session.hops:
        _arrived(session, response)


def _is_opening(body: bytes) -> bool:
    at = body.find(_OPENS, 0, _MAX_LENGTH + len(_OPENS))
    return at == 0 or (at > 0 and body[at - 1] == _COLON)


def _cached(session: Session, asked: PacketRef, response: HttpResponse, shown: str) -> None:
    if asked is NO_PACKET or (response.header(b"age") is not None and not shown):
        return  # not asked here, or fresh from the server by way of a cache
    cached = session.polling.cached
    if cached is None:
        cached = session.polling.cached = Tally()
    cached.add(CachedAnswer(asked, response.last, shown), response.last.ts_ns)


def _arrived(session: Session, response: HttpResponse) -> None:
    """The answer left the server on one of the hops before; on the last of them, if there are several."""
    length, digest = len(response.body), hash(response.body)
    left: PacketRef | None = None
    for hop in session.hops:
        last: PacketRef | None = None
        for sent in hop.polling.sent:
            if sent.length == length and sent.digest == digest:
                last = sent.place
        if last is not None and (left is None or last.ts_ns < left.ts_ns):
            left = last
    if left is None:
        return
    polling = session.polling
    held = HeldAnswer(left, response.last)
    if polling.held is None:
        polling.held = Sketch()
    polling.held.add(held.held_ns)
    if polling.slowest is None or held.held_ns > polling.slowest.held_ns:
        polling.slowest = held
