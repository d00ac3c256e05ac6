"""What TLS connections show from outside."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiosniff.capture.source import open_source
from eiosniff.decode.stack import Stack
from eiosniff.decode.tcp import opaque_ledger
from eiosniff.decode.tcp.opaque import read_records
from eiosniff.model.opaque import MAX_OPENING, MAX_RHYTHMS, OpaqueConnection
from eiosniff.model.provenance import Side
from eiosniff.model.summary import CaptureSummary
from tests.hellos import ALERT, ANSWER_13, APPLICATION_DATA, HELLO, UNKNOWN_CA, record
from tests.records import flat, names
from tests.streams import CLIENT, RECORDED, Sent, packets

C, S = Side.CLIENT, Side.SERVER
OPAQUE = sorted((RECORDED / "opaque").glob("*.pcap"))
FINISHED, REQUEST = record(bytes(53), APPLICATION_DATA), record(bytes(200), APPLICATION_DATA)
PING, PONG = record(bytes(20), APPLICATION_DATA), record(bytes(24), APPLICATION_DATA)


class Talk:
    """A TLS connection that is said step by step, in ms."""

    def __init__(self, client: int = CLIENT, at: float = 0) -> None:
        self.client, self.at = client, at
        self.next = {C: 1000, S: 5000}
        self.sent = [
            Sent(C, "S", 999, at_ms=at, client=client),
            Sent(S, "SA", 4999, ack=1000, at_ms=at + 1, client=client),
        ]
        self.say(C, record(HELLO), 2).say(S, record(ANSWER_13) + PONG, 2).say(C, FINISHED + REQUEST, 2)

    def say(self, side: Side, data: bytes, after: float, flags: str = "PA", back: int = 0) -> "Talk":
        self.at += after
        seq = self.next[side] - back
        self.sent.append(Sent(side, flags, seq, data, self.next[side.other], self.at, client=self.client))
        self.next[side] = max(self.next[side], seq + len(data))
        return self


def observed(sent: list[Sent], size: int = 0) -> list[OpaqueConnection]:
    stack = Stack(CaptureSummary("x"))
    for at in range(0, len(sent), size or len(sent)):
        stack.feed(packets(sent[at : at + (size or len(sent))], at + 1))
    stack.close()
    return stack.summary.opaque


def plain(connections: list[OpaqueConnection]) -> object:
    """All that is known of connections, but for what their hellos say, which other tests look at."""
    known = [name for name in names(OpaqueConnection) if name != "entry"]
    return [(each.entry.name, *(flat(getattr(each, name)) for name in known)) for each in connections]


def alike(sent: list[Sent]) -> list[OpaqueConnection]:
    """What does not depend on batches."""
    whole = observed(sent)
    for size in (1, 2, 3, 7):
        assert plain(observed(sent, size)) == plain(whole)
    return whole


def one(talk: Talk) -> OpaqueConnection:
    (connection,) = alike(talk.sent)
    return connection


@pytest.mark.parametrize("capture", OPAQUE, ids=lambda path: path.stem)
def test_batches_make_no_difference(capture: Path) -> None:
    found = []
    for size in (1, 7, 100, 50_000):
        stack = Stack(CaptureSummary("x"))
        with open_source(str(capture), batch_size=size) as source:
            for batch in source.batches():
                stack.feed(batch)
        stack.close()
        found.append(plain(stack.summary.opaque))
    assert found[0] == found[1] == found[2] == found[3]
    assert found[0]


def test_a_heartbeat() -> None:
    talk = Talk()
    for _ in range(4):
        talk.say(S, PING, 3000).say(C, PONG, 5)
    connection = one(talk)
    (rhythm,) = connection.rhythms
    assert (rhythm.side, rhythm.length, rhythm.tally.count, rhythm.small) == (S, 20, 4, 4)
    assert (rhythm.answered, rhythm.answers, rhythm.delays.median) == (4, {24: 4}, 5_000_000)
    assert rhythm.tally.period_ns == 3_005_000_000
    assert connection.packets == [6, 5]
    asked = len(record(HELLO) + FINISHED + REQUEST)
    assert connection.octets == [asked + 4 * len(PONG), len(record(ANSWER_13)) + len(PONG) + 4 * len(PING)]
    assert (connection.ended, connection.longest_ns) == (None, 3_000_000_000)


def test_what_is_sent_again_is_not_said_again() -> None:
    talk = Talk().say(S, PING, 3000).say(S, PING, 1500, back=len(PING)).say(S, PING, 1500, back=len(PING))
    connection = one(talk)
    assert connection.exchange is not None
    assert (connection.exchange.begun.number, connection.exchange.answer) == (6, None)
    assert connection.exchange.packets_server == 1


def test_a_probe_of_tcp_keep_alive_says_nothing() -> None:
    connection = one(Talk().say(C, b"\0", 5000, flags="A", back=1).say(S, b"", 1, flags="A"))
    assert connection.exchanges == 1


def test_who_ends_it_after_how_long() -> None:
    talk = Talk().say(S, PING, 3000).say(C, PONG, 1).say(S, b"", 4000, flags="FA").say(C, b"", 1, flags="FA")
    connection = one(talk)
    assert (connection.ended_by, connection.reset, connection.idle_ns) == (S, False, 4_000_000_000)
    assert connection.ended is not None
    assert connection.ended.number == 8


def test_a_reset() -> None:
    connection = one(Talk().say(C, PONG, 1).say(S, b"", 1, flags="RA"))
    assert (connection.ended_by, connection.reset) == (S, True)


def test_another_connection_of_the_same_port() -> None:
    talk = Talk().say(C, PONG, 10)
    again = Talk(at=20_000)
    for each in again.sent:
        each.seq += 70_000
        each.ack += 70_000 if each.ack else 0
    before, other = alike([*talk.sent, *again.sent])
    assert (before.exchanges, other.exchanges, len(before.opening), len(other.opening)) == (1, 1, 4, 3)


def test_records_of_a_packet() -> None:
    connection = one(Talk().say(C, PONG + PING, 1).say(S, record(b"\1\0", ALERT), 1).say(S, b"\x17\x03\x03\0\x40", 1))
    assert [piece.records for piece in connection.opening[3:]] == [((23, 24), (23, 20)), ((21, 2),), ()]


def test_one_that_fails_is_not_followed() -> None:
    sent = Talk().sent[:4]
    sent.append(Sent(C, "PA", 1000 + len(sent[2].data), UNKNOWN_CA, at_ms=50))
    assert alike(sent) == []


@pytest.mark.interpreted
def test_ledgers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opaque_ledger, "MAX_OPAQUE", 5)
    monkeypatch.setattr(opaque_ledger, "MAX_OPAQUE_OF_A_PAIR", 3)
    talks = [Talk(CLIENT + at, at * 20) for at in range(6)] + [Talk(CLIENT + (1 << 16) + at, 200) for at in range(4)]
    sent = sorted((each for talk in talks for each in talk.say(C, PONG, 1).sent), key=lambda each: each.at_ms or 0)
    connections = alike(sent)
    assert [connection.client.address for connection in connections] == ["10.0.0.1"] * 3 + ["10.0.0.2"] * 2


def test_a_ledger_is_bounded() -> None:
    talk = Talk()
    for length in range(30):
        talk.say(S, record(bytes(20 + length), APPLICATION_DATA), 2000)
    connection = one(talk)
    assert (len(connection.opening), len(connection.rhythms)) == (MAX_OPENING, MAX_RHYTHMS)
    assert connection.exchanges == 31


@given(st.binary(max_size=80), st.integers(0, 100))
def test_records_of_anything(data: bytes, length: int) -> None:
    for kind, inside in read_records(data, length):
        assert 20 <= kind <= 23
        assert inside <= length
