"""The real tshark decrypts what we leave to it: what comes back is what peers said, from the packets that had it."""

import asyncio
import hashlib
import os
import ssl
import tomllib
from pathlib import Path

import pytest

from eiosniff.capture import tshark_program
from eiosniff.capture.leftover import Leftover
from eiosniff.capture.source import open_source
from eiosniff.decode.outside.pieces import Outside
from eiosniff.decode.stack import Stack
from eiosniff.model.outside import QuicPiece, TlsPiece
from eiosniff.model.secrets import Secrets
from eiosniff.model.summary import CaptureSummary
from tests.interop.tls_talk import Peers

RECORDED = Path(__file__).resolve().parents[2] / "captures" / "recorded"
INDEX = tomllib.loads((RECORDED / "decrypted_tshark.toml").read_text())["recording"]
QUIC = [entry for entry in INDEX if "quic" in entry["file"]]
ALPHABET = bytes(range(256))


@pytest.fixture(autouse=True)
def _there():
    try:
        tshark_program.find()
    except tshark_program.TsharkError as error:
        pytest.skip(str(error))


pytestmark = pytest.mark.interop


def decrypted(packets, secrets):
    with Leftover() as leftover:
        leftover.write(packets)
        with leftover.decrypt(secrets) as at_work:
            pieces = list(at_work)
    assert at_work.problem == ""
    return pieces


def secrets_of(path):
    secrets = Secrets()
    with open_source(path) as source:
        for _ in source:
            pass
        for _, text in source.secrets:
            secrets.add(text)
    return secrets


def said(pieces, from_client):
    return b"".join(piece.data for piece in pieces if piece.from_client is from_client)


@pytest.mark.parametrize("segment", [100, 1448, 60_000])
@pytest.mark.parametrize("cipher", ["ECDHE-RSA-AES128-SHA", "AES256-SHA256", "ECDHE-RSA-AES256-SHA384"])
def test_records_come_back_whole_however_they_are_cut(tmp_path, cipher, segment):
    """Several records in a segment, a record in several segments, the largest record, and binary data in it."""
    turns = [
        (True, [b"GET / HTTP/1.1\r\n\r\n"]),
        (False, [b"one", b"two", b"\0\r\n\xff three"]),
        (True, [ALPHABET * 64, b"!"]),
        (False, [b"<html>", ALPHABET * 60]),
    ]
    peers = Peers(tmp_path, cipher)
    talk = peers.talk(turns, segment)

    pieces = decrypted(talk.packets, peers.secrets)

    assert all(isinstance(piece, TlsPiece) for piece in pieces)
    assert (said(pieces, False), said(pieces, True)) == talk.said
    assert [piece.number for piece in pieces] == sorted(piece.number for piece in pieces)
    by_number = {packet.number: packet for packet in talk.packets}
    assert all(by_number[piece.number].from_client is piece.from_client for piece in pieces)
    assert all(by_number[piece.number].ts_ns == piece.ts_ns for piece in pieces)


def test_what_tls_carries_is_not_looked_at(tmp_path):
    """On the port of HTTPS tshark would take it for HTTP, and here and there for others; all of it comes as it is."""
    for turn in (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"8=FIX.4.4\x019=5\x01",
        b"\x16\x03\x01\x00\x05hello",
        b"\x00" * 40,
    ):
        peers = Peers(_folder(tmp_path), "AES128-SHA")
        talk = peers.talk([(True, [turn]), (False, [turn])])
        pieces = decrypted(talk.packets, peers.secrets)
        assert (said(pieces, False), said(pieces, True)) == talk.said


def _folder(parent):
    folder = parent / str(len(list(parent.iterdir())))
    folder.mkdir()
    return folder


def test_other_keys_give_nothing_and_say_so(tmp_path):
    one, other = Peers(_folder(tmp_path), "AES128-SHA"), Peers(_folder(tmp_path), "AES128-SHA")
    talk = one.talk([(True, [b"secret"])])
    other.talk([(True, [b"secret"])])
    random = next(iter(one.secrets.text())).split()[1]
    wrong = Secrets()
    wrong.add(b"CLIENT_RANDOM " + random + b" " + b"ab" * 48)

    for secrets in (other.secrets, wrong):
        with Leftover() as leftover:
            leftover.write(talk.packets)
            with leftover.decrypt(secrets) as at_work:
                assert list(at_work) == []
            (line,) = leftover.problems([])
        assert line == (
            "tshark decrypted nothing of 1 TLS connection to 192.0.2.2:443: "
            "the keys do not fit, or its beginning is missing"
        )


def test_a_connection_that_carried_nothing_is_no_trouble(tmp_path):
    peers = Peers(tmp_path, "AES128-SHA")
    talk = peers.talk([])
    with Leftover() as leftover:
        leftover.write(talk.packets)
        with leftover.decrypt(peers.secrets) as at_work:
            assert list(at_work) == []
        assert leftover.problems([]) == []


