"""WebTransport sessions and polling over HTTP/3, from pieces of QUIC streams to the ledgers."""

import json
from itertools import pairwise

import pytest

from eiosniff.model.attempt import Outcome
from eiosniff.model.engineio import POLLING, WEBTRANSPORT
from eiosniff.model.outside import QuicPiece, quic_connection
from eiosniff.model.provenance import CLIENT, SERVER, Side
from eiosniff.model.session import CloseHow, Session
from eiosniff.model.trouble import AnomalyKind
from tests.unit.decode.http3_talk import AGENT, HOST, OPEN, SESSION, STREAM, Http3Talk, packet, stack_of


def healthy() -> Http3Talk:
    talk = Http3Talk()
    talk.settings()
    talk.webtransport()
    said: list[tuple[Side, str | bytes]] = [
        (CLIENT, "0"), (SERVER, OPEN), (CLIENT, "40"), (SERVER, '40{"sid":"X"}'), (CLIENT, '420["a",1]'),
        (SERVER, "430[]"), (SERVER, "2"), (CLIENT, "3"),
        (CLIENT, '451-["b",{"_placeholder":true,"num":0}]'), (CLIENT, b"\4\5\6"),
    ]  # fmt: skip
    for side, text in said:
        talk.say(side, STREAM, packet(text))
    talk.close(CLIENT, 7, b"bye")
    return talk


def the_session(pieces: list[QuicPiece]) -> Session:
    (session,) = stack_of(pieces)[0].sessions.sessions
    return session


def summary(session: Session) -> tuple[object, ...]:
    closing = session.closing
    return (
        session.sid, session.transports, session.engineio_counts, session.socketio_counts, session.anomalies,
        session.heartbeats.pings, session.heartbeats.pongs, session.opened, session.last,
        closing and (closing.side, closing.how, closing.place, closing.code, closing.reason),
    )  # fmt: skip


def test_a_session_over_webtransport() -> None:
    session = the_session(healthy().pieces)
    assert (session.sid, session.transports, session.engineio) == ("S", [WEBTRANSPORT], 4)
    assert session.engineio_counts[CLIENT] == {"open": 1, "message": 4, "pong": 1}
    assert session.engineio_counts[SERVER] == {"open": 1, "message": 2, "ping": 1}
    assert session.socketio_counts[CLIENT] == {"CONNECT": 1, "EVENT": 1, "BINARY_EVENT": 1}
    assert session.heartbeats.pongs == 1
    assert not session.anomalies
    assert not session.midstream
    assert session.closing is not None
    assert (session.closing.how, session.closing.side) == (CloseHow.WT_CLOSE, CLIENT)
    assert (session.closing.code, session.closing.reason) == (7, "bye")
    assert session.attempt is not None
    assert session.attempt.request.transport is WEBTRANSPORT
    assert [quic_connection(use.stream) for use in session.connections] == [0]


def test_every_packet_is_told_with_its_place() -> None:
    talk = healthy()
    _, heard = stack_of(talk.pieces)
    assert [one.engineio.place.number for one in heard][:3] == [8, 9, 10]
    assert {one.engineio.transport for one in heard} == {WEBTRANSPORT}
    assert heard[-1].socketio is not None
    assert [bytes(attachment) for attachment in heard[-1].socketio.attachments] == [b"\4\5\6"]


def recut(pieces: list[QuicPiece], size: int) -> list[QuicPiece]:
    """The same with streams cut into pieces of a few bytes."""
    cut = []
    for one in pieces:
        ends = [*range(0, len(one.data), size), len(one.data)] if one.data else [0, 0]
        for start, end in pairwise(ends):
            fin = one.fin and end == len(one.data)
            cut.append(
                QuicPiece(
                    one.number,
                    one.ts_ns,
                    0,
                    AGENT,
                    HOST,
                    one.from_client,
                    one.stream,
                    one.offset + start,
                    one.data[start:end],
                    fin,
                )
            )
    return cut


@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_how_the_bytes_are_cut_makes_no_difference(size: int) -> None:
    talk = healthy()
    assert summary(the_session(recut(talk.pieces, size))) == summary(the_session(talk.pieces))


def test_pieces_that_come_again_or_late_make_no_difference() -> None:
    pieces = healthy().pieces
    again = [piece for each in pieces for piece in (each, each)]
    assert summary(the_session(again)) == summary(the_session(pieces))
    swapped = list(pieces)
    swapped[11], swapped[13] = swapped[13], swapped[11]  # of the client
    session = the_session(swapped)
    assert session.engineio_counts[CLIENT] == {"open": 1, "message": 4, "pong": 1}


