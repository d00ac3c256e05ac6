"""What tshark wrote (recorded, version 4.0.17), as pyshark's parser takes it, becomes pieces: no tshark is needed."""

import asyncio
import json
from pathlib import Path

import pytest
from packaging.version import Version
from pyshark.tshark.output_parser.tshark_json import TsharkJsonParser, packet_from_json_packet

from eiosniff.capture import tshark
from eiosniff.capture.extract import Origin
from eiosniff.model.outside import OutsideConnection
from eiosniff.model.provenance import Endpoint

OUTPUT = Path(__file__).parent / "tshark_output"
CLIENT, SERVER = Endpoint("192.0.2.1", 50_000), Endpoint("192.0.2.2", 443)
ORIGIN = Origin(77, 5_000, OutsideConnection(CLIENT, SERVER, quic=True), True)


class Stream:
    """What pyshark reads from, a few bytes at a time."""

    def __init__(self, data, size):
        self._pieces = [data[at : at + size] for at in range(0, len(data), size)]

    async def read(self, _):
        return self._pieces.pop(0) if self._pieces else b""


def packets(name, size=1 << 16):
    parser, stream, found, rest = (
        TsharkJsonParser(Version("4.0.17")),
        Stream((OUTPUT / name).read_bytes(), size),
        [],
        b"",
    )

    async def read():
        nonlocal rest
        while True:
            packet, rest = await parser.get_packets_from_stream(stream, rest, got_first_packet=bool(found))
            if packet:
                found.append(packet)

    with pytest.raises(EOFError):
        asyncio.run(read())
    return found


def packet(layers):
    frame = {"frame.number": "1", "frame.len": "1", "frame.time_epoch": "0.000000001", "frame.protocols": "frame"}
    return packet_from_json_packet(json.dumps({"_source": {"layers": {"frame": frame, **layers}}}).encode())


def quic(*frames):
    return packet({"quic": {"quic.frame": list(frames)}})


def pieces(of, failures=None):
    return list(tshark.quic_pieces(of, ORIGIN, {} if failures is None else failures))


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
def test_several_stream_frames_in_a_packet(size):
    handshake, several, one = packets("quic.json", size)
    assert pieces(handshake) == []  # two packets in a datagram, without a stream
    found = [(piece.stream, piece.offset, piece.data, piece.fin) for piece in pieces(several)]
    assert found == [
        (0, 0, b"one", True),
        (4, 0, b"two, in pieces", True),
        (8, 0, b"", True),  # what is empty is "None" in pyshark
        (12, 0, b"three\r\n\0\xff", True),
    ]
    (piece,) = pieces(one)
    assert (piece.number, piece.ts_ns, piece.client, piece.server) == (77, 5_000, CLIENT, SERVER)
    assert (piece.from_client, piece.connection, piece.data) == (True, 0, b"back: one")


def test_records_of_tls():
    hello, request, probe = packets("tls.json")
    assert tshark.tls_data(hello) == []
    (data,) = tshark.tls_data(request)
    assert data.startswith(b"GET /socket.io/?EIO=4&transport=polling")
    assert tshark.tls_data(probe) == [bytes.fromhex("81865c2f8bef6e5ff9803e4a")]


def test_several_records_in_a_packet_and_empty_ones():
    several = packet({"data": [{"data.data": "01:02"}, {"data.data": ""}, {"data.data": ["03", "ff"]}]})
    assert tshark.tls_data(several) == [b"\1\2", b"", b"\3", b"\xff"]


def test_a_duplicate_key_whose_first_value_is_empty_loses_nothing():
    """pyshark drops the first value then; tshark is asked for lists, and what is empty is not missed."""
    text = b'{"_source": {"layers": {"frame": {"frame.number": "1", "frame.len": "1", "frame.time_epoch": "0",'
    text += b'"frame.protocols": "raw"}, "data": "", "data": {"data.data": "61"}}}}'
    assert tshark.tls_data(packet_from_json_packet(text)) == [b"a"]


@pytest.mark.parametrize("value", ["6", "6g", "61 62", "61:6", "None", "<MISSING>"])
def test_octets_in_a_way_that_is_not_known_are_no_octets(value):
    with pytest.raises(ValueError, match="in a way that is not known"):
        tshark.tls_data(packet({"data": {"data.data": value}}))


@pytest.mark.parametrize("flag", ["1", "True", "true"])
def test_flags_and_offsets(flag):
    frame = {
        "quic.frame_type_tree": {"quic.stream.fin": flag},
        "quic.stream.stream_id": "4611686018427387903",
        "quic.stream.offset": "1169",
        "quic.stream_data": "61:62",
    }
    (piece,) = pieces(quic(frame))
    assert (piece.stream, piece.offset, piece.data, piece.fin) == (2**62 - 1, 1169, b"ab", True)


def test_what_was_not_decrypted_is_counted_by_its_reason():
    failures = {}
    expert = {"_ws.expert.message": "Failed to create decryption context: Secrets are not available"}
    other = {"_ws.expert.message": "(Random) padding data appended to the datagram"}
    layers = {"quic": [{"quic.decryption_failed": "", "_ws.expert": expert}, {"_ws.expert": other}]}
    assert pieces(packet(layers), failures) == []
    assert failures == {expert["_ws.expert.message"]: 1}