def test_two_connections_at_once_are_told_apart(tmp_path):
    peers = Peers(tmp_path, "ECDHE-RSA-AES128-SHA")
    first, second = (peers.talk([(True, [text]), (False, [text * 2])]) for text in (b"first", b"second"))
    packets = [packet for pair in zip(first.packets, second.packets, strict=True) for packet in pair]
    for number, packet in enumerate(packets, 1):
        packet.number = number

    pieces = decrypted(packets, peers.secrets)

    for talk in (first, second):
        mine = [piece for piece in pieces if piece.connection is talk.packets[0].connection]
        assert (said(mine, False), said(mine, True)) == talk.said


@pytest.mark.parametrize("size", [1, 7, 100, 50_000])
@pytest.mark.parametrize("entry", QUIC, ids=lambda entry: Path(entry["file"]).stem)
def test_quic_streams_come_back_as_they_were_sent(entry, size):
    path = str(RECORDED / entry["file"])
    outside, secrets = Outside(), secrets_of(path)
    stack = Stack(CaptureSummary(""), secrets=secrets, outside=outside)
    with Leftover() as leftover:
        with open_source(path, batch_size=size) as source:
            for batch in source:
                stack.feed(batch)
                leftover.write(outside.take())
        with leftover.decrypt(secrets) as at_work:
            pieces = list(at_work)
    assert (at_work.problem, at_work.undecrypted) == ("", [])
    assert all(isinstance(piece, QuicPiece) for piece in pieces)
    for line in entry["log"]:
        side, stream, length, digest = line.split()
        mine = [p for p in pieces if p.stream == int(stream) and p.from_client is (side == "client")]
        data = bytearray(int(length))
        for piece in mine:
            data[piece.offset : piece.offset + len(piece.data)] = piece.data
        assert (hashlib.sha256(data).hexdigest(), any(piece.fin for piece in mine)) == (digest, True)


def test_a_key_log_without_quic_keys_says_how_much_was_not_decrypted():
    path = str(RECORDED / "decrypted_tshark" / "quic-talk.pcapng")
    outside = Outside()
    stack = Stack(CaptureSummary(""), secrets=secrets_of(path), outside=outside)
    with open_source(path) as source:
        for batch in source:
            stack.feed(batch)
    with Leftover() as leftover:
        leftover.write(outside.take())
        with leftover.decrypt(Secrets()) as at_work:
            assert list(at_work) == []
        (line,) = leftover.problems([])
    assert at_work.problem == ""
    assert at_work.undecrypted[0].packets >= 5
    assert line.startswith("tshark could not decrypt ")
    assert line.endswith(" QUIC packets: Failed to create decryption context: Secrets are not available")


def test_nothing_of_the_user_matters_and_nothing_is_left(tmp_path, monkeypatch):
    """A profile that would change what comes out, a config.ini that pyshark would read, and what is in /tmp after."""
    profile = tmp_path / "config"
    profile.mkdir()
    (profile / "preferences").write_text("tls.desegment_ssl_records: FALSE\ntcp.desegment_tcp_streams: FALSE\n")
    (profile / "disabled_protos").write_text("tls\ntcp\n")
    monkeypatch.setenv("WIRESHARK_CONFIG_DIR", str(profile))
    (tmp_path / "config.ini").write_text("[something else]\nof = others\n")
    monkeypatch.chdir(tmp_path)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    peers = Peers(_folder(tmp_path), "AES128-SHA")
    talk = peers.talk([(True, [ALPHABET * 40])])
    before = dict(os.environ)

    with Leftover() as leftover:
        leftover.write(talk.packets)
        with leftover.decrypt(peers.secrets) as at_work:
            modes = {path.name: path.stat().st_mode & 0o777 for path in temporary.rglob("*") if path.is_file()}
            pieces = list(at_work)

    assert (said(pieces, False), said(pieces, True)) == talk.said
    assert (modes["keys.log"], modes["extract.pcapng"]) == (0o600, 0o600)
    assert list(temporary.iterdir()) == []
    assert dict(os.environ) == before


def test_reading_may_end_early(tmp_path):
    peers = Peers(tmp_path, "AES128-SHA")
    talk = peers.talk([(True, [b"x"])] * 300)
    with Leftover() as leftover:
        leftover.write(talk.packets)
        with leftover.decrypt(peers.secrets) as at_work:
            assert next(iter(at_work)).data == b"x"
    assert leftover.problems([talk.packets[0].connection]) == []


def test_python_without_child_watchers(tmp_path, monkeypatch):
    """As Python 3.14 is, and 3.12 warns of."""
    monkeypatch.delattr(asyncio, "set_child_watcher", raising=False)
    monkeypatch.delattr(asyncio, "get_child_watcher", raising=False)
    peers = Peers(tmp_path, "AES128-SHA")
    talk = peers.talk([(True, [b"hello"])])
    assert said(decrypted(talk.packets, peers.secrets), True) == b"hello"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions(tmp_path, version):
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        peers = Peers(tmp_path, "AES128-SHA:@SECLEVEL=0", version)
    talk = peers.talk([(True, [b"one", b"two"]), (False, [b"three"])])
    pieces = decrypted(talk.packets, peers.secrets)
    assert (said(pieces, False), said(pieces, True)) == talk.said
