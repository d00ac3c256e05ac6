"""What TLS says in clear, and which connections are told apart by it."""

import pytest

from eiosniff.decode import unread
from eiosniff.decode.stack import Stack
from eiosniff.decode.tls.clear import (
    MOST_PACKETS,
    TlsHandshake,
    alert_name,
    read_client_hello,
    read_server_hello,
    version_name,
)
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.tcp import StreamChunk
from eiosniff.model.trouble import Gap, GapReason
from eiosniff.model.unread import Encrypted
from tests.hellos import (
    ALERT,
    ANSWER_12,
    ANSWER_13,
    GREASE,
    HELLO,
    KEYS,
    SECRET,
    UNKNOWN_CA,
    alpn,
    client_hello,
    extension,
    record,
    records,
    server_hello,
    server_name,
    tls13,
)
from tests.streams import CLIENT, SERVER, Sent, packets

C, S = Side.CLIENT, Side.SERVER
LONG = 8_000


@pytest.mark.parametrize(
    ("extensions", "name", "protocols", "encrypted"),
    [
        ((server_name(b"chat.example"), alpn(b"h2", b"http/1.1")), "chat.example", ("h2", "http/1.1"), False),
        ((alpn(b"http/1.1"),), None, ("http/1.1",), False),
        ((), None, (), False),
        ((alpn(GREASE, b"h2"), extension(0xFE0D, bytes(200))), None, ("h2",), True),
        ((extension(0x1A1A, b""), server_name(b"a"), extension(21, bytes(300))), "a", (), False),
        ((server_name(b""),), None, (), False),
        ((extension(0, b"\0\x09\0\0\xff"),), None, (), False),  # a length that cannot be
        ((extension(16, b"\xff\xff\x02h2\x09short"),), None, ("h2",), False),
        ((server_name(b"\x1b[2J\xff"),), "\x1b[2J\\xff", (), False),  # for the report to sanitise
        ((server_name(b"n" * LONG),), "n" * 300, (), False),
        ((alpn(*(b"%d" % at for at in range(100))),), None, tuple("01234567"), False),
    ],
)
def test_client_hello(extensions: tuple[bytes, ...], name: str, protocols: tuple[str, ...], encrypted: bool) -> None:
    hello = read_client_hello(client_hello(*extensions)[4:])
    assert (hello.name, hello.alpn, hello.encrypted) == (name, protocols, encrypted)


@pytest.mark.parametrize(
    ("hello", "version", "protocol"),
    [
        (server_hello(tls13()), "TLS 1.3", ""),
        (server_hello(alpn(b"h2")), "TLS 1.2", "h2"),
        (server_hello(version=0x0301), "TLS 1.0", ""),
        (server_hello(extension(43, b"\x7f\x1c")), "a draft of TLS 1.3", ""),
        (server_hello(version=0x0909), "an unknown version", ""),
    ],
)
def test_server_hello(hello: bytes, version: str, protocol: str) -> None:
    found = read_server_hello(hello[4:])
    assert (version_name(found.version), found.alpn) == (version, protocol)


def test_names_of_alerts() -> None:
    assert [alert_name(alert) for alert in (48, 120, 200)] == ["unknown_ca", "no_application_protocol", "alert 200"]


@pytest.mark.parametrize("size", [1, 7, 50, 5_000])
def test_a_hello_in_records_of_any_size(size: int) -> None:
    handshake = TlsHandshake()
    handshake.take(0, StreamChunk(C, 0, records(HELLO, size), [0], [1], [1]))
    assert handshake.client_hello is not None
    assert handshake.client_hello.name == "chat.example"
    assert handshake.client == 0


def test_what_is_cut_tells_as_much_as_is_there() -> None:
    name_first = record(client_hello(server_name(b"chat.example"), alpn(b"h2"), extension(21, bytes(500))))
    handshake = TlsHandshake()
    handshake.take(1, StreamChunk(C, 0, name_first[:150], [0], [1], [1]))
    handshake.take(1, Gap(C, 150, 400, GapReason.SNAP_LENGTH, PacketRef(1, 1)))
    assert handshake.client_hello is not None
    assert (handshake.client_hello.name, handshake.client_hello.alpn, handshake.client) == ("chat.example", ("h2",), 1)


def test_nothing_is_said_of_a_name_that_was_cut_off() -> None:
    handshake = TlsHandshake()
    handshake.take(0, StreamChunk(C, 0, record(HELLO)[:60], [0], [1], [1]))
    handshake.close()
    assert handshake.client_hello is None


