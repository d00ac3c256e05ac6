"""The layers joined: what becomes of a whole capture of crafted packets, in one batch or in many."""

from collections.abc import Callable, Sequence

import pytest

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.http1.connection import HttpConnection
from eiosniff.decode.sessions.sessions import Sessions
from eiosniff.decode.stack import Stack
from eiosniff.model.attempt import Outcome
from eiosniff.model.decoded import DecodedPacket
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import NamespaceState, Session
from eiosniff.model.summary import CaptureSummary, ConnectFailure
from eiosniff.model.tcp import EndKind
from tests.streams import CLIENT, SERVER, Sent, ledgers, packets, record_events

pytestmark = pytest.mark.interpreted

C, S = Side.CLIENT, Side.SERVER
ASK = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
OPEN = b'0{"sid":"abc","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
POLL = b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n"
PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi"


def frame(side: Side, payload: bytes, first: int = 0x81) -> bytes:
    """A frame; the client's mask is zeros."""
    mask = b"\0\0\0\0" if side is C else b""
    return bytes([first, len(payload) | (0x80 if mask else 0)]) + mask + payload


class Link:
    """The segments of one connection, with sequence numbers that fit; acknowledged with the next ones."""

    def __init__(self, client: int = CLIENT, server: int = SERVER, syn: bool = True) -> None:
        self.ends = client, server
        self.next = [1000, 5000]
        self.sent: list[Sent] = []
        if syn:
            self.send(C, flags="S")
            self.send(S, flags="SA")

    def send(self, side: Side, data: bytes = b"", flags: str = "A", at_ms: float | None = None) -> Sent:
        sent = Sent(side, flags, self.next[side], data, self.next[1 - side], at_ms, None, *self.ends)
        self.next[side] += len(data) + ("S" in flags) + ("F" in flags)
        self.sent.append(sent)
        return sent

    def lose(self, side: Side, count: int) -> None:
        self.next[side] += count

    def websocket(self) -> "Link":
        self.send(C, ASK)
        self.send(S, SWITCH)
        self.send(S, frame(S, OPEN))
        self.send(C, frame(C, b"40"))
        self.send(S, frame(S, b'40{"sid":"x"}'))
        return self

    def close(self) -> None:
        self.send(C, flags="FA")
        self.send(S, flags="FA")
        self.send(C)


def run(sent: Sequence[Sent], make: Callable[[], Stack] = lambda: Stack(CaptureSummary("made"))) -> Stack:
    """What becomes of captured packets, which does not depend on batches."""
    stacks = []
    for size in (len(sent) or 1, 1, 3):
        stack = make()
        stacks.append((record_events(stack), stack))
        for at in range(0, len(sent), size):
            stack.feed(packets(sent[at : at + size], at + 1))
        stack.close()
    events, stack = stacks[0]
    for others, other in stacks[1:]:
        assert others == events
        assert ledgers(other) == ledgers(stack)
        assert other.crashes == stack.crashes
    return stack


# ---------------------------------------------------------------------- sessions


def test_session() -> None:
    link = Link().websocket()
    link.send(S, frame(S, b"2"))
    link.send(C, frame(C, b"3"))
    link.send(S, frame(S, b"2"))
    link.send(C)
    link.close()
    stack = run(link.sent)
    (session,) = stack.sessions.sessions
    assert (session.sid, session.handshake and session.handshake.ping_interval_ms) == ("abc", 25000)
    assert session.namespaces["/"].state is NamespaceState.CONNECTED
    (answered, unanswered) = session.heartbeats.slowest, session.heartbeats.pending
    assert answered is not None
    assert unanswered is not None
    assert [place and place.number for place in (answered.ping, answered.pong, answered.ping_acked)] == [8, 9, None]
    assert [place and place.number for place in (unanswered.ping, unanswered.ping_acked)] == [10, 11]
    assert session.closing is not None
    assert (stack.summary.connections, stack.summary.engineio_connections) == (1, 1)
    assert stack.summary.other == {"HTTP": 1}
    assert (stack.summary.set_aside_packets, stack.summary.set_aside_bytes) == (0, 0)


