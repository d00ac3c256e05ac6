"""Binary attachments and the packets that they belong to."""

import pytest

from eiosniff.decode.engineio.packets import decode_message
from eiosniff.decode.engineio.payload import decode_payload
from eiosniff.decode.socketio import attachments
from eiosniff.decode.socketio.attachments import AttachmentJoiner, Joined
from eiosniff.decode.socketio.packets import decode_packet
from eiosniff.model.engineio import EioPacket, EioType, Transport
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.socketio import SioPacket, SioType
from eiosniff.model.trouble import AnomalyKind


def binary(data: bytes, number: int = 1) -> EioPacket:
    place = PacketRef(number, number)
    return EioPacket(EioType.MESSAGE, data, True, Side.CLIENT, Transport.WEBSOCKET, place, (number,))


def packet(data: str | bytes, number: int = 1) -> SioPacket:
    decoded = decode_packet(text(data, number))
    assert isinstance(decoded, SioPacket), decoded
    return decoded


def text(data: str | bytes, number: int = 1, side: Side = Side.CLIENT) -> EioPacket:
    raw = data.encode() if isinstance(data, str) else data
    return EioPacket(EioType.MESSAGE, raw, False, side, Transport.WEBSOCKET, PacketRef(number, number), (number,))


class TestJoiner:
    def test_a_packet_without_attachments_passes(self) -> None:
        joiner = AttachmentJoiner(Side.CLIENT)
        event, empty = packet('2["a"]'), packet('50-["a"]')
        assert joiner.feed(event) == Joined((event,))
        assert joiner.feed(empty) == Joined((empty,))
        assert not joiner.waiting

    @pytest.mark.parametrize("kind", [SioType.BINARY_EVENT, SioType.BINARY_ACK])
    def test_several_attachments(self, kind: SioType) -> None:
        joiner = AttachmentJoiner(Side.CLIENT)
        assert joiner.feed(packet(f'{kind}2-/chat,7["a"]', 1)) is None
        assert joiner.waiting
        assert joiner.feed(binary(b"x", 2)) is None
        joined = joiner.feed(binary(b"y", 4))
        assert joined is not None
        assert not joiner.waiting
        assert joined.anomalies == ()
        (complete,) = joined.packets
        assert (complete.type, complete.namespace, complete.id) == (kind, "/chat", 7)
        assert (complete.attachments_expected, complete.attachments) == (2, (b"x", b"y"))
        assert (complete.place, complete.packets) == (PacketRef(4, 4), (1, 2, 4))
        orphan = joiner.feed(binary(b"z", 5))
        assert orphan is not None
        assert [anomaly.kind for anomaly in orphan.anomalies] == [AnomalyKind.SIO_BINARY_ORPHAN]

    @pytest.mark.parametrize(
        ("header", "attachment", "is_binary", "revision"),
        [
            (b'451-["a"]', b"\x04\x01\xff", True, 3),
            (b'451-["a"]', b"\x01\xff", True, 4),
            (b'451-["a"]', b"b4Af8=", False, 3),
            (b'451-["a"]', b"bAf8=", False, 4),
        ],
    )
    def test_over_websocket(self, header: bytes, attachment: bytes, is_binary: bool, revision: int) -> None:
        joiner = AttachmentJoiner(Side.CLIENT)
        place = PacketRef(1, 1)
        first = decode_packet(decode_message(header, False, revision, Side.CLIENT, Transport.WEBSOCKET, place, (1,)))
        assert isinstance(first, SioPacket)
        joiner.feed(first)
        joined = joiner.feed(
            decode_message(attachment, is_binary, revision, Side.CLIENT, Transport.WEBSOCKET, place, (1,))
        )
        assert joined is not None
        assert joined.packets[0].attachments == (b"\x01\xff",)

    @pytest.mark.parametrize(
        "body",
        [
            b'9:451-["a"]6:b4Af8=',
            b'451-["a"]\x1ebAf8=',
            b'\x00\x09\xff451-["a"]\x01\x03\xff\x04\x01\xff',
        ],
    )
    def test_over_polling(self, body: bytes) -> None:
        joiner = AttachmentJoiner(Side.CLIENT)
        decoded = decode_payload(body, None, None, Side.CLIENT, PacketRef(2, 2), (1, 2))
        header, attachment = decoded.packets
        first = decode_packet(header)
        assert isinstance(first, SioPacket)
        joiner.feed(first)
        joined = joiner.feed(attachment)
        assert joined is not None
        assert (joined.packets[0].attachments, joined.packets[0].packets) == ((b"\x01\xff",), (1, 2))

    def test_text_while_attachments_are_missing(self) -> None:
        joiner = AttachmentJoiner(Side.SERVER)
        joiner.feed(packet('53-["a"]', 1))
        joiner.feed(binary(b"x", 2))
        event = packet('2["b"]', 3)
        joined = joiner.feed(event)
        assert joined is not None
        assert joined.packets == (event,)
        (anomaly,) = joined.anomalies
        assert (anomaly.kind, anomaly.side, anomaly.place) == (
            AnomalyKind.SIO_BINARY_INCOMPLETE, Side.SERVER, PacketRef(1, 1),
        )  # fmt: skip
        assert (anomaly.expected, anomaly.found) == ("3 binary messages after the header", "1")

    def test_another_header_while_attachments_are_missing(self) -> None:
        joiner = AttachmentJoiner(Side.CLIENT)
        joiner.feed(packet('51-["a"]', 1))
        joined = joiner.feed(packet('51-["b"]', 2))
        assert joined is not None
        assert (joined.packets, len(joined.anomalies)) == ((), 1)
        joined = joiner.feed(binary(b"x", 3))
        assert joined is not None
        assert joined.packets[0].event == "b"

    def test_giving_up(self) -> None:
        joiner = AttachmentJoiner(Side.CLIENT)
        assert joiner.give_up(PacketRef(1, 1)) == Joined()
        joiner.feed(packet('51-["a"]'))
        (anomaly,) = joiner.give_up(PacketRef(2, 2)).anomalies
        assert anomaly.kind is AnomalyKind.SIO_BINARY_INCOMPLETE
        assert not joiner.waiting
        assert joiner.give_up(PacketRef(3, 3)) == Joined()

    def test_what_the_capture_lacks_blames_nobody(self) -> None:
        joiner = AttachmentJoiner(Side.CLIENT)
        joiner.feed(packet('52-["a"]', 1))
        joiner.feed(binary(b"x", 2))
        joiner.lose()
        event = packet('2["b"]', 4)
        joined = joiner.feed(event)
        assert joined is not None
        assert joined.anomalies == ()
        cut, after = joined.packets
        assert after is event
        assert (cut.attachments_expected, cut.attachments, cut.place, cut.packets) == (
            2, (b"x",), PacketRef(4, 4), (1, 2),
        )  # fmt: skip
        assert not joiner.attentive

    def test_attachments_that_come_all_the_same(self) -> None:
        joiner = AttachmentJoiner(Side.CLIENT)
        joiner.feed(packet('51-["a"]', 1))
        joiner.lose()
        joined = joiner.feed(binary(b"x", 3))
        assert joined is not None
        assert joined.packets[0].attachments == (b"x",)
        assert joiner.feed(binary(b"y", 4)) == Joined(unreadable=1)  # its header may have been lost
        joiner.feed(packet('2["b"]', 5))
        orphan = joiner.feed(binary(b"z", 6))
        assert orphan is not None
        assert [anomaly.kind for anomaly in orphan.anomalies] == [AnomalyKind.SIO_BINARY_ORPHAN]

    def test_an_attachment_whose_bytes_were_not_captured(self) -> None:
        joiner = AttachmentJoiner(Side.CLIENT)
        joiner.feed(packet('52-["a"]', 1))
        assert joiner.lose_message(PacketRef(2, 2), (2,)) is None
        joined = joiner.feed(binary(b"y", 3))
        assert joined is not None
        assert joined.anomalies == ()
        assert (joined.packets[0].attachments, joined.packets[0].packets) == ((b"y",), (1, 2, 3))
        assert not joiner.waiting

    def test_the_last_attachment_was_not_captured(self) -> None:
        joiner = AttachmentJoiner(Side.CLIENT)
        joiner.feed(packet('51-["a"]', 1))
        joined = joiner.lose_message(PacketRef(2, 2), (2,))
        assert joined is not None
        assert (joined.packets[0].attachments, joined.packets[0].place) == ((), PacketRef(2, 2))
        assert not joiner.waiting

    def test_too_many_attachments(self) -> None:
        joiner = AttachmentJoiner(Side.CLIENT)
        header = packet('51025-["a"]')
        joined = joiner.feed(header)
        assert joined is not None
        assert joined.packets == (header,)
        assert joined.anomalies[0].kind is AnomalyKind.SIO_TOO_LARGE
        assert [joiner.feed(binary(b"x")) for _ in range(1025)] == [None] * 1025
        assert not joiner.waiting

    @pytest.mark.parametrize("count", [2, 3])
    @pytest.mark.interpreted
    def test_too_many_bytes(self, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
        monkeypatch.setattr(attachments, "MAX_ATTACHED_BYTES", 10)
        joiner = AttachmentJoiner(Side.CLIENT)
        header = packet(f'5{count}-["a"]', 1)
        joiner.feed(header)
        assert joiner.feed(binary(b"12345678", 2)) is None
        joined = joiner.feed(binary(b"12345678", 3))
        assert joined is not None
        assert joined.packets == (header,)
        assert (joined.anomalies[0].kind, joined.anomalies[0].place) == (AnomalyKind.SIO_TOO_LARGE, PacketRef(3, 3))
        assert joiner.waiting == (count == 3)
        if joiner.waiting:
            assert joiner.feed(binary(b"x", 4)) is None
        joiner.feed(packet('51-["b"]', 5))
        assert joiner.feed(binary(b"1234567890", 6)) is not None  # the count of bytes began anew