@pytest.mark.parametrize(
    "data",
    [bytes(MOST_PACKETS), b"\x16\x03\x03\xff\xff" + bytes(70)],
    ids=["no record", "a record too large"],
)
def test_nonsense_ends_it(data: bytes) -> None:
    handshake = TlsHandshake()
    handshake.take(0, StreamChunk(C, 0, data, [0], [1], [1]))
    assert handshake.done


def test_so_many_packets_are_read_and_no_more() -> None:
    handshake = TlsHandshake()
    endless = record(b"\x01\xff\xff\xff" + bytes(5_000))
    for number in range(1, 2 * MOST_PACKETS):
        handshake.take(
            0, StreamChunk(C, 0, endless[number : number + 1] if number > 1 else endless[:2], [0], [number], [1])
        )
    assert handshake.done
    assert handshake.decided == MOST_PACKETS


# ---------------------------------------------------------------------- in the stack


def talk(*said: tuple[Side, bytes], client: int = CLIENT, server: int = SERVER, syn: bool = True) -> list[Sent]:
    """A connection in which this is said; `None` of a side would be its FIN."""
    seq = {C: 1000, S: 5000}
    ends = {"client": client, "server": server}
    sent = [Sent(C, "S", 999, **ends), Sent(S, "SA", 4999, ack=1000, **ends)] if syn else []
    for side, data in said:
        sent.append(Sent(side, "PA", seq[side], data, seq[Side(1 - side)], **ends))
        seq[side] += len(data)
    return sent


def run(sent: list[Sent], size: int = 0, **options: frozenset[int]) -> Stack:
    stack = Stack(CaptureSummary("x"), **options)  # type: ignore[arg-type]
    size = size or max(1, len(sent))
    for at in range(0, len(sent), size):
        stack.feed(packets(sent[at : at + size], at + 1))
    stack.close()
    assert not stack.crashes
    return stack


def encrypted(sent: list[Sent], size: int = 0) -> list[Encrypted]:
    return run(sent, size).summary.encrypted


def facts(entry: Encrypted) -> tuple[object, ...]:
    return (entry.name, entry.alpn, entry.greeted, dict(entry.versions), dict(entry.chosen), dict(entry.alerts))


H2 = ("h2", "http/1.1")
CASES: dict[str, tuple[list[Sent], tuple[object, ...], int]] = {
    "TLS 1.3": (
        talk((C, record(HELLO)), (S, record(ANSWER_13) + KEYS + SECRET), (C, KEYS + SECRET), (S, SECRET)),
        ("chat.example", H2, True, {"TLS 1.3": 1}, {}, {}),
        3,
    ),
    "TLS 1.2": (
        talk((C, record(HELLO)), (S, record(ANSWER_12)), (S, record(bytes(900))), (C, KEYS + SECRET)),
        ("chat.example", H2, True, {"TLS 1.2": 1}, {"h2": 1}, {}),
        3,
    ),
    "an alert of the client": (
        talk((C, record(HELLO)), (S, record(ANSWER_12) + record(b"\x0b" + bytes(900))), (C, UNKNOWN_CA)),
        ("chat.example", H2, True, {"TLS 1.2": 1}, {"h2": 1}, {"client: unknown_ca": 1}),
        3,
    ),
    "an alert of the server": (
        talk((C, record(HELLO)), (S, record(b"\x01\x70", ALERT)), (S, record(b"\x02\x28", ALERT))),
        ("chat.example", H2, True, {}, {}, {"server: handshake_failure": 1}),
        3,
    ),
    "early data": (
        talk((C, record(HELLO) + KEYS + SECRET), (C, SECRET), (S, record(ANSWER_13))),
        ("chat.example", H2, True, {"TLS 1.3": 1}, {}, {}),
        3,
    ),
    "the answer was captured before the hello": (
        talk((S, record(ANSWER_13) + KEYS + SECRET), (C, record(HELLO)), (C, SECRET)),
        ("chat.example", H2, True, {"TLS 1.3": 1}, {}, {}),
        3,
    ),
    "a hello in pieces": (
        talk((C, record(HELLO)[:3]), (C, record(HELLO)[3:40]), (C, record(HELLO)[40:]), (S, record(ANSWER_13))),
        ("chat.example", H2, True, {"TLS 1.3": 1}, {}, {}),
        3,
    ),
    "no answer": (talk((C, record(HELLO))), ("chat.example", H2, True, {}, {}, {}), 3),
    "from the middle": (talk((S, SECRET), (C, SECRET), syn=False), (None, (), False, {}, {}, {}), 1),
    "a protocol that was not offered": (
        talk((C, record(HELLO)), (S, record(server_hello(alpn(b"spdy"))) + KEYS)),
        ("chat.example", H2, True, {"TLS 1.2": 1}, {}, {}),
        3,
    ),
}


