"""Which TLS connections are followed, and when: in tunnels, with a key log that grows, resumed ones."""

import ssl
from pathlib import Path

import pytest

from eiosniff.capture.secrets import KeySource
from eiosniff.capture.source import open_source
from eiosniff.decode.conversation import Conversation
from eiosniff.decode.events import Events
from eiosniff.decode.stack import Stack
from eiosniff.decode.tcp.flow import Flow
from eiosniff.decode.tls.keyed import MOST_HELD
from eiosniff.decode.tls.keyring import Keyring
from eiosniff.decode.tls.streams import TlsStreams
from eiosniff.model.provenance import CLIENT, SERVER, Endpoint, PacketRef, Side
from eiosniff.model.secrets import Secrets
from eiosniff.model.session import Connection
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.unread import Undecrypted
from tests.streams import RECORDED, ledgers, packets
from tests.tls_peers import Pair, Wire
from tests.unit.decode.test_stack import Link

CONNECT = b"CONNECT chat.example:443 HTTP/1.1\r\nHost: chat.example:443\r\n\r\n"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
ASK = b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: chat.example\r\n\r\n"
OPEN = b'0{"sid":"abc","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(OPEN) + OPEN
BATCHES = (1, 7, 100, 50_000)


def session(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, pair: Pair | None = None) -> Wire:
    """A handshake by polling, over TLS."""
    pair = pair or Pair(version)
    pair.say(CLIENT, ASK)
    pair.say(SERVER, OK)
    return pair.over()


def decoded(link: Link, secrets: Secrets | None, batch: int) -> Stack:
    stack = Stack(CaptureSummary("a"), secrets=secrets)
    for at in range(0, len(link.sent), batch):
        stack.feed(packets(link.sent[at : at + batch], at + 1))
    stack.close()
    assert not stack.crashes
    return stack


def linked(*flights: tuple[Side, bytes]) -> Link:
    link = Link()
    for side, data in flights:
        for at in range(0, len(data), 1_000):
            link.send(side, data[at : at + 1_000])
    return link


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_through_a_proxy_is_read(version: ssl.TLSVersion, batch: int) -> None:
    wire = session(version)
    stack = decoded(linked((CLIENT, CONNECT), (SERVER, ESTABLISHED), *wire.flights), wire.secrets(), batch)
    [found] = stack.sessions.sessions
    assert found.sid == "abc"
    assert found.encrypted
    assert [entry.decrypted for entry in stack.summary.encrypted] == [1]


@pytest.mark.parametrize("batch", BATCHES)
def test_tls_through_a_proxy_without_its_keys_is_told(batch: int) -> None:
    wire, other = session(), session()
    stack = decoded(linked((CLIENT, CONNECT), (SERVER, ESTABLISHED), *wire.flights), other.secrets(), batch)
    assert stack.sessions.total == 0
    [entry] = stack.summary.encrypted
    assert list(entry.undecrypted) == [Undecrypted.NO_KEYS]
    assert decoded(linked((CLIENT, CONNECT), (SERVER, ESTABLISHED), *wire.flights), None, batch).summary.encrypted


def test_of_what_is_encrypted_the_plain_bytes_are_counted() -> None:
    wire = session()
    flow = Flow((40_000, 3_000), PacketRef(1, 1), PacketRef(1, 1))
    flow.client = 0
    ledger = Connection(0, Endpoint("10.0.0.1", 40_000), Endpoint("10.0.0.2", 3_000), flow.first, flow.first)
    conversation = Conversation(flow, ledger, Events(), lambda conversation, bug: pytest.fail(repr(bug)))
    conversation.begin_tls(TlsStreams(Keyring(wire.secrets())))
    for chunk in wire.chunks(500):
        conversation.chunk(chunk)
    assert ledger.bytes == [len(ASK), len(OK)]
    assert ledger.encrypted


def test_without_secrets_that_fit_nothing_is_followed() -> None:
    wire, other = session(), session()
    for secrets in (None, Secrets(), other.secrets()):
        stack = decoded(linked(*wire.flights), secrets, 100)
        assert stack.sessions.total == 0
        assert stack.summary.set_aside_bytes == sum(len(data) for _, data in wire.flights)
        assert stack.protocols == {"TLS (port 3000)": 1}


