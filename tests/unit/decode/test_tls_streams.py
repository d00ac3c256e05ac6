"""Decryption of what peers of OpenSSL said: all of it, from the right packets, and after holes what can be."""

import ssl

import pytest

from eiosniff.decode.tls.clear import TlsHandshake
from eiosniff.decode.tls.keyring import Keyring
from eiosniff.decode.tls.streams import MAX_HELD, TlsStreams
from eiosniff.model.provenance import CLIENT, SERVER, PacketRef, Side
from eiosniff.model.secrets import Secrets
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap, GapReason
from eiosniff.model.unread import Undecrypted
from tests.tls_peers import Pair, Wire, talk

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
KINDS = [
    (V13, ""),
    (V12, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    (V12, "ECDHE-ECDSA-AES256-GCM-SHA384"),
    (V12, "ECDHE-ECDSA-CHACHA20-POLY1305"),
    (V12, "ECDHE-ECDSA-AES128-CCM"),
    (V12, "ECDHE-ECDSA-AES256-CCM8"),
]
Records = list[StreamChunk | Gap]


def read(chunks: list[StreamChunk | Gap], secrets: Secrets) -> tuple[Records, TlsStreams]:
    streams = TlsStreams(Keyring(secrets))
    records: Records = []
    for chunk in chunks:
        records += streams.gap(chunk) if isinstance(chunk, Gap) else streams.feed(chunk)
    for side in (CLIENT, SERVER):
        records += streams.end(StreamEnd(side, EndKind.CAPTURE_ENDED, PacketRef(9_999, 0)))
    return records, streams


def plain(records: Records, side: Side) -> bytes:
    """What a side said, with `?` for what is missing; offsets count it all."""
    said = b""
    for record in records:
        if record.side is side:
            assert record.offset == len(said)
            said += b"?" * record.length if isinstance(record, Gap) else record.data
    return said


def without(chunks: list[StreamChunk], *lost: int) -> list[StreamChunk | Gap]:
    """The same, with holes instead of these packets."""
    place = PacketRef
    return [
        Gap(each.side, each.offset, len(each.data), GapReason.NOT_CAPTURED, place(each.numbers[0] + 1, 0))
        if each.numbers[0] in lost
        else each
        for each in chunks
    ]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[1] or "TLS 1.3")
@pytest.mark.parametrize("size", [5, 1_448, 1 << 20])
def test_what_both_sides_say(kind: tuple[ssl.TLSVersion, str], size: int) -> None:
    wire = talk(*kind)
    records, streams = read([*wire.chunks(size)], wire.secrets())
    assert [plain(records, side) for side in (CLIENT, SERVER)] == [bytes(said) for said in wire.said]
    assert streams.outcome() is None


@pytest.mark.parametrize("kind", KINDS[:4], ids=lambda kind: kind[1] or "TLS 1.3")
def test_each_byte_is_of_the_packet_that_brought_it(kind: tuple[ssl.TLSVersion, str]) -> None:
    wire = talk(*kind)
    chunks = wire.chunks(1_000)
    records, streams = read([*chunks], wire.secrets())
    overhead = 5 + (8 if "GCM" in kind[1] else 0)
    brought = {chunk.numbers[0]: chunk for chunk in chunks}
    checked = 0
    for record in records:
        assert isinstance(record, StreamChunk)
        outer = streams.outer(record.side, record.offset + len(record.data))
        last = max(brought.values(), key=lambda chunk: (chunk.side is record.side) * chunk.numbers[0])
        assert outer <= last.offset + len(last.data)
        if record.delivered:
            assert record.delivered >= max(record.numbers)
            assert streams.outer(record.side, record.offset + 1) - len(record.data) - overhead >= 0
        for start, number in zip(record.starts, record.numbers, strict=True):
            assert brought[number].side is record.side
            checked += 1
            # All but the first begin where a packet begins, so that the byte is the first of its packet.
            if start and record.delivered:
                ciphertext = outer - (len(record.data) - start) - (len(record.data) and 16)
                ciphertext -= 1 if kind[0] is V13 else 0
                assert brought[number].offset == ciphertext
    assert checked > 5


def test_the_packet_that_completed_a_record_delivers_it() -> None:
    wire = talk(rounds=2)
    records, _ = read([*wire.chunks(100)], wire.secrets())
    long = [record for record in records if isinstance(record, StreamChunk) and len(record.numbers) > 1]
    assert long
    assert all(record.delivered == record.numbers[-1] or record.delivered > record.numbers[-1] for record in long)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[1] or "TLS 1.3")
