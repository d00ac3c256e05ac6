"""Initial packets tell the random of the ClientHello: of RFC 9001's example, in any order, and of real clients."""

import hmac
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from eiosniff.capture.source import open_source
from eiosniff.decode.packets.decoder import PacketDecoder
from eiosniff.decode.quic.initial import _VERSIONS, InitialReader
from eiosniff.decode.tls.keys import expand_label

RECORDED = Path(__file__).resolve().parents[3] / "captures" / "recorded"
RANDOM = bytes(range(100, 132))
HELLO = b"\x01\x00\x01\x00\x03\x03" + RANDOM + bytes(60)
ID = bytes.fromhex("8394c8f03e515708")  # RFC 9001, appendix A


def varint(value):
    return value.to_bytes(1) if value < 64 else (0x4000 | value).to_bytes(2)


def crypto(start, end, hello=HELLO):
    return b"\x06" + varint(start) + varint(end - start) + hello[start:end]


def initial(frames, *, number=2, version=1, connection_id=ID, token=b"", keys_of=None):
    """An Initial packet of a client, sealed as RFC 9001 says."""
    known = _VERSIONS[version]
    common = hmac.digest(known.salt, keys_of or connection_id, "sha256")
    secret = expand_label(common, b"client in", 32, "sha256")
    key, iv, protection = (
        expand_label(secret, known.label + name, length, "sha256")
        for name, length in ((b"key", 16), (b"iv", 12), (b"hp", 16))
    )
    frames = frames.ljust(40, b"\0")
    first = bytes([0xC0 | known.initial << 4 | 3])
    packet_number = number.to_bytes(4)
    head = first + version.to_bytes(4) + bytes([len(connection_id)]) + connection_id + b"\0"
    head += varint(len(token)) + token + varint(4 + len(frames) + 16)
    nonce = (int.from_bytes(iv) ^ number).to_bytes(12)
    sealed = AESGCM(key).encrypt(nonce, frames, head + packet_number)
    mask = Cipher(algorithms.AES(protection), modes.ECB()).encryptor().update(sealed[:16])
    masked = bytes(byte ^ with_ for byte, with_ in zip(packet_number, mask[1:5], strict=True))
    return bytes([head[0] ^ mask[0] & 0x0F]) + head[1:] + masked + sealed


def read(*datagrams):
    reader = InitialReader()
    told = [reader.take(datagram) for datagram in datagrams]
    return told, reader.random


def test_the_example_of_the_rfc():
    """RFC 9001, appendix A.1 and A.2: the keys of this connection id, and the mask of the packet's header."""
    common = hmac.digest(_VERSIONS[1].salt, ID, "sha256")
    secret = expand_label(common, b"client in", 32, "sha256")
    assert secret.hex() == "c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea"
    assert expand_label(secret, b"quic key", 16, "sha256").hex() == "1f369613dd76d5467730efcbe3b1a22d"
    assert expand_label(secret, b"quic iv", 12, "sha256").hex() == "fa044b2f42a3fd3b46fb255c"
    assert expand_label(secret, b"quic hp", 16, "sha256").hex() == "9f50449e04a0e810283a1e9933adedd2"


@pytest.mark.parametrize("version", sorted(_VERSIONS))
def test_a_whole_hello(version):
    assert read(initial(crypto(0, len(HELLO)), version=version)) == ([True], RANDOM)


def test_a_hello_in_pieces_and_out_of_order():
    ping, ack, ack_ecn = b"\x01", b"\x02\x05\x01\x01\x00\x02\x03", b"\x03\x05\x01\x00\x00\x01\x01\x01"
    scattered = ping + crypto(20, 30) + b"\0\0" + ack + crypto(0, 7) + ack_ecn + crypto(25, 98)
    assert read(initial(scattered), initial(crypto(7, 20), number=3)) == ([False, True], RANDOM)


def test_packets_that_are_coalesced():
    first, second = initial(crypto(0, 10)), initial(crypto(10, 98), number=3)
    assert read(first + second) == ([True], RANDOM)


def test_after_the_servers_answer_the_keys_stay():
    """The client uses the connection id of the server from then on, with keys of the one that it had chosen."""
    second = initial(crypto(10, 98), number=3, connection_id=b"server", keys_of=ID)
    assert read(initial(crypto(0, 10)), second) == ([False, True], RANDOM)


def test_after_a_retry_there_are_others():
    retried = initial(crypto(0, 98), number=1, connection_id=b"of the retry", token=b"token")
    assert read(initial(crypto(0, 10)), retried) == ([False, True], RANDOM)


def test_another_connection_of_the_same_ports():
    other = HELLO.replace(RANDOM, bytes(32))
    again = initial(crypto(0, 98, other), connection_id=b"another one")
    assert read(initial(crypto(0, 98)), again) == ([True, True], bytes(32))


def test_what_is_cut_tells_nothing():
    whole = initial(crypto(0, 98))
    for cut in range(len(whole)):
        assert read(whole[:cut]) == ([False], None)


def test_other_keys_and_other_versions_tell_nothing():
    packet = initial(crypto(0, 98), keys_of=b"other")
    draft = b"\xc0\xff\x00\x00\x1d" + packet[5:]
    assert read(packet, draft, b"", b"\x40" * 50) == ([False] * 4, None)


def test_a_server_hello_is_no_client_hello():
    assert read(initial(crypto(0, 98, b"\x02" + HELLO[1:]))) == ([False], None)


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_arbitrary_datagrams_never_raise(datagrams):
    read(*datagrams)


@given(st.binary(max_size=300), st.binary(max_size=100))
def test_arbitrary_frames_never_raise(frames, behind):
    read(initial(frames) + behind)


@pytest.mark.parametrize(
    "file", ["decrypted_tshark/quic-talk.pcapng", "webtransport/webtransport-only.pcapng"], ids=["aioquic", "chromium"]
)
def test_real_clients(file):
    decoder, reader, told = PacketDecoder(), InitialReader(), 0
    decoder.quic.datagrams = []
    with open_source(str(RECORDED / file)) as source:
        for batch in source:
            decoder.decode(batch)
        (_, keys), *_ = source.secrets
    for datagram in decoder.quic.datagrams:
        told += datagram.from_client and reader.take(datagram.data)
    assert told == 1
    assert reader.random.hex().encode() in keys