@pytest.mark.parametrize("size", [0, 1, 2])
@pytest.mark.parametrize("name", CASES)
def test_connection(name: str, size: int) -> None:
    sent, expected, first = CASES[name]
    (entry,) = encrypted(sent, size)
    assert facts(entry) == expected
    assert (str(entry.server), entry.first.number, entry.connections) == ("10.0.0.2:3000", first, 1)


HELLO_ONLY = talk((C, record(HELLO)))
HUNG_UP = {
    "FIN of the server": ([*HELLO_ONLY, Sent(S, "FA", 5000, ack=1001)], [4]),
    "RST of the server": ([*HELLO_ONLY, Sent(S, "R", 5000)], [4]),
    "alert of the server": (talk((C, record(HELLO)), (S, record(b"\x02\x78", ALERT))), [4]),
    "FIN of the client": ([*HELLO_ONLY, Sent(C, "FA", 1000 + len(record(HELLO)), ack=5000)], []),
    "FIN of the client, then of the server": (
        [*HELLO_ONLY, Sent(C, "FA", 1000 + len(record(HELLO))), Sent(S, "FA", 5000)],
        [],
    ),
    "RST of the client": ([*HELLO_ONLY, Sent(C, "R", 1000 + len(record(HELLO)))], []),
    "alert of the client": (talk((C, record(HELLO)), (S, record(ANSWER_12)), (C, UNKNOWN_CA)), []),
    "FIN of the server after its hello": (
        [*talk((C, record(HELLO)), (S, record(ANSWER_12))), Sent(S, "FA", 5000 + len(record(ANSWER_12)))],
        [],
    ),
    "nothing": (HELLO_ONLY, []),
}


@pytest.mark.parametrize("size", [0, 1, 2])
@pytest.mark.parametrize("name", HUNG_UP)
def test_who_refuses_a_handshake(name: str, size: int) -> None:
    sent, refused = HUNG_UP[name]
    (entry,) = encrypted(sent, size)
    assert [place.number for place in entry.refused] == refused


def test_all_packets_of_it_are_set_aside() -> None:
    sent = CASES["TLS 1.3"][0]
    for size in (0, 1, 3):
        summary = run(sent, size).summary
        assert summary.set_aside_packets == len(sent)
        assert summary.set_aside_bytes == sum(len(each.data) for each in sent)


def test_the_client_is_who_says_hello_where_nothing_else_tells() -> None:
    high = SERVER + 50_000
    (entry,) = encrypted(talk((C, record(HELLO)), (S, record(ANSWER_13)), server=high, syn=False))
    assert entry.server.port == 53_000
    (entry,) = encrypted(talk((S, SECRET), server=SERVER + 50_000, syn=False))
    assert entry.server.port == 40_000  # a guess: the lower one


def test_groups_are_by_server_name_and_offer() -> None:
    hellos = [HELLO, HELLO, client_hello(server_name(b"other.example")), client_hello(server_name(b"chat.example"))]
    sent = [each for at, hello in enumerate(hellos) for each in talk((C, record(hello)), client=CLIENT + at)]
    entries = encrypted(sent)
    assert [(entry.name, entry.alpn, entry.connections) for entry in entries] == [
        ("chat.example", H2, 2),
        ("other.example", (), 1),
        ("chat.example", (), 1),
    ]


@pytest.mark.interpreted
def test_there_are_so_many_groups_and_the_rest_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unread, "MAX_ENCRYPTED", 3)
    hellos = [client_hello(server_name(b"%d.example" % (at % 6))) for at in range(12)]
    talks = [talk((C, record(hello)), (S, record(ANSWER_13)), client=CLIENT + at) for at, hello in enumerate(hellos)]
    sent = [each for connection in zip(*talks, strict=True) for each in connection]  # all at the same time
    for size in (0, 1, 5):
        summary = run(sent, size).summary
        assert [(entry.name, entry.connections) for entry in summary.encrypted] == [
            ("0.example", 2),
            ("1.example", 2),
            ("2.example", 2),
        ]
        assert summary.encrypted_connections == 12


