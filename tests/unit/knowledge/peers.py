"""Ledgers for these tests: those of a recording, and those that a few documented bytes would fill."""

from pathlib import Path

from eiosniff import knowledge
from eiosniff.capture.source import open_source
from eiosniff.decode.facts import parse_target
from eiosniff.decode.sessions.sessions import Sessions
from eiosniff.decode.stack import Stack
from eiosniff.model.attempt import RequestFacts
from eiosniff.model.engineio import OpenPacket
from eiosniff.model.peers import Client, Identity, Server
from eiosniff.model.provenance import Endpoint, PacketRef
from eiosniff.model.session import Session
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.tally import NS_PER_S

HERE = Endpoint("192.0.2.1", 40000)
THERE = Endpoint("192.0.2.2", 3000)


def identified(capture: Path) -> Sessions:
    """The ledgers of a recording, with the identity of each peer."""
    stack = Stack(CaptureSummary(capture.name))
    with open_source(str(capture)) as source:
        for batch in source.batches():
            stack.feed(batch)
        stack.summary.first_ns, stack.summary.last_ns = source.first_ns, source.last_ns
    stack.close()
    found = stack.sessions
    knowledge.identify(list(found.clients.values()), list(found.servers.values()), found.sessions)
    return found


def request(target: str, *headers: str) -> RequestFacts:
    """A handshake with these header lines, in this order."""
    query = parse_target(target.encode())
    fields = [(name, value.strip()) for name, _, value in (line.partition(":") for line in headers)]
    values = {name.lower(): value for name, value in fields}
    return RequestFacts(
        place=PacketRef(4, 0),
        channel=0,
        method="GET",
        target=target,
        path=query.path,
        query=query.parameters,
        eio=query.first("EIO"),
        transports=query.all("transport"),
        upgrade="upgrade" in values,
        user_agent=values.get("user-agent", ""),
        origin=values.get("origin"),
        host=values.get("host", ""),
        subprotocol=values.get("sec-websocket-protocol"),
        extensions=values.get("sec-websocket-extensions"),
        header_names=tuple(name for name, _ in fields),
        version="1.1",
        connection=values.get("connection"),
        cookies=(),
    )


def client(*requests: RequestFacts) -> Client:
    """A client that sent these handshakes."""
    peer = Client(HERE.address, requests[0].user_agent, THERE)
    for facts in requests:
        if facts.upgrade:
            peer.websocket_request = facts
        else:
            peer.polling_request = facts
    return peer


def open_packet(
    keys: str, sid: str, interval: int = 25000, timeout: int = 20000, payload: int | None = None
) -> OpenPacket:
    """An open packet with its keys in this order."""
    return OpenPacket(sid, ("websocket",), interval, timeout, payload, tuple(keys.split(",")))


def session(peer: Client, server: Server, *, asked: str | None = "4", spoken: int | None = 4) -> Session:
    """A session of thirty seconds, in which the client asked for one revision and the server speaks another."""
    ledger = Session(1, "sid", "/socket.io/", peer, server, HERE, PacketRef(6, 0))
    ledger.claimed_eio = asked
    ledger.revisions = [None, spoken]
    ledger.observed_until_ns = 30 * NS_PER_S
    return ledger


def server(opening: OpenPacket | None = None, **marks: str) -> Server:
    """A server that answered with this open packet; marks with `_` for `-`."""
    return Server(THERE, opening, marks={name.replace("_", "-"): value for name, value in marks.items()})


def named(library: str, name: str = "") -> Identity:
    return Identity(library, name or library)
