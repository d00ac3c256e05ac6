"""Engine.IO's framing in a WebTransport stream: packets from bytes, however they come."""

import pytest

from eiosniff.decode.http3.webtransport_frames import PACKET_LIMIT, WtReader, WtRecord
from eiosniff.model.provenance import CLIENT, SERVER, PacketRef, Side
from eiosniff.model.tcp import StreamChunk
from eiosniff.model.trouble import Anomaly, AnomalyKind, Desync, Gap, GapReason
from eiosniff.model.webtransport import WtMessage
from tests.unit.decode.http3_talk import OPEN, packet

LAST = PacketRef(99, 99)


def read(data: bytes, size: int, side: Side = CLIENT) -> list[WtRecord]:
    reader, records = WtReader(side), list[WtRecord]()
    for at in range(0, len(data), size):
        number = 1 + at // size
        records += reader.feed(StreamChunk(side, at, data[at : at + size], [0], [number], [number]))
    return [*records, *reader.end(LAST)]


def messages(records: list[WtRecord]) -> list[tuple[bool, bytes]]:
    return [(record.binary, record.payload) for record in records if isinstance(record, WtMessage)]


@pytest.mark.parametrize("size", [1, 2, 7, 1 << 20])
def test_lengths_of_7_16_and_64_bits_are_read_however_they_are_cut(size: int) -> None:
    said: list[str | bytes] = ["0", "4" + "x" * 124, "4" + "y" * 125, b"\0" * 200, "4" + "z" * 66_000, b"\1"]
    data = b"".join(packet(each) for each in said)
    records = read(data, size)
    expected = [(isinstance(one, bytes), one if isinstance(one, bytes) else one.encode()) for one in said]
    assert messages(records) == expected
    assert [(record.start, record.end) for record in records if isinstance(record, WtMessage)][-1][1] == len(data)
    assert len(records) == len(said)


def test_a_packet_knows_the_captured_packets_that_brought_it() -> None:
    message = read(packet("0") + packet("42[1]"), 3)[1]
    assert isinstance(message, WtMessage)
    assert (message.packets, message.first.number, message.last.number, message.order) == ((1, 2, 3), 1, 3, 3)


def test_a_length_of_zero_is_an_anomaly_and_reading_goes_on() -> None:
    records = read(packet("0") + b"\0" + packet("2"), 1)
    assert [record.kind for record in records if isinstance(record, Anomaly)] == [AnomalyKind.WT_BAD_LENGTH]
    assert messages(records) == [(False, b"0"), (False, b""), (False, b"2")]


@pytest.mark.parametrize("side", [CLIENT, SERVER])
@pytest.mark.parametrize("data", [b"0", b'0{"sid":"S"}', b'0{"sid":"S"}2probe5', b"040"])
@pytest.mark.parametrize("size", [1, 100])
def test_packets_without_a_length_are_recognised(data: bytes, size: int, side: Side) -> None:
    if side is SERVER and data == b"040":
        data = b"3probe"
    anomaly, rest = read(data, size, side)
    assert isinstance(anomaly, Anomaly)
    assert anomaly.kind is AnomalyKind.WT_OLD_FRAMING
    assert isinstance(rest, Desync)
    assert (rest.start, rest.end) == (0, len(data))


def test_an_open_packet_of_48_bytes_is_not_taken_for_one_without_a_length() -> None:
    text = '0{"sid":"' + "x" * 37 + '"}'
    assert len(text) == ord("0")
    for side in (CLIENT, SERVER):
        assert messages(read(packet(text), 1, side)) == [(False, text.encode())]


def test_a_packet_that_is_cut_off_says_how_long_it_would_have_been() -> None:
    anomaly, rest = read(packet("4" + "x" * 500)[:100], 7)[-2:]
    assert isinstance(anomaly, Anomaly)
    assert anomaly.kind is AnomalyKind.WT_OLD_FRAMING or anomaly.kind is AnomalyKind.WT_INCOMPLETE
    assert isinstance(rest, Desync)
    assert (rest.start, rest.end, rest.announced) == (0, 100, 501)
    assert rest.place.number == 1  # where it begins, and not where the stream ends


def test_a_packet_over_the_limit_is_passed_over() -> None:
    length = PACKET_LIMIT + 1
    reader = WtReader(CLIENT)
    records = list(reader.feed(StreamChunk(CLIENT, 0, packet("0") + b"\x7f" + length.to_bytes(8), [0], [1], [1])))
    at, step = 11, 1 << 20
    while at < 11 + length:
        data = bytes(min(step, 11 + length - at))
        records += reader.feed(StreamChunk(CLIENT, at, data, [0], [2], [2]))
        at += len(data)
    records += reader.feed(StreamChunk(CLIENT, at, packet("2"), [0], [3], [3]))
    assert [record.kind for record in records if isinstance(record, Anomaly)] == [AnomalyKind.WT_TOO_LARGE]
    found = [(one.readable, one.payload) for one in records if isinstance(one, WtMessage)]
    assert found == [(True, b"0"), (False, b""), (True, b"2")]


def test_a_length_beyond_all_libraries_ends_understanding() -> None:
    records = read(packet("0") + b"\x7f" + (1 << 60).to_bytes(8) + packet("2"), 100)
    assert isinstance(records[-1], Desync)
    assert records[-1].reason == "a length that no library takes"


def test_a_hole_inside_a_packet_keeps_its_length() -> None:
    reader, data = WtReader(SERVER), packet(OPEN) + packet("2")
    records = list(reader.feed(StreamChunk(SERVER, 0, data[:10], [0], [1], [1])))
    records += reader.gap(Gap(SERVER, 10, 20, GapReason.NOT_CAPTURED, PacketRef(2, 2)))
    records += reader.feed(StreamChunk(SERVER, 30, data[30:], [0], [2], [2]))
    found = [(one.missing, one.payload[:1]) for one in records if isinstance(one, WtMessage)]
    assert found == [(20, b"0"), (0, b"2")]


def test_a_hole_in_the_framing_ends_understanding() -> None:
    reader = WtReader(SERVER)
    records = list(reader.feed(StreamChunk(SERVER, 0, packet(OPEN), [0], [1], [1])))
    end = len(packet(OPEN))
    records += reader.gap(Gap(SERVER, end, 5, GapReason.NOT_CAPTURED, PacketRef(2, 2)))
    records += reader.feed(StreamChunk(SERVER, end + 5, packet("2"), [0], [2], [2]))
    records += reader.end(LAST)
    assert isinstance(records[-1], Desync)
    assert (records[-1].start, records[-1].end) == (end, end + 7)