def test_only_chosen_ports_count() -> None:
    sent = [*talk((C, record(HELLO))), *talk((C, record(HELLO)), server=SERVER + 1)]
    (entry,) = run(sent, ports=frozenset({3001})).summary.encrypted
    assert entry.server.port == 3001


def test_encrypted_client_hello_is_noted() -> None:
    (entry,) = encrypted(talk((C, record(client_hello(server_name(b"front.example"), extension(0xFE0D, b"x"))))))
    assert (entry.name, entry.outer) == ("front.example", 1)


# ---------------------------------------------------------------- how handshakes fail

CERTIFICATE = bytes([11]) + (6).to_bytes(3, "big") + bytes(6)
CERTIFICATE_REQUEST = bytes([13, 0, 0, 1, 0])
DATA = b"\x17\x03\x03\x00\x30" + bytes(48)
ALERT_INSIDE = b"\x17\x03\x03\x00\x13" + bytes(19)
FINISHED = b"\x17\x03\x03\x00\x35" + bytes(53)


def _handshake(*said: tuple[int, bytes]) -> TlsHandshake:
    """By direction: 0 is the client's. Whatever came together, it is the same."""
    read = TlsHandshake()
    for number, (way, data) in enumerate(said, start=1):
        read.take(way, StreamChunk(Side.CLIENT, 0, data, [0], [number], [number]))
    return read


def test_the_newest_version_that_a_client_offers() -> None:
    old = client_hello()
    old = old[:4] + b"\x03\x01" + old[6:]
    assert read_client_hello(old[4:]).newest == 0x0301
    offer = extension(43, bytes([6]) + b"\x1a\x1a\x03\x04\x03\x03")
    assert read_client_hello(client_hello(offer)[4:]).newest == 0x0304


@pytest.mark.parametrize("cut", [1, 3, 4, 9])
def test_messages_behind_the_hello_are_told_even_if_records_cut_them(cut: int) -> None:
    messages = CERTIFICATE + CERTIFICATE_REQUEST
    said = [(0, record(HELLO)), (1, record(ANSWER_12)), (1, record(messages[:cut])), (1, record(messages[cut:]))]
    read = _handshake(*said, (0, UNKNOWN_CA))
    assert read.done
    assert read.certificate
    assert read.asks_for_certificate
    assert read.alert(0) == 48


def test_a_server_that_speaks_http_is_told() -> None:
    read = _handshake((0, record(HELLO)), (1, b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    assert read.done
    assert read.answers_http(1)
    assert not read.answers_http(0)
    assert read.answered.number == 2


def test_an_alert_that_is_encrypted_shows_by_its_length() -> None:
    read = _handshake((0, record(HELLO)), (1, record(ANSWER_13)), (0, ALERT_INSIDE))
    assert read.alert_inside
    assert not read.goes_on
    assert not _handshake((0, record(HELLO)), (1, record(ANSWER_13)), (0, FINISHED)).alert_inside


@pytest.mark.parametrize(
    ("answer", "said", "goes_on"),
    [
        (ANSWER_13, [FINISHED], False),
        (ANSWER_13, [FINISHED, ALERT_INSIDE], False),
        (ANSWER_13, [FINISHED, DATA], True),
        (ANSWER_12, [KEYS], False),
        (ANSWER_12, [KEYS, DATA], True),
    ],
)
def test_a_client_that_goes_on_sends_data(answer: bytes, said: list[bytes], goes_on: bool) -> None:
    read = _handshake((0, record(HELLO)), (1, record(answer)), *((0, data) for data in said))
    assert read.goes_on == goes_on


STILL_AT_IT = {
    "no answer yet": (HELLO_ONLY, 1),
    "an answer": (talk((C, record(HELLO)), (S, record(ANSWER_12))), 1),
    "it failed": (talk((C, record(HELLO)), (S, record(b"\x02\x78", ALERT))), 0),
    "it was ended": ([*HELLO_ONLY, Sent(S, "FA", 5000, ack=1001)], 0),
    "from the middle": (talk((S, SECRET), (C, SECRET), syn=False), 0),
}


@pytest.mark.parametrize("name", STILL_AT_IT)
def test_a_handshake_may_still_be_under_way_when_the_capture_ends(name: str) -> None:
    sent, under_way = STILL_AT_IT[name]
    (entry,) = encrypted(sent)
    assert (entry.under_way, entry.settled) == (under_way, 1 - under_way)