def test_heartbeat_behind_a_hole_of_the_capture() -> None:
    """An acknowledgement counts from when the ping was known, however many packets came at once; see `run`."""
    link = Link().websocket()
    link.lose(S, 50)
    for at in range(6):
        link.send(S, frame(S, b"2"), at_ms=100 + 50 * at)
        link.send(C, at_ms=101 + 50 * at)
    stack = run(link.sent)
    assert stack.summary.gap_bytes == 50
    assert [place.number for place in stack.summary.gaps] == [13]
    assert stack.summary.gaps.first[0].ts_ns == 201_000_000


def test_an_end_is_acknowledged_although_a_goodbye_comes_after_it() -> None:
    """python-socketio says goodbye after its close frame: in the same batch or in a later one."""
    link = Link().websocket()
    link.send(C, frame(C, b"\x03\xe8", 0x88), at_ms=60_000)
    link.send(S, at_ms=60_001)
    link.send(C, frame(C, b"41"), at_ms=60_002)
    (session,) = run(link.sent).sessions.sessions
    closing = session.closing
    assert closing is not None
    assert closing.after_goodbye
    assert closing.acked is not None
    assert (closing.place.number, closing.acked.number) == (8, 9)


@pytest.mark.parametrize(("late", "acked"), [(False, 10), (True, None)])
def test_an_acknowledgement_after_a_session_was_let_go_does_not_count(late: bool, acked: int | None) -> None:
    """It may be in the same batch or in a later one."""
    silent, other = Link().websocket(), Link(client=CLIENT + 1).websocket()
    silent.send(S, frame(S, b"2"))
    silent.send(S, flags="FA")
    silent.send(C)
    for each in other.sent:
        each.at_ms = 100_000
    silent.sent[-1].at_ms = 200_000 if late else 50_000
    sent = [*silent.sent, *other.sent] if not late else [*silent.sent[:-1], *other.sent, silent.sent[-1]]
    for at, each in enumerate(sent):
        each.at_ms = each.at_ms or at
    for size in (1, 3, len(sent)):
        stack = Stack(CaptureSummary("made"), most=1)
        acknowledged: list[int | None] = []
        for at in range(0, len(sent), size):
            stack.feed(packets(sent[at : at + size], at + 1))
            for retired in stack.retired():
                assert isinstance(retired.ledger, Session)
                ping = retired.ledger.heartbeats.pending
                assert ping is not None
                acknowledged.append(ping.ping_acked and ping.ping_acked.number)
        assert acknowledged == [acked]


def test_listener_hears_every_packet_in_order() -> None:
    link = Link().websocket()
    heard: list[DecodedPacket] = []
    stack = Stack(CaptureSummary("made"), heard.append)
    stack.feed(packets(link.sent))
    stack.close()
    assert [packet.engineio.data[:1] for packet in heard] == [b"{", b"0", b"0"]


