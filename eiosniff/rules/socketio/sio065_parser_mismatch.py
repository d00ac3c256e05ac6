"""The two sides write their Socket.IO packets with different parsers.

## What it reports
A session in which one side writes its packets with the msgpack or the JSON parser, and the other one with the default
parser; or in which the server closes as soon as the client asks to join, or a client with such a parser gets
no answer to that within `answer_ms` (1 s).

## Why it matters
Neither side can read what the other one says. A server of Node closes the session at the first packet, without a
reason, and the client connects again and again; python-socketio is silent.

## On the wire
A binary message that begins `8x a4 74 79 70 65` (msgpack, a map with `type`) or `4{"type":0,...`, where the other
side writes `40`. With the default parser at the client and msgpack at the server: `40`, and an empty close frame with
nothing before it; only that tells then.

## How to fix
The same parser on both sides: `new Server(httpServer, { parser })` and `io(url, { parser })`, or the default on both.

## When it is silent
When both sides understand each other, or nothing tells which parser one of them has. When the client has said anything
else than its CONNECT, or that cannot be read (rule SIO064), the server may close for that. Clients of Socket.IO 2 that
say nothing may have nothing to say.

## References
- socket.io documentation, "Custom parser"
- python-socketio documentation, option `serializer`
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import CloseHow, Closing, NamespaceState, Session
from eiosniff.model.socketio import Parser
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import CLOSED_BECAUSE_NS, NS_PER_MS, closing_words, in_ms
from eiosniff.rules.reactions import reaction_to

_JOINED_UNASKED_UP_TO = 3  # the last revision of Engine.IO in which the server joins the client by itself
_READ_BY_MSGPACK = (Parser.MSGPACK, Parser.JSON_OR_MSGPACK)
_READ_BY_JSON = (Parser.JSON, Parser.JSON_OR_MSGPACK)
_WORDS = {
    Parser.DEFAULT: "in the default format",
    Parser.MSGPACK: "in msgpack",
    Parser.JSON: "as JSON objects",
    Parser.JSON_OR_MSGPACK: "as JSON objects (a msgpack or JSON parser)",
}


@rule(
    code="SIO065",
    name="parser-mismatch",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="Client and server write their packets in different formats",
    message="{client} writes its Socket.IO packets {ours}. The server at {server} {theirs}.",
    why="A custom parser (msgpack, JSON) changes how packets are written, and both sides must have the same one. With "
    "different ones neither can read the other.",
    fix=(
        "Give both sides the same parser, from the same package: new Server(httpServer, {{ parser }}) and "
        "io(url, {{ parser }}); or none, which is the default on both.",
    ),
    explains=(
        "socketio-syntax",
        "binary-orphan",
        "connect-loop",
        "no-backoff",
        "ack-missing",
        "event-before-connect",
        "ws-abnormal-close",
    ),
    limits={"answer_ms": 1000},
)
def parser_mismatch(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    client, server = session.parsers
    if client is None or (client is Parser.DEFAULT and server is Parser.DEFAULT):
        return
    if server is not None:
        if not _understand(client, server):
            yield _both_told(session, client, server)
        return
    asked = _only_asks(session)
    if asked is None or session.engineio is None or session.engineio <= _JOINED_UNASKED_UP_TO:
        return
    closed = _closes_for(session, asked)
    waited = session.observed_until_ns - asked.ts_ns
    if closed is None and (client is Parser.DEFAULT or waited < limits["answer_ms"] * NS_PER_MS):
        return
    yield Hit(
        evidence(asked, Side.CLIENT, f"asks to join, {_WORDS[client]}"),
        *([evidence(closed.place, Side.SERVER, closing_words(closed))] if closed is not None else []),
        certainty=Certainty.LIKELY,
        doubt="the server says nothing that would show its parser",
        lasting=closed is None,
        ours=_WORDS[client],
        theirs=f"cannot read that, as it seems: it {closing_words(closed)}"
        if closed is not None
        else f"does not answer them for {in_ms(waited)}, until the end: it seems that it cannot read them",
        parser=client.value,
    )


def _understand(one: Parser, other: Parser) -> bool:
    if one is other:
        return True
    return {one, other} <= set(_READ_BY_MSGPACK) or {one, other} <= set(_READ_BY_JSON)


def _both_told(session: Session, client: Parser, server: Parser) -> Hit:
    parsers = ((Side.CLIENT, client), (Side.SERVER, server))
    places = [(session.last_from[side], side, parser) for side, parser in parsers]
    proof = [evidence(place, side, f"writes {_WORDS[parser]}") for place, side, parser in places if place is not None]
    spoken = session.last_from[Side.CLIENT]
    reaction = reaction_to(session, Side.CLIENT, [spoken]) if spoken is not None else None
    if reaction is not None:
        proof.extend(reaction.proof)
    return Hit(*proof, ours=_WORDS[client], theirs=f"writes its own {_WORDS[server]}", parser=client.value)


def _closes_for(session: Session, asked: PacketRef) -> Closing | None:
    """How the server closes, if nothing else can be the reason than the last thing that the client has said."""
    closing = session.closing
    if closing is None or closing.side is Side.CLIENT or closing.how not in (CloseHow.WS_CLOSE, CloseHow.EIO_CLOSE):
        return None
    if session.last_from[Side.CLIENT] != asked or session.polls_cut:
        return None
    if any(refusal.request < closing.place for refusal in session.refusals):
        return None
    return closing if 0 <= closing.place.ts_ns - asked.ts_ns <= CLOSED_BECAUSE_NS else None


def _only_asks(session: Session) -> PacketRef | None:
    """The last CONNECT of a client that has said nothing else and got no answer; None of any other client."""
    if session.midstream or session.anomalies or session.gaps:
        return None
    if set(session.socketio_counts[Side.CLIENT]) != {"CONNECT"} or session.socketio_counts[Side.SERVER]:
        return None
    places = []
    for namespace in session.namespaces.values():
        if namespace.state is not NamespaceState.CONNECTING or namespace.connects > 1 or namespace.connect is None:
            return None
        places.append(namespace.connect)
    return max(places, default=None, key=lambda place: place.number)
