"""QUIC among the datagrams of a capture."""

import struct
from dataclasses import dataclass

import numpy as np
import pytest

from eiosniff.decode.packets import quic
from eiosniff.decode.stack import Stack
from eiosniff.model.batch import LinkType, PacketBatch
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.unread import UnreadKind

CLIENT, SERVER, OTHER = "10.0.0.1", "10.0.0.2", "10.0.0.9"
INITIAL = b"\xc3" + b"\0\0\0\x01" + bytes(30)
VERSION_2 = b"\xd3" + b"\x6b\x33\x43\xcf" + bytes(30)
DRAFT = b"\xc3" + b"\xff\0\0\x1d" + bytes(30)
SHORT = b"\x5a" + bytes(30)
DNS = b"\x12\x34\x01\0\0\x01" + bytes(20)
RTP = b"\x80\x60" + bytes(20)
DTLS = b"\x16\xfe\xfd" + bytes(30)
UNKNOWN = b"\xc3" + b"\xde\xad\xbe\xef" + bytes(30)
NEGOTIATION = b"\x80\0\0\0\0" + bytes(30)


@dataclass
class Datagram:
    source: tuple[str, int]
    destination: tuple[str, int]
    data: bytes
    tag: bool = False  # behind a VLAN tag: decoded in another pass


def ipv4(each: Datagram) -> bytes:
    udp = struct.pack(">HHHH", each.source[1], each.destination[1], 8 + len(each.data), 0) + each.data
    address = [bytes(map(int, end[0].split("."))) for end in (each.source, each.destination)]
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + address[0] + address[1]
    return bytes(12) + (b"\x81\0\0\x05" if each.tag else b"") + b"\x08\0" + ip + udp


def ipv6(each: Datagram) -> bytes:
    udp = struct.pack(">HHHH", each.source[1], each.destination[1], 8 + len(each.data), 0) + each.data
    ends = [bytes(14) + bytes([0, int(end[0].rsplit(".")[-1])]) for end in (each.source, each.destination)]
    return bytes(12) + b"\x86\xdd" + struct.pack(">IHBB", 6 << 28, len(udp), 17, 64) + ends[0] + ends[1] + udp


def run(sent: list[Datagram], size: int = 0, make=ipv4, **options: frozenset[int]) -> Stack:
    stack = Stack(CaptureSummary("x"), **options)  # type: ignore[arg-type]
    size = size or len(sent)
    for at in range(0, len(sent), size):
        captured = [make(each) for each in sent[at : at + size]]
        lengths = np.array([len(each) for each in captured], np.int64)
        number = np.arange(at + 1, at + 1 + len(captured), dtype=np.int64)
        link = np.full(len(captured), LinkType.ETHERNET, np.int64)
        offset = lengths.cumsum() - lengths
        stack.feed(PacketBatch(number, number * 1_000, offset, lengths, lengths, link, b"".join(captured)))
    stack.close()
    return stack


def found(stack: Stack) -> list[tuple[str, int, int, str]]:
    entries = [entry for entry in stack.summary.unread if entry.kind is UnreadKind.QUIC]
    return [(str(entry.server), entry.first.number, entry.count, entry.detail) for entry in entries]


def exchange(port: int, *data: bytes, server: str = SERVER, client: str = CLIENT) -> list[Datagram]:
    """What the client and the server send in turn, the client first."""
    ends = ((client, 50_000), (server, port))
    return [Datagram(ends[at % 2], ends[1 - at % 2], each) for at, each in enumerate(data)]


CASES = {
    "HTTP/3": (exchange(443, INITIAL, INITIAL, SHORT, SHORT), [("10.0.0.2:443", 1, 4, "version 1")]),
    "another port": (exchange(4433, INITIAL, INITIAL, SHORT), [("10.0.0.2:4433", 1, 3, "version 1")]),
    "after the handshake": (exchange(443, SHORT, SHORT), [("10.0.0.2:443", 1, 2, "")]),
    "after the handshake, on another port": (exchange(4433, SHORT, SHORT), []),
    "what came before the handshake": (
        exchange(4433, SHORT, SHORT, INITIAL, SHORT),
        [("10.0.0.2:4433", 3, 2, "version 1")],
    ),
    "versions": (
        exchange(443, UNKNOWN, NEGOTIATION, VERSION_2, DRAFT),
        [("10.0.0.2:443", 3, 2, "a draft, version 2")],
    ),
    "the server is heard first": (exchange(443, SHORT, INITIAL)[1:], [("10.0.0.2:443", 1, 1, "version 1")]),
    "what is no QUIC": ([*exchange(53, DNS, DNS), *exchange(443, DTLS, DTLS), *exchange(5004, RTP)], []),
    "too short": (exchange(443, INITIAL[:4]), []),
    "two servers": (
        [*exchange(443, INITIAL, INITIAL), *exchange(443, INITIAL, server=OTHER)],
        [("10.0.0.2:443", 1, 2, "version 1"), ("10.0.0.9:443", 3, 1, "version 1")],
    ),
    "both ends serve": (
        [
            *exchange(4001, INITIAL, client=OTHER),
            Datagram((SERVER, 4001), (OTHER, 4002), SHORT),
            Datagram((CLIENT, 1), (OTHER, 4002), INITIAL),
            Datagram((SERVER, 4001), (OTHER, 4002), SHORT),
        ],
        [("10.0.0.2:4001", 1, 2, "version 1"), ("10.0.0.9:4002", 3, 2, "version 1")],
    ),
}


@pytest.mark.parametrize("size", [0, 1, 2])
@pytest.mark.parametrize("name", CASES)
def test_servers(name: str, size: int) -> None:
    sent, expected = CASES[name]
    assert found(run(sent, size)) == expected


@pytest.mark.parametrize("size", [0, 1, 2])
def test_layers_are_looked_at_in_capture_order(size: int) -> None:
    """Packets with a VLAN tag are decoded after the others of the batch."""
    sent = exchange(4433, INITIAL, INITIAL, SHORT, SHORT)
    sent[0].tag = sent[2].tag = True
    assert found(run(sent, size)) == [("10.0.0.2:4433", 1, 4, "version 1")]


def test_ipv6() -> None:
    sent = exchange(443, INITIAL, SHORT, SHORT)
    assert found(run(sent, make=ipv6)) == found(run(sent, 1, make=ipv6)) == [("[::2]:443", 1, 3, "version 1")]


def test_only_chosen_ports_count() -> None:
    sent = [*exchange(443, INITIAL), *exchange(8443, INITIAL)]
    assert found(run(sent, ports=frozenset({8443}))) == [("10.0.0.2:8443", 2, 1, "version 1")]


@pytest.mark.interpreted
def test_so_many_servers_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quic, "MAX_SERVERS", 2)
    sent = [each for at in range(5) for each in exchange(443, INITIAL, INITIAL, server=f"10.0.1.{at}")]
    for size in (0, 1):
        assert [server for server, *_ in found(run(sent, size))] == ["10.0.1.0:443", "10.0.1.1:443"]


def test_the_other_datagrams_are_counted_too() -> None:
    stack = run([*exchange(443, INITIAL, INITIAL), *exchange(53, DNS, DNS, DNS)])
    assert stack.summary.other == {"QUIC datagrams": 2, "other UDP packets": 3}