def test_events_of_all_connections_are_in_capture_order() -> None:
    """A session over two connections: what is said in turn is read in turn."""
    first, second = Link(), Link(CLIENT + 1)
    opening = b"0" + OPEN[1:]
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(opening) + opening
    sent = [*first.sent, *second.sent, first.send(C, POLL), first.send(S, answer)]
    talk = [b"40", b'42["a"]', b"3", b'42["b"]']
    for at, body in enumerate(talk):
        link = (first, second)[at % 2]
        post = b"POST /socket.io/?EIO=4&transport=polling&sid=abc HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body)
        sent.append(link.send(C, post + body))
        sent.append(link.send(S, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    heard: list[DecodedPacket] = []
    for size in (1, 5, len(sent)):
        heard.clear()
        stack = Stack(CaptureSummary("made"), heard.append)
        for at in range(0, len(sent), size):
            stack.feed(packets(sent[at : at + size], at + 1))
        stack.close()
        said = [packet.engineio for packet in heard if packet.engineio.side is C]
        assert [b"%d" % packet.type + packet.data for packet in said] == talk
        assert stack.sessions.sessions[0].connection_count == 2


def test_request_that_goes_on_after_it_was_refused() -> None:
    """At a refusal, nothing is known yet of the end of its request."""
    link = Link()
    opening = b"0" + OPEN[1:]
    link.send(C, POLL)
    link.send(S, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(opening) + opening)
    asked = len(link.sent) + 1
    link.send(C, b"POST /socket.io/?EIO=4&transport=polling&sid=abc HTTP/1.1\r\nContent-Length: 4\r\n\r\n42")
    link.send(S, b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    link.send(C, b"[]")
    (session,) = run(link.sent).sessions.sessions
    assert [refusal.request.number for refusal in session.refusals] == [asked]


def test_frames_without_an_answer_come_when_they_tell_that_they_are_frames() -> None:
    """A second connection, captured meanwhile, comes before them."""
    link, other = Link(), Link(CLIENT + 1)
    sent = [*link.sent[:1], *other.sent]
    sent += [link.send(C, ASK, at_ms=20), link.send(C, frame(C, b"40"), at_ms=30)]
    sent += [other.send(C, POLL, at_ms=40), other.send(S, PAGE, at_ms=50)]
    sent += [link.send(C, frame(C, b"41"), at_ms=9000), link.send(C, frame(C, b"40"), at_ms=9001)]
    stack = Stack(CaptureSummary("made"))
    events = record_events(stack)
    stack.feed(packets(sent))
    run(sent)
    assert [stream for stream, _ in events[:5]] == [0, 1, 1, 0, 0]


def test_requests_behind_a_refused_upgrade_come_with_the_refusal() -> None:
    link, other = Link(), Link(CLIENT + 1)
    sent = [*link.sent, *other.sent, link.send(C, ASK), link.send(C, POLL), other.send(C, POLL), other.send(S, PAGE)]
    sent += [link.send(S, b"HTTP/1.1 200 OK\r\n"), link.send(S, b"Content-Length: 1\r\n\r\n"), link.send(S, b"x")]
    stack = Stack(CaptureSummary("made"))
    events = record_events(stack)
    stack.feed(packets(sent))
    run(sent)
    assert [stream for stream, _ in events] == [0, 1, 1, 0, 0]


def test_second_end_tells_that_a_connection_is_over() -> None:
    """Not the first one, even if both were captured before either is looked at."""
    link = Link()
    link.send(C, ASK)
    link.send(C, flags="FA")
    link.send(S, flags="FA")
    (client,) = run(link.sent).sessions.clients.values()
    ((attempt,),) = (list(tally) for tally in client.attempts.values())
    assert (attempt.outcome, attempt.ended_by) == (Outcome.UNANSWERED, C)


# ---------------------------------------------------------------------- what is followed


def test_packets_of_other_protocols_are_set_aside() -> None:
    tls, ssh, quiet = Link(CLIENT + 1), Link(CLIENT + 2, SERVER + 1), Link(CLIENT + 3)
    tls.send(C, b"\x16\x03\x01hello")
    tls.send(S, b"\x16\x03\x03hello")
    tls.close()
    ssh.send(S, b"SSH-2.0-x")
    quiet.close()
    stack = run([*Link().websocket().sent, *tls.sent, *ssh.sent, *quiet.sent])
    assert stack.summary.other == {"HTTP": 1, "TLS (port 3000)": 1, "other TCP (port 3001)": 1}
    assert (stack.summary.set_aside_packets, stack.summary.set_aside_bytes) == (7 + 3, 16 + 9)
    assert stack.summary.connections == 4


def test_connection_that_ends_before_it_told_what_it_is() -> None:
    link = Link()
    link.send(C, b"GE")
    link.close()
    stack = run(link.sent)
    assert stack.summary.other == {"other TCP (port 3000)": 1}
    assert (stack.summary.set_aside_packets, stack.summary.set_aside_bytes) == (6, 2)


def test_first_bytes_in_pieces() -> None:
    link = Link()
    for piece in (b"G", b"ET ", POLL[4:20], POLL[20:]):
        link.send(C, piece)
    link.send(S, PAGE)
    stack = run(link.sent)
    assert stack.summary.other == {"HTTP": 1}
    assert next(iter(stack.sessions.clients.values())).attempts


@pytest.mark.parametrize("first", [C, S])
def test_websocket_in_midstream(first: Side) -> None:
    """Who is the client, the mask tells; what came before that is kept."""
    link = Link(syn=False)
    link.send(first.other, b"rest of a message")
    link.send(first, frame(first, b"2" if first is S else b"3"))
    link.send(first.other, frame(first.other, b"2" if first is C else b"3"))
    link.send(S, frame(S, b'42["a"]'))
    stack = run(link.sent)
    (session,) = stack.sessions.sessions
    assert session.midstream
    assert str(session.server.endpoint) == "10.0.0.2:3000"
    assert session.socketio_counts[S] == {"EVENT": 1}
    assert stack.summary.midstream.count == 1


def test_first_request_was_not_captured() -> None:
    link = Link()
    link.lose(C, 100)
    link.send(C, POLL)
    link.send(S, PAGE)
    stack = run(link.sent)
    assert stack.summary.other == {"HTTP": 1}


def test_end_of_one_side_before_the_other_tells_what_it_is() -> None:
    link = Link(syn=False)
    link.send(C, flags="FA")
    link.send(S, PAGE)
    link.send(S, flags="FA")
    stack = Stack(CaptureSummary("made"))
    events = record_events(stack)
    stack.feed(packets(link.sent))
    stack.close()
    assert [record[0] for _, record in events].count("StreamEnd") == 2


def test_ports() -> None:
    links = [Link(CLIENT, SERVER).websocket(), Link(CLIENT + 1, SERVER + 1).websocket()]
    refused = Link(CLIENT + 2, SERVER + 1, syn=False)
    refused.send(C, flags="S")
    refused.send(S, flags="RA")
    sent = [*links[0].sent, *links[1].sent, *refused.sent]
    stack = run(sent, lambda: Stack(CaptureSummary("made"), ports=frozenset({3001})))
    assert [session.server.endpoint.port for session in stack.sessions.sessions] == [3001]
    assert stack.summary.set_aside_packets == len(links[0].sent)
    assert len(stack.summary.failed_connects) == 1
    stack = run(sent, lambda: Stack(CaptureSummary("made"), ports=frozenset({3000})))
    assert not stack.summary.failed_connects


def test_one_direction() -> None:
    stack = run([sent for sent in Link().websocket().sent if sent.side is S])
    assert stack.summary.one_direction.count == 1
    (session,) = stack.sessions.sessions
    assert session.midstream


# ---------------------------------------------------------------------- connections that did not come about


def failed(sent: Sequence[Sent], last_ns: int | None = None) -> list[tuple[ConnectFailure, int, int, int]]:
    """Of each group: why, how often, and of the last one the SYN and the last packet."""
    stack = run(sent, lambda: Stack(CaptureSummary("made", last_ns=last_ns)))
    found = []
    for group in stack.summary.failed_connects:
        last = group.tally.last
        assert last is not None
        found.append((group.failure, group.tally.count, last.syn.number, last.last.number))
    return found


def syn(at_ms: float | None = None, client: int = CLIENT, seq: int = 1) -> Sent:
    return Sent(C, "S", seq, at_ms=at_ms, client=client)


def reset(side: Side = S, client: int = CLIENT) -> Sent:
    return Sent(side, "RA", 0, ack=2, client=client)


def test_refused_connects() -> None:
    sent = [syn(), reset(), syn(), reset(), syn(client=CLIENT + 1), syn(seq=9), reset(client=CLIENT + 1), reset()]
    assert failed(sent) == [(ConnectFailure.REFUSED, 4, 6, 8)]


def test_unanswered_connect() -> None:
    assert failed([syn(0), syn(1000), syn(3000)]) == [(ConnectFailure.UNANSWERED, 1, 1, 3)]


def test_connect_that_was_given_up_and_tried_again_from_the_same_port() -> None:
    assert failed([syn(0, seq=1), syn(2000, seq=77), reset()])[0] == (ConnectFailure.UNANSWERED, 1, 1, 1)


def test_connect_at_the_end_of_the_capture_may_still_be_answered() -> None:
    assert failed([syn(0)]) == []
    assert failed([syn(0)], last_ns=900_000_000) == []
    assert failed([syn(0)], last_ns=1_100_000_000) == [(ConnectFailure.UNANSWERED, 1, 1, 1)]


def test_connect_that_the_client_took_back_was_not_refused() -> None:
    assert failed([syn(), reset(C)]) == []


def test_connect_that_was_answered_did_not_fail() -> None:
    link = Link()
    link.send(S, flags="R")
    assert failed(link.sent) == []


def test_recovered() -> None:
    stack = run([syn(), reset(), *Link(CLIENT + 1).websocket().sent])
    (group,) = stack.summary.failed_connects
    assert (group.recovered, group.speaks_engineio) == (True, True)


def test_failures_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eiosniff.decode.tcp.connects.MAX_FAILED_CONNECTS", 2)
    ports = [SERVER + at for at in range(4)]
    sent = [Sent(side, flags, 0, server=port) for port in ports for side, flags in ((C, "S"), (S, "RA"))]
    assert [entry[1] for entry in failed(sent)] == [1, 1]


# ---------------------------------------------------------------------- mistakes of ours


def test_decoder_that_raises_costs_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = HttpConnection.feed

    def broken(self: HttpConnection, chunk: object) -> object:
        if b"secret" in chunk.data:  # type: ignore[attr-defined]
            raise KeyError("no such thing")
        return feed(self, chunk)  # type: ignore[arg-type]

    monkeypatch.setattr(HttpConnection, "feed", broken)
    bad = [Link(CLIENT + at) for at in (1, 2)]
    for link in bad:
        link.send(C, POLL + b"secret")
        link.close()
    good = Link().websocket()
    good.close()
    stack = run([*bad[0].sent, *good.sent, *bad[1].sent])
    (crash,) = stack.crashes
    assert crash.startswith("KeyError in test_stack.py:")
    assert crash.endswith(", TCP stream 0 and 1 more")
    assert [session.sid for session in stack.sessions.sessions] == ["abc"]
    assert stack.summary.connections == 3


def test_session_layer_that_raises_costs_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    handle = Sessions.handle

    def broken(self: Sessions, conversation: Conversation, record: object) -> None:
        if conversation.ledger.client.port == (CLIENT & 0xFFFF) + 1:
            raise ZeroDivisionError
        handle(self, conversation, record)  # type: ignore[arg-type]

    monkeypatch.setattr(Sessions, "handle", broken)
    bad, good = Link(CLIENT + 1).websocket(), Link().websocket()
    stack = run([*bad.sent, *good.sent])
    assert len(stack.crashes) == 1
    assert stack.crashes[0].startswith("ZeroDivisionError in test_stack.py:")
    assert len(stack.sessions.sessions) == 1


# ---------------------------------------------------------------------- ledgers


def test_ledger_of_a_connection() -> None:
    link = Link().websocket()
    link.sent.append(link.sent[-1])  # again
    link.send(S, flags="RA")
    stack = Stack(CaptureSummary("made"))
    conversations: dict[int, Conversation] = {}
    handle = stack.sessions.handle

    def keep(conversation: Conversation, record: object) -> None:
        conversations[conversation.ledger.stream] = conversation
        handle(conversation, record)  # type: ignore[arg-type]

    stack.sessions.handle = keep  # type: ignore[method-assign]
    stack.feed(packets(link.sent))
    stack.close()
    ledger = conversations[0].ledger
    assert (str(ledger.client), str(ledger.server)) == ("10.0.0.1:40000", "10.0.0.2:3000")
    assert ledger.retransmissions == [0, 1]
    assert ledger.ends == [EndKind.RST, EndKind.RST]
    assert (ledger.first, ledger.last) == (PacketRef(1, 1_000_000), PacketRef(9, 9_000_000))
    assert ledger.bytes == [len(ASK + frame(C, b"40")), len(SWITCH + frame(S, OPEN) + frame(S, b'40{"sid":"x"}'))]


def test_what_was_said_before_a_connection_began_is_no_sign_that_its_answers_are_missing() -> None:
    """A SYN that was captured behind a request, and perhaps in a later batch than that: here in the same one."""
    link, other = Link(), Link(client=CLIENT + 1)
    opening = b"0" + OPEN[1:]
    asked = b"GET /socket.io/?EIO=4&transport=polling&sid=abc HTTP/1.1\r\nHost: x\r\n\r\n"
    sent = [link.send(C, asked), *link.sent[:2]]
    for each in (other, link):
        at = len(each.sent)
        each.send(C, asked)
        each.send(S, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(opening) + opening)
        sent += each.sent[0 if each is other else at :]
    assert run(sent).sessions.sessions