@pytest.mark.parametrize("lag", [0, 1, 5])
@pytest.mark.parametrize("name", ["node-tls-1.3", "node-tls-1.2", "client-ping-tls-1.3"])
def test_a_key_log_that_lags_behind(name: str, lag: int) -> None:
    path = RECORDED / "tls" / f"{name}.pcapng"
    expected, lines = with_all(path)
    secrets = Secrets(grows=True)
    stack = Stack(CaptureSummary(path.name), secrets=secrets)
    with open_source(str(path), batch_size=1) as source:
        for number, batch in enumerate(source.batches()):
            stack.feed(batch)
            if number >= lag and lines:
                secrets.add(lines.pop(0) + b"\n" + (lines.pop(0) if lines else b""))
    stack.close()
    assert [each.sid for each in stack.sessions.sessions] == [each.sid for each in expected.sessions.sessions]
    counts = [each.engineio_counts for each in stack.sessions.sessions]
    assert counts == [each.engineio_counts for each in expected.sessions.sessions]


def with_all(path: Path) -> tuple[Stack, list[bytes]]:
    with KeySource() as keys, open_source(str(path)) as source:
        stack = Stack(CaptureSummary(path.name), secrets=keys.secrets)
        for batch in source.batches():
            keys.update(source)
            stack.feed(batch)
        lines = [line for _, data in source.secrets for line in data.splitlines()]
    stack.close()
    return stack, lines


@pytest.mark.parametrize("name", ["decrypted/tls12-ticket", "decrypted/tls12-session-id", "tls/node-nginx"])
def test_where_batches_are_cut_does_not_matter(name: str) -> None:
    path = RECORDED / f"{name}.pcapng"
    found = []
    for size in BATCHES:
        with KeySource() as keys, open_source(str(path), batch_size=size) as source:
            stack = Stack(CaptureSummary(path.name), secrets=keys.secrets)
            for batch in source.batches():
                keys.update(source)
                stack.feed(batch)
        stack.close()
        found.append((ledgers(stack), stack.summary.other))
    assert all(each == found[0] for each in found)


def test_what_waits_for_a_key_log_is_bounded() -> None:
    wire = session()
    link = linked(*wire.flights)
    for _ in range(MOST_HELD // 60_000 + 2):
        link.send(SERVER, b"\x17\x03\x03\x40\x00" + bytes(60_000))
    stack = decoded(link, Secrets(grows=True), 1)
    assert stack.protocols == {"TLS (port 3000)": 1}
    assert stack.summary.set_aside_bytes > MOST_HELD


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_of_one_direction_alone_it_is_said_that_the_other_is_missing(version: ssl.TLSVersion, batch: int) -> None:
    wire = session(version)
    for side in Side:
        stack = decoded(linked(*(flight for flight in wire.flights if flight[0] is side)), wire.secrets(), batch)
        [entry] = stack.summary.encrypted
        assert list(entry.undecrypted) == [Undecrypted.ONE_SIDED]


@pytest.mark.parametrize("batch", BATCHES)
def test_keys_are_not_blamed_where_there_was_nothing_to_decrypt(batch: int) -> None:
    wire, other = session(), session()
    refusal = (SERVER, b"\x15\x03\x03\x00\x02\x02\x28")  # handshake_failure
    for flights in (wire.flights[:1], [wire.flights[0], refusal]):
        for secrets in (wire.secrets(), other.secrets()):
            [entry] = decoded(linked(*flights), secrets, batch).summary.encrypted
            assert (entry.decrypted, entry.undecrypted) == (0, {})


@pytest.mark.parametrize("batch", BATCHES)
def test_the_end_of_the_capture_is_nobody_hanging_up(batch: int) -> None:
    wire = session()
    [entry] = decoded(linked(*wire.flights[:1]), wire.secrets(), batch).summary.encrypted
    assert (entry.under_way, entry.refused.count) == (1, 0)