def test_a_session_without_its_end_is_open() -> None:
    session = the_session(healthy().pieces[:-1])
    assert session.closing is None
    assert not session.anomalies


def test_an_upgrade_from_polling_over_http3() -> None:
    talk = Http3Talk()
    talk.settings()
    opening = json.dumps({"sid": "S", "upgrades": ["webtransport"], "pingInterval": 25000, "pingTimeout": 20000})
    talk.polled(0, "", "0" + opening)
    talk.polled(4, "&sid=S", '40{"sid":"X"}')
    talk.section(CLIENT, 8, ((b":method", b"CONNECT"), (b":protocol", b"webtransport"), (b":path", b"/socket.io/")))
    talk.section(SERVER, 8, [(b":status", b"200")])
    for side, text in ((CLIENT, '0{"sid":"S"}'), (CLIENT, "2probe"), (SERVER, "3probe"), (CLIENT, "5"), (SERVER, "2")):
        start = b"\x40\x41\x08" if text.startswith("0") else b""
        talk.say(side, 12, start + packet(text))
    session = the_session(talk.pieces)
    assert session.transports == [POLLING, WEBTRANSPORT]
    assert session.upgraded is not None
    assert session.polls == 2
    (tried,) = session.webtransports
    assert tried.probe is not None
    assert tried.probe_answered is not None
    assert tried.confirmed == session.upgraded
    assert not session.upgrades
    assert session.heartbeats.pings == 1


def test_polling_with_a_table_of_qpack_that_comes_late() -> None:
    talk = Http3Talk()
    talk.settings()
    talk.polled(0, "", OPEN)
    for number in range(1, 12):
        talk.polled(4 * number, "&sid=S&t=same", "6", late=True)
    session = the_session(talk.pieces)
    assert session.polls == 12
    assert session.engineio_counts[SERVER] == {"open": 1, "noop": 11}


def test_without_the_encoder_stream_what_refers_to_it_is_not_guessed() -> None:
    talk = Http3Talk()
    talk.settings()
    talk.polled(0, "", OPEN)
    for number in range(1, 12):
        talk.polled(4 * number, "&sid=S&t=same", "6")
    kept = [piece for piece in talk.pieces if piece.stream != 6 or piece.offset < 3]
    stack, _ = stack_of(kept)
    assert sum(session.polls for session in stack.sessions.sessions) < 12


def test_a_refused_handshake() -> None:
    talk = Http3Talk()
    talk.settings()
    talk.webtransport(status=b"404")
    stack, _ = stack_of(talk.pieces)
    (client,) = stack.sessions.clients.values()
    (group,) = client.attempts.values()
    assert (group.first[0].outcome, group.first[0].status) == (Outcome.REFUSED, 404)
    assert group.first[0].request.transport is WEBTRANSPORT


def test_another_application_of_webtransport_is_no_session() -> None:
    talk = Http3Talk()
    talk.settings()
    talk.section(CLIENT, SESSION, ((b":method", b"CONNECT"), (b":protocol", b"webtransport"), (b":path", b"/game")))
    talk.section(SERVER, SESSION, [(b":status", b"404")], fin=True)
    stack, _ = stack_of(talk.pieces)
    assert not stack.sessions.sessions
    assert not stack.sessions.clients


def test_the_framing_before_engineio_6_5_2_is_an_anomaly_of_the_attempt() -> None:
    talk = Http3Talk()
    talk.settings()
    talk.webtransport()
    talk.say(CLIENT, STREAM, b"0")
    talk.close(SERVER)
    stack, _ = stack_of(talk.pieces)
    (client,) = stack.sessions.clients.values()
    (group,) = client.attempts.values()
    assert [anomaly.kind for anomaly in group.first[0].anomalies] == [AnomalyKind.WT_OLD_FRAMING]


def test_a_client_ping_over_webtransport_is_reversed() -> None:
    talk = Http3Talk()
    talk.settings()
    talk.webtransport()
    for side, text in ((CLIENT, "0"), (SERVER, OPEN), (CLIENT, "2")):
        talk.say(side, STREAM, packet(text))
    talk.close(SERVER)
    session = the_session(talk.pieces)
    assert session.heartbeats.reversed.count == 1
    assert session.closing is not None
    assert session.closing.side is SERVER


def test_the_quality_of_the_connection_counts() -> None:
    talk = healthy()
    stack, _ = stack_of([piece for piece in talk.pieces if not (piece.stream == STREAM and piece.number == 10)])
    assert stack.summary.engineio_connections == 1
    assert stack.summary.gap_bytes == len(packet("40"))
    assert stack.summary.gaps.count == 1
    assert stack.summary.connections == 1