def test_after_a_hole_the_next_record_is_found(kind: tuple[ssl.TLSVersion, str]) -> None:
    pair = Pair(*kind)
    for turn in range(40):
        pair.say(CLIENT, b"turn %03d " % turn * 10)
        pair.say(SERVER, b"answer %03d " % turn * 200)
    wire = pair.over()
    chunks = wire.chunks(700)
    late = [chunk.numbers[0] for chunk in chunks[len(chunks) // 2 :]]
    for lost in ([late[3]], late[5:12], [late[4], late[9], late[10]], late[2:40:7]):
        records, streams = read(without(chunks, *lost), wire.secrets())
        assert not streams.useless
        for side in (CLIENT, SERVER):
            got, meant = plain(records, side), bytes(wire.said[side])
            assert len(got) == len(meant)
            assert all(one == other for one, other in zip(got, meant, strict=True) if one != ord("?"))
            assert got[-90:] == meant[-90:]
            missing = sum(record.length for record in records if isinstance(record, Gap) and record.side is side)
            assert missing < len(meant) // 2


def test_a_hole_in_the_certificate_does_no_harm() -> None:
    for kind in KINDS:
        wire = talk(*kind)
        chunks = wire.chunks(150)
        first = next(chunk.numbers[0] for chunk in chunks if chunk.side is SERVER)
        records, streams = read(without(chunks, first + 2), wire.secrets())
        assert [plain(records, side) for side in (CLIENT, SERVER)] == [bytes(said) for said in wire.said]
        assert not streams.useless


def test_a_hole_in_a_hello_ends_it() -> None:
    wire = talk()
    _, streams = read(without(wire.chunks(100), 1), wire.secrets())
    assert streams.outcome() is Undecrypted.NO_HELLO


def test_why_nothing_is_decrypted() -> None:
    wire, other = talk(), talk()
    old = talk(V12)
    wrong = Secrets()
    wrong.add(b"\n".join(line[:-8] + b"00000000" for line in wire.keys.splitlines()))
    server_less = wire.secrets(without=("SERVER_TRAFFIC",))
    for chunks, secrets, why in (
        (wire.chunks(500), other.secrets(), Undecrypted.NO_KEYS),
        (wire.chunks(500), wrong, Undecrypted.WRONG_KEYS),
        (wire.chunks(500), server_less, Undecrypted.HALF),
        (wire.chunks(500)[8:], wire.secrets(), Undecrypted.NO_HELLO),
        (old.chunks(500), other.secrets(), Undecrypted.NO_KEYS),
        (talk(V12, "ECDHE-ECDSA-AES128-SHA256").chunks(500), other.secrets(), Undecrypted.CIPHER),
    ):
        records, streams = read([*chunks], secrets)
        assert records == []
        assert streams.outcome() is why


def test_without_the_secrets_of_the_handshake_the_data_are_found() -> None:
    wire = talk()
    secrets = wire.secrets(without=("CLIENT_HANDSHAKE", "SERVER_HANDSHAKE"))
    records, _ = read([*wire.chunks(900)], secrets)
    assert [plain(records, side) for side in (CLIENT, SERVER)] == [bytes(said) for said in wire.said]


@pytest.mark.parametrize("version", [V12, V13])
def test_a_key_log_that_grows_later(version: ssl.TLSVersion) -> None:
    wire = talk(version)
    secrets = Secrets(grows=True)
    streams = TlsStreams(Keyring(secrets))
    records: Records = []
    chunks = wire.chunks(1_448)
    lines = wire.keys.splitlines()
    for number, chunk in enumerate(chunks):
        records += streams.feed(chunk)
        if number > 2 and lines:
            secrets.add(lines.pop(0))
    assert [plain(records, side) for side in (CLIENT, SERVER)] == [bytes(said) for said in wire.said]


def test_what_waits_for_secrets_is_bounded() -> None:
    wire = talk()
    streams = TlsStreams(Keyring(Secrets(grows=True)))
    chunks = wire.chunks(1 << 16)
    for chunk in chunks:
        assert streams.feed(chunk) == []
    end = chunks[-1].offset + len(chunks[-1].data)
    record = (b"\x17\x03\x03\x40\x00" + bytes(1 << 14)) * 64
    for number in range(MAX_HELD // len(record) + 2):
        assert streams.feed(StreamChunk(SERVER, end, record, [0], [100 + number], [0])) == []
        end += len(record)
    assert streams.useless


def test_an_alert_inside_is_told() -> None:
    pair = Pair(V13)
    wire = pair.over()
    witness = TlsHandshake()
    streams = TlsStreams(Keyring(wire.secrets()), witness)
    for chunk in wire.chunks(900):
        streams.feed(chunk)
    assert witness.client_hello is not None
    assert witness.server_hello is not None
    assert [witness.alert(way) for way in (0, 1)] == [-1, -1]


@pytest.mark.parametrize("tickets", [True, False])
def test_a_resumed_connection_needs_no_line_of_its_own(tickets: bool) -> None:
    first = Pair(V12)
    if not tickets:
        for context in first.contexts:
            context.options |= ssl.OP_NO_TICKET
        first = Pair(V12, contexts=first.contexts)
    first.say(SERVER, b"hello")
    session = first.client.session
    wire = first.over()
    second = Pair(V12, contexts=first.contexts, session=session)
    second.say(CLIENT, b"again")
    resumed = second.over()
    assert second.client.session_reused
    keyring = Keyring(wire.secrets())
    streams = TlsStreams(keyring)
    for chunk in wire.chunks(2_000):
        streams.feed(chunk)
    later = TlsStreams(keyring)
    records: Records = []
    for chunk in resumed.chunks(2_000):
        chunk.numbers = [chunk.numbers[0] + 1_000]
        records += later.feed(chunk)
    assert plain(records, CLIENT) == b"again"


def spliced(wire: Wire, at: int, data: bytes) -> list[StreamChunk]:
    """The packets of a wire, with bytes put into what the client says before one of them."""
    chunks = wire.chunks(1_448)
    made: list[StreamChunk] = []
    shift = 0
    for chunk in chunks:
        if chunk.side is CLIENT and chunk.numbers[0] >= at and not shift:
            made.append(StreamChunk(CLIENT, chunk.offset, data, [0], [chunk.numbers[0]], [0]))
            shift = len(data)
        offset = chunk.offset + (shift if chunk.side is CLIENT else 0)
        made.append(StreamChunk(chunk.side, offset, chunk.data, [0], chunk.numbers, [0]))
    return made


def test_what_is_no_record_is_passed_over() -> None:
    wire = talk()
    last = max(chunk.numbers[0] for chunk in wire.chunks(1_448) if chunk.side is CLIENT)
    for noise in (b"GET / HTTP/1.1\r\n\r\n", b"\x17\x03\x03\x00\x20" + bytes(32)):
        records, _ = read([*spliced(wire, last, noise)], wire.secrets())
        assert plain(records, CLIENT).endswith(b"client says 2 ")
