"""An extract is a capture of its own: our decoders find in it what was put in, and know where it came from."""

import stat

import pytest

from eiosniff.capture import extract
from eiosniff.capture.extract import Extract, Origin
from eiosniff.capture.leftover import Leftover
from eiosniff.capture.source import open_source
from eiosniff.decode.packets.decoder import PacketDecoder
from eiosniff.errors import EiosniffError
from eiosniff.model.outside import OutsideConnection, OutsidePacket
from eiosniff.model.provenance import Endpoint

V6 = OutsideConnection(Endpoint("2001:db8::1", 50_000), Endpoint("2001:db8::2", 3_000), quic=False)
OTHER = OutsideConnection(Endpoint("192.0.2.1", 50_000), Endpoint("192.0.2.2", 3_000), quic=False)
QUIC = OutsideConnection(Endpoint("192.0.2.1", 50_000), Endpoint("192.0.2.2", 3_000), quic=True)


def segments(path):
    decoder, found = PacketDecoder(), []
    with open_source(str(path)) as source:
        for batch in source:
            columns = decoder.decode(batch)
            found += [
                (int(columns.number[at]), int(columns.ts_ns[at]), int(columns.seq[at]), columns.payload(at),
                 int(columns.source[at]), int(columns.destination[at]) & 0xFFFF)
                for at in range(len(columns))
            ]  # fmt: skip
    return found


def written(path, *packets):
    made = Extract(path)
    for packet in packets:
        made.write([packet])
    made.close()
    return made


def test_bytes_of_tcp_come_back_with_where_they_came_from(tmp_path):
    path = tmp_path / "x.pcapng"
    made = written(
        path,
        OutsidePacket(70, 1_000, V6, True, 0, b"hello"),
        OutsidePacket(71, 2_000, V6, False, 0, b"answer"),
        OutsidePacket(90, 3_000, V6, True, 5, b"more"),
        OutsidePacket(91, 4_000, OTHER, True, 0, b"other"),
    )
    found = segments(path)
    assert [row[:4] for row in found] == [
        (1, 1_000, 1, b"hello"), (2, 2_000, 1, b"answer"), (3, 3_000, 6, b"more"), (4, 4_000, 1, b"other"),
    ]  # fmt: skip
    assert [row[5] == 443 for row in found] == [True, False, True, True]
    assert len({(row[4], row[5]) for row in found}) == 3  # one client for each connection, and a server
    assert [made.origin(frame) for frame in (1, 2, 4)] == [
        Origin(70, 1_000, V6, True), Origin(71, 2_000, V6, False), Origin(91, 4_000, OTHER, True),
    ]  # fmt: skip
    assert (made.origin(0), made.origin(5), len(made)) == (None, None, 4)
    assert made.connections == [V6, OTHER]


def test_only_its_owner_may_read_it(tmp_path):
    written(tmp_path / "x.pcapng", OutsidePacket(1, 1, V6, True, 0, b"x"))
    assert stat.S_IMODE((tmp_path / "x.pcapng").stat().st_mode) == 0o600


def test_more_than_a_packet_of_ip_holds_is_several(tmp_path):
    data = bytes(range(256)) * 600
    made = written(tmp_path / "x.pcapng", OutsidePacket(7, 1, V6, True, 2**32 - 10, data))
    found = segments(tmp_path / "x.pcapng")
    assert b"".join(row[3] for row in found) == data
    assert found[0][2] == 2**32 - 9
    assert found[1][2] == len(found[0][3]) - 9  # sequence numbers begin anew
    assert {made.origin(row[0]).number for row in found} == {7}


def test_datagrams_stay_whole(tmp_path):
    packets = [OutsidePacket(7, 1, QUIC, True, 0, b"\xc0" + b"\0\0\0\1" * 9), OutsidePacket(8, 2, QUIC, False, 0, b"")]
    made = written(tmp_path / "x.pcapng", *packets, OutsidePacket(9, 3, QUIC, True, 0, bytes(70_000)))
    with open_source(str(tmp_path / "x.pcapng")) as source:
        (batch,) = source.batches()
        data = [batch.buffer[o : o + n] for o, n in zip(batch.offset.tolist(), batch.captured.tolist(), strict=True)]
    assert [each[28:] for each in data] == [packets[0].data, b""]  # what no datagram can hold was none
    assert len(made) == 2


def test_limits_are_kept_and_said(tmp_path, monkeypatch):
    monkeypatch.setattr(extract, "MAX_PACKETS", 2)
    with Leftover() as leftover:
        leftover.write([OutsidePacket(number, number, V6, True, number, b"x") for number in range(1, 5)])
        assert len(leftover._extract) == 2
        assert "only the first" in leftover.problems([V6])[0]
    monkeypatch.setattr(extract, "MAX_BYTES", 10)
    made = written(tmp_path / "x.pcapng", *(OutsidePacket(number, 1, V6, True, 0, b"x") for number in (1, 2)))
    assert (len(made), made.full) == (1, True)


def test_a_full_disk_is_said_once_and_the_rest_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Leftover() as leftover:
        leftover.write([OutsidePacket(1, 1, V6, True, 0, b"x")])
        leftover._extract._writer.problem = "writing stopped, No space left on device"
        leftover.write([OutsidePacket(2, 2, V6, True, 1, b"x")])
        leftover.write([OutsidePacket(3, 3, V6, True, 2, b"x")])
        (line,) = leftover.problems([])
    assert "No space left on device" in line
    assert "TMPDIR" in line
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_may_be_written(tmp_path):
    with pytest.raises(EiosniffError):
        Extract(tmp_path / "missing" / "x.pcapng")
