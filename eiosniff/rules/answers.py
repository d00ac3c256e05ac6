"""Answers to handshakes in words: shared by the rules about handshakes that somebody refuses, or answers otherwise."""

import re

from eiosniff.model.attempt import AnswerFacts, Attempt, Outcome
from eiosniff.model.engineio import WEBTRANSPORT
from eiosniff.model.peers import Client
from eiosniff.model.provenance import PacketRef
from eiosniff.rules.phrases import quoted

_HEADING = re.compile(rb"<(pre|h1|title)[^>]*>\s*([^<>]{1,100})", re.IGNORECASE)
_PAGE = re.compile(rb"\s*<(!doctype\s+html|html|head|body|\?xml)", re.IGNORECASE)


def is_for_webtransport(attempt: Attempt) -> bool:
    """Whether a handshake is a CONNECT for WebTransport: rule EIO247 has what there is to say of its answers."""
    return attempt.request.transport is WEBTRANSPORT


def is_page(body: bytes) -> bool:
    """Whether a body is a web page."""
    return _PAGE.match(body) is not None


def heading(body: bytes) -> bytes:
    """What a page says it is: the text of an error that Express writes, else its title or heading; else nothing."""
    found: dict[bytes, bytes] = {}
    for kind, text in _HEADING.findall(body):
        found.setdefault(kind.lower(), text.strip())
    return found.get(b"pre") or found.get(b"title") or found.get(b"h1") or b""


def answer_words(attempt: Attempt) -> str:
    """The answer to a handshake: `400 "Transport unknown"`, `404, the page "404 Not Found"`, `403 without a word`."""
    return f"{attempt.status}{said_words(attempt)}"


def said_words(attempt: Attempt) -> str:
    """What an answer says beyond its status, with the space or comma before it."""
    if attempt.error is not None:
        code = f" code {attempt.error.code}" if attempt.error.code is not None else ""
        return f'{code} "{attempt.error.message}"'
    body = attempt.body.strip()
    if not body:
        return ", without a body"
    if is_page(body):
        title = heading(body)
        return f", the page {quoted(title)}" if title else ", a web page"
    return f" {quoted(body)}"


def server_name(answered: AnswerFacts | None) -> str:
    """What the program that answered calls itself (`nginx/1.22.1`), if it does."""
    return (answered.server or "") if answered is not None else ""


def same_program(client: Client) -> tuple[Client, ...]:
    """The ledgers of one program: of socket.io-client in Node there are two, one for each transport."""
    partner, identity = client.partner, client.identity
    if partner is None or identity is None or partner.identity is None:
        return (client,)
    return (client, partner) if identity.library == partner.identity.library else (client,)


def let_in(client: Client, path: str | None = None) -> bool:
    """Whether another handshake of the same client (with this path) opened a session."""
    return any(
        group.first[0].outcome is Outcome.OPENED and path in (None, group.first[0].request.path)
        for ledger in same_program(client)
        for group in ledger.attempts.values()
    )


def let_in_after(client: Client, refused: Attempt) -> bool:
    """Whether the same client opened a session after this attempt."""
    return let_in_since(client, refused.request.place)


def let_in_since(client: Client, place: PacketRef) -> bool:
    """Whether the same client opened a session after a packet."""
    return any(
        attempt.outcome is Outcome.OPENED and attempt.request.place.ts_ns > place.ts_ns
        for ledger in same_program(client)
        for group in ledger.attempts.values()
        for attempt in group
    )
